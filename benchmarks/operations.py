"""Operations: the cost of one call and its backward pass, written as users of either library write it.

`OPERATIONS` names the operation and writes it once, for torch and for this engine; where HIPS autograd has
it under NumPy's name, that name follows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Case:
    """An operation on vectors x and y of positive numbers between 0.5 and 1.5."""

    name: str
    call: Callable[[Any, Any, Any], Any]
    """From the library, x and y to the result."""
    numpy: Callable[[Any, Any, Any], Any] | None = None
    """The same in NumPy's names, where they differ from torch's."""


def _named(*names: str, numpy: dict[str, str] | None = None) -> list[Case]:
    """Cases for functions of one tensor that have the same name in both libraries."""
    renamed = numpy or {}

    def case(name: str) -> Case:
        numpy_name = renamed.get(name, name)
        # HIPS autograd knows that steps are flat, and refuses to differentiate them.
        has = hasattr(np, numpy_name) and name not in ("floor", "sign")
        return Case(
            name,
            lambda m, x, y: getattr(m, name)(x),
            (lambda m, x, y: getattr(m, numpy_name)(x)) if has else None,
        )

    return [case(name) for name in names]


def _same(name: str, call: Callable[[Any, Any, Any], Any]) -> Case:
    """A case for an operation that is written alike in all libraries."""
    return Case(name, call, call)


OPERATIONS = [
    _same("x + y", lambda m, x, y: x + y),
    _same("x - y", lambda m, x, y: x - y),
    _same("x * y", lambda m, x, y: x * y),
    _same("x / y", lambda m, x, y: x / y),
    _same("x ** 2", lambda m, x, y: x**2),
    _same("x ** 3", lambda m, x, y: x**3),
    _same("x ** 0.5", lambda m, x, y: x**0.5),
    _same("x ** y", lambda m, x, y: x**y),
    _same("2 * x", lambda m, x, y: 2.0 * x),
    _same("-x", lambda m, x, y: -x),
    *_named("exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sqrt", "square", "abs", "reciprocal", "sinc"),
    *_named("sin", "cos", "tan", "sinh", "cosh", "tanh"),
    *_named("atan", "asinh", numpy={"atan": "arctan", "asinh": "arcsinh"}),
    Case("asin(x / 2)", lambda m, x, y: m.asin(x / 2), lambda m, x, y: m.arcsin(x / 2)),
    Case("acos(x / 2)", lambda m, x, y: m.acos(x / 2), lambda m, x, y: m.arccos(x / 2)),
    *_named("sigmoid", "relu", "rsqrt", "erf", "floor", "sign"),
    Case("clamp", lambda m, x, y: m.clamp(x, 0.7, 1.2), lambda m, x, y: m.clip(x, 0.7, 1.2)),
    _same("maximum", lambda m, x, y: m.maximum(x, y)),
    _same("where", lambda m, x, y: m.where(x > 1.0, x, y)),
    Case("hypot", lambda m, x, y: m.hypot(x, y)),
    Case("atan2", lambda m, x, y: m.atan2(x, y), lambda m, x, y: m.arctan2(x, y)),
    Case("logaddexp", lambda m, x, y: m.logaddexp(x, y), lambda m, x, y: m.logaddexp(x, y)),
    Case("lerp", lambda m, x, y: m.lerp(x, y, 0.3)),
    *_named("sum", "mean", "prod", "var", "std", "amax", "amin"),
    Case("norm", lambda m, x, y: m.norm(x), lambda m, x, y: m.linalg.norm(x)),
    Case("logsumexp", lambda m, x, y: m.logsumexp(x, 0)),
    Case("softmax", lambda m, x, y: m.softmax(x, 0)),
    Case("log_softmax", lambda m, x, y: m.log_softmax(x, 0)),
    Case("cumsum", lambda m, x, y: m.cumsum(x, 0), lambda m, x, y: m.cumsum(x)),
    Case("sort", lambda m, x, y: m.sort(x)[0], lambda m, x, y: m.sort(x)),
    _same("reshape", lambda m, x, y: m.reshape(x, (-1, 2))),
    Case("flip", lambda m, x, y: m.flip(x, (0,)), lambda m, x, y: m.flipud(x)),
    Case("roll", lambda m, x, y: m.roll(x, 1), lambda m, x, y: m.roll(x, 1)),
    Case("cat", lambda m, x, y: m.cat([x, y]), lambda m, x, y: m.concatenate([x, y])),
    Case("stack", lambda m, x, y: m.stack([x, y]), lambda m, x, y: m.stack([x, y])),
    _same("x[1:]", lambda m, x, y: x[1:]),
    _same("x[0]", lambda m, x, y: x[0]),
    _same("x @ y", lambda m, x, y: m.matmul(x, y)),
    Case("einsum", lambda m, x, y: m.einsum("i,i->", x, y)),
    Case("mse_loss", lambda m, x, y: m.nn.functional.mse_loss(x, y)),
]
