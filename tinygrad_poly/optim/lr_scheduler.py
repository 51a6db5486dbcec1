"""Learning rate schedules: call `scheduler.step()` after each epoch's `optimizer.step()`."""

import math
import typing
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from tinygrad_poly._missing import explain as _explain
from tinygrad_poly.engine.errors import DtypeError
from tinygrad_poly.optim.optimizer import Group, Optimizer
from tinygrad_poly.optim.tabled import REQUIRED
from tinygrad_poly.optim.tabled import Tabled as _Tabled


def _checked(optimizer: Any) -> Optimizer:
    if not isinstance(optimizer, Optimizer):
        raise DtypeError(f"a scheduler changes the learning rates of an optimizer, not of a {type(optimizer).__name__}")
    return optimizer


def _for_each_group(scheduler: Any, name: str) -> list[Any]:
    """The values of an option for the groups, of one for all of them or a list with one for each.

    Raises:
        ValueError: for a list of another length.
    """
    value, count = vars(scheduler).pop(name), len(scheduler.optimizer.param_groups)
    values = list(value) if isinstance(value, (list, tuple)) else [value] * count
    if len(values) != count:
        raise ValueError(f"the optimizer has {count} groups, but {name} has {len(values)} values")
    return values


class LRScheduler(_Tabled):
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

    options: ClassVar[dict[str, Any]] = {}
    """What else a subclass may be given, with the defaults; each is an attribute."""

    if typing.TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    @classmethod
    def _table(cls) -> tuple[dict[str, Any], dict[str, Any]]:
        return {"optimizer": REQUIRED} | cls.options | {"last_epoch": -1}, {}

    def _made(self, options: dict[str, Any]) -> None:
        vars(self).update(options)
        _checked(self.optimizer)
        self._check_limits(options)
        self._set_up()
        self._start()

    def _set_up(self) -> None:
        """Compute what follows from the options."""

    def _start(self) -> None:
        optimizer, last_epoch = self.optimizer, self.last_epoch
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", group["lr"])
            elif "initial_lr" not in group:
                raise KeyError(
                    f"group {i} has no 'initial_lr' to go on from at epoch {last_epoch}: "
                    "load the state of the optimizer that the scheduler had changed"
                )
        self.base_lrs = [float(group["initial_lr"]) for group in optimizer.param_groups]
        self._take_first()

    def _take_first(self) -> None:
        self._is_first = True
        self.step()
        self._is_first = False

    def _begin(self, rates: list[float]) -> None:
        """Set the rates of epoch 0, from these."""
        for group, lr in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = lr
        self.last_epoch = -1
        self._take_first()

    def _begin_again(self) -> None:
        """Set the rates of epoch 0, whatever they are now."""
        self._begin(self.base_lrs)

    def get_lr(self) -> list[float]:
        """The rates of epoch `last_epoch`, one for each group, from those of the epoch before."""
        raise NotImplementedError(f"{type(self).__name__} must define get_lr()")

    def get_last_lr(self) -> list[float]:
        """The rates that the last `step` set."""
        return self._last_lr

    def step(self) -> None:
        """Set the rates of the next epoch."""
        self.last_epoch += 1
        self._set_rates()

    def _set_rates(self) -> None:
        for group, lr in zip(self.optimizer.param_groups, self.get_lr(), strict=True):
            group["lr"] = lr
        self._last_lr = self._rates()

    def _rates(self) -> list[float]:
        return [float(group["lr"]) for group in self.optimizer.param_groups]

    def _times(self, factor: float) -> list[float]:
        return [lr * factor for lr in self._rates()]

    def state_dict(self) -> dict[str, Any]:
        """The state from which a later run goes on as this one would; functions are not in it."""
        return {
            name: [getattr(item, "state_dict", lambda item=item: item)() for item in value]
            if isinstance(value, list)
            else value
            for name, value in vars(self).items()
            if name not in ("optimizer", "lr_lambdas", "_is_first") and not callable(value)
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Restore a state that `state_dict` returned."""
        own = dict(state_dict)
        for scheduler, state in zip(getattr(self, "_schedulers", ()), own.pop("_schedulers", ()), strict=True):
            scheduler.load_state_dict(state)
        self.__dict__.update(own)


class LambdaLR(LRScheduler):
    """A schedule: the first rate times a function of the epoch.

    >>> from tinygrad_poly.optim import SGD
    >>> optimizer = SGD([zeros(1)], lr=0.5)
    >>> scheduler = LambdaLR(optimizer, lambda epoch: 1 / (1 + epoch))
    >>> scheduler.step()
    >>> optimizer.lr
    0.25
    """

    options: ClassVar = {"lr_lambda": REQUIRED}

    def _set_up(self) -> None:
        self.lr_lambdas = _for_each_group(self, "lr_lambda")

    def get_lr(self) -> list[float]:
        """The first rates times the functions."""
        return [lr * factor(self.last_epoch) for lr, factor in zip(self.base_lrs, self.lr_lambdas)]


class MultiplicativeLR(LambdaLR):
    """A schedule: the present rate times a function of the epoch, from epoch 1 on.

    >>> from tinygrad_poly.optim import SGD
    >>> optimizer = SGD([zeros(1)], lr=0.5)
    >>> scheduler = MultiplicativeLR(optimizer, lambda epoch: 1 / (1 + epoch))
    >>> scheduler.step()
    >>> scheduler.step()                # 0.5 · 1/2 · 1/3
    >>> optimizer.lr
    0.08333333333333333
    """

    def get_lr(self) -> list[float]:
        """The present rates times the functions."""
        if self._is_first:
            return self._rates()
        return [lr * factor(self.last_epoch) for lr, factor in zip(self._rates(), self.lr_lambdas)]

    def _begin_again(self) -> None:
        # As in torch, whose schedule goes on from the present rate where others start from the first one.
        self.last_epoch = -1
        self.step()


class ConstantLR(LRScheduler):
    """A schedule: the rate is multiplied by `factor` for the first `total_iters` epochs.

    >>> from tinygrad_poly.optim import SGD
    >>> optimizer = SGD([zeros(1)], lr=0.5)
    >>> scheduler = ConstantLR(optimizer, factor=0.5, total_iters=2)
    >>> rates = []
    >>> for _ in range(3):
    ...     rates += scheduler.get_last_lr()
    ...     optimizer.step()
    ...     scheduler.step()
    >>> rates
    [0.25, 0.25, 0.5]
    """

    options: ClassVar = {"factor": 1 / 3, "total_iters": 5}
    limits: ClassVar = {"factor": (lambda factor: 0 < factor <= 1, "above 0 and at most 1")}

    def get_lr(self) -> list[float]:
        """The present rates, times `factor` at first, and divided by it in the end."""
        at_end = 1 / self.factor if self.last_epoch == self.total_iters else 1.0
        return self._times(at_end if self.last_epoch else self.factor)


class LinearLR(LRScheduler):
    """A schedule: the rate is multiplied by a factor that goes from `start_factor` to `end_factor` in a straight line.

    >>> from tinygrad_poly.optim import SGD
    >>> optimizer = SGD([zeros(1)], lr=0.5)
    >>> scheduler = LinearLR(optimizer, start_factor=0.5, total_iters=2)
    >>> scheduler.step()
    >>> optimizer.lr
    0.375
    """

    options: ClassVar = {"start_factor": 1 / 3, "end_factor": 1.0, "total_iters": 5}
    limits: ClassVar = {
        "start_factor": (lambda factor: 0 < factor <= 1, "above 0 and at most 1"),
        "end_factor": (lambda factor: 0 <= factor <= 1, "from 0 to 1"),
    }

    def get_lr(self) -> list[float]:
        """The present rates times the quotient of this epoch's factor and the last one's."""
        if self.last_epoch == 0:
            return self._times(self.start_factor)
        if self._is_first or self.last_epoch > self.total_iters:
            return self._rates()
        rise = self.end_factor - self.start_factor
        return self._times(1 + rise / (self.total_iters * self.start_factor + (self.last_epoch - 1) * rise))


class PolynomialLR(LRScheduler):
    """A schedule: the first rate times (1 − t/T)^power until epoch T = `total_iters`, then 0.

    >>> from tinygrad_poly.optim import SGD
    >>> optimizer = SGD([zeros(1)], lr=0.5)
    >>> scheduler = PolynomialLR(optimizer, total_iters=2, power=2.0)
    >>> scheduler.step()
    >>> optimizer.lr
    0.125
    """

    options: ClassVar = {"total_iters": 5, "power": 1.0}

    def get_lr(self) -> list[float]:
        """The present rates times the quotient of this epoch's factor and the last one's."""
        t, end = self.last_epoch, self.total_iters
        if self._is_first or t > end:
            return self._rates()
        return self._times(((1 - t / end) / (1 - (t - 1) / end)) ** self.power)


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

    options: ClassVar = {"step_size": REQUIRED, "gamma": 0.1}
    limits: ClassVar = {"step_size": (lambda n: n >= 1, "1 or more")}

    def get_lr(self) -> list[float]:
        """The present rates, times `gamma` at every multiple of `step_size`."""
        at_a_multiple = self.last_epoch and not self.last_epoch % self.step_size
        return self._times(self.gamma if at_a_multiple else 1.0)


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

    options: ClassVar = {"milestones": REQUIRED, "gamma": 0.1}

    def _set_up(self) -> None:
        self.milestones: list[int] = sorted(self.milestones)

    def get_lr(self) -> list[float]:
        """The present rates, times `gamma` at a milestone."""
        return self._times(self.gamma ** self.milestones.count(self.last_epoch))


class ExponentialLR(LRScheduler):
    """A schedule: the rate is multiplied by `gamma` every epoch.

    >>> from tinygrad_poly.optim import SGD
    >>> optimizer = SGD([zeros(1)], lr=0.5)
    >>> scheduler = ExponentialLR(optimizer, gamma=0.5)
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.25]
    """

    options: ClassVar = {"gamma": REQUIRED}

    def get_lr(self) -> list[float]:
        """The present rates times `gamma`."""
        return self._times(1.0 if self._is_first else self.gamma)


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

    options: ClassVar = {"T_max": REQUIRED, "eta_min": 0.0}
    limits: ClassVar = {"T_max": (lambda n: n >= 1, "1 or more")}

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


class CosineAnnealingWarmRestarts(LRScheduler):
    """A schedule: along half a period of the cosine to `eta_min`, again and again; the first takes `T_0` epochs.

    Each takes `T_mult` times as long as the one before. `step(epoch)` goes to any epoch, also between whole ones.

    Loshchilov and Hutter, SGDR: Stochastic Gradient Descent with Warm Restarts, 2016.

    >>> from tinygrad_poly.optim import SGD
    >>> optimizer = SGD([zeros(1)], lr=0.5)
    >>> scheduler = CosineAnnealingWarmRestarts(optimizer, T_0=2)
    >>> scheduler.step(3)
    >>> optimizer.lr
    0.25
    """

    options: ClassVar = {"T_0": REQUIRED, "T_mult": 1, "eta_min": 0.0}

    def _set_up(self) -> None:
        T_0, T_mult = self.T_0, self.T_mult
        if not (isinstance(T_0, int) and isinstance(T_mult, int) and T_0 > 0 < T_mult):
            raise ValueError(f"T_0 and T_mult must be whole numbers of 1 or more, not {T_0} and {T_mult}")
        self.T_i, self.T_cur = T_0, float(self.last_epoch)

    def get_lr(self) -> list[float]:
        """The rates along the cosine."""
        height = 1 + math.cos(math.pi * self.T_cur / self.T_i)
        return [self.eta_min + (lr - self.eta_min) * height / 2 for lr in self.base_lrs]

    def step(self, epoch: float | None = None) -> None:
        """Set the rates of the next epoch, or of `epoch`."""
        if epoch is None and self.last_epoch >= 0:
            epoch, self.T_cur = self.last_epoch + 1, self.T_cur + 1
            if self.T_cur >= self.T_i:
                self.T_cur, self.T_i = self.T_cur % self.T_i, self.T_i * self.T_mult
        else:
            if not (epoch := epoch or 0) >= 0:
                raise ValueError(f"epoch must be 0 or more, not {epoch}")
            if self.T_mult == 1:
                self.T_cur = epoch % self.T_0
            else:
                n = int(math.log(epoch / self.T_0 * (self.T_mult - 1) + 1, self.T_mult))
                self.T_cur = epoch - self.T_0 * (self.T_mult**n - 1) / (self.T_mult - 1)
                self.T_i = self.T_0 * self.T_mult**n
        self.last_epoch = math.floor(epoch)
        self._set_rates()


class _WithMomentum(LRScheduler):
    """A schedule of the rate and, against it, of the momentum or β₁."""

    def _keep_momentum(self) -> None:
        """Store the limits of the momentum, if it is to change, in the groups.

        Raises:
            ValueError: where the optimizer has no momentum.
        """
        if not self.cycle_momentum:
            return
        if self.optimizer.defaults.keys().isdisjoint({"momentum", "betas"}):
            raise ValueError(
                f"{type(self.optimizer).__name__} has neither momentum nor betas to change with the rate: "
                "use cycle_momentum=False"
            )
        self.base_momentums = _for_each_group(self, "base_momentum")
        self.max_momentums = _for_each_group(self, "max_momentum")
        if self.last_epoch == -1:
            for group, low, high in zip(self.optimizer.param_groups, self.base_momentums, self.max_momentums):
                self._set_momentum(group, high)
                group.update(max_momentum=high, base_momentum=low)

    @staticmethod
    def _set_momentum(group: Group, value: float) -> None:
        group.update({"betas": (value, *group["betas"][1:])} if "betas" in group else {"momentum": value})


class CyclicLR(_WithMomentum):
    """A schedule: up from `base_lr` to `max_lr` and down again in straight lines, with each step after a batch.

    The momentum goes the other way. Smith, Cyclical Learning Rates for Training Neural Networks, 2015.

    Args:
        optimizer: whose rates to change.
        base_lr: the least rate, one for all groups or one for each.
        max_lr: the largest.
        step_size_up: in how many steps it goes up.
        step_size_down: in how many it goes down; as many, if not given.
        mode: "triangular", "triangular2" to halve the height with each cycle, or "exp_range" to multiply it by `gamma`
            with each step.
        gamma: see `mode`.
        scale_fn: the height as a function of the cycle, from 1 on, or of the step, in place of a `mode`.
        scale_mode: "cycle" or "iterations", what `scale_fn` is a function of.
        cycle_momentum: whether to change the momentum, too.
        base_momentum: the least momentum.
        max_momentum: the largest, at `base_lr`.
        last_epoch: the step to go on from.

    >>> from tinygrad_poly.optim import SGD
    >>> optimizer = SGD([zeros(1)], lr=0.5, momentum=0.9)
    >>> scheduler = CyclicLR(optimizer, base_lr=0.25, max_lr=0.5, step_size_up=2)
    >>> scheduler.step()
    >>> optimizer.lr
    0.375
    """

    options: ClassVar = {
        "base_lr": REQUIRED, "max_lr": REQUIRED, "step_size_up": 2000, "step_size_down": None, "mode": "triangular",
        "gamma": 1.0, "scale_fn": None, "scale_mode": "cycle", "cycle_momentum": True, "base_momentum": 0.8,
        "max_momentum": 0.9,
    }  # fmt: skip

    def _set_up(self) -> None:
        up, down, gamma = vars(self).pop("step_size_up"), vars(self).pop("step_size_down"), self.gamma
        self.total_size = float(up + (up if down is None else down))
        self.step_ratio = up / self.total_size
        heights = {
            "triangular": lambda cycle: 1.0,
            "triangular2": lambda cycle: 1 / 2.0 ** (cycle - 1),
            "exp_range": lambda step: gamma**step,
        }
        if self.scale_fn is None and self.mode not in heights:
            raise ValueError(f"mode must be one of {', '.join(heights)}, or scale_fn be given, not {self.mode!r}")
        if self.scale_fn is None:
            self.scale_mode = "iterations" if self.mode == "exp_range" else "cycle"
        self.scale_fn: Any = self.scale_fn or heights[self.mode]
        self._least, self.max_lrs = _for_each_group(self, "base_lr"), _for_each_group(self, "max_lr")
        if self.last_epoch == -1:
            for group, lr in zip(self.optimizer.param_groups, self._least, strict=True):
                group["lr"] = lr
        self._keep_momentum()

    def _start(self) -> None:
        super()._start()
        self.base_lrs = self._least

    def get_lr(self) -> list[float]:
        """The rates along the triangle."""
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        x = 1.0 + self.last_epoch / self.total_size - cycle
        part = x / self.step_ratio if x <= self.step_ratio else (x - 1) / (self.step_ratio - 1)
        height = self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)
        if self.cycle_momentum:
            for group, low, high in zip(self.optimizer.param_groups, self.base_momentums, self.max_momentums):
                self._set_momentum(group, high - (high - low) * part * height)
        return [low + (high - low) * part * height for low, high in zip(self.base_lrs, self.max_lrs)]


class OneCycleLR(_WithMomentum):
    """A schedule: up to `max_lr` and down to almost nothing, once, with a step after each batch.

    The momentum goes the other way.

    Smith and Topin, Super-Convergence: Very Fast Training of Neural Networks Using Large Learning Rates, 2017.

    Args:
        optimizer: whose rates to change.
        max_lr: the largest rate, one for all groups or one for each.
        total_steps: the number of steps; or give the next two.
        epochs: the number of epochs.
        steps_per_epoch: how many steps there are in each.
        pct_start: the part of the steps that goes up.
        anneal_strategy: "cos" or "linear", the way.
        cycle_momentum: whether to change the momentum, too.
        base_momentum: the least momentum, at `max_lr`.
        max_momentum: the largest.
        div_factor: the first rate is `max_lr` divided by it.
        final_div_factor: the last rate is the first one divided by it.
        three_phase: whether to go down to the first rate in as many steps as up, and then on.
        last_epoch: the step to go on from.

    >>> from tinygrad_poly.optim import SGD
    >>> optimizer = SGD([zeros(1)], lr=0.5, momentum=0.9)
    >>> scheduler = OneCycleLR(optimizer, max_lr=0.5, total_steps=10, div_factor=5)
    >>> for _ in range(2):
    ...     optimizer.step()
    ...     scheduler.step()
    >>> optimizer.lr
    0.5
    """

    options: ClassVar = {
        "max_lr": REQUIRED, "total_steps": None, "epochs": None, "steps_per_epoch": None, "pct_start": 0.3,
        "anneal_strategy": "cos", "cycle_momentum": True, "base_momentum": 0.85, "max_momentum": 0.95,
        "div_factor": 25.0, "final_div_factor": 1e4, "three_phase": False,
    }  # fmt: skip
    limits: ClassVar = {
        "pct_start": (lambda part: 0 <= part <= 1, "from 0 to 1"),
        "anneal_strategy": (("cos", "linear").__contains__, "'cos' or 'linear'"),
    }

    def _set_up(self) -> None:
        epochs, of_each, part = vars(self).pop("epochs"), vars(self).pop("steps_per_epoch"), self.pct_start
        steps = (epochs or 0) * (of_each or 0) if self.total_steps is None else self.total_steps
        if not (isinstance(steps, int) and steps > 0):
            raise ValueError(f"give total_steps, or epochs and steps_per_epoch, 1 or more, not {steps} steps")
        start, top = ("initial_lr", "max_momentum"), ("max_lr", "base_momentum")
        turns = [(0.0, start), (part * steps - 1, top)] + [(2 * part * steps - 2, start)] * self.three_phase
        self.total_steps: int = steps
        self.turns = [*turns, (steps - 1, ("min_lr", "max_momentum"))]
        largest = _for_each_group(self, "max_lr")
        if self.last_epoch == -1:
            for group, lr in zip(self.optimizer.param_groups, largest, strict=True):
                first = lr / self.div_factor
                group.update(initial_lr=first, max_lr=lr, min_lr=first / self.final_div_factor)
        self._keep_momentum()

    def get_lr(self) -> list[float]:
        """The rates on the way from one turn to the next."""
        step = self.last_epoch
        if step > self.total_steps:
            raise ValueError(f"the schedule has {self.total_steps} steps, and this is step {step}")
        i = next((i for i, (end, _) in enumerate(self.turns[1:-1], 1) if step <= end), len(self.turns) - 1)
        (begin, froms), (end, tos) = self.turns[i - 1 : i + 1]
        part, rates = (step - begin) / (end - begin), []
        for group in self.optimizer.param_groups:
            lr, momentum = (self._between(group.get(a), group.get(b), part) for a, b in zip(froms, tos, strict=True))
            rates.append(lr)
            if self.cycle_momentum:
                self._set_momentum(group, momentum)
        return rates

    def _between(self, a: Any, b: Any, part: float) -> Any:
        if a is None:
            return None
        if self.anneal_strategy == "linear":
            return (b - a) * part + a
        return b + (a - b) / 2 * (math.cos(math.pi * part) + 1)


class ChainedScheduler(LRScheduler):
    """Several schedules of one optimizer, each of which changes the rate at every step.

    >>> from tinygrad_poly.optim import SGD
    >>> optimizer = SGD([zeros(1)], lr=0.5)
    >>> scheduler = ChainedScheduler([ExponentialLR(optimizer, gamma=0.5), StepLR(optimizer, 1, gamma=0.5)])
    >>> scheduler.step()
    >>> optimizer.lr
    0.125
    """

    def __init__(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None) -> None:
        name = type(self).__name__
        if not schedulers:
            raise ValueError(f"{name} needs at least one scheduler, and was given none")
        for i, scheduler in enumerate(schedulers):
            if not isinstance(scheduler, LRScheduler) or isinstance(scheduler, ReduceLROnPlateau):
                raise DtypeError(f"{name}: number {i} is no scheduler with step() alone but {type(scheduler).__name__}")
            if scheduler.optimizer is not (optimizer or schedulers[0].optimizer):
                raise ValueError(f"{name}: scheduler {i}, {type(scheduler).__name__}, is for another optimizer")
        self.optimizer, self._schedulers = schedulers[0].optimizer, list(schedulers)
        self._last_lr = self._rates()

    def step(self) -> None:
        """Let every schedule change the rates."""
        for scheduler in self._schedulers:
            scheduler.step()
        self._last_lr = self._rates()


class SequentialLR(ChainedScheduler):
    """Several schedules of one optimizer, one after the other: the next begins at each of the `milestones`.

    >>> from tinygrad_poly.optim import SGD
    >>> optimizer = SGD([zeros(1)], lr=0.5)
    >>> parts = [ConstantLR(optimizer, factor=0.5, total_iters=9), ExponentialLR(optimizer, gamma=0.5)]
    >>> scheduler = SequentialLR(optimizer, parts, milestones=[2])
    >>> rates = []
    >>> for _ in range(4):
    ...     rates += scheduler.get_last_lr()
    ...     optimizer.step()
    ...     scheduler.step()
    >>> rates
    [0.25, 0.25, 0.5, 0.25]
    """

    def __init__(
        self, optimizer: Optimizer, schedulers: Sequence[LRScheduler], milestones: list[int], last_epoch: int = -1
    ) -> None:
        super().__init__(schedulers, _checked(optimizer))
        if len(milestones) != len(schedulers) - 1:
            raise ValueError(f"{len(schedulers)} schedulers begin at one milestone less, not {len(milestones)}")
        if any(isinstance(scheduler, ChainedScheduler) for scheduler in schedulers):
            raise ValueError("SequentialLR takes no schedulers that are made of others: list all in one")
        self._milestones, self.last_epoch = list(milestones), last_epoch + 1
        self._schedulers[bisect_right(milestones, 0)]._begin([group["initial_lr"] for group in optimizer.param_groups])
        self._last_lr = self._rates()

    def step(self) -> None:
        """Let the schedule whose turn it is change the rates."""
        self.last_epoch += 1
        i = bisect_right(self._milestones, self.last_epoch)
        scheduler = self._schedulers[i]
        if i and self._milestones[i - 1] == self.last_epoch:
            scheduler._begin_again()
        else:
            scheduler.step()
        self._last_lr = self._rates()


class ReduceLROnPlateau(LRScheduler):
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

    options: ClassVar = {
        "mode": "min", "factor": 0.1, "patience": 10, "threshold": 1e-4, "threshold_mode": "rel", "cooldown": 0,
        "min_lr": 0, "eps": 1e-8,
    }  # fmt: skip
    limits: ClassVar = {
        "factor": (lambda factor: factor < 1, "below 1"),
        "mode": (("min", "max").__contains__, "'min' or 'max'"),
        "threshold_mode": (("rel", "abs").__contains__, "'rel' or 'abs'"),
    }

    @classmethod
    def _table(cls) -> tuple[dict[str, Any], dict[str, Any]]:
        return {"optimizer": REQUIRED} | cls.options, {}

    def _set_up(self) -> None:
        self.min_lrs = _for_each_group(self, "min_lr")
        self.best = math.inf if self.mode == "min" else -math.inf
        self.num_bad_epochs = self.cooldown_counter = self.last_epoch = 0

    def _start(self) -> None:
        self._last_lr = self._rates()

    def _improves(self, value: float) -> Any:
        margin = self.threshold if self.mode == "max" else -self.threshold
        bound = self.best + margin if self.threshold_mode == "abs" else self.best * (1 + margin)
        return value > bound if self.mode == "max" else value < bound

    def step(self, metrics: Any) -> None:  # type: ignore[override]
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
                old = float(group["lr"])
                if old - (new := max(old * self.factor, least)) > self.eps:
                    group["lr"] = new
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0
        self._last_lr = self._rates()


_explain(__name__)
