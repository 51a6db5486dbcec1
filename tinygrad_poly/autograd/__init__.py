"""Gradients of several outputs at once, `grad` and `backward`, and torch's other names in `torch.autograd`."""

from collections.abc import Sequence
from typing import Any

from tinygrad_poly._missing import explain as _explain
from tinygrad_poly.autograd.anomaly import detect_anomaly as detect_anomaly
from tinygrad_poly.autograd.anomaly import set_detect_anomaly as set_detect_anomaly
from tinygrad_poly.autograd.function import Function as Function
from tinygrad_poly.autograd.function import Variable as Variable
from tinygrad_poly.autograd.grad_mode import enable_grad as enable_grad
from tinygrad_poly.autograd.grad_mode import inference_mode as inference_mode
from tinygrad_poly.autograd.grad_mode import no_grad as no_grad
from tinygrad_poly.autograd.grad_mode import set_grad_enabled as set_grad_enabled
from tinygrad_poly.engine.apply import wrap
from tinygrad_poly.engine.arrays import Array
from tinygrad_poly.engine.errors import DtypeError, GraphError
from tinygrad_poly.engine.walk import Node, inputs_of, start, walk
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
    targets = inputs_of(inputs, "grad")
    starts = _starts("grad", "outputs", outputs, grad_outputs, create_graph)
    retain = create_graph if retain_graph is None else retain_graph
    found = walk(starts, targets=targets, retain_graph=retain, create_graph=create_graph)
    gradients = [found.get(target) for target in targets]
    for position, g in enumerate(gradients):
        if g is None and not allow_unused:
            raise GraphError(
                f"grad(): the outputs do not depend on input {position}; "
                "leave it out, or pass allow_unused=True to get None for it"
            )
    return tuple([g if g is None else wrap(g.array, g.node) if create_graph else wrap(g, None) for g in gradients])


def backward(
    tensors: Tensor | Sequence[Tensor],
    grad_tensors: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Tensor | Sequence[Tensor] | None = None,
) -> None:
    """Add the gradients of the sum of `tensors` to the `grad` of the leaves they came from, in one walk.

    `tensor.backward()` for several tensors: what they share is walked once, where a call for each would walk it
    again and have to retain it.

    Args:
        tensors: one tensor or several.
        grad_tensors: a cotangent for each; a tensor with one element needs none.
        retain_graph: keep the graph for another pass; by default only with `create_graph`.
        create_graph: record the pass, so that the gradients can be differentiated again.
        inputs: one tensor or several, to whose `grad` alone is added; they need not be leaves.

    Raises:
        GraphError: where a tensor has no graph, or needs a cotangent; then no gradient has changed.
        ShapeError: where a cotangent has another shape than its tensor.

    >>> import tinygrad_poly as tg
    >>> x = tg.tensor(2.0, requires_grad=True)
    >>> shared = x * x
    >>> backward([shared * 3, shared * 5])
    >>> x.grad                                             # (3 + 5) · 2x
    tensor(32.)
    """
    starts = _starts("backward", "tensors", tensors, grad_tensors, create_graph)
    retain = create_graph if retain_graph is None else retain_graph
    targets = None if inputs is None else inputs_of(inputs, "backward")
    walk(starts, targets=targets, retain_graph=retain, create_graph=create_graph, accumulate=True)


def _starts(function: str, name: str, outputs: Any, cotangents: Any, create_graph: bool) -> list[tuple[Node, Array]]:
    """The start of the walk: the node of each output, with its cotangent."""
    tensors = _several(function, name, outputs)
    given = [None] * len(tensors) if cotangents is None else _several(function, f"grad_{name}", cotangents, True)
    if len(given) != len(tensors):
        raise GraphError(f"{function}() was given {len(tensors)} {name} but {len(given)} grad_{name}")
    return [start(tensor, v, create_graph) for tensor, v in zip(tensors, given, strict=True)]


def _several(function: str, name: str, tensors: Any, optional: bool = False) -> list[Any]:
    several = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    for tensor in several:
        if not isinstance(tensor, Tensor) and not (optional and tensor is None):
            raise DtypeError(f"{function}(): {name} must be tensors, not {type(tensor).__name__}")
    return several


# They are made of what is built on this module.
_explain(__name__, dict.fromkeys(("gradcheck", "gradgradcheck", "GradcheckError"), "tinygrad_poly.checking.gradcheck"))
