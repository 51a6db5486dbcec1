"""Custom operations: what they say their derivative is, as a function, to be checked like one written by hand."""

import importlib
from collections.abc import Callable
from typing import Any

from tinygrad_poly import autograd
from tinygrad_poly.checking.arguments import library_of, made_by
from tinygrad_poly.engine.operation import Operation
from tinygrad_poly.func.containers import flatten


def as_function(operation: Any) -> Callable[..., Any] | None:
    """The function of an `autograd.Function` of this engine or torch, or of a row; None for anything else."""
    if isinstance(operation, Operation):
        return operation
    is_function = isinstance(operation, type) and callable(getattr(operation, "apply", None))
    return operation.apply if is_function and hasattr(operation, "backward") else None


def own_gradient(function: Callable[..., Any]) -> Callable[..., Any]:
    """The gradients that a function of tensors has by its own account, by its floating arguments."""

    def gradient(*args: Any, cotangent: Any) -> Any:
        return tuple(g.detach() for g in gradients(function, args, cotangent))

    return gradient


def directional(function: Callable[..., Any], cotangent: Any, directions: list[Any]) -> Callable[..., Any]:
    """The function x ↦ Σ direction · gradient(x), whose gradient is a product with the second derivative."""

    def inner(*args: Any) -> Any:
        found = gradients(function, args, made_by(library_of(args[0]), cotangent, False), True)
        along = (made_by(library_of(g), d.astype(str(g.dtype)[-7:]), False) for g, d in zip(found, directions))
        return sum((g * d).sum() for g, d in zip(found, along))

    return inner


def gradients(function: Callable[..., Any], args: Any, cotangent: Any, create_graph: bool = False) -> list[Any]:
    """The gradients by all floating tensors in the arguments."""
    library: Any = importlib.import_module("torch.autograd") if library_of(cotangent) == "torch" else autograd
    leaves = [x for arg in args for x in flatten(arg)[0] if library_of(x) != "numpy" and "float" in str(x.dtype)]
    for x in leaves:
        if not x.requires_grad:
            x.requires_grad_()
    y = function(*args)
    if not leaves:
        raise TypeError("an operation takes tensors")
    if not y.requires_grad:
        return [x * 0 for x in leaves]
    found = library.grad(y, leaves, cotangent.to(y.dtype), create_graph=create_graph, allow_unused=True)
    return [x * 0 if g is None else g for g, x in zip(found, leaves)]


def library(operation: Any, args: Any) -> str:
    """The library whose tensors an operation takes."""
    given = {library_of(leaf) for arg in args for leaf in flatten(arg)[0]}
    owner = getattr(operation, "__self__", operation)
    kinds = {kind.__module__.partition(".")[0] for kind in (owner if isinstance(owner, type) else type(owner)).__mro__}
    return "torch" if "torch" in given | kinds else "tensor"
