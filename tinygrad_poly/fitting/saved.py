"""Saved fits: one readable JSON file, from which a fit goes on as if it had never stopped.

Python prints a float64 with as many digits as tell it apart from every other, so the numbers come back
exactly; a float32 is one of the float64 numbers. Nothing in the file is ever executed. Each field is checked, and the
whole against its SHA-256, so that a file that was damaged or edited is refused and never resumed as another fit.
"""

import hashlib
import json
import math
import platform
import re
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_poly import _files as files
from tinygrad_poly.engine.errors import DataError
from tinygrad_poly.saving import plain, rich

FORMAT = "tinygrad_poly fit"
VERSION = 1

Arrays = dict[str, np.ndarray[Any, Any]]


@dataclass(frozen=True)
class Run:
    """All that a fit needs to go on, apart from the loss and the data."""

    params: Arrays
    """The weights after `step` steps."""
    start: Arrays
    """The weights before the first step."""
    step: int
    """How many steps are complete."""
    steps: int
    """How many were asked for."""
    losses: dict[int, float]
    optimizer: str
    optimizer_state: dict[str, Any]
    lr: float
    log_every: int
    listed: bool
    """Whether the loss takes a list of weights, and not a dict."""
    problem: dict[str, Any] = field(default_factory=dict)
    """What the caller wrote down about the loss and the data."""
    schedule: str = ""
    """The argument that was a schedule of learning rates, if any."""
    buffers: Arrays | None = None
    """The buffers of the module that was fitted; None if it was none."""


def save(run: Run, path: str | Path) -> None:
    """Write a run as JSON.

    Raises:
        DataError: where `path` cannot be written.
        TypeError: where the optimizer's state holds something else than numbers, texts and arrays.
    """
    from tinygrad_poly import __version__

    document = {
        "format": FORMAT,
        "version": VERSION,
        "written by": {"tinygrad_poly": __version__, "numpy": np.__version__, "python": platform.python_version()},
        **{name: _plain(value) for name, value in vars(run).items() if name not in LATER or value not in ("", None)},
        "losses": {str(t): loss for t, loss in run.losses.items()},
    }
    document["sha256"] = _checksum(document)
    # An array on one line reads better than a number on each.
    text = re.sub(r'\[[^][{}"]*\]', lambda numbers: " ".join(numbers[0].split()), json.dumps(document, indent=1))
    files.write(path, f"{text}\n".encode())


def load(path: str | Path) -> Run:
    """Read a run that `save` wrote.

    Raises:
        DataError: where there is no such file, it is not a saved fit, or it is damaged.
    """
    try:
        document = json.loads(Path(path).read_bytes())
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from None
    except (RecursionError, ValueError) as error:
        raise DataError(f"{path} is not a saved fit, or is damaged: it is not JSON ({error})") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise DataError(f'{path} is not a saved fit: its "format" is not "{FORMAT}"')
    version = document.get("version")
    if type(version) is not int:
        raise DataError(f'{path} is damaged: its "version" is {_short(version)}, and not a number such as {VERSION}')
    if version != VERSION:
        raise DataError(
            f"{path} was saved in version {version} of the format, and this program reads "
            f"version {VERSION}: use the tinygrad_poly that wrote it"
        )
    names = (field.name for field in fields(Run) if field.name in document or field.name not in LATER)
    run = Run(**{name: _field(path, document, name) for name in names})
    try:
        if {name: _kind(w) for name, w in run.params.items()} != {name: _kind(w) for name, w in run.start.items()}:
            raise ValueError("its weights differ in name, shape or dtype from those at the start")
        if _field(path, document, "sha256") != _checksum(document):
            raise ValueError("it was changed after it was saved, its sha256 is that of another content")
    except (RecursionError, ValueError) as error:
        raise DataError(f"{path} is damaged: {error}") from None
    return run


def _checksum(document: dict[str, Any]) -> str:
    """The SHA-256 of all other fields, whatever their layout in the file."""
    rest = {name: value for name, value in document.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def _field(path: str | Path, document: dict[str, Any], name: str) -> Any:
    """A field of the file as a value of a run."""
    if name not in document:
        raise DataError(f"{path} is damaged: it has no {name!r}")
    try:
        return SCHEMA[name](document[name])
    except Exception as error:  # from whatever may be in a file
        message = _short(error, str)
        place = "" if message.startswith("it ") else f" (in its {name!r})"
        raise DataError(f"{path} is damaged: {message}{place}") from None


def _short(value: Any, text: Callable[[Any], str] = repr) -> str:
    shown = text(value)
    return shown if len(shown) <= 200 else f"{shown[:200]}…"


def _kind(array: Any) -> tuple[Any, Any]:
    return array.shape, array.dtype


def _arrays(values: dict[str, Any]) -> Arrays:
    if not values:
        raise ValueError("it holds no weights")
    return _buffers(values)


def _buffers(values: dict[str, Any]) -> Arrays:
    arrays = _rich(values)
    if not all(isinstance(array, np.ndarray) for array in arrays.values()):
        raise ValueError("it holds no weights")
    return dict(arrays)


def _a(what: str, *kinds: type, allowed: Callable[[Any], bool] = lambda value: True) -> Callable[[Any], Any]:
    """A function that accepts only values of some types, and of these only what is allowed."""

    def check(value: Any) -> Any:
        if type(value) not in kinds or not allowed(value):
            raise ValueError(f"{_short(value)} is not {what}")
        return _rich(value)

    return check


_whole = _a("a number of steps", int, allowed=lambda steps: steps >= 0)


def _losses(value: Any) -> dict[int, float]:
    losses = {_whole(int(step)): loss for step, loss in value.items()}
    if [str(step) for step in losses] != list(value) or not all(type(loss) in (int, float) for loss in losses.values()):
        raise ValueError("it holds something else than numbers of steps and their losses")
    return {step: float(loss) for step, loss in losses.items()}


# Arrays are written with their numbers into the same file.


def _listed(array: Any) -> dict[str, Any]:
    return {"=array": array.dtype.name, "shape": list(array.shape), "values": array.ravel().tolist()}


_plain = partial(plain, keep=_listed)
_rich = partial(rich, find=lambda form: _array(np.dtype(form["=array"]), form["shape"], form["values"]))


def _array(dtype: np.dtype[Any], shape: list[int], values: list[Any]) -> np.ndarray[Any, Any]:
    if dtype.kind not in "biuf" or dtype.itemsize > 8 or not all(type(item) in (bool, int, float) for item in values):
        raise ValueError(f"an array of {dtype} holds something else than numbers")
    with np.errstate(over="raise"):
        array = np.array(values, dtype).reshape(shape)
    if list(array.shape) != shape:
        raise ValueError(f"{_short(shape)} is not a shape")
    return array


LATER = ("schedule", "buffers")
"""The fields that only a file has whose fit had one."""

SCHEMA: dict[str, Callable[[Any], Any]] = {
    "params": _arrays,
    "start": _arrays,
    "step": _whole,
    "steps": _whole,
    "losses": _losses,
    "optimizer": _a("the name of an optimizer", str),
    "optimizer_state": _a("the state of an optimizer", dict),
    "lr": _a("a learning rate", int, float, allowed=lambda lr: 0 < float(lr) < math.inf),
    "log_every": _a("a number of steps", int, allowed=lambda steps: steps >= 1),
    "listed": _a("true or false", bool),
    "problem": _a("the description of a problem", dict),
    "schedule": _a("the name of an argument", str),
    "buffers": _buffers,
    "sha256": _a("a checksum", str),
}
"""The fields of the file, and what makes of each what a run has."""
