"""The commands that explain: an expression, a step of a fit, a playground."""

import xml.etree.ElementTree as ElementTree

import pytest

from tinygrad_poly.cli import main

EXPRESSION = ("explain", "((a + b*x - y)**2).sum()", "--at", "a=0.5,b=2,x=1:2:3,y=2:4:6")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_an_expression_is_explained_as_text(capsys):
    assert main(EXPRESSION) == 0
    assert (
        capsys.readouterr().out
        == """\
step  at            gradient   to  local derivative  sends      together
1     v8 = sum(v7)  1          v7  1                 [1, 1, 1]
2     v7 = v6 ^ 2   [1, 1, 1]  v6  2 v6 = 1          [1, 1, 1]
3     v6 = v4 − y   [1, 1, 1]  v4  1                 [1, 1, 1]
4     v4 = a + v2   [1, 1, 1]  a   1                 3
                               v2  1                 [1, 1, 1]
5     a             3
6     v2 = b · x    [1, 1, 1]  b   x = [1, 2, 3]     6
7     b             6
"""
    )


def test_pictures_and_pages_are_written(folder, capsys):
    assert main((*EXPRESSION, "--svg", "graph.svg", "--html", "steps.html")) == 0
    assert capsys.readouterr().out == "Written: steps.html\nWritten: graph.svg\n"
    assert ElementTree.parse(folder / "graph.svg").getroot().tag.endswith("svg")
    assert "</html>" in (folder / "steps.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("explain", "a.__class__", "--at", "a=1"), "not allowed in an expression"),
        (("explain", "a*b", "--at", "a=1"), "b has no value: give one with --at b="),
        (("explain", "a*x", "--at", "a=1,x=1:2"), "starts from one number, not from shape (2,)"),
        (("explain", "2", "--at", "a=1"), "not of float"),
        (("explain", "a", "--at", "a"), "expected names with numbers, such as a=0.5,x=1:2:3, but got 'a'"),
        (("explain", "a", "--at", "a=1,a=2"), "a is given twice"),
        (("explain", "a", "--at", "a=x"), "but got 'a=x'"),
        (("explain", "dot(a, x)", "--at", "a=1,x=1:2"), "dot: expected a 1-d and a 1-d tensor"),
        (("play", "none.csv"), "cannot read none.csv"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_usage_ends_with_a_line_and_status_2(capsys, arguments, message):
    assert main(arguments) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1


def test_a_step_of_a_fit_is_explained(folder, capsys):
    assert main(("fit", "line", "--steps", "1", "--no-picture", "--explain", "step.html")) == 0
    out = capsys.readouterr().out
    assert "v2 = b · x" in out
    assert "Written: step.html" in out
    assert (folder / "step.html").stat().st_size < 500_000


def test_a_fit_of_ones_own_points_is_played(folder, capsys):
    (folder / "points.csv").write_text("0,1\n1,3\n2,5\n3,7\n")
    assert main(("play", "points.csv", "--degree", "1")) == 0
    assert capsys.readouterr().out == "Written: play-points.html\n"
    assert "function step_Adam(x, y, a, b" in (folder / "play-points.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "arguments",
    [(*EXPRESSION, "--html"), (*EXPRESSION, "--svg"), ("play", "line", "--output"), ("fit", "line", "--explain")],
    ids=lambda arguments: f"{arguments[0]} {arguments[-1]}",
)
def test_a_place_that_cannot_be_written_is_named(arguments, capsys):
    assert main((*arguments, "nowhere/page")) == 2
    out, err = capsys.readouterr()
    assert "cannot write nowhere/page: the folder" in err
    assert "does not exist; create it first" in err
    assert not out
