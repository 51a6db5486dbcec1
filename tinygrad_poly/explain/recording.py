"""Recordings: every operation of a computation, with the values, the lines and the names that a tape need not keep."""

import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from types import FrameType
from typing import Any

from tinygrad_poly.engine.apply import Node
from tinygrad_poly.engine.arrays import Array
from tinygrad_poly.engine.operation import Operation
from tinygrad_poly.engine.recording import Observer, users_frame, users_line
from tinygrad_poly.nn import Module
from tinygrad_poly.tensor import Tensor


@dataclass(frozen=True)
class Record:
    """A recorded operation.

    Attributes:
        operation: the row of the derivative table.
        inputs: what it was applied to: arrays and numbers; None for what is not known any more.
        options: what else the row was given.
        node: the node of the result; `node.parents` are those of the inputs.
        value: the result; None if it is not known.
        line: where the user's program asked for it.
    """

    operation: Operation
    inputs: tuple[Any, ...]
    options: tuple[Any, ...]
    node: Node
    value: Array | None
    line: traceback.FrameSummary | None = None


class Recording(Observer):
    """A recording of what is computed inside `with recording() as recorded:`, to be explained afterwards.

    It keeps all values, so it is for a computation that one wants to look at, not for a long training.

    Attributes:
        records: the operations, in the order in which they were computed.
        names: the names of the user's variables, by the node, or for data by the `id` of the array.
    """

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.names: dict[Any, str] = {}
        self._frames: dict[int, FrameType] = {}

    def recorded(self, operation: Any, inputs: tuple[Any, ...], options: tuple[Any, ...], result: Any) -> None:
        """Keep an operation, and the frame of the program that asked for it."""
        frame = users_frame(sys._getframe())
        if frame is not None:
            self._frames[id(frame)] = frame
        self.records.append(Record(operation, inputs, options, result.node, result.array, users_line(frame)))

    def __exit__(self, *exception: object) -> None:
        super().__exit__(*exception)
        for frame in self._frames.values():
            self.name(frame.f_locals)
        self._frames.clear()

    def name(self, variables: Mapping[str, Any]) -> None:
        """Remember the names of tensors, of what dicts hold and of the parameters of modules, among variables."""
        for name, value in variables.items():
            found = {name: value}
            if isinstance(value, Module):
                prefix = "" if name == "self" else f"{name}."
                found = {f"{prefix}{inner}": p for inner, p in value.named_parameters()}
            elif type(value) is dict and not name.startswith("_"):
                found = value
            for inner, tensor in found.items():
                if isinstance(tensor, Tensor) and isinstance(inner, str) and not inner.startswith("_"):
                    self.names.setdefault(id(tensor.array) if tensor.node is None else tensor.node, inner)


def of_the_tape(loss: Tensor) -> list[Record]:
    """The operations that the tape still knows of a tensor that was computed without a recording, in order.

    A node keeps what its rule needs: of `a * b` both values, of `a + b` none; after `backward()` nothing. What can
    be computed again from what is known is.
    """
    records: list[Record] = []
    known: dict[Any, Any] = {} if loss.node is None else {loss.node: loss.array}
    stack: list[tuple[Node, bool]] = [] if loss.node is None else [(loss.node, False)]
    seen: set[Node] = set()
    while stack:
        node, done = stack.pop()
        operation = node.operation
        if operation is None:
            continue
        if done:
            saved, count = node.saved or (), len(node.parents)
            inputs = saved[:count] if operation.saves_inputs and saved else (None,) * count
            kept = count * (operation.saves_inputs or operation.saves_shapes) + operation.saves_output
            if operation.saves_output and saved:
                known.setdefault(node, saved[kept - 1])
            known.update((p, x) for p, x in zip(node.parents, inputs) if p is not None and x is not None)
            records.append(Record(operation, inputs, saved[kept:], node, None))
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack += [(parent, False) for parent in node.parents if parent is not None]
    found = []
    for r in records:
        inputs = tuple(known.get(p, x) for p, x in zip(r.node.parents, r.inputs))
        if r.node not in known and r.node.saved is not None and all(x is not None for x in inputs):
            known[r.node] = r.operation.forward(*inputs, *r.options)
        found.append(Record(r.operation, inputs, r.options, r.node, known.get(r.node)))
    return found
