"""Exact gradients: slopes in fractions, computed forwards together with the values.

Nothing here walks backwards. Each value knows its slopes by every number that the program started from,
so the exact gradient shares no idea with the reverse walk that it judges.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_poly.checking.programs import Problem, Shape
from tinygrad_poly.checking.rationals import Exact, Library


class Jet:
    """A value with its slopes with respect to every input number, and the change of both along w.

    Slopes have one axis more than the value, in front. None stands for zeros.
    """

    __slots__ = ("slopes", "tangent", "tangent_slopes", "value")

    def __init__(self, value: Exact, slopes: Any = None, tangent: Any = None, tangent_slopes: Any = None) -> None:
        self.value = value
        self.slopes: Exact | None = slopes
        self.tangent: Exact | None = tangent
        self.tangent_slopes: Exact | None = tangent_slopes

    def _each(self, on_value: Callable[[Exact, int], Exact]) -> Jet:
        """Apply a linear operation to value, slopes and tangents; it is told how many extra axes stand in front."""
        return type(self)(
            on_value(self.value, 0),
            self.slopes and on_value(self.slopes, 1),
            self.tangent and on_value(self.tangent, 0),
            self.tangent_slopes and on_value(self.tangent_slopes, 1),
        )

    def _with(self, other: Jet, sign: int) -> Jet:
        value = self.value + other.value if sign > 0 else self.value - other.value
        pairs = [
            (self.slopes, other.slopes, 1),
            (self.tangent, other.tangent, 0),
            (self.tangent_slopes, other.tangent_slopes, 1),
        ]
        return type(self)(value, *[_total(value.shape, front, a, b if sign > 0 else b and -b) for a, b, front in pairs])

    def __add__(self, other: Jet) -> Jet:
        return self._with(other, 1)

    def __sub__(self, other: Jet) -> Jet:
        return self._with(other, -1)

    def __neg__(self) -> Jet:
        return self._each(lambda part, front: -part)

    def _product(self, other: Jet, times: Callable[..., Exact | None]) -> Jet:
        """The product rule, for the slopes, and again along w."""
        a, b = self, other
        value = times(a.value, b.value, 0, 0)
        assert value is not None
        shape = value.shape
        return type(self)(
            value,
            _total(shape, 1, times(a.slopes, b.value, 1, 0), times(a.value, b.slopes, 0, 1)),
            _total(shape, 0, times(a.tangent, b.value, 0, 0), times(a.value, b.tangent, 0, 0)),
            _total(
                shape,
                1,
                times(a.tangent_slopes, b.value, 1, 0),
                times(a.slopes, b.tangent, 1, 0),
                times(a.tangent, b.slopes, 0, 1),
                times(a.value, b.tangent_slopes, 0, 1),
            ),
        )

    def __mul__(self, other: Jet) -> Jet:
        return self._product(other, _times)

    def __matmul__(self, other: Jet) -> Jet:
        return self._product(other, lambda a, b, *_: None if a is None or b is None else a @ b)

    def __pow__(self, n: int) -> Jet:
        if n == 0:
            return type(self)(Exact(np.full(self.value.shape, 1, dtype=object)))
        result = self
        for _ in range(n - 1):
            result = result * self
        return result

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
    __sub__ = Jet.__add__

    def __neg__(self) -> Majorant:
        return self


def _lifted(part: Exact, front: int, ndim: int) -> Exact:
    """`part` with axes of length 1 inserted between the extra axes in front and its own."""
    missing = ndim - (part.ndim - front)
    return part.reshape(part.shape[:front] + (1,) * missing + part.shape[front:]) if front and missing else part


def _times(a: Exact | None, b: Exact | None, front_a: int, front_b: int) -> Exact | None:
    if a is None or b is None:
        return None
    ndim = max(a.ndim - front_a, b.ndim - front_b)
    return _lifted(a, front_a, ndim) * _lifted(b, front_b, ndim)


def _total(shape: Shape, front: int, *terms: Exact | None) -> Exact | None:
    """The sum of the terms that are not None, in the shape of the value behind the extra axes."""
    result = None
    for term in terms:
        if term is not None:
            lifted = _lifted(term, front, len(shape))
            result = lifted if result is None else result + lifted
    if result is not None and result.shape[front:] != shape:
        result = Library.broadcast_to(result, result.shape[:front] + shape)
    return result


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
    wanted = [math.prod(i.shape) if i.requires_grad else 0 for i in program.inputs]
    jets, start = [], 0
    for given, direction, count in zip(program.inputs, problem.directions, wanted, strict=True):
        value = sign(Exact.of(given.array()))
        if not given.requires_grad:
            jets.append(kind(value))
            continue
        slopes = np.full((sum(wanted), count), 0, dtype=object)
        slopes[range(start, start + count), range(count)] = 1
        tangent = sign(Exact.of(np.array(direction).reshape(given.shape)))
        jets.append(kind(value, Exact(slopes.reshape(sum(wanted), *given.shape)), tangent))
        start += count
    y = program.run(jets)
    v = sign(Exact.of(np.array(problem.cotangent))).reshape(y.value.shape)

    def weighted(slopes: Exact | None) -> tuple[Exact, ...]:
        if slopes is None:
            return tuple(Library.zeros(i.shape) for i in program.inputs)
        found = (slopes * v).reshape((slopes.shape[0], v.size)).sum(1)
        parts, start = [], 0
        for given, count in zip(program.inputs, wanted, strict=True):
            part = found[start : start + count].reshape(given.shape) if count else Library.zeros(given.shape)
            parts.append(part)
            start += count
        return tuple(parts)

    return Answers(y.value, weighted(y.slopes), weighted(y.tangent_slopes))
