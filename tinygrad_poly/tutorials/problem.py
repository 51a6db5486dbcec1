"""`Problem`: a tutorial's program as data, written once for NumPy by hand and for the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_poly.engine.arrays import Array, Shape

Vector = np.ndarray[Any, np.dtype[np.float64]]

Step = tuple[Array, Iterable[Array], Iterable[Array]]
"""The loss and the gradient at a step's weights, and the weights that the step led to."""

Route = Callable[["Problem", Iterable[Array], Array, Array], Iterator[Step]]
"""A way to go down: from the weights to start with and the data (x, y), step by step."""


@dataclass(frozen=True)
class Problem:
    """A tutorial's program: data, a model, a loss, its gradient worked out by hand, and the descent.

    Operators mean the same on arrays and on tensors, so that `model` and `loss` serve the program by
    hand and the program by engine alike. `gradient` uses nothing but +, −, ×, sums and a division by
    a constant, and has a single minus, the one in prediction − y: the rounding bound rests on both
    (see `tinygrad_poly.tutorials.rounding`).

    Attributes:
        name: what the project calls the program, such as "T1".
        title: what it does, in a few words.
        names: the names of the weights, in order.
        data: (x, y) in a dtype.
        model: the prediction from (weights, x); linear in the weights.
        loss: a number from (prediction, y).
        gradient: from (weights, x, y), one number for each weight.
        lr: the step is w ← w − lr · gradient.
        steps: how many steps.
        start: the weights to start with.
        route: how the tutorial has the engine do it.
        dtype: in which the program computes.
        shape: of each weight when it is a tensor.
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
    start: Callable[[Problem], Vector]
    route: Route
    dtype: str = "float64"
    shape: Shape = ()


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
        gradients.append([g.item() for g in gradient])
        weights.append([w.item() for w in after])
    return History(np.array(losses), np.array(gradients), np.array(weights))
