"""Expressions that a user typed, as functions: parsed with a list of what is allowed, and never run as Python."""

import ast
import operator
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from tinygrad_poly import functions
from tinygrad_poly.engine.errors import DataError
from tinygrad_poly.tensor import Tensor

LONGEST, DEEPEST = 2000, 50
"""How many characters an expression may have, and how many parts inside each other."""

OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.MatMult: operator.matmul,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}
FUNCTIONS = (
    *("sum", "mean", "exp", "log", "log1p", "expm1", "sqrt", "square", "abs", "sin", "cos", "tan", "sinh", "cosh"),
    *("tanh", "asin", "acos", "atan", "relu", "sigmoid", "softplus", "erf", "maximum", "minimum", "max", "min", "prod"),
    *("var", "std", "norm", "logsumexp", "reciprocal", "dot", "cumsum"),
)
"""The functions that may be called, as `exp(x)` or `x.exp()`."""


def parse(text: str) -> Callable[[Mapping[str, Any]], Any]:
    """The function of its variables that an expression stands for.

    Args:
        text: such as "((a + b*x - y)**2).sum()".

    Raises:
        DataError: naming the part that is not allowed.

    >>> parse("2*a + 1")({"a": 3.0})
    7.0
    >>> parse("a.__class__")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    tinygrad_poly.engine.errors.DataError: 'a.__class__' is not allowed in an expression; allowed are names, ...
    """
    if len(text) > LONGEST:
        raise DataError(f"the expression has {len(text):,} characters, and may have {LONGEST:,}")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise DataError(f"{text!r} is no expression: {getattr(error, 'msg', error)}") from None
    return _function(tree, 0)


def _function(node: ast.AST, depth: int) -> Callable[[Mapping[str, Any]], Any]:
    """The function of its variables that a part of an expression stands for; what is not allowed is refused."""
    if depth > DEEPEST:
        raise DataError(f"the expression has more than {DEEPEST} parts inside each other")
    inside: list[ast.expr]
    apply: Callable[..., Any]
    match node:
        case ast.Constant(int() | float() as value) if type(value) is not bool and abs(value) < 1e308:
            return lambda variables: float(value)  # powers of whole numbers would have no end
        case ast.Name(name) if name not in FUNCTIONS:
            return partial(_variable, name)
        case ast.BinOp(left, kind, right) if type(kind) in OPERATORS:
            inside, apply = [left, right], partial(_operated, node, OPERATORS[type(kind)])
        case ast.UnaryOp(kind, operand) if type(kind) in OPERATORS:
            inside, apply = [operand], OPERATORS[type(kind)]
        case ast.Call(ast.Name(name), arguments, []) if name in FUNCTIONS:
            inside, apply = arguments, partial(_called, name)
        case ast.Call(ast.Attribute(operand, name), arguments, []) if name in FUNCTIONS:
            inside, apply = [operand, *arguments], partial(_called, name)
        case _:
            allowed = f"names, numbers, + - * / ** @, {', '.join(FUNCTIONS)}"
            raise DataError(f"{ast.unparse(node)[:60]!r} is not allowed in an expression; allowed are {allowed}")
    parts = [_function(part, depth + 1) for part in inside]
    return lambda variables: apply(*(part(variables) for part in parts))


def _variable(name: str, variables: Mapping[str, Any]) -> Any:
    if name not in variables:
        raise DataError(f"{name} has no value: give one with --at {name}=…")
    return variables[name]


def _operated(node: ast.AST, operate: Callable[..., Any], a: Any, b: Any) -> Any:
    try:
        return operate(a, b)
    except (ArithmeticError, TypeError) as error:
        raise DataError(f"{ast.unparse(node)[:60]!r}: {error}") from None


def _called(name: str, *given: Any) -> Any:
    if not given or not isinstance(given[0], Tensor):
        raise DataError(f"{name}() of something that is no tensor")
    return getattr(functions, name)(*given)
