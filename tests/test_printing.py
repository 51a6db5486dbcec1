"""A tensor prints as torch's tensor of the same numbers prints, character for character."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_poly as tg

from .helpers import both, examples, leaf

DTYPES = ["float32", "float64", "float16", "int64", "int32", "bool"]
SMALL = {"float16": 1e-7, "float32": 1e-45, "float64": 1e-320}


@st.composite
def arrays(draw):
    """Arrays whose numbers are alike, or mixed in magnitude, or all whole, with infinities and NaN among them."""
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=9))
    if dtype.kind != "f":
        return draw(hnp.arrays(dtype, shape))
    width = dtype.itemsize * 8
    largest = float(np.finfo(dtype).max)
    special = st.sampled_from([0.0, -0.0, math.inf, -math.inf, math.nan])
    numbers = draw(
        st.sampled_from(
            [
                st.floats(-100, 100, width=width),
                st.floats(-largest, largest, width=width),
                st.integers(-2000, 2000).map(float),
                st.integers(-3, 4).map(lambda e: float(dtype.type(1.5 * 10.0**e))),
                special,
            ]
        )
    )
    return draw(hnp.arrays(dtype, shape, elements=st.one_of(numbers, special), fill=st.nothing()))


def pair(array, requires_grad=False):
    reference = torch.from_numpy(array.copy()).requires_grad_(requires_grad)
    return tg.from_numpy(array).requires_grad_(requires_grad), reference


@settings(max_examples=examples(60))
@given(array=arrays(), requires_grad=st.booleans())
@example(array=np.array([1e8, 1.0], np.float32), requires_grad=False)
@example(array=np.array([0.0001, 0.1]), requires_grad=True)
@example(array=np.zeros((0, 3), np.int64), requires_grad=False)
@example(array=np.array(True), requires_grad=False)
def test_any_tensor_prints_as_in_torch(array, requires_grad):
    mine, reference = pair(array, requires_grad and array.dtype.kind == "f")
    assert repr(mine) == repr(reference)
    assert str(mine) == str(reference)


@settings(max_examples=examples(12))
@given(
    shape=st.sampled_from(
        [(1000,), (1001,), (7, 143), (1, 2000), (2000, 1), (3, 4, 100), (7, 8, 9, 10), (50, 2, 1, 30)]
    ),
    scale=st.sampled_from([1.0, 1e-3, 1e6, 1e12]),
    dtype=st.sampled_from(["float32", "float64", "int64", "bool"]),
    seed=st.integers(0, 1000),
)
def test_long_tensors_are_summarised_as_in_torch(shape, scale, dtype, seed):
    with np.errstate(all="ignore"):
        array = (np.random.default_rng(seed).standard_normal(shape) * scale).astype(dtype)
    mine, reference = pair(array)
    assert repr(mine) == repr(reference)


def test_lines_break_and_notes_wrap_where_torchs_do():
    for length, scale in itertools.product(range(1, 30), (1.0, 1e6)):
        mine, reference = pair(np.linspace(0.5, 1.5, length) * scale, True)
        assert repr(mine) == repr(reference)
        assert repr(mine.detach().float() * 1) == repr(reference.detach().float() * 1)


FUNCTIONS = {
    "AddBackward0": lambda x: x + 1,
    "SubBackward0": lambda x: x - 1,
    "MulBackward0": lambda x: x * 2,
    "DivBackward0": lambda x: x / 2,
    "NegBackward0": lambda x: -x,
    "PowBackward0": lambda x: x**2,
    "ExpBackward0": lambda x: x.exp(),
    "LogBackward0": lambda x: x.log(),
    "SinBackward0": lambda x: x.sin(),
    "CosBackward0": lambda x: x.cos(),
    "TanhBackward0": lambda x: x.tanh(),
    "SqrtBackward0": lambda x: x.sqrt(),
    "SumBackward0": lambda x: x.sum(),
    "MeanBackward0": lambda x: x.mean(),
    "ViewBackward0": lambda x: x.view(-1, 1),
    "CloneBackward0": lambda x: x.clone(),
    "ExpandBackward0": lambda x: x.expand(2, 3),
    "ToCopyBackward0": lambda x: x.double(),
    "MmBackward0": lambda x: x.view(1, 3) @ x.view(3, 1),
    "PermuteBackward0": lambda x: x.view(1, 3).permute(1, 0),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_grad_fn_is_named_as_in_torch(name):
    texts = [repr(FUNCTIONS[name](leaf(m, [1.0, 2.0, 4.0]))) for m in (tg, torch)]
    assert texts[0] == texts[1]
    assert f"grad_fn=<{name}>" in texts[0]


@pytest.mark.parametrize("data", [2.5, [1.0, 2.0], [[1.5], [1000.25]]], ids=str)
def test_parameters_print_as_in_torch(data):
    for requires_grad in (True, False):
        mine, reference = (m.nn.Parameter(m.tensor(data), requires_grad=requires_grad) for m in (tg, torch))
        assert repr(mine) == repr(reference)
        assert f"{mine}" == f"{reference}"


def network(m):
    class Block(m.nn.Module):
        def __init__(self):
            super().__init__()
            self.first = m.nn.Linear(3, 4)
            self.second = m.nn.Linear(in_features=4, out_features=1, bias=False)
            self.scale = m.nn.Parameter(m.ones(1))

    class Network(m.nn.Module):
        def __init__(self):
            super().__init__()
            self.block = Block()
            self.loss = m.nn.MSELoss()
            self.nothing = Empty()
            self.last = m.nn.Linear(1, 1)

    class Empty(m.nn.Module):
        pass

    class Described(m.nn.Module):
        def extra_repr(self):
            return "width=3,\ndepth=4"

    return [Block(), Network(), Empty(), Described(), m.nn.Linear(2, 3)]


def test_modules_print_as_in_torch():
    assert [repr(module) for module in network(tg)] == [repr(module) for module in network(torch)]


@both
def test_numbers_format_as_numbers_and_other_tensors_as_text(m):
    x = m.tensor(2.71828, dtype=m.float64)
    assert f"{x:.3f}|{x:10.2e}|{x}" == "2.718|  2.72e+00|2.71828"
    assert f"{leaf(m, 2.5):.1f}" == "2.5"
    assert f"{m.tensor(3):04d}" == "0003"
    assert f"{m.tensor([1.0, 2.0])}" == "tensor([1., 2.])"
    assert f"{m.tensor([1.0]).item():.3f}" == "1.000"
    with pytest.raises((TypeError, ValueError)):
        f"{m.tensor([1.0, 2.0]):.3f}"


def test_the_default_dtype_is_not_mentioned():
    texts = []
    for m in (tg, torch):
        m.set_default_dtype(m.float64)
        try:
            texts.append(repr([m.tensor(1.5), m.tensor(1.5, dtype=m.float32), m.tensor([])]))
        finally:
            m.set_default_dtype(m.float32)
    assert texts[0] == texts[1]


OPTIONS = [
    {"precision": 2},
    {"precision": 0},
    {"precision": 7, "linewidth": 40},
    {"threshold": 5},
    {"threshold": 5, "edgeitems": 1},
    {"threshold": math.inf, "linewidth": 200},
    {"sci_mode": True},
    {"sci_mode": False},
    {"profile": "short", "threshold": 10},
    {"profile": "full"},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_print_options_are_torchs(options):
    tensors = [
        [1.12345678, -2.5], [1e-6, 1.0], [1.0, 2.0, 1e9], [0.0, math.nan, math.inf], 3.25, [[1, 2], [3, 4]], [True],
    ]  # fmt: skip
    made = {m: [*map(m.tensor, tensors), m.arange(12.0) / 7, m.arange(24).reshape(2, 3, 4)] for m in (tg, torch)}
    made = {m: [*xs, m.zeros(2, 0), m.linspace(0, 1, 1100, requires_grad=True)] for m, xs in made.items()}
    printed = []
    for m, xs in made.items():
        try:
            m.set_printoptions(**options)
            printed.append([repr(x) for x in xs])
        finally:
            m.set_printoptions(profile="default")
    assert printed[0] == printed[1]


def test_impossible_print_options_are_refused_and_change_nothing():
    for options in ({"precision": -1}, {"edgeitems": 1.5}, {"linewidth": "wide"}, {"profile": "long", "precision": 2}):
        with pytest.raises(ValueError, match=r"set_printoptions\(\)"):
            tg.set_printoptions(**options)
    assert repr(tg.tensor([1.12345])) == "tensor([1.1235])"


def test_a_state_prints_as_torchs():
    layers = []
    for m in (tg, torch):
        m.manual_seed(0)
        layers.append(m.nn.Linear(2, 1).state_dict())
    assert repr(layers[0]) == repr(layers[1])
