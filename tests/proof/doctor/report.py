"""The tables of a measurement: for the terminal, and as a page."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from .functions import ROWS
from .measure import Key, Tally, median_time
from .peers import CHECKERS, DIFFERENCES, DOCTOR
from .points import KINDS

EXACT = ("exact", "high precision")
TAME = ("plain",)


@dataclass
class Part:
    """A part of a whole."""

    count: int
    of: int

    def __str__(self) -> str:
        return f"{self.count / self.of:.2%}".replace("100.00%", "100%") if self.of else ""


def part(tally: Tally, verdicts: Iterable[str], where: Callable[[Key], bool]) -> Part:
    """How many of the answers for which `where` holds have one of these verdicts."""
    chosen = {key: count for key, count in tally.answers.items() if where(key)}
    return Part(sum(c for key, c in chosen.items() if key.verdict in verdicts), sum(chosen.values()))


def found(tally: Tally, checker: str, where: Callable[[Key], bool] = lambda key: True) -> Part:
    """The mistakes that a checker found."""
    return part(tally, ["fail"], lambda key: key.checker == checker and key.label != "" and where(key))


def alarms(tally: Tally, checker: str, where: Callable[[Key], bool] = lambda key: True) -> Part:
    """The right gradients that a checker called wrong, or that it raised an error for."""
    return part(tally, ["fail", "error"], lambda key: key.checker == checker and key.label == "" and where(key))


def undecided(tally: Tally, checker: str, where: Callable[[Key], bool] = lambda key: True) -> Part:
    """The right gradients of which a checker says nothing."""
    return part(tally, ["inconclusive"], lambda key: key.checker == checker and key.label == "" and where(key))


@dataclass
class Target:
    """A line of the table of targets."""

    what: str
    target: str
    measured: str
    met: bool


def beside(tally: Tally) -> list[tuple[str, str, int, int, int]]:
    """For each row of the tables and each peer: how many cases the peer answered, its count, this checker's."""
    lines = []
    labels = list(dict.fromkeys(key.label for key in sorted(tally.answers) if key.label))
    rows: list[tuple[str, Callable[[Key], bool], str]] = []
    rows += [(label, lambda key, label=label: key.label == label, "fail") for label in labels]
    rows += [(_size(k), lambda key, k=k: key.label != "" and key.size == k, "fail") for k in range(11)]
    rows += [
        (f"false alarms, {kind}", lambda key, kind=kind: key.label == "" and key.kind == kind, "alarm")
        for kind in KINDS
    ]
    for peer in checkers(tally):
        if peer in (DOCTOR, DIFFERENCES):
            continue
        for name, where, bad in rows:
            chosen = {key: c for key, c in tally.answers.items() if key.checker == peer and key.doctor and where(key)}
            if not chosen:
                continue
            verdicts = ("fail",) if bad == "fail" else ("fail", "error")
            theirs = sum(c for key, c in chosen.items() if key.verdict in verdicts)
            ours = sum(c for key, c in chosen.items() if key.doctor in verdicts)
            lines.append((name, peer, sum(chosen.values()), theirs, ours))
    return lines


def compared(tally: Tally) -> tuple[int, int, int]:
    """In how many rows this checker is ahead of a peer, level with it, and behind it."""
    counts: Counter[str] = Counter()
    for name, _, _, theirs, ours in beside(tally):
        better = theirs - ours if name.startswith("false") else ours - theirs
        counts["ahead" if better > 0 else "behind" if better else "level"] += 1
    return counts["ahead"], counts["level"], counts["behind"]


def grades(tally: Tally) -> Counter[str]:
    """How many diagnoses are right, wrong, likely wrong, unclassified."""
    total: Counter[str] = Counter()
    for (_, _, grade), count in tally.diagnoses.items():
        total[grade] += count
    return total


def targets(tally: Tally, times: dict[str, float]) -> list[Target]:
    """The targets, and whether they are met."""

    def line(what: str, target: str, p: Part, met: bool, extra: str = "") -> Target:
        return Target(what, target, f"{p} ({p.count:,} of {p.of:,}){extra}", met and p.of > 0)

    exact = found(tally, DOCTOR, lambda key: key.oracle in EXACT)
    every = found(tally, DOCTOR)
    coarse = found(tally, DIFFERENCES, lambda key: key.size <= 6 and key.oracle == "finite differences")
    alarm = alarms(tally, DOCTOR)
    silent = undecided(tally, DOCTOR, lambda key: key.kind in TAME)
    grade = grades(tally)
    right = Part(grade["right"], grade.total())
    ahead, level, behind = compared(tally)
    lines = [
        line("live mutants detected by the exact or high-precision oracle", "100 %", exact, exact.count == exact.of),
        line("live mutants detected, all oracles", "", every, True),
        line("by finite differences, relative error ≥ 1e-6", "≥ 99.9 %", coarse, coarse.count >= 0.999 * coarse.of),
        line("false alarms", "0 in 30,000", alarm, alarm.count == 0),
        line("inconclusive on smooth, well-scaled inputs", "≤ 1 %", silent, silent.count <= 0.01 * silent.of),
        line("diagnosis right, of those detected", "≥ 95 %", right, right.count >= 0.95 * right.of),
        Target("confident wrong diagnoses", "0", str(grade["wrong"]), not grade["wrong"]),
    ]
    if ahead + level + behind:
        measured = f"ahead in {ahead}, level in {level}, behind in {behind}"
        met = not behind and ahead > level
        lines.append(Target("rows beside every peer", "behind in none, ahead in most", measured, met))
    for way in ("tape", "finite differences"):
        if way in times:
            torch = times.get("torch, slow", math.inf)
            measured = f"{times[way] * 1e3:.1f} ms" + (f"; gradcheck {torch * 1e3:.1f} ms" if torch < math.inf else "")
            met = times[way] <= min(0.05, torch)
            lines.append(Target(f"ten parameters, 1000 points, by {way}", "≤ 50 ms, ≤ gradcheck", measured, met))
    return lines


def checkers(tally: Tally) -> list[str]:
    """The checkers that took part, in their order."""
    seen = {key.checker for key in tally.answers}
    return [name for name in CHECKERS if name in seen]


def _size(k: int) -> str:
    return "relative error > 1/2" if not k else f"relative error ≈ 1e-{k}"


Table = tuple[str, list[list[str]]]


def tables(tally: Tally, times: dict[str, float]) -> list[Table]:
    """All tables: a title, and rows of which the first is the head."""
    names = checkers(tally)
    labels = list(dict.fromkeys(key.label for key in sorted(tally.answers) if key.label))

    def row(title: str, value: Callable[[str], Any], cases: str = "") -> list[str]:
        return [title, cases, *(str(value(n)) for n in names)]

    def block(
        head: str, measure: Callable[..., Part], each: list[tuple[str, Callable[[Key], bool]]]
    ) -> list[list[str]]:
        lines = []
        for title, where in each:
            parts = [measure(tally, n, where) for n in names]
            lines.append([title, f"{parts[0].of:,}", *map(str, parts)])
        return [[head, "cases", *names], *lines]

    aims = [[t.what, t.target, t.measured, ("met" if t.met else "MISSED") if t.target else ""]
            for t in targets(tally, times)]  # fmt: skip
    every = ("all", lambda key: True)
    by_kind = [(label, lambda key, label=label: key.label == label) for label in labels]
    by_size = [(_size(k), lambda key, k=k: key.size == k) for k in range(11)]
    by_point = [(kind, lambda key, kind=kind: key.kind == kind) for kind in KINDS]
    made: list[Table] = [
        ("Targets", [["", "target", "measured", ""], *aims]),
        ("Mistakes found, by kind", block("mistake", found, [*by_kind, every])),
        ("Mistakes found, by size", [
            *block("size", found, by_size),
            row("smallest error found", lambda n: f"{tally.smallest.get(n, math.nan):.1e}"),
        ]),
        ("False alarms", block("right gradients", alarms, [*by_point, every])),
        ("Inconclusive", [
            *block("right gradients", undecided, [*by_point, every]),
            row("CPU time per check, median", lambda n: f"{median_time(tally, n) * 1e3:.1f} ms"),
        ]),
    ]  # fmt: skip
    if tally.diagnoses:
        lines = sorted(tally.diagnoses.items(), key=lambda each: (each[0][0], -each[1]))
        table = [["mistake", "diagnosis", "", "cases"], *([*key, f"{n:,}"] for key, n in lines)]
        made.append(("Diagnoses: the cells of the confusion matrix that are not 0", table))
    last = [["row", "peer", "cases", "peer", "tinygrad_poly"]]
    for name, peer, count, theirs, ours in beside(tally):
        if (ours > theirs) if name.startswith("false") else (ours < theirs):
            last.append([name, peer, f"{count:,}", f"{theirs:,}", f"{ours:,}"])
    if len(last) > 1:
        made.append(("Rows in which a peer is ahead", last))
    return made


def as_text(made: list[Table]) -> str:
    """Tables for a terminal."""
    lines = []
    for title, rows in made:
        widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
        lines += ["", title]
        lines += ["  " + "  ".join(cell.ljust(w) for cell, w in zip(row, widths)).rstrip() for row in rows]
    return "\n".join(lines[1:])


def as_page(made: list[Table], said: str) -> str:
    """The page docs/doctor.md."""
    lines = [_INTRODUCTION.format(functions=len(ROWS)).strip(), "", said]
    for title, rows in made:
        lines += ["", f"## {title}", *_BEFORE.get(title, "").splitlines(), ""]
        for k, row in enumerate(rows):
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |")
            if not k:
                lines.append("|" + "---|" * len(row))
    return "\n".join(lines) + "\n"


_BEFORE = {
    "Mistakes found, by kind": """
A part is of the cases that a checker takes: torch, HIPS and SciPy are asked in float64 alone, and SciPy about
functions to a number alone. A mistake is *found* where the checker fails the wrong gradient and does not fail the
right one at the same point.
""",
    "Diagnoses: the cells of the confusion matrix that are not 0": """
What this checker says is wrong, for the mistakes that it found. *right*: the mistake, or another one that comes to
the same at that point and in its neighbourhood. *wrong* is said without a reservation, *likely wrong* with one.
""",
}
_INTRODUCTION = """
# How good the gradient doctor is

`make doctor` measures it, and `python -m tests.proof.doctor --page` writes this page from a saved run. The
population is {functions} functions (polynomials, losses, layers, reductions, broadcasts, matrix products,
transcendental functions), each written once as NumPy code with its gradient by hand, in
`tests/proof/doctor/functions.py`; tests hold each of these gradients to JAX's. Points, sizes and dtypes are
random; the wild ones are at 10^±150, near and at kinks, ill-conditioned, or have thousands of rows. Mistakes are
made in the text of a gradient (a factor, a term or a sum left out, ...), in its result (a factor, a transpose,
...) or between two calls (`tests/proof/doctor/mistakes.py`). A wrong gradient counts only where it differs from
the right one by more than rounding explains: that is measured at each point, in wide numbers and by moving the
arguments by a rounding.

The same cases go to `torch.autograd.gradcheck` (slow and fast), `jax.test_util.check_grads`, HIPS autograd's
`check_grads` and `scipy.optimize.check_grad` (of which a norm below 1e-6 counts as a pass), each with its
defaults, gradcheck's test of undefined gradients aside.
"""
