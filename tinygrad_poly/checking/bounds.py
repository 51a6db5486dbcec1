"""Error bounds: how far rounding can move a gradient away from the exact one. docs/proof.md derives them.

For every value of a program an `Estimate` is carried through the four passes that a gradient's gradient
takes: the values, their cotangents (backwards), the cotangents' cotangents (which come forwards again,
like tangents), and the second cotangents of the values (backwards). It counts roundings, and bounds
sizes and what underflow loses.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tinygrad_poly.checking.programs import OPERANDS, Instruction, Problem

UNIT = {"float32": Fraction(1, 2**24), "float64": Fraction(1, 2**53)}
SMALLEST = {"float32": Fraction(1, 2**149), "float64": Fraction(1, 2**1074)}
LARGEST = {"float32": float(np.finfo("float32").max), "float64": float(np.finfo("float64").max)}
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
        result = Estimate(0, 1.0)
        for k in range(n):
            result = result * self if k else self
        return result


def added(estimates: Sequence[Estimate]) -> Estimate:
    """The sum of several arrays, in any order."""
    most = max(e.roundings for e in estimates) + len(estimates) - 1
    return Estimate(most, sum(e.size for e in estimates), sum(e.lost for e in estimates))


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
    """The estimates of one program, from four passes over it: two forwards, two backwards."""

    def __init__(self, problem: Problem) -> None:
        program = problem.program
        self.shapes = program.shapes
        self.sizes = [math.prod(shape) for shape in self.shapes]
        self.values = [Estimate(0, _largest(i.numbers)) for i in program.inputs]
        tangents = [
            Estimate(0, _largest(w)) if i.requires_grad else None
            for i, w in zip(program.inputs, problem.directions, strict=True)
        ]
        for instruction in program.instructions:
            self.values.append(self._value(instruction))
            moves = [self._push(instruction, p, t) for p, i in self._operands(instruction) if (t := tangents[i])]
            tangents.append(added([m for m in moves if m]) if any(moves) else None)
        cotangents: list[list[Estimate]] = [[] for _ in self.values]
        seconds: list[list[Estimate]] = [[] for _ in self.values]
        self.cotangents: list[Estimate | None] = [None] * len(self.values)
        self.seconds: list[Estimate | None] = [None] * len(self.values)
        cotangents[-1].append(Estimate(0, _largest(problem.cotangent)))
        for y in range(len(self.values) - 1, -1, -1):
            g = self.cotangents[y] = added(cotangents[y]) if cotangents[y] and tangents[y] else None
            h = self.seconds[y] = added(seconds[y]) if seconds[y] else None
            if y < len(program.inputs):
                continue
            instruction = program.instructions[y - len(program.inputs)]
            for position, i in self._operands(instruction):
                if tangents[i] is None:
                    continue
                for passed, into in ((g, cotangents), (h, seconds)):
                    if passed and (part := self._pull(instruction, position, y, passed)):
                        into[i].append(part)
                if g and (part := self._bend(instruction, position, y, g, tangents)):
                    seconds[i].append(part)
        self.tangents = tangents

    @staticmethod
    def _operands(instruction: Instruction) -> list[tuple[int, int]]:
        return list(enumerate(instruction[1 : 1 + OPERANDS[instruction[0]]]))

    def _reduced(self, instruction: Instruction) -> int:
        """The number of elements that are added up for one element of a sum or mean."""
        _, i, axes, _ = instruction
        shape = self.shapes[i]
        return self.sizes[i] if axes is None else math.prod(shape[axis] for axis in axes)

    def _value(self, instruction: Instruction) -> Estimate:
        name, i, *rest = instruction
        a = self.values[i]
        if name in ("add", "subtract"):
            return added([a, self.values[rest[0]]])
        if name == "power":
            return a.power(rest[0])
        moved = self._push(instruction, 0, a)
        assert moved is not None
        return moved

    def _push(self, instruction: Instruction, position: int, e: Estimate) -> Estimate | None:
        """The change of the result when one operand changes: the linear part of the operation."""
        name, i, *rest = instruction
        if name in ("multiply", "matmul"):
            product = e * self.values[instruction[2 - position]]
            return product.total(self.shapes[i][1]) if name == "matmul" else product
        if name == "sum":
            return e.total(self._reduced(instruction))
        if name == "mean":
            return e.total(self._reduced(instruction)).times(1 / self._reduced(instruction))
        if name == "power":
            return self._slope(i, rest[0], e, 1)
        return e

    def _pull(self, instruction: Instruction, position: int, y: int, g: Estimate) -> Estimate | None:
        """The cotangent of one operand, from the result's."""
        name, _, *rest = instruction
        if name == "sum":
            return g
        if name == "mean":
            return g.times(1 / self._reduced(instruction))
        if name == "take":
            return g.total(len(rest[0]))
        moved = self._push(instruction, position, g) if name != "matmul" else g * self.values[instruction[2 - position]]
        return moved and moved.total(self._repeats(instruction, position, y))

    def _bend(
        self, instruction: Instruction, position: int, y: int, g: Estimate, tangents: Sequence[Estimate | None]
    ) -> Estimate | None:
        """The part of an operand's second cotangent that comes from the change of the slopes."""
        name, i, *rest = instruction
        t = tangents[instruction[2 - position] if name in ("multiply", "matmul") else i]
        if t is None:
            return None
        if name in ("multiply", "matmul"):
            return (t * g).total(self._repeats(instruction, position, y))
        return self._slope(i, rest[0], t * g, 2) if name == "power" else None

    def _slope(self, i: int, n: int, e: Estimate, order: int) -> Estimate | None:
        """`e` times the slope of xⁿ, or times the slope of that slope."""
        if n < order:
            return None
        return e * self.values[i].power(n - order).times(n * (n - 1) ** (order - 1))

    def _repeats(self, instruction: Instruction, position: int, y: int) -> int:
        """The number of elements of the result in which one element of the operand is used."""
        if instruction[0] == "matmul":
            return self.shapes[y][1 - position]
        return self.sizes[y] // max(self.sizes[instruction[1 + position]], 1)


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
    every = [
        e for each in (passes.values, passes.tangents, passes.cotangents, passes.seconds) for e in each if e is not None
    ]
    largest = Estimate(max(e.roundings for e in every), max(e.size for e in every), max(e.lost for e in every))
    return Estimates(passes.values[-1], tuple(passes.cotangents[:count]), tuple(passes.seconds[:count]), largest)


def _largest(numbers: Sequence[float]) -> float:
    """The largest absolute value, and at least 1: so a product with more factors never has a smaller bound."""
    return max([1.0, *(abs(x) for x in numbers)])
