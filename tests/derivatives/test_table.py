"""The derivative table as it is shown to readers."""

from pathlib import Path

import pytest

from tinygrad_poly.derivatives.__main__ import families, markdown, rows

PAGE = Path(__file__).parents[2] / "docs" / "derivatives.md"
ROWS = [pytest.param(row, id=name) for family in families() for name, row in rows(family).items()]


def test_the_page_shows_the_table_as_it_is():
    assert PAGE.read_text(encoding="utf-8") == markdown(), "run: make docs"


@pytest.mark.parametrize("row", ROWS)
def test_a_row_says_what_it_computes_and_what_its_derivative_is(row):
    assert row.formula
    assert row.derivative
