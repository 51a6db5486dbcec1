"""Exact gradients: slopes in fractions, computed forwards together with the values.

Nothing here walks backwards. Each value knows its slopes by every number that the program started from,
so the exact gradient shares no idea with the reverse walk that it judges.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_poly.checking.programs import Problem, Shape
from tinygrad_poly.checking.rationals import Exact, Library

_SPLITS = {"": [("", "")], "s": [("s", ""), ("", "s")], "t": [("t", ""), ("", "t")],
           "st": [("st", ""), ("s", "t"), ("t", "s"), ("", "st")]}  # fmt: skip
"""The product rule: the parts of two factors that make a part of the product."""


class Jet:
    """A value with its slopes s with respect to every input number, its tangent t along w, and the slopes st of that.

    Slopes have one axis more than the value, in front. A part that is not there stands for zeros.
    """

    __slots__ = ("parts", "value")

    def __init__(self, value: Exact, **parts: Exact) -> None:
        self.value = value
        self.parts = {"": value, **parts}

    @classmethod
    def _of(cls, parts: dict[str, Exact]) -> Jet:
        return cls(parts.pop(""), **parts)

    def _each(self, on_value: Callable[[Exact, int], Exact]) -> Jet:
        """Apply a linear operation to all parts; it is told how many extra axes stand in front."""
        return self._of({k: on_value(part, "s" in k) for k, part in self.parts.items()})

    def __add__(self, other: Jet) -> Jet:
        value = self.value + other.value
        terms = {k: [jet.parts[k] for jet in (self, other) if k in jet.parts] for k in _SPLITS}
        return self._of({k: _total(value.shape, "s" in k, of) for k, of in terms.items() if of})

    def __neg__(self) -> Jet:
        return self._each(lambda part, front: -part)

    def __sub__(self, other: Jet) -> Jet:
        return self + -other

    def _product(self, other: Jet, times: Callable[..., Exact]) -> Jet:
        a, b = self.parts, other.parts
        shape = times(self.value, other.value, 0, 0).shape
        terms = {
            k: [times(a[i], b[j], "s" in i, "s" in j) for i, j in splits if i in a and j in b]
            for k, splits in _SPLITS.items()
        }
        return self._of({k: _total(shape, "s" in k, of) for k, of in terms.items() if of})

    def __mul__(self, other: Jet) -> Jet:
        return self._product(other, _times)

    def __matmul__(self, other: Jet) -> Jet:
        return self._product(other, lambda a, b, *_: a @ b)

    def __pow__(self, n: int) -> Jet:
        if n == 0:
            return type(self)(Library.ones_like(self.value))
        return functools.reduce(operator.mul, [self] * n)

    def sum(self, axes: Any = None, keep: bool = False) -> Jet:
        """The sum over `axes`, counted from the end."""
        if axes is None:
            axes = tuple(range(-self.value.ndim, 0))
        return self._each(lambda part, front: part.sum(axes, keep)) if axes else self

    def mean(self, axes: Any = None, keep: bool = False) -> Jet:
        """The mean over `axes`, counted from the end."""
        shape = self.value.shape
        n = math.prod(shape if axes is None else [shape[axis] for axis in axes])
        return self.sum(axes, keep)._each(lambda part, front: part / n)

    def reshape(self, shape: Shape) -> Jet:
        """The same numbers in another shape."""
        return self._each(lambda part, front: part.reshape(part.shape[:front] + shape))

    def permute(self, axes: Shape) -> Jet:
        """The dimensions, counted from the end, in another order."""
        return self._each(lambda part, front: Library.permute_dims(part, tuple(range(front)) + axes))

    def __getitem__(self, rows: list[int]) -> Jet:
        return self._each(lambda part, front: part[(slice(None),) * front + (np.array(rows, int),)])


class Majorant(Jet):
    """A jet that adds where the program subtracts: an upper bound, as no two terms cancel."""

    __slots__ = ()

    def __neg__(self) -> Majorant:
        return self


def _lifted(part: Exact, front: int, ndim: int) -> Exact:
    """`part` with axes of length 1 inserted between the extra axes in front and its own."""
    missing = ndim - (part.ndim - front)
    return part.reshape(part.shape[:front] + (1,) * missing + part.shape[front:]) if front and missing else part


def _times(a: Exact, b: Exact, front_a: int, front_b: int) -> Exact:
    ndim = max(a.ndim - front_a, b.ndim - front_b)
    return _lifted(a, front_a, ndim) * _lifted(b, front_b, ndim)


def _total(shape: Shape, front: int, terms: list[Exact]) -> Exact:
    """The sum of the terms, in the shape of the value behind the extra axes."""
    total = functools.reduce(operator.add, [_lifted(term, front, len(shape)) for term in terms])
    full = total.shape[:front] + shape
    return total if total.shape == full else Library.broadcast_to(total, full)


@dataclass(frozen=True)
class Answers:
    """The output, vᵀJ for each input, and H w for each input."""

    value: Exact
    gradients: tuple[Exact, ...]
    seconds: tuple[Exact, ...]


def answers(problem: Problem, *, positive: bool = False) -> Answers:
    """The exact answers to a problem.

    With `positive` all numbers are taken positive and differences become sums: the majorants Ĝ.

    >>> from tinygrad_poly.checking.programs import Input, Program
    >>> cube = Program((Input((), (2.0,)),), (("power", 0, 3),))
    >>> found = answers(Problem(cube, (1.0,), ((1.0,),)))       # x³, 3x², 6x
    >>> [x.fractions() for x in (found.value, *found.gradients, *found.seconds)]
    [[Fraction(8, 1)], [Fraction(12, 1)], [Fraction(12, 1)]]
    """
    program = problem.program
    sign: Callable[[Exact], Exact] = abs if positive else lambda x: x
    kind = Majorant if positive else Jet
    ends = np.cumsum([math.prod(i.shape) if i.requires_grad else 0 for i in program.inputs])
    jets, start = [], 0
    for given, direction, end in zip(program.inputs, problem.directions, ends.tolist(), strict=True):
        parts = {}
        if given.requires_grad:
            slopes = np.full((ends[-1], end - start), 0, dtype=object)
            slopes[range(start, end), range(end - start)] = 1
            tangent = sign(Exact.of(np.array(direction).reshape(given.shape)))
            parts = {"s": Exact(slopes.reshape(ends[-1], *given.shape)), "t": tangent}
        jets.append(kind(sign(Exact.of(given.array())), **parts))
        start = end
    y = program.run(jets)
    v = sign(Exact.of(np.array(problem.cotangent))).reshape(y.value.shape)

    def weighted(slopes: Exact | None) -> tuple[Exact, ...]:
        if slopes is None:
            return tuple(Library.zeros(i.shape) for i in program.inputs)
        found = (slopes * v).reshape((slopes.shape[0], v.size)).sum(1)
        return tuple(
            found[end - math.prod(i.shape) : end].reshape(i.shape) if i.requires_grad else Library.zeros(i.shape)
            for i, end in zip(program.inputs, ends.tolist(), strict=True)
        )

    return Answers(y.value, weighted(y.parts.get("s")), weighted(y.parts.get("st")))
