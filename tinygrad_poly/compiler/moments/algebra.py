"""Polynomial algebra: polynomials in the weights, whose coefficients are arrays of data."""

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any

from tinygrad_poly.compiler.trace.symbols import Symbol, record
from tinygrad_poly.engine.errors import TraceError

Monomial = tuple[int, ...]
"""Positions of variables, ascending, each as often as its exponent says: with a, b at 0, 1 is (0, 0, 1) a² b."""

Factors = tuple[int, ...]
"""A product of data arrays, written like a monomial."""

Term = tuple[Fraction, Factors]
"""A number times a product of data arrays: what a monomial is multiplied by, at each point."""

Polynomial = dict[Monomial, Term]
"""At each point, the sum of all monomials times their terms; {} is 0."""

Sum = tuple[Monomial, Fraction, Symbol]
"""A monomial, a number, and the moment that both are multiplied by."""


class NotPolynomial(TraceError):  # noqa: N818 - it asks for another way, like NotFusable
    """A training step that is no polynomial in the weights; the message names the operation that is none."""


class NotFinite(NotPolynomial):
    """Data or moments with infinity or NaN in them, for which multiplying out changes the result.

    0 · x and x − x are 0 for polynomials, and NaN for such data.
    """


class Algebra:
    """Addition and multiplication of polynomials whose coefficients are data.

    Numbers are fractions, so nothing is rounded here. Each monomial has *one* term: where two different products of
    data meet at a monomial, their sum becomes a new array of data. So only what contains a variable is multiplied out.

    Args:
        limit: how many terms a polynomial may have.

    >>> from tinygrad_poly.compiler.trace.symbols import placeholder
    >>> algebra = Algebra()
    >>> a, b = algebra.variable(0), algebra.variable(1)
    >>> x = algebra.data(placeholder("x", (6,), "float64"))
    >>> line = algebra.add(a, algebra.multiply(b, x))
    >>> for monomial, (number, factors) in algebra.multiply(line, line).items():
    ...     print("".join("ab"[i] for i in monomial), number, "x" * len(factors))
    aa 1
    ab 2 x
    bb 1 xx
    """

    def __init__(self, limit: int = 1000) -> None:
        self.limit = limit
        self.arrays: list[Symbol] = []
        """The data arrays that factors are positions of."""
        self._places: dict[Symbol, int] = {}
        self._sums: dict[tuple[Term, Term], Term] = {}
        self._products: dict[Factors, Symbol] = {}

    def number(self, value: float | Fraction) -> Polynomial:
        """A constant."""
        if not math.isfinite(value):
            raise NotPolynomial(f"{value} is no number that a polynomial can be multiplied by")
        return {(): (Fraction(value), ())} if value else {}

    def variable(self, position: int, center: float = 0.0) -> Polynomial:
        """A variable plus a constant."""
        return {(position,): (Fraction(1), ()), **self.number(center)}

    def data(self, array: Symbol) -> Polynomial:
        """An array of data."""
        return {(): (Fraction(1), (self._place(array),))}

    def add(self, p: Polynomial, q: Polynomial) -> Polynomial:
        """P + q."""
        total = dict(p)
        for monomial, term in q.items():
            self._collect(total, monomial, term)
        return total

    def multiply(self, p: Polynomial, q: Polynomial) -> Polynomial:
        """P · q, each term with each."""
        product: Polynomial = {}
        for m, (c, f) in p.items():
            for n, (d, g) in q.items():
                self._collect(product, tuple(sorted(m + n)), (c * d, tuple(sorted(f + g))))
        return product

    def array(self, p: Polynomial) -> Any:
        """The value of a polynomial without variables: an array, or a number if it is the same everywhere."""
        return self._array(p[()]) if p else 0.0

    def product(self, factors: Factors) -> Symbol:
        """The product of some arrays, built from the product of all but the last."""
        if len(factors) == 1:
            return self.arrays[factors[0]]
        if factors not in self._products:
            self._products[factors] = record("multiply", self.product(factors[:-1]), self.arrays[factors[-1]])
        return self._products[factors]

    def _collect(self, total: Polynomial, monomial: Monomial, term: Term) -> None:
        if monomial in total:
            term = self._plus(total.pop(monomial), term)
        if term[0]:
            total[monomial] = term
        if len(total) > self.limit:
            raise NotPolynomial(f"multiplied out, a sum has more than {self.limit} terms")

    def _plus(self, s: Term, t: Term) -> Term:
        (c, f), (d, g) = s, t
        if f == g:
            return c + d, f
        if (s, t) not in self._sums:
            if abs(c) == abs(d):  # c (f ± g), so that multiples of one residual are seen to be that
                array = record(
                    "add" if c == d else "subtract", self._array((Fraction(1), f)), self._array((Fraction(1), g))
                )
                self._sums[s, t] = c, (self._place(array),)
            else:
                self._sums[s, t] = Fraction(1), (self._place(record("add", self._array(s), self._array(t))),)
        return self._sums[s, t]

    def _array(self, term: Term) -> Any:
        number, factors = term
        if not factors:
            return float(number)
        return self.product(factors) if number == 1 else record("multiply", float(number), self.product(factors))

    def _place(self, array: Symbol) -> int:
        if array not in self._places:
            self._places[array] = len(self.arrays)
            self.arrays.append(array)
        return self._places[array]


def written(terms: Iterable[Sum], variables: Sequence[Symbol]) -> Symbol:
    """An expression for Σ number · moment · monomial, as a person would write it.

    A common number is put before brackets. A linear polynomial is collected by its numbers, any other by its first
    variable, which is Horner's scheme: a² + 2 b a + … becomes a (a + 2 (b + …)) + ….

    >>> from tinygrad_poly.compiler.trace.program import Program
    >>> from tinygrad_poly.compiler.trace.symbols import placeholder
    >>> a, n, x = (placeholder(name, (), "float64") for name in ("a", "n", "sum_x"))
    >>> print(Program.of([a, n, x], [written([((0,), Fraction(2), n), ((), Fraction(-2), x)], [a])]))
    a: float64[]
    n: float64[]
    sum_x: float64[]
    v3 = multiply(n, a)  # float64[]
    v4 = subtract(v3, sum_x)  # float64[]
    v5 = multiply(2.0, v4)  # float64[]
    return v5
    """
    terms = sorted(terms, key=lambda term: (not term[0], term[0]))  # by variables; what has none comes last
    scales = list(dict.fromkeys(abs(number) for _, number, _ in terms))
    parts: list[tuple[bool, Symbol]] = []  # whether to subtract it, and what
    if len(scales) == 1 and (scales != [1] or len(terms) == 1):
        if scales != [1]:
            return record(
                "multiply", float(scales[0]), written([(m, c / scales[0], s) for m, c, s in terms], variables)
            )
        ((monomial, number, product),) = terms
        for position in monomial:
            product = record("multiply", product, variables[position])
        parts = [(number < 0, product)]
    elif all(len(monomial) <= 1 for monomial, _, _ in terms):
        for scale in scales:
            alike = [term for term in terms if abs(term[1]) == scale]
            if scale == 1:
                parts += [(c < 0, written([(m, abs(c), s)], variables)) for m, c, s in alike]
            else:
                sign = -1 if all(c < 0 for _, c, _ in alike) else 1
                parts.append((sign < 0, written([(m, sign * c, s) for m, c, s in alike], variables)))
    else:
        for position in dict.fromkeys(monomial[0] for monomial, _, _ in terms if monomial):
            rest = [(m[1:], c, s) for m, c, s in terms if m and m[0] == position]
            parts.append((False, record("multiply", variables[position], written(rest, variables))))
        parts += [(c < 0, written([(m, abs(c), s)], variables)) for m, c, s in terms if not m]
    return _added(parts)


def _added(parts: list[tuple[bool, Symbol]]) -> Symbol:
    (minus, total), *rest = sorted(parts, key=lambda part: part[0]) if parts[0][0] else parts
    total = record("negative", total) if minus else total
    for minus, part in rest:
        total = record("subtract" if minus else "add", total, part)
    return total
