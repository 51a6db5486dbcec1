"""Layers that normalize, over the batch, the features of an example, or groups of channels."""

from typing import Any

from tinygrad_poly.creation import ones, tensor, zeros
from tinygrad_poly.engine.arrays import Shape
from tinygrad_poly.engine.errors import ShapeError
from tinygrad_poly.functions._shared import lengths
from tinygrad_poly.nn import functional
from tinygrad_poly.nn.module import Module, Parameter
from tinygrad_poly.tensor import Tensor


class _Normalization(Module):
    """A layer with a factor and a summand for each number of a shape: 1 and 0 at first."""

    _shown: tuple[str, ...] = ()

    def __init__(self, shape: Shape, affine: bool, bias: bool, **where: Any) -> None:
        super().__init__()
        self.register_parameter("weight", Parameter(ones(shape, **where)) if affine else None)
        self.register_parameter("bias", Parameter(zeros(shape, **where)) if affine and bias else None)

    def extra_repr(self) -> str:
        """The sizes and the options, as torch prints them."""
        values = {name: getattr(self, name) for name in self._shown} | {"bias": self.bias is not None}
        return ", ".join(
            f"{values[name]}" if "num" in name or "shape" in name else f"{name}={values[name]}" for name in self._shown
        )


class BatchNorm1d(_Normalization):
    """Batch normalization of x of shape (N, C) or (N, C, L): see `functional.batch_norm`.

    In training, statistics are those of the batch, and running ones, kept as buffers, are moved towards them by the
    fraction `momentum`; None takes the mean of all batches. In evaluation the running statistics are used, where they
    are tracked.

    >>> BatchNorm1d(3)
    BatchNorm1d(3, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)
    """

    _dimensions, _expected = (2, 3), "(N, C) or (N, C, L)"
    _shown = ("num_features", "eps", "momentum", "affine", "bias", "track_running_stats")

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-05,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        *,
        bias: bool = True,
        **where: Any,
    ) -> None:
        super().__init__((num_features,), affine, bias, **where)
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        statistics = zeros(num_features, **where), ones(num_features, **where), tensor(0, device=where.get("device"))
        for name, start in zip(("running_mean", "running_var", "num_batches_tracked"), statistics):
            self.register_buffer(name, start if track_running_stats else None)

    def forward(self, input: Tensor) -> Tensor:
        """The normalized input.

        Raises:
            ShapeError: for other dimensions or channels, or one value for each channel in training.
        """
        if input.ndim not in self._dimensions:
            raise ShapeError(f"{type(self).__name__} expects an input of shape {self._expected}, not {input.shape}")
        mean, variance, share = self.running_mean, self.running_var, self.momentum
        tracks = self.training and mean is not None
        if share is None:
            share = 1 / (self.num_batches_tracked.item() + 1) if tracks else 0.0
        training = self.training or mean is None
        result = functional.batch_norm(input, mean, variance, self.weight, self.bias, training, share, self.eps)
        if tracks:
            self.num_batches_tracked += 1
        return result


class BatchNorm2d(BatchNorm1d):
    """Batch normalization of images, x of shape (N, C, H, W): see `BatchNorm1d`.

    >>> BatchNorm2d(3)(zeros(5, 3, 8, 8)).shape
    torch.Size([5, 3, 8, 8])
    """

    _dimensions, _expected = (4,), "(N, C, H, W)"  # type: ignore[assignment]


class LayerNorm(_Normalization):
    """Normalization of each example, whose shape is at the end of that of the input: see `functional.layer_norm`.

    >>> LayerNorm(2)
    LayerNorm((2,), eps=1e-05, elementwise_affine=True, bias=True)
    """

    _shown = ("normalized_shape", "eps", "elementwise_affine", "bias")

    def __init__(
        self,
        normalized_shape: Any,
        eps: float = 1e-05,
        elementwise_affine: bool = True,
        bias: bool = True,
        **where: Any,
    ) -> None:
        shape = normalized_shape if isinstance(normalized_shape, (tuple, list)) else (normalized_shape,)
        super().__init__(lengths(shape), elementwise_affine, bias, **where)
        self.normalized_shape, self.eps, self.elementwise_affine = lengths(shape), eps, elementwise_affine

    def forward(self, input: Tensor) -> Tensor:
        """The normalized input."""
        return functional.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)


class GroupNorm(_Normalization):
    """Normalization of each of several groups of channels: see `functional.group_norm`.

    >>> GroupNorm(2, 4)
    GroupNorm(2, 4, eps=1e-05, affine=True, bias=True)
    """

    _shown = ("num_groups", "num_channels", "eps", "affine", "bias")

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-05,
        affine: bool = True,
        *,
        bias: bool = True,
        **where: Any,
    ) -> None:
        if num_groups < 1 or num_channels % num_groups:
            raise ShapeError(f"GroupNorm: {num_groups} groups do not divide {num_channels} channels")
        super().__init__((num_channels,), affine, bias, **where)
        self.num_groups, self.num_channels, self.eps, self.affine = num_groups, num_channels, eps, affine

    def forward(self, input: Tensor) -> Tensor:
        """The normalized input."""
        return functional.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)
