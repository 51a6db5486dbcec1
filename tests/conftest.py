import pytest

from .interop import cupy_on_cpu


@pytest.fixture
def cupy():
    """`import cupy` finds what `cupy_on_cpu` makes of NumPy: two devices of 256 MiB."""
    with cupy_on_cpu.installed() as module:
        yield module
