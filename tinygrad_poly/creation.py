"""Creation: functions that make tensors, under torch's names."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_poly.engine import arrays
from tinygrad_poly.engine.apply import wrap
from tinygrad_poly.engine.arrays import Array, as_dtype
from tinygrad_poly.engine.errors import DtypeError, ShapeError
from tinygrad_poly.engine.recording import note_read
from tinygrad_poly.functions._shared import Function, as_number, described, new_shape
from tinygrad_poly.tensor import Tensor

__all__ = ["BoolTensor", "ByteTensor", "CharTensor", "DoubleTensor", "FloatTensor", "HalfTensor", "IntTensor"]
__all__ += ["LongTensor", "ShortTensor", "arange", "as_tensor", "asarray", "empty", "empty_like", "eye", "from_numpy"]
__all__ += ["full", "full_like", "get_default_dtype", "linspace", "logspace", "ones", "ones_like", "tensor", "zeros"]
__all__ += ["zeros_like"]


def made(array: Array, dtype: Any, device: Any, requires_grad: bool) -> Tensor:
    """A leaf that takes over `array`, in `dtype` (None: unchanged) on `device` (None: where it is)."""
    library = arrays.library(array)
    if dtype is not None and (kind := library.dtype(dtype)) != array.dtype:
        array = library.astype(array, kind)
    if device is not None:
        array = arrays.device(device).asarray(array)
    tensor = wrap(array, None)
    return tensor.requires_grad_() if requires_grad else tensor


def on_device(make: Callable[..., Array], device: Any, requires_grad: bool, *arguments: Any) -> Tensor:
    """A leaf made by `make(xp, *arguments)` on `device`, where xp is the array library of that device."""
    place = arrays.device("cpu" if device is None else device)
    with place.active():
        return made(make(place.namespace(), *arguments), None, None, requires_grad)


def get_default_dtype() -> arrays.Dtype:
    """The dtype of tensors made from Python floats.

    >>> get_default_dtype()
    torch.float32
    """
    found: arrays.Dtype = arrays.named(arrays.get_default_dtype(), None)
    return found


def tensor(data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor with a copy of `data`: a number, nested lists, an array or a tensor.

    Python floats become the default dtype (float32), ints int64, bools bool. What has a dtype keeps it: arrays, columns
    of a table, tensors of another library, and NumPy's numbers in lists. An array of another library that follows the
    array API, such as JAX's, stays one, and CuPy's stays on its GPU: the tape computes on it.

    Raises:
        DtypeError: for what is not numeric, for complex numbers, and for `requires_grad` on what is not floating.
        ShapeError: for lists of different lengths.
        DataError: for an array with masked elements.

    >>> tensor([[1.0, 2.0], [3.0, 4.0]])
    tensor([[1., 2.],
            [3., 4.]])
    """
    if isinstance(data, Tensor):
        note_read(data)
        data = data.array
        with arrays.device_of(data).active():
            return made(arrays.namespace(data).asarray(data, copy=True), dtype, device, requires_grad)
    if arrays.namespace(data) is not np:
        with arrays.device_of(data).active():
            return made(arrays.namespace(arrays.own(data)).asarray(data, copy=True), dtype, device, requires_grad)
    kinds: set[Any] = set()
    plain = _plain(data, kinds)
    try:
        array = np.asarray(plain)
    except ValueError as error:
        raise ShapeError(f"tensor(): nested lists must have equal lengths ({error})") from None
    array = array if array is plain else arrays.own(array)
    if array.dtype.kind not in "biuf":
        raise DtypeError(f"tensor(): expected numbers, but got {type(data).__name__} {str(data)[:40]!r}")
    if dtype is None and array.dtype.kind == "f":
        # As in torch, whole numbers among floating ones promote nothing.
        floating = [kind for kind in kinds if kind.kind == "f"]
        dtype = np.result_type(*floating) if floating else arrays.get_default_dtype()
    return made(array, dtype, device, requires_grad)


def _plain(data: Any, kinds: set[Any]) -> Any:
    """Nested lists with numbers in place of the tensors and arrays in them, whose dtypes are added to `kinds`."""
    if isinstance(data, (list, tuple, range)):
        return [_plain(item, kinds) for item in data]
    if isinstance(data, float) and not isinstance(data, np.generic):
        kinds.add(arrays.get_default_dtype())
        return data
    if not isinstance(data, (int, complex, str)):
        if isinstance(data, Tensor):
            note_read(data)
            data = data.array
        data = arrays.own(data if isinstance(data, np.ndarray) else np.asarray(arrays.on_cpu(data)))
        kinds.add(data.dtype)
    return data


def as_tensor(data: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
    """The given data as a tensor; a tensor is returned as it is, unless dtype or device differ.

    >>> as_tensor([1, 2])
    tensor([1, 2])
    """
    return data.to(dtype=dtype, device=device) if isinstance(data, Tensor) else tensor(data, dtype=dtype, device=device)


asarray = as_tensor


def from_numpy(array: np.ndarray[Any, Any]) -> Tensor:
    """A tensor with a copy of a NumPy array, in its dtype.

    Unlike torch's, it shares no memory: arrays on the tape are never written into.

    >>> import numpy as np
    >>> from_numpy(np.array([1.5]))
    tensor([1.5000], dtype=torch.float64)
    """
    if not isinstance(array, np.ndarray):
        raise DtypeError(f"from_numpy() expects a NumPy array, not {type(array).__name__}")
    return tensor(array)


TYPED = {
    "FloatTensor": "float32", "DoubleTensor": "float64", "HalfTensor": "float16", "LongTensor": "int64",
    "IntTensor": "int32", "ShortTensor": "int16", "CharTensor": "int8", "ByteTensor": "uint8", "BoolTensor": "bool",
}  # fmt: skip
"""The dtypes that torch's oldest names for tensors stand for."""


def of_type(dtype: Any, data: tuple[Any, ...], name: str = "Tensor") -> Tensor:
    """A tensor of zeros with the lengths in `data`, or of the numbers in its only element, as torch's oldest names do.

    Raises:
        DtypeError: for a number that is no length.
    """
    dtype = arrays.get_default_dtype() if dtype is None else dtype
    if len(data) == 1 and not isinstance(data[0], (int, arrays.Size)):
        if not (isinstance(data[0], (list, tuple, range)) or hasattr(data[0], "shape")):
            raise DtypeError(f"{name}() expects lengths or a list of numbers, not {data[0]!r}: use tensor(...)")
        return tensor(data[0], dtype=dtype)
    return zeros(*(data or (0,)), dtype=dtype)


def _typed(name: str, dtype: str) -> Callable[..., Tensor]:
    def make(*data: Any) -> Tensor:
        return of_type(dtype, data, name)

    text = f"A {dtype} tensor with a copy of a list of numbers, or of zeros in a shape: `{name}(2, 3)`."
    shown = f"tensor([{'1.' if 'float' in dtype else dtype == 'bool' or 1}]"
    shown += ")" if dtype in ("float32", "int64", "bool") else f", dtype=torch.{dtype})"
    return described(make, name, text, "([1])", shown)


FloatTensor, DoubleTensor, HalfTensor, LongTensor, IntTensor, ShortTensor, CharTensor, ByteTensor, BoolTensor = [
    _typed(name, dtype) for name, dtype in TYPED.items()
]


def sized(make: Function) -> Function:
    """The function of `*size` that also takes torch's `size=`."""

    @functools.wraps(make)
    def call(*given: Any, size: Any = None, **options: Any) -> Any:
        return make(*(given if size is None else (size,)), **options)

    return call  # type: ignore[return-value]


def full(size: Any, fill_value: float, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor filled with one number.

    >>> full((2,), 7.0)
    tensor([7., 7.])
    """
    shape = new_shape((size,))
    fill_value = as_number(fill_value, "full", "fill_value")
    kind = arrays.get_default_dtype() if dtype is None and isinstance(fill_value, float) else dtype
    kind = None if kind is None else as_dtype(kind)
    return on_device(lambda xp: xp.full(shape, fill_value, kind), device, requires_grad)


def full_like(
    input: Tensor, fill_value: float, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """A tensor filled with one number, in the shape of another tensor, and by default in its dtype and on its device.

    >>> full_like(tensor([1.0, 2.0]), 7.0)
    tensor([7., 7.])
    """
    place = input.device if device is None else device
    kind = input.dtype if dtype is None else dtype
    return full(input.shape, fill_value, dtype=kind, device=place, requires_grad=requires_grad)


def eye(n: int, m: int | None = None, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """The identity matrix with n rows and m (by default n) columns: ones on the diagonal, zeros elsewhere.

    >>> eye(2)
    tensor([[1., 0.],
            [0., 1.]])
    """
    columns = n if m is None else m
    if n < 0 or columns < 0:
        raise ShapeError(f"eye(): there cannot be {n} rows and {columns} columns")
    kind = arrays.get_default_dtype() if dtype is None else as_dtype(dtype)
    return on_device(lambda xp: xp.eye(n, columns, dtype=kind), device, requires_grad)


@sized
def zeros(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor filled with zeros: `zeros(2, 3)` or `zeros((2, 3))`.

    >>> zeros(1, requires_grad=True)
    tensor([0.], requires_grad=True)
    """
    return full(new_shape(size), 0.0, dtype=dtype, device=device, requires_grad=requires_grad)


@sized
def ones(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor filled with ones: `ones(2, 3)` or `ones((2, 3))`.

    >>> ones(2)
    tensor([1., 1.])
    """
    return full(new_shape(size), 1.0, dtype=dtype, device=device, requires_grad=requires_grad)


@sized
def empty(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor to be filled: what is in it is not promised, and here it is zeros.

    >>> empty(2, 3).shape
    torch.Size([2, 3])
    """
    return full(new_shape(size), 0.0, dtype=dtype, device=device, requires_grad=requires_grad)


def arange(
    start: float,
    end: float | None = None,
    step: float = 1,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """The numbers start, start + step, … below `end`; with one number given they start at 0.

    >>> arange(1, 4)
    tensor([1, 2, 3])
    """
    if end is None:
        start, end = 0, start
    if step == 0:
        raise ShapeError("arange(): step must not be 0")

    def numbers(xp: Any) -> Array:
        found = xp.arange(start, end, step)
        if dtype is not None:
            return found.astype(as_dtype(dtype))
        return found.astype(arrays.get_default_dtype()) if found.dtype.kind == "f" else found

    return on_device(numbers, device, requires_grad)


def range_inclusive(
    start: float, end: float, step: float = 1, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """The numbers start, start + step, … up to `end`, which is one of them, under torch's old name `range`.

    >>> range_inclusive(1, 3)
    tensor([1., 2., 3.])
    """
    if step == 0 or (end - start) / step < 0:
        raise ShapeError(f"range(): from {start} steps of {step} do not lead to {end}")
    count = int((end - start) / step) + 1
    kind = arrays.get_default_dtype() if dtype is None else as_dtype(dtype)
    return on_device(lambda xp: (start + step * xp.arange(count)).astype(kind), device, requires_grad)


def logspace(
    start: float,
    end: float,
    steps: int,
    base: float = 10.0,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """`steps` powers of `base`, with exponents at equal distances from `start` to `end`.

    >>> logspace(0, 2, 3)
    tensor([  1.,  10., 100.])
    """
    kind = arrays.get_default_dtype() if dtype is None else as_dtype(dtype)
    exponents = linspace(start, end, steps, dtype=kind if arrays.is_floating(kind) else np.float64, device=device)
    return made((base**exponents).array, kind, None, requires_grad)


def linspace(
    start: float, end: float, steps: int, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """`steps` numbers at equal distances from `start` to `end`, both included.

    Each half is counted from its own end, as in torch, so that linspace(-π, π, n) is
    antisymmetric to the last bit (for an even n) and float32 gives the same numbers as torch.

    >>> linspace(0, 1, 5)
    tensor([0.0000, 0.2500, 0.5000, 0.7500, 1.0000])
    """
    if steps < 0:
        raise ShapeError(f"linspace(): steps must be 0 or more, not {steps}")
    for shape in (getattr(start, "shape", ()), getattr(end, "shape", ())):
        if shape:
            raise ShapeError(f"linspace(): start and end are numbers, not of shape {shape}")
    dtype = arrays.get_default_dtype() if dtype is None else as_dtype(dtype)
    kind = dtype if arrays.is_floating(dtype) else np.dtype(np.float64)
    first, last = kind.type(start), kind.type(end)
    distance = (last - first) / kind.type(max(steps - 1, 1))

    def numbers(xp: Any) -> Array:
        position = xp.arange(steps)
        # Torch is compiled to use the processor's instruction that rounds a·b + c once.
        multiply_add = arrays.library(position).multiply_add
        from_first = multiply_add(distance, position, first, kind)
        from_last = multiply_add(-distance, position[::-1], last, kind)
        return xp.where(position < max(steps // 2, steps == 1), from_first, from_last).astype(dtype)

    return on_device(numbers, device, requires_grad)


def zeros_like(input: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor filled with zeros, in the shape of another tensor, and by default in its dtype and on its device.

    >>> zeros_like(tensor([1.0, 2.0]))
    tensor([0., 0.])
    """
    if dtype is not None or device is not None or requires_grad:
        return full_like(input, 0, dtype=dtype, device=device, requires_grad=requires_grad)
    return wrap(arrays.namespace(input.array).zeros_like(input.array), None)


def empty_like(input: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor to be filled, in the shape, dtype and place of another; what is in it is not promised.

    >>> empty_like(tensor([1.0, 2.0])).shape
    torch.Size([2])
    """
    return zeros_like(input, dtype=dtype, device=device, requires_grad=requires_grad)


def ones_like(input: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor filled with ones, in the shape of another tensor, and by default in its dtype and on its device.

    >>> ones_like(tensor([1.0, 2.0]))
    tensor([1., 1.])
    """
    if dtype is not None or device is not None or requires_grad:
        return full_like(input, 1, dtype=dtype, device=device, requires_grad=requires_grad)
    return wrap(arrays.ones_like(input.array), None)
