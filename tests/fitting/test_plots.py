"""Plots of a descent, by the numbers that they show."""

import sys

import numpy as np
import pytest

import tinygrad_poly as tg
from tinygrad_poly.engine.errors import ShapeError
from tinygrad_poly.fitting import fit, plots
from tinygrad_poly.tutorials.problem import follow
from tinygrad_poly.tutorials.problems import T6, T7

pytest.importorskip("matplotlib")


def loss_of(problem):
    x, y = (tg.tensor(a) for a in problem.data("float64"))
    return lambda w: problem.loss(problem.model(w.reshape(-1).unbind(), x), y)


def labelled(panel):
    return {line.get_label(): line for line in panel.lines}


def test_the_parabola_of_t7_holds_its_steps():
    history = follow(T7, T7.route)
    (panel,) = plots.parabola(history.weights, loss_of(T7)).axes
    W, cost = labelled(panel)["steps"].get_data()
    assert np.array_equal(W, history.weights[:, 0])
    np.testing.assert_allclose(cost[:-1], history.losses, rtol=1e-12, atol=1e-300)
    W, cost = labelled(panel)["cost(W)"].get_data()
    np.testing.assert_allclose(cost, 14 / 3 * (W - 1) ** 2, rtol=1e-9, atol=1e-12)


def test_the_path_shows_steps_contours_optimum_and_stable_rates():
    history = follow(T6, T6.route)
    way, rates = plots.path(history.weights, loss_of(T6), T6.lr).axes
    lines = labelled(way)
    assert np.array_equal(np.transpose(lines["descent"].get_data()), history.weights)
    np.testing.assert_allclose(np.ravel(lines["optimum"].get_data()), [2, 0], atol=1e-9)
    curvatures = np.linalg.eigvalsh([[28 / 3, 4], [4, 2]])
    np.testing.assert_allclose(rates.patches[0].get_width(), 2 / curvatures[-1], rtol=1e-9)
    lr, left = rates.lines[0].get_data()
    np.testing.assert_allclose(left, np.abs(1 - np.multiply.outer(lr, curvatures)).max(1), rtol=1e-9)
    assert labelled(rates)["here 0.01"].get_xdata()[0] == T6.lr


def test_a_loss_that_is_not_quadratic_has_no_rates():
    way, rates = plots.path([[1.0, 1.0], [0.5, 0.5]], lambda w: (w**4).sum(), lr=0.1).axes
    assert not rates.get_visible()
    assert "optimum" not in labelled(way)


def test_losses_are_those_of_a_fit_or_of_a_list(sine):
    result = fit(*sine.arguments, steps=200, progress=False)
    (panel,) = plots.losses(result).axes
    assert dict(zip(*panel.lines[0].get_data())) == result.losses | {200: result.loss}
    assert panel.get_yscale() == "log"
    (panel,) = plots.losses([4.0, 2.0, 1.0]).axes
    assert panel.lines[0].get_ydata().tolist() == [4, 2, 1]


def test_another_number_of_weights_is_refused():
    with pytest.raises(ShapeError, match=r"expected 2 finite numbers for each step, but got shape \(2, 3\)"):
        plots.path(np.zeros((2, 3)), lambda w: w.sum(), lr=0.1)
    with pytest.raises(ShapeError, match="expected 1 finite number for each step"):
        plots.parabola([float("nan")], lambda w: w)


def test_without_matplotlib_the_error_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"pip install 'tinygrad_poly\[plot\]'"):
        plots.losses([1.0])
