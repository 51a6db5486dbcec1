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
_ON_ARRAYS: dict[str, Callable[..., Any]] = COMPUTE | {
    "permute": lambda a, axes: a.transpose(axes),
    **dict.fromkeys(("sum", "mean"), lambda a, axes, keep: a.sum(axes, keepdims=keep and axes is not None)),
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
    name, *rest = instruction
    count = OPERANDS[name]
    operands = [shapes[i] for i in rest[:count]]
    if name == "matmul" and not fits(name, *operands):
        raise ValueError("matmul needs two matrices that fit")
    return _ON_ARRAYS[name](*map(np.ones, operands), *rest[count:]).shape  # type: ignore[no-any-return]


def fits(name: str, a: Shape, b: Shape) -> bool:
    """Whether two operands of these shapes fit an instruction."""
    if name == "matmul":
        return len(a) == len(b) == 2 and a[1] == b[0]
    return all(m == n or 1 in (m, n) for m, n in zip(a[::-1], b[::-1], strict=False))
