"""C++ expressions and statements for a fused program."""

from typing import Any

import numpy as np

from tinygrad_poly.compiler.cuda.functions import OPERATORS, TYPES, identifier
from tinygrad_poly.compiler.loops.fuse import Plan, is_sum_of_one
from tinygrad_poly.compiler.loops.printer import ATOM, SIGN, Index, Printer, Row, Text, flat
from tinygrad_poly.compiler.trace.symbols import Symbol
from tinygrad_poly.engine.arrays import Shape


class CppPrinter(Printer):
    """A printer of C++ instead of Python: types are declared, an array is a pointer to its first element.

    In the loop over a space, `i` counts its elements, and `axes` are the names of the indices along its axes.
    """

    end, remark = ";", "//"
    axes: Index = ()

    def __init__(self, plan: Plan, arrays: dict[str, Any] | None = None) -> None:
        super().__init__(plan, arrays, typed=False)

    def _fresh(self, wish: str) -> str:
        return super()._fresh(identifier(wish))

    def _define(self, depth: int, name: str, text: str, dtype: Any, comment: str = "", variable: bool = False) -> None:
        self._line(depth, f"{'' if variable else 'const '}{cpp_type(dtype)} {name} = {text}", comment)

    def _element(self, name: str, shape: Shape, index: Index) -> str:
        is_whole = all(i != "0" or length == 1 for i, length in zip(index, shape))
        if index and is_whole and [i for i in index if i != "0"] == [i for i in self.axes if i != "0"]:
            return f"{name}[i]"
        return flat(name, shape, index)

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

    def _term(self, s: Symbol, index: Index, depth: int) -> str:
        term = super()._term(s, index, depth)
        return f"(bool)({term})" if s.dtype.kind == "b" else term

    def _expression(self, s: Symbol, index: Index, depth: int) -> Text:
        if s.function == "astype" or is_sum_of_one(s):
            return self._as(s.dtype, s.inputs[0], index if s.function == "astype" else (), depth)
        return super()._expression(s, index, depth)

    def _row(self, function: str, dtype: Any) -> Row:
        return OPERATORS["logical_not" if function == "invert" and dtype.kind == "b" else function]

    def _operand(self, s: Symbol, position: int, index: Index, depth: int) -> Text:
        x, dtype = s.inputs[position], _computed_in(s)
        chooses = s.function == "where" and position == 0
        return self._as(getattr(x, "dtype", dtype) if chooses else dtype, x, index, depth)

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
