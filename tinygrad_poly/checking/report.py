"""Reports: what a check found, for people, for programs, and for the message of a failed assertion."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from tinygrad_poly.checking.verdict import Finding, floats

REASONS = {
    "noise": "rounding or noise is too large here to tell a right gradient from a wrong one",
    "kink": "the function has a kink here, and no derivative",
    "domain": "the true gradient is not finite here, or could not be computed",
    "not finite": "the gradient is infinite or no number where the true one is finite: it overflows, or divides by 0",
    "empty": "it is empty: there is nothing to compare",
    "zero": "the gradient is 0 at this point, where no wrong factor shows: check at another point",
    "digits": "its formula is right, but its numbers have lost digits that float64 has",
    "shape": "a gradient has the shape of its argument",
}

HEADS = ("argument", "verdict", "claimed", "true", "largest difference", "would have seen")


@dataclass
class GradientReport:
    """The result of a check.

    Attributes:
        verdict: "pass", "fail" or "inconclusive".
        findings: one for each argument.
        oracle: which source the true gradient came from.
        diagnosis: what is wrong, one for each argument that failed.
        notes: what else there is to say, such as how far the time budget went.
        reason: of a verdict that is inconclusive for all arguments.
        seconds: how long the check took.
    """

    verdict: str
    findings: list[Finding]
    oracle: str
    diagnosis: list[Any] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    reason: str = ""
    seconds: float = 0.0

    def __bool__(self) -> bool:
        raise TypeError('a report is neither true nor false: compare report.verdict with "pass"')

    def __str__(self) -> str:
        head = {"pass": "the gradient is right", "fail": "the gradient is wrong", "inconclusive": "nothing is certain"}
        lines = [f"{self.verdict.upper()}: {head[self.verdict]} (oracle: {self.oracle}, {self.seconds:.2g} s)"]
        if self.reason:
            lines.append(f"  {self.reason}")
        if self.findings:
            rows: list[tuple[str, ...]] = [HEADS]
            rows += [_row(f) for f in self.findings]
            widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
            lines += ["  " + "  ".join(cell.ljust(w) for cell, w in zip(row, widths)).rstrip() for row in rows]
        for f in self.findings:
            if f.reason and not self.reason:
                lines.append(f"  {f.name}: {REASONS.get(f.reason, f.reason)}")
            lines += [f"  {f.name}: {note}" for note in f.notes]
        shapes = {f.name for f in self.findings if f.reason == "shape"}
        for d in self.diagnosis:
            told = d.code == "unclassified" and d.argument in shapes  # the shape says it all
            lines += [] if told else ["", *str(d).splitlines()]
        lines += [f"  note: {note}" for note in self.notes]
        return "\n".join(lines)

    def conclude(self) -> None:
        """Set the verdict from those of the findings; an empty argument decides nothing."""
        verdicts = {f.verdict for f in self.findings if f.reason != "empty"}
        unsure = self.reason and not self.diagnosis
        worst = next((v for v in ("fail", "inconclusive", "pass") if v in verdicts), "inconclusive")
        self.verdict = "inconclusive" if unsure else worst

    def to_json(self) -> str:
        """The report as JSON: verdict, oracle, reason, notes, seconds, arguments and diagnosis."""
        keys = ("name", "verdict", "reason", "worst", "at", "power", "exact", "along", "notes")
        found = {key: getattr(self, key) for key in ("verdict", "oracle", "reason", "notes", "seconds")}
        found["arguments"] = [{key: getattr(f, key) for key in keys} for f in self.findings]
        found["diagnosis"] = [{**asdict(d), "text": str(d)} for d in self.diagnosis]
        text = json.dumps(found, default=str)
        return json.dumps(json.loads(text, parse_constant=lambda name: None), indent=1)  # JSON has no infinity


def _row(f: Finding) -> tuple[str, ...]:
    if np.shape(f.claimed) != np.shape(f.true):
        return (f.name, f.verdict, f"shape {np.shape(f.claimed)}", f"shape {np.shape(f.true)}", "", "")
    if not f.true.size:
        return (f.name, f.verdict, "empty", "empty", "", "")
    claimed, true = floats(f.claimed)[f.at], floats(f.true)[f.at]
    place = " (along a line)" if f.along else str(list(f.at)) if f.at else ""
    seen = "any error" if f.exact and not f.power else f"{f.power:.1e}"
    return (f.name + place, f.verdict, f"{claimed:.7g}", f"{true:.7g}", f"{f.worst:.1e}", seen)
