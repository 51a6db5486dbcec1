"""Compiled training loops: a step is traced and fused, and many steps run in one call."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_poly.compiler.loops import numba_runner, threads
from tinygrad_poly.compiler.loops.driver import printer
from tinygrad_poly.compiler.loops.fuse import NotFusable, Plan, fuse, planned
from tinygrad_poly.compiler.loops.js_printer import JsPrinter
from tinygrad_poly.compiler.loops.layers import layers
from tinygrad_poly.compiler.loops.numpy_runner import NumpyProgram
from tinygrad_poly.compiler.loops.parts import PartsPrinter
from tinygrad_poly.compiler.moments.algebra import NotFinite
from tinygrad_poly.compiler.moments.sums import centered_moments, into_numbers
from tinygrad_poly.compiler.trace.apart import Apart
from tinygrad_poly.compiler.trace.program import Program
from tinygrad_poly.compiler.trace.symbols import Symbol
from tinygrad_poly.compiler.training import TrainingStep, carried_values, put_back, trace
from tinygrad_poly.engine.arrays import device_of, namespace, on_cpu
from tinygrad_poly.engine.errors import TraceError
from tinygrad_poly.tensor import Tensor

if TYPE_CHECKING:
    from tinygrad_poly.compiler.cuda import runner as cuda_runner


class CompiledSteps:
    """Gradient descent on one loss, with the loop over the steps inside the compiled program.

    Args:
        loss: `loss(params, *data)`, a scalar tensor.
        arrange: makes `params` of the weights by name.
        weights: the weights to start from, by name: those that `optimizer` updates, or arrays in its order, of which
            only the shapes and dtypes matter, unless `hoist` is given.
        data: the arrays that `loss` gets, by name, in order.
        optimizer: the optimizer of the weights.
        hoist: "algebra" to sum over the data once and take each step from the sums, see `moments`.
        rates: the learning rates of the steps from a first to before a last one, an array for each of the optimizer's
            groups; by default they are those of the groups, and constants.

    Raises:
        NotPolynomial: where `hoist` is asked for and a sum is no polynomial in the weights.
        TraceError: where a step depends on numbers that a trace does not have.
        StateAppears: where the optimizer has to take one ordinary step first.
    """

    def __init__(
        self,
        loss: Callable[..., Tensor],
        arrange: Callable[[Mapping[str, Tensor]], Any],
        weights: Mapping[str, Any],
        data: Mapping[str, Any],
        optimizer: Any,
        hoist: str | None = None,
        rates: Callable[[int, int], Sequence[Any]] | None = None,
    ) -> None:
        if hoist not in (None, "algebra"):
            raise ValueError(f"hoist must be None or 'algebra', not {hoist!r}")
        self.optimizer, self.rates = optimizer, rates or (lambda first, last: ())
        self.traced = self.step = trace(loss, arrange, weights, data, optimizer, scheduled=rates is not None)
        self.data = [np.asarray(array) if namespace(array) is np else array for array in data.values()]
        arrays = [getattr(w, "array", w) for w in weights.values()]
        gpu = next((place for place in map(device_of, (*self.data, *arrays)) if place.type == "cuda"), None)
        self._numbers: Apart | None = None
        if hoist == "algebra":
            with suppress(NotFinite):
                self._sum_over_data(list(map(on_cpu, self.data)), list(map(on_cpu, self.values(arrays))))
        self.captured = captured_arrays(self.step.program)
        self.plan: Plan | None = None
        self.apart: Apart | None = None
        self.why_not_fused = ""
        changing = (*self.step.carried, *self.step.rates)
        try:
            self.plan, self.apart = planned(self.step.program, changing, split=self.step.program.inputs)
        except NotFusable as reason:
            self.why_not_fused = str(reason)
        if gpu is None and (self.plan is None or self.plan.has_calls):
            with suppress(NotFusable):
                self.plan = layers(self.step.program, changing)
        self._run: Callable[..., Any] | None = None
        self._on_gpu: cuda_runner.Steps | None = None
        if gpu is not None:
            if rates:
                raise TraceError(
                    "compiled steps on a GPU have one learning rate: leave out compile=True, or the schedule"
                )
            from tinygrad_poly.compiler.cuda.runner import Steps

            step, parts = self._in_parts()
            self._on_gpu = Steps(step, captured_arrays(step.program), parts, gpu.active())
            if self._on_gpu.kernels is None:
                self._on_gpu, self.apart = Steps(self.step, self.captured, self.data, gpu.active()), None
            self._run = self._on_arrays(self._on_arrays(self._on_gpu, self.apart), self._numbers)

    def _sum_over_data(self, data: list[Any], start: list[Any]) -> None:
        """Replace the step by one that computes from sums over the data."""
        step, apart = self.step, None
        if any(s.size != 1 for s in step.carried):
            apart = into_numbers(step.program, step.program.inputs)
            data, start = apart.split(step.data, data), apart.split(step.carried, start)
            step = step.in_parts(apart)
        hoisted = centered_moments(step, data, start)
        self.step, self.data, self._numbers = hoisted.step, list(map(np.asarray, hoisted.values)), apart

    def source(self, pretty: bool = False, target: str = "python") -> str:
        """The program as source: a loop in Python with everything that Numba runs, or kernels in CUDA C++.

        Args:
            target: "js" for JavaScript.
            pretty: leave out the dtypes of numbers, which only Numba needs, and the functions that kernels call.
        """
        if target == "js":
            return JsPrinter(fuse(self.step.program), self.captured).steps(self.step.carried, self.step.rates)
        if self._on_gpu is not None:
            return self._on_gpu.source(pretty)
        if self.plan is None:
            return f"# Executed by NumPy, call by call: {self.why_not_fused}.\n{self.step.program}\n"
        step, _ = self._in_parts()
        return printer(self.plan, captured_arrays(step.program), typed=not pretty).steps(step.carried, step.rates)

    def values(self, weights: list[Any]) -> list[Any]:
        """The values that a step changes: these weights, and the optimizer's state."""
        return carried_values(self.traced, weights, self.optimizer)

    def take(self, first: int, last: int, losses: Any, values: list[Any], log_every: int = 1) -> list[Any]:
        """Take the steps `first` to `last - 1`; returns the values after them, and changes nothing.

        Args:
            first: the number of the first step.
            last: the number after the last step.
            losses: an array with room for the losses of the steps that are logged, filled from its start.
            values: those of the weights and of the optimizer's state, in the order of `step.carried`.
            log_every: the loss of step t is written if t % log_every == log_every − 1.
        """
        if self._run is None:
            run = self._with_numba() if self.plan and numba_runner.available() else self._with_numpy()
            self._run = self._on_arrays(run, self._numbers)
        rates = () if self._on_gpu else (self.rates(first, last),)
        results = self._run(first, last, log_every, losses, values, *rates)
        return [_like(value, s) for value, s in zip(results, self.traced.carried, strict=True)]

    def put_back(self, values: list[Any]) -> list[Any]:
        """Restore the optimizer's state from these values; returns the weights."""
        return put_back(self.traced, values, self.optimizer)

    def run(
        self, first: int, last: int, log_every: int, losses: Any, weights: list[Any], final: bool = True
    ) -> list[Any]:
        """Take the steps `first` to before `last`; returns the weights that they led to, and updates the optimizer.

        Where a loss on the way that was asked for, a weight, or the loss that the steps led to is not finite, the
        weights that are returned are NaN and the optimizer is left as it was.

        Args:
            first: the number of the first step.
            last: the number after the last step.
            log_every: the loss of step t is written if t % log_every == log_every − 1.
            losses: an array with room for these losses, filled from its start.
            weights: arrays, in the order of the weights that this was made with.
            final: whether to look at the loss that the steps led to, which takes as long as a step; where more steps
                follow, they will.
        """
        values = self.take(first, last, losses, self.values(weights), log_every)
        led_to = np.zeros(1)
        if final:
            self.take(last, last + 1, led_to, values)
        updated = values[: len(weights)]
        if not all(np.isfinite(x).all() for x in (losses, led_to, *updated)):
            return [np.full(w.shape, np.nan, w.dtype) for w in updated]
        return self.put_back(values)

    def _in_parts(self) -> tuple[TrainingStep, list[Any]]:
        """The step that loops take, and its data."""
        if self.apart is None:
            return self.step, self.data
        return self.step.in_parts(self.apart), self.apart.split(self.step.data, self.data)

    def _on_arrays(self, run: Callable[..., Any], apart: Apart | None) -> Callable[..., Any]:
        """A loop over steps that takes and returns what changes in whole arrays, from one that does so in parts."""
        if apart is None:
            return run
        carried = self.traced.carried
        return lambda first, last, log_every, losses, values, *rates: apart.join(
            carried, run(first, last, log_every, losses, apart.split(carried, values), *rates)
        )

    def _with_numba(self) -> Callable[..., Any]:
        assert self.plan is not None
        step, data = self._in_parts()
        captured = captured_arrays(step.program)
        printed = printer(self.plan, captured)
        run = threads.compiled(
            printed.plan,
            printed.steps(step.carried, step.rates),
            lambda: PartsPrinter(printed.plan, captured).steps(step.carried, step.rates),
        )
        hoisted = step.program.run(dict(zip(step.data, data, strict=True)), self.plan.hoisted)
        given = numba_runner.arguments(data)
        extra = [*numba_runner.arguments([*hoisted, *captured.values()]), *printed.bound.values()]
        return self._on_arrays(
            lambda first, last, log_every, losses, values, rates: run(
                first, last, log_every, losses, *given, *numba_runner.arguments(values), *rates, *extra
            ),
            self.apart,
        )

    def _with_numpy(self) -> Callable[..., Any]:
        data = dict(zip(self.step.data, self.data, strict=True))
        run = NumpyProgram(self.step.program, data, (*self.step.carried, *self.step.rates)).steps(self.step.rates)
        return lambda first, last, log_every, losses, values, rates: run(
            *(first, last, log_every, losses),
            *(v[()] if getattr(v, "shape", None) == () else v for v in values),
            *(each.tolist() for each in rates),
        )


def _like(value: Any, s: Symbol) -> Any:
    """A value in the shape and dtype of its symbol: Numba hands a float32 number out as a Python float."""
    if s.weak:
        return float(value)
    return namespace(value).asarray(value, dtype=s.dtype).reshape(s.shape)


def captured_arrays(program: Program) -> dict[str, Any]:
    """The arrays that a traced function took from outside, by name."""
    found: dict[int, Any] = {}
    for s in program.instructions:
        for x in s.inputs:
            if not isinstance(x, Symbol) and getattr(x, "shape", None):
                found[id(x)] = x
    return {f"constant_{i}": array for i, array in enumerate(found.values())}
