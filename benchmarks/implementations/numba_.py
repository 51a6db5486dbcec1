"""Loops written by hand for Numba: the limit for a compiled program on the CPU.

A sum in several partial sums may be vectorised, which `reassoc` allows. With threads, each takes a slice of the data:
LLVM vectorises a loop over a whole slice, and not one over a range of a larger array.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from benchmarks.interface import Implementation, Run, Unavailable, library
from benchmarks.problems import MODELS, PROBLEMS, SIN, Case

FEWEST_POINTS = 20_000
"""Below, it takes longer to start threads than to do their work."""


def jit(**options: Any) -> Callable[[Any], Any]:
    """The decorator of Numba, with this file's options."""
    numba = library("numba", "Numba", "pip install 'tinygrad_poly[compile]'")
    decorate: Callable[[Any], Any] = numba.njit(fastmath={"reassoc", "nsz", "contract"}, error_model="numpy", **options)
    return decorate


@cache
def cubic_loop(dtype: str) -> Any:
    """So many steps of the sin fit, in one thread; returns the last loss and the weights."""
    number = np.dtype(dtype).type

    @jit()
    def loop(n: int, lr: Any, w: Any, x: Any, y: Any) -> Any:
        a, b, c, d = w
        loss = number(0)
        for _ in range(n):
            loss = ga = gb = gc = gd = number(0)
            for i in range(x.shape[0]):
                x1 = x[i]
                x2 = x1 * x1
                x3 = x2 * x1
                error = a + b * x1 + c * x2 + d * x3 - y[i]
                loss += error * error
                g = number(2) * error
                ga += g
                gb += g * x1
                gc += g * x2
                gd += g * x3
            a -= lr * ga
            b -= lr * gb
            c -= lr * gc
            d -= lr * gd
        return loss, (a, b, c, d)

    return loop


@cache
def line_loop(dtype: str) -> Any:
    """The same for the line fit."""
    number = np.dtype(dtype).type

    @jit()
    def loop(n: int, lr: Any, w: Any, x: Any, y: Any) -> Any:
        W, b = w
        m = number(x.shape[0])
        loss = number(0)
        for _ in range(n):
            loss = gW = gb = number(0)
            for i in range(x.shape[0]):
                error = W * x[i] + b - y[i]
                loss += error * error
                g = number(2) * error
                gW += g * x[i]
                gb += g
            W -= lr * (gW / m)
            b -= lr * (gb / m)
        return loss / m, (W, b)

    return loop


@cache
def cubic_loop_in_threads(dtype: str) -> Any:
    """The sin fit in as many threads as Numba has."""
    import numba

    number = np.dtype(dtype).type

    @jit(inline="never")
    def sums(w: Any, x: Any, y: Any, out: Any) -> None:
        a, b, c, d = w
        loss = ga = gb = gc = gd = number(0)
        for i in range(x.shape[0]):
            x1 = x[i]
            x2 = x1 * x1
            x3 = x2 * x1
            error = a + b * x1 + c * x2 + d * x3 - y[i]
            loss += error * error
            g = number(2) * error
            ga += g
            gb += g * x1
            gc += g * x2
            gd += g * x3
        out[0] = loss
        out[1] = ga
        out[2] = gb
        out[3] = gc
        out[4] = gd

    @jit(parallel=True)
    def loop(n: int, lr: Any, w: Any, x: Any, y: Any) -> Any:
        threads, m = numba.get_num_threads(), x.shape[0]
        a, b, c, d = w
        # A row is as long as two lines of the cache: no two threads write into one.
        out = np.zeros((threads, 32), x.dtype)
        for _ in range(n):
            for t in numba.prange(threads):
                low, high = m * t // threads, m * (t + 1) // threads
                sums((a, b, c, d), x[low:high], y[low:high], out[t])
            for t in range(1, threads):
                out[0] += out[t]
            a -= lr * out[0, 1]
            b -= lr * out[0, 2]
            c -= lr * out[0, 3]
            d -= lr * out[0, 4]
        return out[0, 0], (a, b, c, d)

    return loop


def run(case: Case, loop: Any) -> Run:
    """A run of a loop over steps."""
    x, y = (a.reshape(-1) for a in case.data())
    number = np.dtype(case.dtype).type
    lr, weights = number(case.lr), tuple(number(w) for w in case.first())
    loss = 0.0

    def take(n: int) -> None:
        nonlocal weights, loss
        loss, weights = loop(n, lr, tuple(number(w) for w in weights), x, y)

    return Run(take, lambda: np.array(weights, "float64"), lambda: float(loss))


def serial(case: Case) -> Run:
    """The loop in one thread."""
    if case.problem.name in MODELS:
        from benchmarks.implementations.numba_models import serial as of_model

        return of_model(case)
    return run(case, (cubic_loop if case.problem is SIN else line_loop)(case.dtype))


def enough_threads(case: Case) -> None:
    """Refuse a case that threads do not make faster.

    Raises:
        Unavailable: for one thread, or few points.
    """
    numba = library("numba", "Numba", "pip install 'tinygrad_poly[compile]'")
    if numba.get_num_threads() == 1:
        raise Unavailable("there is only one thread")
    if case.points < FEWEST_POINTS:
        raise Unavailable(f"threads are for {FEWEST_POINTS} points and more")


def in_threads(case: Case) -> Run:
    """The loop in all threads."""
    enough_threads(case)
    return run(case, cubic_loop_in_threads(case.dtype))


IMPLEMENTATIONS = [
    Implementation("Numba by hand", "limit", serial, problems=tuple(PROBLEMS), memory=2),
    Implementation("Numba by hand, threads", "limit", in_threads, problems=(SIN.name,), memory=2),
]
