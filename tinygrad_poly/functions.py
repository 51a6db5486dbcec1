"""Functions of tensors, under torch's names; also the array namespace of tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinygrad_poly.creation import as_tensor, linspace, ones, ones_like, tensor, zeros, zeros_like
from tinygrad_poly.derivatives import elementwise, reductions, shapes
from tinygrad_poly.derivatives.operation import Operation
from tinygrad_poly.errors import DtypeError
from tinygrad_poly.operators import apply_operation
from tinygrad_poly.tensor import Tensor

__all__ = [
    "apply_operation",
    "as_tensor",
    "astype",
    "broadcast_to",
    "cos",
    "exp",
    "linspace",
    "log",
    "matmul",
    "mean",
    "mse_loss",
    "ones",
    "ones_like",
    "permute_dims",
    "pow",
    "reshape",
    "sin",
    "sqrt",
    "square",
    "sum",
    "tanh",
    "tensor",
    "where",
    "zeros",
    "zeros_like",
]


def _tensor(value: Any, name: str) -> Tensor:
    if not isinstance(value, Tensor):
        raise DtypeError(f"{name}() expects a tensor, not {type(value).__name__}; wrap it: tensor(...)")
    return value


def _elementwise(name: str, operation: Operation, doc: str) -> Callable[[Tensor], Tensor]:
    def function(input: Tensor) -> Tensor:
        return apply_operation(operation, _tensor(input, name))

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{doc}\n\n    Works on each element; the result has the shape and dtype of `input`.\n    "
    return function


exp = _elementwise("exp", elementwise.exp, "eˣ, with derivative eˣ.\n\n    >>> exp(tensor(0.0))\n    tensor(1.)")
log = _elementwise("log", elementwise.log, "log x, with derivative 1/x.\n\n    >>> log(tensor(1.0))\n    tensor(0.)")
sin = _elementwise("sin", elementwise.sin, "sin x, with derivative cos x.\n\n    >>> sin(tensor(0.0))\n    tensor(0.)")
cos = _elementwise("cos", elementwise.cos, "cos x, with derivative −sin x.\n\n    >>> cos(tensor(0.0))\n    tensor(1.)")
tanh = _elementwise(
    "tanh", elementwise.tanh, "tanh x, with derivative 1 − tanh² x.\n\n    >>> tanh(tensor(0.0))\n    tensor(0.)"
)
sqrt = _elementwise(
    "sqrt", elementwise.sqrt, "√x, with derivative 1/(2√x), infinite at 0.\n\n    >>> sqrt(tensor(4.0))\n    tensor(2.)"
)


def square(input: Tensor) -> Tensor:
    """x², with derivative 2x.

    >>> square(tensor(3.0))
    tensor(9.)
    """
    return _tensor(input, "square").square()


def pow(input: Any, exponent: Any) -> Tensor:
    """aᵇ of tensors or numbers that broadcast, with derivatives b aᵇ⁻¹ and aᵇ log a.

    >>> pow(tensor([1.0, 2.0]), 3)
    tensor([1., 8.])
    """
    return _tensor(input**exponent, "pow")


def matmul(input: Tensor, other: Any) -> Tensor:
    """The matrix product A B, with derivatives G Bᵀ and Aᵀ G; vectors count as one row or column.

    >>> matmul(tensor([[1.0, 2.0]]), tensor([3.0, 4.0]))
    tensor([11.])
    """
    return _tensor(input, "matmul").matmul(other)


def sum(input: Tensor, dim: Any = None, keepdim: bool = False, *, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Σx over `dim` (one dimension, several, or all); the derivative is 1 for each element.

    >>> sum(tensor([[1.0, 2.0], [3.0, 4.0]]), dim=0)
    tensor([4., 6.])
    """
    return _tensor(input, "sum").sum(axis if dim is None else dim, keepdim or keepdims)


def mean(input: Tensor, dim: Any = None, keepdim: bool = False, *, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The average over `dim`; the derivative is 1/n for each of the n elements averaged.

    >>> mean(tensor([1.0, 2.0, 6.0]))
    tensor(3.)
    """
    return _tensor(input, "mean").mean(axis if dim is None else dim, keepdim or keepdims)


def mse_loss(input: Tensor, target: Tensor) -> Tensor:
    """The mean of (input − target)², a scalar, with derivative 2 (input − target)/n.

    >>> mse_loss(tensor([1.0, 2.0]), tensor([1.0, 4.0]))
    tensor(2.)
    """
    return apply_operation(reductions.mse_loss, _tensor(input, "mse_loss"), _tensor(target, "mse_loss"))


def where(condition: Any, input: Any, other: Any) -> Tensor:
    """`input` where `condition` holds, `other` elsewhere; the gradient goes where the element came from.

    A NaN or infinity in the slope of the branch that was *not* taken still spoils the gradient
    (0 · ∞ is NaN), as in torch: choose a harmless argument first, then compute.

    >>> where(tensor([True, False]), tensor([1.0, 2.0]), 0.0)
    tensor([1., 0.])
    """
    return apply_operation(elementwise.where, condition, input, other)


def reshape(input: Tensor, shape: Any) -> Tensor:
    """The same elements in another shape; one length may be -1.

    >>> reshape(tensor([1, 2, 3, 4]), (2, -1))
    tensor([[1, 2],
            [3, 4]])
    """
    return _tensor(input, "reshape").reshape(shape)


def permute_dims(input: Tensor, axes: Any) -> Tensor:
    """The dimensions in another order.

    >>> permute_dims(zeros(2, 3), (1, 0)).shape
    (3, 2)
    """
    return _tensor(input, "permute_dims").permute(axes)


def broadcast_to(input: Tensor, shape: Any) -> Tensor:
    """`input` repeated to `shape`; the derivative adds up the repetitions.

    >>> broadcast_to(tensor([1, 2]), (2, 2))
    tensor([[1, 2],
            [1, 2]])
    """
    return apply_operation(shapes.broadcast_to, _tensor(input, "broadcast_to"), tuple(shape))


def astype(input: Tensor, dtype: Any) -> Tensor:
    """`input` in another dtype; the gradient comes back in the dtype of `input`.

    >>> astype(tensor([1, 2]), "float32")
    tensor([1., 2.])
    """
    return _tensor(input, "astype").to(dtype=dtype)
