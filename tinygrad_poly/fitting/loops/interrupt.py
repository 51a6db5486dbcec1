"""Ctrl-C as a request that is checked between two steps, so that no step stays half done."""

import signal
import threading
from types import FrameType


class Interrupt:
    """A context in which the first Ctrl-C sets `requested`, and a second one interrupts at once."""

    def __init__(self) -> None:
        self.requested = False
        self._replaced = False

    def __enter__(self) -> "Interrupt":
        # Only the main thread may set handlers, and a program that set its own is to keep it.
        if (
            threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        ):
            signal.signal(signal.SIGINT, self._note)
            self._replaced = True
        return self

    def __exit__(self, *exception: object) -> None:
        if self._replaced:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def _note(self, signum: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
