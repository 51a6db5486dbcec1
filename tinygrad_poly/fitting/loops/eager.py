"""The eager loop: takes the steps of a fit one by one."""

import math
from typing import Any

import numpy as np

from tinygrad_poly.engine.errors import BlockError
from tinygrad_poly.engine.recording import enable_grad
from tinygrad_poly.fitting.loops.state import End, Mark, State
from tinygrad_poly.fitting.objective import check_scalar


def eager_loop(state: State) -> End:
    """Take the steps of a fit, and check each loss, so that a fit that diverges ends at its last finite one.

    Whatever ends the loop, weights and optimizer are those of the step that is returned.
    """
    target, optimizer, steps, schedule = state.target, state.optimizer, state.steps, state.schedule
    loss, x, y, params = target.loss, target.x, target.y, target.arranged(state.weights)
    isfinite, log_every, last = math.isfinite, state.log_every, state.log_every - 1
    value: Any = None
    before = here = state.mark(steps.start)
    # A fit that diverges overflows; one clear error is better than NumPy's warnings on the way there.
    with state.interrupt as interrupt, enable_grad(), np.errstate(all="ignore"):
        try:
            for t in steps:
                asked = interrupt.requested
                before, here = here, state.mark(t)
                output = loss(params, x, y)
                if t == steps.start:
                    check_scalar(output)
                if not isfinite(output.array):
                    return _diverged(state, before, value)
                if asked:
                    return End(state.go_back(here), interrupted=True)
                value = output.array
                if t % log_every == last:
                    state.note(t, float(value))
                optimizer.zero_grad()
                output.backward()
                if schedule:
                    schedule.set(optimizer, t)
                optimizer.step()
            # The last update may have been the one that was too much.
            if steps and not isfinite(state.led_to()):
                return _diverged(state, here, value)
        except KeyboardInterrupt:
            return End(state.go_back(here), interrupted=True)
        except BlockError as error:
            return End(state.go_back(here), failed=error)
    return End(max(steps.start, steps.stop))


def _diverged(state: State, mark: Mark, value: Any) -> End:
    """The end of a fit that diverges: back to `mark`, where the loss was `value`, the last finite one."""
    return End(state.go_back(mark), diverged=True, last_loss=None if value is None else float(value))
