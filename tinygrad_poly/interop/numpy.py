"""NumPy's functions on tensors: `np.sin(x)`, `array * x` and `np.sum(x, axis=0)` stay on the tape.

NumPy hands such calls over (NEP 13 and NEP 18). Elementwise functions are found by their name, and the others in a
table that says how NumPy's arguments read here. What is in neither is computed by NumPy on plain arrays, unless that
would lose a gradient: then it is refused.
"""

import functools
import inspect
import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from tinygrad_poly.engine import apply
from tinygrad_poly.engine.arrays import get_default_dtype, is_floating, own


class _Ours:
    """The package's functions, looked up when NumPy calls: they are made of tensors, and tensors need this file."""

    def __getattr__(self, name: str) -> Any:
        return getattr(apply.tensor_namespace, name)


ours: Any = _Ours()

# Elementwise functions that are operators: these know what a Python number does to a dtype.
OPERATORS = {
    "add", "subtract", "multiply", "divide", "power", "equal", "not_equal", "less", "less_equal", "greater",
    "greater_equal", "bitwise_and", "bitwise_or",
}  # fmt: skip

# Elementwise functions that have another name here; the others have NumPy's too.
RENAMED = {"rint": "round", "fabs": "abs", "expit": "sigmoid", "equal": "eq", "conjugate": "positive"}
RENAMED |= {"radians": "deg2rad", "degrees": "rad2deg"}


def _total_dtype(a: Any, dtype: Any) -> Any:
    """The dtype of a sum or product: that of unsigned integers is unsigned for NumPy, and int64 for torch."""
    return np.uint64 if dtype is None and "uint" in str(a.dtype) else dtype


def _total(name: str) -> Callable[..., Any]:

    def reduce(a: Any, axis: Any = None, dtype: Any = None, *, keepdims: bool = False) -> Any:
        return getattr(ours, name)(a, dim=axis, keepdim=keepdims, dtype=_total_dtype(a, dtype))

    return reduce


def _reduction(name: str) -> Callable[..., Any]:
    def reduce(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
        return getattr(ours, name)(a, dim=axis, keepdim=keepdims)

    return reduce


def _scan(name: str) -> Callable[..., Any]:
    def scan(a: Any, axis: Any = None, dtype: Any = None) -> Any:
        kind = _total_dtype(a, dtype)
        return getattr(ours, name)(a.reshape(-1) if axis is None else a, 0 if axis is None else axis, kind)

    return scan


def _where(condition: Any, x: Any = None, y: Any = None) -> Any:
    if x is None and y is None:
        return ours.nonzero(condition, as_tuple=True)
    return ours.where(condition, x, y)


def _equal_parts(ary: Any, indices_or_sections: Any, axis: int = 0) -> Any:
    if isinstance(indices_or_sections, int) and ary.shape[axis] % indices_or_sections:
        raise ValueError("np.split: the parts would not be equally long; use np.array_split")
    return ours.tensor_split(ary, indices_or_sections, axis)


def _dot(a: Any, b: Any) -> Any:
    if not (getattr(a, "ndim", 0) and getattr(b, "ndim", 0)):
        return a * b
    return ours.tensordot(a, b, ([a.ndim - 1], [max(b.ndim - 2, 0)]))


def _joined(name: str) -> Callable[..., Any]:
    """A function that joins arrays: a list of them, or one along its first dimension; `dtype` converts them first."""

    def join(arrays: Any, *where: Any, dtype: Any = None, **named: Any) -> Any:
        return getattr(ours, name)([ours.as_tensor(x, dtype=dtype) for x in arrays], *where, **named)

    return join


def _roll(a: Any, shift: Any, axis: Any = None) -> Any:
    if axis is None:
        return ours.roll(a, int(np.sum(shift)))
    moves: Counter[int] = Counter()
    for k, dim in np.broadcast(shift, axis):
        moves[normalize_axis_index(int(dim), a.ndim)] += int(k)
    return ours.roll(a, tuple(moves.values()), tuple(moves))


def _pad(array: Any, pad_width: Any, mode: str = "constant", *, constant_values: Any = 0) -> Any:
    widths = np.broadcast_to(pad_width, (array.ndim, 2))[::-1]
    return ours.pad(array, tuple(int(n) for n in widths.reshape(-1)), mode, constant_values)


def _cross(a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Any:
    axisa, axisb, axisc = (axisa, axisb, axisc) if axis is None else (axis,) * 3
    rows = ours.broadcast_tensors(ours.moveaxis(a, axisa, -1), ours.moveaxis(b, axisb, -1))
    return ours.moveaxis(ours.cross(*rows), -1, axisc)


def _convolve(a: Any, v: Any, mode: str = "full") -> Any:
    shorter, longer = sorted((len(a), len(v)))
    lengths = {"full": shorter + longer - 1, "same": longer, "valid": longer - shorter + 1}
    if mode not in lengths:
        raise ValueError(f"np.convolve: mode must be 'full', 'same' or 'valid', not {mode!r}")
    length = lengths[mode]
    return ours.narrow(ours.polymul(a, v), 0, (shorter + longer - 1 - length) // 2, length)


def _polyval(p: Any, x: Any) -> Any:
    p = p if hasattr(p, "array") else ours.as_tensor(p, dtype=x.dtype)
    return ours.polyval(p, x, descending=True)


def _polyfit(x: Any, y: Any, deg: int, *, w: Any = None) -> Any:
    return ours.flip(ours.polyfit(x, y, deg, w=w), 0)


def _expand_dims(a: Any, axis: Any) -> Any:
    axes = normalize_axis_tuple(axis, a.ndim + len(np.atleast_1d(axis)))
    lengths = iter(a.shape)
    return ours.reshape(a, tuple(1 if i in axes else next(lengths) for i in range(a.ndim + len(axes))))


def _angle(z: Any, deg: bool = False) -> Any:
    half_turn = ours.full_like(z, 180.0 if deg else math.pi, dtype=None if is_floating(z.dtype) else np.float64)
    return ours.where(ours.isnan(z), z, ours.where(z < 0, half_turn, ours.zeros_like(half_turn))).detach()


def _solve(a: Any, b: Any) -> Any:
    """NumPy takes b for one vector only where it has one dimension, and torch also where it has one for each matrix."""
    return ours.linalg.solve(a, b[None] if b.ndim == a.ndim - 1 > 1 else b)


def _diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Any:
    ends = [x if getattr(x, "ndim", 1) else ours.full_like(a.narrow(axis, 0, 1), x.item()) for x in (prepend, append)]
    return ours.diff(a, n, axis, *ends)


def _gradient(f: Any, *varargs: Any, axis: Any = None) -> Any:
    axes = normalize_axis_tuple(range(f.ndim) if axis is None else axis, f.ndim)
    steps = varargs * len(axes) if len(varargs) == 1 else varargs or (1.0,) * len(axes)
    if len(steps) != len(axes) or any(np.ndim(step) for step in steps):
        raise TypeError(f"np.gradient: expects one step, or one for each of the {len(axes)} dimensions, as numbers")

    def slope(at: int, step: Any) -> Any:
        x = ours.movedim(f, at, 0)
        parts = [x[1:2] - x[:1], (x[2:] - x[:-2]) / 2, x[-1:] - x[-2:-1]]
        return ours.movedim(ours.cat(parts) / step, 0, at)

    found = [slope(at, step) for at, step in zip(axes, steps)]
    return found[0] if len(found) == 1 else tuple(found)


def _linspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, *, axis: int = 0) -> Any:
    way = (start if hasattr(start, "array") else stop) * 0 + (stop - start)
    place = np.arange(num) / max(num - 1 if endpoint else num, 1)
    return ours.movedim(start + way * place.reshape(-1, *[1] * way.ndim).astype(way.dtype), 0, axis)


def _select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    for condition, choice in zip(condlist[::-1], choicelist[::-1], strict=True):
        default = ours.where(condition, choice, default)
    return default


def _partition(a: Any, kth: Any, axis: int | None = -1) -> Any:
    a, axis = (a.reshape(-1), 0) if axis is None else (a, axis)
    return ours.take_along_dim(a, ours.as_tensor(np.argpartition(a.detach().numpy(), kth, axis)), axis)


def _shifted(sign: int) -> Callable[..., Any]:
    def shift(x: Any, axes: Any = None) -> Any:
        at = normalize_axis_tuple(range(x.ndim) if axes is None else axes, x.ndim)
        return ours.roll(x, tuple(sign * (x.shape[i] // 2) for i in at), at)

    return shift


def _svd(a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False) -> Any:
    return ours.linalg.svd(a, full_matrices) if compute_uv else ours.linalg.svdvals(a)


_WITH_NUMPYS_NAMES = (
    *(_where, _dot, _roll, _pad, _cross, _convolve, _polyval, _polyfit, _expand_dims, _angle, _diff, _gradient),
    *(_linspace, _select, _partition),
)

# How NumPy's functions, with NumPy's arguments, read here.
FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{function.__name__.removeprefix("_"): function for function in _WITH_NUMPYS_NAMES},
    **{name: _reduction(name) for name in ("amax", "amin", "all", "any", "nansum", "nanmean")},
    **{name: _reduction(name) for name in ("argmax", "argmin", "count_nonzero")},
    **{name: _total(name) for name in ("sum", "prod")},
    "mean": lambda a, axis=None, dtype=None, *, keepdims=False: ours.mean(a, axis, keepdims, dtype=dtype),
    "max": _reduction("amax"),
    "min": _reduction("amin"),
    "var": lambda a, axis=None, *, ddof=0, keepdims=False: ours.var(a, axis, correction=ddof, keepdim=keepdims),
    "std": lambda a, axis=None, *, ddof=0, keepdims=False: ours.std(a, axis, correction=ddof, keepdim=keepdims),
    **{name: _scan(name) for name in ("cumsum", "cumprod")},
    "sort": lambda a, axis=-1: ours.sort(a.reshape(-1), 0)[0] if axis is None else ours.sort(a, axis)[0],
    "argsort": lambda a, axis=-1: ours.argsort(a.reshape(-1), 0) if axis is None else ours.argsort(a, axis),
    "clip": lambda a, a_min=None, a_max=None, *, min=None, max=None: ours.clip(
        a, min if a_min is None else a_min, max if a_max is None else a_max
    ),
    "round": lambda a, decimals=0: (
        a if decimals >= 0 and not is_floating(a.dtype) else ours.round(a, decimals=decimals)
    ),
    "sinc": lambda x: ours.sinc(x),
    "nan_to_num": lambda x, *, nan=0.0, posinf=None, neginf=None: ours.nan_to_num(x, nan, posinf, neginf),
    "reshape": lambda a, shape: ours.reshape(a, shape),
    "ravel": lambda a: ours.ravel(a),
    "transpose": lambda a, axes=None: a.T if axes is None else ours.permute(a, axes),
    "matrix_transpose": lambda x: ours.matrix_transpose(x),
    "swapaxes": lambda a, axis1, axis2: ours.swapaxes(a, axis1, axis2),
    "moveaxis": lambda a, source, destination: ours.moveaxis(a, source, destination),
    "squeeze": lambda a, axis=None: ours.squeeze(a, axis),
    "broadcast_to": lambda array, shape: ours.broadcast_to(array, shape),
    "broadcast_arrays": lambda *args: ours.broadcast_arrays(*args),
    "flip": lambda m, axis=None: ours.flip(m, axis=axis),
    "flipud": lambda m: ours.flip(m, 0),
    "fliplr": lambda m: ours.flip(m, 1),
    "rot90": lambda m, k=1, axes=(0, 1): ours.rot90(m, k, axes),
    "concatenate": lambda arrays, axis=0, *, dtype=None: _joined("cat")(arrays, axis, dtype=dtype),
    "stack": lambda arrays, axis=0, *, dtype=None: _joined("stack")(arrays, axis, dtype=dtype),
    "hstack": lambda tup, *, dtype=None: _joined("hstack")(tup, dtype=dtype),
    "vstack": lambda tup, *, dtype=None: _joined("vstack")(tup, dtype=dtype),
    "split": _equal_parts,
    "array_split": lambda ary, indices_or_sections, axis=0: ours.tensor_split(ary, indices_or_sections, axis),
    "unstack": lambda x, *, axis=0: ours.unstack(x, axis),
    "tile": lambda A, reps: ours.tile(A, reps if isinstance(reps, Sequence) else (reps,)),
    "repeat": lambda a, repeats, axis=None: ours.repeat(a if a.ndim else a.reshape(1), repeats, axis),
    "meshgrid": lambda *xi, indexing="xy": ours.meshgrid(*xi, indexing=indexing),
    "diag": lambda v, k=0: ours.diag(v, k),
    "diagonal": lambda a, offset=0, axis1=0, axis2=1: ours.diagonal(a, offset, axis1, axis2),
    "tril": lambda m, k=0: ours.tril(m, k),
    "triu": lambda m, k=0: ours.triu(m, k),
    "take": lambda a, indices, axis=None: ours.take(a, indices, axis),
    "take_along_axis": lambda arr, indices, axis=-1: ours.take_along_axis(arr, indices, axis),
    "nonzero": lambda a: ours.nonzero(a, as_tuple=True),
    "zeros_like": lambda a, dtype=None: ours.zeros_like(a, dtype=dtype),
    "ones_like": lambda a, dtype=None: ours.ones_like(a, dtype=dtype),
    "full_like": lambda a, fill_value, dtype=None: ours.full_like(a, fill_value, dtype=dtype),
    "real": lambda val: val,
    "real_if_close": lambda a, tol=100: a,
    "imag": lambda val: ours.zeros_like(val),
    "outer": lambda a, b: ours.outer(a.reshape(-1), b.reshape(-1)),
    "inner": lambda a, b: ours.inner(a, b),
    "tensordot": lambda a, b, axes=2: ours.tensordot(a, b, axes),
    "kron": lambda a, b: ours.kron(a, b),
    "vdot": lambda a, b: ours.dot(a.reshape(-1), b.reshape(-1)),
    "einsum": lambda *operands, optimize=False: ours.einsum(*operands),
    "trace": lambda a, offset=0, axis1=0, axis2=1: ours.diagonal(a, offset, axis1, axis2).sum(-1),
    # The coefficient of the highest power comes first for NumPy, and last here.
    "polymul": lambda a1, a2: ours.polymul(a1, a2),
    "polyder": lambda p, m=1: ours.flip(ours.polyder(ours.flip(p), m), 0),
    "vander": lambda x, N=None, increasing=False: ours.vander(x, N, increasing),
    "linalg.solve": _solve,
    "linalg.svd": _svd,
    "linalg.qr": lambda a, mode="reduced": ours.linalg.qr(a, mode) if mode != "r" else ours.linalg.qr(a, mode).R,
    "linalg.tensorsolve": lambda a, b, axes=None: ours.linalg.tensorsolve(a, b, axes),
    **{f"atleast_{n}d": lambda *arys, n=n: getattr(ours, f"atleast_{n}d")(*arys) for n in (1, 2, 3)},
    "astype": lambda x, dtype, *, copy=True: x.to(dtype),
    "append": lambda arr, values, axis=None: ours.cat([arr, values], axis),
    "column_stack": lambda tup: ours.column_stack(list(tup)),
    "dstack": lambda tup: ours.dstack(list(tup)),
    "hsplit": lambda ary, indices_or_sections: ours.hsplit(ary, indices_or_sections),
    "vsplit": lambda ary, indices_or_sections: ours.vsplit(ary, indices_or_sections),
    "dsplit": lambda ary, indices_or_sections: ours.dsplit(ary, indices_or_sections),
    "fft.fftshift": _shifted(1),
    "fft.ifftshift": _shifted(-1),
    "rollaxis": lambda a, axis, start=0: ours.movedim(a, axis, start - ((start % (a.ndim + 1)) > axis % a.ndim)),
    "trapezoid": lambda y, x=None, dx=1.0, axis=-1: ours.trapezoid(y, x, dx=dx, dim=axis),
    "linalg.trace": lambda x, *, offset=0: ours.diagonal(x, offset, -2, -1).sum(-1),
}


# Functions whose results have no derivative, on the numbers of any tensor.
CONSTANT = {
    "allclose", "array_equal", "array_repr", "array_str", "array2string", "can_cast", "isclose", "iscomplexobj",
    "isrealobj", "ndim", "result_type", "searchsorted", "shape", "size",
}  # fmt: skip


def array_ufunc(self: Any, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
    """The answer to NumPy's call of an elementwise function on tensors (NEP 13).

    Raises:
        TypeError: for `out=`, `where=` and methods such as `reduce`, and for functions without derivative here on
            tensors that require grad.
    """
    name = ufunc.__name__
    if method != "__call__":
        _refuse(f"{name}.{method}", "is not there for tensors: use a function such as sum, prod or cumsum")
    if options:
        given = ", ".join(f"{option}=" for option in options)
        advice = "a new tensor must take the place of an array: write a = a + x for a += x" if "out" in options else ""
        _refuse(name, f"cannot take {given} with tensors" + (f": {advice}" if advice else ""))
    operands = [_operand(x) for x in inputs]
    if any(x is None for x in operands):
        return NotImplemented
    # What has no derivative is NumPy's own; NumPy's numbers and arrays may be here for an operator, which is torch's.
    whole = all(_is_whole(x) if isinstance(x, apply.tensor_class) else type(x) in (bool, int) for x in inputs)
    function = getattr(ours, RENAMED.get(name, name), None)
    if function is not None and not whole:
        return function(*(operands if name in OPERATORS else [_beside(x, self) for x in operands]))
    result = ufunc(*[getattr(x, "array", x) for x in operands])
    parts = result if isinstance(result, tuple) else (result,)
    if any(is_floating(part.dtype) for part in parts) and _requires_grad(operands):
        _refuse(name, "has no derivative here")
    wrapped = tuple(apply.wrap(part, None) for part in parts)
    return wrapped if isinstance(result, tuple) else wrapped[0]


def array_function(self: Any, function: Callable[..., Any], types: Any, args: Any, kwargs: Any) -> Any:
    """The answer to NumPy's call of another function with tensors in its arguments (NEP 18).

    Raises:
        TypeError: for arguments that the function has only on arrays, and for functions without derivative here on
            tensors that require grad.
    """
    if not all(issubclass(kind, (np.ndarray, apply.tensor_class)) for kind in types):
        return NotImplemented
    name = f"{function.__module__}.{function.__name__}".removeprefix("numpy.")
    translated = FUNCTIONS.get(name) or _in_linalg(name)
    if translated is not None:
        try:
            _signature(translated).bind(*args, **kwargs)
        except TypeError as error:
            _refuse(name, f"with these arguments is not there for tensors ({error})")
        return translated(*map(_tensors, args), **{key: _tensors(value) for key, value in kwargs.items()})
    if name not in CONSTANT and _requires_grad((args, kwargs)):
        _refuse(name, "has no derivative here")
    return function(*_plain(args), **_plain(kwargs))


def _refuse(name: str, reason: str) -> NoReturn:
    raise TypeError(f"np.{name} {reason}; to leave the tape and compute on arrays, pass x.detach().numpy()")


def _is_whole(x: Any) -> bool:
    """Whether a tensor holds integers or booleans in NumPy's memory."""
    return isinstance(x.array, (np.ndarray, np.generic)) and not is_floating(x.dtype)


def _operand(x: Any) -> Any:
    """The other operand in NumPy's call as a tensor, or as a Python number, which never promotes; None if neither."""
    if isinstance(x, apply.tensor_class):
        return x
    value = apply.operand(np.array(x) if isinstance(x, list) else x)
    return apply.wrap(value, None) if hasattr(value, "dtype") else value


def _beside(x: Any, tensor: Any) -> Any:
    """A tensor for a Python number beside `tensor`, in the dtype that it takes there."""
    if isinstance(x, apply.tensor_class):
        return x
    dtype = tensor.dtype if is_floating(tensor.dtype) or not isinstance(x, float) else get_default_dtype()
    return ours.tensor(x, dtype=dtype)


@functools.cache
def _in_linalg(name: str) -> Callable[..., Any] | None:
    """Our function of the name that NumPy has in numpy.linalg: their arguments differ in two names only."""
    family, _, last = name.rpartition(".")
    function = getattr(ours.linalg, last, None) if family == "linalg" else None
    if function is None:
        return None

    def call(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **{{"axis": "dim", "keepdims": "keepdim"}.get(key, key): kwargs[key] for key in kwargs})

    return call


_signature = functools.cache(inspect.signature)


def _tensors(value: Any) -> Any:
    """`value` with tensors in place of NumPy's arrays, also in a list or tuple of arrays."""
    if isinstance(value, np.ndarray):
        return apply.wrap(own(value), None)
    if isinstance(value, (list, tuple)) and any(isinstance(x, (np.ndarray, apply.tensor_class)) for x in value):
        return [_tensors(x) for x in value]
    return value


def _plain(value: Any) -> Any:
    """`value` with read-only arrays in place of tensors, however deep in lists, tuples and dictionaries."""
    if isinstance(value, apply.tensor_class):
        return value.detach().numpy()
    if isinstance(value, (list, tuple)):
        return type(value)([_plain(x) for x in value])
    return {key: _plain(x) for key, x in value.items()} if isinstance(value, dict) else value


def _requires_grad(value: Any) -> bool:
    if isinstance(value, apply.tensor_class):
        return bool(value.requires_grad)
    inner = value.values() if isinstance(value, dict) else value
    return isinstance(inner, (list, tuple, type({}.values()))) and any(map(_requires_grad, inner))
