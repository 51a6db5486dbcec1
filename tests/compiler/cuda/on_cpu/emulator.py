"""Printed kernels, compiled by a C++ compiler and run on the CPU."""

from __future__ import annotations

import atexit
import ctypes
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
COMPILER = shutil.which("g++")
FLAGS = ("-std=c++20", "-O0", "-fwrapv", "-ffp-contract=off", "-fno-gnu-unique", "-fPIC", "-shared", "-w")
KERNEL = re.compile(r'extern "C" __global__ void __launch_bounds__\((\d+)\) (\w+)\(')


class Module:
    """What the kernels of one source do.

    Args:
        library: where they are, compiled.
        prefix: what their names begin with there.
        limits: how many threads a block of each may have.
    """

    def __init__(self, library: Any, prefix: str, limits: dict[str, int]) -> None:
        self.library, self.prefix, self.limits = library, prefix, limits

    def launch(self, name: str, blocks: int, threads: int, arguments: Sequence[Any], backwards: bool = False) -> None:
        """Run a kernel on NumPy arrays and typed numbers, the threads in order or backwards.

        Raises:
            RuntimeError: where not all threads come to a barrier, or a launch is one that a GPU refuses.
        """
        if threads > self.limits[name]:
            raise RuntimeError(f"{name} may have {self.limits[name]} threads, not {threads}")
        kept = [x if isinstance(x, np.ndarray) else np.array(x) for x in arguments]
        pointers = [
            ctypes.pointer(ctypes.c_void_p(k.ctypes.data))
            if isinstance(x, np.ndarray)
            else ctypes.c_void_p(k.ctypes.data)
            for x, k in zip(arguments, kept, strict=True)
        ]
        array = (ctypes.c_void_p * len(pointers))(*(ctypes.cast(p, ctypes.c_void_p) for p in pointers))
        failed = getattr(self.library, f"{self.prefix}{name}")(blocks, threads, array, int(backwards))
        if failed:
            raise RuntimeError(f"{name}: not all threads come to a barrier" if failed == 1 else f"{threads} threads")


@cache
def _header() -> Path:
    """`threads.h`, with a compiled copy beside it that g++ reads instead: it takes most of the time of a source."""
    folder = Path(tempfile.mkdtemp(prefix="tinygrad_poly_"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    header = Path(shutil.copy(HERE / "threads.h", folder))
    assert COMPILER is not None
    subprocess.run([COMPILER, *FLAGS, "-x", "c++-header", str(header), "-o", f"{header}.gch"], check=True)
    return header


def build(sources: Sequence[str], folder: Path) -> list[Module]:
    """Compile sources, all in one go.

    Args:
        sources: of kernels, as a GPU's compiler would get them.
        folder: where to put what is compiled.
    """
    text, found = [f'#include "{_header()}"\n'], []
    for number, source in enumerate(sources):
        limits = {name: int(threads) for threads, name in KERNEL.findall(source)}
        text += [f"namespace s{number} {{\n", KERNEL.sub(r"void \2(", source), "}\n"]
        text += [
            f'extern "C" int s{number}_{name}(int blocks, int threads, void** arguments, int backwards) '
            f"{{ return launch(s{number}::{name}, blocks, threads, arguments, backwards); }}\n"
            for name in limits
        ]
        found.append((f"s{number}_", limits))
    path = folder / "kernels.cpp"
    path.write_text("".join(text))
    assert COMPILER is not None
    result = subprocess.run([COMPILER, *FLAGS, str(path), "-o", str(path.with_suffix(".so"))], capture_output=True)
    if result.returncode:
        raise SyntaxError(result.stderr.decode())
    library = ctypes.CDLL(str(path.with_suffix(".so")))
    return [Module(library, prefix, limits) for prefix, limits in found]
