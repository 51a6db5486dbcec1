"""Moments: the same training step, computed without the points."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_poly as tg
from tinygrad_poly.compiler.loops import numba_runner
from tinygrad_poly.compiler.loops.fuse import fuse
from tinygrad_poly.compiler.loops.printer import Printer
from tinygrad_poly.compiler.moments.algebra import NotFinite, NotPolynomial
from tinygrad_poly.compiler.moments.sums import CHUNK, Hoisted, centered_moments, fixed_point, with_moments
from tinygrad_poly.compiler.trace.program import Program
from tinygrad_poly.compiler.training import TrainingStep, trace
from tinygrad_poly.tutorials.problem import Problem
from tinygrad_poly.tutorials.problems import T1, T2, T5, T6, T7, T8

from ...helpers import DTYPES, UNIT_ROUNDOFF, examples

Arrays = dict[str, np.ndarray[Any, Any]]
Loss = Callable[..., Any]


def traced(loss: Loss, weights: Arrays, data: Arrays, lr: float = 2.0**-6) -> TrainingStep:
    tensors = [tg.tensor(w, requires_grad=True) for w in weights.values()]
    return trace(loss, dict, weights, data, tg.optim.SGD(tensors, lr=lr))


def unhoisted(step: TrainingStep, weights: list[Any], data: list[Any]) -> list[Any]:
    return step.program.run(dict(zip((*step.data, *step.carried), (*data, *weights), strict=True)))


def numbers(results: list[Any]) -> list[float]:
    return [float(np.asarray(r).item()) for r in results]


def source(hoisted: Hoisted) -> str:
    return Printer(fuse(hoisted.step.program, hoisted.step.carried)).steps(hoisted.step.carried)


def names(hoisted: Hoisted) -> set[str]:
    return {s.name for s in hoisted.step.data}


def scalars(**values: float) -> Arrays:
    return {name: np.array(value) for name, value in values.items()}


def line(w: Any, x: Any, y: Any) -> Any:
    return ((w["a"] * x + w["b"] - y) ** 2).sum()


def cubic(w: Any, x: Any, y: Any) -> Any:
    y_pred = w["a"] + w["b"] * x + w["c"] * x**2 + w["d"] * x**3
    return (y_pred - y).pow(2).sum()


def sine(points: int) -> Arrays:
    x = np.linspace(-math.pi, math.pi, points)
    return {"x": x, "y": np.sin(x)}


# The same step.


def tutorial(problem: Problem, dtype: str, shape: tuple[int, ...]) -> tuple[TrainingStep, list[Any], list[Any]]:
    x, y = problem.data(dtype)
    start = np.linspace(0.75, -0.5, len(problem.names)).astype(dtype)
    weights = {name: w.reshape(shape) for name, w in zip(problem.names, start, strict=True)}

    def loss(w: Any, x: Any, y: Any) -> Any:
        return problem.loss(problem.model(list(w.values()), x), y)

    return traced(loss, weights, {"x": x, "y": y}, problem.lr), [x, y], list(weights.values())


def rounding_bound(problem: Problem, dtype: str, weights: list[Any]) -> list[float]:
    """How far a step's next weights and loss may be off: each is a sum of products of at most seven factors.

    A product rounds once for each factor, a pairwise sum of chunks 24 times at most, and what is left a few times
    for each weight: less than 64 roundings, of at most u times the absolute values of all the terms of the sum.
    """
    x, y = (np.asarray(v, np.float64).reshape(-1) for v in problem.data(dtype))
    w = np.array([v.item() for v in weights], np.float64)
    columns = [np.broadcast_to(problem.model(list(unit), x), x.shape) for unit in np.eye(len(w))]
    size = sum(abs(v * column) for v, column in zip(w, columns, strict=True)) + abs(y)
    slope = problem.lr * np.array([2 * np.sum(size * abs(column)) for column in columns])
    # T1 to T5 minimise a sum, the others a mean.
    scale = 1.0 if problem.loss(np.ones(2), np.zeros(2)) == 2 else 1.0 / len(x)
    u = UNIT_ROUNDOFF[dtype]
    return [*(64 * u * (scale * slope + abs(w))), 64 * u * scale * np.sum(size**2)]


@pytest.mark.parametrize("expand", [with_moments, centered_moments])
@pytest.mark.parametrize("shape", [(), (1,), (1, 1)], ids=str)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("problem", [T1, T2, T5, T6, T7, T8], ids=lambda problem: problem.name)
def test_a_step_of_every_tutorial_is_what_it_was(
    problem: Problem, dtype: str, shape: tuple[int, ...], expand: Callable[..., Hoisted]
) -> None:
    step, data, weights = tutorial(problem, dtype, () if len(problem.data(dtype)[0].shape) == 1 else shape)
    hoisted = expand(step, data, weights) if expand is centered_moments else expand(step, data)
    before, after = unhoisted(step, weights, data), hoisted.run(weights)
    for old, new, bound in zip(before, after, rounding_bound(problem, dtype, weights), strict=True):
        assert np.asarray(new).dtype == dtype
        assert np.asarray(new).shape == np.asarray(old).shape
        assert abs(np.asarray(new, np.float64) - np.asarray(old, np.float64)).item() <= 2 * bound


def test_a_linear_layer_with_mse_loss_is_a_step_of_six_moments() -> None:
    x = np.arange(1, 7, dtype="float32").reshape(-1, 1)
    weights = {"weight": np.full((1, 1), 0.375, "float32"), "bias": np.full(1, 0.125, "float32")}

    def loss(w: Any, x: Any, y: Any) -> Any:
        return tg.nn.functional.mse_loss(tg.nn.functional.linear(x, w["weight"], w["bias"]), y)

    step = traced(loss, weights, {"x": x, "y": 3 * x})
    hoisted = with_moments(step, [x, 3 * x])
    assert names(hoisted) == {"points", "sum_x", "sum_x2", "sum_y", "sum_xy", "sum_y2"}
    before, after = unhoisted(step, list(weights.values()), [x, 3 * x]), hoisted.run(list(weights.values()))
    assert numbers(after) == pytest.approx(numbers(before), rel=16 * UNIT_ROUNDOFF["float32"])


# Halves: all terms of a residual are multiples of 2⁻⁵ below 2¹¹, and of a loss or gradient multiples of 2⁻¹⁰ below
# 2²⁷, around a center as well. So nothing is rounded, neither in the sums nor in the polynomials.
halves = st.integers(-4, 4).map(lambda n: n / 2)
terms = st.tuples(halves, *[st.integers(0, 2)] * 4)


@settings(max_examples=examples(20))
@given(
    st.lists(terms, min_size=1, max_size=4),
    st.lists(st.tuples(st.integers(-2, 2), st.integers(-2, 2)), min_size=2, max_size=9),
    halves,
    halves,
    st.booleans(),
)
def test_a_polynomial_loss_with_dyadic_numbers_is_hoisted_exactly(
    polynomial: list[Any], points: list[tuple[int, int]], a: float, b: float, centered: bool
) -> None:
    def loss(w: Any, x: Any, y: Any) -> Any:
        residual = w["a"] * x - y
        for c, i, j, k, m in polynomial:
            product = residual * 0 + c
            for factor, exponent in ((w["a"], i), (w["b"], j), (x, k), (y, m)):
                for _ in range(exponent):
                    product = product * factor
            residual = residual + product
        return (residual * residual).sum()

    x, y = np.array(points, float).T
    step = traced(loss, scalars(a=a, b=b), {"x": x, "y": y})
    center = [np.float64(0.5), np.float64(-0.5)] if centered else None
    hoisted = with_moments(step, [x, y], center)
    assert numbers(hoisted.run([a, b])) == numbers(unhoisted(step, [np.float64(a), np.float64(b)], [x, y]))


def test_sums_over_several_chunks_with_a_rest_are_complete() -> None:
    points = 2 * CHUNK + 5
    x = (np.arange(points) % 7).astype(float)
    step = traced(line, scalars(a=0.5, b=2.0), {"x": x, "y": x + 1})
    values = with_moments(step, [x, x + 1])
    found = {s.name: float(v) for s, v in zip(values.step.data, values.values, strict=True)}
    assert found["points"] == points
    assert found["sum_x2"] == (x**2).sum()
    assert numbers(values.run([0.5, 2.0])) == numbers(unhoisted(step, [np.float64(0.5), np.float64(2.0)], [x, x + 1]))


def test_data_in_float32_are_summed_in_float64() -> None:
    x = np.full(3000, 0.1, "float32")
    weights = {"a": np.array(1.0, "float32"), "b": np.array(0.0, "float32")}
    hoisted = with_moments(traced(line, weights, {"x": x, "y": x}), [x, x])
    found = dict(zip((s.name for s in hoisted.step.data), hoisted.values, strict=True))
    exact = 3000 * Fraction(float(x[0]))
    assert abs(Fraction(float(found["sum_x"])) - exact) <= exact * Fraction(32 * 2.0**-53)


LOST: dict[str, Loss] = {
    "a line": line,
    "what cancels": lambda w, x, y: (w["a"] * x - w["a"] * x).sum(),
    "times 0": lambda w, x, y: (w["a"] * (x * 0)).sum(),
    "divided by": lambda w, x, y: (w["a"] / x * 0).sum(),
    "chosen away": lambda w, x, y: (w["a"] * tg.where(x == x, 1.0, 0.0)).sum(),
}


@pytest.mark.parametrize("loss", LOST.values(), ids=LOST)
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_data_that_are_no_numbers_are_not_multiplied_out(loss: Loss, value: float) -> None:
    x = np.array([1.0, value, 2.0])
    step = traced(loss, scalars(a=1.0, b=1.0), {"x": x, "y": np.ones(3)})
    with np.errstate(invalid="ignore"), pytest.raises(NotFinite):
        with_moments(step, [x, np.ones(3)])


def test_sums_that_are_too_large_are_not_taken() -> None:
    x = np.array([1e200, 1.0])
    step = traced(line, scalars(a=1.0, b=1.0), {"x": x, "y": x})
    with np.errstate(over="ignore"), pytest.raises(NotFinite, match="too large"):
        with_moments(step, [x, x])


OF_DATA: dict[str, Loss] = {
    "a border": lambda w, x, y: ((w["a"] * tg.where(x > 0.1, 1.0, 0.0) - y) ** 2).sum(),
    "a border of squares": lambda w, x, y: ((w["a"] * tg.where(x * x >= 0.1 * x, 1.0, 0.0) - y) ** 2).sum(),
    "equality": lambda w, x, y: ((w["a"] * tg.where(x == 0.1, 1.0, 0.0)) ** 2).sum(),
    "a floor": lambda w, x, y: (w["a"] * tg.floor(x * 10)).sum(),
    "divided": lambda w, x, y: (w["a"] * tg.floor(x / 0.1)).sum(),
}


@pytest.mark.parametrize("loss", OF_DATA.values(), ids=OF_DATA)
def test_functions_of_float32_data_are_computed_in_float32(loss: Loss) -> None:
    x = np.array([0.1, 0.1, 0.5, 0.7, 0.3, 0.6], np.float32)
    given = {"x": x, "y": np.zeros(6, np.float32)}
    weights = {name: np.float32(value) for name, value in (("a", 1.0), ("b", 1.0))}
    step = traced(loss, weights, given)
    *_, found = with_moments(step, list(given.values())).run(list(weights.values()))
    expected = loss({name: tg.tensor(w) for name, w in weights.items()}, *map(tg.tensor, given.values()))
    assert float(found) == expected.item()


# What may be in a sum.

ELSE_POLYNOMIAL: dict[str, Loss] = {
    "any function of data": lambda w, x, y: ((w["a"] * x.sin() - y.exp()) ** 2).sum(),
    "a choice by data": lambda w, x, y: (tg.where(x > 1, x, y) * w["a"] - y).pow(2).sum(),
    "a function of a weight, which is a number": lambda w, x, y: ((w["a"].sin() * x - w["b"].exp()) ** 2).sum(),
    "division by data": lambda w, x, y: ((w["a"] / (x + 1) - y) ** 2).mean(),
    "the root of a mean": lambda w, x, y: ((w["a"] * x + w["b"] - y) ** 2).mean().sqrt(),
    "data of two lengths": lambda w, x, y: line(w, x, y) + ((w["a"] * x[:2] - 1) ** 2).sum(),
    "sums of data": lambda w, x, y: ((w["a"] * (x - x.mean()) - y) ** 2).sum(),
    "a penalty": lambda w, x, y: line(w, x, y) + 0.5 * w["a"] ** 2 + w["b"].abs(),
    "numbers from data": lambda w, x, y: ((w["a"] * x - x.max() * w["b"]) ** 2).sum(),
    "an array from outside": lambda w, x, y: ((w["a"] * x - tg.tensor([1.0, 2.0, 4.0, 8.0])) ** 2).sum(),
}


@pytest.mark.parametrize("centered", [False, True])
@pytest.mark.parametrize("loss", ELSE_POLYNOMIAL.values(), ids=ELSE_POLYNOMIAL)
def test_what_does_not_mix_weights_and_data_may_be_any_function(loss: Loss, centered: bool) -> None:
    x, y = np.array([0.5, 1.0, 2.0, 3.0]), np.array([1.0, 0.5, -1.0, 0.25])
    weights = scalars(a=0.75, b=-0.5)
    step = traced(loss, weights, {"x": x, "y": y})
    hoisted = with_moments(step, [x, y], [np.float64(0.5), np.float64(0.25)] if centered else None)
    assert all(s.size == 1 for s in (*hoisted.step.program.inputs, *hoisted.step.program.instructions))
    expected = numbers(unhoisted(step, list(weights.values()), [x, y]))
    assert numbers(hoisted.run(list(weights.values()))) == pytest.approx(expected, rel=1e-13)


NOT_POLYNOMIAL: dict[str, tuple[Loss, str]] = {
    "sin": (lambda w, x, y: (w["a"] * x).sin().sum(), r"sin of shape \(4,\)"),
    "division by a weight and data": (lambda w, x, y: (y / (w["a"] * x + 9)).sum(), "divide"),
    "a choice by a weight": (lambda w, x, y: tg.where(w["a"] * x > 0, x, y).sum() * w["a"], "greater"),
    "a power": (lambda w, x, y: ((w["a"] * x) ** 2.5).sum(), "power"),
    "a maximum": (lambda w, x, y: (w["a"] * x).max(), "max"),
    "an outer product": (
        lambda w, x, y: ((w["a"] * x - y.reshape(4, 1)) ** 2).sum(),
        "each element of an array with several of another",
    ),
}


@pytest.mark.parametrize(("loss", "reason"), NOT_POLYNOMIAL.values(), ids=NOT_POLYNOMIAL)
def test_what_mixes_weights_and_data_otherwise_is_refused_by_name(loss: Loss, reason: str) -> None:
    x = np.array([0.5, 1.0, 2.0, 3.0])
    step = traced(loss, scalars(a=0.75, b=0.5), {"x": x, "y": x})
    with pytest.raises(NotPolynomial, match=reason):
        with_moments(step, [x, x])


def test_weights_that_are_arrays_are_refused() -> None:
    x = np.arange(3.0)
    step = traced(lambda w, x: ((w["a"] * x) ** 2).sum(), {"a": x}, {"x": x})
    with pytest.raises(NotPolynomial, match=r"a has shape \(3,\), and only single numbers"):
        with_moments(step, [x])


def test_constants_that_are_no_numbers_are_refused() -> None:
    x = np.arange(3.0)
    step = traced(lambda w, x: (w["a"] * x + math.inf).sum(), scalars(a=1.0), {"x": x})
    with pytest.raises(NotPolynomial, match="inf is no number"):
        with_moments(step, [x])


def test_an_expansion_stops_at_its_limit() -> None:
    data = sine(10)
    step = traced(cubic, scalars(a=1.0, b=1.0, c=1.0, d=1.0), data)
    # Four squares, six products of two weights, four weights times y, and y²
    with_moments(step, list(data.values()), limit=15)
    with pytest.raises(NotPolynomial, match="more than 14 terms"):
        with_moments(step, list(data.values()), limit=14)


# What a step costs, and how it reads.


def test_a_step_has_as_many_instructions_for_ten_points_as_for_a_million() -> None:
    weights = scalars(a=0.1, b=0.2, c=0.3, d=0.4)
    few, many = (
        with_moments(traced(cubic, weights, sine(points)), list(sine(points).values())) for points in (10, 10**6)
    )
    assert str(few.step.program) == str(many.step.program)
    assert all(s.shape == () for s in many.step.program.instructions)


def test_the_sin_fit_reads_like_the_normal_equations() -> None:
    data = sine(2000)
    step = traced(cubic, scalars(a=0.1, b=0.2, c=0.3, d=0.4), data)
    text = source(with_moments(step, list(data.values())))
    assert "grad_a = 2.0 * (points * a + sum_x * b + sum_x2 * c + sum_x3 * d - sum_y)" in text
    assert "grad_d = 2.0 * (sum_x3 * a + sum_x4 * b + sum_x5 * c + sum_x6 * d - sum_x3y)" in text
    assert "for i in" not in text


def test_moments_of_words_are_words() -> None:
    def loss(w: Any, hours: Any, score: Any) -> Any:
        return ((w["a"] * hours - score) ** 2).sum()

    x = np.arange(3.0)
    hoisted = with_moments(traced(loss, scalars(a=1.0), {"hours": x, "score": x}), [x, x])
    assert names(hoisted) == {"sum_hours2", "sum_hours_score", "sum_score2"}


@pytest.mark.parametrize("expand", [with_moments, centered_moments])
def test_numba_runs_the_steps(expand: Callable[..., Hoisted]) -> None:
    pytest.importorskip("numba")
    data, weights = sine(50), scalars(a=0.1, b=0.2, c=0.3, d=0.4)
    step = traced(cubic, weights, data, lr=1e-5)
    hoisted = (
        expand(step, list(data.values()), list(weights.values()))
        if expand is centered_moments
        else expand(step, list(data.values()))
    )
    losses, expected = np.zeros(20), list(weights.values())
    given = numba_runner.arguments([*hoisted.values, *weights.values()])
    got = numba_runner.compiled(source(hoisted))(0, 20, 1, losses, *given)
    for t in range(20):
        *expected, loss = unhoisted(step, expected, list(data.values()))
        assert losses[t] == pytest.approx(loss, rel=1e-12)
    assert list(got) == pytest.approx(numbers(expected), rel=1e-12)


# Rounding, against exact fractions.


def exact(weights: list[float], x: Any, y: Any) -> tuple[list[Fraction], Fraction]:
    """∂L/∂a, ∂L/∂b, … and L of the polynomial fit Σ (a + b x + … − y)², not rounded."""
    gradient, loss = [Fraction(0)] * len(weights), Fraction(0)
    for xi, yi in zip(map(Fraction, x.tolist()), map(Fraction, y.tolist()), strict=True):
        powers = [xi**k for k in range(len(weights))]
        residual = sum(Fraction(w) * p for w, p in zip(weights, powers, strict=True)) - yi
        loss += residual**2
        gradient = [g + 2 * residual * p for g, p in zip(gradient, powers, strict=True)]
    return gradient, loss


def polynomial_fit(w: Any, x: Any, y: Any) -> Any:
    return (sum(v * x**k for k, v in enumerate(list(w.values())[1:], 1)) + next(iter(w.values())) - y).pow(2).sum()


def with_gradients(step: TrainingStep, names: Any) -> TrainingStep:
    """The step with its gradients as outputs in place of the next weights."""
    found = {s.name: s for s in step.program.instructions}
    outputs = [*(found[f"grad_{name}"] for name in names), step.program.outputs[-1]]
    return replace(step, program=Program.of(step.program.inputs, outputs))


@pytest.mark.parametrize("distance", [1e-2, 1e-5, 1e-8])
def test_near_the_optimum_a_centered_loss_keeps_all_digits_and_a_plain_one_loses_those_of_y2(distance: float) -> None:
    x, y = sine(200).values()
    weights = scalars(a=0.1, b=0.2, c=0.3, d=0.4)
    step = traced(polynomial_fit, weights, {"x": x, "y": y}, lr=1e-5)
    center = fixed_point(with_moments(step, [x, y]), list(weights.values()))
    near = [float(c + distance) for c in center]
    gradient, loss = exact(near, x, y)
    step = with_gradients(step, weights)
    u = UNIT_ROUNDOFF["float64"]
    for hoisted, terms in (
        # The absolute values of the terms: |a| + |b x| + … + |y|, and in a centered loss |δa| + |δb x| + … + |r|
        (with_moments(step, [x, y]), sum(abs(w * x**k) for k, w in enumerate(near)) + abs(y)),
        (
            with_moments(step, [x, y], center),
            sum(distance * abs(x) ** k for k in range(4)) + abs(np.polyval(center[::-1], x) - y),
        ),
    ):
        *found, found_loss = numbers(hoisted.run([np.float64(w) for w in near]))
        assert abs(Fraction(found_loss) - loss) <= 64 * u * np.sum(terms**2)
        # Residuals at the center are rounded too, by a few u of |y|.
        all_of_y = sum(abs(c * x**k) for k, c in enumerate(center)) + abs(y)
        for k, (g, exact_g) in enumerate(zip(found, gradient, strict=True)):
            assert abs(Fraction(g) - exact_g) <= 2 * u * np.sum((64 * terms + 8 * all_of_y) * abs(x) ** k)
    assert abs(Fraction(found_loss) / loss - 1) <= 64 * u  # the last one is centered


def test_the_loss_of_a_line_through_all_points_is_seen_only_from_a_center() -> None:
    x, start = np.arange(1.0, 7.0), scalars(a=0.5, b=0.25)
    step = traced(line, start, {"x": x, "y": 3 * x}, lr=0.001)
    near = [3.0 + 1e-9, 1e-9]
    loss = sum((Fraction(near[0]) * v + Fraction(near[1]) - 3 * v) ** 2 for v in map(Fraction, x.tolist()))
    *_, centered = numbers(centered_moments(step, [x, 3 * x], list(start.values())).run(near))
    *_, plain = numbers(with_moments(step, [x, 3 * x]).run(near))
    assert abs(Fraction(centered) / loss - 1) < 1e-4
    assert abs(Fraction(plain) / loss - 1) > Fraction(1, 2)  # the loss is 1e-19 of Σy²


def test_the_fixed_point_is_the_least_squares_solution() -> None:
    data = sine(100)
    weights = scalars(a=0.1, b=0.2, c=0.3, d=0.4)
    step = traced(cubic, weights, data, lr=1e-5)
    found = fixed_point(with_moments(step, list(data.values())), list(weights.values()))
    expected = np.linalg.lstsq(np.vander(data["x"], 4, increasing=True), data["y"])[0]
    assert found == pytest.approx(expected, abs=1e-11)


def test_without_a_better_fixed_point_the_expansion_is_around_the_start() -> None:
    x = np.arange(3.0)
    start = scalars(a=0.0)
    # The loss has no minimum.
    step = traced(lambda w, x: (w["a"] * x).sum(), start, {"x": x})
    assert fixed_point(with_moments(step, [x]), list(start.values())) == list(start.values())


def test_momentum_is_carried_beside_the_moments() -> None:
    data, weights = sine(30), scalars(a=0.1, b=0.2, c=0.3, d=0.4)
    tensors = [tg.tensor(w, requires_grad=True) for w in weights.values()]
    optimizer = tg.optim.SGD(tensors, lr=1e-4, momentum=0.5)
    cubic(dict(zip(weights, tensors, strict=True)), *(tg.tensor(v) for v in data.values())).backward()
    optimizer.step()  # from now on there is a velocity
    step = trace(cubic, dict, weights, data, optimizer)
    assert len(step.carried) == 8
    carried = [np.float64(v) for v in np.linspace(-0.5, 0.5, 8)]
    for hoisted in (
        with_moments(step, list(data.values())),
        centered_moments(step, list(data.values()), carried),
    ):
        assert numbers(hoisted.run(carried)) == pytest.approx(
            numbers(unhoisted(step, carried, list(data.values()))), rel=1e-12, abs=1e-14
        )
