"""Programs: flat lists of the instructions of a traced function, from its inputs to its outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tinygrad_poly.compiler.trace.symbols import Symbol, call


@dataclass(frozen=True)
class Program:
    """A program: symbols in an order in which they can be computed, each after its inputs.

    Attributes:
        inputs: the placeholders; what is not computed.
        outputs: the symbols to return.
        instructions: everything else that the outputs need, inputs before their consumers.
    """

    inputs: tuple[Symbol, ...]
    outputs: tuple[Symbol, ...]
    instructions: tuple[Symbol, ...]

    @classmethod
    def of(cls, inputs: Sequence[Symbol], outputs: Sequence[Symbol]) -> Program:
        """The program that computes `outputs`, without what they do not need."""
        return cls(tuple(inputs), tuple(outputs), tuple(s for s in in_order(outputs) if s.function != "input"))

    def run(self, values: Mapping[Symbol, Any], wanted: Sequence[Symbol] | None = None) -> list[Any]:
        """Compute the outputs from the values of the inputs, one instruction after another.

        This is the reference that everything faster is tested against.

        Args:
            values: what the inputs are.
            wanted: other symbols of the program to compute instead of the outputs.
        """
        return evaluated(
            values, self.outputs if wanted is None else wanted, lambda s, given: call(s.function, given, s.attributes)
        )

    def depending_on(self, inputs: Iterable[Symbol]) -> set[Symbol]:
        """These inputs, and all instructions that need one of them, themselves or through others."""
        found = set(inputs)
        for s in self.instructions:
            if not found.isdisjoint(x for x in s.inputs if isinstance(x, Symbol)):
                found.add(s)
        return found

    def __str__(self) -> str:
        names = {s: s.name for s in self.inputs}
        lines = [f"{s.name}: {_kind(s)}" for s in self.inputs]
        for s in self.instructions:
            names[s] = s.name or f"v{len(names)}"
            given = [names[x] if isinstance(x, Symbol) else _constant(x) for x in s.inputs]
            given += [f"{key}={value}" for key, value in s.attributes]
            lines.append(f"{names[s]} = {s.function}({', '.join(given)})  # {_kind(s)}")
        return "\n".join([*lines, f"return {', '.join(names[s] for s in self.outputs)}"])


def evaluated(
    values: Mapping[Symbol, Any], wanted: Sequence[Symbol], compute: Callable[[Symbol, tuple[Any, ...]], Any]
) -> list[Any]:
    """The values of symbols, one after another.

    Args:
        values: what the inputs are, and whatever else is known.
        wanted: what to return.
        compute: a symbol from the values of its inputs.
    """
    known = dict(values)
    for s in in_order(wanted, known.__contains__):
        result = compute(s, tuple(known[x] if isinstance(x, Symbol) else x for x in s.inputs))
        known[s] = result.item() if s.weak else result  # a Python number promotes nothing, one of NumPy's would
    return [known[s] for s in wanted]


def in_order(outputs: Sequence[Symbol], known: Callable[[Symbol], bool] = lambda s: False) -> list[Symbol]:
    """All symbols that `outputs` need, and the outputs, each after its inputs; without what is known."""
    found: list[Symbol] = []
    seen: set[Symbol] = set()
    stack = [(s, False) for s in reversed(outputs)]
    while stack:
        s, inputs_done = stack.pop()
        if inputs_done:
            found.append(s)
        elif s not in seen and not known(s):
            seen.add(s)
            stack.append((s, True))
            stack += [(x, False) for x in reversed(s.inputs) if isinstance(x, Symbol)]
    return found


def _kind(s: Symbol) -> str:
    return f"{s.dtype}{list(s.shape)}"


def _constant(value: Any) -> str:
    return f"<{value.dtype}{list(value.shape)}>" if getattr(value, "shape", ()) else repr(value)
