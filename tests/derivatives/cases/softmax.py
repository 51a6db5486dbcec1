"""Cases of `derivatives/softmax.py`: how a user reaches each row, and on which shapes."""

from __future__ import annotations

from typing import Any

from tinygrad_poly.derivatives import softmax

from ..checks import Case
from .reductions import mixed_bound, repeated

# Along at most 6 halves in [−2, 2]: all derivatives are at most 1, and |log Σ exp x| < 4. A share takes one
# exponential, 6 additions and a division; its derivatives are products of up to three shares, with 6 terms a sum.
SHARES = mixed_bound(6, (1, 3, 6), (7, 30, 90), 1, 1, 1)
# The error of y, at most that of one exponential, one logarithm and 8 roundings of numbers below 8, is the relative
# error of exp y: all that times 8.
LOGARITHMS = mixed_bound(6, (2, 17, 40), (8, 80, 200), 8, 1, 1)
ALONG: list[Any] = [((3,),), ((2, 3),), ((3, 1),), ((0, 2),), ((2, 0),)]

CASES: list[Case] = [
    *(Case(softmax.softmax, f"softmax({dim})", lambda m, x, dim=dim: m.softmax(x, dim), ALONG, bound=SHARES)
      for dim in (0, -1)),
    *(Case(softmax.log_softmax, f"log_softmax({dim})", lambda m, x, dim=dim: m.log_softmax(x, dim), ALONG,
           bound=LOGARITHMS)
      for dim in (0, -1)),
    *(Case(row, f"{row.name} of a number", lambda m, x, row=row, name=name: getattr(m, name)(x, 0), [((),)],
           bound=LOGARITHMS)
      for row, name in ((softmax.softmax, "softmax"), (softmax.log_softmax, "log_softmax"))),
    *(Case(softmax.logsumexp, f"logsumexp({dim}), repeated", repeated(lambda m, x, dim=dim: m.logsumexp(x, dim, True)),
           [((2, 3),), ((3, 2),)], bound=LOGARITHMS)
      for dim in (0, -1, (0, 1))),
    Case(softmax.logsumexp, "logsumexp of a number, repeated", repeated(lambda m, x: m.logsumexp(x, 0, True)),
         [((),), ((1,),)], bound=LOGARITHMS),
    Case(softmax.logsumexp, "logsumexp of no rows, repeated", repeated(lambda m, x: m.logsumexp(x, -1, True)),
         [((0, 2),)], bound=LOGARITHMS),
]  # fmt: skip
