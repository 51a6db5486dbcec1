"""Tensors of JAX arrays as JAX's pytrees: what `jax.jit`, `fori_loop` and the like take, carry and return."""

from __future__ import annotations

import functools
from typing import Any

from tinygrad_poly.engine.arrays import Array
from tinygrad_poly.engine.errors import GraphError
from tinygrad_poly.engine.walk import leaf
from tinygrad_poly.tensor import Tensor


@functools.cache
def register() -> None:
    """Make tensors known to JAX, which the caller has imported: the array is traced, `requires_grad` is kept."""
    from jax.tree_util import register_pytree_node

    from tinygrad_poly.nn import Parameter

    for kind in (Tensor, Parameter):
        register_pytree_node(kind, _flatten, functools.partial(_unflatten, kind))


def _flatten(tensor: Tensor) -> tuple[tuple[Array], bool]:
    node = tensor.node
    if node is not None and node.operation is not None:
        raise GraphError(
            f"JAX can take or return a tensor without its graph only, and this one was computed by {node!r}: "
            "give it tensor.detach()"
        )
    return (tensor.array,), node is not None


def _unflatten(kind: type[Tensor], requires_grad: bool, children: tuple[Any]) -> Tensor:
    tensor = object.__new__(kind)
    (tensor.array,) = children
    # JAX also puts things in the place of arrays that are none.
    tensor.node = leaf(tensor.array) if requires_grad and hasattr(tensor.array, "dtype") else None
    return tensor
