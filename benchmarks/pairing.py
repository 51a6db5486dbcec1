"""Timing one piece of code in turn with another, so that what slows the machine down slows both."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import quantiles
from typing import Any

import torch

Code = Callable[[], Any]


@contextmanager
def torch_threads(number: int) -> Iterator[None]:
    """Give torch so many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def repeat(code: Code, times: int) -> None:
    """Run `code` so many times."""
    for _ in range(times):
        code()


def times_in(seconds: float, *codes: Code) -> int:
    """How often all of `codes` can run in about so many seconds, after a first run to warm up."""
    for code in codes:
        code()
    begin = time.perf_counter()
    for code in codes:
        code()
    return max(1, round(seconds / (time.perf_counter() - begin)))


def paired(
    benchmark: Any,
    own: Code,
    reference: Code,
    *,
    loops: int,
    rounds: int,
    own_units: int = 1,
    reference_units: int = 1,
) -> None:
    """Benchmark `own`, each round after a round of `reference`, and record the quartiles of their ratio.

    Args:
        benchmark: pytest-benchmark's fixture.
        own: what is measured.
        reference: what it is compared with.
        loops: how often each is called in a round.
        rounds: how many rounds.
        own_units: how much work a call of `own` does, such as training steps; the ratio is that of time per unit.
        reference_units: the same of `reference`.
    """
    reference_times: list[float] = []

    def reference_round() -> Any:
        begin = time.perf_counter()
        repeat(reference, loops)
        reference_times.append(time.perf_counter() - begin)
        return (own, loops), {}

    benchmark.pedantic(repeat, setup=reference_round, rounds=rounds, warmup_rounds=2)
    own_times = benchmark.stats.stats.data
    size = reference_units / own_units
    ratios = [size * mine / other for mine, other in zip(own_times, reference_times[-rounds:], strict=True)]
    benchmark.extra_info.update(
        loops=loops * own_units, threads=torch.get_num_threads(), ratio_quartiles=quantiles(ratios, n=4)
    )
