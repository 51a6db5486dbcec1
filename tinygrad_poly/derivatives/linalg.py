"""Products of matrices and vectors."""

from __future__ import annotations

import operator

from tinygrad_poly.arrays import Array, unbroadcast
from tinygrad_poly.derivatives.operation import Operation
from tinygrad_poly.derivatives.shapes import reshape


def _as_rows(x: Array) -> Array:
    """(…, n) as (…, 1, n)."""
    return reshape(x, (*x.shape[:-1], 1, *x.shape[-1:]))


def _as_columns(x: Array) -> Array:
    """(…, n) as (…, n, 1)."""
    return reshape(x, (*x.shape, 1))


def _without(x: Array, axis: int) -> Array:
    """`x` without an axis of length 1, counted from the end."""
    shape = list(x.shape)
    del shape[axis]
    return reshape(x, tuple(shape))


def _left(g: Array, a: Array, b: Array) -> Array:
    """∂L/∂A for Y = A B: G Bᵀ, a vector being a matrix with one row (A) or column (B)."""
    if b.ndim == 1:
        return _as_columns(g) * b
    if a.ndim == 1:
        return _without(_as_rows(g) @ b.mT, -2)
    return g @ b.mT


def _right(g: Array, a: Array, b: Array) -> Array:
    """∂L/∂B for Y = A B: Aᵀ G."""
    if a.ndim == 1:
        return g * a if b.ndim == 1 else _as_columns(a) * _as_rows(g)
    if b.ndim == 1:
        return _without(a.mT @ _as_columns(g), -1)
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
