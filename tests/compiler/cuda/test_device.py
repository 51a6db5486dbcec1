"""Kernels on a real GPU, against the CPU."""

import numpy as np
import pytest

import tinygrad_poly as tg
from tinygrad_poly.compiler import compile
from tinygrad_poly.compiler.cuda import runner as cuda_runner
from tinygrad_poly.compiler.steps import CompiledSteps, captured_arrays
from tinygrad_poly.compiler.trace.simplify import simplify

from ...helpers import DTYPES
from ..routes import traced
from .test_kernels import ROUNDED, broadcast, functions_of_pairs

pytestmark = pytest.mark.skipif(not tg.cuda.is_available(), reason="needs CuPy and a GPU")


@pytest.fixture(params=["one block", "many blocks"])
def way(request, monkeypatch):
    monkeypatch.setattr(cuda_runner, "ELEMENTS_OF_ONE_BLOCK", 2**15 if request.param == "one block" else 0)
    return request.param


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "bool"])
def test_every_function_of_infinities_zeros_and_nans(way, dtype):
    names, program, arrays = functions_of_pairs(dtype)
    expected = program.run(dict(zip(program.inputs, arrays, strict=True)))
    found = on_gpu(program, arrays)
    for name, y, reference in zip(names, found, expected, strict=True):
        assert y.dtype == reference.dtype, name
        rounded = 8 * np.finfo(y.dtype).eps if name in ROUNDED else 0
        # CuPy compiles float32 so that numbers below the smallest normal one are 0.
        flushed = np.finfo(y.dtype).tiny if y.dtype == np.float32 else 0
        np.testing.assert_allclose(y, reference, rtol=rounded, atol=flushed, err_msg=name)


def test_axes_are_found_again_where_shapes_are_broadcast(way):
    function, tensors = broadcast()
    program = simplify(traced(function, tensors))
    for y, reference in zip(on_gpu(program, [x.array for x in tensors]), function(*tensors), strict=True):
        np.testing.assert_array_equal(y, reference.detach().numpy())


def on_gpu(program, arrays):
    import cupy

    run = cuda_runner.Once(program, captured_arrays(program), cupy.cuda.Device(0))
    assert run.launcher is not None
    return [y.get() for y in run(*map(cupy.asarray, arrays))]


@pytest.mark.parametrize("points", [6, 2000, 2**15 + 1, 10**6])
@pytest.mark.parametrize("dtype", DTYPES)
def test_steps_are_those_of_the_cpu(way, points, dtype):
    x = np.linspace(-np.pi, np.pi, points).astype(dtype)
    data = {"x": x, "y": np.sin(x)}
    start = {name: np.array(w, dtype) for name, w in zip("abcd", (0.5, -0.3, 0.2, 0.1), strict=True)}

    def loss(params, x, y):
        y_pred = params["a"] + params["b"] * x + params["c"] * x**2 + params["d"] * x**3
        return ((y_pred - y) ** 2).mean()

    found = []
    for place in ("cpu", "cuda:0"):
        move = tg.device(place).asarray
        weights = {name: move(w) for name, w in start.items()}
        optimizer = tg.optim.SGD([tg.tensor(w, requires_grad=True) for w in start.values()], lr=2e-3)
        steps = CompiledSteps(loss, dict, weights, {name: move(a) for name, a in data.items()}, optimizer)
        losses, now = np.empty(5), list(weights.values())
        now = steps.run(0, 1, 10, np.empty(0), now, final=False)
        now = steps.run(1, 50, 10, losses, now)
        found.append([*losses, *(float(w) for w in now)])
    cpu, gpu = np.array(found)
    # Sums of all points in another order, 50 times; the loss is well conditioned.
    unit = np.finfo(dtype).eps / 2
    np.testing.assert_allclose(gpu, cpu, rtol=50 * 64 * unit, atol=50 * 64 * unit)


def test_the_same_steps_give_the_same_bits(way):
    x = tg.linspace(-1, 1, 100_000, dtype=tg.float64).to("cuda:0")
    f = compile(lambda x: (x.exp().sum(), (x - x.mean()).sin().sum()))
    assert [y.item() for y in f(x)] == [y.item() for y in f(x)]


def test_a_fit_that_diverges_is_seen(way):
    x = tg.device("cuda:0").asarray(np.array([1e160, 1.0]))
    w = tg.tensor(0.5, dtype=tg.float64, requires_grad=True)
    optimizer = tg.optim.SGD([w], lr=0.1)
    steps = CompiledSteps(
        lambda p, x, y: ((p["w"] * x - y) ** 2).sum(), dict, {"w": w.array}, {"x": x, "y": x}, optimizer
    )
    (after,) = steps.run(0, 3, 1, np.zeros(3), [w.array])
    assert np.isnan(after)
