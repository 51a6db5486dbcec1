"""JAX's arrays: the answers in which JAX differs from the array API standard, and tensors as JAX's pytrees.

A pytree is what `jax.jit`, `fori_loop` and the like take, carry and return.
"""

import functools
from collections.abc import Callable
from importlib import import_module
from typing import Any

from tinygrad_poly.engine.apply import wrap
from tinygrad_poly.engine.arrays import Array, Index, Library
from tinygrad_poly.engine.errors import GraphError
from tinygrad_poly.engine.walk import leaf
from tinygrad_poly.nn import Parameter
from tinygrad_poly.tensor import Tensor


class JAX(Library):
    """The library JAX, whose arrays cannot be written into and have `at[index].set(values)` instead."""

    few_indices = False

    def of_math(self, function: Callable[[float], float], x: Array) -> Array:
        """SciPy's function of the same name."""
        return getattr(import_module("jax.scipy.special"), function.__name__)(x)

    def written(self, fresh: Array, index: Index, values: Any) -> Array:
        """A new array with `values` at `index`."""
        return fresh.at[index].set(values)

    def added(self, fresh: Array, index: Index, values: Array) -> Array:
        """A new array with `values` added at `index`."""
        return fresh.at[index].add(values)


@functools.cache
def jax(xp: Any) -> JAX:
    """The answers for arrays of `jax.numpy`; registers tensors as pytrees, too.

    Their array is traced, and `requires_grad` is kept.
    """
    from jax.tree_util import register_pytree_node

    for kind in (Tensor, Parameter):
        for form in (kind, kind.viewed):
            register_pytree_node(form, _flatten, functools.partial(_unflatten, kind))
    return JAX(xp)


def _flatten(tensor: Tensor) -> tuple[tuple[Array], bool]:
    node = tensor.node
    if node is not None and node.operation is not None:
        raise GraphError(
            f"JAX can take or return a tensor without its graph only, and this one was computed by <{node.name()}>: "
            "give it tensor.detach()"
        )
    return (tensor.array,), node is not None


def _unflatten(kind: type[Tensor], requires_grad: bool, children: tuple[Any]) -> Tensor:
    (array,) = children
    # JAX also puts things in the place of arrays that are none.
    tensor = wrap(array, leaf(array) if requires_grad and hasattr(array, "dtype") else None)
    tensor.__class__ = kind
    return tensor
