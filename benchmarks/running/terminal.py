"""Terminal output of `tinygrad-poly bench`: a bar or a line for each row, and tables at the end."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from statistics import median
from typing import Any

from benchmarks.report.measured import WIDE, Quartiles, duration, noisy, significant

Row = dict[str, Any]
Report = Callable[[str, str, Row], None]
"""Called with the title of a unit, the key of a row and the row."""


def fancy() -> bool:
    """Whether the output goes to a terminal, and Rich is installed."""
    if not sys.stdout.isatty():
        return False
    try:
        import rich  # noqa: F401
    except ImportError:
        return False
    return True


@contextmanager
def progress(done: int, total: int) -> Iterator[Report]:
    """Report rows: on a bar where there is a terminal and Rich is installed, otherwise in a line each."""
    if fancy():
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        text = TextColumn("{task.description}", markup=False)
        # Drawing takes time from what is measured, so it is done seldom.
        with Progress(BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), text, refresh_per_second=1) as bar:
            task = bar.add_task("starting", total=total, completed=done)
            yield lambda title, key, row: bar.update(task, advance=1, description=f"{title}: {summary(row)}")
            bar.update(task, visible=False)
        return
    count = done

    def report(title: str, key: str, row: Row) -> None:
        nonlocal count
        count += 1
        print(f"[{count}/{total}] {key}: {summary(row)}", flush=True)

    yield report


def summary(row: Row) -> str:
    """A row in a few words.

    >>> summary({"implementation": "compiled", "seconds": [1e-6, 2e-6, 3e-6]})
    'compiled 2.00 µs a step'
    >>> summary({"skipped": "no GPU"})
    'skipped: no GPU'
    """
    if "skipped" in row:
        return f"skipped: {row['skipped']}"
    if "implementation" in row:
        return f"{row['implementation']} {duration(median(row['seconds']))} a step"
    if "first" in row:
        return f"first step after {duration(row['import'] + row['first'])}"
    if "row" in row:
        return str(row["row"])
    return ", ".join(f"{name} {duration(seconds)}" for name, seconds in row["seconds"].items())


Line = Sequence[str]
RATIO, NOISY = "ratio: below 1 is faster", "noisy"
NOTES = {
    "compiled hoisted": "takes its steps from sums over the data that were taken once: docs/moments.md",
    "reading the data": "only adds up x and y, which no step that looks at the data can do without",
}
"""Of names that do not explain themselves."""


def show(tables: Mapping[str, Sequence[Row]]) -> None:
    """Print the tables of a results file."""
    steps = tables["rows"]
    for case, threads in dict.fromkeys((row["case"], row["threads"]) for row in steps):
        rows = [row for row in steps if (row["case"], row["threads"]) == (case, threads)]
        counted = next((f" ({row['thread_count']})" for row in rows if "thread_count" in row), "")
        title = f"{case}, {'1 thread' if threads == 1 else f'default threads{counted}'}"
        rows.sort(key=lambda row: median(row.get("seconds") or [math.inf]))
        table(title, ("", "a step", RATIO, "quartiles", "to"), [line for row in rows for line in _step(row)])
    for name, note in NOTES.items():
        if any(row["implementation"] == name for row in steps):
            print(f"  {name}: {note}")
    if any(map(noisy, steps)):
        print(f"  {NOISY}: the quartiles are more than {WIDE:.0%} apart, and something else ran on this machine")
    colds = tables["cold"]
    for case in dict.fromkeys(row["case"] for row in colds):
        heads = ("", "import", "first step", "compiled before", "peak memory")
        table(f"cold starts, {case}", heads, [_cold(row) for row in colds if row["case"] == case])
    table("whole programs", ("", "seconds", RATIO, "quartiles", "to"), _programs(tables["processes"]))
    if tables["operations"]:
        groups: dict[str, list[float]] = {}
        for row in tables["operations"]:
            groups.setdefault(row["group"], []).append(row["extra_info"]["ratio_quartiles"][1])
        found = [(name, str(len(ratios)), significant(median(ratios))) for name, ratios in groups.items()]
        table("single operations", ("", "operations", "median ratio to torch"), found)


def _step(row: Row) -> Iterator[Line]:
    """The lines of a row, one for each reference."""
    if "skipped" in row:
        yield row["implementation"], "", "", "", row["skipped"]
        return
    about = (row["implementation"], duration(median(row["seconds"])))
    references = row["references"]
    # torch.autograd is what most are compared with, so it comes first.
    for name in sorted(references, key=lambda name: name != "torch.autograd"):
        yield *about, *_ratio(row["seconds"], references[name]), name
        about = ("", "")
    if not references:
        yield *about, "1" if row["implementation"] == "torch.autograd" else "", "", ""


def _ratio(own: Sequence[float], other: Sequence[float]) -> tuple[str, str]:
    ratio = Quartiles.of_ratio(own, other)
    mark = f" {NOISY}" if ratio.width > WIDE else ""
    return significant(ratio.middle), f"{significant(ratio.low)} to {significant(ratio.high)}{mark}"


def _cold(row: Row) -> Line:
    if "skipped" in row:
        return row["implementation"], "", "", "", row["skipped"]
    times = (duration(median(row[column])) for column in ("import", "first", "cached"))
    return row["implementation"], *times, f"{median(row['peak_bytes']) / 1e6:.0f} MB"


def _programs(rows: Sequence[Row]) -> list[Line]:
    seconds = {row["name"]: row["seconds"] for row in rows if "seconds" in row}
    lines: list[Line] = []
    for row in rows:
        name, reference = row["name"], row["reference"]
        if name not in seconds:
            lines.append((name, "", "", "", row["skipped"]))
            continue
        ratio = _ratio(seconds[name], seconds[reference]) if reference in seconds else ("", "")
        lines.append((name, significant(median(seconds[name])), *ratio, reference))
    return lines


def table(title: str, heads: Line, lines: Sequence[Line]) -> None:
    """Print a table, with names and the last column aligned left, numbers right."""
    if not lines:
        return
    last = len(heads) - 1
    if fancy():
        from rich.console import Console
        from rich.markup import escape
        from rich.table import Table

        shown = Table(title=escape(title), title_justify="left")
        for i, head in enumerate(heads):
            shown.add_column(escape(head), justify="left" if i in (0, last) else "right")
        for line in lines:
            shown.add_row(*map(escape, line))
        Console().print(shown)
        return
    widths = [max(len(line[i]) for line in (heads, *lines)) for i in range(last)]
    print(f"\n{title}")
    for line in (heads, *lines):
        cells = [f"{cell:>{width}}" if i else f"{cell:<{width}}" for i, (cell, width) in enumerate(zip(line, widths))]
        print("  " + "  ".join([*cells, line[last]]).rstrip())
