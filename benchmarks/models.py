"""Problems with matrices: linear and logistic regression, and a small network for two moons.

The libraries differ in how they write tanh, a linear layer and a cross entropy, so a model takes these as `Functions`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

Arrays = Sequence[Any]


class Functions(NamedTuple):
    """A library's functions for models: `linear` is X Wᵀ + b, `entropy` the mean of log(1 + eᶻ) − y z."""

    tanh: Callable[[Any], Any]
    linear: Callable[[Any, Any, Any], Any]
    entropy: Callable[[Any, Any], Any]


def functions(library: Any) -> Functions:
    """The functions of torch and of libraries with its names, of JAX, or of NumPy, as a user would write them."""
    if library.__name__ in ("jax", "numpy"):
        xp = library.numpy if library.__name__ == "jax" else library
        return Functions(
            xp.tanh, lambda x, weight, bias: x @ weight.T + bias, lambda z, y: (xp.logaddexp(z, 0) - y * z).mean()
        )
    functional = library.nn.functional
    return Functions(library.tanh, functional.linear, functional.binary_cross_entropy_with_logits)


class ByHand(NamedTuple):
    """The functions of a gradient that is worked out by hand, for NumPy's arrays or others.

    Attributes:
        tanh: of each element.
        entropy: from (z, y), the mean of log(1 + eᶻ) − y z and of its derivative σ(z) − y all elements; one
            exponential serves both.
        square: from (p, y), the mean of (p − y)² and the derivative 2 (p − y) of each square.
    """

    tanh: Callable[[Any], Any]
    entropy: Callable[[Any, Any], tuple[Any, Any]]
    square: Callable[[Any, Any], tuple[Any, Any]]


def entropy_and_slope(z: Any, y: Any) -> tuple[Any, Any]:
    """`ByHand.entropy` in NumPy; e^−|z| does not overflow."""
    small = np.exp(-np.abs(z))
    loss = (np.maximum(z, 0) - y * z + np.log1p(small)).mean()
    return loss, np.where(z < 0, small, 1) / (1 + small) - y


def square_and_slope(p: Any, y: Any) -> tuple[Any, Any]:
    """`ByHand.square` in NumPy."""
    error = p - y
    return (error * error).mean(), 2 * error


NUMPY = ByHand(np.tanh, entropy_and_slope, square_and_slope)


@dataclass(frozen=True)
class Model:
    """A model with arrays for weights, fitted by gradient descent on all points.

    Attributes:
        name: "linear_regression_10", with the number of columns, or "moons".
        title: what it does, in a few words.
        names: of the weights.
        columns: of x.
        loss: from (weights, x, y, functions of a library).
        gradient: from (weights, x, y, functions by hand) the loss, and its gradient worked out by hand.
        first: the weights to start with, in float64.
        make: x and y in float64, the same in each call, from a number of points.
        step: the step size, with which the descent is stable.
    """

    name: str
    title: str
    names: tuple[str, ...]
    columns: int
    loss: Callable[[Arrays, Any, Any, Functions], Any]
    gradient: Callable[[Arrays, Any, Any, ByHand], tuple[Any, list[Any]]]
    first: Callable[[], list[Any]]
    make: Callable[[int], tuple[Any, Any]]
    step: float

    def rate(self, points: int) -> float:
        """The step size, for any number of points."""
        return self.step

    def data(self, points: int, dtype: str) -> tuple[Any, Any]:
        """NumPy arrays x and y, not to be written into; the latest ones are kept for the next call."""
        return _data(self, points, dtype)

    def arrays(self, dtype: str) -> list[Any]:
        """The weights to start from, as new NumPy arrays."""
        return [w.astype(dtype) for w in self.first()]

    def loss_in(self, library: Any) -> Callable[[Arrays, Any, Any], Any]:
        """The loss from (weights, x, y) in the functions of a library."""
        loss, found = self.loss, functions(library)
        return lambda w, x, y: loss(w, x, y, found)

    def by_hand(self, w: Arrays, x: Any, y: Any) -> tuple[Any, list[Any]]:
        """The loss, and its gradient worked out by hand, of NumPy's arrays."""
        return self.gradient(w, x, y, NUMPY)


@lru_cache(maxsize=1)
def _data(model: Model, points: int, dtype: str) -> tuple[Any, Any]:
    x, y = model.make(points)
    return x.astype(dtype), y.astype(dtype)


# Linear and logistic regression


def scores(w: Arrays, x: Any) -> Any:
    """The prediction X w + b."""
    weight, bias = w
    return x @ weight + bias


def mean_square(w: Arrays, x: Any, y: Any, f: Functions) -> Any:
    """The loss of linear regression."""
    return ((scores(w, x) - y) ** 2).mean()


def cross_entropy(w: Arrays, x: Any, y: Any, f: Functions) -> Any:
    """The loss of logistic regression."""
    return f.entropy(scores(w, x), y)


def back_to_weights(slope: Any, x: Any) -> list[Any]:
    """The gradient by w and b, with `slope` the derivative of each point's loss by its prediction: Xᵀ s/n, Σ s/n."""
    return [x.T @ slope / len(x), slope.sum() / len(x)]


def squares_by_hand(w: Arrays, x: Any, y: Any, f: ByHand) -> tuple[Any, list[Any]]:
    """The gradient of the mean square."""
    loss, slope = f.square(scores(w, x), y)
    return loss, back_to_weights(slope, x)


def entropy_by_hand(w: Arrays, x: Any, y: Any, f: ByHand) -> tuple[Any, list[Any]]:
    """The gradient of the cross entropy."""
    loss, slope = f.entropy(scores(w, x), y)
    return loss, back_to_weights(slope, x)


def rows(points: int, columns: int) -> tuple[Any, Any, Any]:
    """Normal numbers as x, a linear function of them, and a generator for noise."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(points, columns))
    return x, x @ np.linspace(-1, 1, columns) + 0.5, rng


def noisy(points: int, columns: int) -> tuple[Any, Any]:
    """The linear function with noise."""
    x, y, rng = rows(points, columns)
    return x, y + 0.1 * rng.normal(size=points)


def labelled(points: int, columns: int) -> tuple[Any, Any]:
    """Labels 0 and 1, of which 1 has the linear function for its log odds."""
    x, odds, rng = rows(points, columns)
    return x, (rng.random(points) < 1 / (1 + np.exp(-odds))).astype("float64")


def regression(columns: int, logistic: bool) -> Model:
    """Linear or logistic regression on so many columns."""
    kind = "logistic" if logistic else "linear"
    return Model(
        name=f"{kind}_regression_{columns}",
        title=f"{kind} regression, {columns} columns",
        names=("weight", "bias"),
        columns=columns,
        loss=cross_entropy if logistic else mean_square,
        gradient=entropy_by_hand if logistic else squares_by_hand,
        first=lambda: [np.linspace(0.1, 0.3, columns), np.array(-0.2)],
        make=lambda points: (labelled if logistic else noisy)(points, columns),
        step=0.5 if logistic else 0.1,
    )


# The moons

WIDTH = 16


def network(w: Arrays, x: Any, y: Any, f: Functions) -> Any:
    """The loss of the network 2 → 16 → 16 → 1 with tanh between its layers."""
    hidden = f.tanh(f.linear(x, w[0], w[1]))
    hidden = f.tanh(f.linear(hidden, w[2], w[3]))
    return f.entropy(f.linear(hidden, w[4], w[5]), y)


def network_by_hand(w: Arrays, x: Any, y: Any, f: ByHand) -> tuple[Any, list[Any]]:
    """The gradient of the network's loss, layer by layer from the last."""
    first = f.tanh(x @ w[0].T + w[1])
    second = f.tanh(first @ w[2].T + w[3])
    loss, slope = f.entropy(second @ w[4].T + w[5], y)
    third = slope / len(x)
    before_second = (third @ w[4]) * (1 - second * second)
    before_first = (before_second @ w[2]) * (1 - first * first)
    layers = [(before_first, x), (before_second, first), (third, second)]
    return loss, [part for g, below in layers for part in (g.T @ below, g.sum(0))]


def moons(points: int) -> tuple[Any, Any]:
    """Two half circles with noise, and which of them a point is of, as scikit-learn's `make_moons` makes them."""
    half = points // 2
    outer, inner = np.linspace(0, np.pi, half), np.linspace(0, np.pi, points - half)
    x = np.concatenate([np.cos(outer), 1 - np.cos(inner)]), np.concatenate([np.sin(outer), 0.5 - np.sin(inner)])
    y = np.repeat([0.0, 1.0], [half, points - half]).reshape(-1, 1)
    return np.stack(x, 1) + 0.1 * np.random.default_rng(0).normal(size=(points, 2)), y


def random_layers() -> list[Any]:
    """The weights and biases of the network, uniform within ±1/√n for n inputs, as torch has them."""
    rng = np.random.default_rng(1)
    sizes = [(WIDTH, 2), (WIDTH, WIDTH), (1, WIDTH)]
    return [rng.uniform(-1, 1, shape) / n**0.5 for out, n in sizes for shape in ((out, n), (out,))]


MOONS = Model(
    name="moons",
    title="two moons, a network 2-16-16-1",
    names=("weight1", "bias1", "weight2", "bias2", "weight3", "bias3"),
    columns=2,
    loss=network,
    gradient=network_by_hand,
    first=random_layers,
    make=moons,
    step=0.5,
)

REGRESSIONS = [regression(columns, logistic) for logistic in (False, True) for columns in (3, 10)]
