"""Activation functions of neural networks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinygrad_poly.derivatives import activations
from tinygrad_poly.engine.apply import apply_unary, checked
from tinygrad_poly.functions._shared import as_number

if TYPE_CHECKING:
    from tinygrad_poly.tensor import Tensor


def sigmoid(input: Tensor) -> Tensor:
    """The function σ(x) = 1/(1 + e⁻ˣ), with derivative σ(x) (1 − σ(x)), without overflow on the way.

    >>> sigmoid(tensor([0.0, -1000.0, 1000.0]))
    tensor([0.5000, 0.0000, 1.0000])
    """
    return apply_unary(activations.sigmoid, checked(input, "sigmoid"))


def relu(input: Tensor) -> Tensor:
    """The rectifier max(x, 0), with derivative 1 where x > 0 and 0 elsewhere, also at 0. NaN stays, with derivative 1.

    >>> relu(tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    return apply_unary(activations.relu, checked(input, "relu"))


def leaky_relu(input: Tensor, negative_slope: float = 0.01) -> Tensor:
    """The function x where x > 0, else αx with α = `negative_slope`; the derivative is 1 and α, at 0 it is α.

    >>> leaky_relu(tensor([-1.0, 2.0]), 0.5)
    tensor([-0.5000,  2.0000])
    """
    slope = as_number(negative_slope, "leaky_relu", "negative_slope")
    return apply_unary(activations.leaky_relu, checked(input, "leaky_relu"), slope)


def elu(input: Tensor, alpha: float = 1.0) -> Tensor:
    """The function x where x > 0, else α(eˣ − 1); the derivative is 1 and α eˣ, at 0 it is α.

    >>> elu(tensor([-1000.0, 2.0]))
    tensor([-1.,  2.])
    """
    return apply_unary(activations.elu, checked(input, "elu"), as_number(alpha, "elu", "alpha"))


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """The function log(1 + e^(βx))/β, a smooth max(x, 0); simply x where βx > `threshold`. The derivative is σ(βx).

    >>> softplus(tensor([0.0, 1000.0]))
    tensor([6.9315e-01, 1.0000e+03])
    """
    options = as_number(beta, "softplus", "beta"), as_number(threshold, "softplus", "threshold")
    return apply_unary(activations.softplus, checked(input, "softplus"), *options)


def silu(input: Tensor) -> Tensor:
    """The function x σ(x), also called swish, with derivative σ(x) (1 + x (1 − σ(x))).

    >>> silu(tensor([0.0, 100.0]))
    tensor([  0., 100.])
    """
    return apply_unary(activations.silu, checked(input, "silu"))


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """The function x Φ(x), with Φ(x) the area under the bell curve φ left of x; the derivative is Φ(x) + x φ(x).

    With `approximate="tanh"`, Φ(x) is replaced by ½ (1 + tanh(√(2/π) (x + 0.044715 x³))).

    Raises:
        ValueError: for another `approximate`.

    >>> gelu(tensor([0.0, 100.0]))
    tensor([  0., 100.])
    """
    rows = {"none": activations.gelu, "tanh": activations.gelu_tanh}
    if approximate not in rows:
        raise ValueError(f"gelu: approximate must be 'none' or 'tanh', not {approximate!r}")
    return apply_unary(rows[approximate], checked(input, "gelu"))
