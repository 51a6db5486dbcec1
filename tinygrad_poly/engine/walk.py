"""The backward pass: the reverse walk over the nodes of the tape."""

from collections.abc import Iterable, Sequence
from typing import Any

from tinygrad_poly.engine.apply import Node as Node
from tinygrad_poly.engine.apply import is_recording, wrap
from tinygrad_poly.engine.apply import leaf as leaf
from tinygrad_poly.engine.arrays import Array, astype, expand, library, ones_like, unbroadcast
from tinygrad_poly.engine.errors import DeviceError, DtypeError, GraphError, ShapeError
from tinygrad_poly.engine.operation import NoGradient, Operation


def start(tensor: Any, gradient: Any, create_graph: bool) -> tuple[Node, Array]:
    """The start of a walk: the node of `tensor`, and its cotangent: `gradient`, or 1 for a single element.

    The cotangent is a tensor where the walk is to be recorded (`create_graph`), else an array.

    Raises:
        GraphError: where the tensor has no graph, or has several elements and no `gradient`.
        ShapeError: where `gradient` has another shape.
    """
    node = tensor.node
    if node is None:
        raise GraphError(
            "no gradient can be computed from this tensor: nothing that it was computed from requires grad "
            "(or it was computed under no_grad, or detached); set requires_grad=True on the weights"
        )
    if gradient is None:
        if tensor.array.size != 1:
            raise GraphError(
                f"backward needs a scalar to start from, and this tensor has shape {node.shape}: "
                "reduce it with .sum() or .mean(), or pass gradient= of the same shape"
            )
        ones = ones_like(tensor.array)
        return node, wrap(ones, None) if create_graph else ones
    if not hasattr(gradient, "node"):
        raise DtypeError(f"gradient must be a tensor of shape {node.shape}, not {type(gradient).__name__}")
    if gradient.shape != node.shape:
        raise ShapeError(f"gradient has shape {gradient.shape}, but the tensor has shape {node.shape}")
    if library(gradient.array) is not library(tensor.array) and gradient.device != tensor.device:
        raise DeviceError(f"gradient is on {gradient.device}, but the tensor on {tensor.device}; move it with .to()")
    if gradient.dtype != node.dtype:
        gradient = gradient.to(node.dtype)
    return node, gradient if create_graph else gradient.array


def inputs_of(inputs: Any, name: str) -> list[Node]:
    """The nodes of one tensor or several, which the function `name` got as `inputs`.

    Raises:
        GraphError: where there are none, or one does not require grad.
        DtypeError: where one is no tensor.
    """
    tensors = [inputs] if hasattr(inputs, "node") else list(inputs)
    if not tensors:
        raise GraphError(f"{name}(): inputs is empty; leave it out for the gradients of all leaves")
    for position, tensor in enumerate(tensors):
        if not hasattr(tensor, "node"):
            raise DtypeError(f"{name}(): inputs must be tensors, not {type(tensor).__name__}")
        if tensor.node is None:
            raise GraphError(f"{name}(): input {position} does not require grad; set requires_grad=True on it")
    return [tensor.node for tensor in tensors]


def walk(
    outputs: Sequence[tuple[Node, Array]],
    *,
    targets: Iterable[Node] | None = None,
    retain_graph: bool = False,
    create_graph: bool = False,
    accumulate: bool = False,
) -> dict[Node, Array]:
    """Carry cotangents from `outputs` back to the leaves.

    By the chain rule, a node's cotangent is the sum over its consumers of what their rules return.
    A node is therefore visited once, after all of its consumers: with `b = a + a; c = b + b`, a walk
    that visited `b` after its first consumer would give `a` half of its gradient.

    Rules return plain mathematics. What every rule would otherwise repeat is done here: a repeated
    axis is summed, the dtype made the input's, contributions added up. A cotangent may be smaller
    than its array as long as it broadcasts to it; it is expanded at a leaf, or where a rule asks.

    Args:
        outputs: nodes to start from, each with its cotangent.
        targets: nodes whose cotangents to return; nothing else is computed, and no leaf's gradient is
            touched. By default gradients accumulate in the leaves (and where `retain_grad` asked).
        retain_graph: keep the saved arrays for another walk.
        create_graph: record the walk itself: cotangents and saved arrays are tensors.
        accumulate: add what is found to the gradients of the targets too.

    Raises:
        GraphError: where a node's saved arrays were freed by an earlier walk.
    """
    wanted = None if targets is None else set(targets)
    needed = None if wanted is None else _leading_to(wanted, [node for node, _ in outputs])
    # For each node: how many consumers have yet to contribute, and the sum of what came so far.
    waiting = _consumers([node for node, _ in outputs], needed)
    for node, cotangent in outputs:
        if node in waiting:
            entry = waiting[node]
            entry[1] = cotangent if entry[1] is None else entry[1] + cotangent
    ready = [node for node, entry in waiting.items() if not entry[0]]
    if (mode := is_recording()) is not True and mode:
        mode.walking(waiting)
    found: dict[Node, Array] = {}
    while ready:
        node = ready.pop()
        g = waiting.pop(node)[1]
        operation = node.operation
        keeps = node.keeps_grad
        if keeps or wanted is not None:
            if keeps and keeps is not True:  # the tensor's hooks
                g, keeps = keeps(node, g), keeps.keeps
            if keeps if wanted is None else node in wanted:
                found[node] = g if g.shape == node.shape else expand(g, node.shape)
        if operation is None or (needed is not None and needed.isdisjoint(node.parents)):
            continue
        saved = node.saved
        if create_graph:
            saved = _as_tensors(node, operation, saved)
        if operation.frees and not retain_graph:
            node.saved = None
        # Where an input was broadcast, its rule's result is summed over the repetitions: they must be there.
        if g.shape != node.shape and (operation.expands or any(p and p.shape != node.shape for p in node.parents)):
            g = expand(g, node.shape)
        for parent, rule in zip(node.parents, operation.rules):
            if parent is None or (needed is not None and parent not in needed):
                continue
            try:
                contribution = rule(g, *saved)
            except NoGradient:
                _pass_over(parent, waiting, ready)
                continue
            if contribution.shape != parent.shape:
                contribution = unbroadcast(contribution, parent.shape)
            if contribution.dtype is not parent.dtype and contribution.dtype != parent.dtype:
                contribution = astype(contribution, parent.dtype)
            entry = waiting[parent]
            entry[1] = contribution if entry[1] is None else entry[1] + contribution
            entry[0] -= 1
            if not entry[0]:
                ready.append(parent)
    if wanted is None or accumulate:
        # At the end: a walk that an exception ends adds nothing, instead of a part.
        for node, g in found.items():
            _accumulate(node, g, create_graph)
    return found


def _consumers(roots: list[Node], needed: set[Node] | None) -> dict[Node, list[Any]]:
    """All nodes that the walk will visit, each with its number of consumers and a place for its cotangent.

    Raises:
        GraphError: where one's saved arrays were freed; nothing has been changed then.
    """
    found: dict[Node, list[Any]] = {node: [0, None] for node in roots if needed is None or node in needed}
    stack = list(found)
    while stack:
        node = stack.pop()
        if node.saved is None and (needed is None or not needed.isdisjoint(node.parents)):
            raise GraphError(
                f"the graph below <{node.name()}> was freed by an earlier backward(); pass retain_graph=True to the "
                "earlier backward() or grad() to walk the same graph twice, or compute the output again"
            )
        for parent in node.parents:
            if parent is not None and (needed is None or parent in needed):
                entry = found.get(parent)
                if entry is None:
                    found[parent] = [1, None]
                    stack.append(parent)
                else:
                    entry[0] += 1
    return found


def _pass_over(node: Node, waiting: dict[Node, list[Any]], ready: list[Node]) -> None:
    """Wait for one consumer less, who has no gradient for `node`; if none had, its own consumers' wait ends too."""
    stack = [node]
    while stack:
        node = stack.pop()
        entry = waiting[node]
        entry[0] -= 1
        if not entry[0]:
            if entry[1] is not None:
                ready.append(node)
            else:
                del waiting[node]
                stack += [parent for parent in node.parents if parent in waiting]


def _leading_to(wanted: set[Node], roots: list[Node]) -> set[Node]:
    """The nodes on all ways from `roots` to the `wanted` ones."""
    consumers: dict[Node, list[Node]] = {node: [] for node in roots}
    stack = list(consumers)
    while stack:
        node = stack.pop()
        for parent in node.parents:
            if parent is not None:
                if parent not in consumers:
                    consumers[parent] = []
                    stack.append(parent)
                consumers[parent].append(node)
    needed = wanted & consumers.keys()
    stack = list(needed)
    while stack:
        for node in consumers[stack.pop()]:
            if node not in needed:
                needed.add(node)
                stack.append(node)
    return needed


def _accumulate(node: Node, g: Array, create_graph: bool) -> None:
    old = node.grad
    if create_graph:
        # A tensor of its own: another leaf may get the same cotangent.
        node.grad = wrap(g.array, g.node) if old is None else old + g
    elif old is None:
        node.grad = wrap(g, None)
    else:
        # The same tensor with a new array, so that whoever holds `w.grad` sees the sum, as in torch.
        old.array = old.array + g
    if (kept := node.keeps_grad) is not True and kept:
        kept.accumulated()


def _as_tensors(node: Node, operation: Operation, saved: tuple[Any, ...]) -> tuple[Any, ...]:
    """The saved arrays as tensors with their nodes, so that rules applied to them are recorded."""
    sources: list[Node | None] = []
    if operation.saves_inputs:
        sources += node.parents
    if operation.saves_output:
        sources.append(node)
    if not sources:
        return saved
    tensors = [wrap(array, source) if hasattr(array, "dtype") else array for array, source in zip(saved, sources)]
    return (*tensors, *saved[len(sources) :])
