"""Comparisons of code: first whether all pieces give the same result, then how long each takes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

import tinygrad_poly as tg
from benchmarks.interface import Run, Vector
from benchmarks.pairing import enough, rounds_in, seconds
from benchmarks.report import measured
from benchmarks.report.measured import Quartiles


@dataclass(frozen=True)
class Result:
    """A measured result that pages may quote.

    Attributes:
        what: it is.
        of: the piece of code whose time it is.
        unit: the piece of code whose time is 1; None for the time itself.
    """

    what: str
    of: str
    unit: str | None = None


@dataclass(frozen=True)
class Comparison:
    """Pieces of code that do the same, by name, and their results, by the name under which pages quote them."""

    runs: Mapping[str, Run]
    results: Mapping[str, Result]


class WrongResult(Exception):  # noqa: N818 - it says what it is
    """An error: pieces of code that should give the same result give different ones."""


def measure(comparison: Comparison, budget: float, at_least: float) -> dict[str, Any]:
    """The results of a comparison.

    Args:
        comparison: of which all runs are at their start.
        budget: about how many seconds to measure.
        at_least: how many seconds a round takes.

    Raises:
        WrongResult: where results differ in their first half of digits.
    """
    _check(comparison.runs)
    rounds = {name: enough(run.take, at_least) for name, run in comparison.runs.items()}
    times: dict[str, list[float]] = {name: [] for name in rounds}
    order = list(rounds)
    for _ in range(rounds_in(budget, *rounds.values(), at_least=3, at_most=51)):
        order.append(order.pop(0))
        for name in order:
            times[name].append(seconds(rounds[name].code) / rounds[name].units)
    return {key: _entry(result, times) for key, result in comparison.results.items()}


def _check(runs: Mapping[str, Run]) -> None:
    found: dict[str, Vector] = {}
    for name, run in runs.items():
        run.take(2)
        found[name] = run.weights()
    (first, expected), *others = found.items()
    # Where only the order of roundings differs, half of the digits are out of its reach.
    enough_digits = math.sqrt(np.finfo(expected.dtype).eps) * np.linalg.norm(expected)
    for name, other in others:
        if not np.linalg.norm(other - expected) <= enough_digits:
            raise WrongResult(f"{name} gives {other[:5]}, and {first} {expected[:5]}")


def _entry(result: Result, times: Mapping[str, list[float]]) -> dict[str, Any]:
    middle = {name: float(f"{Quartiles.of(values).middle:.3g}") for name, values in times.items()}
    own = times[result.of]
    found = Quartiles.of(own) if result.unit is None else Quartiles.of_ratio(own, times[result.unit])
    quartiles = [float(f"{x:.3g}") for x in (found.low, found.middle, found.high)]
    # Of the median that is kept: rounded once more, another may come out differently.
    value = duration(quartiles[1]) if result.unit is None else two_digits(quartiles[1])
    unit = "seconds" if result.unit is None else f"of {result.unit}"
    return {"value": value, "quartiles": quartiles, "unit": unit, "what": result.what, "seconds": middle}


def two_digits(value: float) -> str:
    """A number with two significant digits, without an exponent."""
    rounded = float(f"{value:.1e}")
    return f"{rounded:.{max(0, 1 - math.floor(math.log10(rounded)))}f}"


def duration(value: float) -> str:
    """A time in the unit that suits it, with two digits."""
    return measured.duration(float(f"{value:.1e}"), two_digits)


def called(function: Callable[..., Any], *arguments: Any) -> Run:
    """A round that calls, again and again, a function that returns arrays."""
    found: Any = ()

    def take(n: int) -> None:
        nonlocal found
        for _ in range(n):
            found = function(*arguments)

    return Run(take, lambda: raveled(found))


def raveled(arrays: Iterable[Any]) -> Vector:
    """All elements of arrays, or of tensors of one element, in their dtype."""
    return np.concatenate([np.ravel(a.item() if isinstance(a, tg.Tensor) else a) for a in arrays])
