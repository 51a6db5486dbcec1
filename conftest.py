"""What holds for all tests: where they may write, how many processes there are, and examples in pages as doctests."""

import gc
import os
from doctest import NORMALIZE_WHITESPACE
from pathlib import Path
from typing import Any

import pytest

# Processes that share the cores have one thread each. Libraries read this when they are imported.
if "PYTEST_XDIST_WORKER" in os.environ:
    for library in ("OMP", "OPENBLAS", "MKL"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")

from hypothesis import HealthCheck, settings
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser

import tinygrad_poly

MOST_PROCESSES = 8
"""More would wait for the longest file, and each takes a gigabyte."""

# Programs that would run when they are imported; tests/tutorials/test_programs.py runs them.
collect_ignore_glob = ["docs/tutorials/*.py"]

# What tests compile belongs to the checkout, not to the user.
os.environ.setdefault("TINYGRAD_POLY_CACHE", str(Path(__file__).parent / ".pytest_cache" / "compiled"))

# No test fails because a machine is slow. Tests that draw other numbers of examples ask `examples` in tests/helpers.py.
settings.register_profile(
    "quick", deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
settings.register_profile("thorough", settings.get_profile("quick"), max_examples=500)
settings.load_profile("quick")

pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser(doctest_optionflags=NORMALIZE_WHITESPACE), SkipParser()],
    patterns=["*.md"],
).pytest()


# The programs of the book have no doctests: tests/test_book.py runs them and compares what they print with its pages.
collect_ignore_glob = ["docs/*.py", "docs/*/*.py", "docs/*/*/*.py"]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """How many processes `-n auto` means: one for each core, those that share a core included."""
    return min(os.cpu_count() or 1, MOST_PROCESSES)


def pytest_collection_finish() -> None:
    """Let the garbage collector leave out the collected tests and all modules, which stay until the end anyway."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def names_in_docstrings(doctest_namespace: dict[str, Any]) -> None:
    """The examples in docstrings make tensors without saying where from."""
    doctest_namespace.update(tensor=tinygrad_poly.tensor, zeros=tinygrad_poly.zeros)
