"""Threads: how many share a loop, and which loops have enough work to share."""

from __future__ import annotations

import importlib
import math
import os
from collections.abc import Callable
from typing import Any

from tinygrad_poly.compiler.loops import elementary, numba_runner
from tinygrad_poly.compiler.loops.fuse import SEVERAL_AT_A_TIME, Loop, Plan, computed, is_short, is_view
from tinygrad_poly.compiler.trace.symbols import Symbol

WORTH = 2_000_000
"""From how much work on a loop is shared, in additions; see "Threads" in `docs/compiler.md` for the measurement.

Two threads break even at a tenth of that; but it takes longer to compile for them.
"""

# What one element costs, in additions of float64 of which LLVM does several at once; what is not here costs 1. Without
# a vector library, functions of the C library are computed one element at a time, and so is all else in their loop.
FUNCTION = 300
COSTS = {
    **dict.fromkeys(("divide", "reciprocal", "sqrt"), 20),
    **dict.fromkeys(("max", "min"), 100),
    **dict.fromkeys(elementary.UNITS, 50),
    **dict.fromkeys((*SEVERAL_AT_A_TIME, "logaddexp", "logaddexp2"), FUNCTION),
    **dict.fromkeys(("float_power", "hypot", "remainder", "fmod", "nextafter"), FUNCTION),
}

COMMENT = "one part for each thread"
"""What a shared loop says of itself."""

LAYERS = ("omp", "tbb")
"""Numba's kinds of threads that start fast enough; its third, workqueue, gains nothing at any size."""

_forked = False


def _after_fork() -> None:
    # GNU OpenMP ends a child that uses threads which its parent started, and anybody may have started some.
    global _forked
    _forked = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def shared_axis(loop: Loop, plan: Plan) -> int | None:
    """The axis along which threads share a loop: its longest; None where there is too little work.

    A loop over n elements has n times the work of one. Part p of T takes the indices from ⌊length · p / T⌋ to before
    ⌊length · (p + 1) / T⌋.
    """
    elements = math.prod(loop.space)
    # Each loop of a program at hand has to pass here, so most are answered without looking into them.
    if elements * FUNCTION * len(plan.program.instructions) < WORTH or elements * _cost(loop, plan) < WORTH:
        return None
    return loop.space.index(max(loop.space))


def has_functions(loop: Loop, plan: Plan) -> bool:
    """Whether a loop calls functions of the C library, which take one element at a time."""
    return any(_cost_of(s, loop) == FUNCTION for s in computed(loop, _in_memory(plan)))


def _cost(loop: Loop, plan: Plan) -> int:
    """The cost of one element of a loop."""
    cost = sum(_cost_of(s, loop) for s in computed(loop, _in_memory(plan)) if not is_view(s))
    return cost + len(loop.stores) + sum(COSTS.get(s.function, 1) for s in loop.reductions)


def _cost_of(s: Symbol, loop: Loop) -> int:
    return FUNCTION if s.function in elementary.UNITS and is_short(loop.space) else COSTS.get(s.function, 1)


def _in_memory(plan: Plan) -> set[Symbol]:
    stored = (s for stage in plan.stages for loop in stage.loops.values() for s in loop.stores)
    return {*plan.program.inputs, *plan.hoisted, *stored, *(s for stage in plan.stages for s in stage.calls)}


def thread_count() -> int:
    """The number of threads that share a loop now, as far as `numba.set_num_threads` and the environment allow.

    NUMBA_NUM_THREADS says how many there are at most, by default one for each core, and so does OMP_NUM_THREADS, which
    Dask and others set to 1 where they run several processes. It is one where Numba has neither OpenMP nor TBB, and in
    a process that was forked from another.
    """
    numba: Any = importlib.import_module("numba")
    most = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]  # the others are for threads inside of threads
    if _forked or most == "1" or numba.config.NUMBA_NUM_THREADS == 1:
        return 1
    try:
        count = int(numba.get_num_threads())  # starts the threads
        if numba.threading_layer() not in LAYERS:
            return 1
    except ValueError:  # no layer at all, or none of those that NUMBA_THREADING_LAYER asks for
        return 1
    return min(count, int(most)) if most.isdecimal() and int(most) else count


def compiled(plan: Plan, source: str, parts: Callable[[], str]) -> Callable[..., tuple[Any, ...]]:
    """The function `run` of a source, compiled at its first call; each call uses the threads that it finds.

    Args:
        plan: the program.
        source: for one thread.
        parts: makes the source for several threads, see `parts.PartsPrinter`.
    """
    alone = numba_runner.compiled(source)
    if plan.has_calls or all(shared_axis(loop, plan) is None for stage in plan.stages for loop in stage.loops.values()):
        return alone
    together: Callable[..., tuple[Any, ...]] | None = None

    def run(*arguments: Any) -> tuple[Any, ...]:
        nonlocal together
        threads = thread_count()
        if threads == 1:
            return alone(*arguments)
        if together is None:
            together = numba_runner.compiled(parts())
        return together(*arguments, threads)

    return run
