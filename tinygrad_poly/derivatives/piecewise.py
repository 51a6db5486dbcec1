"""Piecewise functions: steps, absolute values, the larger of two numbers.

Between the pieces there is no derivative. What the rules return there is torch's choice, given as special points.
"""

import math
from collections.abc import Callable
from math import inf, nan

from tinygrad_poly.derivatives.elementwise import where
from tinygrad_poly.engine.arrays import Array, astype, namespace, of_library, of_two, together
from tinygrad_poly.engine.operation import Operation, Point, Rule


def flat(g: Array, *_: object) -> Array:
    """The rule of a step function: the derivative is 0 on every step, and also at the jumps."""
    return namespace(g).zeros_like(g)


tied = Operation(
    "Tied", lambda slope, x: slope, lambda g: g, flat, saves="nothing", formula="a", derivative="1; 0",
    note="ties the slope of a piece to the b that chose the piece, by which its derivative is 0",
)  # fmt: skip


def straight(rule: Rule) -> Rule:
    """The rule of a function made of straight pieces: `rule`, with second derivative 0 everywhere.

    Torch gives these zeros for some functions (abs, relu) and refuses for others (maximum, clamp).
    """

    def slope(g: Array, *saved: Array) -> Array:
        result = rule(g, *saved)
        for x in saved:
            if hasattr(x, "shape"):
                result = tied(result, x)
        return result

    return slope


# Steps


def _round(x: Array, decimals: int) -> Array:
    xp = namespace(x)
    if not decimals:
        return xp.round(x)
    scale = 10.0 ** math.fabs(decimals)
    return xp.round(x * scale) / scale if decimals > 0 else xp.round(x / scale) * scale


def _whole(name: str) -> Callable[[Array], Array]:
    """A function that leaves integers unchanged, of which NumPy 2.0 made floats."""
    function = of_library(name)
    return lambda x: x if getattr(x.dtype, "kind", "f") in "biu" else function(x)


floor = Operation(
    "Floor", _whole("floor"), flat, saves="nothing", formula="⌊x⌋", derivative="0", special=(Point(1, 1, 0),)
)

ceil = Operation(
    "Ceil", _whole("ceil"), flat, saves="nothing", formula="⌈x⌉", derivative="0", special=(Point(1, 1, 0),)
)

trunc = Operation(
    "Trunc", _whole("trunc"), flat, saves="nothing", formula="x without its fraction", derivative="0",
    special=(Point(1, 1, 0),),
)  # fmt: skip

round = Operation(
    "Round", _round, flat, saves="nothing", formula="the whole number next to x", derivative="0",
    special=(Point(0.5, 0, 0, options=(0,)), Point(1.5, 2, 0, options=(0,))),
)  # fmt: skip


def _sign(x: Array) -> Array:
    """The sign as torch defines it: 0 for NaN, where NumPy gives NaN, and a boolean itself."""
    return x if "bool" in str(x.dtype) else astype(x > 0, x.dtype) - astype(x < 0, x.dtype)


sign = Operation(
    "Sign", _sign, flat, saves="nothing", formula="sign x: −1, 0 or 1", derivative="0",
    special=(Point(0, 0, 0), Point(nan, 0, 0)),
)  # fmt: skip

# Two slopes

abs = Operation(
    "Abs", of_library("abs"), lambda g, x: g * sign(x), formula="|x|", derivative="sign x",
    special=(Point(0, 0, 0), Point(nan, nan, 0)),
)  # fmt: skip


# Neither comparison holds where a or b is NaN: then y is NaN, and both hear of it.
maximum = Operation(
    "Maximum", of_two("maximum"),
    straight(lambda g, a, b: where(a == b, g / 2, where(a < b, 0.0, g))),
    straight(lambda g, a, b: where(a == b, g / 2, where(b < a, 0.0, g))),
    formula="max(a, b)", derivative="1 where a > b, else 0; 1 where b > a, else 0",
    special=(Point((1, 1), 1, 0.5), Point((nan, 1), nan, 1)),
)  # fmt: skip

minimum = Operation(
    "Minimum", of_two("minimum"),
    straight(lambda g, a, b: where(a == b, g / 2, where(a > b, 0.0, g))),
    straight(lambda g, a, b: where(a == b, g / 2, where(b > a, 0.0, g))),
    formula="min(a, b)", derivative="1 where a < b, else 0; 1 where b < a, else 0",
    special=(Point((1, 1), 1, 0.5), Point((nan, 1), nan, 1)),
)  # fmt: skip

# b ≠ b where b is NaN.
fmax = Operation(
    "Fmax", of_two("fmax"),
    straight(lambda g, a, b: where((a >= b) | (b != b), g, 0.0)),
    straight(lambda g, a, b: where((a >= b) | (b != b), 0.0, g)),
    formula="max(a, b), or the one that is not NaN", derivative="1 where a ≥ b, else 0; 1 where b > a, else 0",
    special=(Point((1, 1), 1, (1, 0)), Point((nan, 1), 1, (0, 1)), Point((1, nan), 1, (1, 0))),
)  # fmt: skip

fmin = Operation(
    "Fmin", of_two("fmin"),
    straight(lambda g, a, b: where((a <= b) | (b != b), g, 0.0)),
    straight(lambda g, a, b: where((a <= b) | (b != b), 0.0, g)),
    formula="min(a, b), or the one that is not NaN", derivative="1 where a ≤ b, else 0; 1 where b < a, else 0",
    special=(Point((1, 1), 1, (1, 0)), Point((nan, 1), 1, (0, 1)), Point((1, nan), 1, (1, 0))),
)  # fmt: skip


def _clamp_slope(g: Array, x: Array, low: Array | None, high: Array | None) -> Array:
    if low is None:
        return where(x <= high, g, 0.0)
    return where(x >= low if high is None else (x >= low) & (x <= high), g, 0.0)


# `low` and `high` are arrays, numbers or None; with low > high, y = high.
clamp = Operation(
    "Clamp", lambda x, low, high: together(x, low, high).clip(x, low, high),
    straight(_clamp_slope),
    straight(lambda g, x, low, high: where(x < low if high is None else (x < low) & (low < high), g, 0.0)),
    straight(lambda g, x, low, high: where(x > high if low is None else (x > high) | (high < low), g, 0.0)),
    named=lambda saved: f"ClampBackward{int(not any(hasattr(bound, 'dtype') for bound in saved[1:]))}",
    formula="x, but at least a and at most b",
    derivative="for x: 1 where a ≤ x ≤ b, else 0; for a: 1 where x < a, else 0; for b: 1 where x > b, else 0",
    special=(Point((0, 0, 1), 0, (1, 0, 0)), Point((1, 0, 1), 1, (1, 0, 0)), Point((nan, 0, 1), nan, 0)),
)  # fmt: skip

# Replacing what is not finite


def _nan_to_num(x: Array, nan: float, posinf: float | None, neginf: float | None) -> Array:
    xp = namespace(x)
    largest = float(xp.finfo(x.dtype).max)
    y = xp.where(xp.isnan(x), nan, x)
    y = xp.where(x == math.inf, largest if posinf is None else posinf, y)
    return xp.where(x == -math.inf, -largest if neginf is None else neginf, y)


nan_to_num = Operation(
    "NanToNum", _nan_to_num, straight(lambda g, x, *_: where(abs(x) < math.inf, g, 0.0)),
    formula="x, with numbers in place of NaN, ∞ and −∞", derivative="1",
    special=(Point(nan, 0, 0, options=(0, 1, -1)), Point(inf, 1, 0, options=(0, 1, -1))),
)  # fmt: skip
