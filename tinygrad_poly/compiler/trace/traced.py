"""Traced functions: programs of arrays, with vector-Jacobian products that are programs too."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_poly.compiler.trace.outside import Trace
from tinygrad_poly.compiler.trace.program import Program
from tinygrad_poly.compiler.trace.simplify import simplify
from tinygrad_poly.compiler.trace.symbols import Symbol, noted, placeholder, record
from tinygrad_poly.derivatives.shapes import clone
from tinygrad_poly.engine.apply import is_recording, wrap
from tinygrad_poly.engine.arrays import namespace
from tinygrad_poly.engine.operation import Variadic
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
        self._kinds = [
            (
                (array.shape, array.dtype) if isinstance(array, Symbol) else array,
                None if node is None else places.get(node) if node in places else _leading_to(node, places),
            )
            for array, node in outputs
        ]

    def __call__(self, arrays: list[Any], nodes: list[Node | None], on_tape: bool = True) -> list[Tensor]:
        """The outputs, with `on_tape` also with nodes through which gradients flow to the inputs.

        Args:
            arrays: the inputs.
            nodes: their nodes.
            on_tape: whether the outputs get nodes.
        """
        call: _Call | None = None
        values = iter(self._computed(arrays))
        results = []
        for k, (kind, parents) in enumerate(self._kinds):
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
            if parents is not None and on_tape:
                call = call or _Call(self, [*arrays, *(a for _, a in self.captured)], nodes)
                tensor.node = call.node(k, array, parents)
            results.append(tensor)
        return results

    def _computed(self, arrays: list[Any]) -> Any:
        if any(isinstance(array, Symbol) for array in arrays):
            return self.program.run(dict(zip(self.inputs, arrays, strict=True)))
        return self.run(*arrays)

    def pulled(self, k: int, parents: tuple[int, ...]) -> TracedFunction:
        """The function of the inputs and a cotangent of output k that gives the gradients of some variables."""
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
                        targets = [target for p in parents if (target := self.variables[p]) is not None]
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


class _Call:
    """One call of a traced function, for its derivatives."""

    def __init__(self, function: TracedFunction, arrays: list[Any], nodes: list[Node | None]) -> None:
        self.function = function
        self.arrays = arrays
        self.nodes = [*nodes, *(node for node, _ in function.captured)]

    def node(self, k: int, array: Any, parents: Any) -> Node | None:
        """The node of output k."""
        if isinstance(parents, int):
            return self.nodes[parents]
        if not parents:
            return leaf(array)
        nodes = tuple([self.nodes[p] for p in parents])
        if not any(nodes):
            return None
        saved = (*[self.arrays[p] for p in parents], _Pullback(self, k, parents))
        return Node(_ROW.of(len(parents)), nodes, saved, array)


class _Pullback:
    """The gradients of one output, computed together and returned one by one."""

    def __init__(self, call: _Call, k: int, parents: tuple[int, ...]) -> None:
        self._call = call
        self._k = k
        self._parents = parents
        self._of: Any = None
        self._left: dict[int, Any] = {}

    def __call__(self, i: int, g: Any, inputs: Sequence[Any]) -> Any:
        """The gradient of parent i, for an array as cotangent, or a tensor if the walk is recorded."""
        if self._of is not g or i not in self._left:
            self._of, self._left = g, dict(enumerate(self._gradients(g, inputs)))
        gradient = self._left.pop(i)
        if not self._left:
            self._of = None
        return gradient

    def _gradients(self, g: Any, inputs: Sequence[Any]) -> list[Any]:
        function = self._call.function.pulled(self._k, self._parents)
        arrays = self._call.arrays[: len(self._call.function.inputs)]
        if not isinstance(g, Tensor):
            return [t.array for t in function([*arrays, g], [None] * len(function.inputs), on_tape=False)]
        nodes: list[Node | None] = [None] * len(arrays)
        for p, x in zip(self._parents, inputs):
            if p < len(nodes):
                nodes[p] = x.node
        return function([*arrays, g.array], [*nodes, g.node], on_tape=bool(is_recording()))


def _pull(i: int, g: Any, *saved: Any) -> Any:
    *inputs, pullback = saved
    return pullback(i, g, inputs)


def _forward(*_: Any) -> Any:
    raise NotImplementedError("a compiled function computes its results by its program")


_ROW = Variadic("Compiled", _forward, _pull, expands=True)


def _leading_to(node: Node, places: dict[Node, int]) -> tuple[int, ...]:
    """The variables from which a node was computed, as positions."""
    found, seen, stack = set[int](), {node}, [node]
    while stack:
        node = stack.pop()
        if node in places:
            found.add(places[node])
            continue
        for parent in node.parents:
            if parent is not None and parent not in seen:
                seen.add(parent)
                stack.append(parent)
    return tuple(sorted(found))


def related(nodes: Sequence[Node | None], entrances: Sequence[Node | None]) -> bool:
    """Whether tensors with these nodes are related in a way that a trace with these entrances cannot know.

    That is so where one was computed from another, or two that are one node were not one in the trace.
    """
    distinct = {node: entrances[i] if i < len(entrances) else node for i, node in enumerate(nodes) if node is not None}
    if len(distinct) < len({*entrances, *nodes[len(entrances) :]} - {None}):
        return True
    return any(node.operation is not None and _leading_to_others(node, distinct) for node in distinct)


def _leading_to_others(node: Node, others: dict[Node, Any]) -> bool:
    return any(_leading_to(p, dict.fromkeys(others, 0)) for p in node.parents if p is not None)
