"""Outside of a trace: what a function reads there is recorded, and what it writes there stays in the trace.

While a trace is going on, the fields of tensors and nodes are looked up through it. What it made itself is as ever. Of
what was there before, it sees a page of its own, which begins as a copy: reading turns the page up, writing changes
the page and not the object. So nothing has to be undone, no other thread sees a symbol, and the pages tell afterwards
what the function has read and what it would have changed.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import MemberDescriptorType
from typing import Any

from tinygrad_poly import random
from tinygrad_poly.compiler.trace.places import Places, Use
from tinygrad_poly.compiler.trace.symbols import current, noted, user_line, written
from tinygrad_poly.engine.errors import TraceError
from tinygrad_poly.engine.recording import _outer, reads, recording
from tinygrad_poly.engine.walk import Node
from tinygrad_poly.func.containers import flatten
from tinygrad_poly.tensor import Tensor


class Page:
    """A trace's own copy of an object from outside: its fields as they were, and as the trace has set them.

    Attributes:
        read: the fields that it has looked at.
        line: where that began.
        kind: the class, which may change where a tensor becomes a view.
    """

    __slots__ = ("before", "kind", "line", "now", "of", "read")

    def __init__(self, of: Any, fields: dict[str, Any]) -> None:
        self.of = of
        self.kind = type(of)
        self.before = fields
        self.now = dict(fields)
        self.read = set[str]()
        self.line = user_line()

    def changed(self, field: str) -> bool:
        """Whether the trace has set this field to something else."""
        return self.now.get(field) is not self.before.get(field)

    def close(self) -> None:
        """Close the page: a tensor that became a view is none outside, and keeps the numbers that were seen."""
        if type(self.of) is not self.kind:
            self.now |= {"array": self.of.array, "node": self.of.node}
            self.of.__class__ = self.kind


class Trace:
    """A run of a function on symbols.

    Attributes:
        error: the first TraceError, whether or not the function caught it.
        pages: what was read or written of objects that were there before, by their ids.
        given: the ids of objects that it may change.
        reads: the tensors whose numbers it took off the tape, with the line.
    """

    def __init__(self) -> None:
        self.error: TraceError | None = None
        self.pages: dict[int, Page] = {}
        self.given: set[int] = set()
        self.reads: list[Any] = []
        self._made: dict[int, Any] = {}

    def give(self, of: Any, **fields: Any) -> None:
        """Show the trace other values in some fields of an object, which it may change."""
        self.pages[id(of)] = Page(of, {**_fields(of), **fields})
        self.given.add(id(of))

    def page(self, of: Any) -> Page | None:
        """The page of an object; None for an object that the trace has made."""
        key = id(of)
        page = self.pages.get(key)
        if page is None and key not in self._made:
            fields = _fields(of)
            if fields:
                page = self.pages[key] = Page(of, fields)
            else:
                self._made[key] = of  # it has just been made: nothing is in its fields
        return page

    def taken(self, kind: type) -> list[Page]:
        """The pages of tensors, or of nodes, that were read and not given."""
        return [page for key, page in self.pages.items() if isinstance(page.of, kind) and key not in self.given]

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """A context in which fields are looked up through this trace, and no observer is told of operations.

        Raises:
            TraceError: where one was raised inside, even if it was caught there.
        """
        settings: list[tuple[ContextVar[Any], Any]]
        settings = [(current, self), (recording, bool(recording.get())), (_outer, None), (reads, (self.reads,))]
        tokens = [(variable, variable.set(value)) for variable, value in settings]
        try:
            with _LENSES:
                try:
                    yield
                finally:
                    for page in [*self.pages.values()]:
                        page.close()
        finally:
            for variable, token in tokens:
                variable.reset(token)
            self._made = {}
        if self.error is not None:
            raise self.error


class _Lens:
    """A field of tensors or nodes, looked up through the current trace of this thread or task."""

    def __init__(self, owner: type, name: str) -> None:
        self.owner = owner
        self.name = name
        self.slot: Any = vars(owner)[name]

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            return self
        page = self._page(instance)
        if page is None:
            return self.slot.__get__(instance, owner)
        page.read.add(self.name)
        try:
            return page.now[self.name]
        except KeyError:
            raise AttributeError(self.name) from None

    def __set__(self, instance: Any, value: Any) -> None:
        page = self._page(instance)
        if page is None:
            self.slot.__set__(instance, value)
        else:
            page.now[self.name] = value

    def _page(self, instance: Any) -> Page | None:
        trace = current.get()
        return None if trace is None else trace.page(instance)


class _Lenses:
    """All lenses: they are installed while any trace is going on, so that nothing else is slowed down."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._traces = 0
        self.lenses = [_Lens(kind, name) for kind, names in _FIELDS.items() for name in names]
        self._numbers = random._numbers

    def __enter__(self) -> None:
        with self._lock:
            self._traces += 1
            if self._traces == 1:
                for lens in self.lenses:
                    setattr(lens.owner, lens.name, lens)
                setattr(random, "_numbers", self._draw)  # noqa: B010 - mypy minds an assignment

    def __exit__(self, *exception: object) -> None:
        with self._lock:
            self._traces -= 1
            if not self._traces:
                for lens in self.lenses:
                    setattr(lens.owner, lens.name, lens.slot)
                setattr(random, "_numbers", self._numbers)  # noqa: B010

    def _draw(self, *arguments: Any) -> Any:
        if current.get() is not None:
            raise noted(
                "a compiled function draws random numbers, which would be the same in every call of the program: draw "
                "them outside, and pass them as an argument"
            )
        return self._numbers(*arguments)


_FIELDS = {kind: [name for name, x in vars(kind).items() if type(x) is MemberDescriptorType] for kind in Tensor.__mro__}
_FIELDS[Node] = ["parents", "saved", "grad", "keeps_grad"]
_LENSES = _Lenses()


def _fields(of: Any) -> dict[str, Any]:
    """The fields of a tensor or node that are set, as they are outside."""
    found = {}
    for lens in _LENSES.lenses:
        if isinstance(of, lens.owner):
            try:
                found[lens.name] = lens.slot.__get__(of, type(of))
            except AttributeError:
                continue
    return found


@contextmanager
def nothing_kept(function: Callable[..., Any]) -> Iterator[Trace]:
    """A context with a trace that may read anything, and must leave everything as it was.

    Raises:
        TraceError: naming what it would have changed.
    """
    trace, places = Trace(), Places()
    places.follow(function, getattr(function, "__name__", type(function).__name__))
    places.settle()
    try:
        with trace.going_on():
            yield trace
        check_kept(function, trace, places)
    except BaseException:
        places.put_back()
        raise


def check_kept(function: Any, trace: Trace, places: Places) -> bool:
    """Check that a trace has left no traced value outside; returns whether it has changed plain values.

    Raises:
        TraceError: naming where.
    """
    advice = "return it instead, take gradients with grad(), and change nothing outside of the function"
    kept = f"{function!r} keeps a traced value that will never be a number"
    changes = places.changes()
    for change in changes:
        if change.use is Use.DRAWN:
            raise TraceError(
                f"{function!r} draws random numbers, which would be the same in every call of the program, from "
                f"{change.name}: draw them outside, and pass them as an argument"
            )
        if any(isinstance(x, Tensor) for x in flatten(change.value)[0]):
            raise TraceError(f"{kept} as {change.name!r}: {advice}")
        if change.use is Use.GIVEN:
            raise TraceError(f"{function!r} changes {change.name}: {advice}")
    for page in trace.taken(Tensor):
        if page.changed("array") or page.changed("node"):
            raise TraceError(
                f"{kept} in the tensor{_called(page.of, places)} from outside, which it changes in place: pass the "
                f"tensor as an argument, or {advice}"
            )
    for page in trace.taken(Node):
        if page.changed("grad") or page.changed("keeps_grad"):
            tensor = next((p.of for p in trace.pages.values() if p.before.get("node") is page.of), None)
            now = ", which is None now" if page.before["grad"] is None else ""
            raise TraceError(f"{kept}, as the .grad of a tensor from outside{now}{_called(tensor, places)}: {advice}")
    return any(change.use is Use.READ for change in changes)


def check_found(function: Any, trace: Trace, places: Places) -> None:
    """Check that a trace has read tensors only in places that are watched.

    Raises:
        TraceError: naming the line.
    """
    gradients = {id(page.before["grad"]) for page in trace.taken(Node)}
    for page in trace.taken(Tensor):
        if id(page.of) not in places.tensors and id(page.of) not in gradients:
            raise TraceError(
                f"{function!r} reads a tensor{written(page.line)} that no variable, attribute or container which its "
                "code names leads to, so that nobody would notice when it is another one: pass it as an argument"
            )


def _called(tensor: Any, places: Places) -> str:
    known = places.tensors.get(id(tensor))
    return f" ({known[1]})" if known else ""
