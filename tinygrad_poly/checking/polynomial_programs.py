"""Polynomials as programs, each written in three ways: as powers, by Horner's rule, and as factors."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, reduce
from itertools import product
from operator import add, mul

from tinygrad_poly.checking.programs import Input, Instruction, Numbers, Program

Exponents = tuple[int, ...]


@dataclass(frozen=True)
class Polynomial:
    """A product of factors a₁x₁ + … + aₙxₙ + b with whole coefficients, and the points where it is evaluated.

    >>> Polynomial(((1, -1), (1, 1)), ((2.0,),)).terms          # (x − 1)(x + 1)
    {(2,): 1, (1,): 0, (0,): -1}
    """

    factors: tuple[tuple[int, ...], ...]
    points: tuple[Numbers, ...]

    @cached_property
    def terms(self) -> dict[Exponents, int]:
        """The coefficient of each power, after multiplying out."""
        terms: dict[Exponents, int] = {(0,) * len(self.points): 1}
        for factor in self.factors:
            before, terms = terms, defaultdict(int)
            for (exponents, coefficient), (i, a) in product(before.items(), enumerate(factor)):
                terms[tuple(e + (k == i) for k, e in enumerate(exponents))] += a * coefficient
        return dict(terms)

    def programs(self) -> dict[str, Program]:
        """The three forms."""
        return {form.__name__: self._written(form) for form in (powers, horner, factored)}

    def _written(self, form: Callable[[Polynomial, list[_Value], Mapping[int, _Value]], _Value]) -> Program:
        # The constants that any form may need stand first, so that positions are known while writing.
        used = {0, 1, *self.terms.values(), *(a for factor in self.factors for a in factor)}
        numbers = sorted(used, key=lambda c: (abs(c), c))
        points = [Input((len(self.points[0]),), x) for x in self.points]
        inputs = (*points, *(Input((), (float(c),), False) for c in numbers))
        instructions: list[Instruction] = []
        values = [_Value(k, len(inputs), instructions) for k in range(len(inputs))]
        x, constants = values[: len(points)], dict(zip(numbers, values[len(points) :]))
        # A constant alone is no program of x: 0 x is added, which changes nothing.
        x[0] * constants[0] + form(self, x, constants)
        return Program(inputs, tuple(instructions))


class _Value:
    """A value of a program that is being written: what is computed with it becomes an instruction."""

    def __init__(self, place: int, inputs: int, instructions: list[Instruction]) -> None:
        self.place, self.inputs, self.instructions = place, inputs, instructions

    def _emit(self, name: str, operand: int) -> _Value:
        self.instructions.append((name, self.place, operand))
        return _Value(self.inputs + len(self.instructions) - 1, self.inputs, self.instructions)

    def __add__(self, other: _Value) -> _Value:
        return self._emit("add", other.place)

    def __mul__(self, other: _Value) -> _Value:
        return self._emit("multiply", other.place)

    def __pow__(self, n: int) -> _Value:
        return self._emit("power", n)


def powers(polynomial: Polynomial, x: list[_Value], constants: Mapping[int, _Value]) -> _Value:
    """Σ c x₁ᵉ¹ x₂ᵉ² …"""
    terms = polynomial.terms.items()
    return reduce(add, [reduce(mul, [constants[c], *(v**e for v, e in zip(x, es) if e)]) for es, c in terms])


def factored(polynomial: Polynomial, x: list[_Value], constants: Mapping[int, _Value]) -> _Value:
    """Π (a·x + b)."""
    linear = [[*(v * constants[a] for v, a in zip(x, factor)), constants[factor[-1]]] for factor in polynomial.factors]
    return reduce(mul, [reduce(add, parts) for parts in linear])


def horner(polynomial: Polynomial, x: list[_Value], constants: Mapping[int, _Value]) -> _Value:
    """(… (cₙ x + cₙ₋₁) x + …) x + c₀, where the c are polynomials in the other variables."""

    def nested(terms: Mapping[Exponents, int], variable: int) -> _Value:
        if variable == len(x):
            return constants[next(iter(terms.values()))]
        result = None
        for e in range(max(exponents[variable] for exponents in terms), -1, -1):
            result = result * x[variable] if result else None
            if part := {exponents: c for exponents, c in terms.items() if exponents[variable] == e}:
                inner = nested(part, variable + 1)
                result = result + inner if result else inner
        assert result
        return result

    return nested(polynomial.terms, 0)
