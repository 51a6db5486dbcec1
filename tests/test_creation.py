"""Making tensors gives torch's shapes, dtypes and numbers."""

import array
import copy
import math
import pickle
import tracemalloc
import warnings

import array_api_strict as strict
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_poly as tg
from tinygrad_poly.engine.errors import DataError, DtypeError, ShapeError

from .helpers import DTYPES, assert_like, both, numbers

CALLS = {
    "tensor of a float": lambda m: m.tensor(2.5),
    "tensor of an int": lambda m: m.tensor(2),
    "tensor of a bool": lambda m: m.tensor(True),
    "tensor of mixed numbers": lambda m: m.tensor([1, 2.5]),
    "tensor of nested lists": lambda m: m.tensor([[1.0, 2.0], [3.0, 4.0]]),
    "tensor of tuples": lambda m: m.tensor(((1, 2), (3, 4))),
    "tensor of nothing": lambda m: m.tensor([]),
    "tensor of empty lists": lambda m: m.tensor([[], []]),
    "tensor of an array": lambda m: m.tensor(np.array([1.0, 2.0])),
    "tensor of a NumPy scalar": lambda m: m.tensor(np.float64(1.5)),
    "tensor with dtype": lambda m: m.tensor([1, 2], dtype=m.float),
    "tensor on a device": lambda m: m.tensor([1.0], device=m.device("cpu")),
    "tensor of a range": lambda m: m.tensor(range(3)),
    "as_tensor": lambda m: m.as_tensor([1.0, 2.0]),
    "as_tensor of a tensor": lambda m: m.as_tensor(m.tensor([1.0]), dtype=m.float64),
    "from_numpy": lambda m: m.from_numpy(np.array([1, 2])),
    "FloatTensor": lambda m: m.FloatTensor([[1], [2], [3]]),
    "full": lambda m: m.full((2, 3), 1.5),
    "Tensor": lambda m: m.Tensor([1, 2]),
    "Tensor of nothing": lambda m: m.Tensor(),
    "Tensor of sizes": lambda m: m.Tensor(2, 3).zero_(),
    "Tensor of a shape": lambda m: m.Tensor(m.zeros(2, 3).shape).zero_(),
    "LongTensor of an array": lambda m: m.LongTensor(np.array([1, 2])),
    "size=": lambda m: m.zeros(size=(2, 3)),
    "empty": lambda m: m.empty(2, 3).zero_(),
    "empty size=": lambda m: m.empty(size=(2,), dtype=m.float64).zero_(),
    "empty_like": lambda m: m.empty_like(m.ones(2, 3)).zero_(),
    "range": lambda m: m.arange(1.0, 4.0),
    "logspace": lambda m: m.logspace(0, 3, 4),
    "logspace of base 2": lambda m: m.logspace(-1, 3, 5, base=2, dtype=m.float64),
    "new_tensor": lambda m: m.ones(1, dtype=m.float64).new_tensor([1, 2]),
    "new_zeros": lambda m: m.ones(1, dtype=m.int64).new_zeros(2, 3),
    "new_ones": lambda m: m.ones(1).new_ones((2, 3), dtype=m.int32),
    "new_full": lambda m: m.ones(1, dtype=m.float64).new_full((2,), 7),
    "new_empty": lambda m: m.ones(1, dtype=m.bool).new_empty(0),
    "type_as": lambda m: m.tensor([1, 2]).type_as(m.ones(1, dtype=m.float64)),
    "type by function": lambda m: m.tensor([1.5, 2]).type(m.LongTensor),
    "type by text": lambda m: m.tensor([1.5, 2]).type("torch.DoubleTensor"),
    "type by dtype": lambda m: m.tensor([1, 2]).type(m.float32),
    "to a dtype": lambda m: m.tensor([1, 2]).to(m.float16),
    "to a device and a dtype": lambda m: m.tensor([1, 2]).to("cpu", m.float64),
    **{
        f"{name}()": lambda m, name=name: getattr(m.tensor([0.0, 1.0, 2.7, 100.9]), name)()
        for name in ("long", "int", "short", "char", "byte", "bool", "half", "float", "double")
    },
    **{
        f"{name}Tensor": lambda m, name=name: getattr(m, f"{name}Tensor")([1, 0, 2])
        for name in ("Long", "Int", "Short", "Char", "Byte", "Bool", "Half", "Double")
    },
    **{
        f"{name}Tensor of sizes": lambda m, name=name: getattr(m, f"{name}Tensor")(2, 3).mul_(0)
        for name in ("Long", "Double")
    },
    "full of ints": lambda m: m.full((2,), 7),
    "full of bools": lambda m: m.full((2,), True),
    "zeros": lambda m: m.zeros(2, 3),
    "zeros of a tuple": lambda m: m.zeros((2, 0)),
    "zeros 0-d": lambda m: m.zeros(()),
    "zeros with dtype": lambda m: m.zeros(1, dtype=m.int64),
    "ones": lambda m: m.ones([4]),
    "zeros_like": lambda m: m.zeros_like(m.tensor([[1, 2]])),
    "ones_like": lambda m: m.ones_like(m.tensor([[1.5, 2]])),
    "arange": lambda m: m.arange(5),
    "arange from to": lambda m: m.arange(1, 4),
    "arange of floats": lambda m: m.arange(0, 1, 0.1),
    "arange downwards": lambda m: m.arange(3, 0, -1),
    "arange with dtype": lambda m: m.arange(3, dtype=m.float64),
    "linspace of ints": lambda m: m.linspace(0, 10, 5, dtype=m.int64),
    "linspace of one": lambda m: m.linspace(3, 5, 1),
    "linspace of none": lambda m: m.linspace(3, 5, 0),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_creation_is_torchs(call):
    mine, reference = call(tg), call(torch)
    assert_like(mine, reference)
    assert (repr(mine), mine.type()) == (repr(reference), reference.type())
    assert (str(mine.dtype), str(mine.shape), f"{mine.size()}") == (
        str(reference.dtype),
        str(reference.shape),
        f"{reference.size()}",
    )


@pytest.mark.parametrize("dtype", DTYPES)
@given(
    start=st.floats(-1000, 1000, width=32, allow_subnormal=False),
    end=st.floats(-1000, 1000, width=32, allow_subnormal=False),
    steps=st.integers(0, 2100),
)
def test_linspace_gives_torchs_numbers_up_to_one_rounding(dtype, start, end, steps):
    mine, reference = (numbers(m.linspace(start, end, steps, dtype=getattr(m, dtype))) for m in (tg, torch))
    # Each computes start + distance · position: torch rounds the product or not (it depends on the
    # processor), which is half a unit of at most |end − start|; the sum is rounded by each, u of the result.
    u = np.finfo(dtype).eps / 2
    bound = u * (abs(end - start) + 2 * np.maximum(abs(start), abs(end)))
    assert np.all(np.abs(mine.astype(np.float64) - reference) <= bound)
    if steps > 1:
        assert (mine[0], mine[-1]) == (start, end)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("steps", [2, 5, 999, 1000, 2000])
def test_the_tutorials_points_are_torchs(steps, dtype):
    points = [
        m.linspace(-math.pi, math.pi, steps, dtype=getattr(m, dtype), device=m.device("cpu")) for m in (tg, torch)
    ]
    assert_like(*points)
    if steps % 2 == 0:
        np.testing.assert_array_equal(numbers(points[0]), -numbers(points[0])[::-1])


@both
def test_made_tensors_are_leaves_that_may_require_grad(m):
    for make in (m.zeros, m.ones, m.rand, m.randn):
        x = make(1, requires_grad=True)
        assert (x.requires_grad, x.is_leaf, x.grad) == (True, True, None)
    assert m.linspace(0, 1, 3, requires_grad=True).requires_grad
    assert m.full((2,), 1.0, requires_grad=True).requires_grad
    assert not m.zeros(1).requires_grad


def test_a_tensor_of_tensors_takes_their_numbers():
    parts = [tg.tensor(1.0, requires_grad=True), tg.tensor(2.0)]
    assert tg.tensor(parts).tolist() == [1.0, 2.0]
    assert not tg.tensor(parts[0]).requires_grad


def test_the_default_dtype_is_for_python_floats_only():
    tg.set_default_dtype("float64")
    try:
        assert tg.tensor([1.0]).dtype == tg.zeros(1).dtype == tg.linspace(0, 1, 2).dtype == tg.get_default_dtype()
        assert tg.tensor([1]).dtype == tg.int64
        assert tg.FloatTensor([1]).dtype == tg.tensor(np.float32(1)).dtype == tg.float32
    finally:
        tg.set_default_dtype(tg.float32)
    assert tg.tensor([1.0]).dtype == tg.float32


def test_what_cannot_be_a_tensor_is_refused():
    for data in ("text", None, [None], ["a"], {"a": 1}, object()):
        with pytest.raises(DtypeError, match="expected numbers"):
            tg.tensor(data)
    with pytest.raises(DtypeError, match="NumPy array"):
        tg.from_numpy([1.0])
    with pytest.raises(ShapeError, match="equal lengths"):
        tg.tensor([[1.0], [2.0, 3.0]])
    for make in (tg.zeros, tg.ones):
        with pytest.raises(ShapeError, match=r"\(2, -1\)"):
            make(2, -1)
    with pytest.raises(ShapeError, match="-1"):
        tg.linspace(0, 1, -1)
    with pytest.raises(ShapeError, match="step"):
        tg.arange(0, 1, 0)


def test_an_array_of_another_library_stays_one():
    x = tg.tensor(strict.asarray([1.0, 2.0], dtype=strict.float64), requires_grad=True)
    (x * x).sum().backward()
    assert x.array.__array_namespace__() is strict
    assert x.grad.array.__array_namespace__() is strict
    assert x.grad.tolist() == [2.0, 4.0]


def test_an_array_of_another_library_is_copied():
    array = strict.asarray([1.0, 2.0])
    x = tg.tensor(array)
    array[0] = 100.0
    assert x.tolist() == [1.0, 2.0]


def test_an_array_is_copied_once():
    x = np.ones(10**6)
    tracemalloc.start()
    tg.tensor(x)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert x.nbytes <= most < 1.5 * x.nbytes


class Column:
    """A column of a table, as in pandas, polars or xarray: no array, but it can be asked for one."""

    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        return np.array(self.values, dtype)


WITH_DTYPE = {
    "a column": lambda x: Column(x),
    "torch's tensor": lambda x: torch.tensor(x),
    "Python's array": lambda x: array.array(x.dtype.char, x.tolist()),
    "a buffer": lambda x: memoryview(x),
    "a list of NumPy's numbers": lambda x: list(x),
    "a list of NumPy's and Python's numbers": lambda x: [*x, 1.5],
    "a list of arrays": lambda x: [x, x],
    "a list of tensors": lambda x: [tg.tensor(v) for v in x],
    "a list of torch's tensors": lambda x: [torch.tensor(v) for v in x],
    "a masked array without masked elements": lambda x: np.ma.array(x),
    "another byte order": lambda x: x.astype(x.dtype.newbyteorder()),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("given", WITH_DTYPE.values(), ids=WITH_DTYPE)
def test_what_has_a_dtype_keeps_it(given, dtype):
    x = np.array([1600000000.0, 1600000060.0], dtype)
    found = tg.tensor(given(x))
    assert found.dtype == np.dtype(dtype)
    assert found.dtype.isnative
    assert (found.reshape(-1)[1] - found.reshape(-1)[0]).item() == float(x[1]) - float(x[0])


def test_whole_numbers_promote_nothing_beside_floating_ones():
    for mixed in ([np.int64(1), 2.5], [np.float32(1), 2, True], [np.array(1), np.float32(2)]):
        assert tg.tensor(mixed).dtype == tg.float32
    assert tg.tensor([np.int64(1), 2.5], dtype=tg.float64).dtype == tg.float64


COMPLEX = {
    "a number": lambda: tg.tensor(1j),
    "a list": lambda: tg.tensor([1.0, 2j]),
    "an array": lambda: tg.tensor(np.ones(2, np.complex64)),
    "a number of NumPy's": lambda: tg.tensor(np.complex64(1)),
    "a list of arrays": lambda: tg.tensor([np.ones(2), np.ones(2, complex)]),
    "beside a tensor": lambda: tg.ones(2) * np.array([1j, 2]),
    "before a tensor": lambda: np.array([1j, 2]) * tg.ones(2),
    "a scalar beside a tensor": lambda: tg.ones(2) * np.complex64(1j),
    "an argument": lambda: tg.where(tg.ones(2) > 0, 1j, tg.ones(2)),
    "a dtype": lambda: tg.zeros(2, dtype=np.complex128),
    "a conversion": lambda: tg.ones(2).to(np.complex64),
}


@pytest.mark.parametrize("make", COMPLEX.values(), ids=COMPLEX)
def test_complex_numbers_are_refused_at_the_door(make):
    with pytest.raises(DtypeError, match="complex numbers are not supported: compute with two tensors"):
        make()


@pytest.mark.parametrize(
    "use",
    [tg.tensor, tg.from_numpy, lambda x: tg.tensor([x, x]), lambda x: tg.ones(3) * x],
    ids=["tensor", "from_numpy", "list", "beside"],
)
def test_masked_elements_are_not_taken_for_numbers(use):
    with pytest.raises(DataError, match=r"\.compressed\(\)"):
        use(np.ma.array([1.0, 2.0, -9999.0], mask=[0, 0, 1]))


def test_linspace_refuses_ends_that_are_no_numbers():
    for ends in [(tg.tensor([1.0, 2.0]), 3.0), (0.0, np.ones(3))]:
        with pytest.raises(ShapeError, match=r"linspace\(\): start and end are numbers, not of shape"):
            tg.linspace(*ends, 3)
    assert tg.linspace(tg.tensor(0.0), tg.tensor(1.0), 3).tolist() == [0.0, 0.5, 1.0]


@pytest.mark.parametrize("dtype", ["uint8", "int8", "bool", "uint16"])
@pytest.mark.parametrize("name", ["sum", "prod", "cumsum", "cumprod"])
def test_whole_numbers_are_added_and_multiplied_in_int64(dtype, name):
    x = np.ones(300, dtype)
    dims = (0,) if name.startswith("cum") else ()
    assert_like(getattr(tg, name)(tg.tensor(x), *dims), getattr(torch, name)(torch.tensor(x), *dims))


def test_complex_fillings_are_refused():
    for make in (lambda: tg.full((2,), 1j), lambda: tg.full_like(tg.ones(2), np.complex64(1j))):
        with pytest.raises(DtypeError, match="complex"):
            make()


@both
def test_the_old_range_includes_its_end(m):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        assert [m.range(0, 3).tolist(), m.range(3, 1, -1).tolist(), m.range(0, 1, 0.4).dtype == m.float32] == [
            [0.0, 1.0, 2.0, 3.0],
            [3.0, 2.0, 1.0],
            True,
        ]


@both
def test_dtypes_and_sizes_are_torchs_and_numpys(m):
    x = m.ones(2, 3, 4)
    assert x.dtype is m.float32
    assert isinstance(x.dtype, m.dtype)
    assert isinstance(x.shape, m.Size)
    assert isinstance(x.shape, tuple)
    assert [repr(part) for part in (m.float16, m.bool, x.shape[1:], x.size(), x.shape[0], m.device("cpu"))] == [
        "torch.float16", "torch.bool", "torch.Size([3, 4])", "torch.Size([2, 3, 4])", "2", "device(type='cpu')"
    ]  # fmt: skip
    assert (x.shape.numel(), x.numel(), m.numel(x), x.nelement(), x.element_size(), x.nbytes) == (24, 24, 24, 24, 4, 96)
    assert (m.float32.is_floating_point, m.int64.is_floating_point, m.uint8.is_signed) == (True, False, False)
    assert pickle.loads(pickle.dumps(m.int64)) is copy.deepcopy(m.int64) is m.int64
    assert (m.inf, m.pi, m.e, m.newaxis) == (math.inf, math.pi, math.e, None)
    assert x[:, m.newaxis].shape == (2, 1, 3, 4)


def test_numpy_takes_dtypes_for_its_own():
    for kind in (tg.float32, tg.float64, tg.float16, tg.int64, tg.int32, tg.int16, tg.int8, tg.uint8, tg.bool):
        numpys = np.dtype(kind.name)
        assert kind == numpys == kind == kind.type
        assert np.dtype(kind) == np.zeros(2, kind).dtype == np.zeros(2).astype(kind).dtype == numpys
        assert {numpys: 1}[kind] == {kind: 1}[numpys] == 1
        assert (kind.itemsize, np.result_type(kind, np.float64)) == (numpys.itemsize, np.float64)
    assert np.finfo(tg.float32).eps == np.finfo(np.float32).eps
    assert tg.ones(2).astype(np.int32).dtype == tg.int32
    with pytest.raises(DtypeError, match="complex"):
        tg.zeros(2, dtype=np.complex64)
