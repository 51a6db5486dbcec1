"""Modules that contain modules or parameters: in a row, in a list, or under names."""

import itertools
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import Any, ClassVar, Self

from tinygrad_poly.engine.errors import DtypeError
from tinygrad_poly.nn.module import Module, Parameter
from tinygrad_poly.tensor import Tensor


class _Holder(Module):
    """A module whose modules, or parameters, have names that are no attributes of its class."""

    _kind: ClassVar[str] = "_modules"

    @property
    def _held(self) -> dict[str, Any]:
        held: dict[str, Any] = self.__dict__[self._kind]
        return held

    def _hold(self, name: str, value: Any) -> None:
        if self._kind == "_modules":
            self.register_module(name, value)
        else:
            self.register_parameter(name, Parameter(value) if type(value) is Tensor else value)

    def extra_repr(self) -> str:
        """The parameters, as torch prints them."""
        return "\n".join(
            f"  ({name}): Parameter containing: [{self._type(p)} of size {'x'.join(map(str, p.shape))}]"
            for name, p in self._parameters.items()
            if p is not None
        )

    def _type(self, parameter: Any) -> str:
        return str(parameter.dtype)

    def __len__(self) -> int:
        return len(self._held)


class Sequential(_Holder):
    """Modules in a row: each gets the output of the one before it.

    Args:
        modules: the modules, or one dict of names to modules.

    >>> from tinygrad_poly.nn import Flatten, Linear
    >>> model = Sequential(Linear(1, 2), Flatten(), Linear(2, 1))
    >>> model
    Sequential(
      (0): Linear(in_features=1, out_features=2, bias=True)
      (1): Flatten(start_dim=1, end_dim=-1)
      (2): Linear(in_features=2, out_features=1, bias=True)
    )
    >>> model(zeros(5, 1)).shape
    torch.Size([5, 1])
    """

    def __init__(self, *modules: Any) -> None:
        super().__init__()
        if len(modules) == 1 and isinstance(modules[0], Mapping):
            for name, module in modules[0].items():
                self._hold(name, module)
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
        self._hold(str(len(self)), module)
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
        self._held.clear()
        return self.extend(modules)

    def _name(self, index: int) -> str:
        names = list(self._held)
        if not isinstance(index, int):
            raise DtypeError(f"{type(self).__name__} is indexed by numbers and slices, not {type(index).__name__}")
        if not -len(names) <= index < len(names):
            raise IndexError(f"there is no module {index}: {type(self).__name__} has {len(names)}")
        return names[index]

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return type(self)._of(dict(list(self._held.items())[index]))
        return self._held[self._name(index)]

    @classmethod
    def _of(cls, modules: dict[str, Any]) -> Any:
        return cls(modules)

    def __setitem__(self, index: int, module: Module) -> None:
        self._hold(self._name(index), module)

    def __delitem__(self, index: int) -> None:
        del self._held[self._name(index)]
        if all(name.isdecimal() for name in self._held):
            self._renumbered(list(self))

    def __iter__(self) -> Iterator[Any]:
        return iter(self._held.values())


class ModuleList(Sequential):
    """A list of modules, to be called by the `forward` of another module.

    >>> from tinygrad_poly.nn import Linear
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
        for text, group in itertools.groupby(map(repr, self._modules.values())):
            count = len(list(group))
            yield (f"{at}-{at + count - 1}", f"{count} x {text}") if count > 1 else (str(at), text)
            at += count

    def forward(self, input: Any) -> Any:
        """Not defined: how the modules of a list are called is for the module around it to say."""
        raise NotImplementedError("a ModuleList is not called: loop over it, or use Sequential")


class ParameterList(ModuleList):
    """A list of parameters; a tensor becomes one.

    >>> ParameterList([zeros(2), zeros(3)])[1].shape
    torch.Size([3])
    """

    _kind = "_parameters"


class ModuleDict(_Holder, MutableMapping[str, Any]):
    """Modules under names, to be called by the `forward` of another module; it works as a dict.

    >>> from tinygrad_poly.nn import Linear
    >>> ModuleDict({"line": Linear(1, 2)})["line"]
    Linear(in_features=1, out_features=2, bias=True)
    """

    __eq__, __hash__ = object.__eq__, object.__hash__

    def __init__(self, modules: Any = ()) -> None:
        super().__init__()
        self.update(modules)

    def __getitem__(self, name: str) -> Any:
        return self._held[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self._hold(name, value)

    def __delitem__(self, name: str) -> None:
        del self._held[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._held)


class ParameterDict(ModuleDict):
    """Parameters under names; a tensor becomes one.

    >>> list(ParameterDict({"w": zeros(2)}))
    ['w']
    """

    _kind = "_parameters"

    def _type(self, parameter: Any) -> str:
        return str(parameter.type())
