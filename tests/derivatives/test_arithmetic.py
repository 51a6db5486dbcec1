import math

import numpy as np
import pytest
import torch

import tinygrad_poly as tg
from tinygrad_poly.derivatives import arithmetic

from ..helpers import DTYPES
from .cases.table import name, runs
from .checks import Run

each_case = pytest.mark.parametrize(("case", "shapes"), runs(arithmetic), ids=name)
each_dtype = pytest.mark.parametrize("dtype", DTYPES)


@each_dtype
@each_case
def test_value_is_torchs(case, shapes, dtype):
    Run(case, shapes, dtype).check_value()


@each_dtype
@each_case
def test_gradient_is_torchs(case, shapes, dtype):
    Run(case, shapes, dtype).check_gradient()


@each_dtype
@each_case
def test_gradient_of_the_gradient_is_torchs(case, shapes, dtype):
    Run(case, shapes, dtype).check_second_gradient()


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
