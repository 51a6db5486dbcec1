"""Modes that torch offers beside `no_grad` and `enable_grad`: `set_grad_enabled` and `inference_mode`."""

from typing import Any

from tinygrad_poly.engine.recording import Mode, _outer, recording
from tinygrad_poly.engine.recording import enable_grad as enable_grad
from tinygrad_poly.engine.recording import is_grad_enabled as is_grad_enabled
from tinygrad_poly.engine.recording import no_grad as no_grad


class set_grad_enabled(Mode):  # noqa: N801 - torch's name
    """Record from here on, or do not: for the rest of the program, or in a `with`, or for a function as a decorator.

    >>> with set_grad_enabled(False):
    ...     is_grad_enabled()
    False
    """

    def __init__(self, mode: bool) -> None:
        super().__init__("set_grad_enabled", bool(mode), type(self).__doc__)
        # Torch's takes effect at once; `with` begins there.
        self._before: list[Any] = [recording.get()]
        self._begin()

    def __enter__(self) -> None:
        _outer.set((_outer.get(), self._before.pop() if self._before else recording.get()))
        self._begin()

    def __call__(self, function: Any = None) -> Any:
        """The given function made to run in it; here nothing has changed then."""
        if self._before:
            recording.set(self._before.pop())
        return super().__call__(function)


class inference_mode(Mode):  # noqa: N801 - torch's name
    """Record nothing inside, as `no_grad`; what is made inside may be used outside like all other tensors.

    (Torch refuses to differentiate by what a tensor made here was part of, to save what it must remember of each
    tensor. Here there is nothing to save.) `inference_mode(False)` records.

    >>> with inference_mode():
    ...     is_inference_mode_enabled(), is_grad_enabled()
    (True, False)
    """

    def __new__(cls, mode: Any = True) -> Any:
        """The mode, or with a function the function made to run in it: `@inference_mode` and `@inference_mode()`."""
        made = super().__new__(cls)
        if not callable(mode):
            return made
        made.__init__()  # type: ignore[misc]
        return made(mode)

    def __init__(self, mode: bool = True) -> None:
        super().__init__("inference_mode", True if not mode else None, type(self).__doc__)


def is_inference_mode_enabled() -> bool:
    """Whether this runs inside of an `inference_mode`."""
    mode, outer = recording.get(), _outer.get()
    while mode is False and outer is not None:
        outer, mode = outer
    return mode is None
