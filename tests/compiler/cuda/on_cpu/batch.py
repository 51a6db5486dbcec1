"""Many programs, printed as kernels, compiled in one go, and run."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_poly.compiler.cuda import runner as cuda_runner
from tinygrad_poly.compiler.loops.fuse import NotFusable, fuse
from tinygrad_poly.compiler.steps import captured_arrays
from tinygrad_poly.compiler.trace.program import Program

from . import emulator, nvrtc
from .fake_cupy import Device, RawKernel, RawModule, asarray

WAYS = {"one block": 2**15, "many blocks": 0}
"""How many elements one block is given at most."""

BLOCKS = 3


def ways(monkeypatch: Any) -> Iterator[str]:
    """Print and run for one block, and then for several, however few elements there are."""
    monkeypatch.setattr(cuda_runner.Launcher, "_blocks", lambda self: BLOCKS)
    for way, elements in WAYS.items():
        monkeypatch.setattr(cuda_runner, "ELEMENTS_OF_ONE_BLOCK", elements)
        yield way


def kernels(programs: list[Program], monkeypatch: Any) -> list[str]:
    """The sources of all programs that are kernels, each once."""
    found: dict[str, None] = {}
    for _ in ways(monkeypatch):
        for program in programs:
            try:
                found[cuda_runner.printed(fuse(program), captured_arrays(program)).source] = None
            except NotFusable:
                continue
    return list(found)


def build(sources: list[str]) -> None:
    """Compile what has not been compiled yet."""
    new = [source for source in sources if source not in RawModule.built]
    with tempfile.TemporaryDirectory() as folder:
        RawModule.built.update(zip(new, emulator.build(new, Path(folder)), strict=True))


def check_with_nvrtc(sources: list[str]) -> None:
    """Compile for a GPU, without errors and warnings: each source in a namespace of its own, under names of its own."""
    parts = []
    for number, source in enumerate(sources):
        named = emulator.KERNEL.sub(rf'extern "C" __global__ void __launch_bounds__(\1) \2_{number}(', source)
        parts.append(f"namespace n{number} {{\n{named}}}\n")
    nvrtc.ptx("".join(parts))


def computed(program: Program, arrays: list[Any], monkeypatch: Any) -> Iterator[tuple[str, list[Any]]]:
    """The outputs of a program on each way; whether the threads run in order or backwards makes no difference."""
    for way in ways(monkeypatch):
        run = cuda_runner.Once(program, captured_arrays(program), Device())
        if run.launcher is None:
            return
        found = []
        for backwards in (False, True):
            monkeypatch.setattr(RawKernel, "backwards", backwards)
            found.append([y.get() for y in run(*map(asarray, arrays))])
        for one, other in zip(*found, strict=True):
            np.testing.assert_array_equal(one, other, err_msg=way)
        yield way, found[0]
