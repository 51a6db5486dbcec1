"""The picture of a fit: data, start and fit on the left, the loss of each step on the right."""

import io
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_poly import _files as files
from tinygrad_poly.creation import tensor
from tinygrad_poly.engine.arrays import on_cpu
from tinygrad_poly.engine.errors import DataError, ShapeError
from tinygrad_poly.tensor import Tensor

Model = Callable[[Any, Tensor], Tensor]

FORMATS = ("png", "svg", "pdf", "jpg", "webp")

DATA, START, FIT, OPTIMUM = "#9aa5b1", "#e08e45", "#1f5fa8", "#2a9d6f"
INK, RULES = "#2b3440", "#e3e7ec"


def check_picture(path: str | Path) -> None:
    """Raise an error unless a picture can be written at `path`.

    Raises:
        DataError: for an extension that is no picture's, and where a file cannot be written.
    """
    extension = Path(path).suffix.lstrip(".").lower()
    if extension not in FORMATS:
        raise DataError(
            f"cannot draw {path}: a picture's name has to end in one of {', '.join(f'.{name}' for name in FORMATS)}"
        )
    files.check_writable(path)


def draw(result: Any, path: str | Path, model: Model | None, title: str) -> None:
    """Draw a `FitResult`; see its `plot`."""
    check_picture(path)
    figure = new_figure(11.0 if model else 6.0)
    from matplotlib import rc_context

    style: Any = dict.fromkeys(("axes.spines.top", "axes.spines.right"), False)
    style |= dict.fromkeys(("axes.unicode_minus", "axes.formatter.use_mathtext"), True)
    # A fit that diverges has losses near the end of the floating-point numbers, and axes that go beyond it.
    with rc_context(style), np.errstate(over="ignore"):
        if model:
            places: Any = [["curves", "losses"], ["residuals", "losses"]]
            panels = figure.subplot_mosaic(places, width_ratios=[3, 2], height_ratios=[3, 1])
        else:
            panels = figure.subplot_mosaic([["losses"]])
        if title:
            figure.suptitle(title, fontsize=13, color=INK, x=0.01, ha="left")
        if model:
            _draw_curves(panels["curves"], panels["residuals"], result, model)
        _draw_losses(panels["losses"], result)
        legends(panels[name] for name in panels.keys() - {"residuals"})
        content = io.BytesIO()
        figure.savefig(content, format=Path(path).suffix.lstrip(".").lower(), dpi=150)
    files.write(path, content.getvalue())


def new_figure(width: float) -> Any:
    """A figure of its own, without pyplot: no window, no global state, and the caller's own figures are left alone.

    Raises:
        ImportError: where matplotlib is not installed.
    """
    try:
        import matplotlib.figure
    except ImportError:
        raise ImportError(
            "pictures need matplotlib, which is not installed: pip install 'tinygrad_poly[plot]'"
        ) from None
    return matplotlib.figure.Figure(figsize=(width, 4.6), layout="constrained", facecolor="white")


def legends(panels: Iterable[Any]) -> None:
    """Put a legend above each panel, where it hides nothing."""
    for panel in panels:
        panel.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=3, frameon=False, labelcolor=INK)


def _draw_curves(panel: Any, below: Any, result: Any, model: Model) -> None:
    """Draw the data with the start and the fit, and below what the fit leaves of them."""
    x, y = result.objective.points()
    if x.size != y.size or x.size != len(x):
        raise ShapeError(f"only one x for each y can be drawn, but x has shape {x.shape} and y has shape {y.shape}")
    frame(panel, "", "y")
    frame(below, "x", "y − fit")

    def values(params: Any, at: Any) -> Any:
        """The values of the model, which may be one number for all points."""
        return np.broadcast_to(on_cpu(model(params, tensor(at, device=result.objective.device)).array), at.shape)

    points = f"data, {x.size} point{'s' if x.size != 1 else ''}"
    panel.scatter(x, y, s=np.clip(4000 / x.size, 12, 40), color=DATA, linewidths=0, label=points, zorder=2)
    grid = np.linspace(x.min(), x.max(), 400).astype(x.dtype).reshape(400, *x.shape[1:])
    start, curve = (np.ravel(values(params, grid)) for params in (result.start, result.params))
    low, high = min(y.min(), curve.min()), max(y.max(), curve.max())
    margin = 0.25 * (high - low) or 1.0
    panel.set_ylim(low - margin, high + margin)
    lines: list[Any] = [(curve, FIT, "-", f"fit after {result.step} steps" if result.solution is None else "fit")]
    # Random weights may start far away, where nothing of them is seen; what matters is the data and the fit.
    if np.any((start > low - margin) & (start < high + margin)):
        lines.insert(0, (start, START, (0, (4, 3)), "start"))
    for line, color, style, label in lines:
        panel.plot(np.ravel(grid), line, color=color, linestyle=style, linewidth=2, label=label, zorder=3)
    left = y - values(result.params, x).reshape(y.shape)
    below.scatter(x, left, s=np.clip(4000 / x.size, 6, 20), color=DATA, linewidths=0, zorder=2)
    below.axhline(0, color=FIT, linewidth=1.5)
    below.sharex(panel)


def _draw_losses(panel: Any, result: Any) -> None:
    losses = {0: result.start_loss} | result.losses | {result.step: result.loss}
    frame(panel, "steps", "loss")
    panel.plot(list(losses), list(losses.values()), color=FIT, linewidth=2, marker="o", markersize=3, label="loss")
    optimum = result.verdict.optimum
    if optimum is not None and not result.verdict.fits_exactly:
        panel.axhline(optimum, color=OPTIMUM, linestyle="--", linewidth=1.5, label="optimum")
    if min(losses.values()) >= 0 < max(losses.values()):
        panel.set_yscale("log", nonpositive="mask")
    panel.set_xlim(left=0)
    panel.xaxis.get_major_locator().set_params(integer=True)


def frame(panel: Any, x: str, y: str) -> None:
    """Label a panel, and draw its grid."""
    panel.set_xlabel(x, color=INK)
    panel.set_ylabel(y, color=INK)
    panel.tick_params(colors=INK, labelsize=9)
    panel.grid(color=RULES, linewidth=0.8)
    panel.set_axisbelow(True)
    for spine in panel.spines.values():
        spine.set_color(DATA)
