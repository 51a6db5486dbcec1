"""Cases of `derivatives/joining.py`: how a user reaches each row, and on which shapes."""

from __future__ import annotations

from tinygrad_poly.derivatives import joining

from ..checks import Case
from .common import functional

CASES: list[Case] = [
    Case(joining.pad, "pad", lambda m, x: functional(m).pad(x * x, (1, 2)), [((3,),), ((2, 3),), ((0,),)]),
    Case(
        joining.pad,
        "pad two, value",
        lambda m, x: functional(m).pad(x, (1, 0, 0, 3), value=7.0),
        [((2, 3),), ((2, 2, 2),)],
    ),
    Case(
        joining.pad, "pad, negative", lambda m, x: functional(m).pad(x * x, (-1, 2, 1, -1)), [((2, 3),), ((4, 2, 2),)]
    ),
    Case(joining.cat.of(2), "cat", lambda m, a, b: m.cat([a * b[0], b]), [((2, 3), (4, 3)), ((0,), (2,))]),
    Case(joining.cat.of(2), "cat of one and itself", lambda m, a: m.cat((a * a, a), dim=-1), [((3,),), ((2, 3, 2),)]),
    Case(
        joining.cat.of(3),
        "cat of three",
        lambda m, a, b, c: m.cat([a, b * b, c], 1),
        [((2, 1), (2, 3), (2, 2)), ((2, 1, 3), (2, 0, 3), (2, 1, 3))],
    ),
    Case(joining.cat.of(2), "hstack", lambda m, a, b: m.hstack([a, b * 2]), [((2, 1), (2, 3)), ((3,), (2,)), ((), ())]),
    Case(joining.cat.of(2), "vstack", lambda m, a, b: m.vstack([a, b * 2]), [((1, 2), (3, 2)), ((3,), (3,)), ((), ())]),
    Case(joining.stack.of(2), "stack", lambda m, a, b: m.stack([a * b, b]), [((2, 3), (2, 3)), ((), ()), ((0,), (0,))]),
    Case(
        joining.stack.of(3),
        "stack of three",
        lambda m, a, b, c: m.stack([a, b * c, c], dim=-1),
        [((2,), (2,), (2,)), ((2, 3), (2, 3), (2, 3))],
    ),
]
