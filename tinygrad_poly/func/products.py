"""Vector-Jacobian and Jacobian-vector products: the two linear maps of a derivative.

f at x has the derivative J. Backward goes uᵀJ for a cotangent u of the output: one walk. Forward goes
J v for a tangent v of the input, and needs no machinery of its own:

    u ↦ uᵀJ is linear in u, so its own derivative is Jᵀ, whatever u is, and a second walk back
    through *it* with the cotangent v gives v ↦ J v.
"""

from collections.abc import Callable, Sequence
from typing import Any

from tinygrad_poly import autograd
from tinygrad_poly.creation import ones_like, zeros_like
from tinygrad_poly.derivatives.shapes import clone
from tinygrad_poly.engine.apply import is_recording, wrap
from tinygrad_poly.engine.errors import StructureError
from tinygrad_poly.engine.recording import enable_grad, is_grad_enabled
from tinygrad_poly.engine.walk import leaf
from tinygrad_poly.func.call import Call, ancestors
from tinygrad_poly.func.containers import mapped
from tinygrad_poly.func.own import only_own
from tinygrad_poly.tensor import Tensor

Map = Callable[[Sequence[Tensor]], list[Tensor]]


def pullback(function: Map, primals: Sequence[Tensor]) -> tuple[list[Tensor], Map]:
    """f(x) and the map u ↦ uᵀJ, of lists of tensors.

    While f runs, each primal is a leaf of its own. Afterwards the leaf is a clone of what the caller gave,
    so that a gradient which depends on x can be differentiated again by what x was made of.
    """
    variables = [leaf(x.array) for x in primals]
    try:
        with enable_grad(), only_own("a transformed function"):
            outputs = function([wrap(x.array, node) for x, node in zip(primals, variables)])
    finally:
        for x, node in zip(primals, variables):
            node.operation, node.parents, node.retains = clone, (x.node,), False
    # Tensors of our own, because the caller may go on to change the outputs in place.
    ys = [wrap(y.array, y.node) for y in outputs]
    outputs = [outward(y) for y in outputs]

    def pull(cotangents: Sequence[Tensor]) -> list[Tensor]:
        # Nothing is carried back from where None is given: a 0 would be NaN beside an infinite slope.
        traced = [(y, u) for y, u in zip(ys, cotangents, strict=True) if y.requires_grad and u is not None]
        found = autograd.grad(
            [y for y, _ in traced],
            [wrap(x.array, node) for x, node in zip(primals, variables)],
            [u for _, u in traced],
            retain_graph=True,
            # Recorded only where someone outside could ask for the derivative of the result.
            create_graph=is_grad_enabled() and any(t.requires_grad for t in (*outputs, *(u for _, u in traced))),
            allow_unused=True,
        )
        return [zeros_like(x) if g is None else outward(g) for g, x in zip(found, primals, strict=True)]

    return outputs, pull


def pushforward(pull: Map, outputs: Sequence[Tensor]) -> Map:
    """The map v ↦ J v, from the map u ↦ uᵀJ: its transpose."""
    return pullback(pull, [zeros_like(y) for y in outputs])[1]


def outward(value: Any) -> Any:
    """A result for the caller, without its graph if that leads to no leaf of the caller's."""
    if not isinstance(value, Tensor) or value.node is None:
        return value
    if is_recording() and any(node.operation is None for node in ancestors([value.node])):
        return value
    return wrap(value.array, None)


def with_aux(call: Call, *results: Any) -> Any:
    """The results, followed by `aux` where the function returned one; a single result without a tuple."""
    if call.has_aux:
        results = (*results, mapped(outward, call.aux))
    return results if len(results) > 1 else results[0]


def vjp(func: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """f(x, …), and the function that maps a cotangent u of the output to the tuple of uᵀ ∂f/∂x, ….

    A primal may be a tensor or nested dicts, lists, tuples, named tuples of tensors, and so may the output;
    cotangents come in the structure of the output, products in that of the primals.

    Returns:
        `(output, vjp_fn)`, or `(output, vjp_fn, aux)` with `has_aux`, for a function that returns
        `(output, aux)`.

    Raises:
        StructureError: without primals, for an output that is no pair with `has_aux`, and, from
            `vjp_fn`, for a cotangent of another structure than the output.
        ShapeError: from `vjp_fn`, for a cotangent of another shape.
        DtypeError: for primals and outputs that hold something else than floating tensors; from
            `vjp_fn`, for a cotangent of another dtype.

    >>> output, vjp_fn = vjp(lambda a, b: a * b, tensor([1.0, 2.0]), tensor([3.0, 4.0]))
    >>> vjp_fn(tensor([1.0, 10.0]))
    (tensor([ 3., 40.]), tensor([ 1., 20.]))
    """
    call = _of_all("vjp", func, primals, has_aux)
    ys, pull = pullback(call, call.primals)

    def vjp_fn(cotangents: Any) -> Any:
        return call.inputs.unflatten(pull(call.cotangents(cotangents, ys)))

    return with_aux(call, call.outputs.unflatten(ys), vjp_fn)


def linearize(func: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[..., Any]]:
    """f(x, …), and its best linear approximation there: the function that maps tangents v, … to J v.

    f is called once, however many tangents follow.

    Returns:
        `(output, jvp_fn)`; `jvp_fn` takes a tangent for each primal, in its structure.

    Raises: as `jvp`.

    >>> output, jvp_fn = linearize(lambda x: x**3, tensor(2.0))
    >>> output, jvp_fn(tensor(1.0)), jvp_fn(tensor(10.0))
    (tensor(8.), tensor(12.), tensor(120.))
    """
    call = _of_all("linearize", func, primals, False)
    output, push = _linearized(call)
    return output, lambda *tangents: push(tangents)


def jvp(func: Callable[..., Any], primals: Any, tangents: Any, *, has_aux: bool = False) -> Any:
    """f(x, …) and the derivative along the tangents, Σ ∂f/∂x v: how f changes as x moves by v.

    Args:
        func: the function.
        primals: its arguments, a tuple of tensors or containers of them.
        tangents: the same, one for each primal.
        has_aux: whether the function returns `(output, aux)`.

    Returns:
        `(output, tangent)`, both in the structure of the output, or `(output, tangent, aux)`.

    Raises:
        StructureError: where primals and tangents differ in structure, or are no tuples.
        ShapeError: for a tangent of another shape than its primal.
        DtypeError: for a tangent of another dtype, and for what holds no floating tensors.

    >>> jvp(lambda x: x**2, (tensor([1.0, 3.0]),), (tensor([1.0, 10.0]),))
    (tensor([1., 9.]), tensor([ 2., 60.]))
    """
    call = _of_all("jvp", func, _tuple("jvp", "primals", primals), has_aux)
    vs = _tuple("jvp", "tangents", tangents)
    call.tangents(vs)
    output, push = _linearized(call)
    return with_aux(call, output, push(vs))


def _linearized(call: Call) -> tuple[Any, Callable[[Any], Any]]:
    ys, pull = pullback(call, call.primals)
    push = pushforward(pull, ys)
    structure = call.outputs
    return structure.unflatten(ys), lambda tangents: structure.unflatten(push(call.tangents(tangents)))


def hvp(func: Callable[..., Any], primals: Any, tangents: Any) -> Any:
    """The Hessian of a scalar function times a vector, without the Hessian: two walks, however many variables.

    H v is the derivative of the gradient along v. As H is symmetric it is also vᵀH, which is one walk
    back through the gradient.

    Args:
        func: a function with a scalar result.
        primals: its arguments, a tuple of tensors or containers of them.
        tangents: v, the same, one for each primal.

    Returns:
        H v in the structure of the primals, a tuple.

    Raises: as `jvp`; ShapeError where the function's result is no scalar.

    >>> hvp(lambda x: (x**3).sum(), (tensor([1.0, 2.0]),), (tensor([1.0, 10.0]),))     # 6x v
    (tensor([  6., 120.]),)
    """
    call = _of_all("hvp", func, _tuple("hvp", "primals", primals), False)
    vs = call.tangents(_tuple("hvp", "tangents", tangents))
    _, pull = pullback(lambda xs: slopes(call, xs)[1], call.primals)
    return call.inputs.unflatten(pull(vs))


def slopes(call: Call, xs: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
    """The value of a scalar function and its gradient: the product with u = 1."""
    ys, pull = pullback(call, xs)
    y = call.scalar(ys)
    return y, pull([ones_like(y)])


def _of_all(name: str, func: Callable[..., Any], primals: tuple[Any, ...], has_aux: bool) -> Call:
    if not primals:
        raise StructureError(f"{name}(): there is nothing to differentiate by: give it the function's arguments")
    return Call(name, func, primals, {}, tuple(range(len(primals))), has_aux)


def _tuple(name: str, what: str, given: Any) -> tuple[Any, ...]:
    if type(given) not in (tuple, list):
        raise StructureError(
            f"{name}(): {what} must be a tuple with one entry for each argument, not {type(given).__name__}; "
            "for one argument write (x,)"
        )
    return tuple(given)
