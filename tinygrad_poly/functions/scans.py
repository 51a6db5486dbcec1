"""Running sums and products along one dimension.

`axis` is NumPy's name for `dim`. A 0-d tensor counts as one of length 1, with dimension 0 or −1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinygrad_poly.derivatives import scans
from tinygrad_poly.engine.apply import apply_unary, checked
from tinygrad_poly.engine.arrays import normalize_axes
from tinygrad_poly.engine.errors import DimensionError
from tinygrad_poly.engine.operation import Operation
from tinygrad_poly.functions.shapes import reshape

if TYPE_CHECKING:
    from tinygrad_poly.tensor import Tensor

__all__ = [
    "cumprod",
    "cumsum",
    "cumulative_prod",
    "cumulative_sum",
]


def one_axis(input: Tensor, dim: Any, name: str) -> int:
    """The dimension to work along, as an axis ≥ 0; a 0-d tensor has the axis 0.

    Raises:
        DimensionError: for none or several, or one that is out of range.
    """
    axes = normalize_axes(dim, checked(input, name).ndim or 1, name)
    if axes is None or len(axes) != 1:
        raise DimensionError(f"{name} works along one dimension: give dim=0 or another single one, not {dim!r}")
    return axes[0]


def at_least_1d(input: Tensor) -> Tensor:
    """A 0-d tensor as one of length 1."""
    return input if input.ndim else reshape(input, 1)


def along(row: Operation, input: Tensor, dim: Any, dtype: Any, name: str) -> Tensor:
    """A row that works along one dimension and keeps the shape; `dtype` converts first."""
    axis = one_axis(input, dim, name)
    if dtype is not None:
        input = input.to(dtype=dtype)
    result = apply_unary(row, at_least_1d(input), axis)
    return result if input.ndim else reshape(result, ())


def cumsum(input: Tensor, dim: Any = None, dtype: Any = None, *, axis: Any = None) -> Tensor:
    """The sums yₖ of the elements up to the k-th; the derivative of yₖ is 1 for each of these elements.

    Booleans and small integers are added up in int64; `dtype` converts first.

    Raises:
        DimensionError: without a dimension, or with one that is out of range.

    >>> cumsum(tensor([1.0, 2.0, 3.0]), dim=0)
    tensor([1., 3., 6.])
    """
    return along(scans.cumsum, input, axis if dim is None else dim, dtype, "cumsum")


def cumprod(input: Tensor, dim: Any = None, dtype: Any = None, *, axis: Any = None) -> Tensor:
    """The products yₖ of the elements up to the k-th; the derivative of yₖ is the product of the other k − 1.

    Nothing is divided by an element, so that it is right beside zeros too. `dtype` converts first.

    Raises:
        DimensionError: without a dimension, or with one that is out of range.

    >>> cumprod(tensor([1.0, 2.0, 3.0, 4.0]), dim=0)
    tensor([ 1.,  2.,  6., 24.])
    """
    return along(scans.cumprod, input, axis if dim is None else dim, dtype, "cumprod")


cumulative_sum, cumulative_prod = cumsum, cumprod
