"""`Tensor`: an array, and how it was made."""

from __future__ import annotations

import builtins
import operator
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from tinygrad_poly import arrays, functions, operators
from tinygrad_poly.arrays import NUMPY, as_dtype
from tinygrad_poly.derivatives import arithmetic, elementwise, linalg, shapes
from tinygrad_poly.differentiable import Differentiable
from tinygrad_poly.errors import DtypeError
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

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        return sys.modules["tinygrad_poly"]

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
    pow = named(__pow__, "pow")

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

    # Functions that are methods too: elementwise

    square, sqrt, exp, log = functions.square, functions.sqrt, functions.exp, functions.log
    sin, cos, tanh = functions.sin, functions.cos, functions.tanh

    # Reductions

    sum, mean = functions.sum, functions.mean

    # Linear algebra

    matmul = mm = functions.matmul

    # Shapes

    reshape = view = functions.reshape
    flatten, squeeze, unsqueeze = functions.flatten, functions.squeeze, functions.unsqueeze
    permute, transpose, t = functions.permute, functions.transpose, functions.t
    expand = broadcast_to = functions.expand
    clone = functions.clone

    @property
    def T(self) -> Tensor:  # noqa: N802 - NumPy's name
        """The dimensions reversed."""
        return self.permute(range(self.ndim)[::-1])

    @property
    def mT(self) -> Tensor:  # noqa: N802 - NumPy's name
        """The last two dimensions exchanged."""
        return self.transpose(-2, -1)

    def __getitem__(self, index: Any) -> Tensor:
        parts = index if isinstance(index, tuple) else (index,)
        plain = tuple(part.array if isinstance(part, Tensor) else arrays.own(part) for part in parts)
        try:
            return apply_operation(shapes.getitem, self, plain if isinstance(index, tuple) else plain[0])
        except IndexError as error:
            raise IndexError(f"{error} (the tensor has shape {self.shape})") from None

    def __iter__(self) -> Iterator[Tensor]:
        return (self[i] for i in range(len(self)))


operators.tensor_class = Tensor
