import pytest

from tinygrad_poly.derivatives import contractions
from tinygrad_poly.derivatives.products import as_columns

from ..engine.test_operation import MISTAKES, cases_of, is_caught, planted


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
@pytest.mark.parametrize(("count", "i"), [(1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2)])
def test_a_wrong_rule_of_einsum_is_noticed(monkeypatch, count, i, mistake):
    row = contractions.einsum.of(count)
    rules = list(row.rules)
    rules[i] = planted(rules[i], mistake)
    monkeypatch.setattr(row, "rules", tuple(rules))
    assert is_caught(cases_of(row))


def test_an_einsum_that_forgets_the_diagonal_is_noticed(monkeypatch):
    monkeypatch.setattr(contractions, "on_diagonal", lambda x, indices, repeated, shape: as_columns(x))
    assert is_caught(cases_of(contractions.einsum.of(1)))
