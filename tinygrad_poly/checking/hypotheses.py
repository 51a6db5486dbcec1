"""Hypotheses: for each kind of mistake, the gradients that it would lead to.

A hypothesis is a name and a function from a `Sample` (the claimed gradient, the true one, and how it was computed) to
pairs of a key and the wrong gradient. The key says which of several ways it is, such as the axis that was summed over;
`diagnosis` looks for a key whose gradient is the claimed one at every sample.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinygrad_poly.engine.arrays import expand, unbroadcast
from tinygrad_poly.engine.recording import Observer
from tinygrad_poly.engine.walk import Node

Candidates = Iterator[tuple[Any, Any]]
_MOST_EDGES = 60


@dataclass
class Sample:
    """One look at a wrong gradient: at one point, of one argument.

    Attributes:
        claimed: the claimed gradient of the argument.
        true: the true one.
        others: the true gradients of the other arguments, by name.
        before: the true gradients at the points of earlier calls.
        rows: the true gradients by single rows of the data, by their number.
        plain: the true gradient for a cotangent of ones; None where the result is a number.
        diagonal: the diagonal of the Jacobian times the cotangent; None where it is not square.
        graph: how the loss was computed; None where it does not run on the tape.
        batch: the number of rows of the data.
    """

    claimed: Any
    true: Any
    others: dict[str, Any] = field(default_factory=dict)
    before: dict[str, Any] = field(default_factory=dict)
    rows: dict[Any, Any] = field(default_factory=dict)
    plain: Any = None
    diagonal: Any = None
    graph: Graph | None = None
    leaf: Any = None
    batch: int | None = None
    unit: float = 2.0**-52
    leaf_dtype: Any = None
    in_float32: bool = False
    answers: list[Any] = field(default_factory=list)
    far: bool = False


class Graph(Observer):
    """The tape of one call: its nodes in the order of a walk back, and the line of the program that made each."""

    def __init__(self) -> None:
        self.lines: dict[Node, str] = {}
        self.numbers: dict[Node, list[Any]] = {}
        self.order: list[Node] = []
        self.start: Any = None

    def recorded(self, operation: Any, inputs: Any, options: Any, result: Any) -> None:
        """Note the line of an operation."""
        line = self.line()
        self.lines[result.node] = f"line {line.lineno}: {line.line}" if line and line.line else ""
        self.order.append(result.node)
        self.numbers[result.node] = [*inputs, result.array]

    def finish(self, root: Node, cotangent: Any) -> None:
        """Keep the nodes that lead to the result."""
        needed = {root}
        order = []
        for node in reversed(self.order):
            if node in needed:
                order.append(node)
                needed.update(p for p in node.parents if p is not None)
        self.order, self.start = order, (root, cotangent)

    def edges(self) -> list[tuple[int, int]]:
        """The ways from a node to one of its inputs, by numbers."""
        found = [(i, k) for i, node in enumerate(self.order) for k, p in enumerate(node.parents) if p is not None]
        return found if len(found) <= _MOST_EDGES else []

    def gradient(
        self, leaf: Node, at: Any = None, change: Callable[..., Any] | None = None, keep: Any = None,
        cotangent: Any = None,
    ) -> Any:  # fmt: skip
        """The gradient of a leaf, with a change at a node, or at one of its inputs.

        Args:
            leaf: the leaf.
            at: a node's number and an input's, which is None for all inputs.
            change: from the cotangent of the node, what its rule makes of it and the input's shape to what is passed
                on instead, None for nothing.
            keep: the only row of the node's cotangent that is kept.
            cotangent: of the result, in the place of the usual one.
        """
        root, usual = self.start
        cotangents: dict[Node, Any] = {root: usual if cotangent is None else cotangent}
        for i, node in enumerate(self.order):
            g = cotangents.get(node)
            if g is None:
                continue
            g = np.asarray(expand(g, node.shape))
            if keep is not None and at == i:
                only = np.zeros(g.shape)
                only[keep] = g[keep]
                g = only
            for k, (parent, rule) in enumerate(zip(node.parents, node.operation.rules)):  # type: ignore[union-attr]
                if parent is None or rule is None:
                    continue
                passed = np.asarray(rule(g, *node.saved))
                if change is not None and at in ((i, k), (i, None)):
                    passed = change(g, passed, parent.shape)
                    if passed is None:
                        continue
                if passed.shape != parent.shape:
                    passed = expand(unbroadcast(passed, parent.shape), parent.shape)
                cotangents[parent] = cotangents[parent] + passed if parent in cotangents else passed
        return cotangents.get(leaf, np.zeros(leaf.shape))

    def name(self, edge: tuple[int, int]) -> str:
        """The edge, for readers."""
        node = self.order[edge[0]]
        where = f" ({self.lines[node]})" if self.lines[node] else ""
        return f"{node.operation.name}{where}" if node.operation else ""


def factor(s: Sample) -> Candidates:
    """A multiple of the true gradient."""
    yield (), s.true


def detached(s: Sample) -> Candidates:
    """All 0, though the true gradient is not."""
    yield (), np.zeros(s.true.shape)


def accumulated(s: Sample) -> Candidates:
    """The gradient of this call and that of an earlier one."""
    yield from ((name, s.true + G) for name, G in s.before.items())


def stale(s: Sample) -> Candidates:
    """The gradient at another point, that of an earlier call."""
    yield from s.before.items()


def swapped(s: Sample) -> Candidates:
    """The gradient of another argument."""
    yield from s.others.items()


def transposed(s: Sample) -> Candidates:
    """The right numbers in other places: axes exchanged, or turned around."""
    for axes in itertools.islice(itertools.permutations(range(s.true.ndim)), 1, 24):
        yield ("axes", axes), s.true.transpose(axes)
    for axis in range(s.true.ndim):
        yield ("reversed", axis), np.flip(s.true, axis)
    for name, other in s.others.items():
        yield ("argument", name), other.T
    if s.true.ndim == 2:
        yield ("order", s.true.shape), s.true.T.reshape(s.true.shape)
    for i, k in s.graph.edges() if s.graph else ():
        factors = s.graph.numbers[s.graph.order[i]][:2]  # type: ignore[union-attr]
        if s.graph.order[i].operation.name == "Mm":  # type: ignore[union-attr]

            def turned(g: Any, passed: Any, shape: Any, k: int = k, other: Any = factors[1 - k]) -> Any:
                pair = (g, other) if k == 0 else (other, g)
                fits = g.ndim == 2 and pair[0].shape[1] == pair[1].shape[0]
                return pair[0] @ pair[1] if fits and (len(pair[0]), pair[1].shape[1]) == shape else passed

            yield ("factor", i, k), s.graph.gradient(s.leaf, (i, k), turned)  # type: ignore[union-attr]


def one_row(s: Sample) -> Candidates:
    """The gradient by one row only: of the data, or of the argument itself."""
    for row, gradient in s.rows.items():
        yield ("data", row), gradient
    for axis, row in itertools.product(range(s.true.ndim), (0, -1)):
        if s.true.shape[axis] > 1:
            kept = np.zeros(s.true.shape)
            at = (slice(None),) * axis + (row,)
            kept[at] = s.true[at]
            yield ("argument", axis, row), kept
    for _, full in _repeated(s):
        yield from ((("repeated", row), full[row]) for row in (0, -1) if full[row].shape == s.true.shape)
    for i, node in enumerate(s.graph.order if s.graph and len(s.graph.order) < _MOST_EDGES else ()):
        if node.shape and node.shape[0] > 1:
            yield from ((("node", i, row), s.graph.gradient(s.leaf, i, keep=row)) for row in (0, -1))  # type: ignore


def diagonal_only(s: Sample) -> Candidates:
    """The diagonal of the Jacobian, or of the gradient, without the rest."""
    if s.diagonal is not None:
        yield "Jacobian", s.diagonal
    if s.true.ndim == 2 and min(s.true.shape) > 1:
        yield "gradient", s.true * np.eye(*s.true.shape)


def missing_sum(s: Sample) -> Candidates:
    """The gradient before it was summed over the axes along which the argument was repeated."""
    larger = s.claimed.size >= s.true.size and s.claimed.shape != s.true.shape
    for axes in _subsets(s.claimed.ndim) if larger else ():
        part = s.claimed.sum(axes, keepdims=True)
        if part.size == s.true.size and np.allclose(part.ravel(), s.true.ravel(), 1e-6, 1e-6 * np.abs(part).max()):
            yield axes, s.claimed
    yield from ((key, full) for key, full in _repeated(s) if full.shape == s.claimed.shape)


def wrong_axis(s: Sample) -> Candidates:
    """The gradient summed over other axes than those along which the argument was repeated."""
    for _, full in _repeated(s):
        for axes in _subsets(full.ndim):
            part = full.sum(axes)
            if part.shape and part.size == s.claimed.size:
                yield axes, part.reshape(s.claimed.shape)


def _subsets(n: int) -> Iterator[tuple[int, ...]]:
    return itertools.chain.from_iterable(itertools.combinations(range(n), k) for k in range(1, n + 1))


def missing_chain_factor(s: Sample) -> Candidates:
    """The gradient with the slope of one operation left out, or the cotangent."""
    if s.plain is not None:
        yield "cotangent", s.plain
    graph: Any = s.graph
    edges = graph.edges() if graph else []
    ways = [*dict.fromkeys((i, None) for i, _ in edges), *edges]
    for way in ways:
        yield way, graph.gradient(s.leaf, way, _straight_on)
    for way in ways[:30]:
        for k, q in enumerate(graph.numbers[graph.order[way[0]]]):
            for power in (-1, 1):
                # A factor of all ways at once, such as c in c·x·x.
                yield (*way, k, power, "all"), _times(q, power)(None, s.true, s.true.shape)
                # A factor of the slope: x of the 3 x² in the derivative of x³; or one too many.
                yield (*way, k, power), graph.gradient(s.leaf, way, _times(q, power))


def repeated_index(s: Sample) -> Candidates:
    """The gradient where of several uses of one element only the last counts, as with `g[i] += v`."""
    for i, k in s.graph.edges() if s.graph else ():
        node = s.graph.order[i]  # type: ignore[union-attr]
        if node.operation is not None and node.operation.name == "Index":

            def last(g: Any, passed: Any, shape: Any, index: Any = node.saved[-1]) -> Any:
                kept = np.zeros(shape)
                kept[index] = g
                return kept

            yield (i, k), s.graph.gradient(s.leaf, (i, k), last)  # type: ignore[union-attr]


def term(s: Sample) -> Candidates:
    """The gradient along one way through the computation: `diagnosis` asks how often it was counted."""
    for edge in s.graph.edges() if s.graph else ():
        yield edge, s.true - s.graph.gradient(s.leaf, edge, lambda g, passed, shape: None)  # type: ignore[union-attr]


def _times(q: Any, power: int) -> Callable[[Any, Any, Any], Any]:
    def change(g: Any, passed: Any, shape: Any) -> Any:
        with np.errstate(all="ignore"):
            changed = passed * np.asarray(q, np.float64) ** power if broadcasts(np.shape(q), shape) else passed
        return changed

    return change


def _straight_on(g: Any, passed: Any, shape: Any) -> Any:
    try:
        return expand(unbroadcast(g, shape), shape) if g.ndim >= len(shape) else expand(g, shape)
    except (ValueError, IndexError):
        return passed


def _repeated(s: Sample) -> Candidates:
    """The gradients of an argument that was broadcast, before they are summed."""
    for i, k in s.graph.edges() if s.graph else ():
        node: Any = s.graph.order[i]  # type: ignore[union-attr]
        if node.parents[k] is s.leaf and node.shape != s.leaf.shape and broadcasts(s.leaf.shape, node.shape):
            seen: list[Any] = []
            s.graph.gradient(s.leaf, (i, k), lambda g, passed, shape, seen=seen: seen.append(passed))  # type: ignore
            yield from ((i, np.array(expand(full, node.shape))) for full in seen if broadcasts(full.shape, node.shape))


def broadcasts(small: Any, large: Any) -> bool:
    """Whether an array of one shape broadcasts to another."""
    return len(small) <= len(large) and all(m in (1, n) for m, n in zip(small[::-1], large[::-1]))
