"""Lines: the slopes of the patient's function along directions, and a gradient beside those along random ones."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from tinygrad_poly.checking.arguments import Arrays
from tinygrad_poly.checking.differences import Slope, scales, slope
from tinygrad_poly.checking.patient import Patient
from tinygrad_poly.checking.scalars import Field
from tinygrad_poly.checking.verdict import FAIL_FROM, WEAKEST, Finding, floats, judge

LINES = 3
"""Two errors cancel along one line by chance, and hardly along three."""
CALLS = 25
"""How often the loss is called for a line, its noise included."""
_TINY = 1e-300
_STRONG = 1e-10
"""Numbers are not looked at one by one where the lines would have seen a relative error of this size in each."""


def along_direction(
    patient: Patient, arrays: Arrays, direction: Arrays, scale: float = 1.0, noise: float | None = None,
    far: float = 0.0,
) -> Slope:  # fmt: skip
    """The derivative along a direction, of the active leaves in it at once."""
    dtype = patient.dtype

    def along(h: float) -> float:
        if not h and patient.middle[0] is arrays:
            return patient.middle[1]
        try:
            moved = {i: arrays[i].astype(dtype) + h * d for i, d in direction.items()}
            y = patient.number({**arrays, **moved}, dtype)
        except (ValueError, ArithmeticError):  # outside of the domain
            y = np.nan
        if not h:
            patient.middle = arrays, y
        return y

    return slope(along, scale, float(np.finfo(dtype).eps), noise, far)


def slope_of(patient: Patient, arrays: Arrays, leaf: int, at: Any, noise: float | None = None) -> Slope:
    """The derivative by one number."""
    unit = np.zeros(arrays[leaf].shape)
    unit[at] = 1.0
    far = max(float(scales(x).max(initial=0.125)) for x in arrays.values())
    return along_direction(patient, arrays, {leaf: unit}, float(scales(arrays[leaf])[at]), noise, far)


def finely(patient: Patient, arrays: Arrays, leaf: int, at: Any) -> Slope | None:
    """The derivative by one number, from differences in high precision; None where the function does not run there.

    With a fifth of the digits for the step, it is as good as a derivative: its error is what a larger step changes, and
    what numbers as large as the arguments' squares leave over when they cancel.
    """
    if patient.library != "numpy":
        return None
    x, digits = arrays[leaf].astype(object), patient.digits
    step = Fraction(float(scales(arrays[leaf])[at])) / 10 ** (digits // 5)

    def number(k: int) -> Any:
        moved = x.copy()
        moved[at] = Fraction(float(x[at])) + k * step
        field = Field(digits, patient.deadline)
        result, _ = patient.on_scalars(patient.loss, {**arrays, leaf: moved}, field, False)
        values, v = (field.values(np.asarray(each, object)) for each in (result, patient.cotangent))
        return np.sum(values.reshape(v.shape) * v)

    try:
        middle, up, down, far_up, far_down = map(number, (0, 1, -1, 1000, -1000))
        h = up.context.mpf(step.numerator) / step.denominator
        right, left, value = (up - middle) / h, (middle - down) / h, (up - down) / (2 * h)
        kink = bool(abs(right - left) > 1e-6 * max(abs(right), abs(left)))
        blur = up.context.mpf(10) ** int(2 * patient.extent - 0.9 * digits) / h
        error = abs((far_up - far_down) / (2000 * h) - value) + blur + kink * abs(right - left)
    except Exception:  # whatever a user's function does with objects that are no floats; the time; no mpmath
        return None
    value, error, left, right = floats(np.array([value, error, left, right], object)).tolist()
    return Slope(value, error, left, right, kink)


def along_lines(
    patient: Patient, arrays: Arrays, claimed: Arrays, quick: bool, lines: int = LINES, errors: Arrays | None = None
) -> list[Finding]:
    """Findings about the gradients of some leaves, from their products with random directions.

    Each number moves by at least half of its scale, so that an error e of one number moves the product by e · scale / 2
    or more: the power is that of the weakest number. Noise, or kinks that are passed on the way, may make a right
    gradient differ from one slope, but hardly from all.

    Args:
        patient: the loss.
        arrays: where.
        claimed: the gradients by their leaves.
        quick: leave out the measurement of noise.
        lines: how many.
        errors: how far the gradients may be off.
    """
    draw, kink = patient.random, False
    unit = max(float(np.finfo(arrays[i].dtype).eps) for i in claimed)
    said, seen, room, off = (np.empty(0) for _ in range(4))
    weakest = {i: np.full(np.shape(g), np.inf) for i, g in claimed.items()}
    together = dict.fromkeys(claimed, np.inf)
    while len(seen) < lines:
        d = {i: scales(arrays[i]) * draw.uniform(0.5, 1.5, g.shape) for i, g in weakest.items()}
        d = {i: x * draw.choice((-1.0, 1.0), x.shape) for i, x in d.items()}
        s = along_direction(patient, arrays, d, noise=0.0 if quick else None)
        products = {i: floats(g) * d[i] for i, g in claimed.items()}
        blur = sum(8 * unit * np.abs(x).sum() for x in products.values())
        blur += sum((E * np.abs(d[i])).sum() for i, E in (errors or {}).items())
        said, seen = np.append(said, sum(x.sum() for x in products.values())), np.append(seen, s.value)
        room = np.append(room, s.error + blur)
        for i, x in products.items():
            weakest[i] = np.fmin(weakest[i], room[-1] / np.abs(d[i]))
            together[i] = min(together[i], float(room[-1] / (np.linalg.norm(x) or _TINY)))
        kink = kink or s.kink
        nearest = min(max(said[-1], min(s.left, s.right)), max(s.left, s.right)) if s.kink else s.value
        off = np.append(off, abs(said[-1] - nearest) / (FAIL_FROM * room[-1] or _TINY))
        if patient.late and not (off.min() > 1 and len(seen) < 2):
            break
    found, wrong = [], off.min() > 1 and len(seen) >= min(2, lines)
    for i, g in claimed.items():
        f = judge(Finding(patient.arguments.paths[i], said, seen, room, along=True))
        f.power = float((FAIL_FROM + 1) * weakest[i].max() / (np.abs(floats(g)).max() or 1.0))
        f.notes.append(f"compared along {len(seen)} random line{'s' * (len(seen) > 1)}, not number by number")
        if f.power > WEAKEST and (patient.late or not quick):  # an error of all numbers at once is all that is left
            f.power = FAIL_FROM * together[i]
            f.notes.append("an error of one of the numbers alone may not be seen")
        if not wrong and (kink or f.verdict == "fail" or not f.power <= WEAKEST):
            f.verdict, f.reason = "inconclusive", "kink" if kink else "noise"
        found.append(f)
    return found


def confirmed(patient: Patient, arrays: Arrays, claimed: list[Any]) -> list[Finding] | None:
    """The findings of right gradients of many numbers; None where the lines leave a doubt, and there is time."""
    gradients = dict(zip(patient.arguments.active, claimed))
    plain = all(
        arrays[i].dtype == g.dtype == np.float64 and arrays[i].shape == g.shape and g.any() and np.isfinite(g).all()
        for i, g in gradients.items()
    )
    if not plain or sum(g.size for g in claimed) <= LINES:
        return None
    found = along_lines(patient, arrays, gradients, quick=True)
    sure = all(f.verdict == "pass" and f.power <= _STRONG for f in found)
    return found if sure or (patient.late and len(found) == 1) else None
