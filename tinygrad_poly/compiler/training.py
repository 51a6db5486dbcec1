"""Training steps as programs: forward, backward and update, recorded by the ordinary tape."""

import inspect
import re
import sys
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import FrameType
from typing import Any, Self

import numpy as np

from tinygrad_poly.autograd import grad
from tinygrad_poly.compiler.loops.fuse import is_view
from tinygrad_poly.compiler.trace.apart import Apart
from tinygrad_poly.compiler.trace.outside import nothing_kept
from tinygrad_poly.compiler.trace.places import Places, Use
from tinygrad_poly.compiler.trace.program import Program
from tinygrad_poly.compiler.trace.simplify import simplify
from tinygrad_poly.compiler.trace.symbols import Symbol, phase, placeholder
from tinygrad_poly.engine.apply import wrap
from tinygrad_poly.engine.errors import TraceError
from tinygrad_poly.engine.recording import Observer
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
        rates: the inputs that are the learning rates of each step, where they change; else they are constants.
    """

    program: Program
    carried: tuple[Symbol, ...]
    data: tuple[Symbol, ...]
    state: tuple[StateKey, ...]
    rates: tuple[Symbol, ...] = ()

    def in_parts(self, apart: Apart) -> Self:
        """The step of a program that was taken apart, all inputs split; its state is that of the whole."""
        carried, data = apart.inputs(self.carried), apart.inputs(self.data)
        return replace(self, program=apart.program, carried=tuple(carried), data=tuple(data))


class StateAppears(Exception):  # noqa: N818 - it asks for one ordinary step, it is no error
    """An optimizer whose state gets new entries in its first step, which therefore has to be an ordinary one."""


def trace(
    loss: Callable[..., Tensor],
    arrange: Callable[[Mapping[str, Tensor]], Any],
    weights: Mapping[str, Any],
    data: Mapping[str, Any],
    optimizer: Any,
    scheduled: bool = False,
) -> TrainingStep:
    """Trace one training step on symbols.

    Args:
        loss: `loss(params, *data)`.
        arrange: makes `params` of the weights by name.
        weights: the weights by name; or arrays like those that `optimizer` updates, in its order.
        data: arrays by name, in the order in which `loss` takes them.
        optimizer: what updates the weights. It takes a step, and is then put back to where it was.
        scheduled: whether the learning rate of each of its groups is an input of the program.

    Raises:
        TraceError: where the step depends on numbers that a trace does not have.
        StateAppears: where the optimizer has to take one ordinary step first.
    """
    parameters = _parameters_by_name(weights, optimizer)
    # Two names may be one and the same word for Python; printed they will differ.
    names = {p: unicodedata.normalize("NFKC", str(name)).replace(".", "_") for name, p in parameters.items()}
    rates = tuple(placeholder("lr", (), np.float64, weak=True) for _ in optimizer.param_groups if scheduled)
    given = {name: placeholder(name, array.shape, array.dtype) for name, array in data.items()}
    symbols = [placeholder(name, p.shape, p.dtype) for p, name in names.items()]
    with nothing_kept(loss) as tracing, _on_symbols(optimizer, names, rates) as before:
        for p, symbol in zip(names, symbols, strict=True):
            tracing.give(p, array=symbol, node=leaf(symbol))
            if p.array is not symbol:
                raise TraceError(
                    f"the weight {names[p]} is a view, and a compiled program cannot write into its base: give the "
                    "optimizer a tensor of its own, such as weight.detach().clone().requires_grad_()"
                )
        with phase("forward"), _Locals(loss) as local:
            output = loss(arrange(parameters), *(wrap(symbol, None) for symbol in given.values()))
        if not isinstance(output, Tensor) or not isinstance(output.array, Symbol) or output.node is None:
            raise TraceError("the loss does not depend on the weights and the data that it was given")
        inputs = names | _named(local.found, names)
        _name(output, "loss", even_if_named=True)
        with phase("backward"):
            gradients = dict(zip(inputs, grad(output, list(inputs), allow_unused=True), strict=True))
        for tensor, gradient in gradients.items():
            if gradient is not None:
                _name(gradient, f"grad_{inputs[tensor]}")
        _take_step(optimizer, {p: gradients[p] for p in names})
        after, updated = _state(optimizer), [p.array for p in names]
        if after.keys() != before.keys() or _kinds(updated, after) != _kinds(symbols, before):
            raise StateAppears
        outputs = [*updated, *after.values(), output.array]
    carried = (*symbols, *before.values())
    program = simplify(Program.of((*given.values(), *carried, *rates), outputs))
    return TrainingStep(program, carried, tuple(given.values()), tuple(before), rates)


def _named(variables: Mapping[str, Any], weights: Mapping[Tensor, str]) -> dict[Tensor, str]:
    """The tensors in a loss's variables that have a gradient; names them after the variables."""
    found: dict[Tensor, str] = {}
    for name, value in variables.items():
        if isinstance(value, Tensor) and value not in weights:
            _name(value, name)
            if value.node is not None:
                found[value] = name
    return found


def _parameters_by_name(weights: Mapping[str, Any], optimizer: Any) -> dict[str, Tensor]:
    """The tensors that a fit changes, by name.

    Raises:
        TraceError: where the optimizer changes others as well.
    """
    theirs = [p for group in optimizer.param_groups for p in group["params"]]
    if not all(isinstance(w, Tensor) for w in weights.values()):
        return dict(zip(weights, theirs, strict=True))
    known = set(weights.values())
    for position, p in enumerate(theirs):
        if p not in known:
            raise TraceError(
                f"parameter {position} of the optimizer, of shape {p.shape}, is none of the weights that the loss is "
                "given, so a compiled program cannot change it: pass it as one of them"
            )
    return dict(weights)


def _kinds(weights: Sequence[Any], state: Mapping[StateKey, Any]) -> list[Any]:
    """The kinds of carried values, which a step must not change: numbers, or arrays of a shape and dtype."""
    return [
        "number" if isinstance(x, int | float) or getattr(x, "weak", False) else (x.shape, x.dtype)
        for x in (*weights, *state.values())
    ]


@contextmanager
def _on_symbols(
    optimizer: Any, names: Mapping[Tensor, str], rates: Sequence[Symbol]
) -> Iterator[dict[StateKey, Symbol]]:
    """A context of a trace in which an optimizer steps on symbols; afterwards it is as before.

    Inside it has symbols in the place of what it remembers, which are yielded.

    Raises:
        TraceError: where a step changes more than weights and the state: the program would not.
    """
    groups, remembered = own = optimizer.param_groups, optimizer.state
    changing = [{"lr": rate} for rate in rates] or [{}] * len(groups)
    optimizer.param_groups = [group | rate for group, rate in zip(groups, changing, strict=True)]
    optimizer.state = state = defaultdict[Any, dict[str, Any]](dict)
    places = Places()
    try:
        places.follow(vars(optimizer), f"vars({type(optimizer).__name__})", Use.HELD)
        places.settle()
        symbols: dict[StateKey, Symbol] = {}
        for number, p in enumerate(_parameters(optimizer)):
            for key, value in remembered.get(p, {}).items():
                symbol = _placeholder(f"{key}_{names[p]}", value)
                if symbol is not None:
                    symbols[number, key] = symbol
                    value = wrap(symbol, None) if isinstance(value, Tensor) else symbol
                state[p][key] = value
        yield symbols
        state.clear()
        changed = [change.name for change in places.changes()]
        changed += [label for x, label in places.tensors.values() if x not in names and isinstance(x.array, Symbol)]
        if changed:
            # Of a list its name, and of a group's option its own.
            names_of = (next(filter(str.isidentifier, reversed(re.findall(r"\w+", name)))) for name in changed)
            raise TraceError(
                f"a step of {type(optimizer).__name__} changes {', '.join(map(repr, dict.fromkeys(names_of)))}, which "
                "a compiled program does not know of: keep what changes from step to step in optimizer.state[parameter]"
            )
    finally:
        places.put_back()
        optimizer.param_groups, optimizer.state = own


def _placeholder(name: str, value: Any) -> Symbol | None:
    """A symbol for a value of an optimizer's state; None for what is no number, and stays as it is."""
    if isinstance(value, bool) or not isinstance(value, Tensor | np.ndarray | np.generic | int | float):
        return None
    if isinstance(value, int | float) and not isinstance(value, np.generic):
        return placeholder(name, (), np.float64, weak=True)
    return placeholder(name, value.shape, value.dtype)


def _take_step(optimizer: Any, gradients: Mapping[Tensor, Tensor | None]) -> None:
    """Take the update of a training step.

    Raises:
        TraceError: where gradients are kept for the next step.
    """
    optimizer.zero_grad()
    for p, gradient in gradients.items():
        if p.node is not None:
            p.node.grad = gradient
    with phase("update"):
        optimizer.step()
    optimizer.zero_grad()
    kept = [p.grad for p in _parameters(optimizer) if p.grad is not None and p.grad.array.function != "full"]
    if kept:
        raise TraceError(
            f"zero_grad() of {type(optimizer).__name__} keeps gradients for the next step, which a compiled program "
            "does not know of: keep what changes from step to step in optimizer.state[parameter]"
        )


def _parameters(optimizer: Any) -> list[Tensor]:
    return [p for group in optimizer.param_groups for p in group["params"]]


def _state(optimizer: Any) -> dict[StateKey, Any]:
    """The state of an optimizer: arrays, symbols and numbers."""
    return {
        (number, key): value.array if isinstance(value, Tensor) else value
        for number, p in enumerate(_parameters(optimizer))
        for key, value in optimizer.state.get(p, {}).items()
        if isinstance(value, Symbol) or _placeholder("", value) is not None
    }


def carried_values(step: TrainingStep, weights: list[Any], optimizer: Any) -> list[Any]:
    """The values of a step's carried inputs."""
    state = _state(optimizer)
    return [*weights, *(state[key] for key in step.state)]


def put_back(step: TrainingStep, values: list[Any], optimizer: Any) -> list[Any]:
    """Set an optimizer's state from the values of a compiled program; returns the weights."""
    params = _parameters(optimizer)
    count = len(values) - len(step.state)
    for (number, key), value in zip(step.state, values[count:], strict=True):
        old = optimizer.state[params[number]][key]
        if hasattr(old, "shape"):
            value = value if value.shape else value[()]  # as NumPy has it
        optimizer.state[params[number]][key] = (
            wrap(value, None) if isinstance(old, Tensor) else value if hasattr(old, "shape") else type(old)(value)
        )
    return values[:count]


def _name(tensor: Tensor, name: str, even_if_named: bool = False) -> None:
    symbol = tensor.array
    while isinstance(symbol, Symbol) and symbol.function != "input" and (even_if_named or not symbol.name):
        symbol.name = name
        if not is_view(symbol) or symbol.inputs[0].size != symbol.size:
            break
        (symbol,) = symbol.inputs


class _Locals(Observer):
    """The local variables of a function at its return, in `found` after this context.

    The program is printed for the person who wrote the function, in that person's words. The frame of the call is
    looked for when an operation is recorded, and outlives the call for as long as it is held here.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.code = getattr(inspect.unwrap(function), "__code__", None)
        self.frame: FrameType | None = None
        self.found: dict[str, Any] = {}

    def recorded(self, operation: Any, inputs: tuple[Any, ...], options: tuple[Any, ...], result: Any) -> None:
        """Look for the frame of the call, unless it is found already."""
        frame: FrameType | None = self.frame or sys._getframe(1)
        while frame is not None and frame.f_code is not self.code:
            frame = frame.f_back
        self.frame = frame

    def __exit__(self, *exception: object) -> None:
        super().__exit__(*exception)
        if self.frame is not None:
            self.found = dict(self.frame.f_locals)
            self.frame = None
