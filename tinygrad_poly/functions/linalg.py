"""Inverses, solutions, determinants and factors of matrices; all take stacks of shape (…, n, n)."""

import functools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from tinygrad_poly.derivatives import linalg
from tinygrad_poly.engine import arrays
from tinygrad_poly.engine.apply import apply_operation, apply_unary, checked, wrap
from tinygrad_poly.engine.errors import DtypeError, ShapeError
from tinygrad_poly.functions._shared import Tensor
from tinygrad_poly.functions.diagonals import tril, triu
from tinygrad_poly.functions.elementwise import where
from tinygrad_poly.functions.norms import vector_norm
from tinygrad_poly.functions.polynomials import vander as powers
from tinygrad_poly.functions.reductions import amax, amin, count_nonzero, sum
from tinygrad_poly.functions.shapes import movedim

__all__ = ["EighResult", "LstsqResult", "QRResult", "SVDResult", "SlogdetResult", "cholesky", "cond", "det", "eigh"]
__all__ += ["eigvalsh", "inv", "lstsq", "matrix_exp", "matrix_norm", "matrix_power", "matrix_rank", "multi_dot", "pinv"]
__all__ += ["qr", "slogdet", "solve", "solve_triangular", "svd", "svdvals", "tensorinv", "tensorsolve", "vander"]
__all__ += ["vecdot"]


class SlogdetResult(NamedTuple):
    """The sign of a determinant and the logarithm of its absolute value."""

    sign: Tensor
    logabsdet: Tensor


class LstsqResult(NamedTuple):
    """The solutions of least squares problems, with residuals, rank and singular values."""

    solution: Tensor
    residuals: Tensor
    rank: Tensor
    singular_values: Tensor


class EighResult(NamedTuple):
    """The eigenvalues of a symmetric matrix, and its eigenvectors, as columns."""

    eigenvalues: Tensor
    eigenvectors: Tensor


class SVDResult(NamedTuple):
    """The singular value decomposition."""

    U: Tensor
    S: Tensor
    Vh: Tensor


class QRResult(NamedTuple):
    """The factors of a matrix."""

    Q: Tensor
    R: Tensor


def _matrix(input: Any, name: str) -> Tensor:
    """The argument `input`, checked to be a tensor of matrices.

    Raises:
        ShapeError: for less than two dimensions.
        DtypeError: for integers.
    """
    tensor = checked(input, name)
    if tensor.ndim < 2:
        raise ShapeError(f"{name}: expected matrices, of shape (…, m, n), but the shape is {tensor.shape}")
    if not arrays.is_floating(tensor.dtype):
        raise DtypeError(f"{name}: expected a floating-point tensor, and this one is {tensor.dtype}: use .float()")
    return tensor


def _square(input: Any, name: str, instead: str = "") -> Tensor:
    """The argument `input`, checked to be a tensor of square matrices.

    Raises:
        ShapeError: unless the last two lengths are equal.
    """
    tensor = _matrix(input, name)
    rows, columns = tensor.shape[-2:]
    if rows != columns:
        raise ShapeError(
            f"{name}: expected square matrices, but in shape {tensor.shape} they have {rows} rows and {columns} "
            f"columns{instead}"
        )
    return tensor


def inv(A: Tensor) -> Tensor:
    """The inverse A⁻¹, with derivative −A⁻ᵀ G A⁻ᵀ. For A x = b, `solve(A, b)` is faster and more accurate.

    Raises:
        ShapeError: unless the matrices are square.
        SingularMatrixError: where one has no inverse.

    >>> inverse(tensor([[2.0, 0.0], [0.0, 4.0]]))
    tensor([[0.5000, 0.0000],
            [0.0000, 0.2500]])
    """
    return apply_unary(linalg.inverse, _square(A, "inv", "; pinv takes those"))


inverse = inv


def solve(A: Tensor, B: Tensor, *, left: bool = True) -> Tensor:
    """The X with A X = B (or, with `left=False`, X A = B), with derivatives A⁻ᵀ G for B and −A⁻ᵀ G Xᵀ for A.

    Args:
        A: square matrices, of shape (…, n, n).
        B: right-hand sides, of shape (…, n, k); or one vector for each matrix, of shape (n,) or (…, n) as
            many as there are matrices.
        left: on which side of X the matrix stands.

    Raises:
        ShapeError: unless the matrices are square, and as high as B.
        SingularMatrixError: where a matrix is singular.

    >>> from tinygrad_poly.linalg import solve
    >>> solve(tensor([[2.0, 0.0], [0.0, 4.0]]), tensor([2.0, 2.0]))
    tensor([1.0000, 0.5000])
    """
    A, B = _square(A, "solve", "; lstsq takes those"), checked(B, "solve")
    if not left:
        if _are_vectors(A, B):
            raise ShapeError("solve: left=False needs B of shape (…, k, n); with vectors, solve A.mT x = b")
        return solve(A.mT, B.mT).mT
    x = apply_operation(linalg.solve, A, _columns("solve", A, B))
    return x.squeeze(-1) if _are_vectors(A, B) else x


def _are_vectors(A: Tensor, B: Tensor) -> bool:
    """Whether B holds a vector for each matrix, as torch decides it."""
    return B.ndim == 1 or (B.ndim == A.ndim - 1 and B.shape == A.shape[:-1])


def _columns(name: str, A: Tensor, B: Tensor) -> Tensor:
    """The right-hand sides B as columns of matrices."""
    columns = B.unsqueeze(-1) if _are_vectors(A, B) else B
    if columns.ndim < 2 or columns.shape[-2] != A.shape[-2]:
        raise ShapeError(f"{name}: A of shape {A.shape} needs a B of {A.shape[-2]} rows, but its shape is {B.shape}")
    return columns


def det(A: Tensor) -> Tensor:
    """The determinant, with derivative cof A (for an invertible matrix det A · A⁻ᵀ; singular ones have one too).

    Raises:
        ShapeError: unless the matrices are square.

    >>> det(tensor([[2.0, 1.0], [1.0, 2.0]]))
    tensor(3.)
    """
    return apply_unary(linalg.determinant, _square(A, "det"))


def slogdet(A: Tensor) -> SlogdetResult:
    """The sign of det A, which has no gradient, and log |det A|, with derivative A⁻ᵀ.

    A singular matrix has sign 0 and logarithm −∞, and `backward` refuses it.

    Raises:
        ShapeError: unless the matrices are square.

    >>> slogdet(tensor([[-1.0, 0.0], [0.0, 1.0]]))
    SlogdetResult(sign=tensor(-1.), logabsdet=tensor(0.))
    """
    array = _square(A, "slogdet").array
    sign = arrays.namespace(array).linalg.slogdet(array)[0]
    return SlogdetResult(wrap(sign, None), apply_unary(linalg.log_abs_determinant, A))


def logdet(A: Tensor) -> Tensor:
    """The logarithm of det A, with derivative A⁻ᵀ: −∞ for determinant 0, NaN for a negative one.

    Raises:
        ShapeError: unless the matrices are square.

    >>> logdet(tensor([[2.0, 0.0], [0.0, 0.5]]))
    tensor(0.)
    """
    sign, logarithm = slogdet(A)
    return where(sign < 0, float("nan"), logarithm)


def cholesky(input: Tensor, upper: bool = False) -> Tensor:
    """The lower triangular L with L Lᵀ = A (or, with `upper`, its transpose) of symmetric positive definite A.

    The derivative is (S + Sᵀ)/2 with S = L⁻ᵀ Φ(Lᵀ G) L⁻¹, where Φ takes the lower triangle and halves the diagonal:
    A is understood to move among the symmetric matrices. Of A only the lower triangle is read.

    Raises:
        ShapeError: unless the matrices are square.
        SingularMatrixError: where one is not positive definite.

    >>> cholesky(tensor([[4.0, 2.0], [2.0, 2.0]]))
    tensor([[2., 0.],
            [1., 1.]])
    """
    factor = apply_unary(linalg.cholesky, _square(input, "cholesky"))
    return factor.mT if upper else factor


def pinv(A: Tensor, rcond: float | None = None, hermitian: bool = False, *, rtol: float | None = None) -> Tensor:
    """The pseudo-inverse A⁺: A⁺ b is the shortest of the x that make ‖A x − b‖ smallest.

    The derivative is along the matrices of the same rank; where A has not full rank, A⁺ jumps off them.

    Args:
        A: matrices, of shape (…, m, n).
        rcond: an older name for `rtol`.
        hermitian: that A is symmetric, which saves other libraries work; here it is computed like any other.
        rtol: singular values up to rtol · σ₁ count as 0; by default max(m, n) · ε.

    Raises:
        ShapeError: for less than two dimensions.
        SingularMatrixError: for NaN or infinity.

    >>> pinverse(tensor([[2.0], [0.0]]))
    tensor([[0.5000, 0.0000]])
    """
    return apply_unary(linalg.pinv, _square(A, "pinv") if hermitian else _matrix(A, "pinv"), _tolerance(rcond, rtol))


def _tolerance(rcond: float | None, rtol: float | None = None) -> float | None:
    rtol = rcond if rtol is None else rtol
    return None if rtol is None else float(rtol)


pinverse = pinv


def lstsq(A: Tensor, B: Tensor, rcond: float | None = None, *, driver: str | None = None) -> LstsqResult:
    """The least squares solution: the X that makes ‖A X − B‖ smallest (the shortest, if there are several).

    Differentiable in A and B, as `pinv`. The other fields of the result, as in torch: `residuals`, the sums of
    squares ‖A x − b‖² for each column b if there are more rows than columns and all ranks are full (else empty);
    `rank`; and the `singular_values` of A; the last two have no gradient.

    Args:
        A: matrices, of shape (…, m, n).
        B: right-hand sides, of shape (…, m, k), or a vector for each matrix.
        rcond: singular values up to rcond · σ₁ count as 0; by default max(m, n) · ε.
        driver: torch's ways to compute it, "gels", "gelsy", "gelsd" or "gelss"; here they are one, by singular values.

    Raises:
        ValueError: for another driver.
        ShapeError: where A and B have different numbers of rows.
        SingularMatrixError: for NaN or infinity.

    >>> from tinygrad_poly.linalg import lstsq
    >>> lstsq(tensor([[1.0], [1.0]]), tensor([1.0, 3.0])).solution      # the mean
    tensor([2.0000])
    """
    if driver not in (None, "gels", "gelsy", "gelsd", "gelss"):
        raise ValueError(f"lstsq: driver must be 'gels', 'gelsy', 'gelsd' or 'gelss', not {driver!r}")
    A, B = _matrix(A, "lstsq"), checked(B, "lstsq")
    rtol, columns = _tolerance(rcond), _columns("lstsq", A, B)
    solution = apply_operation(linalg.lstsq, A, columns, rtol)
    xp = arrays.namespace(A.array)
    values = linalg.singular_values(A.array)
    rank = xp.count_nonzero(linalg.reciprocals(values, A.shape, rtol), axis=-1)
    rows, unknowns = A.shape[-2:]
    if rows > unknowns and bool(xp.all(rank == unknowns)):
        difference = A @ solution - columns
        residuals = sum(difference * difference, -2)
    else:
        residuals = wrap(xp.zeros((0,), dtype=A.dtype), None)
    solution = solution.squeeze(-1) if _are_vectors(A, B) else solution
    return LstsqResult(solution, residuals, wrap(rank, None), wrap(values, None))


def matrix_power(input: Tensor, n: int) -> Tensor:
    """The power Aⁿ for a whole n, by repeated squaring; A⁰ is the identity, and negative n take powers of the inverse.

    Raises:
        ShapeError: unless the matrices are square.
        SingularMatrixError: for a negative power of a singular matrix.

    >>> matrix_power(tensor([[1.0, 1.0], [0.0, 1.0]]), 5)
    tensor([[1., 5.],
            [0., 1.]])
    """
    base = _square(input, "matrix_power")
    if n < 0:
        base, n = inv(base), -n
    identity = arrays.namespace(base.array).eye(base.shape[-1], dtype=base.dtype)
    result = None
    while n:
        if n & 1:
            result = base if result is None else result @ base
        n >>= 1
        base = base @ base if n else base
    return wrap(arrays.expand(identity, base.shape), None) if result is None else result


def matrix_norm(A: Tensor, ord: float | str = "fro", dim: tuple[int, int] = (-2, -1), keepdim: bool = False) -> Tensor:
    """A norm of matrices: "fro", √Σ aᵢⱼ²; 1, the largest column sum Σᵢ |aᵢⱼ|; inf, the largest row sum.

    −1 and −inf give the smallest sums; 2 and −2 the largest and smallest singular value, and "nuc" the sum of all.
    Slopes are those of `vector_norm` and `svdvals`: 0 for the Frobenius norm of a zero matrix, and shared by columns
    (rows, singular values) that are equal.

    Args:
        A: matrices, of shape (…, m, n).
        ord: which norm.
        dim: the dimensions of rows and columns.
        keepdim: keep them with length 1.

    Raises:
        ShapeError: for another `ord`, or less than two dimensions.

    >>> from tinygrad_poly.linalg import matrix_norm
    >>> matrix_norm(tensor([[1.0, -2.0], [2.0, 4.0]]))
    tensor(5.)
    >>> matrix_norm(tensor([[1.0, -2.0], [2.0, 4.0]]), 1)
    tensor(6.)
    >>> matrix_norm(tensor([[3.0, 0.0], [0.0, 4.0]]), "nuc")
    tensor(7.)
    """
    rows, columns = arrays.normalize_axes(dim, _matrix(A, "matrix_norm").ndim, "matrix_norm") or ()
    if ord == "fro":
        return vector_norm(A, 2, (rows, columns), keepdim)
    if ord not in ("nuc", 1, -1, 2, -2, float("inf"), float("-inf")):
        raise ShapeError(f"matrix_norm: ord must be 'fro', 'nuc', 1, -1, 2, -2, inf or -inf, not {ord!r}")
    if ord in ("nuc", 2, -2):
        values = svdvals(movedim(A, (rows, columns), (-2, -1)))
        result = sum(values, -1) if ord == "nuc" else amax(values, -1) if ord == 2 else amin(values, -1)
        return result.unsqueeze(min(rows, columns)).unsqueeze(max(rows, columns)) if keepdim else result
    added, compared = (rows, columns) if abs(float(ord)) == 1 else (columns, rows)
    sums = vector_norm(A, 1, added, keepdim=True)
    extreme = vector_norm(sums, float("inf") if float(ord) > 0 else float("-inf"), compared, keepdim=True)
    return extreme if keepdim else extreme.squeeze((rows, columns))


def eigh(A: Tensor, UPLO: str = "L") -> EighResult:
    """The eigenvalues w, from the smallest on, and eigenvectors V of symmetric A: A = V diag(w) Vᵀ.

    The derivatives are V diag(g) Vᵀ for w, and V K Vᵀ with Kᵢⱼ = (Vᵀ G − Gᵀ V)ᵢⱼ / (2 (wⱼ − wᵢ)) for V: A is
    understood to move among the symmetric matrices. Where eigenvalues are equal, their vectors have no derivative: it
    is given as NaN. Signs of vectors are LAPACK's; only what does not depend on them has a meaningful derivative.

    Args:
        A: matrices, of shape (…, n, n).
        UPLO: which triangle of A is read, "L" or "U".

    Raises:
        ShapeError: unless the matrices are square.
        ValueError: for another `UPLO`.
        SingularMatrixError: where LAPACK finds no eigenvalues, as for NaN.

    >>> from tinygrad_poly.linalg import eigh
    >>> eigh(tensor([[2.0, 0.0], [0.0, 1.0]])).eigenvalues
    tensor([1., 2.])
    """
    if str(UPLO).upper() not in ("L", "U"):
        raise ValueError(f"eigh: UPLO must be 'L' or 'U', the triangle that is read, not {UPLO!r}")
    found = linalg.SYSTEMS["eigh"].forward(_square(A, "eigh").array, UPLO.upper() == "L")
    return EighResult(apply_unary(linalg.eigenvalues, A, found), apply_unary(linalg.eigenvectors, A, found))


def eigvalsh(A: Tensor, UPLO: str = "L") -> Tensor:
    """The eigenvalues that `eigh` finds, with derivative V diag(g) Vᵀ, also where some are equal.

    >>> from tinygrad_poly.linalg import eigvalsh
    >>> eigvalsh(tensor([[2.0, 0.0], [0.0, 1.0]]))
    tensor([1., 2.])
    """
    return eigh(A, UPLO).eigenvalues


def svd(A: Tensor, full_matrices: bool = True, *, driver: str | None = None) -> SVDResult:
    """The singular value decomposition A = U diag(S) Vᵀ: U, S from the largest on, and Vᵀ.

    Singular values have the derivative U diag(g) Vᵀ. Vectors have one where the singular values differ (and, of the
    longer ones of a rectangular matrix, are not 0); elsewhere it is given as NaN. So it is for a loss that depends on
    the columns with which `full_matrices` completes U or V, which may be any. Signs are LAPACK's, as for `eigh`.

    Args:
        A: matrices, of shape (…, m, n).
        full_matrices: whether U has shape (…, m, m) and Vᵀ (…, n, n), instead of min(m, n) vectors each.
        driver: torch's ways to compute it on a GPU; here there is one.

    Raises:
        ShapeError: for less than two dimensions.
        SingularMatrixError: for NaN or infinity.

    >>> from tinygrad_poly.linalg import svd
    >>> svd(tensor([[0.0, 2.0], [1.0, 0.0]])).S
    tensor([2., 1.])
    """
    found = linalg.SYSTEMS["svd"].forward(_matrix(A, "svd").array)
    u, v = apply_unary(linalg.left_vectors, A, found), apply_unary(linalg.right_vectors, A, found)
    if full_matrices:
        u, v = _completed(u), _completed(v)
    return SVDResult(u, apply_unary(linalg.svdvals, A, found), v.mT)


def _completed(q: Tensor) -> Tensor:
    """The columns of `q` and others that make it an orthogonal matrix."""
    return q if q.shape[-2] == q.shape[-1] else apply_unary(linalg.completed, q)


def svdvals(A: Tensor, *, driver: str | None = None) -> Tensor:
    """The singular values of A, from the largest on, with derivative U diag(g) Vᵀ, also where some are equal or 0.

    >>> from tinygrad_poly.linalg import svdvals
    >>> svdvals(tensor([[0.0, 2.0], [1.0, 0.0]]))
    tensor([2., 1.])
    """
    return svd(A, False).S


def thin_svd(input: Tensor, some: bool = True, compute_uv: bool = True) -> SVDResult:
    """The decomposition of `linalg.svd` with V instead of Vᵀ, by default with min(m, n) vectors: an older function.

    >>> svd(tensor([[3.0], [4.0]]))[1]
    tensor([5.])
    """
    u, s, vt = svd(input, not some)
    return SVDResult(u, s, vt.mT) if compute_uv else SVDResult(u.detach() * 0, s, vt.detach().mT * 0)


def qr(A: Tensor, mode: str = "reduced") -> QRResult:
    """The factors A = Q R, with orthonormal columns of Q and an upper triangular R.

    The derivative, of Q by A, is (G − Q (Φ(M) + Φ(M)ᵀ)) R⁻ᵀ with M = Gᵀ Q, where Φ takes the lower triangle and halves
    the diagonal; R is Qᵀ A. Of a matrix with more columns than rows, the first ones decide on Q.

    Args:
        A: matrices, of shape (…, m, n).
        mode: "reduced", Q of shape (…, m, min(m, n)); "complete", Q of shape (…, m, m), where a loss that depends on
            the additional columns, which may be any, has the derivative NaN; or "r", without Q.

    Raises:
        ValueError: for another mode.
        SingularMatrixError: in backward, where the first min(m, n) columns are not independent.

    >>> from tinygrad_poly.linalg import qr
    >>> qr(tensor([[3.0], [4.0]])).R
    tensor([[-5.]])
    """
    if mode not in ("reduced", "complete", "r"):
        raise ValueError(f"qr: mode must be 'reduced', 'complete' or 'r', not {mode!r}")
    rows, columns = _matrix(A, "qr").shape[-2:]
    q = apply_unary(linalg.orthonormal, A if rows >= columns else A[..., :rows])
    q = _completed(q) if mode == "complete" else q
    r = triu(q.mT @ A)
    return QRResult(q.detach().reshape(-1)[:0] if mode == "r" else q, r)


def older_qr(input: Tensor, some: bool = True) -> QRResult:
    """The factors of `linalg.qr`, reduced or (without `some`) complete: torch's older function.

    >>> qr(tensor([[3.0], [4.0]]))[1]
    tensor([[-5.]])
    """
    return qr(input, "reduced" if some else "complete")


def cond(A: Tensor, p: float | str | None = None) -> Tensor:
    """The condition number ‖A‖ ‖A⁻¹‖ in the `matrix_norm` p; without p the quotient of extreme singular values.

    Raises:
        ShapeError: for another norm, and for a p other than 2 and −2 unless the matrices are square.
        SingularMatrixError: for these norms of a singular matrix; for 2 it is ∞.

    >>> from tinygrad_poly.linalg import cond
    >>> cond(tensor([[4.0, 0.0], [0.0, 2.0]]))
    tensor(2.)
    """
    if p in (None, 2, -2):
        values = svdvals(A)
        return values[..., 0] / values[..., -1] if p != -2 else values[..., -1] / values[..., 0]
    return matrix_norm(A, p) * matrix_norm(inv(A), p)


def matrix_rank(A: Tensor, tol: Any = None, hermitian: bool = False, *, atol: Any = None, rtol: Any = None) -> Tensor:
    """The number of singular values above max(atol, rtol · σ₁), which has no derivative.

    By default rtol is max(m, n) · ε, or 0 with an `atol`; `tol` is an older name for `atol`.

    Raises:
        ShapeError: for less than two dimensions.

    >>> from tinygrad_poly.linalg import matrix_rank
    >>> matrix_rank(tensor([[1.0, 2.0], [2.0, 4.0]]))
    tensor(1)
    """
    values = svdvals((_square if hermitian else _matrix)(A, "matrix_rank").detach())
    atol = tol if atol is None else atol
    if rtol is None:
        rtol = max(A.shape[-2:]) * float(arrays.namespace(A.array).finfo(A.dtype).eps) if atol is None else 0.0
    relative = values[..., :1] * (rtol[..., None] if getattr(rtol, "ndim", 0) else rtol)
    atol = atol[..., None] if getattr(atol, "ndim", 0) else atol or 0.0
    return count_nonzero((values > relative) & (values > atol), -1)


def solve_triangular(A: Tensor, B: Tensor, *, upper: bool, left: bool = True, unitriangular: bool = False) -> Tensor:
    """The X with T X = B (or, with `left=False`, X T = B) for the upper or lower triangle T of A.

    The derivatives are those of `solve`, for A in the triangle only (`cholesky_solve` too, where torch fills the other
    one). With `unitriangular`, ones are taken for the diagonal.

    Raises:
        ShapeError: unless the matrices are square, and as high as B.
        SingularMatrixError: where a number on the diagonal is 0.

    >>> from tinygrad_poly.linalg import solve_triangular
    >>> solve_triangular(tensor([[2.0, 0.0], [1.0, 1.0]]), tensor([[2.0], [2.0]]), upper=False)
    tensor([[1.],
            [1.]])
    """
    part = triu if upper else tril
    triangle = part(_square(A, "solve_triangular"), (1 if upper else -1) * unitriangular)
    if unitriangular:
        triangle = triangle + arrays.namespace(A.array).eye(A.shape[-1], dtype=A.dtype)
    return solve(triangle, B, left=left)


def cholesky_solve(B: Tensor, L: Tensor, upper: bool = False) -> Tensor:
    """The X with L Lᵀ X = B, for a factor L that `cholesky` has found (`upper`: Lᵀ L X = B).

    >>> cholesky_solve(tensor([[4.0]]), tensor([[2.0]]))
    tensor([[1.]])
    """
    lower = L.mT if upper else L
    return solve_triangular(lower.mT, solve_triangular(lower, B, upper=False), upper=True)


def cholesky_inverse(L: Tensor, upper: bool = False) -> Tensor:
    """The inverse of L Lᵀ, for a factor L that `cholesky` has found (`upper`: of Lᵀ L).

    >>> cholesky_inverse(tensor([[2.0]]))
    tensor([[0.2500]])
    """
    identity = arrays.namespace(L.array).eye(L.shape[-1], dtype=L.dtype)
    return cholesky_solve(wrap(identity, None), L, upper)


def multi_dot(tensors: Sequence[Tensor]) -> Tensor:
    """The product of two or more matrices, in the order that needs the fewest multiplications of numbers.

    The first may be a vector for a row, and the last one for a column.

    Raises:
        ShapeError: for fewer than two tensors, or where they do not fit.

    >>> from tinygrad_poly.linalg import multi_dot
    >>> multi_dot([tensor([1.0, 2.0]), tensor([[1.0, 0.0], [0.0, 2.0]]), tensor([3.0, 1.0])])
    tensor(7.)
    """
    if len(tensors) < 2 or any(checked(t, "multi_dot").ndim != 2 for t in tensors[1:-1]):
        raise ShapeError(f"multi_dot: expected two or more matrices, not {[t.shape for t in tensors]}")
    if not {tensors[0].ndim, tensors[-1].ndim} <= {1, 2}:
        raise ShapeError(
            f"multi_dot: the first and the last are matrices or vectors, not {tensors[0].shape} and {tensors[-1].shape}"
        )
    heights = [1 if t.ndim == 1 and not i else t.shape[0] for i, t in enumerate(tensors)]
    ends = [*heights, tensors[-1].shape[1] if tensors[-1].ndim == 2 else 1]

    @functools.cache
    def cheapest(i: int, k: int) -> tuple[int, int]:
        """The cost of the product of tensors i … k − 1, and where it is split."""
        splits = [(cheapest(i, j)[0] + cheapest(j, k)[0] + ends[i] * ends[j] * ends[k], j) for j in range(i + 1, k)]
        return min(splits, default=(0, i))

    def product(i: int, k: int) -> Tensor:
        j = cheapest(i, k)[1]
        return tensors[i] if i + 1 == k else product(i, j) @ product(j, k)

    return product(0, len(tensors))


def vecdot(x: Tensor, y: Tensor, *, dim: int = -1) -> Tensor:
    """The inner products Σ xᵢ yᵢ of vectors along `dim`, which broadcast.

    >>> from tinygrad_poly.linalg import vecdot
    >>> vecdot(tensor([[1.0, 2.0], [0.0, 1.0]]), tensor([3.0, 4.0]))
    tensor([11.,  4.])
    """
    return sum(checked(x, "vecdot") * y, dim)


def vander(x: Tensor, *, N: int | None = None) -> Tensor:
    """The Vandermonde matrix of increasing powers: row i holds 1 xᵢ … xᵢᴺ⁻¹.

    >>> from tinygrad_poly.linalg import vander
    >>> vander(tensor([2.0, 3.0]), N=3)
    tensor([[1., 2., 4.],
            [1., 3., 9.]])
    """
    return powers(x, N, increasing=True)


def tensorinv(A: Tensor, ind: int = 2) -> Tensor:
    """The inverse of A as a map from its last dimensions to the first `ind` ones.

    Raises:
        ShapeError: unless both have as many elements.

    >>> from tinygrad_poly.linalg import tensorinv
    >>> tensorinv(tensor([[[2.0]]])).shape
    torch.Size([1, 1, 1])
    """
    n = math.prod(A.shape[ind:])
    return inv(A.reshape(-1, n)).reshape(*A.shape[ind:], *A.shape[:ind])


def tensorsolve(A: Tensor, B: Tensor, dims: tuple[int, ...] | None = None) -> Tensor:
    """The X with tensordot(A, X, X.ndim) = B; A's `dims` are moved to its end first.

    Raises:
        ShapeError: unless A has as many elements in the dimensions of B as in the others.

    >>> from tinygrad_poly.linalg import tensorsolve
    >>> tensorsolve(tensor([[[2.0]]]), tensor([[1.0]])).shape
    torch.Size([1])
    """
    A = A if dims is None else movedim(A, dims, tuple(range(-len(dims), 0)))
    shape = A.shape[B.ndim :]
    return solve(A.reshape(-1, math.prod(shape)), B.reshape(-1)).reshape(shape)


def matrix_exp(A: Tensor) -> Tensor:
    """The exponential Σ Aᵏ/k!, by a quotient of polynomials of A/2ˢ, squared s times, with its derivative.

    N. J. Higham, "The scaling and squaring method for the matrix exponential revisited" (2005).

    Raises:
        ShapeError: unless the matrices are square.

    >>> matrix_exp(tensor([[0.0, 1.0], [0.0, 0.0]]))
    tensor([[1., 1.],
            [0., 1.]])
    """
    if not _square(A, "matrix_exp").numel():
        return A
    largest = float(max(matrix_norm(A.detach(), 1).reshape(-1).tolist(), default=0.0))
    squarings = math.frexp(largest / 5.37)[1] if 5.37 < largest < math.inf else 0
    x, term = A * 0.5**squarings, arrays.namespace(A.array).eye(A.shape[-1], dtype=A.dtype)
    # The coefficients of Padé's approximation of degree 13: 1, and each from the last.
    even, odd, coefficient = term * 1.0, 0.0 * x, 1.0
    for k in range(13):
        coefficient *= (13 - k) / ((26 - k) * (k + 1))
        term = x if not k else term @ x
        even, odd = (even, odd + term * coefficient) if k % 2 == 0 else (term * coefficient + even, odd)
    result = solve(even - odd, even + odd)
    for _ in range(squarings):
        result = result @ result
    return result
