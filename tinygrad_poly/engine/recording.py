"""Whether operations are recorded: `no_grad`, `enable_grad`, per thread and per async task."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

recording: ContextVar[bool] = ContextVar("recording", default=True)

# What to go back to, for each mode that was entered: (the modes around it, the state before it).
_outer: ContextVar[Any] = ContextVar("outer", default=None)

# Looked up once: a training step enters no_grad every time.
_get, _set, _get_outer, _set_outer = recording.get, recording.set, _outer.get, _outer.set


def is_grad_enabled() -> bool:
    """Whether operations on tensors that require grad are recorded right now.

    >>> with no_grad():
    ...     is_grad_enabled()
    False
    """
    return recording.get()


class Mode:
    """Sets `recording` for a while, and sets it back whatever happens.

    `with mode():`, `@mode()` and `@mode` all work, the last two on coroutine functions too. The state is
    separate for each thread and each async task. A mode holds nothing of its own, so that one object
    serves them all, and may be entered again inside itself.
    """

    def __init__(self, name: str, value: bool, doc: str) -> None:
        self.__name__ = name
        self.__doc__ = doc
        self._value = value

    def __enter__(self) -> None:
        _set_outer((_get_outer(), _get()))
        _set(self._value)

    def __exit__(self, *exception: object) -> None:
        outer, before = _get_outer()
        _set_outer(outer)
        _set(before)

    def __call__(self, function: Callable[..., Any] | None = None) -> Any:
        """The mode itself, or `function` made to run under it."""
        if function is None:
            return self
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(
                f"{self.__name__} cannot decorate the generator {function.__name__!r}: it would stay in "
                f"force between two values; write `with {self.__name__}():` inside it instead"
            )
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def wrapper(*args: Any, **kwargs: Any) -> Any:
                with self:
                    return await function(*args, **kwargs)

        else:

            @functools.wraps(function)
            def wrapper(*args: Any, **kwargs: Any) -> Any:
                with self:
                    return function(*args, **kwargs)

        return wrapper

    def __repr__(self) -> str:
        return f"<{self.__name__}>"


no_grad = Mode(
    "no_grad",
    False,
    """Record nothing inside: `with no_grad():` or `@no_grad()`.

    The weights of a fit are updated under it, because the update is not part of the function that
    is differentiated.

    >>> import tinygrad_poly as tg
    >>> w = tg.tensor(2.0, requires_grad=True)
    >>> with tg.no_grad():
    ...     w -= 0.5
    >>> w
    tensor(1.5000, requires_grad=True)
    """,
)

enable_grad = Mode(
    "enable_grad",
    True,
    """Record again inside a `no_grad`.

    >>> with no_grad(), enable_grad():
    ...     is_grad_enabled()
    True
    """,
)

__test__ = {"no_grad": no_grad.__doc__, "enable_grad": enable_grad.__doc__}
