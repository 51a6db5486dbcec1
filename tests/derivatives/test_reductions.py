import math

import array_api_strict as strict
import numpy as np
import pytest
import torch

import tinygrad_poly as tg
from tinygrad_poly.engine.apply import wrap
from tinygrad_poly.engine.walk import leaf

from ..helpers import DTYPES

each_dtype = pytest.mark.parametrize("dtype", DTYPES)


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


NAN, INF = math.nan, math.inf


def gradient(m, function, at):
    """Value and gradient at a point, both as lists, in float64."""
    x = m.tensor(at, dtype=m.float64, requires_grad=True)
    with np.errstate(all="ignore"):
        y = function(m, x)
        y.backward(m.ones_like(y))
    return y.tolist(), x.grad.tolist()


def assert_same_gradient(function, at):
    for mine, reference in zip(gradient(tg, function, at), gradient(torch, function, at), strict=True):
        np.testing.assert_allclose(mine, reference, rtol=8 * 2.0**-53, atol=0)


@pytest.mark.parametrize("at", [[1.0, 3.0, 3.0], [2.0, 2.0, 2.0], [1.0, NAN, 3.0], [NAN, NAN, 1.0], [INF, INF, -INF]])
@pytest.mark.parametrize("function", [
    lambda m, x: m.amax(x), lambda m, x: m.amin(x), lambda m, x: m.amax(x, 0), lambda m, x: m.amin(x, 0),
    lambda m, x: m.max(x), lambda m, x: m.min(x), lambda m, x: m.median(x),
], ids=["amax()", "amin()", "amax(0)", "amin(0)", "max()", "min()", "median()"])  # fmt: skip
def test_the_equal_and_the_not_a_number_share_as_in_torch(function, at):
    assert_same_gradient(function, at)


def test_shares_add_up_to_one():
    x = tg.tensor([[3.0, 3.0, 1.0, 3.0]], requires_grad=True)
    for reduce in (tg.amax, tg.max, tg.median):
        (shares,) = tg.grad(reduce(x), x)
        assert shares.sum().item() == pytest.approx(1.0, abs=2.0**-23)


@pytest.mark.filterwarnings("ignore:(var|std).*degrees of freedom:UserWarning")
@pytest.mark.parametrize("name", ["var", "std"])
@pytest.mark.parametrize(
    ("at", "correction"), [([1.5, 1.5, 1.5], 1), ([0.1, 0.1], 0), ([2.0], 1), ([2.0], 0), ([1.0, 1.0], 2)]
)
def test_spread_of_equal_numbers_and_of_too_few_is_torchs(name, at, correction):  # fmt: skip
    assert_same_gradient(lambda m, x: getattr(x, name)(correction=correction), at)


@pytest.mark.filterwarnings("ignore:(var|std).*degrees of freedom:UserWarning")
@pytest.mark.parametrize("name", ["var", "std"])
def test_the_spread_of_nothing_is_nan_as_in_torch(name):
    for m in (tg, torch):
        value, slope = gradient(m, lambda m, x: getattr(x, name)(), [])
        assert math.isnan(value)
        assert slope == []


def test_equal_numbers_have_a_standard_deviation_with_finite_second_gradient():
    x = tg.tensor([2.0, 2.0], requires_grad=True)
    (slope,) = tg.grad(x.std(), x, create_graph=True)
    (second,) = tg.grad(slope.sum(), x)
    assert second.tolist() == [0.0, 0.0]


@pytest.mark.parametrize("name", ["nansum", "nanmean"])
@pytest.mark.parametrize("at", [[1.0, NAN, 4.0], [NAN, 3.0], [1.0, 2.0]])
def test_sums_without_nan_have_torchs_gradient(name, at):
    assert_same_gradient(lambda m, x: getattr(m, name)(x), at)


TO_ONE = ["sum", "mean", "prod", "nansum", "nanmean", "var", "std", "norm", "logsumexp"]
TO_ONE += ["amax", "amin", "max", "min", "median"]


@pytest.mark.parametrize("function", TO_ONE)
def test_float32_stays_float32(function):
    x = tg.tensor([1.0, 2.0, 2.0], requires_grad=True)
    y = getattr(x, function)()
    (slope,) = tg.grad(y, x, create_graph=True)
    assert (y.dtype, slope.dtype) == (tg.float32, tg.float32)


ON_STRICT = {
    **{f"{name}()": lambda x, name=name: getattr(x, name)() for name in TO_ONE},
    **{
        f"{name}(1)": lambda x, name=name: (getattr(x, name)(dim=1) ** 2).sum()
        for name in ("mean", "prod", "std", "norm", "amax", "logsumexp", "cumsum", "cumprod", "softmax", "log_softmax")
    },
    **{
        f"{name}(1).values": lambda x, name=name: (getattr(x, name)(dim=1).values ** 2).sum()
        for name in ("max", "min", "median", "sort")
    },
    "topk(2).values": lambda x: (x.topk(2).values ** 2).sum(),
    **{f"norm({p})": lambda x, p=p: x.norm(p, 1).sum() for p in (1, 3, INF)},
    "indices": lambda x: (
        (x * x).sum() * sum(int(found.array) for found in (x.argmax(1)[0], x.argsort(0)[1, 0], x.count_nonzero()))
    ),
}


@each_dtype
@pytest.mark.parametrize("program", ON_STRICT.values(), ids=ON_STRICT)
def test_any_array_that_follows_the_standard_will_do(program, dtype):
    found = []
    for xp in (strict, np):
        array = xp.asarray(np.array([[0.5, 2.0, 0.0], [1.25, -3.0, 1.0]], dtype))
        x = wrap(array, leaf(array))
        y = program(x * x * x)
        (slope,) = tg.grad(y, x, create_graph=True)
        (second,) = tg.grad((slope * slope).sum(), x)
        for result in (y, slope, second):
            assert result.dtype == array.dtype
            assert type(result.array) is type(array) or xp is np
        found.append([np.asarray(result.array) for result in (y, slope, second)])
    # the same operations; only sums of six may be ordered differently
    for mine, reference in zip(*found, strict=True):
        scale = max(1.0, np.abs(reference).max())
        np.testing.assert_allclose(mine, reference, rtol=0, atol=100 * scale * np.finfo(dtype).eps)


def test_a_broadcast_float16_gets_the_sum_of_more_than_2048_cotangents():
    bias = tg.tensor(np.zeros(2, np.float16), requires_grad=True)
    (bias + tg.tensor(np.ones((5000, 2), np.float16))).sum().backward()
    assert bias.grad.tolist() == [5000.0, 5000.0]


HALVES = {
    "sum": lambda x: x.sum(),
    "mean": lambda x: x.mean(),
    "sum of columns": lambda x: x.reshape(-1, 2).sum(0)[0],
    "var": lambda x: x.var(),
    "std": lambda x: x.std(),
    "norm": lambda x: x.norm(),
    "norm 3": lambda x: x.norm(3),
    "max": lambda x: x.max(),
    "amin": lambda x: x.amin(),
    "median": lambda x: x.median(),
    "mse_loss": lambda x: tg.mse_loss(x, tg.zeros_like(x)),
    "softmax": lambda x: x.softmax(0)[0],
    "cumsum": lambda x: x.cumsum(0)[-1],
}
# sums above 65504, counts above 65504, squares above 65504
NUMBERS = {"a sum": [60000, 60000, -60000, -30000], "a count": [1] * 70000, "squares": [300, 300, 300, 600]}


@pytest.mark.parametrize("numbers", NUMBERS.values(), ids=NUMBERS)
@pytest.mark.parametrize("reduce", HALVES.values(), ids=HALVES)
def test_a_reduction_of_float16_is_that_of_float32_rounded_once(reduce, numbers):
    found = []
    for dtype in (np.float16, np.float32):
        x = tg.tensor(np.asarray(numbers, dtype), requires_grad=True)
        with np.errstate(all="ignore"):
            y = reduce(x)
            y.backward()
            found.append([np.float16(y.item()), np.float16(x.grad.numpy())])
        assert y.dtype == x.grad.dtype == dtype
    np.testing.assert_array_equal(found[0][0], found[1][0])
    # The slope of a norm comes of its value, which may be too large; and of numbers that were rounded themselves.
    if np.isinf(found[0][0]):
        return
    np.testing.assert_allclose(found[0][1], found[1][1], rtol=6 * 2.0**-11, atol=2.0**-23)
