"""Layers that slide a kernel over signals and images: convolution and pooling."""

import inspect
import re
from collections.abc import Callable
from typing import Any, ClassVar

from tinygrad_poly.engine.errors import DtypeError, ShapeError
from tinygrad_poly.functions._shared import per_dimension
from tinygrad_poly.nn import functional
from tinygrad_poly.nn.applied import Applied
from tinygrad_poly.nn.layers import _Weighted
from tinygrad_poly.tensor import Tensor


class Conv1d(_Weighted):
    """A convolution of signals, x of shape (N, C, L) or (C, L): see `functional.conv1d`.

    The weights have the shape (out_channels, in_channels/groups, kernel) and start as those of `Linear`: uniform in
    ±1/√(in_channels/groups · kernel), drawn in torch's order.

    >>> Conv1d(2, 4, 3, padding=1)
    Conv1d(2, 4, kernel_size=(3,), stride=(1,), padding=(1,))
    """

    _count, _function = 1, staticmethod(functional.conv1d)

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        **where: Any,
    ) -> None:
        name = type(self).__name__
        if padding_mode != "zeros":
            raise DtypeError(f"{name}: padding_mode {padding_mode!r} is not there; only 'zeros' is")
        if groups < 1 or in_channels % groups or out_channels % groups:
            raise ShapeError(f"{name}: groups={groups} does not divide {in_channels} and {out_channels} channels")
        kernel = per_dimension(kernel_size, self._count, name, "kernel_size")
        super().__init__((out_channels, in_channels // groups, *kernel), bias, **where)
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size, self.padding_mode = kernel, padding_mode
        self.stride = per_dimension(stride, self._count, name, "stride")
        self.dilation = per_dimension(dilation, self._count, name, "dilation")
        numbers = not isinstance(padding, str)
        self.padding = per_dimension(padding, self._count, name, "padding", 0) if numbers else padding

    def forward(self, input: Tensor) -> Tensor:
        """The convolution of the input."""
        options = self.stride, self.padding, self.dilation, self.groups
        return self._function(input, self.weight, self.bias, *options)

    def extra_repr(self) -> str:
        """The sizes and the options, as torch prints them."""
        shown = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        ones, bias = (1,) * self._count, self.bias is not None
        usual = {"padding": (0,) * self._count, "dilation": ones, "groups": 1}
        others = {name: getattr(self, name) for name, value in usual.items() if getattr(self, name) != value}
        return ", ".join([shown, *(f"{name}={value}" for name, value in others.items()), *["bias=False"] * (not bias)])


class Conv2d(Conv1d):
    """A convolution of images, x of shape (N, C, H, W) or (C, H, W): see `Conv1d`.

    >>> Conv2d(1, 16, 3)(zeros(32, 1, 28, 28)).shape
    torch.Size([32, 16, 26, 26])
    """

    _count, _function = 2, staticmethod(functional.conv2d)


class _Pooling(Applied):
    """A module that applies a function with options, which it takes and prints in an order of its own."""

    def __init_subclass__(cls, function: Callable[..., Tensor], order: str, hidden: str = "") -> None:
        super().__init_subclass__(function)
        given = cls.__signature__.parameters
        cls.__signature__ = inspect.Signature([given[name] for name in order.split()])
        cls._printed = [name for name in order.split() if name not in ("return_indices", *hidden.split())]

    _printed: ClassVar[list[str]]

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        if getattr(self, "stride", ()) is None:
            self.stride = self.kernel_size

    def extra_repr(self) -> str:
        """The options, as torch prints them."""
        return ", ".join(f"{name}={getattr(self, name)}" for name in self._printed)


MAX = "kernel_size stride padding dilation return_indices ceil_mode"
AVG = "kernel_size stride padding ceil_mode count_include_pad"
AVG_HIDDEN = "ceil_mode count_include_pad divisor_override"


class MaxPool1d(_Pooling, function=functional.max_pool1d, order=MAX):
    """The largest element in each window of signals: see `functional.max_pool1d`.

    >>> MaxPool1d(2)(tensor([[1.0, 3.0, 2.0, 0.0]]))
    tensor([[3., 2.]])
    """


class MaxPool2d(_Pooling, function=functional.max_pool2d, order=MAX):
    """The largest element in each window of images: see `functional.max_pool2d`.

    >>> MaxPool2d(2)(zeros(5, 3, 8, 8)).shape
    torch.Size([5, 3, 4, 4])
    """


class AvgPool2d(_Pooling, function=functional.avg_pool2d, order=f"{AVG} divisor_override", hidden=AVG_HIDDEN):
    """The mean of each window of images: see `functional.avg_pool2d`.

    >>> AvgPool2d(2)(zeros(5, 3, 8, 8)).shape
    torch.Size([5, 3, 4, 4])
    """


class AvgPool1d(_Pooling, function=functional.avg_pool1d, order=AVG, hidden=AVG_HIDDEN):
    """The mean of each window of signals: see `functional.avg_pool1d`.

    >>> AvgPool1d(2)(tensor([[1.0, 3.0, 2.0, 0.0]]))
    tensor([[2., 1.]])
    """

    def extra_repr(self) -> str:
        """The options, as torch prints them: as tuples."""
        return re.sub(r"=(\d+)", r"=(\1,)", super().extra_repr())


class AdaptiveAvgPool1d(_Pooling, function=functional.adaptive_avg_pool1d, order="output_size"):
    """The means of so many parts of signals: see `functional.adaptive_avg_pool1d`.

    >>> AdaptiveAvgPool1d(2)(tensor([[1.0, 3.0, 2.0, 0.0]]))
    tensor([[2., 1.]])
    """


class AdaptiveAvgPool2d(_Pooling, function=functional.adaptive_avg_pool2d, order="output_size"):
    """The means of so many parts of images: see `functional.adaptive_avg_pool2d`.

    >>> AdaptiveAvgPool2d((1, None))(zeros(5, 3, 8, 6)).shape
    torch.Size([5, 3, 1, 6])
    """


class AdaptiveMaxPool1d(_Pooling, function=functional.adaptive_max_pool1d, order="output_size return_indices"):
    """The largest elements of so many parts of signals: see `functional.adaptive_max_pool1d`.

    >>> AdaptiveMaxPool1d(2)(tensor([[1.0, 3.0, 2.0, 0.0]]))
    tensor([[3., 2.]])
    """


class AdaptiveMaxPool2d(_Pooling, function=functional.adaptive_max_pool2d, order="output_size return_indices"):
    """The largest elements of so many parts of images: see `functional.adaptive_max_pool2d`.

    >>> AdaptiveMaxPool2d(2)(zeros(5, 3, 8, 6)).shape
    torch.Size([5, 3, 2, 2])
    """
