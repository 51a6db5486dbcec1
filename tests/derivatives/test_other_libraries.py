"""The functions of each element on arrays of the array API's strict reference implementation."""

import array_api_strict as strict
import numpy as np
import pytest

import tinygrad_poly as tg
from tinygrad_poly.backward import leaf
from tinygrad_poly.derivatives import activations, arithmetic, elementwise, piecewise
from tinygrad_poly.operators import wrap

from ..helpers import UNIT_ROUNDOFF
from .cases.table import CASES

FAMILIES = (arithmetic, elementwise, piecewise, activations)
# What the standard has no function for, and a clamp to a < b that is drawn with a > b, which it leaves open.
MISSING = (arithmetic.fmod, elementwise.exp2, elementwise.cbrt, piecewise.fmax, piecewise.fmin)
COVERED = [
    case for family in FAMILIES for case in CASES[family] if case.row not in MISSING and case.label != "clamp(x, a, b)"
]


def value_and_gradients(xp, case, dtype):
    """And the gradients' gradients, where there are any."""
    shapes = max(case.shapes, key=lambda shapes: (max(np.prod(s, dtype=int) for s in shapes), len(shapes[0])))
    inputs = [xp.asarray(a.astype(dtype)) for a in case.inputs(np.random.default_rng(0), shapes)]
    tensors = [wrap(a, leaf(a)) for a in inputs]
    y = case.call(tg, *tensors)
    first = tg.grad(y, tensors, wrap(xp.ones(y.shape, dtype=y.dtype) * 1.5, None), create_graph=True)
    second = tg.grad(sum((g * g * x).sum() for g, x in zip(first, tensors, strict=True)), tensors)
    found = [y, *first, *second]
    assert all(type(t.array) is type(inputs[0]) or xp is np for t in found)
    assert all(t.dtype == inputs[0].dtype for t in found)
    return [np.asarray(t.array) for t in found]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", COVERED, ids=str)
def test_a_row_on_strict_arrays_gives_the_numbers_of_numpy(case, dtype):
    with np.errstate(all="ignore"):
        both = zip(*(value_and_gradients(xp, case, dtype) for xp in (strict, np)), strict=True)
        for mine, reference in both:
            # the same functions; only sums over what was broadcast (up to 12 terms) may be ordered differently
            scale = max(1.0, np.abs(reference).max(initial=0))
            np.testing.assert_allclose(mine, reference, rtol=0, atol=60 * UNIT_ROUNDOFF[dtype] * scale)
