"""Cases of `derivatives/linalg.py`: how a user reaches each row, and on which shapes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

import tinygrad_poly.linalg  # noqa: F401 - so that tg.linalg is there
from tinygrad_poly.derivatives import linalg
from tinygrad_poly.engine.apply import apply_operation

from ...helpers import halves
from ..checks import Bound, Case

Array = np.ndarray[Any, Any]
SQUARE: list[Any] = [((1, 1),), ((2, 2),), ((3, 3),), ((2, 2, 2),), ((0, 0),)]
SHAPES: list[Any] = [((1, 1),), ((2, 2),), ((3, 2),), ((2, 3),), ((2, 3, 2),)]


def dyadic(rng: np.random.Generator, shape: Any) -> Array:
    """L D U with a unit lower L of 0 and ±½, a unit upper U of 0 and ±1, and a D of ±1 and 2.

    Elimination finds these factors again, in the transpose too, and exchanges no rows: no multiplier is above 1.
    All numbers on the way are multiples of a power of two, so that the inverse is exact in both libraries.
    """
    n = shape[-1]
    lower = np.tril(rng.integers(-1, 2, shape) / 2, -1) + np.eye(n)
    upper = np.triu(rng.integers(-1, 2, shape), 1) + np.eye(n)
    return np.asarray(lower * rng.choice([-1.0, 1.0, 2.0], (*shape[:-2], 1, n)) @ upper)


def definite(rng: np.random.Generator, shape: Any) -> Array:
    """L Lᵀ, with the L of whole numbers and with 1 and 2 on its diagonal: its square roots are exact."""
    n = shape[-1]
    lower = np.tril(rng.integers(-1, 2, shape), -1) + np.eye(n) * rng.choice([1.0, 2.0], (*shape[:-1], 1))
    return np.asarray(lower @ lower.mT)


def _norm(a: Array) -> float:
    # NumPy 2.0 knows no norm of an empty matrix.
    return float(np.linalg.matrix_norm(a, ord=2).max(initial=1.0)) if a.size else 1.0


def _within(powers: int, degree: int, inputs: int = 1, matrix: int = 0) -> Bound:
    """How far results from the SVD may lie apart from those from other factorisations, measured in norms.

    A backward stable algorithm gives the exact result for matrices that are off by c u ‖A‖. In 3 × 3 matrices an
    element of a product takes 5 roundings and a factorisation some 40, and a value takes up to two factorisations, a
    gradient four and a second gradient eight: c = 100, 200, 400. The result moves by c u times the norm of its
    derivative, which is a product of `degree` factors ‖A‖ or ‖B‖ and of `powers` factors ‖A⁻¹‖ at most (the second
    gradient has the most). Gradients sum up to nine cotangents of up to 5, and determinants have 3! terms.
    """

    def majorant(order: int) -> Callable[..., float]:
        def largest(*arrays: Array) -> float:
            inverse = max(_norm(np.linalg.pinv(arrays[matrix])), 1.0)
            return 6 * 45.0**order * inverse**powers * max(_norm(a) for a in arrays) ** degree

        return largest

    slopes, curvatures = [majorant(1)] * inputs, [[majorant(2)] * inputs] * inputs
    return Bound((0, 0, 0), (100, 200, 400), majorant(0), slopes, curvatures)


def apart(rng: np.random.Generator, shape: Any) -> Array:
    """3, 6, 9, … on the diagonal and up to ⅜ elsewhere: eigenvalues and singular values differ by 1 at least."""
    return np.asarray(3 * np.eye(*shape[-2:]) * np.arange(1, shape[-1] + 1) + rng.integers(-3, 4, shape) / 8)


def _counted(v: Any) -> Any:
    """The numbers 1, 2, … of the columns, in an array of the same library."""
    return (v.detach() * 0 + 1).cumsum(-1)


def _of_system(name: str) -> Callable[..., Any]:
    """A function of the factors that their signs do not change: each column counts another number of times."""

    def call(m: Any, a: Any) -> Any:
        if name == "eigh":
            _, v = m.linalg.eigh(a)
            return (v * _counted(v)) @ v.mT
        u, _, vt = m.linalg.svd(a, full_matrices=False)
        return (u * _counted(u)) @ vt

    return call


def _cofactors_along(g: Any, a: Any, b: Any) -> Any:
    inner = (g * b).sum((-2, -1), keepdim=True)
    return torch.det(a)[..., None, None] * (inner * b - b @ g.mT @ b)


CASES: list[Case] = [
    Case(linalg.inverse, "inverse", lambda m, a: m.inverse(a), SQUARE, draw=(dyadic,)),
    Case(linalg.inverse, "linalg.inv", lambda m, a: m.linalg.inv(a), SQUARE, draw=(dyadic,)),
    Case(linalg.inverse, "matrix_power(-2)", lambda m, a: m.matrix_power(a, -2), [((2, 2),)], draw=(dyadic,)),
    Case(
        linalg.solve,
        "solve",
        lambda m, a, b: m.linalg.solve(a, b),
        [
            ((3, 3), (3, 2)),
            ((2, 2), (2,)),
            ((2, 2, 2), (2, 2, 3)),
            ((2, 2, 2), (2, 1)),
            ((2, 2), (2, 2, 1)),
            ((3, 3), (3, 0)),
        ],
        draw=(dyadic, halves),
    ),
    Case(
        linalg.solve,
        "solve for a vector each",
        lambda m, a, b: m.linalg.solve(a, b),
        [((3, 2, 2), (3, 2)), ((4, 3, 2, 2), (4, 3, 2))],
        draw=(dyadic, halves),
    ),
    Case(
        linalg.solve,
        "solve from the right",
        lambda m, a, b: m.linalg.solve(a, b, left=False),
        [((3, 3), (2, 3)), ((2, 2, 2), (2, 3, 2))],
        draw=(dyadic, halves),
    ),
    # the determinant times the matrix, so that the result has the shape that a `Bound` is summed over
    Case(
        linalg.determinant,
        "det",
        lambda m, a: m.det(a)[..., None, None] * a,
        SQUARE,
        draw=(dyadic,),
        bound=_within(0, 4),
    ),
    Case(
        linalg.cofactors,
        "cofactors",
        lambda m, a: apply_operation(linalg.cofactors, a),
        SQUARE,
        draw=(dyadic,),
        torch_call=lambda m, a: torch.det(a)[..., None, None] * torch.inverse(a).mT,
        bound=_within(4, 4),
    ),
    Case(
        linalg.cofactors_along,
        "Hessian of det",
        lambda m, g, a: apply_operation(linalg.cofactors_along, g, a),
        [((1, 1), (1, 1)), ((2, 2), (2, 2)), ((3, 3), (3, 3)), ((2, 2, 2), (2, 2, 2))],
        draw=(halves, dyadic),
        torch_call=lambda m, g, a: _cofactors_along(g, a, torch.inverse(a).mT),
        bound=_within(4, 4, 2, matrix=1),
    ),
    Case(
        linalg.log_abs_determinant,
        "slogdet",
        lambda m, a: m.slogdet(a)[1][..., None, None] * a,
        SQUARE,
        draw=(dyadic,),
        bound=_within(4, 2),
    ),
    Case(
        linalg.log_abs_determinant,
        "logdet",
        lambda m, a: m.logdet(a @ a)[..., None, None] * a,
        [((2, 2),), ((2, 3, 3),)],
        draw=(dyadic,),
        bound=_within(4, 4),
    ),
    Case(linalg.cholesky, "cholesky", lambda m, a: m.linalg.cholesky(a), SQUARE, draw=(definite,)),
    Case(
        linalg.cholesky,
        "cholesky, upper",
        lambda m, a: m.linalg.cholesky(a, upper=True),
        [((2, 2),), ((3, 3),)],
        draw=(definite,),
    ),
    Case(
        linalg.lower_half,
        "lower triangle with half the diagonal",
        lambda m, x: apply_operation(linalg.lower_half, x * x),
        SQUARE,
        torch_call=lambda m, x: torch.tril(x * x) - (x * x / 2) * torch.eye(x.shape[-1], dtype=x.dtype),
    ),
    Case(
        linalg.pinv,
        "pinv",
        lambda m, a: m.linalg.pinv(a).mT,
        [((3, 2),), ((2, 3),), ((2, 2),), ((3, 1),), ((2, 3, 2),)],
        draw=(lambda rng, shape: np.asarray(halves(rng, shape) / 2 + 3 * np.eye(*shape[-2:])),),
        bound=_within(4, 2),
    ),
    # A X is the part of B that A can explain; it has the shape of A and B
    Case(
        linalg.lstsq,
        "lstsq",
        lambda m, a, b: m.linalg.lstsq(a, b)[0].mT @ a.mT,
        [((3, 3), (3, 3)), ((2, 2, 2), (2, 2, 2))],
        draw=(lambda rng, shape: np.asarray(halves(rng, shape) / 2 + 3 * np.eye(shape[-1])), halves),
        bound=_within(5, 4, 2),
    ),
    Case(
        linalg.lstsq,
        "lstsq with more rows than unknowns",
        lambda m, a, b: a @ m.linalg.lstsq(a, b)[0],
        [((3, 2), (3, 2)), ((2, 3, 1), (2, 3, 1))],
        draw=(lambda rng, shape: np.asarray(halves(rng, shape) / 2 + 3 * np.eye(*shape[-2:])), halves),
        bound=_within(5, 4, 2),
    ),
    *(
        Case(row, f"{row.name} {label}", call, shapes, draw=(apart,), bound=_within(0, degree))
        for row, label, call, degree, shapes in (
            (linalg.eigenvalues, "w", lambda m, a: m.linalg.eigvalsh(a)[..., None] * a, 2, SQUARE[1:]),
            (linalg.eigenvectors, "V", _of_system("eigh"), 1, SQUARE[1:]),
            (linalg.svdvals, "S", lambda m, a: m.linalg.svdvals(a).sum(-1)[..., None, None] * a, 2, SHAPES),
            (linalg.left_vectors, "U", _of_system("svd"), 1, SHAPES),
            (linalg.right_vectors, "V", _of_system("svd"), 1, [((2, 2),)]),
        )
    ),
    Case(
        linalg.orthonormal,
        "qr",
        lambda m, a: m.linalg.qr(a)[0],
        [((3, 3),), ((3, 2),), ((2, 3, 1),)],
        draw=(apart,),
        bound=_within(2, 2),
    ),
    Case(
        linalg.orthonormal,
        "qr of more columns than rows",
        lambda m, a: m.linalg.qr(a)[1],
        [((2, 3),), ((2, 2, 3),)],
        draw=(apart,),
        bound=_within(2, 2),
    ),
    Case(
        linalg.completed,
        "columns of a completed matrix",
        lambda m, q: apply_operation(linalg.completed, q * q)[..., : q.shape[-1]],
        [((3, 2),), ((2, 3, 1),)],
        torch_call=lambda m, q: q * q,
    ),
]
