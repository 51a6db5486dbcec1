"""Hooks of modules: functions that are called before and after `forward`, and where gradients pass a module."""

from collections.abc import Callable, Sequence
from typing import Any

from tinygrad_poly.autograd import Function
from tinygrad_poly.engine.errors import DtypeError, ShapeError
from tinygrad_poly.hooks import RemovableHandle, check
from tinygrad_poly.tensor import Tensor


def register(module: Any, kind: str, hook: Any) -> RemovableHandle:
    """Enter a hook of a module: "pre" or "forward", "backward_pre" or "backward"."""
    return RemovableHandle(module.__dict__.setdefault("_hooks", {}).setdefault(kind, {}), hook)


def call(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The output of a module that has hooks."""
    hooks = {kind: [*table.values()] for kind, table in module._hooks.items()}
    for hook in hooks.get("pre", ()):
        found = hook(module, args)
        if found is not None:
            found = found if isinstance(found, tuple) else (found,)
            _check_tensors(f"the forward pre-hook {_name(hook)} of {type(module).__name__}", found, args)
            args = found
    if "backward" in hooks or "backward_pre" in hooks:
        return _with_gradients(module, hooks, args, kwargs)
    return _forward(module, hooks, args, kwargs)


def _forward(module: Any, hooks: dict[str, list[Any]], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    output = module.forward(*args, **kwargs)
    for hook in hooks.get("forward", ()):
        found = hook(module, args, output)
        if found is not None:
            _check_tensors(f"the forward hook {_name(hook)} of {type(module).__name__}", found, output)
            output = found
    return output


def _name(hook: Any) -> str:
    return repr(getattr(hook, "__name__", repr(hook)))


def _holds_tensors(value: Any) -> bool:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, (tuple, list)) else ()
    return isinstance(value, Tensor) or any(map(_holds_tensors, inside))


def _check_tensors(what: str, new: Any, old: Any) -> None:
    if _holds_tensors(old) and not _holds_tensors(new):
        raise DtypeError(
            f"{what} returned {new!r} in the place of tensors; it must return tensors, or None to change nothing"
        )


class BackwardHookFunction(Function):
    """The identity for several tensors, which shows their gradients to a function, and takes those that it returns."""

    @staticmethod
    def forward(ctx: Any, shown: Any, *tensors: Tensor) -> tuple[Tensor, ...]:
        """The tensors."""
        ctx.set_materialize_grads(False)
        ctx.shown = shown
        return tensors

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Any, ...]:
        """The gradients that `shown` returns."""
        return (None, *ctx.shown(grads))


def _with_gradients(module: Any, hooks: dict[str, list[Any]], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The output, between two identities at which gradients arrive: of the output first, of the inputs later."""
    of_output: list[Any] = []

    def at_output(grads: tuple[Any, ...]) -> tuple[Any, ...]:
        grads = _shown(module, "backward pre-hook", "grad_output", hooks.get("backward_pre", ()), grads)
        of_output[:] = [grads]
        if not any(x.requires_grad for x in args if isinstance(x, Tensor)):
            _shown(module, "backward hook", "grad_input", hooks.get("backward", ()), (None,) * len(args), grads)
        return grads

    def at_inputs(grads: tuple[Any, ...]) -> tuple[Any, ...]:
        output = of_output.pop() if of_output else None
        return _shown(module, "backward hook", "grad_input", hooks.get("backward", ()), grads, output)

    args = _through(at_inputs, args)
    output = _forward(module, hooks, args, kwargs)
    several = _through(at_output, output if isinstance(output, tuple) else (output,))
    return several if isinstance(output, tuple) else several[0]


def _through(shown: Callable[[Any], tuple[Any, ...]], values: tuple[Any, ...]) -> tuple[Any, ...]:
    """The values, with the tensors among them passed through a `BackwardHookFunction`."""
    places = [k for k, x in enumerate(values) if isinstance(x, Tensor)]

    def at_places(grads: tuple[Any, ...]) -> tuple[Any, ...]:
        of = dict(zip(places, grads, strict=True))
        found = shown(tuple([of.get(k) for k in range(len(values))]))
        return tuple([found[k] for k in places])

    passed = dict(zip(places, BackwardHookFunction.apply(at_places, *[values[k] for k in places]), strict=True))
    return tuple([passed.get(k, x) for k, x in enumerate(values)])


def _shown(
    module: Any, what: str, of: str, hooks: Sequence[Any], grads: tuple[Any, ...], *more: Any
) -> tuple[Any, ...]:
    """The gradients after all hooks have seen them."""
    for hook in hooks:
        found = hook(module, grads, *more)
        if found is None:
            continue
        name = f"the {what} {_name(hook)} of {type(module).__name__}"
        if not isinstance(found, tuple) or len(found) != len(grads):
            given = f"a tuple of {len(found)}" if isinstance(found, tuple) else type(found).__name__
            raise ShapeError(f"{name} must return None, or a tuple of {len(grads)} as {of} is, not {given}")
        for new, old in zip(found, grads):
            if old is not None and new is not None:
                check(name, new, old)
        grads = found
    return grads
