"""Transforms inside transforms, inside `no_grad`, and beside a graph of the caller's own."""

import pytest

import tinygrad_poly as tg
from tinygrad_poly import func

from ..helpers import both, leaf

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script:DeprecationWarning")


def cube(x):
    return (x**3).sum()


@both
def test_no_grad_inside_the_function_counts(m):
    def f(x):
        with m.no_grad():
            constant = x * x
        return (constant * x).sum()

    assert m.func.grad(f)(m.tensor([1.0, 2.0])).tolist() == [1.0, 4.0]


@both
def test_no_grad_around_the_call_only_cuts_off_the_result(m):
    x, w = leaf(m, [1.0, 2.0]), leaf(m, 2.0)
    with m.no_grad():
        slope, value = m.func.grad_and_value(lambda x: cube(x) * w)(x)
        hessian = m.func.jacrev(m.func.grad(cube))(x)
        output, vjp_fn = m.func.vjp(cube, x)
    assert slope.tolist() == [6.0, 24.0]
    assert hessian.tolist() == [[6.0, 0.0], [0.0, 12.0]]
    assert vjp_fn(m.tensor(1.0))[0].tolist() == [3.0, 12.0]
    assert not any(t.requires_grad for t in (slope, value, hessian, output))


@both
def test_a_gradient_taken_under_no_grad_is_a_constant_for_the_one_around_it(m):
    def f(x):
        with m.no_grad():
            slope = m.func.grad(cube)(x)
        return (slope * x).sum()

    assert m.func.grad(f)(m.tensor([1.0, 2.0])).tolist() == [3.0, 12.0]


@both
def test_a_gradient_can_be_differentiated_by_what_the_argument_was_made_of(m):
    w = leaf(m, 3.0)
    slope = m.func.grad(lambda x: x**3)(w * 2)  # 3 (2w)², whose derivative is 24 w
    assert slope.item() == 108.0
    slope.backward()
    assert w.grad.item() == 72.0


@both
def test_a_gradient_can_be_differentiated_by_tensors_that_the_function_captured(m):
    w = leaf(m, 3.0)
    slope = m.func.grad(lambda x: w**2 * x**3)(m.tensor(2.0))  # w² · 3x²
    slope.backward()
    assert w.grad.item() == 72.0


@both
def test_a_tensor_may_be_captured_and_be_the_argument(m):
    x = leaf(m, 3.0)
    slope = m.func.grad(lambda y: x * y * y)(x)  # ∂/∂y = 2xy, which is 2x² as a function of x alone
    assert slope.item() == 18.0
    slope.backward()
    assert x.grad.item() == 12.0


@both
def test_inner_and_outer_variables_are_not_confused(m):
    grad = m.func.grad
    assert grad(lambda x: x * grad(lambda y: x + y)(m.tensor(1.0)))(m.tensor(5.0)).item() == 1.0
    assert grad(lambda x: x * grad(lambda y: x * y)(x))(m.tensor(5.0)).item() == 10.0
    assert grad(lambda x: grad(lambda y: grad(lambda z: x * y * z)(y) * y)(x))(m.tensor(5.0)).item() == 20.0


def test_results_need_no_grad_because_an_inner_variable_did():
    w = leaf(tg, 2.0)

    def f(x):
        inner = func.grad(lambda y: y**3 * w)(tg.tensor(1.0))
        assert inner.requires_grad
        constant = func.grad(lambda y: y**3)(tg.tensor(1.0))
        assert not constant.requires_grad
        return x * inner

    slope = func.grad(f)(tg.tensor(1.0))
    assert slope.item() == 6.0
    assert slope.requires_grad
    assert not func.grad(lambda x: x * func.grad(lambda y: y * x)(x))(tg.tensor(1.0)).requires_grad


@pytest.mark.parametrize("recording", [True, False])
def test_recording_is_as_it_was_after_an_exception(recording):
    def f(x):
        raise KeyError("mine")

    x = leaf(tg, 1.0)
    with tg.enable_grad() if recording else tg.no_grad():
        for transform in (func.grad(f), func.jacfwd(f), func.hessian(f), lambda x: func.vjp(f, x)):
            with pytest.raises(KeyError, match="mine"):
                transform(x)
            assert tg.is_grad_enabled() is recording


def test_a_tensor_that_escaped_from_a_function_is_no_leaf_afterwards():
    escaped = []

    def f(x):
        escaped.append(x * 2)
        raise KeyError

    with pytest.raises(KeyError):
        func.grad(f)(tg.tensor(1.0))
    w = leaf(tg, 3.0)
    slope = func.grad(lambda x: escaped[0] * x)(tg.tensor(1.0))
    assert not slope.requires_grad
    (escaped[0] * w).backward()
    assert w.grad.item() == 2.0


@pytest.mark.parametrize(
    ("transform", "recorded"),
    [(func.grad(cube), [False]), (func.grad(func.grad(lambda x: x**3)), [True, False]),
     (func.jacfwd(cube), [True, False]), (func.hessian(cube), [True, False])],
)  # fmt: skip
def test_a_walk_is_recorded_only_where_its_result_may_be_differentiated(monkeypatch, transform, recorded):
    from tinygrad_poly import autograd

    seen = []
    original = autograd.grad
    monkeypatch.setattr(autograd, "grad", lambda *a, **k: seen.append(k["create_graph"]) or original(*a, **k))
    transform(tg.tensor(1.0))
    assert seen == recorded
