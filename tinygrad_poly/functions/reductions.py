"""Reductions: many numbers to one.

`dim` is one dimension, several, or None for all; negative ones count from the end. The reduced
dimensions are dropped, or kept with length 1 where `keepdim`. `axis` and `keepdims` are NumPy's
names for the two. A 0-d tensor may be reduced over "its" dimension 0 or −1.
"""

from typing import Any, NamedTuple

from tinygrad_poly.derivatives import piecewise, reductions, scans
from tinygrad_poly.engine import arrays
from tinygrad_poly.engine.apply import apply_operation, apply_unary, checked, wrap
from tinygrad_poly.engine.arrays import HALF
from tinygrad_poly.engine.errors import ShapeError
from tinygrad_poly.engine.operation import Operation
from tinygrad_poly.functions._shared import (
    Tensor,
    as_number,
    as_printed,
    check_floating,
    check_nonempty,
    reduced,
    signed,
)
from tinygrad_poly.functions.elementwise import sqrt, where


class Extremes(NamedTuple):
    """The result of `aminmax`."""

    min: Tensor
    max: Tensor

    def __repr__(self) -> str:
        return as_printed(self, "aminmax")


def sum(
    input: Tensor,
    dim: Any = None,
    keepdim: bool = False,
    *,
    dtype: Any = None,
    axis: Any = None,
    keepdims: bool = False,
) -> Tensor:
    """The sum Σᵢ xᵢ over `dim` (one dimension, several, or all); the derivative is 1 for each element.

    The sum of nothing is 0. Booleans and small integers are added up in int64; `dtype` converts first.

    Raises:
        DimensionError: for a dimension out of range or named twice.

    >>> sum(tensor([[1.0, 2.0], [3.0, 4.0]]), dim=0)
    tensor([4., 6.])
    """
    checked(input, "sum")
    if dtype is not None:
        input = input.to(dtype=dtype)
    axes = None if dim is None is axis else reduced(input, dim, axis, "sum")
    result = apply_unary(reductions.sum, input, axes, keepdim or keepdims)
    if dtype is not None:
        return result.to(dtype=dtype)
    return result if result.array.dtype is input.array.dtype else signed(result)


def mean(
    input: Tensor,
    dim: Any = None,
    keepdim: bool = False,
    *,
    dtype: Any = None,
    axis: Any = None,
    keepdims: bool = False,
) -> Tensor:
    """The average x̄ over `dim`; the derivative is 1/n for each of the n elements averaged.

    The mean of nothing is NaN. `dtype` converts first.

    Raises:
        DtypeError: for integers, whose mean is none.
        DimensionError: for a dimension out of range or named twice.

    >>> mean(tensor([1.0, 2.0, 6.0]))
    tensor(3.)
    """
    checked(input, "mean")
    if dtype is not None:
        input = input.to(dtype=dtype)
    axes = None if dim is None is axis else reduced(input, dim, axis, "mean")
    result = apply_unary(reductions.mean, input, axes, keepdim or keepdims)
    # Only the mean of integers is in another dtype than they are.
    if result.array.dtype is not input.array.dtype:
        check_floating(input, "mean")
    return result


def prod(
    input: Tensor,
    dim: Any = None,
    keepdim: bool = False,
    *,
    dtype: Any = None,
    axis: Any = None,
    keepdims: bool = False,
) -> Tensor:
    """The product x₁ ⋯ xₙ over `dim`; the derivative for each element is the product of the others.

    Nothing is divided by an element, so that it is right beside zeros too. The product of nothing is 1.
    Booleans and small integers are multiplied in int64; `dtype` converts first.

    Raises:
        DimensionError: for a dimension out of range or named twice.

    >>> prod(tensor([[1.0, 2.0], [3.0, 4.0]]), dim=1)
    tensor([ 2., 12.])
    """
    if dtype is not None:
        input = checked(input, "prod").to(dtype=dtype)
    axes = reduced(checked(input, "prod"), dim, axis, "prod")
    result = apply_unary(scans.prod, input, axes, keepdim or keepdims)
    if dtype is not None:
        return result.to(dtype=dtype)
    return result if result.array.dtype is input.array.dtype else signed(result)


def nansum(
    input: Tensor, dim: Any = None, keepdim: bool = False, *, axis: Any = None, keepdims: bool = False
) -> Tensor:
    """The sum of the elements that are not NaN, with derivative 1 for them and 0 for the others.

    >>> nansum(tensor([1.0, float("nan"), 2.0]))
    tensor(3.)
    """
    axes = reduced(checked(input, "nansum"), dim, axis, "nansum")
    return signed(apply_unary(reductions.sum, where(input == input, input, 0), axes, keepdim or keepdims))


def nanmean(
    input: Tensor, dim: Any = None, keepdim: bool = False, *, axis: Any = None, keepdims: bool = False
) -> Tensor:
    """The mean of the m elements that are not NaN, with derivative 1/m for them and 0 for the others.

    Raises:
        DtypeError: for integers, whose mean is none.

    >>> nanmean(tensor([1.0, float("nan"), 2.0]))
    tensor(1.5000)
    """
    check_floating(checked(input, "nanmean"), "nanmean")
    axes, keeps = reduced(input, dim, axis, "nanmean"), keepdim or keepdims
    if input.array.dtype is HALF:
        # It does not hold the number of elements above 2048.
        return nanmean(input.float(), axes, keeps).to(dtype=HALF)
    kept = sum((input == input).to(dtype=input.dtype), axes, keeps)
    return nansum(input, axes, keeps) / kept


def _spread(
    row: Operation, input: Tensor, dim: Any, axis: Any, unbiased: bool | None, keepdim: bool, correction: Any, name: str
) -> Tensor:
    check_floating(checked(input, name), name)
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    correction = as_number(correction if unbiased is None else int(unbiased), name, "correction")
    return apply_unary(row, input, reduced(input, dim, axis, name), keepdim, 1 if correction is None else correction)


def var(
    input: Tensor,
    dim: Any = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = 1,
    axis: Any = None,
    keepdims: bool = False,
) -> Tensor:
    """The variance Σᵢ (xᵢ − x̄)²/(n − c) over `dim`, with derivative 2 (xᵢ − x̄)/(n − c).

    c is `correction`; `unbiased=False` is an older way to say `correction=0`. NaN for n ≤ c.

    Raises:
        DtypeError: for integers.
        DimensionError: for a dimension out of range or named twice.

    >>> var(tensor([1.0, 2.0, 3.0, 6.0]), correction=0)
    tensor(3.5000)
    """
    return _spread(reductions.var, input, dim, axis, unbiased, keepdim or keepdims, correction, "var")


def std(
    input: Tensor,
    dim: Any = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = 1,
    axis: Any = None,
    keepdims: bool = False,
) -> Tensor:
    """The standard deviation y, the root of `var`, with derivative (xᵢ − x̄)/((n − c) y).

    Where all xᵢ are equal there is no derivative: it is given as 0.

    Raises:
        DtypeError: for integers.
        DimensionError: for a dimension out of range or named twice.

    >>> std(tensor([1.0, 3.0, 5.0]))
    tensor(2.)
    """
    return _spread(reductions.std, input, dim, axis, unbiased, keepdim or keepdims, correction, "std")


def amax(input: Tensor, dim: Any = None, keepdim: bool = False, *, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The largest element over `dim`; the derivative is 1 for it and 0 for the others.

    Where k elements are the largest there is no derivative: each is given 1/k. (`max` over one dimension
    gives the first of them all of it.)

    Raises:
        ShapeError: for a dimension of length 0.
        DimensionError: for a dimension out of range or named twice.

    >>> amax(tensor([[1.0, 2.0], [4.0, 3.0]]), dim=1)
    tensor([2., 4.])
    """
    return _extreme(reductions.amax, input, axis if dim is None else dim, keepdim or keepdims, "amax")


def amin(input: Tensor, dim: Any = None, keepdim: bool = False, *, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The smallest element over `dim`; the derivative is 1 for it and 0 for the others.

    Where k elements are the smallest there is no derivative: each is given 1/k. (`min` over one dimension
    gives the first of them all of it.)

    Raises:
        ShapeError: for a dimension of length 0.
        DimensionError: for a dimension out of range or named twice.

    >>> amin(tensor([[1.0, 2.0], [4.0, 3.0]]), dim=1)
    tensor([1., 3.])
    """
    return _extreme(reductions.amin, input, axis if dim is None else dim, keepdim or keepdims, "amin")


def _extreme(row: Operation, input: Tensor, dim: Any, keepdim: bool, name: str) -> Tensor:
    axes = reduced(checked(input, name), dim, None, name)
    check_nonempty(input, axes, name)
    return apply_unary(row, input, axes, keepdim)


def aminmax(input: Tensor, *, dim: Any = None, keepdim: bool = False) -> Extremes:
    """The results of `amin` and `amax`, together.

    >>> aminmax(tensor([3.0, 1.0, 2.0]))
    torch.return_types.aminmax(
    min=tensor(1.),
    max=tensor(3.))
    """
    smallest = _extreme(reductions.amin, input, dim, keepdim, "aminmax")
    return Extremes(smallest, _extreme(reductions.amax, input, dim, keepdim, "aminmax"))


def any(input: Tensor, dim: Any = None, keepdim: bool = False, *, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Whether any element over `dim` differs from 0; False for no elements. It has no derivative.

    >>> any(tensor([[0, 1], [0, 0]]), dim=1)
    tensor([ True, False])
    """
    axes = reduced(checked(input, "any"), dim, axis, "any")
    return wrap(arrays.namespace(input.array).any(input.array != 0, axis=axes, keepdims=keepdim or keepdims), None)


def all(input: Tensor, dim: Any = None, keepdim: bool = False, *, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Whether every element over `dim` differs from 0; True for no elements. It has no derivative.

    >>> all(tensor([[0, 1], [1, 1]]), dim=1)
    tensor([False,  True])
    """
    axes = reduced(checked(input, "all"), dim, axis, "all")
    return wrap(arrays.namespace(input.array).all(input.array != 0, axis=axes, keepdims=keepdim or keepdims), None)


def count_nonzero(
    input: Tensor, dim: Any = None, keepdim: bool = False, *, axis: Any = None, keepdims: bool = False
) -> Tensor:
    """The number of elements over `dim` that differ from 0, in int64. It has no derivative.

    >>> count_nonzero(tensor([[0, 1], [1, 1]]), dim=1)
    tensor([1, 2])
    """
    axes = reduced(checked(input, "count_nonzero"), dim, axis, "count_nonzero")
    nonzero = arrays.astype(input.array != 0, arrays.namespace(input.array).int64)
    return wrap(arrays.total(nonzero, axes, keepdim or keepdims), None)


def mse_loss(input: Tensor, target: Tensor) -> Tensor:
    """The mean of (input − target)², a scalar, with derivative 2 (input − target)/n.

    >>> mse_loss(tensor([1.0, 2.0]), tensor([1.0, 4.0]))
    tensor(2.)
    """
    return apply_operation(reductions.mse_loss, checked(input, "mse_loss"), checked(target, "mse_loss"))


def var_mean(input: Tensor, dim: Any = None, **options: Any) -> tuple[Tensor, Tensor]:
    """The results of `var` and of `mean` over the same dimensions.

    >>> var_mean(tensor([1.0, 3.0]))
    (tensor(2.), tensor(2.))
    """
    return _with_mean(var, input, dim, options)


def std_mean(input: Tensor, dim: Any = None, **options: Any) -> tuple[Tensor, Tensor]:
    """The results of `std` and of `mean` over the same dimensions.

    >>> std_mean(tensor([1.0, 1.0]))
    (tensor(0.), tensor(1.))
    """
    return _with_mean(std, input, dim, options)


def _with_mean(spread: Any, input: Tensor, dim: Any, options: Any) -> tuple[Tensor, Tensor]:
    kept = {key: options[key] for key in ("keepdim", "axis", "keepdims") if key in options}
    return spread(input, dim, **options), mean(input, None if isinstance(dim, bool) else dim, **kept)


def cov(input: Tensor, *, correction: int = 1, fweights: Any = None, aweights: Any = None) -> Tensor:
    """The covariances Σₖ wₖ (xᵢₖ − x̄ᵢ)(xⱼₖ − x̄ⱼ)/n of the rows of a matrix (of a vector: its variance).

    Args:
        input: a vector, or a matrix with a variable in each row.
        correction: what is taken from the number of observations, as in `var`.
        fweights: how often each observation counts, in integers.
        aweights: how much each counts.

    Raises:
        ShapeError: for more than two dimensions.

    >>> cov(tensor([[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]]))
    tensor([[ 1., -1.],
            [-1.,  1.]])
    """
    if checked(input, "cov").ndim > 2:
        raise ShapeError(f"cov: expected a vector or a matrix, and the shape is {input.shape}")
    rows = input.to(arrays.get_default_dtype()) if not arrays.is_floating(input.dtype) else input
    rows = rows.reshape(-1, rows.shape[-1] if rows.ndim else 1)
    w = rows[0].detach() * 0 + 1
    for weights in (fweights, aweights):
        w = w if weights is None else w * weights
    total, left = sum(w), sum(w * (1 if aweights is None else aweights))
    deviations = rows - (sum(rows * w, 1) / total)[:, None]
    size = total - correction * left / total if aweights is not None else total - correction
    result = (deviations * w) @ deviations.mT / where(size > 0, size, 0.0)
    return result if input.ndim == 2 else result.reshape(())


def corrcoef(input: Tensor) -> Tensor:
    """The correlations cᵢⱼ/√(cᵢᵢ cⱼⱼ) of the rows of a matrix, with c from `cov`.

    >>> corrcoef(tensor([[0.0, 1.0, 2.0], [4.0, 2.0, 0.0]]))
    tensor([[ 1., -1.],
            [-1.,  1.]])
    """
    c = cov(input)
    if not c.ndim:
        return c / c
    spreads = sqrt(c.diagonal())
    return apply_operation(piecewise.clamp, c / spreads[:, None] / spreads, -1, 1)
