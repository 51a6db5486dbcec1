"""Activation functions of neural networks.

Each is computed so that no intermediate result overflows: e⁻ˣ for large negative x would.
"""

import math
from math import inf, nan

from tinygrad_poly.derivatives.elementwise import erfc, exp, where
from tinygrad_poly.derivatives.piecewise import straight, tied
from tinygrad_poly.engine.arrays import Array, astype, namespace, together
from tinygrad_poly.engine.operation import Operation, Point


def _sigmoid(x: Array) -> Array:
    xp = namespace(x)
    small = xp.exp(0 - xp.abs(x))
    # The larger one of e^−|x| and 1 or 0: NumPy's `where` takes several times as long as a maximum.
    return xp.maximum(small, astype(x >= 0, small.dtype)) / (1 + small)


sigmoid = Operation(
    "Sigmoid", _sigmoid, lambda g, y: g * (y * (1 - y)), saves="output",
    formula="σ(x) = 1/(1 + e⁻ˣ)", derivative="σ(x) (1 − σ(x))",
)  # fmt: skip


def _softplus(x: Array, beta: float, threshold: float) -> Array:
    xp = namespace(x)
    z = x if beta == 1 else x * beta
    bent = xp.maximum(z, 0) + xp.log1p(xp.exp(0 - xp.abs(z)))
    bent = bent if beta == 1 else bent / beta
    return bent if threshold == inf else xp.where(z > threshold, x, bent)


def _softplus_slope(g: Array, x: Array, beta: float, threshold: float) -> Array:
    z = x if beta == 1 else x * beta
    slope = g * sigmoid(z)
    return slope if threshold == inf else where(z > threshold, g, slope)


softplus = Operation(
    "Softplus", _softplus, _softplus_slope,
    formula="log(1 + e^(βx))/β, and x where βx > threshold", derivative="σ(βx), and 1 where βx > threshold",
)  # fmt: skip

# y ≤ 0 does not hold where x is NaN, so that a NaN is never hidden.
relu = Operation(
    "Relu", lambda x: namespace(x).maximum(x, 0), straight(lambda g, y: where(y <= 0, 0.0, g)), saves="output",
    formula="max(x, 0)", derivative="1 where x > 0, else 0",
    special=(Point(0, 0, 0), Point(nan, nan, 1)),
)  # fmt: skip

leaky_relu = Operation(
    "LeakyRelu", lambda x, slope: namespace(x).where(x > 0, x, x * slope),
    straight(lambda g, x, slope: where(x > 0, g, g * slope)),
    formula="x where x > 0, else αx", derivative="1 where x > 0, else α",
    special=(Point(0, 0, 0.25, options=(0.25,)), Point(nan, nan, 0.25, options=(0.25,))),
)  # fmt: skip


def _elu(x: Array, alpha: float, rate: float) -> Array:
    xp = namespace(x)
    return xp.where(x > 0, x, xp.expm1(xp.where(x > 0, 0.0, x * rate)) * alpha)


# With r = 1/α the slope is continuous: celu.
elu = Operation(
    "Elu", _elu, lambda g, x, alpha, rate: where(x <= 0, g * (alpha * rate * exp(where(x < 0, x * rate, 0.0))), g),
    formula="x where x > 0, else α(e^(rx) − 1)", derivative="1 where x > 0, else α r e^(rx)",
    special=(Point(0, 0, 1, options=(1, 1)), Point(nan, nan, 1, options=(1, 1))),
)  # fmt: skip

hardtanh = Operation(
    "Hardtanh", lambda x, low, high: namespace(x).clip(x, low, high),
    straight(lambda g, x, low, high: where((x <= low) | (x >= high), 0.0, g)),
    formula="x, but at least a and at most b", derivative="1 where a < x < b, else 0",
    special=(Point(-1, -1, 0, options=(-1, 1)), Point(1, 1, 0, options=(-1, 1)), Point(nan, nan, 1, options=(-1, 1))),
)  # fmt: skip

threshold = Operation(
    "Threshold", lambda x, low, high, value: namespace(x).where((x >= low) & (x <= high), value, x),
    straight(lambda g, x, low, high, value: where((x >= low) & (x <= high), 0.0, g)),
    formula="c where a ≤ x ≤ b, else x", derivative="0 where a ≤ x ≤ b, else 1",
    special=(Point(1, 0.5, 0, options=(-inf, 1, 0.5)), Point(nan, nan, 1, options=(-inf, 1, 0.5))),
)  # fmt: skip


def _hardswish_slope(g: Array, x: Array) -> Array:
    # An infinite x, in the branch that is not taken, would make the second derivative 0 · ∞.
    inside = where((x > -3) & (x < 3), x, 0.0)
    return where(x <= -3, 0.0, where(x < 3, g * (inside / 3 + 0.5), g))


hardswish = Operation(
    "Hardswish", lambda x: x * namespace(x).clip(x + 3, 0, 6) / 6, _hardswish_slope,
    formula="x · min(max(x + 3, 0), 6)/6", derivative="x/3 + 1/2 where −3 < x < 3, 0 below, 1 above",
    special=(
        Point(-3, 0, 0, 0),
        Point(3, 3, 1, 0),
        Point(inf, inf, 1, 0),
        Point(-inf, nan, 0, 0),
        Point(nan, nan, 1, 0),
    ),
)  # fmt: skip

prelu = Operation(
    "PreluKernel", lambda x, slope: together(x, slope).where(x > 0, x, x * slope),
    lambda g, x, slope: tied(where(x > 0, g, g * slope), x), lambda g, x, slope: g * where(x > 0, 0.0, x),
    formula="a where a > 0, else b a", derivative="1 where a > 0, else b; 0 where a > 0, else a",
    special=(
        Point((0, 0.25), 0, (0.25, 0), [[0, 1], [1, 0]], note="y″ of torch is 0"),
        Point((inf, 0.25), inf, (1, 0)),
        Point((nan, 0.25), nan, (0.25, nan), [[0, 1], [1, 0]]),
    ),
)  # fmt: skip


def _silu_slope(g: Array, x: Array) -> Array:
    s = sigmoid(x)
    return g * (s * (1 + x * (1 - s)))


silu = Operation(
    "Silu", lambda x: x * _sigmoid(x), _silu_slope, formula="x σ(x)", derivative="σ(x) (1 + x (1 − σ(x)))",
    special=(Point(-inf, nan, nan, nan),),
)  # fmt: skip

# Φ(x) = erfc(−x/√2)/2 is the area under the bell curve left of x. (1 + erf(x/√2))/2 would lose its digits
# for negative x.
_ROOT_HALF = math.sqrt(0.5)
_BELL = 1 / math.sqrt(2 * math.pi)

gelu = Operation(
    "Gelu", lambda x: x * (0.5 * erfc(x * -_ROOT_HALF)),
    lambda g, x: g * (0.5 * erfc(x * -_ROOT_HALF) + x * (_BELL * exp(-0.5 * (x * x)))),
    formula="x Φ(x)", derivative="Φ(x) + x φ(x)",
    special=(Point(inf, inf, nan, nan), Point(-inf, nan, nan, nan)),
)  # fmt: skip

# ½(1 + tanh u) = σ(2u), with u = √(2/π) (x + 0.044715 x³).
_LINEAR = 2 * math.sqrt(2 / math.pi)
_CUBIC = 0.044715


def _gelu_tanh_slope(g: Array, x: Array) -> Array:
    square = x * x
    s = sigmoid(_LINEAR * (x * (1 + _CUBIC * square)))
    return g * (s * (1 + x * (1 - s) * (_LINEAR * (1 + 3 * _CUBIC * square))))


gelu_tanh = Operation(
    "Gelu", lambda x: x * _sigmoid(_LINEAR * (x * (1 + _CUBIC * (x * x)))), _gelu_tanh_slope,
    formula="x σ(2u), u = √(2/π) (x + 0.044715 x³)", derivative="σ(2u) + 2x u' σ(2u) (1 − σ(2u))",
    special=(Point(inf, inf, nan, nan), Point(-inf, nan, nan, nan)),
)  # fmt: skip
