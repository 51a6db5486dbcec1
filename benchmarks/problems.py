"""The problems to time, and their sizes: the tutorials' programs T1, T8 and T10, and those of `models`.

The tutorials' are written here again, without the engine, so that a process that times another library does not import
this one; `tests/test_benchmarks.py` holds them against the tutorials.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np

from benchmarks.models import MOONS, REGRESSIONS

Weights = Sequence[Any]


@dataclass(frozen=True)
class Problem:
    """A fit by gradient descent, written once for arrays and tensors of every library.

    Attributes:
        name: "sin", "line" or "linear".
        title: what it does, in a few words.
        names: of the weights.
        start: the weights to start with.
        shape: of each weight when it is an array.
        prediction: from (weights, x), by +, − and ×; linear in the weights.
        gradient: the gradient of the loss from (weights, x, y), worked out by hand: a number for each weight.
        mean: whether the loss is the mean of the squared errors, or their sum.
        make: x and y in float64 from a number of points.
        rate: from a number of points, a step size with which the descent is stable.
    """

    name: str
    title: str
    names: tuple[str, ...]
    start: tuple[float, ...]
    shape: tuple[int, ...]
    prediction: Callable[[Weights, Any], Any]
    gradient: Callable[[Weights, Any, Any], list[Any]]
    mean: bool
    make: Callable[[int], tuple[Any, Callable[[Any], Any]]]
    rate: Callable[[int], float]
    columns: ClassVar[int] = 1

    def loss(self, w: Weights, x: Any, y: Any) -> Any:
        """The sum or the mean of the squared errors."""
        squares = (self.prediction(w, x) - y) ** 2
        return squares.mean() if self.mean else squares.sum()

    def data(self, points: int, dtype: str) -> tuple[Any, Any]:
        """NumPy arrays x and y, not to be written into; the latest ones are kept for the next call."""
        return _data(self, points, dtype)

    def arrays(self, dtype: str) -> list[Any]:
        """The weights to start from, as new NumPy arrays."""
        return [np.full(self.shape, w, dtype) for w in self.start]

    def loss_in(self, library: Any) -> Callable[[Weights, Any, Any], Any]:
        """The loss, which needs no functions of a library."""
        return self.loss

    def by_hand(self, w: Weights, x: Any, y: Any) -> tuple[Any, list[Any]]:
        """The loss, and its gradient worked out by hand."""
        return self.loss(w, x, y), self.gradient(w, x, y)


@lru_cache(maxsize=1)
def _data(problem: Problem, points: int, dtype: str) -> tuple[Any, Any]:
    x, curve = problem.make(points)
    x = x.astype(dtype, copy=False)
    return x, curve(x)


@dataclass(frozen=True)
class Case:
    """A problem at one size, in one dtype, on one device."""

    problem: Any  # a Problem, or a Model where the implementations take one
    points: int
    dtype: str
    device: str = "cpu"

    @property
    def id(self) -> str:
        """The name of the case, such as sin-2000-float64-cpu."""
        return f"{self.problem.name}-{self.points}-{self.dtype}-{self.kind}"

    @property
    def kind(self) -> str:
        """The kind of its device: "cpu" or "cuda"."""
        return self.device.partition(":")[0]

    @property
    def lr(self) -> float:
        """The learning rate: a step is w ← w − lr · gradient."""
        return float(self.problem.rate(self.points))

    @property
    def bytes(self) -> int:
        """The size of x and y in bytes."""
        return int(self.problem.columns + 1) * self.points * np.dtype(self.dtype).itemsize

    def data(self) -> tuple[Any, Any]:
        """The data x and y as NumPy arrays."""
        x, y = self.problem.data(self.points, self.dtype)
        return x, y

    def start(self) -> list[Any]:
        """The weights to start from, as new NumPy arrays."""
        return list(self.problem.arrays(self.dtype))

    def first(self) -> Any:
        """The same as a vector in float64."""
        return np.concatenate([np.ravel(w) for w in self.start()]).astype("float64")

    def arrays(self, vector: Any) -> list[Any]:
        """The weights in such a vector, in their own shapes."""
        shapes = [w.shape for w in self.start()]
        ends = np.cumsum([math.prod(shape) for shape in shapes])
        return [part.reshape(shape) for part, shape in zip(np.split(vector, ends[:-1]), shapes)]


def cubic(w: Weights, x: Any) -> Any:
    """The prediction a + b x + c x² + d x³."""
    a, b, c, d = w
    return a + b * x + c * (x * x) + d * (x * x * x)


def cubic_gradient(w: Weights, x: Any, y: Any) -> list[Any]:
    """The gradient: ∂L/∂p = 2 (p − y); ∂p/∂a = 1, ∂p/∂b = x, ∂p/∂c = x², ∂p/∂d = x³."""
    slope = 2.0 * (cubic(w, x) - y)
    return [slope.sum(), (slope * x).sum(), (slope * (x * x)).sum(), (slope * (x * x * x)).sum()]


def line(w: Weights, x: Any) -> Any:
    """The prediction W x + b."""
    W, b = w
    return x * W + b


def line_gradient(w: Weights, x: Any, y: Any) -> list[Any]:
    """The gradient: ∂L/∂W = 1/m Σ 2 (p − y) x, ∂L/∂b = 1/m Σ 2 (p − y)."""
    slope = 2.0 * (line(w, x) - y)
    return [(slope * x).sum() / len(x), slope.sum() / len(x)]


SIN = Problem(
    name="sin",
    title="sin fit",
    names=("a", "b", "c", "d"),
    start=(0.1, 0.2, -0.3, 0.05),
    shape=(),
    prediction=cubic,
    gradient=cubic_gradient,
    mean=False,
    make=lambda points: (np.linspace(-math.pi, math.pi, points), np.sin),
    rate=lambda points: 2e-3 / points,
)
LINE = Problem(
    name="line",
    title="line fit",
    names=("W", "b"),
    start=(0.1, 0.2),
    shape=(1,),
    prediction=line,
    gradient=line_gradient,
    mean=True,
    make=lambda points: (np.linspace(1, 6, points), lambda x: 3 * x),
    rate=lambda points: 1e-2,
)
LINEAR = Problem(
    name="linear",
    title="line fit of columns, as nn.Linear",
    names=("weight", "bias"),
    start=LINE.start,
    shape=(1,),
    prediction=line,
    gradient=line_gradient,
    mean=True,
    make=lambda points: (np.linspace(1, 6, points).reshape(-1, 1), lambda x: 3 * x),
    rate=LINE.rate,
)

TUTORIALS = {problem.name: problem for problem in (SIN, LINE, LINEAR)}
MODELS = {model.name: model for model in (*REGRESSIONS, MOONS)}
PROBLEMS: dict[str, Any] = {**TUTORIALS, **MODELS}

ALL = (6, 60, 600, 2000, 20_000, 200_000, 2_000_000, 20_000_000, 100_000_000)
SOME = (6, 2000, 200_000, 20_000_000, 100_000_000)

SIZES: dict[str, list[tuple[Any, str, tuple[int, ...]]]] = {
    "cpu": [
        (SIN, "float64", ALL),
        (SIN, "float32", (2000, 200_000, 20_000_000)),
        (LINE, "float64", (6,)),
        (LINE, "float32", (6,)),
        (LINEAR, "float64", (6,)),
        (LINEAR, "float32", (6,)),
        *(
            (model, dtype, (1000, 100_000) if model.columns == 10 else (1000,))
            for model in REGRESSIONS
            for dtype in ("float64", "float32")
        ),
        *((MOONS, dtype, (100, 2000)) for dtype in ("float64", "float32")),
    ],
    "cuda:0": [
        (SIN, "float64", ALL),
        (SIN, "float32", SOME),
        (LINE, "float64", SOME),
        (LINE, "float32", SOME),
        (LINEAR, "float64", (6,)),
        (LINEAR, "float32", (6,)),
    ],
}
CASES = [
    Case(problem, points, dtype, device)
    for device, kinds in SIZES.items()
    for problem, dtype, sizes in kinds
    for points in sizes
]
