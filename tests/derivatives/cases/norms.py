"""Cases of `derivatives/norms.py`: how a user reaches the row, and on which shapes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_poly.derivatives import norms

from ...helpers import powers_of_two
from ..checks import Case
from .common import ONE
from .reductions import mixed_bound, repeated

# At most 4 powers of two from ¼ to 4: r = |x|/y is at least ¼/(4² · 4) (for p = ½), and y at least ¹⁄₁₆ (for p = −1).
# The slope is r^(p−1), and second derivatives are at most 2 |p−1| max(1, r^(p−2))/y. y takes two powers, the
# second of an inexact sum, and its error enters the slope |p−1| times.
GROUPS: list[Any] = [((),), ((4,),), ((2, 2),)]


def _steepest(p: float) -> tuple[float, float]:
    ratios = (1.0, 1 / 256)
    return max(r ** (p - 1) for r in ratios), max(2 * abs(p - 1) * 16 * r ** (p - 2) for r in ratios) + 4


CASES: list[Case] = [
    *(Case(norms.norm, f"norm({p}, {dim})", lambda m, x, p=p, dim=dim: m.norm(x * x, p, dim), [((2, 3),)])
      for p in (1, math.inf, -math.inf) for dim in (None, 0, (0, 1))),
    Case(norms.norm, "norm(1)", lambda m, x: m.norm(x * x * x, 1), ONE),
    Case(norms.norm, "norm(1, 0, keepdim)", lambda m, x: m.norm(x * x, 1, 0, True), [((2, 3),), ((0, 3),)]),
    *(Case(norms.norm, f"norm({p}), repeated", repeated(lambda m, x, p=p: m.norm(x, p, list(range(x.ndim)) or 0, True)),
           GROUPS, draw=(powers_of_two,),
           bound=mixed_bound(4, (3, 8, 18), (8, 24, 80), 64 * 16, *_steepest(p if p != "fro" else 2)))
      for p in ("fro", 0.5, 1.5, 2, 2.5, 3, -1)),
    Case(norms.norm, "norm() along rows", repeated(lambda m, x: m.norm(x, dim=1, keepdim=True)), [((2, 3),), ((0, 3),)],
         draw=(powers_of_two,), bound=mixed_bound(4, (0, 0, 0), (8, 12, 24), np.abs, 1, 16)),
]  # fmt: skip
