"""L-BFGS: Newton's steps with a curvature that is estimated from the last gradients."""

import functools
import math
from typing import Any, ClassVar

from tinygrad_poly.engine.apply import wrap
from tinygrad_poly.engine.arrays import Array, astype, namespace, total
from tinygrad_poly.engine.errors import DtypeError
from tinygrad_poly.engine.recording import enable_grad
from tinygrad_poly.optim.line_search import Trial, strong_wolfe
from tinygrad_poly.optim.optimizer import Closure, Group, TabledOptimizer
from tinygrad_poly.tensor import Tensor

LEAST_CURVATURE = 1e-10  # y · s of a pair that is worth remembering


class LBFGS(TabledOptimizer):
    """Newton's method with an inverse Hessian that is estimated from the last steps and changes of the gradient.

    One `step` takes up to `max_iter` of them, and calls a function that computes the loss as often as it
    needs to. Losses that are nearly quadratic, such as those of least squares, take a handful.

    Liu and Nocedal, On the limited memory BFGS method for large scale optimization, 1989.

    Args:
        params: the weights to update; there can be only one group.
        lr: the length of a step, in units of Newton's.
        max_iter: how many iterations a `step` may take.
        max_eval: how many times it may evaluate the loss; 1.25 · max_iter by default.
        tolerance_grad: done where no element of the gradient is larger.
        tolerance_change: done where the loss, or all weights, change by less.
        history_size: how many iterations are remembered.
        line_search_fn: None to go the whole step, or "strong_wolfe" to search along it.

    Raises:
        ValueError: for several groups, and options that make no sense.

    >>> w = tensor([3.0], requires_grad=True)
    >>> optimizer = LBFGS([w], line_search_fn="strong_wolfe")
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = ((w - 2) ** 2).sum()
    ...     loss.backward()
    ...     return loss
    >>> optimizer.step(closure)         # the loss before the step
    tensor(1., grad_fn=<SumBackward0>)
    >>> w
    tensor([2.], requires_grad=True)
    """

    needs_closure = True

    options: ClassVar = {
        "lr": 1, "max_iter": 20, "max_eval": None, "tolerance_grad": 1e-7, "tolerance_change": 1e-9,
        "history_size": 100, "line_search_fn": None,
    }  # fmt: skip
    named: ClassVar = {}
    limits: ClassVar = dict.fromkeys(("max_iter", "max_eval", "history_size"), (lambda n: n >= 1, "1 or more")) | {
        "line_search_fn": ((None, "strong_wolfe").__contains__, "None or 'strong_wolfe'")
    }

    def add_param_group(self, param_group: Group) -> None:
        """Add the only group that there can be.

        Raises:
            ValueError: for a second group.
        """
        if self.param_groups:
            raise ValueError("LBFGS takes all parameters in one group, because it sees them as one vector")
        super().add_param_group(param_group)

    def _check(self, group: Group) -> None:
        if group["max_eval"] is None:
            group["max_eval"] = group["max_iter"] * 5 // 4
        super()._check(group)

    def step(self, closure: Closure | None = None) -> Any:
        """Take up to `max_iter` iterations.

        Args:
            closure: clears the gradients, computes the loss, calls `backward` on it and returns it.

        Returns:
            The loss before them.
        """
        if closure is None:
            raise DtypeError(
                "LBFGS.step() needs a closure, because it evaluates the loss more than once: a function that "
                "clears the gradients, computes the loss, calls backward() on it and returns it"
            )
        group = self.param_groups[0]
        lr, max_iter, max_eval = float(group["lr"]), group["max_iter"], group["max_eval"]
        tolerance_grad, tolerance_change = group["tolerance_grad"], group["tolerance_change"]
        searches = group["line_search_fn"] is not None
        first, g = self._evaluated(closure)
        loss = float(first)
        state = self.state[group["params"][0]]
        if not state:
            state.update(func_evals=0, n_iter=0, old_dirs=[], old_stps=[], ro=[], H_diag=1)
        state["func_evals"] += 1
        evaluations = 1
        if largest(g) <= tolerance_grad:
            return first
        for iteration in range(1, max_iter + 1):
            state["n_iter"] += 1
            d = direction(state, g, group["history_size"])
            t = lr * min(1.0, 1.0 / float(total(abs(g)))) if state["n_iter"] == 1 else lr
            slope = total(g * d)
            loss_before = loss
            state.update(d=wrap(d, None), t=t, prev_flat_grad=wrap(g, None), prev_loss=loss)
            if slope > -tolerance_change:
                break
            here = [p.array for p in group["params"]]
            if searches:
                trial, tried = strong_wolfe(
                    functools.partial(self._try, closure, here, d),
                    Trial(0, loss, g, float(slope)),
                    t,
                    float(largest(d)),
                    tolerance_change,
                    max_eval - evaluations,
                )
                t, loss, g = trial.t, trial.loss, trial.gradient
                state["t"] = t
                self._move(here, d, t)
            else:
                # After the last iteration nobody needs to know the loss.
                tried = int(iteration != max_iter)
                self._move(here, d, t)
                if tried:
                    output, g = self._evaluated(closure)
                    loss = float(output)
            evaluations += tried
            state["func_evals"] += tried
            done = largest(g) <= tolerance_grad or largest(d * t) <= tolerance_change
            if done or evaluations >= max_eval or abs(loss - loss_before) < tolerance_change:
                break
        return first

    def _evaluated(self, closure: Closure) -> tuple[Any, Array]:
        """The loss, and the gradients of all parameters as one vector."""
        parts = []
        with enable_grad():
            loss = closure()
        for p in self.param_groups[0]["params"]:
            xp = namespace(p.array)
            g = xp.zeros_like(p.array) if p.grad is None else p.grad.array
            parts.append(xp.reshape(g, (-1,)))
        return loss, parts[0] if len(parts) == 1 else namespace(parts[0]).concat(parts)

    def _move(self, here: list[Array], d: Array, t: float) -> None:
        """Set the parameters to `here` + t d."""
        end = 0
        for p, array in zip(self.param_groups[0]["params"], here, strict=True):
            start, end = end, end + math.prod(array.shape)
            moved = array + t * namespace(d).reshape(d[start:end], array.shape)
            p.array = moved if moved.dtype == array.dtype else astype(moved, array.dtype)

    def _try(self, closure: Closure, here: list[Array], d: Array, t: float) -> Trial:
        """The loss and its gradient at `here` + t d."""
        self._move(here, d, t)
        loss, g = self._evaluated(closure)
        return Trial(t, float(loss), g, float(total(g * d)))


def largest(x: Array) -> Any:
    """The largest absolute value of an element."""
    return namespace(x).max(abs(x))


def direction(state: dict[str, Any], g: Array, history_size: int) -> Array:
    """The direction −H g, with H the estimate of the inverse Hessian after the step that led to `g`.

    With a pair s (the step) and y (the change of the gradient), Newton's method would have s = H y. Each
    pair changes H so that it has, and is otherwise as near as it can be to what it was.
    """
    if "d" not in state:
        return -g
    y = g - state["prev_flat_grad"].array
    s = state["d"].array * state["t"]
    ys = total(y * s)
    if ys > LEAST_CURVATURE:
        for name, value in (("old_dirs", y), ("old_stps", s), ("ro", 1.0 / ys)):
            state[name] = [*state[name], wrap(value, None)][-history_size:]
        state["H_diag"] = wrap(ys / total(y * y), None)
    pairs = [tuple(part.array for part in pair) for pair in zip(state["old_dirs"], state["old_stps"], state["ro"])]
    q, parts = -g, []
    for y, s, r in reversed(pairs):
        parts.append(total(s * q) * r)
        q = q - parts[-1] * y
    scale = state["H_diag"]
    q = q * (scale.array if isinstance(scale, Tensor) else scale)
    for y, s, r in pairs:
        q = q + (parts.pop() - total(y * q) * r) * s
    return q
