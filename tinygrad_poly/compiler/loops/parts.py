"""Parallel loops: each shared loop becomes a function of a range of indices, called once for each thread."""

from __future__ import annotations

import re
from typing import Any

from tinygrad_poly.compiler.loops import threads
from tinygrad_poly.compiler.loops.fuse import Loop, Plan
from tinygrad_poly.compiler.loops.printer import Printer, dtype_name


class PartsPrinter(Printer):
    """A printer for Numba whose long loops are shared by threads.

    A shared loop is a function of its own, which Numba calls once for each part. Its sums go into arrays with an
    element for each part, and these are added in order: with as many threads the result is the same to the last bit.
    The number of threads is the last argument of `run`, so that one source, compiled once, serves any number.

    Args:
        plan: the fused program.
        arrays: the arrays that the program captured, by name.
    """

    decorator = "@njit_parallel\n"
    axis: int | None = None

    def __init__(self, plan: Plan, arrays: dict[str, Any] | None = None) -> None:
        super().__init__(plan, arrays)
        self.part, self.threads = self._fresh("part"), self._fresh("threads")
        self.parameters.append(self.threads)

    def _elements(self, loop: Loop, totals: list[str], stored: list[str], depth: int) -> None:
        self.axis = threads.shared_axis(loop, self.plan)
        if self.axis is None:
            super()._elements(loop, totals, stored, depth)
            return
        known = [x for x in (*self.names.values(), *self.captured.values()) if x not in totals]
        rows = [self._fresh(f"{total}_parts") for total in totals]
        lines, self.lines = self.lines, []
        self._starts(loop, totals, 1)
        super()._elements(loop, totals, stored, 1)
        for row, total in zip(rows, totals, strict=True):
            self._line(1, f"{row}[{self.part}] = {total}")
        # The line comments are words too: an argument too many costs nothing.
        words = set(re.findall(r"\w+", "\n".join(self.lines)))
        name = self._fresh("loop")
        takes = ", ".join([self.threads, *(x for x in known if x in words), *rows, *stored])
        self.functions.append("\n".join(["@njit", f"def {name}({self.part}, {takes}):", *self.lines, ""]))
        self.lines = lines
        for s, row in zip(loop.reductions, rows, strict=True):
            self._line(depth, f"{row} = np.empty({self.threads}, {dtype_name(self._sum_dtype(s, loop))})")
        self._line(depth, f"for {self.part} in numba.prange({self.threads}):")
        # What counts the parts may have one of two types, for each of which the loop would be compiled.
        self._line(depth + 1, f"{name}(np.intp({self.part}), {takes})")
        if rows:
            self._line(depth, f"for {self.part} in range({self.threads}):")
        for s, total, row in zip(loop.reductions, totals, rows, strict=True):
            self._line(depth + 1, self._collect(s, total, f"{row}[{self.part}]"))

    def _range(self, loop: Loop, axis: int) -> tuple[str, str, str]:
        if axis != self.axis:
            return "0", str(loop.space[axis]), ""
        # Where an index might be negative, Numba asks each time whether it is, and LLVM takes one element at a time.
        first, last = (
            f"np.uintp({loop.space[axis]} * {part} // {self.threads})" for part in (self.part, f"({self.part} + 1)")
        )
        return first, last, ""
