"""What is minimized: a loss of named weights on fixed data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from tinygrad_poly.creation import as_tensor, tensor
from tinygrad_poly.engine import arrays
from tinygrad_poly.engine.errors import DeviceError, GraphError, ShapeError
from tinygrad_poly.tensor import Tensor

Params = Mapping[str, Any] | Sequence[Any]
Weights = dict[str, Tensor]
Loss = Callable[[Any, Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Objective:
    """The loss and its data. The weights have names inside; the loss gets them as the user gave them."""

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

    def arranged(self, weights: Mapping[str, Any]) -> Any:
        """The weights in the kind of container that the loss expects."""
        return list(weights.values()) if self.listed else dict(weights)

    @property
    def device(self) -> arrays.device:
        """Where the data are, and with them the weights."""
        return self.x.device if isinstance(self.x, Tensor) else arrays.device("cpu")

    def points(self) -> tuple[Any, Any]:
        """What a picture shows of the data: x and y in NumPy's memory."""
        return arrays.on_cpu(self.x.array), arrays.on_cpu(self.y.array)

    def in_float64(self) -> Objective:
        """The same loss of the same data, computed in float64."""
        x, y = (_float64(data) for data in (self.x, self.y))
        return Objective(self.loss, x, y, self.listed)


def _float64(data: Tensor) -> Tensor:
    return data.double() if arrays.is_floating(data.dtype) else data


def objective(loss: Loss, params: Params, x: Any, y: Any) -> tuple[Objective, Weights]:
    """The objective, and the weights to start from as tensors that nobody else holds.

    Where x or y is a Dask array the objective computes block by block.

    Python numbers take the dtype of x, so that data in float64 is not fitted in float32.

    Raises:
        TypeError: where the loss is no function or `params` neither a dict nor a list.
        ValueError: where there are no weights.
    """
    if not callable(loss):
        raise TypeError(f"fit() expects a function loss(params, x, y), not {type(loss).__name__}")
    in_blocks = any(hasattr(data, "__dask_graph__") for data in (x, y))
    if in_blocks:
        from tinygrad_poly.fitting.loops import blocks

        x, y = blocks.aligned(x, y)
    else:
        x, y = as_tensor(x).detach(), as_tensor(y).detach()
        _check_devices(x, y, params)
    weights = {name: _weight(value, x.dtype) for name, value in _named(params)}
    if not weights:
        raise ValueError("fit() needs at least one weight to learn, and params is empty")
    listed = not isinstance(params, Mapping)
    if in_blocks:
        return blocks.BlockObjective(blocks.BlockLoss(loss, listed, weights, x, y), x, y, listed), weights
    return Objective(loss, x, y, listed), weights


def _check_devices(x: Tensor, y: Tensor, params: Params) -> None:
    """Raise unless all tensors are where x is: numbers and arrays go there, tensors stay where they were put.

    Raises:
        DeviceError: which says what to move.
    """
    place = x.device
    for what, value in (("y", y), *((f"params[{name!r}]", value) for name, value in _named(params))):
        if isinstance(value, Tensor) and value.device != place:
            raise DeviceError(f"x is on {place} and {what} is on {value.device}: move one of them with .to()")


def _named(params: Params) -> list[tuple[str, Any]]:
    if isinstance(params, Mapping):
        return list(params.items())
    if isinstance(params, Sequence) and not isinstance(params, str):
        return [(str(position), value) for position, value in enumerate(params)]
    raise TypeError(f"params must be a dict of names to weights, or a list of weights, not {type(params).__name__}")


def _weight(value: Any, dtype: Any) -> Tensor:
    if isinstance(value, Tensor | np.ndarray):
        return tensor(value)
    return tensor(value, dtype=dtype if arrays.is_floating(dtype) else arrays.get_default_dtype())


def leaves(weights: Mapping[str, Any], device: Any = None) -> Weights:
    """Tensors that require grad, with the numbers of `weights` (arrays or tensors), on `device` (as they are)."""
    return {name: tensor(value, device=device, requires_grad=True) for name, value in weights.items()}


def check_scalar(output: Any) -> None:
    """Raise unless `output` is what a loss has to return.

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
