"""Hooks of tensors: order, replacement, handles, and `backward(inputs=...)`, as in torch."""

import pytest

import tinygrad_poly as tg
from tinygrad_poly import func
from tinygrad_poly.engine.errors import DtypeError, GraphError, ShapeError, TraceError

from .helpers import both, leaf, nothing_left_for_the_garbage_collector


@both
def test_hooks_are_called_in_order_and_retain_grad_sees_what_they_return(m):
    told = []
    x = leaf(m, [1.0, 2.0])
    y = x * 2
    y.register_hook(lambda g: told.append(("first", g.tolist())))
    y.register_hook(lambda g: g * 10)
    y.retain_grad()
    y.register_hook(lambda g: told.append(("third", g.tolist())))
    x.register_hook(lambda g: g + 1)
    x.register_post_accumulate_grad_hook(lambda p: told.append(("after", p is x, p.grad.tolist(), m.is_grad_enabled())))
    y.sum().backward()
    assert told == [("first", [1.0, 1.0]), ("third", [10.0, 10.0]), ("after", True, [21.0, 21.0], False)]
    assert (y.grad.tolist(), x.grad.tolist()) == ([10.0, 10.0], [21.0, 21.0])
    assert (x.retains_grad, y.retains_grad, (y * 1).retains_grad) == (False, True, False)


@both
def test_a_hook_sees_the_whole_gradient_once(m):
    told = []
    x = leaf(m, [1.0, 2.0])
    y = x * 2
    z = y.sum() + (y * y).sum()
    y.register_hook(lambda g: told.append(g.tolist()))  # after its consumers were recorded
    z.backward()
    assert told == [[5.0, 9.0]]


@both
def test_a_removed_hook_is_not_called(m):
    x = leaf(m, 1.0)
    handle = x.register_hook(lambda g: g * 10)
    with x.register_hook(lambda g: g * 100):
        (x * 2).backward()
    handle.remove()
    handle.remove()
    (x * 2).backward()
    assert x.grad.item() == 2002.0


@both
def test_grad_of_inputs_calls_their_hooks(m):
    x = leaf(m, [1.0, 2.0])
    x.register_hook(lambda g: g * 10)
    assert m.autograd.grad((x * 2).sum(), x)[0].tolist() == [20.0, 20.0]


@both
def test_a_hook_is_recorded_where_the_backward_pass_is(m):
    x = leaf(m, 3.0)
    y = x * x
    y.register_hook(lambda g: g * y)
    (slope,) = m.autograd.grad(y, x, create_graph=True)  # x² · 2x
    # The second pass comes to y from both factors, and to the hook.
    assert (slope.item(), m.autograd.grad(slope, x)[0].item()) == (54.0, 342.0)


@both
def test_a_hook_may_take_a_step_after_each_gradient(m):
    x = leaf(m, 3.0)

    def step(p):
        p -= 0.5 * p.grad
        p.grad = None

    x.register_post_accumulate_grad_hook(step)
    (x * 2).backward()
    assert (x.item(), x.grad) == (2.0, None)


@both
def test_only_the_inputs_get_gradients(m):
    x, w = leaf(m, [1.0, 2.0]), leaf(m, 2.0)
    y = x * w
    z = y.sum()
    z.backward(inputs=[x], retain_graph=True)
    assert (x.grad.tolist(), w.grad) == ([2.0, 2.0], None)
    m.autograd.backward(z, inputs=w, retain_graph=True)
    assert (x.grad.tolist(), w.grad.item()) == ([2.0, 2.0], 3.0)
    z.backward(inputs=[y], retain_graph=True)
    assert y.grad.tolist() == [1.0, 1.0]
    for wrong in ([], [m.ones(1)]):
        with pytest.raises(RuntimeError):
            z.backward(inputs=wrong)


def test_inputs_must_be_tensors():
    with pytest.raises(DtypeError, match="inputs must be tensors, not float"):
        (leaf(tg, 1.0) * 2).backward(inputs=[1.0])


def named(g):
    return named.returns


@pytest.mark.parametrize(
    ("returned", "error", "message"),
    [
        (3.0, DtypeError, "'named' must return a tensor or None, not float"),
        (tg.ones(3), ShapeError, r"'named' returned a gradient of shape \(3,\) for one of shape \(2,\)"),
        (tg.ones(2, dtype=tg.float64), DtypeError, r"'named' returned.*float64.*use \.to\(float32\)"),
    ],
    ids=["number", "shape", "dtype"],
)
def test_nonsense_from_a_hook_is_an_error_and_changes_no_gradient(returned, error, message):
    x = leaf(tg, [1.0, 2.0])
    named.returns = returned
    x.register_hook(named)
    with pytest.raises(error, match=message):
        x.sum().backward()
    assert x.grad is None


def test_hooks_that_would_never_be_called_are_refused():
    with pytest.raises(GraphError, match="no gradient will ever reach it"):
        tg.ones(2).register_hook(print)
    with pytest.raises(GraphError, match="only leaves"):
        (leaf(tg, 1.0) * 2).register_post_accumulate_grad_hook(print)
    with pytest.raises(DtypeError, match="a hook is a function, not int"):
        leaf(tg, 1.0).register_hook(3)


def test_hooks_inside_of_a_transform():
    def f(x):
        x.register_hook(lambda g: g * 10)
        y = x**2
        y.register_hook(lambda g: g * y)
        return y

    assert func.grad(f)(tg.tensor(3.0)).item() == 540.0
    assert func.grad(func.grad(f))(tg.tensor(3.0)).item() == 34200.0  # 10 · 10 · 342, as above


def test_hooks_stay_when_the_memory_changes():
    x = leaf(tg, [1.0])
    x.register_hook(lambda g: g * 10)
    x.data = tg.ones(2)
    x.sum().backward()
    assert x.grad.tolist() == [10.0, 10.0]


def test_a_compiled_function_registers_hooks_on_what_it_computes():
    def slope(x):
        y = x * x
        y.register_hook(lambda g: g * 10)
        return tg.grad(y, x)[0]

    compiled = tg.compile(slope)
    for value in (1.0, 2.0):
        assert compiled(leaf(tg, value)).item() == 20.0 * value


def test_a_compiled_function_refuses_the_gradient_of_what_has_hooks_outside():
    compiled = tg.compile(lambda x: tg.grad(x * x, x)[0])
    x = leaf(tg, 2.0)
    assert compiled(x).item() == 4.0
    handle = x.register_hook(lambda g: g * 10)
    with pytest.raises(TraceError, match="has hooks"):
        compiled(x)
    handle.remove()
    product = tg.compile(lambda x: x * x)
    with x.register_hook(lambda g: g * 10):
        product(x).backward()  # walks outside
    assert x.grad.item() == 40.0


def test_a_hook_leaves_no_reference_circle():
    with nothing_left_for_the_garbage_collector():
        x = leaf(tg, [1.0, 2.0])
        (x * 2).register_hook(lambda g: g * 2)
        x.register_hook(lambda g: g)
        x.sum().backward()
        del x
