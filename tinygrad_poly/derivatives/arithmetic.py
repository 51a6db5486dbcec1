"""Arithmetic: sums, products, quotients and powers.

Read a row as: name, y = f(a, b), ∂L/∂a, ∂L/∂b with g = ∂L/∂y.
"""

from __future__ import annotations

import operator

from tinygrad_poly.arrays import Array, integer_power, namespace
from tinygrad_poly.derivatives.elementwise import log, where
from tinygrad_poly.derivatives.operation import Operation

add = Operation("Add", operator.add, lambda g: g, lambda g: g, saves="nothing")

subtract = Operation("Sub", operator.sub, lambda g: g, lambda g: -g, saves="nothing")

multiply = Operation("Mul", operator.mul, lambda g, a, b: g * b, lambda g, a, b: g * a)

divide = Operation(
    "Div",
    operator.truediv,
    lambda g, a, b, y: g / b,
    lambda g, a, b, y: -g * y / b,
    saves="both",
)

negative = Operation("Neg", operator.neg, lambda g: -g, saves="nothing")


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
)

# d/da aᵇ = b aᵇ⁻¹, and 0 where b = 0; d/db aᵇ = aᵇ log a, and 0 where a = 0 and b ≥ 0 (there aᵇ stays
# 0 as b moves). At a < 0 the second is NaN: aᵇ is not real beside a whole b.
power: Operation = Operation(
    "Pow",
    operator.pow,
    lambda g, a, b, y: where(b == 0, 0.0, g * (b * power(a, where(b == 0, 1.0, b - 1)))),
    lambda g, a, b, y: where((a == 0) & (b >= 0), 0.0, g * y * log(where(a == 0, 1.0, a))),
    saves="both",
)
