"""Numba where it is, and without it the same numbers and one warning."""

import sys
import types
import warnings

import numpy as np
import pytest

import tinygrad_poly as tg
from tinygrad_poly.compiler import compile
from tinygrad_poly.compiler.loops import numba_runner
from tinygrad_poly.fitting import fit


@pytest.fixture
def asked_again():
    """Whether there is a Numba is found out anew, now and for the next test."""
    numba_runner.available.cache_clear()
    yield
    numba_runner.available.cache_clear()


def numba_of(version):
    module = types.ModuleType("numba")
    module.__version__ = version
    return module


@pytest.mark.parametrize(
    ("numba", "message"),
    [
        (None, "Numba is not installed or does not work here, so the compiled program runs on NumPy"),
        (numba_of("0.59.1"), "Numba 0.59.1 is too old, 0.60 is needed; the compiled program runs on NumPy"),
    ],
    ids=["missing", "too old"],
)
def test_without_numba_one_warning_and_the_same_numbers(asked_again, monkeypatch, sine, numba, message):
    expected = fit(*sine.arguments, steps=20, log_every=7, progress=False)
    monkeypatch.setitem(sys.modules, "numba", numba)
    with pytest.warns(UserWarning, match=message):
        found = fit(*sine.arguments, steps=20, log_every=7, progress=False, compile=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert compile(lambda x: x * 2)(tg.tensor([1.0])).tolist() == [2.0]
    # NumPy is called for the same numbers; in each step BLAS adds up the products for 50 points in an order of its own.
    close = 20 * 50 * np.finfo(np.float64).eps
    np.testing.assert_allclose(list(found.losses.values()), list(expected.losses.values()), rtol=close)
    ours, tapes = ([w.item() for w in result.params.values()] for result in (found, expected))
    np.testing.assert_allclose(ours, tapes, rtol=close)


def test_infinities_and_nans_stay_what_they_are():
    pytest.importorskip("numba")
    numbers = [np.inf, -np.inf, np.nan, 0.0, -0.0, 1e200]
    f = compile(lambda x: (x * x, 1 / x, x - x, tg.maximum(x, x * 0 + 1), (x != x) * 1, tg.isfinite(x) * 1, x.max()))
    x = tg.tensor(numbers, dtype=tg.float64)
    with np.errstate(all="ignore"):
        expected = [x * x, 1 / x, x - x, tg.maximum(x, x * 0 + 1), (x != x) * 1, tg.isfinite(x) * 1, x.max()]
    for y, reference in zip(f(x), expected, strict=True):
        np.testing.assert_array_equal(y.numpy(), reference.numpy())


def test_numba_gets_scalars_for_arrays_with_one_element():
    first, second, third = numba_runner.arguments([np.ones((1, 1)), np.float32(2), np.ones((2, 3)).T])
    assert (first, type(second)) == (1.0, np.float32)
    assert third.flags.c_contiguous
