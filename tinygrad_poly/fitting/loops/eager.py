"""The eager loop: takes the steps of a fit one by one.

A GPU computes while Python already prepares the next steps, and to look at a loss is to wait for it: with a look at
every step, neither of the two would ever work ahead. So there the losses stay where they are until there are enough of
them, and are looked at together, in one copy.
"""

import math
from typing import Any

import numpy as np

from tinygrad_poly.cuda import OutOfMemoryError
from tinygrad_poly.engine.arrays import namespace, on_cpu
from tinygrad_poly.engine.errors import BlockError
from tinygrad_poly.engine.recording import enable_grad
from tinygrad_poly.fitting.loops.state import End, State
from tinygrad_poly.fitting.objective import Objective, check_scalar

UNSEEN = 100
"""How many losses a GPU keeps before they are looked at; those that are logged are looked at when they are."""


def eager_loop(state: State, at_once: int | None = None) -> End:
    """Take the steps of a fit, and check each loss, so that a fit that diverges ends at its last finite one.

    Whatever ends the loop, weights and optimizer are those of the step that is returned. On a GPU the losses of many
    steps are checked at once: where one of them is not finite, the steps since the last look are taken again with a
    look at each.

    Args:
        state: the fit.
        at_once: how many losses are looked at together; by default 1 on the CPU, and `UNSEEN` on a GPU.
    """
    target, optimizer, steps, schedule = state.target, state.optimizer, state.steps, state.schedule
    loss, x, y, params = target.loss, target.x, target.y, target.arranged(state.weights)
    log_every, last, unseen = state.log_every, state.log_every - 1, list[Any]()
    value: Any = None
    at_once = at_once or (1 if target.device.type == "cpu" else UNSEEN)
    seen = here = state.mark(steps.start)
    # A fit that diverges overflows; one clear error is better than NumPy's warnings on the way there.
    with state.interrupt as interrupt, enable_grad(), np.errstate(all="ignore"):
        try:
            for t in steps:
                asked, here = interrupt.requested, state.mark(t)
                output = loss(params, x, y)
                if t == steps.start:
                    check_scalar(output)
                unseen.append(output.array)
                logged = t % log_every == last
                if asked or logged or len(unseen) == at_once:
                    if (found := _last_if_finite(unseen)) is None:
                        break
                    seen, value = here, found
                    unseen.clear()
                if asked:
                    return End(state.go_back(here), interrupted=True)
                if logged:
                    state.note(t, float(value))
                optimizer.zero_grad()
                output.backward()
                if schedule:
                    schedule.set(optimizer, t)
                optimizer.step()
            else:
                # The last update may have been the one that was too much.
                if not steps or _last_if_finite([*unseen, state.led_to()]) is not None:
                    return End(max(steps.start, steps.stop))
        except KeyboardInterrupt:
            # What follows the last look of a GPU has not been seen to be finite.
            return End(state.go_back(here if at_once == 1 else seen), interrupted=True)
        except BlockError as error:
            return End(state.go_back(here), failed=error)
        except MemoryError as error:
            if target.device.type == "cpu":
                raise
            return End(state.go_back(seen), failed=_too_much(target, error))
        step = state.go_back(seen)
    if at_once == 1:
        return End(step, diverged=True, last_loss=None if value is None else float(value))
    state.steps = range(step, steps.stop)
    return eager_loop(state, 1)


def _last_if_finite(losses: list[Any]) -> Any:
    """The last of some losses; None if one of them is not finite. Waits for the device where they are."""
    if len(losses) == 1:
        return losses[0] if math.isfinite(losses[0]) else None
    values = on_cpu(namespace(losses[0]).stack(losses))
    return values[-1] if np.isfinite(values).all() else None


def _too_much(target: Objective, error: MemoryError) -> OutOfMemoryError:
    x, y = target.x, target.y
    size = x.array.nbytes + y.array.nbytes
    return OutOfMemoryError(
        f"{x.device} has not enough memory for this fit: the data alone take {size:,} bytes ({x.numel():,} numbers "
        f"of {x.dtype} in x, {y.numel():,} in y), and each step several times as much ({error}). Take fewer points, "
        "float32 instead of float64, compile=True, which needs no room beside the data, or Dask arrays"
    )
