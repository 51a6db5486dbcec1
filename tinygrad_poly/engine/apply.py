"""Application: rows of the derivative table applied to tensors and recorded as nodes, and operators made of rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_poly.engine import arrays
from tinygrad_poly.engine.arrays import Array, Shape
from tinygrad_poly.engine.errors import DtypeError, ShapeError
from tinygrad_poly.engine.operation import Operation
from tinygrad_poly.engine.recording import recording

if TYPE_CHECKING:
    from tinygrad_poly.tensor import Tensor

new: Callable[[type[Any]], Any] = object.__new__
is_recording = recording.get
# The one late binding: operations make tensors, and a tensor has operations for methods. So the package says, when it
# is complete, what the class of tensors is, and that it is itself the array API's namespace of a tensor.
tensor_class: Any = None
tensor_namespace: Any = None


def bind(kind: type[Any], namespace: Any) -> None:
    """Set the class of all tensors, and the module whose functions work on them."""
    global tensor_class, tensor_namespace
    tensor_class, tensor_namespace = kind, namespace


class Node:
    """A record of how a tensor was made: the operation, the nodes of its inputs, and the arrays that its rules need.

    A leaf (a tensor that the user made) has no operation, and keeps its gradient here. A node
    refers only to nodes that came before it, so there are no cycles, and it keeps the arrays that it
    was recorded with: a tensor that is updated later gets a new array and the node does not notice.

    `keeps_grad` says whether a backward pass leaves the gradient here: False, True, or the tensor's hooks, which are
    called with the gradient and know it too (`hooks.Hooks`).
    """

    __slots__ = ("dtype", "grad", "keeps_grad", "operation", "parents", "saved", "shape")

    def __init__(
        self, operation: Operation | None, parents: tuple[Node | None, ...], saved: tuple[Any, ...], array: Array
    ) -> None:
        self.operation = operation
        self.parents = parents
        self.saved: Any = saved
        self.shape: Shape = array.shape
        self.dtype = array.dtype
        self.grad: Any = None
        self.keeps_grad: Any = operation is None

    @property
    def retains(self) -> bool:
        """Whether a backward pass leaves the gradient here; hooks stay when it is set."""
        kept = self.keeps_grad
        return kept if kept.__class__ is bool else kept.keeps

    @retains.setter
    def retains(self, value: bool) -> None:
        if self.keeps_grad.__class__ is bool:
            self.keeps_grad = value
        else:
            self.keeps_grad.keeps = value

    def name(self) -> str:
        """Torch's name of the node, such as `AddBackward0`."""
        return self.operation.node_name(self) if self.operation else "torch::autograd::AccumulateGrad"

    @property
    def next_functions(self) -> tuple[tuple[Node | None, int], ...]:
        """The nodes of the inputs, paired with 0 as in torch (no operation here has two outputs)."""
        return tuple((parent, 0) for parent in self.parents)

    def __repr__(self) -> str:
        return f"<{self.name().rpartition(':')[2]} object at {id(self):#x}>"


def leaf(array: Array) -> Node:
    """The node of a leaf: a tensor that requires grad and was not computed from others."""
    return Node(None, (), (), array)


def wrap(array: Array, node: Node | None) -> Tensor:
    """A tensor made of an array and its node."""
    tensor: Tensor = new(tensor_class)
    tensor.array = array
    tensor.node = node
    tensor.moved = None
    return tensor


def apply_operation(operation: Operation, *arguments: Any) -> Tensor:
    """Apply a row of the derivative table to tensors, arrays and numbers, then options; record it."""
    count = len(operation.rules)
    given, options = arguments[:count], arguments[count:]
    inputs = tuple([x.array if isinstance(x, tensor_class) else arrays.own(x) for x in given])
    parents = tuple([x.node if isinstance(x, tensor_class) else None for x in given])
    try:
        y = operation.forward(*inputs, *options)
    except (TypeError, ValueError) as error:
        if together := _all_on_gpu(given):
            return apply_operation(operation, *together, *options)
        raise _explained(operation.name, inputs, error) from None
    if y.dtype is not inputs[0].dtype and (settled := arrays.without_integers(inputs, y.dtype)):
        y = operation.forward(*(inputs := settled), *options)
    if parents.count(None) == count or not (mode := is_recording()):
        return wrap(y, None)
    tensor = wrap(y, Node(operation, parents, operation.save(inputs, y) + options, y))
    if mode is not True:
        mode.tell(operation, inputs, options, tensor)
    return tensor


def apply_unary(operation: Operation, x: Tensor, *options: Any) -> Tensor:
    """Apply a row to one tensor: `apply_operation` without what only several inputs need."""
    array, parent = x.array, x.node
    y = operation.forward(array, *options)
    if y.dtype is not array.dtype and (settled := arrays.without_integers((array,), y.dtype)):
        y = operation.forward(*settled, *options)
    if parent is None or not (mode := is_recording()):
        return wrap(y, None)
    tensor = wrap(y, Node(operation, (parent,), operation.save((array,), y) + options, y))
    if mode is not True:
        mode.tell(operation, (array,), options, tensor)
    return tensor


def _all_on_gpu(given: tuple[Any, ...]) -> list[Any] | None:
    """All inputs on the GPU, if a call failed because 0-d tensors on the CPU met tensors on a GPU; else None.

    Torch allows this. The gradient goes back to the CPU.
    """
    places = [arrays.device_of(getattr(x, "array", x)) for x in given]
    place = next((place for place in places if place.type != "cpu"), None)
    if place is None:
        return None
    moved = []
    for x, here in zip(given, places):
        array = x.array if isinstance(x, tensor_class) else x
        if here.type == "cpu" and hasattr(array, "shape"):
            if array.shape:
                return None
            x = x.to(place) if isinstance(x, tensor_class) else place.asarray(array)
        moved.append(x)
    return moved if any(new is not old for new, old in zip(moved, given)) else None


def _explained(name: str, inputs: tuple[Array, ...], error: Exception) -> Exception:
    """The error to raise: NumPy's plain ValueError, which is about shapes, with the shapes added; others unchanged.

    Raises:
        DeviceError: where the inputs are on several devices.
    """
    arrays.all_together(*inputs)
    if type(error) is not ValueError:
        return error
    given = " and ".join(str(getattr(x, "shape", x)) for x in inputs)
    reason = str(error)
    if "broadcast" in reason:
        reason = "counted from the last dimension, lengths must be equal or 1"
    return ShapeError(f"{name.lower()}: shapes {given} do not fit together: {reason}")


def operand(other: Any) -> Array | None:
    """The other operand of an operator as an array or Python number; None if it cannot be one."""
    if isinstance(other, (bool, int, float)):
        return other if type(other) in (bool, int, float) else other.item()  # type: ignore[union-attr]
    if isinstance(other, np.generic):
        return arrays.own(other).item()
    return arrays.own(other) if hasattr(other, "dtype") and hasattr(other, "shape") else None


def checked(value: Any, name: str) -> Tensor:
    """The value itself, after a check that it is a tensor, as the function `name` expects."""
    if not isinstance(value, tensor_class):
        raise DtypeError(f"{name}() expects a tensor, not {type(value).__name__}; wrap it: tensor(...)")
    return value  # type: ignore[no-any-return]


def binary(operation: Operation, reflected: bool = False) -> Callable[[Tensor, Any], Tensor]:
    """The method of a binary operator: `apply_operation` written out for two inputs, as this is the hot path."""
    forward, save = operation.forward, operation.save
    saves_inputs = operation.saves_inputs and not operation.saves_output
    saves_nothing = not (operation.frees or operation.saves_shapes)

    def method(self: Tensor, other: Any) -> Tensor:
        if isinstance(other, tensor_class):
            right, right_node = other.array, other.node
        else:
            right, right_node = other, None
            if type(other) is not float and type(other) is not int:
                right = operand(other)
                if right is None:
                    return NotImplemented  # type: ignore[no-any-return]
        left, left_node = self.array, self.node
        if reflected:
            left, right, left_node, right_node = right, left, right_node, left_node
        try:
            y = forward(left, right)
        except (TypeError, ValueError) as error:
            if together := _all_on_gpu((other, self) if reflected else (self, other)):
                return apply_operation(operation, *together)
            raise _explained(operation.name, (left, right), error) from None
        if y.dtype is not self.array.dtype and (settled := arrays.without_integers((left, right), y.dtype)):
            left, right = settled
            y = forward(left, right)
        tensor: Tensor = new(tensor_class)
        tensor.array = y
        tensor.moved = None
        if (left_node is None and right_node is None) or not (mode := is_recording()):
            tensor.node = None
        else:
            saved = (left, right) if saves_inputs else () if saves_nothing else save((left, right), y)
            tensor.node = Node(operation, (left_node, right_node), saved, y)
            if mode is not True:
                mode.tell(operation, (left, right), (), tensor)
        return tensor

    return method


def unary(operation: Operation) -> Callable[[Tensor], Tensor]:
    """The method of an operation with one tensor and no options."""

    def method(self: Tensor) -> Tensor:
        return apply_unary(operation, self)

    return method


def comparison(compare: Callable[[Any, Any], Any]) -> Callable[[Tensor, Any], Any]:
    """The method of a comparison, which has no derivative."""

    def method(self: Tensor, other: Any) -> Any:
        right = other.array if isinstance(other, tensor_class) else operand(other)
        if right is None:
            return NotImplemented
        try:
            return wrap(compare(self.array, right), None)
        except (TypeError, ValueError) as error:
            if together := _all_on_gpu((self, other)):
                return method(*together)
            raise _explained(compare.__name__, (self.array, right), error) from None

    return method
