"""Compiled functions and fits on a GPU's arrays, with CuPy's place taken by one that runs kernels on the CPU."""

import sys

import numpy as np
import pytest

import tinygrad_poly as tg
from tinygrad_poly.compiler import compile
from tinygrad_poly.compiler.cuda import runner as cuda_runner
from tinygrad_poly.compiler.steps import CompiledSteps
from tinygrad_poly.engine.errors import DeviceError

from ..test_steps import LOSSES, START, shapes_data, shapes_loss
from .on_cpu import emulator, fake_cupy

pytestmark = pytest.mark.skipif(emulator.COMPILER is None, reason="needs a C++ compiler, g++, to run kernels")


@pytest.fixture(autouse=True)
def cupy(monkeypatch):
    module = fake_cupy.module()
    monkeypatch.setitem(sys.modules, "cupy", module)
    return module


@pytest.fixture(params=["one block", "many blocks"])
def way(request, monkeypatch):
    if request.param == "many blocks":
        monkeypatch.setattr(cuda_runner, "ELEMENTS_OF_ONE_BLOCK", 0)
        monkeypatch.setattr(cuda_runner.Launcher, "_blocks", lambda self: 3)
        monkeypatch.setattr(cuda_runner, "STEPS_OF_A_GRAPH", 4)
    return request.param


def trained(loss, start, data, chunks, optimizer=tg.optim.SGD, on_gpu=True, log_every=3, **options):
    """The weights, the losses and the optimizer's state after chunks of steps."""
    move = fake_cupy.asarray if on_gpu else np.asarray
    weights = {name: move(w) for name, w in start.items()}
    tensors = {name: tg.tensor(w, requires_grad=True) for name, w in start.items()}
    made = optimizer(list(tensors.values()), **({"lr": 0.0078125} | options))
    for name in start if optimizer is not tg.optim.SGD or options else ():
        tensors[name].grad = tg.tensor(np.full(start[name].shape, 0.25, start[name].dtype))
    if optimizer is not tg.optim.SGD or options:
        made.step()
    steps = CompiledSteps(loss, dict, weights, {k: move(v) for k, v in zip("xy", data, strict=True)}, made)
    losses, now, first = [], list(weights.values()), 0
    for chunk in chunks:
        logged = [t for t in range(first, first + chunk) if t % log_every == log_every - 1]
        values = np.empty(len(logged))
        now = steps.run(first, first + chunk, log_every, values, now, final=chunk == chunks[-1])
        losses += values.tolist()
        first += chunk
    assert all(isinstance(w, fake_cupy.ndarray) == on_gpu for w in now)
    return [w.get() if on_gpu else w for w in now], losses, made.state_dict()["state"], steps


def assert_same(found, expected, allowed):
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_allclose(one, other, rtol=allowed, atol=allowed)


def vector_loss(params, x, y):
    return ((params["number"] * x + params["single"] + params["vector"] - y) ** 2).mean()


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("loss", [vector_loss, shapes_loss], ids=["kernels", "calls"])
@pytest.mark.parametrize(
    ("optimizer", "options"),
    [(tg.optim.SGD, {}), (tg.optim.SGD, {"momentum": 0.9}), (tg.optim.Adam, {"amsgrad": True})],
    ids=["sgd", "momentum", "adam"],
)
def test_steps_on_a_gpu_are_those_of_the_cpu(way, uncompiled, optimizer, options, loss, dtype):
    start = {name: w.astype(dtype) for name, w in START.items() if loss is shapes_loss or name != "matrix"}
    data = shapes_data(dtype) if loss is shapes_loss else [array[0] for array in shapes_data(dtype)]
    given = loss, start, data, [1, 7, 1, 11], optimizer
    found, expected = (trained(*given, on_gpu=on_gpu, **options) for on_gpu in (True, False))
    assert found[3].source().startswith("// Executed by CuPy, call by call") == (loss is shapes_loss)
    # Sums of six numbers in another order, as in test_steps.
    allowed = 20 * 64 * np.finfo(dtype).eps / 2
    assert_same(found[0], expected[0], allowed)
    np.testing.assert_allclose(found[1], expected[1], rtol=allowed)
    for number, state in expected[2].items():
        for key, value in state.items():
            kept = found[2][number][key]
            assert type(kept) is type(value)
            np.testing.assert_allclose(np.asarray(kept), np.asarray(value), rtol=allowed, atol=allowed)


@pytest.mark.parametrize(("optimizer", "options"), [(tg.optim.SGD, {}), (tg.optim.Adam, {})], ids=["sgd", "adam"])
def test_a_regression_with_a_design_matrix_is_a_kernel(way, uncompiled, optimizer, options):
    x = np.cos(np.arange(60.0)).reshape(20, 3)
    start = {"w": np.zeros((3, 2)), "b": np.zeros(2)}
    given = lambda p, x, y: ((x @ p["w"] + p["b"] - y) ** 2).mean(), start, (x, x[:, :2] + 1), [1, 7], optimizer
    found, expected = (trained(*given, on_gpu=on_gpu, **options) for on_gpu in (True, False))
    assert "__global__" in found[3].source()
    assert_same(found[0], expected[0], 1e-12)
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-12)


def test_columns_are_read_from_a_matrix(way):
    (x,) = on_gpu([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    f = compile(lambda x: ((x[:, 0] - 2 * x[:, -1]) * x[:, 0], x[:, 0].sum(), x[1, 0] * x[0, 1]))
    assert [y.cpu().tolist() for y in f(x)] == [[-3.0, -15.0, -35.0], 9.0, 6.0]
    assert "__global__" in f.source


@pytest.mark.parametrize("name", LOSSES)
def test_losses_of_many_kinds(way, uncompiled, name):
    loss, shape = LOSSES[name]
    x = np.array([1.0, 2.0, 3.0])
    start = {"w": np.cos(np.arange(np.prod(shape or ()))).reshape(shape or ()), "v": np.array(0.5)}
    found, expected = (trained(loss, start, (x, 2 * x + 1), [1, 9], on_gpu=on_gpu) for on_gpu in (True, False))
    assert_same(found[0], expected[0], 1e-12)
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-12)
    by_calls = found[3].source().startswith("// Executed by CuPy, call by call: ")
    assert by_calls == (name == "products of matrices")


def test_weights_may_take_each_others_place(way, uncompiled):
    class Averaging(tg.optim.SGD):
        """Steps from where the weights were before the last step."""

        def step(self):
            for p in self.param_groups[0]["params"]:
                before = self.state[p].get("before", tg.tensor(p.array))
                self.state[p]["before"] = tg.tensor(p.array)
                p.array = before.array - self.lr * p.grad.array

    start = {"w": np.array([1.0, -2.0, 0.5]), "v": np.array(0.25)}

    def loss(params, x, y):
        return ((params["w"] * x + params["v"] - y) ** 2).sum()

    x = np.array([1.0, 2.0, 3.0])
    found, expected = (
        trained(loss, start, (x, x), [6], Averaging, on_gpu=on_gpu, lr=0.0078125) for on_gpu in (True, False)
    )
    assert_same(found[0], expected[0], 1e-14)


def test_many_steps_are_a_single_launch_for_one_block_and_a_graph_for_many(way, uncompiled, monkeypatch):
    graphs = []
    launch = fake_cupy.Graph.launch
    monkeypatch.setattr(fake_cupy.Graph, "launch", lambda g, s=None: (graphs.append(len(g.launches)), launch(g, s)))
    monkeypatch.setattr(fake_cupy.RawKernel, "launched", 0)
    x = np.array([1.0, 2.0, 3.0])
    trained(lambda p, x, y: ((p["w"] * x - y) ** 2).sum(), {"w": np.array(0.5)}, (x, x), [12])
    if way == "one block":
        assert not graphs
        assert fake_cupy.RawKernel.launched == 2  # all steps, and the loss that they led to
    else:
        # reduce and update: the first step as it is, then 4 + 4 + 1 + 1 + 1 steps in graphs; and the last loss.
        assert graphs == [8, 8, 2, 2, 2, 2]


def test_a_chunk_with_more_losses_than_ever_before(way, uncompiled):
    x = np.array([1.0, 2.0, 3.0])
    given = lambda p, x, y: ((p["w"] * x - y) ** 2).sum(), {"w": np.array(0.5)}, (x, x), [2, 3, 20]
    found, expected = (trained(*given, on_gpu=on_gpu, log_every=1) for on_gpu in (True, False))
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-12)


def test_steps_that_diverge_are_seen(way):
    data = {"x": fake_cupy.asarray([1e160]), "y": fake_cupy.asarray([0.0])}
    w = tg.tensor(0.5, dtype=tg.float64, requires_grad=True)
    weights = {"w": fake_cupy.asarray(0.5)}
    steps = CompiledSteps(lambda p, x, y: ((p["w"] * x - y) ** 2).sum(), dict, weights, data, tg.optim.SGD([w], lr=0.1))
    with np.errstate(all="ignore"):
        (after,) = steps.run(0, 2, 1, np.zeros(2), list(weights.values()))
    assert np.isnan(after)


def test_weights_in_numpys_memory_go_back_there(way):
    x = fake_cupy.asarray([1.0, 2.0])
    w = tg.tensor(0.5, dtype=tg.float64, requires_grad=True)
    steps = CompiledSteps(
        lambda p, x, y: ((p["w"] * x - y) ** 2).sum(), dict, {"w": w.array}, {"x": x, "y": x}, tg.optim.SGD([w], lr=0.1)
    )
    (after,) = steps.run(0, 1, 1, np.zeros(1), [w.array])
    assert isinstance(after, np.ndarray)
    assert after == 0.5 - 0.1 * 2 * -0.5 * 5


def on_gpu(*values, dtype=tg.float64):
    return [tg.tensor(value, dtype=dtype).to("cuda:0") for value in values]


def test_a_compiled_function_stays_on_the_gpu(way):
    w, x = on_gpu(0.5, [1.0, 2.0])
    f = compile(lambda w, x: {"all": (w * x).exp(), "mean": (x - x.mean() * w).sum(), "x": x, "w": w * 1})
    found = f(w, x)
    assert all(y.device.type == "cuda" for y in found.values())
    assert found["all"].cpu().tolist() == np.exp([0.5, 1.0]).tolist()
    assert (found["mean"].cpu().item(), found["x"].cpu().tolist(), found["w"].cpu().item()) == (1.5, [1.0, 2.0], 0.5)


def test_the_same_function_is_compiled_apart_for_cpu_and_gpu(uncompiled):
    f = compile(lambda x: (x * x).sum())
    assert f(tg.tensor([1.0, 2.0])).item() == 5.0
    assert f.source.startswith("def run(x):")
    (x,) = on_gpu([1.0, 2.0])
    assert f(x).cpu().item() == 5.0
    assert 'extern "C" __global__' in f.source


def test_captured_arrays_come_along(way):
    constants = tg.tensor([3.0, 4.0], dtype=tg.float64), tg.tensor([[2.0]], dtype=tg.float64)
    (x,) = on_gpu([1.0, 2.0])
    assert compile(lambda x: (x * constants[0] * constants[1]).sum())(x).cpu().item() == 22.0


def test_what_is_no_kernel_is_called(way):
    (x,) = on_gpu([[1.0, 2.0], [3.0, 4.0]])
    f = compile(lambda x: ((x @ x).sum(0) + tg.ones(2, dtype=tg.float64), x.sum()))
    rows, total = f(x)
    assert rows.cpu().tolist() == [23.0, 33.0]
    assert total.cpu().item() == 10.0
    assert f.source.startswith("// Executed by CuPy, call by call: matmul of shape (2, 2) is no part of a loop.")


def test_a_dtype_that_kernels_do_not_have_is_called(way):
    x = tg.tensor(fake_cupy.asarray(np.array([1.0, 2.0], np.float16)))
    f = compile(lambda x: x.double().sum())
    assert f(x).cpu().item() == 3.0
    assert f.source.startswith("// Executed by CuPy, call by call: astype takes float16, ")


def test_functions_are_not_hoisted_on_a_gpu():
    with pytest.raises(DeviceError, match="functions are hoisted on the CPU only"):
        compile(lambda x: (x * x).sum(), hoist="algebra")(*on_gpu([1.0, 2.0]))


def test_algebra_sums_over_the_data_once_and_steps_on_the_gpu(uncompiled):
    x = np.array([1.0, 2.0, 4.0])
    w = tg.tensor(0.5, dtype=tg.float64, requires_grad=True)
    found = []
    for move in (np.asarray, fake_cupy.asarray):
        steps = CompiledSteps(
            lambda p, x, y: ((p["w"] * x - y) ** 2).sum(),
            dict,
            {"w": move(w.array)},
            {"x": move(x), "y": move(x + 1)},
            tg.optim.SGD([w], lr=0.0078125),
            "algebra",
        )
        found.append(steps.run(0, 3, 1, np.zeros(3), [move(w.array)])[0])
    np.testing.assert_allclose(found[1].get(), found[0], rtol=1e-14)
