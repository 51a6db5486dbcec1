"""The slow interpreter, the simplified program, its NumPy calls and its loops compute what the tape computes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_poly as tg
from tinygrad_poly.checking import strategies
from tinygrad_poly.checking.cases import Case, largest_ratio
from tinygrad_poly.compiler.trace.program import Program
from tinygrad_poly.compiler.trace.symbols import placeholder, record

from ...helpers import examples
from ..routes import routes, traced


def asked(problem):
    """What is asked of a problem, as a function of tensors, and where in `Case.parts` each answer belongs."""
    wanted = [k for k, given in enumerate(problem.program.inputs) if given.requires_grad]

    def function(v, *rest):
        inputs, directions = rest[: len(problem.program.inputs)], rest[len(problem.program.inputs) :]
        leaves = [inputs[k] for k in wanted]
        y = problem.program.run(inputs)
        if not y.requires_grad:
            return [y]
        first = tg.grad(y, leaves, v, create_graph=True, allow_unused=True)
        first = [tg.zeros_like(x) if g is None else g for g, x in zip(first, leaves, strict=True)]
        bent = [(g, w) for g, w in zip(first, directions, strict=True) if g.requires_grad]
        if not bent:
            return [y, *first]
        second = tg.grad([g for g, _ in bent], leaves, [w for _, w in bent], allow_unused=True)
        return [y, *first, *(tg.zeros_like(x) if g is None else g for g, x in zip(second, leaves, strict=True))]

    return function, wanted


def given_tensors(problem, wanted, dtype):
    inputs = problem.program.inputs
    v = tg.tensor(np.array(problem.cotangent, dtype).reshape(problem.program.shapes[-1]))
    tensors = [tg.tensor(i.array(dtype), requires_grad=i.requires_grad) for i in inputs]
    directions = [tg.tensor(np.array(problem.directions[k], dtype).reshape(inputs[k].shape)) for k in wanted]
    return [v, *tensors, *directions]


small = strategies.straight_line_programs(st.integers(-3, 3).map(float), most=5)


@settings(max_examples=examples(40))
@given(case=strategies.gradient_problems(small))
def test_all_routes_agree_to_the_last_bit_where_nothing_is_rounded(case):
    function, wanted = asked(case.problem)
    tensors = given_tensors(case.problem, wanted, "float64")
    expected = [y.detach().numpy() for y in function(*tensors)]
    if any(np.any(np.abs(y) > 2.0**40) or np.any(y * 64 != np.round(y * 64)) for y in expected):
        return  # thirds, from means, are rounded
    program = traced(function, tensors)
    if len(program.outputs) < len(expected):
        return  # an answer that depends on no input is no part of the program
    for name, found in routes(program, [x.array for x in tensors]):
        for y, reference in zip(found, expected, strict=True):
            assert np.shape(y) == reference.shape, name
            assert np.asarray(y).dtype == reference.dtype, name
            np.testing.assert_array_equal(y, reference, err_msg=name)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_all_routes_are_within_what_rounding_allows(dtype):
    @settings(max_examples=examples(20))
    @given(case=strategies.gradient_problems())
    def hold(case):
        if not case.judged(dtype):
            return
        function, wanted = asked(case.problem)
        tensors = given_tensors(case.problem, wanted, dtype)
        program = traced(function, tensors)
        parts = case.parts[: len(program.outputs)]
        if len(function(*tensors)) != len(program.outputs):
            return
        for name, found in routes(program, [x.array for x in tensors]):
            for y, (what, exact, majorant, count) in zip(found, parts, strict=True):
                ratio, _ = largest_ratio(np.asarray(y), exact, majorant, count, dtype)
                assert ratio <= 1, (name, what)

    hold()


def test_a_program_prints_as_a_list_of_instructions():
    x = placeholder("x", (2,), np.float64)
    program = Program.of([x], [record("sum", record("multiply", x, 2.0), axis=None)])
    assert str(program).splitlines() == [
        "x: float64[2]",
        "v1 = multiply(x, 2.0)  # float64[2]",
        "v2 = sum(v1, axis=None)  # float64[]",
        "return v2",
    ]
    assert program.run({x: np.array([1.0, 2.0])}) == [6.0]


def test_what_no_output_needs_is_no_part_of_a_program():
    x = placeholder("x", (2,), np.float64)
    record("exp", x)
    y = record("sin", x)
    assert Program.of([x], [y]).instructions == (y,)


def test_a_long_chain_needs_no_recursion():
    x = placeholder("x", (), np.float64)
    y = x
    for _ in range(20_000):
        y = y + 1.0
    (result,) = Program.of([x], [y]).run({x: np.float64(0)})
    assert result == 20_000


@pytest.mark.parametrize("function", ["sum", "prod", "max", "min"])
@pytest.mark.parametrize("shape", [(2, 3, 4), (5,), (2, 0)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_the_shape_of_a_reduction_is_numpys_though_nothing_is_added_up(function, shape, keepdims):
    x = np.ones(shape, np.float32)
    for axis in (None, -1, 0, tuple(range(x.ndim))):
        if x.size or function in ("sum", "prod"):
            expected = getattr(np, function)(x, axis=axis, keepdims=keepdims)
            found = record(function, placeholder("x", shape, "float32"), axis=axis, keepdims=keepdims)
            assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    with pytest.raises(np.exceptions.AxisError):
        record(function, placeholder("x", shape, "float32"), axis=3)


@pytest.mark.parametrize(
    "shapes", [((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((5, 1, 2, 3), (4, 3, 2)), ((2, 0), (0, 1))]
)
def test_the_shape_of_a_matrix_product_is_numpys_though_nothing_is_multiplied(shapes):
    expected = np.matmul(*(np.ones(shape) for shape in shapes)).shape
    assert record("matmul", *(placeholder("x", shape, "float64") for shape in shapes)).shape == expected
    with pytest.raises(ValueError, match="mismatch"):
        record("matmul", placeholder("x", (2, 1), "float64"), placeholder("y", (3, 2), "float64"))


def test_a_trace_of_a_million_million_elements_takes_no_time():
    n = 10**6
    x, y = placeholder("x", (n * n,), "float64"), placeholder("y", (2, n * n), "float64")
    assert record("sum", x, axis=None).shape == ()
    assert record("matmul", y, x).shape == (2,)


def test_numbers_that_are_equal_promote_by_their_own_type():
    x = placeholder("x", (2,), "int64")
    assert [record("add", x, one).dtype for one in (1, 1.0, True)] == [np.int64, np.float64, np.int64]
    assert record("add", x, np.float32(1)).dtype == np.float64
    assert record("add", placeholder("y", (2,), "int8"), np.int16(1)).dtype == np.int16


def test_the_judge_sees_a_wrong_program():
    case = Case(
        strategies.Problem(
            strategies.Program((strategies.Input((2,), (1.0, 3.0)),), (("multiply", 0, 0),)), (2.0, 5.0), ((1.0, 2.0),)
        )
    )
    _, exact, majorant, count = case.parts[1]
    assert largest_ratio(np.array([4.0, 30.0]), exact, majorant, count, "float64")[0] == 0
    assert largest_ratio(np.array([4.0, 30.0 + 1e-10]), exact, majorant, count, "float64")[0] > 1
