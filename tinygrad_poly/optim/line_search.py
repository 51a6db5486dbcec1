"""A line search: the length of a step along a direction, so that the strong Wolfe conditions hold.

Write φ(t) for the loss at w + t d. A step t is good enough where the loss has fallen in proportion to
the step, φ(t) ≤ φ(0) + c₁ t φ'(0), and the slope has become flat, |φ'(t)| ≤ c₂ |φ'(0)|. The search goes
on until two steps enclose such a t, and then narrows the bracket with the minimum of the cubic that has
φ and φ' at both ends (Nocedal and Wright, Numerical Optimization, section 3.5; in torch's variant).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tinygrad_poly.engine.arrays import Array

SUFFICIENT_DECREASE, FLATNESS = 1e-4, 0.9  # c₁ and c₂


class Trial(NamedTuple):
    """A step length that was tried, with the loss and gradient there."""

    t: float
    loss: float
    gradient: Array
    """∂L/∂w at w + t d."""
    slope: float
    """φ'(t), the gradient times d."""


def cubic_minimum(a: Trial, b: Trial, least: float, most: float) -> float:
    """The minimum of the cubic through both trials, limited to the range from `least` to `most`."""
    left, right = (a, b) if a.t <= b.t else (b, a)
    # Where the slopes do not fit a minimum, infinities and NaN lead to the limits.
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        d1 = left.slope + right.slope - np.divide(3 * (left.loss - right.loss), left.t - right.t)
        discriminant = d1 * d1 - left.slope * right.slope
        if not discriminant >= 0:
            return (least + most) / 2
        d2 = np.sqrt(discriminant)
        part = np.divide(right.slope + d2 - d1, right.slope - left.slope + 2 * d2)
        t = float(right.t - (right.t - left.t) * part)
    return min(max(t, least), most)


def strong_wolfe(
    evaluate: Callable[[float], Trial], start: Trial, t: float, length: Any, tolerance_change: float, most: int
) -> tuple[Trial, int]:
    """Find a step for which the conditions hold; otherwise the best that was tried.

    Args:
        evaluate: tries a step.
        start: the step 0.
        t: the step to try first.
        length: the largest element of |d|.
        tolerance_change: a bracket that moves no weight by more is narrow enough.
        most: how many more steps than the first may be tried.

    Returns:
        The step, and how many were tried.
    """

    def too_high(trial: Trial) -> bool:
        return trial.loss > start.loss + SUFFICIENT_DECREASE * trial.t * start.slope

    def flat(trial: Trial) -> bool:
        return abs(trial.slope) <= -FLATNESS * start.slope

    before, here = start, evaluate(t)
    tried = 0
    bracket = [start, here]
    while tried < most:
        bracket = [before, here]
        if too_high(here) or (tried > 1 and here.loss >= before.loss):
            break
        if flat(here):
            return here, tried + 1
        if here.slope >= 0:
            break
        t = cubic_minimum(before, here, here.t + 0.01 * (here.t - before.t), here.t * 10)
        before, here = here, evaluate(t)
        tried += 1
        bracket = [start, here]

    def lower() -> int:
        return 0 if bracket[0].loss <= bracket[1].loss else 1

    low, near_an_end = lower(), False
    while tried < most and abs(bracket[1].t - bracket[0].t) * length >= tolerance_change:
        left, right = sorted(trial.t for trial in bracket)
        t = cubic_minimum(bracket[0], bracket[1], left, right)
        margin = 0.1 * (right - left)
        if min(right - t, t - left) >= margin:
            near_an_end = False
        elif near_an_end or not left < t < right:
            # Twice near an end is slow progress: try a tenth of the way in.
            t = right - margin if abs(t - right) < abs(t - left) else left + margin
            near_an_end = False
        else:
            near_an_end = True
        here = evaluate(t)
        tried += 1
        if too_high(here) or here.loss >= bracket[low].loss:
            bracket[1 - low] = here
            low = lower()
            continue
        if not flat(here) and here.slope * (bracket[1 - low].t - bracket[low].t) >= 0:
            bracket[1 - low] = bracket[low]
        bracket[low] = here
        if flat(here):
            break
    return bracket[low], tried + 1
