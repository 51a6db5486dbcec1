import math

import numpy as np
import pytest

import tinygrad_poly as tg
from tinygrad_poly.fitting import as_quadratic


def test_the_hessian_of_a_sum_of_squares_is_twice_the_gram_matrix(sine):
    quadratic = as_quadratic(*sine.arguments)
    X = np.vander(sine.x.numpy(), 4, increasing=True)
    np.testing.assert_allclose(quadratic.hessian, 2 * X.T @ X, rtol=1e-12, atol=1e-8)


def test_the_minimum_is_that_of_least_squares(sine):
    params, loss = as_quadratic(*sine.arguments).minimum
    X = np.vander(sine.x.numpy(), 4, increasing=True)
    weights, squares, *_ = np.linalg.lstsq(X, sine.y.numpy())
    assert loss == pytest.approx(8.817165, abs=5e-7)
    assert loss == pytest.approx(squares[0], rel=1e-13)
    np.testing.assert_allclose([params[name] for name in "abcd"], weights, atol=1e-14)


@pytest.mark.parametrize("degree", range(1, 10))
def test_the_minimum_is_that_of_least_squares_up_to_high_degrees(degree):
    x = np.linspace(0, 10, 50)
    y = np.cos(x) + x

    def loss(params, x, y):
        return (sum(w * x**k for k, w in enumerate(params)) - y).pow(2).sum()

    quadratic = as_quadratic(loss, [0.3] * (degree + 1), x, y)
    squares = np.linalg.lstsq(np.vander(x / 5 - 1, degree + 1), y)[1][0]
    assert quadratic.determined
    assert quadratic.least_loss == pytest.approx(squares, rel=1e-9)


def test_weights_may_have_any_shape():
    rng = np.random.default_rng(3)
    x, true = rng.standard_normal((20, 3)), rng.standard_normal((3, 2))

    def loss(params, x, y):
        return ((x @ params["W"] + params["b"] - y) ** 2).mean()

    quadratic = as_quadratic(loss, {"W": np.ones((3, 2)), "b": np.zeros(2)}, x, x @ true + 1)
    params, least = quadratic.minimum
    np.testing.assert_allclose(params["W"], true, atol=1e-12)
    np.testing.assert_allclose(params["b"], [1, 1], atol=1e-12)
    assert quadratic.hessian.shape == (8, 8)
    assert least < 1e-25


@pytest.mark.parametrize(
    "loss",
    [
        lambda w, x, y: ((w * w * x - y) ** 2).sum(),
        lambda w, x, y: ((tg.sin(w * x) - y) ** 2).sum(),
        lambda w, x, y: tg.exp(w * x).sum(),
        lambda w, x, y: (w * x).sum(),
        lambda w, x, y: -((w * x - y) ** 2).sum(),
        lambda w, x, y: tg.where(w > -0.1, (w - 1) ** 2, (w + 1) ** 2),
        lambda w, x, y: 0.5 * w**2 + 1e-4 * w**4,
    ],
    ids=["square", "sine", "exponential", "linear", "concave", "two parabolas", "slightly quartic"],
)
def test_what_is_not_a_convex_quadratic_is_none(loss):
    assert as_quadratic(lambda params, x, y: loss(params["w"], x, y), {"w": 0.7}, [1.0, 2.0], [1.0, 0.5]) is None


def test_a_loss_that_cannot_be_computed_in_float64_is_none():
    constant = tg.tensor([[1.0]])

    def loss(params, x, y):
        assert x.dtype == tg.float32
        return ((params["w"] * constant - y) ** 2).sum()

    def refuses(params, x, y):
        if x.dtype != tg.float32:
            raise TypeError("float32 only")
        return loss(params, x, y)

    assert as_quadratic(refuses, {"w": 0.0}, tg.tensor([1.0]), tg.tensor([1.0])) is None


def test_more_than_a_hundred_weights_are_too_many():
    def loss(params, x, y):
        return ((params["w"] * x - y) ** 2).sum()

    assert as_quadratic(loss, {"w": np.zeros(100)}, np.ones(100), np.ones(100)) is not None
    assert as_quadratic(loss, {"w": np.zeros(101)}, np.ones(101), np.ones(101)) is None


def test_interchangeable_weights_leave_the_optimum_undetermined():
    def loss(params, x, y):
        return (((params["v"] + params["w"]) * x - y) ** 2).mean()

    quadratic = as_quadratic(loss, {"v": 0.0, "w": 0.0}, [1.0, 2.0], [3.0, 5.0])
    assert not quadratic.determined
    assert quadratic.least_loss == pytest.approx(0.1)
    assert quadratic.largest_stable_lr == pytest.approx(0.2)


@pytest.mark.parametrize(("degree", "determined"), [(1, True), (2, True), (4, True), (8, False)])
def test_directions_that_the_hessian_loses_to_rounding_are_found_as_long_as_the_model_tells_them_apart(
    degree, determined
):
    x = np.arange(1990.0, 2020.0)

    def loss(params, x, y):
        return (sum(w * x**k for k, w in enumerate(params)) - y).pow(2).sum()

    quadratic = as_quadratic(loss, [1.0] * (degree + 1), x, np.cos(x))
    assert quadratic.determined == determined
    if determined:
        squares = np.linalg.lstsq(np.vander((x - 2004.5) / 15, degree + 1), np.cos(x))[1][0]
        assert quadratic.least_loss == pytest.approx(squares, rel=1e-7)


def test_the_excess_after_some_steps_is_foretold(sine):
    from tinygrad_poly.fitting import fit

    start = fit(*sine.arguments, steps=0, progress=False)
    end = fit(*sine.arguments, steps=700, progress=False)
    foretold = start.quadratic.least_loss + start.quadratic.excess(sine.start, lr=1e-6, steps=700)
    assert end.loss == pytest.approx(foretold, rel=1e-9)


def test_the_number_of_steps_until_an_excess_is_the_smallest(sine):
    quadratic = as_quadratic(*sine.arguments)
    enough = quadratic.steps_until(0.01, sine.start, 1e-6)
    assert quadratic.excess(sine.start, 1e-6, enough) <= 0.01 < quadratic.excess(sine.start, 1e-6, enough - 1)


def test_no_number_of_steps_is_enough_at_a_learning_rate_that_diverges(sine):
    quadratic = as_quadratic(*sine.arguments)
    assert quadratic.steps_until(0.01, sine.start, quadratic.largest_stable_lr) is None


def test_no_learning_rate_is_faster_than_the_fastest(sine):
    quadratic = as_quadratic(*sine.arguments)
    fastest = quadratic.steps_until(1e-250, sine.start, quadratic.fastest_lr)
    for factor in (0.9, 0.99, 1.002):
        assert quadratic.steps_until(1e-250, sine.start, quadratic.fastest_lr * factor) > fastest


def test_data_in_float32_is_analysed_in_float64(sine_in_float32):
    quadratic = as_quadratic(*sine_in_float32.arguments)
    assert quadratic.hessian.dtype == np.float64
    assert math.isclose(quadratic.least_loss, 8.817167, rel_tol=1e-6)


def test_an_optimum_that_is_not_determined_is_not_handed_out_without_a_word():
    def loss(params, x, y):
        return (((params["v"] + params["w"]) * x - y) ** 2).mean()

    quadratic = as_quadratic(loss, {"v": 0.0, "w": 0.0}, [1.0, 2.0], [3.0, 5.0])
    with pytest.warns(
        np.exceptions.RankWarning, match="not known to be the best: rounding hides it, .* centre and scale x"
    ):
        weights, least = quadratic.minimum
    assert weights["v"] + weights["w"] == pytest.approx(2.6)
    assert least == pytest.approx(0.1)
