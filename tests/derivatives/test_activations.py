import math

import numpy as np
import pytest
import torch

import tinygrad_poly as tg
from tinygrad_poly.derivatives import activations, losses
from tinygrad_poly.derivatives.elementwise import exp, where

from ..engine.test_operation import cases_of, is_caught
from ..helpers import DTYPES, UNIT_ROUNDOFF

each_dtype = pytest.mark.parametrize("dtype", DTYPES)


CALLS = {
    "relu": lambda f, x: f.relu(x),
    "leaky_relu": lambda f, x: f.leaky_relu(x, 0.25),
    "elu": lambda f, x: f.elu(x),
    "elu, alpha 1.5": lambda f, x: f.elu(x, 1.5),
    "celu": lambda f, x: f.celu(x),
    "celu, alpha 1.5": lambda f, x: f.celu(x, 1.5),
    "hardtanh": lambda f, x: f.hardtanh(x, -2.0, 19.0),
    "relu6": lambda f, x: f.relu6(x),
    "hardswish": lambda f, x: f.hardswish(x),
    "threshold": lambda f, x: f.threshold(x, -0.0, 3.0),
    "hardshrink": lambda f, x: f.hardshrink(x, 19.0),
    "softshrink": lambda f, x: f.softshrink(x, 19.0),
    "tanhshrink": lambda f, x: f.tanhshrink(x),
    "softsign": lambda f, x: f.softsign(x),
    "sigmoid": lambda f, x: f.sigmoid(x),
    "softplus": lambda f, x: f.softplus(x),
    "softplus, beta 2": lambda f, x: f.softplus(x, 2.0),
    "silu": lambda f, x: f.silu(x),
    "gelu": lambda f, x: f.gelu(x),
    "gelu, tanh": lambda f, x: f.gelu(x, approximate="tanh"),
}
each_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
FAR = [0.0, -0.0, 19.0, 21.0, -19.0, 100.0, -100.0, 1e4, -1e4]


def derivatives(m, call, dtype, at):
    """Value, slope and curvature."""
    x = m.tensor(at, dtype=getattr(m, dtype), requires_grad=True)
    y = call(m if m is tg else torch.nn.functional, x)
    weights = m.tensor([float(i % 5 + 1) for i in range(len(at))], dtype=getattr(m, dtype), requires_grad=True)
    (slope,) = m.autograd.grad(y, x, weights, create_graph=True)
    (curvature,) = m.autograd.grad(slope.sum(), x, allow_unused=True)
    # None where the slope is that of straight lines
    curvature = m.zeros(len(at)) if curvature is None else curvature
    return [np.asarray(part.detach().tolist()) for part in (y, slope, curvature)]


@each_dtype
@each_call
def test_value_slope_and_curvature_at_zero_and_far_away_are_torchs_and_warn_of_nothing(call, dtype):
    with np.errstate(all="raise", under="ignore"):
        mine = derivatives(tg, call, dtype, FAR)
    # torch in float64 stands for the truth; the smallest differences are those to a slope near 1
    for part, reference in zip(mine, derivatives(torch, call, "float64", FAR), strict=True):
        np.testing.assert_allclose(part, reference, rtol=60 * UNIT_ROUNDOFF[dtype], atol=60 * UNIT_ROUNDOFF[dtype])


@each_dtype
@each_call
def test_value_and_slope_at_infinity_and_nan_are_torchs(call, dtype):
    at = [math.inf, -math.inf, math.nan]
    with np.errstate(all="ignore"):
        mine = derivatives(tg, call, dtype, at)[:2]
    # torch's float32 gelu of ∞ is NaN, its float64 one ∞
    np.testing.assert_array_equal(mine, derivatives(torch, call, "float64", at)[:2])


def test_the_tail_of_gelu_keeps_its_digits():
    # x Φ(x) at −10 is −7.619853024160527e−23: torch gives 0, of 1 + erf
    x = tg.tensor(-10.0, dtype=tg.float64)
    assert tg.gelu(x).item() == pytest.approx(-7.619853024160527e-23, rel=1e-13)


@each_dtype
def test_a_sigmoid_keeps_its_digits_on_both_sides(dtype):
    y = tg.sigmoid(tg.tensor([-50.0, 50.0], dtype=getattr(tg, dtype)))
    np.testing.assert_allclose(y.tolist(), [math.exp(-50), 1.0], rtol=10 * UNIT_ROUNDOFF[dtype])


WRONG_RULES = {
    "hardtanh: slope 1 at its ends": (activations.hardtanh, 0, lambda g, x, a, b: where((x < a) | (x > b), 0.0, g)),
    "threshold: slope 1 at its end": (activations.threshold, 0, lambda g, x, a, b, c: where((x > a) & (x < b), 0.0, g)),
    "hardswish: half a slope": (
        activations.hardswish,
        0,
        lambda g, x: where(x < 3, g * (x / 3), g),
    ),
    "elu: rate forgotten": (
        activations.elu,
        0,
        lambda g, x, alpha, rate: where(x <= 0, g * (alpha * exp(where(x < 0, x * rate, 0.0))), g),
    ),
    "prelu: slope of the other side": (activations.prelu, 0, lambda g, x, w: where(x > 0, g * w, g)),
    "prelu: weight of positive numbers": (activations.prelu, 1, lambda g, x, w: g * x),
    "cross entropy: not divided": (losses.binary_cross_entropy, 0, lambda g, x, t: g * (x - t)),
    "cross entropy: sign of the target's": (losses.binary_cross_entropy, 1, lambda g, x, t: g * (x - t)),
}


@pytest.mark.parametrize(("row", "i", "rule"), WRONG_RULES.values(), ids=WRONG_RULES)
def test_a_wrong_rule_is_noticed(monkeypatch, row, i, rule):
    rules = list(row.rules)
    rules[i] = rule
    monkeypatch.setattr(row, "rules", tuple(rules))
    assert is_caught(cases_of(row))
