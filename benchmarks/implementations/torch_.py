"""torch: by hand, by its tape, compiled, and as a graph replayed by a GPU."""

from __future__ import annotations

import warnings
from typing import Any

from benchmarks.implementations import ways
from benchmarks.interface import Clock, Implementation, Run, Unavailable, first_line, library
from benchmarks.problems import LINEAR, PROBLEMS, Case


def torch_on(case: Case) -> Any:
    """The module torch, if it can compute on the case's device."""
    torch = library("torch", "torch", "group: test")
    if case.device != "cpu" and not torch.cuda.is_available():
        raise Unavailable(f"no GPU that torch {torch.__version__} can use")
    return torch


def clock_of(case: Case, torch: Any) -> Clock | None:
    """The clock of the device, if it is a GPU."""
    if case.device == "cpu":
        return None

    def record() -> Any:
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def elapsed(begin: Any, end: Any) -> float:
        end.synchronize()
        return float(begin.elapsed_time(end)) / 1e3

    return Clock(record, elapsed)


def by_hand(case: Case) -> Run:
    """The gradient worked out on paper."""
    torch = torch_on(case)
    return ways.by_hand(case, lambda a: torch.from_numpy(a).to(case.device), clock_of(case, torch))


def autograd(case: Case) -> Run:
    """The tape in every step."""
    torch = torch_on(case)
    return ways.autodiff(case, torch, case.device, clock_of(case, torch))


def module(case: Case) -> Run:
    """The same with `nn.Linear` and `optim.SGD`."""
    torch = torch_on(case)
    return ways.module(case, torch, case.device, clock_of(case, torch))


def compiled(case: Case) -> Run:
    """`torch.compile` of a whole step: value, gradient and update."""
    torch = torch_on(case)
    lr = case.lr
    x, y = (torch.from_numpy(a).to(case.device) for a in case.data())
    weights = tuple(torch.from_numpy(w).to(case.device) for w in case.start())

    value_and_gradient = torch.func.grad_and_value(case.problem.loss_in(torch))

    def step(w: Any, x: Any, y: Any) -> Any:
        gradient, loss = value_and_gradient(w, x, y)
        return tuple(a - lr * g for a, g in zip(w, gradient)), loss

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.compiler.reset()  # Of one function torch compiles eight variants at most, then it interprets.
            run = torch.compile(step, fullgraph=True, dynamic=False)
            run(weights, x, y)  # compiles it; the result is thrown away
    except Exception as error:
        raise Unavailable(f"torch.compile does not work here: {first_line(error)}") from None
    loss: Any = None
    clock = clock_of(case, torch)

    def take(n: int) -> None:
        nonlocal weights, loss
        with ways.around(clock):
            for _ in range(n):
                weights, loss = run(weights, x, y)

    return Run(take, lambda: ways.numbers(weights), lambda: loss.item(), clock)


def graph(case: Case) -> Run:
    """A step recorded once as a CUDA graph, and replayed."""
    torch = torch_on(case)
    loss_of, lr = case.problem.loss_in(torch), case.lr
    x, y = (torch.from_numpy(a).to(case.device) for a in case.data())
    weights = [torch.from_numpy(w).to(case.device).requires_grad_() for w in case.start()]

    def step() -> Any:
        loss = loss_of(weights, x, y)
        gradient = torch.autograd.grad(loss, weights)
        with torch.no_grad():
            for w, g in zip(weights, gradient):
                w -= lr * g
        return loss

    # torch asks for some steps on another stream first, and then the weights are put back.
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(side)
    with torch.no_grad():
        for w, first in zip(weights, case.start()):
            w.copy_(torch.from_numpy(first))
    recorded = torch.cuda.CUDAGraph()
    with torch.cuda.graph(recorded):
        loss = step()
    clock = clock_of(case, torch)

    def take(n: int) -> None:
        with ways.around(clock):
            for _ in range(n):
                recorded.replay()

    return Run(take, lambda: ways.numbers(weights), lambda: loss.item(), clock)


IMPLEMENTATIONS = [
    Implementation("torch by hand", "by hand", by_hand, ("cpu", "cuda"), memory=3),
    Implementation("torch.autograd", "eager", autograd, ("cpu", "cuda"), problems=tuple(PROBLEMS)),
    Implementation("torch nn+optim", "eager", module, ("cpu", "cuda"), problems=(LINEAR.name,)),
    Implementation("torch CUDA graph", "compiled", graph, ("cuda",)),
    Implementation("torch.compile", "compiled", compiled, ("cpu", "cuda"), problems=tuple(PROBLEMS), memory=2),
]
