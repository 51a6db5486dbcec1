"""Operations that select elements of an array, or set them: the derivative puts back what was selected."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_poly.arrays import Array, Index, Shape, namespace
from tinygrad_poly.derivatives.operation import Operation

getitem: Operation = Operation(
    "Index",
    lambda x, index: x[index],
    lambda g, x_shape, index: put(g, x_shape, index),
    saves="shapes",
    expands=True,
    formula="x[i]",
    derivative="g added to zeros at i",
    special="nowhere; an element selected several times gets the sum",
)


def _is_basic(part: Any) -> bool:
    return part is None or part is Ellipsis or isinstance(part, (int, slice, np.integer))


def _parts(index: Index) -> tuple[Any, ...]:
    return index if isinstance(index, tuple) else (index,)


def selects_once(index: Index) -> bool:
    """Whether `index` consists of integers, slices and masks, which select no element twice."""
    return all(_is_basic(part) or "bool" in str(getattr(part, "dtype", "")) for part in _parts(index))


def _put(g: Array, shape: Shape, index: Index) -> Array:
    xp: Any = namespace(g)
    zeros = xp.zeros(shape, dtype=g.dtype)
    if all(map(_is_basic, _parts(index))):
        # The axes that None inserted are not there to assign to.
        parts = tuple(part for part in _parts(index) if part is not None)
        zeros[parts] = xp.reshape(g, zeros[parts].shape)
    elif selects_once(index):
        zeros[index] = g
    elif g.size < 1000 or zeros.size > 4 * g.size:
        xp.add.at(zeros, index, g)
    else:
        # NumPy adds at flat positions several times faster than at tuples of arrays or in whole rows,
        # which pays for numbering all elements unless there are few or most are not selected.
        flat = xp.reshape(xp.arange(zeros.size), shape)[index]
        xp.add.at(xp.reshape(zeros, -1), xp.reshape(flat, -1), xp.reshape(g, -1))
    return zeros


put: Operation = Operation(
    "IndexPut",
    _put,
    lambda g, shape, index: getitem(g, index),
    saves="nothing",
    expands=True,
    opaque=True,
    formula="zeros with x added at i",
    derivative="g[i]",
    special="nowhere",
)


def _replace(x: Array, values: Array, index: Index) -> Array:
    y = namespace(x).asarray(x, copy=True)
    y[index] = values
    return y


# No element is selected twice: `functions.indexing` leaves only the last of several values for an element.
replace: Operation = Operation(
    "IndexPut",
    _replace,
    lambda g, index: replace(g, 0.0, index),
    lambda g, index: getitem(g, index),
    saves="nothing",
    expands=True,
    opaque=True,
    formula="a with b at i",
    derivative="g with 0 at i; g[i]",
    special="nowhere",
)


def at(axis: int, part: Any) -> tuple[Any, ...]:
    """The index that has `part` on one axis and leaves the others as they are."""
    return (*(slice(None),) * axis, part, Ellipsis)


def along(index: Array, dim: int) -> tuple[Array, ...]:
    """The index that takes x[…, index[…, j, …], …]: `index` in `dim`, and elsewhere each element's own place."""
    xp = namespace(index)
    ndim = len(index.shape)
    return tuple(
        index if i == dim else xp.reshape(xp.arange(n), (1,) * i + (n,) + (1,) * (ndim - i - 1))
        for i, n in enumerate(index.shape)
    )
