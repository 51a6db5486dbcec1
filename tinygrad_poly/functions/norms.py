"""Norms of vectors."""

from typing import Any

from tinygrad_poly.derivatives import norms
from tinygrad_poly.engine.apply import apply_unary, checked
from tinygrad_poly.engine.errors import DtypeError, ShapeError
from tinygrad_poly.functions._shared import Tensor, check_floating, check_nonempty, reduced


def norm(
    input: Tensor,
    p: Any = "fro",
    dim: Any = None,
    keepdim: bool = False,
    dtype: Any = None,
    *,
    axis: Any = None,
    keepdims: bool = False,
) -> Tensor:
    """The p-norm (Σᵢ |xᵢ|ᵖ)^(1/p) of all elements over `dim`, with derivative sign xᵢ · (|xᵢ|/y)ᵖ⁻¹.

    p is any number; "fro" is 2, the length of a vector. p = ∞ gives the largest |xᵢ|, −∞ the smallest,
    and 0 counts the xᵢ ≠ 0, with derivative 0. Where y = 0 there is no derivative: it is given as 0.
    Elements that share the largest (smallest) |xᵢ| share the derivative.

    Raises:
        DtypeError: for integers, and for p that is no number.
        ShapeError: for a dimension of length 0 where p is ∞ or negative.
        DimensionError: for a dimension out of range or named twice.

    >>> norm(tensor([3.0, 4.0]))
    tensor(5.)
    """
    if dtype is not None:
        input = checked(input, "norm").to(dtype=dtype)
    check_floating(checked(input, "norm"), "norm")
    if p is None or p == "fro":
        p = 2
    if isinstance(p, bool) or not isinstance(p, (int, float)) or p != p:
        raise DtypeError(f'norm: p must be a number, float("inf") or "fro", not {p!r}')
    axes = reduced(input, dim, axis, "norm")
    if p < 0 or p == float("inf"):
        check_nonempty(input, axes, "norm")
    return apply_unary(norms.norm, input, p, axes, keepdim or keepdims)


def vector_norm(x: Tensor, ord: float = 2, dim: Any = None, keepdim: bool = False, **options: Any) -> Tensor:
    """The norm `norm`, which has the same options, under the name in torch.linalg and in the array API standard.

    >>> vector_norm(tensor([3.0, -4.0]), ord=1)
    tensor(7.)
    """
    return norm(x, ord, dim, keepdim, **options)


def dist(input: Tensor, other: Any, p: float = 2) -> Tensor:
    """The p-norm of the difference of two tensors that broadcast.

    >>> dist(tensor([0.0, 0.0]), tensor([3.0, 4.0]))
    tensor(5.)
    """
    return norm(input - other, p)


def cdist(x1: Tensor, x2: Tensor, p: float = 2.0, compute_mode: str | None = None) -> Tensor:
    """The distances ‖aᵢ − bⱼ‖ₚ of all rows of `x1` from all rows of `x2`; the slope at distance 0 is 0.

    Args:
        x1: a, of shape (…, m, k).
        x2: b, of shape (…, n, k).
        p: which norm.
        compute_mode: torch's ways to compute them; here the differences are.

    Raises:
        ShapeError: for fewer than two dimensions, or rows of different lengths.

    >>> cdist(tensor([[0.0, 0.0]]), tensor([[3.0, 4.0], [0.0, 1.0]]))
    tensor([[5., 1.]])
    """
    if checked(x1, "cdist").ndim < 2 or checked(x2, "cdist").ndim < 2 or x1.shape[-1] != x2.shape[-1]:
        raise ShapeError(f"cdist: expected shapes (…, m, k) and (…, n, k), not {x1.shape} and {x2.shape}")
    return norm(x1[..., :, None, :] - x2[..., None, :, :], p, -1)
