"""Tensors as text, in torch's format: four decimals, aligned columns, summaries of long tensors."""

import math
from typing import Any

import numpy as np

_PROFILES: dict[str, dict[str, Any]] = {
    "default": {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80},
    "short": {"precision": 2, "threshold": 1000, "edgeitems": 2, "linewidth": 80},
    "full": {"precision": 4, "threshold": math.inf, "edgeitems": 3, "linewidth": 80},
}
options: dict[str, Any] = {**_PROFILES["default"], "sci_mode": None}
"""What `set_printoptions` has set."""


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Set how tensors are printed; what is None stays as it is, but for `sci_mode`.

    Args:
        precision: the digits after the point.
        threshold: the number of elements above which a tensor is summarised.
        edgeitems: the elements at each end of a summary.
        linewidth: the characters on a line.
        profile: "default", "short" or "full", from which the other options start.
        sci_mode: whether numbers have exponents; None: where they need them.

    Raises:
        ValueError: for another profile, and for options that are no numbers of 0 or more.

    >>> set_printoptions(precision=2)
    >>> tensor([1.2345])
    tensor([1.23])
    >>> set_printoptions(profile="default")
    """
    given = {"precision": precision, "threshold": threshold, "edgeitems": edgeitems, "linewidth": linewidth}
    given = {name: value for name, value in given.items() if value is not None}
    for name, value in given.items():
        if not isinstance(value, (int, float)) or not value >= 0 or (name != "threshold" and value != int(value)):
            raise ValueError(f"set_printoptions() expects a number of 0 or more for {name}, not {value!r}")
    if profile is not None and profile not in _PROFILES:
        raise ValueError(f"set_printoptions() knows the profiles {', '.join(_PROFILES)}, not {profile!r}")
    options.update({**(_PROFILES[profile] if profile else {}), **given, "sci_mode": sci_mode})


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
            needed = high / low > 1000 or high > 1e8 or low < 1e-4
            if finite.size and (needed if options["sci_mode"] is None else options["sci_mode"]):
                self.spec = f".{options['precision']}e"
            elif whole:
                self.spec, self.point = ".0f", "."
            else:
                self.spec = f".{options['precision']}f"
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
    edge = options["edgeitems"]
    for axis, length in enumerate(values.shape):
        if length > 2 * edge:
            values = np.take(values, [*range(edge), *range(length - edge, length)], axis)
    return values


def _body(values: np.ndarray[Any, Any], number: _Numbers, indent: int, summarize: bool) -> str:
    if values.ndim == 0:
        return number(values.item())
    edge = options["edgeitems"]
    shorten = summarize and len(values) > 2 * edge
    shown = [*values[:edge], *values[len(values) - edge :]] if shorten else list(values)
    if values.ndim == 1:
        parts = [number(value.item()) for value in shown]
        if shorten:
            parts.insert(edge, " ...")
        per_line = max(1, (options["linewidth"] - indent) // (number.width + 2))
        lines = [", ".join(parts[i : i + per_line]) for i in range(0, len(parts), per_line)]
        separator = ",\n" + " " * (indent + 1)
    else:
        lines = [_body(row, number, indent + 1, summarize) for row in shown]
        if shorten:
            lines.insert(edge, "...")
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
        summarize = values.size > options["threshold"]
        text = _body(values, _Numbers(_edges(values) if summarize else values), indent, summarize)
    text = "tensor(" + text
    # One more than are printed, and so it is in torch.
    column = len(text) - text.rfind("\n") + 1
    for note in notes:
        if column + len(note) + 2 > options["linewidth"]:
            text += ",\n" + " " * indent + note
            column = indent + len(note)
        else:
            text += ", " + note
            column += len(note) + 2
    return text + ")"
