"""Inverses, solutions, determinants and factors of matrices, also of stacks of them.

Read a row as: name, Y = f(A), ∂L/∂A with G = ∂L/∂Y. The rules of `inverse`, `solve`, `determinant` and `cholesky`
are in M. B. Giles, "An extended collection of matrix derivative results for forward and reverse mode AD"
(2008); those of `pinv` and `lstsq` follow G. Golub and V. Pereyra, "The differentiation of pseudo-inverses and
nonlinear least squares problems whose variables separate" (1973); those of factors with orthogonal columns
J. Townsend, "Differentiating the singular value decomposition" (2016), and S. F. Walter and L. Lehmann, "Algorithmic
differentiation of linear algebra functions with application in optimum experimental design" (2010).
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_poly.derivatives.elementwise import where
from tinygrad_poly.derivatives.indexing import getitem
from tinygrad_poly.derivatives.products import as_columns, as_rows
from tinygrad_poly.derivatives.reductions import sum
from tinygrad_poly.derivatives.shapes import reshape
from tinygrad_poly.engine.arrays import Array, Shape, common, library, namespace, total
from tinygrad_poly.engine.errors import SingularMatrixError
from tinygrad_poly.engine.operation import Operation


def _as_matrix(g: Array) -> Array:
    """The shape (…) as (…, 1, 1)."""
    return reshape(g, (*g.shape, 1, 1))


def _inner(a: Array, b: Array) -> Array:
    """The inner product ⟨A, B⟩ = Σ aᵢⱼ bᵢⱼ, in shape (…, 1, 1)."""
    return total(a * b, (-2, -1), True)


def _checked(name: str, complaint: str, factor: Callable[[Array], Any], a: Array, compute: Callable[[], Any]) -> Any:
    """The result of `compute()`; if LAPACK fails, an error that names the matrix of the stack for which `factor` fails.

    Raises:
        SingularMatrixError: the error.
    """
    with library(a).linalg_errors():
        try:
            return compute()
        except np.linalg.LinAlgError:
            where = "the matrix"
            for element in np.ndindex(a.shape[:-2]):
                try:
                    factor(a[(*element, ...)])
                except np.linalg.LinAlgError:
                    where = f"the matrix at batch element {element}" if element else where
                    break
            raise SingularMatrixError(f"{name}: {where} {complaint}") from None


SINGULAR = "is singular; use pinv or lstsq, or add a multiple of the identity"
INDEFINITE = "is not positive definite; check that it is symmetric, or add a multiple of the identity"
NOT_FINITE = "has no singular values; check it for NaN and infinity"


def _inverse(a: Array) -> Array:
    invert = namespace(a).linalg.inv
    return _checked("inv", SINGULAR, invert, a, lambda: invert(a))


inverse = Operation(
    "LinalgInvEx", _inverse, lambda g, y: -(y.mT @ g @ y.mT), saves="output", expands=True, opaque=True,
    formula="Y = A⁻¹", derivative="−Yᵀ G Yᵀ", note="a singular matrix raises SingularMatrixError",
)  # fmt: skip


def _solve(a: Array, b: Array) -> Array:
    own = common(a, b)
    return _checked("solve", SINGULAR, own.xp.linalg.inv, a, lambda: own.solve(a, b))


solve: Operation = Operation(
    "LinalgSolveEx", _solve, lambda g, a, b, y: -(solve(a.mT, g) @ y.mT), lambda g, a, b, y: solve(a.mT, g),
    saves="both", expands=True, opaque=True, formula="Y = A⁻¹ B", derivative="−A⁻ᵀ G Yᵀ; A⁻ᵀ G",
    note="a singular matrix raises SingularMatrixError",
)  # fmt: skip


def _svd(a: Array, full: bool) -> Any:
    """The singular value decomposition A = U Σ Vᵀ as U, the singular values, Vᵀ."""
    svd = namespace(a).linalg.svd
    return _checked("svd", NOT_FINITE, svd, a, lambda: svd(a, full_matrices=full))


def singular_values(a: Array) -> Array:
    """The singular values of A alone, the largest first."""
    compute = library(a).singular_values
    return _checked("svd", NOT_FINITE, compute, a, lambda: compute(a))


def _in_singular_basis(a: Array) -> tuple[Array, Array, Array, Array]:
    """The decomposition A = U Σ Vᵀ as det U · det V (which is ±1), U, the singular values, Vᵀ."""
    xp = namespace(a).linalg
    u, s, vt = _svd(a, True)
    return namespace(a).sign(xp.det(u) * xp.det(vt)), u, s, vt


def _cofactors(a: Array) -> Array:
    """The cofactors det A · A⁻ᵀ, computed without a division: with A = U Σ Vᵀ they are ± U cof(Σ) Vᵀ.

    cof(Σ)ᵢᵢ is the product of the other singular values. This is right for singular matrices too: G. W. Stewart,
    "On the adjugate matrix" (1998).
    """
    xp = namespace(a)
    sign, u, s, vt = _in_singular_basis(a)
    s = s[..., None, :]
    others = xp.prod(xp.where(xp.eye(s.shape[-1], dtype=xp.bool), xp.ones_like(s), s), axis=-1)
    return _as_matrix(sign) * ((u * others[..., None, :]) @ vt)


def _cofactors_along(g: Array, a: Array) -> Array:
    """The derivative of the cofactors of A in the direction G: the Hessian of det, which is symmetric, times G.

    With A = U Σ Vᵀ it is ± U H Vᵀ, where H is the derivative at Σ in the direction F = Uᵀ G V. With pᵢⱼ for the
    product of the singular values other than σᵢ and σⱼ, Hᵢᵢ = Σⱼ pᵢⱼ Fⱼⱼ over j ≠ i, and Hᵢⱼ = −pᵢⱼ Fⱼᵢ.
    """
    xp = namespace(a)
    sign, u, s, vt = _in_singular_basis(a)
    itself = xp.eye(s.shape[-1], dtype=xp.bool)
    s = s[..., None, None, :]
    others = xp.prod(xp.where(itself[:, None, :] | itself[None, :, :], xp.ones_like(s), s), axis=-1)
    others = xp.where(itself, xp.zeros_like(others), others)
    f = u.mT @ g @ vt.mT
    # Row i of `others` meets the diagonal of F, and the sum goes onto the diagonal.
    h = xp.where(itself, others @ xp.where(itself, f, xp.zeros_like(f)) @ xp.ones_like(f), -others * f.mT)
    return _as_matrix(sign) * (u @ h @ vt)


def _cofactors_along_slope(h: Array, g: Array, a: Array) -> Array:
    """The derivative ∂/∂A ⟨H, cofactors along G⟩, from det A · (⟨G, B⟩ B − B Gᵀ B), B = A⁻ᵀ, dB = −B dAᵀ B."""
    b = inverse(a).mT
    mixed = h @ b.mT @ g + g @ b.mT @ h - _inner(h, b) * g - _inner(g, b) * h
    return _inner(h, cofactors_along(g, a)) * b + _as_matrix(determinant(a)) * (b @ mixed.mT @ b)


cofactors_along: Operation = Operation(
    "LinalgDetBackwardBackward", _cofactors_along, lambda h, g, a: cofactors_along(h, a), _cofactors_along_slope,
    expands=True, opaque=True,
    formula="the derivative of cof B at B in the direction of A",
    derivative="the same in the direction of G; the third derivative of det",
    note="the third derivative of det is computed for invertible matrices only",
)  # fmt: skip

cofactors = Operation(
    "LinalgDetBackward", _cofactors, lambda g, a: cofactors_along(g, a), expands=True, opaque=True,
    formula="Y = cof A = det A · A⁻ᵀ", derivative="the Hessian of det, times G",
    note="exists everywhere, also where A is singular",
)  # fmt: skip

determinant: Operation = Operation(
    "LinalgDet", lambda a: namespace(a).linalg.det(a), lambda g, a: _as_matrix(g) * cofactors(a), opaque=True,
    formula="y = det A", derivative="cof A = det A · A⁻ᵀ", note="exists everywhere, also where A is singular",
)  # fmt: skip

log_abs_determinant = Operation(
    "LinalgSlogdet", lambda a: namespace(a).linalg.slogdet(a)[1], lambda g, a: _as_matrix(g) * inverse(a).mT,
    opaque=True, formula="y = log |det A|", derivative="A⁻ᵀ",
    note="a singular matrix: y = −∞, and backward raises SingularMatrixError",
)  # fmt: skip


def _lower_half(x: Array) -> Array:
    """The function Φ(X): the lower triangle with half the diagonal, which undoes X ↦ X + Xᵀ for lower triangles."""
    xp = namespace(x)
    n = x.shape[-1]
    return xp.tril(x) - xp.eye(n, dtype=x.dtype) * (x / 2)


lower_half: Operation = Operation(
    "Tril", _lower_half, lambda g: lower_half(g), saves="nothing", expands=True,
    formula="Φ(A): the lower triangle of A, its diagonal halved", derivative="Φ(G)",
)  # fmt: skip


def _factor(a: Array) -> Array:
    factor = namespace(a).linalg.cholesky
    return _checked("cholesky", INDEFINITE, factor, a, lambda: factor(a))


def _cholesky_slope(g: Array, y: Array) -> Array:
    s = solve(y.mT, solve(y.mT, lower_half(y.mT @ g).mT).mT)
    return (s + s.mT) / 2


cholesky = Operation(
    "LinalgCholeskyEx", _factor, _cholesky_slope, saves="output", expands=True, opaque=True,
    formula="the lower triangular Y with Y Yᵀ = A", derivative="(S + Sᵀ)/2 with S = Y⁻ᵀ Φ(Yᵀ G) Y⁻¹",
    note="a matrix that is not positive definite raises SingularMatrixError",
)  # fmt: skip


def reciprocals(s: Array, shape: tuple[int, ...], rtol: float | None) -> Array:
    """1/σ for the singular values σ > rtol · σ₁ of a matrix of `shape`, and 0 for the others.

    By default they are those that stand out from rounding.
    """
    xp = namespace(s)
    kept = s > s[..., :1] * (max(shape[-2:]) * float(xp.finfo(s.dtype).eps) if rtol is None else rtol)
    return xp.where(kept, 1 / xp.where(kept, s, xp.ones_like(s)), xp.zeros_like(s))


def _pseudo_inverse(a: Array, rtol: float | None) -> Array:
    u, s, vt = _svd(a, False)
    return vt.mT @ (reciprocals(s, a.shape, rtol)[..., None] * u.mT)


def _pseudo_inverse_slope(g: Array, a: Array, y: Array, rtol: float | None) -> Array:
    left, right = g.mT @ (y @ y.mT), (y.mT @ y) @ g.mT
    return left - a @ (y @ left) + right - (right @ y) @ a - y.mT @ g @ y.mT


pinv = Operation(
    "LinalgPinv", _pseudo_inverse, _pseudo_inverse_slope, saves="both", expands=True, opaque=True,
    formula="Y = A⁺, the pseudo-inverse", derivative="−Yᵀ G Yᵀ + (I − A Y) Gᵀ Y Yᵀ + Yᵀ Y Gᵀ (I − Y A)",
    note="where A has not full rank A⁺ jumps: the slope is along the matrices of the same rank",
)  # fmt: skip


def _least_squares(a: Array, b: Array, rtol: float | None) -> Array:
    u, s, vt = _svd(a, False)
    return vt.mT @ (reciprocals(s, a.shape, rtol)[..., None] * (u.mT @ b))


def _least_squares_left(g: Array, a: Array, b: Array, y: Array, rtol: float | None) -> Array:
    p = pinv(a, rtol)
    right = p.mT @ g
    along_rows = p.mT @ y
    return (b - a @ y) @ (p @ right).mT + along_rows @ (g - a.mT @ right).mT - right @ y.mT


lstsq = Operation(
    "LinalgLstsq", _least_squares, _least_squares_left, lambda g, a, b, y, rtol: pinv(a, rtol).mT @ g,
    saves="both", expands=True, opaque=True,
    formula="Y = A⁺ B: the Y that makes ‖A Y − B‖ smallest (the shortest of them)",
    derivative="(B − A Y) (A⁺ Z)ᵀ + A⁺ᵀ Y (G − Aᵀ Z)ᵀ − Z Yᵀ; Z = A⁺ᵀ G",
    note="where A has not full rank Y jumps: the slope is along the matrices of the same rank",
)  # fmt: skip


# Factors of which one LAPACK call finds several: it is made once, and its numbers are the option `found` of one row for
# each factor. They are stacked upon each other: the eigenvalues and the vectors; or U, the singular values and V.


def _eigensystem(a: Array, lower: bool) -> Array:
    xp = namespace(a)
    half = xp.tril(a if lower else a.mT)
    symmetric = half + xp.triu(half.mT, k=1)
    w, v = _checked("eigh", NOT_FINITE, xp.linalg.eigh, a, lambda: xp.linalg.eigh(symmetric))
    return xp.concat((w[..., None, :], v), axis=-2)


def _singular_system(a: Array) -> Array:
    u, s, vt = _svd(a, False)
    return namespace(a).concat((u, s[..., None, :], vt.mT), axis=-2)


SYSTEMS = {
    "eigh": Operation("LinalgEigh", _eigensystem, None, opaque=True),
    "svd": Operation("LinalgSvd", _singular_system, None, opaque=True),
}


def _turns(g: Array, v: Array, gaps: Array, found: Array) -> Array:
    """The turns of the vectors V towards each other: Vᵀ G − Gᵀ V over the gaps, and 0/0, NaN, where there is none."""
    x = v.mT @ g
    return (x - x.mT) / (gaps + namespace(found).eye(v.shape[-1], dtype=found.dtype))


def _differences(w: Array) -> Array:
    return as_rows(w) - as_columns(w)


eigenvalues: Operation = Operation(
    "LinalgEigh", lambda a, found: found[..., 0, :],
    lambda g, a, found: (eigenvectors(a, found) * as_rows(g)) @ eigenvectors(a, found).mT, expands=True,
    formula="the w with A V = V diag w, for symmetric A", derivative="V diag(g) Vᵀ",
    note="second derivatives are NaN where eigenvalues are equal, as in torch",
)  # fmt: skip

eigenvectors: Operation = Operation(
    "LinalgEigh", lambda a, found: found[..., 1:, :],
    lambda g, a, v, found: v @ (_turns(g, v, _differences(eigenvalues(a, found)), found) / 2) @ v.mT,
    saves="both", expands=True,
    formula="the V with A V = V diag w and Vᵀ V = I, for symmetric A",
    derivative="V K Vᵀ with Kᵢⱼ = (Vᵀ G − Gᵀ V)ᵢⱼ / (2 (wⱼ − wᵢ))",
    note="NaN where eigenvalues are equal; the sign of a vector is LAPACK's, and a loss must not depend on it",
)  # fmt: skip

svdvals: Operation = Operation(
    "LinalgSvd", lambda a, found: found[..., a.shape[-2], :],
    lambda g, a, found: (left_vectors(a, found) * as_rows(g)) @ right_vectors(a, found).mT, expands=True,
    formula="the diagonal σ of Σ in A = U Σ Vᵀ", derivative="U diag(g) Vᵀ",
    note="where σ = 0 the slope of one side; second derivatives are NaN where singular values are equal, as in torch",
)  # fmt: skip


def _singular_slope(g: Array, u: Array, s: Array, v: Array, found: Array) -> Array:
    """The derivative of the left vectors U by A: within their space, and out of it where A has more rows."""
    sums = as_rows(s) + as_columns(s)
    slope = u @ (_turns(g, u, _differences(s) * sums, found) * as_rows(s)) @ v.mT
    if u.shape[-2] == u.shape[-1]:
        return slope
    return slope + ((g - u @ (u.mT @ g)) / as_rows(s)) @ v.mT


left_vectors: Operation = Operation(
    "LinalgSvd", lambda a, found: found[..., : a.shape[-2], :],
    lambda g, a, u, found: _singular_slope(g, u, svdvals(a, found), right_vectors(a, found), found),
    saves="both", expands=True,
    formula="the U in A = U Σ Vᵀ", derivative="(U K Σ + (I − U Uᵀ) G Σ⁻¹) Vᵀ with Kᵢⱼ = (Uᵀ G − Gᵀ U)ᵢⱼ / (σⱼ² − σᵢ²)",
    note="NaN where singular values are equal; the sign of a vector is LAPACK's, and a loss must not depend on it",
)  # fmt: skip

# Those of A are the left ones of Aᵀ.
right_vectors: Operation = Operation(
    "LinalgSvd", lambda a, found: found[..., a.shape[-2] + 1 :, :],
    lambda g, a, v, found: _singular_slope(g, v, svdvals(a, found), left_vectors(a, found), found).mT,
    saves="both", expands=True,
    formula="the V in A = U Σ Vᵀ",
    derivative="U (Σ Kᵀ Vᵀ + Σ⁻¹ Gᵀ (I − V Vᵀ)) with Kᵢⱼ = (Vᵀ G − Gᵀ V)ᵢⱼ / (σⱼ² − σᵢ²)",
    note="NaN where singular values are equal; the sign of a vector is LAPACK's, and a loss must not depend on it",
)  # fmt: skip


def _orthonormal_slope(g: Array, a: Array, q: Array) -> Array:
    half = lower_half(g.mT @ q)
    return solve(q.mT @ a, (g - q @ (half + half.mT)).mT).mT


orthonormal = Operation(
    "LinalgQr", lambda a: namespace(a).linalg.qr(a)[0], _orthonormal_slope, saves="both", expands=True, opaque=True,
    formula="the Q in A = Q R, for A with no more columns than rows",
    derivative="(G − Q (Φ(M) + Φ(M)ᵀ)) R⁻ᵀ with M = Gᵀ Q",
    note="a matrix without full rank raises SingularMatrixError in backward",
)  # fmt: skip


def _completed(q: Array) -> Array:
    xp = namespace(q)
    rest = xp.linalg.qr(q, mode="complete")[0][..., q.shape[-1] :]
    return xp.concat((q, rest), axis=-1)


def _of_the_given(g: Array, shape: Shape) -> Array:
    rest = getitem(g, (..., slice(shape[-1], None)))
    lost = sum(where(rest == 0, rest, math.nan), (g.ndim - 2, g.ndim - 1), True)
    return getitem(g, (..., slice(shape[-1]))) + lost


completed = Operation(
    "LinalgQr", _completed, _of_the_given, saves="shapes", expands=True, opaque=True,
    formula="an orthogonal matrix that begins with the columns Q", derivative="G of the columns Q",
    note="NaN for a loss that depends on the other columns, which may be any",
)  # fmt: skip
