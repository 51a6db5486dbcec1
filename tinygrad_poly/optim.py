"""Optimizers: how a gradient changes the weights."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tinygrad_poly.arrays import namespace
from tinygrad_poly.errors import DtypeError, GraphError
from tinygrad_poly.operators import wrap
from tinygrad_poly.tensor import Tensor


class Optimizer:
    """What optimizers share: the parameters they update, and their state between steps."""

    def __init__(self, params: Iterable[Tensor], lr: float) -> None:
        if isinstance(params, Tensor):
            raise DtypeError("an optimizer takes a list of parameters: write [w] instead of w")
        self.params = list(params)
        for position, p in enumerate(self.params):
            if not isinstance(p, Tensor):
                raise DtypeError(f"parameter {position} is not a tensor but {type(p).__name__}")
            if not p.is_leaf:
                raise GraphError(
                    f"parameter {position} was computed from other tensors, so it will never get a gradient: "
                    "detach it and call requires_grad_()"
                )
        if not self.params:
            raise ValueError("an optimizer needs at least one parameter, and was given none")
        if not lr >= 0:
            raise ValueError(f"the learning rate must be 0 or more, not {lr}")
        self.lr = float(lr)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients, so that the next `backward` does not add to them."""
        for p in self.params:
            if set_to_none:
                p.grad = None
            elif p.grad is not None:
                p.grad = wrap(namespace(p.array).zeros_like(p.array), None)

    def step(self) -> None:
        """Update every parameter that has a gradient."""
        raise NotImplementedError

    def state_dict(self) -> dict[str, Any]:
        """What a later run needs to go on as this one would have."""
        return {"lr": self.lr}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` returned."""
        self.lr = state["lr"]


class SGD(Optimizer):
    """Gradient descent: w ← w − lr · ∂L/∂w.

    Args:
        params: the weights to update, leaves that require grad.
        lr: the learning rate.

    >>> import tinygrad_poly as tg
    >>> w = tg.tensor([1.0], requires_grad=True)
    >>> optimizer = SGD([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()                # 1 - 0.1 · 2
    >>> w
    tensor([0.8000], requires_grad=True)
    """

    def __init__(self, params: Iterable[Tensor], lr: float = 1e-3) -> None:
        super().__init__(params, lr)

    def step(self) -> None:
        """W ← w − lr · ∂L/∂w."""
        lr = self.lr
        for p in self.params:
            node = p.node
            if node is not None and node.grad is not None:
                p.array = p.array - lr * node.grad.array
