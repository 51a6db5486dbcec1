"""The steps of the backward pass: the engine's own, with everything that they were made of."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_poly as tg
from tests.helpers import examples
from tinygrad_poly import explain
from tinygrad_poly.errors import GraphError


def test_a_value_used_twice_is_seen_adding_up():
    a = tg.tensor(2.0, requires_grad=True)
    b = a + a
    c = b + b
    first, second, last = explain.steps(c)
    assert [sent.total for sent in first.sent] == [1, 2]
    assert (second.gradient, [sent.total for sent in second.sent]) == (2, [2, 4])
    assert (last.gradient, last.sent) == (4, ())


def test_a_function_is_called_with_its_arguments():
    steps = explain.steps(lambda w, x: (w * x).sum(), tg.tensor(3.0, requires_grad=True), tg.tensor([1.0, 2.0]))
    assert steps[-1].gradient == 3


def test_local_derivatives_are_formulas_in_the_users_names():
    r, t = (tg.tensor(value, requires_grad=True) for value in (3.0, 2.0))
    steps = explain.steps(r**3 / t)
    said = {steps.graph.vertices[sent.to].name: sent.formula for step in steps for sent in step.sent}
    assert said == {"v1": "1/t", "t": "−v1/t²", "r": "3 r²"}


LOSSES = {
    "elementwise": lambda w, x: ((w * x).exp() + w).sum(),
    "product": lambda w, x: (w @ x).tanh() * w.sum(),
    "index": lambda w, x: (w[0] - x).square().sum() / w.norm(),
    "stack": lambda w, x: tg.stack([w, w * x]).softmax(0)[0].sum(),
    "loss": lambda w, x: tg.nn.functional.mse_loss(w * w, x),
}


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_gradients_are_those_of_backward_and_what_is_sent_adds_up_to_them(loss):
    w, x = tg.tensor([0.5, -1.5, 2.0], dtype=tg.float64, requires_grad=True), tg.tensor([1.0, 0.25, -0.75]).double()
    steps = explain.steps(loss, w, x)
    gradients = {step.vertex: step.gradient for step in steps}
    totals = {sent.to: sent.total for step in steps for sent in step.sent}
    for place, total in totals.items():
        assert np.array_equal(gradients[place], total)
    (mine,) = tg.grad(loss(w, x), w)
    (leaf,) = [i for i, v in enumerate(steps.graph.vertices) if v.kind == "leaf"]
    assert np.array_equal(gradients[leaf], mine.numpy())


@settings(max_examples=examples(20))
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=12))
def test_the_steps_of_any_program_end_in_its_gradients(program):
    values = [tg.tensor(value, requires_grad=True) for value in (0.5, -1.25)]
    leaves = list(values)
    for kind, left, right in program:
        a, b = values[left % len(values)], values[right % len(values)]
        values.append((a + b, a * b, a - b, (a * 0.5).tanh())[kind])
    steps = explain.steps(values[-1])
    found = {step.vertex: float(step.gradient) for step in steps}
    expected = tg.grad(values[-1], leaves, allow_unused=True)
    places = {v.node: place for place, v in enumerate(steps.graph.vertices)}
    for leaf, g in zip(leaves, expected):
        assert found.get(places.get(leaf.node)) == (None if g is None else g.item())


def test_nothing_is_changed_by_looking():
    w = tg.tensor(2.0, requires_grad=True)
    loss = w * w
    explain.steps(loss)
    assert w.grad is None
    loss.backward()
    assert w.grad == 4


def test_a_page_of_more_steps_than_one_can_take_is_refused():
    z = a = tg.tensor(1.0, requires_grad=True)
    for _ in range(1000):
        z = z + a
    with pytest.raises(GraphError, match=r"1,001 values cannot be looked at.*to_svg\(\) folds"):
        explain.steps(z).to_html()


def test_several_numbers_are_no_start():
    with pytest.raises(GraphError, match="starts from one number"):
        explain.steps(tg.tensor([1.0, 2.0], requires_grad=True) * 2)
