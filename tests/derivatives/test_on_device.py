"""The whole table on arrays with CuPy's interface: NumPy's numbers, and none of them leaves the device on the way."""

import numpy as np
import pytest

from tinygrad_poly.derivatives import linalg, ordering
from tinygrad_poly.derivatives import shapes as moves

from .cases.table import CASES, name, runs
from .on_device import value_and_gradients

# One case moves to the CPU, and one has its index in NumPy's memory, where users cannot put it.
LEFT_OUT = (moves.to_device, ordering.place)
RUNS = [(case, shapes) for case, shapes in runs() if case.row not in LEFT_OUT]


def waits(case):
    """Whether the device has to be waited for: to know how many a mask selects, or that a matrix is singular."""
    return "mask" in case.label or "x >" in case.label or case in CASES[linalg]


@pytest.mark.parametrize(("case", "shapes"), RUNS, ids=name)
def test_a_row_on_a_device_gives_the_numbers_of_numpy(cupy, case, shapes):
    with np.errstate(all="ignore"):
        found = value_and_gradients(case, shapes, "float32", "cuda:0")
        assert not cupy.counts["to_host"] or waits(case)
        expected = value_and_gradients(case, shapes, "float32", "cpu")
    for mine, reference in zip(found, expected, strict=True):
        assert mine.dtype == reference.dtype
        np.testing.assert_array_equal(mine.detach().cpu().numpy(), reference.detach().numpy())
