"""The compiled loop: many steps of a fit at once, in a compiled program."""

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_poly.engine.errors import TraceError
from tinygrad_poly.engine.recording import enable_grad
from tinygrad_poly.fitting.loops.eager import eager_loop
from tinygrad_poly.fitting.loops.state import End, State
from tinygrad_poly.fitting.progress import nothing

if TYPE_CHECKING:
    from tinygrad_poly.compiler.steps import CompiledSteps

SECONDS_A_CHUNK = 0.1
"""How long a compiled program runs before it is asked whether all is well: Ctrl-C and a bar need not be faster."""

MOST_A_CHUNK = 2**16
"""How many losses are kept at most before they are looked at."""


def compiled_steps(state: State, hoist: str | None = None) -> "CompiledSteps | None":
    """The compiled program of the steps; None if the optimizer has to take an ordinary step first."""
    # Tracing needs more than fitting does: it is imported where it is asked for.
    from tinygrad_poly.compiler.steps import CompiledSteps
    from tinygrad_poly.compiler.training import StateAppears

    target, schedule, stop = state.target, state.schedule, max(state.steps.stop, 1)
    # The loss that the last step led to is looked at by another step, for which the schedule may have no rate.
    rates = (lambda first, last: schedule.rates(min(t, stop - 1) for t in range(first, last))) if schedule else None
    data = {"x": target.x.array, "y": target.y.array}
    try:
        with enable_grad():
            return CompiledSteps(target.checked(), target.arranged, state.weights, data, state.optimizer, hoist, rates)
    except StateAppears:
        return None


def compiled_loop(state: State, hoist: str | None = None) -> End:
    """`eager_loop` in a compiled program, many steps at once: the same steps, losses, errors and ends.

    The program writes down the loss of each step, so that nothing is overlooked. Weights and optimizer are left
    alone until it is known where the loop ends; where that is in the middle of a chunk, the program takes the first
    steps of the chunk again.

    Raises:
        TraceError: where a step depends on numbers that a trace does not have.
    """
    if not state.steps:
        return End(state.steps.start)
    try:
        with np.errstate(all="ignore"):
            compiled, end = _set_up(state, hoist)
    except KeyboardInterrupt:
        return End(state.steps.start, interrupted=True)
    if compiled is not None:
        with np.errstate(all="ignore"):
            end = _Chunks(state, compiled).taken()
    return end or eager_loop(state)


def _set_up(state: State, hoist: str | None) -> "tuple[CompiledSteps | None, End | None]":
    """The compiled program of the steps; if the optimizer needs an ordinary step first, that step is taken.

    Or the end, if that is where the fit ends. With neither, the steps that are left can only be taken one by one.
    """
    try:
        if compiled := compiled_steps(state, hoist):
            return compiled, None
        # The first step makes what the optimizer remembers; the others can be compiled.
        whole, state.steps = state.steps, state.steps[:1]
        end = eager_loop(state)
        state.steps = whole[1:]
        if end != End(whole.start + 1) or not state.steps:
            return None, end
        if state.interrupt.requested:
            return None, End(end.step, interrupted=True)
        return compiled_steps(state, hoist), None
    except TraceError:
        if hoist and not np.isfinite(state.target(state.weights).item()):
            return None, End(state.steps.start, diverged=True)  # which is why there are no sums to take
        raise


class _Chunks:
    """The steps of a fit in chunks, each one call of the compiled program.

    Attributes:
        here: the step at which the present chunk begins, and the values of all that changes there.
        before: those of the chunk before it.
        complete: how many steps are complete for somebody who interrupts now.
    """

    def __init__(self, state: State, compiled: "CompiledSteps") -> None:
        self.state, self.compiled = state, compiled
        self.options = self._options()
        self.complete = state.steps.start
        self.here = self.before = self.complete, compiled.values([w.array for w in state.weights.values()])

    def taken(self) -> End | None:
        """Take the steps; None if the remaining ones have to be taken one by one."""
        start, stop, chunk, value = self.state.steps.start, self.state.steps.stop, 1, None
        with self.state.interrupt as interrupt:
            try:
                while True:
                    begin, first = time.perf_counter(), self.complete
                    # A fit that ends looks at the loss that its last step led to: the update may have been too much.
                    ends = first == stop or interrupt.requested
                    losses = np.empty(1 if ends else min(chunk, stop - first))
                    last = first + len(losses)
                    after = self.compiled.take(first, last, losses, self.here[1])
                    finite = np.isfinite(losses)
                    bad = last if finite.all() else first + int(finite.argmin())
                    if ends and bad == last:
                        return self._end(first, interrupted=first < stop)
                    if not self._reported(range(first, bad), losses):
                        end = self._end(self.complete, interrupted=interrupt.requested)
                        self.state.steps = range(end.step, stop)
                        return end if end.interrupted else None
                    value = losses[bad - 1 - first].item() if bad > first else value
                    if bad < last:
                        return self._end(max(start, bad - 1), diverged=True, last_loss=value)
                    self.before, self.here, self.complete = self.here, (last, after), last
                    elapsed = time.perf_counter() - begin
                    chunk = max(1, min(4 * chunk, round(chunk * SECONDS_A_CHUNK / max(elapsed, 1e-9)), MOST_A_CHUNK))
            except KeyboardInterrupt:
                # A second Ctrl-C, or a report that wants no more.
                return self._end(self.complete, interrupted=True)

    def _reported(self, steps: range, losses: Any) -> bool:
        """Report the losses of some steps; False if a report ends the chunk after `complete` steps."""
        state = self.state
        asked, offset = state.interrupt.requested, (state.log_every - 1 - steps.start) % state.log_every
        for t, loss in zip(steps[offset :: state.log_every], losses[offset :: state.log_every].tolist()):
            self.complete = t
            state.note(t, loss)
            if state.report is not nothing and self._options() != self.options:
                return False
            if state.interrupt.requested and not asked and t + 1 < steps.stop:
                self.complete = t + 1
                return False
        return True

    def _options(self) -> list[Any]:
        """The options of the optimizer, which are constants of the program."""
        return [group.copy() for group in self.state.optimizer.param_groups]

    def _end(self, step: int, **how: Any) -> End:
        """The end of the loop, with the weights and the optimizer set to their values after `step` steps."""
        first, values = self.here if self.here[0] <= step else self.before
        if first < step:
            values = self.compiled.take(first, step, np.empty(step - first), values)
        for tensor, array in zip(self.state.weights.values(), self.compiled.put_back(values), strict=True):
            tensor.array = array if array.shape else array[()]
        return End(step, **how)
