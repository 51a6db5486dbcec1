import math

import numpy as np
import pytest
import torch

import tinygrad_poly as tg
from tinygrad_poly.engine.errors import DtypeError, ShapeError, SingularMatrixError
from tinygrad_poly.linalg import inv, lstsq, matrix_norm, norm, pinv, solve

from ..helpers import DTYPES, UNIT_ROUNDOFF, assert_like, both, halves, numbers, ours, theirs


def pair(*shapes):
    """The same numbers in both libraries."""
    rng = np.random.default_rng(0)
    arrays = [halves(rng, shape) for shape in shapes]
    return [ours(a, "float32", False) for a in arrays], [theirs(a, "float32", False) for a in arrays]


# Products


@pytest.mark.parametrize(("program", "message"), [
    (lambda: tg.ones(2, 3) @ tg.ones(4, 5),
     r"shapes \(2, 3\) and \(4, 5\).*dimension -1 of the first \(3\).*dimension -2 of the second \(4\)"),
    (lambda: tg.ones(3) @ tg.ones(4), r"\(3,\) and \(4,\).*-1 of the first \(3\).*-1 of the second \(4\)"),
    (lambda: tg.ones(2, 3) @ tg.ones(4), r"dimension -1 of the first \(3\).*dimension -1 of the second \(4\)"),
    (lambda: tg.matmul(tg.ones(5, 2, 3), tg.ones(4, 3, 2)),
     r"before the last two, \(5,\) and \(4,\), must be equal or 1"),
    (lambda: tg.ones(2, 3) @ tg.tensor(2.0), r"0-d tensor is no matrix: multiply by it with \*"),
    (lambda: tg.mm(tg.ones(2, 3), tg.ones(3)), r"mm: expected a 2-d and a 2-d tensor, but .*\(2, 3\) and \(3,\)"),
    (lambda: tg.mv(tg.ones(2, 3), tg.ones(2)), r"dimension -1 of the first \(3\)"),
    (lambda: tg.bmm(tg.ones(1, 2, 3), tg.ones(4, 3, 2)), r"bmm: .*differ in dimension 0"),
    (lambda: tg.dot(tg.ones(2, 3), tg.ones(2, 3)), "dot: expected a 1-d"),
    (lambda: tg.dot(tg.ones(2), tg.ones(3)), r"\(2\).*\(3\)"),
    (lambda: tg.outer(tg.ones(2, 3), tg.ones(3)), "outer: expected two vectors"),
    (lambda: tg.inner(tg.ones(2, 3), tg.ones(2)), r"inner: .*lengths \(3,\).*lengths \(2,\)"),
    (lambda: tg.tensordot(tg.ones(2, 3), tg.ones(2, 4), 1), r"tensordot: .*lengths \(3,\).*lengths \(2,\)"),
    (lambda: tg.tensordot(tg.ones(2), tg.ones(2), 2), "dims=2 is out of range"),
    (lambda: tg.tensordot(tg.ones(2), tg.ones(2), ([1], [0])), "out of range"),
    (lambda: tg.trace(tg.ones(2)), r"trace: expected a matrix, .*\(2,\)"),
    (lambda: tg.cross(tg.ones(2), tg.ones(2)), r"length 3 in dimension -1.*\(2,\)"),
    (lambda: tg.addmm(tg.ones(2), tg.ones(2, 3), tg.ones(2, 3)), r"\(3\).*\(2\)"),
    (lambda: tg.functions.linear(tg.ones(5, 3), tg.ones(2, 4), tg.ones(2)), r"\(3\).*\(4\)"),
])  # fmt: skip
def test_shapes_that_do_not_fit_are_refused_with_the_dimensions_at_fault(program, message):
    with pytest.raises(ShapeError, match=message):
        program()


def test_what_is_no_tensor_is_refused():
    for program in (lambda: tg.matmul([[1.0]], tg.ones(1)), lambda: tg.einsum("i", [1.0]), lambda: tg.det(2.0)):
        with pytest.raises(DtypeError, match="expects a tensor"):
            program()


@pytest.mark.parametrize("shapes", [((3,), (3,)), ((2, 3), (3,)), ((4, 1, 2, 3), (5, 3, 2))])
def test_products_of_integers_stay_integers(shapes):
    arrays = [np.arange(math.prod(shape)).reshape(shape) for shape in shapes]
    mine, reference = (a @ b for a, b in ([tg.tensor(a) for a in arrays], [torch.tensor(a) for a in arrays]))
    assert_like(mine, reference)


@pytest.mark.parametrize("dims", [0, 1, 2, ([0], [1]), ([0, 1], [1, 0])])
def test_tensordot_is_torchs(dims):
    mine, reference = pair((3, 3), (3, 3))
    assert_like(tg.tensordot(*mine, dims=dims), torch.tensordot(*reference, dims=dims))


def test_inner_of_numbers_is_the_product():
    assert tg.inner(tg.tensor(2.0), tg.tensor([3.0, 4.0])).tolist() == [6.0, 8.0]


def test_linear_is_torchs_with_and_without_a_bias():
    (x, w, b), reference = pair((2, 5, 3), (4, 3), (4,))
    assert_like(tg.functions.linear(x, w, b), torch.nn.functional.linear(*reference))
    assert_like(tg.functions.linear(x, w), torch.nn.functional.linear(*reference[:2]))
    (x, w, b), (x_reference, w_reference, b_reference) = pair((5, 3), (3,), ())
    assert_like(tg.functions.linear(x, w, b), x_reference @ w_reference + b_reference)


# einsum


@pytest.mark.parametrize(("equation", "shapes"), [
    ("ba", [(2, 3)]), ("ij , jk -> ik", [(2, 3), (3, 4)]), ("bA", [(2, 3)]), ("i,i", [(3,), (3,)]),
    ("...", [(2, 3)]), ("...i,...i", [(4, 3), (4, 3)]), ("...ij->...ji", [(4, 2, 3)]), ("a...b->b...", [(2, 4, 5, 3)]),
    ("ij,kj", [(2, 3), (4, 3)]), ("iij", [(3, 3, 2)]), ("...,...", [(2, 1), (3,)]), ("", [()]), ("->", [()]),
    ("i...->...", [(2, 3, 4)]), ("i...->", [(2, 3)]), ("ab,ac,bd,cd->", [(2, 3), (2, 4), (3, 2), (4, 2)]),
])  # fmt: skip
def test_einsum_is_torchs(equation, shapes):
    mine, reference = pair(*shapes)
    assert_like(tg.einsum(equation, *mine), torch.einsum(equation, *reference))
    assert_like(tg.einsum(equation, mine), torch.einsum(equation, reference))


@pytest.mark.parametrize(("equation", "shapes", "message"), [
    ("ij,jk", [(2, 3)], "indices for 2 operands, but 1 were given"),
    ("ij", [], "0 were given"),
    ("ij", [(2,)], r"'ij' of 'ij' does not fit operand 0, which has shape \(2,\)"),
    ("i", [(2, 3)], r"'i' of 'i' does not fit operand 0"),
    ("ij...", [(2,)], "does not fit operand 0"),
    ("ij,jk->ik", [(2, 3), (4, 5)], r"index 'j' of .* has length 3 in operand 0 of shape \(2, 3\), but 4 in operand 1"),
    ("ii", [(2, 3)], "index 'i' of 'ii' has length 2 in operand 0"),
    ("ii", [(1, 3)], "index 'i' of 'ii' has length 1 in operand 0"),
    ("...i,...i", [(4, 3), (5, 3)], "has length 4 in operand 0"),
    ("i->ii", [(2,)], "'i' in 'i->ii' has no meaning"),
    ("i->j", [(2,)], "'j' in 'i->j' has no meaning"),
    ("1", [(2,)], "'1' in '1' has no meaning"),
])  # fmt: skip
def test_equations_that_do_not_fit_are_refused(equation, shapes, message):
    with pytest.raises(ShapeError, match=message):
        tg.einsum(equation, *(tg.ones(shape) for shape in shapes))


# Solvers


@pytest.mark.parametrize("program", [
    inv, tg.det, tg.slogdet, tg.logdet, tg.cholesky, lambda a: tg.matrix_power(a, 2), lambda a: solve(a, tg.ones(2)),
], ids=["inv", "det", "slogdet", "logdet", "cholesky", "matrix_power", "solve"])  # fmt: skip
def test_matrices_that_are_not_square_are_refused(program):
    with pytest.raises(ShapeError, match=r"square matrices, but in shape \(2, 3\) they have 2 rows and 3 columns"):
        program(tg.ones(2, 3))
    with pytest.raises(ShapeError, match=r"expected matrices.*\(3,\)"):
        program(tg.ones(3))
    with pytest.raises(DtypeError, match=r"int64: use .float\(\)"):
        program(tg.tensor([[1, 2], [3, 4]]))


@pytest.mark.parametrize(("program", "message"), [
    (lambda: solve(tg.ones(2, 2), tg.ones(3)),
     r"solve: A of shape \(2, 2\) needs a B of 2 rows, but its shape is \(3,\)"),
    (lambda: solve(tg.ones(2, 2), tg.tensor(1.0)), "needs a B of 2 rows"),
    (lambda: solve(tg.ones(2, 2), tg.ones(2), left=False), "left=False needs B of shape"),
    (lambda: lstsq(tg.ones(3, 2), tg.ones(2, 2)), r"lstsq: A of shape \(3, 2\) needs a B of 3 rows"),
    (lambda: pinv(tg.ones(3)), "pinv: expected matrices"),
    (lambda: matrix_norm(tg.ones(2, 2), 3), "ord must be 'fro', 'nuc', 1"),
    (lambda: norm(tg.ones(2, 2, 2), 1), "one or two dimensions"),
])  # fmt: skip
def test_right_hand_sides_and_norms_that_do_not_fit_are_refused(program, message):
    with pytest.raises(ShapeError, match=message):
        program()


def test_slogdet_and_lstsq_name_their_results():
    sign, logarithm = tg.slogdet(tg.tensor([[0.0, 1.0], [1.0, 0.0]]))
    result = tg.slogdet(tg.tensor([[0.0, 1.0], [1.0, 0.0]]))
    assert (result.sign.item(), result.logabsdet.item()) == (sign.item(), logarithm.item()) == (-1.0, 0.0)
    fit = lstsq(tg.tensor([[1.0, 0.0], [0.0, 2.0], [0.0, 0.0]]), tg.tensor([1.0, 2.0, 3.0]))
    np.testing.assert_allclose(numbers(fit.solution), [1.0, 1.0], rtol=2.0**-20)
    np.testing.assert_allclose(numbers(fit.residuals), [9.0], rtol=2.0**-20)
    assert (fit.rank.item(), fit.singular_values.tolist()) == (2, [2.0, 1.0])
    assert lstsq(tg.ones(2, 2), tg.ones(2)).residuals.shape == (0,)
    assert lstsq(tg.ones(2, 3, 2), tg.ones(2, 3)).rank.tolist() == [1, 1]


@both
def test_the_logarithm_of_a_negative_determinant_is_nan(m):
    assert math.isnan(m.logdet(m.tensor([[-1.0, 0.0], [0.0, 1.0]])).item())


@pytest.mark.parametrize("n", [0, 1, 2, 5])
def test_matrix_power_is_torchs(n):
    (a,), (reference,) = pair((2, 3, 3))
    assert_like(tg.matrix_power(a, n), torch.matrix_power(reference, n))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("ord", ["fro", 1, -1, math.inf, -math.inf])
@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize("dim", [(-2, -1), (0, 2), (2, 1)])
def test_matrix_norms_and_their_slopes_are_torchs(ord, keepdim, dim, dtype):
    array = np.asarray([[[3.0, -4.0], [0.5, 1.0]], [[1.0, 2.0], [-2.0, 8.0]], [[0.0, 1.0], [4.0, -1.0]]])
    mine, reference = ours(array, dtype), theirs(array, dtype)
    y, expected = tg.linalg.matrix_norm(mine, ord, dim, keepdim), torch.linalg.matrix_norm(reference, ord, dim, keepdim)
    y.sum().backward()
    expected.sum().backward()
    assert y.dtype == mine.grad.dtype == mine.dtype
    assert tuple(y.shape) == tuple(expected.shape)
    # sums are exact; a root of a sum of squares, and a quotient by it, round once each
    for a, b in ((y, expected), (mine.grad, reference.grad)):
        np.testing.assert_allclose(numbers(a), numbers(b), rtol=4 * np.finfo(dtype).eps, atol=0)


@pytest.mark.parametrize(
    ("ord", "dim"), [(None, None), (1, None), (None, (0, 1)), (2, 0), ("fro", None), (math.inf, 1)]
)
def test_norm_is_torchs(ord, dim):
    (a,), (reference,) = pair((2, 3))
    mine, expected = norm(a, ord, dim), torch.linalg.norm(reference, ord, dim)
    np.testing.assert_allclose(numbers(mine), numbers(expected), rtol=4 * np.finfo(np.float32).eps)


def test_the_frobenius_norm_of_zero_has_slope_zero_as_in_torch():
    a = tg.zeros(2, 2, requires_grad=True)
    matrix_norm(a).backward()
    assert a.grad.tolist() == [[0.0, 0.0], [0.0, 0.0]]


@pytest.mark.parametrize("shapes", [((0, 0), (0, 2)), ((2, 0, 0), (2, 0, 1))])
def test_empty_matrices_are_solved(shapes):
    a, b = (tg.zeros(shape, requires_grad=True) for shape in shapes)
    x = solve(a, b)
    x.sum().backward()
    assert (x.shape, a.grad.shape, b.grad.shape) == (shapes[1], *shapes)
    assert tg.det(a).tolist() == torch.linalg.det(torch.zeros(shapes[0])).tolist()


# Factors of matrices, and what is made of them


def diagonal_with_noise(*shape):
    """3, 6, 9, … on the diagonal and up to ½ elsewhere: norm below 12, inverse below 1, differences above 1."""
    noise = np.random.default_rng(len(shape)).uniform(-0.5, 0.5, shape)
    return 3 * np.eye(*shape[-2:]) * np.arange(1, shape[-1] + 1) + noise


def of_factors(u, s, v):
    """A function of the factors that does not depend on the signs of vectors."""
    return (u * s[..., None, :] ** 2) @ v.mT, s


A, WIDE, TALL = diagonal_with_noise(2, 3, 3), diagonal_with_noise(2, 2, 3), diagonal_with_noise(2, 3, 2)
FACTORED = {
    "eigh": (lambda m, a: of_factors(m.linalg.eigh(a)[1], *m.linalg.eigh(a)), A),
    "eigh of the upper triangle": (lambda m, a: of_factors(m.linalg.eigh(a, "U")[1], *m.linalg.eigh(a, "U")), A),
    "eigvalsh": (lambda m, a: m.linalg.eigvalsh(a, UPLO="U"), A),
    "svd": (lambda m, a: of_factors(*m.linalg.svd(a, full_matrices=False)[:2], m.linalg.svd(a, False)[2].mT), TALL),
    "all of V": (lambda m, a: of_factors(*m.linalg.svd(a)[:2], m.linalg.svd(a)[2][..., :2, :].mT), WIDE),
    "V alone": (lambda m, a: m.linalg.svd(a, full_matrices=False)[2] ** 2, WIDE),
    "torch.svd": (lambda m, a: of_factors(*a.svd()), WIDE),
    "svdvals": (lambda m, a: m.linalg.svdvals(a), TALL),
    "qr": (lambda m, a: tuple(m.linalg.qr(a)), TALL),
    "qr, wide": (lambda m, a: tuple(m.linalg.qr(a, mode="complete")), WIDE),
    "torch.qr": (lambda m, a: tuple(m.qr(a)), A),
    **{f"matrix_norm {p}": (lambda m, a, p=p: m.linalg.matrix_norm(a, p), TALL) for p in (2, -2, "nuc")},
    "norm of other dimensions": (lambda m, a: m.linalg.norm(a, 2, (1, 0), keepdim=True), TALL),
    **{f"cond {p}": (lambda m, a, p=p: m.linalg.cond(a, p), A) for p in (None, 2, -2, "nuc")},
    "solve_triangular": (lambda m, a, b: m.linalg.solve_triangular(a, b, upper=True), A, TALL),
    "solve_triangular from the right": (
        lambda m, a, b: m.linalg.solve_triangular(a, b, upper=False, left=False, unitriangular=True), A, WIDE,
    ),
    "cholesky_solve": (lambda m, a, b: m.cholesky_solve(b, m.linalg.cholesky(a @ a.mT)), A, TALL),
    "cholesky_solve, upper": (
        lambda m, a, b: m.cholesky_solve(b, m.linalg.cholesky(a @ a.mT, upper=True), True), A, TALL,
    ),
    "cholesky_inverse": (lambda m, a: m.cholesky_inverse(m.linalg.cholesky(a @ a.mT)), A),
    "multi_dot": (lambda m, a, b: m.linalg.multi_dot([a[0, 0], a[1], b[0], a[0, :2]]), A, TALL),
    "multi_dot of vectors": (lambda m, a: m.linalg.multi_dot([a[0, 0], a[1], a[0, :, 1]]), A),
    "vecdot": (lambda m, a: m.linalg.vecdot(a, a.mT, dim=0), A),
    "vander": (lambda m, a: m.linalg.vander(a[0] / 9, N=4), A),
    "tensorinv": (lambda m, a: m.linalg.tensorinv(a.reshape(4, 2, 2), ind=1), diagonal_with_noise(4, 4)),
    "tensorsolve": (
        lambda m, a, b: m.linalg.tensorsolve(a.reshape(2, 2, 4), b[0, :2]),
        diagonal_with_noise(4, 4),
        TALL,
    ),
    "tensorsolve, moved": (
        lambda m, a, b: m.linalg.tensorsolve(a.reshape(4, 2, 2), b[0, :2], dims=(0,)), diagonal_with_noise(4, 4), TALL,
    ),
    "matrix_exp": (lambda m, a: m.matrix_exp(a / 4), A),
    "matrix_exp, squared": (lambda m, a: m.linalg.matrix_exp(a), A[0]),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*deprecated")
@pytest.mark.parametrize(("program", "arrays"), [(f, arrays) for f, *arrays in FACTORED.values()], ids=FACTORED)
def test_factors_have_torchs_values_and_both_gradients(program, arrays):
    results = []
    for m, make in ((tg, ours), (torch, theirs)):
        inputs = [make(a, "float64") for a in arrays]
        ys = program(m, *inputs)
        ys = ys if isinstance(ys, tuple) else (ys,)
        weights = [make(np.cos(np.arange(np.prod(y.shape))).reshape(tuple(y.shape)), "float64", False) for y in ys]
        grad = tg.grad if m is tg else torch.autograd.grad
        first = grad(sum((y * w).sum() for y, w in zip(ys, weights)), inputs, create_graph=True)
        second = grad(sum((g * g).sum() for g in first), inputs, allow_unused=True)
        results.append([numbers(x) for x in (*ys, *first, *(h for h in second if h is not None))])
    for mine, reference in zip(*results, strict=True):
        assert mine.shape == reference.shape
        # Two backward stable algorithms are off by some 100 u times a norm below 12; second derivatives have up to six
        # factors of the matrix, its inverse (below 1) and the inverse differences (below 1): 12⁶ is far from reached.
        assert np.abs(mine - reference).max() <= 1e4 * UNIT_ROUNDOFF["float64"] * max(1, np.abs(reference).max())


SPECIAL = {
    "equal": [[1.0, 0.0], [0.0, 1.0]],
    "zero": [[0.0, 0.0], [0.0, 0.0]],
    "rank 1, square": [[1.0, 0.0], [0.0, 0.0]],
    "rank 1, tall": [[1.0, 0.0], [0.0, 0.0], [0.0, 0.0]],
    "rank 1, wide": [[2.0, 0.0, 0.0], [0.0, 0.0, 0.0]],
}
PROGRAMS = {
    "U": lambda m, x: (m.linalg.svd(x, full_matrices=False)[0] ** 4).sum(),
    "V": lambda m, x: (m.linalg.svd(x, full_matrices=False)[2] ** 4).sum(),
    "svdvals": lambda m, x: m.linalg.svdvals(x).sum(),
    "eigvalsh": lambda m, x: (m.linalg.eigvalsh(x[:2, :2]) ** 2).sum(),
    "eigh": lambda m, x: (m.linalg.eigh(x[:2, :2])[1] ** 4).sum(),
    "curvature of eigvalsh": lambda m, x: slopes(m, x[:2, :2]),
    **{f"norm {p}": lambda m, x, p=p: m.linalg.matrix_norm(x, p) for p in ("nuc", 2, -2)},
    "cond": lambda m, x: m.linalg.cond(x),
}


def slopes(m, x):
    (g,) = (tg.grad if m is tg else torch.autograd.grad)((m.linalg.eigvalsh(x) ** 2).sum(), x, create_graph=True)
    return (g * g).sum()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("matrix", SPECIAL.values(), ids=SPECIAL)
@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_equal_and_zero_singular_values_give_what_they_give_in_torch(program, matrix):
    found = []
    for m in (tg, torch):
        x = m.tensor(matrix, dtype=m.float64, requires_grad=True)
        y = program(m, x)
        y.backward()
        found.append((y.item(), *numbers(x.grad).ravel()))
    np.testing.assert_array_equal(*found)


def test_what_completes_a_matrix_has_no_derivative():
    x = tg.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], dtype=tg.float64, requires_grad=True)
    for q in (tg.linalg.svd(x).U, tg.linalg.qr(x, "complete").Q):
        assert np.abs(numbers(q.mT @ q) - np.eye(3)).max() <= 100 * UNIT_ROUNDOFF["float64"]
        assert np.isnan(numbers(tg.grad((q**2).sum(), x, retain_graph=True)[0])).all()
        assert np.isfinite(numbers(tg.grad((q[:, :2] ** 2).sum(), x)[0])).all()
    with pytest.raises(SingularMatrixError):
        tg.linalg.qr(x[:, :1] @ tg.ones(1, 2, dtype=tg.float64) * 0 + 1).Q.sum().backward()


def test_a_rank_counts_singular_values_above_a_tolerance():
    a = np.stack([np.diag([4.0, 1.0, 0.25]), np.diag([4.0, 0.0, 0.0])])
    for options in ({}, {"atol": 0.5}, {"rtol": 0.25}, {"atol": 0.1, "rtol": 0.1}, {"tol": 1.0}, {"hermitian": True}):
        assert_like(
            tg.linalg.matrix_rank(tg.tensor(a), **options), torch.linalg.matrix_rank(torch.tensor(a), **options)
        )
    ranks = [m.linalg.matrix_rank(m.tensor(a), atol=m.tensor([0.5, 4.0], dtype=m.float64)) for m in (tg, torch)]
    assert_like(*ranks)


@pytest.mark.parametrize(("program", "message"), [
    (lambda: tg.linalg.eigh(tg.ones(2, 2), UPLO="X"), "UPLO must be 'L' or 'U'"),
    (lambda: tg.linalg.eigh(tg.ones(2, 3)), "2 rows and 3 columns"),
    (lambda: tg.linalg.eigvalsh(tg.ones(2, 2, dtype=tg.int64)), "floating-point"),
    (lambda: tg.linalg.svd(tg.ones(2)), "expected matrices"),
    (lambda: tg.linalg.svd(tg.tensor([[math.nan]])), "NaN"),
    (lambda: tg.linalg.qr(tg.ones(2, 2), mode="full"), "mode must be"),
    (lambda: tg.linalg.multi_dot([tg.ones(2, 2)]), "two or more"),
    (lambda: tg.linalg.multi_dot([tg.ones(2, 2), tg.ones(2), tg.ones(2)]), "two or more matrices"),
    (lambda: tg.linalg.solve_triangular(tg.zeros(2, 2), tg.ones(2, 1), upper=True), "singular"),
])  # fmt: skip
def test_what_cannot_be_factored_is_refused(program, message):
    with pytest.raises((ValueError, DtypeError), match=message):
        program()
