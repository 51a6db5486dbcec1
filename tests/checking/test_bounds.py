from fractions import Fraction

import numpy as np
import pytest

import tinygrad_poly as tg
from tinygrad_poly.checking.bounds import Estimate, allowed, estimate, gamma
from tinygrad_poly.checking.cases import Case
from tinygrad_poly.checking.programs import Input, Problem, Program

from ..proof.judge import check


def roundings(inputs, *instructions):
    program = Program(tuple(inputs), instructions)
    problem = Problem(program, (2.0,) * 6, tuple((1.0,) * len(i.numbers) for i in inputs))
    found = estimate(problem)
    return (
        found.value.roundings,
        [g and g.roundings for g in found.gradients],
        [s and s.roundings for s in found.seconds],
    )


ROW, SCALAR = Input((3,), (1.0, 2.0, 3.0)), Input((), (2.0,))


def test_roundings_are_counted_as_on_paper():
    assert roundings([ROW, ROW], ("add", 0, 1)) == (1, [0, 0], [None, None])
    assert roundings([ROW, ROW], ("multiply", 0, 1)) == (1, [1, 1], [1, 1])
    # A scalar that was repeated: its three contributions are added up.
    assert roundings([ROW, SCALAR], ("multiply", 0, 1)) == (1, [1, 3], [1, 3])
    # x x twice over: g (x x), the product of two values that were rounded, and a sum of two contributions.
    assert roundings([ROW], ("multiply", 0, 0), ("multiply", 1, 1))[:2] == (3, [5])
    assert roundings([ROW], ("sum", 0, None, False)) == (2, [0], [None])
    assert roundings([ROW], ("mean", 0, None, False)) == (4, [2], [None])
    assert roundings([ROW], ("power", 0, 0))[1:] == ([None], [None])


def squared(times):
    """x^(2^times) by squaring, at a point just above 1."""
    x = Input((), (float(np.float32(1.0009765)),))
    return Problem(Program((x,), tuple(("multiply", k, k) for k in range(times))), (3.0,), ((2.0,),))


@pytest.mark.parametrize("library", ["tinygrad_poly", "torch"])
def test_a_product_collects_the_roundings_of_both_factors(library):
    """On the longest path through eight squarings lie eight roundings, and the error is that of far more."""
    case = Case(squared(8))
    m = pytest.importorskip(library)
    (error, *_) = check(case, m, "float32")
    longest_path = gamma(8, "float32") / gamma(case.estimates.value.roundings, "float32")
    assert case.estimates.value.roundings == 255
    assert error > longest_path


def test_underflow_is_allowed_for_and_nothing_more():
    tiny = float(np.finfo("float32").smallest_normal)
    program = Program((Input((), (1.375 * tiny,)), Input((), (0.625,))), (("multiply", 0, 1),))
    case = Case(Problem(program, (0.625,), ((1.0,), (1.0,))))
    assert max(check(case, tg, "float32")) <= 1
    _, loss = allowed(case.estimates.value, "float32")
    assert 0 < loss < 4 * Fraction(float(np.finfo("float32").smallest_subnormal))


def test_what_may_overflow_is_not_judged():
    huge = Case(Problem(Program((Input((), (2.0**80,)),), (("multiply", 0, 0),)), (1.0,), ((1.0,),)))
    assert not huge.judged("float32")
    assert huge.judged("float64")


def test_what_does_not_fit_in_a_dtype_is_not_judged_in_it():
    third = Case(Problem(Program((Input((), (1 / 3,)),), (("negative", 0),)), (2.0,), ((1.0,),)))
    assert not third.judged("float32")
    assert third.judged("float64")


def test_gamma_is_what_roundings_can_add_up_to():
    u = Fraction(1, 2**24)
    assert (1 + u) ** 100 - 1 < gamma(100, "float32") < 100 * u * (1 + 101 * u)


def test_a_sum_counts_one_rounding_less_than_it_has_terms():
    assert Estimate(2, 1.0).total(5) == Estimate(6, 5.0)
    assert Estimate(2, 1.0).total(1) == Estimate(2, 1.0)
