"""`grad` and its kin: what they return, and what they leave alone."""

from collections import OrderedDict, namedtuple

import array_api_strict
import numpy as np
import pytest
import torch

import tinygrad_poly as tg
from tinygrad_poly import func, nn
from tinygrad_poly.engine.apply import wrap
from tinygrad_poly.engine.errors import GraphError
from tinygrad_poly.func.containers import flatten

from ..helpers import DTYPES, both, leaf, nothing_left_for_the_garbage_collector

# What torch imports for its forward mode.
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script:DeprecationWarning")

Line = namedtuple("Line", ["slope", "intercept"])


def cube(x):
    return (x**3).sum()


@both
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_gradient_has_the_shape_and_dtype_of_the_argument(m, dtype):
    x = m.tensor(np.array([[1.0, 2.0]], dtype))
    slope = m.func.grad(cube)(x)
    assert slope.tolist() == [[3.0, 12.0]]
    assert slope.dtype == x.dtype
    assert not slope.requires_grad


@both
def test_gradients_of_gradients(m):
    f = lambda x: x**4 + x  # noqa: E731
    x = m.tensor(2.0)
    derivatives = []
    for _ in range(6):
        derivatives.append(f(x).item())
        f = m.func.grad(f)
    assert derivatives == [18.0, 33.0, 48.0, 48.0, 24.0, 0.0]


@both
@pytest.mark.parametrize(
    ("argnums", "expected"),
    [(0, 6.0), (1, 10.0), (-1, 10.0), ((0, 1), (6.0, 10.0)), ((1, 0), (10.0, 6.0)), ((-1,), (10.0,))],
)  # fmt: skip
def test_argnums_say_what_to_differentiate_by(m, argnums, expected):
    slope = m.func.grad(lambda x, y: x * y * 2, argnums)(m.tensor(5.0), m.tensor(3.0))
    if isinstance(expected, tuple):
        assert isinstance(slope, tuple)
        assert [s.item() for s in slope] == list(expected)
    else:
        assert slope.item() == expected


@both
def test_other_arguments_may_be_anything(m):
    def f(n, x, label, *, scale=1, **rest):
        assert (label, rest) == ("label", {"more": [1]})
        return (x**n).sum() * scale

    slope = m.func.grad(f, 1)(3, m.tensor([1.0, 2.0]), "label", scale=10, more=[1])
    assert slope.tolist() == [30.0, 120.0]


@both
def test_containers_of_tensors_come_back_as_gradients_in_containers(m):
    tree = {"list": [m.tensor(2.0), (m.tensor([3.0, 4.0]),)], "line": Line(m.tensor(5.0), m.tensor(6.0)), "no": []}

    def f(tree):
        x, (y,) = tree["list"]
        return x * y.sum() + tree["line"].slope ** 2 * tree["line"].intercept

    slope = m.func.grad(f)(tree)
    assert list(slope) == ["list", "line", "no"]
    assert (slope["list"][0].item(), slope["list"][1][0].tolist()) == (7.0, [2.0, 2.0])
    assert type(slope["list"]) is list
    assert type(slope["list"][1]) is tuple
    assert slope["line"] == Line(m.tensor(60.0), m.tensor(25.0))
    assert slope["no"] == []


def test_none_is_an_empty_container():
    """torch counts it as a leaf, and refuses it."""
    slope = func.grad(lambda p: p["w"] ** 2)({"w": tg.tensor(3.0), "bias": None})
    assert slope["w"].item() == 6.0
    assert slope["bias"] is None


def test_an_ordered_dict_stays_one():
    slope = func.grad(lambda p: p["w"] ** 2)(OrderedDict(w=tg.tensor(3.0)))
    assert type(slope) is OrderedDict


@both
def test_the_value_comes_along(m):
    slope, value = m.func.grad_and_value(cube)(m.tensor([1.0, 2.0]))
    assert (slope.tolist(), value.item()) == ([3.0, 12.0], 9.0)
    slope, (value, aux) = m.func.grad_and_value(lambda x: (cube(x), x * 2), has_aux=True)(m.tensor([1.0, 2.0]))
    assert (slope.tolist(), value.item(), aux.tolist()) == ([3.0, 12.0], 9.0, [2.0, 4.0])


def test_the_value_comes_first_where_jax_has_it_first():
    value, slope = func.value_and_grad(cube)(tg.tensor([1.0, 2.0]))
    assert (slope.tolist(), value.item()) == ([3.0, 12.0], 9.0)
    (value, aux), slope = func.value_and_grad(lambda x: (cube(x), "seen"), has_aux=True)(tg.tensor([1.0, 2.0]))
    assert (slope.tolist(), value.item(), aux) == ([3.0, 12.0], 9.0, "seen")


@both
def test_aux_is_handed_out_without_a_graph_of_its_own(m):
    slope, aux = m.func.grad(lambda x: (cube(x), {"double": x * 2, "x": x}), has_aux=True)(m.tensor([1.0, 2.0]))
    assert slope.tolist() == [3.0, 12.0]
    assert (aux["double"].tolist(), aux["double"].requires_grad) == ([2.0, 4.0], False)
    assert not aux["x"].requires_grad


@both
def test_aux_keeps_the_callers_graph(m):
    x = leaf(m, 3.0)
    _, aux = m.func.grad(lambda x: (x * x, x * 5), has_aux=True)(x)
    aux.backward()
    assert x.grad.item() == 5.0


@both
def test_what_the_result_does_not_depend_on_has_gradient_zero(m):
    x, y = m.tensor([1.0, 2.0]), m.tensor([[3.0]])
    slopes = m.func.grad(lambda x, y: x.sum(), (0, 1))(x, y)
    assert [s.tolist() for s in slopes] == [[1.0, 1.0], [[0.0]]]
    assert m.func.grad(lambda x: m.tensor(7.0))(x).tolist() == [0.0, 0.0]
    assert m.func.grad(lambda x: (x * 2).detach().sum())(x).tolist() == [0.0, 0.0]
    outer = leaf(m, 7.0)
    assert m.func.grad(lambda x: outer * 2)(x).tolist() == [0.0, 0.0]


@both
def test_grad_of_the_argument_is_left_alone(m):
    x = leaf(m, [1.0, 2.0])
    (x * 10).sum().backward()
    kept = x.grad
    for transform in (m.func.grad(cube), m.func.jacrev(cube), m.func.hessian(cube), m.func.grad_and_value(cube)):
        transform(x)
    assert x.grad is kept
    assert x.grad.tolist() == [10.0, 10.0]
    assert x.requires_grad
    assert x.is_leaf


@both
def test_torch_autograd_works_inside_a_function(m):
    """The argument requires grad there."""

    def f(x):
        assert x.requires_grad
        assert x.is_leaf
        return cube(x)

    m.func.grad(f)(m.tensor([1.0]))


@both
def test_the_argument_cannot_be_changed_in_place(m):
    def f(x):
        x *= 2
        return x.sum()

    with pytest.raises(RuntimeError, match=r"in[- ]place"):
        m.func.grad(f)(m.tensor([1.0]))


def test_the_function_is_called_once():
    calls = []

    def f(x):
        calls.append(x)
        return cube(x)

    x = tg.tensor([1.0, 2.0, 3.0])
    transforms = [func.grad(f), func.jacrev(f), func.jacfwd(f), func.hessian(f), lambda x: func.jvp(f, (x,), (x,)),
                  lambda x: func.hvp(f, (x,), (x,)), lambda x: func.linearize(f, x)[1](x)]  # fmt: skip
    for n, transform in enumerate(transforms, 1):
        transform(x)
        assert len(calls) == n


def test_nothing_is_left_for_the_garbage_collector():
    x = leaf(tg, [1.0, 2.0])
    with nothing_left_for_the_garbage_collector():
        for _ in range(5):
            func.hessian(cube)(x)
            func.jacfwd(cube)(x)
            func.hvp(cube, (x,), (x,))


def test_a_graph_that_the_function_captured_is_not_freed():
    w = leaf(tg, 3.0)
    h = w * w
    func.grad(lambda x: h * x * h)(tg.tensor(2.0))
    h.backward()
    assert w.grad.item() == 6.0


def test_the_wrapper_is_called_like_the_function():
    def named(x):
        """What it says."""
        return cube(x)

    assert func.grad(named).__name__ == "named"
    assert func.jacrev(named).__doc__ == "What it says."


def test_modules_and_parameters():
    model = nn.Linear(2, 1)
    x = tg.tensor([[1.0, 2.0]])
    slope = func.grad(lambda x: model(x).sum())(x)
    assert slope.tolist() == model.weight.tolist()
    slope.sum().backward()
    assert model.weight.grad.tolist() == [[1.0, 1.0]]
    by_parameters = func.grad(lambda p: (x @ p["weight"].T + p["bias"]).sum())(dict(model.named_parameters()))
    assert by_parameters["weight"].tolist() == [[1.0, 2.0]]
    assert type(by_parameters["weight"]) is tg.Tensor


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_network_has_torchs_derivatives_of_every_kind(dtype):
    rng = np.random.default_rng(3)
    arrays = {"w": rng.standard_normal((3, 4)).astype(dtype), "b": rng.standard_normal(4).astype(dtype)}
    x = rng.standard_normal((5, 3)).astype(dtype)
    results = []
    for m in (tg, torch):
        p = {name: m.tensor(array) for name, array in arrays.items()}
        v = {name: m.tensor(np.cos(array)) for name, array in arrays.items()}
        outputs = lambda p: m.tanh(m.tensor(x) @ p["w"] + p["b"])  # noqa: B023, E731
        loss = lambda p: (outputs(p) ** 2).mean()  # noqa: B023, E731
        results.append([
            m.func.grad(loss)(p), m.func.hessian(loss)(p), m.func.jacrev(outputs)(p), m.func.jacfwd(outputs)(p),
            m.func.jvp(outputs, (p,), (v,)), m.func.jvp(m.func.grad(loss), (p,), (v,)),
            m.func.vjp(outputs, p)[1](outputs(v)),
        ])  # fmt: skip
    u = np.finfo(dtype).eps / 2
    mine, theirs = (flatten(r) for r in results)
    assert str(mine[1]) == str(theirs[1])
    for a, b in zip(mine[0], theirs[0], strict=True):
        assert a.dtype == dtype
        # Each number sums some hundred products, of some 30 roundings each, of numbers between 0 and 10.
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=0, atol=300 * u * max(1, np.abs(b.numpy()).max()))


def test_grad_keeps_its_two_meanings_apart():
    x = leaf(tg, 3.0)
    assert tg.grad(x * x, x)[0].item() == tg.func.grad(lambda x: x * x)(x).item() == 6.0
    with pytest.raises((GraphError, TypeError)):
        tg.grad(lambda x: x, x)


def test_two_gradients_never_share_a_tensor():
    first, second = func.grad(lambda x, y: x + y, (0, 1))(tg.tensor(1.0), tg.tensor(2.0))
    first += 10
    assert (first.item(), second.item()) == (11.0, 1.0)


def test_arrays_of_another_library():
    x = wrap(array_api_strict.asarray([1.0, 2.0]), None)
    slope, rows, columns = func.grad(cube)(x), func.jacrev(func.grad(cube))(x), func.jacfwd(func.grad(cube))(x)
    for result, expected in [(slope, [3, 12]), (rows, [[6, 0], [0, 12]]), (columns, [[6, 0], [0, 12]])]:
        assert type(result.array) is type(x.array)
        assert array_api_strict.all(result.array == array_api_strict.asarray(expected, dtype=x.dtype))
    assert type(func.jacrev(cube)(wrap(x.array[:0], None)).array) is type(x.array)
