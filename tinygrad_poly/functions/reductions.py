"""Sums and means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinygrad_poly import arrays
from tinygrad_poly.derivatives import reductions
from tinygrad_poly.errors import DtypeError
from tinygrad_poly.operators import apply_operation, apply_unary, checked

if TYPE_CHECKING:
    from tinygrad_poly.tensor import Tensor

__all__ = [
    "mean",
    "mse_loss",
    "sum",
]


def _axes(input: Tensor, dim: Any, name: str) -> arrays.Shape | None:
    """The dimensions to reduce; None for all. A 0-d tensor may be reduced over "its" dimension 0, as in torch."""
    if dim is None:
        return None
    ndim = len(input.array.shape)
    axes = arrays.normalize_axes(dim, ndim or 1, name)
    return axes if ndim else None


def sum(input: Tensor, dim: Any = None, keepdim: bool = False, *, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Σx over `dim` (one dimension, several, or all); the derivative is 1 for each element.

    `axis` and `keepdims` are NumPy's names for `dim` and `keepdim`.

    >>> sum(tensor([[1.0, 2.0], [3.0, 4.0]]), dim=0)
    tensor([4., 6.])
    """
    axes = _axes(checked(input, "sum"), axis if dim is None else dim, "sum")
    return apply_unary(reductions.sum, input, axes, keepdim or keepdims)


def mean(input: Tensor, dim: Any = None, keepdim: bool = False, *, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The average over `dim`; the derivative is 1/n for each of the n elements averaged.

    `axis` and `keepdims` are NumPy's names for `dim` and `keepdim`.

    Raises:
        DtypeError: for integers, whose mean is none.

    >>> mean(tensor([1.0, 2.0, 6.0]))
    tensor(3.)
    """
    axes = _axes(checked(input, "mean"), axis if dim is None else dim, "mean")
    result = apply_unary(reductions.mean, input, axes, keepdim or keepdims)
    if result.array.dtype is not input.array.dtype and not arrays.is_floating(input.dtype):
        raise DtypeError(f"mean() needs a floating-point tensor, and this one is {input.dtype}: use .float()")
    return result


def mse_loss(input: Tensor, target: Tensor) -> Tensor:
    """The mean of (input − target)², a scalar, with derivative 2 (input − target)/n.

    >>> mse_loss(tensor([1.0, 2.0]), tensor([1.0, 4.0]))
    tensor(2.)
    """
    return apply_operation(reductions.mse_loss, checked(input, "mse_loss"), checked(target, "mse_loss"))
