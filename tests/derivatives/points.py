"""Value, slopes and Hessian matrix of one row, or of a function of tensors, at one point."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def as_inputs(at: Any) -> tuple[Any, ...]:
    return at if isinstance(at, tuple) else (at,)


def evaluated(m: Any, function: Callable[..., Any], at: tuple[Any, ...], dtype: str) -> tuple[Any, Any, Any]:
    """y = function(*at), and the first and second derivatives of Σ y by all numbers of `at` in one row, with `m`.

    Booleans and what has no gradient count as constants. A gradient that `m` has not is 0.
    """
    inputs = [
        m.tensor(x) if isinstance(x, bool) else m.tensor(x, dtype=getattr(m, dtype), requires_grad=True) for x in at
    ]
    variables = [x for x in inputs if x.requires_grad]
    with np.errstate(all="ignore"):
        y = function(*inputs)
        slopes = _gradients(m, y.sum(), variables)
        hessian = [
            np.concatenate([_flat(part) for part in _gradients(m, element, variables)])
            for slope in slopes
            for element in (slope.reshape(-1)[i] for i in range(slope.numel()))
        ]
    return _flat(y), np.concatenate([_flat(slope) for slope in slopes]), np.array(hessian)


def evaluated_each(m: Any, function: Callable[..., Any], columns: list[Any], dtype: str) -> dict[str, Any]:
    """Value, slopes and second derivatives of an elementwise function at many points: a column for each input."""
    inputs = [
        m.tensor(x) if isinstance(x[0], bool) else m.tensor(x, dtype=getattr(m, dtype), requires_grad=True)
        for x in columns
    ]
    variables = [x for x in inputs if x.requires_grad]
    with np.errstate(all="ignore"):
        y = function(*inputs)
        slopes = _gradients(m, y.sum(), variables)
        curvatures = [_flat(part) for slope in slopes for part in _gradients(m, slope.sum(), variables)]
    return {"value": _flat(y)[None], "slope": np.array([_flat(s) for s in slopes]), "curvature": np.array(curvatures)}


def _gradients(m: Any, y: Any, inputs: list[Any]) -> list[Any]:
    zeros = [m.zeros(x.shape, dtype=x.dtype) for x in inputs]
    if not y.requires_grad:
        return zeros
    found = m.autograd.grad(y, inputs, create_graph=True, allow_unused=True)
    return [zero if slope is None else slope for slope, zero in zip(found, zeros, strict=True)]


def _flat(x: Any) -> Any:
    # torch's zeros that are not there yet become zeros.
    return np.asarray((x.detach() + 0).tolist(), dtype=np.float64).reshape(-1)
