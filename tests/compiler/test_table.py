"""Every row of the derivative table compiles: the cases of its tests give the same through `compile`."""

import numpy as np
import pytest

import tinygrad_poly as tg
from tinygrad_poly.compiler import compile
from tinygrad_poly.compiler.loops import numpy_runner
from tinygrad_poly.compiler.loops.numpy_runner import NumpyProgram
from tinygrad_poly.engine.errors import TraceError

from ..derivatives.cases.table import CASES, name
from ..helpers import DTYPES, cotangent, dtype_name, numbers, ours, reduced_to

# How many elements these give, or what, is decided by numbers.
DEPEND_ON_NUMBERS = ("x[x > 0]", "x[x > 9]", "masked_select", "lstsq with more rows than unknowns")

# Functions that NumPy has not: they are called element by element.
CALLED = ("erf", "erfc", "gelu")

# NumPy computes these with other functions for one number than for a row of them, and for float32 than for float64.
OF_TWO_ACCURACIES = ("a ** b", "a ** b log a")

RUNS = [(case, shapes) for cases in CASES.values() for case in cases for shapes in case.shapes]


def value_and_gradients(case):
    def function(v, *inputs):
        y = case.call(tg, *inputs)
        return [y, *tg.grad(y, inputs, v)]

    return function


def arguments(case, shapes, dtype):
    rng = np.random.default_rng([len(shapes), *(n for shape in shapes for n in shape)])
    inputs = [ours(a, dtype) for a in case.inputs(rng, shapes)]
    y = case.call(tg, *inputs)
    return [ours(cotangent(rng, y.shape), dtype_name(y), False), *inputs]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("case", "shapes"), [r for r in RUNS if r[0].label not in DEPEND_ON_NUMBERS], ids=name)
def test_value_and_gradients_are_those_of_the_tape(uncompiled, always_loops, monkeypatch, case, shapes):
    dtype = DTYPES[shapes == case.shapes[0]]
    function, given = value_and_gradients(case), arguments(case, shapes, dtype)
    compiled = compile(function)
    expected, found = function(*given), compiled(*given)
    assert compiled.source.startswith(("def run", "@njit\n"))
    allowed = [0.0] * len(expected)
    if case.label in OF_TWO_ACCURACIES:
        # Each term is off by 4 units in one of the two, and multiplied and added up with a few more roundings.
        allowed = [16 * np.finfo(y.dtype).eps * terms for y, terms in zip(expected, sums_of_terms(case, given))]
    for y, reference, error in zip(found, expected, allowed, strict=True):
        assert y.shape == reference.shape
        assert y.dtype == reference.dtype
        # Both call NumPy for the same numbers in the same order, sums of a few elements included.
        assert np.all((np.abs(numbers(y) - numbers(reference)) <= error) | same(numbers(y), numbers(reference)))
    program, arrays = compiled.program, [x.array for x in given]
    # BLAS adds products up in another order: see test_numpy_runner.py.
    monkeypatch.setattr(numpy_runner, "is_product", lambda s: False)
    on_numpy = NumpyProgram(program, {}, program.inputs).once()(*arrays)
    for y, reference in zip(on_numpy, program.run(dict(zip(program.inputs, arrays, strict=True))), strict=True):
        np.testing.assert_array_equal(y, reference)


def same(x, y):
    return (x == y) | (np.isnan(x) & np.isnan(y))


def sums_of_terms(case, given):
    """The sums of the absolute values of what each result is a sum of."""
    v, *inputs = given
    full = [ours(np.broadcast_to(numbers(x), v.shape), dtype_name(x)) for x in inputs]
    y, *terms = value_and_gradients(case)(v, *full)
    sums = [reduced_to(x.shape, np.abs(numbers(term))) for x, term in zip(inputs, terms, strict=True)]
    return [np.abs(numbers(y)), *sums]


@pytest.mark.parametrize(("case", "shapes"), [r for r in RUNS if r[0].label in DEPEND_ON_NUMBERS], ids=name)
def test_what_depends_on_numbers_is_refused(case, shapes):
    with pytest.raises(TraceError, match=r"depends on numbers|has no number yet"):
        compile(value_and_gradients(case))(*arguments(case, shapes, "float64"))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("dtype", DTYPES)
def test_all_elementwise_rows_together_are_one_loop_for_numba(dtype):
    pytest.importorskip("numba")
    rng = np.random.default_rng(0)
    families = [cases for family, cases in CASES.items() if family.__name__.endswith(("elementwise", "activations"))]
    chosen = [case for cases in families for case in cases if len(case.shapes[0]) == 1 and case.label not in CALLED]
    inputs = [[ours(a, dtype) for a in case.inputs(rng, ((7,),))] for case in chosen]

    def function(every):
        results = []
        for case, given in zip(chosen, every, strict=True):
            y = case.call(tg, *given)
            results += [y, *tg.grad(y.sum(), given)]
        return results

    compiled = compile(function)
    found, expected = compiled(inputs), function(inputs)
    assert not compiled.source.startswith("# Executed by NumPy")
    unit = np.finfo(dtype).eps / 2
    for y, reference in zip(found, expected, strict=True):
        assert y.dtype == reference.dtype
        # Numba calls the C library where NumPy has its own functions, which may be 4 units off; the rest
        # is the conditioning of the short formulas that follow.
        assert np.all(np.abs(numbers(y) - numbers(reference)) <= 64 * unit * np.maximum(1, np.abs(numbers(reference))))
