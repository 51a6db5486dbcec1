"""Functions of each element."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tinygrad_poly.derivatives import arithmetic, elementwise
from tinygrad_poly.derivatives.operation import Operation
from tinygrad_poly.operators import apply_operation, apply_unary, checked

if TYPE_CHECKING:
    from tinygrad_poly.tensor import Tensor

__all__ = [
    "cos",
    "exp",
    "log",
    "pow",
    "sin",
    "sqrt",
    "square",
    "tanh",
    "where",
]


def _elementwise(operation: Operation, formula: str, derivative: str, example: str) -> Callable[[Tensor], Tensor]:
    name = operation.name.lower()

    def function(input: Tensor) -> Tensor:
        return apply_unary(operation, checked(input, name))

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"""{formula} for each element, with derivative {derivative}.

    The result has the shape and dtype of `input`.

    >>> {example.replace(" = ", chr(10) + "    ")}
    """
    return function


exp = _elementwise(elementwise.exp, "eˣ", "eˣ", "exp(tensor(0.0)) = tensor(1.)")
log = _elementwise(elementwise.log, "log x", "1/x", "log(tensor(1.0)) = tensor(0.)")
sin = _elementwise(elementwise.sin, "sin x", "cos x", "sin(tensor(0.0)) = tensor(0.)")
cos = _elementwise(elementwise.cos, "cos x", "−sin x", "cos(tensor(0.0)) = tensor(1.)")
tanh = _elementwise(elementwise.tanh, "tanh x", "1 − tanh² x", "tanh(tensor(0.0)) = tensor(0.)")
sqrt = _elementwise(elementwise.sqrt, "√x", "1/(2√x), infinite at 0", "sqrt(tensor(4.0)) = tensor(2.)")


def square(input: Tensor) -> Tensor:
    """x², with derivative 2x.

    >>> square(tensor(3.0))
    tensor(9.)
    """
    return apply_unary(arithmetic.power_scalar, checked(input, "square"), 2)


def pow(input: Any, exponent: Any) -> Tensor:
    """aᵇ of tensors or numbers that broadcast, with derivatives b aᵇ⁻¹ and aᵇ log a.

    >>> pow(tensor([1.0, 2.0]), 3)
    tensor([1., 8.])
    """
    return checked(input**exponent, "pow")


def where(condition: Any, input: Any, other: Any) -> Tensor:
    """`input` where `condition` holds, `other` elsewhere; the gradient goes where the element came from.

    A NaN or infinity in the slope of the branch that was *not* taken still spoils the gradient
    (0 · ∞ is NaN), as in torch: choose a harmless argument first, then compute.

    >>> where(tensor([True, False]), tensor([1.0, 2.0]), 0.0)
    tensor([1., 0.])
    """
    return apply_operation(elementwise.where, condition, input, other)
