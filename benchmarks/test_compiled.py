"""Compiled training loops beside the loop that a person would write for Numba: `pytest benchmarks -k compiled`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.compiled import FITS, LOOPS, REFERENCE, Fit, eager
from benchmarks.pairing import paired, torch_threads

SLOW = ("eager", "without Numba", "torch.autograd")


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", [*LOOPS, "torch.autograd"])
@pytest.mark.parametrize("fit", FITS, ids=lambda fit: fit.name)
def test_compiled(benchmark: Any, fit: Fit, name: str, dtype: str) -> None:
    pytest.importorskip("numba", reason="Numba is not installed (group: test)")
    if name.startswith("JAX"):
        pytest.importorskip("jax", reason="JAX is not installed (group: peers)")
    with torch_threads(1):
        own = (LOOPS | {"torch.autograd": eager(torch)})[name](fit, dtype)
        reference = LOOPS[REFERENCE](fit, dtype)
        # One step from the same start: a sum of n products rounds n + 12 times at most, and the sums
        # of positive terms that bound its parts are below 6 n (π³)² here.
        unit = float(np.finfo(dtype).eps) / 2
        allowed = 4 * fit.lr * (fit.points + 12) * unit * 6 * fit.points * 31**2 + 4 * unit
        assert np.max(np.abs(own(1) - reference(1))) <= allowed
        # Fewer steps of what takes hundreds of times longer.
        steps = max(1, fit.steps // (100 if name in SLOW else 1))
        benchmark.group = f"{fit.name}, {dtype}, many steps in one call"
        benchmark.extra_info.update(row=name, table=benchmark.group)
        paired(
            benchmark,
            lambda: own(steps),
            lambda: reference(fit.steps),
            loops=1,
            rounds=5 if fit.points > 10**6 else 15,
            own_units=steps,
            reference_units=fit.steps,
        )
