"""Functions that answer true or false."""

import math
import operator

import numpy as np
import pytest
import torch

import tinygrad_poly as tg
from tinygrad_poly.engine.errors import DtypeError, ShapeError

from ..helpers import both

SPECIAL = [0.0, -0.0, 1.0, -1.0, math.inf, -math.inf, math.nan]
NAMES = ["eq", "ne", "lt", "le", "gt", "ge"]
LOGICAL = ["logical_and", "logical_or", "logical_xor"]
ALIASES = {"not_equal": "ne", "less": "lt", "less_equal": "le", "greater": "gt", "greater_equal": "ge"}


@pytest.mark.parametrize("name", [*NAMES, *ALIASES, *LOGICAL])
def test_comparisons_are_torchs(name):
    answers = []
    for m in (tg, torch):
        a, b = m.tensor(SPECIAL)[:, None], m.tensor(SPECIAL)[None]
        answers.append(getattr(m, name)(a, b).tolist())
        assert getattr(a, name)(b).tolist() == answers[-1]
    assert answers[0] == answers[1]


@pytest.mark.parametrize("name", NAMES)
def test_a_number_may_stand_on_either_side(name):
    # 0.1 is rounded to float32 first, as everywhere beside a float32 tensor
    x, compare = tg.tensor([0.1, 0.5]), getattr(operator, name)
    assert getattr(tg, name)(x, 0.1).tolist() == compare(x, 0.1).tolist() == compare(x, x[0]).tolist()
    assert getattr(tg, name)(0.1, x).tolist() == compare(0.1, x).tolist() == compare(x[0], x).tolist()


@pytest.mark.parametrize("name", [*NAMES, *LOGICAL])
def test_bad_arguments_are_refused(name):
    function = getattr(tg, name)
    for pair in ((tg.zeros(1), "1"), ("1", tg.zeros(1)), (1.0, 2.0), (tg.zeros(1), None)):
        with pytest.raises(DtypeError, match=f"{name}.*expects a tensor"):
            function(*pair)
    with pytest.raises(ShapeError, match=r"\(2,\) and \(3,\)"):
        function(tg.zeros(2), tg.zeros(3))


@both
def test_equal_is_one_answer(m):
    x = m.tensor([1.0, 2.0])
    others = [x.clone(), m.tensor([1.0, 3.0]), x[:1], x.unsqueeze(0), m.tensor([1.0, math.nan])]
    assert [m.equal(x, other) for other in others] == [x.equal(other) for other in others] == [True] + [False] * 4
    assert not m.equal(others[-1], others[-1].clone())
    assert m.equal(m.zeros(0), m.zeros(0))
    assert [m.is_tensor(x), m.is_tensor([1.0]), m.is_floating_point(x), m.is_nonzero(x[0])] == [True, False, True, True]
    with pytest.raises(TypeError):
        m.equal(x, 1.0)


@pytest.mark.parametrize("name", ["isnan", "isinf", "isfinite", "logical_not"])
def test_questions_are_answered_as_in_torch(name):
    for values in (SPECIAL, [0, 1, -2], [True, False]):
        assert getattr(tg, name)(tg.tensor(values)).tolist() == getattr(torch, name)(torch.tensor(values)).tolist()
    with pytest.raises(DtypeError, match="expects a tensor"):
        getattr(tg, name)(1.0)


def test_no_answer_has_a_graph():
    x = tg.tensor([1.0], requires_grad=True)
    for y in (tg.eq(x, x), tg.isnan(x), tg.logical_not(x), tg.isclose(x, x), tg.logical_and(x, x)):
        assert not y.requires_grad
        assert y.dtype == tg.bool


@both
def test_masks_are_combined_by_operators(m):
    a, b = m.tensor([True, True, False]), m.tensor([True, False, False])
    assert (~a).tolist() == [False, False, True]
    assert (a ^ b).tolist() == (b ^ a).tolist() == [False, True, False]
    assert (a & b).tolist() == [True, False, False]
    assert (True & a).tolist() == [True, True, False]
    assert (~m.tensor([0, 1])).tolist() == [-1, -2]


def test_floating_numbers_have_no_complement():
    with pytest.raises(DtypeError, match="booleans and integers, not float32"):
        ~tg.zeros(2)


@pytest.mark.parametrize("equal_nan", [False, True])
def test_closeness_is_torchs(equal_nan):
    values = [*SPECIAL, 1.0 + 1e-6, 1.0 + 1e-4, 1e-9]
    answers = []
    for m in (tg, torch):
        a, b = m.tensor(values, dtype=m.float64)[:, None], m.tensor(values, dtype=m.float64)[None]
        answers.append(m.isclose(a, b, equal_nan=equal_nan).tolist())
        assert m.allclose(a, b, equal_nan=equal_nan) is False
        assert m.allclose(a, a, equal_nan=equal_nan) is equal_nan
        assert (
            m.isclose(a, b, rtol=1e-3, atol=0.0).sum().item()
            == np.isclose(values, [[x] for x in values], 1e-3, 0).sum()
        )
    assert answers[0] == answers[1]


def test_closeness_takes_numbers_and_refuses_the_rest():
    assert tg.allclose(tg.tensor([1.0, 1.0]), 1)
    with pytest.raises(DtypeError, match="isclose"):
        tg.isclose(tg.zeros(1), "0")
    with pytest.raises(DtypeError, match="isclose"):
        tg.allclose(0.0, tg.zeros(1))
