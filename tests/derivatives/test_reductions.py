import math

import numpy as np
import pytest
import torch

import tinygrad_poly as tg
from tinygrad_poly.derivatives import reductions

from ..helpers import DTYPES
from .cases.table import name, runs
from .checks import Run

each_case = pytest.mark.parametrize(("case", "shapes"), runs(reductions), ids=name)
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


@each_dtype
def test_a_mean_of_three_is_their_sum_divided_by_three(dtype):
    results = []
    for m in (tg, torch):
        x = m.tensor([1.0, 2.0, 5.0], dtype=getattr(m, dtype), requires_grad=True)
        mean = x.mean()
        mean.backward(m.tensor(7.0, dtype=getattr(m, dtype)))
        results.append((mean.item(), x.grad.tolist()))
    assert results[0] == results[1]


def test_the_mean_of_nothing_is_nan_as_in_torch():
    for m in (tg, torch):
        with np.errstate(all="ignore"):
            x = m.zeros(0, requires_grad=True)
            mean = x.mean()
            mean.backward()
        assert math.isnan(mean.item())
        assert tuple(x.grad.shape) == (0,)


def test_a_long_float32_sum_keeps_its_digits():
    # pairwise summation: the error grows with log n, not with n
    assert tg.full((10**6,), 0.1).sum().item() == pytest.approx(10**6 * float(np.float32(0.1)), rel=20 * 2.0**-24)
