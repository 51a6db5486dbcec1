"""Gradients of functions with a scalar result, as functions."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, overload

from tinygrad_poly.func.call import Argnums, Call
from tinygrad_poly.func.containers import mapped
from tinygrad_poly.func.products import outward, slopes
from tinygrad_poly.tensor import Tensor

X = TypeVar("X")
P = ParamSpec("P")


@overload
def grad(func: Callable[Concatenate[X, P], Tensor]) -> Callable[Concatenate[X, P], X]: ...


@overload
def grad(func: Callable[P, Any], argnums: Argnums = 0, has_aux: bool = False) -> Callable[P, Any]: ...


def grad(func: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """The function x ↦ ∇f(x), called with the arguments of f.

    Args:
        func: a function whose result is a scalar tensor, or with `has_aux` a pair of one and anything.
        argnums: which positional argument to differentiate by (the first by default), or a tuple of several.
            It may be a tensor or nested dicts, lists, tuples and named tuples of tensors; other arguments
            may be anything.
        has_aux: whether the result's second part is handed out beside the gradient, `(gradient, aux)`.

    The gradient has the structure of the argument, a tuple of several for a tuple of `argnums`; it is zero
    where the result does not depend on it. The function returned raises

    - StructureError for `argnums` that name no argument, and for a result that is no pair with `has_aux`,
    - DtypeError for an argument or a result that holds something else than floating tensors,
    - ShapeError for a result that is no scalar.

    >>> cube = lambda x: x**3
    >>> grad(cube)(tensor(2.0)), grad(grad(cube))(tensor(2.0))     # 3x², 6x
    (tensor(12.), tensor(12.))
    >>> grad(lambda p: p["a"] * p["b"])({"a": tensor(2.0), "b": tensor(3.0)})
    {'a': tensor(3.), 'b': tensor(2.)}
    """
    returned = (lambda g, _, aux: (g, aux)) if has_aux else (lambda g, _, aux: g)
    return _differentiated("grad", func, argnums, has_aux, returned)


@overload
def grad_and_value(func: Callable[Concatenate[X, P], Tensor]) -> Callable[Concatenate[X, P], tuple[X, Tensor]]: ...


@overload
def grad_and_value(func: Callable[P, Any], argnums: Argnums = 0, has_aux: bool = False) -> Callable[P, Any]: ...


def grad_and_value(func: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """The function x ↦ (∇f(x), f(x)), as in torch; `(∇f(x), (f(x), aux))` with `has_aux`. Else as `grad`.

    >>> grad_and_value(lambda x: x**3)(tensor(2.0))
    (tensor(12.), tensor(8.))
    """
    returned = (lambda g, y, aux: (g, (y, aux))) if has_aux else (lambda g, y, aux: (g, y))
    return _differentiated("grad_and_value", func, argnums, has_aux, returned)


@overload
def value_and_grad(func: Callable[Concatenate[X, P], Tensor]) -> Callable[Concatenate[X, P], tuple[Tensor, X]]: ...


@overload
def value_and_grad(func: Callable[P, Any], argnums: Argnums = 0, has_aux: bool = False) -> Callable[P, Any]: ...


def value_and_grad(func: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """The function x ↦ (f(x), ∇f(x)), as in JAX; `((f(x), aux), ∇f(x))` with `has_aux`. Else as `grad`.

    >>> value_and_grad(lambda x: x**3)(tensor(2.0))
    (tensor(8.), tensor(12.))
    """
    returned = (lambda g, y, aux: ((y, aux), g)) if has_aux else (lambda g, y, aux: (y, g))
    return _differentiated("value_and_grad", func, argnums, has_aux, returned)


def _differentiated(
    name: str, func: Callable[..., Any], argnums: Argnums, has_aux: bool, returned: Callable[[Any, Any, Any], Any]
) -> Callable[..., Any]:
    """The function that gives what `returned` makes of the gradient of `func`, its value and its auxiliary output."""

    @wraps(func)
    def differentiated(*args: Any, **kwargs: Any) -> Any:
        call = Call(name, func, args, kwargs, argnums, has_aux)
        value, gradient = slopes(call, call.primals)
        return returned(call.inputs.unflatten(gradient), value, mapped(outward, call.aux))

    return differentiated
