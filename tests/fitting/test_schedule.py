"""A fit with a schedule has the rates that torch's loop with a scheduler has, however it is taken."""

import json
from functools import partial

import numpy as np
import pytest

import tinygrad_poly as tg
from tests.proof.fits import route
from tinygrad_poly.engine.errors import DataError, TraceError
from tinygrad_poly.fitting import fit, program, resume
from tinygrad_poly.optim import lr_scheduler

X = np.linspace(-1, 1, 16)
Y = np.cos(X)
START = {"a": 0.5, "b": -0.25, "c": 0.125}
SCHEDULES = {
    "StepLR": partial(lr_scheduler.StepLR, step_size=7, gamma=0.5),
    "ExponentialLR": partial(lr_scheduler.ExponentialLR, gamma=0.95),
    "CosineAnnealingLR": partial(lr_scheduler.CosineAnnealingLR, T_max=20),
    "LambdaLR": partial(lr_scheduler.LambdaLR, lr_lambda=lambda t: 1 / (1 + t)),
    "OneCycleLR": partial(lr_scheduler.OneCycleLR, max_lr=0.2, total_steps=30, cycle_momentum=False),
    "ChainedScheduler": lambda optimizer: lr_scheduler.ChainedScheduler(
        [lr_scheduler.StepLR(optimizer, 5), lr_scheduler.LinearLR(optimizer, total_iters=10)]
    ),
}
OPTIMIZERS = ("SGD", "Adam", "Rprop")
WAYS = ("eager", "NumPy", "source")


def loss(p, x, y):
    return ((p["a"] + p["b"] * x + p["c"] * x**2 - y) ** 2).mean()


def by_hand(optimizer, make, steps, dtype):
    params = {name: tg.tensor(w, dtype=dtype, requires_grad=True) for name, w in START.items()}
    made = getattr(tg.optim, optimizer)(params.values(), lr=0.1)
    scheduler = make(made)
    x, y = tg.tensor(X, dtype=dtype), tg.tensor(Y, dtype=dtype)
    for _ in range(steps):
        made.zero_grad()
        loss(params, x, y).backward()
        made.step()
        scheduler.step()
    return numbers(params)


def numbers(params):
    return [w.item() for w in params.values()]


def taken(way, steps, dtype="float64", **how):
    with route("NumPy" if way == "eager" else way):
        how = {"lr": 0.1, "progress": False, "compile": way != "eager"} | how
        return fit(loss, START, X.astype(dtype), Y.astype(dtype), steps=steps, **how)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("name", SCHEDULES)
def test_the_steps_are_those_of_the_loop_by_hand(name, optimizer, way, dtype):
    expected = by_hand(optimizer, SCHEDULES[name], 30, dtype)
    result = taken(way, 30, dtype, optimizer=optimizer.lower(), scheduler=SCHEDULES[name])
    # Sums in another order, and what a step makes of it; an eager fit takes the very same steps.
    rtol = 0 if way == "eager" else 1e5 * float(np.finfo(dtype).eps)
    np.testing.assert_allclose(numbers(result.params), expected, rtol=rtol)


@pytest.mark.parametrize("way", WAYS)
def test_a_function_of_the_step_is_the_rate_of_that_step(way):
    asked = []

    def lr(t):
        asked.append(t)
        return 0.1 / (1 + t)

    result = taken(way, 20, lr=lr, optimizer="adam")
    expected = by_hand("Adam", SCHEDULES["LambdaLR"], 20, "float64")
    np.testing.assert_allclose(numbers(result.params), expected, rtol=1e-12)
    assert set(asked) == set(range(20))  # and not that of a step that is not taken
    assert result.lr == 0.1 / 20
    assert result.how == "20 steps of adam, learning rate 0.005 in the end"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "how", [{"lr": lambda t: 0.1 / (1 + t)}, {"scheduler": SCHEDULES["CosineAnnealingLR"]}], ids=["lr", "scheduler"]
)
def test_a_resumed_fit_goes_on_with_the_schedule(how, way, tmp_path):
    whole, part = (taken(way, steps, optimizer="adam", **how) for steps in (20, 7))
    part.save(tmp_path / "run.json")
    with route("NumPy" if way == "eager" else way):
        compile = way != "eager"
        later = resume(tmp_path / "run.json", loss, X, Y, steps=20, progress=False, compile=compile, **how)
        for resumed in (part.resume(20, progress=False), later):
            assert numbers(resumed.params) == numbers(whole.params)
            assert resumed.lr == whole.lr
            assert resumed.run.optimizer_state == whole.run.optimizer_state
        assert part.resume(20, lr=0.25, progress=False).lr == 0.25


def test_a_resumed_fit_needs_its_schedule_again(tmp_path):
    path = tmp_path / "run.json"
    taken("eager", 5, scheduler=SCHEDULES["StepLR"]).save(path)
    with pytest.raises(DataError, match="a learning-rate schedule, which has to be passed again as scheduler"):
        resume(path, loss, X, Y, steps=9, progress=False)
    assert resume(path, loss, X, Y, steps=9, lr=0.25, progress=False).lr == 0.25
    taken("eager", 5).save(path)
    assert "schedule" not in json.loads(path.read_text())


@pytest.mark.parametrize("hoist", [None, "algebra"])
def test_the_sums_of_a_hoisted_fit_serve_every_rate(hoist):
    how = {"lr": lambda t: 0.1 / (1 + t)}
    found = taken("NumPy", 50, hoist=hoist, **how)
    np.testing.assert_allclose(numbers(found.params), numbers(taken("eager", 50, **how).params), rtol=1e-12)


def test_a_program_reads_the_rate_of_each_step():
    source = program(loss, START, X, Y, lr=lambda t: 0.1)
    assert "lr_of):" in source
    assert "        lr = lr_of[t - first]\n" in source
    assert "a - lr * grad_a" in source
    assert "        const lr = lr_of[t - first];\n" in program(loss, START, X, Y, lr=lambda t: 0.1, target="js")


@pytest.mark.slow
def test_numba_runs_it():
    pytest.importorskip("numba")
    how = {"lr": lambda t: 0.1 / (1 + t), "dtype": "float32"}
    with_numba = fit(loss, START, X.astype("f4"), Y.astype("f4"), steps=50, lr=how["lr"], progress=False, compile=True)
    np.testing.assert_allclose(numbers(with_numba.params), numbers(taken("eager", 50, **how).params), rtol=1e-5)


def test_a_momentum_that_is_cycled_is_taken_eagerly_and_refused_by_name_where_it_is_a_constant():
    make = partial(lr_scheduler.OneCycleLR, max_lr=0.2, total_steps=30)
    result = taken("eager", 30, optimizer="adam", scheduler=make)
    assert numbers(result.params) == by_hand("Adam", make, 30, "float64")
    with pytest.raises(TraceError, match=r"the scheduler changes betas .* pass cycle_momentum=False"):
        taken("NumPy", 30, optimizer="adam", scheduler=make)


@pytest.mark.parametrize("compile", [False, True])
@pytest.mark.parametrize(
    ("how", "error", "message"),
    [
        ({"lr": lambda t: -1.0}, ValueError, "rate of step 0 must be a number of 0 or more, not -1.0"),
        ({"lr": lambda t: "fast"}, ValueError, "rate of step 0 must be a number of 0 or more, not 'fast'"),
        ({"lr": lambda t: 1.0, "scheduler": SCHEDULES["StepLR"]}, ValueError, "there is a scheduler: give one"),
        ({"scheduler": lr_scheduler.ReduceLROnPlateau}, TypeError, "ReduceLROnPlateau looks at the losses"),
        ({"scheduler": 0.5}, TypeError, "scheduler must be a function .* and not float"),
        ({"scheduler": lambda _: SCHEDULES["StepLR"](tg.optim.SGD([tg.zeros(1)], lr=1.0))}, TypeError, "not StepLR"),
    ],
)
def test_what_is_no_schedule_is_refused(how, error, message, compile):
    with pytest.raises(error, match=message):
        taken("NumPy" if compile else "eager", 5, **how)


def test_steps_on_a_gpu_follow_the_schedule_and_compiled_ones_are_refused_by_name(cupy):
    def on_gpu(**how):
        x, y = (tg.tensor(data, device="cuda") for data in (X, Y))
        return fit(loss, START, x, y, steps=20, progress=False, lr=lambda t: 0.1 / (1 + t), **how)

    expected = taken("eager", 20, lr=lambda t: 0.1 / (1 + t))
    assert numbers(on_gpu().params) == numbers(expected.params)
    with pytest.raises(TraceError, match="compiled steps on a GPU have one learning rate"):
        on_gpu(compile=True)
