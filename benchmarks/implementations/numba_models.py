"""Loops written by hand for Numba, for the problems with matrices: point by point, in one pass over the data."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np

from benchmarks.implementations import ways
from benchmarks.implementations.numba_ import jit
from benchmarks.interface import Run
from benchmarks.models import MOONS, WIDTH
from benchmarks.problems import Case


@cache
def entropy(dtype: str) -> Any:
    """The loss log(1 + eᶻ) − y z of a point, and its derivative."""
    one = np.dtype(dtype).type(1)

    @jit()
    def point(z: Any, y: Any) -> Any:
        small = math.exp(-abs(z))
        if z < 0:
            return math.log1p(small) - y * z, small / (one + small) - y
        return z + math.log1p(small) - y * z, one / (one + small) - y

    return point


@cache
def square(dtype: str) -> Any:
    """The loss (p − y)² of a point, and its derivative."""
    two = np.dtype(dtype).type(2)

    @jit()
    def point(p: Any, y: Any) -> Any:
        error = p - y
        return error * error, two * error

    return point


@cache
def regression_loop(dtype: str, columns: int, logistic: bool) -> Any:
    """So many steps of a regression; returns the last loss, and changes the weights."""
    number, point = np.dtype(dtype).type, (entropy if logistic else square)(dtype)

    @jit()
    def loop(steps: int, lr: Any, w: Any, bias: Any, x: Any, y: Any) -> Any:
        g = np.zeros(columns, x.dtype)
        n = number(x.shape[0])
        loss = number(0)
        for _ in range(steps):
            loss = g_bias = number(0)
            g[:] = number(0)
            for i in range(x.shape[0]):
                z = bias[0]
                for k in range(columns):
                    z += x[i, k] * w[k]
                value, slope = point(z, y[i])
                loss += value
                g_bias += slope
                for k in range(columns):
                    g[k] += slope * x[i, k]
            for k in range(columns):
                w[k] -= lr * (g[k] / n)
            bias[0] -= lr * (g_bias / n)
        return loss / n

    return loop


@cache
def moons_loop(dtype: str) -> Any:
    """So many steps of the network; returns the last loss, and changes the weights, of which w2 is transposed."""
    number, point = np.dtype(dtype).type, entropy(dtype)

    @jit()
    def loop(steps: int, lr: Any, w1: Any, b1: Any, w2: Any, b2: Any, w3: Any, b3: Any, x: Any, y: Any) -> Any:
        first, second = np.zeros(WIDTH, x.dtype), np.zeros(WIDTH, x.dtype)
        below, above = np.zeros(WIDTH, x.dtype), np.zeros(WIDTH, x.dtype)
        g_w1, g_b1 = np.zeros_like(w1), np.zeros_like(b1)
        g_w2, g_b2 = np.zeros_like(w2), np.zeros_like(b2)
        g_w3 = np.zeros_like(w3)
        n = number(x.shape[0])
        loss = number(0)
        for _ in range(steps):
            loss = g_b3 = number(0)
            for g in (g_w1, g_w2):
                g[:] = number(0)
            for g in (g_b1, g_b2, g_w3):
                g[:] = number(0)
            for i in range(x.shape[0]):
                for j in range(WIDTH):
                    first[j] = math.tanh(w1[0, j] * x[i, 0] + w1[1, j] * x[i, 1] + b1[j])
                    second[j] = b2[j]
                for k in range(WIDTH):
                    for j in range(WIDTH):
                        second[j] += w2[k, j] * first[k]
                z = b3[0]
                for j in range(WIDTH):
                    second[j] = math.tanh(second[j])
                    z += w3[j] * second[j]
                value, slope = point(z, y[i])
                loss += value
                g_b3 += slope
                for j in range(WIDTH):
                    g_w3[j] += slope * second[j]
                    above[j] = slope * w3[j] * (number(1) - second[j] * second[j])
                    g_b2[j] += above[j]
                for k in range(WIDTH):
                    total = number(0)
                    for j in range(WIDTH):
                        g_w2[k, j] += above[j] * first[k]
                        total += above[j] * w2[k, j]
                    below[k] = total * (number(1) - first[k] * first[k])
                for j in range(WIDTH):
                    g_w1[0, j] += below[j] * x[i, 0]
                    g_w1[1, j] += below[j] * x[i, 1]
                    g_b1[j] += below[j]
            scale = lr / n
            w1 -= scale * g_w1
            b1 -= scale * g_b1
            w2 -= scale * g_w2
            b2 -= scale * g_b2
            w3 -= scale * g_w3
            b3[0] -= scale * g_b3
        return loss / n

    return loop


def serial(case: Case) -> Run:
    """The loop in one thread."""
    # Each matrix is transposed, so that the innermost loop goes along its rows.
    weights = [np.atleast_1d(w.T).copy() for w in case.start()]
    x, y = case.data()
    if case.problem is MOONS:
        loop, y = moons_loop(case.dtype), y.reshape(-1)
        weights[4] = weights[4].reshape(-1)
    else:
        loop = regression_loop(case.dtype, case.problem.columns, case.problem.name.startswith("logistic"))
    lr = np.dtype(case.dtype).type(case.lr)
    loss = 0.0

    def take(n: int) -> None:
        nonlocal loss
        loss = loop(n, lr, *weights, x, y)

    return Run(take, lambda: ways.numbers(w.T for w in weights), lambda: float(loss))
