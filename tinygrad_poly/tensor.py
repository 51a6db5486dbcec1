"""`Tensor`: an array, and how it was made."""

from __future__ import annotations

import builtins
import operator
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tinygrad_poly import arrays, operators
from tinygrad_poly.arrays import NUMPY, Shape, as_dtype, full_shape, normalize_axes
from tinygrad_poly.derivatives import arithmetic, elementwise, linalg, reductions, shapes
from tinygrad_poly.differentiable import Differentiable
from tinygrad_poly.errors import DtypeError, ShapeError
from tinygrad_poly.operators import (
    apply_operation,
    apply_unary,
    binary,
    check_in_place,
    comparison,
    in_place,
    is_recording,
    named,
    operand,
    unary,
)


class Tensor(Differentiable):
    """An array with a place on the tape.

    Arithmetic on tensors computes on their arrays at once. If a tensor requires grad, the operation is
    also recorded, and `backward` on the result fills in `grad`, the gradient with respect to it.

    Two fields hold all of it: `array`, which nothing ever writes into, and `node`, which says how the
    array was made (None if no gradient flows through it).

    >>> import tinygrad_poly as tg
    >>> x = tg.tensor(3.0, requires_grad=True)
    >>> y = x * x + 2 * x
    >>> y.backward()
    >>> x.grad                      # dy/dx = 2x + 2
    tensor(8.)
    """

    __slots__ = ()
    __array_ufunc__ = None  # so that `ndarray * tensor` asks the tensor

    def __init__(self, *_: Any) -> None:
        raise TypeError("make tensors with tensor([1.0, 2.0]), zeros(3), linspace(...), or FloatTensor([1, 2])")

    # Where and in which dtype

    def to(self, target: Any = None, *, dtype: Any = None, device: Any = None) -> Tensor:
        """Convert to another dtype or on another device: `to("cpu")`, `to(torch.float64)`, `to(other)`.

        The tensor itself is returned if nothing changes.
        """
        if isinstance(target, (str, arrays.device)):
            device = target
        elif isinstance(target, Tensor):
            device, dtype = target.device, target.dtype
        elif target is not None:
            dtype = target
        tensor = self
        if device is not None and (place := arrays.device(device)) != self.device:
            tensor = apply_operation(shapes.to_device, tensor, place, self.device)
        if isinstance(self.array, NUMPY):
            dtype = None if dtype is None else as_dtype(dtype)
        if dtype is not None and dtype != self.dtype:
            tensor = apply_operation(shapes.astype, tensor, dtype)
            if not arrays.is_floating(dtype):
                tensor.node = None
        return tensor

    def float(self) -> Tensor:
        """In float32."""
        return self.to(np.float32)

    def double(self) -> Tensor:
        """In float64."""
        return self.to(np.float64)

    def cpu(self) -> Tensor:
        """In NumPy's memory."""
        return self.to("cpu")

    def clone(self) -> Tensor:
        """A copy on the tape."""
        return apply_unary(shapes.clone, self)

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        from tinygrad_poly import functions

        return functions

    # Arithmetic

    __add__ = __radd__ = binary(arithmetic.add)
    __sub__ = binary(arithmetic.subtract)
    __rsub__ = binary(arithmetic.subtract, reflected=True)
    __mul__ = __rmul__ = binary(arithmetic.multiply)
    __truediv__ = binary(arithmetic.divide)
    __rtruediv__ = binary(arithmetic.divide, reflected=True)
    __neg__ = neg = negative = unary(arithmetic.negative)
    __matmul__ = binary(linalg.matmul)
    __rmatmul__ = binary(linalg.matmul, reflected=True)
    _tensor_power = binary(arithmetic.power)
    _power_of = binary(arithmetic.power, reflected=True)

    def __pow__(self, exponent: Any) -> Tensor:
        if type(exponent) is int and exponent >= 0:
            return apply_unary(arithmetic.power_scalar, self, exponent)
        if isinstance(exponent, np.generic):
            exponent = exponent.item()
        if not isinstance(exponent, (int, builtins.float)):
            return self._tensor_power(exponent)
        if arrays.is_floating(self.dtype) or (isinstance(exponent, int) and exponent >= 0):
            return apply_unary(arithmetic.power_scalar, self, exponent)
        if isinstance(exponent, int):
            raise DtypeError(f"{self.dtype} to the power {exponent} is not an integer; use .float() first")
        return self.to(arrays.get_default_dtype()) ** exponent

    def __rpow__(self, base: Any) -> Tensor:
        base = operand(base)
        if isinstance(base, (int, builtins.float)):
            whole = isinstance(base, int) or arrays.is_floating(self.dtype)
            dtype = self.dtype if whole else arrays.get_default_dtype()
            base = arrays.namespace(self.array).asarray(base, dtype=dtype)
        return NotImplemented if base is None else self._power_of(base)

    add = named(__add__, "add")
    sub = subtract = named(__sub__, "sub")
    mul = multiply = named(__mul__, "mul")
    div = divide = named(__truediv__, "div")
    matmul = mm = named(__matmul__, "matmul")
    pow = named(__pow__, "pow")

    def square(self) -> Tensor:
        """x², elementwise."""
        return apply_unary(arithmetic.power_scalar, self, 2)

    exp = unary(elementwise.exp)
    log = unary(elementwise.log)
    sin = unary(elementwise.sin)
    cos = unary(elementwise.cos)
    tanh = unary(elementwise.tanh)
    sqrt = unary(elementwise.sqrt)

    __iadd__ = in_place(__add__, "+=")
    __isub__ = in_place(__sub__, "-=")
    __imul__ = in_place(__mul__, "*=")
    __itruediv__ = in_place(__truediv__, "/=")
    add_, sub_ = named(__iadd__, "add_"), named(__isub__, "sub_")
    mul_, div_ = named(__imul__, "mul_"), named(__itruediv__, "div_")

    def zero_(self) -> Tensor:
        """Replace every element by 0."""
        return self.fill_(0)

    def fill_(self, value: builtins.float) -> Tensor:
        """Replace every element by `value`, which does not depend on what was there."""
        check_in_place(self, "fill_()")
        xp = arrays.namespace(self.array)
        keep = xp.zeros(self.shape, dtype=xp.bool)
        result = apply_operation(elementwise.where, keep, self, xp.asarray(value, dtype=self.dtype))
        self.array, self.node = result.array, result.node if is_recording() else self.node
        return self

    def __setitem__(self, index: Any, value: Any) -> None:
        raise TypeError(
            "tensors are values: assigning to elements is not supported; build the tensor from its parts, "
            "or compute where(condition, value, tensor)"
        )

    # Comparisons

    __eq__ = eq = comparison(operator.eq)
    __ne__ = ne = comparison(operator.ne)
    __lt__ = lt = comparison(operator.lt)
    __le__ = le = comparison(operator.le)
    __gt__ = gt = comparison(operator.gt)
    __ge__ = ge = comparison(operator.ge)
    __and__ = comparison(operator.and_)
    __or__ = comparison(operator.or_)
    __hash__ = object.__hash__

    # Reductions

    def sum(self, dim: Any = None, keepdim: bool = False) -> Tensor:
        """Σx over `dim` (one dimension, several, or all)."""
        axes = None if dim is None else normalize_axes(dim, self.ndim, "sum")
        return apply_unary(reductions.sum, self, axes, keepdim)

    def mean(self, dim: Any = None, keepdim: bool = False) -> Tensor:
        """The average over `dim` (one dimension, several, or all)."""
        axes = None if dim is None else normalize_axes(dim, self.ndim, "mean")
        result = apply_unary(reductions.mean, self, axes, keepdim)
        if result.array.dtype is not self.array.dtype and not arrays.is_floating(self.dtype):
            raise DtypeError(f"mean() needs a floating-point tensor, and this one is {self.dtype}: use .float()")
        return result

    # Shapes

    def reshape(self, *shape: Any) -> Tensor:
        """The same elements in another shape; one length may be -1."""
        return apply_unary(shapes.reshape, self, full_shape(lengths(shape), self.numel(), "reshape"))

    view = reshape

    def flatten(self) -> Tensor:
        """The elements in one dimension."""
        return self.reshape(-1)

    def permute(self, *dims: Any) -> Tensor:
        """The dimensions in another order."""
        axes = normalize_axes(lengths(dims), self.ndim, "permute")
        if axes is None or len(axes) != self.ndim:
            raise ShapeError(f"permute: {self.ndim} dimensions need an order of {self.ndim}, not {lengths(dims)}")
        return apply_unary(shapes.permute, self, axes)

    def transpose(self, dim0: int, dim1: int) -> Tensor:
        """Two dimensions exchanged."""
        (first,), (second,) = normalize_axes(dim0, self.ndim, "transpose"), normalize_axes(dim1, self.ndim, "transpose")  # type: ignore[misc]
        order = list(range(self.ndim))
        order[first], order[second] = order[second], order[first]
        return self.permute(order)

    def t(self) -> Tensor:
        """The transpose of a matrix; a vector as it is."""
        if self.ndim > 2:
            raise ShapeError(f"t() is for matrices, and this tensor has shape {self.shape}; use .transpose or .mT")
        return self.T

    @property
    def T(self) -> Tensor:  # noqa: N802 - NumPy's name
        """The dimensions reversed."""
        return self.permute(tuple(reversed(range(self.ndim))))

    @property
    def mT(self) -> Tensor:  # noqa: N802 - NumPy's name
        """The last two dimensions exchanged."""
        return self.transpose(-2, -1)

    def squeeze(self, dim: int | None = None) -> Tensor:
        """Without dimensions of length 1 (or without `dim` if its length is 1)."""
        dropped = range(self.ndim) if dim is None else normalize_axes(dim, self.ndim, "squeeze") or ()
        return self.reshape(tuple(n for i, n in enumerate(self.shape) if n != 1 or i not in dropped))

    def unsqueeze(self, dim: int) -> Tensor:
        """With a dimension of length 1 inserted at `dim`."""
        (at,) = normalize_axes(dim, self.ndim + 1, "unsqueeze")  # type: ignore[misc]
        return self.reshape((*self.shape[:at], 1, *self.shape[at:]))

    def expand(self, *shape: Any) -> Tensor:
        """Repeated along new dimensions and dimensions of length 1; -1 keeps a length."""
        wanted = lengths(shape)
        kept = (1,) * (len(wanted) - self.ndim) + self.shape
        return apply_operation(
            shapes.broadcast_to, self, tuple(k if n == -1 else n for n, k in zip(wanted, kept, strict=False))
        )

    def __getitem__(self, index: Any) -> Tensor:
        parts = index if isinstance(index, tuple) else (index,)
        plain = tuple(part.array if isinstance(part, Tensor) else arrays.own(part) for part in parts)
        try:
            return apply_operation(shapes.getitem, self, plain if isinstance(index, tuple) else plain[0])
        except IndexError as error:
            raise IndexError(f"{error} (the tensor has shape {self.shape})") from None

    def __iter__(self) -> Iterator[Tensor]:
        return (self[i] for i in range(len(self)))


def lengths(given: Sequence[Any]) -> Shape:
    """`view(2, 3)` and `view((2, 3))` mean the same."""
    inner = given[0] if len(given) == 1 and isinstance(given[0], (tuple, list)) else given
    return tuple(int(n) for n in inner)


operators.tensor_class = Tensor
