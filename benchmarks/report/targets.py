"""Speed targets: measured ratios, and how large each may be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from benchmarks.problems import CASES, MODELS
from benchmarks.report.measured import Quartiles, Results, Threads, seconds


@dataclass(frozen=True)
class Target:
    """A target: a step of `implementation` takes at most `limit` times as long as one of `reference`."""

    case: str
    implementation: str
    reference: str
    limit: float
    threads: Threads = 1

    @property
    def what(self) -> str:
        """The target in words."""
        threads = "" if self.threads == 1 else ", default threads"
        return f"{title(self.case)}{threads}: {self.implementation} / {self.reference}"


@dataclass(frozen=True)
class Outcome:
    """The result for a target."""

    what: str
    ratio: Quartiles
    limit: float

    @property
    def verdict(self) -> str:
        """Whether the median meets the target."""
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
    Target("sin-100000000-float64-cuda", COMPILED, "copying on the device", 1.3),
]
for model in CASES:
    if model.problem.name in MODELS:
        STEPS.append(Target(model.id, EAGER, PEER, 1))
        STEPS.append(Target(model.id, COMPILED, "JAX fori_loop", 1.1 if model.problem.name == "moons" else 1))
HOISTED = "compiled hoisted"
QUOTIENTS = [
    (("sin-2000-float32-cpu", COMPILED), ("sin-2000-float64-cpu", COMPILED), 0.67),
    (("sin-20000000-float64-cpu", HOISTED), ("sin-2000-float64-cpu", HOISTED), 1.1),
]
PROCESSES = [
    ("tinygrad-poly fit sin", "torch program", 0.2),
]


def unmeasured(kind: str, all_results: Iterable[Results]) -> Iterator[tuple[str, float]]:
    """The targets for a kind of device without results: what, and how large it may be."""
    said = {outcome.what for results in all_results for outcome in outcomes(results)}
    for target in STEPS:
        if target.case.endswith(f"-{kind}") and target.what not in said:
            yield target.what, target.limit


def outcomes(results: Results) -> Iterator[Outcome]:
    """The results for those targets that were measured."""
    for target in STEPS:
        row = results.row(target.case, target.threads, target.implementation)
        ratio = results.ratio(row, target.reference)
        if ratio is not None:
            yield Outcome(target.what, ratio, target.limit)
    # Two rows that were measured one after the other.
    for own, other, limit in QUOTIENTS:
        rows = [results.row(case, 1, implementation) for case, implementation in (own, other)]
        if rows[0] and rows[1]:
            quotient = seconds(rows[0]) / seconds(rows[1])
            what = " / ".join(f"{implementation}, {title(case)}" for case, implementation in (own, other))
            yield Outcome(what, Quartiles(quotient, quotient, quotient), limit)
    for name, reference, limit in PROCESSES:
        ratio = results.process_ratio(name, reference)
        if ratio is not None:
            yield Outcome(f"the whole process: {name} / {reference}", ratio, limit)


def title(case: str) -> str:
    """A case in words: "sin fit, 2,000 points, float64"."""
    problem, points, dtype, device = case.split("-", 3)
    if problem in MODELS:
        words = MODELS[problem].title
    else:
        words = {"linear": "line fit as nn.Linear"}.get(problem, f"{problem} fit")
    return f"{words}, {int(points):,} points, {dtype}" + ("" if device == "cpu" else f", {device}")
