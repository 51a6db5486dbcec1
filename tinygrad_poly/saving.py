"""Files with tensors: `save` and `load`, for what is made of tensors, numbers and texts in lists and dicts.

A file is a zip archive: `structure.json`, in which nothing can be executed, and the numbers of each tensor, as `.npy`.
"""

import io
import json
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_poly import _files
from tinygrad_poly.creation import made
from tinygrad_poly.engine.arrays import Dtype, Size, named, on_cpu
from tinygrad_poly.engine.errors import DataError
from tinygrad_poly.nn.module import Module, Parameter
from tinygrad_poly.tensor import Tensor

FORMAT = "tinygrad_poly tensors"
_TORCHS = (
    "it was written by torch.save, which pickles: in torch, load it and write its arrays, "
    "numpy.savez('new.npz', **{name: t.numpy() for name, t in state.items()}); here, give numpy.load('new.npz') "
    "to load_state_dict()"
)


def save(obj: Any, f: Any) -> None:
    """Write tensors, arrays, numbers, texts and None, in dicts, lists and tuples, to a path or an open file.

    So states of modules and optimizers can be saved; the graph that tensors came from is not.

    Raises:
        TypeError: for what else there is in `obj`; nothing is written then.
        DataError: where the path cannot be written.

    >>> import io
    >>> file = io.BytesIO()
    >>> save({"weights": tensor([1.0, 2.0]), "step": 3}, file)
    >>> _ = file.seek(0)
    >>> load(file)
    {'weights': tensor([1., 2.]), 'step': 3}
    """
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:

        def keep(array: Any) -> dict[str, Any]:
            name = f"{len(archive.namelist())}.npy"
            with archive.open(name, "w") as member:
                np.lib.format.write_array(member, array, allow_pickle=False)
            return {"=array": name}

        try:
            structure = json.dumps({"format": FORMAT, "content": plain(obj, keep)})
        except RecursionError:
            raise TypeError("save(): the object is nested too deeply, or holds itself") from None
        archive.writestr("structure.json", structure)
    if hasattr(f, "write"):
        f.write(content.getvalue())
    else:
        _files.write(f, content.getvalue())


def load(f: Any, map_location: Any = None, *, weights_only: bool | None = None) -> Any:
    """Read what `save` wrote, from a path or an open file.

    Args:
        f: the path, or the file.
        map_location: the device that all tensors go to; a dict from the devices that they were on to others; or a
            function of a tensor and the name of its device. By default each goes to where it was.
        weights_only: torch's; nothing else is ever read.

    Raises:
        DataError: for what `save` did not write, and for what was cut off or damaged.
        OSError: where there is no such file.
    """
    data, name = (f.read(), getattr(f, "name", "the file")) if hasattr(f, "read") else (Path(f).read_bytes(), f)
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        members = archive.namelist()
        if "structure.json" not in members:
            torchs = any(member.endswith("data.pkl") for member in members)
            raise ValueError(_TORCHS if torchs else "it is an archive of something else")
        document = json.loads(archive.read("structure.json"))
        if document.get("format") != FORMAT:
            raise ValueError("it is an archive of something else")

        def find(form: dict[str, Any]) -> Any:
            array = np.load(io.BytesIO(archive.read(form["=array"])), allow_pickle=False)
            if array.dtype.kind not in "biuf":
                raise ValueError(f"it holds an array of {array.dtype}")
            return array

        return rich(document["content"], find, partial(_place, map_location))
    except Exception as error:  # from whatever may be in a file
        why = _TORCHS if data[:1] == b"\x80" else str(error) or type(error).__name__
        raise DataError(f"{name} is no file of save(), or is damaged: {why}") from None


def _place(map_location: Any, x: Tensor, device: str) -> Tensor:
    """The tensor on the device where it is to be."""
    if callable(map_location):
        moved = map_location(x, device)
        return moved if isinstance(moved, Tensor) else x
    target = map_location.get(device, device) if isinstance(map_location, Mapping) else map_location
    return x.to(device=target or device)


# JSON knows neither tensors nor tuples nor keys that are numbers; a key that begins with "=" says what stands for them.


def plain(value: Any, keep: Callable[[Any], Any]) -> Any:
    """The value in a form that JSON can hold.

    Args:
        value: tensors, arrays, numbers, texts, None, in dicts, lists and tuples.
        keep: returns the form of an array.

    Raises:
        TypeError: for anything else.
    """
    inner = partial(plain, keep=keep)
    if isinstance(value, Tensor):
        form = {"=tensor": inner(np.asarray(on_cpu(value.array)))}
        notes = {"parameter": isinstance(value, Parameter), "requires_grad": value.requires_grad}
        device = {"device": str(value.device)} if value.is_cuda else {}
        return form | {name: True for name, holds in notes.items() if holds} | device
    if isinstance(value, np.ndarray | np.generic):
        array = np.asarray(value)
        if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
            raise TypeError(f"an array of {array.dtype} cannot be saved exactly")
        return keep(array)
    if isinstance(value, Mapping):
        if type(value) is dict and all(isinstance(key, str) and not key.startswith("=") for key in value):
            return {key: inner(item) for key, item in value.items()}
        kind = "=OrderedDict" if isinstance(value, OrderedDict) else "=dict"
        return {kind: [{"key": inner(key), "value": inner(item)} for key, item in value.items()]}
    if isinstance(value, list):
        return [inner(item) for item in value]
    if isinstance(value, tuple):
        return {"=Size" if isinstance(value, Size) else "=tuple": [inner(item) for item in value]}
    if isinstance(value, Dtype):
        return {"=dtype": value.name}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    advice = ": save its state_dict()" if isinstance(value, Module) or hasattr(value, "state_dict") else ""
    raise TypeError(f"a {type(value).__name__} cannot be saved{advice}")


def rich(value: Any, find: Callable[[Any], Any], place: Callable[[Tensor, str], Tensor] | None = None) -> Any:
    """The value behind a form that `plain` returned.

    Args:
        value: the form.
        find: returns the array of a form that `keep` returned.
        place: returns a tensor where it is to be, given the name of its device.
    """
    inner = partial(rich, find=find, place=place)
    if isinstance(value, list):
        return [inner(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "=array" in value:
        return find(value)
    if "=tensor" in value:
        array = inner(value["=tensor"])
        if not isinstance(array, np.ndarray):
            raise ValueError("it holds a tensor without numbers")
        x = made(array, None, None, False)
        x = x if place is None else place(x, value.get("device", "cpu"))
        requires_grad = bool(value.get("requires_grad"))
        return Parameter(x, requires_grad) if value.get("parameter") else x.requires_grad_(requires_grad)
    for tag, make in _MAKERS.items():
        if tag in value:
            return make(inner(value[tag]))
    return {key: inner(item) for key, item in value.items()}


def _pairs(kind: type[Any]) -> Callable[[Any], Any]:
    return lambda pairs: kind((pair["key"], pair["value"]) for pair in pairs)


_MAKERS: dict[str, Callable[[Any], Any]] = {
    "=dict": _pairs(dict), "=OrderedDict": _pairs(OrderedDict), "=tuple": tuple, "=Size": Size,
    "=dtype": lambda name: named(np.dtype(name), None),
}  # fmt: skip
