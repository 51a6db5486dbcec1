"""Initial weights, as in `torch.nn.init`: each function writes into its tensor, and returns it.

For a seed the numbers are torch's. Those of `orthogonal_` are decomposed by LAPACK, on whose version the last digits
depend.
"""

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_poly import functions
from tinygrad_poly._missing import explain as _explain
from tinygrad_poly.creation import eye, ones_like
from tinygrad_poly.creation import tensor as made
from tinygrad_poly.engine.errors import ShapeError
from tinygrad_poly.engine.recording import no_grad
from tinygrad_poly.random import normal_like, randperm, uniform_like
from tinygrad_poly.tensor import Tensor

GAINS: dict[str, float] = {
    **dict.fromkeys(("linear", "conv1d", "conv2d", "conv3d", "sigmoid"), 1),
    **dict.fromkeys(("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"), 1),
    "tanh": 5 / 3,
    "relu": math.sqrt(2),
    "selu": 3 / 4,
}
"""By how much the weights before these functions have to be larger, for the numbers after them to keep their size."""


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor of the weights before a function; `param` is the slope of "leaky_relu", 0.01 if not given.

    Raises:
        ValueError: for an unknown function, and a slope that is no number.

    >>> calculate_gain("leaky_relu", 1.0)
    1.0
    """
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        if isinstance(slope, bool) or not isinstance(slope, (int, float)):
            raise ValueError(f"the slope of leaky_relu is a number, not {slope!r}")
        return math.sqrt(2 / (1 + slope**2))
    if nonlinearity not in GAINS:
        raise ValueError(f"no gain is known of {nonlinearity!r}; those known: leaky_relu, {', '.join(GAINS)}")
    return GAINS[nonlinearity]


@no_grad()
def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Any = None) -> Tensor:
    """Random numbers, uniform from a to b.

    >>> uniform_(zeros(2), 3.0, 3.0)
    tensor([3., 3.])
    """
    return tensor.uniform_(a, b, generator=generator)


@no_grad()
def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Any = None) -> Tensor:
    """Random numbers of the normal distribution.

    >>> normal_(zeros(2), 3.0, 0.0)
    tensor([3., 3.])
    """
    return tensor.normal_(mean, std, generator=generator)


@no_grad()
def trunc_normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0, generator: Any = None
) -> Tensor:
    """Random numbers of the normal distribution, drawn again until they lie from a to b.

    Where few of them would, uniform ones are drawn, and each is kept with a probability ∝ the density.

    >>> bool((trunc_normal_(zeros(100)).abs() <= 2).all())
    True
    """
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn("trunc_normal_: the mean is more than 2 std away from [a, b]", UserWarning, stacklevel=3)
    below_b, below_a = ((1 + math.erf((end - mean) / std / math.sqrt(2))) / 2 for end in (b, a))
    if below_b - below_a > 0.3:
        low, high = (made(end, dtype=tensor.dtype).item() for end in (a, b))
        tensor.normal_(mean, std, generator=generator)
        while (outside := (tensor < low) | (tensor > high)).any():
            tensor.copy_(functions.where(outside, normal_like(tensor, mean, std, generator), tensor))
        return tensor
    peak = -0.5 * ((max(a, min(mean, b)) - mean) / std) ** 2
    pending = ones_like(tensor) > 0
    while pending.any():
        drawn = uniform_like(tensor, a, b, generator)
        tensor.copy_(functions.where(pending, drawn, tensor))
        log_density = ((drawn - mean) / std) ** 2 * -0.5 - peak
        with np.errstate(divide="ignore"):
            pending = pending & (functions.log(uniform_like(tensor, 0.0, 1.0, generator)) > log_density)
    return tensor


@no_grad()
def constant_(tensor: Tensor, val: float) -> Tensor:
    """One number everywhere.

    >>> constant_(zeros(2), 3.0)
    tensor([3., 3.])
    """
    return tensor.fill_(val)


def ones_(tensor: Tensor) -> Tensor:
    """Ones.

    >>> ones_(zeros(2))
    tensor([1., 1.])
    """
    return constant_(tensor, 1.0)


def zeros_(tensor: Tensor) -> Tensor:
    """Zeros.

    >>> zeros_(tensor([1.0, 2.0]))
    tensor([0., 0.])
    """
    return constant_(tensor, 0.0)


def _check_dims(tensor: Tensor, allowed: tuple[int, ...], name: str) -> None:
    if tensor.ndim not in allowed:
        raise ShapeError(f"{name} takes tensors with {' or '.join(map(str, allowed))} dimensions, not {tensor.shape}")


@no_grad()
def eye_(tensor: Tensor) -> Tensor:
    """The identity matrix.

    >>> eye_(zeros(2, 2))
    tensor([[1., 0.],
            [0., 1.]])
    """
    _check_dims(tensor, (2,), "eye_")
    return tensor.copy_(eye(*tensor.shape))


@no_grad()
def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """The kernels of a convolution that returns its input, of as many channels as there are.

    >>> dirac_(zeros(1, 1, 3))
    tensor([[[0., 1., 0.]]])
    """
    _check_dims(tensor, (3, 4, 5), "dirac_")
    channels, rest = divmod(tensor.shape[0], groups)
    if rest:
        raise ShapeError(f"dirac_: {tensor.shape[0]} channels do not divide into {groups} groups")
    kernels, middle = np.zeros(tensor.shape), tuple(n // 2 for n in tensor.shape[2:])
    for i in range(min(channels, tensor.shape[1])):
        place: Any = (slice(i, None, channels), i, *middle)
        kernels[place] = 1
    return tensor.copy_(made(kernels, dtype=tensor.dtype))


def _fans(tensor: Tensor) -> tuple[int, int]:
    """The fan in and the fan out of weights: the number of inputs of each output, and of outputs of each input."""
    if tensor.ndim < 2:
        raise ShapeError(f"weights of shape {tensor.shape} have no fan: they need 2 dimensions or more")
    field = math.prod(tensor.shape[2:])
    return tensor.shape[1] * field, tensor.shape[0] * field


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Any = None) -> Tensor:
    """Uniform numbers with the standard deviation gain · √(2/(fan_in + fan_out)). Glorot and Bengio, 2010.

    >>> bool((xavier_uniform_(zeros(3, 3)).abs() <= 1).all())
    True
    """
    bound = math.sqrt(3.0) * (gain * math.sqrt(2.0 / sum(_fans(tensor))))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Any = None) -> Tensor:
    """Normal numbers with the standard deviation gain · √(2/(fan_in + fan_out)). Glorot and Bengio, 2010.

    >>> tuple(xavier_normal_(zeros(3, 3)).shape)
    (3, 3)
    """
    return normal_(tensor, 0.0, gain * math.sqrt(2.0 / sum(_fans(tensor))), generator)


def _kaiming(tensor: Tensor, a: float, mode: str, nonlinearity: str, draw: Callable[[float], Any]) -> Tensor:
    if 0 in tensor.shape:
        warnings.warn("there is nothing to initialize in a tensor without elements", UserWarning, stacklevel=3)
        return tensor
    if mode.lower() not in ("fan_in", "fan_out"):
        raise ValueError(f"mode must be 'fan_in' or 'fan_out', not {mode!r}")
    fan = _fans(tensor)[mode.lower() == "fan_out"]
    draw(calculate_gain(nonlinearity, a) / math.sqrt(fan))
    return tensor


def kaiming_uniform_(
    tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", generator: Any = None
) -> Tensor:
    """Uniform numbers with the standard deviation gain/√fan; a is the slope of "leaky_relu". He and others, 2015.

    >>> bool((kaiming_uniform_(zeros(2, 6)).abs() <= 1).all())
    True
    """
    root = math.sqrt(3.0)
    return _kaiming(tensor, a, mode, nonlinearity, lambda std: uniform_(tensor, -root * std, root * std, generator))


def kaiming_normal_(
    tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", generator: Any = None
) -> Tensor:
    """Normal numbers with the standard deviation gain/√fan; a is the slope of "leaky_relu". He and others, 2015.

    >>> tuple(kaiming_normal_(zeros(2, 6)).shape)
    (2, 6)
    """
    return _kaiming(tensor, a, mode, nonlinearity, lambda std: normal_(tensor, 0.0, std, generator))


@no_grad()
def orthogonal_(tensor: Tensor, gain: float = 1, generator: Any = None) -> Tensor:
    """Rows, or columns if there are fewer, that are orthogonal and of length `gain`. Saxe and others, 2013.

    >>> q = orthogonal_(zeros(2, 2))
    >>> bool(((q @ q.T - eye_(zeros(2, 2))).abs() < 1e-6).all())
    True
    """
    if tensor.ndim < 2:
        raise ShapeError(f"orthogonal_ takes tensors with 2 dimensions or more, not {tensor.shape}")
    if not tensor.numel():
        return tensor
    drawn = normal_like(tensor, 0.0, 1.0, generator).reshape(tensor.shape[0], -1)
    tall = drawn if drawn.shape[0] >= drawn.shape[1] else drawn.T
    q, r = functions.qr(tall)
    q = q * functions.sign(r.diagonal())  # so that it does not depend on the signs that LAPACK chooses
    return tensor.copy_((q if tall is drawn else q.T).reshape(tensor.shape) * gain)


@no_grad()
def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01, generator: Any = None) -> Tensor:
    """Normal numbers, of which the part `sparsity` of each column, rounded up, is 0. Martens, 2010.

    >>> int((sparse_(zeros(4, 2), 0.5) == 0).sum())
    4
    """
    _check_dims(tensor, (2,), "sparse_")
    rows, columns = tensor.shape
    tensor.normal_(0.0, std, generator=generator)
    for column in range(columns):
        tensor[randperm(rows)[: math.ceil(sparsity * rows)], column] = 0
    return tensor


_explain(__name__)
