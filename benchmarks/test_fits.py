"""A hundred training steps of each fit: `pytest benchmarks` times them, each in turn with torch.autograd."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.implementations import PROBLEMS, REFERENCE, implementations, started
from benchmarks.pairing import paired, torch_threads

STEPS = 100


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
    benchmark.group = f"{STEPS} steps of the {name}, {dtype}"
    benchmark.extra_info.update(row=implementation, table=f"{name}, {dtype}")
    # The arrays are too small for two threads.
    with torch_threads(1):
        run, reference = started(problem, dtype, implementation), started(problem, dtype, REFERENCE)
        paired(benchmark, run.step, reference.step, loops=STEPS, rounds=40)
