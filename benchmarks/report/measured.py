"""Measured results: the committed files, and ratios of their rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any

RESULTS = Path(__file__).parents[1] / "results"
FORMAT = 1

Row = dict[str, Any]
Threads = int | str
"""1, or "default" for as many as each library takes by itself."""


@dataclass(frozen=True)
class Quartiles:
    """The first quartile, the median and the third quartile of several rounds."""

    low: float
    middle: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Quartiles:
        """The quartiles of at least one value."""
        low, middle, high = quantiles([*values, *values] if len(values) == 1 else values, n=4, method="inclusive")
        return cls(low, middle, high)

    @classmethod
    def of_ratio(cls, own: Sequence[float], other: Sequence[float]) -> Quartiles:
        """The quartiles of a quotient, taken round by round."""
        return cls.of([mine / its for mine, its in zip(own, other, strict=True)])

    @property
    def width(self) -> float:
        """The distance of the quartiles, as a share of the median."""
        return (self.high - self.low) / self.middle


class Results:
    """A results file.

    Args:
        data: what is in it: "format", "date", "machine", "versions", and the lists "rows" (a training step, each row
            a case and an implementation), "cold", "processes" and "operations"; of a GPU also "parts", "smoke",
            "tests", "sweep" and "profile".

    Raises:
        ValueError: for a file of another format.
    """

    def __init__(self, data: dict[str, Any]) -> None:
        if data.get("format") != FORMAT:
            raise ValueError(
                f"the results are of format {data.get('format')!r}, and format {FORMAT} is read: measure again with "
                "make bench"
            )
        self.data = data
        self._rows = {(row["case"], row["threads"], row["implementation"]): row for row in data["rows"]}

    @property
    def gpu(self) -> str:
        """The name of the GPU that was measured; empty for a processor."""
        devices = {row["device"] for row in self.data["rows"]}
        return str(self.data["machine"]["gpu"]) if any(device.startswith("cuda") for device in devices) else ""

    @classmethod
    def load(cls, name: str) -> Results | None:
        """The committed results "cpu" or "cuda"; None where there are none."""
        path = RESULTS / f"{name}.json"
        return cls(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None

    @classmethod
    def gpus(cls) -> dict[str, Results]:
        """The committed results of each GPU, by the names of their files.

        Raises:
            ValueError: for results that were measured on stand-ins.
        """
        found = {
            path.stem: cls(json.loads(path.read_text(encoding="utf-8"))) for path in sorted(RESULTS.glob("cuda*.json"))
        }
        for name, results in found.items():
            if results.data.get("stand_ins"):
                raise ValueError(f"{name}.json was measured on stand-ins, and means nothing: take it away")
        return found

    def rows(self, **wanted: Any) -> Iterator[Row]:
        """The rows that were measured and have these values."""
        for row in self.data["rows"]:
            if "skipped" not in row and all(row[key] == value for key, value in wanted.items()):
                yield row

    def row(self, case: str, threads: Threads, implementation: str) -> Row | None:
        """The row of an implementation; None where it was not measured."""
        row = self._rows.get((case, threads, implementation))
        return None if row is None or "skipped" in row else row

    def skipped(self) -> list[Row]:
        """The rows that could not be measured, each with its reason."""
        return [row for row in self.data["rows"] if "skipped" in row]

    def ratio(self, row: Row | None, reference: str) -> Quartiles | None:
        """The time of a row in units of a reference's; None where they were not measured together.

        Each round of the one is divided by the round of the other that came right before or after it.
        """
        if row is None:
            return None
        if row["implementation"] == reference and reference not in row["references"]:
            return Quartiles(1, 1, 1)
        others = row["references"].get(reference)
        if not others:
            return None
        return Quartiles.of_ratio(row["seconds"], others)

    def process_ratio(self, name: str, reference: str) -> Quartiles | None:
        """The time of a whole process in units of another's, in the same rounds."""
        seconds = {p["name"]: p["seconds"] for p in self.data["processes"] if "skipped" not in p}
        if name not in seconds or reference not in seconds:
            return None
        return Quartiles.of_ratio(seconds[name], seconds[reference])


WIDE = 0.1
"""The width of quartiles above which a row is called noisy."""


def width(row: Row) -> float:
    """The width of a row's widest ratio; 0 without references, as what slows the machine slows all of a round."""
    return max((Quartiles.of_ratio(row["seconds"], other).width for other in row["references"].values()), default=0)


def noisy(row: Row) -> bool:
    """Whether the quartiles of a row are so wide that its median says little."""
    return "skipped" not in row and width(row) > WIDE


def seconds(row: Row) -> float:
    """The median time of a step."""
    return float(median(row["seconds"]))


def significant(value: float) -> str:
    """A number with three digits, without an exponent unless it is very large or small."""
    if value >= 999.5:
        return f"{value:.0f}"
    return f"{value:#.3g}".rstrip(".") if value >= 1e-4 else f"{value:.2g}"


def duration(value: float, number: Callable[[float], str] = significant) -> str:
    """A time in the unit that suits it, with its number as `number` writes it."""
    for unit, size in (("s", 1), ("ms", 1e-3), ("µs", 1e-6)):
        if value >= size:
            return f"{number(value / size)} {unit}"
    return f"{number(value * 1e9)} ns"
