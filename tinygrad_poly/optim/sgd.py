"""SGD: gradient descent, with or without momentum."""

import math
from typing import Unpack

from tinygrad_poly.engine.apply import wrap
from tinygrad_poly.optim.optimizer import (
    Group,
    Optimizer,
    Params,
    TorchsOptions,
    given,
    gradients,
    in_range,
    not_negative,
    rate,
)


class SGD(Optimizer):
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

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        **torchs: Unpack[TorchsOptions],
    ) -> None:
        super().__init__(params, given(locals()), torchs)

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
        lr, momentum, weight_decay = rate(group), group["momentum"], group["weight_decay"]
        if not (momentum or weight_decay or group["maximize"]):
            for p in group["params"]:
                node = p.node
                if node is not None and (g := node.grad) is not None:
                    p.array = p.array - lr * g.array
            return
        for p, g in gradients(group, weight_decay):
            if momentum:
                state = self.state[p]
                v = g
                if state:
                    v = momentum * state["momentum_buffer"].array + (1 - group["dampening"]) * g
                state["momentum_buffer"] = wrap(v, None)
                g = g + momentum * v if group["nesterov"] else v
            p.array = p.array - lr * g
