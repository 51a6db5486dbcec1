"""Cases: a function at a point with a gradient, right or with one mistake, and what is known about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .functions import ROWS, Row
from .mistakes import CALLS, Mistake, _cotangent_ignored, _diagonal_of_jacobian, _on_all, in_text, mistakes
from .points import KINDS, Known, cast, draw, known, sizes

IGNORED = "cotangent ignored"
BROKEN = (ValueError, IndexError, TypeError, AttributeError, np.linalg.LinAlgError)
"""What a mistake may raise by itself; such a one needs no checker."""


@dataclass
class Case:
    """What a checker is asked.

    Attributes:
        name: seed and number, from which the case is made again.
        row, kind, dtype: which function, at what kind of point, in which dtype.
        array: whether the function returns an array, and its gradient takes a cotangent last.
        args: the arguments.
        known: the right gradient and what rounding does to it.
        label: the mistake, "" for a right gradient.
        errors: the relative error for each argument whose gradient is wrong.
        names: all mistakes that come to the same here.
    """

    name: str
    row: Row
    kind: str
    dtype: Any
    array: bool
    args: list[Any]
    known: Known
    make: Callable[[], Any] = field(repr=False)
    label: str = ""
    errors: dict[str, float] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)

    @property
    def given(self) -> list[Any]:
        """The arguments that the function is called with."""
        return [x for n, x in zip(self.row.arguments, self.args) if not (self.array and n == "c")]

    @property
    def wrt(self) -> list[int]:
        """The positions of the arguments that have a gradient, among those given."""
        given = [n for n in self.row.arguments if not (self.array and n == "c")]
        return [given.index(n) for n in self.row.wrt]

    @property
    def loss(self) -> Any:
        """The function."""
        return self.row.function(self.row.array if self.array else "")

    @property
    def cotangent(self) -> Any:
        """The cotangent with which the case's own figures were computed."""
        return self.args[list(self.row.arguments).index("c")] if self.array else None

    @property
    def twin(self) -> Case:
        """The same question about the right gradient."""
        right = self.row.gradient(last="c" if self.array else "")
        return Case(self.name, self.row, self.kind, self.dtype, self.array, self.args, self.known, lambda: right)

    @property
    def error(self) -> float:
        """The largest relative error."""
        return max(self.errors.values(), default=0.0)

    def __str__(self) -> str:
        shapes = ", ".join(f"{n} {np.shape(x)}" for n, x in zip(self.row.arguments, self.args))
        wrong = f"{self.label} (also: {self.names - {self.label}}), errors {self.errors}" if self.label else "right"
        form = "array" if self.array else "scalar"
        return f"case {self.name}: {self.row.name}, {form}, {self.dtype.__name__}, {self.kind}: {shapes}: {wrong}"


def make_case(seed: int, number: int, wrong: bool) -> Case | None:
    """The case of a number; None where the formula says nothing at the point, or the mistake does not show there."""
    random = np.random.default_rng([seed, number, wrong])
    row = ROWS[number % len(ROWS)]
    dtype = np.float64 if random.random() < 0.7 else np.float32
    chances = {k: n for k, n in KINDS.items() if (row.kink or "kink" not in k) and not (wrong and k == "at a kink")}
    kind = str(random.choice(list(chances), p=np.array(list(chances.values())) / sum(chances.values())))
    array = bool(row.array) and random.random() < 0.5
    size = sizes(row, random, kind)
    args = draw(row, random, dtype, kind, size)
    last = "c" if array else ""
    order = [k for k, n in enumerate(row.arguments) if n != last]
    order += [k for k, n in enumerate(row.arguments) if n == last]

    def called(gradient: Any, point: list[Any]) -> list[Any]:
        with np.errstate(all="ignore"):
            return [np.asarray(g) for g in gradient(*[point[k] for k in order])]

    right = row.gradient(last=last)
    facts = known(lambda *a: right(*[a[k] for k in order]), args, dtype, random)
    if not facts.sound:
        return None
    name = f"{seed}:{number}{'w' if wrong else ''}"
    if not wrong:
        return Case(name, row, kind, dtype, array, args, facts, lambda: right)
    possible = mistakes(row) + ([Mistake(IGNORED, -1, _on_all(row, _cotangent_ignored))] if array else [])
    chosen = (in_text(row) if random.random() < 0.5 else []) or possible
    label = str(random.choice(sorted({m.label for m in chosen})))
    same = [m for m in chosen if m.label == label]
    mistake = same[random.integers(len(same))]
    earlier = draw(row, random, dtype, "plain", size)

    def make() -> Any:
        gradient = mistake.plant(last)
        if mistake.stateful:
            called(gradient, earlier)
        return gradient

    try:
        answer = called(make(), args)
    except BROKEN:
        return None
    case = Case(name, row, kind, dtype, array, args, facts, make, label)
    for n, g, G, bound in zip(row.wrt, answer, facts.exact, facts.bound):
        error = _error(g, G, bound)
        if error:
            case.errors[n] = error
    if not case.errors or not all(np.isfinite(g).all() for g in answer):
        return None
    case.names = {label}
    if not mistake.stateful and label not in ("float32", *CALLS):
        # What lacks a sum, as p (c − c p) of a softmax does, may be the diagonal of the Jacobian.
        others = [Mistake("only the diagonal", -1, _on_all(row, _diagonal_of_jacobian))] if array else []
        case.names |= _alike(mistake, possible + others, called, right, last, *near(args, random))
    return case


def near(args: list[Any], random: Any) -> list[list[Any]]:
    """A point in wide numbers, and two in its neighbourhood, of the same size."""
    wide = cast(args, np.longdouble)
    moved = [
        [x * random.uniform(0.7, 1.3, x.shape) if getattr(x, "dtype", None) == np.longdouble else x for x in wide]
        for _ in range(2)
    ]
    return [wide, *moved]


def _error(g: Any, G: Any, bound: Any) -> float:
    """The largest relative error if it is more than rounding explains, else 0."""
    if g.shape != G.shape:
        return np.inf
    gap = np.abs(g.astype(np.longdouble) - G)
    size = np.abs(G).max(initial=0.0)
    return float(gap.max() / size if size else np.inf) if (gap > bound).any() else 0.0


def _alike(mistake: Mistake, possible: list[Mistake], called: Any, right: Any, last: str, *points: Any) -> set[str]:
    """What else a mistake may rightly be called: mistakes with the same results at all points, a constant factor."""

    def results(gradient: Any) -> list[Any] | None:
        try:
            return [g for point in points for g in called(gradient, point)]
        except BROKEN:
            return None

    def same(a: Any, b: Any) -> bool:
        return a.shape == b.shape and bool((np.abs(a - b) <= 1e-12 * np.abs(b).max(initial=0.0)).all())

    mine, true = results(mistake.plant(last)), results(right)
    assert true is not None
    if mine is None:
        return set()
    found = set()
    for m in {m.label: m for m in possible if not m.stateful and m.label != "float32"}.values():
        for each in [e for e in possible if e.label == m.label and e.label not in found]:
            other = results(each.plant(last))
            # Axes of one element are no axes: a sum over such a one is none.
            if other is not None and all(map(same, map(np.squeeze, other), map(np.squeeze, mine))):
                found.add(each.label)
    count = len(true) // len(points)
    pairs = [(j, k) for j in range(count) for k in range(count) if j != k and not same(mine[k], true[k])]
    # What is another argument's gradient is that whatever made it so: `B` written over by that of `A`, for instance.
    for name, turned in ("swapped", lambda g: g), ("transposed", np.transpose):
        if any(all(map(same, mine[k::count], map(turned, true[j::count]))) for j, k in pairs):
            found.add(name)
    factors = set()
    for k, (a, b) in enumerate(zip(mine, true)):
        if a.shape != b.shape or not same(a, b):
            at = np.unravel_index(int(np.argmax(np.abs(b))), b.shape)
            factor = a[at] / b[at] if a.shape == b.shape and b[at] else np.nan
            factors.add((k % count, float(np.round(factor, 12)) if same(a, b * factor) else np.nan))
    if len({k for k, _ in factors}) == len(factors) and not any(np.isnan(f) for _, f in factors):
        found |= {"constant factor" if f not in (0.0, -1.0) else "sign" if f else "detached" for _, f in factors}
    return found
