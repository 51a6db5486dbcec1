"""What a tensor holds, and its numbers as Python numbers, NumPy arrays and text."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_poly import arrays, printing
from tinygrad_poly.arrays import Array, Shape, normalize_axes, on_cpu
from tinygrad_poly.backward import Node, leaf
from tinygrad_poly.errors import DtypeError, GraphError, ShapeError


def _leaf(kind: type[Any], array: Array, requires_grad: bool) -> Any:
    """A copied or unpickled tensor."""
    tensor = object.__new__(kind)
    tensor.array, tensor.node = array, leaf(array) if requires_grad else None
    return tensor


class Conversions:
    """The part of `Tensor` that holds its array and node, and hands out its numbers."""

    __slots__ = ("array", "node")
    array: Array
    node: Node | None

    @property
    def shape(self) -> Shape:
        """The lengths of its dimensions."""
        shape: Shape = self.array.shape
        return shape

    @property
    def dtype(self) -> Any:
        """The type of its elements, a NumPy dtype."""
        return self.array.dtype

    @property
    def device(self) -> arrays.device:
        """Where its array lives."""
        return arrays.device_of(self.array)

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return len(self.array.shape)

    def size(self, dim: int | None = None) -> Any:
        """The shape, or the length of one dimension."""
        if dim is None:
            return self.shape
        (axis,) = normalize_axes(dim, self.ndim, "size")  # type: ignore[misc]
        return self.shape[axis]

    def dim(self) -> int:
        """The number of dimensions."""
        return self.ndim

    def numel(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    def item(self) -> Any:
        """The one element as a Python number.

        Raises:
            ShapeError: if there is not exactly one.

        >>> import tinygrad_poly as tg
        >>> tg.tensor([[2.5]]).item()
        2.5
        """
        if self.array.size != 1:
            raise ShapeError(f"only a tensor with one element is a number, and this one has shape {self.array.shape}")
        return on_cpu(self.array).item()

    def tolist(self) -> Any:
        """The elements as nested lists of Python numbers (a number for a 0-d tensor)."""
        return on_cpu(self.array).tolist()

    def numpy(self) -> np.ndarray[Any, Any]:
        """The numbers as a read-only NumPy array that shares this tensor's memory.

        Raises:
            GraphError: if it requires grad, which the array could not remember: use `detach().numpy()`.
            TypeError: if it is on a GPU: use `cpu()` first.

        >>> import tinygrad_poly as tg
        >>> tg.tensor([1.0, 2.0]).numpy()
        array([1., 2.], dtype=float32)
        """
        if self.node is not None:
            raise GraphError("numpy() would lose the graph of a tensor that requires grad; use .detach().numpy()")
        if arrays.is_cupy(self.array):
            raise TypeError(f"a tensor on {self.device} is no NumPy array; copy it to the CPU first: .cpu().numpy()")
        view = np.asarray(self.array).view()
        view.flags.writeable = False
        return view

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        return np.array(self.numpy(), dtype=dtype, copy=copy)

    def __reduce__(self) -> Any:
        if self.node is not None and self.node.operation is not None:
            raise GraphError("only leaf tensors can be copied or pickled; use .detach() or .clone() for this one")
        return _leaf, (type(self), self.array, self.node is not None)

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        if self.array.dtype.kind not in "iu":
            raise DtypeError(f"only an integer tensor is an index, and this one is {self.array.dtype}")
        return int(self.item())

    def __bool__(self) -> bool:
        return bool(self.item())

    def __len__(self) -> int:
        if not self.array.shape:
            raise DtypeError("a 0-d tensor has no length")
        return int(self.array.shape[0])

    def __format__(self, spec: str) -> str:
        return format(str(self) if self.array.shape else self.item(), spec)

    def __repr__(self) -> str:
        array, node = self.array, self.node
        notes = []
        if arrays.device_of(array).type != "cpu":
            notes.append(f"device='{arrays.device_of(array)}'")
        name = str(array.dtype).rpartition(".")[2]
        if name not in (str(arrays.get_default_dtype()), *(["int64", "bool"] if array.size else [])):
            notes.append(f"dtype=torch.{name}")
        if node is not None:
            notes.append(f"grad_fn={node!r}" if node.operation else "requires_grad=True")
        return printing.tensor_text(np.asarray(on_cpu(array)), notes)
