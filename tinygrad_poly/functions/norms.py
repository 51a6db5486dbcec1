"""Norms of vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinygrad_poly.derivatives import norms
from tinygrad_poly.engine.apply import apply_unary, checked
from tinygrad_poly.engine.errors import DtypeError
from tinygrad_poly.functions._shared import check_floating, check_nonempty, reduced

if TYPE_CHECKING:
    from tinygrad_poly.tensor import Tensor


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


def vector_norm(
    x: Tensor,
    ord: float = 2,
    dim: Any = None,
    keepdim: bool = False,
    *,
    dtype: Any = None,
    axis: Any = None,
    keepdims: bool = False,
) -> Tensor:
    """The norm `norm`, under the name that torch.linalg and the array API standard give it.

    >>> vector_norm(tensor([3.0, -4.0]), ord=1)
    tensor(7.)
    """
    return norm(x, ord, dim, keepdim, dtype, axis=axis, keepdims=keepdims)
