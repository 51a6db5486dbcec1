"""A compiled fit beside the eager one: the same losses, ends and errors."""

import cProfile
import functools
import math
import signal
import threading
import time

import numpy as np
import pytest

import tinygrad_poly as tg
from tinygrad_poly.engine.errors import DivergenceError, GraphError, ShapeError, TraceError
from tinygrad_poly.fitting import fit, resume
from tinygrad_poly.fitting.descent import program

pytest.importorskip("numba")

# Another order of 2000 terms in each of the sums, and 300 steps that shrink what was wrong before.
CLOSE = {"float64": 1e-10, "float32": 2e-3}


def numbers(result):
    return [w.item() for w in result.params.values()]


def compare(compiled, eager, dtype="float64"):
    assert list(compiled.losses) == list(eager.losses)
    np.testing.assert_allclose(list(compiled.losses.values()), list(eager.losses.values()), rtol=CLOSE[dtype])
    np.testing.assert_allclose(numbers(compiled), numbers(eager), rtol=CLOSE[dtype])


def test_a_compiled_fit_is_the_eager_one(sine):
    eager = fit(*sine.arguments, steps=300, progress=False)
    compiled = fit(*sine.arguments, steps=300, progress=False, compile=True)
    compare(compiled, eager)
    assert compiled.step == 300
    assert not compiled.interrupted


def test_float32_stays_float32(sine_in_float32):
    eager = fit(*sine_in_float32.arguments, steps=300, progress=False)
    compiled = fit(*sine_in_float32.arguments, steps=300, progress=False, compile=True)
    compare(compiled, eager, "float32")
    assert {w.dtype for w in compiled.params.values()} == {tg.float32}


@pytest.mark.parametrize("log_every", [1, 7, 100])
def test_losses_are_those_of_the_same_steps_in_a_resumed_fit_too(sine, tmp_path, log_every):
    path = tmp_path / "run.json"
    eager = fit(*sine.arguments, steps=110, log_every=log_every, progress=False)
    fit(*sine.arguments, steps=33, log_every=log_every, progress=False, compile=True).save(path)
    seen = {}
    resumed = resume(path, sine.loss, sine.x, sine.y, steps=110, progress=seen.__setitem__, compile=True)
    compare(resumed, eager)
    assert seen == {t: loss for t, loss in resumed.losses.items() if t >= 33}


def test_an_eager_fit_goes_on_from_a_compiled_one_with_all_that_its_optimizer_remembers(sine, tmp_path):
    path = tmp_path / "run.json"
    how = {"lr": 0.01, "optimizer": "adam", "progress": False}
    eager = fit(*sine.arguments, steps=60, **how)
    fit(*sine.arguments, steps=25, **how, compile=True).save(path)
    compare(resume(path, sine.loss, sine.x, sine.y, steps=60, progress=False), eager)


def test_few_steps(sine):
    for steps in (0, 1):
        compare(
            fit(*sine.arguments, steps=steps, log_every=1, progress=False, compile=True),
            fit(*sine.arguments, steps=steps, log_every=1, progress=False),
        )


@pytest.mark.parametrize(
    "optimizer", ["sgd", lambda params, lr: tg.optim.SGD(params, lr=lr, momentum=0.5)], ids=["sgd", "momentum"]
)
@pytest.mark.parametrize("steps", [28, 10_000])
def test_divergence_is_reported_as_ever(sine_in_float32, optimizer, steps):
    errors = []
    for compile in (False, True):
        try:
            how = {"lr": 1e-5, "optimizer": optimizer, "log_every": 10}
            fit(*sine_in_float32.arguments, steps=steps, **how, progress=False, compile=compile)
            errors.append(None)
        except DivergenceError as error:
            errors.append(error)
    eager, compiled = errors
    assert (eager is None) == (compiled is None)
    if eager is not None:
        assert compiled.step == eager.step
        assert compiled.last_loss == pytest.approx(eager.last_loss, rel=1e-2)  # amplified like the loss itself
        assert compiled.largest_stable_lr == eager.largest_stable_lr
        assert list(compiled.result.losses) == list(eager.result.losses)
        assert np.all(np.isfinite(numbers(compiled.result)))


def test_a_loss_that_is_nan_from_the_start_points_at_the_data(sine):
    with pytest.raises(DivergenceError, match="at step 0, before any update: look for NaN"):
        fit(sine.loss, sine.start, sine.x * math.nan, sine.y, progress=False, compile=True)


@pytest.mark.parametrize(
    ("loss", "error", "message"),
    [
        (lambda params, x, y: params["a"] * x - y, ShapeError, "end it with"),
        (lambda params, x, y: (x - y).sum(), GraphError, "does not depend on the params"),
        (lambda params, x, y: params["a"] if params["a"] > 0 else y.sum(), TraceError, r"test_compiled.py, line \d+"),
        (lambda params, x, y: params["a"] * float((params["a"] * x).sum()), TraceError, "outside of the compiled"),
    ],
    ids=["vector", "no weights", "branch", "number"],
)
def test_bad_losses_are_refused(sine, loss, error, message):
    with pytest.raises(error, match=message):
        fit(loss, sine.start, sine.x, sine.y, progress=False, compile=True)


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="no signals")
@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_keeps_what_was_learned(sine):
    fit(*sine.arguments, steps=2, progress=False, compile=True)

    def press():
        time.sleep(0.05)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    fingers = []

    def seen(t, loss):
        if not fingers:  # the first loss: Ctrl-C comes in the middle of the steps after it
            fingers.append(threading.Thread(target=press))
            fingers[0].start()

    result = fit(*sine.arguments, steps=10**9, lr=1e-9, log_every=10**5, progress=seen, compile=True)
    fingers[0].join()
    assert result.interrupted
    assert 0 < result.step < 10**9
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    eager = fit(*sine.arguments, steps=0, progress=False)
    assert result.loss < eager.loss


def test_the_program_can_be_read(sine):
    source = program(*sine.arguments)
    assert source.startswith("def run(first, last, log_every, losses, x, y, a, b, c, d):\n")
    assert "            grad_d += " in source


def test_a_program_with_calls_of_numpy_can_be_read_too():
    source = program(lambda params, x, y: (params["w"] @ x - y).pow(2).sum(), {"w": np.eye(2)}, np.ones(2), np.ones(2))
    assert source.startswith("@njit\ndef loop_1(x, y, w, v1):\n")
    assert "        np.matmul(w, x, out=v1) " in source


def test_an_optimizer_that_starts_with_nothing_takes_its_first_step_for_the_program(sine):
    assert "sqrt" in program(*sine.arguments, optimizer="adam")


def test_a_large_fit_evaluates_the_loss_in_the_trace_only(sine):
    def loss(params, x, y):
        calls.append(type(x.array).__name__)
        return sine.loss(params, x, y)

    calls = []
    fit(loss, sine.start, sine.x, sine.y, steps=20, progress=False, compile=True)
    assert calls == ["Symbol"]


def test_a_compiled_fit_can_be_profiled(sine):
    profile = cProfile.Profile()
    profile.enable()
    fit(*sine.arguments, steps=3, progress=False, compile=True)
    profile.disable()
    names = {entry.code.co_name for entry in profile.getstats() if not isinstance(entry.code, str)}
    assert {"compiled_loop", "loss"} <= names


def test_a_program_uses_the_names_of_local_variables_however_the_loss_is_wrapped(sine):
    def loss(params, x, y):
        prediction = params["a"] * x
        return ((prediction - y) ** 2).sum()

    class Holder:
        def loss(self, params, x, y):
            return loss(params, x, y)

    def decorated(*given):
        return loss(*given)

    for function in (loss, functools.wraps(loss)(decorated)):
        assert "prediction" in program(function, {"a": 0.5}, sine.x, sine.y)
    for function in (Holder().loss, functools.partial(loss)):
        assert "prediction" not in program(function, {"a": 0.5}, sine.x, sine.y)


@pytest.mark.parametrize("how", [{}, {"hoist": "algebra"}], ids=["plain", "hoisted"])
def test_a_large_float32_loss_is_seen_at_once_and_without_numpys_warnings(how):
    x = np.arange(5, dtype="float32")
    arguments = line, {"a": 0.3, "b": 0.2}, x, x * np.float32(1e20)
    with pytest.raises(DivergenceError, match="at step 0, before any update"):
        fit(*arguments, lr=0.01, steps=500, progress=False, compile=True, **how)


def slope(params, x, y):
    return ((params["w"] * x - y) ** 2).sum()


def line(params, x, y):
    return ((params["a"] + params["b"] * x - y) ** 2).sum()


@pytest.mark.parametrize("how", [{}, {"compile": True}, {"compile": True, "hoist": "algebra"}], ids=str)
def test_a_loss_that_is_no_number_for_a_while_ends_the_fit(how):
    with pytest.raises(DivergenceError, match="at step 1 the loss is no longer a finite number") as caught:
        fit(
            lambda p, x, y: (tg.log(p["w"]) * x).sum(), {"w": 0.5}, [1.0, 1.0], [1.0, 1.0],
            steps=3, lr=0.2, log_every=1000, progress=False, **how,
        )  # fmt: skip
    assert caught.value.result.params["w"].item() == 0.5


@pytest.mark.parametrize("how", [{}, {"compile": True}, {"compile": True, "hoist": "algebra"}], ids=str)
def test_divergence_in_the_first_step_says_that_the_rate_is_too_large(how):
    with pytest.raises(DivergenceError, match=r"stable below 0\.2, so try 0\.1") as caught:
        fit(slope, {"w": 0.0}, [1.0, 2.0], [3.0, 6.0], lr=1e200, progress=False, **how)
    assert (caught.value.step, caught.value.result.step, caught.value.result.params["w"].item()) == (1, 0, 0.0)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_data_without_sums_diverge_before_any_are_taken(bad):
    def loss(params, x, y):
        return (tg.tanh(params["a"] * x) - y).abs().sum() + ((params["a"] * x - y) ** 2).sum()

    for hoist in (None, "algebra"):
        with pytest.raises(DivergenceError, match="at step 0, before any update"):
            fit(loss, {"a": 0.5}, [1.0, bad], [1.0, 2.0], progress=False, compile=True, hoist=hoist)


class Reversed(tg.optim.SGD):
    """Two groups, in another order than the weights'."""

    def __init__(self, params, lr):
        first, *others = params
        super().__init__([{"params": others, "lr": lr / 4}, {"params": first}], lr=lr)


class Frozen(tg.optim.SGD):
    """Leaves the first weight as it is."""

    def __init__(self, params, lr):
        super().__init__(params[1:], lr=lr)


class Counting(tg.optim.SGD):
    """Remembers a count and a label, and has its weights in an attribute."""

    def __init__(self, params, lr):
        super().__init__(params, lr=lr)
        self.weights = self.param_groups[0]["params"]

    def step(self, closure=None):
        for p in self.weights:
            state = self.state[p]
            state["label"], state["count"] = "w", state.get("count", 0) + 1
            p.array = p.array - self.lr / state["count"] * p.grad.array


@pytest.mark.parametrize("optimizer", [Reversed, Frozen, Counting])
def test_optimizers_of_ones_own_take_the_same_steps_compiled(optimizer):
    x = np.array([0.5, 1.0, -0.25])
    how = {"steps": 30, "lr": 0.125, "optimizer": optimizer, "progress": False}
    eager, compiled = (fit(line, {"a": 0.5, "b": -1.0}, x, 3 * x, **how, compile=c) for c in (False, True))
    np.testing.assert_allclose(numbers(compiled), numbers(eager), rtol=1e-13)
    assert str(compiled.run.optimizer_state["state"]) == str(eager.run.optimizer_state["state"])


class Velocity(tg.optim.SGD):
    """Remembers in an attribute, of which a program knows nothing."""

    def __init__(self, params, lr):
        super().__init__(params, lr=lr)
        self.velocity = [tg.zeros_like(p) for p in self.param_groups[0]["params"]]

    def step(self, closure=None):
        for p, v in zip(self.param_groups[0]["params"], self.velocity, strict=True):
            v.array = 0.5 * v.array + p.grad.array
            p.array = p.array - self.lr * v.array


class Accumulating(tg.optim.SGD):
    """Keeps the gradients of all steps."""

    def zero_grad(self, set_to_none=True):
        pass


@pytest.mark.parametrize(
    ("optimizer", "message"),
    [(Velocity, "changes 'velocity'"), (Accumulating, r"zero_grad\(\) of Accumulating keeps gradients")],
)
def test_what_a_program_would_not_do_is_refused_and_leaves_nothing_behind(optimizer, message):
    made = []

    def factory(params, lr):
        made.append((params, optimizer(params, lr=lr)))
        return made[-1][1]

    with pytest.raises(TraceError, match=message):
        fit(line, {"a": 0.5, "b": -1.0}, [1.0, 2.0], [1.0, 2.0], optimizer=factory, progress=False, compile=True)
    (params, left), *_ = made
    assert [p.item() for p in params] == [0.5, -1.0]
    assert all(p.is_leaf and p.requires_grad and p.grad is None for p in params)
    assert not left.state
    assert all(v.item() == 0 for v in getattr(left, "velocity", ()))


def test_a_parameter_that_is_no_weight_of_the_loss_is_refused():
    extra = tg.tensor(1.0, requires_grad=True)
    with pytest.raises(TraceError, match=r"parameter 2 of the optimizer, of shape \(\), is none of the weights"):
        fit(
            line, {"a": 0.5, "b": -1.0}, [1.0, 2.0], [1.0, 2.0], progress=False, compile=True,
            optimizer=lambda params, lr: tg.optim.SGD([*params, extra], lr=lr),
        )  # fmt: skip


def test_the_program_of_a_fit_that_cannot_take_its_first_step_is_the_fits_error(sine):
    for optimizer, start in (("adam", 1e308), ("rmsprop", math.nan)):
        with pytest.raises(DivergenceError, match="at step 0, before any update"):
            program(sine.loss, dict.fromkeys("abcd", start), sine.x, sine.y, optimizer=optimizer)
