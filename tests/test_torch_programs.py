"""Programs written for torch run here with other import lines and print the same text.

The texts are equal although the numbers differ in their last bits: sums are added up in another order.
The float32 programs print four digits of numbers that agree to a relative 10⁻⁶ or so, the float64
programs up to ten digits of numbers that agree to 10⁻¹³: with their fixed seeds none of the digits is
near enough to the middle between two roundings. `test_digits_are_not_on_the_edge` checks that.

A program runs twice with each library, the second time with one digit more; all tests share the runs.
"""

import ast
import contextlib
import functools
import io
import re
from pathlib import Path

import pytest
import torch

import tinygrad_poly as tg

PROGRAMS = sorted(path for path in (Path(__file__).parent / "programs").glob("*.py") if path.name != "conftest.py")
# torch warns once of float(w), which its tutorials write
pytestmark = pytest.mark.filterwarnings("ignore:Converting a tensor with requires_grad")
each_program = pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)


def ported(source):
    """The program with its import lines replaced, and nothing else."""
    source = re.sub(r"^import torch$", "import tinygrad_poly as torch", source, flags=re.MULTILINE)
    return re.sub(r"^(import|from) torch\b", r"\1 tinygrad_poly", source, flags=re.MULTILINE)


def printed(source):
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(compile(source, "<program>", "exec"), {"__name__": "__main__"})
    return output.getvalue()


@functools.cache
def outputs(path, digits=0):
    """What the program prints here and with torch, its numbers with so many digits more than it asks for."""
    source = path.read_text()
    source = re.sub(r"round\((.*?), (\d)\)", lambda found: f"round({found[1]}, {int(found[2]) + digits})", source)
    source = re.sub(r"([:%+]\d*)\.(\d)([efg])", lambda found: f"{found[1]}.{int(found[2]) + digits}{found[3]}", source)
    return printed(ported(source)), printed(source)


@each_program
def test_the_program_prints_the_same_text(path):
    mine, reference = outputs(path)
    assert len(reference.splitlines()) >= 5
    assert mine == reference


@each_program
def test_only_import_lines_are_replaced(path):
    source = path.read_text()
    assert "tinygrad_poly" not in source
    changed = [line for line in ported(source).splitlines() if line not in source.splitlines()]
    assert changed
    assert all(isinstance(ast.parse(line).body[0], (ast.Import, ast.ImportFrom)) for line in changed)


@pytest.mark.parametrize(
    "call",
    [
        "torch.float", 'torch.device("cpu")', "linspace(", "randn((), device=device, dtype=dtype)",
        "requires_grad=True)", "torch.rand(1", "torch.zeros(1, requires_grad=True)",
        "torch.FloatTensor(", "torch.tensor(", "torch.sin(",
        "torch.mean(", ".mean()", ".pow(2).sum().item()", ".view(-1, 1)", "-= learning_rate * a.grad", "a.grad = None",
        "torch.no_grad()", "super().__init__()", "super(Line, self).__init__()", "nn.Parameter(", ".parameters()",
        "named_parameters()", "state_dict()", '.to("cpu")', "nn.MSELoss()", "optim.SGD(", "lr=", "zero_grad()",
        "step()", "float(w)", "round(float(w), 7)", "manual_seed(", "retain_grad()", "w = w - learning_rate * w.grad",
        "import torch.nn as nn", "import torch.optim as optim", "from torch import nn",
    ],
)  # fmt: skip
def test_every_call_of_the_tutorials_occurs(call):
    assert any(call in path.read_text() for path in PROGRAMS)


NUMBER = re.compile(r"-?\d+\.\d+")


@each_program
def test_digits_are_not_on_the_edge(path):
    """Printed with more digits, the numbers of both libraries still round to what was printed."""
    mine, reference = (NUMBER.findall(text) for text in outputs(path, digits=1))
    assert len(mine) == len(reference)
    for a, b in zip(mine, reference, strict=True):
        # the digit after the last printed one differs by at most one
        digits = len(b.partition(".")[2])
        assert abs(float(a) - float(b)) <= 1.01 * 10.0**-digits


def test_a_program_for_the_gpu_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "cupy", None)
    source = (Path(__file__).parent / "programs" / "sine_by_hand.py").read_text().replace('"cpu"', '"cuda:0"')
    with pytest.raises(RuntimeError, match=r"pip install 'tinygrad_poly\[cuda\]'"):
        printed(ported(source))


def test_the_default_dtype_is_left_as_it_was():
    assert tg.get_default_dtype() == tg.float32
    assert torch.get_default_dtype() == torch.float32
