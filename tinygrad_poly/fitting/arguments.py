"""Arguments of a fit: checks them, and makes an objective and the first weights of them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tinygrad_poly.creation import as_tensor, tensor
from tinygrad_poly.engine import arrays
from tinygrad_poly.engine.errors import DataError, DeviceError, DtypeError, ShapeError
from tinygrad_poly.engine.recording import no_grad
from tinygrad_poly.fitting.loops import blocks
from tinygrad_poly.fitting.modules import ModuleLoss
from tinygrad_poly.fitting.objective import Loss, Objective, Params, Weights
from tinygrad_poly.nn import Module
from tinygrad_poly.tensor import Tensor


def objective(loss: Loss, params: Params, x: Any, y: Any) -> tuple[Objective, Weights]:
    """The objective, and the weights to start from as new tensors.

    Where x or y is a Dask array the objective computes block by block.

    Python numbers take the dtype of x, or else of y, so that data in float64 is not fitted in float32, nor whole
    numbers that float32 does not hold. Whole numbers in the data take the dtype of the weights, where x³ does not
    overflow; unless the loss needs them as they are, for indices or class labels.

    Raises:
        TypeError: where the loss is no function or `params` neither a dict, a list nor a module.
        DtypeError: for complex data and weights, under their name.
        ValueError: where there are no weights.
    """
    if not callable(loss):
        raise TypeError(f"fit() expects a function loss(params, x, y), not {type(loss).__name__}")
    in_blocks = blocks.are_blocks(x) or blocks.are_blocks(y)
    if isinstance(params, Module):
        if in_blocks:
            raise TypeError("a module is fitted to arrays, and x and y are Dask arrays: pass a dict of weights instead")
        loss = ModuleLoss(loss, params)
        params = loss.weights
        if not params:
            raise ValueError("fit() needs at least one weight to learn, and no parameter of the module requires grad")
    named, listed = _named(params), not isinstance(params, Mapping)
    if not named:
        raise ValueError("fit() needs at least one weight to learn, and params is empty")
    x, y = blocks.aligned(x, y) if in_blocks else (_data(name, data) for name, data in (("x", x), ("y", y)))
    if not in_blocks:
        _check_devices(x, y, named)
    weights = _weights(named, x, y)

    def target(x: Any, y: Any) -> Objective:
        if in_blocks:
            return blocks.BlockObjective(blocks.BlockLoss(loss, listed, weights, x, y), x, y, listed)
        return Objective(loss, x, y, listed)

    if not any(_is_whole(data.dtype) for data in (x, y)):
        return target(x, y), weights
    dtype = np.result_type(*(w.dtype for w in weights.values()))
    try:
        found = target(*(_cast(data, dtype) if _is_whole(data.dtype) else data for data in (x, y)))
        if not in_blocks:
            with found.device.active(), no_grad(), np.errstate(all="ignore"):
                found(weights)
    except (IndexError, TypeError, ValueError):
        # As indices, for instance, they have to be whole; if something else was wrong, it still is.
        found = target(x, y)
    return found, weights


def _cast(data: Any, dtype: Any) -> Any:
    return data.to(dtype) if isinstance(data, Tensor) else data.astype(dtype)


def _data(name: str, data: Any, make: Callable[[Any], Tensor] = as_tensor) -> Tensor:
    """Data as a tensor that is no part of a graph; what `make` refuses is refused under its name."""
    try:
        return make(data).detach()
    except (DataError, DtypeError, ShapeError) as error:
        raise type(error)(f"{name}: {error}") from None


def _is_whole(dtype: Any) -> bool:
    return not arrays.is_floating(dtype) and dtype != np.bool_


def _weights(named: list[tuple[str, Any]], x: Any, y: Any) -> Weights:
    """Copies of the weights, with numbers in the dtype of the data, or in one that holds whole numbers exactly."""
    floating = [data.dtype for data in (x, y) if arrays.is_floating(data.dtype)]
    dtype = floating[0] if floating else arrays.get_default_dtype()
    given = [data for data in (x, y) if isinstance(data, Tensor)]
    if not floating and not all((data.to(dtype).to(data.dtype) == data).all() for data in given):
        dtype = np.dtype(np.float64)
    return {name: _weight(name, value, dtype) for name, value in named}


def _weight(name: str, value: Any, dtype: Any) -> Tensor:
    with np.errstate(over="ignore"):  # numbers are made anew, in `dtype`
        weight = _data(f"params[{name!r}]", value, tensor)
    if isinstance(value, Tensor | np.ndarray):
        return weight if arrays.is_floating(weight.dtype) else weight.to(dtype)
    return tensor(value, dtype=dtype)


def _check_devices(x: Tensor, y: Tensor, named: list[tuple[str, Any]]) -> None:
    """Raise an error unless all tensors are where x is; numbers and arrays are moved there, tensors are not.

    Raises:
        DeviceError: which says what to move.
    """
    place = x.device
    for what, value in (("y", y), *((f"params[{name!r}]", value) for name, value in named)):
        if isinstance(value, Tensor) and value.device != place:
            raise DeviceError(f"x is on {place} and {what} is on {value.device}: move one of them with .to()")


def _named(params: Params) -> list[tuple[str, Any]]:
    if isinstance(params, Mapping):
        return list(params.items())
    if isinstance(params, Sequence) and not isinstance(params, str):
        return [(str(position), value) for position, value in enumerate(params)]
    raise TypeError(
        f"params must be a dict of names to weights, a list of weights, or an nn.Module, not {type(params).__name__}"
    )
