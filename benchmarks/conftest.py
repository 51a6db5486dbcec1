"""Prints, after the benchmarks, each implementation's ratio to torch.autograd."""

from __future__ import annotations

from collections import defaultdict
from statistics import median
from typing import Any

import numpy as np
import pytest
import torch


def pytest_benchmark_update_machine_info(config: Any, machine_info: dict[str, Any]) -> None:
    """Record what the numbers depend on, and not the machine's name."""
    machine_info.pop("node", None)
    machine_info.update(numpy=np.__version__, torch=torch.__version__)


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: Any, config: Any) -> None:
    """Add the ratios to pytest's summary: a table for each `table`, a line for each `row`."""
    session = getattr(config, "_benchmarksession", None)
    tables: dict[str, list[Any]] = defaultdict(list)
    for benchmark in session.benchmarks if session else ():
        if "ratio_quartiles" in benchmark.extra_info:
            tables[benchmark.extra_info["table"]].append(benchmark)
    if not tables:
        return
    terminalreporter.section("time, and its ratio to the reference (1.00) in the same rounds")
    for table, benchmarks in tables.items():
        terminalreporter.write_line(f"{table}, threads: {benchmarks[0].extra_info['threads']}")
        for benchmark in benchmarks:
            info = benchmark.extra_info
            low, middle, high = info["ratio_quartiles"]
            microseconds = benchmark.stats.median / info["loops"] * 1e6
            terminalreporter.write_line(
                f"    {info['row']:16s} {microseconds:10.3f} µs"
                f"   ratio {middle:.2f}   (quartiles {low:.2f} to {high:.2f})"
            )
        ratios = [benchmark.extra_info["ratio_quartiles"][1] for benchmark in benchmarks]
        if len(ratios) > 10:
            slower = [b.extra_info["row"] for b, ratio in zip(benchmarks, ratios, strict=True) if ratio > 1]
            terminalreporter.write_line(
                f"    median ratio {median(ratios):.2f}; torch is faster at: {', '.join(slower) or 'none'}"
            )
