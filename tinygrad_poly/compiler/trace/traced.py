"""Traced functions: programs of arrays, with vector-Jacobian products that are programs too."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Container, Sequence
from typing import Any

import numpy as np

from tinygrad_poly.compiler.trace.outside import Trace
from tinygrad_poly.compiler.trace.program import Program
from tinygrad_poly.compiler.trace.simplify import simplify
from tinygrad_poly.compiler.trace.symbols import Symbol, noted, placeholder, record
from tinygrad_poly.derivatives.shapes import clone
from tinygrad_poly.engine.apply import is_recording, wrap
from tinygrad_poly.engine.arrays import namespace
from tinygrad_poly.engine.operation import Operation, Rules
from tinygrad_poly.engine.recording import enable_grad
from tinygrad_poly.engine.walk import Node, leaf, walk
from tinygrad_poly.hooks import Hooks
from tinygrad_poly.tensor import Tensor

Runner = Callable[[Program], Any]
"""Makes of a program a function of its inputs."""


class Entrance(Node):
    """The node of an outside tensor inside a trace, which does not know what the tensor was computed from.

    Attributes:
        walked: whether a walk has come here, so that it matters what is behind.
        asked: whether the trace has read or written the gradient.
        keeps_grad: that backward passes add up gradients here, or the hooks of the tensor outside.
    """

    __slots__ = ("_grad", "_hooks", "asked", "walked")

    def __init__(self, symbol: Symbol, outside: Node) -> None:
        if outside.operation is None:
            super().__init__(None, (), (), symbol)
        else:  # behind it there is some leaf
            super().__init__(clone, (leaf(symbol),), (), symbol)
        self.walked = self.asked = False
        self._hooks = outside.keeps_grad if isinstance(outside.keeps_grad, Hooks) else True

    @property
    def grad(self) -> Any:
        """The gradient; looking at it is recorded, as a trace cannot know it."""
        self.asked = True
        return self._grad

    @grad.setter
    def grad(self, value: Any) -> None:
        self.asked = True
        if value is not None and self.operation is not None:
            raise noted(
                "backward() inside a compiled function has come to an argument that was computed from others, and "
                "cannot go on to these: take gradients with grad(), or pass argument.detach().requires_grad_()"
            )
        self._grad = value

    @property
    def keeps_grad(self) -> Any:
        """True, or the hooks."""
        return self._hooks

    @keeps_grad.setter
    def keeps_grad(self, value: Any) -> None:
        if isinstance(value, Hooks):
            raise noted(
                "a compiled function registers a hook on a tensor from outside, whose gradient a program does not "
                "see: register it outside, or on a tensor that the function computes"
            )

    def __hash__(self) -> int:
        self.walked = True
        return object.__hash__(self)

    def __eq__(self, other: object) -> bool:
        return self is other


def entered(name: str, shape: Any, dtype: Any) -> tuple[Symbol, Symbol]:
    """A placeholder, and a copy of it for the trace, so that the program can be kept when the trace ends."""
    symbol = placeholder(name, shape, dtype)
    return symbol, record("reshape", symbol, shape=symbol.shape)


class TracedFunction:
    """A function that computes tensors from others by a program.

    Args:
        trace: in which the outputs were computed.
        inputs: the placeholders.
        entrances: their nodes in the trace, None where no gradient flows.
        captured: the nodes of tensors that were not given, with their arrays.
        outputs: the arrays and nodes of the results.
        runners: what runs the program, and what runs its vector-Jacobian products.
    """

    def __init__(
        self,
        trace: Trace,
        inputs: Sequence[Symbol],
        entrances: Sequence[Node | None],
        captured: Sequence[tuple[Node, Any]],
        outputs: Sequence[tuple[Any, Node | None]],
        runners: tuple[Runner, Runner],
    ) -> None:
        self.trace = trace
        self.inputs = list(inputs)
        self.entrances = list(entrances)
        for entrance in entrances:
            # From here on it is walked to from outside, where the tensor itself has its hooks.
            if isinstance(entrance, Entrance):
                entrance._hooks = True
        self.captured = list(captured)
        self.outputs = list(outputs)
        computed = [array for array, _ in outputs if isinstance(array, Symbol)]
        self.program = simplify(Program.of(self.inputs, computed))
        run, self._pull = runners
        self.run = run(self.program)
        self._pulled: dict[int, TracedFunction] = {}
        self._lock = threading.Lock()
        self.variables = [*self.entrances, *(node for node, _ in captured)]
        places = {node: i for i, node in enumerate(self.variables) if node is not None}
        # Of each output what it is, and its node: that of a variable, or made of those of some, in this order.
        self._kinds = [(array.shape, array.dtype) if isinstance(array, Symbol) else array for array, _ in outputs]
        self._parents: list[Any] = [
            places[node] if node in places else node and sorted(places[end] for end in _leading_to(node, places))
            for _, node in outputs
        ]

    def __call__(self, arrays: list[Any], nodes: list[Node | None], on_tape: bool = True) -> list[Tensor]:
        """The outputs, with `on_tape` also with nodes through which gradients flow to the inputs.

        Args:
            arrays: the inputs.
            nodes: their nodes.
            on_tape: whether the outputs get nodes.
        """
        values = iter(self._computed(arrays))
        arrays = [*arrays, *(array for _, array in self.captured)]
        nodes = [*nodes, *(node for node, _ in self.captured)]
        results = []
        for k, kind in enumerate(self._kinds):
            if type(kind) is tuple:
                shape, dtype = kind
                array = next(values)
                if type(array) is not np.ndarray or array.shape != shape or array.dtype != dtype:
                    array = np.asarray(array, dtype).reshape(shape) if namespace(array) is np else array
                if not shape and type(array) is np.ndarray:
                    array = array[()]
            else:
                array = kind
            tensor = wrap(array, None)
            if on_tape:
                tensor.node = self._node(k, array, arrays, nodes)
            results.append(tensor)
        return results

    def _node(self, k: int, array: Any, arrays: list[Any], nodes: list[Node | None]) -> Node | None:
        """The node of output k, from the arrays and nodes of all variables."""
        parents = self._parents[k]
        if not isinstance(parents, list):
            return None if parents is None else nodes[parents]
        if not parents:
            return leaf(array)
        own = tuple([nodes[p] for p in parents])
        saved = (*[arrays[p] for p in parents], (self, k, arrays))
        return Node(_row(len(parents)), own, saved, array) if any(own) else None

    def _computed(self, arrays: list[Any]) -> Any:
        if any(isinstance(array, Symbol) for array in arrays):
            return self.program.run(dict(zip(self.inputs, arrays, strict=True)))
        return self.run(*arrays)

    def gradients(self, k: int, arrays: list[Any], g: Any, parents: Sequence[Any]) -> list[Any]:
        """The gradients of the parents of output k, for an array as cotangent, or a tensor if the walk is recorded."""
        function, arrays = self._pullback(k), arrays[: len(self.inputs)]
        if not isinstance(g, Tensor):
            return [x.array for x in function([*arrays, g], [None] * len(function.inputs), on_tape=False)]
        nodes: list[Node | None] = [None] * len(arrays)
        for p, x in zip(self._parents[k], parents):
            if p < len(nodes):
                nodes[p] = x.node
        return [*function([*arrays, g.array], [*nodes, g.node], on_tape=bool(is_recording()))]

    def _pullback(self, k: int) -> TracedFunction:
        """The function of the inputs and a cotangent of output k that gives the gradients of its parents."""
        with self._lock:
            if k not in self._pulled:
                _, node = self.outputs[k]
                assert node is not None
                trace = self.trace
                # What a tensor was computed from that was captured is not this function's: its own node knows.
                for captured, _ in self.captured:
                    trace.give(captured, parents=(), keeps_grad=False)
                try:
                    with trace.going_on(), enable_grad():
                        v, seen = entered("v", node.shape, node.dtype)
                        entrance = leaf(seen)
                        targets = [target for p in self._parents[k] if (target := self.variables[p]) is not None]
                        found = walk(
                            [(node, wrap(seen, entrance))], targets=targets, retain_graph=True, create_graph=True
                        )
                        gradients = [(found[t].array, found[t].node) for t in targets]
                finally:
                    trace.pages, trace.given = {}, set()
                self._pulled[k] = TracedFunction(
                    trace,
                    [*self.inputs, v],
                    [*self.entrances, entrance],
                    self.captured,
                    gradients,
                    (self._pull, self._pull),
                )
            return self._pulled[k]


@functools.cache
def _row(count: int) -> Operation:
    """The row of a result that was computed from `count` variables: their gradients are computed together."""

    def rules() -> list[Any]:
        found: list[Any] = []

        def rule(i: int, g: Any, *saved: Any) -> Any:
            *parents, (function, k, arrays) = saved
            if not found:
                found.extend(function.gradients(k, arrays, g, parents))
            return found[i]

        return [functools.partial(rule, i) for i in range(count)]

    row = Operation("Compiled", _forward, saves="inputs", expands=True)
    row.rules = Rules(count, rules)
    return row


def _forward(*_: Any) -> Any:
    raise NotImplementedError("a compiled function computes its results by its program")


def _leading_to(node: Node, ends: Container[Node | None]) -> set[Node]:
    """Those of some nodes from which a node was computed, without those behind them."""
    found, seen, stack = set[Node](), {node}, [node]
    while stack:
        node = stack.pop()
        if node in ends:
            found.add(node)
            continue
        for parent in node.parents:
            if parent is not None and parent not in seen:
                seen.add(parent)
                stack.append(parent)
    return found


def related(nodes: Sequence[Node | None], entrances: Sequence[Node | None]) -> bool:
    """Whether tensors with these nodes are related in a way that a trace with these entrances cannot know.

    That is so where one was computed from another, or two that are one node were not one in the trace.
    """
    distinct = {*nodes} - {None}
    if len(distinct) < len({*entrances, *nodes[len(entrances) :]} - {None}):
        return True
    return any(_leading_to(parent, distinct) for node in distinct if node for parent in node.parents if parent)
