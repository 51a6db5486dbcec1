"""GPUs, under the names of `torch.cuda`: counting them, choosing the current one, and waiting for it.

CuPy computes on them (the extra `cuda`). What a program asks for is put in a queue, and Python goes on at once; it
waits where it has to know a number: `item()`, `float(x)`, `if x > 0`, printing, `.cpu()`.

An operation runs on the *current* GPU, and its tensors have to be there. The first one is current until
`with cuda.device(1):` says otherwise.
"""

from contextlib import AbstractContextManager
from typing import Any

from tinygrad_poly._missing import explain as _explain
from tinygrad_poly.engine import arrays
from tinygrad_poly.engine.errors import DeviceError


class OutOfMemoryError(DeviceError):
    """A GPU without enough memory for what was asked; the message names the sizes.

    Attributes:
        result: what a fit had learned, None elsewhere.
    """

    result: Any = None


def _gpu(of: Any = None) -> arrays.device:
    """The GPU that a number, name or `device` stands for; the current one for None.

    Raises:
        DeviceError: for a device that is no GPU, or not there.
    """
    if of is None or isinstance(of, int):
        return arrays.device("cuda", of)
    place = arrays.device(of)
    if place.type != "cuda":
        raise DeviceError(f"expected a GPU, such as 'cuda:0' or 0, not {of!r}")
    return place


def is_available() -> bool:
    """Whether CuPy is installed and finds a GPU; never raises an error.

    >>> is_available() == (device_count() > 0)
    True
    """
    return device_count() > 0


def device_count() -> int:
    """The number of GPUs; 0 if CuPy is not installed or finds none."""
    try:
        cupy = _gpu().namespace()
    except DeviceError:
        return 0
    return int(cupy.cuda.runtime.getDeviceCount())


def current_device() -> int:
    """The number of the GPU that operations run on.

    Raises:
        DeviceError: where there is none.
    """
    return int(_gpu().namespace().cuda.Device().id)


def device(device: Any) -> AbstractContextManager[Any]:
    """A context in which a GPU is current: `with cuda.device(1): ...`.

    Raises:
        DeviceError: where it does not exist.
    """
    return _gpu(device).active()


def set_device(device: Any) -> None:
    """Make a GPU the current one, until another call changes it.

    Raises:
        DeviceError: where it does not exist.
    """
    place = _gpu(device)
    place.namespace().cuda.Device(place.index).use()


def synchronize(device: Any = None) -> None:
    """Wait until a GPU has finished all its work, for instance before a clock is read.

    Raises:
        DeviceError: where it does not exist.
    """
    place = _gpu(device)
    place.namespace().cuda.Device(place.index).synchronize()


def get_device_name(device: Any = None) -> str:
    """The name of a GPU, as its maker gives it.

    Raises:
        DeviceError: where it does not exist.
    """
    place = _gpu(device)
    cupy = place.namespace()
    name: bytes = cupy.cuda.runtime.getDeviceProperties(cupy.cuda.Device(place.index).id)["name"]
    return name.decode()


def mem_get_info(device: Any = None) -> tuple[int, int]:
    """The free and the total memory of a GPU, in bytes.

    Raises:
        DeviceError: where it does not exist.
    """
    place = _gpu(device)
    free, everything = place.namespace().cuda.Device(place.index).mem_info
    return int(free), int(everything)


def manual_seed(seed: int) -> None:
    """Set the seed of the random numbers drawn on GPUs; `tinygrad_poly.manual_seed` does this too."""
    from tinygrad_poly import random

    random.seed_devices(seed)


_explain(__name__)
