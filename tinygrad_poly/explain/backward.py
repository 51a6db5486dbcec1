"""The steps of a backward pass: what arrives at each value, the local derivative, and what is sent on."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from tinygrad_poly.derivatives import activations, arithmetic, elementwise, piecewise
from tinygrad_poly.engine.arrays import Array, astype, expand, ones_like, unbroadcast
from tinygrad_poly.engine.errors import GraphError
from tinygrad_poly.engine.operation import Operation
from tinygrad_poly.engine.walk import Node, walk
from tinygrad_poly.explain.graph import Graph, words
from tinygrad_poly.explain.words import slope

ELEMENTWISE = {
    row for family in (activations, arithmetic, elementwise, piecewise) for row in vars(family).values()
    if isinstance(row, Operation)
}  # fmt: skip
"""The rows of which each element of the result depends on one element of each input."""


@dataclass(frozen=True)
class Sent:
    """The part of a step for one input.

    Attributes:
        to: the place of the input in the graph.
        formula: the local derivative in the names of the inputs, such as "2 r".
        derivative: the local derivative as numbers, if each element depends on one element, or the result is a number.
        amount: what is sent: the gradient that arrived, times the local derivative, in the shape of the input.
        total: what the input has got so far, with this.
    """

    to: int
    formula: str
    derivative: Array | None
    amount: Array
    total: Array


@dataclass(frozen=True)
class Step:
    """A step of the backward pass: at one value, whose consumers have all been visited.

    Attributes:
        vertex: its place in the graph.
        gradient: what arrived: the derivative of the result by this value.
        sent: what goes to each input that has a gradient; nothing at a leaf.
    """

    vertex: int
    gradient: Array
    sent: tuple[Sent, ...]


def backward(graph: Graph, values: Sequence[Any] | None = None) -> list[Step]:
    """The steps of the backward pass from the graph's last vertex.

    The engine itself takes them: its walk goes over a copy of the nodes, whose rules note what they are asked.

    Args:
        graph: with the values of all vertices that the rules need, and nothing folded.
        values: other values of the vertices, in any kind of array, such as symbols.

    Raises:
        GraphError: where a value is needed that the tape does not keep.
    """
    return _Pass(graph.vertices, values).steps()


class _Pass:
    """A backward pass over copies of the nodes.

    Attributes:
        known: the value of each vertex.
        nodes: the copies, whose rules note what they are asked in `asked`; None for data.
        asked: for each vertex that was visited, the inputs in order, and what the rule says of each.
        totals: what each vertex has got so far.
    """

    def __init__(self, vertices: Sequence[Any], values: Sequence[Any] | None) -> None:
        self.vertices, self.known = vertices, [v.value for v in vertices] if values is None else list(values)
        self.asked: dict[int, list[tuple[int, Array]]] = {}
        self.nodes: list[Any] = []
        self.totals: dict[int, Array] = {}
        for place, v in enumerate(vertices):
            self.nodes.append(None if v.node is None else self._copy(place, v))

    def steps(self) -> list[Step]:
        """Take the steps."""
        vertices, nodes, asked = self.vertices, self.nodes, self.asked
        found: Any = walk([(nodes[-1], ones_like(self.known[-1]))], targets=[n for n in nodes if n])
        last = {vertices[place].inputs[which]: place for place, sent in asked.items() for which, _ in sent}
        steps = list[Step]()
        for place, sent in asked.items():
            steps.append(Step(place, found[nodes[place]], tuple(self._sent(place, *one) for one in sent)))
            reached = dict.fromkeys(s.to for s in steps[-1].sent)
            leaves = [to for to in reached if vertices[to].operation is None and last[to] == place]
            steps += [Step(to, found[nodes[to]], ()) for to in leaves]
        return steps

    def _copy(self, place: int, v: Any) -> Node:
        """A node like that of a vertex, whose rules note what they are asked."""
        like = v.node if self.known[place] is None else self.known[place]
        if v.operation is None:
            return Node(None, (), (), like)
        operation = copy.copy(v.operation)
        operation.rules = tuple(
            rule and partial(self._note, place, which, rule) for which, rule in enumerate(operation.rules)
        )
        parents = tuple(None if i is None else self.nodes[i] for i in v.inputs)
        return Node(operation, parents, self._saved(place), like)

    def _note(self, place: int, which: int, rule: Any, g: Array, *given: Any) -> Array:
        amount: Array = rule(g, *given)
        self.asked.setdefault(place, []).append((which, amount))
        return amount

    def _saved(self, place: int) -> tuple[Any, ...]:
        """The arrays that the rules of a vertex are given beside the gradient.

        Raises:
            GraphError: where it is not known any more.
        """
        v = self.vertices[place]
        if v.operation.saves_shapes:
            return (*(() if i is None else self.vertices[i].shape for i in v.inputs), *v.options)
        inputs = tuple(x if i is None else self.known[i] for i, x in zip(v.inputs, v.arguments))
        needed: tuple[Any, ...] = v.operation.save(inputs, self.known[place])
        if any(x is None for x in needed):
            raise GraphError(
                f"the values that the rule of {v.name} = {v.title} needs were freed by backward(): compute inside "
                "`with explain.recording() as r:` and pass r, or explain before backward()"
            )
        return (*needed, *v.options)

    def _sent(self, place: int, which: int, amount: Array) -> Sent:
        """The result of a rule as the walk uses it: summed over repetitions, in the dtype of the input, added up."""
        v, value, totals = self.vertices[place], self.known[place], self.totals
        to = v.inputs[which]
        node = self.nodes[to]
        amount = unbroadcast(amount, node.shape) if amount.shape != node.shape else amount
        amount = expand(amount if amount.dtype == node.dtype else astype(amount, node.dtype), node.shape)
        totals[to] = totals[to] + amount if to in totals else amount
        derivative = None
        if value is not None and (v.shape == () or v.operation in ELEMENTWISE):
            derivative = v.operation.rules[which](ones_like(value), *self._saved(place))
        formula = slope(v.operation, which, words(self.vertices, v.inputs, v.arguments), v.options)
        return Sent(to, formula, derivative, amount, totals[to])
