"""Functions of each element."""

from collections.abc import Callable
from typing import Any

from tinygrad_poly.derivatives import arithmetic, elementwise, piecewise
from tinygrad_poly.engine import arrays
from tinygrad_poly.engine.apply import apply_operation, apply_unary, checked
from tinygrad_poly.engine.errors import DtypeError, ShapeError
from tinygrad_poly.engine.operation import Operation, special_text
from tinygrad_poly.functions._shared import Tensor, as_number, check_condition, described


def _elementwise(operation: Operation, name: str, given: str, result: str, *options: Any) -> Callable[[Tensor], Tensor]:
    """The function of a row of the derivative table, described by that row."""

    def function(input: Tensor) -> Tensor:
        return apply_unary(operation, checked(input, name), *options)

    text = f"""{operation.formula}, for each element.

    Derivative: {operation.derivative}. Special points: {special_text(operation)}.

    The result has the shape of `input` and its dtype (integers become the default dtype unless the result is whole).

    Raises:
        DtypeError: where `input` is not a tensor."""
    return described(function, name, text, given, result)


exp = _elementwise(elementwise.exp, "exp", "(tensor(0.0))", "tensor(1.)")
exp2 = _elementwise(elementwise.exp2, "exp2", "(tensor(3.0))", "tensor(8.)")
expm1 = _elementwise(elementwise.expm1, "expm1", "(tensor(0.0))", "tensor(0.)")
log = _elementwise(elementwise.log, "log", "(tensor(1.0))", "tensor(0.)")
log2 = _elementwise(elementwise.log2, "log2", "(tensor(8.0))", "tensor(3.)")
log10 = _elementwise(elementwise.log10, "log10", "(tensor(1000.0))", "tensor(3.)")
log1p = _elementwise(elementwise.log1p, "log1p", "(tensor(0.0))", "tensor(0.)")

sqrt = _elementwise(elementwise.sqrt, "sqrt", "(tensor(4.0))", "tensor(2.)")
rsqrt = _elementwise(elementwise.rsqrt, "rsqrt", "(tensor(4.0))", "tensor(0.5000)")
cbrt = _elementwise(elementwise.cbrt, "cbrt", "(tensor(27.0))", "tensor(3.)")
reciprocal = _elementwise(arithmetic.reciprocal, "reciprocal", "(tensor(4.0))", "tensor(0.2500)")

sin = _elementwise(elementwise.sin, "sin", "(tensor(0.0))", "tensor(0.)")
cos = _elementwise(elementwise.cos, "cos", "(tensor(0.0))", "tensor(1.)")
tan = _elementwise(elementwise.tan, "tan", "(tensor(0.0))", "tensor(0.)")
asin = arcsin = _elementwise(elementwise.asin, "asin", "(tensor(1.0))", "tensor(1.5708)")
acos = arccos = _elementwise(elementwise.acos, "acos", "(tensor(1.0))", "tensor(0.)")
atan = arctan = _elementwise(elementwise.atan, "atan", "(tensor(1.0))", "tensor(0.7854)")
sinh = _elementwise(elementwise.sinh, "sinh", "(tensor(0.0))", "tensor(0.)")
cosh = _elementwise(elementwise.cosh, "cosh", "(tensor(0.0))", "tensor(1.)")
tanh = _elementwise(elementwise.tanh, "tanh", "(tensor(0.0))", "tensor(0.)")
asinh = arcsinh = _elementwise(elementwise.asinh, "asinh", "(tensor(0.0))", "tensor(0.)")
acosh = arccosh = _elementwise(elementwise.acosh, "acosh", "(tensor(1.0))", "tensor(0.)")
atanh = arctanh = _elementwise(elementwise.atanh, "atanh", "(tensor(0.0))", "tensor(0.)")

erf = _elementwise(elementwise.erf, "erf", "(tensor(0.0))", "tensor(0.)")
erfc = _elementwise(elementwise.erfc, "erfc", "(tensor(0.0))", "tensor(1.)")
sinc = _elementwise(elementwise.sinc, "sinc", "(tensor(0.0))", "tensor(1.)", 0)

abs = absolute = _elementwise(piecewise.abs, "abs", "(tensor([-3, 3]))", "tensor([3, 3])")
sign = sgn = _elementwise(piecewise.sign, "sign", "(tensor([-3, 0, 3]))", "tensor([-1,  0,  1])")
neg = negative = _elementwise(arithmetic.negative, "negative", "(tensor([1, -2]))", "tensor([-1,  2])")
floor = _elementwise(piecewise.floor, "floor", "(tensor([1.5, -1.5]))", "tensor([ 1., -2.])")
ceil = _elementwise(piecewise.ceil, "ceil", "(tensor([1.5, -1.5]))", "tensor([ 2., -1.])")
trunc = fix = _elementwise(piecewise.trunc, "trunc", "(tensor([1.5, -1.5]))", "tensor([ 1., -1.])")


def square(input: Tensor) -> Tensor:
    """The square x², with derivative 2x.

    >>> square(tensor(3.0))
    tensor(9.)
    """
    return apply_unary(arithmetic.power_scalar, checked(input, "square"), 2)


def round(input: Tensor, *, decimals: int = 0) -> Tensor:
    """The nearest number with so many decimals (before the point, if negative); halves go to the even digit.

    The derivative is 0, at the jumps too.

    >>> round(tensor([0.5, 1.5, -0.7]))
    tensor([ 0.,  2., -1.])
    >>> round(tensor(1234.5678), decimals=2)
    tensor(1234.5700)
    """
    return apply_unary(piecewise.round, checked(input, "round"), decimals)


def positive(input: Tensor) -> Tensor:
    """The tensor itself, as the operator +x.

    Raises:
        DtypeError: for a boolean tensor.

    >>> positive(tensor(2.0))
    tensor(2.)
    """
    if checked(input, "positive").dtype == bool:
        raise DtypeError("positive: a boolean tensor has no sign; use .float() first")
    return input


def nan_to_num(input: Tensor, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Tensor:
    """The tensor with numbers for NaN, ∞ and −∞ (by default 0 and the dtype's largest and smallest numbers).

    The derivative is 1, and 0 where an element was replaced.

    >>> nan_to_num(tensor([1.0, float("nan"), float("inf")]), posinf=9.0)
    tensor([1., 0., 9.])
    """
    if not arrays.is_floating(checked(input, "nan_to_num").dtype):
        return input
    numbers = {"nan": nan, "posinf": posinf, "neginf": neginf}
    return apply_unary(piecewise.nan_to_num, input, *[as_number(numbers[k], "nan_to_num", k) for k in numbers])


def where(condition: Any, input: Any, other: Any) -> Tensor:
    """The elements of `input` where `condition` holds, of `other` elsewhere; the gradient goes where each came from.

    A NaN or infinity in the slope of the branch that was *not* taken still spoils the gradient
    (0 · ∞ is NaN), as in torch: choose a harmless argument first, then compute.

    Raises:
        DtypeError: where `condition` is not a boolean tensor.
        ShapeError: where the three do not broadcast.

    >>> where(tensor([True, False]), tensor([1.0, 2.0]), 0.0)
    tensor([1., 0.])
    """
    check_condition(condition, "where", "condition")
    if not hasattr(input, "dtype") and not hasattr(other, "dtype"):
        # Two Python numbers: without this, they would be in NumPy's default dtype.
        xp = arrays.namespace(getattr(condition, "array", condition))
        floats = isinstance(input, float) or isinstance(other, float)
        input = xp.asarray(input, dtype=arrays.get_default_dtype() if floats else None)
    return apply_operation(elementwise.where, condition, input, other)


def masked_fill(input: Tensor, mask: Any, value: Any) -> Tensor:
    """The tensor with `value`, a number or a 0-d tensor, where `mask` holds, in the dtype of `input`.

    The gradient of `input` is 0 where it was replaced; a tensor `value` gets the sum of the others.

    Raises:
        DtypeError: where `mask` is not boolean, or an integer tensor is to hold a fraction.
        ShapeError: where `mask` does not broadcast with `input`, or `value` has dimensions.

    >>> masked_fill(tensor([1.0, 2.0]), tensor([True, False]), -1.0)
    tensor([-1.,  2.])
    """
    dtype = checked(input, "masked_fill").dtype
    if getattr(value, "ndim", 0):
        raise ShapeError(f"masked_fill: the value must be a number, not a tensor of shape {value.shape}")
    result = apply_operation(elementwise.where, check_condition(mask, "masked_fill", "mask"), value, input)
    if result.dtype != dtype and not arrays.is_floating(dtype):
        raise DtypeError(f"masked_fill: a {dtype} tensor cannot hold {value}; use .float() first")
    return result.to(dtype)
