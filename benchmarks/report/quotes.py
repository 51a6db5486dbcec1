"""Quotes: measured numbers in prose, each marked with its measurement's name, so that none becomes outdated.

In a page stands `<!--measured: KEY-->1.04<!--/-->`, of which a reader sees 1.04. A key is one of

    ratio CASE THREADS IMPLEMENTATION / REFERENCE      the time of a step in units of another's, in the same rounds
    time CASE THREADS IMPLEMENTATION                   the time of a step
    process NAME / REFERENCE                           the time of a whole process in units of another's
    experiment NAME                                    a result of `python -m benchmarks.experiments`

with the results before it where they are not the CPU's: `cuda: ratio …`. What somebody else measured or promises says
where: `<!--cited: SOURCE-->200 GB/s<!--/-->`, and so does what is reckoned from that.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.report.measured import RESULTS, Quartiles, Results, Threads, duration, seconds

ROOT = Path(__file__).parents[2]
QUOTE = re.compile(r"(<!--measured: (?P<key>[^>]+?)-->)(?P<value>.*?)(<!--/-->)", re.S)
CITED = re.compile(r"<!--cited: [^>]+?-->.*?<!--/-->", re.S)

# What reads like a measurement of speed.
CLAIM = re.compile(
    r"(?<![\w.])\d[\d.,]*\s?(?:µs|ms|ns|GB/s)(?!\w)"
    r"|\d[\d.]*\s?(?:×|times|%)\s(?:as fast|as slow|faster|slower|quicker)"
    r"|(?:took|takes|at)\s\d[\d.]*\sof\s\w+"
)
CODE = re.compile(r"```.*?```|`[^`\n]*`", re.S)


def pages() -> list[Path]:
    """The pages in which numbers may be quoted, except those that are generated from measurements."""
    generated = ("benchmarks.md", "doctor.md")
    return [ROOT / "README.md", *sorted(p for p in (ROOT / "docs").glob("*.md") if p.name not in generated)]


def updated(text: str) -> str:
    """A page with every quoted number as it was measured.

    Raises:
        KeyError: for a quote of what was not measured.
    """
    return QUOTE.sub(lambda match: match[1] + measured(match["key"]) + match[4], text)


def unmarked(text: str) -> list[str]:
    """Claims to be measured that name neither a measurement nor somebody else's."""
    return CLAIM.findall(CODE.sub("", CITED.sub("", QUOTE.sub("", text))))


def measured(key: str, results: Results | None = None) -> str:
    """The number that a key names, in these results or, without, in the committed ones.

    Raises:
        KeyError: where it was not measured.
    """
    name, separator, rest = key.partition(": ")
    kind, _, what = (rest if separator else key).partition(" ")
    found: Quartiles | str | None = None
    if kind == "experiment":
        found = experiments().get(what, {}).get("value")
    elif (results := results or load(name if separator else "cpu")) is not None and kind == "process":
        found = results.process_ratio(*what.split(" / "))
    elif results is not None and kind in ("ratio", "time"):
        case, threads, names = what.split(" ", 2)
        implementation, _, reference = names.partition(" / ")
        row = results.row(case, _threads(threads), implementation)
        if kind == "ratio":
            found = results.ratio(row, reference)
        elif row is not None:
            found = duration(seconds(row))
    if found is None:
        raise KeyError(f"no committed result holds {key!r}: measure it, or take the sentence out")
    return f"{found.middle:.2f}" if isinstance(found, Quartiles) else found


def _threads(text: str) -> Threads:
    return int(text) if text.isdigit() else text


@cache
def load(name: str) -> Results | None:
    """The committed results, read once."""
    return Results.load(name)


@cache
def experiments() -> dict[str, dict[str, Any]]:
    """The results of all experiments, by name: value, what."""
    kept = json.loads((RESULTS / "experiments.json").read_text(encoding="utf-8"))
    return {name: result for experiment in kept.values() for name, result in experiment["results"].items()}
