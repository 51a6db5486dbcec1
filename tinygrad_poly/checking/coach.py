"""The coach: warnings about mistakes in a training loop, while it runs, in the line that makes them."""

from __future__ import annotations

import dis
import itertools
import sys
import warnings
from functools import lru_cache
from types import CodeType, FrameType
from typing import Any

import numpy as np

from tinygrad_poly.autograd.anomaly import Switch
from tinygrad_poly.checking.training_loop import PROBLEMS, named
from tinygrad_poly.engine.arrays import on_cpu
from tinygrad_poly.engine.recording import users_frame, users_line

WHY = {
    "not-zeroed": "backward() adds to .grad, so that several losses can be added up before one step; "
    "after the step the sum has to go: optimizer.zero_grad(), or {name}.grad = None",
    "history": "this update is recorded like the loss, and {name} becomes a result of all earlier steps, which each "
    "backward() walks again; an update is no part of the function that is differentiated",
    "grows": "it is computed from a value of the step before, which was computed from one before it, and all their "
    "operations are kept: add up loss.item(), or carry a state on with .detach()",
}


class coach(Switch):  # noqa: N801 - a switch, called like a function
    """Warn of mistakes in a training loop: from here on, or in a `with`; `coach(False)` ends it.

    Each is told once, with its line, what happens, why, and what to write instead: gradients of several steps that are
    added up because `zero_grad` was forgotten, an update outside of `no_grad`, and a graph that grows from step to
    step. Gradients that are added up on purpose before one step, loops within a step and `retain_graph` are right.
    `checking.check_training_loop` looks for the same, and more, in a function that takes one step.

    >>> import warnings
    >>> import tinygrad_poly as tg
    >>> w = tg.tensor(1.0, requires_grad=True)
    >>> with warnings.catch_warnings(record=True) as told, coach():
    ...     warnings.simplefilter("always")
    ...     (w * w).backward()
    ...     w = w - 0.1 * w.grad
    >>> print(str(told[0].message)[:70])
    w keeps its history: its graph grows with every step. Update it in pla
    """

    def __init__(self, mode: bool = True) -> None:
        super().__init__(mode)
        self.told: set[str] = set()
        self.leaves: dict[Any, Any] = {}
        """The array that each leaf was last used with."""
        self.sums: dict[Any, tuple[Any, Any]] = {}
        """For each leaf with a gradient, the array that it had then; where another step's joined it, and the tensor."""
        self.now: dict[Any, tuple[int, Any]] = {}
        """The operations since the last backward pass: into how many steps before it they reach, and their lines."""
        self.earlier: dict[Any, tuple[int, Any]] = {}
        """Those of the step before."""
        self.walked: set[Any] = set()
        """The nodes of the last backward pass."""
        self.freed: list[Any] = []
        """A node that the last backward pass frees, if it was not to be repeated."""

    def recorded(self, operation: Any, inputs: tuple[Any, ...], options: tuple[Any, ...], result: Any) -> None:
        """Look whether an operation is an update, and how far its graph reaches."""
        self._turn()
        frame = users_frame(sys._getframe())
        place = frame and (frame.f_code, frame.f_lineno)
        parents = [(p, x) for p, x in zip(result.node.parents, inputs) if p is not None]
        self.leaves.update((p, x) for p, x in parents if p.operation is None)
        steps = 0
        for p, _ in parents:
            reach, line = self.now.get(p, (0, None))
            if p in self.earlier:
                reach, line = self.earlier[p]
                reach += 1
                if reach >= (2 if line == place else 3):
                    self._tell("history" if p.grad is not None and p in self.walked else "grows", frame, p)
            steps = max(steps, reach)
        self.now[result.node] = steps, place
        constant = len(parents) < sum(hasattr(x, "shape") for x in inputs)
        if constant and frame and any(p.grad is not None for p, _ in parents) and _reads_gradient(frame):
            self._tell("history", frame, next(p for p, _ in parents if p.grad is not None))

    def walking(self, nodes: Any) -> None:
        """Look whether gradients of different steps are added up."""
        self._turn()
        frame = users_frame(sys._getframe())
        for node in nodes:
            if node.operation is None and node in self.leaves:
                array = self.leaves[node]
                before, mixed = self.sums.get(node, (array, None))
                if node.grad is None or not on_cpu(node.grad.array).any():
                    mixed = None
                elif _differ(before, array):
                    if mixed:
                        self._tell("not-zeroed", frame, node)
                    mixed = frame, _found(frame, node)[1]
                self.sums[node] = array, mixed
        self.walked = set(nodes)
        self.freed = [n for n in nodes if n.operation and n.operation.frees][:1]

    def __exit__(self, *exception: object) -> None:
        for node, (array, mixed) in self.sums.items():
            if mixed and mixed[1] is not None and mixed[1].grad is not None and _differ(array, mixed[1].array):
                self._tell("not-zeroed", mixed[0], node)
        super().__exit__(*exception)

    def _turn(self) -> None:
        """Begin another step, if a backward pass has ended the last one: one that is to be repeated does not."""
        if self.freed and self.freed[0].saved is None:
            self.earlier, self.now, self.freed = self.now, {}, []

    def _tell(self, code: str, frame: FrameType | None, node: Any) -> None:
        if code in self.told:
            return
        self.told.add(code)
        name = _found(frame, node)[0]
        what = PROBLEMS.get(code, "this graph grows from step to step").format(name=name, sizes="")
        subject = "" if code == "grows" else f"{name} "
        line = users_line(frame)
        where = (line.filename, line.lineno or 0) if line else ("<unknown>", 0)
        text = f"\n    {line.line}" if line and line.line else ""
        warnings.warn_explicit(f"{subject}{what}.\nWhy: {WHY[code].format(name=name)}.{text}", UserWarning, *where)


def _found(frame: FrameType | None, node: Any) -> tuple[str, Any]:
    """The user's name of the tensor of a node, and the tensor."""
    scope = {**frame.f_globals, **frame.f_locals} if frame else {}
    found = (pair for pair in named(scope) if getattr(pair[1], "node", None) is node)
    return next(found, ("a weight", None))


def _differ(one: Any, other: Any) -> bool:
    return one is not other and not np.array_equal(on_cpu(one), on_cpu(other))


def _reads_gradient(frame: FrameType) -> bool:
    """Whether the expression that is being computed reads a `.grad`, and is not detached."""
    within = next(itertools.islice(frame.f_code.co_positions(), frame.f_lasti // 2, None))
    if None in within:
        return False
    first, last, left, right = within
    if any((a, c) <= (first, left) and (last, right) <= (b, d) for a, b, c, d in _places(frame.f_code, "detach")):
        return False
    return any((first, left) <= (a, c) and (b, d) <= (last, right) for a, b, c, d in _places(frame.f_code, "grad"))


@lru_cache
def _places(code: CodeType, attribute: str) -> list[Any]:
    names = ("LOAD_ATTR", "LOAD_METHOD")
    found = [i.positions for i in dis.get_instructions(code) if i.opname in names and i.argval == attribute]
    return [(p.lineno, p.end_lineno, p.col_offset, p.end_col_offset) for p in found if p and p.lineno]
