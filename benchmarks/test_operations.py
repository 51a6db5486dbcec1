"""One call and its backward pass for each operation, taking turns with torch: `pytest benchmarks -k operations`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple
from typing import Any

import numpy as np
import pytest
import torch

import tinygrad_poly as tg
from benchmarks.operations import OPERATIONS, Case
from benchmarks.pairing import Round, paired, repeated, rounds_in, torch_threads
from benchmarks.report.measured import Quartiles

SIZES = (6, 2000, 200_000)


def vectors(size: int) -> list[np.ndarray[Any, Any]]:
    """Two vectors, and enough random cotangents for any result."""
    return list(np.random.default_rng(0).uniform(0.5, 1.5, (2, size)))


def call_and_backward(library: Any, case: Case, size: int) -> tuple[Callable[[], None], Callable[[], list[Any]]]:
    """The code to time, and the gradients that it leaves."""
    x, y = (library.tensor(v, requires_grad=True) for v in vectors(size))
    shape = tuple(case.call(library, x, y).shape)
    cotangent = library.tensor(np.random.default_rng(1).uniform(-1, 1, shape))

    def run() -> None:
        x.grad = y.grad = None
        case.call(library, x, y).backward(cotangent)

    return run, lambda: [None if t.grad is None else np.asarray(t.grad) for t in (x, y)]


def hips_call_and_backward(case: Case, size: int) -> Callable[[], None]:
    """The code for HIPS autograd, which differentiates functions of NumPy arrays."""
    autograd = pytest.importorskip("autograd", reason="HIPS autograd is not installed (group: peers)")
    if case.numpy is None:
        pytest.skip("HIPS autograd does not have it")
    call, library = case.numpy, autograd.numpy
    x, y = vectors(size)

    def function(both: Any) -> Any:
        return call(library, both[0], both[1])

    value = function((x, y))
    cotangent = np.random.default_rng(1).uniform(-1, 1, np.shape(value))

    def run() -> None:
        vjp, _ = autograd.make_vjp(function)((x, y))
        vjp(cotangent)

    return run


@pytest.mark.parametrize("case", OPERATIONS, ids=lambda case: case.name)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("peer", ["tinygrad_poly", "HIPS autograd"])
def test_operation(benchmark: Any, peer: str, size: int, case: Case) -> None:
    if case.name == "prod" and size > 10_000:
        pytest.skip("the product of so many numbers is 0")
    with torch_threads(1):
        reference, reference_gradients = call_and_backward(torch, case, size)
        if peer == "tinygrad_poly":
            own, gradients = call_and_backward(tg, case, size)
            own()
            reference()
            for found, right in zip(gradients(), reference_gradients(), strict=True):
                if right is None:
                    assert found is None
                else:
                    np.testing.assert_allclose(found, right, rtol=1e-9, atol=1e-9 * np.max(np.abs(right)))
        else:
            own = hips_call_and_backward(case, size)
        benchmark.group = f"operations on {size} elements, {peer}"
        loops = rounds_in(0.003, Round(own), Round(reference), at_least=1, at_most=10**6)
        mine, theirs = paired(benchmark, repeated(own, loops), {"torch": repeated(reference, loops)}, rounds=15)
        benchmark.extra_info.update(row=case.name, table=benchmark.group, loops=loops, threads=torch.get_num_threads())
        if mine:
            benchmark.extra_info["ratio_quartiles"] = astuple(Quartiles.of_ratio(mine, theirs["torch"]))
