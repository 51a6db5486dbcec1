"""Cases of `derivatives/activations.py`: how a user reaches each row, and on which shapes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from tinygrad_poly.derivatives import activations

from ...helpers import halves
from ..checks import Bound, Case
from .common import ONE


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def _case(row: Any, name: str, bound: Bound | None, **options: Any) -> Case:
    label = name + "".join(f", {option}={value}" for option, value in options.items())
    return Case(
        row,
        label,
        lambda m, x: getattr(m, name)(x, **options),
        ONE,
        torch_call=lambda m, x: getattr(torch.nn.functional, name)(x, **options),
        draw=(halves,),
        bound=bound,
    )


def _bound(calls: Any, roundings: Any, value: Any, slope: Any, curvature: Any) -> Bound:
    return Bound(calls, roundings, value, (slope,), ((curvature,),))


# 2u and its derivative for x σ(2u), the approximation of gelu
_ROOT = 2 * np.sqrt(2 / np.pi)


def _steepness(x: Any) -> Any:
    return _ROOT * (1 + 3 * 0.044715 * x * x)


CASES: list[Case] = [
    _case(activations.relu, "relu", None),
    _case(activations.leaky_relu, "leaky_relu", None, negative_slope=0.25),
    # σ (1 − σ), where 1 − σ is as exact as 1 is
    _case(
        activations.sigmoid,
        "sigmoid",
        _bound((1, 2, 3), (3, 6, 12), _sigmoid, _sigmoid, lambda x: 2 * _sigmoid(x)),
    ),
    # 2x > 2.75 where x ≥ 1½
    _case(
        activations.softplus,
        "softplus",
        _bound((2, 1, 2), (3, 5, 10), lambda x: abs(x) + 1, lambda x: 1 + 0 * x, lambda x: 2 + 0 * x),
        beta=2,
        threshold=2.75,
    ),
    _case(
        activations.softplus,
        "softplus",
        _bound((2, 1, 2), (3, 5, 10), lambda x: abs(x) + 1, lambda x: 1 + 0 * x, lambda x: 1 + 0 * x),
    ),
    _case(
        activations.elu,
        "elu",
        _bound(
            (1, 1, 1),
            (1, 2, 4),
            lambda x: np.where(x > 0, x, 1.5 * abs(np.expm1(x))),
            lambda x: np.where(x > 0, 1, 1.5 * np.exp(x)),
            lambda x: np.where(x < 0, 1.5 * np.exp(x), 0),
        ),
        alpha=1.5,
    ),
    # s (1 + x (1 − s)), and s (1 − s) (2 + x (1 − 2s)), with all of s and 1 − s below 1
    _case(
        activations.silu,
        "silu",
        _bound((1, 3, 5), (4, 10, 20), abs, lambda x: 1 + abs(x), lambda x: 2 + 2 * abs(x)),
    ),
    # Φ + xφ, and φ (2 − x²), with Φ < 1 and φ < ½
    _case(
        activations.gelu,
        "gelu",
        _bound((1, 1, 2), (4, 8, 16), abs, lambda x: 1 + abs(x), lambda x: 2 + x * x),
    ),
    # s + x s (1 − s) w, and s (1 − s) (2w + x w' + x w² (1 − 2s)), with w = 2u'
    _case(
        activations.gelu_tanh,
        "gelu",
        _bound(
            (1, 3, 5),
            (8, 20, 40),
            abs,
            lambda x: 1 + abs(x) * _steepness(x),
            lambda x: 2 * _steepness(x) + 0.3 * _ROOT * x * x + abs(x) * _steepness(x) ** 2,
        ),
        approximate="tanh",
    ),
    _case(activations.hardtanh, "hardtanh", None),
    _case(activations.hardtanh, "hardtanh", None, min_val=-0.5, max_val=1.5),
    _case(activations.threshold, "threshold", None, threshold=0.5, value=-3.0),
    _case(activations.threshold, "hardshrink", None, lambd=1.0),
    _case(
        activations.hardswish,
        "hardswish",
        _bound((0, 0, 0), (3, 3, 3), lambda x: abs(x) + 1, lambda x: 1 + abs(x), lambda x: 1 + 0 * x),
    ),
    Case(
        activations.prelu,
        "prelu",
        lambda m, x, w: m.prelu(x, w),
        [((), ()), ((3,), (1,)), ((2, 3), (3,)), ((2, 3, 2), (3,)), ((2, 3), ()), ((0, 3), (3,))],
        draw=(lambda rng, shape: halves(rng, shape) + 0.25, halves),
    ),
    _case(
        activations.elu,
        "celu",
        _bound(
            (1, 1, 1),
            (2, 3, 5),
            lambda x: np.where(x > 0, x, 1.5 * abs(np.expm1(x / 1.5))),
            lambda x: np.where(x > 0, 1, (1 + abs(x)) * np.exp(x / 1.5)),
            lambda x: (1 + abs(x)) * np.exp(x / 1.5),
        ),
        alpha=1.5,
    ),
]
