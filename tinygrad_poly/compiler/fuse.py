"""Which parts of a program become one loop, and in which order the loops run.

A *loop* runs over one iteration space and computes any number of sums over it, with everything elementwise
that they need in registers. What several loops need is computed in each of them: reading memory costs more than
a few multiplications. Numbers (arrays with one element) are computed between the loops.

A sum is a number that is known only after its loop; what depends on it belongs to the next *stage*.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from tinygrad_poly.arrays import Shape
from tinygrad_poly.compiler.program import Program, in_order
from tinygrad_poly.compiler.symbols import Symbol

REDUCTIONS = ("sum", "max", "min", "prod")

LONGEST = 1000
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


@dataclass
class Loop:
    """Reductions over one space, and arrays of its shape that are kept."""

    space: Shape
    reductions: list[Symbol] = field(default_factory=list)
    stores: list[Symbol] = field(default_factory=list)


@dataclass
class Stage:
    """Numbers that can be computed now, then loops that need them."""

    numbers: list[Symbol] = field(default_factory=list)
    loops: dict[Shape, Loop] = field(default_factory=dict)


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


class NotFusable(Exception):  # noqa: N818 - it asks for another way, it is no error
    """A program that contains what a loop cannot do, such as a product of matrices."""


def fuse(program: Program, carried: Iterable[Symbol] = ()) -> Plan:
    """Sort the instructions of a program into loops.

    Args:
        program: simplified.
        carried: the inputs that change from step to step; without any, nothing is hoisted.

    Raises:
        NotFusable: naming the instruction that no loop can do.
    """
    if len(program.instructions) > LONGEST:
        raise NotFusable(f"{len(program.instructions)} instructions are too many for one loop")
    changing = set(carried)
    steps = bool(changing)
    for s in program.instructions:
        if not changing.isdisjoint(x for x in s.inputs if isinstance(x, Symbol)):
            changing.add(s)
    hoisted = _hoisted(program, changing) if steps else []
    before = set(hoisted)
    ready: dict[Symbol, int] = dict.fromkeys([*program.inputs, *hoisted], 0)
    stages: list[Stage] = []
    needed = _needed(program, hoisted)
    for s in program.instructions:
        if s in ready or s not in needed:
            continue
        if str(s.dtype) not in ("float32", "float64", "int64", "bool"):
            raise NotFusable(f"{s.function} gives {s.dtype}, with which loops do not compute as NumPy does")
        after = max((ready[x] for x in s.inputs if isinstance(x, Symbol)), default=0)
        while len(stages) <= after:
            stages.append(Stage())
        if s.function in ("full", "asarray"):
            ready[s] = after
        elif is_reduction(s):
            (argument,) = s.inputs
            stages[after].loops.setdefault(argument.shape, Loop(argument.shape)).reductions.append(s)
            ready[s] = after + 1
            while len(stages) <= after + 1:
                stages.append(Stage())
        elif _can_be_fused(s) or is_view(s) or is_sum_of_one(s):
            ready[s] = after
            if s.size == 1:
                stages[after].numbers.append(s)
        else:
            raise NotFusable(f"{s.function} of shape {s.shape} is no part of a loop")
    for output in dict.fromkeys(program.outputs):
        if output.size != 1 and output.function != "input" and output not in before:
            stages[ready[output]].loops.setdefault(output.shape, Loop(output.shape)).stores.append(output)
    return Plan(program, tuple(hoisted), tuple(stage for stage in stages if stage.numbers or stage.loops))


def is_reduction(s: Symbol) -> bool:
    """Whether `s` makes one number of all elements of an array."""
    return s.function in REDUCTIONS and s.size == 1 and s.inputs[0].size != 1


def _can_be_fused(s: Symbol) -> bool:
    """Whether `s` is elementwise, and the same in a loop as in NumPy."""
    return s.function in _FUSED[s.dtype.kind] and (not s.attributes or s.function == "astype")


def is_sum_of_one(s: Symbol) -> bool:
    """Whether `s` is a reduction of an array with one element."""
    return s.function in REDUCTIONS and s.inputs[0].size == 1


def is_view(s: Symbol) -> bool:
    """Whether `s` holds the elements of its input in the same order, apart from dimensions of length 1."""
    if s.function == "broadcast_to":
        return True
    return s.function == "reshape" and _long(s.shape) == _long(s.inputs[0].shape)


def _long(shape: Shape) -> Shape:
    return tuple(length for length in shape if length != 1)


CHEAP = ("add", "subtract", "multiply", "negative")


def _hoisted(program: Program, changing: set[Symbol]) -> list[Symbol]:
    """What to compute before the first step: all that does not change, but for what is sooner computed than read."""
    borders = {
        x
        for s in program.instructions
        if s in changing
        for x in s.inputs
        if isinstance(x, Symbol) and x not in changing and x.function not in ("input", "full")
    }
    borders |= {s for s in program.outputs if s not in changing and s.function not in ("input", "full")}
    return [s for s in program.instructions if s in borders and not _is_cheap(s)]


def _is_cheap(s: Symbol) -> bool:
    """Whether `s` takes at most two multiplications and additions of the data."""
    computed = [x for x in in_order([s]) if x.function != "input"]
    return len(computed) <= 2 and all(x.function in CHEAP for x in computed)


def _needed(program: Program, hoisted: list[Symbol]) -> set[Symbol]:
    """What the outputs depend on, not looking behind what is hoisted."""
    known, needed = set(hoisted), set()
    stack = list(program.outputs)
    while stack:
        s = stack.pop()
        if s not in needed:
            needed.add(s)
            if s not in known:
                stack += [x for x in s.inputs if isinstance(x, Symbol)]
    return needed
