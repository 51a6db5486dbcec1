"""Every case of the table against torch."""

import pytest

from ..helpers import DTYPES
from .cases.table import name, runs
from .checks import Run

each_case = pytest.mark.parametrize(("case", "shapes"), runs(), ids=name)
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
