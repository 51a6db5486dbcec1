"""Adagrad and its relatives: steps divided by the root of a sum or mean of all squared gradients so far."""

from typing import ClassVar

from tinygrad_poly.engine.apply import wrap
from tinygrad_poly.engine.arrays import namespace
from tinygrad_poly.optim.optimizer import Group, TabledOptimizer, gradients, rate


class Adagrad(TabledOptimizer):
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

    options: ClassVar = {
        "lr": 1e-2, "lr_decay": 0, "weight_decay": 0, "initial_accumulator_value": 0, "eps": 1e-10
    }  # fmt: skip

    def _update(self, group: Group) -> None:
        for p, g in gradients(group):
            state = self._at_next_step(p, ("sum",), fill=group["initial_accumulator_value"])
            lr = rate(group) / (1 + (state["step"] - 1) * group["lr_decay"])
            v = state["sum"].array + g * g
            state["sum"] = wrap(v, None)
            p.array = p.array - lr * (g / (namespace(v).sqrt(v) + group["eps"]))


class RMSprop(TabledOptimizer):
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

    options: ClassVar = {
        "lr": 1e-2, "alpha": 0.99, "eps": 1e-8, "weight_decay": 0, "momentum": 0, "centered": False
    }  # fmt: skip

    def _update(self, group: Group) -> None:
        lr, alpha, momentum = rate(group), group["alpha"], group["momentum"]
        names = ["square_avg"] + ["momentum_buffer"] * (momentum > 0) + ["grad_avg"] * group["centered"]
        for p, g in gradients(group):
            state = self._at_next_step(p, names)
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


class Adadelta(TabledOptimizer):
    """w ← w − lr · d with d = √(u + eps) / √(v + eps) · g, and averages u of the d² and v of the g² so far.

    Both averages keep the part `rho` of themselves. Zeiler, ADADELTA: An Adaptive Learning Rate Method, 2012.

    >>> w = tensor([1.0], requires_grad=True)
    >>> optimizer = Adadelta([w], lr=100.0, rho=0.75)
    >>> (1000 * w).sum().backward()
    >>> optimizer.step()                # 1 - 100 · √1e-6 / √(1000²/4) · 1000
    >>> w
    tensor([0.8000], requires_grad=True)
    """

    options: ClassVar = {"lr": 1.0, "rho": 0.9, "eps": 1e-6, "weight_decay": 0}
    limits: ClassVar = {"rho": (lambda rho: rho <= 1, "from 0 to 1")}

    def _update(self, group: Group) -> None:
        rho, eps = group["rho"], group["eps"]
        for p, g in gradients(group):
            state = self._at_next_step(p, ("square_avg", "acc_delta"))
            sqrt, u = namespace(g).sqrt, state["acc_delta"].array
            v = rho * state["square_avg"].array + (1 - rho) * (g * g)
            d = sqrt(u + eps) / sqrt(v + eps) * g
            state["square_avg"], state["acc_delta"] = wrap(v, None), wrap(rho * u + (1 - rho) * (d * d), None)
            p.array = p.array - rate(group) * d
