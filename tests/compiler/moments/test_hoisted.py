"""Functions whose sums over data are taken once."""

import gc

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
    assert len(f._last.run._known) == 1


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


def test_weights_that_are_arrays_are_refused(data):
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
