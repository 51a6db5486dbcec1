"""Plots of a descent: its loss, its path over the loss surface, and its steps on a parabola."""

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_poly.creation import tensor
from tinygrad_poly.engine.arrays import on_cpu
from tinygrad_poly.engine.errors import ShapeError
from tinygrad_poly.fitting.picture import DATA, FIT, INK, OPTIMUM, START, frame, legends, new_figure
from tinygrad_poly.fitting.quadratic import as_quadratic

Loss = Callable[[Any], Any]


def losses(descent: Any) -> Any:
    """A figure of the loss over the steps, on a logarithmic axis.

    Args:
        descent: a `FitResult`, or the losses of all steps.
    """
    known = descent.losses | {descent.step: descent.loss} if hasattr(descent, "losses") else dict(enumerate(descent))
    figure, (panel,) = _figure(1)
    frame(panel, "steps", "loss")
    panel.plot(list(known), list(known.values()), color=FIT, linewidth=2)
    panel.set_yscale("log", nonpositive="mask")
    return figure


def path(weights: Any, loss: Loss, lr: float) -> Any:
    """A figure of a descent's way over the contours of the loss of two weights, and of which rates are stable.

    The second panel shows what a step at each learning rate leaves of the distance to the optimum at least in one
    direction, max |1 − lr λ|: above 1 the descent diverges. It is there where the loss is quadratic.

    Args:
        weights: those of all steps, of shape (steps + 1, 2).
        loss: from a vector of the two weights to a number.
        lr: the learning rate.

    Raises:
        ShapeError: for another number of weights.

    >>> import tinygrad_poly as tg
    >>> way = [[4.0, 1.0], [2.0, 0.0], [1.0, 0.0]]
    >>> figure = path(way, lambda w: (w * w * tg.tensor([0.5, 1.0])).sum(), lr=0.5)
    >>> [panel.get_xlabel() for panel in figure.axes]
    ['first weight', 'learning rate']
    """
    way = _steps(weights, 2)
    figure, panels = _figure(2)
    frame(panels[0], "first weight", "second weight")
    quadratic = as_quadratic(lambda given, x, y: loss(given["w"]), {"w": way[-1]}, np.zeros(1), np.zeros(1))
    seen = way if quadratic is None else np.vstack([way, quadratic.optimum])
    middle, reach = (seen.min(0) + seen.max(0)) / 2, np.maximum(np.ptp(seen, axis=0), 1e-12) * 0.65
    across, up = (np.linspace(m - r, m + r, 60) for m, r in zip(middle, reach))
    heights = np.array([[_number(loss, [a, b]) for a in across] for b in up])
    # Near the lowest point, where most steps are, they lie closer to each other.
    levels = heights.min() + np.ptp(heights) * np.linspace(0, 1, 16) ** 4
    panels[0].contour(across, up, heights, np.unique(levels), colors=DATA, linewidths=0.8)
    panels[0].plot(*way.T, color=FIT, marker="o", markersize=3, label="descent")
    panels[0].plot(*way[0], color=START, marker="o", linestyle="", label="start")
    if quadratic is None:
        panels[1].set_visible(False)
        return figure
    panels[0].plot(*quadratic.optimum, color=OPTIMUM, marker="*", markersize=11, linestyle="", label="optimum")
    stable = quadratic.largest_stable_lr
    rates = np.linspace(0, 1.2 * max(stable, lr), 300)
    frame(panels[1], "learning rate", "largest |1 − lr λ|")
    left = np.abs(1 - rates[:, None] * quadratic.curvatures).max(1)
    panels[1].axvspan(0, stable, color=OPTIMUM, alpha=0.12, label=f"stable below {stable:.3g}")
    panels[1].plot(rates, left, color=INK, linewidth=1.5)
    panels[1].axvline(lr, color=FIT, linestyle="--", label=f"here {lr:.3g}")
    return _told(figure, panels)


def parabola(weights: Any, loss: Loss) -> Any:
    """A figure of the loss as a function of its one weight, with the steps of a descent.

    Args:
        weights: those of all steps, of shape (steps + 1,) or (steps + 1, 1).
        loss: from the weight to a number.

    >>> figure = parabola([0.0, 1.4, 0.84], lambda W: (W - 1) ** 2)
    >>> [line.get_label() for line in figure.axes[0].lines]
    ['cost(W)', 'steps']
    """
    way = _steps(weights, 1)[:, 0]
    figure, panels = _figure(1)
    frame(panels[0], "W", "cost(W)")
    reach = max(float(np.abs(way - way[-1]).max()), 1e-12) * 1.3
    across = np.linspace(way[-1] - reach, way[-1] + reach, 200)
    for points, style in (
        (across, {"color": DATA, "label": "cost(W)"}),
        (way, {"color": FIT, "label": "steps", "marker": "o"}),
    ):
        panels[0].plot(points, [_number(loss, w) for w in points], **style)
    return _told(figure, panels)


def _steps(weights: Any, count: int) -> Any:
    way = np.array([np.ravel(on_cpu(getattr(w, "array", w))) for w in weights], np.float64)
    if way.ndim != 2 or way.shape[1] != count or not np.isfinite(way).all():
        raise ShapeError(f"expected {count} finite number{'s'[: count - 1]} for each step, but got shape {way.shape}")
    return way


def _number(loss: Loss, weights: Any) -> float:
    return float(loss(tensor(weights, dtype="float64")))


def _figure(count: int) -> tuple[Any, Any]:
    figure = new_figure(1.0 + 5 * count)
    return figure, figure.subplots(1, count, squeeze=False)[0]


def _told(figure: Any, panels: Any) -> Any:
    legends(panels)
    return figure
