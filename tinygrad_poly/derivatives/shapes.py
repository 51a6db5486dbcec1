"""Changes of shape and order, which move elements: the derivative moves them back."""

import numpy as np

from tinygrad_poly.engine import arrays
from tinygrad_poly.engine.arrays import Shape, namespace
from tinygrad_poly.engine.operation import Operation

# All of these are linear: they have a derivative everywhere.

reshape: Operation = Operation(
    "View", lambda x, shape: namespace(x).reshape(x, shape), lambda g, x_shape, shape: reshape(g, x_shape),
    saves="shapes", expands=True, formula="x in another shape", derivative="g in the shape of x",
)  # fmt: skip


def inverse(axes: Shape) -> Shape:
    """The permutation that undoes `axes`."""
    return tuple(sorted(range(len(axes)), key=axes.__getitem__))


permute: Operation = Operation(
    "Permute", lambda x, axes: namespace(x).permute_dims(x, axes) if namespace(x) is not np else x.transpose(axes),
    lambda g, axes: permute(g, inverse(axes)), saves="nothing", expands=True,
    formula="x with axes in the order π", derivative="g with axes in the order π⁻¹",
)  # fmt: skip

# Repeating an array is undone by the sum that the walk does for every rule.
broadcast_to = Operation(
    "Expand", lambda x, shape: namespace(x).broadcast_to(x, shape), lambda g, shape: g, saves="nothing",
    formula="x repeated to a shape", derivative="g summed over the repetitions",
)  # fmt: skip

# The walk brings each cotangent to its array's dtype.
astype = Operation(
    "ToCopy", arrays.astype, lambda g, dtype: g, saves="nothing",
    formula="x in another dtype", derivative="g in the dtype of x", note="nowhere; integers end the tape",
)  # fmt: skip

# A move to another device is undone by a move back.
to_device: Operation = Operation(
    "ToCopy", lambda x, target, source: target.asarray(x), lambda g, target, source: to_device(g, source, target),
    saves="nothing", opaque=True, formula="x on another device", derivative="g on the device of x",
)  # fmt: skip


def _copied(x: arrays.Array, row_by_row: bool = False) -> arrays.Array:
    """A copy whose elements lie in the same order if they lie without gaps, as in torch, else row by row."""
    if not hasattr(x, "strides") or not x.shape:
        return namespace(x).asarray(x, copy=True)
    extent = sum((n - 1) * step for n, step in zip(x.shape, x.strides)) + x.itemsize
    return x.copy("C" if row_by_row or extent != x.nbytes else "K")


clone = Operation("Clone", _copied, lambda g, *row_by_row: g, saves="nothing", formula="x", derivative="g")

flip: Operation = Operation(
    "Flip", lambda x, axes: namespace(x).flip(x, axis=axes), lambda g, axes: flip(g, axes),
    saves="nothing", expands=True, formula="x in reverse order", derivative="g in reverse order",
)  # fmt: skip

roll: Operation = Operation(
    "Roll", lambda x, shifts, axes: namespace(x).roll(x, shifts, axis=axes),
    lambda g, shifts, axes: roll(g, tuple(-shift for shift in shifts), axes), saves="nothing", expands=True,
    formula="x moved on by k places, around the end", derivative="g moved back by k places",
)  # fmt: skip
