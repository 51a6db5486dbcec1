import json
import os
import signal
import subprocess
import sys
import types
from dataclasses import dataclass
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path

import numpy as np
import pytest

import tinygrad_poly as tg
from tinygrad_poly.cli import main
from tinygrad_poly.fitting import problems, saved


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(capsys):
    """Runs the command: its exit status, standard output and standard error."""

    def run(*arguments):
        status = main([str(argument) for argument in arguments])
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def points(folder):
    path = folder / "points.csv"
    path.write_text("x,y\n0,1\n1,3\n2,7\n3,13.5\n")
    return path


SIN = ("fit", "sin", "--no-picture")


def test_fitting_sin_prints_what_the_tutorials_print_and_what_they_do_not(run, folder):
    pytest.importorskip("matplotlib")
    status, out, err = run("fit", "sin")
    lines = out.splitlines()
    assert (status, err) == (0, "")
    assert lines[0] == (
        "Fitting y = a + b x + c x² + d x³ to 2000 points of sin(x) on [-pi, pi]: sum of squared errors"
    )
    assert lines[1] == "2000 steps of sgd from random weights (seed 0), learning rate 1e-06, float64"
    assert [int(line.split()[0]) for line in lines[2:22]] == list(range(99, 2000, 100))
    assert float(lines[21].split()[1]) == pytest.approx(12.2866826)
    assert lines[22].startswith("Result: y = 0.0586")
    assert lines[23] == "It has not converged: that takes 1703 more steps, or 480 steps with 3.54e-06."
    assert "above the least-squares optimum of 8.817165" in lines[24]
    assert lines[27].split() == ["weight", "fit", "optimum", "standard", "error"]
    assert lines[32] == "Picture: fit-sin.png"
    assert max(map(len, lines)) < 100
    assert (folder / "fit-sin.png").read_bytes().startswith(b"\x89PNG")


def test_fitting_a_line_finds_it(run):
    status, out, _ = run("fit", "line", "--steps", 5000, "--output", "none", "--log-every", 1000)
    assert status == 0
    assert "Fitting y = a + b x to 6 points of y = 3 x: mean of squared errors" in out
    assert "It has converged." in out


def test_fitting_points_takes_half_the_largest_stable_learning_rate(run, points):
    fit = ("fit", "poly", "--data", points, "--degree", 2, "--no-picture", "--save", "run.json", "--steps", 2000)
    status, out, _ = run(*fit)
    X = np.vander([0.0, 1.0, 2.0, 3.0], 3, increasing=True)
    half = 1 / np.linalg.eigvalsh(2 * X.T @ X / 4)[-1]
    assert status == 0
    assert 0.99 * half < saved.load("run.json").lr <= half
    assert "half the largest that is stable" in out
    assert "the least-squares optimum of 0.003125" in out
    assert "It has converged." in out


def test_the_same_seed_gives_the_same_fit_and_another_another(run):
    first, again, other = (run(*SIN, "--seed", seed, "--quiet") for seed in (0, 0, 1))
    assert first == again != other


def test_quiet_prints_the_result_only_but_never_hides_that_it_has_not_converged(run, points):
    status, out, err = run(*SIN, "--quiet")
    assert (status, err) == (
        0,
        "tinygrad-poly: It has not converged: that takes 1703 more steps, or 480 steps with 3.54e-06.\n",
    )
    assert out.startswith("Result: y = ")
    assert out.count("\n") == 1
    assert run("fit", "line", "--data", points, "--quiet", "--no-picture") == (0, "Result: y = −0.1 + 4.15 x\n", "")


@pytest.mark.parametrize("curve", [("line",), ("poly", "--degree", "1")])
def test_points_of_a_file_are_fitted_at_once(run, folder, curve):
    (folder / "years.csv").write_text(
        "".join(f"{year},{0.02 * (year - 1988) + year % 3}\n" for year in range(1988, 2012))
    )
    status, out, _ = run("fit", *curve, "--data", "years.csv", "--no-picture")
    assert status == 0
    assert "Solved at once: centred x at 1999.5, scaled by 11.5; " in out
    assert "\nIt has converged.\n" in out
    status, out, _ = run("fit", *curve, "--data", "years.csv", "--json", "--no-picture")
    found, (b, a) = json.loads(out), np.polyfit(*np.loadtxt("years.csv", delimiter=",", unpack=True), 1)
    assert found["converged"] is True
    assert list(found["params"].values()) == pytest.approx([a, b], rel=1e-9)
    assert found["standard_errors"].keys() == {"a", "b"}


def test_a_polynomial_that_float64_cannot_hold_is_no_success(run, folder):
    lines = (f"{x},{np.cos(x)}\n" for x in np.linspace(2000, 2010, 40))
    (folder / "points.csv").write_text("".join(lines))
    fit = ("fit", "poly", "--data", "points.csv", "--degree", 10, "--no-picture")
    status, out, _ = run(*fit)
    assert status == 1
    assert "Whether it has converged is not known: rounding hides it" in out
    assert run(*fit, "--quiet")[2].startswith("tinygrad-poly: Whether it has converged is not known")


def test_other_optimizers_start_from_their_own_rate(run, points):
    status, out, _ = run("fit", "poly", "--data", points, "--degree", 1, "--optimizer", "adam", "--no-picture")
    assert status == 0
    assert "2000 steps of adam from random weights (seed 0), learning rate 0.001, the default of adam, float64" in out


def test_what_had_to_be_found_out_about_a_file_is_said(run, folder):
    (folder / "points.txt").write_text("t;p;q\n0,5;1;3\n1,5;;4\n2,5;2;5\n3,5;3;6,5\n")
    status, out, _ = run("fit", "line", "--data", "points.txt", "--x", "t", "--y", "p", "--no-picture")
    assert status == 0
    assert "Read 3 points, columns 1 and 2, divided by semicolons, with decimal commas.\n" in out
    assert "Left out 1 of 4 rows, in which x or y is missing: line 3.\n" in out


def test_a_console_without_a_minus_sign_gets_another_and_no_question_mark(points):
    command = [sys.executable, "-m", "tinygrad_poly", "fit", "line", "--data", points, "--no-picture"]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"PYTHONIOENCODING": "ascii"})
    assert "Result: y = -0.1 + 4.15 x\n" in done.stdout
    assert "?" not in done.stdout


@pytest.mark.parametrize("weights", ["-1,2,0.5,-0.25", "-.5,0,0,0", "0,0,0,0"])
def test_the_start_can_be_given_also_with_a_minus(run, weights):
    status, out, _ = run(*SIN, "--start", weights, "--steps", 1, "--save", "run.json")
    assert status == 0
    assert "from the given weights" in out
    start = saved.load("run.json").start
    assert [start[name].item() for name in "abcd"] == [float(w) for w in weights.split(",")]


def test_float32_is_fitted_in_float32(run):
    run(*SIN, "--dtype", "float32", "--steps", 10, "--save", "run.json")
    assert saved.load("run.json").params["a"].dtype == np.float32


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_resumed_run_is_bit_for_bit_the_uninterrupted_one(run, dtype):
    run(*SIN, "--dtype", dtype, "--steps", 300, "--save", "whole.json")
    run(*SIN, "--dtype", dtype, "--steps", 120, "--save", "part.json")
    status, out, _ = run(*SIN, "--resume", "part.json", "--steps", 300, "--save", "resumed.json")
    assert status == 0
    assert "300 steps of sgd from step 120 of part.json" in out
    with open("whole.json") as whole, open("resumed.json") as resumed:
        assert whole.read() == resumed.read()


def test_points_can_be_moved_but_not_changed_between_two_runs(run, points, folder):
    fit = ("fit", "poly", "--degree", 1, "--no-picture")
    run(*fit, "--data", points, "--steps", 10, "--save", "run.json")
    moved = points.rename(folder / "moved.csv")
    status, _, err = run(*fit, "--resume", "run.json", "--steps", 20)
    assert (status, err) == (2, f"tinygrad-poly: error: cannot read {points}: No such file or directory\n")
    assert run(*fit, "--resume", "run.json", "--steps", 20, "--data", moved)[0] == 0
    moved.write_text("0,1\n1,4\n")
    status, _, err = run(*fit, "--resume", "run.json", "--steps", 20, "--data", moved)
    assert status == 2
    assert f"{moved} does not hold the points that run.json was fitted to" in err


@pytest.fixture
def run_file(run):
    run(*SIN, "--steps", 10, "--save", "run.json")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("sin", "--points", 100), "--points cannot change in a resumed run: it was 2000"),
        (("sin", "--log-every", 7), "--log-every cannot change in a resumed run: it was 100"),
        (("sin", "--steps", 10), "run.json has taken 10 steps already: give a larger number of --steps in all"),
        (("line",), "run.json was not saved by `tinygrad-poly fit line`"),
    ],
)
@pytest.mark.usefixtures("run_file")
def test_a_run_cannot_be_resumed_as_something_else(run, options, message):
    status, _, err = run("fit", *options, "--no-picture", "--resume", "run.json")
    assert (status, err) == (2, f"tinygrad-poly: error: {message}\n")


@pytest.mark.parametrize(
    ("old", "new"),
    [('"points": 2000', '"points": "many"'), ('"degree": 3', '"degree": 2'), ('"degree": 3', '"degree": null')],
)
@pytest.mark.usefixtures("run_file")
def test_a_damaged_run_is_refused(run, folder, old, new):
    text = (folder / "run.json").read_text()
    assert old in text
    (folder / "run.json").write_text(text.replace(old, new))
    status, _, err = run(*SIN, "--resume", "run.json", "--steps", 20)
    assert status == 2
    assert err.startswith("tinygrad-poly: error: run.json is damaged: ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "required: fit | explain | play | tutorials"),
        (("fit",), "required: sin | line | poly"),
        (("fit", "cos"), "invalid choice: 'cos'"),
        ((*SIN, "--steps", -1), "--steps: expected a whole number from 1 to 1000000000, but got '-1'"),
        ((*SIN, "--steps", 1.5), "--steps: expected a whole number from 1 to 1000000000, but got '1.5'"),
        ((*SIN, "--points", 0), "--points: expected a whole number from 1"),
        ((*SIN, "--points", 3), "needs 4 or more different x, and there are 3"),
        ((*SIN, "--log-every", 0), "--log-every: expected a whole number from 1"),
        ((*SIN, "--lr", 0), "--lr: expected a positive number, but got '0'"),
        ((*SIN, "--lr", "nan"), "--lr: expected a positive number, but got 'nan'"),
        ((*SIN, "--lr", "inf"), "--lr: expected a positive number, but got 'inf'"),
        ((*SIN, "--seed", -1), "--seed: expected a whole number of 0 or more"),
        ((*SIN, "--dtype", "float16"), "invalid choice: 'float16'"),
        ((*SIN, "--optimizer", "adamm"), "--optimizer: invalid choice: 'adamm' (choose from"),
        ((*SIN, "--start", "1,2"), "has 4 weights to start from, a, b, c, d, but 2 were given"),
        ((*SIN, "--start", "1,2,x,4"), "--start: expected numbers with commas between them"),
        ((*SIN, "--start", "1,2,nan,4"), "--start: expected numbers with commas between them"),
        ((*SIN, "--dtype", "float32", "--start", "1e39,0,0,0"), "some numbers are too large for float32"),
        ((*SIN, "--steps=--"), "argument --steps: expected a value, but got '--'"),
        ((*SIN, "--out=--"), "argument --out: expected a value, but got '--'"),
        ((*SIN, "--start=--"), "argument --start: expected a value, but got '--'"),
        (("fit", "poly", "--data=--"), "argument --data: expected a value, but got '--'"),
        (("fit", "poly", "--data", "points.csv/"), "cannot read points.csv/: Not a directory"),
        ((*SIN, "--save", ""), "the name of a saved run has to end in .json"),
        ((*SIN, "--resume", ""), "cannot read "),
        ((*SIN, "--save", "points.csv"), "the name of a saved run has to end in .json"),
        ((*SIN, "--save", "none/run.json"), "cannot write none/run.json: the folder"),
        ((*SIN, "--resume", "none.json"), "cannot read none.json: No such file"),
        (("fit", "sin", "--output", "fit.txt"), "cannot draw fit.txt: a picture's name has to end in one of .png"),
        (("fit", "sin", "--output", "none/fit.png"), "cannot write none/fit.png: the folder"),
        (("fit", "poly", "--no-picture"), "--data is missing"),
        (("fit", "poly", "--data", "none.csv"), "cannot read none.csv: No such file"),
        (("fit", "poly", "--data", "."), "cannot read .: "),
        (("fit", "poly", "--data", "points.csv", "--degree", -1), "--degree: expected a whole number from 0 to 25"),
        (("fit", "poly", "--data", "points.csv", "--degree", 4), "needs 5 or more different x, and there are 4"),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, tuple) else "",
)
@pytest.mark.usefixtures("points")
def test_wrong_usage_and_data_end_with_a_line_and_status_2(run, folder, arguments, message):
    status, out, err = run(*arguments)
    assert (status, out) == (2, "")
    assert err.startswith("tinygrad-poly: error: ")
    assert err.count("\n") == 1
    assert message in err
    assert [path.name for path in folder.iterdir()] == ["points.csv"]


def test_a_folder_in_place_of_a_picture_is_found_before_the_fit(run, folder):
    (folder / "fit.png").mkdir()
    assert run("fit", "sin", "--output", "fit.png") == (
        2,
        "",
        "tinygrad-poly: error: cannot write fit.png: it is a folder; add a file name\n",
    )


def test_bad_points_are_refused_by_line_and_column(run, points):
    points.write_text("x,y\n0,1\n1,inf\n")
    status, _, err = run("fit", "poly", "--data", points)
    assert (status, err) == (
        2,
        f"tinygrad-poly: error: {points}, line 3, column 2: expected a finite number, but found 'inf'\n",
    )


def test_points_too_large_for_float32_are_refused(run, points):
    points.write_text("0,1\n1,1e39\n")
    status, _, err = run("fit", "poly", "--data", points, "--degree", 1, "--dtype", "float32")
    assert (status, err) == (2, f"tinygrad-poly: error: {points}: some numbers are too large for float32\n")


def test_points_for_which_no_learning_rate_can_be_computed_ask_for_one(run, points):
    points.write_text("0,1\n1,1e200\n2,0\n")
    status, _, err = run("fit", "poly", "--data", points, "--degree", 1)
    assert status == 2
    assert "give --lr" in err


def test_too_many_points_for_the_memory_are_an_error(run, monkeypatch):
    def fails(settings):
        raise MemoryError

    problem = problems.PROBLEMS["sin"]
    monkeypatch.setitem(problems.PROBLEMS, "sin", problems.Problem(**vars(problem) | {"data": fails}))
    status, _, err = run(*SIN)
    assert (status, err) == (2, "tinygrad-poly: error: there is not enough memory for so many points\n")


def test_an_exploding_learning_rate_ends_with_advice_and_status_1(run, folder):
    status, _, err = run(*SIN, "--lr", "1e-5", "--save", "run.json")
    assert status == 1
    assert err.startswith("tinygrad-poly: error: the fit diverged: at step 229 the loss is no longer a finite number")
    assert "before that it was 9.20114e+307" in err
    assert "stable below 3.55795e-06, so try 1.78e-06" in err
    assert list(folder.iterdir()) == []


def test_a_loss_that_grows_without_overflowing_is_status_1_too(run):
    pytest.importorskip("matplotlib")
    status, out, _ = run("fit", "sin", "--lr", "9e-6", "--steps", 200)
    assert status == 1
    assert "It diverges: the learning rate is 9e-06, and has to be below 3.55795e-06." in out


@pytest.fixture
def interrupted_at_step_150(monkeypatch):
    calls = 0
    loss = problems.Task.loss

    def counting(self, params, x, y):
        nonlocal calls
        calls += 1
        if calls == 151:
            raise KeyboardInterrupt
        return loss(self, params, x, y)

    monkeypatch.setattr(problems.Task, "loss", counting)


@pytest.mark.usefixtures("interrupted_at_step_150", "ctrl_c")
def test_ctrl_c_keeps_what_was_learned(run, folder):
    pytest.importorskip("matplotlib")
    status, out, err = run("fit", "sin", "--save", "run.json")
    assert (status, err) == (130, "")
    assert "Interrupted after 150 of 2000 steps." in out
    assert "Result: y = " in out
    assert saved.load("run.json").step == 150
    assert (folder / "fit-sin.png").exists()
    status, out, _ = run(*SIN, "--resume", "run.json", "--quiet")
    assert (status, out) == run(*SIN, "--quiet")[:2]


def test_ctrl_c_outside_the_steps_is_no_traceback(run, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("tinygrad_poly.cli.fit.fit", interrupted)
    assert run(*SIN)[::2] == (130, "tinygrad-poly: error: interrupted\n")


def test_without_matplotlib_the_fit_is_printed_all_the_same(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    status, out, err = run("fit", "sin")
    assert status == 0
    assert "Result: y = " in out
    assert "Picture" not in out
    assert err == (
        "tinygrad-poly: no picture: pictures need matplotlib, which is not installed: "
        "pip install 'tinygrad_poly[plot]'\n"
    )


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)


@pytest.mark.usefixtures("terminal")
def test_on_a_terminal_without_rich_plain_lines_are_printed(run, monkeypatch):
    with_a_pipe = [line for line in run(*SIN)[1].splitlines() if line]
    monkeypatch.setitem(sys.modules, "rich.console", None)
    assert run(*SIN)[1].splitlines() == with_a_pipe


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
def test_on_a_terminal_a_bar_runs_below_the_losses():
    pytest.importorskip("rich")
    import pty

    leader, follower = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "100"}
    command = [sys.executable, "-m", "tinygrad_poly", *SIN, "--steps", "300"]
    process = subprocess.Popen(command, stdout=follower, stderr=follower, env=environment)
    os.close(follower)
    out = b""
    while True:
        try:
            part = os.read(leader, 65536)
        except OSError:
            break
        if not part:
            break
        out += part
    os.close(leader)
    assert process.wait() == 0
    assert b"300/300" in out
    assert b"299 " in out
    assert b"Result: y = " in out


@pytest.fixture
def ctrl_c():
    """Ctrl-C is not ignored, also where whoever started the tests does; the processes that they start inherit it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.skipif(sys.platform == "win32", reason="signals work differently")
@pytest.mark.usefixtures("ctrl_c")
def test_a_process_that_gets_ctrl_c_prints_its_result_and_ends_with_130(folder):
    command = [sys.executable, "-u", "-m", "tinygrad_poly", *SIN, "--steps", "100000000", "--save", "run.json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if line.startswith("299 "):
                process.send_signal(signal.SIGINT)
                break
        out, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (130, "")
    assert "Result: y = " in out
    assert "Interrupted after " in out
    assert (folder / "run.json").exists()


INTERRUPTING = """
import os, signal, sys

class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupting())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals work differently")
@pytest.mark.parametrize(("how", "module"), [("script", "numpy"), ("-m", "tinygrad_poly.fitting.descent")])
@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_while_modules_load_is_a_line_and_no_traceback(folder, how, module):
    (folder / "sitecustomize.py").write_text(INTERRUPTING.format(module=module))
    script = folder / "tinygrad-poly"
    script.write_text("import sys\nfrom tinygrad_poly.cli import main\nsys.exit(main())\n")
    command = ["-m", "tinygrad_poly"] if how == "-m" else [str(script)]
    path = os.pathsep.join([str(folder), str(Path(tg.__file__).parents[1])])
    done = subprocess.run(
        [sys.executable, *command, *SIN],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": path},
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "tinygrad-poly: error: interrupted\n")


@pytest.mark.usefixtures("ctrl_c")
def test_a_program_that_imports_the_package_keeps_its_ctrl_c():
    code = "import tinygrad_poly, signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
    done = subprocess.run([sys.executable, "-c", code, "tinygrad-poly"], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"


def shell(line, **environment):
    """Run `python -m tinygrad_poly` by a line for the shell: its status, standard output and standard error."""
    command = line.replace("tinygrad-poly", f"'{sys.executable}' -m tinygrad_poly")
    done = subprocess.run(["sh", "-c", command], capture_output=True, env=os.environ | environment, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="no such shell")
@pytest.mark.parametrize(
    ("line", "status", "message"),
    [
        ("tinygrad-poly fit line --steps 3 --no-picture --save run.json >&-", 0, b""),
        ("tinygrad-poly fit line --steps x >&-", 2, b"--steps: expected a whole number"),
        ("tinygrad-poly fit line --lr 1e200 --no-picture <&- >&- 2>&-", 1, b""),
    ],
)
def test_closed_streams_change_nothing_but_what_is_printed(folder, line, status, message):
    found, out, err = shell(line)
    assert (found, out) == (status, b"")
    assert message in err
    assert b"Traceback" not in err
    assert (folder / "run.json").exists() == ("--save" in line)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no such device")
@pytest.mark.parametrize(
    ("line", "unbuffered", "status", "lines"),
    [
        ("tinygrad-poly --help > /dev/full", "", 2, 1),
        ("tinygrad-poly --version > /dev/full", "1", 2, 1),
        ("tinygrad-poly fit line --lr 1e200 --no-picture --quiet > /dev/full", "", 1, 1),
        ("tinygrad-poly fit line --steps 5 --no-picture > /dev/full 2> /dev/full", "", 2, 0),
    ],
)
def test_output_that_cannot_be_written_is_no_success(line, unbuffered, status, lines):
    found, _, err = shell(line, PYTHONUNBUFFERED=unbuffered)
    assert (found, err.count(b"\n")) == (status, lines)
    assert err[:21] in (b"tinygrad-poly: error:", b"")


@pytest.mark.parametrize("encoding", ["ascii", "cp949", "latin-1"])
@pytest.mark.parametrize("arguments", [[*SIN, "--steps", "3"], ["tutorials", "T8"], ["fit", "sin", "--steps", "점∂"]])
def test_everything_is_printed_in_any_encoding(monkeypatch, encoding, arguments):
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, TextIOWrapper(BytesIO(), encoding=encoding))
    assert main(arguments) == (2 if "점∂" in arguments else 0)


@pytest.mark.skipif(sys.platform == "win32", reason="no such shell")
def test_a_program_without_an_output_fits_all_the_same(folder):
    code = (
        "import tinygrad_poly as tg; x = tg.tensor([1.0, 2.0]);"
        "tg.fit(lambda p, x, y: ((p[0] * x - y) ** 2).sum(), [0.5], x, x, steps=100).save('run.json')"
    )
    done = subprocess.run(["sh", "-c", f"'{sys.executable}' -c \"{code}\" >&-"], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (folder / "run.json").exists()


def test_a_warning_is_a_line():
    code = (
        "import sys; sys.modules['numba'] = None; from tinygrad_poly.cli import main;"
        " sys.exit(main('fit line --steps 3 --no-picture --quiet --compile'.split()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stdout.startswith("Result: y = ")
    assert done.stderr.startswith("tinygrad-poly: Numba is not installed or does not work here")
    assert "\ntinygrad-poly: It has not converged" in done.stderr
    assert done.stderr.count("\n") == 2


@pytest.mark.skipif(sys.platform == "win32", reason="no such pipes")
def test_a_reader_that_has_had_enough_is_no_traceback():
    command = [sys.executable, "-u", "-m", "tinygrad_poly", *SIN, "--log-every", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 1


def test_a_console_in_another_encoding_gets_question_marks(folder):
    path = folder / "점.csv"
    path.write_text("0,1\n1,3\n", encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "tinygrad_poly",
        "fit",
        "poly",
        "--degree",
        "1",
        "--no-picture",
        "--data",
        path.name,
    ]
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, capture_output=True, env=environment, check=False)
    assert done.returncode == 0
    assert b"to ?.csv" in done.stdout


def test_starting_up_imports_nothing_that_is_not_needed():
    late = "{'matplotlib', 'rich', 'tinygrad_poly.tutorials'}"
    code = f"import sys, tinygrad_poly.cli; print({late} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_the_version_is_printed(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out == f"tinygrad-poly {tg.__version__}\n"


@pytest.mark.parametrize(
    "arguments", [["--help"], ["fit", "sin", "--help"], ["fit", "poly", "--help"], ["tutorials", "-h"]]
)
def test_help_is_printed(capsys, arguments):
    with pytest.raises(SystemExit, match="0"):
        main(arguments)
    assert capsys.readouterr().out.startswith("usage: tinygrad-poly")


@dataclass
class Outcome:
    name: str
    passed: bool = True
    problem: str = ""
    title: str = "a fit"
    figures: int = 24
    deviation: float = 1.5e-5
    steps: int = 2000
    gradient_ratio: float = 0.25


def same_but_for_rounding(out, reference):
    """The same lines, and numbers that agree to nine digits."""
    for line, expected in zip(out.splitlines(), reference.splitlines(), strict=True):
        for word, wanted in zip(line.split(), expected.split(), strict=True):
            try:
                number = float(wanted.rstrip(",.;%"))
            except ValueError:
                assert word == wanted
            else:
                assert float(word.rstrip(",.;%")) == pytest.approx(number, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
    "curve",
    [
        ("sin", "--steps", "250"),
        ("line", "--steps", "150", "--log-every", "40"),
        ("poly", "--degree", "2", "--steps", "200"),
        ("poly", "--dtype", "float64", "--optimizer", "adam", "--lr", "0.01", "--steps", "50", "--log-every", "7"),
    ],
    ids=" ".join,
)
def test_a_compiled_fit_prints_what_an_eager_one_prints(run, points, curve):
    pytest.importorskip("numba")
    data = ("--data", points) if curve[0] == "poly" else ()
    eager = run("fit", *curve, *data, "--no-picture")
    compiled = run("fit", *curve, *data, "--no-picture", "--compile")
    assert (compiled[0], compiled[2]) == (eager[0], eager[2])
    same_but_for_rounding(compiled[1], eager[1])


def test_a_compiled_fit_is_saved_and_resumed(run, folder):
    pytest.importorskip("numba")
    whole = run(*SIN, "--steps", "300", "--quiet")[1]
    run(*SIN, "--steps", "130", "--compile", "--save", "run.json", "--quiet")
    resumed = run(*SIN, "--steps", "300", "--resume", "run.json", "--compile", "--quiet")[1]
    same_but_for_rounding(resumed, whole)


def test_a_compiled_fit_that_diverges_says_when(run):
    pytest.importorskip("numba")
    errors = [run(*SIN, "--lr", "1e-4", *flag)[::2] for flag in ((), ("--compile",))]
    assert errors[0][0] == errors[1][0] == 1
    assert errors[0][1].split(" and before")[0] == errors[1][1].split(" and before")[0]


def test_the_program_is_printed_before_the_fit(run):
    status, out, _ = run(*SIN, "--steps", "1", "--show-program")
    lines = out.splitlines()
    assert status == 0
    assert lines[2] == "def run(first, last, log_every, losses, x, y, a, b, c, d):"
    assert any(line.lstrip().startswith("grad_y_pred = 2.0 * ") for line in lines)
    assert any(line.endswith("# update") for line in lines)
    assert lines.index("    return (a, b, c, d,)") < next(i for i, line in enumerate(lines) if "Result" in line)


def test_on_a_terminal_with_rich_the_program_is_coloured(run):
    pytest.importorskip("rich")
    from tinygrad_poly.fitting.progress import highlighted

    class Screen(StringIO):
        def isatty(self):
            return True

    screen = Screen()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", screen)
        patch.setenv("TERM", "xterm-256color")
        patch.delenv("NO_COLOR", raising=False)
        highlighted("def run(x):\n    return x\n")
    assert "\x1b[" in screen.getvalue()
    assert "return" in screen.getvalue()


@pytest.fixture
def tutorials(monkeypatch):
    """Stands in for `tinygrad_poly.tutorials`."""
    module = types.ModuleType("tinygrad_poly.tutorials")
    monkeypatch.setitem(sys.modules, "tinygrad_poly.tutorials", module)
    return module


def test_the_tutorials_are_a_row_each_and_a_summary(run, tutorials):
    asked = []

    def outcomes(names):
        asked.append(names)
        return iter([Outcome("T1"), Outcome("T8")])

    tutorials.run = outcomes
    status, out, _ = run("tutorials", "t1", "T8")
    assert (status, asked) == (0, [["T1", "T8"]])
    header, *rows, summary = out.splitlines()
    assert header.split() == ["program", "figures", "deviation", "gradient/bound", "verdict"]
    assert [row.split() for row in rows] == [
        [name, "24", "1.5e-05", "0.25", "agrees:", "a", "fit"] for name in ("T1", "T8")
    ]
    assert summary == "2 of 2 programs agree, 48 printed figures compared"


def test_a_tutorial_that_falls_short_is_status_1(run, tutorials):
    tutorials.run = lambda names: iter([Outcome("T1"), Outcome("T2", passed=False, problem="a digit differs")])
    status, out, _ = run("tutorials")
    assert status == 1
    assert "FALLS SHORT: a digit differs" in out
    assert out.endswith("1 of 2 programs agree, 48 printed figures compared\n")


def test_an_unknown_tutorial_is_named(run):
    status, _, err = run("tutorials", "T99")
    assert status == 2
    assert "no tutorial is called 'T99'" in err
