"""Optimizers by name: every class of `tinygrad_poly.optim` that needs only gradients."""

import inspect
from collections.abc import Callable
from typing import Any

from tinygrad_poly import optim

Factory = Callable[..., Any]
"""Makes an optimizer when called as `factory(parameters, lr=...)`."""

TUTORIAL_LR = 1e-6

OPTIMIZERS: dict[str, Factory] = {
    name.lower(): value
    for name, value in vars(optim).items()
    if isinstance(value, type)
    and issubclass(value, optim.Optimizer)
    and value is not optim.Optimizer
    # A fit computes one gradient for each step.
    and not value.needs_closure
}


def name_and_factory(optimizer: str | Factory) -> tuple[str, Factory]:
    """The name of an optimizer and its factory, from either of them.

    Raises:
        ValueError: for a name that is none.
    """
    if callable(optimizer):
        names = [name for name, factory in OPTIMIZERS.items() if factory is optimizer]
        return (names[0] if names else f"custom: {getattr(optimizer, '__name__', optimizer)}"), optimizer
    if optimizer not in OPTIMIZERS:
        raise ValueError(f"unknown optimizer {optimizer!r}; the optimizers are: {', '.join(sorted(OPTIMIZERS))}")
    return optimizer, OPTIMIZERS[optimizer]


def default_lr(factory: Factory) -> float:
    """The learning rate of an optimizer that is asked for none: its own; the tutorials' 10⁻⁶ for plain descent."""
    if isinstance(factory, type) and issubclass(factory, optim.SGD):
        return TUTORIAL_LR
    parameter = inspect.signature(factory).parameters.get("lr")
    own = parameter.default if parameter else None
    return own if isinstance(own, float) else TUTORIAL_LR
