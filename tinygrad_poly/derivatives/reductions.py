"""Many numbers to one: sums, means, variances and extremes.

The cotangent of a sum is the same number for each element summed, so the rules hand it on
unexpanded: it *broadcasts to* the input's shape, and the walk expands it only where it has to.

The options of a reduction are `axis`, a tuple of axes ≥ 0 or None for all, and `keepdims`.
"""

from __future__ import annotations

import math

from tinygrad_poly.derivatives.elementwise import where
from tinygrad_poly.derivatives.shapes import astype, reshape
from tinygrad_poly.engine.arrays import Array, Shape, namespace, total
from tinygrad_poly.engine.operation import Operation


def with_axes(g: Array, shape: Shape, axis: Shape | None, keepdims: bool) -> Array:
    """`g` with the reduced axes of an input of `shape` put back as axes of length 1."""
    if axis is None or keepdims:
        return g
    return reshape(g, tuple(1 if i in axis else length for i, length in enumerate(shape)))


def without_axes(y: Array, axis: Shape | None, keepdims: bool) -> Array:
    """An array whose reduced axes were kept, without them unless `keepdims`."""
    if keepdims:
        return y
    return namespace(y).squeeze(y, axis=tuple(range(y.ndim)) if axis is None else axis)


def count(shape: Shape, axis: Shape | None) -> int:
    """How many elements of an array of `shape` go into each element of a reduction over `axis`."""
    return math.prod(shape) if axis is None else math.prod(shape[i] for i in axis)


sum = Operation(
    "Sum",
    total,
    with_axes,
    saves="shapes",
    expands=True,
    formula="Σᵢ xᵢ",
    derivative="1",
)

mean = Operation(
    "Mean",
    lambda x, axis, keepdims: total(x, axis, keepdims) / count(x.shape, axis),
    lambda g, shape, axis, keepdims: with_axes(g / count(shape, axis), shape, axis, keepdims),
    saves="shapes",
    expands=True,
    formula="x̄ = (Σᵢ xᵢ)/n",
    derivative="1/n",
)


def _degrees_of_freedom(shape: Shape, axis: Shape | None, correction: float) -> float:
    left = count(shape, axis) - correction
    return left if left > 0 else 0


def _var(x: Array, axis: Shape | None, keepdims: bool, correction: float) -> Array:
    deviation = x - mean(x, axis, True)
    return total(deviation * deviation, axis, keepdims) / _degrees_of_freedom(x.shape, axis, correction)


def _deviation(x: Array, axis: Shape | None, correction: float) -> Array:
    """(xᵢ − x̄)/(n − c), of which the variance's slope is twice."""
    return (x - mean(x, axis, True)) / _degrees_of_freedom(x.shape, axis, correction)


var = Operation(
    "Var",
    _var,
    lambda g, x, axis, keepdims, correction: (
        with_axes(2 * g, x.shape, axis, keepdims) * _deviation(x, axis, correction)
    ),
    expands=True,
    formula="Σᵢ (xᵢ − x̄)²/(n − c)",
    derivative="2 (xᵢ − x̄)/(n − c)",
    note="NaN for n ≤ c",
)

std = Operation(
    "Std",
    lambda x, axis, keepdims, correction: namespace(x).sqrt(_var(x, axis, keepdims, correction)),
    lambda g, x, y, axis, keepdims, correction: (
        with_axes(over_nonzero(g, y), x.shape, axis, keepdims) * _deviation(x, axis, correction)
    ),
    saves="both",
    expands=True,
    formula="√(Σᵢ (xᵢ − x̄)²/(n − c))",
    derivative="(xᵢ − x̄)/((n − c) y)",
    note="0 where y = 0, that is where all xᵢ are equal; NaN for n ≤ c",
)


def over_nonzero(g: Array, y: Array) -> Array:
    """g/y, and 0 where y = 0."""
    zero = y == 0
    return where(zero, 0.0, g / where(zero, 1.0, y))


def _mean_of_squares(a: Array, b: Array) -> Array:
    difference = a - b
    return total(difference * difference) / math.prod(difference.shape)


def _mean_of_squares_slope(g: Array, a: Array, b: Array) -> Array:
    difference = a - b
    return difference * (g * (2 / math.prod(difference.shape)))


mse_loss = Operation(
    "MseLoss",
    _mean_of_squares,
    _mean_of_squares_slope,
    lambda g, a, b: -_mean_of_squares_slope(g, a, b),
    formula="(Σᵢ (aᵢ − bᵢ)²)/n",
    derivative="2 (aᵢ − bᵢ)/n; −2 (aᵢ − bᵢ)/n",
)


def shared(g: Array, hit: Array, axis: Shape | None) -> Array:
    """`g` in equal shares to the elements that `hit` marks; NaN to all where it marks none."""
    hits = sum(astype(hit, g.dtype), axis, True)
    nobody = hits == 0
    return where(hit | nobody, g / where(nobody, math.nan, hits), 0.0)


def _to_the_equal(g: Array, x: Array, y: Array, axis: Shape | None, keepdims: bool) -> Array:
    g, y = (with_axes(a, x.shape, axis, keepdims) for a in (g, y))
    return shared(g, x == y, axis)


def _to_the_same(g: Array, x: Array, y: Array) -> Array:
    """`_to_the_equal` over all axes, for which NaN equals NaN."""
    return shared(g, (x == y) | ((x != x) & (y != y)), None)


amax = Operation(
    "Amax",
    lambda x, axis, keepdims: namespace(x).max(x, axis=axis, keepdims=keepdims),
    _to_the_equal,
    saves="both",
    expands=True,
    formula="maxᵢ xᵢ",
    derivative="1 where xᵢ = y, otherwise 0",
    note="k elements equal to y get 1/k each; all get NaN where y is NaN",
)

amin = Operation(
    "Amin",
    lambda x, axis, keepdims: namespace(x).min(x, axis=axis, keepdims=keepdims),
    _to_the_equal,
    saves="both",
    expands=True,
    formula="minᵢ xᵢ",
    derivative="1 where xᵢ = y, otherwise 0",
    note="k elements equal to y get 1/k each; all get NaN where y is NaN",
)

# The extremes of the whole tensor differ from the two above in what becomes of NaN, as in torch.
max_of_all = Operation(
    "Max",
    lambda x: namespace(x).max(x),
    _to_the_same,
    saves="both",
    formula="maxᵢ xᵢ over the whole tensor",
    derivative="1 where xᵢ = y, otherwise 0",
    note="k elements equal to y get 1/k each, also k that are NaN",
)

min_of_all = Operation(
    "Min",
    lambda x: namespace(x).min(x),
    _to_the_same,
    saves="both",
    formula="minᵢ xᵢ over the whole tensor",
    derivative="1 where xᵢ = y, otherwise 0",
    note="k elements equal to y get 1/k each, also k that are NaN",
)


def _median_of_all(x: Array) -> Array:
    xp = namespace(x)
    ordered = xp.sort(xp.reshape(x, (-1,)))
    # NaN is sorted to the end.
    last = ordered[-1]
    return xp.where(xp.isnan(last), last, ordered[(ordered.shape[0] - 1) // 2])


median_of_all = Operation(
    "Median",
    _median_of_all,
    _to_the_same,
    saves="both",
    opaque=True,
    formula="the lower of the middle elements of the whole tensor",
    derivative="1 where xᵢ = y, otherwise 0",
    note="k elements equal to y get 1/k each, also k that are NaN",
)
