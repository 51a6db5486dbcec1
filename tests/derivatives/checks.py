"""The three questions put to every case of the table: is the value right, the gradient, the gradient's gradient?

Most cases compute with multiples of ½, where every sum and product is exact: both libraries must then
give the same bits. The others carry a `Bound`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

import tinygrad_poly as tg
from tinygrad_poly.engine.operation import Operation

from ..helpers import UNIT_ROUNDOFF, cotangent, dtype_name, halves, numbers, ours, reduced_to, theirs

Shape = tuple[int, ...]
Majorant = Callable[..., Any]


@dataclass(frozen=True)
class Bound:
    """How far two correct results of an elementwise function may lie apart.

    A result is a product of `calls` values of library functions and of `roundings` other roundings, or
    a sum of such products. NumPy promises 4 units in the last place for its vectorised functions and
    torch 1, and a unit is at most 2u: together 10u a call, and 2u for each rounding that both make. So
    the difference is at most (10 · calls + 2 · roundings) · u · M, where the majorant M is the formula
    with all terms taken positive. `calls` and `roundings` are given for value, gradient and second gradient.
    """

    calls: tuple[int, int, int]
    roundings: tuple[int, int, int]
    value: Majorant
    slopes: Sequence[Majorant]
    curvatures: Sequence[Sequence[Majorant]]

    def allowed(self, order: int, dtype: str, terms: float) -> float:
        return (10 * self.calls[order] + 2 * (self.roundings[order] + terms)) * UNIT_ROUNDOFF[dtype]


@dataclass(frozen=True)
class Case:
    """A row of the derivative table in use, on inputs of several shapes."""

    row: Operation
    label: str
    call: Callable[..., Any]
    shapes: Sequence[tuple[Shape, ...]]
    torch_call: Callable[..., Any] | None = None
    draw: Sequence[Callable[[np.random.Generator, Shape], Any]] = ()
    bound: Bound | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return self.label

    def inputs(self, rng: np.random.Generator, shapes: tuple[Shape, ...]) -> list[Any]:
        draw = self.draw or [halves] * len(shapes)
        return [d(rng, shape) for d, shape in zip(draw, shapes, strict=True)]


def compare(mine: Any, reference: Any, allowed: Any) -> None:
    """`allowed` is None where the results must be the same."""
    assert tuple(mine.shape) == tuple(reference.shape)
    if allowed is None:
        np.testing.assert_array_equal(numbers(mine), numbers(reference))
        return
    difference = np.abs(numbers(mine).astype(np.float64) - numbers(reference))
    assert np.all(difference <= allowed), f"off by {np.max(difference / allowed)} times what rounding explains"


class Run:
    """One case on one set of numbers, through both libraries."""

    def __init__(self, case: Case, shapes: tuple[Shape, ...], dtype: str) -> None:
        rng = np.random.default_rng([len(shapes), *(n for shape in shapes for n in shape)])
        self.case, self.dtype = case, dtype
        self.arrays = case.inputs(rng, shapes)
        # A bounded case is compared with float64, which for float32 is as good as the truth.
        self.reference_dtype = dtype if case.bound is None else "float64"
        self.mine = [ours(a, dtype) for a in self.arrays]
        self.reference = [theirs(a, self.reference_dtype) for a in self.arrays]
        self.y = case.call(tg, *self.mine)
        self.y_reference = (case.torch_call or case.call)(torch, *self.reference)
        self.v = cotangent(rng, self.y.shape)
        self.w = [cotangent(rng, a.shape) for a in self.arrays]

    def check_value(self) -> None:
        if self.case.bound is None:
            assert dtype_name(self.y) == dtype_name(self.y_reference)
        allowed = None
        if (bound := self.case.bound) is not None:
            allowed = bound.allowed(0, self.dtype, 0) * bound.value(*self.arrays)
        compare(self.y, self.y_reference, allowed)

    def _cotangents(self) -> tuple[Any, Any]:
        return (
            ours(self.v, dtype_name(self.y)),
            theirs(self.v, dtype_name(self.y_reference)),
        )

    def check_gradient(self) -> None:
        v, v_reference = self._cotangents()
        gradients = tg.grad(self.y, self.mine, v, retain_graph=True)
        expected = torch.autograd.grad(self.y_reference, self.reference, v_reference, retain_graph=True)
        for i, (gradient, reference) in enumerate(zip(gradients, expected, strict=True)):
            assert dtype_name(gradient) == self.dtype
            compare(gradient, reference, self._allowed_gradient(i))
        self.y.backward(v, retain_graph=True)
        for tensor, gradient in zip(self.mine, gradients, strict=True):
            assert tensor.grad.dtype == tensor.dtype
            np.testing.assert_array_equal(numbers(tensor.grad), numbers(gradient))

    def check_second_gradient(self) -> None:
        v, v_reference = self._cotangents()
        first = tg.grad(self.y, self.mine, v, create_graph=True)
        first_reference = torch.autograd.grad(self.y_reference, self.reference, v_reference, create_graph=True)
        w = [ours(w, self.dtype, False) for w in self.w]
        w_reference = [theirs(w, self.reference_dtype, False) for w in self.w]
        second = tg.grad(first, [*self.mine, v], w, allow_unused=True)
        expected = torch.autograd.grad(first_reference, [*self.reference, v_reference], w_reference, allow_unused=True)
        variables = [*self.mine, v]
        for i, (gradient, reference) in enumerate(zip(second, expected, strict=True)):
            # Where a second derivative is 0 throughout, either library may say None.
            if reference is None:
                reference = torch.zeros(variables[i].shape)
            if gradient is None:
                gradient = tg.zeros(variables[i].shape)
            else:
                assert gradient.dtype == variables[i].dtype
            compare(gradient, reference, self._allowed_second(i))

    def _allowed_gradient(self, i: int) -> Any:
        if (bound := self.case.bound) is None:
            return None
        magnitude = np.abs(self.v) * bound.slopes[i](*self.arrays)
        return self._summed(i, magnitude, 1)

    def _allowed_second(self, j: int) -> Any:
        """Of Σᵢ wᵢ ∂(Σ v f)/∂xᵢ with respect to xⱼ, or to v where j is past the last input."""
        if (bound := self.case.bound) is None:
            return None
        weights = [np.abs(w) for w in self.w]
        if j == len(self.arrays):
            magnitude = sum(w * slope(*self.arrays) for w, slope in zip(weights, bound.slopes, strict=True))
            return magnitude * bound.allowed(2, self.dtype, len(weights) - 1)
        magnitude = sum(
            w * np.abs(self.v) * row[j](*self.arrays) for w, row in zip(weights, bound.curvatures, strict=True)
        )
        return self._summed(j, magnitude, 2)

    def _summed(self, i: int, magnitude: Any, order: int) -> Any:
        assert self.case.bound is not None
        shape = self.arrays[i].shape
        magnitude = np.broadcast_to(magnitude, self.y.shape)
        repeats = magnitude.size / max(self.arrays[i].size, 1)
        return self.case.bound.allowed(order, self.dtype, repeats + len(self.arrays)) * reduced_to(shape, magnitude)
