"""Drawings of a graph: SVG without any other program, and text for Mermaid and Graphviz."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_poly.engine.arrays import on_cpu
from tinygrad_poly.explain.layout import layout
from tinygrad_poly.explain.words import brief

if TYPE_CHECKING:
    from tinygrad_poly.explain.graph import Graph, Vertex

LETTER, LINE, MARGIN = 7.3, 17, 10
"""The width of a letter, the height of a line, and the room around them, in pixels."""
LONGEST = 34
"""How many letters a line in a box may have."""
SPARK = (90, 18)
"""The size of the small curve in the box of a long vector."""

STYLE = """\
svg.graph { font: 12px ui-monospace, Consolas, Menlo, monospace; background: #fff; max-width: 100%; height: auto }
.vertex rect { fill: #eef4fb; stroke: #4a76a8 }
.vertex.leaf rect { fill: #e9f7e6; stroke: #4d8f3f; stroke-width: 2 }
.vertex.data rect { fill: #f4f4f4; stroke: #999 }
.vertex.folded rect { fill: #fff; stroke: #4a76a8; stroke-dasharray: 5 3 }
.vertex .name { font-weight: bold } .vertex .gradient { fill: #b3450e }
.vertex polyline { fill: none; stroke: #4a76a8 }
.edge { fill: none; stroke: #666; stroke-width: 1.3 }"""


def svg(graph: Graph) -> str:
    """The graph as a picture: data and weights above, the result below, gradients in orange."""
    boxes = [_lines(v) for v in graph.vertices]
    sparks = [_spark(v.value) for v in graph.vertices]
    sizes = [
        (
            max(len(text) for _, text in lines) * LETTER + 2 * MARGIN,
            len(lines) * LINE + 2 * MARGIN + (SPARK[1] if spark else 0),
        )
        for lines, spark in zip(boxes, sparks)
    ]
    found = layout([v.parents for v in graph.vertices], sizes)
    parts = [f'<path class="edge" id="e{a}-{b}" d="{_curve(way)}"/>' for (a, b), way in found.ways.items()]
    for place, (v, lines, spark, (width, height)) in enumerate(zip(graph.vertices, boxes, sparks, sizes)):
        left, top = found.x[place] - width / 2, found.y[place]
        parts.append(f'<g class="vertex {v.kind}" id="v{place}" transform="translate({left:.1f} {top:.1f})">')
        parts.append(f'<title>{escape(_told(v))}</title><rect width="{width:.1f}" height="{height:.1f}" rx="6"/>')
        for row, (kind, text) in enumerate(lines):
            at = MARGIN + LINE * row + 12
            parts.append(
                f'<text class="{kind}" x="{width / 2:.1f}" y="{at}" text-anchor="middle">{escape(text)}</text>'
            )
        if spark:
            shift = f"translate({(width - SPARK[0]) / 2:.1f} {height - SPARK[1] - MARGIN / 2:.1f})"
            parts.append(f'<polyline points="{spark}" transform="{shift}"/>')
        parts.append("</g>")
    box = f"-{MARGIN} -{MARGIN} {found.width + 2 * MARGIN:.0f} {found.height + 2 * MARGIN:.0f}"
    size = f'width="{found.width + 2 * MARGIN:.0f}" height="{found.height + 2 * MARGIN:.0f}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" class="graph" viewBox="{box}" {size} role="img">'
    notes = f"<desc>{escape(' '.join(graph.said))}</desc>" if graph.said else ""
    return "\n".join([head, f"<style>{STYLE}</style>{notes}", *parts, "</svg>"])


def mermaid(graph: Graph) -> str:
    """The graph as text for Mermaid, which GitHub and many editors draw."""
    lines = ["flowchart TD"]
    for place, v in enumerate(graph.vertices):
        text = "<br>".join(escape(text).replace("&", "#").replace("##", "#") for _, text in _lines(v))
        lines.append(f'  v{place}["{text}"]')
        lines += [f"  v{parent} --> v{place}" for parent in v.parents]
    return "\n".join(lines)


def dot(graph: Graph) -> str:
    """The graph as text in Graphviz's language DOT."""
    lines = ["digraph {", "  node [shape=box, fontname=monospace]"]
    for place, v in enumerate(graph.vertices):
        text = "\\n".join(text.replace("\\", "\\\\").replace('"', '\\"') for _, text in _lines(v))
        lines.append(f'  v{place} [label="{text}"]')
        lines += [f"  v{parent} -> v{place}" for parent in v.parents]
    return "\n".join([*lines, "}"])


def _lines(v: Vertex) -> list[tuple[str, str]]:
    """The text in a vertex's box, line by line, each with what it is."""
    lines = [("name", v.name), ("title", v.title), ("value", v.text)]
    if v.gradient is not None:
        lines.append(("gradient", f"gradient {brief(v.gradient)}"))
    return [(kind, text if len(text) <= LONGEST else text[: LONGEST - 1] + "…") for kind, text in lines]


def _told(v: Vertex) -> str:
    """The text that is shown where the mouse rests on a box: all of it, and the line of the program."""
    line = f"\n{v.line.filename}, line {v.line.lineno}" if v.line else ""
    return f"{v.name} = {v.title}{line}"


def _spark(value: Any) -> str:
    """The points of a small curve of a long vector; "" for what is none."""
    array = None if value is None else on_cpu(value)
    if array is None or array.ndim != 1 or array.size < 8 or array.dtype.kind not in "fiu":
        return ""
    picked = array[np.linspace(0, array.size - 1, min(array.size, 45)).astype(int)].astype(float)
    low, high = picked.min(), picked.max()
    if not np.isfinite(high - low):
        return ""
    heights = SPARK[1] - 2 - (SPARK[1] - 4) * (picked - low) / (high - low or 1)
    across = np.linspace(0, SPARK[0], picked.size)
    return " ".join(f"{x:.0f},{y:.1f}" for x, y in zip(across, heights))


def _curve(way: list[tuple[float, float]]) -> str:
    """A path through points that leaves and enters each of them upright."""
    (x, y), *rest = way
    text = f"M{x:.1f} {y:.1f}"
    for to_x, to_y in rest:
        middle = (y + to_y) / 2
        bend = f" C{x:.1f} {middle:.1f} {to_x:.1f} {middle:.1f} {to_x:.1f} {to_y:.1f}"
        text += f" L{to_x:.1f} {to_y:.1f}" if to_x == x else bend
        x, y = to_x, to_y
    return text
