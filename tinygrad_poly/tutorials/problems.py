"""The ten tutorial programs.

T1–T5 fit a cubic to sin on [−π, π] and minimise the sum of squares; T6–T10 fit a line through a few
points and minimise the mean of squares. `PROGRAMS` holds every program with its variants.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from tinygrad_poly.creation import linspace
from tinygrad_poly.engine.arrays import Array
from tinygrad_poly.tutorials import routes
from tinygrad_poly.tutorials.problem import Problem, Vector
from tinygrad_poly.tutorials.recovery import from_first_line, from_last_line

# Cubic fits of sin: p = a + b x + c x² + d x³, L = Σ (p − y)².


def numpy_sine(dtype: str) -> tuple[Array, Array]:
    """The sine at 2000 points, on NumPy's grid."""
    x = np.linspace(-math.pi, math.pi, 2000).astype(dtype)
    return x, np.sin(x)


def torch_sine(points: int, dtype: str) -> tuple[Array, Array]:
    """The sine on torch's grid, which is symmetrical to the last bit."""
    x = linspace(-math.pi, math.pi, points, dtype=dtype).numpy()
    return x, np.sin(x)


def cubic(weights: Iterable[Array], x: Array) -> Array:
    """The prediction a + b x + c x² + d x³."""
    a, b, c, d = weights
    return a + b * x + c * (x * x) + d * (x * x * x)


def sum_of_squares(prediction: Array, y: Array) -> Array:
    """The sum of squares L = Σ (p − y)²."""
    return ((prediction - y) ** 2).sum()


def cubic_gradient(weights: Iterable[Array], x: Array, y: Array) -> list[Array]:
    """The gradient of the sum of squares: ∂L/∂p = 2 (p − y); ∂p/∂a = 1, ∂p/∂b = x, ∂p/∂c = x², ∂p/∂d = x³."""
    slope = 2.0 * (cubic(weights, x) - y)
    return [slope.sum(), (slope * x).sum(), (slope * (x * x)).sum(), (slope * (x * x * x)).sum()]


def falling_cubic(weights: Iterable[Array], x: Array) -> Array:
    """The prediction a x³ + b x² + c x + d: the cubic with its names in reverse order."""
    a, b, c, d = weights
    return a * (x * x * x) + b * (x * x) + c * x + d


def falling_cubic_gradient(weights: Iterable[Array], x: Array, y: Array) -> list[Array]:
    """The gradient of the sum of squares: ∂L/∂p = 2 (p − y); ∂p/∂a = x³, ∂p/∂b = x², ∂p/∂c = x, ∂p/∂d = 1."""
    slope = 2.0 * (falling_cubic(weights, x) - y)
    return [(slope * (x * x * x)).sum(), (slope * (x * x)).sum(), (slope * x).sum(), slope.sum()]


def normal_numbers(problem: Problem) -> Vector:
    """Four normal random numbers, the same in every run; the tutorial's picture does not show which it drew."""
    return np.random.default_rng(0).standard_normal(4)


T1 = Problem(
    "T1",
    "cubic fit of sin in NumPy, gradients by hand",
    ("a", "b", "c", "d"),
    numpy_sine,
    cubic,
    sum_of_squares,
    cubic_gradient,
    lr=1e-6,
    steps=2000,
    start=from_last_line,
    route=routes.in_place,
)
T2 = replace(
    T1,
    name="T2",
    title="cubic fit of sin on tensors, gradients by hand",
    data=lambda dtype: torch_sine(2000, dtype),
)
T3 = replace(T2, name="T3", title="cubic fit of sin on tensors, gradients by backward()")
T4 = replace(
    T2,
    name="T4",
    title="cubic fit of sin in pictures, 1000 points",
    data=lambda dtype: torch_sine(1000, dtype),
    start=normal_numbers,
)
T5 = replace(
    T4,
    name="T5",
    title="cubic fit of sin in pictures, a x³ + b x² + c x + d",
    model=falling_cubic,
    gradient=falling_cubic_gradient,
    start=lambda problem: normal_numbers(problem)[::-1],
)

# Lines through a few points: p = W x + b, L = 1/m Σ (p − y)².


def hours_and_scores(dtype: str) -> tuple[Array, Array]:
    """Hours of study 1, 2, 3 and their scores 2, 4, 6, as columns."""
    hours = np.array([[1], [2], [3]], dtype)
    return hours, 2 * hours


def same_thrice(dtype: str) -> tuple[Array, Array]:
    """The numbers y = x = 1, 2, 3, as columns."""
    x = np.array([[1], [2], [3]], dtype)
    return x, x


def one_to_six(dtype: str) -> tuple[Array, Array]:
    """The numbers x = 1, …, 6 and y = 3 x."""
    x = np.arange(1, 7).astype(dtype)
    return x, 3 * x


def one_to_six_columns(dtype: str) -> tuple[Array, Array]:
    """The numbers x = 1, …, 6 and y = 3 x, as columns."""
    x, y = one_to_six(dtype)
    return x.reshape(-1, 1), y.reshape(-1, 1)


def line(weights: Iterable[Array], x: Array) -> Array:
    """The prediction W x + b."""
    W, b = weights
    return x * W + b


def mean_squared_error(prediction: Array, y: Array) -> Array:
    """The mean squared error L = 1/m Σ (p − y)²."""
    return ((prediction - y) ** 2).mean()


def line_gradient(weights: Iterable[Array], x: Array, y: Array) -> list[Array]:
    """The gradient ∂L/∂W = 1/m Σ 2 (p − y) x, ∂L/∂b = 1/m Σ 2 (p − y)."""
    slope = 2.0 * (line(weights, x) - y)
    return [(slope * x).sum() / len(x), slope.sum() / len(x)]


def proportion(weights: Iterable[Array], x: Array) -> Array:
    """The prediction W x."""
    (W,) = weights
    return x * W


def proportion_gradient(weights: Iterable[Array], x: Array, y: Array) -> list[Array]:
    """The gradient ∂L/∂W = 2/m Σ (W x − y) x."""
    return [2.0 * ((proportion(weights, x) - y) * x).sum() / len(x)]


def half_sum_of_squares(prediction: Array, y: Array) -> Array:
    """Half the sum of squares L = ½ Σ (p − y)², which is m/2 times their mean."""
    return 0.5 * ((prediction - y) ** 2).sum()


def summed_proportion_gradient(weights: Iterable[Array], x: Array, y: Array) -> list[Array]:
    """The gradient ∂L/∂W = Σ (W x − y) x of the half sum of squares; T7 prints it beside the mean of squares."""
    return [((proportion(weights, x) - y) * x).sum()]


T6 = Problem(
    "T6",
    "hours and scores: a line by optim.SGD",
    ("W", "b"),
    hours_and_scores,
    line,
    mean_squared_error,
    line_gradient,
    lr=0.01,
    steps=1000,
    start=lambda problem: np.zeros(2),
    route=routes.with_optimizer,
    shape=(1,),
)
T7 = Problem(
    "T7",
    "one weight without an optimizer",
    ("W",),
    same_thrice,
    proportion,
    mean_squared_error,
    proportion_gradient,
    lr=0.1,
    steps=11,
    start=lambda problem: np.zeros(1),
    route=routes.in_place,
    shape=(1,),
)
T7_AS_PRINTED = replace(
    T7,
    title="one weight without an optimizer, its gradient a sum",
    loss=half_sum_of_squares,
    gradient=summed_proportion_gradient,
)
T8 = Problem(
    "T8",
    "y = 3x in NumPy, gradients by hand",
    ("W", "b"),
    one_to_six,
    line,
    mean_squared_error,
    line_gradient,
    lr=0.01,
    steps=1000,
    start=from_first_line,
    route=routes.in_place,
    shape=(1,),
)
T9 = replace(T8, name="T9", title="y = 3x with retain_grad and w = w - lr * w.grad", steps=1001, route=routes.rebinding)
T10 = replace(
    T9,
    name="T10",
    title="y = 3x with nn.Linear, nn.MSELoss and optim.SGD",
    data=one_to_six_columns,
    route=routes.with_module,
)

PROGRAMS = {
    "T1": (T1,),
    "T2": (T2, replace(T2, dtype="float32")),
    "T3": (T3, replace(T3, dtype="float32")),
    "T4": (T4,),
    "T5": (T5,),
    "T6": (T6,),
    "T7": (T7, T7_AS_PRINTED),
    "T8": (T8,),
    # The growing graph once, in the tutorial's own precision: it takes seconds, and changes no bit.
    "T9": (replace(T9, dtype="float32"), replace(T9, route=routes.in_place)),
    "T10": (T10, replace(T10, dtype="float32")),
}
"""By name, the programs with their variants: two precisions where torch used float32, two gradients of T7."""
