"""The gradient doctor: right gradients pass, wrong ones fail, and what cannot be known is inconclusive."""

import sys
from collections import Counter

import numpy as np
import pytest

from tinygrad_poly.checking import assert_gradients_close, check_gradients, scalars

X = np.array([1.0, 2.0, 3.0])


def cost(W, x, y):
    return np.mean((W * x - y) ** 2)


def test_the_tutorials_wrong_gradient_fails_and_the_right_one_passes_exactly():
    wrong = check_gradients(cost, lambda W, x, y: np.sum((W * x - y) * x), 0.5, X, X)
    assert (wrong.verdict, wrong.oracle) == ("fail", "exact")
    right = check_gradients(cost, lambda W, x, y: 2 * np.mean((W * x - y) * x), 0.5, X, X)
    assert right.verdict == "pass"
    assert right.findings[0].power == 0


@pytest.mark.parametrize("oracle", ["auto", "tape", "finite differences"])
@pytest.mark.parametrize("wrong_by", [1e-2, 1e-6, 1e-10])
def test_a_relative_error_is_seen_by_every_oracle(oracle, wrong_by):
    def check(factor):
        return check_gradients(lambda x: np.sum(np.sin(x)), lambda x: np.cos(x) * factor, X, oracle=oracle).verdict

    assert check(1.0) == "pass"
    assert check(1 + wrong_by) == "fail"


@pytest.mark.parametrize("at", [[0.0, 1.0, -2.0], [40.0, 120.0, -300.0], [1e-150], [700.0]])
def test_what_cancels_is_no_mistake(at):
    def sigmoid(z):
        return 1 / (1 + np.exp(-z))

    report = check_gradients(lambda z: np.sum(sigmoid(z)), lambda z: sigmoid(z) * (1 - sigmoid(z)), np.array(at))
    assert report.verdict == "pass"


def test_the_assertion_raises_the_report():
    assert_gradients_close(cost, lambda W, x, y: 2 * np.mean((W * x - y) * x), 0.5, X, X)
    with pytest.raises(AssertionError, match="FAIL"):
        assert_gradients_close(cost, lambda W, x, y: np.sum((W * x - y) * x), 0.5, X, X)


def in_float32(gradient, *args):
    small = [x.astype(np.float32) if x.dtype == np.float64 else x for x in args]
    return gradient(*small).astype(args[0].dtype)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


W, H = np.array([[1.0, -2.0], [3.0, 0.5]]), np.array([[2.0, 1.0], [-1.0, 1.5]])

HARD = {
    "small": (lambda x: np.prod(x), lambda x: np.prod(x) / x, [1e-3 * X]),
    "smaller than any float32": (lambda x: np.sum(x**2), lambda x: 2 * x, [1e-60 * X]),
    "a small loss": (
        lambda W: np.sum(W * sigmoid(H @ W * 1e-130)),
        lambda W: sigmoid(H @ W * 1e-130) + H.T @ (W * 0.25) * 1e-130,
        [W * 1e-10],
    ),
    "more than float64 holds": (lambda x: np.sum(x**3), lambda x: 3 * x**2, [1e110 * X]),
    "a part that cannot be seen near by": (lambda b: np.sum(1e20 * X + b), lambda b: np.ones_like(b), [1e-40 * X]),
    "a fast wave": (lambda w: np.sum(np.sin(417 * w)), lambda w: 417 * np.cos(417 * w), [84 * X]),
    "a flat place": (lambda x: np.sum(np.log(1 + x * x)), lambda x: 2 * x / (1 + x * x), [1e-40 * X]),
    "a kink near by": (lambda x: np.max(x), lambda x: np.where(x == x.max(), 1.0, 0.0), [117 + 1e-7 * X]),
    "small beside large": (lambda x, c: np.sum(c * x * 2), lambda x, c: c * 2, [1e90 * X, 1e-120 * X]),
    "far from 0": (lambda x, y: np.sum(np.arctan(x / y)), lambda x, y: y / (x * x + y * y), [6 * X, 7e-15 * X]),
}  # fmt: skip


@pytest.mark.parametrize("oracle", ["auto", "finite differences"])
@pytest.mark.parametrize("name", HARD)
def test_hard_places_are_no_excuse(name, oracle):
    loss, gradient, args = HARD[name]

    def check(claim):
        with np.errstate(all="ignore"):
            return check_gradients(loss, claim, *args, wrt=0, oracle=oracle).verdict

    assert check(gradient) == "pass"
    assert check(lambda *args: gradient(*args) * (1 + 1e-5)) == "fail"
    if name in ("small", "smaller than any float32", "small beside large", "a flat place", "a fast wave"):
        assert check(lambda *args: in_float32(gradient, *args)) == "fail"


@pytest.mark.parametrize("oracle", ["auto", "finite differences"])
def test_what_has_cancelled_down_to_nothing_was_not_computed_in_float32(oracle):
    x = 60.1 + X  # the slope is 1e-53, and 0 in floats of any kind
    report = check_gradients(lambda x: np.sum(np.tanh(x)), lambda x: 1 - np.tanh(x) ** 2, x, oracle=oracle)
    assert report.verdict == "pass"
    small = 1e-60 * X  # which is less than float32 holds besides
    report = check_gradients(
        lambda c, x: np.sum(c * np.tanh(x)), lambda c, x: c * (1 - np.tanh(x) ** 2), small, x, wrt="x", oracle=oracle
    )
    assert report.verdict == "pass"


def test_a_formula_may_know_what_the_tape_calls_0_at_a_second_point():
    x = np.array([12.0, 30.0], np.float32)
    assert check_gradients(lambda x: np.sum(np.tanh(x)), lambda x: 1 - np.tanh(x) ** 2, x).verdict == "pass"


def test_lines_confirm_no_gradient_that_is_too_small_beside_another_to_be_seen():
    def check(factor):
        return check_gradients(
            lambda a, b: np.sum(1e-30 * a * a) + np.sum(b),
            lambda a, b: (2e-30 * factor * a, np.ones_like(b)),
            X[:2], 1e10 * X[:2], oracle="finite differences",
        ).verdict  # fmt: skip

    assert check(1) == "pass"
    assert check(2) == "fail"


def test_at_a_kink_another_point_decides():
    x = np.array([2.0, 0.0, 0.0, 1.0])
    assert check_gradients(lambda x: np.sum(np.maximum(x, 0)), lambda x: np.ones_like(x), x).verdict == "fail"
    assert check_gradients(lambda x: np.sum(np.maximum(x, 0)), lambda x: 1.0 * (x > 0), x).verdict == "inconclusive"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_grows_from_call_to_call_is_accumulated(dtype):
    total = np.full(3, 1000, dtype)

    def accumulated(x):
        total[:] += 2 * x
        return total.copy()

    report = check_gradients(lambda x: np.sum(x * x), accumulated, (X / 7).astype(dtype))
    assert [d.code for d in report.diagnosis] == ["accumulated"]


def test_what_grows_is_accumulated_where_there_is_time_for_lines_only():
    total, at = np.zeros(50), np.linspace(0.1, 1, 50)

    def accumulated(x):
        total[:] += np.cos(x)
        return total.copy()

    report = check_gradients(
        lambda x: np.sum(np.sin(x)), accumulated, at, oracle="finite differences", time_budget=1e-6
    )
    assert report.findings[0].along
    assert [d.code for d in report.diagnosis] == ["accumulated"]


@pytest.mark.parametrize("product", [np.matmul, np.dot, lambda a, b: a @ b[:, 0]], ids=["matmul", "dot", "vector"])
def test_an_error_inside_of_a_product_of_matrices_frees_no_number_twice(product):
    field = scalars.Field()
    a, b = (field.array(np.arange(36.0).reshape(6, 6) + k, True) for k in range(2))
    given = len(field.tape)
    field.deadline = 0.0  # it is looked at for each 64th number
    product(a, b)
    with pytest.raises(scalars.OutOfTimeError):
        field.check()
    field.failed = None
    used = Counter(source.place for x in field.tape for source, _ in x.links)
    # Held by the tape, by the loop and by the call, by what was computed from it, and by an array.
    held = [sys.getrefcount(x) - 3 - used[x.place] - (x.place < given) for x in field.tape]
    assert held == [0] * len(field.tape)


def caught(x):
    try:
        return np.log(x)
    except Exception:
        return 0.0


@pytest.mark.parametrize(
    ("loss", "gradient", "at"),
    [
        (caught, lambda x: 1 / x, 1.5),
        (lambda x: np.exp(x) if isinstance(x, float) else 2 * x, np.exp, 1.5),
        (lambda x: np.exp(np.sum(x.var(0))), lambda x: np.exp(x.var(0)) * 2 / 3 * (x - x.mean(0)), X),
    ],
    ids=["catches the error", "asks for the type", "a method of another meaning"],
)
def test_an_oracle_that_computes_another_value_is_not_believed(loss, gradient, at):
    assert check_gradients(loss, gradient, at).verdict == "pass"
    assert check_gradients(loss, gradient, at, oracle="tape").verdict != "fail"
    assert check_gradients(loss, lambda x: 2 * gradient(x), at).verdict == "fail"


class Layer:
    def __init__(self, power=2):
        self.power = power

    def forward(self, x):
        self.x = x
        return np.tanh(x)

    def backward(self, dout):
        return dout * (1 - np.tanh(self.x) ** self.power)


RIGHT, WRONG = Layer(), Layer(3)


@pytest.mark.parametrize(
    ("loss", "right", "wrong", "args", "cotangent"),
    [
        (np.multiply, lambda dout, a, b: (dout * b, dout * a), lambda dout, a, b: (dout * b, a), (X, X + 1), None),
        (np.multiply, lambda *args, g: args[1] * g, lambda *args, g: args[0] * g, (X, X + 1), None),
        (np.max, lambda v: 1.0 * (v == v.max()), lambda v: 1.0 * (v >= 2), (X,), None),
        (RIGHT.forward, RIGHT.backward, WRONG.backward, (X,), None),
        (lambda x: RIGHT.forward(x), lambda x, g: RIGHT.backward(g), lambda x, g: -RIGHT.backward(g), (X,), None),
        (np.sin, np.cos, np.sin, (X,), None),
        (lambda x: x[None] @ x[:, None], lambda x: 2 * x, lambda x: x, (X,), None),
        (lambda x: x[::-1] ** 2, lambda x: 2 * x * X[::-1], lambda x: 2 * x * X, (X,), X),
    ],
    ids=["first", "any arguments", "an argument", "a layer", "kept", "of each element", "of one number", "given"],
)
def test_a_gradient_takes_the_cotangent_in_many_ways(loss, right, wrong, args, cotangent):
    assert check_gradients(loss, right, *args, cotangent=cotangent).verdict == "pass"
    loss = WRONG.forward if wrong == WRONG.backward else loss
    assert check_gradients(loss, wrong, *args, cotangent=cotangent).verdict == "fail"


DATA = np.random.default_rng(0).standard_normal((3, 2))


def centred(b, W):
    z = DATA @ W + b
    return np.sum(np.tanh(z - z.mean(0)) ** 2)


def of_centred(b, W, more=0.0):
    z = DATA @ W + b
    h = np.tanh(z - z.mean(0))
    d = 2 * h * (1 - h * h)
    d = d - d.mean(0)
    return d.sum(0) + more, DATA.T @ d


@pytest.mark.parametrize("b", [np.ones(2), 1.0], ids=["two", "one"])
def test_a_bias_before_a_normalization_has_gradient_0(b):
    def gradient(b, W, more=0.0):
        db, dW = of_centred(b, W, more)
        return db if np.ndim(b) else db.sum(), dW

    assert check_gradients(centred, gradient, b, W).verdict == "pass"
    assert check_gradients(centred, lambda b, W: gradient(b, W, 1e-6), b, W).verdict == "fail"


@pytest.mark.parametrize("active", [True, False])
def test_exact_numbers_stop_in_time_whether_or_not_a_gradient_is_wanted(active):
    with pytest.raises(scalars.OutOfTimeError):
        scalars.Field(deadline=0.0).array(np.ones(100), active)


@pytest.mark.parametrize("seed", range(4))
def test_what_lapack_rounds_is_no_mistake_and_no_excuse(seed):
    def logdet(M):  # the product squares the condition of M, which its own roundings do not show
        return 2 * np.sum(np.log(np.diag(np.linalg.cholesky(M @ M.T))))

    M = np.random.default_rng(seed).standard_normal((4, 4))
    M[0] = M[1] + 0.01 * M[0]
    assert check_gradients(logdet, lambda M: 2 * np.linalg.inv(M).T, M).verdict == "pass"
    assert check_gradients(logdet, lambda M: (2 + 1e-6) * np.linalg.inv(M).T, M).verdict == "fail"
