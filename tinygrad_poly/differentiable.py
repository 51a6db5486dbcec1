"""The part of `Tensor` that has a gradient."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from tinygrad_poly import arrays, backward
from tinygrad_poly.backward import Node
from tinygrad_poly.conversions import Conversions
from tinygrad_poly.errors import DtypeError, GraphError, ShapeError
from tinygrad_poly.operators import wrap

if TYPE_CHECKING:
    from tinygrad_poly.tensor import Tensor


class Differentiable(Conversions):
    """The part of `Tensor` that has a gradient."""

    __slots__ = ()

    @property
    def requires_grad(self) -> bool:
        """Whether gradients flow to or through this tensor."""
        return self.node is not None

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        self.requires_grad_(value)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
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
        if not isinstance(value, Differentiable):
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
        if not isinstance(value, Differentiable):
            raise DtypeError(f"data must be a tensor, not {type(value).__name__}")
        if self.node is not None:
            if self.node.operation is None:
                arrays_differ = value.shape != self.shape or value.dtype != self.dtype
                self.node = backward.leaf(value.array) if arrays_differ else self.node
            elif value.shape != self.shape:
                raise ShapeError(f"data of shape {value.shape} cannot replace data of shape {self.shape}")
        self.array = value.array
