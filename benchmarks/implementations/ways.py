"""Ways to take steps that several libraries share, line by line."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from benchmarks.interface import Clock, Run, Vector
from benchmarks.problems import Case


def numbers(weights: Any) -> Vector:
    """The weights of any library as a NumPy vector; those of a GPU are copied."""
    return np.concatenate([np.ravel(w.tolist()) for w in weights])


def around(clock: Clock | None) -> AbstractContextManager[None]:
    """A context around the steps; without a GPU it does nothing, as a call returns when its work is done."""
    return nullcontext() if clock is None else clock


def by_hand(case: Case, asarray: Callable[[Any], Any], clock: Clock | None = None) -> Run:
    """The gradient worked out on paper, on arrays."""
    problem, lr = case.problem, case.lr
    x, y = (asarray(a) for a in case.data())
    weights = [asarray(w) for w in case.start()]
    loss: Any = None

    def take(n: int) -> None:
        nonlocal loss
        with around(clock):
            for _ in range(n):
                loss, gradient = problem.by_hand(weights, x, y)
                for i, g in enumerate(gradient):
                    weights[i] = weights[i] - lr * g

    return Run(take, lambda: numbers(weights), lambda: loss.item(), clock)


def autodiff(case: Case, library: Any, device: Any, clock: Clock | None = None) -> Run:
    """`backward()`, and the update in place under `no_grad`."""
    loss_of, lr = case.problem.loss_in(library), case.lr
    x, y = (library.from_numpy(a).to(device) for a in case.data())
    weights = [library.from_numpy(w).to(device).requires_grad_() for w in case.start()]
    loss: Any = None

    def take(n: int) -> None:
        nonlocal loss
        with around(clock):
            for _ in range(n):
                loss = loss_of(weights, x, y)
                loss.backward()
                with library.no_grad():
                    for w in weights:
                        w -= lr * w.grad
                        w.grad = None

    return Run(take, lambda: numbers(weights), lambda: loss.item(), clock)


def module(case: Case, library: Any, device: Any, clock: Clock | None = None) -> Run:
    """`nn.Linear`, `nn.MSELoss` and `optim.SGD`."""
    x, y = (library.from_numpy(a).to(device) for a in case.data())
    model = library.nn.Linear(1, 1, dtype=getattr(library, case.dtype))
    weight, bias = (library.from_numpy(w) for w in case.start())
    model.load_state_dict({"weight": weight.reshape(1, 1), "bias": bias})
    model.to(device)
    loss_function = library.nn.MSELoss()
    optimizer = library.optim.SGD(model.parameters(), lr=case.lr)
    loss: Any = None

    def take(n: int) -> None:
        nonlocal loss
        with around(clock):
            for _ in range(n):
                optimizer.zero_grad()
                loss = loss_function(model(x), y)
                loss.backward()
                optimizer.step()

    return Run(take, lambda: numbers(model.parameters()), lambda: loss.item(), clock)
