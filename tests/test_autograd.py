"""`grad`: gradients asked for by name."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import Phase, given, settings

import tinygrad_poly as tg
from tinygrad_poly.derivatives import arithmetic, reductions
from tinygrad_poly.derivatives.operation import Operation
from tinygrad_poly.errors import DtypeError, GraphError, ShapeError
from tinygrad_poly.operators import apply_operation

from .helpers import DTYPES, UNIT_ROUNDOFF, both, leaf, numbers
from .straight_line import programs


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


def check_random_program(program, dtype):
    """Compare with gradients in exact fractions: |error| ≤ γₖ · majorant, k roundings on the longest path."""
    inputs = [
        tg.tensor(array.astype(dtype), requires_grad=wants)
        for array, (_, _, wants) in zip(program.arrays(), program.inputs, strict=True)
    ]
    with np.errstate(over="ignore", invalid="ignore"):
        y = program.run(inputs)[-1]
        if not y.requires_grad:
            return
        y.backward(tg.tensor(program.weights(y.shape).astype(dtype)))
    gradients, _ = program.exact()
    majorants, largest = program.exact(positive=True)
    _, ceiling = program.exact(positive=True, offset=1)
    u, k = Fraction(UNIT_ROUNDOFF[dtype]), program.roundings()
    # Whole numbers below 1/u are computed exactly; with every factor at least 1, none on the way is larger.
    whole = ceiling < 1 / u and not any(name == "mean" for name, _, _ in program.instructions)
    for tensor, (shape, _, wants), exact, majorant in zip(inputs, program.inputs, gradients, majorants, strict=True):
        if tensor.grad is None:
            assert not wants or not any(g != 0 for g in exact.flat)
            continue
        assert (tensor.grad.shape, tensor.grad.dtype) == (shape, tensor.dtype)
        if largest > 2**100:
            continue  # may overflow float32
        for got, g, size in zip(numbers(tensor.grad).flat, exact.flat, majorant.flat, strict=True):
            assert abs(Fraction(float(got)) - g) <= (0 if whole else k * u / (1 - k * u) * size)


@pytest.mark.parametrize("dtype", DTYPES)
@settings(max_examples=150, deadline=None)
@given(program=programs())
def test_gradients_of_random_programs_are_exact_up_to_derived_rounding(dtype, program):
    check_random_program(program, dtype)


@pytest.mark.parametrize(
    ("row", "rules"),
    [
        pytest.param(arithmetic.subtract, (lambda g: g, lambda g: g), id="sign"),
        pytest.param(arithmetic.multiply, (lambda g, a, b: g * a, lambda g, a, b: g * b), id="exchanged"),
        pytest.param(arithmetic.power_scalar, (lambda g, x, n: g * x ** (n - 1),), id="factor"),
        pytest.param(reductions.mean, (reductions.sum.rules[0],), id="sum for mean"),
    ],
)
def test_random_programs_find_a_wrong_rule(monkeypatch, row, rules):
    monkeypatch.setattr(row, "rules", rules)

    @settings(max_examples=300, deadline=None, database=None, derandomize=True, phases=[Phase.generate])
    @given(program=programs())
    def check(program):
        check_random_program(program, "float64")

    with pytest.raises((AssertionError, ValueError)):
        check()
