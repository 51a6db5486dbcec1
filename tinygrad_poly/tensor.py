"""The class `Tensor`: an array, and a record of how it was made."""

from __future__ import annotations

import builtins
import copy
import math
import operator
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self

import numpy as np

from tinygrad_poly import _printing, functions, hooks, writing
from tinygrad_poly.derivatives import arithmetic, products, shapes
from tinygrad_poly.engine import apply, arrays, walk
from tinygrad_poly.engine.apply import apply_operation, apply_unary, binary, comparison, operand, unary, wrap
from tinygrad_poly.engine.arrays import Array, named, normalize_axes, on_cpu
from tinygrad_poly.engine.errors import DtypeError, GraphError, ShapeError
from tinygrad_poly.engine.recording import note_read
from tinygrad_poly.engine.walk import Node, leaf
from tinygrad_poly.interop.numpy import array_function, array_ufunc
from tinygrad_poly.methods import Methods


def _leaf(kind: type[Any], array: Array, requires_grad: bool) -> Any:
    """A copied or unpickled tensor, as a leaf."""
    tensor = wrap(array, leaf(array) if requires_grad else None)
    tensor.__class__ = kind
    return tensor


class Tensor(Methods):
    """An array on the tape: its values, and a record of how they were computed.

    Arithmetic on tensors computes on their arrays at once. If a tensor requires grad, the operation is
    also recorded, and `backward` on the result fills in `grad`, the gradient with respect to it.

    Two fields hold all of it: `array`, which nothing ever writes into, and `node`, which says how the
    array was made (None if no gradient flows through it). A view, such as `x[0]`, takes both from its base (`writing`).

    >>> import tinygrad_poly as tg
    >>> x = tg.tensor(3.0, requires_grad=True)
    >>> y = x * x + 2 * x
    >>> y.backward()
    >>> x.grad                      # dy/dx = 2x + 2
    tensor(8.)
    """

    __slots__ = ("array", "node")
    array: Array
    node: Node | None
    __array_ufunc__ = array_ufunc
    __array_function__ = array_function

    def __new__(cls, *data: Any) -> Any:
        """A tensor of zeros with these lengths, or of the numbers in a list, in the default dtype; see `tensor`."""
        return apply.tensor_namespace.creation.of_type(None, data)

    # Its gradient

    @property
    def requires_grad(self) -> bool:
        """Whether gradients flow to or through this tensor."""
        return self.node is not None

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        self.requires_grad_(value)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Ask for a gradient of this tensor, or stop asking; returns the tensor.

        Raises:
            DtypeError: for integers and booleans, which have no derivative.
            GraphError: for a tensor that was computed from others.
        """
        if requires_grad:
            if not arrays.is_floating(self.dtype):
                raise DtypeError(
                    f"only floating-point tensors can require gradients, and this one is {self.dtype}: "
                    "convert it with .float() or write its numbers with a decimal point"
                )
            if self.node is None:
                self.node = walk.leaf(self.array)
        elif self.node is not None:
            if self.node.operation is not None:
                raise GraphError(
                    f"requires_grad can only be switched off on leaf tensors, and this one was computed by "
                    f"<{self.node.name()}>; use .detach() for a copy without the graph"
                )
            self.node = None
        return self

    @property
    def grad(self) -> Tensor | None:
        """The gradient that `backward` has added up here, or None."""
        node = self.node
        return None if node is None else node.grad

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is None:
            if self.node is not None:
                self.node.grad = None
            return
        if not isinstance(value, Tensor):
            raise DtypeError(f"grad must be a tensor or None, not {type(value).__name__}")
        if self.node is None:
            raise GraphError("this tensor does not require grad; call requires_grad_() before giving it one")
        if value.shape != self.shape or value.dtype != self.dtype:
            raise ShapeError(
                f"a gradient must be like its tensor, {self.dtype} of shape {self.shape}, "
                f"but was {value.dtype} of shape {value.shape}"
            )
        self.node.grad = value

    @property
    def is_leaf(self) -> bool:
        """Whether the tensor was made by the user and not computed from tensors that require grad."""
        return self.node is None or self.node.operation is None

    @property
    def grad_fn(self) -> Node | None:
        """The node that recorded how the tensor was computed; None for a leaf."""
        return None if self.is_leaf else self.node

    def retain_grad(self) -> None:
        """Keep the gradient of this tensor, although it is not a leaf.

        Raises:
            GraphError: if it does not require grad.
        """
        if self.node is None:
            raise GraphError("retain_grad() on a tensor that does not require grad: no gradient will ever reach it")
        self.node.retains = True

    @property
    def retains_grad(self) -> bool:
        """Whether this tensor keeps its gradient although it is no leaf."""
        return self.node is not None and self.node.operation is not None and self.node.retains

    @property
    def output_nr(self) -> int:
        """The number of this tensor among the outputs of its `grad_fn`: 0, but for a `Function` with several."""
        return getattr(self.node, "output_nr", 0)

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> hooks.RemovableHandle:
        """Call `hook(gradient)` whenever a backward pass has the whole gradient of this tensor; returns a handle.

        A tensor that the hook returns, of the same shape and dtype, takes the place of the gradient, for later hooks,
        for `grad`, and for all that the tensor was computed from. Hooks are called in the order of their registration.

        Raises:
            GraphError: if the tensor does not require grad.
            DtypeError: for a hook that cannot be called, and in the backward pass where it returns no such tensor.
            ShapeError: in the backward pass, where it returns a tensor of another shape.

        >>> import tinygrad_poly as tg
        >>> x = tg.tensor([1.0, 2.0], requires_grad=True)
        >>> y = x * 3
        >>> handle = y.register_hook(lambda gradient: gradient.clamp(max=1.0))
        >>> (y * 5).sum().backward()
        >>> x.grad                                         # 3 · 1 instead of 3 · 5
        tensor([3., 3.])
        >>> handle.remove()
        """
        return hooks.register(self, hook)

    def register_post_accumulate_grad_hook(self, hook: Callable[[Tensor], None]) -> hooks.RemovableHandle:
        """Call `hook(tensor)` whenever a backward pass has added to the `grad` of this leaf; returns a handle.

        Raises:
            GraphError: if the tensor is no leaf that requires grad.
        """
        return hooks.register(self, hook, after=True)

    def backward(
        self,
        gradient: Tensor | None = None,
        retain_graph: bool | None = None,
        create_graph: bool = False,
        inputs: Tensor | Sequence[Tensor] | None = None,
    ) -> None:
        """Compute the gradients of this tensor and add them to the `grad` of the leaves it came from.

        An exception on the way, such as Ctrl-C, leaves every `grad` as it was; the graph, where it was walked over, is
        freed all the same: compute the tensor again.

        Args:
            gradient: the cotangent v of vᵀJ, of this tensor's shape; not needed for a scalar (v = 1).
            retain_graph: keep what the rules need for a second backward pass over the same graph.
            create_graph: record the backward pass, so that the gradients can be differentiated.
            inputs: one tensor or several, to whose `grad` alone is added; they need not be leaves.

        Raises:
            GraphError: without a graph, without `gradient` for more than one element, or where
                the graph was freed by an earlier pass.
            ShapeError: where `gradient` has another shape.

        >>> import tinygrad_poly as tg
        >>> x = tg.tensor([1.0, 2.0], requires_grad=True)
        >>> (x * x).backward(tg.tensor([1.0, 10.0]))
        >>> x.grad
        tensor([ 2., 40.])
        """
        output = walk.start(self, gradient, create_graph)
        retain = create_graph if retain_graph is None else retain_graph
        targets = None if inputs is None else walk.inputs_of(inputs, "backward")
        walk.walk([output], targets=targets, retain_graph=retain, create_graph=create_graph, accumulate=True)

    def detach(self) -> Tensor:
        """The same numbers without the graph, in shared memory: a write into one changes the other."""
        found: Tensor = writing.detached(self)
        return found

    @property
    def data(self) -> Tensor:
        """The tensor as by `detach()`; assigning to it gives the tensor the memory of another one."""
        return self.detach()

    @data.setter
    def data(self, value: Tensor) -> None:
        if not isinstance(value, Tensor):
            raise DtypeError(f"data must be a tensor, not {type(value).__name__}")
        if self.node is not None:
            if self.node.operation is None:
                arrays_differ = value.shape != self.shape or value.dtype != self.dtype
                if arrays_differ:
                    hooked, self.node = self.node.keeps_grad, walk.leaf(value.array)
                    self.node.keeps_grad = hooked
            elif value.shape != self.shape:
                raise ShapeError(f"data of shape {value.shape} cannot replace data of shape {self.shape}")
        writing.share(self, value)

    def detach_(self) -> Self:
        """Cut the tensor off from its graph; returns the tensor.

        Raises:
            GraphError: for a view, which gets its graph from its base.
        """
        if self.is_view and self.mode.follows and self.node is not None:
            raise GraphError("detach_() cannot cut a view off from its base; use detach()")
        self.node = None
        return self

    def is_contiguous(self) -> bool:
        """Whether the elements lie row by row in memory."""
        flags = getattr(self.array, "flags", None)
        return flags is None or bool(flags.c_contiguous)

    def stride(self, dim: int | None = None) -> Any:
        """For each dimension, or for one, the distance in memory from an element to the next."""
        array = self.array
        if not hasattr(array, "strides"):
            array = np.empty(array.shape, np.int8)
        steps = tuple(step // array.itemsize for step in array.strides)
        return steps if dim is None else steps[normalize_axes(dim, self.ndim, "stride")[0]]  # type: ignore[index]

    def contiguous(self) -> Tensor:
        """The tensor itself if its elements lie row by row in memory, else a copy."""
        return self if self.is_contiguous() else apply_unary(shapes.clone, self, True)

    # What it holds, as numbers and text

    @property
    def shape(self) -> arrays.Size:
        """The lengths of the dimensions."""
        return arrays.Size(self.array.shape)

    @property
    def dtype(self) -> Any:
        """The type of the elements, which NumPy takes for its own dtype."""
        dtype = self.array.dtype
        return named(dtype, dtype) if isinstance(dtype, np.dtype) else dtype

    @property
    def device(self) -> arrays.device:
        """The device that holds its array."""
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

    nelement, ndimension = numel, dim

    def element_size(self) -> int:
        """The number of bytes of an element."""
        return int(self.array.dtype.itemsize)

    @property
    def nbytes(self) -> int:
        """The number of bytes of all elements."""
        return self.numel() * self.element_size()

    def item(self) -> Any:
        """The only element, as a Python number.

        Raises:
            ShapeError: if there is not exactly one.

        >>> import tinygrad_poly as tg
        >>> tg.tensor([[2.5]]).item()
        2.5
        """
        if self.array.size != 1:
            raise ShapeError(f"only a tensor with one element is a number, and this one has shape {self.array.shape}")
        note_read(self)
        return on_cpu(self.array).item()

    def tolist(self) -> Any:
        """The elements as nested lists of Python numbers (a number for a 0-d tensor)."""
        note_read(self)
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
        if self.device.type != "cpu":
            raise TypeError(f"a tensor on {self.device} is no NumPy array; copy it to the CPU first: .cpu().numpy()")
        note_read(self)
        view = np.asarray(self.array).view()
        view.flags.writeable = False
        return view

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        return np.array(self.numpy(), dtype=dtype, copy=copy)

    def __reduce__(self) -> Any:
        if self.node is not None and self.node.operation is not None:
            raise GraphError("only leaf tensors can be copied or pickled; use .detach() or .clone() for this one")
        note_read(self)
        return _leaf, (self.plain, self.array, self.node is not None)

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        make, arguments = self.__reduce__()
        copied: Tensor = make(*copy.deepcopy(arguments, memo))
        if self.grad is not None:
            copied.grad = copy.deepcopy(self.grad, memo)
        return copied

    def __float__(self) -> builtins.float:
        return builtins.float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        if self.array.dtype.kind not in "iu":
            raise DtypeError(f"only an integer tensor is an index, and this one is {self.array.dtype}")
        return int(self.item())

    def __bool__(self) -> bool:
        if self.array.size != 1:
            self.item()
        return bool(on_cpu(self.array).item())

    def __len__(self) -> int:
        if not self.array.shape:
            raise DtypeError("a 0-d tensor has no length")
        return int(self.array.shape[0])

    def __contains__(self, value: Any) -> bool:
        return bool((self == value).any())

    def __format__(self, spec: str) -> str:
        if self.array.shape and spec[-1:] in "bcdeEfFgGnoxX%" and spec:
            raise DtypeError(
                f"the format {spec!r} is for one number, and this tensor has shape {self.shape}: format its elements, "
                "from .tolist(), or call set_printoptions(precision=3)"
            )
        return format(str(self) if self.array.shape else self.item(), spec)

    def __repr__(self) -> str:
        array, node = self.array, self.node
        notes = []
        if self.device.type != "cpu":
            notes.append(f"device='{self.device}'")
        name = str(array.dtype).rpartition(".")[2]
        if name not in (str(arrays.get_default_dtype()), *(["int64", "bool"] if array.size else [])):
            notes.append(f"dtype=torch.{name}")
        if node is not None:
            notes.append(f"grad_fn=<{node.name()}>" if node.operation else "requires_grad=True")
        return _printing.tensor_text(np.asarray(on_cpu(array)), notes)

    # Where and in which dtype

    def to(
        self, *targets: Any, dtype: Any = None, device: Any = None, non_blocking: bool = False, copy: bool = False
    ) -> Tensor:
        """Convert to another dtype, move to another device, or both: `to("cuda:0")`, `to(torch.float64)`, `to(other)`.

        The tensor itself is returned if nothing changes, unless `copy` asks for a new one. The gradient is converted
        and moved back.

        Args:
            targets: a device (a name, a number for a GPU, or a `device`), a dtype, one after the other, or a tensor
                that has both; then, as in torch, `non_blocking` and `copy`.
            dtype: the dtype, by name.
            device: the device, by name.
            non_blocking: torch's; nothing follows from it.
            copy: whether to return a new tensor in any case.

        Raises:
            DeviceError: for a device that does not exist.
            DtypeError: for what is no dtype.
        """
        flags = [target for target in targets if isinstance(target, bool)]
        for target in targets[: len(targets) - len(flags)]:
            if isinstance(target, Tensor):
                device, dtype = target.device, target.dtype
            elif arrays.names_device(target):
                device = target
            elif target is not None:
                dtype = target
        tensor = self
        if device is not None and (place := arrays.device(device)) != self.device:
            tensor = apply_operation(shapes.to_device, tensor, place, self.device)
        if dtype is not None and (dtype := arrays.library(tensor.array).dtype(dtype)) != tensor.dtype:
            tensor = apply_operation(shapes.astype, tensor, dtype)
            if not arrays.is_floating(tensor.dtype):
                tensor.node = None
        return tensor.clone() if tensor is self and (copy or (len(flags) == 2 and flags[1])) else tensor

    def cpu(self) -> Tensor:
        """The tensor in NumPy's memory, after a GPU has finished computing it."""
        return self.to("cpu")

    def cuda(self, device: Any = None) -> Tensor:
        """The tensor on a GPU: the current one, or the one with this number or name.

        Raises:
            DeviceError: where there is none, or CuPy is not installed.
        """
        return self.to("cuda" if device is None else device)

    @property
    def is_cuda(self) -> bool:
        """Whether its array is on a GPU."""
        return self.device.type == "cuda"

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        return apply.tensor_namespace

    # Arithmetic

    __add__ = __radd__ = binary(arithmetic.add)
    __sub__ = binary(arithmetic.subtract)
    __rsub__ = binary(arithmetic.subtract, reflected=True)
    __mul__ = __rmul__ = binary(arithmetic.multiply)
    __truediv__ = binary(arithmetic.divide)
    __rtruediv__ = binary(arithmetic.divide, reflected=True)
    __mod__ = binary(arithmetic.remainder)
    __rmod__ = binary(arithmetic.remainder, reflected=True)
    __floordiv__ = binary(arithmetic.floor_divide)
    __rfloordiv__ = binary(arithmetic.floor_divide, reflected=True)
    __neg__ = unary(arithmetic.negative)
    __pos__ = functions.positive
    __abs__ = functions.abs
    __matmul__ = binary(products.matmul)
    __rmatmul__ = binary(products.matmul, reflected=True)
    _tensor_power = binary(arithmetic.power)
    _power_of = binary(arithmetic.power, reflected=True)

    def __pow__(self, exponent: Any) -> Tensor:
        if type(exponent) is int and exponent >= 0:
            return apply_unary(arithmetic.power_scalar, self, exponent)
        if isinstance(exponent, np.generic):
            exponent = exponent.item()
        if not isinstance(exponent, (int, builtins.float)):
            return self._tensor_power(exponent)
        if arrays.is_floating(self.dtype) or (isinstance(exponent, int) and exponent >= 0):
            return apply_unary(arithmetic.power_scalar, self, exponent)
        if isinstance(exponent, int):
            raise DtypeError(f"{self.dtype} to the power {exponent} is not an integer; use .float() first")
        return self.to(arrays.get_default_dtype()) ** exponent

    def __rpow__(self, base: Any) -> Tensor:
        base = operand(base)
        if isinstance(base, (int, builtins.float)):
            whole = isinstance(base, int) or arrays.is_floating(self.dtype)
            dtype = self.dtype if whole else arrays.get_default_dtype()
            base = arrays.namespace(self.array).asarray(base, dtype=dtype)
        return NotImplemented if base is None else self._power_of(base)

    # Comparisons

    __eq__ = comparison(operator.eq)
    __ne__ = comparison(operator.ne)
    __lt__ = comparison(operator.lt)
    __le__ = comparison(operator.le)
    __gt__ = comparison(operator.gt)
    __ge__ = comparison(operator.ge)
    __and__ = __rand__ = comparison(functions.comparisons.on_bits(operator.and_, "&"))
    __or__ = __ror__ = comparison(functions.comparisons.on_bits(operator.or_, "|"))
    __xor__ = __rxor__ = comparison(functions.comparisons.on_bits(operator.xor, "^"))
    __invert__ = functions.bitwise_not
    __hash__ = object.__hash__

    # Shapes and indices

    @property
    def T(self) -> Tensor:  # noqa: N802 - NumPy's name
        """The tensor with its dimensions in reverse order."""
        return writing.view(shapes.permute, self, tuple(range(self.ndim)[::-1]))

    @property
    def mT(self) -> Tensor:  # noqa: N802 - NumPy's name
        """The tensor with its last two dimensions exchanged."""
        return self.transpose(-2, -1)

    __getitem__, __setitem__ = functions.indexing.getitem, functions.indexing.setitem

    def __iter__(self) -> Iterator[Tensor]:
        return (self.__getitem__(i, writing.SEVERAL) for i in range(len(self)))
