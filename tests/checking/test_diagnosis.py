"""Diagnoses: each kind of mistake is named, and what is not known is said to be unknown."""

import numpy as np
import pytest

import tinygrad_poly as tg
from tinygrad_poly.checking import check_gradients

X, Y = np.array([1.0, 2.0, 3.0, 5.0]), np.array([2.0, 1.0, 4.0, 3.0])
DATA = np.random.default_rng(0).standard_normal((5, 3))
W, B = np.random.default_rng(1).standard_normal((3, 3)), np.random.default_rng(2).standard_normal(3)


def cost(W, x, y):
    return np.mean((W * x - y) ** 2)


def layer(W, b, X):
    return np.mean(np.tanh(X @ W + b) ** 2)


def backward(W, b, X, slope=lambda h: 1 - h * h, total=lambda d: d.sum(0)):
    h = np.tanh(X @ W + b)
    d = 2 * h / h.size * slope(h)
    return X.T @ d, total(d)


def two_terms(a):
    return np.sum(a**3 + np.sin(a))


def softmax(z):
    return np.exp(z) / np.exp(z).sum()


CASES = {
    "factor": (cost, lambda W, x, y: np.sum((W * x - y) * x), 0.5, X, Y),
    "sign": (cost, lambda W, x, y: -2 * np.mean((W * x - y) * x), 0.5, X, Y),
    "sum-for-mean": (cost, lambda W, x, y: 2 * np.sum((W * x - y) * x), 0.5, X, Y),
    "mean-for-sum": (layer, lambda W, b, X: backward(W, b, X, total=lambda d: d.mean(0)), W, B, DATA),
    "missing-chain-factor": (layer, lambda W, b, X: backward(W, b, X, lambda h: 1), W, B, DATA),
    "missing-sum": (layer, lambda W, b, X: backward(W, b, X, total=lambda d: d), W, B, DATA),
    "wrong-axis": (layer, lambda W, b, X: backward(W, b, X, total=lambda d: d.sum(1)), W, B, DATA[:3]),
    "transposed": (layer, lambda W, b, X: backward(W, b, X)[0].T, W, B, DATA),
    "detached": (cost, lambda W, x, y: 0.0, 0.5, X, Y),
    "one-row": (cost, lambda W, x, y: 2 * (W * x[0] - y[0]) * x[0], 0.5, X, Y),
    "float32": (cost, lambda W, x, y: 2 * np.mean(((W * x - y) * x).astype("float32")), 0.5, X, Y),
    "swapped": (lambda a, c: np.sum(a * c * c), lambda a, c: (2 * a * c, c * c), X, Y),
    "missing-term": (two_terms, lambda a: 3 * a**2, X),
    "counted-twice": (two_terms, lambda a: 3 * a**2 + 2 * np.cos(a), X),
    "term-sign": (two_terms, lambda a: 3 * a**2 - np.cos(a), X),
    "diagonal-only": (softmax, lambda z, cotangent: softmax(z) * (1 - softmax(z)) * cotangent, X / 2),
    "unclassified": (two_terms, np.exp, X),
}


@pytest.mark.parametrize("code", CASES)
def test_a_mistake_is_named(code):
    report = check_gradients(*CASES[code])
    assert report.verdict == "fail"
    assert {d.code for d in report.diagnosis} == {code}


def test_gradients_of_each_other_are_exchanged_though_one_lacks_a_factor_too():
    def line(W, b):
        return np.mean((W * X + b - Y) ** 2)

    def gradient(W, b):
        return 2 * np.mean(W * X + b - Y), 2 * np.mean((W * X + b - Y) * X)

    assert [d.code for d in check_gradients(line, gradient, 0.3, 0.5).diagnosis] == ["swapped", "swapped"]


def test_a_second_point_keeps_what_is_symmetric():
    S = DATA.T @ DATA
    loss, gradient = lambda S: B @ np.linalg.inv(S) @ B, lambda S: -np.outer(*2 * [np.linalg.inv(S) @ B])
    assert check_gradients(loss, gradient, S).verdict == "pass"


def test_a_factor_is_followed_through_batch_sizes():
    (found,) = check_gradients(*CASES["factor"]).diagnosis
    assert str(found) == (
        "grad[W] is m/2 times the true gradient (m = 4: 2, m = 3: 3/2, m = 2: 1)\n  Fix: multiply by 2/m"
    )


def predicted(W):
    return W * X


@pytest.mark.parametrize("data", [np.array, list, tg.tensor], ids=["array", "list", "tensor"])
def test_data_beside_the_arguments_is_cut_too(data):
    y = data(Y)
    given = tg.tensor(0.5, dtype=tg.float64) if data is tg.tensor else 0.5

    def loss(W):
        d = predicted(W) - (np.array(y) if data is list else y)
        return (d * d).mean()

    def gradient(W, x=X):
        return ((predicted(W) - (np.array(y) if data is list else y)) * x).sum()

    (found,) = check_gradients(loss, gradient, given).diagnosis
    assert found.numbers["batch"] == " (m = 4: 2, m = 3: 3/2, m = 2: 1)"
    assert len(X) == len(y) == 4


def test_data_whose_length_is_written_elsewhere_is_not_cut():
    m = len(X)
    (found,) = check_gradients(
        lambda W: np.mean((predicted(W) - Y) ** 2), lambda W: np.sum((predicted(W) - Y) * X) / m, 0.5
    ).diagnosis
    assert (found.numbers["ratio"], found.numbers["batch"]) == ("1/2", "")


def test_what_is_kept_from_call_to_call_is_found():
    kept, total, begun = [], [0.0], [-2 * X]

    def stale(a):
        kept.append(2 * a)
        return kept[0]

    def accumulated(a):
        total[0] = total[0] + 2 * a
        return total[0]

    def right_at_the_second_call(a):
        begun[0] = begun[0] + 2 * a
        return begun[0]

    wrong = {stale: "stale", accumulated: "accumulated", right_at_the_second_call: "accumulated"}
    for gradient, code in wrong.items():
        (found,) = check_gradients(lambda a: np.sum(a**2), gradient, X).diagnosis
        assert found.code == code


def test_one_wrong_number_alone_is_not_called_a_factor():
    (found,) = check_gradients(cost, -2.2345, 0.5, X, Y).diagnosis
    assert found.code == "unclassified"


def test_a_gradient_of_one_number_for_a_plain_number_has_the_wrong_shape():
    report = check_gradients(lambda a, x: a * x[0] ** 2, lambda a, x: x**2, 0.5, X[:1])
    assert (report.verdict, report.findings[0].reason) == ("fail", "shape")


def test_what_looks_like_a_factor_for_these_data_alone_is_not_called_one():
    (found,) = check_gradients(lambda x, c: np.sum(c[0] * x * x), lambda x, c: 2 * x, X, np.array([3.0])).diagnosis
    assert found.code == "missing-chain-factor"
    (found,) = check_gradients(lambda x: x * x, lambda x, g: 2 * x, X[:1]).diagnosis
    assert found.code == "missing-chain-factor"


def test_a_loss_that_takes_no_fewer_rows_is_diagnosed_all_the_same():
    def convolution(x, w, c):
        return np.sum(c[2:] * (w[0] * x[:-2] + w[1] * x[1:-1] + w[2] * x[2:]))

    def gradient(x, w, c):
        g = [c[2:] * k for k in w]
        return 2 * (np.pad(g[0], (0, 2)) + np.pad(g[1], (1, 1)) + np.pad(g[2], (2, 0)))

    (found,) = check_gradients(convolution, gradient, np.arange(5.0), B, np.arange(1.0, 6.0)).diagnosis
    assert (found.code, found.numbers["ratio"], found.sure) == ("factor", "2", True)


def test_only_what_nothing_else_explains_is_certain():
    report = check_gradients(lambda x: np.sum(x[1:] + 2 * x[:-1]), lambda x: np.array([0.0, 1.0]), X[:2])
    assert not report.diagnosis[0].sure


def test_float32_is_seen_in_most_numbers_though_some_cancel():
    A, c = np.random.default_rng(3).standard_normal((6, 3)), np.random.default_rng(4).standard_normal((3, 3))

    def through_float32(A):
        return (A.astype(np.float32) @ (c + c.T).astype(np.float32)).astype(np.float64)

    (found,) = check_gradients(lambda A: np.sum(c * (A.T @ A)), through_float32, A).diagnosis
    assert found.code == "float32"


def test_a_factor_of_a_product_that_is_not_transposed_is_named():
    A, V = W[:, ::-1] + 1, DATA[:3] * 2
    (found,) = check_gradients(
        lambda A: np.sum(np.tanh(A @ W) * V), lambda A: ((1 - np.tanh(A @ W) ** 2) * V) @ W, A
    ).diagnosis
    assert (found.code, found.numbers["where"].split()[0]) == ("transposed", "Mm")


def tanh_sum(w, x):
    return np.sum(np.tanh(x * w) * Y)


def shares(x):
    e = np.exp(x - x.max())
    return np.sum(Y * e / e.sum())


def steps(x):
    return np.sum((x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def of_steps(x):
    t = x[1:] - x[:-1] ** 2
    return np.pad(-4 * x[:-1] * t - 2 * (1 - x[:-1]), (0, 1)), np.pad(2 * t, (1, 0))


INSIDE = {
    "a term of a slope with the wrong sign": (
        "term-sign", tanh_sum, lambda w, x: np.sum(Y * (1 + np.tanh(x * w) ** 2) * x), 0.3, X,
    ),
    "a term of a slope left out": (
        "missing-term", tanh_sum, lambda w, x: np.sum(Y * -(np.tanh(x * w) ** 2) * x), 0.3, X,
    ),
    "a power of a slope too few": (
        "missing-chain-factor", tanh_sum, lambda w, x: np.sum(Y * (1 - np.tanh(x * w)) * x), 0.3, X,
    ),
    "a sum beside a maximum that is a constant for readers": (
        "missing-sum", shares, lambda x: softmax(x) * Y - softmax(x) * (softmax(x) * Y), X / 2,
    ),
    "a term of two ways through the program": (
        "counted-twice", steps, lambda x: 2 * of_steps(x)[0] + of_steps(x)[1], X / 3,
    ),
    "a numerator": (
        "missing-chain-factor", lambda x: np.sum(np.arctan(x / Y)), lambda x: 1 / (x * x + Y * Y), X,
    ),
    "a denominator": (
        "missing-chain-factor", lambda x: np.sum(np.arctan(x / Y)), lambda x: Y, X,
    ),
    "half of a product with itself": (
        "term-factor", lambda w: np.sum(np.sin(w)) + 3 * np.sum(w * w), lambda w: np.cos(w) + 3 * w, X,
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", INSIDE)
def test_a_mistake_inside_of_an_expression_is_named(mistake):
    code, *case = INSIDE[mistake]
    (found,) = check_gradients(*case).diagnosis
    assert found.code == code


def test_a_factor_at_a_kink_is_not_called_float32():
    x, c = np.array([0.0, 1.0, -2.0, 0.0, 3.0]), np.array([2.0, 1.0, -3.0, 4.0, 2.0])
    report = check_gradients(lambda x: np.maximum(x, 0), lambda x, g: g * (x > 0) * (1 + 1e-6), x, cotangent=c)
    assert "float32" not in [d.code for d in report.diagnosis]


def test_a_factor_that_only_other_ways_have_is_not_called_missing():
    p, t = X / 6, Y / 5
    report = check_gradients(
        lambda p, t: -np.sum(t * np.log(p) + (1 - t) * np.log(1 - p)), lambda p, t: (1 - 2 * t) / (1 - p) - t / p, p, t
    )  # which is (1 - t) / (1 - p) - t / p / (1 - p)
    assert [d.code for d in report.diagnosis] == ["unclassified"]


def normed(x):
    d = x - x.mean()
    return d / np.sqrt((d * d).mean() + 1)


def of_normed(x, g, mean=np.mean):
    d, u = x - x.mean(), normed(x)
    return (g - mean(g) - u * (g * u).mean()) / np.sqrt((d * d).mean() + 1)


def test_a_gradient_that_has_cancelled_down_to_rounding_is_no_factor_and_no_term():
    (found,) = check_gradients(normed, lambda x, g: of_normed(x, 1.0), DATA[:, 0]).diagnosis
    assert found.code == "unclassified"


def test_one_place_below_another_is_not_a_second_term():
    (found,) = check_gradients(normed, lambda x, g: of_normed(x, g, lambda g: 3 * g.mean()), X).diagnosis
    assert (found.code, found.numbers["ratio"]) == ("term-factor", "3")


def test_a_gradient_of_0_that_may_have_been_kept_or_lacks_its_cotangent_is_only_likely_detached():
    x, y, c = np.array([1.0, 5.0]), np.array([1.0, -1.0]), np.array([2.0, -1.0])
    # One margin is wide here; where all are, this gradient is 0.
    hinge = check_gradients(lambda w, x, y: np.sum(np.maximum(0, 1 - y * w * x)), lambda w, x, y: 0.0 * w, -0.3, x, y)
    ones = check_gradients(softmax, lambda z, g: 0.0 * z, x, cotangent=c)  # the rows of this Jacobian add up to 0
    cut = check_gradients(cost, lambda W, x, y: 0.0 * W, 0.4, X, Y)
    found = [d for report in (hinge, ones, cut) for d in report.diagnosis]
    assert [(d.code, d.sure) for d in found] == [("detached", False), ("detached", False), ("detached", True)]


def test_an_answer_that_never_changes_is_not_certain_to_be_a_rearranged_one():
    q = np.array([0.25, -0.75, 0.25])
    report = check_gradients(lambda p, q: np.sum(q * p), lambda p, q: np.array([-0.75, 0.25, 0.25]), X[:3], q)
    assert not any(d.sure for d in report.diagnosis)
