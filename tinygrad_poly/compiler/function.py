"""`compile`: a function of tensors as one program for each kind of arguments."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_poly.arrays import get_default_dtype
from tinygrad_poly.backward import leaf
from tinygrad_poly.compiler import numba_runner
from tinygrad_poly.compiler.fuse import NotFusable, fuse
from tinygrad_poly.compiler.loops import Printer
from tinygrad_poly.compiler.numpy_runner import NumpyProgram
from tinygrad_poly.compiler.outside import Captured, nothing_kept
from tinygrad_poly.compiler.program import Program
from tinygrad_poly.compiler.simplify import simplify
from tinygrad_poly.compiler.steps import captured_arrays
from tinygrad_poly.compiler.symbols import Symbol, placeholder, record, recorded
from tinygrad_poly.errors import TraceError
from tinygrad_poly.func.containers import flatten
from tinygrad_poly.operators import is_recording, wrap
from tinygrad_poly.tensor import Tensor


def compile(function: Callable[..., Any]) -> CompiledFunction:
    """A function that computes what `function` computes, as one program.

    At the first call, and whenever shapes, dtypes or other arguments are new, `function` is run once on symbols:
    tensors without numbers, from which the ordinary tape writes down what would be computed, `grad` and `backward`
    included. The program is simplified, fused into loops and run by Numba, or by NumPy where there is no Numba or
    something in it is no part of a loop (a product of matrices, say).

    The results do not require grad: gradients are taken inside.

    Args:
        function: of tensors, containers of tensors, and other arguments that can be compared; it returns tensors
            in containers or alone. It must not depend on the numbers in its tensors other than by computing with
            them, and not change anything outside.

    Raises:
        TraceError: at a call, where the function branches on a number, or returns something that is no tensor.

    >>> import tinygrad_poly as tg
    >>> @compile
    ... def slope(w, x):
    ...     loss = ((w * x - 1) ** 2).sum()
    ...     return tg.grad(loss, w)[0]
    >>> slope(tg.tensor(0.5, requires_grad=True), tg.tensor([1.0, 2.0]))      # Σ 2 (w x − 1) x
    tensor(-1.)
    """
    return CompiledFunction(function)


class CompiledFunction:
    """What `compile` returns: call it like the function."""

    def __init__(self, function: Callable[..., Any]) -> None:
        if not callable(function):
            raise TraceError(f"compile() expects a function, not {type(function).__name__}")
        functools.update_wrapper(self, function)
        self._function = function
        self._programs: dict[Any, _Traced] = {}
        self._last: _Traced | None = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """What the function returns, computed by the program for arguments like these."""
        leaves, structure = flatten((args, kwargs))
        tensors = [x for x in leaves if isinstance(x, Tensor)]
        if any(isinstance(x.array, Symbol) for x in tensors):
            return self._function(*args, **kwargs)  # part of a function that is being traced
        key = (
            repr(structure),
            tuple(_kind(x) for x in leaves),
            is_recording(),
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
            traced = self._programs[key] = _Traced(self._function, leaves, structure)
        self._last = traced
        return traced(tensors)

    @property
    def source(self) -> str:
        """The program of the last call, as Python source."""
        if self._last is None:
            raise TraceError("there is no program yet: call the function first")
        return self._last.source

    @property
    def program(self) -> Program:
        """The instructions of the program of the last call."""
        if self._last is None:
            raise TraceError("there is no program yet: call the function first")
        return self._last.program


class _Traced:
    """The program of a function for one kind of arguments."""

    def __init__(self, function: Callable[..., Any], leaves: list[Any], structure: Any) -> None:
        with nothing_kept(function):
            self._trace(function, leaves, structure)
        self._dtypes = [(s.shape, s.dtype) for s in self.program.outputs]
        captured = captured_arrays(self.program)
        try:
            self.source = Printer(fuse(self.program), captured).once()
            fused = numba_runner.available()
        except NotFusable as reason:
            self.source = f"# Executed by NumPy, call by call: {reason}.\n{self.program}\n"
            fused = False
        if not self._dtypes:
            self._run: Callable[..., Any] = lambda *_: ()
        elif fused:
            run = numba_runner.compiled(self.source)
            extra = numba_runner.arguments(list(captured.values()))
            self._run = lambda *arrays: run(*numba_runner.arguments(list(arrays)), *extra)
        else:
            self._run = NumpyProgram(self.program, {}, self.program.inputs).once()

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
        values = iter(self._run(*(t.array for t in tensors)))
        kinds = iter(self._dtypes)
        results = []
        for i in range(len(self._dtypes) + len(self._constants)):
            if i in self._constants:
                array = self._constants[i]
            else:
                shape, dtype = next(kinds)
                array = np.asarray(next(values), dtype).reshape(shape)
            results.append(wrap(array[()] if array.shape == () else array, None))
        return self._structure.unflatten(results)


def _kind(x: Any) -> Any:
    """What a program is made for, of an argument."""
    if isinstance(x, Tensor):
        return x.shape, x.dtype, x.requires_grad
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
