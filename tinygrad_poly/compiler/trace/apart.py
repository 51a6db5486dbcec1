"""Matrices taken apart: the same program on numbers and columns, where a program has matrices of few columns.

An array (n, d) of n points and few columns becomes d columns of n elements, and a weight (d, 1) becomes d numbers. They
stay where they were: in an array of objects, with length 1 where the points were. What NumPy does with this array is
what the program does. X @ w is x₀ w₀ + x₁ w₁ + …, a transpose moves columns to other places and computes nothing, and
Xᵀ r is one sum over the points for each column. No matrix is left, and one loop over the points does everything.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from tinygrad_poly.compiler.trace.program import Program, in_order
from tinygrad_poly.compiler.trace.simplify import simplify
from tinygrad_poly.compiler.trace.symbols import (
    Symbol,
    call,
    constant,
    full_index,
    is_elementwise,
    mapped,
    phase,
    placeholder,
    record,
)
from tinygrad_poly.engine.arrays import Shape, namespace

WIDEST = 16
"""How long an axis may be that is taken apart."""

MOST = 32
"""How many parts an array may have."""

PAIRS = {"sum": "add", "prod": "multiply", "max": "maximum", "min": "minimum"}
MOVES = ("swapaxes", "permute_dims", "transpose", "expand_dims", "squeeze", "concat", "concatenate", "stack")

Parts = Any
"""An array of objects: symbols and numbers, each a number of the program or a column."""


class NotApart(Exception):  # noqa: N818 - it asks for another way, it is no error
    """A program in which something needs a matrix as a whole."""


class Apart:
    """A program without matrices that computes what another does, and the ways from its arrays to parts and back.

    Args:
        program: simplified.
        split: the inputs that will be given in parts, see `split`; the columns of others are read from the whole array.

    Attributes:
        program: the new one.

    Raises:
        NotApart: naming what needs a matrix as a whole.
    """

    def __init__(self, program: Program, split: Collection[Symbol] = ()) -> None:
        symbols = dict.fromkeys((*split, *in_order(program.outputs)))
        self._widest = min(WIDEST, max((n for s in symbols for n in s.shape), default=1) - 1)
        self._split = set(split)
        self._captured: dict[int, Parts] = {}
        self._parts: dict[Symbol, Parts] = {}
        for s in symbols:
            shape, column = self._short(s.shape), self._column(s.shape)
            with phase(s.phase):
                parts = _array(self._input(s, shape) if s.function == "input" else self._computed(s, shape))
            kinds = [(getattr(x, "shape", ()), getattr(x, "dtype", s.dtype)) for x in parts.flat]
            if parts.shape != shape or any(kind != (column, s.dtype) for kind in kinds):
                raise NotApart(f"{s.function} of shape {s.shape} mixes points and columns, or dtypes")
            self._parts[s] = parts
            if s.name:
                _name(self._parts[s], s.name)
        outputs = [x for s in program.outputs for x in self._parts[s].flat]
        if not all(isinstance(x, Symbol) for x in outputs):
            raise NotApart("a part of what is returned is not computed")
        self.program = simplify(Program.of(self.inputs(program.inputs), outputs))

    def inputs(self, symbols: Iterable[Symbol]) -> list[Symbol]:
        """The inputs of the new program in the place of old ones."""
        return [x for s in symbols for x in (self._parts[s].flat if self._is_split(s) else [s])]

    def split(self, symbols: Iterable[Symbol], values: Iterable[Any]) -> list[Any]:
        """The values of the new inputs from those of old ones."""
        given = zip(symbols, values, strict=True)
        return [x for s, value in given for x in (self._pieces(value, s.shape) if self._is_split(s) else [value])]

    def join(self, symbols: Iterable[Symbol], values: Iterable[Any]) -> list[Any]:
        """The values of old outputs, or of what these replace, from those of the new ones."""
        rest, found = iter(values), []
        for s in symbols:
            pieces = [next(rest) for _ in range(math.prod(self._short(s.shape)))]
            found.append(pieces[0] if len(pieces) == 1 else self._whole(pieces, s))
        return found

    def _is_split(self, s: Symbol) -> bool:
        return s in self._split and self._parts[s].flat[0] is not s

    def _points(self, shape: Shape) -> int | None:
        """The axis of the points; None where there is none."""
        axes = [axis for axis, length in enumerate(shape) if length > self._widest]
        if len(axes) > 1 or math.prod(length for length in shape if length <= self._widest) not in range(1, MOST + 1):
            raise NotApart(f"an array of shape {shape} has too many columns")
        return axes[0] if axes else None

    def _short(self, shape: Shape) -> Shape:
        """The shape of an array's parts."""
        axis = self._points(shape)
        return tuple(1 if i == axis else length for i, length in enumerate(shape))

    def _column(self, shape: Shape) -> Shape:
        """The shape of one part of an array."""
        axis = self._points(shape)
        return () if axis is None else (shape[axis],)

    def _pieces(self, value: Any, shape: Shape) -> list[Any]:
        """The parts of a value, the elements of a column side by side."""
        axis = self._points(shape)
        if axis is None:
            return list(value.reshape(-1))
        xp = namespace(value)
        return list(xp.ascontiguousarray(xp.moveaxis(value, axis, -1)).reshape(-1, shape[axis]))

    def _whole(self, pieces: list[Any], s: Symbol) -> Any:
        """The value with these parts."""
        axis, shape, xp = self._points(s.shape), s.shape, namespace(pieces[0])
        array = xp.asarray(xp.stack(pieces), dtype=s.dtype)
        if axis is None:
            return array.reshape(shape)
        return xp.moveaxis(array.reshape(*shape[:axis], *shape[axis + 1 :], shape[axis]), -1, axis)

    def _input(self, s: Symbol, shape: Shape) -> Parts:
        column, axis = self._column(s.shape), self._points(s.shape)
        if s.shape == column:
            return _array([s], shape)
        if s in self._split:
            return _array([placeholder(s.name, column, s.dtype) for _ in np.ndindex(shape)], shape)
        if math.prod(shape) == 1:
            return _array([record("reshape", s, shape=column)], shape)
        indices = ((slice(None) if i == axis else k for i, k in enumerate(place)) for place in np.ndindex(shape))
        return _array([s[tuple(index)] for index in indices], shape)

    def _given(self, x: Any) -> Parts:
        """An input of an instruction in parts."""
        if isinstance(x, Symbol):
            return self._parts[x]
        if not getattr(x, "shape", ()):
            return _array([x])
        if id(x) not in self._captured:
            self._captured[id(x)] = _array(self._pieces(x, x.shape), self._short(x.shape))
        return self._captured[id(x)]

    def _computed(self, s: Symbol, shape: Shape) -> Parts:
        given, attributes = [self._given(x) for x in s.inputs], dict(s.attributes)
        if s.function == "full":
            return self._filled(s, attributes["fill_value"])
        if is_elementwise(s.function):
            return _each(functools.partial(_elementwise, s), *given)
        if s.function in PAIRS and attributes.keys() == {"axis", "keepdims"}:
            return self._reduced(s, given[0], **attributes)
        if s.function in MOVES:
            in_parts = mapped(lambda x: self._given(x) if isinstance(x, np.ndarray) else x, s.attributes)
            return call(s.function, tuple(given), in_parts)
        match s.function:
            case "matmul":
                of_columns = self._points(s.inputs[0].shape) == s.inputs[0].ndim - 1
                products = _array(np.matmul(*given), shape)
                return _each(lambda x: _over_points("sum", x), products) if of_columns else products
            case "broadcast_to":
                column = self._column(s.shape)
                if column != self._column(s.inputs[0].shape):
                    given = [_each(lambda x: record("broadcast_to", x, shape=column), *given)]
                return np.broadcast_to(given[0], shape)
            case "reshape" if self._keeps_points(s.inputs[0].shape, s.shape):
                return given[0].reshape(shape)
            case "getitem":
                self._check_index(s.inputs[0].shape, attributes["index"])
                return given[0][attributes["index"]]
            case "row" if attributes["row"].name == "IndexPut":
                return self._put(s, given, attributes["options"])
        raise NotApart(f"{s.function} of shape {s.shape} takes a matrix as a whole")

    def _filled(self, s: Symbol, value: Any) -> Parts:
        shape = self._short(s.shape)
        return _array([constant(value, self._column(s.shape), s.dtype)] * math.prod(shape), shape)

    def _reduced(self, s: Symbol, parts: Parts, axis: Any, keepdims: bool) -> Parts:
        """A reduction: of columns in pairs, and then over the points."""
        (x,) = s.inputs
        if x.dtype != s.dtype:
            parts = _each(lambda y: record("astype", y, dtype=s.dtype), parts)
        axes = normalize_axis_tuple(range(x.ndim) if axis is None else axis, x.ndim)
        rows = np.moveaxis(parts, axes, range(len(axes))).reshape(
            -1, *(n for i, n in enumerate(parts.shape) if i not in axes)
        )
        pair = functools.partial(_each, functools.partial(record, PAIRS[s.function]))
        total = functools.reduce(pair, (rows[i : i + 1] for i in range(len(rows))))
        if self._points(x.shape) in axes:
            total = _each(lambda y: _over_points(s.function, y), total)
        return total.reshape(self._short(s.shape))

    def _keeps_points(self, before: Shape, after: Shape) -> bool:
        """Whether a reshape moves no point to another one's place."""
        i, k = self._points(before), self._points(after)
        return self._column(before) == self._column(after) and math.prod(before[:i]) == math.prod(after[:k])

    def _check_index(self, shape: Shape, index: Any) -> None:
        """Raise an error for an index that does not take all points and, by integers and slices, some columns."""
        items = tuple(i for i in (index if isinstance(index, tuple) else (index,)) if i is not None)
        axis, found = self._points(shape), full_index(shape, items)
        if found is None or (axis is not None and found[axis] != slice(None)):
            raise NotApart(f"an index of shape {shape} takes single points")

    def _put(self, s: Symbol, given: list[Parts], options: tuple[Any, ...]) -> Parts:
        """An array with another, or zeros, in which some columns are replaced."""
        *_, index = options
        self._check_index(s.shape, index)
        *before, values = given
        column = self._column(s.shape)

        def written(x: Any) -> Symbol:
            if not isinstance(x, Symbol) and not np.ndim(x):
                return constant(x, column, s.dtype)
            x = x if isinstance(x, Symbol) and x.dtype == s.dtype else record("astype", x, dtype=s.dtype)
            return x if x.shape == column else record("broadcast_to", x, shape=column)

        parts = (before[0] if before else self._filled(s, 0)).copy()
        places = np.asarray(np.arange(parts.size).reshape(parts.shape)[index])
        parts.reshape(-1)[places.reshape(-1)] = np.broadcast_to(_each(written, values), places.shape).reshape(-1)
        return parts


def _array(values: Any, shape: Shape = ()) -> Parts:
    """A list of parts as an array; one that is an array already stays."""
    if isinstance(values, np.ndarray):
        return values
    made = np.empty(len(values) if isinstance(values, list) else 1, object)
    for i, value in enumerate(values if isinstance(values, list) else [values]):
        made[i] = value
    return made.reshape(shape)


def _each(function: Callable[..., Any], *parts: Parts) -> Parts:
    return _array(np.frompyfunc(function, len(parts), 1)(*parts))


def _elementwise(s: Symbol, *inputs: Any) -> Symbol:
    """The function of `s`, done to one part of each input."""
    shape = np.broadcast_shapes(*(getattr(x, "shape", ()) for x in inputs))
    return replace(s, inputs=inputs, shape=shape, name="")


def _over_points(function: str, x: Symbol) -> Symbol:
    return record(function, x, axis=None, keepdims=False)


def _name(parts: Parts, name: str) -> None:
    """Name parts after the whole, those of `w` w_0, w_1 and so on."""
    for place, x in np.ndenumerate(parts):
        if isinstance(x, Symbol) and (not x.name or x.function == "input") and x.function not in ("reshape", "full"):
            x.name = "_".join([name, *(str(i) for i, n in zip(place, parts.shape) if n > 1)])
