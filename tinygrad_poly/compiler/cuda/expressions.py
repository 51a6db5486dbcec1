"""C++ expressions and statements for a fused program."""

import math
from typing import Any

import numpy as np

from tinygrad_poly.compiler.cuda.functions import OPERATORS, TYPES, identifier
from tinygrad_poly.compiler.loops.fuse import is_sum_of_one, is_view
from tinygrad_poly.compiler.loops.printer import (
    ATOM,
    SIGN,
    WIDTH,
    Index,
    Printer,
    Text,
    _broken,
    _inner_index,
    _own_index,
    _start,
)
from tinygrad_poly.compiler.trace.symbols import Symbol
from tinygrad_poly.engine.arrays import Shape


class CppPrinter(Printer):
    """A printer of C++ instead of Python: types are declared, an array is a pointer to its first element.

    In the loop over a space, `i` counts its elements, and `axes` are the names of the indices along its axes.
    """

    axes: Index = ()

    def _fresh(self, wish: str) -> str:
        return super()._fresh(identifier(wish))

    def _line(self, depth: int, text: str, comment: str = "") -> None:
        indent = "    " * depth
        before, last = list[str](), text
        if text.endswith(";") and len(indent) + len(text) > WIDTH:
            *before, last = _broken(text[:-1])
            last += ";"
        self.lines += [indent + line for line in before]
        self.lines.append(f"{indent + last:<64}  // {comment}" if comment else indent + last)

    def _define(self, depth: int, name: str, text: str, dtype: Any, comment: str = "") -> None:
        self._line(depth, f"const {cpp_type(dtype)} {name} = {text};", comment)

    def _element(self, name: str, shape: Shape, index: Index) -> str:
        along = [(i, math.prod(shape[axis + 1 :])) for axis, i in enumerate(index) if i != "0"]
        is_whole = all(i != "0" or length == 1 for i, length in zip(index, shape))
        if is_whole and [i for i, _ in along] == [i for i in self.axes if i != "0"]:
            return f"{name}[i]"
        return f"{name}[{' + '.join(i if stride == 1 else f'{i} * {stride}' for i, stride in along) or '0'}]"

    def _constant(self, x: Any, index: Index) -> Text:
        return self._element(self.captured[id(x)], x.shape, _own_index(x.shape, index)), ATOM

    def _start(self, s: Symbol) -> str:
        """The start value of a reduction."""
        return self._literal(s.function == "min" if s.dtype.kind == "b" else _start(s), s.dtype)

    def _literal(self, value: Any, dtype: Any) -> str:
        if dtype.kind == "b":
            return "true" if value else "false"
        if dtype.kind in "iu":
            value = int(value)
            return f"({value + 1}LL - 1)" if value == -(2**63) else f"({value}LL)" if value < 0 else f"{value}LL"
        value = dtype.type(value)
        text = "NAN" if np.isnan(value) else "INFINITY" if np.isinf(value) else str(abs(value))
        if dtype == np.float32:
            text = f"{text}f" if np.isfinite(value) else f"(float){text}"
        return f"(-{text})" if np.signbit(value) and not np.isnan(value) else text

    def _expression(self, s: Symbol, index: Index, depth: int) -> Text:
        if is_view(s):
            return self._value(s.inputs[0], _inner_index(s, index), depth)
        function = "logical_not" if s.function == "invert" and s.dtype.kind == "b" else s.function
        if function == "astype" or is_sum_of_one(s):
            return self._as(s.dtype, s.inputs[0], index if function == "astype" else (), depth)
        template, binds, wanted = OPERATORS[function]
        dtype = _computed_in(s)
        given = []
        for position, (x, tightly) in enumerate(zip(s.inputs, wanted, strict=True)):
            chooses = function == "where" and position == 0
            text, binding = self._as(getattr(x, "dtype", dtype) if chooses else dtype, x, index, depth)
            given.append(text if binding >= tightly else f"({text})")
        return template.format(*given), binds

    def _as(self, dtype: Any, x: Any, index: Index, depth: int) -> Text:
        """The expression for element `index` of `x`, converted to a dtype."""
        if isinstance(x, (bool, int, float, np.generic)):
            return self._literal(x, dtype), ATOM
        text, binds = self._value(x, index, depth)
        if x.dtype == dtype:
            return text, binds
        return f"({cpp_type(dtype)}){text if binds == ATOM else f'({text})'}", SIGN


def _computed_in(s: Symbol) -> Any:
    """The dtype in which a function with this result is computed."""
    if s.dtype.kind != "b":
        return s.dtype
    if s.function in ("isfinite", "isinf", "isnan", "signbit") and s.inputs[0].dtype.kind != "f":
        return np.dtype(np.float64)  # C++ has these of floating numbers only
    return np.result_type(*(1.0 if getattr(x, "weak", False) else getattr(x, "dtype", x) for x in s.inputs))


def cpp_type(dtype: Any) -> str:
    """The C++ name of a dtype."""
    return TYPES[str(dtype)]
