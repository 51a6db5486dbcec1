"""The table of cases itself: does it name every row, and would it notice a wrong rule?"""

import importlib
import pkgutil

import numpy as np
import pytest

import tinygrad_poly.derivatives
from tinygrad_poly.derivatives import arithmetic, elementwise, piecewise, products, reductions, shapes
from tinygrad_poly.engine import walk
from tinygrad_poly.engine.operation import Operation

from ..derivatives.cases.table import CASES, name
from ..derivatives.checks import Run


def all_rows():
    package = tinygrad_poly.derivatives
    modules = [importlib.import_module(f"{package.__name__}.{m.name}") for m in pkgutil.iter_modules(package.__path__)]
    return {
        id(row): (module.__name__, label, row)
        for module in modules
        for label, row in vars(module).items()
        if isinstance(row, Operation)
    }


def test_every_row_of_the_derivative_table_has_a_case():
    covered = {id(case.row) for cases in CASES.values() for case in cases}
    assert not [(module, label) for key, (module, label, _) in all_rows().items() if key not in covered]


def test_every_family_of_the_derivative_table_has_cases():
    families = {module.__name__ for module in CASES}
    assert {module for module, _, row in all_rows().values() if row.rules} <= families


def test_rows_are_named_after_torchs_nodes():
    assert arithmetic.multiply.name == "Mul"
    assert repr(arithmetic.multiply) == "<Operation Mul>"


def test_a_row_is_a_function_of_plain_arrays():
    np.testing.assert_array_equal(arithmetic.multiply(np.array([2.0, 3.0]), 2.0), [4.0, 6.0])
    np.testing.assert_array_equal(reductions.sum(np.ones((2, 3)), (1,), False), [3.0, 3.0])


def is_caught(cases):
    """Whether one of the cases notices what is wrong with its row."""
    for case in cases:
        for given in case.shapes:
            try:
                Run(case, given, "float64").check_gradient()
                Run(case, given, "float64").check_second_gradient()
            except (AssertionError, ValueError):
                return True
    return False


def cases_of(row):
    return [case for cases in CASES.values() for case in cases if case.row is row]


def planted(rule, mistake):
    def wrong(g, *saved):
        return mistake(rule(g, *saved))

    return wrong


MISTAKES = {
    "a factor of 2": lambda gradient: gradient * 2,
    "a factor of 1.000001": lambda gradient: gradient * 1.000001,
    "the wrong sign": lambda gradient: -gradient,
    "nothing": lambda gradient: gradient * 0,
}
# A function that is flat between its steps has a slope of 0, and no factor makes that wrong.
STEP_MISTAKES = {"a slope": lambda gradient: gradient + 1}
PLANTED = [
    pytest.param(row, i, mistake, id=f"{label}, input {i}, {kind}")
    for _, label, row in all_rows().values()
    for i, rule in enumerate(row.rules)
    if rule is not None
    for kind, mistake in (STEP_MISTAKES if rule is piecewise.flat else MISTAKES).items()
]


@pytest.mark.parametrize(("row", "i", "mistake"), PLANTED)
def test_a_wrong_rule_is_noticed(monkeypatch, row, i, mistake):
    rules = list(row.rules)
    rules[i] = planted(rules[i], mistake)
    monkeypatch.setattr(row, "rules", tuple(rules))
    assert is_caught(cases_of(row))


@pytest.mark.parametrize("row", [arithmetic.multiply, arithmetic.divide, arithmetic.power, products.matmul], ids=str)
def test_exchanged_rules_are_noticed(monkeypatch, row):
    monkeypatch.setattr(row, "rules", tuple(reversed(row.rules)))
    assert is_caught(cases_of(row))


DROPPED = {
    "tanh without the 1": (elementwise.tanh, lambda g, y: -g * y * y),
    "sin without cos": (elementwise.sin, lambda g, x: g),
    "sum without the other axes": (reductions.sum, lambda g, shape, axis, keepdims: g),
    "permute by the same permutation": (shapes.permute, lambda g, axes: shapes.permute(g, axes)),
    "power without taking one off": (arithmetic.power_scalar, lambda g, x, n: g * (n * x**n)),
}


@pytest.mark.parametrize(("row", "rule"), DROPPED.values(), ids=DROPPED)
def test_a_dropped_term_is_noticed(monkeypatch, row, rule):
    monkeypatch.setattr(row, "rules", (rule,))
    assert is_caught(cases_of(row))


@pytest.mark.parametrize("row", [arithmetic.add, arithmetic.multiply, shapes.broadcast_to, products.matmul], ids=str)
def test_missing_unbroadcast_is_noticed(monkeypatch, row):
    monkeypatch.setattr(walk, "unbroadcast", lambda cotangent, shape: cotangent.sum() if not shape else cotangent)
    assert is_caught(cases_of(row))


def test_cases_have_distinct_names():
    labels = [(case.row.name, name(case)) for cases in CASES.values() for case in cases]
    assert len(set(labels)) == len(labels)
