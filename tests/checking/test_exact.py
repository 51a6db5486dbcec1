from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings

from tinygrad_poly.checking import strategies
from tinygrad_poly.checking.cases import Case
from tinygrad_poly.checking.exact import Jet, answers
from tinygrad_poly.checking.programs import Input, Problem, Program
from tinygrad_poly.checking.rationals import Exact

from ..helpers import examples
from ..proof.judge import check_exactly


def of(program, cotangent, *directions):
    found = answers(Problem(program, cotangent, directions))
    return [x.fractions() for x in (found.value, *found.gradients, *found.seconds)]


def test_a_product_rule_on_paper():
    # f = (a − b) a² has ∂f/∂a = 3a² − 2ab, ∂f/∂b = −a²; along w = (1, 2) they change by 6a − 2b − 4a and −2a.
    program = Program((Input((), (5.0,)), Input((), (2.0,))), (("subtract", 0, 1), ("power", 0, 2), ("multiply", 2, 3)))
    value, by_a, by_b, second_a, second_b = of(program, (1.0,), (1.0,), (2.0,))
    assert (value, by_a, by_b) == ([75], [55], [-25])
    assert (second_a, second_b) == ([6], [-10])


def test_a_third_stays_a_third():
    program = Program((Input((3,), (1.0, 1.0, 2.0)),), (("mean", 0, None, False),))
    assert of(program, (1.0,), (1.0,) * 3)[:2] == [[Fraction(4, 3)], [Fraction(1, 3)] * 3]


def test_a_matrix_product_on_paper():
    a, b = Input((1, 2), (1.0, 2.0)), Input((2, 2), (3.0, 4.0, 5.0, 6.0))
    program = Program((a, b), (("matmul", 0, 1),))
    value, by_a, by_b, *_ = of(program, (1.0, 10.0), (0.0,) * 2, (0.0,) * 4)
    assert (value, by_a, by_b) == ([13, 16], [43, 65], [1, 10, 2, 20])


@settings(max_examples=examples(30))
@given(strategies.gradient_problems())
def test_slopes_are_what_differences_tend_to(case):
    """Independent of all rules: the difference quotient of a polynomial, taken at d+1 steps, has the slope as limit."""
    problem = case.problem
    program = problem.program
    steps = [Fraction(1, k) for k in range(1, strategies.HIGHEST_DEGREE + 2)]

    def moved(step):
        given_ = [
            Exact.of(i.array()) + Exact.of(np.array(w).reshape(i.shape)) * (step if i.requires_grad else 0)
            for i, w in zip(program.inputs, problem.directions, strict=True)
        ]
        jets = [Jet(np.stack([x.numerators, 0 * x.numerators], -1)[..., None, :], x.denominator) for x in given_]
        y = program.run(jets)[..., 0, 0]
        return sum((a * Fraction(v) for a, v in zip(y.fractions(), problem.cotangent, strict=True)), Fraction(0))

    base = moved(0)
    quotients = [(moved(step) - base) / step for step in steps]
    slope = sum(
        (
            g * Fraction(w)
            for G, i, w_ in zip(case.exact.gradients, program.inputs, problem.directions, strict=True)
            if i.requires_grad
            for g, w in zip(G.fractions(), w_, strict=True)
        ),
        Fraction(0),
    )
    assert _at_zero(steps, quotients) == slope


def _at_zero(xs, ys):
    """The polynomial through the points, at 0, by Neville's scheme: exact for fractions."""
    ys = list(ys)
    for width in range(1, len(xs)):
        ys = [(xs[i] * b - xs[i + width] * a) / (xs[i] - xs[i + width]) for i, (a, b) in enumerate(pairwise(ys))]
    return ys[0]


@settings(max_examples=examples(30))
@given(strategies.gradient_problems())
def test_a_majorant_is_at_least_as_large_as_what_it_majorizes(case):
    for _, exact, majorant, _ in case.parts:
        assert all(abs(g) <= size for g, size in zip(exact.fractions(), majorant.fractions(), strict=True))


@settings(max_examples=examples(12))
@given(strategies.univariate_polynomials() | strategies.multivariate_polynomials())
def test_three_ways_to_write_a_polynomial_have_one_exact_gradient(polynomial):
    found = []
    for program in polynomial.programs().values():
        directions = tuple((0.5,) * len(i.numbers) for i in program.inputs)
        case = Case(Problem(program, (2.0, -3.0, 5.0)[: program.shapes[-1][0]], directions))
        check_exactly(case)
        count = len(polynomial.points)
        found.append((case.exact.value, case.exact.gradients[:count], case.exact.seconds[:count]))
    assert found[0] == found[1] == found[2]


def test_exact_arrays_compare_by_shape_and_value():
    half = Exact.of(np.array([0.5]))
    assert half == Exact(np.array([2], dtype=object), 4)
    assert half != Exact(np.array(2, dtype=object), 4)
    assert half != Exact.of(np.array([0.25]))


def test_fractions_are_rounded_like_numbers():
    third = Exact(np.array([1], dtype=object), 3)
    assert third.rounded("float32").fractions() == [Fraction(float(np.float32(1 / 3)))]


@pytest.mark.parametrize("number", [0.1, -3.0, 5e-324, 1.7e308])
def test_every_float_is_a_fraction(number):
    assert Exact.of(np.array(number)).fractions() == [Fraction(number)]
