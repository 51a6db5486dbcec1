import signal

import pytest

from .interop import cupy_on_cpu


@pytest.fixture
def cupy():
    """`import cupy` finds what `cupy_on_cpu` makes of NumPy: two devices of 256 MiB."""
    with cupy_on_cpu.installed() as module:
        yield module


@pytest.fixture
def ctrl_c():
    """Ctrl-C is KeyboardInterrupt, here and in processes that start here.

    Whatever runs in the background of a script ignores it, and so does all that it starts.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
