"""`fit`: the training loop, and going on with a saved one."""

import dataclasses
import math
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial, wraps
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_poly.engine.arrays import on_cpu
from tinygrad_poly.engine.errors import DataError, DivergenceError, TraceError
from tinygrad_poly.fitting import quadratic, saved
from tinygrad_poly.fitting.arguments import objective
from tinygrad_poly.fitting.loops.compiled import compiled_loop, compiled_steps
from tinygrad_poly.fitting.loops.eager import eager_loop
from tinygrad_poly.fitting.loops.state import End, State
from tinygrad_poly.fitting.modules import ModuleLoss
from tinygrad_poly.fitting.objective import Loss, Objective, Params, Weights, leaves
from tinygrad_poly.fitting.optimizers import Factory, default_lr, name_and_factory
from tinygrad_poly.fitting.progress import Report, conclude, nothing, shown
from tinygrad_poly.fitting.result import FitResult, W
from tinygrad_poly.fitting.saved import Run
from tinygrad_poly.fitting.schedule import Schedule
from tinygrad_poly.fitting.verdict import rounded_down
from tinygrad_poly.nn import Module
from tinygrad_poly.tensor import Tensor

Rate = float | Callable[[int], Any]
"""A learning rate, or one for each step."""

MOST_AT_ONCE = 1000
"""With more weights than this, the n passes for an n × n Hessian cost more than descent."""


def fit(
    loss: Callable[[W, Tensor, Tensor], Tensor],
    params: Params,
    x: Any,
    y: Any,
    steps: int | None = None,
    lr: Rate | None = None,
    optimizer: str | Factory | None = None,
    log_every: int = 100,
    progress: bool | Report = True,
    compile: bool = False,
    hoist: str | None = None,
    scheduler: Factory | None = None,
) -> FitResult[W]:
    """Minimize a loss: at once where it is quadratic in the weights, and otherwise by gradient descent.

    Without `steps`, `lr` and `optimizer`, a loss that is quadratic in its weights, as that of every model linear in
    them with squared errors, is taken to its optimum by Newton steps, w ← w − H⁻¹ ∂L/∂w. Any of the three asks
    for descent: every step computes L(w), its gradient, and w ← w − lr · ∂L/∂w (or what the optimizer does).
    Ctrl-C stops between two steps and returns what was learned, with `result.interrupted` set.

    Args:
        loss: `loss(params, x, y)`, a scalar tensor, written as one would by hand.
        params: the weights to start from, of any shape: a dict of names to tensors, arrays or numbers, or a
            list of them. They are copied; `loss` gets the copies in the same kind of container. Arrays and numbers
            go to the device of x, tensors have to be there. Or an `nn.Module`, which `loss` gets as it is: the
            parameters that require grad are trained in place, in the mode in which it is; `result.params` has them by
            name.
        x: the data, a tensor or array in whatever shape `loss` expects. Or a Dask array with the points along its
            first axis, for data larger than the memory: see docs/large-data.md.
        y: the data, likewise.
        steps: how many; 2000 if only `lr` or `optimizer` is given.
        lr: the learning rate; by default 10⁻⁶ for SGD, and for other optimizers their own default. Or a function of
            the step, counted from 0: `lr=lambda t: 0.1 / (1 + t)`.
        optimizer: a name, such as "adam", or a function that makes an optimizer: `factory(parameters, lr=lr)`;
            by default plain gradient descent, "sgd".
        log_every: how many steps lie between two losses that are kept and shown; the loss is
            that before the step's update, and the first is that of step `log_every − 1`.
        progress: whether to print the losses, and at the end how far this is from the optimum; or a
            function to call with each step and loss instead.
        compile: run the steps inside a compiled program, many times faster; see `tinygrad_poly.compiler`.
        hoist: "algebra", with `compile`, to sum over the data once and take the steps from the sums: their cost does
            not depend on the number of points then. For losses that are polynomials in the weights.
        scheduler: makes a scheduler of `optim.lr_scheduler` that is stepped after each step:
            `lambda optimizer: StepLR(optimizer, step_size=500)`.

    Raises:
        TraceError: where `compile` is asked for and a step depends on numbers, as in `if loss < 1`.
        DivergenceError: where the loss is no longer a finite number; `error.result` is the fit so far.
        BlockError: where Dask can no longer compute a block of the data; `error.result` is the fit so far.
        DataError: where x and y are Dask arrays and the loss is no sum and no mean over the points.
        DeviceError: where x, y and tensors in `params` are on several devices, or the memory of theirs does not
            suffice; in that case `error.result` is the fit so far.
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
    at_once = steps is None and lr is None and optimizer is None and scheduler is None
    steps = 2000 if steps is None else steps
    _check(steps, "steps", 0)
    _check(log_every, "log_every", 1)
    name, factory = name_and_factory(optimizer or "sgd")
    plan = _Plan(factory, compile, hoist, lr if callable(lr) else None, scheduler)
    lr = _checked_lr(default_lr(factory) if lr is None or callable(lr) else lr)
    target, weights = objective(loss, params, x, y)
    start = _numbers(weights)
    run = Run(start, start, 0, steps, {}, name, {}, lr, log_every, target.listed, {}, plan.schedule, target.buffers)
    plan.check(target)
    if at_once and (solved := _solved(target, run, plan)):
        if progress is True:
            print(solved.how)
            conclude(solved.verdict)
        return solved
    return _descend(target, run, plan, steps, progress)


def resume(
    run: str | Path | Run,
    loss: Callable[[W, Tensor, Tensor], Tensor],
    x: Any,
    y: Any,
    steps: int | None = None,
    lr: Rate | None = None,
    optimizer: Factory | None = None,
    progress: bool | Report = True,
    compile: bool = False,
    hoist: str | None = None,
    scheduler: Factory | None = None,
    model: Module | None = None,
) -> FitResult[W]:
    """Go on with a saved fit; all bits are as if it had never stopped.

    Args:
        run: the file that `result.save` wrote.
        loss: the same loss as before.
        x: the same data as before.
        y: the same data as before.
        steps: how many in all, those already taken included; by default as many as the fit was to take.
        lr: another learning rate for the steps to come; and the function again, where the fit had one.
        optimizer: what made the optimizer, where the fit was given a function and not a name.
        progress: as in `fit`.
        hoist: as in `fit`.
        compile: as in `fit`; a compiled program adds up in another order, so that the last bits may differ.
        scheduler: what made the scheduler, where the fit had one.
        model: the module, where the fit was of one; its parameters and buffers are set to the saved ones.

    Raises:
        TypeError: where the fit was of a module, and none is given.
        DataError: where the file cannot be read, is none of ours, or is damaged.
        ValueError: where fewer steps are asked for than are complete.
    """
    saved_run = run if isinstance(run, Run) else saved.load(run)
    if (model is None) != (saved_run.buffers is None):
        raise TypeError("the fit was of a module: pass it as model" if model is None else "the fit was of no module")
    params: Params = list(saved_run.params.values()) if saved_run.listed else saved_run.params
    target, weights = objective(loss, model or params, x, y)
    if {name: tuple(w.shape) for name, w in weights.items()} != {n: w.shape for n, w in saved_run.params.items()}:
        raise DataError("the saved parameters are not those of this module: their names or shapes differ")
    try:
        _, factory = name_and_factory(optimizer or saved_run.optimizer)
    except ValueError as error:
        raise DataError(f"the fit was made with an optimizer that has to be passed again: {error}") from None
    plan = _Plan(factory, compile, hoist, lr if callable(lr) else None, scheduler)
    if saved_run.schedule and not plan.schedule and lr is None:
        raise DataError(f"the fit had a learning-rate schedule, which has to be passed again as {saved_run.schedule}")
    other = None if lr is None or callable(lr) else _checked_lr(lr)
    return _descend(target, saved_run, plan, saved_run.steps if steps is None else steps, progress, other)


def program(
    loss: Loss,
    params: Params,
    x: Any,
    y: Any,
    lr: Rate = 1e-6,
    optimizer: str | Factory = "sgd",
    hoist: str | None = None,
    target: str = "python",
) -> str:
    """The compiled program of a fit as source, to be read: forward, backward and update in one loop.

    Args:
        loss: as for `fit`, like all arguments.
        params: the weights to start from.
        x: the data.
        y: the data.
        lr: the learning rate.
        optimizer: a name or what makes one.
        hoist: as for `fit`.
        target: "python", or "js" for what a browser can run.

    >>> print(program(lambda params, x, y: (params["w"] * x - y).pow(2).sum(), {"w": 0.5}, [1.0, 2.0], [2.0, 4.0]))
    def run(first, last, log_every, losses, x, y, w):
        k = 0
        for t in range(first, last):
            grad_w = 0.0
            loss = 0.0
            for i in range(2):
                x_i = x[i]
                v1 = w * x_i - y[i]                               # forward
                grad_w += 2.0 * v1 * x_i                          # backward
                loss += v1 * v1                                   # forward
            if t % log_every == log_every - 1:
                losses[k] = loss
                k += 1
            next_w = w - 1e-06 * grad_w                           # update
            w = next_w
        return (w,)
    """
    if target not in ("python", "js"):
        raise ValueError(f"target must be 'python' or 'js', not {target!r}")
    if isinstance(params, Module):
        whole = ModuleLoss(loss, params)
        by_name = wraps(loss)(lambda *given: whole(*given))  # which leaves the module as it is
        return program(by_name, whole.weights, x, y, lr, optimizer, hoist, target)
    function, start = objective(loss, params, x, y)
    if function.in_blocks:
        raise ValueError("there is a program for each length of a block of Dask arrays: pass one block of x and y")
    _, factory = name_and_factory(optimizer)
    weights = leaves(start, function.device)
    made = factory(list(weights.values()), lr=default_lr(factory) if callable(lr) else _checked_lr(lr))
    schedule = Schedule(lr, None, made) if callable(lr) else None
    state = State(function, weights, made, range(1), schedule=schedule)
    compiled = compiled_steps(state, hoist)
    if compiled is None:
        # What the optimizer remembers appears with its first step, if that can be taken.
        fit(loss, params, x, y, steps=1, lr=lr, optimizer=optimizer, progress=False)
        eager_loop(state)
        compiled = compiled_steps(state, hoist)
    if compiled is None:
        raise TraceError("the optimizer remembers something else after each step, so there is no program of its steps")
    return compiled.source(pretty=True, target=target)


@dataclasses.dataclass(frozen=True)
class _Plan:
    """The way in which a fit takes its steps."""

    factory: Factory
    compile: bool
    hoist: str | None
    lr: Callable[[int], Any] | None
    scheduler: Factory | None

    @property
    def schedule(self) -> str:
        """The argument that is a schedule; "" if none is."""
        return "scheduler" if self.scheduler is not None else "lr" if self.lr is not None else ""

    def check(self, target: Objective) -> None:
        """Check that these things go together."""
        if self.hoist and not self.compile:
            raise ValueError("hoist is a way of compiling: pass compile=True as well")
        if self.hoist and target.in_blocks:
            raise ValueError("hoist sums over the data in one place, and x and y are Dask arrays: leave it out")
        if self.lr is not None and self.scheduler is not None:
            raise ValueError("lr is a function of the step, and there is a scheduler: give one of them")


def _descend(
    target: Objective, run: Run, plan: _Plan, steps: int, progress: bool | Report, lr: float | None = None
) -> FitResult:
    """Continue a run up to `steps` steps, at another learning rate if one is given."""
    run = run if lr is None else dataclasses.replace(run, lr=lr)
    plan.check(target)
    _check(steps, "steps", run.step)
    weights = target.leaves(run.params, run.buffers)
    optimizer = plan.factory(list(weights.values()), lr=run.lr)
    schedule = Schedule(plan.lr, plan.scheduler, optimizer) if plan.schedule else None
    rates = [group["lr"] for group in optimizer.param_groups] if lr is not None else []
    if run.optimizer_state:
        try:
            optimizer.load_state_dict(run.optimizer_state)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise DataError(f"the saved state is not one of this optimizer: {error}") from error
        for group, rate in zip(optimizer.param_groups, rates):
            group["lr"] = rate
    with ExitStack() as stack:
        stack.enter_context(target.device.active())
        report = stack.enter_context(shown(run.step, steps)) if progress is True else progress or nothing
        state = State(target, weights, optimizer, range(run.step, steps), run.log_every, dict(run.losses), report)
        state.schedule = schedule
        end = compiled_loop(state, plan.hoist) if plan.compile and not target.in_blocks else eager_loop(state)
    target = target.as_now()
    if schedule and end.step:
        schedule.set(optimizer, end.step - 1)
    now = dataclasses.replace(
        run,
        params=_numbers(weights),
        step=end.step,
        steps=steps,
        # What a loop found out about a step that it could not complete is found out again by the next one.
        losses={t: loss for t, loss in state.losses.items() if t < end.step},
        optimizer_state=optimizer.state_dict(),
        schedule=plan.schedule,
        buffers=target.buffers,
    )
    plain = not schedule and _is_plain(optimizer, weights, run.lr)
    result = FitResult(target, now, partial(_continued, target, plan), end.interrupted, plain)
    if end.diverged:
        raise _divergence(result, end)
    if end.failed:
        end.failed.result = result
        raise end.failed
    if progress is True:
        conclude(result.verdict)
    return result


def _continued(target: Objective, plan: _Plan, run: Run, steps: int, lr: Rate | None, progress: Any) -> FitResult:
    """The same fit, up to `steps` steps."""
    if lr is not None:
        plan = dataclasses.replace(plan, lr=lr if callable(lr) else None, scheduler=None)
    return _descend(target, run, plan, steps, progress, None if lr is None or callable(lr) else _checked_lr(lr))


def _solved(target: Objective, run: Run, plan: _Plan) -> FitResult | None:
    """The result at the optimum of a quadratic loss; None if it is not quadratic, or has none that can be computed."""
    try:
        found = quadratic.of(target, run.start, MOST_AT_ONCE)
    except KeyboardInterrupt:
        return FitResult(target, run, partial(_continued, target, plan), interrupted=True)
    if found is None:
        return None
    best = quadratic.split(found.optimum, found.shapes)
    with np.errstate(over="ignore"):
        params = {name: best[name].astype(w.dtype) for name, w in run.start.items()}
    # Whoever resumes it goes on by descent, at a rate that is stable.
    lr = rounded_down(found.largest_stable_lr / 2)
    run = dataclasses.replace(run, params=params, step=found.steps, steps=found.steps, lr=lr, buffers=target.buffers)
    result = FitResult(target, run, partial(_continued, target, plan), is_plain_descent=True, solution=found)
    if not math.isfinite(result.loss):
        return None
    target.leaves(params)
    return result


def _is_plain(optimizer: Any, weights: Weights, lr: float) -> bool:
    """Whether the steps are w ← w − lr · ∂L/∂w for each of the weights, as the optimizer says itself."""
    plain = getattr(optimizer, "is_plain_descent", False)
    updated = [p for group in optimizer.param_groups for p in group["params"]] if plain else []
    return plain and set(updated) == set(weights.values()) and optimizer.lr == lr


def _numbers(weights: Weights) -> saved.Arrays:
    return {name: np.asarray(on_cpu(w.array)) for name, w in weights.items()}


def _divergence(result: FitResult, end: End) -> DivergenceError:
    if end.last_loss is None:
        where = "before any update" if not end.step else "where the fit goes on"
        message = (
            f"the loss is not a finite number at step {end.step}, {where}: look for NaN and huge numbers in the data "
            "and in the weights to start from"
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


def _checked_lr(lr: Any) -> float:
    if isinstance(lr, bool) or not (isinstance(lr, int | float | np.integer | np.floating) and 0 < lr < math.inf):
        raise ValueError(f"lr must be a positive number, not {lr!r}")
    return lr if isinstance(lr, int) else float(lr)
