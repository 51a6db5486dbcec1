"""What a fit is given: dtypes, byte orders, containers and names; and what it refuses."""

import numpy as np
import pytest

import tinygrad_poly as tg
from tinygrad_poly.engine.errors import DtypeError
from tinygrad_poly.fitting import fit
from tinygrad_poly.fitting.arguments import objective

pytestmark = pytest.mark.filterwarnings("ignore:Numba is not installed")


def cubic(params, x, y):
    return ((params["d"] * x**3 - y) ** 2).mean()


YEARS = np.arange(1900, 2020, 20)


@pytest.mark.parametrize("kind", ["i2", "i4", ">i4", "i8", ">i8", "u2", "u8", "f4", ">f4", "f8", ">f8"])
@pytest.mark.parametrize("how", [{}, {"compile": True}, {"compile": True, "hoist": "algebra"}], ids=str)
def test_whole_numbers_take_the_dtype_of_the_weights_first(kind, how):
    result = fit(cubic, {"d": 1.0}, YEARS.astype(kind), 2.0 * YEARS**3, lr=1e-21, steps=3000, progress=False, **how)
    assert result.params["d"].item() == pytest.approx(2.0, rel=1e-6)


def test_differences_of_whole_numbers_without_a_sign_have_one():
    x, y = np.array([1, 2, 3], np.uint8), np.array([1, 1, 1], np.uint8)
    target, weights = objective(lambda params, x, y: (params[0] * (y - x)).sum(), [1.0], x, y)
    assert target(weights).item() == -3.0


@pytest.mark.parametrize(
    ("x", "y", "dtype"),
    [
        ([1, 2], [3, 4], "float32"),
        (np.array([1, 2]), np.array([3.0, 4.0]), "float64"),
        ([1, 2**24], [True, False], "float32"),
        ([1, 2**24 + 1], [3, 4], "float64"),
        ([1, 2], np.array([3, 1600000060]), "float64"),
        (np.array([1.0, 2.0], "f4"), np.array([3.0, 4.0]), "float32"),
        (np.array([1.0, 2.0]), np.array([3, 4]), "float64"),
    ],
    ids=["no floats", "y", "small", "large", "seconds", "x first", "x"],
)
def test_numbers_become_weights_in_the_dtype_of_the_floating_data(x, y, dtype):
    target, weights = objective(cubic, {"d": 1}, x, y)
    assert weights["d"].dtype == dtype
    assert target.x.dtype.kind == "f"
    assert target.y.dtype.kind in "fb"


def test_whole_numbers_as_weights_are_numbers_too():
    _, weights = objective(lambda params, x, y: params[0].sum(), [np.array([1, 2]), tg.tensor(3)], [0.5], [1.0])
    assert [w.dtype for w in weights.values()] == ["float32", "float32"]


def test_class_labels_and_indices_stay_whole_numbers():
    labels = np.array([0, 1, 2, 1])

    def loss(params, x, y):
        return tg.nn.functional.cross_entropy(params["table"][x], y)

    start = {"table": np.zeros((2, 3))}
    x = np.array([0, 1, 1, 0])
    target, weights = objective(loss, start, x, labels)
    assert (target.x.dtype, target.y.dtype) == (tg.int64, tg.int64)
    assert fit(loss, start, x, labels, steps=5, lr=0.1, progress=False).loss < target(weights).item()


def test_blocks_of_whole_numbers_take_the_dtype_of_the_weights_unless_they_are_labels():
    da = pytest.importorskip("dask.array")
    x, y = da.from_array(YEARS.astype("i4"), chunks=2), da.from_array(2.0 * YEARS**3, chunks=2)
    result = fit(cubic, {"d": 1.0}, x, y, lr=1e-21, steps=200, progress=False)
    assert result.params["d"].item() == pytest.approx(2.0, abs=0.1)
    labels = da.from_array(np.array([0, 1, 2, 1, 0, 0]), chunks=2)
    points = da.from_array(np.arange(12.0).reshape(6, 2), chunks=(2, 2))

    def loss(params, x, y):
        return ((x @ params["w"]) * (y.reshape(-1, 1) == tg.arange(3)).double()).sum()

    target, _ = objective(loss, {"w": np.zeros((2, 3))}, points, labels)
    assert target({"w": tg.ones((2, 3), dtype=tg.float64)}).item() == 66.0


@pytest.mark.parametrize("place", ["x", "y", "params"])
def test_complex_numbers_are_refused_by_name(place):
    given = {"x": [1.0, 2.0], "y": [1.0, 2.0], "params": {"d": 1.0}}
    given[place] = {"d": 1j} if place == "params" else np.array([1j, 2.0])
    with pytest.raises(DtypeError, match=rf"{place}.*: complex numbers are not supported"):
        fit(cubic, **given, progress=False)


class Labelled:
    """An array as xarray's are: it always has the method, and a graph only where its data are Dask arrays."""

    def __init__(self, data):
        self.data = data

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.data, dtype)

    def __dask_graph__(self):
        return self.data.__dask_graph__() if hasattr(self.data, "__dask_graph__") else None


def test_labelled_arrays_are_arrays_of_dask_only_where_they_hold_some():
    x = np.array([1.0, 2.0])
    target, _ = objective(cubic, {"d": 1.0}, Labelled(x), Labelled(x))
    assert not target.in_blocks
    da = pytest.importorskip("dask.array")
    target, _ = objective(cubic, {"d": 1.0}, Labelled(da.from_array(x)), Labelled(da.from_array(x)))
    assert target.in_blocks
    assert isinstance(target.x, da.Array)


@pytest.mark.parametrize("how", [{}, {"compile": True}, {"compile": True, "hoist": "algebra"}], ids=str)
@pytest.mark.parametrize(
    "names", [(1, 2), ("ﬁ", "fi"), ("µ", "μ"), (("w", 0), ("w", 1)), ("a b", "a_b"), ("v1", "v2")], ids=str
)
def test_weights_may_have_any_names(names, how):
    first, second = names
    x = np.array([1.0, 2.0, 3.0])
    result = fit(
        lambda p, x, y: ((p[first] * x + p[second] - y) ** 2).mean(),
        {first: 0.0, second: 0.0}, x, 2 * x + 1, steps=2000, lr=0.1, progress=False, **how,
    )  # fmt: skip
    assert {name: round(w.item(), 6) for name, w in result.params.items()} == {first: 2.0, second: 1.0}
