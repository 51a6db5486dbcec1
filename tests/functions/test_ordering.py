import pickle

import numpy as np
import pytest
import torch

import tinygrad_poly as tg
from tinygrad_poly.engine.errors import DimensionError, DtypeError, ShapeError

from ..helpers import assert_like

X = np.array([[1.0, -2.0, 0.5, 3.0], [4.0, 0.0, 8.0, -1.0], [2.5, 7.0, -3.0, 6.0]], np.float32)
PAIRS = ["max", "min", "median"]


def assert_pair(mine, reference):
    assert_like(mine.values, reference.values)
    assert_like(mine.indices, reference.indices)
    assert (mine.values, mine.indices) == (mine[0], mine[1])


@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize("dim", [0, 1, -1])
@pytest.mark.parametrize("name", PAIRS)
def test_values_and_indices_along_a_dimension_are_torchs(name, dim, keepdim):
    mine, reference = (getattr(m, name)(m.tensor(X), dim, keepdim) for m in (tg, torch))
    assert_pair(mine, reference)
    assert_pair(getattr(tg.tensor(X), name)(axis=dim, keepdims=keepdim), reference)


@pytest.mark.parametrize("name", PAIRS)
def test_of_a_number_and_of_no_rows_what_torch_says(name):
    assert_pair(*(getattr(m, name)(m.tensor(3.0), 0) for m in (tg, torch)))
    assert_pair(*(getattr(m, name)(m.zeros(2, 0), 0) for m in (tg, torch)))


@pytest.mark.parametrize("name", ["max", "min"])
def test_the_extreme_of_two_tensors_is_elementwise(name):
    mine, reference = (getattr(m, name)(m.tensor(X), m.tensor(X[1])) for m in (tg, torch))
    assert_like(mine, reference)


@pytest.mark.parametrize("dtype", ["int32", "int64", "bool"])
def test_integers_have_an_order_too(dtype):
    mine, reference = (m.tensor([[3, 0, 2], [1, 1, 0]]).to(getattr(m, dtype)) for m in (tg, torch))
    for name in ("max", "min"):
        assert_pair(getattr(mine, name)(1), getattr(reference, name)(1))
    for descending in (False, True):
        assert_like(
            mine.sort(1, descending=descending)[0], torch.sort(reference, dim=1, descending=descending, stable=True)[0]
        )


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("dim", [0, 1, -1])
def test_sorting_is_torchs(dim, descending):
    mine, reference = (m.sort(m.tensor(X), dim, descending) for m in (tg, torch))
    assert_pair(mine, reference)
    assert_like(tg.tensor(X).argsort(dim, descending), reference.indices)
    assert_like(tg.argsort(tg.tensor(X), axis=dim, descending=descending, stable=True), reference.indices)


def test_a_number_and_nothing_are_sorted_already():
    for make in (lambda m: m.tensor(3.0), lambda m: m.zeros(0), lambda m: m.zeros(2, 0)):
        assert_pair(*(make(m).sort() for m in (tg, torch)))


@pytest.mark.parametrize("largest", [True, False])
@pytest.mark.parametrize("dim", [0, -1])
@pytest.mark.parametrize("k", [0, 1, 3])
def test_the_largest_k_are_torchs(k, dim, largest):
    assert_pair(*(m.topk(m.tensor(X), k, dim, largest) for m in (tg, torch)))


def test_the_largest_one_of_a_number_is_the_number():
    assert_pair(*(m.tensor(3.0).topk(1) for m in (tg, torch)))
    assert tg.tensor(3.0).topk(0).values.shape == (0,)


@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize("dim", [None, 0, 1, -1])
@pytest.mark.parametrize("name", ["argmax", "argmin"])
def test_where_the_extremes_are_is_torchs(name, dim, keepdim):
    at = np.round(X / 4) * 4  # with ties
    mine, reference = (getattr(m, name)(m.tensor(at), dim, keepdim) for m in (tg, torch))
    assert_like(mine, reference)
    assert_like(getattr(tg.tensor(at), name)(axis=dim, keepdims=keepdim), reference)
    assert not getattr(tg.tensor(at, requires_grad=True), name)(dim).requires_grad


@pytest.mark.parametrize("name", ["argmax", "argmin"])
def test_the_extreme_of_a_number_is_at_0(name):
    for dim in (None, 0, -1):
        assert_like(*(getattr(m, name)(m.tensor(3.0), dim) for m in (tg, torch)))


@pytest.mark.parametrize("name", [*PAIRS, "argmax", "argmin"])
def test_nothing_has_no_extreme_and_no_middle(name):
    for shape, dim, empty in [((0,), None, 0), ((0,), 0, 0), ((2, 0), 1, 1), ((2, 0), None, 1)]:
        with pytest.raises(ShapeError, match=rf"^{name}\(\) of no elements.*dimension {empty} .* has length 0"):
            getattr(tg, name)(tg.zeros(shape), dim)


@pytest.mark.parametrize("name", [*PAIRS, "argmax", "argmin", "sort", "argsort"])
def test_one_dimension_that_exists_is_wanted(name):
    function = getattr(tg, name)
    with pytest.raises(DimensionError, match=rf"^{name}: dimension 2 is out of range"):
        function(tg.tensor(X), 2)
    with pytest.raises(DimensionError, match=rf"^{name} works along one dimension"):
        function(tg.tensor(X), (0, 1))
    with pytest.raises(DtypeError, match=rf"^{name}\(\) expects a tensor"):
        function([1.0])


@pytest.mark.parametrize("k", [-1, 5, 2.0])
def test_k_must_be_a_number_of_elements(k):
    with pytest.raises(ShapeError, match=r"^topk: k must be .*0 to 4, the length of dimension 1"):
        tg.tensor(X).topk(k)


def test_results_of_several_tensors_print_as_torchs():
    x = [[3.0, 7.0, 5.0], [1.0, 2.0, 0.0]]
    for call in (
        lambda x: x.max(0),
        lambda x: x.min(dim=1, keepdim=True),
        lambda x: x.median(1),
        lambda x: x.sort(descending=True),
        lambda x: x.topk(2),
        lambda x: x.topk(0),
        lambda x: x.aminmax(),
    ):
        mine = call(tg.tensor(x))
        assert repr(mine) == str(mine) == repr(call(torch.tensor(x)))
    again = pickle.loads(pickle.dumps(tg.tensor(x).max(0)))
    assert repr(again) == repr(tg.tensor(x).max(0))
    assert again.indices.tolist() == again[1].tolist() == [0, 0, 0]


@pytest.mark.parametrize("largest", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "int64"])
@pytest.mark.parametrize("kind", ["all differ", "many are equal", "some are NaN"])
def test_the_ends_of_long_rows_are_those_of_the_sorted_rows(kind, dtype, largest):
    rng = np.random.default_rng(0)
    rows = (
        rng.permutation(3 * 700 * 9).reshape(3, 700, 9) if kind != "many are equal" else rng.integers(0, 9, (3, 700, 9))
    )
    rows = rows.astype(dtype)
    if kind == "some are NaN" and dtype == "float32":
        rows.flat[rng.integers(0, rows.size, 40)] = rng.choice([np.nan, np.inf, -np.inf], 40)
    for k in (1, 17):
        found, expected = tg.topk(tg.tensor(rows), k, 1, largest), tg.sort(tg.tensor(rows), 1, descending=largest)
        for mine, reference in zip(found, expected, strict=True):
            np.testing.assert_array_equal(mine.numpy(), reference.numpy()[:, :k])


def test_slices_of_many_rows_bring_their_gradients_back():
    x = tg.tensor(np.arange(80.0).reshape(2, 40), requires_grad=True)
    parts = tg.unbind(x, 1)
    assert [p.tolist() for p in parts] == x.T.tolist()
    (tg.stack(parts, 1) * tg.arange(80.0).reshape(2, 40) + parts[7].sum()).sum().backward()
    expected = np.arange(80.0).reshape(2, 40)
    expected[:, 7] += 80
    np.testing.assert_array_equal(x.grad.numpy(), expected)
