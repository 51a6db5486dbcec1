"""Cases of `derivatives/arithmetic.py`: how a user reaches each row, and on which shapes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from tinygrad_poly.derivatives import arithmetic
from tinygrad_poly.engine.apply import apply_operation

from ...helpers import halves, positive_halves, powers_of_two
from ..checks import Bound, Case
from .common import ONE, TWO, positive, zero

log, sqrt = np.log, np.sqrt
THREE: list[Any] = [
    ((), (), ()),
    ((3,), (3,), (3,)),
    ((3, 1), (1, 4), (4,)),
    ((), (2, 3), ()),
    ((2, 3), (), (1, 3)),
    ((1,), (), (2, 1)),
    ((0,), (1,), ()),
]

CASES: list[Case] = [
    Case(arithmetic.add, "a + b", lambda m, a, b: a + b, TWO),
    Case(arithmetic.add, "a + 3", lambda m, a: a + 3, ONE),
    Case(arithmetic.add, "0.5 + a", lambda m, a: 0.5 + a, ONE),
    Case(arithmetic.add, "add(a, b, alpha=2)", lambda m, a, b: m.add(a, b, alpha=2), TWO),
    Case(arithmetic.subtract, "a - b", lambda m, a, b: a - b, TWO),
    Case(arithmetic.subtract, "a - 0.5", lambda m, a: a - 0.5, ONE),
    Case(arithmetic.subtract, "3 - a", lambda m, a: 3 - a, ONE),
    Case(arithmetic.subtract, "sub(a, b, alpha=2)", lambda m, a, b: m.sub(a, b, alpha=2), TWO),
    Case(arithmetic.multiply, "a * b", lambda m, a, b: a * b, TWO),
    Case(arithmetic.multiply, "1.5 * a", lambda m, a: 1.5 * a, ONE),
    Case(arithmetic.multiply, "a * a", lambda m, a: a * a, ONE),
    Case(arithmetic.divide, "a / b", lambda m, a, b: a / b, TWO, draw=(powers_of_two, powers_of_two)),
    Case(arithmetic.divide, "a / 4", lambda m, a: a / 4, ONE),
    Case(arithmetic.divide, "3 / a", lambda m, a: 3 / a, ONE, draw=(powers_of_two,)),
    Case(
        arithmetic.divide,
        "a / b, rounded",
        lambda m, a, b: a / b,
        TWO,
        draw=(positive_halves, positive_halves),
        # a/b²: the quotient, times g, divided again; 2a/b³ comes as up to four such terms
        bound=Bound(
            (0, 0, 0),
            (1, 3, 8),
            lambda a, b: a / b,
            (lambda a, b: 1 / b, lambda a, b: a / b**2),
            ((zero, lambda a, b: 1 / b**2), (lambda a, b: 1 / b**2, lambda a, b: 4 * a / b**3)),
        ),
    ),
    Case(arithmetic.negative, "-a", lambda m, a: -a, ONE),
    Case(arithmetic.reciprocal, "reciprocal", lambda m, a: m.reciprocal(a), ONE, draw=(powers_of_two,)),
    Case(arithmetic.power_scalar, "a ** 0 * a", lambda m, a: a**0 * a, ONE),
    *(
        Case(
            arithmetic.power_scalar,
            f"a ** {n}",
            lambda m, a, n=n: a**n,
            ONE,
            # torch's pow is not exact for every n, its products are
            torch_call=lambda m, a, n=n: torch.stack([a] * int(n)).prod(0),
        )
        for n in (1, 2, 3, 4, 5, 6, 2.0)
    ),
    *(
        Case(
            arithmetic.power_scalar,
            f"a ** {n}",
            lambda m, a, n=n: a**n,
            ONE,
            draw=positive,
            bound=Bound(
                (1, 1, 1),
                (0, 2, 4),
                lambda a, n=n: a**n,
                (lambda a, n=n: abs(n) * a ** (n - 1),),
                ((lambda a, n=n: abs(n * (n - 1)) * a ** (n - 2),),),
            ),
        )
        for n in (0.5, -1, -1.5, 2.5)
    ),
    Case(
        arithmetic.power,
        "a ** b",
        lambda m, a, b: a**b,
        TWO,
        # At b = 0 torch gives 0 for the mixed derivative, which is 1/a.
        draw=(
            positive_halves,
            lambda rng, shape: np.asarray(rng.choice([-4, -3, -2, -1, 1, 2, 3, 4, 5, 6], shape) / 2),
        ),
        bound=Bound(
            (1, 2, 3),
            (0, 3, 8),
            lambda a, b: a**b,
            (lambda a, b: abs(b) * a ** (b - 1), lambda a, b: a**b * abs(log(a))),
            (
                (lambda a, b: abs(b * (b - 1)) * a ** (b - 2), lambda a, b: a ** (b - 1) * (1 + abs(b * log(a)))),
                (lambda a, b: a ** (b - 1) * (1 + abs(b * log(a))), lambda a, b: a**b * log(a) ** 2),
            ),
        ),
    ),
    Case(
        arithmetic.power_log,
        "a ** b log a",
        lambda m, a, b: apply_operation(arithmetic.power_log, a, b, 1),
        TWO,
        torch_call=lambda m, a, b: a**b * m.log(a),
        draw=(positive_halves, lambda rng, shape: np.asarray(rng.choice([-2, -1.5, -0.5, 0.5, 1.5, 2.5], shape))),
        bound=Bound(
            (2, 4, 6),
            (1, 5, 12),
            lambda a, b: a**b * abs(log(a)),
            (lambda a, b: a ** (b - 1) * (1 + abs(b * log(a))), lambda a, b: a**b * log(a) ** 2),
            (
                (
                    lambda a, b: a ** (b - 2) * (abs(b * (b - 1) * log(a)) + abs(b) + abs(b - 1)),
                    lambda a, b: a ** (b - 1) * (2 * abs(log(a)) + abs(b) * log(a) ** 2),
                ),
                (
                    lambda a, b: a ** (b - 1) * (2 * abs(log(a)) + abs(b) * log(a) ** 2),
                    lambda a, b: a**b * abs(log(a)) ** 3,
                ),
            ),
        ),
    ),
    Case(
        arithmetic.power,
        "2 ** b",
        lambda m, b: 2**b,
        ONE,
        bound=Bound(
            (1, 2, 3),
            (0, 3, 8),
            lambda b: 2.0**b,
            (lambda b: 2**b * log(2),),
            ((lambda b: 2**b * log(2) ** 2,),),
        ),
    ),
    Case(
        arithmetic.floor_divide,
        "(a // b) * a * b",
        lambda m, a, b: (a // b) * a * b,
        TWO,
        draw=(halves, powers_of_two),
        torch_call=lambda m, a, b: m.div(a, b, rounding_mode="floor") * a * b,
    ),
    Case(
        arithmetic.trunc_divide,
        "div(a, b * b + 1, 'trunc') * a * b",
        lambda m, a, b: m.div(a, b * b + 1, rounding_mode="trunc") * a * b,
        TWO,
    ),
    Case(arithmetic.remainder, "a % b", lambda m, a, b: a % b, TWO, draw=(halves, powers_of_two)),
    Case(arithmetic.remainder, "a % 1.5", lambda m, a: a % 1.5, ONE),
    Case(
        arithmetic.remainder,
        "3 % a",
        lambda m, a: 3 % a,
        ONE,
        draw=(powers_of_two,),
        # of the number 3 over a tensor torch has no derivative
        torch_call=lambda m, a: m.remainder(m.full_like(a, 3), a),
    ),
    Case(arithmetic.fmod, "fmod(a, b)", lambda m, a, b: m.fmod(a, b), TWO, draw=(halves, powers_of_two)),
    Case(arithmetic.fmod, "fmod(a, 1.5)", lambda m, a: m.fmod(a, 1.5), ONE),
    Case(
        arithmetic.hypot,
        "hypot(a, b)",
        lambda m, a, b: m.hypot(a, b),
        TWO,
        draw=(halves, powers_of_two),
        # the derivatives of a/y are 1/y − a²/y³ and −ab/y³, with |a| ≤ y and |b| ≤ y
        bound=Bound(
            (1, 1, 3),
            (0, 2, 8),
            np.hypot,
            (lambda a, b: abs(a) / np.hypot(a, b), lambda a, b: abs(b) / np.hypot(a, b)),
            ((lambda a, b: 2 / np.hypot(a, b),) * 2,) * 2,
        ),
    ),
    Case(
        arithmetic.atan2,
        "atan2(a, b)",
        lambda m, a, b: m.atan2(a, b),
        TWO,
        draw=(halves, powers_of_two),
        # b/y/y with y = √(a² + b²), differentiated: 1/y², and 2b/y³ times the slope of y, each less than 2/y²
        bound=Bound(
            (1, 2, 4),
            (0, 3, 10),
            lambda a, b: abs(np.arctan2(a, b)),
            (lambda a, b: abs(b) / np.hypot(a, b) ** 2, lambda a, b: abs(a) / np.hypot(a, b) ** 2),
            ((lambda a, b: 3 / np.hypot(a, b) ** 2,) * 2,) * 2,
        ),
    ),
    Case(
        arithmetic.logaddexp,
        "logaddexp(a, b)",
        lambda m, a, b: m.logaddexp(a, b),
        TWO,
        # max(a, b) + log1p(…); the slopes are σ(a − b) and σ(b − a), their slopes σ (1 − σ) with σ < 1
        bound=Bound(
            (2, 1, 2),
            (2, 4, 10),
            lambda a, b: abs(a) + abs(b) + 1,
            (lambda a, b: 1 / (1 + np.exp(b - a)), lambda a, b: 1 / (1 + np.exp(a - b))),
            ((lambda a, b: 1 + 0 * (a + b),) * 2,) * 2,
        ),
    ),
    Case(
        arithmetic.xlogy,
        "xlogy(a, b)",
        lambda m, a, b: m.xlogy(a, b),
        TWO,
        draw=(halves, positive_halves),
        bound=Bound(
            (1, 1, 1),
            (1, 2, 5),
            lambda a, b: abs(a * log(b)),
            (lambda a, b: abs(log(b)) + 0 * a, lambda a, b: abs(a / b)),
            ((zero, lambda a, b: 1 / b), (lambda a, b: 1 / b, lambda a, b: abs(a) / b**2)),
        ),
    ),
    Case(arithmetic.lerp, "lerp(a, b, w)", lambda m, a, b, w: m.lerp(a, b, w), THREE),
    *(
        Case(arithmetic.lerp, f"lerp(a, b, {w})", lambda m, a, b, w=w: m.lerp(a, b, w), TWO)
        for w in (0.25, 0.5, 1.0, 3.0)
    ),
]
