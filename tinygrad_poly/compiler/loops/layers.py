"""Small networks as loops: the points are the innermost loop, and products with small matrices are written into it.

A layer x @ W takes n points with a few numbers each. Its numbers are kept one row after the other, n to a row, so
that the loop over the points reads and writes memory as it lies; and this loop is long, so that several points are
computed at a time, functions included. Within it, each product of x and W is a term of a sum that is written out.
The gradient xᵀ g is a sum over the points for each weight, a row of which is taken in one loop.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_poly.compiler.loops import elementary, fuse
from tinygrad_poly.compiler.loops.fuse import Loop, NotFusable, Plan, is_view
from tinygrad_poly.compiler.loops.printer import (
    ATOM,
    BLOCK,
    Index,
    Printer,
    Text,
    dtype_name,
    own_index,
)
from tinygrad_poly.compiler.trace.program import Program, in_order
from tinygrad_poly.compiler.trace.symbols import Symbol
from tinygrad_poly.engine.arrays import Shape

WIDEST = 16
"""How many numbers a point may have in a layer: so many terms are written into a loop."""


@dataclass(frozen=True)
class Layers(Plan):
    """A plan whose loops have the points of a network, so many, as the innermost loop."""

    points: int = 0

    @property
    def has_calls(self) -> bool:
        """Whether it is a plan for one thread: it is."""
        return True


def layers(program: Program, carried: Collection[Symbol]) -> Layers:
    """Sort the instructions of a small network into loops over its points.

    Raises:
        NotFusable: where anything in it is something else, or not small.
    """
    products = [s for s in program.instructions if s.function == "matmul"]
    points = max((n for s in products for x in s.inputs for n in x.shape), default=0)
    if points < elementary.SHORTEST or len(program.instructions) > fuse.LONGEST:
        raise NotFusable("there are no layers for many points")
    hoisted = [s for s in fuse._hoisted(program, program.depending_on(carried)) if not is_turned(s)]
    given = {*program.inputs, *hoisted}
    needed = set(in_order(program.outputs, given.__contains__))
    uses = Counter(x for s in needed for x in s.inputs if isinstance(x, Symbol))
    sorting = _Sorting(given, points, uses)
    for s in program.instructions:
        if s in needed:
            sorting.fuse(s)
    for s in (*program.inputs, *hoisted):
        sorting.check(s)
    for s in (*carried, *program.outputs):
        sorting.only(s, not sorting.has_points(s))
    for output in dict.fromkeys(program.outputs):
        if output.size != 1 and output not in sorting.kept:
            sorting.store(output)
    return Layers(program, tuple(hoisted), tuple(sorting.stages), points)


class _Sorting(fuse._Sorting):
    """Stages under construction: products and sums over points are parts of loops, and nothing is called."""

    def __init__(self, given: set[Symbol], points: int, uses: Mapping[Symbol, int]) -> None:
        super().__init__(given)
        self.points, self.uses = points, uses

    def check(self, s: Symbol) -> None:
        """Refuse what is neither a number, nor small, nor has the points as its first axis.

        Raises:
            NotFusable: naming it.
        """
        rest = s.shape[1:] if self.has_points(s) else s.shape
        captured = any(not isinstance(x, Symbol) and np.ndim(x) for x in s.inputs)
        self.only(s, s.ndim <= 2 and all(n <= WIDEST for n in rest) and not captured)

    def only(self, s: Symbol, allowed: bool) -> None:
        """Refuse `s` unless it is allowed.

        Raises:
            NotFusable: naming it.
        """
        if not allowed:
            raise NotFusable(f"{s.function} of shape {s.shape} is no part of a small network")

    def has_points(self, s: Symbol) -> bool:
        """Whether the first axis is that of the points."""
        return bool(s.shape) and s.shape[0] == self.points

    def fuse(self, s: Symbol) -> None:
        """Compute `s` in a loop, or between the loops if it is a number."""
        if is_turned(s):
            self.ready[s] = self._after(s)  # whoever reads it is asked
            return
        self.check(s)
        if s.function == "matmul":
            left, right = s.inputs
            self.only(s, left.ndim == right.ndim == 2 and s.dtype.kind == "f")
            if self.has_points(s):
                self.only(s, self.has_points(left) and not self.has_points(right))
                self.ready[s] = max(self.keep(left), self.keep(right))
                if self.uses[s] > 1:
                    self.keep(s)
                return
            self.only(s, is_turned(left) and self.has_points(left.inputs[0]) and self.has_points(right))
            self._row(s, left.inputs[0], self.keep(right))
        elif s.function == "sum" and s.size != 1:
            self.only(s, dict(s.attributes)["axis"] == (0,) and self.has_points(s.inputs[0]))
            self._row(s, s.inputs[0], 0)
        else:
            self.only(s, not fuse._no_part_of_a_loop(s))
            super().fuse(s)
            # What is used for all numbers of a point is computed once, and kept.
            for x in s.inputs:
                if isinstance(x, Symbol) and s.ndim == 2 and x.size < s.size and self.has_points(x):
                    self.ready[s] = max(self.ready[s], self.keep(x))

    def keep(self, x: Symbol) -> int:
        """Make sure that `x`, or what it is a view of, is in memory; returns the first stage that can read it."""
        if x.size == 1 or x.function == "full" or x in self.kept:
            return super().keep(x)
        return self.keep(x.inputs[0]) if is_view(x) or is_turned(x) else self.store(x)

    def _row(self, s: Symbol, summed: Symbol, after: int) -> None:
        after = max(after, self.ready[summed])
        self._loop(summed.shape, after).rows.append(s)
        self.ready[s] = self.kept[s] = after + 1


def is_turned(s: Symbol) -> bool:
    """Whether `s` is a matrix whose rows are the columns of its input."""
    if s.function == "reshape" and is_view(s):
        (x,) = s.inputs
        return bool(s.ndim == x.ndim == 2 and s.shape == x.shape[::-1] != x.shape)
    how = dict(s.attributes)
    if s.ndim != 2 or s.function not in ("swapaxes", "permute_dims"):
        return False
    return bool(how["axes"][0] % 2 if "axes" in how else (how["axis1"] - how["axis2"]) % 2)


class LayersPrinter(Printer):
    """A printer of plans for small networks."""

    plan: Layers
    outer: int | None = None
    """How many lines there are before the loop over the points, while one is printed, and how deep they are."""
    outer_depth = 0

    def _in_columns(self, shape: Shape) -> bool:
        """Whether the numbers of a point are a column in memory."""
        return shape[:1] == (self.plan.points,) and math.prod(shape) != self.plan.points

    def _before_steps(self) -> None:
        for s in (*self.plan.program.inputs, *self.plan.hoisted):
            if self._in_columns(s.shape):
                self._line(1, f"{self.names[s, ()]} = np.ascontiguousarray({self.names[s, ()]}.T)")

    def _element(self, name: str, shape: Shape, index: Index) -> str:
        return super()._element(name, shape, index[::-1] if self._in_columns(shape) else index)

    def _loop(self, loop: Loop, depth: int) -> None:
        self.rows = {s: self._array(s, depth) for s in loop.rows}
        super()._loop(loop, depth)
        self.names |= {(s, ()): name for s, name in self.rows.items()}

    def _empty(self, s: Symbol) -> str:
        return f"np.empty({s.shape[::-1] if self._in_columns(s.shape) else s.shape}, {dtype_name(s.dtype)})"

    def _elements(self, loop: Loop, totals: list[str], stored: list[str], depth: int) -> None:
        if loop.space[0] != self.plan.points:
            super()._elements(loop, totals, stored, depth)
            return
        several = len(loop.space) == 2 and loop.space[1] != 1
        index = ("i0", "i1" if several else "0")[: len(loop.space)]
        if several:
            self._line(depth, f"for i1 in range({loop.space[1]}):")
            depth += 1
        sums = [(s, place, self._fresh("sum")) for s in self.rows for place in self._places(s, index)]
        wide = self.typed and self.plan.points > BLOCK
        in_blocks = [name for s, _, name in sums if wide and s.dtype == np.float32]
        in_blocks += [total for s, total in zip(loop.reductions, totals, strict=True) if self._is_wide(s, loop)]
        blocks = {name: self._fresh(f"{name}_block") for name in in_blocks}
        for s, _, name in sums:
            self._line(depth, f"{name} = {self._literal(0, np.dtype(np.float64) if name in blocks else s.dtype)}")
        self.outer, self.outer_depth = len(self.lines), depth
        with self._innermost("i0", self.plan.points, ("0", str(self.plan.points), ""), blocks, depth) as inside:
            self._body(loop, [blocks.get(total, total) for total in totals], stored, index, inside)
            for s, place, name in sums:
                matrix = s.function == "matmul"
                value = self._once(s.inputs[0].inputs[0] if matrix else s.inputs[0], index, inside)
                if matrix:
                    value = f"{value} * {self._value(s.inputs[1], ('i0', place[-1]), inside)[0]}"
                self._line(inside, f"{blocks.get(name, name)} += {value}", s.phase)
        self.outer = None
        for s, place, name in sums:
            self._line(depth, f"{self.rows[s]}[{', '.join(place)}] = {name}", s.phase)

    def _places(self, s: Symbol, index: Index) -> Iterator[Index]:
        """The elements of a row of sums."""
        row = index[-1] if len(index) == 2 else "0"
        if s.function == "matmul":
            yield from ((row, str(k)) for k in range(s.shape[1]))
        else:
            yield (row,) if s.ndim == 1 else ("0", row)

    def _once(self, x: Symbol, index: Index, depth: int) -> str:
        """The name of an element, which gets one if it has none."""
        value, _ = self._value(x, index, depth)
        if value not in self.taken:
            self.names[x, index], text = self._fresh("v"), value
            value = self.names[x, index]
            self._define(depth, value, text, x.dtype)
        return value

    def _value(self, x: Any, index: Index, depth: int) -> Text:
        if isinstance(x, Symbol) and index and x.size != 1 and is_turned(x) and (x, ()) not in self.names:
            return self._value(x.inputs[0], own_index(x.shape, index)[::-1], depth)
        if self.outer is None or not isinstance(x, Symbol) or x.size == 1 or x.function == "full" or not index:
            return super()._value(x, index, depth)
        place = own_index(x.shape, index)
        if "i0" in place or (x, place) in self.names:
            return super()._value(x, index, depth)
        # What does not depend on the point is read, or computed, before the loop over the points.
        self.lines, inside, self.outer = self.lines[: self.outer], self.lines[self.outer :], None
        name = self.names[x, place] = self._once(x, place, self.outer_depth)
        self.outer = len(self.lines)
        self.lines += inside
        return name, ATOM

    def _expression(self, s: Symbol, index: Index, depth: int) -> Text:
        if s.function != "matmul":
            return super()._expression(s, index, depth)
        left, right = s.inputs
        name = self._fresh("v")
        self._line(depth, f"{name} = {self._literal(0, s.dtype)}")
        for k in range(left.shape[1]):
            a, b = self._value(left, (index[0], str(k)), depth), self._value(right, (str(k), index[1]), depth)
            self._line(depth, f"{name} += {a[0]} * {b[0]}", s.phase)
        return name, ATOM
