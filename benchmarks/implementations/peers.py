"""Other engines with a tape for NumPy-like code, each used as its documentation shows."""

from __future__ import annotations

import os
import shutil
from typing import Any

import numpy as np

from benchmarks.implementations import ways
from benchmarks.interface import Implementation, Run, Unavailable, library
from benchmarks.problems import Case

GROUP = "group: peers"


def hips(case: Case) -> Run:
    """HIPS autograd: `value_and_grad` of a function of NumPy arrays."""
    autograd = library("autograd", "HIPS autograd", GROUP)
    lr = case.lr
    x, y = case.data()
    weights = case.start()
    value_and_gradient = autograd.value_and_grad(lambda w: case.problem.loss(w, x, y))
    loss: Any = None

    def take(n: int) -> None:
        nonlocal weights, loss
        for _ in range(n):
            loss, gradient = value_and_gradient(weights)
            weights = [w - lr * g for w, g in zip(weights, gradient)]

    return Run(take, lambda: ways.numbers(weights), lambda: loss.item())


def mygrad(case: Case) -> Run:
    """MyGrad: `backward()` on its tensors."""
    mg = library("mygrad", "MyGrad", GROUP)
    problem, lr = case.problem, case.lr
    x, y = (mg.tensor(a, constant=True) for a in case.data())
    weights = [mg.tensor(w) for w in case.start()]
    loss: Any = None

    def take(n: int) -> None:
        nonlocal loss
        for _ in range(n):
            loss = problem.loss(weights, x, y)
            loss.backward()
            for w in weights:
                w.data -= lr * w.grad

    return Run(take, lambda: ways.numbers(w.data for w in weights), lambda: loss.item())


def micrograd(case: Case) -> Run:
    """micrograd: a graph of numbers, one after another."""
    value = library("micrograd.engine", "micrograd", GROUP).Value
    if case.dtype != "float64":
        raise Unavailable("micrograd computes with Python's numbers, which are float64")
    problem, lr = case.problem, case.lr
    x, y = (a.reshape(-1).tolist() for a in case.data())
    weights = [value(w) for w in problem.start]
    loss: Any = None

    def take(n: int) -> None:
        nonlocal loss
        for _ in range(n):
            loss = sum((problem.prediction(weights, a) - b) ** 2 for a, b in zip(x, y))
            if problem.mean:
                loss = loss / case.points
            for w in weights:
                w.grad = 0
            loss.backward()
            for w in weights:
                w.data -= lr * w.grad

    return Run(take, lambda: np.array([w.data for w in weights]), lambda: loss.data)


def dezero(case: Case) -> Run:
    """DeZero: `backward()` on its variables."""
    dz = library("dezero", "DeZero", GROUP)
    problem, lr = case.problem, case.lr
    x, y = (dz.Variable(a) for a in case.data())
    weights = [dz.Parameter(w) for w in case.start()]
    loss: Any = None

    def take(n: int) -> None:
        nonlocal loss
        for _ in range(n):
            error = problem.prediction(weights, x) - y
            loss = dz.functions.sum(error**2)
            if problem.mean:
                loss = loss / case.points
            for w in weights:
                w.cleargrad()
            loss.backward()
            for w in weights:
                w.data = w.data - lr * w.grad.data

    return Run(take, lambda: ways.numbers(w.data for w in weights), lambda: loss.data.item())


def tinygrad(case: Case) -> Run:
    """tinygrad: a step as its `TinyJit`, on its CPU device."""
    tg = library("tinygrad", "tinygrad", GROUP)
    compiler = os.environ.get("CC", "clang")
    if shutil.which(compiler) is None:
        raise Unavailable(f"tinygrad's CPU device needs {compiler}, which is not installed")

    problem, lr = case.problem, case.lr
    dtype = getattr(tg.dtypes, case.dtype)
    x, y = (tg.Tensor(a, dtype=dtype, device="CPU").realize() for a in case.data())
    weights = [tg.Tensor(w, dtype=dtype, device="CPU").realize() for w in case.start()]
    loss: Any = None

    @tg.TinyJit  # type: ignore[untyped-decorator]
    def step() -> Any:
        loss = problem.loss(weights, x, y)
        for w, g in zip(weights, loss.gradient(*weights)):
            w.assign(w.detach() - lr * g)
        return loss.realize(*weights)

    def take(n: int) -> None:
        nonlocal loss
        for _ in range(n):
            loss = step()
        tg.Device["CPU"].synchronize()

    return Run(take, lambda: ways.numbers(weights), lambda: loss.item())


IMPLEMENTATIONS = [
    Implementation("HIPS autograd", "eager", hips),
    Implementation("MyGrad", "eager", mygrad, memory=13),
    Implementation("micrograd", "eager", micrograd, most_points=600),
    Implementation("DeZero", "eager", dezero),
    Implementation("tinygrad", "compiled", tinygrad),
]
