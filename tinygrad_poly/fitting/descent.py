"""`fit`: the training loop."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_poly.arrays import on_cpu
from tinygrad_poly.errors import DataError, DivergenceError
from tinygrad_poly.fitting import saved
from tinygrad_poly.fitting.interrupt import Interrupt
from tinygrad_poly.fitting.objective import Loss, Objective, Params, Weights, check_scalar, leaves, objective
from tinygrad_poly.fitting.optimizers import Factory, named
from tinygrad_poly.fitting.progress import Report, nothing, shown
from tinygrad_poly.fitting.result import FitResult
from tinygrad_poly.fitting.saved import Run
from tinygrad_poly.recording import enable_grad


def fit(
    loss: Loss,
    params: Params,
    x: Any,
    y: Any,
    steps: int = 2000,
    lr: float = 1e-6,
    optimizer: str | Factory = "sgd",
    log_every: int = 100,
    progress: bool | Report = True,
) -> FitResult:
    """Minimize a loss by gradient descent: the training loop of the tutorials, with what they leave out.

    Every step computes L(w), its gradient, and w ← w − lr · ∂L/∂w (or what the optimizer does).
    Ctrl-C stops between two steps and returns what was learned, with `result.interrupted` set.

    Args:
        loss: `loss(params, x, y)`, a scalar tensor, written as one would by hand.
        params: the weights to start from, of any shape: a dict of names to tensors, arrays or numbers, or a
            list of them. They are copied; `loss` gets the copies in the same kind of container.
        x: the data, a tensor or array in whatever shape `loss` expects.
        y: the data, likewise.
        steps: how many.
        lr: the learning rate.
        optimizer: a name, such as "sgd", or a function that makes an optimizer: `factory(parameters, lr=lr)`.
        log_every: how many steps lie between two losses that are kept and shown; the loss is
            that before the step's update, and the first is that of step `log_every − 1`.
        progress: whether to print the losses, and at the end how far this is from the optimum; or a
            function to call with each step and loss instead.

    Raises:
        DivergenceError: where the loss is no longer a finite number; `error.result` is the fit so far.
        ShapeError: where the loss is no scalar.
        GraphError: where the loss does not depend on `params`.
        ValueError: for an unknown optimizer, and numbers that make no sense.

    >>> import tinygrad_poly as tg
    >>> def loss(params, x, y):
    ...     return ((params["w"] * x + params["b"] - y) ** 2).mean()
    >>> x = tg.tensor([1.0, 2.0, 3.0])
    >>> result = fit(loss, {"w": 0.0, "b": 0.0}, x, 2 * x + 1, steps=2000, lr=0.1, log_every=1000, progress=False)
    >>> result.params
    {'w': tensor(2.0000), 'b': tensor(1.)}
    >>> sorted(result.losses)
    [999, 1999]
    >>> result.verdict.converged
    True
    """
    _check(steps, "steps", 0)
    _check(log_every, "log_every", 1)
    _check_lr(lr)
    target, weights = objective(loss, params, x, y)
    name, factory = named(optimizer)
    start = {key: np.asarray(on_cpu(w.array)) for key, w in weights.items()}
    run = Run(start, start, 0, steps, {}, name, {}, lr, log_every, target.listed)
    return _descend(target, run, factory, steps, progress)


def resume(
    run: str | Path | Run,
    loss: Loss,
    x: Any,
    y: Any,
    steps: int | None = None,
    lr: float | None = None,
    optimizer: Factory | None = None,
    progress: bool | Report = True,
) -> FitResult:
    """Go on with a saved fit, bit for bit as if it had not stopped.

    Args:
        run: the file that `result.save` wrote.
        loss: the same loss as before.
        x: the same data as before.
        y: the same data as before.
        steps: how many in all, those already taken included; by default as many as the fit was to take.
        lr: another learning rate for the steps to come.
        optimizer: what made the optimizer, where the fit was given a function and not a name.
        progress: as in `fit`.

    Raises:
        DataError: where the file cannot be read, is none of ours, or is damaged.
        ValueError: where fewer steps are asked for than are complete.
    """
    saved_run = run if isinstance(run, Run) else saved.load(run)
    target, _ = objective(loss, list(saved_run.params.values()), x, y)
    try:
        _, factory = named(optimizer or saved_run.optimizer)
    except ValueError as error:
        raise DataError(f"the fit was made with an optimizer that has to be passed again: {error}") from None
    target = dataclasses.replace(target, listed=saved_run.listed)
    if lr is not None:
        _check_lr(lr)
        saved_run = dataclasses.replace(saved_run, lr=lr)
    return _descend(target, saved_run, factory, saved_run.steps if steps is None else steps, progress)


def _descend(target: Objective, run: Run, factory: Factory, steps: int, progress: bool | Report) -> FitResult:
    """Take a run to `steps` steps."""
    _check(steps, "steps", run.step)
    weights = leaves(run.params)
    optimizer = factory(list(weights.values()), lr=run.lr)
    if run.optimizer_state:
        optimizer.load_state_dict(run.optimizer_state)
        optimizer.lr = run.lr
    losses = dict(run.losses)
    with ExitStack() as stack:
        report = stack.enter_context(shown(run.step, steps)) if progress is True else progress or nothing
        end = _loop(target, weights, optimizer, range(run.step, steps), run.log_every, losses, report)
    now = dataclasses.replace(
        run,
        params=_numbers(weights),
        step=end.step,
        steps=steps,
        losses=losses,
        optimizer_state=optimizer.state_dict(),
    )
    result = FitResult(target, now, _further(target, factory), end.interrupted)
    if end.diverged:
        raise _divergence(result, end)
    if progress is True:
        print(result.verdict)
    return result


def _numbers(weights: Weights) -> saved.Arrays:
    return {name: np.asarray(on_cpu(w.array)) for name, w in weights.items()}


def _further(target: Objective, factory: Factory) -> Callable[[Run, int, bool | Report], FitResult]:
    return lambda run, steps, progress: _descend(target, run, factory, steps, progress)


@dataclass(frozen=True)
class _End:
    """How a loop ended."""

    step: int
    """How many steps are complete, with a finite loss at the weights that they led to."""
    interrupted: bool = False
    diverged: bool = False
    last_loss: float | None = None


def _loop(
    target: Objective,
    weights: Weights,
    optimizer: Any,
    steps: range,
    log_every: int,
    losses: dict[int, float],
    report: Report,
) -> _End:
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
                    return _End(t, interrupted=True)
                output = loss(params, x, y)
                if t == steps.start:
                    check_scalar(output)
                if not isfinite(output.array):
                    _put_back(tensors, before[1])
                    return _End(before[0], diverged=True, last_loss=None if value is None else float(value))
                value = output.array
                if t % log_every == last:
                    losses[t] = float(value)
                    report(t, losses[t])
                optimizer.zero_grad()
                output.backward()
                optimizer.step()
            # The last update may have been the one that was too much.
            if steps and not isfinite(loss(params, x, y).array):
                _put_back(tensors, here[1])
                return _End(here[0], diverged=True, last_loss=float(value))
        except KeyboardInterrupt:
            _put_back(tensors, here[1])
            return _End(here[0], interrupted=True)
    return _End(max(steps.start, steps.stop))


def _put_back(tensors: list[Any], arrays: list[Any]) -> None:
    for tensor, array in zip(tensors, arrays, strict=True):
        tensor.array = array


def _divergence(result: FitResult, end: _End) -> DivergenceError:
    if end.last_loss is None:
        message = (
            f"the loss is not a finite number at step {end.step}, before any update: look for NaN and huge numbers "
            "in the data and in the weights to start from"
        )
        return DivergenceError(message, step=end.step, result=result)
    stable = result.largest_stable_lr
    advice = (
        "try a smaller learning rate"
        if stable is None
        else f"gradient descent on this loss is stable below {stable:.6g}, so try {stable / 2:.3g}"
    )
    message = (
        f"the fit diverged: at step {end.step + 1} the loss is no longer a finite number, and before that it was "
        f"{end.last_loss:.6g}. The learning rate {result.lr:g} is too large; {advice}"
    )
    return DivergenceError(message, step=end.step + 1, last_loss=end.last_loss, largest_stable_lr=stable, result=result)


def _check(value: Any, name: str, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        why = f" ({least} are already complete)" if name == "steps" and least else ""
        raise ValueError(f"{name} must be a whole number of {least} or more{why}, not {value!r}")


def _check_lr(lr: Any) -> None:
    if not (isinstance(lr, int | float | np.floating) and 0 < lr < math.inf):
        raise ValueError(f"lr must be a positive number, not {lr!r}")
