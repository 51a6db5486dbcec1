"""The loop on a GPU, which computes while Python already prepares the next steps.

To look at a loss is to wait for it: with a look at every step, neither of the two would ever work ahead. So the losses
stay where they are until there are enough of them, and are looked at together, in one copy.
"""

from typing import Any

import numpy as np

from tinygrad_poly.cuda import OutOfMemoryError
from tinygrad_poly.engine.arrays import namespace, on_cpu
from tinygrad_poly.engine.recording import enable_grad
from tinygrad_poly.fitting.loops.eager import eager_loop
from tinygrad_poly.fitting.loops.state import End, State
from tinygrad_poly.fitting.objective import Objective, check_scalar

UNSEEN = 100
"""How many losses are kept before they are looked at; those that are logged are looked at when they are."""


class _Losses:
    """The losses since the last check, on the device."""

    def __init__(self) -> None:
        self.unseen: list[Any] = []

    def look(self) -> tuple[bool, float | None]:
        """Whether all are finite, and the last one; waits for the device."""
        if not self.unseen:
            return True, None
        values = on_cpu(namespace(self.unseen[0]).stack(self.unseen))
        self.unseen = []
        return bool(np.isfinite(values).all()), float(values[-1])


def device_loop(state: State) -> End:
    """`eager_loop` on a GPU: the same weights, losses and end, but losses are checked only once in many steps.

    Where a look finds one that is not finite, the steps since the last look are taken again by `eager_loop`, which
    looks at each: it tells the step, and puts back the weights before it.
    """
    target, optimizer, steps, log_every = state.target, state.optimizer, state.steps, state.log_every
    params, unseen = target.arranged(state.weights), _Losses()
    seen, end, finite = state.mark(steps.start), End(max(steps.start, steps.stop)), True
    with state.interrupt as interrupt, enable_grad():
        try:
            for t in steps:
                asked, here = interrupt.requested, state.mark(t)
                output = target.loss(params, target.x, target.y)
                if t == steps.start:
                    check_scalar(output)
                unseen.unseen.append(output.array)
                if asked:
                    end = End(state.go_back(here), interrupted=True)
                    break
                logged = t % log_every == log_every - 1
                if logged or len(unseen.unseen) == UNSEEN:
                    finite, value = unseen.look()
                    if not finite:
                        break
                    seen = here
                    if logged and value is not None:
                        state.note(t, value)
                optimizer.zero_grad()
                output.backward()
                if state.schedule:
                    state.schedule.set(optimizer, t)
                optimizer.step()
            else:
                if steps:
                    # The last update may have been the one that was too much.
                    unseen.unseen.append(state.led_to())
            if finite:
                finite, _ = unseen.look()
        except KeyboardInterrupt:
            # A second Ctrl-C: what follows the last look has not been seen to be finite.
            return End(state.go_back(seen), interrupted=True)
        except MemoryError as error:
            return End(state.go_back(seen), failed=_too_much(target, error))
    if finite:
        return end
    state.steps = range(state.go_back(seen), steps.stop)
    return eager_loop(state)


def _too_much(target: Objective, error: MemoryError) -> OutOfMemoryError:
    x, y = target.x, target.y
    size = x.array.nbytes + y.array.nbytes
    return OutOfMemoryError(
        f"{x.device} has not enough memory for this fit: the data alone take {size:,} bytes ({x.numel():,} numbers "
        f"of {x.dtype} in x, {y.numel():,} in y), and each step several times as much ({error}). Take fewer points, "
        "float32 instead of float64, compile=True, which needs no room beside the data, or Dask arrays"
    )
