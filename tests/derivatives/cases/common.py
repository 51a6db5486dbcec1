"""Shapes and draws that the cases of several families share."""

from __future__ import annotations

from typing import Any

import torch

from ...helpers import positive_halves

ONE: list[Any] = [((),), ((1,),), ((3,),), ((2, 3),), ((0,),), ((2, 0, 3),)]
TWO: list[Any] = [
    ((), ()),
    ((3,), (3,)),
    ((3, 1), (1, 4)),
    ((2, 3, 4), (4,)),
    ((4,), (2, 3, 4)),
    ((), (2, 3)),
    ((2, 3), ()),
    ((1,), (3,)),
    ((2, 1, 4), (1, 3, 1)),
    ((0, 3), (1, 3)),
    ((1, 3), (0, 3)),
    ((0,), ()),
]
POWERS_OF_TWO_LONG: list[Any] = [((), ()), ((4,), (4,)), ((2, 4), (2, 4)), ((1,), (1,))]
positive = (positive_halves,)


def zero(*_: Any) -> float:
    return 0.0


def functional(m: Any) -> Any:
    """Where `pad` is: torch keeps it apart."""
    return torch.nn.functional if m is torch else m
