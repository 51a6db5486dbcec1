"""Every case of the table against torch."""

import pytest

from ..helpers import DTYPES
from .cases.table import name, runs
from .checks import Run


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("case", "shapes"), runs(), ids=name)
def test_value_gradient_and_gradient_of_the_gradient_are_torchs(case, shapes, dtype):
    run = Run(case, shapes, dtype)
    run.check_value()
    run.check_gradient()
    run.check_second_gradient()
