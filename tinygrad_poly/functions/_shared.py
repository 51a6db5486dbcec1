"""Shared parts of the families: how arguments are read, and how functions made from rows are described."""

import operator
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from tinygrad_poly.derivatives import shapes
from tinygrad_poly.engine import apply, arrays
from tinygrad_poly.engine.apply import apply_unary, checked
from tinygrad_poly.engine.arrays import Shape, normalize_axes
from tinygrad_poly.engine.errors import DimensionError, DtypeError, GraphError, ShapeError
from tinygrad_poly.engine.operation import Operation

if TYPE_CHECKING:
    from tinygrad_poly.tensor import Tensor as Tensor
else:  # for annotations: functions are there before tensors
    Tensor = Any

Function = TypeVar("Function", bound=Callable[..., Any])


def as_number(value: Any, name: str, role: str) -> Any:
    """The number that an option is, also where a tensor gives it.

    Raises:
        GraphError: for a tensor that requires grad, whose gradient would be lost.
        DtypeError: for a complex number.
    """
    if isinstance(value, (complex, np.complexfloating)):
        raise DtypeError(f"{name}: {role} is {value}: {arrays.COMPLEX}")
    if getattr(value, "requires_grad", False):
        raise GraphError(
            f"{name}: {role} is a number that no gradient flows to, and this tensor requires grad; give {role} with "
            ".item(), or compose the function of where() and arithmetic"
        )
    return value.item() if hasattr(value, "array") else value


def described(function: Function, name: str, text: str, given: str, result: str) -> Function:
    """The function, with this name and a docstring that ends in an example: what it is given, and the result."""
    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"""{text}

    >>> {name}{given}
    {result}
    """
    return function


def either(forwards: Callable[[Any, Any], Any], backwards: Any, input: Any, other: Any, name: str) -> Tensor:
    """The result of operators of two, one of them a tensor.

    Args:
        forwards: the operator of a tensor and what stands on its right.
        backwards: the operator of a tensor and what stands on its left.
        input: the first of the two.
        other: the second.
        name: the function that was called with them.

    Raises:
        DtypeError: where neither is a tensor, or one is no number.
    """
    if isinstance(input, apply.tensor_class):
        found = forwards(input, other)
    elif isinstance(other, apply.tensor_class):
        input, other, found = other, input, backwards(other, input)
    else:
        raise DtypeError(
            f"{name}() expects a tensor among the two, not {type(input).__name__} and {type(other).__name__}; "
            "wrap one: tensor(...)"
        )
    if found is NotImplemented:
        raise DtypeError(f"{name}() expects a tensor, an array or a number, not {type(other).__name__}")
    return found  # type: ignore[no-any-return]


OF_TWO = """, for a = `input` and b = `other`, tensors or numbers that broadcast.

    Raises:
        ShapeError: where the shapes do not broadcast.
        DtypeError: where neither is a tensor, or one is no number."""


def as_printed(result: Any, name: str) -> str:
    """The text for the named tuple that torch's function `name` returns."""
    fields = ",\n".join(f"{field}={value!r}" for field, value in zip(result._fields, result))
    return f"torch.return_types.{name}(\n{fields})"


def lengths(given: Sequence[Any]) -> Shape:
    """The lengths of a shape, given one by one or as one sequence, as in `view(2, 3)` and `view((2, 3))`."""
    inner = given[0] if len(given) == 1 and isinstance(given[0], (tuple, list, range)) else given
    try:
        return tuple(operator.index(n) for n in inner)
    except TypeError:
        raise DtypeError(f"a shape or an order of dimensions consists of integers, not {inner!r}") from None


def per_dimension(value: Any, count: int, name: str, role: str, least: int = 1) -> Shape:
    """An option as one number for each of `count` dimensions.

    Raises:
        ShapeError: for another number of numbers, or one below `least`.
    """
    given = lengths((value if isinstance(value, (tuple, list)) else (value,),))
    numbers = given * count if len(given) == 1 else given
    if len(numbers) != count or min(numbers) < least:
        raise ShapeError(f"{name}: {role} is one number of {least} or more, or {count} of them, not {value}")
    return numbers


def new_shape(given: Sequence[Any]) -> Shape:
    """The shape of a new tensor.

    Raises:
        ShapeError: for a negative length.
    """
    shape = lengths(given)
    if any(n < 0 for n in shape):
        raise ShapeError(f"a shape needs lengths of 0 or more, not {shape}")
    return shape


def one_dim(dim: Any, ndim: int, name: str) -> int:
    """The dimension `dim`, counted from the start.

    Raises:
        DimensionError: where a tensor of `ndim` dimensions has no such one; `name` is the operation's.
    """
    if isinstance(dim, (tuple, list)) or dim is None:
        raise DtypeError(f"{name}: expects one dimension, not {dim!r}")
    (at,) = normalize_axes(dim, ndim, name) or ()
    return at


def one_axis(input: Tensor, dim: Any, name: str) -> int:
    """The axis ≥ 0 to work along; a 0-d tensor has the axis 0.

    Raises:
        DimensionError: for none or several, or one that is out of range.
    """
    axes = normalize_axes(dim, checked(input, name).ndim or 1, name)
    if axes is None or len(axes) != 1:
        raise DimensionError(f"{name} works along one dimension: give dim=0 or another single one, not {dim!r}")
    return axes[0]


def at_least_1d(input: Tensor) -> Tensor:
    """The tensor, if it is 0-d as a vector of length 1."""
    return input if input.ndim else apply_unary(shapes.reshape, input, (1,))


def signed(total: Tensor) -> Tensor:
    """A sum or product of integers as torch has it: where NumPy counts small unsigned ones in uint64, in int64."""
    return total.to(np.int64) if str(total.dtype) == "uint64" else total


def along(row: Operation, input: Tensor, dim: Any, dtype: Any, name: str) -> Tensor:
    """Apply a row that works along one dimension and keeps the shape; `dtype` converts first."""
    axis = one_axis(input, dim, name)
    if dtype is not None:
        input = input.to(dtype=dtype)
    result = apply_unary(row, at_least_1d(input), axis)
    result = signed(result) if dtype is None else result.to(dtype=dtype)
    return result if input.ndim else apply_unary(shapes.reshape, result, ())


def reduced(input: Tensor, dim: Any, axis: Any, name: str) -> arrays.Shape | None:
    """The dimensions to reduce; None for all."""
    if dim is None:
        if axis is None:
            return None
        dim = axis
    ndim = len(input.array.shape)
    axes = arrays.normalize_axes(dim, ndim or 1, name)
    return axes if ndim else None


def broadcast_shape(given: Sequence[Shape], name: str) -> Shape:
    """The shape to which all of `given` broadcast.

    Raises:
        ShapeError: if there is none; `name` is the operation's.
    """
    try:
        return np.broadcast_shapes(*given)
    except ValueError:
        raise ShapeError(
            f"{name}: shapes {' and '.join(map(str, given))} do not fit together: "
            "counted from the last dimension, lengths must be equal or 1"
        ) from None


def check_floating(input: Tensor, name: str) -> None:
    """Raise an error for tensors of integers.

    Raises:
        DtypeError: because what `name` computes of integers is none.
    """
    if not arrays.is_floating(input.array.dtype):
        raise DtypeError(f"{name}() needs a floating-point tensor, and this one is {input.dtype}: use .float()")


def check_nonempty(input: Tensor, axes: arrays.Shape | None, name: str) -> None:
    """Raise an error where there are no elements to choose from.

    Raises:
        ShapeError: where one of the `axes` has length 0.
    """
    shape = input.array.shape
    for axis in range(len(shape)) if axes is None else axes:
        if not shape[axis]:
            raise ShapeError(
                f"{name}() of no elements does not exist: dimension {axis} of shape {shape} has length 0; "
                "choose a dimension with elements, or leave out empty tensors"
            )


def check_condition(value: Any, name: str, role: str) -> Any:
    """The value itself, after a check that it is a boolean tensor.

    Raises:
        DtypeError: where it is none.
    """
    dtype = getattr(value, "dtype", None)
    if dtype is None or "bool" not in str(dtype):
        given = type(value).__name__ if dtype is None else f"one of {dtype}"
        raise DtypeError(f"{name}: the {role} must be a boolean tensor, not {given}; compare: x != 0")
    return value
