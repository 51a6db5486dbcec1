"""The graph of a computation: names, values, what is known without a recording, folding."""

import pytest

import tinygrad_poly as tg
from tinygrad_poly import explain
from tinygrad_poly.errors import GraphError


def rows(graph):
    return [(v.name, v.title, v.kind) for v in graph.vertices]


def sin_fit(points=2000):
    x = tg.linspace(-3, 3, points)
    y = tg.sin(x)
    a, b = (tg.tensor(value, requires_grad=True) for value in (0.5, -1.0))
    with explain.recording() as recorded:
        y_pred = a + b * x
        loss = ((y_pred - y) ** 2).sum()
    return loss, recorded


def test_values_have_the_names_of_the_users_variables():
    loss, recorded = sin_fit()
    assert rows(explain.graph(loss, recorded)) == [
        ("b", "leaf", "leaf"),
        ("x", "data", "data"),
        ("v2", "b · x", "operation"),
        ("a", "leaf", "leaf"),
        ("y_pred", "a + v2", "operation"),
        ("y", "data", "data"),
        ("v6", "y_pred − y", "operation"),
        ("v7", "v6 ^ 2", "operation"),
        ("loss", "sum(v7)", "operation"),
    ]


def test_weights_of_a_module_have_its_names():
    net = tg.nn.Sequential(tg.nn.Linear(2, 1), tg.nn.Tanh())
    with explain.recording() as recorded:
        out = net(tg.ones(3, 2)).sum()
    names = {v.name for v in explain.graph(out, recorded).vertices}
    assert {"net.0.weight", "net.0.bias", "out"} <= names


def test_weights_in_a_dict_have_its_keys_for_names_also_if_it_holds_itself():
    params = {"slope": tg.tensor(2.0, requires_grad=True), 3: tg.tensor(1.0)}
    params["again"] = params
    graph = explain.graph(params["slope"] * params[3])
    assert [v.name for v in graph.vertices] == ["slope", "v1"]


def test_a_value_that_is_used_twice_is_there_once():
    a = tg.tensor(2.0, requires_grad=True)
    b = a + a
    graph = explain.graph(b * b)
    assert [v.inputs for v in graph.vertices] == [(), (0, 0), (1, 1)]


def test_without_a_recording_what_the_tape_holds_is_shown_and_the_rest_is_said_to_be_missing():
    x = tg.tensor([1.0, 2.0])
    w, c = tg.tensor(3.0, requires_grad=True), tg.tensor(1.0, requires_grad=True)
    graph = explain.graph((w * x + c).sum())
    known = {v.title: v.text for v in graph.vertices}
    assert known["w · x"] == "[3, 6]"
    assert known["v2 + c"] == "2"  # its shape
    assert any("recording()" in note for note in graph.notes)


def test_after_backward_the_shapes_are_left():
    w = tg.tensor([3.0, 1.0], requires_grad=True)
    loss = (w * w).sum()
    loss.backward()
    graph = explain.graph(loss)
    assert [(v.title, v.text) for v in graph.vertices] == [("leaf", "2"), ("w · w", "2"), ("sum(v1)", "10")]
    assert graph.vertices[0].gradient.tolist() == [6, 2]
    with pytest.raises(GraphError, match=r"freed by backward\(\)"):
        explain.steps(loss)


def test_before_backward_it_says_that_there_are_no_gradients():
    loss, recorded = sin_fit()
    assert "no gradients yet" in str(explain.graph(loss, recorded))
    loss.backward()
    assert "no gradients yet" not in str(explain.graph(loss, recorded))


def test_what_does_not_lead_to_the_result_is_left_out():
    a = tg.tensor(2.0, requires_grad=True)
    with explain.recording() as recorded:
        _aside = a * 7
        loss = a * a
    assert [v.title for v in explain.graph(loss, recorded).vertices] == ["leaf", "a · a"]


def test_what_was_computed_before_the_recording_is_a_value():
    a = tg.tensor(2.0, requires_grad=True)
    before = a * 3
    with explain.recording() as recorded:
        loss = before * before
    graph = explain.graph(loss, recorded)
    assert rows(graph)[0][:2] == ("before", "computed before")
    assert explain.steps(loss, recording=recorded)[-1].gradient == 12


@pytest.mark.parametrize("steps", [2_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_a_long_computation_is_folded_by_the_lines_of_the_program(steps):
    a = tg.tensor(1.0, requires_grad=True)
    with explain.recording() as recorded:
        z = a
        for _ in range(steps):
            z = z + a
        loss = z * z
    folded = explain.graph(loss, recorded).folded()
    assert [(v.folded, v.kind) for v in folded.vertices] == [(1, "leaf"), (steps, "folded"), (1, "operation")]
    assert folded.vertices[1].title == f"z = z + a ({steps:,} operations)"
    assert f"{steps - 1:,} of {steps + 2:,} vertices are folded" in folded.notes[0]
    assert explain.graph(loss, recorded).to_svg().count("<g ") == 3


def test_a_long_expression_is_folded_in_the_middle():
    a = tg.tensor(1.0, requires_grad=True)
    z = a
    for _ in range(500):
        z = z * 0.5 + a  # without lines: no recording
    folded = explain.graph(z).folded(20)
    assert len(folded.vertices) <= 21
    assert sum(v.folded for v in folded.vertices) == len(explain.graph(z).vertices)
    assert all(parent < place for place, v in enumerate(folded.vertices) for parent in v.parents)


def test_no_graph_is_an_error():
    with pytest.raises(GraphError, match="no graph"):
        explain.graph(tg.tensor(1.0))
    with pytest.raises(GraphError, match="not of float"):
        explain.graph(1.0)
