"""A quick sample of what `python -m tests.proof.files` tries."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from . import files


@pytest.mark.parametrize(
    ("kind", "count", "seed"),
    [
        *[("csv", 150, 1), ("runs", 60, 1), ("commands", 40, 1)],
        pytest.param("csv", 500, 2, marks=pytest.mark.slow),
        pytest.param("runs", 200, 2, marks=pytest.mark.slow),
        pytest.param("commands", 200, 2, marks=pytest.mark.slow),
    ],
)
def test_nothing_is_wrong_in_silence(kind, count, seed):
    ends, wrong = files.attempt(kind, count, seed)
    assert wrong == []
    assert ends.total() == count


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no such processes")
@pytest.mark.parametrize("count", [6, pytest.param(30, marks=pytest.mark.slow)])
def test_whoever_is_killed_a_saved_run_is_whole(count):
    # In a process of its own: this one may have threads of JAX, which a fork would stop.
    command = [sys.executable, "-m", "tests.proof.files", "kills", "--count", str(count)]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith(f"kills: {count} with seed 0: ")


@pytest.mark.parametrize(
    ("kind", "name", "mistake"),
    [
        ("csv", "tinygrad_poly.fitting.points._is_name", lambda cell: True),
        ("runs", "tinygrad_poly.fitting.saved._checksum", lambda document: document["sha256"]),
    ],
)
def test_a_mistake_is_found(monkeypatch, kind, name, mistake):
    monkeypatch.setattr(name, mistake)
    assert files.attempt(kind, 60, 0)[1]


def test_the_command_prints_count_and_seed(capsys):
    assert files.main(["csv", "--count", "20", "--seed", "3"]) == 0
    assert capsys.readouterr().out.startswith("csv: 20 with seed 3: ")
