"""Public names of a package: what the files of its families define without an underscore."""

from collections.abc import Container, Iterator
from importlib import import_module
from types import FunctionType
from typing import Any


def defined(module: str, kinds: tuple[type, ...] = (FunctionType, type)) -> Iterator[tuple[str, Any]]:
    """The names without an underscore of what a module defines itself, and what they stand for."""
    for name, value in vars(import_module(module)).items():
        if isinstance(value, kinds) and value.__module__ == module and not name.startswith("_"):
            yield name, value


def publish(package: str, *families: str, hidden: Container[str] = ()) -> None:
    """Give a package the public names of its families (".layers"), but for the hidden ones.

    A checker of types reads stars instead.
    """
    for family in families:
        found = defined(import_module(family, package).__name__)
        vars(import_module(package)).update({name: value for name, value in found if name not in hidden})
