"""Tensors as text, in torch's format: four decimals, aligned columns, summaries of long tensors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

PRECISION = 4
LINE_WIDTH = 80
EDGE_ITEMS = 3
SUMMARIZE_ABOVE = 1000


class _Numbers:
    """The format of all elements of one tensor: one width and one notation."""

    def __init__(self, values: np.ndarray[Any, Any]) -> None:
        self.spec = ""
        self.point = ""
        self.width = 1
        if values.dtype.kind == "f":
            finite = values[np.isfinite(values) & (values != 0)]
            whole = bool(np.all(finite == np.ceil(finite)))
            low, high = (float(np.abs(finite).min()), float(np.abs(finite).max())) if finite.size else (1.0, 1.0)
            if high / low > 1000 or high > 1e8 or low < 1e-4:
                self.spec = f".{PRECISION}e"
            elif whole:
                self.spec, self.point = ".0f", "."
            else:
                self.spec = f".{PRECISION}f"
            self.width = max((len(self._text(v)) for v in finite.tolist()), default=1)
        else:
            self.width = max((len(self._text(v)) for v in values.ravel().tolist()), default=1)

    def _text(self, value: Any) -> str:
        text = format(value, self.spec) if self.spec else str(value)
        return text + self.point if self.point and math.isfinite(value) else text

    def __call__(self, value: Any) -> str:
        return self._text(value).rjust(self.width)


def _edges(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The elements of a summarised tensor that are printed."""
    for axis, length in enumerate(values.shape):
        if length > 2 * EDGE_ITEMS:
            values = np.take(values, [*range(EDGE_ITEMS), *range(length - EDGE_ITEMS, length)], axis)
    return values


def _body(values: np.ndarray[Any, Any], number: _Numbers, indent: int, summarize: bool) -> str:
    if values.ndim == 0:
        return number(values.item())
    shorten = summarize and len(values) > 2 * EDGE_ITEMS
    shown = [*values[:EDGE_ITEMS], *values[-EDGE_ITEMS:]] if shorten else list(values)
    if values.ndim == 1:
        parts = [number(value.item()) for value in shown]
        if shorten:
            parts.insert(EDGE_ITEMS, " ...")
        per_line = max(1, (LINE_WIDTH - indent) // (number.width + 2))
        lines = [", ".join(parts[i : i + per_line]) for i in range(0, len(parts), per_line)]
        separator = ",\n" + " " * (indent + 1)
    else:
        lines = [_body(row, number, indent + 1, summarize) for row in shown]
        if shorten:
            lines.insert(EDGE_ITEMS, "...")
        separator = "," + "\n" * (values.ndim - 1) + " " * (indent + 1)
    return "[" + separator.join(lines) + "]"


def tensor_text(values: np.ndarray[Any, Any], notes: list[str]) -> str:
    """`tensor(...)` with the elements of `values` and notes such as `requires_grad=True`."""
    indent = len("tensor(")
    if values.size == 0:
        text = "[]"
        if values.ndim != 1:
            notes = [f"size={values.shape}", *notes]
    else:
        summarize = values.size > SUMMARIZE_ABOVE
        text = _body(values, _Numbers(_edges(values) if summarize else values), indent, summarize)
    text = "tensor(" + text
    # One more than are printed, and so it is in torch.
    column = len(text) - text.rfind("\n") + 1
    for note in notes:
        if column + len(note) + 2 > LINE_WIDTH:
            text += ",\n" + " " * indent + note
            column = indent + len(note)
        else:
            text += ", " + note
            column += len(note) + 2
    return text + ")"
