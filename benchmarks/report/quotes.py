"""Quotes: measured numbers in prose, each with its measurement's name, so that none becomes outdated.

In a page stands `[1.04][compiled]`, and at its end what that is:

    [compiled]: benchmarks.md#every-row "measured: ratio sin-2000-float64-cpu 1 compiled / Numba by hand"

`python -m benchmarks.report` writes the number, and the link to its place on the benchmark page. A key is one of

    ratio CASE THREADS IMPLEMENTATION / REFERENCE      the time of a step in units of another's, in the same rounds
    time CASE THREADS IMPLEMENTATION                   the time of a step
    process NAME / REFERENCE                           the time of a whole process in units of another's
    experiment NAME                                    a result of `python -m benchmarks.experiments`

with the results before it where they are not the CPU's: `cuda-…: ratio …`. What somebody else measured or promises, and
what is reckoned from that, says so in the same place: `[data-sheet]: https://… "cited: a data sheet"`.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.report.measured import RESULTS, Quartiles, Results, Threads, duration, seconds
from benchmarks.report.targets import title

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "benchmarks.md"
LINK = re.compile(r"\[(?P<value>[^\[\]]*)\]\[(?P<name>[^\[\]]+)\]")
DEFINITION = re.compile(r'^\[(?P<name>[^\]]+)\]: (?P<to>\S+) "(?P<kind>measured|cited): (?P<key>[^"]+)"$', re.M)
SHELL = "From the shell: whole processes, and the first call"

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


def quoted(text: str) -> Iterator[tuple[str, str]]:
    """The key and the value of each measured number in a page."""
    keys = _keys(text)
    yield from ((keys[match["name"]], match["value"]) for match in LINK.finditer(text) if match["name"] in keys)


def updated(text: str, page: Path = PAGE) -> str:
    """A page with every quoted number as it was measured, and its link.

    Raises:
        KeyError: for a quote of what was not measured.
        ValueError: for the name of a measurement that no number bears.
    """
    keys = _keys(text)
    names = {match["name"] for match in LINK.finditer(text)}
    if unused := [match["name"] for match in DEFINITION.finditer(text) if match["name"] not in names]:
        raise ValueError(f"{page.name} defines {', '.join(unused)}, and no number there is of that name")
    to = Path(os.path.relpath(PAGE, page.parent)).as_posix()

    def value(match: re.Match[str]) -> str:
        name = match["name"]
        return f"[{measured(keys[name])}][{name}]" if name in keys else match[0]

    def definition(match: re.Match[str]) -> str:
        if match["kind"] == "cited":
            return match[0]
        return f'[{match["name"]}]: {to}#{place(match["key"])} "measured: {match["key"]}"'

    return DEFINITION.sub(definition, LINK.sub(value, text))


def _keys(text: str) -> dict[str, str]:
    """The keys of a page's measurements, by the names that they have there."""
    return {match["name"]: match["key"] for match in DEFINITION.finditer(text) if match["kind"] == "measured"}


def unmarked(text: str) -> list[str]:
    """Claims to be measured that name neither a measurement nor somebody else's."""
    names = {match["name"] for match in DEFINITION.finditer(text)}
    plain = LINK.sub(lambda match: "" if match["name"] in names else match[0], DEFINITION.sub("", text))
    return CLAIM.findall(CODE.sub("", plain))


def place(key: str) -> str:
    """The anchor of the section of the benchmark page in which a measurement stands."""
    name, kind, what = _parts(key)
    if kind == "experiment":
        titles = (each["title"] for each in kept().values() if what in each["results"])
        return anchor(next(titles, ""))
    if kind == "process":
        return anchor(SHELL)
    case, threads, _ = what.split(" ", 2)
    results = load(name)
    return anchor(heading(case, threads, results.gpu if results else ""))


def heading(case: str, threads: Threads, gpu: str = "") -> str:
    """The heading of a case's rows."""
    where = gpu or ("one thread" if str(threads) == "1" else f"{threads} threads")
    return f"{title(case).removesuffix(', cuda')}, {where}"


def anchor(heading: str) -> str:
    """The name that GitHub and Sphinx give a heading in links.

    >>> anchor("sin fit, 2,000 points, float64, one thread")
    'sin-fit-2000-points-float64-one-thread'
    """
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _parts(key: str) -> tuple[str, str, str]:
    """The results, the kind and the rest of a key."""
    name, separator, rest = key.partition(": ")
    kind, _, what = (rest if separator else key).partition(" ")
    return name if separator else "cpu", kind, what


def measured(key: str, results: Results | None = None) -> str:
    """The number that a key names, in these results or, without, in the committed ones.

    Raises:
        KeyError: where it was not measured.
    """
    name, kind, what = _parts(key)
    found: Quartiles | str | None = None
    if kind == "experiment":
        found = experiments().get(what, {}).get("value")
    elif (results := results or load(name)) is not None and kind == "process":
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
def kept() -> dict[str, dict[str, Any]]:
    """The committed experiments by name: title, text, results."""
    found: dict[str, dict[str, Any]] = json.loads((RESULTS / "experiments.json").read_text(encoding="utf-8"))
    return found


def experiments() -> dict[str, dict[str, Any]]:
    """The results of all experiments, by name: value, what."""
    return {name: result for experiment in kept().values() for name, result in experiment["results"].items()}
