"""A compiled fit beside the eager one: the same losses, ends and errors."""

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
        (lambda params, x, y: params["a"] if params["a"] > 0 else y.sum(), TraceError, r"test_eager.py, line \d+"),
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
