"""Recorded backward passes: how a loss was computed, and what each node passes on to each of its inputs."""

from __future__ import annotations

import copy
from functools import cached_property
from typing import Any

import numpy as np

from tinygrad_poly.autograd import grad
from tinygrad_poly.checking.arguments import Arrays
from tinygrad_poly.checking.oracles import leaves_on_tape, like_numpy
from tinygrad_poly.checking.patient import WIDE
from tinygrad_poly.checking.verdict import largest
from tinygrad_poly.creation import tensor
from tinygrad_poly.engine.arrays import expand, unbroadcast
from tinygrad_poly.engine.recording import Observer
from tinygrad_poly.engine.walk import Node

Way = tuple[int, int | None]
"""A place in a backward pass: (i, k) is what node i passes on to its input k, (i, None) the cotangent of node i."""


class Graph(Observer):
    """The backward pass of one call, as far as it leads to one leaf; its nodes have numbers, the leaf the last.

    Attributes:
        true: the gradient that it leads to.
        cut: the nodes whose contributions cancel, such as a maximum that is subtracted for safety.
    """

    def __init__(self, numpy: bool) -> None:
        self.made: list[tuple[Node, list[Any], str]] = []
        self.numpy, self.cut = numpy, set[int]()
        self.flows: dict[Way | None, dict[Way, tuple[Any, Any]]] = {}

    def recorded(self, operation: Any, inputs: Any, options: Any, result: Any) -> None:
        """Note an operation with its numbers and its line."""
        line = self.line()
        where = f" (line {line.lineno}: {line.line})" if line and line.line else ""
        self.made.append((result.node, [*inputs, result.array], f"{operation.name}{where}"))
        if self.numpy:
            like_numpy(result)

    def finish(self, root: Node, cotangent: Any, leaf: Node) -> None:
        """Keep the nodes between the result and the leaf, and cut off those whose contributions cancel."""
        above, needed, order = {leaf}, {root}, []
        above.update(node for node, *_ in self.made if not above.isdisjoint(node.parents))
        for made in reversed(self.made):
            if made[0] in needed & above:
                order.append(made)
                needed |= above.intersection(made[0].parents)
        self.nodes, self.numbers, self.names = ([made[k] for made in order] for k in range(3))
        self.saved = [node.saved for node in self.nodes]
        number = {node: i for i, node in enumerate([*self.nodes, leaf])}
        self.inputs = [[number.get(p) for p in node.parents] for node in self.nodes]
        self.shapes, self.cotangent = [node.shape for node in number], cotangent
        self.cut = self.cancelled(None)
        self.flows.clear()
        self.true = self.flow()[len(self.nodes), None][1]

    def walk(self, cotangents: dict[int, Any], change: Any = lambda way, g, p: p, cut: Any = None) -> Any:
        """The leaf's gradient from cotangents of nodes.

        A cotangent of another shape than its node's is what a sum was forgotten of, and is multiplied by the slope.

        Args:
            cotangents: by the numbers of nodes.
            change: what to go on with, from a place, the cotangent there, and what is passed on in full.
            cut: the nodes where the walk ends.
        """
        for i, node in enumerate(self.nodes):
            if i not in cotangents or i in (self.cut if cut is None else cut):
                continue
            g = change((i, None), cotangents[i], cotangents.pop(i))
            for k, j in enumerate(self.inputs[i]):
                if j is None:
                    continue
                if g.shape == node.shape:
                    p = self.rule(i, k, g)
                    full = np.broadcast_shapes(p.shape, self.shapes[j])
                    p = _fitted(change((i, k), g, _expanded(p, full)), self.shapes[j])
                else:
                    view = len(self.inputs[i]) == 1 and np.prod(node.shape) == np.prod(self.shapes[j])
                    p = g if view else self.rule(i, k, np.ones(node.shape)) * g
                cotangents[j] = cotangents[j] + p if j in cotangents else p
        last = len(self.nodes)
        g = cotangents.get(last, np.zeros(self.shapes[last]))
        return change((last, None), g, g)

    def rule(self, i: int, k: int, g: Any, saved: Any = None) -> Any:
        """The cotangent that a node passes on to an input."""
        rule = list(self.nodes[i].operation.rules)[k]
        return rule(g, *(saved or self.saved[i])) if rule else np.zeros(self.shapes[self.inputs[i][k]])  # type: ignore

    def down(self, way: Way, p: Any, **options: Any) -> Any:
        """The leaf's gradient that comes of what is passed on at a place."""
        i, k = way
        j: Any = i if k is None else self.inputs[i][k]
        return self.walk({j: p if k is None else _fitted(p, self.shapes[j])}, **options)

    def flow(self, start: Way | None = None) -> dict[Way, tuple[Any, Any]]:
        """For each place below a start, the cotangent there, and what is passed on: by way of the start alone."""
        if start not in self.flows:
            seen = self.flows[start] = {}

            def note(way: Way, g: Any, p: Any) -> Any:
                seen[way] = g, p
                return p

            if start is None:
                self.walk({0: self.cotangent}, note)
            elif start in self.flow():
                seen[start] = self.flow()[start]
                self.down(start, seen[start][1], change=note)
        return self.flows[start]

    def cancelled(self, start: Way | None) -> set[int]:
        """The nodes at which what comes by a start adds up to 0."""
        size: dict[int, float] = {}
        for (i, k), (_, p) in self.flow(start).items():
            if k is not None and (j := self.inputs[i][k]) not in self.cut:
                size[j] = size.get(j, 0.0) + float(np.abs(p).sum())  # type: ignore[index, arg-type]
        near = {j for j, n in size.items() if largest(self.flow(start)[j, None][1]) <= 1e-12 * n}
        return near - {len(self.nodes)} | self.cut

    def tangents(self, directions: list[Any]) -> dict[Way, Any]:
        """The slopes of the leaf's gradient along each direction by what is passed on at each place."""
        zeros: dict[Way, Any] = {}

        def add(way: Way, g: Any, p: Any) -> Any:
            zeros[way] = tensor(np.zeros(p.shape, p.dtype), requires_grad=True)
            return p + zeros[way]

        tape = copy.copy(self)
        tape.saved = [[tensor(x) if _real(x) else x for x in saved] for saved in tape.saved]
        result = tape.walk({0: tensor(self.cotangent)}, add)
        vs = [tensor(w.astype(result.dtype)) for w in directions]
        each = [grad(result, list(zeros.values()), v, retain_graph=True, allow_unused=True) for v in vs]
        return {
            way: np.array([np.zeros(z.shape) if x is None else x.numpy() for x in ts], float)
            for (way, z), ts in zip(zeros.items(), zip(*each))
        }

    @cached_property
    def known(self) -> dict[Any, Any]:
        """The numbers that a factor may be: values, slopes and cotangents."""
        found: dict[Any, Any] = {
            (i, k): np.asarray(x) for i, xs in enumerate(self.numbers) for k, x in enumerate(xs) if hasattr(x, "dtype")
        }
        for (i, k), (g, p) in self.flow().items():
            if k is None:
                found["cotangent", i] = g
            elif g.shape == p.shape:
                found["slope", i, k] = _expanded(self.rule(i, k, np.ones(g.shape, g.dtype)), g.shape)
        return {key: x for key, x in found.items() if x.size and x.dtype.kind in "fiu"}

    @property
    def vanishes(self) -> bool:
        """Whether the gradient may be 0 at other points, or is 0 for a cotangent of ones."""
        ones = self.walk({0: np.ones_like(self.cotangent)})
        return bool(largest(ones) <= 1e-9 * largest(self.true)) or any(not p.all() for _, p in self.flow().values())

    def name(self, way: Way) -> str:
        """The place, for readers."""
        return self.names[way[0]] if way[0] < len(self.names) else "the argument"


def record(patient: Any, arrays: Arrays, number: int) -> Graph | None:
    """The backward pass to one of the active leaves, in wide numbers if it can be; None where there is no tape."""
    for dtype in (WIDE, np.float64) if patient.library != "torch" else ():
        graph = Graph(patient.library == "numpy")
        try:
            with graph:
                args, leaves = leaves_on_tape(patient, arrays, dtype)
                result = patient.loss(*args)
            cotangent = np.broadcast_to(np.asarray(patient.cotangent, result.dtype), result.shape)
            graph.finish(result.node, cotangent, leaves[number].node)
            return graph
        except Exception:  # whatever does not run on tensors, or not on wide ones
            continue
    return None


def _fitted(p: Any, shape: Any) -> Any:
    """A cotangent, summed or repeated to a shape."""
    return _expanded(unbroadcast(p, shape), shape)


def _expanded(p: Any, shape: Any) -> Any:
    return p if p.shape == shape else expand(p, shape)


def _real(x: Any) -> bool:
    return hasattr(x, "dtype") and x.dtype.kind == "f"
