"""Moments: sums over the data, taken once, from which a training step is computed without looking at the data again.

Σᵢ (a + b xᵢ − yᵢ) xᵢ is a Σx + b Σx² − Σxy. Sums of products of data, called *moments*, do not change from step to
step. They are taken once, and a step computes with a dozen of them however many points there are.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import groupby
from typing import Any

import numpy as np

from tinygrad_poly.compiler.moments.algebra import Algebra, Factors, NotFinite, NotPolynomial, Polynomial, written
from tinygrad_poly.compiler.trace.apart import Apart, NotApart
from tinygrad_poly.compiler.trace.program import Program, in_order
from tinygrad_poly.compiler.trace.simplify import constant_value
from tinygrad_poly.compiler.trace.symbols import Symbol, constant, phase, placeholder, record
from tinygrad_poly.compiler.training import TrainingStep

CHUNK = 8192
"""So many points at a time are multiplied and added: what is computed of them stays in the cache."""

NO_ALGEBRA = "so its sum cannot be taken before the weights are known; use another `hoist`"


@dataclass(frozen=True)
class Hoisted:
    """A training step that computes from moments instead of arrays.

    Attributes:
        step: from the weights and the moments to the weights' next values and the loss; its `data` are the moments.
        values: the moments' values.
    """

    step: TrainingStep
    values: tuple[Any, ...]

    def run(self, weights: Sequence[Any]) -> list[Any]:
        """The weights after a step, and the loss before the step."""
        # Where steps lead to is the same for each learning rate.
        rates = dict.fromkeys(self.step.rates, 1.0)
        given = zip((*self.step.data, *self.step.carried), (*self.values, *weights), strict=True)
        return self.step.program.run(rates | dict(given))


def with_moments(
    step: TrainingStep, data: Sequence[Any], center: Sequence[Any] | None = None, limit: int = 1000
) -> Hoisted:
    """Multiply out each sum of a step, and take the sums of data now.

    What is summed has to be a polynomial in numbers that depend on the weights; of data alone it may be any function,
    element by element. Moments are computed in float64, and so is a step, whatever the dtype of the weights; only its
    results are rounded to that.

    A moment is off by at most 32 u Σ|t|, with u = 2⁻⁵³ and t its terms, if t has up to seven factors. A loss is off by
    about as much of the sum of the *absolute values* of all its terms, which may be far more than the loss itself:
    Σ(prediction − y)² near its minimum is a small difference of large sums. With a `center` the terms are those of an
    expansion around these weights, small near them: see `centered_moments`.

    Args:
        step: simplified.
        data: the values of `step.data`.
        center: values of `step.carried` to expand around, instead of 0.
        limit: how many terms a sum may have.

    Raises:
        NotPolynomial: naming what is in the way.
        NotFinite: where the data, or a sum over it, has infinity or NaN in it.

    >>> import tinygrad_poly as tg
    >>> from tinygrad_poly.compiler.training import trace
    >>> x, a = np.arange(6.0), tg.tensor(1.0, dtype=tg.float64, requires_grad=True)
    >>> step = trace(
    ...     lambda w, x, y: ((w["a"] * x - y) ** 2).sum(), dict, {"a": a.array}, {"x": x, "y": 3 * x},
    ...     tg.optim.SGD([a], lr=0.01),
    ... )
    >>> hoisted = with_moments(step, [x, 3 * x])
    >>> {s.name: float(value) for s, value in zip(hoisted.step.data, hoisted.values)}
    {'sum_x2': 55.0, 'sum_xy': 165.0, 'sum_y2': 495.0}
    >>> a, loss = hoisted.run([np.float64(1.0)])           # 1 - 0.01 · 2 (55 · 1 - 165), 55 - 2 · 165 + 495
    >>> float(a), float(loss)
    (3.2, 220.0)
    """
    hoisting = _Hoisting(step, data, center, limit)
    program, moments = hoisting.program()
    return Hoisted(replace(step, program=program, data=tuple(moments)), tuple(moments.values()))


def into_numbers(program: Program, split: Sequence[Symbol]) -> Apart:
    """A program without arrays of weights.

    Raises:
        NotPolynomial: naming what is in the way.
    """
    try:
        return Apart(program, split)
    except NotApart as reason:
        raise NotPolynomial(f"{reason}, {NO_ALGEBRA}") from None


def centered_moments(step: TrainingStep, data: Sequence[Any], start: Sequence[Any], limit: int = 1000) -> Hoisted:
    """`with_moments`, expanded around the weights to which the steps lead.

    A step of gradient descent on a sum of squares is an affine map, so where it leads to, its fixed point, follows
    from as many steps as there are weights and one more. There Σ(prediction − y)² is a sum of squares of
    residuals, and what is added for other weights is as small as their squared distance: nothing cancels. The price is
    a second pass over the data.

    Where no fixed point with a smaller loss is found, the expansion is around `start`.

    Args:
        step: simplified.
        data: the values of `step.data`.
        start: the weights that the fit starts from.
        limit: how many terms a sum may have.
    """
    return with_moments(step, data, fixed_point(with_moments(step, data, None, limit), start), limit)


def fixed_point(hoisted: Hoisted, start: Sequence[Any]) -> list[Any]:
    """Weights that a step leaves unchanged, or `start` if none with a smaller loss are found.

    Newton's method with differences for derivatives; if the step is an affine map F(w), one round of it is exact up to
    rounding, and a second one takes care of that.
    """

    def after(w: Any) -> tuple[Any, float]:
        *weights, loss = hoisted.run([np.asarray(v, s.dtype).reshape(s.shape) for v, s in zip(w, start, strict=True)])
        return np.array([np.asarray(v).item() for v in weights]), np.asarray(loss).item()

    start = [np.asarray(s) for s in start]
    w = np.array([s.item() for s in start], np.float64)
    with np.errstate(all="ignore"):
        _, loss_at_start = after(w)
        for _ in range(2):
            moved, _ = after(w)
            slopes = np.array([after(w + unit)[0] - moved for unit in np.eye(len(w))]).T
            if not np.isfinite(slopes).all() or not np.isfinite(moved).all():
                return start
            w = w + np.linalg.lstsq(np.eye(len(w)) - slopes, moved - w)[0]
        _, loss = after(w)
    return list(w) if loss < loss_at_start else start


class _Hoisting:
    """One walk through a program, inputs before consumers, that replaces its arrays by moments.

    A symbol with one element that depends on the weights is a *number*: it is computed in each step, by the same
    instruction as before, unless that is a sum. A symbol with more elements is a polynomial in such numbers.
    """

    def __init__(self, step: TrainingStep, data: Sequence[Any], center: Sequence[Any] | None, limit: int) -> None:
        self.step = step
        self.data = {s: np.asarray(value) for s, value in zip(step.data, data, strict=True)}
        self.center = None if center is None else dict(zip(step.carried, center, strict=True))
        self.algebra = Algebra(limit)
        self.polynomials: dict[Symbol, Polynomial] = {}
        self.numbers: dict[Symbol, Symbol] = {s: s for s in (*step.carried, *step.rates)}
        self.variables: list[Symbol] = []
        self._as_polynomials: dict[Symbol, Polynomial] = {}
        self._columns: dict[Symbol, Any] = {}
        self._moments: dict[tuple[int, Factors], Symbol] = {}
        self._given: dict[Symbol, Any] = {}
        self._names = {s.name for s in step.program.inputs}

    def program(self) -> tuple[Program, dict[Symbol, Any]]:
        """The program without arrays, and the values of those inputs that are no weights."""
        changing = self.step.program.depending_on(self.step.carried)
        for s in self.step.carried:
            if s.size != 1:
                raise NotPolynomial(f"{s.name} has shape {s.shape}, and only single numbers can be carried")
            self._variable(s)  # in this order they are written
        # The loss first: what is in the way has then the name that the user gave it, not its derivative's.
        for s in in_order(self.step.program.outputs[::-1]):
            if s in changing and s not in self.numbers and s.size == 1:
                self.numbers[s] = self._number(s)
            elif s not in self.numbers and constant_value(s) is None:
                self.polynomials[s] = self._polynomial(s)
        for s in self.step.program.outputs:
            if s in self.polynomials and not set(self.polynomials[s]) <= {()}:
                raise NotPolynomial(
                    f"{_described(s)} is asked for at each point, and only sums come out; use another `hoist`"
                )
        outputs = [self._as_number(s) for s in self.step.program.outputs]
        values = self._given | self._moment_values()
        used = {s for s in in_order(outputs) if s.function == "input"}
        values = {s: value for s, value in values.items() if s in used}
        return Program.of((*values, *self.step.carried, *self.step.rates), outputs), values

    # Numbers, which stay in the program.

    def _as_number(self, x: Any) -> Any:
        """The symbol in the new program for a number of the old one."""
        if not isinstance(x, Symbol) or x in self.numbers or constant_value(x) is not None:
            return self.numbers.get(x, x) if isinstance(x, Symbol) else x
        value = self._value(x)
        name = x.name if x in self.data else self._fresh(x.name or "number")
        self.numbers[x] = placeholder(name, x.shape, x.dtype)
        self._given[self.numbers[x]] = value
        return self.numbers[x]

    def _number(self, s: Symbol) -> Symbol:
        if s.function == "sum" and s.inputs[0].size != 1:
            return self._sum(s)
        if any(getattr(x, "size", 1) != 1 for x in s.inputs):
            raise NotPolynomial(f"{_described(s)} makes a number of an array, and is no sum, {NO_ALGEBRA}")
        return replace(s, inputs=tuple(self._as_number(x) for x in s.inputs))

    def _sum(self, s: Symbol) -> Symbol:
        """A sum, multiplied out: one product of moment and weights for each term."""
        (array,) = s.inputs
        terms = [
            (monomial, coefficient, self._moment(array.size, factors))
            for monomial, (coefficient, factors) in self.polynomials[array].items()
        ]
        if not terms:
            return constant(0.0, s.shape, s.dtype)
        with phase(s.phase):
            total = written(terms, self.variables)
            total = total if total.dtype == s.dtype else record("astype", total, dtype=s.dtype)
            total = total if total.shape == s.shape else record("reshape", total, shape=s.shape)
        total.name = s.name
        return total

    # Arrays, which become polynomials.

    def _polynomial(self, s: Symbol) -> Polynomial:
        """A symbol that contains data, as a polynomial."""
        if s.function == "input":
            return self._column(s.name, self.data[s])
        try:
            if any(getattr(x, "size", 1) not in (1, s.size) for x in s.inputs):
                raise NotPolynomial(
                    f"{_described(s)} combines each element of an array with several of another, {NO_ALGEBRA}"
                )
            return self._combined(s, [self._operand(x) for x in s.inputs])
        except NotFinite:
            raise
        except NotPolynomial:
            # A function of data alone may be anything.
            if not self._is_of_data(s):
                raise
            return self._column(s.name, self._value(s))

    def _is_of_data(self, s: Symbol) -> bool:
        return all(x in self.data for x in in_order([s]) if x.function == "input")

    def _value(self, s: Symbol) -> Any:
        """The value of a function of data alone, computed in the program's dtype."""
        return np.asarray(self.step.program.run(self.data, [s])[0])

    def _inverse(self, s: Symbol) -> Polynomial:
        if not self._is_of_data(s):
            raise NotPolynomial(f"{_described(s)} is divided by, {NO_ALGEBRA}")
        with np.errstate(divide="ignore"):
            return self._column(f"inverse_{s.name}" if s.name else "", 1 / self._value(s).astype(np.float64))

    def _combined(self, s: Symbol, given: list[Polynomial]) -> Polynomial:
        algebra = self.algebra
        match s.function, given:
            case "add", (p, q):
                result = algebra.add(p, q)
            case "subtract", (p, q):
                result = algebra.add(p, algebra.multiply(algebra.number(-1), q))
            case "multiply", (p, q):
                result = algebra.multiply(p, q)
            case "negative", (p,):
                result = algebra.multiply(algebra.number(-1), p)
            case "square", (p,):
                result = algebra.multiply(p, p)
            case "divide", (p, q) if q and set(q) == {()}:
                coefficient, factors = q[()]
                result = algebra.multiply(p, self._inverse(s.inputs[1]) if factors else algebra.number(1 / coefficient))
            case "power", (p, _) if constant_value(s.inputs[1]) in range(1, algebra.limit):
                result = p
                for _ in range(1, int(constant_value(s.inputs[1]))):
                    result = algebra.multiply(result, p)
            case ("reshape" | "broadcast_to", (p,)):
                result = p
            case "astype", (p,) if s.dtype.kind == "f":
                result = p
            case _:
                raise NotPolynomial(f"{_described(s)} cannot be multiplied out, {NO_ALGEBRA}")
        coefficient, factors = result.get((), (Fraction(0), ()))
        if coefficient == 1 and len(factors) == 1:
            array = algebra.arrays[factors[0]]
            array.name = array.name or s.name
        return result

    def _operand(self, x: Any) -> Polynomial:
        value = constant_value(x)
        if value is not None:
            return self.algebra.number(value)
        if not isinstance(x, Symbol):
            return self._column("", np.asarray(x))
        return self.polynomials[x] if x in self.polynomials else self._variable(self.numbers[x])

    def _variable(self, s: Symbol) -> Polynomial:
        """A number as a polynomial: a variable, or with a center the distance from it plus the center."""
        while s.function in ("reshape", "broadcast_to"):
            (s,) = s.inputs
        if s not in self._as_polynomials:
            position = len(self.variables)
            if self.center is None or any(x not in self.center for x in in_order([s]) if x.function == "input"):
                self.variables.append(s)
                self._as_polynomials[s] = self.algebra.variable(position)
            else:
                value = float(np.asarray(self.step.program.run(self.center, [s])[0]).item())
                self._as_polynomials[s] = self.algebra.variable(position, value)
                center = placeholder(self._fresh(f"center_{s.name or 'number'}"), (), np.float64)
                self._given[center] = np.float64(value)
                with phase("forward"):
                    self.variables.append(record("subtract", s, center))
                self.variables[-1].name = self._fresh(f"delta_{s.name or 'number'}")
        return self._as_polynomials[s]

    # Data and moments.

    def _column(self, name: str, value: Any) -> Polynomial:
        """An array of data as a column: its shape does not matter, only the order of its elements.

        Raises:
            NotFinite: where an element is.
        """
        if not np.isfinite(value).all():
            raise NotFinite(f"{name or 'an array of data'} has infinities or NaN in it, so nothing is multiplied out")
        column = placeholder(name, (value.size,), np.float64)
        self._columns[column] = value.reshape(-1)
        return self.algebra.data(column)

    def _moment(self, points: int, factors: Factors) -> Symbol:
        key = points, factors
        if key not in self._moments:
            self._moments[key] = placeholder(self._fresh(self._moment_name(factors)), (), np.float64)
        return self._moments[key]

    def _moment_name(self, factors: Factors) -> str:
        """A name for a moment: `sum_x2y` for Σ x² y, `sum_hours_score` for Σ hours · score, `points` for Σ 1."""
        names = []
        for position, group in groupby(factors):
            array = self.algebra.arrays[position]
            array.name = array.name or self._fresh("r")  # mostly there is one without a name, the residuals
            exponent = len(list(group))
            if exponent > 1 and array.name[-1].isdigit():
                names += [array.name] * exponent  # x_1² is not x_12
            else:
                names.append(f"{array.name}{exponent if exponent > 1 else ''}")
        short = all(len(self.algebra.arrays[position].name) == 1 for position in factors)
        return "sum_" + ("" if short else "_").join(names) if names else "points"

    def _fresh(self, wish: str) -> str:
        name, count = wish, 1
        while name in self._names:
            count += 1
            name = f"{wish}_{count}"
        self._names.add(name)
        return name

    def _moment_values(self) -> dict[Symbol, Any]:
        """The values of all moments, from one pass over the points."""
        values = {s: np.float64(points) for (points, factors), s in self._moments.items() if not factors}
        for points in {points for points, _ in self._moments}:
            wanted = [(f, s) for (p, f), s in self._moments.items() if p == points and f]
            if not wanted:
                continue
            products = [self.algebra.product(factors) for factors, _ in wanted]
            columns = [s for s in in_order(products) if s.function == "input"]
            program = Program.of(columns, products)
            totals: list[list[float]] = [[] for _ in wanted]
            for first in range(0, points, CHUNK):
                part = slice(first, min(first + CHUNK, points))
                chunk = {
                    s: v.astype(np.float64) for s in columns for v in [self._columns[s][part if s.size > 1 else ...]]
                }
                for total, product in zip(totals, program.run(chunk), strict=True):
                    # A product of numbers alone is the same at each point.
                    total.append(float(np.sum(np.broadcast_to(product, (part.stop - first,)))))
            values |= {s: np.float64(_exact_sum(total)) for (_, s), total in zip(wanted, totals, strict=True)}
        if not all(map(np.isfinite, values.values())):
            raise NotFinite("a sum over the data is too large a number, so nothing is multiplied out")
        return {s: values[s] for s in self._moments.values()}


def _exact_sum(values: list[float]) -> float:
    """The sum, rounded once; NumPy's sum where it is infinite or NaN."""
    return math.fsum(values) if all(map(math.isfinite, values)) else float(np.sum(values))


def _described(s: Symbol) -> str:
    return f"{s.function} of shape {s.shape}" + (f" ({s.name})" if s.name else "")
