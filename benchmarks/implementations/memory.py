"""Memory speed: a lower limit, as no step can take less time than reading its data."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from benchmarks.implementations import cuda
from benchmarks.implementations.numba_ import FEWEST_POINTS, jit
from benchmarks.interface import Implementation, Run, library
from benchmarks.problems import Case


@cache
def reading_loop(dtype: str, threads: int) -> Any:
    """A loop that adds up x and y, so many times."""
    import numba

    number = np.dtype(dtype).type

    @jit(inline="never")
    def total(x: Any, y: Any) -> Any:
        result = number(0)
        for i in range(x.shape[0]):
            result += x[i] + y[i]
        return result

    if threads == 1:

        @jit()
        def loop(n: int, x: Any, y: Any) -> Any:
            result = number(0)
            for _ in range(n):
                result = total(x, y)
            return result

        return loop

    @jit(parallel=True)
    def parallel_loop(n: int, x: Any, y: Any) -> Any:
        m = x.shape[0]
        parts = np.zeros((threads, 32), x.dtype)
        for _ in range(n):
            for t in numba.prange(threads):
                low, high = m * t // threads, m * (t + 1) // threads
                parts[t, 0] = total(x[low:high], y[low:high])
        return parts.sum()

    return parallel_loop


def reading_by_processor(case: Case) -> Run:
    """The sum by Numba, in all threads."""
    numba = library("numba", "Numba", "pip install 'tinygrad_poly[compile]'")
    threads = numba.get_num_threads() if case.points >= FEWEST_POINTS else 1
    loop = reading_loop(case.dtype, threads)
    x, y = (a.reshape(-1) for a in case.data())
    total = 0.0

    def take(n: int) -> None:
        nonlocal total
        total = loop(n, x, y)

    return Run(take, lambda: np.array([float(total)]))


def reading_by_gpu(case: Case) -> Run:
    """The sum by a kernel that leaves one number for each block."""
    cupy, read = cuda.kernels(case)[:2]
    x, y, parts = cuda.data(case, cupy)
    clock = cuda.gpu_clock(cupy)

    def take(n: int) -> None:
        with clock:
            for _ in range(n):
                read((len(parts),), (cuda.BLOCK,), (np.int64(case.points), x, y, parts))

    return Run(take, lambda: np.array([float(parts[:, 0].sum())]), clock=clock)


def reading(case: Case) -> Run:
    """Reading all data once a step, to add it up."""
    return reading_by_processor(case) if case.device == "cpu" else reading_by_gpu(case)


def copying(case: Case) -> Run:
    """Copying half of the data on the device: as many bytes are read and written as a step reads."""
    cupy = cuda.cupy_on(case)
    x, y = (cupy.asarray(a) for a in case.data())
    copy, clock = cupy.empty_like(x), cuda.gpu_clock(cupy)

    def take(n: int) -> None:
        with clock:
            for _ in range(n):
                cupy.copyto(copy, x)

    return Run(take, lambda: np.array([float(copy.sum() + y.sum())]), clock=clock)


def transfer(case: Case) -> Run:
    """Copying the data from the processor's memory, which the other rows do not count."""
    cupy = cuda.cupy_on(case)
    data, clock = case.data(), cuda.gpu_clock(cupy)
    there: Any = ()

    def take(n: int) -> None:
        nonlocal there
        with clock:
            for _ in range(n):
                there = tuple(cupy.asarray(a) for a in data)

    return Run(take, lambda: np.array([sum(float(a.sum()) for a in there)]), clock=clock)


IMPLEMENTATIONS = [
    Implementation("reading the data", "limit", reading, ("cpu", "cuda"), memory=2, steps=False),
    Implementation("copying on the device", "limit", copying, ("cuda",), memory=2, steps=False),
    Implementation("transfer to the device", "limit", transfer, ("cuda",), memory=2, steps=False),
]
