import math
import signal

import numpy as np
import pytest

import tinygrad_poly as tg
from tinygrad_poly.engine.errors import DivergenceError, GraphError, ShapeError
from tinygrad_poly.fitting import fit, resume


def by_hand(problem, steps, lr):
    """The tutorials' own loop: the losses before each update, and the weights after the last."""
    params = {name: w.detach().clone().requires_grad_() for name, w in problem.start.items()}
    losses = []
    for _ in range(steps):
        loss = problem.loss(params, problem.x, problem.y)
        losses.append(loss.item())
        loss.backward()
        with tg.no_grad():
            for w in params.values():
                w -= lr * w.grad
                w.grad = None
    return losses, params


def numbers(params):
    return [w.detach().numpy().tolist() for w in params.values()]


def test_a_fit_is_the_loop_that_one_would_write_by_hand(sine):
    losses, params = by_hand(sine, 300, 1e-6)
    result = fit(*sine.arguments, steps=300, progress=False)
    assert numbers(result.params) == numbers(params)
    assert result.losses == {t: losses[t] for t in (99, 199, 299)}
    assert result.step == 300
    assert not result.interrupted


def test_the_weights_that_were_given_are_left_alone(sine):
    before = numbers(sine.start)
    result = fit(*sine.arguments, steps=5, progress=False)
    assert numbers(sine.start) == before == numbers(result.start)
    assert not any(w.requires_grad for w in sine.start.values())


def test_float32_stays_float32(sine_in_float32):
    result = fit(*sine_in_float32.arguments, steps=100, progress=False)
    assert {w.dtype for w in result.params.values()} == {tg.float32}
    assert result.losses[99] == np.float32(result.losses[99])


def test_numbers_become_weights_in_the_dtype_of_the_data(sine):
    result = fit(sine.loss, dict.fromkeys("abcd", 0), sine.x, sine.y, steps=1, progress=False)
    assert {w.dtype for w in result.params.values()} == {tg.float64}


def test_weights_may_be_a_list_of_arrays_and_data_numpy_arrays():
    x = np.array([[1.0, 2.0], [3.0, 5.0], [0.0, 1.0]])
    y = x @ np.array([2.0, -1.0]) + 0.5

    def loss(params, x, y):
        weights, bias = params
        return ((x @ weights + bias - y) ** 2).mean()

    result = fit(loss, [np.zeros(2), 0.0], x, y, steps=20_000, lr=0.05, progress=False)
    weights, bias = result.params
    np.testing.assert_allclose(weights.numpy(), [2, -1], rtol=1e-5)
    assert bias.item() == pytest.approx(0.5, rel=1e-4)


def test_any_optimizer_can_be_passed(sine):
    class Momentum(tg.optim.Optimizer):
        def __init__(self, params, lr):
            super().__init__(params, {"lr": lr})
            self.params = self.param_groups[0]["params"]
            self.velocity = [0.0 * p.array for p in self.params]

        def step(self):
            self.velocity = [0.9 * v + p.grad.array for v, p in zip(self.velocity, self.params, strict=True)]
            for p, v in zip(self.params, self.velocity, strict=True):
                p.array = p.array - self.lr * v

    result = fit(*sine.arguments, optimizer=Momentum, progress=False)
    assert result.verdict.converged
    assert result.largest_stable_lr is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"optimizer": "newton"},
            "unknown optimizer 'newton'; the optimizers are: adadelta, adagrad, adam, ",
        ),
        ({"steps": -1}, "steps must be a whole number of 0 or more, not -1"),
        ({"steps": 1.5}, "steps must be a whole number of 0 or more, not 1.5"),
        ({"log_every": 0}, "log_every must be a whole number of 1 or more, not 0"),
        ({"lr": 0}, "lr must be a positive number, not 0"),
        ({"lr": math.nan}, "lr must be a positive number, not nan"),
        ({"lr": True}, "lr must be a positive number, not True"),
        ({"lr": "1"}, "lr must be a positive number, not '1'"),
        ({"params": {}}, "at least one weight"),
    ],
)
def test_arguments_that_make_no_sense_are_named(sine, change, message):
    arguments = {"loss": sine.loss, "params": sine.start, "x": sine.x, "y": sine.y, "progress": False}
    with pytest.raises(ValueError, match=message):
        fit(**arguments | change)


def test_a_loss_that_is_no_scalar_is_refused(sine):
    with pytest.raises(ShapeError, match=r"not one of shape \(2000,\): end it with .sum\(\) or .mean\(\)"):
        fit(lambda params, x, y: params["a"] * x - y, sine.start, sine.x, sine.y, progress=False)


def test_a_loss_that_ignores_its_weights_is_refused(sine):
    with pytest.raises(GraphError, match="does not depend on the params"):
        fit(lambda params, x, y: (x - y).sum(), sine.start, sine.x, sine.y, progress=False)


@pytest.mark.parametrize(
    ("loss", "params", "message"),
    [
        ("no function", {"a": 1.0}, "expects a function"),
        (lambda params, x, y: 1.0, {"a": 1.0}, "must return a scalar tensor, not float"),
        (lambda params, x, y: params, 1.0, "must be a dict of names to weights, a list of weights, or an nn.Module"),
    ],
)
def test_arguments_of_a_wrong_type_are_refused(loss, params, message):
    with pytest.raises(TypeError, match=message):
        fit(loss, params, [1.0], [1.0], progress=False)


def test_zero_steps_give_back_the_start(sine):
    result = fit(*sine.arguments, steps=0, progress=False)
    assert numbers(result.params) == numbers(sine.start)
    assert result.losses == {}


def test_a_fit_works_under_no_grad(sine):
    with tg.no_grad():
        assert fit(*sine.arguments, steps=100, progress=False).losses


def test_progress_prints_the_losses_and_then_the_verdict(sine, capsys):
    result = fit(*sine.arguments, steps=200)
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"{t} {loss}" for t, loss in result.losses.items()] + str(result.verdict).splitlines()


def test_progress_can_be_a_function(sine, capsys):
    seen = {}
    result = fit(*sine.arguments, steps=250, log_every=50, progress=seen.__setitem__)
    assert seen == result.losses
    assert list(seen) == [49, 99, 149, 199, 249]
    assert capsys.readouterr().out == ""


def test_a_keyboard_interrupt_keeps_the_last_complete_step(sine):
    calls = 0

    def loss(params, x, y):
        nonlocal calls
        calls += 1
        if calls == 151:
            raise KeyboardInterrupt
        return sine.loss(params, x, y)

    result = fit(loss, sine.start, sine.x, sine.y, lr=1e-6, progress=False)
    assert result.interrupted
    assert result.step == 150
    assert numbers(result.params) == numbers(by_hand(sine, 150, 1e-6)[1])


def test_an_interrupt_in_the_middle_of_an_update_undoes_it(sine):
    class Interrupted(tg.optim.SGD):
        def step(self):
            super().step()
            first, second, *_ = self.param_groups[0]["params"]
            if first.array > 1000:
                second.array = second.array * np.nan
                raise KeyboardInterrupt

    result = fit(*sine.arguments, lr=1e-5, optimizer=Interrupted, progress=False)
    assert result.interrupted
    assert np.all(np.isfinite(numbers(result.params)))
    assert numbers(result.params) == numbers(by_hand(sine, result.step, 1e-5)[1])


@pytest.mark.skipif(not hasattr(signal, "raise_signal"), reason="no signals")
@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_stops_between_two_steps_and_gives_the_signal_back(sine):
    calls = 0

    def loss(params, x, y):
        nonlocal calls
        calls += 1
        if calls == 10:
            signal.raise_signal(signal.SIGINT)
        return sine.loss(params, x, y)

    result = fit(loss, sine.start, sine.x, sine.y, lr=1e-6, progress=False)
    assert result.interrupted
    assert result.step == 10
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_divergence_says_when_and_which_learning_rate_is_stable(sine):
    with pytest.raises(DivergenceError, match="the fit diverged: at step") as caught:
        fit(*sine.arguments, lr=1e-4, progress=False)
    error = caught.value
    losses, _ = by_hand_until_infinite(sine, 1e-4)
    assert error.step == len(losses)
    assert error.last_loss == losses[-1]
    assert error.largest_stable_lr == pytest.approx(3.557948e-06)
    assert f"stable below {error.largest_stable_lr:.6g}" in str(error)


def by_hand_until_infinite(problem, lr):
    losses, params = [math.inf], None
    for steps in range(1, 10_000):
        with np.errstate(all="ignore"):
            losses, params = by_hand(problem, steps, lr)
        if not math.isfinite(losses[-1]):
            return losses[:-1], params
    raise AssertionError


def test_divergence_loses_nothing(sine):
    with pytest.raises(DivergenceError) as caught:
        fit(*sine.arguments, lr=1e-4, log_every=10, progress=False)
    result = caught.value.result
    assert result.step == caught.value.step - 1
    assert result.loss == caught.value.last_loss
    assert 9 in result.losses
    assert np.all(np.isfinite(numbers(result.params)))


def test_an_update_that_is_the_last_one_is_checked_too(sine_in_float32):
    with pytest.raises(DivergenceError, match="at step 28 the loss") as caught:
        fit(*sine_in_float32.arguments, lr=1e-5, steps=10_000, progress=False)
    assert caught.value.step == 28
    with pytest.raises(DivergenceError) as at_the_end:
        fit(*sine_in_float32.arguments, lr=1e-5, steps=28, progress=False)
    assert str(at_the_end.value) == str(caught.value)
    assert numbers(at_the_end.value.result.params) == numbers(caught.value.result.params)
    assert fit(*sine_in_float32.arguments, lr=1e-5, steps=27, progress=False).loss == caught.value.last_loss


def test_divergence_of_a_loss_that_is_not_quadratic_claims_no_rate():
    def loss(params, x, y):
        return ((params["w"] ** 2 * x - y) ** 2).sum()

    with pytest.raises(DivergenceError, match="try a smaller learning rate") as caught:
        fit(loss, {"w": 3.0}, [1.0, 2.0], [1.0, 2.0], lr=1.0, progress=False)
    assert caught.value.largest_stable_lr is None


def test_a_loss_that_is_nan_from_the_start_points_at_the_data(sine):
    with pytest.raises(DivergenceError, match="at step 0, before any update: look for NaN") as caught:
        fit(sine.loss, sine.start, sine.x * math.nan, sine.y, progress=False)
    assert caught.value.last_loss is None
    assert caught.value.result.step == 0


def test_the_stated_learning_rate_is_the_threshold(sine):
    stable = fit(*sine.arguments, steps=0, progress=False).largest_stable_lr
    below = fit(*sine.arguments, steps=8000, lr=stable * 0.999, log_every=1000, progress=False)
    assert below.loss == pytest.approx(8.817165, abs=1e-6)
    above = fit(*sine.arguments, steps=8000, lr=stable * 1.001, log_every=1000, progress=False)
    assert above.loss > above.losses[4999] > 1e6 * below.loss
    assert above.verdict.diverges
    assert not below.verdict.diverges


@pytest.mark.parametrize("lr", [np.float32(0.25), np.float64(0.25), np.int64(1), 1], ids=repr)
def test_the_learning_rate_may_be_a_number_of_numpys(lr):
    result = fit(
        lambda p, x, y: ((p["w"] * x - y) ** 2).sum(), {"w": 0.0}, [0.5], [1.0], steps=1, lr=lr, progress=False
    )
    assert result.params["w"].item() == lr
    assert type(result.lr) in (int, float)


def test_after_divergence_the_optimizer_is_that_of_the_last_good_step(sine):
    how = {"optimizer": lambda params, lr: tg.optim.SGD(params, lr=lr, momentum=0.9), "lr": 1e-2, "progress": False}
    with pytest.raises(DivergenceError) as caught:
        fit(*sine.arguments, steps=1000, **how)
    result = caught.value.result
    clean = fit(*sine.arguments, steps=result.step, **how)
    assert str(result.run.optimizer_state) == str(clean.run.optimizer_state)
    assert result.losses == clean.losses
    resumed, expected = (r.resume(500, lr=1e-9, progress=False) for r in (result, clean))
    assert numbers(resumed.params) == numbers(expected.params)


def test_a_resumed_fit_whose_loss_is_no_number_says_where_it_went_on(sine):
    run = fit(*sine.arguments, steps=3, progress=False).run
    with pytest.raises(DivergenceError, match="not a finite number at step 3, where the fit goes on"):
        resume(run, sine.loss, sine.x, sine.y * math.nan, steps=5, progress=False)


@pytest.mark.parametrize("compile", [False, True])
def test_a_report_may_change_the_learning_rate_of_the_steps_to_come(sine, compile):
    made = []

    def factory(params, lr):
        made.append(tg.optim.SGD(params, lr=lr))
        return made[-1]

    def report(t, loss):
        seen.append(t)
        if t == 19:
            made[-1].lr = 1e-7

    seen = []
    how = {"optimizer": factory, "log_every": 5, "progress": report, "compile": compile}
    found = fit(*sine.arguments, steps=100, **how)
    assert seen == list(range(4, 100, 5)) == list(found.losses)
    expected = fit(*sine.arguments, steps=19, progress=False).resume(100, lr=1e-7, progress=False)
    np.testing.assert_allclose(numbers(found.params), numbers(expected.params), rtol=1e-12)
    assert not found.is_plain_descent
