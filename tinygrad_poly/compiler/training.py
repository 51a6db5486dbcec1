"""A training step as a program: forward, backward and update, written down by the ordinary tape."""

from __future__ import annotations

import copy
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_poly.compiler.loops.fuse import is_view
from tinygrad_poly.compiler.trace.program import Program
from tinygrad_poly.compiler.trace.simplify import simplify
from tinygrad_poly.compiler.trace.symbols import Symbol, phase, placeholder, recorded
from tinygrad_poly.engine.apply import wrap
from tinygrad_poly.engine.errors import TraceError
from tinygrad_poly.engine.walk import leaf
from tinygrad_poly.tensor import Tensor

StateKey = tuple[int, str]
"""A parameter's number and the name of something that the optimizer remembers for it."""


@dataclass(frozen=True)
class TrainingStep:
    """One step of gradient descent.

    Attributes:
        program: from the data, the weights and the optimizer's state to the next weights and state and, last, the loss.
        carried: the inputs that change from step to step: the weights, then the state.
        data: the inputs that do not.
        state: what the carried values after the weights are.
    """

    program: Program
    carried: tuple[Symbol, ...]
    data: tuple[Symbol, ...]
    state: tuple[StateKey, ...]


class StateAppears(Exception):  # noqa: N818 - it asks for one ordinary step, it is no error
    """The optimizer remembers something after a step that it did not know before."""


def trace(
    loss: Callable[..., Tensor],
    arrange: Callable[[Mapping[str, Tensor]], Any],
    weights: Mapping[str, Any],
    data: Mapping[str, Any],
    optimizer: Any,
) -> TrainingStep:
    """Run one step on symbols.

    Args:
        loss: `loss(params, *data)`.
        arrange: makes `params` of the weights by name.
        weights: arrays by name.
        data: arrays by name, in the order in which `loss` takes them.
        optimizer: the optimizer of the weights, in the same order; it is not changed.

    Raises:
        TraceError: where the step depends on numbers that a trace does not have.
        StateAppears: where the optimizer has to take one ordinary step first.
    """
    symbols = {name: placeholder(name, w.shape, w.dtype) for name, w in weights.items()}
    given = {name: placeholder(name, array.shape, array.dtype) for name, array in data.items()}
    tensors = {name: wrap(symbol, leaf(symbol)) for name, symbol in symbols.items()}
    with phase("forward"), _names_of_locals(loss) as named:
        output = loss(arrange(tensors), *(wrap(symbol, None) for symbol in given.values()))
    if not isinstance(output, Tensor) or not isinstance(output.array, Symbol):
        raise TraceError("the loss does not depend on the weights and the data that it was given")
    for name, tensor in named.items():
        _name(tensor, name)
        if tensor.node is not None:
            tensor.node.keeps_grad = True
    _name(output, "loss", even_if_named=True)
    with phase("backward"):
        output.backward()
    for name, tensor in (named | tensors).items():
        if tensor.grad is not None:
            _name(tensor.grad, f"grad_{name}")
    update, before = _on_symbols(optimizer, list(tensors.values()), list(tensors))
    with phase("update"):
        update.step()
    after = _state(update)
    if after.keys() != before.keys():
        raise StateAppears
    outputs = [*(tensor.array for tensor in tensors.values()), *after.values(), output.array]
    carried = (*symbols.values(), *before.values())
    _check_changes(optimizer, update)
    recorded.set(None)  # what comes now is kept
    program = simplify(Program.of((*given.values(), *carried), outputs))
    return TrainingStep(program, carried, tuple(given.values()), tuple(before))


def _on_symbols(optimizer: Any, tensors: list[Tensor], names: list[str]) -> tuple[Any, dict[StateKey, Symbol]]:
    """A copy of an optimizer that updates `tensors`, with symbols for all that it remembers; and these symbols."""
    theirs = [p for group in optimizer.param_groups for p in group["params"]]
    ours = dict(zip(theirs, tensors, strict=True))
    update = copy.copy(optimizer)
    update.param_groups = [{**group, "params": [ours[p] for p in group["params"]]} for group in optimizer.param_groups]
    update.state = defaultdict(dict)
    symbols: dict[StateKey, Symbol] = {}
    for number, p in enumerate(theirs):
        for key, value in optimizer.state[p].items() if p in optimizer.state else ():
            name = f"{key}_{names[number]}"
            if isinstance(value, Tensor):
                symbol = placeholder(name, value.shape, value.dtype)
                update.state[ours[p]][key] = wrap(symbol, None)
            else:
                symbol = placeholder(name, (), np.float64, weak=True)
                update.state[ours[p]][key] = symbol
            symbols[number, key] = symbol
    return update, symbols


def _check_changes(before: Any, after: Any) -> None:
    """Refuse an optimizer whose step changes more than weights and its `state`: the program would not.

    Raises:
        TraceError: naming what changes.
    """
    changed = [
        key
        for key, value in vars(after).items()
        if key not in ("param_groups", "state") and value is not vars(before).get(key)
    ]
    for old, new in zip(before.param_groups, after.param_groups, strict=True):
        changed += [key for key, value in new.items() if key != "params" and value is not old.get(key)]
    if changed:
        raise TraceError(
            f"a step of {type(before).__name__} changes {', '.join(map(repr, changed))}, which a compiled program does "
            "not know of: keep what changes from step to step in optimizer.state[parameter]"
        )


def _state(optimizer: Any) -> dict[StateKey, Any]:
    """What an optimizer remembers: arrays, symbols and numbers."""
    params = [p for group in optimizer.param_groups for p in group["params"]]
    return {
        (number, key): value.array if isinstance(value, Tensor) else value
        for number, p in enumerate(params)
        if p in optimizer.state
        for key, value in optimizer.state[p].items()
    }


def carried_values(step: TrainingStep, weights: list[Any], optimizer: Any) -> list[Any]:
    """The values of a step's carried inputs."""
    state = _state(optimizer)
    return [*weights, *(state[key] for key in step.state)]


def put_back(step: TrainingStep, values: list[Any], optimizer: Any) -> list[Any]:
    """Give an optimizer the state that a compiled program led to; returns the weights."""
    params = [p for group in optimizer.param_groups for p in group["params"]]
    count = len(values) - len(step.state)
    for (number, key), value in zip(step.state, values[count:], strict=True):
        old = optimizer.state[params[number]][key]
        optimizer.state[params[number]][key] = wrap(value, None) if isinstance(old, Tensor) else type(old)(value)
    return values[:count]


def _name(tensor: Tensor, name: str, even_if_named: bool = False) -> None:
    symbol = tensor.array
    while isinstance(symbol, Symbol) and symbol.function != "input" and (even_if_named or not symbol.name):
        symbol.name = name
        if not is_view(symbol) or symbol.inputs[0].size != symbol.size:
            break
        (symbol,) = symbol.inputs


@contextmanager
def _names_of_locals(function: Callable[..., Any]) -> Iterator[dict[str, Tensor]]:
    """The tensors that a function had in local variables when it returned, by the names of the variables.

    The program is printed for the person who wrote the function, in that person's words.
    """
    code = getattr(function, "__code__", None)
    found: dict[str, Tensor] = {}

    def on_event(frame: Any, event: str, _: Any) -> None:
        if event == "return" and frame.f_code is code:
            found.update({name: value for name, value in frame.f_locals.items() if isinstance(value, Tensor)})

    before = sys.getprofile()
    sys.setprofile(on_event)
    try:
        yield found
    finally:
        sys.setprofile(before)
