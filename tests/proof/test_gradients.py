"""Both libraries on generated programs: exact on fractions, and within the bound in floating point."""

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings

import tinygrad_poly as tg
from tinygrad_poly.checking import strategies
from tinygrad_poly.checking.cases import DTYPES, Case
from tinygrad_poly.checking.programs import Input, Problem, Program

from ..helpers import examples
from .judge import ViolationError, check, check_exactly, check_kinds
from .prove import Tally, judge

LIBRARIES = [tg, torch]


@settings(max_examples=examples(60))
@given(case=strategies.gradient_problems())
def test_programs_have_the_right_gradients_in_both_libraries(case):
    judge(case, LIBRARIES, Tally())


@settings(max_examples=examples(30))
@given(case=strategies.gradient_problems(strategies.straight_line_programs(strategies.dyadic_coefficients(53)), 53))
def test_float64_is_held_to_its_last_bits(case):
    judge(case, LIBRARIES, Tally())


@settings(max_examples=examples(20))
@given(case=strategies.polynomial_problems(strategies.univariate_polynomials() | strategies.multivariate_polynomials()))
def test_polynomials_in_all_forms_have_the_right_gradients(case):
    judge(case, LIBRARIES, Tally())


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_edges_of_a_dtype_are_no_exception(dtype):
    @settings(max_examples=examples(20))
    @given(strategies.edge_problems(dtype))
    def hold(problem):
        judge(Case(problem), LIBRARIES, Tally())

    hold()


@pytest.mark.parametrize("dtype", DTYPES)
def test_infinities_and_nans_are_where_torch_has_them(dtype):
    @settings(max_examples=examples(30))
    @given(strategies.infinite_problems())
    def hold(problem):
        check_kinds(problem, torch, dtype)

    hold()


def check_chain(chain):
    case = Case(Problem(chain.program, (3.0,), ((2.0,),) * len(chain.program.inputs)))
    check_exactly(case)
    for dtype in DTYPES:
        if case.judged(dtype):
            check(case, tg, dtype)


@pytest.mark.slow
@settings(max_examples=examples(5))
@given(chain=strategies.deep_chains(300))
@example(chain=strategies.Chain((("x+x-x", 1.0), ("add", 1.0)), 10_000, 0.5))
def test_deep_chains_have_the_right_gradients(chain):
    check_chain(chain)


def test_a_violation_says_whose_it_is_and_how_to_repeat_it(monkeypatch):
    case = Case(Problem(Program((Input((), (3.0,)),), (("multiply", 0, 0),)), (2.0,), ((1.0,),)))
    row = (tg.tensor(1.0, requires_grad=True) * 1.0).node.operation
    monkeypatch.setattr(row, "rules", (row.rules[0], lambda g, a, b: g * a * 1.001))
    with pytest.raises(
        ViolationError, match=r"tinygrad_poly in float32: gradient of input 0: .* times what"
    ) as failure:
        check(case, tg, "float32")
    problem = str(failure.value).partition("problem = ")[2]
    assert eval(problem, {"Problem": Problem, "Program": Program, "Input": Input}) == case.problem
    with pytest.raises(ViolationError, match="on fractions"):
        check_exactly(case)
    check(case, torch, "float32")


def test_a_wrong_dtype_is_a_violation(monkeypatch):
    case = Case(Problem(Program((Input((2,), (3.0, 1.0)),), (("negative", 0),)), (2.0, 3.0), ((1.0, 2.0),)))
    row = (-tg.tensor(1.0, requires_grad=True)).node.operation
    monkeypatch.setattr(row, "forward", lambda x: -x.astype(np.float64))
    with pytest.raises(ViolationError, match="float64 of shape"):
        check(case, tg, "float32")


def test_an_infinity_that_torch_does_not_have_is_a_violation(monkeypatch):
    problem = Problem(Program((Input((), (3.0,)),), (("multiply", 0, 0),)), (2.0,), ((1.0,),))
    check_kinds(problem, torch, "float32")
    row = (tg.tensor(1.0, requires_grad=True) * 1.0).node.operation
    monkeypatch.setattr(row, "rules", (lambda g, a, b: g * np.inf, row.rules[1]))
    with pytest.raises(ViolationError, match=r"answer 1: inf is 12\.0 in torch"):
        check_kinds(problem, torch, "float32")
