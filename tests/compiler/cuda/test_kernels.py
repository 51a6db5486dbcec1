"""What is printed for a GPU computes what the tape computes: compiled for a GPU by NVRTC, and run on the CPU."""

import sys

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import tinygrad_poly as tg
from tinygrad_poly.checking import strategies
from tinygrad_poly.checking.cases import largest_ratio
from tinygrad_poly.compiler.loops import fuse
from tinygrad_poly.compiler.trace.program import Program
from tinygrad_poly.compiler.trace.simplify import simplify
from tinygrad_poly.compiler.trace.symbols import placeholder, record

from ...derivatives.cases.table import CASES
from ...helpers import DTYPES, numbers
from ..routes import traced
from ..test_table import DEPEND_ON_NUMBERS, arguments, value_and_gradients
from ..trace.test_program import asked, given_tensors, small
from .on_cpu import batch, emulator, fake_cupy, nvrtc

needs_compiler = pytest.mark.skipif(emulator.COMPILER is None, reason="needs a C++ compiler, g++, to run kernels")
needs_nvrtc = pytest.mark.skipif(nvrtc.library() is None, reason="needs NVRTC: pip install nvidia-cuda-nvrtc")
# What is drawn is collected first, and compiled all at once: there is nothing to shrink then.
drawn = settings(phases=[Phase.generate], max_examples=60)


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", fake_cupy.module())


def drawn_cases(strategy, keep):
    """For each drawn case that is kept: it, its program, the arrays it is given, and what the tape computes."""
    found = []

    @drawn
    @given(case=strategy)
    def collect(case):
        if keep(case):
            function, wanted = asked(case.problem)
            tensors = given_tensors(case.problem, wanted, keep.dtype)
            program = simplify(traced(function, tensors))
            expected = [y.detach().numpy() for y in function(*tensors)]
            if len(program.outputs) == len(expected):
                found.append((case, program, [x.array for x in tensors], expected))

    collect()
    return found


class Exact:
    dtype = "float64"

    def __call__(self, case):
        function, wanted = asked(case.problem)
        tensors = given_tensors(case.problem, wanted, self.dtype)
        every = [y.detach().numpy() for y in function(*tensors)]
        # Thirds, from means, are rounded.
        return not any(np.any(np.abs(y) > 2.0**40) or np.any(y * 64 != np.round(y * 64)) for y in every)


class Judged:
    def __init__(self, dtype):
        self.dtype = dtype

    def __call__(self, case):
        return case.judged(self.dtype)


@pytest.mark.slow
@needs_compiler
def test_kernels_are_exact_where_nothing_is_rounded(monkeypatch):
    cases = drawn_cases(strategies.gradient_problems(small), Exact())
    batch.build(batch.kernels([program for _, program, _, _ in cases], monkeypatch))
    run = 0
    for case, program, arrays, expected in cases:
        for way, found in batch.computed(program, arrays, monkeypatch):
            run += 1
            for y, reference in zip(found, expected, strict=True):
                assert (y.shape, y.dtype) == (reference.shape, reference.dtype), (way, case)
                np.testing.assert_array_equal(y, reference, err_msg=f"{way}: {case}")
    assert run > 0


@pytest.mark.slow
@needs_compiler
@pytest.mark.parametrize("dtype", DTYPES)
def test_kernels_are_within_what_rounding_allows(dtype, monkeypatch):
    cases = drawn_cases(strategies.gradient_problems(), Judged(dtype))
    batch.build(batch.kernels([program for _, program, _, _ in cases], monkeypatch))
    run = 0
    for case, program, arrays, _ in cases:
        for way, found in batch.computed(program, arrays, monkeypatch):
            run += 1
            for y, (what, exact, majorant, count) in zip(found, case.parts, strict=False):
                ratio, _ = largest_ratio(y, exact, majorant, count, dtype)
                assert ratio <= 1, (way, what, case)
    assert run > 0


@pytest.fixture(scope="module")
def table():
    """The cases of the derivative table as programs, with what they are given and what they give.

    Of the shapes of each case there is one, now these and now those: a kernel takes longer to compile than to run.
    """
    found = []
    for number, case in enumerate(case for cases in CASES.values() for case in cases):
        if case.label in DEPEND_ON_NUMBERS:
            continue
        shapes = case.shapes[number % len(case.shapes)]
        dtype = DTYPES[shapes == case.shapes[0]]
        function, tensors = value_and_gradients(case), arguments(case, shapes, dtype)
        with np.errstate(all="ignore"):
            program = simplify(traced(function, tensors))
            expected = [numbers(y) for y in function(*tensors) if y is not None]
        if len(program.outputs) == len(expected):
            found.append((case.label, program, [x.array for x in tensors], expected))
    return found


@pytest.mark.slow
@needs_compiler
@pytest.mark.filterwarnings("ignore")
def test_the_derivative_table_gives_the_same_in_kernels(table, monkeypatch):
    batch.build(batch.kernels([program for _, program, _, _ in table], monkeypatch))
    run = set()
    for label, program, arrays, expected in table:
        for way, found in batch.computed(program, arrays, monkeypatch):
            run.add(label)
            for y, reference in zip(found, expected, strict=True):
                assert (y.shape, y.dtype) == (reference.shape, reference.dtype), (label, way)
                # The C library where NumPy has its own functions, as in test_table.
                unit = np.finfo(y.dtype).eps / 2 if y.dtype.kind == "f" else 0
                with np.errstate(invalid="ignore"):
                    near = np.abs(y - 1.0 * reference) <= 64 * unit * np.maximum(1, np.abs(reference))
                assert np.all(near | (y == reference) | ((y != y) & (reference != reference))), (label, way)
    assert len(run) > 100


@pytest.mark.slow
@needs_nvrtc
@pytest.mark.filterwarnings("ignore")
def test_nvidias_compiler_takes_the_whole_table(table, monkeypatch):
    sources = batch.kernels([program for _, program, _, _ in table], monkeypatch)
    assert len(sources) > 100
    batch.check_with_nvrtc(sources)


# NumPy's own functions and the C library's round these differently in the last bits.
ROUNDED = {
    *("cbrt", "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "logaddexp", "logaddexp2", "power"),
    *("sin", "cos", "tan", "arcsin", "arccos", "arctan", "arctan2", "sinh", "cosh", "tanh", "arcsinh", "arccosh"),
    *("arctanh", "hypot", "float_power"),
}
SPECIAL = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 3.0, 1e30, -1e30, 1e-30, 7.25]


def functions_of_pairs(dtype):
    """A program with all that is fused, of all pairs of special values; with the names of the functions."""
    values = np.array(SPECIAL if dtype.startswith("float") else [0, 1] if dtype == "bool" else [0, 1, -1, 7, -8], dtype)
    arrays = [a.ravel() for a in np.meshgrid(values, values)]
    inputs = [placeholder(name, arrays[0].shape, dtype) for name in ("a", "b")]
    names, outputs = [], []
    for kind, functions in fuse._FUSED.items():
        for name in dict.fromkeys(functions):
            if name in ("where", "astype"):
                continue
            try:
                result = record(name, *inputs[: getattr(np, name).nin])
            except TypeError:
                continue  # no function of this dtype
            if result.dtype.kind == kind and str(result.dtype) in ("bool", "int64", "float32", "float64"):
                names.append(name)
                outputs.append(result)
    a, b = inputs
    names += ["where", "bool", "int", "float", "literals"]
    outputs += [
        record("where", record("less", a, b), a, b),
        record("astype", a, dtype=np.dtype(bool)),
        record("astype", record("greater", a, b), dtype=np.dtype(np.int64)),
        record("astype", record("greater", a, b), dtype=np.dtype(np.float32)),
        record("where", record("equal", a, b), np.inf, record("where", record("less", a, b), -np.inf, np.nan)),
    ]
    return names, simplify(Program.of(inputs, outputs)), arrays


@needs_compiler
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "bool"])
def test_every_function_of_infinities_zeros_and_nans(dtype, monkeypatch):
    names, program, arrays = functions_of_pairs(dtype)
    batch.build(batch.kernels([program], monkeypatch))
    expected = program.run(dict(zip(program.inputs, arrays, strict=True)))
    ran = False
    for _, found in batch.computed(program, arrays, monkeypatch):
        ran = True
        for name, y, reference in zip(names, found, expected, strict=True):
            assert y.dtype == reference.dtype, name
            if name in ROUNDED:
                np.testing.assert_allclose(y, reference, rtol=8 * np.finfo(y.dtype).eps, err_msg=name)
            else:
                np.testing.assert_array_equal(y, reference, err_msg=name)
            if y.dtype.kind == "f" and name not in ("maximum", "minimum", "fmax", "fmin"):
                # The sign of a zero; that of the larger of two zeros is left open.
                zero = reference == 0
                np.testing.assert_array_equal(np.signbit(y[zero]), np.signbit(reference[zero]), err_msg=name)
    assert ran


@needs_nvrtc
@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "bool"])
def test_nvidias_compiler_computes_float32_in_float32(dtype, monkeypatch):
    _, program, _ = functions_of_pairs(dtype)
    batch.check_with_nvrtc(batch.kernels([program], monkeypatch))


def broadcast():
    rng = np.random.default_rng(0)
    shapes = [(3, 1, 4), (2, 1), (4,), (1, 2, 1), (3, 2, 4), ()]
    tensors = [tg.tensor(rng.integers(-4, 5, shape) / 2, dtype=tg.float64, requires_grad=True) for shape in shapes]

    def function(*given):
        y = given[0] * given[1] + given[2] - given[3] * given[4] + given[5]
        return [y, y.sum(), (y * y).max(), *tg.grad((y * y).sum(), [given[4]])]

    return function, tensors


@needs_compiler
def test_axes_are_found_again_where_shapes_are_broadcast(monkeypatch):
    function, tensors = broadcast()
    program = simplify(traced(function, tensors))
    batch.build(batch.kernels([program], monkeypatch))
    ways = list(batch.computed(program, [x.array for x in tensors], monkeypatch))
    assert [way for way, _ in ways] == list(batch.WAYS)
    for _, found in ways:
        for y, reference in zip(found, function(*tensors), strict=True):
            np.testing.assert_array_equal(y, reference.detach().numpy())


@needs_compiler
def test_a_barrier_that_not_all_threads_reach_is_seen(tmp_path):
    head = 'extern "C" __global__ void __launch_bounds__(64) run('
    source = f"{head}\n    double* x) {{\n    if (threadIdx.x < 7) __syncthreads();\n}}\n"
    (module,) = emulator.build([source], tmp_path)
    with pytest.raises(RuntimeError, match="not all threads come to a barrier"):
        module.launch("run", 1, 64, [np.zeros(1)])


@needs_compiler
@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=300))
@settings(max_examples=20)
def test_the_threads_of_a_block_add_up_what_they_have(values):
    source = batch_sum()
    if source not in fake_cupy.RawModule.built:
        batch.build([source])
    x, total = np.array(values, np.int64), np.zeros((), np.int64)
    fake_cupy.RawModule.built[source].launch("run", 1, 96, [x, np.int64(len(values)), total])
    assert total == sum(values)


def batch_sum():
    from tinygrad_poly.compiler.cuda.functions import prelude

    kernel = """\
extern "C" __global__ void __launch_bounds__(96) run(
    const long long* x, long long n, long long* total) {
    long long sum = 0;
    for (int i = threadIdx.x; i < n; i += blockDim.x) sum += x[i];
    block_sum(sum);
    if (threadIdx.x == 95) *total = sum;
}
"""
    return prelude(kernel) + kernel
