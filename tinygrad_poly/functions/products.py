"""Matrix products."""

from typing import Any

from tinygrad_poly.derivatives import products
from tinygrad_poly.engine.apply import apply_operation, checked
from tinygrad_poly.engine.arrays import normalize_axes
from tinygrad_poly.engine.errors import ShapeError
from tinygrad_poly.functions._shared import Tensor


def matmul(input: Tensor, other: Any) -> Tensor:
    """The matrix product A B, with derivatives G Bᵀ and Aᵀ G where G = ∂L/∂(A B).

    A vector counts as one row (A) or one column (B), which the result then lacks. The dimensions before
    the last two are a stack of matrices; they broadcast.

    Args:
        input: A, of shape (n,) or (…, m, n).
        other: B, of shape (n,) or (…, n, k).

    Raises:
        ShapeError: where the last length of A is not that of B's rows, or the stacks do not broadcast.

    >>> matmul(tensor([[1.0, 2.0]]), tensor([3.0, 4.0]))
    tensor([11.])
    """
    return apply_operation(products.matmul, checked(input, "matmul"), other)


def _product(name: str, input: Tensor, other: Tensor, dims: tuple[int, int]) -> Tensor:
    """The product `matmul` of tensors with exactly these numbers of dimensions."""
    a, b = checked(input, name).shape, checked(other, name).shape
    if (len(a), len(b)) != dims:
        raise ShapeError(
            f"{name}: expected a {dims[0]}-d and a {dims[1]}-d tensor, but the shapes are {a} and {b}; "
            "matmul (or @) takes all that fit"
        )
    if len(a) == 3 and a[0] != b[0]:
        raise ShapeError(f"{name}: shapes {a} and {b} differ in dimension 0, the number of matrices")
    return apply_operation(products.matmul, input, other)


def mm(input: Tensor, mat2: Tensor) -> Tensor:
    """The product of two matrices, with derivatives as for `matmul`.

    Raises:
        ShapeError: unless the shapes are (m, n) and (n, k).

    >>> mm(tensor([[1.0, 2.0]]), tensor([[3.0], [4.0]]))
    tensor([[11.]])
    """
    return _product("mm", input, mat2, (2, 2))


def mv(input: Tensor, vec: Tensor) -> Tensor:
    """The product of a matrix and a vector, with derivatives g xᵀ and Aᵀ g.

    Raises:
        ShapeError: unless the shapes are (m, n) and (n,).

    >>> mv(tensor([[1.0, 2.0], [0.0, 1.0]]), tensor([3.0, 4.0]))
    tensor([11.,  4.])
    """
    return _product("mv", input, vec, (2, 1))


def bmm(input: Tensor, mat2: Tensor) -> Tensor:
    """The products of the matrices in two stacks, one by one.

    Raises:
        ShapeError: unless the shapes are (b, m, n) and (b, n, k).

    >>> bmm(zeros(5, 2, 3), zeros(5, 3, 4)).shape
    torch.Size([5, 2, 4])
    """
    return _product("bmm", input, mat2, (3, 3))


def dot(input: Tensor, tensor: Tensor) -> Tensor:
    """The product Σ aᵢ bᵢ of two vectors, with derivatives b and a.

    Raises:
        ShapeError: unless both have shape (n,).

    >>> dot(tensor([1.0, 2.0]), tensor([3.0, 4.0]))
    tensor(11.)
    """
    return _product("dot", input, tensor, (1, 1))


vdot = dot


def outer(input: Tensor, vec2: Tensor) -> Tensor:
    """The outer product: the matrix aᵢ bⱼ of two vectors, with derivatives G b and Gᵀ a.

    Raises:
        ShapeError: unless the shapes are (m,) and (n,).

    >>> outer(tensor([1.0, 2.0]), tensor([3.0, 4.0, 5.0]))
    tensor([[ 3.,  4.,  5.],
            [ 6.,  8., 10.]])
    """
    if (checked(input, "outer").ndim, checked(vec2, "outer").ndim) != (1, 1):
        raise ShapeError(f"outer: expected two vectors, but the shapes are {input.shape} and {vec2.shape}")
    return input[:, None] * vec2


def kron(input: Tensor, other: Tensor) -> Tensor:
    """The Kronecker product: each element of `input` times all of `other`, as blocks.

    >>> kron(tensor([[1.0, 2.0]]), tensor([[1.0], [10.0]]))
    tensor([[ 1.,  2.],
            [10., 20.]])
    """
    ndim = max(checked(input, "kron").ndim, checked(other, "kron").ndim)
    a, b = ((1,) * (ndim - x.ndim) + x.shape for x in (input, other))
    rows, columns = [n for length in a for n in (length, 1)], [n for length in b for n in (1, length)]
    blocks = input.reshape(rows) * other.reshape(columns)
    return blocks.reshape([n * k for n, k in zip(a, b)])


def cross(input: Tensor, other: Tensor, dim: int = -1) -> Tensor:
    """The vector product a × b of vectors of three numbers along `dim`, with derivatives b × g and g × a.

    Raises:
        ShapeError: where a length along `dim` is not 3, or the shapes do not broadcast.

    >>> cross(tensor([1.0, 0.0, 0.0]), tensor([0.0, 1.0, 0.0]))
    tensor([0., 0., 1.])
    """
    ndim = checked(input, "cross").ndim
    normalize_axes(dim, ndim, "cross")
    if checked(other, "cross").ndim != ndim or {input.shape[dim], other.shape[dim]} != {3}:
        raise ShapeError(
            f"cross: expected as many dimensions in both and length 3 in dimension {dim}, but the shapes are "
            f"{input.shape} and {other.shape}"
        )
    a, b = input.transpose(dim, -1), other.transpose(dim, -1)
    after, before = [1, 2, 0], [2, 0, 1]
    return (a[..., after] * b[..., before] - a[..., before] * b[..., after]).transpose(dim, -1)


def addmm(input: Any, mat1: Tensor, mat2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """The sum β C + α A B for matrices A and B, and a C that broadcasts to their product.

    Raises:
        ShapeError: where the matrices do not fit.

    >>> addmm(tensor([1.0, 2.0]), tensor([[3.0]]), tensor([[10.0, 20.0]]))
    tensor([[31., 62.]])
    """
    return _added(checked(input, "addmm"), mm(mat1, mat2), beta, alpha)


def _added(input: Tensor, product: Tensor, beta: float, alpha: float) -> Tensor:
    """The sum β C + α P; for β = 0, which may stand beside a C of NaN, α P."""
    product = product if alpha == 1 else product * alpha
    return (input if beta == 1 else input * beta) + product if beta else product


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """The linear layer X Wᵀ + b, with derivatives G W, Gᵀ X and Σ G.

    Args:
        input: X, of shape (…, in).
        weight: W, of shape (out, in), or (in,) for a single output.
        bias: b, of shape (out,).

    Raises:
        ShapeError: where X and W have different lengths `in`.

    >>> linear(tensor([[1.0, 2.0]]), tensor([[3.0, 4.0]]), tensor([10.0]))
    tensor([[21.]])
    """
    if bias is not None and len(input.shape) == len(weight.shape) == 2:
        return apply_operation(products.linear, input, weight, bias)
    product = input @ weight.T
    return product if bias is None else product + bias


def baddbmm(input: Any, batch1: Tensor, batch2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """The sum β C + α A B for stacks of matrices, one by one.

    >>> baddbmm(zeros(1, 1, 1), tensor([[[3.0]]]), tensor([[[2.0]]]))
    tensor([[[6.]]])
    """
    return _added(checked(input, "baddbmm"), bmm(batch1, batch2), beta, alpha)


def addbmm(input: Any, batch1: Tensor, batch2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """The sum β C + α Σ A B of the products in two stacks of matrices.

    >>> addbmm(zeros(1, 1), tensor([[[3.0]], [[1.0]]]), tensor([[[2.0]], [[5.0]]]))
    tensor([[11.]])
    """
    return _added(checked(input, "addbmm"), bmm(batch1, batch2).sum(0), beta, alpha)


def addmv(input: Any, mat: Tensor, vec: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """The sum β b + α A x for a matrix and a vector.

    >>> addmv(zeros(1), tensor([[3.0]]), tensor([2.0]))
    tensor([6.])
    """
    return _added(checked(input, "addmv"), mv(mat, vec), beta, alpha)


def addr(input: Any, vec1: Tensor, vec2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """The sum β C + α x yᵀ for two vectors.

    >>> addr(zeros(1, 1), tensor([3.0]), tensor([2.0]))
    tensor([[6.]])
    """
    return _added(checked(input, "addr"), outer(vec1, vec2), beta, alpha)
