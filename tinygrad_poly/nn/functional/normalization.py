"""Normalization: numbers less their mean, divided by their standard deviation, or by their length."""

import math
from collections.abc import Sequence
from typing import Any

from tinygrad_poly import functions
from tinygrad_poly.engine.apply import checked
from tinygrad_poly.engine.arrays import Shape
from tinygrad_poly.engine.errors import ShapeError
from tinygrad_poly.engine.recording import no_grad
from tinygrad_poly.tensor import Tensor


def _normalized(above: Tensor, variance: Tensor, eps: float, weight: Any, bias: Any, shape: Shape) -> Tensor:
    """W d/√(σ² + ε) + b, for deviations d from a mean, with w and b in this shape."""
    x = above * functions.rsqrt(variance + eps)
    x = x if weight is None else x * weight.reshape(shape)
    return x if bias is None else x + bias.reshape(shape)


def _moments(x: Tensor, axes: Shape) -> tuple[Tensor, Tensor, Tensor]:
    """The mean over `axes`, what x is above it, and the mean of its square."""
    mean = x.mean(axes, keepdim=True)
    above = x - mean
    return mean, above, (above * above).mean(axes, keepdim=True)


def _check_several(count: int, shape: Shape, name: str) -> None:
    if count <= 1:
        raise ShapeError(
            f"{name}: expected more than 1 value per channel when training, but shape {shape} has {count}: give larger "
            "batches, or call .eval() where running statistics are meant"
        )


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-05,
) -> Tensor:
    """The numbers of each channel, less their mean μ, over √(σ² + ε): w (x − μ)/√(σ² + ε) + b.

    In training, μ and σ² are the mean and the variance over the examples and positions, with n below the sum, and are
    differentiated; the running statistics are moved towards them, by the fraction `momentum`, with n − 1 in the
    variance. Otherwise μ and σ² are the running statistics.

    Args:
        input: x of shape (N, C) or (N, C, …).
        running_mean: of shape (C,); written into in training.
        running_var: of shape (C,); written into in training.
        weight: w of shape (C,).
        bias: b of shape (C,).
        training: whether the statistics are those of `input`.
        momentum: how far the running statistics move.
        eps: ε.

    Raises:
        ShapeError: where shapes do not fit, or there is one value for each channel in training.

    >>> batch_norm(tensor([[1.0], [3.0]]), None, None, training=True)
    tensor([[-1.],
            [ 1.]])
    """
    name, ndim = "batch_norm", checked(input, "batch_norm").ndim
    if ndim < 2:
        raise ShapeError(f"{name}: expected an input of shape (N, C) or (N, C, ...), not {input.shape}")
    channels, axes, shape = input.shape[1], (0, *range(2, ndim)), (1, -1, *[1] * (ndim - 2))
    given = (("running_mean", running_mean), ("running_var", running_var), ("weight", weight), ("bias", bias))
    for role, x in given:
        if x is not None and x.shape != (channels,):
            raise ShapeError(
                f"{name}: {role} has shape {x.shape}, but an input of shape {input.shape} {channels} channels"
            )
    if training:
        count = math.prod(input.shape[i] for i in axes)
        _check_several(count, input.shape, name)
        mean, above, variance = _moments(input, axes)
        with no_grad:
            for running, now in ((running_mean, mean), (running_var, variance * (count / (count - 1)))):
                if running is not None:
                    running.mul_(1 - momentum).add_(now.reshape(-1).to(running.dtype), alpha=momentum)
    elif running_mean is None or running_var is None:
        raise ShapeError(f"{name}: running_mean and running_var are needed where training is false")
    else:
        above, variance = input - running_mean.reshape(shape), running_var.reshape(shape)
    return _normalized(above, variance, eps, weight, bias, shape)


def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-05,
) -> Tensor:
    """The numbers of each example, less their mean μ, over √(σ² + ε): w (x − μ)/√(σ² + ε) + b.

    Args:
        input: x, whose last dimensions are those of an example.
        normalized_shape: their lengths.
        weight: w of that shape.
        bias: b of that shape.
        eps: ε.

    Raises:
        ShapeError: where shapes do not fit.

    >>> layer_norm(tensor([[1.0, 3.0], [5.0, 9.0]]), (2,))
    tensor([[-1.,  1.],
            [-1.,  1.]])
    """
    shape, ndim = tuple(normalized_shape), checked(input, "layer_norm").ndim
    if not shape or input.shape[-len(shape) :] != shape:
        raise ShapeError(f"layer_norm: expected an input whose shape ends in {shape}, not {input.shape}")
    _, above, variance = _moments(input, tuple(range(ndim - len(shape), ndim)))
    return _normalized(above, variance, eps, weight, bias, shape)


def group_norm(
    input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-05
) -> Tensor:
    """The numbers of each group of channels of each example, less their mean, over their deviation: see `layer_norm`.

    Args:
        input: x of shape (N, C, …).
        num_groups: how many groups the C channels are divided into.
        weight: w of shape (C,).
        bias: b of shape (C,).
        eps: ε.

    Raises:
        ShapeError: where the channels do not divide, or other shapes do not fit.

    >>> group_norm(tensor([[1.0, 3.0, 5.0, 9.0]]), 2)
    tensor([[-1.,  1., -1.,  1.]])
    """
    shape = checked(input, "group_norm").shape
    if len(shape) < 2 or num_groups < 1 or shape[1] % num_groups:
        raise ShapeError(f"group_norm: {num_groups} groups do not divide the channels of an input of shape {shape}")
    if input.numel():
        _check_several(input.numel() // num_groups, shape, "group_norm")
    groups = input.reshape(shape[0], num_groups, math.prod(shape[1:]) // num_groups)
    _, above, variance = _moments(groups, (2,))
    full = functions.expand(variance, groups.shape).reshape(shape)
    return _normalized(above.reshape(shape), full, eps, weight, bias, (-1, *[1] * (len(shape) - 2)))


def normalize(input: Tensor, p: float = 2.0, dim: Any = 1, eps: float = 1e-12) -> Tensor:
    """X over its p-norm along `dim`, or over `eps` where that is larger.

    >>> normalize(tensor([[3.0, 4.0]]))
    tensor([[0.6000, 0.8000]])
    """
    return input / functions.clamp(functions.norm(input, p, dim, keepdim=True), min=eps)
