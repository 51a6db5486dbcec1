import math

import numpy as np
import pytest
import torch

import tinygrad_poly as tg

NAN, INF = math.nan, math.inf
POINTS = {
    "zeros": [0.0, 0.0],
    "a zero": [3.0, -4.0, 0.0],
    "ties": [3.0, -3.0, 1.0],
    "nan": [3.0, -3.0, NAN],
    "one": [-2.0],
}


@pytest.mark.parametrize("at", POINTS.values(), ids=POINTS)
@pytest.mark.parametrize("p", [0, 0.5, 1, 1.5, 2, "fro", 2.5, 3, 64, INF, -INF, -1])
def test_value_and_slope_at_special_points_are_torchs(p, at):
    found = []
    for m in (tg, torch):
        x = m.tensor(at, dtype=m.float64, requires_grad=True)
        with np.errstate(all="ignore"):
            y = m.norm(x, p)
            y.backward()
        # for p = 0 torch's gradient is None
        found.append([y.item(), *([0.0] * len(at) if x.grad is None else x.grad.tolist())])
    # The largest power here is the 63rd; torch divides by it, and here quotients are raised to it
    np.testing.assert_allclose(found[0], found[1], rtol=300 * 2.0**-53, atol=0, equal_nan=True)


@pytest.mark.parametrize("p", [1.5, 2, 3])
def test_second_slopes_at_zero_are_finite(p):
    x = tg.zeros(3, requires_grad=True)
    with np.errstate(all="raise"):
        (slope,) = tg.grad(x.norm(p), x, create_graph=True)
        (second,) = tg.grad(slope.sum(), x)
    assert slope.tolist() == [0.0, 0.0, 0.0]
    assert np.isfinite(second.numpy()).all()


def test_the_slope_of_a_large_number_does_not_overflow():
    x = tg.tensor([1e12, 1e12], requires_grad=True)
    (slope,) = tg.grad(x.norm(3), x)
    np.testing.assert_allclose(slope.numpy(), 2.0 ** (-2 / 3), rtol=30 * 2.0**-24)


@pytest.mark.parametrize("p", [0, 0.5, 1, 2, 3, INF, -1])
def test_float32_stays_float32(p):
    x = tg.tensor([1.0, -2.0], requires_grad=True)
    y = x.norm(p)
    (slope,) = tg.grad(y, x, create_graph=True)
    assert (y.dtype, slope.dtype) == (tg.float32, tg.float32)


def test_the_number_of_elements_has_slope_zero():
    x = tg.tensor([2.0, 0.0], requires_grad=True)
    y = x.norm(0)
    y.backward()
    assert (y.item(), x.grad.tolist()) == (1.0, [0.0, 0.0])
