"""What is compared is equal: every implementation takes the steps of its problem, and one that does not is noticed."""

import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import conftest, expected, interface, pairing, registry
from benchmarks.implementations import cuda, ways
from benchmarks.interface import Implementation, Run
from benchmarks.models import MOONS
from benchmarks.problems import CASES, LINE, LINEAR, MODELS, PROBLEMS, SIN, TUTORIALS, Case
from benchmarks.registry import IMPLEMENTATIONS, Unavailable, start, started
from tinygrad_poly.tutorials.problems import T1, T8, T10

from ..compiler.cuda.on_cpu import nvrtc

SMALL = [
    Case(problem, points, dtype)
    for problem, points in ((SIN, 60), (LINE, 6), (LINEAR, 6), *((model, 30) for model in MODELS.values()))
    for dtype in ("float64", "float32")
]
SLOW_TO_COMPILE = "torch.compile"
SLOW_OF_MODELS = {"JAX jit", "JAX fori_loop", "Numba by hand", "compiled", "compiled hoisted"}


@pytest.fixture(autouse=True)
def jax_as_it_was():
    """A benchmark has a process of its own, and may tell JAX to compute in float64 for good."""
    yield
    if "jax" in sys.modules:
        sys.modules["jax"].config.update("jax_enable_x64", False)


def rows():
    for case in SMALL:
        for name, implementation in IMPLEMENTATIONS.items():
            if implementation.takes(case) and (name != SLOW_TO_COMPILE or case == SMALL[0]):
                slow = name == SLOW_TO_COMPILE or case.dtype == "float32"
                slow = slow or (case.problem.name in MODELS and name in SLOW_OF_MODELS)
                marks = pytest.mark.slow if slow else ()
                yield pytest.param(case, name, id=f"{case.id}-{name}", marks=marks)
    threads = Case(SIN, 20_000, "float64"), "Numba by hand, threads"
    yield pytest.param(*threads, id="sin-20000-threads", marks=pytest.mark.slow)


def begun(case, name):
    """A started run; without its library, the test is skipped as its row would be."""
    try:
        return started(case, name)
    except Unavailable as reason:
        pytest.skip(str(reason))


@pytest.mark.parametrize(("case", "name"), list(rows()))
def test_an_implementation_goes_where_the_gradient_by_hand_goes(case, name):
    run = begun(case, name)
    if not IMPLEMENTATIONS[name].steps:
        return
    run.take(4)
    weights, off = case.first(), 0.0
    for _ in range(5):
        # The descent is stable, so that an error in the weights does not grow: the errors of the steps add up.
        step = expected.step(case, weights)
        weights, off = step.weights, off + np.linalg.norm(step.weights_bound)
    assert np.linalg.norm(run.weights() - weights) <= off
    if run.loss is not None:
        # The loss of the last step, where its weights were off by what the steps before made of them.
        slope = np.linalg.norm(step.gradient)
        assert abs(run.loss() - step.loss) <= step.loss_bound + 2 * slope * off


FITS = [case for case in CASES if case.problem.name in TUTORIALS and case.points <= 200_000]


@pytest.mark.parametrize("case", FITS, ids=lambda case: case.id)
def test_the_descent_is_stable(case):
    x, y = (a.astype("float64") for a in case.data())
    count = len(case.problem.names)
    # The gradient is affine in the weights: its differences from that at 0 are the columns of the Hessian matrix.
    offset = np.array(case.problem.gradient(np.zeros(count), x, y))
    hessian = np.array([np.array(case.problem.gradient(unit, x, y)) - offset for unit in np.eye(count)])
    largest = np.linalg.eigvalsh(hessian)[-1]
    assert 0.01 < case.lr * largest < 2


MODEL_CASES = [case for case in CASES if case.problem.name in MODELS and case.points < 100_000]


@pytest.mark.parametrize("case", MODEL_CASES, ids=lambda case: case.id)
def test_the_descent_of_a_model_goes_down_in_every_step(case):
    weights, losses = case.first(), []
    for _ in range(6):
        loss, gradient = case.problem.by_hand(case.arrays(weights), *case.data())
        losses.append(loss)
        weights = weights - case.lr * np.concatenate([np.ravel(g) for g in gradient])
    assert all(np.diff(losses) < 0)


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_a_models_gradient_by_hand_is_that_of_its_loss(model):
    case = Case(model, 20, "float64")
    first, (x, y), loss_of = case.first(), case.data(), model.loss_in(np)
    loss, gradient = model.by_hand(case.arrays(first), x, y)
    assert loss == pytest.approx(loss_of(case.arrays(first), x, y), rel=1e-14)
    h = 1e-5
    quotient = [
        (loss_of(case.arrays(first + h * e), x, y) - loss_of(case.arrays(first - h * e), x, y)) / (2 * h)
        for e in np.eye(len(first))
    ]
    # h² times a third derivative, and the rounding of a loss near 1, divided by h
    np.testing.assert_allclose(np.concatenate([np.ravel(g) for g in gradient]), quotient, atol=1e-9)


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_a_models_bounds_hold_in_float32_and_are_no_more_than_they_have_to_be(model):
    case = Case(model, 100, "float32")
    x, y = case.data()
    loss, gradient = model.by_hand(case.start(), x, y)
    step = expected.first_step(case)
    assert abs(loss - step.loss) <= step.loss_bound < 1e-2
    found = np.concatenate([np.ravel(g) for g in gradient])
    assert (abs(found - step.gradient) <= step.gradient_bound).all()
    assert (step.gradient_bound < 3e-3 * np.linalg.norm(step.gradient)).all()


def test_the_moons_are_two_half_circles_with_noise():
    x, y = MOONS.make(1000)
    outer, inner = x[y[:, 0] == 0], x[y[:, 0] == 1]
    assert len(outer) == len(inner) == 500
    for points, center in ((outer, (0, 0)), (inner, (1, 0.5))):
        radius = np.hypot(*(points - center).T)
        assert abs(radius.mean() - 1) < 0.02
        assert 0.08 < radius.std() < 0.12
    assert np.array_equal(x, MOONS.make(1000)[0])


@pytest.mark.parametrize(
    ("case", "tutorial"),
    [(Case(SIN, 2000, "float64"), T1), (Case(LINE, 6, "float64"), T8), (Case(LINEAR, 6, "float64"), T10)],
    ids=["T1", "T8", "T10"],
)
def test_the_problems_are_those_of_the_tutorials(case, tutorial):
    assert all(np.array_equal(a, b) for a, b in zip(case.data(), tutorial.data("float64"), strict=True))
    assert case.lr == tutorial.lr
    x, y = case.data()
    w = list(np.linspace(0.3, 0.7, len(case.problem.names)))
    assert np.array_equal(case.problem.prediction(w, x), tutorial.model(w, x))
    assert case.problem.loss(w, x, y) == tutorial.loss(tutorial.model(w, x), y)
    assert case.problem.gradient(w, x, y) == tutorial.gradient(w, x, y)


@pytest.mark.parametrize(
    "case", [Case(SIN, 6, "float64"), Case(LINE, 6, "float64"), Case(LINE, 6, "float32")], ids=lambda case: case.id
)
def test_what_is_expected_of_a_step_is_right_in_exact_arithmetic(case):
    x, y = ([Fraction(float(v)) for v in a] for a in case.data())
    start = np.array(case.problem.start, case.dtype).astype("float64")
    w = [Fraction(v) for v in start]
    m = len(x) if case.problem.mean else 1
    powers = (0, 1, 2, 3) if case.problem is SIN else (1, 0)

    def loss_and_gradient(sign):
        """Of errors p − y; with the sign +, every term is taken positive."""
        given = list(zip(x, y, strict=True)) if sign < 0 else [(abs(a), abs(b)) for a, b in zip(x, y, strict=True)]
        weights = w if sign < 0 else [abs(v) for v in w]
        errors = [(case.problem.prediction(weights, a) + sign * b, a) for a, b in given]
        return sum(e * e for e, _ in errors) / m, [sum(2 * e * a**k for e, a in errors) / m for k in powers]

    step, (loss, gradient), (_, positive) = expected.step(case, start), loss_and_gradient(-1), loss_and_gradient(1)
    assert abs(Fraction(float(step.loss)) - loss) <= step.loss_bound
    for k, exact in enumerate(gradient):
        assert abs(Fraction(step.gradient[k]) - exact) <= step.gradient_bound[k]
        assert abs(Fraction(step.weights[k]) - (w[k] - Fraction(case.lr) * exact)) <= step.weights_bound[k]
        # It is a bound on some dozens of roundings, and not on everything.
        assert 10 < step.gradient_bound[k] / (expected.unit(case.dtype) * float(positive[k])) < 100


def test_the_bound_means_something_for_millions_of_points_in_float32():
    counts = [1, 10, 10**5, 2 * 10**5, 2 * 10**7, 10**8]
    bounds = [expected.rounding(count, 2.0**-24) for count in counts]
    assert bounds[0] == pytest.approx(2.0**-24)
    assert bounds[1] == pytest.approx(10 * 2.0**-24)
    assert max(bounds) < 0.02


def planted(monkeypatch, start):
    monkeypatch.setitem(IMPLEMENTATIONS, "wrong", Implementation("wrong", "by hand", start, problems=tuple(PROBLEMS)))


def by_hand(case, **changes):
    """NumPy by hand on a problem that is not quite the case's."""
    return ways.by_hand(replace(case, problem=replace(case.problem, **changes)), np.asarray)


@pytest.mark.parametrize("case", [Case(SIN, 2000, "float64"), Case(LINE, 6, "float64")], ids=lambda case: case.id)
@pytest.mark.parametrize("factor", [1 + 1e-6, 1 - 1e-6, -1.0, 0.0])
def test_a_wrong_gradient_of_one_weight_is_noticed(case, factor, monkeypatch):
    for k in range(len(case.problem.names)):

        def gradient(w, x, y, k=k):
            right = case.problem.gradient(w, x, y)
            right[k] = factor * right[k]
            return right

        planted(monkeypatch, lambda case, gradient=gradient: by_hand(case, gradient=gradient))
        with pytest.raises(AssertionError, match="wrong: the gradient is off"):
            started(case, "wrong")


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_a_models_wrong_gradient_of_one_array_is_noticed(model, monkeypatch):
    for k in range(len(model.names)):

        def gradient(*given, k=k):
            loss, right = model.gradient(*given)
            right[k] = (1 + 1e-6) * right[k]
            return loss, right

        wrong = replace(model, gradient=gradient)
        planted(monkeypatch, lambda case, wrong=wrong: ways.by_hand(replace(case, problem=wrong), np.asarray))
        with pytest.raises(AssertionError, match="wrong: the gradient is off"):
            started(Case(model, 100, "float64"), "wrong")


def stale_point(case):
    """Right but for one point, which is its neighbour's."""

    def make(points):
        x, curve = case.problem.make(points)
        x[points // 3] = x[points // 3 - 1]
        return x, curve

    return by_hand(case, make=make)


def two_steps(case):
    run = by_hand(case)
    return Run(lambda n: run.take(n + 1), run.weights, run.loss)


def another_loss(case):
    run = by_hand(case)
    return Run(run.take, run.weights, lambda: run.loss() * (1 + 1e-6))


WRONG = {
    "stale y": lambda case: by_hand(case, make=lambda points: (case.problem.make(points)[0], np.cos)),
    "one stale point": stale_point,
    "another step size": lambda case: by_hand(case, rate=lambda points: case.lr * (1 + 1e-6)),
    "another start": lambda case: by_hand(case, start=(0.1, 0.2, -0.3, 0.06)),
    "another loss": another_loss,
    "no step": lambda case: Run(lambda n: None, case.first),
    "two steps": two_steps,
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_implementation_is_noticed(name, monkeypatch):
    planted(monkeypatch, WRONG[name])
    with pytest.raises(AssertionError, match="wrong"):
        started(Case(SIN, 2000, "float64"), "wrong")


def test_the_right_one_is_not_called_wrong(monkeypatch):
    planted(monkeypatch, by_hand)
    started(Case(SIN, 2000, "float64"), "wrong").take(3)


def test_reading_half_of_the_data_is_noticed(monkeypatch):
    def half(case):
        x, _ = case.data()
        return Run(lambda n: None, lambda: np.array([x.sum() + 1]))

    monkeypatch.setitem(IMPLEMENTATIONS, "wrong", Implementation("wrong", "limit", half, steps=False))
    with pytest.raises(AssertionError, match="sum of the data"):
        started(Case(LINE, 6, "float64"), "wrong")


def test_references_are_implementations_that_take_the_same_cases():
    for implementation in IMPLEMENTATIONS.values():
        assert implementation.kind in ("by hand", "eager", "compiled", "limit")
        assert set(implementation.references) <= set(IMPLEMENTATIONS)
        for case in CASES:
            if implementation.takes(case):
                assert any(IMPLEMENTATIONS[name].takes(case) for name in implementation.references)


def test_cases_have_names_of_their_own():
    assert len({case.id for case in CASES}) == len(CASES)
    assert CASES[3].id == "sin-2000-float64-cpu"
    assert CASES[3].bytes == 2 * 2000 * 8


def test_no_library_is_loaded_before_it_is_asked_for():
    code = (
        "import sys, benchmarks.registry; print(*sorted({'torch', 'jax', 'numba', 'cupy', 'tinygrad_poly', 'autograd',"
        " 'mygrad', 'micrograd', 'dezero', 'tinygrad'} & set(sys.modules)))"
    )
    root = registry.__file__.removesuffix("benchmarks/registry.py")
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_a_library_that_is_missing_names_what_installs_it():
    with pytest.raises(Unavailable, match=r"^Nosuch is not installed \(group: peers\)$"):
        interface.library("no_such_library.engine", "Nosuch", "group: peers")


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (
            "raise AttributeError('no attribute int\\nat all')",
            "Broken does not import: AttributeError: no attribute int",
        ),
        (
            "import no_such_dependency",
            "Broken does not import: ModuleNotFoundError: No module named 'no_such_dependency'",
        ),
        ("raise SystemError('wrong processor')", "Broken does not import: SystemError: wrong processor"),
    ],
)
def test_a_library_that_does_not_import_gives_its_own_reason(code, reason, tmp_path, monkeypatch):
    (tmp_path / "broken_library.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(Unavailable) as error:
        interface.library("broken_library", "Broken", "group: peers")
    assert str(error.value) == reason


def test_what_does_not_fit_into_memory_is_refused_before_it_is_tried(monkeypatch):
    monkeypatch.setattr(registry, "free_memory", lambda: 1e9)
    with pytest.raises(Unavailable, match=r"^would need about 3.2 GB of memory; 1.0 GB are free$"):
        start(Case(SIN, 100_000_000, "float64"), "compiled")


def test_free_memory_is_a_number_of_bytes():
    assert 2**20 < registry.free_memory() < 2**60


@pytest.mark.parametrize(
    ("case", "name", "reason"),
    [
        (Case(SIN, 2000, "float64"), "micrograd", "takes too long beyond 600 points"),
        (Case(SIN, 100_000_000, "float64"), "torch.autograd", "takes too long beyond 20,000,000 points"),
        (Case(SIN, 6, "float64"), "torch nn+optim", "does not run the sin fit on cpu"),
        (Case(SIN, 6, "float64"), "Numba by hand, threads", "threads"),
        (Case(SIN, 6, "float64", "cuda:0"), "HIPS autograd", "does not run the sin fit on cuda:0"),
        (Case(SIN, 6, "float32"), "micrograd", "float64|not installed"),
    ],
)
def test_what_an_implementation_is_not_for_is_refused_with_the_reason(case, name, reason):
    with pytest.raises(Unavailable, match=reason):
        start(case, name)


def test_without_a_second_thread_there_is_no_row_for_threads():
    numba = pytest.importorskip("numba", reason="Numba is not installed (group: test)")
    before = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        with pytest.raises(Unavailable, match="only one thread"):
            start(Case(SIN, 200_000, "float64"), "Numba by hand, threads")
    finally:
        numba.set_num_threads(before)


@pytest.mark.parametrize("name", [name for name, each in IMPLEMENTATIONS.items() if "cuda" in each.devices])
def test_on_a_gpu_the_steps_are_the_same_or_the_reason_says_what_is_missing(name):
    problem = PROBLEMS[IMPLEMENTATIONS[name].problems[0]]
    for points in (6, 200_000):
        run, reason = None, ""
        try:
            run = started(Case(problem, points, "float64", "cuda:0"), name)
        except Unavailable as error:
            reason = str(error)
        if run is None:
            assert "no GPU" in reason or "CuPy is not installed" in reason or "torch is not installed" in reason
        else:
            run.take(3)


@pytest.mark.parametrize("name", ["tinygrad_poly", "tinygrad_poly nn+optim", "copying on the device"])
def test_the_same_lines_run_on_arrays_of_a_gpu(name, cupy, monkeypatch):
    monkeypatch.setattr(cupy.cuda.runtime, "memGetInfo", lambda: (1 << 28, 1 << 28), raising=False)
    events = []
    event = SimpleNamespace(record=events.append, synchronize=lambda: events.append("over"))
    monkeypatch.setattr(cupy.cuda, "Event", lambda: event, raising=False)
    monkeypatch.setattr(cupy.cuda, "get_elapsed_time", lambda begin, end: 1500.0, raising=False)
    run = started(Case(LINEAR, 6, "float64", "cuda:0"), name)
    copied = cupy.counts["to_device"]
    run.take(3)
    assert cupy.counts["to_device"] == copied > 0, "the data stays where it is"
    assert run.clock.seconds == 1.5
    # An event before the steps and one after them, which is waited for: of the first step, and of the three.
    assert events == 2 * [None, None, "over"]


@pytest.mark.parametrize(
    "case", [Case(p, 6, d, "cuda:0") for p in (SIN, LINE) for d in ("float64", "float32")], ids=lambda case: case.id
)
def test_the_kernels_written_by_hand_compile(case):
    if nvrtc.library() is None:
        pytest.skip("NVRTC is not installed (pip install nvidia-cuda-nvrtc)")
    assembly = nvrtc.ptx(cuda.source(case))
    assert assembly.count(".entry") == 4
    assert ("fma.rn.f64" in assembly) == (case.dtype == "float64")


class Benchmark:
    """pytest-benchmark's fixture, where a round takes 6 seconds."""

    def __init__(self):
        self.stats = SimpleNamespace(stats=SimpleNamespace(data=[]))

    def pedantic(self, code, setup, rounds):
        for _ in range(rounds):
            setup()
            code()
            self.stats.stats.data.append(6.0)


def test_references_take_turns_at_being_first_and_their_time_is_that_of_a_step():
    calls = []
    codes = {name: pairing.Round(lambda name=name: calls.append(name), 2) for name in "abc"}
    own = pairing.Round(lambda: calls.append("own"), 3)
    seconds, others = pairing.paired(Benchmark(), own, codes, rounds=3)
    assert calls == ["b", "c", "a", "own", "c", "a", "b", "own", "a", "b", "c", "own"]
    assert seconds == [2.0, 2.0, 2.0]
    assert [len(others[name]) for name in "abc"] == [3, 3, 3]


def test_a_round_has_as_many_steps_as_take_long_enough(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(pairing.time, "perf_counter", lambda: clock[0])

    def take(n):
        clock[0] += 1e-5 * n

    quick = pairing.enough(take, 0.005)
    assert 500 <= quick.units <= 1200
    assert pairing.enough(take, 1e-6).units == 1
    assert pairing.rounds_in(1.0, quick, quick, at_least=10, at_most=40) == 40
    assert pairing.rounds_in(0.1, quick, quick, at_least=2, at_most=40) in range(4, 11)
    assert pairing.rounds_in(1e-9, quick, at_least=10, at_most=40) == 10


def test_a_call_that_was_interrupted_does_not_make_a_round_short(monkeypatch):
    clock, calls = [0.0], iter(range(99))
    monkeypatch.setattr(pairing.time, "perf_counter", lambda: clock[0])

    def take(n):
        clock[0] += 1e-5 * n + 0.008 * (next(calls) in (0, 3))

    assert 500 <= pairing.enough(take, 0.005).units <= 1200


def test_the_summary_gives_the_ratio_to_each_reference():
    info = {"implementation": "compiled", "seconds": [1e-6, 2e-6, 3e-6], "references": {"torch.autograd": [1e-4] * 3}}
    assert conftest.fit_lines(info) == [
        "    compiled",
        "           2.00 µs   ratio 0.02   (quartiles 0.015 to 0.025)   to torch.autograd",
    ]
