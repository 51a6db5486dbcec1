"""Expressions that a user typed: what they compute, and what is refused without running it."""

import math

import pytest

import tinygrad_poly as tg
from tinygrad_poly.errors import DataError
from tinygrad_poly.explain.expression import FUNCTIONS, parse


def test_operators_and_functions_are_those_of_tensors():
    a, x = tg.tensor(0.5), tg.tensor([1.0, 2.0])
    at = {"a": a, "x": x}
    assert parse("-(a + 2*x)**2 / 4 - x")(at).tolist() == (-((a + 2 * x) ** 2) / 4 - x).tolist()
    assert parse("exp(a)")(at).item() == pytest.approx(math.exp(0.5), rel=1e-6)
    assert parse("x.sum() + maximum(x, a).mean()")(at).item() == 4.5


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_of_the_list_exists(name):
    assert callable(getattr(tg, name))


@pytest.mark.parametrize("text", [
    "a.__class__", "open('x')", "__import__('os')", "a.sum", "x[0]", "'a'", "a if a else a", "[a]", "lambda: a",
    "(a := 1)", "a = 1", "a.backward()", "a.numpy()", "sum(x, dim=0)", "a and a", "a < 1", "1j", "True", "f'{a}'",
    "print", "exp", "*x", "a; a", "", "a" * 3000, "(" * 300 + "a" + ")" * 300, "a" + "+a" * 100, "--" * 100 + "a",
    "1e999", "9" * 400,
])  # fmt: skip
def test_whatever_else_is_refused(text):
    with pytest.raises(DataError):
        parse(text)({"a": tg.tensor(1.0), "x": tg.tensor([1.0])})


def test_powers_of_whole_numbers_end():
    with pytest.raises(DataError, match=r"9 \*\* 9 \*\* 9"):
        parse("a * 9**9**9**9")({"a": tg.tensor(1.0)})


def test_a_missing_value_is_named():
    with pytest.raises(DataError, match="b has no value: give one with --at b="):
        parse("a + b")({"a": tg.tensor(1.0)})


def test_a_function_of_a_number_is_refused():
    with pytest.raises(DataError, match=r"exp\(\) of something that is no tensor"):
        parse("exp(2)")({})
