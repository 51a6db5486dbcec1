"""Array libraries: one object for each answers all questions about its arrays; dtypes, devices, and shapes.

Nothing here knows tensors. An *array* is whatever follows the array API standard: a NumPy array or
scalar, an array of another library, or a `Tensor` while a backward pass is itself being recorded.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from tinygrad_poly.engine.errors import DataError, DeviceError, DimensionError, DtypeError, ShapeError

Array = Any
"""An array of any library that follows the array API standard."""
Shape = tuple[int, ...]
Index = Any


class Size(tuple[int, ...]):
    """The shape of a tensor: a tuple that prints as torch's."""

    __slots__ = ()

    def numel(self) -> int:
        """The number of elements of a tensor of this shape."""
        return math.prod(self)

    def __getitem__(self, index: Any) -> Any:
        found = tuple.__getitem__(self, index)
        return Size(found) if isinstance(index, slice) else found

    def __add__(self, other: Any) -> Size:
        return Size(tuple.__add__(self, other))

    def __repr__(self) -> str:
        return f"torch.Size({list(self)})"


class Dtype:
    """The type of a tensor's elements: a NumPy dtype, wherever one is expected, that prints as torch's."""

    __slots__ = ("dtype", "is_floating_point", "is_signed", "kind", "name", "type")
    __module__ = "tinygrad_poly"  # where `pickle` finds it by name
    is_complex = False

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.dtype, self.name, self.kind, self.type = dtype, dtype.name, dtype.kind, dtype.type
        self.is_floating_point, self.is_signed = dtype.kind == "f", dtype.kind in "fi"

    def __getattr__(self, name: str) -> Any:
        return getattr(self.dtype, name)

    def __eq__(self, other: object) -> Any:
        return self is other or self.dtype == other

    def __hash__(self) -> int:
        return hash(self.dtype)

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self) -> str:
        return self.name


DTYPES = [np.dtype(n) for n in ("float32", "float64", "float16", "int64", "int32", "int16", "int8", "uint8", "bool")]
dtypes = [Dtype(dtype) for dtype in DTYPES]
HALF, HALF_OF_TENSORS = DTYPES[2], dtypes[2]
named: Callable[[Any, Any], Any] = dict(zip(DTYPES, dtypes)).get
"""`named(dtype, dtype)` is the dtype of an array as that of a tensor; one that torch has not stays as it is."""


class Library:
    """An array library: it answers all questions about its arrays, here as the array API standard does.

    Nothing else in the package asks which library an array is from. NumPy's answers are below, others in `interop/`.

    Attributes:
        xp: the module with the library's functions.
        wraps_indices: whether an index out of range begins again from the other end, instead of raising.
        few_indices: whether its arrays take only the indices of the standard.
    """

    wraps_indices = False
    few_indices = True

    def __init__(self, xp: Any) -> None:
        self.xp = xp

    # Where an array is

    def place(self, array: Array) -> device:
        """The device that holds `array`."""
        return CPU

    def on_cpu(self, array: Array) -> Any:
        """`array` as a NumPy array."""
        return np.asarray(array)

    def own(self, array: Array) -> Array:
        """`array` as the tape may keep it: a copy if the user could still write into it."""
        return array

    # Its dtype

    def dtype(self, dtype: Any) -> Any:
        """`dtype` in the library's own form, found by NumPy's name for it."""
        named = isinstance(dtype, (str, type, np.dtype, Dtype))
        return getattr(self.xp, as_dtype(dtype).name, dtype) if named else dtype

    def astype(self, array: Array, dtype: Any) -> Array:
        """`array` in another dtype."""
        return self.xp.astype(array, self.dtype(dtype))

    # Functions for which libraries differ in name, parameters or speed

    def total(self, array: Array, axis: int | Shape | None, keepdims: bool) -> Array:
        """The sum over `axis`, all axes for None."""
        return self.xp.sum(array, axis=axis, keepdims=keepdims)

    def expand(self, array: Array, shape: Shape) -> Array:
        """`array` repeated to `shape`, which it broadcasts to."""
        return self.xp.broadcast_to(array, shape)

    def ones_like(self, array: Array) -> Array:
        """Ones in the shape and dtype of `array`."""
        return self.xp.ones_like(array)

    def order(self, array: Array, axis: int) -> Array:
        """The indices that sort `array` along an axis; equal elements keep their order."""
        return self.xp.argsort(array, axis=axis, stable=True)

    def multiply_add(self, a: Any, b: Array, c: Any, dtype: Any) -> Array:
        """a·b + c for an array b, rounded once where the library can."""
        return self.astype(float(a) * b + float(c), dtype)

    def of_math(self, function: Callable[[float], float], x: Array) -> Array:
        """A function of Python's `math` that the standard lacks, applied to each element."""
        values = [function(value) for value in np.ravel(self.on_cpu(x)).tolist()]
        dtype = x.dtype if is_floating(x.dtype) else self.xp.float64
        return self.xp.reshape(self.xp.asarray(values, dtype=dtype), x.shape)

    # Elements, of an array that nobody else holds

    def written(self, fresh: Array, index: Index, values: Any) -> Array:
        """The array `fresh`, with `values` written at `index`."""
        fresh[index] = values
        return fresh

    def added(self, fresh: Array, index: Index, values: Array) -> Array:
        """The array `fresh`, with `values` added at `index`, where an element may be named several times."""
        self.xp.add.at(fresh, index, values)
        return fresh

    # Linear algebra

    def linalg_errors(self) -> AbstractContextManager[Any]:
        """A context in which a matrix that cannot be factored raises NumPy's `LinAlgError`."""
        return nullcontext()

    def solve(self, a: Array, b: Array) -> Array:
        """A⁻¹B for stacks of matrices that broadcast to each other."""
        return self.xp.linalg.solve(a, b)

    def singular_values(self, a: Array) -> Array:
        """The singular values of A, the largest first."""
        return self.xp.linalg.svdvals(a)

    # What only a library with a device of its own is asked (see `device`)

    def check(self, place: device) -> None:
        """Raise a DeviceError if `place` does not exist."""

    def current(self) -> int:
        """The number of the device on which new arrays are made."""
        return 0

    def active(self, place: device) -> AbstractContextManager[Any]:
        """A context in which new arrays are made on `place`, and computations run there."""
        return nullcontext()

    def moved(self, array: Array, place: device) -> Array:
        """`array`, of any library, as one of this library on `place`."""
        return np.asarray(on_cpu(array))


# np.sum spends longer in Python than in adding up two thousand numbers; the ufunc's own reduce does not.
_add_up: Any = np.add.reduce


class NumPy(Library):
    """The library NumPy, which also answers for Python's numbers."""

    few_indices = False
    total = _add_up

    def on_cpu(self, array: Array) -> Any:
        """The array or scalar itself."""
        return array if isinstance(array, (np.ndarray, np.generic)) else np.asarray(array)

    def own(self, array: Array) -> Array:
        """A copy in the processor's byte order; scalars and numbers, which cannot be written into, as they are."""
        if not isinstance(array, np.ndarray):
            return array
        if isinstance(array, np.ma.MaskedArray) and np.ma.is_masked(array):
            raise DataError(
                "a masked array with masked elements has no numbers in their place: keep the others, with "
                ".compressed(), or put numbers there, with .filled(value)"
            )
        return np.array(array, None if array.dtype.isnative else array.dtype.newbyteorder("="))

    def dtype(self, dtype: Any) -> Any:
        """`dtype` as a NumPy dtype."""
        return as_dtype(dtype)

    def astype(self, array: Array, dtype: Any) -> Array:
        """`array` in another dtype."""
        return array.astype(dtype)

    def expand(self, array: Array, shape: Shape) -> Array:
        """A new array: several times faster than np.broadcast_to, and contiguous for whoever reads it next."""
        full = np.empty(shape, array.dtype)
        full[...] = array
        return full

    def ones_like(self, array: Array) -> Array:
        """Ones in the shape and dtype of `array`; for a scalar a scalar."""
        return np.ones(array.shape, array.dtype) if array.shape else array.dtype.type(1)

    def multiply_add(self, a: Any, b: Array, c: Any, dtype: Any) -> Array:
        """a·b + c, rounded once: a long double holds the product of two float32 exactly, of two float64 closely."""
        return np.asarray(np.longdouble(a) * b + c, dtype)


NUMPY = NumPy(np)
_makers: dict[str, Callable[[Any], Library]] = {}
_of_device: dict[str, Library] = {"cpu": NUMPY}
_of_kind: dict[type[Any], Library] = {}
_ndarray = np.ndarray  # as is `type(x) is _ndarray`, for the library that has to be fastest
known = _of_kind.get  # `known(type(x)) or library(x)` is `library(x)` where a call is too slow


def register(name: str, make: Callable[[Any], Library], device: str | None = None) -> None:
    """Add the object that answers for another library.

    Args:
        name: the name that its modules begin with.
        make: makes them, of the library's module; called when the first of its arrays is met.
        device: the type of the devices that only its arrays are on.
    """
    _makers[name] = make
    if device is not None:
        _of_device[device] = make(None)


def library(array: Array) -> Library:
    """The object that answers for the library of `array`; for Python's numbers it is NumPy's."""
    return known(type(array)) or _met(array)


def _met(array: Array) -> Library:
    """The library of the first array of its kind."""
    kind = type(array)
    if issubclass(kind, (np.ndarray, np.generic, bool, int, float, type(None))):
        found: Library = NUMPY
    else:
        find = getattr(array, "__array_namespace__", None)
        xp = np if find is None else find()
        # CuPy's arrays have the functions of the array API, but no `__array_namespace__`.
        names = [base.__module__ for base in kind.__mro__] if find is None else [getattr(xp, "__name__", "")]
        found = next((_makers[root] for name in names if (root := name.partition(".")[0]) in _makers), Library)(xp)
    _of_kind[kind] = found
    return found


def common(*arrays: Any) -> Library:
    """The library whose functions work on all of `arrays`: JAX takes NumPy's arrays and numbers along."""
    for array in arrays:
        if type(array) is not _ndarray and (found := known(type(array)) or _met(array)) is not NUMPY:
            return found
    return NUMPY


def namespace(array: Array) -> Any:
    """The module whose functions work on `array` (`numpy` for Python scalars)."""
    return np if type(array) is _ndarray else (known(type(array)) or _met(array)).xp


def together(*arrays: Any) -> Any:
    """The module whose functions work on all of `arrays`."""
    return common(*arrays).xp


def of_library(name: str) -> Callable[[Array], Array]:
    """The function `name` of whichever library the array it is given belongs to."""
    of_numpy = getattr(np, name)

    def function(x: Array) -> Array:
        return of_numpy(x) if type(x) is _ndarray else getattr(namespace(x), name)(x)

    return function


def of_two(name: str) -> Callable[[Array, Array], Array]:
    """The function `name` of whichever library the two arrays, or the one beside a number, belong to."""
    of_numpy = getattr(np, name)

    def function(a: Array, b: Array) -> Array:
        found = common(a, b)
        return of_numpy(a, b) if found is NUMPY else getattr(found.xp, name)(a, b)

    return function


def on_cpu(array: Array) -> Any:
    """`array` as a NumPy array, after a GPU has finished computing it."""
    return library(array).on_cpu(array)


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
    if found.kind == "c":
        raise DtypeError(COMPLEX)
    return found if found.isnative else found.newbyteorder("=")


def is_floating(dtype: Any) -> bool:
    """Whether `dtype` is a real floating dtype, the only kind that carries gradients."""
    kind = getattr(dtype, "kind", None)
    return kind == "f" if kind is not None else "float" in str(dtype)


def astype(array: Array, dtype: Any) -> Array:
    """`array` in another dtype."""
    return (known(type(array)) or _met(array)).astype(array, dtype)


COMPLEX = "complex numbers are not supported: compute with two tensors, of the real and of the imaginary parts"


def own(value: Any) -> Any:
    """`value` as the tape may keep it: an array or list that the user could still write into is copied.

    Raises:
        DtypeError: for complex numbers.
        DataError: for masked elements.
    """
    value = np.array(value) if isinstance(value, list) else value
    if isinstance(value, complex) or getattr(getattr(value, "dtype", None), "kind", "") == "c":
        raise DtypeError(COMPLEX)
    return library(value).own(value)


def without_integers(inputs: tuple[Array, ...], result: Any) -> tuple[Array, ...] | None:
    """The inputs with integers converted to the floating dtype among them; None if nothing changes.

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


def surely(condition: Array) -> bool:
    """Whether `condition` is known to hold for all elements; on a GPU or in a trace this is not known at once."""
    return library(condition) is NUMPY and bool(condition.all())


def total(array: Array, axis: int | Shape | None = None, keepdims: bool = False) -> Array:
    """The sum over `axis` (all axes by default)."""
    if array.dtype is HALF or (type(array) is not _ndarray and array.dtype is HALF_OF_TENSORS):
        # In float16, 2048 + 1 is 2048: NumPy counts no further.
        return astype(total(astype(array, np.float32), axis, keepdims), HALF)
    if type(array) is _ndarray:
        return _add_up(array, axis, None, None, keepdims)
    return (known(type(array)) or _met(array)).total(array, axis=axis, keepdims=keepdims)


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
    return (known(type(array)) or _met(array)).expand(array, shape)


def ones_like(array: Array) -> Array:
    """Ones in the shape and dtype of `array`."""
    return library(array).ones_like(array)


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
    """`shape` with its one −1 replaced by the length that fits `size` elements."""
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
    """The place of a tensor's array: `device("cpu")`, `device("cuda:0")`, `device("cuda", 0)`.

    "cuda" without a number is the current GPU (see `tinygrad_poly.cuda`), the first one unless told otherwise; a
    number alone is that GPU.

    Raises:
        DeviceError: for a name that is no device, a GPU that is not there, or whose array library is missing.

    >>> device("cpu")
    device(type='cpu')
    """

    __slots__ = ("index", "library", "type")
    type: str
    index: int | None
    library: Library

    def __init__(self, type: str | int | device, index: int | None = None) -> None:
        name, colon, number = (f"cuda:{type}" if isinstance(type, int) else str(type)).partition(":")
        known = name in _of_device and number.isdigit() == bool(colon)
        if not known or (number and index is not None):
            raise DeviceError(f"{type!r} is not a device; expected 'cpu', 'cuda' or 'cuda:0'")
        self.type = name
        self.index = int(number) if number else index
        self.library = _of_device[name]
        self.library.check(self)

    def namespace(self) -> Any:
        """The array module of this device."""
        return self.library.xp

    def active(self) -> AbstractContextManager[Any]:
        """A context in which new arrays of this device's library are made on it, and its kernels run there."""
        return self.library.active(self)

    def asarray(self, array: Array) -> Array:
        """`array` on this device; between two GPUs it is copied directly."""
        return self.library.moved(array, self)

    def _number(self) -> int:
        return self.library.current() if self.index is None else self.index

    def __eq__(self, other: object) -> bool:
        return isinstance(other, device) and self.type == other.type and self._number() == other._number()

    def __hash__(self) -> int:
        return hash(self.type)

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __repr__(self) -> str:
        index = "" if self.index is None else f", index={self.index}"
        return f"device(type={self.type!r}{index})"


CPU = device("cpu")


def names_device(value: Any) -> bool:
    """Whether `value`, which names either a device or a dtype, names a device."""
    if isinstance(value, str):
        try:
            np.dtype(value)
        except TypeError:
            return True
        return False
    return isinstance(value, (device, int))


def device_of(array: Array) -> device:
    """The device that holds `array`."""
    return library(array).place(array)


def all_together(*inputs: Any) -> None:
    """Raise an error unless all arrays among `inputs` are on one device, and if it is a GPU, on the current one.

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
        if place != (current := device(place.type)):
            raise DeviceError(
                f"the tensors are on {name}, but the current GPU is cuda:{current._number()}: compute inside "
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
