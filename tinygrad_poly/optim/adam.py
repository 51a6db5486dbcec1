"""Adam and AdamW: steps by a mean of the gradients, divided by the root of a mean of their squares."""

from typing import Unpack

from tinygrad_poly.creation import zeros_like
from tinygrad_poly.engine.apply import wrap
from tinygrad_poly.engine.arrays import Array, namespace
from tinygrad_poly.optim.optimizer import (
    Group,
    Optimizer,
    Params,
    TorchsOptions,
    check_betas,
    given,
    gradients,
    not_negative,
    rate,
)


class Adam(Optimizer):
    """w ← w − lr · m̂ / (√v̂ + eps), with averages m of the gradients g and v of their squares.

    m ← β₁ m + (1 − β₁) g and v ← β₂ v + (1 − β₂) g² start at 0. After t steps they have seen only
    m̂ = m / (1 − β₁ᵗ) and v̂ = v / (1 − β₂ᵗ) of their weight.

    Kingma and Ba, Adam: A Method for Stochastic Optimization, 2014.

    Args:
        params: the weights to update, or groups of them.
        lr: the learning rate.
        betas: β₁ and β₂, from 0 to below 1.
        eps: what keeps the quotient finite where the gradients are 0.
        weight_decay: λ of the penalty ½ λ w², whose gradient is added to g.
        amsgrad: whether to divide by the largest √v so far.
        maximize: whether to go uphill.
        decoupled_weight_decay: whether to shrink w instead, as `AdamW` does.
        torchs: `foreach`, `fused`, `capturable` and `differentiable`, None or False: there is one way to compute here.

    Raises:
        ValueError: for options that are out of range.

    >>> w = tensor([1.0], requires_grad=True)
    >>> optimizer = Adam([w], lr=0.1)
    >>> (1000 * w).sum().backward()
    >>> optimizer.step()                # the first step is lr long, whatever the gradient
    >>> w
    tensor([0.9000], requires_grad=True)
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        decoupled_weight_decay: bool = False,
        **torchs: Unpack[TorchsOptions],
    ) -> None:
        super().__init__(params, given(locals()), torchs)

    def _check(self, group: Group) -> None:
        not_negative(group, "lr", "eps", "weight_decay")
        check_betas(group)

    def _update(self, group: Group) -> None:
        lr, eps, weight_decay = rate(group), group["eps"], group["weight_decay"]
        beta1, beta2 = group["betas"]
        decoupled = group["decoupled_weight_decay"]
        for p, g in gradients(group, 0 if decoupled else weight_decay):
            state = self.state[p]
            if not state:
                state.update(step=0, exp_avg=zeros_like(p), exp_avg_sq=zeros_like(p))
            state["step"] = t = state["step"] + 1
            m, v = state["exp_avg"].array, state["exp_avg_sq"].array
            m = m + (1 - beta1) * (g - m)
            v = beta2 * v + (1 - beta2) * (g * g)
            state["exp_avg"], state["exp_avg_sq"] = wrap(m, None), wrap(v, None)
            if group["amsgrad"]:
                v = self._largest(p, v)
            denominator = namespace(v).sqrt(v) / (1 - beta2**t) ** 0.5 + eps
            w = p.array * (1 - lr * weight_decay) if decoupled and weight_decay else p.array
            p.array = w - lr / (1 - beta1**t) * (m / denominator)

    def _largest(self, p: Array, v: Array) -> Array:
        """The elementwise largest v so far."""
        state = self.state[p]
        if "max_exp_avg_sq" in state:
            v = namespace(v).maximum(state["max_exp_avg_sq"].array, v)
        state["max_exp_avg_sq"] = wrap(v, None)
        return v


class AdamW(Adam):
    """Adam with decoupled weight decay: first w ← (1 − lr · weight_decay) w, then the step without it.

    Loshchilov and Hutter, Decoupled Weight Decay Regularization, 2017.

    >>> w = tensor([1.0], requires_grad=True)
    >>> optimizer = AdamW([w], lr=0.1, weight_decay=0.5)
    >>> (1000 * w).sum().backward()
    >>> optimizer.step()                # 1 · (1 - 0.05) - 0.1
    >>> w
    tensor([0.8500], requires_grad=True)
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        **torchs: Unpack[TorchsOptions],
    ) -> None:
        super().__init__(
            params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize, decoupled_weight_decay=True, **torchs
        )
