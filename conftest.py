"""Runs the Python examples in README.md and docs/*.md as doctests."""

import os
from doctest import NORMALIZE_WHITESPACE
from pathlib import Path
from typing import Any

import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser

import tinygrad_poly

# What tests compile belongs to the checkout, not to the user.
os.environ.setdefault("TINYGRAD_POLY_CACHE", str(Path(__file__).parent / ".pytest_cache" / "compiled"))

pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser(doctest_optionflags=NORMALIZE_WHITESPACE), SkipParser()],
    patterns=["*.md"],
).pytest()


@pytest.fixture(autouse=True)
def names_in_docstrings(doctest_namespace: dict[str, Any]) -> None:
    """The examples in docstrings make tensors without saying where from."""
    doctest_namespace.update(tensor=tinygrad_poly.tensor, zeros=tinygrad_poly.zeros)
