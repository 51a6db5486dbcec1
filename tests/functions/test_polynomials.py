from fractions import Fraction

import array_api_strict as strict
import numpy as np
import pytest
import torch
from numpy.polynomial import polynomial as numpys

import tinygrad_poly as tg
from tinygrad_poly.engine.apply import wrap
from tinygrad_poly.engine.errors import DtypeError, ShapeError
from tinygrad_poly.engine.walk import leaf as leaf_node

from ..helpers import DTYPES, UNIT_ROUNDOFF, numbers, ours

each_dtype = pytest.mark.parametrize("dtype", DTYPES)
C = [0.3, -1.7, 0.9, 2.2, -0.4, 1.1]
X = np.linspace(-1.5, 1.5, 11)


def exact_value(c, x):
    return sum(Fraction(float(a)) * Fraction(float(x)) ** k for k, a in enumerate(c))


def exact_size(c, x):
    """Σ |cₖ xᵏ|"""
    return float(exact_value(np.abs(c), abs(x)))


# Evaluation


@each_dtype
def test_horners_rule_is_as_exact_as_its_error_bound_says(dtype):
    # Higham, Accuracy and Stability of Numerical Algorithms, §5.1: 2n roundings, each of a term of Σ |cₖ xᵏ|
    c, x = np.asarray(C, dtype), X.astype(dtype)
    y = tg.polyval(ours(c, dtype), ours(x, dtype))
    assert y.dtype == c.dtype
    for value, point in zip(numbers(y), x, strict=True):
        bound = 2 * len(c) * UNIT_ROUNDOFF[dtype] * exact_size(c, point)
        assert abs(Fraction(float(value)) - exact_value(c, point)) <= bound


@each_dtype
def test_all_gradients_of_polyval_are_the_exact_ones_but_for_rounding(dtype):
    c, x = ours(np.asarray(C, dtype), dtype), ours(X.astype(dtype), dtype)
    exact_c, exact_x = numbers(c), numbers(x)
    by_c, slope = tg.grad(tg.polyval(c, x).sum(), [c, x], create_graph=True)
    (curvature,) = tg.grad(slope.sum(), x, create_graph=True)
    (third,) = tg.grad(curvature.sum(), x)
    u, n = UNIT_ROUNDOFF[dtype], len(C)
    for k in range(n):
        powers = [Fraction(float(a)) ** k for a in exact_x]
        # each power is k products, their sum has 10 more terms
        assert abs(Fraction(by_c[k].item()) - sum(powers)) <= (k + 10) * u * float(sum(map(abs, powers)))
    for order, derivative in enumerate((slope, curvature, third), 1):
        coefficients = numpys.polyder(exact_c.astype(np.float64), order)
        for value, point in zip(numbers(derivative), exact_x, strict=True):
            # one more rounding for each coefficient, which is multiplied by a whole number
            bound = (2 * n + 1) * u * exact_size(coefficients, point)
            assert abs(Fraction(float(value)) - exact_value(coefficients, point)) <= bound


def test_polyval_takes_the_order_of_either_of_numpys_functions():
    c, x = tg.tensor([1.0, -2.0, 3.0]), tg.tensor([0.5, 2.0, -1.0])
    assert tg.polyval(c, x).tolist() == numpys.polyval(numbers(x), numbers(c)).tolist()
    assert tg.polyval(c, x, descending=True).tolist() == np.polyval(numbers(c), numbers(x)).tolist()


def test_polyval_takes_numbers_and_integers():
    assert tg.polyval(tg.tensor([1, 2, 3]), 2).item() == 17
    assert tg.polyval(tg.tensor([1, 2, 3]), tg.tensor([1, -1])).dtype == tg.int64
    assert tg.polyval(tg.tensor([1.0, 2.0]), 0.5).dtype == tg.float32
    assert tg.polyval(tg.tensor([1, 2]), tg.tensor([0.5])).dtype == tg.float32
    assert tg.polyval(tg.tensor([1.0, 2.0]), tg.tensor([1, 2])).dtype == tg.float32


def test_polynomials_at_infinity_are_what_their_first_coefficient_says():
    x = tg.tensor([np.inf, -np.inf, np.nan], requires_grad=True)
    assert tg.polyval(tg.tensor([5.0]), x).tolist() == pytest.approx([5.0, 5.0, 5.0])
    assert tg.polyval(tg.tensor([0.0, 1.0]), x).tolist()[:2] == [np.inf, -np.inf]
    tg.polyval(tg.tensor([0.0, 2.0]), x).backward(tg.ones(3))
    assert x.grad.tolist() == [2.0, 2.0, 2.0]


def test_powers_of_zero_have_the_slopes_of_the_polynomial():
    x = tg.tensor([0.0], requires_grad=True)
    (first,) = tg.grad(tg.vander(x, 4, increasing=True).sum(), x, create_graph=True)
    (second,) = tg.grad(first.sum(), x)
    assert (first.item(), second.item()) == (1.0, 2.0)


@pytest.mark.parametrize("increasing", [False, True])
@pytest.mark.parametrize("count", [None, 0, 1, 2, 5])
def test_vander_is_torchs(count, increasing):
    x = [0.5, -2.0, 3.0]
    mine = tg.vander(tg.tensor(x), count, increasing)
    reference = torch.vander(torch.tensor(x), count, increasing)
    assert mine.tolist() == reference.tolist()
    assert tg.vander(tg.tensor([2, 3]), count, increasing).dtype == tg.int64


# Coefficients


@pytest.mark.parametrize("m", range(5))
def test_polyder_and_polyint_are_numpys(m):
    c = np.asarray([1.0, -2.0, 3.0, 8.0])
    assert tg.polyder(tg.tensor(c), m).tolist() == numpys.polyder(c, m).tolist()
    mine, reference = tg.polyint(tg.tensor(c), m), numpys.polyint(c, m)
    # one division for each of m integrations, as in NumPy, which may multiply by reciprocals
    np.testing.assert_allclose(numbers(mine), reference, rtol=2 * m * UNIT_ROUNDOFF["float64"])


@pytest.mark.parametrize(("m", "k", "lbnd"), [(1, [3.0], 0), (2, [3.0], 0), (2, [1.0, 2.0], 0), (1, 4.0, 0),
                                              (1, [], 2.0), (2, [1.0, -1.0], 0.5)])  # fmt: skip
def test_constants_of_integration_are_numpys(m, k, lbnd):
    c = np.asarray([1.0, -2.0, 3.0])
    reference = numpys.polyint(c, m, k, lbnd)
    np.testing.assert_allclose(numbers(tg.polyint(tg.tensor(c), m, k, lbnd)), reference, rtol=16 * 2.0**-53)


def test_a_constant_of_integration_has_a_gradient():
    c, k = tg.tensor([2.0, 6.0], requires_grad=True), tg.tensor(1.0, requires_grad=True)
    tg.polyval(tg.polyint(c, k=[k]), 2.0).backward()  # k + 2·2 + 6·2²/2
    assert (c.grad.tolist(), k.grad.item()) == ([2.0, 2.0], 1.0)


@each_dtype
@pytest.mark.parametrize(("a", "b"), [([1.0, 2.0, 3.0], [4.0, 5.0]), ([2.0], [1.0, 0.5]), ([1.0, -1.0], [1.0, 2.0])])
def test_sums_and_products_are_numpys(a, b, dtype):
    x, y = (ours(np.asarray(v), dtype) for v in (a, b))
    for mine, reference in ((tg.polymul(x, y), np.convolve(a, b)), (tg.polyadd(x, y), numpys.polyadd(a, b))):
        assert mine.dtype == x.dtype
        assert mine.tolist() == reference.tolist()
    assert tg.polyadd(x, y).tolist() == tg.polyadd(y, x).tolist()


def test_the_value_of_a_product_is_the_product_of_the_values_and_so_are_all_gradients():
    gradients = []
    for product in (
        lambda a, b: tg.polyval(tg.polymul(a, b), 2.0),
        lambda a, b: tg.polyval(a, 2.0) * tg.polyval(b, 2.0),
    ):
        a = tg.tensor([1.0, -2.0, 0.5], requires_grad=True)
        b = tg.tensor([3.0, 1.5], requires_grad=True)
        first = tg.grad(product(a, b) ** 2, [a, b], create_graph=True)
        second = tg.grad(sum((g * g).sum() for g in first), [a, b])
        gradients.append([g.tolist() for g in (*first, *second)])
    assert gradients[0] == gradients[1]


def test_the_derivative_of_the_integral_is_the_polynomial_and_its_gradient_the_identity():
    c = tg.tensor([1.0, 2.0, 3.0, 4.0], requires_grad=True)
    same = tg.polyder(tg.polyint(c, 2), 2)
    same.backward(tg.tensor([1.0, 10.0, 100.0, 1000.0]))
    np.testing.assert_allclose(numbers(same), [1, 2, 3, 4], rtol=8 * 2.0**-24)
    np.testing.assert_allclose(numbers(c.grad), [1, 10, 100, 1000], rtol=8 * 2.0**-24)


# Fitting


@each_dtype
@pytest.mark.parametrize("deg", [0, 1, 3])
def test_a_fit_is_numpys(deg, dtype):
    x, y = X, np.sin(X)
    # The condition number of the scaled powers is below 20 for degree 3 on [-1.5, 1.5], and least squares
    # may square it; n² u is the error of the factorisation, with 11 points.
    c = tg.polyfit(ours(x, dtype), ours(y, dtype), deg)
    assert c.dtype == ours(x, dtype).dtype
    reference = numpys.polyfit(x, y, deg)
    allowed = 20**2 * 11**2 * UNIT_ROUNDOFF[dtype]
    assert np.abs(numbers(c) - reference).max() <= allowed
    weights = np.cos(x) + 1
    weighted = tg.polyfit(ours(x, dtype), ours(y, dtype), deg, w=ours(weights, dtype))
    assert np.abs(numbers(weighted) - numpys.polyfit(x, y, deg, w=weights)).max() <= allowed


def test_a_fit_of_several_columns_is_that_of_each():
    y = np.stack([np.sin(X), np.cos(X)], -1)
    c = tg.polyfit(tg.tensor(X), tg.tensor(y), 3)
    assert c.shape == (4, 2)
    np.testing.assert_allclose(numbers(c), numpys.polyfit(X, y, 3), atol=20**2 * 11**2 * UNIT_ROUNDOFF["float64"])


def test_the_gradients_of_a_fit_are_those_of_the_normal_equations():
    # c = (VᵀV)⁻¹ Vᵀ y, differentiated by torch; bounds as above, with one more condition number squared for each
    # gradient.
    arrays = [X, np.sin(X), np.cos(X) + 1]
    mine = [ours(a, "float64") for a in arrays]
    reference = [torch.tensor(a, requires_grad=True) for a in arrays]
    fitted = tg.polyfit(mine[0], mine[1], 3, w=mine[2])
    powers = torch.stack([reference[0] ** k for k in range(4)], -1) * reference[2][:, None]
    expected = torch.linalg.solve(powers.mT @ powers, powers.mT @ (reference[1] * reference[2]))
    first = tg.grad((fitted * tg.tensor([1.0, 2.0, -1.0, 3.0])).sum(), mine, create_graph=True)
    weights = torch.tensor([1.0, 2.0, -1.0, 3.0])
    first_expected = torch.autograd.grad((expected * weights).sum(), reference, create_graph=True)
    second = tg.grad(sum((g * g).sum() for g in first), mine)
    second_expected = torch.autograd.grad(sum((g * g).sum() for g in first_expected), reference)
    for power, results in ((4, (first, first_expected)), (6, (second, second_expected))):
        for a, b in zip(*results, strict=True):
            assert np.abs(numbers(a) - numbers(b)).max() <= 20**power * 11**2 * UNIT_ROUNDOFF["float64"]


@pytest.mark.parametrize("scale", [1e-150, 1e150])
def test_a_fit_to_very_large_or_small_points_neither_overflows_nor_underflows(scale):
    x = tg.tensor([1.0, 2.0, 4.0], dtype=tg.float64) * scale
    slope, intercept = (tg.polyfit(x, 3 * x + scale, 1) / tg.tensor([scale, 1.0], dtype=tg.float64)).tolist()
    assert (slope, intercept) == pytest.approx((1.0, 3.0), rel=64 * 2.0**-53)


def test_points_of_a_polynomial_give_it_back():
    x = tg.tensor([-1.0, 0.0, 1.0, 2.0], dtype=tg.float64)
    c = tg.polyfit(x, tg.polyval(tg.tensor([1.0, -2.0, 0.0, 3.0], dtype=tg.float64), x), 3)
    np.testing.assert_allclose(numbers(c), [1, -2, 0, 3], atol=20**2 * 16 * UNIT_ROUNDOFF["float64"])


@pytest.mark.parametrize(("program", "error", "message"), [
    (lambda: tg.polyval(tg.ones(2, 2), 1.0), ShapeError, r"polyval: expected coefficients of shape \(n,\).*\(2, 2\)"),
    (lambda: tg.polyval(tg.zeros(0), 1.0), ShapeError, r"with n ≥ 1, but the shape is \(0,\)"),
    (lambda: tg.polyval([1.0], 1.0), DtypeError, "expects a tensor"),
    (lambda: tg.vander(tg.tensor(1.0)), ShapeError, "0-d"),
    (lambda: tg.vander(tg.ones(2), -1), DtypeError, "N must be a whole number"),
    (lambda: tg.polyder(tg.ones(2), -1), DtypeError, "m must be a whole number of 0 or more, not -1"),
    (lambda: tg.polyint(tg.ones(2), 1, [1, 2]), ShapeError, "2 constants for 1 integrations"),
    (lambda: tg.polymul(tg.ones(2), tg.ones(2, 2)), ShapeError, "polymul: expected coefficients"),
    (lambda: tg.polyfit(tg.ones(2), tg.ones(3), 1), ShapeError, r"they are \(2,\) and \(3,\)"),
    (lambda: tg.polyfit(tg.zeros(0), tg.zeros(0), 1), ShapeError, "polyfit: expected x"),
    (lambda: tg.polyfit(tg.ones(2), tg.ones(2), 1.0), DtypeError, "deg must be a whole number"),
    (lambda: tg.polyfit(tg.ones(2), tg.ones(2), 1, w=tg.ones(3)), ShapeError, r"w has shape \(3,\)"),
])  # fmt: skip
def test_what_is_no_polynomial_is_refused(program, error, message):
    with pytest.raises(error, match=message):
        program()


def test_strict_arrays_have_polynomials():
    results = []
    for xp in (strict, np):
        c, x = (wrap(a, leaf_node(a)) for a in (xp.asarray([1.0, -2.0, 3.0]), xp.asarray([0.5, 2.0, -1.0])))
        y = (tg.polyval(c, x) * tg.vander(x, 3, increasing=True).sum(-1)).sum() + tg.polyint(tg.polyder(c)).sum()
        first = tg.grad(y, [c, x], create_graph=True)
        second = tg.grad(sum((g * g).sum() for g in first), [c, x])
        results.append([np.asarray(t.array).tolist() for t in (y, *first, *second)])
    assert results[0] == results[1]
