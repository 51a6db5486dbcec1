"""The classical functions of one number, applied to each element.

Read a row as: name, y = f(x), ∂L/∂x with g = ∂L/∂y.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from tinygrad_poly.engine.arrays import Array, library, namespace, together
from tinygrad_poly.engine.operation import Operation

LOG_2 = math.log(2)
LOG_10 = math.log(10)


def of_library(name: str) -> Callable[[Array], Array]:
    """The function `name` of whichever library the array it is given belongs to."""
    of_numpy = getattr(np, name)

    def function(x: Array) -> Array:
        xp = namespace(x)
        return of_numpy(x) if xp is np else getattr(xp, name)(x)

    return function


def of_python(function: Callable[[float], float]) -> Callable[[Array], Array]:
    """A function that neither NumPy nor the array API has: from Python's `math`, element by element."""
    return lambda x: library(x).of_math(function, x)


def _where(condition: Array, a: Array, b: Array) -> Array:
    return together(condition, a, b).where(condition, a, b)


# The condition is not differentiated. Where it holds, y = a, otherwise y = b.
where: Operation = Operation(
    "Where",
    _where,
    None,
    lambda g, condition, a, b: where(condition, g, 0.0),
    lambda g, condition, a, b: where(condition, 0.0, g),
    formula="a where c, else b",
    derivative="1 where c, else 0; 0 where c, else 1",
    note="the condition c has no derivative; an infinite slope on the way to the branch not taken gives NaN",
)

# Exponentials and logarithms

exp = Operation("Exp", of_library("exp"), lambda g, y: g * y, saves="output", formula="eˣ", derivative="eˣ")

exp2 = Operation(
    "Exp2",
    of_library("exp2"),
    lambda g, y: g * (y * LOG_2),
    saves="output",
    formula="2ˣ",
    derivative="2ˣ log 2",
)

expm1 = Operation(
    "Expm1",
    of_library("expm1"),
    lambda g, y: g * (y + 1),
    saves="output",
    formula="eˣ − 1",
    derivative="eˣ",
)

log = Operation(
    "Log",
    of_library("log"),
    lambda g, x: g / x,
    formula="log x",
    derivative="1/x",
    note="at 0: ∞; below 0 the value is NaN, the derivative 1/x",
)

log2 = Operation(
    "Log2",
    of_library("log2"),
    lambda g, x: g / (x * LOG_2),
    formula="log₂ x",
    derivative="1/(x log 2)",
    note="at 0: ∞; below 0 the value is NaN, the derivative 1/(x log 2)",
)

log10 = Operation(
    "Log10",
    of_library("log10"),
    lambda g, x: g / (x * LOG_10),
    formula="log₁₀ x",
    derivative="1/(x log 10)",
    note="at 0: ∞; below 0 the value is NaN, the derivative 1/(x log 10)",
)

log1p = Operation(
    "Log1P",
    of_library("log1p"),
    lambda g, x: g / (1 + x),
    formula="log(1 + x)",
    derivative="1/(1 + x)",
    note="at −1: ∞; below −1 the value is NaN, the derivative 1/(1 + x)",
)

# Roots

sqrt = Operation(
    "Sqrt",
    of_library("sqrt"),
    lambda g, y: g / (2 * y),
    saves="output",
    formula="√x",
    derivative="1/(2√x)",
    note="at 0: ∞; below 0: NaN",
)

rsqrt = Operation(
    "Rsqrt",
    lambda x: 1 / namespace(x).sqrt(x),
    lambda g, y: g * (-0.5 * (y * y * y)),
    saves="output",
    formula="1/√x",
    derivative="−1/(2x√x)",
    note="at 0: −∞; below 0: NaN",
)

cbrt = Operation(
    "Cbrt",
    of_library("cbrt"),
    lambda g, y: g / (3 * (y * y)),
    saves="output",
    formula="∛x",
    derivative="1/(3 ∛x²)",
    note="at 0: ∞",
)

# Angles

sin = Operation("Sin", of_library("sin"), lambda g, x: g * cos(x), formula="sin x", derivative="cos x")

cos: Operation = Operation("Cos", of_library("cos"), lambda g, x: -g * sin(x), formula="cos x", derivative="−sin x")

tan = Operation(
    "Tan",
    of_library("tan"),
    lambda g, y: g * (1 + y * y),
    saves="output",
    formula="tan x",
    derivative="1 + tan² x",
    note="poles at ±π/2, ±3π/2, …, which no floating-point number meets",
)

# (1 − x)(1 + x) keeps the digits that 1 − x² loses near ±1.
asin = Operation(
    "Asin",
    of_library("asin"),
    lambda g, x: g / sqrt((1 - x) * (1 + x)),
    formula="arcsin x",
    derivative="1/√(1 − x²)",
    note="at ±1: ∞; beyond: NaN",
)

acos = Operation(
    "Acos",
    of_library("acos"),
    lambda g, x: -g / sqrt((1 - x) * (1 + x)),
    formula="arccos x",
    derivative="−1/√(1 − x²)",
    note="at ±1: −∞; beyond: NaN",
)

atan = Operation(
    "Atan",
    of_library("atan"),
    lambda g, x: g / (1 + x * x),
    formula="arctan x",
    derivative="1/(1 + x²)",
)

# Hyperbolic functions

sinh = Operation("Sinh", of_library("sinh"), lambda g, x: g * cosh(x), formula="sinh x", derivative="cosh x")

cosh: Operation = Operation("Cosh", of_library("cosh"), lambda g, x: g * sinh(x), formula="cosh x", derivative="sinh x")

tanh = Operation(
    "Tanh",
    of_library("tanh"),
    lambda g, y: g * (1 - y * y),
    saves="output",
    formula="tanh x",
    derivative="1 − tanh² x",
)

asinh = Operation(
    "Asinh",
    of_library("asinh"),
    lambda g, x: g / sqrt(1 + x * x),
    formula="arsinh x",
    derivative="1/√(x² + 1)",
)

acosh = Operation(
    "Acosh",
    of_library("acosh"),
    lambda g, x: g / sqrt((x - 1) * (x + 1)),
    formula="arcosh x",
    derivative="1/√(x² − 1)",
    note="at 1: ∞; below 1 the value is NaN, the derivative 1/√(x² − 1), NaN between −1 and 1",
)

atanh = Operation(
    "Atanh",
    of_library("atanh"),
    lambda g, x: g / ((1 - x) * (1 + x)),
    formula="artanh x",
    derivative="1/(1 − x²)",
    note="at ±1: ∞; beyond the value is NaN, the derivative 1/(1 − x²)",
)

# Others

erf = Operation(
    "Erf",
    of_python(math.erf),
    lambda g, x: g * (2 / math.sqrt(math.pi) * exp(-(x * x))),
    opaque=True,
    formula="erf x",
    derivative="2/√π · e^(−x²)",
)

erfc = Operation(
    "Erfc",
    of_python(math.erfc),
    lambda g, x: g * (-2 / math.sqrt(math.pi) * exp(-(x * x))),
    opaque=True,
    formula="1 − erf x",
    derivative="−2/√π · e^(−x²)",
)


def _sinc(x: Array, order: int) -> Array:
    """The derivative of `order` of y(z) = sin z / z, at z = πx.

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
    """Σ (−1)ᵏ zᵐ / ((2k + 1) m!) with m = 2k − order ≥ 0, for |z| < order + 1, beyond the last digit."""
    first = (order + 1) // 2
    power = z if order % 2 else namespace(z).ones_like(z)
    result = 0.0 * power
    for k in range(first, first + 10 + 2 * order):
        m = 2 * k - order
        result = result + power * ((-1) ** k / (2 * k + 1))
        power = power * (z * z) * (1 / ((m + 1) * (m + 2)))
    return result


sinc: Operation = Operation(
    "Sinc",
    _sinc,
    lambda g, x, order: g * (math.pi * sinc(x, order + 1)),
    formula="sin πx / (πx)",
    derivative="(cos πx − sinc x)/x",
    note="at 0: value 1, derivatives 0, −π²/3, 0, π⁴/5, …",
)
