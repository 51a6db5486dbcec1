"""`Tensor`: an array, and how it was made."""

from __future__ import annotations

import builtins
import operator
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from tinygrad_poly import arrays, backward
from tinygrad_poly.arrays import Array, Shape, as_dtype, full_shape, normalize_axes
from tinygrad_poly.backward import Node
from tinygrad_poly.conversions import Conversions
from tinygrad_poly.derivatives import arithmetic, elementwise, linalg, reductions, shapes
from tinygrad_poly.derivatives.operation import Operation
from tinygrad_poly.errors import DtypeError, GraphError, ShapeError
from tinygrad_poly.recording import recording

new = object.__new__
is_recording = recording.get


def wrap(array: Array, node: Node | None) -> Tensor:
    """A tensor of an array and its node."""
    tensor = new(Tensor)
    tensor.array = array
    tensor.node = node
    return tensor


def apply_operation(operation: Operation, *arguments: Any) -> Tensor:
    """Apply a row of the derivative table to tensors, arrays and numbers, then options; record it."""
    count = len(operation.rules)
    given, options = arguments[:count], arguments[count:]
    inputs = tuple([x.array if isinstance(x, Tensor) else arrays.own(x) for x in given])
    parents = tuple([x.node if isinstance(x, Tensor) else None for x in given])
    try:
        y = operation.forward(*inputs, *options)
    except ValueError as error:
        raise _mismatch(operation, inputs, error) from None
    if y.dtype is not inputs[0].dtype and (settled := arrays.without_integers(inputs, y.dtype)):
        y = operation.forward(*(inputs := settled), *options)
    if parents.count(None) == count or not is_recording():
        return wrap(y, None)
    return wrap(y, Node(operation, parents, operation.save(inputs, y) + options, y))


def apply_unary(operation: Operation, x: Tensor, *options: Any) -> Tensor:
    """`apply_operation` for one tensor, without what only several inputs need."""
    array, parent = x.array, x.node
    y = operation.forward(array, *options)
    if y.dtype is not array.dtype and (settled := arrays.without_integers((array,), y.dtype)):
        y = operation.forward(*settled, *options)
    if parent is None or not is_recording():
        return wrap(y, None)
    return wrap(y, Node(operation, (parent,), operation.save((array,), y) + options, y))


def _mismatch(operation: Operation, inputs: tuple[Array, ...], error: ValueError) -> ShapeError:
    given = ", ".join(str(getattr(x, "shape", x)) for x in inputs)
    return ShapeError(f"{operation.name.lower()}: shapes {given} do not fit together ({error})")


def _operand(other: Any) -> Array | None:
    """What stands beside a tensor in an expression, as an array or Python number; None if it cannot."""
    if isinstance(other, (bool, int, float)):
        return other if type(other) in (bool, int, float) else other.item()  # type: ignore[union-attr]
    if isinstance(other, np.generic):
        return other.item()
    return arrays.own(other) if hasattr(other, "dtype") and hasattr(other, "shape") else None


def _binary(operation: Operation, reflected: bool = False) -> Callable[[Tensor, Any], Tensor]:
    """An operator method. The hot path of the eager engine: `apply_operation` with two inputs written out."""
    forward, save = operation.forward, operation.save
    saves_inputs = operation.saves_inputs and not operation.saves_output

    def method(self: Tensor, other: Any) -> Tensor:
        if isinstance(other, Tensor):
            right, right_node = other.array, other.node
        else:
            right, right_node = other, None
            if type(other) is not float and type(other) is not int:
                right = _operand(other)
                if right is None:
                    return NotImplemented  # type: ignore[no-any-return]
        left, left_node = self.array, self.node
        if reflected:
            left, right, left_node, right_node = right, left, right_node, left_node
        try:
            y = forward(left, right)
        except ValueError as error:
            raise _mismatch(operation, (left, right), error) from None
        if y.dtype is not self.array.dtype and (settled := arrays.without_integers((left, right), y.dtype)):
            left, right = settled
            y = forward(left, right)
        tensor = new(Tensor)
        tensor.array = y
        if (left_node is None and right_node is None) or not is_recording():
            tensor.node = None
        else:
            saved = (left, right) if saves_inputs else save((left, right), y)
            tensor.node = Node(operation, (left_node, right_node), saved, y)
        return tensor

    return method


def _named(operator_method: Callable[[Tensor, Any], Tensor], name: str) -> Callable[[Tensor, Any], Tensor]:
    """`a.add(b)` for `a + b`: where Python would go on to ask `b`, a method has to refuse."""

    def method(self: Tensor, other: Any) -> Tensor:
        result = operator_method(self, other)
        if result is NotImplemented:
            raise DtypeError(f"{name}() expects a tensor, an array or a number, not {type(other).__name__}")
        return result

    return method


def _unary(operation: Operation) -> Callable[[Tensor], Tensor]:
    def method(self: Tensor) -> Tensor:
        return apply_unary(operation, self)

    return method


def _comparison(compare: Callable[[Any, Any], Any]) -> Callable[[Tensor, Any], Any]:
    """An operator whose result has no derivative."""

    def method(self: Tensor, other: Any) -> Any:
        right = other.array if isinstance(other, Tensor) else _operand(other)
        return NotImplemented if right is None else wrap(compare(self.array, right), None)

    return method


def _in_place(compute: Callable[[Tensor, Any], Tensor], symbol: str) -> Callable[[Tensor, Any], Tensor]:
    """`a -= b`: the tensor gets a new array; whoever holds the old array keeps it unchanged."""

    def method(self: Tensor, other: Any) -> Tensor:
        self._check_in_place(symbol)
        result = compute(self, other)
        if result is NotImplemented:
            return NotImplemented  # type: ignore[no-any-return]
        if result.array.shape != self.array.shape:
            raise ShapeError(
                f"{symbol} would change the shape {self.array.shape} to {result.array.shape}; "
                "write it with a new name instead of in place"
            )
        if result.array.dtype != self.array.dtype:
            if not arrays.is_floating(self.array.dtype):
                raise DtypeError(
                    f"{symbol} gives {result.array.dtype}, which a {self.array.dtype} tensor cannot hold; "
                    "convert the tensor with .float() first"
                )
            result = result.to(self.array.dtype)
        self.array = result.array
        if result.node is not None:
            self.node = result.node
        return self

    return method


class Tensor(Conversions):
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

    __slots__ = ("array", "node")
    __array_ufunc__ = None  # so that `ndarray * tensor` asks the tensor

    def __init__(self, *_: Any) -> None:
        raise TypeError("make tensors with tensor([1.0, 2.0]), zeros(3), linspace(...), or FloatTensor([1, 2])")

    # What it is

    @property
    def shape(self) -> Shape:
        """The lengths of its dimensions."""
        shape: Shape = self.array.shape
        return shape

    @property
    def dtype(self) -> Any:
        """The type of its elements, a NumPy dtype."""
        return self.array.dtype

    @property
    def device(self) -> arrays.device:
        """Where its array lives."""
        return arrays.device_of(self.array)

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return len(self.array.shape)

    def size(self, dim: int | None = None) -> Any:
        """The shape, or the length of one dimension."""
        if dim is None:
            return self.shape
        (axis,) = normalize_axes(dim, self.ndim, "size")  # type: ignore[misc]
        return self.shape[axis]

    def dim(self) -> int:
        """The number of dimensions."""
        return self.ndim

    def numel(self) -> int:
        """The number of elements."""
        return reductions.count(self.shape, None)

    # Its gradient

    @property
    def requires_grad(self) -> bool:
        """Whether gradients flow to or through this tensor."""
        return self.node is not None

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        self.requires_grad_(value)

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Ask for a gradient of this tensor, or stop asking; returns the tensor.

        Raises:
            DtypeError: for integers, booleans and complex numbers, which have no real derivative.
            GraphError: for a tensor that was computed from others.
        """
        if requires_grad:
            if not arrays.is_floating(self.dtype):
                raise DtypeError(
                    f"only floating-point tensors can require gradients, and this one is {self.dtype}: "
                    "convert it with .float() or write its numbers with a decimal point"
                )
            if self.node is None:
                self.node = backward.leaf(self.array)
        elif self.node is not None:
            if self.node.operation is not None:
                raise GraphError(
                    f"requires_grad can only be switched off on leaf tensors, and this one was computed by "
                    f"{self.node!r}; use .detach() for a copy without the graph"
                )
            self.node = None
        return self

    @property
    def grad(self) -> Tensor | None:
        """The gradient that `backward` accumulated here, or None."""
        node = self.node
        return None if node is None else node.grad

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is None:
            if self.node is not None:
                self.node.grad = None
            return
        if not isinstance(value, Tensor):
            raise DtypeError(f"grad must be a tensor or None, not {type(value).__name__}")
        if self.node is None:
            raise GraphError("this tensor does not require grad; call requires_grad_() before giving it one")
        if value.shape != self.shape or value.dtype != self.dtype:
            raise ShapeError(
                f"a gradient must be like its tensor, {self.dtype} of shape {self.shape}, "
                f"but was {value.dtype} of shape {value.shape}"
            )
        self.node.grad = value

    @property
    def is_leaf(self) -> bool:
        """Whether the tensor was made by the user and not computed from tensors that require grad."""
        return self.node is None or self.node.operation is None

    @property
    def grad_fn(self) -> Node | None:
        """The node that recorded how the tensor was computed; None for a leaf."""
        return None if self.is_leaf else self.node

    def retain_grad(self) -> None:
        """Keep the gradient of this tensor too, although it is not a leaf.

        Raises:
            GraphError: if it does not require grad.
        """
        if self.node is None:
            raise GraphError("retain_grad() on a tensor that does not require grad: no gradient will ever reach it")
        self.node.keeps_grad = True

    def backward(
        self,
        gradient: Tensor | None = None,
        retain_graph: bool | None = None,
        create_graph: bool = False,
    ) -> None:
        """Compute the gradients of this tensor and add them to the `grad` of the leaves it came from.

        Args:
            gradient: the cotangent v of vᵀJ, of this tensor's shape; not needed for a scalar (v = 1).
            retain_graph: keep what the rules need for a second backward pass over the same graph.
            create_graph: record the backward pass, so that the gradients can be differentiated.

        Raises:
            GraphError: without a graph, without `gradient` for more than one element, or where
                the graph was freed by an earlier pass.
            ShapeError: where `gradient` has another shape.

        >>> import tinygrad_poly as tg
        >>> x = tg.tensor([1.0, 2.0], requires_grad=True)
        >>> (x * x).backward(tg.tensor([1.0, 10.0]))
        >>> x.grad
        tensor([ 2., 40.])
        """
        output = backward.start(self, gradient, wrap, create_graph)
        retain = create_graph if retain_graph is None else retain_graph
        backward.walk([output], wrap, retain_graph=retain, create_graph=create_graph)

    def detach(self) -> Tensor:
        """The same numbers, cut off from the graph."""
        return wrap(self.array, None)

    @property
    def data(self) -> Tensor:
        """The same numbers, cut off from the graph; assigning to it replaces them unrecorded."""
        return wrap(self.array, None)

    @data.setter
    def data(self, value: Tensor) -> None:
        if not isinstance(value, Tensor):
            raise DtypeError(f"data must be a tensor, not {type(value).__name__}")
        if self.node is not None:
            if self.node.operation is None:
                arrays_differ = value.shape != self.shape or value.dtype != self.dtype
                self.node = backward.leaf(value.array) if arrays_differ else self.node
            elif value.shape != self.shape:
                raise ShapeError(f"data of shape {value.shape} cannot replace data of shape {self.shape}")
        self.array = value.array

    def _check_in_place(self, what: str) -> None:
        node = self.node
        if node is not None and node.operation is None and is_recording():
            raise GraphError(
                f"{what} changes a leaf that requires grad in place, which cannot be recorded; "
                "update weights under `with no_grad():`, or write a new tensor: w = w - step"
            )

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
        if dtype is not None and (kind := as_dtype(dtype)) != self.dtype:
            tensor = apply_operation(shapes.astype, tensor, kind)
            if not arrays.is_floating(kind):
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

    # Arithmetic

    __add__ = __radd__ = _binary(arithmetic.add)
    __sub__ = _binary(arithmetic.subtract)
    __rsub__ = _binary(arithmetic.subtract, reflected=True)
    __mul__ = __rmul__ = _binary(arithmetic.multiply)
    __truediv__ = _binary(arithmetic.divide)
    __rtruediv__ = _binary(arithmetic.divide, reflected=True)
    __neg__ = neg = negative = _unary(arithmetic.negative)
    __matmul__ = _binary(linalg.matmul)
    __rmatmul__ = _binary(linalg.matmul, reflected=True)
    _tensor_power = _binary(arithmetic.power)
    _power_of = _binary(arithmetic.power, reflected=True)

    def __pow__(self, exponent: Any) -> Tensor:
        if type(exponent) is int or isinstance(exponent, (int, builtins.float)):
            return apply_unary(arithmetic.power_scalar, self, exponent)
        return self._tensor_power(exponent)

    add = _named(__add__, "add")
    sub = subtract = _named(__sub__, "sub")
    mul = multiply = _named(__mul__, "mul")
    div = divide = _named(__truediv__, "div")
    matmul = mm = _named(__matmul__, "matmul")
    pow = _named(__pow__, "pow")

    def __rpow__(self, base: Any) -> Tensor:
        if isinstance(base, (int, builtins.float)):
            base = np.asarray(base, np.result_type(self.dtype, type(base)))
        return self._power_of(base)

    def square(self) -> Tensor:
        """x², elementwise."""
        return apply_unary(arithmetic.power_scalar, self, 2)

    exp = _unary(elementwise.exp)
    log = _unary(elementwise.log)
    sin = _unary(elementwise.sin)
    cos = _unary(elementwise.cos)
    tanh = _unary(elementwise.tanh)
    sqrt = _unary(elementwise.sqrt)

    __iadd__ = _in_place(__add__, "+=")
    __isub__ = _in_place(__sub__, "-=")
    __imul__ = _in_place(__mul__, "*=")
    __itruediv__ = _in_place(__truediv__, "/=")
    add_, sub_ = _named(__iadd__, "add_"), _named(__isub__, "sub_")
    mul_, div_ = _named(__imul__, "mul_"), _named(__itruediv__, "div_")

    def zero_(self) -> Tensor:
        """Replace every element by 0."""
        return self.fill_(0)

    def fill_(self, value: builtins.float) -> Tensor:
        """Replace every element by `value`, which does not depend on what was there."""
        self._check_in_place("fill_()")
        self.array = arrays.namespace(self.array).full_like(self.array, value)
        if self.grad_fn is not None and is_recording():
            self.node = None
        return self

    def __setitem__(self, index: Any, value: Any) -> None:
        raise TypeError(
            "tensors are values: assigning to elements is not supported; build the tensor from its parts, "
            "or compute where(condition, value, tensor)"
        )

    # Comparisons

    __eq__ = eq = _comparison(operator.eq)
    __ne__ = ne = _comparison(operator.ne)
    __lt__ = lt = _comparison(operator.lt)
    __le__ = le = _comparison(operator.le)
    __gt__ = gt = _comparison(operator.gt)
    __ge__ = ge = _comparison(operator.ge)
    __and__ = _comparison(operator.and_)
    __or__ = _comparison(operator.or_)
    __hash__ = object.__hash__

    # Reductions

    def sum(self, dim: Any = None, keepdim: bool = False) -> Tensor:
        """Σx over `dim` (one dimension, several, or all)."""
        axes = None if dim is None else normalize_axes(dim, self.ndim, "sum")
        return apply_unary(reductions.sum, self, axes, keepdim)

    def mean(self, dim: Any = None, keepdim: bool = False) -> Tensor:
        """The average over `dim` (one dimension, several, or all)."""
        if not arrays.is_floating(self.dtype):
            raise DtypeError(f"mean() needs a floating-point tensor, and this one is {self.dtype}: use .float()")
        axes = None if dim is None else normalize_axes(dim, self.ndim, "mean")
        return apply_unary(reductions.mean, self, axes, keepdim)

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
        first, second = normalize_axes((dim0, dim1), self.ndim, "transpose") if dim0 != dim1 else (dim0, dim1)  # type: ignore[misc]
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
