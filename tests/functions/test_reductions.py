import math
import re

import numpy as np
import pytest
import torch

import tinygrad_poly as tg
from tinygrad_poly.engine.errors import DimensionError, DtypeError, ShapeError

from ..helpers import assert_like, both

X = np.array([[[1.0, -2.0, 0.5], [4.0, 0.0, 8.0]], [[2.0, 2.0, -1.0], [0.5, -4.0, 1.0]]], np.float32)
REDUCTIONS = ["sum", "mean", "prod", "nansum", "nanmean", "amax", "amin", "all", "any", "count_nonzero"]
SEVERAL = [name for name in REDUCTIONS if name != "prod"]
WITHOUT_KEEPDIM = ["count_nonzero"]


def assert_near(mine, reference):
    """Equal apart from the order of at most twelve additions."""
    assert tuple(mine.shape) == tuple(reference.shape)
    np.testing.assert_allclose(mine.numpy(), reference.numpy(), rtol=0, atol=2.0**-20)


@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize("dim", [0, 1, -1, (0, 2), [-1, 0], (0, 1, 2)], ids=str)
@pytest.mark.parametrize("name", [*SEVERAL, "logsumexp", "var", "std"])
def test_every_form_of_dim_is_torchs(name, dim, keepdim):
    keywords = {} if name in WITHOUT_KEEPDIM else {"keepdim": keepdim}
    mine = getattr(tg, name)(tg.tensor(X), dim=dim, **keywords)
    reference = getattr(torch, name)(torch.tensor(X), dim=dim, **keywords)
    assert_near(mine, reference)
    assert str(mine.dtype) == str(reference.dtype)
    assert_like(getattr(tg.tensor(X), name)(dim=dim, **keywords), mine)


@pytest.mark.parametrize("name", [*REDUCTIONS, "var", "std", "norm", "max", "min", "median"])
def test_without_dim_everything_is_reduced_as_in_torch(name):
    mine, reference = (getattr(m, name)(m.tensor(X)) for m in (tg, torch))
    assert_near(mine, reference)
    assert_like(getattr(tg.tensor(X), name)(), mine)


@pytest.mark.parametrize("name", [*REDUCTIONS, "logsumexp", "var", "std", "norm"])
def test_numpys_names_of_the_arguments_mean_the_same(name):
    x, function = tg.tensor(X), getattr(tg, name)
    assert_like(function(x, axis=1, keepdims=True), function(x, dim=1, keepdim=True))
    assert_like(function(x, axis=(0, -1)), function(x, dim=(0, -1)))


@pytest.mark.parametrize("name", [*REDUCTIONS, "logsumexp", "norm"])
def test_a_number_is_reduced_along_dimension_0_and_minus_1(name):
    for dim in (0, -1):
        mine, reference = (getattr(m, name)(m.tensor(2.0), dim=dim) for m in (tg, torch))
        assert_like(mine, reference)


@pytest.mark.parametrize("name", ["sum", "prod", "nansum", "all", "any", "count_nonzero"])
def test_of_no_elements_what_torch_says(name):
    for shape, dim in [((0,), 0), ((2, 0), 1), ((2, 0), 0), ((0,), None)]:
        given = {} if dim is None else {"dim": dim}
        mine, reference = (getattr(m, name)(m.zeros(shape), **given) for m in (tg, torch))
        assert_like(mine, reference)


@pytest.mark.parametrize("dtype", ["bool", "int32", "int64"])
@pytest.mark.parametrize("name", ["sum", "prod", "amax", "amin", "max", "min", "any", "all", "count_nonzero"])
def test_integers_and_booleans_give_torchs_dtype(name, dtype):
    mine, reference = (getattr(m, name)(m.tensor([[1, 0], [1, 1]]).to(getattr(m, dtype))) for m in (tg, torch))
    assert_like(mine, reference)


@pytest.mark.parametrize("name", ["sum", "mean", "prod"])
def test_dtype_converts_first(name):
    mine, reference = (getattr(m, name)(m.tensor([1, 2, 4]), dtype=m.float64) for m in (tg, torch))
    assert_like(mine, reference)
    assert_like(getattr(tg.tensor([1, 2, 4]), name)(dtype=tg.float64), mine)


def test_the_smallest_and_the_largest_come_in_one_pair():
    for keywords in ({}, {"dim": 1}, {"dim": -1, "keepdim": True}):
        mine, reference = (m.aminmax(m.tensor(X), **keywords) for m in (tg, torch))
        assert_like(mine.min, reference.min)
        assert_like(mine.max, reference.max)


@both
@pytest.mark.parametrize("name", ["var", "std"])
def test_the_correction_has_two_names(m, name):
    x = m.tensor([1.0, 2.0, 4.0, 5.0])
    function = getattr(m, name)
    assert function(x, correction=0).item() == function(x, False).item() == function(x, 0, False).item()
    assert function(x).item() == function(x, unbiased=True).item() == function(x, 0, correction=1).item()
    assert function(x, correction=0).item() == pytest.approx({"var": 2.5, "std": math.sqrt(2.5)}[name], abs=2.0**-22)


@pytest.mark.parametrize("p", [0, 1, 2, 3, 0.5, -1, math.inf, -math.inf, "fro"])
@pytest.mark.parametrize("dim", [None, 0, (0, 2)], ids=str)
def test_every_norm_is_torchs(p, dim):
    at = np.where(X == 0, 1.0, X).astype(np.float64)
    mine, reference = (m.norm(m.tensor(at), p, dim, keepdim=True) for m in (tg, torch))
    np.testing.assert_allclose(mine.numpy(), reference.numpy(), rtol=60 * 2.0**-53)
    assert tuple(mine.shape) == tuple(reference.shape)
    if p != "fro":
        assert_like(tg.vector_norm(tg.tensor(at), p, dim, True), mine)


@pytest.mark.parametrize("name", [*REDUCTIONS, "logsumexp", "var", "std", "norm"])
def test_a_dimension_that_does_not_exist_is_named(name):
    for dim in (3, -4, (0, 5)):
        with pytest.raises(DimensionError, match=rf"^{name}: dimension .* out of range"):
            getattr(tg, name)(tg.tensor(X), dim=dim)
    with pytest.raises(DimensionError, match=rf"^{name}: .* twice"):
        getattr(tg, name)(tg.tensor(X), dim=(0, -3))
    with pytest.raises(DtypeError, match=rf"^{name}: a dimension must be an integer"):
        getattr(tg, name)(tg.tensor(X), dim=1.5)


@pytest.mark.parametrize("name", [*REDUCTIONS, "logsumexp", "var", "std", "norm", "aminmax"])
def test_what_is_no_tensor_is_refused(name):
    with pytest.raises(DtypeError, match="expects a tensor, not list"):
        getattr(tg, name)([1.0, 2.0])


@pytest.mark.parametrize("name", ["mean", "nanmean", "var", "std", "norm"])
def test_integers_are_refused_where_the_result_is_none(name):
    with pytest.raises(DtypeError, match=re.escape(f"{name}() needs a floating-point tensor")):
        getattr(tg, name)(tg.tensor([1, 2]))


@pytest.mark.parametrize("name", ["amax", "amin", "aminmax"])
def test_nothing_has_no_extreme(name):
    for shape, dim, length in [((0,), None, 0), ((2, 0), 1, 1), ((2, 0), None, 1)]:
        with pytest.raises(ShapeError, match=rf"^{name}\(\) of no elements.*dimension {length} .* has length 0"):
            getattr(tg, name)(tg.zeros(shape), dim=dim)
    assert tg.amax(tg.zeros(0, 2), 1).shape == (0,)


@pytest.mark.parametrize("p", [math.inf, -math.inf, -1])
def test_nothing_has_no_such_norm(p):
    with pytest.raises(ShapeError, match=r"^norm\(\) of no elements"):
        tg.zeros(0).norm(p)


@pytest.mark.parametrize("p", ["nuc", [2], math.nan, True])
def test_what_is_no_exponent_is_refused(p):
    with pytest.raises(DtypeError, match=r"^norm: p must be a number"):
        tg.ones(2).norm(p)


def test_the_mean_without_nan_of_many_float16_is_their_mean():
    x = tg.tensor(np.full(70000, 2.0, np.float16), requires_grad=True)
    y = tg.nanmean(x)
    y.backward()
    assert (y.item(), y.dtype) == (2.0, np.float16)
    assert x.grad.numpy().tolist() == [float(np.float16(1 / 70000))] * 70000
