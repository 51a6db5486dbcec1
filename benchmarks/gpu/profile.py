"""A profile of an eager step: where its time goes, in enough detail to improve it without a GPU.

Beside the rows it leaves what Python's profiler prints, and a trace of the kernels for a browser's `about:tracing`.
"""

from __future__ import annotations

import cProfile
import pstats
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from benchmarks.gpu.scale import At, Scale, tried
from benchmarks.implementations.cuda import cupy_on, gpu_clock
from benchmarks.implementations.torch_ import torch_on
from benchmarks.interface import Unavailable
from benchmarks.pairing import seconds
from benchmarks.problems import SIN, Case
from benchmarks.registry import started
from benchmarks.running.store import Row

CASE = Case(SIN, 2000, "float64", "cuda:0")
STEPS = 300
SECTIONS = ("forward", "backward", "update")
FUNCTIONS = 40
"""How many functions are listed."""


def repetitions(scale: Scale) -> int:
    """The number of repetitions."""
    return 20 if scale.stand_ins else STEPS


def sections(who: str, scale: Scale) -> Row:
    """The seconds that Python spends in each section of a step, and those of a step until the GPU has finished."""
    device = "cpu" if who.endswith("NumPy") else CASE.device
    library: Any
    if who == "torch.autograd":
        library = torch_on(CASE)
        wait = library.cuda.synchronize
    else:
        import tinygrad_poly as library

        cupy = cupy_on(CASE)
        wait = cupy.cuda.Device().synchronize
    x, y = (library.from_numpy(a).to(device) for a in CASE.data())
    weights = [library.from_numpy(w).to(device).requires_grad_() for w in CASE.start()]
    clock, spent = time.perf_counter, [0.0, 0.0, 0.0]

    def steps(count: int) -> None:
        for _ in range(count):
            begin = clock()
            loss = SIN.loss(weights, x, y)
            forward = clock()
            loss.backward()
            backward = clock()
            with library.no_grad():
                for w in weights:
                    w -= CASE.lr * w.grad
                    w.grad = None
            end = clock()
            for i, section in enumerate((forward - begin, backward - forward, end - backward)):
                spent[i] += section

    steps(10)
    wait()
    spent[:] = 0.0, 0.0, 0.0
    count = repetitions(scale)

    def all_steps() -> None:
        steps(count)
        wait()

    whole = seconds(all_steps)
    return {"what": who, "seconds": {**dict(zip(SECTIONS, (s / count for s in spent))), "step": whole / count}}


def operations(scale: Scale) -> Row:
    """The seconds of single CuPy calls, for Python and on the device: a step is made of these."""
    cupy = cupy_on(CASE)
    x, y = (cupy.asarray(a) for a in CASE.data())
    number = cupy.asarray(CASE.start()[0])
    stream = cupy.cuda.Stream(non_blocking=True)
    module = cupy.RawModule(code=NOTHING)
    kernel = module.get_function("nothing")
    kernel((1,), (32,), (x,))
    with stream:
        stream.begin_capture()
        kernel((1,), (32,), (x,))
        graph = stream.end_capture()
    calls: dict[str, Callable[[], Any]] = {
        "x * y": lambda: x * y,
        "x * w": lambda: x * number,
        "x * 2.0": lambda: x * 2.0,
        "x.sum()": lambda: x.sum(),
        "cupy.add.reduce(x)": lambda: cupy.add.reduce(x),
        "w - w": lambda: number - number,
        "w * 0.5": lambda: number * 0.5,
        "cupy.broadcast_to(w, x.shape)": lambda: cupy.broadcast_to(number, x.shape),
        "cupy.empty(n)": lambda: cupy.empty(CASE.points),
        "cupy.asarray(0.5)": lambda: cupy.asarray(0.5),
        "Device()": lambda: cupy.cuda.Device(),
        "a kernel that does nothing": lambda: kernel((1,), (32,), (x,)),
        "a graph of such a kernel": lambda: graph.launch(stream),
        "waiting for nothing": lambda: cupy.cuda.Device().synchronize(),
        "w.item()": lambda: number.item(),
    }
    found: dict[str, list[float]] = {}
    count = repetitions(scale)
    for name, call in calls.items():
        call()
        cupy.cuda.Device().synchronize()

        def often(call: Callable[[], Any] = call) -> None:
            for _ in range(count):
                call()

        on_device = gpu_clock(cupy, stream if "graph" in name else None)
        with on_device:
            by_python = seconds(often)
        found[name] = [by_python / count, on_device.seconds / count]
    return {"what": "operations", "seconds": found}


NOTHING = """
extern "C" __global__ void __launch_bounds__(32) nothing(
    const double* x) {
}
"""


def launches(name: str, scale: Scale) -> Row:
    """The kernels of a step and their seconds, seen by CUPTI through torch's profiler, including other libraries'."""
    if scale.stand_ins:
        raise Unavailable("stand-ins launch nothing that a profiler sees")
    torch = torch_on(CASE)
    run = started(CASE, name)
    run.take(10)
    count = repetitions(scale) // 10
    activities = [torch.profiler.ProfilerActivity.CUDA]
    with torch.profiler.profile(activities=activities) as profile:
        whole = seconds(partial(run.take, count))
    profile.export_chrome_trace(str(scale.out / f"trace-{name}.json"))
    kernels = {}
    for event in profile.key_averages():
        on_device = float(getattr(event, "self_device_time_total", 0) or getattr(event, "self_cuda_time_total", 0))
        if on_device:
            kernels[event.key[:90]] = [event.count / count, on_device * 1e-6 / count]
    return {
        "what": name,
        "launches": sum(calls for calls, _ in kernels.values()),
        "busy": sum(spent for _, spent in kernels.values()),
        "step": whole / count,
        "kernels": dict(sorted(kernels.items(), key=lambda pair: -pair[1][1])[:FUNCTIONS]),
    }


def functions(scale: Scale) -> Row:
    """The functions in which Python spends an eager step: calls, and own seconds, the profiler's included."""
    run = started(CASE, "tinygrad_poly")
    run.take(10)
    count = repetitions(scale)
    profile = cProfile.Profile()
    profile.runcall(run.take, count)
    with (scale.out / "profile.txt").open("w", encoding="utf-8") as log:
        stats: Any = pstats.Stats(profile, stream=log)
        stats.sort_stats("tottime").print_stats(2 * FUNCTIONS)
        stats.print_callers(FUNCTIONS)
    found = {}
    for (file, line, function), (_, calls, own, _, _) in stats.stats.items():
        inside = file.rpartition("tinygrad_poly/")[2] if "tinygrad_poly/" in file else file.rpartition("/")[2]
        found[f"{inside}:{line}({function})" if line else function] = [calls / count, own / count]
    return {"what": "functions", "functions": dict(sorted(found.items(), key=lambda pair: -pair[1][1])[:FUNCTIONS])}


ROWS: dict[str, Callable[[Scale], Row]] = {
    "sections of tinygrad_poly": partial(sections, "tinygrad_poly"),
    "sections of torch.autograd": partial(sections, "torch.autograd"),
    "sections of tinygrad_poly on NumPy": partial(sections, "tinygrad_poly on NumPy"),
    "operations": operations,
    "functions": functions,
    "kernels of tinygrad_poly": partial(launches, "tinygrad_poly"),
    "kernels of torch.autograd": partial(launches, "torch.autograd"),
}


def keys(scale: Scale) -> list[str]:
    """The keys of all rows."""
    return list(ROWS)


def measure(asked: Sequence[str], scale: Scale, at: At) -> Iterator[tuple[str, Row]]:
    """A row for each view of the step."""
    for key in asked:
        at(key)
        yield from tried(key, partial(ROWS[key], scale))
