"""The tests that need a GPU, and the derivative table on CuPy, shared by several processes.

Most of their time CuPy compiles. They run without the configuration of the repository, which asks for more than pytest.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from benchmarks.gpu.scale import At, Scale
from benchmarks.running.machine import ROOT
from benchmarks.running.runner import LATE, environment, supervised
from benchmarks.running.store import Row

TESTS = ("tests/compiler/cuda/test_device.py", "tests/gpu")
"""Those that matter most come first: time may not suffice for all."""
MOST_SHARES = 12
LOST = 4
"""After so many tests that ended their process a share is given up."""
PATIENCE = 40.0
TO_FINISH = 7.0
"""Seconds that are left for the reports."""


def keys(scale: Scale) -> list[str]:
    """The keys of the shares."""
    count = max(1, min(MOST_SHARES, (os.cpu_count() or 1) - 1))
    return [f"share {number + 1} of {count}" for number in range(count)]


def measure(asked: Sequence[str], scale: Scale, at: At) -> Iterator[tuple[str, Row]]:
    """For each share, the number of tests that passed, and the result of the others."""
    with ThreadPoolExecutor(len(asked)) as pool:
        running = {pool.submit(share_of_tests, key, scale): key for key in asked}
        for done in as_completed(running):
            yield running[done], done.result()


def share_of_tests(key: str, scale: Scale) -> Row:
    """Run a share of the tests."""
    number, of = (int(word) for word in key.split() if word.isdecimal())
    over: dict[str, Row] = {}
    about = {"number": number - 1, "of": of, "quick": scale.quick, "stand_ins": scale.stand_ins}
    begin, lost = time.monotonic(), 0
    while True:
        with tempfile.TemporaryDirectory(prefix="tinygrad_poly_") as name:
            folder, left = Path(name), min(scale.left, 3600) - TO_FINISH
            (folder / "share.json").write_text(
                json.dumps({**about, "over": list(over), "left": left}), encoding="utf-8"
            )
            # No file of options, no conftest.py.
            (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
            report = scale.out / f"tests-{number}{f'-{lost + 1}' if lost else ''}.xml"
            options = ("-q", "-c", str(folder / "pytest.ini"), f"--rootdir={ROOT}", "--noconftest")
            plugins = ("-p", "no:cacheprovider", "-p", "no:benchmark", "-p", "benchmarks.gpu.suite_plugin")
            last = supervised(
                ("-m", "pytest", *options, "--import-mode=importlib", *plugins, "--share", name, f"--junitxml={report}",
                 *(str(ROOT / tests) for tests in TESTS)),
                folder, over.__setitem__, environment(1), PATIENCE, scale.until - TO_FINISH / 2, session=False,
            )  # fmt: skip
            said = (folder / "output").read_text(encoding="utf-8", errors="replace").strip()
        tests = int(over.pop("", {"tests": 0})["tests"])
        late = over.pop(LATE, None) is not None or (last is not None and last.late)
        if last is None or late:
            break
        over[last.at or f"the start of {key}"] = {"outcome": "failed", "seconds": 0.0, "why": last.reason}
        lost += 1
        if lost == LOST or last.at is None or len(over) >= tests:
            break
    found: Row = {
        "share": key,
        "tests": tests,
        "passed": sum(row["outcome"] == "passed" for row in over.values()),
        "seconds": time.monotonic() - begin,
        "failures": [[test, row["why"]] for test, row in over.items() if row["outcome"] == "failed"],
        "left_out": [[test, row["why"]] for test, row in over.items() if row["outcome"] == "skipped"],
    }
    if not tests and not late:
        found |= {"failures": [[key, f"no test was found: {said[-300:]}"]]}
    return found | ({"late": True} if late else {})
