"""Measuring in fresh processes: each `Unit` is one, and what ends a process early costs one row."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from benchmarks.running.machine import ROOT
from benchmarks.running.store import Row, Store, lines

Threads = int | str
"""1, or "default" for as many as each library takes by itself."""

LIMIT = 900.0
"""Seconds without a new row after which a process is stopped."""

_THREADS = {
    **dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"),
    # JAX has no setting of its own: XLA takes the number of processors from NPROC.
    "NPROC": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
}


def environment(threads: Threads) -> dict[str, str]:
    """The environment of a process with one thread, or with as many as each library takes by itself.

    What this process's pytest was told is not for the one that is started. Python may write byte code, as it does for
    users: programs would start slower without it.
    """
    ours = {*_THREADS, "PYTHONDONTWRITEBYTECODE"}
    kept = {name: value for name, value in os.environ.items() if name not in ours and not name.startswith("PYTEST_")}
    return kept | _THREADS if threads == 1 else kept


Keep = Callable[[str, Row], None]
"""Takes a row by its key, as soon as it is finished."""


class Unit(Protocol):
    """Rows that are measured together."""

    @property
    def title(self) -> str:
        """What it is, for the progress."""

    @property
    def keys(self) -> Sequence[str]:
        """Of its rows."""

    def measure(self, missing: Sequence[str], keep: Keep) -> None:
        """Measure those rows that are missing; one that there cannot be says why in "skipped"."""


@dataclass(frozen=True)
class Selection:
    """Tests of one file, in one process as long as nothing goes wrong.

    Attributes:
        title: what it is.
        file: the file.
        tests: the test's id by the key of its row.
        threads: 1 or "default".
        limit: after so many seconds without a new row the process is stopped.
    """

    title: str
    file: Path
    tests: Mapping[str, str]
    threads: Threads = 1
    limit: float = LIMIT

    @property
    def keys(self) -> Sequence[str]:
        """Of its rows."""
        return list(self.tests)

    def measure(self, missing: Sequence[str], keep: Keep) -> None:
        """Measure the missing rows.

        Where the process ends before it should, the row that it was at gets the reason, and another process goes on
        with the next.
        """
        keys = {self.tests[key]: key for key in missing}
        while keys:
            count = len(keys)
            broken = self._process(list(keys), lambda test, row: keep(keys.pop(test), row))
            if keys and (broken or len(keys) == count):
                keep(keys.pop(next(iter(keys))), {"skipped": broken or "there is no such test"})

    def _process(self, tests: Sequence[str], keep: Keep) -> str | None:
        """Run tests in a new process; returns why it did not end as pytest ends, None if it did."""
        with tempfile.TemporaryDirectory(prefix="tinygrad_poly_") as name:
            folder = Path(name)
            (folder / "asked.json").write_text(json.dumps(tests), encoding="utf-8")
            with (folder / "output").open("wb") as output:
                process = subprocess.Popen(
                    [
                        # `-s`, because what pytest captures is lost with the process.
                        *(
                            sys.executable,
                            "-m",
                            "pytest",
                            "-q",
                            "-s",
                            "-p",
                            "benchmarks.running.rows",
                            "-p",
                            "no:cacheprovider",
                        ),
                        *("--no-header", "--no-summary", "--benchmark-columns=median", "--rows", name, str(self.file)),
                    ],
                    cwd=ROOT,
                    env=environment(self.threads),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    # Ctrl-C reaches this process alone, which then stops that one with all that it started.
                    start_new_session=True,
                )
            rows = _Tail(folder / "rows.jsonl", keep)
            try:
                while process.poll() is None:
                    rows.read()
                    if time.monotonic() > rows.latest + self.limit:
                        return f"took longer than {self.limit:g} s"
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(timeout=0.1)
            finally:
                stop(process)
                rows.read()
            said = (folder / "output").read_text(encoding="utf-8", errors="replace")
        return None if process.returncode in (0, 1) else ending(process.returncode, said)


class _Tail:
    """The end of a file of rows that another process writes.

    Attributes:
        latest: when the latest row came.
    """

    def __init__(self, path: Path, keep: Keep) -> None:
        self.path, self.keep = path, keep
        self.seen, self.latest = 0, time.monotonic()

    def read(self) -> None:
        """Keep the rows that are new."""
        for test, row in lines(self.path)[self.seen :]:
            self.seen, self.latest = self.seen + 1, time.monotonic()
            self.keep(test, row)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process with all that it started, if it has not ended by itself."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            if hasattr(os, "killpg"):
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
    process.wait()


def ending(status: int, said: str) -> str:
    """Why a process ended early, as far as one can tell from its status and from what it said last."""
    if status < 0:
        name = signal.Signals(-status).name
        return f"the process was ended by {name}" + (", perhaps for want of memory" if name == "SIGKILL" else "")
    last = said.strip().splitlines()[-1:]
    return f"the process ended with status {status}" + "".join(f": {line.strip()[:200]}" for line in last)


def run(units: Sequence[Unit], store: Store, report: Callable[[Unit, str, Row], None]) -> None:
    """Measure what is missing, keep each row at once, and report it."""

    def keep(unit: Unit, key: str, row: Row) -> None:
        store.add(key, row)
        report(unit, key, row)

    for unit in units:
        missing = [key for key in unit.keys if key not in store.rows]
        unit.measure(missing, partial(keep, unit))
