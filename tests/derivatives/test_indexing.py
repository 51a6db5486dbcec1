import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_poly as tg

from ..helpers import both, leaf


def test_a_slice_with_a_negative_step_carries_its_gradient_back():
    x = leaf(tg, [1.0, 2.0, 3.0])
    x[::-1].backward(tg.tensor([10.0, 20.0, 30.0]))
    assert x.grad.tolist() == [30.0, 20.0, 10.0]


INDICES = hnp.basic_indices((3, 4, 2), allow_newaxis=True, allow_ellipsis=True) | hnp.integer_array_indices((3, 4, 2))


@given(index=INDICES | hnp.arrays(bool, (3, 4)).map(lambda mask: mask) | st.just(([0, 0], slice(None), [1, 1])))
def test_for_any_index_the_gradient_counts_how_often_an_element_was_selected(index):
    x = np.arange(24.0).reshape(3, 4, 2)
    weights = np.arange(1.0, x[index].size + 1).reshape(x[index].shape)
    t = leaf(tg, x)
    assert t[index].tolist() == x[index].tolist()
    (t[index] * tg.tensor(weights)).sum().backward()
    expected = np.bincount(x[index].astype(int).ravel(), weights.ravel(), minlength=24).reshape(x.shape)
    np.testing.assert_array_equal(t.grad.numpy(), expected)


# Of several values for one element the last counts, and the gradient says so. (torch leaves open which one
# counts, and gives each of them the gradient.)


@pytest.mark.parametrize("put", [
    lambda x, v: x.index_put((tg.tensor([1, 0, 1]),), v),
    lambda x, v: x.index_put(tg.tensor([-2, 0, 1]), v),
    lambda x, v: x.scatter(0, tg.tensor([1, 0, 1]), v),
], ids=["index_put", "counted from the end", "scatter"])  # fmt: skip
def test_the_last_of_several_values_counts_and_gets_the_gradient(put):
    x, v = leaf(tg, [1.0, 2.0, 3.0]), leaf(tg, [10.0, 20.0, 30.0])
    y = put(x, v)
    assert y.tolist() == [20.0, 30.0, 3.0]
    y.backward(tg.tensor([5.0, 6.0, 7.0]))
    assert (x.grad.tolist(), v.grad.tolist()) == ([0.0, 0.0, 7.0], [0.0, 5.0, 6.0])


def test_one_value_for_an_element_selected_twice_gets_the_gradient_once():
    x, v = leaf(tg, [1.0, 2.0, 3.0]), leaf(tg, 10.0)
    x.index_put([1, 1], v).backward(tg.tensor([5.0, 6.0, 7.0]))
    assert (x.grad.tolist(), v.grad.tolist()) == ([5.0, 0.0, 7.0], 6.0)


@both
def test_one_value_for_an_element_added_twice_gets_the_gradient_twice(m):
    x, v = leaf(m, [1.0, 2.0, 3.0]), leaf(m, 10.0)
    y = x.index_put((m.tensor([1, 1]),), v, accumulate=True)
    assert y.tolist() == [1.0, 22.0, 3.0]
    y.backward(m.tensor([5.0, 6.0, 7.0]))
    assert (x.grad.tolist(), v.grad.tolist()) == ([5.0, 6.0, 7.0], 12.0)


def test_a_source_longer_than_its_index_gets_no_gradient_beyond_it():
    # torch cannot differentiate this.
    for scatter, kept in ((tg.scatter, [0.0, 5.0, 0.0]), (tg.scatter_add, [2.0, 5.0, 1.0])):
        x, v = leaf(tg, [1.0, 2.0, 3.0]), leaf(tg, [10.0, 20.0, 30.0])
        scatter(x, 0, tg.tensor([2, 0]), v).backward(tg.tensor([2.0, 5.0, 1.0]))
        assert (x.grad.tolist(), v.grad.tolist()) == (kept, [1.0, 2.0, 0.0])


def test_gather_counts_negative_numbers_from_the_end():
    x = leaf(tg, [1.0, 2.0, 3.0])
    x.gather(0, tg.tensor([-1, 0, 2])).backward(tg.tensor([10.0, 20.0, 30.0]))
    assert x.grad.tolist() == [20.0, 0.0, 40.0]


def test_the_tape_keeps_the_ends_of_a_slice():
    x, start, stop = leaf(tg, [1.0, 2.0, 3.0]), tg.tensor(1), np.array(3)
    y = x[start:stop].sum() + x.select(0, start) + x.narrow(0, start, 1).sum() + x[start]
    start -= 1
    stop -= 2
    y.backward()
    assert x.grad.tolist() == [0.0, 4.0, 1.0]


def test_the_tape_keeps_the_index_it_was_given():
    x, index = leaf(tg, [1.0, 2.0, 3.0]), np.array([0, 0])
    ways = [x[index], x[(index,)], x.take(index), x.gather(0, index), x.index_select(0, index),
            x.index_put(index, 0.0, accumulate=True)[:2]]  # fmt: skip
    total = sum(y.sum() for y in ways)
    (expected,) = tg.grad(total, x, retain_graph=True)
    index[:] = 2
    assert tg.grad(total, x)[0].tolist() == expected.tolist()
