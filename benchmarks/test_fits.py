"""Training steps of every implementation: `pytest benchmarks -k compiled` selects rows by name.

Each round of a row follows on a round of its references, so that the ratios are taken within one process and within
moments. A row that there cannot be is skipped, and says why.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from benchmarks.pairing import Round, enough, paired, rounds_in, threads
from benchmarks.problems import CASES, Case
from benchmarks.registry import IMPLEMENTATIONS, Unavailable, started

ROUND = 0.005
"""Seconds that a round takes at least: a thousand times what reading the clock takes."""
MANY_POINTS = 10**6


def rows() -> Iterator[Any]:
    """All cases, each with the implementations that suit it."""
    for case in CASES:
        for name, implementation in IMPLEMENTATIONS.items():
            if implementation.takes(case):
                yield pytest.param(case, name, id=f"{case.id}-{name}")


def references_of(case: Case, name: str) -> dict[str, Round]:
    """Rounds of the available references of an implementation, after a check of their first steps."""
    found = {}
    for reference in IMPLEMENTATIONS[name].beside(case):
        if (
            reference != name
            and IMPLEMENTATIONS[reference].takes(case)
            and case.kind not in IMPLEMENTATIONS[reference].alone
        ):
            # One that raises, or is wrong, says so in its own row; this row has no ratio to it.
            with suppress(Exception):
                found[reference] = enough(started(case, reference).take, ROUND)
    return found


@pytest.mark.parametrize(("case", "name"), list(rows()))
def test_fit(benchmark: Any, case: Case, name: str) -> None:
    try:
        run = started(case, name)
    except Unavailable as reason:
        pytest.skip(str(reason))
    own, references = enough(run.take, ROUND), references_of(case, name)
    few = case.points < MANY_POINTS
    rounds = rounds_in(1 if few else 6, own, *references.values(), at_least=10 if few else 3, at_most=40)
    by_device: list[float] = []

    def round_of_own() -> None:
        own.code()
        if run.clock is not None:
            by_device.append(run.clock.seconds / own.units)

    benchmark.group = case.id
    own_seconds, reference_seconds = paired(benchmark, Round(round_of_own, own.units), references, rounds)
    benchmark.extra_info.update(
        case=case.id,
        problem=case.problem.name,
        points=case.points,
        dtype=case.dtype,
        device=case.device,
        implementation=name,
        kind=IMPLEMENTATIONS[name].kind,
        threads=threads(),
        steps=own.units,
        seconds=own_seconds,
        references=reference_seconds,
    )
    if by_device:
        benchmark.extra_info["device_seconds"] = by_device
