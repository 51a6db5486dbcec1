from dataclasses import replace

import numpy as np
import pytest

from tinygrad_poly.tutorials import routes
from tinygrad_poly.tutorials.problem import follow
from tinygrad_poly.tutorials.problems import T8, T10

MANNERS = [routes.in_place, routes.with_optimizer, routes.rebinding]
# Ten steps, each with fewer than 32 roundings of numbers below 128.
ROUNDING = 10 * 32 * 128 * 2.0**-53


@pytest.mark.parametrize("manner", MANNERS)
def test_all_manners_take_the_steps_worked_out_by_hand(manner):
    problem = replace(T8, steps=10)
    np.testing.assert_allclose(
        follow(problem, manner).weights, follow(problem, routes.by_hand).weights, rtol=0, atol=ROUNDING
    )


@pytest.mark.parametrize("manner", MANNERS)
def test_all_manners_of_using_the_engine_agree_to_the_last_bit(manner):
    problem = replace(T8, steps=100)
    one, other = follow(problem, manner), follow(problem, routes.in_place)
    assert np.array_equal(one.weights, other.weights)
    assert np.array_equal(one.losses, other.losses)
    assert np.array_equal(one.gradients, other.gradients)


def test_a_module_takes_the_same_steps():
    problem = replace(T10, steps=10)
    np.testing.assert_allclose(
        follow(problem, routes.with_module).weights, follow(problem, routes.by_hand).weights, rtol=0, atol=ROUNDING
    )
