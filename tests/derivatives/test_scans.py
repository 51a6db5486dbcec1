import math

import numpy as np
import pytest
import torch

import tinygrad_poly as tg
from tinygrad_poly.derivatives import scans

ZEROS = {
    "no zero": [2.0, -3.0, 4.0],
    "one zero": [2.0, 0.0, 4.0],
    "two zeros": [0.0, 3.0, 0.0],
    "zero first": [0.0, 3.0, -2.0],
    "zero last": [2.0, 3.0, 0.0],
    "only zeros": [0.0, 0.0, 0.0],
}


def jacobian_rows(m, y, x, **keywords):
    return [m.grad(y[i], x, **keywords)[0] for i in range(y.shape[0])]


@pytest.mark.parametrize("at", ZEROS.values(), ids=ZEROS)
def test_the_slope_of_a_product_is_the_product_of_the_others(at):
    x = tg.tensor(at, dtype=tg.float64, requires_grad=True)
    (slope,) = tg.grad(x.prod(), x, create_graph=True)
    assert slope.tolist() == [at[1] * at[2], at[0] * at[2], at[0] * at[1]]
    hessian = [row.tolist() for row in jacobian_rows(tg, slope, x, create_graph=True)]
    assert hessian == [[0.0, at[2], at[1]], [at[2], 0.0, at[0]], [at[1], at[0], 0.0]]
    third = tg.grad(tg.grad(slope[0], x, create_graph=True)[0][1], x)[0]
    assert third.tolist() == [0.0, 0.0, 1.0]


@pytest.mark.parametrize("at", ZEROS.values(), ids=ZEROS)
def test_the_slope_of_running_products_beside_zeros_is_right(at):
    a, b, c = at
    x = tg.tensor(at, dtype=tg.float64, requires_grad=True)
    rows = [row.tolist() for row in jacobian_rows(tg, x.cumprod(0), x, retain_graph=True)]
    assert rows == [[1.0, 0.0, 0.0], [b, a, 0.0], [b * c, a * c, a * b]]


def test_a_product_over_several_dimensions_beside_zeros_is_right():
    at = np.arange(12.0).reshape(2, 3, 2) - 4
    at[1, 0, 0] = 0.0
    x = tg.tensor(at, requires_grad=True)
    x.prod((0, 2)).backward(tg.tensor([1.0, 2.0, 3.0], dtype=tg.float64))
    for index in np.ndindex(at.shape):
        others = at.copy()
        others[index] = 1.0
        assert x.grad[index].item() == (index[1] + 1) * others[:, index[1], :].prod()


def test_the_slope_of_a_product_that_overflows_is_right_where_it_does_not():
    x = tg.tensor([1e200, 1e200, 1e-300], dtype=tg.float64, requires_grad=True)
    with np.errstate(over="ignore"):
        (slope,) = tg.grad(x.prod(), x)
    np.testing.assert_allclose(slope[:2].numpy(), [1e-100, 1e-100], rtol=4 * 2.0**-53)


@pytest.mark.parametrize("name", ["cumsum", "cumprod"])
def test_infinity_and_nan_run_through_as_in_torch(name):
    at = [1.0, math.inf, 2.0, math.nan, 3.0]
    slopes = []
    for m in (tg, torch):
        x = m.tensor(at, requires_grad=True)
        y = getattr(x, name)(0)
        y.backward(m.ones_like(y))
        slopes.append((y.tolist(), x.grad.tolist()))
    np.testing.assert_array_equal(slopes[0][0], slopes[1][0])
    assert math.isnan(slopes[0][1][0]) == math.isnan(slopes[1][1][0])


def test_a_long_running_product_has_the_slope_of_a_power():
    x = tg.full((300,), 1.0, dtype=tg.float64).requires_grad_()
    x.cumprod(0).sum().backward()
    assert x.grad.tolist() == list(range(300, 0, -1))


def test_a_shift_of_nothing_is_nothing():
    assert scans.shift(np.zeros((2, 0)), 1, False, 1.0).shape == (2, 0)


def test_running_products_agree_with_torchs_in_float32():
    assert tg.ones(3).cumprod(0).dtype == tg.float32
    assert torch.ones(3).cumprod(0).dtype == torch.float32


# Long rows, computed by pairs


def powers_and_zeros(n, zeros):
    rng = np.random.default_rng(n)
    at = 2.0 ** rng.choice([-1, 0, 0, 0, 0, 0, 0, 0, 1], n)
    at[rng.choice(n, zeros, replace=False)] = 0.0
    return at


@pytest.mark.parametrize("zeros", [0, 1, 2])
@pytest.mark.parametrize("n", [8192, 8193, 24571])
def test_slopes_of_long_products_are_exact_beside_zeros_too(n, zeros):
    at = powers_and_zeros(n, zeros)
    x = tg.tensor(np.stack([at, at[::-1]], axis=1), requires_grad=True)
    x.prod(0).sum().backward()
    rest = math.prod(at[at != 0])
    others = [0.0 if zeros - (v == 0) else rest / (v or 1.0) for v in at]
    np.testing.assert_array_equal(x.grad[:, 0].numpy(), others)
    np.testing.assert_array_equal(x.grad[:, 1].numpy(), others[::-1])
    assert x.prod((0, 1), True).shape == (1, 1)
    assert x.prod(0)[0].item() == math.prod(at)


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("n", [128, 129, 2001])
def test_a_long_recurrence_is_computed_as_a_short_one_is(monkeypatch, n, backwards):
    rng = np.random.default_rng(n)
    b, a = rng.integers(-2, 3, (2, n, 2)).astype(float), rng.choice([-1.0, 0.0, 1.0], (2, n, 2))
    fast = scans.recurrence(b, a, 1, backwards)
    monkeypatch.setattr(scans, "LONG", 10**9)
    np.testing.assert_array_equal(fast, scans.recurrence(b, a, 1, backwards))


def test_a_recurrence_whose_links_overflow_together_is_right():
    links = np.r_[np.full(100, 1e200), 0.0, np.full(100, 1e-200)]
    starts = np.where(np.arange(201) < 101, 0.0, 1.0)
    assert np.isfinite(scans.recurrence(starts, links, 0, False)).all()


def test_second_derivatives_of_a_long_product_are_those_of_short_ones():
    # d²(x₁ ⋯ xₙ)/dxᵢdxⱼ is the product of the other n − 2; all are 1 but for two that are 2 and 4.
    x = tg.ones(9000, dtype=tg.float64)
    x[3], x[700] = 2.0, 4.0
    x.requires_grad_()
    (first,) = tg.grad(x.prod(), x, create_graph=True)
    (second,) = tg.grad(first[3], x)
    expected = np.full(9000, 4.0)
    expected[3], expected[700] = 0.0, 1.0
    np.testing.assert_array_equal(second.numpy(), expected)
