"""Contractions: sums of products over chosen indices (einsum, whose derivative is an einsum too)."""

import math
from collections.abc import Sequence
from typing import Any

from tinygrad_poly.derivatives.shapes import reshape
from tinygrad_poly.engine.arrays import Array, Shape, namespace, together, total, unbroadcast
from tinygrad_poly.engine.operation import Operation, Variadic


def _contract(*arguments: Any) -> Array:
    *operands, equation = arguments
    # Finding a good order, and calling BLAS for it, costs more than contracting a few numbers does.
    large = len(operands) > 1 and sum(math.prod(x.shape) for x in operands) > 256
    xp = together(*operands)
    if not hasattr(xp, "einsum"):
        return _sum_of_products(operands, equation)
    return xp.einsum(equation, *operands, optimize=large)


def _sum_of_products(operands: Sequence[Array], equation: str) -> Array:
    """An einsum in the functions of the array API, which has none: first all products, then their sums."""
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
    """The derivative ∂L/∂(operand i), an einsum too: G takes the operand's place, and subscripts are exchanged.

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
    """The arguments with number `i` in front: a row decides by its first argument whether to record."""
    return [things[i], *things[:i], *things[i + 1 :]]


# The equation is explicit and has no ellipsis: `functions.einsum` sees to that.
einsum = Variadic(
    "Einsum", _contract, _contract_slope, expands=True,
    formula="einsum: y[k…] = Σ a[i…] b[j…] …, summed over the indices that k… lacks",
    derivative="the einsum of g and the other operands, over the indices that the operand lacks",
)  # fmt: skip


def _on_diagonal(x: Array, indices: str, repeated: str, shape: Shape) -> Array:
    """An array of `shape` with x where repeated indices agree (`indices` name the axes of x), and 0 elsewhere."""
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
    "DiagonalScatter", _on_diagonal, lambda g, indices, repeated, shape: einsum.of(1)(g, f"{repeated}->{indices}"),
    saves="nothing", expands=True, formula="y[i, i] = x[i], y[i, j] = 0 for i ≠ j", derivative="the diagonal of g",
)  # fmt: skip
