"""The device under measurement: the GPU, its driver, and the commit of this checkout."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.running.machine import ROOT

NODES = ("nvidia[0-9]*", "dxg")
"""What Linux shows of GPUs in /dev, the second under Windows."""


def asked(*command: str) -> list[str]:
    """The lines that a program prints; none if there is no such program, or it fails."""
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=30, cwd=ROOT)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return answer.stdout.splitlines() if answer.returncode == 0 else []


def present() -> bool:
    """Whether this machine has a GPU, even one that does not work."""
    return any(any(Path("/dev").glob(node)) for node in NODES) or bool(asked("nvidia-smi", "-L"))


def driver() -> dict[str, Any]:
    """The version of the driver, if it can be found out."""
    found = asked("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader")
    return {"driver": found[0].strip()} if found else {}


def commit() -> str | None:
    """The commit that is checked out, and whether files differ from it; None outside of a repository."""
    found = asked("git", "rev-parse", "HEAD")
    changed = asked("git", "status", "--porcelain", "--untracked-files=no")
    return found[0] + (" and changes" if changed else "") if found else None


def short_name(machine: Mapping[str, Any]) -> str:
    """The GPU's name, in a form for file names.

    >>> short_name({"gpu": "NVIDIA H100 80GB HBM3"})
    'h100-80gb-hbm3'
    """
    words = re.findall(r"[a-z0-9]+", str(machine.get("gpu") or "unknown").lower())
    return "-".join(word for word in words if word != "nvidia")
