import itertools
import math

import numpy as np
import pytest
import torch

import tinygrad_poly as tg

from ..helpers import DTYPES, numbers

each_dtype = pytest.mark.parametrize("dtype", DTYPES)


EDGES = [0.0, -0.0, 0.5, -0.5, 1.0, 1.5, -1.0, 2.5, 2e9, math.inf, -math.inf, math.nan]
PAIRS = [list(pair) for pair in itertools.product([0.0, -0.0, 1.0, -1.0, math.inf, -math.inf, math.nan], repeat=2)]


def values_and_slopes(m, function, dtype, *columns):
    inputs = [m.tensor(list(x), dtype=getattr(m, dtype), requires_grad=True) for x in columns]
    y = function(m, *inputs)
    y.backward(m.tensor([float(i % 5 + 1) for i in range(len(columns[0]))], dtype=getattr(m, dtype)))
    return [numbers(y), *(numbers(x.grad) for x in inputs)]


def check(function, dtype, *columns):
    for mine, reference in zip(*(values_and_slopes(m, function, dtype, *columns) for m in (tg, torch)), strict=True):
        assert mine.dtype == reference.dtype
        np.testing.assert_array_equal(mine, reference)


@each_dtype
@pytest.mark.parametrize("function", ["floor", "ceil", "round", "trunc", "sign", "abs", "nan_to_num"])
def test_values_and_slopes_at_the_jumps_and_bends_are_torchs(function, dtype):
    check(lambda m, x: getattr(m, function)(x), dtype, EDGES)


@each_dtype
@pytest.mark.parametrize("function", ["maximum", "minimum", "fmax", "fmin"])
def test_ties_infinities_and_nans_are_torchs(function, dtype):
    check(lambda m, a, b: getattr(m, function)(a, b), dtype, *zip(*PAIRS, strict=True))


@pytest.mark.parametrize("function", ["maximum", "minimum"])
def test_the_slopes_of_a_tie_sum_to_one(function):
    a = tg.tensor([1.0, 2.0], requires_grad=True)
    getattr(tg, function)(a, a).sum().backward()
    assert a.grad.tolist() == [1.0, 1.0]


@each_dtype
@pytest.mark.parametrize("ends", [(0.0, 1.0), (None, 1.0), (0.0, None), (1.0, 0.0), (1.0, 1.0)])
def test_a_clamp_passes_the_gradient_at_its_ends(ends, dtype):
    check(lambda m, x: m.clamp(x, *ends), dtype, EDGES)


@each_dtype
def test_a_clamp_between_tensors_is_torchs_at_ends_exchanged_ends_and_nans(dtype):
    triples = itertools.product([0.0, 0.5, 1.0, -1.0, 2.0, math.nan, math.inf], [0.0, 2.0, math.nan], [1.0, 0.0])
    check(lambda m, x, a, b: m.clamp(x, a, b), dtype, *zip(*triples, strict=True))


@each_dtype
def test_replacements_have_no_slope(dtype):
    check(lambda m, x: m.nan_to_num(x, 1.0, 2.0, 3.0), dtype, EDGES)


@each_dtype
def test_a_row_of_its_own_sign_stays_what_it_is_in_second_derivatives(dtype):
    # |x|³ has the second derivative 6|x|
    x = tg.tensor([-2.0, 0.0, 3.0], dtype=getattr(tg, dtype), requires_grad=True)
    (slope,) = tg.grad((abs(x) ** 3).sum(), x, create_graph=True)
    (curvature,) = tg.grad(slope.sum(), x)
    assert curvature.tolist() == [12.0, 0.0, 18.0]


def test_integers_stay_integers():
    x = tg.tensor([-3, 2])
    for function in ("floor", "ceil", "round", "trunc", "sign", "abs", "nan_to_num"):
        assert getattr(tg, function)(x).dtype == tg.int64
    assert tg.maximum(x, 1).tolist() == [1, 2]
    assert tg.clamp(x, -1, 1).dtype == tg.int64
    assert tg.clamp(x, -0.5, 1).dtype == tg.maximum(x, 1.5).dtype == tg.float32
