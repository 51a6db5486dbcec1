"""RMSprop: steps divided by the root of a running mean of the squared gradients."""

from typing import Unpack

from tinygrad_poly.creation import zeros_like
from tinygrad_poly.engine.apply import wrap
from tinygrad_poly.engine.arrays import namespace
from tinygrad_poly.optim.optimizer import Group, Optimizer, Params, TorchsOptions, given, gradients, not_negative, rate


class RMSprop(Optimizer):
    """w ← w − lr · g / (√v + eps), with the average v ← α v + (1 − α) g² of the squared gradients.

    Args:
        params: the weights to update, or groups of them.
        lr: the learning rate.
        alpha: α.
        eps: what keeps the quotient finite where the gradients are 0.
        weight_decay: λ of the penalty ½ λ w², whose gradient is added to g.
        momentum: μ of b ← μ b + g / (√v + eps), which is then what is stepped along.
        centered: whether to subtract from v the square of the average gradient, which leaves the variance.
        maximize: whether to go uphill.
        torchs: `foreach`, `fused`, `capturable` and `differentiable`, None or False: there is one way to compute here.

    Raises:
        ValueError: for options that are negative.

    >>> w = tensor([1.0], requires_grad=True)
    >>> optimizer = RMSprop([w], lr=0.01, alpha=0.75)
    >>> (1000 * w).sum().backward()
    >>> optimizer.step()                # 1 - 0.01 · 1000 / √(1000²/4)
    >>> w
    tensor([0.9800], requires_grad=True)
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        *,
        maximize: bool = False,
        **torchs: Unpack[TorchsOptions],
    ) -> None:
        super().__init__(params, given(locals()), torchs)

    def _check(self, group: Group) -> None:
        not_negative(group, "lr", "alpha", "eps", "weight_decay", "momentum")

    def _update(self, group: Group) -> None:
        lr, alpha, momentum = rate(group), group["alpha"], group["momentum"]
        for p, g in gradients(group, group["weight_decay"]):
            state = self.state[p]
            if not state:
                names = ["square_avg"] + ["momentum_buffer"] * (momentum > 0) + ["grad_avg"] * group["centered"]
                state.update({"step": 0} | {name: zeros_like(p) for name in names})
            state["step"] += 1
            v = alpha * state["square_avg"].array + (1 - alpha) * (g * g)
            state["square_avg"] = wrap(v, None)
            if group["centered"]:
                m = state["grad_avg"].array
                m = m + (1 - alpha) * (g - m)
                state["grad_avg"] = wrap(m, None)
                v = v - m * m
            g = g / (namespace(v).sqrt(v) + group["eps"])
            if momentum:
                g = momentum * state["momentum_buffer"].array + g
                state["momentum_buffer"] = wrap(g, None)
            p.array = p.array - lr * g
