"""Functions and operators of two numbers: their names, what they accept and what they refuse."""

import operator

import numpy as np
import pytest
import torch

import tinygrad_poly as tg
from tinygrad_poly.engine.errors import DtypeError, ShapeError

from ..helpers import UNIT_ROUNDOFF, assert_like, both

NAMES = ["add", "sub", "mul", "div", "maximum", "minimum", "fmax", "fmin", "hypot", "atan2", "logaddexp",
         "remainder", "fmod", "floor_divide"]  # fmt: skip
each_name = pytest.mark.parametrize("name", NAMES)


@each_name
def test_functions_and_methods_are_the_same(name):
    a, b = tg.tensor([3.0, -4.0]), tg.tensor([2.0, 2.0])
    expected = getattr(torch.tensor([3.0, -4.0]), name)(torch.tensor([2.0, 2.0]))
    # a library function: 10 u
    np.testing.assert_allclose(getattr(a, name)(b).tolist(), expected.tolist(), rtol=10 * UNIT_ROUNDOFF["float32"])
    assert getattr(tg, name)(a, b).tolist() == getattr(a, name)(b).tolist()


@each_name
def test_a_number_may_stand_on_either_side(name):
    function, x, two = getattr(tg, name), tg.tensor([3.0, -4.0]), tg.tensor([2.0, 2.0])
    assert_like(function(x, 2), function(x, two))
    assert_like(function(2, x), function(two, x))
    assert_like(function(np.float64(2.0), x), function(two, x))
    assert_like(function(np.array([2.0, 2.0], np.float32), x), function(two, x))


@each_name
def test_a_number_gets_no_gradient_and_the_tensor_beside_it_its_own(name):
    gradients = []
    for two in (2.0, tg.tensor([2.0, 2.0])):
        x = tg.tensor([3.0, -4.5], requires_grad=True)
        (first,) = tg.grad(getattr(tg, name)(two, x).sum(), x, create_graph=True)
        (second,) = tg.grad((first * x).sum(), x)
        gradients.append(first.tolist() + second.tolist())
    assert gradients[0] == gradients[1]


@each_name
def test_shapes_that_do_not_fit_are_printed(name):
    with pytest.raises(ShapeError, match=r"\(2,\) and \(3,\)"):
        getattr(tg, name)(tg.zeros(2), tg.zeros(3))


@each_name
def test_what_is_no_number_is_refused(name):
    for wrong in ("2", None, [1.0], object()):
        for pair in ((tg.zeros(1), wrong), (wrong, tg.zeros(1))):
            with pytest.raises(DtypeError, match=f"{name}.*expects a tensor"):
                getattr(tg, name)(*pair)


@each_name
def test_two_numbers_are_refused(name):
    with pytest.raises(DtypeError, match="tensor among the two"):
        getattr(tg, name)(1.0, 2.0)


@both
def test_other_names(m):
    for alias, name in {"subtract": "sub", "multiply": "mul", "divide": "div", "true_divide": "div",
                        "arctan2": "atan2", "clip": "clamp"}.items():  # fmt: skip
        x, y = m.tensor([3.0]), m.tensor([4.0])
        assert getattr(m, alias)(x, y).tolist() == getattr(x, alias)(y).tolist() == getattr(m, name)(x, y).tolist()


@both
@pytest.mark.parametrize("apply", [operator.mod, operator.floordiv], ids=["%", "//"])
def test_operators_with_numbers_on_both_sides(m, apply):
    x = m.tensor([5, -5, 7])
    assert apply(x, 3).tolist() == [apply(n, 3) for n in (5, -5, 7)]
    assert apply(3, x).tolist() == [apply(3, n) for n in (5, -5, 7)]
    assert apply(x, m.tensor(-3)).tolist() == [apply(n, -3) for n in (5, -5, 7)]
    assert apply(x, 2.5).dtype == m.float32


@both
def test_signs_and_absolute_values_as_operators(m):
    x = m.tensor([-2.0, 3.0], requires_grad=True)
    assert +x is x
    (abs(x) - x).sum().backward()
    assert x.grad.tolist() == [-2.0, 0.0]


@both
def test_alpha_scales_the_second(m):
    x, y = m.tensor([1.0]), m.tensor([2.0])
    assert m.add(x, y, alpha=10).tolist() == x.add(y, alpha=10).tolist() == [21.0]
    assert m.sub(x, 2, alpha=0.5).tolist() == [0.0]
    assert m.sub(2, x, alpha=3).tolist() == [-1.0]


@both
def test_quotients_are_rounded_down_or_towards_zero(m):
    x = m.tensor([7.0, -7.0])
    assert m.div(x, 2).tolist() == [3.5, -3.5]
    assert m.div(x, 2, rounding_mode="floor").tolist() == [3.0, -4.0]
    assert x.div(2, rounding_mode="trunc").tolist() == [3.0, -3.0]
    with pytest.raises((ValueError, RuntimeError), match="rounding_mode"):
        m.div(x, 2, rounding_mode="up")


@both
def test_powers(m):
    x = m.tensor([2.0, 3.0])
    assert m.pow(x, 2).tolist() == x.pow(2).tolist() == [4.0, 9.0]
    assert m.pow(2, x).tolist() == [4.0, 8.0]
    assert m.pow(x, x).tolist() == [4.0, 27.0]


def test_powers_of_what_is_no_number_are_refused():
    for wrong in ("2", None, [1.0]):
        with pytest.raises(TypeError):
            tg.pow(tg.zeros(1), wrong)


@both
def test_a_clamp_needs_an_end(m):
    with pytest.raises((ValueError, RuntimeError), match="min"):
        m.clamp(m.zeros(2))


@both
def test_sums_with_products_and_quotients(m):
    a, b, c = (m.tensor(x, requires_grad=True) for x in (1.0, 2.0, 4.0))
    y = m.addcmul(a, b, c, value=0.5) + m.addcdiv(a, b, c, value=2)
    y.backward()
    assert (y.item(), a.grad.item(), b.grad.item(), c.grad.item()) == (7.0, 2.0, 2.5, 0.75)


@both
def test_an_interpolation_needs_not_lie_between(m):
    a, b = m.tensor([0.0, 10.0]), m.tensor([1.0, 20.0])
    assert m.lerp(a, b, 2.0).tolist() == a.lerp(b, m.tensor([2.0, 2.0])).tolist() == [2.0, 30.0]


@both
def test_a_step_takes_its_value_at_zero_from_the_second(m):
    x = m.tensor([-1.0, 0.0, -0.0, 2.0, float("nan")])
    assert m.heaviside(x, m.tensor([0.5])).tolist() == [0.0, 0.5, 0.5, 1.0, 0.0]


def test_the_value_of_a_step_at_zero_has_a_gradient():
    value = tg.tensor(0.5, requires_grad=True)
    tg.heaviside(tg.tensor([-1.0, 0.0, 0.0]), value).sum().backward()
    assert value.grad.item() == 2.0


def test_integers_beside_floats_take_their_dtype():
    for name in NAMES:
        assert getattr(tg, name)(tg.tensor([1, 2]), tg.tensor([1.0, 2.0])).dtype == tg.float32
        assert getattr(tg, name)(tg.tensor([1, 2]), 2.5).dtype == tg.float32
