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
_PLAIN = 1e8
"""So many roundings a change has to have for a slope of eight digits."""


class Slope(NamedTuple):
    """A derivative along a line, with its error, and the slopes to the left and to the right at the smallest step."""

    value: float
    error: float
    left: float
    right: float
    kink: bool = False
    noise: float = 0.0


def slope(
    function: Callable[[float], float], scale: float, unit: float, noise: float | None = None, far: float = 0.0
) -> Slope:
    """The derivative at 0 of a function of one number.

    Args:
        function: to differentiate; NaN where it is not defined.
        scale: how far the function may be looked at to both sides.
        unit: the relative rounding error of its values.
        noise: of its values, if it is known.
        far: how far it may be looked at where nothing is seen nearer.
    """
    function, own = cache(function), scale
    middle = function(0.0)

    def seen(h: float) -> float:
        """The change over a step, in roundings of the values."""
        up, down = function(h), function(-h)
        size = unit * max(abs(up), abs(down), abs(middle))
        return abs(up - down) / size if 0 < size < math.inf else 0.0

    steps = [own]
    while seen(steps[-1]) < _PLAIN and steps[-1] < far:
        steps.append(min(steps[-1] * 1024, far))
    scale = max(steps, key=seen)
    if noise is None or scale != own:
        noise = noise_of(function, scale, unit)
    if noise > 1e-2 * max(abs(function(scale) - middle), abs(function(-scale) - middle)) > 0:
        return Slope(0.0, math.inf, math.nan, math.nan, noise=noise)  # it changes too fast to be seen
    best = Slope(math.nan, math.inf, math.nan, math.nan)
    table: list[list[float]] = []
    since: list[Slope] = []
    limit_before, gap_before, h = math.inf, math.inf, scale
    kinks = smooth = 0
    for _ in range(5 * LEVELS):
        up, down = function(h), function(-h)
        flat = up == down == middle  # the numbers inside may be larger than what comes out: log(1) is 0
        blur = (unit * max(abs(up), abs(down), abs(middle), flat) + noise) / h
        right, left = (up - middle) / h, (middle - down) / h
        if not (math.isfinite(right) and math.isfinite(left)):  # outside of the domain
            table, limit_before, gap_before, h = [], math.inf, math.inf, h / 2
            continue
        gap = abs(right - left)
        row = [(up - down) / (2 * h)]
        for k, above in enumerate(table[-1] if table else []):
            row.append(row[k] + (row[k] - above) / (4.0 ** (k + 1) - 1))
        limit = 2 * gap - gap_before  # of the gap at a step of 0, if the rest of it halves with the step
        lasting = limit > max(0.7 * limit_before, 16 * blur)
        broken = (gap > 0.7 * gap_before or lasting) and gap > 8 * blur
        kinks, smooth = kinks + broken, smooth + (not broken)
        here = best._replace(error=math.inf)
        for k in range(1, len(row)):
            error = _SAFETY * max(abs(row[k] - row[k - 1]), abs(row[k] - table[-1][k - 1])) + 4 * blur
            error += gap if broken else 0.0
            if error < here.error:
                here = Slope(row[k], error, left, right, broken)
        since.append(here)
        if here.error < best.error:
            best, since = here, []
        table.append(row)
        limit_before, gap_before, h = limit if math.isfinite(limit) else math.inf, gap, h / 2
        enough = len(table) > 2 and best.error <= 64 * unit * abs(best.value) + 8 * blur
        if (enough or len(table) > LEVELS + (3 if len(since) < 3 else 0)) and not broken:
            break
    # Of many differences between neighbours one is small by chance: smaller steps must say the same.
    error = max([best.error, *(abs(s.value - best.value) - s.error for s in since)])
    if scale > own and abs(best.value) <= 4 * error:  # where nothing is seen at all, only what is near counts
        error = max(error, (unit * max(abs(middle), not best.value) + noise) / own)
    return best._replace(error=error, kink=best.kink or kinks > 2 * smooth, noise=noise)


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
