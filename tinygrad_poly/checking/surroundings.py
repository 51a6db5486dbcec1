"""Surroundings: what functions read beside their arguments, and the same functions with other data in its place."""

from __future__ import annotations

import dis
import functools
from collections.abc import Callable, Iterator
from types import CellType, CodeType, FunctionType
from typing import Any

import numpy as np

from tinygrad_poly.func.given import as_array, of_numbers

NOTHING = CellType()


def variables(function: Any) -> Iterator[tuple[str, Any]]:
    """The names and values that a Python function reads from its module, and from the functions around it."""
    for name in sorted(_names(function.__code__) & function.__globals__.keys()):
        yield name, function.__globals__[name]
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or ()):
        if cell != NOTHING:
            yield name, cell.cell_contents


def _names(code: CodeType) -> set[str]:
    own = {i.argval for i in dis.get_instructions(code) if i.opname.endswith(("_GLOBAL", "_NAME"))}  # no attributes
    return own.union(*(_names(c) for c in code.co_consts if isinstance(c, CodeType)))


def _helper(function: Any, name: str, value: Any) -> bool:
    """Whether a value that a function reads is a function of the same program."""
    own = name in function.__code__.co_freevars or getattr(value, "__globals__", None) is function.__globals__
    return own and isinstance(value, FunctionType)


class Surroundings:
    """The data that a loss and its gradient read beside their arguments.

    Attributes:
        values: the arrays, tensors and lists of numbers of those lengths that both functions read.
        numbers: the single numbers that they read, which may be sizes of the data.
        now: what the functions read instead, by the number of the value; empty where they read the values themselves.
    """

    def __init__(self, *functions: Any) -> None:
        self.now: dict[int, Any] = {}
        read = [list(self._read(f, set())) for f in functions if isinstance(f, FunctionType)]
        lengths = [{len(x) for x in each if _ndim(x)} for each in read]
        both = set.intersection(*lengths) if read and len(read) == len(functions) else set()
        found = {id(x): x for each in read for x in each}.values()
        self.values = [x for x in found if _ndim(x) and len(x) in both]
        self.numbers = [as_array(x).item() for x in found if _ndim(x) == 0]

    def _read(self, function: Any, seen: set[int]) -> Iterator[Any]:
        seen.add(id(function))
        yield from (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values())
        for name, value in variables(function):
            if not _helper(function, name, value):
                yield value
            elif id(value) not in seen:
                yield from self._read(value, seen)

    def reading(self, function: Any) -> Any:
        """The function, which reads what is in `now`."""
        if not (self.values and isinstance(function, FunctionType)):
            return function

        @functools.wraps(function)
        def call(*args: Any, **keywords: Any) -> Any:
            now = {id(self.values[n]): x for n, x in self.now.items()}
            return (_rebuilt(function, now) if now else function)(*args, **keywords)

        return call


def _rebuilt(function: Callable[..., Any], made: dict[int, Any]) -> Any:
    """A copy of a function, and of those that it calls, with copies of their modules: the program stays as it is."""
    scopes: dict[int, dict[str, Any]] = {}

    def again(value: Any) -> Any:
        scope = scopes.setdefault(id(value.__globals__), dict(value.__globals__))
        cells = tuple(CellType() for _ in value.__code__.co_freevars)
        defaults = tuple(made.get(id(x), x) for x in value.__defaults__ or ())
        made[id(value)] = copy = FunctionType(value.__code__, scope, value.__name__, defaults, cells)
        copy.__kwdefaults__ = {name: made.get(id(x), x) for name, x in (value.__kwdefaults__ or {}).items()}
        places = dict(zip(value.__code__.co_freevars, cells))
        for name, x in variables(value):
            x = made.get(id(x), x) if id(x) in made or not _helper(value, name, x) else again(x)
            if name in places:
                places[name].cell_contents = x
            else:
                scope[name] = x
        return copy

    return again(function)


def _ndim(value: Any) -> int | None:
    """The number of axes of an array, a tensor, a list of numbers or a number; None for anything else."""
    array = as_array(value) if not isinstance(value, list) or of_numbers(value) else None
    return array.ndim if isinstance(array, np.ndarray) and array.dtype.kind in "fiu" else None
