"""The page of names: torch's names beside those that are here, made from the installed torch.

`python -m tests.names > docs/names.md`
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import torch

import tinygrad_poly as tg
from tinygrad_poly import _missing

MODULES = (
    *("", "Tensor", "nn", "nn.functional", "nn.init", "nn.utils", "optim", "optim.lr_scheduler", "linalg", "autograd"),
    *("func", "utils.data", "cuda", "random", "testing"),
)

DIFFERENCES = {
    "": {
        "compile": "compiles the gradients and a whole training too; what it cannot watch is refused by name",
        "empty": "is filled with zeros",
        "from_numpy": "copies: memory is never shared with NumPy",
        "load": "reads files of `save` only, which execute nothing; torch's own file is refused with how to convert it",
        "rand": "and all random numbers are torch's for the same seed; 16 normal numbers and more up to rounding, "
        "which depends on the processor in torch too",
        "save": "saves states, not modules; of a tensor its numbers, and whether it requires grad",
        "sort": "is always stable",
        "tensor": "takes arrays of JAX, CuPy and the array API, and keeps them",
    },
    "Tensor": {
        "array": "is ours: the array inside, which nothing writes into",
        "astype": "and `copy` are NumPy's names",
        "dtype": "prints as torch's and is taken by NumPy for its own",
        "numpy": "is read-only, so that arrays stay values",
        "type": "without a dtype is the text that torch's returns",
    },
    "linalg": {"solve": "and all others refuse a singular matrix with the batch element's number"},
}
"""What is different, for each of torch's modules: a name, and a clause of which it is the subject."""


def there(root: Any, path: str) -> Any:
    """The module or class of that name, None where there is none."""
    if not path:
        return root
    if path == "Tensor":
        return root.Tensor
    try:
        return importlib.import_module(f"{root.__name__}.{path}")
    except ImportError:
        return None


def public(of: Any) -> set[str]:
    """The names that users find in a module or a class."""
    if of is None:
        return set()
    found = set()
    for name in dir(of):
        value = inspect.getattr_static(of, name, None) or getattr(of, name, None)
        private = name.startswith("_") or isinstance(value, (ModuleType, _missing._Method))
        origin = getattr(value, "__module__", None) or "torch"
        if not private and origin.split(".")[0] in ("torch", "tinygrad_poly", "builtins", "numpy", "functools"):
            found.add(name)
    return found


def listed(names: Iterator[str] | list[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names, key=lambda name: (name.lower(), name)))


def section(path: str) -> Iterator[str]:
    theirs, own = there(torch, path), there(tg, path)
    title = f"torch.{path}".rstrip(".")
    known = public(theirs) & set(getattr(theirs, "__all__", dir(theirs)))
    here = sorted(name for name in known if own is not None and hasattr(own, name))
    missing = sorted(known - set(here))
    yield f"## {title}\n\n"
    yield f"Here, {len(here)} of {len(known)}: {listed(here) or 'none'}.\n\n"
    if path in DIFFERENCES:
        yield from (f"- `{name}` {text}.\n" for name, text in DIFFERENCES[path].items())
        yield "\n"
    why: dict[str, list[str]] = {}
    for name in missing:
        why.setdefault(_missing.reason(name), []).append(name)
    for reason in sorted(why, key=lambda reason: (not reason, reason)):
        head = f"{reason[0].upper()}{reason[1:]}. These are" if reason else "Not here"
        yield f"{head}: {listed(why[reason])}.\n\n"
    if extra := sorted(public(own) - known):
        yield f"Not in torch: {listed(extra)}.\n\n"


def page() -> str:
    """The text of docs/names.md."""
    version = torch.__version__.split("+")[0]
    head = f"""# Names

torch's names beside those that are here, made from torch {version} by `make docs`. A name that is missing raises an
error that names the nearest ones. Recurrent modules, attention, Fourier transforms, complex, sparse, quantized tensors
and several processes stay outside: the engine is to be read in an afternoon, and each of them would be a second engine,
or hide the arithmetic that one came to see. [What else differs](engine.md#where-it-differs-from-torch) is said there.

"""
    return head + "".join("".join(section(path)) for path in MODULES).rstrip() + "\n"


if __name__ == "__main__":
    print(page(), end="")
