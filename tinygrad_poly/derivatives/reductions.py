"""Sums and means.

The cotangent of a sum is the same number for each element summed, so the rules hand it on
unexpanded: it *broadcasts to* the input's shape, and the walk expands it only where it has to.
"""

from __future__ import annotations

import math

from tinygrad_poly.arrays import Array, Shape, total
from tinygrad_poly.derivatives.operation import Operation
from tinygrad_poly.derivatives.shapes import reshape


def _with_axes(g: Array, shape: Shape, axis: Shape | None, keepdims: bool) -> Array:
    """`g` with the summed axes put back as axes of length 1."""
    if axis is None or keepdims:
        return g
    return reshape(g, tuple(1 if i in axis else length for i, length in enumerate(shape)))


def count(shape: Shape, axis: Shape | None) -> int:
    """How many elements of an array of `shape` go into each element of a reduction over `axis`."""
    return math.prod(shape) if axis is None else math.prod(shape[i] for i in axis)


sum = Operation("Sum", total, _with_axes, saves="shapes", expands=True)

mean = Operation(
    "Mean",
    lambda x, axis, keepdims: total(x, axis, keepdims) / count(x.shape, axis),
    lambda g, shape, axis, keepdims: _with_axes(g / count(shape, axis), shape, axis, keepdims),
    saves="shapes",
    expands=True,
)


def _mean_of_squares(a: Array, b: Array) -> Array:
    difference = a - b
    return total(difference * difference) / math.prod(difference.shape)


def _mean_of_squares_slope(g: Array, a: Array, b: Array) -> Array:
    difference = a - b
    return difference * (g * (2 / math.prod(difference.shape)))


# y = mean (a − b)²: ∂y/∂a = 2 (a − b) / n = −∂y/∂b.
mse_loss = Operation(
    "MseLoss",
    _mean_of_squares,
    _mean_of_squares_slope,
    lambda g, a, b: -_mean_of_squares_slope(g, a, b),
)
