"""Activation functions as modules, for `Sequential`: each calls the function of the same name in `functional`.

With `inplace`, what they compute is written into the tensor that they are given.
"""

from typing import Any

from tinygrad_poly.creation import full
from tinygrad_poly.nn import functional
from tinygrad_poly.nn.applied import Applied
from tinygrad_poly.nn.module import Module, Parameter
from tinygrad_poly.tensor import Tensor


class ReLU(Applied, function=functional.relu):
    """The rectifier max(x, 0).

    >>> ReLU()(tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """


class ReLU6(Applied, function=functional.relu6):
    """The rectifier with an upper end, min(max(x, 0), 6).

    >>> ReLU6()(tensor([-1.0, 8.0]))
    tensor([0., 6.])
    """


class LeakyReLU(Applied, function=functional.leaky_relu):
    """The leaky rectifier: x where x > 0, else αx with α = `negative_slope`.

    >>> LeakyReLU(0.5)(tensor([-1.0, 2.0]))
    tensor([-0.5000,  2.0000])
    """


class RReLU(Applied, function=functional.rrelu):
    """The leaky rectifier with a random slope for each element in training, from `lower` to `upper`.

    >>> RReLU(0.25, 0.75).eval()(tensor([-4.0, 2.0]))
    tensor([-2.,  2.])
    """


class ELU(Applied, function=functional.elu):
    """The exponential linear unit: x where x > 0, else α(eˣ − 1).

    >>> ELU()(tensor([-1000.0, 2.0]))
    tensor([-1.,  2.])
    """


class CELU(Applied, function=functional.celu):
    """The exponential linear unit with a continuous slope: x where x > 0, else α(e^(x/α) − 1).

    >>> CELU(0.5)(tensor([-1000.0, 2.0]))
    tensor([-0.5000,  2.0000])
    """


class SELU(Applied, function=functional.selu):
    """The scaled exponential linear unit, which keeps mean 0 and variance 1.

    >>> SELU()(tensor([0.0, 1.0]))
    tensor([0.0000, 1.0507])
    """


class GELU(Applied, function=functional.gelu):
    """The Gaussian error linear unit x Φ(x), with Φ(x) the area under the bell curve left of x; also its "tanh" form.

    >>> GELU()(tensor([0.0, 100.0]))
    tensor([  0., 100.])
    """


class SiLU(Applied, function=functional.silu):
    """The sigmoid linear unit x σ(x), also called swish.

    >>> SiLU()(tensor([0.0, 100.0]))
    tensor([  0., 100.])
    """


class Mish(Applied, function=functional.mish):
    """The function x tanh(log(1 + eˣ)).

    >>> Mish()(tensor([0.0, 100.0]))
    tensor([  0., 100.])
    """


class Tanh(Applied, function=functional.tanh):
    """The hyperbolic tangent.

    >>> Tanh()(tensor([0.0, 100.0]))
    tensor([0., 1.])
    """


class Tanhshrink(Applied, function=functional.tanhshrink):
    """The function x − tanh x.

    >>> Tanhshrink()(tensor([0.0, 100.0]))
    tensor([ 0., 99.])
    """


class Sigmoid(Applied, function=functional.sigmoid):
    """The logistic function σ(x) = 1/(1 + e⁻ˣ).

    >>> Sigmoid()(tensor([0.0, 100.0]))
    tensor([0.5000, 1.0000])
    """


class LogSigmoid(Applied, function=functional.logsigmoid):
    """The logarithm of σ(x).

    >>> LogSigmoid()(tensor([0.0, 100.0]))
    tensor([-6.9315e-01, -3.7835e-44])
    """


class Hardtanh(Applied, function=functional.hardtanh):
    """The function x, but at least `min_val` and at most `max_val`.

    >>> Hardtanh()(tensor([-2.0, 0.5]))
    tensor([-1.0000,  0.5000])
    """


class Hardsigmoid(Applied, function=functional.hardsigmoid, shown=None):
    """The function min(max(x + 3, 0), 6)/6.

    >>> Hardsigmoid()(tensor([-4.0, 0.0]))
    tensor([0.0000, 0.5000])
    """


class Hardswish(Applied, function=functional.hardswish, shown=None):
    """The function x min(max(x + 3, 0), 6)/6.

    >>> Hardswish()(tensor([1.5, 4.0]))
    tensor([1.1250, 4.0000])
    """


class Hardshrink(Applied, function=functional.hardshrink, shown="{value!r}"):
    """The function x where |x| > λ, else 0.

    >>> Hardshrink()(tensor([0.5, 2.0]))
    tensor([0., 2.])
    """


class Softshrink(Applied, function=functional.softshrink, shown="{value!r}"):
    """The function x moved towards 0 by λ, and 0 where |x| ≤ λ.

    >>> Softshrink()(tensor([0.5, 2.0]))
    tensor([0.0000, 1.5000])
    """


class Softsign(Applied, function=functional.softsign):
    """The function x/(1 + |x|).

    >>> Softsign()(tensor([-1.0, 3.0]))
    tensor([-0.5000,  0.7500])
    """


class Softplus(Applied, function=functional.softplus):
    """A smooth rectifier: log(1 + e^(βx))/β, or x where βx > `threshold`.

    >>> Softplus()(tensor([0.0, 1000.0]))
    tensor([6.9315e-01, 1.0000e+03])
    """


class Softmax(Applied, function=functional.softmax):
    """Positive numbers that add up to 1: eˣ divided by its sum over `dim`.

    >>> Softmax(dim=0)(tensor([0.0, 0.0]))
    tensor([0.5000, 0.5000])
    """


class Softmin(Applied, function=functional.softmin):
    """The softmax of −x.

    >>> Softmin(dim=0)(tensor([0.0, 0.0]))
    tensor([0.5000, 0.5000])
    """


class LogSoftmax(Applied, function=functional.log_softmax):
    """The logarithm of the softmax.

    >>> LogSoftmax(dim=0)(tensor([0.0, 0.0]))
    tensor([-0.6931, -0.6931])
    """


class Threshold(Applied, function=functional.threshold):
    """The function x where x > `threshold`, else `value`.

    >>> Threshold(1.0, 0.5)(tensor([1.0, 2.0]))
    tensor([0.5000, 2.0000])
    """


class GLU(Applied, function=functional.glu):
    """The first half of x along `dim`, times σ of the second half.

    >>> GLU()(tensor([2.0, 0.0]))
    tensor([1.])
    """


class PReLU(Module):
    """The leaky rectifier whose slopes are learned: x where x > 0, else w x, with one w, or one for each channel.

    >>> PReLU()(tensor([-4.0, 2.0]))
    tensor([-1.,  2.], grad_fn=<PreluKernelBackward0>)
    """

    def __init__(self, num_parameters: int = 1, init: float = 0.25, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.num_parameters, self.init = num_parameters, init
        self.weight = Parameter(full((num_parameters,), float(init), device=device, dtype=dtype))

    def forward(self, input: Tensor) -> Tensor:
        """The rectifier of each element."""
        return functional.prelu(input, self.weight)

    def extra_repr(self) -> str:
        """The number of slopes, as torch prints it."""
        return f"num_parameters={self.num_parameters}"
