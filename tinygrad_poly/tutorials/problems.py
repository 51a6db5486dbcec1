"""The fifteen tutorial programs.

T1–T5 fit a cubic to sin on [−π, π] and minimise the sum of squares; T6–T10 fit a line through a few
points and minimise the mean of squares. T11–T15 are the chapters of torch's "Learning PyTorch with
Examples" that follow its first three, which are T1–T3. `PROGRAMS` holds every program with its variants.
"""

import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from tinygrad_poly import optim
from tinygrad_poly.creation import linspace
from tinygrad_poly.engine.arrays import Array
from tinygrad_poly.tutorials import routes
from tinygrad_poly.tutorials.problem import Problem, Rule, Vector
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
    "T1", "cubic fit of sin in NumPy, gradients by hand", ("a", "b", "c", "d"), numpy_sine, cubic, sum_of_squares,
    cubic_gradient, lr=1e-6, steps=2000, start=from_last_line, route=routes.in_place,
)  # fmt: skip
T2 = replace(
    T1, name="T2", title="cubic fit of sin on tensors, gradients by hand", data=lambda dtype: torch_sine(2000, dtype)
)
T3 = replace(T2, name="T3", title="cubic fit of sin on tensors, gradients by backward()")
T4 = replace(
    T2, name="T4", title="cubic fit of sin in pictures, 1000 points", data=lambda dtype: torch_sine(1000, dtype),
    start=normal_numbers,
)  # fmt: skip
T5 = replace(
    T4, name="T5", title="cubic fit of sin in pictures, a x³ + b x² + c x + d", model=falling_cubic,
    gradient=falling_cubic_gradient, start=lambda problem: normal_numbers(problem)[::-1],
)  # fmt: skip

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
    "T6", "hours and scores: a line by optim.SGD", ("W", "b"), hours_and_scores, line, mean_squared_error,
    line_gradient, lr=0.01, steps=1000, start=lambda problem: np.zeros(len(problem.names)),
    route=routes.with_optimizer, shape=(1,),
)  # fmt: skip
T7 = replace(
    T6, name="T7", title="one weight without an optimizer", names=("W",), data=same_thrice, model=proportion,
    gradient=proportion_gradient, lr=0.1, steps=11, route=routes.in_place,
)  # fmt: skip
T7_AS_PRINTED = replace(
    T7, title="one weight without an optimizer, its gradient a sum", loss=half_sum_of_squares,
    gradient=summed_proportion_gradient,
)  # fmt: skip
T8 = replace(
    T6, name="T8", title="y = 3x in NumPy, gradients by hand", data=one_to_six, start=from_first_line,
    route=routes.in_place,
)  # fmt: skip
T9 = replace(T8, name="T9", title="y = 3x with retain_grad and w = w - lr * w.grad", steps=1001, route=routes.rebinding)
T10 = replace(
    T9, name="T10", title="y = 3x with nn.Linear, nn.MSELoss and optim.SGD", data=one_to_six_columns,
    route=routes.with_module,
)  # fmt: skip

# The sine again, by torch's next five examples.


def legendre(weights: Iterable[Array], x: Array) -> Array:
    """The prediction a + b P₃(c + d x) with P₃(z) = ½ (5 z³ − 3 z)."""
    a, b, c, d = weights
    z = c + d * x
    return a + b * (0.5 * (5 * (z * z * z) - 3 * z))


def legendre_gradient(weights: Iterable[Array], x: Array, y: Array) -> list[Array]:
    """The gradient of the sum of squares: ∂p/∂a = 1, ∂p/∂b = P₃, ∂p/∂c = b P₃′, ∂p/∂d = b P₃′ x."""
    a, b, c, d = weights
    z = c + d * x
    value = 0.5 * (5 * (z * z * z) - 3 * z)
    slope = 2.0 * (a + b * value - y)
    inner = slope * (b * (1.5 * (5 * (z * z) - 1)))
    return [slope.sum(), (slope * value).sum(), inner.sum(), (inner * x).sum()]


def rms_prop(lr: float) -> Rule:
    """RMSprop's rule: w ← w − lr g / (√v + 10⁻⁸), v a mean of g² that forgets a hundredth at each step."""
    squares: list[Array] = []

    def rule(weights: Sequence[Array], gradient: Sequence[Array]) -> list[Array]:
        squares[:] = [0.99 * v + 0.01 * (g * g) for v, g in zip(squares or [0.0] * len(weights), gradient)]
        return [w - lr * (g / (v**0.5 + 1e-8)) for w, g, v in zip(weights, gradient, squares)]

    return rule


def momentum(lr: float) -> Rule:
    """The rule of descent with momentum: m ← 0.9 m + g, w ← w − lr m; a weight without a gradient rests, with its m."""
    means: dict[int, Array] = {}

    def rule(weights: Sequence[Array], gradient: Sequence[Array]) -> list[Array]:
        means.update({k: 0.9 * means.get(k, 0.0) + g for k, g in enumerate(gradient)})
        return [*(w - lr * means[k] for k, w in enumerate(weights[: len(gradient)])), *weights[len(gradient) :]]

    return rule


def high_powers(n: int, x: Array) -> list[Array]:
    """The first n of x⁴ and x⁵."""
    return [x * x * x * x, x * x * x * x * x][:n]


def with_high_powers(n: int, weights: Iterable[Array], x: Array) -> Array:
    """The prediction a + b x + c x² + d x³, and e x⁴ if n > 0, and e x⁵ if n > 1."""
    *low, e = weights
    return sum((e * power for power in high_powers(n, x)), cubic(low, x))


def gradient_with_high_powers(n: int, weights: Iterable[Array], x: Array, y: Array) -> list[Array]:
    """The gradient of the sum of squares: the terms of a weight that is used twice add up; one not used has none."""
    slope = 2.0 * (with_high_powers(n, weights, x) - y)
    low = [slope.sum(), (slope * x).sum(), (slope * (x * x)).sum(), (slope * (x * x * x)).sum()]
    high = [(slope * power).sum() for power in high_powers(n, x)]
    return low + ([sum(high[1:], high[0])] if high else [])


T11 = replace(
    T2, name="T11", title="a + b P₃(c + d x) fitted to sin, P₃ an autograd.Function", model=legendre,
    gradient=legendre_gradient, lr=5e-6, start=lambda problem: np.array([0.0, -1.0, 0.0, 0.3]),
    route=routes.with_function, affine=False, imaginary=("b", "c", "x"),
)  # fmt: skip
T12 = replace(T2, name="T12", title="cubic fit of sin with nn.Linear on x, x², x³", route=routes.with_powers)
T13 = replace(
    T12, name="T13", title="cubic fit of sin with nn.Linear by optim.RMSprop", lr=1e-3, start=normal_numbers,
    affine=False, rule=rms_prop, optimizer=optim.RMSprop,
)  # fmt: skip
T14 = replace(
    T4, name="T14", title="cubic fit of sin as a module of its own by optim.SGD", data=T2.data,
    route=routes.with_own_module,
)  # fmt: skip
_CHOICES = random.Random(0).choices(range(3), k=2000)
T15 = replace(
    T14, name="T15", title="cubic fit of sin with a fourth and a fifth power at random",
    names=("a", "b", "c", "d", "e"), model=partial(with_high_powers, 2), gradient=partial(gradient_with_high_powers, 2),
    lr=1e-8, start=lambda problem: np.append(normal_numbers(problem), 0.1), affine=False, rule=momentum,
    optimizer=partial(optim.SGD, momentum=0.9), at=lambda step: _FORMS[_CHOICES[step]],
)  # fmt: skip
_FORMS: list[Problem] = [
    replace(T15, model=partial(with_high_powers, n), gradient=partial(gradient_with_high_powers, n)) for n in range(3)
]

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
    "T11": (T11, replace(T11, dtype="float32")),
    "T12": (T12, replace(T12, dtype="float32")),
    "T13": (T13,),
    "T14": (T14,),
    "T15": (T15,),
}
"""By name, the programs with their variants: two precisions where torch used float32, two gradients of T7."""
