"""Special points: the table says what is returned there, and it is what torch returns unless the table says so."""

import itertools
import math

import numpy as np
import pytest
import torch

import tinygrad_poly as tg
from tinygrad_poly.derivatives import activations, arithmetic, elementwise, piecewise
from tinygrad_poly.engine.apply import apply_operation
from tinygrad_poly.engine.operation import Operation, Point, special_text

from ..helpers import DTYPES, UNIT_ROUNDOFF
from .page import families, rows
from .points import as_inputs, evaluated, evaluated_each

ROWS = {
    f"{family.__name__.rpartition('.')[2]}.{name}": row for family in families() for name, row in rows(family).items()
}
POINTS = [pytest.param(row, point, id=f"{name} {point}") for name, row in ROWS.items() for point in row.special]


def parts(found):
    return zip(("y", "slope", "curvature"), found, strict=True)


def numbers_of(stated, like):
    """What a point states, in the shape of what was found; one number stands for all."""
    flat = stated if isinstance(stated, tuple) else (stated,)
    if like.ndim == 1:
        flat = [number for part in flat for number in (part if isinstance(part, list) else [part])]
    return np.broadcast_to(np.squeeze(np.asarray(flat, dtype=np.float64)), like.shape)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("row", "point"), POINTS)
def test_a_special_point_is_as_the_table_states_it(row, point, dtype):
    found = evaluated(tg, lambda *inputs: apply_operation(row, *inputs, *point.options), as_inputs(point.at), dtype)
    for (part, number), stated in zip(parts(found), point[1:4], strict=True):
        # a library function or two, and a few roundings
        np.testing.assert_allclose(number, numbers_of(stated, number), rtol=40 * UNIT_ROUNDOFF[dtype], err_msg=part)


def test_second_derivatives_at_the_ends_of_a_domain_are_the_same_when_compiled():
    ends = {tg.asin: 2, tg.acos: 2, tg.acosh: 1, tg.atanh: 2}

    def curvatures(x):
        return [tg.func.grad(tg.func.grad(f))(x[i]) for f, count in ends.items() for i in range(count)]

    with np.errstate(all="ignore"):
        at = tg.tensor([1.0, -1.0], dtype=tg.float64)
        found = [c.item() for c in curvatures(at)]
        compiled = [c.item() for c in tg.compile(curvatures)(at)]
    assert found == compiled == [math.inf, -math.inf, -math.inf, math.inf, -math.inf, math.inf, -math.inf]


def test_a_wrong_statement_is_noticed():
    for wrong in (Point(0, 0, math.inf), Point(0, -math.inf, 0), Point(0, -math.inf, math.inf, math.nan)):
        with pytest.raises(AssertionError):
            test_a_special_point_is_as_the_table_states_it(elementwise.log, wrong, "float64")


def test_a_point_reads_as_a_sentence():
    row = Operation("F", abs, special=(Point((0, [1.5]), 2, -math.inf, math.nan, (1,), "so"),), note="and so on")
    assert special_text(row) == "at (0, [1.5]) with option 1: y = 2; y′ = −∞; y″ = NaN (so). and so on"


# A row goes by the name of its function in torch, but for these.

CALLS = {
    "divide": torch.divide,
    "power": torch.pow,
    "power_scalar": lambda x, n=3: x**n,
    "floor_divide": lambda a, b: torch.div(a, b, rounding_mode="floor"),
    "trunc_divide": lambda a, b: torch.div(a, b, rounding_mode="trunc"),
    "softplus": torch.nn.functional.softplus,
    "leaky_relu": torch.nn.functional.leaky_relu,
    "elu": torch.nn.functional.elu,
    "hardtanh": torch.nn.functional.hardtanh,
    "threshold": lambda x: torch.nn.functional.threshold(x, 1.0, 0.5),
    "hardswish": torch.nn.functional.hardswish,
    "prelu": lambda x, w: torch.stack([torch.prelu(a, b.view(1)) for a, b in zip(x, w, strict=True)]),
    "silu": torch.nn.functional.silu,
    "gelu": torch.nn.functional.gelu,
    "gelu_tanh": lambda x: torch.nn.functional.gelu(x, approximate="tanh"),
    "nan_to_num": lambda x: torch.nan_to_num(x, 0.0, 9.0, -9.0),
}
OPTIONS = {
    "power_scalar": (3,),
    "softplus": (1.0, 20.0),
    "leaky_relu": (0.01,),
    "elu": (1.0, 1.0),
    "hardtanh": (-1.0, 1.0),
    "threshold": (-math.inf, 1.0, 0.5),
    "sinc": (0,),
    "round": (0,),
    "nan_to_num": (0.0, 9.0, -9.0),
}
# Parts of other functions, and one that torch has not.
NOT_TORCHS = ("power_log", "one_minus_square", "square_minus_one", "tied", "cbrt")
FAMILIES = (arithmetic, elementwise, piecewise, activations)
EDGES = [0.0, 1.0, -1.0, 2.0, -2.0, 0.5, math.inf, -math.inf, math.nan]

# At −1, where acosh has no value, its slope has another sign.
DIFFERENT = [("acosh", (-1.0,))]


def has_other_curvature(name, row, at):
    """Whether the table says so; of a power at b = 0, and of prelu at a = 0, it says so for one point of all."""
    return (
        (name == "power" and at[1] == 0)
        or (name == "prelu" and at[0] == 0)
        or at in [as_inputs(point.at) for point in row.special if point.note]
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("name", "row"),
    [
        pytest.param(name, row, id=name)
        for family in FAMILIES
        for name, row in rows(family).items()
        if name not in NOT_TORCHS
    ],
)
def test_every_elementwise_row_is_torchs_at_the_edges_unless_the_table_says_otherwise(name, row, dtype):
    points = [at for at in itertools.product(EDGES, repeat=len(row.rules)) if (name, at) not in DIFFERENT]
    columns = [list(column) for column in zip(*points, strict=True)]
    if name == "where":
        columns[0] = [x > 0 for x in columns[0]]
    mine = evaluated_each(tg, lambda *x: apply_operation(row, *x, *OPTIONS.get(name, ())), columns, dtype)
    # torch in float64 stands for the truth
    expected = evaluated_each(torch, CALLS.get(name) or getattr(torch, name), columns, "float64")
    allowed = 60 * UNIT_ROUNDOFF[dtype]
    # Where torch has no second derivative, this may have one.
    skipped = np.isnan(expected["curvature"]) | [has_other_curvature(name, row, at) for at in points]
    for found in (mine, expected):
        found["curvature"] = np.where(skipped, 0.0, found["curvature"])
    for part, numbers in mine.items():
        close = np.isclose(numbers, expected[part], rtol=allowed, atol=allowed, equal_nan=True).all(axis=0)
        wrong = [f"{at} {numbers[:, i]}, not {expected[part][:, i]}" for i, at in enumerate(points) if not close[i]]
        assert not wrong, f"{part} at {wrong[0]}"


def test_a_function_that_hides_a_nan_is_noticed():
    def x_log_y(x, y):
        return np.where(x == 0, 0.0, x * np.log(np.where(x == 0, 1.0, y)))

    wrong = Operation("Xlogy", x_log_y, lambda g, x, y: g * elementwise.log(y), lambda g, x, y: g * (x / y))
    with pytest.raises(AssertionError, match=r"value at \(0.0, nan\)"):
        test_every_elementwise_row_is_torchs_at_the_edges_unless_the_table_says_otherwise("xlogy", wrong, "float64")
