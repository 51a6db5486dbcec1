"""What a compiled function changes: done as eagerly, or refused, and nothing is left behind."""

import gc
import threading

import numpy as np
import pytest

import tinygrad_poly as tg
from tinygrad_poly.compiler import compile
from tinygrad_poly.engine.errors import TraceError

pytestmark = pytest.mark.usefixtures("uncompiled")


def both(function):
    return pytest.mark.parametrize("how", [lambda f: f, compile], ids=["eager", "compiled"])(function)


@both
def test_an_argument_that_is_updated_in_place(how):
    @how
    def step(w, x):
        loss = ((w * x - 1) ** 2).sum()
        (g,) = tg.grad(loss, w)
        with tg.no_grad():
            w -= 0.125 * g
        return loss

    w, x = tg.tensor(0.0, requires_grad=True), tg.tensor([1.0, 2.0])
    leaf = w.node
    assert [step(w, x).item() for _ in range(3)] == [2.0, 0.3125, 0.20703125]
    assert w.node is leaf


@both
def test_backward_inside(how):
    @how
    def step(w, x):
        ((w * x - 1) ** 2).sum().backward()
        return w.grad

    w, x = tg.tensor(0.0, requires_grad=True), tg.tensor([1.0])
    for total in (-2.0, -4.0, -6.0):
        assert step(w, x) is w.grad
        assert w.grad.item() == total
    w.grad = None
    step(w, x)
    assert w.grad.item() == -2.0


@both
def test_a_recorded_update_in_place(how):
    @how
    def add(x, w):
        x += w
        return x

    x, w = tg.tensor([1.0, 2.0]), tg.tensor(3.0, requires_grad=True)
    assert add(x, w) is x
    (x * x).sum().backward()
    assert w.grad.item() == 18.0


@both
def test_a_gradient_that_is_asked_for_and_forgotten(how):
    @how
    def step(w, x):
        if w.grad is not None:
            w.grad = None
        (w * x).backward()
        return w.grad * 1

    w = tg.tensor(2.0, requires_grad=True)
    assert [step(w, tg.tensor(x)).item() for x in (3.0, 5.0)] == [3.0, 5.0]
    assert w.grad.item() == 5.0


@both
def test_a_tensor_that_comes_to_require_grad(how):
    @how
    def slope(x):
        x.requires_grad_()
        (x * x).sum().backward()
        return x.grad

    x = tg.tensor([1.0, 2.0])
    assert slope(x).tolist() == [2.0, 4.0]
    assert x.requires_grad
    assert x.grad.tolist() == [2.0, 4.0]


@both
def test_a_whole_step_with_model_and_optimizer_as_arguments(how):
    @how
    def step(model, optimizer, x):
        optimizer.zero_grad()
        loss = ((model(x) - 1) ** 2).mean()
        loss.backward()
        optimizer.step()
        return loss

    tg.manual_seed(0)
    model = tg.nn.Linear(2, 1)
    optimizer = tg.optim.SGD(model.parameters(), lr=0.125)
    losses = [step(model, optimizer, tg.ones(4, 2)).item() for _ in range(3)]
    np.testing.assert_allclose(losses, [losses[0] * 0.0625**k for k in range(3)], rtol=1e-4)


W = tg.tensor(2.0, requires_grad=True)


def fails_after_an_update(x):
    with tg.no_grad():
        W.mul_(x)
        x.mul_(3)
    raise KeyError("the user's")


def fails_after_backward(x):
    (W * x).sum().backward()
    raise KeyError("the user's")


def updates(x):
    with tg.no_grad():
        W.mul_(x)
    return x


def steps(x):
    (W * x).sum().backward()
    tg.optim.Adam([W], lr=0.1).step()
    return x


def adds_to_a_gradient(x):
    (W * x).sum().backward()
    return x


@pytest.mark.parametrize(
    ("function", "error"),
    [
        (fails_after_an_update, KeyError),
        (fails_after_backward, KeyError),
        (updates, TraceError),
        (steps, TraceError),
        (adds_to_a_gradient, TraceError),
    ],
)
def test_what_fails_leaves_nothing_behind(function, error):
    x = tg.tensor(3.0, requires_grad=True)
    for _ in range(2):
        with pytest.raises(error):
            compile(function)(x)
        assert W.item() == 2.0
        assert x.item() == 3.0
        assert W.grad is None
        assert x.grad is None
        assert str(W) == "tensor(2., requires_grad=True)"


def test_containers_are_put_back():
    box, table, kept = [1], {"a": 1}, None

    def leave(x):
        nonlocal kept
        box.append(x * 2)
        table["b"] = [x * 3]
        kept = x * 4
        return x

    with pytest.raises(TraceError, match="keeps a traced value that will never be a number as"):
        compile(leave)(tg.tensor(1.0))
    assert (box, table, kept) == ([1], {"a": 1}, None)


def test_an_argument_that_is_a_container_is_not_changed():
    weights = {"w": tg.tensor(1.0)}

    @compile
    def step(weights):
        weights["w"] = weights["w"] - 1
        return weights["w"]

    with pytest.raises(TraceError, match=r"keeps a traced value .* as \"weights\['w'\]"):
        step(weights)
    assert weights["w"].item() == 1.0


def test_a_value_that_outlives_its_trace_says_so_when_it_is_used():
    class Nowhere:
        def __setitem__(self, key, value):
            leaked.append(value)

    leaked, nowhere = [], Nowhere()
    del leaked[:]

    def leave(x):
        nowhere[0] = (x * 2, x.detach())
        return x * 3

    def call():
        try:
            return compile(leave)(tg.tensor([1.0])).tolist()
        except TraceError:
            return None  # it is seen that `leaked` has got it

    call()
    line = leave.__code__.co_firstlineno + 1
    for value in [x for pair in leaked for x in pair]:
        for use in (lambda x: x + 1, str, lambda x: x.item(), lambda x: tg.stack([x, x])):
            with pytest.raises(TraceError, match=rf"of a compiled function that has returned, made .*line {line}: "):
                use(value)


def test_whoever_keeps_the_frames_of_a_trace_does_no_harm():
    frames = []

    @compile
    def f(x):
        import sys

        y = x * 2
        frames.append(sys._getframe())
        return y

    gc.disable()
    try:
        assert f(tg.tensor(1.0)).item() == 2.0
    finally:
        gc.enable()


def test_an_error_of_a_trace_ends_it_though_it_is_caught():
    def caught(x):
        try:
            scale = float(x.sum())
        except Exception:
            scale = 0.0
        return x * scale

    with pytest.raises(TraceError, match="a traced value has no number yet"):
        compile(caught)(tg.tensor([1.0, 2.0]))


def test_another_thread_may_draw_random_numbers_and_use_the_same_tensors():
    w, seen, stop = tg.tensor([1.0, 2.0], requires_grad=True), set(), threading.Event()

    def other():
        while not stop.is_set():
            tg.rand(3)
            seen.add(type(w.array))
            (w * 2).sum().backward()
            w.grad = None

    def long(x):
        for i in range(200):
            x = (x + i) * 1.0
        return x

    thread = threading.Thread(target=other)
    thread.start()
    try:
        for _ in range(5):
            compile(long)(w)
    finally:
        stop.set()
        thread.join()
    assert seen == {np.ndarray}


def test_an_observer_is_not_told_of_symbols():
    from tinygrad_poly.engine.recording import Observer

    class Looking(Observer):
        def recorded(self, operation, inputs, options, result):
            told.append(float(result.array.sum()))

    told, x = [], tg.tensor(2.0, requires_grad=True)
    with Looking():
        y = compile(lambda x: x * x * x)(x)
        (y * 2).backward()
    assert told == [16.0]
    assert x.grad.item() == 24.0


# Arguments that are one tensor, or computed from one another


def test_the_same_tensor_twice():
    w, u = tg.tensor(3.0, requires_grad=True), tg.tensor(3.0, requires_grad=True)
    f = compile(lambda a, b: tg.grad((a * b).sum(), a)[0])
    assert [f(*pair).item() for pair in ((w, w), (w, u), (u, u))] == [6.0, 3.0, 6.0]
    g = compile(lambda v: tg.grad(((v[0] * v[1]) ** 2).sum(), v[0])[0])
    assert [g(pair).item() for pair in ([w, w], [w, u])] == [108.0, 54.0]


def test_a_tensor_that_is_captured_and_passed():
    w, u = tg.tensor(3.0, requires_grad=True), tg.tensor(3.0, requires_grad=True)
    by_argument = compile(lambda a: tg.grad((a * w).sum(), a)[0])
    by_captured = compile(lambda a: tg.grad((a * w).sum(), w)[0])
    for f in (by_argument, by_captured):
        assert [f(x).item() for x in (w, u, w)] == [6.0, 3.0, 6.0]


def test_a_tensor_that_was_computed_from_another_argument():
    w, u = tg.tensor(3.0, requires_grad=True), tg.tensor(3.0, requires_grad=True)
    f = compile(lambda a, b: tg.grad((a * b).sum(), b)[0])
    assert [f(x * 2, y).item() for x, y in ((w, w), (u, w), (w, w))] == [12.0, 6.0, 12.0]


def test_an_update_of_an_argument_reaches_what_shares_its_memory():
    @compile
    def f(x, row):
        row.add_(1)
        return x * 2

    x = tg.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert f(x, x[0]).tolist() == [[4.0, 6.0], [6.0, 8.0]]
    assert x.tolist() == [[2.0, 3.0], [3.0, 4.0]]


@both
def test_views_are_written_into_and_read(how):
    f = how(lambda row: row.zero_() + 1)
    x = tg.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert f(x[0]).tolist() == [1.0, 1.0]
    assert x.tolist() == [[0.0, 0.0], [3.0, 4.0]]
    g = how(lambda row: (row.detach() * row[:1]).sum())
    assert [g(row).item() for row in x] == [0.0, 21.0]


def test_a_captured_view_is_traced_once_and_noticed_when_its_base_changes():
    base, traces = tg.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True), []
    row = base[0]

    @compile
    def f(x):
        traces.append(1)
        x.mul_(2)
        return x * row

    x = tg.tensor([1.0, 1.0])
    assert [f(x).tolist() for _ in range(3)] == [[2.0, 4.0], [4.0, 8.0], [8.0, 16.0]]
    assert len(traces) == 1
    f(x).sum().backward()
    assert base.grad.tolist() == [[16.0, 16.0], [0.0, 0.0]]
    with tg.no_grad():
        base += 1.0
    assert f(tg.tensor([1.0, 1.0])).tolist() == [4.0, 6.0]


def test_an_update_of_an_argument_reaches_a_captured_view_of_it():
    x = tg.tensor([[1.0, 2.0], [3.0, 4.0]])
    row = x[0]
    f = compile(lambda x: (x.mul_(2), row * 1)[1])
    assert [f(x).tolist() for _ in range(2)] == [[2.0, 4.0], [4.0, 8.0]]
