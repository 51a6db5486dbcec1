"""The ways in which a traced function can be computed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch

import numpy as np

from tinygrad_poly.compiler.loops import fuse as fusing
from tinygrad_poly.compiler.loops import numpy_runner
from tinygrad_poly.compiler.loops.driver import printer
from tinygrad_poly.compiler.loops.numba_runner import arguments
from tinygrad_poly.compiler.loops.numpy_runner import NumpyProgram
from tinygrad_poly.compiler.steps import captured_arrays
from tinygrad_poly.compiler.trace.program import Program
from tinygrad_poly.compiler.trace.simplify import simplify
from tinygrad_poly.compiler.trace.symbols import Symbol, placeholder
from tinygrad_poly.engine.apply import wrap
from tinygrad_poly.engine.walk import leaf


def plainly(source: str) -> Any:
    """The function `run` of a fused program, not compiled: Python computes with NumPy's numbers, slowly."""
    found: dict[str, Any] = {"np": np, "njit": lambda function: function}
    exec(source, found)
    return found["run"]


def traced(function: Callable[..., Any], tensors: list[Any]) -> Program:
    """The program that a function of tensors, which returns a list of tensors, writes down; not simplified."""
    inputs = [placeholder(f"x{i}", x.shape, x.dtype) for i, x in enumerate(tensors)]
    given = [wrap(s, leaf(s) if x.requires_grad else None) for s, x in zip(inputs, tensors, strict=True)]
    return Program.of(inputs, [y.array for y in function(*given) if isinstance(y.array, Symbol)])


def routes(program: Program, arrays: list[Any]) -> Iterator[tuple[str, list[Any]]]:
    """The outputs of a program, on each way."""
    with np.errstate(all="ignore"):
        yield "interpreter", program.run(dict(zip(program.inputs, arrays, strict=True)))
        simple = simplify(program)
        yield "simplified", simple.run(dict(zip(program.inputs, arrays, strict=True)))
        for name, row in (("NumPy", numpy_runner.ROW), ("NumPy in rows", 3)):
            with patch.object(numpy_runner, "ROW", row):
                run = NumpyProgram(simple, {}, simple.inputs).once()
                run(*arrays)  # a second call writes into the memory of the first
                yield name, list(run(*arrays))
        captured = captured_arrays(simple)
        for name, worth in (("fused", fusing.WORTH_A_CALL), ("called", 0)):
            with patch.multiple(fusing, FEWEST=0, WORTH_A_CALL=worth):
                printed = printer(fusing.fuse(simple, calls=True), captured)
            run = plainly(printed.once())
            found = run(*arguments(arrays), *arguments(list(captured.values())), *printed.bound.values())
            kinds = [(s.dtype, s.shape) for s in simple.outputs]
            yield name, [np.asarray(y, dtype).reshape(shape) for y, (dtype, shape) in zip(found, kinds, strict=True)]
