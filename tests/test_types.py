"""A user's program under a strict type checker: everything is what it is said to be, and mistakes are found."""

import subprocess
import sys
from pathlib import Path

import pytest

from .user_program import right

ROOT = Path(__file__).parents[1]


def test_the_program_runs():
    pytest.importorskip("numba")
    right()


@pytest.mark.slow
def test_mypy_finds_its_mistakes_and_no_others():
    """Each `assert_type` holds, and each `type: ignore` is needed: what `make types` checks with the package."""
    pytest.importorskip("mypy")
    command = [sys.executable, "-m", "mypy", "--cache-dir", ".pytest_cache/mypy", "tests/user_program.py"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout == "Success: no issues found in 1 source file\n"
