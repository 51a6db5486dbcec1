"""Exact gradients: arithmetic on fractions, and slopes that are carried forward.

Nothing here walks backwards. Each value knows its slopes by every number that the program started from,
so the exact gradient shares no idea with the reverse walk that it judges.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import numpy as np

from tinygrad_poly.checking.programs import Problem, Shape


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
        """The numbers of a floating array, which all are fractions."""
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
        """The last two dimensions exchanged."""
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
        """Take a denominator that `other` can be written with."""
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
    """The array library of `Exact`: the functions that the engine looks up."""

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


class Jet:
    """A value, its slopes by each number of the inputs, and how both change as the inputs move along w.

    Slopes have one axis more than the value, in front. None stands for zeros.
    """

    __slots__ = ("slopes", "tangent", "tangent_slopes", "value")

    def __init__(self, value: Exact, slopes: Any = None, tangent: Any = None, tangent_slopes: Any = None) -> None:
        self.value = value
        self.slopes: Exact | None = slopes
        self.tangent: Exact | None = tangent
        self.tangent_slopes: Exact | None = tangent_slopes

    def _each(self, on_value: Callable[[Exact, int], Exact]) -> Jet:
        """A linear operation on value, slopes and tangents; it is told how many axes stand in front."""
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
        """The product rule, once for the slopes and once more along w."""
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
    """A jet that adds where the program subtracts: on absolute values, every term counts with its size."""

    __slots__ = ()
    __sub__ = Jet.__add__

    def __neg__(self) -> Majorant:
        return self


def _lifted(part: Exact, front: int, ndim: int) -> Exact:
    """`part` with axes of length 1 put between the axes in front and its own."""
    missing = ndim - (part.ndim - front)
    return part.reshape(part.shape[:front] + (1,) * missing + part.shape[front:]) if front and missing else part


def _times(a: Exact | None, b: Exact | None, front_a: int, front_b: int) -> Exact | None:
    if a is None or b is None:
        return None
    ndim = max(a.ndim - front_a, b.ndim - front_b)
    return _lifted(a, front_a, ndim) * _lifted(b, front_b, ndim)


def _total(shape: Shape, front: int, *terms: Exact | None) -> Exact | None:
    """The sum of the terms that are there, in the shape of the value behind the axes in front."""
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
