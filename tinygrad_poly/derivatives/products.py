"""Matrix products.

Read a row as: name, Y = f(A, B), ∂L/∂A, ∂L/∂B with G = ∂L/∂Y. As mathematics the rules are in M. B. Giles,
"An extended collection of matrix derivative results for forward and reverse mode AD" (2008).
"""

import numpy as np

from tinygrad_poly.derivatives.shapes import reshape
from tinygrad_poly.engine.arrays import Array, Shape, unbroadcast
from tinygrad_poly.engine.operation import Operation


def as_rows(x: Array) -> Array:
    """Vectors as matrices with one row: (…, n) as (…, 1, n)."""
    return reshape(x, (*x.shape[:-1], 1, *x.shape[-1:]))


def as_columns(x: Array) -> Array:
    """Vectors as matrices with one column: (…, n) as (…, n, 1)."""
    return reshape(x, (*x.shape, 1))


def _without(x: Array, axis: int) -> Array:
    """The array `x` without one axis of length 1, counted from the end."""
    shape = list(x.shape)
    del shape[axis]
    return reshape(x, tuple(shape))


def _misfit(a: Shape, b: Shape) -> str | None:
    """The reason why two shapes have no matrix product."""
    if not a or not b:
        return "a 0-d tensor is no matrix: multiply by it with *"
    rows = -min(len(b), 2)
    if a[-1] != b[rows]:
        return f"dimension -1 of the first ({a[-1]}) must be as long as dimension {rows} of the second ({b[rows]})"
    return f"the dimensions before the last two, {a[:-2]} and {b[:-2]}, must be equal or 1, counted from the last"


def product(a: Array, b: Array) -> Array:
    """The product A B.

    Raises:
        ValueError: which names the dimensions that do not fit.
    """
    try:
        return a @ b
    except ValueError:
        raise ValueError(_misfit(a.shape, b.shape)) from None


def _left(g: Array, a: Array, b: Array) -> Array:
    """The derivative ∂L/∂A of Y = A B: G Bᵀ, with a vector A as a row, a vector B as a column."""
    if b.ndim == 1:
        return as_columns(g) * b
    if a.ndim == 1:
        return _without(as_rows(g) @ b.mT, -2)
    return g @ b.mT


def _right(g: Array, a: Array, b: Array) -> Array:
    """The derivative ∂L/∂B of Y = A B: Aᵀ G."""
    if a.ndim == 1:
        return g * a if b.ndim == 1 else as_columns(a) * as_rows(g)
    if b.ndim == 1:
        return a.mT @ g if a.ndim == 2 else _without(a.mT @ as_columns(g), -1)
    return a.mT @ g


_KINDS = {(2, 2): "Mm", (2, 1): "Mv", (1, 1): "Dot"}
matmul = Operation(
    "Mm", product, _left, _right,
    expands=True, named=lambda saved: f"{_KINDS.get((saved[0].ndim, saved[1].ndim), 'UnsafeView')}Backward0",
    formula="A B", derivative="G Bᵀ; Aᵀ G",
)  # fmt: skip


def sum_of_rows(g: Array) -> Array:
    """The sum over the rows of a matrix in NumPy's memory, for which a product with ones is several times as fast.

    Other arrays are returned: the walk adds up their rows.
    """
    if type(g) is np.ndarray and g.ndim == 2 and g.dtype.char in "fd" and g.shape[1] > 1:
        return np.ones(len(g), g.dtype) @ g
    return g


# A linear layer in one row, because each saved operation shows on six points.
linear = Operation(
    "Addmm", lambda x, weight, bias: product(x, weight.mT) + bias,
    lambda g, x, weight, bias: g @ weight, lambda g, x, weight, bias: unbroadcast(g.mT @ x, weight.shape),
    lambda g, x, weight, bias: sum_of_rows(g),
    expands=True, formula="X Wᵀ + b", derivative="G W; Gᵀ X; Σ G over the rows",
)  # fmt: skip
