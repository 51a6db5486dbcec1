"""Cumulative sums and products, and the product, whose derivative is made of them.

No rule here divides by an element, so that zeros among the elements are like any others.
"""

import math
from collections.abc import Callable

import numpy as np

from tinygrad_poly.derivatives.indexing import at, getitem
from tinygrad_poly.derivatives.joining import cat
from tinygrad_poly.derivatives.reductions import count, in_single, with_axes
from tinygrad_poly.derivatives.shapes import flip, inverse, permute, reshape
from tinygrad_poly.engine.arrays import NUMPY, Array, Shape, library, namespace
from tinygrad_poly.engine.operation import Operation


def _scan(older: str, name: str) -> Callable[[Array, int], Array]:
    """The function that a library has under an older name or under the standard's."""

    def scan(x: Array, axis: int) -> Array:
        xp = namespace(x)
        return getattr(xp, older)(x, axis) if hasattr(x, older) else getattr(xp, name)(x, axis=axis)

    return scan


cumsum: Operation = Operation(
    "Cumsum", in_single(_scan("cumsum", "cumulative_sum")),
    lambda g, axis: flip(cumsum(flip(g, (axis,)), axis), (axis,)), saves="nothing", expands=True,
    formula="yₖ = Σᵢ xᵢ over i ≤ k", derivative="∂yₖ/∂xᵢ = 1 for i ≤ k, otherwise 0",
)  # fmt: skip


def _shift(x: Array, axis: int, backwards: bool, fill: float) -> Array:
    if not math.prod(x.shape):
        return x
    xp = namespace(x)
    rest = x[at(axis, slice(1, None) if backwards else slice(None, -1))]
    edge = xp.full((*x.shape[:axis], 1, *x.shape[axis + 1 :]), fill, dtype=x.dtype)
    return xp.concat((rest, edge) if backwards else (edge, rest), axis=axis)


shift: Operation = Operation(
    "Shift", _shift, lambda g, axis, backwards, fill: shift(g, axis, not backwards, 0.0), saves="nothing", expands=True,
    formula="yₖ = xₖ₋₁, and a constant for the first", derivative="∂yₖ/∂xₖ₋₁ = 1",
)  # fmt: skip


LONG = 8192
"""The length from which on NumPy's loops over elements take longer than the same by several operations on arrays."""


def _by_pairs(b: Array, a: Array) -> Array:
    """The recurrence along the first axis: every second element first, by the recurrence of pairs, from it the others.

    Pairs have yₖ = (bₖ + aₖ bₖ₋₁) + (aₖ aₖ₋₁) yₖ₋₂. That is twice as much arithmetic, all of it on whole arrays.
    """
    y = b.copy()
    if len(b) > 1:
        even, links = slice(0, len(b) - 1, 2), a[1::2]
        y[1::2] = _by_pairs(b[1::2] + links * b[even], links * a[even])
        y[2::2] += a[2::2] * y[1:-1:2]
    return y


def _recurrence(b: Array, a: Array, axis: int, backwards: bool) -> Array:
    length = b.shape[axis]
    if not length:
        return b
    if length >= LONG // 64 and library(b) is NUMPY:
        turn = slice(None, None, -1 if backwards else 1)
        order = np.moveaxis(b, axis, 0)[turn]
        links = np.moveaxis(np.roll(a, -1, axis) if backwards else a, axis, 0)[turn]
        with np.errstate(all="ignore"):
            y = np.moveaxis(_by_pairs(order, links)[turn], 0, axis)
        # A product of links may overflow where no result does.
        if np.isfinite(y).all():
            return y
    results: list[Array] = []
    for k in range(length)[:: -1 if backwards else 1]:
        element = b[at(axis, k)]
        if results:
            element = element + a[at(axis, k + 1 if backwards else k)] * results[-1]
        results.append(element)
    return namespace(b).stack(results[:: -1 if backwards else 1], axis=axis)


# Element k of `a` links element k−1 to element k, in whichever direction the recurrence runs: what runs
# forwards has a derivative that runs backwards over the same links.
recurrence: Operation = Operation(
    "Recurrence", _recurrence,
    lambda g, b, a, y, axis, backwards: recurrence(g, a, axis, not backwards),
    lambda g, b, a, y, axis, backwards: (
        shift(recurrence(g, a, axis, False), axis, False, 0.0) * y
        if backwards
        else recurrence(g, a, axis, True) * shift(y, axis, False, 0.0)
    ),
    saves="both", expands=True, opaque=True,
    formula="yₖ = bₖ + aₖ yₖ₋₁", derivative="∂yₖ/∂bᵢ = aᵢ₊₁ ⋯ aₖ; ∂yₖ/∂aᵢ = yᵢ₋₁ aᵢ₊₁ ⋯ aₖ, for i ≤ k",
)  # fmt: skip

# ∂L/∂xᵢ = yᵢ₋₁ Σ gₖ xᵢ₊₁ ⋯ xₖ over k ≥ i, and that sum is gᵢ + xᵢ₊₁ · (the same sum of i + 1).
cumprod: Operation = Operation(
    "Cumprod", _scan("cumprod", "cumulative_prod"),
    lambda g, x, y, axis: recurrence(g, x, axis, True) * shift(y, axis, False, 1.0), saves="both", expands=True,
    formula="yₖ = x₁ ⋯ xₖ", derivative="∂yₖ/∂xᵢ = the product of the other k − 1, for i ≤ k, otherwise 0",
)  # fmt: skip


def _others(rows: Array) -> Array:
    """For each element the product of all others in its row: of those before it, times those after it.

    Those of a long row come from those of the products of pairs, by products of whole arrays.
    """
    length, last = rows.shape[-1], rows.ndim - 1
    if length < LONG:
        before = shift(cumprod(rows, last), last, False, 1.0)
        return before * flip(shift(cumprod(flip(rows, (last,)), last), last, False, 1.0), (last,))
    half = length // 2
    parts = slice(half), slice(half, 2 * half), slice(2 * half, None)
    first, second, odd = (getitem(rows, at(last, part)) for part in parts)
    pairs = _others(cat.of(2)(first * second, odd, last) if length % 2 else first * second)
    of_pairs = getitem(pairs, at(last, slice(half)))
    found = (of_pairs * second, of_pairs * first, getitem(pairs, at(last, slice(half, None))))
    return cat.of(2 + length % 2)(*found[: 2 + length % 2], last)


def _rows(x: Array, axis: Shape | None) -> tuple[Array, Shape]:
    """The array with what is multiplied along the last axis, and the order of the axes for it."""
    axes = tuple(range(x.ndim)) if axis is None else axis
    order = (*(i for i in range(x.ndim) if i not in axes), *axes)
    kept = tuple(x.shape[i] for i in order[: x.ndim - len(axes)])
    return reshape(permute(x, order), (*kept, count(x.shape, axis))), order


def _product_of_the_others(x: Array, axis: Shape | None) -> Array:
    rows, order = _rows(x, axis)
    return permute(reshape(_others(rows), tuple(x.shape[i] for i in order)), inverse(order))


def _product(x: Array, axis: Shape | None, keepdims: bool) -> Array:
    """The product; of many numbers in NumPy's memory by halves, as NumPy multiplies one by one."""
    if count(x.shape, axis) < LONG or library(x) is not NUMPY or x.dtype.kind != "f":
        return namespace(x).prod(x, axis=axis, keepdims=keepdims)
    rows, _ = _rows(x, axis)
    while (half := rows.shape[-1] // 2) > 8:
        odd = rows[..., 2 * half :]
        rows = rows[..., :half] * rows[..., half : 2 * half]
        if odd.shape[-1]:
            rows[..., :1] *= odd
    y = rows.prod(-1)
    return with_axes(y, x.shape, tuple(range(x.ndim)) if axis is None else axis, False) if keepdims else y


prod = Operation(
    "Prod", _product,
    lambda g, x, axis, keepdims: with_axes(g, x.shape, axis, keepdims) * _product_of_the_others(x, axis),
    expands=True, named=lambda saved: f"ProdBackward{int(saved[1] is not None)}",
    formula="x₁ ⋯ xₙ", derivative="the product of the other n − 1",
)  # fmt: skip
