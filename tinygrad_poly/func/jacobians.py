"""Jacobians, one row or one column at a time, and Hessians, the Jacobians of gradients."""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from typing import Any, Concatenate, ParamSpec, overload

from tinygrad_poly.engine.apply import wrap
from tinygrad_poly.engine.arrays import astype, namespace
from tinygrad_poly.func.call import Argnums, Call
from tinygrad_poly.func.products import Map, pullback, pushforward, with_aux
from tinygrad_poly.functions.joining import stack
from tinygrad_poly.functions.shapes import reshape
from tinygrad_poly.tensor import Tensor

P = ParamSpec("P")


def jacrev(func: Callable[..., Any], argnums: Argnums = 0, *, has_aux: bool = False) -> Callable[..., Any]:
    r"""The function x ↦ J(x) = ∂f/∂x, computed by rows: one walk back for each number in the output.

    Row i of J is uᵀJ for the unit cotangent u = eᵢ. Where the output has fewer numbers than the input this
    is the cheaper way; else `jacfwd` is.

    Args:
        func: a function of tensors or containers of them, with such a result.
        argnums: which positional argument to differentiate by, or a tuple of several.
        has_aux: whether the function returns `(output, aux)`; then the result is `(J, aux)`.

    The Jacobian has the structure of the output, and in the place of each of its tensors, of shape s, the
    structure of the argument with tensors of shape (\*s, \*shape of the input). Raises as `grad`, but the
    result of `func` need not be a scalar.

    >>> jacrev(lambda x: x**2)(tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """
    return _jacobian("jacrev", func, argnums, has_aux, _by_rows)


jacobian = jacrev


def jacfwd(func: Callable[..., Any], argnums: Argnums = 0, *, has_aux: bool = False) -> Callable[..., Any]:
    """The function x ↦ J(x) = ∂f/∂x, computed by columns: column j is J v for the unit tangent v = eⱼ.

    Arguments, result and errors are those of `jacrev`.

    >>> jacfwd(lambda x: x**2)(tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """
    return _jacobian("jacfwd", func, argnums, has_aux, _by_columns)


@overload
def hessian(func: Callable[Concatenate[Tensor, P], Tensor]) -> Callable[Concatenate[Tensor, P], Tensor]: ...


@overload
def hessian(func: Callable[P, Any], argnums: Argnums = 0) -> Callable[P, Any]: ...


def hessian(func: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    r"""The function x ↦ H(x), the Jacobian of the gradient of f: Hᵢⱼ = ∂²f/∂xᵢ∂xⱼ.

    For a scalar f and one argument, a tensor of shape s, it has shape (\*s, \*s); for containers it has the
    structure of the argument twice. Where f is no scalar, there is one for each number in its output.
    Arguments and errors are those of `jacrev`.

    >>> hessian(lambda x: x[0] ** 2 * x[1])(tensor([3.0, 5.0]))
    tensor([[10.,  6.],
            [ 6.,  0.]])
    """
    gradient = _jacobian("hessian", func, argnums, False, _by_rows)
    return _jacobian("hessian", gradient, argnums, False, _by_rows)


def _jacobian(
    name: str, func: Callable[..., Any], argnums: Argnums, has_aux: bool, blocks: Callable[..., list[list[Tensor]]]
) -> Callable[..., Any]:
    """The Jacobian as a function; `blocks` computes ∂y/∂x for each output y and each input x."""

    @wraps(func)
    def jacobian_of(*args: Any, **kwargs: Any) -> Any:
        call = Call(name, func, args, kwargs, argnums, has_aux)
        ys, pull = pullback(call, call.primals)
        by_output = map(call.inputs.unflatten, blocks(pull, ys, call.primals))
        return with_aux(call, call.outputs.unflatten(by_output))

    return jacobian_of


def _by_rows(pull: Map, ys: Sequence[Tensor], xs: Sequence[Tensor]) -> list[list[Tensor]]:
    rows = _of_units(pull, ys, xs)
    return [[_joined(rows[i][j], 0, (*y.shape, *x.shape), x) for j, x in enumerate(xs)] for i, y in enumerate(ys)]


def _by_columns(pull: Map, ys: Sequence[Tensor], xs: Sequence[Tensor]) -> list[list[Tensor]]:
    columns = _of_units(pushforward(pull, ys), xs, ys)
    return [[_joined(columns[j][i], -1, (*y.shape, *x.shape), y) for j, x in enumerate(xs)] for i, y in enumerate(ys)]


def _of_units(linear: Map, sources: Sequence[Tensor], targets: Sequence[Tensor]) -> list[list[list[Tensor]]]:
    """The images of all unit vectors of each source under a linear map, for each target its part."""
    nothing: list[Any] = [None] * len(sources)
    found = []
    for k, source in enumerate(sources):
        images = [linear([*nothing[:k], unit, *nothing[k + 1 :]]) for unit in _units(source)]
        found.append([[image[i] for image in images] for i in range(len(targets))])
    return found


def _units(x: Tensor) -> Iterator[Tensor]:
    """All unit tensors like `x`: a single 1 among zeros, in the order of the elements."""
    xp = namespace(x.array)
    places = xp.reshape(xp.arange(math.prod(x.shape)), x.shape)
    for i in range(math.prod(x.shape)):
        yield wrap(astype(places == i, x.dtype), None)


def _joined(parts: Sequence[Tensor], dim: int, shape: tuple[int, ...], like: Tensor) -> Tensor:
    """The parts side by side along a new dimension, in `shape`; zeros where there are no parts."""
    if not parts:
        return wrap(namespace(like.array).zeros(shape, dtype=like.dtype), None)
    return reshape(stack(parts, dim), shape)
