// Numbers as a person writes them, as tinygrad_poly.explain.words does.
const RAISED = { "-": "⁻", ...Object.fromEntries([..."⁰¹²³⁴⁵⁶⁷⁸⁹"].map((c, i) => [i, c])) };
function number(x) {
  if (Number.isNaN(x)) return "NaN";
  if (!Number.isFinite(x)) return x > 0 ? "∞" : "−∞";
  const [digits, e] = x.toExponential(3).split("e").map(Number);
  const text = e < -4 || e >= 4 ? `${digits}·10${[...String(e)].map((c) => RAISED[c]).join("")}` : String(+x.toPrecision(4));
  return (e >= 4 && x === Math.round(x) && x < 1e4 ? String(x) : text).replace("-", "−");
}
function brief(x, shape, once = false) {
  if (once && x.length && x.every((value) => value === x[0])) x = x[0];
  if (typeof x === "number" || typeof x === "boolean") return number(+x);
  if (shape.length === 1 && x.length <= 4) return `[${[...x].map(number).join(", ")}]`;
  let low = Infinity, high = -Infinity;
  for (const value of x) { low = Math.min(low, value); high = Math.max(high, value); }
  const size = shape.join("×");
  return low === high ? `${size}: all ${number(low)}` : `${size}: ${number(low)} … ${number(high)}`;
}
function decoded(text) {
  return new Float64Array(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
}
const $ = (id) => document.getElementById(id);
function element(parent, tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  parent.append(made);
  return made;
}
