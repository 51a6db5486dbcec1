"""Cumulative sums and products, and the product, whose derivative is made of them.

No rule here divides by an element, so that zeros among the elements are like any others.
"""

from __future__ import annotations

import math

from tinygrad_poly.derivatives.indexing import at
from tinygrad_poly.derivatives.reductions import in_single, with_axes
from tinygrad_poly.derivatives.shapes import flip, inverse, permute, reshape
from tinygrad_poly.engine.arrays import Array, Shape, namespace
from tinygrad_poly.engine.operation import Operation

cumsum: Operation = Operation(
    "Cumsum",
    in_single(
        lambda x, axis: (
            namespace(x).cumsum(x, axis) if hasattr(x, "cumsum") else namespace(x).cumulative_sum(x, axis=axis)
        )
    ),
    lambda g, axis: flip(cumsum(flip(g, (axis,)), axis), (axis,)),
    saves="nothing",
    expands=True,
    formula="yₖ = Σᵢ xᵢ over i ≤ k",
    derivative="∂yₖ/∂xᵢ = 1 for i ≤ k, otherwise 0",
)


def _shift(x: Array, axis: int, backwards: bool, fill: float) -> Array:
    if not math.prod(x.shape):
        return x
    xp = namespace(x)
    rest = x[at(axis, slice(1, None) if backwards else slice(None, -1))]
    edge = xp.full((*x.shape[:axis], 1, *x.shape[axis + 1 :]), fill, dtype=x.dtype)
    return xp.concat((rest, edge) if backwards else (edge, rest), axis=axis)


shift: Operation = Operation(
    "Shift",
    _shift,
    lambda g, axis, backwards, fill: shift(g, axis, not backwards, 0.0),
    saves="nothing",
    expands=True,
    formula="yₖ = xₖ₋₁, and a constant for the first",
    derivative="∂yₖ/∂xₖ₋₁ = 1",
)


def _recurrence(b: Array, a: Array, axis: int, backwards: bool) -> Array:
    length = b.shape[axis]
    if not length:
        return b
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
    "Recurrence",
    _recurrence,
    lambda g, b, a, y, axis, backwards: recurrence(g, a, axis, not backwards),
    lambda g, b, a, y, axis, backwards: (
        shift(recurrence(g, a, axis, False), axis, False, 0.0) * y
        if backwards
        else recurrence(g, a, axis, True) * shift(y, axis, False, 0.0)
    ),
    saves="both",
    expands=True,
    opaque=True,
    formula="yₖ = bₖ + aₖ yₖ₋₁",
    derivative="∂yₖ/∂bᵢ = aᵢ₊₁ ⋯ aₖ; ∂yₖ/∂aᵢ = yᵢ₋₁ aᵢ₊₁ ⋯ aₖ, for i ≤ k",
)

# ∂L/∂xᵢ = yᵢ₋₁ Σ gₖ xᵢ₊₁ ⋯ xₖ over k ≥ i, and that sum is gᵢ + xᵢ₊₁ · (the same sum of i + 1).
cumprod: Operation = Operation(
    "Cumprod",
    lambda x, axis: (
        namespace(x).cumprod(x, axis) if hasattr(x, "cumprod") else namespace(x).cumulative_prod(x, axis=axis)
    ),
    lambda g, x, y, axis: recurrence(g, x, axis, True) * shift(y, axis, False, 1.0),
    saves="both",
    expands=True,
    formula="yₖ = x₁ ⋯ xₖ",
    derivative="∂yₖ/∂xᵢ = the product of the other k − 1, for i ≤ k, otherwise 0",
)


def _product_of_the_others(x: Array, axis: Shape | None) -> Array:
    """For each element the product of all others: of those before it, times those after it."""
    ndim = x.ndim
    axes = tuple(range(ndim)) if axis is None else axis
    kept = tuple(i for i in range(ndim) if i not in axes)
    order = (*kept, *axes)
    shape, last = tuple(x.shape[i] for i in order), len(kept)
    rows = reshape(permute(x, order), (*shape[:last], math.prod(shape[last:])))
    before = shift(cumprod(rows, last), last, False, 1.0)
    after = flip(shift(cumprod(flip(rows, (last,)), last), last, False, 1.0), (last,))
    return permute(reshape(before * after, shape), inverse(order))


prod = Operation(
    "Prod",
    lambda x, axis, keepdims: namespace(x).prod(x, axis=axis, keepdims=keepdims),
    lambda g, x, axis, keepdims: with_axes(g, x.shape, axis, keepdims) * _product_of_the_others(x, axis),
    expands=True,
    formula="x₁ ⋯ xₙ",
    derivative="the product of the other n − 1",
)
