"""Functions without side effects: a function that is transformed or compiled may change only tensors that it made."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from tinygrad_poly.engine import apply
from tinygrad_poly.writing import call


class Call(NamedTuple):
    """A call of such a function, and the call around it; tensors made in it have it as their `level`."""

    what: str
    outer: Any


_lock = threading.Lock()
_calls = 0


def _noting(kind: type[Any]) -> Any:
    tensor = object.__new__(kind)
    if (now := call.get()) is not None:
        tensor.level = now
    return tensor


@contextmanager
def only_own(what: str) -> Iterator[None]:
    """A context for a call of `what`, in which only tensors that are made inside can be changed in place.

    New tensors are noted only meanwhile: nobody else pays for it.
    """
    global _calls
    token = call.set(Call(what, call.get()))
    with _lock:
        _calls += 1
        apply.new = _noting
    try:
        yield
    finally:
        call.reset(token)
        with _lock:
            _calls -= 1
            if not _calls:
                apply.new = object.__new__
