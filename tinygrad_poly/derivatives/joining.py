"""Joins and borders of arrays: each input gets its part of the cotangent.

All of these are linear: they have a derivative everywhere.
"""

from typing import Any

from tinygrad_poly.derivatives.indexing import at, getitem
from tinygrad_poly.engine.arrays import Array, Shape, library, together
from tinygrad_poly.engine.operation import Operation, Variadic


def window(starts: Shape, lengths: Shape) -> tuple[slice, ...]:
    """The index of a block of an array: it begins at `starts`, and is `lengths` long."""
    return tuple(slice(start, start + length) for start, length in zip(starts, lengths))


def _pad(x: Array, before: Shape, after: Shape, value: float) -> Array:
    shape = tuple(b + n + a for b, n, a in zip(before, x.shape, after))
    own = library(x)
    return own.written(own.xp.full(shape, value, dtype=x.dtype), window(before, x.shape), x)


pad = Operation(
    "ConstantPadNd", _pad, lambda g, x_shape, before, after, value: getitem(g, window(before, x_shape)),
    saves="shapes", expands=True, opaque=True,
    formula="x with a border of constants", derivative="g without the border",
)  # fmt: skip


def _part(i: int, g: Array, *shapes_and_axis: Any) -> Array:
    """The part of the cotangent that belongs to input `i` of a concatenation."""
    *shapes, axis = shapes_and_axis
    start = sum(shape[axis] for shape in shapes[:i])
    return getitem(g, at(axis, slice(start, start + shapes[i][axis])))


cat = Variadic(
    "Cat", lambda *given: together(*given).concat(given[:-1], axis=given[-1]), _part, saves="shapes", expands=True,
    formula="a, b, … one after the other", derivative="the part of g at a; the part of g at b; …",
)  # fmt: skip


stack = Variadic(
    "Stack", lambda *given: together(*given).stack(given[:-1], axis=given[-1]),
    lambda i, g, axis: getitem(g, at(axis, i)), saves="nothing", expands=True,
    formula="a, b, … along a new axis", derivative="g[0]; g[1]; …",
)  # fmt: skip
