import math

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

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


@settings(max_examples=60, deadline=None)
@example(at=[0, 1], scale=-512, name="norm 3")
@example(at=[0, 1], scale=-512, name="norm -1")
@given(
    at=st.lists(st.integers(-9, 9), min_size=2, max_size=5),
    scale=st.integers(-1000, 1000),
    name=st.sampled_from(["norm 2", "norm 3", "norm 1.5", "norm -1", "norm inf", "std"]),
)
def test_a_size_times_a_power_of_two_is_the_size_of_what_was_multiplied(at, scale, name):
    # all numbers stay normal, and so does every quotient: not a bit changes
    def value_and_slope(numbers):
        x = tg.tensor(np.asarray(numbers, dtype=np.float64), requires_grad=True)
        y = x.std() if name == "std" else x.norm(float(name.removeprefix("norm ")))
        y.backward()
        return y.item(), x.grad.tolist()

    with np.errstate(all="raise", under="ignore", divide="ignore"):
        value, slope = value_and_slope(at)
        scaled, scaled_slope = value_and_slope(np.ldexp(at, scale))
    assert (scaled, scaled_slope) == (np.ldexp(value, scale), slope)


@pytest.mark.parametrize("at", [[3e-170, 4e-170], [3e200, 4e200], [3e-310, 4e-310], [1e308, 0.0]])
def test_a_length_neither_overflows_nor_underflows(at):
    x = tg.tensor(at, dtype=tg.float64, requires_grad=True)
    for length in (x.norm(), tg.linalg.vector_norm(x), tg.linalg.norm(x), tg.hypot(x[0], x[1])):
        assert length.item() == pytest.approx(math.hypot(*at), rel=4 * 2.0**-53)
        (slope,) = tg.grad(length, x)
        np.testing.assert_allclose(slope.tolist(), np.asarray(at) / math.hypot(*at), rtol=8 * 2.0**-53)
