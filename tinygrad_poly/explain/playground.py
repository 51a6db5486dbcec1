"""A playground: a page on which a fit runs, by the program that the tape recorded, printed for the browser."""

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_poly import optim
from tinygrad_poly.autograd import grad
from tinygrad_poly.compiler.loops.fuse import fuse
from tinygrad_poly.compiler.loops.js_printer import JsPrinter
from tinygrad_poly.compiler.steps import captured_arrays
from tinygrad_poly.compiler.trace.program import Program
from tinygrad_poly.compiler.trace.simplify import simplify
from tinygrad_poly.compiler.trace.symbols import placeholder
from tinygrad_poly.compiler.training import trace
from tinygrad_poly.engine.apply import wrap
from tinygrad_poly.engine.errors import TraceError
from tinygrad_poly.engine.walk import leaf
from tinygrad_poly.explain.live import encoded
from tinygrad_poly.explain.pages import page
from tinygrad_poly.tensor import Tensor

Weights = dict[str, Tensor]

OPTIMIZERS: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "SGD": (optim.SGD, {}),
    "momentum": (optim.SGD, {"momentum": 0.9}),
    "Adam": (optim.Adam, {}),
}
FLOAT64 = np.dtype(np.float64)
GRID = 200
"""How many points the curve is drawn through."""


def play(
    loss: Callable[[Weights, Tensor, Tensor], Tensor],
    model: Callable[[Weights, Tensor], Tensor],
    start: Weights,
    x: Tensor,
    y: Tensor,
    *,
    lr: float,
    stable: float | None = None,
    least: float | None = None,
    title: str = "A fit that runs before your eyes",
) -> str:
    """One page for a browser on which a fit of numbers runs: the curve, the loss, and the gradients as arrows.

    The steps of SGD, momentum and Adam are the engine's own, recorded once and printed as JavaScript, in float64.

    Args:
        loss: `loss(params, x, y)`, a number.
        model: `model(params, x)`, the curve.
        start: the weights to start from, by name: numbers.
        x: the data, a vector.
        y: what the curve is fitted to.
        lr: the learning rate to start with.
        stable: the largest rate at which descent converges, to be marked.
        least: the smallest loss that there is, to be marked.
        title: of the page.
    """
    x, y = x.double(), y.double()
    weights = {name: w.detach().double() for name, w in start.items()}
    programs = {name: _step(loss, weights, x, y, name) for name in OPTIMIZERS}
    grid = np.linspace(x.min().item(), x.max().item(), GRID)
    sources = [source for source, _ in programs.values()]
    sources += [_slopes(loss, weights, x, y), _curve(model, weights)]
    data = {
        "weights": {name: w.item() for name, w in weights.items()},
        "state": {name: state for name, (_, state) in programs.items()},
        "x": encoded(x.array), "y": encoded(y.array), "grid": encoded(grid),
        "lr": lr, "stable": stable, "least": least,
    }  # fmt: skip
    return page("play.html", title, "", "\n".join(sources), data)


def _step(loss: Callable[..., Tensor], start: Weights, x: Tensor, y: Tensor, name: str) -> tuple[str, list[float]]:
    """The source of an optimizer's step, and what it remembers at the start."""
    weights = {name: w.clone().requires_grad_() for name, w in start.items()}
    kind, options = OPTIMIZERS[name]
    optimizer = kind(list(weights.values()), **options)
    loss(weights, x, y).backward()
    optimizer.step()  # so that what it remembers is there; it starts at 0
    lr = placeholder("lr", (), FLOAT64, weak=True)
    optimizer.param_groups[0]["lr"] = lr
    step = trace(loss, lambda given: given, weights, {"x": x.array, "y": y.array}, optimizer)
    program = simplify(Program.of((*step.data, *step.carried, lr), step.program.outputs))
    return _source(program, f"step_{name}"), [0.0] * len(step.state)


def _slopes(loss: Callable[..., Tensor], start: Weights, x: Tensor, y: Tensor) -> str:
    """The source of `slopes(x, y, ...weights)`, which returns the loss and its gradients."""
    symbols = {name: placeholder(name, (), FLOAT64) for name in start}
    data = [placeholder(name, array.shape, FLOAT64) for name, array in (("x", x), ("y", y))]
    weights = {name: wrap(symbol, leaf(symbol)) for name, symbol in symbols.items()}
    value = loss(weights, *(wrap(symbol, None) for symbol in data))
    outputs = [value.array, *(g.array for g in grad(value, list(weights.values())) if g is not None)]
    return _source(simplify(Program.of((*data, *symbols.values()), outputs)), "slopes")


def _curve(model: Callable[..., Tensor], start: Weights) -> str:
    """The source of `curve(x, ...weights)`, which returns the model's values at the points of the grid."""
    x = placeholder("x", (GRID,), FLOAT64)
    symbols = {name: placeholder(name, (), FLOAT64) for name in start}
    points = wrap(x, None)
    values = model({name: wrap(symbol, None) for name, symbol in symbols.items()}, points)
    if values.shape != (GRID,):  # a constant
        values = values + 0 * points
    return _source(simplify(Program.of((x, *symbols.values()), [values.array])), "curve")


def _source(program: Program, name: str) -> str:
    arrays = captured_arrays(program)
    if arrays:
        raise TraceError("the loss takes arrays from outside, which the page has not: pass all data as x and y")
    return JsPrinter(fuse(program)).once(name)
