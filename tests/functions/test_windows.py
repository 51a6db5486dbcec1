"""Convolution and pooling against torch, for options that are drawn, and what neither has."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_poly as tg
from tinygrad_poly.engine.errors import DtypeError, ShapeError

from ..helpers import both, cotangent, examples, halves, numbers, ours, theirs

REFUSED = object()


@st.composite
def calls(draw, count):
    """A function, the shapes of its tensors and its options, which may not fit."""

    def numbers_from(low, high):
        one = st.integers(low, high)
        return draw(st.one_of(one, st.tuples(*[one] * count), one.map(lambda n: (n,))))

    name = draw(st.sampled_from(["conv", "max_pool", "avg_pool", "adaptive_avg_pool", "adaptive_max_pool"]))
    groups, lengths = draw(st.integers(1, 2)), [draw(st.integers(1, 6)) for _ in range(count)]
    shapes = [(*draw(st.sampled_from([(), (0,), (2,)])), 2 * groups, *lengths)]
    if name == "conv":
        filters = draw(st.integers(1, 2)) * groups
        shapes.append((filters, 2, *(draw(st.integers(1, 3)) for _ in range(count))))
        shapes += draw(st.sampled_from([[], [(filters,)]]))
        padding = draw(st.sampled_from(["same", "valid", None])) or numbers_from(0, 2)
        options = {"padding": padding, "stride": numbers_from(1, 3), "dilation": numbers_from(1, 2), "groups": groups}
    elif name.startswith("adaptive"):
        options = {"output_size": draw(st.integers(1, 4)) if count == 1 else (draw(st.integers(1, 4)), 2)}
    else:
        options = {"kernel_size": numbers_from(1, 3), "padding": numbers_from(0, 1), "ceil_mode": draw(st.booleans())}
        if draw(st.booleans()):
            options["stride"] = numbers_from(1, 3)
        if name == "avg_pool":
            options["count_include_pad"] = draw(st.booleans())
        elif options["padding"] == 0:  # torch writes into foreign memory where a window sees the border alone
            options["dilation"] = numbers_from(1, 2)
    return f"{name}{count}d", shapes, options


def value_and_gradients(m, make, name, arrays, options):
    given = [make(a, "float64") for a in arrays]
    try:
        y = getattr(m.nn.functional, name)(*given, **options)
    except (RuntimeError, ValueError):
        return REFUSED
    v = cotangent(np.random.default_rng(len(arrays)), tuple(y.shape))
    return [numbers(t) for t in (y, *m.autograd.grad(y, given, make(v, "float64", False)))]


@settings(max_examples=examples(60), deadline=None)
@given(st.one_of(calls(1), calls(2)))
def test_values_gradients_and_refusals_are_torchs(call):
    name, shapes, options = call
    rng = np.random.default_rng(sum(map(sum, shapes)))
    arrays = [halves(rng, shape) for shape in shapes]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's, on padding='same'
        expected = value_and_gradients(torch, theirs, name, arrays, options)
    found = value_and_gradients(tg, ours, name, arrays, options)
    assert (found is REFUSED) == (expected is REFUSED)
    if found is not REFUSED:
        for mine, reference in zip(found, expected, strict=True):
            assert mine.shape == reference.shape
            # Exact in convolutions and maxima. A mean of at most 9 numbers up to 2 is divided by 3 at most twice; a
            # gradient adds up at most 16 such quotients of whole numbers up to 5.
            np.testing.assert_allclose(mine, reference, rtol=0, atol=0 if "avg" not in name else 16 * 40 * 2.0**-53)


@both
def test_results_lie_row_by_row_so_that_they_can_be_viewed(m):
    y = m.nn.functional.conv2d(m.ones(2, 3, 6, 6), m.ones(4, 3, 3, 3))
    assert y.view(2, -1).shape == (2, 64)
    assert m.nn.functional.max_pool2d(y, 2).view(2, -1).shape == (2, 16)


@both
def test_of_several_nan_the_result_is_nan(m):
    assert np.isnan(m.nn.functional.max_pool1d(m.tensor([[1.0, float("nan"), 2.0]]), 3).item())


def test_the_border_of_integers_is_below_all_of_them():
    for dtype in (tg.int64, tg.uint8):
        y = tg.nn.functional.max_pool1d(tg.tensor([[0, 3, 1]], dtype=dtype), 2, padding=1)
        assert (y.tolist(), y.dtype) == ([[0, 3]], dtype)


REFUSALS = {
    "channels": (lambda f, m: f.conv2d(m.ones(1, 3, 5, 5), m.ones(4, 2, 3, 3)), "3 channels and a weight of shape"),
    "groups": (lambda f, m: f.conv1d(m.ones(1, 4, 5), m.ones(3, 2, 3), groups=2), "do not fit groups=2"),
    "no groups": (lambda f, m: f.conv1d(m.ones(1, 4, 5), m.ones(3, 2, 3), groups=0), "do not fit groups=0"),
    "kernel": (lambda f, m: f.conv2d(m.ones(1, 1, 2, 5), m.ones(1, 1, 3, 3)), r"reaches over \(3, 3\) elements"),
    "dimensions": (lambda f, m: f.conv2d(m.ones(5, 5), m.ones(1, 1, 3, 3)), r"\(N, C, H, W\).*unsqueeze"),
    "weight": (lambda f, m: f.conv1d(m.ones(1, 1, 5), m.ones(1, 3)), "weight needs 3 dimensions"),
    "bias": (lambda f, m: f.conv1d(m.ones(1, 1, 5), m.ones(2, 1, 3), m.ones(1)), r"bias needs shape \(2,\)"),
    "stride": (lambda f, m: f.conv1d(m.ones(1, 1, 5), m.ones(2, 1, 3), stride=0), "stride is one number of 1 or more"),
    "strides": (lambda f, m: f.max_pool2d(m.ones(1, 5, 5), 2, (1, 1, 1)), "stride is one number of 1 or more, or 2"),
    "same": (lambda f, m: f.conv1d(m.ones(1, 1, 5), m.ones(2, 1, 3), stride=2, padding="same"), "needs stride 1"),
    "word": (lambda f, m: f.conv1d(m.ones(1, 1, 5), m.ones(2, 1, 3), padding="full"), "'same', 'valid' or numbers"),
    "padding": (lambda f, m: f.avg_pool1d(m.ones(1, 5), 2, padding=2), "at most half of the kernel"),
    "divisor": (lambda f, m: f.avg_pool2d(m.ones(1, 5, 5), 2, divisor_override=0), "another number than 0"),
    "window": (lambda f, m: f.max_pool1d(m.ones(1, 5), 6), "take a smaller kernel, or more padding"),
    "nothing": (lambda f, m: f.adaptive_avg_pool2d(m.ones(1, 0, 5), 2), "there are no elements along dimension -2"),
}


@both
@pytest.mark.parametrize("name", REFUSALS)
def test_what_does_not_fit_is_refused_by_both(m, name):
    call, message = REFUSALS[name]
    with pytest.raises((RuntimeError, ValueError)) as caught:
        call(m.nn.functional, m)
    if m is tg:
        assert isinstance(caught.value, ShapeError)
        caught.match(message)


def test_indices_of_maxima_are_refused_by_name():
    for name, size in (("max_pool2d", 2), ("adaptive_max_pool1d", 1)):
        with pytest.raises(DtypeError, match=f"{name}: return_indices is not there"):
            getattr(tg.nn.functional, name)(tg.ones(1, 4, 4), size, return_indices=True)


def test_what_is_no_tensor_is_refused():
    with pytest.raises(DtypeError, match=r"conv1d\(\) expects a tensor, not list"):
        tg.nn.functional.conv1d([[1.0]], tg.ones(1, 1, 1))
    with pytest.raises(DtypeError, match="consists of integers"):
        tg.nn.functional.max_pool1d(tg.ones(1, 4), 2.5)
