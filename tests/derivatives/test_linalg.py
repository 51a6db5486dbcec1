import pytest

from tinygrad_poly.derivatives import linalg

from ..helpers import DTYPES
from .cases.table import name, runs
from .checks import Run
from .test_operation import MISTAKES, cases_of, is_caught, planted

each_case = pytest.mark.parametrize(("case", "shapes"), runs(linalg), ids=name)
each_dtype = pytest.mark.parametrize("dtype", DTYPES)


@each_dtype
@each_case
def test_value_is_torchs(case, shapes, dtype):
    Run(case, shapes, dtype).check_value()


@each_dtype
@each_case
def test_gradient_is_torchs(case, shapes, dtype):
    Run(case, shapes, dtype).check_gradient()


@each_dtype
@each_case
def test_gradient_of_the_gradient_is_torchs(case, shapes, dtype):
    Run(case, shapes, dtype).check_second_gradient()


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
@pytest.mark.parametrize(("count", "i"), [(1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2)])
def test_a_wrong_rule_of_einsum_is_noticed(monkeypatch, count, i, mistake):
    row = linalg.einsum.of(count)
    rules = list(row.rules)
    rules[i] = planted(rules[i], mistake)
    monkeypatch.setattr(row, "rules", tuple(rules))
    assert is_caught(cases_of(row))


def test_an_einsum_that_forgets_the_diagonal_is_noticed(monkeypatch):
    monkeypatch.setattr(linalg, "on_diagonal", lambda x, indices, repeated, shape: linalg.as_columns(x))
    assert is_caught(cases_of(linalg.einsum.of(1)))
