"""Contractions: sums of products over chosen indices."""

import string
from collections import Counter
from collections.abc import Sequence
from typing import Any

from tinygrad_poly.derivatives import contractions
from tinygrad_poly.engine.apply import apply_operation, checked
from tinygrad_poly.engine.arrays import Shape, normalize_axes
from tinygrad_poly.engine.errors import ShapeError
from tinygrad_poly.functions._shared import Tensor


def inner(input: Tensor, other: Tensor) -> Tensor:
    """The inner products Σₖ a[…, k] b[…, k] of all vectors along the last dimensions; the product if one is 0-d.

    Raises:
        ShapeError: where the last lengths differ.

    >>> inner(tensor([[1.0, 2.0], [0.0, 1.0]]), tensor([3.0, 4.0]))
    tensor([11.,  4.])
    """
    if not checked(input, "inner").ndim or not checked(other, "inner").ndim:
        return input * other
    return _contraction("inner", input, other, (input.ndim - 1,), (other.ndim - 1,))


def tensordot(a: Tensor, b: Tensor, dims: Any = 2) -> Tensor:
    """The sum of products over several dimensions of `a` and `b`; the other dimensions of a, then of b, remain.

    Args:
        a: a tensor.
        b: a tensor.
        dims: how many of the last dimensions of `a` meet as many of the first of `b`, or the dimensions of
            each that meet, as ([2, 0], [1, 3]).

    Raises:
        ShapeError: where dimensions that meet have different lengths.

    >>> tensordot(zeros(2, 3, 4), zeros(4, 3, 5), dims=([1, 2], [1, 0])).shape
    torch.Size([2, 5])
    """
    ndim_a, ndim_b = checked(a, "tensordot").ndim, checked(b, "tensordot").ndim
    if isinstance(dims, int):
        if not 0 <= dims <= min(ndim_a, ndim_b):
            raise ShapeError(f"tensordot: dims={dims} is out of range for shapes {a.shape} and {b.shape}")
        dims = range(ndim_a - dims, ndim_a), range(dims)
    met_a, met_b = (tuple(axes) if isinstance(axes, Sequence) else (axes,) for axes in dims)
    axes_a, axes_b = normalize_axes(met_a, ndim_a, "tensordot"), normalize_axes(met_b, ndim_b, "tensordot")
    return _contraction("tensordot", a, b, axes_a or (), axes_b or ())


def _contraction(name: str, a: Tensor, b: Tensor, axes_a: Shape, axes_b: Shape) -> Tensor:
    met = [a.shape[i] for i in axes_a], [b.shape[i] for i in axes_b]
    if met[0] != met[1]:
        raise ShapeError(
            f"{name}: dimensions {axes_a} of shape {a.shape} have lengths {tuple(met[0])}, but dimensions {axes_b} "
            f"of shape {b.shape} have lengths {tuple(met[1])}"
        )
    letters = string.ascii_letters
    first = list(letters[: a.ndim])
    second = list(letters[a.ndim : a.ndim + b.ndim])
    for i, j in zip(axes_a, axes_b):
        second[j] = first[i]
    once = [x for x in first if x not in second] + [x for x in second if x not in first]
    return apply_operation(contractions.einsum.of(2), a, b, f"{''.join(first)},{''.join(second)}->{''.join(once)}")


def einsum(equation: Any, *operands: Any) -> Tensor:
    """Sums of products of the operands' elements, over the indices that the result lacks (Einstein's convention).

    `einsum("ij,jk->ik", A, B)` is Σⱼ aᵢⱼ bⱼₖ, the matrix product. Its derivative with respect to an operand is an
    einsum as well: the cotangent takes the place of the operand, and their indices are exchanged.

    An index that one operand has twice reads the diagonal ("ii" is the trace). Without "->" the result has, in
    alphabetical order, the indices that occur once. "..." stands for any further dimensions, which broadcast; they
    are summed over if "->" is given and the result lacks them.

    Args:
        equation: a letter for each dimension of each operand.
        operands: tensors, or one list of them. Or, without an equation, each operand and a list of numbers for its
            dimensions in turn, and perhaps a last list for the result: `einsum(A, [0, 1], B, [1, 2], [0, 2])`.

    Raises:
        ShapeError: where the equation does not fit the operands, or an index has two lengths.

    >>> einsum("ij,jk->ik", tensor([[1.0, 2.0]]), tensor([[3.0], [4.0]]))
    tensor([[11.]])
    >>> einsum("ii", tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor(5.)
    """
    if not isinstance(equation, str):
        equation, operands = _equation_of((equation, *operands))
    if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        operands = tuple(operands[0])
    shapes = [checked(operand, "einsum").array.shape for operand in operands]
    return apply_operation(contractions.einsum.of(len(operands)), *operands, _explicit(equation, shapes))


def _equation_of(given: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
    """The equation and the operands from operands and lists of numbers in turn.

    Raises:
        ShapeError: where a list does not hold numbers from 0 to 51, or `...`.
    """
    operands, lists = given[::2], list(given[1::2])
    output = operands[-1] if len(given) % 2 else None
    operands = operands[:-1] if len(given) % 2 else operands
    try:
        letters = [["..." if i is Ellipsis else string.ascii_letters[i] for i in own] for own in (*lists, output or ())]
    except (TypeError, IndexError):
        raise ShapeError("einsum: expects an equation, or operands and lists of numbers from 0 to 51 in turn") from None
    *names, result = map("".join, letters)
    return ",".join(names) + ("" if output is None else f"->{result}"), operands


def _explicit(equation: str, shapes: list[Shape]) -> str:
    """The equation `equation` with its result written out, and letters for the dimensions of "..."."""
    left, arrow, output = "".join(equation.split()).partition("->")
    inputs = left.split(",")
    if not shapes or len(inputs) != len(shapes):
        raise ShapeError(f"einsum: {equation!r} has indices for {len(inputs)} operands, but {len(shapes)} were given")
    unused = [x for x in string.ascii_letters if x not in equation]
    widths = [len(shape) - len(own.replace("...", "")) for own, shape in zip(inputs, shapes)]
    for i, (own, shape, width) in enumerate(zip(inputs, shapes, widths)):
        if width < 0 or (width and "..." not in own):
            raise ShapeError(f"einsum: {own!r} of {equation!r} does not fit operand {i}, which has shape {shape}")
    longest = "".join(unused[: max(widths)])
    inputs = [own.replace("...", longest[len(longest) - width :]) for own, width in zip(inputs, widths)]
    count = Counter("".join(inputs))
    if arrow:
        output = output.replace("...", longest)
    else:
        output = longest + "".join(sorted(x for x, times in count.items() if times == 1 and x not in longest))
    wrong = [x for x in {*count, *output} if x not in string.ascii_letters]
    wrong += [x for x in output if x not in count or output.count(x) > 1]
    if wrong:
        raise ShapeError(
            f"einsum: {wrong[0]!r} in {equation!r} has no meaning: indices are letters, and the result "
            "names each of its indices once, from those of the operands"
        )
    _check_lengths(equation, inputs, shapes)
    return f"{','.join(inputs)}->{output}"


def _check_lengths(equation: str, inputs: list[str], shapes: list[Shape]) -> None:
    """Check that lengths are equal or 1, and within one operand equal."""
    found: dict[str, tuple[int, int]] = {}
    for i, (own, shape) in enumerate(zip(inputs, shapes)):
        for index, length in zip(own, shape):
            before, where = found.get(index, (1, i))
            if before != length and ((where == i and index in found) or 1 not in (before, length)):
                raise ShapeError(
                    f"einsum: index {index!r} of {equation!r} has length {before} in operand {where} of shape "
                    f"{shapes[where]}, but {length} in operand {i} of shape {shape}"
                )
            if length != 1 or index not in found:
                found[index] = length, i


def trace(input: Tensor) -> Tensor:
    """The trace Σ aᵢᵢ of a matrix, with derivative the identity.

    Raises:
        ShapeError: for other than two dimensions, as in torch; of a stack, sum `diagonal`.

    >>> trace(tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor(5.)
    """
    if checked(input, "trace").ndim != 2:
        raise ShapeError(
            f"trace: expected a matrix, but the shape is {input.shape}; for each matrix of a stack: "
            "x.diagonal(dim1=-2, dim2=-1).sum(-1)"
        )
    return input.diagonal().sum()
