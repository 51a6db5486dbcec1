"""Hypothesis strategies: random programs whose gradients are known, for the tests of this or any other engine.

>>> from hypothesis import given
>>> @given(gradient_problems())
... def test_my_engine(case):
...     ...                                     # case.problem, case.exact, case.estimates
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinygrad_poly.checking.cases import Case
from tinygrad_poly.checking.polynomial_programs import Polynomial
from tinygrad_poly.checking.programs import COMPUTE, Input, Instruction, Problem, Program, Shape, fits, result_shape

HIGHEST_DEGREE = 12
LARGEST_SIZE = 27
HIGHEST_RANK = 3

Draw = Any
Wish = tuple[str, int, int, int]


def dyadic_coefficients(bits: int = 24) -> st.SearchStrategy[float]:
    """Numbers m/2ᵏ, from small whole ones to those with m of `bits` bits: 24 fit float32, 53 float64."""
    small = st.integers(-3, 3).map(float)
    scale = st.sampled_from([bits, bits - 1, bits // 2, bits + 6])
    return small | st.builds(lambda m, k: math.ldexp(m, -k), st.integers(-(2**bits), 2**bits), scale)


def edge_floats(dtype: str, degree: int = 1) -> st.SearchStrategy[float]:
    """Special numbers of a dtype: 0, 1, the smallest, the largest, infinity and NaN.

    Args:
        dtype: "float32" or "float64".
        degree: the largest number drawn still has a power of this degree.
    """
    info = np.finfo(dtype)
    smallest, normal = float(info.smallest_subnormal), float(info.smallest_normal)
    largest = float(np.dtype(dtype).type(float(info.max) ** (1 / degree) * (1 - 1e-6)))
    positive = [0.0, 1.0, smallest, 3 * smallest, normal - smallest, normal, largest, 1 + float(info.eps), math.inf]
    return st.sampled_from([*positive, *(-x for x in positive), math.nan])


# Exact where sums and products of infinities do not depend on their order: nothing finite over- or underflows.
_PLAIN = [0.0, 1.0, -1.0, 2.0, -0.5, -0.0, math.inf, -math.inf, math.nan]


def broadcast_inputs(count: int) -> st.SearchStrategy[tuple[Shape, ...]]:
    """Tuples of shapes that broadcast together, with 0-d and empty ones among them."""
    shapes = hnp.mutually_broadcastable_shapes(num_shapes=count, max_dims=HIGHEST_RANK, min_side=0, max_side=3)
    # Most of those are full of ones. The others are cut from one shape: leading axes left out, others of length 1.
    cuts = st.tuples(st.integers(0, HIGHEST_RANK), st.sampled_from([0, 0, 0, 1, 2, 3]))
    result = st.sampled_from([(2, 2), (3,), (2, 3), (3, 1, 2), (2, 2, 2), (3, 3)])
    cut = st.tuples(result, st.lists(cuts, min_size=count, max_size=count))
    full = shapes.map(lambda found: tuple(found.input_shapes))
    return full | cut.map(lambda drawn: tuple(_cut(drawn[0], dropped, ones) for dropped, ones in drawn[1]))


def _cut(shape: Shape, dropped: int, ones: int) -> Shape:
    """`shape` without some leading axes, and with length 1 where `ones` has a bit."""
    kept = shape[dropped % (len(shape) + 1) :]
    return tuple(1 if ones >> k & 1 else n for k, n in enumerate(kept))


def cotangents(size: int, bits: int = 24) -> st.SearchStrategy[tuple[float, ...]]:
    """Cotangents to start a backward pass from; not ones, which would not show a transposed gradient."""
    odd = [math.ldexp(round(math.ldexp(x, bits - 2)), 2 - bits) for x in (math.sqrt(2), math.pi / 2, -math.sqrt(3))]
    number = st.sampled_from([2.0, -3.0, 0.5, -1.0, 1.375, -0.625, 7.0, *odd])
    return st.lists(number, min_size=size, max_size=size).map(tuple)


NAMES = ("add", "multiply", "matmul", *COMPUTE)
"""What instructions are drawn from: the commonest ones twice."""


def straight_line_programs(
    numbers: st.SearchStrategy[float] | None = None, *, names: Sequence[str] = NAMES, least: int = 1, most: int = 8
) -> st.SearchStrategy[Program]:
    """Random programs: each instruction uses earlier values, perhaps one twice, and some stay unused.

    Args:
        numbers: of the inputs; `dyadic_coefficients` by default.
        names: of the instructions.
        least: how many instructions to try for at least; those that fit nothing are left out.
        most: how many instructions at most.
    """
    wish = st.tuples(st.sampled_from(names), st.integers(0, 7), st.integers(0, 7), st.integers(0, 63))
    wishes = st.lists(wish, min_size=least, max_size=most)
    return _programs(dyadic_coefficients() if numbers is None else numbers, wishes)


@st.composite
def _programs(draw: Draw, numbers: st.SearchStrategy[float], wishes: st.SearchStrategy[list[Wish]]) -> Program:
    shapes = draw(_SHAPES)
    wished = draw(wishes)
    inputs = []
    for k, shape in enumerate(shapes):
        size = math.prod(shape)
        drawn = draw(st.lists(numbers, min_size=size, max_size=size))
        inputs.append(Input(shape, tuple(drawn), k == 0 or draw(st.integers(0, 3)) > 0))
    return Program(tuple(inputs), assemble(shapes, wished))


_SHAPES = st.integers(1, 3).flatmap(broadcast_inputs)


def assemble(shapes: Sequence[Shape], wishes: Sequence[Wish]) -> tuple[Instruction, ...]:
    """A sequence of instructions from random wishes; a wish that cannot be fulfilled is left out.

    Operands are counted from the latest value backwards, so that programs grow deep.
    """
    shapes = list(shapes)
    degrees = [1] * len(shapes)
    instructions: list[Instruction] = []
    for name, back, other, choice in wishes:
        i, j = (max(len(shapes) - 1 - k, 0) for k in (back, other))
        instruction = _instruction(name, i, j, choice, shapes)
        if instruction is None:
            continue
        shape = result_shape(instruction, shapes)
        name, degree = instruction[0], degrees[i]
        if name in ("multiply", "matmul"):
            degree += degrees[instruction[2]]
        elif name in ("add", "subtract"):
            degree = max(degree, degrees[instruction[2]])
        elif name == "power":
            degree *= instruction[2]
        if degree > HIGHEST_DEGREE or math.prod(shape) > LARGEST_SIZE or len(shape) > HIGHEST_RANK:
            continue
        instructions.append(instruction)
        shapes.append(shape)
        degrees.append(degree)
    return tuple(instructions) or (("negative", len(shapes) - 1),)


def _instruction(name: str, i: int, j: int, choice: int, shapes: Sequence[Shape]) -> Instruction | None:
    """An instruction of this name; None where no such instruction fits the shape."""
    shape = shapes[i]
    ndim, size = len(shape), math.prod(shape)
    if name in ("add", "subtract", "multiply", "matmul"):
        partners = [k for k in (j, *range(len(shapes) - 1, -1, -1)) if fits(name, shape, shapes[k])]
        if partners or name != "matmul":
            return (name, i, partners[0])
        # A matrix on the way to a product: its transpose fits it.
        rows = next((n for n in (2, 3) if size and size % n == 0), 1)
        return ("permute", i, (-1, -2)) if ndim == 2 else ("reshape", i, (rows, size // rows))
    if name == "power":
        return (name, i, (2, 3, 1, 0, 4)[choice % 5])
    if name in ("sum", "mean"):
        chosen = tuple(axis for axis in range(-ndim, 0) if choice >> -axis & 1) or None
        reduced = size if chosen is None else math.prod(shape[axis] for axis in chosen)
        return None if name == "mean" and not reduced else (name, i, chosen, bool(choice & 1) and chosen is not None)
    if name == "reshape":
        others = [(size,), (1, size), (size, 1), shape[::-1], (*shape, 1)]
        if ndim == 2 and size == 6:
            others += [(3, 2), (2, 3)]
        return (name, i, others[choice % len(others)])
    if name == "permute":
        if ndim < 2:
            return None
        turned = tuple((choice + k) % ndim - ndim for k in range(ndim))
        return (name, i, turned[::-1] if choice & 8 else turned)
    if name == "take":
        if not ndim or not shape[0]:
            return None
        return (name, i, tuple((choice >> 2 * k & 3) % shape[0] for k in range(1 + choice % 3)))
    return (name, i)


@dataclass(frozen=True)
class Chain:
    """A pattern of instructions, each applied to the value before it, repeated many times.

    `"+c"` and `"*c"` combine it with a constant ±1, `"-"` negates, `"x+x-x"` uses it three times.
    """

    pattern: tuple[tuple[str, float], ...]
    times: int
    start: float

    @cached_property
    def program(self) -> Program:
        """The chain as a program: its first input is the start, the others are the constants."""
        constants = [Input((), (c,), False) for _, c in self.pattern]
        instructions: list[Instruction] = []
        last = 0
        for k, (step, _) in [*enumerate(self.pattern, 1)] * self.times:
            after = 1 + len(constants) + len(instructions)
            if step == "x+x-x":
                instructions += [("add", last, last), ("subtract", after, last)]
            else:
                instructions.append((step, last, k) if step != "negative" else (step, last))
            last = len(constants) + len(instructions)
        return Program((Input((), (self.start,)), *constants), tuple(instructions))


def deep_chains(depth: int = 10_000) -> st.SearchStrategy[Chain]:
    """Chains of up to `depth` repetitions, from a few random choices."""
    names = st.sampled_from(["add", "multiply", "negative", "x+x-x", "subtract"])
    pattern = st.lists(st.tuples(names, st.sampled_from([1.0, -1.0])), min_size=1, max_size=3)
    return st.builds(Chain, pattern.map(tuple), st.integers(1, depth), dyadic_coefficients())


def univariate_polynomials() -> st.SearchStrategy[Polynomial]:
    """Polynomials in one variable with whole coefficients, given by their factors."""
    return multivariate_polynomials(1, 1)


@st.composite
def multivariate_polynomials(draw: Draw, fewest: int = 1, most: int = 3) -> Polynomial:
    """Polynomials in several variables with whole coefficients, given by their factors a·x + b."""
    variables = draw(st.integers(fewest, most))
    factor = st.tuples(*[st.integers(-3, 3)] * (variables + 1))
    factors = draw(st.lists(factor, min_size=1, max_size=4))
    points = draw(st.integers(0, 3))
    numbers = st.lists(dyadic_coefficients(), min_size=points, max_size=points).map(tuple)
    return Polynomial(tuple(factors), tuple(draw(numbers) for _ in range(variables)))


@st.composite
def problems(draw: Draw, programs: st.SearchStrategy[Program] | None = None, bits: int = 24) -> Problem:
    """A program with a cotangent and directions."""
    program = draw(straight_line_programs() if programs is None else programs)
    cotangent = draw(cotangents(math.prod(program.shapes[-1]), bits))
    return Problem(program, cotangent, tuple(draw(cotangents(math.prod(i.shape), bits)) for i in program.inputs))


def gradient_problems(programs: st.SearchStrategy[Program] | None = None, bits: int = 24) -> st.SearchStrategy[Case]:
    """A program, a point, a cotangent; and, computed when asked for, the exact gradient and its bound."""
    return problems(programs, bits).map(Case)


def polynomial_problems(polynomials: st.SearchStrategy[Polynomial]) -> st.SearchStrategy[Case]:
    """One of a polynomial's three forms."""
    forms = polynomials.flatmap(lambda polynomial: st.sampled_from(list(polynomial.programs().values())))
    return gradient_problems(forms)


def edge_problems(dtype: str) -> st.SearchStrategy[Problem]:
    """Programs on the largest and smallest numbers of a dtype; the bound holds where nothing overflows."""
    return problems(straight_line_programs(edge_floats(dtype, 3).filter(math.isfinite), most=4))


def infinite_problems() -> st.SearchStrategy[Problem]:
    """Programs on infinities, NaNs, zeros and small numbers, with results that no order of sums changes."""
    return problems(straight_line_programs(st.sampled_from(_PLAIN), most=4))
