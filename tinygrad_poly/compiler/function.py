"""The function `compile`: a function of tensors becomes one program for each kind of arguments."""

from __future__ import annotations

import copy
import functools
import inspect
import re
from collections.abc import Callable
from types import MethodType
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, overload

import numpy as np

from tinygrad_poly.compiler.loops import numba_runner, threads
from tinygrad_poly.compiler.loops.driver import printer
from tinygrad_poly.compiler.loops.fuse import NotFusable, planned
from tinygrad_poly.compiler.loops.numpy_runner import NumpyProgram, one_at_a_time
from tinygrad_poly.compiler.loops.parts import PartsPrinter
from tinygrad_poly.compiler.moments.hoisted import HoistedProgram
from tinygrad_poly.compiler.steps import captured_arrays
from tinygrad_poly.compiler.trace.outside import Trace, check_found, check_kept
from tinygrad_poly.compiler.trace.places import EXACT, PLAIN, Places, Use, attributes
from tinygrad_poly.compiler.trace.program import Program, in_order
from tinygrad_poly.compiler.trace.symbols import Symbol, current
from tinygrad_poly.compiler.trace.traced import Entrance, Runner, TracedFunction, entered, related
from tinygrad_poly.engine.apply import is_recording, wrap
from tinygrad_poly.engine.arrays import device_of, get_default_dtype
from tinygrad_poly.engine.errors import DeviceError, TraceError
from tinygrad_poly.engine.walk import Node
from tinygrad_poly.func.containers import flatten
from tinygrad_poly.nn.module import Module
from tinygrad_poly.tensor import Tensor

if TYPE_CHECKING:
    import typing_extensions

    P = typing_extensions.ParamSpec("P", default=...)
    R = typing_extensions.TypeVar("R", default=Any)
else:
    P, R = ParamSpec("P"), TypeVar("R")

MOST_PROGRAMS = 256
"""How many kinds of arguments a function keeps programs for: the oldest makes room."""


@overload
def compile(function: Callable[P, R], *, hoist: str | None = None) -> CompiledFunction[P, R]: ...


@overload
def compile(*, hoist: str | None = None) -> Callable[[Callable[P, R]], CompiledFunction[P, R]]: ...


def compile(function: Callable[..., Any] | None = None, *, hoist: str | None = None) -> Any:
    """The same function, computed by one compiled program.

    At the first call, and whenever shapes, dtypes or other arguments are new, `function` is run once on symbols:
    tensors without numbers, from which the ordinary tape writes down what would be computed, `grad` and `backward`
    included. The program is simplified, fused into loops and run by Numba. What is no part of a loop, such as a product
    of matrices, is called between the loops; NumPy runs everything where there is no Numba, or no loop to be made.

    Results require grad where those of the function would; their vector-Jacobian products are programs too, made when
    they are asked for. What the function reads from outside is compared before each call, and what it does to its
    arguments (updates in place, `backward()`) is done in each call: see `docs/compiler.md`.

    Args:
        function: of tensors, containers and modules of tensors, and other arguments that can be compared; it returns
            tensors in containers or alone. It must not depend on the numbers in its tensors other than by computing
            with them, and not change anything but its arguments. Without one, `compile` returns a decorator.
        hoist: "algebra" to take sums over data once and to compute with these *moments* from then on: see
            `docs/moments.md`. Data are the arguments with more than one element that do not require grad; as long as
            they are the same tensors, a call takes as long for a million points as for ten. What is summed has to be
            a polynomial in the numbers among the arguments, and what is returned has to be numbers. Sums become
            differences of large numbers where the terms cancel, so that digits may be lost.

    Raises:
        TraceError: at a call, where the function branches on a number, returns something that is no tensor, reads what
            nobody can watch, or changes what it was not given.
        NotPolynomial: at a call, naming what cannot be multiplied out, where `hoist` asks for it.

    >>> import tinygrad_poly as tg
    >>> @compile
    ... def slope(w, x):
    ...     loss = ((w * x - 1) ** 2).sum()
    ...     return tg.grad(loss, w)[0]
    >>> slope(tg.tensor(0.5, requires_grad=True), tg.tensor([1.0, 2.0]))      # Σ 2 (w x − 1) x
    tensor(-1.)
    >>> @compile(hoist="algebra")
    ... def slope(w, x):
    ...     return tg.grad(((w * x - 1) ** 2).sum(), w)[0]
    >>> x = tg.tensor([1.0, 2.0])
    >>> slope(tg.tensor(0.5, requires_grad=True), x), slope(tg.tensor(0.75, requires_grad=True), x)
    (tensor(-1.), tensor(1.5000))
    >>> print(slope.source)                                                   # x² summed to 5, and x to 3
    def run(sum_x2, sum_x, w):
        return (np.float32(2.0 * (sum_x2 * w - sum_x)),)
    <BLANKLINE>
    """
    if hoist not in (None, "algebra"):
        raise ValueError(f"hoist must be None or 'algebra', not {hoist!r}")
    return CompiledFunction(function, hoist) if function is not None else functools.partial(compile, hoist=hoist)


class CompiledFunction(Generic[P, R]):
    """A compiled function, called like the original one."""

    def __init__(self, function: Callable[P, R], hoist: str | None = None) -> None:
        if not callable(function):
            raise TraceError(f"compile() expects a function, not {type(function).__name__}")
        functools.update_wrapper(self, function, updated=())
        self._function = function
        self._hoist = hoist
        self._programs: dict[Any, _Traced] = {}
        self._last: _Traced | None = None

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """The method, if the function is defined in a class."""
        return self if instance is None else MethodType(self, instance)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """The function's result, computed by the program for arguments of this kind."""
        if current.get() is not None:
            return self._function(*args, **kwargs)  # part of a function that is being traced
        given = _Arguments(args, kwargs)
        if any(isinstance(x.array, Symbol) for x in given.tensors):
            return self._function(*args, **kwargs)
        key = (*given.key, bool(is_recording()), get_default_dtype())
        traced = self._programs.get(key)
        if traced is None or not traced.holds(given.tensors):
            traced = _Traced(self._function, args, kwargs, given, self._hoist)
            if len(self._programs) >= MOST_PROGRAMS:
                del self._programs[next(iter(self._programs))]
            self._programs[key] = traced
        self._last = traced
        results: R = traced(given.tensors)
        return self._function(*args, **kwargs) if results is NotImplemented else results

    @property
    def source(self) -> str:
        """The program of the last call, as Python source."""
        return str(self._of_last_call().run.source)

    @property
    def program(self) -> Program:
        """The instructions of the program of the last call."""
        program: Program = self._of_last_call().run.program
        return program

    def _of_last_call(self) -> TracedFunction:
        if self._last is None:
            raise TraceError("there is no program yet: call the function first")
        return self._last.function


_Outcome = Callable[[list[Tensor], list[Tensor]], Any]
"""A tensor that a call returns or sets, from those that the program made and those that were given."""


class _Arguments:
    """The arguments of a call: their kind, the tensors, and the objects to watch."""

    __slots__ = ("key", "kinds", "objects", "tensors")

    def __init__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.key: list[Any] = []
        self.tensors: list[Tensor] = []
        self.objects: list[Any] = []
        self.kinds: list[type] = []
        try:
            for x in args:
                self._take(x)
            if kwargs:
                self._take(kwargs)
        except RecursionError:
            raise TraceError("the arguments of a compiled function hold themselves: pass them one by one") from None
        if len(self.tensors) > 1:
            self.key.append(_repeated(self.tensors))

    def _take(self, x: Any) -> None:
        kind = type(x)
        if isinstance(x, Tensor):
            self.key += _kind(x)
            self.tensors.append(x)
            return
        if isinstance(x, PLAIN):
            self.key += (kind, repr(x) if isinstance(x, (float, complex, np.generic, slice)) else x)
        elif isinstance(x, (list, tuple)):
            self.key += (kind, len(x))
            for value in x:
                self._take(value)
        elif isinstance(x, dict):
            self.key += (kind, len(x))
            for key, value in x.items():
                self.key.append(key if type(key) is str else (type(key), repr(key)))
                self._take(value)
        elif hasattr(kind, "__dataclass_fields__") and not isinstance(x, Module):
            self.key.append(kind)
        elif isinstance(x, np.ndarray):
            raise TraceError(
                "the arguments of a compiled function must be tensors, containers of them, or values that can be "
                "compared, not NumPy arrays, of which a program would be made for each: pass tensor(array)"
            )
        else:
            self.key += (kind, id(x))
            self.objects.append(x)
            return
        if kind not in EXACT:
            self.kinds.append(kind)
            for name, value in attributes(x).items():
                self.key.append(name)
                self._take(value)


def _kind(x: Tensor) -> tuple[Any, ...]:
    """The kind of a tensor, on which its program depends."""
    array, node = x.array, x.node
    device = None if isinstance(array, (np.ndarray, np.generic)) else str(device_of(array))
    return type(x), array.shape, array.dtype, node and (node.operation is None, node.keeps_grad.__class__), device


def _repeated(tensors: list[Tensor]) -> Any:
    """A pattern that shows which tensors are the same or have the same node; None if all differ."""
    own = [id(x) for x in tensors]
    nodes = [id(x.node if x.node is not None else x) for x in tensors]
    if len(set(own)) == len(own) and len(set(nodes)) == len(nodes):
        return None
    return tuple(map(own.index, own)), tuple(map(nodes.index, nodes))


class _Traced:
    """The program of a function for one kind of arguments, and the work around it in each call.

    Raises:
        TraceError: where what the function does cannot be told from a trace.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        arguments: _Arguments,
        hoist: str | None,
    ) -> None:
        self._hoist = hoist
        self._objects = arguments.objects  # their ids are in the key
        self._kinds = arguments.kinds
        tensors = {id(x): x for x in arguments.tensors}
        self._positions = [[*map(id, arguments.tensors)].index(key) for key in tensors]
        # A view is computed from its base: the trace sees a tensor of its own instead.
        own = {key: wrap(x.array, x.node) if x.is_view else x for key, x in tensors.items()}
        if any(x.is_view for x in tensors.values()):
            args, kwargs = copy.deepcopy((args, kwargs), {id(x): x for x in self._objects} | own)
        if self._trace(function, args, kwargs, own):
            # What has been filled for later stays as it is now; what changes each time would not in a program.
            once = self._places
            if self._trace(function, args, kwargs, own):
                name = next(change.name for change in self._places.changes() if change.use is Use.READ)
                once.put_back()
                raise TraceError(
                    f"{function!r} changes {name}, which a program would not do in each call: pass it as an argument, "
                    "and return what it becomes"
                )
        self._places.close()

    def _trace(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], own: dict[int, Tensor]
    ) -> bool:
        """Run the function on symbols; returns whether it has changed plain values outside."""
        self._places = places = Places()
        for x in self._objects:
            places.follow(x, type(x).__name__)
        for kind in self._kinds:
            places.follow_methods(kind)
        self._bound = [x for key, (x, _) in places.tensors.items() if key not in own and not x.is_view]
        self._bound_kinds = [_kind(x) for x in self._bound]
        places.follow(function, getattr(function, "__name__", type(function).__name__))
        # Which of them are arguments matters, and may be otherwise in another call.
        self._reachable = {key: x for key, (x, _) in places.tensors.items()}
        self._also_outside = [self._reachable.get(key) for key in own]
        for name, value in _by_name(function, args, kwargs).items():
            places.follow(value, name, Use.GIVEN)
        places.settle()
        try:
            return self._run_on_symbols(function, args, kwargs, [*own.values(), *self._bound])
        except BaseException:
            places.put_back()
            raise

    def _run_on_symbols(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], given: list[Tensor]
    ) -> bool:
        names = [_last_name(self._places.tensors[id(x)][1]) if id(x) in self._places.tensors else "x" for x in given]
        known = {id(x): i for i, x in enumerate(given)}
        # A gradient that is there already may be added to: it is given too.
        self._gradients: Any = _kinds_of_gradients(given)
        self._gradient_of = []
        before = {x.node: _gradient(x) for x in given}
        for i, gradient in enumerate(map(_gradient, given[:])):
            if gradient is not None and id(gradient) not in known:
                known[id(gradient)] = len(given)
                self._gradient_of.append(i)
                given.append(gradient)
                names.append(f"grad_{names[i]}")
        nodes = [x.node for x in given]
        trace = Trace()
        with trace.going_on():
            pairs = [entered(name, x.shape, x.dtype) for name, x in zip(names, given, strict=True)]
            own = {node: Entrance(seen, node) for node, (_, seen) in zip(nodes, pairs, strict=True) if node is not None}
            entrances = [node and own[node] for node in nodes]
            for of, entrance in own.items():
                entrance._grad = before.get(of)
            for x, (_, seen), node in zip(given, pairs, entrances, strict=True):
                trace.give(x, array=seen, node=node)
            leaves, self._structure = flatten(function(*args, **kwargs))
            _check_results(function, leaves, trace)
            outputs: list[tuple[Any, Node | None]] = []
            numbers: dict[int, int] = {}

            def outcome(x: Any) -> _Outcome:
                if (i := known.get(id(x))) is not None:
                    return lambda made, given: given[i]
                if x is None or id(x) in trace.pages:
                    return lambda made, given: x
                if id(x) not in numbers:
                    numbers[id(x)] = len(outputs)
                    outputs.append((x.array, x.node))
                k = numbers[id(x)]
                return lambda made, given: made[k]

            self._results = [outcome(x) for x in leaves]
            touched = {node: entrance._grad for node, entrance in own.items() if entrance.asked}
            changed_gradients = {node: g for node, g in touched.items() if g is not before.get(node)}
            self._after = [(nodes.index(node), outcome(g)) for node, g in changed_gradients.items()]
        self._changes = []
        for i, page in enumerate(trace.pages[id(x)] for x in given):
            if page.changed("array") or page.changed("node"):
                self._changes.append((i, len(outputs), page.changed("node")))
                outputs.append((page.now["array"], page.now["node"]))
        self._new_leaves = [
            (k, outcome(node.grad))
            for k, (_, node) in enumerate(outputs)
            if type(node) is Node and node.operation is None and node.grad is not None
        ]
        changed = check_kept(function, trace, self._places)
        check_found(function, trace, self._places)
        captured = [(page.of, page.before) for page in trace.taken(Tensor)]
        # A view holds what it has seen of its base.
        fields = (("array", "held"), ("node", "held_node"))
        self._seen = [(of, x, before.get(held, before[x])) for of, before in captured for x, held in fields]
        self._seen += [(page.of, "grad", page.before["grad"]) for page in trace.taken(Node) if "grad" in page.read]
        self._walked = any(entrance.walked for entrance in own.values())
        # The gradients that were there are left out again where nobody asked for them.
        count = len(given) - len(self._gradient_of)
        used = set(in_order([array for array, _ in outputs if isinstance(array, Symbol)]))
        if not touched and used.isdisjoint(seen for _, seen in pairs[count:]):
            self._gradients, self._gradient_of = None, []
        count += len(self._gradient_of)
        self.function = TracedFunction(
            trace,
            [symbol for symbol, _ in pairs[:count]],
            entrances[:count],
            [(before["node"], before["array"]) for _, before in captured if before["node"] is not None],
            outputs,
            self._runner(given[:count]),
        )
        trace.pages, trace.given = {}, set()
        return changed

    def _runner(self, given: list[Tensor]) -> tuple[Runner, Runner]:
        """The runners of the program and of its derivatives."""
        gpu = next((x.device for x in given if x.is_cuda), None)
        if gpu is not None:
            from tinygrad_poly.compiler.cuda.runner import Once

            if self._hoist is not None:
                raise DeviceError("functions are hoisted on the CPU only: leave out hoist, or move the tensors there")
            return (lambda program: Once(program, captured_arrays(program), gpu.active()),) * 2
        if self._hoist is None:
            return _Run, _Run
        changing = [x.requires_grad or x.numel() == 1 for x in given]
        return lambda program: HoistedProgram(program, changing, _Run), _Run

    def holds(self, tensors: list[Tensor]) -> bool:
        """Whether these arguments would give the same trace."""
        if not self._places.unchanged() or (self._bound and [_kind(x) for x in self._bound] != self._bound_kinds):
            return False
        for of, field, value in self._seen:
            if getattr(of, field) is not value:
                return False
        given = [tensors[i] for i in self._positions]
        if self._reachable and any(self._reachable.get(id(x)) is not y for x, y in zip(given, self._also_outside)):
            return False
        return self._gradients is None or _kinds_of_gradients([*given, *self._bound]) == self._gradients

    def _writes_elsewhere(self, given: list[Tensor]) -> bool:
        """Whether an update of one tensor also changes another: its base, or one that shares its memory."""
        if any(also_node and given[i].is_view for i, _, also_node in self._changes):
            return True
        own = {*map(_memory, given)}
        return len(own) < len(given) or any(_memory(of) in own for of, field, _ in self._seen if field == "array")

    def __call__(self, tensors: list[Tensor]) -> Any:
        """The results for these arguments; NotImplemented if they are related in a way that the trace cannot know."""
        given = [tensors[i] for i in self._positions]
        if self._bound:
            given += self._bound
        for i in self._gradient_of:
            given.append(given[i].grad)  # type: ignore[arg-type]
        nodes = [x.node for x in given]
        if self._walked and related([*nodes, *(node for node, _ in self.function.captured)], self.function.entrances):
            return NotImplemented
        if self._changes and self._writes_elsewhere(given):
            return NotImplemented
        made = self.function([x.array for x in given], nodes)
        for i, k, also_node in self._changes:
            given[i].array = made[k].array
            if also_node:
                given[i].node = made[k].node
        for k, outcome in self._new_leaves:
            made[k].node.grad = outcome(made, given)  # type: ignore[union-attr]
        for i, outcome in self._after:
            nodes[i].grad = outcome(made, given)  # type: ignore[union-attr]
        return self._structure.unflatten([outcome(made, given) for outcome in self._results])


def _memory(x: Tensor) -> Tensor:
    """The tensor that has the memory of a view; of any other, itself."""
    while x.is_view:
        x = x.base
    return x


def _gradient(x: Tensor) -> Tensor | None:
    """The gradient that a leaf has."""
    return x.node.grad if x.node is not None and x.node.operation is None else None


def _kinds_of_gradients(given: list[Tensor]) -> list[Any]:
    """The kind of each tensor's gradient, on which its program depends; None for one without."""
    places = {id(x): i for i, x in enumerate(given)}
    return [g if g is None else (places.get(id(g)), g.dtype, g.node is None) for g in map(_gradient, given)]


def _check_results(function: Any, leaves: list[Any], trace: Trace) -> None:
    """Check that a function has returned tensors, and has taken no numbers off the tape.

    Raises:
        TraceError: naming the line.
    """
    for node, array, line in trace.reads:
        if node is not None and isinstance(array, Symbol):
            at = f" ({line.filename}, line {line.lineno}: {line.line})" if line else ""
            raise TraceError(
                f"a copy of a tensor that requires grad was made without its graph{at}, and its gradient would "
                "be 0 without a word: use .clone() for a copy, or .detach() where no gradient is meant"
            )
    for x in leaves:
        if not isinstance(x, Tensor):
            raise TraceError(
                f"a compiled function returns tensors, alone or in containers, and {function!r} returned "
                f"{type(x).__name__}"
            )


class _Run:
    """A program as source, and as a function of its inputs."""

    def __init__(self, program: Program) -> None:
        self.program = program
        try:
            plan, apart = planned(program)
            captured = captured_arrays(plan.program)
            printed = printer(plan, captured)
            self.source = printed.once()
            fused = numba_runner.available()
        except NotFusable as reason:
            self.source = f"# Executed by NumPy, call by call: {reason}.\n{program}\n"
            fused = False
        if not program.outputs:
            self._run: Callable[..., Any] = lambda *_: ()
        elif fused:
            run = threads.compiled(plan, self.source, lambda: PartsPrinter(plan, captured).once())
            run = one_at_a_time(run) if printed.bound else run
            extra = [*numba_runner.arguments(list(captured.values())), *printed.bound.values()]
            joined = functools.partial(apart.join, program.outputs) if apart else tuple
            self._run = lambda *arrays: joined(run(*numba_runner.arguments(list(arrays)), *extra))
        else:
            self._run = NumpyProgram(program, {}, program.inputs).once()

    def __call__(self, *arrays: Any) -> Any:
        """The outputs."""
        return self._run(*arrays)


def _by_name(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """The arguments by the names of the function's parameters."""
    try:
        return inspect.signature(function).bind(*args, **kwargs).arguments
    except (TypeError, ValueError):
        return {"x": args, "options": kwargs}


def _last_name(place: str) -> str:
    """A name for what is found in a place: the attribute or key that it ends with; `w_0` for `w[0]`."""
    words = re.findall(r"\w+", place)
    return words[-1] if words[-1].isidentifier() else f"{words[0]}_{words[-1]}"
