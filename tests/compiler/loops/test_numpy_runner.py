"""What NumPy runs: sums of products by BLAS, in rows, and results in memory that is used again."""

import numpy as np
import pytest

from tinygrad_poly.compiler.loops import numba_runner, numpy_runner
from tinygrad_poly.compiler.loops.numpy_runner import NumpyProgram
from tinygrad_poly.compiler.trace.program import Program
from tinygrad_poly.compiler.trace.symbols import NAMESPACE, placeholder
from tinygrad_poly.fitting import fit

ROWS = [3, numpy_runner.ROW]


@pytest.fixture(params=ROWS, ids=["rows of 3", "one row"])
def row(request, monkeypatch):
    monkeypatch.setattr(numpy_runner, "ROW", request.param)


@pytest.fixture
def dots(monkeypatch):
    """The calls that take rows and make them, by name."""
    calls = []
    for name in ("dot_in_rows", "in_rows"):
        original = getattr(numpy_runner, name)

        def noted(*given, name=name, original=original):
            calls.append(name)
            return original(*given)

        monkeypatch.setattr(numpy_runner, name, noted)
    return calls


def both(function, *arrays):
    """The outputs of a function of symbols: by NumPy's runner, called twice, and one instruction after another."""
    inputs = [placeholder(f"x{i}", np.shape(a), a.dtype) for i, a in enumerate(arrays)]
    program = Program.of(inputs, function(*inputs))
    run = NumpyProgram(program, {}, inputs).once()
    with np.errstate(all="ignore"):
        run(*arrays)
        return run(*arrays), program.run(dict(zip(inputs, arrays, strict=True)))


def total(x):
    return NAMESPACE.sum(x, axis=None, keepdims=False)


def laid_out(kind, n):
    """Small whole numbers, whose products and sums are exact in float32, in several layouts."""
    numbers = np.arange(2 * n) % 7 - 3
    return {
        "contiguous": numbers[:n],
        "every second": numbers[::2],
        "backwards": numbers[:n][::-1],
        "transposed": numbers.reshape(2, n).T,
        "expanded": np.broadcast_to(numbers[1:2], (n,)),
    }[kind]


@pytest.mark.usefixtures("row")
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int64"])
@pytest.mark.parametrize("kind", ["contiguous", "every second", "backwards", "transposed", "expanded"])
@pytest.mark.parametrize("n", [1, 2, 3, 7, 9])
def test_sums_of_products_are_exact_where_nothing_is_rounded_and_keep_their_dtype(n, kind, dtype):
    x = laid_out(kind, n).astype(dtype, copy=False) if dtype != "int64" else laid_out(kind, n)
    y = (laid_out("contiguous", x.size) + 1).astype(dtype).reshape(x.shape)
    # Arrays from outside, an array that is written into, and one times itself.
    found, expected = both(lambda x, y: [total(x * y), total((x + 1) * y), total((x - y) * (x - y))], x, y)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b, strict=True)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n", [numpy_runner.ROW, numpy_runner.ROW + 1, 5 * numpy_runner.ROW // 2])
def test_many_products_are_added_up_within_the_counted_roundings(n, dtype):
    rng = np.random.default_rng(n)
    x, y = (rng.standard_normal(n).astype(dtype) for _ in range(2))
    ((found,), (expected,)) = both(lambda x, y: [total(x * y)], x, y)
    assert found.dtype == dtype
    # Each product passes one rounding of its own and at most n − 1 additions, in either order.
    assert abs(float(found) - float(expected)) <= 2 * n * np.finfo(dtype).eps / 2 * np.abs(x * y).sum(dtype=np.float64)


@pytest.mark.usefixtures("row")
@pytest.mark.parametrize("values", [(np.nan, 1.0), (np.inf, 1.0), (np.inf, 0.0), (np.inf, -np.inf), (1e200, 1e200)])
@pytest.mark.parametrize("place", [0, 6])
def test_sums_of_products_see_nan_and_infinity(values, place):
    x, y = np.ones(7), np.ones(7)
    x[place], y[place] = values
    ((found,), (expected,)) = both(lambda x, y: [total(x * y)], x, y)
    assert not np.isfinite(expected)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.usefixtures("row")
def test_products_that_are_needed_elsewhere_are_there():
    x = np.arange(7.0)

    def function(x):
        products = x * x
        others = (x + 1) * x
        return [products, total(products), total(others) + NAMESPACE.max(others)]

    for a, b in zip(*both(function, x), strict=True):
        np.testing.assert_array_equal(a, b)


def test_only_long_sums_of_products_are_taken_in_rows_and_what_stays_in_place_is_cut_once(monkeypatch, dots):
    monkeypatch.setattr(numpy_runner, "ROW", 3)
    both(lambda x: [total(x * x)], np.arange(3.0))
    assert dots == []
    both(lambda x: [total((x + 1) * (x + 1))], np.arange(4.0))
    # Where x + 1 is written is known before the first call.
    assert sorted(dots) == ["dot_in_rows", "dot_in_rows", "in_rows", "in_rows"]


def test_no_result_is_written_over_what_is_still_read():
    def function(x):
        a = x + 1
        b = a * 2  # a is read again
        c = a - b
        d = a.mT + c  # and so is its transpose, by what may write over it
        return [d * d.mT, NAMESPACE.matmul(d, d) + d, c]

    for a, b in zip(*both(function, np.arange(9.0).reshape(3, 3)), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_chain_of_elementwise_results_takes_one_array():
    x = y = placeholder("x", (5,), np.float64)
    for k in range(2, 6):
        y = y * float(k)
    program = Program.of([x], [total(y)])
    memory = numpy_runner._memory({s: s.inputs for s in program.instructions}, program.outputs)
    assert len(memory) == 4
    assert len({id(array) for array in memory.values()}) == 1


@pytest.mark.usefixtures("row")
def test_a_fit_without_numba_takes_the_steps_of_the_tape(monkeypatch, sine):
    monkeypatch.setattr(numba_runner, "available", lambda: False)
    expected, found = (
        fit(*sine.arguments, steps=20, log_every=7, progress=False, compile=compile) for compile in (False, True)
    )
    # Another order of 50 terms in each of the sums.
    close = 20 * 50 * np.finfo(np.float64).eps
    np.testing.assert_allclose(list(found.losses.values()), list(expected.losses.values()), rtol=close)
    ours, tapes = ([w.item() for w in result.params.values()] for result in (found, expected))
    np.testing.assert_allclose(ours, tapes, rtol=close)
