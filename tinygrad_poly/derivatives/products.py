"""Products of matrices and vectors.

Read a row as: name, Y = f(A, B), ∂L/∂A, ∂L/∂B with G = ∂L/∂Y. As mathematics the rules are in M. B. Giles,
"An extended collection of matrix derivative results for forward and reverse mode AD" (2008).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from tinygrad_poly.derivatives.shapes import reshape
from tinygrad_poly.engine.arrays import Array, Shape, namespace, together, total, unbroadcast
from tinygrad_poly.engine.operation import Operation, Variadic


def as_rows(x: Array) -> Array:
    """(…, n) as (…, 1, n)."""
    return reshape(x, (*x.shape[:-1], 1, *x.shape[-1:]))


def as_columns(x: Array) -> Array:
    """(…, n) as (…, n, 1)."""
    return reshape(x, (*x.shape, 1))


def _without(x: Array, axis: int) -> Array:
    """`x` without an axis of length 1, counted from the end."""
    shape = list(x.shape)
    del shape[axis]
    return reshape(x, tuple(shape))


def _misfit(a: Shape, b: Shape) -> str | None:
    """Which dimensions of two shapes keep a matrix product from existing."""
    if not a or not b:
        return "a 0-d tensor is no matrix: multiply by it with *"
    rows = -min(len(b), 2)
    if a[-1] != b[rows]:
        return f"dimension -1 of the first ({a[-1]}) must be as long as dimension {rows} of the second ({b[rows]})"
    return f"the dimensions before the last two, {a[:-2]} and {b[:-2]}, must be equal or 1, counted from the last"


def product(a: Array, b: Array) -> Array:
    """A B.

    Raises:
        ValueError: which names the dimensions that do not fit.
    """
    try:
        return a @ b
    except ValueError:
        raise ValueError(_misfit(a.shape, b.shape)) from None


def _left(g: Array, a: Array, b: Array) -> Array:
    """∂L/∂A for Y = A B: G Bᵀ, a vector being a matrix with one row (A) or column (B)."""
    if b.ndim == 1:
        return as_columns(g) * b
    if a.ndim == 1:
        return _without(as_rows(g) @ b.mT, -2)
    return g @ b.mT


def _right(g: Array, a: Array, b: Array) -> Array:
    """∂L/∂B for Y = A B: Aᵀ G."""
    if a.ndim == 1:
        return g * a if b.ndim == 1 else as_columns(a) * as_rows(g)
    if b.ndim == 1:
        return _without(a.mT @ as_columns(g), -1)
    return a.mT @ g


matmul = Operation(
    "Mm",
    product,
    _left,
    _right,
    expands=True,
    formula="A B",
    derivative="G Bᵀ; Aᵀ G",
)

# A linear layer in one row, because each saved operation shows on six points.
linear = Operation(
    "Addmm",
    lambda x, weight, bias: product(x, weight.mT) + bias,
    lambda g, x, weight, bias: g @ weight,
    lambda g, x, weight, bias: unbroadcast(g.mT @ x, weight.shape),
    lambda g, x, weight, bias: g,
    expands=True,
    formula="X Wᵀ + b",
    derivative="G W; Gᵀ X; Σ G over the rows",
)


def _contract(*arguments: Any) -> Array:
    *operands, equation = arguments
    # Finding a good order, and calling BLAS for it, costs more than contracting a few numbers does.
    large = len(operands) > 1 and sum(math.prod(x.shape) for x in operands) > 256
    xp = together(*operands)
    if not hasattr(xp, "einsum"):
        return _sum_of_products(operands, equation)
    return xp.einsum(equation, *operands, optimize=large)


def _sum_of_products(operands: Sequence[Array], equation: str) -> Array:
    """An einsum in the functions of the array API, which has none: all products first, then their sums."""
    given, _, output = equation.partition("->")
    names = output + "".join(dict.fromkeys(name for name in given if name.isalpha() and name not in output))
    result: Any = 1.0
    for own, x in zip(given.split(","), operands):
        xp = namespace(x)
        while repeated := next((name for name in own if own.count(name) > 1), None):
            i, j = own.index(repeated), own.rindex(repeated)
            x = xp.linalg.diagonal(xp.moveaxis(x, (i, j), (-2, -1)))
            own = own[:i] + own[i + 1 : j] + own[j + 1 :] + repeated
        lengths = dict(zip(own, x.shape))
        x = xp.permute_dims(x, tuple(own.index(name) for name in names if name in own))
        result = result * xp.reshape(x, tuple(lengths.get(name, 1) for name in names))
    return total(result, tuple(range(len(output), len(names)))) if names != output else result


def _contract_slope(i: int, g: Array, *saved: Any) -> Array:
    """∂L/∂(operand i) is an einsum too: G stands in the operand's place, and the subscripts trade places.

    An index that only operand i has was summed over it alone: the slope does not depend on it, and has
    length 1 there. An index that it has twice was read on the diagonal: the slope is put back there.
    """
    *operands, equation = saved
    given, _, output = equation.partition("->")
    inputs = given.split(",")
    own, inputs[i] = inputs[i], output
    shape, operands[i] = operands[i].shape, g
    indices = "".join(dict.fromkeys(own))
    kept = "".join(index for index in indices if any(index in other for other in inputs))
    slope = einsum.of(len(operands))(*_first(i, operands), f"{','.join(_first(i, inputs))}->{kept}")
    if kept != indices:
        lengths = dict(zip(kept, slope.shape))
        slope = reshape(slope, tuple(lengths.get(index, 1) for index in indices))
    if own == indices:
        return slope
    # Where the operand was repeated along such an index, one diagonal element stood for all.
    slope = unbroadcast(slope, tuple(shape[own.index(index)] for index in indices))
    return on_diagonal(slope if slope.shape else reshape(slope, (1,) * len(indices)), indices, own, shape)


def _first(i: int, things: list[Any]) -> list[Any]:
    """Thing `i` before the others: a row finds out from its first argument whether to record."""
    return [things[i], *things[:i], *things[i + 1 :]]


# The equation is explicit and has no ellipsis: `functions.einsum` sees to that.
einsum = Variadic(
    "Einsum",
    _contract,
    _contract_slope,
    expands=True,
    formula="einsum: y[k…] = Σ a[i…] b[j…] …, summed over the indices that k… lacks",
    derivative="the einsum of g and the other operands, over the indices that the operand lacks",
)


def _on_diagonal(x: Array, indices: str, repeated: str, shape: Shape) -> Array:
    """An array of `shape` that holds x, whose axes are `indices`, where repeated indices agree, and 0 elsewhere."""
    xp = namespace(x)
    free = iter(set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") - set(repeated))
    output, deltas = "", [(indices, x)]
    for index, length in zip(repeated, shape):
        name = index
        if index in output:
            name = next(free)
            deltas.append((index + name, xp.eye(length, dtype=x.dtype)))
        output += name
    return _contract(*(array for _, array in deltas), f"{','.join(names for names, _ in deltas)}->{output}")


on_diagonal = Operation(
    "DiagonalScatter",
    _on_diagonal,
    lambda g, indices, repeated, shape: einsum.of(1)(g, f"{repeated}->{indices}"),
    saves="nothing",
    expands=True,
    formula="y[i, i] = x[i], y[i, j] = 0 for i ≠ j",
    derivative="the diagonal of g",
)
