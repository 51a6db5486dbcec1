"""Arithmetic: sums, products, quotients and powers, and other functions of two numbers.

Read a row as: name, y = f(a, b), ∂L/∂a, ∂L/∂b with g = ∂L/∂y.
"""

from __future__ import annotations

import operator

from tinygrad_poly.derivatives.activations import sigmoid
from tinygrad_poly.derivatives.elementwise import log, where
from tinygrad_poly.derivatives.piecewise import flat, of_two, trunc
from tinygrad_poly.engine.arrays import Array, integer_power, namespace, together
from tinygrad_poly.engine.operation import Operation

add = Operation(
    "Add",
    operator.add,
    lambda g: g,
    lambda g: g,
    saves="nothing",
    formula="a + b",
    derivative="1; 1",
)

subtract = Operation(
    "Sub",
    operator.sub,
    lambda g: g,
    lambda g: -g,
    saves="nothing",
    formula="a − b",
    derivative="1; −1",
)

multiply = Operation(
    "Mul",
    operator.mul,
    lambda g, a, b: g * b,
    lambda g, a, b: g * a,
    formula="a b",
    derivative="b; a",
)

divide = Operation(
    "Div",
    operator.truediv,
    lambda g, a, b, y: g / b,
    lambda g, a, b, y: -g * y / b,
    saves="both",
    formula="a / b",
    derivative="1/b; −a/b²",
    note="at b = 0: ±∞, or NaN where a = 0 too",
)

negative = Operation("Neg", operator.neg, lambda g: -g, saves="nothing", formula="−x", derivative="−1")

reciprocal = Operation(
    "Reciprocal",
    lambda x: 1 / x,
    lambda g, y: -g * (y * y),
    saves="output",
    formula="1/x",
    derivative="−1/x²",
    note="at 0: −∞",
)


def scalar_power(x: Array, n: float) -> Array:
    """xⁿ for a Python number n; whole powers by multiplication, which `pow` is many times slower than."""
    if 1 <= n <= 64 and n == int(n):
        return integer_power(x, int(n))
    return x**n


# d/dx xⁿ = n xⁿ⁻¹. x⁰ is the constant 1, also at 0, where 0 · 0⁻¹ would be NaN.
power_scalar = Operation(
    "Pow",
    scalar_power,
    lambda g, x, n: g * n * scalar_power(x, n - 1) if n else namespace(x).zeros_like(x),
    formula="xⁿ for a number n",
    derivative="n xⁿ⁻¹",
    note="0 where n = 0, also at x = 0; at 0: ∞ for 0 < n < 1 and −∞ for n < 0; below 0 NaN unless n is whole",
)

# d/da aᵇ = b aᵇ⁻¹, and 0 where b = 0; d/db aᵇ = aᵇ log a, and 0 where a = 0 and b ≥ 0 (there aᵇ stays
# 0 as b moves). At a < 0 the second is NaN: aᵇ is not real beside a whole b.
power: Operation = Operation(
    "Pow",
    operator.pow,
    lambda g, a, b, y: where(b == 0, 0.0, g * (b * power(a, where(b == 0, 1.0, b - 1)))),
    lambda g, a, b, y: where((a == 0) & (b >= 0), 0.0, g * y * log(where(a == 0, 1.0, a))),
    saves="both",
    formula="aᵇ",
    derivative="b aᵇ⁻¹; aᵇ log a",
    note="for a: 0 where b = 0, also at a = 0; for b: 0 at a = 0 with b ≥ 0, NaN at a < 0",
)

# Division with remainder. The quotient's slope is 0 but for its jumps.

floor_divide = Operation(
    "FloorDivide",
    operator.floordiv,
    flat,
    flat,
    saves="nothing",
    formula="⌊a/b⌋",
    derivative="0; 0",
    note="at the jumps: 0 (torch has no derivative of `//`)",
)

remainder = Operation(
    "Remainder",
    operator.mod,
    lambda g, a, b: g,
    lambda g, a, b: -g * (a // b),
    formula="a − b ⌊a/b⌋",
    derivative="1; −⌊a/b⌋",
    note="where b divides a: as everywhere; at b = 0: 1 and ±∞, or NaN where a = 0 too",
)

fmod = Operation(
    "Fmod",
    of_two("fmod"),
    lambda g, a, b: g,
    lambda g, a, b: -g * trunc(a / b),
    formula="a − b trunc(a/b)",
    derivative="1; −trunc(a/b)",
    note="where b divides a: as everywhere; at b = 0: 1 and ±∞, or NaN where a = 0 too",
)

# Others

hypot: Operation = Operation(
    "Hypot",
    of_two("hypot"),
    lambda g, a, b, y: g * (a / y),
    lambda g, a, b, y: g * (b / y),
    saves="both",
    formula="√(a² + b²)",
    derivative="a/√(a² + b²); b/√(a² + b²)",
    note="at (0, 0): NaN; with an infinite a or b: NaN for it",
)


def _over_square(x: Array, radius: Array) -> Array:
    """Divide x by radius², without the square's overflow; 0 where the radius is."""
    radius = where(radius == 0, 1.0, radius)
    return x / radius / radius


atan2 = Operation(
    "Atan2",
    of_two("atan2"),
    lambda g, a, b: g * _over_square(b, hypot(a, b)),
    lambda g, a, b: -g * _over_square(a, hypot(b, a)),
    formula="the angle of the point (b, a)",
    derivative="b/(a² + b²); −a/(a² + b²)",
    note="at (0, 0): 0",
)

logaddexp = Operation(
    "Logaddexp",
    of_two("logaddexp"),
    lambda g, a, b: g * sigmoid(a - b),
    lambda g, a, b: g * sigmoid(b - a),
    formula="log(eᵃ + eᵇ)",
    derivative="σ(a − b); σ(b − a)",
    note="where a and b are the same infinity: NaN",
)


def _lerp(a: Array, b: Array, weight: Array) -> Array:
    """From the nearer end, so that a weight of 0 or 1 gives that end exactly."""
    step = b - a
    if not hasattr(weight, "dtype"):
        return a + weight * step if abs(weight) < 0.5 else b - step * (1 - weight)
    return together(a, b, weight).where(abs(weight) < 0.5, a + weight * step, b - step * (1 - weight))


lerp = Operation(
    "Lerp",
    _lerp,
    lambda g, a, b, weight: g * (1 - weight),
    lambda g, a, b, weight: g * weight,
    lambda g, a, b, weight: g * (b - a),
    formula="a + w (b − a)",
    derivative="1 − w; w; b − a",
)
