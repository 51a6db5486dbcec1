"""`grad` and `backward`: walks from several outputs, and gradients asked for by name."""

import numpy as np
import pytest
import torch

import tinygrad_poly as tg
from tinygrad_poly.engine.apply import apply_operation
from tinygrad_poly.engine.errors import DtypeError, GraphError, ShapeError
from tinygrad_poly.engine.operation import Operation

from .helpers import both, leaf


def grad(m, *arguments, **options):
    return m.autograd.grad(*arguments, **options)


def values(gradients):
    return [None if g is None else g.tolist() for g in gradients]


@both
def test_grad_returns_gradients_and_leaves_grad_alone(m):
    a, b = leaf(m, [1.0, 2.0]), leaf(m, 3.0)
    a.sum().backward()
    assert values(grad(m, (a * b).sum(), [a, b])) == [[3.0, 3.0], 3.0]
    assert a.grad.tolist() == [1.0, 1.0]
    assert b.grad is None


@both
def test_one_input_may_stand_alone(m):
    a = leaf(m, 3.0)
    assert values(grad(m, a * a, a)) == [6.0]


@both
def test_several_outputs_are_added_with_their_cotangents(m):
    a = leaf(m, [1.0, 2.0])
    outputs = [a * a, (a * 3).sum(), a * 5]
    v = [m.tensor([1.0, 10.0]), None, m.tensor([2.0, 4.0])]
    assert values(grad(m, outputs, a, v)) == [[2.0 + 3.0 + 10.0, 40.0 + 3.0 + 20.0]]


@both
def test_an_output_may_be_named_twice(m):
    a = leaf(m, 3.0)
    y = a * a
    assert values(grad(m, [y, y], a)) == [12.0]


@both
def test_an_output_may_be_an_ancestor_of_another(m):
    a = leaf(m, 3.0)
    inner = a * a
    outer = inner * 5
    assert values(grad(m, [outer, inner], [a, inner])) == [36.0, 6.0]


@both
def test_an_output_may_be_the_input(m):
    a = leaf(m, 3.0)
    assert values(grad(m, a, a)) == [1.0]
    y = a * a
    assert values(grad(m, y, y)) == [1.0]


@both
def test_inputs_need_not_be_leaves(m):
    a = leaf(m, 2.0)
    h = a * a
    y = h * h + h
    assert values(grad(m, y, [h, a], retain_graph=True)) == [9.0, 36.0]
    assert values(grad(m, y, h)) == [9.0]


@both
def test_what_lies_below_the_inputs_is_neither_walked_nor_freed(m):
    a = leaf(m, 2.0)
    h = a * a
    assert values(grad(m, h * 3, h)) == [3.0]
    assert values(grad(m, h, a)) == [4.0]


@both
def test_an_unused_input_is_an_error_unless_allowed(m):
    a, b = leaf(m, 2.0), leaf(m, 3.0)
    with pytest.raises(RuntimeError, match="allow_unused=True"):
        grad(m, a * a, [a, b])
    assert values(grad(m, a * a, [a, b], allow_unused=True)) == [4.0, None]


@both
def test_an_input_that_does_not_require_grad_is_an_error(m):
    a = leaf(m, 2.0)
    with pytest.raises(RuntimeError, match="require grad"):
        grad(m, a * a, m.tensor(1.0))


@both
def test_an_output_without_a_graph_is_an_error(m):
    with pytest.raises(RuntimeError, match="require"):
        grad(m, m.tensor(1.0), leaf(m, 2.0))


@both
def test_the_graph_is_freed_unless_retained(m):
    a = leaf(m, 2.0)
    y = a * a
    grad(m, y, a, retain_graph=True)
    grad(m, y, a)
    with pytest.raises(RuntimeError, match="retain_graph=True"):
        grad(m, y, a)


@both
def test_create_graph_keeps_the_graph(m):
    a = leaf(m, 2.0)
    y = a**3
    (first,) = grad(m, y, a, create_graph=True)
    (second,) = grad(m, first, a, create_graph=True)
    (third,) = grad(m, second, a)
    assert values([first, second, third]) == [12.0, 12.0, 6.0]
    assert values(grad(m, y, a)) == [12.0]


@both
def test_gradients_without_create_graph_are_constants(m):
    a = leaf(m, 2.0)
    (gradient,) = grad(m, a * a, a)
    assert not gradient.requires_grad
    (gradient,) = grad(m, a * a, a, create_graph=True)
    assert gradient.requires_grad
    assert not gradient.is_leaf


@pytest.mark.filterwarnings("ignore:Using backward")
@both
def test_backward_with_create_graph_puts_differentiable_gradients_into_leaves(m):
    a = leaf(m, 2.0)
    (a**3).backward(create_graph=True)
    assert a.grad.item() == 12.0
    assert values(grad(m, a.grad, a)) == [12.0]
    a.grad = None  # a leaf holding its own graph is a cycle, in torch too


@both
def test_a_gradient_penalty_trains(m):
    w, x = leaf(m, [2.0, 3.0]), leaf(m, [1.0, 4.0])
    (slope,) = grad(m, (w * w * x).sum(), x, create_graph=True)  # w²
    (slope * slope).sum().backward()  # w⁴
    assert w.grad.tolist() == [32.0, 108.0]


def test_gradients_of_two_inputs_never_share_a_tensor():
    a, b = leaf(tg, 2.0), leaf(tg, 3.0)
    for create_graph in (False, True):
        first, second = tg.grad(a + b, [a, b], create_graph=create_graph)
        first += 10
        assert (first.item(), second.item()) == (11.0, 1.0)


def test_only_the_way_to_the_inputs_is_computed():
    calls = []

    def rule(name):
        def counted(g, x, label):
            calls.append((label, name))
            return g

        return counted

    # An operation of two inputs that tells which of its rules were called, and for which label.
    tell = Operation("Tell", lambda a, b, label: a + b, lambda g, a, b, label: rule("left")(g, a, label),
                     lambda g, a, b, label: rule("right")(g, b, label))  # fmt: skip
    a, b, c = leaf(tg, 1.0), leaf(tg, 2.0), leaf(tg, 3.0)
    ab = apply_operation(tell, a, b, "ab")
    bc = apply_operation(tell, b, c, "bc")
    y = apply_operation(tell, ab, bc, "y")
    assert values(tg.grad(y, a, retain_graph=True)) == [1.0]
    assert calls == [("y", "left"), ("ab", "left")]
    calls.clear()
    assert values(tg.grad(y, ab, retain_graph=True)) == [1.0]
    assert calls == [("y", "left")]
    calls.clear()
    assert values(tg.grad([y, bc], c, retain_graph=True)) == [2.0]
    assert calls == [("y", "right"), ("bc", "right")]
    calls.clear()
    d = apply_operation(tell, ab.detach(), b, "constant")
    d.backward()
    assert calls == [("constant", "right")]


def test_an_output_that_leads_to_no_input_is_left_alone():
    a, b = leaf(tg, 2.0), leaf(tg, 3.0)
    used, freed = a * a, b * b
    freed.backward()
    assert values(tg.grad([used, freed], a)) == [4.0]


def test_cotangents_must_fit_the_outputs():
    a = leaf(tg, [1.0, 2.0])
    with pytest.raises(ShapeError, match=r"\(3,\).*\(2,\)"):
        tg.grad(a * a, a, tg.zeros(3))
    with pytest.raises(GraphError, match="2 outputs but 1"):
        tg.grad([a * a, a * 2], a, [tg.zeros(2)])
    with pytest.raises(GraphError, match=r"shape \(2,\)"):
        tg.grad(a * a, a)
    with pytest.raises(DtypeError, match="must be tensors, not"):
        tg.grad(a * a, [1.0])


@both
def test_backward_adds_the_gradients_of_several_tensors(m):
    a, b = leaf(m, [1.0, 2.0]), leaf(m, 3.0)
    shared = a * b
    tensors = [shared * shared, shared.sum(), a]
    m.autograd.backward(tensors, [m.tensor([1.0, 10.0]), None, m.tensor([100.0, 1000.0])])
    assert a.grad.tolist() == [2.0 * 9 + 3 + 100, 20.0 * 2 * 9 + 3 + 1000]
    assert b.grad.item() == 2.0 * 3 + 20 * 4 * 3 + 3
    m.autograd.backward(b * 2)
    assert b.grad.item() == 2.0 * 3 + 20 * 4 * 3 + 3 + 2


@both
def test_backward_from_several_tensors_walks_once_what_they_share(m):
    a = leaf(m, 3.0)
    shared = a * a
    m.autograd.backward((shared * 2, shared * 5))  # a walk from each would need retain_graph
    assert a.grad.item() == 42.0
    with pytest.raises(RuntimeError, match="retain_graph=True"):
        m.autograd.backward([shared])


@both
def test_backward_may_name_a_tensor_twice_and_one_that_another_was_made_of(m):
    a = leaf(m, 3.0)
    inner = a * a
    m.autograd.backward([inner, inner * 5, inner])
    assert a.grad.item() == 42.0


@pytest.mark.filterwarnings("ignore:Using backward")
@both
def test_backward_keeps_or_records_the_graph_where_asked(m):
    a = leaf(m, 2.0)
    y = a**3
    m.autograd.backward(y, retain_graph=True)
    m.autograd.backward(y, create_graph=True)
    assert values(grad(m, a.grad, a)) == [12.0]
    a.grad = None


@both
@pytest.mark.parametrize(
    ("tensors", "cotangents", "message"),
    [
        (lambda a: [a * a], None, "scalar"),
        (lambda a: [a.sum()], [], "1 tensors"),
        (lambda a: [a.sum(), a.detach().sum()], None, "require"),
    ],
)
def test_backward_from_what_has_no_gradient_changes_none(m, tensors, cotangents, message):
    a = leaf(m, [1.0, 2.0])
    with pytest.raises(RuntimeError, match=message):
        m.autograd.backward(tensors(a), cotangents)
    assert a.grad is None


def test_backward_says_what_does_not_fit():
    a = leaf(tg, [1.0, 2.0])
    with pytest.raises(ShapeError, match=r"\(3,\).*\(2,\)"):
        tg.autograd.backward(a * a, tg.zeros(3))
    with pytest.raises(DtypeError, match=r"backward\(\): tensors must be tensors, not float"):
        tg.autograd.backward([1.0])
    with pytest.raises(DtypeError, match=r"backward\(\): grad_tensors must be tensors, not float"):
        tg.autograd.backward(a * a, [1.0])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_hessian_of_a_small_network_is_torchs(dtype):
    rng = np.random.default_rng(5)
    start = [rng.standard_normal(shape).astype(dtype) for shape in [(3, 4), (4,), (4, 1)]]
    x = rng.standard_normal((5, 3)).astype(dtype)
    hessians = []
    for m in (tg, torch):
        weights = [m.tensor(w, requires_grad=True) for w in start]
        hidden = m.tanh(m.tensor(x) @ weights[0] + weights[1])
        loss = ((hidden @ weights[2]).sin() * 2 - 1).pow(2).mean()
        slopes = grad(m, loss, weights, create_graph=True)
        v = [m.tensor(np.cos(w)) for w in start]
        hessians.append([g.numpy() for g in grad(m, slopes, weights, v)])
    # Each entry sums a few hundred products of at most 30 roundings; numbers of size 1 to 10 are involved.
    u = np.finfo(dtype).eps / 2
    for mine, reference in zip(*hessians, strict=True):
        assert mine.dtype == reference.dtype
        np.testing.assert_allclose(mine, reference, rtol=0, atol=300 * u * max(1, np.abs(reference).max()))
