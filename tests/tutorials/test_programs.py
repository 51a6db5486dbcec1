"""The programs as files: each computes what the tutorial's `Problem` does."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tinygrad_poly.cli import main
from tinygrad_poly.tutorials import routes
from tinygrad_poly.tutorials.problem import follow
from tinygrad_poly.tutorials.problems import PROGRAMS
from tinygrad_poly.tutorials.programs import beside, output, program

NAMES = ["T1", "T2", "T3", "T4", "T5", "T6", "T7", "T8", "T9", "T10"]


@pytest.mark.parametrize("name", NAMES)
def test_a_file_computes_what_its_problem_does(name):
    problem = next(problem for problem in PROGRAMS[name] if problem.dtype == "float64")
    steps = min(problem.steps, 101)
    says, parts = program(name)
    assert says.startswith(f"{name}: {problem.title}")
    for source, route in zip(parts, (routes.by_hand, problem.route), strict=True):
        assert f"range({problem.steps})" in source
        *rows, end = output(source.replace(f"range({problem.steps})", f"range({steps})")).splitlines()
        history = follow(replace(problem, steps=steps, start=lambda _: problem.start(problem)), route)
        printed = {int(step): float(loss) for step, loss in map(str.split, rows)}
        assert printed
        # A hundred steps with up to 2008 roundings each, 2e-11 in all; T7 ends at a loss that is made of roundings.
        for step, loss in printed.items():
            np.testing.assert_allclose(loss, history.losses[step], rtol=1e-10, atol=1e-20)
        weights = [float(w) for w in re.findall(r"-?\d+\.?\d*(?:e-?\d+)?", end)]
        np.testing.assert_allclose(weights, history.weights[-1], rtol=1e-10, atol=1e-12)


def test_two_texts_are_side_by_side_where_there_is_room():
    assert beside(["a\nbcd", "e"], 7) == "a   │ e\nbcd │"
    assert beside(["a\nbcd", "e"], 6) == "a\nbcd\n\ne"


def test_a_program_is_shown_and_run(capsys):
    assert main(["tutorials", "t7", "--show"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("T7: one weight without an optimizer")
    assert "From: " in out
    assert "W -= 0.1 * (slope * x).sum() / len(x)" in out
    assert "W -= 0.1 * W.grad" in out
    assert out.count("4.666666666666667") == 2


def test_the_first_step_of_a_program_is_explained(capsys, tmp_path):
    path = tmp_path / "step.html"
    assert main(["tutorials", "T8", "--explain", str(path)]) == 0
    assert re.search(r"W +\S", capsys.readouterr().out)
    assert "T8: y = 3x in NumPy" in path.read_text(encoding="utf-8")


def test_a_wheel_holds_the_files():
    wheel = pytest.importorskip("hatchling.builders.wheel")
    root = Path(__file__).parents[2]
    builder = wheel.WheelBuilder(str(root))
    held = {file.distribution_path for file in builder.recurse_included_files()}
    held |= {file.distribution_path for file in builder.recurse_forced_files(builder.config.force_include)}
    assert {f"tinygrad_poly/tutorials/programs/{name}.py" for name in NAMES} <= held


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--show"], "--show needs the name of a program"),
        (["T99", "--show"], "no file holds a program called 'T99'; there are T1, T2"),
        (["T99", "--explain", "page.html"], "no file holds a program called 'T99'"),
        (["--explain", "page.html"], "--explain needs the name of one program"),
        (["T3", "--explain", "nowhere/page.html"], "create it first"),
    ],
)
def test_wrong_usage_is_named(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["tutorials", *arguments]) == 2
    assert message in capsys.readouterr().err
