"""Measurement in fresh processes, one for each `Unit`, so that a crash costs one row."""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Mapping, Sequence
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
LATE = "there was no time left"

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
        """The title of these rows, for the progress."""

    @property
    def keys(self) -> Sequence[str]:
        """The keys of its rows."""

    def measure(self, missing: Sequence[str], keep: Keep) -> None:
        """Measure the missing rows; a row that cannot be measured says why in "skipped"."""


@dataclass(frozen=True)
class Selection:
    """Tests of one file, measured in one process as long as nothing fails.

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
        """The keys of its rows."""
        return list(self.tests)

    def measure(self, missing: Sequence[str], keep: Keep) -> None:
        """Measure the missing rows."""
        keys = {self.tests[key]: key for key in missing}
        in_processes(list(keys), lambda test, row: keep(keys[test], row), self._process)

    def _process(self, folder: Path, keep: Keep) -> Broken | None:
        # `-s`, because what pytest captures is lost with the process.
        options = ("-q", "-s", "-p", "benchmarks.running.rows", "-p", "no:cacheprovider", "--no-header", "--no-summary")
        command = ("-m", "pytest", *options, "--benchmark-columns=median", "--rows", str(folder), str(self.file))
        return supervised(command, folder, keep, environment(self.threads), self.limit)


@dataclass(frozen=True)
class Broken:
    """An error: a process ended too early.

    Attributes:
        reason: why.
        at: the key of the row that it was at, as far as it said so.
        late: whether it was stopped because there was no time left for this and all that was to follow.
    """

    reason: str
    at: str | None = None
    late: bool = False


def in_processes(asked: Sequence[str], keep: Keep, process: Callable[[Path, Keep], Broken | None]) -> None:
    """Measure everything in one process; after a crash, go on in a new one.

    Where the process ends before it should, the row that it was at gets the reason, and another process goes on with
    the rest.

    Args:
        asked: the keys of the rows.
        keep: takes the rows.
        process: runs one, for what `asked.json` in a folder names, and hands over its rows.
    """
    missing = dict.fromkeys(asked)

    def kept(key: str, row: Row) -> None:
        del missing[key]
        keep(key, row)

    while missing:
        count = len(missing)
        with tempfile.TemporaryDirectory(prefix="tinygrad_poly_") as folder:
            (Path(folder) / "asked.json").write_text(json.dumps(list(missing)), encoding="utf-8")
            broken = process(Path(folder), kept)
        if broken and broken.late:
            for key in list(missing):
                kept(key, {"skipped": broken.reason})
        elif missing and (broken or len(missing) == count):
            at = broken.at if broken and broken.at in missing else next(iter(missing))
            kept(at, {"skipped": broken.reason if broken else "there is no such test"})


def supervised(
    command: Sequence[str],
    folder: Path,
    keep: Keep,
    environment: Mapping[str, str],
    patience: float = LIMIT,
    until: float = math.inf,
    session: bool = True,
    well: Collection[int] = (0, 1),
) -> Broken | None:
    """Run Python in a new process; returns the reason if it ended too early, else None.

    Args:
        command: for Python.
        folder: where the process appends its rows to `rows.jsonl`, says in `at` which row it is at, and where all that
            it prints goes to `output`.
        keep: takes the rows as they come.
        environment: of the process.
        patience: after so many seconds without a new row it is stopped.
        until: the time by `time.monotonic` at which it is stopped.
        session: whether it is stopped with all that it started, and does not see Ctrl-C. Without, it ends with the
            process that calls this where that one is stopped so.
        well: the statuses with which it ends when it should, by default pytest's.
    """
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            # Ctrl-C reaches this process alone, which then stops that one with all that it started.
            start_new_session=session,
        )
    rows = _Tail(folder / "rows.jsonl", keep)
    at, reason, late = folder / "at", None, False
    try:
        while process.poll() is None and reason is None:
            rows.read()
            if time.monotonic() > until:
                reason, late = LATE, True
            elif time.monotonic() > rows.latest + patience:
                reason = f"took longer than {patience:g} s"
            else:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=0.1)
    finally:
        stop(process)
        rows.read()
    if reason is None and process.returncode not in well:
        reason = ending(process.returncode, (folder / "output").read_text(encoding="utf-8", errors="replace"))
    if reason is None:
        return None
    return Broken(reason, at.read_text(encoding="utf-8") if at.exists() else None, late)


class _Tail:
    """A reader of rows at the end of a file that another process writes.

    Attributes:
        latest: when the latest row came.
    """

    def __init__(self, path: Path, keep: Keep) -> None:
        self.path, self.keep = path, keep
        self.seen, self.latest = 0, time.monotonic()

    def read(self) -> None:
        """Store the rows that are new."""
        for test, row in lines(self.path)[self.seen :]:
            self.seen, self.latest = self.seen + 1, time.monotonic()
            self.keep(test, row)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process, and all that it started, if it still runs."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            if hasattr(os, "killpg") and os.getpgid(process.pid) == process.pid:
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
    # A process that a driver does not let go is left to itself.
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=10)


def ending(status: int, said: str) -> str:
    """The reason why a process ended early, guessed from its status and its last output."""
    if status < 0:
        name = signal.Signals(-status).name
        return f"the process was ended by {name}" + (", perhaps for want of memory" if name == "SIGKILL" else "")
    last = said.strip().splitlines()[-1:]
    return f"the process ended with status {status}" + "".join(f": {line.strip()[:200]}" for line in last)


def reason(error: BaseException) -> str:
    """An error as one line of text."""
    if isinstance(error, MemoryError) or type(error).__name__ in ("OutOfMemoryError", "OutOfMemory"):
        return f"out of memory: {str(error).partition(chr(10))[0]}".removesuffix(": ")
    return f"{type(error).__name__}: {error}".partition("\n")[0]


def run(units: Sequence[Unit], store: Store, report: Callable[[Unit, str, Row], None]) -> None:
    """Measure missing rows, store each at once, and report it."""

    def keep(unit: Unit, key: str, row: Row) -> None:
        store.add(key, row)
        report(unit, key, row)

    for unit in units:
        missing = [key for key in unit.keys if key not in store.rows]
        unit.measure(missing, partial(keep, unit))
