"""The derivative table as it is shown to readers."""

import html
import runpy
import sys
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest

from .page import families, markdown, rows

PAGE = Path(__file__).parents[2] / "docs" / "derivatives.md"
ROWS = [pytest.param(row, id=name) for family in families() for name, row in rows(family).items()]


def test_the_page_shows_the_table_as_it_is():
    assert PAGE.read_text(encoding="utf-8") == markdown(), "run: make docs"


@pytest.mark.parametrize("row", ROWS)
def test_a_row_says_what_it_computes_and_what_its_derivative_is(row):
    assert row.formula
    assert row.derivative


@pytest.mark.parametrize("encoding", ["ascii", "cp949", "latin-1"])
def test_the_derivative_table_is_whole_in_any_encoding(monkeypatch, encoding):
    content = BytesIO()
    monkeypatch.setattr(sys, "stdout", TextIOWrapper(content, encoding=encoding))
    monkeypatch.delitem(sys.modules, "tests.derivatives.page")
    runpy.run_module("tests.derivatives.page", run_name="__main__")
    sys.stdout.flush()
    assert html.unescape(content.getvalue().decode(encoding)) == html.unescape(markdown())
