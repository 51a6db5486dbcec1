"""Exact arithmetic: arrays of fractions, for exact gradients, and for running the engine without rounding."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import numpy as np

from tinygrad_poly.checking.programs import Shape


class Exact:
    """An array of fractions with one denominator: exact +, −, × and division by numbers.

    It follows as much of the array API as a tensor asks of its array, so the engine runs on it.

    >>> third = Exact.of(np.array([1.0, 0.5])) / 3
    >>> (third + third * third).fractions()
    [Fraction(4, 9), Fraction(7, 36)]
    """

    __slots__ = ("denominator", "numerators")
    dtype = np.dtype(np.float64)

    def __init__(self, numerators: Any, denominator: int = 1) -> None:
        is_array = isinstance(numerators, np.ndarray)
        self.numerators: Any = numerators if is_array else np.array(numerators, dtype=object)
        self.denominator = denominator

    @staticmethod
    def of(array: Any) -> Exact:
        """The numbers of a floating array as fractions."""
        array = np.asarray(array)
        ratios = [number.as_integer_ratio() for number in array.ravel().tolist()]
        denominator = math.lcm(*(d for _, d in ratios))
        numerators = np.empty(len(ratios), dtype=object)
        numerators[:] = [n * (denominator // d) for n, d in ratios]
        return Exact(numerators.reshape(array.shape), denominator)

    def fractions(self) -> list[Fraction]:
        """The elements, flat."""
        return [Fraction(n, self.denominator) for n in self.numerators.ravel().tolist()]

    def rounded(self, dtype: str) -> Exact:
        """Each element rounded to the nearest number of `dtype`."""
        floats = np.array([float(x) for x in self.fractions()], dtype=dtype).reshape(self.shape)
        return Exact.of(floats.astype(np.float64))

    shape = property(lambda self: self.numerators.shape, doc="The lengths of the axes.")
    ndim = property(lambda self: self.numerators.ndim, doc="The number of axes.")
    size = property(lambda self: self.numerators.size, doc="The number of elements.")

    @property
    def mT(self) -> Exact:  # noqa: N802
        """The matrix, or each of a stack, transposed."""
        return Exact(np.swapaxes(self.numerators, -1, -2), self.denominator)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Exact) or self.shape != other.shape:
            return False
        return not np.any(np.asarray((self - other).numerators, dtype=object) != 0)

    __hash__ = None  # type: ignore[assignment]

    def __abs__(self) -> Exact:
        return Exact(np.abs(self.numerators), self.denominator)

    def __neg__(self) -> Exact:
        return Exact(-self.numerators, self.denominator)

    def _over(self, denominator: int) -> Any:
        """The numerators over a multiple of the denominator."""
        return self.numerators * (denominator // self.denominator)

    def __add__(self, other: Any) -> Exact:
        other = _exact(other)
        if self.denominator == other.denominator:
            return Exact(self.numerators + other.numerators, self.denominator)
        denominator = math.lcm(self.denominator, other.denominator)
        return Exact(self._over(denominator) + other._over(denominator), denominator)

    __radd__ = __add__

    def __sub__(self, other: Any) -> Exact:
        return self + -_exact(other)

    def __rsub__(self, other: Any) -> Exact:
        return _exact(other) - self

    def __mul__(self, other: Any) -> Exact:
        other = _exact(other)
        return Exact(self.numerators * other.numerators, self.denominator * other.denominator)

    __rmul__ = __mul__

    def __truediv__(self, other: float | Fraction) -> Exact:
        return self * (1 / Fraction(other))

    def __matmul__(self, other: Exact) -> Exact:
        return Exact(self.numerators @ other.numerators, self.denominator * other.denominator)

    def __pow__(self, n: int) -> Exact:
        return Exact(self.numerators**n, self.denominator**n)

    def __getitem__(self, index: Any) -> Exact:
        return Exact(self.numerators[index], self.denominator)

    def __setitem__(self, index: Any, value: Exact) -> None:
        self._written(operator.setitem, index, value)

    def _written(self, write: Callable[[Any, Any, Any], None], index: Any, value: Exact) -> None:
        """Write with a denominator with which both can be written."""
        denominator = math.lcm(self.denominator, value.denominator)
        self.numerators, self.denominator = np.asarray(self._over(denominator), dtype=object), denominator
        write(self.numerators, index, value._over(denominator))

    def sum(self, axis: Any = None, keepdims: bool = False) -> Exact:
        """The sum over `axis`."""
        return Exact(self.numerators.sum(axis=axis, keepdims=keepdims), self.denominator)

    def reshape(self, shape: Shape) -> Exact:
        """The same numbers in another shape."""
        return Exact(self.numerators.reshape(shape), self.denominator)

    def __array_namespace__(self) -> Any:
        return Library


Library: Any = SimpleNamespace(
    sum=Exact.sum,
    reshape=Exact.reshape,
    permute_dims=lambda array, axes: Exact(array.numerators.transpose(axes), array.denominator),
    broadcast_to=lambda array, shape: Exact(np.broadcast_to(array.numerators, shape), array.denominator),
    zeros=lambda shape, dtype=None: Exact(np.full(shape, 0, dtype=object)),
    ones_like=lambda array: Exact(np.full(array.shape, 1, dtype=object)),
    zeros_like=lambda array: Library.zeros(array.shape),
    astype=lambda array, dtype: array,
    add=SimpleNamespace(at=lambda array, index, values: array._written(np.add.at, index, values)),
)
"""The array namespace of `Exact`: the functions that the engine looks up. Fractions are exact in any dtype."""


def _exact(value: Any) -> Exact:
    return value if isinstance(value, Exact) else Exact(*Fraction(value).as_integer_ratio())
