"""Windows: the elements that a kernel sees as it slides over an array, and convolution and pooling of them.

A kernel of several places, `dilation` apart, slides in steps of `stride` over the last dimensions of an array, as many
as it has itself. A border is there already: `joining.pad` makes it.
"""

import functools
import itertools
import math
from typing import Any

from tinygrad_poly.derivatives.elementwise import where
from tinygrad_poly.derivatives.indexing import at
from tinygrad_poly.derivatives.joining import stack
from tinygrad_poly.derivatives.products import product
from tinygrad_poly.derivatives.shapes import reshape
from tinygrad_poly.engine.arrays import Array, Shape, library, namespace, total
from tinygrad_poly.engine.operation import Operation, Point


def positions(shape: Shape, kernel: Shape, stride: Shape, dilation: Shape) -> Shape:
    """The number of positions of the kernel along each dimension that it slides over."""
    sizes = zip(shape[len(shape) - len(kernel) :], kernel, stride, dilation)
    return tuple((n - d * (k - 1) - 1) // s + 1 for n, k, s, d in sizes)


def _parts(shape: Shape, kernel: Shape, stride: Shape, dilation: Shape) -> list[tuple[Any, ...]]:
    """The index of what a place of the kernel sees at all positions, for each of its places, row by row."""
    ends = [s * (n - 1) + 1 for n, s in zip(positions(shape, kernel, stride, dilation), stride)]
    return [
        (Ellipsis, *(slice(d * i, d * i + end, s) for i, d, end, s in zip(place, dilation, ends, stride)))
        for place in itertools.product(*map(range, kernel))
    ]


def _windows(x: Array, kernel: Shape, stride: Shape, dilation: Shape) -> Array:
    xp, axis = namespace(x), x.ndim - len(kernel)
    seen = xp.stack([x[part] for part in _parts(x.shape, kernel, stride, dilation)], axis=axis)
    return xp.reshape(seen, (*x.shape[:axis], *kernel, *seen.shape[axis + 1 :]))


windows: Operation = Operation(
    "Im2Col", _windows, lambda g, shape, kernel, stride, dilation: fold(g, shape, kernel, stride, dilation),
    saves="shapes", expands=True, opaque=True,
    formula="y[k, p] = x[s p + d k] for the places k of a kernel and its positions p",
    derivative="fold: g[k, p] added to zeros at s p + d k",
)  # fmt: skip


def _fold(g: Array, shape: Shape, kernel: Shape, stride: Shape, dilation: Shape) -> Array:
    own, axis = library(g), len(shape) - len(kernel)
    g = own.xp.reshape(g, (*shape[:axis], math.prod(kernel), *g.shape[axis + len(kernel) :]))
    result = own.xp.zeros(shape, dtype=g.dtype)
    for number, part in enumerate(_parts(shape, kernel, stride, dilation)):
        result = own.written(result, part, result[part] + g[at(axis, number)])
    return result


fold: Operation = Operation(
    "Col2Im", _fold, lambda g, shape, kernel, stride, dilation: windows(g, kernel, stride, dilation),
    saves="nothing", expands=True, opaque=True,
    formula="x[k, p] added to zeros at s p + d k", derivative="windows: g[s p + d k]",
)  # fmt: skip


# As matrices, for each example and group: weights W of shape (F, C |k|), and windows X of shape (C |k|, positions).


def _weights(w: Array, groups: int) -> Array:
    return reshape(w, (groups, w.shape[0] // groups, math.prod(w.shape[1:])))


def _windows_as_columns(x: Array, w: Array, stride: Shape, dilation: Shape, groups: int) -> Array:
    seen = windows(x, w.shape[2:], stride, dilation)
    return reshape(seen, (x.shape[0], groups, math.prod(w.shape[1:]), math.prod(seen.shape[w.ndim :])))


def _in_groups(g: Array, groups: int) -> Array:
    return reshape(g, (g.shape[0], groups, g.shape[1] // groups, math.prod(g.shape[2:])))


def _convolve(x: Array, w: Array, bias: Any, stride: Shape, dilation: Shape, groups: int) -> Array:
    y = product(_weights(w, groups), _windows_as_columns(x, w, stride, dilation, groups))
    y = reshape(y, (x.shape[0], w.shape[0], *positions(x.shape, w.shape[2:], stride, dilation)))
    return y if bias is None else y + reshape(bias, (-1,) + (1,) * (w.ndim - 2))


def _to_input(g: Array, x: Array, w: Array, bias: Any, stride: Shape, dilation: Shape, groups: int) -> Array:
    columns = _weights(w, groups).mT @ _in_groups(g, groups)
    return fold(reshape(columns, (*x.shape[:2], *w.shape[2:], *g.shape[2:])), x.shape, w.shape[2:], stride, dilation)


def _to_weights(g: Array, x: Array, w: Array, bias: Any, stride: Shape, dilation: Shape, groups: int) -> Array:
    columns = _windows_as_columns(x, w, stride, dilation, groups)
    return reshape(total(_in_groups(g, groups) @ columns.mT, 0), w.shape)


convolution = Operation(
    "Convolution", _convolve, _to_input, _to_weights, lambda g, x, *_: total(g, (0, *range(2, x.ndim))),
    expands=True, opaque=True,
    formula="W X + b, with W the weights and X the windows of x as matrices, for each group of channels",
    derivative="the fold of Wᵀ G; Σ G Xᵀ over the examples; Σ G over examples and positions",
)  # fmt: skip


def _largest(x: Array, kernel: Shape, stride: Shape, dilation: Shape) -> Array:
    first, *others = (x[part] for part in _parts(x.shape, kernel, stride, dilation))
    return functools.reduce(namespace(x).maximum, others or [first], first)


def _to_the_largest(g: Array, x: Array, y: Array, kernel: Shape, stride: Shape, dilation: Shape) -> Array:
    given, left = [], True
    for part in _parts(x.shape, kernel, stride, dilation):
        seen = x[part]
        hit = (seen == y) | (seen != seen)
        given.append(where(hit & left, g, 0.0))
        left = ~hit & left
    axis = len(x.shape) - len(kernel)
    together = stack.of(len(given))(*given, axis)
    return fold(reshape(together, (*x.shape[:axis], *kernel, *g.shape[axis:])), x.shape, kernel, stride, dilation)


max_pool = Operation(
    "MaxPool2DWithIndices", _largest, _to_the_largest, saves="both", expands=True, opaque=True,
    formula="the largest element in each window", derivative="1 for the first that is the largest, otherwise 0",
    special=(
        Point([1, 2, 2], 2, [0, 1, 0], options=((3,), (1,), (1,))),
        Point([3, 3, 3], 3, [1, 1, 0], options=((2,), (1,), (1,))),
        Point([1, math.nan, 2], math.nan, [0, 1, 0], options=((3,), (1,), (1,))),
    ),
)  # fmt: skip
