"""Comparisons of a claimed gradient with the true one, and how far apart rounding may put the two."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from tinygrad_poly.checking import oracles
from tinygrad_poly.checking.arguments import Arrays, floating
from tinygrad_poly.checking.lines import along_lines
from tinygrad_poly.checking.oracles import WIDE, NoOracleError, Truth
from tinygrad_poly.checking.patient import Patient
from tinygrad_poly.checking.scalars import Field, NotRationalError
from tinygrad_poly.checking.verdict import FAIL_FROM, Finding, difference, floats, judge, wide

_NEVER = 1e-322
"""No float is so small that a difference of this size would show in it."""


def compared(patient: Patient, arrays: Arrays, claimed: list[Any], truth: Truth) -> list[Finding]:
    """A finding for each active leaf: by formula where both functions run in exact arithmetic, else by the floats.

    What the floats leave open, or call wrong, is decided by the formula in high precision, if it runs there.
    """
    found = _of_floats(patient, arrays, claimed, truth)
    unsure = any(f.verdict != "pass" and f.reason not in ("shape", "empty", "domain") for f in found)
    formulas = None
    if truth.numbers is not None or unsure:
        formulas = _of_formulas(patient, arrays, truth)
    judged = found if formulas is None else formulas
    if truth.oracle == "finite differences":
        judged = [_second_look(patient, arrays, i, f) for i, f in zip(patient.arguments.active, judged)]
    found = _digits_lost(patient, arrays, truth, judged, found)
    for k, (i, f) in enumerate(zip(patient.arguments.active, found)):
        if truth.oracle == "finite differences" and f.reason == "domain" and np.isnan(floats(f.true)).any():
            (found[k],) = along_lines(patient, arrays, {i: f.claimed}, patient.late)
    return [_at_kinks(patient, arrays, i, f, truth) for i, f in zip(patient.arguments.active, found)]


def _digits_lost(
    patient: Patient, arrays: Arrays, truth: Truth, found: list[Finding], of_floats: list[Finding]
) -> list[Finding]:
    """The findings, failed where the formula is right, but was computed in float32 where float64 was meant.

    That is: run in float32 as a whole it gives the same numbers, or numbers near by that are float32's as well. What
    has come out of a cancellation may be as short, but in float32 nothing of it would be left.
    """
    result = list(found)
    for k, (right, computed, E) in enumerate(zip(found, of_floats, truth.errors)):
        g, true = computed.claimed, np.abs(floats(computed.true))
        if right.verdict != "pass" or not callable(patient.claim):
            continue
        gap, size = difference(g, computed.true), true.max()
        told = (gap > 2.0**-46 * (true + size) + FAIL_FROM * np.asarray(E, WIDE)).any()
        if not (told and in_float32(patient, arrays, k, g)):
            continue
        try:
            narrow = patient.answer(arrays, np.float32)[k]
        except Exception:  # float32 is not everyone's
            continue
        if g.any():
            near = np.mean(gap <= 2.0**-22 * true) > 0.75 and gap.max() <= 2.0**-20 * size
            near = near and np.abs(narrow - g).max() <= 2.0**-12 * size
            lost = near or np.array_equal(narrow, g)
        else:  # are the arguments too small for float32, or has it cancelled down to nothing?
            digits = 8 * oracles.first_digits(patient.arguments)  # enough for whatever a float can hold
            given = patient.formula(_in_float32(patient, arrays), digits, Field())
            lost = not narrow.any() and given is not None and (np.abs(floats(given[k])) <= 2.0**-20 * true).all()
        if lost:
            computed.verdict, computed.reason = "fail", "digits"
            result[k] = computed
    return result


def in_float32(patient: Patient, arrays: Arrays, number: int, claimed: Any) -> bool:
    """Whether a gradient of float64 arguments has float32's digits, or only those of its arguments matter to it."""
    a, g = patient.arguments, claimed
    if a.leaves[a.active[number]].dtype != np.float64:
        return False
    if g.dtype == np.float32 or (g.any() and np.array_equal(g, g.astype(np.float32))):
        return True
    if not callable(patient.claim):
        return False
    rounded = _in_float32(patient, arrays)
    told = any(not np.array_equal(x, arrays.get(i, patient.arguments.leaves[i])) for i, x in rounded.items())
    return told and bool(np.array_equal(patient.answer(rounded)[number], g))


def _in_float32(patient: Patient, arrays: Arrays) -> Arrays:
    """All floating arguments, rounded to float32."""
    given = {i: x for i, x in enumerate(patient.arguments.leaves) if floating(x)} | arrays
    return {i: x.astype(np.float32).astype(x.dtype) for i, x in given.items()}


def _of_formulas(patient: Patient, arrays: Arrays, truth: Truth) -> list[Finding] | None:
    """The findings of a gradient without its rounding: beside an exact one it is equal, or not.

    In high precision, what cancels, such as 1 − σ(x), loses digits of numbers as large as the arguments' cubes: where
    that leaves nothing certain, more digits do. And a constant that was rounded when it was written down, such as 1/3,
    moves both gradients: how far is found out by moving it.
    """
    exact, size = truth.numbers, oracles.extent(patient.arguments)
    field = Field() if exact is None else exact
    digits = oracles.first_digits(patient.arguments) if exact is None else int(field.mp.dps) if field.mp else 0
    if exact is None:
        patient.deadline = max(patient.deadline, time.perf_counter() + patient.time_budget)
    formula = patient.formula(arrays, digits, field)
    if formula is None:
        return None
    trues, moved = truth.gradients, [np.zeros(D.shape) for D in truth.gradients]

    def lost(D: Any) -> Any:
        true = np.abs(floats(D)).astype(WIDE)
        return 10.0 ** min(3 * size - 0.8 * digits, 300.0) + 10.0 ** (-digits / 2) * true if digits else 0 * true

    def vague(D: Any) -> bool:
        return D.size > 0 and bool(lost(D).max() > (1e-12 * np.abs(floats(D)).max() or 1e-60))

    while 0 < digits < 500 and any(map(vague, trues)):
        digits *= 4
        try:
            finer = oracles.exactly(patient.function, arrays, Field(digits, patient.deadline)) if exact else truth
        except NoOracleError:
            break
        again = patient.formula(arrays, digits, field)
        if again is None:
            break
        trues, formula = finer.gradients, again
    truth.gradients = trues

    def judged() -> list[Finding]:
        found = []
        for k, (i, g, D, E) in enumerate(zip(patient.arguments.active, formula, trues, truth.errors)):
            allowed = lost(D) + _NEVER * (digits > 0) + moved[k]
            if exact is None:
                true = np.abs(floats(D)).astype(WIDE)
                g, allowed = wide(g), allowed + E + 2.0**-50 * (true + true.max(initial=0.0)) + 2.0**-1068
            found.append(judge(Finding(patient.arguments.paths[i], g, D, allowed, exact=exact is not None)))
        return found

    found = judged()
    if field.rounded + field.in_floats and any(f.verdict != "pass" and f.reason != "shape" for f in found):
        # Two roundings more or less of the answer itself, and of what it is a sum of.
        moved = [2.0**-49 * np.abs(floats(D)) for D in trues]
        patient.deadline += patient.time_budget
        for k in range(3):
            other = Field(digits, patient.deadline, jitter := 2.0**-54 * (1 + k))
            try:
                near = oracles.exactly(patient.function, arrays, other).gradients if exact else trues
                again = patient.formula(arrays, digits, other, 1.5 * jitter)
            except (NoOracleError, NotRationalError):
                again = None
            if again is None:
                sizes = [np.abs(floats(D)).max(initial=0.0) for D in trues]
                moved = [np.maximum(m, 2.0**-36 * size) for m, size in zip(moved, sizes)] if not k else moved
                break
            for n, (g, D, g1, D1) in enumerate(zip(formula, trues, again, near)):
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
    wider = np.float64 if max(units) > 1e-12 else patient.function.dtype if patient.library == "numpy" else WIDE
    again = [(near, None)] + [(arrays, wider)] * (wider is not np.float64 or max(units) > 1e-12)
    for moved, dtype in again if callable(patient.claim) else ():
        try:
            others.append(patient.answer(moved, dtype))
        except Exception:  # wide numbers are not everyone's
            continue
    terms = 0 if others else sum(x.size for x in given.values())
    narrow = (
        len(others) == 1
    )  # without wide numbers, one that is moved little by chance may be as far off as the others
    found = []
    for k, (i, g, D, E) in enumerate(zip(a.active, claimed, truth.gradients, truth.errors)):
        true = np.abs(floats(D)).astype(WIDE)
        E = np.asarray(E, WIDE) + units[k] * (8 * true + (2 + terms) * true.max(initial=0.0))
        E = E + 64 * float(np.finfo(a.leaves[i].dtype).smallest_subnormal)
        for other in others:
            if np.shape(other[k]) == np.shape(g) == E.shape:
                gap = difference(floats(other[k]), floats(g))
                gap = np.where(np.isfinite(gap), gap, 0.0)
                E = E + 4 * (np.maximum(gap, gap.max(initial=0.0)) if narrow else gap)
        found.append(judge(Finding(a.paths[i], g, D, E)))
    if any(f.verdict == "fail" and not f.reason for f in found):
        height = float(np.nan_to_num(np.abs(patient.function.terms(arrays, patient.result.dtype)).sum(), posinf=0.0))
        if height < 1 and not _homogeneous(patient, given):
            height = 1.0  # the numbers inside of a loss may be larger than the loss: log(1) is 0
        for f, i, unit in zip(found, a.active, units):
            f.unseen = 2 * unit * height / np.maximum(np.abs(floats(arrays[i])), 1.0)
            judge(f)
    return found


def _homogeneous(patient: Patient, given: Arrays) -> bool:
    """Whether the loss of twice the arguments is a power of two times the loss: no number is added to them inside."""
    f = patient.function
    once, twice = (np.frexp(f.number({i: k * x for i, x in given.items()}, np.float64)) for k in (1, 2))
    return bool(once[0] == twice[0] and once[1] != twice[1])


def _second_look(patient: Patient, arrays: Arrays, leaf: int, finding: Finding) -> Finding:
    """The finding when the numbers that are most wrong have been differentiated once more, each with its own noise."""
    if finding.verdict != "fail" or finding.reason:
        return finding
    D, E = np.array(finding.true), np.array(finding.allowed)
    with np.errstate(all="ignore"):
        ratio = np.nan_to_num(difference(finding.claimed, D) / E)
    patient.deadline = max(patient.deadline, time.perf_counter() + patient.time_budget)
    for n, k in enumerate(np.argsort(-ratio, axis=None)):
        at = np.unravel_index(k, D.shape)
        if ratio[at] <= FAIL_FROM:
            break
        s = n < 20 and (
            oracles.finely(patient.function, arrays, leaf, at, patient.deadline)
            or oracles.slope_of(patient.function, arrays, leaf, at)
        )
        D[at], E[at] = (s.value, max(E[at], s.error + 2.0**-48 * abs(s.value))) if s else (D[at], np.inf)
        if difference(finding.claimed[at], D[at]) > FAIL_FROM * E[at]:  # one that is wrong is enough
            break
    return judge(Finding(finding.name, finding.claimed, D, E, unseen=finding.unseen))


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
    unsure = (finding.verdict == "pass" or finding.reason == "noise") and not len(wrong)
    if kinks == len(wrong) > 0 or (
        unsure and oracles.along_direction(patient.function, arrays, patient.direction(arrays)).kink
    ):
        finding.verdict, finding.reason = "inconclusive", "kink"
    return finding
