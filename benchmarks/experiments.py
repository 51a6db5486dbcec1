"""Experiments: measurements that pages quote besides the benchmark rows: `python -m benchmarks.experiments`.

An experiment compares pieces of code that do the same: first their results, then their times, in turn. What it found
is kept in `results/experiments.json`, under its name, with the date, the machine and the versions; what other
experiments found stays there. Some of that was measured by hand, on code that is gone, and says so: `"code": false`.
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import numpy as np

import tinygrad_poly as tg
from benchmarks.comparison import Comparison, Result, WrongResult, called, measure
from benchmarks.descents import CUBIC, WAVE, Descent, Loss, adam, classifier, cubic, curve, network, sgd
from benchmarks.interface import Run, Unavailable, library
from benchmarks.pairing import torch_threads
from benchmarks.problems import SIN
from benchmarks.report.measured import RESULTS
from benchmarks.running.machine import machine, versions
from tinygrad_poly import _files as files
from tinygrad_poly.compiler.loops import numba_runner, threads
from tinygrad_poly.compiler.loops.fuse import fuse
from tinygrad_poly.compiler.loops.numpy_runner import NumpyProgram
from tinygrad_poly.compiler.loops.parts import PartsPrinter
from tinygrad_poly.compiler.loops.printer import Printer
from tinygrad_poly.compiler.trace.program import Program
from tinygrad_poly.compiler.trace.symbols import placeholder
from tinygrad_poly.engine.apply import wrap

FILE = RESULTS / "experiments.json"
LIBRARIES = ("python", "tinygrad_poly", "numpy", "numba", "llvmlite", "torch")
NUMBA = "pip install 'tinygrad_poly[compile]'"
DONE, WRONG, MISUSED = 0, 1, 2


Sizes = Callable[[int], int]
"""How many elements are measured instead of so many: fewer, where only the experiment itself is tested."""


@dataclass(frozen=True)
class Experiment:
    """Comparisons that belong together; each is built only after the one before is measured and freed."""

    title: str
    text: str
    comparisons: Callable[[Sizes], Iterator[Comparison]]


def in_threads(points: int, loss: Loss, start: Sequence[float], shared: bool, signed: bool = False) -> Run:
    """A fit whose loop is shared by threads or not, whatever its amount of work."""
    run = curve(loss, start, points).compiled()
    compiled = numba_runner.compiled
    # Both are looked at in the first call only.
    with (
        patch.object(threads, "WORTH", 0 if shared else math.inf),
        patch.object(numba_runner, "compiled", lambda s: compiled(s.replace("np.uintp", "np.intp") if signed else s)),
    ):
        run.take(1)
    return run


@contextmanager
def two_threads() -> Iterator[None]:
    """A context with two Numba threads.

    Raises:
        Unavailable: where there are none.
    """
    numba = library("numba", "Numba", NUMBA)
    if threads.thread_count() < 2:
        raise Unavailable('Numba has one thread here: see "Threads" in docs/compiler.md')
    before = numba.get_num_threads()
    numba.set_num_threads(2)
    try:
        yield
    finally:
        numba.set_num_threads(before)


def threads_experiment(sizes: Sizes) -> Iterator[Comparison]:
    """The comparison of one thread and two."""
    fits = {
        "sin": (CUBIC, (2000, 10_000, 20_000, 50_000, 100_000, 200_000, 2_000_000, 20_000_000)),
        "wave": (WAVE, (700, 2000, 7000, 20_000, 100_000)),
    }
    with two_threads():
        for name, (fit, all_points) in fits.items():
            for points in all_points:
                runs = {
                    f"{word} {'threads' if shared else 'thread'}": in_threads(sizes(points), *fit, shared)
                    for word, shared in (("two", True), ("one", False))
                }
                result = Result(f"a step with {points:,} points, two threads", "two threads", "one thread")
                yield Comparison(runs, {f"threads-{name}-{points}": result})
        runs = {
            "signed": in_threads(sizes(200_000), *CUBIC, True, signed=True),
            "unsigned": in_threads(sizes(200_000), *CUBIC, True),
        }
        signed = Result("a step of the sin fit with 200,000 points, indices signed", "signed", "unsigned")
        yield Comparison(runs, {"threads-signed": signed})


def compiling(sizes: Sizes) -> Iterator[Comparison]:
    """The comparison of Numba's compile time for the sin fit, with an empty cache, and the first step."""
    library("numba", "Numba", NUMBA)
    steps, start = curve(*CUBIC, sizes(1_000_000)).steps()
    assert steps.plan is not None
    with patch.object(threads, "WORTH", 0):
        together = PartsPrinter(steps.plan).steps(steps.step.carried)
    arguments = [0, 1, 1, np.empty(1), *steps.data, *numba_runner.arguments(start)]

    def run(source: str, *more: Any) -> Run:
        found: Any = ()

        def take(n: int) -> None:
            nonlocal found
            for _ in range(n):
                with nothing_cached():
                    found = numba_runner.compiled(source)(*arguments, *more)

        return Run(take, lambda: np.array(found))

    alone = Printer(steps.plan).steps(steps.step.carried)
    yield Comparison(
        {"one": run(alone), "several": run(together, 1)},
        {
            "compiling": Result("compiling the sin fit", "one"),
            "compiling-threads": Result("compiling the sin fit for several threads", "several", "one"),
        },
    )


@contextmanager
def nothing_cached() -> Iterator[None]:
    """A context in which neither this process nor the disk has a compiled program."""

    def forget() -> None:
        for name in [name for name in sys.modules if name.startswith("tinygrad_poly_")]:
            del sys.modules[name]

    with TemporaryDirectory() as folder, patch.dict(os.environ, {"TINYGRAD_POLY_CACHE": folder}):
        forget()
        yield
        forget()


def calls(sizes: Sizes) -> Iterator[Comparison]:
    """The comparison of loops with calls between them, of NumPy alone, and of the tape."""
    library("numba", "Numba", NUMBA)
    models = {
        "network": (network, [(16, 8), (16,), (1, 16), (1,)]),
        "classifier": (classifier, [(10, 20), (10,)]),
    }
    rows = [("network", 2000, "float64", "SGD"), ("network", 2000, "float32", "SGD"),
            ("network", 2000, "float64", "Adam"), ("network", 2000, "float32", "Adam"),
            ("network", 20, "float64", "SGD"), ("network", 100_000, "float64", "SGD"),
            ("classifier", 2000, "float64", "SGD"), ("classifier", 2000, "float32", "SGD")]  # fmt: skip
    for model, points, dtype, optimizer in rows:
        loss, shapes = models[model]
        rng = np.random.default_rng(0)
        start = [rng.normal(size=shape, scale=0.3).astype(dtype) for shape in shapes]
        x = rng.normal(size=(sizes(points), shapes[0][1])).astype(dtype)
        y = np.sin(x.sum(1, keepdims=True))
        if model == "classifier":
            y = np.eye(10, dtype=dtype)[rng.integers(10, size=len(x))]
        rate = {"SGD": sgd(1e-2), "Adam": adam(1e-3)}[optimizer]

        def descent(loss: Loss = loss, start: Any = start, x: Any = x, y: Any = y, rate: Any = rate) -> Descent:
            return Descent(loss, start, x, y, rate).begun()

        runs = {"compiled": descent().compiled(), "NumPy": descent().compiled(numba=False), "tape": descent().eager()}
        key, what = f"calls-{model}-{points}-{dtype}-{optimizer}", f"a step of the {model}, {points:,} points, {dtype}"
        of = {unit: Result(f"{what}, {optimizer}", "compiled", unit) for unit in ("NumPy", "tape")}
        yield Comparison(runs, {f"{key}-of-{unit}": result for unit, result in of.items()})


def transcendental(sizes: Sizes) -> Iterator[Comparison]:
    """The comparison of a function in a loop and NumPy's function."""
    library("numba", "Numba", NUMBA)
    functions: dict[str, Callable[[Any], Any]] = {
        name: getattr(tg, name) for name in ("exp", "expm1", "log", "log1p", "tanh", "sinh", "atan", "sin", "cos")
    }
    for name, function in (functions | {"pow": lambda x: x**1.5}).items():
        for dtype in ("float64", "float32"):
            x = np.linspace(0.1, 2, sizes(2000), dtype=dtype)
            symbol = placeholder("x", x.shape, dtype)
            program = Program.of([symbol], [function(wrap(symbol, None)).array])
            ways = {
                "loop": numba_runner.compiled(Printer(fuse(program)).once()),
                "NumPy": NumpyProgram(program, {}, [symbol]).once(),
            }
            result = Result(f"{name} of 2000 numbers, {dtype}, in a loop of Numba's", "loop", "NumPy")
            yield Comparison({k: called(way, x) for k, way in ways.items()}, {f"{name}-in-loop-{dtype}": result})


def moments(sizes: Sizes) -> Iterator[Comparison]:
    """The comparison of traces, expansions and sums over data, around 0 and around a center."""
    for points in (2000, 20_000_000):
        what = f"the moments of {points:,} points, traced, expanded and summed"
        results = {
            f"moments-of-{points}": Result(what, "around 0"),
            f"centered-moments-of-{points}": Result(f"{what}, around a center", "around a center"),
        }
        descent = curve(*CUBIC, sizes(points))
        yield Comparison(
            {"around 0": descent.moments(centered=False), "around a center": descent.moments(centered=True)}, results
        )


def hoisted_call(sizes: Sizes) -> Iterator[Comparison]:
    """The comparison of the sin fit's gradient by a compiled function, with moments and without."""
    library("numba", "Numba", NUMBA)

    def slopes(a: Any, b: Any, c: Any, d: Any, x: Any, y: Any) -> Any:
        return tg.grad(cubic([a, b, c, d], x, y), [a, b, c, d])

    for points in (2000, 1_000_000):
        data = [tg.from_numpy(a) for a in SIN.data(sizes(points), "float64")]
        weights = [tg.tensor(w, dtype=tg.float64, requires_grad=True) for w in SIN.start]
        runs = {
            "hoisted": called(tg.compile(slopes, hoist="algebra"), *weights, *data),
            "compiled": called(tg.compile(slopes), *weights, *data),
        }
        result = Result(f"a call of the gradient of the sin fit with moments, {points:,} points", "hoisted")
        yield Comparison(runs, {f"hoisted-call-of-{points}": result})


def cube(sizes: Sizes) -> Iterator[Comparison]:
    """The comparison of a power and two products."""
    x = np.linspace(-math.pi, math.pi, sizes(2000))
    yield Comparison(
        {"pow": called(lambda: [x**3]), "products": called(lambda: [x * x * x])},
        {
            "cube-by-pow": Result("x ** 3 of 2000 float64 numbers in NumPy", "pow"),
            "cube-by-products": Result("x * x * x of 2000 float64 numbers in NumPy", "products"),
        },
    )


def convolution(sizes: Sizes) -> Iterator[Comparison]:
    """The comparison of a step of a small convolutional network and torch's, with one thread."""
    torch = importlib.import_module("torch")
    rng, count = np.random.default_rng(0), sizes(32)
    images, classes = rng.normal(size=(count, 1, 28, 28)).astype(np.float32), rng.integers(10, size=count)

    def training(m: Any) -> Run:
        m.manual_seed(0)
        first = m.nn.Conv2d(1, 16, 3, padding=1), m.nn.ReLU(), m.nn.MaxPool2d(2)
        second = m.nn.Conv2d(16, 32, 3, padding=1), m.nn.ReLU(), m.nn.MaxPool2d(2)
        model = m.nn.Sequential(*first, *second, m.nn.Flatten(), m.nn.Linear(32 * 7 * 7, 10))
        optimizer, x, y = m.optim.SGD(model.parameters(), lr=0.01), m.tensor(images), m.tensor(classes)

        def take(n: int) -> None:
            for _ in range(n):
                optimizer.zero_grad()
                m.nn.functional.cross_entropy(model(x), y).backward()
                optimizer.step()

        return Run(take, lambda: np.concatenate([np.ravel(p.detach().numpy()) for p in model.parameters()]))

    with torch_threads(1):
        step = "a step of a network with two convolutions, 32 images of 28 × 28"
        results = {"convolution-of-torch": Result(step, "tape", "torch"), "convolution": Result(step, "tape")}
        yield Comparison({"tape": training(tg), "torch": training(torch)}, results)


EXPERIMENTS = {
    "threads": Experiment(
        "Two threads in units of one",
        "A step of the sin fit and of a fit of a · sin(b x) in float64: the compiled programs for one thread and for "
        "several, whatever the threshold says; and the latter with indices that may be negative.",
        threads_experiment,
    ),
    "compiling": Experiment("Compiling for threads", "With nothing in the cache, and a first step.", compiling),
    "calls": Experiment(
        "Calls between loops",
        "A step of the program with loops and calls in units of the same program on NumPy alone, and of the tape.",
        calls,
    ),
    "transcendental": Experiment(
        "Transcendental functions in a loop",
        "2000 numbers between 0.1 and 2 in a loop of Numba's, in units of NumPy's time.",
        transcendental,
    ),
    "moments": Experiment("Moments, once", "Tracing a step of the sin fit, expanding it and summing.", moments),
    "hoisted-call": Experiment("A call with moments", "Of a compiled function with hoist='algebra'.", hoisted_call),
    "convolution": Experiment(
        "A small convolutional network",
        "Two convolutions 3 × 3 with 16 and 32 filters, each with a rectifier and maxima of 2 × 2, then a linear "
        "layer; cross entropy and SGD in float32, with one thread, in units of torch's time.",
        convolution,
    ),
    "cube": Experiment("A cube", "By NumPy's power and by products.", cube),
}


def busy() -> float:
    """The average number of programs that wanted the processor in the last minute; 0 if the system does not say."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0


def run(name: str, sizes: Sizes = int, budget: float = 1.0, at_least: float = 0.005) -> dict[str, Any]:
    """The results of an experiment, as they are stored.

    Raises:
        Unavailable: where something that it takes is not there.
        WrongResult: where its pieces of code do not do the same.
    """
    experiment = EXPERIMENTS[name]
    load = busy()
    results: dict[str, Any] = {}
    for comparison in experiment.comparisons(sizes):
        results |= measure(comparison, budget, at_least)
    here, known = machine(), versions()
    return {
        "title": experiment.title,
        "text": experiment.text,
        "code": True,
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{here['cpu']}, {here['cores']} cores",
        "load before": round(load, 1),
        "versions": {library: known[library] for library in LIBRARIES if library in known},
        "results": results,
    }


def keep(name: str, found: dict[str, Any], path: Path = FILE) -> None:
    """Write an experiment's results into the file; those of other experiments stay as they are."""
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    files.write(path, (json.dumps(kept | {name: found}, ensure_ascii=False, indent=1) + "\n").encode())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the named experiments, or all; returns the exit status.

    Status 0 is success, also where an experiment could not be made here and says why; 1 is a wrong result, and 2 wrong
    usage.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.experiments", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(EXPERIMENTS)} (default: all)")
    names = parser.parse_args(arguments).names or list(EXPERIMENTS)
    if unknown := [name for name in names if name not in EXPERIMENTS]:
        print(f"there is no experiment {', '.join(unknown)}: known are {', '.join(EXPERIMENTS)}", file=sys.stderr)
        return MISUSED
    if (load := busy()) > 1:
        print(
            f"{load:.1f} programs wanted the processor in the last minute: what two threads gain may not show",
            file=sys.stderr,
        )
    for name in names:
        try:
            found = run(name)
        except Unavailable as reason:
            print(f"{name}: skipped, {reason}")
            continue
        except WrongResult as error:
            print(f"{name}: {error}", file=sys.stderr)
            return WRONG
        keep(name, found)
        for key, entry in found["results"].items():
            print(f"{key}: {entry['value']}", flush=True)
    return DONE


if __name__ == "__main__":
    sys.exit(main())
