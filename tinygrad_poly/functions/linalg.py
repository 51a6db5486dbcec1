"""Products of matrices and vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinygrad_poly.derivatives import linalg
from tinygrad_poly.operators import apply_operation, checked

if TYPE_CHECKING:
    from tinygrad_poly.tensor import Tensor

__all__ = [
    "linear",
    "matmul",
    "mm",
]


def matmul(input: Tensor, other: Any) -> Tensor:
    """The matrix product A B, with derivatives G Bᵀ and Aᵀ G; vectors count as one row or column.

    Raises:
        ShapeError: where the last length of A is not that of B's rows.

    >>> matmul(tensor([[1.0, 2.0]]), tensor([3.0, 4.0]))
    tensor([11.])
    """
    return apply_operation(linalg.matmul, checked(input, "matmul"), other)


mm = matmul


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """X Wᵀ + b for x of shape (…, in), W of shape (out, in) and b of shape (out,).

    >>> linear(tensor([[1.0, 2.0]]), tensor([[3.0, 4.0]]), tensor([10.0]))
    tensor([[21.]])
    """
    if bias is not None and len(input.shape) == 2:
        return apply_operation(linalg.linear, input, weight, bias)
    product = input @ weight.T
    return product if bias is None else product + bias
