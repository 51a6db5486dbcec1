"""Taking the steps of a fit on a GPU, which computes while Python goes on to the next step.

To look at a loss is to wait for it: with a look at every step, neither of the two would ever work ahead. So the losses
stay where they are until there are enough of them, and are looked at together, in one copy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_poly.cuda import OutOfMemoryError
from tinygrad_poly.engine.arrays import namespace, on_cpu
from tinygrad_poly.engine.recording import enable_grad
from tinygrad_poly.fitting.loops.eager import End, eager_loop, put_back
from tinygrad_poly.fitting.loops.interrupt import Interrupt
from tinygrad_poly.fitting.objective import Objective, Weights, check_scalar
from tinygrad_poly.fitting.progress import Report

UNSEEN = 100
"""How many losses are kept before they are looked at; those that are logged are looked at when they are."""


class _Losses:
    """The losses since the last look, on the device."""

    def __init__(self) -> None:
        self.unseen: list[Any] = []

    def look(self) -> tuple[bool, float | None]:
        """Whether all are finite, and the last one; waits for the device."""
        if not self.unseen:
            return True, None
        values = on_cpu(namespace(self.unseen[0]).stack(self.unseen))
        self.unseen = []
        return bool(np.isfinite(values).all()), float(values[-1])


def device_loop(
    target: Objective,
    weights: Weights,
    optimizer: Any,
    steps: range,
    log_every: int,
    losses: dict[int, float],
    report: Report,
) -> End:
    """`eager_loop` on a GPU: the same weights, losses and end, with a look at the losses once in many steps.

    Where a look finds one that is not finite, the steps since the last look are taken again by `eager_loop`, which
    looks at each: it tells the step, and puts back the weights before it.
    """
    params, tensors = target.arranged(weights), list(weights.values())
    unseen = _Losses()

    def here(t: int) -> Callable[[], int]:
        """What goes back to step t. Arrays are never written into, so keeping them costs nothing."""
        arrays, state = [w.array for w in tensors], optimizer.state_dict()

        def go_back() -> int:
            put_back(tensors, arrays)
            optimizer.load_state_dict(state)
            return t

        return go_back

    go_back, done, interrupted = here(steps.start), steps.stop, False
    with Interrupt() as interrupt, enable_grad():
        try:
            for t in steps:
                if interrupt.requested:
                    done, interrupted = t, True
                    break
                output = target.loss(params, target.x, target.y)
                if t == steps.start:
                    check_scalar(output)
                unseen.unseen.append(output.array)
                logged = t % log_every == log_every - 1
                if logged or len(unseen.unseen) == UNSEEN:
                    finite, value = unseen.look()
                    if not finite:
                        return _one_by_one(target, weights, optimizer, go_back(), steps.stop, log_every, losses, report)
                    go_back = here(t)
                    if logged and value is not None:
                        losses[t] = value
                        report(t, value)
                optimizer.zero_grad()
                output.backward()
                optimizer.step()
            if steps and not interrupted:
                # The last update may have been the one that was too much.
                unseen.unseen.append(target.loss(params, target.x, target.y).array)
            finite, _ = unseen.look()
        except KeyboardInterrupt:
            # A second Ctrl-C: what follows the last look has not been seen to be finite.
            return End(go_back(), interrupted=True)
        except MemoryError as error:
            return End(go_back(), failed=_too_much(target, error))
    if not finite:
        return _one_by_one(target, weights, optimizer, go_back(), steps.stop, log_every, losses, report)
    return End(max(steps.start, done), interrupted=interrupted)


def _one_by_one(
    target: Objective,
    weights: Weights,
    optimizer: Any,
    first: int,
    stop: int,
    log_every: int,
    losses: dict[int, float],
    report: Report,
) -> End:
    """`eager_loop` from a step whose loss has been reported already, if it is one of those."""
    seen = set(losses)

    def new(t: int, value: float) -> object:
        return None if t in seen else report(t, value)

    return eager_loop(target, weights, optimizer, range(first, stop), log_every, losses, new)


def _too_much(target: Objective, error: MemoryError) -> OutOfMemoryError:
    x, y = target.x, target.y
    size = x.array.nbytes + y.array.nbytes
    return OutOfMemoryError(
        f"{x.device} has not enough memory for this fit: the data alone take {size:,} bytes ({x.numel():,} numbers "
        f"of {x.dtype} in x, {y.numel():,} in y), and each step several times as much ({error}). Take fewer points, "
        "float32 instead of float64, compile=True, which needs no room beside the data, or Dask arrays"
    )
