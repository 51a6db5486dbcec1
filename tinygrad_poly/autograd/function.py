"""Custom functions: operations whose value and gradient the user writes, as with `torch.autograd.Function`."""

import functools
import inspect
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any, NoReturn

from tinygrad_poly.engine.apply import is_recording, wrap
from tinygrad_poly.engine.arrays import Array, is_floating, namespace
from tinygrad_poly.engine.errors import DtypeError, GraphError, ShapeError
from tinygrad_poly.engine.operation import NoGradient, Operation, Rules
from tinygrad_poly.engine.recording import no_grad
from tinygrad_poly.engine.walk import Node
from tinygrad_poly.tensor import Tensor


class FunctionCtx:
    """The context of one call of a `Function`, `ctx`: what the forward pass keeps for the backward pass.

    Attributes other than these are the user's.

    Attributes:
        needs_input_grad: for each argument, whether it is a tensor that requires grad.
        saved_tensors: in `backward`, what `save_for_backward` was given.
    """

    needs_input_grad: tuple[bool, ...] = ()
    saved_tensors: tuple[Tensor | None, ...] = ()
    _save: tuple[Tensor | None, ...] = ()
    _constant: tuple[Any, ...] = ()
    _materialize = True
    _node: Any = None
    _name = "Function"

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keep tensors for the backward pass, which frees them; inputs and outputs may be differentiated there again.

        Raises:
            DtypeError: for anything but tensors and None; keep that as an attribute: `ctx.size = 3`.
        """
        for position, tensor in enumerate(tensors):
            if tensor is not None and not isinstance(tensor, Tensor):
                raise DtypeError(
                    f"{self._name}: save_for_backward() can only save tensors, but argument {position} is of type "
                    f"{type(tensor).__name__}; keep other things as attributes of ctx"
                )
        self._save = tensors

    def mark_non_differentiable(self, *outputs: Tensor) -> None:
        """Declare that no gradient flows through these outputs."""
        self._constant = outputs

    def set_materialize_grads(self, value: bool) -> None:
        """Whether `backward` gets zeros for outputs that nothing was computed from, as it does by default, or None."""
        self._materialize = value

    def mark_dirty(self, *inputs: Tensor) -> NoReturn:
        """Refuse: a Function returns new tensors; write one outside with `x.copy_(F.apply(x))`."""
        raise GraphError(
            f"{self._name}: mark_dirty() is not supported: arrays are values here. Return a new tensor from forward, "
            "and write it where it belongs outside: x.copy_(F.apply(x))"
        )


class Function:
    """A function with a derivative of its own: subclasses define `forward` and `backward`; call `apply`.

    `forward(ctx, *inputs)` computes the outputs, a tensor or a tuple, from tensors and anything else. It is not
    recorded. `backward(ctx, *grads)` gets ∂L/∂output for each output, and returns ∂L/∂input for each argument of
    `forward`: None for those that have none. What it needs is kept by `ctx.save_for_backward(...)` or in attributes of
    ctx. Where ctx is filled by `setup_context(ctx, inputs, output)`, forward is defined without it: `forward(*inputs)`.

    `backward` is recorded when its result is to be differentiated again, unless it is `once_differentiable`.

    In the backward pass `apply` raises, naming the function,

    - GraphError for another number of gradients than arguments, and for one of what is no tensor,
    - ShapeError for a gradient whose shape cannot be summed to its input's,
    - DtypeError for a gradient that is no tensor or has another dtype than its input.

    >>> import tinygrad_poly as tg
    >>> class Cube(Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x**3
    ...     @staticmethod
    ...     def backward(ctx, g):
    ...         (x,) = ctx.saved_tensors
    ...         return g * 3 * x**2
    >>> x = tg.tensor(2.0, requires_grad=True)
    >>> y = Cube.apply(x)
    >>> y
    tensor(8., grad_fn=<CubeBackward>)
    >>> y.backward()
    >>> x.grad
    tensor(12.)
    """

    def __init__(self, *_: Any) -> None:
        name = type(self).__name__
        raise TypeError(f"{name} is not made an object of: its methods are static, and it is called by {name}.apply()")

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """The outputs; a subclass defines it."""
        raise NotImplementedError("a Function must define forward(ctx, ...), a static method")

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Fill `ctx`, where forward does not take it."""

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        """The gradients of the inputs; a subclass defines it."""
        raise NotImplementedError("a Function must define backward(ctx, ...), a static method, to have a gradient")

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """The outputs of `forward`, with `backward` as their derivative."""
        ctx, name = FunctionCtx(), cls.__name__
        ctx._name = name
        apart = cls.setup_context is not Function.setup_context
        if kwargs:
            before = () if apart else (ctx,)
            args = inspect.signature(cls.forward).bind(*before, *args, **kwargs).args[len(before) :]
        nodes = tuple([x.node if isinstance(x, Tensor) else None for x in args])
        ctx.needs_input_grad = tuple([node is not None for node in nodes])
        with no_grad:
            output = cls.forward(*args) if apart else cls.forward(ctx, *args)
            if apart:
                cls.setup_context(ctx, args, output)
        outputs = output if isinstance(output, tuple) else (output,)
        for y in outputs:
            if isinstance(y, list) and any(isinstance(part, Tensor) for part in y):
                raise DtypeError(f"{name}.forward returned a list: return several tensors as a tuple, (y, z)")
        results = [wrap(y.array, None) if isinstance(y, Tensor) else y for y in outputs]
        if any(nodes):
            _recorded(cls, ctx, args, nodes, outputs, results)
        return tuple(results) if isinstance(output, tuple) else results[0]


def once_differentiable(backward: Callable[..., Any]) -> Callable[..., Any]:
    """Make a `backward` whose result has no derivative, and says so where one is asked for; it need not be recorded."""

    @functools.wraps(backward)
    def unrecorded(ctx: Any, *grads: Any) -> Any:
        with no_grad:
            found = backward(ctx, *grads)
        if (source := ctx._node) is None:
            return found
        found = found if isinstance(found, tuple) else (found,)
        ends = [isinstance(x, Tensor) and Node(_END, (source,), (ctx._name,), x.array) for x in found]
        return tuple([wrap(x.array, end) if end else x for x, end in zip(found, ends)])

    return unrecorded


class _Several(tuple[Any, ...]):
    """The arrays, or cotangents, of several outputs, None for those without: what their node has for an array.

    The walk adds them up, and need not know.
    """

    shape = (-1,)
    dtype = object()

    def __add__(self, other: Any) -> "_Several":
        return _Several([b if a is None else a if b is None else a + b for a, b in zip(self, other, strict=True)])


class _Output(Node):
    """The node of one of several outputs of a Function; it shows itself as the node of the Function."""

    __slots__ = ("output_nr",)

    def __init__(self, joint: Any, number: int, count: int, array: Array) -> None:
        super().__init__(_OUTPUT, (joint,), (number, count), array)
        self.output_nr = number

    def name(self) -> str:
        """The name of the Function's node."""
        return self.parents[0].name()  # type: ignore[union-attr]

    @property
    def next_functions(self) -> Any:
        """The nodes of the Function's inputs."""
        return self.parents[0].next_functions  # type: ignore[union-attr]


def _end(g: Any, name: str) -> NoReturn:
    raise GraphError(
        f"{name}.backward is once_differentiable, and its result was to be differentiated again: write it with tensor "
        "operations without once_differentiable"
    )


def _no_forward(*_: Any) -> NoReturn:
    raise NotImplementedError("a Function computes its outputs before they are recorded")


def _one_of_several(g: Any, number: int, count: int) -> _Several:
    return _Several([g if k == number else None for k in range(count)])


_OUTPUT = Operation("Output", _no_forward, _one_of_several, saves="nothing", expands=True)
_END = Operation("Error", _no_forward, _end, saves="nothing")


class _Call:
    """One call of a Function: it makes the rules of its row, which ask `backward` once in each walk.

    Args:
        function: the class.
        ctx: its context, without the saved tensors, which are the node's.
        inputs: for each argument its node, None for a tensor that needs no gradient, "" for what is no tensor.
        outputs: for each output the shape and dtype of a tensor, else None.
        places: for each saved tensor that is an output its number, else None.
    """

    def __init__(self, function: type[Function], ctx: FunctionCtx, inputs: Any, outputs: Any, places: Any) -> None:
        self.function, self.ctx, self.name = function, ctx, function.__name__
        self.inputs, self.outputs, self.places = inputs, outputs, places

    def rules(self) -> list[Any]:
        """The rules for one walk."""
        found: list[Sequence[Any]] = []

        def rule(i: int, g: Any, *saved: Any) -> Any:
            if not found:
                found.append(self.gradients(g, *saved))
            if found[0][i] is None:
                raise NoGradient
            return found[0][i]

        return [functools.partial(rule, i) for i in range(len(self.inputs))]

    def gradients(self, g: Any, outputs: Any, *saved: Any) -> Sequence[Any]:
        """The gradients of all inputs: tensors where the walk is recorded, else arrays."""
        ctx, recorded = self.ctx, isinstance(outputs, Tensor)
        arrays, node = (outputs.array, outputs.node) if recorded else (outputs, None)
        # Tensors of its own, which it may write into: the walk hands one cotangent to several rules.
        several = g if type(g) is _Several else (g,)
        given = [x if x is None else wrap(x.array, x.node) if recorded else wrap(x, None) for x in several]
        if ctx._materialize:
            xp = namespace(next(x.array for x in given if x is not None))
            for k, kind in enumerate(self.outputs):
                if given[k] is None and kind:
                    given[k] = wrap(xp.zeros(kind[0], dtype=kind[1]), None)
        try:
            ctx._node = node
            kept = [k if k is None else wrap(arrays[k], node and self.node(node, k, arrays[k])) for k in self.places]
            ctx.saved_tensors = tuple([x if y is None else y for y, x in zip(kept, saved, strict=True)])
            with nullcontext() if recorded else no_grad:
                returned = self.function.backward(ctx, *given)
        finally:
            ctx.saved_tensors, ctx._node = (), None
        returned = returned if isinstance(returned, tuple) else (returned,)
        self.check(returned)
        return returned if recorded else [None if x is None else x.array for x in returned]

    def node(self, node: Node, number: int, array: Array) -> Node:
        """The node of an output: of the call itself where there is only one."""
        return node if len(self.outputs) == 1 else _Output(node, number, len(self.outputs), array)

    def check(self, returned: tuple[Any, ...]) -> None:
        """Check what `backward` returned."""
        name, count = f"{self.name}.backward", len(self.inputs)
        if len(returned) < count or any(x is not None for x in returned[count:]):
            raise GraphError(
                f"{name} returned an incorrect number of gradients (expected {count}, got {len(returned)}): one for "
                "each argument of forward, None for those that have none"
            )
        for i, (x, node) in enumerate(zip(returned, self.inputs)):
            if x is None:
                continue
            if not isinstance(x, Tensor):
                raise DtypeError(f"{name} must return tensors or None, but gradient {i} is of type {type(x).__name__}")
            if node == "":
                raise GraphError(
                    f"{name} returned a gradient at index {i}, but that argument is no tensor: return None"
                )
            if node and x.dtype != node.dtype:
                raise DtypeError(
                    f"{name} returned a gradient in {x.dtype} at index {i} for an input in {node.dtype}; "
                    f"use .to({node.dtype})"
                )
            # The walk sums what has the shape that the input was broadcast to.
            if node and (
                x.ndim < len(node.shape) or any(n not in (1, m) for n, m in zip(node.shape[::-1], x.shape[::-1]))
            ):
                raise ShapeError(
                    f"{name} returned an invalid gradient at index {i} - got {list(x.shape)} but expected shape "
                    f"compatible with {list(node.shape)}"
                )


def _recorded(function: type[Function], ctx: FunctionCtx, args: Any, nodes: Any, outputs: Any, results: Any) -> None:
    """Give the results nodes, if operations are recorded."""
    fixed = {id(y) for y in outputs if not isinstance(y, Tensor) or not is_floating(y.dtype)}
    fixed |= set(map(id, ctx._constant))
    if not (mode := is_recording()) or all(id(y) in fixed for y in outputs):
        return
    numbers = {id(y): k for k, y in enumerate(outputs)}
    for x in args:
        numbers.pop(id(x), None)
    places = [numbers.get(id(x)) if x is not None else None for x in ctx._save]
    saved = [wrap(x.array, x.node) if x is not None and k is None else None for x, k in zip(ctx._save, places)]
    ctx._save = ctx._constant = ()
    inputs = [node if isinstance(x, Tensor) else "" for x, node in zip(args, nodes)]
    made = [(y.array.shape, y.array.dtype) if isinstance(y, Tensor) else None for y in results]
    call = _Call(function, ctx, inputs, made, places)
    row = Operation(call.name, _no_forward, saves="output", expands=True, named=f"{call.name}Backward")
    row.rules, row.frees = Rules(len(inputs), call.rules), bool(places)
    kept = _Several([y.array if k in places else None for k, y in enumerate(results)])
    node = Node(row, nodes, (kept, *saved), kept if len(outputs) > 1 else results[0].array)
    for k, (raw, y) in enumerate(zip(outputs, results)):
        if id(raw) not in fixed:
            y.node = call.node(node, k, y.array)
            if mode is not True:
                mode.tell(row, tuple([x.array if isinstance(x, Tensor) else x for x in args]), (), y)


class _OfTensors(type):
    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, Tensor)


class Variable(metaclass=_OfTensors):
    """Torch's old name for a tensor: `Variable(x, requires_grad=True)` is a tensor with the memory of x.

    >>> import tinygrad_poly as tg
    >>> Variable(tg.tensor([1.0]), requires_grad=True)
    tensor([1.], requires_grad=True)
    """

    def __new__(cls, data: Tensor, requires_grad: bool = False) -> Any:
        """The tensor."""
        if not isinstance(data, Tensor):
            raise DtypeError(f"Variable() expects a tensor, not {type(data).__name__}; wrap it: tensor(...)")
        return data.detach().requires_grad_(requires_grad)
