"""Rounding bounds: how far two programs for one gradient may differ, found by counting their roundings.

A program of +, −, × computes a sum of products. Each operation rounds once: fl(s) = s (1 + δ) with
|δ| ≤ u, where u is half the distance from 1 to the next number. Carry the factors along, and every
product in the sum ends up with as many factors (1 + δ) as roundings went into it: K at most. Therefore

    |g − G| ≤ γ Ĝ,      γ = K u / (1 − K u),

where G is the exact gradient, g the computed one, and Ĝ the same sum of products with every term
taken positive. The order of evaluation does not matter, as long as K counts its roundings, and two
programs differ by at most 2 γ Ĝ.

Ĝ costs nothing to write. The gradients here contain one minus, the one in p − y. Evaluated on |w|, |x|
and −|y|, the residual is |p| + |y| and everything else is positive: the gradient's own code returns Ĝ.
A polynomial whose signs alternate, such as P₃(z) = ½ (5 z³ − 3 z), has terms of one sign on the imaginary
axis: P₃(i z) = −½ i (5 z³ + 3 z). There the gradient's own code returns Ĝ too, times 1, i, −1 or −i.

K is counted by running the programs, both the one by hand and the engine, on arrays that hold no
numbers but count roundings:

- a + b has one rounding more than the worse of a and b;
- a × b has the roundings of *both* factors, and one more; none more if a factor is a power of two;
- a sum of n numbers rounds each of them n − 1 times at most, in whatever order;
- a division by n is one more.

What is left out: the roundings of Ĝ itself, which change the bound by a relative γ, and underflow, which
the numbers here are far from.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from tinygrad_poly.engine.arrays import Shape
from tinygrad_poly.optim import SGD
from tinygrad_poly.tutorials.problem import Problem, Vector


def gamma(roundings: Any, dtype: str) -> Any:
    """γ = K u / (1 − K u), the relative error that K roundings can add up to.

    >>> gamma(np.array([1, 1000]), "float32")
    array([5.96046483e-08, 5.96081977e-05])
    """
    u = float(np.finfo(dtype).eps) / 2
    return roundings * u / (1 - roundings * u)


def magnitude(problem: Problem, weights: Vector) -> Vector:
    """Ĝ for each row of `weights`: the gradient with every term taken positive, in the same shape.

    >>> from tinygrad_poly.tutorials.problems import PROGRAMS
    >>> problem = PROGRAMS["T7"][0]                 # 2/m Σ (W x − y) x for x = y = 1, 2, 3
    >>> magnitude(problem, np.array([[0.0], [1.0]]))    # 2/3 Σ (|W x| + |y|) |x|
    array([[ 9.33333333],
           [18.66666667]])
    """
    x, y = (np.abs(a.astype("float64")) for a in problem.data(problem.dtype))
    *axes, axis = (1j if name in problem.imaginary else 1 for name in (*problem.names, "x"))
    # Positive as it is, if the gradient is right; a bound has to be positive for a wrong one too.
    steps = zip(problem.each_step(), np.abs(weights) * axes)
    return np.abs([now.row(now.gradient(w, axis * x, -y)) for now, w in steps])


def count(problem: Problem) -> np.ndarray[Any, np.dtype[np.int64]]:
    """K for each weight: the number of roundings in its gradient, the larger one of by hand and by engine.

    >>> from tinygrad_poly.tutorials.problems import PROGRAMS
    >>> count(PROGRAMS["T7"][0])
    array([7])
    """
    x, y = (Roundings(a.shape) for a in problem.data(problem.dtype))
    weights = [Roundings(()) for _ in problem.names]
    by_hand = problem.gradient(weights, x, y)
    _, by_engine, _ = next(problem.route(replace(problem, at=None, optimizer=SGD), weights, x, y))
    return np.array([max(g.count, h.array.count) for g, h in zip(by_hand, by_engine, strict=True)])


class Roundings:
    """An array that holds a count instead of numbers: the roundings in its worst element.

    It follows as much of the array API standard as a tensor asks of its array, so that the engine's
    own backward pass can be run on it.

    >>> a, b = Roundings((3,)), Roundings((3,))
    >>> (a * b).sum()                   # a product, and two additions
    Roundings((), 3)
    """

    __slots__ = ("count", "shape")
    dtype = np.dtype(np.float64)

    def __init__(self, shape: Shape, count: int = 0) -> None:
        self.shape = shape
        self.count = count

    def __repr__(self) -> str:
        return f"Roundings({self.shape}, {self.count})"

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    @property
    def mT(self) -> Roundings:  # noqa: N802 - the standard's name
        """The last two dimensions exchanged."""
        return Roundings((*self.shape[:-2], self.shape[-1], self.shape[-2]), self.count)

    def reshape(self, shape: Shape) -> Roundings:
        """The same count in another shape."""
        return Roundings(shape, self.count)

    def __getitem__(self, key: Any) -> Roundings:
        return Roundings(np.empty(self.shape)[key].shape, self.count)

    def __neg__(self) -> Roundings:
        return self

    def __add__(self, other: Roundings | float) -> Roundings:
        other = _counted(other)
        return Roundings(np.broadcast_shapes(self.shape, other.shape), max(self.count, other.count) + 1)

    def __mul__(self, other: Roundings | float) -> Roundings:
        if not isinstance(other, Roundings) and math.frexp(other)[0] in (0.5, -0.5):
            return self
        other = _counted(other)
        return Roundings(np.broadcast_shapes(self.shape, other.shape), self.count + other.count + 1)

    __radd__ = __sub__ = __rsub__ = __add__
    __rmul__ = __truediv__ = __mul__

    def __matmul__(self, other: Roundings) -> Roundings:
        shape = np.matmul(np.zeros(self.shape), np.zeros(other.shape)).shape
        return Roundings(shape, self.count + other.count + self.shape[-1])

    def sum(self) -> Roundings:
        """The sum of all elements."""
        return Library.sum(self)

    def __array_namespace__(self) -> type[Library]:
        return Library


class Library:
    """The array namespace of `Roundings`: the functions that the engine looks up."""

    @staticmethod
    def sum(array: Roundings, axis: int | Shape | None = None, keepdims: bool = False) -> Roundings:
        """The sum over `axis`: of n numbers, each in n − 1 additions at most."""
        shape = np.zeros(array.shape).sum(axis=axis, keepdims=keepdims).shape
        n = array.size // math.prod(shape)
        return Roundings(shape, array.count + n - 1)

    @staticmethod
    def reshape(array: Roundings, shape: Shape) -> Roundings:
        """The same count in another shape."""
        return array.reshape(shape)

    @staticmethod
    def stack(arrays: list[Roundings], axis: int = 0) -> Roundings:
        """The arrays side by side, with the roundings of the worst."""
        return Roundings(np.stack([np.empty(a.shape) for a in arrays], axis).shape, max(a.count for a in arrays))

    @staticmethod
    def ones_like(array: Roundings) -> Roundings:
        """Ones, which are exact."""
        return Roundings(array.shape)

    @staticmethod
    def broadcast_to(array: Roundings, shape: Shape) -> Roundings:
        """The same numbers repeated."""
        return Roundings(shape, array.count)


def _counted(other: Roundings | float) -> Roundings:
    """A number as `Roundings`: without any if it is whole, else with one."""
    return other if isinstance(other, Roundings) else Roundings((), 0 if float(other).is_integer() else 1)
