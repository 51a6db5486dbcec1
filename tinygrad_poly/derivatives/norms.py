"""Norms of vectors."""

import math
from math import inf

from tinygrad_poly.derivatives.elementwise import where
from tinygrad_poly.derivatives.piecewise import abs, sign
from tinygrad_poly.derivatives.reductions import count, in_single, length, shared, with_axes, without_axes
from tinygrad_poly.engine.arrays import Array, Shape, astype, namespace, total
from tinygrad_poly.engine.operation import Operation, Point


def _norm(x: Array, p: float, axis: Shape | None, keepdims: bool) -> Array:
    if p == 2:
        return length(x, axis, keepdims)
    xp = namespace(x)
    if p == 0:
        return total(astype(x != 0, x.dtype), axis, keepdims)
    sizes = xp.abs(x)
    if p == 1:
        return total(sizes, axis, keepdims)
    # Powers of |xᵢ|/y, where y is the largest or smallest, do not overflow.
    extreme = (xp.max if p > 0 else xp.min)(sizes, axis=axis, keepdims=True) if count(x.shape, axis) else None
    if extreme is None or math.isinf(p):
        return total(sizes, axis, keepdims) if extreme is None else without_axes(extreme, axis, keepdims)
    one = xp.ones_like(extreme)
    unit = xp.where((extreme > 0) & (extreme < math.inf), extreme, one)
    return without_axes(total((sizes / unit) ** p, axis, True) ** (1 / p) * unit, axis, keepdims)


def _slope(g: Array, x: Array, y: Array, p: float, axis: Shape | None, keepdims: bool) -> Array:
    if p == 0:
        return namespace(x).zeros_like(x)
    g, y = (with_axes(a, x.shape, axis, keepdims) for a in (g, y))
    if p == 2:
        zero = y == 0
        return where(zero, 0.0, g) * (x / where(zero, 1.0, y))
    if p == 1:
        return g * sign(x)
    size = abs(x)
    if math.isinf(p):
        return shared(g, (size == y) | (size != size), axis) * sign(x)
    # |x|/y first: neither power can then overflow where p > 1. For zeros, which `sign` takes out, and where y is 0,
    # which takes g out, it is made 1, so that no 0 · ∞ arises.
    ratio = where((size == 0) | (y == 0), 1.0, size / where(y == 0, 1.0, y))
    return where(y == 0, 0.0, g) * sign(x) * ratio ** (p - 1)


norm = Operation(
    "LinalgVectorNorm", in_single(_norm), _slope, saves="both", expands=True,
    formula="(Σᵢ |xᵢ|ᵖ)^(1/p); maxᵢ |xᵢ| for p = ∞, minᵢ |xᵢ| for p = −∞, the number of xᵢ ≠ 0 for p = 0",
    derivative="sign xᵢ · (|xᵢ|/y)ᵖ⁻¹; sign xᵢ where |xᵢ| = y for p = ±∞; 0 for p = 0",
    special=(
        Point([0, 0], 0, 0, options=(2, None, False)),
        Point([0, 1], 1, [0, 1], options=(1, None, False)),
        Point([0, 1], 1, [0, 1], options=(0.5, None, False)),
        Point([1, -1], 1, [0.5, -0.5], options=(inf, None, False)),
        Point([0, 1], 1, 0, options=(0, None, False)),
    ),
    note="0 where y = 0: what is made of it there, such as y², has lost its curvature, as in torch; write Σ xᵢ²",
)  # fmt: skip
