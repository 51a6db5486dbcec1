"""Live pages: a recorded computation as a program for the browser, which computes every value and gradient anew."""

from base64 import b64encode
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_poly.compiler.loops.fuse import NotFusable, fuse
from tinygrad_poly.compiler.loops.js_printer import JsPrinter
from tinygrad_poly.compiler.steps import captured_arrays
from tinygrad_poly.compiler.trace.program import Program
from tinygrad_poly.compiler.trace.simplify import simplify
from tinygrad_poly.compiler.trace.symbols import Symbol, phase, placeholder
from tinygrad_poly.engine.arrays import on_cpu
from tinygrad_poly.engine.errors import GraphError, TraceError
from tinygrad_poly.explain.backward import Step, backward
from tinygrad_poly.explain.graph import Graph
from tinygrad_poly.explain.words import brief

MOST = 8
"""How many elements a weight may have, each of which gets a slider."""


def described(graph: Graph, steps: Sequence[Step]) -> dict[str, Any]:
    """A graph and its backward pass as data for a page: texts, and where the browser finds the numbers behind them.

    In `run` is the source of a function from weights to a list of numbers and arrays, and each text has its place in
    that list; "" where there is no such program, and `notes` say why.
    """
    try:
        source, arrays, places = _program(graph)
        notes = list(graph.notes)
    except (NotFusable, TraceError, GraphError) as reason:
        source, arrays, places = "", {}, {}
        notes = [*graph.notes, f"The numbers on this page stand still, because the browser has no program: {reason}."]

    def shown(value: Any, key: Any) -> dict[str, Any]:
        return {"text": "" if value is None else brief(value, key[0] == "derivative"), "at": places.get(key, -1)}

    return {
        "run": source,
        "arrays": {name: encoded(array) for name, array in arrays.items()},
        "notes": notes,
        "vertices": [
            {"name": v.name, "title": v.title, "kind": v.kind, "shape": v.shape,
             "value": shown(v.value, ("value", i)),
             "start": np.ravel(on_cpu(v.value)).tolist() if v.kind == "leaf" and v.value.size <= MOST else []}
            for i, v in enumerate(graph.vertices)
        ],
        "steps": [
            {"vertex": s.vertex, "gradient": shown(s.gradient, ("gradient", n)),
             "sent": [{"to": x.to, "formula": x.formula, **{
                 name: shown(getattr(x, name), (name, n, k)) for name in ("derivative", "amount", "total")}}
                 for k, x in enumerate(s.sent)]}
            for n, s in enumerate(steps)
        ],
    }  # fmt: skip


def encoded(array: Any) -> str:
    """The float64 numbers of an array as text."""
    return b64encode(np.ascontiguousarray(array, "<f8").tobytes()).decode()


def _program(graph: Graph) -> tuple[str, dict[str, Any], dict[Any, int]]:
    """The source of the program, the arrays that it takes after the leaves, and the places of its results."""
    leaves, values = [], list[Any]()
    for v in graph.vertices:
        if v.operation is not None:
            given = [x if i is None else values[i] for i, x in zip(v.inputs, v.arguments)]
            with phase("forward"):
                values.append(_named(v.operation.forward(*given, *v.options), v.name))
        elif v.node is None:
            values.append(np.asarray(on_cpu(v.value), np.float64))
        else:
            leaves.append(placeholder(v.name, v.shape, np.dtype(np.float64)))
            values.append(leaves[-1])
    with phase("backward"):
        traced = backward(graph, values)
    found: dict[Any, Any] = {("value", i): value for i, value in enumerate(values)}
    for n, step in enumerate(traced):
        found["gradient", n] = _named(step.gradient, f"grad_{graph.vertices[step.vertex].name}")
        for k, sent in enumerate(step.sent):
            found |= {(name, n, k): getattr(sent, name) for name in ("derivative", "amount", "total")}
    wanted = {key: s for key, s in found.items() if isinstance(s, Symbol)}
    program = simplify(Program.of(leaves, list(wanted.values())))
    names = {id(value): v.name for value, v in zip(values, graph.vertices)}
    arrays = {names.get(id(array), name): array for name, array in captured_arrays(program).items()}
    source = JsPrinter(fuse(program), arrays).once()
    return source, arrays, dict(zip(wanted, range(len(wanted))))


def _named(symbol: Any, name: str) -> Any:
    if isinstance(symbol, Symbol) and not symbol.name:
        symbol.name = name
    return symbol
