"""Arrays that carry a bound of their own rounding error: the optimizers' code run on them says how far it may be off.

Every operation passes on the errors of what it is given, and adds u times the size of its result. Where
torch does the same operations in another association, or two of them in one fused instruction, the same
bound holds for it, up to terms of u². Two correct programs therefore differ by at most twice the bound.
"""

from __future__ import annotations

from typing import Any

import numpy as np


class Rounded:
    """An array and a bound of the error of each element."""

    def __init__(self, value: Any, error: Any = 0.0) -> None:
        self.value = np.asarray(value)
        self.error = np.broadcast_to(np.asarray(error, np.float64), self.value.shape)
        self.dtype = self.value.dtype
        self.shape = self.value.shape
        self.u = float(np.finfo(self.dtype).eps) / 2

    def _of(self, other: Any) -> Rounded:
        # A Python number is exact, or is rounded to the dtype first.
        return other if isinstance(other, Rounded) else Rounded(self.dtype.type(other), self.u * abs(other))

    def _rounded(self, value: Any, error: Any) -> Rounded:
        assert value.dtype == self.dtype
        return Rounded(value, error + self.u * np.abs(value.astype(np.float64)))

    def __neg__(self) -> Rounded:
        return Rounded(-self.value, self.error)

    def __abs__(self) -> Rounded:
        return Rounded(np.abs(self.value), self.error)

    def __add__(self, other: Any) -> Rounded:
        other = self._of(other)
        return self._rounded(self.value + other.value, self.error + other.error)

    def __sub__(self, other: Any) -> Rounded:
        return self + -self._of(other)

    def __rsub__(self, other: Any) -> Rounded:
        return self._of(other) + -self

    def __mul__(self, other: Any) -> Rounded:
        other = self._of(other)
        a, b = np.abs(self.value), np.abs(other.value)
        return self._rounded(self.value * other.value, a * other.error + b * self.error + self.error * other.error)

    def __truediv__(self, other: Any) -> Rounded:
        other = self._of(other)
        quotient = self.value / other.value
        error = (self.error + np.abs(quotient) * other.error) / (np.abs(other.value) - other.error)
        return self._rounded(quotient, error)

    def __rtruediv__(self, other: Any) -> Rounded:
        return self._of(other) / self

    __radd__, __rmul__ = __add__, __mul__

    def __getitem__(self, index: Any) -> Rounded:
        return Rounded(self.value[index], self.error[index])

    def __float__(self) -> float:
        return float(self.value)

    def __gt__(self, other: Any) -> Any:
        return self.value > np.asarray(getattr(other, "value", other))

    def __lt__(self, other: Any) -> Any:
        return self.value < np.asarray(getattr(other, "value", other))

    def __le__(self, other: Any) -> Any:
        return self.value <= np.asarray(getattr(other, "value", other))

    def __array_namespace__(self) -> type[Library]:
        return Library


class Library:
    """The array library of `Rounded`."""

    @staticmethod
    def zeros_like(x: Rounded) -> Rounded:
        return Rounded(np.zeros_like(x.value))

    @staticmethod
    def sqrt(x: Rounded) -> Rounded:
        root = np.sqrt(x.value)
        # |√a − √b| = |a − b| / (√a + √b), and at most √|a − b|
        error = np.minimum(x.error / np.maximum(root, 1e-300), np.sqrt(x.error))
        return x._rounded(root, error)

    @staticmethod
    def maximum(x: Rounded, y: Rounded) -> Rounded:
        return Rounded(np.maximum(x.value, y.value), np.maximum(x.error, y.error))

    @staticmethod
    def sign(x: Rounded) -> Rounded:
        return Rounded(np.sign(x.value))

    @staticmethod
    def ones_like(x: Rounded) -> Rounded:
        return Rounded(np.ones_like(x.value))

    @staticmethod
    def where(condition: Any, x: Any, y: Any) -> Rounded:
        # The condition is taken to be free of error: two programs that disagree about it are seen to differ.
        z = x if isinstance(x, Rounded) else y
        x, y = z._of(x), z._of(y)
        return Rounded(np.where(condition, x.value, y.value), np.where(condition, x.error, y.error))

    @staticmethod
    def max(x: Rounded) -> Rounded:
        return Rounded(np.max(x.value), np.max(x.error))

    @staticmethod
    def sum(x: Rounded, axis: None = None, keepdims: bool = False) -> Rounded:
        # n − 1 additions, in whatever order, of partial sums no larger than the sum of the sizes
        size = np.sum(np.abs(x.value, dtype=np.float64) + x.error)
        return Rounded(np.sum(x.value), np.sum(x.error) + (x.value.size - 1) * x.u * size)

    @staticmethod
    def reshape(x: Rounded, shape: Any) -> Rounded:
        return Rounded(x.value.reshape(shape), x.error.reshape(shape))

    @staticmethod
    def concat(parts: list[Rounded]) -> Rounded:
        return Rounded(np.concatenate([x.value for x in parts]), np.concatenate([x.error for x in parts]))
