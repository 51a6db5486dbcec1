"""Runs the Python examples in README.md and docs/*.md as doctests."""

from doctest import NORMALIZE_WHITESPACE
from typing import Any

import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser

import tinygrad_poly

pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser(doctest_optionflags=NORMALIZE_WHITESPACE), SkipParser()],
    patterns=["*.md"],
).pytest()


@pytest.fixture(autouse=True)
def names_in_docstrings(doctest_namespace: dict[str, Any]) -> None:
    """The examples in docstrings make tensors without saying where from."""
    doctest_namespace.update(tensor=tinygrad_poly.tensor, zeros=tinygrad_poly.zeros)
