"""Softmax and log-sum-exp: exponentials that add up to 1, and the logarithm of their sum.

Each forward function takes the largest element out before it computes an exponential: none overflows.
"""

import math
from math import inf, nan

from tinygrad_poly.derivatives.elementwise import exp
from tinygrad_poly.derivatives.reductions import count, in_single, sum, with_axes, without_axes
from tinygrad_poly.engine.arrays import Array, Shape, namespace, total
from tinygrad_poly.engine.operation import Operation, Point


def _logsumexp(x: Array, axis: Shape | None, keepdims: bool) -> Array:
    if not count(x.shape, axis):
        return total(x, axis, keepdims) - math.inf
    xp = namespace(x)
    largest = xp.max(x, axis=axis, keepdims=True)
    offset = xp.where(xp.isfinite(largest), largest, 0.0)
    sums = total(xp.exp(x - offset), axis, True)
    # The sum is 0 only where the largest is −∞, which is then the result.
    return without_axes(xp.log(xp.where(sums == 0, 1.0, sums)) + largest, axis, keepdims)


def _share(g: Array, x: Array, y: Array, axis: Shape | None, keepdims: bool) -> Array:
    g, y = (with_axes(a, x.shape, axis, keepdims) for a in (g, y))
    return g * exp(x - y)


logsumexp = Operation(
    "Logsumexp", in_single(_logsumexp), _share, saves="both", expands=True,
    formula="log Σᵢ exp xᵢ", derivative="exp(xᵢ − y)",
    special=(
        Point([-inf, -inf], -inf, nan, nan, options=(None, False)),
        Point([inf, 0], inf, [nan, 0], nan, options=(None, False)),
    ),
)  # fmt: skip


def _softmax(x: Array, axis: int) -> Array:
    if not math.prod(x.shape):
        return x
    xp = namespace(x)
    powers = xp.exp(x - xp.max(x, axis=axis, keepdims=True))
    return powers / total(powers, (axis,), True)


softmax = Operation(
    "Softmax", in_single(_softmax), lambda g, y, axis: y * (g - sum(g * y, (axis,), True)),
    saves="output", expands=True, formula="yᵢ = exp xᵢ/Σⱼ exp xⱼ", derivative="∂yᵢ/∂xⱼ = yᵢ (δᵢⱼ − yⱼ)",
    special=(
        Point([-inf, -inf], [nan, nan], nan, nan, options=(0,)),
        Point([inf, 0], [nan, nan], nan, nan, options=(0,)),
    ),
)  # fmt: skip


def _log_softmax(x: Array, axis: int) -> Array:
    if not math.prod(x.shape):
        return x
    xp = namespace(x)
    x = x - xp.max(x, axis=axis, keepdims=True)
    return x - xp.log(total(xp.exp(x), (axis,), True))


log_softmax = Operation(
    "LogSoftmax", in_single(_log_softmax), lambda g, y, axis: g - exp(y) * sum(g, (axis,), True),
    saves="output", expands=True, formula="yᵢ = xᵢ − log Σⱼ exp xⱼ", derivative="∂yᵢ/∂xⱼ = δᵢⱼ − exp yⱼ",
    special=(
        Point([-inf, -inf], [nan, nan], nan, nan, options=(0,)),
        Point([inf, 0], [nan, nan], nan, nan, options=(0,)),
    ),
)  # fmt: skip
