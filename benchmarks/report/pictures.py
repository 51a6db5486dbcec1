"""The pictures of docs/benchmarks.md: time against points, and a bar for each peer."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Any

from benchmarks.report.crossings import changes, leads
from benchmarks.report.measured import Quartiles, Results, Threads, seconds, significant
from benchmarks.report.targets import title

IMAGES = Path(__file__).parents[2] / "docs" / "images"

# A color for each line. Ours are the strongest; what bounds all others is grey.
STYLES: dict[str, dict[str, Any]] = {
    "tinygrad_poly": {"color": "#0b5cad", "linewidth": 2.4, "marker": "o"},
    "compiled": {"color": "#12a5b8", "linewidth": 2.4, "marker": "s"},
    "compiled without Numba": {"color": "#7a5cc0", "marker": "v"},
    "compiled hoisted": {"color": "#d6478f", "marker": "D"},
    "torch.autograd": {"color": "#c8501e", "linewidth": 2.4, "marker": "o"},
    "torch.compile": {"color": "#e8a33d", "marker": "s"},
    "torch CUDA graph": {"color": "#8c5a2b", "marker": "D"},
    "JAX fori_loop": {"color": "#3a8a4d", "marker": "s"},
    "NumPy by hand": {"color": "#98a62c", "marker": "^"},
    "Numba by hand": {"color": "#7f7f7f", "linestyle": "--", "marker": "x"},
    "Numba by hand, threads": {"color": "#b9a4a4", "linestyle": "-.", "marker": "+"},
    "CUDA by hand": {"color": "#7f7f7f", "linestyle": "--", "marker": "x"},
    "copying on the device": {"color": "#b5b5b5", "linestyle": ":", "marker": "+"},
    "reading the data": {"color": "#333333", "linestyle": ":", "marker": "."},
}
KINDS = {"eager": "#0b5cad", "compiled": "#12a5b8", "by hand": "#98a62c", "limit": "#7f7f7f"}
"""The color of a bar."""
OURS = ("tinygrad_poly", "compiled")
REFERENCE = "torch.autograd"
LEAST = 0.01
"""The smallest ratio of the lower panel, which is about the eager engines."""


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
    from matplotlib.patches import Patch

    figure = Figure(figsize=(10, 9.5), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 2])
    lines: dict[str, tuple[float, Any]] = {}
    lower = []
    for implementation, style in STYLES.items():
        found = results.rows(problem="sin", dtype="float64", implementation=implementation, threads=threads)
        rows = sorted(found, key=lambda row: int(row["points"]))
        if not rows:
            continue
        style = {"linewidth": 1.4, "markersize": 4.5, "label": implementation, **style}
        times = [seconds(row) * 1e6 for row in rows]
        (line,) = above.plot([row["points"] for row in rows], times, **style)
        lines[implementation] = times[-1], line
        ratios = {row["points"]: ratio for row in rows if (ratio := results.ratio(row, REFERENCE))}
        if any(ratio.middle >= LEAST for ratio in ratios.values()):
            below.plot(list(ratios), [ratio.middle for ratio in ratios.values()], **style)
            lows, highs = [r.low for r in ratios.values()], [r.high for r in ratios.values()]
            below.fill_between(list(ratios), lows, highs, color=style["color"], alpha=0.15, linewidth=0)
        if any(ratio.middle < LEAST for ratio in ratios.values()):
            lower.append(implementation)
    for axes, label in ((above, "µs a step"), (below, f"time in units of {REFERENCE}'s")):
        axes.set(xscale="log", yscale="log", ylabel=label, xlabel="points")
        axes.tick_params(labelbottom=True)
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    title = f"In units of {REFERENCE}'s time: below 1 is faster"
    if lower:
        below.set_ylim(bottom=LEAST)
        title += f".\nNot shown where it is below {LEAST:g}: {'; '.join(lower)}"
    below.set_title(title, loc="left", fontsize=9)
    handles = [line for _, line in sorted(lines.values(), key=lambda pair: -pair[0])]
    for low, high in changes(leads(results, "tinygrad_poly", REFERENCE, threads, problem="sin", dtype="float64")):
        below.axvspan(low, high, facecolor="#f2d16b", edgecolor="#a08020", alpha=0.35, linewidth=1.2)
        label = f"here the faster one of\ntinygrad_poly and {REFERENCE}\nchanges"
        mark = Patch(facecolor="#f2d16b", edgecolor="#a08020", alpha=0.35, label=label)
        handles = [handle for handle in handles if handle.get_label() != label] + [mark]
    if handles:
        figure.legend(handles=handles, loc="outside right upper", fontsize=9, frameon=False)
    count = "" if results.gpu else ", one thread" if threads == 1 else ", default threads"
    heading = f"A step of the sin fit on {results.gpu or name.upper()}, float64{count}"
    above.set_title(heading, loc="left", fontweight="bold")
    return figure


def peers(results: Results, name: str, threads: Threads = 1) -> Any:
    """A bar for each implementation on each of the tutorials' problems: its time in units of torch.autograd's."""
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    device = name.partition("-")[0]
    cases = [case for case in ("sin-2000", "line-6", "linear-6") if any(_case(results, case, device, threads))]
    found = {case: sorted(_case(results, case, device, threads), key=lambda bar: bar[2].middle) for case in cases}
    figure = Figure(figsize=(9, 1.2 + 0.27 * sum(len(bars) + 3 for bars in found.values())), layout="constrained")
    panels = figure.subplots(
        max(len(cases), 1), 1, height_ratios=[len(bars) + 2 for bars in found.values()] or [1], squeeze=False
    )
    for axes, (case, bars) in zip(panels[:, 0], found.items()):
        middles = [ratio.middle for *_, ratio in bars]
        errors = [[r.middle - r.low for *_, r in bars], [r.high - r.middle for *_, r in bars]]
        left = 10 ** math.floor(math.log10(min(middles) * 0.9))
        axes.barh(range(len(bars)), [m - left for m in middles], left=left, color=[KINDS[kind] for _, kind, _ in bars],
                  xerr=errors, error_kw={"linewidth": 0.8})  # fmt: skip
        axes.axvline(1, color="#222222", linewidth=1, linestyle="--", zorder=0)
        for i, ratio in enumerate(middles):
            axes.annotate(significant(ratio), (1.01, i), xycoords=("axes fraction", "data"), va="center", fontsize=8)
        axes.set(
            xscale="log",
            xlim=(left, max(middles) * 1.5),
            xlabel=f"time of a step in units of {REFERENCE}'s: less is faster",
        )
        axes.set_title(title(f"{case}-float64-{device}"), loc="left", fontsize=10)
        axes.set_yticks(range(len(bars)), [name for name, *_ in bars], fontsize=8)
        for label in axes.get_yticklabels():
            label.set_fontweight("bold" if label.get_text().startswith(OURS) else "normal")
        axes.invert_yaxis()
        axes.spines[["top", "right"]].set_visible(False)
    if cases:
        kinds = {kind for bars in found.values() for _, kind, _ in bars}
        handles: list[Any] = [Patch(color=color, label=kind) for kind, color in KINDS.items() if kind in kinds]
        handles.append(Line2D([], [], color="#222222", linewidth=1, linestyle="--", label=REFERENCE))
        figure.legend(handles=handles, loc="outside upper center", ncols=5, fontsize=9, frameon=False,
                      title="this engine's rows in bold; thin lines: quartiles", title_fontsize=8)  # fmt: skip
    return figure


def _case(results: Results, case: str, device: str, threads: Threads) -> list[tuple[str, str, Quartiles]]:
    """The implementations of a case in float64: names, kinds and ratios to the reference."""
    return [
        (row["implementation"], row["kind"], ratio)
        for row in results.rows(threads=threads)
        if row["case"].startswith(f"{case}-float64-{device}") and (ratio := results.ratio(row, REFERENCE))
    ]


def captions(*names: str) -> list[str]:
    """Markdown that shows the pictures of these names."""
    text = {
        "points": "The time of a step against the number of points, and its ratio to torch.autograd",
        "peers": "The time of each implementation in units of torch.autograd's, on the tutorials' problems",
    }
    return [f"![{text[name.split('-')[0]]}](images/benchmarks-{name}.png)\n" for name in names]
