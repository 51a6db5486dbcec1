"""Indexing: operations that select or set elements; the derivative puts back what was selected."""

import math
from typing import Any

import numpy as np

from tinygrad_poly.engine.arrays import Array, Index, Shape, library, namespace, on_cpu
from tinygrad_poly.engine.operation import Operation


def _take(x: Array, index: Index) -> Array:
    try:
        return x[index]
    except IndexError:
        # The array API has fewer indices than NumPy, CuPy and JAX.
        if not library(x).few_indices:
            raise
        return _gathered(x, positions(x.shape, index))


def _step_name(saved: Any) -> str:
    """Torch's name of the last of the steps in which it takes an index."""
    index = saved[1] if isinstance(saved[1], tuple) else (saved[1],)
    parts = [part for part in index if part is not Ellipsis]
    if not all(map(_is_basic, parts)):
        return "IndexBackward0"
    last = {slice: "Slice", type(None): "Unsqueeze"}.get(type(parts[-1]), "Select") if parts else "Alias"
    return f"{last}Backward0"


getitem: Operation = Operation(
    "Index", _take, lambda g, x_shape, index: put(g, x_shape, index), saves="shapes", expands=True, named=_step_name,
    formula="x[i]", derivative="g added to zeros at i", note="nowhere; an element selected several times gets the sum",
)  # fmt: skip


def _is_basic(part: Any) -> bool:
    return part is None or part is Ellipsis or isinstance(part, (int, slice, np.integer))


def _parts(index: Index) -> tuple[Any, ...]:
    return index if isinstance(index, tuple) else (index,)


def selects_once(index: Index) -> bool:
    """Whether `index` consists of integers, slices and masks, which select no element twice."""
    return all(_is_basic(part) or "bool" in str(getattr(part, "dtype", "")) for part in _parts(index))


# Of a library that neither writes at arrays of integers nor adds there, everything is asked as a gather.


def positions(shape: Shape, index: Index) -> np.ndarray[Any, Any]:
    """The numbers of the selected elements of an array of `shape`, counted row by row."""
    parts = tuple(on_cpu(part) if hasattr(part, "dtype") else part for part in _parts(index))
    return np.asarray(np.arange(math.prod(shape)).reshape(shape)[parts])


def _gathered(x: Array, places: np.ndarray[Any, Any]) -> Array:
    """The elements of `x` at positions that are counted row by row."""
    xp = namespace(x)
    found = xp.take(xp.reshape(x, (-1,)), xp.asarray(places.reshape(-1)), axis=0)
    return xp.reshape(found, places.shape)


def _merged(x: Array, values: Array, places: np.ndarray[Any, Any]) -> Array:
    """The array `x` with `values` at positions counted row by row, all different."""
    xp = namespace(x)
    size = math.prod(x.shape)
    sources = np.arange(size)
    sources[places.reshape(-1)] = np.arange(size, size + places.size)
    both = xp.concat((xp.reshape(x, (-1,)), xp.reshape(xp.broadcast_to(values, places.shape), (-1,))))
    return _gathered(both, sources.reshape(x.shape))


def _added(g: Array, shape: Shape, index: Index) -> Array:
    """Zeros with g added at `index`: for each position the first contribution, then the second …"""
    xp = namespace(g)
    places, g = positions(shape, index).reshape(-1), xp.reshape(g, (-1,))
    result, left = xp.zeros(shape, dtype=g.dtype), np.arange(places.size)
    while left.size:
        chosen, first = np.unique(places[left], return_index=True)
        result = result + _merged(xp.zeros(shape, dtype=g.dtype), _gathered(g, left[first]), chosen)
        left = np.delete(left, first)
    return result


def _put(g: Array, shape: Shape, index: Index) -> Array:
    own = library(g)
    xp = own.xp
    if not hasattr(xp.add, "at"):
        return _added(g, shape, index)
    zeros = xp.zeros(shape, dtype=g.dtype)
    if all(map(_is_basic, _parts(index))):
        # The axes that None inserted are not there to assign to.
        parts = tuple(part for part in _parts(index) if part is not None)
        return own.written(zeros, parts, xp.reshape(g, zeros[parts].shape))
    if selects_once(index):
        return own.written(zeros, index, g)
    if g.size < 1000 or zeros.size > 4 * g.size:
        return own.added(zeros, index, g)
    # NumPy adds at flat positions several times faster than at tuples of arrays or in whole rows,
    # which pays for numbering all elements unless there are few or most are not selected.
    flat = xp.reshape(xp.arange(zeros.size), shape)[index]
    return xp.reshape(own.added(xp.reshape(zeros, -1), xp.reshape(flat, -1), xp.reshape(g, -1)), shape)


put: Operation = Operation(
    "IndexPut", _put, lambda g, shape, index: getitem(g, index), saves="nothing", expands=True, opaque=True,
    formula="zeros with x added at i", derivative="g[i]",
)  # fmt: skip


def _replace(x: Array, values: Any, index: Index) -> Array:
    xp: Any = namespace(x)
    if not hasattr(xp.add, "at"):
        return _merged(x, xp.asarray(values, dtype=x.dtype), positions(x.shape, index))
    return library(x).written(xp.asarray(x, copy=True), index, values)


# No element is selected twice: `functions.indexing` leaves only the last of several values for an element.
replace: Operation = Operation(
    "IndexPut", _replace, lambda g, index: replace(g, 0.0, index), lambda g, index: getitem(g, index),
    saves="nothing", expands=True, opaque=True, formula="a with b at i", derivative="g with 0 at i; g[i]",
)  # fmt: skip


def at(axis: int, part: Any) -> tuple[Any, ...]:
    """The index with `part` on one axis and everything on the others."""
    return (*(slice(None),) * axis, part, Ellipsis)


def along(index: Array, dim: int) -> tuple[Array, ...]:
    """The index that takes x[…, index[…, j, …], …]: `index` in `dim`, elsewhere each element's own position."""
    xp = namespace(index)
    ndim = len(index.shape)
    return tuple(
        index if i == dim else xp.reshape(xp.arange(n), (1,) * i + (n,) + (1,) * (ndim - i - 1))
        for i, n in enumerate(index.shape)
    )
