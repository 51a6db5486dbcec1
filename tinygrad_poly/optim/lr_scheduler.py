"""Learning rate schedules: call `scheduler.step()` after each epoch's `optimizer.step()`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from tinygrad_poly.engine.errors import DtypeError
from tinygrad_poly.optim.optimizer import Group, Optimizer


def _checked(optimizer: Any) -> Optimizer:
    if not isinstance(optimizer, Optimizer):
        raise DtypeError(f"a scheduler changes the learning rates of an optimizer, not of a {type(optimizer).__name__}")
    return optimizer


class LRScheduler:
    """The base of all schedulers. A subclass defines `get_lr`, the learning rates of epoch `last_epoch`.

    Rates are computed from the present ones, so that schedulers can be combined, and a rate that the user
    changes stays changed.

    Args:
        optimizer: whose rates to change.
        last_epoch: the epoch to go on from; −1 to begin.

    Attributes:
        base_lrs: the rates at the beginning.
        last_epoch: how many times `step` was called.
    """

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        self.optimizer = _checked(optimizer)
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", group["lr"])
            elif "initial_lr" not in group:
                raise KeyError(
                    f"group {i} has no 'initial_lr' to go on from at epoch {last_epoch}: "
                    "load the state of the optimizer that the scheduler had changed"
                )
        self.base_lrs = [float(group["initial_lr"]) for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self._is_first = True
        self.step()
        self._is_first = False

    def get_lr(self) -> list[float]:
        """The rates of epoch `last_epoch`, one for each group, from those of the epoch before."""
        raise NotImplementedError(f"{type(self).__name__} must define get_lr()")

    def get_last_lr(self) -> list[float]:
        """The rates that the last `step` set."""
        return self._last_lr

    def step(self) -> None:
        """Set the rates of the next epoch."""
        self.last_epoch += 1
        for group, lr in zip(self.optimizer.param_groups, self.get_lr(), strict=True):
            group["lr"] = lr
        self._last_lr = self._rates()

    def _rates(self) -> list[float]:
        return [float(group["lr"]) for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """The state from which a later run goes on as this one would; functions are not in it."""
        return {
            name: list(value) if isinstance(value, list) else value
            for name, value in vars(self).items()
            if name not in ("optimizer", "lr_lambdas", "_is_first")
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Restore a state that `state_dict` returned."""
        self.__dict__.update(state_dict)


class LambdaLR(LRScheduler):
    """A schedule: the first rate times a function of the epoch.

    >>> from tinygrad_poly.optim import SGD
    >>> optimizer = SGD([zeros(1)], lr=0.5)
    >>> scheduler = LambdaLR(optimizer, lambda epoch: 1 / (1 + epoch))
    >>> scheduler.step()
    >>> optimizer.lr
    0.25
    """

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]],
        last_epoch: int = -1,
    ) -> None:
        count = len(_checked(optimizer).param_groups)
        self.lr_lambdas = [lr_lambda] * count if callable(lr_lambda) else list(lr_lambda)
        if len(self.lr_lambdas) != count:
            raise ValueError(f"the optimizer has {count} groups, but {len(self.lr_lambdas)} functions were given")
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """The first rates times the functions."""
        return [lr * factor(self.last_epoch) for lr, factor in zip(self.base_lrs, self.lr_lambdas)]


class StepLR(LRScheduler):
    """A schedule: the rate is multiplied by `gamma` every `step_size` epochs.

    >>> from tinygrad_poly.optim import SGD
    >>> optimizer = SGD([zeros(1)], lr=0.5)
    >>> scheduler = StepLR(optimizer, step_size=2, gamma=0.5)
    >>> for _ in range(4):
    ...     optimizer.step()
    ...     scheduler.step()
    >>> optimizer.lr
    0.125
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1) -> None:
        if step_size < 1:
            raise ValueError(f"step_size must be 1 or more, not {step_size}")
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """The present rates, times `gamma` at every multiple of `step_size`."""
        at_a_multiple = self.last_epoch and not self.last_epoch % self.step_size
        return [lr * self.gamma for lr in self._rates()] if at_a_multiple else self._rates()


class MultiStepLR(LRScheduler):
    """A schedule: the rate is multiplied by `gamma` at each of the epochs in `milestones`.

    >>> from tinygrad_poly.optim import SGD
    >>> optimizer = SGD([zeros(1)], lr=0.5)
    >>> scheduler = MultiStepLR(optimizer, [1, 3], gamma=0.5)
    >>> for _ in range(4):
    ...     optimizer.step()
    ...     scheduler.step()
    >>> optimizer.lr
    0.125
    """

    def __init__(
        self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        self.milestones, self.gamma = sorted(milestones), gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """The present rates, times `gamma` at a milestone."""
        factor = self.gamma ** self.milestones.count(self.last_epoch)
        return [lr * factor for lr in self._rates()]


class ExponentialLR(LRScheduler):
    """A schedule: the rate is multiplied by `gamma` every epoch.

    >>> from tinygrad_poly.optim import SGD
    >>> optimizer = SGD([zeros(1)], lr=0.5)
    >>> scheduler = ExponentialLR(optimizer, gamma=0.5)
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.25]
    """

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """The present rates times `gamma`."""
        return self._rates() if self._is_first else [lr * self.gamma for lr in self._rates()]


class CosineAnnealingLR(LRScheduler):
    """A schedule: from the first rate to `eta_min` in `T_max` epochs, along half a period of the cosine.

    The rate of epoch t is eta_min + ½ (first − eta_min) (1 + cos(π t/T_max)), reached from that of the
    epoch before.

    Loshchilov and Hutter, SGDR: Stochastic Gradient Descent with Warm Restarts, 2016.

    >>> from tinygrad_poly.optim import SGD
    >>> optimizer = SGD([zeros(1)], lr=0.5)
    >>> scheduler = CosineAnnealingLR(optimizer, T_max=2)
    >>> scheduler.step()
    >>> optimizer.lr
    0.25
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        if T_max < 1:
            raise ValueError(f"T_max must be 1 or more, not {T_max}")
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """The next rates along the cosine."""
        t, end = self.last_epoch, self.T_max
        if self._is_first:
            return self._rates()
        if (t - 1 - end) % (2 * end) == 0:
            # At the bottom the rate is eta_min, and no multiple of its distance from there leads up again.
            rise = (1 - math.cos(math.pi / end)) / 2
            return [lr + (base - self.eta_min) * rise for lr, base in zip(self._rates(), self.base_lrs)]
        factor = (1 + math.cos(math.pi * t / end)) / (1 + math.cos(math.pi * (t - 1) / end))
        return [factor * (lr - self.eta_min) + self.eta_min for lr in self._rates()]


class ReduceLROnPlateau:
    """A schedule: the rate is multiplied by `factor` when a number stops improving for `patience` epochs.

    Args:
        optimizer: whose rates to change.
        mode: "min" for a number that should fall, such as the loss, "max" for one that should rise.
        factor: below 1.
        patience: how many epochs without improvement are accepted.
        threshold: what counts as an improvement.
        threshold_mode: "rel" for a threshold in units of the best number so far, "abs" for one as it is.
        cooldown: for how many epochs after a reduction nothing is counted.
        min_lr: the least rate, one for all groups or one for each.
        eps: a rate is not changed by less.

    >>> from tinygrad_poly.optim import SGD
    >>> optimizer = SGD([zeros(1)], lr=0.5)
    >>> scheduler = ReduceLROnPlateau(optimizer, factor=0.5, patience=1)
    >>> for loss in (3.0, 2.0, 2.0, 2.0):
    ...     optimizer.step()
    ...     scheduler.step(loss)
    >>> optimizer.lr
    0.25
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | Sequence[float] = 0,
        eps: float = 1e-8,
    ) -> None:
        self.optimizer = _checked(optimizer)
        if not factor < 1:
            raise ValueError(f"factor must be below 1, not {factor}")
        for name, value, allowed in (
            ("mode", mode, ("min", "max")),
            ("threshold_mode", threshold_mode, ("rel", "abs")),
        ):
            if value not in allowed:
                raise ValueError(f"{name} must be {allowed[0]!r} or {allowed[1]!r}, not {value!r}")
        groups = optimizer.param_groups
        self.min_lrs = [min_lr] * len(groups) if isinstance(min_lr, (int, float)) else list(min_lr)
        if len(self.min_lrs) != len(groups):
            raise ValueError(f"the optimizer has {len(groups)} groups, but min_lr has {len(self.min_lrs)} numbers")
        self.mode, self.threshold, self.threshold_mode = mode, threshold, threshold_mode
        self.factor, self.patience, self.cooldown, self.eps = factor, patience, cooldown, eps
        self.best = math.inf if mode == "min" else -math.inf
        self.num_bad_epochs = self.cooldown_counter = self.last_epoch = 0
        self._last_lr = [float(group["lr"]) for group in groups]

    def _improves(self, value: float) -> bool:
        margin = self.threshold if self.threshold_mode == "abs" else None
        if self.mode == "min":
            return value < (self.best * (1 - self.threshold) if margin is None else self.best - margin)
        return value > (self.best * (1 + self.threshold) if margin is None else self.best + margin)

    def step(self, metrics: Any) -> None:
        """Compare the number of this epoch with the best, and reduce the rate if it is time."""
        self.last_epoch += 1
        if self._improves(value := float(metrics)):
            self.best, self.num_bad_epochs = value, 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            for group, least in zip(self.optimizer.param_groups, self.min_lrs, strict=True):
                self._reduce(group, least)
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0
        self._last_lr = [float(group["lr"]) for group in self.optimizer.param_groups]

    def _reduce(self, group: Group, least: float) -> None:
        old = float(group["lr"])
        if old - (new := max(old * self.factor, least)) > self.eps:
            group["lr"] = new

    def get_last_lr(self) -> list[float]:
        """The rates that the last `step` set."""
        return self._last_lr

    def state_dict(self) -> dict[str, Any]:
        """The state from which a later run goes on as this one would."""
        return {name: value for name, value in vars(self).items() if name != "optimizer"}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Restore a state that `state_dict` returned."""
        self.__dict__.update(state_dict)
