"""Python source for a program with calls: NumPy's functions, and loops for Numba between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinygrad_poly.compiler.loops.fuse import Plan, Stage, is_sum_of_one, is_view
from tinygrad_poly.compiler.loops.layers import Layers, LayersPrinter
from tinygrad_poly.compiler.loops.memory import Item, reused
from tinygrad_poly.compiler.loops.numpy_runner import of_call
from tinygrad_poly.compiler.loops.printer import Index, Printer, dtype_name
from tinygrad_poly.compiler.trace.program import Program, in_order
from tinygrad_poly.compiler.trace.symbols import Symbol, caller


@dataclass
class Group:
    """A group of loops and numbers with no call between them, which becomes one function.

    Attributes:
        stages: these loops and numbers.
        program: its inputs are the earlier results that the group reads, its outputs those that are read later.
    """

    stages: list[Stage] = field(default_factory=list)
    program: Program = field(default_factory=lambda: Program((), (), ()))

    @property
    def made(self) -> Iterator[Symbol]:
        """The symbols that the group computes."""
        for stage in self.stages:
            yield from stage.numbers
            for loop in stage.loops.values():
                yield from (*loop.reductions, *loop.stores)


def printer(plan: Plan, arrays: Mapping[str, Any], typed: bool = True) -> Printer:
    """The printer for a plan: a `Driver` if the plan has calls, else a `Printer`; for small networks one of its own."""
    kind = LayersPrinter if isinstance(plan, Layers) else Driver if plan.has_calls else Printer
    return kind(plan, dict(arrays), typed)


class Driver(Printer):
    """A printer for a plan with calls: a function for each group of loops, and `run`, which is plain Python.

    In `run` an array is an array, and whatever has one element is a number.

    Attributes:
        bound: what `run` takes as arguments after all others, by name: calls that cannot be written as source, such
            as opaque rows of the table, or those with arrays of indices; and arrays to write into.
    """

    def __init__(self, plan: Plan, arrays: dict[str, Any] | None = None, typed: bool = True) -> None:
        super().__init__(plan, arrays, typed)
        self.arrays = {id(array): array for array in (arrays or {}).values()}
        self.items = _items(plan)
        self.room: dict[Symbol, str] = {}
        self.written = {s: self._written(s) for s in self.items if isinstance(s, Symbol)}
        self.parameters += self.bound

    def once(self, name: str = "run") -> str:
        """The source of the functions, and of `run` as in `Printer`; the memory for results comes from `bound`."""
        for s, room, other in self._rooms():
            self.parameters.append(room)
            self.bound[room] = self.bound[other] if other else np.empty(s.shape, s.dtype)
        return super().once(name)

    def _stages(self, depth: int) -> None:
        for item in self.items:
            if isinstance(item, Group):
                self._group(item, depth)
            else:
                self._call(item, depth)
        for s in self.plan.program.outputs:
            self._value(s, (), depth)

    def _before_steps(self) -> None:
        for s, room, other in self._rooms():
            self._line(1, f"{room} = {other or f'np.empty({s.shape}, {_literal(s.dtype)})'}")

    def _rooms(self) -> Iterator[tuple[Symbol, str, str]]:
        """The arrays that every step or call overwrites: symbol, name, and the name of the array it reuses, or ""."""
        for s, before in reused([_item(x) for x in self.items], self.plan.program.outputs).items():
            self.room[s] = self._named(s, (), s.name or "v")
            yield s, self.room[s], self.room[before] if before is not None else ""

    def _call(self, s: Symbol, depth: int) -> None:
        text = self.written[s].format(*(self._given(x) for x in s.inputs))
        if s in self.room:
            text = f"{text[:-1]}, out={self.room[s]})"
        else:
            text = f"{self._named(s, (), s.name or 'v')} = {text}{'.item()' if s.size == 1 else ''}"
        self._line(depth, text, s.phase)

    def _group(self, group: Group, depth: int) -> None:
        takes = group.program.inputs
        room = {s: self.room[s] for s in group.program.outputs if s in self.room}
        gives = tuple(s for s in group.program.outputs if s not in room)
        function = self._fresh(f"loop_{len(self.functions) + 1}")
        # A number that Numba returned is Python's, whatever its dtype was.
        given = [self._typed(self.names[s, ()], s.dtype) if s.size == 1 else self.names[s, ()] for s in takes]
        made = [
            self._named(s, (), s.name or (s.function if s.size == 1 and s.function == "sum" else "v")) for s in gives
        ]
        captured = dict.fromkeys(id(x) for s in group.program.instructions for x in s.inputs if id(x) in self.captured)
        arrays = {self.captured[i]: self.arrays[i] for i in captured}
        program = Program(takes, gives, group.program.instructions)
        names = {s: self.names[s, ()] for s in (*takes, *gives)}
        printer = _Function(Plan(program, (), tuple(group.stages)), arrays, self.typed, names, room)
        self.functions.append(f"@njit\n{printer.once(function)}")
        call = f"{function}({', '.join([*given, *arrays, *room.values()])})"
        self._line(depth, f"{', '.join(made)}{',' * (len(made) == 1)} = {call}" if made else call)

    def _written(self, s: Symbol) -> str:
        """A call as a template of source, with placeholders for its inputs."""
        places = ["{}"] * len(s.inputs)
        attributes = {key: _literal(value) for key, value in s.attributes}
        if None in attributes.values() or not attributes.keys().isdisjoint(("arguments", "part", "row")):
            name = dict(s.attributes)["row"].name.lower() if s.function == "row" else s.function.rpartition(".")[2]
            name = self._fresh(name)
            self.bound[name] = caller(s.function, s.attributes)
            return f"{name}({', '.join(places)})"
        if s.function == "getitem":
            return f"{{}}[{attributes['index']}]"
        if s.function == "astype":
            return f"{{}}.astype({attributes['dtype']})"
        return f"np.{s.function}({', '.join([*places, *(f'{key}={value}' for key, value in attributes.items())])})"

    def _given(self, x: Any) -> str:
        """An input of a call as source, in the shape and dtype that NumPy expects."""
        if id(x) in self.captured:
            name = self.captured[id(x)]
            return name if x.size != 1 else f"np.full({x.shape}, {name}, {_literal(x.dtype)})"
        if not isinstance(x, Symbol):
            return f"{_literal(x.dtype)}({_literal(x.item())})" if isinstance(x, np.generic) else str(_literal(x))
        if x.size != 1 and x.function != "full":
            return self.names[x, ()]
        root, dtype = _root(x), _literal(x.dtype)
        number = _literal(dict(root.attributes)["fill_value"]) if root.function == "full" else self.names[root, ()]
        if x.weak:
            return f"float({number})"
        return f"np.full({x.shape}, {number}, {dtype})" if x.shape else f"{dtype}({number})"


class _Function(Printer):
    """A printer for one group of loops; inputs and outputs keep the names that they have outside.

    Args:
        plan: of the group.
        arrays: the arrays that it takes of those that the program captured.
        typed: whether numbers are written in their dtype.
        names: of what it takes and gives.
        room: arrays that it is given to write into, by name.
    """

    one_thread = True

    def __init__(
        self, plan: Plan, arrays: dict[str, Any], typed: bool, names: dict[Symbol, str], room: dict[Symbol, str]
    ) -> None:
        self.shared, self.room = names, room
        self.reserved = {*names.values(), *room.values()}
        super().__init__(plan, arrays, typed)
        self.parameters += room.values()

    def _array(self, s: Symbol, depth: int, name: str = "") -> str:
        return self.room.get(s) or super()._array(s, depth, self.shared.get(s, ""))

    def _named(self, s: Symbol, index: Index, wish: str) -> str:
        if s not in self.shared or index:
            return super()._named(s, index, wish)
        self.names[s, ()] = self.shared[s]
        return self.shared[s]


def _items(plan: Plan) -> list[Symbol | Group]:
    """Calls and groups of loops in order, with as few groups as the calls allow."""
    items: list[Symbol | Group] = []
    group = Group()
    for stage in plan.stages:
        group.stages.append(Stage(numbers=stage.numbers))
        for s in stage.calls:
            if not _needs(s).isdisjoint(group.made):
                items.append(group)
                group = Group()
            items.append(s)
        group.stages.append(Stage(loops=stage.loops))
    items.append(group)
    _set_programs(plan, items)
    return [item for item in items if isinstance(item, Symbol) or item.program.outputs]


def _set_programs(plan: Plan, items: Sequence[Symbol | Group]) -> None:
    """Give each group its program: the symbols that it takes, computes and returns."""
    order = {s: i for i, s in enumerate((*plan.program.inputs, *plan.program.instructions))}
    known = {*plan.program.inputs, *plan.hoisted}
    for item in items:
        if isinstance(item, Group):
            known |= {s for s in item.made if s.size != 1 or _root(s) is s}
        elif not is_view(item):  # loops read through a view
            known.add(item)
    wanted = {_root(s) for s in plan.program.outputs}
    for item in reversed(items):
        if isinstance(item, Symbol):
            wanted |= _needs(item)
            continue
        earlier = known.difference(item.made)
        inside = in_order(list(item.made), earlier.__contains__)
        takes = {x for s in inside for x in s.inputs if isinstance(x, Symbol) and x in earlier}
        gives = dict.fromkeys(s for s in item.made if s in wanted)
        item.program = Program(tuple(sorted(takes, key=order.__getitem__)), tuple(gives), tuple(inside))
        wanted |= takes


def _item(item: Symbol | Group) -> Item:
    """The memory use of a call or of a group of loops."""
    if isinstance(item, Group):
        stores = (s for stage in item.stages for loop in stage.loops.values() for s in loop.stores)
        return Item(item.program.inputs, tuple(stores), writable=True, fresh=True)
    return of_call(item, item.inputs)


def _needs(s: Symbol) -> set[Symbol]:
    return {_root(x) for x in s.inputs if isinstance(x, Symbol)}


def _root(x: Symbol) -> Symbol:
    """The number behind changes of shape."""
    while x.size == 1 == getattr(x.inputs[0] if x.inputs else None, "size", 0) and (is_view(x) or is_sum_of_one(x)):
        (x,) = x.inputs
    return x


def _literal(value: Any) -> str | None:
    """A value as source; None if it has no literal."""
    if isinstance(value, float):
        return repr(value).replace("inf", "np.inf").replace("nan", "np.nan")
    if value is None or isinstance(value, (bool, int, complex)):
        return repr(value)
    if isinstance(value, str):
        return repr(value).replace("{", "{{").replace("}", "}}")  # it goes into a template
    if value is Ellipsis:
        return "..."
    if isinstance(value, np.dtype):
        return dtype_name(value)
    if isinstance(value, slice):
        inside, form = [value.start, value.stop, value.step], "slice({})"
    elif type(value) in (tuple, list):
        inside, form = list(value), "[{}]" if type(value) is list else "({},)" if len(value) == 1 else "({})"
    else:
        return None
    parts = [_literal(part) for part in inside]
    return None if None in parts else form.format(", ".join(map(str, parts)))
