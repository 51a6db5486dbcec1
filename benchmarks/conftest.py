"""Prints, after the benchmarks, each implementation's ratio to torch.autograd."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.implementations import REFERENCE


def pytest_benchmark_update_machine_info(config: Any, machine_info: dict[str, Any]) -> None:
    """Record what the numbers depend on, and not the machine's name."""
    machine_info.pop("node", None)
    machine_info.update(numpy=np.__version__, torch=torch.__version__)


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: Any, config: Any) -> None:
    """Add the ratios to pytest's summary."""
    session = getattr(config, "_benchmarksession", None)
    found = [b for b in session.benchmarks if "ratio_quartiles" in b.extra_info] if session else []
    if not found:
        return
    terminalreporter.section(f"time per step, and its ratio to {REFERENCE} in the same rounds")
    group = None
    for benchmark in found:
        info = benchmark.extra_info
        if group != (group := f"{info['problem']}, {info['dtype']}, {info['threads']} thread"):
            terminalreporter.write_line(group)
        low, middle, high = info["ratio_quartiles"]
        terminalreporter.write_line(
            f"    {info['implementation']:16s} {benchmark.stats.median / info['steps'] * 1e6:8.1f} µs"
            f"   ratio {middle:.2f}   (quartiles {low:.2f} to {high:.2f})"
        )
