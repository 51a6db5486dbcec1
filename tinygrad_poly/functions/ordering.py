"""Sorting, and selecting elements by size, with their positions.

`axis` is NumPy's name for `dim`. A 0-d tensor counts as one of length 1, with dimension 0 or −1.
NaN counts as the largest number in an order, and is the result of `max`, `min` and `median` where one
is among the elements. Indices are int64 and have no derivative.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple, overload

import numpy as np

from tinygrad_poly.derivatives import ordering, reductions
from tinygrad_poly.derivatives.indexing import at as along_axis
from tinygrad_poly.engine import arrays
from tinygrad_poly.engine.apply import apply_unary, checked, wrap
from tinygrad_poly.engine.arrays import Array, astype, is_floating, namespace
from tinygrad_poly.engine.errors import ShapeError
from tinygrad_poly.engine.operation import Operation
from tinygrad_poly.functions import arithmetic
from tinygrad_poly.functions._shared import Tensor, as_printed, at_least_1d, check_floating, check_nonempty, one_axis
from tinygrad_poly.functions.elementwise import where
from tinygrad_poly.functions.indexing import take_along_dim
from tinygrad_poly.functions.shapes import movedim, reshape


class ValuesAndIndices(NamedTuple):
    """Elements, and their positions along the dimension."""

    values: Tensor
    indices: Tensor

    def __repr__(self) -> str:
        return as_printed(self, type(self).__name__)

    def __reduce__(self) -> Any:
        return _result, (type(self).__name__, *self)


@functools.cache
def _kind(name: str) -> type[ValuesAndIndices]:
    return type(name, (ValuesAndIndices,), {"__slots__": (), "__doc__": ValuesAndIndices.__doc__})


def _result(name: str, values: Tensor, indices: Tensor) -> ValuesAndIndices:
    """The pair as the function `name` returns it, which is seen when it is printed."""
    return _kind(name)(values, indices)


def _as_given(result: Tensor, input: Tensor) -> Tensor:
    """The result, as a 0-d tensor if `input` is 0-d and was treated as a vector."""
    return result if input.ndim else reshape(result, ())


def _picked(input: Tensor, dim: Any, keepdim: bool, name: str, row: Operation, find: Callable[..., Array]) -> Any:
    """An element of each row: of all elements by `row`, or at the place that `find` gives of an array and its axis."""
    if dim is None:
        check_nonempty(checked(input, name), None, name)
        return apply_unary(row, input)
    axis, raised = one_axis(input, dim, name), at_least_1d(input)
    check_nonempty(raised, (axis,), name)
    index = find(raised.array, axis)
    values = apply_unary(ordering.pick, raised, index, axis)
    shape = (*index.shape[:axis], *[1] * keepdim, *index.shape[axis + 1 :]) if input.ndim else ()
    return _result(name, reshape(values, shape), reshape(wrap(index, None), shape))


def _largest(array: Array, axis: int | None, keepdims: bool = True) -> Array:
    return namespace(array).argmax(array, axis=axis, keepdims=keepdims)


def _smallest(array: Array, axis: int | None, keepdims: bool = True) -> Array:
    return namespace(array).argmin(array, axis=axis, keepdims=keepdims)


def _middle(array: Array, axis: int) -> Array:
    order = arrays.library(array).order(array, axis)
    middle = (order.shape[axis] - 1) // 2
    index = order[along_axis(axis, slice(middle, middle + 1))]
    if not is_floating(array.dtype):
        return index
    nan = astype(array != array, array.dtype)
    xp = namespace(array)
    return xp.where(xp.max(nan, axis=axis, keepdims=True) > 0, _largest(nan, axis), index)


@overload
def max(input: Tensor) -> Tensor: ...


@overload
def max(input: Tensor, dim: Any = None, keepdim: bool = False, *, axis: Any = None, keepdims: bool = False) -> Any: ...


def max(input: Tensor, dim: Any = None, keepdim: bool = False, *, axis: Any = None, keepdims: bool = False) -> Any:
    """The largest element: of all, or along one dimension with its index, or of two tensors.

    - `max(x)` is a tensor. Where k elements are the largest there is no derivative: each is given 1/k.
    - `max(x, dim)` is the pair (values, indices). Of equal elements the first is found, and it is
      given all of the derivative.
    - `max(x, other)` is `maximum(x, other)`, element by element.

    Raises:
        ShapeError: for no elements.
        DimensionError: for a dimension out of range, or several (see `amax`).

    >>> max(tensor([3.0, 7.0, 5.0]))
    tensor(7.)
    >>> max(tensor([[3.0, 7.0, 5.0]]), dim=1)
    torch.return_types.max(
    values=tensor([7.]),
    indices=tensor([1]))
    """
    dim = axis if dim is None else dim
    if hasattr(dim, "array"):
        return arithmetic.maximum(input, dim)
    return _picked(input, dim, keepdim or keepdims, "max", reductions.max_of_all, _largest)


@overload
def min(input: Tensor) -> Tensor: ...


@overload
def min(input: Tensor, dim: Any = None, keepdim: bool = False, *, axis: Any = None, keepdims: bool = False) -> Any: ...


def min(input: Tensor, dim: Any = None, keepdim: bool = False, *, axis: Any = None, keepdims: bool = False) -> Any:
    """The smallest element: of all, or along one dimension with its index, or of two tensors.

    - `min(x)` is a tensor. Where k elements are the smallest there is no derivative: each is given 1/k.
    - `min(x, dim)` is the pair (values, indices). Of equal elements the first is found, and it is
      given all of the derivative.
    - `min(x, other)` is `minimum(x, other)`, element by element.

    Raises:
        ShapeError: for no elements.
        DimensionError: for a dimension out of range, or several (see `amin`).

    >>> min(tensor([3.0, 7.0, 5.0]))
    tensor(3.)
    >>> min(tensor([[3.0, 7.0, 5.0]]), dim=1)
    torch.return_types.min(
    values=tensor([3.]),
    indices=tensor([0]))
    """
    dim = axis if dim is None else dim
    if hasattr(dim, "array"):
        return arithmetic.minimum(input, dim)
    return _picked(input, dim, keepdim or keepdims, "min", reductions.min_of_all, _smallest)


@overload
def median(input: Tensor) -> Tensor: ...


@overload
def median(
    input: Tensor, dim: Any = None, keepdim: bool = False, *, axis: Any = None, keepdims: bool = False
) -> Any: ...


def median(input: Tensor, dim: Any = None, keepdim: bool = False, *, axis: Any = None, keepdims: bool = False) -> Any:
    """The middle element in order of size; of two in the middle the smaller, as in torch.

    `median(x)` is a tensor; `median(x, dim)` is the pair (values, indices). The derivative is 1 for
    that element. Of k equal to it, `median(x)` gives each 1/k, and `median(x, dim)` gives one all.

    Raises:
        ShapeError: for no elements.
        DimensionError: for a dimension out of range, or several.

    >>> median(tensor([4.0, 1.0, 3.0, 2.0]))
    tensor(2.)
    """
    dim = axis if dim is None else dim
    return _picked(input, dim, keepdim or keepdims, "median", reductions.median_of_all, _middle)


def _place(input: Tensor, dim: Any, keepdim: bool, name: str, find: Callable[..., Array]) -> Tensor:
    at = None if dim is None else one_axis(input, dim, name)
    raised = at_least_1d(checked(input, name))
    check_nonempty(raised, None if at is None else (at,), name)
    found = find(raised.array, at, keepdim)
    return _as_given(wrap(namespace(found).asarray(found), None), input)


def argmax(
    input: Tensor, dim: Any = None, keepdim: bool = False, *, axis: Any = None, keepdims: bool = False
) -> Tensor:
    """The position of the largest element along `dim`, or in the flattened tensor; the first of equal ones.

    Raises:
        ShapeError: for no elements.
        DimensionError: for a dimension out of range.

    >>> argmax(tensor([[3.0, 7.0], [5.0, 1.0]]), dim=1)
    tensor([1, 0])
    """
    return _place(input, axis if dim is None else dim, keepdim or keepdims, "argmax", _largest)


def argmin(
    input: Tensor, dim: Any = None, keepdim: bool = False, *, axis: Any = None, keepdims: bool = False
) -> Tensor:
    """The position of the smallest element along `dim`, or in the flattened tensor; the first of equal ones.

    Raises:
        ShapeError: for no elements.
        DimensionError: for a dimension out of range.

    >>> argmin(tensor([[3.0, 7.0], [5.0, 1.0]]), dim=1)
    tensor([0, 1])
    """
    return _place(input, axis if dim is None else dim, keepdim or keepdims, "argmin", _smallest)


def _order(array: Array, axis: int, descending: bool) -> Array:
    """The indices that sort `array`; equal elements keep their order, also where it is descending."""
    if not descending:
        return arrays.library(array).order(array, axis)
    xp = namespace(array)
    return array.shape[axis] - 1 - xp.flip(arrays.library(array).order(xp.flip(array, axis=axis), axis), axis=axis)


def sort(
    input: Tensor, dim: Any = -1, descending: bool = False, stable: bool = True, *, axis: Any = None
) -> ValuesAndIndices:
    """The elements in order along `dim`, and their old positions, to which the derivative goes back.

    The order is always stable: equal elements stay as they were. NaN is the largest.

    Raises:
        DimensionError: for a dimension out of range.

    >>> sort(tensor([3.0, 1.0, 2.0]))
    torch.return_types.sort(
    values=tensor([1., 2., 3.]),
    indices=tensor([1, 2, 0]))
    """
    at = one_axis(input, dim if axis is None else axis, "sort")
    raised = at_least_1d(input)
    order = _order(raised.array, at, descending)
    inverse = namespace(order).argsort(order, axis=at) if raised.requires_grad else None
    values, indices = apply_unary(ordering.rearrange, raised, order, inverse, at), wrap(order, None)
    return _result("sort", _as_given(values, input), _as_given(indices, input))


def argsort(input: Tensor, dim: Any = -1, descending: bool = False, stable: bool = True, *, axis: Any = None) -> Tensor:
    """The indices that `sort` returns.

    Raises:
        DimensionError: for a dimension out of range.

    >>> argsort(tensor([3.0, 1.0, 2.0]), descending=True)
    tensor([0, 2, 1])
    """
    at = one_axis(input, dim if axis is None else axis, "argsort")
    return _as_given(wrap(_order(at_least_1d(input).array, at, descending), None), input)


def topk(
    input: Tensor, k: int, dim: Any = -1, largest: bool = True, sorted: bool = True, *, axis: Any = None
) -> ValuesAndIndices:
    """The k largest (or smallest) elements along `dim` in order, and their positions.

    The derivative goes back to where they were. The result is sorted whatever `sorted` says.

    Raises:
        ShapeError: for k below 0 or above the length of the dimension.
        DimensionError: for a dimension out of range.

    >>> topk(tensor([3.0, 1.0, 2.0]), 2)
    torch.return_types.topk(
    values=tensor([3., 2.]),
    indices=tensor([0, 2]))
    """
    at = one_axis(input, dim if axis is None else axis, "topk")
    length = at_least_1d(input).shape[at]
    if not isinstance(k, int) or not 0 <= k <= length:
        raise ShapeError(f"topk: k must be a whole number from 0 to {length}, the length of dimension {at}, not {k}")
    raised = at_least_1d(input)
    found = _ends(raised.array, k, at, largest)
    if found is not None:
        return _result("topk", take_along_dim(raised, wrap(found, None), at), wrap(found, None))
    values, indices = (x[along_axis(at, slice(k))] for x in sort(raised, at, descending=largest))
    if not k:
        return _result("topk", values, indices)
    return _result("topk", _as_given(values, input), _as_given(indices, input))


def _ends(array: Array, k: int, axis: int, largest: bool) -> Array | None:
    """The indices of the k first elements in order, of long rows; else None.

    A row's 4k parts have 4k largest elements, and the k-th of these is a bound: k elements at least are not below it.
    In NumPy's memory, where sorting takes long, only what is not below the bound is sorted.
    """
    length = array.shape[axis]
    if 0 < 16 * k <= length and array.size > 4096 and arrays.library(array) is arrays.NUMPY:
        moved = np.moveaxis(array, axis, -1)
        rows = moved.reshape(-1, length)
        parts = rows[:, : length // (4 * k) * 4 * k].reshape(len(rows), 4 * k, -1)
        best = np.sort(parts.max(-1) if largest else parts.min(-1))
        bound = best[:, [-k if largest else k - 1]]
        chosen = ~(rows < bound) if largest else rows <= bound
        counts = np.count_nonzero(chosen, axis=1)
        # Equal elements may all be chosen, and all are if the bound is NaN.
        if counts.max() <= length // 4:
            row, column = np.nonzero(chosen)
            slot = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
            found = np.zeros((len(rows), counts.max()), np.int64)
            values = np.broadcast_to(bound, found.shape).copy()
            found[row, slot], values[row, slot] = column, rows[row, column]
            first = np.take_along_axis(found, _order(values, 1, largest)[:, :k], 1)
            return np.moveaxis(first.reshape(*moved.shape[:-1], k), -1, axis)
    return None


def quantile(
    input: Tensor, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear"
) -> Tensor:
    """The numbers below which the fractions q of the elements lie: at q (n − 1) in their order, between neighbours.

    The derivative goes to the elements that were taken. NaN where one is among the elements.

    Args:
        input: a floating-point tensor.
        q: a number from 0 to 1, or a vector of them, which becomes the first dimension of the result.
        dim: the dimension; without one, all elements.
        keepdim: keep it with length 1.
        interpolation: "linear", "lower", "higher", "midpoint" or "nearest".

    Raises:
        ValueError: for q outside 0 to 1, or another interpolation.
        ShapeError: for no elements.

    >>> quantile(tensor([1.0, 2.0, 4.0]), 0.75)
    tensor(3.)
    """
    return _quantile(input, q, dim, keepdim, interpolation, False)


def nanquantile(
    input: Tensor, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear"
) -> Tensor:
    """The `quantile` of the elements that are not NaN; NaN where all are.

    >>> nanquantile(tensor([1.0, float("nan"), 3.0]), 0.5)
    tensor(2.)
    """
    return _quantile(input, q, dim, keepdim, interpolation, True)


_BETWEEN = {
    "linear": lambda t, xp: t, "lower": lambda t, xp: t * 0, "higher": lambda t, xp: xp.ceil(t),
    "midpoint": lambda t, xp: xp.ceil(t) / 2, "nearest": lambda t, xp: xp.round(t),
}  # fmt: skip


def _quantile(input: Tensor, q: Any, dim: int | None, keepdim: bool, interpolation: str, skips: bool) -> Tensor:
    check_floating(checked(input, "quantile"), "quantile")
    if interpolation not in _BETWEEN:
        raise ValueError(f"quantile: interpolation must be one of {', '.join(_BETWEEN)}, not {interpolation!r}")
    at = 0 if dim is None else one_axis(input, dim, "quantile")
    x = reshape(input, -1) if dim is None else at_least_1d(input)
    check_nonempty(x, (at,), "quantile")
    xp = namespace(x.array)
    fractions = xp.asarray(getattr(q, "array", q), dtype=x.dtype)
    if not bool(xp.all((fractions >= 0) & (fractions <= 1))):
        raise ValueError(f"quantile: q must be from 0 to 1, not {q}")
    ordered = movedim(sort(x, at).values, at, 0)
    missing = ordered.array != ordered.array
    # NaN is sorted to the end: what is left out is a shorter row.
    last = xp.sum(astype(~missing, x.dtype), axis=0, keepdims=True) - 1 if skips else x.shape[at] - 1
    place = xp.reshape(fractions, (-1, *[1] * (x.ndim - 1))) * last
    place = xp.where(place < 0, xp.zeros_like(place), place)
    place = xp.round(place) if interpolation == "nearest" else place
    place = xp.broadcast_to(place, (place.shape[0], *ordered.shape[1:]))
    lower = xp.floor(place)
    first, then = [take_along_dim(ordered, wrap(astype(i, xp.int64), None), 0) for i in (lower, xp.ceil(place))]
    result = arithmetic.lerp(first, then, wrap(_BETWEEN[interpolation](place - lower, xp), None))
    if not skips:
        result = where(wrap(xp.any(missing, axis=0), None), float("nan"), result)
    shape = result.shape[1:] if dim is not None else ()
    kept = (*shape[:at], *([1] if input.ndim else []), *shape[at:]) if dim is not None else (1,) * input.ndim
    return reshape(result, (*fractions.shape, *(kept if keepdim else shape if input.ndim else ())))


# Functions of numbers alone, computed by NumPy


def _by_numpy(function: Any, *given: Any, **options: Any) -> Any:
    """The results of NumPy's function for the numbers of tensors, as tensors on their device, without a gradient."""
    place = checked(next((x for x in given if hasattr(x, "array")), given[0]), function.__name__).device
    found = function(*[arrays.on_cpu(getattr(x, "array", x)) for x in given], **options)
    return [wrap(place.asarray(np.asarray(x)), None) for x in (found if isinstance(found, tuple) else (found,))]


def bincount(input: Tensor, weights: Any = None, minlength: int = 0) -> Tensor:
    """The counts of the numbers 0, 1, … in a vector of integers; or the sums of their `weights`.

    Raises:
        ValueError: for negative integers, or more than one dimension.

    >>> bincount(tensor([0, 2, 2]))
    tensor([1, 0, 2])
    """
    if checked(input, "bincount").ndim != 1 or is_floating(input.dtype) or (input.numel() and input.min().item() < 0):
        raise ValueError(f"bincount: expected a vector of integers from 0 on, not {input}")
    if weights is None:
        return _by_numpy(np.bincount, input, minlength=minlength)[0]  # type: ignore[no-any-return]
    found = _by_numpy(np.bincount, input, weights, minlength=minlength)[0]
    return found.to(weights.dtype) if is_floating(weights.dtype) else found  # type: ignore[no-any-return]


def unique(
    input: Tensor,
    sorted: bool = True,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Any:
    """The different elements in order (or, along `dim`, slices); with their places in the result, and their numbers.

    >>> unique(tensor([3, 1, 3]), return_counts=True)
    (tensor([1, 3]), tensor([1, 2]))
    """
    values, inverse, counts = _by_numpy(np.unique, input, return_inverse=True, return_counts=True, axis=dim)
    return _chosen(values, inverse.reshape(input.shape if dim is None else -1), counts, return_inverse, return_counts)


def _chosen(values: Tensor, inverse: Tensor, counts: Tensor, with_inverse: bool, with_counts: bool) -> Any:
    found = (values, *[inverse] * with_inverse, *[counts] * with_counts)
    return found if len(found) > 1 else values


def unique_consecutive(
    input: Tensor, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
) -> Any:
    """The elements (or, along `dim`, slices) without those that equal the one before them.

    >>> unique_consecutive(tensor([1, 1, 2, 1]))
    tensor([1, 2, 1])
    """

    def runs(array: Any) -> tuple[Any, Any, Any]:
        x = array.reshape(-1) if dim is None else np.moveaxis(array, dim, 0)
        new = np.ones(len(x), bool)
        new[1:] = (x[1:] != x[:-1]).any(axis=tuple(range(1, x.ndim)))
        starts = np.flatnonzero(new)
        kept = x[new] if dim is None else np.moveaxis(x[new], 0, dim)
        return kept, np.cumsum(new) - 1, np.diff(np.append(starts, len(x)))

    values, inverse, counts = _by_numpy(runs, input)
    inverse = inverse.reshape(input.shape) if dim is None else inverse
    return _chosen(values, inverse, counts, return_inverse, return_counts)


def histc(input: Tensor, bins: int = 100, min: float = 0, max: float = 0) -> Tensor:
    """The numbers of elements in equal intervals from `min` to `max`; if these are equal, from the least to the most.

    >>> histc(tensor([0.0, 1.0, 2.0]), bins=2, min=0, max=2)
    tensor([1., 2.])
    """
    lo, hi = (min, max) if min != max else (input.min().item(), input.max().item()) if input.numel() else (0, 1)
    ends = (lo, hi) if lo < hi else (lo - 1, hi + 1)
    return _by_numpy(lambda x: np.histogram(x, bins, ends)[0].astype(x.dtype), input)[0]  # type: ignore[no-any-return]


def searchsorted(
    sorted_sequence: Tensor, input: Any, *, out_int32: bool = False, right: bool = False, side: Any = None
) -> Tensor:
    """The places where `input` keeps a sorted sequence in order: before equal elements, or (`right`) after them.

    `side="right"` is another way to say `right`. Of several sequences, along the last dimension, each has its own row
    of `input`.

    Raises:
        ShapeError: where sequences and rows do not fit.

    >>> searchsorted(tensor([1, 3, 5]), tensor([3, 4]))
    tensor([1, 2])
    """
    side = side or ("right" if right else "left")

    def places(rows: Any, values: Any) -> Any:
        if rows.ndim == 1:
            return np.searchsorted(rows, values, side)
        if rows.shape[:-1] != values.shape[:-1]:
            raise ShapeError(f"searchsorted: sequences of shape {rows.shape} do not fit values of shape {values.shape}")
        found = np.empty(values.shape, np.int64)
        for i in np.ndindex(rows.shape[:-1]):
            found[i] = np.searchsorted(rows[i], values[i], side)
        return found

    return _by_numpy(places, sorted_sequence, input)[0].to(np.int32 if out_int32 else np.int64)  # type: ignore[no-any-return]


def bucketize(input: Any, boundaries: Tensor, *, out_int32: bool = False, right: bool = False) -> Tensor:
    """The intervals between sorted `boundaries` in which the elements lie: `searchsorted` with its arguments exchanged.

    >>> bucketize(tensor([0.5, 2.0]), tensor([1.0, 2.0]))
    tensor([0, 1])
    """
    return searchsorted(boundaries, input, out_int32=out_int32, right=right)


def isin(elements: Any, test_elements: Any, *, assume_unique: bool = False, invert: bool = False) -> Tensor:
    """Whether each element is among `test_elements`.

    >>> isin(tensor([1, 2, 3]), tensor([2, 5]))
    tensor([False,  True, False])
    """
    return _by_numpy(np.isin, elements, test_elements, invert=invert)[0]  # type: ignore[no-any-return]
