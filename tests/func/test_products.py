"""`vjp`, `jvp`, `linearize`, `hvp`, and Jacobians of functions of several tensors and containers."""

from collections import namedtuple

import numpy as np
import pytest

import tinygrad_poly as tg
from tinygrad_poly import func

from ..helpers import DTYPES, both, leaf

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script:DeprecationWarning")

Pair = namedtuple("Pair", ["sum", "product"])


def pair(x, y):
    return Pair(x + y, x * y)


@both
@pytest.mark.parametrize("dtype", DTYPES)
def test_vjp_gives_the_output_and_a_function_of_its_cotangent(m, dtype):
    x, y = m.tensor(np.array([1.0, 2.0], dtype)), m.tensor(np.array(3.0, dtype))
    output, vjp_fn = m.func.vjp(pair, x, y)
    assert type(output) is Pair
    assert output.product.tolist() == [3.0, 6.0]
    for scale in (1.0, 10.0):  # as often as one likes
        u = m.tensor(np.array([1.0, 2.0], dtype)) * scale
        by_x, by_y = vjp_fn(Pair(u, u * 10))
        assert by_x.tolist() == [31 * scale, 62 * scale]
        assert by_y.tolist() == 53 * scale
        assert by_x.dtype == by_y.dtype == x.dtype
    assert not output.product.requires_grad


def test_outputs_and_primals_may_be_changed_in_place_before_the_product_is_asked_for():
    w = leaf(tg, 5.0)
    x = tg.tensor(3.0)
    output, vjp_fn = func.vjp(lambda x: w * x * x, x)
    expected = vjp_fn(tg.tensor(1.0))[0].item()
    output *= 100
    x += 1
    assert vjp_fn(tg.tensor(1.0))[0].item() == expected == 30.0
    assert output.item() == 4500.0


@both
def test_vjp_returns_a_tuple_for_one_primal_too(m):
    (slope,) = m.func.vjp(lambda p: p["a"] * 2, {"a": m.tensor(1.0)})[1](m.tensor(3.0))
    assert slope["a"].item() == 6.0


@both
def test_jvp_moves_along_the_tangents(m):
    x, y = m.tensor([1.0, 2.0]), m.tensor(3.0)
    output, tangent = m.func.jvp(pair, (x, y), (m.tensor([1.0, 10.0]), m.tensor(100.0)))
    assert output.sum.tolist() == [4.0, 5.0]
    assert type(tangent) is Pair
    assert tangent.sum.tolist() == [101.0, 110.0]
    assert tangent.product.tolist() == [103.0, 230.0]


@both
def test_aux_comes_last(m):
    f = lambda x: (x * x, x + 1)  # noqa: E731
    x, v = m.tensor(3.0), m.tensor(1.0)
    output, vjp_fn, aux = m.func.vjp(f, x, has_aux=True)
    assert (output.item(), vjp_fn(v)[0].item(), aux.item()) == (9.0, 6.0, 4.0)
    output, tangent, aux = m.func.jvp(f, (x,), (v,), has_aux=True)
    assert (output.item(), tangent.item(), aux.item()) == (9.0, 6.0, 4.0)
    for transform in (m.func.jacrev, m.func.jacfwd):
        jacobian, aux = transform(f, has_aux=True)(x)
        assert (jacobian.item(), aux.item()) == (6.0, 4.0)


@both
def test_what_does_not_depend_on_the_input_moves_by_nothing(m):
    constant = m.tensor([5.0, 6.0])
    output, tangent = m.func.jvp(lambda x: (constant, x * 0), (m.tensor(1.0),), (m.tensor(2.0),))
    assert output[0].tolist() == [5.0, 6.0]
    assert [t.tolist() for t in tangent] == [[0.0, 0.0], 0.0]
    assert m.func.jacrev(lambda x: constant)(m.tensor(1.0)).tolist() == [0.0, 0.0]
    assert m.func.jacfwd(lambda x: constant)(m.tensor(1.0)).tolist() == [0.0, 0.0]
    assert m.func.vjp(lambda x: constant, m.tensor(1.0))[1](constant)[0].item() == 0.0


@both
def test_products_can_be_differentiated_by_all_that_they_depend_on(m):
    x, u = leaf(m, 3.0), leaf(m, 5.0)
    w = leaf(m, 2.0)
    _, vjp_fn = m.func.vjp(lambda x: w * x**2, x)
    vjp_fn(u)[0].backward()  # 2 w x u
    assert (w.grad.item(), x.grad.item(), u.grad.item()) == (30.0, 20.0, 12.0)


def test_the_tangent_can_be_differentiated_by_all_that_it_depends_on():
    """In torch the products of its forward mode cannot be walked back like this from outside."""
    x, v, w = leaf(tg, 3.0), leaf(tg, 5.0), leaf(tg, 2.0)
    _, tangent = func.jvp(lambda x: w * x**2, (x,), (v,))  # 2 w x v
    tangent.backward()
    assert (w.grad.item(), x.grad.item(), v.grad.item()) == (30.0, 20.0, 12.0)


@both
def test_transforms_compose_in_any_order(m):
    f = lambda x: (x**4).sum()  # noqa: E731
    x, v = m.tensor([1.0, 2.0]), m.tensor([1.0, 10.0])
    grad, jvp, vjp = m.func.grad, m.func.jvp, m.func.vjp
    forward_of_backward = jvp(grad(f), (x,), (v,))[1]
    backward_of_forward = grad(lambda x: jvp(f, (x,), (v,))[1])(x)
    backward_of_backward = vjp(grad(f), x)[1](v)[0]
    for h in (forward_of_backward, backward_of_forward, backward_of_backward):
        assert h.tolist() == [12.0, 480.0]
    forward_of_forward = jvp(lambda x: jvp(f, (x,), (v,))[1], (x,), (v,))[1]
    assert forward_of_forward.item() == 4812.0
    for inner in (m.func.jacrev, m.func.jacfwd):
        for outer in (m.func.jacrev, m.func.jacfwd):
            assert outer(inner(f))(x).tolist() == [[12.0, 0.0], [0.0, 48.0]]
        third = inner(m.func.hessian(f))(x)
        assert third.shape == (2, 2, 2)
        assert [third[i, i, i].item() for i in (0, 1)] == [24.0, 48.0]


def test_linearize_calls_the_function_once_for_many_tangents():
    calls = []

    def f(x, p):
        calls.append(1)
        return {"y": x * p["w"]}

    output, jvp_fn = func.linearize(f, tg.tensor(2.0), {"w": tg.tensor(3.0)})
    assert output["y"].item() == 6.0
    tangents = [jvp_fn(tg.tensor(a), {"w": tg.tensor(b)})["y"].item() for a, b in [(1.0, 0.0), (0.0, 1.0), (5.0, 7.0)]]
    assert tangents == [3.0, 2.0, 29.0]
    assert len(calls) == 1


def test_hvp_has_the_structure_of_the_primals():
    f = lambda p, x: (p["w"] * x * x).sum()  # noqa: E731
    p, x = {"w": tg.tensor([2.0, 3.0])}, tg.tensor([1.0, 5.0])
    by_p, by_x = func.hvp(f, (p, x), ({"w": tg.tensor([1.0, 1.0])}, tg.tensor([10.0, 100.0])))
    assert by_p["w"].tolist() == [20.0, 1000.0]  # 2 x v
    assert by_x.tolist() == [42.0, 610.0]  # 2 x v_w + 2 w v_x
    assert func.hvp(lambda x: x * 3, (tg.tensor(1.0),), (tg.tensor(1.0),))[0].item() == 0.0


@both
@pytest.mark.parametrize("name", ["jacrev", "jacfwd"])
def test_a_jacobian_has_the_structure_of_the_output_around_that_of_the_input(m, name):
    x = {"a": m.tensor([[1.0, 2.0, 3.0]]), "b": (m.tensor(4.0),)}
    f = lambda x: [x["a"].sum() * x["b"][0], Pair(x["a"].T * 2, x["b"][0])]  # noqa: E731
    jacobian = getattr(m.func, name)(f)(x)
    assert jacobian[0]["a"].tolist() == [[4.0, 4.0, 4.0]]
    assert jacobian[0]["b"][0].item() == 6.0
    assert type(jacobian[1]) is Pair
    assert jacobian[1].sum["a"].shape == (3, 1, 1, 3)
    assert jacobian[1].sum["a"].reshape(3, 3).tolist() == [[2.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 2.0]]
    assert jacobian[1].sum["b"][0].tolist() == [[0.0], [0.0], [0.0]]
    assert jacobian[1].product["b"][0].item() == 1.0


@both
@pytest.mark.parametrize("name", ["jacrev", "jacfwd", "hessian"])
def test_jacobians_by_several_arguments(m, name):
    x, y = m.tensor([1.0, 2.0]), m.tensor(3.0)
    f = lambda x, y: (x * x).sum() * y  # noqa: E731
    by_y, by_x = getattr(m.func, name)(f, (1, 0))(x, y)
    if name == "hessian":
        assert by_y[0].item() == 0.0
        assert by_y[1].tolist() == by_x[0].tolist() == [2.0, 4.0]
        assert by_x[1].tolist() == [[6.0, 0.0], [0.0, 6.0]]
    else:
        assert (by_y.item(), by_x.tolist()) == (5.0, [6.0, 12.0])


@pytest.mark.parametrize("shapes", [((0,), (0,)), ((2, 0), (2,)), ((3,), (0,)), ((), (1,))])
def test_jacobians_of_nothing_and_of_one(shapes):
    """torch has no Jacobian of some of these: its vmap fails to broadcast to nothing."""
    x = tg.zeros(shapes[0])
    for transform in (func.jacrev, func.jacfwd):
        assert transform(lambda x: x.sum() * tg.zeros(shapes[1]))(x).shape == shapes[1] + shapes[0]


@both
def test_the_hessian_of_a_vector_valued_function_has_one_for_each_number(m):
    assert m.func.hessian(lambda x: x**3)(m.tensor([1.0, 2.0])).tolist() == [
        [[6.0, 0.0], [0.0, 0.0]],
        [[0.0, 0.0], [0.0, 12.0]],
    ]


def test_an_argument_without_tensors_has_an_empty_jacobian():
    for transform in (func.jacrev, func.jacfwd):
        by_p, by_x = transform(lambda p, x: x * 2, (0, 1))({"none": None}, tg.tensor(3.0))
        assert by_p == {"none": None}
        assert by_x.item() == 2.0


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("route", [func.jacrev, func.jacfwd])
def test_a_jacobian_has_the_dtype_of_its_input_by_rows_and_of_its_output_by_columns(dtype, route):
    """Where they differ. They are the same number of bits in a function that leaves dtypes alone."""
    x = tg.tensor([1.0, 2.0], dtype=dtype)
    assert route(lambda x: x * x)(x).dtype == x.dtype
    mixed = route(lambda x: x.double() ** 2)(x)
    assert mixed.tolist() == [[2.0, 0.0], [0.0, 4.0]]
    assert mixed.dtype == (x.dtype if route is func.jacrev else tg.float64)


def test_jacobian_is_a_name_of_jacrev():
    assert func.jacobian is func.jacrev


@pytest.mark.parametrize("derivative", [func.hessian, lambda f, argnums: func.jacfwd(func.jacrev(f, argnums), argnums)])
@pytest.mark.parametrize(
    ("b", "expected"), [(1.0, [[0, -np.inf], [-np.inf, 0]]), (1.5, [[np.inf, 0], [0, 0]])], ids=["b=1", "b=1.5"]
)
def test_an_infinite_second_derivative_makes_no_other_one_nan(derivative, b, expected):
    with np.errstate(all="ignore"):
        rows = derivative(lambda a, b: a**b, argnums=(0, 1))(tg.tensor(0.0), tg.tensor(b))
    assert [[x.item() for x in row] for row in rows] == expected
