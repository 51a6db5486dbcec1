import math

import numpy as np
import pytest
import torch

import tinygrad_poly as tg

NAN, INF = math.nan, math.inf


def found_and_slope(m, name, at, *options):
    x = m.tensor(at, dtype=m.float64, requires_grad=True)
    values, indices = getattr(x, name)(*options)
    values.backward(m.arange(1, 1 + values.numel()).reshape(values.shape) * m.ones_like(values))
    return values.tolist(), indices.tolist(), x.grad.tolist()


@pytest.mark.parametrize(
    "at", [[1.0, 3.0, 3.0], [2.0, 1.0, 1.0], [5.0, 5.0, 5.0], [1.0, NAN, 3.0, NAN], [INF, INF, -INF]]
)
@pytest.mark.parametrize("name", ["max", "min"])
def test_the_first_of_equal_elements_takes_all_as_in_torch(name, at):  # fmt: skip
    for mine, reference in zip(found_and_slope(tg, name, at, 0), found_and_slope(torch, name, at, 0), strict=True):
        np.testing.assert_array_equal(mine, reference)


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("at", [[1.0, 3.0, 3.0, 1.0], [1.0, NAN, 3.0, NAN, -INF, INF], [0.0, -0.0, 0.0]])
def test_sorting_is_stable_and_nan_is_the_largest_as_in_torch(at, descending):
    found = []
    for m in (tg, torch):
        x = m.tensor(at, dtype=m.float64, requires_grad=True)
        values, indices = m.sort(x, dim=0, descending=descending, stable=True)
        values.backward(m.arange(1, 1 + len(at)) * m.ones_like(values))
        found.append((values.tolist(), indices.tolist(), x.grad.tolist()))
    for mine, reference in zip(*found, strict=True):
        np.testing.assert_array_equal(mine, reference)


@pytest.mark.parametrize("at", [[3.0, 1.0, 2.0, 4.0], [1.0, NAN, 2.0, NAN], [7.0], [2.0, -INF, INF]])
def test_the_median_and_its_slope_are_torchs(at):
    for mine, reference in zip(
        found_and_slope(tg, "median", at, 0), found_and_slope(torch, "median", at, 0), strict=True
    ):
        np.testing.assert_array_equal(mine, reference)


def test_of_equal_medians_one_takes_all():
    x = tg.tensor([2.0, 2.0, 1.0, 2.0], requires_grad=True)
    values, index = x.median(0)
    values.backward()
    assert x.grad.tolist() == [float(i == index.item()) for i in range(4)]


@pytest.mark.parametrize("largest", [True, False])
def test_the_largest_k_with_nan_are_torchs(largest):
    at = [1.0, NAN, 3.0, 2.0]
    for mine, reference in zip(
        found_and_slope(tg, "topk", at, 2, 0, largest), found_and_slope(torch, "topk", at, 2, 0, largest), strict=True
    ):
        np.testing.assert_array_equal(mine, reference)


@pytest.mark.parametrize("name", ["sort", "median", "max"])
def test_a_gradient_of_a_gradient_goes_where_the_element_came_from(name):
    x = tg.tensor([[3.0, 1.0, 2.0], [4.0, 6.0, 5.0]], requires_grad=True)
    y = getattr(x, name)(1)[0]
    (slope,) = tg.grad((y**3).sum(), x, create_graph=True)
    (second,) = tg.grad(slope.sum(), x)
    chosen = slope.detach().numpy() != 0
    np.testing.assert_array_equal(second.numpy(), np.where(chosen, 6 * x.detach().numpy(), 0.0))
