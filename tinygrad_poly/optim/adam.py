"""Adam and its relatives: steps by a mean of the gradients, divided by the root of a mean of their squares."""

from typing import Any, ClassVar

from tinygrad_poly.engine.apply import wrap
from tinygrad_poly.engine.arrays import Array, namespace
from tinygrad_poly.optim.optimizer import Group, TabledOptimizer, chosen, gradients, rate
from tinygrad_poly.tensor import Tensor

ADAM = {"lr": 2e-3, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0}


def _decayed(p: Tensor, group: Group) -> Array:
    """The weight, made smaller where `weight_decay` is decoupled from the gradient."""
    decays = group["decoupled_weight_decay"] and group["weight_decay"]
    return p.array * (1 - rate(group) * group["weight_decay"]) if decays else p.array


def _averages(state: dict[str, Any], g: Array, group: Group) -> tuple[Array, Array]:
    """The averages m of the gradients and v of their squares, with this gradient."""
    (beta1, beta2), m, v = group["betas"], state["exp_avg"].array, state["exp_avg_sq"].array
    m, v = m + (1 - beta1) * (g - m), beta2 * v + (1 - beta2) * (g * g)
    state["exp_avg"], state["exp_avg_sq"] = wrap(m, None), wrap(v, None)
    return m, v


class Adam(TabledOptimizer):
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

    options: ClassVar = ADAM | {"lr": 1e-3, "amsgrad": False}
    named: ClassVar = {"maximize": False, "decoupled_weight_decay": False}

    def _update(self, group: Group) -> None:
        lr, (beta1, beta2) = rate(group), group["betas"]
        for p, g in gradients(group):
            state = self._at_next_step(p, ("exp_avg", "exp_avg_sq"))
            t = state["step"]
            m, v = _averages(state, g, group)
            if group["amsgrad"]:
                if "max_exp_avg_sq" in state:
                    v = namespace(v).maximum(state["max_exp_avg_sq"].array, v)
                state["max_exp_avg_sq"] = wrap(v, None)
            denominator = namespace(v).sqrt(v) / (1 - beta2**t) ** 0.5 + group["eps"]
            p.array = _decayed(p, group) - lr / (1 - beta1**t) * (m / denominator)


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

    options: ClassVar = Adam.options | {"weight_decay": 1e-2}
    named: ClassVar = {"maximize": False}
    fixed: ClassVar = {"decoupled_weight_decay": True}


class Adamax(TabledOptimizer):
    """w ← w − lr · m̂ / u: Adam with the largest gradient u ← max(β₂ u, |g| + eps) in place of the root.

    Kingma and Ba, Adam: A Method for Stochastic Optimization, 2014.

    >>> w = tensor([1.0], requires_grad=True)
    >>> optimizer = Adamax([w], lr=0.1)
    >>> (1000 * w).sum().backward()
    >>> optimizer.step()                # the first step is lr long, whatever the gradient
    >>> w
    tensor([0.9000], requires_grad=True)
    """

    options: ClassVar = ADAM

    def _update(self, group: Group) -> None:
        beta1, beta2 = group["betas"]
        for p, g in gradients(group):
            state = self._at_next_step(p, ("exp_avg", "exp_inf"))
            m = state["exp_avg"].array
            m = m + (1 - beta1) * (g - m)
            u = namespace(g).maximum(beta2 * state["exp_inf"].array, abs(g) + group["eps"])
            state["exp_avg"], state["exp_inf"] = wrap(m, None), wrap(u, None)
            p.array = p.array - rate(group) / (1 - beta1 ** state["step"]) * (m / u)


class NAdam(TabledOptimizer):
    """Adam with Nesterov's momentum, which looks one step ahead: m̂ = μₜ₊₁ m / (1 − Π μ) + (1 − μₜ) g / (1 − Π μ).

    The momentum grows: μₜ = β₁ (1 − ½ · 0.96^(t · momentum_decay)), and Π μ is the product of all so far, in the first
    term with the next. Dozat, Incorporating Nesterov Momentum into Adam, 2016.

    >>> w = tensor([1.0], requires_grad=True)
    >>> optimizer = NAdam([w], lr=0.1, betas=(0.0, 0.5))
    >>> (1000 * w).sum().backward()
    >>> optimizer.step()                # without momentum the first step is lr long
    >>> w
    tensor([0.9000], requires_grad=True)
    """

    options: ClassVar = ADAM | {"momentum_decay": 4e-3, "decoupled_weight_decay": False}

    def _update(self, group: Group) -> None:
        lr, (beta1, beta2), decay = rate(group), group["betas"], group["momentum_decay"]
        for p, g in gradients(group):
            state = self._at_next_step(p, ("exp_avg", "exp_avg_sq"), mu_product=1.0)
            t = state["step"]
            mu, following = (beta1 * (1 - 0.5 * 0.96 ** (k * decay)) for k in (t, t + 1))
            state["mu_product"] = product = state["mu_product"] * mu
            m, v = _averages(state, g, group)
            denominator = namespace(v).sqrt(v / (1 - beta2**t)) + group["eps"]
            w = _decayed(p, group) - lr * (1 - mu) / (1 - product) * (g / denominator)
            p.array = w - lr * following / (1 - product * following) * (m / denominator)


class RAdam(TabledOptimizer):
    """Adam whose steps are divided by √v̂ only once v̂ has seen enough gradients, and rectified by a factor r.

    With ρ∞ = 2/(1 − β₂) − 1 and ρ = ρ∞ − 2t β₂ᵗ/(1 − β₂ᵗ), where ρ > 5: r² = (ρ − 4)(ρ − 2)ρ∞ / ((ρ∞ − 4)(ρ∞ − 2)ρ).
    Liu and others, On the Variance of the Adaptive Learning Rate and Beyond, 2019.

    >>> w = tensor([1.0], requires_grad=True)
    >>> optimizer = RAdam([w], lr=0.1)
    >>> (3 * w).sum().backward()
    >>> optimizer.step()                # the first steps are those of gradient descent, with momentum
    >>> w
    tensor([0.7000], requires_grad=True)
    """

    options: ClassVar = ADAM | {"lr": 1e-3, "decoupled_weight_decay": False}

    def _update(self, group: Group) -> None:
        beta1, beta2 = group["betas"]
        longest = 2 / (1 - beta2) - 1
        for p, g in gradients(group):
            state = self._at_next_step(p, ("exp_avg", "exp_avg_sq"))
            t = state["step"]
            m, v = _averages(state, g, group)
            step = m / (1 - beta1**t) * rate(group)
            if longest > 5:
                seen = 1 - beta2**t
                rho = longest - 2 * t * beta2**t / seen
                # The size, so that there is a root also where it does not count.
                square = abs((rho - 4) * (rho - 2) * longest / ((longest - 4) * (longest - 2) * rho))
                scaled = step * (seen**0.5 / (namespace(v).sqrt(v) + group["eps"])) * square**0.5
                step = chosen(rho > 5.0, scaled, step)
            p.array = _decayed(p, group) - step
