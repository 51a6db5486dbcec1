"""The verdict on a fit: how far it is from the best that its model can do, and whether it has converged."""

import math
import textwrap
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from tinygrad_poly.fitting.quadratic import NOT_DETERMINED, Quadratic
from tinygrad_poly.fitting.saved import Run

CLOSE = 1e-3
"""A fit has converged if its loss is no more than this part above the optimum …"""

BLUR = 1e-7
"""… or above it by less than errors of this part of the data's size (or of 100 roundings, if that is more) would do."""

NOT_QUADRATIC = "the loss is not quadratic in the weights"


@dataclass(frozen=True)
class Verdict:
    """A comparison of a fit with the optimum of its loss; None stands for what is not known.

    With the loss L, its least value L*, and its value L(0) for weights that are all 0, a fit has converged if

        L − L* ≤ max(10⁻³ L*, β² L(0))    with β = 10⁻⁷, or 100 ε = 1.2 · 10⁻⁵ in float32.

    The second term is for data that the model fits exactly: there L* is 0 and L only ever comes closer.
    """

    step: int
    loss: float
    lr: float
    unknown: str = ""
    """Why the optimum is not known, if it is not."""
    optimum: float | None = None
    """L*, the least loss that any weights have."""
    excess: float | None = None
    """L − L*, from the weights: (w − w*)ᵀ H (w − w*) / 2 does not cancel."""
    fits_exactly: bool = False
    """Whether the model can pass through every point: L* ≤ β² L(0)."""
    distance: float | None = None
    """How far the weight that is furthest from its optimum is from it."""
    converged: bool | None = None
    largest_stable_lr: float | None = None
    """2/λ_max."""
    fastest_lr: float | None = None
    """2/(λ_min + λ_max), the fastest in the long run, rounded down to three digits."""
    more_steps: int | None = None
    """How many more steps at `lr` would bring the fit to convergence."""
    more_steps_at_fastest: int | None = None

    @classmethod
    def of(cls, run: Run, loss: float, quadratic: Quadratic | None, is_plain_descent: bool) -> "Verdict":
        """The verdict on a run, from the loss of its weights and what its optimizer says of its steps."""
        about = partial(cls, run.step, loss, run.lr)
        if quadratic is None:
            return about(NOT_QUADRATIC)
        foretold: dict[str, Any] = {"largest_stable_lr": quadratic.largest_stable_lr} if is_plain_descent else {}
        optimum, rounding = quadratic.least_loss, quadratic.rounding
        # Where even L(0) is 0, the start is all there is to compare with.
        size = quadratic.loss_at_zero or quadratic.excess(run.start)
        # Where rounding the terms of the model costs more than all that is to be learned, nothing is known.
        if not quadratic.determined or rounding > max(CLOSE * optimum, CLOSE**2 * size):
            return about(NOT_DETERMINED, **foretold)
        unseen = max(BLUR, *(100 * float(np.finfo(w.dtype).eps) for w in run.params.values()))
        blur = max(unseen**2 * size, rounding)
        excess, enough = quadratic.excess(run.params), max(CLOSE * optimum, blur)
        if is_plain_descent:
            fastest = rounded_down(quadratic.fastest_lr)
            foretold["fastest_lr"] = fastest
            foretold["more_steps"] = quadratic.steps_until(enough, run.params, run.lr)
            foretold["more_steps_at_fastest"] = quadratic.steps_until(enough, run.params, fastest)
        distance, exactly = quadratic.distance(run.params), optimum <= blur
        return about("", optimum, excess, exactly, distance, excess <= enough, **foretold)

    @property
    def diverges(self) -> bool:
        """Whether the learning rate is so large that the loss grows."""
        return self.largest_stable_lr is not None and self.lr >= self.largest_stable_lr

    def __str__(self) -> str:
        lines = [self.headline, *(f"  {line}" for line in (self._where(), self._why()) if line)]
        return "\n".join(textwrap.fill(line, 98, subsequent_indent="  ") for line in lines)

    @property
    def headline(self) -> str:
        """The verdict in a line."""
        if self.converged:
            return "It has converged."
        if self.converged is None:
            return f"Whether it has converged is not known: {self.unknown}."
        if self.diverges:
            return f"It diverges: the learning rate is {self.lr:g}, and has to be below {self.largest_stable_lr:.6g}."
        if self.fastest_lr is None:
            return "It has not converged."
        return (
            f"It has not converged: that takes {_count(self.more_steps, 'more step')}, or "
            f"{_count(self.more_steps_at_fastest, 'step')} with {self.fastest_lr:g}."
        )

    def _where(self) -> str:
        reached = f"After {_count(self.step, 'step')} the loss is {self.loss:.7g}"
        if self.optimum is None or self.excess is None:
            return f"{reached}."
        if self.fits_exactly:
            return f"{reached}, where the optimum is an exact fit; a weight is off by up to {self.distance:.2g}."
        return f"{reached}, {_above(self.excess / self.optimum)} the least-squares optimum of {self.optimum:.7g}."

    def _why(self) -> str:
        if self.converged is not False or (self.fits_exactly and self.fastest_lr is None):
            return ""
        off = "" if self.fits_exactly else f"A weight is off by up to {self.distance:.2g}. "
        if self.fastest_lr is None or self.diverges:
            return off.rstrip()
        fastest = f"The fastest learning rate in the long run is {self.fastest_lr:g}"
        return f"{off}{fastest}; from {self.largest_stable_lr:.6g} on it diverges."


def _count(number: int | None, noun: str) -> str:
    if number is None:
        return f"countless {noun}s"
    return f"about {number:.0e} {noun}s" if number >= 10**7 else f"{number} {noun}{'s' if number != 1 else ''}"


def _above(ratio: float) -> str:
    if ratio < 1e-6:
        return "less than 0.0001% above"
    return f"{100 * ratio:.3g}% above" if ratio < 10 else f"{1 + ratio:.3g} times"


def rounded_down(lr: float) -> float:
    """A learning rate rounded down to three digits; rounded up, one at the limit could diverge."""
    exponent = math.floor(math.log10(lr)) - 2
    return float(f"{math.floor(lr / 10.0**exponent)}e{exponent}")
