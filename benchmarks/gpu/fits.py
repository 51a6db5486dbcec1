"""The fits on a GPU: all implementations of a case start once, and then take turns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from benchmarks.gpu.scale import At, Scale, freed, tried
from benchmarks.gpu.smoke import of_registry
from benchmarks.pairing import Round, enough, rounds_in, seconds, threads
from benchmarks.problems import CASES, Case
from benchmarks.registry import IMPLEMENTATIONS, Run, started
from benchmarks.running.store import Row

ROUND = 0.005
"""Seconds that a round takes at least: a thousand times what reading the clock takes."""
BUDGET = 0.8
"""Seconds for the rounds of a case."""
ROUNDS = range(5, 21)
MOST_ON_STAND_INS = 2000
MATTER_MOST = [
    ("sin", 2000, "float64"),
    ("sin", 100_000_000, "float64"),
    ("sin", 2000, "float32"),
    ("line", 6, "float64"),
    ("sin", 100_000_000, "float32"),
    ("line", 100_000_000, "float64"),
    ("sin", 200_000, "float64"),
]
"""The cases that come first, and the only quick ones."""
COMPILED_BY_TORCH = 4
"""Of so many cases torch.compile is measured: it takes seconds to compile one."""


def by_importance(case: Case) -> int:
    """The sort key of a case: the most important ones are measured first."""
    about = (case.problem.name, case.points, case.dtype)
    return MATTER_MOST.index(about) if about in MATTER_MOST else len(MATTER_MOST)


def cases(scale: Scale) -> list[Case]:
    """The cases, in the order of measurement."""
    found = sorted((case for case in CASES if case.kind == "cuda"), key=by_importance)
    found = [case for case in found if case.points <= MOST_ON_STAND_INS] if scale.stand_ins else found
    return [case for case in found if by_importance(case) < len(MATTER_MOST)] if scale.quick else found


def keys_of(names: Callable[[], Sequence[str]], most: int | None = None) -> Callable[[Scale], list[str]]:
    """The rows of some implementations, case by case."""

    def keys(scale: Scale) -> list[str]:
        found = cases(scale)[:most]
        return [f"{case.id}-{name}" for case in found for name in names() if IMPLEMENTATIONS[name].takes(case)]

    return keys


def known() -> dict[str, tuple[Case, str]]:
    """The case and the implementation of each row key."""
    return {f"{case.id}-{name}": (case, name) for case in CASES for name in IMPLEMENTATIONS}


def with_references(names: Sequence[str], case: Case) -> list[str]:
    """These implementations, and torch.autograd if they have no reference among them."""
    beside = any(set(IMPLEMENTATIONS[name].beside(case)) & {*names} for name in names)
    wanted = any("torch.autograd" in IMPLEMENTATIONS[name].beside(case) for name in names)
    return [*names, *(["torch.autograd"] if wanted and not beside else [])]


def measure(asked: Sequence[str], scale: Scale, at: At) -> Iterator[tuple[str, Row]]:
    """Measured rows for these keys, as long as there is time."""
    rows, by_case = known(), dict[Case, list[str]]()
    for key in asked:
        case, name = rows[key]
        by_case.setdefault(case, []).append(name)
    for case, names in by_case.items():
        yield from of_case(case, names, scale, at)
        freed()


def of_case(case: Case, names: Sequence[str], scale: Scale, at: At) -> Iterator[tuple[str, Row]]:
    """The measured rows of one case."""
    runs: dict[str, tuple[Run, Round]] = {}

    def begin(name: str) -> Row:
        run = started(case, name)
        run.take(1)  # what is loaded at the first call or the second is not to be timed
        runs[name] = run, enough(run.take, ROUND)
        return {}

    for name in with_references(names, case):
        at(f"{case.id}-{name}")
        for key, row in tried(f"{case.id}-{name}", partial(begin, name)):
            if row and name in names:
                yield key, row
    times: dict[str, list[float]] = {name: [] for name in runs}
    on_device: dict[str, list[float]] = {name: [] for name in runs}
    order = list(runs)
    at_least = 2 if scale.stand_ins else ROUNDS[0]
    rounds = rounds_in(BUDGET, *(each for _, each in runs.values()), at_least=at_least, at_most=ROUNDS[-1])
    for number in range(rounds):
        # Who is first changes, as what slows down the first of a round is not to be one's own.
        order.append(order.pop(0))
        for name in order:
            run, each = runs[name]
            if not number:
                at(f"{case.id}-{name}")
            times[name].append(seconds(each.code) / each.units)
            if run.clock is not None:
                on_device[name].append(run.clock.seconds / each.units)
    for name in names:
        if name in runs:
            references = [other for other in IMPLEMENTATIONS[name].beside(case) if other in runs and other != name]
            yield (
                f"{case.id}-{name}",
                {
                    "threads": threads(),
                    "steps": runs[name][1].units,
                    "seconds": times[name],
                    "references": {other: times[other] for other in references},
                    **({"device_seconds": on_device[name]} if on_device[name] else {}),
                },
            )


def together() -> list[str]:
    """The implementations that share a process."""
    return of_registry()


def alone() -> list[str]:
    """The implementations that need a process of their own."""
    return [name for name, each in IMPLEMENTATIONS.items() if "cuda" in each.alone]


def by_torch_compile() -> list[str]:
    """The implementations by torch.compile, which need a C compiler, and much time."""
    return ["torch.compile"]
