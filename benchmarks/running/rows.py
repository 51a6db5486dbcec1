"""A pytest plugin that writes each row at once, so that a crash loses no more than one.

`pytest -p benchmarks.running.rows --rows FOLDER FILE` runs those tests of FILE whose parameters `FOLDER/asked.json`
names, in that order, and appends a line for each to `FOLDER/rows.jsonl`. It stops after the first that fails: whatever
a failure left behind in the process, such as a full memory, is not to disturb the rows after it.
"""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.running.runner import reason

_WRITTEN = pytest.StashKey[bool]()
"""Whether a test has its row."""


def pytest_addoption(parser: Any) -> None:
    """Add `--rows`."""
    parser.addoption("--rows", type=Path, metavar="FOLDER")


def pytest_collection_modifyitems(config: Any, items: list[Any]) -> None:
    """Keep the tests of the rows that were asked for."""
    asked = json.loads((config.getoption("rows") / "asked.json").read_text(encoding="utf-8"))
    found = {item.callspec.id: item for item in items if hasattr(item, "callspec")}
    items[:] = [found[test] for test in asked if test in found]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: Any, call: Any) -> Generator[None, Any, Any]:
    """Write the row of a finished test, or the reason why there is none."""
    report = yield
    row: dict[str, Any] | None = None
    if report.failed:
        item.session.shouldfail = "the rest has a process of its own"
    if item.stash.get(_WRITTEN, False):
        pass  # one row a test: what its fixtures say afterwards adds nothing to it
    elif report.skipped:
        row = {"skipped": report.longrepr[2].removeprefix("Skipped: ")}
    elif report.failed:
        row = {"skipped": reason(call.excinfo.value), "failed": True}
    elif report.when == "call":
        benchmark = item.funcargs["benchmark"]
        stats = benchmark.stats.stats
        row = dict(benchmark.extra_info)
        row["stats"] = {"median": stats.median, "iqr": stats.iqr, "rounds": stats.rounds}
    if row is not None:
        item.stash[_WRITTEN] = True
        with (item.config.getoption("rows") / "rows.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps((item.callspec.id, row)) + "\n")
    return report
