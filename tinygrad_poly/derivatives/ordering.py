"""Sorting and selecting by size: the derivative goes where the element came from.

The places are found beforehand and are options here: they do not move when the elements change a little.
"""

from tinygrad_poly.engine.arrays import Array, namespace
from tinygrad_poly.engine.operation import Operation

rearrange: Operation = Operation(
    "Sort", lambda x, order, inverse, axis: namespace(x).take_along_axis(x, order, axis=axis),
    lambda g, order, inverse, axis: rearrange(g, inverse, order, axis), saves="nothing", expands=True,
    formula="yₖ = x_π(k), the elements in order", derivative="∂yₖ/∂x_π(k) = 1",
    note="equal elements keep their order, and each its own derivative",
)  # fmt: skip

pick: Operation = Operation(
    "ValueSelectingReduction", lambda x, index, axis: namespace(x).take_along_axis(x, index, axis=axis),
    lambda g, shape, index, axis: place(g, index, shape[axis], axis), saves="shapes", expands=True,
    formula="y = xₖ, such as the largest element of a row", derivative="1 for xₖ, otherwise 0",
    note="of equal elements, the one whose index is returned gets all",
)  # fmt: skip


def _place(g: Array, index: Array, length: int, axis: int) -> Array:
    xp = namespace(g)
    positions = xp.reshape(xp.arange(length), (length, *[1] * (g.ndim - axis - 1)))
    return xp.where(positions == index, g, xp.zeros((), dtype=g.dtype))


place: Operation = Operation(
    "ValueSelectingReductionBackward", _place, lambda g, index, length, axis: pick(g, index, axis),
    saves="nothing", expands=True, formula="yₖ = x, zeros elsewhere", derivative="∂yₖ/∂x = 1",
)  # fmt: skip
