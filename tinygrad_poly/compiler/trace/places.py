"""Places: where a function may read values that are no arguments, and checks that these are unchanged.

They are found by following what code names: cells, globals, defaults, attributes, elements, and the functions that are
found there. A place that is named and never read costs at most one trace too many.
"""

import datetime
import dis
import enum
import functools
import inspect
import logging
import operator
import os
import random
import re
import sys
import sysconfig
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from importlib import import_module
from itertools import repeat, zip_longest
from pathlib import Path, PurePath
from types import CodeType, FunctionType, MethodType, ModuleType, SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from tinygrad_poly.compiler.trace.symbols import noted
from tinygrad_poly.engine.arrays import Dtype
from tinygrad_poly.nn.module import KINDS, Module
from tinygrad_poly.tensor import Tensor

PLAIN = (
    bool, int, float, complex, str, bytes, type(None), type(...), type(NotImplemented), range, slice, np.generic, Dtype,
    np.dtype, enum.Enum, Decimal, Fraction, datetime.date, datetime.time, datetime.timedelta, PurePath, re.Pattern,
    inspect.Signature,
)  # fmt: skip
"""Values that never change: they are compared."""

_NUMBERS = {bool, int, float, complex, str, bytes, type(None)}
EXACT = _NUMBERS | {list, tuple, dict}
"""Types whose values are nothing but a number, a text or elements, as no value of a subclass need be."""

# What results do not depend on.
_ASIDE = (logging.Logger, logging.LoggerAdapter, type(threading.Lock()), type(threading.RLock()))
# Functions that return something else each time, by module ("*": all of them).
_CHANGING = {
    "time": {"*"}, "secrets": {"*"}, "uuid": {"uuid1", "uuid4"}, "os": {"getenv"}, "posix": {"urandom"},
    "nt": {"urandom"}, "builtins": {"input", "globals", "eval", "exec"}, "io": {"open"}, "_io": {"open"},
    "pathlib": {"*"}, "numpy": {"load", "loadtxt", "genfromtxt", "fromfile"},
}  # fmt: skip
_HARMLESS = {"sleep", "strftime", "compare_digest", "joinpath", "with_name", "with_stem", "with_suffix"}
# Code that names one of these may read any attribute.
_ANY_ATTRIBUTE = {"getattr", "vars", "__dict__", "__getattribute__", "attrgetter", "asdict", "astuple", "fields"}
_MAKING = {"__init__", "__new__", "__post_init__"}
_NEVER_CALLED = {"__del__", "__repr__", "__str__", "__reduce__", "__set_name__", "__init_subclass__"}
_FOLDERS = tuple(
    str(Path(folder)) + os.sep
    for folder in (*map(sysconfig.get_paths().get, ("stdlib", "purelib", "platlib")), Path(__file__).parents[2])
    if folder
)
_MADE_BY_CLASS = 1 << 9
_ABSENT = object()
_BARE_CALL = "()"


class Use(enum.Enum):
    """The uses that a function makes of a place."""

    READ = enum.auto()
    """A program belongs to what was there."""
    GIVEN = enum.auto()
    """It is in a container among the arguments, which are looked at in each call."""
    HELD = enum.auto()
    """It is an attribute of an optimizer, which may hold what nobody can watch."""
    LOGGED = enum.auto()
    """Something is appended and never read."""
    DRAWN = enum.auto()
    """It holds the state of a generator of random numbers."""


class Change(NamedTuple):
    """A place that a trace has changed: its name, its use, and its value now."""

    name: str
    use: Use
    value: Any


class _Group(NamedTuple):
    """Values that are read together: how to read, name and restore them, and what they were."""

    read: Callable[[], Sequence[Any]]
    values: Sequence[Any]
    label: Callable[[int], str]
    write: Callable[[], None]
    use: Use

    def unchanged(self) -> bool:
        now = self.read()
        if len(now) != len(self.values):
            return False
        return all(map(operator.is_, now, self.values)) or all(map(same, now, self.values))

    def changes(self) -> list[Change]:
        pairs = enumerate(zip_longest(self.read(), self.values, fillvalue=_ABSENT))
        return [Change(self.label(i), self.use, x) for i, (x, before) in pairs if not same(x, before)]


def attributes(x: Any) -> dict[str, Any]:
    """The attributes that an argument has beside its elements or its number; all of a dataclass."""
    kind = type(x)
    if isinstance(x, enum.Enum):
        return {}
    return _attributes(x) if hasattr(kind, "__slots__") and not isinstance(x, PLAIN) else getattr(x, "__dict__", {})


def same(now: Any, before: Any) -> bool:
    """Whether two values are one object, or plain and equal in every way (−0 is not 0)."""
    if now is before or type(now) is not type(before) or not isinstance(now, PLAIN) or attributes(now):
        return now is before
    return repr(now) == repr(before) if isinstance(now, (float, complex, np.generic)) else bool(now == before)


class Places:
    """The places that can be reached from some values.

    Attributes:
        tensors: by their ids, the tensors that were found, and what they are called.
    """

    def __init__(self) -> None:
        self.tensors: dict[int, tuple[Tensor, str]] = {}
        self._groups: list[_Group] = []
        self._seen: dict[Any, Any] = {}
        self._stack: list[tuple[Any, str]] = []
        self._names: set[str] = set()
        self._holders: list[_Holder] = []
        self._use = Use.READ

    def follow(self, value: Any, label: str, use: Use = Use.READ) -> None:
        """Find the places that can be reached from a value.

        Raises:
            TraceError: naming what cannot be watched.
        """
        self._use = use
        self._stack.append((value, label))
        self._follow_all()

    def follow_methods(self, kind: type) -> None:
        """Find the places that the code of a class leads to, of which the function is given an object."""
        self._use = Use.READ
        self._class(kind, made=False)
        self._follow_all()

    def _follow_all(self) -> None:
        while self._stack or self._found_attributes():
            self._visit(*self._stack.pop())

    def settle(self) -> None:
        """Record the attributes that were found; to be called after the last `follow`."""
        for holder in self._holders:
            if holder.taken or holder.of is not None:
                self._use = holder.use
                self._named(holder, sorted(holder.taken))
        self._holders, self._names = [], set()

    def unchanged(self) -> bool:
        """Whether a call would read the same values now as the trace did."""
        return all(group.unchanged() for group in self._groups)

    def changes(self) -> list[Change]:
        """The places that a trace has changed."""
        return [change for group in self._groups for change in group.changes()]

    def put_back(self) -> None:
        """Restore what a trace has changed, as far as possible."""
        for group in self._groups:
            if not group.unchanged():
                group.write()

    def close(self) -> None:
        """Keep only the places on which later calls depend: read, and not changed by the trace itself."""
        self._groups = [group for group in self._groups if group.use is Use.READ and group.unchanged()]
        self._seen, self.tensors = {}, {}

    def _group(
        self,
        read: Callable[[], Sequence[Any]],
        label: Callable[[int], str],
        write: Callable[[], None] = lambda: None,
        use: Use = Use.READ,
    ) -> None:
        use = use if use is not Use.READ else self._use
        self._groups.append(_Group(read, read(), label, write, use))

    def _named(self, holder: "_Holder", names: Sequence[str]) -> None:
        """Record what is there under some names."""
        self._group(functools.partial(holder.read, names), holder.label(names), holder.put_back(names))

    def _push(self, found: Iterable[tuple[Any, str]]) -> None:
        self._stack += found

    def _visit(self, x: Any, label: str) -> None:
        if type(x) in _NUMBERS or x is _ABSENT or id(x) in self._seen:
            return
        self._seen[id(x)] = x
        match x:
            case Tensor():
                self.tensors[id(x)] = x, label
                # The base of a view, for one.
                self._push((value, label) for value in slots(x).values() if isinstance(value, Tensor))
            case FunctionType():
                self._function(x)
            case MethodType():
                self._push([(x.__self__, _owner(label)), (x.__func__, label)])
            case functools.partial() | staticmethod() | classmethod() | property() | functools.cached_property():
                parts = ("func", "args", "keywords", "__func__", "fget", "fset")
                self._push((getattr(x, name, None), label) for name in parts)
            case ModuleType():
                if not _is_library(x):
                    self._holders.append(_Holder(vars(x), label, self._use))
            case type():
                self._class(x, made=True)
            case _ if isinstance(x, PLAIN):
                if not _is_library(type(x)):  # which has attributes and methods
                    self._object(x, label)
            case _ if callable(inner := getattr(x, "__dict__", {}).get("__wrapped__")):
                self._push([(inner, label)])
            case Mapping():
                self._mapping(x, label)
                self._object(x, label)
            case list() | deque() | tuple():
                keys = [f".{name}" for name in getattr(x, "_fields", ())] or [f"[{i}]" for i in range(len(x))]
                self._push((value, label + key) for value, key in zip(x, keys))
                if not isinstance(x, tuple):
                    self._list(x, label)
                self._object(x, label)
            case set() | frozenset():
                self._push((value, label) for value in x)
                self._group(lambda: [*x], lambda i: label)
            case np.ndarray() if not x.dtype.hasobject:
                self._group(lambda: (str(x.shape), x.dtype, x.tobytes()), lambda i: label)
            case bytearray():
                self._group(lambda: (bytes(x),), lambda i: label)
            case _ if isinstance(x, _generators()):
                self._group(lambda: (_state(x),), lambda i: label, use=Use.DRAWN)
            case Module():
                for kind in KINDS:
                    self._mapping(vars(x).get(kind, {}), label, ".")
                self._object(x, label, {*vars(x)} - {*KINDS} if _is_library(type(x)) else {"training"})
            case _ if isinstance(x, _ASIDE) or (hasattr(type(x), "__get__") and _is_library(type(x))):
                pass  # a descriptor reads the attributes of an instance
            case _ if not _is_library(type(x)) or _is_of_attributes(x):
                self._object(x, label)
            case _ if type(x).__module__.startswith("tinygrad_poly."):
                self._object(x, label, {name for name in _attributes(x) if not name.startswith("_")})
            case _ if callable(x):
                owner = getattr(x, "__self__", None)
                if owner is not None and not isinstance(owner, (ModuleType, type)):
                    self._push([(owner, _owner(label))])
            case _ if self._use is not Use.HELD:
                raise noted(
                    f"a compiled function reads {label}, which is of type {_full_name(type(x))}, and "
                    "nobody can watch whether such an object changes: make tensors, numbers or containers of what is "
                    "needed of it, or pass tensor(...) as an argument"
                )

    def _list(self, x: Any, label: str, use: Use = Use.READ) -> None:
        before = [*x]

        def write() -> None:
            x.clear()
            x.extend(before)

        self._group(lambda: [*x], lambda i: f"{label}[{i}]", write, use)

    def _mapping(self, x: Mapping[Any, Any], label: str, dot: str = "") -> None:
        before = dict(x)
        names = [f"{label}.{key}" if dot else f"{label}[{key!r}]" for key in before]
        self._push(zip(before.values(), names))
        if isinstance(x, dict):
            self._push((key, label) for key in x)

        def write() -> None:
            if isinstance(x, dict):
                x.clear()
                x.update(before)

        def spot(i: int) -> str:
            key = [*max(x, before, key=len)][i // 2]
            return f"{label}.{key}" if dot else f"{label}[{key!r}]"

        self._group(lambda: [part for item in x.items() for part in item], spot, write)

    def _object(self, x: Any, label: str, always: Set[str] = frozenset()) -> None:
        """Record an object with attributes; those that code names are read, and those in `always`."""
        if type(x) in _CONTAINERS:
            return
        if hasattr(x, "__dict__"):
            self._holders.append(_Holder(vars(x), label, self._use, x, always))
        if in_slots := slots(x):
            self._holders.append(_Holder(_Slots(x, [*in_slots]), label, self._use, x, always))
        self._class(type(x), made=False)

    def _class(self, x: type, made: bool) -> None:
        for each in x.__mro__:
            if not _is_library(each) and (each, made) not in self._seen:
                self._seen[each, made] = each
                # Python calls these where no name says so.
                called = {name for name, f in vars(each).items() if name[:2] == "__" and isinstance(f, FunctionType)}
                called -= _NEVER_CALLED | (set() if made else _MAKING)
                # One that a class gets later would hide that of its base.
                there = {name for base in each.__mro__ if not _is_library(base) for name in vars(base)}
                self._holders.append(_Holder(vars(each), each.__qualname__, self._use, None, called, there))

    def _found_attributes(self) -> bool:
        """Whether there are attributes that code names and that have not been followed yet."""
        for holder in self._holders:
            for name in holder.new(self._names):
                holder.taken.add(name)
                if (value := holder.inside.get(name, _ABSENT)) is not _ABSENT:
                    self._stack.append((value, f"{holder.name}.{name}"))
        return bool(self._stack)

    def _function(self, function: FunctionType) -> None:
        code, cells = function.__code__, function.__closure__ or ()
        free = dict(zip(code.co_freevars, map(_content, cells)))
        default = f"a default of {function.__name__}"
        self._push([(function.__defaults__, default), (function.__kwdefaults__, default)])
        if code.co_filename.startswith(_FOLDERS):
            self._push(free.items())
            return
        self._group(
            lambda: [function.__code__, function.__defaults__, function.__kwdefaults__, *map(_content, cells)],
            [f"the code of {function.__name__}", default, default, *free].__getitem__,
            lambda: _fill(cells, free.values()),
        )
        if function.__dict__:
            self._holders.append(_Holder(function.__dict__, function.__name__, self._use))
        read = _read_by(code)
        self._names |= read.attributes.keys() | (_ANY_ATTRIBUTE & read.variables.keys())
        for name in read.modules:
            with suppress(ImportError):
                self._stack.append((import_module(name), name))
        variables = function.__globals__
        builtins = variables.get("__builtins__", {})
        builtins = builtins if isinstance(builtins, dict) else vars(builtins)
        names = [name for name in read.variables if name in variables or name in builtins or name in read.set]
        if names:
            self._named(_Holder(variables, "", self._use), names)
        for name, value in (*free.items(), *((name, variables[name]) for name in names if name in variables)):
            if isinstance(value, list) and name in read.logged:
                self._list(value, name, Use.LOGGED)
            else:
                self._stack.append((value, name))
        for is_free, chain in read.chains:
            start = (free if is_free else variables if chain[0] in variables else builtins).get(chain[0])
            names, is_bare_call = [name for name in chain if name != _BARE_CALL], chain[-1] == _BARE_CALL
            x = _end_of_chain(start, names[1:])
            _check_unchanging(x, ".".join(names), is_bare_call)
            if x is not start and isinstance(x, (Mapping, list, set, np.ndarray, Tensor)):  # os.environ["HOME"]
                self._stack.append((x, ".".join(chain)))


@dataclass
class _Holder:
    """A mapping from the names of attributes to their values."""

    inside: Any
    name: str
    use: Use
    of: Any = None
    """The instance whose attributes they are; None for variables, and for attributes of a class or a module."""
    always: Set[str] = frozenset()
    """What is read though no code names it."""
    there: Set[str] = frozenset()
    """The names that may be there, if not those that are."""
    taken: set[str] = field(default_factory=set)

    def new(self, names: set[str]) -> set[str]:
        """The attributes that code with these names reads, and that are not taken yet."""
        there = self.there or self.inside.keys()
        named = {*there} if self.of is not None and names & _ANY_ATTRIBUTE else names & there
        return (named | (self.always & there)) - self.taken

    def read(self, names: Sequence[str]) -> list[Any]:
        """The values; for an instance also their number, as a new one may hide one of the class, and the class."""
        values = [*map(self.inside.get, names, repeat(_ABSENT))]
        return values if self.of is None else [*values, len(self.inside), self.of.__class__]

    def label(self, names: Sequence[str]) -> Callable[[int], str]:
        """A function from the position of a value to its name."""
        return lambda i: f"{self.name}.{[*names, ['', *self.inside][-1], '__class__'][i]}".removeprefix(".")

    def put_back(self, names: Sequence[str]) -> Callable[[], None]:
        """A function that restores the present values, where they can be written."""
        inside, all_of = self.inside, self.inside if self.of is not None else ()
        before = {name: inside.get(name, _ABSENT) for name in (*names, *all_of)}

        def write() -> None:
            for name in (*before, *all_of) if isinstance(inside, MutableMapping) else ():
                if (value := before.get(name, _ABSENT)) is not _ABSENT:
                    inside[name] = value
                elif name in inside:
                    del inside[name]

        return write


class _Slots(MutableMapping[str, Any]):
    """The attributes of an object with `__slots__`, as a mapping."""

    def __init__(self, of: Any, names: list[str]) -> None:
        self._of = of
        self._names = names

    def __getitem__(self, name: str) -> Any:
        try:
            return getattr(self._of, name)
        except AttributeError:
            raise KeyError(name) from None

    def __contains__(self, name: object) -> bool:
        return name in self._names  # and no method of the class

    def __setitem__(self, name: str, value: Any) -> None:
        object.__setattr__(self._of, name, value)

    def __delitem__(self, name: str) -> None:
        object.__delattr__(self._of, name)

    def __iter__(self) -> Any:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


_CONTAINERS = (list, tuple, dict, set, frozenset, deque)


def slots(x: Any) -> dict[str, Any]:
    """The contents of an object's slots, except the fields of a tensor."""
    names = [name for c in type(x).__mro__ if c is not Tensor for name in _as_tuple(vars(c).get("__slots__", ()))]
    names = [name for name in names if name not in ("__dict__", "__weakref__")]
    found = {name: getattr(x, name, _ABSENT) for name in names}
    return {name: value for name, value in found.items() if value is not _ABSENT}


def _as_tuple(names: Any) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


def _attributes(x: Any) -> dict[str, Any]:
    return {**getattr(x, "__dict__", {}), **slots(x)}


def _owner(label: str) -> str:
    return label.rpartition(".")[0] or "self"


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return _ABSENT


def _fill(cells: Iterable[Any], values: Iterable[Any]) -> None:
    for cell, value in zip(cells, values):
        if value is not _ABSENT:
            cell.cell_contents = value


def _full_name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _is_library(x: Any) -> bool:
    """Whether a module, or the module of a class, belongs to Python or an installed package, which do not change."""
    name = x.__name__ if isinstance(x, ModuleType) else x.__module__
    if name == "builtins" and isinstance(x, type) and x.__flags__ & _MADE_BY_CLASS:
        return False  # of code that was executed without a module
    if name.partition(".")[0] in sys.stdlib_module_names:
        return True
    return _file_of(x).startswith(_FOLDERS)


def _is_of_attributes(x: Any) -> bool:
    """Whether an object of Python's library consists only of attributes, such as an `argparse.Namespace`."""
    is_pythons = type(x).__module__.partition(".")[0] in sys.stdlib_module_names and hasattr(x, "__dict__")
    return is_pythons and (isinstance(x, SimpleNamespace) or _file_of(type(x)) != "")


def _file_of(x: Any) -> str:
    """The file of a module or class; "" for one that was made by hand, in a session or in C."""
    try:
        return inspect.getfile(x)
    except (TypeError, OSError):
        return ""


def _generators() -> tuple[type, ...]:
    """The classes of generators of random numbers."""
    numpys = vars(np).get("random")  # where it has not been imported, nobody has one
    kinds = (numpys.Generator, numpys.RandomState, numpys.BitGenerator) if numpys is not None else ()
    return (random.Random, random.SystemRandom, *kinds)


def _state(generator: Any) -> str:
    """A text that differs after random numbers were drawn."""
    if isinstance(generator, random.Random):
        return repr(generator.getstate()) if not isinstance(generator, random.SystemRandom) else ""
    state = getattr(generator, "bit_generator", getattr(generator, "_bit_generator", generator)).state
    return repr({key: getattr(value, "items", lambda v=value: v)() for key, value in state.items()})


def _end_of_chain(x: Any, names: Sequence[str]) -> Any:
    """The end of a chain of attributes, as far as it goes through modules, classes and paths."""
    for name in names:
        if not isinstance(x, (ModuleType, type, Path)):
            break
        x = getattr(x, name, None)
    return x


def _check_unchanging(x: Any, name_of_it: str, is_bare_call: bool) -> None:
    """Raise an error for functions whose answer changes, such as `time.time` and `np.random.rand`.

    A call without arguments that makes a generator is one: there is no seed.
    """
    draws = is_bare_call and (x in _generators() or getattr(x, "__name__", "") == "default_rng")
    if not draws and (isinstance(x, type) or not callable(x)):
        return
    owner, name, module = getattr(x, "__self__", None), getattr(x, "__name__", ""), getattr(x, "__module__", None) or ""
    changing = _CHANGING.get(module, set())
    if draws or (isinstance(owner, _generators()) and name not in ("seed", "getstate", "setstate")):
        what = "draws random numbers, which"
    elif (changing & {"*", name} and name not in _HARMLESS) or (
        isinstance(owner, type) and issubclass(owner, datetime.date) and name in ("now", "utcnow", "today")
    ):
        what = "gives an answer that"
    else:
        return
    raise noted(
        f"{name_of_it}() inside a compiled function {what} would be the same in every call: call it outside, "
        "and pass what it returned as an argument"
    )


_Names = dict[Any, None]


class _Read(NamedTuple):
    """The names that code reads, in order."""

    variables: _Names
    """Globals and builtins."""
    set: _Names
    """Globals that it assigns to."""
    attributes: _Names
    modules: _Names
    """What it imports."""
    chains: _Names
    """A name and the attributes that follow it, such as `np.random.rand`, and whether it is a cell's."""

    @property
    def logged(self) -> Set[str]:
        """The names of what it appends to and does not look at."""
        looked_at = {first for _, (first, *rest) in self.chains if rest not in (["append"], ["extend"])}
        return {first for _, (first, *_) in self.chains} - looked_at


@functools.lru_cache(maxsize=4096)
def _read_by(code: CodeType) -> _Read:
    found = _Read({}, {}, {}, {}, {})
    chain: tuple[str, ...] = ()
    free = False
    for instruction in dis.get_instructions(code):
        kind, name = instruction.opname, instruction.argval
        if kind in ("LOAD_ATTR", "LOAD_METHOD", "STORE_ATTR", "DELETE_ATTR", "IMPORT_FROM", "LOAD_SUPER_ATTR"):
            found.attributes[name] = None
            chain += (name,) if chain else ()
            continue
        if kind == "PUSH_NULL":
            continue
        if chain:
            found.chains[free, (*chain, _BARE_CALL) if "CALL" in kind and instruction.arg == 0 else chain] = None
            chain = ()
        if "GLOBAL" in kind or kind in ("LOAD_NAME", "STORE_NAME"):
            found.variables[name] = None
            if kind == "STORE_GLOBAL":
                found.set[name] = None
            chain, free = (name,), False
        elif kind in ("LOAD_DEREF", "LOAD_CLASSDEREF"):
            chain, free = (name,), True
        elif kind == "IMPORT_NAME":
            found.modules[name] = None
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            for names, more in zip(found, _read_by(constant)):
                names.update(more)
        elif isinstance(constant, str) and constant.isidentifier():  # maybe of an attribute: getattr(self, "weight")
            found.attributes[constant] = None
    return found
