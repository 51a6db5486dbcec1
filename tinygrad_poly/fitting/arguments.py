"""The arguments of a fit: what the user gave, checked, as an objective and weights to start from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tinygrad_poly.creation import as_tensor, tensor
from tinygrad_poly.engine import arrays
from tinygrad_poly.engine.errors import DeviceError
from tinygrad_poly.fitting.loops import blocks
from tinygrad_poly.fitting.objective import Loss, Objective, Params, Weights
from tinygrad_poly.tensor import Tensor


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
