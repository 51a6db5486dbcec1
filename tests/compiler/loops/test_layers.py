"""Small networks as loops over their points: the same steps as the tape's, and what is refused."""

import numpy as np
import pytest

import tinygrad_poly as tg
from tinygrad_poly.compiler.loops import fuse
from tinygrad_poly.compiler.loops.layers import Layers
from tinygrad_poly.compiler.steps import CompiledSteps
from tinygrad_poly.fitting import fit


@pytest.fixture(autouse=True)
def in_one_piece(monkeypatch):
    """Matrices are not taken apart into columns, as the smallest are where that makes one loop."""
    monkeypatch.setattr(fuse, "_is_worth_taking_apart", lambda program: False)


F = tg.nn.functional
POINTS = 33


def moons(p, x, y):
    h = tg.tanh(x @ p["v"].T + p["b"])
    return F.binary_cross_entropy_with_logits(tg.tanh(h @ p["w"].T + p["c"]) @ p["u"].T + p["d"], y)


def rectified(p, x, y):
    h = tg.relu(x @ p["v"].T + p["b"])
    z = h @ p["w"].T + p["c"]
    return ((tg.sigmoid(z) * z) @ p["u"].T - y).abs().mean() + (p["w"] ** 2).sum() * 0.01


def several_outputs(p, x, y):
    z = F.softplus(x * 2 @ p["v"].T) @ p["w"].T - tg.exp(-y * y)
    return (z * z * p["c"]).sum() + (p["u"] * p["d"]).sum() ** 2 + (z.mean(0) * p["c"]).sum() + p["b"].sum() ** 2


def without_turns(p, x, y):
    h = tg.tanh(x @ p["t"] + p["b"])
    return ((h @ p["w"].T + 1) * (x[:, :1] * 0 + y)).mean() + h.sum()


def a_column(p, x, y):
    h = x @ p["v"].T + p["b"]
    return ((h.tanh() @ p["q"]).squeeze(1) - y.squeeze(1)).pow(2).mean()


LOSSES = {moons: "vbwcud", rectified: "vbwcud", several_outputs: "vwcudb", without_turns: "tbw", a_column: "vbq"}


def case(names, dtype, points=POINTS, widths=(3, 5, 4)):
    """Weights with these names, points and values."""
    rng = np.random.default_rng(0)
    d, m, n = widths
    shapes = {"v": (m, d), "b": (m,), "w": (n, m), "c": (n,), "u": (1, n), "d": (1,), "t": (d, m), "q": (m, 1)}
    weights = {name: (rng.normal(size=shapes[name]) / 2).astype(dtype) for name in names}
    x = rng.normal(size=(points, d)).astype(dtype)
    return weights, x, (rng.random((points, 1)) < 0.5).astype(dtype)


def steps_of(loss, weights, x, y):
    tensors = [tg.tensor(w, requires_grad=True) for w in weights.values()]
    return CompiledSteps(loss, dict, weights, {"x": x, "y": y}, tg.optim.SGD(tensors, lr=0.1))


def plan_of(loss, weights, x, y):
    return steps_of(loss, weights, x, y).plan


def check_same_steps(loss, given, allowed, **options):
    how = {"steps": 4, "lr": 0.0625, "log_every": 1, "progress": False} | options
    eager, compiled = (fit(loss, *given, compile=c, **how) for c in (False, True))
    np.testing.assert_allclose(list(compiled.losses.values()), list(eager.losses.values()), rtol=allowed, atol=allowed)
    for name, w in compiled.params.items():
        assert w.dtype == eager.params[name].dtype
        found, expected = w.detach().numpy(), eager.params[name].detach().numpy()
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, rtol=allowed, atol=allowed)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.__name__)
def test_the_steps_are_those_of_the_tape(uncompiled, loss, optimizer):
    given = case(LOSSES[loss], "float64")
    assert isinstance(plan_of(loss, *given), Layers)
    check_same_steps(loss, given, 1e-12, optimizer=optimizer)


def test_the_rate_may_change_from_step_to_step(uncompiled):
    check_same_steps(moons, case(LOSSES[moons], "float64"), 1e-12, lr=lambda step: 0.5 / (step + 1))


def test_long_float32_sums_are_added_up_in_blocks(uncompiled):
    given = case(LOSSES[moons], "float32", points=1100, widths=(1, 2, 2))
    assert "range(np.uintp(0), np.uintp(1100), np.uintp(1024))" in steps_of(moons, *given).source()
    # Some twenty roundings a step, of numbers smaller than 2.
    check_same_steps(moons, given, 2 * 20 * np.finfo("float32").eps, steps=2)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("points", [100, 1100])
def test_numba_takes_the_same_steps(dtype, points):
    pytest.importorskip("numba")
    given = case(LOSSES[moons], dtype, points, widths=(2, 16, 16))
    check_same_steps(moons, given, 4 * 64 * np.finfo(dtype).eps)


def perceptron(p, x, y):
    return ((tg.tanh(x @ p["v"].T) - y) ** 2).mean()


CAPTURED = tg.ones(POINTS, 5, dtype=tg.float64)
NO_LAYERS = {
    "few points": (perceptron, "v", {"points": 31}),
    "a wide layer": (perceptron, "v", {"widths": (3, 17, 1)}),
    "many columns": (perceptron, "v", {"widths": (17, 3, 1)}),
    "sums over the numbers of a point": (lambda p, x, y: tg.softmax(x @ p["v"].T, 1).square().sum(), "v", {}),
    "points in rows": (lambda p, x, y: (2 * (p["v"] @ x.T) + p["b"][:, None]).square().sum(), "vb", {}),
    "a number for each pair of points": (lambda p, x, y: ((x @ p["v"].T) @ (x @ p["v"].T).T).sum(), "v", {}),
    "an array from outside": (lambda p, x, y: (x @ p["v"].T * CAPTURED).sum(), "v", {}),
    "products of weights": (lambda p, x, y: (x @ (p["t"] @ p["w"].T)).square().sum(), "tw", {}),
    "sorted numbers": (lambda p, x, y: (tg.sort(x @ p["v"].T, dim=0).values * y).square().sum(), "v", {}),
}


@pytest.mark.parametrize(("loss", "names", "how"), NO_LAYERS.values(), ids=NO_LAYERS)
def test_what_is_no_small_network_is_compiled_as_before(uncompiled, loss, names, how):
    given = case(names, "float64", **how)
    assert not isinstance(plan_of(loss, *given), Layers)
    check_same_steps(loss, given, 1e-12, steps=2, lr=2**-12)


def test_weights_of_single_points_are_no_layers(uncompiled):
    weights, x, y = case("v", "float64")
    given = {**weights, "s": np.zeros((POINTS, 3))}, x, y
    loss = lambda p, x, y: (tg.tanh((x + p["s"]) @ p["v"].T) - y).square().mean()  # noqa: E731
    assert not isinstance(plan_of(loss, *given), Layers)
    check_same_steps(loss, given, 1e-12)
