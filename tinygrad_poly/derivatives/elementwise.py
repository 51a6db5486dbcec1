"""Elementary functions of one number, applied to each element.

Read a row as: name, y = f(x), ∂L/∂x with g = ∂L/∂y.
"""

import math
from collections.abc import Callable
from math import inf, nan
from typing import Any

import numpy as np

from tinygrad_poly.engine.arrays import NUMPY, Array, common, library, namespace, of_library
from tinygrad_poly.engine.operation import Operation, Point, Rule

LOG_2 = math.log(2)
LOG_10 = math.log(10)


def _where(condition: Array, a: Array, b: Array) -> Array:
    return common(condition, a, b).xp.where(condition, a, b)


# The condition is not differentiated. Where it holds, y = a, otherwise y = b.
where: Operation = Operation(
    "Where", _where,
    None, lambda g, condition, a, b: where(condition, g, 0.0), lambda g, condition, a, b: where(condition, 0.0, g),
    formula="a where c, else b", derivative="1 where c, else 0; 0 where c, else 1",
    note="the condition c has no derivative; an infinite slope on the way to the branch not taken gives NaN",
)  # fmt: skip


def _function(name: str, rule: Rule, **said: Any) -> Operation:
    """The row of a function that array libraries have under the row's name: "Sin" is computed by `sin`."""
    return Operation(name, of_library(name.lower()), rule, **said)


# Exponentials and logarithms

exp = _function("Exp", lambda g, y: g * y, saves="output", formula="eˣ", derivative="eˣ")

exp2 = _function("Exp2", lambda g, y: g * (y * LOG_2), saves="output", formula="2ˣ", derivative="2ˣ log 2")

expm1 = _function("Expm1", lambda g, y: g * (y + 1), saves="output", formula="eˣ − 1", derivative="eˣ")

log = _function(
    "Log", lambda g, x: g / x, formula="log x", derivative="1/x",
    special=(Point(0, -inf, inf, -inf), Point(-1, nan, -1, -1)),
)  # fmt: skip

log2 = _function(
    "Log2", lambda g, x: g / (x * LOG_2), formula="log₂ x", derivative="1/(x log 2)",
    special=(Point(0, -inf, inf, -inf), Point(-1, nan, -1 / LOG_2, -1 / LOG_2)),
)  # fmt: skip

log10 = _function(
    "Log10", lambda g, x: g / (x * LOG_10), formula="log₁₀ x", derivative="1/(x log 10)",
    special=(Point(0, -inf, inf, -inf), Point(-1, nan, -1 / LOG_10, -1 / LOG_10)),
)  # fmt: skip

log1p = _function(
    "Log1P", lambda g, x: g / (1 + x), formula="log(1 + x)", derivative="1/(1 + x)",
    special=(Point(-1, -inf, inf, -inf), Point(-2, nan, -1, -1)),
)  # fmt: skip

# Roots

sqrt = _function(
    "Sqrt", lambda g, y: g / (2 * y), saves="output", formula="√x", derivative="1/(2√x)",
    special=(Point(0, 0, inf, -inf), Point(-1, nan, nan, nan)),
)  # fmt: skip

rsqrt = Operation(
    "Rsqrt", lambda x: 1 / namespace(x).sqrt(x), lambda g, y: g * (-0.5 * (y * y * y)), saves="output",
    formula="1/√x", derivative="−1/(2x√x)",
    special=(Point(0, inf, -inf, inf), Point(-1, nan, nan, nan)),
)  # fmt: skip


def _cbrt_slope(g: Array, y: Array) -> Array:
    # 1/y first: at 0 it keeps the sign, by which the second derivative is −∞ or ∞ there.
    r = 1 / y
    return g * (r * r / 3)


cbrt = _function(
    "Cbrt", _cbrt_slope, saves="output", formula="∛x", derivative="1/(3 ∛x²)",
    special=(Point(0, 0, inf, -inf),),
)  # fmt: skip

# Angles

sin = _function("Sin", lambda g, x: g * cos(x), formula="sin x", derivative="cos x")

cos: Operation = _function("Cos", lambda g, x: -g * sin(x), formula="cos x", derivative="−sin x")

tan = _function(
    "Tan", lambda g, y: g * (1 + y * y), saves="output", formula="tan x", derivative="1 + tan² x",
    note="poles at ±π/2, ±3π/2, …, which no floating-point number meets",
)  # fmt: skip

# (1 − x)(1 + x) keeps the digits that 1 − x² loses near ±1. As one row it has the slope −2x of 1 − x²: the product
# rule on the two factors would multiply an infinite cotangent by the factor that is 0 at ±1.
one_minus_square = Operation(
    "Sub", lambda x: (1 - x) * (1 + x), lambda g, x: g * (-2 * x), formula="1 − x²", derivative="−2x"
)

square_minus_one = Operation(
    "Sub", lambda x: (x - 1) * (x + 1), lambda g, x: g * (2 * x), formula="x² − 1", derivative="2x"
)

asin = _function(
    "Asin", lambda g, x: g / sqrt(one_minus_square(x)), formula="arcsin x", derivative="1/√(1 − x²)",
    special=(Point(1, math.pi / 2, inf, inf), Point(-1, -math.pi / 2, inf, -inf), Point(2, nan, nan, nan)),
)  # fmt: skip

acos = _function(
    "Acos", lambda g, x: -g / sqrt(one_minus_square(x)), formula="arccos x", derivative="−1/√(1 − x²)",
    special=(Point(1, 0, -inf, -inf), Point(-1, math.pi, -inf, inf), Point(2, nan, nan, nan)),
)  # fmt: skip

atan = _function("Atan", lambda g, x: g / (1 + x * x), formula="arctan x", derivative="1/(1 + x²)")

# Hyperbolic functions

sinh = _function("Sinh", lambda g, x: g * cosh(x), formula="sinh x", derivative="cosh x")

cosh: Operation = _function("Cosh", lambda g, x: g * sinh(x), formula="cosh x", derivative="sinh x")

tanh = _function("Tanh", lambda g, y: g * (1 - y * y), saves="output", formula="tanh x", derivative="1 − tanh² x")

asinh = _function("Asinh", lambda g, x: g / sqrt(1 + x * x), formula="arsinh x", derivative="1/√(x² + 1)")

acosh = _function(
    "Acosh", lambda g, x: g / sqrt(square_minus_one(x)), formula="arcosh x", derivative="1/√(x² − 1)",
    special=(Point(1, 0, inf, -inf), Point(0, nan, nan, nan), Point(-2, nan, 3**-0.5, 2 * 3**-1.5)),
)  # fmt: skip

atanh = _function(
    "Atanh", lambda g, x: g / one_minus_square(x), formula="artanh x", derivative="1/(1 − x²)",
    special=(Point(1, inf, inf, inf), Point(-1, -inf, inf, -inf), Point(2, nan, -1 / 3, 4 / 9)),
)  # fmt: skip

# Others

# The quotients of two polynomials that are nearly erf x / x of x², e^(x²) erfc x of x, and x² (1/√π − x e^(x²) erfc x)
# of 1/x²; the first coefficient belongs to the highest power. For float64 those of W. J. Cody, "Rational Chebyshev
# approximations for the error function" (1969); for float32 shorter ones, made by C. L. Lawson's algorithm, which are
# off by 6 · 10⁻⁹ at most. Where two ranges meet, either is right to the last digits.
EDGES = (0.46875, 4.0)
QUOTIENTS = {
    "d": (
        ((0.185777706184603153, 3.16112374387056560, 113.864154151050156, 377.485237685302021, 3209.37758913846947),
         (1.0, 23.6012909523441209, 244.024637934444173, 1282.61652607737228, 2844.23683343917062)),
        ((2.15311535474403846e-8, 0.564188496988670089, 8.88314979438837594, 66.1191906371416295, 298.635138197400131,
          881.952221241769090, 1712.04761263407058, 2051.07837782607147, 1230.33935479799725),
         (1.0, 15.7449261107098347, 117.693950891312499, 537.181101862009858, 1621.38957456669019, 3290.79923573345963,
          4362.61909014324716, 3439.36767414372164, 1230.33935480374942)),
        ((0.0163153871373020978, 0.305326634961232344, 0.360344899949804439, 0.125781726111229246,
          0.0160837851487422766, 6.58749161529837803e-4),
         (1.0, 2.56852019228982242, 1.87295284992346725, 0.527905102951428412, 0.0605183413124413191,
          2.33520497626869185e-3)),
    ),
    "f": (
        ((-0.0231065789, 0.194496724, -0.773676616, 5.70616683), (1.0, 5.05695868)),
        ((0.564028397, 2.79369848, 6.0281578, 5.99907416), (1.0, 4.94576399, 11.2402478, 12.7959107, 5.99925086)),
        ((0.280741132, 0.0945910978), (1.0, 1.49800733, 0.335317647)),
    ),
}  # fmt: skip


def _quotient(i: int, x: Array) -> Array:
    parts = []
    for first, *others in QUOTIENTS[x.dtype.char][i]:
        value = first * x
        for c in others[:-1]:
            value += c
            value *= x
        parts.append(value + others[-1])
    return parts[0] / parts[1]


def _bell(x: Array) -> Array:
    """The bell curve e^(−x²). x² has more digits than a number holds, and their loss would be multiplied by x²."""
    if x.dtype.char == "f":
        x = x.astype(np.float64)
        return np.exp(-x * x).astype(np.float32)
    whole = np.floor(x * 16) / 16
    return np.exp(-whole * whole) * np.exp((whole - x) * (whole + x))


def _erf_of(x: Array) -> Array:
    size = np.minimum(abs(x), 6)  # erf 6 rounds to 1
    y = np.copysign(1 - np.exp(-size * size) * _quotient(1, size), x)
    near = size < EDGES[0]
    return np.where(near, x * _quotient(0, np.minimum(size * size, 1)), y) if near.any() else y


def _erfc_of(x: Array) -> Array:
    size = np.minimum(abs(x), 30)  # erfc 30 rounds to 0
    scaled = _quotient(1, np.minimum(size, EDGES[1]))
    if (far := size > EDGES[1]).any():
        z = 1 / np.maximum(size, 1) ** 2
        scaled = np.where(far, (1 / math.sqrt(math.pi) - z * _quotient(2, z)) / np.maximum(size, 1), scaled)
    y = _bell(size) * scaled
    y = np.where(x < 0, 2 - y, y)
    near = size < EDGES[0]
    return np.where(near, 1 - x * _quotient(0, np.minimum(size * size, 1)), y) if near.any() else y


CACHED = 8192
"""The number of elements that stay near the processor through a chain of operations on them."""


def _in_blocks(of_one: Callable[[float], float], of_many: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """The function `of_one` from Python's `math`; of many numbers in NumPy's memory `of_many`, in blocks."""

    def forward(x: Array) -> Array:
        if library(x) is not NUMPY or np.size(x) < 512 or x.dtype.char not in "fd":
            return library(x).of_math(of_one, x)
        flat, y = x.reshape(-1), np.empty(x.size, x.dtype)
        for start in range(0, x.size, CACHED):
            block = slice(start, start + CACHED)
            y[block] = of_many(flat[block])
        return y.reshape(x.shape)

    return forward


erf = Operation(
    "Erf", _in_blocks(math.erf, _erf_of), lambda g, x: g * (2 / math.sqrt(math.pi) * exp(-(x * x))), opaque=True,
    formula="erf x", derivative="2/√π · e^(−x²)",
)  # fmt: skip

erfc = Operation(
    "Erfc", _in_blocks(math.erfc, _erfc_of), lambda g, x: g * (-2 / math.sqrt(math.pi) * exp(-(x * x))), opaque=True,
    formula="1 − erf x", derivative="−2/√π · e^(−x²)",
)  # fmt: skip


def _sinc(x: Array, order: int) -> Array:
    """The derivative of order `order` of y(z) = sin z / z, at z = πx.

    Differentiating z y = sin z n times gives z y⁽ⁿ⁾ + n y⁽ⁿ⁻¹⁾ = sin⁽ⁿ⁾ z, a way from each derivative to
    the next that loses digits only where |z| < n. There, Taylor's series of y converges fast.
    """
    xp = namespace(x)
    z = x * math.pi
    near = abs(z) < order + 1 if order else z == 0
    far = xp.where(near, 1.0, z)
    sine = xp.sin(far)
    y = sine / far
    if not order:
        return xp.where(near, 1.0, y)
    cosine = xp.cos(far)
    for n in range(1, order + 1):
        y = ((cosine, -sine, -cosine, sine)[(n - 1) % 4] - n * y) / far
    return xp.where(near, _sinc_series(xp.where(near, z, 0.0), order), y)


def _sinc_series(z: Array, order: int) -> Array:
    """The series Σ (−1)ᵏ zᵐ / ((2k + 1) m!) with m = 2k − order ≥ 0, beyond the last digit for |z| < order + 1."""
    first = (order + 1) // 2
    power = z if order % 2 else namespace(z).ones_like(z)
    result = 0.0 * power
    for k in range(first, first + 10 + 2 * order):
        m = 2 * k - order
        result = result + power * ((-1) ** k / (2 * k + 1))
        power = power * (z * z) * (1 / ((m + 1) * (m + 2)))
    return result


sinc: Operation = Operation(
    "Sinc", _sinc, lambda g, x, order: g * (math.pi * sinc(x, order + 1)),
    formula="sin πx / (πx)", derivative="(cos πx − sinc x)/x",
    special=(Point(0, 1, 0, -(math.pi**2) / 3, options=(0,), note="y″ of torch is NaN"),),
)  # fmt: skip
