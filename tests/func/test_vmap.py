"""`vmap`: a function of one example on a batch, as in torch, inside and outside of the other transforms."""

import pytest
import torch

import tinygrad_poly as tg
from tinygrad_poly import func
from tinygrad_poly.engine.errors import ShapeError

from ..helpers import both

X = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
CASES = {
    "all arguments": (lambda a, b: a * b.sum(), {}, lambda m: (m.tensor(X), m.tensor(X))),
    "a shared argument": (lambda a, b: a * b, {"in_dims": (0, None)}, lambda m: (m.tensor(X), m.tensor([1.0, 2.0]))),
    "another dimension": (lambda a: a.sum(), {"in_dims": 1}, lambda m: (m.tensor(X),)),
    "the last dimension": (lambda a: a * 2, {"in_dims": -1, "out_dims": -1}, lambda m: (m.tensor(X),)),
    "several results": (lambda a: (a, {"k": a}), {"out_dims": (1, 0)}, lambda m: (m.tensor(X),)),
    "containers": (
        lambda p, k: p["a"] * p["b"][0] + k,
        {"in_dims": ({"a": 0, "b": None}, None)},
        lambda m: ({"a": m.tensor(X), "b": [m.tensor([1.0, 2.0])]}, 3),
    ),
    "a result of nothing": (lambda a: (a, None)[0], {}, lambda m: (m.tensor(X),)),
}


def flat(tree):
    if isinstance(tree, dict):
        return {key: flat(value) for key, value in tree.items()}
    return [flat(part) for part in tree] if isinstance(tree, tuple) else tree.tolist()


@pytest.mark.parametrize(("f", "options", "arguments"), CASES.values(), ids=CASES)
def test_a_batch_is_mapped_as_by_torch(f, options, arguments):
    assert flat(func.vmap(f, **options)(*arguments(tg))) == flat(torch.func.vmap(f, **options)(*arguments(torch)))


@both
def test_keyword_arguments_are_shared_by_all_examples(m):
    found = m.vmap(lambda a, k: a * k)(m.tensor([1.0, 2.0]), k=m.tensor([3.0, 4.0]))
    assert found.tolist() == [[3.0, 4.0], [6.0, 8.0]]


@pytest.mark.parametrize("m", [tg, pytest.param(torch, marks=pytest.mark.slow)], ids=["tinygrad_poly", "torch"])
def test_the_gradient_of_each_example(m):
    grad, vmap = (func.grad, func.vmap) if m is tg else (torch.func.grad, torch.func.vmap)

    def loss(w, x, y):
        return ((w * x).sum() - y) ** 2

    w, x, y = m.tensor([1.0, 2.0]), m.tensor(X), m.tensor([1.0, 2.0, 3.0])
    assert vmap(grad(loss), in_dims=(None, 0, 0))(w, x, y).tolist() == [[8.0, 16.0], [54.0, 72.0], [140.0, 168.0]]
    total = grad(lambda w: vmap(loss, in_dims=(None, 0, 0))(w, x, y).sum())(w)
    assert total.tolist() == [202.0, 256.0]
    nested = vmap(vmap(lambda a, b: a * b, in_dims=(None, 0)), in_dims=(0, None))(x[:, 0], y)
    assert nested.tolist() == [[1.0, 2.0, 3.0], [3.0, 6.0, 9.0], [5.0, 10.0, 15.0]]


def test_gradients_flow_through_on_the_tape_and_in_a_program():
    x = tg.tensor(X, requires_grad=True)
    func.vmap(lambda a: (a**2).sum())(x).sum().backward()
    assert x.grad.tolist() == [[2.0, 4.0], [6.0, 8.0], [10.0, 12.0]]
    assert tg.compile(func.vmap(lambda a: (a**2).sum()))(x).tolist() == [5.0, 25.0, 61.0]


@both
def test_random_numbers_are_an_error_the_same_or_different(m):
    f, x = lambda a: a * 0 + m.rand(2), m.tensor(X)
    with pytest.raises(RuntimeError, match="random"):
        m.vmap(f)(x)
    same = m.vmap(f, randomness="same")(x)
    assert same[0].tolist() == same[1].tolist() == same[2].tolist()
    different = m.vmap(f, randomness="different")(x)
    assert different[0].tolist() != different[1].tolist()


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((tg.tensor(X),), {"in_dims": 2}, r"in_dim 2 does not exist in an argument of shape \(3, 2\)"),
        ((tg.tensor(X), tg.ones(2)), {}, r"one size in all arguments.*\[2, 3\]"),
        ((3.0,), {}, "only tensors have a batch, not float; give None"),
        ((tg.ones(0, 2),), {}, "1 or more examples"),
        ((tg.ones(2),), {"in_dims": None}, "one size in all arguments"),
        ((tg.ones(2),), {"in_dims": (0, 0)}, r"in_dims \(0, 0\) does not fit the structure of the arguments"),
        ((tg.ones(2),), {"out_dims": (0, 0)}, r"out_dims \(0, 0\) does not fit the structure of the result"),
    ],
    ids=["no such dimension", "sizes", "number", "no example", "no batch", "in_dims", "out_dims"],
)
def test_batches_that_do_not_fit_are_errors(arguments, options, message):
    with pytest.raises(ShapeError, match=message):
        func.vmap(lambda *args: args[0], **options)(*arguments)


def test_results_that_are_no_tensors_and_unknown_words_are_errors():
    with pytest.raises(ShapeError, match="must return tensors, and it returned float"):
        func.vmap(lambda a: 3.0)(tg.ones(2))
    with pytest.raises(ValueError, match="randomness is 'error', 'different' or 'same', not 'some'"):
        func.vmap(lambda a: a, randomness="some")
