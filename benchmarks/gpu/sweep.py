"""A sweep of the GPU runner's constants: each over a range, to find the best value and what it gains."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from unittest.mock import patch

from benchmarks.gpu.scale import At, Scale, freed, tried
from benchmarks.implementations.engine import compiled
from benchmarks.pairing import Round, enough, rounds_in, seconds
from benchmarks.problems import SIN, Case
from benchmarks.report.constants import ALL_IN_ONE, NONE_IN_ONE, ONE_BLOCK
from benchmarks.running.store import Row

OF_A_THREAD = "ELEMENTS_OF_A_THREAD"
OF_MANY = "ELEMENTS_OF_MANY"
OF_A_GRAPH = "STEPS_OF_A_GRAPH"

VALUES: dict[str, tuple[int, ...]] = {
    # All elements in one block, or none.
    ONE_BLOCK: (ALL_IN_ONE, NONE_IN_ONE),
    OF_A_THREAD: (1, 2, 4, 8, 16, 32),
    OF_MANY: (1, 2, 4, 8, 16, 32),
    OF_A_GRAPH: (1, 4, 16, 64, 256),
}
SIZES: dict[str, tuple[int, ...]] = {
    ONE_BLOCK: (2**13, 2**14, 2**12, 2**15, 12_000, 2**11),
    OF_A_THREAD: (2000, 2**13, 600, 2**12),
    OF_MANY: (200_000, 50_000, 2_000_000),
    OF_A_GRAPH: (50_000, 500_000),
}
"""The numbers of points at which each makes a difference, those that tell most first."""
ON_STAND_INS = dict.fromkeys(SIZES, (60,))
ROUND, BUDGET, ROUNDS = 0.005, 0.5, range(3, 16)


def all_cases(scale: Scale) -> dict[str, tuple[str, Case]]:
    """The constant and the fit of each row, by key."""
    sizes = ON_STAND_INS if scale.stand_ins else SIZES
    rounds = max(map(len, sizes.values()))
    dtypes = ("float64",) if scale.quick else ("float64", "float32")
    found = {}
    for dtype in dtypes:
        # Of each constant the first size, then of each the second: what time suffices for is spread over all.
        for number in range(2 if scale.quick else rounds):
            for constant, points in sizes.items():
                if number < len(points):
                    case = Case(SIN, points[number], dtype, "cuda:0")
                    found[f"{constant}, {case.id}"] = constant, case
    return found


def keys(scale: Scale) -> list[str]:
    """The row keys: one for each constant and fit."""
    return list(all_cases(scale))


def measure(asked: Sequence[str], scale: Scale, at: At) -> Iterator[tuple[str, Row]]:
    """The seconds of a step with each value."""
    known = all_cases(scale)
    for key in asked:
        at(key)
        yield from tried(key, partial(with_each_value, *known[key], scale))
        freed()


def with_each_value(constant: str, case: Case, scale: Scale) -> Row:
    """The seconds of a compiled step with each value of a constant, in rounds that alternate."""
    from tinygrad_poly.compiler.cuda import runner

    # All but the border itself are about one of its sides.
    border = {} if constant == ONE_BLOCK else {ONE_BLOCK: ALL_IN_ONE if constant == OF_A_THREAD else NONE_IN_ONE}
    now = getattr(runner, constant)
    made: dict[int, Round] = {}
    for value in VALUES[constant] if constant == ONE_BLOCK else sorted({*VALUES[constant], now}):
        with patch.dict(vars(runner), {**border, constant: value}):
            run = compiled(case)
            run.take(1)  # compiles and captures
            made[value] = enough(run.take, ROUND)
    times: dict[int, list[float]] = {value: [] for value in made}
    order = list(made)
    at_least = 2 if scale.stand_ins else ROUNDS[0]
    for _ in range(rounds_in(BUDGET, *made.values(), at_least=at_least, at_most=ROUNDS[-1])):
        order.append(order.pop(0))
        for value in order:
            with patch.dict(vars(runner), {**border, constant: value}):
                times[value].append(seconds(made[value].code) / made[value].units)
    return {
        "constant": constant,
        "case": case.id,
        "points": case.points,
        "dtype": case.dtype,
        "now": now,
        "seconds": {str(value): found for value, found in times.items()},
    }
