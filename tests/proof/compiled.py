"""Random programs, compiled against eager: results, derivatives, what is changed, and what was returned before.

    python -m tests.proof.compiled --count 20000 --seed 0

A case is the source of a function and a world of tensors and numbers that it reads and writes in all the ways in which
Python lets it. There are two such worlds, alike; the function is called in both, compiled in one of them, several times
with changes between. All numbers are small multiples of ½ and only few of them are multiplied, so that nothing is
rounded and everything has to be equal. Exit status 1 if anything differs.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import types
from collections import Counter, deque
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch

import numpy as np

import tinygrad_poly as tg
from tests.compiler.routes import plainly
from tinygrad_poly.compiler import compile
from tinygrad_poly.compiler.loops import numba_runner
from tinygrad_poly.engine.errors import TraceError

SHAPES = [(), (4,), (4,), (2, 4), (1, 4)]
MULTIPLICATIONS = 3
HELPERS = """
def slope(y, w):
    if not (y.requires_grad and w.requires_grad):
        return w * 0
    (g,) = tg.grad(y.sum(), w, create_graph=True, allow_unused=True)
    return w * 0 if g is None else g

def helper(x):
    return x + box.w * box.factor

class Box:
    shared = None

    def __init__(self, w):
        self.w = w
        self.factor = 2

class Thin:
    __slots__ = ("w",)

box, thin = Box(None), Thin()
"""
# How a program reads the tensors of its world.
READS = ["g0", "g1", "box.w", "Box.shared", "thin.w", "items[0]", "items[1]", "table['w']", "line[0]", "module.w"]
UNARY = ["-{}", "{}.abs()", "{}.relu()", "{} / 2", "{}.detach()", "{}.clone()", "{} + 1"]
NUMBERS = ["scale", "box.factor", "table['factor']", "sizes[0]", "array[0]"]


class DifferenceError(AssertionError):
    """What differs, and the case."""


class Case:
    """A source and two worlds.

    Args:
        seed: of all that is random in it.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = random.Random(seed)
        self.fused = bool(seed % 2)
        self.parameters = ["a", "b", "c"][: self.random.choice([1, 2, 2, 3])]
        self.shapes = {name: self.random.choice(SHAPES) for name in READS}
        self.requires = {name: self.random.random() < 0.4 for name in READS}
        self.arguments = {
            name: (self.random.choice(SHAPES), self.random.random() < 0.6, f"p{i}")
            for i, name in enumerate(self.parameters)
        }
        self.source = "\n".join([f"def f({', '.join(self.parameters)}):", *(f"    {x}" for x in self._body())])

    # The program

    def _body(self) -> Iterator[str]:
        pick = self.random.choice
        known = {name: shape for name, (shape, _, _) in self.arguments.items()} | {}
        differentiable = {name for name, (_, grad, _) in self.arguments.items() if grad}
        left, own = MULTIPLICATIONS, []
        for i in range(self.random.randint(2, 7)):
            t, p, q = f"t{i}", pick([*known, *own]), pick([*known, *own])
            if self.random.random() < 0.35:
                q = pick(READS)
            shape, other = known[p], known.get(q, self.shapes.get(q))
            assert other is not None
            both = fitting(shape, other)
            weights = [x for x in (*self.arguments, *READS) if (x in differentiable or self.requires.get(x))]
            kind = self.random.choices(
                ["binary", "multiply", "unary", "number", "sum", "shape", "where", "slope", "update", "own", "add",
                 "backward", "gradient", "helper", "func", "branch", "matmul"],
                [6, 6 * (left > 0), 4, 3, 3, 2, 2, 4 * bool(weights), 2, 1, 2,
                 1.5, 1.5, 1, 1 * (left > 1), 1, 3 * (left > 0)],
            )[0]  # fmt: skip
            if kind == "matmul":
                rows = [name for name, n in (known | self.shapes).items() if len(n) == 2]
                columns = [name for name, n in (known | self.shapes).items() if n == (4,)]
                kind = "matmul" if rows and columns else "multiply"
            if kind in ("multiply", "func", "matmul"):
                left -= 1 + (kind == "func")
            if both is None and kind in ("binary", "multiply", "where"):
                kind = "unary"
            made: tuple[int, ...] = shape
            match kind:
                case "binary":
                    line, made = f"{p} {pick('+-')} {q}", both  # type: ignore[assignment]
                case "multiply":
                    line, made = f"{p} * {q}", both  # type: ignore[assignment]
                case "matmul":
                    p = pick(rows)
                    line = f"({p} @ {pick(columns)}{pick(['', '.reshape(4, 1)'])}).sum() + {p}.sum()"
                    made = ()
                case "unary":
                    line = pick(
                        ["-{}", "{}.abs()", "{}.relu()", "{} / 2", "{}.detach()", "{}.clone()", "{} + 1"]
                    ).format(p)
                case "number":
                    line = f"{p} {pick(['+', '*'])} {pick(NUMBERS)}"
                case "sum":
                    line, made = pick([(f"{p}.sum()", ()), (f"{p}.mean()", ()), (f"{p}.sum(-1)", shape[:-1])])
                    if not shape:
                        line, made = f"{p}.sum()", ()
                case "shape":
                    line, made = (f"{p}.reshape(-1)[:4]", (4,)) if shape else (f"{p}.reshape(1, 1)", (1, 1))
                case "where":
                    line, made = f"tg.where({p} > 0, {p}, {q})", both  # type: ignore[assignment]
                case "slope":
                    w = pick(weights)
                    line, made = f"slope({p}, {w})", known.get(w, self.shapes.get(w, ()))
                case "update":
                    a = pick(self.parameters)
                    yield f"with tg.no_grad(): {a} -= {a} * 0 + {p}.detach().sum()"
                    continue
                case "own":
                    line = f"{p} + 0"
                    yield f"{t} = {line}"
                    yield f"{t} += {p}.sum()"
                    own.append(t)
                    known[t] = made
                    continue
                case "add":
                    a = pick(self.parameters)
                    if a in differentiable:
                        continue
                    yield f"{a} += {p}.sum()"
                    continue
                case "backward":
                    yield f"if {p}.requires_grad: {p}.sum().backward(retain_graph=True)"
                    continue
                case "gradient":
                    a = pick(self.parameters)
                    line, made = f"{a} * 0 if {a}.grad is None else {a}.grad + 1", self.arguments[a][0]
                case "helper":
                    if fitting(shape, self.shapes["box.w"]) is None:
                        continue
                    line, made = f"helper({p})", fitting(shape, self.shapes["box.w"])  # type: ignore[assignment]
                case "func":
                    line = f"tg.func.grad(lambda z: (z * z + {p}.sum() * z).sum())({p})"
                case "branch":
                    line = f"{p} + 1 if flag else {p} - scale"
            yield f"{t} = {line}"
            known[t] = made
            own.append(t)
        names = [x for x in known if x in own] or [*known]
        chosen = self.random.sample(names, min(len(names), self.random.randint(1, 3)))
        if self.random.random() < 0.2:
            chosen.append(pick(self.parameters))
        yield pick(["return [{}]", "return {}, ", "return {{'y': ({},)}}"]).format(", ".join(chosen))

    # The worlds

    def _numbers(self, shape: tuple[int, ...]) -> Any:
        count = int(np.prod(shape))
        return np.array([self.random.randint(-3, 3) / 2 for _ in range(count)]).reshape(shape)

    def worlds(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Two worlds with the same numbers."""
        found = []
        state = self.random.getstate()
        for _ in range(2):
            self.random.setstate(state)
            world: dict[str, Any] = {"tg": tg, "np": np, "__name__": "case", "flag": True, "scale": 1.5}
            exec(HELPERS, world)
            module = types.ModuleType("a_module_of_the_case")
            world |= {"module": module, "items": [None, None], "table": {"factor": 0.5}, "line": deque([None]),
                      "sizes": [2], "array": np.array([0.5, 1.0])}  # fmt: skip
            for name in READS:
                put(world, name, self._tensor(name))
            exec(self.source, world)
            found.append(world)
        return found[0], found[1]

    def _tensor(self, name: str) -> Any:
        return tg.tensor(self._numbers(self.shapes[name]), requires_grad=self.requires[name])

    def changes(self) -> list[Callable[[dict[str, Any]], None]]:
        """What happens between two calls, to be done in each world."""
        found: list[Callable[[dict[str, Any]], None]] = []
        for _ in range(self.random.randint(0, 2)):
            name = self.random.choice(READS)
            value = self._numbers(self.shapes[name])
            how = self.random.choice(["in place", "rebind", "number", "flag", "forget"])
            number = self.random.randint(1, 4)
            place = self.random.choice(NUMBERS)

            def change(world: dict[str, Any], name=name, value=value, how=how, number=number, place=place) -> None:
                if how == "in place":
                    with tg.no_grad():
                        x = eval(name, world)
                        x -= x.detach() - tg.tensor(value)
                elif how == "rebind":
                    put(world, name, tg.tensor(value, requires_grad=self.requires[name]))
                elif how == "number":
                    exec(f"{place} = {number} / 2", world)
                elif how == "flag":
                    world["flag"] = not world["flag"]
                else:
                    for x in tensors_of(world):
                        x.grad = None

            found.append(change)
        return found

    def calls(self, worlds: tuple[dict[str, Any], ...]) -> list[list[Any]]:
        """The arguments of the next call in each world: new, the last ones, one twice, or one computed from others."""
        how = self.random.choice(["new", "new", "last", "last", "twice", "computed", "captured"])
        values = {name: self._numbers(shape) for name, (shape, _, _) in self.arguments.items()}
        found = []
        for world in worlds:
            last = world.get("last")
            given = [tg.tensor(values[name], requires_grad=grad) for name, (_, grad, _) in self.arguments.items()]
            if how == "last" and last is not None:
                given = last
                for x, value in zip(given, values.values()):
                    with tg.no_grad():
                        x -= x.detach() - tg.tensor(value)
            elif how == "twice":
                given = [given[0] if self.arguments[name][0] == self.arguments["a"][0] else x
                         for x, name in zip(given, self.arguments)]  # fmt: skip
            elif how == "computed" and len(given) > 1:
                given[1] = given[0] * 2 if given[0].shape == given[1].shape else given[1] + given[1].sum()
            elif how == "captured":
                fits = [name for name in READS if self.shapes[name] == given[0].shape]
                if fits:
                    given[0] = eval(fits[0], world)
            world["last"] = given
            found.append(given)
        return found


def put(world: dict[str, Any], name: str, value: Any) -> None:
    """Assign to something that a world's programs can read."""
    world["value"] = value
    exec(f"{name} = value", world)


def fitting(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...] | None:
    """The common shape, if there is one of a kind that programs have."""
    try:
        return np.broadcast_shapes(a, b)
    except ValueError:
        return None


def tensors_of(world: dict[str, Any]) -> list[Any]:
    """The tensors of a world that are read, and the arguments of the last call."""
    return [*(eval(name, world) for name in READS), *world.get("last", ())]


def flat(result: Any) -> list[Any]:
    """The tensors in a result."""
    if isinstance(result, tg.Tensor):
        return [result]
    return [x for part in (result.values() if isinstance(result, dict) else result) for x in flat(part)]


def seen(x: Any) -> Any:
    """All that can be seen of a tensor."""
    grad = None if x.grad is None else x.grad.detach().numpy()
    return x.detach().numpy(), x.dtype, x.requires_grad, x.is_leaf, grad


def compare(case: Case, what: str, eager: Any, compiled: Any) -> None:
    """Raises:
    DifferenceError: where two lists of tensors differ.
    """
    if len(eager) != len(compiled):
        raise DifferenceError(f"{what}: {len(eager)} tensors and {len(compiled)} in case {case.seed}\n{case.source}")
    for x, y in zip(eager, compiled):
        mine, theirs = seen(x), seen(y)
        for a, b in zip(mine, theirs):
            if (a is None) is not (b is None) or not np.array_equal(a, b, equal_nan=isinstance(a, np.ndarray)):
                raise DifferenceError(f"{what}: eager {mine}, compiled {theirs} in case {case.seed}\n{case.source}")


def slopes(outputs: list[Any], world: dict[str, Any], second: bool) -> list[Any]:
    """The gradients of what was returned, or those of these."""
    leaves = list({id(x): x for x in tensors_of(world) if x.requires_grad and x.is_leaf}.values())
    total = sum(((i + 1) * y.sum() for i, y in enumerate(outputs) if y.requires_grad), tg.tensor(0.0))
    if not total.requires_grad or not leaves:
        return []
    found = tg.grad(total, leaves, create_graph=True, allow_unused=True)
    if second:
        total = sum((g.sum() for g in found if g is not None and g.requires_grad), tg.tensor(0.0))
        if not total.requires_grad:
            return []
        found = tg.grad(total, leaves, retain_graph=True, allow_unused=True)
    return [w * 0 if g is None else g for g, w in zip(found, leaves)]


def check(seed: int, tally: Counter[str]) -> None:
    """Run a case.

    Raises:
        DifferenceError: where eager and compiled differ.
    """
    case = Case(seed)
    eager, compiled = case.worlds()
    f = compile(compiled["f"])
    before: list[tuple[list[Any], list[Any]]] = []
    with patch.multiple(numba_runner, available=lambda: case.fused, compiled=plainly):
        for _ in range(4):
            for change in case.changes():
                change(eager)
                change(compiled)
            mine, theirs = case.calls((eager, compiled))
            try:
                expected, failure = flat(eager["f"](*mine)), None
            except Exception as error:
                expected, failure = [], error
            held = [seen(x) for x in tensors_of(compiled)]
            try:
                found = flat(f(*theirs))
            except TraceError as error:
                tally["refused"] += 1
                tally[f"refused: {re.sub('<function.*?> ', '', str(error))[:90]}"] += 1
                for x, (numbers, *_) in zip(tensors_of(compiled), held):
                    if not np.array_equal(seen(x)[0], numbers):
                        raise DifferenceError(f"a refusal changed a tensor in case {seed}\n{case.source}") from error
                return
            except Exception as error:
                if failure is None:
                    raise DifferenceError(f"{error!r} in case {seed}\n{case.source}") from error
                tally["the same error"] += 1
                return
            if failure is not None:
                raise DifferenceError(f"only eager: {failure!r} in case {seed}\n{case.source}")
            tally["calls"] += 1
            compare(case, "results", expected, found)
            compare(case, "what can be changed", tensors_of(eager), tensors_of(compiled))
            for second in (False, True):
                try:
                    right = slopes(expected, eager, second)
                except RuntimeError:
                    tally["no graph"] += 1
                    break
                compare(case, "second derivatives" if second else "derivatives", right, slopes(found, compiled, second))
                tally["derivatives"] += len(right)
            # A view of an argument goes on to show what is written there, and so does what a detached argument is one
            # of since; a compiled function returns numbers.
            shared = {id(x.base) for x in tensors_of(eager) if x.is_view}
            kept = [(x, y) for x, y in zip(expected, found) if not x.is_view and id(x) not in shared]
            before.append(([x for x, _ in kept], [y for _, y in kept]))
            for old, new in before:
                compare(case, "earlier results", old, new)
            # Numbers stay small.
            for world in (eager, compiled):
                for x in tensors_of(world):
                    x.grad = None
    tally["programs"] += 1


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.proof.compiled", description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=1000, help="how many programs")
    parser.add_argument("--seed", type=int, default=0, help="of the first program")
    options = parser.parse_args(arguments)
    tally, different = Counter[str](), []
    for seed in range(options.seed, options.seed + options.count):
        try:
            check(seed, tally)
        except DifferenceError as error:
            different.append(seed)
            print(error, file=sys.stderr)
        done = seed - options.seed + 1
        if done % 100 == 0:
            print(f"\r{done} of {options.count} programs, {len(different)} differ", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    counts = f"{tally['calls']:,} calls, {tally['derivatives']:,} derivatives"
    print(f"{options.count:,} programs from seed {options.seed}, {counts}")
    print(f"{tally['refused']:,} programs refused by name, {tally['the same error']:,} with the same error in both")
    for line, count in sorted(tally.items(), key=lambda item: -item[1]):
        if line.startswith("refused: "):
            print(f"{count:>8,}  {line}")
    print(f"{len(different)} differences" + (f": {different[:20]}" if different else ""))
    return int(bool(different))


if __name__ == "__main__":
    sys.exit(main())
