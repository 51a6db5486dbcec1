"""Negative controls: engines with one thing wrong, which the checks have to notice.

A mutant is *live* on a problem if its answers, computed on fractions, differ from the exact ones: nothing
else could be noticed. It is *caught* there if its floating-point answers break the bound.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import tinygrad_poly as tg
from tinygrad_poly.checking.cases import DTYPES, Case
from tinygrad_poly.checking.programs import Input, Program
from tinygrad_poly.checking.rationals import Exact
from tinygrad_poly.engine import arrays, walk
from tinygrad_poly.engine.operation import Operation
from tinygrad_poly.tensor import Tensor

from .judge import check, solve_exactly

Rule = Callable[..., Any]


@dataclass(frozen=True)
class Mutant:
    """A way to make the engine wrong for a while."""

    mistake: str
    where: str
    plant: Callable[[], Any] = field(repr=False)


@dataclass
class Outcome:
    """On how many problems a mutant was live, and on how many of those it was caught."""

    mutant: Mutant
    live: int = 0
    caught: int = 0

    @property
    def missed(self) -> bool:
        """Live somewhere, and caught nowhere."""
        return self.live > 0 and self.caught == 0


def rows() -> dict[str, Operation]:
    """The rows of the derivative table that programs and their gradients use, found on their tapes."""
    matrix = Input((2, 2), (1.0, 2.0, 3.0, 4.0))
    each = [("add", 0, 0), ("subtract", 0, 0), ("multiply", 0, 0), ("matmul", 0, 0), ("negative", 0), ("power", 0, 3),
            ("sum", 0, (-1,), False), ("mean", 0, (-1,), False), ("reshape", 0, (4,)), ("permute", 0, (-1, -2)),
            ("take", 0, (0, 0))]  # fmt: skip
    found: dict[str, Operation] = {}
    for instruction in each:
        x = tg.tensor(matrix.array(), requires_grad=True)
        y = Program((matrix,), (instruction,)).run([x])
        v = tg.tensor(np.ones(y.shape), requires_grad=True)
        gradients = tg.grad(y, x, v, create_graph=True)
        nodes = [tensor.node for tensor in (y, *gradients) if tensor is not None]
        while nodes:
            node = nodes.pop()
            if node is not None and node.operation is not None:
                found[node.operation.name] = node.operation
                nodes += node.parents
    return found


# Mistakes in a rule


def _flat(x: Any) -> Any:
    return x.reshape((int(np.prod(x.shape)),))


def _transposed(x: Any) -> Any:
    shape = x.shape
    return x.mT if len(shape) == 2 and (shape[0] == shape[1] or 1 in shape) else x


def _through_float32(x: Any) -> Any:
    if isinstance(x, Exact):
        return x.rounded("float32")
    return x.to(np.float32).to(x.dtype) if isinstance(x, Tensor) else x.astype(np.float32).astype(x.dtype)


RESULTS: dict[str, Callable[[Any], Any]] = {
    "twice": lambda x: x * 2.0,
    "half": lambda x: x * 0.5,
    "sign": lambda x: -x,
    "dropped": lambda x: x * 0.0,
    "1 + 2⁻²⁰ times": lambda x: x * (1 + 2.0**-20),
    "1 + 2⁻⁴⁵ times": lambda x: x * (1 + 2.0**-45),
    "in reverse order": lambda x: _flat(x)[::-1].reshape(x.shape) if len(x.shape) else x,
    "transposed": _transposed,
    "float32 accumulator": _through_float32,
}


def _on_result(mistake: Callable[[Any], Any]) -> Callable[[Rule], Rule]:
    return lambda rule: lambda *given: mistake(rule(*given))


def _cotangent_ignored(rule: Rule) -> Rule:
    return lambda g, *saved: rule(g * 0.0 + 1.0, *saved)


def _stale(rule: Rule) -> Rule:
    """The values saved at the rule's previous call, where they had the same shapes."""
    last: list[Any] = []

    def wrong(g: Any, *saved: Any) -> Any:
        shapes = [getattr(x, "shape", None) for x in saved]
        usable = last and [getattr(x, "shape", None) for x in last[-1]] == shapes
        last.append(saved)
        return rule(g, *(last[-2] if usable else saved))

    return wrong


@contextmanager
def _replaced(owner: Any, name: str, make: Callable[[], Any]) -> Iterator[None]:
    original = getattr(owner, name)
    setattr(owner, name, make())
    try:
        yield
    finally:
        setattr(owner, name, original)


def _rule_mutant(mistake: str, row: Operation, i: int, wrong: Callable[[Rule], Rule]) -> Mutant:
    def plant() -> Any:
        rules = list(row.rules)
        rules[i] = wrong(rules[i])
        return _replaced(row, "rules", lambda: tuple(rules))

    return Mutant(mistake, f"{row.name}, input {i}", plant)


def _whole_row(mistake: str, row: Operation, rules: Sequence[Rule | None]) -> Mutant:
    return Mutant(mistake, row.name, lambda: _replaced(row, "rules", lambda: tuple(rules)))


def _put_overwrites(g: Any, shape: Any, index: Any) -> Any:
    zeros = arrays.namespace(g).zeros(shape, dtype=g.dtype)
    zeros[index] = g
    return zeros


# Mistakes in the walk: text of the function, and what to write for it


def _rewritten(function: Any, *changes: tuple[str, str]) -> Callable[[], Any]:
    def make() -> Any:
        source = textwrap.dedent(inspect.getsource(function))
        for old, new in changes:
            if source.count(old) != 1:
                raise LookupError(f"{function.__name__} no longer has {old!r}: bring its mutant up to date")
            source = source.replace(old, new)
        scope: dict[str, Any] = {}
        exec(compile(source, f"<mutant of {function.__name__}>", "exec"), function.__globals__, scope)
        return scope[function.__name__].__code__

    return lambda: _replaced(function, "__code__", make)


_SUM = "entry[1] = contribution if entry[1] is None else entry[1] + contribution"
_READY = "if not entry[0]:\n                ready.append(parent)"

WALK: dict[str, Callable[[], Any]] = {
    "= for +=": _rewritten(walk.walk, (_SUM, "entry[1] = contribution")),
    "first contribution kept": _rewritten(walk.walk, (_SUM, _SUM.replace(" + contribution", ""))),
    "second contribution twice": _rewritten(walk.walk, (_SUM, _SUM + " + contribution")),
    "visited before all consumers": _rewritten(
        walk.walk,
        ("entry = waiting[parent]", "entry = waiting.get(parent, [1, None])"),
        (_READY, "if parent in waiting and parent not in ready:\n                ready.append(parent)"),
    ),
    "visited once for each consumer": _rewritten(
        walk.walk, ("waiting.pop(node)[1]", "waiting[node][1]"), (_READY, "ready.append(parent)")
    ),
    "cotangent not expanded": _rewritten(walk.walk, ("if g.shape != node.shape and (", "if False and (")),
    "un-broadcast: leading axes not summed": _rewritten(
        arrays.unbroadcast,
        ("cotangent = total(cotangent, tuple(range(leading)))", "cotangent = cotangent[(0,) * leading]"),
    ),
    "un-broadcast: repeated axes not summed": _rewritten(
        arrays.unbroadcast,
        (
            "return total(cotangent, repeated, keepdims=True)",
            "return cotangent[tuple(slice(0, 1) if i in repeated else slice(None) for i in range(-len(have), 0))]",
        ),
    ),
    "un-broadcast: mean for sum": _rewritten(
        arrays.unbroadcast, ("return total(cotangent)", "return total(cotangent) / max(math.prod(have), 1)")
    ),
    "starting cotangent ignored": _rewritten(
        walk.start,
        ("gradient if create_graph else gradient.array",
         "wrap(ones_like(gradient.array), None) if create_graph else ones_like(gradient.array)"),
    ),
    "saved values are constants": _rewritten(walk._as_tensors, ("wrap(array, source)", "wrap(array, None)")),
}  # fmt: skip


def mutants() -> list[Mutant]:
    """All of them."""
    table = rows()
    wrongs = {name: _on_result(mistake) for name, mistake in RESULTS.items()}
    wrongs |= {"cotangent ignored": _cotangent_ignored, "stale value": _stale}
    found = [
        _rule_mutant(mistake, row, i, wrong)
        for mistake, wrong in wrongs.items()
        for row in table.values()
        for i, rule in enumerate(row.rules)
        if rule is not None and not (mistake == "stale value" and not row.saves_inputs)
    ]
    found += [_whole_row("rules exchanged", row, row.rules[::-1]) for row in table.values() if len(row.rules) == 2]
    power, mean, permute = table["Pow"], table["Mean"], table["Permute"]
    multiply, matmul, put = table["Mul"], table["Mm"], table["IndexPut"]
    found += [
        _whole_row("n xⁿ for n xⁿ⁻¹", power, [lambda g, x, n: g * n * x**n]),
        _whole_row("factor n forgotten", power, [lambda g, x, n: g * x ** (n - 1) if n else x * 0.0]),
        _whole_row("n − 1 for n", power, [lambda g, x, n: g * (n - 1) * x ** (n - 1) if n else x * 0.0]),
        _whole_row("sum for mean", mean, table["Sum"].rules),
        _whole_row("not inverted", permute, [lambda g, axes: permute(g, axes)]),
        _whole_row("own factor", multiply, [lambda g, a, b: g * a, lambda g, a, b: g * b]),
        _whole_row("not transposed", matmul, [lambda g, a, b: g @ b, lambda g, a, b: a @ g]),
        Mutant("= for +=", put.name, lambda: _replaced(put, "forward", lambda: _put_overwrites)),
    ]
    return found + [Mutant(mistake, "walk", plant) for mistake, plant in WALK.items()]


def is_live(mutant: Mutant, case: Case) -> bool:
    """Whether the mutant's answers on fractions are not the exact ones."""
    with mutant.plant():
        try:
            found = solve_exactly(case.problem)
        except (ValueError, LookupError, TypeError, AttributeError, RuntimeError):
            return True
    zeros = [Exact(np.full(exact.shape, 0, dtype=object)) for _, exact, _, _ in case.parts]
    pairs = zip(found, zeros, case.parts, strict=True)
    return any((zero if x is None else x) != part[1] for x, zero, part in pairs)


def is_caught(mutant: Mutant, case: Case) -> bool:
    """Whether the mutant's answers in floating point break the bound, or it fails outright."""
    for dtype in DTYPES:
        if case.judged(dtype):
            with mutant.plant():
                try:
                    check(case, tg, dtype)
                except (AssertionError, ValueError, LookupError, TypeError, AttributeError, RuntimeError):
                    return True
    return False


def try_out(mutant: Mutant, cases: Sequence[Case], *, until_caught: bool = False) -> Outcome:
    """Run a mutant over problems, by default all of them."""
    outcome = Outcome(mutant)
    for case in cases:
        if is_live(mutant, case):
            outcome.live += 1
            outcome.caught += is_caught(mutant, case)
            if outcome.caught and until_caught:
                break
    return outcome
