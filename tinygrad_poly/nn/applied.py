"""Modules that are functions with options: what a function takes after its inputs is what its module is made with."""

import inspect
from collections.abc import Callable
from typing import Any, ClassVar

from tinygrad_poly.nn.module import Module
from tinygrad_poly.tensor import Tensor


class Applied(Module):
    """A module that calls a function of one or more inputs; a subclass names it, and how its text shows options."""

    __signature__: ClassVar[inspect.Signature]
    _function: ClassVar[Callable[..., Tensor]]
    _shown: ClassVar[str | None]
    _trains: ClassVar[bool]

    def __init_subclass__(
        cls, function: Callable[..., Tensor] | None = None, inputs: int = 1, shown: str | None = "{name}={value!r}"
    ) -> None:
        if function is not None:
            options = list(inspect.signature(function).parameters.values())[inputs:]
            kept = [p.replace(kind=p.POSITIONAL_OR_KEYWORD) for p in options if p.name != "training"]
            cls.__signature__ = inspect.Signature(kept)
            cls._function, cls._shown = staticmethod(function), shown
            cls._trains = any(p.name == "training" for p in options)

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__()
        bound = self.__signature__.bind(*given, **named)
        bound.apply_defaults()
        self._options = tuple(bound.arguments)
        for name, value in bound.arguments.items():
            if name in ("weight", "pos_weight"):
                self.register_buffer(name, value)
            else:
                setattr(self, name, value)

    def forward(self, *inputs: Tensor, **named: Tensor) -> Tensor:
        """The function of the inputs."""
        options = {name: getattr(self, name) for name in self._options}
        if self._trains:
            options["training"] = self.training
        return self._function(*inputs, **named, **options)

    def extra_repr(self) -> str:
        """The options, as torch prints them."""
        if self._shown is None:
            return ""
        shown = [(name, getattr(self, name)) for name in self._options if name != "inplace"]
        texts = [self._shown.format(name=name, value=value) for name, value in shown]
        return ", ".join(texts + ["inplace=True"] * getattr(self, "inplace", False))
