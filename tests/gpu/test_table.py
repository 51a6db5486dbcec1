"""The whole derivative table on a GPU, against torch on the CPU.

The questions and bounds are those of `tests/derivatives`: a `Bound` allows 4 units in the last place for a library's
function, and CUDA's mathematical functions promise no less for float32, and for float64 but for erfc (5).
"""

import numpy as np
import pytest

import tinygrad_poly as tg
from tinygrad_poly.derivatives import ordering, shapes

from ..derivatives import checks
from ..derivatives.cases.table import name, runs
from ..helpers import ours

if not tg.cuda.is_available():
    pytest.skip("needs CuPy and a GPU", allow_module_level=True)

# One case moves to the CPU, and one has its index in NumPy's memory, where users cannot put it.
LEFT_OUT = (shapes.to_device, ordering.place)
RUNS = [(case, given) for case, given in runs() if case.row not in LEFT_OUT]


@pytest.fixture(autouse=True)
def tensors_on_the_gpu(monkeypatch):
    def on_gpu(array, dtype, requires_grad=True):
        return ours(array, dtype, False).cuda().requires_grad_(requires_grad)

    def numbers(tensor):
        if isinstance(tensor, tg.Tensor):
            # Zeros that stand for a gradient that is None are made on the CPU.
            assert tensor.is_cuda or not tensor.any()
            return tensor.detach().cpu().numpy()
        return np.asarray(tensor.detach())

    monkeypatch.setattr(checks, "ours", on_gpu)
    monkeypatch.setattr(checks, "numbers", numbers)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("case", "given"), RUNS, ids=name)
def test_value_gradient_and_second_gradient_are_torchs(case, given, dtype):
    with np.errstate(all="ignore"):
        run = checks.Run(case, given, dtype)
        run.check_value()
        run.check_gradient()
        checks.Run(case, given, dtype).check_second_gradient()
