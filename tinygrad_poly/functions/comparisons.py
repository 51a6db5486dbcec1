"""Comparisons and other functions with results true or false. They have no derivative and are not recorded."""

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_poly.engine import apply
from tinygrad_poly.engine.apply import checked, comparison, wrap
from tinygrad_poly.engine.arrays import Array, astype, is_floating, namespace, of_library
from tinygrad_poly.engine.errors import DtypeError
from tinygrad_poly.functions._shared import OF_TWO, Tensor, described, either


def _compared(
    compare: Callable[[Any, Any], Any], mirrored: Callable[[Any, Any], Any], name: str, what: str, *example: str
) -> Callable[[Any, Any], Tensor]:
    """The function of two tensors or numbers that computes `compare` on arrays, or `mirrored` if they are exchanged."""
    forwards, backwards = comparison(compare), comparison(mirrored)

    def function(input: Any, other: Any) -> Tensor:
        return either(forwards, backwards, input, other, name)

    return described(function, name, what + OF_TWO, *example)


eq = _compared(operator.eq, operator.eq, "eq", "Where a = b", "(tensor([1, 2]), 2)", "tensor([False,  True])")
ne = _compared(operator.ne, operator.ne, "ne", "Where a ≠ b", "(tensor([1, 2]), 2)", "tensor([ True, False])")
lt = _compared(operator.lt, operator.gt, "lt", "Where a < b", "(tensor([1, 2]), 2)", "tensor([ True, False])")
gt = _compared(operator.gt, operator.lt, "gt", "Where a > b", "(tensor([1, 2]), 1)", "tensor([False,  True])")
le = _compared(operator.le, operator.ge, "le", "Where a ≤ b", "(tensor([1, 2]), 1)", "tensor([ True, False])")
ge = _compared(operator.ge, operator.le, "ge", "Where a ≥ b", "(tensor([1, 2]), 2)", "tensor([False,  True])")
not_equal, less, greater, less_equal, greater_equal = ne, lt, gt, le, ge


def _truth(x: Array) -> Array:
    """Numbers as booleans: False for 0, True for all others, including NaN."""
    return astype(x, namespace(x).bool) if hasattr(x, "dtype") else bool(x)


def _logical(combine: Callable[[Any, Any], Any], name: str, what: str, result: str) -> Callable[[Any, Any], Tensor]:
    def compare(a: Array, b: Array) -> Array:
        return combine(_truth(a), _truth(b))

    compare.__name__ = name
    given = "(tensor([True, True, False, False]), tensor([True, False, True, False]))"
    return _compared(compare, compare, name, f"Where {what}", given, result)


logical_and = _logical(operator.and_, "logical_and", "a and b", "tensor([ True, False, False, False])")
logical_or = _logical(operator.or_, "logical_or", "a or b", "tensor([ True,  True,  True, False])")
logical_xor = _logical(operator.xor, "logical_xor", "a or b, but not both", "tensor([False,  True,  True, False])")


_SPECIAL = '(tensor([1.0, float("nan"), float("inf")]))'


def _asked(
    ask: Callable[[Array], Array], name: str, what: str, result: str, given: str = _SPECIAL
) -> Callable[[Tensor], Tensor]:
    def function(input: Tensor) -> Tensor:
        return wrap(ask(checked(input, name).array), None)

    return described(function, name, f"Where x is {what}.", given, result)


isnan = _asked(of_library("isnan"), "isnan", "NaN", "tensor([False,  True, False])")
isinf = _asked(of_library("isinf"), "isinf", "∞ or −∞", "tensor([False, False,  True])")
isfinite = _asked(of_library("isfinite"), "isfinite", "a number", "tensor([ True, False, False])")
logical_not = _asked(lambda x: ~_truth(x), "logical_not", "false or 0", "tensor([ True, False])", "(tensor([0, 2]))")


def bitwise_not(input: Tensor) -> Tensor:
    """The complement ~x: for booleans not x, for integers all bits inverted.

    Raises:
        DtypeError: for floating-point numbers.

    >>> bitwise_not(tensor([True, False]))
    tensor([False,  True])
    """
    if is_floating(input.dtype):
        raise DtypeError(f"~ is for booleans and integers, not {input.dtype}; compare first: ~(x > 0)")
    return wrap(~input.array, None)


def equal(input: Tensor, other: Tensor) -> bool:
    """Whether two tensors have the same shape and the same numbers; NaN is equal to nothing.

    >>> equal(tensor([1, 2]), tensor([1, 2]))
    True
    """
    a, b = checked(input, "equal").array, checked(other, "equal").array
    return a.shape == b.shape and bool(eq(input, other).all())


def is_tensor(obj: Any) -> bool:
    """Whether something is a tensor.

    >>> is_tensor([1.0])
    False
    """
    return isinstance(obj, apply.tensor_class)


def is_floating_point(input: Tensor) -> bool:
    """Whether the elements are of a floating dtype, the only kind that carries gradients.

    >>> is_floating_point(tensor([1.0]))
    True
    """
    return is_floating(checked(input, "is_floating_point").dtype)


def is_nonzero(input: Tensor) -> bool:
    """Whether the only element of a tensor is another number than 0.

    >>> is_nonzero(tensor([0.0]))
    False
    """
    return bool(checked(input, "is_nonzero"))


def isclose(input: Tensor, other: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Tensor:
    """Whether a = b or |a − b| ≤ atol + rtol · |b|, for each pair; NaN is close to NaN only with `equal_nan`.

    Raises:
        ShapeError: where the shapes do not broadcast.
        DtypeError: where `input` is not a tensor, or `other` is no number.
        ValueError: for a negative tolerance.

    >>> isclose(tensor([1.0, 2.0]), tensor([1.0000001, 2.1]))
    tensor([ True, False])
    """
    if not (rtol >= 0 and atol >= 0):
        raise ValueError(f"isclose: rtol and atol are 0 or more, not {rtol} and {atol}")

    def close(a: Array, b: Array) -> Array:
        if "bool" in str(getattr(a, "dtype", "")) and "bool" in str(getattr(b, "dtype", type(b))):
            return a == b
        # ∞ − ∞ is NaN, and nothing to warn of: equal infinities are close because they are equal.
        with np.errstate(invalid="ignore"):
            distance = abs(a - b)
        result = (a == b) | ((distance < math.inf) & (distance <= atol + rtol * abs(b)))
        return result | ((a != a) & (b != b)) if equal_nan else result

    return either(comparison(close), close, checked(input, "isclose"), other, "isclose")


def allclose(input: Tensor, other: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> bool:
    """Whether all pairs of elements are close to each other: see `isclose`.

    >>> allclose(tensor([1.0, 2.0]), tensor([1.0000001, 2.0]))
    True
    """
    array = isclose(input, other, rtol, atol, equal_nan).array
    return bool(namespace(array).all(array))


def on_bits(combine: Callable[[Any, Any], Any], sign: str) -> Callable[[Any, Any], Any]:
    """The operator `combine` for arrays of integers and booleans, which refuses floating-point numbers by name."""

    def compute(a: Any, b: Any) -> Any:
        for x in (a, b):
            if isinstance(x, float) or is_floating(getattr(x, "dtype", bool)):
                raise DtypeError(f"{sign} is for integers and booleans, not {getattr(x, 'dtype', x)}; use .to(int64)")
        return combine(a, b)

    return compute


def _of_bits(combine: Callable[[Any, Any], Any], name: str, sign: str, *example: str) -> Callable[..., Tensor]:
    compute = on_bits(combine, sign)
    return _compared(compute, lambda a, b: compute(b, a), name, f"The bits of a {sign} b", *example)


bitwise_and = _of_bits(operator.and_, "bitwise_and", "&", "(tensor([6, 3]), 2)", "tensor([2, 2])")
bitwise_or = _of_bits(operator.or_, "bitwise_or", "|", "(tensor([6, 3]), 1)", "tensor([7, 3])")
bitwise_xor = _of_bits(operator.xor, "bitwise_xor", "^", "(tensor([6, 3]), 2)", "tensor([4, 1])")
bitwise_left_shift = _of_bits(operator.lshift, "bitwise_left_shift", "<<", "(tensor([1, 3]), 2)", "tensor([ 4, 12])")
bitwise_right_shift = _of_bits(operator.rshift, "bitwise_right_shift", ">>", "(tensor([4, 12]), 2)", "tensor([1, 3])")
