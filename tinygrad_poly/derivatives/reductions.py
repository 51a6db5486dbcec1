"""Reductions: sums, means, variances and extremes.

The cotangent of a sum is the same number for each element summed, so the rules hand it on
unexpanded: it *broadcasts to* the input's shape, and the walk expands it only where it has to.

The options of a reduction are `axis`, a tuple of axes ≥ 0 or None for all, and `keepdims`.
"""

import math
from collections.abc import Callable
from functools import cache
from math import nan
from typing import Any

import numpy as np

from tinygrad_poly.derivatives.elementwise import where
from tinygrad_poly.derivatives.piecewise import tied
from tinygrad_poly.derivatives.shapes import astype, reshape
from tinygrad_poly.engine import arrays
from tinygrad_poly.engine.arrays import HALF, HALF_OF_TENSORS, Array, Shape, namespace, surely, total
from tinygrad_poly.engine.operation import Operation, Point


def with_axes(g: Array, shape: Shape, axis: Shape | None, keepdims: bool) -> Array:
    """The array `g` with the reduced axes of an input of `shape` put back as axes of length 1."""
    if axis is None or keepdims:
        return g
    return reshape(g, tuple(1 if i in axis else length for i, length in enumerate(shape)))


def without_axes(y: Array, axis: Shape | None, keepdims: bool) -> Array:
    """The array without its reduced axes, which were kept; with `keepdims` unchanged."""
    if keepdims:
        return y
    return namespace(y).squeeze(y, axis=tuple(range(y.ndim)) if axis is None else axis)


def count(shape: Shape, axis: Shape | None) -> int:
    """The number of elements of an array of `shape` in each element of a reduction over `axis`."""
    return math.prod(shape) if axis is None else math.prod(shape[i] for i in axis)


def in_single(forward: Callable[..., Array]) -> Callable[..., Array]:
    """A reduction that adds up float16 in float32, as torch does: in float16, 70 000 is ∞."""

    def accumulate(x: Array, *options: Any) -> Array:
        if x.dtype is not HALF:
            return forward(x, *options)
        return arrays.astype(forward(arrays.astype(x, np.float32), *options), HALF)

    return accumulate


def single(x: Array) -> Array:
    """The array, with float16 converted to float32, which holds the number of elements that a rule divides by."""
    return astype(x, np.float32) if x.dtype is HALF or x.dtype is HALF_OF_TENSORS else x


# `in_single`, written out: the mean is in the hot path.
def _mean(x: Array, axis: Shape | None, keepdims: bool) -> Array:
    if x.dtype is HALF:
        return arrays.astype(_mean(arrays.astype(x, np.float32), axis, keepdims), HALF)
    return total(x, axis, keepdims) / count(x.shape, axis)


sum = Operation(
    "Sum", total, with_axes,
    saves="shapes", expands=True, named=lambda saved: f"SumBackward{int(saved[1] is not None)}",
    formula="Σᵢ xᵢ", derivative="1",
)  # fmt: skip

mean = Operation(
    "Mean", _mean, lambda g, shape, axis, keepdims: with_axes(single(g) / count(shape, axis), shape, axis, keepdims),
    saves="shapes", expands=True, named=lambda saved: f"MeanBackward{int(saved[1] is not None)}",
    formula="x̄ = (Σᵢ xᵢ)/n", derivative="1/n",
)  # fmt: skip


def degrees_of_freedom(shape: Shape, axis: Shape | None, correction: float) -> float:
    """The number N − c of deviations less what was estimated from them, at least 0."""
    left = count(shape, axis) - correction
    return left if left > 0 else 0


def _var(x: Array, axis: Shape | None, keepdims: bool, correction: float) -> Array:
    deviation = x - mean(x, axis, True)
    return total(deviation * deviation, axis, keepdims) / degrees_of_freedom(x.shape, axis, correction)


def _var_slope(g: Array, x: Array, axis: Shape | None, keepdims: bool, correction: float) -> Array:
    x = single(x)
    slope = (x - mean(x, axis, True)) / degrees_of_freedom(x.shape, axis, correction)
    return with_axes(2 * g, x.shape, axis, keepdims) * slope


var = Operation(
    "Var", in_single(_var), _var_slope, expands=True, formula="Σᵢ (xᵢ − x̄)²/(n − c)", derivative="2 (xᵢ − x̄)/(n − c)",
    special=(Point([3], nan, nan, nan, options=(None, False, 1)),),
)  # fmt: skip


@cache
def _edge(xp: Any, dtype: Any) -> float:
    """2^(0.4 E), see `length`."""
    return float(2.0 ** int(0.4 * math.log2(float(xp.finfo(dtype).max))))


def length(x: Array, axis: Shape | None, keepdims: bool) -> Array:
    """The length √Σ xᵢ², without over- or underflow of the squares: where needed, x is scaled by a power of two first.

    With E the dtype's largest exponent, numbers above 2^(0.4 E) are made smaller by 2^(0.8 E), and numbers that are
    all below 2^(−0.4 E) larger. The squares that still underflow are too small to be seen in the sum.
    """
    xp = namespace(x)
    if not count(x.shape, axis):
        return xp.sqrt(total(x, axis, keepdims))
    largest = xp.max(xp.abs(x), axis=axis, keepdims=True)
    edge = _edge(xp, x.dtype)
    if surely((largest > 1 / edge) & (largest < edge)):
        return xp.sqrt(total(x * x, axis, keepdims))
    one = xp.ones_like(largest)
    by = xp.where(largest > edge, one / edge**2, xp.where(largest < 1 / edge, one * edge**2, one))
    scaled = x * by
    return xp.sqrt(total(scaled * scaled, axis, keepdims)) / (by if keepdims else without_axes(by, axis, False))


def _std(x: Array, axis: Shape | None, keepdims: bool, correction: float) -> Array:
    left = degrees_of_freedom(x.shape, axis, correction)
    # The array's own division: that of a Python number by 0 would raise.
    xp = namespace(x)
    return length(x - mean(x, axis, True), axis, keepdims) / xp.sqrt(xp.asarray(left, dtype=x.dtype))


def _std_slope(g: Array, x: Array, y: Array, axis: Shape | None, keepdims: bool, correction: float) -> Array:
    x = single(x)
    g, y = (with_axes(a, x.shape, axis, keepdims) for a in (g, y))
    deviation = (x - mean(x, axis, True)) / where(y == 0, 1.0, y)
    return where(y == 0, 0.0, g) * (deviation / degrees_of_freedom(x.shape, axis, correction))


std = Operation(
    "Std", in_single(_std), _std_slope, saves="both", expands=True,
    formula="√(Σᵢ (xᵢ − x̄)²/(n − c))", derivative="(xᵢ − x̄)/((n − c) y)",
    special=(Point([1, 1], 0, 0, options=(None, False, 1)), Point([3], nan, nan, nan, options=(None, False, 1))),
    note="0 where y = 0: what is made of it there, such as y², has lost its curvature, as in torch; write the variance",
)  # fmt: skip


@in_single
def _mean_square(x: Array) -> Array:
    return total(x * x) / math.prod(x.shape)


def _mean_of_squares_slope(g: Array, a: Array, b: Array) -> Array:
    difference = a - b
    return difference * (g * (2 / (math.prod(difference.shape) or math.nan)))


mse_loss = Operation(
    "MseLoss", lambda a, b: _mean_square(a - b),
    _mean_of_squares_slope, lambda g, a, b: -_mean_of_squares_slope(g, a, b),
    formula="(Σᵢ (aᵢ − bᵢ)²)/n", derivative="2 (aᵢ − bᵢ)/n; −2 (aᵢ − bᵢ)/n",
)  # fmt: skip


def shared(g: Array, hit: Array, axis: Shape | None) -> Array:
    """The cotangent `g` in equal shares for the elements that `hit` marks; NaN for all if it marks none."""
    hits = sum(astype(hit, single(g).dtype), axis, True)
    nobody = hits == 0
    return where(hit | nobody, g / where(nobody, math.nan, hits), 0.0)


def _to_the_equal(g: Array, x: Array, y: Array, axis: Shape | None, keepdims: bool) -> Array:
    g, y = (with_axes(a, x.shape, axis, keepdims) for a in (g, y))
    return tied(shared(g, x == y, axis), x)


def _to_the_same(g: Array, x: Array, y: Array) -> Array:
    """The rule of an extreme of all elements; NaN equals NaN."""
    return tied(shared(g, (x == y) | ((x != x) & (y != y)), None), x)


amax = Operation(
    "Amax", lambda x, axis, keepdims: namespace(x).max(x, axis=axis, keepdims=keepdims), _to_the_equal,
    saves="both", expands=True, formula="maxᵢ xᵢ", derivative="1 where xᵢ = y, otherwise 0",
    special=(Point([1, 1], 1, 0.5, options=(None, False)), Point([nan, 1], nan, nan, options=(None, False))),
)  # fmt: skip

amin = Operation(
    "Amin", lambda x, axis, keepdims: namespace(x).min(x, axis=axis, keepdims=keepdims), _to_the_equal,
    saves="both", expands=True, formula="minᵢ xᵢ", derivative="1 where xᵢ = y, otherwise 0",
    special=(Point([1, 1], 1, 0.5, options=(None, False)), Point([nan, 1], nan, nan, options=(None, False))),
)  # fmt: skip

# The extremes of the whole tensor differ from the two above in what becomes of NaN, as in torch.
max_of_all = Operation(
    "Max", lambda x: namespace(x).max(x), _to_the_same, saves="both", named="MaxBackward1",
    formula="maxᵢ xᵢ over the whole tensor", derivative="1 where xᵢ = y, otherwise 0",
    special=(Point([1, 1], 1, 0.5), Point([nan, nan, 1], nan, [0.5, 0.5, 0])),
)  # fmt: skip

min_of_all = Operation(
    "Min", lambda x: namespace(x).min(x), _to_the_same, saves="both", named="MinBackward1",
    formula="minᵢ xᵢ over the whole tensor", derivative="1 where xᵢ = y, otherwise 0",
    special=(Point([1, 1], 1, 0.5), Point([nan, nan, 1], nan, [0.5, 0.5, 0])),
)  # fmt: skip


def _median_of_all(x: Array) -> Array:
    xp = namespace(x)
    ordered = xp.sort(xp.reshape(x, (-1,)))
    # NaN is sorted to the end.
    last = ordered[-1]
    return xp.where(xp.isnan(last), last, ordered[(ordered.shape[0] - 1) // 2])


median_of_all = Operation(
    "Median", _median_of_all, _to_the_same, saves="both", opaque=True,
    formula="the lower of the middle elements of the whole tensor", derivative="1 where xᵢ = y, otherwise 0",
    special=(Point([1, 1, 2], 1, [0.5, 0.5, 0]), Point([nan, nan, 1], nan, [0.5, 0.5, 0])),
)  # fmt: skip
