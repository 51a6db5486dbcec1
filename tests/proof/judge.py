"""The judge: compares the gradients of both libraries with exact ones, within the bound for rounding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import tinygrad_poly as tg
from tinygrad_poly.checking.cases import Case, largest_ratio
from tinygrad_poly.checking.programs import Problem
from tinygrad_poly.checking.rationals import Exact, Library
from tinygrad_poly.engine import walk
from tinygrad_poly.engine.apply import wrap


class ViolationError(AssertionError):
    """A result that no rounding explains, and whose it is."""

    def __init__(self, whose: str, what: str, detail: str, problem: Problem) -> None:
        super().__init__(f"{whose}: {what}: {detail}\n  problem = {problem!r}")
        self.whose, self.what = whose, what


def solve(library: Any, problem: Problem, dtype: str) -> list[Any]:
    """The answers of a library (this one or torch) as arrays, in the order of `Case.parts`; None stands for zeros."""
    inputs = [library.tensor(i.array(dtype), requires_grad=i.requires_grad) for i in problem.program.inputs]
    with np.errstate(all="ignore"):
        found = solve_with(library.autograd.grad, problem, inputs, lambda x: library.tensor(x.astype(dtype)))
    return [None if x is None else x.detach().numpy() for x in found]


def solve_exactly(problem: Problem) -> list[Any]:
    """The answers of this library's engine when it runs on fractions: no rounding at all."""
    inputs = []
    for given in problem.program.inputs:
        array = Exact.of(given.array())
        inputs.append(wrap(array, walk.leaf(array) if given.requires_grad else None))
    found = solve_with(tg.autograd.grad, problem, inputs, lambda x: wrap(Exact.of(x), None))
    return [None if x is None else x.array for x in found]


def solve_with(grad: Any, problem: Problem, inputs: Sequence[Any], make: Any) -> list[Any]:
    """The answers, with a library's `grad`: from tensors of the inputs, and a function that makes tensors."""
    wanted = [k for k, given in enumerate(problem.program.inputs) if given.requires_grad]
    leaves = [inputs[k] for k in wanted]
    y = problem.program.run(inputs)
    zeros: list[Any] = [None] * len(leaves)
    if not y.requires_grad:
        return [y, *zeros, *zeros]
    v = make(np.array(problem.cotangent).reshape(tuple(y.shape)))
    y.backward(v, retain_graph=True)
    gradients = [x.grad for x in leaves]
    recorded = grad(y, leaves, v, create_graph=True, allow_unused=True)
    directions = [make(np.array(problem.directions[k]).reshape(problem.program.inputs[k].shape)) for k in wanted]
    # A gradient that is constant has no graph.
    bent = [(g, w) for g, w in zip(recorded, directions, strict=True) if g is not None and g.requires_grad]
    if not bent:
        return [y, *gradients, *zeros]
    return [y, *gradients, *grad([g for g, _ in bent], leaves, [w for _, w in bent], allow_unused=True)]


def check_exactly(case: Case) -> None:
    """Raise unless the engine, running on fractions, gives exactly the exact answers: its rules are right.

    Raises:
        ViolationError: with the problem to paste into a test.
    """
    for (what, exact, _, _), found in zip(case.parts, solve_exactly(case.problem), strict=True):
        got = Library.zeros(exact.shape) if found is None else found
        if got != exact:
            detail = f"{got.fractions()} of shape {got.shape}, exactly {exact.fractions()} of shape {exact.shape}"
            raise ViolationError("tinygrad_poly on fractions", what, detail, case.problem)


def check(case: Case, library: Any, dtype: str) -> list[float]:
    """The error of each answer as a part of what is allowed: 1 at most.

    Raises:
        ViolationError: for an answer that is further off, or has another shape or dtype.
    """
    whose = f"{library.__name__} in {dtype}"
    worst = []
    for (what, exact, majorant, count), found in zip(case.parts, solve(library, case.problem, dtype), strict=True):
        if found is None:
            found = np.zeros(exact.shape, dtype)
        if found.shape != exact.shape or found.dtype != dtype:
            detail = f"{found.dtype} of shape {found.shape}, not {dtype} of shape {exact.shape}"
            raise ViolationError(whose, what, detail, case.problem)
        ratio, at = largest_ratio(found, exact, majorant, count, dtype)
        if ratio > 1:
            K = count.roundings if count else 0
            detail = f"{found.flat[at]!r}, exactly {exact.fractions()[at]}: {ratio:.3g} times what {K} roundings allow"
            raise ViolationError(whose, what, detail, case.problem)
        worst.append(ratio)
    return worst


def check_kinds(problem: Problem, reference: Any, dtype: str) -> None:
    """Raise unless infinities and NaNs are where the library `reference` has them.

    Raises:
        ViolationError: with the problem to paste into a test.
    """
    mine, other = solve(tg, problem, dtype), solve(reference, problem, dtype)
    for k, (a, b) in enumerate(zip(mine, other, strict=True)):
        a, b = (np.zeros((), dtype) if x is None else x for x in (a, b))
        same = np.where(np.isfinite(a) & np.isfinite(b), True, (a == b) | (np.isnan(a) & np.isnan(b)))
        if not np.all(same):
            raise ViolationError(f"tinygrad_poly in {dtype}", f"answer {k}", f"{a} is {b} in torch", problem)
