"""Arrays that compute nothing and write down what would be computed."""

from __future__ import annotations

import math
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from tinygrad_poly.arrays import Shape
from tinygrad_poly.errors import TraceError

Attributes = tuple[tuple[str, Any], ...]

_PACKAGE = Path(__file__).parents[1]
_phase: ContextVar[str] = ContextVar("phase", default="")


@contextmanager
def phase(name: str) -> Iterator[None]:
    """Note in every symbol recorded inside that it belongs to this part of the program."""
    token = _phase.set(name)
    try:
        yield
    finally:
        _phase.reset(token)


class Symbol:
    """The result of a NumPy function that has not been called.

    It knows the function, its inputs (symbols, arrays or Python numbers), its keywords (`attributes`), and the
    shape and dtype that the result would have. It follows the array API as far as the engine asks, so that
    the ordinary tape runs on it: forward, backward and update leave behind one graph of symbols.
    """

    __slots__ = ("attributes", "dtype", "function", "inputs", "name", "phase", "shape", "weak")
    __array_ufunc__ = None  # so that `ndarray * symbol` asks the symbol
    __hash__ = object.__hash__

    def __init__(
        self, function: str, inputs: tuple[Any, ...], attributes: Attributes, shape: Shape, dtype: Any, name: str = ""
    ) -> None:
        self.function = function
        self.inputs = inputs
        self.attributes = attributes
        self.shape = shape
        self.dtype = dtype
        self.name = name
        self.phase = _phase.get()
        # A Python number that changes from step to step, such as a step count: it promotes nothing.
        self.weak = False

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

    def _has_no_number(self, *_: Any) -> NoReturn:
        """Say that there is nothing to convert or to branch on."""
        raise TraceError(
            f"a traced value has no number yet, so Python cannot branch on it, print it or convert it{_where()}: "
            "choose with where(condition, a, b), and look at numbers outside of the compiled function"
        )

    __bool__ = __float__ = __int__ = __index__ = __complex__ = item = tolist = _has_no_number

    def __getitem__(self, index: Any) -> Symbol:
        return record("getitem", self, index=index)

    def __len__(self) -> int:
        return int(self.shape[0])

    @staticmethod
    def defer(row: Any, arguments: tuple[Any, ...]) -> Symbol:
        """The symbol of a row that looks at numbers, and has to be called as a whole."""
        count = len(row.rules)
        return record("row", *arguments[:count], row=row, options=arguments[count:])

    def __repr__(self) -> str:
        return f"<{self.name or self.function}: {self.dtype}{list(self.shape)}>"


def _where() -> str:
    """The user's line that is being executed, as far as it can be told from the library's own."""
    for frame in reversed(traceback.extract_stack()):
        if _PACKAGE not in Path(frame.filename).parents:
            return f" ({frame.filename}, line {frame.lineno}: {frame.line})"
    return ""


def _operator(function: str, reflected: bool) -> Callable[..., Symbol]:
    def method(self: Symbol, *others: Any) -> Symbol:
        return record(function, *others, self) if reflected else record(function, self, *others)

    return method


_OPERATORS = {
    "add": "add",
    "sub": "subtract",
    "mul": "multiply",
    "truediv": "divide",
    "floordiv": "floor_divide",
    "mod": "remainder",
    "pow": "power",
    "matmul": "matmul",
    "and": "bitwise_and",
    "or": "bitwise_or",
    "xor": "bitwise_xor",
    "eq": "equal",
    "ne": "not_equal",
    "lt": "less",
    "le": "less_equal",
    "gt": "greater",
    "ge": "greater_equal",
    "neg": "negative",
    "invert": "invert",
    "abs": "absolute",
}
for _name, _function in _OPERATORS.items():
    setattr(Symbol, f"__{_name}__", _operator(_function, reflected=False))
    setattr(Symbol, f"__r{_name}__", _operator(_function, reflected=True))


def call(function: str, inputs: tuple[Any, ...], attributes: Attributes) -> Any:
    """Compute what a symbol stands for: the slow and obvious way."""
    keywords = dict(attributes)
    match function:
        case "getitem":
            return inputs[0][keywords["index"]]
        case "astype":
            return inputs[0].astype(keywords["dtype"])
        case "row":
            return keywords["row"].forward(*inputs, *keywords["options"])
        case _:
            return getattr(np, function)(*inputs, **keywords)


def is_elementwise(function: str) -> bool:
    """Whether each element of the result depends only on the elements at the same place."""
    return function in ("where", "astype") or (
        function != "matmul" and isinstance(getattr(np, function, None), np.ufunc)
    )


def record(function: str, *inputs: Any, **attributes: Any) -> Symbol:
    """The symbol of a call; its shape and dtype are found by calling it on arrays that take no memory."""
    sorted_attributes = tuple(sorted(attributes.items()))
    if is_elementwise(function):
        # One element tells the dtype, and the shapes alone tell the shape.
        samples = tuple(_sample(x) for x in inputs)
        shape = np.broadcast_shapes(*(getattr(x, "shape", ()) for x in inputs))
        with np.errstate(all="ignore"):
            dtype = call(function, samples, sorted_attributes).dtype
        symbol = Symbol(function, inputs, sorted_attributes, shape, dtype)
        symbol.weak = all(x.weak if isinstance(x, Symbol) else isinstance(x, (bool, int, float)) for x in inputs)
        return symbol
    samples = tuple(np.broadcast_to(np.ones((), x.dtype), x.shape) if isinstance(x, Symbol) else x for x in inputs)
    with np.errstate(all="ignore"):
        result = np.asarray(call(function, samples, sorted_attributes))
    return Symbol(function, inputs, sorted_attributes, result.shape, result.dtype)


def _sample(x: Any) -> Any:
    if isinstance(x, Symbol) and x.weak:
        return 1.0
    return np.ones((), x.dtype)[()] if hasattr(x, "dtype") else x


def constant(value: Any, shape: Shape, dtype: Any) -> Symbol:
    """An array of one number."""
    attributes = (("dtype", np.dtype(dtype)), ("fill_value", value), ("shape", shape))
    return Symbol("full", (), attributes, shape, np.dtype(dtype))


def placeholder(name: str, shape: Shape, dtype: Any, weak: bool = False) -> Symbol:
    """An input of the program; `weak` for a Python number."""
    symbol = Symbol("input", (), (), shape, np.dtype(dtype), name)
    symbol.weak = weak
    return symbol


# The array API's functions take these by position too; as keywords they are told from arrays.
_POSITIONAL = {
    "reshape": "shape",
    "broadcast_to": "shape",
    "permute_dims": "axes",
    "astype": "dtype",
    "sum": "axis",
    "prod": "axis",
    "max": "axis",
    "min": "axis",
    "cumsum": "axis",
    "take_along_axis": "",
}


ABOUT_DTYPES = ("result_type", "can_cast", "finfo", "iinfo", "issubdtype", "promote_types")


class _Namespace:
    """NumPy's functions, recorded instead of called."""

    bool = np.bool_

    def __getattr__(self, name: str) -> Any:
        function = getattr(np, name)
        if isinstance(function, type) or not callable(function) or name in ABOUT_DTYPES:
            return function
        return lambda *inputs, **keywords: self._record(name, inputs, keywords)

    @staticmethod
    def _record(name: str, inputs: tuple[Any, ...], keywords: dict[str, Any]) -> Symbol:
        if name in ("ones_like", "zeros_like"):
            value = 1 if name == "ones_like" else 0
            return constant(value, inputs[0].shape, keywords.get("dtype") or inputs[0].dtype)
        if name in ("zeros", "ones"):
            return constant(0 if name == "zeros" else 1, inputs[0], keywords.get("dtype", np.float64))
        if name == "asarray":
            (value,) = inputs
            if isinstance(value, Symbol):
                return value
            array = np.asarray(value, keywords.get("dtype"))
            return record("asarray", array) if array.shape else constant(array.item(), (), array.dtype)
        if name in _POSITIONAL and len(inputs) == 2 and _POSITIONAL[name]:
            inputs, keywords = inputs[:1], {_POSITIONAL[name]: inputs[1], **keywords}
        return record(name, *inputs, **keywords)


NAMESPACE = _Namespace()
