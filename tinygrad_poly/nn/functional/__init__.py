"""Layers and losses as functions, as in `torch.nn.functional`."""

import functools
import inspect
import math
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tinygrad_poly import functions
from tinygrad_poly._missing import explain as _explain
from tinygrad_poly._public import publish as _publish
from tinygrad_poly.creation import zeros_like
from tinygrad_poly.derivatives import activations
from tinygrad_poly.engine.apply import apply_operation, checked
from tinygrad_poly.engine.arrays import Shape
from tinygrad_poly.engine.errors import ShapeError
from tinygrad_poly.methods import in_place
from tinygrad_poly.random import rand
from tinygrad_poly.tensor import Tensor

if TYPE_CHECKING:
    from tinygrad_poly.nn.functional.embedding import *
    from tinygrad_poly.nn.functional.losses import *
    from tinygrad_poly.nn.functional.normalization import *
else:
    _publish(__name__, ".embedding", ".losses", ".normalization", hidden=("check_reduction", "old_reduction"))


def _or_in_place(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """`function` with torch's last argument `inplace`: whether the result is written into `input`."""
    into, last = in_place(function), function.__code__.co_argcount

    @functools.wraps(function)
    def call(input: Tensor, *options: Any, inplace: bool = False, **named: Any) -> Tensor:
        if len(options) == last:
            *options, inplace = options  # type: ignore[assignment]
        return (into if inplace else function)(input, *options, **named)

    said = inspect.signature(function)
    extra = inspect.Parameter("inplace", inspect.Parameter.KEYWORD_ONLY, default=False)
    call.__signature__ = said.replace(parameters=[*said.parameters.values(), extra])  # type: ignore[attr-defined]
    return call


adaptive_avg_pool1d, adaptive_avg_pool2d = functions.adaptive_avg_pool1d, functions.adaptive_avg_pool2d
adaptive_max_pool1d, adaptive_max_pool2d = functions.adaptive_max_pool1d, functions.adaptive_max_pool2d
avg_pool1d, avg_pool2d, conv1d, conv2d = functions.avg_pool1d, functions.avg_pool2d, functions.conv1d, functions.conv2d
gelu, glu, hardshrink, linear = functions.gelu, functions.glu, functions.hardshrink, functions.linear
max_pool1d, max_pool2d, pad, prelu = functions.max_pool1d, functions.max_pool2d, functions.pad, functions.prelu
sigmoid, softplus, softshrink = functions.sigmoid, functions.softplus, functions.softshrink
softsign, tanh, tanhshrink = functions.softsign, functions.tanh, functions.tanhshrink
relu, silu = _or_in_place(functions.relu), _or_in_place(functions.silu)
elu, leaky_relu = _or_in_place(functions.elu), _or_in_place(functions.leaky_relu)
celu, selu, mish = _or_in_place(functions.celu), _or_in_place(functions.selu), _or_in_place(functions.mish)
relu6, hardtanh = _or_in_place(functions.relu6), _or_in_place(functions.hardtanh)
hardsigmoid, hardswish = _or_in_place(functions.hardsigmoid), _or_in_place(functions.hardswish)
threshold = _or_in_place(functions.threshold)
relu_, elu_, leaky_relu_ = in_place(functions.relu), in_place(functions.elu), in_place(functions.leaky_relu)
celu_, selu_, hardtanh_ = in_place(functions.celu), in_place(functions.selu), in_place(functions.hardtanh)
threshold_ = in_place(functions.threshold)


def logsigmoid(input: Tensor) -> Tensor:
    """The logarithm of σ(x), −log(1 + e⁻ˣ), with derivative σ(−x); nothing overflows on the way.

    >>> logsigmoid(tensor([0.0, -1000.0]))
    tensor([-6.9315e-01, -1.0000e+03])
    """
    return -softplus(-checked(input, "logsigmoid"), 1.0, math.inf)


def _dimension(input: Tensor, dim: int | None, name: str) -> int:
    """`dim`, or torch's default: the classes, which come second if the first dimension counts examples."""
    if dim is None:
        dim = 0 if checked(input, name).ndim in (0, 1, 3) else 1
        warnings.warn(f"{name} without dim: dimension {dim} was chosen; say dim={dim}", UserWarning, stacklevel=4)
    return dim


def softmax(input: Tensor, dim: int | None = None) -> Tensor:
    """eˣ divided by its sum over `dim`: positive numbers that add up to 1.

    >>> softmax(tensor([0.0, 0.0]), dim=0)
    tensor([0.5000, 0.5000])
    """
    return functions.softmax(input, _dimension(input, dim, "softmax"))


def softmin(input: Tensor, dim: int | None = None) -> Tensor:
    """The softmax of −x.

    >>> softmin(tensor([0.0, 0.0]), dim=0)
    tensor([0.5000, 0.5000])
    """
    return functions.softmax(-checked(input, "softmin"), _dimension(input, dim, "softmin"))


def _rrelu(input: Tensor, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False) -> Tensor:
    """The function x where x > 0, else αx, with a random α for each element in training, else the middle one.

    Raises:
        ValueError: where `lower` is above `upper`.

    >>> rrelu(tensor([-4.0, 2.0]), 0.25, 0.75)
    tensor([-2.,  2.])
    """
    if not lower <= upper:
        raise ValueError(f"rrelu: lower must be at most upper, not {lower} and {upper}")
    if not training:
        return functions.leaky_relu(checked(input, "rrelu"), (lower + upper) / 2)
    slopes = zeros_like(input.detach())
    below = input.detach() <= 0
    slopes[below] = (rand(int(below.sum()), dtype="float64") * (upper - lower) + lower).to(slopes)
    return apply_operation(activations.prelu, input, slopes)


_rrelu.__name__ = "rrelu"
rrelu, rrelu_ = _or_in_place(_rrelu), in_place(_rrelu)


def log_softmax(input: Tensor, dim: int | None = None) -> Tensor:
    """The logarithm of `softmax`, which is x minus the logarithm of the sum of eˣ.

    >>> log_softmax(tensor([0.0, 0.0]), dim=0)
    tensor([-0.6931, -0.6931])
    """
    return functions.log_softmax(input, _dimension(input, dim, "log_softmax"))


def check_probability(p: float) -> None:
    """Raise an error unless the value is a probability.

    Raises:
        ValueError: outside of 0 to 1.
    """
    if not 0 <= p <= 1:
        raise ValueError(f"a dropout probability must be from 0 to 1, not {p}")


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Random zeros with probability `p`, other elements divided by 1 − p; x unchanged if `training` is false.

    With `inplace`, `input` is where the result is written.

    >>> dropout(tensor([1.0, 2.0]), p=0.0)
    tensor([1., 2.])
    """
    return _dropout(input, p, training, inplace, checked(input, "dropout").shape)


def _dropout(input: Tensor, p: float, training: bool, inplace: bool, shape: Shape) -> Tensor:
    """The input times random factors of `shape`, which are repeated."""
    check_probability(p)
    if not training or p == 0:
        return input
    # Where nothing is left, the factor 1/(1 − p) is never used.
    keep: Tensor = rand(*shape, dtype=input.dtype, device=input.device) >= p
    factors = keep.to(dtype=input.dtype) * (1 / (1 - p) if p < 1 else 0.0)
    return input.mul_(factors) if inplace else input * factors


def dropout2d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Zeros for random channels, of x of shape (N, C, …) or (C, L): see `dropout`.

    Raises:
        ShapeError: for fewer than two dimensions.

    >>> dropout2d(tensor([[1.0, 2.0]]), p=0.0)
    tensor([[1., 2.]])
    """
    kept = min(2, checked(input, "dropout2d").ndim - 1)
    if kept < 1:
        raise ShapeError(f"dropout2d: expected an input of shape (N, C, ...) or (C, L), not {input.shape}")
    return _dropout(input, p, training, inplace, (*input.shape[:kept], *[1] * (input.ndim - kept)))


dropout1d = dropout2d

_explain(__name__)
