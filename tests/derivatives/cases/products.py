"""Cases of `derivatives/products.py`: how a user reaches each row, and on which shapes."""

from __future__ import annotations

from typing import Any

import torch

from tinygrad_poly.derivatives import arithmetic, products
from tinygrad_poly.engine.apply import apply_operation

from ..checks import Case

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


CASES: list[Case] = [
    Case(products.matmul, "a @ b", lambda m, a, b: a @ b, MATRICES),
    Case(products.matmul, "matmul(a, b).sum()", lambda m, a, b: m.matmul(a, b).sum(), MATRICES),
    Case(products.matmul, "mm", lambda m, a, b: a.mm(b), [((2, 3), (3, 4))]),
    Case(products.matmul, "mv", lambda m, a, b: a.mv(b), [((2, 3), (3,))]),
    Case(products.matmul, "bmm", lambda m, a, b: a.bmm(b), [((5, 2, 3), (5, 3, 4))]),
    Case(products.matmul, "dot", lambda m, a, b: a.dot(b), [((3,), (3,)), ((0,), (0,))]),
    Case(products.matmul, "matrix_power", lambda m, a: a.matrix_power(3), [((2, 2),), ((2, 3, 3),)]),
    Case(
        products.matmul,
        "addmm",
        lambda m, c, a, b: m.addmm(c, a, b, beta=0.5, alpha=2),
        [((2, 4), (2, 3), (3, 4)), ((4,), (2, 3), (3, 4))],
    ),
    Case(
        products.linear,
        "linear(x, W, b)",
        lambda m, x, w, b: apply_operation(products.linear, x, w, b),
        [((5, 3), (2, 3), (2,)), ((1, 1), (1, 1), (1,)), ((0, 3), (2, 3), (2,))],
        torch_call=lambda m, x, w, b: m.nn.functional.linear(x, w, b),
    ),
    Case(arithmetic.multiply, "outer", lambda m, a, b: m.outer(a, b), [((2,), (3,)), ((0,), (3,))]),
    Case(
        arithmetic.multiply,
        "kron",
        lambda m, a, b: m.kron(a, b),
        [((2, 3), (3, 2)), ((3,), (2, 2)), ((2, 1, 2), (2, 3))],
    ),
    Case(
        arithmetic.multiply,
        "cross",
        lambda m, a, b: m.cross(a, b, dim=-1),
        [((3,), (3,)), ((2, 3), (1, 3))],
        torch_call=lambda m, a, b: torch.linalg.cross(a, b),
    ),
    Case(arithmetic.multiply, "cross along 0", lambda m, a, b: m.cross(a, b, dim=0), [((3, 2), (3, 2))]),
]
