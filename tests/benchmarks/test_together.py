"""Implementations in turn, in one process: each that raises costs its own row."""

import pytest

pytest.importorskip("pytest_benchmark", reason="pytest-benchmark is not installed (group: test)")

from benchmarks.pairing import Round
from benchmarks.running import together


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
