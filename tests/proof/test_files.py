"""A quick sample of what `python -m tests.proof.files` tries."""

import sys

import pytest

from . import files


@pytest.mark.parametrize(
    ("kind", "count", "seed"),
    [
        *[("csv", 150, 1), ("runs", 60, 1), ("kills", 6, 1), ("commands", 40, 1)],
        pytest.param("csv", 500, 2, marks=pytest.mark.slow),
        pytest.param("runs", 200, 2, marks=pytest.mark.slow),
        pytest.param("kills", 20, 2, marks=pytest.mark.slow),
        pytest.param("commands", 200, 2, marks=pytest.mark.slow),
    ],
)
def test_nothing_is_wrong_in_silence(kind, count, seed):
    if kind == "kills" and sys.platform == "win32":
        pytest.skip("no fork")
    ends, wrong = files.attempt(kind, count, seed)
    assert wrong == []
    assert ends.total() == count


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
