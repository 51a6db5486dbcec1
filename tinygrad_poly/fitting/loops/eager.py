"""Taking the steps of a fit: one by one, or many at once in a compiled program."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_poly.cuda import OutOfMemoryError
from tinygrad_poly.engine.errors import BlockError
from tinygrad_poly.engine.recording import enable_grad
from tinygrad_poly.fitting.loops.interrupt import Interrupt
from tinygrad_poly.fitting.objective import Objective, Weights, check_scalar
from tinygrad_poly.fitting.progress import Report


@dataclass(frozen=True)
class End:
    """How a loop ended."""

    step: int
    """How many steps are complete, with a finite loss at the weights that they led to."""
    interrupted: bool = False
    diverged: bool = False
    failed: BlockError | OutOfMemoryError | None = None
    """Why the data could not be read any further, where it is elsewhere."""
    last_loss: float | None = None


def eager_loop(
    target: Objective,
    weights: Weights,
    optimizer: Any,
    steps: range,
    log_every: int,
    losses: dict[int, float],
    report: Report,
) -> End:
    """Take `steps` and fill in `losses`."""
    loss, x, y = target.loss, target.x, target.y
    params, tensors = target.arranged(weights), list(weights.values())
    isfinite, last = math.isfinite, log_every - 1
    value: Any = None
    # Arrays are never written into, so holding on to the old ones is a snapshot that costs nothing.
    before = here = (steps.start, [w.array for w in tensors])
    # A fit that diverges overflows; one clear error is better than NumPy's warnings on the way there.
    with Interrupt() as interrupt, enable_grad(), np.errstate(over="ignore", invalid="ignore"):
        try:
            for t in steps:
                before, here = here, (t, [w.array for w in tensors])
                if interrupt.requested:
                    return End(t, interrupted=True)
                output = loss(params, x, y)
                if t == steps.start:
                    check_scalar(output)
                if not isfinite(output.array):
                    put_back(tensors, before[1])
                    return End(before[0], diverged=True, last_loss=None if value is None else float(value))
                value = output.array
                if t % log_every == last:
                    losses[t] = float(value)
                    report(t, losses[t])
                optimizer.zero_grad()
                output.backward()
                optimizer.step()
            # The last update may have been the one that was too much.
            if steps and not isfinite(loss(params, x, y).array):
                put_back(tensors, here[1])
                return End(here[0], diverged=True, last_loss=float(value))
        except KeyboardInterrupt:
            put_back(tensors, here[1])
            return End(here[0], interrupted=True)
        except BlockError as error:
            put_back(tensors, here[1])
            return End(here[0], failed=error)
    return End(max(steps.start, steps.stop))


def put_back(tensors: list[Any], arrays: list[Any]) -> None:
    """Set weights to the arrays that they were."""
    for tensor, array in zip(tensors, arrays, strict=True):
        tensor.array = array


def compiled_steps(target: Objective, weights: Weights, optimizer: Any, hoist: str | None = None) -> Any:
    """The steps as a compiled program; None if the optimizer has to take an ordinary step first."""
    # Tracing needs more than fitting does: it is imported where it is asked for.
    from tinygrad_poly.compiler.steps import CompiledSteps
    from tinygrad_poly.compiler.training import StateAppears

    arrays = {name: w.array for name, w in weights.items()}
    data = {"x": target.x.array, "y": target.y.array}
    try:
        with enable_grad():
            return CompiledSteps(target.loss, target.arranged, arrays, data, optimizer, hoist)
    except StateAppears:
        return None


SECONDS_A_CHUNK = 0.1
"""How long a compiled program runs before it is asked whether all is well: Ctrl-C and a bar need not be faster."""


def compiled_loop(
    target: Objective,
    weights: Weights,
    optimizer: Any,
    steps: range,
    log_every: int,
    losses: dict[int, float],
    report: Report,
    hoist: str | None = None,
) -> End:
    """`eager_loop` in a compiled program, in chunks of steps.

    Raises:
        TraceError: where a step depends on numbers that a trace does not have.
    """
    if not steps:
        return End(steps.start)
    with enable_grad():
        check_scalar(target(weights))
    compiled = compiled_steps(target, weights, optimizer, hoist)
    if compiled is None:
        # The first step makes what the optimizer remembers; the others can be compiled.
        end = eager_loop(target, weights, optimizer, steps[:1], log_every, losses, report)
        if end.interrupted or end.diverged:
            return end
        return compiled_loop(target, weights, optimizer, steps[1:], log_every, losses, report, hoist)
    tensors = list(weights.values())
    first, chunk = steps.start, 1
    with Interrupt() as interrupt, np.errstate(over="ignore", invalid="ignore"):
        try:
            while first < steps.stop:
                if interrupt.requested:
                    return End(first, interrupted=True)
                last = min(first + chunk, steps.stop)
                logged = range(first + (log_every - 1 - first) % log_every, last, log_every)
                values = np.empty(len(logged))
                begin = time.perf_counter()
                before = [w.array for w in tensors]
                after = compiled.run(first, last, log_every, values, before, final=last == steps.stop)
                if not all(np.isfinite(w).all() for w in after) or not np.isfinite(values).all():
                    # Somewhere in this chunk; one by one they tell where, and put the weights back.
                    return eager_loop(target, weights, optimizer, range(first, steps.stop), log_every, losses, report)
                for tensor, array in zip(tensors, after):
                    tensor.array = array if array.shape else array[()]
                for t, value in zip(logged, values.tolist()):
                    losses[t] = value
                    report(t, value)
                elapsed = time.perf_counter() - begin
                chunk = max(1, min(chunk * 4, round(chunk * SECONDS_A_CHUNK / max(elapsed, 1e-9))))
                first = last
        except KeyboardInterrupt:
            # A second Ctrl-C, inside a chunk: the weights are those that the chunk began with.
            return End(first, interrupted=True)
    return End(steps.stop)
