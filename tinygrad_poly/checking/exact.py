"""Exact gradients: slopes in fractions, computed forwards together with the values.

Nothing here walks backwards. Each value knows its slopes by every number that the program started from,
so the exact gradient shares no idea with the reverse walk that it judges.
"""

from __future__ import annotations

import functools
import math
import operator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from tinygrad_poly.checking.programs import Problem, Shape
from tinygrad_poly.checking.rationals import Exact, Library


class Jet(Exact):
    """Values x with their slopes s by every input number, their tangents t along w, and the slopes of those.

    An element is (x + Σ sᵢ εᵢ) + (t + Σ uᵢ εᵢ) δ with εᵢ εⱼ = δ² = 0. The factors of 1 and εᵢ, and of 1 and δ, are two
    axes behind those of the values.
    """

    __slots__ = ()

    def __mul__(self, other: Any) -> Self:
        a, b = self.numerators, other.numerators
        one = _product(a[..., 0], b[..., 0])
        delta = _product(a[..., 0], b[..., 1]) + _product(a[..., 1], b[..., 0])
        return type(self)(np.stack([one, delta], -1), self.denominator * other.denominator)

    def __matmul__(self, other: Jet) -> Self:
        return (self[:, :, None] * other[None]).sum((-2,))

    def __pow__(self, n: int) -> Self:
        if n:
            return functools.reduce(operator.mul, [self] * n)
        ones = type(self)(self.numerators * 0)
        ones.numerators[..., 0, 0] = 1
        return ones

    def sum(self, axes: Any = None, keep: bool = False) -> Self:
        """The sum over `axes`, counted from the end."""
        return super().sum(tuple(range(self.ndim - 2)) if axes is None else tuple(a - 2 for a in axes), keep)

    def mean(self, axes: Any = None, keep: bool = False) -> Self:
        """The mean over `axes`, counted from the end."""
        shape: Shape = self.shape[:-2]
        return self.sum(axes, keep) / math.prod(shape if axes is None else [shape[a] for a in axes])

    def reshape(self, shape: Shape) -> Self:
        """The same numbers in another shape."""
        return super().reshape((*shape, *self.shape[-2:]))

    def permute(self, axes: Shape) -> Self:
        """The dimensions, counted from the end, in another order."""
        return self._with(self.numerators.transpose(*(a - 2 for a in axes), -2, -1))


class Majorant(Jet):
    """A jet that adds where the program subtracts: an upper bound, as no two terms cancel."""

    __slots__ = ()

    def __neg__(self) -> Self:
        return self


def _product(a: Any, b: Any) -> Any:
    """The product rule: (x + Σ sᵢ εᵢ) (y + Σ tᵢ εᵢ) = x y + Σ (x tᵢ + sᵢ y) εᵢ."""
    x, y = a[..., :1], b[..., :1]
    return np.concatenate([x * y, x * b[..., 1:] + a[..., 1:] * y], -1)


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

    def numbers(given: Any, shape: Shape) -> Exact:
        array = np.array(given).reshape(shape)
        return Exact.of(abs(array) if positive else array)

    sizes = [math.prod(i.shape) if i.requires_grad else 0 for i in program.inputs]
    ends = np.cumsum(sizes).tolist()
    jets = []
    for i, w, size, end in zip(program.inputs, problem.directions, sizes, ends, strict=True):
        jet = (Majorant if positive else Jet)(np.full((*i.shape, 1 + ends[-1], 2), 0, object))
        jet[..., 0, 0] = numbers(i.numbers, i.shape)
        if i.requires_grad:
            jet[..., 0, 1] = numbers(w, i.shape)
            jet[..., end - size + 1 : end + 1, 0] = Exact(np.eye(size, dtype=int).reshape(*i.shape, size))
        jets.append(jet)
    y = program.run(jets)
    v = numbers(problem.cotangent, (*y.shape[:-2], 1, 1))
    slopes = Exact.__mul__(y, v).sum()

    def by_inputs(k: int) -> tuple[Exact, ...]:
        by_all = Exact(slopes.numerators[1:, k], slopes.denominator)
        return tuple(
            by_all[end - size : end].reshape(i.shape) if i.requires_grad else Library.zeros(i.shape)
            for i, size, end in zip(program.inputs, sizes, ends, strict=True)
        )

    return Answers(Exact(y.numerators[..., 0, 0], y.denominator), by_inputs(0), by_inputs(1))
