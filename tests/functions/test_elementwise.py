"""Functions of one tensor: their names, what they accept and what they refuse."""

import inspect
import math

import numpy as np
import pytest
import torch

import tinygrad_poly as tg
from tinygrad_poly.engine.errors import DtypeError, ShapeError
from tinygrad_poly.functions import public

from ..helpers import UNIT_ROUNDOFF, assert_like, both

METHODS = [
    "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "square", "sqrt", "rsqrt", "reciprocal", "sin",
    "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "arcsin",
    "arccos", "arctan", "arcsinh", "arccosh", "arctanh", "erf", "erfc", "sinc", "sigmoid", "relu", "abs",
    "absolute", "neg", "negative", "positive", "sign", "sgn", "floor", "ceil", "round", "trunc", "fix",
    "nan_to_num",
]  # fmt: skip


@pytest.mark.parametrize("name", METHODS)
def test_functions_and_methods_have_torchs_names(name):
    mine, reference = tg.tensor([0.25, 0.5]), torch.tensor([0.25, 0.5])
    expected = getattr(torch, name)(reference)
    with np.errstate(invalid="ignore"):
        results = [getattr(tg, name)(mine).tolist(), getattr(mine, name)().tolist()]
    # two library functions: 20 u
    np.testing.assert_allclose(results, [expected.tolist()] * 2, rtol=20 * UNIT_ROUNDOFF["float32"])
    assert hasattr(reference, name)


@pytest.mark.parametrize("name", [n for n in (*public("elementwise"), *public("activations")) if n != "where"])
def test_what_is_no_tensor_is_refused(name):
    for wrong in (1.0, "1", None, [1.0], np.ones(2)):
        with pytest.raises(DtypeError, match="expects a tensor"):
            getattr(tg, name)(
                wrong, *{"masked_fill": (None, 0), "threshold": (0, 0), "prelu": (tg.ones(1),)}.get(name, ())
            )


@pytest.mark.parametrize("name", [*public("elementwise"), *public("activations")])
def test_every_function_tells_its_derivative_and_has_an_example(name):
    text = inspect.getdoc(getattr(tg, name))
    assert ">>>" in text
    assert "erivative" in text or "gradient" in text or name == "positive"


def test_a_round_to_decimals_is_torchs():
    at = [0.125, -2.675, 1234.5678, math.inf]
    for decimals in (0, 2, -2):
        assert_like(tg.round(tg.tensor(at), decimals=decimals), torch.round(torch.tensor(at), decimals=decimals))


@both
def test_booleans_have_no_sign(m):
    with pytest.raises((TypeError, RuntimeError)):
        m.positive(m.tensor([True]))


def test_gelu_names_its_two_ways():
    with pytest.raises(ValueError, match="'none' or 'tanh', not 'erf'"):
        tg.gelu(tg.zeros(1), approximate="erf")


# where and masked_fill


@both
@pytest.mark.parametrize(
    ("a", "b", "dtype"), [(1, 2, "int64"), (1.0, 2, "float32"), (1, 2.0, "float32"), (1.5, 2.5, "float32")]
)
def test_where_of_two_numbers_has_torchs_dtype(m, a, b, dtype):
    y = m.where(m.tensor([True, False]), a, b)
    assert y.dtype == getattr(m, dtype)
    assert y.tolist() == [a, b]


@both
def test_where_of_integers_and_a_fraction_is_floating(m):
    y = m.where(m.tensor([True, False]), m.tensor([1, 2]), 0.5)
    assert (y.dtype, y.tolist()) == (m.float32, [1.0, 0.5])


@pytest.mark.parametrize("condition", [True, None, [True], tg.tensor([1.0]), np.array([1])], ids=repr)
def test_where_wants_a_boolean_tensor(condition):
    with pytest.raises(DtypeError, match="where: the condition must be a boolean tensor"):
        tg.where(condition, tg.zeros(1), 0.0)


def test_where_names_shapes_that_do_not_fit():
    with pytest.raises(ShapeError, match=r"\(2,\) and \(3,\)"):
        tg.where(tg.tensor([True, False]), tg.zeros(3), 0.0)


@both
def test_what_is_filled_in_gets_the_gradient_of_the_places_it_took(m):
    x = m.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    value = m.tensor(7.0, requires_grad=True)
    y = m.masked_fill(x, m.tensor([True, False]), value)
    assert y.tolist() == [[7.0, 2.0], [7.0, 4.0]]
    y.backward(m.tensor([[1.0, 2.0], [3.0, 4.0]]))
    assert (x.grad.tolist(), value.grad.item()) == ([[0.0, 2.0], [0.0, 4.0]], 4.0)


@both
def test_filling_keeps_the_dtype(m):
    assert m.masked_fill(m.tensor([1, 2]), m.tensor([True, False]), 5).dtype == m.int64
    value = m.tensor(0.5, dtype=m.float64)
    assert m.masked_fill(m.zeros(2), m.tensor([True, False]), value).dtype == m.float32


def test_filling_refuses_what_it_cannot_hold():
    mask = tg.tensor([True, False])
    with pytest.raises(DtypeError, match=r"int64 tensor cannot hold 1\.5"):
        tg.masked_fill(tg.tensor([1, 2]), mask, 1.5)
    with pytest.raises(DtypeError, match="mask must be a boolean tensor, not one of int64"):
        tg.masked_fill(tg.zeros(2), tg.tensor([1, 0]), 1.5)
    with pytest.raises(ShapeError, match=r"a number, not a tensor of shape \(2,\)"):
        tg.masked_fill(tg.zeros(2), mask, tg.zeros(2))
