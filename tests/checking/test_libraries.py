"""The doctor on tensors of this engine and of torch, on operations, single lines and training loops."""

import numpy as np
import pytest
import torch

import tinygrad_poly as tg
from tinygrad_poly import autograd
from tinygrad_poly.checking import check_gradients, check_training_loop, compare
from tinygrad_poly.engine.operation import Operation

X = np.array([1.0, 2.0, 3.0])


def cube(backward):
    return Operation("Cube", lambda a: a * a * a, backward)


@pytest.mark.parametrize(("library", "oracle"), [(tg, "tape"), (torch, "finite differences")], ids=["ours", "torch"])
def test_functions_of_tensors_are_checked(library, oracle):
    def loss(x):
        return library.sin(x).sum()

    x = library.tensor(X)
    right = check_gradients(loss, lambda x: library.cos(x), x)
    assert (right.verdict, right.oracle) == ("pass", oracle)
    assert check_gradients(loss, lambda x: library.cos(x) * (1 + 1e-7), x).verdict == "fail"


def test_an_operation_is_checked_with_its_second_derivative_and_in_float32():
    report = check_gradients(cube(lambda g, a: 3 * g * a * a), None, X)
    assert report.verdict == "pass"
    assert [f.name.partition(" (")[2] for f in report.findings] == ["", "second derivative)", "float32)"]
    assert check_gradients(cube(lambda g, a: 2.9 * g * a * a), None, X).verdict == "fail"


def test_a_function_of_torch_is_checked():
    class Exp(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x.exp()

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return 2 * g * x.exp()

    (found,) = check_gradients(np.exp, Exp, X).diagnosis
    assert (found.code, found.numbers["ratio"]) == ("factor", "2")


@pytest.mark.parametrize("library", [tg, torch], ids=["ours", "torch"])
def test_numbers_beside_the_tensors_of_an_operation_are_constants(library):
    class Clamp(library.autograd.Function):
        @staticmethod
        def forward(ctx, x, low, high):
            ctx.save_for_backward(x)
            ctx.bounds = low, high
            return x.clamp(low, high)

        @staticmethod
        def backward(ctx, g):
            (x,), (low, high) = ctx.saved_tensors, ctx.bounds
            return g * (x > low) * (x < high), None, None

    report = check_gradients(Clamp, None, X / 2.2 - 1, -0.3, 0.3)  # in float32 nothing is seen near by, a kink far off
    assert report.verdict == "pass"
    assert [f.name for f in report.findings] == ["x", "x (second derivative)", "x (float32)"]


def test_one_argument_of_an_operation_may_be_checked_alone():
    class Product(autograd.Function):
        @staticmethod
        def forward(ctx, a, b):
            ctx.save_for_backward(a, b)
            return a * b

        @staticmethod
        def backward(ctx, g):
            a, b = ctx.saved_tensors
            return g * b * 2, g * a

    assert check_gradients(Product, None, X, X + 1, wrt="b").verdict == "pass"
    assert {f.verdict for f in check_gradients(Product, None, X, X + 1, wrt=["a"]).findings} == {"fail"}
    x, y = tg.tensor(X, requires_grad=True), tg.tensor(X + 1, requires_grad=True)
    with pytest.raises(autograd.GradcheckError, match="FAIL: the gradient is wrong"):
        autograd.gradcheck(Product.apply, (x, y))


def test_gradcheck_has_torchs_verdicts_and_this_report():
    for library in (tg, torch):
        x = library.tensor(X, requires_grad=True)
        assert library.autograd.gradcheck(lambda x: (x**3).sum(), (x,))
        assert library.autograd.gradgradcheck(lambda x: x**3, (x,))
    bad = cube(lambda g, a: 2.9 * g * a * a)
    x = tg.tensor(X, requires_grad=True)
    assert not autograd.gradcheck(bad, x, raise_exception=False)
    with pytest.raises(autograd.GradcheckError, match="Jacobian mismatch for output 0 with respect to input 0"):
        autograd.gradcheck(bad, x)
    assert autograd.gradcheck(cube(lambda g, a: 3.0001 * g * a * a), x)  # torch's tolerance
    with pytest.raises(ValueError, match="require gradient"):
        autograd.gradcheck(bad, tg.tensor(X))


def test_a_line_is_compared_with_the_tape(capsys):
    x = tg.tensor(X, requires_grad=True)
    (x * x).sum().backward()
    assert compare("dx", 2 * X, x).exact
    assert compare("dx", X, x).diagnosis.numbers["ratio"] == "1/2"
    assert capsys.readouterr().out.startswith("dx              | exact: True  | close: True ")
    with pytest.raises(RuntimeError, match="retain_grad"):
        compare("dx", X, tg.tensor(X))


@pytest.mark.parametrize("library", [tg, torch], ids=["ours", "torch"])
def test_mistakes_of_training_loops_are_noticed(library):
    w, unused, x = (
        library.tensor([0.5], requires_grad=True),
        library.tensor([1.0], requires_grad=True),
        library.tensor(X),
    )
    zero = True

    def step():
        loss = ((w * x - 1) ** 2).sum() + 0 * unused.detach().sum()
        loss.backward()
        with library.no_grad():
            w.sub_(0.01 * w.grad)
            if zero:
                w.grad = None

    assert [p[:2] for p in check_training_loop(step).problems] == [("no-gradient", "unused")]
    zero = False
    assert {p[:2] for p in check_training_loop(step).problems} == {("not-zeroed", "w"), ("no-gradient", "unused")}


model = 3  # a name that a method below has for an attribute


class Trainer:
    def __init__(self):
        tg.manual_seed(0)  # from some weights it has converged after a few steps, and stops
        self.model = tg.nn.Sequential(tg.nn.Linear(1, 2), tg.nn.Linear(2, 1))
        self.model[0].bias.requires_grad_(False)
        self.optimizer = tg.optim.SGD([p for p in self.model.parameters() if p.requires_grad], lr=0.1)

    def step(self):
        self.optimizer.zero_grad()
        self.model(tg.ones(3, 1)).square().mean().backward()
        self.optimizer.step()


def test_the_parameters_of_a_method_are_its_objects_and_frozen_ones_need_no_gradient():
    trainer = Trainer()
    report = check_training_loop(trainer.step)
    assert (report.verdict, len(report.parameters)) == ("pass", 3)
    trainer.optimizer = tg.optim.SGD(trainer.model[1].parameters(), lr=0.1)
    assert [p[:2] for p in check_training_loop(trainer.step).problems] == [("not-updated", "model.0.weight")]
