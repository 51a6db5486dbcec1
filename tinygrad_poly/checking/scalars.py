"""Scalars that remember how they were computed: exact gradients of a plain NumPy function, which stays as it is.

NumPy runs on arrays of objects, so a function of arrays runs on arrays of such scalars, and each of them is a step of
a tape: one pass forward, one back, however many inputs there are. Their values are fractions, with which nothing is
rounded; or, where a function needs exp or sqrt, mpmath's numbers of hundreds of digits.
"""

from __future__ import annotations

import math
import operator
import time
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np


class OutOfTimeError(Exception):
    """The time budget is spent."""


class NotRationalError(TypeError):
    """A function whose values are no fractions."""


class Field:
    """The numbers that a run computes with: fractions, or mpmath's; and the tape of the run.

    Args:
        digits: how many digits mpmath is to compute with; 0 for fractions.
        deadline: when to give up, on `time.perf_counter`'s clock.

    Attributes:
        rounded: how many constants, and numbers that the function computed in floats, are long enough to be rounded.
        ties: how many comparisons found equal numbers: there, a maximum or an absolute value has a kink.
        failed: an error in a sum or product, which is raised at the next opportunity. NumPy's product of matrices
            frees a number twice where an error is raised inside, and the interpreter crashes later.
    """

    def __init__(self, digits: int = 0, deadline: float = math.inf) -> None:
        self.mp: Any = None
        if digits:
            import mpmath

            self.mp = mpmath.MPContext()
            self.mp.dps = digits
        self.deadline = deadline
        self.tape: list[Scalar] = []
        self.ties = self.rounded = self.made = 0
        self.failed: Exception | None = None

    def number(self, x: Any) -> Any:
        """A Python or NumPy number as a number of this field."""
        if isinstance(x, (int, np.integer, np.bool_)):
            return self.mp.mpf(int(x)) if self.mp else Fraction(int(x))
        if not math.isfinite(x):
            raise TypeError(f"there is no exact arithmetic with {x}")
        n, d = x.as_integer_ratio()
        return self.mp.mpf(n) / d if self.mp else Fraction(n, d)

    def constant(self, x: Any) -> Any:
        """A number of the function's own, which may have been rounded when it was written down."""
        value = self.number(x)
        if isinstance(x, float) and Fraction(x).denominator.bit_length() > 12 and value:
            self.rounded += 1
        return value

    def array(self, numbers: Any, active: bool) -> Any:
        """An array of floats as an array of scalars, which gradients are wanted of if they are `active`."""
        numbers = np.asarray(numbers)
        return _objects([Scalar(self, self.number(x), () if active else None) for x in numbers.ravel()], numbers.shape)

    def values(self, array: Any) -> Any:
        """The numbers in an array of scalars, in which there may be plain ones."""
        flat = array.ravel().tolist()
        return _objects([x.value if isinstance(x, Scalar) else self.constant(x) for x in flat], array.shape)

    def gradient(self, outputs: Any, cotangent: Any, inputs: Sequence[Any]) -> list[Any]:
        """The exact gradients of Σ cotangent · outputs, as arrays of numbers of the field."""
        zero = self.number(0)
        adjoint = [zero] * len(self.tape)
        for y, v in zip(np.asarray(outputs, object).ravel(), np.asarray(cotangent).ravel(), strict=True):
            if isinstance(y, Scalar) and y.links is not None:
                adjoint[y.place] += self.number(v)
        for scalar in reversed(self.tape):
            g = adjoint[scalar.place]
            if g:
                self.check_time()
                for source, slope in scalar.links or ():
                    adjoint[source.place] += g * slope
        return [_objects([adjoint[x.place] for x in array.ravel()], array.shape) for array in inputs]

    def check_time(self) -> None:
        """Raise OutOfTimeError where the budget is spent, and an error that has been put off."""
        self.check()
        if time.perf_counter() > self.deadline:
            raise OutOfTimeError(f"exact arithmetic was stopped by the time budget after {len(self.tape):,} operations")

    def check(self) -> None:
        """Raise an error that has been put off."""
        if self.failed is not None:
            raise self.failed


def _objects(values: Sequence[Any], shape: tuple[int, ...]) -> Any:
    array = np.empty(len(values), object)
    array[:] = values
    return array.reshape(shape)


class Scalar:
    """A number of a field and, where a gradient is wanted, what it was computed from, each with its slope."""

    __slots__ = ("field", "links", "place", "value")

    def __init__(self, field: Field, value: Any, links: tuple[tuple[Scalar, Any], ...] | None) -> None:
        self.field, self.value, self.links = field, value, links
        if links is not None:
            self.place = len(field.tape)
            field.tape.append(self)
        field.made += 1
        if not field.made % 64:
            field.check_time()

    def _of(self, value: Any, *links: tuple[Any, Any]) -> Scalar:
        active = tuple((x, slope) for x, slope in links if x.links is not None)
        return Scalar(self.field, value, active or None)

    def _other(self, x: Any) -> Scalar | None:
        if isinstance(x, Scalar):
            return x
        if isinstance(x, (int, float, np.integer, np.floating, np.bool_, Fraction)):
            return Scalar(self.field, self.field.constant(x), None)
        return None

    def __neg__(self) -> Scalar:
        return self._of(-self.value, (self, -1))

    def __pos__(self) -> Scalar:
        """The number itself."""
        return self

    conjugate = __pos__

    def __abs__(self) -> Scalar:
        return -self if self.__lt__(0) else self

    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        return bool(self.value)

    @property
    def _mp(self) -> Any:
        if self.field.mp is None:
            raise NotRationalError("a function whose values are no fractions")
        return self.field.mp

    def __getattr__(self, name: str) -> Any:
        """The functions of `SLOPES`, which NumPy calls by name; and what an array without dimensions has."""
        if name.startswith("_"):
            raise AttributeError(name)
        if name not in SLOPES:
            return getattr(_objects([self], ()), name)

        def function() -> Scalar:
            x, exact = self.value, self.field.mp is None
            if name == "sqrt" and exact and (root := _root(x)) is not None:
                return self._of(root, (self, 1 / (2 * root)))
            mp = self._mp
            y = COMPUTED[name](mp, x) if name in COMPUTED else getattr(mp, name.replace("arc", "a"))(x)
            if not isinstance(y, mp.mpf):
                raise TypeError(f"{name} of {mp.nstr(x, 5)} is no real number")
            return self._of(y, (self, SLOPES[name](mp, x, y) if self.links is not None else 0))

        return function


def _power(a: Scalar, b: Scalar) -> Scalar:
    x, n = a.value, b.value
    if b.links is None and n == int(n):
        n = int(n)
        return a._of(x**n, (a, n * x ** (n - 1) if n else 0))
    if x < 0:
        raise TypeError("a negative number to a broken power")
    mp = a._mp
    y = mp.power(x, n)
    return a._of(y, (a, n * mp.power(x, n - 1)), (b, y * mp.log(x) if b.links is not None else 0))


def _divided(a: Scalar, b: Scalar) -> Scalar:
    return a._of(a.value / b.value, (a, 1 / b.value), (b, -a.value / (b.value * b.value)))


OPERATORS: dict[str, Callable[[Scalar, Scalar], Scalar]] = {
    "add": lambda a, b: a._of(a.value + b.value, (a, 1), (b, 1)),
    "sub": lambda a, b: a._of(a.value - b.value, (a, 1), (b, -1)),
    "mul": lambda a, b: a._of(a.value * b.value, (a, b.value), (b, a.value)),
    "truediv": _divided,
    "pow": _power,
}


def _operator(name: str, reflected: bool) -> Callable[[Scalar, Any], Any]:
    """The method of an operator. Errors in sums and products are put off: products of matrices use these."""
    rule, put_off = OPERATORS[name], name in ("add", "mul")

    def method(scalar: Scalar, other: Any) -> Any:
        field = scalar.field
        if put_off and field.failed is not None:
            return scalar
        field.check()
        try:
            x = scalar._other(other)
            return NotImplemented if x is None else rule(x, scalar) if reflected else rule(scalar, x)
        except Exception as error:
            if not put_off:
                raise
            field.failed = error.with_traceback(None)  # which would keep the numbers of all these calls
            return scalar

    return method


def _comparison(name: str) -> Callable[[Scalar, Any], Any]:
    compare = getattr(operator, name)

    def method(a: Scalar, other: Any) -> Any:
        a.field.check()
        if isinstance(other, float) and not math.isfinite(other):
            return compare(0.0, other)
        b = a._other(other)
        if b is None:
            return NotImplemented
        if a.value == b.value and a is not b and (a.links is not None or b.links is not None):
            a.field.ties += 1
        return compare(a.value, b.value)

    return method


for _name in OPERATORS:
    setattr(Scalar, f"__{_name}__", _operator(_name, False))
    setattr(Scalar, f"__r{_name}__", _operator(_name, True))
for _name in ("lt", "le", "gt", "ge", "eq", "ne"):
    setattr(Scalar, f"__{_name}__", _comparison(_name))


def _root(x: Fraction) -> Fraction | None:
    """The square root of a fraction, where it is one."""
    if x <= 0:
        return None
    n, d = math.isqrt(x.numerator), math.isqrt(x.denominator)
    return Fraction(n, d) if n * n == x.numerator and d * d == x.denominator else None


SLOPES: dict[str, Callable[[Any, Any, Any], Any]] = {
    "exp": lambda m, x, y: y,
    "exp2": lambda m, x, y: y * m.log(2),
    "expm1": lambda m, x, y: y + 1,
    "log": lambda m, x, y: 1 / x,
    "log2": lambda m, x, y: 1 / (x * m.log(2)),
    "log10": lambda m, x, y: 1 / (x * m.log(10)),
    "log1p": lambda m, x, y: 1 / (1 + x),
    "sqrt": lambda m, x, y: 1 / (2 * y),
    "cbrt": lambda m, x, y: y / (3 * x),
    "sin": lambda m, x, y: m.cos(x),
    "cos": lambda m, x, y: -m.sin(x),
    "tan": lambda m, x, y: 1 + y * y,
    "arcsin": lambda m, x, y: 1 / m.sqrt(1 - x * x),
    "arccos": lambda m, x, y: -1 / m.sqrt(1 - x * x),
    "arctan": lambda m, x, y: 1 / (1 + x * x),
    "sinh": lambda m, x, y: m.cosh(x),
    "cosh": lambda m, x, y: m.sinh(x),
    "tanh": lambda m, x, y: 1 - y * y,
    "arcsinh": lambda m, x, y: 1 / m.sqrt(x * x + 1),
    "arccosh": lambda m, x, y: 1 / m.sqrt(x * x - 1),
    "arctanh": lambda m, x, y: 1 / (1 - x * x),
}
"""For each function y = f(x) its slope, from mpmath's functions m."""

COMPUTED: dict[str, Callable[[Any, Any], Any]] = {
    "exp2": lambda m, x: m.power(2, x),
    "log2": lambda m, x: m.log(x) / m.log(2),
    "cbrt": lambda m, x: m.sign(x) * m.cbrt(abs(x)),
}
"""Functions that mpmath has otherwise, or not."""
