"""Vectors that integers stand for: rows of a table, and of the identity."""

from collections.abc import Mapping
from typing import Any

from tinygrad_poly import functions
from tinygrad_poly.engine import arrays
from tinygrad_poly.engine.apply import checked, wrap
from tinygrad_poly.engine.errors import DtypeError, ShapeError
from tinygrad_poly.tensor import Tensor


def _check_numbers(input: Tensor, count: int | float, name: str) -> None:
    """Check that all elements are integers from 0 to `count` − 1, where they are known."""
    if arrays.is_floating(checked(input, name).dtype) or input.dtype.kind == "b":
        raise DtypeError(f"{name} expects integers, and this tensor is {input.dtype}; use .to(int64)")
    try:
        given = arrays.on_cpu(input.array)
    except TypeError:  # inside jax.jit there are no numbers yet
        return
    for wrong in given[(given < 0) | (given >= count)].flat:
        raise IndexError(f"{name}: {wrong} does not exist: there are {count}, numbered from 0")


def check_embedding_options(options: Mapping[str, Any]) -> None:
    """Raise an error for options of an embedding that ask for something.

    Raises:
        DtypeError: which names them.
    """
    for name, value in options.items():
        if value and name != "norm_type":
            raise DtypeError(f"embedding: {name}={value!r} is not there; leave it out")


def embedding(input: Tensor, weight: Tensor, padding_idx: int | None = None, **options: Any) -> Tensor:
    """The rows of `weight` with the numbers in `input`; the derivative adds up what each row is used for.

    Args:
        input: integers from 0, of any shape (…).
        weight: a table of shape (rows, length); the result has shape (…, length).
        padding_idx: the number of a row that gets no gradient.
        options: torch's others, such as `max_norm` and `sparse`, which are refused.

    Raises:
        IndexError: for a row that does not exist.
        DtypeError: for numbers that are no integers.

    >>> embedding(tensor([1, 0, 1]), tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor([[3., 4.],
            [1., 2.],
            [3., 4.]])
    """
    check_embedding_options(options)
    if checked(weight, "embedding").ndim != 2:
        raise ShapeError(f"embedding: weight is a matrix with a row for each number, not of shape {weight.shape}")
    count = weight.shape[0]
    if hasattr(input.array, "defer"):  # in a trace there are no numbers yet; those below 0 will be out of range
        input = functions.where(input < 0, count, input)
    else:
        _check_numbers(input, count, "embedding")
    rows: Tensor = weight[input]
    if padding_idx is None:
        return rows
    if not -count <= padding_idx < count:
        raise IndexError(f"embedding: padding_idx {padding_idx} is no row of a table with {count} rows")
    return functions.where((input == padding_idx % count).unsqueeze(-1), rows.detach(), rows)


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """1 at the number of the class and 0 elsewhere, along a new last dimension, in integers.

    Without `num_classes` the largest number tells how many there are.

    Raises:
        IndexError: for a class that does not exist.
        DtypeError: for numbers that are no integers.
        ShapeError: for no numbers and no `num_classes`.

    >>> one_hot(tensor([2, 0]))
    tensor([[0, 0, 1],
            [1, 0, 0]])
    """
    _check_numbers(tensor, num_classes if num_classes >= 0 else float("inf"), "one_hot")
    if num_classes < 0:
        if not tensor.numel():
            raise ShapeError("one_hot: of no numbers it is not known how many classes there are: give num_classes")
        num_classes = int(tensor.max()) + 1
    numbers = arrays.namespace(tensor.array).arange(num_classes)
    return wrap(arrays.astype(tensor.unsqueeze(-1).array == numbers, "int64"), None)
