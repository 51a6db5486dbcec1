"""Numba where it is, and without it the same numbers and one warning."""

import ast
import sys
import threading
import time
import types
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import tinygrad_poly as tg
from tinygrad_poly.compiler import compile
from tinygrad_poly.compiler.loops import numba_runner, threads
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
        (numba_of("0.9rc1"), "Numba 0.9rc1 is too old, 0.60 is needed; the compiled program runs on NumPy"),
    ],
    ids=["missing", "too old", "too old, and no number"],
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


@pytest.mark.parametrize("version", ["0+unknown", "0.60.0rc1", "0.60dev0", "1.0", "unknown", "0.61.0+git.5"])
def test_a_version_that_is_not_known_to_be_too_old_is_used(asked_again, monkeypatch, version):
    monkeypatch.setitem(sys.modules, "numba", numba_of(version))
    assert numba_runner.available()


def test_infinities_and_nans_stay_what_they_are():
    pytest.importorskip("numba")
    numbers = [np.inf, -np.inf, np.nan, 0.0, -0.0, 1e200]
    f = compile(lambda x: (x * x, 1 / x, x - x, tg.maximum(x, x * 0 + 1), (x != x) * 1, tg.isfinite(x) * 1, x.max()))
    x = tg.tensor(numbers, dtype=tg.float64)
    with np.errstate(all="ignore"):
        expected = [x * x, 1 / x, x - x, tg.maximum(x, x * 0 + 1), (x != x) * 1, tg.isfinite(x) * 1, x.max()]
    for y, reference in zip(f(x), expected, strict=True):
        np.testing.assert_array_equal(y.numpy(), reference.numpy())


# One rounding more or less, or another order, and each of these is another number.
AS_THEY_STAND = {
    "a compensated sum": lambda x, y: (x + y) - x - y,
    "a difference of equal products": lambda x, y: x * y - y * x,
    "the root of nothing": lambda x, y: (x * x - x * x).sqrt(),
    "a product that leaves the range on its way": lambda x, y: x * 1e200 * 1e200 * 1e-300,
    "a product and its inverse": lambda x, y: x * 1e30 * 1e30 / 1e30,
    "multiples of infinity": lambda x, y: x * 3 - x * 2,
    "log1p by hand": lambda x, y: tg.log(1 + x) * x / ((1 + x) - 1),
    "the sign of zero": lambda x, y: 1 / (x * 0 + 0 * y),
    "the sign of a remainder": lambda x, y: 1 / tg.remainder(x - x + y, y),
    "a root as a power": lambda x, y: x**0.5,
    "a comparison of what may be rounded": lambda x, y: tg.where(x * x + y * y > y * y + x * x, x, y),
    "a floor beside a whole number": lambda x, y: tg.floor(x * 10 / 10 - x),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_is_no_sum_is_computed_as_it_stands(dtype):
    pytest.importorskip("numba")
    random = np.random.default_rng(0)
    awkward = [np.inf, -np.inf, np.nan, 0.0, -0.0, 1e-30, 1e30, 1e-10, 0.1, 0.3, -0.7, 1e-38]
    x = tg.tensor(np.array([*awkward, *random.normal(size=50)], dtype))
    y = tg.tensor(np.array([*random.normal(size=50), *awkward], dtype))
    with np.errstate(all="ignore"):
        expected = [function(x, y).numpy() for function in AS_THEY_STAND.values()]
    compiled = compile(lambda x, y: tuple(function(x, y) for function in AS_THEY_STAND.values()))(x, y)
    for name, reference, found in zip(AS_THEY_STAND, expected, (z.numpy() for z in compiled), strict=True):
        numbers = ~np.isnan(reference)
        assert np.array_equal(~np.isnan(found), numbers), name
        two_logarithms = 4 if name == "log1p by hand" else 0
        np.testing.assert_array_max_ulp(found[numbers], reference[numbers], maxulp=two_logarithms)
        assert np.array_equal(np.signbit(found[numbers]), np.signbit(reference[numbers])), name


# Each has a product of two of its factors that float32 cannot hold, and terms that it can.
TERMS = {
    "numbers": lambda x, w: x * 6.6e-34 * 6.6e-34,
    "a number and an array": lambda x, w: 6.6e-34 * (x * (x * 0 + 6.6e-34)),
    "quotients": lambda x, w: x / 1.5e33 / 1.5e33,
    "an argument": lambda x, w: x * w * w,
    "an argument and a number": lambda x, w: (x * w) * 6.6e-34,
    "too large": lambda x, w: x * 1e-30 * 1e-30 * 1e30 * 1e30,
    "of a slope": lambda x, w: tg.grad((w * x * w * w).sum(), w)[0] * x,
}


@pytest.mark.parametrize("term", TERMS.values(), ids=TERMS)
@pytest.mark.parametrize("count", [3, 2000])
def test_the_factors_of_a_term_keep_their_order(term, count):
    pytest.importorskip("numba")
    x, w = tg.full((count,), 1e30), tg.tensor(6.6e-34, requires_grad=True)
    expected = term(x, w).sum().item()
    assert 0 < expected < np.inf
    assert compile(lambda x, w: term(x, w).sum())(x, w).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("count", [2, 5000])
def test_a_sum_is_no_number_where_a_term_is_none(count):
    pytest.importorskip("numba")
    f = compile(lambda x: ((x - x).sum(), (x * 0).sum(), ((x - 1) - x).sum(), (x * 3 - x * 2).sum(), (x / x).sum()))
    for value in (np.nan, np.inf):
        x = np.ones(count)
        x[count // 2] = value
        assert all(np.isnan(y.item()) for y in f(tg.tensor(x)))


@pytest.mark.parametrize("shape", [(200_000,), (100, 2000), (70_000, 3)], ids=str)
def test_long_sums_of_float32_numbers_are_right_to_a_millionth(monkeypatch, shape):
    pytest.importorskip("numba")
    monkeypatch.setattr(threads, "thread_count", lambda: 1)
    terms = [lambda x: x, lambda x: x * x, lambda x: x.exp()]
    x = tg.full(shape, 0.1)
    # In one loop with a function, and in loops without one, sums are taken in two ways.
    for some in (terms, terms[:2]):
        for term, found in zip(some, compile(lambda x, some=some: tuple(term(x).mean() for term in some))(x)):
            assert abs(found.item() / term(tg.tensor(0.1).double()).item() - 1) <= 1e-6


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan, 2.5, 10**6])
def test_integers_compare_with_any_number(value):
    comparisons = lambda i: (i > value, i <= value, i == value, i != value)  # noqa: E731
    i = tg.tensor([-1, 0, 2, 3])
    for found, expected in zip(compile(comparisons)(i), comparisons(i), strict=True):
        assert found.tolist() == expected.tolist()


@pytest.mark.parametrize("name", ["round", "floor", "ceil", "trunc"])
def test_whole_numbers_stay_integers(name):
    i = tg.tensor([-3, 0, 7])
    found = compile(getattr(tg, name))(i)
    assert found.dtype == tg.int64
    assert found.tolist() == [-3, 0, 7]


def test_numba_gets_scalars_for_arrays_with_one_element():
    first, second, third = numba_runner.arguments([np.ones((1, 1)), np.float32(2), np.ones((2, 3)).T])
    assert (first, type(second)) == (1.0, np.float32)
    assert third.flags.c_contiguous


def test_two_threads_do_not_parse_at_once(monkeypatch):
    # Python 3.11 would sometimes raise SystemError: AST constructor recursion depth mismatch.
    pytest.importorskip("numba")
    parse, parsing, alone = ast.parse, threading.Lock(), []

    def slowly(source):
        alone.append(parsing.acquire(blocking=False))
        if alone[-1]:
            time.sleep(0.001)
            parsing.release()
        return parse(source)

    sources = [f"def run(x):\n    return x + {k}\n" for k in range(8)]
    with monkeypatch.context() as patched, ThreadPoolExecutor(2) as pool:
        patched.setattr(ast, "parse", slowly)
        found = [run.py_func(0) for run in pool.map(numba_runner.compiled, sources)]
    assert found == list(range(8))
    assert all(alone)
