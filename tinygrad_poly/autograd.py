"""Gradients asked for by name: `grad`, as in `torch.autograd`."""

from __future__ import annotations

from collections.abc import Sequence

from tinygrad_poly.backward import start, walk
from tinygrad_poly.errors import DtypeError, GraphError
from tinygrad_poly.operators import wrap
from tinygrad_poly.tensor import Tensor


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool = False,
) -> tuple[Tensor | None, ...]:
    """The gradients of the sum of `outputs` with respect to `inputs`, leaving every `grad` as it is.

    With cotangents v (`grad_outputs`), the gradient for an input x is Σ vᵀ ∂output/∂x, in the shape
    and dtype of x. Only what leads from the outputs to the inputs is computed.

    Args:
        outputs: one tensor or several.
        inputs: one tensor or several that require grad; they need not be leaves.
        grad_outputs: a cotangent for each output; an output with one element needs none.
        retain_graph: keep the graph for another pass; by default only with `create_graph`.
        create_graph: record the pass, so that the gradients can be differentiated again.
        allow_unused: return None for an input that the outputs do not depend on.

    Raises:
        GraphError: where an input does not require grad, is not used, or the graph was freed.
        ShapeError: where a cotangent has another shape than its output.

    >>> import tinygrad_poly as tg
    >>> x = tg.tensor(2.0, requires_grad=True)
    >>> (slope,) = tg.grad(x**3, x, create_graph=True)     # 3x²
    >>> (curvature,) = tg.grad(slope, x)                   # 6x
    >>> slope.item(), curvature.item()
    (12.0, 12.0)
    """
    outputs = _several(outputs, "outputs")
    inputs = _several(inputs, "inputs")
    cotangents = [None] * len(outputs) if grad_outputs is None else list(_several(grad_outputs, "grad_outputs", True))
    if len(cotangents) != len(outputs):
        raise GraphError(f"grad() was given {len(outputs)} outputs but {len(cotangents)} grad_outputs")
    targets = []
    for position, tensor in enumerate(inputs):
        if tensor.node is None:
            raise GraphError(f"grad(): input {position} does not require grad; set requires_grad=True on it")
        targets.append(tensor.node)
    starts = [start(output, v, wrap, create_graph) for output, v in zip(outputs, cotangents, strict=True)]
    retain = create_graph if retain_graph is None else retain_graph
    found = walk(starts, wrap, targets=targets, retain_graph=retain, create_graph=create_graph)
    results: list[Tensor | None] = []
    for position, target in enumerate(targets):
        gradient = found.get(target)
        if gradient is None:
            if not allow_unused:
                raise GraphError(
                    f"grad(): the outputs do not depend on input {position}; "
                    "leave it out, or pass allow_unused=True to get None for it"
                )
            results.append(None)
        else:
            results.append(wrap(gradient.array, gradient.node) if create_graph else wrap(gradient, None))
    return tuple(results)


def _several(tensors: Tensor | Sequence[Tensor | None], name: str, optional: bool = False) -> Sequence[Tensor]:
    several = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    for tensor in several:
        if not isinstance(tensor, Tensor) and not (optional and tensor is None):
            raise DtypeError(f"grad(): {name} must be tensors, not {type(tensor).__name__}")
    return several  # type: ignore[return-value]
