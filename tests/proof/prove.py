"""The long run: many generated programs, both libraries before the judge, and mutants that have to be caught.

    python -m tests.proof.prove --programs 100000
    python -m tests.proof.prove --mutants

Exit status 1 if anything broke its bound (or a live mutant was missed), 2 if something is not installed.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from hashlib import blake2b
from multiprocessing import get_context
from typing import Any

import tinygrad_poly as tg
from tinygrad_poly.checking.cases import DTYPES, Case

from .judge import ViolationError, check, check_exactly, check_kinds

BATCH = 500


@dataclass
class Tally:
    """What a run has seen."""

    programs: Counter[str] = field(default_factory=Counter)
    distinct: set[bytes] = field(default_factory=set)
    instructions: int = 0
    compared: Counter[str] = field(default_factory=Counter)
    may_overflow: Counter[str] = field(default_factory=Counter)
    worst: dict[tuple[str, str, str], float] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Take in what another run has seen."""
        self.programs += other.programs
        self.distinct |= other.distinct
        self.instructions += other.instructions
        self.compared += other.compared
        self.may_overflow += other.may_overflow
        for key, ratio in other.worst.items():
            self.worst[key] = max(ratio, self.worst.get(key, 0.0))
        self.violations += other.violations


def judge(case: Case, libraries: Sequence[Any], tally: Tally) -> dict[str, float]:
    """Everything that is asked of one case; returns the largest error of each library as a part of its bound.

    Raises:
        ViolationError: where an answer is further off than rounding explains.
    """
    check_exactly(case)
    tally.compared["on fractions"] += len(case.parts)
    largest: dict[str, float] = {}
    for dtype in DTYPES:
        if not case.judged(dtype):
            tally.may_overflow[dtype] += 1
            continue
        for library in libraries:
            ratios = check(case, library, dtype)
            for (what, exact, _, _), ratio in zip(case.parts, ratios, strict=True):
                kind = what.partition(" of")[0]
                key = (library.__name__, dtype, kind)
                tally.worst[key] = max(tally.worst.get(key, 0.0), ratio)
                tally.compared[kind] += 1
                tally.compared[f"numbers of {kind}s"] += exact.size
                label = f"{library.__name__} {dtype}"
                largest[label] = max(largest.get(label, 0.0), ratio)
    return largest


def _families() -> dict[str, tuple[int, Any, Callable[[Any, Sequence[Any], Tally], dict[str, float]]]]:
    """What is generated: in how many of ten batches, from which strategy, and what is asked of it."""
    from tinygrad_poly.checking import strategies as s

    def kinds(problem: Any, libraries: Sequence[Any], tally: Tally) -> dict[str, float]:
        for dtype in DTYPES:
            for library in libraries[1:]:
                check_kinds(problem, library, dtype)
                tally.compared["kinds"] += 1
        return {}

    def edges(problem: Any, libraries: Sequence[Any], tally: Tally) -> dict[str, float]:
        return judge(Case(problem), libraries, tally)

    wide = s.straight_line_programs(s.dyadic_coefficients(53))
    forms = s.polynomial_problems(s.univariate_polynomials() | s.multivariate_polynomials())
    return {
        "straight lines": (5, s.gradient_problems(), judge),
        "straight lines, 53 bits": (2, s.gradient_problems(wide, bits=53), judge),
        "polynomials": (1, forms, judge),
        "finite edges": (1, s.edge_problems("float32") | s.edge_problems("float64"), edges),
        "infinite and NaN": (1, s.infinite_problems(), kinds),
    }


def _libraries() -> list[Any]:
    import torch

    torch.set_num_threads(1)
    return [tg, torch]


def run_batch(number: int, size: int) -> Tally:
    """Generate and judge `size` programs; `number` is the seed, and decides what kind they are."""
    from hypothesis import HealthCheck, Phase, given, seed, settings, target

    turns = [name for name, (share, _, _) in _families().items() for _ in range(share)]
    family = turns[number % len(turns)]
    _, strategy, ask = _families()[family]
    libraries, tally = _libraries(), Tally()
    shrinking = False

    @seed(number)
    @settings(
        max_examples=size,
        deadline=None,
        database=None,
        derandomize=False,
        phases=[Phase.generate, Phase.target, Phase.shrink],
        suppress_health_check=list(HealthCheck),
        print_blob=False,
        report_multiple_bugs=False,
    )
    @given(strategy)
    def judge_one(given_: Any) -> None:
        nonlocal shrinking
        seen = Tally() if shrinking else tally
        problem = given_.problem if isinstance(given_, Case) else given_
        seen.programs[family] += 1
        # Python hashes text differently in each process.
        seen.distinct.add(blake2b(repr(problem).encode(), digest_size=8).digest())
        seen.instructions += len(problem.program.instructions)
        try:
            for label, ratio in ask(given_, libraries, seen).items():
                target(ratio, label=label)
        except ViolationError:
            shrinking = True
            raise

    try:
        judge_one()
    except ViolationError as violation:
        tally.violations.append(str(violation))
    return tally


def batches(programs: int, start: int) -> Iterator[tuple[int, int]]:
    """Seeds and sizes of batches that make so many programs."""
    for number in range((programs + BATCH - 1) // BATCH):
        yield start + number, min(BATCH, programs - number * BATCH)


def prove(programs: int, jobs: int, start: int) -> Tally:
    """Judge so many programs in `jobs` processes, with a line of progress."""
    tally, began = Tally(), time.monotonic()
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        for done in as_completed([pool.submit(run_batch, *batch) for batch in batches(programs, start)]):
            tally.add(done.result())
            count, seconds = tally.programs.total(), time.monotonic() - began
            left = seconds * (programs - count) / count
            line = f"{count} of {programs} programs, {len(tally.violations)} violations, about {left:.0f} s left"
            print(f"\r{line:<78}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return tally


def report(tally: Tally) -> str:
    """The counts as text."""
    lines = [
        f"{tally.programs.total():>12,}  programs, {len(tally.distinct):,} of them distinct problems, "
        f"{tally.instructions:,} instructions"
    ]
    lines += [f"{count:>12,}    {name}" for name, count in tally.programs.items()]
    lines += [f"{count:>12,}  compared: {name}" for name, count in tally.compared.items()]
    lines += [
        f"{count:>12,}  not held to the bound in {dtype}: too many bits, or may overflow"
        for dtype, count in tally.may_overflow.items()
    ]
    lines += ["", f"{'worst error / bound':<28}{'value':>10}{'gradient':>10}{'second':>10}"]
    for library, dtype in sorted({key[:2] for key in tally.worst}):
        row = [tally.worst.get((library, dtype, kind), 0.0) for kind in ("value", "gradient", "second gradient")]
        lines.append(f"{f'{library}, {dtype}':<28}" + "".join(f"{ratio:>10.4f}" for ratio in row))
    lines += ["", f"{len(tally.violations)} violations"]
    return "\n".join([*lines, *tally.violations])


def sample(count: int, start: int) -> list[Case]:
    """Generated cases to try mutants on: longer programs than usual, and more products of matrices."""
    from hypothesis import HealthCheck, Phase, given, seed, settings

    from tinygrad_poly.checking.strategies import gradient_problems, straight_line_programs

    found: list[Case] = []
    long = straight_line_programs(least=3)
    matrices = straight_line_programs(least=3, names=("matmul", "multiply", "add", "permute", "take"))

    @seed(start)
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(gradient_problems(long | matrices))
    def collect(case: Case) -> None:
        if all(case.judged(dtype) for dtype in DTYPES) and case.parts:
            found.append(case)

    collect()
    return found


def try_mutants(count: int, start: int) -> tuple[str, bool]:
    """A table of mutants, and whether every live one was caught."""
    from .mutants import Outcome, mutants, try_out

    cases = sample(count, start)
    outcomes: dict[str, list[Outcome]] = {}
    everything = mutants()
    for k, mutant in enumerate(everything, 1):
        outcomes.setdefault(mutant.mistake, []).append(try_out(mutant, cases))
        print(f"\r{k} of {len(everything)} mutants", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    row = "{:<40} {:>8} {:>6} {:>7} {:>7} {:>11} {:>11} {:>7}"
    lines = [row.format("mistake", "mutants", "live", "caught", "missed", "live cases", "caught", "")]
    flat = [outcome for each in outcomes.values() for outcome in each]
    for name, each in [*outcomes.items(), ("all", flat)]:
        live, caught = sum(o.live for o in each), sum(o.caught for o in each)
        alive, missed = sum(o.live > 0 for o in each), sum(o.missed for o in each)
        part = f"{caught / live:.1%}" if live else ""
        lines.append(row.format(name, len(each), alive, alive - missed, missed, live, caught, part))
    lines += [f"MISSED: {o.mutant.mistake}, {o.mutant.where}" for o in flat if o.missed]
    return "\n".join([f"{len(cases)} problems", *lines]), not any(o.missed for o in flat)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.proof.prove", description="Check the gradients.")
    parser.add_argument("--programs", type=int, default=100_000, metavar="N", help="how many (default: 100000)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="processes (default: cores)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the first batch (default: 0)")
    parser.add_argument("--mutants", action="store_true", help="run wrong engines instead, which must be caught")
    parser.add_argument("--problems", type=int, default=1500, metavar="N", help="for each mutant (default: 1500)")
    options = parser.parse_args(arguments)
    try:
        import hypothesis
        import torch
    except ImportError as error:
        print(f"prove: error: {error.name} is not installed: pip install hypothesis torch", file=sys.stderr)
        return 2
    began = time.monotonic()
    if options.mutants:
        text, passed = try_mutants(options.problems, options.seed)
    else:
        tally = prove(options.programs, options.jobs, options.seed)
        text, passed = report(tally), not tally.violations
    versions = f"tinygrad_poly {tg.__version__}, torch {torch.__version__}, Hypothesis {hypothesis.__version__}"
    print(f"{text}\n\n{versions}, {time.monotonic() - began:.0f} s")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
