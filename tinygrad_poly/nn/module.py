"""Modules, which hold parameters and other modules."""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, ParamSpec, Protocol, Self, TypeVar

from tinygrad_poly.creation import zeros_like
from tinygrad_poly.engine import arrays
from tinygrad_poly.engine.apply import wrap
from tinygrad_poly.engine.errors import DtypeError, ShapeError
from tinygrad_poly.engine.recording import no_grad
from tinygrad_poly.hooks import RemovableHandle
from tinygrad_poly.nn import hooks
from tinygrad_poly.tensor import Tensor
from tinygrad_poly.writing import share

P = ParamSpec("P")
R = TypeVar("R", covariant=True)


class _Computes(Protocol[P, R]):
    """A type with a `forward`, from which type checkers learn what a module takes and returns."""

    _hooks: Any

    def forward(self, *inputs: P.args, **options: P.kwargs) -> R: ...


class Parameter(Tensor):
    """A tensor that is a weight of a module; it requires grad unless told otherwise.

    >>> Parameter(zeros(1))
    Parameter containing:
    tensor([0.], requires_grad=True)
    """

    __slots__ = ()

    def __new__(cls, data: Tensor, requires_grad: bool = True) -> Parameter:
        """A tensor of this class with the memory of `data`."""
        if not isinstance(data, Tensor):
            raise DtypeError(f"Parameter() expects a tensor, not {type(data).__name__}")
        parameter = wrap(data.array, None)
        parameter.__class__ = cls
        share(parameter, data)
        return parameter.requires_grad_(requires_grad)  # type: ignore[return-value]

    def __init__(self, data: Tensor, requires_grad: bool = True) -> None:
        pass

    def __deepcopy__(self, memo: dict[int, Any]) -> Parameter:
        """A copy without the gradient, unlike that of other tensors, as in torch."""
        make, arguments = self.__reduce__()
        copied: Parameter = make(*copy.deepcopy(arguments, memo))
        return copied

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def __repr__(self) -> str:
        return f"Parameter containing:\n{super().__repr__()}"


class _Names(NamedTuple):
    missing_keys: list[str]
    unexpected_keys: list[str]


class IncompatibleKeys(_Names):
    """The names that only the module has, and those that only the state has."""

    __slots__ = ()

    def __repr__(self) -> str:
        if not any(self):
            return "<All keys matched successfully>"
        return f"_IncompatibleKeys(missing_keys={self.missing_keys}, unexpected_keys={self.unexpected_keys})"


KINDS = ("_parameters", "_buffers", "_modules")


class Module:
    """A model or a part of one: parameters and modules are its attributes, and `forward` computes its output.

    >>> from tinygrad_poly.nn import Linear
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
    _buffers: dict[str, Tensor | None]
    _modules: dict[str, Module | None]
    _unsaved: set[str]
    _hooks: Any = None
    training: bool

    def __init__(self) -> None:
        # Written past __setattr__, which needs them.
        self.__dict__.update(_parameters={}, _buffers={}, _modules={}, _unsaved=set(), training=True)

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, (Parameter, Module)):
            self._put("_parameters" if isinstance(value, Parameter) else "_modules", name, value)
            return
        for kind, what, allowed in (
            ("_parameters", "a parameter", "nn.Parameter(tensor)"),
            ("_modules", "a module", "a module"),
            ("_buffers", "a buffer", "a tensor"),
        ):
            if name in self.__dict__.get(kind, ()):
                if value is not None and not (kind == "_buffers" and isinstance(value, Tensor)):
                    raise DtypeError(f"{name} is {what}; assign {allowed} or None to it, not {type(value).__name__}")
                self.__dict__[kind][name] = value
                return
        self.__dict__[name] = value

    def _put(self, kind: str, name: str, value: Any) -> None:
        if kind not in self.__dict__:
            raise AttributeError(f"call super().__init__() before assigning {type(self).__name__}.{name}")
        for other in KINDS:
            if other != kind:
                self.__dict__[other].pop(name, None)
        self.__dict__.pop(name, None)
        self._unsaved.discard(name)
        self.__dict__[kind][name] = value

    def __getattr__(self, name: str) -> Any:
        for kind in KINDS:
            if name in self.__dict__.get(kind, ()):
                return self.__dict__[kind][name]
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def __delattr__(self, name: str) -> None:
        for kind in KINDS:
            if name in self.__dict__.get(kind, ()):
                del self.__dict__[kind][name]
                return
        super().__delattr__(name)

    def forward(self, *inputs: Any) -> Any:
        """The output of the module; a subclass defines it."""
        raise NotImplementedError(f"{type(self).__name__} must define forward()")

    def __call__(self: _Computes[P, R], *inputs: P.args, **options: P.kwargs) -> R:
        """The output of the module, by `forward` and its hooks."""
        if self._hooks:
            return hooks.call(self, inputs, options)  # type: ignore[no-any-return]
        return self.forward(*inputs, **options)

    # Hooks

    def register_forward_pre_hook(self, hook: Any) -> RemovableHandle:
        """Call `hook(module, args)` before `forward`; what it returns, if not None, is what `forward` gets."""
        return hooks.register(self, "pre", hook)

    def register_forward_hook(self, hook: Any) -> RemovableHandle:
        """Call `hook(module, args, output)` after `forward`; what it returns, if not None, is the output instead.

        >>> from tinygrad_poly import nn
        >>> layer = nn.ReLU()
        >>> handle = layer.register_forward_hook(lambda module, args, output: print(module, *args, "->", output))
        >>> y = layer(tensor([-1.0, 2.0]))
        ReLU() tensor([-1.,  2.]) -> tensor([0., 2.])
        >>> handle.remove()
        """
        return hooks.register(self, "forward", hook)

    def register_full_backward_pre_hook(self, hook: Any) -> RemovableHandle:
        """Call `hook(module, grad_output)` when the gradients of the outputs are there; it may return others."""
        return hooks.register(self, "backward_pre", hook)

    def register_full_backward_hook(self, hook: Any) -> RemovableHandle:
        """Call `hook(module, grad_input, grad_output)` when the gradients of the inputs are there.

        Both are tuples, with None where there is no gradient. The hook may return another tuple for `grad_input`.
        Where no input requires grad, it is called when the gradients of the outputs are there.
        """
        return hooks.register(self, "backward", hook)

    # What is inside

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter under `name`; None declares that there is none."""
        self._put("_parameters", name, _one_of(Parameter, param, "register_parameter() expects nn.Parameter(tensor)"))

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add a tensor that belongs to the module and is not trained; `persistent` ones are in `state_dict`."""
        self._put("_buffers", name, _one_of(Tensor, tensor, "register_buffer() expects a tensor"))
        if not persistent:
            self._unsaved.add(name)

    def register_module(self, name: str, module: Module | None) -> None:
        """Add a module under `name`, which need not be the name of an attribute, such as "0"."""
        self._put("_modules", name, _one_of(Module, module, "register_module() expects a module"))

    add_module = register_module

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules directly inside this one with their names; one that is used twice is listed once."""
        return _each_once((name, module) for name, module in self._modules.items() if module is not None)

    def children(self) -> Iterator[Module]:
        """The modules directly inside this one."""
        return (module for _, module in self.named_children())

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """Yield this module and all modules inside it with their dotted names, each once."""
        return _each_once(self._all_modules(prefix))

    def modules(self) -> Iterator[Module]:
        """Yield this module and all modules inside it."""
        return (module for _, module in self.named_modules())

    def named_parameters(self, prefix: str = "", recurse: bool = True) -> Iterator[tuple[str, Parameter]]:
        """All parameters with their dotted names, each listed once; without `recurse` those of this module alone."""
        return _each_once(self._members("_parameters", prefix, recurse))

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """All parameters, for an optimizer; without `recurse` those of this module alone."""
        return (parameter for _, parameter in self.named_parameters("", recurse))

    def named_buffers(self, prefix: str = "", recurse: bool = True) -> Iterator[tuple[str, Tensor]]:
        """All buffers with their dotted names, each listed once; without `recurse` those of this module alone."""
        return _each_once(self._members("_buffers", prefix, recurse))

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """All buffers; without `recurse` those of this module alone."""
        return (buffer for _, buffer in self.named_buffers("", recurse))

    def get_submodule(self, target: str) -> Module:
        """The module with a dotted name inside this one, which is itself named ""."""
        return self._named(self._all_modules(""), target)  # type: ignore[no-any-return]

    def get_parameter(self, target: str) -> Parameter:
        """The parameter with a dotted name."""
        return self._named(self._members("_parameters"), target)  # type: ignore[no-any-return]

    def get_buffer(self, target: str) -> Tensor:
        """The buffer with a dotted name."""
        return self._named(self._members("_buffers"), target)  # type: ignore[no-any-return]

    def _named(self, inside: Iterator[tuple[str, Any]], target: str) -> Any:
        named = dict(inside)
        if target not in named:
            raise AttributeError(f"{type(self).__name__} has no {target!r} inside; it has {[*filter(None, named)]}")
        return named[target]

    def _all_modules(self, prefix: str) -> Iterator[tuple[str, Module]]:
        yield prefix, self
        for name, module in self._modules.items():
            if module is not None:
                yield from module._all_modules(f"{prefix}.{name}" if prefix else name)

    def _places(self, *kinds: str, prefix: str = "", recurse: bool = True) -> Iterator[tuple[str, Module, str, str]]:
        """The places of tensors, module by module: its dotted name, its module, its kind and its name there."""
        for path, module in self._all_modules(prefix) if recurse else [(prefix, self)]:
            for kind in kinds:
                for name, value in module.__dict__[kind].items():
                    if value is not None:
                        yield (f"{path}.{name}" if path else name), module, kind, name

    def _members(self, kind: str, prefix: str = "", recurse: bool = True) -> Iterator[tuple[str, Any]]:
        for path, module, _, name in self._places(kind, prefix=prefix, recurse=recurse):
            yield path, module.__dict__[kind][name]

    # States

    def _saved(self) -> dict[str, Tensor]:
        """The contents of a state, in torch's order: for each module its parameters, then its buffers."""
        places = self._places("_parameters", "_buffers")
        return {path: module.__dict__[kind][name] for path, module, kind, name in places if name not in module._unsaved}

    def state_dict(self) -> OrderedDict[str, Tensor]:
        """All parameters and buffers by name, detached, and with their memory: copy them to keep what they are now."""
        return OrderedDict((name, value.detach()) for name, value in self._saved().items())

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> IncompatibleKeys:
        """Set all parameters and buffers to the numbers in a state from `state_dict`.

        Args:
            state_dict: tensors or NumPy's arrays by name.
            strict: whether every name must be in both.

        Raises:
            ShapeError: where names or shapes differ; nothing is changed then.
            DtypeError: for what is no state.
        """
        if not isinstance(state_dict, Mapping):
            raise DtypeError(f"load_state_dict() expects a dict of names and tensors, not {type(state_dict).__name__}")
        own = self._saved()
        missing = [name for name in own if name not in state_dict]
        unexpected = [name for name in state_dict if name not in own]
        if strict and (missing or unexpected):
            raise ShapeError(f"the state does not fit the module: missing {missing}, unknown {unexpected}")
        common = [name for name in own if name in state_dict]
        for name in common:
            given = getattr(state_dict[name], "shape", f"a {type(state_dict[name]).__name__}")
            if own[name].shape != given:
                raise ShapeError(f"{name} has shape {own[name].shape}, but the state holds {given}")
        with no_grad:
            for name in common:
                own[name].copy_(state_dict[name])
        return IncompatibleKeys(missing, unexpected)

    # Changes to all that is inside

    def apply(self, fn: Callable[[Module], Any]) -> Self:
        """Call `fn` with every module inside, then with this one; returns the module."""
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Ask for the gradients of all parameters, or freeze them; returns the module."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Reset the gradients of all parameters to None."""
        for parameter in self.parameters():
            if parameter.grad is not None:
                parameter.grad = None if set_to_none else zeros_like(parameter)

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Move parameters and buffers to another floating dtype or device, in place; returns the module.

        Takes what `Tensor.to` takes. The gradients move along.
        """
        for tensor in (*self.parameters(), *self.buffers()):
            moved, grad = tensor.data.to(*args, **kwargs), tensor.grad
            if not arrays.is_floating(tensor.dtype):
                moved = moved.to(tensor.dtype)
            tensor.data = moved
            if grad is not None:
                tensor.grad = grad.to(moved)
        return self

    def cuda(self, device: Any = None) -> Self:
        """Move the module to a GPU: the current one, or the one with this number or name."""
        return self.to("cuda" if device is None else device)

    def cpu(self) -> Self:
        """Move the module to the CPU."""
        return self.to("cpu")

    def float(self) -> Self:
        """Convert the module to float32."""
        return self.to(dtype="float32")

    def double(self) -> Self:
        """Convert the module to float64."""
        return self.to(dtype="float64")

    def train(self, mode: bool = True) -> Self:
        """Set `training` here and in all modules inside; returns the module."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Set `training` to false, here and in all modules inside; returns the module."""
        return self.train(False)

    # Printing

    def extra_repr(self) -> str:
        """The text between the brackets when the module is printed."""
        return ""

    def __repr__(self) -> str:
        name, extra = type(self).__name__, self.extra_repr()
        lines = extra.split("\n") if extra else []
        inside = [f"({key}): {text}".replace("\n", "\n  ") for key, text in self._inner_reprs()]
        if not inside and len(lines) < 2:
            return f"{name}({extra})"
        return f"{name}(\n  " + "\n  ".join(lines + inside) + "\n)"

    def _inner_reprs(self) -> Iterator[tuple[str, str]]:
        for name, module in self._modules.items():
            yield name, repr(module)


def _one_of(kind: type[Any], value: Any, expected: str) -> Any:
    """The value, if it is of a kind or None."""
    if value is None or isinstance(value, kind):
        return value
    raise DtypeError(f"{expected} or None, not {type(value).__name__}")


def _each_once(named: Iterator[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    seen: set[Any] = set()
    for name, value in named:
        if value not in seen:
            seen.add(value)
            yield name, value
