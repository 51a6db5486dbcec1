"""Training loops with any loss and optimizer, run as compiled programs, by NumPy alone, or on the tape."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

import tinygrad_poly as tg
from benchmarks.comparison import raveled
from benchmarks.interface import Run
from benchmarks.problems import SIN
from tinygrad_poly.compiler.moments.sums import centered_moments, with_moments
from tinygrad_poly.compiler.steps import CompiledSteps
from tinygrad_poly.nn import functional

Loss = Callable[[Sequence[Any], Any, Any], Any]


def cubic(w: Sequence[Any], x: Any, y: Any) -> Any:
    """The loss of the sin fit."""
    return SIN.loss(w, x, y)


def wave(w: Sequence[Any], x: Any, y: Any) -> Any:
    """The loss of the fit of a · sin(b x)."""
    return (w[0] * (w[1] * x).sin() - y).pow(2).sum()


def network(w: Sequence[Any], x: Any, y: Any) -> Any:
    """The loss of a network of two layers."""
    return functional.mse_loss(functional.linear(functional.linear(x, w[0], w[1]).tanh(), w[2], w[3]), y)


def classifier(w: Sequence[Any], x: Any, y: Any) -> Any:
    """The cross entropy of a softmax classifier; y is 1 at each row's class."""
    return -(tg.log_softmax(functional.linear(x, *w), 1) * y).sum() / len(x)


class Descent:
    """A training loop that has not started, and the ways to run it."""

    def __init__(self, loss: Loss, weights: Sequence[Any], x: Any, y: Any, optimizer: Callable[[Any], Any]) -> None:
        self.loss, self.data = loss, {"x": x, "y": y}
        self.weights = [tg.tensor(w, dtype=getattr(tg, w.dtype.name), requires_grad=True) for w in weights]
        self.optimizer = optimizer(self.weights)

    def eager(self) -> Run:
        """The loop on the tape."""
        data = [tg.from_numpy(a) for a in self.data.values()]

        def take(n: int) -> None:
            for _ in range(n):
                self.optimizer.zero_grad()
                self.loss(self.weights, *data).backward()
                self.optimizer.step()

        return Run(take, lambda: raveled([w.array for w in self.weights]))

    def begun(self) -> Descent:
        """The loop after one step, so that the optimizer has its complete state."""
        self.eager().take(1)
        return self

    def steps(self) -> tuple[CompiledSteps, list[Any]]:
        """The program of a step, and the weights."""
        weights = {f"w{i}": np.asarray(w.array) for i, w in enumerate(self.weights)}
        steps = CompiledSteps(self.loss, lambda named: list(named.values()), weights, self.data, self.optimizer)
        return steps, list(weights.values())

    def compiled(self, numba: bool = True) -> Run:
        """The loop as a compiled program; without Numba, as NumPy calls alone."""
        steps, weights = self.steps()
        if not numba:
            steps.plan = None
        losses = np.empty(1)

        def take(n: int) -> None:
            nonlocal weights
            weights = steps.run(0, n, n, losses, weights, final=False)

        return Run(take, lambda: raveled(weights))

    def moments(self, centered: bool) -> Run:
        """A run that traces a step and sums the data, again and again, and takes one step from these sums."""
        found: Any = None
        start: list[Any] = []

        def take(n: int) -> None:
            nonlocal found, start
            for _ in range(n):
                steps, start = self.steps()
                way = partial(centered_moments, start=start) if centered else with_moments
                found = way(steps.step, steps.data)

        return Run(take, lambda: raveled(found.run(start)))


def sgd(lr: float) -> Callable[[Any], Any]:
    """An optimizer for some weights: SGD."""
    return lambda weights: tg.optim.SGD(weights, lr=lr)


def adam(lr: float) -> Callable[[Any], Any]:
    """An optimizer for some weights: Adam."""
    return lambda weights: tg.optim.Adam(weights, lr=lr)


def curve(loss: Loss, start: Sequence[float], points: int) -> Descent:
    """A descent that fits sin x between −π and π."""
    x, y = SIN.data(points, "float64")
    return Descent(loss, [np.array(w) for w in start], x, y, sgd(SIN.rate(points)))


CUBIC, WAVE = (cubic, SIN.start), (wave, (0.5, -0.3))
