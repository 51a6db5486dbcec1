"""The summary: the results file, and tables of it that are short enough for the end of a log."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.gpu import device
from benchmarks.gpu.fits import known
from benchmarks.gpu.scale import Scale
from benchmarks.report.constants import best as best_of
from benchmarks.report.measured import Results, duration, significant
from benchmarks.report.targets import outcomes, unmeasured
from benchmarks.running.machine import sources
from benchmarks.running.runner import LATE
from benchmarks.running.selection import step_row
from benchmarks.running.store import Row
from benchmarks.running.store import results as results_of
from benchmarks.running.terminal import table

if TYPE_CHECKING:
    from benchmarks.gpu.parts import Part

FITS = ("fits", "jax", "torch-compile")
COLUMNS = {
    "torch by hand": "by hand",
    "torch.autograd": "autograd",
    "torch.compile": "compile",
    "torch CUDA graph": "graph",
    "JAX fori_loop": "JAX",
    "tinygrad_poly": "eager",
    "compiled": "compiled",
    "CUDA by hand": "CUDA",
    "reading the data": "reading",
    "copying on the device": "copying",
}
MOST_FAILURES = 12
"""How many are printed; the file holds all."""


def of_part(name: str, rows: Mapping[str, Row]) -> dict[str, Row]:
    """The rows of a part by their own keys."""
    own = {key.partition(": ")[2]: row for key, row in rows.items() if key.partition(": ")[0] == name}
    return {key: row for key, row in own.items() if key}


def outcome(part: Part, spent: float, rows: Mapping[str, Row], scale: Scale) -> Row:
    """The result of a part, and its commit."""
    own = of_part(part.name, rows)
    about: Row = {"part": part.name, "title": part.title, "seconds": spent, "commit": scale.commit}
    about["sources"] = sources()
    if part.name == "tests":
        shares = [row for row in own.values() if "tests" in row]
        tests, passed = (sum(int(row[key]) for row in shares) for key in ("tests", "passed"))
        failed = sum(len(row["failures"]) for row in shares) + sum(is_failure(row) for row in own.values())
        skipped = sum(len(row["left_out"]) for row in shares)
        counts = {"rows": tests, "measured": passed, "failed": failed, "skipped": max(0, tests - passed - failed)}
        late = tests - passed - failed - skipped if any(row.get("late") for row in shares) else 0
        return {**about, **counts, "late": max(0, late)}
    without = [row for row in own.values() if "skipped" in row]
    return {
        **about,
        "rows": len(own),
        "measured": len(own) - len(without),
        "failed": sum(is_failure(row) for row in without),
        "skipped": sum(not is_failure(row) for row in without),
        "late": sum(row["skipped"] == LATE for row in without),
    }


def is_failure(row: Row) -> bool:
    """Whether a row is missing because of an error or a crash, not because of time or a missing library."""
    said = str(row.get("skipped", ""))
    return bool(row.get("failed")) or said.startswith(("the process ", "took longer than", "there is no such test"))


def in_a_line(row: Row) -> str:
    """The result of a part in a line of text."""
    counts = [f"{row['measured']} of {row['rows']} in {row['seconds']:.0f} s"]
    counts += [f"{row[key]} {words}" for key, words in (("failed", "FAILED"), ("late", "had no time left")) if row[key]]
    return ", ".join(counts)


def results(rows: Mapping[str, Row], scale: Scale) -> dict[str, Any]:
    """The results file: what `benchmarks.report` reads, with the other parts beside the rows."""
    steps, cases = [], known()
    for part in FITS:
        for key, row in of_part(part, rows).items():
            case, name = cases[key]
            steps.append(step_row(case, 1, name, row))
    steps.sort(key=lambda row: (row["problem"] != "sin", row["problem"], row["dtype"] != "float64", row["points"]))
    tables: dict[str, list[Row]] = {
        "rows": steps,
        **{name: [] for name in ("cold", "processes", "operations")},
        "parts": [row for key, row in rows.items() if key.endswith(": ")],
        **{
            name: [{"key": key, **row} for key, row in of_part(name, rows).items()]
            for name in ("smoke", "tests", "sweep", "profile")
        },
    }
    data = results_of(tables)
    found = of_part("smoke", rows).get("device", {})
    data["machine"] |= {**device.driver(), **({} if "skipped" in found else found)}
    if scale.stand_ins:
        data["machine"]["gpu"] = "stand-in"
    about = {"commit": scale.commit, **({"stand_ins": True} if scale.stand_ins else {})}
    return {"format": data.pop("format"), **about, **without_folders(data)}


def without_folders(value: Any) -> Any:
    """The same value without this machine's folders in its texts.

    >>> without_folders({"why": "error: /tmp/abc/kernel.cu(3): expected 2/3 of a/b"})
    {'why': 'error: kernel.cu(3): expected 2/3 of a/b'}
    """
    if isinstance(value, str):
        return re.sub(r"(?<![\w.])/(?:[^\s/:'\"]+/)+", "", value)
    if isinstance(value, list):
        return [without_folders(item) for item in value]
    if isinstance(value, dict):
        return {without_folders(key): without_folders(item) for key, item in value.items()}
    return value


def failures(data: Mapping[str, Any]) -> Iterator[str]:
    """The failures and their reasons."""
    for name in ("smoke", "sweep", "profile"):
        yield from (f"{name}, {row['key']}: {row['skipped']}" for row in data[name] if is_failure(row))
    for row in data["tests"]:
        if is_failure(row):
            yield f"tests, {row['key']}: {row['skipped']}"
        elif "tests" in row:
            yield from (f"{test}: {why}" for test, why in row["failures"])
    for row in data["rows"]:
        if is_failure(row):
            yield f"{row['case']}, {row['implementation']}: {row['skipped']}"


def show(data: Mapping[str, Any]) -> None:
    """Print the results of all parts, failures, targets, best constants, compiled steps and the eager step."""
    about = data["machine"]
    print(f"\n{about.get('gpu')}, driver {about.get('driver')}, commit {data['commit']}")
    table(
        "parts",
        ("", "done", "failed", "not done", "seconds", ""),
        [
            (row["part"], f"{row['measured']}", f"{row['failed']}", f"{row['skipped']}", f"{row['seconds']:.0f}", "")
            for row in data["parts"]
        ],
    )
    failed = list(failures(data))
    if failed:
        print("\nfailed")
        print(*(f"  {line[:240]}" for line in failed[:MOST_FAILURES]), sep="\n")
        if len(failed) > MOST_FAILURES:
            print(f"  and {len(failed) - MOST_FAILURES} more, see the results file")
    found = Results({**data})
    table(
        "targets" + (", on stand-ins: whatever is said of them means nothing" if data.get("stand_ins") else ""),
        ("time / time of", "ratio", "promised", ""),
        [
            *((o.what, significant(o.ratio.middle), f"≤ {o.limit:g}", o.verdict) for o in outcomes(found)),
            *((what, "", f"≤ {limit:g}", "not measured") for what, limit in unmeasured("cuda", [found])),
        ],
    )
    measured = [row for row in data["sweep"] if "skipped" not in row]
    table(
        "constants",
        ("", "now", "best", "what the best would save"),
        [(name, f"{now}", f"{best}", f"{1 - 1 / slow:.1%}") for name, (now, best, slow) in best_of(measured).items()],
    )
    table("a step", ("", *list(COLUMNS.values())[:-1], "copying"), list(step_lines(found)))
    for row in data["profile"]:
        if row["key"].startswith("sections"):
            parts = ", ".join(f"{name} {duration(each)}" for name, each in row.get("seconds", {}).items())
            print(f"{row['key']}: {parts or row.get('skipped')}")


def step_lines(found: Results) -> Iterator[tuple[str, ...]]:
    """A line for each case: the wall time of a step by each implementation."""
    cases = dict.fromkeys(row["case"] for row in found.data["rows"])
    for case in cases:
        rows = [found.row(case, 1, name) for name in COLUMNS]
        if any(rows):
            yield (
                case.removesuffix("-cuda"),
                *("" if row is None else duration(median(row["seconds"])).replace(" ", "") for row in rows),
            )
