"""What was promised of the speed: each a ratio that is measured, and how large it may be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.measured import Quartiles, Results, Threads, seconds


@dataclass(frozen=True)
class Target:
    """A step of `implementation` takes at most `limit` of the time of `reference`."""

    case: str
    implementation: str
    reference: str
    limit: float
    threads: Threads = 1


@dataclass(frozen=True)
class Outcome:
    """What came of a target."""

    what: str
    ratio: Quartiles
    limit: float

    @property
    def verdict(self) -> str:
        """Whether the median keeps the promise."""
        return "met" if self.ratio.middle <= self.limit else "missed"


LIMIT, EAGER, COMPILED, PEER = "Numba by hand", "tinygrad_poly", "compiled", "torch.autograd"

STEPS = [
    Target("sin-2000-float64-cpu", EAGER, PEER, 0.5),
    Target("line-6-float64-cpu", EAGER, PEER, 0.4),
    Target("sin-2000-float64-cpu", COMPILED, LIMIT, 1.1),
    Target("sin-2000-float64-cpu", COMPILED, "JAX fori_loop", 0.1),
    Target("sin-2000-float64-cpu", COMPILED, PEER, 0.01),
    Target("line-6-float64-cpu", COMPILED, "JAX fori_loop", 1),
    Target("sin-20000000-float64-cpu", COMPILED, LIMIT, 1.1),
    Target("sin-20000000-float64-cpu", COMPILED, "torch.compile", 0.5),
    Target("sin-20000000-float64-cpu", COMPILED, "JAX fori_loop", 0.5),
    Target("sin-20000000-float64-cpu", COMPILED, "reading the data", 1.3),
    Target("sin-20000000-float64-cpu", COMPILED, "reading the data", 1.3, "default"),
    Target("sin-2000-float64-cpu", "compiled without Numba", EAGER, 0.6),
    Target("sin-200000-float64-cpu", "compiled without Numba", EAGER, 0.4),
    Target("sin-2000-float64-cuda", EAGER, PEER, 1),
    Target("sin-2000-float64-cuda", COMPILED, PEER, 0.05),
    Target("sin-2000-float64-cuda", COMPILED, "torch CUDA graph", 0.5),
    Target("sin-100000000-float64-cuda", COMPILED, "reading the data", 1.3),
]
PROCESSES = [
    ("tinygrad-poly fit sin", "torch program", 0.2),
]


def outcomes(results: Results) -> Iterator[Outcome]:
    """The targets that these results say something about."""
    for target in STEPS:
        row = results.row(target.case, target.threads, target.implementation)
        ratio = results.ratio(row, target.reference)
        if ratio is not None:
            threads = "" if target.threads == 1 else ", default threads"
            what = f"{title(target.case)}{threads}: {target.implementation} / {target.reference}"
            yield Outcome(what, ratio, target.limit)
    # Single and double precision are two rows, each measured by itself.
    single, double = (results.row(f"sin-2000-{dtype}-cpu", 1, COMPILED) for dtype in ("float32", "float64"))
    if single and double:
        quotient = seconds(single) / seconds(double)
        yield Outcome(
            "sin fit, 2,000 points: compiled, float32 / float64", Quartiles(quotient, quotient, quotient), 0.67
        )
    for name, reference, limit in PROCESSES:
        ratio = results.process_ratio(name, reference)
        if ratio is not None:
            yield Outcome(f"the whole process: {name} / {reference}", ratio, limit)


def title(case: str) -> str:
    """A case in words: "sin fit, 2,000 points, float64"."""
    problem, points, dtype, device = case.split("-", 3)
    words = {"linear": "line fit as nn.Linear"}.get(problem, f"{problem} fit")
    return f"{words}, {int(points):,} points, {dtype}" + ("" if device == "cpu" else f", {device}")
