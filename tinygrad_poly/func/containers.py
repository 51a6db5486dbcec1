"""Nested containers as flat lists: their leaves, and the structure around them.

Containers are dicts, lists, tuples, named tuples and None (which holds nothing); all else is a leaf.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from tinygrad_poly.engine.errors import StructureError


@dataclass(frozen=True)
class Structure:
    """The structure of nested containers, without their leaves.

    >>> flatten({"w": 1.0, "rest": [2.0, None]})
    ([1.0, 2.0], {'w': *, 'rest': [*, None]})
    """

    kind: Any
    """The class of the container; None for a leaf."""
    parts: "dict[Any, Structure]"

    def unflatten(self, leaves: Iterable[Any]) -> Any:
        """Containers of this structure around other leaves."""
        return self._build(iter(leaves))

    def _build(self, leaves: Iterator[Any]) -> Any:
        if self.kind is None:
            return next(leaves)
        values = [part._build(leaves) for part in self.parts.values()]
        if self.kind is type(None):
            return None
        if issubclass(self.kind, dict):
            return self.kind(zip(self.parts, values))
        return self.kind(*values) if hasattr(self.kind, "_fields") else self.kind(values)

    def leaves(self, tree: Any, what: str) -> list[Any]:
        """The leaves of `tree`, which must have this structure; dict keys may come in another order.

        Raises:
            StructureError: where the tree has another structure; `what` says what the two are.
        """
        found: list[Any] = []
        if not self._matches(tree, found):
            raise StructureError(f"{what} must have the same structure, but they are\n  {self}\n  {flatten(tree)[1]}")
        return found

    def _matches(self, tree: Any, found: list[Any]) -> bool:
        inside = _parts(tree)
        if inside is None or self.kind is None:
            found.append(tree)
            return inside is None and self.kind is None
        return (
            type(tree) is self.kind
            and inside.keys() == self.parts.keys()
            and all(part._matches(inside[key], found) for key, part in self.parts.items())
        )

    def paths(self) -> Iterator[str]:
        """For each leaf the way to it as text, such as `['w'][0]`."""
        if self.kind is None:
            yield ""
        for key, part in self.parts.items():
            step = f".{key}" if hasattr(self.kind, "_fields") else f"[{key!r}]"
            for path in part.paths():
                yield step + path

    def __repr__(self) -> str:
        if self.kind is None:
            return "*"
        if self.kind is type(None):
            return "None"
        values = list(map(repr, self.parts.values()))
        if hasattr(self.kind, "_fields"):
            return f"{self.kind.__name__}({', '.join(map('{}={}'.format, self.parts, values))})"
        if issubclass(self.kind, dict):
            return f"{{{', '.join(map('{!r}: {}'.format, self.parts, values))}}}"
        inside = ", ".join(values)
        return f"[{inside}]" if self.kind is list else f"({inside},)" if len(values) == 1 else f"({inside})"


LEAF = Structure(None, {})


def _parts(tree: Any) -> dict[Any, Any] | None:
    """The contents of a container by key, index or name; None for a leaf."""
    kind = type(tree)
    if tree is None:
        return {}
    if kind is dict or kind is OrderedDict:
        return dict(tree)
    if kind is list or kind is tuple:
        return dict(enumerate(tree))
    return dict(zip(kind._fields, tree)) if isinstance(tree, tuple) and hasattr(kind, "_fields") else None


def flatten(tree: Any) -> tuple[list[Any], Structure]:
    """The leaves of nested containers from left to right, and the structure around them."""
    inside = _parts(tree)
    if inside is None:
        return [tree], LEAF
    leaves: list[Any] = []
    parts = {}
    for key, value in inside.items():
        more, parts[key] = flatten(value)
        leaves += more
    return leaves, Structure(type(tree), parts)


def mapped(function: Callable[[Any], Any], tree: Any) -> Any:
    """Containers like `tree`, with `function(leaf)` in the place of each leaf."""
    leaves, structure = flatten(tree)
    return structure.unflatten(map(function, leaves))
