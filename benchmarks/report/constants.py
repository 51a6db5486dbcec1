"""The GPU runner's constants: the best value of each, among those that were measured."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from statistics import median

from benchmarks.report.measured import Row

ONE_BLOCK = "ELEMENTS_OF_ONE_BLOCK"
ALL_IN_ONE, NONE_IN_ONE = 2**30, 0
"""Values of this border for all elements in one block, and for none."""


def best(rows: Sequence[Row]) -> dict[str, tuple[int, int, float]]:
    """For each constant its value now, the best value, and how much slower steps are now (geometric mean).

    The best of a constant has the smallest geometric mean over all fits of its time in units of the fastest. The best
    border is the number of points up to which one block takes no longer than many, in most fits.
    """
    found = {}
    for constant in dict.fromkeys(str(row["constant"]) for row in rows):
        own = [row for row in rows if row["constant"] == constant]
        now = int(own[0]["now"])
        times = [{int(value): median(each) for value, each in row["seconds"].items()} for row in own]
        if constant == ONE_BLOCK:
            points = sorted({int(row["points"]) for row in own})
            candidates = [points[0] // 2, *points]
            slow = {
                value: _mean(
                    t[ALL_IN_ONE if row["points"] <= value else NONE_IN_ONE] / min(t.values())
                    for row, t in zip(own, times)
                )
                for value in {*candidates, now}
            }
        else:
            candidates = sorted(times[0])
            slow = {value: _mean(t[value] / min(t.values()) for t in times) for value in candidates}
        chosen = min(candidates, key=lambda value: (slow[value], abs(math.log(value / now))))
        found[constant] = now, chosen, slow[now] / slow[chosen]
    return found


def _mean(ratios: Iterable[float]) -> float:
    """The geometric mean of some ratios."""
    logarithms = [math.log(ratio) for ratio in ratios]
    return math.exp(sum(logarithms) / len(logarithms))
