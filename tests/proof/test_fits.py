"""Compiled fits beside eager ones: a few of those that `python -m tests.proof.fits` takes, and faults that it sees."""

from unittest.mock import patch

import numpy as np
import pytest

import tinygrad_poly as tg
from tests.proof import fits
from tinygrad_poly.fitting.loops import compiled

pytestmark = pytest.mark.usefixtures("ctrl_c")


@pytest.mark.parametrize("seed", range(16))
def test_a_compiled_fit_is_the_eager_one_wherever_it_ends(seed):
    fits.judge(fits.Case.drawn(seed))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 200))
def test_many_compiled_fits_are_the_eager_ones(seed):
    fits.judge(fits.Case.drawn(seed))


class Blind:
    """NumPy, for which all losses are finite."""

    isfinite = staticmethod(lambda losses: np.ones(len(losses), bool))

    def __getattr__(self, name):
        return getattr(np, name)


def one_step_less(chunks, step, end=compiled._Chunks._end, **how):
    return end(chunks, max(step - 1, chunks.state.steps.start), **how)


@pytest.mark.parametrize(
    "fault",
    [
        lambda: patch.object(tg.optim.Optimizer, "go_back", lambda optimizer, snapshot: None),
        lambda: patch.object(compiled._Chunks, "_end", one_step_less),
        lambda: patch.object(compiled, "np", Blind()),
    ],
    ids=["the optimizer is not put back", "a step too few", "infinite losses are overlooked"],
)
def test_a_fault_is_seen(fault):
    def judge_many():
        for seed in range(60):
            fits.judge(fits.Case.drawn(seed))

    with fault(), pytest.raises(AssertionError):
        judge_many()
