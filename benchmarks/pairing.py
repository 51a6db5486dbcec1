"""Paired timing: pieces of code take turns, so that a slow moment of the machine slows all of them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

Code = Callable[[], Any]
LONG = 0.1
"""Seconds, beyond which what else runs on a machine makes no great difference."""


@dataclass(frozen=True)
class Round:
    """A piece of code to time, and how many units (such as training steps) one call of it does.

    Attributes:
        code: what a round calls.
        units: how many steps that is.
        took: how many seconds, where that is known.
    """

    code: Code
    units: int = 1
    took: float = 0.0


def repeated(code: Code, times: int) -> Round:
    """A round of so many calls."""

    def calls() -> None:
        for _ in range(times):
            code()

    return Round(calls, times)


def seconds(code: Code) -> float:
    """The seconds that a call takes."""
    begin = time.perf_counter()
    code()
    return time.perf_counter() - begin


def undisturbed(code: Code) -> float:
    """The seconds of the fastest of three calls, or of a single one that takes long."""
    first = seconds(code)
    return first if first > LONG else min(first, seconds(code), seconds(code))


def enough(take: Callable[[int], Any], at_least: float) -> Round:
    """A round of enough units to take `at_least` seconds; finding their number warms the code up.

    A call that was interrupted takes long, too. A round of too few units would then time how one begins.
    """
    units = 1
    while (taken := undisturbed(partial(take, units))) < at_least:
        # Up to a hundredfold: the clock does not see much of a single call.
        units = min(100 * units, max(2 * units, round(1.1 * units * at_least / taken)))
    return Round(partial(take, units), units, taken)


def rounds_in(budget: float, *rounds: Round, at_least: int, at_most: int) -> int:
    """The number of times that all of these rounds fit into `budget` seconds."""
    once = sum(each.took or seconds(each.code) for each in rounds)
    return max(at_least, min(at_most, int(budget / once)))


def paired(benchmark: Any, own: Round, references: Mapping[str, Round], rounds: int) -> tuple[Any, dict[str, Any]]:
    """Time `own` by pytest-benchmark, each round after a round of all references, which take turns to be first.

    Args:
        benchmark: pytest-benchmark's fixture.
        own: what is measured.
        references: what it is compared with, by name.
        rounds: how many rounds.

    Returns:
        The seconds per unit in each round of its own, and of each reference. There are none when pytest-benchmark is
        told not to measure.
    """
    names = list(references)
    times: dict[str, list[float]] = {name: [] for name in names}

    def references_round() -> None:
        names.append(names.pop(0)) if names else None
        for name in names:
            times[name].append(seconds(references[name].code) / references[name].units)

    benchmark.pedantic(own.code, setup=references_round, rounds=rounds)
    measured = benchmark.stats.stats.data if benchmark.stats else []
    return [t / own.units for t in measured], times


def threads() -> int:
    """The number of threads that the environment gives the libraries, or that they take by themselves."""
    given = os.environ.get("OMP_NUM_THREADS", "")
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return int(given) if given.isdigit() else available


@contextmanager
def torch_threads(number: int) -> Iterator[None]:
    """A context in which torch uses so many threads."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
