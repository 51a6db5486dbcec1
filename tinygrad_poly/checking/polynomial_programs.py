"""Polynomials as programs, each written in three ways: as powers, by Horner's rule, and as factors."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

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
        variables = len(self.points)
        product: dict[Exponents, int] = {(0,) * variables: 1}
        for factor in self.factors:
            result: dict[Exponents, int] = {}
            for exponents, coefficient in product.items():
                for i, a in enumerate(factor):
                    raised = tuple(e + (k == i) for k, e in enumerate(exponents))
                    result[raised] = result.get(raised, 0) + a * coefficient
            product = result
        return product

    def programs(self) -> dict[str, Program]:
        """The three forms."""
        return {form: getattr(_Writer(self), form)() for form in ("powers", "horner", "factored")}


class _Writer:
    """Writer of one program: values get their positions when all inputs are known."""

    def __init__(self, polynomial: Polynomial) -> None:
        self.polynomial = polynomial
        self.constants: dict[int, int] = {}
        self.instructions: list[Instruction] = []
        self.variables = len(polynomial.points)
        # The constants that any form may need stand first, so that positions are known while writing.
        used = {0, 1, *polynomial.terms.values(), *(a for factor in polynomial.factors for a in factor)}
        for c in sorted(used, key=lambda c: (abs(c), c)):
            self.constants[c] = self.variables + len(self.constants)
        self.count = self.variables + len(self.constants)

    def _emit(self, *instruction: object) -> int:
        self.instructions.append(instruction)
        self.count += 1
        return self.count - 1

    def _program(self, last: int) -> Program:
        # A constant alone is no program of x: 0 x is added, which changes nothing.
        zero = self._emit("multiply", 0, self.constants[0])
        self._emit("add", zero, last)
        length = len(self.polynomial.points[0])
        points = [Input((length,), numbers) for numbers in self.polynomial.points]
        constants = [Input((), (float(c),), False) for c in self.constants]
        return Program((*points, *constants), tuple(self.instructions))

    def _chain(self, name: str, parts: list[int]) -> int:
        result = parts[0]
        for part in parts[1:]:
            result = self._emit(name, result, part)
        return result

    def powers(self) -> Program:
        """Σ c x₁ᵉ¹ x₂ᵉ² …"""
        terms = []
        for exponents, c in self.polynomial.terms.items():
            factors = [self._emit("power", i, e) for i, e in enumerate(exponents) if e]
            terms.append(self._chain("multiply", [self.constants[c], *factors]))
        return self._program(self._chain("add", terms))

    def factored(self) -> Program:
        """Π (a·x + b)."""
        factors = []
        for *slopes, b in self.polynomial.factors:
            parts = [self._emit("multiply", i, self.constants[a]) for i, a in enumerate(slopes)]
            factors.append(self._chain("add", [*parts, self.constants[b]]))
        return self._program(self._chain("multiply", factors))

    def horner(self) -> Program:
        """(… (cₙ x + cₙ₋₁) x + …) x + c₀, where the c are polynomials in the other variables."""
        return self._program(self._nested(self.polynomial.terms, 0))

    def _nested(self, terms: Mapping[Exponents, int], variable: int) -> int:
        if variable == self.variables:
            return self.constants[next(iter(terms.values()))]
        result = None
        for e in range(max(exponents[variable] for exponents in terms), -1, -1):
            if result is not None:
                result = self._emit("multiply", result, variable)
            part = {exponents: c for exponents, c in terms.items() if exponents[variable] == e}
            if part:
                inner = self._nested(part, variable + 1)
                result = inner if result is None else self._emit("add", result, inner)
        assert result is not None
        return result
