from math import inf, nan

import pytest
from hypothesis import given, settings

from tinygrad_poly.checking import strategies
from tinygrad_poly.checking.programs import Input, Problem, Program, result_shape

from ..helpers import examples


@settings(max_examples=examples(20))
@given(strategies.problems())
def test_the_repr_of_a_problem_can_be_pasted_into_a_test(problem):
    assert eval(repr(problem), {"Problem": Problem, "Program": Program, "Input": Input}) == problem


def test_the_repr_of_infinities_and_nans_is_python_too():
    given_ = Input((2,), (inf, nan))
    assert repr(eval(repr(given_), {"Input": Input, "inf": inf, "nan": nan})) == repr(given_)


@settings(max_examples=examples(20))
@given(strategies.straight_line_programs())
def test_shapes_are_those_of_the_arrays(program):
    assert program.run([Named(given_.array()) for given_ in program.inputs]).array.shape == program.shapes[-1]


class Named:
    """An array with the names of a tensor's methods."""

    def __init__(self, array):
        self.array = array

    def __add__(self, other):
        return Named(self.array + other.array)

    def __sub__(self, other):
        return Named(self.array - other.array)

    def __mul__(self, other):
        return Named(self.array * other.array)

    def __matmul__(self, other):
        return Named(self.array @ other.array)

    def __neg__(self):
        return Named(-self.array)

    def __pow__(self, n):
        return Named(self.array**n)

    def __getitem__(self, rows):
        return Named(self.array[rows])

    def sum(self, axes=None, keep=False):
        return Named(self.array.sum(axis=axes, keepdims=keep))

    def mean(self, axes=None, keep=False):
        return Named(self.array.mean(axis=axes, keepdims=keep))

    def reshape(self, shape):
        return Named(self.array.reshape(shape))

    def permute(self, axes):
        return Named(self.array.transpose(axes))


def test_matrices_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="fit"):
        result_shape(("matmul", 0, 0), [(2, 3)])
