"""Cases of `derivatives/losses.py`."""

from __future__ import annotations

import numpy as np

from tinygrad_poly.derivatives import losses
from tinygrad_poly.engine.apply import apply_operation

from ...helpers import halves
from ..checks import Bound, Case


def _quarters(rng, shape):
    return np.asarray(rng.integers(1, 4, shape) / 4)


def _log(x):
    return abs(np.log(x)) + abs(np.log1p(-x))


CASES: list[Case] = [
    Case(
        losses.binary_cross_entropy,
        "binary_cross_entropy",
        lambda m, a, b: apply_operation(losses.binary_cross_entropy, a, b),
        [((), ()), ((3,), (3,)), ((2, 3), (2, 3)), ((0,), (0,))],
        # torch's own second derivative has 10⁻¹² too much in a denominator
        torch_call=lambda m, a, b: -(b * m.log(a) + (1 - b) * m.log1p(-a)),
        draw=(_quarters, _quarters),
        # a and b are from ¼ to ¾: q = a (1 − a) is at least 3/16, and its derivative at most ½
        bound=Bound(
            (1, 1, 1),
            (4, 6, 12),
            lambda a, b: _log(a),
            (lambda a, b: (a + b) / (a * (1 - a)), lambda a, b: _log(a)),
            (
                (lambda a, b: (1 + (a + b) / (a * (1 - a))) / (a * (1 - a)), lambda a, b: 1 / (a * (1 - a))),
                (lambda a, b: 1 / a + 1 / (1 - a), lambda a, b: 0.0),
            ),
        ),
    ),
    Case(
        losses.binary_cross_entropy_with_logits,
        "binary_cross_entropy_with_logits",
        lambda m, a, b: apply_operation(losses.binary_cross_entropy_with_logits, a, b),
        [((), ()), ((3,), (3,)), ((2, 3), (2, 3)), ((0,), (0,))],
        torch_call=lambda m, a, b: m.nn.functional.softplus(a) - a * b,
        draw=(halves, _quarters),
        bound=Bound(
            (2, 1, 2),
            (5, 5, 8),
            lambda a, b: 1 + abs(a) + abs(a * b),
            (lambda a, b: 1 + b, lambda a, b: abs(a)),
            ((lambda a, b: 1.0, lambda a, b: 1.0), (lambda a, b: 1.0, lambda a, b: 0.0)),
        ),
    ),
]
