"""Functions whose sums over data are taken once."""

import gc
from fractions import Fraction

import numpy as np
import pytest

import tinygrad_poly as tg
from tinygrad_poly.compiler import compile
from tinygrad_poly.compiler.moments import hoisted
from tinygrad_poly.compiler.moments.algebra import NotPolynomial

pytestmark = pytest.mark.usefixtures("uncompiled")


def line(params, x, y):
    loss = ((params["a"] + params["b"] * x - y) ** 2).mean()
    return loss, *tg.grad(loss, list(params.values()))


def weights(a, b, dtype=tg.float64):
    return {name: tg.tensor(w, dtype=dtype, requires_grad=True) for name, w in (("a", a), ("b", b))}


@pytest.fixture
def data():
    return tg.tensor([1.0, 2.0, 3.0, -1.0], dtype=tg.float64), tg.tensor([2.0, 0.5, 1.0, 4.0], dtype=tg.float64)


@pytest.fixture
def hoistings(monkeypatch):
    """A list that grows each time when sums over data are taken."""
    made = []

    def counting(*arguments):
        made.append(1)
        return with_moments(*arguments)

    with_moments = hoisted.with_moments
    monkeypatch.setattr(hoisted, "with_moments", counting)
    return made


def test_value_and_gradient_are_those_of_the_function(data):
    f = compile(line, hoist="algebra")
    for a, b in ((0.5, 0.25), (-1.0, 2.0), (3.0, 0.0)):
        found, expected = f(weights(a, b), *data), line(weights(a, b), *data)
        # Small multiples of powers of two: nothing is rounded.
        assert [y.item() for y in found] == [y.item() for y in expected]
        assert [y.requires_grad for y in found] == [y.requires_grad for y in expected]


def test_float32_results_are_computed_in_float64_and_rounded_once(data):
    data = [x.to(tg.float32) for x in data]
    loss, *_ = compile(line, hoist="algebra")(weights(0.1, 0.2, tg.float32), *data)
    exact = weights(0.1, 0.2, tg.float32)
    reference = line({k: w.detach().to(tg.float64).requires_grad_() for k, w in exact.items()}, *data)[0]
    assert loss.dtype == tg.float32
    assert abs(loss.item() / reference.item() - 1) <= 2.0**-23


def test_sums_are_taken_once_for_each_data(data, hoistings):
    x, y = data
    f = compile(line, hoist="algebra")
    for a in range(3):
        f(weights(float(a), 1.0), x, y)
    assert len(hoistings) == 1
    assert f(weights(1.0, 2.0), x + 1, y)[0].item() == line(weights(1.0, 2.0), x + 1, y)[0].item()
    assert len(hoistings) == 2
    f(weights(1.0, 2.0), x, y)
    f(weights(1.0, 2.0), y, x)
    assert len(hoistings) == 3
    # An update gives a tensor a new array.
    before = x.array
    x += 1
    assert f(weights(1.0, 2.0), x, y)[0].item() == line(weights(1.0, 2.0), x, y)[0].item()
    assert len(hoistings) == 4
    assert before is not x.array


def test_moments_are_forgotten_with_their_data(data):
    f = compile(line, hoist="algebra")
    x, y = data
    f(weights(1.0, 2.0), x + 1, y)
    f(weights(1.0, 2.0), x, y)
    gc.collect()
    assert len(f._last.function.run._known) == 1


def test_numbers_may_change_whether_they_require_grad_or_not(data, hoistings):
    f = compile(lambda w, scale, x: (w * x * scale + 1).sum(), hoist="algebra")
    for w, scale in ((1.0, 2.0), (0.5, 4.0)):
        given = tg.tensor(w, dtype=tg.float64), tg.tensor(scale, dtype=tg.float64), data[0]
        assert f(*given).item() == f._function(*given).item()
    assert len(hoistings) == 1


def test_captured_data_are_data_too(data):
    x, y = data
    f = compile(lambda params: line(params, x, y), hoist="algebra")
    assert f(weights(0.5, 0.25))[0].item() == line(weights(0.5, 0.25), x, y)[0].item()
    x += 1
    assert f(weights(0.5, 0.25))[0].item() == line(weights(0.5, 0.25), x, y)[0].item()


def test_the_program_of_a_call_contains_no_loop(data):
    @compile(hoist="algebra")
    def total(w, x):
        return (w * x + 1).sum()

    total(tg.tensor(2.0, dtype=tg.float64), data[0])
    assert total.__name__ == "total"
    assert total.source == "def run(sum_x, points, w):\n    return (sum_x * w + points,)\n"
    assert "sum_x: float64[]" in str(total.program)


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (lambda w, x: (w * x).sin().sum(), "sin of shape .4,. cannot be multiplied out"),
        (lambda w, x: w * x, "multiply of shape .4,. is asked for at each point, and only sums come out"),
        (lambda w, x: (w * x).max(), "max of shape .. makes a number of an array, and is no sum"),
    ],
    ids=["sin", "array", "max"],
)
def test_what_cannot_be_hoisted_is_refused_with_its_reason(data, function, reason):
    f = compile(function, hoist="algebra")
    for _ in range(2):
        with pytest.raises(NotPolynomial, match=reason):
            f(tg.tensor(2.0, dtype=tg.float64, requires_grad=True), data[0])


def regression(w, b, x, y):
    loss = ((x @ w + b - y) ** 2).mean()
    return loss, *tg.grad(loss, [w, b])


def design(points):
    rng = np.random.default_rng(points)
    x, y = rng.normal(size=(points, 3)), rng.normal(size=(points, 1))
    return [tg.tensor(a, requires_grad=i < 2) for i, a in enumerate((rng.normal(size=(3, 1)), np.ones(1), x, y))]


def test_a_design_matrix_becomes_sums_of_products_of_its_columns():
    f = compile(regression, hoist="algebra")
    sources = []
    for points in (10, 40):
        given = design(points)
        found = f(*given)
        sources.append(f.source)
        for result, expected in zip(found, regression(*given), strict=True):
            assert result.shape == expected.shape
        # The terms of the gradient by w are the columns times each term of an error; Σ|term| / n bounds its rounding.
        w, b, x, y = ([[Fraction(v) for v in row] for row in np.atleast_2d(a.detach().numpy()).tolist()] for a in given)
        for k, g in enumerate(found[1].detach().numpy()[:, 0]):
            exact = Fraction(2, points) * sum(
                (sum(v[0] * xk for v, xk in zip(w, row, strict=True)) + b[0][0] - yi[0]) * row[k]
                for row, yi in zip(x, y, strict=True)
            )
            terms = Fraction(2, points) * sum(
                (sum(abs(v[0] * xk) for v, xk in zip(w, row, strict=True)) + abs(b[0][0]) + abs(yi[0])) * abs(row[k])
                for row, yi in zip(x, y, strict=True)
            )
            assert abs(Fraction(float(g)) - exact) <= Fraction((32 + 5 + 4) * 2.0**-53) * terms
    # The same operations, with other numbers for 1/n.
    assert "for " not in sources[0]
    assert sources[0].count("*") == sources[1].count("*")


def test_a_design_matrix_with_infinities_is_gone_through_point_by_point():
    w, b, x, y = design(20)
    x = tg.tensor(np.where(np.arange(60).reshape(20, 3) == 7, np.inf, x.numpy()))
    f = compile(regression, hoist="algebra")
    for result, expected in zip(f(w, b, x, y), regression(w, b, x, y), strict=True):
        np.testing.assert_array_equal(result.detach().numpy(), expected.detach().numpy())


def test_a_matrix_that_is_too_wide_is_refused():
    f = compile(lambda w, x: (x @ w).sum(), hoist="algebra")
    with pytest.raises(NotPolynomial, match=r"an array of shape \(40, 17\) has too many columns.* use another `hoist`"):
        f(tg.ones(17, 1, requires_grad=True), tg.ones(40, 17))


def test_weights_as_long_as_the_data_are_refused(data):
    f = compile(lambda w, x: (w * x).sum(), hoist="algebra")
    with pytest.raises(NotPolynomial, match=r"w has shape .4,., and only single numbers can be carried"):
        f(tg.ones(4, dtype=tg.float64, requires_grad=True), data[0])


def test_there_is_only_one_way_to_hoist():
    with pytest.raises(ValueError, match="hoist must be None or 'algebra', not 'sums'"):
        compile(lambda x: x, hoist="sums")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_are_computed_with_as_without_sums(value):
    def function(w, x):
        return (w * x - w * x).sum() + (w * (x * 0)).sum()

    f, x, w = compile(function, hoist="algebra"), tg.tensor([1.0, 2.0]), tg.tensor(1.0)
    bad = tg.tensor([1.0, value])
    assert f(w, x).item() == 0
    with np.errstate(invalid="ignore"):
        assert f(w, bad).isnan().item()
        assert f(tg.tensor(value), x).isnan().item()
    assert f(w, x).item() == 0
