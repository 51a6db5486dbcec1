"""A GPU where there is none: what `benchmarks.gpu` finds under the names cupy, torch.cuda and jax.devices("cuda").

The arrays are those of `cupy_on_cpu`, kernels are compiled by g++ and run thread by thread, torch and JAX compute on
the CPU. It proves that the commands hold together; what they measure on it means nothing.
"""

from __future__ import annotations

import importlib.abc
import importlib.util
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import patch

from ..compiler.cuda.on_cpu import fake_cupy
from ..interop import cupy_on_cpu

NAME = "Stand-in"
MEMORY = 1 << 28


class Event:
    """A time."""

    def __init__(self, **_: Any) -> None:
        self.seconds = 0.0

    def record(self, stream: Any = None) -> None:
        self.seconds = time.perf_counter()

    def synchronize(self) -> None:
        pass

    def elapsed_time(self, end: Event) -> float:
        return 1e3 * (end.seconds - self.seconds)


def cupy_modules(devices: int = 1) -> dict[str, ModuleType]:
    """`cupy_on_cpu`, and beside it what launches kernels."""
    modules = cupy_on_cpu.modules(devices, MEMORY)
    cupy: Any = modules["cupy"]
    cupy.RawModule = fake_cupy.RawModule
    cupy.ascontiguousarray = lambda x: x if x.own.flags.c_contiguous else x.copy()
    cupy.get_default_memory_pool = lambda: SimpleNamespace(free_all_blocks=lambda: None)
    vars(cupy.cuda).update(
        Stream=fake_cupy.Stream,
        driver=fake_cupy.DRIVER,
        Event=Event,
        get_current_stream=fake_cupy.get_current_stream,
        get_elapsed_time=Event.elapsed_time,
    )
    vars(cupy.cuda.runtime).update(
        memGetInfo=lambda: (MEMORY, MEMORY), runtimeGetVersion=lambda: 0, driverGetVersion=lambda: 0
    )
    cupy_on_cpu.Device.attributes = fake_cupy.Device.attributes  # type: ignore[attr-defined]
    cupy_on_cpu.Device.compute_capability = "00"  # type: ignore[attr-defined]
    return modules


def torch_graphs() -> tuple[type, Any]:
    """torch's `CUDAGraph` and `graph`: operations are noted, and later run again in the same memory."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    class CUDAGraph:
        def __init__(self) -> None:
            self.calls: list[Any] = []

        @torch.no_grad()
        def replay(self) -> None:
            for function, arguments, options, kept in self.calls:
                result = function(*arguments, **options)
                places = [x.untyped_storage().data_ptr() for x in arguments if isinstance(x, torch.Tensor)]
                if isinstance(kept, torch.Tensor) and kept.untyped_storage().data_ptr() not in places:
                    kept.copy_(result)

    class Noting(TorchDispatchMode):
        def __init__(self, graph: CUDAGraph) -> None:
            super().__init__()
            self.graph = graph
            self.before: list[Any] = []

        def __torch_dispatch__(self, function: Any, types: Any, arguments: Any = (), options: Any = None) -> Any:
            # What is written into is put back: a capture takes no step.
            if function._schema.is_mutable:
                self.before.append((arguments[0], arguments[0].clone()))
            result = function(*arguments, **(options or {}))
            self.graph.calls.append((function, arguments, options or {}, result))
            return result

    @contextmanager
    def graph(recorded: CUDAGraph) -> Iterator[None]:
        with Noting(recorded) as noting:
            yield
        with torch.no_grad():
            for x, before in reversed(noting.before):
                x.copy_(before)

    return CUDAGraph, graph


def give_torch_a_gpu() -> None:
    """The device "cuda:0" is the CPU from now on."""
    import torch

    def here(argument: Any) -> Any:
        return "cpu" if isinstance(argument, str) and argument.startswith("cuda") else argument

    def on_cpu(function: Any) -> Any:
        return lambda self, *arguments, **options: function(self, *map(here, arguments), **options)

    torch.Tensor.to = on_cpu(torch.Tensor.to)  # type: ignore[method-assign]
    torch.nn.Module.to = on_cpu(torch.nn.Module.to)  # type: ignore[method-assign]
    compile_for_gpu, without = torch.compile, torch.cuda.is_available

    def compiled(function: Any, **options: Any) -> Any:
        """By torch's tracer alone, which must not find a GPU that is none."""
        run = compile_for_gpu(function, **options, backend="aot_eager")

        def call(*arguments: Any) -> Any:
            with patch.object(torch.cuda, "is_available", without):
                return run(*arguments)

        return call

    torch.compile = compiled  # type: ignore[assignment]
    nothing = SimpleNamespace(wait_stream=lambda stream: None)
    cuda_graph, graph = torch_graphs()
    vars(torch.cuda).update(
        is_available=lambda: True,
        mem_get_info=lambda *_: (MEMORY, MEMORY),
        empty_cache=lambda: None,
        synchronize=lambda *_: None,
        Event=Event,
        Stream=lambda: nothing,
        current_stream=lambda: nothing,
        stream=lambda stream: nullcontext(),
        CUDAGraph=cuda_graph,
        graph=graph,
    )


def give_jax_a_gpu() -> None:
    """The first of JAX's devices on "cuda" is the CPU from now on."""
    import jax

    of_jax = jax.devices
    jax.devices = lambda backend=None: of_jax("cpu" if backend == "cuda" else backend)


GIVE = {"torch": give_torch_a_gpu, "jax": give_jax_a_gpu}


class Giver(importlib.abc.MetaPathFinder):
    """Gives a library its GPU when it is imported, and not before."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        """The library's own spec, whose loader does one thing more."""
        if name not in GIVE:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        sys.meta_path.insert(0, self)
        if spec is not None and spec.loader is not None:
            load: Any = spec.loader.exec_module

            def load_and_give(module: ModuleType) -> None:
                load(module)
                GIVE[name]()

            spec.loader.exec_module = load_and_give  # type: ignore[method-assign]
        return spec


def install() -> None:
    """Put everything in its place, for the rest of this process."""
    sys.modules.update(cupy_modules())
    sys.meta_path.insert(0, Giver())
