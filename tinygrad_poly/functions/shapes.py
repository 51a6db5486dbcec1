"""Changes of shape and order of the same elements.

All are linear: the derivative of each moves the cotangent's elements back, and exists everywhere.
"""

import math
from collections.abc import Sequence
from typing import Any

from tinygrad_poly.derivatives import shapes
from tinygrad_poly.engine.apply import apply_unary, checked
from tinygrad_poly.engine.arrays import full_shape, normalize_axes
from tinygrad_poly.engine.errors import ShapeError
from tinygrad_poly.functions._shared import Tensor, lengths, one_dim
from tinygrad_poly.writing import view as view_of
from tinygrad_poly.writing import view_if_possible


def _given(positional: tuple[Any, ...], *named: Any) -> tuple[Any, ...]:
    """Arguments given one by one, or as one sequence by name."""
    return next(((value,) for value in named if value is not None), positional)


def reshape(input: Tensor, *lengths_: Any, shape: Any = None) -> Tensor:
    """The same elements, row by row, in another shape; one length may be -1 and is then computed.

    Raises:
        ShapeError: where the elements do not fit.

    >>> reshape(tensor([1, 2, 3, 4]), (2, -1))
    tensor([[1, 2],
            [3, 4]])
    """
    wanted = full_shape(lengths(_given(lengths_, shape)), checked(input, "reshape").numel(), "reshape")
    found = view_if_possible(shapes.reshape, input, wanted)
    return apply_unary(shapes.reshape, input, wanted) if found is None else found


def view(input: Tensor, *lengths_: Any, size: Any = None) -> Tensor:
    """The elements in another shape, as by `reshape`, but never as a copy.

    Raises:
        ShapeError: where the elements do not fit, or lie in memory so that they would have to be copied.

    >>> view(tensor([1, 2, 3, 4]), 2, -1)
    tensor([[1, 2],
            [3, 4]])
    """
    wanted = full_shape(lengths(_given(lengths_, size)), checked(input, "view").numel(), "view")
    found = view_if_possible(shapes.reshape, input, wanted)
    if found is None:
        raise ShapeError(
            f"view: the elements of shape {input.shape} do not lie in memory so that they can be seen in shape "
            f"{wanted}; use reshape, which makes a copy where it must"
        )
    return found


def numel(input: Tensor) -> int:
    """The number of elements.

    >>> numel(zeros(2, 3))
    6
    """
    return checked(input, "numel").numel()


def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """The tensor with the dimensions from `start_dim` to `end_dim`, both included, merged into one.

    A 0-d tensor becomes one of length 1.

    Raises:
        ShapeError: where `start_dim` comes after `end_dim`.

    >>> flatten(tensor([[1, 2], [3, 4]]))
    tensor([1, 2, 3, 4])
    >>> flatten(zeros(2, 3, 4), 1).shape
    torch.Size([2, 12])
    """
    ndim = max(checked(input, "flatten").ndim, 1)
    first, last = one_dim(start_dim, ndim, "flatten"), one_dim(end_dim, ndim, "flatten")
    if first > last:
        raise ShapeError(f"flatten: start_dim {start_dim} comes after end_dim {end_dim}; exchange them")
    shape = input.shape
    if first == last and shape:
        return input
    merged = (*shape[:first], math.prod(shape[first : last + 1]), *shape[last + 1 :])
    return reshape(input, merged)


def ravel(input: Tensor) -> Tensor:
    """The elements as a vector, row by row.

    >>> ravel(tensor([[1, 2], [3, 4]]))
    tensor([1, 2, 3, 4])
    """
    return reshape(input, -1)


def unflatten(input: Tensor, dim: int, sizes: Sequence[int]) -> Tensor:
    """The tensor with one dimension split into several of lengths `sizes`, one of which may be -1: undoes `flatten`.

    Raises:
        ShapeError: where the product of `sizes` is not the length of `dim`.

    >>> unflatten(zeros(2, 6), 1, (3, -1)).shape
    torch.Size([2, 3, 2])
    """
    at = one_dim(dim, checked(input, "unflatten").ndim, "unflatten")
    shape = input.shape
    split = full_shape(lengths((sizes,)), shape[at], "unflatten")
    return view_of(shapes.reshape, input, (*shape[:at], *split, *shape[at + 1 :]))


def permute(input: Tensor, *order: Any, dims: Any = None, axes: Any = None) -> Tensor:
    """The dimensions in another order: dimension i of the result is dimension order[i] of `input`.

    `dims` is torch's name for the order, `axes` the array API's.

    Raises:
        ShapeError: where the order does not name each dimension once.

    >>> permute(zeros(2, 3, 4), (2, 0, 1)).shape
    torch.Size([4, 2, 3])
    """
    ndim = checked(input, "permute").ndim
    wanted = normalize_axes(lengths(_given(order, dims, axes)), ndim, "permute") or ()
    if len(wanted) != ndim:
        raise ShapeError(f"permute: {ndim} dimensions need an order of {ndim}, not {wanted}")
    return view_of(shapes.permute, input, wanted)


permute_dims = permute


def transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """The tensor with two dimensions exchanged.

    Raises:
        DimensionError: for a dimension that is not there.

    >>> transpose(zeros(2, 3), 0, 1).shape
    torch.Size([3, 2])
    """
    ndim = checked(input, "transpose").ndim
    order = list(range(ndim))
    first, second = one_dim(dim0, ndim or 1, "transpose"), one_dim(dim1, ndim or 1, "transpose")
    if not ndim:
        return input
    order[first], order[second] = second, first
    return view_of(shapes.permute, input, tuple(order))


swapaxes = swapdims = transpose


def matrix_transpose(input: Tensor) -> Tensor:
    """The tensor with its last two dimensions exchanged, as in `.mT`.

    >>> matrix_transpose(zeros(5, 2, 3)).shape
    torch.Size([5, 3, 2])
    """
    return transpose(input, -2, -1)


def t(input: Tensor) -> Tensor:
    """The transpose of a matrix; a vector unchanged.

    Raises:
        ShapeError: for more than two dimensions.

    >>> t(zeros(2, 3)).shape
    torch.Size([3, 2])
    """
    if checked(input, "t").ndim > 2:
        raise ShapeError(f"t() is for matrices, and this tensor has shape {input.shape}; use .transpose or .mT")
    return permute(input, range(input.ndim)[::-1])


def movedim(input: Tensor, source: Any, destination: Any) -> Tensor:
    """The tensor with dimensions moved to other places, the rest keeping their order.

    Raises:
        ShapeError: where `source` and `destination` are not equally many.

    >>> movedim(zeros(2, 3, 4), 0, -1).shape
    torch.Size([3, 4, 2])
    """
    ndim = checked(input, "movedim").ndim
    origins, places = (normalize_axes(dims, ndim, "movedim") or () for dims in (source, destination))
    if len(origins) != len(places):
        raise ShapeError(f"movedim: {len(origins)} dimensions cannot move to {len(places)} places")
    order = [dim for dim in range(ndim) if dim not in origins]
    for place, origin in sorted(zip(places, origins)):
        order.insert(place, origin)
    return view_of(shapes.permute, input, tuple(order))


moveaxis = movedim


def squeeze(input: Tensor, dim: Any = None, *, axis: Any = None) -> Tensor:
    """The tensor without its dimensions of length 1, or without those of length 1 among `dim` (one or several).

    `axis` is NumPy's name for `dim`.

    >>> squeeze(zeros(1, 3, 1)).shape
    torch.Size([3])
    >>> squeeze(zeros(1, 3, 1), (0, 1)).shape
    torch.Size([3, 1])
    """
    ndim = checked(input, "squeeze").ndim
    dim = axis if dim is None else dim
    dropped = range(ndim) if dim is None else normalize_axes(dim, ndim or 1, "squeeze") or ()
    kept = tuple(n for i, n in enumerate(input.shape) if n != 1 or i not in dropped)
    return view_of(shapes.reshape, input, kept)


def unsqueeze(input: Tensor, dim: int | None = None, *, axis: int | None = None) -> Tensor:
    """The tensor with a new dimension of length 1 at `dim`.

    `axis` is NumPy's name for `dim`.

    >>> unsqueeze(zeros(3), 1).shape
    torch.Size([3, 1])
    """
    at = one_dim(axis if dim is None else dim, checked(input, "unsqueeze").ndim + 1, "unsqueeze")
    return view_of(shapes.reshape, input, (*input.shape[:at], 1, *input.shape[at:]))


expand_dims = unsqueeze


def expand(input: Tensor, *shape: Any, size: Any = None) -> Tensor:
    """The tensor repeated along new dimensions and dimensions of length 1; -1 keeps a length.

    The derivative adds up the repetitions. `size` is torch's name for the shape.

    Raises:
        ShapeError: where a length other than 1 would change.

    >>> expand(tensor([1, 2]), 2, -1)
    tensor([[1, 2],
            [1, 2]])
    """
    wanted = lengths(_given(shape, size))
    added = len(wanted) - checked(input, "expand").ndim
    own = (1,) * added + input.shape
    kept = tuple(have if n == -1 else n for n, have in zip(wanted, own))
    if added < 0 or -1 in wanted[: max(added, 0)] or any(have not in (1, n) for n, have in zip(kept, own)):
        raise ShapeError(f"expand: shape {input.shape} cannot be repeated to {wanted}")
    return view_of(shapes.broadcast_to, input, kept)


broadcast_to = expand


def expand_as(input: Tensor, other: Tensor) -> Tensor:
    """The tensor repeated to the shape of `other`.

    >>> expand_as(tensor([1, 2]), zeros(2, 2))
    tensor([[1, 2],
            [1, 2]])
    """
    return expand(input, checked(other, "expand_as").shape)


def view_as(input: Tensor, other: Tensor) -> Tensor:
    """The elements in the shape of `other`, by `view`.

    >>> view_as(tensor([1, 2, 3, 4]), zeros(2, 2))
    tensor([[1, 2],
            [3, 4]])
    """
    return view(input, checked(other, "view_as").shape)


def reshape_as(input: Tensor, other: Tensor) -> Tensor:
    """The elements in the shape of `other`, by `reshape`.

    >>> reshape_as(tensor([1, 2, 3, 4]), zeros(2, 2))
    tensor([[1, 2],
            [3, 4]])
    """
    return reshape(input, checked(other, "reshape_as").shape)


def flip(input: Tensor, *along: Any, dims: Any = None, axis: Any = None) -> Tensor:
    """The tensor with the elements in reverse order along some dimensions (all by default).

    `dims` is torch's name for them, `axis` NumPy's.

    >>> flip(tensor([[1, 2], [3, 4]]), 1)
    tensor([[2, 1],
            [4, 3]])
    """
    ndim = checked(input, "flip").ndim
    given = _given(along, dims, axis)
    axes = tuple(range(ndim)) if not given or given == (None,) else normalize_axes(lengths(given), ndim, "flip")
    return apply_unary(shapes.flip, input, axes)


def roll(input: Tensor, shifts: Any, dims: Any = None, *, axis: Any = None) -> Tensor:
    """The elements moved by `shifts` places along `dims`; the last ones come back at the start.

    Without `dims` they move through the tensor row by row. `axis` is NumPy's name for `dims`.

    Raises:
        ShapeError: where `shifts` and `dims` are not equally many.

    >>> roll(tensor([1, 2, 3]), 1)
    tensor([3, 1, 2])
    >>> roll(tensor([[1, 2], [3, 4]]), (1, 1), (0, 1))
    tensor([[4, 3],
            [2, 1]])
    """
    shape = checked(input, "roll").shape
    axes = normalize_axes(axis if dims is None else dims, len(shape), "roll")
    places = lengths(shifts if isinstance(shifts, (tuple, list)) else (shifts,))
    if len(places) != (1 if axes is None else len(axes)):
        raise ShapeError(f"roll: {len(places)} shifts do not fit dimensions {axes}: one shift for each")
    if axes is None:
        return reshape(apply_unary(shapes.roll, reshape(input, -1), places, (0,)), shape)
    return apply_unary(shapes.roll, input, places, axes)


def rot90(input: Tensor, k: int = 1, dims: Sequence[int] = (0, 1)) -> Tensor:
    """The tensor turned by k quarters of a circle, from the first towards the second of `dims`.

    Raises:
        ShapeError: unless two different dimensions are given.

    >>> rot90(tensor([[1, 2], [3, 4]]))
    tensor([[2, 4],
            [1, 3]])
    """
    plane = normalize_axes(tuple(dims), checked(input, "rot90").ndim, "rot90") or ()
    if len(plane) != 2:
        raise ShapeError(f"rot90: a plane has two dimensions, not {len(plane)}: {dims}")
    if k % 4 == 2:
        return flip(input, plane)
    if k % 4 == 0:
        return clone(input)
    # A quarter turn is two reflections: one exchanges the dimensions, the other reverses one of them.
    return flip(transpose(input, *plane), plane[0 if k % 4 == 1 else 1])


def clone(input: Tensor) -> Tensor:
    """A copy on the tape.

    >>> clone(tensor([1.0, 2.0]))
    tensor([1., 2.])
    """
    return apply_unary(shapes.clone, checked(input, "clone"))


def astype(input: Tensor, dtype: Any) -> Tensor:
    """`input` in another dtype; the gradient comes back in the dtype of `input`.

    >>> astype(tensor([1, 2]), "float32")
    tensor([1., 2.])
    """
    return checked(input, "astype").to(dtype=dtype)
