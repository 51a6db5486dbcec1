"""Further optimizers, each its options and its formula: Adadelta, Adamax, NAdam, RAdam, Rprop and ASGD."""

from typing import Any, ClassVar

from tinygrad_poly.engine.apply import wrap
from tinygrad_poly.engine.arrays import Array, namespace
from tinygrad_poly.optim.optimizer import Group, TabledOptimizer, gradients, rate
from tinygrad_poly.tensor import Tensor

ADAM = {"lr": 2e-3, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0}


def _chosen(condition: Any, a: Any, b: Any) -> Any:
    """The number `a` if the condition holds, else `b`; in a trace, where it is not known, both and the choice."""
    if isinstance(condition, bool):
        return a if condition else b
    return namespace(condition).where(condition, a, b)


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

    def _check(self, group: Group) -> None:
        super()._check(group)
        if group["rho"] > 1:
            raise ValueError(f"rho must be from 0 to 1, not {group['rho']}")

    def _update(self, group: Group) -> None:
        rho, eps = group["rho"], group["eps"]
        for p, g in gradients(group, group["weight_decay"]):
            state = self._at_next_step(p, ("square_avg", "acc_delta"))
            sqrt, u = namespace(g).sqrt, state["acc_delta"].array
            v = rho * state["square_avg"].array + (1 - rho) * (g * g)
            d = sqrt(u + eps) / sqrt(v + eps) * g
            state["square_avg"], state["acc_delta"] = wrap(v, None), wrap(rho * u + (1 - rho) * (d * d), None)
            p.array = p.array - rate(group) * d


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
        for p, g in gradients(group, group["weight_decay"]):
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
        for p, g in gradients(group, 0 if group["decoupled_weight_decay"] else group["weight_decay"]):
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
        for p, g in gradients(group, 0 if group["decoupled_weight_decay"] else group["weight_decay"]):
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
                step = _chosen(rho > 5.0, scaled, step)
            p.array = _decayed(p, group) - step


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
        for p, g in gradients(group, 0):
            is_new = not self.state[p]
            state, xp = self._at_next_step(p, ("prev", "step_size")), namespace(g)
            size = state["step_size"].array + (rate(group) if is_new else 0.0)
            turn = g * state["prev"].array
            size = size * xp.where(turn > 0, more, xp.where(turn < 0, less, xp.ones_like(g)))
            size = xp.where(size < least, least, xp.where(size > most, most, size))
            g = xp.where(turn < 0, 0.0, g)
            state["prev"], state["step_size"] = wrap(g, None), wrap(size, None)
            p.array = p.array - xp.sign(g) * size


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
        for p, g in gradients(group, group["weight_decay"]):
            state = self._at_next_step(p, ("ax",), eta=lr, mu=1.0)
            eta, mu, average = state["eta"], state["mu"], state["ax"].array
            p.array = w = p.array * (1 - lambd * eta) - eta * g
            state["ax"] = wrap(average + (w - average) * mu, None)
            averaged = state["step"] - group["t0"]
            state["eta"] = lr / (1 + lambd * lr * state["step"]) ** group["alpha"]
            state["mu"] = 1 / _chosen(averaged > 1, averaged, 1.0)
