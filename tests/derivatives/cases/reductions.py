"""Cases of `derivatives/reductions.py`: how a user reaches each row, and on which shapes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_poly.derivatives import reductions

from ..checks import Bound, Case
from .common import ONE, POWERS_OF_TWO_LONG

NONEMPTY: list[Any] = [((),), ((1,),), ((3,),), ((2, 3),)]
DIMS = (0, 1, -1, (0, 2), (-1, 0), (0, 1, 2))


def distinct(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """Different multiples of ½ around 0, in any order."""
    size = int(np.prod(shape))
    return np.asarray((rng.permutation(size) - size // 2).reshape(shape) / 2)


def mixed_bound(
    terms: int,
    calls: tuple[int, int, int],
    roundings: tuple[int, int, int],
    value: float | Callable[..., Any],
    slope: float,
    curvature: float,
) -> Bound:
    """The bound of a function whose results have its input's shape, but depend on `terms` elements each.

    The cotangents v and w lie in ±1 … ±5, so that a sum of n products v ∂y/∂x is at most 5n times
    any one |v| times the largest |∂y/∂x| (`slope`), and a sum of n² products of both with second derivatives
    at most 25n² times any |v w| times the largest (`curvature`).
    """
    return Bound(
        calls,
        roundings,
        value if callable(value) else lambda *_: value,
        (lambda *_: 5 * terms * slope,),
        ((lambda *_: 25 * terms**2 * curvature,),),
    )


def repeated(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """A reduction that keeps its dimensions, repeated to the shape of its input: see `mixed_bound`."""
    return lambda m, x: function(m, x).expand(x.shape)


CASES: list[Case] = [
    Case(reductions.sum, "sum()", lambda m, x: (x * x).sum(), ONE),
    *(
        Case(row, f"{row.name}({dim}, {keep})", lambda m, x, row=row, dim=dim, keep=keep:
             getattr(m, row.name.lower())(x * x, dim, keepdim=keep), [((2, 8, 4),)])
        for row in (reductions.sum, reductions.mean)
        for dim in DIMS
        for keep in (False, True)
    ),
    Case(reductions.sum, "sum(1) of none", lambda m, x: x.sum(1), [((2, 0),), ((0, 3),)]),
    Case(reductions.mean, "mean()", lambda m, x: (x * x).mean(), [((),), ((1,),), ((4,),), ((2, 4),)]),
    Case(reductions.mean, "mean(0) of rows", lambda m, x: x.mean(0), [((2, 0),), ((4, 3),)]),
    Case(reductions.mse_loss, "MSELoss", lambda m, a, b: m.nn.MSELoss()(a, b), POWERS_OF_TWO_LONG),
    *(
        Case(reductions.var, f"var({dim}, {keep}, {correction})",
             lambda m, x, dim=dim, keep=keep, correction=correction:
             m.var(x, dim, keepdim=keep, correction=correction), [((2, 4),)],
             # in two passes, because torch's running mean divides by 3 on the way
             torch_call=lambda m, x, dim=dim, keep=keep, divisor=divisor:
             ((x - x.mean(dim, True)) ** 2).sum(dim, keep) / divisor)
        for dim, correction, divisor in ((0, 0, 2), (0, 1, 1), (-1, 0, 4), (1, 2, 2), ((0, 1), 0, 8), ((1, 0), 4, 4))
        for keep in (False, True)
    ),
    *(
        # Of four numbers between −2 and 2: ∂y/∂xᵢ = ⅔dᵢ, |dᵢ| < 3 and ∂²y < 1. A deviation and its square are
        # 9 roundings, their sum 4 more.
        Case(reductions.var, f"var({dim}), rounded", repeated(lambda m, x, dim=dim: m.var(x, dim, keepdim=True)),
             [((4, 4),)], bound=mixed_bound(4, (0, 0, 0), (13, 24, 40), 8, 2, 1))
        for dim in (0, -1)
    ),
    # Of four numbers a multiple of ½ apart: |dᵢ| ≤ √3 y and y > ½, so |∂y/∂xᵢ| < 1 and |∂²y| ≤ 2/(3y) < 2. The root's
    # argument takes 3 roundings an element.
    *(
        Case(reductions.std, f"std({dim})", repeated(lambda m, x, dim=dim: m.std(x, dim, keepdim=True)),
             [((4,),), ((4, 4),)], draw=(distinct,), bound=mixed_bound(4, (0, 0, 0), (16, 36, 90), 8, 1, 2))
        for dim in (0, -1)
    ),
    Case(reductions.std, "std(correction=0)", repeated(lambda m, x: m.std(x, correction=0, keepdim=True)),
         [((2, 2),), ((4,),)], draw=(distinct,), bound=mixed_bound(4, (0, 0, 0), (16, 36, 90), 8, 1, 2)),
    *(
        Case(row, f"{row.name}({dim}, {keep})", lambda m, x, row=row, dim=dim, keep=keep:
             getattr(m, row.name.lower())(x * x, dim, keepdim=keep), [((2, 4, 4),)])
        for row in (reductions.amax, reductions.amin)
        for dim in DIMS
        for keep in (False, True)
    ),
    *(
        Case(row, f"{row.name}()", lambda m, x, row=row: getattr(m, row.name.lower())(x * x), NONEMPTY)
        for row in (reductions.amax, reductions.amin, reductions.max_of_all, reductions.min_of_all,
                    reductions.median_of_all)
    ),
    Case(reductions.amax, "amax(1) of no rows", lambda m, x: m.amax(x, 1), [((0, 3),)]),
    Case(reductions.median_of_all, "median() of an even number", lambda m, x: m.median(x), [((4,),), ((2, 5),)],
         draw=(distinct,)),
]  # fmt: skip
