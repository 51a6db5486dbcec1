"""Diagnoses: what is wrong with a gradient, in words, with the numbers and the fix.

A diagnosis is a hypothesis that explains the claimed gradient at the point of the check, at others, and with fewer rows
of data. Where none does, the gradient is wrong in a way that is not known here, and is said to be: nothing is guessed.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from tinygrad_poly.checking import hypotheses as h
from tinygrad_poly.checking.arguments import Arrays
from tinygrad_poly.checking.oracles import leaves_on_tape
from tinygrad_poly.checking.patient import WIDE
from tinygrad_poly.checking.rounding import in_float32
from tinygrad_poly.checking.verdict import floats

CODES: dict[str, tuple[str, str]] = {
    "factor": ("is {ratio} times the true gradient{batch}", "multiply by {inverse}"),
    "sign": ("has the wrong sign", "multiply by -1"),
    "mean-for-sum": ("is 1/{n} of the true gradient{batch}: a mean where the loss has a sum", "np.mean → np.sum"),
    "sum-for-mean": ("is {n} times the true gradient{batch}: a sum where the loss has a mean", "np.sum → np.mean"),
    "missing-chain-factor": ("lacks {where}: the chain rule multiplies by it", "multiply by that slope"),
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
    "wrong-axis": ("is summed over the wrong axes ({key})", "sum over the axes that broadcasting added"),
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

TERMS = {0.0: "missing-term", 2.0: "counted-twice", -1.0: "term-sign"}
"""How often a term is counted."""
_MOST_EDITS = 300


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
    patient.deadline = time.perf_counter() + patient.time_budget
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
            whole = all(map(_right, samples))  # the ones that 1/m has for each element
            code = "missing-chain-factor" if whole else code if code == "missing-chain-factor" else "unclassified"
            numbers = {"where": "the ones of a sum or mean"} if whole else numbers
    name = patient.arguments.paths[patient.arguments.active[number]]
    if code == "factor":
        code, numbers = _factor(patient, number, samples, numbers)
    return Diagnosis(code, name, numbers, sure and any(s.far for s in samples))


def explained(samples: Sequence[h.Sample]) -> tuple[str, dict[str, Any], bool]:
    """The code of the simplest hypothesis that explains all samples, its numbers, and whether no other one does."""
    wrong = [s for s in samples if not _right(s)]
    if not wrong:
        return "unclassified", {}, False
    first = min(wrong, key=lambda s: (not s.far, _off(s)))
    changes = any(not np.allclose(s.true, first.true, 1e-6, 0) for s in samples)
    told = len(samples) > 1 or first.true.size > 2  # every error of a single number is some factor
    if not any(np.any(s.claimed) for s in wrong) and all(s.claimed.shape == s.true.shape for s in wrong):
        return "detached", {}, True
    # Whatever the arguments are, the answer stays; a simple number may be a count of rows.
    still = changes and any(s.far for s in samples)
    still = still and all(len(s.answers) and all(map(np.array_equal, s.answers, first.answers)) for s in samples)
    if still and not h.nice(np.concatenate([np.ravel(g)[:9] for g in first.answers]).astype(float), 1e-7).all():
        return "stale", {}, True
    c = _nice(_ratio(first.claimed, first.true), first)
    if c and (told or c in (-1, 2, -2, 0.5, -0.5, first.batch)) and all(_matches(s, c * s.true) for s in samples):
        numbers = {"c": c, "ratio": _fraction(c), "inverse": _fraction(1 / c), "n": _fraction(abs(c)), "batch": ""}
        return "sign" if c == -1 else "factor", numbers, first.true.size > 1 or changes
    found: dict[str, tuple[int, dict[str, Any]]] = {}
    short = first.in_float32 and first.claimed.shape == first.true.shape and _close(first.claimed, first.true, 1e-5)
    times = first.true.size > 1 and short and _close(first.claimed, c * first.true, 1e-12)  # other points lack it
    if short and not times:
        found["float32"] = 1, {}
    for code, key, candidate in h.simple(first):
        looked = wrong if code in ("stale", "accumulated") else samples
        if code not in found and _matches(first, candidate):
            same = [[G for c, k, G in h.simple(s) if (c, k) == (code, key)] for s in looked]
            if all(G and _matches(s, G[0]) for s, G in zip(looked, same)):
                # What lacks a factor may be another argument's gradient as well: it is, if that one has this one's.
                given = [g for g in first.answers if code == "swapped" and g.shape == first.true.shape]
                other = any(_close(g, first.true, 1e-9) for g in given)
                found[code] = 1 - 2 * other, {"key": key, "shape": first.claimed.shape}
    for deep in (False, True) if first.graph and told else ():
        for edit in itertools.islice(h.edits(first, samples, deep), _MOST_EDITS if not (deep and found) else 0):
            if found.get(edit.code, (9,))[0] > edit.rank and (said := _edited(edit, first, samples)):
                code, numbers = said
                rank = edit.rank if code in TERMS.values() or numbers["c"] == 1 else 2 - (code == "term-factor")
                if rank < found.get(code, (9,))[0]:
                    found[code] = rank, numbers
    if not found:
        return "unclassified", {}, False
    code = min(found, key=lambda code: found[code][0])
    rank, numbers = found[code]
    # A factor left out and a number besides are two mistakes, or another one; of few rows, a term may be all but one.
    sure = (
        rank < 2
        and sum(r < 2 for r, _ in found.values()) == 1
        and (code != "one-row" or max(first.true.shape, default=0) > 3)
    )
    if code in ("counted-twice", "term-factor"):  # the sum of two in the place of their mean is that too
        sure = sure and code == "counted-twice" and not any(2 in shape for shape in first.graph.shapes)
    return code, numbers, sure and not numbers.get("skipped") and (first.true.size > 1 or changes)


def _edited(edit: h.Edit, first: h.Sample, samples: Sequence[h.Sample]) -> tuple[str, dict[str, Any]] | None:
    """The code and the numbers of an edit, if with it the claimed gradient comes out at all samples."""
    c, multiples, skipped = math.nan, set[float](), 0
    for s in (first, *(s for s in samples if s is not first)):
        if s.graph is None:
            skipped += 1
            continue
        try:
            rest, instead = edit.gradients(s.graph)
        except (ValueError, IndexError, KeyError):  # an edit that does not fit there
            return None
        if instead.shape != s.true.shape:
            if instead.size != s.claimed.size or np.abs(rest).max(initial=0.0) > 1e-9 * np.abs(s.true).max(initial=0.0):
                return None
            rest, instead, k = np.zeros(s.claimed.shape), instead.reshape(s.claimed.shape), math.nan
        else:
            gone = s.true - rest
            k = _ratio(instead, gone)
            k = k if _close(instead, k * gone, 1e-9) else math.nan
            if rest.shape != s.claimed.shape or not _ratio(gone, gone):
                return None
        if s is not first and not np.isfinite(instead).all():  # what a factor of 0 was left out of
            skipped += 1
            continue
        multiples.add(round(k, 9))
        if s is first:
            c = _ratio(s.claimed - rest, instead)
            c = _nice(c, s) if abs(c) > 1e-9 else 0.0
        if not _matches(s, rest + c * instead):
            return None
    alike = len(multiples) == 1 and not math.isnan(*multiples)  # a number of times the same at all samples
    if (edit.code and (not c or alike)) or (c == 1 and not edit.code) or skipped > len(samples) - 2 > 0:
        return None
    where = first.graph.name(edit.way)
    numbers = {"key": f"through {where}", "shape": first.claimed.shape, "c": c, "ratio": _fraction(c)}
    lacks = edit.code == "missing-chain-factor"
    where = f"{'a factor of' if edit.rank else 'the slope of'} {where}" if lacks else where
    numbers |= {"inverse": _fraction(1 / c) if c else "", "where": where, "skipped": skipped}
    return edit.code or TERMS.get(c, "term-factor"), numbers


def _off(s: h.Sample) -> float:
    """The distance of the size of the error from that of the gradient: where it is small, a mistake is seen best."""
    if s.claimed.shape != s.true.shape:
        return 0.0
    error, size = (float(np.abs(x).max(initial=0.0)) for x in (s.claimed - s.true, s.true))
    return abs(math.log(error / size)) if error and size and math.isfinite(error / size) else math.inf


def _nice(c: float, s: h.Sample) -> float:
    """A simple fraction in the place of a number that differs from it by rounding."""
    near = h.simple_number(c)
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


def _close(a: Any, b: Any, part: float) -> bool:
    return bool(np.abs(a - b).max(initial=0.0) <= part * np.abs(b).max(initial=0.0))


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
    return s.claimed.shape == s.true.shape and _close(s.claimed, s.true, 64 * s.unit)


def _sample(patient: Any, number: int, arrays: Arrays, before: dict[str, Any]) -> h.Sample:
    a = patient.arguments
    answers = [floats(g) for g in patient.answer(arrays)]
    truth = [np.asarray(floats(D), np.float64) for D in patient.true(patient, arrays)]
    names = [a.paths[i] for i in a.active]
    leaf = a.leaves[a.active[number]]
    s = h.Sample(answers[number], truth[number], before=before)
    s.unit = float(max(np.finfo(leaf.dtype).eps, np.finfo(np.float64).eps))
    s.answers = answers
    s.in_float32 = in_float32(patient, arrays, number, s.claimed)
    s.others = {n: D for k, (n, D) in enumerate(zip(names, truth)) if k != number}
    s.batch, s.end = a.batch(), patient.end
    s.graph = _graph(patient, arrays, number)
    if s.graph:
        _in_wide(patient, number, arrays, s)
    if s.graph and patient.result.shape == leaf.shape and leaf.ndim and leaf.size <= 64:
        units = np.eye(leaf.size).reshape(leaf.size, *leaf.shape)
        each = [s.graph.walk({0: unit * patient.cotangent}) for unit in units]
        s.diagonal = np.array([np.ravel(g)[k] for k, g in enumerate(each)]).reshape(leaf.shape)
    for row in (0, -1) if s.batch and s.batch > 1 else ():
        start = row % s.batch
        one = _cut_truth(patient, number, slice(start, start + 1), arrays)
        if one is not None:
            s.rows |= {row: one, f"{row}, divided by {s.batch}": one / s.batch, f"{row}, times": one * s.batch}
    return s


def _in_wide(patient: Any, number: int, arrays: Arrays, s: h.Sample) -> None:
    """Take the claimed and the true gradient in wide numbers, where they are the same: of those little is rounding."""
    true, exact = s.graph.flow()[len(s.graph.nodes), None][1], s.true
    if not np.abs(true - exact).max(initial=0.0) <= 1e-9 * np.abs(exact).max(initial=0.0):
        s.graph = None  # on tensors it is another function
    if not s.graph or true.dtype != WIDE:
        return
    try:
        claimed = floats(patient.answer(arrays, WIDE)[number])
    except Exception:  # wide numbers are not everyone's
        return
    off = np.abs(s.claimed - exact).max(initial=0.0) if s.claimed.shape == exact.shape else np.inf
    room = max(1e-3 * off, 64 * s.unit * np.abs(claimed).max(initial=0.0))
    if (
        claimed.shape == s.claimed.shape
        and claimed.dtype == WIDE
        and np.abs(claimed - s.claimed).max(initial=0.0) <= room
    ):
        s.claimed, s.true, s.unit = claimed, true, float(np.finfo(WIDE).eps)


def _graph(patient: Any, arrays: Arrays, number: int) -> Any:
    if patient.library == "torch":
        return None
    numpy = patient.library == "numpy"
    for dtype in (WIDE, np.float64):
        graph = h.Graph(numpy)
        try:
            with np.errstate(all="ignore"), graph:
                args, leaves = leaves_on_tape(patient, arrays, dtype)
                for leaf in leaves if numpy else ():
                    h.like_numpy(leaf)
                result = patient.loss(*args)
            cotangent = np.broadcast_to(np.asarray(patient.cotangent, result.dtype), result.shape)
            graph.finish(result.node, cotangent, leaves[number].node)
            return graph
        except Exception:  # whatever does not run on tensors, or not on wide ones
            continue
    return None


def _cut_truth(patient: Any, number: int, rows: slice, arrays: Arrays) -> Any:
    cut = patient.arguments.cut(rows, arrays)
    if cut is None:
        return None
    try:
        return np.asarray(floats(patient.true(patient, cut)[number]), np.float64)
    except Exception:  # a loss whose rows hang together in another way
        return None
