"""Costs that are paid once: loading and compiling before the first step, and whole programs from the shell."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.problems import Case
from benchmarks.running.machine import ROOT
from benchmarks.running.runner import LIMIT, Keep, ending, environment, stop
from benchmarks.running.store import Row

CACHES = (
    *("TINYGRAD_POLY_CACHE", "NUMBA_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR", "XDG_CACHE_HOME"),
    *("CUPY_CACHE_DIR", "CUDA_CACHE_PATH"),
)
"""Where what was compiled is kept for the next process, by each of the libraries."""

TORCH = "torch program"
PROGRAM = "benchmarks/programs/sin_torch.py"
IMPORT = "import torch"
COMMANDS = {
    TORCH: f"python {PROGRAM}",
    "the same program with tinygrad_poly": f"python {PROGRAM}  # import tinygrad_poly as torch",
    "tinygrad-poly fit sin": "tinygrad-poly fit sin --no-picture",
    "tinygrad-poly fit sin --compile": "tinygrad-poly fit sin --no-picture --compile",
}
"""The programs that are compared, as one types them; their losses agree before they are timed."""
CLAIMED = (TORCH, "tinygrad-poly fit sin")
"""Those that README compares."""


class Failed(Exception):  # noqa: N818 - it is a row without numbers, not a failure of the run
    """The reason why a program has no row."""


def output(command: Sequence[str], caches: Path) -> tuple[str, float]:
    """The text that a program prints, and its seconds from the shell.

    Args:
        command: its arguments, without Python.
        caches: the folder for whatever it compiles.

    Raises:
        Failed: where it fails or takes too long.
    """
    settings = environment("default") | {name: str(caches / name.lower()) for name in CACHES}
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as out:
        begin = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            env=settings,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            _, said = process.communicate(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            raise Failed(f"took longer than {LIMIT:g} s") from None
        finally:
            stop(process)
        seconds = time.perf_counter() - begin
        if process.returncode:
            raise Failed(ending(process.returncode, said.decode(errors="replace")))
        out.seek(0)
        return out.read(), seconds


@dataclass(frozen=True)
class ColdStarts:
    """The first step of each implementation in new processes: one start of each, then again."""

    case: Case
    implementations: Sequence[str]
    rounds: int

    @property
    def title(self) -> str:
        """The title of these rows, for the progress."""
        return f"cold starts of {self.case.id}"

    @property
    def keys(self) -> Sequence[str]:
        """The keys of its rows, round by round."""
        return [self.key(name, k) for k in range(self.rounds) for name in self.implementations]

    def key(self, implementation: str, k: int) -> str:
        """The key of a row."""
        return f"cold-{self.case.id}-{implementation}-{k}"

    def measure(self, missing: Sequence[str], keep: Keep) -> None:
        """Measure the missing rows: "import", "first", "cached" and "peak_bytes"."""
        for k in range(self.rounds):
            for name in self.implementations:
                if self.key(name, k) in missing:
                    try:
                        row = self._start(name)
                    except Failed as reason:
                        row = {"skipped": str(reason)}
                    keep(self.key(name, k), row)

    def _start(self, name: str) -> Row:
        """Start twice: with nothing compiled before, and with the caches of the first start."""
        command = ("-m", "benchmarks.running.cold", self.case.id, name)
        with tempfile.TemporaryDirectory(prefix="tinygrad_poly_") as folder:
            first = _last_line(output(command, Path(folder))[0])
            if "skipped" in first:
                return first
            again = _last_line(output(command, Path(folder))[0])
        return {**first, "cached": again["first"], "peak_bytes": again["peak_bytes"]}

    def table(self, rows: Mapping[str, Row]) -> list[Row]:
        """A row for each implementation: for each round a number, or the reason why there is none."""
        made: list[Row] = []
        for name in self.implementations:
            measured = [rows[key] for k in range(self.rounds) if (key := self.key(name, k)) in rows]
            numbers = [row for row in measured if "skipped" not in row]
            about: Row = {"implementation": name, "case": self.case.id}
            if numbers:
                columns = ("import", "first", "cached", "peak_bytes")
                made.append(about | {column: [row[column] for row in numbers] for column in columns})
            elif measured:
                made.append(about | {"skipped": measured[0]["skipped"]})
        return made


@dataclass(frozen=True)
class Programs:
    """The tutorial's sin fit as programs from the shell, round by round; `names` chooses from them."""

    rounds: int
    names: Sequence[str] = tuple(COMMANDS)
    key: str = "program"
    title: str = "whole programs"

    @property
    def keys(self) -> Sequence[str]:
        """The keys of its rounds."""
        return [f"{self.key}-{k}" for k in range(self.rounds)]

    def measure(self, missing: Sequence[str], keep: Keep) -> None:
        """Measure the missing rounds: the seconds of each program, or the reason why there are none."""
        with tempfile.TemporaryDirectory(prefix="tinygrad_poly_") as name:
            commands, reasons = self.checked(Path(name)) if missing else ({}, {})
            for key in missing:
                seconds: dict[str, float] = {}
                for program, command in commands.items():
                    try:
                        seconds[program] = output(command, Path(name))[1]
                    except Failed as reason:
                        reasons[program] = str(reason)
                keep(key, {"seconds": seconds, "reasons": dict(reasons)})

    def checked(self, folder: Path) -> tuple[dict[str, Sequence[str]], dict[str, str]]:
        """The programs that run and print the same losses, and the reasons for others; this fills all caches."""
        found, reasons, expected = {}, {}, None
        for program, command in self._commands(folder).items():
            try:
                losses = printed_losses(output(command, folder)[0])
                expected = expected or losses
                check_equal(losses, expected)
                found[program] = command
            except Failed as reason:
                reasons[program] = str(reason)
        return found, reasons

    def _commands(self, folder: Path) -> dict[str, Sequence[str]]:
        source = (ROOT / PROGRAM).read_text(encoding="utf-8")
        ported = folder / "sin_tinygrad_poly.py"
        ported.write_text(re.sub(rf"^{IMPORT}$", "import tinygrad_poly as torch", source, flags=re.M), encoding="utf-8")
        fit = ("-m", "tinygrad_poly", "fit", "sin", "--no-picture")
        found = dict(zip(COMMANDS, ((PROGRAM,), (str(ported),), fit, (*fit, "--compile")), strict=True))
        return {name: found[name] for name in self.names}

    def table(self, rows: Mapping[str, Row]) -> list[Row]:
        """A row for each program."""
        rounds = [rows[key] for key in self.keys if key in rows]
        made: list[Row] = []
        for name in self.names:
            about: Row = {"name": name, "command": COMMANDS[name], "reference": TORCH}
            seconds = [one["seconds"][name] for one in rounds if name in one["seconds"]]
            reasons = [one["reasons"][name] for one in rounds if name in one["reasons"]]
            if reasons:
                made.append(about | {"skipped": reasons[0]})
            elif seconds:
                made.append(about | {"seconds": seconds})
        return made


def printed_losses(text: str) -> list[float]:
    r"""The losses in a text: the second number of each line that consists of two numbers.

    >>> printed_losses("Fitting ...\n99 12.5\n199 7.25\nResult: y = 1")
    [12.5, 7.25]
    """
    return [float(loss) for loss in re.findall(r"^\d+ (\d\S*)$", text, re.MULTILINE)]


def check_equal(losses: Sequence[float], expected: Sequence[float]) -> None:
    """Raise an error unless a program printed the same losses as the other.

    They are float64 sums of 2000 terms, added up in another order: n·u = 2.2e-13 of their absolute sum each, which is
    up to a thousand times the small loss that they come to.

    Raises:
        Failed: naming the first that differs.
    """
    if not losses or len(losses) != len(expected):
        raise Failed(f"printed {len(losses)} losses instead of {len(expected)}")
    for own, other in zip(losses, expected, strict=True):
        if not abs(own - other) <= 1e-9 * abs(other):
            raise Failed(f"printed a loss of {own} instead of {other}")


def _last_line(text: str) -> Row:
    try:
        row: Row = json.loads(text.splitlines()[-1])
    except (IndexError, ValueError):
        raise Failed(f"printed no result, but {text[-200:]!r}") from None
    return row
