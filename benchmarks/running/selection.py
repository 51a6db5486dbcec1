"""The selection: chosen cases, threads and implementations as units to measure, and the tables of their rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from typing import Any

from benchmarks.operations import OPERATIONS
from benchmarks.problems import CASES, MODELS, Case
from benchmarks.registry import IMPLEMENTATIONS
from benchmarks.running.machine import ROOT
from benchmarks.running.processes import CLAIMED, ColdStarts, Programs
from benchmarks.running.runner import Selection, Threads, Unit
from benchmarks.running.store import Row
from benchmarks.running.together import Together

FITS = ROOT / "benchmarks" / "test_fits.py"
OPERATIONS_FILE = ROOT / "benchmarks" / "test_operations.py"
PARTS = ("steps", "cold", "programs", "operations")
THREADS: tuple[Threads, ...] = (1, "default")
TUTORIALS = {("sin", 2000), ("line", 6), ("linear", 6)}
"""The problems with the tutorials' own numbers of points."""
WITH_THREADS = range(20_000, 20_000_001)
"""With fewer points more threads make no difference, and with more, or in float32, the same as with these: apart from
the tutorials' own cases, the rest is measured in one thread."""
BUDGET_OF_MODELS = 1.0
"""Seconds of rounds for a case of a model, whose implementations take turns: the whole group takes three minutes."""
COLD = {("sin", 2000): 3, ("line", 6): 3, ("sin", 2_000_000): 1}
"""How many rounds of cold starts; two million points are there for their memory."""
PROGRAM_ROUNDS = 11
OPERATION_SIZES = (6, 2000, 200_000)
OPERATION_PEERS = ("tinygrad_poly", "HIPS autograd")
QUICK_CASES = {("sin", 2000), ("line", 6)}
QUICK = ("tinygrad_poly", "compiled", "torch.autograd", "NumPy by hand", "JAX fori_loop", "Numba by hand")
QUICK_ROUNDS = 5
"""What answers README's claims: its two fits, and the whole command beside the torch program."""


@dataclass(frozen=True)
class Chosen:
    """The choice of what to measure; with no choice of threads, each case decides.

    Attributes:
        parts: of `PARTS`.
        cases: whose steps are timed.
        threads: 1 or "default".
        implementations: by name.
        quick: whether all implementations of a case take turns in one process, and only the programs of README's claim
            are run.
    """

    parts: Sequence[str]
    cases: Sequence[Case]
    threads: Sequence[Threads] = ()
    implementations: Sequence[str] = field(default_factory=lambda: list(IMPLEMENTATIONS))
    quick: bool = False

    def units(self) -> list[Unit]:
        """The units, in the order of measurement."""
        return [*self._steps().values(), *self._cold(), *self._programs(), *self._operations()]

    def tables(self, rows: Mapping[str, Row], device: str) -> dict[str, list[Row]]:
        """The tables of a results file, with the available rows for "cpu" or "cuda"."""
        steps = []
        for (case, threads), unit in self._steps().items():
            for (key, _), name in zip(unit.tests.items(), self._taking(case)):
                if key in rows and case.kind == device:
                    steps.append(step_row(case, threads, name, rows[key]))
        cold = [row for unit in self._cold() if unit.case.kind == device for row in unit.table(rows)]
        programs, operations = [], []
        if device == "cpu":
            programs = [row for unit in self._programs() for row in unit.table(rows)]
            measured = (rows[key] for unit in self._operations() for key in unit.keys if key in rows)
            operations = [_operation(row) for row in measured if "skipped" not in row]
        return {"rows": steps, "cold": cold, "processes": programs, "operations": operations}

    def _taking(self, case: Case) -> list[str]:
        return [name for name in self.implementations if IMPLEMENTATIONS[name].takes(case)]

    def _threads(self, case: Case) -> Iterable[Threads]:
        if self.threads:
            return self.threads
        many = case.points in WITH_THREADS or (case.problem.name, case.points) in TUTORIALS
        many = many and case.problem.name not in MODELS
        return THREADS if many and case.dtype == "float64" and case.kind == "cpu" else THREADS[:1]

    def _steps(self) -> dict[tuple[Case, Threads], Selection]:
        units = {}
        for case in self.cases if "steps" in self.parts else ():
            for threads in self._threads(case):
                key, test = f"{case.id}-{threads}-", f"{case.id}-"
                kind: Any = Selection
                if self.quick:
                    key, test, kind = f"quick-{key}", "", partial(Together, case=case.id)
                elif case.problem.name in MODELS:
                    test, kind = "", partial(Together, case=case.id, budget=BUDGET_OF_MODELS)
                tests = {f"{key}{name}": f"{test}{name}" for name in self._taking(case)}
                if tests:
                    title = f"{case.id}, {'1 thread' if threads == 1 else 'default threads'}"
                    units[case, threads] = kind(title, FITS, tests, threads)
        return units

    def _cold(self) -> list[ColdStarts]:
        found = []
        for case in self.cases if "cold" in self.parts else ():
            rounds = COLD.get((case.problem.name, case.points))
            if rounds and case.dtype == "float64":
                names = [name for name in self._taking(case) if IMPLEMENTATIONS[name].steps]
                found.append(ColdStarts(case, names, rounds))
        return found

    def _programs(self) -> list[Programs]:
        if "programs" not in self.parts:
            return []
        return [Programs(QUICK_ROUNDS, CLAIMED, "quick-program") if self.quick else Programs(PROGRAM_ROUNDS)]

    def _operations(self) -> list[Selection]:
        if "operations" not in self.parts:
            return []
        ids = product(OPERATION_PEERS, OPERATION_SIZES, OPERATIONS)
        tests = {f"operation-{test}": test for test in (f"{peer}-{size}-{case.name}" for peer, size, case in ids)}
        return [Selection("single operations", OPERATIONS_FILE, tests)]


def cases(**wanted: Sequence[Any] | None) -> list[Case]:
    """The cases with these problems, points, dtypes and devices; None stands for all."""
    return [
        case
        for case in CASES
        if all(
            values is None or (case.problem.name if name == "problem" else getattr(case, name)) in values
            for name, values in wanted.items()
        )
    ]


def step_row(case: Case, threads: Threads, name: str, row: Row) -> Row:
    """A row of the results from a measurement."""
    about: Row = {"case": case.id, "problem": case.problem.name, "points": case.points, "dtype": case.dtype}
    about |= {"device": case.device, "threads": threads}
    who = {"implementation": name, "kind": IMPLEMENTATIONS[name].kind}
    if "skipped" in row:
        return {**about, **who, "skipped": row["skipped"]}
    # What else a test may say of itself comes last.
    rest = {key: value for key, value in row.items() if key not in {*about, *who, "stats"}}
    return {**about, "thread_count": row["threads"], **who, **rest}


def _operation(row: Row) -> Row:
    info = {key: value for key, value in row.items() if key != "stats"}
    return {"group": row["table"], "extra_info": info, "stats": row["stats"]}
