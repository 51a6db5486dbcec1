"""Expected steps: the exact result of a step, and how far rounding may move a computed one from it.

The gradient of the problem is taken by hand in float64, in blocks of points whose results are added exactly, so that
its own error is nothing beside that of a sum over all points. The bound counts roundings, as for the tutorials (see
`tinygrad_poly.tutorials.rounding`): a gradient is a sum of products of which each is rounded K times at most, and
comes within ε Ĝ, where Ĝ is the same sum with every term taken positive. Models with matrices have a running error
analysis instead.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from benchmarks.bounded import loss_and_gradient, rounding
from benchmarks.interface import Vector
from benchmarks.models import Model
from benchmarks.problems import Case, Problem

BLOCK = 1 << 16
OTHER_ORDER = 4
"""So many roundings more has a term at most if p is evaluated by Horner's rule, and 2 and 1/n come in elsewhere."""


@dataclass(frozen=True)
class Expected:
    """The expected step: loss and gradient before it, weights after it, and the allowed error of each."""

    loss: float
    loss_bound: float
    gradient: Vector
    gradient_bound: Vector
    weights: Vector
    weights_bound: Vector


@lru_cache(maxsize=2)
def first_step(case: Case) -> Expected:
    """The expected step from the problem's start, rounded to the case's dtype."""
    return step(case, case.first())


def step(case: Case, weights: Sequence[float] | Vector) -> Expected:
    """The expected step from `weights`."""
    lr, u = case.lr, unit(case.dtype)
    w = np.asarray(weights, "float64")
    values, bounds, size = (_of_model if isinstance(case.problem, Model) else _of_fit)(case, w, u)
    gradient, gradient_bound = values[1:], bounds[1:]
    after = w - lr * gradient
    # lr, lr · g and w − lr · g are rounded as well.
    weights_bound = lr * gradient_bound + 2 * u * lr * size[1:] + u * (np.abs(after) + lr * gradient_bound)
    return Expected(
        loss=values[0],
        loss_bound=bounds[0],
        gradient=gradient,
        gradient_bound=gradient_bound,
        weights=after,
        weights_bound=2 * weights_bound,
    )


def _of_fit(case: Case, w: Vector, u: float) -> tuple[Vector, Vector, Vector]:
    """The loss and the gradient of a tutorial's fit, their bounds, and what they come to with every term positive."""
    problem: Any = case.problem
    x, y = (a.reshape(-1) for a in case.data())
    positive = np.abs(_summed(problem, np.abs(w), x, y, positive=True))
    loss_count, gradient_count = counts(problem, case.points)
    bounds = 2 * np.array([rounding(k, u) for k in (loss_count, *gradient_count)]) * positive
    return _summed(problem, w, x, y), bounds, positive


def _of_model(case: Case, w: Vector, u: float) -> tuple[Vector, Vector, Vector]:
    """The same of a model, by running error analysis of the gradient by hand."""
    loss, gradient = loss_and_gradient(case.problem, case.arrays(w), *case.data(), u)
    parts = [loss, *gradient]
    values, off = (np.concatenate([np.ravel(a) for a in each]) for each in zip(*((p.value, p.off) for p in parts)))
    # Others, which differentiate by rows of a table, round about as often once more.
    return values, 2 * off, np.abs(values) + off


@lru_cache(maxsize=2)
def total(case: Case) -> tuple[float, float]:
    """The sum of all x and y, and its allowed error."""
    sums, sizes = [], []
    for array in case.data():
        for i in range(0, case.points, BLOCK):
            block = array[i : i + BLOCK].astype("float64")
            sums.append(float(block.sum()))
            sizes.append(float(np.abs(block).sum()))
    return math.fsum(sums), 2 * rounding(2 * case.points, unit(case.dtype)) * math.fsum(sizes)


def unit(dtype: str) -> float:
    """u, half the distance from 1 to the next number."""
    return float(np.finfo(dtype).eps) / 2


def counts(problem: Problem, points: int) -> tuple[int, list[int]]:
    """The number K of roundings, for the loss and each component of the gradient, from arrays that count."""
    from tinygrad_poly.tutorials.rounding import Roundings

    weights: list[Any] = [Roundings(()) for _ in problem.names]
    x, y = Roundings((points,)), Roundings((points,))
    error = problem.prediction(weights, x) - y
    loss = (error * error).sum().count + OTHER_ORDER
    return loss, [g.count + OTHER_ORDER for g in problem.gradient(weights, x, y)]


def _summed(problem: Problem, w: Vector, x: Any, y: Any, positive: bool = False) -> Vector:
    """The loss and the gradient, as exact sums over blocks of points; with `positive` every term is taken positive."""

    def part(i: int) -> list[float]:
        x_block, y_block = (a[i : i + BLOCK].astype("float64") for a in (x, y))
        if positive:
            x_block, y_block = np.abs(x_block), -np.abs(y_block)
        share = len(x_block) / len(x) if problem.mean else 1
        found = [problem.loss(list(w), x_block, y_block), *problem.gradient(list(w), x_block, y_block)]
        return [share * float(value) for value in found]

    # NumPy lets other threads compute meanwhile; the exact sum is the same in every order.
    with ThreadPoolExecutor() as pool:
        parts = list(pool.map(part, range(0, len(x), BLOCK)))
    return np.array([math.fsum(column) for column in zip(*parts)])
