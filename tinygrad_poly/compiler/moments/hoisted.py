"""Compiled functions that sum over their data once, and compute later calls from these sums."""

import weakref
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from tinygrad_poly.compiler.moments.algebra import NotFinite
from tinygrad_poly.compiler.moments.sums import into_numbers, with_moments
from tinygrad_poly.compiler.trace.apart import Apart
from tinygrad_poly.compiler.trace.program import Program
from tinygrad_poly.compiler.training import TrainingStep


class HoistedProgram:
    """A program that takes its sums over data when it sees an array of data for the first time.

    Arrays are values: nobody writes into them, so one that is the same object has the same moments. They are
    forgotten with the array.

    Args:
        program: simplified.
        changing: for each input whether it is another one in each call; all others are data.
        runner: makes of a program a function of its inputs, with the attribute `source`.

    Raises:
        NotPolynomial: at a call, naming what is in the way.
    """

    def __init__(self, program: Program, changing: Sequence[bool], runner: Callable[[Program], Any]) -> None:
        self._changing = list(changing)
        self._step = TrainingStep(program, self._chosen(program.inputs, True), self._chosen(program.inputs, False), ())
        self._runner = runner
        self._known: dict[tuple[int, ...], tuple[Any, tuple[Any, ...] | None]] = {}
        self._whole = self.program = program
        self.source = ""

    def __call__(self, *arrays: Any) -> tuple[Any, ...]:
        """The outputs, from the moments of the data among `arrays`."""
        data = self._chosen(arrays, False)
        weights = self._chosen(arrays, True)
        key = tuple(map(id, data))
        step, apart = self._in_numbers
        if key not in self._known:
            try:
                hoisted = with_moments(step, data)
                self._known[key] = self._runner(hoisted.step.program), hoisted.values
            except NotFinite:
                self._known[key] = self._plain, None
            for array in data:
                weakref.finalize(array, self._known.pop, key, None)
        run, moments = self._known[key]
        if moments is None or not all(np.isfinite(w).all() for w in weights):
            run, apart, given = self._plain, None, arrays
        else:
            given = (*moments, *(apart.split(self._step.carried, weights) if apart else weights))
        self.program, self.source = run.program, run.source
        results: tuple[Any, ...] = run(*given)
        return tuple(apart.join(self._whole.outputs, results)) if apart else results

    @cached_property
    def _in_numbers(self) -> tuple[TrainingStep, Apart | None]:
        """The program with a number for each element of a weight, and the way there."""
        if all(s.size == 1 for s in self._step.carried):
            return self._step, None
        apart = into_numbers(self._whole, self._step.carried)
        return self._step.in_parts(apart), apart

    @cached_property
    def _plain(self) -> Any:
        """The program without moments, for numbers that are not finite: see `NotFinite`."""
        return self._runner(self._whole)

    def _chosen(self, inputs: Sequence[Any], changing: bool) -> tuple[Any, ...]:
        return tuple(x for x, changes in zip(inputs, self._changing, strict=True) if changes is changing)
