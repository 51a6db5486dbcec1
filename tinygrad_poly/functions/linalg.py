"""Inverses, solutions, determinants and factors of matrices; all take stacks of shape (…, n, n)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from tinygrad_poly.derivatives import linalg
from tinygrad_poly.engine import arrays
from tinygrad_poly.engine.apply import apply_operation, apply_unary, checked, wrap
from tinygrad_poly.engine.errors import DtypeError, ShapeError
from tinygrad_poly.functions.elementwise import where
from tinygrad_poly.functions.norms import vector_norm
from tinygrad_poly.functions.reductions import sum

if TYPE_CHECKING:
    from tinygrad_poly.tensor import Tensor


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
    vectors = _are_vectors(A, B)
    columns = B.unsqueeze(-1) if vectors else B
    if not left:
        if vectors:
            raise ShapeError("solve: left=False needs B of shape (…, k, n); with vectors, solve A.mT x = b")
        return solve(A.mT, B.mT).mT
    _check_rows("solve", A, columns, B.shape)
    x = apply_operation(linalg.solve, A, columns)
    return x.squeeze(-1) if vectors else x


def _are_vectors(A: Tensor, B: Tensor) -> bool:
    """Whether B holds a vector for each matrix, as torch decides it."""
    return B.ndim == 1 or (B.ndim == A.ndim - 1 and B.shape == A.shape[:-1])


def _check_rows(name: str, A: Tensor, columns: Tensor, given: arrays.Shape) -> None:
    if columns.ndim < 2 or columns.shape[-2] != A.shape[-2]:
        raise ShapeError(f"{name}: A of shape {A.shape} needs a B of {A.shape[-2]} rows, but its shape is {given}")


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
    rtol = _tolerance(rcond)
    vectors = _are_vectors(A, B)
    columns = B.unsqueeze(-1) if vectors else B
    _check_rows("lstsq", A, columns, B.shape)
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
    return LstsqResult(solution.squeeze(-1) if vectors else solution, residuals, wrap(rank, None), wrap(values, None))


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

    −1 and −inf give the smallest sums. Slopes are those of `vector_norm`: 0 for the Frobenius norm of a zero
    matrix, and shared by columns (rows) of equal sums.

    Args:
        A: matrices, of shape (…, m, n).
        ord: which norm. 2 and "nuc", which need singular values, are not there.
        dim: the dimensions of rows and columns.
        keepdim: keep them with length 1.

    Raises:
        ShapeError: for another `ord`, or less than two dimensions.

    >>> from tinygrad_poly.linalg import matrix_norm
    >>> matrix_norm(tensor([[1.0, -2.0], [2.0, 4.0]]))
    tensor(5.)
    >>> matrix_norm(tensor([[1.0, -2.0], [2.0, 4.0]]), 1)
    tensor(6.)
    """
    rows, columns = arrays.normalize_axes(dim, _matrix(A, "matrix_norm").ndim, "matrix_norm") or ()
    if ord == "fro":
        return vector_norm(A, 2, (rows, columns), keepdim)
    if ord not in (1, -1, float("inf"), float("-inf")):
        raise ShapeError(
            f"matrix_norm: ord must be 'fro', 1, -1, inf or -inf, not {ord!r} (2, -2 and 'nuc' need derivatives of "
            "singular values, which are not there); 'fro' is never smaller than 2"
        )
    added, compared = (rows, columns) if abs(float(ord)) == 1 else (columns, rows)
    sums = vector_norm(A, 1, added, keepdim=True)
    extreme = vector_norm(sums, float("inf") if float(ord) > 0 else float("-inf"), compared, keepdim=True)
    return extreme if keepdim else extreme.squeeze((rows, columns))
