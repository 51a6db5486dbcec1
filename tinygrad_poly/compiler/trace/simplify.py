"""Simplification: the same program with fewer instructions."""

from dataclasses import replace
from typing import Any, cast

import numpy as np

from tinygrad_poly.compiler.trace.program import Program, in_order
from tinygrad_poly.compiler.trace.symbols import Place, Symbol, call, constant, is_elementwise
from tinygrad_poly.engine.arrays import Shape


def simplify(program: Program) -> Program:
    """The program without repeated, known and unneeded instructions.

    - Two symbols with the same function and inputs become one.
    - A function of constants becomes a constant.
    - 1 · x and x · 1, x / 1, x + (−0) and x − 0 become x: the only such rules that hold for every x, infinities,
      NaN and −0 included (0 · x and x + 0 do not).
    - Products of matrices that are a single row or column become elementwise products and sums, and transposes of
      them become reshapes: so that `nn.Linear(1, 1)` can be part of a loop.
    - An expansion of one number becomes that number where it is only used elementwise.
    - What no output needs is gone, because nothing refers to it any more.
    """
    known: dict[Any, Symbol] = {}
    new: dict[Symbol, Symbol] = {}
    for s in in_order(program.outputs):
        if s.function == "input":
            new[s] = s
            continue
        inputs = tuple(new[x] if isinstance(x, Symbol) else x for x in s.inputs)
        if is_elementwise(s.function):
            inputs = _unexpanded(inputs, s.shape)
        simpler = next((r for rule in (_identity, _known, _reshaped) if (r := rule(s, inputs)) is not None), None)
        if simpler is None:
            key = s.function, *map(_key, inputs), _key(s.attributes)
            simpler = known.get(key)
            if simpler is None:
                simpler = known[key] = replace(s, inputs=inputs)
        if s.name and not simpler.name:
            simpler.name = s.name
        if s.phase == "forward":
            # A backward rule may compute again what the forward pass had: it belongs to the latter.
            simpler.phase = s.phase
        new[s] = simpler
    return Program.of(program.inputs, [new[s] for s in program.outputs])


def _key(x: Any) -> Any:
    """A key that differs for different inputs and attributes; text alone would not do, as arrays may print alike."""
    if isinstance(x, Symbol):
        return ("full", _key(x.attributes)) if x.function == "full" else id(x)
    if isinstance(x, (tuple, list)):
        return (type(x), *map(_key, x))
    return (type(x), repr(x)) if isinstance(x, (bool, int, float, str, slice, np.dtype, Place)) else id(x)


def constant_value(x: Any) -> Any:
    """The number that all elements of `x` have; None if they differ or are not known."""
    if isinstance(x, Symbol):
        return dict(x.attributes)["fill_value"] if x.function == "full" else None
    if isinstance(x, (bool, int, float)):
        return x
    return x.item() if isinstance(x, np.generic) else None


def _unexpanded(inputs: tuple[Any, ...], shape: Shape) -> tuple[Any, ...]:
    """The inputs with numbers in place of their expansions, where the result keeps its shape."""
    found = list(inputs)
    for i, x in enumerate(found):
        if isinstance(x, Symbol) and x.function == "broadcast_to":
            shapes = [getattr(y, "shape", ()) for y in (*found[:i], x.inputs[0], *found[i + 1 :])]
            if np.broadcast_shapes(*shapes) == shape:
                found[i] = x.inputs[0]
    return tuple(found)


# Where a number changes nothing: its position among the inputs, and the number.
_NEUTRAL = {"multiply": ((0, 1.0), (1, 1.0)), "divide": ((1, 1.0),), "subtract": ((1, 0.0),)}


def _identity(s: Symbol, inputs: tuple[Any, ...]) -> Symbol | None:
    """The input that `s` always equals, whatever its value; None if there is none."""
    for position, neutral in _NEUTRAL.get(s.function, ()):
        value, other = constant_value(inputs[position]), inputs[1 - position]
        if (
            value is not None
            and value == neutral
            and not (neutral == 0 and np.signbit(value))
            and isinstance(other, Symbol)
            and other.shape == s.shape
            and other.dtype == s.dtype
        ):
            return other
    return None


def _known(s: Symbol, inputs: tuple[Any, ...]) -> Symbol | None:
    """A constant, if `s` is a function of constants."""
    if not is_elementwise(s.function) or not inputs:
        return None
    values = []
    for x in inputs:
        value = constant_value(x)
        if value is None:
            return None
        values.append(np.asarray(value, x.dtype)[()] if hasattr(x, "dtype") else value)
    with np.errstate(all="ignore"):
        result = call(s.function, tuple(values), s.attributes)
    return constant(np.asarray(result).item(), s.shape, s.dtype)


def _reshaped(s: Symbol, inputs: tuple[Any, ...]) -> Symbol | None:
    """Matrices with a single row or column, without their transposes and matrix products."""
    if s.function in ("swapaxes", "permute_dims", "transpose", "reshape"):
        x: Any = inputs[0]
        if not isinstance(x, Symbol) or (s.function != "reshape" and sum(length != 1 for length in x.shape) > 1):
            return None
        while x.function == "reshape":
            x = x.inputs[0]
        if x.shape == s.shape:
            return cast(Symbol, x)
        if s.function == "reshape" and x is inputs[0]:
            return None
        return _like(s, "reshape", (x,), s.shape, shape=s.shape)
    if s.function == "matmul" and all(isinstance(x, Symbol) and x.ndim == 2 for x in inputs):
        a, b = inputs
        if a.shape[1] == 1:
            return _like(s, "multiply", (a, b), s.shape)
        if a.shape[0] == 1 and b.shape[1] == 1:
            column = _reshaped(_like(s, "reshape", (a,), b.shape, shape=b.shape), (a,))
            column = _like(s, "reshape", (a,), b.shape, shape=b.shape) if column is None else column
            product = _like(s, "multiply", (column, b), b.shape)
            total = _like(s, "sum", (product,), (), axis=None, keepdims=False)
            return _like(s, "reshape", (total,), s.shape, shape=s.shape)
    return None


def _like(s: Symbol, function: str, inputs: tuple[Any, ...], made_shape: Shape, **attributes: Any) -> Symbol:
    """A symbol for a part of the computation of `s`."""
    given = tuple(sorted(attributes.items()))
    return replace(s, function=function, inputs=inputs, attributes=given, shape=made_shape, name="", weak=False)
