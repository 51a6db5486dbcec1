"""CUDA kernels from a fused program: one for a single block of threads, or several for the whole GPU."""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_poly.compiler.cuda.expressions import CppPrinter, cpp_type
from tinygrad_poly.compiler.cuda.functions import prelude
from tinygrad_poly.compiler.loops.fuse import Loop, Plan
from tinygrad_poly.compiler.loops.printer import START, WIDTH, closed, indices
from tinygrad_poly.compiler.trace.program import in_order
from tinygrad_poly.compiler.trace.symbols import Symbol
from tinygrad_poly.engine.arrays import Shape

MOST_THREADS = 1024
"""How many threads a block may have: the registers that a thread gets are limited accordingly."""

THREADS_OF_MANY_BLOCKS = 256
"""How many threads each block has where there are many."""

TOGETHER = 16
"""How many values the threads of a block bring together at once."""

Pairs = Sequence[tuple[Symbol, Symbol]]
"""What is carried from step to step, and what takes its place."""

PURPOSES = {
    "run": "The threads of one block share the elements, and each has all numbers.",
    "reduce": "Each block leaves its parts of what is reduced.",
    "finish": "One block brings the parts together.",
    "update": "One block brings the parts together, and takes the step.",
    "move": "The next arrays take their place.",
}


@dataclass(frozen=True)
class Kernel:
    """A kernel function in the printed source.

    Attributes:
        name: its name.
        parameters: the names of what it takes, in order.
        spread: whether it runs in many blocks, or in one.
        reads: how many elements its longest loop runs over.
    """

    name: str
    parameters: tuple[str, ...]
    spread: bool
    reads: int


@dataclass(frozen=True)
class Kernels:
    """A program for the GPU: its kernels and the memory that they need.

    Attributes:
        prelude: the functions that the kernels call.
        text: the kernels.
        kernels: in the order in which they run.
        inputs: the symbol or captured array behind each parameter that the program is given.
        buffers: the dtype and shape of each other parameter that is an array; a place for each block where it is None.
        outputs: the parameter in which each output is found.
    """

    prelude: str
    text: str
    kernels: tuple[Kernel, ...]
    inputs: dict[str, Any]
    buffers: dict[str, tuple[Any, Shape | None]]
    outputs: tuple[str, ...]

    @property
    def source(self) -> str:
        """The source for NVIDIA's compiler."""
        return self.prelude + self.text


class CudaPrinter(CppPrinter):
    """A printer of kernels for a plan.

    All threads compute with the same numbers, each on its share of the elements. What one kernel leaves for another,
    or for Python, is in memory; a number `a` is in memory at `at_a`.

    Args:
        plan: the fused program, without calls.
        arrays: the arrays that the program captured, by name.
        spread: whether to use the whole GPU, with kernels that leave each other partial sums, or a single block.
    """

    def __init__(self, plan: Plan, arrays: dict[str, Any] | None = None, spread: bool = False) -> None:
        super().__init__(plan, arrays)
        self.whole_gpu = spread
        self.spread = False
        self.kernels: list[Kernel] = []
        self.types: dict[str, str] = {}
        self.buffers: dict[str, tuple[Any, Shape | None]] = {}
        self.inputs: dict[str, Any] = {self.captured[id(array)]: array for array in (arrays or {}).values()}
        self.memory: dict[Symbol, str] = {}
        for s in (*plan.program.inputs, *plan.hoisted):
            name = self.names[s, ()]
            self.memory[s] = name if s.size != 1 else self._fresh(f"at_{name}")
            self.inputs[self.memory[s]] = s
        self.types |= {name: f"const {cpp_type(x.dtype)}*" for name, x in self.inputs.items()}
        self.everywhere = dict(self.names), set(self.taken)

    def kernels_of_steps(self, carried: Sequence[Symbol]) -> Kernels:
        """Kernels that take one step, or in a single block the steps `first` to `last - 1`.

        The loss of step `next_log`, and of each `log_every`-th after it, is written into `losses`.

        Args:
            carried: the inputs that the program's outputs replace after each step; its last output is the loss.
        """
        *updated, loss = self.plan.program.outputs
        pairs = [(w, s) for w, s in zip(carried, updated, strict=True) if w is not s]
        numbers, arrays = ([p for p in pairs if (p[0].size == 1) == one] for one in (True, False))
        self.types |= {self.memory[w]: f"{cpp_type(w.dtype)}*" for w in carried} | {"losses": "double*"}
        for w, s in arrays:
            self._keep(s, f"next_{self.memory[w]}")
        if self.whole_gpu:
            self._step_of_grid(numbers, arrays, loss)
        else:
            self._steps_of_block(numbers, arrays, loss)
        return self._printed([self.memory[w] for w in carried])

    def kernels_of_call(self) -> Kernels:
        """Kernels that compute the outputs from the inputs."""
        outputs = list(dict.fromkeys(self.plan.program.outputs))
        numbers = [s for s in outputs if s.size == 1 and s not in self.memory]
        places = {self._buffer(f"at_{s.name or 'result'}", s.dtype, ()): s for s in numbers}
        for s in outputs:
            if s.size != 1:
                self._keep(s, s.name or "result")
        if self.whole_gpu:
            last = self._reduced()
            if numbers:
                with self._kernel("finish", MOST_THREADS):
                    self._combine_parts(last, numbers)
                    self._write_numbers({place: self._value(s, (), 1)[0] for place, s in places.items()})
        else:
            with self._kernel("run", longest(self.plan)):
                self._stages(1)
                self._write_numbers({place: self._value(s, (), 1)[0] for place, s in places.items()})
        found = self.memory | {s: place for place, s in places.items()}
        return self._printed([found[s] for s in self.plan.program.outputs])

    def _steps_of_block(self, numbers: Pairs, arrays: Pairs, loss: Symbol) -> None:
        scalars = ("first", "last", "next_log", "log_every")
        self.types |= dict.fromkeys(scalars, "long long")
        with self._kernel("run", longest(self.plan), variable={w for w, _ in numbers}):
            self._line(1, "for (long long t = first; t < last; t++) {")
            self._stages(2)
            value = self._value(loss, (), 2)[0]
            self._line(2, "if (t == next_log) {")
            self._line(3, f"if (threadIdx.x == 0) *losses = {value}")
            self._line(3, "losses++")
            self._line(3, "next_log += log_every")
            later = self._next_values(numbers, 2)
            if arrays:
                self._line(2, "__syncthreads()", "all have read what is replaced")
                self._move_arrays(arrays, 2)
                self._line(2, "__syncthreads()")
            for (w, _), next_value in zip(numbers, later, strict=True):
                self._line(2, f"{self.names[w, ()]} = {next_value}")
            self._write_numbers({self.memory[w]: self.names[w, ()] for w, _ in numbers})

    def _step_of_grid(self, numbers: Pairs, arrays: Pairs, loss: Symbol) -> None:
        last = self._reduced()
        for counter in ("t", "next_log", "log_every", "logged"):
            self.types[counter] = "long long*"
            self.buffers[counter] = np.dtype(np.int64), ()
        with self._kernel("update", MOST_THREADS):
            self._combine_parts(last, [loss, *(s for _, s in numbers)])
            value = self._value(loss, (), 1)[0]
            later = self._next_values(numbers, 1)
            self._line(1, "if (threadIdx.x == 0) {")
            self._line(2, "if (*t == *next_log) {")
            self._line(3, f"losses[*logged] = {value}")
            self._line(3, "*logged += 1")
            self._line(3, "*next_log += *log_every")
            self._line(2, "*t += 1")
            for (w, _), next_value in zip(numbers, later, strict=True):
                self._line(2, f"*{self.memory[w]} = {next_value}")
        if arrays:
            with self._kernel("move", max(w.size for w, _ in arrays), spread=True):
                self._move_arrays(arrays, 1)

    def _reduced(self) -> list[Symbol]:
        """Kernels for all loops; returns the reductions whose parts are still to be combined."""
        stages = [stage for stage in self.plan.stages if stage.loops]
        parts: list[Symbol] = []
        for number, stage in enumerate(stages, 1):
            if parts:
                totals = {self._buffer(f"at_{self.names[s, ()]}", s.dtype, ()): s for s in parts}
                with self._kernel(f"finish_{number - 1}", MOST_THREADS):
                    self._combine_parts(parts)
                    self._write_numbers({place: self.names[s, ()] for place, s in totals.items()})
                self.memory |= {s: place for place, s in totals.items()}
            name = f"reduce_{number}" if len(stages) > 1 else "reduce"
            parts = [s for loop in stage.loops.values() for s in loop.reductions]
            with self._kernel(name, max(math.prod(space) for space in stage.loops), spread=True):
                for loop in stage.loops.values():
                    self._named_numbers([*(s.inputs[0] for s in loop.reductions), *loop.stores])
                    self._loop(loop, 1)
                for s in parts:
                    self._everywhere(s, self.names[s, ()])
                    self._buffer(f"parts_{self.names[s, ()]}", s.dtype, None)
                found = {f"parts_{self.names[s, ()]}": self.names[s, ()] for s in parts}
                self._write_numbers(found, "{}[blockIdx.x]")
        return parts

    def _combine_parts(self, parts: list[Symbol], wanted: Iterable[Any] = ()) -> None:
        """Combine the parts that the blocks of the last kernel have left, and compute the named numbers in `wanted`."""
        if parts:
            self.types["blocks"] = "int"
            names = [self.names[s, ()] for s in parts]
            self._starts(Loop((), parts), names, 1)
            self._line(1, "for (int i = threadIdx.x; i < blocks; i += blockDim.x) {")
            for s, name in zip(parts, names, strict=True):
                self._line(2, self._collect(s, name, f"parts_{name}[i]"))
            self._combine_in_block(parts, 1)
        self._named_numbers(wanted)

    def _named_numbers(self, wanted: Iterable[Any]) -> None:
        """Statements for the named numbers that `wanted` need: a kernel sees no variables of another one."""
        given = [s for s in wanted if isinstance(s, Symbol)]
        needed = set(in_order(given, lambda s: (s, ()) in self.names))
        for stage in self.plan.stages:
            for s in stage.numbers:
                if s in needed and self._needs_name(s):
                    self._statement(s, (), 1)

    def _move_arrays(self, arrays: Pairs, depth: int) -> None:
        """Loops that replace arrays by their next values, one loop for all arrays of a shape."""
        for shape in dict.fromkeys(w.shape for w, _ in arrays):
            some = [(w, s) for w, s in arrays if w.shape == shape]
            self._over(math.prod(shape), depth)
            names = [self._fresh("v") for _ in some]
            for name, (w, s) in zip(names, some, strict=True):
                self._define(depth + 1, name, f"{self.memory[s]}[i]", w.dtype)
            for name, (w, _) in zip(names, some, strict=True):
                self._line(depth + 1, f"{self.memory[w]}[i] = {name}")

    def _array(self, s: Symbol, depth: int, name: str = "") -> str:
        return self.memory[s]

    def _elements(self, loop: Loop, totals: list[str], stored: list[str], depth: int) -> None:
        self.axes = indices(loop.space)
        self._over(math.prod(loop.space), depth)
        begin = len(self.lines)
        self._body(loop, totals, stored, self.axes, depth + 1)
        if "i" not in self.axes:
            self._split_index(loop.space, begin, depth + 1)

    def _finish(self, loop: Loop, totals: list[str], depth: int) -> None:
        for s in loop.stores:
            self._everywhere(s, self.memory[s])
        self._combine_in_block(loop.reductions, depth)
        if loop.stores and not self.spread:
            self._line(depth, "__syncthreads()")

    def _split_index(self, space: Shape, begin: int, depth: int) -> None:
        """Statements for the position of element `i` along each axis that the lines after `begin` use."""
        body = "\n".join(self.lines[begin:])
        for axis, name in enumerate(self.axes):
            if name != "0" and _mentions(body, name):
                stride = math.prod(space[axis + 1 :])
                along = f"i / {stride}" if stride > 1 else "i"
                inner = along if math.prod(space[:axis]) == 1 else f"{along} % {space[axis]}"
                self.lines.insert(begin, f"{'    ' * depth}const auto {name} = {inner};")
                begin += 1

    def _over(self, size: int, depth: int) -> None:
        """The head of a thread's loop over its share of `size` elements.

        Two of them at once, for one waits for memory while the other computes: more would take registers from other
        threads.
        """
        self._line(depth, "#pragma unroll 2")
        if not self.spread:
            self._line(depth, f"for (int i = threadIdx.x; i < {size}; i += blockDim.x) {{")
            return
        wide = "(long long)" if size >= 2**30 else ""
        start, by = f"blockIdx.x * {wide}blockDim.x + threadIdx.x", f"gridDim.x * {wide}blockDim.x"
        self._line(depth, f"for ({'long long' if wide else 'int'} i = {start}; i < {size}; i += {by}) {{")

    def _combine_in_block(self, reductions: list[Symbol], depth: int) -> None:
        """Calls that combine what the threads of a block have computed."""
        for function in START:
            names = [self.names[s, ()] for s in reductions if s.function == function]
            for start in range(0, len(names), TOGETHER):
                self._line(depth, f"block_{function}({', '.join(names[start : start + TOGETHER])})")

    def _write_numbers(self, values: dict[str, str], place: str = "*{}") -> None:
        """Statements by which one thread writes numbers into memory."""
        if values:
            self._line(1, "if (threadIdx.x == 0) {")
            for name, value in values.items():
                self._line(2, f"{place.format(name)} = {value}")

    @contextmanager
    def _kernel(self, name: str, reads: int, spread: bool = False, variable: Iterable[Symbol] = ()) -> Iterator[None]:
        """A context: what is printed inside becomes a kernel, with what it mentions as parameters.

        Args:
            name: of the kernel.
            reads: how many elements its longest loop runs over.
            spread: whether it runs in many blocks.
            variable: the numbers that it changes.
        """
        names, taken = self.everywhere
        self.names, self.taken, self.spread = dict(names), set(taken), spread
        body, self.lines = self.lines, []
        given = {s: place for s, place in self.memory.items() if s.size == 1}
        yield
        body, inside = [*body, ""] if body else [], self.lines
        text = "\n".join(inside)
        loads = [
            f"    {'' if s in variable else 'const '}{cpp_type(s.dtype)} {self.names[s, ()]} = *{place};"
            for s, place in given.items()
            if s in variable or _mentions(text, self.names[s, ()])
        ]
        text += "\n".join(loads)
        parameters = [p for p in self.types if _mentions(text, p)]
        bounds = THREADS_OF_MANY_BLOCKS if spread else MOST_THREADS
        head = f'extern "C" __global__ void __launch_bounds__({bounds}) {name}('
        self.lines = [
            *body,
            f"// {PURPOSES[name.partition('_')[0]]}",
            *_wrapped(head, [f"{self.types[p]} {p}" for p in parameters]),
            *loads,
            *closed(inside),
            "}",
        ]
        self.kernels.append(Kernel(name, tuple(parameters), spread, reads))

    def _printed(self, outputs: list[str]) -> Kernels:
        text = "\n".join(self.lines) + "\n"
        used = {name: x for name, x in self.inputs.items() if any(name in k.parameters for k in self.kernels)}
        used |= {name: self.inputs[name] for name in outputs if name in self.inputs}
        return Kernels(prelude(text), text, tuple(self.kernels), used, self.buffers, tuple(outputs))

    def _keep(self, s: Symbol, wish: str) -> None:
        """Reserve memory for an array that a loop computes."""
        if s not in self.memory:
            self.memory[s] = self._buffer(wish, s.dtype, s.shape)

    def _buffer(self, wish: str, dtype: Any, shape: Shape | None) -> str:
        name = self._fresh(wish)
        self.everywhere[1].add(name)
        self.buffers[name] = dtype, shape
        self.types[name] = f"{cpp_type(dtype)}*"
        return name

    def _everywhere(self, s: Symbol, name: str) -> None:
        """Give a symbol this name in all later kernels."""
        self.everywhere[0][s, ()] = name
        self.everywhere[1].add(name)


def longest(plan: Plan) -> int:
    """The number of elements of a program's longest loop."""
    return max((math.prod(space) for stage in plan.stages for space in stage.loops), default=1)


def _mentions(text: str, name: str) -> bool:
    """Whether a variable occurs in lines of code; the `x` of `threadIdx.x` does not count."""
    return re.search(rf"(?<![\w.]){name}\b", text) is not None


def _wrapped(head: str, parameters: list[str]) -> list[str]:
    """The head of a kernel, its parameters wrapped to several lines."""
    lines = [head]
    for number, parameter in enumerate(parameters, 1):
        parameter += ", " if number < len(parameters) else ") {"
        if len(lines) == 1 or len(lines[-1]) + len(parameter) > WIDTH:
            lines[-1] = lines[-1].rstrip()
            lines.append("    ")
        lines[-1] += parameter
    return lines if parameters else [f"{head}) {{"]
