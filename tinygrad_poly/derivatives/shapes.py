"""Operations that move elements and change none: the derivative moves them back."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_poly import arrays
from tinygrad_poly.arrays import Array, Index, Shape, namespace
from tinygrad_poly.derivatives.operation import Operation

reshape: Operation = Operation(
    "View",
    lambda x, shape: namespace(x).reshape(x, shape),
    lambda g, x_shape, shape: reshape(g, x_shape),
    saves="shapes",
    expands=True,
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
)

# Repeating an array is undone by the sum that the walk does for every rule.
broadcast_to = Operation(
    "Expand", lambda x, shape: namespace(x).broadcast_to(x, shape), lambda g, shape: g, saves="nothing"
)

# The walk brings each cotangent to its array's dtype.
astype = Operation("ToCopy", arrays.astype, lambda g, dtype: g, saves="nothing")

# A move to another device is undone by a move back.
to_device: Operation = Operation(
    "ToCopy",
    lambda x, target, source: target.asarray(x),
    lambda g, target, source: to_device(g, source, target),
    saves="nothing",
)

clone = Operation("Clone", lambda x: namespace(x).asarray(x, copy=True), lambda g: g, saves="nothing")

getitem = Operation(
    "Index",
    lambda x, index: x[index],
    lambda g, x_shape, index: put(g, x_shape, index),
    saves="shapes",
    expands=True,
)


def _put(g: Array, shape: Shape, index: Index) -> Array:
    """Zeros of `shape` with `g` added at `index`; an element selected twice gets both."""
    xp: Any = namespace(g)
    zeros = xp.zeros(shape, dtype=g.dtype)
    parts = index if isinstance(index, tuple) else (index,)
    if all(part is None or part is Ellipsis or isinstance(part, (int, slice, np.integer)) for part in parts):
        # Nothing is selected twice. The axes that None inserted are not there to assign to.
        parts = tuple(part for part in parts if part is not None)
        zeros[parts] = xp.reshape(g, zeros[parts].shape)
    else:
        xp.add.at(zeros, index, g)
    return zeros


put: Operation = Operation("IndexPut", _put, lambda g, shape, index: getitem(g, index), saves="nothing", expands=True)
