"""All implementations of a case in turn, in one process: `python -m benchmarks.running.together CASE FOLDER SECONDS`.

`FOLDER/asked.json` names the implementations. A row for each is appended to `FOLDER/rows.jsonl`, and `FOLDER/at` says
which of them is at work, so that one that ends the process is known.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.pairing import Round, enough, rounds_in, seconds, threads
from benchmarks.problems import CASES
from benchmarks.registry import IMPLEMENTATIONS, Unavailable, started
from benchmarks.report.measured import Row, noisy, width
from benchmarks.running.runner import Broken, Keep, Selection, environment, reason, supervised

BUDGET = 4.0
"""Seconds of rounds; as many again where they are noisy."""
ROUND = 0.005
PATIENCE = 120.0


@dataclass(frozen=True)
class Together(Selection):
    """Implementations of one case, all in each round: quick, and each is compared with each."""

    limit: float = PATIENCE
    case: str = ""
    budget: float = BUDGET

    def _process(self, folder: Path, keep: Keep) -> Broken | None:
        command = ("-m", "benchmarks.running.together", self.case, str(folder), str(self.budget))
        return supervised(command, folder, keep, environment(self.threads), self.limit)


def main(case_id: str, name: str, budget: str) -> None:
    """Measure for about so many seconds, and write the rows."""
    folder = Path(name)
    case = next(case for case in CASES if case.id == case_id)

    def keep(implementation: str, row: Row) -> None:
        with (folder / "rows.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps((implementation, row)) + "\n")

    def at(implementation: str) -> None:
        (folder / "at").write_text(implementation, encoding="utf-8")

    asked = json.loads((folder / "asked.json").read_text(encoding="utf-8"))
    takes = {each: partial(_round, case, each) for each in asked}
    about = {"threads": threads(), "case": case.id, "problem": case.problem.name}
    about |= {"points": case.points, "dtype": case.dtype, "device": case.device}
    for implementation, row in measured(takes, at, keep, float(budget)).items():
        keep(implementation, {**about, "implementation": implementation, **row})


def _round(case: Any, name: str) -> Round:
    return enough(started(case, name).take, ROUND)


def measured(
    starts: Mapping[str, Callable[[], Round]],
    at: Callable[[str], Any],
    keep: Callable[[str, Row], None],
    budget: float = BUDGET,
) -> dict[str, Row]:
    """The rows of all that can be measured, whatever the others do.

    Args:
        starts: gets each ready, by name.
        at: is told which is at work.
        keep: takes the reason of each that cannot be measured.
        budget: about how many seconds to measure.
    """
    ready: dict[str, Round] = {}

    def attempt(name: str, work: Callable[[], Any]) -> Any:
        at(name)
        try:
            return work()
        except Unavailable as error:
            keep(name, {"skipped": str(error)})
        except Exception as error:
            keep(name, {"skipped": reason(error), "failed": True})
        ready.pop(name, None)
        return None

    for name, start in starts.items():
        if (found := attempt(name, start)) is not None:
            ready[name] = found

    def series() -> dict[str, Row]:
        times: dict[str, list[float]] = {name: [] for name in ready}
        order = list(ready)
        for _ in range(rounds_in(budget, *ready.values(), at_least=10, at_most=101) if ready else 0):
            order.append(order.pop(0))
            for name in order:
                if name in ready and (taken := attempt(name, partial(seconds, ready[name].code))) is not None:
                    times[name].append(taken / ready[name].units)
        return {name: _row(name, times, ready[name].units) for name in ready}

    rows = series()
    if any(map(noisy, rows.values())):
        # All take part again, so that each is compared with each; a row that was quiet stays.
        rows = {
            name: min(rows[name], row, key=width) if noisy(rows[name]) else rows[name] for name, row in series().items()
        }
    return rows


def _row(name: str, times: Mapping[str, Sequence[float]], steps: int) -> Row:
    whole = len(times[name])
    beside = {
        other: times[other]
        for other in IMPLEMENTATIONS[name].references
        if other != name and len(times.get(other, ())) == whole
    }
    return {"steps": steps, "seconds": times[name], "references": beside}


if __name__ == "__main__":
    main(*sys.argv[1:])
