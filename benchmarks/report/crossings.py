"""Crossings: the number of points from which one implementation is faster than another."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from benchmarks.report.measured import Quartiles, Results, Row, Threads


@dataclass(frozen=True)
class Crossing:
    """A change of the faster one of two, between two measured numbers of points.

    Attributes:
        first: who is faster with `below` points and fewer.
        then: who is faster with `above` points and more.
    """

    first: str
    then: str
    below: int
    above: int

    def __str__(self) -> str:
        return f"{self.first} is faster up to {self.below:,} points, {self.then} from {self.above:,} on"


def crossings(results: Results, own: str, reference: str, threads: Threads = 1, **wanted: Any) -> list[Crossing]:
    """All changes of the faster one, each as an interval from the last sure win of one to the first of the other.

    A win is sure where the quartiles of the ratio lie on one side of 1; what is not sure widens the interval.

    Args:
        results: what was measured.
        own: an implementation whose rows were measured in turn with the reference.
        reference: another one.
        threads: as in the rows.
        wanted: other values that the rows must have, such as problem="sin".
    """
    rows = sorted(results.rows(implementation=own, threads=threads, **wanted), key=lambda row: int(row["points"]))
    wins = [(row["points"], winner) for row in rows if (winner := _winner(results, row, reference))]
    return [Crossing(first, then, below, above) for (below, first), (above, then) in pairwise(wins) if first != then]


def _winner(results: Results, row: Row, reference: str) -> str | None:
    """The one that is surely faster, or none."""
    ratio: Quartiles | None = results.ratio(row, reference)
    if ratio is None or ratio.low <= 1 <= ratio.high:
        return None
    return str(row["implementation"]) if ratio.high < 1 else reference
