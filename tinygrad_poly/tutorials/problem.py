"""`Problem`: a tutorial's program as data, written once for NumPy by hand and for the engine."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_poly import optim
from tinygrad_poly.engine.arrays import Array, Shape

Vector = np.ndarray[Any, np.dtype[np.float64]]

Step = tuple[Array, Iterable[Array], Iterable[Array]]
"""The loss and the gradient at a step's weights, and the weights that the step led to."""

Route = Callable[["Problem", Iterable[Array], Array, Array], Iterator[Step]]
"""A way to go down: from the weights to start with and the data (x, y), step by step."""

Rule = Callable[[Sequence[Array], Sequence[Array]], list[Array]]
"""An optimizer by hand: the next weights, from the weights and the gradient."""


def descent(lr: float) -> Rule:
    """The rule of gradient descent: w ← w − lr · gradient."""
    return lambda weights, gradient: [w - lr * g for w, g in zip(weights, gradient, strict=True)]


@dataclass(frozen=True)
class Problem:
    """A tutorial's program: data, a model, a loss, its gradient worked out by hand, and the descent.

    Operators mean the same on arrays and on tensors, so that `model` and `loss` serve the program by
    hand and the program by engine alike. `gradient` uses nothing but +, −, ×, sums and a division by
    a constant, and has a single minus, the one in prediction − y, or others that become plus where
    `imaginary` says: the rounding bound rests on both (see `tinygrad_poly.tutorials.rounding`).

    Attributes:
        name: what the project calls the program, such as "T1".
        title: what it does, in a few words.
        names: the names of the weights, in order.
        data: (x, y) in a dtype.
        model: the prediction from (weights, x).
        loss: a number from (prediction, y).
        gradient: from (weights, x, y), one number for each weight, but for the last ones if they are not used.
        lr: the learning rate.
        steps: how many steps.
        start: the weights to start with.
        route: how the tutorial has the engine do it.
        dtype: in which the program computes.
        shape: of each weight when it is a tensor.
        affine: whether a step is an affine map, so that the end has a closed form: the model is linear in
            its weights, and the rule is plain descent.
        imaginary: the weights, and "x", that are put on the imaginary axis for the rounding bound.
        rule: the optimizer by hand, from the learning rate.
        optimizer: the engine's optimizer of that rule, where the route uses one.
        at: the problem that a step works on, where it is not the same in all of them.
    """

    name: str
    title: str
    names: tuple[str, ...]
    data: Callable[[str], tuple[Array, Array]]
    model: Callable[[Iterable[Array], Array], Array]
    loss: Callable[[Array, Array], Array]
    gradient: Callable[[Iterable[Array], Array, Array], list[Array]]
    lr: float
    steps: int
    start: Callable[["Problem"], Vector]
    route: Route
    dtype: str = "float64"
    shape: Shape = ()
    affine: bool = True
    imaginary: tuple[str, ...] = ()
    rule: Callable[[float], Rule] = descent
    optimizer: Callable[..., optim.Optimizer] = optim.SGD
    at: "Callable[[int], Problem] | None" = None

    def each_step(self) -> Iterator["Problem"]:
        """The problem of every step."""
        return (self if self.at is None else self.at(step) for step in range(self.steps))

    def row(self, gradient: Iterable[Array]) -> list[complex]:
        """The gradient as numbers, 0 for the last weights where they are not used."""
        numbers = [g.item() for g in gradient]
        return numbers + [0.0] * (len(self.names) - len(numbers))


@dataclass(frozen=True)
class History:
    """All steps of a descent, as float64 (which holds every float32 exactly).

    Attributes:
        losses: at each step's weights, of shape (steps,).
        gradients: there, of shape (steps, weights).
        weights: `weights[t]` are step t's; the last row is where the descent ended: (steps + 1, weights).
    """

    losses: Vector
    gradients: Vector
    weights: Vector


def follow(problem: Problem, route: Route) -> History:
    """Run `problem` by `route` and record every step.

    >>> from tinygrad_poly.tutorials.problems import PROGRAMS
    >>> (problem,) = PROGRAMS["T6"]
    >>> history = follow(problem, problem.route)
    >>> history.weights.shape
    (1001, 2)
    >>> history.gradients[0]                # at W = b = 0: 2/3 Σ(0 − y)x and 2/3 Σ(0 − y)
    array([-18.66666667,  -8.        ])
    """
    start = problem.start(problem).astype(problem.dtype)
    losses, gradients, weights = [], [], [start.tolist()]
    for loss, gradient, after in route(problem, start, *problem.data(problem.dtype)):
        losses.append(loss.item())
        gradients.append(problem.row(gradient))
        weights.append([w.item() for w in after])
    return History(np.array(losses), np.array(gradients), np.array(weights))
