"""Polynomials, given by their coefficients c₀, c₁, … of 1, x, x², … (ascending, as in `numpy.polynomial`)."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_poly.derivatives import indexing, linalg, polynomials, reductions
from tinygrad_poly.engine import arrays
from tinygrad_poly.engine.apply import apply_operation, apply_unary, checked, wrap
from tinygrad_poly.engine.errors import DtypeError, ShapeError
from tinygrad_poly.functions._shared import Tensor


def _coefficients(c: Any, name: str) -> Tensor:
    """The argument `c`, checked to be a tensor of coefficients.

    Raises:
        ShapeError: unless it is one-dimensional and there is at least one.
    """
    tensor = checked(c, name)
    if tensor.ndim != 1 or not tensor.numel():
        raise ShapeError(f"{name}: expected coefficients of shape (n,) with n ≥ 1, but the shape is {tensor.shape}")
    return tensor


def _whole(n: Any, name: str, what: str) -> int:
    if not isinstance(n, int) or n < 0:
        raise DtypeError(f"{name}: {what} must be a whole number of 0 or more, not {n!r}")
    return n


def polyval(coefficients: Tensor, x: Any, *, descending: bool = False) -> Tensor:
    """The values p(x) = c₀ + c₁ x + … + cₙ xⁿ for each x, by Horner's rule ((cₙ x + cₙ₋₁) x + …) x + c₀.

    The derivatives are xᵏ with respect to cₖ and the polynomial p′(x) with respect to x. The result has an
    error of at most 2n u Σ |cₖ xᵏ|, with the unit roundoff u.

    Args:
        coefficients: c₀ … cₙ, of shape (n + 1,).
        x: where to evaluate, a tensor of any shape or a number.
        descending: whether the coefficients come as cₙ … c₀, as for `numpy.polyval`.

    Raises:
        ShapeError: unless the coefficients are one-dimensional.

    >>> polyval(tensor([1.0, 0.0, 2.0]), tensor([0.0, 1.0, 2.0]))       # 1 + 2x²
    tensor([1., 3., 9.])
    """
    c = _coefficients(coefficients, "polyval")
    if isinstance(x, (int, float)):
        x = wrap(arrays.namespace(c.array).asarray(x, dtype=c.dtype if arrays.is_floating(c.dtype) else None), None)
    return apply_operation(polynomials.polyval, c[::-1] if descending else c, checked(x, "polyval"), 0)


def vander(x: Tensor, N: int | None = None, increasing: bool = False) -> Tensor:
    """The Vandermonde matrix of powers: row i holds xᵢⁿ⁻¹ … xᵢ 1 (or, `increasing`, 1 xᵢ … xᵢⁿ⁻¹).

    `vander(x, N, increasing=True) @ c` is `polyval(c, x)`. The derivative of xᵏ is k xᵏ⁻¹.

    Args:
        x: points, of shape (…, m).
        N: how many powers; by default m.
        increasing: whether the powers increase from left to right.

    Returns:
        The powers, of shape (…, m, N).

    Raises:
        ShapeError: for a 0-d tensor.

    >>> vander(tensor([2.0, 3.0]), 3, increasing=True)
    tensor([[1., 2., 4.],
            [1., 3., 9.]])
    """
    if not checked(x, "vander").ndim:
        raise ShapeError("vander: expected points, of shape (…, m), but the tensor is 0-d")
    powers = apply_unary(polynomials.vander, x, x.shape[-1] if N is None else _whole(N, "vander", "N"), 0)
    return powers if increasing else powers[..., ::-1]


def _like(c: Tensor, numbers: Sequence[float]) -> Tensor:
    """Numbers as a tensor in the dtype and on the device of c."""
    return wrap(arrays.namespace(c.array).asarray(numbers, dtype=c.dtype), None)


def _moved(c: Tensor, length: int, places: Any) -> Tensor:
    """Zeros, `length` of them, with the elements of c added at `places`."""
    return apply_operation(indexing.put, c, (length,), places)


def polyder(coefficients: Tensor, m: int = 1) -> Tensor:
    """The coefficients of the m-th derivative: (c₁, 2c₂, 3c₃, …) for m = 1.

    Raises:
        ShapeError: unless the coefficients are one-dimensional.
        DtypeError: unless m is a whole number.

    >>> polyder(tensor([1.0, 2.0, 3.0]))                # of 1 + 2x + 3x²
    tensor([2., 6.])
    """
    c, m = _coefficients(coefficients, "polyder"), _whole(m, "polyder", "m")
    if m == 0:
        return c
    if m >= c.numel():
        return c[:1] * 0
    return c[m:] * _like(c, [math.perm(k, m) for k in range(m, c.numel())])


def polyint(coefficients: Tensor, m: int = 1, k: Any = (), lbnd: float = 0) -> Tensor:
    """The coefficients of the m-th integral: (k₁, c₀, c₁/2, c₂/3, …) for m = 1.

    Args:
        coefficients: c₀ … cₙ.
        m: how many times to integrate.
        k: for each time the value at `lbnd`, numbers or tensors (0-d, differentiable); 0 where it is missing.
        lbnd: where the integrals have those values.

    Raises:
        ShapeError: unless the coefficients are one-dimensional, or where `k` is longer than m.
        DtypeError: unless m is a whole number.

    >>> polyint(tensor([1.0, 2.0, 3.0]), k=[5.0])       # 5 + x + x² + x³
    tensor([5., 1., 1., 1.])
    """
    c, m = _coefficients(coefficients, "polyint"), _whole(m, "polyint", "m")
    constants = list(k) if isinstance(k, (list, tuple)) else [k]
    if len(constants) > m:
        raise ShapeError(f"polyint: {len(constants)} constants for {m} integrations")
    if not arrays.is_floating(c.dtype):
        c = c.to(arrays.get_default_dtype())
    for constant in constants + [0] * (m - len(constants)):
        n = c.numel()
        c = _moved(c / _like(c, range(1, n + 1)), n + 1, slice(1, None))
        if lbnd != 0:
            constant = constant - polyval(c, lbnd)
        if not isinstance(constant, (int, float)) or constant:
            constant = _like(c, [constant]) if isinstance(constant, (int, float)) else constant.reshape(1)
            c = c + _moved(constant, n + 1, slice(0, 1))
    return c


def polyadd(c1: Tensor, c2: Tensor) -> Tensor:
    """The coefficients of the sum of two polynomials.

    Raises:
        ShapeError: unless the coefficients are one-dimensional.

    >>> polyadd(tensor([1.0, 2.0]), tensor([1.0, 1.0, 1.0]))
    tensor([2., 3., 1.])
    """
    first, second = sorted((_coefficients(c1, "polyadd"), _coefficients(c2, "polyadd")), key=lambda c: c.numel())
    return second + _moved(first, second.numel(), slice(0, first.numel()))


def polymul(c1: Tensor, c2: Tensor) -> Tensor:
    """The coefficients Σᵢ aᵢ bₖ₋ᵢ of the product of two polynomials.

    Raises:
        ShapeError: unless the coefficients are one-dimensional.

    >>> polymul(tensor([1.0, 1.0]), tensor([1.0, 1.0]))         # (1 + x)²
    tensor([1., 2., 1.])
    """
    a, b = _coefficients(c1, "polymul"), _coefficients(c2, "polymul")
    degrees = np.add.outer(np.arange(a.numel()), np.arange(b.numel())).reshape(-1)
    return _moved((a[:, None] * b).reshape(-1), a.numel() + b.numel() - 1, degrees)


def polyfit(x: Tensor, y: Tensor, deg: int, *, w: Tensor | None = None) -> Tensor:
    """The coefficients of the polynomial of degree `deg` (or less) closest to the points: Σ wᵢ² (yᵢ − p(xᵢ))² is least.

    Differentiable in x, y and w. The columns of the Vandermonde matrix are scaled to length 1 first, which
    changes the solution by rounding only, but makes the least squares problem better conditioned. If several
    polynomials are equally close (there are not more points x than `deg`), the one with the shortest
    vector of scaled coefficients is taken.

    Args:
        x: points, of shape (m,).
        y: values, of shape (m,), or (m, k) for k polynomials.
        deg: the degree.
        w: weights, of shape (m,).

    Returns:
        c₀ … c_deg, of shape (deg + 1,) or (deg + 1, k).

    Raises:
        ShapeError: unless x, y and w have the same length, and there is at least one point.
        DtypeError: unless deg is a whole number.

    >>> polyfit(tensor([0.0, 1.0, 2.0]), tensor([1.0, 3.0, 5.0]), 1)        # 1 + 2x
    tensor([1.0000, 2.0000])
    """
    shapes_given = checked(x, "polyfit").shape, checked(y, "polyfit").shape
    if x.ndim != 1 or y.ndim not in (1, 2) or x.shape[0] != y.shape[0] or not x.numel():
        raise ShapeError(
            f"polyfit: expected x of shape (m,) and y of shape (m,) or (m, k), but they are {shapes_given[0]} "
            f"and {shapes_given[1]}"
        )
    powers = vander(x, _whole(deg, "polyfit", "deg") + 1, increasing=True)
    values = y[:, None] if y.ndim == 1 else y
    if w is not None:
        if checked(w, "polyfit").shape != x.shape:
            raise ShapeError(f"polyfit: w has shape {w.shape}, but x has shape {x.shape}")
        powers, values = powers * w[:, None], values * w[:, None]
    xp = arrays.namespace(x.array)
    lengths = reductions.length(powers.array, (0,), False)
    scale = wrap(xp.where(lengths == 0, xp.ones_like(lengths), lengths), None)
    c = apply_operation(linalg.lstsq, powers / scale, values, None) / scale[:, None]
    return c[:, 0] if y.ndim == 1 else c
