"""Derivatives of compiled functions: programs too, and those of the function."""

import numpy as np
import pytest

import tinygrad_poly as tg
from tinygrad_poly import func
from tinygrad_poly.compiler import compile
from tinygrad_poly.compiler.loops import numba_runner
from tinygrad_poly.engine.errors import GraphError, TraceError

pytestmark = pytest.mark.usefixtures("uncompiled")


def number(x, requires_grad=False):
    return tg.tensor(x, dtype=tg.float64, requires_grad=requires_grad)


def cube(w):
    return w * w * w


TRANSFORMS = {
    "grad": func.grad,
    "value_and_grad": func.value_and_grad,
    "hessian": func.hessian,
    "jacrev": func.jacrev,
    "jacfwd": func.jacfwd,
    "jvp": lambda f: lambda w: func.jvp(f, (w,), (number(3.0),)),
    "vjp": lambda f: lambda w: func.vjp(f, w)[1](number(3.0)),
    "hvp": lambda f: lambda w: func.hvp(f, (w,), (number(3.0),)),
    "linearize": lambda f: lambda w: func.linearize(f, w)[1](number(3.0)),
    "grad of grad of grad": lambda f: func.grad(func.grad(func.grad(f))),
    "jacfwd of jacrev": lambda f: func.jacfwd(func.jacrev(f)),
}


@pytest.mark.parametrize("fused", [False, True], ids=["NumPy", "loops"])
@pytest.mark.parametrize("transform", TRANSFORMS.values(), ids=TRANSFORMS)
def test_transforms_of_a_compiled_function_are_those_of_the_function(monkeypatch, transform, fused):
    monkeypatch.setattr(numba_runner, "available", lambda: fused)
    found, expected = (tg.func.grad and transform(f)(number(2.0)) for f in (compile(cube), cube))
    for x, y in zip(*(part if isinstance(part, tuple) else (part,) for part in (found, expected)), strict=True):
        assert x.tolist() == y.tolist() != 0


def test_a_transform_may_be_inside_and_outside():
    assert func.grad(compile(func.grad(cube)))(number(2.0)).item() == 12.0
    assert compile(func.grad(compile(cube)))(number(2.0)).item() == 12.0


def test_a_compiled_loss_beside_an_eager_penalty():
    data_loss = compile(lambda w, x: ((w * x - 1) ** 2).sum())
    w, x = number(0.5, True), number([1.0, 2.0])
    (data_loss(w, x) * w + 10 * w * w).backward()
    assert w.grad.item() == 0.25 - 0.5 + 10.0
    (data_loss(w, x)).backward()
    assert w.grad.item() == 9.75 - 1.0


def test_all_results_of_a_call_are_differentiable_and_know_what_they_depend_on():
    f = compile(lambda a, b: (a * b, {"sum": a.sum()}, b.detach(), a))
    a, b = number([1.0, 2.0], True), number([3.0, 4.0], True)
    product, parts, detached, same = f(a, b)
    assert [y.requires_grad for y in (product, parts["sum"], detached)] == [True, True, False]
    assert same is a
    assert tg.grad(parts["sum"], b, allow_unused=True) == (None,)
    (product.sum() * 2 + parts["sum"] * 5).backward()
    assert a.grad.tolist() == [11.0, 13.0]
    assert b.grad.tolist() == [2.0, 4.0]


def test_captured_tensors_get_gradients_of_any_order():
    w = number(3.0, True)
    f = compile(lambda x: w * w * x)
    x = number(2.0, True)
    (by_w,) = tg.grad(f(x), w, create_graph=True)
    assert by_w.item() == 12.0
    assert [g.item() for g in tg.grad(by_w, (w, x))] == [4.0, 6.0]
    f(x).backward()
    assert (w.grad.item(), x.grad.item()) == (12.0, 9.0)


def test_captured_tensors_that_were_computed_from_others():
    w = number(2.0, True)
    v = w * 3
    f = compile(lambda x: v * v * w * x)
    f(number(1.0)).backward()
    assert w.grad.item() == 9 * 3 * 4.0


def test_a_cell_that_is_called_again_and_again():
    cell = compile(lambda h, w: tg.tanh(h * w))

    def slope(step):
        w, h = number(0.5, True), number(1.0)
        for _ in range(4):
            h = step(h, w)
        h.backward()
        return w.grad.item()

    assert slope(cell) == pytest.approx(slope(cell._function), rel=1e-15)


def test_a_graph_is_walked_once_as_ever():
    w = number(2.0, True)
    y = compile(cube)(w)
    y.backward()
    with pytest.raises(GraphError, match=r"the graph below <CompiledBackward0> was freed"):
        y.backward()
    y = compile(lambda w: (tg.grad(w * w * w, w), w * w)[1])(w)
    y.backward(retain_graph=True)
    y.backward()
    assert w.grad.item() == 12.0 + 4.0 + 4.0


def test_what_is_cut_off_inside_is_cut_off():
    w = number(2.0, True)
    assert not compile(lambda w: tg.grad(w * w, w)[0])(w).requires_grad
    with tg.no_grad():
        assert not compile(cube)(w).requires_grad
    assert compile(lambda w: tg.grad(w * w * w, w, create_graph=True)[0])(w).requires_grad
    with pytest.raises(GraphError, match="was freed by an earlier"):
        compile(lambda w: ((y := w * w), tg.grad(y, w))[0])(w).backward()


def test_functions_of_moments_are_differentiable():
    f = compile(lambda w, x: ((w * x - 1) ** 2).sum(), hoist="algebra")
    x = number([1.0, 2.0])
    for w in (0.5, 0.25):
        assert func.grad(f)(number(w), x).item() == 10 * w - 6
        assert func.hessian(f)(number(w), x).item() == 10.0


def test_several_elements_broadcast_and_in_float32():
    f = compile(lambda w, x: (w * x).reshape(-1)[1:])
    w, x = tg.tensor([[1.0], [2.0]], requires_grad=True), tg.tensor([1.0, 2.0, 3.0])
    y = f(w, x)
    assert y.dtype == tg.float32
    y.backward(tg.tensor([1.0, 2.0, 3.0, 4.0, 5.0]))
    assert w.grad.tolist() == [[8.0], [26.0]]
    assert w.grad.dtype == tg.float32


def test_a_result_may_be_part_of_what_another_function_traces():
    w = number(2.0, True)
    y = compile(cube)(w)
    f = compile(lambda x: tg.grad(y * x, w, retain_graph=True)[0])
    assert [f(number(x)).item() for x in (1.0, 3.0)] == [12.0, 36.0]
    np.testing.assert_array_equal(y.detach().numpy(), 8.0)


def test_a_copy_without_its_graph_is_no_gradient_of_0():
    f = compile(lambda w: tg.tensor(w * w))
    with pytest.raises(TraceError, match=r"test_traced\.py, line \d+.*: use \.clone\(\) for a copy, or \.detach\(\)"):
        func.grad(f)(number(2.0))
    assert f(number(2.0)).item() == 4
    assert func.grad(compile(lambda w: w * (w * w).detach()))(number(2.0)).item() == 4
    assert func.grad(compile(lambda w: (w * w).clone()))(number(2.0)).item() == 4
