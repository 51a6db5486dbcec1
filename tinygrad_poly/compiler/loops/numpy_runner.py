"""Programs run by NumPy alone, in memory that is used again in every step."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from threading import Lock
from typing import Any

import numpy as np

from tinygrad_poly.compiler.loops.fuse import Plan
from tinygrad_poly.compiler.loops.memory import Item, reused
from tinygrad_poly.compiler.loops.printer import Printer
from tinygrad_poly.compiler.trace.program import Program
from tinygrad_poly.compiler.trace.symbols import Symbol, caller, is_elementwise

NEW = ("sum", "prod", "max", "min", "matmul")
"""Functions that are not elementwise and whose result shares no memory with their inputs."""

ROW = 8192
"""How many products BLAS adds up at once: no more, so that rounding stays small and OpenBLAS starts no threads."""


class NumpyProgram:
    """A program as a list of NumPy calls, each writing into memory that is read no more.

    Args:
        program: simplified.
        constant: the values of the inputs that stay as they are. What depends on them alone is computed here, once.
        changing: the inputs that change from call to call, or from step to step.
    """

    def __init__(self, program: Program, constant: Mapping[Symbol, Any], changing: Sequence[Symbol]) -> None:
        self._printer = _Calls(program, constant, changing)

    def steps(self, rates: Sequence[Symbol] = ()) -> Callable[..., tuple[Any, ...]]:
        """`run(first, last, log_every, losses, *inputs)`: each step replaces inputs by outputs; the last is a loss.

        The last inputs may be `rates`, of which it takes a list with one for each step.
        """
        inputs = self._printer.plan.program.inputs
        return self._run(self._printer.steps(inputs[: len(inputs) - len(rates)], rates))

    def once(self) -> Callable[..., tuple[Any, ...]]:
        """The function `run(*inputs)`, which returns the outputs."""
        return self._run(self._printer.once())

    def _run(self, source: str) -> Callable[..., tuple[Any, ...]]:
        # All names in the source were made here; what they stand for is bound.
        exec(compile(source, "<compiled for NumPy>", "exec"), self._printer.bound)
        return one_at_a_time(self._printer.bound["run"])


class _Calls(Printer):
    """A printer of calls of NumPy; functions, constants and memory are bound to names."""

    def __init__(self, program: Program, constant: Mapping[Symbol, Any], changing: Sequence[Symbol]) -> None:
        moving = program.depending_on(changing)
        fixed = [s for s in program.instructions if s not in moving]
        computed = tuple(s for s in program.instructions if s in moving)
        super().__init__(Plan(Program(tuple(changing), program.outputs, computed), (), ()))
        self.known = dict(constant) | dict(zip(fixed, program.run(constant, fixed)))
        self.computed = _with_dots(computed, program.outputs)
        self.names_of_values: dict[int, str] = {}
        self.names |= {(s, ()): self._bound(self.known[s], "c") for s in program.outputs if s in self.known}

    def _stages(self, depth: int) -> None:
        memory = _memory(self.computed, self.plan.program.outputs)
        for number, (s, inputs) in enumerate(self.computed.items()):
            function = self._function(s)
            if function is dot_in_rows:
                given = [self._rows(x, memory) for x in inputs]
            else:
                given = [self._given(x) for x in inputs]
            if s in memory:
                # By position is faster, and deprecated for these two.
                out = "out=" if s.function in ("maximum", "minimum") else ""
                given.append(out + self._bound(memory[s], "m"))
            # A Python number promotes nothing, one of NumPy's would.
            weak = ".item()" if s.weak else ""
            call = f"{self._bound(function, 'f')}({', '.join(given)}){weak}"
            self._line(depth, f"{self._named(s, (), f'v{number}')} = {call}")

    def _given(self, x: Any) -> str:
        if isinstance(x, Symbol) and (x, ()) in self.names:
            return self.names[x, ()]
        return self._bound(self.known[x] if isinstance(x, Symbol) else x, "c")

    def _rows(self, x: Any, memory: Mapping[Symbol, Any]) -> str:
        """An array as rows; computed once for an array that never moves."""
        array = memory.get(x, self.known.get(x)) if isinstance(x, Symbol) else x
        if array is None:
            return f"{self._bound(in_rows, 'f')}({self._given(x)})"
        return self._bound(in_rows(array), "r")

    def _bound(self, value: Any, wish: str) -> str:
        """The name of a value."""
        if id(value) not in self.names_of_values:
            name = self.names_of_values[id(value)] = self._fresh(f"{wish}{len(self.bound)}")
            self.bound[name] = value
        return self.names_of_values[id(value)]

    def _function(self, s: Symbol) -> Any:
        if self.computed[s] is not s.inputs:
            return np.vdot if s.inputs[0].size <= ROW else dot_in_rows
        if is_ufunc(s):
            return getattr(np, s.function)
        return partial(np.add.reduce, axis=None) if _is_total(s) else caller(s.function, s.attributes)


def one_at_a_time(run: Callable[..., tuple[Any, ...]]) -> Callable[..., tuple[Any, ...]]:
    """The same function with a lock: it writes into memory that it keeps, so only one thread may run it."""
    lock = Lock()

    def call(*arguments: Any) -> tuple[Any, ...]:
        with lock:
            return run(*arguments)

    return call


def is_ufunc(s: Symbol) -> bool:
    """Whether NumPy can write the result into given memory."""
    return isinstance(getattr(np, s.function, None), np.ufunc) and not s.attributes


def of_call(s: Symbol, inputs: Sequence[Any], over_inputs: bool = False) -> Item:
    """The memory use of a call."""
    reads = tuple(x for x in inputs if isinstance(x, Symbol))
    return Item(reads, (s,), is_ufunc(s), is_elementwise(s.function) or s.function in NEW, over_inputs)


def _is_total(s: Symbol) -> bool:
    return s.function == "sum" and dict(s.attributes) == {"axis": None, "keepdims": False}


def _with_dots(instructions: Sequence[Symbol], outputs: Sequence[Symbol]) -> dict[Symbol, tuple[Any, ...]]:
    """The inputs of each instruction; a sum of products reads the factors, if nothing else needs the products."""
    found = {s: s.inputs for s in instructions}
    uses = Counter([*outputs, *(x for s in instructions for x in s.inputs if isinstance(x, Symbol))])
    for s in instructions:
        product = s.inputs[0] if _is_total(s) else None
        if product in found and uses[product] == 1 and is_product(product):
            found[s] = found.pop(product)
    return found


def is_product(s: Symbol) -> bool:
    """Whether `s` multiplies, element by element, two arrays that BLAS takes."""
    kinds = {(getattr(x, "shape", ()), getattr(x, "dtype", None)) for x in s.inputs}
    multiplied = s.function == "multiply" and s.size > 1
    return multiplied and kinds == {(s.shape, s.dtype)} and s.dtype in (np.float32, np.float64)


def in_rows(a: Any) -> tuple[Any, Any]:
    """The elements of an array as a matrix with rows of length `ROW`, and the remaining elements."""
    a = a.reshape(-1)
    whole = a.size // ROW * ROW
    return a[:whole].reshape(-1, ROW), a[whole:]


def dot_in_rows(a: tuple[Any, Any], b: tuple[Any, Any]) -> Any:
    """Σ aᵢ bᵢ of arrays in rows: a sum for each row, and then their sum."""
    return np.add.reduce(np.vecdot(a[0], b[0])) + np.vdot(a[1], b[1])


def _memory(instructions: Mapping[Symbol, tuple[Any, ...]], outputs: Sequence[Symbol]) -> dict[Symbol, Any]:
    """The array into which each result is written; a result without one gets new memory in every step.

    What is elementwise may write over what it reads itself: the memory goes through the cache once less.
    """
    items = [of_call(s, inputs, over_inputs=is_elementwise(s.function)) for s, inputs in instructions.items()]
    memory: dict[Symbol, Any] = {}
    for s, before in reused(items, outputs).items():
        memory[s] = np.empty(s.shape, s.dtype) if before is None else memory[before]
    return memory
