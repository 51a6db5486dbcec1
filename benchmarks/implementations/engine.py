"""The engine itself: its tape, eager and compiled."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.implementations import ways
from benchmarks.implementations.cuda import cupy_on, gpu_clock
from benchmarks.interface import Clock, Implementation, Run, Unavailable, library
from benchmarks.problems import LINEAR, PROBLEMS, Case

ENGINE = "tinygrad_poly"


def array_library(case: Case) -> Any:
    """NumPy, or CuPy where the case runs on a GPU."""
    return np if case.device == "cpu" else cupy_on(case)


def clock_of(case: Case) -> Clock | None:
    """The clock of the device, if it is a GPU."""
    return None if case.device == "cpu" else gpu_clock(array_library(case))


def eager(case: Case) -> Run:
    """The tape in every step."""
    array_library(case)
    import tinygrad_poly as tg

    return ways.autodiff(case, tg, case.device, clock_of(case))


def module(case: Case) -> Run:
    """The same with `nn.Linear` and `optim.SGD`."""
    array_library(case)
    import tinygrad_poly as tg

    return ways.module(case, tg, case.device, clock_of(case))


def traced(case: Case, hoist: str | None = None) -> Any:
    """The program of a step, its weights, and the order in which the loss takes them."""
    xp = array_library(case)
    import tinygrad_poly as tg
    from tinygrad_poly.compiler.steps import CompiledSteps

    x, y = (xp.asarray(a) for a in case.data())
    start = [xp.asarray(w) for w in case.start()]
    functional = tg.nn.functional
    loss: Any = case.problem.loss_in(tg)
    if case.problem is LINEAR:
        start[0] = start[0].reshape(1, 1)

        def loss(w: Any, x: Any, y: Any) -> Any:
            return functional.mse_loss(functional.linear(x, *w), y)

    weights = dict(zip(case.problem.names, start, strict=True))
    optimizer = tg.optim.SGD([tg.tensor(w, requires_grad=True) for w in start], lr=case.lr)
    arguments = {"x": x, "y": y}
    return CompiledSteps(loss, lambda by_name: list(by_name.values()), weights, arguments, optimizer, hoist), start


def compiled(case: Case, hoist: str | None = None) -> Run:
    """All steps in one call of the compiled program."""
    if case.device == "cpu":
        library("numba", "Numba", "pip install 'tinygrad_poly[compile]'")
    from tinygrad_poly.compiler.moments.algebra import NotPolynomial

    try:
        steps, weights = traced(case, hoist)
    except NotPolynomial as reason:
        raise Unavailable(str(reason)) from None
    losses, clock = np.empty(1), clock_of(case)

    def take(n: int) -> None:
        nonlocal weights
        with ways.around(clock):
            # The last loss is kept: step t is written down if t % n == n − 1.
            weights = steps.run(0, n, n, losses, weights, final=False)

    return Run(take, lambda: ways.numbers(weights), lambda: float(losses[0]), clock)


def compiled_without_numba(case: Case) -> Run:
    """The compiled program, run by NumPy."""
    from tinygrad_poly.compiler.loops.numpy_runner import NumpyProgram

    steps, weights = traced(case)
    data = dict(zip(steps.step.data, steps.data, strict=True))
    run = NumpyProgram(steps.step.program, data, steps.step.carried).steps()
    # NumPy's numbers are faster than its arrays without dimensions.
    weights = [w[()] for w in weights]
    losses = np.empty(1)

    def take(n: int) -> None:
        nonlocal weights
        weights = run(0, n, n, losses, *weights)

    return Run(take, lambda: ways.numbers(weights), lambda: float(losses[0]))


BESIDE_COMPILED = (
    "Numba by hand",
    "Numba by hand, threads",
    "CUDA by hand",
    "reading the data",
    "copying on the device",
    "JAX fori_loop",
    "torch.compile",
    "torch CUDA graph",
    "torch.autograd",
)
"""Each is compared with what bounds it, and with what a user would take instead."""

IMPLEMENTATIONS = [
    Implementation(ENGINE, "eager", eager, ("cpu", "cuda"), problems=tuple(PROBLEMS)),
    Implementation(
        f"{ENGINE} nn+optim",
        "eager",
        module,
        ("cpu", "cuda"),
        ("torch nn+optim", "torch.autograd"),
        problems=(LINEAR.name,),
    ),
    Implementation("compiled", "compiled", compiled, ("cpu", "cuda"), BESIDE_COMPILED, tuple(PROBLEMS), memory=2),
    Implementation(
        "compiled without Numba", "compiled", compiled_without_numba, ("cpu",), (ENGINE, "torch.autograd"), memory=4
    ),
    Implementation(
        "compiled hoisted",
        "compiled",
        lambda case: compiled(case, "algebra"),
        ("cpu",),
        ("compiled", "Numba by hand", "torch.autograd"),
        tuple(PROBLEMS),
        memory=2,
    ),
]
