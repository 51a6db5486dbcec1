"""Mistakes: what people get wrong in a gradient, made in its text, in its result, or between two of its calls."""

from __future__ import annotations

import ast
import copy
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from .functions import Row

Gradient = Callable[..., Any]


@dataclass(frozen=True)
class Mistake:
    """A mistake in the gradient of a row: which, in which argument (by its number), and how to make it."""

    label: str
    argument: int
    plant: Callable[[str], Gradient]
    """From the name of the argument that comes last ("" for none) to the wrong gradient."""
    stateful: bool = False


# Mistakes in the text


def _variants(node: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    """An expression with one mistake in what it is linear in: terms, factors, sums, transposes."""

    def inside(field: str, value: ast.expr) -> Iterator[tuple[str, ast.expr]]:
        for label, new in _variants(value):
            changed = copy.copy(node)
            setattr(changed, field, new)
            yield label, changed

    match node:
        case ast.BinOp(left=a, op=ast.Add() | ast.Sub() as op, right=b):
            minus = isinstance(op, ast.Sub)
            yield "missing term", a
            yield "missing term", ast.UnaryOp(ast.USub(), b) if minus else b
            yield "term counted twice", ast.BinOp(node, op, b)
            yield "term counted twice", ast.BinOp(node, ast.Add(), a)
            yield "sign of a term", ast.BinOp(a, ast.Add() if minus else ast.Sub(), b)
            yield from inside("left", a)
            yield from inside("right", b)
        case ast.BinOp(left=a, op=ast.Mult(), right=b):
            yield _factor(b), a
            yield _factor(a), b
            yield from inside("left", a)
            yield from inside("right", b)
        case ast.BinOp(left=a, op=ast.Div(), right=b):
            yield _factor(b), a
            yield _factor(a), ast.BinOp(ast.Constant(1), node.op, b)
            yield from inside("left", a)
            if isinstance(b, ast.BinOp):
                for label, new in _variants(b):
                    if label == "n for n − 1":
                        yield label, ast.BinOp(a, ast.Div(), new)
        case ast.BinOp(left=ast.Name(), op=ast.MatMult(), right=ast.Name()):
            yield "transposed", ast.BinOp(node.right, ast.MatMult(), node.left)
        case ast.BinOp(left=a, op=ast.MatMult(), right=b):
            if isinstance(a, ast.Attribute):
                first = f"({ast.unparse(a.value)}[:1].T @ {ast.unparse(b)}[:1])"
                yield "one row only", ast.parse(first, mode="eval").body
            yield from inside("left", a)
            yield from inside("right", b)
        case ast.BinOp(op=ast.Pow(), left=a, right=ast.BinOp(left=n, op=ast.Sub(), right=ast.Constant(value=1))):
            yield "n for n − 1", ast.BinOp(a, ast.Pow(), n)
        case ast.UnaryOp(op=ast.USub(), operand=a):
            yield "sign", a
            yield from inside("operand", a)
        case ast.Attribute(value=a, attr="T"):
            yield "transposed", a
        case ast.Call(func=ast.Name(id="scatter"), args=args):
            yield "x[i] += for np.add.at", ast.Call(ast.Name("scatter_once", ast.Load()), args, [])
        case ast.Call(func=ast.Attribute(value=ast.Name(id="np"), attr="outer"), args=[a, b]):
            yield "transposed", ast.Call(node.func, [b, a], [])
        case ast.Call(func=ast.Attribute(value=a, attr="sum" | "mean" as name), args=args):
            other = "mean" if name == "sum" else "sum"
            yield "mean for sum", ast.Call(ast.Attribute(a, other, ast.Load()), args, node.keywords)
            axis = args[0].value if args and isinstance(args[0], ast.Constant) else None
            yield "missing sum", a
            text = ast.unparse(a)
            if axis is not None and name == "sum" and not node.keywords:
                yield "wrong axis", ast.Call(node.func, [ast.Constant(1 - axis)], [])
                yield "one row only", ast.parse(f"({text})[{'0' if axis == 0 else ':, 0'}]", mode="eval").body
            elif name == "sum" and axis is None:
                yield "one row only", ast.parse(f"np.ravel({text})[0]", mode="eval").body
            for label, new in _variants(a):
                yield label, ast.Call(ast.Attribute(new, name, ast.Load()), args, node.keywords)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub) and ast.unparse(node) == "m - 1":
        yield "n for n − 1", node.left


def _factor(dropped: ast.expr) -> str:
    """What dropping a factor is called: one that is made of numbers and sizes is constant."""
    names = {n.id for n in ast.walk(dropped) if isinstance(n, ast.Name)}
    constant = names <= {"m"} or ast.unparse(dropped).startswith("len(") or ast.unparse(dropped).endswith(".size")
    return "constant factor dropped" if constant else "missing chain-rule factor"


@functools.cache
def in_text(row: Row) -> list[Mistake]:
    """The mistakes that can be made in the text of a row's gradient."""
    found: dict[str, Mistake] = {}

    def enter(label: str, argument: int, expressions: dict[str, str], back: str) -> None:
        text = f"{expressions} {back}"
        found.setdefault(text, Mistake(label, argument, lambda last: row.gradient(expressions, back, last)))

    for k, (name, expression) in enumerate(row.gradients.items()):
        for label, wrong in _variants(ast.parse(expression, mode="eval").body):
            enter(label, k, {**row.gradients, name: ast.unparse(ast.fix_missing_locations(wrong))}, row.back)
    lines = [line for line in row.back.split(";") if line]
    for k, line in enumerate(lines):
        target, _, expression = line.partition("=")
        for label, wrong in _variants(ast.parse(expression.strip(), mode="eval").body):
            new = f"{target}= {ast.unparse(ast.fix_missing_locations(wrong))}"
            enter(label, -1, dict(row.gradients), "; ".join([*lines[:k], new, *lines[k + 1 :]]))
    return list(found.values())


# Mistakes in the result


def _batch(row: Row, args: Any) -> int:
    return next(len(x) for x, (dims, _) in zip(args, row.arguments.values()) if dims[:1] == ("m",))


def _times(factor: float) -> Callable[..., Any]:
    return lambda g, row, args: g * factor


def _rows_dropped(g: Any, row: Row, args: Any) -> Any:
    kept = np.array(g, copy=True)
    kept[1:] = 0
    return kept


def _transposed(g: Any, row: Row, args: Any) -> Any:
    return g.T if g.shape[0] == g.shape[1] else g.T.reshape(g.shape)


def _diagonal(g: Any, row: Row, args: Any) -> Any:
    return g * np.eye(len(g), dtype=int) if g.shape[0] == g.shape[1] else g


SIZES = {f"1 + 1e-{k}": 10.0**-k for k in range(2, 11)}
SIMPLE: dict[str, tuple[int, Callable[..., Any]]] = {
    "factor 2": (0, _times(2.0)),
    "factor 1/2": (0, _times(0.5)),
    "sign": (0, _times(-1.0)),
    **{label: (0, _times(1 + size)) for label, size in SIZES.items()},
    "factor 1/m": (0, lambda g, row, args: g / _batch(row, args)),
    "factor m": (0, lambda g, row, args: g * _batch(row, args)),
    "factor m/2": (0, lambda g, row, args: g * (_batch(row, args) / 2)),
    "detached": (0, lambda g, row, args: np.zeros_like(g)),
    "float32": (0, lambda g, row, args: np.asarray(g).astype(np.float32).astype(np.asarray(g).dtype)),
    "in reverse order": (1, lambda g, row, args: g[::-1]),
    "one row only": (1, _rows_dropped),
    "transposed": (2, _transposed),
    "only the diagonal": (2, _diagonal),
}
"""Mistakes that are a function of the right answer, by how many axes that needs at least."""


def _on_result(row: Row, k: int, change: Callable[..., Any]) -> Callable[[str], Gradient]:
    def plant(last: str) -> Gradient:
        right = row.gradient(last=last)

        @functools.wraps(right)
        def wrong(*args: Any) -> Any:
            return tuple(change(g, row, args) if j == k else g for j, g in enumerate(right(*args)))

        return wrong

    return plant


def _on_all(row: Row, change: Callable[..., Any]) -> Callable[[str], Gradient]:
    def plant(last: str) -> Gradient:
        right = row.gradient(last=last)
        return functools.wraps(right)(lambda *args: change(right, args))

    return plant


def _exchanged(j: int, k: int) -> Callable[..., Any]:
    def change(right: Gradient, args: Any) -> Any:
        found = list(right(*args))
        found[j], found[k] = found[k], found[j]
        return tuple(found)

    return change


def _one_buffer(j: int, k: int) -> Callable[..., Any]:
    def change(right: Gradient, args: Any) -> Any:
        found = list(right(*args))
        found[j] = found[k] = found[j] + found[k]
        return tuple(found)

    return change


def _overwritten(k: int) -> Callable[..., Any]:
    """The first gradient is written into the memory of its argument, from which the others are then computed."""

    def change(right: Gradient, args: Any) -> Any:
        first = right(*args)[0]
        return (first, *right(*args[:k], first, *args[k + 1 :])[1:])

    return change


def _two_at_once(right: Gradient, args: Any) -> Any:
    first, second, *rest = right(*args)
    return (first * 2.0, -second, *rest)


def _through_float32(right: Gradient, args: Any) -> Any:
    narrow = [x.astype(np.float32) if getattr(x, "dtype", None) == np.float64 else x for x in args]
    return tuple(np.asarray(g).astype(np.asarray(x).dtype) for g, x in zip(right(*narrow), right(*args)))


def _cotangent_ignored(right: Gradient, args: Any) -> Any:
    return right(*args[:-1], np.ones_like(args[-1]))


def _diagonal_of_jacobian(right: Gradient, args: Any) -> Any:
    c = args[-1]
    each = [right(*args[:-1], np.where(np.arange(c.size).reshape(c.shape) == n, c, 0)) for n in range(c.size)]
    return tuple(
        np.array([g.flat[n] for n, g in enumerate(gs)]).reshape(c.shape) if np.shape(gs[0]) == c.shape else sum(gs)
        for gs in zip(*each)
    )


# Mistakes between calls: each wrong gradient was called before, at another point, as in a training loop.


def _saved_once(right: Gradient) -> Gradient:
    saved: list[Any] = []

    def wrong(*args: Any) -> Any:
        saved[:] = saved or args
        return right(*saved)

    return functools.wraps(right)(wrong)


def _one_call_late(right: Gradient) -> Gradient:
    last: list[Any] = []

    def wrong(*args: Any) -> Any:
        used = list(last) or list(args)
        last[:] = args
        return right(*used)

    return functools.wraps(right)(wrong)


def _accumulated(right: Gradient) -> Gradient:
    total: list[Any] = []

    def wrong(*args: Any) -> Any:
        new = right(*args)
        same = [np.shape(g) for g in total] == [np.shape(g) for g in new]
        total[:] = [a + b for a, b in zip(total, new)] if same else new
        return tuple(np.array(g, copy=True) for g in total)

    return functools.wraps(right)(wrong)


CALLS = {
    "stale, saved once": _saved_once,
    "stale, one call late": _one_call_late,
    "accumulated": _accumulated,
}


@functools.cache
def mistakes(row: Row) -> list[Mistake]:
    """All mistakes that can be made in a row's gradient."""
    found = list(in_text(row))
    shapes = [row.arguments[name] for name in row.gradients]
    batch = any(dims[:1] == ("m",) for dims, _ in row.arguments.values())
    for k, (dims, _) in enumerate(shapes):
        for label, (axes, change) in SIMPLE.items():
            if (
                len(dims) >= axes
                and (batch or not label.startswith(("factor 1/m", "factor m")))
                and not (axes == 2 and len(dims) > 2)
            ):
                found.append(Mistake(label, k, _on_result(row, k, change)))
        for j in range(k):
            if shapes[j] == shapes[k]:
                found.append(Mistake("swapped", -1, _on_all(row, _exchanged(j, k))))
                found.append(Mistake("one buffer for two", -1, _on_all(row, _one_buffer(j, k))))
    if len(shapes) > 1:
        found.append(Mistake("factor 2 and sign", -1, _on_all(row, _two_at_once)))
        place = list(row.arguments).index(row.wrt[0])
        found.append(Mistake("argument overwritten", -1, _on_all(row, _overwritten(place))))
    found.append(Mistake("float32", -1, _on_all(row, _through_float32)))
    for label, change in CALLS.items():
        found.append(Mistake(label, -1, lambda last, change=change: change(row.gradient(last=last)), stateful=True))
    return found
