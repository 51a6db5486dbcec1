"""Hooks: functions of the user's that are called while something is computed, and handles that remove them."""

import functools
import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

from tinygrad_poly.engine.apply import wrap
from tinygrad_poly.engine.arrays import Array, expand
from tinygrad_poly.engine.errors import DtypeError, GraphError, ShapeError, TraceError
from tinygrad_poly.engine.recording import no_grad
from tinygrad_poly.engine.walk import Node

if TYPE_CHECKING:
    from tinygrad_poly.tensor import Tensor

_numbers = itertools.count()


class RemovableHandle:
    """A handle of a hook: `remove()` takes the hook away, and so does the end of `with handle:`.

    Args:
        hooks: where to enter the hook; they are called in the order of the dictionary.
        hook: the function.
        prepend: whether it is called before those that are there.

    Raises:
        DtypeError: for what cannot be called.
    """

    def __init__(self, hooks: dict[int, Any], hook: Any) -> None:
        if not callable(hook):
            raise DtypeError(f"a hook is a function, not {type(hook).__name__}")
        self.id, self.hooks = next(_numbers), hooks
        hooks[self.id] = hook

    def remove(self) -> None:
        """Take the hook away; nothing happens where it is gone already."""
        self.hooks.pop(self.id, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.remove()


class Hooks:
    """The hooks of a tensor, in the place of `keeps_grad` of its node: nobody else's backward pass asks for them.

    Args:
        keeps: whether the tensor keeps its gradient.
        traced: whether they were registered in a trace, of which they are a part then.
    """

    def __init__(self, keeps: bool, traced: bool) -> None:
        self.keeps = keeps
        self.traced = traced
        self.before: dict[int, Callable[[Tensor], Tensor | None]] = {}
        self.after: dict[int, Callable[[], None]] = {}

    def __call__(self, node: Node, g: Array) -> Array:
        """The gradient after all hooks have seen it: a tensor where the walk is recorded, else an array."""
        if hasattr(getattr(g, "array", g), "defer") and not self.traced:
            raise TraceError(
                "a compiled function computes the gradient of a tensor that has hooks, which a program would not "
                "call: remove them, or register them inside of the compiled function"
            )
        g = g if g.shape == node.shape else expand(g, node.shape)
        if hasattr(g, "node"):
            return self._through(wrap(g.array, g.node))
        with no_grad:
            return self._through(wrap(g, None)).array

    def _through(self, g: "Tensor") -> "Tensor":
        for hook in [*self.before.values()]:
            returned: Any = hook(g)
            if returned is not None:
                check(f"the hook {getattr(hook, '__name__', repr(hook))!r}", returned, g)
                g = returned
        return g

    def accumulated(self) -> None:
        """Call the hooks that wait for the end of the backward pass."""
        with no_grad:
            for hook in [*self.after.values()]:
                hook()


def check(name: str, returned: Any, g: "Tensor") -> None:
    """Check that the hook `name` returned another gradient in the place of g.

    Raises:
        DtypeError: for what is no tensor, or has another dtype.
        ShapeError: for one of another shape.
    """
    if not hasattr(returned, "node"):
        raise DtypeError(f"{name} must return a tensor or None, not {type(returned).__name__}")
    if returned.shape != g.shape:
        raise ShapeError(f"{name} returned a gradient of shape {returned.shape} for one of shape {g.shape}")
    if returned.dtype != g.dtype:
        raise DtypeError(f"{name} returned a gradient in {returned.dtype} for one in {g.dtype}; use .to({g.dtype})")


def register(tensor: "Tensor", hook: Any, after: bool = False) -> RemovableHandle:
    """Enter a hook of a tensor: for its gradient on the way, or `after` it has been added to `grad`.

    Raises:
        GraphError: for a tensor without a gradient, or `after` on one that is no leaf.
    """
    node = tensor.node
    if node is None:
        raise GraphError("a hook on a tensor that does not require grad: no gradient will ever reach it")
    if after and node.operation is not None:
        raise GraphError("only leaves add up gradients: register_post_accumulate_grad_hook() of others has no use")
    kept = node.keeps_grad
    if not isinstance(kept, Hooks):
        kept = Hooks(kept, hasattr(tensor.array, "defer"))
    node.keeps_grad = kept
    if not after:
        return RemovableHandle(kept.before, hook)
    return RemovableHandle(kept.after, functools.partial(hook, tensor))
