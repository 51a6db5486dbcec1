"""Layers with weights, and modules that contain modules."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self

from tinygrad_poly import functions
from tinygrad_poly.creation import made
from tinygrad_poly.engine.arrays import library
from tinygrad_poly.engine.errors import DtypeError, ShapeError
from tinygrad_poly.nn import functional
from tinygrad_poly.nn.module import Module, Parameter
from tinygrad_poly.random import rand
from tinygrad_poly.tensor import Tensor


class Linear(Module):
    """A linear layer y = x Wᵀ + b, with W of shape (out_features, in_features) and b of shape (out_features,).

    The weights start uniform in ±1/√in_features, drawn in torch's order: the same seed gives the same
    layer.

    >>> Linear(2, 3)
    Linear(in_features=2, out_features=3, bias=True)
    """

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        bound = 1 / math.sqrt(in_features) if in_features > 0 else 0.0

        def start(*shape: int) -> Parameter:
            uniform = rand(*shape, dtype=dtype).array
            end = uniform.dtype.type(bound)
            number = library(uniform).multiply_add(end + end, uniform, -end, uniform.dtype)
            return Parameter(made(number, None, device, False))

        self.weight = start(out_features, in_features)
        self.register_parameter("bias", start(out_features) if bias else None)

    def forward(self, input: Tensor) -> Tensor:
        """The output x Wᵀ + b for x of shape (…, in_features).

        Raises:
            ShapeError: where the last length is not in_features.
        """
        shape = input.shape
        if not shape or shape[-1] != self.in_features:
            raise ShapeError(
                f"Linear expects inputs of shape (..., {self.in_features}), but got {shape}; "
                "a column of numbers is x.view(-1, 1)"
            )
        return functions.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        """The sizes, as torch prints them."""
        has_bias = self._parameters["bias"] is not None
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={has_bias}"


class Identity(Module):
    """A module that returns its input, whatever arguments it was made with.

    >>> Identity()(tensor([1.0, 2.0]))
    tensor([1., 2.])
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Tensor) -> Tensor:
        """The input."""
        return input


class Flatten(Module):
    """A module that merges the dimensions from `start_dim` to `end_dim`; by default all but the first.

    >>> Flatten()(zeros(5, 2, 3)).shape
    (5, 6)
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, input: Tensor) -> Tensor:
        """The same elements in another shape."""
        return functions.flatten(input, self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        """The dimensions, as torch prints them."""
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Dropout(Module):
    """Random zeros in training: each element with probability p; the others are divided by 1 − p.

    In evaluation nothing changes.

    >>> Dropout(0.2).eval()(tensor([1.0, 2.0]))
    tensor([1., 2.])
    """

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        functional.check_probability(p)
        self.p, self.inplace = p, inplace

    def forward(self, input: Tensor) -> Tensor:
        """The input with random zeros in training; the input itself in evaluation."""
        return functional.dropout(input, self.p, self.training, self.inplace)

    def extra_repr(self) -> str:
        """The options, as torch prints them."""
        return f"p={self.p}, inplace={self.inplace}"


class Sequential(Module):
    """Modules in a row: each gets the output of the one before it.

    Args:
        modules: the modules, or one dict of names to modules.

    >>> model = Sequential(Linear(1, 2), Flatten(), Linear(2, 1))
    >>> model
    Sequential(
      (0): Linear(in_features=1, out_features=2, bias=True)
      (1): Flatten(start_dim=1, end_dim=-1)
      (2): Linear(in_features=2, out_features=1, bias=True)
    )
    >>> model(zeros(5, 1)).shape
    (5, 1)
    """

    def __init__(self, *modules: Any) -> None:
        super().__init__()
        if len(modules) == 1 and isinstance(modules[0], Mapping):
            for name, module in modules[0].items():
                self.register_module(name, module)
        else:
            self.extend(modules)

    def forward(self, input: Any) -> Tensor:
        """The output of the last module."""
        for module in self:
            input = module(input)
        result: Tensor = input
        return result

    def append(self, module: Module) -> Self:
        """Add a module at the end; returns this module."""
        self.register_module(str(len(self)), module)
        return self

    def extend(self, modules: Iterable[Module]) -> Self:
        """Add modules at the end; returns this module."""
        for module in modules:
            self.append(module)
        return self

    def insert(self, index: int, module: Module) -> Self:
        """Add a module before the one at `index`; returns this module."""
        order: list[Any] = list(self)
        order.insert(index, module)
        return self._renumbered(order)

    def _renumbered(self, modules: list[Any]) -> Self:
        self._modules.clear()
        return self.extend(modules)

    def _name(self, index: int) -> str:
        names = list(self._modules)
        if not isinstance(index, int):
            raise DtypeError(f"{type(self).__name__} is indexed by numbers and slices, not {type(index).__name__}")
        if not -len(names) <= index < len(names):
            raise IndexError(f"there is no module {index}: {type(self).__name__} has {len(names)}")
        return names[index]

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return type(self)._of(dict(list(self._modules.items())[index]))
        return self._modules[self._name(index)]

    @classmethod
    def _of(cls, modules: dict[str, Any]) -> Any:
        return cls(modules)

    def __setitem__(self, index: int, module: Module) -> None:
        self.register_module(self._name(index), module)

    def __delitem__(self, index: int) -> None:
        del self._modules[self._name(index)]
        if all(name.isdecimal() for name in self._modules):
            self._renumbered(list(self))

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._modules.values())


class ModuleList(Sequential):
    """A list of modules, to be called by the `forward` of another module.

    >>> layers = ModuleList([Linear(1, 2), Linear(2, 1)])
    >>> layers[1]
    Linear(in_features=2, out_features=1, bias=True)
    """

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        Module.__init__(self)
        self.extend(modules)

    @classmethod
    def _of(cls, modules: dict[str, Any]) -> Any:
        return cls(modules.values())

    def _inner_reprs(self) -> Iterator[tuple[str, str]]:
        # Neighbours that look the same share a line, as in torch.
        at = 0
        for text, group in itertools.groupby(map(repr, self)):
            count = len(list(group))
            yield (f"{at}-{at + count - 1}", f"{count} x {text}") if count > 1 else (str(at), text)
            at += count

    def forward(self, input: Any) -> Any:
        """Not defined: how the modules of a list are called is for the module around it to say."""
        raise NotImplementedError("a ModuleList is not called: loop over it, or use Sequential")
