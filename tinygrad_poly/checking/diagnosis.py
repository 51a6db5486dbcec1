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
from tinygrad_poly.checking.patient import WIDE
from tinygrad_poly.checking.recorded import record
from tinygrad_poly.checking.rounding import in_float32
from tinygrad_poly.checking.verdict import floats, largest

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
        "has shape {shape}: a sum over repeated axes is missing",
        "sum over the axes that broadcasting added",
    ),
    "wrong-axis": ("is summed over the wrong axes ({key})", "sum over the axes that broadcasting added"),
    "one-row": ("is the contribution of one row only ({key})", "add up all rows"),
    "repeated-index": ("counts only one use of an element that is used several times", "np.add.at(g, index, v)"),
    "stale": ("is that of an earlier call's arguments", "compute with the arguments given, not with what was kept"),
    "accumulated": ("is added to that of the calls before", "start each call at 0 (zero_grad)"),
    "detached": ("is 0: the way from the loss to the argument is cut", "do not detach or read numbers out on the way"),
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


@np.errstate(all="ignore")
def diagnose(patient: Any, number: int, oracle: str, true_gradients: Any) -> Diagnosis:
    """The diagnosis of the gradient of one of the active leaves."""
    patient.deadline = time.perf_counter() + patient.time_budget

    def truth(p: Any, arrays: Arrays) -> Any:
        return true_gradients(p, arrays, ["tape", oracle]).gradients

    samples = _samples(patient, number, truth)
    code, numbers, sure = explained(samples)
    small = all(s.claimed.shape != s.true.shape and h.broadcasts(s.claimed.shape, s.true.shape) for s in samples)
    if code == "unclassified" and samples and small:
        for s in samples:  # what a factor was left out of may be smaller: 2 in the place of 2 x
            s.claimed = np.broadcast_to(s.claimed, s.true.shape)
        code, numbers, sure = (*explained(samples)[:2], False)
        whole = all(map(_right, samples))  # the ones that 1/m has for each element
        code = "missing-chain-factor" if whole else code if code == "missing-chain-factor" else "unclassified"
        numbers = {"where": "the ones of a sum or mean"} if whole else numbers
    if code == "factor":
        code, numbers = _by_rows(patient, number, truth, numbers["c"])
    name = patient.arguments.paths[patient.arguments.active[number]]
    return Diagnosis(code, name, numbers, sure and any(s.far for s in samples))


@np.errstate(all="ignore")
def explained(samples: Sequence[h.Sample]) -> tuple[str, dict[str, Any], bool]:
    """The code of the simplest hypothesis that explains all samples, its numbers, and whether no other one does."""
    wrong = [s for s in samples if not _right(s)]
    if not wrong:
        return "unclassified", {}, False
    first = min(wrong, key=lambda s: (not s.far, _off(s)))
    changes = any(not np.allclose(s.true, first.true, 1e-6, 0) for s in samples)
    several = first.true.size > 1
    told = len(samples) > 1 or first.true.size > 2  # every error of a single number is some factor
    if all(s.claimed.shape == s.true.shape and largest(s.claimed) <= 64 * s.unit * largest(s.true) for s in wrong):
        gone = not any(np.any(s.claimed) for s in wrong)  # or has it cancelled down to rounding?
        may_be_0 = any(s.graph and s.graph.vanishes for s in samples)
        return "detached" if gone else "unclassified", {}, gone and not may_be_0
    # Whatever the arguments are, the answer stays; a simple number may be a count of rows.
    still = all(len(s.answers) and all(map(np.array_equal, s.answers, first.answers)) for s in samples)
    shown = np.array([x for g in first.answers for x in np.ravel(g)[:9]], float)
    if still and changes and any(s.far for s in samples) and not h.nice(shown, 1e-7).all():
        return "stale", {}, True
    c = h.simple_number(_ratio(first.claimed, first.true), max(1e-11, 64 * first.unit))
    if c and (told or c in (-1, 2, -2, 0.5, -0.5, first.batch)) and all(_matches(s, c * s.true) for s in samples):
        return "sign" if c == -1 else "factor", {"c": c, **_said(c)}, several or changes
    found: dict[str, tuple[int, dict[str, Any]]] = {}
    for key, candidate in h.simple(first):
        looked = wrong if key[0] in ("stale", "accumulated", "float32") else samples
        if key[0] not in found and _matches(first, candidate):
            same = [dict(h.simple(s)).get(key) for s in looked]
            if all(G is not None and _matches(s, G) for s, G in zip(looked, same)):
                # What lacks a factor may be another argument's gradient as well: it is, if that one has this one's.
                given = [g for g in first.answers if key[0] == "swapped" and g.shape == first.true.shape]
                other = any(_close(g, first.true, 1e-9) for g in given)
                found[key[0]] = 1 - 2 * other, {"key": key[1], "shape": first.claimed.shape}
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
    # A term left out of σ = 1 − (1 − σ) is a factor left out as well, whatever it is multiplied by.
    either = {code, "missing-chain-factor"} if code == "missing-term" else {code}
    sure = rank < 2 and not any(r < 2 or other in either for other, (r, _) in found.items() if other != code)
    sure = sure and not numbers.get("skipped") and not still
    # A factor left out and a number besides are two mistakes, or another one; of few rows, a term may be all but one.
    few = code == "one-row" and max(first.true.shape, default=0) <= 3
    # The sum of two in the place of their mean is a term counted twice too.
    mean = code == "counted-twice" and any(2 in shape for shape in first.graph.shapes)
    return code, numbers, sure and not few and not mean and code != "term-factor" and (several or changes)


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
        gone, k = s.true - rest, math.nan
        if instead.shape != s.true.shape:
            if instead.size != s.claimed.size or largest(rest) > 1e-9 * largest(s.true):
                return None
            rest, instead = np.zeros(s.claimed.shape), instead.reshape(s.claimed.shape)
        elif rest.shape != s.claimed.shape or not gone.any():
            return None
        elif _close(instead, _ratio(instead, gone) * gone, 1e-9):
            k = _ratio(instead, gone)
        if s is not first and not np.isfinite(instead).all():  # what a factor of 0 was left out of
            skipped += 1
            continue
        multiples.add(round(k, 9))
        if s is first:
            c = _ratio(s.claimed - rest, instead)
            c = h.simple_number(c, max(1e-11, 64 * s.unit)) if abs(c) > 1e-9 else 0.0
        if not _matches(s, rest + c * instead):
            return None
    alike = len(multiples) == 1 and not math.isnan(*multiples)  # a number of times the same at all samples
    if (edit.code and (not c or alike)) or (c == 1 and not edit.code) or skipped > len(samples) - 2 > 0:
        return None
    where = first.graph.name(edit.way)
    numbers = {"key": f"through {where}", "shape": first.claimed.shape, "c": c, "skipped": skipped, **_said(c)}
    lacks = edit.code == "missing-chain-factor"
    numbers["where"] = f"{'a factor of' if edit.rank else 'the slope of'} {where}" if lacks else where
    return edit.code or TERMS.get(c, "term-factor"), numbers


def _right(s: h.Sample) -> bool:
    return s.claimed.shape == s.true.shape and _close(s.claimed, s.true, 64 * s.unit)


def _off(s: h.Sample) -> float:
    """The distance of the size of the error from that of the gradient: where it is small, a mistake is seen best."""
    if s.claimed.shape != s.true.shape:
        return 0.0
    part = float(largest(s.claimed - s.true) / largest(s.true))
    return abs(math.log(part)) if 0 < part < math.inf and s.claimed.any() else math.inf


def _matches(s: h.Sample, candidate: Any) -> bool:
    """Whether a candidate explains the error of the claimed gradient, all but a thousandth of it."""
    if candidate.shape != s.claimed.shape:
        return False
    size, error = largest(candidate), largest(s.claimed - s.true if s.claimed.shape == s.true.shape else s.claimed)
    rest = largest(s.claimed - candidate)
    return bool(rest <= min(1e-3 * error, 1e-7 * size + 1e-7 * error) + 64 * s.unit * size)


def _close(a: Any, b: Any, part: float) -> bool:
    return bool(largest(a - b) <= part * largest(b))


def _ratio(a: Any, b: Any) -> float:
    """The number of times that a is b, on the whole; 0 where nothing can be said."""
    if np.shape(a) != np.shape(b):
        return 0.0
    weights = b / largest(b)
    c = float(np.sum(a * weights) / np.sum(b * weights))
    return c if math.isfinite(c) else 0.0


def _said(c: float, power: int = 0) -> dict[str, str]:
    """The words for a factor: a number times a power of the number of rows m."""
    inverse = _written(1 / c, -power) if c else ""
    return {"ratio": _written(c, power), "inverse": inverse, "n": "m" if power else _written(abs(c)), "batch": ""}


def _written(c: float, power: int = 0) -> str:
    """A number times a power of m: m/2."""
    near = Fraction(c).limit_denominator(1000)
    n, _, d = (str(near) if abs(float(near) - c) <= 1e-9 * abs(c) else f"{c:.12g}").partition("/")
    top = {"1m": "m", "-1m": "-m"}.get(f"{n}m", f"{n}m") if power > 0 else n
    below = f"{d}m" if power < 0 else d
    return f"{top}/{below}" if below else top


def _by_rows(patient: Any, number: int, truth: Any, c: float) -> tuple[str, dict[str, Any]]:
    """The name of a constant factor: how it depends on the number of rows m, as far as that can be changed."""
    m, arrays = patient.arguments.batch(), patient.arguments.values()
    seen = {m: c} if m else {}
    for rows in (m - 1, max(m - 2, 1)) if m and m > 2 else ():
        true, claimed = (_of_rows(patient, number, slice(rows), arrays, ask) for ask in (truth, type(patient).answer))
        if true is None or claimed is None:
            continue
        if (ratio := _ratio(claimed, true)) and _matches(h.Sample(claimed, true), ratio * true):
            seen[rows] = ratio
    for power in (0, 1, -1) if len(seen) > 1 else ():
        k = [value / rows**power for rows, value in seen.items()]
        if max(k) - min(k) <= 1e-9 * abs(k[0]):
            mean = {1: "sum-for-mean", -1: "mean-for-sum"} if abs(k[0] - 1) < 1e-9 else {}
            told = ", ".join(f"m = {rows}: {_written(value)}" for rows, value in seen.items())
            batch = {"batch": f" ({told})"} if power else {}
            return mean.get(power, "factor"), {"c": c, **_said(k[0], power), **batch}
    held = [x for x in patient.arguments.leaves if isinstance(x, np.ndarray)]
    sizes = {n for x in held for n in (*x.shape, x.size)} - {1, 2}
    for n in sizes if len(seen) < 2 else ():
        if min(abs(c - n), abs(c * n * n - n)) < 1e-9 * n:
            return ("sum-for-mean" if c > 1 else "mean-for-sum"), {"c": c, **_said(c), "n": str(n)}
    return "factor", {"c": c, **_said(c)}


def _samples(patient: Any, number: int, truth: Any) -> list[h.Sample]:
    """The claimed and the true gradient at the point of the check, at others near by, and far off, for other data."""
    points: list[tuple[Any, Arrays]] = [(patient, patient.arguments.values())]
    if callable(patient.claim):
        other = patient.with_other_cotangent()
        points += [(patient, patient.moved()), (other, patient.moved(True)), (other, patient.moved(True, True))]
    found: list[h.Sample] = []
    before: dict[str, Any] = {}
    for k, (asked, arrays) in enumerate(points):
        try:
            s = _sample(asked, number, arrays, truth, before)
        except Exception:  # another point may lie where the functions are not defined
            continue
        s.far = k > 1
        before = {"first": s.true, **before, "last": s.true}
        if np.isfinite(s.true).all() and np.isfinite(s.claimed).all():
            found.append(s)
    return found


def _sample(patient: Any, number: int, arrays: Arrays, truth: Any, before: dict[str, Any]) -> h.Sample:
    a = patient.arguments
    answers = [floats(g) for g in patient.answer(arrays)]
    true = [np.asarray(floats(D), np.float64) for D in truth(patient, arrays)]
    s = h.Sample(answers[number], true[number], answers=answers, batch=a.batch() or 0, end=patient.end)
    leaf, others = a.leaves[a.active[number]], {a.paths[i]: D for i, D in zip(a.active, true)}
    del others[a.paths[a.active[number]]]
    s.unit = float(max(np.finfo(leaf.dtype).eps, np.finfo(np.float64).eps))
    s.graph = record(patient, arrays, number)
    if s.graph:
        _in_wide(patient, number, arrays, s)
    near = answers[number].shape == s.true.shape and _close(answers[number], s.true, 1e-5)
    s.wrong = {("float32", ""): s.claimed} if near and in_float32(patient, arrays, number, answers[number]) else {}
    s.wrong |= {("accumulated", name): s.true + G for name, G in before.items()}
    s.wrong |= {("stale", name): G for name, G in before.items()}
    s.wrong |= {("swapped", name): G for name, G in others.items()}
    if s.graph and patient.result.shape == leaf.shape and leaf.ndim and leaf.size <= 64:
        units = np.eye(leaf.size).reshape(leaf.size, *leaf.shape)
        each = [s.graph.walk({0: unit * patient.cotangent}) for unit in units]
        s.wrong["diagonal-only", "Jacobian"] = np.array([g.flat[k] for k, g in enumerate(each)]).reshape(leaf.shape)
    s.wrong |= {("transposed", f"those of {name}"): G.T for name, G in others.items()}
    for row in (0, s.batch - 1) if s.batch > 1 else ():
        one = _of_rows(patient, number, slice(row, row + 1), arrays, truth)
        for said, k in (("", 1.0), (", divided by m", 1 / s.batch), (", times m", s.batch)) if one is not None else ():
            s.wrong["one-row", f"row {row} of the data{said}"] = one * k
    return s


def _in_wide(patient: Any, number: int, arrays: Arrays, s: h.Sample) -> None:
    """Take the claimed and the true gradient in wide numbers, where they are the same: of those little is rounding."""
    true: Any = s.graph.true
    if not _close(true, s.true, 1e-9):
        s.graph = None  # on tensors it is another function
    if not s.graph or true.dtype != WIDE:
        return
    try:
        claimed = floats(patient.answer(arrays, WIDE)[number])
    except Exception:  # wide numbers are not everyone's
        return
    off = largest(s.claimed - s.true) if s.claimed.shape == s.true.shape else np.inf
    room = max(1e-3 * off, 64 * s.unit * largest(claimed))
    if claimed.shape == s.claimed.shape and claimed.dtype == WIDE and largest(claimed - s.claimed) <= room:
        s.claimed, s.true, s.unit = claimed, true, float(np.finfo(WIDE).eps)


def _of_rows(patient: Any, number: int, rows: slice, arrays: Arrays, ask: Any) -> Any:
    """A gradient by some rows of the data alone; None where there are none, or they hang together in another way."""
    cut = patient.arguments.cut(rows, arrays)
    try:
        return None if cut is None else np.asarray(floats(ask(patient, cut)[number]), np.float64)
    except Exception:  # whatever the user's functions raise at other sizes
        return None
