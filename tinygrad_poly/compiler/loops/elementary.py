"""Elementary functions for Numba's loops, of which the processor computes several elements at a time.

The C library, which Numba calls as it comes, computes one, and everything else in its loop is then done for one element
at a time, too. Here is nothing but arithmetic and choices between two numbers, written into the loop; so LLVM can
take as many elements together as it does for a sum.

e to the power of x is 2ᵏ eʳ with k = round(x / log 2) and r = x − k log 2, where |r| ≤ ½ log 2. The logarithm of
2ᵏ m with √½ ≤ m < √2 is k log 2 + log m. What is left is a Taylor series, and powers of 2, whose bits are integers.

Source: W. Cody and W. Waite, "Software Manual for the Elementary Functions" (1980); for log(m), from the odd powers of
(m − 1)/(m + 1), and for log1p's correction, the C library of FreeBSD, as its comments explain it.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np

UNITS = {"exp": 1.0, "expm1": 1.5, "log": 1.0, "log1p": 1.0, "tanh": 3.0}
"""By how many units in the last place each is off at most, in float32 and float64. Infinities, NaN and −0 are exact."""

SHORTEST = 32
"""The length of an innermost loop from which on they are used: LLVM writes out shorter ones, element by element."""

_LOG_2 = Fraction("0.693147180559945309417232121458176568075500134360255")
# A product may be rounded together with the sum that it is added to: with or without that the bounds hold.
_OPTIONS = {"fastmath": {"contract"}, "error_model": "numpy", "forceinline": True}


@cache
def function(name: str) -> Callable[[Any], Any]:
    """The function with this name, one of `UNITS`, for Numba; of other numbers than floats it is NumPy's."""
    extending: Any = importlib.import_module("numba.extending")
    library = getattr(np, name)

    def elementary(x: Any) -> Any:
        return library(x)

    @extending.overload(elementary, jit_options=_OPTIONS)  # type: ignore[untyped-decorator]
    def chosen(x: Any) -> Callable[[Any], Any]:
        return _functions(str(x))[name] if str(x) in ("float32", "float64") else elementary

    return elementary


@cache
def _functions(dtype: str) -> dict[str, Callable[[Any], Any]]:
    """The functions of numbers of a dtype, as Python that Numba can compile; constants are of this dtype, too."""
    numba: Any = importlib.import_module("numba")
    about = np.finfo(dtype)
    number, whole = about.dtype.type, np.dtype(f"int{about.bits}").type
    real, integer = getattr(numba, dtype), getattr(numba, f"int{about.bits}")
    bits, from_bits = _reinterpreted(real, integer), _reinterpreted(integer, real)
    zero, half, one, two, inf, nan = map(number, (0, 0.5, 1, 2, math.inf, math.nan))
    digits, tiny, normal = whole(about.nmant), number(about.eps / 4), number(about.smallest_normal)
    bits_of_one, bits_of_root = one.view(whole), number(math.sqrt(0.5)).view(whole)
    # A number k + magic has k in its last bits. The product of k and `high`, which ends in zeros, is not rounded.
    magic, per_log_2 = number(1.5 * 2.0**about.nmant), number(1 / math.log(2))
    bits_of_magic = magic.view(whole)
    high = number(math.floor(_LOG_2 * 2 ** (about.nmant + 1 - about.iexp)) / 2.0 ** (about.nmant + 1 - about.iexp))
    low = number(float(_LOG_2 - Fraction(float(high))))
    # Beyond these e to the power of x is infinite, or rounded to 0; or nothing beside 1, in its square or as it is.
    above = number((about.maxexp + 0.25) * math.log(2))
    below = number((about.minexp - about.nmant - 2) * math.log(2))
    far = number((about.nmant + 3) * math.log(2))
    # The smallest numbers have fewer digits: they are made larger by a power of two.
    enlarged, exponent = number(2.0 ** (about.nmant + 1)), number(about.nmant + 1)
    wide = about.bits == 64
    of_exp = _polynomial(real, [1 / math.factorial(k) for k in range(2, 14 if wide else 8)])
    of_log = _polynomial(real, [2 / k for k in range(3, 23 if wide else 11, 2)])
    inside = numba.njit(**_OPTIONS)

    @inside  # type: ignore[untyped-decorator]
    def power_of_2(k_and_magic: Any) -> Any:
        return from_bits((bits(k_and_magic) << digits) + bits_of_one)

    @inside  # type: ignore[untyped-decorator]
    def reduced(x: Any) -> Any:
        """The numbers k + magic and r, and what eʳ is more than 1 + r."""
        k_and_magic = x * per_log_2 + magic
        k = k_and_magic - magic
        rest = x - k * high
        r = rest - k * low
        return k_and_magic, r, r * r * of_exp(r) + ((rest - r) - k * low)

    def exp(x: Any) -> Any:
        x = above if x > above else x
        x = below if x < below else x
        k, r, more = reduced(x)
        # 2ᵏ itself may be no number where its product is one: it is two factors.
        part = (k - magic) * half + magic
        other = from_bits(((bits(k) - bits(part)) << digits) + bits_of_one)
        return (one + (r + more)) * power_of_2(part) * other

    def expm1(x: Any) -> Any:
        y = above if x > above else x
        y = -far if y < -far else y
        k, r, more = reduced(y)
        scale = power_of_2(k - one)
        y = ((scale - half) + scale * r) + scale * more
        return x if abs(x) < tiny else y + y

    def tanh(x: Any) -> Any:
        y = abs(x)
        y = far if y > far else y
        k, r, more = reduced(y + y)
        scale = power_of_2(k)
        y = ((scale - one) + scale * r) + scale * more
        return x if abs(x) < tiny else math.copysign(y / (y + two), x)

    @inside  # type: ignore[untyped-decorator]
    def log_and(x: Any, more: Any) -> Any:
        """The logarithm of x and a small number more."""
        small = x < normal
        y = x * enlarged if small else x
        shifted = (bits(y) - bits_of_root) >> digits
        f = from_bits(bits(y) - (shifted << digits)) - one
        k = from_bits(bits_of_magic + shifted) - magic
        k = k - exponent if small else k
        s, h = f / (two + f), half * f * f
        # log(1 + f) = f − h + s (h + R), where s (2 + f) = f and 2 artanh s = 2 s + s R.
        y = k * high + (f - (h - (s * (h + s * s * of_log(s * s)) + (k * low + more))))
        y = y if x < inf else x
        y = y if x > zero else nan
        return -inf if x == zero else y

    def log(x: Any) -> Any:
        return log_and(x, zero)

    def log1p(x: Any) -> Any:
        y = x + one
        lost = (x - (y - one) if y < two else one - (y - x)) / y
        y = log_and(y, lost if zero < y < inf else zero)
        return x if abs(x) < tiny else y

    return {f.__name__: f for f in (exp, expm1, log, log1p, tanh)}


def _reinterpreted(given: Any, made: Any) -> Any:
    """A function for Numba: the number of another type with the same bits."""
    extending: Any = importlib.import_module("numba.extending")

    @extending.intrinsic  # type: ignore[untyped-decorator]
    def same_bits(typing: Any, x: Any) -> Any:
        return made(given), lambda to, builder, _, values: builder.bitcast(values[0], to.get_value_type(made))

    return same_bits


def _polynomial(real: Any, coefficients: Sequence[float]) -> Any:
    """A function for Numba: the polynomial with these coefficients, the constant one first, by Horner's rule."""
    extending: Any = importlib.import_module("numba.extending")

    def written(to: Any, builder: Any, signature: Any, values: Any) -> Any:
        (x,), together = values, ("contract",)
        y, *others = (x.type(float(c)) for c in reversed(coefficients))
        for c in others:
            y = builder.fadd(builder.fmul(y, x, together), c, together)
        return y

    @extending.intrinsic  # type: ignore[untyped-decorator]
    def polynomial(typing: Any, x: Any) -> Any:
        return real(real), written

    return polynomial
