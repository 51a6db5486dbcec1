"""Learning-rate schedules of a fit: what the optimizer's rates are in each step, and nothing that a loop remembers.

The rates of step t depend on t alone. So a fit that goes back some steps, or goes on another day, has the rates of one
that never stopped; and a compiled program gets those of its steps as an array.
"""

import copy
import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from tinygrad_poly.engine.errors import TraceError
from tinygrad_poly.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

SCHEDULED = ("lr", "momentum", "betas")
"""The options that a scheduler changes."""


class Schedule:
    """The options of an optimizer's groups in each step.

    Args:
        lr: the rate as a function of the step, for all groups; or None.
        scheduler: makes a scheduler of the optimizer that it is given; or None.
        optimizer: the optimizer as it is made.

    Raises:
        TypeError: for a scheduler that is none, or needs to know the losses.
    """

    def __init__(self, lr: Callable[[int], Any] | None, scheduler: Any, optimizer: Any) -> None:
        self._lr, self._scheduler = lr, scheduler
        self._groups = [dict(group) for group in optimizer.param_groups]
        self._optimizer = optimizer
        self._t = 0
        self._steps: Any = self._begun() if scheduler is not None else None

    def _begun(self) -> Any:
        """A scheduler at step 0, of a copy of the optimizer: only its groups change."""
        own = copy.copy(self._optimizer)
        own.param_groups = [dict(group) for group in self._groups]
        made = self._scheduler(own) if callable(self._scheduler) else self._scheduler
        if isinstance(made, ReduceLROnPlateau):
            raise TypeError(
                "ReduceLROnPlateau looks at the losses, and the steps of a fit are planned before there are any: write "
                "the loop by hand, as in docs/how-to/fit.md"
            )
        if not isinstance(made, LRScheduler) or made.optimizer is not own:
            raise TypeError(
                "scheduler must be a function that makes a scheduler of the optimizer that it is given, such as "
                f"lambda optimizer: StepLR(optimizer, step_size=100), and not {type(made).__name__}"
            )
        return made

    def at(self, t: int) -> list[dict[str, Any]]:
        """The options of each group in step t that are scheduled.

        Raises:
            ValueError: for a rate that is negative, infinite or no number.
        """
        if self._lr is not None:
            found = [{"lr": self._lr(t)} for _ in self._groups]
        else:
            if t < self._t:
                self._t, self._steps = 0, self._begun()
            while self._t < t:
                self._t += 1
                self._steps.step()
            groups = self._steps.optimizer.param_groups
            found = [{name: group[name] for name in SCHEDULED if name in group} for group in groups]
        for options in found:
            options["lr"] = _rate(options["lr"], t)
        return found

    def set(self, optimizer: Any, t: int) -> None:
        """Set the options of step t."""
        for group, options in zip(optimizer.param_groups, self.at(t), strict=True):
            group.update(options)

    def rates(self, steps: Iterable[int]) -> list[Any]:
        """The rates of these steps, an array for each group.

        Raises:
            TraceError: where other options change too, which are constants of a compiled program.
        """
        rows = [self.at(t) for t in steps]
        for group, *column in zip(self._groups, *rows):
            changed = {name for options in column for name in options if name != "lr" and options[name] != group[name]}
            if changed:
                raise TraceError(
                    f"the scheduler changes {', '.join(sorted(changed))} from step to step, which a compiled program "
                    "has as a constant: pass cycle_momentum=False, or leave out compile=True"
                )
        return [np.array([options["lr"] for options in column]) for column in zip(*rows)]


def _rate(value: Any, t: int) -> float:
    try:
        rate = float(value)
    except (TypeError, ValueError):
        rate = math.nan
    if not 0 <= rate < math.inf:
        raise ValueError(f"the learning rate of step {t} must be a number of 0 or more, not {value!r}")
    return rate
