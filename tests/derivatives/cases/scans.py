"""Cases of `derivatives/scans.py`: how a user reaches each row, and on which shapes."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_poly.derivatives import scans
from tinygrad_poly.engine.apply import apply_operation

from ...helpers import powers_of_two
from ..checks import Case
from .common import ONE

ALONG: list[Any] = [((4,),), ((2, 3),), ((3, 1),), ((2, 0),), ((0, 2),)]
PAIRS: list[Any] = [((4,), (4,)), ((2, 3), (2, 3)), ((3, 1), (3, 1)), ((2, 0), (2, 0)), ((0, 2), (0, 2))]


def with_zeros(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """Powers of two and zeros: no quotient of torch's is then inexact."""
    return powers_of_two(rng, shape) * rng.integers(0, 2, shape)


def steps(m: Any, b: Any, a: Any, dim: int, backwards: bool) -> Any:
    """The recurrence as torch's autograd sees it, step by step."""
    order = range(b.shape[dim])[:: -1 if backwards else 1]
    results: list[Any] = []
    for k in order:
        element = b.select(dim, k)
        results.append(element + a.select(dim, k + backwards) * results[-1] if results else element)
    # 0a, because torch wants every input used, and the first link is not
    return 0 * a + (m.stack(results[:: -1 if backwards else 1], dim) if results else b)


def moved(m: Any, x: Any, dim: int, backwards: bool, fill: float) -> Any:
    """The elements one place on, by concatenation."""
    length = x.shape[dim]
    edge = x.new_full([1 if i == dim else n for i, n in enumerate(x.shape)], fill)
    parts = [x.narrow(dim, 1, length - 1), edge] if backwards else [edge, x.narrow(dim, 0, length - 1)]
    return m.cat(parts, dim)


CASES: list[Case] = [
    *(Case(scans.cumsum, f"cumsum({dim})", lambda m, x, dim=dim: m.cumsum(x * x, dim), [*ALONG, ((2, 3, 4),)])
      for dim in (0, -1)),
    Case(scans.cumsum, "cumsum of a number", lambda m, x: m.cumsum(x * x, 0), [((),), ((1,),)]),
    *(Case(scans.shift, f"shift {'back' if back else 'on'} along {dim}",
           lambda m, x, dim=dim, back=back: apply_operation(scans.shift, x * x, dim, back, 7.0),
           [((2, 3),), ((3, 1),)],
           torch_call=lambda m, x, dim=dim, back=back: moved(m, x * x, dim, back, 7.0))
      for dim in (0, 1) for back in (False, True)),
    *(Case(scans.recurrence, f"recurrence {'back' if back else 'on'} along {dim}",
           lambda m, b, a, dim=dim, back=back: apply_operation(scans.recurrence, b, a, dim, back),
           PAIRS[dim:],
           torch_call=lambda m, b, a, dim=dim, back=back: steps(m, b, a, dim, back))
      for dim in (0, 1) for back in (False, True)),
    *(Case(scans.cumprod, f"cumprod({dim}) of {draw.__name__}", lambda m, x, dim=dim: m.cumprod(x, dim), ALONG,
           draw=(draw,))
      for dim in (0, -1) for draw in (powers_of_two, with_zeros)),
    Case(scans.cumprod, "cumprod of a number", lambda m, x: m.cumprod(x, 0), [((),), ((1,),)]),
    *(Case(scans.prod, f"prod() of {draw.__name__}", lambda m, x: m.prod(x), ONE, draw=(draw,))
      for draw in (powers_of_two, with_zeros)),
    *(Case(scans.prod, f"prod({dim}, {keep}) of {draw.__name__}",
           lambda m, x, dim=dim, keep=keep: m.prod(x, dim, keepdim=keep),
           [((3, 2, 2),)], draw=(draw,))
      for dim in (0, 1, -1) for keep in (False, True) for draw in (powers_of_two, with_zeros)),
    *(Case(scans.prod, f"prod({dim}, {keep}) of {draw.__name__}",
           lambda m, x, dim=dim, keep=keep: m.prod(x, dim, keepdim=keep),
           [((3, 2, 2),), ((2, 0, 3),)], draw=(draw,),
           torch_call=lambda m, x, dim=dim, keep=keep: x.prod(dim[0], True).prod(dim[1], True).sum(dim, keep))
      for dim in ((0, 2), (-1, 0), (1, 2)) for keep in (False, True) for draw in (powers_of_two, with_zeros)),
    Case(scans.prod, "prod(1) of none", lambda m, x: m.prod(x, 1), [((2, 0),), ((0, 3),)]),
]  # fmt: skip
