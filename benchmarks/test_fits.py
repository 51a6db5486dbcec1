"""A hundred training steps of each fit: `pytest benchmarks` times them, each in turn with torch.autograd."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from statistics import quantiles
from typing import Any

import pytest
import torch

from benchmarks.implementations import PROBLEMS, REFERENCE, implementations, started

STEPS = 100
ROUNDS = 40


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Give torch one thread: these arrays are too small for two."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def take(step: Callable[[], None]) -> None:
    for _ in range(STEPS):
        step()


@pytest.mark.parametrize(
    ("name", "dtype", "implementation"),
    [
        (name, dtype, implementation)
        for name, problem in PROBLEMS.items()
        for dtype in ("float64", "float32")
        for implementation in implementations(problem)
    ],
)
def test_hundred_steps(benchmark: Any, name: str, dtype: str, implementation: str) -> None:
    problem = PROBLEMS[name]
    run, reference = started(problem, dtype, implementation), started(problem, dtype, REFERENCE)
    reference_times: list[float] = []

    # Each round is preceded by one of the reference: what slows the machine down for a while slows
    # down both, and their ratio remains.
    def reference_round() -> Any:
        begin = time.perf_counter()
        take(reference.step)
        reference_times.append(time.perf_counter() - begin)
        return (run.step,), {}

    benchmark.group = f"{STEPS} steps of the {name}, {dtype}"
    benchmark.pedantic(take, setup=reference_round, rounds=ROUNDS, warmup_rounds=3)
    ratios = [own / other for own, other in zip(benchmark.stats.stats.data, reference_times[-ROUNDS:], strict=True)]
    benchmark.extra_info.update(
        problem=name,
        dtype=dtype,
        implementation=implementation,
        threads=1,
        steps=STEPS,
        ratio_quartiles=quantiles(ratios, n=4),
    )
