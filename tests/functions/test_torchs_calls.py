"""Calls that users of torch write: its names of arguments, 0-d tensors, booleans, and its order of dimensions."""

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

import tinygrad_poly as tg

from ..helpers import assert_like

CALLS = {
    # dtypes
    "square of booleans": lambda m, x: m.square(m.tensor([True])),
    "power of booleans": lambda m, x: m.tensor([True, False]) ** 2,
    "prod in bool": lambda m, x: m.prod(m.tensor([[True, False]]), 1, dtype=m.bool),
    "sum in bool": lambda m, x: m.sum(m.tensor([2, 3]), dtype=m.bool),
    "sum in int32": lambda m, x: m.sum(m.tensor([2, 3]), dtype=m.int32),
    "cumsum in int32": lambda m, x: m.cumsum(m.tensor([2, 3]), 0, dtype=m.int32),
    "sign of booleans": lambda m, x: m.sign(m.tensor([True, False])),
    "sgn of booleans": lambda m, x: m.tensor([True, False]).sgn(),
    "sigmoid of booleans": lambda m, x: m.sigmoid(m.tensor([False])),
    "isclose of booleans": lambda m, x: m.isclose(m.tensor([True, False]), m.tensor([True, True])),
    "integers to negative powers": lambda m, x: m.tensor([2, 1, -1, 0, -1]) ** m.tensor([-1, -1, -3, -1, -2]),
    "a number to negative powers": lambda m, x: 2 ** m.tensor([-1, 3]),
    "div of integers": lambda m, x: m.div(m.tensor([7, -7, 16777217]), m.tensor([2, 2, 1]), rounding_mode="trunc"),
    "div of integers by a number": lambda m, x: m.div(m.tensor([7, -7]), 2.5, rounding_mode="trunc"),
    "cat with nothing of a wider dtype": lambda m, x: m.cat([m.tensor([], dtype=m.float64), x]),
    # names of arguments
    "std, correction=None": lambda m, x: m.std(m.tensor([1.0, 3.0]), dim=0, correction=None),
    "var, correction=None": lambda m, x: m.tensor([1.0, 3.0]).var(correction=None),
    "flip, dims": lambda m, x: m.flip(x, dims=(0,)),
    "x.flip, dims": lambda m, x: x.flip(dims=[0, 1]),
    "permute, dims": lambda m, x: m.permute(x, dims=(1, 0)),
    "reshape, shape": lambda m, x: x.reshape(shape=(3, 2)),
    "view, size": lambda m, x: x.view(size=(3, -1)),
    "expand, size": lambda m, x: x.expand(size=(2, 2, 3)),
    "tile, dims": lambda m, x: m.tile(x, dims=(2,)),
    "repeat, repeats": lambda m, x: x.repeat(repeats=(2, 1)),
    "repeat_interleave, output_size": lambda m, x: m.repeat_interleave(x, 2, output_size=12),
    "zeros_like, dtype": lambda m, x: m.zeros_like(x, dtype=m.int64),
    "ones_like, dtype": lambda m, x: m.ones_like(x, dtype=m.float64, device="cpu"),
    "scatter, value": lambda m, x: x.scatter(0, m.tensor([[0, 1, 0]]), value=2.0),
    "scatter, reduce": lambda m, x: x.scatter(0, m.tensor([[0, 1, 0], [0, 1, 0]]), 2.0, reduce="add"),
    "tensor_split at a tensor": lambda m, x: m.tensor_split(x[0], m.tensor([1, 2])),
    "lstsq, driver": lambda m, x: m.linalg.lstsq(m.eye(3)[:, :2], m.ones(3, 1), driver="gels").residuals,
    "lstsq, rcond": lambda m, x: m.linalg.lstsq(m.tensor([[1.0, 0], [0, 0.01]]), m.ones(2, 1), 0.1, driver="gelsd")[0],
    "pinv, rtol": lambda m, x: m.linalg.pinv(m.tensor([[2.0, 0], [0, 0.25]]), rtol=0.2),
    "pinv, rcond": lambda m, x: m.linalg.pinv(m.tensor([[2.0, 0], [0, 0.25]]), 0.1, hermitian=True),
    # no dimensions, no elements
    "gather of a number": lambda m, x: m.tensor(5.0).gather(0, m.tensor([0, 0])),
    "gather by a number": lambda m, x: x[0].gather(0, m.tensor(1)),
    "gather nothing": lambda m, x: x.gather(0, m.tensor([], dtype=m.int64)),
    "index_select of a number": lambda m, x: m.index_select(m.tensor(5.0), 0, m.tensor([0])),
    "index_add of a number": lambda m, x: m.index_add(m.tensor(5.0), 0, m.tensor(0), m.tensor(1.0)),
    "index_add by a number": lambda m, x: m.index_add(m.tensor([5.0]), 0, m.tensor(0), m.tensor([1.0])),
    "scatter of a number": lambda m, x: m.tensor(5.0).scatter(0, m.tensor(0), m.tensor(2.0)),
    "transpose of a number": lambda m, x: m.transpose(m.tensor(5.0), 0, -1),
    "nonzero of a number": lambda m, x: m.nonzero(m.tensor(5.0), as_tuple=True),
    "nonzero of zero": lambda m, x: m.nonzero(m.tensor(0.0), as_tuple=True),
    "cat with nothing": lambda m, x: m.cat([m.tensor([]), x]),
    "cat with nothing last": lambda m, x: m.cat([x, m.tensor([])], dim=1),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_call_gives_what_it_gives_in_torch(call):
    found = [call(m, m.arange(6).reshape(2, 3) * m.ones(1)) for m in (tg, torch)]
    for mine, reference in zip(*(x if isinstance(x, tuple) else (x,) for x in found), strict=True):
        assert_like(mine, reference)


REFUSED = {
    "a complex number in a mask": (lambda x: x.masked_fill(x > 0, 1 + 2j), "complex"),
    "a complex number in a choice": (lambda x: tg.where(x > 0, x, 1j), "complex"),
    "the trace of a stack": (lambda x: tg.trace(tg.zeros(2, 2, 2)), "diagonal"),
    "a negative tolerance": (lambda x: tg.isclose(x, x, rtol=-1.0), "0 or more"),
    "another length": (lambda x: x.repeat_interleave(2, output_size=5), "length 12"),
    "another reduction": (lambda x: x.scatter(0, tg.tensor([[0]]), 1.0, reduce="multiply"), "'multiply'"),
    "a source and a value": (lambda x: x.scatter(0, tg.tensor([[0]]), x, value=1.0), "or value"),
    "another driver": (lambda x: tg.linalg.lstsq(x, x, driver="fast"), "'fast'"),
}


@pytest.mark.parametrize(("call", "message"), REFUSED.values(), ids=REFUSED)
def test_a_call_is_refused_and_says_why(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call(tg.ones(2, 3))


def test_a_gradient_reaches_what_was_joined_with_nothing():
    nothing, x = (tg.tensor(data, requires_grad=True) for data in ([], [[1.0, 2.0]]))
    tg.cat([nothing, x]).sum().backward()
    assert (nothing.grad.tolist(), x.grad.tolist()) == ([], [[1.0, 1.0]])


@pytest.mark.parametrize("name", ["zeros_like", "ones_like"])
def test_what_is_like_a_tensor_may_require_grad(name):
    assert getattr(tg, name)(tg.ones(2), requires_grad=True).requires_grad


SHAPE = (2, 3, 4, 2)


@st.composite
def indices(draw):
    """Integers, slices, None, ... and lists for some of the dimensions of SHAPE."""
    length = draw(st.integers(1, 3))
    parts, numbers = [], st.lists(st.integers(-2, 1), min_size=length, max_size=length)
    for _ in range(draw(st.integers(1, 4))):
        slices = st.builds(slice, st.none() | st.integers(0, 1), st.none() | st.integers(1, 3))
        parts.append(draw(st.one_of(st.integers(-2, 1), slices, numbers)))
    for extra in draw(st.sampled_from([(), (None,), (Ellipsis,), (None, Ellipsis)])):
        parts.insert(draw(st.integers(0, len(parts))), extra)
    return tuple(parts)


@settings(max_examples=150, deadline=None)
@given(index=indices())
@example(index=(None, 0, [0, 0], Ellipsis, 0, [0, 0]))
@example(index=(slice(None), [0, 0], Ellipsis, 0, [0, 1]))
def test_an_index_gives_torchs_order_of_dimensions(index):
    numbers = np.arange(48.0).reshape(SHAPE)
    mine, reference = (m.tensor(numbers, requires_grad=True) for m in (tg, torch))
    found, expected = mine[index], reference[index]
    assert_like(found, expected)
    for y in (found, expected):
        (y * y).sum().backward()
    assert_like(mine.grad, reference.grad)
    assert_like(tg.index_put(mine.detach(), index, found.detach() + 1), _written(reference, index, expected))


def _written(reference, index, expected):
    copy = reference.detach().clone()
    copy[index] = expected.detach() + 1
    return copy
