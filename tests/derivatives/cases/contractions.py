"""Cases of `derivatives/contractions.py`: how a user reaches each row, and on which shapes."""

from __future__ import annotations

from typing import Any

from tinygrad_poly.derivatives import contractions
from tinygrad_poly.engine.apply import apply_operation

from ..checks import Case


def _einsum(equation: str, *shapes: Any) -> Case:
    count = equation.count(",") + 1
    return Case(
        contractions.einsum.of(count), f"einsum {equation}", lambda m, *operands: m.einsum(equation, *operands), shapes
    )


CASES: list[Case] = [
    _einsum("ij,jk->ik", ((2, 3), (3, 4)), ((2, 0), (0, 4)), ((2, 1), (3, 4)), ((2, 3), (1, 4))),
    _einsum("ij,jk", ((2, 3), (3, 4))),
    _einsum("ij,kj->", ((2, 3), (4, 3))),
    _einsum("ij->ji", ((2, 3),)),
    _einsum("ij->i", ((2, 3),), ((2, 0),)),
    _einsum("ij->", ((2, 3),)),
    _einsum("ba", ((2, 3),)),
    _einsum("ii", ((3, 3),)),
    _einsum("ii->i", ((3, 3),)),
    _einsum("iij->j", ((3, 3, 2),)),
    _einsum("iii->i", ((3, 3, 3),)),
    _einsum("ijij->ij", ((2, 3, 2, 3),)),
    _einsum("i,j->ij", ((2,), (3,))),
    _einsum("i,i->i", ((3,), (3,)), ((1,), (3,))),
    _einsum("i,i->", ((3,), (1,)), ((1,), (3,)), ((3,), (3,))),
    _einsum("ii,i->i", ((3, 3), (3,))),
    Case(
        contractions.einsum.of(2),
        "einsum ii,i->i with one repeated",
        lambda m, a, b: m.einsum("ii,i->i", a, b),
        [((1, 1), (3,))],
        # torch's einsum fails here when its gradient is differentiated
        torch_call=lambda m, a, b: a.diagonal() * b,
    ),
    _einsum("ii,jk->k", ((3, 3), (2, 4))),
    _einsum("...ij,...jk->...ik", ((5, 2, 3), (3, 4)), ((1, 2, 3), (5, 3, 4)), ((2, 3), (3, 4))),
    _einsum("i...,i...", ((3, 2), (3, 1)), ((3, 4, 2), (3, 2))),
    _einsum("...i->i", ((2, 4, 3),)),
    _einsum("...ii->...i", ((2, 3, 3),)),
    _einsum("ij,jk,kl->il", ((2, 3), (3, 4), (4, 2))),
    _einsum("ij,jk,lk->il", ((9, 10), (10, 11), (12, 11))),
    _einsum("aij,akj->aik", ((5, 6, 7), (5, 8, 7)), ((1, 6, 7), (5, 8, 7))),
    _einsum("bn,anm,bm->ba", ((2, 3), (4, 3, 2), (2, 2))),
    _einsum(",i->i", ((), (3,))),
    Case(
        contractions.einsum.of(2),
        "inner",
        lambda m, a, b: m.inner(a, b),
        [((2, 3), (4, 3)), ((3,), (3,)), ((3,), (2, 3))],
    ),
    Case(contractions.einsum.of(2), "tensordot", lambda m, a, b: m.tensordot(a, b), [((4, 2, 3), (2, 3, 5))]),
    Case(
        contractions.einsum.of(2),
        "tensordot, 1",
        lambda m, a, b: m.tensordot(a, b, 1),
        [((2, 3), (3, 4)), ((3,), (3,))],
    ),
    Case(
        contractions.einsum.of(2),
        "tensordot of chosen dimensions",
        lambda m, a, b: m.tensordot(a, b, dims=([2, 0], [1, -1])),
        [((4, 2, 3), (5, 3, 4))],
    ),
    Case(contractions.einsum.of(1), "trace", lambda m, a: m.trace(a), [((3, 3),), ((2, 3),), ((4, 3),), ((0, 0),)]),
    Case(
        contractions.on_diagonal,
        "on the diagonal",
        lambda m, x: apply_operation(contractions.on_diagonal, x * x, "i", "ii", (3, 3)),
        [((3,),)],
        torch_call=lambda m, x: m.diag_embed(x * x),
    ),
    Case(
        contractions.on_diagonal,
        "one number on the diagonal",
        lambda m, x: apply_operation(contractions.on_diagonal, x * x, "i", "ii", (3, 3)),
        [((1,),)],
        torch_call=lambda m, x: x * x * m.eye(3, dtype=x.dtype),
    ),
]
