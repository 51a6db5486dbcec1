"""Adagrad: steps divided by the root of the sum of all squared gradients so far."""

from typing import Unpack

from tinygrad_poly.creation import zeros_like
from tinygrad_poly.engine.apply import wrap
from tinygrad_poly.engine.arrays import namespace
from tinygrad_poly.optim.optimizer import Group, Optimizer, Params, TorchsOptions, given, gradients, not_negative, rate


class Adagrad(Optimizer):
    """w ← w − lr / (1 + (t − 1) · lr_decay) · g / (√v + eps), with v the sum of all g² so far.

    Duchi, Hazan and Singer, Adaptive Subgradient Methods for Online Learning, 2011.

    Args:
        params: the weights to update, or groups of them.
        lr: the learning rate.
        lr_decay: how fast it falls with the number t of steps.
        weight_decay: λ of the penalty ½ λ w², whose gradient is added to g.
        initial_accumulator_value: what v starts from.
        eps: what keeps the quotient finite where the gradients are 0.
        maximize: whether to go uphill.
        torchs: `foreach`, `fused`, `capturable` and `differentiable`, None or False: there is one way to compute here.

    Raises:
        ValueError: for options that are negative.

    >>> w = tensor([1.0], requires_grad=True)
    >>> optimizer = Adagrad([w], lr=0.1)
    >>> (1000 * w).sum().backward()
    >>> optimizer.step()                # the first step is lr long, whatever the gradient
    >>> w
    tensor([0.9000], requires_grad=True)
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        *,
        maximize: bool = False,
        **torchs: Unpack[TorchsOptions],
    ) -> None:
        super().__init__(params, given(locals()), torchs)

    def _check(self, group: Group) -> None:
        not_negative(group, "lr", "lr_decay", "weight_decay", "initial_accumulator_value", "eps")

    def _update(self, group: Group) -> None:
        for p, g in gradients(group, group["weight_decay"]):
            state = self.state[p]
            if not state:
                state.update(step=0, sum=zeros_like(p) + group["initial_accumulator_value"])
            state["step"] += 1
            lr = rate(group) / (1 + (state["step"] - 1) * group["lr_decay"])
            v = state["sum"].array + g * g
            state["sum"] = wrap(v, None)
            p.array = p.array - lr * (g / (namespace(v).sqrt(v) + group["eps"]))
