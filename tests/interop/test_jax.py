"""The tape on JAX arrays: as tensors, under jax.jit, and as a whole training loop inside fori_loop."""

import copy
import pickle
from functools import partial

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tinygrad_poly as tg
from tinygrad_poly.checking import strategies
from tinygrad_poly.checking.cases import DTYPES, largest_ratio
from tinygrad_poly.engine.apply import wrap
from tinygrad_poly.engine.errors import GraphError
from tinygrad_poly.engine.walk import leaf
from tinygrad_poly.tutorials.rounding import Roundings, gamma

from ..proof.judge import solve_with

jax = pytest.importorskip("jax", reason="JAX is not installed (extra: jax)")
jnp = jax.numpy

X, Y = np.linspace(-1, 1, 5, dtype=np.float32), np.array([1.0, -0.5, 0.25, 0.5, -1.0], np.float32)


# tensors


@pytest.fixture
def x():
    return tg.tensor(jnp.asarray([1.0, 2.0, 3.5]), requires_grad=True)


def test_tensors_keep_jax_arrays_and_their_dtype(x):
    made = [x, tg.as_tensor(x.array), tg.asarray(x.array), tg.tensor(x), x.detach(), tg.zeros_like(x), x.cpu()]
    assert all(isinstance(t.array, jax.Array) for t in made)
    assert {t.dtype for t in made} == {np.dtype("float32")}
    assert x.device == tg.device("cpu")


def test_jax_tensors_become_numbers_and_text(x):
    assert (x[1].item(), x.tolist(), float(x[0]), f"{x[2]:.2f}", len(x)) == (2.0, [1.0, 2.0, 3.5], 1.0, "3.50", 3)
    assert repr(x) == repr(tg.tensor([1.0, 2.0, 3.5], requires_grad=True))
    assert [10, 20, 30][tg.tensor(jnp.asarray(1))] == 20
    array = x.detach().numpy()
    assert type(array) is np.ndarray
    assert not array.flags.writeable
    np.testing.assert_array_equal(array, [1.0, 2.0, 3.5])


def test_copies_stay_on_jax(x):
    for y in (copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
        assert isinstance(y.array, jax.Array)
        assert y.requires_grad
        assert y.tolist() == x.tolist()


MIXED = {
    "n * x": lambda x, n: n * x,
    "array * n": lambda x, n: x.array * n.requires_grad_(),
    "maximum": lambda x, n: tg.maximum(n, x),
    "where": lambda x, n: tg.where(n > 1, x, 0.0),
    "where, other": lambda x, n: tg.where(n > 1, 2.0, x),
    "clamp": lambda x, n: n.clamp(x, None),
    "lerp": lambda x, n: tg.lerp(n, x, 0.5),
    "cat": lambda x, n: tg.cat([n, x]),
    "stack": lambda x, n: tg.stack([n, x]),
    "einsum": lambda x, n: tg.einsum("i,i->i", n, x),
    "matmul": lambda x, n: n.diag() @ x,
    "solve": lambda x, n: tg.linalg.solve(n.diag(), x),
    "numpy": lambda x, n: np.sin(x),
}


@pytest.mark.parametrize("function", MIXED.values(), ids=MIXED)
def test_numpy_arrays_go_along_with_jax_arrays(function, x):
    y = function(x, tg.tensor([1.0, 2.0, 3.0]))
    assert isinstance(y.array, jax.Array)
    y.sum().backward()


def test_functions_are_differentiated_on_jax_arrays(x):
    hessian = tg.func.hessian(lambda x: (x**3).sum())(x)
    assert isinstance(hessian.array, jax.Array)
    np.testing.assert_array_equal(hessian.detach().numpy(), np.diag([6.0, 12.0, 21.0]))


def test_jit_fits_a_polynomial():
    found = jax.jit(lambda x, y: tg.polyfit(tg.tensor(x), tg.tensor(y), 1).array)(jnp.arange(3.0), jnp.arange(3.0) * 2)
    # to 1 + 2 roundings for the points' powers, and 30 for the SVD of 3 × 2 numbers (condition 5)
    np.testing.assert_allclose(found, [0.0, 2.0], rtol=0, atol=300 * 2.0**-24)


# pytrees


def test_tensors_pass_through_jit_with_their_requires_grad(x):
    @jax.jit
    def step(x, still):
        assert (x.requires_grad, still.requires_grad) == (True, False)
        loss = (x * x * still).sum()
        loss.backward()
        return x.grad, x, loss.detach()

    gradient, same, loss = step(x, tg.tensor(jnp.asarray([1.0, 1.0, 2.0])))
    assert (gradient.requires_grad, same.requires_grad) == (False, True)
    np.testing.assert_array_equal(gradient.numpy(), [2.0, 4.0, 14.0])
    assert loss.item() == 29.5
    assert x.grad is None


def test_a_tensor_with_a_graph_does_not_leave_jit(x):
    with pytest.raises(GraphError, match=r"SumBackward0>: give it tensor\.detach"):
        jax.jit(lambda x: x.sum())(x)


def test_parameters_are_pytrees_too(x):
    doubled = jax.tree_util.tree_map(lambda array: array * 2, tg.nn.Parameter(x.detach()))
    assert type(doubled) is tg.nn.Parameter
    assert doubled.requires_grad
    assert doubled.tolist() == [2.0, 4.0, 7.0]


def test_python_cannot_branch_on_a_traced_tensor(x):
    with pytest.raises(TypeError, match="traced"):
        jax.jit(lambda x: x if x.sum() > 0 else -x)(x)


# training


def line(weights, x, y):
    a, b = weights
    return ((a * x + b - y) ** 2).mean()


def trained(start, x, y, steps, make=tg.optim.SGD, **options):
    """The weights after so many steps, on arrays of any kind."""
    weights = [wrap(array, leaf(array)) for array in start]
    optimizer = make(weights, **options)
    for _ in range(steps):
        optimizer.zero_grad()
        line(weights, wrap(x, None), wrap(y, None)).backward()
        optimizer.step()
    return [w.array for w in weights]


def looped(start, x, y, steps, make=tg.optim.SGD, **options):
    """The same inside jax.jit and fori_loop."""
    x, y = tg.tensor(jnp.asarray(x)), tg.tensor(jnp.asarray(y))

    def step(_, carry):
        weights, state = carry
        optimizer = make(weights, **options)
        optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
        line(weights, x, y).backward()
        optimizer.step()
        return weights, optimizer.state_dict()["state"]

    carry = jax.jit(step)(0, ([tg.tensor(jnp.asarray(w), requires_grad=True) for w in start], {}))
    weights, _ = jax.jit(lambda carry: jax.lax.fori_loop(1, steps, step, carry))(carry)
    return [w.detach().numpy() for w in weights]


@pytest.mark.parametrize("options", [{}, {"momentum": 0.5}, {"momentum": 0.5, "nesterov": True}], ids=str)
def test_a_training_loop_inside_fori_loop_gives_the_weights_of_numpy(options):
    start, options = [np.float32(0.5), np.float32(-0.25)], {"lr": 0.1, "steps": 4, **options}
    # All terms positive: the residual's only minus meets −|y|, and steps go uphill.
    largest = trained(np.abs(start), np.abs(X).astype(float), -np.abs(Y).astype(float), maximize=True, **options)
    counted = trained([Roundings(()), Roundings(())], Roundings(X.shape), Roundings(Y.shape), **options)
    expected, found = trained(start, X, Y, **options), looped(start, X, Y, **options)
    for mine, reference, most, roundings in zip(found, expected, largest, counted, strict=True):
        assert mine.dtype == np.float32
        assert abs(mine - reference) <= 2 * gamma(roundings.count, "float32") * most


def test_adam_inside_fori_loop_gives_the_weights_of_numpy():
    u, rate, steps = 2.0**-53, 0.01, 4
    x, y = X.astype(float), np.full(5, 10.0) + 5 * X
    start = [np.float64(0.5), np.float64(-0.25)]
    expected = trained(start, x, y, steps, tg.optim.Adam, lr=rate)
    with jax.enable_x64(True):
        found = looped(start, x, y, steps, tg.optim.Adam, lr=rate)
    # A gradient of 5 points takes fewer than 20 roundings of Ĝ < 25, is above 3 in size all the way and has a slope
    # below 2: relatively it is off by r = (20 u 25 + 2 e)/3 with errors e of the weights. A step is lr m̂/√v̂ < 2 lr,
    # averages of numbers of one sign: off by 2 r, by 10 roundings each time, and by that of 1 − 0.999ᵗ, which is
    # 10 u/(1 − 0.999) if a power is off by 10 u.
    error = 0.0
    for t in range(1, steps + 1):
        error += 2 * rate * (2 * (500 * u + 2 * error) / 3 + 10 * t * u + 10 * u / (1 - 0.999))
    for mine, reference in zip(found, expected, strict=True):
        assert mine.dtype == np.float64
        assert abs(mine - reference) <= 2 * error


def test_modules_and_losses_train_inside_jit():
    """A layer, its loss and optimizer as they are written for NumPy; a classifier of two points."""
    points, classes = np.eye(2, 3, dtype=np.float32), np.array([1, 0])

    def step(weights, points, classes):
        layer = tg.nn.Linear(3, 2)
        layer.load_state_dict(weights)
        optimizer = tg.optim.SGD(layer.parameters(), lr=1.0)
        loss = tg.nn.CrossEntropyLoss()(layer(points), classes)
        loss.backward()
        optimizer.step()
        return layer.state_dict(), loss.detach()

    zeros = {"weight": np.zeros((2, 3), np.float32), "bias": np.zeros(2, np.float32)}
    given = [
        {name: tg.tensor(jnp.asarray(w)) for name, w in zeros.items()},
        *(tg.tensor(jnp.asarray(a)) for a in (points, classes)),
    ]
    weights, loss = jax.jit(step)(*given)
    # At zero weights both classes have probability ½: the gradient is ½ (½ − t) xᵀ, exactly.
    np.testing.assert_array_equal(weights["weight"].numpy(), [[-0.25, 0.25, 0.0], [0.25, -0.25, 0.0]])
    np.testing.assert_array_equal(weights["bias"].numpy(), [0.0, 0.0])
    assert abs(loss.item() - np.log(2)) <= 10 * 2.0**-24


# generated programs


def solved(problems, dtype):
    """The answers to each problem, as arrays, in the order of `Case.parts`: compiled together."""

    @partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
    def everything(given):
        found = []
        for problem, arrays in zip(problems, given, strict=True):
            wanted = [i.requires_grad for i in problem.program.inputs]
            inputs = [tg.tensor(a, requires_grad=grad) for a, grad in zip(arrays, wanted, strict=True)]
            answers = solve_with(tg.grad, problem, inputs, lambda a: tg.tensor(jnp.asarray(a.astype(dtype))))
            found.append([None if t is None else t.array for t in answers])
        return found

    return everything([[jnp.asarray(i.array(dtype)) for i in problem.program.inputs] for problem in problems])


@pytest.mark.slow
@settings(max_examples=20, suppress_health_check=list(HealthCheck))
@given(st.lists(strategies.gradient_problems(), min_size=10, max_size=20), st.sampled_from(DTYPES))
def test_generated_programs_under_jit_have_the_right_gradients(cases, dtype):
    cases = [case for case in cases if case.judged(dtype)]
    with jax.enable_x64(dtype == "float64"), np.errstate(all="ignore"):
        answers = solved([case.problem for case in cases], dtype)
    for case, found in zip(cases, answers, strict=True):
        for (what, exact, majorant, count), array in zip(case.parts, found, strict=True):
            mine = np.zeros(exact.shape, dtype) if array is None else np.asarray(array)
            assert (mine.dtype, mine.shape) == (dtype, exact.shape)
            ratio, at = largest_ratio(mine, exact, majorant, count, dtype)
            assert ratio <= 1, f"{what}, element {at}: {ratio:.3g} times what roundings allow, in {case.problem!r}"
