"""Fits at once: losses that are quadratic in their weights end at their optimum, as exact arithmetic finds it."""

import functools
import json
import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import tinygrad_poly as tg
from tinygrad_poly.fitting import fit
from tinygrad_poly.fitting.problems import PROBLEMS

NIST = json.loads((Path(__file__).parent / "nist.json").read_text())
del NIST["source"]


def solved(tmp_path, x, y, degree, dtype="float64"):
    """The fit of `fit poly --data`."""
    path = tmp_path / "points.csv"
    path.write_text("".join(f"{float(a)!r},{float(b)!r}\n" for a, b in zip(x, y, strict=True)))
    settings = PROBLEMS["poly"].defaults | {"data": path, "degree": degree, "dtype": dtype, "start": None, "seed": 0}
    task = PROBLEMS["poly"].set_up(settings)
    return fit(task.loss, task.start, task.x, task.y, progress=False)


def polynomial(params, x, y):
    return ((sum(w * x**k for k, w in enumerate(params)) - y) ** 2).mean()


def squares(weights, x, y):
    """The exact sum of squared errors of these very numbers."""
    w = [Fraction(float(v)) for v in weights]
    errors = (sum(v * Fraction(float(a)) ** k for k, v in enumerate(w)) - Fraction(float(b)) for a, b in zip(x, y))
    return float(sum(error**2 for error in errors))


def exact(x, y, degree):
    """The optimum of least squares in exact arithmetic, and its sum of squared errors."""
    n = degree + 1
    xs, ys = [Fraction(float(a)) for a in x], [Fraction(float(b)) for b in y]
    sums = [sum(a**k for a in xs) for k in range(2 * n)]
    rows = [[*sums[i : i + n], sum(b * a**i for a, b in zip(xs, ys, strict=True))] for i in range(n)]
    for i in range(n):
        rows[i] = [v / rows[i][i] for v in rows[i]]
        for j in range(n):
            if j != i:
                rows[j] = [v - rows[j][i] * u for v, u in zip(rows[j], rows[i], strict=True)]
    w = [row[-1] for row in rows]
    errors = (sum(v * a**k for k, v in enumerate(w)) - b for a, b in zip(xs, ys, strict=True))
    return w, float(sum(error**2 for error in errors))


def digits(found, certified):
    pairs = ((float(a), float(b)) for a, b in zip(found, certified, strict=True))
    return min(15 if a == b else -math.log10(abs((a - b) / b)) for a, b in pairs)


@pytest.mark.filterwarnings("ignore::numpy.exceptions.RankWarning")
@pytest.mark.parametrize("name", NIST)
def test_the_certified_digits_of_nist_are_found_at_least_as_well_as_by_polyfit(tmp_path, name):
    data = NIST[name]
    x, y, certified = (np.array(data[key], dtype=float) for key in ("x", "y", "weights"))
    result = solved(tmp_path, x, y, len(certified) - 1)
    found = digits([w.item() for w in result.params.values()], certified)
    # Where both are as good as the data's own rounding lets them be, chance decides on the last digit.
    assert found >= min(digits(np.polyfit(x, y, len(certified) - 1)[::-1], certified), 13)
    assert result.verdict.converged
    if any(data["errors"]):
        assert digits(result.statistics.errors, data["errors"]) > 12


@functools.cache
def exact_of(name):
    x, y, certified = (NIST[name][key] for key in ("x", "y", "weights"))
    return exact(x, y, len(certified) - 1)[0]


@pytest.mark.parametrize("start", [0.0, 1.0, "the optimum"])
@pytest.mark.parametrize("name", NIST)
def test_a_loss_of_ones_own_ends_at_the_optimum_wherever_it_starts(name, start):
    x, y, certified = (np.array(NIST[name][key], dtype=float) for key in ("x", "y", "weights"))
    best = exact_of(name)
    given = list(map(float, best)) if start == "the optimum" else [start] * len(certified)
    result = fit(polynomial, given, x, y, progress=False)
    assert result.solution is not None
    assert result.verdict.converged
    by_polyfit = digits(np.polyfit(x, y, len(certified) - 1)[::-1], best)
    # Of what rounding hides in powers of x, chance decides on the last digit.
    assert digits([w.item() for w in result.params], best) > by_polyfit - 0.5


YEARS = np.arange(1980.0, 2025)
SECONDS = 1.6e9 + 3600 * np.arange(50.0)
NOISE = np.random.default_rng(0).normal(size=50)


@pytest.mark.parametrize(
    ("x", "y", "degree"),
    [
        (YEARS, 0.02 * YEARS + NOISE[:45], 1),
        (YEARS, 0.02 * YEARS + NOISE[:45], 4),
        (SECONDS, 20 + NOISE, 1),
        (SECONDS, 20 + NOISE, 2),
        (np.arange(50.0), 1e12 * NOISE, 3),
        (np.arange(50.0), 1e-12 * NOISE, 3),
        (np.linspace(0, 10, 50), NOISE, 10),
        (1e-9 * np.arange(50.0), NOISE, 5),
        (1e9 * np.arange(50.0), NOISE, 5),
        (np.arange(50.0), 1e9 + NOISE, 2),
        (np.arange(3.0), [1.0, -2.0, 7.0], 2),
        (YEARS, np.full(45, 7.0), 0),
    ],
)
@pytest.mark.parametrize("way", ["file", "fit"])
def test_the_optimum_is_reached_wherever_float64_has_one(tmp_path, x, y, degree, way):
    if way == "file":
        result = solved(tmp_path, x, y, degree)
        found = [w.item() for w in result.params.values()]
        assert "centred x at" in result.how
    else:
        result = fit(polynomial, [0.5] * (degree + 1), x, np.asarray(y), progress=False)
        found = [w.item() for w in result.params]
    best, least = exact(x, y, degree)
    terms = [sum(abs(float(w)) * abs(float(a)) ** k for k, w in enumerate(best)) for a in x]
    rounding = sum((len(best) * np.finfo(float).eps * term) ** 2 for term in terms)
    assert squares(found, x, y) <= max(1.001 * least, rounding)
    assert result.verdict.converged


def test_float32_is_fitted_to_its_own_precision(tmp_path):
    result = solved(tmp_path, np.arange(50.0), NOISE, 3, "float32")
    assert result.verdict.converged
    assert {w.dtype for w in result.params.values()} == {tg.float32}


def test_many_points_are_fitted():
    x = np.linspace(0, 1, 10**5)
    y = 1 + 2 * x + np.sin(1e4 * x)
    a, b = fit(polynomial, [0.0, 0.0], x, y, progress=False).params
    np.testing.assert_allclose([b.item(), a.item()], np.polyfit(x, y, 1), rtol=1e-10)


def test_weights_of_any_shape_and_many_of_them():
    rng = np.random.default_rng(1)
    X, true = rng.normal(size=(300, 150)), rng.normal(size=150)

    def loss(params, x, y):
        return ((x @ params["w"] + params["b"] - y) ** 2).sum() + 0.0 * params["b"]

    result = fit(loss, {"w": np.zeros(150), "b": 0.0}, X, X @ true + 3, progress=False)
    np.testing.assert_allclose(result.params["w"].numpy(), true, atol=1e-12)
    assert result.params["b"].item() == pytest.approx(3)


def test_weights_that_stand_in_for_one_another_reach_the_least_loss():
    def loss(params, x, y):
        return (((params["v"] + params["w"]) * x - y) ** 2).mean()

    result = fit(loss, {"v": 5.0, "w": 0.0}, [1.0, 2.0], [3.0, 5.0], progress=False)
    assert result.loss == pytest.approx(0.1)


@pytest.mark.parametrize("how", [{"steps": 5}, {"lr": 1e-6}, {"optimizer": "sgd"}])
def test_any_word_about_the_descent_asks_for_it(sine, how):
    result = fit(*sine.arguments, progress=False, **how)
    assert result.solution is None
    assert result.step == how.get("steps", 2000)


def test_a_loss_that_is_not_quadratic_is_fitted_by_descent():
    result = fit(lambda p, x, y: ((tg.tanh(p["w"] * x) - y) ** 2).mean(), {"w": 0.5}, [1.0], [0.5], progress=False)
    assert (result.solution, result.step, result.lr) == (None, 2000, 1e-6)


def test_what_was_solved_can_be_saved_and_resumed_and_stays_there(sine, tmp_path):
    from tinygrad_poly.fitting import resume

    result = fit(*sine.arguments, progress=False)
    result.save(tmp_path / "run.json")
    later = resume(tmp_path / "run.json", sine.loss, sine.x, sine.y, steps=result.step + 10, progress=False)
    assert later.verdict.converged


def test_optimizers_have_their_own_learning_rates():
    def rate(optimizer):
        return fit(polynomial, [0.0], [1.0], [1.0], steps=1, optimizer=optimizer, progress=False).lr

    assert rate("sgd") == rate(tg.optim.SGD) == rate(lambda p, lr: tg.optim.SGD(p, lr=lr)) == 1e-6
    assert rate("adam") == 1e-3
    assert rate("rmsprop") == 1e-2


def test_the_fit_predicts_other_points_whatever_its_model_is():
    def loss(params, x, y):
        return 3 * ((tg.tanh(params["w"] * x) - y) ** 2).mean()

    x = np.linspace(0, 1, 7)
    result = fit(loss, {"w": 0.5}, x, np.tanh(2 * x), steps=3, lr=0.1, progress=False)
    other = np.array([0.25, 3.0])
    np.testing.assert_allclose(result.predict(other).numpy(), np.tanh(result.params["w"].item() * other), rtol=1e-12)
    absolute = fit(lambda p, x, y: (p["w"] * x - y).abs().mean(), {"w": 0.5}, x, x, steps=1, progress=False)
    with pytest.raises(ValueError, match="no sum or mean of"):
        absolute.predict(other)


def test_statistics_are_given_where_they_have_a_meaning_only():
    x = np.arange(6.0)
    y = 3 * x + [1, -1, 1, -1, 1, -1]

    def penalized(params, x, y):
        return polynomial(params, x, y) + 0.1 * params[0] ** 2

    def through_zero(params, x, y):
        return ((params[0] * x - y) ** 2).sum()

    assert fit(penalized, [0.0, 0.0], x, y, progress=False).statistics is None
    assert fit(through_zero, [0.0], x, y, progress=False).statistics.r_squared is None
    assert fit(polynomial, [0.0, 0.0], x, y, progress=False).statistics.r_squared == pytest.approx(
        np.corrcoef(x, y)[0, 1] ** 2
    )
    assert fit(polynomial, [0.0, 0.0], [0.0, 1.0], [1.0, 2.0], progress=False).statistics.errors is None


def test_the_table_aligns_fit_optimum_and_errors():
    result = fit(polynomial, [0.0, 0.0], np.arange(4.0), [0.0, 1.0, 2.0, 4.0], progress=False)
    heads, *rows = result.table().split("\n")
    assert heads.split() == ["weight", "fit", "optimum", "standard", "error"]
    assert [row.split()[0] for row in rows] == ["0", "1"]
    assert len({len(line) for line in (heads, *rows)}) == 1
