"""Fusion: sort the instructions of a program into loops, and the loops into an order.

A *loop* runs over one iteration space and computes any number of sums over it, with everything elementwise
that they need in registers. What several loops need is computed in each of them: reading memory costs more than
a few multiplications. Numbers (arrays with one element) are computed between the loops.

A sum is a number that is known only after its loop; what depends on it belongs to the next *stage*.

What no loop can do, such as a product of matrices, is a *call* of NumPy's function between the loops. The arrays that
it takes are kept by the loops before it; its result is there for the loops of its own stage.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np

from tinygrad_poly.compiler.loops import elementary
from tinygrad_poly.compiler.trace.apart import WIDEST, Apart, NotApart
from tinygrad_poly.compiler.trace.program import Program, in_order
from tinygrad_poly.compiler.trace.symbols import Symbol, full_index
from tinygrad_poly.engine.arrays import Shape

REDUCTIONS = ("sum", "max", "min", "prod")

# NumPy computes these several elements at a time, where a loop calls the C library for each: several times as fast.
SEVERAL_AT_A_TIME = (
    *("exp2", "log2", "log10", "power", "cbrt", "arctan2", "sin", "cos", "tan", "sinh", "cosh"),
    *("arcsin", "arccos", "arctan", "arcsinh", "arccosh", "arctanh"),
)
WORTH_A_CALL = 500
"""How many elements it takes until that pays for the call."""

FEWEST = 2
"""How many of NumPy's calls some loop has to replace, or else the program is NumPy's alone."""

LONGEST = 1500
"""How many instructions a fused program may have: Numba compiles a few hundred of them in a second."""

# What Numba computes as NumPy does, by the kind of the result. (Its // differs at infinities, its fmod of integers.)
_OF_ANY = ("where", "astype")
_OF_BOOLEANS = ("bitwise_and", "bitwise_or", "bitwise_xor", "invert", "logical_and", "logical_or", "logical_not")
_FUSED = {
    "b": (
        *(*_OF_ANY, *_OF_BOOLEANS, "equal", "not_equal", "less", "less_equal", "greater", "greater_equal"),
        *("isfinite", "isinf", "isnan", "signbit"),
    ),
    "i": (*_OF_ANY, *_OF_BOOLEANS[:4], "add", "subtract", "multiply", "negative", "absolute", "maximum", "minimum"),
    "f": (
        *(*_OF_ANY, "add", "subtract", "multiply", "divide", "negative", "absolute", "maximum", "minimum"),
        *("fmax", "fmin", "remainder", "fmod", "power", "float_power", "square", "sqrt", "cbrt", "reciprocal", "hypot"),
        *("exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "logaddexp", "logaddexp2"),
        *("sin", "cos", "tan", "arcsin", "arccos", "arctan", "arctan2"),
        *("sinh", "cosh", "tanh", "arcsinh", "arccosh", "arctanh"),
        *("floor", "ceil", "trunc", "rint", "sign", "copysign", "fabs", "positive", "nextafter"),
    ),
}
_MADE = frozenset(map(np.dtype, ("bool", "float32", "float64", "int64")))
_GIVEN = _MADE | set(map(np.dtype, ("int32", "int16", "int8", "uint32", "uint16", "uint8")))


@dataclass
class Loop:
    """A loop: reductions over one iteration space, and arrays of its shape that are stored.

    One over the points of a network, see `layers.py`, has also sums over the points for each of their numbers: `rows`.
    """

    space: Shape
    reductions: list[Symbol] = field(default_factory=list)
    stores: list[Symbol] = field(default_factory=list)
    rows: list[Symbol] = field(default_factory=list)


@dataclass
class Stage:
    """Numbers, then calls of NumPy that may need these numbers, then loops that may need both."""

    numbers: list[Symbol] = field(default_factory=list)
    loops: dict[Shape, Loop] = field(default_factory=dict)
    calls: list[Symbol] = field(default_factory=list)


@dataclass(frozen=True)
class Plan:
    """A fused program.

    Attributes:
        hoisted: what does not change from step to step and is computed once, before the first.
        stages: what is computed in each step.
    """

    program: Program
    hoisted: tuple[Symbol, ...]
    stages: tuple[Stage, ...]

    @property
    def has_calls(self) -> bool:
        """Whether there are calls of NumPy between the loops."""
        return any(stage.calls for stage in self.stages)


class NotFusable(Exception):  # noqa: N818 - it asks for another way, it is no error
    """A program that contains what a loop cannot do, such as a product of matrices."""


def planned(
    program: Program, carried: Iterable[Symbol] = (), split: Collection[Symbol] = ()
) -> tuple[Plan, Apart | None]:
    """A program as loops alone, for which its matrices may have to be taken apart; if that fails, with calls.

    Args:
        program: simplified.
        carried: as in `fuse`.
        split: the inputs that come in parts, should the matrices be taken apart.

    Raises:
        NotFusable: as in `fuse`.
    """
    with suppress(NotFusable):
        return fuse(program, carried), None
    with suppress(NotFusable, NotApart):
        if not _is_worth_taking_apart(program):
            raise NotApart
        apart = Apart(program, split)
        return fuse(apart.program, apart.inputs(carried)), apart
    return fuse(program, carried, calls=True), None


def _is_worth_taking_apart(program: Program) -> bool:
    """Whether a loop would replace several calls, and is not one that only adds up a few numbers in another order."""
    calls = [s for s in program.instructions if not is_view(s)]
    long = any(length > WIDEST for s in calls for length in s.shape)
    return len(calls) >= FEWEST and (long or any(s.function in ("matmul", "getitem", "row") for s in calls))


def fuse(program: Program, carried: Iterable[Symbol] = (), calls: bool = False) -> Plan:
    """Sort the instructions of a program into loops.

    Args:
        program: simplified.
        carried: the inputs that change from step to step; without any, nothing is hoisted.
        calls: let what no loop can do be called between the loops.

    Raises:
        NotFusable: naming the instruction that no loop can do; with `calls`, where no loop saves anything beside them.
    """
    if len(program.instructions) > LONGEST:
        raise NotFusable(f"{len(program.instructions)} instructions are too many for one loop")
    changing = program.depending_on(carried)
    hoisted = _hoisted(program, changing) if changing else []
    given = {*program.inputs, *hoisted}
    needed = set(in_order(program.outputs, given.__contains__))
    reasons = {s: reason for s in program.instructions if s in needed and (reason := _no_part_of_a_loop(s))}
    called = next(iter(reasons.values()), "")
    if called and not calls:
        raise NotFusable(called)
    sorting = _Sorting(given)
    spaces = _spaces(program, reasons)
    for s in program.instructions:
        if s in reasons or (called and s in needed and _is_faster_called(s, spaces[s])):
            sorting.call(s)
        elif s in needed:
            sorting.fuse(s)
    for output in dict.fromkeys(program.outputs):
        if output.size != 1 and output not in sorting.kept:
            sorting.keep(output) if called and output.function == "reshape" else sorting.store(output)
    stages = tuple(stage for stage in sorting.stages if stage.numbers or stage.loops or stage.calls)
    if called and max((passes(loop, sorting.kept) for s in stages for loop in s.loops.values()), default=0) < FEWEST:
        raise NotFusable(called)
    return Plan(program, tuple(hoisted), stages)


class _Sorting:
    """Stages under construction, filled instruction by instruction.

    Attributes:
        ready: for each symbol the first stage in which it can be had.
        kept: for each array that is in memory the first stage whose calls can take it; all others are computed where
            they are needed.
        views: of these arrays, for calls.
    """

    def __init__(self, given: set[Symbol]) -> None:
        self.stages: list[Stage] = []
        self.ready = dict.fromkeys(given, 0)
        self.kept = dict.fromkeys(given, 0)
        self.views: set[Symbol] = set()

    def fuse(self, s: Symbol) -> None:
        """Compute `s` in a loop, or between the loops if it is a number."""
        self.ready[s] = after = self._after(s)
        if is_reduction(s):
            self._loop(s.inputs[0].shape, after).reductions.append(s)
            self.ready[s] = after + 1
        elif s.size == 1 and s.function != "full":
            self._stage(after).numbers.append(s)

    def store(self, s: Symbol) -> int:
        """Store the elements of `s`; returns the first stage whose calls can read them."""
        self._loop(s.shape, self.ready[s]).stores.append(s)
        self.kept[s] = self.ready[s] + 1
        return self.kept[s]

    def call(self, s: Symbol) -> None:
        """Let NumPy compute `s` as soon as its inputs are in memory."""
        after = max((self.keep(x) for x in s.inputs if isinstance(x, Symbol)), default=0)
        self._stage(after).calls.append(s)
        self.ready[s] = self.kept[s] = after + (s.size == 1)  # numbers come before calls

    def keep(self, x: Symbol) -> int:
        """Make sure that `x` is in memory; returns the first stage whose calls can read it."""
        if x.size == 1 or x.function == "full":
            return self.ready[x]
        if x in self.kept:
            return self.kept[x]
        if not is_view(x):
            return self.store(x)
        # A view of what is kept takes no memory, and a loop reads through it.
        after = self.keep(x.inputs[0])
        if x not in self.views:
            self.views.add(x)
            self._stage(after).calls.append(x)
        return after

    def _after(self, s: Symbol) -> int:
        return max((self.ready[x] for x in s.inputs if isinstance(x, Symbol)), default=0)

    def _stage(self, number: int) -> Stage:
        while len(self.stages) <= number:
            self.stages.append(Stage())
        return self.stages[number]

    def _loop(self, space: Shape, number: int) -> Loop:
        return self._stage(number).loops.setdefault(space, Loop(space))


def computed(loop: Loop, kept: Collection[Symbol]) -> set[Symbol]:
    """The arrays that a loop computes element by element, when others are kept in memory."""
    known = set(kept) - set(loop.stores)
    wanted = [*loop.stores, *(s.inputs[0] for s in loop.reductions)]
    return {s for s in in_order(wanted, lambda s: s.size == 1 or s in known) if s.function != "full"}


def passes(loop: Loop, kept: Collection[Symbol]) -> int:
    """The number of NumPy calls that a loop replaces; each would read and write the memory once."""
    return len(loop.reductions) + sum(not is_view(s) for s in computed(loop, kept))


def _no_part_of_a_loop(s: Symbol) -> str:
    """The reason why no loop can compute `s`; "" if one can."""
    if s.dtype not in _MADE:
        return f"{s.function} gives {s.dtype}, with which loops do not compute as NumPy does"
    for x in s.inputs:
        if isinstance(x, Symbol) and x.dtype not in _GIVEN:
            return f"{s.function} takes {x.dtype}, with which loops do not compute as NumPy does"
    if s.function == "full" or is_reduction(s) or _can_be_fused(s) or is_view(s) or is_sum_of_one(s):
        return ""
    return f"{s.function} of shape {s.shape} is no part of a loop"


def is_reduction(s: Symbol) -> bool:
    """Whether `s` reduces all elements of an array to one number."""
    return s.function in REDUCTIONS and s.size == 1 and s.inputs[0].size != 1


def _can_be_fused(s: Symbol) -> bool:
    """Whether `s` is elementwise, and a loop computes the same numbers as NumPy."""
    return s.function in _FUSED[s.dtype.kind] and (not s.attributes or s.function == "astype")


def is_sum_of_one(s: Symbol) -> bool:
    """Whether `s` is a reduction of an array with one element."""
    return s.function in REDUCTIONS and s.inputs[0].size == 1


def is_view(s: Symbol) -> bool:
    """Whether `s` has elements of its input in the same order, apart from dimensions of length 1."""
    if s.function == "broadcast_to":
        return True
    if s.function == "getitem":
        return s.inputs[0].function == "input" and column_index(s) is not None
    return s.function == "reshape" and _long(s.shape) == _long(s.inputs[0].shape)


def column_index(s: Symbol) -> tuple[int | slice, ...] | None:
    """The index of `getitem`, with an item for each axis, if it takes all or one of each; None otherwise."""
    index = full_index(s.inputs[0].shape, dict(s.attributes).get("index"))
    whole = index is not None and all(not isinstance(i, slice) or i == slice(None) for i in index)
    return index if whole else None


def _is_faster_called(s: Symbol, space: Shape) -> bool:
    """Whether NumPy computes `s` faster than a loop over `space`, including the time to write and read an array."""
    if s.size < WORTH_A_CALL or (s.dtype.itemsize, s.function) in ((8, "sin"), (8, "cos")):
        return False
    return s.function in SEVERAL_AT_A_TIME or (s.function in elementary.UNITS and is_short(space))


def _spaces(program: Program, called: Collection[Symbol]) -> dict[Symbol, Shape]:
    """For each symbol the largest space of a loop in which it may be computed."""
    spaces: dict[Symbol, Shape] = {}
    for s in reversed(program.instructions):
        space = spaces.setdefault(s, s.shape)
        for x in s.inputs:
            if isinstance(x, Symbol) and s not in called and not is_reduction(s):
                spaces[x] = max(spaces.get(x, x.shape), space, key=math.prod)
    return spaces


def is_short(space: Shape) -> bool:
    """Whether the innermost loop over `space` is too short for `elementary.py`."""
    return _long(space)[-1] < elementary.SHORTEST


def _long(shape: Shape) -> Shape:
    return tuple(length for length in shape if length != 1)


CHEAP = ("add", "subtract", "multiply", "negative")


def _hoisted(program: Program, changing: set[Symbol]) -> list[Symbol]:
    """The symbols to compute before the first step: all that never change, unless computing is cheaper than reading."""
    read = (x for s in program.instructions if s in changing for x in s.inputs if isinstance(x, Symbol))
    fixed = set(program.instructions) - changing
    borders = {s for s in (*read, *program.outputs) if s in fixed and s.function != "full"}
    return [s for s in program.instructions if s in borders and not _is_cheap(s)]


def _is_cheap(s: Symbol) -> bool:
    """Whether `s` is the result of at most two additions and multiplications of data."""
    computed = [x for x in in_order([s]) if x.function != "input"]
    return len(computed) <= 2 and all(x.function in CHEAP for x in computed)
