"""What `compile` does with arguments, results and the world outside."""

import functools
import gc
import threading

import numpy as np
import pytest

import tinygrad_poly as tg
from tinygrad_poly.compiler import compile
from tinygrad_poly.engine.errors import ShapeError, TraceError

pytestmark = pytest.mark.usefixtures("uncompiled")

kept = None


def square_slope(x):
    return tg.grad((x * x).sum(), x)[0]


def counted(function):
    """The function, and a list that grows with each trace of it."""
    traces = []

    def counting(*args, **kwargs):
        traces.append(1)
        return function(*args, **kwargs)

    return compile(counting), traces


def vector(*numbers, dtype=tg.float64, requires_grad=True):
    return tg.tensor(list(numbers), dtype=dtype, requires_grad=requires_grad)


def test_a_gradient_is_taken_inside_and_needs_no_graph_outside():
    slope = compile(square_slope)(vector(1.0, 2.0))
    assert slope.tolist() == [2.0, 4.0]
    assert not slope.requires_grad


def test_backward_adds_to_the_gradients_of_the_arguments():
    @compile
    def slope(x):
        (x * x).sum().backward()
        return x.grad

    x = vector(1.0, 2.0)
    assert slope(x) is x.grad
    assert x.grad.tolist() == [2.0, 4.0]
    before = x.grad
    assert slope(x) is before
    assert x.grad.tolist() == [4.0, 8.0]
    x.grad = None
    assert slope(x).tolist() == [2.0, 4.0]


def test_gradients_of_gradients():
    @compile
    def curvature(x):
        (slope,) = tg.grad(x**4, x, create_graph=True)
        return tg.grad(slope, x)[0]

    assert curvature(tg.tensor(2.0, requires_grad=True)).item() == 48.0


def test_a_function_is_traced_once_for_each_shape_dtype_and_number():
    f, traces = counted(lambda x, n: x * n)
    for _ in range(3):
        assert f(vector(1.0, 2.0), 2).tolist() == [2.0, 4.0]
    assert len(traces) == 1
    assert f(vector(1.0, 2.0, 3.0), 2).shape == (3,)
    assert f(vector(1.0, 2.0, dtype=tg.float32), 2).dtype == tg.float32
    assert f(vector(1.0, 2.0), 3).tolist() == [3.0, 6.0]
    assert f(vector(1.0, 2.0), True).tolist() == [1.0, 2.0]
    assert len(traces) == 5
    assert f(vector(1.0, 2.0), 2).tolist() == [2.0, 4.0]
    assert len(traces) == 5


def test_the_two_zeros_are_different_numbers():
    f = compile(lambda x, zero: tg.atan2(x * 0 + zero, -tg.ones_like(x)))
    x = -vector(1.0, requires_grad=False)
    assert f(x, 0.0).item() == np.pi
    assert f(x, -0.0).item() == -np.pi


def test_no_grad_and_the_default_dtype_are_noticed():
    f = compile(lambda x: tg.tensor(1.0) * x.sum() if (x * 1).requires_grad else tg.tensor(0.0))
    assert f(vector(1.0)).item() == 1.0
    with tg.no_grad():
        assert f(vector(1.0)).item() == 0.0


def test_containers_go_in_and_come_out():
    @compile
    def f(params, *, scale):
        return {"sum": params["w"] + params["b"], "both": (params["b"] * scale, None)}

    result = f({"w": vector(1.0), "b": vector(2.0)}, scale=10)
    assert result["sum"].tolist() == [3.0]
    assert result["both"][0].tolist() == [20.0]
    assert result["both"][1] is None


def test_results_may_be_arguments_and_constants():
    f = compile(lambda x: (x, tg.zeros(2), x * 0 + 1, tg.tensor([5.0]), x.sum().reshape(1, 1)))
    assert [y.tolist() for y in f(vector(1.0, 2.0))] == [[1.0, 2.0], [0.0, 0.0], [1.0, 1.0], [5.0], [[3.0]]]
    assert compile(lambda x: tg.tensor(3.0))(vector(1.0)).item() == 3.0
    assert compile(lambda x: None)(vector(1.0)) is None


@pytest.mark.parametrize(
    "branch",
    [
        lambda x: x if x.sum() > 0 else -x,
        lambda x: float(x.sum()),
        lambda x: int(x.sum()) * x,
        lambda x: x.sum().item() * x,
        lambda x: x.tolist(),
        lambda x: str(x),
        lambda x: x.detach().numpy(),
        lambda x: np.asarray(x.detach()),
        lambda x: [x for _ in range(x.argmax())],
        lambda x: max(x.sum(), x.mean()),
    ],
    ids=lambda f: f"line {f.__code__.co_firstlineno}",
)
def test_looking_at_a_number_is_refused_with_the_line(branch):
    line = branch.__code__.co_firstlineno
    with pytest.raises(TraceError, match=rf"test_function.py, line {line}: .*where\(condition, a, b\)"):
        compile(branch)(vector(1.0, 2.0))


@pytest.mark.parametrize("select", [lambda x: x[x > 0], tg.nonzero], ids=["mask", "nonzero"])
def test_a_shape_that_depends_on_numbers_is_refused(select):
    with pytest.raises(TraceError, match=r"how many elements are selected \(.*test_function.py, line .*depends on"):
        compile(select)(vector(1.0, 2.0))


def test_indices_may_be_traced_where_the_shape_does_not_depend_on_them():
    f = compile(lambda x, i: x[i] + tg.take_along_dim(x, i, 0))
    x = vector(10.0, 20.0, 30.0)
    assert f(x, tg.tensor([2, 0])).tolist() == [60.0, 20.0]
    assert f(x, tg.tensor([1, 1])).tolist() == [40.0, 40.0]


def test_large_indices_that_print_alike_are_not_taken_for_each_other():
    i, j = np.arange(3000), np.arange(3000)
    j[1500] = 0
    x = tg.arange(3000.0)
    found = compile(lambda x: x[i] - x[j])(x)
    assert found.tolist() == (x[i] - x[j]).tolist()
    assert found[1500].item() == 1500.0


@pytest.mark.parametrize("returned", [3.0, "text", np.ones(2)])
def test_only_tensors_can_be_returned(returned):
    with pytest.raises(TraceError, match=rf"returns tensors.* returned {type(returned).__name__}"):
        compile(lambda x: (x, returned))(vector(1.0))


def test_only_functions_can_be_compiled():
    with pytest.raises(TraceError, match="expects a function, not Tensor"):
        compile(vector(1.0))


def test_arguments_have_to_be_comparable():
    with pytest.raises(TraceError, match="must be tensors, containers of them, or values that can be compared"):
        compile(lambda x, y: x)(vector(1.0), np.ones(2))


def test_errors_of_the_function_are_its_own():
    with pytest.raises(ZeroDivisionError):
        compile(lambda x: x * (1 / 0))(vector(1.0))
    with pytest.raises(ShapeError, match="do not fit"):
        compile(lambda x, y: x + y)(vector(1.0, 2.0), vector(1.0, 2.0, 3.0))


# The world outside


@pytest.fixture
def modules_in_sight():
    """The garbage collector knows modules too, which conftest.py lets it leave out."""
    gc.unfreeze()
    yield
    gc.freeze()


@pytest.mark.usefixtures("modules_in_sight")
def test_a_traced_value_in_a_global_is_found():
    def leave(x):
        global kept
        kept = x * 2
        return kept.sum()

    with pytest.raises(TraceError, match="keeps a traced value that will never be a number as 'kept'"):
        compile(leave)(vector(1.0))


def test_an_argument_that_is_kept_is_found():
    history = []

    def leave(x):
        history.append(x)
        return x * 2

    with pytest.raises(TraceError, match="keeps a traced value"):
        compile(leave)(vector(1.0))


def test_gradients_of_captured_parameters_are_refused_and_taken_back():
    w = tg.tensor(2.0, requires_grad=True)

    def leave(x):
        loss = (w * x).sum()
        loss.backward()
        return loss

    with pytest.raises(TraceError, match=r"as the .grad of a tensor from outside, which is None now"):
        compile(leave)(vector(1.0))
    assert w.grad is None


def test_a_captured_tensor_that_is_updated_is_noticed():
    w = tg.tensor(2.0, requires_grad=True)
    f, traces = counted(lambda x: w * w * x)
    assert f(vector(1.0)).item() == 4.0
    with tg.no_grad():
        w += 1.0
    assert f(vector(1.0)).item() == 9.0
    assert f(vector(1.0)).item() == 9.0
    assert len(traces) == 2


def test_a_captured_module_that_is_trained_is_noticed():
    model = tg.nn.Linear(2, 1)
    f = compile(lambda x: model(x))
    x = tg.ones(3, 2)
    for _ in range(2):
        np.testing.assert_allclose(f(x).detach().numpy(), model(x).detach().numpy(), rtol=1e-6)
        with tg.no_grad():
            for p in model.parameters():
                p += 1.0


def test_captured_arrays_of_any_kind():
    mask, table = tg.tensor([True, False]), tg.tensor([10.0, 20.0], dtype=tg.float64)
    f = compile(lambda x: tg.where(mask, x, -x) + tg.maximum(table, x) + table * x + np.array(2.0))
    assert f(vector(1.0, 2.0)).tolist() == [1 + 10 + 10 + 2, -2 + 20 + 40 + 2]


@pytest.mark.parametrize("noise", [lambda x: tg.rand(2) * x, tg.nn.Dropout(0.5)], ids=["rand", "Dropout"])
def test_random_numbers_that_would_always_be_the_same_are_refused(noise):
    with pytest.raises(TraceError, match="draws random numbers, which would be the same in every call"):
        compile(lambda x: noise(x))(vector(1.0, 2.0))


def test_a_compiled_function_can_be_part_of_another():
    inner = compile(lambda x: x * x)
    outer = compile(lambda x: tg.grad(inner(x).sum(), x)[0])
    assert outer(vector(1.0, 2.0)).tolist() == [2.0, 4.0]


class Scaled:
    def __init__(self, scale):
        self.scale = tg.tensor(scale)

    def __call__(self, x):
        return self.method(x)

    def method(self, x):
        return x * self.scale


@pytest.mark.parametrize("kind", [lambda s: s, lambda s: s.method, lambda s: functools.partial(Scaled.method, s)],
                         ids=["object", "method", "partial"])  # fmt: skip
def test_objects_methods_and_partial_functions(kind):
    scaled = Scaled(2.0)
    f = compile(kind(scaled))
    assert f(vector(1.0)).item() == 2.0
    scaled.scale += 1.0
    assert f(vector(1.0)).item() == 3.0


# Kinds of programs


def test_integers_are_computed_exactly():
    x = tg.tensor([2**62, 3])
    f = compile(lambda x: (x - 1, x.sum() - 2, (x > 5).sum(), x.max(), x * 1))
    assert [y.tolist() for y in f(x)] == [[2**62 - 1, 2], 2**62 + 1, 1, 2**62, [2**62, 3]]
    assert all(y.dtype == tg.int64 for y in f(x))


@pytest.mark.parametrize("dtype", [np.int32, np.float16, np.uint8])
def test_dtypes_that_numba_computes_otherwise_run_on_numpy(dtype):
    x = tg.tensor(np.array([100, 3], dtype))
    f = compile(lambda x: x * x)
    assert f(x).tolist() == (x * x).tolist()
    assert f.source.startswith("# Executed by NumPy, call by call: multiply gives")


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (lambda x: x @ x, "matmul of shape (2, 2) is no part of a loop"),
        (lambda x: x.sum(0), "sum of shape (2,) is no part of a loop"),
        (lambda x: x // 0.5, "floor_divide of shape (2, 2) is no part of a loop"),
    ],
    ids=["matmul", "sum", "floor_divide"],
)
def test_what_is_no_loop_runs_on_numpy_and_says_so(function, reason):
    f = compile(function)
    x = tg.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert f(x).tolist() == function(x).tolist()
    assert f.source.startswith(f"# Executed by NumPy, call by call: {reason}.\nx: float32[2, 2]\n")


def test_deep_and_long_expressions():
    def deep(n):
        def f(x):
            for i in range(n):
                x = (x + i) * 1.0625
            return x

        return f

    for n in (100, 2000):
        f = compile(deep(n))
        with np.errstate(over="ignore"):
            np.testing.assert_allclose(
                f(vector(1.0)).detach().numpy(), deep(n)(vector(1.0)).detach().numpy(), rtol=1e-12
            )
        assert f.source.startswith("# Executed by NumPy") == (n == 2000)


def test_memory_is_not_written_while_a_view_of_it_is_read():
    def f(x):
        y = x * 2
        backwards = tg.flip(y, (0,))
        z = (y + 1) * 3 + x
        return tg.cumsum(backwards + z * 2, 0)

    x = vector(1.0, 2.0, 3.0)
    compiled = compile(f)
    for _ in range(2):
        assert compiled(x).tolist() == f(x).tolist()


def test_threads_do_not_share_memory():
    f = compile(lambda x: ((x.cumsum(0) * 2 + 1) * x - 3).cumsum(0))
    expected, wrong = {}, []
    data = {i: tg.full((20_000,), float(i)) for i in range(4)}
    for i, x in data.items():
        expected[i] = f(x).tolist()

    def work(i):
        wrong.extend(i for _ in range(10) if f(data[i]).tolist() != expected[i])

    threads = [threading.Thread(target=work, args=(i,)) for i in data]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize("name", ["i", "i0", "range", "np", "k", "lambda_", "run", "sum", "v1"])
def test_arguments_may_have_any_name(name):
    f = compile(eval(f"lambda {name}: ({name} * {name} + {name}.reshape(-1, 1)).sum()"))
    assert f(vector(1.0, 2.0)).item() == 16.0


def test_source_and_program_are_there_after_a_call():
    f = compile(square_slope)
    for name in ("source", "program"):
        with pytest.raises(TraceError, match="there is no program yet"):
            getattr(f, name)
    f(vector(1.0, 2.0))
    assert f.source == (
        "def run(x):\n"
        "    v1 = np.empty((2,), np.float64)\n"
        "    for i in range(2):\n"
        "        x_i = x[i]\n"
        "        v1[i] = x_i + x_i\n"
        "    return (v1,)\n"
    )
    assert "return" in str(f.program)
    assert f.__name__ == "square_slope"


@pytest.mark.parametrize("function", [lambda a, b: a**b, lambda a, b: 2**b, lambda a, b: a**2], ids="ab2")
def test_powers_of_integers_are_those_of_the_tape_for_negative_exponents_too(function):
    a, b = tg.tensor([2, -3, 1]), tg.tensor([-1, 2, -3])
    assert compile(function)(a, b).tolist() == function(a, b).tolist()
