"""The table of cases: for each row of the derivative table, how a user reaches it, and on which shapes.

A row without a case here fails `test_operation.py`.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import torch

import tinygrad_poly as tg
from tinygrad_poly.derivatives import arithmetic, elementwise, linalg, reductions, shapes
from tinygrad_poly.operators import apply_operation

from ..helpers import positive_halves, powers_of_two
from .checks import Bound, Case

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
log, sqrt = np.log, np.sqrt
positive = (positive_halves,)


def zero(*_: Any) -> float:
    return 0.0


ARITHMETIC = [
    Case(arithmetic.add, "a + b", lambda m, a, b: a + b, TWO),
    Case(arithmetic.add, "a + 3", lambda m, a: a + 3, ONE),
    Case(arithmetic.add, "0.5 + a", lambda m, a: 0.5 + a, ONE),
    Case(arithmetic.subtract, "a - b", lambda m, a, b: a - b, TWO),
    Case(arithmetic.subtract, "a - 0.5", lambda m, a: a - 0.5, ONE),
    Case(arithmetic.subtract, "3 - a", lambda m, a: 3 - a, ONE),
    Case(arithmetic.multiply, "a * b", lambda m, a, b: a * b, TWO),
    Case(arithmetic.multiply, "1.5 * a", lambda m, a: 1.5 * a, ONE),
    Case(arithmetic.multiply, "a * a", lambda m, a: a * a, ONE),
    Case(arithmetic.divide, "a / b", lambda m, a, b: a / b, TWO, draw=(powers_of_two, powers_of_two)),
    Case(arithmetic.divide, "a / 4", lambda m, a: a / 4, ONE),
    Case(arithmetic.divide, "3 / a", lambda m, a: 3 / a, ONE, draw=(powers_of_two,)),
    Case(
        arithmetic.divide,
        "a / b, rounded",
        lambda m, a, b: a / b,
        TWO,
        draw=(positive_halves, positive_halves),
        # a/b²: the quotient, times g, divided again; 2a/b³ comes as up to four such terms
        bound=Bound(
            (0, 0, 0),
            (1, 3, 8),
            lambda a, b: a / b,
            (lambda a, b: 1 / b, lambda a, b: a / b**2),
            ((zero, lambda a, b: 1 / b**2), (lambda a, b: 1 / b**2, lambda a, b: 4 * a / b**3)),
        ),
    ),
    Case(arithmetic.negative, "-a", lambda m, a: -a, ONE),
    Case(arithmetic.power_scalar, "a ** 0 * a", lambda m, a: a**0 * a, ONE),
    *(
        Case(
            arithmetic.power_scalar,
            f"a ** {n}",
            lambda m, a, n=n: a**n,
            ONE,
            # torch's pow is not exact for every n, its products are
            torch_call=lambda m, a, n=n: torch.stack([a] * int(n)).prod(0),
        )
        for n in (1, 2, 3, 4, 5, 6, 2.0)
    ),
    *(
        Case(
            arithmetic.power_scalar,
            f"a ** {n}",
            lambda m, a, n=n: a**n,
            ONE,
            draw=positive,
            bound=Bound(
                (1, 1, 1),
                (0, 2, 4),
                lambda a, n=n: a**n,
                (lambda a, n=n: abs(n) * a ** (n - 1),),
                ((lambda a, n=n: abs(n * (n - 1)) * a ** (n - 2),),),
            ),
        )
        for n in (0.5, -1, -1.5, 2.5)
    ),
    Case(
        arithmetic.power,
        "a ** b",
        lambda m, a, b: a**b,
        TWO,
        draw=(positive_halves, lambda rng, shape: np.asarray(rng.integers(-4, 7, shape) / 2)),
        bound=Bound(
            (1, 2, 3),
            (0, 3, 8),
            lambda a, b: a**b,
            (lambda a, b: abs(b) * a ** (b - 1), lambda a, b: a**b * abs(log(a))),
            (
                (lambda a, b: abs(b * (b - 1)) * a ** (b - 2), lambda a, b: a ** (b - 1) * (1 + abs(b * log(a)))),
                (lambda a, b: a ** (b - 1) * (1 + abs(b * log(a))), lambda a, b: a**b * log(a) ** 2),
            ),
        ),
    ),
    Case(
        arithmetic.power,
        "2 ** b",
        lambda m, b: 2**b,
        ONE,
        bound=Bound(
            (1, 2, 3),
            (0, 3, 8),
            lambda b: 2.0**b,
            (lambda b: 2**b * log(2),),
            ((lambda b: 2**b * log(2) ** 2,),),
        ),
    ),
]


def _function(row: Any, name: str, calls: Any, roundings: Any, value: Any, slope: Any, curvature: Any) -> Case:
    bound = Bound(calls, roundings, value, (slope,), ((curvature,),))
    return Case(row, name, lambda m, x: getattr(m, name)(x), ONE, draw=positive, bound=bound)


ELEMENTWISE = [
    _function(elementwise.exp, "exp", (1, 1, 1), (0, 1, 3), np.exp, np.exp, np.exp),
    _function(elementwise.log, "log", (1, 0, 0), (0, 1, 3), lambda x: abs(log(x)), lambda x: 1 / x, lambda x: x**-2),
    _function(
        elementwise.sin,
        "sin",
        (1, 1, 1),
        (0, 1, 3),
        lambda x: abs(np.sin(x)),
        lambda x: abs(np.cos(x)),
        lambda x: abs(np.sin(x)),
    ),
    _function(
        elementwise.cos,
        "cos",
        (1, 1, 1),
        (0, 1, 3),
        lambda x: abs(np.cos(x)),
        lambda x: abs(np.sin(x)),
        lambda x: abs(np.cos(x)),
    ),
    # 1 − tanh² loses digits near 1, which is why the majorant is 1 + tanh²
    _function(
        elementwise.tanh,
        "tanh",
        (1, 2, 3),
        (0, 3, 7),
        np.tanh,
        lambda x: 1 + np.tanh(x) ** 2,
        lambda x: 2 * np.tanh(x) * (1 + np.tanh(x) ** 2),
    ),
    _function(elementwise.sqrt, "sqrt", (0, 0, 0), (1, 2, 8), sqrt, lambda x: 0.5 / sqrt(x), lambda x: 0.25 * x**-1.5),
    Case(elementwise.where, "where(a > b, a, b)", lambda m, a, b: m.where(a > b, a, b), TWO),
    Case(elementwise.where, "where(a > 0, a, b * b)", lambda m, a, b: m.where(a > 0, a, b * b), TWO),
    Case(elementwise.where, "where(a > 0, 2, b) of equal shapes", lambda m, a, b: m.where(a > 0, b, 2 * a), TWO),
]

REDUCTIONS = [
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

SHAPES = [
    Case(shapes.reshape, "view(-1, 1)", lambda m, x: x.view(-1, 1), [((),), ((3,),), ((2, 3),), ((0,),)]),
    Case(shapes.reshape, "reshape(3, -1)", lambda m, x: (x * x).reshape(3, -1), [((2, 3),), ((3, 4, 1),)]),
    Case(shapes.reshape, "reshape(x, (6,))", lambda m, x: m.reshape(x, (6,)), [((2, 3),)]),
    Case(shapes.reshape, "flatten, unsqueeze", lambda m, x: x.flatten().unsqueeze(-1), [((2, 3),), ((),)]),
    Case(shapes.reshape, "squeeze", lambda m, x: x.squeeze(), [((1, 3, 1),), ((1,),)]),
    Case(shapes.permute, "permute(2, 0, 1)", lambda m, x: (x * x).permute(2, 0, 1), [((2, 3, 4),), ((2, 0, 4),)]),
    Case(shapes.permute, "transpose(0, -1)", lambda m, x: x.transpose(0, -1), [((2, 3, 4),), ((2, 3),)]),
    Case(shapes.permute, "t()", lambda m, x: x.t(), [((2, 3),), ((3,),)]),
    Case(shapes.permute, "mT", lambda m, x: x.mT * 2, [((2, 3, 4),)]),
    Case(shapes.broadcast_to, "expand(4, 2, 3)", lambda m, x: x.expand(4, 2, 3), [((2, 3),), ((1, 3),), ((),)]),
    Case(shapes.broadcast_to, "expand(-1, 4)", lambda m, x: (x * x).expand(-1, 4), [((3, 1),), ((0, 1),)]),
    Case(shapes.broadcast_to, "broadcast_to", lambda m, x: m.broadcast_to(x, (2, 3)), [((1,),), ((3,),), ((2, 1),)]),
    Case(shapes.broadcast_to, "a sum of an expanded one", lambda m, x: x.expand(5, 3).sum(), [((1,),), ((),)]),
    Case(shapes.astype, "double()", lambda m, x: (x * x).double(), ONE),
    Case(shapes.astype, "to(float32)", lambda m, x: x.to(m.float32) * 2, ONE),
    Case(
        shapes.to_device,
        "to another device",
        lambda m, x: apply_operation(shapes.to_device, x, tg.device("cpu"), tg.device("cpu")) * 2,
        ONE,
        torch_call=lambda m, x: x.to("cpu") * 2,
    ),
    Case(shapes.clone, "clone()", lambda m, x: x.clone() * x, ONE),
    *(
        Case(shapes.getitem, f"x[{label}]", lambda m, x, index=index: (x * x)[index], [((3, 4),), ((3, 4, 2),)])
        for label, index in {
            "1": 1,
            "-1, 2": (-1, 2),
            "1:": slice(1, None),
            "::2, 1:3": (slice(None, None, 2), slice(1, 3)),
            "..., None, 0": (Ellipsis, None, 0),
            "[2, 0, 2]": [2, 0, 2],
            "[0, 0, 1], [1, 1, 3]": ([0, 0, 1], [1, 1, 3]),
            "3:": slice(3, None),
        }.items()
    ),
    Case(shapes.getitem, "x[x > 0]", lambda m, x: x[x > 0], [((3, 4),), ((7,),)]),
    Case(shapes.getitem, "x[tensor]", lambda m, x: x[m.tensor([1, 1, 0])], [((3,),), ((2, 3),)]),
    Case(
        shapes.put,
        "put at [2, 0, 2]",
        lambda m, g: apply_operation(shapes.put, g * g, (4, 2), [2, 0, 2]),
        [((3, 2),)],
        torch_call=lambda m, g: g.new_zeros(4, 2).index_put((torch.tensor([2, 0, 2]),), g * g, accumulate=True),
    ),
    Case(
        shapes.put,
        "put at 1:3",
        lambda m, g: apply_operation(shapes.put, g * g, (4, 2), slice(1, 3)),
        [((2, 2),)],
        torch_call=lambda m, g: g.new_zeros(4, 2).slice_scatter(g * g, 0, 1, 3),
    ),
]

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
LINALG = [
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

CASES: dict[ModuleType, list[Case]] = {
    arithmetic: ARITHMETIC,
    elementwise: ELEMENTWISE,
    reductions: REDUCTIONS,
    shapes: SHAPES,
    linalg: LINALG,
}


def runs(family: ModuleType) -> list[Any]:
    """Every case of a family with each of its shapes."""
    return [(case, given) for case in CASES[family] for given in case.shapes]


def name(value: Any) -> str:
    """How pytest shows a case and its shapes."""
    return value.label if isinstance(value, Case) else "x".join(str(s).replace(" ", "") for s in value)
