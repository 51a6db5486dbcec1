"""Matrices taken apart: one loop where there was a product of matrices, and the same numbers."""

import numpy as np
import pytest

import tinygrad_poly as tg
from tinygrad_poly import nn
from tinygrad_poly.compiler import compile
from tinygrad_poly.compiler.steps import CompiledSteps
from tinygrad_poly.compiler.trace.apart import WIDEST
from tinygrad_poly.fitting import fit

pytestmark = pytest.mark.usefixtures("uncompiled")


def with_columns(x, y):
    x = x.clone()
    x[:, 1:] = y
    x[:, 0] = y[:, 0]
    return x


def with_ones(x):
    x = x.clone()
    x[:, 1] = 1
    return x


# Of an array x of (n, 3), weights w (3, 1), v (3,) and m (3, 2), and y (n, 1).
FUNCTIONS = {
    "a product with a column": lambda x, w, v, m, y: x @ w - y,
    "a product with a vector": lambda x, w, v, m, y: x @ v,
    "a product with a matrix": lambda x, w, v, m, y: x @ m + y,
    "a product from the left": lambda x, w, v, m, y: v @ x.T,
    "a sum over the points": lambda x, w, v, m, y: x.T @ (x @ w - y),
    "the Gram matrix": lambda x, w, v, m, y: x.T @ x + w,
    "a product of weights": lambda x, w, v, m, y: x @ (m @ m.T @ w),
    "a linear layer": lambda x, w, v, m, y: nn.functional.linear(x, m.T, m[0]),
    "a reduction to columns": lambda x, w, v, m, y: (x * v).sum(0) + v,
    "a reduction that keeps its axis": lambda x, w, v, m, y: (x + w.T).sum(1, keepdim=True) * y,
    "a mean of a few": lambda x, w, v, m, y: (x * v).mean(1)[:, None] * 3 + y,
    "the largest of a few": lambda x, w, v, m, y: (x * v).amax(1) + x.amin(0).sum(),
    "a product of a few": lambda x, w, v, m, y: x.prod(1, keepdim=True) * (x @ w),
    "columns that are set": lambda x, w, v, m, y: with_columns(x * v, y * v[0]) @ w,
    "an axis more": lambda x, w, v, m, y: (x[:, :, None] * m).sum(1),
    "columns that are set to numbers": lambda x, w, v, m, y: with_ones(x * v) @ w,
    "numbers with an axis": lambda x, w, v, m, y: (x * w[0] + y.sum(0)[0:1] * w[2]) * m[0, ..., -1:],
    "a column of ones": lambda x, w, v, m, y: tg.cat([tg.ones_like(y), x], 1) @ tg.cat([v[:1], v]),
    "a stack": lambda x, w, v, m, y: tg.stack([x @ v, y[:, 0] * v[0]], 1) @ m[:2],
    "columns by their numbers": lambda x, w, v, m, y: x[:, 0] * v[0] + x[:, -1] * v[2] + (x[:, 1:] @ m[1:]).sum(1),
    "a choice": lambda x, w, v, m, y: tg.where(x @ w > y, x @ m, -y),
    "other shapes": lambda x, w, v, m, y: (x.reshape(-1, 1, 3) @ w).reshape(-1) + m.reshape(6) @ m.reshape(6),
    "matrices one by one": lambda x, w, v, m, y: (x.reshape(-1, 1, 3) @ m).squeeze(1),
    "a broadcast": lambda x, w, v, m, y: x @ w.expand(3, 2) + y.expand(-1, 2),
    "whole matrices": lambda x, w, v, m, y: x * v + w.T,
    "a transpose": lambda x, w, v, m, y: (x * v).T + w,
}  # fmt: skip


def data(points, dtype="float64", columns=3):
    """Multiples of ½ with few digits, so that sums are exact in any order."""
    rng = np.random.default_rng([points, columns])
    shapes = [(points, columns), (columns, 1), (columns,), (columns, 2), (points, 1)]
    arrays = [rng.integers(-3, 4, shape).astype(dtype) / 2 for shape in shapes]
    return [tg.tensor(a, requires_grad=i in (1, 2, 3)) for i, a in enumerate(arrays)]


def value_and_gradients(function):
    def both(x, w, v, m, y):
        value = function(x, w, v, m, y)
        slopes = tg.grad((value * value).sum(), [w, v, m], allow_unused=True)
        return [value, *(slope for slope in slopes if slope is not None)]

    return both


@pytest.mark.parametrize("points", [20, 5, 2], ids=lambda points: f"{points} points")
@pytest.mark.parametrize("name", FUNCTIONS)
def test_one_loop_computes_the_same(name, points):
    function = value_and_gradients(FUNCTIONS[name])
    given = data(points, "float32" if points == 5 else "float64")
    compiled = compile(function)
    for found, expected in zip(compiled(*given), function(*given), strict=True):
        np.testing.assert_array_equal(found.detach().numpy(), expected.detach().numpy(), strict=True)
    if points == 20:
        assert compiled.source.startswith("def run(")


def same(found, expected):
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a.detach().numpy(), b.detach().numpy(), strict=True)


def is_loops_alone(compiled):
    return compiled.source.startswith("def run(")


@pytest.mark.parametrize("number", [np.inf, -np.inf, np.nan])
def test_infinities_and_nan_among_the_data_are_as_in_products_of_matrices(number):
    # 0 · ∞ is NaN in both, also where a weight is 0.
    x, w, v, m, y = data(20)
    x = tg.tensor(np.where(np.arange(60).reshape(20, 3) == 31, number, x.numpy()))
    w = tg.tensor([[0.0], [1.0], [0.0]], dtype=tg.float64, requires_grad=True)
    function = value_and_gradients(FUNCTIONS["a product with a column"])
    compiled = compile(function)
    same(compiled(x, w, v, m, y), function(x, w, v, m, y))
    assert is_loops_alone(compiled)


def test_integers_are_added_up_as_integers():
    def function(x, v):
        return x @ v + (x > 0).sum(1), x.sum(0), (x * 2).amax(1)

    x = tg.tensor(np.arange(-30, 30).reshape(20, 3))
    compiled = compile(function)
    same(compiled(x, x[3]), function(x, x[3]))
    assert is_loops_alone(compiled)


@pytest.mark.parametrize(("columns", "apart"), [(0, False), (1, True), (WIDEST, True), (WIDEST + 1, False)], ids=str)
def test_what_has_too_many_columns_or_none_is_called(columns, apart):
    x, w, _, m, y = data(40, columns=columns)

    def function(x, w, m, y):
        return (x @ w - y).pow(2).sum(), (x @ m).abs().sum()

    compiled = compile(function)
    same(compiled(x, w, m, y), function(x, w, m, y))
    assert is_loops_alone(compiled) is apart


def test_what_takes_single_points_or_moves_them_is_called():
    x, w, _, _, _ = data(20)
    for look in (
        lambda x: tg.flip(x, [0]),
        lambda x: x[4],
        lambda x: x[2:],
        lambda x: x.reshape(3, 20).T,
        lambda x: tg.cat([x[:10], x[10:]]),
    ):

        def function(x, w, look=look):
            return (look(x) @ w * 2).sum() + (x @ w).pow(2).sum()

        compiled = compile(function)
        same([compiled(x, w)], [function(x, w)])
        assert not is_loops_alone(compiled)


def test_two_long_axes_are_called():
    x, w, _, _, y = data(20)

    def function(x, w, y):
        return ((x @ w) * y.T).sum() + (x @ x.T).abs().sum()

    compiled = compile(function)
    same([compiled(x, w, y)], [function(x, w, y)])
    assert not is_loops_alone(compiled)


def test_one_call_is_left_to_numpy():
    x, w, _, _, _ = data(20)
    compiled = compile(lambda x, w: x @ w)
    compiled(x, w)
    assert compiled.source.startswith("# Executed by NumPy")


def test_data_from_outside_are_taken_apart_too():
    x, w, _, _, y = data(20)
    compiled = compile(lambda w: tg.grad((x @ w - y).pow(2).sum(), w))
    same(compiled(w), tg.grad((x @ w - y).pow(2).sum(), w))
    assert is_loops_alone(compiled)
    w.data *= 2
    same(compiled(w), tg.grad((x @ w - y).pow(2).sum(), w))


def test_data_from_outside_may_be_a_part_of_what_is_returned():
    x, w, _, _, y = data(20)

    def function(w, y):
        both = tg.cat([x, y.detach(), (y > 0)], 1)
        return both, (both[:, 2:] @ w).abs().sum(), both * 2

    same(compile(function)(w, y), function(w, y))


def test_second_derivatives_of_a_compiled_function():
    x, w, _, _, y = data(20)
    loss = lambda w: (x @ w - y).pow(2).sum()  # noqa: E731
    np.testing.assert_array_equal(tg.func.hessian(compile(loss))(w).numpy(), tg.func.hessian(loss)(w).numpy())


def regression(kind, dtype, points=40, columns=3):
    rng = np.random.default_rng(columns)
    x = rng.normal(size=(points, columns)).astype(dtype)
    y = (x @ rng.normal(size=(columns, 1)) + 0.1 * rng.normal(size=(points, 1))).astype(dtype)
    return x, (y > 0).astype(dtype) if kind is nn.BCEWithLogitsLoss else y


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("kind", [nn.MSELoss, nn.BCEWithLogitsLoss])
@pytest.mark.parametrize("optimizer", ["SGD", "momentum", "Adam"])
def test_a_fit_takes_the_same_steps(kind, optimizer, dtype):
    x, y = regression(kind, dtype)
    loss, steps, lr = kind(), 20, 0.0625

    def factory(params, lr):
        if optimizer == "momentum":
            return tg.optim.SGD(params, lr=lr, momentum=0.5)
        return getattr(tg.optim, optimizer)(params, lr=lr)

    start = {"weight": np.full((1, 3), 0.25, dtype), "bias": np.zeros(1, dtype)}
    how = {"steps": steps, "lr": lr, "log_every": 1, "optimizer": factory, "progress": False}
    model = lambda p, x, y: loss(nn.functional.linear(x, p["weight"], p["bias"]), y)  # noqa: E731
    eager, compiled = (fit(model, start, x, y, compile=c, **how) for c in (False, True))
    # A sum of 40 terms, and then of 3, is off by 43 u of their absolute values, here a few units; Adam's division by √v
    # makes 2/√(1 − β₂) of it.
    allowed = steps * lr * 43 * 4 * np.finfo(dtype).eps / 2 * (63 if optimizer == "Adam" else 1)
    for name, w in compiled.params.items():
        assert w.dtype is getattr(tg, dtype)
        assert w.shape == start[name].shape
        np.testing.assert_allclose(w.detach().numpy(), eager.params[name].detach().numpy(), rtol=0, atol=allowed)
    assert list(compiled.losses) == list(eager.losses)


def steps_of(loss, start, x, y, **how):
    tensors = {name: tg.tensor(w, requires_grad=True) for name, w in start.items()}
    return CompiledSteps(loss, dict, tensors, {"x": x, "y": y}, tg.optim.SGD(list(tensors.values()), lr=0.1), **how)


def test_a_step_of_a_regression_is_one_loop_over_the_points():
    x, y = regression(nn.MSELoss, "float64")
    steps = steps_of(lambda p, x, y: ((x @ p["w"] - y) ** 2).mean(), {"w": np.zeros((3, 1))}, x, y)
    source = steps.source()
    assert source.startswith("def run(first, last, log_every, losses, x_0, x_1, x_2, y, w_0, w_1, w_2):")
    assert source.count("for i in range(40):") == source.count(" in range(") - 1 == 1
    assert "v1 = x_0_i * w_0 + x_1_i * w_1 + x_2_i * w_2 - y[i] " in source


@pytest.mark.parametrize("shape", [(3, 40), (40, 3)])
def test_weights_may_be_long_themselves(shape):
    # A carried array of columns is given and returned whole, whichever of its axes is long.
    x = np.arange(120.0).reshape(shape) / 64
    start = {"w": np.ones(shape), "s": np.ones((3, 1))}
    loss = lambda p, x, y: (((p["w"] * x).reshape(40, 3) if shape[0] == 40 else (p["w"] * x).T) @ p["s"]).pow(2).mean()  # noqa: E731
    how = {"steps": 5, "lr": 0.0625, "progress": False}
    eager, compiled = (fit(loss, start, x, x, compile=c, **how) for c in (False, True))
    for name, w in compiled.params.items():
        np.testing.assert_allclose(w.detach().numpy(), eager.params[name].detach().numpy(), rtol=1e-13)
    assert steps_of(loss, start, x, x).source().startswith("def run(")
