"""Losses of modules: `loss(model, x, y)` as a loss of named weights, which are the module's own parameters."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tinygrad_poly.creation import tensor
from tinygrad_poly.engine.apply import wrap
from tinygrad_poly.engine.arrays import astype, is_floating
from tinygrad_poly.engine.errors import TraceError
from tinygrad_poly.func import functional_call
from tinygrad_poly.nn import Module
from tinygrad_poly.tensor import Tensor


class ModuleLoss:
    """A loss of a module as a function of its parameters that require grad, by name.

    Given the module's own parameters it is the loss as it stands. For other weights, as where the start is looked at or
    the fit in float64, the module computes with these in their place: in the mode, and with the buffers and frozen
    parameters, that it had when this was made. It is then left as it was, buffers that the loss changes included.

    Args:
        loss: `loss(model, x, y)`, a scalar tensor.
        model: the module.
    """

    def __init__(self, loss: Callable[..., Tensor], model: Module) -> None:
        self.loss = self.__wrapped__ = loss
        self.model = model
        parameters = dict(model.named_parameters())
        self.weights: dict[str, Any] = {name: p for name, p in parameters.items() if p.requires_grad}
        self.buffers = {name: x.array for name, x in model.named_buffers()}
        self._frozen = {name: p.array for name, p in parameters.items() if name not in self.weights}
        self._modes = [(module, module.training) for module in model.modules()]

    def __call__(self, params: Mapping[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        """The loss of these weights."""
        if all(params[name] is w for name, w in self.weights.items()):
            return self.loss(self.model, x, y)
        given, dtype = dict(params), np.result_type(*(w.dtype for w in params.values()))
        for name, array in (self.buffers | self._frozen).items():
            wide = astype(array, np.result_type(array.dtype, dtype)) if is_floating(array.dtype) else array
            given[name] = wrap(wide, None)
        modes = [module.training for module, _ in self._modes]
        try:
            self._set_modes(mode for _, mode in self._modes)
            loss: Tensor = functional_call(_Call(self), {f"model.{name}": w for name, w in given.items()}, (x, y))
        finally:
            self._set_modes(modes)
        return loss

    def _set_modes(self, modes: Any) -> None:
        for (module, _), mode in zip(self._modes, modes):
            module.training = mode

    def as_now(self) -> "ModuleLoss":
        """The same loss with the buffers, frozen parameters and mode that the module has now."""
        return ModuleLoss(self.loss, self.model)

    def set(self, weights: Mapping[str, Any], buffers: Mapping[str, Any], device: Any) -> dict[str, Tensor]:
        """Set the module's parameters and buffers to these arrays; returns the parameters by name."""
        own = self.weights | dict(self.model.named_buffers())
        for name, array in {**weights, **buffers}.items():
            own[name].array = tensor(array, device=device).array
        return dict(self.weights)

    def check_buffers(self) -> None:
        """Check that a traced loss has not changed a buffer.

        Raises:
            TraceError: naming it.
        """
        from tinygrad_poly.compiler.trace.symbols import Symbol

        for name, x in self.model.named_buffers():
            if isinstance(x.array, Symbol):
                raise TraceError(
                    f"the loss changes the buffer {name} of the module, which a compiled program has as a constant: "
                    "leave out compile, or call eval() of that part first (BatchNorm takes its running statistics then)"
                )

    def places(self) -> list[tuple[dict[str, Any], str]]:
        """The places of all buffers: the dict that holds one, and its name there."""
        inner = (module._buffers for module in self.model.modules())
        return [(buffers, name) for buffers in inner for name, x in buffers.items() if x is not None]


class _Call(Module):
    """A module whose output is the loss of the module inside, so that `functional_call` can compute it."""

    def __init__(self, of: ModuleLoss) -> None:
        super().__init__()
        self.model, self.loss = of.model, of.loss

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self.loss(self.model, x, y)
