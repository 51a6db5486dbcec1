"""Layout of a graph in layers: every box below all from which arrows lead to it, with few crossings.

The layered drawing of Sugiyama, Tagawa and Toda (1981): layers by the longest way, places in a layer by the average of
the neighbours' places, swept down and up, and a bend for an arrow in each layer that it passes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

GAP = 24
"""Between boxes beside each other."""
RISE = 40
"""Between layers."""
SWEEPS = 12


@dataclass
class Layout:
    """A layout: the middle of each box, and for each arrow the points on its way.

    Attributes:
        x: the middle of each box, from the left.
        y: the upper edge of each box.
        ways: for each arrow (from, to) its points, from the lower edge of a box to the upper edge of another.
        width: of the whole picture.
        height: of the whole picture.
    """

    x: list[float]
    y: list[float]
    ways: dict[tuple[int, int], list[tuple[float, float]]]
    width: float
    height: float


def layout(parents: Sequence[Sequence[int]], sizes: Sequence[tuple[float, float]]) -> Layout:
    """Lay out boxes of the given widths and heights; the parents of a box come before it.

    >>> found = layout([[], [], [0, 1]], [(60.0, 20.0)] * 3)
    >>> found.x, found.y, found.ways[0, 2]
    ([30.0, 114.0, 72.0], [0.0, 0.0, 60.0], [(30.0, 20.0), (72.0, 60.0)])
    """
    count = len(parents)
    level = [0] * count
    for child in reversed(range(count)):
        for parent in parents[child]:
            level[parent] = max(level[parent], level[child] + 1)
    # Bends are boxes without a size, in the layers that an arrow passes.
    boxes, chains = list(sizes), dict[tuple[int, int], list[int]]()
    for parent, child in [(parent, child) for child, found in enumerate(parents) for parent in found]:
        passed = range(level[parent] - 1, level[child], -1)
        chains[parent, child] = [parent, *range(len(boxes), len(boxes) + len(passed)), child]
        level += passed
        boxes += [(0.0, 0.0)] * len(passed)
    above: list[list[int]] = [[] for _ in boxes]
    below: list[list[int]] = [[] for _ in boxes]
    for chain in chains.values():
        for upper, lower in pairwise(chain):
            above[lower].append(upper)
            below[upper].append(lower)
    layers: list[list[int]] = [[] for _ in range(max(level, default=0) + 1)]
    for box, height in enumerate(level):
        layers[-1 - height].append(box)
    layers = _ordered(layers, above, below)
    width = [w for w, _ in boxes]
    x = _placed(layers, width, above, below)
    y, low, top = [0.0] * len(boxes), [0.0] * len(boxes), 0.0
    for layer in layers:
        tallest = max((boxes[box][1] for box in layer), default=0.0)
        for box in layer:
            y[box], low[box] = top, top + (boxes[box][1] or tallest)
        top += tallest + RISE
    # An arrow runs along the sides of its bends, from the lower edge of one box to the upper edge of the other.
    ways = {
        arrow: [(x[box], at) for box in chain for at in (y[box], low[box])][1:-1] for arrow, chain in chains.items()
    }
    right = max((x[box] + width[box] / 2 for box in range(len(boxes))), default=0.0)
    return Layout(x[:count], y[:count], ways, right, top - RISE if count else 0.0)


def _ordered(layers: list[list[int]], above: list[list[int]], below: list[list[int]]) -> list[list[int]]:
    """The order with the fewest crossings that sweeps down and up have met."""
    best, fewest = [list(layer) for layer in layers], _crossings(layers, below)
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        place = {box: i for layer in layers for i, box in enumerate(layer)}
        for layer in layers if down else reversed(layers):
            wish = {b: _mean([place[n] for n in (above if down else below)[b]], place[b]) for b in layer}
            layer.sort(key=wish.__getitem__)
            place.update((box, i) for i, box in enumerate(layer))
        if (crossings := _crossings(layers, below)) < fewest:
            best, fewest = [list(layer) for layer in layers], crossings
    return best


def _crossings(layers: list[list[int]], below: list[list[int]]) -> int:
    total = 0
    for upper, lower in pairwise(layers):
        place = {box: i for i, box in enumerate(lower)}
        ends = [place[child] for box in upper for child in sorted(below[box], key=place.__getitem__)]
        total += sum(a > b for i, a in enumerate(ends) for b in ends[i + 1 :])
    return total


def _placed(layers: list[list[int]], width: list[float], above: list[list[int]], below: list[list[int]]) -> list[float]:
    """The middle of each box: near the average of its neighbours, and no box on another."""
    x = [0.0] * len(width)
    for layer in layers:
        _apart(layer, x, width)
    for sweep in range(2 * SWEEPS):
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            for box in layer:
                neighbours = [x[n] for n in (above[box] + below[box])]
                x[box] = _mean(neighbours, x[box])
            _apart(layer, x, width)
    left = min((x[box] - width[box] / 2 for box in range(len(x))), default=0.0)
    return [value - left for value in x]


def _apart(layer: list[int], x: list[float], width: list[float]) -> None:
    """Move boxes of a layer apart as little as needed: from the left and from the right, and the middle of both."""
    wish = [x[box] for box in layer]

    def room(a: int, b: int) -> float:
        return (width[a] + width[b]) / 2 + GAP

    right = list(wish)
    for i in range(1, len(layer)):
        right[i] = max(right[i], right[i - 1] + room(layer[i - 1], layer[i]))
    left = list(wish)
    for i in reversed(range(len(layer) - 1)):
        left[i] = min(left[i], left[i + 1] - room(layer[i], layer[i + 1]))
    for box, a, b in zip(layer, left, right):
        x[box] = (a + b) / 2


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise
