"""Diagnoses: what is wrong with a gradient, in words, with the numbers and the fix.

A diagnosis is a hypothesis that explains the claimed gradient at the point of the check, at others, and with fewer rows
of data. Where none does, the gradient is wrong in a way that is not known here, and is said to be: nothing is guessed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from tinygrad_poly.checking import hypotheses as h
from tinygrad_poly.checking.arguments import Arrays
from tinygrad_poly.checking.oracles import leaves_on_tape
from tinygrad_poly.checking.rounding import in_float32
from tinygrad_poly.checking.verdict import floats

CODES: dict[str, tuple[str, str]] = {
    "factor": ("is {ratio} times the true gradient{batch}", "multiply by {inverse}"),
    "sign": ("has the wrong sign", "multiply by -1"),
    "mean-for-sum": ("is 1/{n} of the true gradient{batch}: a mean where the loss has a sum", "np.mean → np.sum"),
    "sum-for-mean": ("is {n} times the true gradient{batch}: a sum where the loss has a mean", "np.sum → np.mean"),
    "missing-chain-factor": ("lacks the slope of {where}: the chain rule multiplies by it", "multiply by that slope"),
    "missing-term": ("lacks what comes through {where}", "add that term"),
    "counted-twice": ("counts what comes through {where} twice", "count it once"),
    "term-sign": ("has the wrong sign in what comes through {where}", "change the sign of that term"),
    "term-factor": ("takes {ratio} times what comes through {where}", "multiply that term by {inverse}"),
    "swapped": ("is the gradient of {key}", "exchange the two"),
    "transposed": ("has the right numbers in the wrong places ({key})", "transpose or turn it around"),
    "missing-sum": (
        "has shape {shape}, and is not summed over the axes along which the argument was repeated",
        "sum over the axes that broadcasting added",
    ),
    "wrong-axis": ("is summed over the wrong axes {key}", "sum over the axes that broadcasting added"),
    "one-row": ("is the contribution of one row only ({key})", "add up all rows"),
    "repeated-index": ("counts only one use of an element that is used several times", "np.add.at(g, index, v)"),
    "stale": ("is that of an earlier call's arguments", "compute with the arguments given, not with what was kept"),
    "accumulated": ("is added to that of the calls before", "start each call at 0 (zero_grad)"),
    "detached": (
        "is 0: the way from the loss to the argument is cut",
        "do not detach or read numbers out on the way",
    ),
    "float32": ("has only float32's digits", "compute in float64: no astype(np.float32) or dtype=np.float32"),
    "diagonal-only": ("keeps only the diagonal of the {key}", "multiply by the whole Jacobian"),
    "unclassified": ("is wrong in a way that is not known here", "compare it line by line: checking.compare"),
}
"""What each diagnosis says of the gradient, and the fix."""

WAYS = (
    *((h.factor, "times"), (h.detached, ""), (h.accumulated, ""), (h.stale, ""), (h.swapped, "")),
    *((h.diagonal_only, ""), (h.transposed, ""), (h.one_row, ""), (h.missing_sum, ""), (h.wrong_axis, "")),
    *((h.repeated_index, ""), (h.term, "plus"), (h.missing_chain_factor, "times")),
)
"""The hypotheses in the order in which they are believed, and whether a number is fitted to what they lead to."""
TERMS = {-1.0: "missing-term", 1.0: "counted-twice", -2.0: "term-sign"}
"""How much more often than right a term is counted."""


@dataclass
class Diagnosis:
    """A mistake in the gradient of one argument.

    Attributes:
        code: one of `CODES`.
        argument: its name.
        numbers: what the words are made of: the ratio, the axes, the line of the program.
        sure: whether it was tried at several points; else it is only likely.
    """

    code: str
    argument: str
    numbers: dict[str, Any] = field(default_factory=dict)
    sure: bool = True

    def __str__(self) -> str:
        said, fix = (text.format_map(self.numbers) for text in CODES[self.code])
        likely = "" if self.sure or self.code == "unclassified" else " (likely)"
        return f"grad[{self.argument}] {said}{likely}\n  Fix: {fix}"


def diagnose(patient: Any, number: int, oracle: str, true_gradients: Any) -> Diagnosis:
    """The diagnosis of the gradient of one of the active leaves."""
    patient.true = lambda p, arrays: true_gradients(p, arrays, ["tape", oracle]).gradients
    with np.errstate(all="ignore"):
        samples = _samples(patient, number)
        code, numbers, sure = explained(samples)
        nearer = [s for s in samples if not s.far]
        if code == "unclassified" and len(nearer) < len(samples):
            code, numbers, sure = (*explained(nearer)[:2], False)
            code = "unclassified" if code == "factor" else code  # other data show that it is none
        small = all(s.claimed.shape != s.true.shape and h.broadcasts(s.claimed.shape, s.true.shape) for s in samples)
        if code == "unclassified" and samples and small:
            for s in samples:  # what a factor was left out of may be smaller: 2 in the place of 2 x
                s.claimed = np.broadcast_to(s.claimed, s.true.shape)
            code, numbers, sure = (*explained(samples)[:2], False)
            code = code if code == "missing-chain-factor" else "unclassified"
    name = patient.arguments.paths[patient.arguments.active[number]]
    if code == "factor":
        code, numbers = _factor(patient, number, samples, numbers)
    return Diagnosis(code, name, numbers, sure and any(s.far for s in samples))


def explained(samples: Sequence[h.Sample]) -> tuple[str, dict[str, Any], bool]:
    """The code of the first hypothesis that explains all samples, its numbers, and whether no other one does."""
    wrong = [s for s in samples if not _right(s)]
    if not wrong:
        return "unclassified", {}, False
    first = min(wrong, key=_off)
    found: dict[str, dict[str, Any]] = {}
    # Whatever the arguments are, the answer stays; 0 and 1 alone may be a mask.
    still = all(len(s.answers) and all(map(np.array_equal, s.answers, first.answers)) for s in samples)
    numbers = {x for g in first.answers for x in np.ravel(g)[:9]} if still and any(s.far for s in samples) else {}
    if len(numbers) > 2 and not all(np.allclose(s.true, first.true, 1e-6, 0) for s in samples):
        return "stale", {}, True
    if first.leaf_dtype == np.float64 and first.in_float32 and first.claimed.shape == first.true.shape:
        found |= {"float32": {}} if _close(first, first.true, 1e-5) else {}
    for hypothesis, fit in WAYS:
        looked = wrong if hypothesis in (h.stale, h.accumulated) else samples
        for key, candidate in hypothesis(first):
            explanation = _explanation(hypothesis, fit, key, candidate, first, looked)
            if explanation:
                found.setdefault(*explanation)
                break
        if "factor" in found or "sign" in found:  # whatever else it is, that is true
            break
    code = next((c for c in ("factor", "sign") if c in found), next(iter(found), ""))
    # A factor left out and a number besides are two mistakes, or another one; of few rows, a term may be all but one.
    sure = (len(found) == 1 or code in ("factor", "sign")) and (code != "missing-chain-factor" or found[code]["c"] == 1)
    sure = sure and (code != "one-row" or max(first.true.shape, default=0) > 3)
    sure = sure and (first.true.size > 1 or any(not np.allclose(s.true, first.true, 1e-6, 0) for s in samples))
    return (code, found[code], sure) if code else ("unclassified", {}, False)


def _explanation(
    hypothesis: Any, fit: str, key: Any, candidate: Any, first: h.Sample, samples: Sequence[h.Sample]
) -> tuple[str, dict[str, Any]] | None:
    """The code and the numbers, if what a hypothesis leads to is what is claimed, at all samples."""
    plus, code = fit == "plus", hypothesis.__name__.replace("_", "-")
    if first.claimed.shape != candidate.shape or (plus and candidate.shape != first.true.shape):
        return None
    c = _nice(_ratio(first.claimed - plus * first.true, candidate), first) if fit else 1.0
    simple = c == float(Fraction(c).limit_denominator(64))
    usual: Any = (-1, 2, -2, 0.5, -0.5, first.batch) if code == "factor" else TERMS
    # Every error of a single number is some factor: then only one that people forget says anything.
    told = len(samples) > 1 or first.true.size > 2 or any(k and abs(c - k) < 1e-9 for k in usual)
    if fit and not (c and (simple or code == "factor") and told):
        return None
    for s in samples:
        there = candidate if s is first else next((g for k, g in hypothesis(s) if k == key), None)
        if there is None or not _matches(s, c * there + s.true if plus else c * there):
            return None
    numbers: dict[str, Any] = {"key": key, "shape": first.claimed.shape, "batch": "", "c": c, "n": _fraction(abs(c))}
    if fit:
        ratio = c + plus
        numbers |= {"ratio": _fraction(ratio), "inverse": _fraction(1 / ratio) if ratio else ""}
        code = TERMS.get(round(c, 6), "term-factor") if plus else "sign" if (code, c) == ("factor", -1) else code
    if fit and code not in ("factor", "sign"):
        numbers["where"] = "the cotangent" if key == "cotangent" else first.graph.name(key)  # type: ignore[union-attr]
    return code, numbers


def _off(s: h.Sample) -> float:
    """The distance of the size of the error from that of the gradient: where it is small, a mistake is seen best."""
    if s.claimed.shape != s.true.shape:
        return 0.0
    error, size = (float(np.abs(x).max(initial=0.0)) for x in (s.claimed - s.true, s.true))
    return abs(math.log(error / size)) if error and size and math.isfinite(error / size) else math.inf


def _nice(c: float, s: h.Sample) -> float:
    """A simple fraction in the place of a number that differs from it by rounding."""
    near = float(Fraction(c).limit_denominator(64))
    return near if abs(c - near) <= max(1e-11, 64 * s.unit) * abs(c) else c


def _matches(s: h.Sample, candidate: Any) -> bool:
    """Whether a candidate explains the error of the claimed gradient, all but a thousandth of it."""
    if candidate.shape != s.claimed.shape:
        return False
    with np.errstate(all="ignore"):
        size = np.abs(candidate).max(initial=0.0)
        off = np.abs(s.claimed - s.true) if s.claimed.shape == s.true.shape else np.abs(s.claimed)
        error = off.max(initial=0.0)
        rest = np.abs(s.claimed - candidate).max(initial=0.0)
        return bool(rest <= min(1e-3 * error, 1e-7 * size + 1e-7 * error) + 64 * s.unit * size)


def _close(s: h.Sample, candidate: Any, part: float) -> bool:
    return bool(np.abs(s.claimed - candidate).max(initial=0.0) <= part * np.abs(candidate).max(initial=0.0))


def _ratio(a: Any, b: Any) -> float:
    if np.shape(a) != np.shape(b):
        return 0.0
    with np.errstate(all="ignore"):
        scale = float(np.abs(b).max(initial=0.0))
        c = float(np.sum(a * (b / scale)) / np.sum(b * (b / scale))) if scale and math.isfinite(scale) else 0.0
    return c if math.isfinite(c) else 0.0


def _fraction(c: float) -> str:
    near = Fraction(c).limit_denominator(1000)
    return str(near) if abs(float(near) - c) <= 1e-9 * abs(c) else f"{c:.12g}"


def _factor(patient: Any, number: int, samples: list[h.Sample], numbers: Any) -> tuple[str, dict[str, Any]]:
    """The name of a constant factor: how it depends on the number of rows m, as far as that can be changed."""
    c, m = numbers["c"], samples[0].batch
    seen = [(m, c)] if m else []
    arrays = patient.arguments.values()
    for rows in (m - 1, max(m - 2, 1)) if m and m > 2 else ():
        true = _cut_truth(patient, number, slice(rows), arrays)
        try:
            claimed = floats(patient.answer(patient.arguments.cut(slice(rows), arrays) or {})[number])
        except Exception:  # a gradient whose rows hang together in another way
            continue
        if true is not None and (c2 := _ratio(claimed, true)) and _matches(h.Sample(claimed, true), c2 * true):
            seen.append((rows, c2))
    if len(seen) > 1 and abs(seen[0][1] - seen[1][1]) > 1e-9 * abs(c):
        for power, words in ((1, "m"), (-1, "1/m")):
            k = [value / rows**power for rows, value in seen]
            if max(k) - min(k) <= 1e-9 * abs(k[0]):
                told = ", ".join(f"m = {rows}: {_fraction(value)}" for rows, value in seen)
                sign = "" if k[0] > 0 else "-"
                text, over = (f"{sign}{_of(k[0], words)}", f"{sign}{_of(1 / k[0], '1/m' if power == 1 else 'm')}")
                numbers |= {"batch": f" ({told})", "ratio": text, "n": "m", "inverse": over}
                if abs(k[0] - 1) < 1e-9:
                    return ("sum-for-mean" if power == 1 else "mean-for-sum"), numbers
                return "factor", numbers
    held = [x for x in patient.arguments.leaves if isinstance(x, np.ndarray)]
    sizes = {n for x in held for n in (*x.shape, x.size)}
    for n in sizes - {1, 2} if len(seen) < 2 else ():
        if abs(c - n) < 1e-9 * n or abs(c * n - 1) < 1e-9:
            numbers["n"] = str(n)
            return ("sum-for-mean" if c > 1 else "mean-for-sum"), numbers
    return "factor", numbers


def _of(k: float, words: str) -> str:
    """The product of a number and m or 1/m, as one writes it."""
    n, _, d = _fraction(abs(k)).partition("/")
    top = words if n == "1" and words == "m" else n if words == "1/m" else f"{n}{words}"
    below = "".join([d, "m" if words == "1/m" else ""])
    return f"{top}/{below}" if below else top


def _samples(patient: Any, number: int) -> list[h.Sample]:
    """The claimed and the true gradient at the point of the check, at others near by, and far off, for other data."""
    points: list[tuple[Any, Arrays]] = [(patient, patient.arguments.values())]
    if callable(patient.claim):
        other = patient.with_other_cotangent()
        points += [(patient, patient.moved()), (other, patient.moved(True)), (other, patient.moved(True, True))]
    found: list[h.Sample] = []
    before: dict[str, Any] = {}
    for k, (asked, arrays) in enumerate(points):
        try:
            s = _sample(asked, number, arrays, before)
        except Exception:  # another point may lie where the functions are not defined
            continue
        s.far = k > 1
        before = {"first": s.true, **before, "last": s.true}
        if np.isfinite(s.true).all() and np.isfinite(s.claimed).all():
            found.append(s)
    return found


def _right(s: h.Sample) -> bool:
    return s.claimed.shape == s.true.shape and _close(s, s.true, 64 * s.unit)


def _sample(patient: Any, number: int, arrays: Arrays, before: dict[str, Any]) -> h.Sample:
    a = patient.arguments
    answers = [floats(g) for g in patient.answer(arrays)]
    truth = [np.asarray(floats(D), np.float64) for D in patient.true(patient, arrays)]
    names = [a.paths[i] for i in a.active]
    leaf = a.leaves[a.active[number]]
    s = h.Sample(answers[number], truth[number], before=before)
    s.leaf_dtype, s.unit = leaf.dtype, float(max(np.finfo(leaf.dtype).eps, np.finfo(np.float64).eps))
    s.answers = answers
    s.in_float32 = in_float32(patient, arrays, number, s.claimed)
    s.others = {n: D for k, (n, D) in enumerate(zip(names, truth)) if k != number}
    s.batch = a.batch()
    s.graph, s.leaf = _graph(patient, arrays, number)
    if patient.result.shape and s.graph:
        s.plain = s.graph.gradient(s.leaf, cotangent=np.ones(patient.result.shape))
        if patient.result.shape == leaf.shape and leaf.size <= 64:
            s.diagonal = np.zeros(leaf.shape)
            for at in np.ndindex(leaf.shape):
                unit = np.zeros(leaf.shape)
                unit[at] = patient.cotangent[at]
                s.diagonal[at] = s.graph.gradient(s.leaf, cotangent=unit)[at]
    for row in (0, -1) if s.batch and s.batch > 1 else ():
        start = row % s.batch
        one = _cut_truth(patient, number, slice(start, start + 1), arrays)
        if one is not None:
            s.rows |= {row: one, f"{row}, divided by {s.batch}": one / s.batch, f"{row}, times": one * s.batch}
    return s


def _graph(patient: Any, arrays: Arrays, number: int) -> tuple[Any, Any]:
    if patient.library == "torch":
        return None, None
    graph = h.Graph()
    try:
        with np.errstate(all="ignore"), graph:
            args, leaves = leaves_on_tape(patient.function, arrays, np.float64)
            result = patient.loss(*args)
        graph.finish(result.node, np.broadcast_to(np.asarray(patient.cotangent, result.dtype), result.shape))
    except Exception:  # whatever does not run on tensors
        return None, None
    return graph, leaves[number].node


def _cut_truth(patient: Any, number: int, rows: slice, arrays: Arrays) -> Any:
    cut = patient.arguments.cut(rows, arrays)
    if cut is None:
        return None
    try:
        return np.asarray(floats(patient.true(patient, cut)[number]), np.float64)
    except Exception:  # a loss whose rows hang together in another way
        return None
