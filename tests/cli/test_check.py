"""The command `tinygrad-poly check`: its report, its status, and what it says to bad input."""

import json

import pytest

from tinygrad_poly.cli import main

MODEL = """
import argparse
import numpy as np
print("training")
argparse.ArgumentParser().parse_args()
x = y = np.array([1.0, 2.0, 3.0])
def cost(W, x, y):
    return np.mean((W * x - y) ** 2)
def wrong(W, x, y):
    return np.sum((W * x - y) * x)
def right(W, x, y):
    return 2 * np.mean((W * x - y) * x)
def of_module(W):
    return np.mean((W * x - y) ** 2)
def wrong_of_module(W):
    return np.sum((W * x - y) * x)
def breaks(W, x, y):
    return [][0]
number = 3
class Model:
    def cost(self, W):
        return cost(W, x, y)
model = Model()
"""


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.py"
    path.write_text(MODEL)
    return str(path)


def run(model, gradient, *more, loss="cost"):
    return main(["check", f"{model}:{loss}", f"{model}:{gradient}", *more])


def test_the_tutorials_wrong_gradient_is_found(model, capsys):
    assert run(model, "wrong", "--at", "W=0.5") == 1
    assert "m/2 times the true gradient" in capsys.readouterr().out
    assert run(model, "right", "--at", "W=0.5") == 0
    assert run(model, "wrong", "--at", "W=0.5", "--json") == 1
    assert json.loads(capsys.readouterr().out.partition("\n{")[2].join(["{", ""]))["diagnosis"][0]["code"] == "factor"


def test_the_output_is_the_report_alone_and_is_json_also_where_a_number_is_infinite(model, capsys):
    assert run(model, "wrong", "--at", "W=1:2:3", "--json") == 1
    told = capsys.readouterr()
    found = json.loads(told.out, parse_constant=pytest.fail)
    assert (found["arguments"][0]["worst"], "training" in told.err) == (None, True)


def test_a_part_of_a_variable_is_named_with_points_and_numbers_as_in_explain(model):
    assert run(model, "wrong_of_module", "--at", "W=.5", loss="model.cost") == 1
    assert run(model, "right", "--at", "W=0.5,x=1:2,y=2:4", "--wrt", " W ") == 0


def test_data_in_the_module_is_cut_like_arguments(model, capsys):
    assert run(model, "wrong_of_module", "--at", "W=0.5", loss="of_module") == 1
    assert "m/2 times the true gradient (m = 3: 3/2, m = 2: 1, m = 1: 1/2)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("gradient", "more", "said"),
    [
        ("missing", [], "there is no missing in"),
        ("right", [], "the loss needs a value for W"),
        ("right", ["--at", "W=__import__('os')"], "expected name=numbers"),
        ("right", ["--at", "W=1", "--at", "V=2"], "'V'"),
        ("right", ["--at", "W"], "expected name=numbers"),
        ("right", ["--at", "W=[[1],[2,3]]"], "expected name=numbers"),
        ("breaks", ["--at", "W=1"], "IndexError: list index out of range (the gradient raised this"),
        ("breaks", ["--at", "W=1"], ", in line 18 of "),
        ("rihgt", [], "its functions: right, "),
    ],
)
def test_bad_input_has_status_2_and_says_what_to_do(model, capsys, gradient, more, said):
    assert run(model, gradient, *more) == 2
    assert said in capsys.readouterr().err


def test_files_that_are_not_there_or_fail_and_names_that_are_no_functions(model, tmp_path, capsys):
    assert main(["check", "no.py:cost", "no.py:right"]) == 2
    assert "there is no file no.py" in capsys.readouterr().err
    (tmp_path / "broken.py").write_text("import nothing_of_this_name\n")
    assert main(["check", f"{tmp_path / 'broken.py'}:cost", f"{model}:right"]) == 2
    assert "fails when it is imported: ModuleNotFoundError" in capsys.readouterr().err
    (tmp_path / "relative.py").write_text("from . import nothing\n")
    assert main(["check", f"{tmp_path / 'relative.py'}:cost", f"{model}:right"]) == 2
    assert "write it as a module, such as package.module:loss" in capsys.readouterr().err
    assert main(["check", "no_module:cost", f"{model}:right"]) == 2
    assert "there is no module no_module; a file is written with its ending: no_module.py" in capsys.readouterr().err
    assert run(model, "right", loss="number") == 2
    assert "is no function, but int" in capsys.readouterr().err
