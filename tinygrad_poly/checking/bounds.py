"""Error bounds: how far rounding can move a gradient away from the exact one. docs/proof.md derives them.

For every value of a program an `Estimate` is carried through the four passes that a gradient's gradient
takes: the values, their cotangents (backwards), the cotangents' cotangents (which come forwards again,
like tangents), and the second cotangents of the values (backwards). It counts roundings, and bounds
sizes and what underflow loses.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tinygrad_poly.checking.programs import OPERANDS, Instruction, Problem

UNIT = {"float32": Fraction(1, 2**24), "float64": Fraction(1, 2**53)}
SMALLEST = {"float32": Fraction(1, 2**149), "float64": Fraction(1, 2**1074)}
LARGEST = {"float32": float(np.finfo("float32").max), "float64": float(np.finfo("float64").max)}
PRODUCTS = ("multiply", "matmul")
_LOST_TWICE = 2.0**-149
"""An upper bound of the unit that losses are counted in."""
_SLACK = 1 + 2.0**-20
"""More than the roundings of the estimates' own sizes and losses can be."""


def gamma(roundings: int, dtype: str) -> Fraction:
    """γ = K u / (1 − K u), the relative error that K roundings can add up to."""
    u = UNIT[dtype]
    return roundings * u / (1 - roundings * u)


@dataclass(frozen=True)
class Estimate:
    """Bounds for all elements of an array: their number of roundings, their size, and their loss by underflow.

    Args:
        roundings: how many factors (1 + δ) the products that an element sums up have, at most.
        size: how large an element's majorant is at most, and at least 1.
        lost: what underflow may have taken, in units of the smallest positive number.
    """

    roundings: int
    size: float
    lost: float = 0.0

    def __mul__(self, other: Estimate) -> Estimate:
        lost = self.size * other.lost + self.lost * other.size + self.lost * other.lost * _LOST_TWICE + 1
        return Estimate(self.roundings + other.roundings + 1, self.size * other.size, lost)

    def times(self, constant: float) -> Estimate:
        """The product with a constant, such as n in n xⁿ⁻¹, or 1/n in a mean, which is itself rounded."""
        c = max(constant, 1.0)
        return Estimate(self.roundings + 2, self.size * c, self.lost * c + 1)

    def total(self, n: int) -> Estimate:
        """The sum of n such elements, in any order."""
        return self if n <= 1 else Estimate(self.roundings + n - 1, self.size * n, self.lost * n)

    def power(self, n: int) -> Estimate:
        """The product of n such elements."""
        return functools.reduce(operator.mul, [self] * n) if n else Estimate(0, 1.0)


def added(estimates: Iterable[Estimate | None]) -> Estimate | None:
    """The sum of several arrays, in any order; None stands for zeros."""
    terms = [e for e in estimates if e is not None]
    if not terms:
        return None
    most = max(e.roundings for e in terms) + len(terms) - 1
    return Estimate(most, sum(e.size for e in terms), sum(e.lost for e in terms))


@dataclass(frozen=True)
class Estimates:
    """The result of `estimate`: for the output, for each gradient and for each second gradient (None: it is 0)."""

    value: Estimate
    gradients: tuple[Estimate | None, ...]
    seconds: tuple[Estimate | None, ...]
    largest: Estimate

    def fits(self, dtype: str) -> bool:
        """Whether no intermediate value can overflow, and K u stays small."""
        top = self.largest
        small = top.roundings * UNIT[dtype] < Fraction(1, 4)
        return top.size < LARGEST[dtype] / 2 and math.isfinite(top.lost) and small


def allowed(estimate: Estimate | None, dtype: str) -> tuple[Fraction, Fraction]:
    """The allowed error, as γ and a loss: an element with majorant Ĝ may differ by γ Ĝ + loss."""
    if estimate is None:
        return Fraction(0), Fraction(0)
    g = gamma(estimate.roundings, dtype)
    return g, (1 + g) * Fraction(estimate.lost * _SLACK) * SMALLEST[dtype]


class _Passes:
    """The estimates of one program, from four passes over it: two forwards, two backwards. None stands for zeros."""

    def __init__(self, problem: Problem) -> None:
        inputs, instructions = problem.program.inputs, problem.program.instructions
        self.shapes = problem.program.shapes
        self.sizes = [math.prod(shape) for shape in self.shapes]
        self.values = [Estimate(0, _largest(i.numbers)) for i in inputs]
        self.tangents = [
            Estimate(0, _largest(w)) if i.requires_grad else None
            for i, w in zip(inputs, problem.directions, strict=True)
        ]
        for instruction in instructions:
            self.values.append(self._value(instruction))
            moves = [self._push(instruction, p, t) for p, i in _operands(instruction) if (t := self.tangents[i])]
            self.tangents.append(added(moves))
        self.cotangents: list[Estimate | None] = [None] * len(self.values)
        self.seconds: list[Estimate | None] = [None] * len(self.values)
        parts: list[list[Estimate | None]] = [[] for _ in self.values]
        bent: list[list[Estimate | None]] = [[] for _ in self.values]
        parts[-1].append(Estimate(0, _largest(problem.cotangent)))
        for y in range(len(self.values) - 1, -1, -1):
            g = self.cotangents[y] = added(parts[y]) if self.tangents[y] else None
            h = self.seconds[y] = added(bent[y])
            instruction = instructions[y - len(inputs)] if y >= len(inputs) else ()
            for position, i in _operands(instruction):
                if self.tangents[i]:
                    parts[i].append(self._pull(instruction, position, y, g))
                    bent[i] += self._pull(instruction, position, y, h), self._bend(instruction, position, y, g)

    def _value(self, instruction: Instruction) -> Estimate:
        name, i, *rest = instruction
        if name == "power":
            return self.values[i].power(rest[0])
        linear = _operands(instruction)[: 1 if name in PRODUCTS else None]
        value = added(self._push(instruction, position, self.values[k]) for position, k in linear)
        assert value
        return value

    def _push(self, instruction: Instruction, position: int, e: Estimate) -> Estimate | None:
        """The change of the result when one operand changes: the linear part of the operation."""
        name, i, *_ = instruction
        if name in ("sum", "mean"):
            e = e.total(self._reduced(instruction))
        moved = self._times_slope(instruction, position, e)
        return moved.total(self.shapes[i][1]) if moved and name == "matmul" else moved

    def _pull(self, instruction: Instruction, position: int, y: int, g: Estimate | None) -> Estimate | None:
        """The cotangent of one operand, from the result's."""
        moved = g and self._times_slope(instruction, position, g)
        return moved and moved.total(self._repeats(instruction, position, y))

    def _bend(self, instruction: Instruction, position: int, y: int, g: Estimate | None) -> Estimate | None:
        """The part of an operand's second cotangent that comes from the change of the slopes."""
        name, i, *rest = instruction
        t = self.tangents[instruction[2 - position] if name in PRODUCTS else i]
        if not t or not g:
            return None
        if name == "power":
            return self._power_slope(i, rest[0], t * g, 2)
        return (t * g).total(self._repeats(instruction, position, y)) if name in PRODUCTS else None

    def _times_slope(self, instruction: Instruction, position: int, e: Estimate) -> Estimate | None:
        """`e` times the slope of the result by one operand."""
        name, i, *rest = instruction
        if name in PRODUCTS:
            return e * self.values[instruction[2 - position]]
        if name == "power":
            return self._power_slope(i, rest[0], e, 1)
        return e.times(1 / self._reduced(instruction)) if name == "mean" else e

    def _power_slope(self, i: int, n: int, e: Estimate, order: int) -> Estimate | None:
        """`e` times the slope of xⁿ, or times the slope of that slope."""
        return e * self.values[i].power(n - order).times(n * (n - 1) ** (order - 1)) if n >= order else None

    def _reduced(self, instruction: Instruction) -> int:
        """The number of elements that are added up for one element of a sum or mean."""
        _, i, axes, _ = instruction
        shape = self.shapes[i]
        return math.prod(shape if axes is None else [shape[axis] for axis in axes])

    def _repeats(self, instruction: Instruction, position: int, y: int) -> int:
        """The number of elements of the result in which one element of the operand is used, at most."""
        name, _, *rest = instruction
        if name == "matmul":
            return self.shapes[y][1 - position]
        return len(rest[0]) if name == "take" else self.sizes[y] // max(self.sizes[instruction[1 + position]], 1)


def _operands(instruction: Instruction) -> list[tuple[int, int]]:
    """The operands of an instruction, each with its position; an input has none."""
    return list(enumerate(instruction[1 : 1 + OPERANDS[instruction[0]]])) if instruction else []


def estimate(problem: Problem) -> Estimates:
    """Count the roundings, and bound sizes and losses, for sums in any order.

    >>> from tinygrad_poly.checking.programs import Input, Program
    >>> square = Program((Input((3,), (1.0, 2.0, 3.0)),), (("multiply", 0, 0), ("sum", 1, None, False)))
    >>> found = estimate(Problem(square, (1.0,), ((1.0, 1.0, 1.0),)))
    >>> found.value.roundings, found.gradients[0].roundings     # x x and two additions; g x + g x
    (3, 2)
    """
    passes = _Passes(problem)
    count = len(problem.program.inputs)
    every = [e for e in (*passes.values, *passes.tangents, *passes.cotangents, *passes.seconds) if e is not None]
    largest = Estimate(max(e.roundings for e in every), max(e.size for e in every), max(e.lost for e in every))
    return Estimates(passes.values[-1], tuple(passes.cotangents[:count]), tuple(passes.seconds[:count]), largest)


def _largest(numbers: Sequence[float]) -> float:
    """The largest absolute value, and at least 1: so a product with more factors never has a smaller bound."""
    return max([1.0, *(abs(x) for x in numbers)])
