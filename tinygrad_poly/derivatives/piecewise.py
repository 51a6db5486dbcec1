"""Functions made of pieces: steps, absolute values, the larger of two numbers.

Between the pieces there is no derivative. What the rules return there is torch's choice, given under `special`.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from tinygrad_poly.derivatives.elementwise import of_library, where
from tinygrad_poly.engine.arrays import Array, astype, namespace, together
from tinygrad_poly.engine.operation import Operation


def of_two(name: str) -> Callable[[Array, Array], Array]:
    """The function `name` of whichever library the two arrays, or the one beside a number, belong to."""
    of_numpy = getattr(np, name)

    def function(a: Array, b: Array) -> Array:
        xp = together(a, b)
        return of_numpy(a, b) if xp is np else getattr(xp, name)(a, b)

    return function


# Steps


def flat(g: Array, *_: object) -> Array:
    """The rule of a step function: 0 on every step, and at the jumps too."""
    return namespace(g).zeros_like(g)


def _round(x: Array, decimals: int) -> Array:
    xp = namespace(x)
    if not decimals:
        return xp.round(x)
    scale = 10.0 ** math.fabs(decimals)
    return xp.round(x * scale) / scale if decimals > 0 else xp.round(x / scale) * scale


floor = Operation(
    "Floor", of_library("floor"), flat, saves="nothing", formula="⌊x⌋", derivative="0", note="at whole x: 0"
)

ceil = Operation("Ceil", of_library("ceil"), flat, saves="nothing", formula="⌈x⌉", derivative="0", note="at whole x: 0")

trunc = Operation(
    "Trunc",
    of_library("trunc"),
    flat,
    saves="nothing",
    formula="x without its fraction",
    derivative="0",
    note="at whole x: 0",
)

round = Operation(
    "Round",
    _round,
    flat,
    saves="nothing",
    formula="the whole number next to x",
    derivative="0",
    note="halfway: to the even number, derivative 0",
)

# NumPy's sign of NaN is NaN, torch's is 0.
sign = Operation(
    "Sign",
    lambda x: astype(x > 0, x.dtype) - astype(x < 0, x.dtype),
    flat,
    saves="nothing",
    formula="sign x: −1, 0 or 1",
    derivative="0",
    note="at 0: 0; sign NaN = 0",
)

# Two slopes

abs = Operation(
    "Abs",
    of_library("abs"),
    lambda g, x: g * sign(x),
    formula="|x|",
    derivative="sign x",
    note="at 0: 0; at NaN: 0",
)


# Neither comparison holds where a or b is NaN: then y is NaN, and both hear of it.
maximum = Operation(
    "Maximum",
    of_two("maximum"),
    lambda g, a, b: where(a == b, g / 2, where(a < b, 0.0, g)),
    lambda g, a, b: where(a == b, g / 2, where(b < a, 0.0, g)),
    formula="max(a, b)",
    derivative="1 where a > b, else 0; 1 where b > a, else 0",
    note="at a = b: ½ each; beside a NaN: 1 each",
)

minimum = Operation(
    "Minimum",
    of_two("minimum"),
    lambda g, a, b: where(a == b, g / 2, where(a > b, 0.0, g)),
    lambda g, a, b: where(a == b, g / 2, where(b > a, 0.0, g)),
    formula="min(a, b)",
    derivative="1 where a < b, else 0; 1 where b < a, else 0",
    note="at a = b: ½ each; beside a NaN: 1 each",
)

# b ≠ b where b is NaN.
fmax = Operation(
    "Fmax",
    of_two("fmax"),
    lambda g, a, b: where((a >= b) | (b != b), g, 0.0),
    lambda g, a, b: where((a >= b) | (b != b), 0.0, g),
    formula="max(a, b), or the one that is not NaN",
    derivative="1 where a ≥ b, else 0; 1 where b > a, else 0",
    note="at a = b: 1 and 0; beside a NaN the number gets 1",
)

fmin = Operation(
    "Fmin",
    of_two("fmin"),
    lambda g, a, b: where((a <= b) | (b != b), g, 0.0),
    lambda g, a, b: where((a <= b) | (b != b), 0.0, g),
    formula="min(a, b), or the one that is not NaN",
    derivative="1 where a ≤ b, else 0; 1 where b < a, else 0",
    note="at a = b: 1 and 0; beside a NaN the number gets 1",
)


def _clamp_slope(g: Array, x: Array, low: Array | None, high: Array | None) -> Array:
    if low is None:
        return where(x <= high, g, 0.0)
    return where(x >= low if high is None else (x >= low) & (x <= high), g, 0.0)


# `low` and `high` are arrays, numbers or None; with low > high, y = high.
clamp = Operation(
    "Clamp",
    lambda x, low, high: together(x, low, high).clip(x, low, high),
    _clamp_slope,
    lambda g, x, low, high: where(x < low if high is None else (x < low) & (low < high), g, 0.0),
    lambda g, x, low, high: where(x > high if low is None else (x > high) | (high < low), g, 0.0),
    formula="x, but at least a and at most b",
    derivative="for x: 1 where a ≤ x ≤ b, else 0; for a: 1 where x < a, else 0; for b: 1 where x > b, else 0",
    note="at x = a and x = b: 1 for x, 0 for the bound; at NaN: 0",
)

# Replacing what is not finite


def _nan_to_num(x: Array, nan: float, posinf: float | None, neginf: float | None) -> Array:
    xp = namespace(x)
    largest = float(xp.finfo(x.dtype).max)
    y = xp.where(xp.isnan(x), nan, x)
    y = xp.where(x == math.inf, largest if posinf is None else posinf, y)
    return xp.where(x == -math.inf, -largest if neginf is None else neginf, y)


nan_to_num = Operation(
    "NanToNum",
    _nan_to_num,
    lambda g, x, *_: where(abs(x) < math.inf, g, 0.0),
    formula="x, with numbers in place of NaN, ∞ and −∞",
    derivative="1",
    note="at NaN, ∞ and −∞: 0",
)
