"""The recording mode: whether operations are recorded, and who is told: `no_grad`, `enable_grad`, `Observer`."""

from __future__ import annotations

import functools
import inspect
import os
import sys
import traceback
from collections.abc import Callable
from contextvars import ContextVar
from types import FrameType
from typing import Any, Self, TypeVar, overload

F = TypeVar("F", bound=Callable[..., Any])

# False, True, or an observer: each operation asks whether it is to be recorded, and thereby gets who is told of it.
# None is False inside of an `inference_mode`.
recording: ContextVar[bool | Observer | None] = ContextVar("recording", default=True)

# What to go back to, for each mode that was entered: (the modes around it, the state before it).
_outer: ContextVar[Any] = ContextVar("outer", default=None)

# Looked up once: a training step enters no_grad every time.
_get, _set, _get_outer, _set_outer = recording.get, recording.set, _outer.get, _outer.set


reads: ContextVar[tuple[list[Any], ...]] = ContextVar("reads", default=())
"""For each function that is being differentiated, the tensors whose numbers it took off the tape, with the line."""

_reads = reads.get


def note_read(tensor: Any) -> None:
    """Note that the numbers of a tensor leave the tape, by `item()`, `tolist()` or `numpy()`."""
    for found in _reads():
        found.append((tensor.node, tensor.array, users_line(sys._getframe())))


def is_grad_enabled() -> bool:
    """Whether operations on tensors that require grad are recorded right now.

    >>> with no_grad():
    ...     is_grad_enabled()
    False
    """
    return bool(recording.get())


class Observer:
    """An observer, which is told of each recorded operation; a subclass defines in `recorded` what to do then.

    While `with observer:` lasts, in this thread or async task, every operation that gets a node is told, with its
    values, which a node need not keep. Of observers inside each other the innermost is told. `no_grad` inside makes a
    pause, and `enable_grad` ends it; entering an observer inside `no_grad` does not start recording.

    >>> import tinygrad_poly as tg
    >>> class Names(Observer):
    ...     def recorded(self, operation, inputs, options, result):
    ...         print(operation.name, *inputs, "->", result.item(), "on line", self.line().lineno)
    >>> x = tg.tensor(2.0, requires_grad=True)
    >>> with Names():
    ...     y = x * x
    Mul 2.0 2.0 -> 4.0 on line 2
    """

    def recorded(self, operation: Any, inputs: tuple[Any, ...], options: tuple[Any, ...], result: Any) -> None:
        """Called for each operation. Nothing is recorded meanwhile; an exception ends the operation.

        Args:
            operation: the row of the derivative table.
            inputs: what it was applied to: arrays and Python numbers.
            options: what else the row was given.
            result: the tensor; `result.node.parents` are the nodes of the inputs, None where one has none.
        """
        raise NotImplementedError(f"{type(self).__name__} has to define recorded(operation, inputs, options, result)")

    def walking(self, nodes: Any) -> None:
        """Called at the start of each backward pass with the nodes that it will visit."""

    def tell(self, operation: Any, inputs: tuple[Any, ...], options: tuple[Any, ...], result: Any) -> None:
        """Call `recorded` with recording switched off, so that what it computes itself is not told."""
        mode, outer = _get(), _get_outer()
        _set(False)
        _set_outer(None)
        try:
            self.recorded(operation, inputs, options, result)
        finally:
            _set(mode)
            _set_outer(outer)

    @staticmethod
    def line() -> traceback.FrameSummary | None:
        """The line of the user's program that asked for the operation; None if there is none outside of this package.

        Only inside `recorded` is there such a line.
        """
        frame: FrameType | None = sys._getframe()
        while frame is not None and frame.f_code is not Observer.tell.__code__:
            frame = frame.f_back
        return users_line(frame)

    def __enter__(self) -> Self:
        mode = _get()
        # The observer is noted too, for an `enable_grad` inside a `no_grad`.
        _set_outer(((_get_outer(), mode), self))
        _set(self if mode else False)
        return self

    def __exit__(self, *exception: object) -> None:
        (outer, before), _ = _get_outer()
        _set_outer(outer)
        _set(before)

    def __bool__(self) -> bool:
        return True


def users_frame(frame: FrameType | None) -> FrameType | None:
    """The innermost frame of a user's program, from `frame` outwards; None if all frames are of this package."""
    while frame is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    return frame


def users_line(frame: FrameType | None) -> traceback.FrameSummary | None:
    """The innermost line of a user's program, from `frame` outwards; None if all lines are of this package."""
    frame = users_frame(frame)
    if frame is None:
        return None
    return traceback.FrameSummary(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)


_PACKAGE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "")


def _innermost_observer() -> Observer | None:
    mode, outer = _get(), _get_outer()
    while outer is not None and not isinstance(mode, Observer):
        outer, mode = outer
    return mode if isinstance(mode, Observer) else None


class Mode:
    """A context that sets `recording`, and resets it at the end, whatever happens.

    `with mode():`, `@mode()` and `@mode` all work, the last two on coroutine functions too. The state is
    separate for each thread and each async task. A mode holds nothing of its own, so that one object
    serves them all, and may be entered again inside itself.
    """

    def __init__(self, name: str, value: bool | None, doc: str | None) -> None:
        self.__name__ = name
        self.__doc__ = doc
        self._value = value

    def __enter__(self) -> None:
        _set_outer((_get_outer(), _get()))
        self._begin()

    def _begin(self) -> None:
        _set(self._value and (_innermost_observer() or True))

    def __exit__(self, *exception: object) -> None:
        outer, before = _get_outer()
        _set_outer(outer)
        _set(before)

    @overload
    def __call__(self, function: None = None) -> Mode: ...

    @overload
    def __call__(self, function: F) -> F: ...

    def __call__(self, function: Callable[..., Any] | None = None) -> Any:
        """The context itself, or the given function made to run in it."""
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
