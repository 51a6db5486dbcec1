"""CuPy's arrays, on NVIDIA's GPUs: where CuPy answers in another way than the array API standard."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from importlib import import_module
from typing import Any

import numpy as np

from tinygrad_poly.engine.arrays import Array, Library, Shape, device, library
from tinygrad_poly.engine.errors import DeviceError


class CuPy(Library):
    """CuPy's answers; CuPy itself is imported when the first of them is asked for."""

    wraps_indices = True

    def __init__(self) -> None:
        pass

    @property
    def xp(self) -> Any:
        """The module `cupy`.

        Raises:
            DeviceError: where it is not installed.
        """
        try:
            import cupy
        except ImportError:
            raise DeviceError(
                "a GPU needs the array library CuPy, which is not installed: "
                "pip install 'tinygrad_poly[cuda]', or use device 'cpu'"
            ) from None
        return cupy

    def place(self, array: Array) -> device:
        """The GPU that holds `array`."""
        return device("cuda", array.device.id)

    def on_cpu(self, array: Array) -> Any:
        """A copy, for which the GPU is waited for."""
        return array.get()

    def own(self, array: Array) -> Array:
        """A copy."""
        return array.copy()

    def order(self, array: Array, axis: int) -> Array:
        """As in the standard; CuPy always sorts in this way, and has no parameter for it."""
        return self.xp.argsort(array, axis=axis)

    def of_math(self, function: Callable[[float], float], x: Array) -> Array:
        """SciPy's function of the same name."""
        return getattr(import_module("cupyx.scipy.special"), function.__name__)(x)

    def linalg_errors(self) -> AbstractContextManager[Any]:
        """CuPy raises when asked to; else it returns numbers that make no sense, and does not wait for the GPU."""
        context: AbstractContextManager[Any] = import_module("cupyx").errstate(linalg="raise")
        return context

    def solve(self, a: Array, b: Array) -> Array:
        """A⁻¹B; CuPy does not repeat stacks to each other's shape."""
        if a.shape[:-2] != b.shape[:-2]:
            stack: Shape = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
            a, b = (self.expand(x, stack + x.shape[-2:]) for x in (a, b))
        return self.xp.linalg.solve(a, b)

    def singular_values(self, a: Array) -> Array:
        """The singular values, by CuPy's `svd`: it has no function for them alone."""
        return self.xp.linalg.svd(a, compute_uv=False)

    def check(self, place: device) -> None:
        """Raise a DeviceError where there is no such GPU."""
        cupy = self.xp
        try:
            count = cupy.cuda.runtime.getDeviceCount()
        except cupy.cuda.runtime.CUDARuntimeError as error:
            raise DeviceError(
                f"{place} cannot be used: CuPy is installed, but finds no GPU or no driver that fits it ({error}); "
                "use device 'cpu'"
            ) from None
        if not 0 <= (place.index or 0) < count:
            raise DeviceError(f"{place} does not exist: the GPUs here are cuda:0 to cuda:{count - 1}")

    def current(self) -> int:
        """The number of the current GPU."""
        return int(self.xp.cuda.Device().id)

    def active(self, place: device) -> AbstractContextManager[Any]:
        """A context in which a GPU is current."""
        context: AbstractContextManager[Any] = self.xp.cuda.Device(place.index)
        return context

    def moved(self, array: Array, place: device) -> Array:
        """`array` on a GPU; between two GPUs it goes directly."""
        found = library(array)
        with self.active(place):
            return self.xp.asarray(array if found is self else found.on_cpu(array))


cupy = CuPy()
