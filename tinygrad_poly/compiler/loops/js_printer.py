"""JavaScript for a fused program: the same loops for a browser, which computes in float64."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_poly.compiler.loops.fuse import Loop, Plan, is_sum_of_one, is_view
from tinygrad_poly.compiler.loops.printer import (
    ATOM,
    CONDITION,
    EXPRESSIONS,
    START,
    WIDTH,
    Index,
    Printer,
    Text,
    _broken,
    _inner_index,
    _own_index,
)
from tinygrad_poly.compiler.trace.symbols import Symbol
from tinygrad_poly.engine.arrays import Shape
from tinygrad_poly.engine.errors import TraceError

_MATH = """
sin cos tan sinh cosh tanh exp expm1 log log2 log10 log1p sqrt cbrt floor ceil trunc hypot sign
arcsin=asin arccos=acos arctan=atan arctan2=atan2 arcsinh=asinh arccosh=acosh arctanh=atanh
absolute=abs fabs=abs maximum=max minimum=min
"""
_HELPERS = {
    "isfinite": "Number.isFinite",
    "isnan": "Number.isNaN",
    "isinf": "(x) => Math.abs(x) === Infinity",
    "signbit": "(x) => x < 0 || Object.is(x, -0)",
    "square": "(x) => x * x",
    "exp2": "(x) => 2 ** x",
    "fmod": "(a, b) => a % b",
    "copysign": "(a, b) => b < 0 || Object.is(b, -0) ? -Math.abs(a) : Math.abs(a)",
    "fmax": "(a, b) => a >= b || b !== b ? a : b",
    "fmin": "(a, b) => a <= b || b !== b ? a : b",
    "power": "(a, b) => a === 1 || (a === -1 && Math.abs(b) === Infinity) ? 1 : Math.pow(a, b)",
    "float_power": "(a, b) => power(a, b)",
    "remainder": "(a, b) => { const r = a % b; return r === 0 ? 0 * Math.sign(b) : r < 0 !== b < 0 ? r + b : r; }",
    "rint": "(x) => { const r = Math.round(x); return r - x === 0.5 && r % 2 !== 0 ? r - 1 : r; }",
    "logaddexp": "(a, b) => a === b ? a + Math.LN2 : Math.max(a, b) + Math.log1p(Math.exp(-Math.abs(a - b)))",
}
"""What JavaScript does not have, or has otherwise than NumPy."""

OPERATORS = {
    **EXPRESSIONS,
    "negative": ("-{}", EXPRESSIONS["negative"][1], (ATOM,)),
    "where": ("{} ? {} : {}", CONDITION, EXPRESSIONS["where"][2]),
    "equal": ("{} === {}", *EXPRESSIONS["equal"][1:]),
    "not_equal": ("{} !== {}", *EXPRESSIONS["not_equal"][1:]),
    "reciprocal": ("1 / {}", EXPRESSIONS["divide"][1], (ATOM,)),
    "positive": ("{}", ATOM, (ATOM,)),
    "astype": ("Number({})", ATOM, (CONDITION,)),
    "logical_and": ("({} && {})", ATOM, (ATOM, ATOM)),
    "logical_or": ("({} || {})", ATOM, (ATOM, ATOM)),
    "bitwise_and": ("({} && {})", ATOM, (ATOM, ATOM)),
    "bitwise_or": ("({} || {})", ATOM, (ATOM, ATOM)),
    "invert": ("!{}", EXPRESSIONS["negative"][1], (ATOM,)),
    "logical_not": ("!{}", EXPRESSIONS["negative"][1], (ATOM,)),
}
"""As `EXPRESSIONS` for Python; what is a function is called by its name."""

COLLECT = {
    "sum": "{0} += {1};",
    "prod": "{0} *= {1};",
    "max": "{0} = Math.max({0}, {1});",
    "min": "{0} = Math.min({0}, {1});",
}
RESERVED = """
await break case catch class const continue debugger default delete do else enum export extends false finally
for function if implements import in instanceof interface let new null package private protected public return static
super switch this throw true try typeof var void while with yield arguments eval Math Number Object Infinity NaN
Float64Array
"""


class JsPrinter(Printer):
    """A printer of JavaScript instead of Python: an array is a Float64Array with its elements row by row."""

    def __init__(self, plan: Plan, arrays: dict[str, Any] | None = None) -> None:
        for s in plan.program.instructions:
            if s.function != "full" and s.dtype not in (np.bool_, np.float64):
                raise TraceError(f"{s.function} gives {s.dtype}, and programs for a browser compute with float64 alone")
        self.helpers: dict[str, str] = {}
        super().__init__(plan, arrays, typed=False)

    def steps(self, carried: Sequence[Symbol], rates: Sequence[Symbol] = ()) -> str:
        """The source of `run(first, last, ...inputs)`, a loop over steps; returns what it carries and the loss."""
        *updated, loss = self.plan.program.outputs
        names = [self.names[w, ()] for w in carried]
        each = {self.names[s, ()]: self._fresh(f"{s.name}_of") for s in rates}
        self._line(0, f"function run(first, last, {', '.join(each.get(name, name) for name in self.parameters)}) {{")
        last = self._fresh("loss_before")
        self._line(1, f"let {last} = NaN;")
        self._line(1, "for (let t = first; t < last; t++) {")
        for name, array in each.items():
            self._line(2, f"const {name} = {array}[t - first];")
        self._stages(2)
        self._line(2, f"{last} = {self._value(loss, (), 2)[0]};")
        self._line(2, f"[{', '.join(names)}] = [{', '.join(self._value(s, (), 2)[0] for s in updated)}];")
        self._line(1, "}")
        return self._ended(f"return [{', '.join([*names, last])}];")

    def once(self, name: str = "run") -> str:
        """The source of `run(...inputs)`, which returns the outputs."""
        self._line(0, f"function {name}({', '.join(self.parameters)}) {{")
        self._stages(1)
        return self._ended(f"return [{', '.join(self._value(s, (), 1)[0] for s in self.plan.program.outputs)}];")

    def _ended(self, returns: str) -> str:
        self._line(1, returns)
        head, *body = self.lines
        helpers = [f"    const {name} = {text};" for name, text in self.helpers.items()]
        return "\n".join([head, *helpers, *body, "}"]) + "\n"

    def _line(self, depth: int, text: str, comment: str = "") -> None:
        indent = "    " * depth
        *before, last = _broken(text) if len(indent) + len(text) > WIDTH else [text]
        self.lines += [indent + line for line in before]
        self.lines.append(f"{indent + last:<64}  // {comment}" if comment else indent + last)

    def _fresh(self, wish: str) -> str:
        self.taken |= {*RESERVED.split(), *_HELPERS}
        return super()._fresh(re.sub(r"\W", "_", wish))

    def _define(self, depth: int, name: str, text: str, dtype: Any, comment: str = "") -> None:
        self._line(depth, f"const {name} = {text};", comment)

    def _element(self, name: str, shape: Shape, index: Index) -> str:
        along = [(i, math.prod(shape[axis + 1 :])) for axis, i in enumerate(index) if i != "0"]
        return f"{name}[{' + '.join(i if stride == 1 else f'{i} * {stride}' for i, stride in along) or '0'}]"

    def _constant(self, x: Any, index: Index) -> Text:
        return self._element(self.captured[id(x)], x.shape, _own_index(x.shape, index)), ATOM

    def _literal(self, value: Any, dtype: Any) -> str:
        if dtype.kind == "b":
            return "true" if value else "false"
        text = {"inf": "Infinity", "-inf": "-Infinity", "nan": "NaN"}.get(repr(float(value)), repr(float(value)))
        return f"({text})" if text.startswith("-") else text

    def _starts(self, loop: Loop, totals: list[str], depth: int) -> None:
        for s, total in zip(loop.reductions, totals, strict=True):
            self._line(depth, f"let {total} = {self._literal(START[s.function], np.dtype(np.float64))};")

    def _results(self, loop: Loop, depth: int) -> tuple[list[str], list[str]]:
        totals = [self._named(s, (), self._wish(s, s.function)) for s in loop.reductions]
        self._starts(loop, totals, depth)
        stored = [self._fresh(self._wish(s, "v")) for s in loop.stores]
        for s, name in zip(loop.stores, stored, strict=True):
            self._line(depth, f"const {name} = new Float64Array({s.size});")
        return totals, stored

    def _finish(self, loop: Loop, totals: list[str], depth: int) -> None:
        """Nothing is added up in another precision."""

    def _elements(self, loop: Loop, totals: list[str], stored: list[str], depth: int) -> None:
        long = [axis for axis, length in enumerate(loop.space) if length != 1]
        variables = tuple(
            "0" if axis not in long else "i" if len(long) == 1 else f"i{axis}" for axis in range(len(loop.space))
        )
        for axis in long:
            i = variables[axis]
            self._line(depth, f"for (let {i} = 0; {i} < {loop.space[axis]}; {i}++) {{")
            depth += 1
        for s, total in zip(loop.reductions, totals, strict=True):
            self._line(depth, COLLECT[s.function].format(total, self._value(s.inputs[0], variables, depth)[0]), s.phase)
        for s, name in zip(loop.stores, stored, strict=True):
            self._line(depth, f"{self._element(name, s.shape, variables)} = {self._value(s, variables, depth)[0]};")
        for _ in long:
            depth -= 1
            self._line(depth, "}")

    def _expression(self, s: Symbol, index: Index, depth: int) -> Text:
        if is_view(s):
            return self._value(s.inputs[0], _inner_index(s, index), depth)
        if is_sum_of_one(s):
            return self._value(s.inputs[0], (), depth)
        template, binds, wanted = OPERATORS.get(s.function, ("", ATOM, (CONDITION,) * len(s.inputs)))
        given = []
        for x, tightly in zip(s.inputs, wanted, strict=True):
            if isinstance(x, (bool, int, float, np.generic)):
                given.append(self._literal(x, np.dtype(type(x)) if isinstance(x, bool) else np.dtype(np.float64)))
            else:
                text, binding = self._value(x, index, depth)
                given.append(text if binding >= tightly else f"({text})")
        return template.format(*given) if template else f"{self._function(s.function)}({', '.join(given)})", binds

    def _function(self, name: str) -> str:
        """The name of a function of NumPy; its definition is printed if JavaScript has none."""
        if name in _HELPERS:
            self.helpers[name] = _HELPERS[name]
            if name == "float_power":
                self.helpers = {"power": _HELPERS["power"], **self.helpers}
            return name
        called = {n: c or n for n, _, c in (word.partition("=") for word in _MATH.split())}.get(name)
        if called is None:
            raise TraceError(f"{name} is not among the functions that programs for a browser can compute")
        return f"Math.{called}"
