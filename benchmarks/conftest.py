"""A pytest summary: each row's ratios to its references, and which targets were met."""

from __future__ import annotations

from collections import defaultdict
from statistics import median
from typing import Any

import numpy as np
import pytest

from benchmarks.pairing import threads
from benchmarks.report.measured import FORMAT, Quartiles, Results, duration
from benchmarks.report.targets import outcomes


def pytest_benchmark_update_machine_info(config: Any, machine_info: dict[str, Any]) -> None:
    """Record the machine's properties that matter, but not its name."""
    machine_info.pop("node", None)
    machine_info.update(numpy=np.__version__)


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: Any, config: Any) -> None:
    """Add the ratios to pytest's summary."""
    session = getattr(config, "_benchmarksession", None)
    measured = [benchmark for benchmark in session.benchmarks if benchmark.stats.data] if session else []
    groups: dict[str, list[Any]] = defaultdict(list)
    for benchmark in measured:
        groups[benchmark.group].append(benchmark)
    fits = [benchmark.extra_info for benchmark in measured if "case" in benchmark.extra_info]
    write = terminalreporter.write_line
    if measured:
        terminalreporter.section(f"time, and its ratio to the references in the same rounds; {threads()} threads")
    for group, benchmarks in groups.items():
        write(group)
        for benchmark in benchmarks:
            for line in (
                fit_lines(benchmark.extra_info) if "case" in benchmark.extra_info else operation_lines(benchmark)
            ):
                write(line)
        if "table" in benchmarks[0].extra_info:
            write(summary_of_operations([benchmark.extra_info for benchmark in benchmarks]))
    # What the process has is one number of threads; whether that is the one of a target is in the title above.
    found = list(
        outcomes(Results({"format": FORMAT, "rows": [{**info, "threads": 1} for info in fits], "processes": []}))
    )
    if found:
        terminalreporter.section("targets")
        for outcome in found:
            write(f"{outcome.what}: {outcome.ratio.middle:.3g} (target ≤ {outcome.limit:g}) {outcome.verdict}")


def fit_lines(info: dict[str, Any]) -> list[str]:
    """The time of a step, and its ratio to each reference."""
    time = duration(median(info["seconds"]))
    lines = [
        line(time, Quartiles.of_ratio(info["seconds"], reference), name)
        for name, reference in info["references"].items()
    ]
    return [f"    {info['implementation']}"] + (lines or [f"        {time:>10s}"])


def operation_lines(benchmark: Any) -> list[str]:
    """The time of an operation, and its ratio to torch's."""
    info = benchmark.extra_info
    time = duration(benchmark.stats.median / info["loops"])
    return [f"    {info['row']:14s}" + line(time, Quartiles(*info["ratio_quartiles"]), "torch").lstrip()]


def line(time: str, ratio: Quartiles, reference: str) -> str:
    """A ratio as a line of text."""
    quartiles = f"(quartiles {ratio.low:.3g} to {ratio.high:.3g})"
    return f"        {time:>10s}   ratio {ratio.middle:.3g}   {quartiles}   to {reference}"


def summary_of_operations(rows: list[dict[str, Any]]) -> str:
    """The median ratio of all operations, and those at which torch is faster."""
    ratios = {row["row"]: row["ratio_quartiles"][1] for row in rows}
    slower = [name for name, ratio in ratios.items() if ratio > 1]
    return f"    median ratio {median(ratios.values()):.2f}; torch is faster at: {', '.join(slower) or 'none'}"
