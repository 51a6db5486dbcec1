"""Loops that threads share: the same numbers, fixed parts, and one thread wherever several would not be right."""

import json
import os
import subprocess
import sys
import textwrap
import types
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_poly as tg
from tinygrad_poly.checking import strategies
from tinygrad_poly.checking.cases import largest_ratio
from tinygrad_poly.compiler import compile
from tinygrad_poly.compiler.loops import threads
from tinygrad_poly.compiler.loops.fuse import NotFusable, fuse
from tinygrad_poly.compiler.loops.numba_runner import arguments
from tinygrad_poly.compiler.loops.parts import PartsPrinter
from tinygrad_poly.compiler.loops.printer import Printer
from tinygrad_poly.compiler.steps import captured_arrays
from tinygrad_poly.compiler.trace.simplify import simplify
from tinygrad_poly.fitting import fit
from tinygrad_poly.fitting.descent import program as printed_fit

from ...helpers import examples
from ..routes import traced
from ..trace.test_program import asked, given_tensors


@pytest.fixture
def any_work(monkeypatch):
    """Every loop is worth sharing."""
    monkeypatch.setattr(threads, "WORTH", 0)


def plan_of(function, *shapes, dtype="float64"):
    return fuse(simplify(traced(function, [tg.zeros(*shape, dtype=getattr(tg, dtype)) for shape in shapes])))


def axes(plan):
    return [threads.shared_axis(loop, plan) for stage in plan.stages for loop in stage.loops.values()]


def in_parts(source):
    """The function `run` of a source in parts, not compiled: one part after another."""
    found = {"np": np, "numba": types.SimpleNamespace(prange=range)}
    found |= {"njit": lambda f: f, "njit_parallel": lambda f: f}
    exec(source, found)
    return found["run"]


def sums(x):
    return [((x * 0.5 - 1) ** 2).sum()]


# Which loops are shared


def test_a_loop_is_shared_from_some_number_of_elements_on():
    # Two multiplications, one subtraction and the addition to the sum.
    enough = threads.WORTH // 4
    assert axes(plan_of(sums, (enough,))) == [0]
    assert axes(plan_of(sums, (enough - 1,))) == [None]


def test_a_function_of_the_c_library_is_worth_sharing_sooner():
    # The function and the addition to the sum. What LLVM computes several elements at a time of costs less.
    enough = -(-threads.WORTH // (threads.FUNCTION + 1))
    assert axes(plan_of(lambda x: [x.sin().sum()], (enough,))) == [0]
    assert axes(plan_of(lambda x: [x.sin().sum()], (enough - 1,))) == [None]
    assert axes(plan_of(lambda x: [x.exp().sum()], (enough,))) == [None]


def test_what_is_used_twice_is_counted_once_and_what_is_in_memory_is_not_counted():
    def function(x):
        y = x.sin()
        return [(y * y).sum()]

    enough = -(-threads.WORTH // (threads.FUNCTION + 2))
    assert axes(plan_of(function, (enough,))) == [0]
    assert axes(plan_of(function, (enough - 1,))) == [None]
    assert axes(plan_of(lambda x: [x.sum()], (threads.WORTH,))) == [0]
    assert axes(plan_of(lambda x: [x.sum()], (threads.WORTH - 1,))) == [None]


def test_the_longest_axis_is_shared():
    assert axes(plan_of(sums, (4, 1, 1_000_000))) == [2]
    assert axes(plan_of(sums, (3_000, 1_000))) == [0]
    assert axes(plan_of(sums, (1_000, 1_000))) == [0]


def test_of_several_loops_only_the_long_ones_are_shared(any_work, monkeypatch):
    monkeypatch.setattr(threads, "WORTH", 30)
    plan = plan_of(lambda x, y: [(x * y).sum(), (y * y).sum()], (30, 2), (2,))
    assert axes(plan) == [0, None]
    source = PartsPrinter(plan).once()
    assert source.count("numba.prange(threads)") == 1
    x, y = np.arange(60.0).reshape(30, 2), np.array([2.0, 3.0])
    assert in_parts(source)(x, y, 4) == ((x * y).sum(), 13.0)


# What is printed


def test_a_short_loop_is_printed_as_it_was():
    plan = plan_of(sums, (2000,))
    assert "#" not in Printer(plan).once()
    assert "prange" not in PartsPrinter(plan).once()


def test_readers_see_the_plain_loop_and_that_it_is_shared():
    def loss(params, x, y):
        return ((params["w"] * x - y) ** 2).sum()

    sources = [
        Printer(plan_of(sums, (3_000, 1_000))).once(),
        printed_fit(loss, {"w": 0.5}, np.zeros(10**6), np.zeros(10**6)),
    ]
    for source, start in zip(sources, ["for i0 in range(3000):", "for i in range(1000000):"], strict=True):
        assert "prange" not in source
        (line,) = [line for line in source.splitlines() if threads.COMMENT in line]
        assert " ".join(line.split()) == f"{start} # {threads.COMMENT}"


def test_the_source_in_parts(any_work):
    assert PartsPrinter(plan_of(lambda x: [(x * x).sum(), x * 2], (5,))).once() == textwrap.dedent(
        """\
        @njit
        def loop(part, threads, x0, sum_parts, v1):
            sum = 0.0
            for i in range(np.uintp(5 * part // threads), np.uintp(5 * (part + 1) // threads)):
                x0_i = x0[i]
                sum += x0_i * x0_i
                v1[i] = x0_i * 2.0
            sum_parts[part] = sum


        @njit_parallel
        def run(x0, threads):
            sum = 0.0
            v1 = np.empty((5,), np.float64)
            sum_parts = np.empty(threads, np.float64)
            for part in numba.prange(threads):
                loop(np.intp(part), threads, x0, sum_parts, v1)
            for part in range(threads):
                sum += sum_parts[part]
            return (sum, v1,)
        """
    )


@pytest.mark.parametrize("name", ["part", "threads", "loop", "loop_parts", "numba", "njit", "sum_parts", "first"])
def test_weights_may_have_any_name(any_work, name):
    def function(w, x):
        w.array.name = name
        return [(w * x).sum()]

    plan = fuse(simplify(traced(function, [tg.tensor(1.0), tg.zeros(5)])))
    assert in_parts(PartsPrinter(plan).once())(np.float32(3), np.arange(5, dtype=np.float32), 2)[0] == 30


# That it is the same


def found_in_parts(program, arrays, number):
    simple = simplify(program)
    captured = captured_arrays(simple)
    run = in_parts(PartsPrinter(fuse(simple), captured).once())
    with np.errstate(all="ignore"):
        found = run(*arguments(arrays), *arguments(list(captured.values())), number)
    kinds = [(s.dtype, s.shape) for s in simple.outputs]
    return [np.asarray(y, dtype).reshape(shape) for y, (dtype, shape) in zip(found, kinds, strict=True)]


small = strategies.straight_line_programs(st.integers(-3, 3).map(float), most=5)


@pytest.mark.usefixtures("any_work")
@pytest.mark.parametrize("number", [2, 3])
def test_parts_agree_with_the_interpreter_to_the_last_bit_where_nothing_is_rounded(number):
    shared = []

    @settings(max_examples=examples(100))
    @given(case=strategies.gradient_problems(small))
    def hold(case):
        function, wanted = asked(case.problem)
        tensors = given_tensors(case.problem, wanted, "float64")
        program, arrays = traced(function, tensors), [x.array for x in tensors]
        with np.errstate(all="ignore"):
            expected = program.run(dict(zip(program.inputs, arrays, strict=True)))
        if any(np.any(np.abs(y) > 2.0**40) or np.any(y * 64 != np.round(y * 64)) for y in expected):
            return  # thirds, from means, are rounded
        try:
            shared.append("prange" in PartsPrinter(fuse(simplify(program))).once())
        except NotFusable:
            return
        for y, reference in zip(found_in_parts(program, arrays, number), expected, strict=True):
            np.testing.assert_array_equal(y, reference)

    hold()
    assert any(shared)


@pytest.mark.usefixtures("any_work")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_parts_are_within_what_rounding_allows(dtype):
    @settings(max_examples=examples(10))
    @given(case=strategies.gradient_problems(), number=st.integers(2, 5))
    def hold(case, number):
        if not case.judged(dtype):
            return
        function, wanted = asked(case.problem)
        tensors = given_tensors(case.problem, wanted, dtype)
        program = traced(function, tensors)
        if len(function(*tensors)) != len(program.outputs):
            return
        try:
            found = found_in_parts(program, [x.array for x in tensors], number)
        except NotFusable:
            return
        for y, (what, exact, majorant, count) in zip(found, case.parts[: len(program.outputs)], strict=True):
            ratio, _ = largest_ratio(np.asarray(y), exact, majorant, count, dtype)
            assert ratio <= 1, what

    hold()


KINDS = {
    "sums, products, largest and smallest": lambda x: (x.sum(), (x * 0 + 1).prod(), x.max(), x.min()),
    "elements": lambda x: (x * 2, x > 0, (x > 0) * 3),
    "a mean and what depends on it": lambda x: ((x - x.mean()).abs().max(), x - x.max()),
    "an axis that is broadcast": lambda x: (x * x[:, :1], (x[:1] * x).sum()),
    "columns beside rows": lambda x: ((x[0].reshape(-1, 1) * x[0]).max(),),
    "whole numbers": lambda x: ((x > 0).sum(), (x * 0 + 7).to(tg.int64).max()),
}


@pytest.fixture(scope="module")
def several():
    """Numba with two threads, wherever this runs."""
    numba = pytest.importorskip("numba")
    with pytest.MonkeyPatch.context() as patch:
        # Where tests run in several processes, each is told to have one thread.
        patch.delenv("OMP_NUM_THREADS", raising=False)
        if numba.config.NUMBA_NUM_THREADS < 2 or threads.thread_count() < 2:
            pytest.skip("no threads for Numba here")
        numba.set_num_threads(2)
        yield numba
        numba.set_num_threads(numba.config.NUMBA_NUM_THREADS)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_with_two_threads_the_numbers_are_the_same(several, any_work, dtype):
    def function(x):
        return {kind: f(x) for kind, f in KINDS.items()}

    # Small whole numbers: all of these are exact in either dtype but for the mean, a sum over 56.
    x = tg.tensor(np.random.default_rng(0).integers(-8, 9, (7, 8)).astype(dtype))
    expected, found = function(x), compile(function)(x)
    for kind, values in expected.items():
        for y, reference in zip(found[kind], values, strict=True):
            assert y.dtype == reference.dtype
            allowed = 4 * np.finfo(dtype).eps * 16 if "mean" in kind else 0
            np.testing.assert_allclose(y.numpy(), reference.numpy(), rtol=0, atol=allowed, err_msg=kind)


def test_a_fit_takes_the_same_steps(several, any_work):
    def loss(params, x, y):
        return ((params["a"] + params["b"] * x - y) ** 2).mean()

    x = np.linspace(-1, 1, 101)
    eager, compiled = (
        fit(loss, {"a": 0.5, "b": -0.5}, x, np.sin(x), 30, 0.1, log_every=10, progress=False, compile=c)
        for c in (False, True)
    )
    assert list(compiled.losses) == list(eager.losses)
    # Sums of 101 numbers in another order in each of 30 steps, none of which makes an error larger.
    allowed = 30 * 101 * np.finfo(float).eps
    np.testing.assert_allclose(list(compiled.losses.values()), list(eager.losses.values()), rtol=allowed)
    for name, w in compiled.params.items():
        np.testing.assert_allclose(w.item(), eager.params[name].item(), rtol=allowed)


# How many threads


def test_the_number_of_threads_is_asked_for_at_each_call(several):
    try:
        several.set_num_threads(1)
        assert threads.thread_count() == 1
    finally:
        several.set_num_threads(2)
    assert threads.thread_count() == 2


@pytest.mark.parametrize(("value", "number"), [("1", 1), ("2,1", 2), ("64", 2), ("", 2), ("0", 2), ("many", 2)])
def test_the_environment_says_how_many_at_most(several, monkeypatch, value, number):
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert threads.thread_count() == number


def test_one_thread_where_there_is_no_layer_for_more(several, monkeypatch):
    def missing():
        raise ValueError("No threading layer could be loaded.")

    monkeypatch.setattr(several, "get_num_threads", missing)
    assert threads.thread_count() == 1


def test_two_callers_at_once(several, any_work):
    f = compile(lambda x: (x * x).sum())
    data = [tg.tensor(np.full(1000, k, np.float64)) for k in range(4)]
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda k: [f(data[k % 4]).item() for _ in range(50)], range(8)))
    assert found == [[1000.0 * (k % 4) ** 2] * 50 for k in range(8)]


# Each of these is a process of its own, and all have one cache.

SCRIPT = """
import json, linecache, os, sys
import numpy as np
import tinygrad_poly as tg
from tinygrad_poly.compiler import compile
from tinygrad_poly.compiler.loops import threads
x = tg.tensor(np.random.default_rng(0).random(50_000))
f = compile(lambda x: (x.exp() + 1).sum())
def found():
    results = {f(x).item().hex() for _ in range(20)}
    loaded = [f"<{name}>" for name in sys.modules if name.startswith("tinygrad_poly_")]
    return {"results": sorted(results), "threads": threads.thread_count(), "parallel": any(map(parallel, loaded))}
def parallel(path):
    return any("@njit_parallel" in line for line in linecache.getlines(path))
"""
ONCE = SCRIPT + "print(json.dumps(found()))"
FORKING = (
    SCRIPT
    + """
first = found()
read, write = os.pipe()
child = os.fork()
if not child:
    os.write(write, json.dumps(found()).encode())
    os._exit(0)
os.close(write)
with open(read) as file:
    second = json.load(file)
print(json.dumps([first, second, os.waitpid(child, 0)[1], found()]))
"""
)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def alone(script, place, **environment):
    """What a process of its own prints."""
    environment = {**os.environ, "TINYGRAD_POLY_CACHE": str(place), **environment}
    # A fork beside running threads is what is asked for.
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def machine_code(place):
    return {path: path.stat().st_mtime_ns for path in place.rglob("*.nbc") if ".run-" in path.name}


@pytest.fixture(scope="module")
def two(several, place):
    return alone(ONCE, place, NUMBA_NUM_THREADS="2")


def test_as_many_threads_give_the_same_bits(two, place):
    assert two["parallel"]
    assert two["threads"] == 2
    assert len(two["results"]) == 1
    before = machine_code(place)
    assert alone(ONCE, place, NUMBA_NUM_THREADS="2") == two
    assert machine_code(place) == before


def test_machine_code_serves_any_number_of_threads(two, place):
    before = machine_code(place)
    three = alone(ONCE, place, NUMBA_NUM_THREADS="3")
    assert (three["threads"], three["parallel"], len(three["results"])) == (3, True, 1)
    assert machine_code(place) == before
    # All terms are positive: n roundings in the sum, and a few in each term.
    results = [float.fromhex(found["results"][0]) for found in (two, three)]
    np.testing.assert_allclose(*results, rtol=20_000 * np.finfo(float).eps)


@pytest.mark.parametrize(
    "environment",
    [{"NUMBA_NUM_THREADS": "1"}, {"OMP_NUM_THREADS": "1"}, {"NUMBA_THREADING_LAYER": "workqueue"}],
    ids=str,
)
def test_where_threads_gain_nothing_there_is_one(two, place, environment):
    found = alone(ONCE, place, **{"NUMBA_NUM_THREADS": "2", **environment})
    assert (found["threads"], found["parallel"], len(found["results"])) == (1, False, 1)
    results = [float.fromhex(found["results"][0]), float.fromhex(two["results"][0])]
    np.testing.assert_allclose(*results, rtol=20_000 * np.finfo(float).eps)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_computes_in_one_thread_what_its_parent_computes_in_several(two, place):
    first, second, status, after = alone(FORKING, place, NUMBA_NUM_THREADS="2")
    assert status == 0
    assert (first, after) == (two, two)
    assert second["threads"] == 1
    results = [float.fromhex(found["results"][0]) for found in (first, second)]
    np.testing.assert_allclose(*results, rtol=20_000 * np.finfo(float).eps)
