"""Cumulative sums, products and extremes along one dimension; differences and integrals.

`axis` is NumPy's name for `dim`. A 0-d tensor counts as one of length 1, with dimension 0 or −1.
"""

from typing import Any

import numpy as np

from tinygrad_poly.derivatives import scans
from tinygrad_poly.derivatives.indexing import at as along_axis
from tinygrad_poly.engine.apply import apply_operation, apply_unary, wrap
from tinygrad_poly.engine.arrays import library
from tinygrad_poly.functions._shared import Tensor, along, at_least_1d, one_axis
from tinygrad_poly.functions.comparisons import isfinite
from tinygrad_poly.functions.elementwise import exp, log, where
from tinygrad_poly.functions.indexing import take_along_dim
from tinygrad_poly.functions.joining import cat
from tinygrad_poly.functions.ordering import ValuesAndIndices, _result
from tinygrad_poly.functions.reductions import sum
from tinygrad_poly.functions.shapes import reshape


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


def _running(input: Tensor, dim: int, accumulate: Any, name: str) -> ValuesAndIndices:
    at = one_axis(input, dim, name)
    raised = at_least_1d(input)
    found = library(raised.array)
    array = found.on_cpu(raised.array)
    best = accumulate(array, at)
    positions = np.arange(array.shape[at]).reshape(-1, *[1] * (array.ndim - 1 - at))
    index = np.maximum.accumulate(np.where((array == best) | (array != array), positions, 0), at)
    values = take_along_dim(raised, wrap(found.xp.asarray(index), None), at)
    shape = input.shape
    return _result(name, reshape(values, shape), reshape(wrap(found.xp.asarray(index), None), shape))


def cummax(input: Tensor, dim: int) -> ValuesAndIndices:
    """The largest elements up to the k-th and their positions, of equal ones the last, which gets the derivative.

    NaN counts as the largest number.

    Raises:
        DimensionError: for a dimension that is out of range.

    >>> cummax(tensor([1.0, 3.0, 2.0]), 0).values
    tensor([1., 3., 3.])
    """
    return _running(input, dim, np.maximum.accumulate, "cummax")


def cummin(input: Tensor, dim: int) -> ValuesAndIndices:
    """The smallest elements up to the k-th and their positions, of equal ones the last, which gets the derivative.

    NaN counts as the smallest number.

    Raises:
        DimensionError: for a dimension that is out of range.

    >>> cummin(tensor([2.0, 1.0, 3.0]), 0).values
    tensor([2., 1., 1.])
    """
    return _running(input, dim, np.minimum.accumulate, "cummin")


def logcumsumexp(input: Tensor, dim: int) -> Tensor:
    """The logarithm of the sum of exp xᵢ up to the k-th, y, with derivative exp(xᵢ − yₖ); no exponential overflows.

    Raises:
        DimensionError: for a dimension that is out of range.

    >>> logcumsumexp(tensor([0.0, 0.0, 1000.0]), 0)
    tensor([0.0000e+00, 6.9315e-01, 1.0000e+03])
    """
    at, raised = one_axis(input, dim, "logcumsumexp"), at_least_1d(input)
    # y is the same for any m: that of the largest element so far keeps the exponentials of x − m and of its steps ≤ 1.
    m = cummax(raised.detach(), at).values
    m = where(isfinite(m), m, 0.0)
    links = exp(apply_unary(scans.shift, m, at, False, 0.0) - m)
    y = m + log(apply_operation(scans.recurrence, exp(raised - m), links, at, False))
    return reshape(y, input.shape)


def diff(input: Tensor, n: int = 1, dim: int = -1, prepend: Any = None, append: Any = None) -> Tensor:
    """The differences xₖ₊₁ − xₖ along `dim`, taken n times; `prepend` and `append` are joined to x first.

    Raises:
        DimensionError: for a dimension that is out of range.
        ValueError: for a negative n.

    >>> diff(tensor([1, 4, 9]))
    tensor([3, 5])
    """
    at = one_axis(input, dim, "diff")
    if n < 0:
        raise ValueError(f"diff: n is how often differences are taken, not {n}")
    x = cat([part for part in (prepend, input, append) if part is not None], at)
    for _ in range(min(n, x.shape[at])):
        after, before = x[along_axis(at, slice(1, None))], x[along_axis(at, slice(-1))]
        x = after ^ before if x.dtype == bool else after - before
    return x


def _areas(y: Tensor, x: Any, dx: Any, dim: int) -> tuple[Tensor, int]:
    """The areas of the trapezoids between neighbours, and the axis along which they lie."""
    at = one_axis(y, dim, "trapezoid")
    steps = dx if x is None else diff(x, dim=0 if x.ndim == 1 else dim)
    if getattr(steps, "ndim", 0) == 1:
        steps = reshape(steps, (-1, *[1] * (y.ndim - 1 - at)))
    return (y[along_axis(at, slice(1, None))] + y[along_axis(at, slice(-1))]) * steps / 2, at


def trapezoid(y: Tensor, x: Any = None, *, dx: Any = 1.0, dim: int = -1) -> Tensor:
    """The integral Σ (yₖ + yₖ₊₁)/2 · (xₖ₊₁ − xₖ) along `dim`, with steps of `dx` without x.

    >>> trapezoid(tensor([1.0, 2.0, 3.0]))
    tensor(4.)
    """
    return sum(*_areas(y, x, dx, dim))


trapz = trapezoid


def cumulative_trapezoid(y: Tensor, x: Any = None, *, dx: Any = 1.0, dim: int = -1) -> Tensor:
    """The integrals of `trapezoid` up to each point but the first.

    >>> cumulative_trapezoid(tensor([1.0, 2.0, 3.0]))
    tensor([1.5000, 4.0000])
    """
    return cumsum(*_areas(y, x, dx, dim))
