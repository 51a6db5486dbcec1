"""Hypotheses: for each kind of mistake, the gradients that it would lead to.

Most mistakes are one edit of the backward pass. The tape knows what each node passes on to each of its inputs: such
a *part* of a gradient may be forgotten, counted twice, lack a factor that the tape knows, be summed over other axes.
`edits` makes all of these, and `simple` what needs no tape. `diagnosis` looks for one that leads to the claimed
gradient at every sample.
"""

from __future__ import annotations

import functools
import itertools
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from tinygrad_poly.checking.recorded import Graph, Way

_MOST_WAYS, _MOST_NUMBERS, _MOST_KNOWN = 100, 20_000, 2_000_000
_DIRECTIONS = 3


@dataclass
class Sample:
    """One look at a wrong gradient: at one point, of one argument.

    Attributes:
        claimed: the claimed gradient of the argument.
        true: the true one.
        unit: the relative size of a rounding.
        wrong: what else mistakes lead to that are no edits of this gradient, by the code and what tells it from others.
        graph: how the loss was computed; None where it does not run on the tape.
        batch: the number of rows of the data; 0 of none.
        answers: the claimed gradients of all arguments.
        far: whether the data are others too.
        end: when to give up, on `time.perf_counter`'s clock.
    """

    claimed: Any
    true: Any
    unit: float = 2.0**-52
    wrong: dict[tuple[str, Any], Any] = field(default_factory=dict)
    graph: Any = None
    batch: int = 0
    answers: list[Any] = field(default_factory=list)
    far: bool = False
    end: float = math.inf


def simple(s: Sample) -> Iterator[tuple[tuple[str, Any], Any]]:
    """The mistakes that need no tape: code and key, and the wrong gradient."""
    yield from s.wrong.items()
    n = s.true.ndim
    if n == 2 and min(s.true.shape) > 1:
        yield ("diagonal-only", "gradient"), s.true * np.eye(*s.true.shape)
    for axes in itertools.islice(itertools.permutations(range(n)), 1, 24):
        yield ("transposed", f"axes {axes}"), s.true.transpose(axes)
    yield from ((("transposed", f"axis {axis} backwards"), np.flip(s.true, axis)) for axis in range(n))
    if n == 2:
        yield ("transposed", "columns for rows"), s.true.T.reshape(s.true.shape)
    for axis, row in itertools.product(range(n), (0, -1)):
        if s.true.shape[axis] > 1:
            yield ("one-row", f"row {row} along axis {axis}"), _row(s.true, row, (axis,))
    for axes in _subsets(s.claimed.ndim) if s.claimed.shape != s.true.shape else ():
        part = s.claimed.sum(axes, keepdims=True)
        if part.size == s.true.size and np.allclose(part.ravel(), s.true.ravel(), 1e-6, 1e-6 * np.abs(part).max()):
            yield ("missing-sum", axes), s.claimed


class Edit(NamedTuple):
    """An edit of a backward pass: something in the place of a part.

    Attributes:
        way: the place.
        code: what it is called; "" where it depends on how often a part is counted.
        put: from a graph, the edit and the part to what is put in its place; by default the part itself.
        start: the place by way of which alone the part comes.
        term: of a part that is one of two terms of a slope: a number, a known value, and its power.
        after: whether what is put there is summed already.
        also: another place with the same edit.
        rank: how far-fetched it is: 0 for what people forget, 2 for what is not certain though it explains all.
    """

    way: Way
    code: str = ""
    put: Callable[[Graph, Edit, Any], Any] = lambda graph, edit, p: p
    start: Way | None = None
    term: tuple[float, Any, int] | None = None
    after: bool = False
    also: Way | None = None
    rank: int = 1

    def part(self, graph: Graph) -> Any:
        """The part."""
        if self.start and self.term:
            c, key, n = self.term
            return c * graph.flow()[self.start[0], None][1] * graph.known[key] ** n
        return graph.flow(self.start)[self.way][1]

    def gradients(self, graph: Graph) -> tuple[Any, Any]:
        """The gradient without the part, and that of what stands in its place."""
        (i, k), p = self.way, self.part(graph)
        at: Any = (graph.inputs[i][k], None) if self.after else self.way  # type: ignore[index]
        cut = graph.cancelled(self.start or self.way)
        rest, instead = graph.true - graph.down(self.way, p), graph.down(at, self.put(graph, self, p), cut=cut)
        if self.also:
            more, there = self._replace(way=self.also, also=None).gradients(graph)
            return rest + more - graph.true, instead + there
        return rest, instead


def structural(graph: Graph) -> Iterator[Edit]:
    """The edits that are few: sums, rows, transposed factors, repeated indices."""
    for way, (g, p) in graph.flow().items():
        i, k = way
        shape: Any = p.shape if k is None else graph.shapes[graph.inputs[i][k]]  # type: ignore[index]
        summed = tuple(a for a in range(p.ndim) if a < p.ndim - len(shape) or shape[a - p.ndim] != p.shape[a])
        if summed:
            yield Edit(way, "missing-sum", after=True)
        for row in (0, -1):
            if summed or (k is None and p.shape[:1] > (1,)):
                yield Edit(way, "one-row", partial(_one_row, row, summed or (0,)))
            if k is not None and g.shape[:1] > (1,):
                yield Edit(way, "one-row", partial(_of_one_row, row))
        for axes in set(_subsets(p.ndim)) - {summed} if summed else ():
            yield Edit(way, "wrong-axis", partial(_summed, axes, p.ndim == len(shape)), after=True)
        name = "" if k is None else graph.names[i].split()[0]
        for n, x in enumerate(graph.saved[i]) if name == "Mm" else ():
            if x.ndim == 2 and x.shape[0] == x.shape[1]:
                yield Edit(way, "transposed", partial(_turned, n))
        if name == "Index":
            yield Edit(way, "repeated-index", _last_use)


def _one_row(row: int, axes: tuple[int, ...], graph: Graph, edit: Edit, p: Any) -> Any:
    return _row(p, row, axes)


def _of_one_row(row: int, graph: Graph, edit: Edit, p: Any) -> Any:
    return graph.rule(*edit.way, _row(graph.flow()[edit.way][0], row, (0,)))  # type: ignore[arg-type]


def _summed(axes: tuple[int, ...], keepdims: bool, graph: Graph, edit: Edit, p: Any) -> Any:
    return p.sum(axes, keepdims=keepdims)


def _turned(n: int, graph: Graph, edit: Edit, p: Any) -> Any:
    (i, k), saved = edit.way, graph.saved[edit.way[0]]
    return graph.rule(i, k, graph.flow()[i, k][0], [x.mT if m == n else x for m, x in enumerate(saved)])  # type: ignore


def _last_use(graph: Graph, edit: Edit, p: Any) -> Any:
    kept = np.zeros(p.shape, p.dtype)
    kept[graph.saved[edit.way[0]][-1]] = graph.flow()[edit.way][0]
    return kept


def _times(factors: tuple[tuple[Any, int], ...], graph: Graph, edit: Edit | None, p: Any) -> Any:
    for key, n in factors:
        p = p * _aligned(graph.known[key], p.shape).astype(p.dtype) ** n
    return p


def _straight(graph: Graph, edit: Edit, p: Any) -> Any:
    """The cotangent where the part begins, as if all slopes from there on were 1."""
    return _aligned(graph.flow()[(edit.start or edit.way)[0], None][1], p.shape)


def parts(graphs: list[Graph]) -> Iterator[Edit]:
    """The parts of a gradient: what is passed on at each place, and by each way to it; and the terms of a slope."""
    graph = graphs[0]
    twins = {i for i, js in enumerate(graph.inputs) if len(js) == 2 and js[0] == js[1] and (i, 0) in graph.flow()
             and np.array_equal(graph.flow()[i, 0][1], graph.flow()[i, 1][1])}  # fmt: skip
    ways = [(i, k) for i, k in graph.flow() if k is None or i not in twins]  # of x · x, the two halves are one term
    yield from map(Edit, ways)
    for start in ways:
        for way in [way for way in ways if way in graph.flow(start)] if start[1] is not None else ():
            for term in _split(graphs, start, way) if way[1] is not None else ():
                yield Edit(way, start=start, term=term)
            if way != start:
                yield Edit(way, start=start)


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
    basis = [(key, n) for key, n in basis if broadcasts(np.shape(first.known[key]), first.shapes[i])]
    columns: list[Any] = []
    for graph in graphs:
        slope = graph.flow(start)[way][1] / graph.flow()[i, None][1]
        each = [np.broadcast_to(graph.known[key].astype(float) ** n, slope.shape) / slope for key, n in basis]
        columns.append(np.reshape(each, (len(basis), -1)))
    A = np.concatenate(columns, 1).T.astype(float)
    A = A[np.abs(A).max(1) < 1e8]  # where the terms do not cancel down to nothing
    sizes = np.sqrt((A * A).sum(0))
    A, b = A / sizes, (A / sizes).sum(0)
    alone = np.abs(A * b - 1).max(0, initial=0.0) < 1e-9
    of_sums = {id(x[-1]) for x, name in zip(first.numbers, first.names) if name.split()[0] in ("Add", "Sub")}
    if len(A) < 4 or any(one and id(first.known[key]) not in of_sums for (key, _), one in zip(basis, alone)):
        return []
    pairs = np.array(list(itertools.combinations(np.flatnonzero(~alone), 2)), int).reshape(-1, 2)
    m, n = pairs.T
    cosine = (A.T @ A)[m, n]
    c = np.stack([b[m] - cosine * b[n], b[n] - cosine * b[m]], 1) / (1 - cosine**2)[:, None]
    off, c = np.abs((A[:, pairs] * c).sum(2) - 1).max(0), c / sizes[pairs]
    good = (off < 1e-6) & nice(c, 1e-7).all(1) & (np.abs(c).min(1) > 1e-6)
    return [(simple_number(x, 1e-7), *basis[k]) for x, k in zip(c[good].ravel(), pairs[good].ravel())]


def likely(s: Sample, graphs: list[Graph], deep: bool) -> Iterator[Edit]:
    """The edits of a part of a gradient that a projection of the error on random directions does not rule out.

    A gradient is linear in each part of it: with the tangents of all places, an edit costs a scalar product.
    """
    graph, draw, room = graphs[0], np.random.default_rng(0), max(1e-10, 64 * s.unit)
    directions = [draw.standard_normal(s.true.shape) for _ in range(_DIRECTIONS)]
    error = np.array([float(np.sum(w * (s.claimed - s.true))) for w in directions])
    tangents = graph.tangents(directions)
    known: dict[Any, set[int]] = {}
    for key, x in graph.known.items():
        same = (k for k in known if x.shape == (y := graph.known[k]).shape and ((x == y).all() or (x == -y).all()))
        known.setdefault(next(same, key), set()).add(next(n for n in key if isinstance(n, int)))

    @functools.cache
    def powers(shape: Any) -> tuple[list[Any], Any]:
        """Known factors of an array: none, and powers of known values; and their numbers."""
        fit = [key for key in known if _aligned(graph.known[key], shape) is not None]
        factors = [(), *(((key, n),) for key in fit for n in (-1, 1, -2, 2))]
        return factors, np.array([_times(f, graph, None, np.ones(shape)).ravel() for f in factors])

    def possible(instead: Any, through: Any) -> Any:
        """The rows that, times a simple number, and without what was there, are the error."""
        c = (instead @ (error + through)) / (instead * instead).sum(1)
        off = np.abs(c[:, None] * instead - through - error).max(1)
        near = np.flatnonzero(off <= room * (np.abs(c[:, None] * instead).max(1) + np.abs(through).max()))
        return near[nice(c[near], room)]

    @functools.cache
    def near(way: Way) -> set[int]:
        """The nodes on the ways through a place."""
        return {other[0] for other in graph.flow() if other in graph.flow(way) or way in graph.flow(other)}

    def passed(edit: Edit, factors: Any) -> bool:
        """Whether factors lie on a way through the place: those of other ways cannot be missing there."""
        return all(known[key] & near(edit.way) & near(edit.start or edit.way) for key, _ in factors)

    taken: list[tuple[Way, Any]] = []
    for edit in parts(graphs):
        if time.perf_counter() > s.end:
            return
        p, t = edit.part(graph), tangents[edit.way]
        each = (t * p).reshape(_DIRECTIONS, -1).astype(float)
        through, lacking = each.sum(1), edit._replace(code="missing-chain-factor")
        factors, F = powers(p.shape)
        g = _straight(graph, edit, p)
        if g is not None and len(possible((t * g).reshape(1, _DIRECTIONS, -1).sum(2).astype(float), through)):
            yield lacking._replace(put=_straight, rank=2 if edit.start else 0)
        for n in possible(F @ each.T, through):
            if passed(edit, factors[n]):
                yield lacking._replace(put=partial(_times, factors[n])) if n else edit._replace(rank=0)
        if deep and F.size < _MOST_NUMBERS and not edit.start:
            m, n = np.triu_indices(len(F), 1)
            for k in possible(np.stack([(F * x) @ F.T for x in each], -1)[m, n], through):
                if passed(edit, both := factors[m[k]] + factors[n[k]]):
                    yield lacking._replace(put=partial(_times, both), rank=2)
        if not edit.start and edit.way[1] is not None:
            for other, x in taken:
                apart = edit.way not in graph.flow(other) and other not in graph.flow(edit.way)
                if apart and len(possible((x + through)[None], x + through)):
                    yield edit._replace(also=other, rank=0)
            taken.append((edit.way, through))


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
    return ((np.abs(n - np.round(n)) <= room * n) & (n < 1e5)).any((-1, -2)) | (np.abs(c) < room)


def simple_number(c: float, room: float) -> float:
    """A simple fraction in the place of a number that differs from it by rounding."""
    near = float(Fraction(c).limit_denominator(64))
    return near if abs(c - near) <= room * abs(c) else c


def broadcasts(small: Any, large: Any) -> bool:
    """Whether an array of one shape broadcasts to another."""
    return len(small) <= len(large) and all(m in (1, n) for m, n in zip(small[::-1], large[::-1]))


def _aligned(x: Any, shape: Any) -> Any:
    """An array repeated to a shape, with its axes the last or else the first ones; None where it does not fit."""
    for full in (x, x.reshape(x.shape + (1,) * (len(shape) - x.ndim))):
        if broadcasts(full.shape, shape):
            return np.broadcast_to(full, shape)
    return None


def _row(x: Any, row: int, axes: Any) -> Any:
    """An array of which only one row is kept, along some axes."""
    at, kept = tuple(row if a in axes else slice(None) for a in range(x.ndim)), np.zeros(x.shape, x.dtype)
    kept[at] = x[at]
    return kept


def _subsets(n: int) -> Iterator[tuple[int, ...]]:
    return itertools.chain.from_iterable(itertools.combinations(range(n), k) for k in range(1, n + 1))
