"""NumPy's functions and operators on tensors: on the tape where there is a function for them, refused where not."""

import operator

import numpy as np
import pytest

import tinygrad_poly as tg
from tinygrad_poly.engine.errors import DataError
from tinygrad_poly.interop import numpy

from ..helpers import halves, leaf, numbers

X = np.array([[0.5, 2.0], [1.5, 0.25]])
CUBE = np.arange(1.0, 9.0).reshape(2, 2, 2)


def both_gradients(function, array, dtype="float64"):
    """What `function` of a tensor gives, its gradient, and the slope that differences of NumPy's numbers give."""
    x = leaf(tg, tg.tensor(np.asarray(array, dtype)))
    y = function(x)
    rng = np.random.default_rng(0)
    v = rng.integers(1, 6, y.shape).astype(dtype)
    direction = halves(rng, x.shape)
    (gradient,) = tg.grad(y, x, tg.tensor(v))
    h = 2.0**-20
    moved = [np.sum(v * function(np.asarray(array) + sign * h * direction)) for sign in (1, -1)]
    return y, gradient, np.sum(numbers(gradient) * direction), (moved[0] - moved[1]) / (2 * h)


def assert_recorded(function, array=X):
    """`function` of NumPy's gives tensors NumPy's numbers, and a gradient that agrees with differences."""
    y, gradient, slope, difference = both_gradients(function, array)
    assert isinstance(y, tg.Tensor)
    np.testing.assert_allclose(numbers(y), function(np.asarray(array)), rtol=8 * 2.0**-53, atol=0)
    assert gradient.dtype == np.float64
    # Central differences of numbers below 100: h² times a third derivative, and rounding 100 u / h, are below 1e-7.
    assert abs(slope - difference) < 1e-7 * max(1, abs(slope))


UFUNCS = [
    "conjugate", "deg2rad", "radians", "rad2deg", "degrees",
    "sin", "cos", "tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "arcsinh", "arctanh", "exp", "exp2",
    "expm1", "log", "log2", "log10", "log1p", "sqrt", "cbrt", "square", "absolute", "fabs", "negative", "positive",
    "reciprocal",
]  # fmt: skip
BINARY_UFUNCS = [
    "add", "subtract", "multiply", "divide", "true_divide", "power", "matmul", "maximum", "minimum", "arctan2",
    "hypot", "logaddexp", "fmax", "fmin",
]  # fmt: skip


@pytest.mark.parametrize("name", UFUNCS)
def test_an_elementwise_function_stays_on_the_tape(name):
    assert_recorded(getattr(np, name), X / 4)


@pytest.mark.parametrize("name", BINARY_UFUNCS)
def test_a_function_of_two_stays_on_the_tape_with_an_array_on_either_side(name):
    function, other = getattr(np, name), np.array([[1.0, 0.75], [0.125, 3.0]])
    assert_recorded(lambda x: function(x, other))
    assert_recorded(lambda x: function(other, x))
    assert_recorded(lambda x: function(x, x * other))


OPERATORS = [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow, operator.matmul]


@pytest.mark.parametrize("combine", OPERATORS, ids=lambda f: f.__name__)
def test_an_operator_stays_on_the_tape_with_an_array_on_either_side(combine):
    other = np.array([[1.0, 0.75], [0.125, 3.0]])
    assert_recorded(lambda x: combine(x, other))
    assert_recorded(lambda x: combine(other, x))


COMPARISONS = [operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne]


@pytest.mark.parametrize("compare", COMPARISONS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("other", [np.array([0.5, 1.0]), np.float64(1.5), np.int64(2)], ids=repr)
def test_a_comparison_gives_a_tensor_of_booleans(compare, other):
    for mine, reference in (
        (compare(other, leaf(tg, X)), compare(other, X)),
        (compare(leaf(tg, X), other), compare(X, other)),
    ):
        assert isinstance(mine, tg.Tensor)
        assert mine.dtype == np.bool_
        np.testing.assert_array_equal(numbers(mine), reference)


@pytest.mark.parametrize("scalar", [2, 2.5, np.float64(2.5), np.int64(2), np.float32(2), np.array([2, 3])], ids=repr)
@pytest.mark.parametrize("name", ["multiply", "power", "maximum", "arctan2", "hypot"])
def test_neither_numbers_nor_integers_promote_a_float32_tensor(name, scalar):
    x = leaf(tg, [1.5, 2.0])
    for y in (getattr(np, name)(x, scalar), getattr(np, name)(scalar, x)):
        assert y.dtype == np.float32
        assert tg.grad(y.sum(), x)[0].dtype == np.float32


def test_a_number_beside_integers_is_as_in_an_expression():
    x = tg.tensor([1, 2])
    for name in ("multiply", "maximum"):
        assert getattr(np, name)(2, x).dtype == np.int64
        assert getattr(np, name)(2.5, x).dtype == np.float32


WHOLE = {
    "int64": np.array([[3, -1, 2], [6, 5, 4]]),
    "int8": np.array([[3, -1, 2], [6, 5, 4]], np.int8),
    "uint8": np.array([[3, 1, 2], [6, 5, 4]], np.uint8),
    "bool": np.array([[True, False, True], [False, False, True]]),
}


ELEMENTWISE = (
    "sqrt(x) exp(x) sin(x) fabs(x) reciprocal(x) rint(x) invert(x) mod(x,2) fmod(x,2) floor_divide(x,2) fmax(x,2)"
)
TWO = "minimum(2,x) divide(x,x) hypot(x,x) arctan2(x,x) add(x,x) add(x,True) power(x,x) round(x*3,1)"
TOTALS = "sum(x) prod(x) cumsum(x,1) cumsum(x) max(x) argmax(x) sum(x,axis=0,dtype='f4') mean(x,dtype='f8')"
CALLS = f"{ELEMENTWISE} {TWO} {TOTALS} sort(x,axis=None) argsort(x,axis=None) expand_dims(x,(0,-1))".split()


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("dtype", WHOLE)
def test_a_call_on_whole_numbers_is_numpys_own(call, dtype):
    def act(x):
        return eval(f"np.{call}", {"np": np, "x": x})

    with np.errstate(all="ignore"):
        try:
            expected = act(WHOLE[dtype])
        except (ValueError, TypeError) as error:
            with pytest.raises(type(error)):
                act(tg.tensor(WHOLE[dtype]))
            return
        found = act(tg.tensor(WHOLE[dtype]))
    assert isinstance(found, tg.Tensor)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(numbers(found), expected)


def test_arguments_of_numpy_keep_the_tape():
    for act, slope in [
        (lambda x: np.sum(x, dtype="f8") ** 2, 20.0),
        (lambda x: (np.sort(x, axis=None) * np.arange(4.0)).sum(), [[3.0, 0.0], [1.0, 2.0]]),
        (lambda x: (np.expand_dims(x, (0, 2)) * np.ones((3, 2, 1, 2))).sum(), 3.0),
    ]:
        x = tg.tensor([[4.0, 1.0], [2.0, 3.0]], requires_grad=True)
        np.testing.assert_array_equal(numbers(tg.grad(act(x), x)[0]), np.broadcast_to(slope, (2, 2)))


def test_masked_arrays_beside_a_tensor_are_refused():
    masked = np.ma.array([1.0, 2.0], mask=[False, True])
    for act in (
        np.dot,
        np.outer,
        np.add,
        lambda a, b: np.concatenate([a, b]),
        lambda a, b: np.where([True, False], a, b),
    ):
        with pytest.raises(DataError, match="masked"):
            act(tg.ones(2), masked)


def test_the_array_beside_a_tensor_can_be_overwritten_before_backward():
    x, factor = leaf(tg, [1.0, 2.0]), np.array([3.0, 4.0])
    y = np.sum(np.multiply(factor, x)) + np.sum(np.maximum(factor, x)) + np.sum(np.concatenate([x, factor]))
    y = y + np.sum(np.where(x > 1, x, factor)) + (factor * x).sum()
    (expected,) = tg.grad(y, x, retain_graph=True)
    factor[:] = 100.0
    y.backward()
    assert x.grad.tolist() == expected.tolist()


# Functions that are not elementwise: of a 2 × 2 array, so that each has a slope.
CALLS = {
    "sum": [lambda x: np.sum(x), lambda x: np.sum(x, 0), lambda x: np.sum(x, axis=(0, 1), keepdims=True)],
    "mean": [lambda x: np.mean(x), lambda x: np.mean(x, axis=-1, keepdims=True)],
    "prod": [lambda x: np.prod(x), lambda x: np.prod(x, axis=1)],
    "max": [lambda x: np.max(x), lambda x: np.max(x, axis=1)],
    "min": [lambda x: np.min(x), lambda x: np.min(x, 0, keepdims=True)],
    "amax": [lambda x: np.amax(x, axis=0)],
    "amin": [lambda x: np.amin(x)],
    "nansum": [lambda x: np.nansum(x, axis=0)],
    "nanmean": [lambda x: np.nanmean(x)],
    "var": [lambda x: np.var(x), lambda x: np.var(x, axis=0, ddof=1, keepdims=True)],
    "std": [lambda x: np.std(x), lambda x: np.std(x, 1, ddof=1)],
    "cumsum": [lambda x: np.cumsum(x), lambda x: np.cumsum(x, axis=0)],
    "cumprod": [lambda x: np.cumprod(x), lambda x: np.cumprod(x, 1)],
    "sort": [lambda x: np.sort(x), lambda x: np.sort(x, axis=0)],
    "where": [lambda x: np.where(X > 1, x, 2 * x), lambda x: np.where(x > 1, x, 0.0)],
    "clip": [lambda x: np.clip(x, 0.3, 1.7), lambda x: np.clip(x, None, 1.7)],
    "sinc": [lambda x: np.sinc(x)],
    "nan_to_num": [lambda x: np.nan_to_num(x)],
    "reshape": [lambda x: np.reshape(x, (4, 1)), lambda x: np.reshape(x, -1)],
    "ravel": [lambda x: np.ravel(x)],
    "transpose": [lambda x: np.transpose(x), lambda x: np.transpose(x, (1, 0))],
    "swapaxes": [lambda x: np.swapaxes(x, 0, 1)],
    "moveaxis": [lambda x: np.moveaxis(x, 0, -1)],
    "squeeze": [lambda x: np.squeeze(x[:1]), lambda x: np.squeeze(x[:1], axis=0)],
    "expand_dims": [lambda x: np.expand_dims(x, 1)],
    "broadcast_to": [lambda x: np.broadcast_to(x, (3, 2, 2))],
    "flip": [lambda x: np.flip(x), lambda x: np.flip(x, axis=1)],
    "flipud": [lambda x: np.flipud(x)],
    "fliplr": [lambda x: np.fliplr(x)],
    "roll": [
        *(lambda x, k=k, axis=axis: np.roll(x, k, axis) for k, axis in [(1, None), ((1, 1), (0, 1)), (1, (0, 1))]),
        *(lambda x, k=k, axis=axis: np.roll(x, k, axis) for k, axis in [((1, 2), 1), ((1, 2), None), ((1, 2), (0, 0))]),
    ],
    "rot90": [lambda x: np.rot90(x), lambda x: np.rot90(x, k=3, axes=(1, 0))],
    "concatenate": [lambda x: np.concatenate([x, X, x], axis=1), lambda x: np.concatenate((x, x), axis=None)],
    "stack": [lambda x: np.stack([x, X * 2, x], axis=1)],
    "hstack": [lambda x: np.hstack([x, X]), lambda x: np.hstack(x)],
    "vstack": [lambda x: np.vstack((X, x)), lambda x: np.vstack(x), lambda x: np.vstack((x, x), dtype="f8")],
    "pad": [
        *(lambda x, width=width: np.pad(x, width) for width in (1, (1, 2), ((1, 0), (2, 3)))),
        lambda x: np.pad(x, 2, constant_values=5.0),
    ],
    "split": [lambda x: np.split(x, 2, axis=1)[1], lambda x: np.split(x, [1])[1]],
    "array_split": [lambda x: np.array_split(x, 3)[0]],
    "tile": [lambda x: np.tile(x, 2), lambda x: np.tile(x, (2, 1, 3))],
    "repeat": [
        lambda x: np.repeat(x, 2),
        lambda x: np.repeat(x, [1, 2], axis=0),
        lambda x: np.repeat(x[0, 0], 2, axis=0),
    ],
    "meshgrid": [lambda x: np.meshgrid(x[0], X[1])[0], lambda x: np.meshgrid(x[0], X[1], indexing="ij")[0]],
    "diag": [lambda x: np.diag(x), lambda x: np.diag(x[0], k=1)],
    "diagonal": [lambda x: np.diagonal(x), lambda x: np.diagonal(x, 1, axis1=1, axis2=0)],
    "tril": [lambda x: np.tril(x), lambda x: np.tril(x, k=-1)],
    "triu": [lambda x: np.triu(x, 1)],
    "take": [lambda x: np.take(x, [0, 3]), lambda x: np.take(x, [1, 1, 0], axis=1)],
    "take_along_axis": [lambda x: np.take_along_axis(x, np.argsort(X, axis=1), axis=1)],
    "dot": [lambda x: np.dot(x, X), lambda x: np.dot(X, x[0]), lambda x: np.dot(x[0], x[1]), lambda x: np.dot(x, 2.0)],
    "outer": [lambda x: np.outer(x[0], X)],
    "inner": [lambda x: np.inner(x[0], x[1])],
    "tensordot": [lambda x: np.tensordot(x, X, axes=([0], [1]))],
    "kron": [lambda x: np.kron(x, X)],
    "einsum": [
        lambda x: np.einsum("ij,jk->ik", x, X),
        lambda x: np.einsum(x, (0, 1), X, (1, 2), (0, 2)),
        lambda x: np.einsum(x, [1, 0], optimize=True),
        lambda x: np.einsum(x, [..., 0], X, [..., 0]),
    ],
    "trace": [
        *(lambda x: np.trace(x), lambda x: np.trace(x, 1), lambda x: np.trace(CUBE * x)),
        lambda x: np.trace(CUBE * x, 0, 1, 2),
    ],
    "vdot": [lambda x: np.vdot(x, X)],
    "cross": [
        lambda x: np.cross(np.hstack([x, X[:, :1]]), np.array([1.0, 2.0, 3.0])),
        lambda x: np.cross(np.vstack([x, X[:1]]), np.vstack([X, X[:1]]), axis=0),
        lambda x: np.cross(np.vstack([x, X[:1]]), np.hstack([X, X[:, :1]]), axisa=0, axisc=0),
    ],
    "polyval": [lambda x: np.polyval(x[0], X), lambda x: np.polyval([3.0, 2.0, 1.0], x), lambda x: np.polyval(X[0], x)],
    "polyfit": [lambda x: np.polyfit(x[0], X[1], 1), lambda x: np.polyfit(X[1], x[0], 1, w=X[0])],
    "polymul": [lambda x: np.polymul(x[0], X[1])],
    "polyder": [lambda x: np.polyder(x.reshape(-1)), lambda x: np.polyder(x.reshape(-1), 2)],
    "vander": [lambda x: np.vander(x[0], 3), lambda x: np.vander(x[0], increasing=True)],
    "convolve": [
        lambda x, mode=mode, v=v: np.convolve(x.reshape(-1), v, mode)
        for mode in ("full", "same", "valid")
        for v in (X[0], np.arange(3.0), np.arange(5.0))
    ],
    "linalg.solve": [
        lambda x: np.linalg.solve(x, X[0]),
        lambda x: np.linalg.solve(np.stack([x, X]), X),
        lambda x: np.linalg.solve(X, x),
    ],
    "linalg.svd": [
        lambda x: np.linalg.svd(x, compute_uv=False),
        lambda x: np.linalg.svd(np.vstack([x, X]))[1],
        lambda x: np.linalg.svd(x, full_matrices=False)[0] ** 2,
    ],
    "linalg.qr": [
        *(lambda x, i=i: np.linalg.qr(np.vstack([x, X]))[i] for i in (0, 1)),
        lambda x: np.linalg.qr(x, mode="r"),
    ],
    "linalg.tensorsolve": [lambda x: np.linalg.tensorsolve(x.reshape(2, 1, 2) + np.eye(2)[:, None], X[:, :1])],
    "atleast_1d": [lambda x: np.atleast_1d(x[0, 0], x)[0], lambda x: np.atleast_1d(x)],
    "atleast_2d": [lambda x: np.atleast_2d(x[0])],
    "atleast_3d": [lambda x: np.atleast_3d(x), lambda x: np.atleast_3d(x[0], x[0, 0])[1]],
    "astype": [lambda x: np.astype(x, np.float64)] if hasattr(np, "astype") else [],
    "append": [lambda x: np.append(x, X), lambda x: np.append(x, X, axis=1)],
    "column_stack": [lambda x: np.column_stack([x, X[0]])],
    "dstack": [lambda x: np.dstack((x, X[0] * x))],
    "hsplit": [lambda x: np.hsplit(x, 2)[1]],
    "vsplit": [lambda x: np.vsplit(x, [1])[1]],
    "dsplit": [lambda x: np.dsplit(CUBE * x, 2)[1]],
    "diff": [
        *(lambda x, axis=axis: np.diff(x, axis=axis) for axis in (0, -1)),
        lambda x: np.diff(x, 2, prepend=X[:, :1], append=x),
    ],
    "fft.fftshift": [lambda x: np.fft.fftshift(np.hstack([x, X[:, :1]])), lambda x: np.fft.fftshift(x, axes=1)],
    "fft.ifftshift": [lambda x: np.fft.ifftshift(np.hstack([x, X[:, :1]]))],
    "gradient": [
        *(lambda x, i=i: np.gradient(np.vstack([x, 2 * x]))[i] for i in (0, 1)),
        lambda x: np.gradient(x, 0.5, axis=1),
        lambda x: np.gradient(x, 0.5, 2.0)[1],
    ],
    "linspace": [
        lambda x: np.linspace(x, 2.0, 5),
        lambda x: np.linspace(0.5, x, 4, endpoint=False),
        lambda x: np.linspace(x, X, 3, axis=-1),
    ],
    "partition": [lambda x: np.partition(x, 1), lambda x: np.partition(x, 2, axis=None)],
    "rollaxis": [lambda x, a=a: np.rollaxis(CUBE * x, *a) for a in [(2,), (0, 3), (1, 1), (-1, 1), (0, 2), (2, -2)]],
    "select": [lambda x: np.select([X > 1, X < 0.4], [x, 3 * x], 2.0)],
    "trapezoid": [lambda x: np.trapezoid(x, axis=0), lambda x: np.trapezoid(x, X * x)],
    "linalg.trace": [lambda x: np.linalg.trace(CUBE * x), lambda x: np.linalg.trace(CUBE * x, offset=1)],
    "real": [lambda x: np.real(x)],
    "real_if_close": [lambda x: np.real_if_close(x)],
    "imag": [],
    "angle": [],
    "full_like": [],
    "round": [],
    "argsort": [],
    "nonzero": [],
    "zeros_like": [],
    "ones_like": [],
    "all": [],
    "any": [],
    "argmax": [],
    "argmin": [],
    "count_nonzero": [],
    "broadcast_arrays": [lambda x: np.broadcast_arrays(x, X[0])[0]],
    "matrix_transpose": [lambda x: np.matrix_transpose(x)],
    "unstack": [lambda x: np.unstack(x, axis=1)[0]] if hasattr(np, "unstack") else [],
}


@pytest.mark.parametrize(
    "call", [pytest.param(call, id=f"{name} {i}") for name, calls in CALLS.items() for i, call in enumerate(calls)]
)
def test_a_function_stays_on_the_tape(call):
    assert_recorded(call)


def test_every_function_of_the_table_is_tried():
    assert set(numpy.FUNCTIONS) == set(CALLS)


@pytest.mark.parametrize("name", ["all", "any", "argmax", "argmin", "count_nonzero"])
def test_a_reduction_without_derivative_gives_numpys_numbers(name):
    function = getattr(np, name)
    for arguments in ({}, {"axis": 0}):
        y = function(leaf(tg, X), **arguments)
        assert isinstance(y, tg.Tensor)
        np.testing.assert_array_equal(numbers(y), function(X, **arguments))


def test_functions_without_derivative_give_numpys_numbers():
    x = leaf(tg, X)
    functions = [np.argsort, np.zeros_like, np.ones_like, np.round, np.isnan, np.floor, np.sign, np.signbit, np.imag]
    functions += [
        np.angle,
        lambda x: np.angle(-x, deg=True),
        lambda x: np.full_like(x, 7),
        lambda x: np.ones_like(x, int),
    ]
    for function in functions:
        y = function(x)
        assert isinstance(y, tg.Tensor)
        np.testing.assert_array_equal(numbers(y), function(X))
    for mine, reference in zip(np.nonzero(x > 1), np.nonzero(X > 1), strict=True):
        np.testing.assert_array_equal(numbers(mine), reference)
    assert [part.tolist() for part in np.where(x > 1)] == [[0, 1], [1, 0]]


def test_questions_about_a_tensor_need_no_gradient():
    x = leaf(tg, X)
    assert (np.shape(x), np.ndim(x), np.size(x), np.result_type(x)) == ((2, 2), 2, 4, np.float64)
    assert np.allclose(x, X)
    assert np.array_equal(x, X)
    assert not np.array_equal(X, x * 2)


@pytest.mark.skipif(not hasattr(tg, "linalg"), reason="needs the linalg namespace")
@pytest.mark.parametrize("call", [
    lambda x: np.linalg.norm(x), lambda x: np.linalg.norm(x, 1, axis=1, keepdims=True), lambda x: np.linalg.det(x),
    lambda x: np.linalg.inv(x), lambda x: np.linalg.solve(x, X[0]), lambda x: np.linalg.solve(X, x),
    lambda x: np.linalg.matrix_power(x, 3), lambda x: np.linalg.cholesky(x @ x.T),
], ids=["norm", "norms of rows", "det", "inv", "solve", "solve for x", "matrix_power", "cholesky"])  # fmt: skip
def test_a_function_of_linear_algebra_stays_on_the_tape(call):
    x = leaf(tg, X)
    y = call(x)
    assert y.requires_grad
    np.testing.assert_allclose(numbers(y), call(X), rtol=1e-13)


# What is refused


LEAVES_THE_TAPE = r"\.detach\(\)\.numpy\(\)"
REFUSED = {
    "out": (lambda x: np.add(x, 1, out=np.zeros((2, 2))), r"np\.add cannot take out= with tensors.*a = a \+ x"),
    "where": (lambda x: np.add(x, 1, where=X > 1), r"np\.add cannot take where="),
    "dtype": (lambda x: np.add(x, 1, dtype="f4"), r"np\.add cannot take dtype="),
    "reduce": (lambda x: np.add.reduce(x), r"np\.add\.reduce is not there for tensors: use a function such as sum"),
    "accumulate": (lambda x: np.multiply.accumulate(x), r"np\.multiply\.accumulate.*cumsum"),
    "at": (lambda x: np.add.at(np.zeros((2, 2)), [0], x), r"np\.add\.at"),
    "outer": (lambda x: np.multiply.outer(x, x), r"np\.multiply\.outer"),
    "a ufunc without derivative": (lambda x: np.spacing(x), r"np\.spacing has no derivative here"),
    "two results": (lambda x: np.modf(x), r"np\.modf has no derivative here"),
    "a function without derivative": (lambda x: np.percentile(x, 50), r"np\.percentile has no derivative here"),
    "in a submodule": (lambda x: np.fft.fft(x), r"np\.fft\.fft has no derivative here"),
    "in a list": (lambda x: np.block([[x, X], [X, X]]), r"np\.block has no derivative here"),
    "copyto": (lambda x: np.copyto(np.zeros((2, 2)), x), r"np\.copyto has no derivative here"),
    "sum(where=)": (lambda x: np.sum(x, where=X > 1), r"np\.sum with these arguments.*'where'"),
    "max(initial=)": (lambda x: np.max(x, initial=9), r"np\.max with these arguments.*'initial'"),
    "reshape(order=)": (lambda x: np.reshape(x, 4, order="F"), r"np\.reshape with these arguments.*'order'"),
    "concatenate(out=)": (lambda x: np.concatenate([x], out=np.zeros((2, 2))), r"np\.concatenate .*'out'"),
}


@pytest.mark.parametrize(("act", "message"), REFUSED.values(), ids=REFUSED)
def test_what_would_lose_the_gradient_is_refused_and_says_what_to_do(act, message):
    with pytest.raises(TypeError, match=f"{message}.*{LEAVES_THE_TAPE}"):
        act(leaf(tg, X))


def test_a_tensor_cannot_be_added_into_an_array():
    array = np.zeros(2)
    with pytest.raises(TypeError, match=r"a = a \+ x for a \+= x"):
        array += leaf(tg, [1.0, 2.0])
    assert array.tolist() == [0.0, 0.0]


def test_unequal_parts_are_refused_as_by_numpy():
    for x in (X, leaf(tg, X)):
        with pytest.raises(ValueError, match="equal"):
            np.split(x, 3)


def test_without_a_gradient_to_lose_numpy_computes_on_arrays():
    x = tg.tensor(X)
    np.testing.assert_array_equal(np.percentile(x, 50), np.percentile(X, 50))
    np.testing.assert_array_equal(np.block([[x, X]]), np.block([[X, X]]))
    np.testing.assert_array_equal(np.fft.fft(x), np.fft.fft(X))
    for mine, reference in zip(np.modf(x), np.modf(X), strict=True):
        np.testing.assert_array_equal(numbers(mine), reference)
    target = np.zeros((2, 2))
    np.copyto(target, x)
    np.testing.assert_array_equal(target, X)
    assert np.testing.assert_array_equal(x, X) is None


@pytest.mark.parametrize("other", ["2", None, 1j, object()], ids=["text", "None", "complex", "object"])
def test_numpy_functions_of_what_is_no_number_are_refused(other):
    for act in (lambda x: np.add(other, x), lambda x: np.maximum(x, other)):
        with pytest.raises(TypeError):
            act(leaf(tg, X))


class Foreign:
    """An array type that answers for itself."""

    def __array_ufunc__(self, *_, **__):
        return "foreign"

    def __array_function__(self, *_, **__):
        return "foreign"


def test_another_array_type_is_asked_in_its_turn():
    x = leaf(tg, X)
    assert np.add(x, Foreign()) == "foreign"
    assert np.concatenate([x, Foreign()]) == "foreign"


def test_a_gradient_flows_through_a_program_written_for_numpy():
    def program(x):
        centred = x - np.mean(x, axis=0)
        scaled = centred / np.std(centred, axis=0)
        joined = np.concatenate([np.sin(scaled), np.exp(-(scaled**2))], axis=1)
        return np.sum(np.where(joined > 0, joined, 0.1 * joined) @ np.ones((4, 1)) * np.array([[1.0], [2.0]]))

    assert_recorded(program)


# The array API


def standardized_softmax(x):
    """A program against the array API: it knows the library only from its argument."""
    xp = x.__array_namespace__()
    rows = x - xp.mean(x, axis=1, keepdims=True)
    spread = xp.sqrt(xp.sum(rows * rows, axis=1, keepdims=True) / x.shape[1])
    scores = xp.exp(rows / spread)
    return scores / xp.sum(scores, axis=1, keepdims=True)


def pieces(x):
    xp = x.__array_namespace__()
    turned = xp.permute_dims(xp.reshape(x, (2, 1, -1)), (2, 0, 1))
    joined = xp.concat([xp.squeeze(turned, axis=2), xp.flip(xp.matrix_transpose(x), axis=0)], axis=1)
    stacked = xp.stack([xp.tril(joined[:2, :2]), xp.roll(x, 1, axis=1)], axis=0)
    taken = xp.take(stacked, xp.asarray([1, 0, 1]), axis=2)
    return xp.expand_dims(xp.tile(taken, (1, 2, 1)), axis=0) + xp.broadcast_to(xp.sin(x[0, 0]), (1, 1, 1, 3))


def polynomial(x):
    xp = x.__array_namespace__()
    powers = xp.stack([xp.ones_like(x), x, xp.pow(x, 2), xp.multiply(x, xp.square(x))], axis=-1)
    weights = xp.asarray([1.0, -2.0, 0.5, 0.25], dtype=x.dtype)
    return xp.where(x > 1, xp.matmul(powers, weights), xp.zeros_like(x)) + xp.astype(x > 0.3, x.dtype)


@pytest.mark.parametrize("program", [standardized_softmax, pieces, polynomial])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_program_for_the_array_api_runs_on_tensors_as_on_numpy(program, dtype):
    array = X.astype(dtype)
    x = leaf(tg, array)
    y = program(x)
    assert isinstance(y, tg.Tensor)
    assert y.dtype == array.dtype
    np.testing.assert_allclose(numbers(y), program(array), rtol=32 * np.finfo(dtype).eps)
    _, _, slope, difference = both_gradients(program, X)
    assert abs(slope - difference) < 1e-7 * max(1, abs(slope))


def test_the_namespace_of_a_tensor_is_the_package():
    assert tg.tensor(1.0).__array_namespace__() is tg
    assert tg.tensor(1.0).__array_namespace__(api_version="2024.12") is tg
