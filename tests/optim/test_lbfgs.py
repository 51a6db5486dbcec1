"""L-BFGS finds optima, and its line search is torch's."""

import importlib
import math

import numpy as np
import pytest
import torch

import tinygrad_poly as tg
from tinygrad_poly.engine.errors import DtypeError
from tinygrad_poly.optim.line_search import Trial, strong_wolfe

from ..helpers import both, leaf


def least_squares(m, line_search):
    """The sin fit by L-BFGS: the weights, and how often the loss was evaluated."""
    x = m.linspace(-math.pi, math.pi, 200, dtype=m.float64)
    y = m.sin(x)
    w = [m.tensor(v, dtype=m.float64, requires_grad=True) for v in (0.5, -0.3, 0.2, 0.1)]
    optimizer = m.optim.LBFGS(w, max_iter=100, tolerance_change=0, tolerance_grad=1e-8, line_search_fn=line_search)
    count = 0

    def closure():
        nonlocal count
        count += 1
        optimizer.zero_grad()
        loss = ((w[0] + w[1] * x + w[2] * x**2 + w[3] * x**3 - y) ** 2).mean()
        loss.backward()
        return loss

    optimizer.step(closure)
    return w, count, optimizer


def test_the_sin_fit_reaches_the_least_squares_optimum_in_a_few_evaluations():
    w, count, optimizer = least_squares(tg, "strong_wolfe")
    x = np.linspace(-np.pi, np.pi, 200)
    powers = np.vander(x, 4, increasing=True)
    optimum, *_ = np.linalg.lstsq(powers, np.sin(x))
    hessian = 2 * powers.T @ powers / 200
    gradient = np.array([p.grad.item() for p in w])
    assert np.max(np.abs(gradient)) <= 1e-8
    # w − w* = H⁻¹ g, and H⁻¹ also multiplies the roundings of g: 203 for each of 200 terms of at most π³ · 10.
    rounding = 2.0**-53 * 2 * 203 * np.pi**3 * 10
    allowed = np.abs(np.linalg.inv(hessian)).sum(1) * (np.max(np.abs(gradient)) + rounding)
    assert np.all(np.abs([p.item() for p in w] - optimum) <= allowed)
    assert count <= 25
    (state,) = optimizer.state.values()
    assert state["func_evals"] == count


@pytest.mark.parametrize("line_search", [None, "strong_wolfe"])
def test_it_takes_as_many_evaluations_as_torchs(line_search):
    (mine, count, _), (theirs, reference, _) = (least_squares(m, line_search) for m in (tg, torch))
    assert count == reference
    np.testing.assert_allclose([p.item() for p in mine], [p.item() for p in theirs], rtol=0, atol=1e-8)


@both
def test_the_bottom_of_a_bent_valley_is_found(m):
    w = m.tensor([-1.5, 2.0], dtype=m.float64, requires_grad=True)
    optimizer = m.optim.LBFGS([w], max_iter=100, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        loss = (1 - w[0]) ** 2 + 100 * (w[1] - w[0] ** 2) ** 2  # Rosenbrock's
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 2.5**2 + 100 * 0.25**2
    # The curvature there is at least 0.39, and the gradient at most 1e-7 or the loss changed by less than 1e-9.
    assert closure().item() < 1e-9


@pytest.fixture
def torch_lbfgs(monkeypatch):
    """torch's module, made to divide floats by floats: it inverts tensors before it multiplies, which rounds twice."""
    module = importlib.import_module("torch.optim.lbfgs")
    original = module._cubic_interpolate

    def with_floats(x1, f1, g1, x2, f2, g2, bounds=None):
        return original(float(x1), f1, g1, float(x2), f2, g2, bounds and [float(bound) for bound in bounds])

    monkeypatch.setattr(module, "_cubic_interpolate", with_floats)
    return module


CURVES = {
    "parabola": (lambda t: (t - 3) ** 2, lambda t: 2 * (t - 3)),
    "quartic": (lambda t: (t - 2) ** 4 - t, lambda t: 4 * (t - 2) ** 3 - 1),
    "wave": (lambda t: math.cos(t) - 0.1 * t, lambda t: -math.sin(t) - 0.1),
    "wall": (lambda t: math.exp(t) - 5 * t, lambda t: math.exp(t) - 5),
    "falling line": (lambda t: -t, lambda t: -1.0),
    "corner": (lambda t: abs(t - 1), lambda t: math.copysign(1, t - 1)),
    "ripples": (lambda t: t * t / 50 - t / 2 - math.sin(3 * t), lambda t: t / 25 - 0.5 - 3 * math.cos(3 * t)),
    "slow waves": (lambda t: math.cos(3 * t) - 0.01 * t, lambda t: -3 * math.sin(3 * t) - 0.01),
    "well": (lambda t: -t / (t * t + 2), lambda t: (t * t - 2) / (t * t + 2) ** 2),
}


@pytest.mark.parametrize("most", [1, 3, 25])
@pytest.mark.parametrize("first", [1e-3, 0.1, 1.0, 3.0, 7.0, 40.0])
@pytest.mark.parametrize("name", CURVES)
def test_a_line_search_tries_torchs_steps(torch_lbfgs, name, first, most):
    f, slope = CURVES[name]
    tried, theirs = [], []

    def evaluate(t):
        tried.append(float(t))
        return Trial(t, f(t), None, slope(t))

    def objective(x, t, d):
        theirs.append(float(t))
        return f(float(t)), torch.tensor([slope(float(t))], dtype=torch.float64)

    d = torch.ones(1, dtype=torch.float64)
    start = torch.tensor([slope(0.0)], dtype=torch.float64)
    _, _, t, count = torch_lbfgs._strong_wolfe(objective, None, first, d, f(0.0), start, start.dot(d), max_ls=most)
    found, evaluations = strong_wolfe(evaluate, Trial(0.0, f(0.0), None, slope(0.0)), first, 1.0, 1e-9, most)
    assert tried == theirs
    assert (float(found.t), evaluations) == (float(t), count)


@both
def test_an_optimum_is_left_alone(m):
    w = leaf(m, [0.0])
    optimizer = m.optim.LBFGS([w])

    def closure():
        optimizer.zero_grad()
        loss = (w * w).sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 0.0
    assert w.tolist() == [0.0]


@both
def test_parameters_of_several_shapes_and_one_without_a_gradient_are_one_vector(m):
    w, b, unused = leaf(m, [[1.0, 2.0]]), leaf(m, 3.0), leaf(m, [4.0])
    optimizer = m.optim.LBFGS([w, unused, b], line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        loss = ((w - 5) ** 2).sum() + (b + 1) ** 2
        loss.backward()
        return loss

    optimizer.step(closure)
    assert [tuple(p.shape) for p in (w, b, unused)] == [(1, 2), (), (1,)]
    np.testing.assert_allclose([*w.tolist()[0], b.item()], [5, 5, -1], atol=1e-6)
    assert unused.tolist() == [4.0]
    assert w.dtype == m.float32


# misuse


@both
def test_a_step_without_a_closure_is_refused(m):
    with pytest.raises(TypeError):
        m.optim.LBFGS([leaf(m, 1.0)]).step()


def test_refusals_say_why():
    with pytest.raises(DtypeError, match="needs a closure"):
        tg.optim.LBFGS([leaf(tg, 1.0)]).step()
    with pytest.raises(ValueError, match="in one group"):
        tg.optim.LBFGS([{"params": [leaf(tg, 1.0)]}, {"params": [leaf(tg, 1.0)]}])
