"""Diagonals, and the triangles that they separate.

All are linear, with derivatives everywhere. A diagonal of an n × m matrix is every (m + 1)-th of its elements, row
by row, so taking and setting diagonals needs no rows of the derivative table beside those of slices.
"""

import math
from typing import Any

from tinygrad_poly.derivatives import diagonals, indexing, shapes
from tinygrad_poly.engine.apply import apply_operation, apply_unary, checked
from tinygrad_poly.engine.arrays import namespace
from tinygrad_poly.engine.errors import ShapeError
from tinygrad_poly.functions._shared import Tensor, one_dim
from tinygrad_poly.functions.shapes import clone, movedim, reshape
from tinygrad_poly.writing import view


def _places(rows: int, columns: int, offset: int) -> slice:
    """The positions of a diagonal's elements in a flattened matrix."""
    length = max(0, min(rows, columns - offset) if offset >= 0 else min(rows + offset, columns))
    start = offset if offset >= 0 else -offset * columns
    return slice(start, min(start + length * (columns + 1), rows * columns), columns + 1)


def diagonal(input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """The elements i, i + offset of dimensions `dim1` and `dim2`, as one last dimension in place of both.

    The derivative puts them back among zeros.

    Raises:
        ShapeError: where `dim1` and `dim2` are the same dimension.

    >>> diagonal(tensor([[1, 2], [3, 4]]))
    tensor([1, 4])
    """
    first, second = (one_dim(dim, checked(input, "diagonal").ndim, "diagonal") for dim in (dim1, dim2))
    if first == second:
        raise ShapeError(f"diagonal: dim1 and dim2 name the same dimension, {first}")
    matrices = movedim(input, (first, second), (-2, -1))
    *others, rows, columns = matrices.shape
    flat = view(shapes.reshape, matrices, (*others, rows * columns))
    return view(indexing.getitem, flat, (Ellipsis, _places(rows, columns, offset)))


def diag_embed(input: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """Square matrices of zeros with the last dimension of `input` as diagonal: the inverse of `diagonal`.

    >>> diag_embed(tensor([1, 2]))
    tensor([[1, 0],
            [0, 2]])
    """
    ndim = checked(input, "diag_embed").ndim + 1
    first, second = (one_dim(dim, ndim, "diag_embed") for dim in (dim1, dim2))
    if first == second:
        raise ShapeError(f"diag_embed: dim1 and dim2 name the same dimension, {first}")
    *others, length = input.shape
    n = length + abs(offset)
    flat = apply_unary(indexing.put, input, (*others, n * n), (Ellipsis, _places(n, n, offset)))
    return movedim(reshape(flat, (*others, n, n)), (-2, -1), (first, second))


def diag(input: Tensor, diagonal: int = 0) -> Tensor:
    """The diagonal of a matrix, or the matrix of zeros with the vector `input` as diagonal.

    Raises:
        ShapeError: for other than one or two dimensions.

    >>> diag(tensor([[1, 2], [3, 4]]), 1)
    tensor([2])
    """
    ndim = checked(input, "diag").ndim
    if ndim not in (1, 2):
        raise ShapeError(f"diag: expects a vector or a matrix, not shape {input.shape}; see diagonal and diag_embed")
    return diag_embed(input, diagonal) if ndim == 1 else clone(_diagonal(input, diagonal))


_diagonal = diagonal


def fill_diagonal(input: Tensor, fill_value: Any, wrap: bool = False) -> Tensor:
    """The tensor with a number on its main diagonal; with `wrap`, a tall matrix has one again below each square.

    Raises:
        ShapeError: for fewer than two dimensions, and for more unless all have one length.

    >>> fill_diagonal(zeros(2, 2), 1)
    tensor([[1., 0.],
            [0., 1.]])
    """
    shape = checked(input, "fill_diagonal").shape
    if len(shape) < 2 or (len(shape) > 2 and len(set(shape)) > 1):
        raise ShapeError(f"fill_diagonal: expects a matrix, or dimensions of one length, not shape {shape}")
    step = sum(math.prod(shape[i:]) for i in range(1, len(shape))) + 1
    end = math.prod(shape) if wrap or len(shape) > 2 else min(shape) * shape[1]
    xp = namespace(input.array)
    value = xp.asarray(fill_value, dtype=input.dtype)
    places = xp.asarray(range(0, end, step), dtype=xp.int64)
    flat = apply_unary(shapes.reshape, input, (-1,))
    return apply_unary(shapes.reshape, apply_operation(indexing.replace, flat, value, places), shape)


def tril(input: Tensor, diagonal: int = 0, *, k: int = 0) -> Tensor:
    """The lower triangle: `input` on and below a diagonal of the last two dimensions, else 0; so is the derivative.

    `k` is NumPy's name for `diagonal`: 0 is the main diagonal, 1 the one above.

    Raises:
        ShapeError: for fewer than two dimensions.

    >>> tril(tensor([[1, 2], [3, 4]]))
    tensor([[1, 0],
            [3, 4]])
    """
    return apply_unary(diagonals.tril, _matrix(input, "tril"), diagonal or k)


def triu(input: Tensor, diagonal: int = 0, *, k: int = 0) -> Tensor:
    """The upper triangle: `input` on and above a diagonal of the last two dimensions, else 0; so is the derivative.

    `k` is NumPy's name for `diagonal`: 0 is the main diagonal, 1 the one above.

    Raises:
        ShapeError: for fewer than two dimensions.

    >>> triu(tensor([[1, 2], [3, 4]]))
    tensor([[1, 2],
            [0, 4]])
    """
    return apply_unary(diagonals.triu, _matrix(input, "triu"), diagonal or k)


def _matrix(input: Tensor, name: str) -> Tensor:
    if checked(input, name).ndim < 2:
        raise ShapeError(f"{name}: expects a matrix or several, not shape {input.shape}")
    return input
