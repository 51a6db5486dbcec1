"""Whether operations are recorded: `no_grad`, `enable_grad`, per thread and per async task."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from contextvars import ContextVar, Token
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])

recording: ContextVar[bool] = ContextVar("recording", default=True)


def is_grad_enabled() -> bool:
    """Whether operations on tensors that require grad are recorded right now.

    >>> with no_grad():
    ...     is_grad_enabled()
    False
    """
    return recording.get()


class _Mode:
    """A context manager and decorator that sets `recording`, and sets it back whatever happens."""

    __slots__ = ("_tokens",)
    _value: bool
    # A stack: the same object may be entered again inside itself.
    _tokens: list[Token[bool]]

    def __new__(cls, function: Callable[..., Any] | None = None) -> Any:
        """`@no_grad` means `@no_grad()`, as in torch."""
        if function is not None:
            return cls()(function)
        mode = object.__new__(cls)
        mode._tokens = []
        return mode

    def __enter__(self) -> None:
        self._tokens.append(recording.set(self._value))

    def __exit__(self, *exception: object) -> None:
        recording.reset(self._tokens.pop())

    def __call__(self, function: Function) -> Function:
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(
                f"{type(self).__name__} cannot decorate the generator {function.__name__!r}: it would stay in "
                f"force between two values; write `with {type(self).__name__}():` inside it instead"
            )
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def wrapper(*args: Any, **kwargs: Any) -> Any:
                with type(self)():
                    return await function(*args, **kwargs)

        else:

            @functools.wraps(function)
            def wrapper(*args: Any, **kwargs: Any) -> Any:
                with type(self)():
                    return function(*args, **kwargs)

        return wrapper  # type: ignore[return-value]


class no_grad(_Mode):  # noqa: N801 - torch's name
    """Record nothing inside: `with no_grad():` or `@no_grad()`.

    The weights of a fit are updated under it, because the update is not part of the function that
    is differentiated. The state is restored after exceptions and is separate for each thread and
    each async task.

    >>> import tinygrad_poly as tg
    >>> w = tg.tensor(2.0, requires_grad=True)
    >>> with tg.no_grad():
    ...     w -= 0.5
    >>> w
    tensor(1.5000, requires_grad=True)
    """

    __slots__ = ()
    _value = False


class enable_grad(_Mode):  # noqa: N801 - torch's name
    """Record again inside a `no_grad`.

    >>> with no_grad(), enable_grad():
    ...     is_grad_enabled()
    True
    """

    __slots__ = ()
    _value = True
