"""Softmax, its logarithm, and the logarithm of a sum of exponentials.

`axis` is NumPy's name for `dim`. A 0-d tensor counts as one of length 1, with dimension 0 or −1.
"""

from typing import Any

from tinygrad_poly.derivatives import softmax as rows
from tinygrad_poly.engine.apply import apply_unary, checked
from tinygrad_poly.engine.operation import Operation
from tinygrad_poly.functions._shared import Tensor, along, check_floating, one_axis, reduced


def _floating(row: Operation, input: Tensor, dim: Any, dtype: Any, name: str) -> Tensor:
    one_axis(input, dim, name)
    check_floating(input if dtype is None else input.to(dtype=dtype), name)
    return along(row, input, dim, dtype, name)


def softmax(input: Tensor, dim: Any = None, dtype: Any = None, *, axis: Any = None) -> Tensor:
    """yᵢ = exp xᵢ/Σⱼ exp xⱼ along `dim`, with derivative ∂yᵢ/∂xⱼ = yᵢ (δᵢⱼ − yⱼ); no exponential overflows.

    NaN where all xᵢ are −∞ or one is ∞.

    Raises:
        DtypeError: for integers.
        DimensionError: without a dimension, or with one that is out of range.

    >>> softmax(tensor([0.0, 0.0, 1000.0, 1000.0]), dim=0)
    tensor([0.0000, 0.0000, 0.5000, 0.5000])
    """
    return _floating(rows.softmax, input, axis if dim is None else dim, dtype, "softmax")


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
    return _floating(rows.log_softmax, input, axis if dim is None else dim, dtype, "log_softmax")


def logsumexp(
    input: Tensor, dim: Any = None, keepdim: bool = False, *, axis: Any = None, keepdims: bool = False
) -> Tensor:
    """The logarithm y = log Σᵢ exp xᵢ over `dim`, with derivative exp(xᵢ − y); no exponential overflows.

    −∞ for no elements and for elements that are all −∞, where the derivative is NaN.

    Raises:
        DimensionError: for a dimension out of range or named twice.

    >>> logsumexp(tensor([1000.0, 1000.0]))
    tensor(1000.6932)
    """
    axes = reduced(checked(input, "logsumexp"), dim, axis, "logsumexp")
    return apply_unary(rows.logsumexp, input, axes, keepdim or keepdims)
