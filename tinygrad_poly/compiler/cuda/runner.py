"""Programs run on a GPU, through CuPy."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tinygrad_poly.compiler.cuda.printer import (
    MOST_THREADS,
    THREADS_OF_MANY_BLOCKS,
    CudaPrinter,
    Kernel,
    Kernels,
    longest,
)
from tinygrad_poly.compiler.loops.fuse import NotFusable, Plan, fuse
from tinygrad_poly.compiler.trace.program import Program, evaluated
from tinygrad_poly.compiler.trace.symbols import Symbol, call
from tinygrad_poly.compiler.training import TrainingStep
from tinygrad_poly.engine.arrays import namespace, on_cpu

# docs/cuda.md says how these four numbers were measured.
ELEMENTS_OF_ONE_BLOCK = 2**13
"""Up to how many elements one block takes all steps in a single launch."""

ELEMENTS_OF_A_THREAD = 16
"""How many elements a thread of a single block has at least: what follows its loop costs more with more threads."""

ELEMENTS_OF_MANY = 4
"""How many elements a thread of many blocks has at least: the next kernel has a part of each block to combine."""

STEPS_OF_A_GRAPH = 16
"""How many steps are launched at once, if there are so many to take."""

# Not --use_fast_math, because a fit that diverges has to be seen; and a product is rounded before it is added, or
# x · x − y · y of equal numbers might be below 0. Sums of products say themselves where they are not.
OPTIONS = ("--std=c++17", "--fmad=false")


def printed(plan: Plan, captured: Mapping[str, Any], carried: Sequence[Symbol] | None = None) -> Kernels:
    """The kernels of a program; with `carried` values, those of a training step."""
    printer = CudaPrinter(plan, dict(captured), spread=longest(plan) > ELEMENTS_OF_ONE_BLOCK)
    return printer.kernels_of_call() if carried is None else printer.kernels_of_steps(carried)


class Launcher:
    """Compiled kernels on a device, and how they are launched.

    Args:
        kernels: what was printed.
        device: CuPy's device.
    """

    def __init__(self, kernels: Kernels, device: Any) -> None:
        import cupy

        self.cupy, self.device, self.kernels = cupy, device, kernels
        with device:
            module = cupy.RawModule(code=kernels.source, options=OPTIONS)
            self.functions = [(module.get_function(kernel.name), kernel) for kernel in kernels.kernels]
            self.blocks = self._blocks()

    def _blocks(self) -> int:
        """The number of blocks of a grid: at most as many as run at once, or the rest would come in a second round."""
        held = self.cupy.cuda.driver.occupancyMaxActiveBlocksPerMultiprocessor
        spread = [(function, kernel) for function, kernel in self.functions if kernel.spread]
        if not spread:
            return 1
        a_processor = min(held(function.kernel.ptr, THREADS_OF_MANY_BLOCKS, 0) for function, _ in spread)
        reads = max(kernel.reads for _, kernel in spread)
        wanted = math.ceil(reads / (THREADS_OF_MANY_BLOCKS * ELEMENTS_OF_MANY))
        return max(1, min(wanted, int(a_processor * self.device.attributes["MultiProcessorCount"])))

    def buffers(self) -> dict[str, Any]:
        """New memory for what kernels pass to each other and to Python."""
        return {
            name: self.cupy.empty((self.blocks,) if shape is None else shape, dtype)
            for name, (dtype, shape) in self.kernels.buffers.items()
        } | {"blocks": np.int32(self.blocks)}

    def given(self, values: Mapping[Any, Any]) -> dict[str, Any]:
        """The kernels' input arrays by parameter name, from `values` by symbol, or by `id` for captured arrays."""
        found = {}
        for name, x in self.kernels.inputs.items():
            key = x if isinstance(x, Symbol) else id(x)
            if key in values:
                found[name] = self.cupy.ascontiguousarray(self.cupy.asarray(values[key], x.dtype))
        return found

    def launch(self, arguments: Mapping[str, Any]) -> None:
        """Run all kernels, one after another, on the current stream."""
        for function, kernel in self.functions:
            blocks, threads = (self.blocks, THREADS_OF_MANY_BLOCKS) if kernel.spread else (1, _threads(kernel))
            function((blocks,), (threads,), tuple(arguments[name] for name in kernel.parameters))


def _threads(kernel: Kernel) -> int:
    return max(32, min(MOST_THREADS, 32 * math.ceil(kernel.reads / (32 * ELEMENTS_OF_A_THREAD))))


class Once:
    """A program for one call: its source, and a function of its inputs that returns arrays on the device.

    Args:
        program: simplified.
        captured: the arrays that it captured, by name.
        device: CuPy's device.
    """

    def __init__(self, program: Program, captured: Mapping[str, Any], device: Any) -> None:
        self.program, self.device = program, device
        self.launcher: Launcher | None = None
        try:
            kernels = printed(fuse(program), captured)
        except NotFusable as reason:
            self.source = _by_calls(reason, program)
        else:
            self.source, self.launcher = kernels.source, Launcher(kernels, device)
            with device:
                self.constants = self.launcher.given({id(array): array for array in captured.values()})

    def __call__(self, *inputs: Any) -> tuple[Any, ...]:
        """The outputs."""
        values = dict(zip(self.program.inputs, inputs, strict=True))
        with self.device:
            if self.launcher is None:
                return tuple(evaluated_on_gpu(values, self.program.outputs))
            arguments = self.constants | self.launcher.given(values) | self.launcher.buffers()
            self.launcher.launch(arguments)
            found = (arguments[name] for name in self.launcher.kernels.outputs)
            return tuple(array.reshape(s.shape) for array, s in zip(found, self.program.outputs, strict=True))


def _by_calls(reason: object, program: Program) -> str:
    """The text that replaces the source where there are no kernels."""
    return f"// Executed by CuPy, call by call: {reason}.\n{program}\n"


class Steps:
    """A training loop on a GPU: its source, and `run(first, last, log_every, losses, carried)`.

    Args:
        step: what is done in each step.
        captured: the arrays that the program captured, by name.
        data: the arrays that stay, in the order of the step's data.
        device: CuPy's device.
    """

    def __init__(self, step: TrainingStep, captured: Mapping[str, Any], data: Sequence[Any], device: Any) -> None:
        self.step, self.captured, self.device = step, captured, device
        self.known = dict(zip(step.data, data, strict=True))
        self.run: Callable[..., Sequence[Any]] | None = None
        self.kernels: Kernels | None = None
        try:
            self.plan = fuse(step.program, step.carried)
            self.kernels = printed(self.plan, captured, step.carried)
        except NotFusable as reason:
            self.why_not_fused = reason

    def source(self, pretty: bool = False) -> str:
        """The source of the kernels, and unless `pretty` also of the functions that they call."""
        if self.kernels is None:
            return _by_calls(self.why_not_fused, self.step.program)
        return self.kernels.text if pretty else self.kernels.source

    def __call__(self, first: int, last: int, log_every: int, losses: Any, values: Sequence[Any]) -> tuple[Any, ...]:
        """Take steps; `losses` is a NumPy array. Values that came as NumPy arrays return as such."""
        import cupy

        with self.device:
            if self.run is None:
                self.run = self._with_kernels(self.kernels) if self.kernels else self._with_calls()
            there = [
                float(value) if w.weak else cupy.asarray(value)
                for w, value in zip(self.step.carried, values, strict=True)
            ]
            found = self.run(first, last, log_every, losses, there)
            back = zip(found, values, strict=True)
            return tuple(on_cpu(new) if namespace(value) is np else new for new, value in back)

    def _with_kernels(self, kernels: Kernels) -> Callable[..., Sequence[Any]]:
        launcher = Launcher(kernels, self.device)
        hoisted = evaluated_on_gpu(self.known, self.plan.hoisted)
        known: dict[Any, Any] = self.known | dict(zip(self.plan.hoisted, hoisted))
        arguments = launcher.given(known | {id(array): array for array in self.captured.values()})
        return _Loop(launcher, self.step, arguments)

    def _with_calls(self) -> Callable[..., Sequence[Any]]:
        import cupy

        program = self.step.program
        changing = program.depending_on(self.step.carried)
        fixed = [s for s in program.instructions if s not in changing]
        known = self.known | dict(zip(fixed, evaluated_on_gpu(self.known, fixed)))

        def run(first: int, last: int, log_every: int, losses: Any, values: list[Any]) -> list[Any]:
            logged = []
            for t in range(first, last):
                *values, loss = evaluated_on_gpu(known | dict(zip(self.step.carried, values)), program.outputs)
                if t % log_every == log_every - 1:
                    logged.append(cupy.asarray(loss))
            if logged:
                # To look at each would be to wait for each.
                losses[: len(logged)] = cupy.asnumpy(cupy.stack(logged))
            return values

        return run


class _Loop:
    """Steps taken by kernels, in memory that is kept between the calls.

    Args:
        launcher: the kernels.
        step: what they do.
        arguments: what does not change.
    """

    def __init__(self, launcher: Launcher, step: TrainingStep, arguments: dict[str, Any]) -> None:
        self.cupy, self.launcher = launcher.cupy, launcher
        # The kernels change what is carried: it is nobody else's.
        outputs = launcher.kernels.outputs
        self.carried = [self.cupy.empty(w.shape, w.dtype) for w in step.carried]
        self.arguments = arguments | launcher.buffers() | dict(zip(outputs, self.carried, strict=True))
        self.stream = self.cupy.cuda.Stream(non_blocking=True)
        self.graphs: dict[int, Any] = {}
        self.room = 0

    def __call__(self, first: int, last: int, log_every: int, losses: Any, values: list[Any]) -> list[Any]:
        for own, value in zip(self.carried, values, strict=True):
            own[...] = self.cupy.asarray(value, own.dtype).reshape(own.shape)
        if len(losses) >= self.room:
            self.room = 2 * len(losses) + 1
            self.arguments["losses"] = self.cupy.empty(self.room, np.float64)
            self.graphs.clear()
        next_log = first + (log_every - 1 - first) % log_every
        numbers = {"first": first, "last": last, "t": first, "next_log": next_log, "log_every": log_every, "logged": 0}
        if "t" in self.launcher.kernels.buffers:
            for name in ("t", "next_log", "log_every", "logged"):
                self.arguments[name].fill(numbers[name])
            self._replay(last - first)
        else:
            self.launcher.launch(self.arguments | {name: np.int64(number) for name, number in numbers.items()})
        losses[...] = self.cupy.asnumpy(self.arguments["losses"][: len(losses)])
        return [own.copy() for own in self.carried]

    def _replay(self, count: int) -> None:
        """Take steps as CUDA graphs, on a stream of their own, because the default stream cannot be captured."""
        current = self.cupy.cuda.get_current_stream()
        self.stream.wait_event(current.record())
        with self.stream:
            if not self.graphs:
                # What is compiled and loaded at the first launch must not be so while a graph is captured.
                self.launcher.launch(self.arguments)
                count -= 1
                self.graphs = {steps: self._captured(steps) for steps in (STEPS_OF_A_GRAPH, 1)}
            for steps, graph in self.graphs.items():
                for _ in range(count // steps):
                    graph.launch(self.stream)
                count %= steps
        current.wait_event(self.stream.record())

    def _captured(self, steps: int) -> Any:
        self.stream.begin_capture()
        for _ in range(steps):
            self.launcher.launch(self.arguments)
        return self.stream.end_capture()


def evaluated_on_gpu(values: Mapping[Symbol, Any], wanted: Sequence[Symbol]) -> list[Any]:
    """The values of symbols, one call of CuPy after the other."""
    import cupy

    def compute(s: Symbol, given: tuple[Any, ...]) -> Any:
        if s.function == "full":  # NumPy would make it elsewhere
            return cupy.full(s.shape, dict(s.attributes)["fill_value"], s.dtype)
        return call(s.function, tuple(cupy.asarray(x) if getattr(x, "shape", None) else x for x in given), s.attributes)

    return evaluated(values, wanted, compute)
