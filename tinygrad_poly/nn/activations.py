"""Activation functions as modules, for `Sequential`: each calls the function of the same name in `functional`.

With `inplace`, what they compute is written into the tensor that they are given.
"""

from __future__ import annotations

from typing import Any

from tinygrad_poly.nn import functional
from tinygrad_poly.nn.module import Module
from tinygrad_poly.tensor import Tensor


class _Activation(Module):
    """A module that applies a function with options."""

    def __init__(self, inplace: bool = False, **options: Any) -> None:
        super().__init__()
        self._options = options
        self.__dict__.update(options, inplace=inplace)

    def extra_repr(self) -> str:
        """The options, as torch prints them."""
        shown = [f"{name}={value!r}" for name, value in self._options.items()]
        return ", ".join(shown + ["inplace=True"] * self.inplace)


class ReLU(_Activation):
    """The rectifier max(x, 0).

    >>> ReLU()(tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__(inplace)

    def forward(self, input: Tensor) -> Tensor:
        """The rectifier of each element."""
        return functional.relu(input, inplace=self.inplace)


class LeakyReLU(_Activation):
    """The leaky rectifier: x where x > 0, else αx with α = `negative_slope`.

    >>> LeakyReLU(0.5)(tensor([-1.0, 2.0]))
    tensor([-0.5000,  2.0000])
    """

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__(inplace, negative_slope=negative_slope)

    def forward(self, input: Tensor) -> Tensor:
        """The leaky rectifier of each element."""
        return functional.leaky_relu(input, self.negative_slope, inplace=self.inplace)


class ELU(_Activation):
    """The exponential linear unit: x where x > 0, else α(eˣ − 1).

    >>> ELU()(tensor([-1000.0, 2.0]))
    tensor([-1.,  2.])
    """

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__(inplace, alpha=alpha)

    def forward(self, input: Tensor) -> Tensor:
        """The exponential linear unit of each element."""
        return functional.elu(input, self.alpha, inplace=self.inplace)


class GELU(_Activation):
    """The Gaussian error linear unit x Φ(x), with Φ(x) the area under the bell curve left of x; also its "tanh" form.

    >>> GELU()(tensor([0.0, 100.0]))
    tensor([  0., 100.])
    """

    def __init__(self, approximate: str = "none") -> None:
        super().__init__(approximate=approximate)

    def forward(self, input: Tensor) -> Tensor:
        """The Gaussian error linear unit of each element."""
        return functional.gelu(input, self.approximate)


class SiLU(_Activation):
    """The sigmoid linear unit x σ(x), also called swish.

    >>> SiLU()(tensor([0.0, 100.0]))
    tensor([  0., 100.])
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__(inplace)

    def forward(self, input: Tensor) -> Tensor:
        """The sigmoid linear unit of each element."""
        return functional.silu(input, inplace=self.inplace)


class Tanh(Module):
    """The hyperbolic tangent.

    >>> Tanh()(tensor([0.0, 100.0]))
    tensor([0., 1.])
    """

    def forward(self, input: Tensor) -> Tensor:
        """The hyperbolic tangent of each element."""
        return functional.tanh(input)


class Sigmoid(Module):
    """The logistic function σ(x) = 1/(1 + e⁻ˣ).

    >>> Sigmoid()(tensor([0.0, 100.0]))
    tensor([0.5000, 1.0000])
    """

    def forward(self, input: Tensor) -> Tensor:
        """The logistic function of each element."""
        return functional.sigmoid(input)


class LogSigmoid(Module):
    """The logarithm of σ(x).

    >>> LogSigmoid()(tensor([0.0, 100.0]))
    tensor([-6.9315e-01, -3.7835e-44])
    """

    def forward(self, input: Tensor) -> Tensor:
        """The logarithm of σ(x) for each element."""
        return functional.logsigmoid(input)


class Softplus(_Activation):
    """A smooth rectifier: log(1 + e^(βx))/β, or x where βx > `threshold`.

    >>> Softplus()(tensor([0.0, 1000.0]))
    tensor([6.9315e-01, 1.0000e+03])
    """

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__(beta=beta, threshold=threshold)

    def forward(self, input: Tensor) -> Tensor:
        """The smooth rectifier of each element."""
        return functional.softplus(input, self.beta, self.threshold)


class Softmax(_Activation):
    """Positive numbers that add up to 1: eˣ divided by its sum over `dim`.

    >>> Softmax(dim=0)(tensor([0.0, 0.0]))
    tensor([0.5000, 0.5000])
    """

    def __init__(self, dim: int | None = None) -> None:
        super().__init__(dim=dim)

    def forward(self, input: Tensor) -> Tensor:
        """The softmax over `dim`."""
        return functional.softmax(input, self.dim)


class LogSoftmax(_Activation):
    """The logarithm of the softmax.

    >>> LogSoftmax(dim=0)(tensor([0.0, 0.0]))
    tensor([-0.6931, -0.6931])
    """

    def __init__(self, dim: int | None = None) -> None:
        super().__init__(dim=dim)

    def forward(self, input: Tensor) -> Tensor:
        """The logarithm of the softmax over `dim`."""
        return functional.log_softmax(input, self.dim)
