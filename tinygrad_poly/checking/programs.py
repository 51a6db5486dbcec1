"""Programs as data: straight lines of +, −, ×, sums, and moves of elements.

A program shrinks by losing instructions, and its repr is Python: a failure can be pasted into a test.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Shape = tuple[int, ...]
Instruction = tuple[Any, ...]
Numbers = tuple[float, ...]

# What an instruction computes from its operands, on tensors of either library or on exact numbers.
COMPUTE: dict[str, Callable[..., Any]] = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "matmul": lambda a, b: a @ b,
    "negative": lambda a: -a,
    "power": lambda a, n: a**n,
    "sum": lambda a, axes, keep: a.sum() if axes is None else a.sum(axes, keep),
    "mean": lambda a, axes, keep: a.mean() if axes is None else a.mean(axes, keep),
    "reshape": lambda a, shape: a.reshape(shape),
    "permute": lambda a, axes: a.permute(axes),
    "take": lambda a, rows: a[list(rows)],
}
OPERANDS = {name: 2 if name in ("add", "subtract", "multiply", "matmul") else 1 for name in COMPUTE}


@dataclass(frozen=True)
class Input:
    """An input array of a program."""

    shape: Shape
    numbers: Numbers
    requires_grad: bool = True

    def array(self, dtype: str = "float64") -> np.ndarray[Any, Any]:
        """The numbers as an array of the input's shape."""
        return np.array(self.numbers, dtype=dtype).reshape(self.shape)


@dataclass(frozen=True)
class Program:
    """Inputs and instructions, which refer to values by position: inputs first, then results. The last is the output.

    >>> square = Program((Input((2,), (1.0, 3.0)),), (("multiply", 0, 0), ("sum", 1, None, False)))
    >>> import tinygrad_poly as tg
    >>> square.run([tg.tensor(i.array()) for i in square.inputs]).item()
    10.0
    >>> square.shapes
    ((2,), (2,), ())
    >>> eval(repr(square)) == square
    True
    """

    inputs: tuple[Input, ...]
    instructions: tuple[Instruction, ...]

    def run(self, inputs: Iterable[Any]) -> Any:
        """The output for these inputs, which may be numbers of any kind."""
        values = list(inputs)
        for name, *rest in self.instructions:
            count = OPERANDS[name]
            values.append(COMPUTE[name](*[values[i] for i in rest[:count]], *rest[count:]))
        return values[-1]

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """The shape of each value."""
        shapes = [i.shape for i in self.inputs]
        for instruction in self.instructions:
            shapes.append(result_shape(instruction, shapes))
        return tuple(shapes)

    @property
    def names(self) -> frozenset[str]:
        """The names of the instructions that it uses."""
        return frozenset(name for name, *_ in self.instructions)


@dataclass(frozen=True)
class Problem:
    """A program and two questions: vᵀJ for a cotangent v, and its change as the inputs move along w.

    With f = vᵀ output, the first is the gradient ∇f, the second H w for the Hessian H of f.
    """

    program: Program
    cotangent: Numbers
    directions: tuple[Numbers, ...]


def result_shape(instruction: Instruction, shapes: Sequence[Shape]) -> Shape:
    """The shape of an instruction's result.

    Raises:
        ValueError: where the operands do not fit.
    """
    name, first, *rest = instruction
    shape = shapes[first]
    if name in ("add", "subtract", "multiply"):
        return np.broadcast_shapes(shape, shapes[rest[0]])
    if name == "matmul":
        if len(shape) != 2 or len(shapes[rest[0]]) != 2 or shape[1] != shapes[rest[0]][0]:
            raise ValueError("matmul needs two matrices that fit")
        return shape[0], shapes[rest[0]][1]
    if name in ("sum", "mean"):
        axes, keep = rest
        reduced = set(range(-len(shape), 0) if axes is None else axes)
        kept = ((1 if i in reduced else n, i) for i, n in zip(range(-len(shape), 0), shape, strict=True))
        return tuple(n for n, i in kept if i not in reduced or (keep and axes is not None))
    if name == "reshape":
        return tuple(rest[0])
    if name == "permute":
        return tuple(shape[axis] for axis in rest[0])
    if name == "take":
        return (len(rest[0]), *shape[1:])
    return shape
