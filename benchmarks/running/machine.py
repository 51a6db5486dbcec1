"""The conditions of a measurement: machine, versions and sources."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import tinygrad_poly

ROOT = Path(__file__).parents[2]
LIBRARIES = (
    *(
        "numpy",
        "numba",
        "llvmlite",
        "torch",
        "jax",
        "jaxlib",
        "jax-cuda13-plugin",
        "cupy-cuda13x",
        "cupy-cuda12x",
        "cupy",
    ),
    "triton",
    *("autograd", "mygrad", "micrograd", "tinygrad", "dezero"),
)
NOT_MEASURED = {"__main__", "comparison", "conftest", "descents", "experiments", "selection", "store", "terminal"}
"""The modules that only choose, keep or show, beside those of the report: after a change in them rows remain valid."""


@lru_cache(maxsize=1)
def machine() -> dict[str, Any]:
    """The processor, its cores, the memory in bytes and the GPU (None without one); no names of hosts or users."""
    try:
        from cpuinfo import get_cpu_info
    except ModuleNotFoundError:
        get_cpu_info = dict
    sysconf = getattr(os, "sysconf", None)
    return {
        "cpu": get_cpu_info().get("brand_raw") or platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "memory": sysconf("SC_PHYS_PAGES") * sysconf("SC_PAGE_SIZE") if sysconf else None,
        "gpu": gpu(),
        "system": platform.system(),
    }


@lru_cache(maxsize=1)
def gpu() -> str | None:
    """The name of the first GPU; None without one."""
    try:
        asked = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
        answer = subprocess.run(asked, capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    names = answer.stdout.splitlines()
    return names[0].strip() if answer.returncode == 0 and names else None


@lru_cache(maxsize=1)
def versions() -> dict[str, str]:
    """The versions of Python, of this package and of each library that is installed."""
    found = {"python": platform.python_version(), "tinygrad_poly": tinygrad_poly.__version__}
    for library in LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return found


def sources() -> str:
    """A hash of the package and of the benchmarks, apart from what only chooses, keeps or shows rows."""
    found = (ROOT / "benchmarks").rglob("*.py")
    paths = [path for path in found if path.stem not in NOT_MEASURED and path.parent.name != "report"]
    digest = hashlib.sha256()
    for path in sorted([*paths, *(ROOT / "tinygrad_poly").rglob("*.py")]):
        digest.update(f"{path.relative_to(ROOT).as_posix()}\n".encode())
        digest.update(path.read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()[:16]


def fingerprint() -> dict[str, Any]:
    """All of these by name; rows belong together if it is the same."""
    return {"sources": sources(), **versions(), **machine()}
