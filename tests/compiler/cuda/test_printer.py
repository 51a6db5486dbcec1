"""The text of kernels, which needs no GPU."""

import re

import numpy as np
import pytest

import tinygrad_poly as tg
from tinygrad_poly.compiler.cuda import runner as cuda_runner
from tinygrad_poly.compiler.cuda.functions import OPERATORS, RESERVED, identifier
from tinygrad_poly.compiler.cuda.printer import CudaPrinter
from tinygrad_poly.compiler.loops.fuse import _FUSED, fuse
from tinygrad_poly.compiler.steps import CompiledSteps
from tinygrad_poly.compiler.trace.program import Program
from tinygrad_poly.compiler.trace.simplify import simplify
from tinygrad_poly.compiler.trace.symbols import placeholder, record

from .on_cpu import nvrtc

needs_nvrtc = pytest.mark.skipif(nvrtc.library() is None, reason="needs NVRTC: pip install nvidia-cuda-nvrtc")


def printed(loss, weights, x, optimizer=tg.optim.SGD, **options):
    tensors = {name: tg.tensor(w, requires_grad=True) for name, w in weights.items()}
    made = optimizer(list(tensors.values()), **({"lr": 0.5} | options))
    steps = CompiledSteps(loss, dict, weights, {"x": x, "y": x}, made)
    return cuda_runner.printed(fuse(steps.step.program, steps.step.carried), steps.captured, steps.step.carried)


def line(points):
    x = np.broadcast_to(np.float64(1), points)  # takes no memory
    return printed(lambda p, x, y: ((p["w"] * x - y) ** 2).sum(), {"w": np.array(0.5)}, x)


def test_few_points_are_one_kernel_with_all_steps_inside():
    kernels = line(2000)
    assert [(k.name, k.spread, k.reads) for k in kernels.kernels] == [("run", False, 2000)]
    assert "for (long long t = first; t < last; t++) {" in kernels.text


def test_many_points_are_two_kernels_for_each_step():
    kernels = line(10**6)
    assert [(k.name, k.spread) for k in kernels.kernels] == [("reduce", True), ("update", False)]
    assert "__launch_bounds__(256) reduce(" in kernels.text
    assert "for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < 1000000; " in kernels.text


@needs_nvrtc
def test_more_points_than_an_int_can_count():
    kernels = line(3 * 10**9)
    assert "for (long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x; i < 3000000000; " in kernels.text
    nvrtc.ptx(kernels.source)


def test_the_text_is_the_source_without_what_it_begins_with():
    kernels = line(6)
    assert kernels.source.endswith(kernels.text)
    assert kernels.text.startswith("// The threads of one block share the elements")
    assert "block_sum(grad_w, loss);" in kernels.text


def test_lines_say_what_they_are_part_of():
    comments = set(re.findall(r"// (\w+)$", line(6).text, re.MULTILINE))
    assert comments == {"forward", "backward", "update"}


def test_a_source_begins_only_with_what_it_uses():
    assert "block_max" not in line(6).prelude
    assert "INFINITY" not in line(6).prelude


def test_a_captured_array_of_one_element_is_read_where_there_is_no_loop():
    c, x = np.array([2.0]), placeholder("x", (1,), "float64")
    plan = fuse(Program.of([x], [record("multiply", x, c)]))
    assert "*at_result = x * c[0];" in CudaPrinter(plan, {"c": c}).kernels_of_call().text


def test_everything_that_fuses_can_be_printed():
    functions = {name for names in _FUSED.values() for name in names} - {"astype"}
    assert functions <= OPERATORS.keys()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a", "a"),
        ("θ", "theta"),
        ("Ωx", "omegax"),
        ("é", "e"),
        ("λ_1", "lambda_1"),
        ("double", "double_"),
        ("exp", "exp_"),
    ],
)
def test_names_are_those_of_the_user_as_far_as_cpp_takes_them(name, expected):
    assert identifier(name) == expected


@needs_nvrtc
def test_weights_may_have_any_name():
    names = ["θ", "double", "exp", "pow", "at_w", "T", "run", "blocks", "i", "losses", "數", "warp", "sum_of", "lambda"]
    weights = {name: np.array(0.5) for name in names} | {"w": np.array([1.0, 2.0])}

    def loss(params, x, y):
        return ((sum(params[name].exp() for name in names) * params["w"] * x - y) ** 2).sum() + params["w"].max()

    for elements in (2**15, 0):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(cuda_runner, "ELEMENTS_OF_ONE_BLOCK", elements)
            kernels = printed(loss, weights, np.array([1.0, 2.0]), tg.optim.SGD)
        assert {"exp(theta)", "exp(double_)"} <= set(re.findall(r"exp\(\w+\)", kernels.text))
        nvrtc.ptx(kernels.source)


def test_no_variable_is_called_like_a_function():
    x = placeholder("x", (3,), np.float64)
    for name in RESERVED:
        named = record("exp", x)
        named.name = name
        program = simplify(Program.of([x], [record("sum", named, axis=None, keepdims=False)]))
        text = CudaPrinter(fuse(program)).kernels_of_call().text
        assert f"const double {name}_ = exp(x[i]);" in text


@needs_nvrtc
def test_float32_is_computed_in_float32():
    x = placeholder("x", (6,), np.float32)
    functions = ("sqrt", "exp", "log", "tanh", "arctan", "floor", "absolute", "square", "sign", "expm1")
    y = x
    for name in functions:
        y = record(name, record("multiply", y, 0.1))
    program = Program.of([x], [record("sum", y, axis=None, keepdims=False)])
    kernels = CudaPrinter(fuse(simplify(program))).kernels_of_call()
    assert "double" not in kernels.text
    assert not re.search(r"\b(add|mul|fma|div|sqrt)\S*\.f64", nvrtc.ptx(kernels.source))
