"""Arithmetic: sums, products, quotients and powers, and other functions of two numbers.

Read a row as: name, y = f(a, b), ∂L/∂a, ∂L/∂b with g = ∂L/∂y.
"""

import operator
from math import inf, nan

import numpy as np

from tinygrad_poly.derivatives.activations import sigmoid
from tinygrad_poly.derivatives.elementwise import LOG_2, log, where
from tinygrad_poly.derivatives.piecewise import flat
from tinygrad_poly.engine.arrays import Array, astype, integer_power, is_floating, namespace, of_two, together
from tinygrad_poly.engine.operation import Operation, Point

add = Operation("Add", operator.add, lambda g: g, lambda g: g, saves="nothing", formula="a + b", derivative="1; 1")

subtract = Operation(
    "Sub", operator.sub, lambda g: g, lambda g: -g, saves="nothing", formula="a − b", derivative="1; −1"
)

multiply = Operation(
    "Mul", operator.mul, lambda g, a, b: g * b, lambda g, a, b: g * a, formula="a b", derivative="b; a"
)

divide = Operation(
    "Div", operator.truediv, lambda g, a, b, y: g / b, lambda g, a, b, y: -g * y / b, saves="both",
    formula="a / b", derivative="1/b; −a/b²",
    special=(
        Point((1, 0), inf, (inf, -inf), [[0, -inf], [-inf, inf]]),
        Point((0, 0), nan, (inf, nan), [[0, -inf], [-inf, nan]]),
    ),
)  # fmt: skip

negative = Operation("Neg", operator.neg, lambda g: -g, saves="nothing", formula="−x", derivative="−1")

reciprocal = Operation(
    "Reciprocal", lambda x: 1 / x, lambda g, y: -g * (y * y), saves="output", formula="1/x", derivative="−1/x²",
    special=(Point(0, inf, -inf, inf),),
)  # fmt: skip


BOOL = np.dtype(bool)


def scalar_power(x: Array, n: float) -> Array:
    """The power xⁿ for a Python number n; whole powers by multiplication, many times faster than `pow`."""
    if x.dtype is BOOL:
        x = astype(x, namespace(x).int64)
    if 1 <= n <= 64 and n == int(n):
        return integer_power(x, int(n))
    return x**n


# d/dx xⁿ = n xⁿ⁻¹. x⁰ is the constant 1, also at 0, where 0 · 0⁻¹ would be NaN.
power_scalar = Operation(
    "Pow", scalar_power, lambda g, x, n: g * n * scalar_power(x, n - 1) if n else namespace(x).zeros_like(x),
    formula="xⁿ for a number n", derivative="n xⁿ⁻¹",
    special=(
        Point(0, 1, 0, options=(0,)),
        Point(0, 0, inf, -inf, options=(0.5,)),
        Point(0, inf, -inf, inf, options=(-1,)),
        Point(0, 0, 0, inf, options=(1.5,)),
        Point(-1, nan, nan, nan, options=(0.5,)),
    ),
)  # fmt: skip


def _power_log(a: Array, b: Array, k: int) -> Array:
    """The product aᵇ (log a)ᵏ; at a = 0 its limit from the right: 0 for b > 0, and ±∞ for b ≤ 0 and k > 0."""
    y = a**b
    return y * integer_power(log(where((a == 0) & (b > 0), 1.0, a)), k) if k else y


def _power_log_base(g: Array, a: Array, b: Array, k: int) -> Array:
    if not k:
        return _power_base(g, a, b)
    return g * (b * power_log(a, b - 1, k) + k * power_log(a, b - 1, k - 1))


# The rules of a power are made of these functions, which at a = 0 know no convention but limits, so that the second
# derivatives are right there: d/db of b aᵇ⁻¹ at (0, 1) is −∞.
power_log: Operation = Operation(
    "Pow", _power_log, _power_log_base, lambda g, a, b, k: g * power_log(a, b, k + 1),
    formula="aᵇ (log a)ᵏ", derivative="b aᵇ⁻¹ (log a)ᵏ + k aᵇ⁻¹ (log a)ᵏ⁻¹; aᵇ (log a)ᵏ⁺¹",
    special=(
        Point((0, 1), 0, (-inf, 0), [[nan, nan], [nan, 0]], options=(1,)),
        Point((0, 2), 0, 0, [[-inf, 0], [0, 0]], options=(1,)),
    ),
)  # fmt: skip


def _power_base(g: Array, a: Array, b: Array) -> Array:
    """The derivative G b aᵇ⁻¹, and 0 where aᵇ is the constant 1 but aᵇ⁻¹ is no number."""
    constant = ((a == 0) | (a != a)) & (b == 0)
    return where(constant, 0.0, g * (b * power_log(where(constant, 1.0, a), b - 1, 0)))


def _power_exponent(g: Array, a: Array, b: Array) -> Array:
    """The derivative G aᵇ log a, and 0 at the jump of 0ᵇ, as in torch."""
    jump = (a == 0) & (b == 0)
    return where(jump, 0.0, g * power_log(where(jump, 1.0, a), b, 1))


def _power(a: Array, b: Array) -> Array:
    """aᵇ; of integers to negative integers, which NumPy refuses, the whole part as in torch: 0 unless a is ±1."""
    try:
        y = a**b
        if isinstance(y, (np.ndarray, np.generic)) or getattr(y.dtype, "kind", "") != "i" or not hasattr(b, "dtype"):
            return y  # a trace would learn of negative numbers too late
    except ValueError:
        pass
    return together(a, b).where((b < 0) & (abs(a) != 1), 0, a ** abs(b))


# At a < 0 the second rule gives NaN: aᵇ is not real beside a whole b.
power: Operation = Operation(
    "Pow", _power, _power_base, _power_exponent, named="PowBackward1", formula="aᵇ", derivative="b aᵇ⁻¹; aᵇ log a",
    special=(
        Point((0, 0), 1, 0, note="y″ of torch is NaN"),
        Point((0, 1), 0, (1, 0), [[0, -inf], [-inf, 0]], note="y″ of torch is [0, 1], [NaN, NaN]"),
        Point((0, 1.5), 0, 0, [[inf, 0], [0, 0]], note="y″ of torch has NaN for 0"),
        Point((0, 0.5), 0, (inf, 0), [[-inf, nan], [nan, 0]], note="∞ − ∞, where the limit is −∞"),
        Point((0, -2), inf, -inf, inf),
        Point((2, 0), 1, (0, LOG_2), [[0, 0.5], [0.5, LOG_2**2]], note="torch has 0 for one of the 0.5"),
        Point((-2, 2), 4, (-4, nan), [[2, nan], [nan, nan]]),
    ),
)  # fmt: skip

# Division with remainder. The quotient's slope is 0 but for its jumps.

floor_divide = Operation(
    "FloorDivide", operator.floordiv, flat, flat, saves="nothing", formula="⌊a/b⌋", derivative="0; 0",
    special=(Point((6, 2), 3, 0),),
)  # fmt: skip

remainder = Operation(
    "Remainder", operator.mod, lambda g, a, b: g, lambda g, a, b: -g * (a // b),
    named=lambda saved: f"RemainderBackward{int(hasattr(saved[1], 'dtype'))}",
    formula="a − b ⌊a/b⌋", derivative="1; −⌊a/b⌋",
    special=(Point((6, 2), 0, (1, -3)), Point((1, 0), nan, (1, -inf)), Point((0, 0), nan, (1, nan))),
)  # fmt: skip


# NumPy's quotient of integers is rounded down.
def _trunc_divide(a: Array, b: Array) -> Array:
    if any(is_floating(x.dtype) if hasattr(x, "dtype") else isinstance(x, float) for x in (a, b)):
        return namespace(y := a / b).trunc(y)
    return (a - of_two("fmod")(a, b)) // b


trunc_divide = Operation(
    "DivTrunc", _trunc_divide, flat, flat, saves="nothing", formula="trunc(a/b)", derivative="0; 0",
    special=(Point((6, 2), 3, 0), Point((-6, 0), -inf, 0)),
)  # fmt: skip

fmod = Operation(
    "Fmod", of_two("fmod"), lambda g, a, b: g, lambda g, a, b: -g * trunc_divide(a, b),
    named=lambda saved: f"FmodBackward{int(hasattr(saved[1], 'dtype'))}",
    formula="a − b trunc(a/b)", derivative="1; −trunc(a/b)",
    special=(Point((6, 2), 0, (1, -3)), Point((1, 0), nan, (1, -inf)), Point((0, 0), nan, (1, nan))),
)  # fmt: skip

# Others

hypot: Operation = Operation(
    "Hypot", of_two("hypot"), lambda g, a, b, y: g * (a / y), lambda g, a, b, y: g * (b / y), saves="both",
    formula="√(a² + b²)", derivative="a/√(a² + b²); b/√(a² + b²)",
    special=(Point((0, 0), 0, nan, nan), Point((inf, 1), inf, (nan, 0), [[nan, nan], [nan, 0]])),
)  # fmt: skip


def _over_square(x: Array, radius: Array) -> Array:
    """The quotient x/radius², computed without overflow of the square; 0 where the radius is 0."""
    radius = where(radius == 0, 1.0, radius)
    return x / radius / radius


atan2 = Operation(
    "Atan2", of_two("atan2"),
    lambda g, a, b: g * _over_square(b, hypot(a, b)), lambda g, a, b: -g * _over_square(a, hypot(b, a)),
    formula="the angle of the point (b, a)", derivative="b/(a² + b²); −a/(a² + b²)",
    special=(Point((0, 0), 0, 0, nan),),
)  # fmt: skip

logaddexp = Operation(
    "Logaddexp", of_two("logaddexp"), lambda g, a, b: g * sigmoid(a - b), lambda g, a, b: g * sigmoid(b - a),
    formula="log(eᵃ + eᵇ)", derivative="σ(a − b); σ(b − a)",
    special=(Point((inf, inf), inf, nan, nan), Point((0, inf), inf, (0, 1), note="y″ of torch has NaN")),
)  # fmt: skip


def _lerp(a: Array, b: Array, weight: Array) -> Array:
    """The linear interpolation, computed from the nearer end, so that a weight of 0 or 1 gives an end exactly."""
    step = b - a
    if not hasattr(weight, "dtype"):
        return a + weight * step if abs(weight) < 0.5 else b - step * (1 - weight)
    return together(a, b, weight).where(abs(weight) < 0.5, a + weight * step, b - step * (1 - weight))


lerp = Operation(
    "Lerp", _lerp,
    lambda g, a, b, weight: g * (1 - weight), lambda g, a, b, weight: g * weight, lambda g, a, b, weight: g * (b - a),
    named=lambda saved: f"LerpBackward{int(hasattr(saved[2], 'dtype'))}",
    formula="a + w (b − a)", derivative="1 − w; w; b − a",
)  # fmt: skip

xlogy = Operation(
    "Xlogy",
    lambda a, b: together(a, b).where((a == 0) & (b == b), 0.0 * a, a * log(where((a == 0) & (b == b), 1.0, b))),
    lambda g, a, b: where((a == 0) & (b <= 0), 0.0, g * log(where((a == 0) & (b <= 0), 1.0, b))),
    lambda g, a, b: g * (a / b),
    formula="a log b, and 0 where a = 0", derivative="log b; a/b",
    special=(
        Point((0, 0), 0, (0, nan), [[0, 0], [inf, nan]], note="torch has NaN for y″"),
        Point((0, 2), 0, (LOG_2, 0), [[0, 0.5], [0.5, 0]]),
    ),
)  # fmt: skip
