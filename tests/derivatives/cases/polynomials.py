"""Cases of `derivatives/polynomials.py`: how a user reaches each row, and on which shapes."""

from __future__ import annotations

from typing import Any

import torch

from tinygrad_poly.derivatives import polynomials
from tinygrad_poly.engine.apply import apply_operation

from ..checks import Case


def _powers(x: Any, count: int, increasing: bool) -> Any:
    """torch.vander has no gradient: it changes in place what it would need."""
    columns = [0 * x + 1]
    for _ in range(count - 1):
        columns.append(columns[-1] * x)
    columns = columns[:count]
    return torch.stack(columns if increasing else columns[::-1], -1) if columns else 0 * x[:, None].expand(-1, 0)


def _horner(c: Any, x: Any) -> Any:
    y = c[-1] + 0 * x
    for k in range(len(c) - 2, -1, -1):
        y = y * x + c[k]
    return y


def _derivative(c: Any, order: int) -> Any:
    for _ in range(order):
        c = c[1:] * torch.arange(1, len(c))
    return c


CASES: list[Case] = [
    *(
        Case(
            polynomials.vander,
            f"vander(x, {count}, {increasing})",
            lambda m, x, count=count, increasing=increasing: m.vander(x, count, increasing=increasing),
            [((3,),), ((1,),), ((0,),)],
            torch_call=lambda m, x, count=count, increasing=increasing: _powers(x, count, increasing),
        )
        for count in (0, 1, 2, 4)
        for increasing in (False, True)
    ),
    Case(
        polynomials.vander,
        "vander(x)",
        lambda m, x: m.vander(x),
        [((3,),), ((1,),)],
        torch_call=lambda m, x: _powers(x, len(x), False),
    ),
    Case(
        polynomials.vander,
        "vander of a stack of points",
        lambda m, x: m.vander(x, 4, increasing=True),
        [((2, 3),)],
        torch_call=lambda m, x: _powers(x, 4, True),
    ),
    Case(
        polynomials.polyval,
        "polyval(c, x)",
        lambda m, c, x: m.polyval(c, x),
        [((4,), (3,)), ((4,), ()), ((1,), (3,)), ((2,), (2, 3)), ((3,), (0,))],
        torch_call=lambda m, c, x: _horner(c, x),
    ),
    Case(
        polynomials.polyval,
        "polyval(c, x, descending)",
        lambda m, c, x: m.polyval(c, x, descending=True),
        [((4,), (3,))],
        torch_call=lambda m, c, x: _horner(c.flip(0), x),
    ),
    Case(
        polynomials.polyval,
        "polyval(c, 0.5)",
        lambda m, c: m.polyval(c, 0.5),
        [((4,),)],
        torch_call=lambda m, c: _horner(c, torch.tensor(0.5, dtype=c.dtype)),
    ),
    *(
        Case(
            polynomials.polyval,
            f"derivative {order} of a polynomial",
            lambda m, c, x, order=order: apply_operation(polynomials.polyval, c, x, order),
            [((5,), (3,))],
            torch_call=lambda m, c, x, order=order: _horner(_derivative(c, order), x),
        )
        for order in (1, 2, 4)
    ),
]
