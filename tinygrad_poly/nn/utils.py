"""Gradient clipping, and parameters as one vector."""

import math
from collections.abc import Iterable
from typing import Any

from tinygrad_poly._missing import explain as _explain
from tinygrad_poly.engine import arrays
from tinygrad_poly.engine.apply import wrap
from tinygrad_poly.engine.arrays import Array, namespace, total
from tinygrad_poly.engine.errors import GraphError, ShapeError
from tinygrad_poly.functions import cat
from tinygrad_poly.tensor import Tensor

Parameters = Tensor | Iterable[Tensor]


def _gradients(parameters: Parameters) -> list[Tensor]:
    """The gradients of those parameters that have one."""
    tensors = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    return [p.grad for p in tensors if p.grad is not None]


def _norm(x: Array, p: float) -> Any:
    xp = namespace(x)
    if p == math.inf:
        return xp.max(abs(x))
    return xp.sqrt(total(x * x)) if p == 2 else total(abs(x) ** p) ** (1 / p)


def clip_grad_norm_(
    parameters: Parameters, max_norm: float, norm_type: float = 2.0, error_if_nonfinite: bool = False
) -> Tensor:
    """Scale all gradients down together, so that their norm as one vector is at most `max_norm`.

    Args:
        parameters: whose gradients.
        max_norm: the largest length that stays as it is.
        norm_type: p of the p-norm, or infinity for the largest element.
        error_if_nonfinite: whether to refuse NaN and infinity.

    Returns:
        The length before.

    Raises:
        GraphError: for a length that is not finite, if asked to.

    >>> w = tensor([0.0, 0.0], requires_grad=True)
    >>> (w * tensor([3.0, 4.0])).sum().backward()
    >>> clip_grad_norm_([w], max_norm=1.0)
    tensor(5.)
    >>> w.grad
    tensor([0.6000, 0.8000])
    """
    found = _gradients(parameters)
    if not found:
        return wrap(arrays.get_default_dtype().type(0), None)
    p = float(norm_type)
    xp = namespace(found[0].array)
    length = _norm(xp.stack([xp.asarray(_norm(g.array, p)) for g in found]), p)
    if error_if_nonfinite and not math.isfinite(length):
        raise GraphError(
            f"the {norm_type}-norm of the gradients is {float(length)}, so they cannot be clipped: look for NaN and "
            "huge numbers in the data and the weights, or pass error_if_nonfinite=False"
        )
    # Multiplied by 1 they stay as they are: to ask whether they may would mean to wait for the number on a GPU.
    factor = xp.minimum(max_norm / (length + 1e-6), xp.ones_like(length))
    for g in found:
        g.array = g.array * arrays.astype(factor, g.dtype)
    return wrap(length, None)


def clip_grad_value_(parameters: Parameters, clip_value: float) -> None:
    """Limit each element of the gradients to the range from −clip_value to clip_value.

    >>> w = tensor([0.0, 0.0], requires_grad=True)
    >>> (w * tensor([3.0, -0.5])).sum().backward()
    >>> clip_grad_value_([w], 1.0)
    >>> w.grad
    tensor([ 1.0000, -0.5000])
    """
    limit = float(clip_value)
    for g in _gradients(parameters):
        g.array = namespace(g.array).clip(g.array, -limit, limit)


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """All elements of all parameters as one vector, on the tape.

    >>> parameters_to_vector([zeros(2, 1), tensor([1.0])])
    tensor([0., 0., 1.])
    """
    return cat([p.reshape(-1) for p in parameters])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Set parameters to the elements of a vector.

    Raises:
        ShapeError: where there are not as many.

    >>> w = zeros(2, 1)
    >>> vector_to_parameters(tensor([1.0, 2.0]), [w])
    >>> w
    tensor([[1.],
            [2.]])
    """
    tensors = list(parameters)
    wanted = sum(p.numel() for p in tensors)
    if vec.shape != (wanted,):
        raise ShapeError(f"the parameters have {wanted} elements, but the vector has shape {vec.shape}")
    end = 0
    for p in tensors:
        start, end = end, end + p.numel()
        p.data = wrap(vec.array[start:end], None).reshape(p.shape).to(p.dtype)


_explain(__name__)
