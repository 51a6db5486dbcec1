from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

import tinygrad_poly as tg
from tinygrad_poly.tutorials import routes
from tinygrad_poly.tutorials.problem import follow
from tinygrad_poly.tutorials.problems import PROGRAMS, T2, T4, T5, T6, T7, T7_AS_PRINTED, T11, T13, T15
from tinygrad_poly.tutorials.recovery import Modes

EVERY = [problem for variants in PROGRAMS.values() for problem in variants]


@pytest.mark.parametrize("problem", EVERY, ids=lambda p: f"{p.title} {p.dtype}")
def test_the_hand_written_program_computes_the_same_on_tensors(problem):
    x, y = problem.data(problem.dtype)
    start = problem.start(problem).astype(problem.dtype)
    weights = [tg.tensor(w) for w in start]
    on_tensors = problem.gradient(weights, tg.tensor(x), tg.tensor(y))
    assert [g.item() for g in on_tensors] == [g.item() for g in problem.gradient(start, x, y)]
    assert problem.loss(problem.model(weights, tg.tensor(x)), tg.tensor(y)).dtype == problem.dtype


@pytest.mark.parametrize("problem", EVERY, ids=lambda p: f"{p.title} {p.dtype}")
def test_the_program_computes_in_its_dtype(problem):
    x, y = problem.data(problem.dtype)
    assert (x.dtype, y.dtype) == (problem.dtype, problem.dtype)
    for route in (routes.by_hand, problem.route):
        _, gradient, weights = next(route(problem, problem.start(problem).astype(problem.dtype), x, y))
        assert {a.dtype for a in (*gradient, *weights)} == {np.dtype(problem.dtype)}


@pytest.mark.parametrize("problem", [T11, T13, T15], ids=lambda p: p.name)
def test_programs_without_a_closed_form_go_the_same_way_by_hand_and_by_engine(problem):
    # Where steps are no affine maps nothing bounds how roundings grow; a hundred steps grow them little.
    by_hand, by_engine = (follow(replace(problem, steps=100), route) for route in (routes.by_hand, problem.route))
    np.testing.assert_allclose(by_engine.weights, by_hand.weights, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(by_engine.losses, by_hand.losses, rtol=1e-11)


def test_a_and_c_of_t11_stay_0_because_the_sine_is_odd():
    history = follow(replace(T11, steps=300), T11.route)
    assert np.abs(history.weights[:, [0, 2]]).max() < 1e-12
    assert history.losses[-1] < history.losses[0] / 4


def test_each_step_of_t15_uses_the_powers_that_were_drawn_for_it():
    used = np.array([len(problem.gradient([1.0] * 5, np.ones(2), np.ones(2))) for problem in T15.each_step()])
    assert len(used) == T15.steps
    # With no or one or two high powers: without any, e is not used.
    assert 0.3 < np.mean(used == 4) < 0.37
    history = follow(replace(T15, steps=50), T15.route)
    rests = np.flatnonzero(used[:50] == 4)
    assert np.array_equal(history.weights[rests, 4], history.weights[rests + 1, 4])
    assert np.all(history.gradients[rests, 4] == 0)


def test_t7_goes_to_1_by_a_fifteenth_a_step_with_the_true_gradient():
    # W ← W − 0.1 · 2/3 · 14 (W − 1), so W − 1 is multiplied by 1 − 28/30.
    assert_distances_from_1(T7, Fraction(1, 15))


def test_t7_swings_about_1_with_the_gradient_as_printed():
    # W ← W − 0.1 · 14 (W − 1), so W − 1 is multiplied by 1 − 14/10.
    assert_distances_from_1(T7_AS_PRINTED, Fraction(-2, 5))


def assert_distances_from_1(problem, factor):
    exact = [float(1 - factor**step) for step in range(problem.steps + 1)]
    for route in (routes.by_hand, problem.route):
        weights = follow(problem, route).weights[:, 0]
        # Each step rounds numbers of at most 14 six times; the factors only shrink what came before.
        np.testing.assert_allclose(weights, exact, rtol=0, atol=problem.steps * 6 * 2.0**-53 * 2)


def test_t7_prints_the_same_eleven_lines_by_hand_and_by_engine():
    by_hand, by_engine = (follow(T7_AS_PRINTED, route) for route in (routes.by_hand, T7_AS_PRINTED.route))
    lines = [
        [f"{step} {w:.3f} {loss:.6f}" for step, (w, loss) in enumerate(zip(h.weights[:-1, 0], h.losses, strict=True))]
        for h in (by_hand, by_engine)
    ]
    assert lines[0] == lines[1]
    assert len(lines[0]) == 11


def test_t6_tends_to_two_points_an_hour_and_none_for_nothing():
    modes = Modes.of(T6)
    np.testing.assert_allclose(modes.after(20_000, np.zeros(2)), [2, 0], rtol=0, atol=1e-14)
    distances = [np.linalg.norm(w - [2, 0]) for w in follow(T6, T6.route).weights[::100]]
    assert distances == sorted(distances, reverse=True)


def test_t5_is_t4_with_the_names_reversed():
    t4, t5 = (follow(replace(problem, steps=100), problem.route) for problem in (T4, T5))
    np.testing.assert_allclose(t5.weights[:, ::-1], t4.weights, rtol=1e-12)
    np.testing.assert_allclose(t5.losses, t4.losses, rtol=1e-12)


def test_the_loss_of_t4_falls_at_every_step():
    assert np.all(np.diff(follow(T4, T4.route).losses) < 0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_torchs_grid_is_symmetrical_to_the_last_bit(dtype):
    x, _ = T2.data(dtype)
    assert np.array_equal(x, -x[::-1])
