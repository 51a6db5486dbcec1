"""Patients: a loss and a claimed gradient, and how to ask them at any arrays, in any library and dtype."""

from __future__ import annotations

import copy
import inspect
import math
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any

import numpy as np

from tinygrad_poly.checking.arguments import Arguments, Arrays, as_array, floating, library_of, made_by, numeric
from tinygrad_poly.checking.differences import scales
from tinygrad_poly.checking.scalars import Field
from tinygrad_poly.checking.surroundings import Surroundings
from tinygrad_poly.checking.verdict import floats
from tinygrad_poly.engine.errors import DtypeError, ShapeError, StructureError
from tinygrad_poly.func.containers import flatten

COTANGENTS = ("cotangent", "cotangents", "g", "v", "upstream", "grad_output", "grad_outputs", "dout", "dy", "dz")
"""The names by which a gradient function may ask for the cotangent of an array."""
WIDE = np.longdouble
_TOO_MANY = 200_000
"""More numbers than exact arithmetic can take in a second or two."""


class NoOracleError(Exception):
    """An oracle that cannot take this function, and why."""


class Patient:
    """A loss and a claimed gradient at the user's arguments: what the doctor asks, wherever it likes.

    Args:
        loss: the function.
        claim: its gradient, a function or the numbers.
        args: the arguments.
        wrt: the arguments to differentiate by; by default the form of the gradient says so.
        seed: of all that is random.
        cotangent: of the result; a random one by default.
        time_budget: in seconds, for all that can be stopped or left out.
        library: what to call the loss with; found out by default.
        claim_library: what to call the gradient with; found out by default.

    Attributes:
        deadline: of exact arithmetic, which leaves time for the other oracles, and for a second point.
        end: of the check.
        diagnosing: whether a diagnosis is made, which ends when the time is spent.
        seconds: that a call of the loss takes.
        writes: whether the gradient changes its arguments.
        reason: why nothing can be said about this loss; empty where something can.
    """

    def __init__(
        self, loss: Any, claim: Any, args: Sequence[Any], wrt: Any, seed: int, cotangent: Any, time_budget: float,
        library: str = "", claim_library: str = "",
    ) -> None:  # fmt: skip
        self.wrt, self.seed, self.time_budget = wrt, seed, time_budget
        self.reason, self.diagnosing, self.writes = "", False, False
        self.begin()
        self.arguments, self.random = Arguments(loss, args, bool(library or claim_library)), np.random.default_rng(seed)
        self.arguments.beside = beside = Surroundings(loss, claim)
        self.loss, self.claim = beside.reading(loss), beside.reading(claim)
        self.library, self.result = self._first_call(library)
        owner = getattr(self.loss, "__self__", self.loss)
        self.after_loss = self.of_layer = getattr(self.claim, "__self__", None) is owner
        self.passes_cotangent = self._cotangent_parameter()
        self.given_cotangent, plain = cotangent is not None, self.passes_cotangent is None and self.result.size == 1
        draw = self.random.standard_normal if self.result.shape and not plain else np.ones
        v = draw(self.result.shape)
        self.cotangent = np.asarray(v if cotangent is None else as_array(cotangent), np.float64)
        if self.cotangent.shape != self.result.shape:
            raise ShapeError(f"the cotangent has shape {self.cotangent.shape}, but the result has {self.result.shape}")
        self.middle: tuple[Arrays, float] = {}, 0.0
        libraries = [claim_library] if claim_library else dict.fromkeys((self.library, "numpy", "tensor"))
        self.claim_library, answer = _first("gradient", self._raw_answer, libraries)
        self.arguments.choose(answer, wrt)
        self.claimed = self._contracted(self.arguments.matched(answer))

    def begin(self) -> None:
        """Start the clock, or start it again."""
        self.deadline, self.end = (time.perf_counter() + part * self.time_budget for part in (0.75, 1.0))

    def prolong(self) -> None:
        """Give exact arithmetic its time once more, for a question that nothing else answers."""
        self.deadline = max(self.deadline, time.perf_counter() + self.time_budget)

    @property
    def late(self) -> bool:
        """Whether the time is spent; a function that takes next to none may be called some more times."""
        quick = self.seconds < 0.004 * self.time_budget
        return time.perf_counter() > self.end + 0.25 * quick * self.time_budget

    def _called(
        self, function: Callable[..., Any], library: str, arrays: Arrays, dtype: Any = None
    ) -> tuple[Any, bool]:
        """A function's answer, and whether it changed its arguments, which is looked at where they are the user's."""
        args = self.arguments.build(library, arrays, dtype)
        before = [] if arrays else _numbers(args)
        answer = function(*args)
        return answer, not (arrays or all(map(_same, before, _numbers(args))))

    def _first_call(self, library: str) -> tuple[str, Any]:
        """The library of the loss, and its result; says what keeps its gradient from being checked."""
        given = {library_of(leaf) for leaf in self.arguments.given}
        tries = ["torch"] if "torch" in given else ["tensor"] if "tensor" in given else ["numpy", "tensor"]
        tries = [library] if library else tries
        library, (result, writes) = _first("loss", lambda library: self._called(self.loss, library, {}), tries)
        array = as_array(result)
        if isinstance(result, (list, tuple)) or not isinstance(array, np.ndarray):
            parts = isinstance(result, (tuple, list))
            hint = ": check one part, such as lambda *args: loss(*args)[0]" if parts else ""
            hint = ": is a return missing?" if result is None else hint
            hint = ": its real part, or its absolute value, has a gradient" if np.iscomplexobj(result) else hint
            raise StructureError(f"the loss must return a number or an array, not {type(result).__name__}{hint}")
        if not floating(array):
            raise DtypeError(f"the loss returned {array.dtype}, which has no derivative: it must compute with floats")
        args, started = self.arguments.build(library, {}), time.perf_counter()
        again = as_array(self.loss(*args))
        self.seconds = time.perf_counter() - started
        if writes:
            self.reason = "the loss changes its arguments: let it write into copies"
        elif not _same(array, again):
            self.reason = (
                "the loss is random: two calls with the same arguments differ. Seed it inside, or fix the noise"
            )
        found = library_of(result)
        return (found if found != "numpy" else library), array

    def point(self, arrays: Arrays) -> Arrays:
        """All floating leaves, where some of them are given."""
        return {i: arrays.get(i, x) for i, x in enumerate(self.arguments.leaves) if floating(x)}

    @cached_property
    def dtype(self) -> Any:
        """The widest floats that the loss computes with, unless that takes long."""
        many = sum(x.size for x in self.point({}).values()) > 200
        if self.library != "numpy" or self.seconds > (2e-4 if many else 2e-2):
            return np.float64
        started = time.perf_counter()
        try:
            found = self.number({}, WIDE)
            quick = not many or time.perf_counter() - started < max(5e-4, 1.5 * self.seconds)
            self.believe({}, found, "in wide numbers")
        except Exception:  # what has no wide numbers, such as LAPACK
            return np.float64
        return WIDE if quick else np.float64

    @cached_property
    def extent(self) -> float:
        """The power of ten that the largest argument has, or one over the smallest."""
        held = [x[(x != 0) & np.isfinite(x)] for x in self.point({}).values()]
        return float(max((np.abs(np.log10(np.abs(x))).max(initial=0.0) for x in held), default=0.0))

    @cached_property
    def digits(self) -> int:
        """The digits of high precision: numbers like the arguments' cubes may cancel down to the claimed gradient."""
        sizes = [float(np.abs(g).max(where=np.isfinite(g), initial=0.0)) for g in map(floats, self.claimed) if g.size]
        small = -math.log10(min([size or 5e-324 for size in sizes], default=1.0))
        return 75 + 4 * int(self.extent) + 2 * max(int(small), 0)

    def lost(self, gradient: Any, digits: int) -> Any:
        """The error that so many digits leave in a gradient."""
        size = np.abs(floats(gradient)).astype(WIDE)
        return 10.0 ** (3 * self.extent - 0.8 * digits) + 10.0 ** (-digits / 2) * size if digits else 0 * size

    def terms(self, arrays: Arrays, dtype: Any) -> Any:
        """The numbers cotangent · result, whose sum is the function that is differentiated."""
        result = as_array(self.loss(*self.arguments.build(self.library, arrays, dtype)))
        return np.asarray(result, WIDE) * self.cotangent

    def number(self, arrays: Arrays, dtype: Any) -> float:
        """The sum of the terms."""
        return self.terms(arrays, dtype).sum()  # type: ignore[no-any-return]

    def believe(self, arrays: Arrays, found: Any, where: str) -> None:
        """Refuse an oracle whose numbers are treated as something else: the function computes another value there.

        It may catch the error that says that they can do no more, ask for their type, or call methods that mean
        something else on them, such as `x.var()` on tensors. What a rounding of the arguments explains is none.
        """
        found, own = float(floats(found)), self.number(arrays, np.float64)
        off = abs(found - own)
        if off > 1e-9 + 1e-6 * abs(own):
            near = {i: x * (1 + 2.0**-50) for i, x in self.point({}).items()}
            near |= {i: x * (1 - 2.0**-50) for i, x in arrays.items()}
            if off > 1e3 * abs(self.number(near, np.float64) - own):
                raise NoOracleError(f"the function computes {found:.6g} {where}, and {own:.6g} in floats")

    def on_scalars(
        self, call: Callable[..., Any], arrays: Arrays, field: Field, active: bool = True
    ) -> tuple[Any, list[Any]]:
        """The result of a plain function on scalars of a field, and the arrays of them that are active."""
        given, chosen = self.point(arrays), self.arguments.active
        if sum(x.size for x in given.values()) > _TOO_MANY:
            raise NoOracleError("there are too many numbers for exact arithmetic in the time budget")
        inputs = {i: field.array(x, active and i in chosen) for i, x in given.items()}
        result = call(*self.arguments.build("numpy", inputs))
        field.check()
        return result, [inputs[i] for i in chosen]

    def _cotangent_parameter(self) -> str | int | None:
        """The way the gradient function takes the cotangent: by a name, at a place among the arguments, or not at all.

        A method of the loss's own object may take nothing else, as `layer.backward(dout)` beside `layer.forward`.
        """
        try:
            parameters = list(inspect.signature(self.claim).parameters.values()) if callable(self.claim) else []
        except (TypeError, ValueError):
            parameters = []
        count, places = len(self.arguments.names), [p for p in parameters if p.kind in (0, 1)]
        named = [p for p in parameters if p.name in COTANGENTS and p.name not in self.arguments.names]
        others = sum(p not in named[:1] for p in places)
        others = count if any(p.kind == p.VAR_POSITIONAL for p in parameters) else others
        self.of_layer &= not others and count > 0
        if named and (self.of_layer or others >= count):
            place = places.index(named[0]) if named[0] in places else count
            return place if place < count else named[0].name
        return count if sum(p.default is p.empty for p in places) == count + 1 else None

    def _claim_for(self, v: Any) -> Callable[..., Any]:
        """The claim as a function of the arguments alone."""

        def claim(*args: Any) -> Any:
            if self.after_loss:
                self.loss(*args)
            given = [] if self.of_layer else list(args)
            if isinstance(self.passes_cotangent, str):
                return self.claim(*given, **{self.passes_cotangent: v})
            if self.passes_cotangent is not None:
                given.insert(self.passes_cotangent, v)
            return self.claim(*given)

        return claim

    def _raw_answer(self, library: str, arrays: Arrays | None = None, dtype: Any = None) -> Any:
        if not callable(self.claim):
            return self.claim
        v = made_by(library, self.cotangent.astype(dtype or self.result.dtype), False)
        answer, writes = self._called(self._claim_for(v), library, arrays or {}, dtype)
        self.writes = self.writes or writes
        return answer

    def _contracted(self, gradients: list[Any]) -> list[Any]:
        """Gradients, where a claim that takes no cotangent may have been a Jacobian, or the diagonal of one."""
        if not self.result.shape or self.passes_cotangent is not None:
            return gradients
        shapes = [self.result.shape + x.shape for x in self.arguments.values().values()]
        v, n = self.cotangent, self.result.ndim
        found = [np.tensordot(v, g, n) if g.shape == full else g for g, full in zip(gradients, shapes)]
        alike = not self.given_cotangent and len(found) == 1 and v.shape + found[0].shape == shapes[0] == 2 * v.shape
        return [v * found[0]] if alike and found[0] is gradients[0] else found

    def answer(self, arrays: Arrays, dtype: Any = None) -> list[Any]:
        """The claimed gradient at these arrays."""
        if self.diagnosing and self.late:
            raise NoOracleError("there is no time left")
        return self._contracted(self.arguments.matched(self._raw_answer(self.claim_library, arrays, dtype)))

    def again(self) -> tuple[list[Any], list[Any]]:
        """The claimed gradient twice more; the loss is called before it from here on, if it reads what that keeps."""
        arrays, second = self.arguments.values(), []
        with suppress(Exception):  # what the loss keeps may be an oracle's numbers, or of other arguments
            self.loss(*self.arguments.build(self.library, {i: 1.125 * x for i, x in arrays.items()}))
        with suppress(Exception):
            second = self.answer(arrays)
            if self.after_loss or all(map(_same, self.claimed, second)):
                return second, second
        self.after_loss = True
        third = self.answer(arrays)
        self.after_loss = all(map(_same, self.claimed, third))
        return (third, third) if self.after_loss else (second or self.answer(arrays), third)

    def formula(self, arrays: Arrays, digits: int) -> tuple[list[Any], bool] | None:
        """The claimed gradient in exact arithmetic, and whether it is rounded; None where it does not run there."""
        if not callable(self.claim) or self.claim_library != "numpy":
            return None
        try:
            field = Field(digits, self.deadline)
            claim = self._claim_for(field.array(self.cotangent, False))
            answer, _ = self.on_scalars(claim, arrays, field, False)
            values = [field.values(g) for g in self._contracted(self.arguments.matched(answer))]
            return values, field.rounded > 0
        except Exception:  # whatever a user's function does with objects that are no floats
            return None
        finally:
            with suppress(Exception):
                self.answer({})  # one that keeps its arguments until the next call has floats again

    def moved(self, data: bool = False, plain: bool = False) -> Arrays:
        """The active leaves at another point near by, of the same signs and sizes.

        Args:
            data: the other floating leaves too; labels and masks, of 0, 1 and −1 alone, are shuffled.
            plain: at numbers of about 1.
        """
        draw, moved = self.random.uniform, self.arguments.values()
        for i, x in enumerate(self.arguments.leaves):
            labels = i not in self.arguments.active and floating(x) and len(found := np.unique(x)) > 1
            labels = labels and bool(np.isin(found, (-1, 0, 1)).all())
            if labels and data and x.ndim:
                moved[i] = self.random.permutation(x)
            elif not labels and (i in moved or (data and floating(x))):
                near = x * (1 + 0.2 * draw(-1, 1, x.shape)) + (x == 0) * scales(x) * draw(-1, 1, x.shape)
                far = np.where(x < 0, -1, 1) * draw(0.5, 1.5, x.shape) if plain else near
                even = x.ndim == 2 and np.array_equal(x, x.T)  # such as a covariance
                moved[i] = np.asarray((far + far.T) / 2 if even else far, x.dtype)
        return moved

    def with_other_cotangent(self) -> Patient:
        """The same question for another cotangent, if the claimed gradient asks for it."""
        other = copy.copy(self)
        if self.passes_cotangent is not None:
            other.cotangent, other.middle = self.random.standard_normal(self.result.shape), ({}, 0.0)
        return other


def _first(who: str, ask: Callable[[str], Any], libraries: Iterable[str]) -> tuple[str, Any]:
    """The first library with whose arrays a function can be called, and its answer."""
    errors: list[Exception] = []
    for library in libraries:
        try:
            return library, ask(library)
        except Exception as error:
            errors.append(error)
    others = [f"; with arrays of another library, {error!r}" for error in errors[1:] if repr(error) != repr(errors[0])]
    errors[0].add_note(f"the {who} raised this when it was called with the arguments of the check{''.join(others)}")
    raise errors[0]


def _numbers(args: Sequence[Any]) -> list[Any]:
    """Copies of the arrays in the arguments of a call."""
    leaves = [as_array(leaf) for arg in args for leaf in flatten(arg)[0]]
    return [np.array(x, copy=True) for x in leaves if numeric(x)]


def _same(a: Any, b: Any) -> bool:
    return np.array_equal(a, b, equal_nan=True)
