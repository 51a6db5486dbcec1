"""Operations that move elements and change none: the derivative moves them back."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_poly.derivatives.indexing import at, getitem
from tinygrad_poly.engine import arrays
from tinygrad_poly.engine.arrays import Array, Shape, library, namespace, together
from tinygrad_poly.engine.operation import Operation, Variadic

# All of these are linear: they have a derivative everywhere.

reshape: Operation = Operation(
    "View",
    lambda x, shape: namespace(x).reshape(x, shape),
    lambda g, x_shape, shape: reshape(g, x_shape),
    saves="shapes",
    expands=True,
    formula="x in another shape",
    derivative="g in the shape of x",
)


def inverse(axes: Shape) -> Shape:
    """The permutation that undoes `axes`."""
    return tuple(sorted(range(len(axes)), key=axes.__getitem__))


permute: Operation = Operation(
    "Permute",
    lambda x, axes: namespace(x).permute_dims(x, axes) if namespace(x) is not np else x.transpose(axes),
    lambda g, axes: permute(g, inverse(axes)),
    saves="nothing",
    expands=True,
    formula="x with axes in the order π",
    derivative="g with axes in the order π⁻¹",
)

# Repeating an array is undone by the sum that the walk does for every rule.
broadcast_to = Operation(
    "Expand",
    lambda x, shape: namespace(x).broadcast_to(x, shape),
    lambda g, shape: g,
    saves="nothing",
    formula="x repeated to a shape",
    derivative="g summed over the repetitions",
)

# The walk brings each cotangent to its array's dtype.
astype = Operation(
    "ToCopy",
    arrays.astype,
    lambda g, dtype: g,
    saves="nothing",
    formula="x in another dtype",
    derivative="g in the dtype of x",
    note="nowhere; integers end the tape",
)

# A move to another device is undone by a move back.
to_device: Operation = Operation(
    "ToCopy",
    lambda x, target, source: target.asarray(x),
    lambda g, target, source: to_device(g, source, target),
    saves="nothing",
    opaque=True,
    formula="x on another device",
    derivative="g on the device of x",
)

clone = Operation(
    "Clone",
    lambda x: namespace(x).asarray(x, copy=True),
    lambda g: g,
    saves="nothing",
    formula="x",
    derivative="g",
)

flip: Operation = Operation(
    "Flip",
    lambda x, axes: namespace(x).flip(x, axis=axes),
    lambda g, axes: flip(g, axes),
    saves="nothing",
    expands=True,
    formula="x in reverse order",
    derivative="g in reverse order",
)

roll: Operation = Operation(
    "Roll",
    lambda x, shifts, axes: namespace(x).roll(x, shifts, axis=axes),
    lambda g, shifts, axes: roll(g, tuple(-shift for shift in shifts), axes),
    saves="nothing",
    expands=True,
    formula="x moved on by k places, around the end",
    derivative="g moved back by k places",
)


def window(starts: Shape, lengths: Shape) -> tuple[slice, ...]:
    """The index of a block of an array: from `starts`, `lengths` long."""
    return tuple(slice(start, start + length) for start, length in zip(starts, lengths))


def _pad(x: Array, before: Shape, after: Shape, value: float) -> Array:
    shape = tuple(b + n + a for b, n, a in zip(before, x.shape, after))
    own = library(x)
    return own.written(own.xp.full(shape, value, dtype=x.dtype), window(before, x.shape), x)


pad = Operation(
    "ConstantPadNd",
    _pad,
    lambda g, x_shape, before, after, value: getitem(g, window(before, x_shape)),
    saves="shapes",
    expands=True,
    opaque=True,
    formula="x with a border of constants",
    derivative="g without the border",
)

tril: Operation = Operation(
    "Tril",
    lambda x, k: namespace(x).tril(x, k=k),
    lambda g, k: tril(g, k),
    saves="nothing",
    expands=True,
    formula="x with zeros above the diagonal",
    derivative="g with zeros above the diagonal",
)

triu: Operation = Operation(
    "Triu",
    lambda x, k: namespace(x).triu(x, k=k),
    lambda g, k: triu(g, k),
    saves="nothing",
    expands=True,
    formula="x with zeros below the diagonal",
    derivative="g with zeros below the diagonal",
)


def _part(i: int, g: Array, *shapes_and_axis: Any) -> Array:
    """What concatenation made of input `i`."""
    *shapes, axis = shapes_and_axis
    start = sum(shape[axis] for shape in shapes[:i])
    return getitem(g, at(axis, slice(start, start + shapes[i][axis])))


cat = Variadic(
    "Cat",
    lambda *given: together(*given).concat(given[:-1], axis=given[-1]),
    _part,
    saves="shapes",
    expands=True,
    formula="a, b, … one after the other",
    derivative="the part of g at a; the part of g at b; …",
)

stack = Variadic(
    "Stack",
    lambda *given: together(*given).stack(given[:-1], axis=given[-1]),
    lambda i, g, axis: getitem(g, at(axis, i)),
    saves="nothing",
    expands=True,
    formula="a, b, … along a new axis",
    derivative="g[0]; g[1]; …",
)
