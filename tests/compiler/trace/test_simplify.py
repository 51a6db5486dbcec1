"""Less to compute, and the same numbers for every input."""

import numpy as np
import pytest

from tinygrad_poly.compiler.loops.fuse import NotFusable, fuse
from tinygrad_poly.compiler.trace.program import Program
from tinygrad_poly.compiler.trace.simplify import simplify
from tinygrad_poly.compiler.trace.symbols import constant, placeholder, record

SPECIAL = np.array([0.0, -0.0, 1.0, -2.5, np.inf, -np.inf, np.nan])


def simplified(x, *outputs):
    return simplify(Program.of([x], list(outputs)))


@pytest.fixture
def x():
    return placeholder("x", SPECIAL.shape, np.float64)


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        ("multiply", (1.0, None)),
        ("multiply", (None, 1)),
        ("divide", (None, 1.0)),
        ("subtract", (None, 0.0)),
    ],
    ids=str,
)
def test_neutral_numbers_go(x, function, arguments):
    y = record(function, *(x if a is None else a for a in arguments))
    assert simplified(x, y).outputs == (x,)


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        ("add", (None, 0.0)),
        ("multiply", (None, 0.0)),
        ("subtract", (0.0, None)),
        ("subtract", (None, -0.0)),
        ("divide", (None, None)),
        ("subtract", (None, None)),
        ("power", (None, 0.0)),
    ],
    ids=str,
)
def test_what_is_not_neutral_for_every_number_stays(x, function, arguments):
    y = record(function, *(x if a is None else a for a in arguments))
    program = simplified(x, y)
    assert len(program.instructions) == 1
    with np.errstate(all="ignore"):
        before, after = (p.run({x: SPECIAL})[0] for p in (Program.of([x], [y]), program))
    np.testing.assert_array_equal(np.signbit(before), np.signbit(after))
    np.testing.assert_array_equal(before, after)


def test_nothing_is_computed_twice(x):
    y = record("add", record("sin", x), record("sin", x))
    assert [s.function for s in simplified(x, y).instructions] == ["sin", "add"]


def test_a_function_of_numbers_is_a_number(x):
    y = record("multiply", x, record("exp", constant(0.0, (), np.float64)))
    assert simplified(x, y).outputs == (x,)


def test_equal_numbers_of_different_kinds_are_kept_apart():
    x = placeholder("x", (), np.float32)
    a, b = record("multiply", x, 2.0), record("multiply", x, np.float64(2.0))
    assert [s.dtype for s in simplified(x, a, b).outputs] == [np.float32, np.float64]


def test_an_expansion_keeps_its_shape_where_nothing_else_has_it():
    x = placeholder("x", (), np.float64)
    wide = record("broadcast_to", x, shape=(3,))
    outputs = [record("divide", wide, 1.0), record("multiply", wide, wide), record("sin", wide)]
    program = simplified(x, *outputs)
    for y, result in zip(program.outputs, program.run({x: np.float64(2)}), strict=True):
        assert np.shape(result) == y.shape == (3,)


def test_a_product_with_a_column_is_a_sum():
    x = placeholder("x", (1, 4), np.float64)
    y = record("matmul", x, record("swapaxes", x, axis1=0, axis2=1))
    program = simplified(x, y)
    assert "matmul" not in [s.function for s in program.instructions]
    row = np.array([[1.0, 2.0, 3.0, 4.0]])
    assert program.run({x: row})[0].tolist() == [[30.0]]


def test_a_program_that_is_too_long_is_not_fused(x):
    y = x
    for k in range(1501):
        y = record("add", y, float(k + 1))
    with pytest.raises(NotFusable, match="1501 instructions are too many"):
        fuse(simplified(x, y))
