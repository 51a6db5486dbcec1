"""Functions along one dimension that keep the shape: running sums and products, and softmax.

`axis` is NumPy's name for `dim`. A 0-d tensor counts as one of length 1, with dimension 0 or −1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinygrad_poly.arrays import normalize_axes
from tinygrad_poly.derivatives import scans
from tinygrad_poly.derivatives import softmax as softmaxes
from tinygrad_poly.derivatives.operation import Operation
from tinygrad_poly.errors import DimensionError
from tinygrad_poly.functions.reductions import check_floating
from tinygrad_poly.functions.shapes import reshape
from tinygrad_poly.operators import apply_unary, checked

if TYPE_CHECKING:
    from tinygrad_poly.tensor import Tensor

__all__ = [
    "cumprod",
    "cumsum",
    "cumulative_prod",
    "cumulative_sum",
    "log_softmax",
    "softmax",
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


def _along(row: Operation, input: Tensor, dim: Any, dtype: Any, name: str) -> Tensor:
    axis = one_axis(input, dim, name)
    if dtype is not None:
        input = input.to(dtype=dtype)
    if row is softmaxes.softmax or row is softmaxes.log_softmax:
        check_floating(input, name)
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
    return _along(scans.cumsum, input, axis if dim is None else dim, dtype, "cumsum")


def cumprod(input: Tensor, dim: Any = None, dtype: Any = None, *, axis: Any = None) -> Tensor:
    """The products yₖ of the elements up to the k-th; the derivative of yₖ is the product of the other k − 1.

    Nothing is divided by an element, so that it is right beside zeros too. `dtype` converts first.

    Raises:
        DimensionError: without a dimension, or with one that is out of range.

    >>> cumprod(tensor([1.0, 2.0, 3.0, 4.0]), dim=0)
    tensor([ 1.,  2.,  6., 24.])
    """
    return _along(scans.cumprod, input, axis if dim is None else dim, dtype, "cumprod")


cumulative_sum, cumulative_prod = cumsum, cumprod


def softmax(input: Tensor, dim: Any = None, dtype: Any = None, *, axis: Any = None) -> Tensor:
    """yᵢ = exp xᵢ/Σⱼ exp xⱼ along `dim`, with derivative ∂yᵢ/∂xⱼ = yᵢ (δᵢⱼ − yⱼ); no exponential overflows.

    NaN where all xᵢ are −∞ or one is ∞.

    Raises:
        DtypeError: for integers.
        DimensionError: without a dimension, or with one that is out of range.

    >>> softmax(tensor([0.0, 0.0, 1000.0, 1000.0]), dim=0)
    tensor([0.0000, 0.0000, 0.5000, 0.5000])
    """
    return _along(softmaxes.softmax, input, axis if dim is None else dim, dtype, "softmax")


def log_softmax(input: Tensor, dim: Any = None, dtype: Any = None, *, axis: Any = None) -> Tensor:
    """The logarithm yᵢ = xᵢ − log Σⱼ exp xⱼ of `softmax`, with derivative ∂yᵢ/∂xⱼ = δᵢⱼ − exp yⱼ.

    More accurate than log(softmax(x)), which is −∞ where the softmax is too small a number.
    NaN where all xᵢ are −∞ or one is ∞.

    Raises:
        DtypeError: for integers.
        DimensionError: without a dimension, or with one that is out of range.

    >>> log_softmax(tensor([0.0, 1000.0]), dim=0)
    tensor([-1000.,     0.])
    """
    return _along(softmaxes.log_softmax, input, axis if dim is None else dim, dtype, "log_softmax")
