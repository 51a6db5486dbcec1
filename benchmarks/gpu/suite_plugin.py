"""A pytest plugin that runs one share of the tests, and records each result at once.

`pytest -p benchmarks.gpu.suite_plugin --share FOLDER ...`: `FOLDER/share.json` says which of how many equal shares,
which tests were over before, how many seconds are left, whether one in several is enough, and whether stand-ins take
the place of the GPU.
"""

from __future__ import annotations

import json
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.running.runner import LATE, reason

TABLE = "test_table.py"
ONE_IN = 10
"""Of the derivative table one in so many cases is a quick test."""
MOST_ON_STAND_INS = 2000
"""Of the tests that take numbers of points."""


def pytest_addoption(parser: Any) -> None:
    """Add `--share`."""
    parser.addoption("--share", type=Path, metavar="FOLDER")


def pytest_configure(config: Any) -> None:
    """Install the stand-ins, before any test looks for a GPU."""
    config.share = json.loads((config.getoption("share") / "share.json").read_text(encoding="utf-8"))
    config.until = time.monotonic() + config.share["left"]
    if config.share["stand_ins"]:
        from tests.gpu import stand_ins

        stand_ins.install()


def pytest_collection_modifyitems(config: Any, items: list[Any]) -> None:
    """Keep this share's tests without a result; neighbours stay together, as they share GPU code."""
    share = config.share
    if share["quick"]:
        kept = [item for item in items if TABLE not in item.nodeid]
        items[:] = [*kept, *[item for item in items if TABLE in item.nodeid][::ONE_IN]]
    if share["stand_ins"]:
        items[:] = [item for item in items if _points(item) <= MOST_ON_STAND_INS]
    low, high = (len(items) * k // share["of"] for k in (share["number"], share["number"] + 1))
    over = set(share["over"])
    own = items[low:high]
    _write(config, "", {"tests": len(own)})
    items[:] = [item for item in own if item.nodeid not in over]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: Any, nextitem: Any) -> Generator[None, Any, Any]:
    """Record which test starts; if no time is left, end the run properly."""
    if time.monotonic() > item.config.until:
        _write(item.config, LATE, {})
        item.session.shouldstop = LATE
    (item.config.getoption("share") / "at").write_text(item.nodeid, encoding="utf-8")
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: Any, call: Any) -> Generator[None, Any, Any]:
    """Record the result of a test."""
    report = yield
    if report.when == "call" or not report.passed:
        said = report.longrepr[2] if report.skipped and isinstance(report.longrepr, tuple) else ""
        why = reason(call.excinfo.value) if report.failed and call.excinfo else said
        _write(item.config, item.nodeid, {"outcome": report.outcome, "seconds": call.duration, "why": why[:500]})
    return report


def _points(item: Any) -> int:
    return int(item.callspec.params.get("points", 0)) if hasattr(item, "callspec") else 0


def _write(config: Any, key: str, row: dict[str, Any]) -> None:
    with (config.getoption("share") / "rows.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps((key, row)) + "\n")
