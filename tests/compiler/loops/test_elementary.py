"""Elementary functions in Numba's loops: how far from exact they are, and what they make of special numbers."""

import ast
import math
import re

import numpy as np
import pytest

import tinygrad_poly as tg
from tinygrad_poly.compiler import compile
from tinygrad_poly.compiler.loops import elementary, numba_runner

numba = pytest.importorskip("numba")


def functions(x):
    return tuple(getattr(tg, name)(x) for name in elementary.UNITS)


@pytest.fixture(scope="module")
def compiled():
    return compile(functions)


def arguments(dtype, rng):
    """Numbers of every size and sign, many of them where something changes: k, the ends of the range, tiny results."""
    about, count = np.finfo(dtype), 2000
    first, last = (math.log(2) * (about.minexp - about.nmant - 2), math.log(2) * about.maxexp + 1)
    edges = [
        0.0,
        1.0,
        about.max,
        about.tiny,
        about.smallest_subnormal,
        about.eps,
        about.eps / 4,
        math.inf,
        math.sqrt(2),
    ]
    # Halves of log 2 are where k changes; tanh takes the double of its argument.
    edges += [k * math.log(2) / 4 for k in range(1, 90)] + [math.log(float(about.max)), -first]
    edges = np.array(edges, dtype)
    beside = [np.nextafter(edges, dtype(to)) for to in (-math.inf, math.inf)]
    given = [
        rng.integers(0, 2**about.bits, count, dtype=f"uint{about.bits}").view(dtype),
        *(sign * x for sign in (1, -1) for x in (edges, *beside)),
        rng.uniform(first, last, count),
        rng.uniform(-1, 1, count),
        rng.uniform(-6, 6, count),
        1 + rng.choice([-1, 1], count) * 2.0 ** rng.uniform(-about.nmant, 0, count),
        rng.choice([-1, 1], count) * 2.0 ** rng.uniform(-60, 5, count),
        [math.nan],
    ]
    return np.concatenate(given).astype(dtype)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.skipif(np.finfo(np.longdouble).nmant < 60, reason="there are no numbers with more digits here")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_each_is_off_by_no_more_than_it_says(compiled, dtype):
    x = arguments(dtype, np.random.default_rng(0))
    for (name, units), y in zip(elementary.UNITS.items(), compiled(tg.tensor(x))):
        found, exact = y.numpy(), getattr(np, name)(x.astype(np.longdouble))
        nearest = exact.astype(dtype)
        unit = np.spacing(np.minimum(np.abs(nearest), np.finfo(dtype).max))
        near = np.abs(found.astype(np.longdouble) - exact) <= units * unit
        same = (found == nearest) | (np.isnan(found) & np.isnan(nearest))
        assert np.all(near | same), (name, x[~(near | same)])
        number = ~np.isnan(nearest)
        assert np.array_equal(np.signbit(found[number]), np.signbit(nearest[number])), name
        assert np.all(same[~np.isfinite(x) | (x == 0)]), name


def test_numbers_of_many_digits_say_the_same(compiled):
    mpmath = pytest.importorskip("mpmath")
    mpmath.mp.prec = 200
    x = np.random.default_rng(1).uniform(0.01, 3, 100)
    for (name, units), y in zip(elementary.UNITS.items(), compiled(tg.tensor(x))):
        exact = [getattr(mpmath, name)(mpmath.mpf(float(a))) for a in x]
        assert all(abs(mpmath.mpf(b) - e) <= units * np.spacing(abs(b)) for b, e in zip(y.tolist(), exact)), name


def test_loops_call_no_library_and_take_several_elements_at_a_time():
    x = np.ones(100)
    f = compile(lambda x: (x.tanh() * 2).sum())
    f(tg.tensor(x))
    assert "np.tanh(x[i])" in f.source
    # What comes from disk is machine code alone.
    run = numba.njit(error_model="numpy")(numba_runner.compiled(f.source).py_func)
    run(x)
    (code,) = run.inspect_llvm().values()
    assert "@tanh(" not in code
    assert re.search(r"fdiv.* <\d+ x double>", code)


def test_calls_of_numpy_and_short_loops_stay_as_they_are():
    x, w = tg.linspace(-1, 1, 600).reshape(300, 2), tg.ones(2, 2)
    f = compile(lambda x, w: (tg.tanh(x @ w + 1) * 2 - x * tg.exp(x[:10].sum())).sum())
    assert f(x, w).item() == pytest.approx(f._function(x, w).item(), rel=1e-5)
    assert re.search(r"np\.tanh\(\w+, out=\w+\)", f.source)
    steps = "@njit\ndef f(x):\n    for t in range(first, last):\n"
    for length, name in (("31", "np.exp"), ("32", "fast_exp"), ("a, a + 9", "fast_exp")):
        source = f"{steps}        for i in range({length}):\n            y[i] = np.exp(x[i])\n        z = np.exp(y)\n"
        rewritten = ast.unparse(numba_runner._Rewriter().visit(ast.parse(source)))
        assert f"y[i] = {name}(x[i])" in rewritten
        assert "z = np.exp(y)" in rewritten


def test_a_name_of_the_user_is_no_function():
    def f(x):
        fast_exp = tg.exp(x) * 2
        fast_tanh = fast_exp.tanh()
        return (fast_exp * fast_tanh).sum()

    x = tg.linspace(-1, 1, 40)
    assert compile(f)(x).item() == pytest.approx(f(x).item(), rel=1e-6)
