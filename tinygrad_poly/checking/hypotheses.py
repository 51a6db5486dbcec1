"""Hypotheses: for each kind of mistake, the gradients that it would lead to.

Most mistakes are one edit of the backward pass. The tape knows what each node passes on to each of its inputs: such
a *part* of a gradient may be forgotten, counted twice, lack a factor that the tape knows, be summed over other axes.
`edits` makes all of these, and `simple` what needs no tape. `diagnosis` looks for one that leads to the claimed
gradient at every sample.
"""

from __future__ import annotations

import copy
import itertools
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property, partialmethod
from typing import Any, NamedTuple

import numpy as np

from tinygrad_poly.autograd import grad
from tinygrad_poly.checking.arguments import made_by
from tinygrad_poly.engine.arrays import expand, unbroadcast
from tinygrad_poly.engine.recording import Observer
from tinygrad_poly.engine.walk import Node
from tinygrad_poly.tensor import Tensor

Way = tuple[int, int | None]
"""A place in a backward pass: (i, k) is what node i passes on to its input k, (i, None) the cotangent of node i."""
_MOST_WAYS, _MOST_NUMBERS, _MOST_KNOWN = 100, 20_000, 2_000_000
_DIRECTIONS = 3


@dataclass
class Sample:
    """One look at a wrong gradient: at one point, of one argument.

    Attributes:
        claimed: the claimed gradient of the argument.
        true: the true one.
        others: the true gradients of the other arguments, by name.
        before: the true gradients at the points of earlier calls.
        rows: the true gradients by single rows of the data, by their number.
        diagonal: the diagonal of the Jacobian times the cotangent; None where it is not square.
        graph: how the loss was computed; None where it does not run on the tape.
        batch: the number of rows of the data.
        unit: the relative size of a rounding.
        in_float32: whether float64 was meant, and the gradient has float32's digits.
        answers: the claimed gradients of all arguments.
        far: whether the data are others too.
        end: when to give up, on `time.perf_counter`'s clock.
    """

    claimed: Any
    true: Any
    others: dict[str, Any] = field(default_factory=dict)
    before: dict[str, Any] = field(default_factory=dict)
    rows: dict[Any, Any] = field(default_factory=dict)
    diagonal: Any = None
    graph: Any = None
    batch: int | None = None
    unit: float = 2.0**-52
    in_float32: bool = False
    answers: list[Any] = field(default_factory=list)
    far: bool = False
    end: float = math.inf


class _Numpys(Tensor):
    """A tensor whose methods mean what NumPy's do, where torch's mean something else."""

    __slots__ = ()


for _name in ("cumsum", "dot", "max", "min", "repeat", "std", "var"):
    setattr(_Numpys, _name, partialmethod(getattr(np, _name)))


def like_numpy(x: Any) -> None:
    """Let a tensor's methods mean what NumPy's do."""
    if type(x) is Tensor:
        x.__class__ = _Numpys


class Graph(Observer):
    """The backward pass of one call, as far as it leads to one leaf; its nodes have numbers, the leaf the last."""

    def __init__(self, numpy: bool) -> None:
        self.made: list[tuple[Node, list[Any], str]] = []
        self.numpy, self.cut = numpy, set[int]()

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
        for node, numbers, name in reversed(self.made):
            if node in needed & above:
                order.append((node, numbers, name))
                needed.update(p for p in node.parents if p in above)
        self.nodes, self.numbers, self.names = ([each[k] for each in order] for k in range(3))
        self.saved = [node.saved for node in self.nodes]
        number = {node: i for i, node in enumerate([*self.nodes, leaf])}
        self.inputs = [[number.get(p) for p in node.parents] for node in self.nodes]
        self.shapes, self.cotangent = [node.shape for node in (*self.nodes, leaf)], cotangent
        self.cut = self.cancelled(None)  # such as a maximum that is subtracted for safety: a constant for readers
        self._flows.clear()

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
                    p = fitted(change((i, k), g, _expanded(p, _both(p.shape, self.shapes[j]))), self.shapes[j])
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
        return self.walk({j: p if k is None else fitted(p, self.shapes[j])}, **options)

    def flow(self, start: Way | None = None) -> dict[Way, tuple[Any, Any]]:
        """For each place below a start, the cotangent there, and what is passed on: by way of the start alone."""
        if start not in self._flows:
            seen: dict[Way, Any] = {}

            def note(way: Way, g: Any, p: Any) -> Any:
                seen[way] = g, p
                return p

            if start is None:
                self.walk({0: self.cotangent}, note)
            elif start in self.flow():
                seen[start] = self.flow()[start]
                self.down(start, seen[start][1], change=note)
            self._flows[start] = seen
        return self._flows[start]

    @cached_property
    def _flows(self) -> dict[Way | None, dict[Way, tuple[Any, Any]]]:
        return {}

    def cancelled(self, start: Way | None) -> set[int]:
        """The nodes at which what comes by a start adds up to 0."""
        size: dict[int, float] = {}
        for (i, k), (_, p) in self.flow(start).items():
            if k is not None and (j := self.inputs[i][k]) not in self.cut:
                size[j] = size.get(j, 0.0) + float(np.abs(p).sum())  # type: ignore[index, arg-type]
        near = {j for j, n in size.items() if np.abs(self.flow(start)[j, None][1]).max(initial=0.0) <= 1e-12 * n}
        return near - {len(self.nodes)} | self.cut

    def tangents(self, directions: list[Any]) -> dict[Way, Any]:
        """The slopes of the leaf's gradient along each direction by what is passed on at each place."""
        zeros: dict[Way, Any] = {}

        def add(way: Way, g: Any, p: Any) -> Any:
            zeros[way] = made_by("tensor", np.zeros(p.shape, p.dtype), True)
            return p + zeros[way]

        tape = copy.copy(self)
        tape.saved = [
            [made_by("tensor", np.asarray(x), False) if _real(x) else x for x in saved] for saved in tape.saved
        ]
        result = tape.walk({0: made_by("tensor", np.asarray(self.cotangent), False)}, add)
        vs = [made_by("tensor", w.astype(result.dtype), False) for w in directions]
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

    def name(self, way: Way) -> str:
        """The place, for readers."""
        return self.names[way[0]] if way[0] < len(self.names) else "the argument"


def simple(s: Sample) -> Iterator[tuple[str, Any, Any]]:
    """The mistakes that need no tape: code, key, and the wrong gradient."""
    yield from (("accumulated", name, s.true + G) for name, G in s.before.items())
    yield from (("stale", name, G) for name, G in s.before.items())
    yield from (("swapped", name, G) for name, G in s.others.items())
    if s.diagonal is not None:
        yield "diagonal-only", "Jacobian", s.diagonal
    if s.true.ndim == 2 and min(s.true.shape) > 1:
        yield "diagonal-only", "gradient", s.true * np.eye(*s.true.shape)
    for axes in itertools.islice(itertools.permutations(range(s.true.ndim)), 1, 24):
        yield "transposed", f"axes {axes}", s.true.transpose(axes)
    yield from (("transposed", f"axis {axis} backwards", np.flip(s.true, axis)) for axis in range(s.true.ndim))
    yield from (("transposed", f"those of {name}", other.T) for name, other in s.others.items())
    if s.true.ndim == 2:
        yield "transposed", "columns for rows", s.true.T.reshape(s.true.shape)
    yield from (("one-row", f"row {row} of the data", gradient) for row, gradient in s.rows.items())
    for axis, row in itertools.product(range(s.true.ndim), (0, -1)):
        if s.true.shape[axis] > 1:
            yield "one-row", f"row {row} along axis {axis}", _row(s.true, row, (axis,))
    for axes in _subsets(s.claimed.ndim) if s.claimed.shape != s.true.shape else ():
        part = s.claimed.sum(axes, keepdims=True)
        if part.size == s.true.size and np.allclose(part.ravel(), s.true.ravel(), 1e-6, 1e-6 * np.abs(part).max()):
            yield "missing-sum", axes, s.claimed


class Edit(NamedTuple):
    """An edit of a backward pass.

    Attributes:
        code: what it is called; "" where it depends on how often a part is counted.
        way: the place.
        gradients: from a graph to the gradient without the part, and that of what stands in its place.
        rank: how far-fetched it is: 0 for what people forget, 2 for what is not certain though it explains all.
    """

    code: str
    way: Way
    gradients: Callable[[Graph], tuple[Any, Any]]
    rank: int = 1


def _instead(
    code: str, way: Way, put: Any, start: Way | None = None, part: Any = None, after: bool = False, rank: int = 1
) -> Edit:
    """The edit that puts something in the place of a part, or of what it is summed to (`after`)."""

    def gradients(graph: Graph) -> tuple[Any, Any]:
        p = part(graph) if part else graph.flow(start)[way][1]
        i, k = way
        at: Any = (graph.inputs[i][k], None) if after else way  # type: ignore[index]
        true = graph.flow()[len(graph.nodes), None][1]
        return true - graph.down(way, p), graph.down(at, put(graph, p), cut=graph.cancelled(start or way))

    return Edit(code, way, gradients, rank)


def structural(graph: Graph) -> Iterator[Edit]:
    """The edits that are few: sums, rows, transposed factors, repeated indices."""
    for way, (g, p) in graph.flow().items():
        i, k = way
        if k is None:
            if p.ndim and len(p) > 1:
                yield from (_instead("one-row", way, lambda _, p, row=row: _row(p, row)) for row in (0, -1))
            continue
        shape: Any = graph.shapes[graph.inputs[i][k]]  # type: ignore[index]
        if p.shape != shape:
            axes = tuple(a for a in range(p.ndim) if a < p.ndim - len(shape) or shape[a - p.ndim] != p.shape[a])
            keep = p.ndim == len(shape)
            yield _instead("missing-sum", way, lambda _, p: p, after=True)
            yield from (
                _instead("one-row", way, lambda _, p, row=row, axes=axes: _row(p, row, axes)) for row in (0, -1)
            )
            for other in set(_subsets(p.ndim)) - {axes}:
                yield _instead("wrong-axis", way, lambda _, p, o=other, k=keep: p.sum(o, keepdims=k), after=True)
        if g.ndim and len(g) > 1:
            yield from (
                _instead("one-row", way, lambda G, p, row=row, i=i, k=k: G.rule(i, k, _row(G.flow()[i, k][0], row)))
                for row in (0, -1)
            )
        name = graph.names[i].split()[0]
        for n, x in enumerate(graph.saved[i] if name == "Mm" else ()):
            if x.ndim == 2 and x.shape[0] == x.shape[1]:

                def turned(G: Graph, p: Any, n: int = n, i: int = i, k: int = k) -> Any:
                    return G.rule(i, k, G.flow()[i, k][0], [x.mT if m == n else x for m, x in enumerate(G.saved[i])])

                yield _instead("transposed", way, turned)
        if name == "Index":

            def last_use(G: Graph, p: Any, way: Way = way) -> Any:
                kept = np.zeros(p.shape, p.dtype)
                kept[G.saved[way[0]][-1]] = G.flow()[way][0]
                return kept

            yield _instead("repeated-index", way, last_use)


def terms(graphs: list[Graph]) -> Iterator[tuple[Way, Way | None, Callable[[Graph], Any]]]:
    """The parts of a gradient: what is passed on at each place, and by each way to it; and the terms of a slope."""
    graph = graphs[0]
    twins = {i for i, js in enumerate(graph.inputs) if len(js) == 2 and js[0] == js[1] and (i, 0) in graph.flow()
             and np.array_equal(graph.flow()[i, 0][1], graph.flow()[i, 1][1])}  # fmt: skip
    ways = [(i, k) for i, k in graph.flow() if k is None or i not in twins]  # of x · x, the two halves are one term
    for way in ways:
        yield way, None, lambda G, way=way: G.flow()[way][1]  # type: ignore[misc]
    for start in ways:
        for way in [way for way in ways if way in graph.flow(start)] if start[1] is not None else ():
            for c, key, n in _split(graphs, start, way) if way[1] is not None else ():
                yield way, start, lambda G, i=start[0], c=c, key=key, n=n: c * G.flow()[i, None][1] * G.known[key] ** n  # type: ignore[misc]
            if way != start:
                yield way, start, lambda G, way=way, start=start: G.flow(start)[way][1]  # type: ignore[misc]


def _split(graphs: list[Graph], start: Way, way: Any) -> list[tuple[float, Any, int]]:
    """The two terms of a slope between two places, such as 1 − y²: numbers times powers of known values."""
    i, first = start[0], graphs[0]
    graphs = [graph for graph in graphs if way in graph.flow(start)]
    if first.flow(start)[way][1].shape != first.shapes[i] or way not in first.known:
        return []
    y = (i, len(first.numbers[i]) - 1)
    basis: list[Any] = [(way, 0), *((key, n) for key in (way, y) for n in (1, 2))]
    if start == way:
        basis += [(key, 1) for key in first.known if isinstance(key[0], int) and key not in (way, y)]
    slopes = [graph.flow(start)[way][1] / graph.flow()[i, None][1] for graph in graphs]
    basis = [(k, n) for k, n in basis if broadcasts(np.shape(first.known[k]), slopes[0].shape)]
    columns = [
        [np.broadcast_to(graph.known[key].astype(float) ** n, slope.shape).ravel() for key, n in basis]
        for graph, slope in zip(graphs, slopes)
    ]  # fmt: skip
    A = np.concatenate(columns, 1).T / np.concatenate([slope.ravel() for slope in slopes]).astype(float)[:, None]
    A = A[np.abs(A).max(1) < 1e8]  # where the terms do not cancel down to nothing
    G, b = A.T @ A, A.sum(0)
    alone = np.abs(A * (b / np.diag(G)) - 1).max(0, initial=0.0) < 1e-9
    of_sums = {id(x[-1]) for x, name in zip(first.numbers, first.names) if name.split()[0] in ("Add", "Sub")}
    if len(A) < 4 or any(one and id(first.known[key]) not in of_sums for (key, _), one in zip(basis, alone)):
        return []
    m, n = np.triu_indices(len(b), 1)
    det = G[m, m] * G[n, n] - G[m, n] ** 2
    det[(det < 1e-9 * G[m, m] * G[n, n]) | alone[m] | alone[n]] = np.nan
    c, d = (b[m] * G[n, n] - b[n] * G[m, n]) / det, (b[n] * G[m, m] - b[m] * G[m, n]) / det
    off = np.abs(A[:, m] * c + A[:, n] * d - 1).max(0)
    good = np.flatnonzero((off < 1e-6) & nice(c, 1e-7) & nice(d, 1e-7) & (np.minimum(np.abs(c), np.abs(d)) > 1e-6))
    return [(simple_number(x[k]), *basis[at[k]]) for k in good for x, at in ((c, m), (d, n))]


def likely(s: Sample, graphs: list[Graph], deep: bool) -> Iterator[Edit]:
    """The edits of a part of a gradient that a projection of the error on random directions does not rule out.

    A gradient is linear in each part of it: with the tangents of all places, an edit costs a scalar product.
    """
    graph, draw, room = graphs[0], np.random.default_rng(0), max(1e-10, 64 * s.unit)
    directions = [draw.standard_normal(s.true.shape) for _ in range(_DIRECTIONS)]
    error = np.array([float(np.sum(w * (s.claimed - s.true))) for w in directions])
    tangents = graph.tangents(directions)
    known: dict[Any, Any] = {}
    for key, x in graph.known.items():
        if not any(y.shape == x.shape and (np.array_equal(x, y) or np.array_equal(-x, y)) for y in known.values()):
            known[key] = x
    cached: dict[Any, Any] = {}
    taken: list[tuple[Way, Any]] = []
    for way, start, part in terms(graphs):
        if time.perf_counter() > s.end:
            return
        p, t = part(graph), tangents[way]
        each = (t * p).reshape(_DIRECTIONS, -1).astype(float)
        through = each.sum(1)
        if p.shape not in cached:
            factors = [(key, n) for key, x in known.items() if _aligned(x, p.shape) is not None for n in (-1, 1, -2, 2)]
            made = [(_aligned(known[key], p.shape).astype(float) ** n).ravel() for key, n in factors]
            cached[p.shape] = factors, np.array(made).reshape(len(made), -1)
        factors, F = cached[p.shape]
        if len(_possible(through[None], through, error, room)):
            yield _instead("", way, lambda G, p: p, start, part, rank=0)
        top = (start or way)[0]
        g = _aligned(graph.flow()[top, None][1], p.shape)
        if g is not None and len(
            _possible((t * g).reshape(_DIRECTIONS, -1).sum(1).astype(float)[None], through, error, room)
        ):
            straight = lambda G, p, top=top: _aligned(G.flow()[top, None][1], p.shape)  # noqa: E731
            yield _instead("missing-chain-factor", way, straight, start, part, rank=0 if start is None else 2)
        for n in _possible(F @ each.T, through, error, room) if factors else ():
            yield _instead("missing-chain-factor", way, _times(factors[n]), start, part)
        if deep and factors and F.size < _MOST_NUMBERS and start is None:
            pairs = np.stack([(F * x) @ F.T for x in each], -1)
            m, n = np.triu_indices(len(F), 1)
            for k in _possible(pairs[m, n], through, error, room):
                both = _times(factors[m[k]], factors[n[k]])
                yield _instead("missing-chain-factor", way, both, start, part, rank=2)
        if start is None and way[1] is not None:
            for other, x in taken:
                if len(_possible((x + through)[None], x + through, error, room)):
                    yield Edit("", way, _both_gone(way, other), 0)
            taken.append((way, through))


def _times(*factors: Any) -> Callable[[Graph, Any], Any]:
    def put(graph: Graph, p: Any) -> Any:
        for key, n in factors:
            p = p * _aligned(graph.known[key], p.shape).astype(p.dtype) ** n
        return p

    return put


def _both_gone(*ways: Way) -> Callable[[Graph], tuple[Any, Any]]:
    def gradients(graph: Graph) -> tuple[Any, Any]:
        gone = sum(graph.down(way, graph.flow()[way][1]) for way in ways)
        return graph.flow()[len(graph.nodes), None][1] - gone, gone

    return gradients


def _possible(instead: Any, through: Any, error: Any, room: float) -> Any:
    """The rows that, times a simple number, and without what was there, are the error."""
    c = (instead @ (error + through)) / (instead * instead).sum(1)
    off = np.abs(c[:, None] * instead - through - error).max(1)
    near = np.flatnonzero(off <= room * (np.abs(c[:, None] * instead).max(1) + np.abs(through).max()))
    return near[nice(c[near], room)]


def edits(s: Sample, samples: Sequence[Sample], deep: bool) -> Iterator[Edit]:
    """All edits that may explain a sample, the simplest first; with `deep`, those of two factors at once."""
    graph: Any = s.graph
    if len(graph.flow()) <= _MOST_WAYS and sum(x.size for x in graph.known.values()) <= _MOST_KNOWN:
        graphs = [graph, *(x.graph for x in samples if x is not s and x.graph and x.graph.names == graph.names)]
        if s.claimed.shape == s.true.shape:
            yield from likely(s, graphs, deep)
        if not deep:
            yield from structural(graph)


def nice(c: Any, room: float = 1e-10) -> Any:
    """Whether numbers, or one over them, are simple fractions; 0 is one."""
    n = np.abs(np.stack([c, 1 / c], -1)[..., None] * np.arange(1, 65))
    return ((np.abs(n - np.round(n)) <= room * n) & (n < 1e5)).any((1, 2)) | (np.abs(c) < room)


def simple_number(c: float) -> float:
    """The simple fraction near a number."""
    return float(Fraction(c).limit_denominator(64))


def fitted(p: Any, shape: Any) -> Any:
    """A cotangent, summed or repeated to a shape."""
    return _expanded(unbroadcast(p, shape), shape)


def _expanded(p: Any, shape: Any) -> Any:
    return p if p.shape == shape else expand(p, shape)


def _both(a: Any, b: Any) -> Any:
    return a if a == b else np.broadcast_shapes(a, b)


def _real(x: Any) -> bool:
    return hasattr(x, "dtype") and x.dtype.kind == "f"


def _aligned(x: Any, shape: Any) -> Any:
    """An array repeated to a shape, with its axes the last or else the first ones; None where it does not fit."""
    for full in (x, x.reshape(x.shape + (1,) * (len(shape) - x.ndim))):
        if broadcasts(full.shape, shape):
            return np.broadcast_to(full, shape)
    return None


def _row(x: Any, row: int, axes: Any = (0,)) -> Any:
    """An array of which only one row is kept, along some axes."""
    at, kept = tuple(row if a in axes else slice(None) for a in range(x.ndim)), np.zeros(x.shape, x.dtype)
    kept[at] = x[at]
    return kept


def _subsets(n: int) -> Iterator[tuple[int, ...]]:
    return itertools.chain.from_iterable(itertools.combinations(range(n), k) for k in range(1, n + 1))


def broadcasts(small: Any, large: Any) -> bool:
    """Whether an array of one shape broadcasts to another."""
    return len(small) <= len(large) and all(m in (1, n) for m, n in zip(small[::-1], large[::-1]))
