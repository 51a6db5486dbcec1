"""The objective: a loss of named weights on fixed data, which a fit minimizes."""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from tinygrad_poly.creation import tensor
from tinygrad_poly.engine import arrays
from tinygrad_poly.engine.errors import GraphError, ShapeError
from tinygrad_poly.fitting.modules import ModuleLoss
from tinygrad_poly.nn import Module
from tinygrad_poly.tensor import Tensor

Params = Mapping[str, Any] | Sequence[Any] | Module
Weights = dict[str, Tensor]
Loss = Callable[[Any, Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Objective:
    """A loss with its data. Inside, the weights have names; the loss gets them as the user gave them."""

    loss: Loss
    x: Tensor
    y: Tensor
    listed: bool
    """Whether the user gave a list of weights, and not a dict."""

    in_blocks: ClassVar[bool] = False
    """Whether the data are Dask arrays."""

    def __call__(self, weights: Weights) -> Tensor:
        """L(weights), a scalar tensor."""
        return self.loss(self.arranged(weights), self.x, self.y)

    def checked(self) -> Loss:
        """The loss as a function that checks its result."""

        @functools.wraps(self.loss)
        def loss(*given: Any) -> Tensor:
            output = self.loss(*given)
            check_scalar(output)
            if isinstance(self.loss, ModuleLoss):
                self.loss.check_buffers()
            return output

        return loss

    def arranged(self, weights: Mapping[str, Any]) -> Any:
        """The weights in the kind of container that the loss expects."""
        return list(weights.values()) if self.listed else dict(weights)

    @property
    def device(self) -> arrays.device:
        """The device of the data, and therefore of the weights."""
        return self.x.device if isinstance(self.x, Tensor) else arrays.device("cpu")

    def points(self) -> tuple[Any, Any]:
        """The data for a picture: x and y as NumPy arrays."""
        return arrays.on_cpu(self.x.array), arrays.on_cpu(self.y.array)

    def in_float64(self) -> "Objective":
        """The same loss of the same data, computed in float64."""
        x, y = (data.double() if arrays.is_floating(data.dtype) else data for data in (self.x, self.y))
        return replace(self, x=x, y=y)

    def leaves(self, weights: Mapping[str, Any], buffers: Mapping[str, Any] | None = None) -> Weights:
        """The weights that a fit changes, set to these numbers: new leaves, or the parameters of a module."""
        if isinstance(self.loss, ModuleLoss):
            return self.loss.set(weights, buffers or {}, self.device)
        return leaves(weights, self.device)

    @property
    def buffers(self) -> dict[str, Any] | None:
        """A module's buffers; None where there is no module."""
        return self.loss.buffers if isinstance(self.loss, ModuleLoss) else None

    def as_now(self) -> "Objective":
        """The same objective; that of a module with its buffers and mode as they are now."""
        return replace(self, loss=self.loss.as_now()) if isinstance(self.loss, ModuleLoss) else self


def leaves(weights: Mapping[str, Any], device: Any = None) -> Weights:
    """Leaves that require grad, with the numbers of `weights`, on `device` (None: where they are)."""
    return {name: tensor(value, device=device, requires_grad=True) for name, value in weights.items()}


def check_scalar(output: Any) -> None:
    """Raise an error unless `output` is a scalar tensor, as a loss must return.

    Raises:
        TypeError: unless it is a tensor.
        ShapeError: unless it is a single number.
        GraphError: where no gradient leads from it to a weight.
    """
    if not isinstance(output, Tensor):
        raise TypeError(f"loss(params, x, y) must return a scalar tensor, not {type(output).__name__}")
    if output.shape != ():
        raise ShapeError(
            f"loss(params, x, y) must return a scalar tensor, not one of shape {output.shape}: "
            "end it with .sum() or .mean()"
        )
    if output.node is None:
        raise GraphError(
            "loss(params, x, y) does not depend on the params that it was given: compute it from its first argument"
        )
