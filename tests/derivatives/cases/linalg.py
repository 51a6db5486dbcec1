"""Cases of `derivatives/linalg.py`: how a user reaches each row, and on which shapes."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_poly.derivatives import linalg
from tinygrad_poly.operators import apply_operation

from ..checks import Case

log, sqrt = np.log, np.sqrt

MATRICES: list[Any] = [
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((3,), (3, 4)),
    ((2, 3), (3, 4)),
    ((5, 2, 3), (3,)),
    ((3,), (5, 3, 4)),
    ((5, 2, 3), (5, 3, 4)),
    ((5, 2, 3), (3, 4)),
    ((2, 3), (5, 3, 4)),
    ((5, 1, 2, 3), (2, 3, 4)),
    ((2, 0), (0, 3)),
    ((0, 3), (3, 2)),
]
CASES: list[Case] = [
    Case(linalg.matmul, "a @ b", lambda m, a, b: a @ b, MATRICES),
    Case(linalg.matmul, "matmul(a, b).sum()", lambda m, a, b: m.matmul(a, b).sum(), MATRICES),
    Case(
        linalg.linear,
        "linear(x, W, b)",
        lambda m, x, w, b: apply_operation(linalg.linear, x, w, b),
        [((5, 3), (2, 3), (2,)), ((1, 1), (1, 1), (1,)), ((0, 3), (2, 3), (2,))],
        torch_call=lambda m, x, w, b: m.nn.functional.linear(x, w, b),
    ),
]
