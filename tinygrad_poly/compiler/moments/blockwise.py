"""Block-wise losses: split a traced loss into sums over points, so that it can be computed block by block.

A loss of N points may be computed a block of points at a time if it is a sum of parts, each of them

    Nᵖ · Σᵢ t(wᵢₙ, pointᵢ)     for a whole number p: 0 for a sum, −1 for a mean
    Nᵖ · r(w)                  which no point has a share in, such as λ ‖w‖²

and so may its gradients. Then Σ over the points is a sum over blocks of sums over their points. Whether it is of that
form can be read off its program: a value either has one axis along which the points lie, each element depending on
its own point alone, or it has none and is such a sum of parts. Here every instruction is followed by what it makes
of the parts; one that would make something else is named in an error.

Which axis the points lie along, and which numbers depend on how many there are, is found by tracing twice, for two
numbers of points: what differs does. A length that happens to be equal to theirs confuses nothing.
"""

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from tinygrad_poly.compiler.trace.program import in_order
from tinygrad_poly.compiler.trace.simplify import constant_value
from tinygrad_poly.compiler.trace.symbols import Symbol, constant, full_index, is_elementwise, record
from tinygrad_poly.derivatives.indexing import put
from tinygrad_poly.engine.arrays import Shape, is_floating
from tinygrad_poly.engine.errors import DataError

Part = tuple[bool, int]
"""Whether it is a sum over the points, and the power p of the number of points that it is proportional to."""

PLAIN: Part = (False, 0)


class NotAdditive(DataError):  # noqa: N818 - like NotFusable and NotPolynomial
    """A loss that is no sum and no mean over the points: the message names what is in the way."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"only a loss that is a sum or a mean over the points can be computed block by block, and here {reason}: "
            "end the loss with .sum() or .mean(), and add what depends on weights alone to that"
        )


@dataclass(frozen=True)
class Value:
    """A symbol as a sum of parts."""

    axis: int | None
    """The axis along which the points lie, counted from the last (−1)."""
    parts: dict[Part, Any]
    """The symbols, arrays or numbers that add up to it."""


def parts(
    outputs: Sequence[Any], others: Sequence[Any], data: Mapping[Symbol, Symbol], points: int, other_points: int
) -> list[dict[Part, Any]]:
    """The parts of each output, which add up to it.

    Args:
        outputs: what a function of data returned for one number of points: symbols or constants.
        others: what it returned for another number of points, in the same order.
        data: the symbols of the arrays whose first axis the points lie along, in the one trace and in the other.
        points: the one number of points.
        other_points: the other.

    Raises:
        NotAdditive: naming the instruction that no part comes out of.

    >>> from tinygrad_poly.compiler.trace.symbols import placeholder
    >>> def mean_and_penalty(x, w):
    ...     return record("add", record("divide", record("sum", x), x.shape[0]), record("multiply", w, w))
    >>> w, x, longer = (placeholder(name, shape, "float64") for name, shape in (("w", ()), ("x", (7,)), ("x", (11,))))
    >>> parts([mean_and_penalty(x, w)], [mean_and_penalty(longer, w)], {x: longer}, 7, 11)
    [{(True, -1): <divide: float64[]>, (False, 0): <multiply: float64[]>}]
    """
    symbols, other_symbols = ([s for s in given if isinstance(s, Symbol)] for given in (outputs, others))
    first, second = in_order(symbols), in_order(other_symbols)
    if len(symbols) != len(other_symbols) or [s.function for s in first] != [s.function for s in second]:
        raise NotAdditive("another number of points makes the loss compute something else")
    walk = _Walk(dict(zip(first, second, strict=True)), dict(data), points, other_points)
    for s in first:
        walk.visit(s)
    found = [walk.value(x, y).parts for x, y in zip(outputs, others, strict=True)]
    return [{part: _full(p, x) for part, p in each.items()} for x, each in zip(outputs, found)]


class _Walk:
    """One walk through both traces together, inputs before consumers."""

    def __init__(self, pairs: dict[Symbol, Symbol], data: dict[Symbol, Symbol], n: int, other_n: int) -> None:
        self.pairs = pairs
        self.data = data
        self.n, self.other_n = n, other_n
        self.values: dict[Symbol, Value] = {}

    def visit(self, s: Symbol) -> None:
        """Find the parts of `s` from those of its inputs."""
        other = self.pairs[s]
        axis = self._axis(s.shape, other.shape, _name(s))
        if s in self.data or s.function == "input":
            self.values[s] = Value(axis, {PLAIN: s})
            return
        if s.function == "full":
            fills = (dict(x.attributes)["fill_value"] for x in (s, other))
            self.values[s] = Value(axis, dict.fromkeys(self.value(*fills).parts, s))
            return
        self._check_attributes(s, other)
        inputs = [self.value(x, y) for x, y in zip(s.inputs, other.inputs, strict=True)]
        rule = _RULES.get(s.function)
        if s.function == "row" and dict(s.attributes)["row"] is put:
            rule = _put
        if rule is None:
            rule = _pointwise if is_elementwise(s.function) else _of_weights
        found = rule(s, axis, inputs)
        if axis is not None and any(summed for summed, _ in found):
            raise NotAdditive(f"{_name(s)} brings each point together with a sum over all points")
        # The only part of a symbol is the symbol itself: there is nothing to compute anew.
        self.values[s] = Value(axis, dict.fromkeys(found, s) if len(found) == 1 else found)

    def value(self, x: Any, y: Any) -> Value:
        """The parts of an input in both traces; for a number, the power of the number of points that it is."""
        if isinstance(x, Symbol):
            return self.values[x]
        a, b = np.asarray(x), np.asarray(y)
        axis = self._axis(a.shape, b.shape, "a constant")
        if axis is None and np.array_equal(a, b, equal_nan=a.dtype.kind == "f"):
            return Value(None, {PLAIN: x})
        if a.size and b.size and all((array == array.flat[0]).all() for array in (a, b)):
            p = self._power(a.flat[0], b.flat[0])
            if p is not None:
                return Value(axis, {(False, p): x})
        raise NotAdditive(
            f"a constant is {_short(x)} for {self.n} points and {_short(y)} for {self.other_n}, and not "
            "proportional to a power of their number"
        )

    def _power(self, a: Any, b: Any) -> int | None:
        """The p for which a / b = (n / other n)ᵖ."""
        if a == b:
            return 0
        if not a or not b or a / b < 0:
            return None
        p = round(math.log(a / b) / math.log(self.n / self.other_n))
        return p if math.isclose(a / b, (self.n / self.other_n) ** p, rel_tol=1e-6) else None

    def _axis(self, shape: Shape, other: Shape, what: str) -> int | None:
        """The axis of `shape` whose length depends on the number of points, counted from the last; None for no axis."""
        found = [i - len(shape) for i, (a, b) in enumerate(zip(shape, other)) if a != b]
        if len(shape) != len(other) or len(found) > 1:
            raise NotAdditive(f"{what} of shape {shape} brings points together with other points")
        if found and shape[found[0]] * self.other_n != other[found[0]] * self.n:
            raise NotAdditive(f"{what} picks points by their place: of {self.n} there are {shape[found[0]]}")
        return found[0] if found else None

    def _check_attributes(self, s: Symbol, other: Symbol) -> None:
        for (key, a), (_, b) in zip(s.attributes, other.attributes):
            known = key == "shape" or (key == "options" and dict(s.attributes)["row"] is put)
            if not known and not _equal(a, b):
                raise NotAdditive(f"{_name(s)} picks points by their place ({key} {a!r})")


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, (tuple, list)) and isinstance(b, (tuple, list)):
        return len(a) == len(b) and all(map(_equal, a, b))
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return np.array_equal(a, b)
    return bool(a == b)


Parts = dict[Part, Any]
Rule = Callable[[Symbol, int | None, list[Value]], Parts]


def _converted(s: Symbol, axis: int | None, inputs: list[Value]) -> Parts:
    """The rule of `astype`: linear for floating dtypes, pointwise for others."""
    return (_linear if is_floating(s.dtype) else _pointwise)(s, axis, inputs)


def _linear(s: Symbol, axis: int | None, inputs: list[Value]) -> Parts:
    """The rule of negation, transposes and expansions: f(u + v) = f(u) + f(v), points staying in their places."""
    (x,) = inputs
    if len(x.parts) == 1:
        return dict.fromkeys(x.parts, s)
    return {p: record(s.function, _full(part, s.inputs[0]), **dict(s.attributes)) for p, part in x.parts.items()}


def _full(part: Any, s: Any) -> Any:
    """A part in the shape and dtype of its symbol, so that the same operations apply to it."""
    if not isinstance(s, Symbol):
        return part
    if not hasattr(part, "dtype"):
        return constant(part, s.shape, s.dtype)
    if part.shape != s.shape:
        part = record("broadcast_to", part, shape=s.shape)
    return part if part.dtype == s.dtype else record("astype", part, dtype=s.dtype)


def _sum_of(s: Symbol, axis: int | None, inputs: list[Value]) -> Parts:
    """The rule of `a + b` and `a - b`."""
    a, b = ({part: _full(x, s) for part, x in value.parts.items()} for value in inputs)
    found: Parts = dict(a)
    for part, symbol in b.items():
        if part in found:
            found[part] = record(s.function, found[part], symbol)
        else:
            found[part] = record("negative", symbol) if s.function == "subtract" else symbol
    return found


def _product(s: Symbol, axis: int | None, inputs: list[Value], contracted: bool = False) -> Parts:
    """The rule of `a * b` and `a @ b`: each part with each, of which one at most may be a sum over the points."""
    several = any(len(x.parts) > 1 for x in inputs)
    found: Parts = {}
    for (summed, p), x in inputs[0].parts.items():
        for (also_summed, q), y in inputs[1].parts.items():
            if summed and also_summed:
                raise NotAdditive(f"{_name(s)} is taken of two sums over the points")
            part = (summed or also_summed or contracted, p + q)
            product = record(s.function, *(_full(k, of) for k, of in zip((x, y), s.inputs))) if several else s
            found[part] = record("add", found[part], product) if part in found else product
    return found


def _quotient(s: Symbol, axis: int | None, inputs: list[Value]) -> Parts:
    """The rule of `a / b`: b must be one power of the number of points, times something that sums over no points."""
    a, b = inputs
    if len(b.parts) > 1 or any(summed for summed, _ in b.parts):
        raise NotAdditive(f"{_name(s)} is taken by a sum over the points")
    ((_, q),) = b.parts
    return {
        (summed, p - q): record("divide", part, s.inputs[1]) if len(a.parts) > 1 else s
        for (summed, p), part in a.parts.items()
    }


def _choice(s: Symbol, axis: int | None, inputs: list[Value]) -> Parts:
    """The rule of `where(condition, a, b)`: linear in a and b."""
    _check_plain(s, inputs[0])
    # Nought is nought times every power.
    a, b = ({} if constant_value(x) == 0 else value.parts for x, value in zip(s.inputs[1:], inputs[1:]))
    keys = dict.fromkeys([*a, *b] or [PLAIN])
    if len(keys) == 1:
        return dict.fromkeys(keys, s)
    return {part: record("where", s.inputs[0], a.get(part, 0.0), b.get(part, 0.0)) for part in keys}


def _reduction(s: Symbol, axis: int | None, inputs: list[Value]) -> Parts:
    """The rule of reductions: sums over anything, others only over something else than points."""
    (x,) = inputs
    axes, ndim = dict(s.attributes).get("axis"), s.inputs[0].ndim
    over_points = x.axis is not None and (axes is None or x.axis % ndim in normalize_axis_tuple(axes, ndim))
    if s.function != "sum":
        if over_points:
            raise NotAdditive(f"{_name(s)} runs over the points")
        return _pointwise(s, axis, inputs)
    return {(summed or over_points, p): symbol for (summed, p), symbol in _linear(s, axis, inputs).items()}


def _matrix_product(s: Symbol, axis: int | None, inputs: list[Value]) -> Parts:
    """The rule of matrix products, which may sum over the points."""
    a, b = inputs
    rows = -min(s.inputs[1].ndim, 2)
    contracted = a.axis == -1 and b.axis == rows
    if not contracted and (a.axis == -1 or (b.axis is not None and b.axis == rows)):
        raise NotAdditive(f"{_name(s)} weighs points by their place")
    return _product(s, axis, inputs, contracted)


def _reshaped(s: Symbol, axis: int | None, inputs: list[Value]) -> Parts:
    """The rule of `reshape`, as long as the elements of a point stay together."""
    (x,) = inputs
    if x.axis is not None:
        before = math.prod(s.inputs[0].shape[: x.axis])
        if axis is None or math.prod(s.shape[:axis]) != before:
            raise NotAdditive(f"{_name(s)} from {s.inputs[0].shape} to {s.shape} takes points apart")
    return _linear(s, axis, inputs)


def _indexed(s: Symbol, axis: int | None, inputs: list[Value]) -> Parts:
    """The rule of an index, which may select anything but points."""
    (x, *indices) = inputs
    attributes = dict(s.attributes)
    if indices or "arguments" in attributes:
        return _of_weights(s, axis, inputs)
    if x.axis is not None and not _keeps(attributes["index"], x.axis, s.inputs[0].ndim):
        raise NotAdditive(f"an index picks points by their place ({attributes['index']!r})")
    return _linear(s, axis, inputs)


def _put(s: Symbol, axis: int | None, inputs: list[Value]) -> Parts:
    """The rule of the derivative of an index: elements placed among zeros."""
    shape, index = dict(s.attributes)["options"]
    if (axis is not None and not _keeps(index, axis, len(shape))) or len(inputs) != 1:
        raise NotAdditive("an index picks points by their place")
    return _linear(s, axis, inputs)


def _keeps(index: Any, axis: int, ndim: int) -> bool:
    """Whether an index of integers and slices keeps the whole of `axis`, counted from the last."""
    entries = tuple(part for part in (index if isinstance(index, tuple) else (index,)) if part is not None)
    found = full_index((sys.maxsize,) * ndim, entries)  # a slice that ends somewhere does not take so many
    return found is not None and bool(found[axis] == slice(None))


def _joined(s: Symbol, axis: int | None, inputs: list[Value]) -> Parts:
    """The rule of `concat` and `stack`, along another axis than that of the points."""
    if axis is not None and int(dict(s.attributes).get("axis", 0)) % s.ndim == axis % s.ndim:
        raise NotAdditive(f"{_name(s)} puts points behind points")
    return _pointwise(s, axis, inputs)


def _pointwise(s: Symbol, axis: int | None, inputs: list[Value]) -> Parts:
    """The rule of any function of one point's values, or of weights."""
    for x in inputs:
        _check_plain(s, x)
    return {PLAIN: s}


def _of_weights(s: Symbol, axis: int | None, inputs: list[Value]) -> Parts:
    """The rule of functions that may do anything, and therefore must not see the points."""
    if axis is not None or any(x.axis is not None for x in inputs):
        raise NotAdditive(f"{_name(s)} might bring points together with other points")
    return _pointwise(s, axis, inputs)


def _check_plain(s: Symbol, x: Value) -> None:
    if any(summed for summed, _ in x.parts):
        raise NotAdditive(f"{_name(s)} is taken of a sum over the points")
    if any(p for _, p in x.parts):
        raise NotAdditive(f"{_name(s)} is taken of something that depends on how many points there are")


def _name(s: Symbol) -> str:
    name = dict(s.attributes)["row"].name if s.function == "row" else s.function
    return f"{name} of shape {s.shape}" if s.shape else str(name)


def _short(x: Any) -> str:
    text = " ".join(str(x).split())
    return text if len(text) < 40 else f"{text[:36]} ..."


_RULES: dict[str, Rule] = {
    **dict.fromkeys(("negative", "positive", "broadcast_to"), _linear),
    **dict.fromkeys(("swapaxes", "permute_dims", "transpose", "matrix_transpose", "moveaxis"), _linear),
    **dict.fromkeys(("squeeze", "expand_dims", "reshape"), _reshaped),
    **dict.fromkeys(("add", "subtract"), _sum_of),
    **dict.fromkeys(("concat", "concatenate", "stack"), _joined),
    **dict.fromkeys(("sum", "max", "min", "prod", "all", "any"), _reduction),
    "astype": _converted,
    "multiply": _product,
    "divide": _quotient,
    "where": _choice,
    "matmul": _matrix_product,
    "getitem": _indexed,
}
