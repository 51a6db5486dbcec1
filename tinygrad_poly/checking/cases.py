"""Cases: problems with their exact answers, and the error that rounding allows for each answer."""

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np

from tinygrad_poly.checking.bounds import Estimate, Estimates, allowed, estimate
from tinygrad_poly.checking.exact import Answers, answers
from tinygrad_poly.checking.programs import Problem
from tinygrad_poly.checking.rationals import Exact

DTYPES = ("float32", "float64")


@dataclass(frozen=True)
class Case:
    """A problem with its exact answers and the error that is allowed for each of them.

    Attributes:
        problem: a program, a cotangent v and directions w.
    """

    problem: Problem

    @cached_property
    def exact(self) -> Answers:
        """The exact answers G: the output, the gradients vᵀJ and the second derivatives H w."""
        return answers(self.problem)

    @cached_property
    def majorants(self) -> Answers:
        """The answers Ĝ to the same problem on absolute values, where nothing cancels."""
        return answers(self.problem, positive=True)

    @cached_property
    def estimates(self) -> Estimates:
        """For each answer, its number of roundings K, and what underflow may lose."""
        return estimate(self.problem)

    def judged(self, dtype: str) -> bool:
        """Whether the bound holds in this dtype: the numbers are exact in it, and nothing can overflow."""
        program = self.problem.program
        given = [*(i.numbers for i in program.inputs), self.problem.cotangent, *self.problem.directions]
        numbers = np.array([x for each in given for x in each])
        with np.errstate(over="ignore"):
            return bool(np.array_equal(numbers.astype(dtype), numbers)) and self.estimates.fits(dtype)

    @cached_property
    def parts(self) -> list[tuple[str, Exact, Exact, Estimate | None]]:
        """The answers to compare: for each its name, G, Ĝ and its estimate (None where it is 0)."""
        found: Any = self.exact, self.majorants, self.estimates
        inputs = self.problem.program.inputs
        parts = [("value", *(answers.value for answers in found))]
        for what, name in (("gradient", "gradients"), ("second gradient", "seconds")):
            columns = zip(inputs, *(getattr(answers, name) for answers in found), strict=True)
            parts += [(f"{what} of input {i}", *of) for i, (given, *of) in enumerate(columns) if given.requires_grad]
        return parts


def largest_ratio(found: Any, exact: Exact, majorant: Exact, count: Estimate | None, dtype: str) -> tuple[float, int]:
    """The largest |g − G| / (γ Ĝ + loss), and the index of its element. Rounding does not explain more than 1.

    Args:
        found: the array g of an engine's answer, of the shape of `exact`.
        exact: G.
        majorant: Ĝ.
        count: the estimate; None where the answer is exactly 0.
        dtype: "float32" or "float64", which g was computed in.
    """
    slope, loss = allowed(count, dtype)
    g, rest = float(slope), float(loss)
    worst, at = 0.0, 0
    numbers = zip(found.ravel().tolist(), exact.numerators.ravel(), majorant.numerators.ravel(), strict=True)
    for k, (number, G, size) in enumerate(numbers):
        if not math.isfinite(number):
            return math.inf, k
        n, d = number.as_integer_ratio()
        difference = abs(n * exact.denominator - G * d)
        if not difference:
            continue
        bound = g * (size / majorant.denominator) + rest
        ratio = (difference / (d * exact.denominator)) / bound if bound > 1e-300 else math.inf
        if ratio > 0.999:
            # Too close for floating point to decide.
            limit = slope * Fraction(size, majorant.denominator) + loss
            error = Fraction(difference, d * exact.denominator)
            ratio = float(min(error / limit, Fraction(10**300))) if limit else math.inf
            ratio = max(ratio, math.nextafter(1, 2)) if error > limit else ratio
        if ratio > worst:
            worst, at = ratio, k
    return worst, at
