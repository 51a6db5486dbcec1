"""Products of matrices and vectors."""

from __future__ import annotations

import operator

from tinygrad_poly.arrays import Array, unbroadcast
from tinygrad_poly.derivatives.operation import Operation


def _left(g: Array, a: Array, b: Array) -> Array:
    """∂L/∂A for Y = A B: G Bᵀ, a vector being a matrix with one row (A) or column (B)."""
    if b.ndim == 1:
        return g[..., None] * b
    if a.ndim == 1:
        return (g[..., None, :] @ b.mT)[..., 0, :]
    return g @ b.mT


def _right(g: Array, a: Array, b: Array) -> Array:
    """∂L/∂B for Y = A B: Aᵀ G."""
    if a.ndim == 1:
        return g * a if b.ndim == 1 else a[:, None] * g[..., None, :]
    if b.ndim == 1:
        return (a.mT @ g[..., None])[..., 0]
    return a.mT @ g


matmul = Operation("Mm", operator.matmul, _left, _right, expands=True)

# y = x Wᵀ + b, a linear layer, in one row because each saved operation shows on six points.
linear = Operation(
    "Addmm",
    lambda x, weight, bias: x @ weight.mT + bias,
    lambda g, x, weight, bias: g @ weight,
    lambda g, x, weight, bias: unbroadcast(g.mT @ x, weight.shape),
    lambda g, x, weight, bias: g,
    expands=True,
)
