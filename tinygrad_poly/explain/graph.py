"""The graph of a computation as data: its values, what each was computed from, and their gradients."""

import itertools
import sys
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tinygrad_poly.engine.apply import Node
from tinygrad_poly.engine.arrays import Shape
from tinygrad_poly.engine.errors import GraphError
from tinygrad_poly.engine.operation import Operation
from tinygrad_poly.engine.recording import users_frame
from tinygrad_poly.explain import drawing
from tinygrad_poly.explain.recording import Record, Recording, of_the_tape
from tinygrad_poly.explain.words import brief, columns, made_by, number, source
from tinygrad_poly.tensor import Tensor

MOST = 40
"""How many vertices a picture may have before parts of it are folded."""


@dataclass(frozen=True)
class Vertex:
    """A value in the graph, or several that are folded into one.

    Attributes:
        name: the user's name of it, or v1, v2, …
        title: how it was made, such as "b · x".
        inputs: the vertices that it was computed from, by their places in the graph; None for a number in `arguments`.
        arguments: the values of the inputs; None for what is not known any more.
        operation: the row that computed it; None for a leaf, for data, and for a folded part.
        options: what else the row was given.
        node: its node on the tape; None for data.
        shape: of the value.
        value: the value; None if it is not known any more.
        gradient: what `.grad` holds; None before a backward pass, and for what has none.
        line: where the user's program computed it.
        folded: how many vertices it stands for.
    """

    name: str
    title: str
    inputs: tuple[int | None, ...] = ()
    arguments: tuple[Any, ...] = ()
    operation: Operation | None = None
    options: tuple[Any, ...] = ()
    node: Node | None = None
    shape: Shape = ()
    value: Any = None
    gradient: Any = None
    line: traceback.FrameSummary | None = None
    folded: int = 1

    @property
    def parents(self) -> list[int]:
        """The places of the vertices that it was computed from, each once."""
        return list(dict.fromkeys(i for i in self.inputs if i is not None))

    @property
    def text(self) -> str:
        """The value in a few words; the shape if it is not known."""
        return "×".join(map(str, self.shape)) or "?" if self.value is None else brief(self.value)

    @property
    def kind(self) -> str:
        """The kind: "leaf", "data", "operation" or "folded"."""
        if self.folded > 1:
            return "folded"
        return "operation" if self.operation else "leaf" if self.node else "data"


@dataclass(frozen=True)
class Graph:
    """A computation: its vertices, each after those that it was computed from; the last one is the result.

    `str(graph)` is a list of them, `to_svg()` a picture, `to_mermaid()` and `to_dot()` text for other programs.
    """

    vertices: tuple[Vertex, ...]
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        rows = [(v.name, v.title, v.text, "" if v.gradient is None else brief(v.gradient)) for v in self.vertices]
        table = columns([("value", "made by", "is", "gradient"), *rows])
        return "\n".join([*table, *self.said])

    @property
    def said(self) -> list[str]:
        """The notes for a reader of the picture."""
        missing = all(v.gradient is None for v in self.vertices)
        return [*self.notes, *(["There are no gradients yet: call backward() first to see them."] if missing else [])]

    def to_svg(self) -> str:
        """The graph as a picture, drawn without any other program."""
        return drawing.svg(self.folded())

    def to_mermaid(self) -> str:
        """The graph as text for Mermaid, which GitHub and many editors draw."""
        return drawing.mermaid(self.folded())

    def to_dot(self) -> str:
        """The graph as text in Graphviz's language DOT."""
        return drawing.dot(self.folded())

    _repr_svg_ = to_svg

    def folded(self, most: int = MOST) -> "Graph":
        """The graph with parts of it folded, so that it has at most about `most` vertices.

        First what one line of the program computed in one go becomes one vertex; if that is not enough, the middle
        of the computation does. A part that follows itself in the order of computation can be folded without a circle.
        """
        graph = self
        if len(graph.vertices) > most:
            graph = graph._fold(lambda i, v: (v.line, v.line.lineno) if v.operation and v.line else i)
        if (count := len(graph.vertices)) > most:
            first, last = most // 4, count - most // 2
            graph = graph._fold(lambda i, v: "middle" if first <= i < last else i)
        return graph

    def _fold(self, part: Callable[[int, Vertex], Any]) -> "Graph":
        """The graph with each run of operations that belong to one part as one vertex."""
        vertices: list[Vertex] = []
        inside = [v.operation is not None or v.folded > 1 for v in self.vertices]
        order = sorted(range(len(self.vertices)), key=lambda i: inside[i])
        place = [0] * len(order)
        for key, run in itertools.groupby(order, lambda i: part(i, self.vertices[i]) if inside[i] else ("alone", i)):
            members = list(run)
            last = self.vertices[members[-1]]
            for i in members:
                place[i] = len(vertices)
            sources = dict.fromkeys(place[p] for i in members for p in self.vertices[i].parents)
            outer = tuple(p for p in sources if p != len(vertices))
            if len(members) == 1:
                moved = tuple(None if i is None else place[i] for i in last.inputs)
                vertices.append(replace(last, inputs=moved))
                continue
            count = sum(self.vertices[i].folded for i in members)
            title = f"{count:,} operations"
            if key != "middle" and last.line and (code := source(last.line)):
                title = f"{code} ({title})"
            vertices.append(replace(last, title=title, inputs=outer, folded=count))
        note = f"{len(self.vertices) - len(vertices):,} of {len(self.vertices):,} vertices are folded into others"
        return Graph(tuple(vertices), (*self.notes, note))


def graph(result: Tensor, recording: Recording | None = None) -> Graph:
    """The graph of what a tensor was computed from.

    Args:
        result: the tensor, such as a loss.
        recording: in which it was computed; without one, what the tape still holds is shown.

    Raises:
        GraphError: where the tensor was computed from nothing that requires grad.

    >>> import tinygrad_poly as tg
    >>> w = tg.tensor(2.0, requires_grad=True)
    >>> loss = (w * 3) ** 2
    >>> loss.backward(retain_graph=True)
    >>> print(graph(loss))
    value  made by  is  gradient
    w      leaf     2   36
    v1     w · 3    6
    loss   v1 ^ 2   36
    """
    if not isinstance(result, Tensor):
        raise GraphError(f"a graph is that of a tensor, not of {type(result).__name__}: pass the loss")
    if result.node is None:
        raise GraphError("this tensor has no graph: nothing that it was computed from requires grad (or under no_grad)")
    return _Building(result, recording).graph


class _Building:
    """A graph under construction."""

    def __init__(self, result: Tensor, recording: Recording | None) -> None:
        self.vertices: list[Vertex] = []
        self.place: dict[Any, int] = {}
        recording = recording or Recording()
        frame = users_frame(sys._getframe())
        if frame is not None:
            recording.name(frame.f_locals)
        self.names = recording.names
        self.taken: set[str] = set(self.names.values())
        records = _leading_to(result.node, recording.records) if recording.records else of_the_tape(result)
        for record in records:
            self._operation(record)
        notes = []
        if not records and result.node is not None:
            self._source(result.node, result.array)
        if any(r.value is None or any(x is None for x in r.inputs) for r in records):
            notes.append(
                "The tape keeps only the values that its rules need, and after backward() none:\n"
                "compute inside `with explain.recording() as r:` and pass r to see them all."
            )
        self.graph = Graph(tuple(self.vertices), tuple(notes))

    def _name(self, key: Any) -> str:
        if key in self.names:
            return self.names[key]
        return next(name for n in itertools.count(len(self.vertices)) if (name := f"v{n}") not in self.taken)

    def _source(self, node: Node | None, array: Any) -> int | None:
        """The place of a leaf or of data, which is added; None for a number without a name."""
        key: Any = node or id(array)
        if node is None and (not hasattr(array, "shape") or (not array.shape and key not in self.names)):
            return None
        if key not in self.place:
            self.place[key] = len(self.vertices)
            title = "data" if node is None else "leaf" if node.operation is None else "computed before"
            shape = node.shape if node else array.shape
            known = {"node": node, "shape": shape, "value": array, "gradient": _gradient(node)}
            self.vertices.append(Vertex(self._name(key), title, **known))
        return self.place[key]

    def _operation(self, record: Record) -> None:
        node, arguments = record.node, record.inputs
        inputs = tuple(
            self.place[parent] if parent in self.place else self._source(parent, x)
            for parent, x in zip(node.parents, arguments)
        )
        title = made_by(record.operation.name, words(self.vertices, inputs, arguments), record.options)
        self.place[node] = len(self.vertices)
        made = record.operation, record.options, node, node.shape, record.value, _gradient(node), record.line
        self.vertices.append(Vertex(self._name(node), title, inputs, arguments, *made))


def _gradient(node: Node | None) -> Any:
    return None if node is None or node.grad is None else node.grad.array


def words(vertices: Sequence[Vertex], inputs: Sequence[int | None], arguments: Sequence[Any]) -> list[str]:
    """The inputs of an operation as text: names, and numbers."""
    return [vertices[i].name if i is not None else "?" if x is None else number(x) for i, x in zip(inputs, arguments)]


def _leading_to(node: Node | None, records: Iterable[Record]) -> list[Record]:
    """The records that a result depends on, in order."""
    wanted, found = {node}, []
    for record in reversed(list(records)):
        if record.node in wanted:
            wanted.update(record.node.parents)
            found.append(record)
    return found[::-1]
