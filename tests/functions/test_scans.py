import numpy as np
import pytest
import torch

import tinygrad_poly as tg
from tinygrad_poly.engine.errors import DimensionError, DtypeError

from ..helpers import assert_like

X = np.array([[1.0, -2.0, 0.5], [4.0, 0.0, 8.0]], np.float32)
EXACT, ROUNDED = ["cumsum", "cumprod"], ["softmax", "log_softmax"]


@pytest.mark.parametrize("dim", [0, 1, -1])
@pytest.mark.parametrize("name", EXACT)
def test_running_sums_and_products_are_torchs(name, dim):
    mine, reference = (getattr(m, name)(m.tensor(X), dim) for m in (tg, torch))
    assert_like(mine, reference)
    assert_like(getattr(tg.tensor(X), name)(axis=dim), reference)


@pytest.mark.parametrize("dim", [0, 1, -1])
@pytest.mark.parametrize("name", ROUNDED)
def test_softmax_is_torchs(name, dim):
    mine, reference = (getattr(m, name)(m.tensor(X), dim) for m in (tg, torch))
    assert mine.dtype == tg.float32
    np.testing.assert_allclose(mine.numpy(), reference.numpy(), rtol=30 * 2.0**-24, atol=0)


@pytest.mark.parametrize("name", [*EXACT, *ROUNDED])
def test_a_number_is_a_row_of_one(name):
    for dim in (0, -1):
        assert_like(*(getattr(m, name)(m.tensor(3.0), dim) for m in (tg, torch)))


@pytest.mark.parametrize("dtype", ["bool", "int32", "int64"])
@pytest.mark.parametrize("name", EXACT)
def test_integers_are_added_up_in_int64(name, dtype):
    assert_like(*(getattr(m, name)(m.tensor([1, 0, 1]).to(getattr(m, dtype)), 0) for m in (tg, torch)))


@pytest.mark.parametrize("name", [*EXACT, *ROUNDED])
def test_dtype_converts_first(name):
    mine, reference = (getattr(m, name)(m.tensor([0, 0]), 0, dtype=m.float64) for m in (tg, torch))
    assert_like(mine, reference)


def test_the_array_api_has_other_names():
    assert_like(tg.cumulative_sum(tg.tensor(X), axis=0), tg.cumsum(tg.tensor(X), 0))
    assert_like(tg.cumulative_prod(tg.tensor(X), axis=0), tg.cumprod(tg.tensor(X), 0))


@pytest.mark.parametrize("name", [*EXACT, *ROUNDED])
def test_one_dimension_that_exists_is_wanted(name):
    for dim in (None, (0, 1), ()):
        with pytest.raises(DimensionError, match=rf"^{name} works along one dimension"):
            getattr(tg, name)(tg.tensor(X), dim)
    with pytest.raises(DimensionError, match=rf"^{name}: dimension 2 is out of range"):
        getattr(tg, name)(tg.tensor(X), 2)
    with pytest.raises(DtypeError, match=rf"^{name}\(\) expects a tensor"):
        getattr(tg, name)(X, 0)


@pytest.mark.parametrize("name", ROUNDED)
def test_integers_have_no_softmax(name):
    with pytest.raises(DtypeError, match=rf"^{name}\(\) needs a floating-point tensor"):
        getattr(tg, name)(tg.tensor([1, 2]), 0)
