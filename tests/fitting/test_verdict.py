import pytest

import tinygrad_poly as tg
from tinygrad_poly.fitting import fit
from tinygrad_poly.fitting.verdict import rounded_down


def line(params, x, y):
    return ((params["w"] * x + params["b"] - y) ** 2).mean()


def test_the_tutorials_fit_has_not_converged(sine):
    verdict = fit(*sine.arguments, lr=1e-6, progress=False).verdict
    assert verdict.optimum == pytest.approx(8.817165, abs=5e-7)
    assert verdict.loss - verdict.optimum == pytest.approx(verdict.excess, rel=1e-6)
    assert verdict.converged is False
    assert "above the least-squares optimum of 8.817165" in str(verdict)
    assert f"It has not converged: that takes {verdict.more_steps} more steps" in str(verdict)


def test_the_steps_that_it_says_are_missing_are_the_ones(sine):
    result = fit(*sine.arguments, lr=1e-6, progress=False)
    more = result.verdict.more_steps
    assert result.resume(result.step + more - 1, progress=False).verdict.converged is False
    converged = result.resume(result.step + more, progress=False).verdict
    assert converged.converged
    assert converged.loss == pytest.approx(1.001 * converged.optimum, rel=1e-5)
    assert str(converged).startswith("It has converged.\n")


def test_the_fastest_learning_rate_needs_as_many_steps_as_it_says(sine):
    result = fit(*sine.arguments, lr=1e-6, progress=False)
    steps = result.step + result.verdict.more_steps_at_fastest
    assert result.resume(steps, lr=result.verdict.fastest_lr, progress=False).verdict.converged
    assert not result.resume(steps - 1, lr=result.verdict.fastest_lr, progress=False).verdict.converged


@pytest.mark.parametrize(("dtype", "rounding"), [(tg.float32, 10), (tg.float64, 0)])
def test_an_exact_fit_converges_although_its_optimum_is_zero(dtype, rounding):
    x = tg.tensor([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], dtype=dtype)
    early = fit(line, {"w": 0.5, "b": 0.5}, x, 3 * x, steps=1000, lr=0.01, progress=False)
    assert early.verdict.fits_exactly
    assert not early.verdict.converged
    assert "where the optimum is an exact fit" in str(early.verdict)
    assert early.resume(1000 + early.verdict.more_steps + rounding, progress=False).verdict.converged


def test_a_learning_rate_above_the_limit_is_said_to_diverge(sine):
    verdict = fit(*sine.arguments, lr=3.6e-6, steps=300, progress=False).verdict
    assert verdict.diverges
    assert "It diverges: the learning rate is 3.6e-06, and has to be below 3.55795e-06." in str(verdict)


def test_nothing_is_claimed_of_a_loss_that_is_not_quadratic():
    def loss(params, x, y):
        return ((tg.tanh(params["w"] * x) - y) ** 2).mean()

    verdict = fit(loss, {"w": 0.5}, [1.0, 2.0], [0.7, 0.9], steps=10, lr=0.1, progress=False).verdict
    assert (verdict.optimum, verdict.converged, verdict.largest_stable_lr) == (None, None, None)
    assert verdict.headline == "Whether it has converged is not known: the loss is not quadratic in the weights."


def test_nothing_is_claimed_of_an_optimum_that_rounding_hides():
    def loss(params, x, y):
        return (((params["v"] + params["w"]) * x - y) ** 2).mean()

    verdict = fit(loss, {"v": 0.0, "w": 0.0}, [1.0, 2.0], [3.0, 5.0], steps=10, lr=0.1, progress=False).verdict
    assert verdict.converged is None
    assert verdict.largest_stable_lr == pytest.approx(0.2)
    assert "weights can stand in for one another" in verdict.unknown


@pytest.mark.parametrize(("lr", "rounded"), [(3.5579e-6, 3.55e-6), (0.0625618, 0.0625), (1.0, 1.0), (12345.0, 12300.0)])
def test_learning_rates_are_rounded_down(lr, rounded):
    assert rounded_down(lr) == rounded


def clipped(params, lr):
    """Plain gradient descent whose gradients are clipped, by another `step` of the object."""
    optimizer = tg.optim.SGD(params, lr=lr)
    step = optimizer.step

    def clip_and_step():
        tg.nn.utils.clip_grad_norm_(params, 1e-3)
        step()

    optimizer.step = clip_and_step
    return optimizer


class Clipped(tg.optim.SGD):
    def step(self, closure=None):
        tg.nn.utils.clip_grad_norm_(self.param_groups[0]["params"], 1e-3)
        return super().step(closure)


class Plain(Clipped):
    """Clips so late that it never does, and says so."""

    is_plain_descent = True

    def step(self, closure=None):
        return tg.optim.SGD.step(self, closure)


@pytest.mark.parametrize("compile", [False, True])
@pytest.mark.parametrize(
    "optimizer",
    [
        Clipped,
        clipped,
        lambda params, lr: tg.optim.SGD(params, lr=lr, momentum=0.5),
        lambda params, lr: tg.optim.SGD(params, lr=lr, weight_decay=1e-9),
        lambda params, lr: tg.optim.SGD(params[1:], lr=lr),
        lambda params, lr: tg.optim.SGD(params, lr=lr / 1e6),
        lambda params, lr: tg.optim.SGD([{"params": params[:1], "lr": lr}, {"params": params[1:]}], lr=lr / 2),
        "adam",
    ],
    ids=["class", "object", "momentum", "decay", "frozen", "another rate", "two rates", "adam"],
)
def test_nothing_is_foretold_of_steps_that_are_not_plain_descent(sine, optimizer, compile):
    # With this rate plain descent diverges.
    result = fit(*sine.arguments, lr=3.6e-6, steps=20, optimizer=optimizer, progress=False, compile=compile)
    verdict = result.verdict
    assert verdict.optimum == pytest.approx(8.817165, abs=5e-7)
    assert (result.largest_stable_lr, verdict.largest_stable_lr, verdict.more_steps) == (None, None, None)
    assert verdict.headline == "It has not converged."
    assert not verdict.diverges


@pytest.mark.parametrize("optimizer", ["sgd", tg.optim.SGD, lambda p, lr: tg.optim.SGD(p, lr, dampening=0.5), Plain])
def test_plain_descent_is_believed_by_what_it_says_of_itself(sine, optimizer):
    verdict = fit(*sine.arguments, lr=3.6e-6, steps=20, optimizer=optimizer, progress=False).verdict
    assert verdict.largest_stable_lr == pytest.approx(3.557948e-06)
    assert verdict.diverges
