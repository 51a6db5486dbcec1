"""Modules as functions of their parameters: `functional_call`, and the parameters of several models as a batch."""

from collections.abc import Mapping, Sequence
from typing import Any

from tinygrad_poly.engine.errors import DtypeError, StructureError
from tinygrad_poly.functions.joining import stack
from tinygrad_poly.tensor import Tensor


def functional_call(
    module: Any,
    parameter_and_buffer_dicts: Mapping[str, Tensor] | Sequence[Mapping[str, Tensor]],
    args: Any = None,
    kwargs: Mapping[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """The output of a module with other tensors in the place of its parameters and buffers.

    Afterwards the module is as it was, also after an exception: that makes it a function of its parameters, for `grad`,
    `vmap` and the other transforms.

    Args:
        module: the module.
        parameter_and_buffer_dicts: tensors by dotted name, as in `named_parameters`; those that are not named are the
            module's own. Several dicts are put together.
        args: the arguments, a tuple, or a single one.
        kwargs: the keyword arguments.
        tie_weights: whether a parameter that the module has under several names is replaced under all of them.
        strict: whether all names must be there, and no others.

    Raises:
        StructureError: for a name that is given twice, or, if `strict`, is missing or unknown.
        DtypeError: for what is no tensor.

    >>> from tinygrad_poly import nn
    >>> layer = nn.Linear(1, 1)
    >>> functional_call(layer, {"weight": tensor([[2.0]]), "bias": tensor([1.0])}, tensor([3.0]))
    tensor([7.])
    """
    dicts = parameter_and_buffer_dicts
    several = [dicts] if isinstance(dicts, Mapping) else dicts
    given = {name: x for part in several for name, x in part.items()}
    if len(given) != sum(map(len, several)):
        raise StructureError("functional_call(): a name is in two of the dicts")
    for name, x in given.items():
        if not isinstance(x, Tensor):
            raise DtypeError(f"functional_call(): {name} must be a tensor, not {type(x).__name__}")
    found = module._places("_parameters", "_buffers")
    places = {path: (of := inner.__dict__[kind], name, of[name]) for path, inner, kind, name in found}
    missing, unknown = [name for name in places if name not in given], [name for name in given if name not in places]
    if tie_weights:
        tied = {id(places[name][2]): x for name, x in given.items() if name in places}
        given |= {name: tied[id(places[name][2])] for name in missing if id(places[name][2]) in tied}
        missing = [name for name in missing if name not in given]
    if strict and (missing or unknown):
        raise StructureError(
            f"functional_call(): the names do not fit the module: missing {missing}, unknown {unknown}"
        )
    try:
        for name, x in given.items():
            if name in places:
                table, key, _ = places[name]
                table[key] = x
        return module(*(args if isinstance(args, tuple) else () if args is None else (args,)), **(kwargs or {}))
    finally:
        for table, key, x in places.values():
            table[key] = x


def stack_module_state(models: Sequence[Any]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The parameters and the buffers of several models of one kind, each stacked along a new first dimension.

    With `vmap` and `functional_call` that is an ensemble. The stacked parameters are leaves that require grad.

    Raises:
        StructureError: without models, or where they are of several kinds.

    >>> from tinygrad_poly import nn
    >>> parameters, buffers = stack_module_state([nn.Linear(2, 3) for _ in range(4)])
    >>> {name: x.shape for name, x in parameters.items()}
    {'weight': torch.Size([4, 3, 2]), 'bias': torch.Size([4, 3])}
    """
    if not models or any(type(model) is not type(models[0]) for model in models):
        raise StructureError("stack_module_state(): expected one or more models, all of the same class")
    parameters, buffers = ([dict(getattr(m, name)()) for m in models] for name in ("named_parameters", "named_buffers"))
    leaves = {name: stack([of[name].detach() for of in parameters]).requires_grad_() for name in parameters[0]}
    return leaves, {name: stack([of[name] for of in buffers]) for name in buffers[0]}
