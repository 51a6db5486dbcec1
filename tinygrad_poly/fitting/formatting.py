"""Polynomials as text: y = a + b x + c x² + …, with weights named by letters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from string import ascii_lowercase
from typing import Any

from tinygrad_poly.tensor import Tensor

HIGHEST_DEGREE = len(ascii_lowercase) - 1


def names(degree: int) -> str:
    """The letters that name the weights of a polynomial.

    >>> names(3)
    'abcd'
    """
    return ascii_lowercase[: degree + 1]


def polynomial(params: Mapping[str, Tensor], x: Tensor) -> Tensor:
    """The sum a + b x + c x² + … for each x; a constant alone stays one number.

    >>> import tinygrad_poly as tg
    >>> polynomial({"a": tg.tensor(1.0), "b": tg.tensor(2.0)}, tg.tensor([0.0, 10.0]))
    tensor([ 1., 21.])
    """
    y, *rest = params.values()
    for power, weight in enumerate(rest, start=1):
        y = y + weight * x**power
    return y


def text(numbers: Sequence[Any], digits: int | None = None) -> str:
    """A polynomial with these weights as text: all digits as in the tutorials, or rounded with signs between the terms.

    >>> text([1.0, -0.25, 2.0])
    'y = 1.0 + -0.25 x + 2.0 x^2'
    >>> text([1.0, -0.25, 2.0], digits=3)
    'y = 1 - 0.25 x + 2 x^2'
    >>> text("abc")
    'y = a + b x + c x^2'
    """
    powers = ["", " x", *(f" x^{k}" for k in range(2, len(numbers)))]
    if digits is None:
        return "y = " + " + ".join(f"{number}{power}" for number, power in zip(numbers, powers, strict=False))
    first, *rest = (f"{number:+.{digits}g}{power}" for number, power in zip(numbers, powers, strict=False))
    return f"y = {first.removeprefix('+')}" + "".join(f" {term[0]} {term[1:]}" for term in rest)
