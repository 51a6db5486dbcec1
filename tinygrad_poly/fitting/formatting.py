"""Polynomials as text: y = a + b x + c x² + …, with weights named by letters."""

import re
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


def text(numbers: Sequence[Any], digits: int = 6) -> str:
    """A polynomial with these weights as text, as a person writes it.

    >>> text([1.0, -0.25, 2.0])
    'y = 1 − 0.25 x + 2 x²'
    >>> text([1e-7, -3e12])
    'y = 10⁻⁷ − 3 × 10¹² x'
    >>> text("abc")
    'y = a + b x + c x²'
    """
    powers = ["", " x", *(f" x{str(k).translate(RAISED)}" for k in range(2, len(numbers)))]
    terms = [(_number(number, digits), power) for number, power in zip(numbers, powers, strict=False)]
    first, *rest = (f"{number}{power}" for number, power in terms)
    signed = (f" {MINUS} {term[1:]}" if term[0] == MINUS else f" + {term}" for term in rest)
    return f"y = {first}{''.join(signed)}"


MINUS = "−"
RAISED = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
LOWERED = {raised: plain for plain, raised in RAISED.items()}


def _number(number: Any, digits: int) -> str:
    """A number with its sign and power of ten as a person writes them; what is no number as it is."""
    if isinstance(number, str):
        return number
    size, _, power = f"{number:.{digits}g}".replace("-", MINUS, 1 if number < 0 else 0).partition("e")
    if not power:
        return size
    power = f"10{str(int(power)).translate(RAISED)}"
    return power if size == "1" else f"{size} × {power}"


def printable(line: str, encoding: str | None) -> str:
    """The line, in ASCII where an encoding lacks its signs: a minus that became a question mark would be lost."""
    try:
        line.encode(encoding or "utf-8")
    except UnicodeEncodeError:
        raised = "".join(map(chr, RAISED.values()))
        line = re.sub(f"[{raised}]+", lambda power: "^" + power[0].translate(LOWERED), line)
        return line.replace(MINUS, "-").replace("×", "*")
    return line
