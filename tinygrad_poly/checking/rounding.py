"""Comparisons of a claimed gradient with the true one, and how far apart rounding may put the two."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_poly.checking import oracles
from tinygrad_poly.checking.arguments import Arrays, floating
from tinygrad_poly.checking.lines import along_lines
from tinygrad_poly.checking.oracles import WIDE, NoOracleError, Truth
from tinygrad_poly.checking.patient import Patient
from tinygrad_poly.checking.scalars import Field, NotRationalError
from tinygrad_poly.checking.verdict import Finding, difference, floats, judge

_DIGITS = 50
_NEVER = 1e-322
"""No float is so small that a difference of this size would show in it."""


def compared(patient: Patient, arrays: Arrays, claimed: list[Any], truth: Truth) -> list[Finding]:
    """A finding for each active leaf: by formula where both functions run in exact arithmetic, else by the floats."""
    field = truth.numbers
    formula = patient.formula(arrays, _digits(field), field) if field is not None else None
    if formula is None:
        found = _of_floats(patient, arrays, claimed, truth)
    else:
        found = _of_formulas(patient, arrays, formula, truth)
        _digits_lost(patient, arrays, found, _of_floats(patient, arrays, claimed, truth))
    for k, (i, f) in enumerate(zip(patient.arguments.active, found)):
        if truth.oracle == "finite differences" and f.reason == "domain" and np.isnan(floats(f.true)).any():
            (found[k],) = along_lines(patient, arrays, {i: f.claimed}, patient.late)
    return [_at_kinks(patient, arrays, i, f, truth) for i, f in zip(patient.arguments.active, found)]


def _digits_lost(patient: Patient, arrays: Arrays, found: list[Finding], of_floats: list[Finding]) -> None:
    """Fail a formula that is right, but was computed in float32 where float64 was meant."""
    for k, (exact, computed) in enumerate(zip(found, of_floats)):
        lost = exact.verdict == "pass" and 1e-10 < computed.worst < 1e-5
        # What has come out of a cancellation is short too, but then the loss hardly depends on it.
        true = np.abs(floats(computed.true))
        seen = true.max(initial=0.0) > 1e10 * np.max(computed.unseen, initial=0.0)
        if not (lost and true.size):
            continue
        gap = difference(computed.claimed, computed.true)
        near = seen and np.mean(gap <= 2.0**-22 * true) > 0.75 and gap.max() <= 2.0**-20 * true.max()
        if (near or computed.verdict == "fail") and in_float32(patient, arrays, k, computed.claimed):
            computed.verdict, computed.reason = "fail", "digits"
            found[k] = computed


def in_float32(patient: Patient, arrays: Arrays, number: int, claimed: Any) -> bool:
    """Whether a gradient of float64 arguments has float32's digits, or only those of its arguments matter to it."""
    a, g = patient.arguments, claimed
    if a.leaves[a.active[number]].dtype != np.float64:
        return False
    if g.dtype == np.float32 or (g.any() and np.array_equal(g, g.astype(np.float32))):
        return True
    if not callable(patient.claim):
        return False
    given = {i: x for i, x in enumerate(a.leaves) if floating(x)} | arrays
    rounded = {i: x.astype(np.float32).astype(x.dtype) for i, x in given.items()}
    told = any(not np.array_equal(x, given[i]) for i, x in rounded.items())
    return told and bool(np.array_equal(patient.answer(rounded)[number], g))


def first_digits(patient: Patient) -> int:
    """The digits to begin with: more for arguments of very different sizes."""
    return _DIGITS + 2 * int(extent(patient))


def extent(patient: Patient) -> float:
    """The power of ten that the largest argument has, or one over the smallest."""
    held = [x for x in patient.arguments.leaves if floating(x)]
    return float(max((np.abs(np.log10(np.abs(x[x != 0]))).max(initial=0.0) for x in held), default=0.0))


def _digits(field: Field) -> int:
    return int(field.mp.dps) if field.mp else 0


def _of_formulas(patient: Patient, arrays: Arrays, formula: list[Any], truth: Truth) -> list[Finding]:
    """The findings of two exact gradients: equal, or not.

    In high precision, what cancels, such as 1 − σ(x), loses digits of numbers as large as the arguments' cubes: where
    that leaves nothing certain, more digits do. And a constant that was rounded when it was written down, such as 1/3,
    moves both gradients: how far is found out by moving it.
    """
    field = truth.numbers
    assert field is not None
    digits, size = _digits(field), extent(patient)

    def judged() -> list[Finding]:
        found = []
        for k, (i, g, D) in enumerate(zip(patient.arguments.active, formula, truth.gradients)):
            true = np.abs(floats(D))
            lost = 10.0 ** min(3 * size - 0.8 * digits, 300.0) + 10.0 ** (-digits / 2) * true + _NEVER
            allowed = (lost if digits else np.zeros(D.shape)) + moved[k]
            found.append(judge(Finding(patient.arguments.paths[i], g, D, allowed, exact=True)))
        return found

    moved = [np.zeros(D.shape) for D in truth.gradients]
    found = judged()
    while 0 < digits < 500 and any(f.reason == "noise" for f in found):
        digits *= 4
        try:
            finer = oracles.exactly(patient.function, arrays, Field(digits, patient.deadline))
        except NoOracleError:
            break
        again = patient.formula(arrays, digits, field)
        if again is None:
            break
        truth.gradients, formula = finer.gradients, again
        found = judged()
    if field.rounded + field.in_floats and any(f.verdict != "pass" and f.reason != "shape" for f in found):
        # Two roundings more or less of the answer itself, and of what it is a sum of.
        moved = [2.0**-49 * np.abs(floats(D)) for D in truth.gradients]
        patient.deadline += patient.time_budget
        for k in range(3):
            other = Field(digits, patient.deadline, jitter := 2.0**-54 * (1 + k))
            try:
                near = oracles.exactly(patient.function, arrays, other).gradients
                again = patient.formula(arrays, digits, other, 1.5 * jitter)
            except (NoOracleError, NotRationalError):
                again = None
            if again is None:
                sizes = [np.abs(floats(D)).max(initial=0.0) for D in truth.gradients]
                moved = [np.maximum(m, 2.0**-36 * size) for m, size in zip(moved, sizes)] if not k else moved
                break
            for n, (g, D, g1, D1) in enumerate(zip(formula, truth.gradients, again, near)):
                if g.shape == D.shape:
                    gap = difference(np.asarray(g1 - g, object), np.asarray(D1 - D, object))
                    moved[n] = np.maximum(moved[n], 8 * gap)
        found = judged()
    return found


def _of_floats(patient: Patient, arrays: Arrays, claimed: list[Any], truth: Truth) -> list[Finding]:
    """The findings of a gradient that was computed in floats. How far rounding moved it is measured.

    By computing it again in wider numbers, and at arguments moved by a rounding. A lone array, that cannot be computed
    again, is given the bound of sums of all its data. A gradient so small that the loss does not change by a rounding
    when the argument moves by its own size is not called wrong: 1 − tanh(30)² is 0 in floats.
    """
    a = patient.arguments
    units = [float(np.finfo(a.leaves[i].dtype).eps) / 2 for i in a.active]
    others = []
    wiggle = np.random.default_rng(patient.seed + 1)
    given = {i: x for i, x in enumerate(a.leaves) if floating(x)} | arrays
    near = {i: np.asarray(x * (1 + 2 * max(units) * wiggle.uniform(-1, 1, x.shape)), x.dtype) for i, x in given.items()}
    wide = np.float64 if max(units) > 1e-12 else patient.function.dtype if patient.library == "numpy" else WIDE
    again = [(near, None)] + [(arrays, wide)] * (wide is not np.float64 or max(units) > 1e-12)
    for moved, dtype in again if callable(patient.claim) else ():
        try:
            others.append(patient.answer(moved, dtype))
        except Exception:  # wide numbers are not everyone's
            continue
    with np.errstate(all="ignore"):
        height = float(np.nan_to_num(np.sum(np.abs(patient.result * patient.cotangent), dtype=WIDE), posinf=0.0))
        height = max(height, 1.0)  # the numbers inside of a loss may be larger than the loss: log(1) is 0
    terms = 0 if others else sum(x.size for x in given.values())
    found = []
    for k, (i, g, D, E) in enumerate(zip(a.active, claimed, truth.gradients, truth.errors)):
        true = np.abs(floats(D)).astype(WIDE)
        E = np.asarray(E, WIDE) + units[k] * (8 * true + (2 + terms) * true.max(initial=0.0))
        E = E + 64 * float(np.finfo(a.leaves[i].dtype).smallest_subnormal)
        for other in others:
            if np.shape(other[k]) == np.shape(g) == E.shape:
                gap = difference(floats(other[k]), floats(g))
                E = E + 4 * np.where(np.isfinite(gap), gap, 0.0)
        unseen = 2 * units[k] * height / np.maximum(np.abs(floats(arrays[i])), 1.0)
        found.append(judge(Finding(a.paths[i], g, D, E, unseen=unseen)))
    return found


def _at_kinks(patient: Patient, arrays: Arrays, leaf: int, finding: Finding, truth: Truth) -> Finding:
    """The finding, inconclusive where each wrong number lies between the slopes to the left and to the right."""
    if not truth.kink or finding.along or finding.reason in ("shape", "empty"):
        return finding
    true, claimed = floats(finding.true), floats(finding.claimed)
    wrong = np.argwhere(difference(finding.claimed, finding.true) > finding.allowed)
    kinks = 0
    for n, at in enumerate(map(tuple, wrong[:50])):
        if n and patient.late:
            wrong = wrong[:n]
            break
        s = oracles.slope_of(patient.function, arrays, leaf, at)
        room = 1e-6 * max(abs(s.left), abs(s.right), abs(true[at]))
        kinks += s.kink and min(s.left, s.right) - room <= claimed[at] <= max(s.left, s.right) + room
    unsure = finding.verdict == "pass" and not len(wrong)
    if kinks == len(wrong) > 0 or (
        unsure and oracles.along_direction(patient.function, arrays, patient.direction(arrays)).kink
    ):
        finding.verdict, finding.reason = "inconclusive", "kink"
    return finding
