"""Random programs of +, −, ×, powers, sums and means, and their gradients in exact fractions.

The exact gradient is carried *forward* (each number knows its slope by every input number), so it shares
nothing with the reverse walk that it judges.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import strategies as st

Shape = tuple[int, ...]


class Exact:
    """A fraction and its slopes by the numbers in the inputs."""

    __slots__ = ("slopes", "value")

    def __init__(self, value: Any, slopes: dict[Any, Fraction] | None = None) -> None:
        self.value, self.slopes = Fraction(value), slopes or {}

    def _combined(self, other: Any, value: Any, by_self: Any, by_other: Any) -> Exact:
        slopes = {key: by_self * slope for key, slope in self.slopes.items()}
        for key, slope in other.slopes.items():
            slopes[key] = slopes.get(key, 0) + by_other * slope
        return Exact(value, slopes)

    def __add__(self, other: Exact) -> Exact:
        return self._combined(other, self.value + other.value, 1, 1)

    def __sub__(self, other: Exact) -> Exact:
        return self._combined(other, self.value - other.value, 1, -1)

    def __mul__(self, other: Exact) -> Exact:
        return self._combined(other, self.value * other.value, other.value, self.value)


@dataclass(frozen=True)
class Program:
    """`instructions` refer to values by number: first the inputs, then the results so far; the last is the output."""

    inputs: tuple[tuple[Shape, tuple[int, ...], bool], ...]
    instructions: tuple[tuple[Any, ...], ...]
    cotangent: int

    def arrays(self) -> list[np.ndarray[Any, Any]]:
        return [np.array(values, dtype=np.float64).reshape(shape) for shape, values, _ in self.inputs]

    def run(self, inputs: list[Any]) -> list[Any]:
        """All values, computed on tensors of either library."""
        values = list(inputs)
        for name, i, argument in self.instructions:
            a = values[i]
            values.append(
                a + values[argument] if name == "+"
                else a - values[argument] if name == "-"
                else a * values[argument] if name == "*"
                else a**argument if name == "**"
                else getattr(a, name)() if argument is None
                else getattr(a, name)(argument, keepdim=True)
            )  # fmt: skip
        return values

    def weights(self, shape: Shape) -> np.ndarray[Any, Any]:
        """A cotangent for the output: small whole numbers, none of them 0."""
        drawn = np.random.default_rng(self.cotangent).integers(1, 5, shape)
        return np.asarray(drawn * np.random.default_rng(self.cotangent + 1).choice([-1, 1], shape))

    def exact(self, *, positive: bool = False, offset: int = 0) -> tuple[list[Any], Fraction]:
        """The exact gradients, and the largest number on the way.

        With `positive`, every term is added up by its absolute value: the majorant of the gradient.
        """
        values = []
        for k, (array, (_, _, requires_grad)) in enumerate(zip(self.arrays(), self.inputs, strict=True)):
            objects = np.empty(array.shape, object)
            for at, number in np.ndenumerate(array):
                start = abs(number) + offset if positive else number
                objects[at] = Exact(start, {(k, at): Fraction(1)} if requires_grad else {})
            values.append(objects)
        for name, i, argument in self.instructions:
            a = values[i]
            if name in "+-*" and name != "**":
                b = values[argument]
                result = a * b if name == "*" else a - b if name == "-" and not positive else a + b
            elif name == "**":
                result = a
                for _ in range(argument - 1):
                    result = np.asarray(result * a, object)
            else:
                result = self._total(a, argument)
                if name == "mean":
                    result = result * np.array(Exact(Fraction(result.size, a.size)), object)
            values.append(np.asarray(result, object))
        v = self.weights(values[-1].shape)
        weighted = [
            y * Exact(abs(int(w)) if positive else int(w)) for y, w in zip(values[-1].flat, v.flat, strict=True)
        ]
        output = sum(weighted, start=Exact(0))
        gradients = []
        for k, array in enumerate(self.arrays()):
            gradient = np.empty(array.shape, object)
            for at in np.ndindex(array.shape):
                gradient[at] = output.slopes.get((k, at), Fraction(0))
            gradients.append(gradient)
        largest = max((abs(number.value) for array in values for number in array.flat), default=Fraction(0))
        return gradients, max([largest, *(abs(g) for gradient in gradients for g in gradient.flat)])

    @staticmethod
    def _total(a: Any, axis: int | None) -> Any:
        shape = () if axis is None else tuple(1 if i == axis else n for i, n in enumerate(a.shape))
        result = np.empty(shape, object)
        result.fill(Exact(0))
        for at, number in np.ndenumerate(a):
            where = () if axis is None else tuple(0 if i == axis else n for i, n in enumerate(at))
            result[where] = result[where] + number
        return result

    def roundings(self) -> int:
        """The most roundings that any product in any gradient goes through, forward and backward.

        A value that went through r roundings brings r along wherever the backward pass multiplies by it.
        """
        longest = max([1, *(int(np.prod(shape)) for shape, _, _ in self.inputs)]) * 4
        forward = [0] * len(self.inputs)
        for name, i, argument in self.instructions:
            r = forward[i]
            forward.append(
                max(r, forward[argument]) + 1 if name in ("+", "-")
                else r + forward[argument] + 1 if name == "*"
                else argument * r + argument if name == "**"
                else r + longest
            )  # fmt: skip
        backward = [0] * len(forward)

        def contribute(to: int, roundings: int) -> None:
            # one to add it to what is there, and the sum over repetitions
            backward[to] = max(backward[to], roundings + longest) + 1

        for at in range(len(self.instructions) - 1, -1, -1):
            name, i, argument = self.instructions[at]
            g = backward[at + len(self.inputs)]
            if name in ("+", "-", "*"):
                contribute(i, g + (forward[argument] + 1 if name == "*" else 0))
                contribute(argument, g + (forward[i] + 1 if name == "*" else 0))
            else:
                contribute(i, g + (argument * forward[i] + argument + 1 if name == "**" else 1))
        return max(backward)


@st.composite
def programs(draw: Any) -> Program:
    """Straight-line programs whose values all broadcast together; they shrink by losing instructions."""
    rows = draw(st.sampled_from([2, 1, 0]))
    shapes: list[Shape] = [(), (1,), (4,), (rows, 1), (rows, 4), (1, 4)]
    inputs = []
    for _ in range(draw(st.integers(1, 3))):
        shape = draw(st.sampled_from(shapes))
        size = int(np.prod(shape))
        numbers = draw(st.lists(st.integers(-3, 3), min_size=size, max_size=size))
        inputs.append((shape, tuple(numbers), draw(st.integers(0, 4)) > 0))
    ranks = [len(shape) for shape, _, _ in inputs]
    names = ["+", "-", "*", "**", "sum", "mean"] if rows else ["+", "-", "*", "**", "sum"]
    instructions: list[tuple[Any, ...]] = []

    def add(name: str, i: int, argument: int | None) -> None:
        instructions.append((name, i, argument))
        both = ranks[i] if name not in ("+", "-", "*") else max(ranks[i], ranks[argument])  # type: ignore[index]
        ranks.append(0 if argument is None else both)

    def value() -> int:
        # the latest ones most often, so that programs grow deep rather than wide
        return max(len(ranks) - 1 - draw(st.integers(0, 4)), 0)

    for _ in range(draw(st.integers(1, 8))):
        name, i = draw(st.sampled_from(names)), value()
        if name in ("sum", "mean"):
            add(name, i, draw(st.sampled_from([None, *range(ranks[i])])))
        else:
            add(name, i, draw(st.integers(1, 4)) if name == "**" else value())
    # a loss ends in a sum or a mean, whose cotangent is one number for all elements
    if ending := draw(st.sampled_from(["sum", names[-1], None])):
        add(ending, len(ranks) - 1, None)
    return Program(tuple(inputs), tuple(instructions), draw(st.integers(0, 99)))
