"""Finite differences with an estimate of their own error, which sees noise, kinks and the edge of the domain.

Central differences at steps h, h/2, h/4, … are combined by Richardson's extrapolation (Ridders' table), and the entry
with the smallest estimated error is taken. The differences to both sides are kept beside it: at a kink their gap does
not shrink with the step.
"""

import math
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np

LEVELS = 9
_SAFETY = 3.0


class Slope(NamedTuple):
    """A derivative along a line, with its error, and the slopes to the left and to the right at the smallest step."""

    value: float
    error: float
    left: float
    right: float
    kink: bool = False
    noise: float = 0.0


def slope(function: Callable[[float], float], scale: float, unit: float, noise: float | None = None) -> Slope:
    """The derivative at 0 of a function of one number.

    Args:
        function: to differentiate; NaN where it is not defined.
        scale: how far the function may be looked at to both sides.
        unit: the relative rounding error of its values.
        noise: of its values, if it is known.
    """
    function = cache(function)
    with np.errstate(all="ignore"):
        return _slope(function, scale, unit, noise)


def _slope(function: Callable[[float], float], scale: float, unit: float, noise: float | None) -> Slope:
    middle = function(0.0)
    least = unit * (1e4 * abs(middle) or 1e8 * abs(function(0.125)))
    while abs(function(scale) - function(-scale)) <= least and scale < 0.125:
        scale = min(scale * 1024, 0.125)  # too near to see the function change
    noise = noise_of(function, scale, unit) if noise is None else noise
    if noise > 1e-2 * max(abs(function(scale) - middle), abs(function(-scale) - middle)) > 0:
        return Slope(0.0, math.inf, math.nan, math.nan, noise=noise)  # it changes too fast to be seen
    best = Slope(math.nan, math.inf, math.nan, math.nan)
    table: list[list[float]] = []
    gap_before, h = math.inf, scale
    kinks = smooth = 0
    flat = True
    for _ in range(2 * LEVELS):
        up, down = function(h), function(-h)
        flat = flat and up == down == middle
        blur = (unit * max(abs(up), abs(down), abs(middle)) + noise + flat * unit) / h
        right, left = (up - middle) / h, (middle - down) / h
        if not (math.isfinite(right) and math.isfinite(left)):  # outside of the domain
            table, gap_before, h = [], math.inf, h / 2
            continue
        gap = abs(right - left)
        row = [(up - down) / (2 * h)]
        for k, above in enumerate(table[-1] if table else []):
            row.append(row[k] + (row[k] - above) / (4.0 ** (k + 1) - 1))
        broken = gap > 0.7 * gap_before and gap > 8 * blur
        kinks, smooth = kinks + broken, smooth + (not broken)
        for k in range(1, len(row)):
            error = _SAFETY * max(abs(row[k] - row[k - 1]), abs(row[k] - table[-1][k - 1])) + 4 * blur
            error += gap if broken else 0.0
            if error < best.error:
                best = Slope(row[k], error, left, right, broken)
        table.append(row)
        gap_before, h = gap, h / 2
        enough = len(table) > 1 and best.error <= 64 * unit * abs(best.value) + 8 * blur
        if (len(table) > LEVELS or enough) and not broken:
            break
    return best._replace(kink=best.kink or kinks > 2 * smooth, noise=noise)


def noise_of(function: Callable[[float], float], scale: float, unit: float) -> float:
    """The noise of a function's values, from differences of sixth order, in which what is smooth is lost.

    Looked at twice: over steps of some roundings, and over steps that an oscillation which is too fast would show in.
    """
    found = 0.0
    for step in (scale * 2.0**-18, scale * 64 * unit):
        values = np.array([function(k * step) for k in range(-4, 5)])
        rough = float(np.sqrt(np.mean(np.diff(values, 6) ** 2) / 924))
        found = max(found, rough) if math.isfinite(rough) else found
    return found


def scales(x: np.ndarray) -> np.ndarray:
    """The distance to move each number by: a part of its own size, or of the others' where it is 0."""
    size = np.abs(x.astype(np.float64))
    positive = size[size > 0]
    usual = float(np.median(positive)) if positive.size else 1.0
    return np.where(size > 0, size, usual) * 0.125
