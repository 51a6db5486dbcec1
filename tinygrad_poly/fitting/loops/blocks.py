"""Losses of data that is larger than the memory: value and gradient from those of blocks, which may be elsewhere.

With Dask arrays x and y, each step sends the weights to where the blocks are. There the fused program computes the
value and gradient of each, and the parts are added up in a tree. What comes back is as small as the weights.
"""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar

import numpy as np

from tinygrad_poly.creation import as_tensor
from tinygrad_poly.engine import arrays
from tinygrad_poly.engine.apply import is_recording, wrap
from tinygrad_poly.engine.errors import DtypeError, GraphError, ShapeError
from tinygrad_poly.engine.operation import Variadic
from tinygrad_poly.engine.walk import Node, leaf
from tinygrad_poly.fitting.loops.block_gradient import BlockGradient, Step, added, traced, unlike
from tinygrad_poly.fitting.loops.cluster import computed
from tinygrad_poly.fitting.objective import Loss, Objective
from tinygrad_poly.tensor import Tensor

TOGETHER = 16
"""How many blocks' parts are added at a time."""

SAMPLE = 2000
"""How many points a picture shows."""


def are_blocks(data: Any) -> bool:
    """Whether `data` is a collection of Dask; found out without importing Dask.

    Objects of xarray always have the method, and a graph only where their data are Dask arrays.
    """
    graph = getattr(data, "__dask_graph__", None)
    return graph is not None and not isinstance(data, type) and graph() is not None


class BlockLoss:
    """A loss of Dask arrays as a function of the weights, on the tape; its gradients are computed with its value.

    Args:
        loss: `loss(params, x, y)`, which gets one block at a time.
        listed: whether it takes a list of weights, and not a dict.
        weights: the weights to start from; only names, shapes and dtypes matter.
        x: Dask array with the points along the first axis.
        y: likewise, in the same blocks.

    Raises:
        NotAdditive: where the loss is no sum and no mean over the points.
    """

    def __init__(self, loss: Loss, listed: bool, weights: Mapping[str, Tensor], x: Any, y: Any) -> None:
        import dask

        self.gradient = BlockGradient(loss, listed, tuple(weights), x.shape[0])
        self._second = replace(self.gradient, second=True)
        self.dtype = self._checked(list(weights.values()), x, y)
        # What leads to a block is made one task, once: so x and y of a block are where its gradient is computed.
        (self._blocks,) = dask.optimize(paired(x, y))
        self._points = x.shape[1:], y.shape[1:]
        self._start = {name: np.asarray(arrays.on_cpu(w.array)) for name, w in weights.items()}
        self._last: dict[bool, Any] = {}

    def _checked(self, weights: list[Tensor], x: Any, y: Any) -> Any:
        """Trace the loss in this process first, so that errors show early; returns its dtype."""
        from tinygrad_poly.compiler.trace.outside import nothing_kept
        from tinygrad_poly.compiler.trace.symbols import placeholder

        n = unlike(weights, x, y)
        given = [placeholder(name, w.shape, w.dtype) for name, w in zip(self.gradient.names, weights)]
        with nothing_kept(self.gradient.loss):
            loss, *_ = self.gradient.parts([wrap(symbol, leaf(symbol)) for symbol in given], traced(x, n), traced(y, n))
            dtype = next(iter(loss.values())).dtype
            del loss, _
        return dtype

    def __call__(self, params: Any, x: Any = None, y: Any = None) -> Tensor:
        """The loss of these weights; x and y are ignored, as the loss knows its data."""
        weights = list(params.values()) if isinstance(params, Mapping) else list(params)
        own = [np.asarray(arrays.on_cpu(w.array)) for w in weights]
        nodes = tuple(w.node for w in weights)
        value, *gradients = self._computed(self.gradient, own)
        value = value.astype(self.dtype)[()]
        if not is_recording() or not any(nodes):
            return wrap(value, None)
        return wrap(
            value, Node(_of_blocks.of(len(nodes)), nodes, (gradients, partial(self._on_tape, own, nodes)), value)
        )

    def in_float64(self, x: Any, y: Any) -> "BlockLoss":
        """The same loss for weights in float64."""
        weights = {name: wrap(w.astype(np.float64), None) for name, w in self._start.items()}
        return BlockLoss(self.gradient.loss, self.gradient.listed, weights, x, y)

    def _on_tape(self, weights: list[Any], nodes: tuple[Node | None, ...]) -> list[Tensor]:
        """The gradients as tensors that can be differentiated by the weights again."""
        _, *found = self._computed(self._second, weights)
        gradients, rows = found[: len(weights)], iter(found[len(weights) :])
        tensors = []
        for g in gradients:
            slopes = [[next(rows) for _ in weights] for _ in range(g.size)]
            columns = [np.reshape([row[j] for row in slopes], (*g.shape, *w.shape)) for j, w in enumerate(weights)]
            tensors.append(wrap(g, Node(_of_gradients.of(len(nodes)), nodes, (columns,), g)))
        return tensors

    def _computed(self, gradient: BlockGradient, weights: list[Any]) -> list[Any]:
        """The loss and its derivatives at some weights; the latest ones are kept."""
        key = [w.tobytes() for w in weights]
        known, found = self._last.get(gradient.second, (None, []))
        if known != key:
            sums = computed(self._graph(Step(gradient, weights)))
            found = [np.asarray(over_points + alone) for over_points, alone in sums]
            for i, w in enumerate(found[1:]):
                like = weights[i % len(weights)]
                found[i + 1] = np.broadcast_to(w, like.shape).astype(like.dtype)[()]
            self._last[gradient.second] = key, found
        return list(found)

    def _graph(self, step: Step) -> Any:
        """The graph of one step: a task for each block, and a tree that adds the results in their order."""
        from dask.delayed import Delayed
        from dask.highlevelgraph import HighLevelGraph

        name = uuid.uuid4().hex
        told = f"weights-{name}"
        layer: dict[Any, Any] = {told: step}
        level = []
        for i, (length, block) in enumerate(zip(self._blocks.chunks[0], self._blocks.__dask_keys__(), strict=True)):
            if length:
                level.append((f"gradient-of-block-{name}", i))
                layer[level[-1]] = (Step.of_declared, told, block, [(length, *point) for point in self._points])
        depth = 0
        while len(level) > 1 or not depth:
            groups = [level[i : i + TOGETHER] for i in range(0, len(level), TOGETHER)]
            level = [(f"sum-of-blocks-{name}-{depth}", i) for i in range(len(groups))]
            layer |= {key: (added, group) for key, group in zip(level, groups)}
            depth += 1
        graph = HighLevelGraph.from_collections(f"step-{name}", layer, dependencies=[self._blocks])
        return Delayed(level[0], graph, layer=f"step-{name}")


def paired(x: Any, y: Any) -> Any:
    """The blocks of two Dask arrays as one collection of pairs."""
    import dask.array as da

    return da.blockwise(
        _pair, "i", x, "ijklm"[: x.ndim], y, "inopq"[: y.ndim], concatenate=True, dtype=object, meta=np.empty(0, object)
    )


def _pair(x: Any, y: Any) -> tuple[Any, Any]:
    return x, y


def _cotangent(i: int, g: Any, gradients: list[Any], on_tape: Callable[[], list[Tensor]]) -> Any:
    """The gradient ∂L/∂wᵢ, itself a function of the weights where the backward pass is recorded."""
    return g * (on_tape() if hasattr(g, "node") else gradients)[i]


def _bend(j: int, v: Any, columns: list[Any]) -> Any:
    """The second derivative vᵀ ∂²L/∂wᵢ∂wⱼ."""
    if hasattr(v, "node"):
        raise GraphError("a loss of Dask arrays can be differentiated twice, and not a third time")
    return np.tensordot(v, columns[j], axes=np.ndim(v))


_of_blocks = Variadic("Blocks", lambda *given: given[0], _cotangent, saves="nothing")
_of_gradients = Variadic("Blocks", lambda *given: given[0], _bend, saves="nothing", expands=True)


@dataclass(frozen=True)
class BlockObjective(Objective):
    """An `Objective` whose data are Dask arrays."""

    loss: BlockLoss
    x: Any
    y: Any

    in_blocks: ClassVar[bool] = True

    def in_float64(self) -> Objective:
        """The same loss of the same data, computed in float64."""
        x, y = (data.astype(np.float64) if arrays.is_floating(data.dtype) else data for data in (self.x, self.y))
        return BlockObjective(self.loss.in_float64(x, y), x, y, self.listed)

    def points(self) -> tuple[Any, Any]:
        """A selection of the points, evenly spread."""
        import dask

        picked = np.unique(np.linspace(0, self.x.shape[0] - 1, SAMPLE).astype(int))
        x, y = dask.compute(self.x[picked], self.y[picked])
        return x, y


def aligned(x: Any, y: Any) -> tuple[Any, Any]:
    """Both arrays as Dask arrays with the same blocks along the first axis.

    Raises:
        ShapeError: where the number of points is 0, unknown or not the same, or a point is in several blocks.
        DtypeError: where they hold no numbers.
    """
    import dask.array as da

    given: list[Any] = []
    for data in (x, y):
        if not are_blocks(data):
            data = as_tensor(data).detach().numpy()
        elif not isinstance(data, da.Array) and isinstance(getattr(data, "data", None), da.Array):
            data = data.data  # of xarray
        given.append(data)
    for name, data in zip("xy", given):
        if are_blocks(data) and not isinstance(data, da.Array):
            raise DtypeError(
                f"{name} must be a dask.array.Array, not a {type(data).__name__}: of a dataframe take "
                "to_dask_array(lengths=True)"
            )
        if data.dtype.kind not in "biuf":
            raise DtypeError(f"{name} must hold numbers, not {data.dtype}")
        if not data.shape or any(length != length for length in data.shape):
            raise ShapeError(f"{name} has shape {data.shape}: call {name}.compute_chunk_sizes() to count its points")
        if are_blocks(data) and any(len(chunks) > 1 for chunks in data.chunks[1:]):
            whole = ", ".join(f"{axis}: -1" for axis in range(1, data.ndim))
            raise ShapeError(
                f"each block of {name} must hold whole points, and its chunks are {data.chunks}: split the first axis "
                f"only, as {name}.rechunk({{{whole}}}) does"
            )
    lengths = [data.shape[0] for data in given]
    if lengths[0] != lengths[1] or not lengths[0]:
        raise ShapeError(f"x and y must hold the same points, at least one, and x has {lengths[0]}, y {lengths[1]}")
    chunks = next(data for data in given if are_blocks(data)).chunks[0]
    x, y = (
        data.rechunk({0: chunks}) if are_blocks(data) else da.from_array(data, chunks=(chunks, *data.shape[1:]))
        for data in given
    )
    return x, y
