"""assert_close accepts and refuses what torch's does."""

import math

import numpy as np
import pytest

import tinygrad_poly as tg

from .helpers import both

CLOSE = [
    (lambda m: (m.ones(2), m.ones(2) + 1e-6), {}),
    (lambda m: (m.ones(2), m.ones(2) + 1e-4), {"rtol": 1e-3, "atol": 0.0}),
    (lambda m: (m.ones(2), m.ones(2, dtype=m.float64)), {"check_dtype": False}),
    (lambda m: (m.tensor([math.nan, math.inf]), m.tensor([math.nan, math.inf])), {"equal_nan": True}),
    (lambda m: (1.0, 1.0 + 1e-9), {}),
    (lambda m: ([m.ones(2), {"a": 1}], [m.ones(2), {"a": 1}]), {}),
    (lambda m: (m.zeros(0), m.zeros(0)), {}),
    (lambda m: (np.ones(2), np.ones(2)), {}),
]
FAR = [
    (lambda m: (m.ones(2), m.ones(2) + 1e-4), {}),
    (lambda m: (m.ones(2), m.ones(3)), {}),
    (lambda m: (m.ones(2), m.ones(1)), {}),
    (lambda m: (m.ones(2), m.ones(2, dtype=m.float64)), {}),
    (lambda m: (m.tensor([math.nan]), m.tensor([math.nan])), {}),
    (lambda m: (m.tensor([1, 2]), m.tensor([1, 3])), {}),
    (lambda m: (m.tensor([True]), m.tensor([False])), {}),
    (lambda m: (1.0, 1.0 + 1e-5), {}),
    (lambda m: ([m.ones(2)], [m.ones(2), m.ones(2)]), {}),
    (lambda m: ({"a": m.ones(2)}, {"b": m.ones(2)}), {}),
    (lambda m: ({"a": m.ones(2)}, {"a": m.zeros(2)}), {}),
]


@both
@pytest.mark.parametrize(("pair", "options"), CLOSE)
def test_what_is_close_passes(m, pair, options):
    m.testing.assert_close(*pair(m), **options)


@both
@pytest.mark.parametrize(("pair", "options"), FAR)
def test_what_is_not_close_is_refused(m, pair, options):
    with pytest.raises(AssertionError):
        m.testing.assert_close(*pair(m), **options)
    with pytest.raises(AssertionError, match="in my words"):
        tg.testing.assert_close(*pair(tg), msg="in my words", **options)


def test_the_message_counts_and_measures():
    with pytest.raises(AssertionError, match=r"(?s)Mismatched elements: 1 / 3 .*: 0\.5"):
        tg.testing.assert_close(tg.tensor([1.0, 2.0, 3.0]), tg.tensor([1.0, 2.5, 3.0]))
    with pytest.raises(ValueError, match="both rtol and atol"):
        tg.testing.assert_close(1.0, 1.0, rtol=1.0)
    with pytest.raises(TypeError, match="expected numbers"):
        tg.testing.assert_close("a", "a")
