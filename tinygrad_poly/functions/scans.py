"""Cumulative sums and products along one dimension.

`axis` is NumPy's name for `dim`. A 0-d tensor counts as one of length 1, with dimension 0 or −1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinygrad_poly.derivatives import scans
from tinygrad_poly.functions._shared import along

if TYPE_CHECKING:
    from tinygrad_poly.tensor import Tensor


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
