"""Checks of gradients: programs whose gradients are known exactly, and the errors that rounding allows.

For the tests of any engine: write a program of +, −, × and what moves numbers around, run it, and compare.

>>> problem = Problem(
...     Program((Input((3,), (1.0, 2.0, 3.0)),), (("multiply", 0, 0), ("sum", 1, None, False))),
...     cotangent=(2.0,),
...     directions=((1.0, -3.0, 0.5),),
... )
>>> case = Case(problem)
>>> case.exact.gradients[0].fractions()             # of 2 Σ x²: exactly 4 x
[Fraction(4, 1), Fraction(8, 1), Fraction(12, 1)]
>>> import numpy as np
>>> _, (what, exact, majorant, count), _ = case.parts
>>> right, wrong = np.array([4.0, 8.0, 12.0], "float32"), np.array([4.0, 8.0, 12.00001], "float32")
>>> largest_ratio(right, exact, majorant, count, "float32")     # the error as a part of its bound, and where it is
(0.0, 0)
>>> largest_ratio(wrong, exact, majorant, count, "float32")[0] > 1
True

`tinygrad_poly.checking.strategies` draws such programs, and needs Hypothesis. The derivation of the bound, and what
this engine was held to, are in docs/proof.md.
"""

from tinygrad_poly.checking.bounds import Estimate, Estimates, allowed, estimate, gamma
from tinygrad_poly.checking.cases import DTYPES, Case, largest_ratio
from tinygrad_poly.checking.compare import Comparison, compare
from tinygrad_poly.checking.diagnosis import Diagnosis
from tinygrad_poly.checking.doctor import GradientMismatchError, assert_gradients_close, check_gradients
from tinygrad_poly.checking.exact import Answers, answers
from tinygrad_poly.checking.polynomial_programs import Polynomial
from tinygrad_poly.checking.programs import Input, Problem, Program
from tinygrad_poly.checking.rationals import Exact
from tinygrad_poly.checking.report import GradientReport
from tinygrad_poly.checking.training_loop import TrainingReport, check_training_loop

__all__ = [
    "DTYPES", "Answers", "Case", "Comparison", "Diagnosis", "Estimate", "Estimates", "Exact", "GradientMismatchError",
    "GradientReport", "Input", "Polynomial", "Problem", "Program", "TrainingReport", "allowed", "answers",
    "assert_gradients_close", "check_gradients", "check_training_loop", "compare", "estimate", "gamma", "largest_ratio",
]  # fmt: skip
