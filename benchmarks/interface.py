"""The interface of an implementation: how a training loop of any library is started and run."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.problems import TUTORIALS, Case

Vector = np.ndarray[Any, np.dtype[np.float64]]


class Unavailable(Exception):  # noqa: N818 - it is a row without numbers, not a failure
    """The reason why an implementation cannot run a case here."""


@dataclass
class Clock:
    """A clock for work on a GPU, by events on the device: `with clock: ...` returns when the work is done.

    Attributes:
        record: puts an event after the work that the device was given so far.
        elapsed: the seconds between two events, when the second is over.
        seconds: what the work took.
    """

    record: Callable[[], Any]
    elapsed: Callable[[Any, Any], float]
    seconds: float = 0.0

    def __enter__(self) -> None:
        self._begin = self.record()

    def __exit__(self, *_: object) -> None:
        self.seconds = self.elapsed(self._begin, self.record())


@dataclass
class Run:
    """A training loop that has started.

    Attributes:
        take: take so many steps more; they are finished, on a GPU too, when it returns.
        weights: where the loop is now.
        loss: of the last step, at the weights that this step started from; None where the loop does not keep it.
        clock: what a GPU's own clock said of the last call of `take`.
    """

    take: Callable[[int], None]
    weights: Callable[[], Vector]
    loss: Callable[[], float] | None = None
    clock: Clock | None = None


@dataclass(frozen=True)
class Implementation:
    """A way to take the steps of a case.

    Attributes:
        name: of the row.
        kind: "by hand" (gradients worked out on paper), "eager" (a tape in every step), "compiled", or "limit"
            (what bounds all others).
        start: loads the library and gets everything ready for the first step; may raise `Unavailable`.
        devices: the kinds of device that it runs on.
        references: the implementations whose rounds are interleaved with its own.
        problems: the problems that it is for, by default those of the tutorials.
        memory: how much it needs at most, in sizes of the case's data.
        most_points: beyond which it would take too long.
        steps: whether it takes the steps, or only touches the data as often ("limit").
        alone: the kinds of device on which nothing else may be in its process, so that there are no references.
    """

    name: str
    kind: str
    start: Callable[[Case], Run]
    devices: tuple[str, ...] = ("cpu",)
    references: tuple[str, ...] = ("torch.autograd",)
    problems: tuple[str, ...] = tuple(TUTORIALS)
    memory: float = 5.0
    most_points: int | None = None
    steps: bool = True
    alone: tuple[str, ...] = ()

    def takes(self, case: Case) -> bool:
        """Whether a row for this case makes sense."""
        return case.kind in self.devices and case.problem.name in self.problems

    def beside(self, case: Case) -> tuple[str, ...]:
        """The references whose rounds can be interleaved with its own."""
        return () if case.kind in self.alone else self.references


def library(module: str, name: str, group: str) -> Any:
    """An imported library.

    Raises:
        Unavailable: where it is not installed, with what installs it, or does not import, with its own error.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # What a library does while it is imported is not ours to mend.
            return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name == module.partition(".")[0]:
            raise Unavailable(f"{name} is not installed ({group})") from None
        raise Unavailable(f"{name} does not import: {first_line(error)}") from None
    except Exception as error:
        raise Unavailable(f"{name} does not import: {first_line(error)}") from None


def first_line(error: Exception) -> str:
    """An error's class and message, in one line."""
    return f"{type(error).__name__}: {error}".partition("\n")[0]
