"""Symbols: arrays that record operations instead of computing them."""

from __future__ import annotations

import functools
import linecache
import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, cast

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from tinygrad_poly.engine.arrays import Shape, library
from tinygrad_poly.engine.errors import TraceError

Attributes = tuple[tuple[str, Any], ...]
Line = tuple[str, int]
"""A file and the number of a line in it."""

_LIBRARIES = tuple(str(folder) for folder in (Path(__file__).parents[2], Path(np.__file__).parent))
_phase: ContextVar[str] = ContextVar("phase", default="")

current: ContextVar[Any] = ContextVar("current", default=None)
"""The trace that is going on, an object with an attribute `error`; symbols are of use in their own trace alone."""


@contextmanager
def phase(name: str) -> Iterator[None]:
    """A context: every symbol recorded inside belongs to this part of the program."""
    token = _phase.set(name)
    try:
        yield
    finally:
        _phase.reset(token)


@dataclass(eq=False, repr=False, slots=True)
class Symbol:
    """The result of a NumPy function that has not been called.

    It knows the function, its inputs (symbols, arrays or Python numbers), its keywords (`attributes`), and the
    shape and dtype that the result would have. It follows the array API as far as the engine asks, so that
    the ordinary tape runs on it: forward, backward and update leave behind one graph of symbols.
    """

    function: str
    inputs: tuple[Any, ...]
    attributes: Attributes
    shape: Shape
    dtype: Any
    name: str = ""
    weak: bool = False
    """Whether it is a Python number that changes from step to step, such as a step count: it promotes nothing."""
    phase: str = field(default_factory=_phase.get)
    trace: Any = field(default=None, init=False)
    line: Line | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.shape = tuple(self.shape)  # plain, as it is printed into programs

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    @property
    def mT(self) -> Symbol:  # noqa: N802 - the array API's name
        """The last two dimensions exchanged."""
        return record("swapaxes", self, axis1=-1, axis2=-2)

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        return NAMESPACE

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **keywords: Any) -> Any:
        """`ndarray * symbol` and `np.sin(symbol)`."""
        if method != "__call__" or keywords.get("out") is not None:
            self._has_no_number()
        return record(ufunc.__name__, *inputs, **keywords)

    def __array_function__(self, function: Any, types: Any, inputs: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        """`np.where(array, symbol, array)` and `np.linalg.det(symbol)`."""
        module = function.__module__.removeprefix("numpy").removeprefix(".")
        return _Namespace.record(f"{module}.{function.__name__}" if module else function.__name__, inputs, keywords)

    def _has_no_number(self, *_: Any, **__: Any) -> NoReturn:
        """Raise an error: there is no number to convert or to branch on."""
        self.check_alive()
        raise noted(
            f"a traced value has no number yet, so Python cannot branch on it, print it or convert it{_here()}: "
            "choose with where(condition, a, b), and look at numbers outside of the compiled function"
        )

    def check_alive(self) -> None:
        """Raise an error for a value that was kept after the end of its trace."""
        if self.trace is not None and self.trace is not current.get():
            raise noted(
                f"this is a traced value of a compiled function that has returned, made{written(self.line)}, and it "
                "will never be a number: let the function return it, and take what it returned"
            )

    __bool__ = __float__ = __int__ = __index__ = __complex__ = __array__ = item = tolist = _has_no_number

    def __getitem__(self, index: Any) -> Symbol:
        return record("getitem", self, index=index)

    def __len__(self) -> int:
        return int(self.shape[0])

    def reshape(self, *shape: Any) -> Symbol:
        """The same elements in another shape."""
        return record("reshape", self, shape=shape[0] if len(shape) == 1 else shape)

    @staticmethod
    def defer(row: Any, arguments: tuple[Any, ...]) -> Symbol:
        """The symbol of a row that depends on numbers, and is therefore called as a whole."""
        count = len(row.rules)
        return record("row", *arguments[:count], row=row, options=arguments[count:])

    def __repr__(self) -> str:
        return f"<{self.name or self.function}: {self.dtype}{list(self.shape)}>"


def noted(message: str) -> TraceError:
    """An error that ends the trace, even if the traced function catches it."""
    error, trace = TraceError(message), current.get()
    if trace is not None and trace.error is None:
        trace.error = error
    return error


def user_line() -> Line | None:
    """The line of the user's program that is being executed; None if it cannot be found."""
    frame: Any = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_LIBRARIES):
        frame = frame.f_back
    return None if frame is None else (frame.f_code.co_filename, frame.f_lineno)


def written(line: Line | None) -> str:
    """A line of a program as text for an error message; "" for None."""
    if line is None:
        return ""
    return f" ({line[0]}, line {line[1]}: {linecache.getline(*line).strip()})"


def _here() -> str:
    return written(user_line())


def _of_this_trace(symbol: Symbol) -> Symbol:
    """A symbol that the user's program recorded, bound to the current trace."""
    trace = current.get()
    if trace is not None:
        symbol.trace, symbol.line = trace, user_line()
    return symbol


def _operator(function: str, reflected: bool) -> Callable[..., Symbol]:
    def method(self: Symbol, *others: Any) -> Symbol:
        return record(function, *others, self) if reflected else record(function, self, *others)

    return method


_OPERATORS = {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "divide", "floordiv": "floor_divide",
    "mod": "remainder", "pow": "power", "matmul": "matmul", "and": "bitwise_and", "or": "bitwise_or",
    "xor": "bitwise_xor", "eq": "equal", "ne": "not_equal", "lt": "less", "le": "less_equal", "gt": "greater",
    "ge": "greater_equal", "neg": "negative", "invert": "invert", "abs": "absolute",
}  # fmt: skip
for _name, _function in _OPERATORS.items():
    setattr(Symbol, f"__{_name}__", _operator(_function, reflected=False))
    setattr(Symbol, f"__r{_name}__", _operator(_function, reflected=True))


@dataclass(frozen=True)
class Place:
    """The place of an input in a container, among an instruction's arguments or attributes."""

    position: int


def mapped(function: Callable[[Any], Any], value: Any) -> Any:
    """Tuples, lists and slices like `value`, with `function(x)` in the place of each x inside."""
    match value:
        case tuple():
            return tuple(mapped(function, x) for x in value)
        case list():
            return [mapped(function, x) for x in value]
        case slice():
            return slice(*(mapped(function, x) for x in (value.start, value.stop, value.step)))
        case _:
            return function(value)


def _taken_out(value: Any, symbols: list[Any]) -> Any:
    """The value with places for the symbols in it, which are appended to `symbols`."""

    def place(x: Any) -> Any:
        if not isinstance(x, Symbol):
            return x
        symbols.append(x)
        return Place(len(symbols) - 1)

    return mapped(place, value)


def call(function: str, inputs: tuple[Any, ...], attributes: Attributes) -> Any:
    """The result of a recorded call, computed in the slow and obvious way."""
    keywords = dict(attributes)
    if "arguments" in keywords:
        symbols = inputs
        keywords = dict(mapped(lambda x: symbols[x.position] if isinstance(x, Place) else x, attributes))
        inputs = keywords.pop("arguments")
    part = keywords.pop("part", None)
    match function:
        case "getitem":
            return inputs[0][keywords["index"]]
        case "astype":
            return inputs[0].astype(keywords["dtype"])
        case "reshape":
            return np.reshape(inputs[0], keywords["shape"])  # CuPy's parameter has another name
        case "argsort":
            return library(inputs[0]).order(inputs[0], keywords["axis"])
        case "row":
            return keywords["row"].forward(*inputs, *keywords["options"])
        case _:
            result = functools.reduce(getattr, function.split("."), np)(*inputs, **keywords)  # type: ignore[operator]
            return result if part is None else result[part]


def caller(function: str, attributes: Attributes) -> Callable[..., Any]:
    """A recorded call as a function of its inputs."""
    return lambda *inputs: call(function, inputs, attributes)


@functools.cache
def is_elementwise(function: str) -> bool:
    """Whether each element of the result depends only on the elements at the same place."""
    return function in ("where", "astype") or (
        function != "matmul" and isinstance(getattr(np, function, None), np.ufunc)
    )


def full_index(shape: Shape, index: Any) -> tuple[Any, ...] | None:
    """An index of integers and slices with one item for each axis; None for any other index."""
    items = list(index) if isinstance(index, tuple) else [index]
    if any(not (isinstance(i, (int, np.integer, slice)) or i is Ellipsis) or isinstance(i, bool) for i in items):
        return None
    at = items.index(Ellipsis) if Ellipsis in items else len(items)
    items[at : at + 1] = [slice(None)] * (len(shape) - len(items) + (at < len(items)))
    return tuple(
        slice(None) if isinstance(i, slice) and i.indices(n) == (0, n, 1) else i
        for i, n in zip(items, shape, strict=True)
    )


# How many elements the result has depends on numbers.
_OF_UNKNOWN_SHAPE = ("nonzero", "argwhere", "flatnonzero", "unique", "unique_values", "extract", "compress", "repeat")


def record(function: str, *inputs: Any, **attributes: Any) -> Symbol:
    """The symbol of a call; its shape and dtype come from a call on arrays that take no memory.

    Where the result is a tuple of arrays there is a tuple of symbols.
    """
    inputs = tuple(x[()] if isinstance(x, np.ndarray) and not x.shape else x for x in inputs)
    if function == "power" and type(inputs[1]) is float and inputs[1] == 0.5:
        # NumPy does so, and below 0 the two differ: pow(−∞, ½) is ∞ in C.
        function, inputs = "sqrt", inputs[:1]
    if is_elementwise(function):
        # One element tells the dtype, and the shapes alone tell the shape. Of several names NumPy's own is taken.
        function = getattr(getattr(np, function, None), "__name__", function)
        sorted_attributes = tuple(sorted(attributes.items()))
        for x in inputs:
            if isinstance(x, Symbol):
                x.check_alive()
        samples = tuple(_sample(x) for x in inputs)
        shape = np.broadcast_shapes(*(getattr(x, "shape", ()) for x in inputs))
        dtype = _dtype_of(function, sorted_attributes, *samples)
        weak = all(x.weak if isinstance(x, Symbol) else isinstance(x, (bool, int, float)) for x in inputs)
        return _of_this_trace(Symbol(function, inputs, sorted_attributes, shape, dtype, weak=weak))
    symbols: list[Any] = []
    arguments = _taken_out(inputs, symbols)
    count = len(symbols)
    attributes = {key: _taken_out(value, symbols) for key, value in attributes.items()}
    for symbol in symbols:
        symbol.check_alive()
    masked = function in ("getitem", "row") and any(s.dtype == np.bool_ for s in symbols[count:])
    if masked or function in _OF_UNKNOWN_SHAPE or (function == "where" and len(inputs) == 1):
        raise noted(
            f"how many elements are selected{_here()} depends on numbers, and a traced value has none yet: choose "
            "with where(condition, a, b), which has as many elements as a and b"
        )
    if count < len(symbols) or any(isinstance(x, (tuple, list)) for x in inputs):
        inputs, attributes["arguments"] = tuple(symbols), arguments
    sorted_attributes = tuple(sorted(attributes.items()))
    samples = tuple(_sample_array(x, function) for x in inputs)
    if function in ("sum", "prod", "max", "min", "matmul") and "arguments" not in attributes:
        samples = _shortened(function, samples, attributes.get("axis"))
    with np.errstate(all="ignore"):
        result = call(function, samples, sorted_attributes)

    def made(x: Any, *part: tuple[str, Any]) -> Symbol:
        x = np.asarray(x)
        return _of_this_trace(Symbol(function, inputs, (*sorted_attributes, *part), x.shape, x.dtype))

    if isinstance(result, tuple):
        return cast(Symbol, tuple(made(x, ("part", i)) for i, x in enumerate(result)))
    return made(result)


def _shortened(function: str, samples: tuple[Any, ...], axis: Any) -> tuple[Any, ...]:
    """Samples of length 1 where a function adds up: that tells the shape and dtype as well, and costs nothing."""
    x, *others = samples
    if function == "matmul":
        (y,) = others
        inner = max(0, np.ndim(y) - 2)
        if np.ndim(x) and np.ndim(y) and x.shape[-1] == y.shape[inner] != 0:
            return x[..., :1], y[..., :1, :] if y.ndim > 1 else y[:1]
        return samples
    axes = normalize_axis_tuple(range(x.ndim) if axis is None else axis, x.ndim)
    return x[tuple(slice(1) if i in axes else slice(None) for i in range(x.ndim))], *others


@functools.lru_cache(maxsize=1024, typed=True)  # 1, 1.0 and True are equal and promote differently
def _dtype_of(function: str, attributes: Attributes, *samples: Any) -> Any:
    """The dtype of an elementwise function of these numbers."""
    with np.errstate(all="ignore"):
        return call(function, samples, attributes).dtype


def _sample_array(x: Any, function: str) -> Any:
    """An array like `x`: zeros where it may hold indices, unit matrices where it may be inverted."""
    if not isinstance(x, Symbol):
        return x
    if (function == "row" or "." in function) and x.ndim >= 2:
        return np.broadcast_to(np.eye(*x.shape[-2:], dtype=x.dtype), x.shape)
    return np.broadcast_to(np.zeros((), x.dtype) if x.dtype.kind in "iu" else np.ones((), x.dtype), x.shape)


def _sample(x: Any) -> Any:
    if isinstance(x, Symbol) and x.weak:
        return 1.0
    return np.ones((), x.dtype)[()] if hasattr(x, "dtype") else x


def constant(value: Any, shape: Shape, dtype: Any) -> Symbol:
    """A symbol for an array filled with one number."""
    attributes = (("dtype", np.dtype(dtype)), ("fill_value", value), ("shape", shape))
    return Symbol("full", (), attributes, shape, np.dtype(dtype))


def placeholder(name: str, shape: Shape, dtype: Any, weak: bool = False) -> Symbol:
    """A symbol for an input of the program; `weak` for a Python number."""
    return Symbol("input", (), (), shape, np.dtype(dtype), name, weak)


# The array API's functions take these by position too; as keywords they are told from arrays.
_POSITIONAL = {
    "reshape": "shape", "broadcast_to": "shape", "permute_dims": "axes", "astype": "dtype", "sum": "axis",
    "prod": "axis", "max": "axis", "min": "axis", "cumsum": "axis",
}  # fmt: skip


ABOUT_DTYPES = ("result_type", "can_cast", "finfo", "iinfo", "issubdtype", "promote_types")


class _Namespace:
    """The namespace of NumPy's functions, which records them instead of calling them."""

    bool = np.bool_

    def __getattr__(self, name: str) -> Any:
        function = getattr(np, name)
        if isinstance(function, type) or not callable(function) or name in ABOUT_DTYPES:
            return function
        return lambda *inputs, **keywords: self.record(name, inputs, keywords)

    @staticmethod
    def record(name: str, inputs: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        """The symbol of a call, or a constant."""
        if name in ("ones_like", "zeros_like"):
            value = 1 if name == "ones_like" else 0
            return _of_this_trace(constant(value, inputs[0].shape, keywords.get("dtype") or inputs[0].dtype))
        if name in ("zeros", "ones", "full"):
            shape = inputs[0] if isinstance(inputs[0], tuple) else (inputs[0],)
            number = inputs[1] if name == "full" else int(name == "ones")
            if not isinstance(number, Symbol):
                default = np.asarray(number).dtype if name == "full" else np.float64
                return _of_this_trace(constant(number, shape, keywords.get("dtype") or default))
        if name == "asarray" and isinstance(inputs[0], Symbol):
            return inputs[0]
        symbols: list[Any] = []
        _taken_out((inputs, tuple(keywords.values())), symbols)
        if not symbols:  # of shapes and numbers alone: known now
            return getattr(np, name)(*inputs, **keywords)
        if name == "clip":
            x, low, high = (*inputs, None, None)[:3]
            x = x if low is None else record("maximum", x, low)
            return x if high is None else record("minimum", x, high)
        if name == "round" and len(inputs) == 1 and not keywords:
            if inputs[0].dtype.kind in "iu":
                return inputs[0]
            name = "rint"
        if name in _POSITIONAL:
            x, *rest = inputs
            inputs, keywords = (x,), keywords | dict(zip([_POSITIONAL[name]], rest))
        return record(name, *inputs, **keywords)


NAMESPACE = _Namespace()
