"""Anomalies: an observer that finds the operation which first produced NaN or an infinity, forward or backward."""

import copy
from typing import Any

import numpy as np

from tinygrad_poly.engine.arrays import NUMPY, library
from tinygrad_poly.engine.errors import AnomalyError
from tinygrad_poly.engine.operation import Rules
from tinygrad_poly.engine.recording import Observer, recording


class detect_anomaly(Observer):  # noqa: N801 - torch's name
    """Raise an error where NaN or an infinity is first computed from finite numbers, forward or backward.

    The error names the operation, the line of the forward pass that asked for it, and the input at that place. It works
    in `backward`, `grad` and the transforms of `func`. A compiled function tells of no operation inside: call it
    uncompiled. Torch looks at NaN in the backward pass alone; here an infinity, and the forward pass, count too.

    Args:
        check_nan: whether to look at numbers at all; without it, nothing is raised.

    Raises:
        AnomalyError: inside of the context.

    >>> import tinygrad_poly as tg
    >>> x = tg.tensor([4.0, 0.0], requires_grad=True)
    >>> with detect_anomaly():  # doctest: +ELLIPSIS
    ...     (x.sqrt() * 3).sum().backward()
    Traceback (most recent call last):
    tinygrad_poly.engine.errors.AnomalyError: the derivative of Sqrt is inf at [1], where input 0 is 0.0; ...
    """

    def __init__(self, check_nan: bool = True) -> None:
        self.check_nan = check_nan
        self.within: list[Any] = []
        """The lines of the operations whose rules are being called."""

    def recorded(self, operation: Any, inputs: tuple[Any, ...], options: tuple[Any, ...], result: Any) -> None:
        """Check the result, and note how it was made for the backward pass."""
        line = self.within[-1] if self.within else self.line()
        for node in (result.node, *result.node.parents):
            if node is not None and node.operation is operation:
                _watch(node, inputs, line)
        # What a rule computes is checked as the rule's result.
        place = _not_finite(result.array) if self.check_nan and not self.within else None
        if place is not None and all(_not_finite(x) is None for x in (*inputs, *options)):
            raise _error(f"{operation.name} gave", result.array, place, enumerate(inputs), line)

    def walking(self, nodes: Any) -> None:
        """Watch also what was recorded before."""
        for node in nodes:
            if node.operation is not None and not isinstance(node.operation.rules, _Checked):
                _watch(node, None, None)


class _Checked(Rules):
    """The rules of a node that is watched."""


def _watch(node: Any, inputs: Any, line: Any) -> None:
    """Let the rules of one node look at what they return while a `detect_anomaly` is in force."""
    row = node.operation

    def checking(i: int, rule: Any) -> Any:
        def checked(g: Any, *saved: Any) -> Any:
            observer = recording.get()
            if not isinstance(observer, detect_anomaly):
                return rule(g, *saved)
            observer.within.append(line)
            try:
                with np.errstate(all="ignore"):  # NumPy's warnings name neither operation nor line
                    found = rule(g, *saved)
            finally:
                observer.within.pop()
            values = getattr(found, "array", found)
            place = _not_finite(values) if observer.check_nan else None
            if place is not None and _not_finite(getattr(g, "array", g)) is None:
                of = [(i, inputs[i])] if inputs else []
                raise _error(f"the derivative of {row.name} is", values, place, of, line)
            return found

        return rule and checked

    node.operation = copy.copy(row)
    node.operation.rules = _Checked(len(row.rules), lambda: [checking(i, rule) for i, rule in enumerate(row.rules)])


def _error(what: str, values: Any, place: tuple[int, ...], inputs: Any, line: Any) -> AnomalyError:
    """The error for a number that is not finite, at a place of an array."""
    parts = []
    for k, x in inputs:
        try:
            parts.append(f"input {k} is {np.broadcast_to(x, np.shape(values))[place]}")
        except ValueError:
            parts.append(f"input {k} has shape {np.shape(x)}")
    text = f"{what} {values[place]}" + f" at {list(place)}" * bool(place) + ", where " * bool(parts) + ", ".join(parts)
    if line is None:
        return AnomalyError(f"{text}; to learn of the line and its inputs, compute forward in detect_anomaly() too")
    return AnomalyError(f"{text}; it was computed in {line.filename}, line {line.lineno}: {line.line}")


class Switch(Observer):
    """An observer from here on, or not: for the rest of the program, or in a `with`."""

    def __init__(self, mode: bool) -> None:
        self.before = recording.get()
        if self.before:
            recording.set(self if mode else True)

    def __enter__(self) -> Any:
        now = recording.get()
        recording.set(self.before)
        super().__enter__()
        recording.set(now)
        return self


class set_detect_anomaly(Switch, detect_anomaly):  # noqa: N801 - torch's name
    """`detect_anomaly` from here on, or not: for the rest of the program, or in a `with`.

    Args:
        mode: whether to look for anomalies.
        check_nan: as for `detect_anomaly`.
    """

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        detect_anomaly.__init__(self, check_nan)
        Switch.__init__(self, mode)


def _not_finite(array: Any) -> tuple[int, ...] | None:
    """The place of the first number that is not finite; None if there is none, or the library does not tell."""
    if isinstance(array, (float, np.ndarray, np.generic)) and library(array) is NUMPY:
        bad = np.argwhere(~np.isfinite(array))
        return tuple(map(int, bad[0])) if len(bad) else None
    return None
