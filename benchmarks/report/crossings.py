"""Crossings: the numbers of points at which the faster one of two implementations changes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Any

from benchmarks.report.measured import Quartiles, Results, Row, Threads


@dataclass(frozen=True)
class Lead:
    """Sizes that follow each other, at all of which the same one of two is surely the faster one.

    Attributes:
        who: is faster.
        first: the smallest number of points.
        last: the largest.
    """

    who: str
    first: int
    last: int


def leads(results: Results, own: str, reference: str, threads: Threads = 1, **wanted: Any) -> list[Lead]:
    """All leads of one or the other, by size; between two of them lies a crossing.

    A win is sure where the quartiles of the ratio lie on one side of 1; what is not sure belongs to no lead.

    Args:
        results: what was measured.
        own: an implementation whose rows were measured in turn with the reference.
        reference: another one.
        threads: as in the rows.
        wanted: other values that the rows must have, such as problem="sin".
    """
    rows = sorted(results.rows(implementation=own, threads=threads, **wanted), key=lambda row: int(row["points"]))
    wins = [(winner, int(row["points"])) for row in rows if (winner := _winner(results, row, reference))]
    runs = [(who, [points for _, points in run]) for who, run in groupby(wins, key=lambda win: win[0])]
    return [Lead(who, sizes[0], sizes[-1]) for who, sizes in runs]


def sentence(found: Sequence[Lead]) -> str:
    """Several leads in words, as of both sides: who is the faster one, and where.

    >>> sentence([Lead("a", 6, 60), Lead("b", 600, 600), Lead("a", 2000, 20_000)])
    'a is faster up to 60 points and from 2,000 on, b at 600'
    """
    where: dict[str, list[str]] = {}
    for i, lead in enumerate(found):
        where.setdefault(lead.who, []).append(_where(lead, i == 0, i == len(found) - 1))
    (first, parts), *others = where.items()
    up_to, *more = parts
    return ", ".join(
        [
            f"{first} is faster {' and '.join([f'{up_to} points', *more])}",
            *(f"{who} {' and '.join(each)}" for who, each in others),
        ]
    )


def _where(lead: Lead, smallest: bool, largest: bool) -> str:
    if smallest:
        return f"up to {lead.last:,}"
    if largest:
        return f"from {lead.first:,} on"
    return f"at {lead.first:,}" if lead.first == lead.last else f"from {lead.first:,} to {lead.last:,}"


def changes(found: Sequence[Lead]) -> Iterator[tuple[int, int]]:
    """The crossings between leads, each as the two sizes measured between which it lies."""
    yield from ((one.last, other.first) for one, other in pairwise(found))


def _winner(results: Results, row: Row, reference: str) -> str | None:
    """The one that is surely faster, or none."""
    ratio: Quartiles | None = results.ratio(row, reference)
    if ratio is None or ratio.low <= 1 <= ratio.high:
        return None
    return str(row["implementation"]) if ratio.high < 1 else reference
