"""Arguments as people have them, as arrays and back: numbers, lists, arrays, columns, tensors, containers."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_poly.checking.surroundings import Surroundings
from tinygrad_poly.creation import tensor as make_tensor
from tinygrad_poly.engine.errors import DtypeError, StructureError
from tinygrad_poly.func.containers import Structure, flatten, mapped
from tinygrad_poly.func.given import as_array as as_array
from tinygrad_poly.func.given import library_of as library_of
from tinygrad_poly.func.given import lists_as_arrays, of_numbers

Arrays = dict[int, Any]
"""Leaves by their number, in the place of what was given."""


def numeric(value: Any) -> bool:
    """Whether a value is an array that a gradient can be asked of, after a conversion to floats perhaps."""
    return isinstance(value, np.ndarray) and value.dtype.kind in "fiu"


def floating(value: Any) -> bool:
    """Whether a value is an array of floats."""
    return isinstance(value, np.ndarray) and value.dtype.kind == "f"


class Arguments:
    """The arguments of a function: their leaves as arrays, and how to call functions with other arrays.

    Args:
        function: which says their names.
        args: the arguments.
        constants: whether Python's numbers beside arrays stay what they are, as for an operation on tensors.

    Attributes:
        names: of the arguments.
        leaves: NumPy arrays, and whatever else was given, as it was.
        active: the numbers of the leaves that gradients are asked of.
    """

    def __init__(self, function: Callable[..., Any], args: Sequence[Any], constants: bool = False) -> None:
        self.names = _names(function, len(args))
        args = tuple(map(lists_as_arrays, args))
        found = [flatten(arg) for arg in args]
        self.structures: list[Structure] = [structure for _, structure in found]
        self.given = [leaf for leaves, _ in found for leaf in leaves]
        constants = constants and any(not isinstance(leaf, float) and floating(as_array(leaf)) for leaf in self.given)
        self.leaves: list[Any] = [x if constants and isinstance(x, (int, float)) else as_array(x) for x in self.given]
        self.paths = [name + path for name, s in zip(self.names, self.structures) for path in s.paths()]
        owners = [k for k, (leaves, _) in enumerate(found) for _ in leaves]
        self.parts = [[i for i, owner in enumerate(owners) if owner == k] for k in range(len(args))]
        for i in self.parts[0] if args and not any(map(floating, self.leaves)) else ():
            if numeric(self.leaves[i]):  # whole numbers are meant as floats: there is nothing else
                self.leaves[i] = self.leaves[i].astype(np.float64)
        self.active: list[int] = []
        self.structure: Any = None
        self.beside = Surroundings()

    def choose(self, answer: Any, wrt: Any) -> None:
        """Decide which arguments a gradient is of: those that `wrt` names, or else those that its form suggests."""
        held = [[self.leaves[i] for i in part] for part in self.parts]
        floats = [k for k, part in enumerate(held) if part and all(map(numeric, part)) and any(map(floating, part))]
        self.floats = [self.names[k] for k in floats]
        if wrt is not None:
            single = not isinstance(wrt, (tuple, list))
            return self._activate([self.position(name) for name in ([wrt] if single else wrt)], single)
        if not floats:
            given = ", ".join(f"{path} is {type(x).__name__}" for path, x in zip(self.paths, self.given))
            raise DtypeError(
                f"no argument holds floats, so there is nothing to differentiate by ({given or 'none is given'}): "
                "give numbers, lists, arrays, columns, tensors, or dicts and lists of them"
            )
        like_first = flatten(gradients_as_arrays(answer))[1] == self.structures[floats[0]]
        if isinstance(answer, dict) and not (like_first or self.structures[floats[0]].kind is dict):
            if unknown := [name for name in answer if name not in self.names]:
                raise StructureError(f"the gradient has an entry {unknown[0]!r}: arguments are {', '.join(self.names)}")
            return self._activate([k for k, name in enumerate(self.names) if name in answer], False)
        few = isinstance(answer, np.ndarray) and answer.ndim == 1 and len(answer) <= len(floats)
        answer = list(answer) if few else answer
        numbers = isinstance(answer, list) and of_numbers(answer)
        scalars = numbers and len(floats) > 1 and all(np.shape(self.leaves[self.parts[k][0]]) == () for k in floats)
        if isinstance(answer, (tuple, list)) and (scalars or not (numbers or like_first)):
            if len(answer) > len(floats):
                raise StructureError(
                    f"the gradient has {len(answer)} parts, but {len(floats)} arguments hold floats: "
                    "it is a tuple for several arguments, and an array for one"
                )
            return self._activate(floats[: len(answer)], False)
        return self._activate(floats[:1], True)

    def _activate(self, positions: Sequence[int], single: bool) -> None:
        self.active = [i for k in positions for i in self.parts[k]]
        for i in self.active:
            if not numeric(self.leaves[i]):
                kind = type(self.given[i]).__name__
                raise DtypeError(f"{self.paths[i]} is {kind}, which has no gradient: name others with wrt=")
            if not floating(self.leaves[i]):
                self.leaves[i] = self.leaves[i].astype(np.float64)
        self.chosen = [self.names[k] for k in positions]
        parts = [self.structures[k] for k in positions]
        self.structure = parts[0] if single else Structure(tuple, dict(enumerate(parts)))
        self.several = not single

    def matched(self, answer: Any) -> list[Any]:
        """The arrays in a gradient, one for each active leaf.

        Raises:
            StructureError: where it has other parts than the arguments.
            DtypeError: where a part is no number.
        """
        if answer is None:
            raise StructureError("the gradient returned None: is a return missing?")
        answer = gradients_as_arrays(answer)
        all_of_them = isinstance(answer, tuple) and len(answer) == len(self.floats) > len(self.chosen)
        if all_of_them and (self.several or self.structure.kind is not tuple):
            answer = dict(zip(self.floats, answer))
        named = isinstance(answer, dict) and set(self.chosen) <= set(answer) <= set(self.names)
        if isinstance(answer, dict) and (self.several or (named and set(answer) != set(self.structure.parts))):
            if odd := sorted(map(repr, {*answer} - {*self.names} | {*self.chosen} - {*answer})):
                raise StructureError(f"the gradient must have the entries {', '.join(self.chosen)}: see {odd[0]}")
            answer = tuple(answer[name] for name in self.chosen)
            answer = answer if self.several else answer[0]
        elif self.several:
            answer = tuple(answer) if isinstance(answer, (tuple, list)) or np.ndim(answer) else (answer,)
        elif type(answer) in (tuple, list) and len(answer) == 1 and self.structure.kind is None:
            answer = answer[0]
        found = []
        for i, g in zip(self.active, self.structure.leaves(answer, "the argument and its gradient")):
            shape = self.leaves[i].shape
            g = np.zeros(shape) if g is None else g if isinstance(g, np.ndarray) else np.array(g)
            if g.dtype.kind not in "fiubO" or (g.dtype == object and not all(hasattr(x, "real") for x in g.ravel())):
                raise DtypeError(f"the gradient of {self.paths[i]} must be numbers, not {g.dtype}")
            found.append(g)
        return found

    def position(self, name: Any) -> int:
        """The position of an argument from its name or number."""
        if isinstance(name, str) and name in self.names:
            return self.names.index(name)
        if isinstance(name, (int, np.integer)) and -len(self.names) <= name < len(self.names):
            return int(name) % len(self.names)
        raise StructureError(f"wrt names {name!r}, but the arguments are {', '.join(self.names)}")

    def values(self) -> Arrays:
        """The active leaves as they were given."""
        return {i: self.leaves[i] for i in self.active}

    def build(self, library: str, arrays: Arrays, dtype: Any = None, requires_grad: bool = False) -> list[Any]:
        """The arguments for the next call: copies, as a library's arrays, in another dtype perhaps."""
        self.beside.now = {i - len(self.leaves): x for i, x in arrays.items() if i >= len(self.leaves)}
        made = []
        for i, leaf in enumerate(self.leaves):
            value = arrays.get(i, leaf)
            if floating(value):
                made.append(made_by(library, value.astype(dtype or value.dtype), requires_grad and i in self.active))
            elif not isinstance(value, np.ndarray):
                made.append(value)
            elif isinstance(self.given[i], (int, np.integer, np.bool_)) and value.dtype != object:
                made.append(self.given[i])
            else:
                made.append(value.copy() if value.dtype == object else made_by(library, value.copy(), False))
        parts = iter(made)
        return [structure._build(parts) for structure in self.structures]

    def cut(self, rows: slice, arrays: Arrays) -> Arrays | None:
        """Some rows of the data: of all arrays that have as many rows as `batch` says; None where there are none.

        What the functions read beside their arguments is cut too, and has the numbers after those of the leaves. Where
        a number says how many rows there are, nothing can be cut.
        """
        length, data = self.batch(), dict(enumerate([*self.leaves, *self.beside.values]))
        given = [x.item() for i, x in data.items() if i not in self.active and isinstance(x, np.ndarray) and not x.ndim]
        data = {i: x for i, x in data.items() if i not in self.active and np.shape(x)[:1] == (length,)}
        if length in [*given, *self.beside.numbers]:
            return None
        return {**arrays, **{i: arrays.get(i, x)[rows] for i, x in data.items()}} if data else None

    def batch(self) -> int | None:
        """The number of rows that the data have: the commonest length of the arrays that no gradient is asked of."""
        data = [x for i, x in enumerate(self.leaves) if i not in self.active and isinstance(x, np.ndarray) and x.ndim]
        lengths = [len(x) for x in data or self.beside.values]
        return max(lengths, key=lengths.count) if lengths else None


def made_by(library: str, array: Any, requires_grad: bool) -> Any:
    """An array as one of a library's."""
    if library == "numpy":
        return array if array.ndim else array[()]
    make = make_tensor if library == "tensor" else importlib.import_module("torch").tensor
    return make(np.array(array, order="C"), requires_grad=requires_grad)


def _names(function: Callable[..., Any], count: int) -> list[str]:
    try:
        owner = getattr(function, "__self__", None)  # of the method apply of an operation
        forward = getattr(owner, "forward", function) if isinstance(owner, type) else function
        parameters = list(inspect.signature(forward).parameters.values())
        parameters = parameters[1:] if forward is not function and len(parameters) > count else parameters  # its ctx
    except (TypeError, ValueError):
        parameters = []
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return names[:count] + [f"argument {k}" for k in range(len(names[:count]), count)]


def gradients_as_arrays(answer: Any) -> Any:
    """The answer of a gradient function, with arrays for its leaves."""
    return mapped(as_array, lists_as_arrays(answer)) if not isinstance(answer, np.ndarray) else answer
