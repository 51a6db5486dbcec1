"""Turns saved results into docs/benchmarks.md: `python -m benchmarks.report`."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import Any

RESULTS = Path(__file__).parent / "results"
PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
EXPLANATIONS = Path(__file__).parent / "report.md"

Row = dict[str, Any]


def tables(results: dict[str, Any]) -> dict[str, list[Row]]:
    """The rows of each table of a results file: name, microseconds, and the quartiles of the ratio."""
    found: dict[str, list[Row]] = defaultdict(list)
    for benchmark in results["benchmarks"]:
        info = benchmark["extra_info"]
        low, middle, high = info["ratio_quartiles"]
        microseconds = benchmark["stats"]["median"] / info["loops"] * 1e6
        found[info["table"]].append({"row": info["row"], "µs": microseconds, "low": low, "ratio": middle, "high": high})
    return found


def load() -> dict[str, Any]:
    """The saved results."""
    results: dict[str, Any] = json.loads((RESULTS / "cpu.json").read_text(encoding="utf-8"))
    return results


def ratio(results: dict[str, Any], table: str, row: str) -> float:
    """The median ratio of one row."""
    return next(float(r["ratio"]) for r in tables(results)[table] if r["row"] == row)


def machine(results: dict[str, Any]) -> str:
    """What the numbers were measured on."""
    info = results["machine_info"]
    cpu = info.get("cpu", {})
    return (
        f"{cpu.get('brand_raw', info['processor'] or info['machine'])}, {cpu.get('count', '?')} cores; "
        f"Python {info['python_version']}, NumPy {info['numpy']}, torch {info['torch']}"
    )


def significant(value: float) -> str:
    """Three digits, without an exponent."""
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"


def markdown(results: dict[str, Any]) -> str:
    """The page."""
    many = {name: rows for name, rows in tables(results).items() if name.startswith("operations")}
    few = {name: rows for name, rows in tables(results).items() if name not in many}
    lines = [EXPLANATIONS.read_text(encoding="utf-8").format(machine=machine(results), date=results["datetime"][:10])]
    for name, rows in few.items():
        lines += [f"\n### {name}\n", "| | µs a step | ratio | quartiles |", "|---|---:|---:|---|"]
        lines += [
            f"| {r['row']} | {significant(r['µs'])} | {significant(r['ratio'])} "
            f"| {significant(r['low'])} to {significant(r['high'])} |"
            for r in rows
        ]
    lines += ["\n## Single operations, called and differentiated\n"]
    lines += ["| | median ratio to torch | torch is faster at |", "|---|---:|---|"]
    for name, rows in many.items():
        slower = ", ".join(
            f"{r['row']} ({significant(r['ratio'])})" for r in sorted(rows, key=lambda r: -r["ratio"]) if r["ratio"] > 1
        )
        lines.append(
            f"| {name.removeprefix('operations on ')} | {median(r['ratio'] for r in rows):.2f} | {slower or 'none'} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(markdown(load()), encoding="utf-8")
    print(f"wrote {PAGE}")
