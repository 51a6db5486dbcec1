"""Cases of `derivatives/elementwise.py`: how a user reaches each row, and on which shapes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_poly.derivatives import elementwise
from tinygrad_poly.engine.apply import apply_operation

from ...helpers import halves, positive_halves
from ..checks import Bound, Case
from .common import ONE, TWO

exp, log, sqrt = np.exp, np.log, np.sqrt
LOG_2, LOG_10 = np.log(2), np.log(10)


def eighths(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """Multiples of ⅛ between −1 and 1: 1 − x, 1 + x and 1 − x² are exact."""
    return np.asarray(rng.integers(-7, 8, shape) / 8)


def above_one(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """Multiples of ½ in [1½, 4]."""
    return np.asarray(rng.integers(3, 9, shape) / 2)


def _function(
    row: Any,
    name: str,
    calls: Any,
    roundings: Any,
    value: Any,
    slope: Any,
    curvature: Any,
    draw: Any = positive_halves,
    torch_call: Any = None,
) -> Case:
    bound = Bound(calls, roundings, value, (slope,), ((curvature,),))
    call = lambda m, x: getattr(m, name)(x)  # noqa: E731 - one line each
    return Case(row, name, call, ONE, draw=(draw,), bound=bound, torch_call=torch_call)


def _exponentials() -> list[Case]:
    return [
        _function(elementwise.exp, "exp", (1, 1, 1), (0, 1, 3), exp, exp, exp, halves),
        _function(
            elementwise.exp2,
            "exp2",
            (1, 1, 1),
            (0, 3, 6),
            lambda x: 2**x,
            lambda x: 2**x * LOG_2,
            lambda x: 2**x * LOG_2**2,
            halves,
        ),
        # the slope is y + 1
        _function(
            elementwise.expm1,
            "expm1",
            (1, 1, 1),
            (0, 2, 4),
            lambda x: abs(np.expm1(x)),
            lambda x: abs(np.expm1(x)) + 1,
            lambda x: abs(np.expm1(x)) + 1,
            halves,
        ),
        _function(
            elementwise.log, "log", (1, 0, 0), (0, 1, 3), lambda x: abs(log(x)), lambda x: 1 / x, lambda x: x**-2
        ),
        *(
            _function(
                row,
                row.name.lower(),
                (1, 0, 0),
                (0, 3, 7),
                lambda x, base=base: abs(log(x) / base),
                lambda x, base=base: 1 / (x * base),
                lambda x, base=base: 1 / (x**2 * base),
            )
            for row, base in ((elementwise.log2, LOG_2), (elementwise.log10, LOG_10))
        ),
        _function(
            elementwise.log1p,
            "log1p",
            (1, 0, 0),
            (0, 2, 5),
            np.log1p,
            lambda x: 1 / (1 + x),
            lambda x: (1 + x) ** -2,
        ),
    ]


def _roots() -> list[Case]:
    return [
        _function(
            elementwise.sqrt, "sqrt", (0, 0, 0), (1, 2, 8), sqrt, lambda x: 0.5 / sqrt(x), lambda x: 0.25 * x**-1.5
        ),
        # y = 1/√x with two roundings; y³/2, and 3/4 y⁵ as a sum of three terms
        _function(
            elementwise.rsqrt,
            "rsqrt",
            (0, 0, 0),
            (2, 9, 20),
            lambda x: x**-0.5,
            lambda x: 0.5 * x**-1.5,
            lambda x: 0.75 * x**-2.5,
        ),
        # torch has no cube root; its power is one to an exponent that is rounded
        _function(
            elementwise.cbrt,
            "cbrt",
            (1, 2, 5),
            (2, 6, 12),
            np.cbrt,
            lambda x: np.cbrt(x) ** -2 / 3,
            lambda x: np.cbrt(x) ** -5 * 2 / 9,
            torch_call=lambda m, x: x ** (1 / 3),
        ),
    ]


def _angles() -> list[Case]:
    return [
        *(
            _function(
                getattr(elementwise, name),
                name,
                (1, 1, 1),
                (0, 1, 3),
                lambda x, f=f: abs(f(x)),
                lambda x, slope=slope: abs(slope(x)),
                lambda x, f=f: abs(f(x)),
                halves,
            )
            for name, f, slope in (
                ("sin", np.sin, np.cos),
                ("cos", np.cos, np.sin),
                ("sinh", np.sinh, np.cosh),
                ("cosh", np.cosh, np.sinh),
            )
        ),
        _function(
            elementwise.tan,
            "tan",
            (1, 2, 3),
            (0, 3, 7),
            lambda x: abs(np.tan(x)),
            lambda x: 1 + np.tan(x) ** 2,
            lambda x: 2 * abs(np.tan(x)) * (1 + np.tan(x) ** 2),
            halves,
        ),
        # 1 − tanh² loses digits near 1, which is why the majorant is 1 + tanh²
        _function(
            elementwise.tanh,
            "tanh",
            (1, 2, 3),
            (0, 3, 7),
            np.tanh,
            lambda x: 1 + np.tanh(x) ** 2,
            lambda x: 2 * np.tanh(x) * (1 + np.tanh(x) ** 2),
        ),
        # x/√(1 − x²)³, where x comes as the difference of (1 + x)/2 and (1 − x)/2
        *(
            _function(
                getattr(elementwise, name),
                name,
                (1, 0, 0),
                (0, 4, 12),
                lambda x, f=f: abs(f(x)),
                lambda x: (1 - x * x) ** -0.5,
                lambda x: (1 - x * x) ** -1.5,
                eighths,
            )
            for name, f in (("asin", np.arcsin), ("acos", np.arccos))
        ),
        _function(
            elementwise.atan,
            "atan",
            (1, 0, 0),
            (0, 3, 8),
            lambda x: abs(np.arctan(x)),
            lambda x: 1 / (1 + x * x),
            lambda x: 2 * abs(x) / (1 + x * x) ** 2,
            halves,
        ),
        _function(
            elementwise.asinh,
            "asinh",
            (1, 0, 0),
            (0, 4, 12),
            lambda x: abs(np.arcsinh(x)),
            lambda x: (1 + x * x) ** -0.5,
            lambda x: abs(x) * (1 + x * x) ** -1.5,
            halves,
        ),
        _function(
            elementwise.acosh,
            "acosh",
            (1, 0, 0),
            (0, 4, 12),
            np.arccosh,
            lambda x: (x * x - 1) ** -0.5,
            lambda x: x * (x * x - 1) ** -1.5,
            above_one,
        ),
        # 2x/(1 − x²)², where 2x comes as the difference of 1 + x and 1 − x
        _function(
            elementwise.atanh,
            "atanh",
            (1, 0, 0),
            (0, 3, 9),
            lambda x: abs(np.arctanh(x)),
            lambda x: 1 / (1 - x * x),
            lambda x: 2 / (1 - x * x) ** 2,
            eighths,
        ),
    ]


def _bell(x: Any) -> Any:
    return 2 / sqrt(np.pi) * exp(-x * x)


def _others() -> list[Case]:
    return [
        *(
            _function(
                getattr(elementwise, name),
                name,
                (1, 1, 1),
                (0, 3, 7),
                lambda x, f=f: np.vectorize(f, otypes=[float])(abs(x)) + (f is math.erfc) * (x < 0),
                _bell,
                lambda x: 2 * abs(x) * _bell(x),
                halves,
            )
            for name, f in (("erf", math.erf), ("erfc", math.erfc))
        ),
        # z = πx is rounded, which changes sin z by up to zu, and sin z / z by u: the majorants are those of
        # ∫ tⁿ cos(zt + nπ/2) dt from 0 to 1, which is sin z / z, differentiated n times
        _function(
            elementwise.sinc,
            "sinc",
            (1, 2, 3),
            (3, 8, 16),
            lambda x: 1.0 + 0 * x,
            lambda x: np.pi + 0 * x,
            lambda x: np.pi**2 + 0 * x,
        ),
    ]


CASES: list[Case] = [
    Case(
        elementwise.one_minus_square,
        "1 - x * x",
        lambda m, x: apply_operation(elementwise.one_minus_square, x),
        ONE,
        draw=(eighths,),
        torch_call=lambda m, x: 1 - x * x,
    ),
    Case(
        elementwise.square_minus_one,
        "x * x - 1",
        lambda m, x: apply_operation(elementwise.square_minus_one, x),
        ONE,
        draw=(eighths,),
        torch_call=lambda m, x: x * x - 1,
    ),
    *_exponentials(),
    *_roots(),
    *_angles(),
    *_others(),
    Case(elementwise.where, "where(a > b, a, b)", lambda m, a, b: m.where(a > b, a, b), TWO),
    Case(elementwise.where, "where(a > 0, a, b * b)", lambda m, a, b: m.where(a > 0, a, b * b), TWO),
    Case(elementwise.where, "where(a > 0, 2, b) of equal shapes", lambda m, a, b: m.where(a > 0, b, 2 * a), TWO),
    Case(elementwise.where, "a.where(a > b, b)", lambda m, a, b: a.where(a > b, b), TWO),
    Case(elementwise.where, "masked_fill(a, a > b, 3)", lambda m, a, b: (a * b).masked_fill(a > b, 3), TWO),
]
