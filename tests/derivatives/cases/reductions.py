"""Cases of `derivatives/reductions.py`: how a user reaches each row, and on which shapes."""

from __future__ import annotations

import numpy as np

from tinygrad_poly.derivatives import reductions

from ..checks import Case
from .common import ONE, POWERS_OF_TWO_LONG

log, sqrt = np.log, np.sqrt

CASES: list[Case] = [
    Case(reductions.sum, "sum()", lambda m, x: (x * x).sum(), ONE),
    *(
        Case(row, f"{row.name}({dim}, {keep})", lambda m, x, row=row, dim=dim, keep=keep:
             getattr(m, row.name.lower())(x * x, dim, keepdim=keep), [((2, 8, 4),)])
        for row in (reductions.sum, reductions.mean)
        for dim in (0, 1, -1, (0, 2), (-1, 0), (0, 1, 2))
        for keep in (False, True)
    ),
    Case(reductions.sum, "sum(1) of none", lambda m, x: x.sum(1), [((2, 0),), ((0, 3),)]),
    Case(reductions.mean, "mean()", lambda m, x: (x * x).mean(), [((),), ((1,),), ((4,),), ((2, 4),)]),
    Case(reductions.mean, "mean(0) of rows", lambda m, x: x.mean(0), [((2, 0),), ((4, 3),)]),
    Case(reductions.mse_loss, "MSELoss", lambda m, a, b: m.nn.MSELoss()(a, b), POWERS_OF_TWO_LONG),
]  # fmt: skip
