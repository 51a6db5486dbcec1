"""Exact arithmetic: arrays of fractions, for exact gradients, and for running the engine without rounding."""

from __future__ import annotations

import math
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

    @property
    def shape(self) -> Shape:
        """The shape."""
        shape: Shape = self.numerators.shape
        return shape

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    @property
    def mT(self) -> Exact:  # noqa: N802 - the standard's name
        """The matrix transpose: the last two dimensions exchanged."""
        return Exact(np.swapaxes(self.numerators, -1, -2), self.denominator)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Exact) or self.shape != other.shape:
            return False
        difference = self.numerators * other.denominator - other.numerators * self.denominator
        return not np.any(np.asarray(difference, dtype=object) != 0)

    __hash__ = None  # type: ignore[assignment]

    def __abs__(self) -> Exact:
        return Exact(np.abs(self.numerators), self.denominator)

    def __neg__(self) -> Exact:
        return Exact(-self.numerators, self.denominator)

    def _sum(self, other: Any, sign: int) -> Exact:
        other = _exact(other)
        if self.denominator == other.denominator:
            return Exact(self.numerators + sign * other.numerators, self.denominator)
        denominator = math.lcm(self.denominator, other.denominator)
        left = self.numerators * (denominator // self.denominator)
        return Exact(left + other.numerators * (sign * (denominator // other.denominator)), denominator)

    def __add__(self, other: Any) -> Exact:
        return self._sum(other, 1)

    __radd__ = __add__

    def __sub__(self, other: Any) -> Exact:
        return self._sum(other, -1)

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
        self._place(value)
        self.numerators[index] = value.numerators * (self.denominator // value.denominator)

    def _place(self, other: Exact) -> None:
        """Take over a denominator with which `other` can be written too."""
        denominator = math.lcm(self.denominator, other.denominator)
        self.numerators = np.asarray(self.numerators * (denominator // self.denominator), dtype=object)
        self.denominator = denominator

    def sum(self, axis: Any = None, keepdims: bool = False) -> Exact:
        """The sum over `axis`."""
        return Exact(self.numerators.sum(axis=axis, keepdims=keepdims), self.denominator)

    def reshape(self, shape: Shape) -> Exact:
        """The same numbers in another shape."""
        return Exact(self.numerators.reshape(shape), self.denominator)

    def __array_namespace__(self) -> type[Library]:
        return Library


class Library:
    """The array namespace of `Exact`: the functions that the engine looks up."""

    @staticmethod
    def sum(array: Exact, axis: Any = None, keepdims: bool = False) -> Exact:
        """The sum over `axis`."""
        return array.sum(axis, keepdims)

    @staticmethod
    def reshape(array: Exact, shape: Shape) -> Exact:
        """The same numbers in another shape."""
        return array.reshape(shape)

    @staticmethod
    def permute_dims(array: Exact, axes: Shape) -> Exact:
        """The dimensions in another order."""
        return Exact(array.numerators.transpose(axes), array.denominator)

    @staticmethod
    def broadcast_to(array: Exact, shape: Shape) -> Exact:
        """The same numbers repeated."""
        return Exact(np.broadcast_to(array.numerators, shape), array.denominator)

    @staticmethod
    def zeros(shape: Shape, dtype: Any = None) -> Exact:
        """Zeros."""
        return Exact(np.full(shape, 0, dtype=object))

    @staticmethod
    def ones_like(array: Exact) -> Exact:
        """Ones in the shape of `array`."""
        return Exact(np.full(array.shape, 1, dtype=object))

    @staticmethod
    def zeros_like(array: Exact) -> Exact:
        """Zeros in the shape of `array`."""
        return Library.zeros(array.shape)

    @staticmethod
    def astype(array: Exact, dtype: Any) -> Exact:
        """The same fractions: exact in any dtype."""
        return array

    @staticmethod
    def _add_at(array: Exact, index: Any, values: Exact) -> None:
        array._place(values)
        np.add.at(array.numerators, index, values.numerators * (array.denominator // values.denominator))

    add = SimpleNamespace(at=_add_at)


def _exact(value: Any) -> Exact:
    return value if isinstance(value, Exact) else Exact(*Fraction(value).as_integer_ratio())
