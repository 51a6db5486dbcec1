"""Which losses are sums and means over the points, as read off their programs; and what their parts add up to."""

import numpy as np
import pytest

import tinygrad_poly as tg
from tinygrad_poly.compiler.moments.blockwise import NotAdditive, parts
from tinygrad_poly.compiler.trace.program import Program
from tinygrad_poly.compiler.trace.symbols import placeholder
from tinygrad_poly.engine.apply import wrap
from tinygrad_poly.engine.walk import leaf

FEATURES = 3
N, OTHER = 7, 13
SHAPES = {"w": (FEATURES,), "b": (), "V": (FEATURES, 2)}


def error(p, x, y):
    return x @ p["w"] + p["b"] - y


def hidden(p, x, y):
    """Two features of each point, of which one is picked."""
    h = tg.relu(x @ p["V"])
    return h[:, 0] * p["w"][1] - y


# For each loss the parts of its value: whether a sum over the points, and the power of their number.
SUM, MEAN, ALONE = (True, 0), (True, -1), (False, 0)
ADDITIVE = {
    "sum": (lambda p, x, y: error(p, x, y).pow(2).sum(), {SUM}),
    "mean": (lambda p, x, y: error(p, x, y).pow(2).mean(), {MEAN}),
    "mse_loss": (lambda p, x, y: tg.nn.functional.mse_loss(error(p, x, y), 0 * y), {MEAN}),
    "over N": (lambda p, x, y: error(p, x, y).abs().sum() / len(x), {MEAN}),
    "over N inside": (lambda p, x, y: (error(p, x, y).pow(2) / len(x)).sum(), {MEAN}),
    "over N twice": (lambda p, x, y: error(p, x, y).pow(2).mean() / len(x), {(True, -2)}),
    "ridge": (lambda p, x, y: error(p, x, y).pow(2).mean() + 0.1 * p["w"].pow(2).sum(), {MEAN, ALONE}),
    "sum and mean": (lambda p, x, y: error(p, x, y).pow(2).sum() + 3 * error(p, x, y).mean(), {SUM, MEAN}),
    "both in brackets": (lambda p, x, y: 2 * (error(p, x, y).sum() - p["b"]) / p["b"].exp(), {SUM, ALONE}),
    "likelihood": (
        lambda p, x, y: len(x) * p["b"] + (error(p, x, y).pow(2) * tg.exp(-2 * p["b"])).sum() / 2,
        {SUM, (False, 1)},
    ),
    "scaled by weights": (lambda p, x, y: tg.exp(p["b"]) * error(p, x, y).pow(2).sum(), {SUM}),
    "features": (lambda p, x, y: (x * p["w"]).pow(2).sum(1).sqrt().sum() + (x * p["w"]).mean(), {SUM, MEAN}),
    "softmax of features": (lambda p, x, y: (tg.log_softmax(x * p["w"], 1)[:, 0] * y).mean(), {MEAN}),
    "network": (lambda p, x, y: hidden(p, x, y).pow(2).mean(), {MEAN}),
    "all of them": (lambda p, x, y: error(p, x, y)[0:].pow(2).mean(), {MEAN}),
    "columns": (lambda p, x, y: ((x @ p["V"]).sum(1, keepdim=True) - y.reshape(-1, 1)).pow(2).mean(), {MEAN}),
    "side by side": (lambda p, x, y: (tg.stack([y, y * y], 1) @ p["w"][:2]).tanh().sum(), {SUM}),
    "flattened": (lambda p, x, y: (x * p["w"]).reshape(-1).exp().mean(), {MEAN}),
    "transposed": (lambda p, x, y: (p["w"] @ x.T - y).pow(2).sum(), {SUM}),
    "where": (lambda p, x, y: tg.where(y > 0, error(p, x, y), 0.0).mean() + p["w"].norm(), {MEAN, ALONE}),
    "a weight is used for nothing": (lambda p, x, y: (x * p["w"]).sum(), {SUM}),
    "a constant": (lambda p, x, y: (x * p["w"]).sum() + 1.5, {SUM, ALONE}),
}

NOT_ADDITIVE = {
    "max": (lambda p, x, y: error(p, x, y).max(), "max runs over the points"),
    "root of a mean": (lambda p, x, y: error(p, x, y).pow(2).mean().sqrt(), "sqrt is taken of a sum over the points"),
    "square of a sum": (lambda p, x, y: error(p, x, y).sum() ** 2, "multiply is taken of two sums"),
    "ratio": (lambda p, x, y: error(p, x, y).pow(2).sum() / y.pow(2).sum(), "divide is taken by a sum"),
    "variance": (lambda p, x, y: error(p, x, y).var(), r"subtract of shape \(\d+,\) brings each point together"),
    "norm": (lambda p, x, y: error(p, x, y).norm(), "max of shape .* runs over the points"),
    "N - 1": (lambda p, x, y: error(p, x, y).pow(2).sum() / (len(x) - 1), "not proportional to a power"),
    "differences": (lambda p, x, y: (error(p, x, y)[1:] - error(p, x, y)[:-1]).pow(2).sum(), "by their place"),
    "one point": (lambda p, x, y: error(p, x, y)[0], "by their place"),
    "the first ones": (lambda p, x, y: error(p, x, y)[:N].sum(), "by their place"),
    "every other": (lambda p, x, y: error(p, x, y)[::2].sum(), "by their place"),
    "pairs": (lambda p, x, y: (error(p, x, y)[:, None] - y[None, :]).abs().mean(), "together with other points"),
    "sorted": (lambda p, x, y: error(p, x, y).sort().values.cumsum(0).sum(), "might bring points together"),
    "cumulated": (
        lambda p, x, y: error(p, x, y).cumsum(0).sum(),
        "cumulative_sum of shape .* might bring points together",
    ),
    "numbered": (lambda p, x, y: (error(p, x, y) * tg.arange(len(x))).sum(), "a constant"),
    "taken apart": (lambda p, x, y: (x.T.reshape(-1) * x.reshape(-1)).sum() * p["b"], "takes points apart"),
    "one after the other": (lambda p, x, y: tg.cat([y, y * p["b"]]).sum(), "puts points behind points"),
    "another loss for few": (
        lambda p, x, y: error(p, x, y).sum() if len(x) < 12 else error(p, x, y).exp().sum(),
        "another number of points",
    ),
    "rounded": (lambda p, x, y: tg.round(error(p, x, y).sum()), "rint is taken of a sum"),
}


def outputs(loss, weights, x, y):
    tensors = {name: wrap(w, leaf(w)) for name, w in weights.items()}
    value = loss(tensors, wrap(x, None), wrap(y, None))
    gradients = tg.grad(value, list(tensors.values()), allow_unused=True)
    zeros = (np.zeros(shape) for shape in SHAPES.values())
    return [value.array, *(zero if g is None else g.array for g, zero in zip(gradients, zeros, strict=True))]


def found(loss, n=N, other=OTHER):
    weights = {name: placeholder(name, shape, "float64") for name, shape in SHAPES.items()}
    x, longer_x = (placeholder("x", (k, FEATURES), "float64") for k in (n, other))
    y, longer_y = (placeholder("y", (k,), "float64") for k in (n, other))
    here, there = outputs(loss, weights, x, y), outputs(loss, weights, longer_x, longer_y)
    return [x, y, *weights.values()], parts(here, there, {x: longer_x, y: longer_y}, n, other)


@pytest.mark.parametrize("name", ADDITIVE)
def test_the_parts_of_a_loss_are_told_by_its_program(name):
    loss, expected = ADDITIVE[name]
    _, (value, *_) = found(loss)
    assert set(value) == expected


@pytest.mark.parametrize("name", ADDITIVE)
def test_parts_of_blocks_add_up_to_the_loss_and_gradients_of_the_whole(name):
    """On small whole numbers, as far as a loss is a polynomial; otherwise within the roundings of a few terms."""
    loss, _ = ADDITIVE[name]
    rng = np.random.default_rng(0)
    x, y = rng.integers(-4, 5, (20, FEATURES)) / 4, rng.integers(-4, 5, 20) / 4
    weights = [rng.integers(1, 5, shape) / 4 for shape in SHAPES.values()]
    total = [0.0] * 4
    for number, block in enumerate(np.split(np.arange(20), [7, 9])):
        inputs, each = found(loss, len(block), 13 + len(block))
        given = dict(zip(inputs, [x[block], y[block], *weights], strict=True))
        for i, of_output in enumerate(each):
            for (summed, p), symbol in of_output.items():
                if summed or not number:
                    (share,) = Program.of(inputs, [symbol]).run(given) if hasattr(symbol, "inputs") else (symbol,)
                    total[i] = total[i] + (20 / len(block)) ** p * share
    leaves = {name: tg.tensor(w, requires_grad=True) for name, w in zip(SHAPES, weights, strict=True)}
    value = loss(leaves, tg.tensor(x), tg.tensor(y))
    gradients = tg.grad(value, list(leaves.values()), allow_unused=True)
    for whole, ours in zip((value, *gradients), total, strict=True):
        expected = np.zeros(np.shape(ours)) if whole is None else whole.detach().numpy()
        # 20 terms below 100 in size, of fewer than 100 roundings each.
        np.testing.assert_allclose(ours, expected, rtol=0, atol=20 * 100 * 100 * 2.0**-53)


@pytest.mark.parametrize("name", NOT_ADDITIVE)
def test_any_other_loss_is_refused_with_the_operation_that_is_in_the_way(name):
    loss, message = NOT_ADDITIVE[name]
    with pytest.raises(NotAdditive, match=message):
        found(loss)


@pytest.mark.parametrize("n", [FEATURES, 2, 1000])
def test_a_length_that_is_that_of_something_else_confuses_nothing(n):
    _, (value, *gradients) = found(ADDITIVE["ridge"][0], n, 13)
    assert set(value) == {MEAN, ALONE}
    assert [set(g) for g in gradients] == [{MEAN, ALONE}, {MEAN}, {ALONE}]
