"""Python source for a fused program: one function with its loops, for Numba and for readers."""

from __future__ import annotations

import keyword
import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from tinygrad_poly.compiler.loops import numba_runner, threads
from tinygrad_poly.compiler.loops.fuse import Loop, Plan, column_index, is_sum_of_one, is_view
from tinygrad_poly.compiler.trace.apart import PAIRS
from tinygrad_poly.compiler.trace.symbols import Symbol
from tinygrad_poly.engine.arrays import Shape

Index = tuple[str, ...]
Text = tuple[str, int]
"""An expression and how tightly it binds."""

Row = tuple[str, int, tuple[int, ...]]
"""The expression of a function, how tightly that binds, and how tightly each input has to bind."""

CONDITION, COMPARISON, SUM, PRODUCT, SIGN, ATOM = range(6)
EXPRESSIONS: dict[str, Row] = {
    "add": ("{} + {}", SUM, (SUM, PRODUCT)),
    "subtract": ("{} - {}", SUM, (SUM, PRODUCT)),
    "multiply": ("{} * {}", PRODUCT, (PRODUCT, SIGN)),
    "divide": ("{} / {}", PRODUCT, (PRODUCT, SIGN)),
    "negative": ("-{}", SIGN, (SIGN,)),
    "equal": ("{} == {}", COMPARISON, (SUM, SUM)),
    "not_equal": ("{} != {}", COMPARISON, (SUM, SUM)),
    "less": ("{} < {}", COMPARISON, (SUM, SUM)),
    "less_equal": ("{} <= {}", COMPARISON, (SUM, SUM)),
    "greater": ("{} > {}", COMPARISON, (SUM, SUM)),
    "greater_equal": ("{} >= {}", COMPARISON, (SUM, SUM)),
    "where": ("{1} if {0} else {2}", CONDITION, (COMPARISON, COMPARISON, COMPARISON)),
}
"""Operators in Python."""

OF_C = EXPRESSIONS | {
    "negative": ("-{}", SIGN, (ATOM,)),  # --x is something else
    "where": ("{} ? {} : {}", CONDITION, (COMPARISON, COMPARISON, COMPARISON)),
    "positive": ("{}", ATOM, (ATOM,)),
    "reciprocal": ("1 / {}", PRODUCT, (SIGN,)),
    "logical_and": ("({} && {})", ATOM, (SIGN, SIGN)),
    "logical_or": ("({} || {})", ATOM, (SIGN, SIGN)),
    "logical_not": ("!{}", SIGN, (ATOM,)),
}
"""Operators where the grammar is C's."""


def called(name: str, how: str) -> Row:
    """The row of a function of NumPy that is called `how`."""
    count = getattr(np, name).nin
    return f"{how}({', '.join(['{}'] * count)})", ATOM, (CONDITION,) * count


def all_called(words: str, how: str = "{}") -> dict[str, Row]:
    """The rows of functions that are called by the same name, `sin`, or by another, `arcsin=asin`."""
    pairs = (word.partition("=") for word in words.split())
    return {name: called(name, how.format(other or name)) for name, _, other in pairs}


# Numba's remainder is +0 for a multiple of a negative divisor, NumPy's −0.
OF_NUMBA = EXPRESSIONS | {"remainder": ("np.copysign(np.remainder({0}, {1}), {1})", ATOM, (CONDITION, CONDITION))}
WIDTH = 100
"""How long a line may be before it is broken."""

BLOCK = 1024
"""So many float32 numbers are added up in float32, in several partial sums; the sums of blocks are added in float64.

In one go, ten million equal terms are off by a thousandth: each is small beside the sum that it is added to.
"""

START = {"sum": 0, "prod": 1, "max": -np.inf, "min": np.inf}
COLLECT = {"sum": "{} += {}", "prod": "{} *= {}"}


class Printer:
    """A printer of Python source for a plan; those of other languages say where these differ.

    What is used once is written where it is used, in one expression; what is used more often gets a name, the
    user's own where there is one.

    Args:
        plan: the fused program.
        arrays: the arrays that the program captured, by name.
        typed: whether numbers are written in their dtype, `np.float32(2.0)`, as Numba needs it, or plainly.

    Attributes:
        functions: the sources of what `run` calls.
    """

    decorator, end, remark = "", "", "#"
    """What stands before `run`, at the end of a statement, and before a comment."""
    reserved: Collection[str] = ()
    """What no variable may be called."""
    one_thread = False
    """Whether no loop is ever shared by threads."""

    def __init__(self, plan: Plan, arrays: dict[str, Any] | None = None, typed: bool = True) -> None:
        self.plan = plan
        self.typed = typed
        self.lines: list[str] = []
        self.functions: list[str] = []
        self.bound: dict[str, Any] = {}
        self.taken = {"run", "first", "last", "log_every", "losses", "t", "k", "np", "numba", "range", "i"}
        self.taken |= {"min", "add", "add_product", "product", *(f"i{axis}" for axis in range(64))}
        self.taken |= {*numba_runner.FAST.values(), *self.reserved}
        self.names: dict[tuple[Symbol, Index], str] = {}
        self.parameters = [self._named(s, (), s.name or "v") for s in (*plan.program.inputs, *plan.hoisted)]
        self.captured = {id(array): self._fresh(name) for name, array in (arrays or {}).items()}
        self.parameters += self.captured.values()
        self.uses = _uses(plan)

    def steps(self, carried: Sequence[Symbol], rates: Sequence[Symbol] = ()) -> str:
        """The source of `run(first, last, log_every, losses, *inputs)`, a loop over steps.

        It takes the steps from `first` to before `last`, writes the loss of each `log_every`-th into `losses`, and
        returns the carried values.

        Args:
            carried: the inputs that the program's outputs replace after each step; its last output is the loss.
            rates: the inputs that have another value in each step; `run` takes an array of them.
        """
        *updated, loss = self.plan.program.outputs
        each, parameters = self._rates(rates)
        self._line(0, f"def run(first, last, log_every, losses, {parameters}):")
        self._before_steps()
        self._line(1, "k = 0")
        self._line(1, "for t in range(first, last):")
        for name, array in each.items():
            self._line(2, f"{name} = {array}[t - first]")
        self._stages(2)
        self._line(2, "if t % log_every == log_every - 1:")
        self._line(3, f"losses[k] = {self._value(loss, (), 3)[0]}")
        self._line(3, "k += 1")
        names = [self.names[w, ()] for w in carried]
        later = self._next_values(list(zip(carried, updated, strict=True)), 2)
        for start in range(0, len(names), 6):
            some = slice(start, start + 6)
            self._line(2, f"{', '.join(names[some])} = {', '.join(later[some])}")
        self._line(1, f"return ({', '.join(names)},)")
        return self._source()

    def once(self, name: str = "run") -> str:
        """The source of `run(*inputs)`, or of a function with another name, which returns the outputs."""
        self._line(0, f"def {name}({', '.join(self.parameters)}):")
        self._stages(1)
        values = [self._value(s, (), 1)[0] for s in self.plan.program.outputs]
        self._line(1, f"return ({', '.join(values)},)" if values else "return ()")
        return self._source()

    def _source(self) -> str:
        return "\n\n".join([*self.functions, self.decorator + "\n".join(self.lines) + "\n"])

    def _rates(self, rates: Sequence[Symbol]) -> tuple[dict[str, str], str]:
        """The names of arrays with a rate for each step, and the parameters with these in the place of the rates."""
        each = {self.names[s, ()]: self._fresh(f"{s.name}_of") for s in rates}
        return each, ", ".join(each.get(name, name) for name in self.parameters)

    def _next_values(self, pairs: Sequence[tuple[Symbol, Symbol]], depth: int) -> list[str]:
        """Print statements for what takes the place of carried symbols; returns an expression for each."""
        names = [self.names[w, ()] for w, _ in pairs]
        later = []
        for name, (_, s) in zip(names, pairs, strict=True):
            value, binds = self._value(s, (), depth)
            if binds != ATOM or value in names:
                # A new weight must not be used for the next one's: it takes its place when all are there.
                text, value = value, self._fresh(f"next_{name}")
                self._define(depth, value, text, s.dtype, s.phase)
            later.append(value)
        return later

    def _before_steps(self) -> None:
        """Print what `run` does once, before its first step."""

    def _stages(self, depth: int) -> None:
        for stage in self.plan.stages:
            for s in stage.numbers:
                if self._needs_name(s):
                    self._statement(s, (), depth)
            for loop in stage.loops.values():
                self._loop(loop, depth)

    def _line(self, depth: int, text: str, comment: str = "") -> None:
        indent, is_head = "    " * depth, text.endswith("{")
        end = "" if is_head or text.startswith("#") else self.end
        *before, last = [text] if is_head or len(indent + text + end) <= WIDTH else _broken(text)
        self.lines += [indent + line for line in before]
        self.lines.append(f"{indent + last + end:<64}  {self.remark} {comment}" if comment else indent + last + end)

    def _fresh(self, wish: str) -> str:
        """A new name, as similar to `wish` as possible."""
        wish = wish if wish.isidentifier() and not keyword.iskeyword(wish) else "v"
        name, number = wish, 0
        while name in self.taken or (wish == "v" and not number):
            number += 1
            name = f"v{number}" if wish == "v" else f"{wish}_{number}"
        self.taken.add(name)
        return name

    def _named(self, s: Symbol, index: Index, wish: str) -> str:
        self.names[s, index] = self._fresh(wish)
        return self.names[s, index]

    def _needs_name(self, s: Symbol) -> bool:
        return bool(s.name) or self.uses[s] > 1

    def _statement(self, s: Symbol, index: Index, depth: int) -> str:
        text, _ = self._expression(s, index, depth)
        if s.function == "getitem":
            return text  # the element itself has a name
        name = self._named(s, index, s.name or _power_name(s) or "v")
        self._define(depth, name, text, s.dtype, s.phase)
        return name

    def _define(self, depth: int, name: str, text: str, dtype: Any, comment: str = "", variable: bool = False) -> None:
        """Print a statement that gives a value a name, or a variable its first value."""
        self._line(depth, f"{name} = {text}", comment)

    def _element(self, name: str, shape: Shape, index: Index) -> str:
        """The expression for element `index` of an array; () for that of an array that came as a number."""
        return f"{name}[{', '.join(index)}]" if index else name

    def _loop(self, loop: Loop, depth: int) -> None:
        totals, stored = self._results(loop, depth)
        outside = dict(self.names)
        self._elements(loop, totals, stored, depth)
        # What was computed of one element means nothing after the loop; an array that was kept does.
        self.names = outside | {(s, ()): name for s, name in zip(loop.stores, stored, strict=True)}
        self._finish(loop, totals, depth)

    def _results(self, loop: Loop, depth: int) -> tuple[list[str], list[str]]:
        """Print the start values of a loop's reductions, and empty arrays for what it stores; returns the names."""
        totals = [
            self._fresh(f"{wish}_wide") if self._is_wide(s, loop) else self._named(s, (), wish)
            for s in loop.reductions
            for wish in [s.name or s.function]
        ]
        self._starts(loop, totals, depth)
        return totals, [self._array(s, depth) for s in loop.stores]

    def _array(self, s: Symbol, depth: int, name: str = "") -> str:
        """Print an empty array for what a loop stores; returns its name."""
        name = name or self._fresh(s.name or "v")
        self._define(depth, name, self._empty(s), s.dtype)
        return name

    def _empty(self, s: Symbol) -> str:
        return f"np.empty({s.shape}, {dtype_name(s.dtype)})"

    def _starts(self, loop: Loop, totals: list[str], depth: int) -> None:
        for s, total in zip(loop.reductions, totals, strict=True):
            dtype = self._sum_dtype(s, loop)
            self._define(depth, total, self._literal(_start(s), dtype), dtype, variable=True)

    def _finish(self, loop: Loop, totals: list[str], depth: int) -> None:
        """Print the conversion of float64 sums to float32."""
        for s, total in zip(loop.reductions, totals, strict=True):
            if self._is_wide(s, loop):
                self._line(depth, f"{self._named(s, (), s.name or s.function)} = {dtype_name(s.dtype)}({total})")

    def _is_wide(self, s: Symbol, loop: Loop) -> bool:
        """Whether a float32 sum is added up in float64: if it is long, or adds one element at a time."""
        if not self.typed or s.function != "sum" or s.dtype != np.float32:
            return False
        return math.prod(loop.space) > (BLOCK // 16 if threads.has_functions(loop, self.plan) else BLOCK)

    def _sum_dtype(self, s: Symbol, loop: Loop) -> Any:
        return np.dtype(np.float64) if self._is_wide(s, loop) else s.dtype

    def _range(self, loop: Loop, axis: int) -> tuple[str, str, str]:
        """The first index of a loop along an axis, the one after the last, and a comment."""
        shared = not self.one_thread and axis == threads.shared_axis(loop, self.plan)
        return "0", str(loop.space[axis]), threads.COMMENT if shared else ""

    def _elements(self, loop: Loop, totals: list[str], stored: list[str], depth: int) -> None:
        index = indices(loop.space)
        *outer, inner = (axis for axis, i in enumerate(index) if i != "0")
        blocks = {} if threads.has_functions(loop, self.plan) else self._blocks(loop, totals, loop.space[inner])
        for axis in outer:
            first, last, comment = self._range(loop, axis)
            self._line(depth, self._for(index[axis], first, last), comment)
            depth += 1
        some = [blocks.get(total, total) for total in totals]
        with self._innermost(index[inner], loop.space[inner], self._range(loop, inner), blocks, depth) as inside:
            self._body(loop, some, stored, index, inside)

    @contextmanager
    def _innermost(
        self, i: str, length: int, over: tuple[str, str, str], blocks: Mapping[str, str], depth: int
    ) -> Iterator[int]:
        """A context for the body of the innermost loop, which yields its depth; sums may have others for a block."""
        first, last, comment = over
        if blocks and length > BLOCK:
            start, last = self._fresh("start"), f"np.uintp({last})"
            self._line(depth, f"for {start} in range(np.uintp({first}), {last}, np.uintp({BLOCK})):", comment)
            first, last, comment = start, f"min({start} + np.uintp({BLOCK}), {last})", ""
            depth += 1
        for block in blocks.values():
            self._line(depth, f"{block} = {self._literal(0, np.dtype(np.float32))}")
        self._line(depth, self._for(i, first, last), comment)
        yield depth + 1
        for total, block in blocks.items():
            self._line(depth, f"{total} += {block}")

    def _for(self, variable: str, first: str, last: str) -> str:
        """The head of a loop."""
        return f"for {variable} in range({last if first == '0' else f'{first}, {last}'}):"

    def _body(self, loop: Loop, totals: list[str], stored: list[str], index: Index, depth: int) -> None:
        """Print what is done with element `index`."""
        for s, total in zip(loop.reductions, totals, strict=True):
            self._line(depth, self._collect(s, total, self._term(s, index, depth)), s.phase)
        for s, name in zip(loop.stores, stored, strict=True):
            value, _ = self._value(s, index, depth)
            self._line(depth, f"{self._element(name, s.shape, index)} = {value}", s.phase)

    def _term(self, s: Symbol, index: Index, depth: int) -> str:
        """The text of an element, as a reduction takes it in."""
        return self._value(s.inputs[0], index, depth)[0]

    def _collect(self, s: Symbol, total: str, value: str) -> str:
        """The statement by which a reduction takes in a value."""
        if s.function in COLLECT:
            return COLLECT[s.function].format(total, value)
        return f"{total} = {self._row(PAIRS[s.function], s.dtype)[0].format(total, value)}"

    def _blocks(self, loop: Loop, totals: list[str], length: int) -> dict[str, str]:
        """For each float64 sum the name of its sum over a block, if the innermost loop is long enough for blocks."""
        wide = [total for s, total in zip(loop.reductions, totals, strict=True) if self._is_wide(s, loop)]
        return {total: self._fresh(total.replace("_wide", "_block")) for total in wide if length >= BLOCK // 16}

    def _value(self, x: Any, index: Index, depth: int) -> Text:
        """The expression for element `index` of `x`; a statement that it needs is printed first."""
        if not isinstance(x, Symbol):
            return self._constant(x, index)
        if x.function == "full" and (x, ()) not in self.names:
            return self._literal(dict(x.attributes)["fill_value"], x.dtype), ATOM
        if not index and x.size != 1:
            return self.names[x, ()], ATOM
        index = own_index(x.shape, index)
        if (x, index) in self.names:
            return self.names[x, index], ATOM
        if (x, ()) in self.names:
            element = self._element(self.names[x, ()], x.shape, index)
            if self.uses[x] == 1:
                return element, ATOM
            place = "".join(i for i, n in zip(index, x.shape) if n != 1)
            name = self._named(x, index, f"{self.names[x, ()]}_{place}")
            self._define(depth, name, element, x.dtype)
            return name, ATOM
        if self._needs_name(x):
            return self._statement(x, index, depth), ATOM
        return self._expression(x, index, depth)

    def _constant(self, x: Any, index: Index) -> Text:
        """The expression for an element of a captured array."""
        return self._element(self.captured[id(x)], x.shape, own_index(x.shape, index)), ATOM

    def _literal(self, value: Any, dtype: Any) -> str:
        """A number with its dtype: Numba would take a plain number for a float64."""
        if isinstance(value, (bool, np.bool_)):
            return str(bool(value))
        if dtype.kind == "i" and math.isfinite(value) and value == int(value):
            return f"({int(value)})" if value < 0 else str(int(value))
        return self._typed(number_text(value), dtype)

    def _typed(self, text: str, dtype: Any) -> str:
        if self.typed and dtype == np.float32:
            return f"np.float32({text})"
        return f"({text})" if text.startswith("-") else text

    def _expression(self, s: Symbol, index: Index, depth: int) -> Text:
        """The expression that computes element `index` of `s`."""
        if is_view(s):
            return self._value(s.inputs[0], inner_index(s, index), depth)
        if is_sum_of_one(s):
            return self._value(s.inputs[0], (), depth)
        template, binds, wanted = self._row(s.function, s.dtype)
        given = []
        for position, tightly in enumerate(wanted):
            text, binding = self._operand(s, position, index, depth)
            given.append(text if binding >= tightly else f"({text})")
        return template.format(*given), binds

    def _row(self, function: str, dtype: Any) -> Row:
        """The row of a function, for a result of this dtype."""
        if function == "astype":
            return f"{dtype_name(dtype)}({{}})", ATOM, (CONDITION,)
        return OF_NUMBA.get(function) or called(function, f"np.{function}")

    def _operand(self, s: Symbol, position: int, index: Index, depth: int) -> Text:
        """The expression for an input."""
        x = s.inputs[position]
        # A comparison of a float32 array with a number is one of float32 numbers.
        dtype = s.dtype if s.dtype.kind != "b" else next((x.dtype for x in s.inputs if hasattr(x, "dtype")), s.dtype)
        if isinstance(x, (bool, int, float, np.generic)):
            return self._literal(x, dtype), ATOM
        text, binds = self._value(x, index, depth)
        if isinstance(x, Symbol) and x.weak and not s.weak and dtype == np.float32 and self.typed:
            return f"np.float32({text})", ATOM
        return text, binds


def dtype_name(dtype: Any) -> str:
    """A dtype as an expression."""
    return f"np.{'bool_' if dtype == np.bool_ else dtype}"


def number_text(value: Any, inf: str = "np.inf", nan: str = "np.nan") -> str:
    """A number as text."""
    return repr(float(value)).replace("inf", inf).replace("nan", nan)


def _start(s: Symbol) -> Any:
    """The start value of a reduction."""
    start = START[s.function]
    if s.dtype.kind == "b":
        return start > 0
    if s.dtype.kind != "i" or np.isfinite(start):
        return start
    return np.iinfo(s.dtype).min if start < 0 else np.iinfo(s.dtype).max


DEEPEST = 12
"""How many expressions are written inside each other."""


def _broken(statement: str) -> list[str]:
    """A long assignment, broken so that each term of its sum has its own line."""
    name, equals, expression = statement.partition(" = ")
    terms, depth, start = [], 0, 0
    for i, character in enumerate(expression):
        depth += (character in "([") - (character in ")]")
        if not depth and expression[i : i + 3] in (" + ", " - "):
            terms.append(expression[start:i])
            start = i + 1
    if not equals or not terms:
        return [statement]
    return [f"{name} = (", *(f"    {term}" for term in [*terms, expression[start:]]), ")"]


def closed(lines: Sequence[str]) -> list[str]:
    """Lines of a language with braces: each that ends with "{" gets its "}" where the indentation is back."""
    found: list[str] = []
    opened: list[str] = []
    for line in [*lines, ""]:
        indent = line[: len(line) - len(line.lstrip())]
        while opened and len(indent) <= len(opened[-1]):
            found.append(f"{opened.pop()}}}")
        found.append(line)
        if line.endswith("{"):
            opened.append(indent)
    return found[:-1]


def _uses(plan: Plan) -> Counter[Symbol]:
    """The number of uses of each symbol; the uses of a view count for its input."""
    uses: Counter[Symbol] = Counter(plan.program.outputs)
    for s in reversed(plan.program.instructions):
        times = uses[s] if is_view(s) else 1
        for x in s.inputs:
            if isinstance(x, Symbol):
                uses[x] += times
    nested: dict[Any, int] = {}
    for s in plan.program.instructions:
        nested[s] = 1 + max((nested.get(x, 0) for x in s.inputs if isinstance(x, Symbol)), default=0)
        if uses[s] > 1 or s.name or is_view(s):
            nested[s] = nested.get(s.inputs[0], 0) if is_view(s) else 0
        elif nested[s] > DEEPEST:
            uses[s] += 1  # it gets a name
            nested[s] = 0
    return uses


def indices(space: Shape) -> Index:
    """The names of the indices along the axes of a loop; "0" where there is nothing to count."""
    several = sum(length != 1 for length in space) > 1
    return tuple("0" if length == 1 else f"i{axis}" if several else "i" for axis, length in enumerate(space))


def flat(name: str, shape: Shape, index: Index) -> str:
    """The expression for element `index` of an array whose elements lie row by row."""
    along = [(i, math.prod(shape[axis + 1 :])) for axis, i in enumerate(index) if i != "0"]
    return f"{name}[{' + '.join(i if stride == 1 else f'{i} * {stride}' for i, stride in along) or '0'}]"


def own_index(shape: Shape, index: Index) -> Index:
    """The part of a loop's index that belongs to an array of `shape`; () for a number."""
    if all(length == 1 for length in shape):
        return ()
    return tuple("0" if n == 1 else i for i, n in zip(index[len(index) - len(shape) :], shape, strict=True))


def inner_index(s: Symbol, index: Index) -> Index:
    """The index of a view's element `index` in the array behind the view."""
    inner: Shape = s.inputs[0].shape
    if s.function == "broadcast_to":
        return index[len(index) - len(inner) :] if inner else ()
    if s.function == "getitem":
        taken = iter(index or ["0"] * len(s.shape))  # a number's index is empty, whatever its shape
        return tuple(next(taken) if isinstance(i, slice) else str(i % n) for i, n in zip(column_index(s) or (), inner))
    long = iter([i for i, n in zip(index, s.shape) if n != 1])
    return tuple("0" if n == 1 else next(long) for n in inner) if index else ()


def _power_name(s: Symbol) -> str:
    """`x2` for x · x and `x3` for x · x · x of an input x."""
    name, exponent = _power(s)
    return f"{name}{exponent}" if exponent > 1 else ""


def _power(s: Any) -> tuple[str, int]:
    if isinstance(s, Symbol) and s.function == "input":
        return s.name, 1
    if isinstance(s, Symbol) and s.function == "multiply":
        (left, m), (right, n) = (_power(x) for x in s.inputs)
        if m and n and left == right:
            return left, m + n
    return "", 0
