"""What is no kernel is called on CuPy: the derivative table, with names and parameters as CuPy has them."""

import numpy as np
import pytest

from tinygrad_poly.compiler.cuda.runner import evaluated_on_gpu
from tinygrad_poly.compiler.trace.simplify import simplify

from ...derivatives.cases.table import CASES
from ..routes import traced
from ..test_table import DEPEND_ON_NUMBERS, arguments, value_and_gradients


@pytest.mark.parametrize("family", CASES, ids=lambda family: family.__name__.rpartition(".")[2])
def test_the_derivative_table_is_called_as_cupy_is_called(family, cupy):
    for case in CASES[family]:
        if case.label in DEPEND_ON_NUMBERS:
            continue
        tensors = arguments(case, case.shapes[0], "float64")
        with np.errstate(all="ignore"):
            program = simplify(traced(value_and_gradients(case), tensors))
            expected = program.run(dict(zip(program.inputs, (t.array for t in tensors), strict=True)))
            there = [cupy.asarray(t.array) for t in tensors]
            found = evaluated_on_gpu(dict(zip(program.inputs, there, strict=True)), program.outputs)
        for y, reference in zip(found, expected, strict=True):
            np.testing.assert_array_equal(cupy.asnumpy(y), reference, err_msg=case.label)
