"""Random CSV files, damaged runs, kills and command lines: right or refused, never wrong in silence and no traceback.

`python -m tests.proof.files --count 3000 csv runs`; without names all four, each with its own count.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import io
import json
import math
import os
import random
import re
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from tinygrad_poly.cli import main as command
from tinygrad_poly.compiler.loops import numba_runner
from tinygrad_poly.engine.errors import DataError
from tinygrad_poly.fitting import fit, points, saved
from tinygrad_poly.optim import SGD

Trial = Callable[[random.Random, Path], str]
"""One random trial in an empty folder: returns how it ended, or raises WrongError."""


class WrongError(Exception):
    """What must not happen, with the input that made it happen."""


def check(right: Any, message: object) -> None:
    if not right:
        raise WrongError(message)


# CSV files

NAMES = ("x", "y", "time (s)", "점수", "Höhe", "x1", "a.b", "a, b", "t; s", "tab\there", 'say "x"')
JUNK = (
    "-", "?", "inf", "-Infinity", "1_0", "1_000", "1,5", "1.0.0", "1 2", "0x10",
    "1e", "--1", "٣", "1e999", "2020-01-01", "12:30", "1,234.5", "$5", "5%", "O.5", "1.5f", "true", "1d5", "½", "+-1",
)  # fmt: skip
ABSENT = ("", "NA", "nan", "None", "null", "#N/A", "n/a", "NULL")


def number_text(rng: random.Random) -> tuple[float, str]:
    """A number, and one of the ways to write it."""
    x = rng.choice([rng.uniform(-10, 10), float(rng.randint(-5, 5)), rng.uniform(-1, 1) * 10 ** rng.randint(-30, 30)])
    if rng.random() < 0.3:
        text = rng.choice(["{:.3f}", "{:e}", "{:+.2f}", "{:E}", "{:.0f}."]).format(x)
        return float(text), text
    return x, repr(x).replace("-", rng.choice("-\u2212"), 1) if x < 0 else repr(x)


def csv_file(rng: random.Random, folder: Path) -> str:
    """A file made of known points, then perhaps spoilt in a known place: the same points, or that place, come back."""
    mark, end = rng.choice(";\t,"), rng.choice(["\n", "\r\n", "\r"])
    numbers = [[number_text(rng), number_text(rng)] for _ in range(rng.randint(1, 6))]
    rows = [[text for _, text in row] for row in numbers]
    header = rng.random() < 0.5
    quoting = rng.choice([0.0, 0.0, 0.3, 1.0])

    decimal = rng.choice([".", ","]) if mark != "," or quoting == 1.0 else "."
    if decimal == ",":
        rows = [[text.replace(".", ",") for text in row] for row in rows]
    absent = rng.randrange(len(rows)) if rng.random() < 0.2 else None
    if absent is not None:
        rows[absent][rng.randrange(2)] = rng.choice(ABSENT)

    spoilt: int | None = None
    if absent is None and decimal == "." and rng.random() < 0.5:
        spoilt = rng.randrange(len(rows))
        kind = rng.random()
        if kind < 0.7:
            # A file of one such row may be meant in another way.
            junk = rng.choice(JUNK if len(rows) > 1 else [junk for junk in JUNK if junk not in ("1,5", "1 2")])
            for column in rng.choice([(0,), (1,), (0, 1)]):
                rows[spoilt][column] = junk
        elif kind < 0.85:
            rows[spoilt].pop()
        else:
            rows[spoilt].append("1")

    def cell(text: str, always: bool = False) -> str:
        if always or rng.random() < quoting or any(c in text for c in ';\t,"'):
            return '"' + text.replace('"', '""') + '"'
        return " " * rng.choice([0, 0, 1]) + text if mark != "\t" else text

    lines = [mark.join(map(cell, row)) for row in rows]
    if header:
        lines.insert(0, mark.join(map(cell, rng.sample(NAMES, 2))))
    place = None if spoilt is None else spoilt + header + 1
    for _ in range(rng.choice([0, 0, 1, 2])):
        at = rng.randint(0, len(lines))
        lines.insert(at, rng.choice(["", "  ", "# 1;2,3", "  #"]))
        place = place + 1 if place is not None and at < place else place
    content = (end.join(lines) + rng.choice(["", end])).encode(rng.choice(["utf-8", "utf-8-sig", "utf-16"]))

    path = folder / "points.csv"
    if rng.random() < 0.2:
        return spoilt_bytes(rng, path, content)
    path.write_bytes(content)
    said: list[str] = []
    try:
        x, y = points.read(path, say=said.append)
    except DataError as error:
        if absent is not None and len(rows) == 1:
            return "refused, nothing there"
        if decimal == "," and "say --decimal" in str(error):
            x, y = points.read(path, decimal=",", say=said.append)
        else:
            check(place is not None, f"{error}: {content!r}")
            check(f", line {place}" in str(error), f"{error} is not in line {place}: {content!r}")
            return "refused"
    check(("decimal commas" in str(said)) == any("," in text for row in rows for text in row), f"{said}: {content!r}")
    check(("Left out 1 of" in str(said)) == (absent is not None), f"{said}: {content!r}")
    check(place is None, f"read as {x}, {y}: {content!r}")
    expected = [[value for value, _ in row] for i, row in enumerate(numbers) if i != absent]
    check([list(row) for row in zip(x, y, strict=True)] == expected, f"{x}, {y}: {content!r}")
    return "read"


def spoilt_bytes(rng: random.Random, path: Path, content: bytes) -> str:
    """A file with a bit or some bytes changed: refused, or read as the numbers that it now shows, line by line."""
    i, j = sorted(rng.randrange(len(content)) for _ in range(2))
    flipped = content[:i] + bytes([content[i] ^ 1 << rng.randrange(8)]) + content[i + 1 :]
    more = content[:i] + rng.randbytes(2) + content[i:]
    content = rng.choice([flipped, more, content[:i], content[:i] + content[j:]])
    path.write_bytes(content)
    try:
        x, y = points.read(path)
    except DataError as error:
        check(str(error).startswith((str(path), f"cannot read {path}")), f"{error} does not name the file")
        return "refused, spoilt"
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "read, spoilt"
    shown = content.decode("utf-8-sig")
    if '"' not in shown and "#" not in shown:
        lines = [line for line in re.split(r"[\r\n]", shown) if line.strip(" ,;\t\f\v\x1c\x1d\x1e\x1f\x85")]
        # The mark that most lines have; a comma that is none is a decimal one.
        mark = max(";\t,", key=lambda mark: sum(mark in line for line in lines))
        cells = [[cell.strip() for cell in line.split(mark if mark in shown else None)] for line in lines]
        rows = [row for row in cells if not (row in cells[:2] and all(cell[:1].isalpha() for cell in row))]
        rows = [row for row in rows if not any(cell.lower() in map(str.lower, ABSENT) for cell in row)]
        expected = [[float(cell.replace("\u2212", "-").replace(",", ".")) for cell in row] for row in rows]
        check([list(row) for row in zip(x, y, strict=True)] == expected, f"{x}, {y}: {content!r}")
    return "read, spoilt"


# Saved runs


def saved_runs() -> list[bytes]:
    """Files of several optimizers, dtypes and containers."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for optimizer, dtype, listed in (
            ("sgd", "float64", True),
            ("adam", "float32", False),
            (lambda params, lr: SGD(params, lr=lr, momentum=0.9), "float64", False),
        ):
            x = np.linspace(-1, 1, 5).astype(dtype)
            start: Any = [x[:2], 0.5] if listed else {"0": x[:2], "1": 0.5}

            def loss(params: Any, x: Any, y: Any) -> Any:
                first, second = params if isinstance(params, list) else params.values()
                return ((first.sum() * x + second - y) ** 2).mean()

            result = fit(loss, start, x, x * 2, steps=7, lr=0.01, optimizer=optimizer, log_every=2, progress=False)
            result.save(f"{folder}/run.json", problem={"curve": "none", "data": None})
            found.append(Path(folder, "run.json").read_bytes())
    return found


RUNS = saved_runs()
ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 7, 1.5, -0.0, 1e400, float("nan"), 10**30, "", "adam", "9", [], {}, [[]], [None],
    {"": 0}, {"=array": "float64", "shape": [], "values": [1]}, {"=array": "O", "shape": [], "values": [1]},
    {"=dict": 1}, {"=tensor": 1}, {"=array": "float64", "shape": [10**9], "values": []},
    {"=array": [], "shape": 0, "values": 0}, "float999",
)  # fmt: skip


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The places in a JSON document."""
    if path:
        yield path
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield from paths(value[key], (*path, key))


def edited(rng: random.Random, content: bytes, forged: bool = False) -> bytes:
    """The document with a value replaced, removed or added, and with a checksum made anew if forged."""
    document = json.loads(content)
    *above, last = rng.choice(list(paths(document)))
    place = document
    for key in above:
        place = place[key]
    kind = rng.random()
    if kind < 0.7:
        place[last] = copy.deepcopy(rng.choice(ODD))
    elif kind < 0.9:
        del place[last]
    elif isinstance(place, dict):
        place["more"] = copy.deepcopy(rng.choice(ODD))
    else:
        place.insert(last, copy.deepcopy(rng.choice(ODD)))
    if forged and "sha256" in document:
        document["sha256"] = saved._checksum(document)
    return json.dumps(document).encode()


def damaged_run(rng: random.Random, folder: Path) -> str:
    """A run of which bits, bytes, lines or values changed: refused by name, or the same where only its layout did."""
    whole = rng.choice(RUNS)
    i, j = sorted(rng.randrange(len(whole)) for _ in range(2))
    lines = whole.splitlines(keepends=True)
    k = rng.randrange(len(lines))
    content = rng.choice(
        [
            lambda: whole[:i] + bytes([whole[i] ^ 1 << rng.randrange(8)]) + whole[i + 1 :],
            lambda: whole[:i],
            lambda: whole[:i] + whole[j:],
            lambda: whole[:i] + rng.randbytes(rng.randint(1, 9)) + whole[i:],
            lambda: whole[:i] + str(rng.randint(0, 9)).encode() + whole[i + 1 :],
            lambda: b"".join(lines[:k] + lines[k + 1 :]),
            lambda: b"".join([*lines[:k], *lines[k - 1 :]]),
            lambda: edited(rng, whole),
        ]
    )()
    forged = rng.random() < 0.1
    if forged:
        content = edited(rng, whole, forged)
    path = folder / "run.json"
    path.write_bytes(whole)
    before = repr(saved.load(path))
    path.write_bytes(content)
    try:
        run = saved.load(path)
    except DataError as error:
        check(str(error).startswith(str(path)), f"{error} does not name the file")
        check("\n" not in str(error), f"{error} is no single line")
        return "refused"
    if forged:
        check(all(isinstance(w, np.ndarray) for w in run.params.values()), content)
        check(type(run.step) is type(run.steps) is type(run.log_every) is int, content)
        check(0 < run.lr < math.inf, content)
        return "with a checksum made anew"
    check(repr(run) == before, f"another run: {content!r}")
    return "the same run"


# Kills


def kill(rng: random.Random, folder: Path) -> str:
    """One of two processes that write the same run is killed at a random moment: what is there is a whole run."""
    path = folder / "run.json"
    runs = []
    for content in RUNS[:2]:
        path.write_bytes(content)
        runs.append(saved.load(path))
    path.unlink()
    children = []
    for run in runs:
        if (child := os.fork()) == 0:
            try:
                while True:
                    saved.save(run, path)
            finally:
                os._exit(1)
        children.append(child)
    time.sleep(rng.uniform(0, 0.12))
    os.kill(children[0], signal.SIGKILL)
    time.sleep(rng.uniform(0, 0.005))
    os.kill(children[1], signal.SIGKILL)
    for child in children:
        _, status = os.waitpid(child, 0)
        check(os.WIFSIGNALED(status), "a save failed")
    outcome = "nothing yet"
    if path.exists():
        check(repr(saved.load(path)) in map(repr, runs), "another run")
        outcome = "a whole run"
    if len(list(folder.iterdir())) > path.exists():
        outcome += " and a draft"
    saved.save(runs[0], path)
    check(list(folder.iterdir()) == [path], f"drafts stay: {list(folder.iterdir())}")
    return outcome


# Command lines

VALUES = (
    "0", "1", "-1", "3", "7", "25", "26", "1.5", "1e-6", "1e308", "1e400", "-0", "nan", "inf", "", " ", "--", "-",
    "x", "1,2", "1,2,3,4", "0,0,0,0", "1e308,1e308,1e308,1e308", "0,,0", "float32", "float64", "float16", "sgd",
    "adam", "adamw", "rmsprop", "adagrad", "none", "fit.svg", "points.csv", "points.csv/", "none.csv", ".",
    "/dev/null", "run.json", "new.json", "sub/new.json", "cpu", "cuda", "cuda:9", "algebra", "점", "\udce9", "1_0",
    "١", "99999999999999999999", "=", "-h",
)  # fmt: skip
OPTIONS = (
    "--points", "--data", "--degree", "--steps", "--lr", "--dtype", "--seed", "--start", "--device", "--optimizer",
    "--log-every", "--output", "--save", "--resume", "--hoist", "--nonsense", "--st", "-x",
)  # fmt: skip
RIGHT = (
    ("--degree", "1"), ("--lr", "1e-9"), ("--lr", "0.01"), ("--lr", "1e200"), ("--dtype", "float32"),
    ("--dtype", "float64"), ("--seed", "7"), ("--start", "1,2"), ("--start", "-1,2,0,1"), ("--optimizer", "adam"),
    ("--optimizer", "rmsprop"), ("--log-every", "3"), ("--save", "new.json"), ("--points", "9"),
    ("--hoist", "algebra"), ("--start", "1e308,0,0,1e308"),
)  # fmt: skip
FLAGS = ("--no-picture", "--compile", "--show-program", "--quiet", "--help", "--version", "--")


def command_line(rng: random.Random, folder: Path) -> str:
    """Options with odd values: a status that is documented, no traceback, and no result that is no number."""
    (folder / "points.csv").write_text(
        rng.choice(["x,y\n0,1\n1,3\n2,7\n3,13\n", "0,1e20\n1,2e20\n2,3e20\n", "x,y\n", "1,2\n"])
    )
    (folder / "run.json").write_bytes(RUNS[0])
    curve = rng.choice(["sin", "line", "poly"])
    arguments = ["fit", curve, "--no-picture", "--steps", str(rng.randint(1, 12))]
    if curve == "poly":
        arguments += ["--data", "points.csv"]
    if rng.random() < 0.05:
        arguments = rng.choice([[], ["fit"], ["tutorials"], ["tutorials", "T99"], ["bench"], ["x"]])
    for _ in range(rng.randint(0, 4)):
        if rng.random() < 0.3:
            arguments.append(rng.choice(FLAGS))
        else:
            option, value = rng.choice(RIGHT if rng.random() < 0.6 else [(rng.choice(OPTIONS), rng.choice(VALUES))])
            arguments += [f"{option}={value}"] if rng.random() < 0.5 else [option, value]
    # What takes minutes by being right.
    if re.search(r"(points|steps|st)[= ]99999|tutorials$|^bench", " ".join(arguments)):
        return "not tried"
    out, err = io.StringIO(), io.StringIO()
    try:
        with (
            contextlib.chdir(folder),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            patch.object(numba_runner, "available", lambda: False),
        ):
            status = command(arguments)
    except SystemExit as ended:
        check(ended.code == 0, f"SystemExit({ended.code}): {arguments}")
        return "help"
    except Exception as error:
        raise WrongError(f"{type(error).__name__}: {error}: {arguments}") from error
    check(status in (0, 1, 2), f"status {status}: {arguments}")
    lines = err.getvalue().splitlines()
    check(all(line.startswith("tinygrad-poly: ") for line in lines), f"{lines}: {arguments}")
    if status == 0:
        check(not re.search(r"Result:.*\b(nan|inf)\b", out.getvalue()), f"{out.getvalue()}: {arguments}")
    if status == 2:
        check(sum(line.startswith("tinygrad-poly: error: ") for line in lines) == 1, f"{lines}: {arguments}")
    return f"status {status}"


KINDS: dict[str, tuple[Trial, int]] = {
    "csv": (csv_file, 3000),
    "runs": (damaged_run, 3000),
    "kills": (kill, 200),
    "commands": (command_line, 5000),
}


def attempt(kind: str, count: int, seed: int) -> tuple[Counter[str], list[str]]:
    """How so many trials ended, and what was wrong."""
    trial, _ = KINDS[kind]
    ends: Counter[str] = Counter()
    wrong: list[str] = []
    for i in range(count):
        with tempfile.TemporaryDirectory() as folder:
            try:
                ends[trial(random.Random(f"{seed} {i}"), Path(folder))] += 1
            except WrongError as error:
                wrong.append(f"{kind} {i}: {error}")
    return ends, wrong


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.proof.files", description="Spoil files and command lines.")
    parser.add_argument("kinds", nargs="*", metavar="kind", help=f"of {', '.join(KINDS)} (default: all)")
    parser.add_argument("--count", type=int, metavar="N", help="how many of each (default: 3000, 3000, 200, 5000)")
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    options = parser.parse_args(arguments)
    failed = False
    for kind in options.kinds or KINDS:
        count = options.count or KINDS[kind][1]
        began = time.monotonic()
        ends, wrong = attempt(kind, count, options.seed)
        told = ", ".join(f"{n} {end}" for end, n in sorted(ends.items()))
        print(f"{kind}: {count} with seed {options.seed}: {told}, {len(wrong)} wrong, {time.monotonic() - began:.0f} s")
        print(*wrong[:10], sep="\n", end="\n" if wrong else "", flush=True)
        failed = failed or bool(wrong)
    return failed


if __name__ == "__main__":
    sys.exit(main())
