"""Which namespace, dtype and device an array belongs to, and the shape work that every rule shares.

Nothing here knows tensors. An *array* is whatever follows the array API standard: a NumPy array or
scalar, an array of another library, or a `Tensor` while a backward pass is itself being recorded.
"""

from __future__ import annotations

import math
import sys
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from typing import Any

import numpy as np

from tinygrad_poly.engine.errors import DeviceError, DimensionError, DtypeError, ShapeError

Array = Any
"""An array of any library that follows the array API standard."""
Shape = tuple[int, ...]
Index = Any

NUMPY = (np.ndarray, np.generic)
BESIDE_NUMPY = (*NUMPY, float, int, type(None))
_add_reduce: Any = np.add.reduce


def namespace(array: Array) -> Any:
    """The module whose functions work on `array` (`numpy` for Python scalars)."""
    if isinstance(array, NUMPY):
        return np
    find = getattr(array, "__array_namespace__", None)
    if find is not None:
        return find()
    return sys.modules["cupy"] if is_cupy(array) else np


def together(*arrays: Any) -> Any:
    """The module whose functions work on all of `arrays`: JAX takes NumPy's arrays and numbers along."""
    for array in arrays:
        if not isinstance(array, BESIDE_NUMPY):
            return namespace(array)
    return np


def is_cupy(array: Any) -> bool:
    """Whether `array` is CuPy's, on a GPU: it has the functions of the array API, but no `__array_namespace__`."""
    cupy = sys.modules.get("cupy")
    return cupy is not None and isinstance(array, cupy.ndarray)


def on_cpu(array: Array) -> Any:
    """`array` in NumPy's memory. A GPU is waited for until it has computed all that it was asked to."""
    if isinstance(array, NUMPY):
        return array
    return array.get() if is_cupy(array) else np.asarray(array)


def as_dtype(dtype: Any) -> np.dtype[Any]:
    """`dtype` as a NumPy dtype.

    Raises:
        DtypeError: where it names none.
    """
    try:
        found: np.dtype[Any] = np.dtype(dtype)
    except TypeError:
        raise DtypeError(
            f"{dtype!r} is not a dtype; give one of float32, float64, int64, bool or a NumPy dtype"
        ) from None
    return found


def is_floating(dtype: Any) -> bool:
    """Whether `dtype` is a real floating dtype, the only kind that carries gradients."""
    kind = getattr(dtype, "kind", None)
    return kind == "f" if kind is not None else "float" in str(dtype)


def order(array: Array, axis: int) -> Array:
    """The indices that sort `array` along an axis; equal elements keep their order."""
    xp = namespace(array)
    # CuPy sorts in this way always, and has no parameter for it.
    return xp.argsort(array, axis=axis) if is_cupy(array) else xp.argsort(array, axis=axis, stable=True)


def linalg_errors(array: Array) -> AbstractContextManager[Any]:
    """A context in which a matrix without what is asked of it raises, as LAPACK makes NumPy do.

    CuPy returns numbers that make no sense instead, because the GPU has to be waited for to know.
    """
    if not is_cupy(array):
        return nullcontext()
    context: AbstractContextManager[Any] = import_module("cupyx").errstate(linalg="raise")
    return context


def astype(array: Array, dtype: Any) -> Array:
    """`array` in another dtype."""
    if isinstance(array, NUMPY):
        return array.astype(dtype)
    return namespace(array).astype(array, dtype_for(array, dtype))


def dtype_for(array: Array, dtype: Any) -> Any:
    """`dtype` as the library of `array` has it: under the name that NumPy gives it.

    Raises:
        DtypeError: where it names none.
    """
    if isinstance(array, NUMPY):
        return as_dtype(dtype)
    return getattr(namespace(array), as_dtype(dtype).name, dtype) if isinstance(dtype, (str, type, np.dtype)) else dtype


def own(value: Any) -> Any:
    """`value` as the tape may keep it: an array or list that the user could still write into is copied."""
    if isinstance(value, (np.ndarray, list)):
        return np.array(value)
    return value.copy() if is_cupy(value) else value


def without_integers(inputs: tuple[Array, ...], result: Any) -> tuple[Array, ...] | None:
    """The inputs with integers brought to the floating dtype that they meet; None if nothing is to be done.

    NumPy computes int64 with float32, and sin of int64, in float64. Here, as in torch, integers take the
    dtype of the floating arrays beside them, or the default one.

    Args:
        inputs: arrays and Python numbers.
        result: the dtype that NumPy gave their result.
    """
    dtypes = [getattr(x, "dtype", None) for x in inputs]
    if not is_floating(result) or all(dtype is None or is_floating(dtype) for dtype in dtypes):
        return None
    floating = [dtype for dtype in dtypes if dtype is not None and is_floating(dtype)]
    xp = namespace(next(x for x, dtype in zip(inputs, dtypes) if dtype is not None))
    target = xp.result_type(*floating) if floating else getattr(xp, _default_dtype.name)
    if target == result:
        return None
    return tuple(x if dtype is None or is_floating(dtype) else astype(x, target) for x, dtype in zip(inputs, dtypes))


def total(array: Array, axis: int | Shape | None = None, keepdims: bool = False) -> Array:
    """The sum over `axis` (all axes by default).

    `np.sum` spends longer in Python than in adding up two thousand numbers; the ufunc's own
    `reduce` does not.
    """
    if isinstance(array, NUMPY):
        return _add_reduce(array, axis, None, None, keepdims)
    return namespace(array).sum(array, axis=axis, keepdims=keepdims)


def integer_power(x: Array, n: int) -> Array:
    """`x` to the power n ≥ 1 by repeated squaring: at most 2·log2(n) multiplications, no `pow`."""
    result = None
    while True:
        if n & 1:
            result = x if result is None else result * x
        n >>= 1
        if not n:
            return result
        x = x * x


def unbroadcast(cotangent: Array, shape: Shape) -> Array:
    """Sum `cotangent` over the axes along which an array of `shape` was repeated.

    Axes along which the cotangent is itself only one long are left alone: a cotangent has to
    *broadcast to* its array's shape, not to have it.
    """
    have = cotangent.shape
    if not have:
        return cotangent
    if not shape:
        return total(cotangent)
    if max(shape) == 1 < max(have):
        return total(cotangent, None, len(have) == len(shape))
    leading = len(have) - len(shape)
    if leading > 0:
        cotangent = total(cotangent, tuple(range(leading)))
        have = have[leading:]
    repeated = tuple(i for i in range(-len(have), 0) if shape[i] == 1 and have[i] != 1)
    return total(cotangent, repeated, keepdims=True) if repeated else cotangent


def expand(array: Array, shape: Shape) -> Array:
    """`array` repeated to `shape`, which it broadcasts to."""
    if isinstance(array, NUMPY):
        # Several times faster than np.broadcast_to, and contiguous for whoever reads it next.
        full = np.empty(shape, array.dtype)
        full[...] = array
        return full
    return namespace(array).broadcast_to(array, shape)


def ones_like(array: Array) -> Array:
    """Ones in the shape and dtype of `array`."""
    if isinstance(array, NUMPY):
        return np.ones(array.shape, array.dtype) if array.shape else array.dtype.type(1)
    return namespace(array).ones_like(array)


def normalize_axes(axis: Any, ndim: int, name: str) -> Shape | None:
    """`axis` (None, one or several, negative ones counted from the end) as axes ≥ 0.

    Raises:
        DimensionError: for an axis out of range or given twice; `name` is the operation's.
    """
    if axis is None:
        return None
    axes = tuple(axis) if isinstance(axis, (tuple, list)) else (axis,)
    for a in axes:
        if not isinstance(a, (int, np.integer)):
            raise DtypeError(f"{name}: a dimension must be an integer, not {a!r}")
        if not -ndim <= a < ndim:
            allowed = f"{-ndim} to {ndim - 1}" if ndim else "none: it is 0-dimensional"
            raise DimensionError(f"{name}: dimension {a} is out of range for a {ndim}-d tensor (allowed: {allowed})")
    positive = tuple(int(a) % ndim for a in axes)
    if len(set(positive)) != len(positive):
        raise DimensionError(f"{name}: dimensions {axes} name the same dimension twice")
    return positive


def full_shape(shape: Shape, size: int, name: str) -> Shape:
    """`shape` with its one −1 replaced by what `size` elements leave for it."""
    unknown = [i for i, length in enumerate(shape) if length == -1]
    known = math.prod(length for length in shape if length != -1)
    if len(unknown) > 1 or any(length < -1 for length in shape):
        raise ShapeError(f"{name}: {shape} may hold one -1 and otherwise lengths of 0 or more")
    if unknown and known and size % known == 0:
        shape = tuple(size // known if i == unknown[0] else length for i, length in enumerate(shape))
    if -1 in shape or math.prod(shape) != size:
        raise ShapeError(f"{name}: {size} elements do not fit into shape {shape}")
    return shape


class device:  # noqa: N801 - torch's name
    """Where a tensor's array lives: `device("cpu")`, `device("cuda:0")`, `device("cuda", 0)`.

    "cuda" without a number is the current GPU (see `tinygrad_poly.cuda`), the first one unless told otherwise; a
    number alone is that GPU.

    Raises:
        DeviceError: for a name that is no device, a GPU that is not there, or whose array library is missing.

    >>> device("cpu")
    device(type='cpu')
    """

    __slots__ = ("index", "type")
    type: str
    index: int | None

    def __init__(self, type: str | int | device, index: int | None = None) -> None:
        name, colon, number = (f"cuda:{type}" if isinstance(type, int) else str(type)).partition(":")
        known = name in ("cpu", "cuda") and number.isdigit() == bool(colon)
        if not known or (number and index is not None):
            raise DeviceError(f"{type!r} is not a device; expected 'cpu', 'cuda' or 'cuda:0'")
        self.type = name
        self.index = int(number) if number else index
        if name == "cuda":
            self._check()

    def _check(self) -> None:
        cupy = self.namespace()
        try:
            count = cupy.cuda.runtime.getDeviceCount()
        except cupy.cuda.runtime.CUDARuntimeError as error:
            raise DeviceError(
                f"{self} cannot be used: CuPy is installed, but finds no GPU or no driver that fits it ({error}); "
                "use device 'cpu'"
            ) from None
        if not 0 <= (self.index or 0) < count:
            raise DeviceError(f"{self} does not exist: the GPUs here are cuda:0 to cuda:{count - 1}")

    def namespace(self) -> Any:
        """The array module of this device."""
        if self.type == "cpu":
            return np
        try:
            import cupy
        except ImportError:
            raise DeviceError(
                f"{self} needs the GPU array library CuPy, which is not installed: "
                "pip install 'tinygrad_poly[cuda]', or use device 'cpu'"
            ) from None
        return cupy

    def active(self) -> AbstractContextManager[Any]:
        """A context in which new arrays of this device's library are made on it, and its kernels run there."""
        return nullcontext() if self.type == "cpu" else self.namespace().cuda.Device(self.index)

    def asarray(self, array: Array) -> Array:
        """`array` on this device; between two GPUs it goes directly."""
        if self.type == "cpu":
            return np.asarray(on_cpu(array))
        with self.active():
            return self.namespace().asarray(array if is_cupy(array) else on_cpu(array))

    def _number(self) -> int:
        if self.index is None and self.type == "cuda":
            return int(self.namespace().cuda.Device().id)
        return self.index or 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, device) and self.type == other.type and self._number() == other._number()

    def __hash__(self) -> int:
        return hash(self.type)

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __repr__(self) -> str:
        index = "" if self.index is None else f", index={self.index}"
        return f"device(type={self.type!r}{index})"


def names_device(value: Any) -> bool:
    """Whether `value`, which has to name a device or a dtype, does not name a dtype."""
    if isinstance(value, str):
        try:
            np.dtype(value)
        except TypeError:
            return True
        return False
    return isinstance(value, (device, int))


def device_of(array: Array) -> device:
    """The device that holds `array`: the CPU for all that CuPy does not hold."""
    return device("cuda", array.device.id) if is_cupy(array) else device("cpu")


def all_together(*inputs: Any) -> None:
    """Raise unless all arrays among `inputs` are on one device, and a GPU's is the current one.

    Called where an operation failed, to say why: nobody pays for it otherwise.

    Raises:
        DeviceError: which names the devices.
    """
    places = {str(place): place for x in inputs if hasattr(x, "shape") for place in [device_of(x)]}
    if len(places) > 1:
        raise DeviceError(
            f"expected all tensors on the same device, not on {' and '.join(places)}: move some with .to()"
        )
    for name, place in places.items():
        if place.type == "cuda" and place != device("cuda"):
            raise DeviceError(
                f"the tensors are on {name}, but the current GPU is cuda:{device('cuda')._number()}: compute inside "
                f"`with tinygrad_poly.cuda.device({place.index}):`"
            )


_default_dtype = np.dtype(np.float32)


def get_default_dtype() -> np.dtype[Any]:
    """The dtype of tensors made from Python floats.

    >>> get_default_dtype()
    dtype('float32')
    """
    return _default_dtype


def set_default_dtype(dtype: Any) -> None:
    """Set the dtype of tensors made from Python floats.

    Raises:
        DtypeError: unless it is a floating dtype.
    """
    global _default_dtype
    dtype = as_dtype(dtype)
    if not is_floating(dtype):
        raise DtypeError(f"the default dtype must be a floating one, not {dtype}")
    _default_dtype = dtype
