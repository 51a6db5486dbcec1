"""Running error analysis: numbers with bounds on how far rounding in a smaller dtype may move each of them.

A result fl(a ∘ b) = (a ∘ b)(1 + δ), |δ| ≤ u, is off by what it makes of the errors of a and b, and by u of its size
(N. J. Higham, Accuracy and Stability of Numerical Algorithms, 2002, 3.3). In a sum of n terms each is rounded n times
at most, in whatever order; among many roundings, errors of either sign cancel (`rounding`). Functions are off by `ULPS`
u at most, as are those of libraries that compute several elements at once.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from benchmarks.models import ByHand

ULPS = 8


def rounding(count: int, u: float) -> float:
    """The bound ε = (1 + u)ᴷ − 1 for the relative error of a product with K factors 1 + δ, |δ| ≤ u.

    In float32 and for millions of points that allows anything. Beyond a hundredth, what counts is therefore how far
    errors of either sign get: exp(8 √K u) − 1, with a probability above 1 − 2 exp(−32) (Higham and Mary, A New
    Approach to Probabilistic Rounding Error Analysis, SIAM J. Sci. Comput. 41, 2019).
    """
    worst = math.expm1(count * math.log1p(u))
    return worst if worst < 0.01 else _probable(count, u)


def _probable(count: int, u: float) -> float:
    return math.expm1(8 * math.sqrt(count) * u + count * u**2)


def summing(count: int, u: float) -> float:
    """The bound for a sum of so many terms: the smaller of the certain and the probable one."""
    return min(math.expm1(count * math.log1p(u)), _probable(count, u))


class Bounded:
    """An array in float64, and a bound for the error of each element in a dtype with the unit roundoff u.

    >>> third = Bounded(np.array([1.0]), np.array([0.0]), 2.0**-53) / 3
    >>> (third + third).off / 2.0**-53      # two times a third of u, and two thirds of u
    array([1.33333333])
    """

    __array_ufunc__ = None  # NumPy's arrays leave the operators to this class

    def __init__(self, value: Any, off: Any, u: float) -> None:
        self.value, self.off, self.u = value, off, u

    @property
    def size(self) -> Any:
        """The largest size that each computed element can have."""
        return np.abs(self.value) + self.off

    @property
    def T(self) -> Bounded:  # noqa: N802 - NumPy's name
        """The axes exchanged."""
        return Bounded(self.value.T, self.off.T, self.u)

    def __len__(self) -> int:
        return len(self.value)

    def rounded(self, value: Any, off: Any, count: float = 1.0) -> Bounded:
        """A result that is rounded in the end, `count` times."""
        return Bounded(value, off + count * self.u * (np.abs(value) + off), self.u)

    def _other(self, other: Any) -> Bounded:
        if isinstance(other, Bounded):
            return other
        return Bounded(other, 0.0, self.u)

    def __add__(self, other: Any) -> Bounded:
        b = self._other(other)
        return self.rounded(self.value + b.value, self.off + b.off)

    def __neg__(self) -> Bounded:
        return Bounded(-self.value, self.off, self.u)

    def __sub__(self, other: Any) -> Bounded:
        return self + -self._other(other)

    def __rsub__(self, other: Any) -> Bounded:
        return self._other(other) - self

    def __mul__(self, other: Any) -> Bounded:
        b = self._other(other)
        return self.rounded(self.value * b.value, self.size * b.off + self.off * np.abs(b.value))

    __rmul__ = __mul__

    def __truediv__(self, other: float) -> Bounded:
        return self.rounded(self.value / other, self.off / other)

    def __matmul__(self, b: Bounded) -> Bounded:
        off = self.size @ b.off + self.off @ np.abs(b.value)
        return Bounded(self.value @ b.value, off + summing(self.value.shape[-1], self.u) * (self.size @ b.size), self.u)

    def sum(self, axis: int | None = None) -> Bounded:
        """The sum over an axis, or of all elements."""
        total = self.value.sum(axis)
        off = self.off.sum(axis) + summing(self.value.size // total.size, self.u) * self.size.sum(axis)
        return Bounded(total, off, self.u)

    def mean(self) -> Bounded:
        """The mean of all elements."""
        return self.sum() / int(self.value.size)


def _tanh(x: Bounded) -> Bounded:
    # The slope is 1 at most.
    return x.rounded(np.tanh(x.value), x.off, ULPS)


def _entropy(z: Bounded, y: Bounded) -> tuple[Bounded, Bounded]:
    # Both slopes, σ − y and σ (1 − σ), are 1 and 1/4 at most. Some compute σ(z) − y from 1 − σ(−z): u of 1.
    loss, u = np.logaddexp(z.value, 0) - y.value * z.value, ULPS * z.u
    each = Bounded(loss, z.off + u * (np.abs(loss) + z.size), z.u)
    slope = 1 / (1 + np.exp(-z.value)) - y.value
    return each.mean(), Bounded(slope, z.off / 4 + u, z.u)


def _square(p: Bounded, y: Bounded) -> tuple[Bounded, Bounded]:
    error = p - y
    return (error * error).mean(), 2.0 * error


BOUNDED = ByHand(_tanh, _entropy, _square)


def loss_and_gradient(model: Any, weights: list[Any], x: Any, y: Any, u: float) -> tuple[Bounded, list[Bounded]]:
    """A model's loss and gradient from exact weights and data, by hand."""
    exact = [Bounded(a.astype("float64"), np.zeros(a.shape), u) for a in (*weights, x, y)]
    loss, gradient = model.gradient(exact[:-2], *exact[-2:], BOUNDED)
    return loss, gradient
