"""A smoke test: each kind of kernel compiles, runs, and computes what the CPU computes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import product
from typing import Any
from unittest.mock import patch

import numpy as np

from benchmarks import expected
from benchmarks.gpu.scale import At, Scale, tried
from benchmarks.interface import library
from benchmarks.problems import LINEAR, SIN, Case
from benchmarks.registry import IMPLEMENTATIONS, started
from benchmarks.running.store import Row

DTYPES = ("float64", "float32")
WAYS = {"one block": 2**15, "many blocks": 0}
"""How many elements one block is given at most."""
FEW, MANY = 2000, 40_000
"""Numbers of points for one block, and for many blocks and a graph."""
MORE_STEPS = 18
"""More than there are in a graph: it is launched, and then the one of a single step."""
ELEMENTS = 1000


def device() -> Row:
    """The GPU, and the versions of everything between it and Python."""
    cupy = library("cupy", "CuPy", "pip install 'tinygrad_poly[cuda]'")
    runtime, here = cupy.cuda.runtime, cupy.cuda.Device()
    properties = runtime.getDeviceProperties(here.id)
    return {
        "gpu": properties["name"].decode(),
        "gpu_memory": int(properties["totalGlobalMem"]),
        "processors": int(here.attributes["MultiProcessorCount"]),
        "compute_capability": str(here.compute_capability),
        **{f"cuda_{name}": getattr(runtime, f"{name}GetVersion", lambda: None)() for name in ("driver", "runtime")},
        "cpus": os.cpu_count(),
    }


def eager(dtype: str) -> Row:
    """Forward and backward passes on CuPy's arrays, exact where nothing is rounded."""
    import tinygrad_poly as tg

    halves = np.random.default_rng(0).integers(-4, 5, (3, 20, 30)).astype(dtype) / 2
    found = []
    for place in ("cuda:0", "cpu"):
        x, y, z = (tg.from_numpy(a).to(place).requires_grad_() for a in halves)
        loss = ((x * y - z) * x + (z @ x.T).sum() + x.max(1).values.sum() + y[::2].sum()).sum()
        gradients: Any = tg.grad(loss, [x, y, z])
        found.append([g.cpu().numpy() for g in gradients])
    for mine, reference in zip(*found):
        np.testing.assert_array_equal(mine, reference)
    return {}


def steps(name: str, points: int, dtype: str) -> Row:
    """Steps of an implementation compared with the CPU's, within the bound for rounding."""
    problem = SIN if SIN.name in IMPLEMENTATIONS[name].problems else LINEAR
    case = Case(problem, points, dtype, "cuda:0")
    run = started(case, name)
    if not IMPLEMENTATIONS[name].steps:
        return {}
    run.take(MORE_STEPS)
    weights, off = np.array(case.problem.start, dtype).astype("float64"), 0.0
    for _ in range(MORE_STEPS + 1):
        # The descent is stable, so that an error in the weights does not grow: the errors of the steps add up.
        step = expected.step(case, weights)
        weights, off = step.weights, off + float(np.linalg.norm(step.weights_bound))
    away = float(np.linalg.norm(run.weights() - weights))
    assert away <= off, f"after {MORE_STEPS + 1} steps the weights are off by {away}, and rounding explains only {off}"
    return {"off": away, "bound": off}


def mixed(x: Any) -> list[Any]:
    """Kernels with numbers and arrays, several dtypes, and branches."""
    import tinygrad_poly as tg

    positive = x > 0
    return [tg.where(positive, x * 2, -x), positive, (x * 2).to(tg.int64).sum()]


def captured(x: Any) -> list[Any]:
    """Kernels with arrays from outside."""
    import tinygrad_poly as tg

    constant = tg.arange(len(x), dtype=x.dtype)
    return [x * constant, (x + constant).max()]


def many_sums(x: Any) -> list[Any]:
    """Kernels with more sums than threads combine at once."""
    return [(x * k).sum() for k in range(20)]


def two_loops(x: Any) -> list[Any]:
    """Kernels whose second loop needs the sum of the first."""
    return [((x - x.sum()) * 2).sum(), (x - x.sum()).max()]


def broadcast(x: Any) -> list[Any]:
    """Kernels whose loop runs along two axes."""
    import tinygrad_poly as tg

    rows = x * tg.tensor([[1.0], [2.0], [0.5]], dtype=x.dtype)
    return [rows, rows.sum()]


PROGRAMS: dict[str, Callable[[Any], list[Any]]] = {
    "elements": lambda x: [x * x + 1, -x],
    "reductions": lambda x: [x.sum(), x.max(), x.min(), (x * x).mean()],
    "several dtypes": mixed,
    "captured arrays": captured,
    "twenty sums": many_sums,
    "two loops": two_loops,
    "two axes": broadcast,
}
"""Compiled functions of an array of halves, with which nothing is rounded."""


def check_kernels(source: str, way: str) -> None:
    """Check that kernels were printed, and for the right number of blocks."""
    assert 'extern "C" __global__' in source, f"no kernel was made: {source[:200]}"
    assert ("blockIdx.x" in source) == (way == "many blocks"), f"these are not kernels for {way}"


def program(name: str, way: str, dtype: str) -> Row:
    """A compiled function, whose kernels must give the tape's result on the CPU, to the last bit."""
    import tinygrad_poly as tg
    from tinygrad_poly.compiler import compile
    from tinygrad_poly.compiler.cuda import runner

    x = tg.from_numpy((np.arange(ELEMENTS) % 9 - 4).astype(dtype) / 2)
    with patch.object(runner, "ELEMENTS_OF_ONE_BLOCK", WAYS[way]):
        f = compile(PROGRAMS[name])
        found = f(x.to("cuda:0"))
    check_kernels(f.source, way)
    for mine, reference in zip(found, PROGRAMS[name](x), strict=True):
        assert mine.is_cuda, "a result is not on the GPU"
        assert mine.dtype == reference.dtype, f"{mine.dtype} instead of {reference.dtype}"
        np.testing.assert_array_equal(mine.cpu().numpy(), reference.numpy())
    return {}


FUNCTIONS = ("exp", "log1p", "sin", "tanh", "sigmoid", "sqrt")


def functions(way: str, dtype: str) -> Row:
    """Mathematical functions and their derivatives, within 64 u of the CPU's, as CUDA promises a few units."""
    import tinygrad_poly as tg
    from tinygrad_poly.compiler import compile
    from tinygrad_poly.compiler.cuda import runner

    def all_of_them(x: Any) -> list[Any]:
        found = [getattr(tg, name)(x) for name in FUNCTIONS]
        return [*found, *tg.grad(sum(y.sum() for y in found), [x])]

    x = np.linspace(0.125, 2, ELEMENTS).astype(dtype)
    with patch.object(runner, "ELEMENTS_OF_ONE_BLOCK", WAYS[way]):
        f = compile(all_of_them)
        found = f(tg.from_numpy(x).to("cuda:0").requires_grad_())
    check_kernels(f.source, way)
    unit = float(np.finfo(dtype).eps) / 2
    for mine, reference in zip(found, all_of_them(tg.from_numpy(x).requires_grad_()), strict=True):
        right = reference.detach().numpy()
        np.testing.assert_allclose(mine.detach().cpu().numpy(), right, rtol=64 * unit, atol=64 * unit)
    return {}


def arrays_as_weights(way: str, dtype: str) -> Row:
    """Weights that are arrays, with an optimizer that has a state: a kernel of its own replaces them."""
    import tinygrad_poly as tg
    from tinygrad_poly.compiler.cuda import runner
    from tinygrad_poly.compiler.steps import CompiledSteps

    x = (np.arange(60) % 7 - 3).astype(dtype) / 2
    start = {"w": np.linspace(-1, 1, 60).astype(dtype), "v": np.array(0.5, dtype)}
    found = []
    for place in ("cuda:0", "cpu"):
        move = tg.device(place).asarray
        tensors = [tg.tensor(w, requires_grad=True) for w in start.values()]
        optimizer = tg.optim.SGD(tensors, lr=2**-7, momentum=0.5)
        for t in tensors:
            t.grad = tg.zeros_like(t)
        optimizer.step()
        with patch.object(runner, "ELEMENTS_OF_ONE_BLOCK", WAYS[way]):
            made = CompiledSteps(
                lambda p, x: ((p["w"] * x + p["v"] - 1) ** 2).mean(),
                dict,
                {name: move(w) for name, w in start.items()},
                {"x": move(x)},
                optimizer,
            )
            if place != "cpu":
                check_kernels(made.source(), way)
            losses = np.empty(4)
            now = made.run(0, 40, 10, losses, [move(w) for w in start.values()])
        found.append([losses, *(w.get() if place != "cpu" else w for w in now)])
    unit = float(np.finfo(dtype).eps) / 2
    for mine, reference in zip(*found):
        # Sums of 60 numbers in another order, 40 times.
        np.testing.assert_allclose(mine, reference, rtol=40 * 64 * unit, atol=40 * 64 * unit)
    return {}


def of_registry() -> list[str]:
    """The implementations whose kernels are tested here; JAX and torch.compile have other parts."""
    return [
        name for name, each in IMPLEMENTATIONS.items()
        if "cuda" in each.devices and "cuda" not in each.alone and name != "torch.compile"
    ]  # fmt: skip


CHECKS: dict[str, Callable[[], Row]] = {
    "device": device,
    **{f"eager, {d}": partial(eager, d) for d in DTYPES},
    **{f"{n}, {w}, {d}": partial(program, n, w, d) for n, w, d in product(PROGRAMS, WAYS, DTYPES)},
    **{f"functions, {w}, {d}": partial(functions, w, d) for w, d in product(WAYS, DTYPES)},
    **{f"arrays as weights, {w}, {d}": partial(arrays_as_weights, w, d) for w, d in product(WAYS, DTYPES)},
    **{f"{n}, {p} points, {d}": partial(steps, n, p, d) for n, p, d in product(of_registry(), (FEW, MANY), DTYPES)},
}


def keys(scale: Scale) -> list[str]:
    """The keys of all checks; a quick measurement leaves out those in float32."""
    return [key for key in CHECKS if not (scale.quick and key.endswith("float32"))]


def measure(asked: Sequence[str], scale: Scale, at: At) -> Iterator[tuple[str, Row]]:
    """A row for each check, with the reason if it failed."""
    for key in asked:
        at(key)
        yield from tried(key, CHECKS[key])
