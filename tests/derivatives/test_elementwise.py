import math

import numpy as np
import pytest
import torch

import tinygrad_poly as tg
from tinygrad_poly.derivatives import elementwise

from ..helpers import DTYPES, UNIT_ROUNDOFF

each_dtype = pytest.mark.parametrize("dtype", DTYPES)


FUNCTIONS = [
    *("exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sqrt", "rsqrt", "erf", "erfc", "sinc"),
    *("sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh"),
]
EDGES = [0.0, -0.0, 1.0, -1.0, -2.0, math.inf, -math.inf, math.nan]


@each_dtype
@pytest.mark.parametrize("function", FUNCTIONS)
def test_value_and_slope_at_the_edges_of_the_domain_are_torchs(function, dtype):
    # at −1 acosh has no value; the sign of the infinite slope there is another than torch's
    edges = [x for x in EDGES if (function, x) != ("acosh", -1.0)]
    found = []
    for m in (tg, torch):
        x = m.tensor(edges, dtype=getattr(m, dtype), requires_grad=True)
        with np.errstate(all="ignore"):
            y = getattr(m, function)(x)
            y.backward(m.tensor([float(i + 1) for i in range(len(edges))], dtype=getattr(m, dtype)))
        found.append([y.detach().numpy(), x.grad.numpy()])
    # two library functions and two roundings each; sinc at whole numbers is sin πx, which is the rounding of π
    absolute = 8 * UNIT_ROUNDOFF[dtype] if function == "sinc" else 0
    np.testing.assert_allclose(found[0], found[1], rtol=24 * UNIT_ROUNDOFF[dtype], atol=absolute)


def derivatives(function, at, orders):
    x = tg.tensor(at, dtype=tg.float64, requires_grad=True)
    y, found = function(x), []
    for _ in range(orders):
        found.append(y.item())
        (y,) = tg.grad(y, x, create_graph=True)
    return found


@pytest.mark.parametrize("at", [0.0, 1e-9, 1e-3, 0.1, 0.3, 0.31, 0.6, 0.65, 0.9, 1.0, 1.25, 1.3, 2.5, 10.25])
def test_all_derivatives_of_sinc_are_right_everywhere(at):
    # sinc⁽ⁿ⁾(x) = πⁿ ∫ tⁿ cos(πxt + nπ/2) dt from 0 to 1, by Gauss's rule, exact far beyond these frequencies
    nodes, weights = np.polynomial.legendre.leggauss(60)
    t, weights = (nodes + 1) / 2, weights / 2
    found = derivatives(tg.sinc, at, 6)
    for n, derivative in enumerate(found):
        expected = np.pi**n * (weights @ (t**n * np.cos(np.pi * at * t + n * np.pi / 2)))
        # each step of the recurrence loses at most the digits of n/z ≤ 1 and of 1/z
        assert derivative == pytest.approx(expected, rel=0, abs=100 * 2.0**-53 * np.pi**n)


def test_the_second_derivative_of_sinc_at_zero_is_there_where_torch_says_nan():
    assert derivatives(tg.sinc, 0.0, 4) == pytest.approx([1.0, 0.0, -(np.pi**2) / 3, 0.0], rel=1e-15, abs=0)


@each_dtype
def test_the_cube_root_of_negative_numbers_is_real_and_steep_at_zero(dtype):
    x = tg.tensor([-8.0, 0.0, math.inf], dtype=getattr(tg, dtype), requires_grad=True)
    with np.errstate(divide="ignore"):
        y = tg.cbrt(x)
        y.sum().backward()
    np.testing.assert_allclose(y.tolist(), [-2.0, 0.0, math.inf], rtol=4 * UNIT_ROUNDOFF[dtype], atol=0)
    np.testing.assert_allclose(x.grad.tolist(), [1 / 12, math.inf, 0.0], rtol=16 * UNIT_ROUNDOFF[dtype], atol=0)


@pytest.mark.parametrize("function", ["expm1", "log1p"])
@pytest.mark.parametrize("at", [1e-30, -1e-30, 1e-10])
def test_small_arguments_keep_their_digits(function, at):
    x = tg.tensor(at, dtype=tg.float64, requires_grad=True)
    y = getattr(tg, function)(x)
    y.backward()
    assert y.item() == pytest.approx(at, rel=1.01e-10, abs=0)
    assert y.item() != 0
    assert x.grad.item() == pytest.approx(1.0, rel=1.01e-10)
    assert y.item() == getattr(torch, function)(torch.tensor(at, dtype=torch.float64)).item()


@pytest.mark.parametrize("function", ["asin", "acos", "atanh"])
def test_slopes_next_to_one_keep_their_digits(function):
    # 1 − x = 2⁻⁵⁰ exactly
    x = tg.tensor(1 - 2.0**-50, dtype=tg.float64, requires_grad=True)
    getattr(tg, function)(x).backward()
    gap = 2.0**-50 * (2 - 2.0**-50)
    expected = {"asin": gap**-0.5, "acos": -(gap**-0.5), "atanh": 1 / gap}[function]
    assert x.grad.item() == pytest.approx(expected, rel=8 * 2.0**-53)


@pytest.mark.parametrize("function", [*FUNCTIONS, "cbrt", "square", "reciprocal", "sigmoid", "silu"])
def test_integers_are_computed_in_the_default_dtype_and_float32_stays(function):
    for dtype in (tg.int64, tg.float32):
        with np.errstate(divide="ignore"):
            y = getattr(tg, function)(tg.tensor([1], dtype=dtype))
        assert y.dtype == (tg.int64 if function == "square" and dtype == tg.int64 else tg.float32)


@pytest.mark.parametrize("shape", [(), (0,), (2, 0), (2, 3)])
def test_functions_from_pythons_math_keep_shapes(shape):
    assert tg.erf(tg.zeros(shape)).shape == shape


def test_an_infinite_slope_in_the_branch_not_taken_spoils_the_gradient_as_in_torch():
    slopes = []
    for m in (tg, torch):
        x = m.tensor([0.0, 2.0], requires_grad=True)
        with np.errstate(all="ignore"):
            m.where(x > 0, m.log(x), m.tensor(0.0)).sum().backward()
        slopes.append(x.grad.tolist())
    np.testing.assert_array_equal(slopes[0], slopes[1])
    assert math.isnan(slopes[0][0])


RANGES = [(-1e-3, 1e-3), (-0.5, 0.5), (0.4, 0.6), (-4.0, 4.0), (3.9, 4.1), (-6.0, 9.0), (8.0, 26.0)]


@pytest.mark.parametrize("of_one", [math.erf, math.erfc])
@pytest.mark.parametrize("dtype", DTYPES)
def test_error_functions_of_many_numbers_are_those_of_one_to_five_units(of_one, dtype):
    # What NumPy promises for its own functions: 4 units, and Python's function is off by one.
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.uniform(*ends, 700) for ends in RANGES]).astype(dtype)
    expected = np.array([of_one(v) for v in x.tolist()])
    expected = expected[normal := expected > np.finfo(dtype).tiny] if of_one is math.erfc else expected
    x = x[normal] if of_one is math.erfc else x
    found = getattr(elementwise, of_one.__name__)(x)
    assert found.dtype == dtype
    assert np.all(np.abs(found - expected) <= 10 * UNIT_ROUNDOFF[dtype] * np.abs(expected))


@pytest.mark.parametrize("of_one", [math.erf, math.erfc])
def test_error_functions_of_many_numbers_have_the_limits_of_those_of_one(of_one):
    at = [0.0, -0.0, math.inf, -math.inf, math.nan, 1e300, -1e300, 5e-324, 40.0, -40.0]
    with np.errstate(all="raise", under="ignore"):
        found = getattr(elementwise, of_one.__name__)(np.resize(np.array(at), (3, 200)))
    assert found.shape == (3, 200)
    np.testing.assert_array_equal(found.ravel()[: len(at)], [of_one(v) for v in at])
    assert math.copysign(1.0, found[0, 1]) == math.copysign(1.0, of_one(-0.0))
