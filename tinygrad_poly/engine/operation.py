"""The form of the derivative table: what a row is, and how it is applied."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from tinygrad_poly.engine.arrays import Array, namespace

Rule = Callable[..., Array]


class Point(NamedTuple):
    """A special point of a row, where the formula gives no derivative, or another one than is returned.

    An input is a number, or a list of numbers for a vector; several inputs are a tuple, and so are their slopes. Where
    the result is a vector, its sum is what is differentiated.
    """

    at: Any
    """The inputs."""
    value: Any
    """y."""
    slope: Any
    """∂y/∂x for each input, in its shape; one number stands for all."""
    curvature: Any = 0
    """The second derivatives: rows of the Hessian of all numbers in the inputs; one number stands for all."""
    options: tuple[Any, ...] = ()
    """What the row takes beside its inputs."""
    note: str = ""
    """Why, or where torch says otherwise."""

    def __str__(self) -> str:
        y = "; ".join(f"y{prime} = {_text(value)}" for prime, value in zip(("", "′", "″"), self[1:4]))
        options = f" with option {', '.join(map(_text, self.options))}" if self.options else ""
        return f"at {_text(self.at)}{options}: {y}" + (f" ({self.note})" if self.note else "")


def _text(value: Any) -> str:
    """A number, list or tuple as text for readers."""
    if isinstance(value, (tuple, list)):
        inner = ", ".join(map(_text, value))
        return f"({inner})" if isinstance(value, tuple) else f"[{inner}]"
    written = f"{value:.5g}" if isinstance(value, float) else str(value)
    return written.replace("inf", "∞").replace("nan", "NaN").replace("-", "−")


def special_text(row: Operation | Variadic) -> str:
    """The special points of a row, and its note, as text for readers."""
    return ". ".join([*map(str, row.special), *([row.note] if row.note else [])]) or "none"


class NoGradient(Exception):  # noqa: N818 - it is no error
    """The exception by which a rule says, in the walk, that nothing flows back to its input: None instead of zeros."""


class Rules:
    """Rules that are made anew in each walk, by `make`, so that they may share what they compute."""

    def __init__(self, count: int, make: Callable[[], list[Rule | None]]) -> None:
        self.count, self.make = count, make

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Any:
        return iter(self.make())


class Operation:
    """A row of the table: the forward function and, for each input, a vector-Jacobian product.

    For y = f(a, b, …; options) and a cotangent g = ∂L/∂y, rule *i* returns ∂L/∂(input i) as plain
    mathematics. It may return more than its input's shape (the walk sums the repeated axes away) or
    less (a cotangent need only broadcast to the shape), in any dtype: see `backward.walk`.

    A rule is called as `rule(g, *saved, *options)`. `saves` says what is saved of the forward
    pass beside the options, and thereby what the rules may look at:

    - `"inputs"`: the input arrays, `rule(g, a, b)`
    - `"output"`: the output array, `rule(g, y)`
    - `"both"`: the inputs, then the output, `rule(g, a, b, y)`
    - `"shapes"`: only the inputs' shapes, `rule(g, a_shape, b_shape)`
    - `"nothing"`: `rule(g)`

    A row is also a function of arrays of any kind. Rules use that: the derivative of `sin` is
    written with the row `cos`, and is computed or recorded depending on what it is given.

    Args:
        name: torch's name for the node, without "Backward0".
        forward: from input arrays and options to the output array; it never writes into an input.
        rules: one per input, None for an input that has no derivative.
        saves: see above.
        expands: whether the rules need the cotangent in the output's full shape.
        opaque: whether `forward` looks at its inputs' numbers or fills arrays; arrays that only record what is
            done to them (they have a method `defer`) then record the row as a whole.
        formula: y in the inputs x or a, b, … for a reader of the table, such as "sin x".
        derivative: ∂y/∂x, or ∂y/∂a and ∂y/∂b with a semicolon between them.
        special: points where the formula gives no derivative, with what is returned there; a test evaluates them all.
        named: torch's name for a node of the row, where it is not `name` and "Backward0": a text, or a function of what
            the node has saved (a freed node is called as the others).
        note: what there is to say beside these, such as "a singular matrix raises SingularMatrixError".
    """

    __slots__ = (
        "derivative", "expands", "formula", "forward", "frees", "name", "named", "note", "rules", "saves_inputs",
        "saves_output", "saves_shapes", "special",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        forward: Callable[..., Array],
        *rules: Rule | None,
        saves: str = "inputs",
        expands: bool = False,
        opaque: bool = False,
        formula: str = "",
        derivative: str = "",
        special: tuple[Point, ...] = (),
        note: str = "",
        named: str | Callable[[Any], str] = "",
    ) -> None:
        self.name = name
        self.named = named
        if opaque:
            forward = self._deferring(forward)
        self.formula = formula
        self.derivative = derivative
        self.special = special
        self.note = note
        self.forward = forward
        self.rules: Any = rules
        self.saves_inputs = saves in ("inputs", "both")
        self.saves_output = saves in ("output", "both")
        self.saves_shapes = saves == "shapes"
        self.frees = self.saves_inputs or self.saves_output
        self.expands = expands

    def __call__(self, *arguments: Any) -> Array:
        """Apply the row to arrays (inputs, then options), recording it if they are tensors."""
        xp = namespace(arguments[0])
        apply = None if xp is np else getattr(xp, "apply_operation", None)
        return self.forward(*arguments) if apply is None else apply(self, *arguments)

    def _deferring(self, forward: Callable[..., Array]) -> Callable[..., Array]:
        def call(*arguments: Any) -> Array:
            for x in arguments:
                if hasattr(x, "defer"):
                    return x.defer(self, arguments)
            return forward(*arguments)

        return call

    def save(self, inputs: tuple[Array, ...], y: Array) -> tuple[Any, ...]:
        """The arrays that the rules need of a forward pass from `inputs` to `y`."""
        if self.saves_inputs:
            return (*inputs, y) if self.saves_output else inputs
        if self.saves_output:
            return (y,)
        if self.saves_shapes:
            return tuple(a.shape for a in inputs)
        return ()

    def node_name(self, node: Any) -> str:
        """Torch's name of a node of the row."""
        if callable(self.named) and node.saved is not None:
            return self.named(node.saved)
        return self.named if self.named and isinstance(self.named, str) else f"{self.name}Backward0"

    def __repr__(self) -> str:
        return f"<Operation {self.name}>"


class Variadic:
    """A row for any number of inputs, such as the concatenation of n arrays: `row.of(n)` is the row for n.

    Args:
        name: as for `Operation`, like all keywords.
        forward: from input arrays, then options, to the output array.
        rule: `rule(i, g, *saved, *options)` returns ∂L/∂(input i).
    """

    def __init__(self, name: str, forward: Callable[..., Array], rule: Callable[..., Array], **keywords: Any) -> None:
        self.name = name
        self.forward = forward
        self.rule = rule
        self.keywords = keywords
        self._rows: dict[int, Operation] = {}

    @property
    def formula(self) -> str:
        """The formula, as in an `Operation`."""
        return str(self.keywords.get("formula", ""))

    @property
    def derivative(self) -> str:
        """The derivative, as in an `Operation`."""
        return str(self.keywords.get("derivative", ""))

    @property
    def note(self) -> str:
        """The note, as in an `Operation`."""
        return str(self.keywords.get("note", ""))

    special: tuple[Point, ...] = ()

    def of(self, count: int) -> Operation:
        """The row for `count` inputs."""
        row = self._rows.get(count)
        if row is None:
            rules = [partial(self.rule, i) for i in range(count)]
            row = self._rows[count] = Operation(self.name, self.forward, *rules, **self.keywords)
        return row

    def __repr__(self) -> str:
        return f"<Variadic {self.name}>"
