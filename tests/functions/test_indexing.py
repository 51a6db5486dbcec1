"""What the functions of indexing return, and what they refuse."""

import numpy as np
import pytest
import torch

import tinygrad_poly as tg
from tinygrad_poly.engine.errors import DimensionError, DtypeError, ShapeError

from ..helpers import assert_like, both, leaf, numbers

SAME = {
    "select": lambda m, x: m.select(x, -1, 2),
    "narrow from the end": lambda m, x: m.narrow(x, 2, -2, 2),
    "narrow of nothing": lambda m, x: x.narrow(1, 3, 0),
    "take": lambda m, x: m.take(x, m.tensor([[0, 23], [-1, 5]])),
    "index_select by a number": lambda m, x: m.index_select(x, 1, m.tensor(2)),
    "index_select twice": lambda m, x: x.index_select(-1, m.tensor([3, 3, 0])),
    "gather": lambda m, x: x.gather(2, m.tensor([[[3, 0], [1, 1]]])),
    "gather of nothing": lambda m, x: x.gather(0, m.zeros((0, 3, 4), dtype=m.int64)),
    "take_along_dim": lambda m, x: m.take_along_dim(x, m.tensor([[[1], [0], [2]]]), 2),
    "take_along_dim of all": lambda m, x: m.take_along_dim(x, m.tensor([5, 0])),
    "masked_select": lambda m, x: m.masked_select(x, x % 3 == 0) if m is torch else m.masked_select(x, mask(x)),
    "masked_select, broadcast": lambda m, x: m.masked_select(x[0], m.tensor([[[True]], [[False]], [[True]]])),
    "masked_select of none": lambda m, x: x.masked_select(x < 0),
    "nonzero": lambda m, x: m.nonzero(x > 20),
    "nonzero of a number": lambda m, x: m.tensor(3.0).nonzero(),
    "nonzero of zero": lambda m, x: m.tensor(0.0).nonzero(),
    "nonzero of nothing": lambda m, x: (x < 0).nonzero(),
    "index_add": lambda m, x: m.index_add(x, 0, m.tensor([1, 1, 0]), m.arange(36).reshape(3, 3, 4), alpha=2),
    "index_put of a number": lambda m, x: x.index_put((m.tensor([1]), m.tensor([2])), m.tensor(7)),
    "index_put at a mask": lambda m, x: m.index_put(x, [x > 20], m.tensor([1, 2, 3])),
    "scatter": lambda m, x: m.scatter(x, 1, m.tensor([[[2, 1], [0, 0]]]), -x),
    "scatter of a number": lambda m, x: x.scatter(2, m.tensor([[[2, 1], [0, 0]]]), 5),
    "scatter_add": lambda m, x: m.scatter_add(x, 1, m.tensor([[[2, 1], [2, 0]]]), x),
}


def mask(x):
    return tg.tensor(x.numpy() % 3 == 0)


def counted(m):
    return m.arange(24).reshape(2, 3, 4)


@pytest.mark.parametrize("function", SAME.values(), ids=SAME)
def test_function_is_torchs(function):
    assert_like(function(tg, counted(tg)), function(torch, counted(torch)))


@both
def test_nonzero_as_a_tuple_is_an_index(m):
    x = counted(m) - 20
    found = m.nonzero(x, as_tuple=True)
    assert len(found) == 3
    assert x[found].tolist() == [n for n in range(-20, 4) if n]
    assert [part.tolist() for part in m.tensor(3.0).nonzero(as_tuple=True)] in ([], [[0]])


NUMPYS = {
    "take(axis=)": lambda m, x: m.take(x, m.asarray([[0, 2], [1, -1]]), axis=1),
    "take": lambda m, x: m.take(x, m.asarray([3, -1])),
    "take_along_axis": lambda m, x: m.take_along_axis(x, m.asarray([[[0, -1]]]), axis=2),
    "x[::-1, ..., ::-2]": lambda m, x: x[::-1, ..., ::-2],
    "x[[[0, 1]], :, [[1], [2]]]": lambda m, x: x[[[0, 1]], :, [[1], [2]]],
    "x[[[1, 0], [0, 0]]]": lambda m, x: x[[[1, 0], [0, 0]]],
    "x[True]": lambda m, x: x[True],
    "x[[]]": lambda m, x: x[[]],
    "x[np.array([]).astype(int)]": lambda m, x: x[np.array([], int)],
    "x[np.int8(1)]": lambda m, x: x[np.int8(1)],
}


@pytest.mark.parametrize("function", NUMPYS.values(), ids=NUMPYS)
def test_function_or_index_is_numpys(function):
    np.testing.assert_array_equal(numbers(function(tg, counted(tg))), function(np, counted(np)))


REFUSED = {
    "too large": (lambda m, x: x[0, 3], IndexError, r"3 is out of bounds .* 1 with size 3.*shape \(2, 3, 4\)"),
    "too small": (lambda m, x: x[-3], IndexError, "-3 is out of bounds .* 0 with size 2"),
    "too large in a list": (lambda m, x: x[:, [0, 5]], IndexError, "5 is out of bounds .* 1 with size 3"),
    "too many": (lambda m, x: x[0, 0, 0, 0], IndexError, "too many indices.*4 were indexed"),
    "two ellipses": (lambda m, x: x[..., ...] if m is tg else x[()][9], IndexError, "ellipsis"),
    "a mask that does not fit": (lambda m, x: x[m.tensor([True] * 3)], IndexError, "size .* 2 but .* 3"),
    "a float": (lambda m, x: x[1.0], IndexError, "integers"),
    "a tensor of floats": (lambda m, x: x[m.tensor([0.0])], IndexError, "integer"),
    "a string": (lambda m, x: x["a"], IndexError, "integers"),
    "lists of two lengths": (lambda m, x: x[[0, 1], [0, 1, 2]], IndexError, r"\(2,\) \(3,\)"),
    "select": (lambda m, x: m.select(x, 1, 3), IndexError, "size 3"),
    "select beyond": (lambda m, x: m.select(x, 3, 0), DimensionError, "dimension 3 is out of range"),
    "narrow": (lambda m, x: m.narrow(x, 1, 2, 2), ShapeError, "2 from 2 on are not in dimension 1 of length 3"),
    "narrow of less": (lambda m, x: m.narrow(x, 1, 2, -1), ShapeError, "-1 from 2"),
    "take": (lambda m, x: m.take(x, m.tensor([24])), IndexError, "24 is out of bounds .* 24"),
    "take by numbers": (lambda m, x: m.take(x, m.tensor([0.5])), DtypeError, "integers, not float32"),
    "index_select": (lambda m, x: m.index_select(x, 0, m.tensor([2])), IndexError, "size 2"),
    "index_select by a matrix": (lambda m, x: m.index_select(x, 0, m.tensor([[0]])), ShapeError, r"\(1, 1\)"),
    "gather": (lambda m, x: m.gather(x, 0, m.tensor([[[2]]])), IndexError, "size 2"),
    "gather by a vector": (lambda m, x: m.gather(x, 0, m.tensor([0])), ShapeError, "3 dimensions are needed"),
    "gather too long": (
        lambda m, x: m.gather(x, 0, m.zeros((1, 4, 4), dtype=m.int64)), ShapeError, "longer in dimension 0 only",
    ),
    "gather by numbers": (lambda m, x: m.gather(x, 0, m.zeros(1, 1, 1)), DtypeError, "integers, not float32"),
    "take_along_dim": (lambda m, x: m.take_along_dim(x, m.tensor([[0]]), 0), ShapeError, "2-d indices"),
    "take_along_dim of others": (
        lambda m, x: m.take_along_dim(x, m.zeros((1, 2, 4), dtype=m.int64), 0), ShapeError, "do not fit together",
    ),
    "masked_select": (lambda m, x: m.masked_select(x, x), DtypeError, "booleans, not int64; compare"),
    "masked_select of others": (lambda m, x: m.masked_select(x, x[:, :2] > 0), ShapeError, "do not fit together"),
    "index_add": (lambda m, x: m.index_add(x, 0, m.tensor([0]), x), ShapeError, r"\(2, 3, 4\), but \(1, 3, 4\)"),
    "index_add by a matrix": (lambda m, x: m.index_add(x, 0, m.tensor([[0]]), x), ShapeError, "1 dimensions"),
    "index_put": (lambda m, x: x.index_put((m.tensor([2]),), m.tensor(0)), IndexError, "size 2"),
    "index_put of others": (
        lambda m, x: x.index_put((m.tensor([0, 1]),), m.zeros((3,), dtype=m.int64)), ShapeError,
        r"\(3,\) and \(2, 3, 4\) do not fit",
    ),
    "index_put of more": (
        lambda m, x: x.index_put((m.tensor([0]),), m.zeros((2, 3, 4), dtype=m.int64)), ShapeError, "do not fit",
    ),
    "index_put of fractions": (
        lambda m, x: x.index_put((m.tensor([0]),), m.tensor(0.5)), DtypeError, "float32 values.*int64 tensor",
    ),
    "index_put of float64": (
        lambda m, x: x.float().index_put((m.tensor([0]),), m.tensor(0.5).double()), DtypeError, "float64 values",
    ),
    "scatter": (lambda m, x: m.scatter(x, 0, m.tensor([[[2]]]), x), IndexError, "size 2"),
    "scatter of too few": (
        lambda m, x: m.scatter(x, 0, m.zeros((2, 3, 4), dtype=m.int64), x[:1]), ShapeError, "longer than its source",
    ),
    "scatter_add by a vector": (lambda m, x: m.scatter_add(x, 0, m.tensor([0]), x), ShapeError, "3 dimensions"),
}  # fmt: skip


@pytest.mark.parametrize(("function", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_function_refuses_what_torch_refuses_and_says_why(function, error, message):
    with pytest.raises((RuntimeError, IndexError, TypeError, ValueError)):
        function(torch, counted(torch))
    with pytest.raises(error, match=message):
        function(tg, counted(tg))


def test_a_list_of_floats_is_no_index():
    with pytest.raises(IndexError, match="integer"):
        counted(tg)[[1.0]]


@pytest.mark.parametrize("index", [1, slice(None, None, -2), (..., 0), None, [2, 0], ([0, 1], [1, 1])], ids=str)
@pytest.mark.parametrize("accumulate", [False, True])
def test_index_put_takes_whatever_stands_in_brackets(index, accumulate):
    array = np.arange(12.0).reshape(3, 4)
    y = tg.tensor(array).index_put(index, tg.tensor(100.0).double(), accumulate=accumulate)
    array[index] = array[index] + 100.0 if accumulate else 100.0
    np.testing.assert_array_equal(y.numpy(), array)


def test_numbers_set_in_a_float32_tensor_leave_it_float32():
    x = leaf(tg, [1.0, 2.0])
    for value in (3, 3.0, True, tg.tensor(3), np.float64(3.0), np.array(3)):
        for y in (x.index_put((0,), value), x.index_put((0,), value, accumulate=True), x.scatter(0, [0], value)):
            assert y.dtype == np.float32
            assert tg.grad(y.sum(), x)[0].dtype == np.float32
    with pytest.raises(DtypeError, match="int64"):
        tg.tensor([1, 2]).index_put((0,), 0.5)
    with pytest.raises(DtypeError, match="a number as values, not list"):
        x.index_put(slice(None), [3.0, 4.0])
