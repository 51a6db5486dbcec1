"""A fit on a GPU, with `cupy_on_cpu` in CuPy's place: the fit of the CPU, with few looks at its losses."""

import signal

import numpy as np
import pytest

import tinygrad_poly as tg
from tinygrad_poly import fitting
from tinygrad_poly.cli import main
from tinygrad_poly.cuda import OutOfMemoryError
from tinygrad_poly.engine.errors import DeviceError, DivergenceError
from tinygrad_poly.fitting.loops import eager
from tinygrad_poly.fitting.optimizers import OPTIMIZERS

GPU = "cuda:0"


def loss(params, x, y):
    return ((params["a"] + params["b"] * x + params["c"] * x**2 - y) ** 2).sum()


START = {"a": 0.1, "b": 0.0, "c": 0.25}


def fitted(device, **options):
    x = tg.linspace(-3, 3, 50, dtype=tg.float64)
    return tg.fit(
        loss, START, x.to(device), (x * x).sin().to(device), **{"steps": 500, "lr": 1e-4, "progress": False, **options}
    )


def numbers(result):
    return {name: w.item() for name, w in result.params.items()}


@pytest.mark.parametrize("log_every", [7, *(pytest.param(n, marks=pytest.mark.slow) for n in (100, 1000))])
@pytest.mark.parametrize("optimizer", sorted(OPTIMIZERS))
def test_it_is_the_fit_of_the_cpu(cupy, optimizer, log_every):
    mine, reference = (fitted(d, optimizer=optimizer, log_every=log_every) for d in (GPU, "cpu"))
    assert numbers(mine) == numbers(reference)
    assert (mine.losses, mine.step, mine.loss) == (reference.losses, reference.step, reference.loss)
    assert all(w.is_cuda for w in [*mine.params.values(), *mine.start.values()])
    # The verdict adds up in the same order here; on a GPU it would differ in the last digits.
    assert str(mine.verdict) == str(reference.verdict)


@pytest.mark.parametrize(("steps", "log_every", "looks"), [(500, 100, 6), (500, 50, 11), (500, 1000, 6), (30, 100, 1)])
def test_it_waits_once_for_many_steps(cupy, steps, log_every, looks):
    x = tg.linspace(-3, 3, 50, dtype=tg.float64, device=GPU)
    y = (x * x).sin()
    before = cupy.counts["to_host"]
    tg.fit(loss, START, x, y, steps=steps, lr=1e-4, log_every=log_every, progress=False)
    # a look at each logged loss or hundredth one, one at the end, and then the weights
    assert cupy.counts["to_host"] - before == looks + len(START)


@pytest.mark.parametrize("optimizer", ["sgd", lambda p, lr: tg.optim.SGD(p, lr=lr, momentum=0.9)])
@pytest.mark.parametrize("log_every", [3, 10, 48, 49, 1000])
def test_divergence_is_found_where_the_cpu_finds_it(cupy, log_every, optimizer):
    reports = {}
    errors = []
    for device in (GPU, "cpu"):
        seen = reports[device] = []
        with pytest.raises(DivergenceError) as caught:
            fitted(
                device, lr=1.0, log_every=log_every, optimizer=optimizer, progress=lambda *step, s=seen: s.append(step)
            )
        errors.append(caught.value)
    mine, reference = errors
    assert str(mine) == str(reference)
    assert (mine.step, mine.last_loss) == (reference.step, reference.last_loss)
    assert numbers(mine.result) == numbers(reference.result)
    assert mine.result.losses == reference.result.losses
    assert reports[GPU] == reports["cpu"]


def test_a_loss_that_is_no_number_from_the_start_is_said_to_be(cupy):
    x = tg.tensor([1.0, np.nan], device=GPU)
    with pytest.raises(DivergenceError, match="at step 0, before any update"):
        tg.fit(loss, START, x, x, steps=10, progress=False)


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_keeps_the_steps_that_are_complete(cupy):
    def stop(t, value):
        if t == 9:
            signal.raise_signal(signal.SIGINT)

    result = fitted(GPU, log_every=10, progress=stop)
    assert result.interrupted
    assert result.step == 10
    assert numbers(result) == numbers(fitted("cpu", steps=10))
    assert numbers(result.resume(500, progress=False)) == numbers(fitted("cpu"))


def test_a_second_ctrl_c_goes_back_to_the_last_loss_that_was_seen(cupy):
    def impatient(params, x, y):
        impatient.calls += 1
        if impatient.calls == 26:
            raise KeyboardInterrupt
        return loss(params, x, y)

    impatient.calls = 0
    x = tg.linspace(-3, 3, 50, dtype=tg.float64).to(GPU)
    result = tg.fit(
        impatient, START, x, (x * x).sin(), steps=500, lr=1e-4, optimizer="adam", log_every=10, progress=False
    )
    assert result.interrupted
    assert result.step == 19
    assert numbers(result) == numbers(fitted("cpu", steps=19, optimizer="adam"))
    assert numbers(result.resume(500, progress=False)) == numbers(fitted("cpu", optimizer="adam"))


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_saved_fit_goes_on_on_either_device(cupy, tmp_path, optimizer):
    path = tmp_path / "run.json"
    fitted(GPU, steps=200, optimizer=optimizer).save(path)
    for device in (GPU, "cpu"):
        x = tg.linspace(-3, 3, 50, dtype=tg.float64).to(device)
        result = fitting.resume(path, loss, x, (x * x).sin(), steps=500, progress=False)
        assert numbers(result) == numbers(fitted("cpu", optimizer=optimizer))
        assert result.params["a"].device == tg.device(device)


def test_tensors_have_to_be_where_x_is(cupy):
    x = tg.ones(3)
    with pytest.raises(DeviceError, match=r"x is on cuda:0 and y is on cpu: move one of them with .to"):
        tg.fit(loss, START, x.to(GPU), x, progress=False)
    with pytest.raises(DeviceError, match=r"x is on cuda:0 and params\['a'\] is on cpu"):
        tg.fit(loss, START | {"a": tg.tensor(0.5)}, x.to(GPU), x.to(GPU), progress=False)
    start = START | {"a": tg.tensor(0.5, device=GPU), "b": np.float32(0.25)}
    assert tg.fit(loss, start, x.to(GPU), x.to(GPU), steps=3, progress=False).step == 3


def test_a_fit_runs_on_the_gpu_of_its_data(cupy):
    result = fitted("cuda:1")
    assert numbers(result) == numbers(fitted("cpu"))
    assert str(result.verdict) == str(fitted("cpu").verdict)
    assert tg.cuda.current_device() == 0


def test_a_gpu_without_memory_keeps_what_was_learned(cupy, monkeypatch):
    def growing(params, x, y):
        growing.calls += 1
        if growing.calls > 25:
            tg.zeros(10**9, device=GPU)
        return loss(params, x, y)

    growing.calls = 0
    monkeypatch.setattr(eager, "UNSEEN", 10)
    x = tg.linspace(-3, 3, 50, dtype=tg.float64).to(GPU)
    with pytest.raises(
        OutOfMemoryError, match=r"cuda:0 has not enough memory .* 800 bytes \(50 numbers of float64 in x"
    ) as caught:
        tg.fit(growing, START, x, (x * x).sin(), steps=100, lr=1e-4, progress=False)
    assert "allocating 8,000,000,000 bytes" in str(caught.value)
    assert caught.value.result.step == 19
    assert numbers(caught.value.result) == numbers(fitted("cpu", steps=19))


# the command line


def output_of(capsys, *arguments):
    status = main([*arguments, "--no-picture"])
    return status, capsys.readouterr()


def test_the_command_fits_on_a_device(cupy, capsys):
    arguments = ("fit", "sin", "--steps", "200", "--dtype", "float32")
    status, mine = output_of(capsys, *arguments, "--device", "cuda:0")
    expected_status, expected = output_of(capsys, *arguments)
    assert (status, expected_status) == (0, 0)
    lines, reference = mine.out.splitlines(), expected.out.splitlines()
    assert lines[0] == f"{reference[0]} on cuda:0"
    assert lines[1:] == reference[1:]


def test_the_command_reads_draws_saves_and_resumes_on_a_device(cupy, capsys, tmp_path):
    (tmp_path / "points.csv").write_text("x,y\n1,1\n2,4\n3,9\n4,16.5\n")
    run, picture = str(tmp_path / "run.json"), str(tmp_path / "fit.svg")
    data = ("--data", str(tmp_path / "points.csv"), "--degree", "2", "--device", "cuda")
    pytest.importorskip("matplotlib")
    assert main(["fit", "poly", *data, "--steps", "10", "--save", run, "--output", picture]) == 0
    assert (tmp_path / "fit.svg").stat().st_size
    assert main(["fit", "poly", "--resume", run, "--steps", "20", "--no-picture", "--device", "cuda"]) == 0
    assert "from step 10" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--device", "gpu"], "'gpu' is not a device; expected 'cpu', 'cuda' or 'cuda:0'"),
        (["--device", "cuda:7"], "cuda:7 does not exist: the GPUs here are cuda:0 to cuda:1"),
        (["--device", "cuda", "--points", "900000000"], "cuda has not enough memory for 900000000 points"),
    ],
)
def test_the_command_says_what_is_wrong_with_a_device(cupy, capsys, options, message):
    status, printed = output_of(capsys, "fit", "sin", *options)
    assert status == 2
    assert message in printed.err


def test_the_command_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(__import__("sys").modules, "cupy", None)
    status, printed = output_of(capsys, "fit", "sin", "--device", "cuda:0")
    assert status == 2
    assert "pip install 'tinygrad_poly[cuda]'" in printed.err
