"""The benchmark page: docs/benchmarks.md with its pictures and quoted numbers, from the committed results.

`python -m benchmarks.report` does it anew; `make bench` measures first.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from statistics import median
from typing import Any

from benchmarks.report import pictures, quotes
from benchmarks.report.constants import best as best_of
from benchmarks.report.crossings import leads, sentence
from benchmarks.report.measured import Quartiles, Results, Row, duration, seconds, significant
from benchmarks.report.targets import LIMIT, outcomes, title, unmeasured

WORDS = quotes.ROOT / "benchmarks" / "report" / "words"
"""What a person has to say about the numbers, section by section; all numbers in it are quotes."""

REFERENCE, READ, COPY, BY_HAND = "torch.autograd", "reading the data", "copying on the device", "CUDA by hand"
SECTIONS = ("forward", "backward", "update", "step")
OURS = ("tinygrad_poly", "compiled", "compiled without Numba")


def markdown(cpu: Results, gpus: Mapping[str, Results]) -> str:
    """The page as Markdown.

    Args:
        cpu: what was measured on the processor.
        gpus: what was measured on each GPU, by the names of the files.
    """
    met = [outcome.verdict == "met" for results in (cpu, *gpus.values()) for outcome in outcomes(results)]
    sections = [
        words("summary", met=str(sum(met)), promises=str(len(met)), gpus="".join(gpu_summary(gpus))),
        *pictures.captions("points-cpu"),
        "## How it was measured\n",
        words("how", machine=machine(cpu), date=cpu.data["date"][:10]),
        "## What was promised, and what came\n",
        *target_table(cpu, *gpus.values()),
        "## A step against the number of points\n",
        words("points"),
        *pictures.captions("points-cpu-threads"),
        *crossing_list(cpu),
        "## The tutorials' problems, and what else one could use\n",
        words("peers"),
        *pictures.captions("peers-cpu"),
        "## How far from the machine's limit\n",
        words("limit"),
        *limit_table(cpu),
        f"## {quotes.SHELL}\n",
        words("processes"),
        *process_table(cpu),
        *cold_table(cpu),
        "## CUDA\n",
        *cuda_sections(gpus),
        "## Single operations, called and differentiated\n",
        words("operations"),
        *operation_table(cpu),
        "## Small experiments\n",
        words("experiments"),
        *experiment_tables(quotes.kept()),
        "## Every row\n",
        words("rows"),
        *row_tables(cpu),
        *(line for results in gpus.values() for line in row_tables(results)),
        "## What was not measured, and why\n",
        *skipped_list(cpu),
        *(line for results in gpus.values() for line in skipped_list(results)),
    ]
    return "\n".join(sections).rstrip() + "\n"


def words(name: str, **given: str) -> str:
    """The text of a section; `{KEY}` in it is a measured number (`quotes.measured`) or one of those given."""
    text = (WORDS / f"{name}.md").read_text(encoding="utf-8")
    return re.sub(r"\{(.+?)\}", lambda match: given[match[1]] if match[1] in given else quotes.measured(match[1]), text)


def gpu_summary(gpus: Mapping[str, Results]) -> Iterator[str]:
    """A sentence for each GPU: the tutorial's fit, compiled, beside torch."""
    for results in gpus.values():
        row = results.row("sin-2000-float64-cuda", 1, "compiled")
        ratios = {name: results.ratio(row, name) for name in (REFERENCE, "torch CUDA graph")}
        found = [f"{significant(q.middle)} of {name}'s time" for name, q in ratios.items() if q]
        if row and found:
            beside = " and ".join(found)
            yield f"- **On a GPU** ({results.gpu}), the compiled step takes {duration(seconds(row))}: {beside}.\n"


def machine(results: Results) -> str:
    """The machine and versions that the numbers belong to."""
    about, measured = results.data["machine"], {row["implementation"] for row in results.rows()}
    # A library that has no row was not measured.
    without = {
        row["implementation"].lower().split()[-1] for row in results.skipped() if row["implementation"] not in measured
    }
    versions = {name: version for name, version in results.data["versions"].items() if version and name not in without}
    hardware = [about["cpu"], f"{about['cores']} cores", f"{about['memory'] / 2**30:.0f} GiB"]
    if about.get("gpu"):
        hardware.append(about["gpu"] + (f" with driver {about['driver']}" if "driver" in about else ""))
    return f"{', '.join(hardware)}; {', '.join(f'{name} {version}' for name, version in versions.items())}"


def table(heads: list[str], rows: Iterable[Iterable[str]], left: int = 1) -> Iterator[str]:
    """A Markdown table whose first columns are words and whose others are numbers; "" if there is no row."""
    rows = [list(row) for row in rows]
    if rows:
        yield f"| {' | '.join(heads)} |"
        yield f"|{'|'.join(['---'] * left + ['---:'] * (len(heads) - left))}|"
        yield from (f"| {' | '.join(row)} |" for row in rows)
        yield ""


def target_table(cpu: Results, *gpus: Results) -> Iterator[str]:
    """Each promise beside the measured ratio; those for a GPU also where there was none."""
    rows = [
        [
            o.what + (f" ({name})" if name else ""),
            significant(o.ratio.middle),
            spread(o.ratio),
            f"≤ {o.limit:g}",
            o.verdict,
        ]
        for name, results in [("", cpu), *((results.gpu, results) for results in gpus)]
        for o in outcomes(results)
    ]
    rows += [[what, "", "", f"≤ {limit:g}", "not measured"] for what, limit in unmeasured("cuda", gpus)]
    yield from table(["time / time of", "ratio", "quartiles", "promised", ""], rows)


def spread(ratio: Quartiles) -> str:
    """The quartiles of a ratio in words."""
    return f"{significant(ratio.low)} to {significant(ratio.high)}" if ratio.low < ratio.high else ""


def crossing_list(results: Results) -> Iterator[str]:
    """The crossings with other implementations that were measured together with this engine on the sin fit."""
    pairs = sorted(
        {
            (row["implementation"], reference, row["threads"])
            for row in results.rows(problem="sin", dtype="float64")
            for reference in row["references"]
            if row["implementation"] in OURS and reference != row["implementation"]
        },
        key=str,
    )
    found = [
        f"- {'One thread' if threads == 1 else 'Default threads'}: {sentence(each)}."
        for own, reference, threads in pairs
        if len(each := leads(results, own, reference, threads, problem="sin", dtype="float64")) > 1
    ]
    if found:
        yield "Where the faster one changes on the sin fit, float64, of sizes whose quartiles lie on one side of 1:\n"
        yield from [*found, ""]


def limit_table(results: Results) -> Iterator[str]:
    """The compiled step beside the hand-written loop and the memory."""
    rows = []
    for threads in (1, "default"):
        for row in sorted(results.rows(implementation="compiled", problem="sin", threads=threads), key=_size):
            read, hand = results.ratio(row, READ), results.ratio(row, LIMIT)
            size = row["points"] * 2 * (4 if row["dtype"] == "float32" else 8)
            rate = significant(size / seconds(row) / 1e9)
            rows.append(
                [title(row["case"]), str(threads), duration(seconds(row)), f"{rate} GB/s"]
                + [significant(q.middle) if q else "" for q in (read, hand)]
            )
    heads = ["compiled", "threads", "a step", "data read at", "ratio to reading alone", f"ratio to {LIMIT}"]
    yield from table(heads, rows)


def process_table(results: Results) -> Iterator[str]:
    """The table of whole programs."""
    rows = []
    for process in results.data["processes"]:
        ratio = results.process_ratio(process["name"], process["reference"])
        if ratio is None:
            continue
        spent = duration(median(process["seconds"]))
        rows.append([f"`{process['command']}`", spent, significant(ratio.middle), spread(ratio)])
    yield from table(["command", "seconds", "ratio to the torch program", "quartiles"], rows)


def cold_table(results: Results) -> Iterator[str]:
    """The table of imports and first calls."""
    rows = [
        [title(row["case"]), row["implementation"]]
        + [duration(median(row[key])) if row.get(key) else "" for key in ("import", "first", "cached")]
        + [f"{median(row['peak_bytes']) / 2**20:.0f} MiB" if row.get("peak_bytes") else ""]
        for row in results.data["cold"]
        if "skipped" not in row
    ]
    heads = ["", "", "imports", "first step, nothing cached", "first step, from the disk cache", "peak memory"]
    yield from table(heads, rows, left=2)


def cuda_sections(gpus: Mapping[str, Results]) -> Iterator[str]:
    """A section for each GPU, or a sentence that says there was none."""
    yield words("cuda")
    if not gpus:
        yield "Not measured: no GPU was at hand. `make gpu` measures it where CuPy and a GPU are.\n"
    for name, results in gpus.items():
        yield f"### {results.gpu}\n"
        yield f"Measured on {results.data['date'][:10]}, {machine(results)}.\n"
        yield from captioned("What was run, and of which commit:", part_table(results))
        yield from pictures.captions(f"points-{name}", f"peers-{name}")
        yield from captioned("A compiled step beside what bounds it:", gpu_limit_table(results))
        yield from captioned("The compiler's constants, and the best values that were found:", constant_table(results))
        yield from captioned("Where the time of an eager step of the sin fit goes:", section_table(results))
        yield from captioned("What a call of CuPy's costs, by Python's clock and by the GPU's:", call_table(results))


def captioned(caption: str, lines: Iterable[str]) -> Iterator[str]:
    """A table under a line of words; nothing where there is no table."""
    if found := list(lines):
        yield from (f"{caption}\n", *found)


def part_table(results: Results) -> Iterator[str]:
    """The parts that were tested and measured, and their commits."""
    rows = [
        [row["title"], (row["commit"] or "unknown")[:12], *(str(row[key]) for key in ("measured", "failed", "skipped"))]
        for row in results.data.get("parts", [])
    ]
    yield from table(["", "commit", "done", "failed", "not done"], rows, left=2)


def gpu_limit_table(results: Results) -> Iterator[str]:
    """The compiled step, by both clocks, beside a copy, bare reading, and the kernel written by hand."""
    rows = []
    compiled = results.rows(implementation="compiled", threads=1)
    for row in sorted(compiled, key=lambda row: (row["problem"], *_size(row))):
        size = row["points"] * 2 * (4 if row["dtype"] == "float32" else 8)
        rates = [row["seconds"], row["references"].get(COPY)]
        ratios = [results.ratio(row, reference) for reference in (COPY, READ, BY_HAND)]
        rows.append(
            [title(row["case"]), duration(seconds(row)), *by_gpus_clock(row)]
            + [f"{significant(size / median(spent) / 1e9)} GB/s" if spent else "" for spent in rates]
            + [significant(q.middle) if q else "" for q in ratios]
        )
    heads = ["compiled", "a step", "by the GPU's clock", "data read at", "a copy reads and writes at"]
    yield from table([*heads, *(f"ratio to {name}" for name in (COPY, READ, BY_HAND))], rows)


def by_gpus_clock(row: Row) -> list[str]:
    """The cell with a step's time by the GPU's own clock; empty for a library that does not show it."""
    return [duration(median(row["device_seconds"])) if row.get("device_seconds") else ""]


def constant_table(results: Results) -> Iterator[str]:
    """The GPU runner's constants: their values now, and the best ones found."""
    rows = [row for row in results.data.get("sweep", []) if "skipped" not in row]
    found = [[f"`{name}`", str(now), str(best), significant(slow)] for name, (now, best, slow) in best_of(rows).items()]
    yield from table(["in `compiler/cuda/runner.py`", "value", "best found", "time / time with the best"], found)


def section_table(results: Results) -> Iterator[str]:
    """The table of where an eager step's time goes."""
    rows = [row for row in results.data.get("profile", []) if "skipped" not in row]
    split = [row for row in rows if row["key"].startswith("sections")]
    busy = {row["what"]: row for row in rows if row["key"].startswith("kernels")}
    found = []
    for row in split:
        kernels = busy.get(row["what"])
        counted = [f"{kernels['launches']:.0f}", duration(kernels["busy"])] if kernels else ["", ""]
        found.append([row["what"], *(duration(row["seconds"][name]) for name in SECTIONS), *counted])
    yield from table(["2,000 points", *SECTIONS, "kernels", "GPU busy"], found)


def call_table(results: Results) -> Iterator[str]:
    """The cost of single CuPy calls."""
    rows = [row for row in results.data.get("profile", []) if row["key"] == "operations" and "skipped" not in row]
    found = [[f"`{name}`", *map(duration, spent)] for row in rows for name, spent in row["seconds"].items()]
    yield from table(["x of 2,000 elements, w a number", "Python", "GPU"], found)


def operation_table(results: Results) -> Iterator[str]:
    """The median over all operations, and those at which torch is faster."""
    groups: dict[str, list[tuple[str, float]]] = defaultdict(list)
    for row in results.data["operations"]:
        if "skipped" not in row:
            info = row["extra_info"]
            groups[row["group"].removeprefix("operations on ")].append((info["row"], info["ratio_quartiles"][1]))
    rows = []
    for group, found in groups.items():
        slower = [f"{name} ({significant(r)})" for name, r in sorted(found, key=lambda pair: -pair[1]) if r > 1]
        listed = ", ".join(slower) or "none" if group.endswith("tinygrad_poly") else f"{len(slower)} of {len(found)}"
        rows.append([group, significant(median(r for _, r in found)), listed])
    yield from table(["", "median ratio to torch", "torch is faster at (ratio)"], rows)


def experiment_tables(experiments: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """A table for each experiment."""
    for experiment in experiments.values():
        yield f"### {experiment['title']}\n"
        yield f"{experiment['text']} {experiment['date']}, {experiment['machine']}.\n"
        rows = [
            [
                result["what"],
                result["value"] + (f" {result['unit']}" if result.get("unit", "seconds") != "seconds" else ""),
            ]
            for result in experiment["results"].values()
        ]
        yield from table(["", "time, or its ratio"], rows)


def row_tables(results: Results) -> Iterator[str]:
    """A table for each case: time, ratio to torch.autograd and to the limit."""
    limit = BY_HAND if results.gpu else LIMIT
    groups: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in results.rows():
        groups[row["case"], str(row["threads"])].append(row)
    for (case, threads), rows in groups.items():
        yield f"### {quotes.heading(case, threads, results.gpu)}\n"
        found = []
        for row in sorted(rows, key=seconds):
            ratios = [results.ratio(row, reference) for reference in (REFERENCE, limit)]
            cells = [part for q in ratios for part in ([significant(q.middle), spread(q)] if q else ["", ""])]
            by_gpu = by_gpus_clock(row) if results.gpu else []
            found.append([row["implementation"], row["kind"], duration(seconds(row)), *by_gpu, *cells])
        heads = ["", "", "a step", *(["by the GPU's clock"] if results.gpu else []), "ratio to torch.autograd"]
        yield from table([*heads, "quartiles", f"ratio to {limit}", "quartiles"], found, left=2)


def skipped_list(results: Results) -> Iterator[str]:
    """The reasons for missing rows, each with its rows."""
    reasons: dict[str, list[Row]] = defaultdict(list)
    for row in results.skipped():
        reasons[row["skipped"]].append(row)
    for reason, rows in reasons.items():
        names = ", ".join(dict.fromkeys(row["implementation"] for row in rows))
        cases = list(dict.fromkeys(row["case"] for row in rows))
        where = cases[0] if len(cases) == 1 else f"{len(cases)} cases"
        yield f"- {names} ({where}): {reason}"


def _size(row: dict[str, Any]) -> tuple[str, int]:
    return row["dtype"], row["points"]


def main() -> None:
    """Write the page, its pictures and the quoted numbers."""
    cpu, gpus = Results.load("cpu"), Results.gpus()
    if cpu is None:
        raise SystemExit("there are no results: make bench measures them")
    for name, results in {"cpu": cpu, **gpus}.items():
        pictures.draw(results, name)
    quotes.PAGE.write_text(markdown(cpu, gpus), encoding="utf-8")
    for page in quotes.pages():
        page.write_text(quotes.updated(page.read_text(encoding="utf-8"), page), encoding="utf-8")
    print(f"wrote {quotes.PAGE.relative_to(quotes.ROOT)}, its pictures, and the numbers that other pages quote")
