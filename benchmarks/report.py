"""Turns results into docs/benchmarks.md: `python -m benchmarks.report [FILE]`.

FILE is what `pytest benchmarks --benchmark-json=FILE` wrote; what the page needs of it is kept in
`benchmarks/results`. Without FILE the page is made again from what is there.
"""

from __future__ import annotations

import json
import sys
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


def kept(results: dict[str, Any]) -> dict[str, Any]:
    """The part of a results file that is committed: the machine, and each median and ratio."""
    about = results["machine_info"]
    cpu = {key: about["cpu"][key] for key in ("brand_raw", "count", "arch") if key in about["cpu"]}
    names = ("processor", "machine", "python_version", "numpy", "torch", "system")
    return {
        "datetime": results["datetime"],
        "commit": results["commit_info"].get("id"),
        "machine_info": {name: about[name] for name in names} | {"cpu": cpu},
        "benchmarks": [
            {
                "group": benchmark["group"],
                "extra_info": benchmark["extra_info"],
                "stats": {key: benchmark["stats"][key] for key in ("median", "iqr", "rounds")},
            }
            for benchmark in results["benchmarks"]
        ],
    }


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
        reference = "Numba by hand" if rows[0]["row"] == "Numba by hand" else "torch.autograd"
        lines += [f"\n### {name}\n", f"| | µs a step | ratio to {reference} | quartiles |", "|---|---:|---:|---|"]
        lines += [
            f"| {r['row']} | {significant(r['µs'])} | {significant(r['ratio'])} "
            f"| {significant(r['low'])} to {significant(r['high'])} |"
            for r in rows
        ]
    lines += ["\n## Single operations, called and differentiated\n"]
    lines += ["| | median ratio to torch | torch is faster at (ratio) |", "|---|---:|---|"]
    for name, rows in many.items():
        slower = ", ".join(
            f"{r['row']} ({significant(r['ratio'])})" for r in sorted(rows, key=lambda r: -r["ratio"]) if r["ratio"] > 1
        )
        if not name.endswith("tinygrad_poly"):
            slower = "most"
        lines.append(
            f"| {name.removeprefix('operations on ')} | {median(r['ratio'] for r in rows):.2f} | {slower or 'none'} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    for given in sys.argv[1:]:
        results = json.loads(Path(given).read_text(encoding="utf-8"))
        RESULTS.mkdir(exist_ok=True)
        text = json.dumps(kept(results), indent=1) + "\n"
        (RESULTS / "cpu.json").write_text(text, encoding="utf-8")
    PAGE.write_text(markdown(load()), encoding="utf-8")
    print(f"wrote {PAGE}")
