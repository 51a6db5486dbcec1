"""CuPy's arrays, on NVIDIA's GPUs: the answers in which CuPy differs from the array API standard."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from importlib import import_module
from typing import Any

import numpy as np

from tinygrad_poly.engine.arrays import Array, Library, Shape, device, library
from tinygrad_poly.engine.errors import DeviceError


class CuPy(Library):
    """The library CuPy, imported when its first array is met."""

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
        """A copy as a NumPy array, after the GPU has finished computing."""
        return array.get()

    def own(self, array: Array) -> Array:
        """A copy."""
        return array.copy()

    def order(self, array: Array, axis: int) -> Array:
        """The indices that sort, as in the standard; CuPy always keeps the order of equal elements."""
        return self.xp.argsort(array, axis=axis)

    def of_math(self, function: Callable[[float], float], x: Array) -> Array:
        """The function of the same name in `cupyx.scipy.special`."""
        return getattr(import_module("cupyx.scipy.special"), function.__name__)(x)

    def linalg_errors(self) -> AbstractContextManager[Any]:
        """A context in which CuPy raises; otherwise it returns meaningless numbers, without waiting for the GPU."""
        context: AbstractContextManager[Any] = import_module("cupyx").errstate(linalg="raise")
        return context

    def solve(self, a: Array, b: Array) -> Array:
        """The solution A⁻¹B; stacks are broadcast first, which CuPy does not do."""
        if a.shape[:-2] != b.shape[:-2]:
            stack: Shape = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
            a, b = (self.expand(x, stack + x.shape[-2:]) for x in (a, b))
        return self.xp.linalg.solve(a, b)

    def singular_values(self, a: Array) -> Array:
        """The singular values, by CuPy's `svd`, as CuPy has no function for them alone."""
        return self.xp.linalg.svd(a, compute_uv=False)

    def check(self, place: device) -> None:
        """Raise a DeviceError if there is no such GPU."""
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
        """`array` on a GPU; between two GPUs it is copied directly."""
        found = library(array)
        with self.active(place):
            return self.xp.asarray(array if found is self else found.on_cpu(array))


cupy = CuPy()
