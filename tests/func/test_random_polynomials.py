"""Two routes to each quantity, and torch's, on random polynomials: all equal to the last bit."""

import numpy as np
import pytest
import torch
from hypothesis import Phase, given, settings

import tinygrad_poly as tg
from tinygrad_poly import func
from tinygrad_poly.derivatives import arithmetic

from ..helpers import examples, numbers
from .polynomials import polynomials, whole


def assert_blocks_equal(mine, reference):
    """Nested tuples of tensors, of either library."""
    if isinstance(mine, tuple):
        assert len(mine) == len(reference)
        for a, b in zip(mine, reference, strict=True):
            assert_blocks_equal(a, b)
        return
    assert (mine.shape, str(mine.dtype)) == (reference.shape, str(reference.dtype))
    np.testing.assert_array_equal(numbers(mine), numbers(reference))


def matrix(blocks, y, xs):
    """Jacobian blocks side by side: a row for each number in `y`, a column for each in `xs`."""
    return np.concatenate([numbers(b).reshape(y.numel(), x.numel()) for b, x in zip(blocks, xs, strict=True)], axis=1)


def flat(tensors):
    return np.concatenate([numbers(x).ravel() for x in tensors])


def check_first_derivatives(f):
    xs, theirs = [tg.tensor(a) for a in f.arrays], [torch.tensor(a) for a in f.arrays]
    every = tuple(range(len(xs)))
    by_rows = func.jacrev(f, every)(*xs)
    assert_blocks_equal(by_rows, func.jacfwd(f, every)(*xs))
    if all(a.size for a in f.arrays):  # torch's vmap has no broadcasting to nothing
        assert_blocks_equal(by_rows, torch.func.jacrev(f, every)(*theirs))

    vs = [tg.tensor(whole(i, x.shape)) for i, x in enumerate(xs)]
    y, moved = func.jvp(f, tuple(xs), tuple(vs))
    u = tg.tensor(whole(9, y.shape))
    output, vjp_fn = func.vjp(f, *xs)
    pulled = vjp_fn(u)
    J = matrix(by_rows, y, xs)
    np.testing.assert_array_equal(numbers(moved).ravel(), J @ flat(vs))
    np.testing.assert_array_equal(flat(pulled), flat([u]) @ J)
    assert flat([moved]) @ flat([u]) == flat(vs) @ flat(pulled)  # ⟨J v, u⟩ = ⟨v, Jᵀ u⟩
    np.testing.assert_array_equal(numbers(output), numbers(f(*xs)))
    np.testing.assert_array_equal(numbers(y), numbers(f(*xs)))


def check_second_derivatives(f):
    xs, theirs = [tg.tensor(a) for a in f.arrays], [torch.tensor(a) for a in f.arrays]
    every = tuple(range(len(xs)))
    gradient = func.grad(f.scalar, every)
    hessian = func.hessian(f.scalar, every)(*xs)
    assert_blocks_equal(hessian, func.jacfwd(gradient, every)(*xs))
    assert_blocks_equal(hessian, func.jacrev(gradient, every)(*xs))
    assert_blocks_equal(gradient(*xs), torch.func.grad(f.scalar, every)(*theirs))
    if all(a.size for a in f.arrays):
        assert_blocks_equal(hessian, torch.func.jacrev(torch.func.grad(f.scalar, every), every)(*theirs))

    H = np.concatenate([matrix(row, x, xs) for row, x in zip(hessian, xs, strict=True)])
    np.testing.assert_array_equal(H, H.T)
    vs = tuple(tg.tensor(whole(i, x.shape)) for i, x in enumerate(xs))
    np.testing.assert_array_equal(flat(func.hvp(f.scalar, tuple(xs), vs)), H @ flat(vs))
    np.testing.assert_array_equal(flat(func.jvp(gradient, tuple(xs), vs)[1]), H @ flat(vs))
    # The vjp of x ↦ J(x) v with u is the Hessian of u · f times v.
    u = tg.tensor(whole(9, f(*xs).shape))
    _, vjp_fn = func.vjp(lambda *xs: func.jvp(f, xs, vs)[1], *xs)
    np.testing.assert_array_equal(flat(vjp_fn(u)), flat(func.hvp(lambda *xs: (f(*xs) * u).sum(), tuple(xs), vs)))


@settings(max_examples=examples(30))
@given(f=polynomials())
def test_rows_columns_and_products_agree_exactly(f):
    check_first_derivatives(f)


@settings(max_examples=examples(20))
@given(f=polynomials())
def test_hessians_by_rows_by_columns_and_times_vectors_agree_exactly(f):
    check_second_derivatives(f)


@pytest.mark.parametrize(
    ("row", "rules"),
    [
        pytest.param(arithmetic.subtract, (lambda g: g, lambda g: g), id="sign"),
        pytest.param(arithmetic.multiply, (lambda g, a, b: g * a, lambda g, a, b: g * b), id="exchanged"),
        # Right as a gradient at these points, but not as a function of g and x.
        pytest.param(arithmetic.power_scalar, (lambda g, x, n: (g * n * x ** (n - 1)).detach() if hasattr(g, "node")
                                               else g * n * x ** max(n - 1, 0),), id="constant"),
    ],
)  # fmt: skip
def test_the_comparisons_notice_a_wrong_rule(monkeypatch, row, rules):
    monkeypatch.setattr(row, "rules", rules)

    @settings(max_examples=300, deadline=None, database=None, derandomize=True, phases=[Phase.generate])
    @given(f=polynomials())
    def check(f):
        check_first_derivatives(f)
        check_second_derivatives(f)

    with pytest.raises((AssertionError, ValueError)):
        check()
