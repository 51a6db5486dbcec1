"""Comparisons of a claimed gradient with the true one, and how far apart rounding may put the two."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np

from tinygrad_poly.checking.arguments import Arrays
from tinygrad_poly.checking.lines import along_lines, finely, slope_of
from tinygrad_poly.checking.oracles import Truth
from tinygrad_poly.checking.patient import WIDE, Patient
from tinygrad_poly.checking.verdict import FAIL_FROM, Finding, difference, floats, judge, largest, wide

_NEVER = 2.0**-1068
"""No float is so small that a difference of this size would show in it."""


def compared(patient: Patient, arrays: Arrays, claimed: list[Any], truth: Truth) -> list[Finding]:
    """A finding for each active leaf: by formula where both functions run in exact arithmetic, else by the floats.

    What the floats leave open, or call wrong, is decided by the formula in high precision, if it runs there.
    """
    by_differences = truth.oracle == "finite differences"
    computed = _of_floats(patient, arrays, claimed, truth)
    unsure = any(f.verdict != "pass" and f.reason not in ("shape", "empty", "domain") for f in computed)
    found = _of_formulas(patient, arrays, truth, computed) if truth.numbers is not None or unsure else None
    found = found or list(computed)
    for k, (i, f) in enumerate(zip(patient.arguments.active, found)):
        if by_differences and f.verdict == "fail" and not f.reason:
            found[k] = f = _second_look(patient, arrays, i, f)
        if f.verdict == "pass" and _digits_lost(patient, arrays, k, computed[k], truth.errors[k]):
            found[k] = f = replace(computed[k], verdict="fail", reason="digits")
        if by_differences and f.reason == "domain" and np.isnan(floats(f.true)).any():
            (found[k],) = along_lines(patient, arrays, {i: f.claimed}, patient.late)
        elif truth.kink and f.reason not in ("shape", "empty") and _at_kink(patient, arrays, i, f):
            f.verdict, f.reason = "inconclusive", "kink"
    return found


def _of_floats(patient: Patient, arrays: Arrays, claimed: list[Any], truth: Truth) -> list[Finding]:
    """The findings of a gradient that was computed in floats. How far rounding moved it is measured.

    By computing it again in wider numbers, and at arguments moved by a rounding. A lone array, that cannot be computed
    again, is given the bound of sums of all its data. A gradient so small that the loss does not change by a rounding
    when the argument moves by its own size is not called wrong: 1 − tanh(30)² is 0 in floats.
    """
    a, given = patient.arguments, patient.point(arrays)
    units = [float(np.finfo(a.leaves[i].dtype).eps) / 2 for i in a.active]
    draw = np.random.default_rng(patient.seed + 1).uniform
    near = {i: np.asarray(x * (1 + 2 * max(units) * draw(-1, 1, x.shape)), x.dtype) for i, x in given.items()}
    wider = np.float64 if max(units) > 1e-12 else patient.dtype if patient.library == "numpy" else WIDE
    again = [(near, None)] + [(arrays, wider)] * (wider is not np.float64 or max(units) > 1e-12)
    others = []
    for moved, dtype in again if callable(patient.claim) else ():
        with suppress(Exception):  # wide numbers are not everyone's
            others.append(patient.answer(moved, dtype))
    terms = 0 if others else sum(x.size for x in given.values())
    # Without wide numbers, one that is moved little by chance may be as far off as the others.
    narrow = len(others) == 1
    found = []
    for k, (i, g, D, E) in enumerate(zip(a.active, claimed, truth.gradients, truth.errors)):
        true = np.abs(floats(D)).astype(WIDE)
        E = E + units[k] * (8 * true + (2 + terms) * true.max(initial=0.0))
        E = E + 64 * float(np.finfo(a.leaves[i].dtype).smallest_subnormal)
        for other in others:
            if np.shape(other[k]) == np.shape(g) == E.shape:
                gap = difference(floats(other[k]), floats(g))
                gap = np.where(np.isfinite(gap), gap, 0.0)
                E = E + 4 * (np.maximum(gap, gap.max(initial=0.0)) if narrow else gap)
        found.append(judge(Finding(a.paths[i], g, D, E)))
    return _seen(patient, arrays, found, units)


def _seen(patient: Patient, arrays: Arrays, found: list[Finding], units: list[float]) -> list[Finding]:
    """The findings, where a gradient is called wrong only if it is large enough for the loss to notice in floats."""
    if any(f.verdict == "fail" and not f.reason for f in found):
        # The numbers inside of a loss may be larger than the loss: log(1) is 0.
        height = max(1.0, float(np.nan_to_num(np.abs(patient.terms(arrays, patient.result.dtype)).sum(), posinf=0.0)))
        for f, i, unit in zip(found, patient.arguments.active, units):
            f.unseen = 2 * unit * height / np.maximum(np.abs(floats(arrays[i])), 1.0)
            judge(f)
    return found


def _of_formulas(patient: Patient, arrays: Arrays, truth: Truth, computed: list[Finding]) -> list[Finding] | None:
    """The findings of a gradient without its rounding: beside an exact one it is equal, or not.

    Constants that were rounded when they were written down, such as 1/3, put the two as far apart as roundings of the
    arguments to float64 would.
    """
    exact, digits = truth.numbers, 0 if truth.oracle == "exact" else patient.digits
    if exact is None:
        patient.prolong()
    formula = patient.formula(arrays, digits)
    if formula is None:
        return None
    claimed, rounded = formula
    most = max(largest(floats(D)) for D in truth.gradients)
    found = []
    for i, f, g, D, E in zip(patient.arguments.active, computed, claimed, truth.gradients, truth.errors):
        allowed = patient.lost(D, digits) + (_NEVER if digits else 0.0)
        if digits and largest(floats(D)) <= allowed.max(initial=0.0) <= 1e-60 * most:
            # Such as the gradient of a bias before a batch normalization, which no number of digits tells from 0.
            D = np.asarray(D * 0, D.dtype)
        if exact is None:
            true = np.abs(floats(D)).astype(WIDE)
            g, allowed = wide(g), allowed + E + 2.0**-50 * (true + true.max(initial=0.0))
        judged = judge(Finding(f.name, g, D, allowed, exact=exact is not None))
        if judged.verdict != "pass" and (rounded or (exact is not None and exact.rounded)):
            part = 2.0**-52 / float(np.finfo(patient.arguments.leaves[i].dtype).eps)
            judged = judge(replace(judged, allowed=allowed + part * f.allowed))
        found.append(judged)
    # What a tape in floats calls 0, a formula may know better.
    return _seen(patient, arrays, found, [2.0**-53] * len(found)) if truth.oracle == "tape" else found


def _second_look(patient: Patient, arrays: Arrays, leaf: int, finding: Finding) -> Finding:
    """The finding when the numbers that are most wrong have been differentiated once more, each with its own noise."""
    D, E = np.array(finding.true), np.array(finding.allowed)
    ratio = np.nan_to_num(difference(finding.claimed, D) / E)
    patient.prolong()
    for n, k in enumerate(np.argsort(-ratio, axis=None)):
        at = np.unravel_index(k, D.shape)
        if ratio[at] <= FAIL_FROM:
            break
        s = n < 20 and (finely(patient, arrays, leaf, at) or slope_of(patient, arrays, leaf, at))
        D[at], E[at] = (s.value, max(E[at], s.error + 2.0**-48 * abs(s.value))) if s else (D[at], np.inf)
        if difference(finding.claimed[at], D[at]) > FAIL_FROM * E[at]:  # one that is wrong is enough
            break
    return judge(replace(finding, true=D, allowed=E))


def _at_kink(patient: Patient, arrays: Arrays, leaf: int, finding: Finding) -> bool:
    """Whether each wrong number lies between the slopes to the left and to the right; or whether there is a kink."""
    wrong = np.argwhere(difference(finding.claimed, finding.true) > finding.allowed)
    if not len(wrong):
        unsure = finding.verdict == "pass" or finding.reason == "noise"
        return unsure and along_lines(patient, arrays, {leaf: finding.claimed}, False, 1)[0].reason == "kink"
    for at in map(tuple, wrong[:50]):
        s = slope_of(patient, arrays, leaf, at)
        room = 1e-6 * max(abs(s.left), abs(s.right))
        if not (s.kink and min(s.left, s.right) - room <= floats(finding.claimed)[at] <= max(s.left, s.right) + room):
            return False
        if patient.late:
            break
    return True


def _digits_lost(patient: Patient, arrays: Arrays, number: int, finding: Finding, error: Any) -> bool:
    """Whether a gradient, whose formula is right, was computed in float32 where float64 was meant.

    That is: its numbers are float32's, and run in float32 as a whole it gives numbers near by. What has come out of a
    cancellation may be as short, but in float32 nothing of it would be left.
    """
    g, true = finding.claimed, np.abs(floats(finding.true))
    gap, size = difference(g, finding.true), true.max()
    told = (gap > 2.0**-46 * (true + size) + FAIL_FROM * error).any()
    if not (callable(patient.claim) and told and in_float32(patient, arrays, number, g)):
        return False
    try:
        narrow = patient.answer(arrays, np.float32)[number]
    except Exception:  # float32 is not everyone's
        return False
    lost = bool(np.abs(narrow - g).max() <= 2.0**-12 * size and gap.max() <= size)  # of 0 there is only noise left
    if lost and not g.any():  # or has it cancelled down to nothing, as it does in floats of any kind?
        given = patient.formula(arrays, 16)
        gap = difference(floats(given[0][number]), floats(finding.true)) if given else np.inf
        lost = bool(((true > 1e-300) & (gap <= 1e-3 * true)).any())
    return lost


def in_float32(patient: Patient, arrays: Arrays, number: int, claimed: Any) -> bool:
    """Whether a gradient of float64 arguments has float32's digits, or only those of its arguments matter to it."""
    a, g = patient.arguments, claimed
    if a.leaves[a.active[number]].dtype != np.float64:
        return False
    if g.dtype == np.float32 or (g.any() and np.array_equal(g, g.astype(np.float32))):
        return True
    rounded, given = _in_float32(patient, arrays), patient.point(arrays)
    told = callable(patient.claim) and any(not np.array_equal(x, given[i]) for i, x in rounded.items())
    return told and bool(np.array_equal(patient.answer(rounded)[number], g))


def _in_float32(patient: Patient, arrays: Arrays) -> Arrays:
    """All floating arguments, rounded to float32."""
    return {i: x.astype(np.float32).astype(x.dtype) for i, x in patient.point(arrays).items()}
