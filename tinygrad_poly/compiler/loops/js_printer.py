"""JavaScript for a fused program: the same loops for a browser, which computes in float64."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_poly.compiler.loops.fuse import Plan
from tinygrad_poly.compiler.loops.printer import (
    ATOM,
    CONDITION,
    OF_C,
    Index,
    Printer,
    Row,
    all_called,
    closed,
    flat,
    number_text,
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
    "remainder": "(a, b) => { const r = a % b; return r === 0 ? 0 * Math.sign(b) : r < 0 !== b < 0 ? r + b : r; }",
    "rint": "(x) => { const r = Math.round(x); return r - x === 0.5 && r % 2 !== 0 ? r - 1 : r; }",
    "logaddexp": "(a, b) => a === b ? a + Math.LN2 : Math.max(a, b) + Math.log1p(Math.exp(-Math.abs(a - b)))",
}
"""What JavaScript does not have, or has otherwise than NumPy."""

ROWS = {
    **OF_C,
    **all_called(_MATH, "Math.{}"),
    **all_called(" ".join([*_HELPERS, "float_power=power"])),
    "astype": ("Number({})", ATOM, (CONDITION,)),
    "bitwise_and": OF_C["logical_and"],
    "bitwise_or": OF_C["logical_or"],
    "invert": OF_C["logical_not"],
}
"""As `EXPRESSIONS` for Python."""

RESERVED = """
await break case catch class const continue debugger default delete do else enum export extends false finally
for function if implements import in instanceof interface let new null package private protected public return static
super switch this throw true try typeof var void while with yield arguments eval Math Number Object Infinity NaN
Float64Array
"""


class JsPrinter(Printer):
    """A printer of JavaScript instead of Python: an array is a Float64Array with its elements row by row."""

    end, remark, one_thread = ";", "//", True
    reserved = (*RESERVED.split(), *_HELPERS)

    def __init__(self, plan: Plan, arrays: dict[str, Any] | None = None) -> None:
        for s in plan.program.instructions:
            if s.function != "full" and s.dtype not in (np.bool_, np.float64):
                raise TraceError(f"{s.function} gives {s.dtype}, and programs for a browser compute with float64 alone")
        super().__init__(plan, arrays, typed=False)

    def steps(self, carried: Sequence[Symbol], rates: Sequence[Symbol] = ()) -> str:
        """The source of `run(first, last, ...inputs)`, a loop over steps; returns what it carries and the loss."""
        *updated, loss = self.plan.program.outputs
        names = [self.names[w, ()] for w in carried]
        each, parameters = self._rates(rates)
        self._line(0, f"function run(first, last, {parameters}) {{")
        last = self._fresh("loss_before")
        self._line(1, f"let {last} = NaN")
        self._line(1, self._for("t", "first", "last"))
        for name, array in each.items():
            self._line(2, f"const {name} = {array}[t - first]")
        self._stages(2)
        self._line(2, f"{last} = {self._value(loss, (), 2)[0]}")
        self._line(2, f"[{', '.join(names)}] = [{', '.join(self._value(s, (), 2)[0] for s in updated)}]")
        self._line(1, f"return [{', '.join([*names, last])}]")
        return self._source()

    def once(self, name: str = "run") -> str:
        """The source of `run(...inputs)`, which returns the outputs."""
        self._line(0, f"function {name}({', '.join(self.parameters)}) {{")
        self._stages(1)
        self._line(1, f"return [{', '.join(self._value(s, (), 1)[0] for s in self.plan.program.outputs)}]")
        return self._source()

    def _source(self) -> str:
        head, *body = closed(self.lines)
        text = "\n".join(body)
        helpers = [f"    const {name} = {it};" for name, it in _HELPERS.items() if re.search(rf"\b{name}\(", text)]
        return "\n".join([head, *helpers, text]) + "\n"

    def _fresh(self, wish: str) -> str:
        return super()._fresh(re.sub(r"\W", "_", wish))

    def _define(self, depth: int, name: str, text: str, dtype: Any, comment: str = "", variable: bool = False) -> None:
        self._line(depth, f"{'let' if variable else 'const'} {name} = {text}", comment)

    def _element(self, name: str, shape: Shape, index: Index) -> str:
        return flat(name, shape, index)

    def _literal(self, value: Any, dtype: Any) -> str:
        if isinstance(value, bool):
            return "true" if value else "false"
        return self._typed(number_text(value, "Infinity", "NaN"), dtype)

    def _empty(self, s: Symbol) -> str:
        return f"new Float64Array({s.size})"

    def _for(self, variable: str, first: str, last: str) -> str:
        return f"for (let {variable} = {first}; {variable} < {last}; {variable}++) {{"

    def _row(self, function: str, dtype: Any) -> Row:
        if function not in ROWS:
            raise TraceError(f"{function} is not among the functions that programs for a browser can compute")
        return ROWS[function]
