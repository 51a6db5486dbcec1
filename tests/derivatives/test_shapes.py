import itertools

import pytest

import tinygrad_poly as tg
from tinygrad_poly.derivatives import shapes

from ..helpers import DTYPES
from .cases.table import name, runs
from .checks import Run

each_case = pytest.mark.parametrize(("case", "shapes"), runs(shapes), ids=name)
each_dtype = pytest.mark.parametrize("dtype", DTYPES)


@each_dtype
@each_case
def test_value_is_torchs(case, shapes, dtype):
    Run(case, shapes, dtype).check_value()


@each_dtype
@each_case
def test_gradient_is_torchs(case, shapes, dtype):
    Run(case, shapes, dtype).check_gradient()


@each_dtype
@each_case
def test_gradient_of_the_gradient_is_torchs(case, shapes, dtype):
    Run(case, shapes, dtype).check_second_gradient()


def test_a_slice_with_a_negative_step_carries_its_gradient_back():
    x = tg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    x[::-1].backward(tg.tensor([10.0, 20.0, 30.0]))
    assert x.grad.tolist() == [30.0, 20.0, 10.0]


@pytest.mark.parametrize("length", [1, 2, 5])
def test_the_inverse_undoes_a_permutation(length):
    for axes in itertools.permutations(range(length)):
        there = tuple(axes[i] for i in shapes.inverse(axes))
        assert there == tuple(range(length))
