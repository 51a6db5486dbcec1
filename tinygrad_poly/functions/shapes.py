"""Functions that move elements and change none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tinygrad_poly.arrays import Shape, full_shape, normalize_axes
from tinygrad_poly.derivatives import shapes
from tinygrad_poly.errors import ShapeError
from tinygrad_poly.operators import apply_unary, checked

if TYPE_CHECKING:
    from tinygrad_poly.tensor import Tensor

__all__ = [
    "astype",
    "broadcast_to",
    "clone",
    "expand",
    "flatten",
    "permute",
    "permute_dims",
    "reshape",
    "squeeze",
    "t",
    "transpose",
    "unsqueeze",
]


def lengths(given: Sequence[Any]) -> Shape:
    """`view(2, 3)` and `view((2, 3))` mean the same."""
    inner = given[0] if len(given) == 1 and isinstance(given[0], (tuple, list, range)) else given
    return tuple(int(n) for n in inner)


def new_shape(given: Sequence[Any]) -> Shape:
    """The shape of a tensor to be made.

    Raises:
        ShapeError: for a negative length.
    """
    shape = lengths(given)
    if any(n < 0 for n in shape):
        raise ShapeError(f"a shape needs lengths of 0 or more, not {shape}")
    return shape


def reshape(input: Tensor, *shape: Any) -> Tensor:
    """The same elements in another shape; one length may be -1.

    Raises:
        ShapeError: where the elements do not fit.

    >>> reshape(tensor([1, 2, 3, 4]), (2, -1))
    tensor([[1, 2],
            [3, 4]])
    """
    wanted = full_shape(lengths(shape), checked(input, "reshape").numel(), "reshape")
    return apply_unary(shapes.reshape, input, wanted)


def flatten(input: Tensor) -> Tensor:
    """The elements in one dimension.

    >>> flatten(tensor([[1, 2], [3, 4]]))
    tensor([1, 2, 3, 4])
    """
    return reshape(input, -1)


def permute(input: Tensor, *dims: Any) -> Tensor:
    """The dimensions in another order.

    >>> permute(zeros(2, 3, 4), (2, 0, 1)).shape
    (4, 2, 3)
    """
    ndim = checked(input, "permute").ndim
    axes = normalize_axes(lengths(dims), ndim, "permute")
    if axes is None or len(axes) != ndim:
        raise ShapeError(f"permute: {ndim} dimensions need an order of {ndim}, not {lengths(dims)}")
    return apply_unary(shapes.permute, input, axes)


permute_dims = permute


def transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """Two dimensions exchanged.

    >>> transpose(zeros(2, 3), 0, 1).shape
    (3, 2)
    """
    order = list(range(checked(input, "transpose").ndim))
    for dim in (dim0, dim1):
        normalize_axes(dim, len(order), "transpose")
    order[dim0], order[dim1] = order[dim1], order[dim0]
    return permute(input, order)


def t(input: Tensor) -> Tensor:
    """The transpose of a matrix; a vector as it is.

    >>> t(zeros(2, 3)).shape
    (3, 2)
    """
    if checked(input, "t").ndim > 2:
        raise ShapeError(f"t() is for matrices, and this tensor has shape {input.shape}; use .transpose or .mT")
    return permute(input, range(input.ndim)[::-1])


def squeeze(input: Tensor, dim: int | None = None) -> Tensor:
    """Without dimensions of length 1 (or without `dim` if its length is 1).

    >>> squeeze(zeros(1, 3, 1)).shape
    (3,)
    """
    ndim = checked(input, "squeeze").ndim
    dropped = range(ndim) if dim is None else normalize_axes(dim, ndim, "squeeze") or ()
    return reshape(input, tuple(n for i, n in enumerate(input.shape) if n != 1 or i not in dropped))


def unsqueeze(input: Tensor, dim: int) -> Tensor:
    """With a dimension of length 1 inserted at `dim`.

    >>> unsqueeze(zeros(3), 1).shape
    (3, 1)
    """
    (at,) = normalize_axes(dim, checked(input, "unsqueeze").ndim + 1, "unsqueeze") or ()
    return reshape(input, (*input.shape[:at], 1, *input.shape[at:]))


def expand(input: Tensor, *shape: Any) -> Tensor:
    """Repeated along new dimensions and dimensions of length 1; -1 keeps a length.

    The derivative adds up the repetitions.

    >>> expand(tensor([1, 2]), 2, -1)
    tensor([[1, 2],
            [1, 2]])
    """
    wanted = lengths(shape)
    added = len(wanted) - checked(input, "expand").ndim
    own = (1,) * added + input.shape
    kept = tuple(have if n == -1 else n for n, have in zip(wanted, own))
    if added < 0 or -1 in wanted[:added] or any(have not in (1, n) for n, have in zip(kept, own)):
        raise ShapeError(f"expand: shape {input.shape} cannot be repeated to {wanted}")
    return apply_unary(shapes.broadcast_to, input, kept)


broadcast_to = expand


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
