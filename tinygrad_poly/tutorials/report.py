"""The report: run the tutorial programs and compare all their figures and gradients."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tinygrad_poly.tutorials import rounding, routes
from tinygrad_poly.tutorials.printed import PRINTED, Printed, half_a_unit
from tinygrad_poly.tutorials.problem import History, Problem, Vector, follow
from tinygrad_poly.tutorials.problems import PROGRAMS
from tinygrad_poly.tutorials.recovery import Modes, first_loss_margin


@dataclass(frozen=True)
class Outcome:
    """The result of the comparison for one program.

    Attributes:
        name: of the program, such as "T1".
        title: what it does.
        figures: how many printed figures were compared; 0 where the tutorial printed none.
        deviation: the largest distance from a printed figure beyond half a unit of its last digit,
            relative to the figure: 0 if every digit agrees.
        steps: how many steps' gradients were compared, all variants taken together.
        gradient_ratio: the largest |engine − by hand| / (rounding bound) of all steps and weights;
            at most 1 where the two are the same gradient.
        passed: whether everything agrees.
        problem: what does not, or "".
    """

    name: str
    title: str
    figures: int
    deviation: float
    steps: int
    gradient_ratio: float
    passed: bool
    problem: str


def run(names: Sequence[str] | None = None) -> Iterator[Outcome]:
    """Run the programs `names` (default: all), one after another, and compare.

    Each is run by hand and by engine, and three things are checked of both: that the printed figures
    come out; that the engine's gradient is the one by hand, at every step, within the rounding bound;
    and, where a step is an affine map, that the descent ends where its closed form says, within its bound.

    Raises:
        ValueError: for a name that is no program's; nothing is run then.

    >>> [outcome] = run(["T6"])
    >>> outcome.title, outcome.steps, outcome.passed
    ('hours and scores: a line by optim.SGD', 1000, True)
    """
    chosen = list(PROGRAMS if names is None else names)
    unknown = [name for name in chosen if name not in PROGRAMS]
    if unknown:
        raise ValueError(f"no tutorial is called {', '.join(map(repr, unknown))}; there are {', '.join(PROGRAMS)}")
    return (examine(PROGRAMS[name], PRINTED[name]) for name in chosen)


def examine(variants: Sequence[Problem], printed: Printed) -> Outcome:
    """Compare all variants of one program, by hand and by engine, with what was printed and with each other."""
    compared: list[Figure] = []
    ratios: list[float] = []
    problems: list[str] = []
    for problem in variants:
        for route in (routes.by_hand, problem.route):
            history = follow(problem, route)
            figures = list(compare(problem, printed, history))
            magnitude = rounding.magnitude(problem, history.weights[:-1])
            ratio = gradient_ratio(problem, history, magnitude)
            drift = drift_ratio(problem, history, magnitude) if problem.affine else 0.0

            wrong = [str(figure) for figure in figures if not figure.agrees]
            if len(wrong) > 1:
                wrong = [f"{wrong[0]} (and {len(wrong) - 1} more figures differ)"]
            if not ratio <= 1:  # so that NaN does not pass
                wrong.append(f"the gradient is {ratio:.3g} times the rounding bound from the one by hand")
            if not drift <= 1:
                wrong.append(f"the end is {drift:.3g} times the rounding bound from the closed form")
            problems += [f"{problem.title}, {route.__name__} in {problem.dtype}: {what}" for what in wrong]
            compared += figures
            ratios.append(ratio)
    return Outcome(
        name=variants[0].name,
        title=variants[0].title,
        figures=len(compared) // (2 * len(variants)),
        deviation=max((figure.deviation for figure in compared), default=0.0),
        steps=sum(problem.steps for problem in variants),
        gradient_ratio=float(np.max(ratios)),
        passed=not problems,
        problem="; ".join(problems),
    )


@dataclass(frozen=True)
class Figure:
    """A printed figure, and the computed number that it is compared with.

    Attributes:
        what: which figure it is.
        text: as it was printed.
        computed: the number.
        margin: by how much it may be off beyond half a unit of the last digit.
        noise: by how much it is off whatever it should be: a number that is 0 but for roundings.
    """

    what: str
    text: str
    computed: float
    margin: float
    noise: float = 0.0

    @property
    def beyond(self) -> float:
        """The distance between the number and the nearest one that prints as `text`.

        >>> Figure("loss", "2.0", 2.25, 0.0).beyond
        0.2
        """
        return max(0.0, abs(self.computed - float(self.text)) - half_a_unit(self.text) - self.noise)

    @property
    def deviation(self) -> float:
        """The distance `beyond`, relative to the figure; infinite for what is not a number."""
        return self.beyond / abs(float(self.text)) if math.isfinite(self.computed) else math.inf

    @property
    def agrees(self) -> bool:
        """Whether the number is close enough."""
        return math.isfinite(self.computed) and self.beyond <= self.margin

    def __str__(self) -> str:
        return f"{self.what} is {self.computed!r}, but was printed as {self.text}"


def compare(problem: Problem, printed: Printed, history: History) -> Iterator[Figure]:
    """Every printed figure with the number that `history` has in its place."""

    def figure(what: str, text: str, computed: float, margin: float = 0.0, noise: float = 0.0) -> Figure:
        return Figure(what, text, float(computed), margin + printed.within * abs(float(text)), noise)

    for line, loss, *weights in printed.every_100th:
        step = int(line)
        # The weights of step 0 were recovered from rounded ones, and its loss shows it.
        margin = 0.0 if step else first_loss_margin(problem)
        yield figure(f"the loss at step {step}", loss, history.losses[step], margin)
        for name, text, weight in zip(problem.names, weights, history.weights[step + 1], strict=False):
            yield figure(f"{name} after step {step}", text, weight)
    for when, texts, row in (("start", printed.start, 0), ("end", printed.weights, -1)):
        for name, text, weight in zip(problem.names, texts, history.weights[row], strict=False):
            yield figure(f"{name} at the {when}", text, weight, noise=printed.noise)
    x, _ = problem.data("float64")
    predictions = problem.model(history.weights[-1], x).ravel()
    for at, text, prediction in zip(x.ravel(), printed.predictions, predictions, strict=False):
        yield figure(f"the prediction for {at:g}", text, prediction)


def gradient_ratio(problem: Problem, history: History, magnitude: Vector) -> float:
    """The largest |g − h| / (2 γ Ĝ), where g is the history's gradient and h the one by hand at the same weights.

    `magnitude` is Ĝ for every step.
    """
    x, y = problem.data(problem.dtype)
    weights = history.weights[:-1].astype(problem.dtype)
    by_hand = np.array([now.row(now.gradient(w, x, y)) for now, w in zip(problem.each_step(), weights)])
    bound = 2 * rounding.gamma(rounding.count(problem), problem.dtype) * magnitude
    difference = np.abs(history.gradients - by_hand)
    with np.errstate(divide="ignore", invalid="ignore"):  # a gradient that is 0 everywhere has no bound
        return float(np.max(np.divide(difference, bound, out=np.zeros_like(bound), where=difference != 0)))


def drift_ratio(problem: Problem, history: History, magnitude: Vector) -> float:
    """The distance of the end from w* + (1 − lr H)ᵗ (w₀ − w*), divided by the bound for rounding errors.

    A step is off by δ with |δ| ≤ lr γ Ĝ + u |w|: the gradient's K roundings, one of lr and one of the
    product; and one of the difference. Later steps make no error longer, as all |1 − lr λ| ≤ 1, so the
    drift is at most Σ |δ|. (The closed form's own few roundings are left out.)
    """
    exact = Modes.of(problem).after(problem.steps, history.weights[0])
    gamma = rounding.gamma(rounding.count(problem) + 2, problem.dtype)
    step_errors = problem.lr * gamma * magnitude + rounding.gamma(1, problem.dtype) * np.abs(history.weights[1:])
    bound = np.linalg.norm(step_errors, axis=1).sum()
    return float(np.linalg.norm(history.weights[-1] - exact) / bound)
