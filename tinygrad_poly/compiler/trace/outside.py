"""What a traced function has to do with the world outside: what it took from there, and that it left nothing there."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from tinygrad_poly import random
from tinygrad_poly.compiler.trace.symbols import Symbol, recorded
from tinygrad_poly.engine.errors import TraceError
from tinygrad_poly.engine.walk import Node
from tinygrad_poly.tensor import Tensor


class Captured:
    """The tensors that a function can see without being given them: they are constants of its program.

    An update gives a tensor a new array, and then another program is needed.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._tensors = [(tensor, tensor.array) for tensor in _seen_by(function)]

    def unchanged(self) -> bool:
        """Whether all of them still have the arrays that they had."""
        return all(tensor.array is array for tensor, array in self._tensors)


MOST_OBJECTS = 10_000


def _seen_by(function: Any) -> list[Tensor]:
    """The tensors in a function's variables, in what these contain, and in those of functions that it calls."""
    found: list[Tensor] = []
    stack, seen = [function], set[int]()
    while stack and len(seen) < MOST_OBJECTS:
        x = stack.pop()
        if id(x) in seen or isinstance(x, (type, ModuleType)):
            continue
        seen.add(id(x))
        if isinstance(x, Tensor):
            found.append(x)
        elif isinstance(x, FunctionType):
            if not x.__module__.startswith("tinygrad_poly."):
                stack += [x.__globals__[name] for name in _names(x.__code__) if name in x.__globals__]
                stack += [inside for cell in x.__closure__ or () for inside in gc.get_referents(cell)]
                stack += [x.__defaults__, x.__kwdefaults__]
        elif isinstance(x, MethodType):
            stack += [x.__func__, x.__self__]
        elif isinstance(x, partial):
            stack += [x.func, x.args, x.keywords]
        elif isinstance(x, dict):
            stack += x.values()
        elif isinstance(x, (list, tuple, set)):
            stack += x
        elif hasattr(x, "__dict__"):
            stack += vars(x).values()
            stack += [method for method in vars(type(x)).values() if isinstance(method, FunctionType)]
    return found


def _names(code: CodeType) -> Iterator[str]:
    """The global names in a function, and in the functions inside it."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


@contextmanager
def nothing_kept(function: Callable[..., Any]) -> Iterator[None]:
    """Check that no symbol that is recorded inside outlives it, and that no random numbers are drawn inside.

    Raises:
        TraceError: naming where a symbol is kept, that will never be a number.
    """
    drawn = _random_state()
    symbols: list[weakref.ref[Symbol]] = []
    token = recorded.set(symbols)
    try:
        yield
    finally:
        recorded.reset(token)
    if _random_state() != drawn:
        raise TraceError(
            f"{function!r} draws random numbers, which would be the same in every call of the program: draw them "
            "outside, and pass them as an argument"
        )
    if any(symbol() is not None for symbol in symbols):
        gc.collect()  # those that are only held by cycles
    if alive := [symbol for ref in symbols if (symbol := ref()) is not None]:
        raise TraceError(
            f"{function!r} keeps a traced value that will never be a number{_holder(alive)}: return it instead, "
            "take gradients with grad(), and change nothing outside of the function"
        )


def _random_state() -> Any:
    """Something that changes when random numbers are drawn."""
    if (generator := random._generator) is None:
        return None
    state = generator._words.state["state"]
    return state["pos"], state["key"].tobytes(), generator._second_normal


def _holder(symbols: Sequence[Symbol]) -> str:
    """Who holds on to one of these symbols, as far as it can be told."""
    tensors = [x for x in gc.get_referrers(*symbols) if isinstance(x, Tensor)]
    for holder in gc.get_referrers(*tensors) if tensors else ():
        if isinstance(holder, Node) and holder.grad is not None:
            holder.grad = None
            return ", as the .grad of a tensor from outside, which is None now"
        if isinstance(holder, dict):
            for key, value in holder.items():
                if isinstance(key, str) and any(value is tensor for tensor in tensors):
                    return f" as {key!r}"
    return ""
