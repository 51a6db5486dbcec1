"""Expressions that a user typed, as functions: parsed with a list of what is allowed, and never run as Python."""

import ast
import operator
from collections.abc import Callable, Mapping
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
    _check(tree, 0)
    return lambda variables: _value(tree, variables)


def names(text: str) -> list[str]:
    """The variables of an expression, in order."""
    found = [node.id for node in ast.walk(ast.parse(text.strip(), mode="eval")) if isinstance(node, ast.Name)]
    return [name for name in dict.fromkeys(found) if name not in FUNCTIONS]


def _check(node: ast.AST, depth: int) -> None:
    """Refuse what is not allowed."""
    if depth > DEEPEST:
        raise DataError(f"the expression has more than {DEEPEST} parts inside each other")
    match node:
        case ast.BinOp(left, kind, right) if type(kind) in OPERATORS:
            inside = [left, right]
        case ast.UnaryOp(kind, operand) if type(kind) in OPERATORS:
            inside = [operand]
        case ast.Call(ast.Name(name), arguments, []) if name in FUNCTIONS:
            inside = list(arguments)
        case ast.Call(ast.Attribute(value, name), arguments, []) if name in FUNCTIONS:
            inside = [value, *arguments]
        case ast.Name(name) if name not in FUNCTIONS:
            inside = []
        case ast.Constant(int() | float() as value) if type(value) is not bool and abs(value) < 1e308:
            inside = []
        case _:
            allowed = f"names, numbers, + - * / ** @, {', '.join(FUNCTIONS)}"
            raise DataError(f"{ast.unparse(node)[:60]!r} is not allowed in an expression; allowed are {allowed}")
    for part in inside:
        _check(part, depth + 1)


def _value(node: ast.AST, variables: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant(value):
            return float(value)  # type: ignore[arg-type]  # powers of whole numbers would have no end
        case ast.Name(name):
            if name not in variables:
                raise DataError(f"{name} has no value: give one with --at {name}=…")
            return variables[name]
        case ast.BinOp(left, kind, right):
            a, b = _value(left, variables), _value(right, variables)
            try:
                return OPERATORS[type(kind)](a, b)
            except (ArithmeticError, TypeError) as error:
                raise DataError(f"{ast.unparse(node)[:60]!r}: {error}") from None
        case ast.UnaryOp(kind, operand):
            return OPERATORS[type(kind)](_value(operand, variables))
        case ast.Call(ast.Attribute(value, name), arguments):
            given = [_value(part, variables) for part in (value, *arguments)]
        case ast.Call(ast.Name(name), arguments):
            given = [_value(part, variables) for part in arguments]
    if not given or not isinstance(given[0], Tensor):
        raise DataError(f"{name}() of something that is no tensor")
    return getattr(functions, name)(*given)
