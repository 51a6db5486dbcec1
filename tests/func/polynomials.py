"""Random polynomials of several tensors, so small that every number on the way is exact in float64."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

SHAPES = [(), (2,), (1, 3), (2, 1), (0,)]


@dataclass(frozen=True)
class Polynomial:
    """`steps` refer to values by number, first the inputs, then the results so far; the last one is the output."""

    arrays: tuple[np.ndarray[Any, Any], ...]
    steps: tuple[tuple[str, int, Any], ...]

    def __call__(self, *inputs: Any) -> Any:
        values = list(inputs)
        for name, i, argument in self.steps:
            a = values[i]
            values.append(
                a + values[argument] if name == "+"
                else a - values[argument] if name == "-"
                else a * values[argument] if name == "*"
                else a**argument if name == "**"
                else a * argument
            )  # fmt: skip
        return values[-1]

    def scalar(self, *inputs: Any) -> Any:
        return self(*inputs).sum()

    def is_exact(self) -> bool:
        """Whether all second derivatives are, with cotangents and tangents up to 4 and whole.

        Coefficients made positive and inputs x replaced by |x| + 1 make every value V at least 1, and
        no smaller than its derivatives by each value that it was made of, up to its degree for each derivative.
        All numbers are whole multiples of 2^-digits.
        """
        values: list[Any] = [np.abs(array) + 1 for array in self.arrays]
        degrees, digits = [1] * len(values), [1] * len(values)
        for name, i, argument in self.steps:
            if name in ("+", "-"):
                values.append(values[i] + values[argument])
                degrees.append(max(degrees[i], degrees[argument]))
                digits.append(max(digits[i], digits[argument]))
            elif name == "*":
                values.append(values[i] * values[argument])
                degrees.append(degrees[i] + degrees[argument])
                digits.append(digits[i] + digits[argument])
            elif name == "**":
                values.append(values[i] ** argument)
                degrees.append(degrees[i] * argument)
                digits.append(digits[i] * argument)
            else:
                values.append(values[i] * max(abs(argument), 1))
                degrees.append(degrees[i])
                digits.append(digits[i] + 2)
        largest = max(float(np.sum(value)) for value in values)
        return largest * (4 * max(degrees)) ** 2 * 2.0 ** max(digits) < 2.0**53


@st.composite
def polynomials(draw: Any) -> Polynomial:
    """Polynomials of one to three tensors whose shapes broadcast, with coefficients that are multiples of ¼."""
    count = draw(st.integers(1, 3))
    longest = draw(st.sampled_from([(2, 3), (2,), (0,)]))
    fitting = [s for s in [*SHAPES, longest] if _broadcasts(s, longest)]
    arrays = []
    for _ in range(count):
        shape = draw(st.sampled_from(fitting))
        size = int(np.prod(shape))
        halves = draw(st.lists(st.integers(-4, 4), min_size=size, max_size=size))
        arrays.append(np.array(halves, np.float64).reshape(shape) / 2)
    steps: list[tuple[str, int, Any]] = []
    for _ in range(draw(st.integers(1, 5))):
        known = st.integers(0, count + len(steps) - 1)
        name = draw(st.sampled_from(["+", "-", "*", "**", "scale"]))
        argument = (
            draw(st.integers(0, 3)) if name == "**"
            else draw(st.integers(-6, 6)) / 4 if name == "scale"
            else draw(known)
        )  # fmt: skip
        steps.append((name, draw(known), argument))
    polynomial = Polynomial(tuple(arrays), tuple(steps))
    assume(polynomial.is_exact())
    return polynomial


def _broadcasts(shape: tuple[int, ...], to: tuple[int, ...]) -> bool:
    try:
        return np.broadcast_shapes(shape, to) == to
    except ValueError:
        return False


def whole(seed: int, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """A cotangent or tangent of whole numbers from ±1 to ±4."""
    rng = np.random.default_rng(seed)
    return np.asarray(rng.integers(1, 5, shape) * rng.choice([-1.0, 1.0], shape))
