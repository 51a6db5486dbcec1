"""The population: functions as NumPy code, with the gradient of each as one writes it by hand.

A row is text, so that mistakes can be made in its gradient (`mistakes`) and JAX can be asked whether it is right (the
tests). The sizes of arguments are letters, drawn anew each time; m is the batch. What a gradient is not written for is
data. In the value of a function to an array, c is the cotangent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


def scatter(index: Any, values: Any, like: Any) -> Any:
    """Zeros like an array, with rows of values added at an index, each as often as it is there."""
    total = np.zeros_like(like)
    np.add.at(total, index, values)
    return total


def scatter_once(index: Any, values: Any, like: Any) -> Any:
    """What `total[index] += values` does: of rows with the same index only one is added."""
    total = np.zeros_like(like)
    total[index] += values
    return total


def inv(A: Any) -> Any:
    """The inverse, also of matrices wider than LAPACK's."""
    if A.dtype != np.longdouble:
        return np.linalg.inv(A)
    X = np.linalg.inv(A.astype(np.float64)).astype(np.longdouble)
    for _ in range(3):
        X = X @ (2 * np.eye(len(A), dtype=np.longdouble) - A @ X)
    return X


HELPERS = {"np": np, "scatter": scatter, "scatter_once": scatter_once, "inv": inv}


@dataclass(frozen=True, eq=False)
class Row:
    """A function and its gradient.

    Attributes:
        name: of the function.
        family: the kind of function.
        arguments: for each argument, its sizes as letters and in which domain its numbers are.
        lines: what the value and the gradient both use.
        value: the result.
        back: what gradients share.
        gradients: for each argument that has one, an expression.
        kink: the argument in which the function has a kink at 0, or "a = b" where it has one between two arguments.
        least: the smallest size of each axis.
    """

    name: str
    family: str
    arguments: dict[str, tuple[tuple[str, ...], str]]
    lines: str
    value: str
    back: str
    gradients: dict[str, str]
    kink: str = ""
    least: int = 1

    @property
    def wrt(self) -> list[str]:
        """The arguments that have a gradient."""
        return list(self.gradients)

    @property
    def array(self) -> str:
        """The value without its cotangent c, "" if it has none."""
        wrapped = self.value.startswith("(c * ") and self.value.endswith(").sum()") and "c" not in self.gradients
        return self.value[len("(c * ") : -len(").sum()")] if wrapped else ""

    def function(self, value: str = "", helpers: dict[str, Any] = HELPERS) -> Any:
        """The function, computed with NumPy unless `helpers` say otherwise."""
        names = [n for n in self.arguments if not value or n != "c"]
        return build(self.name, names, [self.lines, f"return {value or self.value}"], helpers)

    def gradient(self, expressions: dict[str, str] | None = None, back: str | None = None, last: str = "") -> Any:
        """The function to the gradients, in the order of `gradients`; `last` names an argument that comes last."""
        names = [n for n in self.arguments if n != last] + ([last] if last else [])
        parts = ", ".join((expressions or self.gradients).values())
        lines = [self.lines, self.back if back is None else back, f"return ({parts},)"]
        return build(f"gradient of {self.name}", names, lines, HELPERS)


def build(name: str, arguments: list[str], lines: list[str], helpers: dict[str, Any]) -> Any:
    """A Python function from its text."""
    body = "\n    ".join(line.strip() for text in lines for line in text.split(";") if line.strip())
    scope = dict(helpers)
    exec(compile(f"def made({', '.join(arguments)}):\n    {body}", f"<{name}>", "exec"), scope)
    return scope["made"]


ROWS: list[Row] = []


def enter(name: str, family: str, arguments: str, lines: str, value: str, back: str = "", *, kink: str = "",
      least: int = 1, **gradients: str) -> None:  # fmt: skip
    """Enter a row. Its arguments are written "x: m n, positive; y: m": names, sizes, and a domain."""
    parsed = {}
    for part in arguments.split(";"):
        names, _, rest = part.partition(":")
        sizes, _, domain = rest.partition(",")
        for n in names.split():
            parsed[n] = (tuple(sizes.split()), domain.strip())
    ROWS.append(Row(name, family, parsed, lines, value, back, gradients, kink, least))


P, L, N, R, B, M, T = (
    "polynomials", "losses", "layers", "reductions", "broadcasts", "matrix products", "transcendental functions",
)  # fmt: skip

# fmt: off
enter("cubic fit", P, "x y: m; a b c d:", "r = a + b * x + c * x ** 2 + d * x ** 3 - y", "(r ** 2).sum()",
      "g = 2 * r", a="g.sum()", b="(g * x).sum()", c="(g * x ** 2).sum()", d="(g * x ** 3).sum()")
enter("line fit", P, "w b:; x y: m", "r = w * x + b - y", "(r ** 2).mean()", "g = 2 * r / len(x)", w="(g * x).sum()",
      b="g.sum()")
enter("tutorial's cost", P, "W:; x y: m", "r = W * x - y", "(r ** 2).mean()", W="2 / len(x) * (r * x).sum()")
enter("power", P, "x: n; n: , power; c: n", "", "(c * x ** n).sum()", x="c * n * x ** (n - 1)")
enter("Horner's scheme", P, "x a b d: n; c: n", "p = a * x + b", "(c * (p * x + d)).sum()", x="c * (a * x + p)",
      a="c * x * x", b="c * x", d="c")
enter("product of three", P, "x y z: n", "", "(x * y * z).sum()", x="y * z", y="x * z", z="x * y")
enter("two variables", P, "x y: n", "", "(x ** 2 * y - 3 * x * y ** 3).sum()", x="2 * x * y - 3 * y ** 3",
      y="x ** 2 - 9 * x * y ** 2")
enter("Rosenbrock", P, "x: n", "t = x[1:] - x[:-1] ** 2; u = 1 - x[:-1]", "(100 * t ** 2 + u ** 2).sum()", least=2,
      x="np.pad(-400 * x[:-1] * t - 2 * u, (0, 1)) + np.pad(200 * t, (1, 0))")
enter("Legendre", P, "x c: n", "", "(c * (5 * x ** 3 - 3 * x) / 2).sum()", x="c * (15 * x ** 2 - 3) / 2")
enter("quadratic form", P, "x: n; A: n n", "", "x @ A @ x", x="A @ x + A.T @ x", A="np.outer(x, x)")
enter("squared polynomial", P, "x: n; a:", "q = x ** 2 + a * x", "(q ** 2).sum()", "g = 2 * q", x="g * (2 * x + a)",
      a="(g * x).sum()")

enter("mean squared error", L, "X: m n; w: n; y: m", "r = X @ w - y", "(r * r).mean()", "g = 2 / len(y) * r",
      w="X.T @ g")
enter("matrix squared error", L, "X: m n; W: n k; b: k; Y: m k", "R = X @ W + b - Y", "(R * R).sum() / 2",
      W="X.T @ R", b="R.sum(0)")
enter("absolute error", L, "p y: m", "r = p - y", "np.abs(r).mean()", kink="p = y", p="np.sign(r) / len(y)")
enter("Huber", L, "x: m", "a = np.abs(x)", "np.where(a < 1, x * x / 2, a - 0.5).sum()",
      x="np.where(a < 1, x, np.sign(x))")
enter("logistic loss", L, "X: m n; w: n; y: m, label", "s = y * (X @ w)", "np.log(1 + np.exp(-s)).mean()",
      "g = -y / (1 + np.exp(s)) / len(y)", w="X.T @ g")
enter("binary cross-entropy", L, "p: m, unit; t: m, unit", "", "-(t * np.log(p) + (1 - t) * np.log(1 - p)).mean()",
      p="((1 - t) / (1 - p) - t / p) / len(t)")
enter("softmax cross-entropy", L, "X: m k; t: m k, onehot",
      "Z = X - X.max(1, keepdims=True); E = np.exp(Z); S = E.sum(1, keepdims=True)",
      "((np.log(S) - Z) * t).sum() / len(t)", X="(E / S - t) / len(t)")
enter("hinge loss", L, "X: m n; w: n; y: m, label", "s = 1 - y * (X @ w)", "np.where(s > 0, s, 0 * s).sum()",
      w="-X.T @ np.where(s > 0, y, 0 * y)")
enter("ridge", L, "X: m n; w: n; y: m; q:, positive", "r = X @ w - y", "(r * r).sum() + q * (w * w).sum()",
      w="2 * (X.T @ r) + 2 * q * w")
enter("lasso", L, "X: m n; w: n; y: m; q:, positive", "r = X @ w - y", "(r * r).sum() + q * np.abs(w).sum()",
      kink="w", w="2 * (X.T @ r) + q * np.sign(w)")
enter("Poisson likelihood", L, "X: m n; w: n; y: m, positive", "s = X @ w; e = np.exp(s)", "(e - y * s).sum()",
      w="X.T @ (e - y)")
enter("Gaussian likelihood", L, "y mu s: m", "v = np.exp(-s); r = y - mu", "((r * r * v + s) / 2).mean()",
      mu="-r * v / len(y)", s="(1 - r * r * v) / 2 / len(y)")
enter("cosine similarity", L, "x y: n", "p = np.sqrt((x * x).sum()); q = np.sqrt((y * y).sum()); d = (x * y).sum()",
      "d / (p * q)", least=2, x="y / (p * q) - d * x / (p ** 3 * q)", y="x / (p * q) - d * y / (p * q ** 3)")
enter("relative entropy", L, "p q: m, positive", "", "(p * np.log(p / q)).sum()", p="np.log(p / q) + 1", q="-p / q")
enter("log-cosh", L, "x: m; y: m", "r = x - y", "np.log(np.cosh(r)).mean()", x="np.tanh(r) / len(x)",
      y="-np.tanh(r) / len(x)")
enter("quantile loss", L, "p: m; y: m", "r = y - p", "np.where(r > 0, 0.75 * r, -0.25 * r).mean()", kink="p = y",
      p="np.where(r > 0, -0.75, 0.25) / len(y)")

enter("linear layer", N, "X: m n; W: n k; b: k; c: m k", "", "(c * (X @ W + b)).sum()", X="c @ W.T", W="X.T @ c",
      b="c.sum(0)")
enter("tanh layer", N, "X: m n; W: n k; b: k; c: m k", "h = np.tanh(X @ W + b)", "(c * h).sum()",
      "g = c * (1 - h * h)", X="g @ W.T", W="X.T @ g", b="g.sum(0)")
enter("relu", N, "x c: m n", "", "(c * np.maximum(x, 0)).sum()", kink="x", x="c * np.where(x > 0, 1.0, 0.0)")
enter("relu layer", N, "X: m n; W: n k; b: k; c: m k", "z = X @ W + b", "(c * np.where(z > 0, z, 0 * z)).sum()",
      "g = c * np.where(z > 0, 1, 0)", X="g @ W.T", W="X.T @ g", b="g.sum(0)")
enter("leaky relu", N, "x: m n; c: m n", "", "(c * np.where(x > 0, x, 0.125 * x)).sum()", kink="x",
      x="c * np.where(x > 0, 1.0, 0.125)")
enter("sigmoid layer", N, "X: m n; W: n k; c: m k", "s = 1 / (1 + np.exp(-(X @ W)))", "(c * s).sum()",
      "g = c * s * (1 - s)", X="g @ W.T", W="X.T @ g")
enter("two-layer network", N, "X: m n; W: n h; b: h; V: h k; Y: m k", "H = np.tanh(X @ W + b); R = H @ V - Y",
      "(R * R).mean()", "G = 2 * R / R.size; g = (G @ V.T) * (1 - H * H)", W="X.T @ g", b="g.sum(0)", V="H.T @ G")
enter("softmax layer", N, "x: m k; c: m k",
      "e = np.exp(x - x.max(1, keepdims=True)); s = e / e.sum(1, keepdims=True)", "(c * s).sum()",
      x="s * c - s * (s * c).sum(1, keepdims=True)", least=2)
enter("layer norm", N, "x: m n; c: m n",
      "d = x - x.mean(1, keepdims=True); v = np.sqrt((d * d).mean(1, keepdims=True) + 0.125); u = d / v",
      "(c * u).sum()", x="(c - c.mean(1, keepdims=True) - u * (c * u).mean(1, keepdims=True)) / v", least=2)
enter("batch norm", N, "x: m n; a b: n; c: m n", "d = x - x.mean(0); v = np.sqrt((d * d).mean(0) + 0.125); u = d / v",
      "(c * (a * u + b)).sum()", "g = c * a", x="(g - g.mean(0) - u * (g * u).mean(0)) / v", a="(c * u).sum(0)",
      b="c.sum(0)", least=2)
enter("embedding", N, "E: k n; i: m, index k; c: m n", "", "(c * E[i]).sum()", E="scatter(i, c, E)")
enter("embedding, squared", N, "E: k n; i: m, index k; y: m n", "r = E[i] - y", "(r * r).sum()",
      E="scatter(i, 2 * r, E)")
enter("attention", N, "Q: m h; K: n h; V: n k; c: m k",
      "z = Q @ K.T / 2; e = np.exp(z - z.max(1, keepdims=True)); A = e / e.sum(1, keepdims=True)",
      "(c * (A @ V)).sum()", "G = c @ V.T; g = A * (G - (A * G).sum(1, keepdims=True)) / 2", Q="g @ K", K="g.T @ Q",
      V="A.T @ c")
enter("convolution", N, "x: m; w: three; c: m", "y = w[0] * x[:-2] + w[1] * x[1:-1] + w[2] * x[2:]",
      "(c[2:] * y).sum()", least=3,
      x="np.pad(w[0] * c[2:], (0, 2)) + np.pad(w[1] * c[2:], (1, 1)) + np.pad(w[2] * c[2:], (2, 0))",
      w="np.array([(c[2:] * x[:-2]).sum(), (c[2:] * x[1:-1]).sum(), (c[2:] * x[2:]).sum()])")
enter("swish", N, "x: m; c: m", "s = 1 / (1 + np.exp(-x))", "(c * (x * s)).sum()", x="c * (s + x * s * (1 - s))")
enter("gelu", N, "x: m; c: m", "t = np.tanh(0.75 * (x + 0.046875 * x ** 3))", "(c * (x * (1 + t) / 2)).sum()",
      x="c * ((1 + t) / 2 + x * (1 - t * t) * 0.75 * (1 + 0.140625 * x * x) / 2)")
enter("dropout", N, "x: m n; k: m n, mask; c: m n", "", "(c * (x * k * 2)).sum()", x="c * k * 2")
enter("residual block", N, "X: m n; W: n n; c: m n", "h = np.tanh(X @ W)", "(c * (X + h)).sum()",
      "g = c * (1 - h * h)", X="c + g @ W.T", W="X.T @ g")
enter("recurrence", N, "w u:; x: three; y:",
      "a = np.tanh(u * x[0]); b = np.tanh(w * a + u * x[1]); d = np.tanh(w * b + u * x[2])", "(d - y) ** 2",
      "gd = 2 * (d - y) * (1 - d * d); gb = gd * w * (1 - b * b); ga = gb * w * (1 - a * a)", w="gd * b + gb * a",
      u="gd * x[2] + gb * x[1] + ga * x[0]")

enter("sum of squares", R, "x: m n", "", "(x * x).sum()", x="2 * x")
enter("mean of squares", R, "x: m", "", "(x ** 2).mean()", x="2 * x / len(x)")
enter("variance", R, "x: m", "d = x - x.mean(); m = len(x)", "(d * d).sum() / (m - 1)", x="2 * d / (m - 1)", least=2)
enter("standard deviation", R, "x: m", "d = x - x.mean(); s = np.sqrt((d * d).mean())", "s", x="d / (s * len(x))",
      least=3)
enter("norm", R, "x: n", "r = np.sqrt((x * x).sum())", "r", x="x / r")
enter("log-sum-exp", R, "x: m", "e = np.exp(x - x.max())", "np.log(e.sum()) + x.max()", x="e / e.sum()")
enter("product", R, "x: n", "", "np.prod(x)", x="np.prod(x) / x")
enter("largest", R, "x c: m n", "", "(c[:, 0] * x.max(1)).sum()",
      x="np.where(x == x.max(1, keepdims=True), 1.0, 0.0) * c[:, :1]")
enter("cumulative sum", R, "x: m; c: m", "", "(c * np.cumsum(x)).sum()", x="np.cumsum(c[::-1])[::-1]")
enter("means of columns", R, "x: m n; c: n", "", "(c * x.mean(0)).sum()", x="c / len(x) * np.ones_like(x)")
enter("weighted mean", R, "x: m; w: m, positive", "s = w.sum(); a = (w * x).sum() / s", "a", x="w / s",
      w="(x - a) / s")
enter("squared row sums", R, "x: m n", "s = x.sum(1, keepdims=True)", "(s * s).sum()", x="2 * s * np.ones_like(x)")

enter("row and column", B, "a: m; b: n", "d = a[:, None] - b", "(d * d).sum()", a="2 * d.sum(1)", b="-2 * d.sum(0)")
enter("scale and shift", B, "X: m n; s b: n; c: m n", "", "(c * (X * s + b)).sum()", X="c * s", s="(c * X).sum(0)",
      b="c.sum(0)")
enter("column scale", B, "X: m n; s: m; c: m n", "", "(c * (X * s[:, None])).sum()", X="c * s[:, None]",
      s="(c * X).sum(1)")
enter("quotient", B, "X: m n; s: n, positive; c: m n", "", "(c * (X / s)).sum()", X="c / s",
      s="-(c * X / s ** 2).sum(0)")
enter("Gaussian kernel", B, "a: m; b: n", "d = a[:, None] - b; k = np.exp(-d * d)", "k.sum()",
      a="-(2 * d * k).sum(1)", b="(2 * d * k).sum(0)")
enter("three axes", B, "x: m n k; s: n k; t: k", "y = x * s + t", "(y * y).sum()", "g = 2 * y", x="g * s",
      s="(g * x).sum(0)", t="g.sum(0).sum(0)")
enter("scalar times matrix", B, "q:; X: m n; c: m n", "", "(c * (q * X)).sum()", q="(c * X).sum()", X="c * q")

enter("trace of a product", M, "A: n k; B: k n", "", "(A @ B).trace()", A="B.T", B="A.T")
enter("three matrices", M, "A: m n; B: n k; C: k h; c: m h", "", "(c * (A @ B @ C)).sum()", A="c @ (B @ C).T",
      B="A.T @ c @ C.T", C="(A @ B).T @ c")
enter("Gram matrix", M, "A: m n; c: n n", "", "(c * (A.T @ A)).sum()", A="A @ c + A @ c.T")
enter("bilinear form", M, "x: m; A: m n; y: n", "", "x @ A @ y", x="A @ y", A="np.outer(x, y)", y="A.T @ x")
enter("log-determinant", M, "A: n n, dominant", "", "np.linalg.slogdet(A)[1]", A="inv(A).T")
enter("linear system", M, "A: n n, dominant; b c: n", "", "c @ np.linalg.solve(A, b)", "z = inv(A).T @ c",
      A="-np.outer(z, inv(A) @ b)", b="z")
enter("square of a matrix", M, "A c: n n", "", "(c * (A @ A)).sum()", A="c @ A.T + A.T @ c")
enter("batch of products", M, "A: m n k; B: k h; c: m n h", "", "(c * (A @ B)).sum()", A="c @ B.T",
      B="np.einsum('mnk,mnh->kh', A, c)")
enter("product with a vector", M, "A: n k; x: k; y: n", "r = A @ x - y", "(r * r).sum()", "g = 2 * r",
      A="np.outer(g, x)", x="A.T @ g")

enter("sine and exponential", T, "x: n; c: n", "", "(c * (np.sin(x) * np.exp(x))).sum()",
      x="c * (np.cos(x) * np.exp(x) + np.sin(x) * np.exp(x))")
enter("log of 1 + x²", T, "x: n", "", "np.log(1 + x * x).sum()", x="2 * x / (1 + x * x)")
enter("root of 1 + x²", T, "x: n", "r = np.sqrt(1 + x * x)", "r.sum()", x="x / r")
enter("arctangent", T, "x y: n, positive", "", "np.arctan(x / y).sum()", x="y / (x * x + y * y)",
      y="-x / (x * x + y * y)")
enter("general power", T, "x: n, positive; y: n", "p = x ** y", "p.sum()", x="y * x ** (y - 1)", y="np.log(x) * p")
enter("sine of a cosine", T, "x: n; c: n", "", "(c * np.sin(np.cos(x))).sum()",
      x="-c * np.cos(np.cos(x)) * np.sin(x)")
enter("bell curve", T, "x: n; s:, positive", "k = np.exp(-x * x / (2 * s * s))", "k.sum()", x="-k * x / s ** 2",
      s="(k * x * x / s ** 3).sum()")
enter("hyperbolic", T, "x: n; c: n", "", "(c * (np.sinh(x) / np.cosh(x))).sum()",
      x="c * (1 - (np.sinh(x) / np.cosh(x)) ** 2)")
enter("log barrier", T, "x: n, unit", "", "-(np.log(x) + np.log(1 - x)).sum()", x="1 / (1 - x) - 1 / x")
enter("rational", T, "x: n; c: n", "q = 1 + x * x", "(c * (x / q)).sum()", x="c * (1 / q - 2 * x * x / q ** 2)")
enter("damped wave", T, "t: m; a w d:; y: m", "e = np.exp(-d * d * t); s = np.sin(w * t); r = a * e * s - y",
      "(r * r).sum()", "g = 2 * r", a="(g * e * s).sum()", w="(g * a * e * t * np.cos(w * t)).sum()",
      d="(g * a * s * e * (-2 * d * t)).sum()")
enter("cube root", T, "x: n, positive; c: n", "y = np.cbrt(x)", "(c * y).sum()", x="c / (3 * y ** 2)")
# fmt: on
