from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_poly.tutorials import problems, rounding, routes
from tinygrad_poly.tutorials.problem import follow
from tinygrad_poly.tutorials.problems import T1, T2, T3, T5, T6, T7, T7_AS_PRINTED, T8, T9, T10, T11, T12, T13, T15
from tinygrad_poly.tutorials.report import gradient_ratio
from tinygrad_poly.tutorials.rounding import Roundings


def ratio(problem):
    history = follow(problem, problem.route)
    return gradient_ratio(problem, history, rounding.magnitude(problem, history.weights[:-1]))


def slightly_longer(gradient):
    return lambda weights, x, y: [g * (1 + 1e-9) for g in gradient(weights, x, y)]


def one_slightly_longer(gradient):
    return lambda weights, x, y: [gradient(weights, x, y)[0] * (1 + 1e-9), *gradient(weights, x, y)[1:]]


def none(gradient):
    return lambda weights, x, y: [0.0 * g for g in gradient(weights, x, y)]


def uphill(gradient):
    return lambda weights, x, y: [-1 * g for g in gradient(weights, x, y)]


def without_the_first_point(gradient):
    return lambda weights, x, y: gradient(weights, x[1:], y[1:])


def without_a_bias(gradient):
    """The last weight's term is dropped from the prediction."""

    def wrong(weights, x, y):
        *others, last = weights
        return gradient([*others, 0 * last], x, y)

    return wrong


# T11's first gradient is 0 unless its start is lopsided; T15 with all its powers at every step
LOPSIDED = replace(T11, start=lambda problem: np.array([0.1, -1.0, 0.1, 0.3]))
ALL_POWERS = replace(T15, at=None)


@pytest.mark.parametrize("program", [T1, T2, T3, T5, T6, T8, T10, LOPSIDED, T12, T13, ALL_POWERS], ids=lambda p: p.name)
@pytest.mark.parametrize("wrong", [slightly_longer, one_slightly_longer, uphill, none, without_a_bias])
def test_a_wrong_gradient_is_beyond_the_bound(program, wrong):
    program = replace(program, steps=3)
    assert ratio(program) <= 1
    assert ratio(replace(program, gradient=wrong(program.gradient))) > 1


@pytest.mark.parametrize("program", [T1, T6, T8], ids=lambda p: p.name)
def test_a_forgotten_point_is_beyond_the_bound(program, monkeypatch):
    program = replace(program, steps=3)
    roundings = rounding.count(program)
    monkeypatch.setattr(rounding, "count", lambda problem: roundings)
    assert ratio(replace(program, gradient=without_the_first_point(program.gradient))) > 1


def test_the_constant_that_t7_forgot_is_beyond_the_bound():
    confused = replace(T7, gradient=problems.summed_proportion_gradient)
    assert ratio(confused) > 1e12
    assert ratio(T7) <= 1
    assert ratio(T7_AS_PRINTED) <= 1


def test_in_float32_the_bound_is_as_much_wider_as_float32_is_coarser():
    roundings = np.array([10])
    assert rounding.gamma(roundings, "float32") == pytest.approx(2.0**29 * rounding.gamma(roundings, "float64"))


@given(
    st.lists(st.tuples(*[st.floats(-8, 8, width=32)] * 2), min_size=1, max_size=12),
    st.tuples(*[st.floats(-8, 8, width=32)] * 2),
)
def test_a_computed_gradient_is_within_gamma_of_the_exact_one(points, weights):
    x, y = (np.array(column, "float32") for column in zip(*points, strict=True))
    problem = replace(T6, dtype="float32", shape=(), data=lambda dtype: (x.astype(dtype), y.astype(dtype)))
    residuals = [Fraction(weights[0]) * Fraction(a) + Fraction(weights[1]) - Fraction(b) for a, b in points]
    exact = [
        2 * sum((r * Fraction(a) for r, (a, _) in zip(residuals, points, strict=True)), Fraction(0)) / len(points),
        2 * sum(residuals, Fraction(0)) / len(points),
    ]
    bound = rounding.gamma(rounding.count(problem), "float32") * rounding.magnitude(problem, np.array([weights]))[0]
    start = np.array(weights, "float32")
    # Where a product underflows, it is off by up to a unit of the smallest number.
    underflow = 100 * Fraction(float(np.finfo("float32").smallest_subnormal))
    for route in (routes.by_hand, problem.route):
        _, gradient, _ = next(route(problem, start, x, y))
        for g, G, b in zip(gradient, exact, bound, strict=True):
            assert abs(Fraction(g.item()) - G) <= Fraction(float(b)) * (1 + Fraction(1, 10**9)) + underflow


def test_on_the_imaginary_axis_the_terms_of_the_legendre_polynomial_have_one_sign():
    (a, b, c, d), x, y = (0.5, -1.5, 0.25, 0.75), np.array([-2.0, 3.0]), np.array([1.0, -4.0])
    z = abs(c) + abs(d) * np.abs(x)
    value, derivative = 0.5 * (5 * z**3 + 3 * z), 1.5 * (5 * z**2 + 1)
    slope = 2 * (abs(a) + abs(b) * value + np.abs(y))
    terms = [slope, slope * value, slope * abs(b) * derivative, slope * abs(b) * derivative * np.abs(x)]
    problem = replace(T11, data=lambda dtype: (x, y))
    magnitude = rounding.magnitude(problem, np.array([[a, b, c, d]]))
    np.testing.assert_allclose(magnitude, [[term.sum() for term in terms]], rtol=1e-14)


COUNTED_ON_PAPER = {
    "a + b": 1,
    "a - b": 1,
    "1 - a": 1,
    "a * b": 1,
    "(a + b) * (a + b)": 3,
    "(a + b) + (a * b)": 2,
    "-a": 0,
    "2.0 * a": 0,
    "a * -0.25": 0,
    "3 * a": 1,
    "a * (2 / 6)": 2,
    "a / 3": 1,
    "a.sum()": 5,
    "a @ b.mT": 3,
}


@pytest.mark.parametrize("expression", COUNTED_ON_PAPER)
def test_roundings_are_counted_as_on_paper(expression):
    result = eval(expression, {"a": Roundings((2, 3)), "b": Roundings((2, 3))})
    assert result.count == COUNTED_ON_PAPER[expression]


def test_the_gradient_of_a_line_has_as_many_roundings_as_on_paper():
    x, y, w = Roundings((6,)), Roundings((6,)), Roundings(())
    # W x, + b, − y; × x; five additions; / 6
    assert [g.count for g in T8.gradient([w, w], x, y)] == [3 + 1 + 5 + 1, 3 + 5 + 1]


def test_the_gradient_of_a_cubic_has_as_many_roundings_as_on_paper():
    # The last term of the prediction: x x x, × d, + the others, − y: five; the other factor: x x x and ×: three.
    x, y = Roundings((2000,)), Roundings((2000,))
    gradient = T1.gradient([Roundings(())] * 4, x, y)
    assert [g.count for g in gradient] == [5 + 1999, 5 + 1 + 1999, 5 + 2 + 1999, 5 + 3 + 1999]


def test_the_engine_rounds_at_most_twice_more_than_the_hand():
    for problem in (T1, T5, T6, T7, T8, T9, T10):
        x, y = (Roundings(a.shape) for a in problem.data(problem.dtype))
        by_hand = problem.gradient([Roundings(()) for _ in problem.names], x, y)
        assert np.all(rounding.count(problem) - [g.count for g in by_hand] <= 2)
