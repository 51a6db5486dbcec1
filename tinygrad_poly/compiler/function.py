"""`compile`: a function of tensors as one program for each kind of arguments."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, overload

import numpy as np

from tinygrad_poly.compiler.loops import numba_runner, threads
from tinygrad_poly.compiler.loops.driver import printer
from tinygrad_poly.compiler.loops.fuse import NotFusable, fuse
from tinygrad_poly.compiler.loops.numpy_runner import NumpyProgram, one_at_a_time
from tinygrad_poly.compiler.loops.parts import PartsPrinter
from tinygrad_poly.compiler.moments.hoisted import HoistedProgram
from tinygrad_poly.compiler.steps import captured_arrays
from tinygrad_poly.compiler.trace.outside import Captured, nothing_kept
from tinygrad_poly.compiler.trace.program import Program
from tinygrad_poly.compiler.trace.simplify import simplify
from tinygrad_poly.compiler.trace.symbols import Symbol, placeholder, record, recorded
from tinygrad_poly.engine.apply import is_recording, wrap
from tinygrad_poly.engine.arrays import device_of, get_default_dtype, namespace
from tinygrad_poly.engine.errors import DeviceError, TraceError
from tinygrad_poly.engine.walk import leaf
from tinygrad_poly.func.containers import flatten
from tinygrad_poly.tensor import Tensor

if TYPE_CHECKING:
    import typing_extensions

    from tinygrad_poly.compiler.cuda import runner as cuda_runner

    P = typing_extensions.ParamSpec("P", default=...)
    R = typing_extensions.TypeVar("R", default=Any)
else:
    P, R = ParamSpec("P"), TypeVar("R")


@overload
def compile(function: Callable[P, R], *, hoist: str | None = None) -> CompiledFunction[P, R]: ...


@overload
def compile(*, hoist: str | None = None) -> Callable[[Callable[P, R]], CompiledFunction[P, R]]: ...


def compile(function: Callable[..., Any] | None = None, *, hoist: str | None = None) -> Any:
    """A function that computes what `function` computes, as one program.

    At the first call, and whenever shapes, dtypes or other arguments are new, `function` is run once on symbols:
    tensors without numbers, from which the ordinary tape writes down what would be computed, `grad` and `backward`
    included. The program is simplified, fused into loops and run by Numba. What is no part of a loop, such as a product
    of matrices, is called between the loops; NumPy runs everything where there is no Numba, or no loop to be made.

    The results do not require grad: gradients are taken inside.

    Args:
        function: of tensors, containers of tensors, and other arguments that can be compared; it returns tensors
            in containers or alone. It must not depend on the numbers in its tensors other than by computing with
            them, and not change anything outside. Without one, `compile` returns a decorator.
        hoist: "algebra" to take sums over data once and to compute with these *moments* from then on: see
            `docs/moments.md`. Data are the arguments with more than one element that do not require grad; as long as
            they are the same tensors, a call takes as long for a million points as for ten. What is summed has to be
            a polynomial in the numbers among the arguments, and what is returned has to be numbers. Sums become
            differences of large numbers where the terms cancel, so that digits may be lost.

    Raises:
        TraceError: at a call, where the function branches on a number, or returns something that is no tensor.
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
    """What `compile` returns: call it like the function."""

    def __init__(self, function: Callable[P, R], hoist: str | None = None) -> None:
        if not callable(function):
            raise TraceError(f"compile() expects a function, not {type(function).__name__}")
        functools.update_wrapper(self, function)
        self._function = function
        self._hoist = hoist
        self._programs: dict[Any, _Traced] = {}
        self._last: _Traced | None = None

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """What the function returns, computed by the program for arguments like these."""
        leaves, structure = flatten((args, kwargs))
        tensors = [x for x in leaves if isinstance(x, Tensor)]
        if any(isinstance(x.array, Symbol) for x in tensors):
            return self._function(*args, **kwargs)  # part of a function that is being traced
        key = (
            repr(structure),
            tuple(_kind(x) for x in leaves),
            bool(is_recording()),
            get_default_dtype(),
        )
        try:
            traced = self._programs.get(key)
        except TypeError:
            raise TraceError(
                "the arguments of a compiled function must be tensors, containers of them, or values that can be "
                f"compared and hashed, not {', '.join(sorted({type(x).__name__ for x in leaves}))}"
            ) from None
        if traced is None or not traced.captured.unchanged():
            traced = self._programs[key] = _Traced(self._function, leaves, structure, self._hoist)
        results: R = traced(tensors)
        self._last = traced
        return results

    @property
    def source(self) -> str:
        """The program of the last call, as Python source."""
        if self._last is None:
            raise TraceError("there is no program yet: call the function first")
        return self._last.run.source

    @property
    def program(self) -> Program:
        """The instructions of the program of the last call."""
        if self._last is None:
            raise TraceError("there is no program yet: call the function first")
        return self._last.run.program


class _Traced:
    """The program of a function for one kind of arguments."""

    def __init__(self, function: Callable[..., Any], leaves: list[Any], structure: Any, hoist: str | None) -> None:
        with nothing_kept(function):
            self._trace(function, leaves, structure)
        self._dtypes = [(s.shape, s.dtype) for s in self.program.outputs]
        gpu = next((x.device for x in leaves if isinstance(x, Tensor) and x.is_cuda), None)
        self.run: _Run | HoistedProgram | cuda_runner.Once
        if gpu is not None:
            from tinygrad_poly.compiler.cuda.runner import Once

            if hoist is not None:
                raise DeviceError("functions are hoisted on the CPU only: leave out hoist, or move the tensors there")
            self.run = Once(self.program, captured_arrays(self.program), gpu.active())
        elif hoist is None:
            self.run = _Run(self.program)
        else:
            tensors = [x for x in leaves if isinstance(x, Tensor)]
            self.run = HoistedProgram(self.program, [x.requires_grad or x.numel() == 1 for x in tensors], _Run)

    def _trace(self, function: Callable[..., Any], leaves: list[Any], structure: Any) -> None:
        inputs: list[Symbol] = []
        given: list[Any] = []
        names = _names(function, structure)
        for x, name in zip(leaves, names, strict=True):
            if isinstance(x, Tensor):
                symbol = placeholder(name, x.shape, x.dtype)
                inputs.append(symbol)
                # The function gets a symbol that the program has no need of, so that it shows if it is kept.
                symbol = record("reshape", symbol, shape=x.shape)
                given.append(wrap(symbol, leaf(symbol) if x.requires_grad else None))
            else:
                given.append(x)
        args, kwargs = structure.unflatten(given)
        results, self._structure = flatten(function(*args, **kwargs))
        for result in results:
            if not isinstance(result, Tensor):
                raise TraceError(
                    f"a compiled function returns tensors, alone or in containers, and {function!r} returned "
                    f"{type(result).__name__}"
                )
        self._constants = {i: r.array for i, r in enumerate(results) if not isinstance(r.array, Symbol)}
        program = Program.of(inputs, [r.array for r in results if isinstance(r.array, Symbol)])
        self.captured = Captured(function)
        recorded.set(None)  # what comes now is kept
        self.program = simplify(program)

    def __call__(self, tensors: list[Tensor]) -> Any:
        values = iter(self.run(*(t.array for t in tensors)))
        kinds = iter(self._dtypes)
        results = []
        for i in range(len(self._dtypes) + len(self._constants)):
            if i in self._constants:
                array = self._constants[i]
            else:
                shape, dtype = next(kinds)
                value = next(values)
                array = np.asarray(value, dtype).reshape(shape) if namespace(value) is np else value
            results.append(wrap(array[()] if array.shape == () else array, None))
        return self._structure.unflatten(results)


class _Run:
    """A program as source, and as a function of its inputs."""

    def __init__(self, program: Program) -> None:
        self.program = program
        captured = captured_arrays(program)
        try:
            printed = printer(fuse(program, calls=True), captured)
            self.source = printed.once()
            fused = numba_runner.available()
        except NotFusable as reason:
            self.source = f"# Executed by NumPy, call by call: {reason}.\n{program}\n"
            fused = False
        if not program.outputs:
            self._run: Callable[..., Any] = lambda *_: ()
        elif fused:
            plan = printed.plan
            run = threads.compiled(plan, self.source, lambda: PartsPrinter(plan, captured).once())
            run = one_at_a_time(run) if printed.bound else run
            extra = [*numba_runner.arguments(list(captured.values())), *printed.bound.values()]
            self._run = lambda *arrays: run(*numba_runner.arguments(list(arrays)), *extra)
        else:
            self._run = NumpyProgram(program, {}, program.inputs).once()

    def __call__(self, *arrays: Any) -> Any:
        """The outputs."""
        return self._run(*arrays)


def _kind(x: Any) -> Any:
    """What a program is made for, of an argument."""
    if isinstance(x, Tensor):
        return x.shape, x.dtype, x.requires_grad, str(device_of(x.array))
    return type(x), x.hex() if isinstance(x, float) else x  # 0.0 == -0.0, but they are not the same


def _names(function: Callable[..., Any], structure: Any) -> list[str]:
    """For each argument a name to print: the function's own parameter, or the last key of a container."""
    try:
        parameters = list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        parameters = []
    names = []
    for number, path in enumerate(structure.paths()):
        # Paths begin with [0] for arguments by position and [1] for those by name.
        keys = [key.rstrip("]").strip("'\"") for key in path.split("[")[1:]]
        position = int(keys[1]) if keys[0] == "0" else len(parameters)
        own = parameters[position] if position < len(parameters) else f"x{number}"
        last = keys[-1]
        names.append(last if last.isidentifier() else own if len(keys) == 2 else f"{own}_{last}")
    return names
