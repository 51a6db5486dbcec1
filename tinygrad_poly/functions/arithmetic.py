"""Functions of two numbers, for each pair of elements. At least one must be a tensor; they broadcast."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_poly.derivatives import arithmetic, piecewise
from tinygrad_poly.engine import apply
from tinygrad_poly.engine.apply import apply_operation, binary, checked
from tinygrad_poly.engine.arrays import astype, of_two, ones_like
from tinygrad_poly.engine.operation import Operation, special_text
from tinygrad_poly.functions._shared import OF_TWO, Tensor, described, either
from tinygrad_poly.functions.elementwise import abs, log, log1p, trunc, where


def _pairwise(row: Operation, name: str, given: str, result: str) -> Callable[[Any, Any], Tensor]:
    """The function of a row with two inputs, described by that row."""
    forwards, backwards = binary(row), binary(row, reflected=True)

    def function(input: Any, other: Any) -> Tensor:
        return either(forwards, backwards, input, other, name)

    slopes = f"Derivatives by a and b: {row.derivative}. Special points: {special_text(row)}."
    return described(function, name, f"{row.formula}{OF_TWO}\n\n    {slopes}", given, result)


mul = multiply = _pairwise(arithmetic.multiply, "mul", "(tensor([1.0, 2.0]), 3)", "tensor([3., 6.])")
maximum = _pairwise(piecewise.maximum, "maximum", "(tensor([1.0, 2.0]), 1.5)", "tensor([1.5000, 2.0000])")
minimum = _pairwise(piecewise.minimum, "minimum", "(tensor([1.0, 2.0]), 1.5)", "tensor([1.0000, 1.5000])")
fmax = _pairwise(piecewise.fmax, "fmax", '(tensor([1.0, float("nan")]), 0.0)', "tensor([1., 0.])")
fmin = _pairwise(piecewise.fmin, "fmin", '(tensor([1.0, float("nan")]), 0.0)', "tensor([0., 0.])")
floor_divide = _pairwise(arithmetic.floor_divide, "floor_divide", "(tensor([7, -7]), 2)", "tensor([ 3, -4])")
remainder = _pairwise(arithmetic.remainder, "remainder", "(tensor([7, -7]), 3)", "tensor([1, 2])")
fmod = _pairwise(arithmetic.fmod, "fmod", "(tensor([7, -7]), 3)", "tensor([ 1, -1])")
hypot = _pairwise(arithmetic.hypot, "hypot", "(tensor(3.0), 4.0)", "tensor(5.)")
atan2 = arctan2 = _pairwise(arithmetic.atan2, "atan2", "(tensor(1.0), -1.0)", "tensor(2.3562)")
logaddexp = _pairwise(arithmetic.logaddexp, "logaddexp", "(tensor(1000.0), 1000.0)", "tensor(1000.6932)")
_add = _pairwise(arithmetic.add, "add", "(tensor(1), 2)", "tensor(3)")
_subtract = _pairwise(arithmetic.subtract, "sub", "(tensor(1), 2)", "tensor(-1)")
_trunc_divide = _pairwise(
    arithmetic.trunc_divide, "div", '(tensor([7, -7]), 2, rounding_mode="trunc")', "tensor([ 3, -3])"
)
_divide = _pairwise(arithmetic.divide, "div", "(tensor(1.0), 2)", "tensor(0.5000)")


def add(input: Any, other: Any, *, alpha: Any = 1) -> Tensor:
    """The sum a + αb, with derivatives 1 and α.

    Raises:
        ShapeError: where the shapes do not broadcast.
        DtypeError: where neither is a tensor, or one is no number.

    >>> add(tensor([1.0, 2.0]), 1, alpha=10)
    tensor([11., 12.])
    """
    return _add(input, other if alpha == 1 else other * alpha)


def sub(input: Any, other: Any, *, alpha: Any = 1) -> Tensor:
    """The difference a − αb, with derivatives 1 and −α.

    Raises:
        ShapeError: where the shapes do not broadcast.
        DtypeError: where neither is a tensor, or one is no number.

    >>> sub(tensor([1.0, 2.0]), 1, alpha=10)
    tensor([-9., -8.])
    """
    return _subtract(input, other if alpha == 1 else other * alpha)


subtract = sub


def div(input: Any, other: Any, *, rounding_mode: str | None = None) -> Tensor:
    """The quotient a/b, with derivatives 1/b and −a/b².

    Rounded down (`rounding_mode="floor"`) or towards zero ("trunc"), its derivatives are 0.

    Raises:
        ShapeError: where the shapes do not broadcast.
        DtypeError: where neither is a tensor, or one is no number.
        ValueError: for another rounding mode.

    >>> div(tensor([7.0, -7.0]), 2)
    tensor([ 3.5000, -3.5000])
    >>> div(tensor([7.0, -7.0]), 2, rounding_mode="trunc")
    tensor([ 3., -3.])
    """
    if rounding_mode is None:
        return _divide(input, other)
    if rounding_mode == "floor":
        return floor_divide(input, other)
    if rounding_mode != "trunc":
        raise ValueError(f"div: rounding_mode must be None, 'floor' or 'trunc', not {rounding_mode!r}")
    return _trunc_divide(input, other)


divide = div
true_divide = div


def pow(input: Any, exponent: Any) -> Tensor:
    """The power aᵇ of tensors or numbers that broadcast, with derivatives b aᵇ⁻¹ and aᵇ log a.

    The first is 0 where b = 0, also at a = 0. The second is 0 at a = 0 with b ≥ 0, and NaN where a < 0.

    Raises:
        ShapeError: where the shapes do not broadcast.
        DtypeError: where neither is a tensor, and for integers to a negative power.

    >>> pow(tensor([1.0, 2.0]), 3)
    tensor([1., 8.])
    """
    return checked(input**exponent, "pow")


power = pow


def clamp(input: Tensor, min: Any = None, max: Any = None) -> Tensor:
    """The tensor limited to at least `min` and at most `max`: numbers, tensors that broadcast, or None.

    Where min > max, the result is max. The derivative by x is 1 where min ≤ x ≤ max; outside, the bound that
    took the place of x has it.

    Raises:
        ShapeError: where the shapes do not broadcast.
        DtypeError: where `input` is not a tensor.
        ValueError: without `min` and `max`.

    >>> clamp(tensor([-2.0, 0.5, 2.0]), -1, 1)
    tensor([-1.0000,  0.5000,  1.0000])
    """
    if min is None and max is None:
        raise ValueError("clamp: give min, max or both")
    return apply_operation(piecewise.clamp, checked(input, "clamp"), min, max)


clip = clamp


def lerp(input: Tensor, end: Any, weight: Any) -> Tensor:
    """The point a + w (b − a), on the way from a = `input` to b = `end`, with derivatives 1 − w, w and b − a.

    Raises:
        ShapeError: where the shapes do not broadcast.
        DtypeError: where `input` is not a tensor.

    >>> lerp(tensor([0.0, 10.0]), tensor([1.0, 20.0]), 0.25)
    tensor([ 0.2500, 12.5000])
    """
    return apply_operation(arithmetic.lerp, checked(input, "lerp"), end, weight)


def addcmul(input: Tensor, tensor1: Any, tensor2: Any, *, value: Any = 1) -> Tensor:
    """The sum a + v b c.

    Raises:
        ShapeError: where the shapes do not broadcast.

    >>> addcmul(tensor(1.0), tensor(2.0), tensor(3.0), value=10)
    tensor(61.)
    """
    return add(checked(input, "addcmul"), mul(tensor1, tensor2), alpha=value)


def addcdiv(input: Tensor, tensor1: Any, tensor2: Any, *, value: Any = 1) -> Tensor:
    """The sum a + v b / c.

    Raises:
        ShapeError: where the shapes do not broadcast.

    >>> addcdiv(tensor(1.0), tensor(2.0), tensor(4.0), value=10)
    tensor(6.)
    """
    return add(checked(input, "addcdiv"), div(tensor1, tensor2), alpha=value)


def heaviside(input: Tensor, values: Any) -> Tensor:
    """The step function: 0 for x < 0, 1 for x > 0, and `values` at 0, which get the gradient; x gets none.

    >>> heaviside(tensor([-2.0, 0.0, 2.0]), 0.5)
    tensor([0.0000, 0.5000, 1.0000])
    """
    zero_or_one = (checked(input, "heaviside") > 0).to(input.dtype)
    return where(input == 0, values, zero_or_one)


xlogy = _pairwise(arithmetic.xlogy, "xlogy", "(tensor([0.0, 2.0]), tensor([0.0, 1.0]))", "tensor([0., 0.])")


def logaddexp2(input: Any, other: Any) -> Tensor:
    """The logarithm log₂(2ᵃ + 2ᵇ), with derivatives 2ᵃ/(2ᵃ + 2ᵇ) and 2ᵇ/(2ᵃ + 2ᵇ).

    >>> logaddexp2(tensor(1000.0), 1000.0)
    tensor(1001.)
    """
    return logaddexp(input * math.log(2), other * math.log(2)) / math.log(2)


def logit(input: Tensor, eps: float | None = None) -> Tensor:
    """The inverse of the sigmoid, log x − log(1 − x), with derivative 1/(x (1 − x)); `eps` limits x to eps … 1 − eps.

    >>> logit(tensor([0.5, 0.5]))
    tensor([0., 0.])
    """
    x = checked(input, "logit") if eps is None else clamp(input, eps, 1 - eps)
    return log(x) - log1p(-x)


def clamp_min(input: Tensor, min: Any) -> Tensor:
    """The tensor limited to at least `min`: see `clamp`.

    >>> clamp_min(tensor([-2.0, 2.0]), 0)
    tensor([0., 2.])
    """
    return clamp(input, min=min)


def clamp_max(input: Tensor, max: Any) -> Tensor:
    """The tensor limited to at most `max`: see `clamp`.

    >>> clamp_max(tensor([-2.0, 2.0]), 0)
    tensor([-2.,  0.])
    """
    return clamp(input, max=max)


def copysign(input: Tensor, other: Any) -> Tensor:
    """The size of `input` with the sign of `other`, also that of 0: the slope is 1, −1 or (at 0) 0, and for `other` 0.

    >>> copysign(tensor([1.0, -2.0]), tensor([-1.0, 0.0]))
    tensor([-1.,  2.])
    """
    if isinstance(other, (bool, int, float)):
        return abs(checked(input, "copysign")) * math.copysign(1, other)
    array = getattr(other, "array", other)
    sign = of_two("copysign")(ones_like(array), array)
    # The sign of a whole number is one, so that it does not decide about the dtype.
    signs = sign if array.dtype.kind == "f" else astype(sign, np.int8)
    return abs(checked(input, "copysign")) / apply.wrap(signs, None)


def frac(input: Tensor) -> Tensor:
    """The part of x behind the point, x − trunc x, with derivative 1.

    >>> frac(tensor([1.5, -1.5]))
    tensor([ 0.5000, -0.5000])
    """
    return input - trunc(checked(input, "frac"))


def deg2rad(input: Tensor) -> Tensor:
    """Degrees in radians: π/180 · x.

    >>> deg2rad(tensor(180.0))
    tensor(3.1416)
    """
    return checked(input, "deg2rad") * (math.pi / 180)


def rad2deg(input: Tensor) -> Tensor:
    """Radians in degrees: 180/π · x.

    >>> rad2deg(tensor(0.0))
    tensor(0.)
    """
    return checked(input, "rad2deg") * (180 / math.pi)
