"""The registry: all implementations by name, and the check that each must pass before it is timed."""

from __future__ import annotations

import math
import os
import sys

import numpy as np

from benchmarks import expected
from benchmarks.implementations import ALL
from benchmarks.interface import Implementation, Run, Unavailable
from benchmarks.problems import Case

__all__ = ["IMPLEMENTATIONS", "Implementation", "Run", "Unavailable", "start", "started"]

IMPLEMENTATIONS: dict[str, Implementation] = {implementation.name: implementation for implementation in ALL}

MOST_POINTS = {"eager": 20_000_000, "by hand": 20_000_000}
"""Beyond which a step of what goes through memory for each operation takes many seconds, by kind."""


def start(case: Case, name: str) -> Run:
    """An implementation that is ready to take its first step.

    Raises:
        Unavailable: where it cannot run here, or not at this size.
    """
    implementation = IMPLEMENTATIONS[name]
    if not implementation.takes(case):
        raise Unavailable(f"{name} does not run the {case.problem.title} on {case.device}")
    most_points = implementation.most_points or MOST_POINTS.get(implementation.kind, case.points)
    if case.device == "cpu" and case.points > most_points:
        raise Unavailable(f"takes too long beyond {most_points:,} points")
    needed, free = implementation.memory * case.bytes, free_memory() if case.kind == "cpu" else free_on_gpu()
    if needed > free:
        raise Unavailable(f"would need about {needed / 1e9:.1f} GB of memory; {free / 1e9:.1f} GB are free")
    return implementation.start(case)


def started(case: Case, name: str) -> Run:
    """An implementation after its first step, which is checked against the expected step.

    Raises:
        Unavailable: as for `start`.
        AssertionError: where the loss, the gradient or a weight is off by more than rounding can explain.
    """
    run = start(case, name)
    if not IMPLEMENTATIONS[name].steps:
        run.take(1)
        _within(name, "sum of the data", run.weights(), *expected.total(case))
        return run
    first, before = case.first(), run.weights()
    assert np.array_equal(before, first), f"{name} starts at {before} instead of {first}"
    run.take(1)
    after, step = run.weights(), expected.first_step(case)
    if run.loss is not None:
        _within(name, "loss", run.loss(), step.loss, step.loss_bound)
    _within(name, "gradient", (before - after) / case.lr, step.gradient, step.weights_bound / case.lr)
    _within(name, "weights", after, step.weights, step.weights_bound)
    return run


def _within(name: str, what: str, found: object, right: object, bound: object) -> None:
    off = np.abs(np.asarray(found) - np.asarray(right))
    assert (off <= bound).all(), f"{name}: the {what} is off by {off}, and rounding explains only {bound}"


def free_on_gpu() -> float:
    """The number of free bytes on the GPU; infinite if no library that knows it is loaded."""
    if "cupy" in sys.modules:
        return float(sys.modules["cupy"].cuda.runtime.memGetInfo()[0])
    torch = sys.modules.get("torch")
    return float(torch.cuda.mem_get_info()[0]) if torch and torch.cuda.is_available() else math.inf


def free_memory() -> float:
    """The number of bytes that a process can have without swapping; infinite if the system does not say."""
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            found = dict(line.split(":", 1) for line in lines)
        return float(found["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError):
        names = ("SC_AVPHYS_PAGES", "SC_PAGE_SIZE")
        known = [os.sysconf(name) for name in names if name in getattr(os, "sysconf_names", {})]
        return float(known[0] * known[1]) if len(known) == 2 else float("inf")
