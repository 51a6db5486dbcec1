"""The stand-in refuses what CuPy refuses: otherwise the tests that use it could not fail."""

import copy
import pickle
import sys

import numpy as np
import pytest

from . import cupy_on_cpu


@pytest.fixture
def x(cupy):
    return cupy.asarray(np.array([[1.0, 2.0], [3.0, 4.0]]))


REFUSED = {
    "conversion": lambda cupy, x: np.asarray(x),
    "conversion inside NumPy": lambda cupy, x: np.ones(2)[x[0]],
    "NumPy's array on the right": lambda cupy, x: x * np.ones(2),
    "NumPy's array on the left": lambda cupy, x: np.ones(2) * x,
    "NumPy's 0-d array": lambda cupy, x: x + np.array(1.0),
    "NumPy's array in a ufunc": lambda cupy, x: cupy.maximum(np.ones(2), x),
    "NumPy's array in a function": lambda cupy, x: cupy.where(np.ones(2) > 0, x, x),
    "NumPy's array set": lambda cupy, x: x.__setitem__(0, np.ones(2)),
    "a list of numbers to stack": lambda cupy, x: cupy.stack([1.0, 2.0]),
    "a keyword that CuPy lacks": lambda cupy, x: cupy.argsort(x, stable=True),
    "a reduction of NumPy's ufunc": lambda cupy, x: np.add.reduce(x),
    "NumPy's add.at": lambda cupy, x: np.add.at(x, 0, 1.0),
}


@pytest.mark.parametrize("attempt", REFUSED.values(), ids=REFUSED)
def test_it_refuses(cupy, x, attempt):
    with pytest.raises(TypeError):
        attempt(cupy, x)


@pytest.mark.parametrize("name", ["longdouble", "emath", "insert", "matvec", "unstack"])
def test_it_lacks_what_cupy_lacks(cupy, name):
    assert hasattr(np, name)
    assert not hasattr(cupy, name)


def test_results_without_dimensions_are_arrays_and_looking_at_them_is_counted(cupy, x):
    total = x.sum()
    assert type(total) is type(x[0, 0]) is type(cupy.max(x)) is cupy.ndarray
    assert cupy.counts["to_host"] == 0
    assert (float(total), bool(total > 9), total.item(), total.tolist(), str(total)) == (10, True, 10, 10, "array(10.)")
    assert cupy.counts["to_host"] == 5


def test_numpys_functions_reach_cupys(cupy, x):
    assert type(np.sin(x)) is type(np.where(x > 2, x, 0.0)) is type(np.float32(2) * x) is cupy.ndarray
    assert cupy.counts["to_host"] == 0


def test_an_index_out_of_range_wraps_around(cupy, x):
    assert x[cupy.asarray(np.array([3]))].tolist() == [[3.0, 4.0]]
    with pytest.raises(IndexError):
        x[3]


def test_linear_algebra_complains_only_where_it_is_asked_to(cupy, x):
    assert np.isnan(cupy.linalg.inv(x * 0).get()).all()
    with sys.modules["cupyx"].errstate(linalg="raise"), pytest.raises(np.linalg.LinAlgError):
        cupy.linalg.inv(x * 0)


def test_arrays_of_another_device_are_refused(cupy, x):
    with cupy.cuda.Device(1), pytest.raises(ValueError, match="different from the current device"):
        x + 1
    assert (x + 1).device.id == 0


def test_copies_stay_on_the_device(cupy, x):
    assert type(copy.deepcopy(x)) is type(pickle.loads(pickle.dumps(x))) is cupy.ndarray


def test_memory_ends(cupy):
    with pytest.raises(MemoryError, match="allocating 8,000,000,000 bytes"):
        cupy.zeros(10**9)


def test_it_goes_away_again():
    with cupy_on_cpu.installed() as module:
        assert sys.modules["cupy"] is module
    assert getattr(sys.modules.get("cupy"), "counts", None) is None
