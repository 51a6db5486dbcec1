"""Fits taken in two ways, eagerly and compiled, which have to end alike; and interrupted anywhere, to go on as if not.

Each case is drawn from a seed: a loss, data in some dtype (with NaN, infinity, huge numbers or no points at all), an
optimizer, a learning rate, fixed or falling, that may let the fit diverge at once, late or never, and an interruption.
It is judged by

- **the same end**: step, error, its message, advice and verdict, the logged losses, weights and the optimizer's state.
  Compiled programs add up in another order, so numbers may differ by what rounding does to the eager fit itself: by
  eight times what changes if weights and gradients are off by some roundings in each step. Where that moves the step at
  which the eager fit diverges, the end is not determined, and only its own consistency is judged.
- **going back**: a fit that ends early is, to the last bit, the fit of so many steps in the same way, the optimizer's
  state included; and resumed it ends where the one ends that was not interrupted.

`python -m tests.proof.fits --count 2000` prints how many were judged, and the seed.
"""

from __future__ import annotations

import argparse
import math
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from unittest.mock import patch

import numpy as np

import tinygrad_poly as tg
from tests.compiler.routes import plainly
from tests.optim.choices import FITTING
from tinygrad_poly.compiler.loops import numba_runner
from tinygrad_poly.engine.errors import DivergenceError
from tinygrad_poly.fitting import FitResult, fit

Loss = Callable[[Any, Any, Any], Any]


def _cubic(p: Any, x: Any, y: Any) -> Any:
    return (p["a"] + p["b"] * x + p["c"] * x**3 - y).pow(2).sum()


LOSSES: dict[str, Loss] = {
    "line, mean": lambda p, x, y: ((p["a"] + p["b"] * x - y) ** 2).mean(),
    "line, sum": lambda p, x, y: ((p["a"] + p["b"] * x - y) ** 2).sum(),
    "cubic": _cubic,
    "product": lambda p, x, y: ((p["a"] * p["b"] * x - y) ** 2).mean(),
    "quartic": lambda p, x, y: ((p["a"] ** 2 * x - y) ** 2).mean(),
    "exponential": lambda p, x, y: ((p["a"] * tg.exp(p["b"] * x) - y) ** 2).mean(),
    "logarithm": lambda p, x, y: (tg.log(p["a"]) * x * x - p["b"] * y).mean(),
    "root": lambda p, x, y: (tg.sqrt(p["a"] * x * x) - y).abs().mean(),
    "tanh": lambda p, x, y: ((p["a"] * tg.tanh(p["b"] * x) - y) ** 2).sum(),
    "largest error": lambda p, x, y: (p["a"] * x + p["b"] - y).abs().max() + p["c"] ** 2,
    "bounded": lambda p, x, y: tg.exp(-((p["a"] * x - y) ** 2)).mean() + 0 * p["b"],
    "vector": lambda p, x, y: ((p["v"] * x.reshape(-1, 1) - y.reshape(-1, 1)) ** 2).mean() + p["b"] ** 2,
}
START = {"a": 0.75, "b": -0.5, "c": 0.25, "v": [0.5, -1.0, 0.125]}
KINDS = ("float64", "float32", "int16", ">f8")
BAD = {"nan": math.nan, "infinite": math.inf, "huge": 1e200, "large": 1e30}
ROUTES = ("NumPy", "source", "Numba")
INTERRUPTIONS = ("", "report", "signal", "anywhere")


@dataclass(frozen=True)
class Case:
    """One fit to take twice."""

    seed: int
    loss: str
    kind: str
    points: int
    bad: str
    optimizer: str
    options: dict[str, Any]
    lr: float
    steps: int
    log_every: int
    route: str
    interruption: str
    at: int
    """In which report, or at which line of the loops, the interruption comes."""
    decay: float = 0.0
    """How fast the learning rate falls, where it is a function of the step."""

    @classmethod
    def drawn(cls, seed: int, routes: tuple[str, ...] = ROUTES[:2]) -> Case:
        """The case of a seed."""
        draw = random.Random(seed)
        optimizer, options = draw.choice(FITTING)
        steps, log_every = draw.choice((0, 1, 2, 7, 40, 90)), draw.choice((1, 1, 3, 10, 1000))
        interruption = draw.choice(INTERRUPTIONS)
        points, route = draw.choice((0, 1, 2, 5, 30, 30)), draw.choice(routes)
        if not points and route == "source":
            route = "NumPy"  # Python's own numbers cannot be divided by 0
        return cls(
            seed=seed,
            loss=draw.choice(list(LOSSES)),
            kind=draw.choice(KINDS),
            points=points,
            bad=draw.choice((*BAD, *[""] * 8)),
            optimizer=optimizer,
            options=options,
            lr=draw.choice((10 ** draw.uniform(-4, 0), 10 ** draw.uniform(-2, 2), 10 ** draw.uniform(0, 200))),
            steps=steps,
            log_every=log_every,
            route=route,
            interruption=interruption,
            at=draw.randrange(1500 if interruption == "anywhere" else max(1, steps // log_every)),
            decay=draw.choice((0.0, 0.0, 0.1)),
        )

    def data(self) -> tuple[dict[str, Any], Any, Any]:
        """Weights to start from, x and y."""
        rng = np.random.default_rng(self.seed)
        dtype = "float64" if self.kind in ("int16", ">f8") else self.kind
        points = max(self.points, int(self.loss == "largest error"))  # there is none of no errors
        x, y = rng.integers(-8, 9, (2, points)) / (1 if self.kind == "int16" else 4)
        if self.bad and points:
            y[rng.integers(points)] = min(BAD[self.bad], float(np.finfo(dtype).max) / 2)
        return {name: np.array(START[name], dtype) for name in self._names()}, x.astype(self.kind), y.astype(dtype)

    def _names(self) -> list[str]:
        return [name for name in START if f'"{name}"' in _SOURCES[self.loss]]

    def factory(self, params: Any, lr: float) -> Any:
        """The optimizer."""
        return getattr(tg.optim, self.optimizer)(params, **{**self.options, "lr": lr})


def _source_of(loss: Loss) -> str:
    return " ".join(f'"{c}"' for c in loss.__code__.co_consts if isinstance(c, str))


_SOURCES = {name: _source_of(loss) for name, loss in LOSSES.items()}


@dataclass
class Outcome:
    """What became of a fit."""

    end: str
    result: FitResult
    advice: Any = None
    reports: list[tuple[int, float]] = field(default_factory=list)

    @property
    def discrete(self) -> Any:
        """What has to be the same whatever rounding does."""
        return (
            self.end,
            self.result.step,
            self.result.interrupted,
            sorted(self.result.losses),
            [t for t, _ in self.reports],
        )

    def numbers(self) -> dict[str, Any]:
        """The weights and what the optimizer remembers, by name."""
        found = {name: np.asarray(w) for name, w in self.result.run.params.items()}
        for number, state in self.result.run.optimizer_state["state"].items():
            found |= {f"{key} of {number}": np.asarray(value) for key, value in state.items()}
        return found

    def kinds(self) -> dict[str, Any]:
        """Of what kind these numbers are."""
        state = self.result.run.optimizer_state["state"]
        return {name: (w.dtype, w.shape) for name, w in self.numbers().items()} | {
            (number, key): type(value) for number, values in state.items() for key, value in values.items()
        }


@contextmanager
def interrupted_at(line: int) -> Iterator[None]:
    """Raise KeyboardInterrupt, as a second Ctrl-C does, when so many lines of the loops and optimizers have run."""
    left, marks = line, 0

    def trace(frame: Any, event: str, _: Any) -> Any:
        nonlocal left, marks
        name, file = frame.f_code.co_name, frame.f_code.co_filename
        if event == "call":
            marks += name == "mark"
            # The first mark is made before there is a step to keep.
            guarded = name in GUARDED and ("/loops/" in file or "/optim/" in file) and (marks > 1 or name == "take")
            return trace if guarded else None
        if event == "line":
            left -= 1
            if left == 0:
                raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)


GUARDED = ("mark", "note", "snapshot", "step", "_update", "zero_grad", "take", "_reported", "put_back")
"""Functions that run inside a loop's `try`."""


ROUNDINGS = 64
"""By how many roundings weights and losses are moved, to see what rounding does to a fit."""


class Blur:
    """A case in which each step starts from weights, and takes gradients, that are off by some roundings."""

    def __init__(self, case: Case, seed: int) -> None:
        self.case, self.rng = case, np.random.default_rng(seed)

    def near(self, array: Any) -> Any:
        """An array that is off by some roundings, by others each time."""
        off = ROUNDINGS * float(np.finfo(array.dtype).eps) * self.rng.choice([-1.0, 1.0], np.shape(array))
        return array * np.asarray(1 + off, array.dtype)[()]

    def loss(self, params: Any, x: Any, y: Any) -> Any:
        """The loss, and with it the gradient, off by some roundings: of the data too, whose terms may cancel to 0."""
        exact = LOSSES[self.case.loss](params, x * tg.tensor(self.near(np.ones(x.shape, x.array.dtype))), y)
        return exact * tg.tensor(np.asarray(self.near(np.ones((), exact.dtype))))

    def factory(self, params: Any, lr: float) -> Any:
        """The optimizer, with weights that move a little before each step."""
        made = self.case.factory(params, lr)
        step = made.step

        def moved() -> None:
            for p in params:
                p.array = self.near(p.array)
            step()

        made.step = moved
        return made


def taken(case: Case, compile: bool, moved: int = 0, **changed: Any) -> Outcome:
    """Take the fit of a case; with another number of steps, say, or with weights moved by some roundings."""
    case = replace(case, **changed)
    reports: list[tuple[int, float]] = []

    def report(t: int, loss: float) -> None:
        reports.append((t, loss))
        if len(reports) - 1 == case.at:
            if case.interruption == "report":
                raise KeyboardInterrupt
            if case.interruption == "signal":
                signal.raise_signal(signal.SIGINT)

    start, x, y = case.data()
    way = Blur(case, moved) if moved else case
    loss = way.loss if moved else LOSSES[case.loss]
    lr = (lambda t: case.lr / (1 + case.decay * t)) if case.decay else case.lr
    how = {"steps": case.steps, "lr": lr, "log_every": case.log_every, "optimizer": way.factory}
    try:
        with interrupted_at(case.at if case.interruption == "anywhere" else -1):
            result = fit(loss, start, x, y, **how, progress=report, compile=compile)
    except DivergenceError as error:
        known = error.largest_stable_lr is not None, error.last_loss is None
        return Outcome(f"diverged at {error.step}", error.result, known, reports)
    return Outcome("ended", result, None, reports)


@contextmanager
def route(name: str) -> Iterator[None]:
    """Run compiled programs in one of the ways that there are."""
    if name == "Numba":
        yield
    else:
        with (
            patch.object(numba_runner, "available", lambda: name == "source"),
            patch.object(numba_runner, "compiled", plainly),
        ):
            yield


def judge(case: Case) -> str:
    """Check a case; returns how it ended.

    Raises:
        AssertionError: which says what is not alike.
    """
    with route(case.route), np.errstate(all="ignore"):
        alike = replace(case, interruption="") if case.interruption == "anywhere" else case
        eager, compiled = (taken(alike, compile) for compile in (False, True))
        moved = [taken(alike, False, m) for m in (1, 2)]
        determined = all(m.discrete == eager.discrete for m in moved)
        if determined:
            _check_alike(eager, compiled, moved)
        for compile, outcome in ((False, eager), (True, compiled)):
            _check_goes_back(alike, compile, outcome)
        if case.interruption == "anywhere":
            for compile in (False, True):
                _check_goes_back(case, compile, taken(case, compile))
    end = "interrupted" if eager.result.interrupted else eager.end.split()[0]
    return end if determined else f"{end}, not determined"


def _check_alike(eager: Outcome, compiled: Outcome, moved: list[Outcome]) -> None:
    assert compiled.discrete == eager.discrete, (compiled.discrete, eager.discrete)
    assert compiled.advice == eager.advice, (compiled.advice, eager.advice)
    assert compiled.kinds() == eager.kinds(), (compiled.kinds(), eager.kinds())
    verdicts = [o.result.verdict for o in (eager, compiled, *moved)]
    claims = [(v.unknown, v.converged, v.fits_exactly) for v in verdicts]
    assert eager.result.is_plain_descent == compiled.result.is_plain_descent
    if len({claims[0], *claims[2:]}) == 1:
        assert claims[1] == claims[0], (claims[1], claims[0])
    for name, reference in eager.numbers().items():
        allowed = _allowed(reference, [m.numbers()[name] for m in moved])
        found = compiled.numbers()[name]
        alike = (abs(found - reference) <= allowed) | (found == reference) | (np.isnan(found) & np.isnan(reference))
        assert np.all(alike | ~np.isfinite(allowed)), (name, found, reference, allowed)
    for (t, found), (_, reference), *others in zip(compiled.reports, eager.reports, *(m.reports for m in moved)):
        assert abs(found - reference) <= _allowed(reference, [other[1] for other in others]), (t, found, reference)


def _allowed(reference: Any, moved: list[Any]) -> Any:
    """What rounding may do to a number: eight times what a change of some roundings does, and a few of its own."""
    dtype = np.asarray(reference).dtype
    own = 64 * np.finfo(dtype).eps * abs(reference) if dtype.kind == "f" else 0
    return 8 * sum(abs(m - reference) for m in moved) + own


def _check_goes_back(case: Case, compile: bool, outcome: Outcome) -> None:
    """Check that a fit which ended early is the fit of so many steps, and goes on as if it had not ended."""
    result = outcome.result
    clean = taken(case, compile, steps=result.step, interruption="")
    # The step after which it diverged is complete, and the loss that it led to is finite.
    assert clean.end == "ended", (compile, clean.end)
    _check_equal(f"{compile=}: after {result.step} steps", outcome, clean)
    if result.interrupted:
        whole = taken(case, compile, interruption="")
        try:
            end, resumed = "ended", result.resume(case.steps, progress=False)
        except DivergenceError as error:
            end, resumed = f"diverged at {error.step}", error.result
        assert end == whole.end, (compile, end, whole.end)
        _check_equal(f"{compile=}: resumed from {result.step}", Outcome(end, resumed), whole)


def _check_equal(what: str, found: Outcome, expected: Outcome) -> None:
    """Check equality to the last bit."""
    assert found.result.step == expected.result.step, (what, found.result.step, expected.result.step)
    assert found.result.losses == expected.result.losses, (what, found.result.losses, expected.result.losses)
    assert found.kinds() == expected.kinds(), (what, found.kinds(), expected.kinds())
    for name, reference in expected.numbers().items():
        np.testing.assert_array_equal(found.numbers()[name], reference, f"{what}: {name}", strict=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.proof.fits", description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=2000, help="how many fits (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the first (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=math.inf, help="stop after so long")
    options = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    ends: Counter[str] = Counter()
    routes = (*ROUTES[:2] * 5, "Numba") if numba_runner.available() else ROUTES[:2]
    begin = time.monotonic()
    for seed in range(options.seed, options.seed + options.count):
        case = Case.drawn(seed, routes)
        try:
            ends[judge(case)] += 1
        except BaseException:
            print(f"seed {seed}: {case}")
            raise
        if time.monotonic() - begin > options.seconds:
            break
    print(f"{ends.total()} fits from seed {options.seed} on, eager and compiled: no difference")
    for end, count in sorted(ends.items()):
        print(f"  {count:5} {end}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
