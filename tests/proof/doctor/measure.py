"""The measurement: cases by the thousand before every checker, and what they answered, counted."""

from __future__ import annotations

import math
import statistics
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np

from .cases import Case, make_case
from .mistakes import SIZES
from .peers import CHECKERS, DIFFERENCES, DOCTOR, Answer, ask

FACTORS = {"factor", "mean-for-sum", "sum-for-mean"}
RIGHT: dict[str, set[str]] = {
    **dict.fromkeys(["factor 2", "factor 1/2", "factor 1/m", "factor m", "factor m/2", *SIZES], FACTORS),
    "constant factor": FACTORS,
    "constant factor dropped": FACTORS | {"term-factor"},
    "mean for sum": FACTORS | {"term-factor"},
    "n for n − 1": FACTORS | {"missing-chain-factor"},
    "sign": {"sign"},
    "factor 2 and sign": {"factor", "sign"},
    "missing chain-rule factor": {"missing-chain-factor", "term-factor"},
    "cotangent ignored": {"missing-chain-factor"},
    "missing term": {"missing-term"},
    "term counted twice": {"counted-twice"},
    "sign of a term": {"term-sign"},
    "swapped": {"swapped"},
    "transposed": {"transposed"},
    "in reverse order": {"transposed"},
    "missing sum": {"missing-sum"},
    "wrong axis": {"wrong-axis"},
    "one row only": {"one-row"},
    "only the diagonal": {"diagonal-only"},
    "detached": {"detached"},
    "float32": {"float32"},
    "stale, saved once": {"stale"},
    "stale, one call late": {"stale"},
    "accumulated": {"accumulated"},
    "x[i] += for np.add.at": {"repeated-index", "one-row"},
    "one buffer for two": set(),
    "argument overwritten": set(),
}
"""The diagnoses that are right for a mistake; "unclassified" is never wrong, and right where there are none."""

SPARED = 200
"""How many cases that went wrong are kept by name."""


class Key(NamedTuple):
    """What answers are counted by. A size k is a relative error of about 1e-k; 0 one of more than 1/2."""

    checker: str
    label: str
    size: int
    dtype: str
    kind: str
    oracle: str
    verdict: str
    doctor: str


@dataclass
class Tally:
    """What a run has seen."""

    answers: Counter[Key] = field(default_factory=Counter)
    diagnoses: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    times: Counter[tuple[str, int]] = field(default_factory=Counter)
    smallest: dict[str, float] = field(default_factory=dict)
    notable: list[str] = field(default_factory=list)
    skipped: int = 0

    def add(self, other: Tally) -> None:
        """Take in what another run has seen."""
        self.answers += other.answers
        self.diagnoses += other.diagnoses
        self.times += other.times
        for checker, error in other.smallest.items():
            self.smallest[checker] = min(error, self.smallest.get(checker, math.inf))
        self.notable = (self.notable + other.notable)[:SPARED]
        self.skipped += other.skipped

    def to_json(self) -> dict[str, Any]:
        """The counts as JSON takes them."""
        each = asdict(self)
        for name in ("answers", "diagnoses", "times"):
            each[name] = [[*key, count] for key, count in sorted(getattr(self, name).items())]
        return each

    @classmethod
    def from_json(cls, given: dict[str, Any]) -> Tally:
        """The counts that `to_json` wrote."""
        tally = cls(smallest=given["smallest"], notable=given["notable"], skipped=given["skipped"])
        tally.answers.update({Key(*key): count for *key, count in given["answers"]})
        tally.diagnoses.update({(a, b, c): count for a, b, c, count in given["diagnoses"]})
        tally.times.update({(a, b): count for a, b, count in given["times"]})
        return tally


def size_of(error: float) -> int:
    """The k of an error of about 1e-k."""
    return 0 if not error < 0.5 else max(1, math.floor(-math.log10(error * 1.5)) + 1)


def graded(case: Case, answer: Answer) -> tuple[str, str]:
    """The codes of a diagnosis, and whether it is "right", "wrong", "likely wrong" or "unclassified"."""
    right = set().union(*(RIGHT[name] for name in case.names))
    codes, grades = set(), set()
    for name in case.errors:
        found = answer.diagnoses.get(name, [])
        codes |= {code for code, _ in found} or {"none"}
        known = [(code, sure) for code, sure in found if code != "unclassified"]
        wrong = [sure for code, sure in known if code not in right]
        named = "right" if known or not right else "unclassified"
        grades.add(("wrong" if any(wrong) else "likely wrong") if wrong else named)
    grade = next(g for g in ("wrong", "likely wrong", "unclassified", "right") if g in grades)
    return " + ".join(sorted(codes)), grade


def see(tally: Tally, case: Case, checkers: Sequence[str]) -> None:
    """Ask the checkers about a case. A mistake is found by "fail" where the right gradient is not failed as well."""
    doctors: dict[str, tuple[str, str]] = {}
    for name in checkers:
        checker = CHECKERS[name][1]
        answer = ask(checker, case)
        if answer is None:
            continue
        verdict = answer.verdict
        if case.label and verdict == "fail":
            twin = ask(checker, case.twin)
            assert twin is not None
            verdict = "always" if twin.verdict == "fail" else "fail"
            if name == DOCTOR:
                doctors[""] = twin.verdict, twin.oracle
            _count(tally, name, case.twin, twin, twin.verdict, doctors.get(""))
        if name == DOCTOR:
            doctors[case.label] = verdict, answer.oracle
        _count(tally, name, case, answer, verdict, doctors.get(case.label))
        if case.label and verdict == "fail":
            tally.smallest[name] = min(case.error, tally.smallest.get(name, math.inf))
            if name == DOCTOR:
                codes, grade = graded(case, answer)
                tally.diagnoses[case.label, codes, grade] += 1
                if grade in ("wrong", "likely wrong"):
                    tally.notable.append(f"diagnosis {codes}, {grade}: {case}")


def _count(tally: Tally, name: str, case: Case, answer: Answer, verdict: str, doctor: tuple[str, str] | None) -> None:
    said, oracle = doctor or ("", "")
    tally.times[name, round(20 * math.log10(max(answer.seconds, 1e-6)))] += 1
    oracle = answer.oracle if name in (DOCTOR, DIFFERENCES) else oracle
    size = size_of(case.error) if case.label else 0
    tally.answers[Key(name, case.label, size, case.dtype.__name__, case.kind, oracle, verdict, said)] += 1
    expected = "fail" if case.label else "pass"
    if name in (DOCTOR, DIFFERENCES) and (verdict in ("error", "always") or {expected, verdict} == {"fail", "pass"}):
        tally.notable.append(f"{name} ({answer.oracle}) says {verdict}: {case}; {answer.message.splitlines()[:1]}")


def run_batch(seed: int, numbers: Iterable[int], wrong: bool, checkers: Sequence[str]) -> Tally:
    """Cases of these numbers before the checkers."""
    tally = Tally()
    for number in numbers:
        case = make_case(seed, number, wrong)
        if case is None:
            tally.skipped += 1
        else:
            see(tally, case, checkers)
    tally.notable = tally.notable[:SPARED]
    return tally


def installed(only: Sequence[str] = ()) -> list[str]:
    """The checkers whose package is there; this one first, because others are compared with it."""
    return [name for name, (package, _) in CHECKERS.items() if find_spec(package) and (not only or name in only)]


def speed(rounds: int = 15) -> dict[str, list[float]]:
    """Seconds of CPU for a function of ten parameters at 1000 points, interleaved: one list for each way."""
    from tinygrad_poly.checking import check_gradients

    random = np.random.default_rng(0)
    x = random.uniform(-1, 1, 1000)
    p, y = random.standard_normal(10), np.sin(3 * x)
    powers = np.arange(10)

    def loss(p: Any, x: Any, y: Any) -> Any:
        s = p[0] + p[1] * x
        for k in range(2, 10):
            s = s + p[k] * x**k
        return ((s - y) ** 2).mean()

    def gradient(p: Any, x: Any, y: Any) -> Any:
        V = x[:, None] ** powers
        return 2 / len(x) * (V.T @ (V @ p - y))

    ways: dict[str, Any] = {
        oracle: lambda oracle=oracle: check_gradients(loss, gradient, p, x, y, wrt="p", oracle=oracle)
        for oracle in ("tape", "finite differences", "auto")
    }
    if find_spec("torch"):
        import torch

        class Wrapped(torch.autograd.Function):
            @staticmethod
            def forward(ctx: Any, q: Any) -> Any:
                ctx.q = q.detach().numpy()
                return torch.as_tensor(loss(ctx.q, x, y))

            @staticmethod
            def backward(ctx: Any, g: Any) -> Any:
                return torch.as_tensor(g.item() * gradient(ctx.q, x, y))

        def gradcheck(fast: bool) -> None:
            q = torch.tensor(p, requires_grad=True)
            assert torch.autograd.gradcheck(Wrapped.apply, [q], fast_mode=fast)

        ways |= {"torch, slow": lambda: gradcheck(False), "torch, fast": lambda: gradcheck(True)}
    times: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, check in ways.items():
            began = time.process_time()
            check()
            times[way].append(time.process_time() - began)
    return times


def median_time(tally: Tally, checker: str) -> float:
    """The median of seconds per check, to a tenth."""
    each = [10 ** (t / 20) for (name, t), count in tally.times.items() for _ in range(count) if name == checker]
    return statistics.median(each) if each else math.nan
