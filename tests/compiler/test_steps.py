"""Compiled training steps beside the eager ones: every optimizer, dtype and shape of weights."""

import numpy as np
import pytest

import tinygrad_poly as tg
from tinygrad_poly.compiler.steps import CompiledSteps
from tinygrad_poly.engine.errors import TraceError
from tinygrad_poly.fitting import fit

from ..optim.choices import FITTING

pytestmark = pytest.mark.usefixtures("uncompiled")

# Every element of a weight counts, in its own way, and shapes are broadcast.
START = {
    "number": np.array(0.5),
    "single": np.array([-0.25]),
    "vector": np.array([1.0, -2.0, 0.5]),
    "matrix": np.array([[1.0, 0.5, -1.0], [0.25, -0.5, 2.0]]),
}


def shapes_loss(params, x, y):
    y_pred = params["number"] * x + params["single"] + params["vector"] * params["matrix"]
    return ((y_pred - y) ** 2).mean()


def shapes_data(dtype):
    x = np.array([[1.0, 2.0, 3.0], [-1.0, 0.5, 0.25]], dtype)
    return x, np.cos(x)


def numbers(result):
    return {name: w.detach().numpy() for name, w in result.params.items()}


def both(loss, start, x, y, **how):
    return [fit(loss, start, x, y, progress=False, compile=c, **how) for c in (False, True)]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("name", "options"), FITTING, ids=str)
def test_every_optimizer_takes_the_same_steps(name, options, dtype):
    def factory(params, lr):
        # Uphill it is only a few steps before all is too large.
        return getattr(tg.optim, name)(params, **({"lr": lr / (64 if options.get("maximize") else 1)} | options))

    start = {name: w.astype(dtype) for name, w in START.items()}
    eager, compiled = both(shapes_loss, start, *shapes_data(dtype), steps=40, lr=0.0625, log_every=1, optimizer=factory)
    # Both round the same operations, only sums of six numbers in another order. That is a few u in a step, and
    # dividing by √v can make it 2/√(1 − β₂) times as much.
    u = np.finfo(dtype).eps / 2
    allowed = 40 * 64 * u
    for name, w in numbers(compiled).items():
        assert w.dtype == dtype
        assert w.shape == START[name].shape
        np.testing.assert_allclose(w, numbers(eager)[name], rtol=allowed, atol=allowed)
    assert list(compiled.losses) == list(eager.losses) == list(range(40))
    # The loss is a mean of squares; where its root is small, that is as far off as the weights.
    roots = [np.sqrt(list(run.losses.values())) for run in (compiled, eager)]
    np.testing.assert_allclose(*roots, rtol=allowed, atol=allowed)


@pytest.mark.parametrize(("name", "options"), FITTING, ids=str)
def test_numpy_alone_takes_the_same_steps_in_float32_to_the_last_bit(monkeypatch, name, options):
    # The count of an optimizer's steps is a Python number, which makes no float64 of float32; NumPy's would.
    monkeypatch.setattr("tinygrad_poly.compiler.loops.numba_runner.available", lambda: False)
    x, y = (np.array([value], np.float32) for value in (1.5, 3.0))
    eager, compiled = both(
        lambda params, x, y: (params["w"] * x - y).pow(2).sum(),
        {"w": np.array([0.25], np.float32)}, x, y, steps=20,
        optimizer=lambda params, lr: getattr(tg.optim, name)(params, **({"lr": 0.01} | options)),
    )  # fmt: skip
    np.testing.assert_array_equal(numbers(compiled)["w"], numbers(eager)["w"], strict=True)


def test_an_optimizer_remembers_the_same_after_compiled_steps():
    states = []
    for compile in (False, True):
        made = []

        def factory(params, lr, made=made):
            made.append(tg.optim.Adam(params, lr=lr, amsgrad=True))
            return made[0]

        fit(shapes_loss, START, *shapes_data("float64"), 10, 0.5, factory, progress=False, compile=compile)
        states.append(made[0].state_dict()["state"])
    eager, compiled = states
    assert eager.keys() == compiled.keys()
    for number, state in eager.items():
        assert state.keys() == compiled[number].keys()
        for key, value in state.items():
            found = compiled[number][key]
            assert type(found) is type(value)
            np.testing.assert_allclose(np.asarray(found), np.asarray(value), rtol=1e-12)


def test_an_optimizer_may_remember_earlier_weights():
    class Averaging(tg.optim.SGD):
        """Steps from where the weights were before the last step."""

        def step(self):
            for p in self.param_groups[0]["params"]:
                before = self.state[p].get("before", tg.tensor(p.array))
                self.state[p]["before"] = tg.tensor(p.array)
                p.array = before.array - self.lr * p.grad.array

    def loss(params, x, y):
        return sum((params[f"w{i}"] * x - y * i) ** 2 for i in range(8)).sum()

    start = {f"w{i}": np.array(i / 8) for i in range(8)}
    eager, compiled = both(loss, start, *shapes_data("float64"), steps=20, lr=0.0078125, optimizer=Averaging)
    for name, w in numbers(compiled).items():
        np.testing.assert_allclose(w, numbers(eager)[name], rtol=1e-12)


@pytest.mark.parametrize("features", [1, 3])
def test_a_linear_layer_with_a_loss_of_the_library(features):
    rng = np.random.default_rng(0)
    x, y = rng.integers(-4, 5, (8, features)) / 2, rng.integers(-4, 5, (8, 1)) / 2
    model, criterion = tg.nn.Linear(features, 1).double(), tg.nn.MSELoss()

    def loss(params, x, y):
        return criterion(tg.nn.functional.linear(x, params["weight"], params["bias"]), y)

    start = {name: p.detach() for name, p in model.named_parameters()}
    eager, compiled = both(loss, start, x, y, steps=30, lr=0.0625, log_every=10)
    for name, w in numbers(compiled).items():
        np.testing.assert_allclose(w, numbers(eager)[name], rtol=1e-12, atol=1e-14)


LOSSES = {
    "vector beside what is hoisted": (lambda p, x, y: -(tg.log_softmax(p["w"] * x, 0) * (y * y.exp())).sum(), 3),
    "means of the data": (lambda p, x, y: ((p["w"] * (x - x.mean()) - y.std()) ** 2).mean(), None),
    "largest error": (lambda p, x, y: (p["w"] * x - y).abs().max(), None),
    "products of matrices": (lambda p, x, y: ((p["w"] @ x - y) ** 2).mean(), (3, 3)),
    "a part that is constant": (lambda p, x, y: ((p["w"] * x - y) ** 2).sum() + (y * y).sum() + 1, None),
    "no data": (lambda p, x, y: (p["w"] ** 2).sum().sqrt(), 2),
    "a weight of one element": (lambda p, x, y: ((p["w"] * x - y) ** 2).sum(), (1, 1)),
    "a weight that does nothing": (lambda p, x, y: (p["v"] * x - y).pow(2).sum(), 2),
}


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("name", LOSSES)
def test_losses_of_many_kinds(name, optimizer):
    loss, shape = LOSSES[name]
    x = np.array([1.0, 2.0, 3.0])
    start = {"w": np.cos(np.arange(np.prod(shape or ()))).reshape(shape or ()), "v": np.array(0.5)}
    eager, compiled = both(loss, start, x, 2 * x + 1, steps=20, lr=0.0078125, log_every=9, optimizer=optimizer)
    assert list(compiled.losses) == list(eager.losses) == [8, 17]
    np.testing.assert_allclose(list(compiled.losses.values()), list(eager.losses.values()), rtol=1e-12)
    for key, w in numbers(compiled).items():
        np.testing.assert_allclose(w, numbers(eager)[key], rtol=1e-12)


@pytest.mark.parametrize("name", ["a b", "1st", "x", "loss", "t", "k", "i", "range", "losses", "lambda", "grad_w", "ä"])
def test_weights_may_have_any_name(name):
    start = {name: np.array(0.5), "w": np.array(0.25)}
    x, y = shapes_data("float64")
    eager, compiled = both(lambda p, x, y: ((p[name] * x + p["w"] - y) ** 2).sum(), start, x, y, steps=5, lr=0.0078125)
    assert numbers(compiled).keys() == start.keys()
    for key, w in numbers(compiled).items():
        np.testing.assert_allclose(w, numbers(eager)[key], rtol=1e-14)


def steps_of(loss, weights, optimizer=tg.optim.SGD, **options):
    tensors = {name: tg.tensor(w, requires_grad=True) for name, w in weights.items()}
    x = np.array([1.0, 2.0])
    return CompiledSteps(loss, dict, weights, {"x": x, "y": x}, optimizer(list(tensors.values()), lr=0.1, **options))


def test_a_layer_of_one_weight_is_a_loop_and_one_of_several_is_called():
    def loss(params, x, y):
        return ((x.reshape(-1, 1) @ params["w"].mT - y.reshape(-1, 1)) ** 2).sum()

    assert steps_of(loss, {"w": np.ones((1, 1))}).why_not_fused == ""
    several = steps_of(lambda params, x, y: ((params["w"] @ x - y) ** 2).sum(), {"w": np.ones((2, 2))})
    assert several.why_not_fused == ""
    assert "np.matmul(w, x, out=v1)" in several.source()


def test_an_optimizer_that_keeps_something_to_itself_is_refused():
    class Counting(tg.optim.SGD):
        count = 0

        def step(self):
            self.count += 1
            super().step()

    class Decaying(tg.optim.SGD):
        def step(self):
            super().step()
            self.param_groups[0]["lr"] *= 0.5

    for optimizer, name in ((Counting, "'count'"), (Decaying, "'lr'")):
        with pytest.raises(
            TraceError, match=f"a step of {optimizer.__name__} changes {name}, which a compiled program"
        ):
            steps_of(lambda params, x, y: ((params["w"] * x - y) ** 2).sum(), {"w": np.array(0.5)}, optimizer)


def test_an_optimizer_may_hold_what_nobody_can_watch_and_is_left_as_it_was():
    class Logging(tg.optim.SGD):
        def __init__(self, params, lr):
            super().__init__(params, lr=lr)
            self.numbers, self.seen = iter(range(3)), {"of": [self.param_groups]}

        def step(self):
            super().step()
            self.seen["of"].append(1)

    weights = {"w": tg.tensor(0.5, requires_grad=True)}
    optimizer = Logging(list(weights.values()), lr=0.1)
    groups, state = optimizer.param_groups, optimizer.state
    with pytest.raises(TraceError, match="a step of Logging changes 'of', which a compiled program"):
        CompiledSteps(lambda p, x: (p["w"] * x).sum(), dict, weights, {"x": np.ones(2)}, optimizer)
    assert optimizer.seen == {"of": [groups]}
    assert optimizer.param_groups is groups
    assert optimizer.state is state


def test_a_weight_that_is_a_view_is_refused():
    base = tg.tensor([[1.0, 2.0]])
    w = base.data[0].requires_grad_()
    with pytest.raises(TraceError, match=r"the weight w is a view, .* give the optimizer a tensor of its own"):
        CompiledSteps(lambda p, x: (p["w"] * x).sum(), dict, {"w": w}, {"x": np.ones(2)}, tg.optim.SGD([w], lr=0.1))
    assert base.tolist() == [[1.0, 2.0]]


def test_a_loss_that_keeps_its_predictions_is_refused():
    history = []

    def loss(params, x, y):
        history.append(params["w"] * x)
        return (history[-1] - y).pow(2).sum()

    with pytest.raises(TraceError, match="keeps a traced value"):
        steps_of(loss, {"w": np.array(0.5)})


def test_a_loss_without_weights_is_refused():
    with pytest.raises(TraceError, match="does not depend on the weights and the data"):
        steps_of(lambda params, x, y: tg.tensor(1.0), {"w": np.array(0.5)})


def test_steps_that_lead_to_no_number_change_nothing():
    w = tg.tensor(0.5, dtype=tg.float64, requires_grad=True)
    optimizer = tg.optim.SGD([w], lr=0.1, momentum=0.5)
    w.grad = tg.tensor(1.0, dtype=tg.float64)
    optimizer.step()
    data = {"x": np.array([1e160]), "y": np.array([0.0])}
    steps = CompiledSteps(lambda p, x, y: ((p["w"] * x - y) ** 2).sum(), dict, {"w": w.array}, data, optimizer)
    with np.errstate(all="ignore"):
        (after,) = steps.run(0, 2, 1, np.zeros(2), [w.array])
    assert np.isnan(after)
    assert optimizer.state[w]["momentum_buffer"].item() == 1.0


def test_the_printed_program_is_forward_backward_and_update():
    def loss(params, x, y):
        y_pred = params["w"] * x
        return ((y_pred - y) ** 2).sum()

    source = steps_of(loss, {"w": np.array(0.5)}).source()
    phases = [line.rsplit("# ", 1)[1] for line in source.splitlines() if "# " in line]
    assert set(phases) == {"forward", "backward", "update"}
    assert "y_pred" in source
    assert "grad_w +=" in source
