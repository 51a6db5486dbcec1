"""Array libraries: one object answers for the arrays of each, and the tape asks nothing else."""

from types import SimpleNamespace

import array_api_strict as strict
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_poly as tg
from tinygrad_poly.checking import strategies
from tinygrad_poly.checking.cases import DTYPES
from tinygrad_poly.engine import arrays
from tinygrad_poly.engine.apply import wrap
from tinygrad_poly.engine.errors import DeviceError, DtypeError, ShapeError
from tinygrad_poly.engine.walk import leaf

from ..helpers import examples, reduced_to
from ..proof import judge

X = np.array([[0.5, 2.0], [1.25, -3.0]])
W = np.array([[1.5, -0.5], [0.75, 2.0]])
PROGRAMS = {
    "cubic": lambda x, w: (w * x**3 - x.sin() + 2 / w).mean(),
    "network": lambda x, w: ((x @ w).tanh() @ w - 1).pow(2).mean(),
    "vectors": lambda x, w: (x[0, :] @ w @ x[:, 1]) * w[1, 0],
    "shapes": lambda x, w: (x.reshape(4, 1) * w.T.reshape(-1)).sum(0).mean(),
    "broadcasting": lambda x, w: (x.expand(3, 2, 2) - w[:, None, 0]).exp().sum((0, 2), keepdim=True).sum(),
    "powers": lambda x, w: ((x * x + 1) ** w + 2.0**x + (w * w) ** 0.5).sum(),
    "choices": lambda x, w: tg.where(x > w, x * w, x.cos()).sum(),
    "losses": lambda x, w: tg.mse_loss(x, w) + (x * x).log().sum() - (w * w).sqrt().sum(),
    "copies": lambda x, w: (x.clone() - w / x).mean(1).sum(),
}


def gradients(xp, program, dtype):
    """First and second gradients on arrays of the namespace `xp`."""
    inputs = [xp.asarray(a.astype(dtype)) for a in (X, W)]
    tensors = [wrap(a, leaf(a)) for a in inputs]
    y = program(*tensors)
    first = tg.grad(y, tensors, create_graph=True)
    second = tg.grad(sum([(g * g).sum() for g in first], start=0.0), tensors, retain_graph=True)
    y.backward()
    found = [y, *first, *second, *(t.grad for t in tensors)]
    assert all(type(g.array) is type(inputs[0]) or xp is np for g in found)
    assert all(g.dtype == inputs[0].dtype for g in found)
    return [np.asarray(g.array) for g in found]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_a_program_on_strict_arrays_gives_the_numbers_of_numpy(program, dtype):
    # array_api_strict wraps NumPy, so that the same operations give the same bits; only sums may be
    # ordered differently (four terms: 3 roundings), here and on the way through two gradients.
    u = np.finfo(dtype).eps / 2
    for mine, reference in zip(*(gradients(xp, program, dtype) for xp in (strict, np)), strict=True):
        assert mine.dtype == reference.dtype
        np.testing.assert_allclose(mine, reference, rtol=0, atol=60 * u * max(1.0, np.abs(reference).max()))


def test_strict_arrays_take_a_cotangent_and_print():
    x = wrap(array := strict.asarray(X), leaf(array))
    y = x * x
    y.backward(wrap(strict.asarray(W), None))
    np.testing.assert_array_equal(np.asarray(x.grad.array), 2 * X * W)
    assert repr(x) == repr(tg.from_numpy(X).requires_grad_())


def test_strict_arrays_of_two_dtypes_meet():
    a, b = strict.asarray(X, dtype=strict.float32), strict.asarray(W)
    a, b = wrap(a, leaf(a)), wrap(b, leaf(b))
    for create_graph in (False, True):
        first, second = tg.grad((a * b).sum(), [a, b], create_graph=create_graph)
        assert (first.dtype, second.dtype) == (strict.float32, strict.float64)


def strict_tensor(array, requires_grad=False):
    array = strict.asarray(array)
    return wrap(array, leaf(array) if requires_grad else None)


STRICT = SimpleNamespace(__name__="strict arrays", tensor=strict_tensor, autograd=tg.autograd)


@settings(max_examples=examples(40))
@given(strategies.gradient_problems(), st.sampled_from(DTYPES))
def test_generated_programs_on_strict_arrays_have_the_right_gradients(case, dtype):
    if case.judged(dtype):
        judge.check(case, STRICT, dtype)


def test_einsum_and_repeated_indices_need_no_function_beyond_the_standard():
    x = strict_tensor(np.arange(6.0).reshape(2, 3), requires_grad=True)
    y = tg.einsum("ij,ij->i", x, x)[strict_tensor(np.array([0, 0, 1]))]
    (gradient,) = tg.grad(y.sum(), x)
    np.testing.assert_array_equal(np.asarray(gradient.array), [[0, 4, 8], [6, 8, 10]])
    with pytest.raises(IndexError, match=r"index 5 is out of bounds .* shape \(2, 3\)"):
        x[[5, 0]]


@given(shapes=hnp.mutually_broadcastable_shapes(num_shapes=1, min_side=0, max_dims=4, max_side=3), data=st.data())
def test_unbroadcast_undoes_broadcasting(shapes, data):
    (shape,) = shapes.input_shapes
    full = data.draw(hnp.broadcastable_shapes(shape, min_dims=len(shape), min_side=0, max_dims=5, max_side=3))
    full = np.broadcast_shapes(shape, full)
    cotangent = np.random.default_rng(0).integers(-9, 9, full).astype(float)
    result = arrays.unbroadcast(cotangent, shape)
    expected = reduced_to(shape, cotangent)
    # it may be smaller than the shape, as long as it broadcasts to it
    np.testing.assert_array_equal(np.broadcast_to(result, shape), expected)


@given(n=st.integers(1, 64), x=st.integers(-3, 3))
def test_integer_power_is_the_power(n, x):
    assert arrays.integer_power(x, n) == x**n


def test_expand_gives_a_new_array():
    scalar = np.float32(2.0)
    full = arrays.expand(scalar, (2, 3))
    assert (full.dtype, full.shape, full.flags.writeable) == (np.float32, (2, 3), True)
    np.testing.assert_array_equal(full, 2.0)
    assert type(arrays.expand(strict.asarray(2.0), (2,))) is type(strict.asarray(2.0))


def test_one_unknown_length_is_found():
    assert arrays.full_shape((2, -1), 6, "view") == (2, 3)
    assert arrays.full_shape((-1,), 0, "view") == (0,)
    assert arrays.full_shape((), 1, "view") == ()
    for shape, size in [((-1, 0), 0), ((4, -1), 6), ((5,), 6), ((-1, -1), 4), ((-2,), 2)]:
        with pytest.raises(ShapeError):
            arrays.full_shape(shape, size, "view")


def test_dtypes_are_recognised():
    assert arrays.as_dtype("float32") == tg.float32 == tg.float
    assert arrays.is_floating(strict.float32)
    assert not any(arrays.is_floating(d) for d in (strict.int64, np.dtype(bool), np.dtype(complex)))
    with pytest.raises(DtypeError, match="float32, float64"):
        tg.zeros(2, dtype="float31")
    with pytest.raises(DtypeError, match="floating"):
        tg.set_default_dtype(tg.int64)


# devices


def test_devices_have_torchs_names_and_texts():
    cpu = tg.device("cpu")
    assert (cpu.type, cpu.index, str(cpu), repr(cpu)) == ("cpu", None, "cpu", "device(type='cpu')")
    assert cpu == tg.device(cpu) == tg.zeros(1).device
    assert cpu == tg.device("cpu", 0)
    assert len({cpu, tg.device("cpu:0")}) == 1
    assert cpu != "cpu"


@pytest.mark.parametrize("name", ["gpu", "cuda:", "cuda:x", "cuda:-1", "", "cpu:1:2"])
def test_what_is_no_device_is_refused(name):
    with pytest.raises(DeviceError, match="not a device"):
        tg.device(name)


@pytest.mark.parametrize("ask", [
    lambda: tg.device("cuda:0"), lambda: tg.device("cuda", 0), lambda: tg.zeros(1).to("cuda"),
    lambda: tg.linspace(0, 1, 3, device="cuda:0"), lambda: tg.nn.Linear(1, 1).to("cuda"),
], ids=["device", "device and index", "to", "linspace", "module"])  # fmt: skip
def test_a_gpu_without_cupy_names_the_extra_to_install(monkeypatch, ask):
    monkeypatch.setitem(__import__("sys").modules, "cupy", None)
    with pytest.raises(DeviceError, match=r"pip install 'tinygrad_poly\[cuda\]'"):
        ask()


# one object for each library


class Foreign:
    """An array of a library that the package does not know, without `__array_namespace__`."""

    __module__ = "foreign.arrays"

    def __init__(self, values):
        self.values = np.asarray(values)

    shape = property(lambda self: self.values.shape)
    dtype = property(lambda self: self.values.dtype)


class ForeignAnswers(arrays.Library):
    def on_cpu(self, array):
        return array.values

    def total(self, array, axis, keepdims):
        return Foreign(array.values.sum(axis, keepdims=keepdims))


def test_a_library_answers_for_its_arrays_and_for_their_subclasses(monkeypatch):
    monkeypatch.setattr(arrays, "_makers", {})
    arrays.register("foreign", ForeignAnswers)

    class Derived(Foreign):
        __module__ = "of_a_user"

    try:
        for kind in (Foreign, Derived):
            assert isinstance(arrays.library(kind([1.0])), ForeignAnswers)
            assert arrays.library(kind([1.0])) is arrays.library(kind([2.0]))
        np.testing.assert_array_equal(arrays.on_cpu(arrays.total(Foreign([[1.0, 2.0], [3.0, 4.0]]), 0)), [4, 6])
    finally:
        for kind in (Foreign, Derived):
            arrays._of_kind.pop(kind, None)


def test_numpy_answers_for_its_arrays_and_pythons_numbers():
    class Kept(np.ndarray):
        pass

    for array in (np.zeros(2), np.zeros(2).view(Kept), np.float32(1), 1.0, 2, True, None):
        assert arrays.library(array) is arrays.NUMPY
        assert arrays.namespace(array) is np


def test_the_standard_answers_for_a_library_that_nobody_made_known():
    array = strict.asarray([1.0])
    assert type(arrays.library(array)) is arrays.Library
    assert arrays.namespace(array) is strict
    assert arrays.together(1.0, np.zeros(2), array) is strict


def test_numbers_and_arrays_of_numpy_go_along_with_those_of_another_library():
    array = strict.asarray([1.0])
    assert arrays.common(np.zeros(1), 2.0, None) is arrays.NUMPY
    assert arrays.common(np.zeros(1), array, 2.0) is arrays.library(array)


def test_a_namespace_of_tensors_is_the_package():
    assert arrays.namespace(tg.zeros(1)) is tg
    assert arrays.namespace(tg.nn.Parameter(tg.zeros(1))) is tg
