"""Sizes of vectors: the p-norms."""

from __future__ import annotations

import math

from tinygrad_poly.derivatives import shapes
from tinygrad_poly.derivatives.elementwise import where
from tinygrad_poly.derivatives.reductions import over_nonzero, shared, with_axes
from tinygrad_poly.engine.arrays import Array, Shape, astype, namespace, total
from tinygrad_poly.engine.operation import Operation


def _norm(x: Array, p: float, axis: Shape | None, keepdims: bool) -> Array:
    xp = namespace(x)
    if p == 2:
        return xp.sqrt(total(x * x, axis, keepdims))
    if p == 0:
        return total(astype(x != 0, x.dtype), axis, keepdims)
    sizes = xp.abs(x)
    if math.isinf(p):
        return (xp.max if p > 0 else xp.min)(sizes, axis=axis, keepdims=keepdims)
    if p == 1:
        return total(sizes, axis, keepdims)
    return total(sizes**p, axis, keepdims) ** (1 / p)


def _slope(g: Array, x: Array, y: Array, p: float, axis: Shape | None, keepdims: bool) -> Array:
    if p == 0:
        return namespace(x).zeros_like(x)
    g, y = (with_axes(a, x.shape, axis, keepdims) for a in (g, y))
    if p == 2:
        return over_nonzero(g, y) * x
    # 0 at 0 and, as in torch, at NaN.
    sign = shapes.astype(x > 0, g.dtype) - shapes.astype(x < 0, g.dtype)
    if p == 1:
        return g * sign
    size = x * sign
    if math.isinf(p):
        return shared(g, (size == y) | (size != size), axis) * sign
    # |x|/y first: neither power can then overflow where p > 1. Zeros, which `sign` takes out, are
    # made 1 where they would be divided by, so that no 0 · ∞ arises.
    ratio = where(size == 0, 1.0, size) / where(y == 0, 1.0, y)
    return where(y == 0, 0.0, g) * sign * ratio ** (p - 1)


norm = Operation(
    "LinalgVectorNorm",
    _norm,
    _slope,
    saves="both",
    expands=True,
    formula="(Σᵢ |xᵢ|ᵖ)^(1/p); maxᵢ |xᵢ| for p = ∞, minᵢ |xᵢ| for p = −∞, the number of xᵢ ≠ 0 for p = 0",
    derivative="sign xᵢ · (|xᵢ|/y)ᵖ⁻¹; sign xᵢ where |xᵢ| = y for p = ±∞; 0 for p = 0",
    note="0 where y = 0, and for p < 2 where xᵢ = 0; for p = ±∞ k elements with |xᵢ| = y get 1/k each",
)
