from dataclasses import replace

import numpy as np
import pytest

from tinygrad_poly.tutorials import recovery, routes
from tinygrad_poly.tutorials.printed import PRINTED, Printed
from tinygrad_poly.tutorials.problem import follow
from tinygrad_poly.tutorials.problems import PROGRAMS, T1, T4, T6, T7, T7_AS_PRINTED, T8, T9, T10
from tinygrad_poly.tutorials.recovery import Modes, from_first_line, from_last_line


def print_with_all_digits(problem, weights, first):
    """What the program prints if it starts at `weights`."""
    history = follow(replace(problem, start=lambda _: weights), routes.by_hand)
    return Printed(
        tuple(
            (str(step), repr(float(history.losses[step])), *(repr(float(w)) for w in history.weights[step + 1]))
            for step in range(first, problem.steps, 100)
        ),
        tuple(repr(float(w)) for w in history.weights[-1]),
    )


@pytest.mark.parametrize("seed", range(5))
def test_the_start_of_a_line_is_recovered_from_its_first_step(seed, monkeypatch):
    weights = np.random.default_rng(seed).random(2)
    monkeypatch.setitem(PRINTED, "T8", print_with_all_digits(replace(T8, steps=1), weights, 0))
    np.testing.assert_allclose(from_first_line(T8), weights, rtol=0, atol=1e-14)


@pytest.mark.parametrize("seed", range(3))
def test_the_start_of_a_cubic_is_recovered_mode_by_mode(seed, monkeypatch):
    weights = np.random.default_rng(seed).standard_normal(4)
    monkeypatch.setitem(PRINTED, "T1", print_with_all_digits(T1, weights, 99))
    modes = Modes.of(T1)
    fast, third, *slow = modes.distances(from_last_line(T1))
    _, known_third, *known_slow = modes.distances(weights)
    assert abs(fast) < 1e-12
    # It is left with 6e-8 of itself, squared, in a loss of hundreds with 16 digits.
    assert abs(third) == pytest.approx(abs(known_third), rel=1e-6)
    np.testing.assert_allclose(slow, known_slow, rtol=1e-11)


def test_t10_starts_where_its_tutorial_printed_it():
    assert [f"{w:.4f}" for w in from_first_line(T10)] == ["0.3685", "0.0889"]


@pytest.mark.parametrize("problem", [T8, T9, T10], ids=lambda p: p.name)
def test_the_recovered_start_leads_to_the_printed_first_step(problem):
    _, _, *printed = PRINTED[problem.name].every_100th[0]
    start = problem.start(problem)
    assert np.all((start > 0) & (start < 1))  # the tutorials drew them so
    np.testing.assert_allclose(Modes.of(problem).after(1, start), np.array(printed, "float64"), rtol=1e-14)


@pytest.mark.parametrize("problem", [T8, T9, T10], ids=lambda p: p.name)
def test_the_first_loss_is_off_by_less_than_rounded_weights_explain(problem):
    off = abs(
        follow(replace(problem, steps=1), routes.by_hand).losses[0] - float(PRINTED[problem.name].every_100th[0][1])
    )
    assert off < 6e-6
    assert off <= recovery.first_loss_margin(problem) < 1e-4


def test_lines_that_fit_exactly_have_their_known_best_and_a_lowest_loss_of_zero():
    for problem, best in ((T6, [2, 0]), (T7, [1]), (T7_AS_PRINTED, [1]), (T8, [3, 0])):
        modes = Modes.of(problem)
        np.testing.assert_allclose(modes.best, best, rtol=0, atol=1e-13)
        assert 0 <= modes.lowest < 1e-25


def test_the_best_cubic_for_sin_still_has_a_loss_of_eight():
    assert Modes.of(T1).lowest == pytest.approx(8.817165, abs=5e-7)
    assert Modes.of(T4).lowest == pytest.approx(4.427035, abs=5e-7)


AFFINE = [name for name, (problem, *_) in PROGRAMS.items() if problem.affine]


def test_all_programs_but_three_have_a_closed_form():
    assert set(PROGRAMS) - set(AFFINE) == {"T11", "T13", "T15"}


@pytest.mark.parametrize("name", AFFINE)
def test_the_closed_form_of_a_step_is_the_step(name):
    for problem in PROGRAMS[name]:
        problem = replace(problem, dtype="float64", steps=1, start=lambda p: np.linspace(-0.5, 1.5, len(p.names)))
        history = follow(problem, routes.by_hand)
        np.testing.assert_allclose(
            Modes.of(problem).after(1, history.weights[0]), history.weights[1], rtol=1e-12, atol=1e-14
        )


@pytest.mark.parametrize("name", AFFINE)
def test_every_step_shrinks_every_mode(name):
    for problem in PROGRAMS[name]:
        assert np.all(np.abs(Modes.of(problem).factors) < 1)


def test_the_loss_is_its_lowest_value_and_a_parabola_in_each_mode():
    modes = Modes.of(T1)
    weights = np.array([0.5, -1.0, 0.25, 0.75])
    x, y = T1.data("float64")
    parabolas = modes.lowest + 0.5 * np.sum(modes.curvatures * modes.distances(weights) ** 2)
    assert T1.loss(T1.model(weights, x), y) == pytest.approx(parabolas, rel=1e-12)
