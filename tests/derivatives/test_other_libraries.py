"""The whole derivative table on arrays of other libraries: the array API's strict reference implementation, and JAX.

Values, gradients and second gradients are held to torch's, as NumPy's are: to the bit where all numbers are exact, and
elsewhere within the case's bound.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import array_api_strict as strict
import numpy as np
import pytest
import torch

import tinygrad_poly as tg
from tinygrad_poly.derivatives import indexing

from ..helpers import DTYPES, dtype_name, theirs
from .cases.table import CASES
from .checks import Case, Run, compare

ALL = [case for cases in CASES.values() for case in cases]


def largest(case: Case) -> Any:
    """Of a case's shapes the largest, or the one of the most dimensions."""
    return max(case.shapes, key=lambda shapes: (max(np.prod(s, dtype=int) for s in shapes), len(shapes[0])))


# What the array API standard has not, so that a library of it alone has not.
NOT_IN_THE_STANDARD = {
    "exp2": "no exp2",
    "cbrt": "no cbrt",
    "fmod(a, b)": "no fmod",
    "fmod(a, 1.5)": "no fmod",
    "fmax(a, b)": "no fmax",
    "fmin(a, b)": "no fmin",
    "clamp(x, a, b)": "clip leaves open what a > b gives",
    "place at 1, 0, 1": "the index is NumPy's array, and libraries other than JAX do not mix",
    "to another device": "the result is NumPy's array",
}

# What depends on numbers, which there are none of while jax.jit traces: the shape of the result, or a check.
NEEDS_NUMBERS = {
    "x[x > 0]": "as many elements as are positive",
    "x[x > 9]": "as many elements as are above 9",
    "masked_select": "as many elements as the mask chooses",
    "lstsq with more rows than unknowns": "residuals are there if all ranks are full",
    "to another device": "a move into NumPy's memory",
}


# The bounds count on one call of a library function, and JAX computes these by several: atanh x as the difference of
# log(1 + x) and log(1 − x), which have different signs.
CALLS_OF_JAX = {"atanh": 2}


class Question(Run):
    """A case on one set of numbers, and torch's answers to it."""

    def __init__(self, case: Case, dtype: str) -> None:
        super().__init__(case, largest(case), dtype)
        self.numbers = [*self.arrays, self.v, *self.w]
        self.dtypes = [dtype] * len(self.arrays) + [dtype_name(self.y)] + [dtype] * len(self.arrays)

    def given(self, xp: Any) -> list[Any]:
        """The inputs, the cotangent and the directions as arrays of the library `xp`."""
        return [xp.asarray(np.asarray(a, dtype)) for a, dtype in zip(self.numbers, self.dtypes, strict=True)]

    def ask(self, given: list[Any], order: int = 2) -> list[Any]:
        """The arrays of value, gradients and (of order 2) the gradients' gradients; None for zeros."""
        count = len(self.arrays)
        *tensors, v = (tg.tensor(a, requires_grad=True) for a in given[: count + 1])
        y = self.case.call(tg, *tensors)
        found = [y, *tg.grad(y, tensors, v, create_graph=order == 2)]
        if order == 2:
            w = [tg.tensor(a) for a in given[count + 1 :]]
            found += tg.grad(found[1:], [*tensors, v], w, allow_unused=True)
        return [None if t is None else t.array for t in found]

    def check(self, found: list[Any]) -> None:
        bound, count = self.case.bound, len(self.arrays)
        v = theirs(self.v, dtype_name(self.y_reference))
        first = torch.autograd.grad(self.y_reference, self.reference, v, create_graph=True)
        w = [theirs(w, self.reference_dtype, False) for w in self.w]
        second = torch.autograd.grad(first, [*self.reference, v], w, allow_unused=True)
        value = None if bound is None else bound.allowed(0, self.dtype, 0) * bound.value(*self.arrays)
        allowed = [value, *map(self._allowed_gradient, range(count)), *map(self._allowed_second, range(count + 1))]
        shapes = [self.y.shape, *2 * [a.shape for a in self.arrays], self.y.shape]
        dtypes = [dtype_name(self.y), *2 * [self.dtype] * count, dtype_name(self.y)]
        expected = (self.y_reference, *first, *second)
        for mine, reference, limit, shape, dtype in zip(found, expected, allowed, shapes, dtypes, strict=False):
            mine = np.zeros(shape, dtype) if mine is None else np.asarray(mine)
            assert mine.dtype == dtype
            if limit is not None:
                limit = limit * CALLS_OF_JAX.get(self.case.label, 1)
            compare(tg.tensor(mine), torch.zeros(shape) if reference is None else reference, limit)


@dataclass(frozen=True)
class Library:
    """An array library under test."""

    xp: Any
    kind: type

    def check(self, case: Case, dtype: str, order: int = 2) -> None:
        question = Question(case, dtype)
        found = question.ask(question.given(self.xp), order)
        assert all(isinstance(a, self.kind) for a in found if a is not None)
        question.check(found)


STRICT = Library(strict, type(strict.asarray(0.0)))


@pytest.fixture(scope="module")
def jax() -> Any:
    return pytest.importorskip("jax", reason="JAX is not installed (extra: jax)")


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(
    "number", [n for n, case in enumerate(ALL) if case.label not in NOT_IN_THE_STANDARD], ids=lambda n: str(ALL[n])
)
def test_every_row_runs_on_strict_arrays(number):
    STRICT.check(ALL[number], DTYPES[number % 2])


@pytest.mark.parametrize("case", [case for case in ALL if case.label in NOT_IN_THE_STANDARD], ids=str)
def test_what_the_standard_lacks_is_really_not_there(case):
    with pytest.raises((AttributeError, TypeError, ValueError, UserWarning)):
        STRICT.check(case, "float64")


# JAX compiles every operation for every shape, which takes its time: one case for each row, and all kinds of indices,
# are compiled under jit, and one for each family is run eagerly.
ONE_FOR_EACH_ROW = list({id(case.row): case for case in ALL if case.label not in NEEDS_NUMBERS}.values())
ONE_FOR_EACH_FAMILY = [next(case for case in cases if case in ONE_FOR_EACH_ROW) for cases in CASES.values()]
NEEDING = [case for case in ALL if case.label in NEEDS_NUMBERS]
UNDER_JIT = {
    family: [case for case in cases if family is indexing or case in ONE_FOR_EACH_ROW or case in NEEDING]
    for family, cases in CASES.items()
}
# The same machine code, less optimised, in two thirds of the time.
QUICKLY = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}


@pytest.mark.slow
@pytest.mark.parametrize("case", [*ONE_FOR_EACH_FAMILY, *NEEDING], ids=str)
def test_every_family_runs_on_jax_arrays(jax, case):
    if case.label == "to another device":
        pytest.skip(NEEDS_NUMBERS[case.label])
    Library(jax.numpy, jax.Array).check(case, "float32", order=1)


@functools.cache
def compiled(jax: Any, family: Any) -> dict[str, Any]:
    """What jax.jit makes of cases of a family: the arrays of each, or its error."""
    questions = {case.label: Question(case, "float64") for case in UNDER_JIT[family]}
    errors: dict[str, Exception] = {}

    def everything(given: dict[str, list[Any]]) -> dict[str, list[Any]]:
        found = {}
        for label, arrays in given.items():
            try:
                found[label] = questions[label].ask(arrays)
            except Exception as error:
                errors[label] = error
        return found

    with jax.enable_x64(True):
        given = {label: question.given(jax.numpy) for label, question in questions.items()}
        return {**jax.jit(everything, compiler_options=QUICKLY)(given), **errors}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "case"),
    [pytest.param(family, case, id=case.label) for family, cases in UNDER_JIT.items() for case in cases],
)
def test_every_row_runs_under_jit(jax, family, case):
    found = compiled(jax, family)[case.label]
    if case.label in NEEDS_NUMBERS:
        with pytest.raises((TypeError, IndexError), match=r"traced|must be concrete"):
            raise found
    elif isinstance(found, Exception):
        raise found
    else:
        Question(case, "float64").check(found)
