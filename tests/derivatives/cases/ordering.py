"""Cases of `derivatives/ordering.py`: how a user reaches each row, and on which shapes."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_poly.derivatives import ordering
from tinygrad_poly.engine.apply import apply_operation

from ..checks import Case
from .reductions import distinct

ALONG: list[Any] = [((3,),), ((2, 3),), ((3, 1),), ((2, 3, 4),), ((0, 2),), ((2, 0),)]
FULL: list[Any] = [((3,),), ((2, 3),), ((3, 1),), ((2, 3, 4),)]
WHERE = np.array([[1], [0], [1]])

CASES: list[Case] = [
    *(Case(ordering.rearrange, f"sort({dim}, {descending})", lambda m, x, dim=dim, descending=descending:
           m.sort(x * x * x, dim, descending=descending)[0], ALONG, draw=(distinct,))
      for dim in (0, -1) for descending in (False, True)),
    *(Case(ordering.rearrange, f"topk({k}, {dim}, {largest})", lambda m, x, k=k, dim=dim, largest=largest:
           m.topk(x * x * x, k, dim, largest)[0], [((3,),), ((2, 3),)], draw=(distinct,))
      for k in (0, 1, 2) for dim in (0, -1) for largest in (False, True)),
    Case(ordering.rearrange, "sort of a number", lambda m, x: m.sort(x * x)[0], [((),)]),
    *(Case(ordering.pick, f"{name}({dim}, {keep})", lambda m, x, name=name, dim=dim, keep=keep:
           getattr(m, name)(x * x * x, dim, keep)[0], FULL, draw=(distinct,))
      for name in ("max", "min", "median") for dim in (0, -1) for keep in (False, True)),
    *(Case(ordering.pick, f"{name} of a number", lambda m, x, name=name: getattr(m, name)(x * x, 0)[0], [((),)])
      for name in ("max", "min", "median")),
    Case(ordering.place, "place at 1, 0, 1", lambda m, g: apply_operation(ordering.place, g * g, WHERE, 2, 1),
         [((3, 1),)], torch_call=lambda m, g: g.new_zeros(3, 2).scatter(1, m.tensor(WHERE), g * g)),
]  # fmt: skip
