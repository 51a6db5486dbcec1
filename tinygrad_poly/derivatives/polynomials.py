"""Polynomials c₀ + c₁ x + … + cₙ xⁿ and their powers.

The derivative of a power is a power, and that of a polynomial a polynomial: each row takes the order d of a
derivative as its option, and its rule with respect to x is the same row with d + 1.
"""

import math
from typing import Any

from tinygrad_poly.derivatives.products import as_columns
from tinygrad_poly.derivatives.shapes import reshape
from tinygrad_poly.engine.arrays import Array, namespace, total
from tinygrad_poly.engine.operation import Operation


def _powers(x: Array, count: int, order: int) -> Array:
    """The columns dᵈ/dxᵈ xᵏ = k!/(k − d)! xᵏ⁻ᵈ for k = 0 … count − 1, and 0 where k < d; d is `order`."""
    xp = namespace(x)
    if not count:
        return xp.zeros((*x.shape, 0), dtype=x.dtype)
    columns, power = [xp.zeros_like(x)] * min(order, count), xp.ones_like(x)
    for k in range(order, count):
        power = power * x if k > order else power
        columns.append(power * math.perm(k, order))
    return xp.stack(columns, axis=-1)


vander: Operation = Operation(
    "Vander", _powers, lambda g, x, count, order: total(g * vander(x, count, order + 1), -1),
    formula="y[i, k] = x[i]ᵏ", derivative="k x[i]ᵏ⁻¹", note="exists everywhere (x⁰ is 1, also at 0)",
)  # fmt: skip


def _horner(c: Array, x: Array, order: int) -> Array:
    """The derivative of `order` d of Σ cₖ xᵏ, by Horner's rule: ((cₙ x + cₙ₋₁) x + …) x + c₀ for d = 0."""
    y = namespace(x).zeros_like(x)
    highest = c.shape[0] - 1
    for k in range(highest, order - 1, -1):
        y = (y if k == highest else y * x) + c[k] * math.perm(k, order)
    return y


def _coefficient_slope(g: Array, c: Array, x: Array, order: int) -> Array:
    """The sums Σᵢ gᵢ xᵢᵏ for each k, from the Vandermonde matrix again."""
    count: Any = math.prod(x.shape)
    powers = vander(reshape(x, (count,)), c.shape[0], order)
    return total(as_columns(reshape(g, (count,))) * powers, 0)


polyval: Operation = Operation(
    "Polyval", _horner, _coefficient_slope, lambda g, c, x, order: g * polyval(c, x, order + 1), expands=True,
    formula="y = Σ aₖ bᵏ", derivative="bᵏ for each aₖ; Σ k aₖ bᵏ⁻¹",
)  # fmt: skip
