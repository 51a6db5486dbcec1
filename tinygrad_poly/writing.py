"""Views and writes: tensors that are functions of a base tensor, and what changes when a tensor gets new numbers.

No array is ever written into. A view remembers its base and the rows of the derivative table that lead from the base
to it. It is out of date exactly when its base holds another array or another node than when it looked, and then looks
again. To write into a tensor is to compute its new value with ordinary rows and to store that; what is stored in a
view is put back into its base, by ordinary rows again, so that whatever can be recorded can be differentiated.
"""

from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from tinygrad_poly.derivatives import indexing, shapes
from tinygrad_poly.engine import apply, arrays
from tinygrad_poly.engine.apply import Node, apply_operation, apply_unary, is_recording, wrap
from tinygrad_poly.engine.arrays import Array, namespace
from tinygrad_poly.engine.errors import DeviceError, DtypeError, GraphError, ShapeError
from tinygrad_poly.engine.operation import Operation
from tinygrad_poly.engine.recording import enable_grad, no_grad

if TYPE_CHECKING:
    from tinygrad_poly.tensor import Tensor

T = TypeVar("T", bound="Viewable")


class Mode(NamedTuple):
    """The kind of a view: whether its node comes from its base, and why a write into it cannot be recorded."""

    follows: bool
    refuses: str = ""
    always: bool = False


_TORCHS = "as in torch, it is not written into where operations are recorded"
FOLLOWS = Mode(True)
SEVERAL = Mode(True, f"is one of several views that one call returned, and {_TORCHS}: take it alone, as in x[2:4]")
UNRECORDED = Mode(False, f"is a view made under no_grad, and {_TORCHS}: make it outside, or write under no_grad")
OF_A_GRAPH = UNRECORDED._replace(always=True)
DATA = Mode(False)


class Viewable:
    """The base class of `Tensor`, with the fields that views need beside array and node.

    `moved` is shared with the views that were made of the tensor, and empty until it gets other memory (`x.data = y`):
    then it tells them who has the old one. All else is there in views only.
    """

    __slots__ = ("base", "held", "held_node", "level", "mode", "moved", "of", "seen", "seen_node", "steps")
    is_view = False
    array: Array
    node: Any
    base: Any
    steps: Any
    mode: Mode
    level: Any
    moved: list[Any] | None
    plain: type[Any]
    viewed: type[Any]

    def __init_subclass__(cls) -> None:
        """Make the class of views for this class of tensors."""
        if not issubclass(cls, View):
            cls.plain = cls
            cls.viewed = type(cls.__name__, (View, cls), {"__slots__": (), "__module__": cls.__module__})


class View:
    """A tensor whose array and node are computed from those of its base."""

    __slots__ = ()
    is_view = True

    @property
    def array(self: Any) -> Any:
        """The array, computed again if the base has changed."""
        base = self.base
        if base.array is not self.seen or self.of or base.node is not self.seen_node:
            self._look()
        return self.held

    @array.setter
    def array(self: Any, value: Array) -> None:
        with no_grad:
            store(self, wrap(value, None))

    @property
    def node(self: Any) -> Any:
        """The node, computed again if the base has changed."""
        base = self.base
        if base.node is not self.seen_node or self.of or base.array is not self.seen:
            self._look()
        return self.held_node

    @node.setter
    def node(self: Any, value: Node | None) -> None:
        if self.node is not value:
            self.held_node = value

    def _look(self: Any) -> None:
        if self.of:
            (self.base,) = self.of
            self.of = _moved(self.base)
        base = self.base
        array, node = base.array, base.node
        if self.mode.follows and node is not self.seen_node:
            with enable_grad:
                x = wrap(array, node)
                for operation, options in _in_order(self.steps):
                    x = apply_unary(operation, x, *options)
            self.held, self.held_node = x.array, x.node
        elif array is not self.seen:
            self.held = array
            for operation, options in _in_order(self.steps):
                self.held = operation.forward(self.held, *options)
        self.seen, self.seen_node = array, node


def _moved(x: Any) -> list[Any]:
    """The list that tells the views of `x` when they get another base."""
    if x.moved is None:
        x.moved = []
    moved: list[Any] = x.moved
    return moved


def _in_order(steps: Any) -> list[tuple[Operation, tuple[Any, ...]]]:
    """The rows and options that lead from a base to a view, first step first."""
    found = []
    while steps is not None:
        steps, operation, options = steps
        found.append((operation, options))
    return found[::-1]


def turn(x: Any, base: Any, steps: Any, mode: Mode, array: Array, node: Node | None) -> Any:
    """Make a tensor a view, or a view another one."""
    if not x.is_view:
        x.array = x.node = None
        x.__class__ = x.viewed
    x.base, x.of, x.steps, x.mode = base, _moved(base), steps, mode
    x.seen, x.seen_node, x.held, x.held_node = base.array, base.node, array, node
    return x


def view(operation: Operation, x: "Tensor", *options: Any, mode: Mode = FOLLOWS) -> "Tensor":
    """The result of `apply_unary` as a view of `x`."""
    seen = apply_unary(operation, x, *options)
    base, steps, recording = x, None, is_recording()
    if not recording and (x.node is not None or (x.is_view and x.mode is OF_A_GRAPH)):
        base, steps = _numbers(x)
        mode = OF_A_GRAPH
    else:
        if x.is_view and x.mode is not DATA and ((parent := x.node) is None or parent.operation is not None):
            base, steps = x.base, x.steps
            mode = mode if x.mode is FOLLOWS else x.mode
        mode = mode if recording else UNRECORDED
    return turn(seen, base, (steps, operation, options), mode, seen.array, seen.node)  # type: ignore[no-any-return]


def view_if_possible(operation: Operation, x: "Tensor", *options: Any) -> "Tensor | None":
    """The result as a `view`, if torch would make no copy, by the order of the elements in memory; else None.

    Arrays that do not tell how they lie (JAX's, a trace's) count as rows one after the other.
    """
    array = x.array
    if isinstance(array, np.generic) or (hasattr(array, "flags") and array.flags.c_contiguous):
        return view(operation, x, *options)
    if not hasattr(array, "strides"):
        base, steps = (x.base, x.steps) if x.is_view else (x, None)
        array = np.empty(base.shape, np.int8)
        for step, given in _in_order(steps):
            array = step.forward(array, *given)
    if array.size and not namespace(array).may_share_memory(array, operation.forward(array, *options)):
        return None
    return view(operation, x, *options)


# Numbers without their graph


def _numbers(x: Any) -> tuple[Any, Any]:
    """A tensor with the memory of `x` but without its graph, and the steps from there: what `x.data` keeps alive."""
    steps = None
    while True:
        if not x.is_view:
            if x.node is None or x.node.operation is None:
                return x, steps
            memory = wrap(x.array, None)
            if hasattr(x, "level"):
                memory.level = x.level
            turn(x, memory, None, DATA, x.array, x.node)
        x.array  # noqa: B018 - it looks whether its base has moved
        before, x = x.steps, x.base
        for operation, options in _in_order(steps):
            before = (before, operation, options)
        steps = before


def detached(x: Any) -> Any:
    """A tensor with the memory of `x` and without its graph, which it does not keep alive."""
    array = x.array
    alone = not x.is_view
    memory, steps = _numbers(x)
    if alone and memory is not x:
        return memory
    return turn(wrap(None, None), memory, steps, DATA, array, None)


def like(x: Any) -> Any:
    """A new tensor with the array, node and base of `x`."""
    if x.is_view:
        return turn(wrap(None, None), x.base, x.steps, x.mode, x.array, x.node)
    return wrap(x.array, x.node)


def leave(x: Any, old: Any) -> None:
    """Tell the views of `x`, before it gets other memory, that `old` now has the memory that they show."""
    if x.moved is not None:
        x.moved.append(old)
        x.moved = None


def share(x: Any, y: Any) -> None:
    """Give `x` the memory of `y`, as `x.data = y` does; each keeps its own node."""
    array, node = y.array, x.node
    if not y.is_view:
        if y is x or (x.is_view and not x.mode.follows and x.base is y and x.steps is None):
            return
        # The other way round, so that x, which may be a weight, stays an ordinary tensor.
        other = y.node
        leave(x, like(x))
        if x.is_view:
            x.base = x.of = x.steps = x.seen = x.seen_node = x.held = x.held_node = None
            x.__class__ = x.plain
        x.array, x.node = array, node
        turn(y, x, None, DATA, array, other)
        return
    (memory, steps), (mine, way) = _numbers(y), _numbers(x)
    if memory is mine and steps is way:
        return
    leave(x, like(x))
    array = y.array  # y finds out that x has moved, if it is a view of it
    turn(x, *_numbers(y), DATA, array, node)


# Storing


def store(x: Any, value: Any) -> None:
    """Set `x` to a value of its shape and dtype, and its base accordingly."""
    first, new, recording = x, value.array, is_recording()
    while x.is_view:
        x.array  # noqa: B018 - its base may have moved
        if not x.mode.follows:
            with no_grad:
                memory, steps = _numbers(first)
                store(memory, _put_back(steps, memory, wrap(new, None)))
            if recording and value.node is not None:
                x.node = value.node
            return
        value = _put_back(x.steps, x.base, value)
        x = x.base
    if recording and value.node is not None:
        x.node = value.node
    new, old = value.array, x.array
    if _lies_otherwise(new, old) and new.shape == old.shape:
        # The elements lie as they did, so that a later reshape is a view where it was one.
        new = np.empty_like(old)
        new[...] = value.array
    x.array = new


def _lies_otherwise(new: Any, old: Any) -> bool:
    return type(new) is type(old) is np.ndarray and new.strides != old.strides


_PUT: dict[Operation, Callable[..., Any]] = {
    indexing.getitem: lambda value, x, index: apply_operation(indexing.replace, x, value, index),
    shapes.reshape: lambda value, x, shape: apply_unary(shapes.reshape, value, x.shape),
    shapes.permute: lambda value, x, axes: apply_unary(shapes.permute, value, shapes.inverse(axes)),
}


def _put_back(way: Any, base: Any, value: Any) -> Any:
    """The new value of `base` when its view gets `value`."""
    steps = _in_order(way)
    if any(operation is shapes.broadcast_to for operation, _ in steps):
        return _put_at_places(base, value, steps)
    on_the_way = [base]
    for operation, options in steps[:-1]:
        on_the_way.append(apply_unary(operation, on_the_way[-1], *options))
    for (operation, options), before in zip(reversed(steps), reversed(on_the_way)):
        value = _PUT[operation](value, before, *options)
    return value


def _put_at_places(base: Any, value: Any, steps: Any) -> Any:
    """The new value of `base` for an expanded view, if no element of the base occurs in it twice.

    Raises:
        GraphError: where one is.
    """
    places = np.arange(base.numel()).reshape(base.shape)
    for operation, options in steps:
        places = operation.forward(places, *options)
    flat = places.reshape(-1)
    if np.unique(flat).size != flat.size:
        raise GraphError(
            f"a view of shape {value.shape} that was expanded cannot be written into: several of its elements are one "
            "element of the tensor that was expanded; write into that tensor, or into a copy: .clone()"
        )
    row, values = (apply_unary(shapes.reshape, t, (-1,)) for t in (base, value))
    return apply_unary(shapes.reshape, apply_operation(indexing.replace, row, values, flat), base.shape)


def check_in_place(x: Any, name: str) -> None:
    """Raise an error for an in-place change of a leaf while operations are recorded, also through a view.

    Raises:
        GraphError: because the tape could not tell the leaf from what it became.
    """
    if not is_recording():
        return
    tensor = x
    while True:
        node = tensor.node
        if node is not None and node.operation is None:
            of = "" if tensor is x else "a view of "
            raise GraphError(
                f"{name} changes {of}a leaf that requires grad in place, which cannot be recorded; "
                "update weights under `with no_grad():`, or write a new tensor: w = w - step"
            )
        if not tensor.is_view or not tensor.mode.follows:
            return
        tensor = tensor.base


def _rank(dtype: Any) -> int:
    """The rank of a dtype: numbers can be converted to a dtype of the same or a higher rank."""
    return next(rank for rank, kind in enumerate(("bool", "int", "float", "")) if kind in str(dtype))


def write(x: T, result: "Tensor", name: str) -> T:
    """Set `x` to the result of an operation called `name`, in the dtype of `x`.

    Raises:
        ShapeError: where the result has another shape.
        DtypeError: where it is of a kind that `x` cannot hold.
        DeviceError: where it is on another device.
        GraphError: where torch would not record the write either, or `x` comes from outside of a transformed function.
    """
    old, new = x.array, result.array
    if type(new) is not type(old) and arrays.device_of(new) != arrays.device_of(old):
        raise DeviceError(f"{name} would move a tensor from the CPU to {result.device}: move it first, with .to()")
    if new.shape != old.shape:
        raise ShapeError(
            f"{name} would change the shape {old.shape} to {new.shape}; write it with a new name instead of in place"
        )
    if new.dtype is not old.dtype and new.dtype != old.dtype:
        if _rank(new.dtype) > _rank(old.dtype):
            raise DtypeError(
                f"{name} gives {new.dtype}, which a {old.dtype} tensor cannot hold; "
                "convert the tensor with .float() first"
            )
        result = result.to(old.dtype)
    if is_recording():
        if result.node is None and x.node is not None:
            # It depends on x in a way that has no derivative: what x was computed from gets zeros.
            result = apply_operation(indexing.replace, x, result, Ellipsis)
        _check_views(x, result.node, name)
    elif not x.is_view and call.get() is None and not _lies_otherwise(new, old):
        x.array = result.array  # as `store` does: the weights of a training step come this way
        return x
    if call.get() is not None:
        _check_own(x, name)
    store(x, result)
    return x


def _check_views(x: Any, node: Node | None, name: str) -> None:
    while x.is_view:
        mode = x.mode
        if mode.refuses and (mode.always or node is not None or x.base.node is not None):
            raise GraphError(f"{name} on a tensor that {mode.refuses}")
        if mode is DATA:
            return
        x = x.base


def assign(x: T, value: Any, name: str, *, stretch: bool = False) -> T:
    """Set `x` to a tensor, array or number, converted to its dtype and device.

    Args:
        x: the tensor.
        value: what is repeated to its shape.
        name: what the user called.
        stretch: whether leading dimensions of length 1 may be there that `x` has not.

    Raises:
        DtypeError: for what is no number.
        ShapeError: for what cannot be repeated to the shape of `x`.
    """
    check_in_place(x, name)
    array = x.array
    if not isinstance(value, apply.tensor_class):
        found = apply.operand(value)
        if found is None:
            raise DtypeError(f"{name} expects a tensor, an array or a number, not {type(value).__name__}: tensor(...)")
        value = wrap(namespace(array).asarray(found, dtype=array.dtype), None)
    place = arrays.device_of(array)
    if value.dtype != array.dtype or value.device != place:
        value = value.to(array.dtype, device=place)
    shape = value.shape
    while stretch and len(shape) > len(array.shape) and shape[0] == 1:
        shape = shape[1:]
    if shape != value.shape:
        value = apply_unary(shapes.reshape, value, shape)
    if shape != array.shape:
        fits = len(shape) <= len(array.shape) and all(n in (1, m) for n, m in zip(shape[::-1], array.shape[::-1]))
        if not fits:
            raise ShapeError(f"{name}: values of shape {value.shape} cannot be repeated to shape {array.shape}")
        value = apply_unary(shapes.broadcast_to, value, array.shape)
    if is_recording() and (x.node is not None or value.node is not None):
        value = apply_operation(indexing.replace, x, value, Ellipsis)
    return write(x, value, name)


def is_current_view(value: Any, x: Any, index: Any) -> bool:
    """Whether `value` is the view `x[index]` itself, as at the end of `x[index] += 1`: then nothing changes."""
    if not getattr(value, "is_view", False) or value.steps is None or value.of:
        return False
    if is_recording() and not value.mode.follows:
        return False  # numbers without their graph are something else than what is there
    before, operation, options = value.steps
    if operation is not indexing.getitem or options != (index,):
        return False
    known = [(x, None), (x.base, x.steps) if x.is_view and x.mode is not DATA else (x, None)]
    if not value.mode.follows:
        known.append(_numbers(x))
    return any(value.base is base and before is steps for base, steps in known)


# Functions that may change only what they made: the call that is going on, and `Viewable.level` the one that made it

call: ContextVar[Any] = ContextVar("call", default=None)


def _check_own(x: Any, name: str) -> None:
    while x.is_view:
        x = x.base
    now, level = call.get(), getattr(x, "level", None)
    while level is not None and level is not now:
        level = level.outer
    if level is None:
        raise GraphError(
            f"{name} changes a tensor in place that was not made inside of {now.what}: return the new value, "
            "or change a copy made inside, .clone()"
        )
