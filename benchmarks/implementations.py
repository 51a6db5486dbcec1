"""The ways of taking a training step that are compared: by hand and by autodiff, in NumPy, torch and this engine.

An implementation takes one of the tutorials' problems and a dtype and returns a `Run`: what to time,
and how to read the weights. Within a way, the libraries run the very same lines.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import ModuleType

import numpy as np
import torch

import tinygrad_poly
from tinygrad_poly.tutorials.problem import Problem, Vector
from tinygrad_poly.tutorials.problems import T1, T8, T10
from tinygrad_poly.tutorials.rounding import count, gamma, magnitude


@dataclass(frozen=True)
class Run:
    """A training loop that is advanced by calling `step`."""

    step: Callable[[], None]
    weights: Callable[[], Vector]


Implementation = Callable[[Problem, str], Run]


def by_hand(library: ModuleType, problem: Problem, dtype: str) -> Run:
    """The gradient worked out on paper, on arrays."""
    x, y = (library.asarray(a) for a in problem.data(dtype))
    weights = [library.asarray(w) for w in problem.start(problem).astype(dtype)]

    def step() -> None:
        problem.loss(problem.model(weights, x), y)
        for i, g in enumerate(problem.gradient(weights, x, y)):
            weights[i] = weights[i] - problem.lr * g

    return Run(step, lambda: np.array([float(w) for w in weights]))


def autodiff(library: ModuleType, problem: Problem, dtype: str) -> Run:
    """`backward()`, and the update in place under `no_grad`."""
    x, y = (library.from_numpy(a) for a in problem.data(dtype))
    start = problem.start(problem).astype(dtype)
    weights = [library.from_numpy(np.full(problem.shape, w)).requires_grad_() for w in start]

    def step() -> None:
        loss = problem.loss(problem.model(weights, x), y)
        loss.backward()
        with library.no_grad():
            for w in weights:
                w -= problem.lr * w.grad
                w.grad = None

    return Run(step, lambda: np.array([float(w.detach()) for w in weights]))


def module(library: ModuleType, problem: Problem, dtype: str) -> Run:
    """`nn.Linear`, `nn.MSELoss` and `optim.SGD`."""
    x, y = (library.from_numpy(a) for a in problem.data(dtype))
    model = library.nn.Linear(1, 1, dtype=getattr(library, dtype))
    weight, bias = problem.start(problem).astype(dtype)
    model.load_state_dict(
        {"weight": library.from_numpy(np.full((1, 1), weight)), "bias": library.from_numpy(np.full(1, bias))}
    )
    loss_function = library.nn.MSELoss()
    optimizer = library.optim.SGD(model.parameters(), lr=problem.lr)

    def step() -> None:
        optimizer.zero_grad()
        loss_function(model(x), y).backward()
        optimizer.step()

    return Run(step, lambda: np.array([float(w.detach()) for w in model.parameters()]))


PROBLEMS = {
    "sin fit, 2000 points": T1,
    "line fit, 6 points": T8,
    "line fit, 6 points, as nn.Linear": T10,
}

ENGINE = "tinygrad_poly"
REFERENCE = "torch.autograd"

_ON_WEIGHTS: dict[str, Implementation] = {
    "NumPy by hand": partial(by_hand, np),
    ENGINE: partial(autodiff, tinygrad_poly),
    "torch by hand": partial(by_hand, torch),
    REFERENCE: partial(autodiff, torch),
}
_ON_MODULES: dict[str, Implementation] = {
    ENGINE: partial(module, tinygrad_poly),
    REFERENCE: partial(module, torch),
}


def implementations(problem: Problem) -> dict[str, Implementation]:
    """The implementations of a problem by name."""
    return _ON_MODULES if problem is T10 else _ON_WEIGHTS


def started(problem: Problem, dtype: str, name: str) -> Run:
    """An implementation after its first step, which led where the engine's does.

    Raises:
        AssertionError: where two weights differ by more than the roundings of both can explain.
    """
    run, engine = (implementations(problem)[key](problem, dtype) for key in (name, ENGINE))
    start = problem.start(problem).astype(dtype).astype("float64")
    assert np.array_equal(run.weights(), start), f"{name} starts at {run.weights()} instead of {start}"
    run.step()
    engine.step()
    difference = np.abs(run.weights() - engine.weights())
    # A gradient is off by γ Ĝ at most, and w − lr · g rounds twice more.
    unit = float(np.finfo(dtype).eps) / 2
    step = problem.lr * magnitude(problem, start[None])[0]
    allowed = 2 * (gamma(count(problem), dtype) * step + 2 * unit * (np.abs(start) + step))
    assert (difference <= allowed).all(), f"{name} differs by {difference}, and rounding explains only {allowed}"
    return run
