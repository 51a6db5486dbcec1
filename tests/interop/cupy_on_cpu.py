"""CuPy without a GPU: its interface over NumPy, as narrow as CuPy's own: code that is wrong for CuPy fails.

    with installed() as cupy:
        x = tg.tensor([1.0, 2.0], device="cuda:0")
        assert isinstance(x.array, cupy.ndarray)
        assert cupy.counts["to_host"] == 0

What CuPy 14.2 refuses or does in another way is refused or done so here, each after its source:

- An array never becomes a NumPy array by itself, and the two do not mix in an operation; NumPy's scalars and Python's
  numbers mix with both. Lists of arrays are for `stack` and its like only.
- A function exists where CuPy has it, and takes the parameters that CuPy's takes: `cupy_names.txt` lists them.
- A result without dimensions is an array. `float(x)`, `bool(x)`, `x.item()`, `x.get()` and printing wait for the
  device and copy; so do, inside, masks that select, `nonzero` and `unique`. `counts["to_host"]` counts all of these,
  and `counts["to_device"]` the copies the other way.
- Arrays have no `__array_namespace__`. NumPy's functions reach CuPy's by `__array_function__` and `__array_ufunc__`,
  where it has them; NumPy's `ufunc.reduce` and `ufunc.at` do not.
- An index out of range wraps around instead of raising; one index holds one mask at most.
- An operation runs on the current device, and refuses arrays of another one (as where there is no peer access).
- LAPACK's complaints are numbers that make no sense, unless `cupyx.errstate(linalg="raise")` asks for errors.
- `solve` does not repeat stacks of matrices to each other's shape.

Kernels are another matter: what runs CUDA source on the CPU is beside the compiler's tests.
"""

from __future__ import annotations

import ast
import inspect
import math
import operator
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from tinygrad_poly import random

PYTHON_NUMBERS = (bool, int, float, complex)
FROM_THE_HOST = ("array", "asarray", "asanyarray", "ascontiguousarray", "asnumpy")
"""Functions that are there to take NumPy arrays."""
NO_ARRAYS = (
    *("arange", "eye", "identity", "tri", "linspace", "logspace", "empty", "ones", "zeros", "full", "einsum"),
    *("result_type", "broadcast_shapes", "can_cast", "common_type", "isscalar", "ndim", "shape"),
)
"""Functions whose first argument is no array, or only maybe one."""


class RefusedError(TypeError):
    """What CuPy would refuse."""


class CUDARuntimeError(RuntimeError):
    """As `cupy.cuda.runtime.CUDARuntimeError`."""


class OutOfMemoryError(MemoryError):
    """As `cupy.cuda.memory.OutOfMemoryError`."""

    def __init__(self, size: int, total: int) -> None:
        super().__init__(f"Out of memory allocating {size:,} bytes (allocated so far: {total:,} bytes).")


class Machine:
    """What the arrays have in common: the devices, which of them is current, how much was copied."""

    def __init__(self, devices: int, memory: int) -> None:
        self.devices, self.memory = devices, memory
        self.current = 0
        self.linalg_raises = False
        self.counts = {"to_host": 0, "to_device": 0}

    def allocate(self, size: int) -> None:
        """Count no bytes, but refuse what could never fit."""
        if size > self.memory:
            raise OutOfMemoryError(size, 0)


class Device:
    """As `cupy.cuda.Device`."""

    def __init__(self, machine: Machine, number: int | None = None) -> None:
        self.machine = machine
        self.id = machine.current if number is None else operator.index(number)
        self.before: list[int] = []

    def use(self) -> None:
        if not 0 <= self.id < self.machine.devices:
            raise CUDARuntimeError("cudaErrorInvalidDevice: invalid device ordinal")
        self.machine.current = self.id

    def synchronize(self) -> None:
        self.machine.counts["to_host"] += 1

    @property
    def mem_info(self) -> tuple[int, int]:
        return self.machine.memory, self.machine.memory

    def __enter__(self) -> Device:
        self.before.append(self.machine.current)
        self.use()
        return self

    def __exit__(self, *exception: object) -> None:
        self.machine.current = self.before.pop()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Device) and self.id == other.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        return f"<CUDA Device {self.id}>"


class ndarray:  # noqa: N801 - CuPy's name
    """As `cupy.ndarray`: `_host` holds its numbers, and nobody but this file looks at them."""

    __module__ = "cupy"  # that is what the package knows CuPy's arrays by
    __slots__ = ("_host", "_machine", "_place")
    __array_priority__ = 100
    # CuPy's arrays are mutable, and compare by element.
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, *_: Any) -> None:
        raise NotImplementedError("make arrays with cupy.array")

    shape = property(lambda self: self._host.shape)
    dtype = property(lambda self: self._host.dtype)
    size = property(lambda self: self._host.size)
    ndim = property(lambda self: self._host.ndim)
    nbytes = property(lambda self: self._host.nbytes)
    itemsize = property(lambda self: self._host.itemsize)
    strides = property(lambda self: self._host.strides)
    flags = property(lambda self: SimpleNamespace(c_contiguous=self._host.flags.c_contiguous))
    T = property(lambda self: self._new(self._host.T))
    mT = property(lambda self: self._new(self._host.mT))  # noqa: N815
    device = property(lambda self: Device(self._machine, self._place))
    own = property(lambda self: self._host)  # what kernels that run on the CPU are given

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        # There is nothing at this address; it is here because CuPy's arrays have it.
        return {"shape": self.shape, "typestr": self.dtype.str, "data": (0, False), "version": 3}

    def _new(self, host: Any) -> Any:
        return made(self._machine, np.asarray(host))

    # To the host

    def get(self, stream: Any = None, order: str = "C", out: Any = None) -> np.ndarray:
        self._machine.counts["to_host"] += 1
        return np.array(self._host)

    def item(self) -> Any:
        return self.get().item()

    def tolist(self) -> Any:
        return self.get().tolist()

    def __float__(self) -> float:
        return float(self.get())

    def __int__(self) -> int:
        return int(self.get())

    def __index__(self) -> int:
        return operator.index(self.get())

    def __bool__(self) -> bool:
        return bool(self.get())

    def __repr__(self) -> str:
        return repr(self.get())

    def __format__(self, spec: str) -> str:
        return format(self.get(), spec)

    def __reduce__(self) -> Any:
        return sys.modules["cupy"].array, (self.get(),)

    def __deepcopy__(self, memo: Any) -> ndarray:
        return self.copy()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        raise RefusedError(
            "Implicit conversion to a NumPy array is not allowed. Please use `.get()` to construct a NumPy array "
            "explicitly."
        )

    # NumPy's functions

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        mine = getattr(sys.modules["cupy"], ufunc.__name__, None)
        if method != "__call__" or mine is None:
            return NotImplemented
        if not all(isinstance(x, (ndarray, np.ndarray, np.generic, *PYTHON_NUMBERS)) for x in inputs):
            return NotImplemented
        return mine(*inputs, **options)

    def __array_function__(self, function: Any, types: Any, arguments: Any, options: Any) -> Any:
        found: Any = sys.modules["cupy"]
        for name in [*function.__module__.split(".")[1:], function.__name__]:
            found = getattr(found, name, None)
        if found is None or any(kind not in (ndarray, np.ndarray) for kind in types):
            return NotImplemented
        return found(*arguments, **options)

    # Elements

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of unsized object")
        return int(self.shape[0])

    def __iter__(self) -> Iterator[Any]:
        if not self.shape:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: Any) -> ndarray:
        if any(getattr(part, "dtype", None) == np.bool_ for part in (index if isinstance(index, tuple) else (index,))):
            self._machine.counts["to_host"] += 1  # the length of the result
        return self._new(self._host[self._index(index)])

    def __setitem__(self, index: Any, value: Any) -> None:
        self._host[self._index(index)] = unwrapped("setitem", value)

    def _index(self, index: Any) -> Any:
        """An index for NumPy, the numbers in its arrays wrapped around."""
        parts = list(index) if isinstance(index, tuple) else [index]
        arrays = [np.asarray(part._host if isinstance(part, ndarray) else part) for part in parts
                  if isinstance(part, (ndarray, np.ndarray, list))]  # fmt: skip
        if sum(array.dtype == np.bool_ for array in arrays) > 1:
            raise IndexError("CuPy does not support more than one boolean array in an index")
        taken = sum(self._axes(part) for part in parts)
        axis, found = 0, []
        for part in parts:
            if part is Ellipsis:
                axis += self.ndim - taken
            elif isinstance(part, (ndarray, np.ndarray, list)) and self._axes(part) == 1:
                array = np.asarray(part._host if isinstance(part, ndarray) else part)
                if array.dtype.kind in "iu" and axis < self.ndim and self.shape[axis]:
                    array = array % self.shape[axis]
                part = array
                axis += 1
            else:
                axis += self._axes(part)
                part = part._host if isinstance(part, ndarray) else part
            found.append(part)
        return tuple(found) if isinstance(index, tuple) else found[0]

    @staticmethod
    def _axes(part: Any) -> int:
        """How many axes a part of an index selects from."""
        if part is None or part is Ellipsis:
            return 0
        return part.ndim if getattr(part, "dtype", None) == np.bool_ else 1

    # Methods

    def copy(self, order: str = "C") -> ndarray:
        return self._new(self._host.copy())

    def astype(self, dtype: Any, copy: bool = True) -> ndarray:
        return self._new(self._host.astype(dtype))

    def reshape(self, *shape: Any, order: str = "C") -> ndarray:
        return self._new(self._host.reshape(*shape))

    def ravel(self, order: str = "C") -> ndarray:
        return self._new(self._host.ravel())

    def fill(self, value: Any) -> None:
        self._host[...] = unwrapped("fill", value)

    def transpose(self, *axes: Any) -> ndarray:
        return self._new(self._host.transpose(*axes))


def made(machine: Machine, host: np.ndarray, place: int | None = None) -> ndarray:
    """An array with these numbers, which nobody else holds, on the current device."""
    if host.dtype.kind not in "biufc" or host.dtype.itemsize > (16 if host.dtype.kind == "c" else 8):
        raise ValueError(f"Unsupported dtype {host.dtype}")
    machine.allocate(host.nbytes)
    array = object.__new__(ndarray)
    array._host, array._machine, array._place = host, machine, machine.current if place is None else place
    return array


def unwrapped(name: str, value: Any, outermost: bool = True) -> Any:
    """An argument for NumPy: the numbers of arrays on the current device, and what is no array as it is."""
    if isinstance(value, ndarray):
        if value._place != value._machine.current:
            raise ValueError(
                f"The device where the array resides ({value._place}) is different from the current device "
                f"({value._machine.current}). Peer access is unavailable between these devices."
            )
        return value._host
    if isinstance(value, np.ndarray):
        raise RefusedError(f"Unsupported type {np.ndarray} in {name}")
    if isinstance(value, (list, tuple)):
        return type(value)(unwrapped(name, item, False) for item in value)
    if hasattr(value, "__array_ufunc__") and not isinstance(value, np.generic):
        raise RefusedError(f"Unsupported type {type(value)} in {name}")
    return value


def wrapped(machine: Machine, result: Any) -> Any:
    """What NumPy returned, as CuPy returns it."""
    if isinstance(result, (np.ndarray, np.generic)):
        return made(machine, np.array(result, copy=None))
    if isinstance(result, (tuple, list)):
        return type(result)._make(wrapped(machine, item) for item in result) if hasattr(result, "_make") else type(
            result)(wrapped(machine, item) for item in result)  # fmt: skip
    return result


class ufunc:  # noqa: N801 - CuPy's name
    """As `cupy.ufunc`."""

    def __init__(self, machine: Machine, name: str, inputs: int) -> None:
        self.machine, self.__name__, self.nin = machine, name, inputs
        self.of_numpy = getattr(np, name)

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        if len(inputs) != self.nin or not options.keys() <= {"dtype", "casting"}:
            raise RefusedError(f"Wrong arguments for {self.__name__}: {len(inputs)} inputs and {sorted(options)}")
        for x in inputs:
            if not isinstance(x, (ndarray, np.generic, *PYTHON_NUMBERS)):
                raise RefusedError(f"Unsupported type {type(x)}")
        with np.errstate(all="ignore"):
            return wrapped(self.machine, self.of_numpy(*(unwrapped(self.__name__, x) for x in inputs), **options))

    def at(self, a: ndarray, indices: Any, b: Any = None) -> None:
        if self.__name__ not in ("add", "maximum", "minimum"):
            raise NotImplementedError(f"`{self.__name__}.at` is not supported yet")
        self.of_numpy.at(a._host, a._index(indices), unwrapped("at", b))

    def reduce(self, array: ndarray, axis: Any = 0, dtype: Any = None, out: Any = None, keepdims: bool = False) -> Any:
        if self.__name__ not in ("add", "multiply"):
            raise NotImplementedError(f"`{self.__name__}.reduce` is not supported yet")
        return (array.sum if self.__name__ == "add" else array.prod)(axis=axis, dtype=dtype, keepdims=keepdims)


@cache
def signature_of(text: str) -> inspect.Signature:
    """The signature that "f(a, /, b=None, *c, d=1)" describes; that there are defaults matters, not which."""
    (function,) = ast.parse(f"def {text}: ...").body
    given = function.args  # type: ignore[attr-defined]
    kinds = inspect.Parameter
    positional = [*given.posonlyargs, *given.args]
    required = len(positional) - len(given.defaults)
    found = [
        kinds(
            a.arg,
            kinds.POSITIONAL_ONLY if i < len(given.posonlyargs) else kinds.POSITIONAL_OR_KEYWORD,
            default=kinds.empty if i < required else None,
        )
        for i, a in enumerate(positional)
    ]
    found += [kinds(given.vararg.arg, kinds.VAR_POSITIONAL)] if given.vararg else []
    found += [
        kinds(a.arg, kinds.KEYWORD_ONLY, default=kinds.empty if d is None else None)
        for a, d in zip(given.kwonlyargs, given.kw_defaults, strict=True)
    ]
    found += [kinds(given.kwarg.arg, kinds.VAR_KEYWORD)] if given.kwarg else []
    return inspect.Signature(found)


def function_of(machine: Machine, text: str) -> Callable[..., Any]:
    """The function that a line of `cupy_names.txt` describes."""
    name = text.partition("(")[0]
    of_numpy: Any = np
    for part in name.split("."):
        of_numpy = getattr(of_numpy, part)
    signature = signature_of(text.rpartition("linalg.")[2])
    takes_host = name in FROM_THE_HOST
    first_is_array = not takes_host and name not in NO_ARRAYS

    def function(*arguments: Any, **options: Any) -> Any:
        try:
            signature.bind(*arguments, **options)
        except TypeError as error:
            raise RefusedError(f"{name}() of CuPy: {error}") from None
        if first_is_array and arguments:
            several = arguments[0] if isinstance(arguments[0], (list, tuple)) else [arguments[0]]
            if not all(isinstance(x, ndarray) for x in several):
                raise RefusedError(f"{name}() of CuPy works on its arrays, not on {type(several[0])}")
        given = arguments
        if takes_host:
            if options.pop("blocking", False):
                pass
            if isinstance(arguments[0], np.ndarray):
                machine.counts["to_device"] += 1
                given = (np.array(arguments[0]), *arguments[1:])
            elif isinstance(arguments[0], ndarray) and arguments[0]._place != machine.current:
                given = (np.array(arguments[0]._host), *arguments[1:])
            elif isinstance(arguments[0], ndarray) and name == "asarray" and len(arguments) == 1 and not any(
                value is not None for value in options.values()
            ):  # fmt: skip
                return arguments[0]
            else:
                given = tuple(unwrapped(name, x) for x in arguments)
        else:
            given = tuple(unwrapped(name, x) for x in arguments)
        options = {key: unwrapped(name, value) for key, value in options.items()}
        machine.counts["to_host"] += name in ("nonzero", "unique", "argwhere", "flatnonzero")
        if name in ("zeros", "ones", "empty", "full"):
            machine.allocate(8 * math.prod(np.atleast_1d(given[0]).tolist()))
        elif name == "arange":
            machine.allocate(8 * len(range(*(math.ceil(end) for end in given[:2]))))
        with np.errstate(all="ignore"):
            return wrapped(machine, of_numpy(*given, **options))

    function.__name__ = function.__qualname__ = name.rpartition(".")[2]
    function.__module__ = "cupy"
    return function


def careful(machine: Machine, function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of `linalg`, which complains only where it is asked to."""

    def call(a: Any, *arguments: Any, **options: Any) -> Any:
        if function.__name__ == "solve":
            b = arguments[0]
            if b.ndim == 1 or a.shape[:-1] != b.shape[:-1]:
                raise ValueError("a must have (..., M, M) shape and b must have (..., M, K)")
        machine.counts["to_host"] += machine.linalg_raises
        try:
            return function(a, *arguments, **options)
        except np.linalg.LinAlgError:
            if machine.linalg_raises or a.shape[-1:] != a.shape[-2:-1]:
                raise
            return function(a * math.nan if function.__name__ != "cholesky" else a * 0 + _identity(a), *arguments,
                            **options) * math.nan  # fmt: skip

    def _identity(a: Any) -> Any:
        return made(machine, np.eye(a.shape[-1], dtype=a.dtype))

    return call


def add_operators() -> None:
    """The operators of `ndarray`, and methods, by CuPy's functions."""
    names = {
        "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "true_divide", "floordiv": "floor_divide",
        "mod": "remainder", "pow": "power", "matmul": "matmul", "and": "bitwise_and", "or": "bitwise_or",
        "xor": "bitwise_xor", "lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal", "eq": "equal",
        "ne": "not_equal",
    }  # fmt: skip
    for short, name in names.items():

        def method(self: ndarray, other: Any, name: str = name) -> Any:
            return getattr(sys.modules["cupy"], name)(self, other)

        def reflected(self: ndarray, other: Any, name: str = name) -> Any:
            return getattr(sys.modules["cupy"], name)(other, self)

        setattr(ndarray, f"__{short}__", method)
        if short not in ("lt", "le", "gt", "ge", "eq", "ne"):
            setattr(ndarray, f"__r{short}__", reflected)
    for short, name in {"neg": "negative", "abs": "absolute", "invert": "invert", "pos": "positive"}.items():

        def unary(self: ndarray, name: str = name) -> Any:
            return getattr(sys.modules["cupy"], name)(self)

        setattr(ndarray, f"__{short}__", unary)
    methods = "sum prod mean max min any all argmax argmin cumsum cumprod squeeze argsort nonzero repeat take"
    for name in methods.split():

        def by_function(self: ndarray, *arguments: Any, name: str = name, **options: Any) -> Any:
            return getattr(sys.modules["cupy"], name)(self, *arguments, **options)

        setattr(ndarray, name, by_function)


add_operators()


def names() -> Iterator[tuple[str, str, str]]:
    """The lines of `cupy_names.txt`, each with its name and what it says about it."""
    for line in (Path(__file__).parent / "cupy_names.txt").read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            name, _, kind = line.partition("(" if "(" in line else ": ")
            yield line, name, kind


def differences(cupy: ModuleType) -> list[str]:
    """Where an installed CuPy is not what `cupy_names.txt` says."""
    found = []
    for line, name, kind in names():
        there: Any = cupy
        for part in name.split("."):
            there = getattr(there, part, None)
        if kind.startswith("ufunc"):
            same = there is not None and getattr(there, "nin", 2) == int(kind.rpartition(" ")[2])
        elif kind == "numpy's" or there is None:
            same = there is not None
        else:
            wanted = signature_of(line.rpartition("linalg.")[2])
            same = list(inspect.signature(there).parameters) == list(wanted.parameters)
        if not same:
            found.append(line)
    return found


def modules(devices: int = 2, memory: int = 1 << 28) -> dict[str, ModuleType]:
    """What `import cupy` and `import cupyx` should find: with 0 devices, a CuPy without a GPU."""
    machine = Machine(devices, memory)
    cupy, cupyx = ModuleType("cupy"), ModuleType("cupyx")
    cupy.linalg = ModuleType("cupy.linalg")  # type: ignore[attr-defined]
    for line, name, kind in names():
        found: Any
        if not hasattr(np.linalg if "linalg" in name else np, name.removeprefix("linalg.")):
            continue  # this NumPy has dropped it, or is older than CuPy's
        if kind.startswith("ufunc"):
            found = ufunc(machine, name, int(kind.rpartition(" ")[2]))
        elif kind == "numpy's":
            found = getattr(np.linalg, name.removeprefix("linalg.")) if "linalg" in name else getattr(np, name)
        else:
            found = function_of(machine, line)
        inside, _, last = name.rpartition(".")
        if inside and kind != "numpy's":
            found = careful(machine, found)
        setattr(cupy.linalg if inside else cupy, last, found)
    cupy.__version__ = "14.2.0"  # type: ignore[attr-defined]
    cupy.ndarray, cupy.ufunc, cupy.counts = ndarray, ufunc, machine.counts  # type: ignore[attr-defined]
    cupy.newaxis = None  # type: ignore[attr-defined]
    cupy.asnumpy = lambda a: a.get() if isinstance(a, ndarray) else np.asarray(a)  # type: ignore[attr-defined]

    def checked() -> None:
        if not machine.devices:
            raise CUDARuntimeError("cudaErrorNoDevice: no CUDA-capable device is detected")

    def count() -> int:
        checked()
        return machine.devices

    runtime = SimpleNamespace(
        CUDARuntimeError=CUDARuntimeError,
        getDeviceCount=count,
        getDeviceProperties=lambda number: {"name": f"Stand-in {number}".encode(), "totalGlobalMem": memory},
        deviceSynchronize=lambda: Device(machine).synchronize(),
    )
    cupy.cuda = SimpleNamespace(  # type: ignore[attr-defined]
        Device=lambda number=None: Device(machine, number),
        runtime=runtime,
        memory=SimpleNamespace(OutOfMemoryError=OutOfMemoryError),
        is_available=lambda: machine.devices > 0,
    )
    cupy.random = SimpleNamespace(default_rng=lambda seed=None: _Generator(machine, seed))  # type: ignore[attr-defined]

    @contextmanager
    def errstate(*, linalg: str | None = None) -> Iterator[None]:
        before, machine.linalg_raises = machine.linalg_raises, linalg == "raise"
        try:
            yield
        finally:
            machine.linalg_raises = before

    def of_elements(function: Callable[[float], float]) -> Callable[[ndarray], ndarray]:
        def call(x: ndarray) -> ndarray:
            host = unwrapped("special", x)
            kept = host.dtype if host.dtype.kind == "f" else np.dtype(np.float64)
            return made(machine, np.array([function(v) for v in host.ravel().tolist()], kept).reshape(host.shape))

        return call

    scipy, special = ModuleType("cupyx.scipy"), ModuleType("cupyx.scipy.special")
    special.erf, special.erfc = of_elements(math.erf), of_elements(math.erfc)  # type: ignore[attr-defined]
    scipy.special, cupyx.scipy, cupyx.errstate = special, scipy, errstate  # type: ignore[attr-defined]
    return {"cupy": cupy, "cupyx": cupyx, "cupyx.scipy": scipy, "cupyx.scipy.special": special}


class _Generator:
    """As `cupy.random.Generator`."""

    def __init__(self, machine: Machine, seed: Any) -> None:
        self.machine, self.of_numpy = machine, np.random.default_rng(seed)

    def random(self, size: Any = None, dtype: Any = np.float64, out: Any = None) -> ndarray:
        return made(self.machine, np.asarray(self.of_numpy.random(size, dtype)))

    def standard_normal(self, size: Any = None, dtype: Any = np.float64, out: Any = None) -> ndarray:
        return made(self.machine, np.asarray(self.of_numpy.standard_normal(size, dtype)))


@contextmanager
def installed(devices: int = 2, memory: int = 1 << 28) -> Iterator[Any]:
    """`import cupy` finds the stand-in inside."""
    found = modules(devices, memory)
    before = {name: sys.modules.get(name) for name in found}
    sys.modules.update(found)
    try:
        yield found["cupy"]
    finally:
        # They hold generators of this CuPy.
        random._device_generators.clear()
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module
