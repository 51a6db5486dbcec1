"""Losses that are rows of their own: cut off where others are infinite, or with fewer ways through memory."""

from math import inf, nan

from tinygrad_poly.derivatives.activations import sigmoid
from tinygrad_poly.derivatives.elementwise import log, log1p, where
from tinygrad_poly.engine.arrays import Array, together
from tinygrad_poly.engine.operation import Operation, Point


def _binary_cross_entropy(x: Array, t: Array) -> Array:
    xp = together(x, t)
    # log 0 = −∞, without a warning.
    log_x = xp.where(x == 0, -100.0, xp.log(xp.where(x == 0, 1.0, x)))
    log_rest = xp.where(x == 1, -100.0, xp.log1p(0 - xp.where(x == 1, 0.0, x)))
    return (t - 1) * xp.where(log_rest < -100, -100.0, log_rest) - t * xp.where(log_x < -100, -100.0, log_x)


binary_cross_entropy = Operation(
    "BinaryCrossEntropy", _binary_cross_entropy,
    lambda g, x, t: g * ((x - t) / where(x * (1 - x) < 1e-12, 1e-12, x * (1 - x))),
    lambda g, x, t: g * (log1p(0 - x) - log(x)),
    formula="−b log a − (1 − b) log(1 − a), with logarithms of at least −100",
    derivative="(a − b)/max(a (1 − a), 10⁻¹²); log(1 − a) − log a",
    special=(
        Point((0, 1), 100, (-1e12, inf), [[1e12, -1e12], [-inf, 0]], note="torch has 10²⁴ for the first of y″"),
        Point((1, 1), 0, (0, -inf), [[1e12, -1e12], [-inf, 0]]),
        Point((0, 0), 0, (0, inf), [[1e12, -1e12], [-inf, 0]]),
    ),
)  # fmt: skip


def _with_logits(x: Array, t: Array) -> Array:
    xp = together(x, t)
    return xp.maximum(x, 0) - x * t + xp.log1p(xp.exp(0 - xp.abs(x)))


# −t log σ(x) − (1 − t) log(1 − σ(x)), in which 1 − σ(x) = σ(−x).
binary_cross_entropy_with_logits = Operation(
    "BinaryCrossEntropyWithLogits", _with_logits,
    lambda g, x, t: g * (sigmoid(x) - t), lambda g, x, t: -g * x,
    formula="log(1 + eᵃ) − a b", derivative="σ(a) − b; −a",
    special=(Point((inf, 1), nan, (0, -inf), [[0, -1], [-1, 0]]), Point((-inf, 0), nan, (0, inf), [[0, -1], [-1, 0]])),
)  # fmt: skip
