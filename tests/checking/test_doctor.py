"""The gradient doctor: right gradients pass, wrong ones fail, and what cannot be known is inconclusive."""

import numpy as np
import pytest

from tinygrad_poly.checking import assert_gradients_close, check_gradients

X = np.array([1.0, 2.0, 3.0])


def cost(W, x, y):
    return np.mean((W * x - y) ** 2)


def test_the_tutorials_wrong_gradient_fails_and_the_right_one_passes_exactly():
    wrong = check_gradients(cost, lambda W, x, y: np.sum((W * x - y) * x), 0.5, X, X)
    assert (wrong.verdict, wrong.oracle) == ("fail", "exact")
    right = check_gradients(cost, lambda W, x, y: 2 * np.mean((W * x - y) * x), 0.5, X, X)
    assert right.verdict == "pass"
    assert right.findings[0].power == 0


@pytest.mark.parametrize("oracle", ["auto", "tape", "finite differences"])
@pytest.mark.parametrize("wrong_by", [1e-2, 1e-6, 1e-10])
def test_a_relative_error_is_seen_by_every_oracle(oracle, wrong_by):
    def check(factor):
        return check_gradients(lambda x: np.sum(np.sin(x)), lambda x: np.cos(x) * factor, X, oracle=oracle).verdict

    assert check(1.0) == "pass"
    assert check(1 + wrong_by) == "fail"


@pytest.mark.parametrize("at", [[0.0, 1.0, -2.0], [40.0, 120.0, -300.0], [1e-150], [700.0]])
def test_what_cancels_is_no_mistake(at):
    def sigmoid(z):
        return 1 / (1 + np.exp(-z))

    report = check_gradients(lambda z: np.sum(sigmoid(z)), lambda z: sigmoid(z) * (1 - sigmoid(z)), np.array(at))
    assert report.verdict == "pass"


def test_the_assertion_raises_the_report():
    assert_gradients_close(cost, lambda W, x, y: 2 * np.mean((W * x - y) * x), 0.5, X, X)
    with pytest.raises(AssertionError, match="FAIL"):
        assert_gradients_close(cost, lambda W, x, y: np.sum((W * x - y) * x), 0.5, X, X)
