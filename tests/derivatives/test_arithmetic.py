import itertools
import math

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

import tinygrad_poly as tg
from tinygrad_poly.derivatives import arithmetic

from ..helpers import DTYPES, UNIT_ROUNDOFF

each_dtype = pytest.mark.parametrize("dtype", DTYPES)


def slope(m, function, at):
    x = m.tensor(at, dtype=m.float64, requires_grad=True)
    function(x).sum().backward()
    return x.grad.tolist()


@pytest.mark.parametrize(
    "function",
    [
        pytest.param(lambda x: x**0, id="x ** 0"),
        pytest.param(lambda x: x**1, id="x ** 1"),
        pytest.param(lambda x: x**2, id="x ** 2"),
        pytest.param(lambda x: x**0.5, id="x ** 0.5"),
        pytest.param(lambda x: x**-1, id="x ** -1"),
        pytest.param(lambda x: x / x, id="x / x"),
    ],
)
def test_slope_at_zero_and_below_is_torchs(function):
    at = [0.0, -8.0, math.inf, math.nan]
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(slope(tg, function, at), slope(torch, function, at))


@pytest.mark.parametrize("base", [0.0, -8.0, 2.0])
@pytest.mark.parametrize("exponent", [0.0, 1.0, 3.0, 0.5])
def test_slopes_of_a_power_with_zero_or_negative_base_are_torchs(base, exponent):
    slopes = []
    for m in (tg, torch):
        a, b = (m.tensor([x], dtype=m.float64, requires_grad=True) for x in (base, exponent))
        with np.errstate(all="ignore"):
            (a**b).sum().backward()
        slopes.append([*a.grad.tolist(), *b.grad.tolist()])
    # -8 to a whole power has slope NaN in the exponent in both; 12 log 2 is a rounding or two away
    np.testing.assert_allclose(slopes[0], slopes[1], rtol=4 * 2.0**-52, atol=0)


def test_a_whole_power_is_repeated_squaring_up_to_64():
    x = np.float64(1.0000001)
    squared = x * x
    assert arithmetic.scalar_power(x, 3) == x * squared
    assert arithmetic.scalar_power(x, 6) == squared * (squared * squared)
    assert arithmetic.scalar_power(x, 100) == x**100


def test_the_third_derivative_of_a_bell_curve_at_zero_is_zero():
    x = tg.tensor(0.0, dtype=tg.float64, requires_grad=True)
    y = (-(x**2)).exp()
    for _ in range(3):
        (y,) = tg.grad(y, x, create_graph=True)
    assert y.item() == 0.0


SPECIAL = [0.0, -0.0, 1.0, -1.0, 2.5, -2.5, math.inf, -math.inf, math.nan]
PAIRS = [list(pair) for pair in itertools.product(SPECIAL, SPECIAL)]


def values_and_slopes(m, function, dtype, pairs):
    a, b = (m.tensor(list(x), dtype=getattr(m, dtype), requires_grad=True) for x in zip(*pairs, strict=True))
    weights = m.tensor([float(i % 5 + 1) for i in range(len(pairs))], dtype=getattr(m, dtype))
    with np.errstate(all="ignore"):
        y = getattr(m, function)(a, b)
        y.backward(weights)
    return {"value": y.detach().numpy(), "by a": a.grad.numpy(), "by b": b.grad.numpy()}


@each_dtype
@pytest.mark.parametrize("function", ["hypot", "atan2", "logaddexp", "remainder", "fmod"])
def test_special_pairs_are_torchs(function, dtype):
    mine, reference = (values_and_slopes(m, function, dtype, PAIRS) for m in (tg, torch))
    for part, numbers in mine.items():
        assert_allclose(numbers, reference[part], rtol=40 * UNIT_ROUNDOFF[dtype], atol=0, err_msg=part)


@each_dtype
def test_an_angle_at_the_origin_has_slope_zero_and_a_distance_nan(dtype):
    origin = [[0.0, 0.0]]
    angle, distance = (values_and_slopes(tg, f, dtype, origin) for f in ("atan2", "hypot"))
    assert (angle["by a"], angle["by b"]) == (0.0, 0.0)
    assert np.isnan([distance["by a"], distance["by b"]]).all()


@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e200])
def test_the_slopes_of_an_angle_do_not_overflow(scale):
    found = values_and_slopes(tg, "atan2", "float64", [[3 * scale, 4 * scale]])
    assert_allclose(found["by a"] * scale, 0.16, rtol=10 * 2.0**-53)
    assert_allclose(found["by b"] * scale, -0.12, rtol=10 * 2.0**-53)


@pytest.mark.parametrize("distance", [1000.0, -1000.0])
def test_logaddexp_of_distant_numbers_does_not_warn(distance):
    with np.errstate(all="raise", under="ignore"):
        found = values_and_slopes(tg, "logaddexp", "float64", [[1.0, 1.0 + distance]])
    assert found["value"] == max(1.0, 1.0 + distance)
    assert [found["by a"], found["by b"]] == [distance < 0, distance > 0]


@pytest.mark.parametrize("a", [5.0, -5.0])
@pytest.mark.parametrize("b", [3.0, -3.0])
def test_remainders_have_pythons_and_cs_signs(a, b):
    x, y = tg.tensor(a), tg.tensor(b)
    assert (x % y).item() == (a % y).item() == (x % b).item() == a % b == torch.remainder(torch.tensor(a), b).item()
    assert (x // y).item() == (a // y).item() == (x // b).item() == a // b
    assert tg.fmod(x, y).item() == math.fmod(a, b)


@each_dtype
def test_a_floor_division_has_slope_zero(dtype):
    # torch has none for `//`, and this one for the same division by another name
    slopes = []
    for m, divide in ((tg, lambda a, b: a // b), (torch, lambda a, b: torch.div(a, b, rounding_mode="floor"))):
        a, b = (m.tensor(x, dtype=getattr(m, dtype), requires_grad=True) for x in ([6.0, 5.5, -1.0], [2.0, -2.0, 0.5]))
        divide(a, b).sum().backward()
        slopes.append([a.grad.tolist(), b.grad.tolist()])
    assert slopes[0] == slopes[1] == [[0.0] * 3] * 2


@each_dtype
@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_an_interpolation_ends_at_its_ends(weight, dtype):
    a, b = (tg.tensor([0.1, 1e30], dtype=getattr(tg, dtype)), tg.tensor([0.7, 0.3], dtype=getattr(tg, dtype)))
    end = b if weight else a
    assert tg.lerp(a, b, weight).tolist() == end.tolist()
    assert tg.lerp(a, b, tg.tensor(weight, dtype=getattr(tg, dtype))).tolist() == end.tolist()


def test_zero_to_the_power_one_half_is_steep_for_a_number_and_for_a_tensor():
    for exponent in (0.5, tg.tensor(0.5, dtype=tg.float64)):
        x = tg.tensor(0.0, dtype=tg.float64, requires_grad=True)
        with np.errstate(divide="ignore"):
            (x**exponent).backward()
        assert x.grad.item() == math.inf
