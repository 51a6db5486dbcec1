"""`tinygrad-poly bench --quick`: implementations in turn, in one process; each that raises costs its own row."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks.pairing import Round
from benchmarks.running import together

ROOT = Path(__file__).parents[2]


def test_one_that_raises_while_it_gets_ready_or_in_a_round_costs_its_row_only():
    def broken():
        raise ValueError("not ready")

    def late():
        raise KeyError("later")

    kept = {}
    starts = {
        "tinygrad_poly": lambda: Round(lambda: None, took=1e-3),
        "compiled": broken,
        "JAX fori_loop": lambda: Round(late, took=1e-3),
        "torch.autograd": lambda: Round(lambda: None, took=1e-3),
    }
    rows = together.measured(starts, lambda name: None, kept.__setitem__, budget=0)
    assert list(rows) == ["tinygrad_poly", "torch.autograd"]
    assert len(rows["tinygrad_poly"]["references"]["torch.autograd"]) == len(rows["tinygrad_poly"]["seconds"]) == 10
    assert kept == {
        "compiled": {"skipped": "ValueError: not ready", "failed": True},
        "JAX fori_loop": {"skipped": "KeyError: 'later'", "failed": True},
    }


@pytest.mark.slow
def test_the_command_needs_no_pytest():
    # `make bench-quick` installs what it compares with, and nothing of the tests.
    code = "import sys; sys.modules['pytest'] = None; from benchmarks.__main__ import main; main(['--quick', '--list'])"
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (told.returncode, told.stderr) == (0, "")


def test_it_says_how_long_it_takes_and_what_is_missing(monkeypatch):
    chosen = command._chosen(command._parser("bench").parse_args(["--quick", "--device", "cpu"]))
    titles = [unit.title for unit in chosen.units()]
    assert titles == ["sin-2000-float64-cpu, 1 thread", "line-6-float64-cpu, 1 thread", "whole programs"]
    monkeypatch.setattr(command, "missing", lambda *_: [])
    assert command.quick_words(chosen.units()) == "This takes about 45 s on two idle cores, and longer on busy ones."
    monkeypatch.setattr(command, "missing", lambda *_: ["jax"])
    assert "Without jax: `make bench-quick` installs" in command.quick_words(chosen.units())


def test_what_readme_says_stands_beside_what_was_measured():
    row = {"case": "line-6-float64-cpu", "threads": 1, "implementation": "tinygrad_poly", "device": "cpu"}
    row |= {"seconds": [1.0], "references": {"torch.autograd": [4.0]}}
    ((what, said, here),) = command.claims({"rows": [row], "processes": []})
    assert (what, here) == ("line fit, 6 points, float64: tinygrad_poly / torch.autograd", "0.25")
    assert 0 < float(said) < 1
