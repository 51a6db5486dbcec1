"""The pictures of docs/benchmarks.md: time against points, and a bar for each peer."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Any

from benchmarks.report.crossings import crossings
from benchmarks.report.measured import Results, Threads, seconds, significant
from benchmarks.report.targets import title

IMAGES = Path(__file__).parents[2] / "docs" / "images"

# Families of implementations have hues, ours the strongest; the limits are grey.
STYLES: dict[str, dict[str, Any]] = {
    "tinygrad_poly": {"color": "#0b5cad", "linewidth": 2.2, "marker": "o"},
    "compiled": {"color": "#0b5cad", "linewidth": 2.2, "marker": "s"},
    "compiled without Numba": {"color": "#6aa5db", "marker": "s"},
    "compiled hoisted": {"color": "#6aa5db", "marker": "D"},
    "torch.autograd": {"color": "#c8501e", "linewidth": 2.2, "marker": "o"},
    "torch.compile": {"color": "#c8501e", "marker": "s"},
    "torch CUDA graph": {"color": "#e3a07f", "marker": "D"},
    "JAX fori_loop": {"color": "#3a8a4d", "marker": "s"},
    "NumPy by hand": {"color": "#8a6fb0", "marker": "^"},
    "Numba by hand": {"color": "#888888", "linestyle": "--", "marker": "x"},
    "Numba by hand, threads": {"color": "#888888", "linestyle": "-.", "marker": "+"},
    "CUDA by hand": {"color": "#888888", "linestyle": "--", "marker": "x"},
    "copying on the device": {"color": "#999999", "linestyle": ":", "marker": ""},
    "reading the data": {"color": "#444444", "linestyle": ":", "marker": ""},
}
FAMILIES = {"tinygrad_poly": "#6aa5db", "torch": "#e3a07f", "JAX": "#8fc29b"}
OTHER = "#bbbbbb"
REFERENCE = "torch.autograd"


def fingerprint(results: Results) -> str:
    """A hash of the results that a picture shows."""
    return hashlib.sha256(json.dumps(results.data, sort_keys=True).encode()).hexdigest()


def drawn_from(path: Path) -> str | None:
    """The hash that a picture carries of the results that it was drawn from."""
    from PIL import Image

    with Image.open(path) as image:
        return image.info.get("Results")


def draw(results: Results, name: str) -> list[Path]:
    """Draw all pictures of results; returns their files.

    Args:
        results: what was measured.
        name: of the results, "cpu" or "cuda-…": part of the names of the files.
    """
    import matplotlib as mpl

    mpl.use("agg")
    IMAGES.mkdir(exist_ok=True)
    found = {f"points-{name}": points(results, name), f"peers-{name}": peers(results, name)}
    if any(results.rows(threads="default")):
        found[f"points-{name}-threads"] = points(results, name, "default")
    paths = []
    for picture, figure in found.items():
        path = IMAGES / f"benchmarks-{picture}.png"
        figure.savefig(path, dpi=110, metadata={"Results": fingerprint(results), "Software": None})
        paths.append(path)
    return paths


def points(results: Results, name: str, threads: Threads = 1) -> Any:
    """A step's time against the number of points, both in powers of ten, and below it the ratio to torch.autograd."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 9), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 2])
    ends: dict[str, float] = {}
    for implementation, style in STYLES.items():
        rows = sorted(_sin(results, implementation, threads), key=lambda row: int(row["points"]))
        if not rows:
            continue
        style = {"linewidth": 1.4, "markersize": 4, **style}
        above.plot([r["points"] for r in rows], [seconds(r) * 1e6 for r in rows], **style)
        ends[implementation] = seconds(rows[-1]) * 1e6
        ratios = {r["points"]: ratio for r in rows if (ratio := results.ratio(r, REFERENCE))}
        below.plot(list(ratios), [ratio.middle for ratio in ratios.values()], **style)
        lows, highs = [r.low for r in ratios.values()], [r.high for r in ratios.values()]
        below.fill_between(list(ratios), lows, highs, color=style["color"], alpha=0.15)
    for axes, label in ((above, "µs a step"), (below, f"ratio to {REFERENCE}")):
        axes.set(xscale="log", yscale="log", ylabel=label)
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    for crossing in crossings(results, "tinygrad_poly", REFERENCE, threads, problem="sin", dtype="float64"):
        for axes in (above, below):
            axes.axvspan(crossing.below, crossing.above, color="#f2d16b", alpha=0.35, linewidth=0)
        middle = math.sqrt(crossing.below * crossing.above)
        note = f"{crossing.then}\novertakes\n{crossing.first}"
        where = ("data", "axes fraction")
        above.annotate(note, (middle, 0.98), xycoords=where, ha="center", va="top", fontsize=8)
    _label_ends(above, ends)
    # The fit from moments goes down for ever; what is to be seen lies above.
    below.set_ylim(bottom=max(1e-4, below.get_ylim()[0]))
    below.set(xlabel="points")
    count = "" if results.gpu else ", one thread" if threads == 1 else ", default threads"
    figure.suptitle(f"A step of the sin fit on {results.gpu or name.upper()}, float64{count}", fontweight="bold")
    return figure


def peers(results: Results, name: str, threads: Threads = 1) -> Any:
    """A bar for each implementation on each of the tutorials' problems: its time in units of torch.autograd's."""
    from matplotlib.figure import Figure

    device = name.partition("-")[0]
    cases = [case for case in ("sin-2000", "line-6", "linear-6") if any(_case(results, case, device, threads))]
    found = {case: sorted(_case(results, case, device, threads), key=lambda pair: pair[1].middle) for case in cases}
    figure = Figure(figsize=(9, 1.2 + 0.28 * sum(len(bars) + 2 for bars in found.values())), layout="constrained")
    panels = figure.subplots(
        max(len(cases), 1), 1, height_ratios=[len(bars) for bars in found.values()] or [1], squeeze=False
    )
    for axes, (case, bars) in zip(panels[:, 0], found.items()):
        names = [name for name, _ in bars]
        middles = [ratio.middle for _, ratio in bars]
        errors = [[r.middle - r.low for _, r in bars], [r.high - r.middle for _, r in bars]]
        colors = [_color(name) for name in names]
        left = 10 ** math.floor(math.log10(min(middles) * 0.9))
        axes.barh(names, [m - left for m in middles], left=left, color=colors, xerr=errors, error_kw={"linewidth": 0.8})
        for i, ratio in enumerate(middles):
            axes.annotate(
                significant(ratio),
                (bars[i][1].high, i),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
                fontsize=8,
            )
        axes.axvline(1, color="#c8501e", linewidth=0.8)
        axes.set(xscale="log", xlim=(left, max(middles) * 2.5))
        axes.set_title(title(f"{case}-float64-{device}"), loc="left", fontsize=10)
        axes.invert_yaxis()
        axes.tick_params(axis="y", labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
    panels[-1, 0].set_xlabel(f"time of a step in units of {REFERENCE}'s: less is faster")
    return figure


def _color(name: str) -> str:
    """The color of a bar: that of its line, or of its library."""
    if name in STYLES:
        return str(STYLES[name]["color"])
    return next((color for family, color in FAMILIES.items() if name.startswith(family)), OTHER)


def _sin(results: Results, implementation: str, threads: Threads) -> list[dict[str, Any]]:
    return list(results.rows(problem="sin", dtype="float64", implementation=implementation, threads=threads))


def _case(results: Results, case: str, device: str, threads: Threads) -> list[tuple[str, Any]]:
    """The implementations of a case in float64, with their ratios to the reference."""
    return [
        (row["implementation"], ratio)
        for row in results.rows(threads=threads)
        if row["case"].startswith(f"{case}-float64-{device}") and (ratio := results.ratio(row, REFERENCE))
    ]


def _label_ends(axes: Any, ends: dict[str, float]) -> None:
    """Labels at the right ends of lines, moved apart where they would overlap."""
    bottom, top = (math.log10(limit) for limit in axes.get_ylim())
    names = sorted(ends, key=ends.__getitem__)
    heights = [math.log10(ends[name]) for name in names]
    gap = (top - bottom) / 26
    for _ in range(100):
        for i in range(len(heights) - 1):
            push = max(0.0, gap - (heights[i + 1] - heights[i])) / 2
            heights[i] -= push
            heights[i + 1] += push
    for name, height in zip(names, heights):
        axes.annotate(
            name, (1, 10**height), xycoords=("axes fraction", "data"), xytext=(6, 0), textcoords="offset points",
            va="center", fontsize=8, color=STYLES[name]["color"], annotation_clip=False,
        )  # fmt: skip


def captions(*names: str) -> list[str]:
    """Markdown that shows the pictures of these names."""
    text = {
        "points": "The time of a step against the number of points, and its ratio to torch.autograd",
        "peers": "The time of each implementation in units of torch.autograd's, on the tutorials' problems",
    }
    return [f"![{text[name.split('-')[0]]}](images/benchmarks-{name}.png)\n" for name in names]
