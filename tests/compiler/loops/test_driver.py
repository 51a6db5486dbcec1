"""Programs of loops with calls of NumPy between them."""

import tracemalloc

import numpy as np
import pytest

import tinygrad_poly as tg
from tinygrad_poly.compiler import compile
from tinygrad_poly.compiler.loops import fuse as fusing
from tinygrad_poly.compiler.loops.driver import printer
from tinygrad_poly.compiler.loops.fuse import fuse
from tinygrad_poly.compiler.steps import CompiledSteps
from tinygrad_poly.compiler.trace.program import Program
from tinygrad_poly.compiler.trace.symbols import placeholder
from tinygrad_poly.fitting import fit
from tinygrad_poly.nn import functional

RNG = np.random.default_rng(0)
START = {
    "w1": RNG.integers(-4, 5, (4, 3)) / 4,
    "b1": RNG.integers(-4, 5, 4) / 4,
    "w2": RNG.integers(-4, 5, (1, 4)) / 4,
    "b2": np.zeros(1),
}
X = RNG.integers(-4, 5, (6, 3)) / 2
Y = RNG.integers(-4, 5, (6, 1)) / 2


def network(params, x, y):
    h = tg.tanh(functional.linear(x, params["w1"], params["b1"]))
    return functional.mse_loss(functional.linear(h, params["w2"], params["b2"]), y)


def matrix(*rows, dtype=tg.float64):
    return tg.tensor([list(row) for row in rows], dtype=dtype)


def calls_and_loops(source):
    """The lines of `run` that call NumPy, and those that call a loop."""
    lines = [line.split("#")[0].strip() for line in source.rpartition("def run(")[2].splitlines()[1:]]
    return [line for line in lines if "np." in line and "np.empty" not in line], [x for x in lines if "loop_" in x]


def test_a_product_of_matrices_is_called_between_two_loops(uncompiled):
    @compile
    def f(x, w, y):
        return ((2 * x + 1) @ w - y).pow(2).sum()

    x, w, y = matrix((1, 2), (3, 4)), matrix((1, 0), (0, 2)), matrix((1, 1), (1, 1))
    assert f(x, w, y).item() == f._function(x, w, y).item()
    assert f.source == (
        "@njit\n"
        "def loop_1(x, v1):\n"
        "    for i0 in range(2):\n"
        "        for i1 in range(2):\n"
        "            v1[i0, i1] = x[i0, i1] * 2.0 + 1.0\n"
        "    return ()\n"
        "\n\n"
        "@njit\n"
        "def loop_2(y, v2):\n"
        "    sum = 0.0\n"
        "    for i0 in range(2):\n"
        "        for i1 in range(2):\n"
        "            v1 = v2[i0, i1] - y[i0, i1]\n"
        "            sum += v1 * v1\n"
        "    return (sum,)\n"
        "\n\n"
        "def run(x, w, y, v1, v2):\n"
        "    loop_1(x, v1)\n"
        "    np.matmul(v1, w, out=v2)\n"
        "    sum, = loop_2(y, v2)\n"
        "    return (sum,)\n"
    )


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("worth", [0, 500], ids=["tanh is called", "tanh is in a loop"])
def test_a_network_takes_the_same_steps(uncompiled, monkeypatch, optimizer, worth):
    monkeypatch.setattr(fusing, "WORTH_A_CALL", worth)
    monkeypatch.setattr(fusing, "SEVERAL_AT_A_TIME", ("tanh",))
    how = {"steps": 30, "lr": 0.0625, "log_every": 7, "optimizer": optimizer, "progress": False}
    eager, compiled = (fit(network, START, X, Y, compile=c, **how) for c in (False, True))
    assert list(compiled.losses) == list(eager.losses) == [6, 13, 20, 27]
    np.testing.assert_allclose(list(compiled.losses.values()), list(eager.losses.values()), rtol=1e-12)
    for name, w in compiled.params.items():
        np.testing.assert_allclose(w.detach().numpy(), eager.params[name].detach().numpy(), rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numba_takes_the_same_steps_and_keeps_the_dtype(dtype):
    pytest.importorskip("numba")
    start = {name: w.astype(dtype) for name, w in START.items()}
    # Five steps of some twenty roundings each; the weights are smaller than 2.
    allowed = 5 * 20 * np.finfo(dtype).eps
    how = {"steps": 5, "lr": 0.0625, "log_every": 1, "progress": False}
    eager, compiled = (fit(network, start, X.astype(dtype), Y.astype(dtype), compile=c, **how) for c in (False, True))
    np.testing.assert_allclose(list(compiled.losses.values()), list(eager.losses.values()), rtol=allowed)
    for name, w in compiled.params.items():
        assert str(w.array.dtype) == dtype
        np.testing.assert_allclose(w.detach().numpy(), eager.params[name].detach().numpy(), atol=allowed)


def steps_of(loss, weights, x, y):
    tensors = {name: tg.tensor(w, requires_grad=True) for name, w in weights.items()}
    return CompiledSteps(loss, dict, weights, {"x": x, "y": y}, tg.optim.SGD(list(tensors.values()), lr=0.1))


def test_a_float32_number_is_one_in_every_loop(uncompiled):
    # Numba hands it out as a Python number; the loops would be compiled again for float64.
    start = {"w": np.eye(17, dtype="float32"), "b": np.float32(0.5)}
    x = np.ones((3, 17), "float32")
    steps = steps_of(lambda p, x, y: ((x @ p["w"] + p["b"] - y) ** 2).sum(), start, x, 2 * x)
    run = steps.source().rpartition("def run(")[2]
    assert "np.float32(b)" in run
    assert "np.float32(b)" not in steps.source(pretty=True)
    losses = np.zeros(2)
    _, b = steps.run(0, 2, 1, losses, list(start.values()))
    assert b.dtype == np.float32


@pytest.mark.slow
def test_memory_does_not_grow_with_the_steps(uncompiled):
    x = np.ones((50, 8))
    weights = {"w": np.full((8, 16), 0.5)}
    steps = steps_of(lambda p, x, y: ((tg.tanh(x @ p["w"]) - y) ** 2).mean(), weights, x, np.ones((50, 16)))
    peaks = []
    for last in (3, 40):
        tracemalloc.start()
        steps.run(0, last, 100, np.empty(0), list(weights.values()))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 50 * 16 * 8


def test_results_are_not_written_into_by_the_next_call(uncompiled, always_loops):
    f = compile(lambda x: ((x @ x + 1).mT, (x @ x * 2)[0], (x @ x).reshape(-1), x.mT))
    x, other = matrix((1, 2), (3, 4)), matrix((5, 6), (7, 8))
    first = f(x)
    before = [y.tolist() for y in first]
    f(other)
    assert [y.tolist() for y in first] == before == [y.tolist() for y in f._function(x)]


def test_weights_that_are_views_of_results_are_not_overwritten(uncompiled):
    class Turning(tg.optim.SGD):
        def step(self):
            for p in self.param_groups[0]["params"]:
                p.array = (p.array - self.lr * p.grad.array).mT

    def loss(params, x, y):
        return ((x @ params["w"] - y) ** 2).sum()

    start = {"w": np.array([[1.0, 2.0], [3.0, 4.0]])}
    x, y = np.array([[1.0, 0.5]]), np.array([[0.0, 1.0]])
    eager, compiled = (
        fit(loss, start, x, y, 6, 0.125, Turning, log_every=1, progress=False, compile=c) for c in (False, True)
    )
    np.testing.assert_allclose(compiled.params["w"].tolist(), eager.params["w"].tolist(), rtol=1e-13)


@pytest.mark.parametrize("dtype", [np.int32, np.int16, np.uint8, np.float16])
def test_dtypes_that_loops_have_not_are_called(uncompiled, dtype):
    x = tg.tensor(np.array([100, 3, 7], dtype))
    f = compile(lambda x, y: ((x * x).to(tg.float64) * y + 1, (x * x).to(tg.float64) * y))
    y = tg.tensor([0.5, 0.25, 1.0], dtype=tg.float64)
    assert [r.tolist() for r in f(x, y)] == [r.tolist() for r in f._function(x, y)]
    calls, loops = calls_and_loops(f.source)
    assert any("np.multiply(x, x" in line for line in calls)
    assert len(loops) == 1


OPAQUE = {
    "solve": lambda x: tg.linalg.solve(x * x + 5 * tg.eye(2, dtype=tg.float64), x + 1),
    "cholesky": lambda x: tg.linalg.cholesky(x @ x.mT + 5 * tg.eye(2, dtype=tg.float64)) * x + x,
    "an index of arrays": lambda x: (x * x + 1)[np.array([1, 0, 1]), np.array([0, 0, 1])] * 3 + 1,
    "a slice": lambda x: (x * x + 1)[::-1, 1:] * 3 + 1,
    "stack": lambda x: tg.stack([x * x + 1, x, tg.ones_like(x)], 1) * 2 + 1,
    "cumsum": lambda x: tg.cumsum(x * x + 1, 1) * 2 + 1,
    "sort": lambda x: tg.sort(x * x + 1, 0)[0] * 2 + 1,
    "of one element": lambda x: (x[:1] * x[:1] + 1) @ x[:, :1] * x + 1,
    "of a number": lambda x: (x * x + 1).sum() // 0.75 * x + 1,
    "of an expanded number": lambda x: tg.cumsum(x.sum().expand(2, 2), 0) * x + 1,
    "of ones": lambda x: tg.ones(2, 2, dtype=tg.float64) @ x * x + 1,
}


@pytest.mark.parametrize("name", OPAQUE)
def test_all_kinds_of_calls(uncompiled, name):
    def value_and_gradient(x):
        y = OPAQUE[name](x)
        return y, tg.grad((y * y).sum(), x)[0]

    f = compile(value_and_gradient)
    for rows in (((1, 2), (3, 4)), ((2, -1), (0.5, 4))):
        x = matrix(*rows).requires_grad_()
        for y, reference in zip(f(x), value_and_gradient(x), strict=True):
            # Called for the same numbers in the same order, sums of four elements included.
            np.testing.assert_array_equal(y.detach().numpy(), reference.detach().numpy())
    assert f.source.startswith("@njit\n")


def test_errors_of_calls_come_through_and_the_next_call_works():
    pytest.importorskip("numba")
    f = compile(lambda x: tg.linalg.inv(x * x + x) * 2 + x)
    good, singular = matrix((1, 2), (3, 5)), matrix((0, 0), (0, 0))
    for _ in range(2):
        with pytest.raises(np.linalg.LinAlgError, match="the matrix is singular"):
            f(singular)
        np.testing.assert_allclose(f(good).numpy(), f._function(good).numpy(), rtol=1e-13)


@pytest.mark.parametrize(
    ("function", "loops"),
    [
        (lambda x: x @ x, False),
        (lambda x: (x @ x).sum(), False),
        (lambda x: x @ x + 1, False),
        (lambda x: (x @ x + 1) * x, True),
        (lambda x: (x @ x - 1).sum(), True),
    ],
    ids=["call", "call and sum", "one addition", "addition and product", "subtraction and sum"],
)
def test_a_loop_has_to_save_at_least_one_call(uncompiled, function, loops):
    f = compile(function)
    x = matrix((1, 2), (3, 4))
    assert f(x).tolist() == function(x).tolist()
    assert f.source.startswith("@njit" if loops else "# Executed by NumPy, call by call: matmul of shape (2, 2)")


def test_functions_that_numpy_computes_faster_are_called_for_many_elements():
    def plan(function, length, dtype="float64", columns=2):
        x = placeholder("x", (length, columns), dtype)
        w = placeholder("w", (columns, columns), dtype)
        return fusing.fuse(Program.of([x, w], [function(x, w)]), calls=True)

    def called(plan):
        return [s.function for stage in plan.stages for s in stage.calls]

    assert called(plan(lambda x, w: np.sinh(x @ w + 1) * 2 + x, 1000)) == ["matmul", "sinh"]
    assert called(plan(lambda x, w: np.sinh(x @ w + 1) * 2 + x, 10)) == ["matmul"]
    # Of tanh several elements are computed at a time in a loop, unless it is short.
    assert called(plan(lambda x, w: np.tanh(x @ w + 1) * 2 + x, 1000, columns=32)) == ["matmul"]
    assert called(plan(lambda x, w: np.tanh(x @ w + 1) * 2 + x, 1000)) == ["matmul", "tanh"]
    assert called(plan(lambda x, w: np.tanh(np.matmul(x, w)[:, :1]) * 2 + x, 1000)) == ["matmul", "getitem", "tanh"]
    assert called(plan(lambda x, w: np.tanh(np.matmul(x, w)[:, :1]) * 2, 1000)) == ["matmul", "getitem"]
    assert called(plan(lambda x, w: np.sin(x @ w + 1) * 2 + x, 1000)) == ["matmul"]
    assert called(plan(lambda x, w: np.sin(x @ w + 1) * 2 + x, 1000, "float32")) == ["matmul", "sin"]
    # Without another call there is none at all.
    assert not plan(lambda x, w: np.sinh(x + 1) * 2 + x, 1000).has_calls


@pytest.mark.parametrize("call", [False, True])
def test_captured_arrays_of_one_element(uncompiled, call):
    one, row = tg.tensor([2.0], dtype=tg.float64), np.array([[3.0]])
    f = compile(lambda x: (x @ one if call else x * one) * 2 + row + one)
    x = tg.tensor([[1.0], [2.0]], dtype=tg.float64)
    assert f(x).tolist() == f._function(x).tolist()


def chain(x, w):
    """Products of matrices, each of whose results is read once, one of them also at the very end."""
    first = x @ w
    y = first
    for _ in range(4):
        y = (2 * y + 1) @ w
    return (y - first).sum(), y


def test_arrays_that_are_not_read_any_more_are_written_into_again(uncompiled, always_loops):
    x, w = matrix([1.0, 2.0], [0.5, -1.0]), matrix([0.5, 0.25], [-0.5, 1.0])
    compiled = compile(chain)
    for _ in range(2):
        for found, expected in zip(compiled(x, w), chain(x, w), strict=True):
            np.testing.assert_array_equal(found.numpy(), expected.numpy())
    printed = printer(fuse(compiled.program, calls=True), {})
    printed.once()
    rooms = [id(array) for array in printed.bound.values()]
    # What is read, what is written, and the first, which is read at the very end.
    assert len(set(rooms)) == 3 < len(rooms)
