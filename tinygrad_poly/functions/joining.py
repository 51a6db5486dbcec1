"""Joining, splitting, repeating and padding of tensors.

All are linear, with derivatives everywhere: what was joined gets its part of the cotangent, and what was
repeated the sum over its repetitions.
"""

import builtins
import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_poly.derivatives import indexing, joining, shapes
from tinygrad_poly.engine import arrays
from tinygrad_poly.engine.apply import apply_operation, apply_unary, checked, wrap
from tinygrad_poly.engine.errors import DtypeError, ShapeError
from tinygrad_poly.functions._shared import Tensor, as_number, broadcast_shape, lengths, one_dim
from tinygrad_poly.functions.shapes import expand, flip, movedim, reshape, unsqueeze
from tinygrad_poly.writing import FOLLOWS, SEVERAL, Mode, view


def _each(tensors: Any, name: str) -> tuple[Tensor, ...]:
    """The tensors one by one; NumPy arrays among them are copied into tensors."""
    if hasattr(tensors, "shape") or not isinstance(tensors, Sequence):
        raise DtypeError(f"{name}: expects a list or tuple of tensors, not {type(tensors).__name__}")
    if not tensors:
        raise ShapeError(f"{name}: expects at least one tensor")
    return tuple(wrap(arrays.own(x), None) if isinstance(x, np.ndarray) else checked(x, name) for x in tensors)


def cat(tensors: Sequence[Tensor], dim: int | None = 0, *, axis: int | None = None) -> Tensor:
    """The tensors one after the other along an existing dimension; each gets its part of the cotangent.

    The array API's name for `dim` is `axis`; None joins the flattened tensors. Vectors of length 0 fit beside
    anything.

    Raises:
        ShapeError: where another length than that of `dim` differs.

    >>> cat([tensor([[1, 2]]), tensor([[3, 4]])])
    tensor([[1, 2],
            [3, 4]])
    """
    given = _each(tensors, "cat")
    if dim is None:
        given, dim = tuple(reshape(x, -1) for x in given), 0
    model = next((x for x in given if x.shape != (0,)), given[0])
    ndim = model.ndim
    if not ndim:
        raise ShapeError("cat: 0-dimensional tensors have no dimension to be joined along; use stack")
    at = one_dim(dim if axis is None else axis, ndim, "cat")
    if ndim > 1:
        nothing = (*model.shape[:at], 0, *model.shape[at + 1 :])
        given = tuple(reshape(x, nothing) if x.shape == (0,) else x for x in given)
    others = {(*x.shape[:at], None, *x.shape[at + 1 :]) for x in given}
    if len(others) > 1 or any(x.ndim != ndim for x in given):
        found = " and ".join(str(x.shape) for x in given)
        raise ShapeError(f"cat: shapes {found} may differ in dimension {at} only")
    return apply_operation(joining.cat.of(len(given)), *given, at)


concat = concatenate = cat


def stack(tensors: Sequence[Tensor], dim: int = 0, *, axis: int | None = None) -> Tensor:
    """The tensors side by side along a new dimension, `dim` of the result; NumPy's name for it is `axis`.

    Raises:
        ShapeError: for different shapes.

    >>> stack([tensor([1, 2]), tensor([3, 4])], dim=1)
    tensor([[1, 3],
            [2, 4]])
    """
    given = _each(tensors, "stack")
    if len({x.shape for x in given}) > 1:
        raise ShapeError(f"stack: expects equal shapes, not {' and '.join(str(x.shape) for x in given)}")
    at = one_dim(dim if axis is None else axis, given[0].ndim + 1, "stack")
    return apply_operation(joining.stack.of(len(given)), *given, at)


def hstack(tensors: Sequence[Tensor]) -> Tensor:
    """The tensors joined horizontally: along dimension 1, or along dimension 0 for vectors.

    >>> hstack([tensor([[1], [2]]), tensor([[3], [4]])])
    tensor([[1, 3],
            [2, 4]])
    """
    given = [x if x.ndim else reshape(x, 1) for x in _each(tensors, "hstack")]
    return cat(given, 0 if given[0].ndim == 1 else 1)


def vstack(tensors: Sequence[Tensor]) -> Tensor:
    """The tensors joined vertically: along dimension 0, with vectors as rows.

    >>> vstack([tensor([1, 2]), tensor([3, 4])])
    tensor([[1, 2],
            [3, 4]])
    """
    return cat([x if x.ndim > 1 else reshape(x, (1, -1)) for x in _each(tensors, "vstack")], 0)


def _parts(input: Tensor, ends: Sequence[int], dim: int, mode: Mode = SEVERAL) -> tuple[Tensor, ...]:
    """The parts of `input` along `dim` that end at `ends`, the last of which is the end of the last part."""
    pairs = itertools.pairwise([0, *ends])
    return tuple(view(indexing.getitem, input, indexing.at(dim, slice(*pair)), mode=mode) for pair in pairs)


def split(input: Tensor, split_size_or_sections: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """The parts of a tensor, all of one length (the last may be shorter), or of several that add up to that of `dim`.

    Raises:
        ShapeError: for lengths that are negative or do not add up.

    >>> split(tensor([1, 2, 3]), 2)
    (tensor([1, 2]), tensor([3]))
    >>> split(tensor([1, 2, 3]), [1, 2])
    (tensor([1]), tensor([2, 3]))
    """
    at = one_dim(dim, checked(input, "split").ndim, "split")
    length = input.shape[at]
    if isinstance(split_size_or_sections, (tuple, list)):
        sections = lengths(split_size_or_sections)
        if sum(sections) != length or min(sections, default=0) < 0:
            raise ShapeError(f"split: sections {sections} do not add up to {length}, the length of dimension {at}")
        return _parts(input, list(itertools.accumulate(sections)), at)
    (size,) = lengths((split_size_or_sections,))
    if size < 1 and (length or size):
        raise ShapeError(f"split: a part needs a length of 1 or more, not {size}")
    return _parts(input, [*range(size, length, size), length] if length else [0], at)


def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """The parts of a tensor, at most `chunks`, with equal lengths; the last may be shorter.

    Raises:
        ShapeError: for fewer than 1 chunk.

    >>> chunk(tensor([1, 2, 3]), 2)
    (tensor([1, 2]), tensor([3]))
    """
    at = one_dim(dim, checked(input, "chunk").ndim, "chunk")
    if chunks < 1:
        raise ShapeError(f"chunk: expects 1 chunk or more, not {chunks}")
    length = input.shape[at]
    return split(input, -(-length // chunks), at) if length else _parts(input, [0] * chunks, at)


def tensor_split(input: Tensor, indices_or_sections: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """The parts of a tensor, exactly so many, the first ones longer by 1 if they cannot be equal; or cut at indices.

    The indices are a list, a tuple or a tensor.

    Raises:
        ShapeError: for fewer than 1 part.

    >>> tensor_split(tensor([1, 2, 3]), 2)
    (tensor([1, 2]), tensor([3]))
    """
    at = one_dim(dim, checked(input, "tensor_split").ndim, "tensor_split")
    length = input.shape[at]
    if getattr(indices_or_sections, "ndim", 0) == 1:
        indices_or_sections = indices_or_sections.tolist()
    if isinstance(indices_or_sections, (tuple, list)):
        return _parts(input, [*lengths(indices_or_sections), length], at, FOLLOWS)
    (parts,) = lengths((indices_or_sections,))
    if parts < 1:
        raise ShapeError(f"tensor_split: expects 1 part or more, not {parts}")
    size, longer = divmod(length, parts)
    return _parts(input, [size * i + min(i, longer) for i in range(1, parts + 1)], at, FOLLOWS)


def unbind(input: Tensor, dim: int = 0, *, axis: int | None = None) -> tuple[Tensor, ...]:
    """The slices along a dimension, without that dimension: the inverse of `stack`. NumPy's name for `dim` is `axis`.

    >>> unbind(tensor([[1, 2], [3, 4]]), 1)
    (tensor([1, 3]), tensor([2, 4]))
    """
    at = one_dim(dim if axis is None else axis, checked(input, "unbind").ndim, "unbind")
    count = input.shape[at]
    parts: tuple[Tensor, ...] = (input,)
    if count > 32 and input.requires_grad:
        # Each slice's gradient is one of its part first: of the whole tensor, all together would be as many as n².
        size = math.isqrt(count)
        parts = _parts(input, [*range(size, count, size), count], at)
    index = indexing.at
    return tuple(view(indexing.getitem, x, index(at, i), mode=SEVERAL) for x in parts for i in range(x.shape[at]))


unstack = unbind


def pad(input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Tensor:
    """The tensor with a border of `value` (0 by default): `pad` counts elements before and after, last dimension first.

    (1, 2) puts one before and two after each row; (1, 2, 0, 3) also three rows after the last. A negative
    number takes elements away.

    Raises:
        ShapeError: for an odd number of counts, more than dimensions, or more taken away than there are.
        DtypeError: for another mode than "constant".

    >>> pad(tensor([1, 2]), (1, 2))
    tensor([0, 1, 2, 0, 0])
    """
    counts = lengths((tuple(pad),))
    shape = checked(input, "pad").shape
    if mode != "constant":
        raise DtypeError(f"pad: mode {mode!r} is not there; only 'constant' is")
    if len(counts) % 2 or len(counts) > 2 * len(shape):
        raise ShapeError(
            f"pad: {counts} does not fit shape {shape}: two counts for each dimension padded, the last one first"
        )
    padded = [(0, 0)] * (len(shape) - len(counts) // 2) + [*zip(counts[::2], counts[1::2])][::-1]
    if any(n + before + after < 0 for n, (before, after) in zip(shape, padded)):
        raise ShapeError(f"pad: {counts} takes more elements away than shape {shape} has")
    if min(counts, default=0) < 0:
        kept = tuple(slice(max(-before, 0), n - max(-after, 0)) for n, (before, after) in zip(shape, padded))
        input = apply_unary(indexing.getitem, input, kept)
    first, last = (tuple(max(count[side], 0) for count in padded) for side in (0, 1))
    return apply_unary(joining.pad, input, first, last, as_number(value, "pad", "value") or 0)


def repeated(input: Tensor, *times: Any, repeats: Any = None) -> Tensor:
    """The method `repeat`: copies side by side, so many along each dimension, new dimensions first.

    Raises:
        ShapeError: for fewer numbers than dimensions, or negative ones.

    >>> repeated(tensor([1, 2]), 2, 2)
    tensor([[1, 2, 1, 2],
            [1, 2, 1, 2]])
    """
    times = lengths(times if repeats is None else (repeats,))
    if len(times) < checked(input, "repeat").ndim:
        raise ShapeError(f"repeat: shape {input.shape} needs at least {input.ndim} numbers of repeats, not {times}")
    return tile(input, times)


def tile(input: Tensor, *copies: Any, dims: Any = None) -> Tensor:
    """Copies side by side, so many along each of the last dimensions; the derivative adds them up.

    Raises:
        ShapeError: for a negative number of copies.

    >>> tile(tensor([1, 2]), 2)
    tensor([1, 2, 1, 2])
    """
    times = lengths(copies if dims is None else (dims,))
    if min(times, default=0) < 0:
        raise ShapeError(f"tile: a number of copies is 0 or more, not {times}")
    ndim = max(len(times), checked(input, "tile").ndim)
    times = (1,) * (ndim - len(times)) + times
    shape = (1,) * (ndim - input.ndim) + input.shape
    # Each dimension of length n becomes (1, n), is repeated to (times, n), and merged.
    apart = reshape(input, tuple(n for length in shape for n in (1, length)))
    repeats = expand(apart, tuple(n for pair in zip(times, shape) for n in pair))
    return apply_unary(shapes.reshape, repeats, tuple(k * n for k, n in zip(times, shape)))


def repeat_interleave(
    input: Tensor, repeats: Any, dim: int | None = None, *, axis: int | None = None, output_size: int | None = None
) -> Tensor:
    """The tensor with each element, or slice of `dim`, so many times in a row; the derivative adds them up.

    Without `dim` the tensor is flattened first. `repeats` is a number, or a list or tensor of one for each slice.
    The array API's names are `repeat` and `axis`. Torch takes `output_size`, the length of the result, as a hint.

    Raises:
        ShapeError: for negative repeats, or not one for each slice, or where `output_size` is another.

    >>> repeat_interleave(tensor([1, 2]), 2)
    tensor([1, 1, 2, 2])
    """
    dim = axis if dim is None else dim
    if dim is None:
        input, dim = reshape(checked(input, "repeat_interleave"), -1), 0
    at = one_dim(dim, checked(input, "repeat_interleave").ndim, "repeat_interleave")
    shape = input.shape
    counts = arrays.on_cpu(getattr(repeats, "array", repeats))
    if counts.dtype.kind not in "iu" or counts.ndim > 1 or (counts < 0).any() or counts.size not in (1, shape[at]):
        raise ShapeError(
            f"repeat_interleave: expects a number of 0 or more, or {shape[at]} of them for dimension {at}, "
            f"not {repeats}"
        )
    total = int(counts.sum()) * (shape[at] if counts.size == 1 else 1)
    if output_size is not None and output_size != total:
        raise ShapeError(f"repeat_interleave: the result has length {total}, not output_size {output_size}")
    if counts.size != 1:
        places = np.repeat(np.arange(shape[at]), counts)
        return apply_unary(indexing.getitem, input, indexing.at(at, places))
    times = counts.item()
    copies = expand(unsqueeze(input, at + 1), (*shape[: at + 1], times, *shape[at + 1 :]))
    return apply_unary(shapes.reshape, copies, (*shape[:at], shape[at] * times, *shape[at + 1 :]))


repeat = repeat_interleave


def broadcast_tensors(*tensors: Tensor) -> tuple[Tensor, ...]:
    """The tensors, all repeated to the one shape to which they broadcast.

    Raises:
        ShapeError: if there is none.

    >>> [x.shape for x in broadcast_tensors(zeros(3, 1), zeros(4))]
    [torch.Size([3, 4]), torch.Size([3, 4])]
    """
    given = _each(tensors, "broadcast_tensors")
    shape = broadcast_shape([x.shape for x in given], "broadcast_tensors")
    return tuple(expand(x, shape) for x in given)


broadcast_arrays = broadcast_tensors


def meshgrid(*tensors: Any, indexing: str = "ij") -> tuple[Tensor, ...]:
    """The coordinates of a grid from those of its axes: result k is xₖ, repeated along the other axes.

    With `indexing="xy"`, NumPy's default, the first two dimensions are exchanged.

    Raises:
        ShapeError: for axes of more than one dimension.
        DtypeError: for another indexing.

    >>> meshgrid(tensor([1, 2]), tensor([3, 4]))
    (tensor([[1, 1],
            [2, 2]]), tensor([[3, 4],
            [3, 4]]))
    """
    given = _each(tensors[0] if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)) else tensors, "meshgrid")
    if indexing not in ("ij", "xy"):
        raise DtypeError(f"meshgrid: indexing is 'ij' or 'xy', not {indexing!r}")
    if any(x.ndim > 1 for x in given):
        raise ShapeError(f"meshgrid: expects vectors, not shapes {[x.shape for x in given]}")
    shape = tuple(x.numel() for x in given)
    columns = [reshape(x, (-1,) + (1,) * (len(given) - 1 - i)) for i, x in enumerate(given)]
    grids = tuple(expand(x, shape) for x in columns)
    return tuple(movedim(grid, 0, 1) for grid in grids) if indexing == "xy" and len(grids) > 1 else grids


def _raised(ndim: int, tensors: tuple[Any, ...]) -> Any:
    """Tensors with `ndim` dimensions at least: before those of a vector one, after those of a matrix."""
    given = tuple(tensors[0]) if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)) else tensors

    def raised(x: Tensor) -> Tensor:
        before = (1,) * (ndim - 1 if not x.ndim else 1) if x.ndim < min(ndim, 2) else ()
        after = (1,) * (ndim - len(before) - x.ndim)
        return reshape(x, (*before, *x.shape, *after)) if x.ndim < ndim else x

    found = tuple(raised(checked(x, f"atleast_{ndim}d")) for x in given)
    return found[0] if len(tensors) == 1 and hasattr(tensors[0], "array") else found


def atleast_1d(*tensors: Any) -> Any:
    """The tensor, a number as a vector; of several tensors a tuple.

    >>> atleast_1d(tensor(1))
    tensor([1])
    """
    return _raised(1, tensors)


def atleast_2d(*tensors: Any) -> Any:
    """The tensor, a number or a vector as a matrix with one row; of several tensors a tuple.

    >>> atleast_2d(tensor([1, 2]))
    tensor([[1, 2]])
    """
    return _raised(2, tensors)


def atleast_3d(*tensors: Any) -> Any:
    """The tensor with three dimensions: (n) as (1, n, 1), (m, n) as (m, n, 1); of several tensors a tuple.

    >>> atleast_3d(zeros(2)).shape
    torch.Size([1, 2, 1])
    """
    return _raised(3, tensors)


row_stack = vstack


def column_stack(tensors: Sequence[Tensor]) -> Tensor:
    """The tensors joined along dimension 1, with vectors as columns.

    >>> column_stack([tensor([1, 2]), tensor([3, 4])])
    tensor([[1, 3],
            [2, 4]])
    """
    return cat([x if x.ndim > 1 else reshape(x, (-1, 1)) for x in _each(tensors, "column_stack")], 1)


def dstack(tensors: Sequence[Tensor]) -> Tensor:
    """The tensors joined along dimension 2, after `atleast_3d`.

    >>> dstack([tensor([1, 2]), tensor([3, 4])]).shape
    torch.Size([1, 2, 2])
    """
    return cat([atleast_3d(x) for x in _each(tensors, "dstack")], 2)


def fliplr(input: Tensor) -> Tensor:
    """The columns in reverse order.

    >>> fliplr(tensor([[1, 2]]))
    tensor([[2, 1]])
    """
    return flip(input, 1)


def flipud(input: Tensor) -> Tensor:
    """The rows in reverse order.

    >>> flipud(tensor([1, 2]))
    tensor([2, 1])
    """
    return flip(input, 0)


def _cut(input: Tensor, where: Any, dim: int, ndim: int, name: str) -> tuple[Tensor, ...]:
    if checked(input, name).ndim < ndim:
        raise ShapeError(f"{name}: expects {ndim} dimensions or more, and the shape is {input.shape}")
    if isinstance(where, int) and (where < 1 or input.shape[dim] % where):
        raise ShapeError(f"{name}: {input.shape[dim]} elements of dimension {dim} are not {where} equal parts")
    return tensor_split(input, where, dim)


def hsplit(input: Tensor, indices_or_sections: Any) -> tuple[Tensor, ...]:
    """The parts of the columns (of a vector: of its elements), equally many, or cut at indices.

    Raises:
        ShapeError: where the parts would not be equal.

    >>> hsplit(tensor([1, 2, 3, 4]), 2)
    (tensor([1, 2]), tensor([3, 4]))
    """
    return _cut(input, indices_or_sections, int(input.ndim > 1), 1, "hsplit")


def vsplit(input: Tensor, indices_or_sections: Any) -> tuple[Tensor, ...]:
    """The parts of the rows, equally many, or cut at indices.

    Raises:
        ShapeError: for a vector, or where the parts would not be equal.

    >>> vsplit(tensor([[1], [2]]), 2)
    (tensor([[1]]), tensor([[2]]))
    """
    return _cut(input, indices_or_sections, 0, 2, "vsplit")


def dsplit(input: Tensor, indices_or_sections: Any) -> tuple[Tensor, ...]:
    """The parts along dimension 2, equally many, or cut at indices.

    Raises:
        ShapeError: for fewer than three dimensions, or where the parts would not be equal.

    >>> [part.shape for part in dsplit(zeros(1, 1, 4), 2)]
    [torch.Size([1, 1, 2]), torch.Size([1, 1, 2])]
    """
    return _cut(input, indices_or_sections, 2, 3, "dsplit")


def block_diag(*tensors: Tensor) -> Tensor:
    """The matrix with the given ones (or rows, or numbers) on its diagonal and zeros elsewhere.

    >>> block_diag(tensor([[1, 2]]), tensor(3))
    tensor([[1, 2, 0],
            [0, 0, 3]])
    """
    blocks = [atleast_2d(x) for x in tensors]
    total, start, rows = builtins.sum(x.shape[1] for x in blocks), 0, []
    for x in blocks:
        rows.append(pad(x, (start, total - start - x.shape[1])))
        start += x.shape[1]
    return cat(rows)


def cartesian_prod(*tensors: Tensor) -> Tensor:
    """All choices of one element of each vector, as rows.

    >>> cartesian_prod(tensor([1, 2]), tensor([3]))
    tensor([[1, 3],
            [2, 3]])
    """
    columns = [reshape(grid, -1) for grid in meshgrid(*tensors)]
    return columns[0] if len(columns) == 1 else stack(columns, 1)


def combinations(input: Tensor, r: int = 2, with_replacement: bool = False) -> Tensor:
    """All choices of r elements of a vector in its order, as rows.

    >>> combinations(tensor([1, 2, 3]))
    tensor([[1, 2],
            [1, 3],
            [2, 3]])
    """
    if checked(input, "combinations").ndim != 1:
        raise ShapeError(f"combinations: expects a vector, and the shape is {input.shape}")
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    found = list(choose(range(len(input)), r))
    return input[np.asarray(found, np.int64).reshape(len(found), r)]
