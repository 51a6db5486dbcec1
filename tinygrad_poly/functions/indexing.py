"""Indexing: functions that select elements, or return a tensor in which some are set.

Indices, lists and masks are constants for the derivative. Integers may be negative and count from the end, here also
where torch refuses them (gather, index_select).
"""

import itertools
import math
import operator
from typing import Any

import numpy as np

from tinygrad_poly.derivatives import indexing
from tinygrad_poly.engine import apply, arrays
from tinygrad_poly.engine.apply import apply_operation, apply_unary, checked, wrap
from tinygrad_poly.engine.arrays import Array, Index, Shape, is_floating, namespace
from tinygrad_poly.engine.errors import DtypeError, ShapeError
from tinygrad_poly.functions import reductions
from tinygrad_poly.functions._shared import Tensor, at_least_1d, broadcast_shape, check_condition, one_dim
from tinygrad_poly.functions.elementwise import where
from tinygrad_poly.functions.joining import cat
from tinygrad_poly.functions.shapes import expand, reshape
from tinygrad_poly.writing import FOLLOWS, Mode, assign, check_in_place, is_current_view, view, write

PLAIN = frozenset((int, slice, type(None), type(Ellipsis)))


def _constant(part: Any) -> Any:
    """A part of an index in a form that cannot change later, as the tape keeps it."""
    if type(part) is int:
        return part
    if isinstance(part, apply.tensor_class):
        part = part.array
    if type(part) is slice:
        ends = (part.start, part.stop, part.step)
        if all(end is None or type(end) is int for end in ends):
            return part
        # A tensor or array there could be changed before the backward pass.
        return slice(*[None if end is None else operator.index(end) for end in ends])
    if isinstance(part, np.ndarray) and not part.shape and part.dtype.kind in "iu":
        return int(part)
    # NumPy takes an empty list for one of floats, which are no indices.
    return np.array(part, np.intp if part == [] else None) if type(part) is list else arrays.own(part)


def _index(index: Any, shape: Shape) -> Index:
    """The index of an array of `shape` in a form that cannot change later, as the tape keeps it."""
    if not isinstance(index, tuple):
        return _constant(index)
    parts = tuple([_constant(part) for part in index])
    if PLAIN.issuperset(map(type, parts)):
        return parts
    parts = _without_ellipsis(parts, len(shape))
    return _in_torchs_order(parts, shape) if _stand_apart(parts) else parts


def _dims(part: Any) -> int:
    """The number of dimensions that a part of an index selects from."""
    if part is None:
        return 0
    return part.ndim if "bool" in str(getattr(part, "dtype", "")) else 1


def _without_ellipsis(parts: tuple[Any, ...], ndim: int) -> tuple[Any, ...]:
    """The parts with `...` replaced by slices; as in NumPy, it separates arrays even if it stands for none."""
    at = next((i for i, part in enumerate(parts) if part is Ellipsis), len(parts))
    others = sum(map(_dims, parts)) - (at < len(parts))
    return parts[:at] + (slice(None),) * max(ndim - others, 0) * (at < len(parts)) + parts[at + 1 :]


def _is_number(part: Any) -> bool:
    return type(part) is int or (getattr(part, "shape", None) == () and "int" in str(part.dtype))


def _stand_apart(parts: tuple[Any, ...]) -> bool:
    """Whether the arrays and numbers of an index are separated, so that NumPy moves their dimensions to the front."""
    kinds = ["number" if _is_number(part) else "array" if hasattr(part, "dtype") else "" for part in parts]
    inner = [kind for kind, _ in itertools.groupby(kinds, bool)] if "array" in kinds and "number" in kinds else []
    return sum(map(bool, inner)) > 1


def _in_torchs_order(parts: tuple[Any, ...], shape: Shape) -> Index:
    """The parts as arrays that select in NumPy what torch selects: numbers and slices first, then arrays.

    What they select is found by selecting from the numbers of all elements.
    """
    xp = namespace(next(part for part in parts if getattr(part, "shape", ())))
    plain = [arrays.on_cpu(part) if hasattr(part, "dtype") else part for part in parts]
    first, then = [], []
    for part in plain:
        if _is_number(part):
            first.append(part)
        elif hasattr(part, "dtype"):
            first += [slice(None)] * _dims(part)
            then.append(part)
        else:
            first.append(part)
            then.append(slice(None))
    numbers = np.arange(math.prod(shape)).reshape(shape)[tuple(first)][tuple(then)]
    return tuple(xp.asarray(place) for place in np.unravel_index(numbers, shape))


def _is_basic(index: Index) -> bool:
    """Whether `index` gives a view: it consists of integers, slices, `...` and None."""
    if type(index) is not tuple:
        return type(index) in PLAIN or isinstance(index, np.integer)
    return PLAIN.issuperset(map(type, index)) or all(type(p) in PLAIN or isinstance(p, np.integer) for p in index)


def _selected(input: Tensor, index: Index, mode: Mode = FOLLOWS) -> Tensor:
    try:
        if (arrays.known(type(input.array)) or arrays.library(input.array)).wraps_indices:
            _check_range(input.shape, index)
        if _is_basic(index):
            return view(indexing.getitem, input, index, mode=mode)
        return apply_unary(indexing.getitem, input, index)
    except TypeError:
        arrays.all_together(input.array, *(index if isinstance(index, tuple) else (index,)))
        raise
    except IndexError as error:
        raise IndexError(f"{error} (the tensor has shape {input.array.shape})") from None


def _check_range(shape: Shape, index: Index) -> None:
    """Raise an error for an index that is out of range on the CPU: CuPy would wrap around.

    Indices on the GPU are not looked at, because it would have to be waited for.

    Raises:
        IndexError: NumPy's.
    """
    parts = index if isinstance(index, tuple) else (index,)
    if any(isinstance(part, np.ndarray) for part in parts):
        known = tuple(part if namespace(part) is np else np.zeros(part.shape, part.dtype) for part in parts)
        np.broadcast_to(np.int8(0), shape)[known]


def getitem(input: Tensor, index: Any, mode: Mode = FOLLOWS) -> Tensor:
    """The elements `input[index]`, for all of NumPy's indices.

    These are integers, slices, `...`, None, lists, tensors and arrays of integers or booleans, and tuples of them.
    Where an integer and an array stand apart, the dimensions are in torch's order.

    The derivative adds the cotangent to zeros at `index`: what was selected twice gets both contributions.

    Raises:
        IndexError: for an index out of range, too many of them, or a mask of another shape.

    >>> getitem(tensor([[1, 2], [3, 4]]), (slice(None), 0))
    tensor([1, 3])
    """
    return _selected(input, _index(index, input.array.shape), mode)


def setitem(input: Tensor, index: Any, value: Any) -> None:
    """`input[index] = value`: `value`, a tensor or a number, is cast and repeated as needed.

    Of several values for one element, which a list of integers may ask for, the last counts.

    Raises:
        IndexError: for an index out of range, too many of them, or a mask of another shape.
        ShapeError: where `value` cannot be repeated to what `index` selects.
        GraphError: for a leaf that requires grad, while operations are recorded.

    >>> x = tensor([1.0, 2.0, 3.0])
    >>> setitem(x, slice(1, None), 0)
    >>> x
    tensor([1., 0., 0.])
    """
    check_in_place(input, "x[...] = value")
    at = _index(index, input.array.shape)
    if not _is_basic(at):
        write(input, _set(input, at, value, False, "x[...] = value"), "x[...] = value")
    elif not is_current_view(value, input, at):
        assign(_selected(input, at), value, "x[...] = value", stretch=True)


def select(input: Tensor, dim: int, index: int) -> Tensor:
    """The slice number `index` of a dimension, without that dimension.

    >>> select(tensor([[1, 2], [3, 4]]), 1, 0)
    tensor([1, 3])
    """
    at = one_dim(dim, checked(input, "select").ndim, "select")
    return _selected(input, indexing.at(at, operator.index(index)))


def narrow(input: Tensor, dim: int, start: int, length: int) -> Tensor:
    """The `length` slices of a dimension from number `start` on.

    Raises:
        ShapeError: where they are not all there.

    >>> narrow(tensor([1, 2, 3, 4]), 0, 1, 2)
    tensor([2, 3])
    """
    at = one_dim(dim, checked(input, "narrow").ndim, "narrow")
    start, length = operator.index(start), operator.index(length)
    first = start + input.shape[at] if start < 0 else start
    if length < 0 or not 0 <= first <= first + length <= input.shape[at]:
        raise ShapeError(f"narrow: {length} from {start} on are not in dimension {at} of length {input.shape[at]}")
    return _selected(input, indexing.at(at, slice(first, first + length)))


def _integers(index: Any, name: str) -> Array:
    """An array of integers from a tensor, array, list or number.

    Raises:
        DtypeError: where they are no integers.
    """
    found = _constant(index)
    array = found if hasattr(found, "dtype") else np.asarray(found)
    if "int" not in str(array.dtype):
        raise DtypeError(f"{name}: an index consists of integers, not {array.dtype}")
    return array


def index_select(input: Tensor, dim: int, index: Any) -> Tensor:
    """The slices of a dimension with the numbers in the vector `index`; the derivative is `index_add`.

    Raises:
        IndexError: for a number out of range.
        ShapeError: unless `index` is a vector or a number.

    >>> index_select(tensor([10, 20, 30]), 0, tensor([2, 0]))
    tensor([30, 10])
    """
    at = one_dim(dim, checked(input, "index_select").ndim or 1, "index_select")
    numbers = _integers(index, "index_select")
    if len(numbers.shape) > 1:
        raise ShapeError(f"index_select: expects a vector of integers, not shape {numbers.shape}")
    found = _selected(at_least_1d(input), indexing.at(at, numbers.reshape(-1)))
    return found if input.ndim else reshape(found, ())


def take(input: Tensor, index: Any, axis: int | None = None, *, dim: int | None = None) -> Tensor:
    """The elements with the numbers `index`, counted row by row, in the shape of `index`.

    With `axis` (or `dim`), as in NumPy, slices of that dimension.

    Raises:
        IndexError: for a number out of range.

    >>> take(tensor([[1, 2], [3, 4]]), tensor([0, 3]))
    tensor([1, 4])
    """
    axis = dim if axis is None else axis
    numbers = _integers(index, "take")
    if axis is None:
        return _selected(reshape(checked(input, "take"), -1), numbers)
    at = one_dim(axis, checked(input, "take").ndim, "take")
    return _selected(input, indexing.at(at, numbers))


def _along(shape: Shape, dim: int, index: Any, name: str) -> tuple[int, tuple[Array, ...], Shape]:
    """The dimension, the index of each element that gather and scatter use, and the shape of `index`."""
    at = one_dim(dim, len(shape), name)
    numbers = _integers(index, name)
    numbers = numbers if numbers.shape or len(shape) != 1 else numbers.reshape(1)
    if len(numbers.shape) != len(shape):
        raise ShapeError(f"{name}: the index has shape {numbers.shape}, and {len(shape)} dimensions are needed")
    if any(i != at and n > length for i, (n, length) in enumerate(zip(numbers.shape, shape))):
        raise ShapeError(
            f"{name}: an index of shape {numbers.shape} does not fit a tensor of shape {shape}: "
            f"it may be longer in dimension {at} only"
        )
    return at, indexing.along(numbers, at), numbers.shape


def gather(input: Tensor, dim: int, index: Any) -> Tensor:
    """The elements yᵢⱼ = x[indexᵢⱼ, j] for dimension 0, in the shape of `index`; the derivative is `scatter_add`.

    Raises:
        ShapeError: where `index` has another number of dimensions, or is longer in another dimension.
        IndexError: for a number out of range.

    >>> gather(tensor([[1, 2], [3, 4]]), 1, tensor([[0, 0], [1, 0]]))
    tensor([[1, 1],
            [4, 3]])
    """
    input = at_least_1d(checked(input, "gather"))
    numbers = _integers(index, "gather")
    if not math.prod(numbers.shape):
        return wrap(namespace(input.array).zeros(numbers.shape, dtype=input.dtype), None)
    _, places, _ = _along(input.shape, dim, numbers, "gather")
    return reshape(_selected(input, places), numbers.shape)


def take_along_dim(input: Tensor, indices: Any, dim: int | None = None, *, axis: int | None = None) -> Tensor:
    """The elements of `gather`, with lengths of 1 repeated: takes what `argsort` or `argmax` found.

    Without `dim`, from the flattened tensor. NumPy's names are `take_along_axis` and `axis`.

    Raises:
        ShapeError: where the shapes do not broadcast outside `dim`.
        IndexError: for a number out of range.

    >>> take_along_dim(tensor([[1, 2], [3, 4]]), tensor([[1], [0]]), 1)
    tensor([[2],
            [3]])
    """
    dim = axis if dim is None else dim
    numbers = _integers(indices, "take_along_dim")
    if dim is None:
        return _selected(reshape(checked(input, "take_along_dim"), -1), numbers.reshape(-1))
    shape = checked(input, "take_along_dim").shape
    at = one_dim(dim, len(shape), "take_along_dim")
    if len(numbers.shape) != len(shape):
        raise ShapeError(f"take_along_dim: {len(numbers.shape)}-d indices for a tensor of shape {shape}")
    outside = [(*s[:at], 1, *s[at + 1 :]) for s in (shape, numbers.shape)]
    common = broadcast_shape(outside, "take_along_dim")
    xp = namespace(numbers)
    numbers = xp.broadcast_to(numbers, (*common[:at], numbers.shape[at], *common[at + 1 :]))
    return _selected(expand(input, (*common[:at], shape[at], *common[at + 1 :])), indexing.along(numbers, at))


take_along_axis = take_along_dim


def masked_select(input: Tensor, mask: Any) -> Tensor:
    """The elements where `mask` holds, as a vector; tensor and mask are broadcast to each other first.

    >>> masked_select(tensor([1, 2, 3]), tensor([True, False, True]))
    tensor([1, 3])
    """
    chosen = _constant(mask)
    chosen = chosen if hasattr(chosen, "dtype") else np.asarray(chosen)
    if "bool" not in str(chosen.dtype):
        raise DtypeError(f"masked_select: a mask consists of booleans, not {chosen.dtype}; compare: x > 0")
    shape = broadcast_shape([checked(input, "masked_select").shape, chosen.shape], "masked_select")
    return _selected(expand(input, shape), namespace(chosen).broadcast_to(chosen, shape))


def nonzero(input: Tensor, *, as_tuple: bool = False) -> Any:
    """The indices of the elements that are not 0: one row each, or with `as_tuple` one vector a dimension.

    >>> nonzero(tensor([0.0, 2.0, 3.0]))
    tensor([[1],
            [2]])
    """
    array = checked(input, "nonzero").array
    xp = namespace(array)
    found = xp.nonzero(array if input.ndim else xp.reshape(array, (1,)))
    if as_tuple:
        return tuple(wrap(numbers, None) for numbers in found)
    if not input.ndim:
        return wrap(xp.zeros((int(bool(array)), 0), dtype=xp.int64), None)
    return wrap(xp.stack(found, axis=1), None)


def _source(values: Any, input: Tensor, name: str) -> Any:
    """The values to set in `input`: a tensor of a suitable dtype, or a number.

    Raises:
        DtypeError: where a conversion would lose the fraction or precision of `values`.
    """
    found = values if isinstance(values, apply.tensor_class) else apply.operand(values)
    if found is None:
        raise DtypeError(f"{name}: expects a tensor, an array or a number as values, not {type(values).__name__}")
    if isinstance(found, (int, float)):
        loses = isinstance(found, float) and not is_floating(input.dtype)
        found = namespace(input.array).asarray(found, dtype=None if loses else input.dtype)
    if not isinstance(found, apply.tensor_class):
        found = wrap(found, None)
    if is_floating(found.dtype) and found.dtype != input.dtype:
        raise DtypeError(
            f"{name}: {found.dtype} values cannot be set in a {input.dtype} tensor; convert one of them with .to()"
        )
    return found


def _set(input: Tensor, index: Index, values: Any, accumulate: bool, name: str) -> Tensor:
    """The tensor `input` with `values` set or added at `index`, repeated as needed."""
    values = _source(values, input, name)
    if not input.ndim:
        return reshape(_set(at_least_1d(input), index, values, accumulate, name), ())
    shape, xp = input.shape, namespace(input.array)
    try:
        if arrays.library(input.array).wraps_indices:
            _check_range(shape, index)
        numbers = indexing.getitem(xp.reshape(xp.arange(input.numel()), shape), index)
    except IndexError as error:
        raise IndexError(f"{name}: {error} (the tensor has shape {tuple(shape)})") from None
    if broadcast_shape([values.shape, numbers.shape], name) != numbers.shape:
        raise ShapeError(f"{name}: values of shape {values.shape} do not fit shape {numbers.shape} of what is selected")
    values = values if values.shape == numbers.shape else expand(values, numbers.shape)
    if accumulate:
        return input + apply_unary(indexing.put, values, shape, index)
    if not indexing.selects_once(index):
        # Of several values for one element only the last counts, and only it may get a gradient.
        flat = indexing.positions(shape, index).reshape(-1)
        kept, last = np.unique(flat[::-1], return_index=True)
        if kept.size != flat.size:
            index = tuple(xp.asarray(part) for part in np.unravel_index(kept, shape))
            values = _selected(reshape(values, -1), xp.asarray(flat.size - 1 - last))
    return apply_operation(indexing.replace, input, values, index)


def index_put(input: Tensor, indices: Any, values: Any, accumulate: bool = False) -> Tensor:
    """A new tensor like `input` with `values` at `indices`, or with `accumulate` added there.

    `indices` is whatever may stand in brackets, as in `input[indices] = values`, usually a tuple of tensors. Of several
    values for one element the last counts; with `accumulate` all of them. The derivative of `input` is 0 where an
    element was replaced, and that of `values` the cotangent at `indices`.

    Raises:
        IndexError: for an index out of range, too many of them, or a mask of another shape.
        ShapeError: where `values` cannot be repeated to what `indices` select.
        DtypeError: for values that lose precision in the dtype of `input`.

    >>> index_put(tensor([1.0, 2.0, 3.0]), (tensor([0, 2]),), tensor([10.0, 30.0]))
    tensor([10.,  2., 30.])
    """
    found = tuple(indices) if isinstance(indices, list) and any(hasattr(i, "dtype") for i in indices) else indices
    return _set(checked(input, "index_put"), _index(found, input.shape), values, accumulate, "index_put")


def index_add(input: Tensor, dim: int, index: Any, source: Any, *, alpha: float = 1) -> Tensor:
    """The tensor `input` with slice i of `alpha · source` added to its slice number index[i] of dimension `dim`.

    Raises:
        IndexError: for a number out of range.
        ShapeError: unless `index` is a vector and `source` fits.

    >>> index_add(tensor([0.0, 0.0]), 0, tensor([1, 1]), tensor([5.0, 6.0]))
    tensor([ 0., 11.])
    """
    shape, source = at_least_1d(checked(input, "index_add")).shape, at_least_1d(_source(source, input, "index_add"))
    at, place = one_dim(dim, len(shape), "index_add"), _slices(shape, dim, index, "index_add")
    fits = (*shape[:at], *place[at].shape, *shape[at + 1 :])
    if source.shape != fits:
        raise ShapeError(f"index_add: source has shape {source.shape}, but {fits} is needed")
    added = source if alpha == 1 else source * alpha
    return _set(input, place, added, True, "index_add")


def scatter(
    input: Tensor, dim: int, index: Any, src: Any = None, *, value: Any = None, reduce: str | None = None
) -> Tensor:
    """A new tensor like `input` with y[indexᵢⱼ, j] = srcᵢⱼ (for dimension 0); `src` may be a number, given as `value`.

    Of several values for one element the last counts; with `reduce="add"` all are added to it, as by `scatter_add`.

    Raises:
        ShapeError: where `index` has another number of dimensions than `input`, or is longer than `src`.
        IndexError: for a number out of range.
        DtypeError: without a `src` or `value`, or with both.
        ValueError: for another `reduce`.

    >>> scatter(tensor([1, 2, 3]), 0, tensor([2, 0]), tensor([30, 10]))
    tensor([10,  2, 30])
    """
    if (src is None) == (value is None):
        raise DtypeError("scatter: give src, a tensor, or value, a number")
    if reduce not in (None, "add"):
        raise ValueError(f"scatter: reduce must be None or 'add', not {reduce!r}")
    return _scatter(input, dim, index, value if src is None else src, reduce is not None, "scatter")


def scatter_add(input: Tensor, dim: int, index: Any, src: Any) -> Tensor:
    """A new tensor like `input` with srcᵢⱼ added to y[indexᵢⱼ, j] (for dimension 0): the derivative of `gather`.

    Raises:
        ShapeError: where `index` has another number of dimensions than `input`, or is longer than `src`.
        IndexError: for a number out of range.

    >>> scatter_add(tensor([0, 0]), 0, tensor([1, 1]), tensor([5, 6]))
    tensor([ 0, 11])
    """
    return _scatter(input, dim, index, src, True, "scatter_add")


def _scatter(input: Tensor, dim: int, index: Any, src: Any, accumulate: bool, name: str) -> Tensor:
    source = _source(src, checked(input, name), name)
    _, places, visited = _along(at_least_1d(input).shape, dim, index, name)
    if source.ndim:
        if source.ndim != len(visited) or any(n > have for n, have in zip(visited, source.shape)):
            raise ShapeError(f"{name}: an index of shape {visited} is longer than its source, {source.shape}")
        source = _selected(source, tuple(slice(n) for n in visited))
    return _set(input, places, source, accumulate, name)


def _slices(shape: Shape, dim: int, index: Any, name: str) -> tuple[Any, ...]:
    """The index of the slices number `index` of dimension `dim`."""
    numbers = _integers(index, name)
    if len(numbers.shape) > 1:
        raise ShapeError(f"{name}: the index has shape {numbers.shape}, and 1 dimensions are needed")
    return indexing.at(one_dim(dim, len(shape), name), numbers.reshape(-1))


def index_fill(input: Tensor, dim: int, index: Any, value: Any) -> Tensor:
    """The tensor `input` with `value`, a number or a 0-d tensor, in the slices number `index` of dimension `dim`.

    >>> index_fill(tensor([1, 2, 3]), 0, tensor([0, 2]), 9)
    tensor([9, 2, 9])
    """
    place = _slices(at_least_1d(checked(input, "index_fill")).shape, dim, index, "index_fill")
    return _set(input, place, value, False, "index_fill")


def index_copy(input: Tensor, dim: int, index: Any, source: Tensor) -> Tensor:
    """The tensor `input` with slice i of `source` as its slice number index[i] of dimension `dim`.

    >>> index_copy(tensor([1, 2, 3]), 0, tensor([2, 0]), tensor([30, 10]))
    tensor([10,  2, 30])
    """
    place = _slices(at_least_1d(checked(input, "index_copy")).shape, dim, index, "index_copy")
    return _set(input, place, source, False, "index_copy")


def masked_scatter(input: Tensor, mask: Any, source: Tensor) -> Tensor:
    """The tensor `input` with the elements of `source`, row by row, where `mask` holds.

    Raises:
        ShapeError: where the mask does not broadcast, or `source` has too few elements.

    >>> masked_scatter(tensor([1, 2, 3]), tensor([True, False, True]), tensor([7, 8, 9]))
    tensor([7, 2, 8])
    """
    check_condition(mask, "masked_scatter", "mask")
    chosen = expand(mask, broadcast_shape([input.shape, mask.shape], "masked_scatter"))
    count = int(namespace(chosen.array).count_nonzero(chosen.array))
    if count > source.numel():
        raise ShapeError(f"masked_scatter: the mask chooses {count} elements, and the source has {source.numel()}")
    values = reshape(source, -1)[:count]
    return _set(expand(input, chosen.shape), chosen.array, values, False, "masked_scatter")


def scatter_reduce(
    input: Tensor, dim: int, index: Any, src: Tensor, reduce: str, *, include_self: bool = True
) -> Tensor:
    """The tensor `input` with all srcᵢⱼ of one index combined to one element at y[indexᵢⱼ, j] (for dimension 0).

    Their derivatives are those of the functions of the same names: equal extremes share it.

    Args:
        input: the tensor.
        dim: the dimension that the index counts in.
        index: integers, of the shape of `src` or smaller.
        src: the elements.
        reduce: "sum", "prod", "mean", "amax" or "amin".
        include_self: whether the element of `input` is one of them.

    Raises:
        ValueError: for another `reduce`.
        ShapeError: where `index` has another number of dimensions than `input`, or is longer than `src`.
        IndexError: for a number out of range.

    >>> scatter_reduce(tensor([1.0, 2.0]), 0, tensor([0, 0]), tensor([5.0, 3.0]), "amax")
    tensor([5., 2.])
    """
    if reduce not in ("sum", "prod", "mean", "amax", "amin"):
        raise ValueError(f"scatter_reduce: reduce must be sum, prod, mean, amax or amin, not {reduce!r}")
    shape = at_least_1d(checked(input, "scatter_reduce")).shape
    _, places, visited = _along(shape, dim, index, "scatter_reduce")
    source = _selected(at_least_1d(_source(src, input, "scatter_reduce")), tuple(slice(n) for n in visited))
    target = indexing.positions(shape, places).reshape(-1)
    # The k-th element for one target comes into layer k; the layers are combined.
    counts = np.bincount(target, minlength=input.numel())
    order = np.argsort(target, kind="stable")
    layer = np.empty(len(target), np.int64)
    layer[order] = np.arange(len(target)) - (np.cumsum(counts) - counts)[target[order]]
    xp, first = namespace(input.array), reshape(input, (1, -1))
    neutral = _neutral(reduce, input.dtype)
    if not include_self:
        first = where(wrap(xp.asarray(counts == 0), None), first, neutral)
    empty = wrap(xp.full((max(counts.max(initial=0), 1), input.numel()), neutral, dtype=input.dtype), None)
    layers = _set(empty, (xp.asarray(layer), xp.asarray(target)), reshape(source, -1), False, "scatter_reduce")
    result = getattr(reductions, "sum" if reduce == "mean" else reduce)(cat([first, layers]), 0)
    if reduce == "mean":
        size = wrap(xp.asarray(np.maximum(counts + include_self, 1)), None)
        result = result / size if is_floating(input.dtype) else result // size
    return reshape(result, input.shape)


def _neutral(reduce: str, dtype: Any) -> Any:
    """The number that a reduction does not notice."""
    if reduce not in ("amax", "amin"):
        return int(reduce == "prod")
    whole = None if is_floating(dtype) else np.iinfo(arrays.as_dtype(dtype))
    ends = (-math.inf, math.inf) if whole is None else (whole.min, whole.max)
    return ends[reduce == "amin"]
