"""Whole training loops, each as the fastest thing that its library offers: many steps in one call.

A loop is a function from a number of steps to the weights after them. All start from the same weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import tinygrad_poly as tg
from tinygrad_poly.compiler.numpy_runner import NumpyProgram
from tinygrad_poly.compiler.steps import CompiledSteps
from tinygrad_poly.tutorials.problem import Vector

Loop = Callable[[int], Vector]


@dataclass(frozen=True)
class Fit:
    """A polynomial of degree `len(start) − 1` fitted by the sum of squares."""

    name: str
    points: int
    start: tuple[float, ...]
    lr: float
    steps: int
    """How many steps a call takes."""

    def data(self, dtype: str) -> tuple[Any, Any]:
        """X on [−π, π] and sin x."""
        x = np.linspace(-math.pi, math.pi, self.points).astype(dtype)
        return x, np.sin(x)

    def prediction(self, w: Any, x: Any) -> Any:
        """The polynomial, its powers by multiplication; the same lines for arrays of all libraries."""
        y_pred, power = w[0], x
        for weight in w[1:]:
            y_pred = y_pred + weight * power
            power = power * x
        return y_pred

    def loss(self, w: Any, x: Any, y: Any) -> Any:
        """The sum of squared errors."""
        y_pred = self.prediction(w, x)
        return ((y_pred - y) ** 2).sum()


CUBIC = (0.1, 0.2, -0.3, 0.05)
FITS = [
    Fit("sin fit, 2000 points", 2000, CUBIC, 1e-6, 1000),
    Fit("line fit, 6 points", 6, (0.1, 0.2), 1e-2, 100_000),
    Fit("sin fit, 200 000 points", 200_000, CUBIC, 1e-8, 20),
    Fit("sin fit, 20 000 000 points", 20_000_000, CUBIC, 1e-10, 1),
]


def _weights(fit: Fit, dtype: str) -> list[Any]:
    return [np.asarray(w, dtype) for w in fit.start]


def _traced(fit: Fit, dtype: str) -> CompiledSteps:
    x, y = fit.data(dtype)
    weights = {f"w{i}": w for i, w in enumerate(_weights(fit, dtype))}
    optimizer = tg.optim.SGD([tg.tensor(w, requires_grad=True) for w in weights.values()], lr=fit.lr)
    return CompiledSteps(fit.loss, lambda by_name: list(by_name.values()), weights, {"x": x, "y": y}, optimizer)


def compiled(fit: Fit, dtype: str) -> Loop:
    """The compiler of this engine, run by Numba."""
    steps, none = _traced(fit, dtype), np.empty(0)
    return lambda n: np.array(steps.run(0, n, n + 1, none, _weights(fit, dtype), final=False), "float64")


def compiled_without_numba(fit: Fit, dtype: str) -> Loop:
    """The same program run by NumPy."""
    steps, none = _traced(fit, dtype), np.empty(0)
    data = dict(zip(steps.step.data, steps.data, strict=True))
    run = NumpyProgram(steps.step.program, data, steps.step.carried).steps()
    return lambda n: np.array(run(0, n, n + 1, none, *(w[()] for w in _weights(fit, dtype))), "float64")


def eager(library: Any) -> Callable[[Fit, str], Loop]:
    """`backward()` in every step."""

    def make(fit: Fit, dtype: str) -> Loop:
        x, y = (library.from_numpy(a) for a in fit.data(dtype))

        def loop(n: int) -> Vector:
            weights = [library.from_numpy(w.copy()).requires_grad_() for w in _weights(fit, dtype)]
            for _ in range(n):
                fit.loss(weights, x, y).backward()
                with library.no_grad():
                    for w in weights:
                        w -= fit.lr * w.grad
                        w.grad = None
            return np.array([float(w.detach()) for w in weights])

        return loop

    return make


def hand_written(fit: Fit, dtype: str) -> Loop:
    """What a person would write for Numba: the limit that a compiler is measured against."""
    import numba

    fast: Any = numba.njit(fastmath={"reassoc", "nsz", "contract"})
    number = np.dtype(dtype).type

    @fast  # type: ignore[untyped-decorator]
    def cubic(n: int, lr: Any, a: Any, b: Any, c: Any, d: Any, x: Any, y: Any) -> Any:
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
        return loss, a, b, c, d

    @fast  # type: ignore[untyped-decorator]
    def line(n: int, lr: Any, a: Any, b: Any, x: Any, y: Any) -> Any:
        loss = number(0)
        for _ in range(n):
            loss = ga = gb = number(0)
            for i in range(x.shape[0]):
                error = a + b * x[i] - y[i]
                loss += error * error
                g = number(2) * error
                ga += g
                gb += g * x[i]
            a -= lr * ga
            b -= lr * gb
        return loss, a, b

    kernels: dict[int, Any] = {4: cubic, 2: line}
    run = kernels[len(fit.start)]
    x, y = fit.data(dtype)
    lr, start = number(fit.lr), [number(w) for w in fit.start]
    return lambda n: np.array(run(n, lr, *start, x, y)[1:], "float64")


def jax_fori_loop(fit: Fit, dtype: str) -> Loop:
    """`jax.jit` around a `fori_loop` of `jax.grad`."""
    import jax

    if dtype == "float64":
        config: Any = jax.config
        config.update("jax_enable_x64", True)
    x, y = (jax.numpy.asarray(a) for a in fit.data(dtype))
    gradient = jax.grad(fit.loss)

    def loop(n: Any, w: Any) -> Any:
        return jax.lax.fori_loop(0, n, lambda _, w: [a - fit.lr * g for a, g in zip(w, gradient(w, x, y))], w)

    run = jax.jit(loop)
    start = [jax.numpy.asarray(w) for w in _weights(fit, dtype)]
    return lambda n: np.array([float(w) for w in run(n, start)])


REFERENCE = "Numba by hand"
LOOPS: dict[str, Callable[[Fit, str], Loop]] = {
    REFERENCE: hand_written,
    "compiled": compiled,
    "without Numba": compiled_without_numba,
    "eager": eager(tg),
    "JAX fori_loop": jax_fori_loop,
}
