"""Linear algebra, under the names of `torch.linalg`."""

from typing import Any

from tinygrad_poly import functions
from tinygrad_poly._missing import explain as _explain
from tinygrad_poly.engine.errors import ShapeError
from tinygrad_poly.functions.linalg import *
from tinygrad_poly.functions.norms import vector_norm as vector_norm
from tinygrad_poly.functions.products import cross as cross
from tinygrad_poly.functions.products import matmul as matmul
from tinygrad_poly.tensor import Tensor


def norm(A: Tensor, ord: Any = None, dim: Any = None, keepdim: bool = False) -> Tensor:
    """The norm of a vector or a matrix: `vector_norm` or `matrix_norm`, chosen as in torch.

    Args:
        A: a tensor.
        ord: which norm; without it √Σ x² over `dim`, or over all elements.
        dim: one dimension for vectors, two for matrices; by default all (with `ord`, one or two).
        keepdim: keep the dimensions with length 1.

    Raises:
        ShapeError: for an `ord` that there is not.

    >>> norm(tensor([[3.0, 4.0], [0.0, 1.0]]), 1)
    tensor(5.)
    """
    axes = (dim,) if isinstance(dim, int) else tuple(range(A.ndim) if dim is None else dim)
    if ord is None or len(axes) == 1:
        return vector_norm(A, 2 if ord is None else ord, None if dim is None else axes, keepdim)
    if len(axes) != 2:
        raise ShapeError(f"norm: ord={ord!r} is for one or two dimensions; in shape {A.shape} say which with dim=")
    return matrix_norm(A, ord, (axes[0], axes[1]), keepdim)


def diagonal(A: Tensor, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """The diagonals of matrices, as `tinygrad_poly.diagonal` of the last two dimensions.

    >>> diagonal(tensor([[[1.0, 2.0], [3.0, 4.0]]]))
    tensor([[1., 4.]])
    """
    return functions.diagonal(A, offset, dim1, dim2)


_explain(__name__)
