"""Activation functions of neural networks."""

import math

from tinygrad_poly.derivatives import activations
from tinygrad_poly.engine.apply import apply_operation, apply_unary, checked
from tinygrad_poly.engine.errors import ShapeError
from tinygrad_poly.functions._shared import Tensor, as_number, one_axis
from tinygrad_poly.functions.arithmetic import clamp
from tinygrad_poly.functions.elementwise import tanh
from tinygrad_poly.functions.joining import split


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
    return apply_unary(activations.elu, checked(input, "elu"), as_number(alpha, "elu", "alpha"), 1)


def celu(input: Tensor, alpha: float = 1.0) -> Tensor:
    """The function x where x > 0, else α(e^(x/α) − 1), with a continuous derivative, 1 and e^(x/α).

    Raises:
        ValueError: for α = 0.

    >>> celu(tensor([-1000.0, 2.0]), 0.5)
    tensor([-0.5000,  2.0000])
    """
    if not (alpha := as_number(alpha, "celu", "alpha")):
        raise ValueError("celu: alpha must not be 0")
    return apply_unary(activations.elu, checked(input, "celu"), alpha, 1 / alpha)


def selu(input: Tensor) -> Tensor:
    """The function λ x where x > 0, else λ α (eˣ − 1), which keeps the mean 0 and the variance 1 of random numbers.

    The derivative is λ or λ α eˣ. Klambauer and others, Self-Normalizing Neural Networks, 2017.

    >>> selu(tensor([-1000.0, 1.0]))
    tensor([-1.7581,  1.0507])
    """
    return elu(checked(input, "selu"), 1.6732632423543772) * 1.0507009873554805


def hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """The function x, but at least a = `min_val` and at most b = `max_val`; the derivative is 1 between, else 0.

    Raises:
        ValueError: where a is above b.

    >>> hardtanh(tensor([-2.0, 0.5, 2.0]))
    tensor([-1.0000,  0.5000,  1.0000])
    """
    low, high = as_number(min_val, "hardtanh", "min_val"), as_number(max_val, "hardtanh", "max_val")
    if low > high:
        raise ValueError(f"hardtanh: min_val must be at most max_val, not {low} and {high}")
    return apply_unary(activations.hardtanh, checked(input, "hardtanh"), low, high)


def relu6(input: Tensor) -> Tensor:
    """The function min(max(x, 0), 6), with derivative 1 between 0 and 6, else 0.

    >>> relu6(tensor([-1.0, 2.0, 8.0]))
    tensor([0., 2., 6.])
    """
    return hardtanh(input, 0.0, 6.0)


def hardsigmoid(input: Tensor) -> Tensor:
    """The function min(max(x + 3, 0), 6)/6, with derivative 1/6 between −3 and 3, else 0.

    >>> hardsigmoid(tensor([-4.0, 0.0, 4.0]))
    tensor([0.0000, 0.5000, 1.0000])
    """
    return relu6(checked(input, "hardsigmoid") + 3) / 6


def hardswish(input: Tensor) -> Tensor:
    """The function x min(max(x + 3, 0), 6)/6, with derivative x/3 + 1/2 between −3 and 3, 0 below, and 1 above.

    >>> hardswish(tensor([-4.0, 1.5, 4.0]))
    tensor([-0.0000,  1.1250,  4.0000])
    """
    return apply_unary(activations.hardswish, checked(input, "hardswish"))


def threshold(input: Tensor, threshold: float, value: float) -> Tensor:
    """The function x where x > `threshold`, else `value`; the derivative is 1 and 0.

    >>> threshold(tensor([1.0, 2.0]), 1.0, 0.5)
    tensor([0.5000, 2.0000])
    """
    end = as_number(threshold, "threshold", "threshold"), as_number(value, "threshold", "value")
    return apply_unary(activations.threshold, checked(input, "threshold"), -math.inf, *end)


def hardshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """The function x where |x| > λ, else 0; the derivative is 1 and 0.

    >>> hardshrink(tensor([-1.0, 0.5, 2.0]))
    tensor([-1.,  0.,  2.])
    """
    end = as_number(lambd, "hardshrink", "lambd")
    return apply_unary(activations.threshold, checked(input, "hardshrink"), -end, end, 0.0)


def softshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """The function x moved towards 0 by λ, and 0 where |x| ≤ λ; the derivative is 1 and 0.

    Raises:
        ValueError: for a negative λ.

    >>> softshrink(tensor([-1.0, 0.5, 2.0]))
    tensor([-0.5000,  0.0000,  1.5000])
    """
    if not (end := as_number(lambd, "softshrink", "lambd")) >= 0:
        raise ValueError(f"softshrink: lambd must be 0 or more, not {end}")
    return input - clamp(checked(input, "softshrink"), -end, end)


def tanhshrink(input: Tensor) -> Tensor:
    """The function x − tanh x, with derivative tanh² x.

    >>> tanhshrink(tensor([0.0, 100.0]))
    tensor([ 0., 99.])
    """
    return input - tanh(checked(input, "tanhshrink"))


def softsign(input: Tensor) -> Tensor:
    """The function x/(1 + |x|), with derivative 1/(1 + |x|)².

    >>> softsign(tensor([-1.0, 3.0]))
    tensor([-0.5000,  0.7500])
    """
    return input / (abs(checked(input, "softsign")) + 1)


def mish(input: Tensor) -> Tensor:
    """The function x tanh s, where s = log(1 + eˣ), with derivative tanh s + x σ(x) (1 − tanh² s).

    >>> mish(tensor([0.0, 100.0]))
    tensor([  0., 100.])
    """
    return input * tanh(softplus(checked(input, "mish"), 1.0, math.inf))


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """The first half of x along `dim`, times σ of the second half.

    With halves a and b, the derivative is σ(b) by a, and a σ(b)(1 − σ(b)) by b.

    Raises:
        ShapeError: for an odd length.

    >>> glu(tensor([2.0, 0.0]))
    tensor([1.])
    """
    length = checked(input, "glu").shape[one_axis(input, dim, "glu")]
    if length % 2:
        raise ShapeError(f"glu halves dimension {dim}, which has the odd length {length}, of shape {input.shape}")
    first, second = split(input, length // 2, dim)
    return first * sigmoid(second)


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """The function x where x > 0, else w x, with one w for all or one for each channel, which is dimension 1.

    The derivative is 1 or w by x, and 0 or x by w.

    Raises:
        ShapeError: for another number of weights.

    >>> prelu(tensor([[-1.0, -2.0, 3.0]]), tensor([0.5, 0.25, 0.5]))
    tensor([[-0.5000, -0.5000,  3.0000]])
    """
    shape, count = checked(input, "prelu").shape, checked(weight, "prelu").numel()
    if weight.ndim > 1 or count not in (1, shape[1] if len(shape) > 1 else 1):
        raise ShapeError(f"prelu needs one weight, or one for each channel of {shape}, not {weight.shape}")
    of_channels = weight.reshape((count,) + (1,) * (len(shape) - 2) if shape else ())
    return apply_operation(activations.prelu, input, of_channels)


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
