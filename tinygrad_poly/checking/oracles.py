"""Oracles: the true gradient of a function from independent sources, best first, each with its own error.

Exact arithmetic and high precision run a plain NumPy function on scalars of their own (`scalars`), the tape runs it on
tensors, and finite differences run anything.
"""

import importlib
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np

from tinygrad_poly.autograd import grad
from tinygrad_poly.checking.arguments import Arguments, Arrays, as_array, floating, library_of, made_by
from tinygrad_poly.checking.differences import Slope, scales, slope
from tinygrad_poly.checking.scalars import Field, NotRationalError, OutOfTimeError
from tinygrad_poly.checking.verdict import floats
from tinygrad_poly.engine.recording import Observer, reads
from tinygrad_poly.func.containers import flatten

WIDE = np.longdouble
ORDER = ("exact", "high precision", "tape", "finite differences")
_TOO_MANY = 200_000
"""More numbers than exact arithmetic can take in a second or two."""


@dataclass
class Truth:
    """The true gradients by one oracle: for each active leaf its numbers, and how far they may be off.

    Or, where lines confirmed them, the findings alone.
    """

    oracle: str
    gradients: list[Any]
    errors: list[Any]
    numbers: Field | None = None
    notes: list[str] = field(default_factory=list)
    kink: bool = False
    findings: Any = None


class NoOracleError(Exception):
    """An oracle that cannot take this function, and why."""


class Function:
    """The function whose gradient is asked for, with a cotangent of its result: a function to a number."""

    def __init__(
        self, call: Callable[..., Any], arguments: Arguments, library: str, cotangent: Any, seconds: float
    ) -> None:
        self.call, self.arguments, self.library, self.cotangent = call, arguments, library, cotangent
        self.seconds = seconds
        self.middle: tuple[Arrays, float] = {}, 0.0

    @cached_property
    def dtype(self) -> Any:
        """The widest floats that the function computes with, unless that takes long."""
        many = sum(x.size for x in self.arguments.leaves if floating(x)) > 200
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

    def terms(self, arrays: Arrays, dtype: Any) -> Any:
        """The numbers cotangent · result."""
        with np.errstate(all="ignore"):
            result = as_array(self.call(*self.arguments.build(self.library, arrays, dtype)))
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
            near = {i: x * (1 + 2.0**-50) for i, x in enumerate(self.arguments.leaves) if floating(x)}
            near |= {i: x * (1 - 2.0**-50) for i, x in arrays.items()}
            if off > 1e3 * abs(self.number(near, np.float64) - own):
                raise NoOracleError(f"the function computes {found:.6g} {where}, and {own:.6g} in floats")


def scalar_run(
    call: Callable[..., Any], arguments: Arguments, arrays: Arrays, field: Field, active: bool = True
) -> Any:
    """The result of a plain function on scalars of a field, and the arrays of them that are active."""
    if sum(x.size for x in arguments.leaves if floating(x)) > _TOO_MANY:
        raise NoOracleError("there are too many numbers for exact arithmetic in the time budget")
    inputs = {
        i: field.array(arrays.get(i, x), active and i in arguments.active)
        for i, x in enumerate(arguments.leaves)
        if floating(x)
    }
    with np.errstate(all="ignore"):
        result = call(*arguments.build("numpy", inputs))
    field.check()
    return result, [inputs[i] for i in arguments.active]


def exactly(f: Function, arrays: Arrays, field: Field) -> Truth:
    """The oracle of exact arithmetic, or of high precision: depends on the field."""
    if f.library != "numpy":
        raise NoOracleError("exact arithmetic runs functions of NumPy arrays")
    try:
        result, inputs = scalar_run(f.call, f.arguments, arrays, field)
        result = np.asarray(result, object)
        if result.shape != np.shape(f.cotangent):
            raise NoOracleError("the function's result has another shape in exact arithmetic")
        gradients = field.gradient(result, f.cotangent, inputs)
        f.believe(arrays, np.sum(field.values(result) * f.cotangent), "in exact arithmetic")
    except OutOfTimeError:
        spent = len(field.tape)
        raise NoOracleError(f"exact arithmetic was stopped by the time budget after {spent:,} operations") from None
    except (NotRationalError, NoOracleError):
        raise
    except ZeroDivisionError:
        raise NoOracleError("exact arithmetic met a division by 0") from None
    except Exception as error:
        # Whatever a user's function does with objects that are no floats.
        raise NoOracleError(
            f"the function does not run in exact arithmetic ({type(error).__name__}: {error})"
        ) from None
    name = "high precision" if field.mp else "exact"
    errors = [np.zeros(g.shape) for g in gradients]
    return Truth(name, gradients, errors, field, [], field.ties > 0)


class _Roundings(Observer):
    """Random roundings of all results: how far these move a gradient, where there are no wide numbers to tell."""

    def __init__(self) -> None:
        self.random = np.random.default_rng(0)

    def recorded(self, operation: Any, inputs: Any, options: Any, result: Any) -> None:
        """Move a result by a rounding."""
        if result.array.flags.writeable:
            result.array[...] *= 1 + 2.0**-52 * self.random.uniform(-1, 1, result.shape)


def by_tape(f: Function, arrays: Arrays, rough: bool = False) -> Truth:
    """The oracle of this engine's tape, in float64 and in wider numbers; its error is how far these are apart.

    A rough look is one pass, in float64 alone, and takes a billionth of the largest number for the error.
    """
    if f.library == "torch":
        raise NoOracleError("the tape does not record torch's operations")

    def run(moved: Arrays, dtype: Any) -> list[Any]:
        args, leaves = leaves_on_tape(f, moved, dtype)
        read: list[Any] = []
        token = reads.set((*reads.get(), read))
        try:
            result = f.call(*args)
        finally:
            reads.reset(token)
        line = next((f" at {where.filename}, line {where.lineno}" for *_, where in read if where), "")
        recorded = library_of(result) == "tensor" and result.node is not None
        if read and recorded:
            raise NoOracleError(f"the function reads numbers off the tape{line}")
        if read or library_of(result) != "tensor":
            raise NoOracleError(f"the function left the tape{line}")
        if moved is arrays:
            f.believe(arrays, np.sum(as_array(result) * f.cotangent), "on tensors")
        if not recorded:
            return [np.zeros(x.shape) for x in leaves]
        v = made_by("tensor", np.asarray(np.broadcast_to(f.cotangent, result.shape), dtype), False)
        found = grad(result, leaves, v.to(result.dtype), allow_unused=True)
        return [np.zeros(x.shape) if g is None else as_array(g) for g, x in zip(found, leaves)]

    try:
        with np.errstate(all="ignore"):
            narrow = run(arrays, np.float64)
            if rough:
                return Truth("tape", narrow, [np.full(D.shape, 1e-9 * np.abs(D).max(initial=0.0)) for D in narrow])
            unit = 2.0**-53
            wiggle = np.random.default_rng(0)
            moved = {i: arrays[i] * (1 + unit * wiggle.uniform(-2, 2, arrays[i].shape)) for i in f.arguments.active}
            moved = arrays | moved
            try:
                wide = run(arrays, WIDE) if f.library != "numpy" or f.dtype is WIDE else narrow
            except Exception:  # what has no wide numbers, such as LAPACK
                wide = narrow
            with _Roundings() if wide is narrow else nullcontext():
                near = run(moved, np.float64)
    except NoOracleError:
        raise
    except Exception as error:
        raise NoOracleError(f"the function does not run on tensors ({type(error).__name__}: {error})") from None
    errors = []
    for a, b, c in zip(narrow, wide, near):
        a, b, c = (np.asarray(x, WIDE) for x in (a, b, c))
        size = np.abs(b).max(initial=0.0)
        with np.errstate(all="ignore"):
            moves = np.abs(a - c)
            moves = np.maximum(moves, moves.max(initial=0.0)) if wide is narrow else moves
            errors.append(4 * (np.abs(a - b) + moves) + 8 * unit * np.abs(b) + unit * size)
    return Truth("tape", [np.asarray(x) for x in wide], errors)


def leaves_on_tape(f: Function, arrays: Arrays, dtype: Any) -> tuple[list[Any], list[Any]]:
    """The arguments with tensors in the places of the active leaves, and these tensors."""
    leaves = [made_by("tensor", arrays[i].astype(dtype), True) for i in f.arguments.active]
    flat = [leaf for arg in f.arguments.build(f.library, arrays, dtype) for leaf in flatten(arg)[0]]
    for i, leaf in zip(f.arguments.active, leaves):
        flat[i] = leaf
    parts = iter(flat)
    return [structure._build(parts) for structure in f.arguments.structures], leaves


def by_differences(f: Function, arrays: Arrays, seconds: float, seed: int) -> Truth:
    """The oracle of finite differences: number by number, in random order, as far as the time goes.

    Where floats show too little, the differences are taken in high precision, of a function that runs there.
    """
    truth = Truth("finite differences", [], [])
    for i in f.arguments.active:
        started = time.perf_counter()
        end = started + seconds / len(f.arguments.active)
        D, E = np.full(arrays[i].shape, np.nan), np.full(arrays[i].shape, np.inf)
        kinks, noise = np.zeros(D.shape, bool), None
        for done, k in enumerate(np.random.default_rng(seed).permutation(D.size)):
            if time.perf_counter() > end:
                truth.notes.append(f"{done:,} of {D.size:,} numbers of {f.arguments.paths[i]} were checked in the time")
                break
            at = np.unravel_index(k, D.shape)
            found = slope_of(f, arrays, i, at, noise)
            noise = found.noise if done else None  # measured for two numbers, and taken for the others
            D[at], E[at], kinks[at] = found.value, found.error, found.kink
        else:
            for at in map(tuple, np.argwhere(~(np.nanmax(np.abs(D), initial=0.0) * 1e-10 >= E))):
                if (finer := finely(f, arrays, i, at, end)) is None:
                    break
                D[at], E[at], kinks[at] = finer.value, finer.error, finer.kink
        truth.kink |= bool(kinks.any())
        truth.gradients.append(D)
        truth.errors.append(E)
    return truth


def finely(f: Function, arrays: Arrays, leaf: int, at: Any, deadline: float) -> Slope | None:
    """The derivative by one number, from differences in high precision; None where the function does not run there.

    With a third of the digits for the step, it is as good as a derivative: its error is what a larger step changes, and
    what numbers as large as the arguments' squares leave over when they cancel.
    """
    if f.library != "numpy":
        return None
    x, size = arrays[leaf].astype(object), extent(f.arguments)

    def number(h: Fraction, digits: int) -> Any:
        moved = x.copy()
        moved[at] = Fraction(float(x[at])) + h
        field = Field(digits, deadline)
        result, _ = scalar_run(f.call, f.arguments, {**arrays, leaf: moved}, field, False)
        values = field.values(np.asarray(result, object)).ravel()
        return sum((v * field.number(c) for v, c in zip(values, np.ravel(f.cotangent), strict=True)), field.number(0))

    for digits in (first_digits(f.arguments), 4 * first_digits(f.arguments)):
        step = Fraction(float(scales(arrays[leaf])[at])) / 10 ** (digits // 3)
        try:
            middle, up, down, far_up, far_down = (number(step * k, digits) for k in (0, 1, -1, 1000, -1000))
            h = up.context.mpf(step.numerator) / step.denominator
            right, left, value = (up - middle) / h, (middle - down) / h, (up - down) / (2 * h)
            kink = bool(abs(right - left) > 1e-6 * max(abs(right), abs(left)))
            blur = up.context.mpf(10) ** int(2 * size - 0.9 * digits) / h
            error = abs((far_up - far_down) / (2000 * h) - value) + blur + kink * abs(right - left)
        except Exception:  # whatever a user's function does with objects that are no floats; the time; no mpmath
            return None
        if error <= 1e-12 * abs(value):
            break
    value, error, left, right = floats(np.array([value, error, left, right], object)).tolist()
    return Slope(value, error, left, right, kink)


def first_digits(arguments: Arguments) -> int:
    """The digits to begin with: more for arguments of very different sizes."""
    return 50 + 2 * int(extent(arguments))


def extent(arguments: Arguments) -> float:
    """The power of ten that the largest argument has, or one over the smallest."""
    held = [x[(x != 0) & np.isfinite(x)] for x in arguments.leaves if floating(x)]
    return float(max((np.abs(np.log10(np.abs(x))).max(initial=0.0) for x in held), default=0.0))


def slope_of(f: Function, arrays: Arrays, leaf: int, at: Any, noise: float | None = None) -> Slope:
    """The derivative by one number."""
    unit = np.zeros(arrays[leaf].shape)
    unit[at] = 1.0
    far = max(float(scales(x).max(initial=0.125)) for x in arrays.values())
    return along_direction(f, arrays, {leaf: unit}, float(scales(arrays[leaf])[at]), noise, far)


def along_direction(
    f: Function, arrays: Arrays, direction: Arrays, scale: float = 1.0, noise: float | None = None, far: float = 0.0
) -> Slope:
    """The derivative along a direction, of the active leaves in it at once."""
    dtype = f.dtype

    def along(h: float) -> float:
        if not h and f.middle[0] is arrays:
            return f.middle[1]
        try:
            y = f.number({**arrays, **{i: arrays[i].astype(dtype) + h * d for i, d in direction.items()}}, dtype)
        except (ValueError, ArithmeticError):  # outside of the domain
            y = np.nan
        if not h:
            f.middle = arrays, y
        return y

    return slope(along, scale, float(np.finfo(dtype).eps), noise, far)


def by_torch(f: Function, arrays: Arrays) -> list[Any] | None:
    """The answer of torch, as a witness; None where it is not torch's function."""
    if f.library != "torch":
        return None
    torch: Any = importlib.import_module("torch")
    args = f.arguments.build("torch", arrays, np.float64, requires_grad=True)
    flat = [leaf for arg in args for leaf in flatten(arg)[0]]
    leaves = [flat[i] for i in f.arguments.active]
    result = f.call(*args)
    if not result.requires_grad:
        return None
    v = torch.as_tensor(np.asarray(f.cotangent, np.float64)).to(result.dtype)
    found = torch.autograd.grad(result, leaves, v, allow_unused=True)
    return [np.zeros(tuple(x.shape)) if g is None else as_array(g) for g, x in zip(found, leaves)]
