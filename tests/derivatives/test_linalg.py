from fractions import Fraction
from itertools import product

import array_api_strict as strict
import numpy as np
import pytest
import torch

import tinygrad_poly as tg
from tinygrad_poly.derivatives import linalg
from tinygrad_poly.engine.apply import wrap
from tinygrad_poly.engine.errors import SingularMatrixError
from tinygrad_poly.engine.walk import leaf as leaf_node
from tinygrad_poly.linalg import det, inv, lstsq, pinv, slogdet, solve

from ..engine.test_operation import cases_of, is_caught
from ..helpers import DTYPES, UNIT_ROUNDOFF, numbers, ours, theirs
from .cases.linalg import definite, dyadic

each_dtype = pytest.mark.parametrize("dtype", DTYPES)


DROPPED = {
    "inverse without the transpose": (linalg.inverse, 0, lambda g, y: -(y @ g @ y)),
    "solve without the transpose": (linalg.solve, 1, lambda g, a, b, y: linalg.solve(a, g)),
    "cofactors without the trace": (linalg.cofactors, 0, lambda g, a: -(linalg.cofactors(a) @ g.mT @ inv_t(a))),
    "log det without the transpose": (
        linalg.log_abs_determinant, 0, lambda g, a: g[..., None, None] * linalg.inverse(a),
    ),
    "cholesky with the whole square": (
        linalg.cholesky, 0, lambda g, y: linalg.solve(y.mT, linalg.solve(y.mT, y.mT @ g).mT) / 2,
    ),
    "pinv as if A were square": (linalg.pinv, 0, lambda g, a, y, rtol: -(y.mT @ g @ y.mT)),
    "eigenvalues by the vectors' transpose": (
        linalg.eigenvalues, 0, lambda g, a, p: (v := linalg.eigenvectors(a, p)).mT * g[..., None, :] @ v,
    ),
    "eigenvectors without the gaps": (
        linalg.eigenvectors, 0, lambda g, a, v, p: v @ ((v.mT @ g - g.mT @ v) / 2) @ v.mT,
    ),
    "singular values without V": (
        linalg.svdvals, 0, lambda g, a, p: ((u := linalg.left_vectors(a, p)) * g[..., None, :]) @ u.mT @ a,
    ),
    "left vectors within their space alone": (
        linalg.left_vectors, 0, lambda g, a, u, p: u @ u.mT @ linalg._singular_slope(
            g, u, linalg.svdvals(a, p), linalg.right_vectors(a, p), p),
    ),
    "right vectors as left ones": (
        linalg.right_vectors, 0, lambda g, a, v, p: linalg._singular_slope(
            g, v, linalg.svdvals(a, p), linalg.left_vectors(a, p), p),
    ),
    "Q without its rotation": (linalg.orthonormal, 0, lambda g, a, q: linalg.solve(q.mT @ a, g.mT).mT),
    "lstsq without the residual": (
        linalg.lstsq, 0, lambda g, a, b, y, rtol: -(linalg.pinv(a, rtol).mT @ g @ y.mT),
    ),
}  # fmt: skip


def inv_t(a):
    return linalg.inverse(a).mT


@pytest.mark.parametrize(("row", "i", "rule"), DROPPED.values(), ids=DROPPED)
def test_a_dropped_term_is_noticed(monkeypatch, row, i, rule):
    rules = list(row.rules)
    rules[i] = rule
    monkeypatch.setattr(row, "rules", tuple(rules))
    assert is_caught(cases_of(row))


# Accuracy on matrices that are anything but exact

N = 8


def conditioned(kappa, rows=N, columns=N, seed=0):
    """A matrix with singular values from 1 down to 1/κ."""
    rng = np.random.default_rng(seed)
    u, _ = np.linalg.qr(rng.standard_normal((rows, rows)))
    v, _ = np.linalg.qr(rng.standard_normal((columns, columns)))
    k = min(rows, columns)
    return u[:, :k] @ np.diag(np.geomspace(1, 1 / kappa, k)) @ v[:k]


@each_dtype
@pytest.mark.parametrize("kappa", [1.0, 1e2, 1e4])
def test_a_matrix_times_its_inverse_is_the_identity_but_for_rounding(kappa, dtype):
    # Higham, Accuracy and Stability of Numerical Algorithms, §14.3: the residual of an inverse from LU factors
    # is at most c n u κ times the growth of the pivots, with c ≈ 8 and a growth ≤ n here; ‖A‖ = 1.
    a = ours(conditioned(kappa), dtype)
    residual = numbers(a).astype(np.float64) @ numbers(inv(a)).astype(np.float64) - np.eye(N)
    assert inv(a).dtype == a.dtype
    assert np.linalg.norm(residual, 2) <= 8 * N**2 * UNIT_ROUNDOFF[dtype] * kappa


@each_dtype
def test_solutions_have_a_small_residual_however_ill_conditioned_the_matrix_is(dtype):
    # Higham, theorem 9.4: the solution is exact for a matrix that is off by at most 8 n² u ‖A‖ (growth ≤ n).
    hilbert = np.asarray([[1 / (i + j + 1) for j in range(6)] for i in range(6)], dtype)
    b = np.ones(6, dtype)
    x = numbers(solve(ours(hilbert, dtype), ours(b, dtype))).astype(np.float64)
    size = np.linalg.norm(hilbert, 2) * np.linalg.norm(x)
    assert np.linalg.norm(hilbert.astype(np.float64) @ x - b) <= 8 * 6**2 * UNIT_ROUNDOFF[dtype] * size


def residuals(m, a, b):
    """torch's have no gradient."""
    solution, squares, *_ = m.linalg.lstsq(a, b)
    return squares if m is tg else ((a @ solution - b) ** 2).sum(-2)


PROGRAMS = {
    "inv": (lambda m, a, b: m.linalg.inv(a) @ b, (N, N)),
    "solve": (lambda m, a, b: m.linalg.solve(a, b), (N, N)),
    "slogdet": (lambda m, a, b: m.linalg.slogdet(a)[1] * b, (N, N)),
    "det": (lambda m, a, b: m.linalg.det(a) * b, (N, N)),
    "cholesky": (lambda m, a, b: m.linalg.cholesky(a @ a.mT) @ b, (N, N)),
    "pinv, tall": (lambda m, a, b: m.linalg.pinv(a) @ b, (N, 5)),
    "pinv, wide": (lambda m, a, b: m.linalg.pinv(a) @ b, (5, N)),
    "lstsq, tall": (lambda m, a, b: m.linalg.lstsq(a, b)[0], (N, 5)),
    "lstsq, wide": (lambda m, a, b: m.linalg.lstsq(a, b)[0], (5, N)),
    "residuals": (lambda m, a, b: residuals(m, a, b), (N, 5)),
}


@pytest.mark.parametrize("kappa", [2.0, 100.0])
@pytest.mark.parametrize(("program", "shape"), PROGRAMS.values(), ids=PROGRAMS)
def test_random_matrices_have_torchs_values_and_both_gradients(program, shape, kappa):
    # Inputs have norm about 1. A rounding error of n² u moves a result by κ times that and as many powers of κ
    # as the result itself is large: the value of A⁺ is κ, each gradient brings two more, one from each side.
    arrays = [conditioned(kappa, *shape), np.random.default_rng(1).standard_normal((shape[0], 2))]
    results = []
    for m, make in ((tg, ours), (torch, theirs)):
        inputs = [make(a, "float64") for a in arrays]
        y = program(m, *inputs)
        weights = make(np.cos(np.arange(np.prod(y.shape))).reshape(tuple(y.shape)), "float64", False)
        grad = tg.grad if m is tg else torch.autograd.grad
        first = grad((y * weights).sum(), inputs, create_graph=True)
        second = grad(sum((g * g).sum() for g in first), inputs)
        results.append([numbers(x) for x in (y, *first, *second)])
    for power, mine, reference in zip((2, 4, 4, 8, 8), *results, strict=True):
        assert np.linalg.norm(mine - reference) <= 100 * N**2 * UNIT_ROUNDOFF["float64"] * kappa**power


# Determinants of whole numbers, which have exact derivatives


def exact_det(a):
    if not len(a):
        return Fraction(1)
    return sum((-1) ** j * a[0][j] * exact_det([row[:j] + row[j + 1 :] for row in a[1:]]) for j in range(len(a)))


def minor(a, rows, columns):
    return exact_det([[a[i][j] for j in range(len(a)) if j not in columns] for i in range(len(a)) if i not in rows])


def exact_hessian(a, i, j, k, m):
    """∂²det/∂aᵢⱼ∂aₖₘ: a minor with two rows and two columns crossed out."""
    if i == k or j == m:
        return 0
    sign = (-1) ** (i + j + k + m) * (1 if (i < k) == (j < m) else -1)
    return sign * minor(a, (i, k), (j, m))


SINGULAR = {
    "a zero row": [[1, -1], [0, 0]],
    "rank 1 of 2": [[1, 2], [2, 4]],
    "rank 2 of 3": [[1, 2, 3], [4, 5, 6], [7, 8, 9]],
    "rank 1 of 3": [[1, 2, 3], [2, 4, 6], [-1, -2, -3]],
    "zero": [[0, 0, 0], [0, 0, 0], [0, 0, 0]],
    "rank 3 of 4": [[1, 0, 2, 1], [0, 1, 1, 1], [3, 1, 0, 2], [1, 1, 3, 2]],
    "one zero": [[0]],
    "regular": [[2, -1, 0], [1, 3, 1], [0, 1, -1]],
    "an exchange": [[0, 1], [1, 0]],
}


@each_dtype
@pytest.mark.parametrize("matrix", SINGULAR.values(), ids=SINGULAR)
def test_the_gradients_of_det_are_the_minors_where_the_matrix_is_singular_too(matrix, dtype):
    # Off by at most c n² u times the singular values that are multiplied: at most ‖A‖ⁿ⁻¹, with c = 20 for the SVD.
    n, size = len(matrix), max(np.linalg.norm(matrix, 2), 1.0)
    allowed = 20 * n**2 * UNIT_ROUNDOFF[dtype] * size ** (n - 1)
    a = ours(np.asarray(matrix), dtype)
    (first,) = tg.grad(det(a), a, create_graph=True)
    places = list(product(range(n), repeat=2))
    for i, j in places:
        assert abs(first[i, j].item() - (-1) ** (i + j) * minor(matrix, (i,), (j,))) <= allowed
        (second,) = tg.grad(first[i, j], a, retain_graph=True)
        expected = [[float(exact_hessian(matrix, i, j, k, m)) for m in range(n)] for k in range(n)]
        assert np.abs(numbers(second) - expected).max() <= allowed


@pytest.mark.parametrize("seed", range(3))
def test_gradients_of_inverses_of_whole_numbers_are_exact(seed):
    rng = np.random.default_rng(seed)
    a, g = dyadic(rng, (3, 3)), rng.integers(-3, 4, (3, 3))
    x = ours(a, "float64")
    inv(x).backward(ours(g, "float64", False))
    rows = [[Fraction(v) for v in row] for row in a.tolist()]
    y = [[(-1) ** (i + j) * minor(rows, (j,), (i,)) / exact_det(rows) for j in range(3)] for i in range(3)]
    third = range(3)
    expected = [
        [float(-sum(y[k][i] * int(g[k, m]) * y[j][m] for k in third for m in third)) for j in third] for i in third
    ]
    np.testing.assert_array_equal(numbers(x.grad), expected)


def test_the_gradient_of_cholesky_is_symmetric_and_ignores_the_upper_triangle():
    a = definite(np.random.default_rng(0), (3, 3))
    g = ours(np.arange(9.0).reshape(3, 3), "float64", False)
    gradients = []
    for matrix in (a, np.tril(a)):
        x = ours(matrix, "float64")
        tg.cholesky(x).backward(g)
        gradients.append(numbers(x.grad))
    np.testing.assert_array_equal(*gradients)
    np.testing.assert_array_equal(gradients[0], gradients[0].T)


def test_the_pseudo_inverse_of_a_matrix_without_full_rank_moves_along_its_rank():
    # A = u vᵀ/2 with u(t) = (1, 2 + t), v = (1, 1): A⁺ = v uᵀ/‖u‖² for all t
    def pseudo_inverse(t):
        u = tg.tensor([[1.0], [2.0]], dtype=tg.float64) + t * tg.tensor([[0.0], [1.0]], dtype=tg.float64)
        return pinv(u @ tg.tensor([[0.5, 0.5]], dtype=tg.float64))

    t = tg.tensor(0.0, dtype=tg.float64, requires_grad=True)
    y = pseudo_inverse(t)
    # κ of what is left of the singular values is 1, and all numbers are at most 2
    allowed = 100 * UNIT_ROUNDOFF["float64"]
    assert np.abs(numbers(y) - [[0.2, 0.4], [0.2, 0.4]]).max() <= allowed
    slopes = [tg.grad(y[0, j], t, retain_graph=True)[0].item() for j in range(2)]
    # d/dt (1, u)/(1 + u²) at u = 2: (−2u, 1 − u²)/(1 + u²)²
    assert slopes == pytest.approx([-4 / 25, -3 / 25], abs=allowed)


def test_det_and_log_det_of_a_singular_matrix():
    a = tg.tensor([[1.0, 2.0], [2.0, 4.0]], requires_grad=True)
    sign, logarithm = slogdet(a)
    assert (det(a).item(), abs(sign.item()), logarithm.item(), a.logdet().item()) == (0.0, 0.0, -np.inf, -np.inf)
    assert not sign.requires_grad
    with pytest.raises(SingularMatrixError, match="singular"):
        logarithm.backward()


# Matrices that cannot be


def test_the_error_names_the_matrix_of_a_stack_that_is_singular():
    stack = tg.tensor([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 2.0], [2.0, 4.0]]])
    with pytest.raises(SingularMatrixError, match=r"inv: the matrix at batch element \(1,\) is singular; use pinv"):
        inv(stack)
    with pytest.raises(SingularMatrixError, match=r"solve: the matrix at batch element \(1,\) is singular"):
        solve(stack, tg.ones(2, 2))
    with pytest.raises(SingularMatrixError, match=r"inv: the matrix is singular"):
        stack[1].inverse()
    with pytest.raises(SingularMatrixError, match="singular"):
        tg.matrix_power(stack[1], -1)
    with pytest.raises(
        SingularMatrixError, match=r"batch element \(0,\) is not positive definite; check that it is sym"
    ):
        tg.cholesky(tg.tensor([[[-1.0]], [[1.0]]]))
    with pytest.raises(SingularMatrixError, match="check it for NaN"):
        pinv(tg.tensor([[float("nan")]]))
    with pytest.raises(SingularMatrixError, match="check it for NaN"):
        lstsq(tg.tensor([[float("nan")]]), tg.ones(1))
    assert issubclass(SingularMatrixError, (ValueError, np.linalg.LinAlgError))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "program",
    [
        lambda a, b: (inv(a) @ b).sum(),
        lambda a, b: (solve(a, b) * b).sum(),
        lambda a, b: det(a) * det(b),
        lambda a, b: slogdet(a)[1] + (pinv(a) * b).sum(),
        lambda a, b: (tg.cholesky(a @ a.mT) * b).sum(),
        lambda a, b: (lstsq(a, b)[0] * b).sum(),
    ],
    ids=["inv", "solve", "det", "slogdet, pinv", "cholesky", "lstsq"],
)
def test_strict_arrays_give_the_numbers_of_numpy(program, dtype):
    results = []
    for xp in (strict, np):
        arrays = [xp.asarray(np.asarray(x, dtype)) for x in ([[3.0, 1.0], [1.0, 2.0]], [[1.0, -2.0], [0.5, 1.0]])]
        tensors = [wrap(a, leaf_node(a)) for a in arrays]
        first = tg.grad(program(*tensors), tensors, create_graph=True)
        second = tg.grad(sum((g * g).sum() for g in first), tensors)
        assert all(x.array.dtype == arrays[0].dtype for x in (*first, *second))
        assert all(type(x.array) is type(arrays[0]) for x in (*first, *second))
        results.append([np.asarray(x.array) for x in (*first, *second)])
    for mine, reference in zip(*results, strict=True):
        # the same calls, but for the order of sums of four terms
        np.testing.assert_allclose(mine, reference, rtol=0, atol=100 * UNIT_ROUNDOFF[dtype] * np.abs(reference).max())
