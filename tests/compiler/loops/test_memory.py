"""Reuse of memory: later results take the place of those that are read no more."""

import numpy as np
import pytest

from tinygrad_poly.compiler.loops.memory import Item, reused
from tinygrad_poly.compiler.trace.symbols import placeholder


def arrays(names, shape=(3,)):
    return [placeholder(name, shape, np.float64) for name in names]


def made(s, *reads, **how):
    return Item(reads, (s,), **{"writable": True, "fresh": True, **how})


def test_a_chain_of_elementwise_results_takes_one_array():
    x, a, b, c, d = arrays("xabcd")
    items = [made(new, old, over_inputs=True) for old, new in ((x, a), (a, b), (b, c), (c, d))]
    assert reused(items, [d]) == {a: None, b: a, c: b}


def test_other_results_take_two_in_turn():
    x, a, b, c, d, e = arrays("xabcde")
    items = [made(new, old) for old, new in ((x, a), (a, b), (b, c), (c, d), (d, e))]
    assert reused(items, [e]) == {a: None, b: None, c: a, d: b}


def test_what_a_view_shows_is_read_until_the_view_is():
    x, a, view, b, c = arrays("xavbc")
    items = [made(a, x), made(view, a, writable=False, fresh=False), made(b, x), made(c, view, b)]
    assert reused(items, [c]) == {a: None, b: None}


def test_an_output_lasts_and_so_does_what_it_is_a_view_of():
    x, a, view, b = arrays("xavb")
    items = [made(a, x), made(view, a, writable=False, fresh=False), made(b, x)]
    assert reused(items, [view, b]) == {}


@pytest.mark.parametrize("other", [((4,), np.float64), ((3,), np.float32)], ids=["shape", "dtype"])
def test_memory_of_another_kind_is_not_taken(other):
    x, a, c = arrays("xac")
    b = placeholder("b", *other)
    assert reused([made(a, x), made(b, x), made(c, a, b)], [c]) == {a: None, b: None}
    assert reused([made(a, x), made(b, a), made(c, b)], [c]) == {a: None, b: None}
