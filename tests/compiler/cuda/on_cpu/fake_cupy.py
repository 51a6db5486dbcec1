"""CuPy as far as the package uses it, on arrays that a CPU computes but that will not be taken for NumPy's.

What CuPy refuses is refused here: NumPy arrays among its own, implicit conversions, kernel arguments of another type
than the parameter's (which a GPU would misread without a word), and whatever waits for the GPU during a capture.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import numpy as np

from tinygrad_poly.compiler.cuda.functions import TYPES

from . import emulator


class ndarray(np.lib.mixins.NDArrayOperatorsMixin):  # noqa: N801 - CuPy's name
    """An array on the device."""

    __module__ = "cupy"  # that is what the package knows CuPy's arrays by

    def __init__(self, own: Any) -> None:
        self.own = np.asarray(own)

    shape = property(lambda self: self.own.shape)
    dtype = property(lambda self: self.own.dtype)
    size = property(lambda self: self.own.size)
    ndim = property(lambda self: self.own.ndim)
    device = property(lambda self: Device(0))

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TypeError("Implicit conversion to a NumPy array is not allowed. Please use `.get()`")

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **keywords: Any) -> Any:
        return wrapped(getattr(ufunc, method)(*map(unwrapped, inputs), **keywords))

    def __array_function__(self, function: Any, types: Any, inputs: Any, keywords: Any) -> Any:
        return wrapped(function(*map(unwrapped, inputs), **{k: unwrapped(v) for k, v in keywords.items()}))

    def __getitem__(self, index: Any) -> ndarray:
        return ndarray(self.own[unwrapped(index)])

    def __setitem__(self, index: Any, value: Any) -> None:
        self.own[index] = unwrapped(value)

    def __len__(self) -> int:
        return len(self.own)

    def __bool__(self) -> bool:
        return bool(self.get())

    def __float__(self) -> float:
        return float(self.get())

    def __int__(self) -> int:
        return int(self.get())

    def item(self) -> Any:
        return self.get().item()

    def get(self) -> Any:
        assert not Stream.capturing, "no transfer while a graph is captured"
        return self.own.copy()

    def fill(self, value: Any) -> None:
        self.own.fill(value)

    def copy(self) -> ndarray:
        return ndarray(self.own.copy())

    def astype(self, dtype: Any) -> ndarray:
        return ndarray(self.own.astype(dtype))

    def reshape(self, *shape: Any) -> ndarray:
        return ndarray(self.own.reshape(*shape))

    def all(self) -> ndarray:
        return ndarray(self.own.all())


def wrapped(result: Any) -> Any:
    return tuple(map(wrapped, result)) if isinstance(result, tuple) else ndarray(result)


def unwrapped(x: Any) -> Any:
    if isinstance(x, (tuple, list)):
        return type(x)(map(unwrapped, x))
    if isinstance(x, np.ndarray):
        raise TypeError("Unsupported type <class 'numpy.ndarray'>")
    return x.own if isinstance(x, ndarray) else x


class Device:
    """The only one."""

    attributes: ClassVar[dict[str, int]] = {"MultiProcessorCount": 2}

    def __init__(self, number: int | None = None) -> None:
        self.id = number or 0

    def __enter__(self) -> Device:
        return self

    def __exit__(self, *_: Any) -> None:
        pass


class Graph:
    """Launches to be made again."""

    def __init__(self) -> None:
        self.launches: list[Any] = []

    def launch(self, stream: Any = None) -> None:
        for launch in self.launches:
            launch()


class Stream:
    """A queue that is always empty."""

    current: ClassVar[list[Stream]] = []
    capturing: ClassVar[Graph | None] = None

    def __init__(self, null: bool = False, *, non_blocking: bool = False) -> None:
        self.null = null

    def __enter__(self) -> Stream:
        Stream.current.append(self)
        return self

    def __exit__(self, *_: Any) -> None:
        assert Stream.current.pop() is self

    def record(self) -> object:
        return self

    def wait_event(self, event: object) -> None:
        assert isinstance(event, Stream)

    def begin_capture(self) -> None:
        if self.null:
            raise RuntimeError("cannot capture on the default (legacy) stream")
        Stream.capturing = Graph()

    def end_capture(self) -> Graph:
        graph, Stream.capturing = Stream.capturing, None
        assert graph is not None
        return graph


DEFAULT = Stream(null=True)
DRIVER = SimpleNamespace(occupancyMaxActiveBlocksPerMultiprocessor=lambda kernel, threads, memory: 2048 // threads)


def get_current_stream() -> Stream:
    return Stream.current[-1] if Stream.current else DEFAULT


class RawModule:
    """Kernels, compiled when one is asked for; `built` holds those that were compiled together before."""

    built: ClassVar[dict[str, emulator.Module]] = {}

    def __init__(self, *, code: str, options: tuple[str, ...] = ()) -> None:
        assert options in ((), ("--std=c++17", "--fmad=false"))
        self.code = code

    def get_function(self, name: str) -> RawKernel:
        if self.code not in RawModule.built:
            with tempfile.TemporaryDirectory() as folder:
                (RawModule.built[self.code],) = emulator.build([self.code], Path(folder))
        return RawKernel(RawModule.built[self.code], self.code, name)


class RawKernel:
    """A kernel, run as soon as it is launched, or noted where a graph is captured."""

    backwards: ClassVar[bool] = False
    launched: ClassVar[int] = 0

    def __init__(self, module: emulator.Module, code: str, name: str) -> None:
        self.module, self.name, self.loaded = module, name, False
        self.kernel = SimpleNamespace(ptr=id(self))
        (parameters,) = re.findall(rf"\b{name}\(\n([^)]*)\) {{", code) or [""]
        given = parameters.replace(" __restrict__", "").split(",") if parameters else []
        self.types = [p.rpartition(" ")[0].strip() for p in given]

    def __call__(self, grid: tuple[int], block: tuple[int], arguments: tuple[Any, ...]) -> None:
        own = [getattr(x, "own", x) for x in arguments]
        given = [f"{TYPES[str(x.dtype)]}{'*' * hasattr(x, 'own')}" for x in arguments]
        assert given == [t.removeprefix("const ") for t in self.types], (self.name, given, self.types)
        assert all(x.flags.c_contiguous for x in own if isinstance(x, np.ndarray))
        assert isinstance(grid, tuple)
        assert isinstance(block, tuple)
        RawKernel.launched += 1

        def launch() -> None:
            self.module.launch(self.name, *grid, *block, own, RawKernel.backwards)

        if Stream.capturing is None:
            self.loaded = True
            launch()
        else:
            assert get_current_stream() is not DEFAULT
            assert self.loaded, "a module is loaded at its first launch, which must not be while a graph is captured"
            Stream.capturing.launches.append(launch)


def asarray(x: Any, dtype: Any = None, *, copy: bool | None = None) -> ndarray:
    if isinstance(x, ndarray):
        dtype = x.dtype if dtype is None else dtype
        return x if dtype == x.dtype and not copy else x.astype(dtype)
    return ndarray(np.array(x, dtype))


def module() -> ModuleType:
    """What `import cupy` is to give."""
    cupy = ModuleType("cupy")
    cupy.__dict__.update(
        ndarray=ndarray,
        RawModule=RawModule,
        asarray=asarray,
        asnumpy=lambda x: x.get(),
        ascontiguousarray=lambda x: ndarray(np.ascontiguousarray(x.own).reshape(x.shape)),
        # Memory is what somebody left there.
        empty=lambda shape, dtype: ndarray(np.full(shape, 99, dtype)),
        full=lambda shape, value, dtype: ndarray(np.full(shape, value, dtype)),
        cuda=SimpleNamespace(
            Stream=Stream,
            Device=Device,
            driver=DRIVER,
            get_current_stream=get_current_stream,
            runtime=SimpleNamespace(getDeviceCount=lambda: 1, CUDARuntimeError=RuntimeError),
        ),
    )
    # NumPy's functions come back to the arrays that they are given.
    cupy.__getattr__ = lambda name: getattr(np, name)  # type: ignore[method-assign]
    return cupy
