"""Verdicts: pass, fail or inconclusive, from a claimed gradient, the true one, and what rounding may do."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

FAIL_FROM = 10.0
"""A difference of so many times the allowed one is a mistake; between the two nothing is said."""
WEAKEST = 1e-2
"""A pass says that a relative error of at least this size would have been seen."""


@dataclass
class Finding:
    """A finding about the gradient of one argument.

    Attributes:
        name: of the argument.
        claimed: the gradient to check.
        true: the oracle's.
        allowed: how far the two may differ, number by number.
        verdict: "pass", "fail" or "inconclusive".
        reason: of a verdict that is inconclusive: "noise", "kink", "domain", "not finite", "zero", "empty"; "shape"
            of a failure.
        worst: the largest difference, as a part of the largest true number.
        at: where it is.
        power: the smallest relative error of a number, measured by the largest, that would have been seen.
        exact: whether the two were compared without rounding.
        along: whether the numbers are not those of the gradient, but its products with directions.
        unseen: how small a gradient may be for the loss not to notice in floats: such a one is never called wrong.
    """

    name: str
    claimed: Any
    true: Any
    allowed: Any
    verdict: str = ""
    reason: str = ""
    worst: float = 0.0
    at: tuple[int, ...] = ()
    power: float = math.inf
    exact: bool = False
    unseen: Any = 0.0
    along: bool = False
    notes: list[str] = field(default_factory=list)


def floats(array: Any) -> Any:
    """Numbers of any kind as floats; infinite where they are too large."""
    array = np.asarray(array)
    return array if array.dtype != object else np.array([_float(x) for x in array.ravel()]).reshape(array.shape)


def _float(x: Any) -> float:
    try:
        return float(getattr(x, "value", x))
    except OverflowError:
        return math.inf if x > 0 else -math.inf


def largest(x: Any) -> Any:
    """The size of the largest number; 0 of no numbers."""
    return np.abs(x).max(initial=0.0)


def difference(claimed: Any, true: Any) -> Any:
    """|claimed − true|, computed without rounding where both are exact."""
    if claimed.dtype == true.dtype == object:
        return floats(np.abs(np.asarray(claimed - true, object)))
    return np.abs(wide(claimed) - wide(true))


def wide(array: Any) -> Any:
    """Numbers of any kind as the widest floats there are: what the nearest float leaves over is added."""
    high = floats(array).astype(np.longdouble)
    if array.dtype != object:
        return high
    rests = [x - float(h) if math.isfinite(h) else 0 for x, h in zip(array.ravel(), high.ravel())]
    return high + floats(np.array(rests, object)).reshape(high.shape)


def judge(finding: Finding) -> Finding:
    """Set the verdict of a finding, its reason, and its largest difference."""
    finding.reason = ""
    if np.shape(finding.claimed) != np.shape(finding.true):
        finding.verdict, finding.reason, finding.worst = "fail", "shape", math.inf
        return finding
    if not finding.true.size:
        finding.verdict, finding.reason = "inconclusive", "empty"
        return finding
    claimed, true = floats(finding.claimed), floats(finding.true)
    known = np.isfinite(finding.allowed) & np.isfinite(true) & np.isfinite(claimed)
    gap = difference(finding.claimed, finding.true)
    size = largest(true[known])
    relative = np.where(known, gap, -1.0) / (size or 1.0)
    place = int(np.argmax(relative))
    finding.at = tuple(int(k) for k in np.unravel_index(place, true.shape))
    finding.worst = float(max(relative.ravel()[place], 0.0))
    finding.power = float(FAIL_FROM * np.where(known, finding.allowed, 0.0).max(initial=0.0) / (size or 1.0))
    small = (np.abs(true) <= finding.unseen) & (np.abs(claimed) <= finding.unseen)
    if (known & ~small & (gap > FAIL_FROM * finding.allowed)).any():
        finding.verdict = "fail"
    elif not known.all():
        there = np.isfinite(finding.allowed) & np.isfinite(true)
        finding.verdict, finding.reason = "inconclusive", "not finite" if there.all() else "domain"
    elif (gap > finding.allowed).any() or finding.power > WEAKEST:
        finding.verdict, finding.reason = "inconclusive", "noise"
    else:
        finding.verdict = "pass"
    return finding


def negative_control(finding: Finding) -> bool:
    """Whether the true gradient, wrong by the stated power in its largest number, would have failed."""
    true = finding.true if finding.true.dtype == object else wide(finding.true)
    size = np.abs(floats(true))
    if finding.along:  # an error of that size is outside by construction
        return True
    if not true.size or not np.isfinite(size).all():
        return False
    place = np.unravel_index(int(np.argmax(size)), true.shape)
    wrong, number = true.copy(), type(true[place])
    step = max(finding.power, 2.0**-200 if finding.exact else 2.0**-50) * 1.01
    wrong[place] += (true[place] if size[place] else number(1)) * number(step)
    return judge(Finding("", wrong, true, finding.allowed)).verdict == "fail"
