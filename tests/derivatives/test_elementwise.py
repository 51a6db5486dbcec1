import math

import numpy as np
import pytest
import torch

import tinygrad_poly as tg
from tinygrad_poly.derivatives import elementwise

from ..helpers import DTYPES
from .cases.table import name, runs
from .checks import Run

each_case = pytest.mark.parametrize(("case", "shapes"), runs(elementwise), ids=name)
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


@pytest.mark.parametrize("function", ["exp", "log", "sin", "cos", "tanh", "sqrt"])
def test_slope_at_the_edges_of_the_domain_is_torchs(function):
    at = [0.0, -0.0, -1.0, math.inf, -math.inf, math.nan]
    slopes = []
    for m in (tg, torch):
        x = m.tensor(at, dtype=m.float64, requires_grad=True)
        with np.errstate(all="ignore"):
            getattr(m, function)(x).backward(m.tensor([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], dtype=m.float64))
        slopes.append(x.grad.tolist())
    np.testing.assert_allclose(slopes[0], slopes[1], rtol=12 * 2.0**-53, atol=0)


def test_an_infinite_slope_in_the_branch_not_taken_spoils_the_gradient_as_in_torch():
    slopes = []
    for m in (tg, torch):
        x = m.tensor([0.0, 2.0], requires_grad=True)
        with np.errstate(all="ignore"):
            m.where(x > 0, m.log(x), m.tensor(0.0)).sum().backward()
        slopes.append(x.grad.tolist())
    np.testing.assert_array_equal(slopes[0], slopes[1])
    assert math.isnan(slopes[0][0])
