"""Every single step of every optimizer is torch's, from the same weights, gradients and state."""

import math

import numpy as np
import pytest
import torch

import tinygrad_poly as tg
from tinygrad_poly.engine.apply import wrap
from tinygrad_poly.engine.walk import leaf

from ..helpers import DTYPES, numbers
from .choices import CHOICES, OPTIMIZERS
from .rounded import Rounded

NUMBERS = "t", "mu_product", "eta", "mu"
LR = {"SGD": 1e-3, "RAdam": 4e-3, "ASGD": 2e-3, "LBFGS": 1.0}


def sine(dtype):
    """A cubic to 200 points of sin x, with four 0-d weights."""
    x = torch.linspace(-math.pi, math.pi, 200, dtype=dtype)
    return [0.5, -0.3, 0.2, 0.1], lambda w: ((w[0] + w[1] * x + w[2] * x**2 + w[3] * x**3 - x.sin()) ** 2).mean()


def line(dtype):
    """A plane through six points, with weights of shape (2, 1) and (1,), the second without a gradient at first."""
    x = torch.tensor([[1.0, 2.0], [3.0, 5.0], [0.0, 1.0], [4.0, 1.0], [2.0, 2.0], [1.0, 0.0]], dtype=dtype)
    return [[[0.5], [-0.5]], [0.25]], lambda w: ((x @ w[0] + w[1] - x[:, :1] * 2) ** 2).mean()


def converted(value, make):
    """A state of torch's as this library's: its tensors through `make`, step counters as whole numbers."""
    if isinstance(value, torch.Tensor):
        return make(numbers(value).copy())
    if isinstance(value, dict):
        return {
            key: int(item) if key == "step" else float(item) if key in NUMBERS else converted(item, make)
            for key, item in value.items()
            if key != "al"
        }
    return [converted(item, make) for item in value] if isinstance(value, list) else value


def stepped(name, options, weights, grads, state, make):
    """Our optimizer's weights and state after one step."""
    params = []
    for weight, grad in zip(weights, grads, strict=True):
        p = make(weight)
        p.node = leaf(p.array)
        p.grad = None if grad is None else make(grad)
        params.append(p)
    optimizer = getattr(tg.optim, name)(params, **options)
    optimizer.load_state_dict({"state": converted(state, make), "param_groups": optimizer.state_dict()["param_groups"]})
    optimizer.step(lambda: 1.0)
    return params, optimizer.state_dict()["state"]


def flat(value):
    """All arrays in a state, in one order."""
    if isinstance(value, dict):
        return [array for key in sorted(value) for array in flat(value[key])]
    if isinstance(value, list):
        return [array for item in value for array in flat(item)]
    return [value.array] if isinstance(value, tg.Tensor) else []


@pytest.fixture
def doubles_by_default():
    """Torch keeps some numbers of the state in its default dtype; here they are Python's, of double precision."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.usefixtures("doubles_by_default")
@pytest.mark.parametrize("problem", [pytest.param(sine, marks=pytest.mark.slow), line])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "options"), CHOICES, ids=str)
def test_each_step_is_torchs(name, options, dtype, problem):
    start, loss = problem(getattr(torch, dtype))
    options = {"lr": LR.get(name, 0.05)} | options
    theirs = [torch.tensor(w, dtype=getattr(torch, dtype), requires_grad=True) for w in start]
    optimizer = getattr(torch.optim, name)(theirs, **options, **({} if name == "LBFGS" else {"foreach": False}))
    for step in range(20):
        optimizer.zero_grad()
        loss(theirs).backward()
        if problem is line and step < 3:
            theirs[1].grad = None
        before = [numbers(p).copy() for p in theirs]
        grads = [None if p.grad is None else numbers(p.grad).copy() for p in theirs]
        state = converted(optimizer.state_dict()["state"], lambda array: torch.tensor(array))
        optimizer.step(lambda: torch.tensor(1.0))

        arguments = name, options, before, grads, state
        mine, found = stepped(*arguments, lambda array: tg.tensor(array))
        bounds, allowed = stepped(*arguments, lambda array: wrap(Rounded(array), None))
        expected = converted(optimizer.state_dict()["state"], lambda array: tg.tensor(array))
        assert {i: sorted(s) for i, s in found.items()} == {i: sorted(s) for i, s in expected.items()}
        for p, q, bound, old in zip(mine, theirs, bounds, before, strict=True):
            assert p.dtype == old.dtype
            error = bound.array.error
            if name == "LBFGS" and step == 0:
                # The length of the first step is a float there: a sum of n terms, a quotient and a product.
                error = error + 6 * bound.array.u * abs(numbers(p) - old)
            assert np.all(abs(numbers(p) - numbers(q)) <= 2.001 * error)
            # The bound would notice a formula that is wrong by a millionth (a thousandth in float32) of a step.
            if name != "LBFGS":
                taken = abs(numbers(p) - old)
                assert np.all((2 * error <= {"float64": 1e-6, "float32": 1e-2}[dtype] * taken) | (taken == 0))
        for have, want, bound in zip(*map(flat, (found, expected, allowed)), strict=True):
            assert have.dtype == want.dtype
            assert np.all(abs(have - want) <= 2.001 * bound.error)


@pytest.mark.parametrize(("name", "options"), CHOICES, ids=str)
def test_a_state_that_is_loaded_goes_on_bit_for_bit(name, options):
    def run(p, optimizer, steps):
        def closure():
            optimizer.zero_grad()
            loss = ((p * tg.tensor([1.0, 3.0]) - 1) ** 2).sum()
            loss.backward()
            return loss

        for _ in range(steps):
            optimizer.step(closure)

    def made(numbers):
        p = tg.tensor(numbers, requires_grad=True)
        return p, getattr(tg.optim, name)([p], **({"lr": 0.01} | options))

    p, optimizer = made([2.0, -1.0])
    run(p, optimizer, 5)
    saved, weights = optimizer.state_dict(), p.tolist()
    run(p, optimizer, 5)
    other, resumed = made(weights)
    resumed.load_state_dict(saved)
    run(other, resumed, 5)
    assert other.tolist() == p.tolist()
    assert str(resumed.state_dict()) == str(optimizer.state_dict())


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_defaults_and_their_text_are_torchs(name):
    mine, theirs = (getattr(m.optim, name)([m.zeros(1)], **({"lr": 0.5} if name == "SGD" else {})) for m in (tg, torch))
    known = mine.param_groups[0]
    assert {key: theirs.param_groups[0][key] for key in known if key != "params"} == {
        key: value for key, value in known.items() if key != "params"
    }
    lines = repr(theirs).splitlines()
    extra = ("foreach", "fused", "capturable", "differentiable")
    assert repr(mine) == "\n".join(line for line in lines if not line.strip().startswith(extra))
