"""Cases of `derivatives/elementwise.py`: how a user reaches each row, and on which shapes."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_poly.derivatives import elementwise

from ..checks import Bound, Case
from .common import ONE, TWO, positive

log, sqrt = np.log, np.sqrt


def _function(row: Any, name: str, calls: Any, roundings: Any, value: Any, slope: Any, curvature: Any) -> Case:
    bound = Bound(calls, roundings, value, (slope,), ((curvature,),))
    return Case(row, name, lambda m, x: getattr(m, name)(x), ONE, draw=positive, bound=bound)


CASES: list[Case] = [
    _function(elementwise.exp, "exp", (1, 1, 1), (0, 1, 3), np.exp, np.exp, np.exp),
    _function(elementwise.log, "log", (1, 0, 0), (0, 1, 3), lambda x: abs(log(x)), lambda x: 1 / x, lambda x: x**-2),
    _function(
        elementwise.sin,
        "sin",
        (1, 1, 1),
        (0, 1, 3),
        lambda x: abs(np.sin(x)),
        lambda x: abs(np.cos(x)),
        lambda x: abs(np.sin(x)),
    ),
    _function(
        elementwise.cos,
        "cos",
        (1, 1, 1),
        (0, 1, 3),
        lambda x: abs(np.cos(x)),
        lambda x: abs(np.sin(x)),
        lambda x: abs(np.cos(x)),
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
    _function(elementwise.sqrt, "sqrt", (0, 0, 0), (1, 2, 8), sqrt, lambda x: 0.5 / sqrt(x), lambda x: 0.25 * x**-1.5),
    Case(elementwise.where, "where(a > b, a, b)", lambda m, a, b: m.where(a > b, a, b), TWO),
    Case(elementwise.where, "where(a > 0, a, b * b)", lambda m, a, b: m.where(a > 0, a, b * b), TWO),
    Case(elementwise.where, "where(a > 0, 2, b) of equal shapes", lambda m, a, b: m.where(a > 0, b, 2 * a), TWO),
]
