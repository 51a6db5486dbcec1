"""SGD and its relatives: gradient descent with or without momentum, averaged, and by signs alone."""

import math
from typing import ClassVar

from tinygrad_poly.engine.apply import wrap
from tinygrad_poly.engine.arrays import namespace
from tinygrad_poly.optim.optimizer import (
    Group,
    TabledOptimizer,
    chosen,
    gradients,
    in_range,
    not_negative,
    rate,
)


class SGD(TabledOptimizer):
    """Gradient descent: w ← w − lr · g with g = ∂L/∂w.

    With momentum μ, v ← μ v + (1 − dampening) g (at first v = g) and w ← w − lr · v, or with Nesterov's
    w ← w − lr · (g + μ v).

    Args:
        params: the weights to update, or groups of them.
        lr: the learning rate.
        momentum: μ.
        dampening: how much less of each gradient goes into v.
        weight_decay: λ of the penalty ½ λ w², whose gradient is added to g.
        nesterov: whether to step along g + μ v.
        maximize: whether to go uphill.
        torchs: `foreach`, `fused`, `capturable` and `differentiable`, None or False: there is one way to compute here.

    Raises:
        ValueError: for options that are negative, and Nesterov without momentum or with dampening.

    >>> w = tensor([1.0], requires_grad=True)
    >>> optimizer = SGD([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()                # 1 - 0.1 · 2
    >>> w
    tensor([0.8000], requires_grad=True)
    """

    options: ClassVar = {"lr": 1e-3, "momentum": 0, "dampening": 0, "weight_decay": 0, "nesterov": False}

    def _check(self, group: Group) -> None:
        not_negative(group, "lr", "momentum", "weight_decay")
        group["dampening"] = in_range(group["dampening"], "dampening", -math.inf, math.inf, "must be a finite number")
        if group["nesterov"] and not (group["momentum"] > 0 and group["dampening"] == 0):
            raise ValueError(
                f"nesterov needs a momentum above 0 and no dampening, not momentum {group['momentum']} "
                f"and dampening {group['dampening']}"
            )

    @property
    def is_plain_descent(self) -> bool:
        """Whether there is neither momentum nor weight decay, all groups have one lr, and none goes uphill.

        A subclass, or an object whose `step` was replaced, does more than that, such as clipping.
        """
        extended = type(self) is not SGD or not {"step", "zero_grad", "_update"}.isdisjoint(vars(self))
        more = any(group[name] for group in self.param_groups for name in ("momentum", "weight_decay", "maximize"))
        return not extended and not more and len({group["lr"] for group in self.param_groups}) == 1

    def _update(self, group: Group) -> None:
        lr, momentum = rate(group), group["momentum"]
        if not (momentum or group["weight_decay"] or group["maximize"]):
            for p in group["params"]:
                node = p.node
                if node is not None and (g := node.grad) is not None:
                    p.array = p.array - lr * g.array
            return
        for p, g in gradients(group):
            if momentum:
                state = self.state[p]
                v = g
                if state:
                    v = momentum * state["momentum_buffer"].array + (1 - group["dampening"]) * g
                state["momentum_buffer"] = wrap(v, None)
                g = g + momentum * v if group["nesterov"] else v
            p.array = p.array - lr * g


class ASGD(TabledOptimizer):
    """w ← (1 − λ η) w − η g with η = lr / (1 + λ · lr · t)^α; the state has the average of w from step t0 on, as `ax`.

    Polyak and Juditsky, Acceleration of Stochastic Approximation by Averaging, 1992.

    >>> w = tensor([1.0], requires_grad=True)
    >>> optimizer = ASGD([w], lr=0.1, lambd=0.0)
    >>> (3 * w).sum().backward()
    >>> optimizer.step()                # 1 - 0.1 · 3
    >>> w
    tensor([0.7000], requires_grad=True)
    """

    options: ClassVar = {"lr": 1e-2, "lambd": 1e-4, "alpha": 0.75, "t0": 1e6, "weight_decay": 0}

    def _update(self, group: Group) -> None:
        lr, lambd = rate(group), group["lambd"]
        for p, g in gradients(group):
            state = self._at_next_step(p, ("ax",), eta=lr, mu=1.0)
            eta, mu, average = state["eta"], state["mu"], state["ax"].array
            p.array = w = p.array * (1 - lambd * eta) - eta * g
            state["ax"] = wrap(average + (w - average) * mu, None)
            averaged = state["step"] - group["t0"]
            state["eta"] = lr / (1 + lambd * lr * state["step"]) ** group["alpha"]
            state["mu"] = 1 / chosen(averaged > 1, averaged, 1.0)


class Rprop(TabledOptimizer):
    """w ← w − s · sign g, where s grows by η⁺ while the sign of g stays, and shrinks by η⁻, without a step, if not.

    Riedmiller and Braun, A Direct Adaptive Method for Faster Backpropagation Learning, 1993.

    >>> w = tensor([1.0], requires_grad=True)
    >>> optimizer = Rprop([w], lr=0.1)
    >>> (1000 * w).sum().backward()
    >>> optimizer.step()                # the first step is lr long, whatever the gradient
    >>> w
    tensor([0.9000], requires_grad=True)
    """

    options: ClassVar = {"lr": 1e-2, "etas": (0.5, 1.2), "step_sizes": (1e-6, 50)}

    def _check(self, group: Group) -> None:
        super()._check(group)
        group.update(etas=tuple(group["etas"]), step_sizes=tuple(group["step_sizes"]))
        less, more = group["etas"]
        if not 0 < less < 1 < more:
            raise ValueError(f"etas must be a number from 0 to 1 and one above 1, not {less} and {more}")

    def _update(self, group: Group) -> None:
        (less, more), (least, most) = group["etas"], group["step_sizes"]
        for p, g in gradients(group):
            is_new = not self.state[p]
            state, xp = self._at_next_step(p, ("prev", "step_size")), namespace(g)
            size = state["step_size"].array + (rate(group) if is_new else 0.0)
            turn = g * state["prev"].array
            size = size * xp.where(turn > 0, more, xp.where(turn < 0, less, xp.ones_like(g)))
            size = xp.where(size < least, least, xp.where(size > most, most, size))
            g = xp.where(turn < 0, 0.0, g)
            state["prev"], state["step_size"] = wrap(g, None), wrap(size, None)
            p.array = p.array - xp.sign(g) * size
