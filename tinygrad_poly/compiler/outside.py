"""What a traced function has to do with the world outside: what it took from there, and that it left nothing there."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tinygrad_poly.backward import Node
from tinygrad_poly.compiler.program import Program
from tinygrad_poly.compiler.symbols import Symbol, recorded
from tinygrad_poly.errors import TraceError
from tinygrad_poly.tensor import Tensor


class Captured:
    """The tensors whose arrays are constants of a program.

    An update gives a tensor a new array, and then the program is one for other numbers.
    """

    def __init__(self, program: Program, returned: Sequence[Tensor]) -> None:
        arrays = [x for s in program.instructions for x in s.inputs if not isinstance(x, Symbol) and hasattr(x, "dtype")]
        holders = [x for x in gc.get_referrers(*arrays) if isinstance(x, Tensor)] if arrays else []
        self._tensors = [(tensor, tensor.array) for tensor in (*holders, *returned)]

    def unchanged(self) -> bool:
        """Whether all of them still have the arrays that they had."""
        return all(tensor.array is array for tensor, array in self._tensors)


@contextmanager
def nothing_kept(function: Callable[..., Any]) -> Iterator[None]:
    """Check that no symbol that is recorded inside outlives it: it would never be a number.

    Raises:
        TraceError: naming where one is kept.
    """
    symbols: list[weakref.ref[Symbol]] = []
    token = recorded.set(symbols)
    try:
        yield
    finally:
        recorded.reset(token)
    if any(symbol() is not None for symbol in symbols):
        gc.collect()  # those that are only held by cycles
    if alive := [symbol for ref in symbols if (symbol := ref()) is not None]:
        raise TraceError(
            f"{function!r} keeps a traced value that will never be a number{_holder(alive)}: return it instead, "
            "take gradients with grad(), and change nothing outside of the function"
        )


def _holder(symbols: Sequence[Symbol]) -> str:
    """Who holds on to one of these symbols, as far as it can be told."""
    tensors = [x for x in gc.get_referrers(*symbols) if isinstance(x, Tensor)]
    for holder in gc.get_referrers(*tensors) if tensors else ():
        if isinstance(holder, Node) and holder.grad is not None:
            return ", as the .grad of a tensor from outside (set that to None)"
        if isinstance(holder, dict):
            for key, value in holder.items():
                if isinstance(key, str) and any(value is tensor for tensor in tensors):
                    return f" as {key!r}"
    return ""
