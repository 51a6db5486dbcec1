"""Words: operations, local derivatives and values as text for a reader."""

import linecache
import re
import traceback
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_poly.engine.arrays import on_cpu
from tinygrad_poly.engine.operation import Operation

INFIX = {"Add": "+", "Sub": "−", "Mul": "·", "Div": "/", "Mm": "@", "Pow": "^"}
"""The rows of two inputs that are written with a sign between them."""


def made_by(name: str, inputs: Sequence[str], options: tuple[Any, ...]) -> str:
    """The call of an operation as text.

    >>> made_by("Mul", ["b", "x"], ()), made_by("Pow", ["r"], (2,)), made_by("Sum", ["v3"], (None, False))
    ('b · x', 'r ^ 2', 'sum(v3)')
    """
    given = [*inputs, *(number(x) for x in options if isinstance(x, (int, float)) and not isinstance(x, bool))]
    if name in INFIX and len(given) == 2:
        return f" {INFIX[name]} ".join(given)
    return "−" + given[0] if name == "Neg" else f"{_snake(name)}({', '.join(given)})"


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def slope(operation: Operation, which: int, inputs: Sequence[str], options: tuple[Any, ...] = ()) -> str:
    """The local derivative by one of the inputs as a formula, in the names of the inputs.

    >>> from tinygrad_poly.derivatives.arithmetic import divide, power_scalar
    >>> slope(divide, 1, ["a", "t"]), slope(power_scalar, 0, ["r"], (3,))
    ('−a/t²', '3 r²')
    """
    text = operation.derivative
    parts = text.split("; ")
    text = parts[which] if which < len(parts) and len(parts) == len(operation.rules) else text
    exponent = next((x for x in options if isinstance(x, (int, float))), None)
    if "ⁿ" in text and exponent is not None:
        power = exponent - 1
        raised = "" if power == 1 else number(power).translate(_RAISED)
        text = text.replace("ⁿ⁻¹", raised).replace("n", number(exponent))
    letters = dict(zip("x" if len(inputs) == 1 else "ab", inputs)) if len(inputs) < 3 else {}
    if any(letter in text for letter in "ᵃᵇˣ"):
        return text
    return re.sub(r"(?<![A-Za-z])[abx](?![A-Za-z])", lambda found: letters.get(found[0], found[0]), text)


_RAISED = str.maketrans("0123456789−-.", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁻·")


# Values as text


def number(value: Any) -> str:
    """A number as a person writes it, with four digits.

    >>> number(0.123456), number(-2.0), number(1.5e-9)
    ('0.1235', '−2', '1.5·10⁻⁹')
    """
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value))
    text = f"{value.item() if hasattr(value, 'item') else value:.4g}"
    mantissa, e, exponent = text.partition("e")
    text = mantissa + (f"·10{str(int(exponent)).translate(_RAISED)}" if e else "")
    return text.replace("-", "−").replace("inf", "∞").replace("nan", "NaN")


def brief(value: Any, once: bool = False) -> str:
    """A value in a few words: the numbers of a short one, the shape and the ends of a long one.

    Args:
        value: an array, or a number.
        once: whether equal numbers are written as one.

    >>> brief(np.array([1.0, -2.5])), brief(np.linspace(0, 1, 2000)), brief(np.ones((3, 4))), brief(np.ones(3), True)
    ('[1, −2.5]', '2000: 0 … 1', '3×4: all 1', '1')
    """
    array = on_cpu(value)
    if once and array.size and (array == array.flat[0]).all():
        array = array.flat[0]
    if not array.shape:
        return number(array)
    if array.ndim == 1 and array.size <= 4:
        return f"[{', '.join(map(number, array))}]"
    shape = "×".join(map(str, array.shape))
    if not array.size:
        return shape
    low, high = array.min(), array.max()
    return f"{shape}: all {number(low)}" if low == high else f"{shape}: {number(low)} … {number(high)}"


def source(line: traceback.FrameSummary) -> str:
    """The text of a line of a program; "" if there is none."""
    return linecache.getline(line.filename, line.lineno or 0).strip()


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of text as lines with aligned columns."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
