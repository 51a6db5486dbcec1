"""Block gradients: the loss and its gradient on one block of the points, computed where the block is."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import cycle
from typing import Any

import numpy as np

from tinygrad_poly.autograd import grad
from tinygrad_poly.creation import as_tensor
from tinygrad_poly.engine.apply import wrap
from tinygrad_poly.engine.arrays import Shape
from tinygrad_poly.engine.errors import ShapeError
from tinygrad_poly.engine.recording import enable_grad
from tinygrad_poly.engine.walk import leaf
from tinygrad_poly.fitting.objective import Loss, check_scalar
from tinygrad_poly.tensor import Tensor

Sums = list[tuple[Any, Any]]
"""Of the loss and of each derivative: the sum over points, and what no point has a share in."""


@dataclass(frozen=True)
class BlockGradient:
    """The loss and its derivatives on one block of the points, as shares of those on all points.

    It is sent to where the blocks are, where each process traces and compiles it once for each length of a block.
    """

    loss: Loss
    listed: bool
    names: tuple[str, ...]
    points: int
    """The number of all points."""
    second: bool = False
    """Whether the change of the gradients with the weights is asked for, too."""
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, compare=False)
    _ready: set[Any] = field(default_factory=set, init=False, compare=False)

    def __call__(self, weights: Sequence[Any], x: Any, y: Any) -> Sums:
        """The share of a block in the loss and in each gradient."""
        copies = 1
        if len(x) == 1:
            # An array of one element broadcasts as no longer one does; so the one point is taken twice, and halved.
            copies, x, y = 2, np.repeat(x, 2, axis=0), np.repeat(y, 2, axis=0)
        given = [wrap(w, leaf(w)) for w in weights], wrap(np.asarray(x), None), wrap(np.asarray(y), None)
        kind = (x.shape, x.dtype, y.shape, y.dtype, *((w.shape, w.dtype) for w in weights))
        with np.errstate(over="ignore", invalid="ignore"):
            if kind in self._ready:
                outputs = self._compiled(*given)
            else:
                with self._lock:
                    outputs = self._compiled(*given)
                    self._ready.add(kind)
        grown = self.points / len(x)
        sums = []
        for parts in outputs:
            share = [
                sum((grown**p * array.array.astype(np.float64) for (s, p), array in parts.items() if s == summed), 0.0)
                for summed in (True, False)
            ]
            sums.append((share[0] / copies, share[1]))
        return sums

    @cached_property
    def _compiled(self) -> Any:
        from tinygrad_poly.compiler import compile

        return compile(self.parts)

    def parts(self, weights: list[Tensor], x: Tensor, y: Tensor) -> list[dict[Any, Tensor]]:
        """The parts of the loss and of each gradient, as `compiler.additive` finds them; of symbols.

        Raises:
            NotAdditive: where the loss is no sum and no mean over the points.
        """
        from tinygrad_poly.compiler.moments.blockwise import NotAdditive, parts

        n = x.shape[0]
        other = unlike(weights, x, y, n)
        others_data = traced(x, other), traced(y, other)
        outputs = self._outputs(weights, x, y)
        try:
            others = self._outputs(weights, *others_data)
        except ValueError as error:
            raise NotAdditive(f"it cannot be computed for {other} points ({error})") from error
        data = {x.array: others_data[0].array, y.array: others_data[1].array}
        found = parts(outputs, others, data, n, other)
        return [{part: wrap(symbol, None) for part, symbol in each.items()} for each in found]

    def _outputs(self, weights: list[Tensor], x: Tensor, y: Tensor) -> list[Any]:
        """The loss and its gradients as arrays."""
        with enable_grad():
            output = self.loss(list(weights) if self.listed else dict(zip(self.names, weights)), x, y)
            check_scalar(output)
            found = list(grad(output, weights, create_graph=self.second, allow_unused=True))
            for g, w in zip(found[:], weights):
                for i in range(w.numel() if self.second else 0):
                    if g is None or g.node is None:
                        found += [None] * len(weights)
                    else:
                        found += grad(g.reshape(-1)[i], weights, retain_graph=True, allow_unused=True)
        zeros = [np.zeros(w.shape, w.dtype) for w in weights]
        return [output.array, *(zero if g is None else g.array for g, zero in zip(found, cycle(zeros)))]

    def __reduce__(self) -> Any:
        return _unpacked, (self._packed,)

    @cached_property
    def _packed(self) -> bytes:
        import cloudpickle

        return bytes(cloudpickle.dumps((self.loss, self.listed, self.names, self.points, self.second)))


@lru_cache(maxsize=16)
def _unpacked(packed: bytes) -> BlockGradient:
    """The block gradient that this process keeps: its compiled programs serve later tasks and steps."""
    import pickle

    return BlockGradient(*pickle.loads(packed))


def traced(data: Any, points: int) -> Tensor:
    """Data of some number of points, in the form in which `compile` gives it to a function that it traces."""
    from tinygrad_poly.compiler.trace.symbols import placeholder, record

    shape = (points, *data.shape[1:])
    return wrap(record("reshape", placeholder("", shape, data.dtype), shape=shape), None)


def unlike(weights: Sequence[Any], x: Any, y: Any, *others: int) -> int:
    """A number of points that differs from every length in the data and the weights."""
    taken = {*others, *x.shape[1:], *y.shape[1:], *(length for w in weights for length in w.shape)}
    return next(n for n in range(11, 13 + len(taken)) if n not in taken)


@dataclass(frozen=True)
class Step:
    """One step's weights, and the derivatives to compute: all that a block needs to know."""

    gradient: BlockGradient
    weights: list[Any]

    def of(self, block: tuple[Any, Any]) -> Sums:
        """The sums of a block."""
        return self.gradient(self.weights, *block)

    def of_declared(self, block: tuple[Any, Any], shapes: list[Shape]) -> Sums:
        """The sums of a block that should have these shapes.

        Raises:
            ShapeError: where it has not: means and their gradients would be wrong.
            DtypeError: for complex numbers, and what is no number.
            DataError: for masked elements.
        """
        for name, data, shape in zip("xy", block, shapes):
            if np.shape(data) != shape:
                raise ShapeError(
                    f"a block of {name} has shape {np.shape(data)}, and {shape} according to its chunks: a function "
                    "that drops or adds points needs map_blocks(..., chunks=...), or compute_chunk_sizes() afterwards"
                )
            if np.ma.is_masked(data) or np.asarray(data).dtype.kind not in "biuf":
                as_tensor(data)  # which says what is wrong
        return self.of(block)


def added(sums: list[Sums]) -> Sums:
    """The sums of several blocks, added in order. A part without points is counted only once."""
    first, *rest = sums
    for more in rest:
        first = [(a + b, alone) for (a, alone), (b, _) in zip(first, more, strict=True)]
    return first
