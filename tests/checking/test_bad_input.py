"""Losses and gradients that make no sense: each is answered with what to do."""

import re
from pathlib import Path

import numpy as np
import pytest

from tinygrad_poly.checking import check_gradients
from tinygrad_poly.checking.diagnosis import CODES

X = np.array([1.0, 2.0, 3.0])


def square(x):
    return np.sum(x**2)


def twice(x):
    return 2 * x


def writes(x):
    x *= 2
    return np.sum(x)


def writes_its_own(x):
    x *= 2
    return x


RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("loss", "gradient", "said"),
    [
        (lambda x: np.sum(x) * RANDOM.random(), twice, "the loss is random"),
        (writes, twice, "the loss changes its arguments"),
        (lambda x: np.log(-np.sum(x)), twice, "not finite"),
        (square, lambda x: 2 * x * RANDOM.random(), "two calls differ"),
        (square, writes_its_own, "the gradient changes its arguments"),
        (square, lambda x: x / np.zeros(3), "no number where the true one is finite"),
    ],
    ids=["random", "mutates", "NaN", "random gradient", "mutating gradient", "NaN gradient"],
)
def test_what_says_nothing_is_inconclusive_with_the_reason(loss, gradient, said):
    report = check_gradients(loss, gradient, X)
    assert report.verdict == "inconclusive"
    assert said in str(report)


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_an_argument_that_is_not_finite_is_inconclusive(number):
    assert "not finite" in str(check_gradients(square, twice, np.array([1.0, number])))


def test_a_gradient_of_whole_numbers_is_wrong_beside_them_and_is_told_so():
    report = check_gradients(square, lambda x: (2 * x).astype(int), X)
    assert report.verdict == "fail"
    assert "of whole numbers (int64)" in str(report)


@pytest.mark.parametrize(
    ("loss", "gradient", "error", "said"),
    [
        (lambda x: 3, twice, TypeError, "int64, which has no derivative"),
        (lambda x: [np.sum(x)], twice, TypeError, "not list: check one part"),
        (lambda x: None, twice, TypeError, "is a return missing"),
        (lambda x: 1 / 0, twice, ZeroDivisionError, "division by zero"),
        (square, {"x": 2 * X, "y": X}, TypeError, "'y'"),
        (square, lambda x: (x, x), TypeError, "2 parts, but 1 arguments"),
        (square, lambda x: "no", TypeError, "must be numbers"),
        (square, lambda x: None, TypeError, "the gradient returned None"),
        (lambda x: np.sum(x) * 1j, twice, TypeError, "its real part"),
        ("loss", twice, TypeError, "must be a function"),
    ],
    ids=[
        "integer",
        "list",
        "None",
        "raises",
        "extra name",
        "extra part",
        "text",
        "None gradient",
        "complex",
        "no function",
    ],
)
def test_what_makes_no_sense_is_an_error_that_says_so(loss, gradient, error, said):
    with pytest.raises(error, match=re.escape(said)):
        check_gradients(loss, gradient, X)


@pytest.mark.parametrize(
    ("argument", "gradient", "said"),
    [
        (True, twice, "x is bool"),
        (2 + 1j, twice, "x is complex"),
        (object(), 1.0, "x is object"),
        (np.ma.masked_less(X, 2), twice, "the mask of a masked array would be lost"),
        ({"a": X, "b": X}, {"a": X}, "the argument and its gradient must have the same structure"),
    ],
    ids=["bool", "complex", "object", "masked", "key"],
)
def test_an_argument_that_cannot_be_differentiated_by_is_refused_with_what_it_is(argument, gradient, said):
    with pytest.raises(TypeError, match=re.escape(said)):
        check_gradients(lambda x: 1.0, gradient, argument)


def test_an_unknown_argument_is_refused_by_name():
    with pytest.raises(TypeError, match="wrt names 'y', but the arguments are x"):
        check_gradients(square, twice, X, wrt="y")


def test_a_gradient_of_another_shape_fails():
    report = check_gradients(square, lambda x: 2 * x[:2], X)
    assert (report.verdict, report.findings[0].reason) == ("fail", "shape")
    assert "a gradient has the shape of its argument" in str(report)


def test_gradients_of_several_numbers_come_as_an_array_and_more_than_are_asked_for_in_a_dict():
    def loss(a, b):
        return a * a * b

    both = {"a": 2 * 2.0 * 3, "b": 2.0 * 2}
    assert check_gradients(loss, lambda a, b: np.array([2 * a * b, a * a]), 2.0, 3.0).verdict == "pass"
    assert check_gradients(loss, both, 2.0, 3.0, wrt="b").verdict == "pass"
    assert check_gradients(loss, both | {"b": 5.0}, 2.0, 3.0, wrt="b").verdict == "fail"


def test_whole_numbers_are_taken_as_floats_where_there_are_no_floats():
    assert check_gradients(square, twice, [1, 2, 3]).verdict == check_gradients(square, twice, 3).verdict == "pass"


def test_a_report_is_no_truth_value():
    with pytest.raises(TypeError, match=r"report\.verdict"):
        bool(check_gradients(square, twice, X))


def test_nothing_passes_that_was_not_looked_at():
    assert check_gradients(square, twice, np.array([])).verdict == "inconclusive"
    # At 0 every multiple of the gradient is right; elsewhere it is not.
    assert check_gradients(square, lambda x: 3 * x, np.zeros(3)).verdict == "fail"
    assert check_gradients(square, twice, np.zeros(3)).verdict == "pass"
    assert check_gradients(square, twice, np.zeros(8), oracle="finite differences").verdict == "pass"
    assert check_gradients(square, lambda x: 3 * x, np.zeros(8), oracle="finite differences").verdict == "fail"
    assert check_gradients(square, np.zeros(3), np.zeros(3)).verdict == "inconclusive"
    assert check_gradients(lambda x: np.sum(0 * x), lambda x: 0 * x, X).verdict == "pass"
    assert check_gradients(lambda x: np.sum(3 * x), lambda x: 3.0 + 0 * x, X).verdict == "pass"


@pytest.mark.parametrize("oracle", ["auto", "tape", "finite differences"])
def test_a_kink_is_inconclusive_and_a_wrong_number_there_is_not(oracle):
    def loss(x):
        return np.sum(np.abs(x))

    at = np.array([0.0, 1.0])
    assert check_gradients(loss, np.sign, at, oracle=oracle).verdict == "inconclusive"
    assert check_gradients(loss, lambda x: np.sign(x) * 2, at, oracle=oracle).verdict == "fail"


@pytest.mark.parametrize("oracle", ["auto", "tape"])
def test_the_curve_of_a_lasso_does_not_hide_its_kink(oracle):
    x, y = np.array([-1.0, 1.0, -3.0, -1.0, 1.0, -3.0]), np.array([2.0, 2.0, 2.0, 2.0, 0.0, -1.0])

    def loss(w):
        return np.sum((x * w - y) ** 2) + 1.25 * np.sum(np.abs(w))

    def gradient(w):
        return 2 * np.sum((x * w - y) * x) + 1.25 * np.sign(w)

    assert check_gradients(loss, gradient, 0.0, oracle=oracle).verdict == "inconclusive"


@pytest.mark.parametrize("steep", [1, 100])
@pytest.mark.parametrize("oracle", ["auto", "tape", "finite differences"])
def test_a_kink_is_seen_beside_any_curvature(oracle, steep):
    X, y = steep * np.array([[2.0, -5.0, 1.0], [1.0, 3.0, -1.0], [3.0, 1.0, 0.0]]), np.array([1.0, -2.0, 0.0])

    def loss(w):
        return np.sum((X @ w - y) ** 2) + 1.25 * np.sum(np.abs(w))

    def gradient(w):
        return 2 * X.T @ (X @ w - y) + 1.25 * np.sign(w)

    report = check_gradients(loss, gradient, np.array([2.0, -1.0, 0.0]), oracle=oracle)
    assert (report.verdict, report.findings[0].reason) == ("inconclusive", "kink")


def test_an_inflection_point_is_no_kink():
    assert (
        check_gradients(lambda x: np.sum(x**3), lambda x: 3 * x**2, X - 2, oracle="finite differences").verdict
        == "pass"
    )


def test_each_diagnosis_has_a_page_and_the_guide_lists_it():
    docs = Path(__file__).parents[2] / "docs"
    guide = (docs / "checking.md").read_text()
    assert {path.stem for path in (docs / "diagnoses").glob("*.md")} == set(CODES)
    assert all(f"(diagnoses/{code}.md)" in guide for code in CODES)


@pytest.mark.parametrize("oracle", ["auto", "finite differences"])
@pytest.mark.parametrize(("factor", "verdict", "most"), [(1, "pass", 20), (2, "fail", 35)], ids=["right", "wrong"])
def test_a_slow_function_is_called_a_few_times_and_not_passed_unseen(oracle, factor, verdict, most):
    calls = []

    def loss(x):
        calls.append(1)
        return np.sum(np.sin(x))

    at = np.linspace(0.1, 1, 50)
    report = check_gradients(loss, lambda x: factor * np.cos(x), at, oracle=oracle, time_budget=1e-6)
    assert (report.verdict, len(calls) <= most) == (verdict, True)
    assert report.findings[0].power < 1e-8
    assert "no time" in str(report) or "time is spent" in str(report) or "time ended" in str(report)


def test_many_numbers_are_confirmed_along_lines_and_a_wrong_one_is_found_by_itself():
    at = np.linspace(0.1, 1, 50)

    def check(wrong):
        def gradient(x):
            g = np.cos(x)
            g[7] *= 1 + wrong
            return g

        return check_gradients(lambda x: np.sum(np.sin(x)), gradient, at, oracle="finite differences", time_budget=60)

    assert (check(0.0).verdict, check(0.0).findings[0].along) == ("pass", True)
    assert (check(1e-9).verdict, check(1e-9).findings[0].at) == ("fail", (7,))


def test_the_time_budget_ends_exact_arithmetic():
    x = np.linspace(0, 1, 20_000)
    report = check_gradients(
        lambda a, x: np.mean((a * x) ** 2), lambda a, x: 2 * a * np.mean(x * x), 0.5, x, time_budget=1e-3
    )
    assert (report.verdict, report.oracle) == ("pass", "tape")
    assert any("time budget" in note for note in report.notes)
