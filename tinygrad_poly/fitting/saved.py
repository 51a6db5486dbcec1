"""A fit on disk: one readable JSON file, from which it goes on bit for bit as if it had not stopped.

Python prints a float64 with as many digits as tell it apart from every other, so the numbers come back
exactly; a float32 is one of the float64 numbers. Nothing in the file is ever executed.
"""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_poly.creation import tensor
from tinygrad_poly.engine.arrays import on_cpu
from tinygrad_poly.engine.errors import DataError
from tinygrad_poly.fitting import files
from tinygrad_poly.tensor import Tensor

FORMAT = "tinygrad_poly fit"
VERSION = 1

Arrays = dict[str, np.ndarray[Any, Any]]


@dataclass(frozen=True)
class Run:
    """All that a fit needs in order to go on, apart from the loss and the data."""

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
        **{name: _plain(value) for name, value in vars(run).items()},
        "losses": {str(t): loss for t, loss in run.losses.items()},
    }
    # An array on one line reads better than a number on each.
    text = re.sub(r'\[[^][{}"]*\]', lambda numbers: " ".join(numbers[0].split()), json.dumps(document, indent=1))
    files.write(path, f"{text}\n".encode())


def load(path: str | Path) -> Run:
    """Read what `save` wrote.

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
    if document.get("version") != VERSION:
        raise DataError(
            f"{path} was saved in version {document.get('version')} of the format, and this program reads "
            f"version {VERSION}: use the tinygrad_poly that wrote it"
        )
    try:
        return _run(document)
    except KeyError as error:
        raise DataError(f"{path} is damaged: it has no {error}") from None
    except (ArithmeticError, AttributeError, TypeError, ValueError) as error:
        raise DataError(f"{path} is damaged: {error}") from None


def _run(document: dict[str, Any]) -> Run:
    run = Run(
        params=_arrays(document["params"]),
        start=_arrays(document["start"]),
        step=_whole(document["step"]),
        steps=_whole(document["steps"]),
        losses={_whole(int(t)): float(loss) for t, loss in document["losses"].items()},
        optimizer=document["optimizer"],
        optimizer_state=_rich(document["optimizer_state"]),
        lr=float(document["lr"]),
        log_every=_whole(document["log_every"]),
        listed=bool(document["listed"]),
        problem=dict(document["problem"]),
    )
    if {name: _kind(w) for name, w in run.params.items()} != {name: _kind(w) for name, w in run.start.items()}:
        raise ValueError("its weights differ in name, shape or dtype from those at the start")
    return run


def _kind(array: Any) -> tuple[Any, Any]:
    return array.shape, array.dtype


def _arrays(values: dict[str, Any]) -> Arrays:
    arrays = _rich(values)
    if not all(isinstance(array, np.ndarray) for array in arrays.values()) or not arrays:
        raise ValueError("it holds no weights")
    return dict(arrays)


def _whole(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r} is not a number of steps")
    return value


# The state of an optimizer is numbers, texts, arrays and tensors, in lists and dicts. JSON knows neither
# arrays nor keys that are numbers; a key that starts with "=" says what stands for them.


def _plain(value: Any) -> Any:
    """`value` as JSON can hold it."""
    if isinstance(value, Tensor):
        return {"=tensor": _plain(np.asarray(on_cpu(value.array)))}
    if isinstance(value, np.ndarray | np.generic):
        array = np.asarray(value)
        if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
            raise TypeError(f"an array of {array.dtype} cannot be saved exactly")
        return {"=array": array.dtype.name, "shape": list(array.shape), "values": array.ravel().tolist()}
    if isinstance(value, Mapping):
        if all(isinstance(key, str) for key in value):
            return {key: _plain(item) for key, item in value.items()}
        return {"=dict": [{"key": _plain(key), "value": _plain(item)} for key, item in value.items()]}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"the state of the optimizer holds a {type(value).__name__}, which cannot be saved")


def _rich(value: Any) -> Any:
    """`_plain` undone."""
    if isinstance(value, list):
        return [_rich(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "=array" in value:
        return np.array(value["values"], np.dtype(value["=array"])).reshape(value["shape"])
    if "=tensor" in value:
        return tensor(_rich(value["=tensor"]))
    if "=dict" in value:
        return {_rich(pair["key"]): _rich(pair["value"]) for pair in value["=dict"]}
    return {key: _rich(item) for key, item in value.items()}
