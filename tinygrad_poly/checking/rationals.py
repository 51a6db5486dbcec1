"""Exact arithmetic: arrays of fractions, for exact gradients, and for running the engine without rounding."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from fractions import Fraction
from types import SimpleNamespace
from typing import Any, Self

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
        self.numerators: Any = np.asarray(numerators, dtype=object)
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
    def mT(self) -> Self:  # noqa: N802
        """The matrix, or each of a stack, transposed."""
        return self._with(np.swapaxes(self.numerators, -1, -2))

    def _with(self, numerators: Any, denominator: int = 1) -> Self:
        """An array of this class with other numerators, and its denominator times another."""
        return type(self)(numerators, self.denominator * denominator)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Exact) and self.shape == other.shape and self.fractions() == other.fractions()

    __hash__ = None  # type: ignore[assignment]

    def __abs__(self) -> Self:
        return self._with(np.abs(self.numerators))

    def __neg__(self) -> Self:
        return self._with(-self.numerators)

    def _over(self, denominator: int) -> Any:
        """The numerators over a multiple of the denominator."""
        factor = denominator // self.denominator
        return self.numerators if factor == 1 else self.numerators * factor

    def __add__(self, other: Any) -> Self:
        other = _exact(other)
        denominator = math.lcm(self.denominator, other.denominator)
        return type(self)(self._over(denominator) + other._over(denominator), denominator)

    __radd__ = __add__

    def __sub__(self, other: Any) -> Self:
        return self + -_exact(other)

    def __rsub__(self, other: Any) -> Self:
        return -self + _exact(other)

    def __mul__(self, other: Any) -> Self:
        other = _exact(other)
        return self._with(self.numerators * other.numerators, other.denominator)

    __rmul__ = __mul__

    def __truediv__(self, other: float | Fraction) -> Self:
        by = 1 / Fraction(other)
        return self._with(self.numerators * by.numerator, by.denominator)

    def __matmul__(self, other: Any) -> Self:
        return self._with(self.numerators @ other.numerators, other.denominator)

    def __pow__(self, n: int) -> Self:
        return type(self)(self.numerators**n, self.denominator**n)

    def __getitem__(self, index: Any) -> Self:
        return self._with(self.numerators[index])

    def __setitem__(self, index: Any, value: Exact) -> None:
        self._written(operator.setitem, index, value)

    def _written(self, write: Callable[[Any, Any, Any], None], index: Any, value: Exact) -> None:
        """Write with a denominator with which both can be written."""
        denominator = math.lcm(self.denominator, value.denominator)
        self.numerators, self.denominator = np.array(self._over(denominator), dtype=object), denominator
        write(self.numerators, index, value._over(denominator))

    def sum(self, axis: Any = None, keepdims: bool = False) -> Self:
        """The sum over `axis`."""
        return self._with(self.numerators.sum(axis=axis, keepdims=keepdims))

    def reshape(self, shape: Shape) -> Self:
        """The same numbers in another shape."""
        return self._with(self.numerators.reshape(shape))

    def __array_namespace__(self) -> Any:
        return Library


Library: Any = SimpleNamespace(
    sum=Exact.sum,
    reshape=Exact.reshape,
    permute_dims=lambda array, axes: array._with(array.numerators.transpose(axes)),
    broadcast_to=lambda array, shape: array._with(np.broadcast_to(array.numerators, shape)),
    zeros=lambda shape, dtype=None: Exact(np.full(shape, 0, dtype=object)),
    ones_like=lambda array: Exact(np.full(array.shape, 1, dtype=object)),
    zeros_like=lambda array: Library.zeros(array.shape),
    astype=lambda array, dtype: array,
    add=SimpleNamespace(at=lambda array, index, values: array._written(np.add.at, index, values)),
)
"""The array namespace of `Exact`: the functions that the engine looks up. Fractions are exact in any dtype."""


def _exact(value: Any) -> Exact:
    return value if isinstance(value, Exact) else Exact(*Fraction(value).as_integer_ratio())
