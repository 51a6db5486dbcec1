"""Fits of Dask arrays, block by block, on Dask's synchronous scheduler: the same as fits of the whole."""

import math
import pickle
import subprocess
import sys
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_poly as tg
from tinygrad_poly.compiler.loops import numba_runner
from tinygrad_poly.compiler.moments.blockwise import NotAdditive
from tinygrad_poly.engine.errors import BlockError, DataError, DivergenceError, DtypeError, GraphError, ShapeError
from tinygrad_poly.fitting import as_quadratic, fit, resume
from tinygrad_poly.fitting.arguments import objective
from tinygrad_poly.fitting.descent import program
from tinygrad_poly.fitting.loops.block_gradient import BlockGradient, Step, added
from tinygrad_poly.fitting.objective import leaves

from ...helpers import examples

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")


@pytest.fixture(autouse=True, scope="module")
def in_this_thread_without_numba():
    with dask.config.set(scheduler="synchronous"), patch.object(numba_runner, "available", lambda: False):
        yield


def square_error(params, x, y):
    return ((params["a"] + params["b"] * x - y) ** 2).sum()


LOSSES = {
    "sum": square_error,
    "mean": lambda params, x, y: ((params["a"] + params["b"] * x - y) ** 2).mean(),
    "sum and ridge": lambda params, x, y: square_error(params, x, y) + 0.5 * (params["a"] ** 2 + params["b"] ** 2),
    "mean and ridge": lambda params, x, y: square_error(params, x, y) / len(x) + 0.5 * params["b"] ** 2,
    "sum and mean": lambda params, x, y: square_error(params, x, y) + (params["a"] * x).mean(),
}


def numbers(params):
    return [w.detach().numpy().tolist() for w in params.values()]


def derivatives(loss, weights, x, y):
    target, start = objective(loss, weights, x, y)
    tensors = leaves(start)
    value = target(tensors)
    value.backward()
    return [value.detach().numpy(), *(w.grad.numpy() for w in tensors.values())]


@st.composite
def splits(draw):
    """Blocks of some points, of which some may be empty."""
    lengths = draw(st.lists(st.integers(0, 9), min_size=1, max_size=8).filter(sum))
    return tuple(lengths), draw(st.integers(0, 2**32 - 1))


@settings(max_examples=examples(8))
@given(splits(), st.sampled_from(sorted(LOSSES)), st.sampled_from(["float32", "float64"]))
def test_any_blocks_give_the_gradient_of_the_whole(split, name, dtype):
    """Both are off by no more than γ of the roundings in a sum's longest term, times the sum of sizes."""
    chunks, seed = split
    n, rng = sum(chunks), np.random.default_rng(seed)
    x, y = rng.normal(size=(2, n)).astype(dtype)
    weights = dict(zip("ab", rng.normal(size=2).astype(dtype), strict=True))
    a, b = (abs(float(w)) for w in weights.values())
    X, Y = abs(x.astype("float64")), abs(y.astype("float64"))
    error = a + b * X + Y
    share = 1 / n if name.startswith("mean") else 1
    ridge = 0.5 if "ridge" in name else 0
    linear = 1 / n if name == "sum and mean" else 0
    sizes = [
        share * (error**2).sum() + ridge * (a * a + b * b) + linear * a * X.sum(),
        share * (2 * error).sum() + 2 * ridge * a + linear * X.sum(),
        share * (2 * error * X).sum() + 2 * ridge * b,
    ]
    # A term has up to 7 roundings of (a + b x − y)², 8 of the share and the ridge, and one for each addition.
    roundings = n + len(chunks) + 16
    u = float(np.finfo(dtype).eps) / 2
    gamma = roundings * u / (1 - roundings * u)
    whole = derivatives(LOSSES[name], weights, x, y)
    blocks = derivatives(LOSSES[name], weights, da.from_array(x, chunks=(chunks,)), da.from_array(y, chunks=(chunks,)))
    for ours, theirs, size in zip(blocks, whole, sizes, strict=True):
        assert ours.dtype == theirs.dtype == dtype
        assert abs(float(ours) - float(theirs)) <= 2 * gamma * size


@settings(max_examples=examples(4))
@given(splits())
def test_sums_of_numbers_that_need_no_rounding_are_equal_to_the_last_bit(split):
    chunks, seed = split
    x, y = np.random.default_rng(seed).integers(-8, 9, (2, sum(chunks))) / 2
    weights = {"a": np.float64(1.5), "b": np.float64(-0.5)}
    assert derivatives(square_error, weights, x, y) == derivatives(
        square_error, weights, da.from_array(x, chunks=(chunks,)), y
    )


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_fit_of_blocks_is_the_fit_of_the_whole(optimizer):
    x = np.random.default_rng(0).normal(size=(60, 3))
    y = x @ np.array([1.0, -2.0, 0.5]) + 0.25

    def loss(params, x, y):
        w, b = params
        return ((x @ w + b - y) ** 2).mean() + 0.01 * (w**2).sum()

    how = {"steps": 50, "lr": 0.05, "log_every": 10, "optimizer": optimizer, "progress": False}
    whole = fit(loss, [np.zeros(3), 0.0], x, y, **how)
    blocks = fit(loss, [np.zeros(3), 0.0], da.from_array(x, chunks=(17, 3)), da.from_array(y, chunks=30), **how)
    assert list(blocks.losses) == list(whole.losses)
    # In 50 steps that shrink what was off before, with at most 200 roundings of numbers below 10 in each.
    atol = 50 * 200 * 10 * 2.0**-53
    np.testing.assert_allclose(list(blocks.losses.values()), list(whole.losses.values()), rtol=0, atol=atol)
    for ours, theirs in zip(blocks.params, whole.params, strict=True):
        np.testing.assert_allclose(
            ours.numpy(), theirs.numpy(), rtol=0, atol=100 * atol if optimizer == "adam" else atol
        )


class Sine:
    def __init__(self, points=2000, chunks=300):
        self.x = da.linspace(-math.pi, math.pi, points, chunks=chunks)
        self.y = da.sin(self.x)
        self.arguments = self.loss, dict(zip("abcd", (0.5, -0.3, 0.2, 0.1), strict=True)), self.x, self.y

    @staticmethod
    def loss(params, x, y):
        return (params["a"] + params["b"] * x + params["c"] * x**2 + params["d"] * x**3 - y).pow(2).sum()


@pytest.fixture
def sine():
    return Sine()


def test_the_verdict_is_that_of_the_whole(sine):
    loss, start, x, y = sine.arguments
    blocks = fit(*sine.arguments, steps=100, progress=False)
    whole = fit(loss, start, x.compute(), y.compute(), steps=100, progress=False)
    assert str(blocks.verdict) == str(whole.verdict)
    found, expected = as_quadratic(*sine.arguments), as_quadratic(loss, start, x.compute(), y.compute())
    # Terms of both signs may cancel; what is added in each element is no larger than √(Hᵢᵢ Hⱼⱼ).
    sizes = np.sqrt(np.outer(np.diag(expected.hessian), np.diag(expected.hessian)))
    assert np.all(abs(found.hessian - expected.hessian) <= 2 * 2020 * 2.0**-53 * sizes)


def test_the_hessian_of_a_loss_that_is_not_quadratic():
    x = np.arange(1.0, 7.0) / 4

    def loss(params, x, y):
        return (tg.exp(params["a"] * x) * params["b"] - y).pow(2).mean() + params["b"] ** 4

    def hessian(x):
        target, start = objective(loss, {"a": 0.5, "b": np.array([0.25, 0.5])[:1]}, x, x * 2)
        tensors = list(leaves(start).values())
        gradients = tg.grad(target(dict(zip("ab", tensors, strict=True))).sum(), tensors, create_graph=True)
        return [h.numpy() for g in gradients for h in tg.grad(g.sum(), tensors, retain_graph=True)]

    def loss(params, x, y):  # noqa: F811 - as a scalar
        return (tg.exp(params["a"] * x) * params["b"][0] - y).pow(2).mean() + (params["b"] ** 4).sum()

    for ours, theirs in zip(hessian(da.from_array(x, chunks=4)), hessian(x), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=100 * 2.0**-52)


def test_a_third_derivative_is_refused(sine):
    target, start = objective(*sine.arguments)
    tensors = list(leaves(start).values())
    first = tg.grad(target(dict(zip("abcd", tensors, strict=True))), tensors, create_graph=True)
    with pytest.raises(GraphError, match="differentiated twice"):
        tg.grad(first[0], tensors, create_graph=True)


def test_divergence_says_when_and_which_learning_rate_is_stable(sine):
    with pytest.raises(DivergenceError, match=r"stable below 3\.55795e-06") as caught:
        fit(*sine.arguments, lr=1e-4, progress=False)
    loss, start, x, y = sine.arguments
    with pytest.raises(DivergenceError) as expected:
        fit(loss, start, x.compute(), y.compute(), lr=1e-4, progress=False)
    assert caught.value.step == expected.value.step
    assert np.all(np.isfinite(numbers(caught.value.result.params)))


def test_a_fit_that_goes_on_is_one_that_never_stopped(sine, tmp_path):
    loss, _, x, y = sine.arguments
    through = fit(*sine.arguments, steps=60, optimizer="adam", lr=0.01, log_every=10, progress=False)
    fit(*sine.arguments, steps=25, optimizer="adam", lr=0.01, log_every=10, progress=False).save(tmp_path / "run.json")
    resumed = resume(tmp_path / "run.json", loss, x, y, steps=60, progress=False)
    assert numbers(resumed.params) == numbers(through.params)
    assert resumed.losses == through.losses


def test_weights_in_a_list_go_on_as_a_list(tmp_path):
    def loss(params, x, y):
        a, b = params
        return ((a + b * x - y) ** 2).mean()

    x = da.from_array(np.arange(6.0), chunks=2)
    fit(loss, [0.0, 0.0], x, 2 * x, steps=5, lr=0.01, progress=False).save(tmp_path / "run.json")
    resumed = resume(tmp_path / "run.json", loss, x, 2 * x, steps=10, progress=False)
    assert numbers(dict(enumerate(resumed.params))) == numbers(
        dict(enumerate(fit(loss, [0.0, 0.0], x, 2 * x, steps=10, lr=0.01, progress=False).params))
    )


def test_an_interrupt_keeps_the_last_complete_step(sine):
    def press(t, loss):
        if t == 6:
            raise KeyboardInterrupt

    result = fit(*sine.arguments, lr=1e-6, log_every=1, progress=press)
    assert result.interrupted
    assert result.step == 6
    assert numbers(result.params) == numbers(fit(*sine.arguments, steps=6, progress=False).params)


def test_a_block_that_cannot_be_computed_keeps_the_last_complete_step():
    reads = 0

    def read(block):
        nonlocal reads
        reads += 1
        if reads > 40:
            raise OSError("the disk is gone")
        return block

    x = da.from_array(np.arange(20.0), chunks=5).map_blocks(read, dtype=float, meta=np.empty(0))
    with pytest.raises(BlockError, match="could not be computed: OSError: the disk is gone") as caught:
        fit(square_error, {"a": 0.0, "b": 0.0}, x, np.arange(20.0), lr=1e-5, progress=False)
    result = caught.value.result
    assert result.step == 10
    whole = fit(square_error, {"a": 0.0, "b": 0.0}, np.arange(20.0), np.arange(20.0), lr=1e-5, steps=10, progress=False)
    assert numbers(result.params) == numbers(whole.params)


def test_every_step_has_as_many_tasks_and_a_block_is_made_by_one(sine):
    target, start = objective(*sine.arguments)
    arrays = [w.numpy() for w in start.values()]
    sizes = {len(dict(target.loss._graph(Step(target.loss.gradient, arrays)).dask)) for _ in range(3)}
    (size,) = sizes
    assert size <= 7 * 3 + 2  # for each block: make it, under one of its names or both, and its gradient


def test_many_blocks_are_added_in_a_tree_in_their_order(monkeypatch):
    seen = []

    def noting(sums):
        seen.append(len(sums))
        return added(sums)

    monkeypatch.setattr("tinygrad_poly.fitting.loops.blocks.added", noting)
    x = np.arange(100.0)
    found = derivatives(square_error, {"a": 1.0, "b": 2.0}, da.from_array(x, chunks=1), x)
    assert sorted(seen) == [4, 7, *[16] * 6]
    assert found == derivatives(square_error, {"a": 1.0, "b": 2.0}, x, x)


def test_a_block_is_computed_once_for_each_step_and_nothing_is_stored():
    calls = []
    x = da.from_array(np.arange(20.0), chunks=5)
    x = x.map_blocks(lambda block: calls.append(len(block)) or block, dtype=float, meta=np.empty(0))
    fit(square_error, {"a": 0.0, "b": 0.0}, x, 2 * x, lr=1e-5, steps=3, progress=False)
    assert calls == [5] * 4 * (3 + 1)  # and once more to see where the last update led to


def test_the_loss_is_shipped_as_it_is_and_read_once_in_each_process():
    offset = 2.0
    gradient = BlockGradient(lambda params, x, y: (params["a"] * x - y + offset).pow(2).sum(), False, ("a",), 3)
    pickled = pickle.dumps(Step(gradient, [np.float64(1.5)]))
    there = pickle.loads(pickled)
    assert there.gradient is pickle.loads(pickled).gradient
    x = np.arange(3.0)
    # Errors of 2, 2.5 and 3: Σ e² and 2 Σ e x.
    assert there.of((x, x)) == gradient([np.float64(1.5)], x, x) == [(19.25, 0.0), (17.0, 0.0)]


def test_float32_stays_float32_and_integers_are_data():
    x = da.from_array(np.arange(8, dtype="float32"), chunks=3)
    result = fit(square_error, {"a": 0.0, "b": 0.0}, x, np.arange(8), lr=1e-4, steps=2, log_every=1, progress=False)
    assert {w.dtype for w in result.params.values()} == {tg.float32}
    assert result.losses[1] == np.float32(result.losses[1])


def test_threads_and_numba_give_the_same():
    pytest.importorskip("numba")
    x = np.random.default_rng(0).integers(-8, 9, 40) / 4
    expected = derivatives(square_error, {"a": 1.5, "b": -0.5}, x, 2 * x)
    with dask.config.set(scheduler="threads"), patch.object(numba_runner, "available", lambda: True):
        found = derivatives(square_error, {"a": 1.5, "b": -0.5}, da.from_array(x, chunks=13), 2 * x)
    assert found == expected


def test_the_picture_shows_some_of_the_points(sine, tmp_path):
    pytest.importorskip("matplotlib")
    large = Sine(points=30_000, chunks=10_000)
    result = fit(*large.arguments, steps=2, lr=1e-8, progress=False)
    x, y = result.objective.points()
    assert len(x) == len(y) == 2000
    assert (x[0], x[-1]) == tuple(large.x[[0, -1]].compute())
    np.testing.assert_array_equal(y, np.sin(x))
    result.plot(tmp_path / "fit.png", model=lambda params, x: params["a"] + params["b"] * x)
    assert (tmp_path / "fit.png").stat().st_size > 10_000


def refused(x, y, error, message, loss=square_error, **how):
    with pytest.raises(error, match=message):
        fit(loss, {"a": 0.0, "b": 0.0}, x, y, progress=False, **how)


def test_data_that_do_not_fit_are_refused():
    x = da.zeros(6, chunks=2)
    refused(x, da.zeros(5, chunks=2), ShapeError, "same points, at least one, and x has 6, y 5")
    refused(x[:0], x[:0], ShapeError, "at least one")
    refused(x[x > 0], x[x > 0], ShapeError, r"call x.compute_chunk_sizes\(\)")
    refused(da.zeros((6, 4), chunks=(2, 2)), x, ShapeError, r"x.rechunk\(\{1: -1\}\)")
    refused(x, da.zeros(6, chunks=2).astype("U3"), DtypeError, "y must hold numbers")
    refused(x, da.zeros((), chunks=()), ShapeError, r"y has shape \(\)")
    refused(dask.delayed([1.0]), x, DtypeError, r"x must be a dask.array.Array, not a Delayed")


def test_losses_that_are_no_sums_and_ways_that_make_no_sense_are_refused():
    x = da.zeros(6, chunks=2)
    assert issubclass(NotAdditive, DataError)
    refused(x, x, DataError, "sqrt is taken of a sum", loss=lambda p, x, y: square_error(p, x, y).sqrt())
    refused(x, x, DataError, "cannot be computed for", loss=lambda p, x, y: (x.reshape(11, 1) * p["a"] * p["b"]).sum())
    refused(x, x, ShapeError, r"end it with .sum\(\)", loss=lambda p, x, y: p["a"] * x)
    refused(x, x, GraphError, "does not depend on the params", loss=lambda p, x, y: x.sum())
    refused(x, x, TypeError, "a traced value has no number yet", loss=lambda p, x, y: p["a"] if p["a"] > 0 else p["b"])
    refused(x, x, ValueError, "hoist sums over the data in one place", compile=True, hoist="algebra")
    with pytest.raises(ValueError, match="pass one block"):
        program(square_error, {"a": 0.0, "b": 0.0}, x, x)


def test_compile_is_what_blocks_are_anyway(sine):
    plain = fit(*sine.arguments, steps=5, progress=False)
    assert numbers(fit(*sine.arguments, steps=5, compile=True, progress=False).params) == numbers(plain.params)


def test_a_fit_of_arrays_imports_no_dask():
    code = (
        "import sys; from tinygrad_poly.fitting import fit; "
        "fit(lambda p, x, y: (p['a'] * x - y).pow(2).sum(), {'a': 0.0}, [1.0], [2.0], steps=1, progress=False); "
        "print([name for name in ('dask', 'distributed', 'cloudpickle') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


# What a function makes of a block, and what is said of it.
OTHERWISE = {
    "shorter": (lambda block: block[: len(block) // 2], r"has shape \(5,\), and \(10,\) according to its chunks"),
    "longer": (lambda block: np.repeat(block, 2), r"has shape \(20,\), and \(10,\) according to its chunks"),
    "a column": (lambda block: block[:, None], r"has shape \(10, 1\), and \(10,\) according to its chunks"),
    "a number": (np.sum, r"has shape \(\), and \(10,\) according to its chunks"),
    "complex": (lambda block: block + 1j, "complex numbers are not supported"),
    "masked": (lambda block: np.ma.masked_greater(block, 0), "a masked array with masked elements"),
    "text": (lambda block: block.astype(str), "expected numbers"),
}


@pytest.mark.parametrize(("change", "message"), OTHERWISE.values(), ids=OTHERWISE)
@pytest.mark.parametrize("changed", ["x", "y", "xy"])
def test_a_block_that_is_other_than_declared_ends_the_fit(changed, change, message):
    points = np.random.default_rng(0).normal(size=40)
    given = {key: da.from_array(points, chunks=10) for key in "xy"}
    given |= {name: given[name].map_blocks(change, dtype=float, meta=np.empty(0)) for name in changed}
    with pytest.raises(BlockError, match=message) as caught:
        fit(LOSSES["mean"], {"a": 0.0, "b": 0.0}, **given, progress=False)
    assert caught.value.result.step == 0


def test_the_result_of_a_failed_fit_is_printed_without_its_data():
    def broken(block):
        if broken.left:
            broken.left -= 1
            return block
        raise OSError("the disk is gone")

    points = np.arange(4.0)
    broken.left = 20
    x = da.from_array(points, chunks=2).map_blocks(broken, meta=np.empty(0))
    with pytest.raises(BlockError) as caught:
        fit(LOSSES["mean"], {"a": 0.0, "b": 0.0}, x, points, lr=0.01, progress=False)
    assert repr(caught.value.result) == f"FitResult(step={caught.value.result.step}, complete)"
    assert caught.value.result.step > 0
