"""The benchmark command: measures a selection of the benchmarks: `python -m benchmarks`, or `tinygrad-poly bench`."""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import Any, NoReturn

from benchmarks.problems import CASES, PROBLEMS
from benchmarks.registry import IMPLEMENTATIONS
from benchmarks.report import quotes
from benchmarks.report.measured import FORMAT, RESULTS, Results
from benchmarks.report.targets import title
from benchmarks.running import terminal
from benchmarks.running.machine import ROOT, fingerprint, gpu
from benchmarks.running.processes import Programs
from benchmarks.running.runner import Unit, run
from benchmarks.running.selection import PARTS, QUICK, QUICK_CASES, THREADS, Chosen, cases
from benchmarks.running.store import Row, Store, added, results, save
from benchmarks.running.together import Together
from tinygrad_poly.engine.errors import DataError

REFERENCE = "torch.autograd"
DONE, WRONG, MISUSED, INTERRUPTED = 0, 1, 2, 130

EXAMPLES = """\
examples:
  tinygrad-poly bench --quick
  tinygrad-poly bench --problem sin --points 2000 200000 --dtype float64 --threads 1
  tinygrad-poly bench --implementation compiled 'JAX fori_loop'
  tinygrad-poly bench --show benchmarks/results/cpu.json

Finished rows are kept in .benchmarks: what is interrupted goes on where it was. --quick measures again, unless it is
told --no-fresh.
"""


class UsageError(Exception):
    """Options that cannot be followed."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (see `{self.prog} --help`)")


def main(arguments: Sequence[str] | None = None, prog: str = "python -m benchmarks") -> int:
    """Measure what the arguments choose; returns the exit status.

    Status 0 is success, also where a row could not be measured and says why; 1 an implementation whose results were
    wrong, 2 wrong usage, and 130 an interruption.
    """
    handler = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return _main(_parser(prog).parse_args(arguments))
    except BrokenPipeError:
        # Whoever read our output, such as `head`, has had enough; Python would complain again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return WRONG
    except (UsageError, DataError, OSError) as error:
        sys.stdout.flush()
        print(f"{prog}: error: {error}", file=sys.stderr)
        return MISUSED
    finally:
        signal.signal(signal.SIGTERM, handler)


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = _Parser(
        prog=prog,
        description="Measure training steps beside torch and others, each case in a process of its own.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )

    add = parser.add_argument

    def choice(name: str, known: Sequence[Any], description: str, kind: Any = str) -> None:
        add(f"--{name}", nargs="+", type=kind, choices=known, metavar=name.upper(), help=description)

    choice("problem", list(PROBLEMS), f"{', '.join(PROBLEMS)} (default: all)")
    choice("points", sorted({case.points for case in CASES}), "how many points (default: all sizes)", _number)
    choice("dtype", sorted({case.dtype for case in CASES}), "float32 or float64 (default: both)")
    devices = list(dict.fromkeys(case.device for case in CASES))
    choice("device", devices, f"{' or '.join(devices)} (default: what is there)", _device)
    many = "1, or default: as many as a library takes by itself (default: both where it makes a difference)"
    choice("threads", THREADS, many, _number)
    choice("implementation", list(IMPLEMENTATIONS), "by name, see --list (default: all)")
    choice("part", PARTS, f"{', '.join(PARTS)} (default: all, and steps alone where something else is chosen)")
    add("--quick", action="store_true", help="what README claims, in a minute: sin fit, line fit and the whole command")
    add("--list", action="store_true", help="print what would be measured, and measure nothing")
    add("--fresh", action=argparse.BooleanOptionalAction, help="whether to measure again what is there already "
        "(default: with --quick)")  # fmt: skip
    add("--results", type=Path, nargs="?", const=RESULTS, metavar="FOLDER", help=f"write cpu.json and cuda.json there, "
        f"by default into {RESULTS.relative_to(ROOT)}")  # fmt: skip
    add("--add", action="store_true", help="with --results: keep the other rows that these files have")
    add("--show", type=Path, metavar="FILE", help="print the tables of a results file, and measure nothing")
    add("--work", type=Path, metavar="FOLDER", default=ROOT / ".benchmarks", help="where finished rows are kept")
    return parser


def _number(text: str) -> int | str:
    """A number if the text is one; other text is checked against the list of choices later."""
    return int(text) if text.isdecimal() else text


def _device(text: str) -> str:
    return "cuda:0" if text == "cuda" else text


def _main(options: argparse.Namespace) -> int:
    if options.show:
        terminal.show(_loaded(options.show))
        return DONE
    chosen = _chosen(options)
    units = chosen.units()
    if options.list:
        for unit in units:
            print(f"{unit.title}: {len(unit.keys)} rows")
        print("\nimplementations:", *chosen.implementations, sep="\n  ", flush=True)
        return DONE
    by_pytest = not all(isinstance(unit, Together | Programs) for unit in units)
    if by_pytest and (absent := missing("pytest", "pytest_benchmark")):
        install = "pip install -c constraints.txt --group test --group peers"
        raise UsageError(f"{' and '.join(absent)} not installed: {install}")
    if options.quick:
        print(quick_words(units), flush=True)
    fresh = options.quick if options.fresh is None else options.fresh
    keys = [key for unit in units for key in unit.keys]
    store = Store(options.work, fingerprint())
    if store.changed:
        print(f"What was measured before is measured again: {'; '.join(store.changed)}")
    if fresh:
        store.forget(keys)
    done = sum(key in store.rows for key in keys)
    before = f", {done} of them measured before (--fresh measures them again)" if done else ""
    print(f"{len(keys)} rows in {len(units)} units{before}", flush=True)
    try:
        with terminal.progress(done, len(keys)) as report:
            run(units, store, lambda unit, key, row: report(unit.title, key, row))
    except KeyboardInterrupt:
        kept = sum(key in store.rows for key in keys)
        how = "the same command" + (" with --no-fresh" if fresh else "")
        print(f"\nInterrupted: {kept} of {len(keys)} rows are kept, {how} goes on with the rest.")
        return INTERRUPTED
    return _finish(options, chosen, {key: store.rows[key] for key in keys})


def _chosen(options: argparse.Namespace) -> Chosen:
    """The selection that the options describe.

    Raises:
        UsageError: for a choice of nothing.
    """
    devices = options.device or ["cpu", *(["cuda:0"] if gpu() else [])]
    names = ("problem", "points", "dtype")
    wanted: dict[str, Any] = {name: getattr(options, name) for name in names}
    found = cases(device=devices, **wanted)
    narrowed = any(wanted.values()) or options.threads or options.implementation
    parts, threads = options.part or (PARTS[:1] if narrowed else PARTS), options.threads or ()
    taking = options.implementation or list(IMPLEMENTATIONS)
    if options.quick:
        found = [case for case in found if (case.problem.name, case.points) in QUICK_CASES and case.dtype == "float64"]
        parts = options.part or (PARTS[:1] if narrowed else ("steps", "programs"))
        threads = threads or (1,)
        taking = list(dict.fromkeys([*options.implementation, REFERENCE])) if options.implementation else list(QUICK)
    chosen = Chosen(parts, found, threads, taking, options.quick)
    if not chosen.units():
        given = " ".join(f"--{name} {' '.join(map(str, values))}" for name, values in wanted.items() if values)
        all_sizes = "; ".join(
            f"{name}: {', '.join(str(n) for n in dict.fromkeys(case.points for case in known))} points"
            for name in PROBLEMS
            if (known := cases(problem=[name], device=devices))
        )
        raise UsageError(f"there is no case with {given or 'these options'} ({all_sizes})")
    return chosen


def missing(*modules: str) -> list[str]:
    """Those modules that are not installed."""
    return [module for module in modules if importlib.util.find_spec(module) is None]


def quick_words(units: Sequence[Unit]) -> str:
    """A sentence that says how long a quick run takes, and what is not installed."""
    steps = sum(isinstance(unit, Together) for unit in units)
    about = 5 + 10 * steps + 20 * (len(units) > steps)
    absent = missing("torch", "jax", "numba")
    without = f"\nWithout {', '.join(absent)}: `make bench-quick` installs what is missing." if absent else ""
    return f"This takes about {about} s on two idle cores, and longer on busy ones.{without}"


def claims(tables: dict[str, list[Row]]) -> Iterator[Sequence[str]]:
    """A line for each measured number in README that these tables have too."""
    found = Results({"format": FORMAT, "date": "", **tables})
    for key, value in quotes.quoted((ROOT / "README.md").read_text(encoding="utf-8")):
        with contextlib.suppress(KeyError):
            kind, _, what = key.partition(" ")
            if kind == "ratio":
                case, _, what = what.split(" ", 2)
                what = f"{title(case)}: {what}"
            yield what, value, quotes.measured(key, found)


def _finish(options: argparse.Namespace, chosen: Chosen, rows: dict[str, Row]) -> int:
    """Print the tables and write the results file."""
    for device in ("cpu", "cuda"):
        tables = chosen.tables(rows, device)
        terminal.show(tables)
        if options.results and any("skipped" not in row for table in tables.values() for row in table):
            path = options.results / f"{device}.json"
            found = results(tables)
            save(path, added(_loaded(path), found) if options.add and path.exists() else found)
            print(f"Results: {path}")
    if options.quick:
        terminal.table("what README says", ("", "README", "here"), list(claims(chosen.tables(rows, "cpu"))))
    failed = [f"{key}: {row['skipped']}" for key, row in rows.items() if row.get("failed")]
    if failed:
        print("\nNot measured because of an error:\n  " + "\n  ".join(failed))
    wrong = any(row["skipped"].startswith("AssertionError") for row in rows.values() if row.get("failed"))
    return WRONG if wrong else DONE


def _loaded(path: Path) -> dict[str, Any]:
    """A results file.

    Raises:
        DataError: for a file that is none, or of another format.
    """
    try:
        return Results(json.loads(path.read_text(encoding="utf-8"))).data
    except FileNotFoundError:
        raise DataError(f"there is no file {path}; those of this checkout are in {RESULTS}") from None
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path} cannot be read as results: {error}") from None


if __name__ == "__main__":
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a console in another encoding may have no µ
    sys.exit(main())
