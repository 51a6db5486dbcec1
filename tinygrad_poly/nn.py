"""Models made of layers, as in `torch.nn`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from tinygrad_poly import functions
from tinygrad_poly.creation import made, multiply_add
from tinygrad_poly.errors import DtypeError, ShapeError
from tinygrad_poly.operators import new
from tinygrad_poly.random import rand
from tinygrad_poly.tensor import Tensor


class Parameter(Tensor):
    """A tensor that a module counts among its weights; it requires grad unless told otherwise.

    >>> import tinygrad_poly as tg
    >>> Parameter(tg.zeros(1))
    Parameter containing:
    tensor([0.], requires_grad=True)
    """

    __slots__ = ()

    def __new__(cls, data: Tensor, requires_grad: bool = True) -> Parameter:
        """A tensor of the same array, of this class."""
        if not isinstance(data, Tensor):
            raise DtypeError(f"Parameter() expects a tensor, not {type(data).__name__}")
        parameter = new(cls)
        parameter.array = data.array
        parameter.node = None
        parameter.requires_grad_(requires_grad)
        return parameter

    def __init__(self, data: Tensor, requires_grad: bool = True) -> None:
        pass

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def __repr__(self) -> str:
        return f"Parameter containing:\n{super().__repr__()}"


class Module:
    """A model or a part of one: assign parameters and other modules to its attributes, define `forward`.

    >>> class Line(Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.layer = Linear(1, 1)
    ...     def forward(self, x):
    ...         return self.layer(x)
    >>> [name for name, _ in Line().named_parameters()]
    ['layer.weight', 'layer.bias']
    """

    _parameters: dict[str, Parameter | None]
    _modules: dict[str, Module | None]
    training: bool

    def __init__(self) -> None:
        # Written past __setattr__, which needs them.
        self.__dict__.update(_parameters={}, _modules={}, training=True)

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, (Parameter, Module)):
            if "_parameters" not in self.__dict__:
                raise AttributeError(f"call super().__init__() before assigning {type(self).__name__}.{name}")
            kind = "_parameters" if isinstance(value, Parameter) else "_modules"
            self.__dict__[kind][name] = value
            self.__dict__.pop(name, None)
            self.__dict__["_modules" if kind == "_parameters" else "_parameters"].pop(name, None)
        elif name in self.__dict__.get("_parameters", ()):
            if value is not None:
                raise DtypeError(
                    f"{name} is a parameter; assign nn.Parameter(tensor) or None to it, not {type(value).__name__}"
                )
            self._parameters[name] = None
        elif name in self.__dict__.get("_modules", ()):
            if value is not None:
                raise DtypeError(f"{name} is a module; assign a module or None to it, not {type(value).__name__}")
            self._modules[name] = None
        else:
            self.__dict__[name] = value

    def __getattr__(self, name: str) -> Any:
        for kind in ("_parameters", "_modules"):
            if name in self.__dict__.get(kind, ()):
                return self.__dict__[kind][name]
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def forward(self, *inputs: Any) -> Any:
        """What the module computes; a subclass defines it."""
        raise NotImplementedError(f"{type(self).__name__} must define forward()")

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        """What `forward` computes."""
        return self.forward(*inputs, **options)

    def register_parameter(self, name: str, parameter: Parameter | None) -> None:
        """Add a parameter under `name`, or note that it is absent."""
        self._parameters[name] = parameter

    def children(self) -> Iterator[Module]:
        """The modules directly inside this one."""
        for module in self._modules.values():
            if module is not None:
                yield module

    def modules(self) -> Iterator[Module]:
        """Yield this module and all modules inside it."""
        yield self
        for child in self.children():
            yield from child.modules()

    def named_parameters(self, prefix: str = "") -> Iterator[tuple[str, Parameter]]:
        """All parameters with their dotted names; one that is used twice is listed once."""
        seen: set[Parameter] = set()
        for name, parameter in self._all_parameters(prefix):
            if parameter not in seen:
                seen.add(parameter)
                yield name, parameter

    def _all_parameters(self, prefix: str) -> Iterator[tuple[str, Parameter]]:
        dotted = f"{prefix}." if prefix else ""
        for name, parameter in self._parameters.items():
            if parameter is not None:
                yield dotted + name, parameter
        for name, module in self._modules.items():
            if module is not None:
                yield from module._all_parameters(dotted + name)

    def parameters(self) -> Iterator[Parameter]:
        """All parameters, for an optimizer."""
        for _, parameter in self.named_parameters():
            yield parameter

    def state_dict(self) -> dict[str, Tensor]:
        """The numbers of all parameters by name."""
        return {name: parameter.detach() for name, parameter in self._all_parameters("")}

    def load_state_dict(self, state_dict: dict[str, Tensor]) -> None:
        """Take over the numbers that `state_dict` returned.

        Raises:
            ShapeError: where names or shapes differ; nothing is changed then.
        """
        own = dict(self._all_parameters(""))
        if own.keys() != state_dict.keys():
            missing, unknown = sorted(own.keys() - state_dict.keys()), sorted(state_dict.keys() - own.keys())
            raise ShapeError(f"the state does not fit the module: missing {missing}, unknown {unknown}")
        for name, parameter in own.items():
            if parameter.shape != state_dict[name].shape:
                raise ShapeError(f"{name} has shape {parameter.shape}, but the state holds {state_dict[name].shape}")
        for name, parameter in own.items():
            parameter.data = state_dict[name].to(parameter.dtype)

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for parameter in self.parameters():
            parameter.grad = None

    def to(self, *args: Any, **kwargs: Any) -> Module:
        """Move all parameters to another dtype or device, in place; returns the module."""
        for parameter in self.parameters():
            parameter.data = parameter.data.to(*args, **kwargs)
        return self

    def train(self, mode: bool = True) -> Module:
        """Set `training` here and in all modules inside; returns the module."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Module:
        """The opposite of `train`."""
        return self.train(False)

    def extra_repr(self) -> str:
        """What stands between the brackets when the module is printed."""
        return ""

    def __repr__(self) -> str:
        name, extra = type(self).__name__, self.extra_repr()
        lines = extra.split("\n") if extra else []
        inside = [f"({key}): " + repr(child).replace("\n", "\n  ") for key, child in self._modules.items()]
        if not inside and len(lines) < 2:
            return f"{name}({extra})"
        return f"{name}(\n  " + "\n  ".join(lines + inside) + "\n)"


class Linear(Module):
    """y = x Wᵀ + b, with W of shape (out_features, in_features) and b of shape (out_features,).

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
            return Parameter(made(multiply_add(uniform, end + end, -end, uniform.dtype), None, device, False))

        self.weight = start(out_features, in_features)
        self.register_parameter("bias", start(out_features) if bias else None)

    def forward(self, input: Tensor) -> Tensor:
        """X Wᵀ + b for x of shape (…, in_features).

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


class MSELoss(Module):
    """The mean squared error, mean (input − target)².

    >>> import tinygrad_poly as tg
    >>> MSELoss()(tg.tensor([1.0, 2.0]), tg.tensor([1.0, 4.0]))
    tensor(2.)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Mean (input − target)²."""
        return functions.mse_loss(input, target)
