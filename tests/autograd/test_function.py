"""`autograd.Function`: as in torch, on the tape, in transforms, and in compiled functions."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_poly as tg
from tinygrad_poly import func
from tinygrad_poly.autograd import Function, Variable
from tinygrad_poly.autograd.function import once_differentiable
from tinygrad_poly.engine.errors import DtypeError, GraphError, ShapeError

from ..helpers import both, examples, leaf, nothing_left_for_the_garbage_collector


def function(m, forward, backward, setup_context=None):
    """A Function of either library, called F."""
    methods = {"forward": staticmethod(forward), "backward": staticmethod(backward)}
    if setup_context is not None:
        methods["setup_context"] = staticmethod(setup_context)
    return type("F", (m.autograd.Function,), methods)


def _save_input(ctx, x):
    ctx.save_for_backward(x)
    return x**3


def cube(m):
    return function(m, _save_input, lambda ctx, g: g * 3 * ctx.saved_tensors[0] ** 2)


def reciprocal(m):
    """Saves its output: y′ = −y²."""

    def forward(ctx, x):
        y = 1 / x
        ctx.save_for_backward(y)
        return y

    return function(m, forward, lambda ctx, g: -g * ctx.saved_tensors[0] ** 2)


def sum_and_product(m, **options):
    def forward(ctx, a, b, scale):
        ctx.save_for_backward(a, None, b)
        ctx.scale = scale
        ctx.set_materialize_grads(options.get("materialize", True))
        return a + b, "text", scale * (a * b)

    def backward(ctx, g, nothing, h):
        a, none, b = ctx.saved_tensors
        assert [nothing, none] == [None, None]
        options.get("seen", []).append((g, h, ctx.needs_input_grad))
        g, h = 0 if g is None else g, 0 if h is None else h
        return g + ctx.scale * h * b, g + ctx.scale * h * a, None

    return function(m, forward, backward)


@both
@pytest.mark.parametrize("make", [cube, reciprocal])
def test_three_derivatives_of_a_function_that_saves_its_input_or_its_output(m, make):
    x = leaf(m, [2.0, -4.0])
    y = make(m).apply(x)
    assert y.grad_fn.name() == "FBackward"
    slope = m.autograd.grad(y.sum(), x, create_graph=True)[0]
    curvature = m.autograd.grad(slope.sum(), x, create_graph=True)[0]
    third = m.autograd.grad(curvature.sum(), x)[0]
    expected = {cube: ([12.0, 48.0], [12.0, -24.0], [6.0, 6.0])}.get(
        make, ([-0.25, -0.0625], [0.25, -0.03125], [-0.375, -6 / 256])
    )
    assert (slope.tolist(), curvature.tolist(), third.tolist()) == expected


@both
def test_several_outputs_get_zeros_for_those_that_are_not_used(m):
    seen = []
    a, b = leaf(m, [1.0, 2.0]), leaf(m, [3.0, 4.0])
    total, text, product = sum_and_product(m, seen=seen).apply(a, b, 10)
    assert (text, total.output_nr, product.output_nr) == ("text", 0, 2)
    assert repr(product) == "tensor([30., 80.], grad_fn=<FBackward>)"
    assert [edge[0].name() for edge in product.grad_fn.next_functions[:2]] == ["torch::autograd::AccumulateGrad"] * 2
    product.sum().backward()
    assert (a.grad.tolist(), b.grad.tolist()) == ([30.0, 40.0], [10.0, 20.0])
    ((g, h, needs),) = seen
    assert (g.tolist(), h.tolist(), needs) == ([0.0, 0.0], [1.0, 1.0], (True, True, False))


@both
def test_several_outputs_get_none_for_those_that_are_not_used_where_zeros_are_not_wanted(m):
    seen = []
    a, b = leaf(m, [1.0, 2.0]), m.tensor([3.0, 4.0])
    sum_and_product(m, seen=seen, materialize=False).apply(a, b, 10)[0].sum().backward()
    ((g, h, needs),) = seen
    assert (g.tolist(), h, needs) == ([1.0, 1.0], None, (True, False, False))
    assert a.grad.tolist() == [1.0, 1.0]


@both
def test_backward_is_called_once_for_all_outputs_and_differentiated_again(m):
    seen = []
    a, b = leaf(m, 3.0), leaf(m, 5.0)
    total, _, product = sum_and_product(m, seen=seen).apply(a, b, 2)
    slopes = m.autograd.grad(total * product, [a, b], create_graph=True)  # (a + b) 2ab
    assert [s.item() for s in slopes] == [110.0, 78.0]
    assert len(seen) == 1
    second = m.autograd.grad(slopes[0], [a, b])  # 4ab + 2b²
    assert [s.item() for s in second] == [20.0, 32.0]


@both
def test_setup_context_fills_the_context_after_a_forward_without_it(m):
    def setup_context(ctx, inputs, output):
        x, ctx.n = inputs
        ctx.save_for_backward(x, output)

    def backward(ctx, g):
        x, y = ctx.saved_tensors
        return g * ctx.n * y / x, None

    power = function(m, lambda x, n: x**n, backward, setup_context)
    x = leaf(m, 2.0)
    (slope,) = m.autograd.grad(power.apply(x, 3), x, create_graph=True)
    assert (slope.item(), m.autograd.grad(slope, x)[0].item()) == (12.0, 12.0)


@both
def test_none_for_an_input_leaves_its_gradient_none(m):
    blind = function(m, lambda ctx, a, b: a * b, lambda ctx, g: (None, g * 2))
    a, b = leaf(m, 3.0), leaf(m, 5.0)
    inner = a * a
    (blind.apply(inner, b) + b).backward()
    assert (a.grad, b.grad.item()) == (None, 3.0)
    inner = a * a
    y = blind.apply(inner, b) + inner.sum()
    y.backward()
    assert a.grad.item() == 6.0


@both
def test_the_identity_integers_and_marked_outputs(m):
    tripled = function(m, lambda ctx, x: x, lambda ctx, g: g * 3)
    x = leaf(m, [1.0, 2.0])
    tripled.apply(x).sum().backward()
    assert x.grad.tolist() == [3.0, 3.0]

    def forward(ctx, x):
        largest = x.max()
        ctx.mark_non_differentiable(largest)
        return x * 1, largest, (x > 1).to(m.int64)

    y, largest, index = function(m, forward, lambda ctx, g, *_: g).apply(x)
    assert [t.requires_grad for t in (y, largest, index)] == [True, False, False]


@both
def test_nothing_is_recorded_in_forward_and_all_of_it_under_no_grad(m):
    modes = []

    def forward(ctx, x):
        modes.append((m.is_grad_enabled(), x.requires_grad))
        return x * 2

    doubled = function(m, forward, lambda ctx, g: g * 2)
    doubled.apply(leaf(m, 1.0))
    with m.no_grad():
        assert not doubled.apply(leaf(m, 1.0)).requires_grad
    assert modes == [(False, True), (False, True)]
    assert not doubled.apply(m.tensor(1.0)).requires_grad


@both
def test_a_graph_with_saved_tensors_is_freed_and_another_is_not(m):
    x = leaf(m, 2.0)
    y = cube(m).apply(x)
    y.backward()
    with pytest.raises(RuntimeError, match="retain_graph=True"):
        y.backward()
    z = function(m, lambda ctx, x: x * 2, lambda ctx, g: g * 2).apply(x)
    z.backward()
    z.backward()
    assert x.grad.item() == 16.0


@both
def test_a_gradient_is_summed_over_what_was_broadcast(m):
    product = function(
        m, lambda ctx, x, w: (ctx.save_for_backward(x), x * w)[1], lambda c, g: (None, g * c.saved_tensors[0])
    )
    w = leaf(m, [1.0, 2.0])
    product.apply(m.tensor([[1.0, 2.0], [3.0, 4.0]]), w).sum().backward()
    assert w.grad.tolist() == [4.0, 6.0]


@both
def test_keyword_arguments_are_put_in_order(m):
    power = function(m, lambda ctx, x, n: (setattr(ctx, "n", n), x * n)[1], lambda ctx, g: (g * ctx.n, None))
    x = leaf(m, 1.0)
    y = power.apply(x, n=3)
    assert y.item() == 3.0


def test_a_saved_input_is_the_one_that_forward_saw():
    x = leaf(tg, 2.0)
    y = cube(tg).apply(x)
    with tg.no_grad():
        x += 10
    y.backward()
    assert x.grad.item() == 12.0


def test_no_reference_circle_is_left_behind():
    with nothing_left_for_the_garbage_collector():
        for make in (cube, reciprocal):
            x = leaf(tg, 2.0)
            (slope,) = tg.grad(make(tg).apply(x), x, create_graph=True)
            tg.grad(slope, x)
            del x, slope
        a = leaf(tg, 2.0)
        total, _, product = sum_and_product(tg).apply(a, a, 2)
        (total * product).backward()
        del a, total, product


# What is wrong is said


def _double(ctx, x):
    return x * 2


WRONG = {
    "none at all": (lambda ctx, g: (), GraphError, r"F\.backward returned an incorrect number.*expected 1, got 0"),
    "too many": (lambda ctx, g: (g, g), GraphError, r"expected 1, got 2"),
    "another shape": (
        lambda ctx, g: tg.ones(3),
        ShapeError,
        r"F\.backward.*index 0 - got \[3\].*compatible with \[2\]",
    ),
    "too few numbers": (lambda ctx, g: g.sum(), ShapeError, r"got \[\]"),
    "float64": (lambda ctx, g: g.double(), DtypeError, r"F\.backward.*float64 at index 0.*use \.to\(float32\)"),
    "integers": (lambda ctx, g: g.to(tg.int64), DtypeError, "int64"),
    "a number": (lambda ctx, g: 2.0, DtypeError, r"F\.backward must return tensors or None.*float"),
    "an array": (lambda ctx, g: g.detach().numpy(), DtypeError, "ndarray"),
    "a list": (lambda ctx, g: [g], DtypeError, "list"),
}


@pytest.mark.parametrize(("backward", "error", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_gradient_is_an_error_that_names_the_function(backward, error, message):
    x = leaf(tg, [1.0, 2.0])
    with pytest.raises(error, match=message):
        function(tg, _double, backward).apply(x).sum().backward()
    assert x.grad is None


def test_a_gradient_of_what_is_no_tensor_is_an_error():
    x = leaf(tg, 1.0)
    with pytest.raises(GraphError, match="index 1, but that argument is no tensor"):
        function(tg, lambda ctx, x, n: x * n, lambda ctx, g: (g, g)).apply(x, 2).backward()


def test_what_cannot_be_saved_returned_or_marked_is_refused():
    x = leaf(tg, 1.0)
    for saved in (3, [x], np.ones(2)):
        with pytest.raises(DtypeError, match=r"F: save_for_backward.*argument 1 is of type"):
            function(tg, lambda ctx, x, s=saved: ctx.save_for_backward(x, s), None).apply(x)
    with pytest.raises(DtypeError, match=r"F\.forward returned a list"):
        function(tg, lambda ctx, x: [x * 2], None).apply(x)
    with pytest.raises(GraphError, match=r"F: mark_dirty.*copy_"):
        function(tg, lambda ctx, x: ctx.mark_dirty(x), None).apply(x)


def test_a_class_without_its_methods_or_made_an_object_of():
    x = leaf(tg, 1.0)
    with pytest.raises(NotImplementedError, match="forward"):
        type("F", (Function,), {}).apply(x)
    y = type("F", (Function,), {"forward": staticmethod(_double)}).apply(x)
    with pytest.raises(NotImplementedError, match="backward"):
        y.backward()
    with pytest.raises(TypeError, match=r"cube\.apply|F\.apply"):
        cube(tg)()


# Once differentiable


def once(tg_or_torch):
    return function(tg_or_torch, _save_input, once_differentiable(lambda ctx, g: g * 3 * ctx.saved_tensors[0] ** 2))


def test_once_differentiable_refuses_a_second_derivative_by_name():
    x = leaf(tg, 2.0)
    once(tg).apply(x).backward()
    assert x.grad.item() == 12.0
    (slope,) = tg.grad(once(tg).apply(x), x, create_graph=True)
    assert slope.item() == 12.0
    with pytest.raises(GraphError, match=r"F\.backward is once_differentiable"):
        slope.backward()
    assert func.grad(once(tg).apply)(tg.tensor(2.0)).item() == 12.0
    with pytest.raises(GraphError, match="once_differentiable"):
        func.grad(func.grad(once(tg).apply))(tg.tensor(2.0))


# In transforms and programs


def test_transforms_of_a_function():
    f, x = cube(tg).apply, tg.tensor([1.0, 2.0])
    assert func.grad(lambda x: f(x).sum())(x).tolist() == [3.0, 12.0]
    assert func.vjp(f, x)[1](tg.ones(2))[0].tolist() == [3.0, 12.0]
    assert func.jvp(f, (x,), (tg.tensor([1.0, 10.0]),))[1].tolist() == [3.0, 120.0]
    assert func.jacobian(f)(x).tolist() == [[3.0, 0.0], [0.0, 12.0]]
    assert func.hessian(lambda x: f(x).sum())(x).tolist() == [[6.0, 0.0], [0.0, 12.0]]
    assert func.vmap(func.grad(f))(x).tolist() == [3.0, 12.0]


class Legendre3(Function):
    """½ (5x³ − 3x), as in torch's tutorial."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return 0.5 * (5 * x**3 - 3 * x)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * 1.5 * (5 * x**2 - 1)


def plain(x):
    return 0.5 * (5 * x**3 - 3 * x)


def test_a_compiled_function_has_the_gradients_of_a_function_inside():
    x = tg.linspace(-1, 1, 5, dtype=tg.float64)

    def loss(c):
        return ((Legendre3.apply(c * x) - x) ** 2).sum()

    def slope(c):
        return func.grad(loss)(c)

    c = tg.tensor(0.5, dtype=tg.float64)
    assert tg.compile(slope)(c).item() == pytest.approx(slope(c).item(), rel=1e-13)
    w = tg.tensor(0.5, dtype=tg.float64, requires_grad=True)
    tg.compile(loss)(w).backward()
    assert w.grad.item() == pytest.approx(slope(c).item(), rel=1e-13)


def test_a_compiled_function_of_several_outputs():
    F = sum_and_product(tg)

    def both_used(a, b):
        total, _, product = F.apply(a, b, 2)
        return total * product

    a, b = leaf(tg, 3.0), leaf(tg, 5.0)
    tg.compile(both_used)(a, b).backward()
    assert (a.grad.item(), b.grad.item()) == (110.0, 78.0)


@pytest.mark.slow
def test_a_compiled_fit_takes_the_steps_of_the_plain_one():
    x = np.linspace(-1, 1, 50)

    def of(f):
        return tg.fit(lambda p, x, y: ((p["a"] + f(p["b"] * x) - y) ** 2).mean(), {"a": 0.1, "b": 0.5}, x, np.sin(x),
                      steps=20, lr=0.1, compile=True).params  # fmt: skip

    ours, theirs = of(Legendre3.apply), of(plain)
    for name in ("a", "b"):
        assert float(ours[name]) == pytest.approx(float(theirs[name]), rel=1e-12)


# Generated programs, of which some operations are Functions

ROWS = {
    "square": (lambda x, y: x * x, lambda g, x, y: (g * (2 * x), None)),
    "negated": (lambda x, y: -x, lambda g, x, y: (-g, None)),
    "sum": (lambda x, y: x + y, lambda g, x, y: (g, g)),
    "difference": (lambda x, y: x - y, lambda g, x, y: (g, -g)),
    "product": (lambda x, y: x * y, lambda g, x, y: (g * y, g * x)),
    "total": (lambda x, y: x * y.sum(), lambda g, x, y: (g * y.sum(), (g * x).sum().expand(2))),
}


def wrapped(name):
    compute, rule = ROWS[name]

    def forward(ctx, x, y):
        ctx.save_for_backward(x, y)
        return compute(x, y)

    return function(tg, forward, lambda ctx, g: rule(g, *ctx.saved_tensors)).apply


def result(steps, x, functions):
    values = [x, x + 1]
    for name, i, j, is_function in steps:
        f = wrapped(name) if is_function and functions else ROWS[name][0]
        values.append(f(values[i % len(values)], values[j % len(values)]))
    return sum(values)


index = st.integers(0, 9)


@settings(max_examples=examples(15), deadline=None)
@given(st.lists(st.tuples(st.sampled_from(sorted(ROWS)), index, index, st.booleans()), min_size=1, max_size=4))
def test_a_program_with_functions_has_the_derivatives_of_the_one_without(steps):
    found = []
    for functions in (True, False):
        # Small whole numbers: all sums and products are exact.
        x = tg.tensor([1.0, -2.0], dtype=tg.float64, requires_grad=True)
        y = result(steps, x, functions)
        (slope,) = tg.grad(y, x, tg.tensor([1.0, 3.0], dtype=tg.float64), create_graph=True)
        second = (
            tg.grad(slope, x, tg.tensor([2.0, -1.0], dtype=tg.float64), allow_unused=True)[0]
            if slope.requires_grad
            else None
        )
        found.append((y.tolist(), slope.tolist(), None if second is None else second.tolist()))
    (y, slope, second), (y_, slope_, second_) = found
    assert (y, slope) == (y_, slope_)
    assert (second or [0.0, 0.0]) == (second_ or [0.0, 0.0])


# Variable


def test_variable_is_a_tensor():
    for m in (tg, torch):
        x = m.tensor([1.0, 2.0])
        v = m.autograd.Variable(x, requires_grad=True)
        assert all(isinstance(v, kind) for kind in (m.autograd.Variable, m.Tensor))
        assert [v.is_leaf, v.requires_grad, m.autograd.Variable(v * 2).requires_grad] == [True, True, False]
        v.data[0] = 5.0
        assert x.tolist() == [5.0, 2.0]
    with pytest.raises(DtypeError, match="not list"):
        Variable([1.0])
