"""Pictures of graphs: boxes apart, no needless crossing, text that is text, Mermaid and DOT."""

import itertools
import random
import xml.etree.ElementTree as ElementTree

import pytest

import tinygrad_poly as tg
from tinygrad_poly import explain
from tinygrad_poly.explain.layout import layout


def small_graph():
    b = tg.tensor(2.0, requires_grad=True)
    with explain.recording() as recorded:
        loss = (b * tg.tensor([1.0, 2.0]) - 3).square().sum()
    loss.backward()
    return explain.graph(loss, recorded)


@pytest.mark.parametrize("seed", range(20))
def test_boxes_are_apart_and_below_what_they_were_computed_from(seed):
    choose = random.Random(seed)
    parents = [choose.sample(range(i), min(i, choose.randint(0, 3))) for i in range(choose.randint(1, 30))]
    sizes = [(choose.uniform(30.0, 200.0), choose.uniform(20.0, 60.0)) for _ in parents]
    found = layout(parents, sizes)
    for i, j in itertools.combinations(range(len(parents)), 2):
        apart = abs(found.x[i] - found.x[j]) >= (sizes[i][0] + sizes[j][0]) / 2
        assert apart or found.y[i] + sizes[i][1] <= found.y[j] or found.y[j] + sizes[j][1] <= found.y[i]
    for child, above in enumerate(parents):
        assert all(found.y[parent] + sizes[parent][1] <= found.y[child] for parent in above)
    assert max((found.x[i] + sizes[i][0] / 2 for i in range(len(parents))), default=0) <= found.width + 1e-9


def test_a_tree_is_drawn_without_crossings():
    parents = [[], [], [0, 1], [], [], [3, 4], [2, 5]]
    found = layout(parents, [(60.0, 20.0)] * 7)
    ends = sorted((found.x[a], found.x[b]) for (a, b) in found.ways if b in (2, 5))
    assert [b for _, b in ends] == sorted(b for _, b in ends)


def test_the_picture_is_xml_with_a_box_for_each_value():
    graph = small_graph()
    root = ElementTree.fromstring(graph.to_svg())
    space = "{http://www.w3.org/2000/svg}"
    boxes = [group.get("class") for group in root.iter(f"{space}g")]
    assert boxes == [f"vertex {v.kind}" for v in graph.vertices]
    texts = [text.text for text in root.iter(f"{space}text")]
    assert {"b", "leaf", "gradient 2", "loss"} <= set(texts)


def test_names_are_text_and_no_markup():
    weights = [tg.tensor(1.0, requires_grad=True)]
    with explain.recording() as recorded:
        loss = weights[0] * 2
    recorded.name({"<script>&": weights[0]})
    graph = explain.graph(loss, recorded)
    names = [text.text for text in ElementTree.fromstring(graph.to_svg()).iter("{http://www.w3.org/2000/svg}text")]
    assert "<script>&" in names
    assert "<script>&" not in explain.steps(loss, recording=recorded).to_html()


def test_mermaid_and_dot_have_each_value_and_each_arrow():
    graph = small_graph()
    arrows = sum(len(v.parents) for v in graph.vertices)
    assert graph.to_mermaid().count("-->") == graph.to_dot().count("->") == arrows
    assert 'v0["b<br>leaf<br>2<br>gradient 2"]' in graph.to_mermaid()
    assert graph.to_dot().startswith("digraph {")
