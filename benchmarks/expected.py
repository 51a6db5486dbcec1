"""Expected steps: the exact result of a step, and how far rounding may move a computed one from it.

The gradient of the problem is taken by hand in float64, in blocks of points whose results are added exactly, so that
its own error is nothing beside that of a sum over all points. The bound counts roundings, as for the tutorials (see
`tinygrad_poly.tutorials.rounding`): a gradient is a sum of products of which each is rounded K times at most, and
comes within ε Ĝ, where Ĝ is the same sum with every term taken positive.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from benchmarks.interface import Vector
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
    return step(case, np.array(case.problem.start, case.dtype).astype("float64"))


def step(case: Case, weights: Sequence[float] | Vector) -> Expected:
    """The expected step from `weights`."""
    problem, lr, u = case.problem, case.lr, unit(case.dtype)
    w = np.asarray(weights, "float64")
    x, y = (a.reshape(-1) for a in case.data())
    values = _summed(problem, w, x, y)
    positive = _summed(problem, np.abs(w), x, y, positive=True)
    loss_count, gradient_count = counts(problem, case.points)
    gradient = values[1:]
    gradient_bound = 2 * np.array([rounding(k, u) for k in gradient_count]) * np.abs(positive[1:])
    after = w - lr * gradient
    # lr, lr · g and w − lr · g are rounded as well.
    weights_bound = lr * gradient_bound + 2 * u * lr * np.abs(positive[1:]) + u * (np.abs(after) + lr * gradient_bound)
    return Expected(
        loss=values[0],
        loss_bound=2 * rounding(loss_count, u) * positive[0],
        gradient=gradient,
        gradient_bound=gradient_bound,
        weights=after,
        weights_bound=2 * weights_bound,
    )


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


def rounding(count: int, u: float) -> float:
    """The bound ε = (1 + u)ᴷ − 1 for the relative error of a product with K factors 1 + δ, |δ| ≤ u.

    In float32 and for millions of points that allows anything. Beyond a hundredth, what counts is therefore how far
    errors of either sign get: exp(8 √K u) − 1, with a probability above 1 − 2 exp(−32) (Higham and Mary, A New
    Approach to Probabilistic Rounding Error Analysis, SIAM J. Sci. Comput. 41, 2019).
    """
    worst = math.expm1(count * math.log1p(u))
    return worst if worst < 0.01 else math.expm1(8 * math.sqrt(count) * u + count * u**2)


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
