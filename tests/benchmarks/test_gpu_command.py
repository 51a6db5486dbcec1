"""`python -m benchmarks.gpu`: what a part comes to costs only itself, on stand-ins; and what becomes of its results."""

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.gpu import __main__ as command
from benchmarks.gpu import device, fits, parts, smoke, suite, summary, sweep
from benchmarks.gpu.parts import PARTS, Part
from benchmarks.gpu.scale import Scale
from benchmarks.registry import IMPLEMENTATIONS
from benchmarks.report import constants, measured, pictures, targets
from benchmarks.report import page as report
from benchmarks.report.constants import ALL_IN_ONE, NONE_IN_ONE, ONE_BLOCK
from benchmarks.report.measured import Results
from benchmarks.running import machine

from ..compiler.cuda.on_cpu import emulator

pytestmark = pytest.mark.slow  # processes, each of which imports torch and JAX

ROOT = Path(__file__).parents[2]
needs_compiler = pytest.mark.skipif(emulator.COMPILER is None, reason="needs a C++ compiler, g++, to run kernels")

PLANTED = """
import os, signal, time
from benchmarks.gpu.scale import tried
from benchmarks.interface import Unavailable

BEHAVIOUR = {behaviour!r}

def measure(asked, scale, at):
    exec(BEHAVIOUR.get("first of all", ""))
    for key in asked:
        at(key)
        def code(key=key):
            exec(BEHAVIOUR[key])
            return {{"value": key, "left": scale.left, "files": sorted(os.listdir(scale.out))}}
        yield from tried(key, code)
"""


@pytest.fixture
def plant(tmp_path, monkeypatch):
    """Makes a part whose rows do what is said of them."""

    def plant(name="planted", seconds=60.0, patience=20.0, **behaviour):
        behaviour = {key.replace("_", " "): code for key, code in behaviour.items()}
        (tmp_path / f"{name}.py").write_text(PLANTED.format(behaviour=behaviour))
        keys = [key for key in behaviour if key != "first of all"]
        path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
        monkeypatch.syspath_prepend(tmp_path)
        measure = __import__(name).measure
        return Part(name, name, (seconds, seconds), lambda scale: keys, measure, patience, {"PYTHONPATH": path})

    yield plant
    for path in tmp_path.glob("*.py"):
        sys.modules.pop(path.stem, None)


def run(part, tmp_path, **scale):
    """The rows of a part."""
    found = {}
    limited = replace(Scale(tmp_path, until=time.monotonic() + part.seconds[0]), **scale)
    part.run(limited, found.__setitem__)
    return found


def test_what_fails_or_has_no_memory_costs_its_row_and_the_process_goes_on(plant, tmp_path):
    part = plant(
        good="BEHAVIOUR['pid'] = os.getpid()",
        memory="raise MemoryError('Out of memory allocating 8 bytes')",
        wrong="assert 1 == 2, 'off by 1'",
        missing="raise Unavailable('nothing is installed')",
        last="assert BEHAVIOUR['pid'] == os.getpid()",
    )
    found = run(part, tmp_path)
    assert list(found) == ["good", "memory", "wrong", "missing", "last"]
    assert found["memory"] == {"skipped": "out of memory: Out of memory allocating 8 bytes", "failed": True}
    assert found["wrong"] == {"skipped": "AssertionError: off by 1", "failed": True}
    assert found["missing"] == {"skipped": "nothing is installed"}
    assert found["last"]["value"] == "last"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", "the process was ended by SIGKILL, perhaps for want of memory"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "the process was ended by SIGSEGV"),
        ("os.write(2, b'CUDA is lost\\n'); os._exit(1)", "the process ended with status 1: CUDA is lost"),
        pytest.param("time.sleep(60)", "took longer than 3 s", marks=pytest.mark.slow),
    ],
    ids=["out of memory", "crash", "exit", "hang"],
)
def test_a_process_that_dies_or_hangs_costs_the_row_that_it_was_at(plant, tmp_path, code, said):
    found = run(plant(patience=3.0, good="", bad=code, last=""), tmp_path)
    assert [key for key, row in found.items() if "skipped" not in row] == ["good", "last"]
    assert found["bad"] == {"skipped": said}
    assert summary.is_failure(found["bad"])


def test_after_an_error_that_loses_the_device_another_process_goes_on_and_nobody_is_blamed(plant, tmp_path):
    # A module without a device stands for a CuPy that raises whatever it is asked.
    loses = "import sys; sys.modules['cupy'] = os; raise RuntimeError('illegal address')"
    found = run(plant(good="", lost=loses, last="assert 'cupy' not in __import__('sys').modules"), tmp_path)
    assert {key: row.get("skipped") for key, row in found.items()} == {
        "good": None,
        "lost": "RuntimeError: illegal address",
        "last": None,
    }


def test_a_part_that_never_begins_is_given_up(plant, tmp_path):
    part = plant(first_of_all="raise ImportError('no GPU for you')", **dict.fromkeys("abcdefgh", ""))
    begin = time.monotonic()
    found = run(part, tmp_path)
    assert time.monotonic() - begin < 30
    assert set(found) == set("abcdefgh")
    assert {row["skipped"] for row in found.values()} == {
        "the process ended with status 1: ImportError: no GPU for you"
    }


@pytest.mark.slow
def test_a_part_that_hangs_leaves_their_time_and_their_results_to_the_others(plant, tmp_path, monkeypatch, capsys):
    planted = {
        "before": plant("before", good=""),
        "hangs": plant("hangs", seconds=4.0, begun="", stuck="time.sleep(60)", never=""),
        "after": plant("after", seconds=30.0, good=""),
    }
    planted["before"] = replace(planted["before"], seconds=(3.0, 3.0))
    monkeypatch.setattr(parts, "PARTS", planted)
    monkeypatch.setattr(command, "PARTS", planted)
    begin = time.monotonic()
    status = command.measured(list(planted), Scale(tmp_path / "out", stand_ins=False))
    assert time.monotonic() - begin < 15
    data = json.loads(next((tmp_path / "out").glob("cuda-*.json")).read_text(encoding="utf-8"))
    by_part = {row["part"]: row for row in data["parts"]}
    assert [(row["measured"], row["late"]) for row in by_part.values()] == [(1, 0), (1, 2), (1, 0)]
    assert status == 0
    rows = [json.loads(line) for line in (tmp_path / "out" / "rows.jsonl").read_text().splitlines()[1:]]
    rows = dict(rows)
    assert rows["hangs: stuck"] == rows["hangs: never"] == {"skipped": "there was no time left"}
    # Results are written before the next part begins, and what a part leaves over the later ones have.
    assert any(name.startswith("cuda-") for name in rows["after: good"]["files"])
    assert rows["after: good"]["left"] > 28
    assert "had no time left" in capsys.readouterr().out


def test_one_part_is_repeated_and_the_others_stay(plant, tmp_path, monkeypatch):
    planted = {name: plant(name, good="") for name in ("one", "other")}
    monkeypatch.setattr(parts, "PARTS", planted)
    monkeypatch.setattr(command, "PARTS", planted)
    scale = Scale(tmp_path, commit="first")
    assert command.measured(["one", "other"], scale) == 0
    planted["one"] = plant("changed", good="raise ValueError('now it fails')")
    planted["one"] = replace(planted["one"], name="one")
    assert command.measured(["one"], replace(scale, commit="second")) == 1
    (path,) = tmp_path.glob("cuda-*.json")
    data = json.loads(path.read_text(encoding="utf-8"))
    found = {row["part"]: (row["commit"], row["measured"], row["failed"]) for row in data["parts"]}
    assert found == {"one": ("second", 0, 1), "other": ("first", 1, 0)}


def test_what_was_measured_before_an_interruption_is_in_the_results(plant, tmp_path, monkeypatch, capsys):
    def interrupted(names, scale, keep):
        keep("planted", "good", {"value": 1})
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(command, "PARTS", {"planted": plant(good="")})
    monkeypatch.setattr(command, "run", interrupted)
    assert command.measured(["planted"], Scale(tmp_path)) == 130
    assert "Interrupted: what was measured is kept." in capsys.readouterr().out
    assert (tmp_path / "rows.jsonl").read_text().count("planted: good") == 1
    assert len(list(tmp_path.glob("cuda-*.json"))) == 1


def test_all_shares_together_are_six_minutes_and_two():
    assert sum(part.seconds[0] for part in PARTS.values()) <= 360
    assert sum(part.seconds[1] for part in PARTS.values()) <= 120
    assert list(PARTS) == ["smoke", "tests", "sweep", "fits", "jax", "torch-compile", "profile"]


def test_quick_is_less_of_the_same_and_no_two_rows_have_one_key(tmp_path):
    for part in PARTS.values():
        every, quick = (part.keys(Scale(tmp_path, quick=quick)) for quick in (False, True))
        assert set(quick) <= set(every)
        assert len(set(every)) == len(every) > 0


def test_the_fits_are_all_implementations_of_both_fits_in_both_dtypes_with_the_targets_first(tmp_path):
    found = fits.cases(Scale(tmp_path))
    assert {(case.problem.name, case.dtype) for case in found if case.points in (6, 10**8)} == {
        (problem, dtype) for problem in ("sin", "line") for dtype in ("float64", "float32")
    } | {("linear", dtype) for dtype in ("float64", "float32")}
    promised = {target.case for target in targets.STEPS if target.case.endswith("-cuda")}
    assert promised <= {case.id for case in fits.cases(Scale(tmp_path, quick=True))[:2]}
    names = {*fits.together(), *fits.alone(), *fits.by_torch_compile()}
    assert names == {name for name, each in IMPLEMENTATIONS.items() if "cuda" in each.devices}
    # Nothing else is in the process of JAX, not even for comparison.
    assert [fits.with_references([name], found[0]) for name in fits.alone()] == [["JAX fori_loop"]]
    assert PARTS["jax"].environment == {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    assert fits.with_references(["torch.compile"], found[0]) == ["torch.compile", "torch.autograd"]


# On stand-ins


def real(name, keys, tmp_path):
    """The rows of a real part, on stand-ins."""
    part = replace(PARTS[name], keys=lambda scale: keys)
    return run(part, tmp_path, stand_ins=True, until=time.monotonic() + 100)


@needs_compiler
@pytest.mark.slow
def test_kernels_of_every_kind_are_tested(tmp_path):
    kernels = ("two loops, many blocks, float64", "CUDA by hand, 2000 points, float32")
    keys = ["device", "eager, float32", *kernels]
    found = real("smoke", keys, tmp_path)
    assert {key: row.get("skipped") for key, row in found.items()} == dict.fromkeys(keys)
    assert found["device"]["gpu"] == "Stand-in 0"
    assert found["CUDA by hand, 2000 points, float32"]["off"] <= found["CUDA by hand, 2000 points, float32"]["bound"]


def test_kernels_of_another_kind_or_none_are_noticed():
    with pytest.raises(AssertionError, match="no kernel was made"):
        smoke.check_kernels("// Executed by CuPy, call by call: matmul", "one block")
    with pytest.raises(AssertionError, match="not kernels for many blocks"):
        smoke.check_kernels('extern "C" __global__ void run() {}', "many blocks")


@pytest.mark.slow
@needs_compiler
def test_a_fit_is_measured_in_turn_with_its_references_and_the_results_are_what_the_page_reads(tmp_path):
    pytest.importorskip("torch", reason="torch is not installed (group: test)")
    names = ["tinygrad_poly", "compiled", "torch.autograd", "torch CUDA graph", "copying on the device"]
    found = real("fits", [f"line-6-float64-cuda-{name}" for name in names], tmp_path)
    data = summary.results({f"fits: {key}": row for key, row in found.items()}, Scale(tmp_path, stand_ins=True))
    results = Results(data)
    assert {row["implementation"] for row in results.rows(case="line-6-float64-cuda", threads=1)} == set(names)
    assert results.gpu == "stand-in"
    row = results.row("line-6-float64-cuda", 1, "compiled")
    assert set(row["references"]) == {"torch.autograd", "torch CUDA graph", "copying on the device"}
    assert len(row["seconds"]) == len(row["device_seconds"]) == len(row["references"]["torch.autograd"]) > 1
    summary.show(data)


@pytest.mark.slow
@needs_compiler
def test_each_constant_is_measured_with_each_value(tmp_path):
    scale = Scale(tmp_path, quick=True, stand_ins=True)
    found = real("sweep", [key for key in sweep.keys(scale) if key.startswith("ELEMENTS")], tmp_path)
    assert len(found) == 3
    for row in found.values():
        values = sweep.VALUES[row["constant"]]
        assert set(row["seconds"]) == {str(value) for value in values}
        assert row["constant"] == ONE_BLOCK or row["now"] in values
    assert set(constants.best(list(found.values()))) == {ONE_BLOCK, sweep.OF_A_THREAD, sweep.OF_MANY}


@pytest.mark.slow
@needs_compiler
def test_the_eager_step_is_taken_apart(tmp_path):
    found = real(
        "profile", ["sections of tinygrad_poly", "operations", "functions", "kernels of tinygrad_poly"], tmp_path
    )
    split = found["sections of tinygrad_poly"]["seconds"]
    assert 0 < split["forward"] + split["backward"] + split["update"] <= split["step"]
    assert all(len(spent) == 2 for spent in found["operations"]["seconds"].values())
    assert any(name.startswith("engine/walk.py") for name in found["functions"]["functions"])
    assert "engine/walk.py" in (tmp_path / "profile.txt").read_text(encoding="utf-8")
    assert found["kernels of tinygrad_poly"] == {"skipped": "stand-ins launch nothing that a profiler sees"}


TESTS = """
import os, signal, time
import pytest

def test_good():
    pass

def test_bad():
    assert 1 == 2, "off by 1"

def test_crash():
    os.kill(os.getpid(), signal.SIGSEGV)

def test_not_here():
    pytest.skip("another machine")

def test_last():
    pass
"""


@pytest.fixture
def one_share(tmp_path, monkeypatch):
    """Runs tests as the only share."""

    def one_share(source, seconds=60.0):
        (tmp_path / "test_planted.py").write_text(source)
        monkeypatch.setattr(suite, "TESTS", (tmp_path / "test_planted.py",))
        return suite.share_of_tests("share 1 of 1", Scale(tmp_path, until=time.monotonic() + seconds))

    return one_share


def test_a_test_that_crashes_costs_itself_and_all_are_counted(one_share, tmp_path):
    found = one_share(TESTS)
    assert (found["tests"], found["passed"]) == (5, 2)
    said = {test.rpartition("::")[2]: why for test, why in found["failures"]}
    assert said["test_bad"].startswith("AssertionError: off by 1")
    assert said["test_crash"] == "the process was ended by SIGSEGV"
    assert [(test.rpartition("::")[2], why) for test, why in found["left_out"]] == [
        ("test_not_here", "Skipped: another machine")
    ]
    assert (tmp_path / "tests-1-2.xml").exists()


@pytest.mark.slow
def test_tests_for_which_there_is_no_time_are_not_failures(one_share, tmp_path):
    found = one_share("import time\ndef test_a():\n    pass\ndef test_b():\n    time.sleep(60)\n", suite.TO_FINISH + 3)
    assert found["late"]
    assert (found["tests"], found["passed"], found["failures"]) == (2, 1, [])
    rows = {"tests: share 1 of 1": found}
    outcome = summary.outcome(PARTS["tests"], 1.0, rows, Scale(tmp_path))
    assert (outcome["measured"], outcome["failed"], outcome["late"]) == (1, 0, 1)


def test_tests_that_cannot_be_collected_are_a_failure(one_share):
    (failure,) = one_share("import no_such_library\n")["failures"]
    assert "no_such_library" in failure[1]


def test_nothing_is_imported_that_a_bare_machine_may_lack():
    lacking = ("sybil", "rich", "dask", "distributed", "array_api_strict", "cupy", "autograd", "mygrad", "tinygrad")
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({lacking!r})); import benchmarks.gpu.__main__, "
        "benchmarks.gpu.process, tests.gpu.stand_ins as s; s.install(); import tests.gpu.test_table, "
        "tests.compiler.cuda.test_device"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_without_a_gpu_the_command_says_that_it_runs_on_stand_ins(monkeypatch, tmp_path, capsys):
    asked = []
    monkeypatch.setattr(command, "measured", lambda names, scale: asked.append((names, scale)) or 0)
    for present in (False, True):
        monkeypatch.setattr(device, "present", lambda present=present: present)
        assert command.main(["--out", str(tmp_path), "--only", "fits", "--commit", "abc"]) == 0
        names, scale = asked[-1]
        assert (names, scale.stand_ins, scale.commit) == (["fits"], not present, "abc")
        said = "On STAND-INS: there is no GPU here. No time below means anything.\n"
        assert capsys.readouterr().out == ("" if present else said)


def test_a_part_that_there_is_not_is_refused_with_those_that_there_are(tmp_path, capsys):
    with pytest.raises(SystemExit):
        command.main(["--out", str(tmp_path), "--only", "everything"])
    said = capsys.readouterr().err
    assert all(name in said for name in PARTS)


# What is made of the results


def test_the_file_has_the_gpus_name_and_no_name_of_the_machine(tmp_path):
    rows = {
        "smoke: device": {"gpu": "NVIDIA H100 80GB HBM3", "gpu_memory": 1},
        "smoke: elements": {"skipped": f"CompileException: {ROOT}/x.cu(1): error", "failed": True},
    }
    data = summary.results(rows, Scale(tmp_path, commit="abc"))
    assert device.short_name(data["machine"]) == "h100-80gb-hbm3"
    assert device.short_name({}) == "unknown"
    assert data["commit"] == "abc"
    assert {"python", "numpy"} <= data["versions"].keys()
    assert str(ROOT) not in json.dumps(data)
    assert list(summary.failures(data)) == ["smoke, elements: CompileException: x.cu(1): error"]
    assert machine.platform.node() not in data["machine"].values()


def swept(constant, points, now, seconds):
    return {"constant": constant, "points": points, "now": now, "seconds": {str(v): [t] for v, t in seconds.items()}}


def test_the_best_value_is_that_of_the_smallest_mean_and_a_tie_is_no_reason_for_a_change():
    rows = [
        swept("STEPS_OF_A_GRAPH", 1, 16, {4: 1.0, 16: 2.0, 64: 4.0}),
        swept("STEPS_OF_A_GRAPH", 2, 16, {4: 4.0, 16: 2.0, 64: 1.0}),
        swept("ELEMENTS_OF_MANY", 1, 8, {4: 1.0, 8: 1.25}),
    ]
    assert constants.best(rows) == {
        "STEPS_OF_A_GRAPH": (16, 16, 1.0),
        "ELEMENTS_OF_MANY": (8, 4, pytest.approx(1.25)),
    }


def test_the_best_border_is_up_to_where_one_block_takes_less_time():
    rows = [
        swept(ONE_BLOCK, points, 2**15, {ALL_IN_ONE: points / 2**13, NONE_IN_ONE: 1.5})
        for points in (2**12, 2**13, 2**14, 2**15)
    ]
    now, best, slow = constants.best(rows)[ONE_BLOCK]
    assert (now, best) == (2**15, 2**13)
    # At 2¹⁴ points 2 instead of 1.5, at 2¹⁵ points 4 instead of 1.5.
    assert slow == pytest.approx((2 / 1.5 * 4 / 1.5) ** (1 / 4))
    never = [swept(ONE_BLOCK, 2**12, 2**15, {ALL_IN_ONE: 2.0, NONE_IN_ONE: 1.0})]
    assert constants.best(never)[ONE_BLOCK][1] == 2**11


CASE = {"problem": "sin", "points": 2000, "dtype": "float64", "device": "cuda:0", "threads": 1}


@pytest.fixture
def gpu_results():
    """Results of a GPU with every table of the page."""
    fit = CASE | {"case": "sin-2000-float64-cuda", "seconds": [1e-6] * 3, "device_seconds": [9e-7] * 3}
    others = {"torch.autograd": [2e-4] * 3, "torch CUDA graph": [4e-6] * 3, "copying on the device": [2e-6] * 3}
    part = {"part": "smoke", "title": "each kind of kernel", "seconds": 9.0, "commit": "0123456789abcdef"}
    step = {"forward": 4e-5, "backward": 5e-5, "update": 2e-5, "step": 1.2e-4}
    return Results(
        {
            "format": measured.FORMAT,
            "date": "2026-01-01",
            "commit": "0123456789abcdef",
            "machine": {"cpu": "A processor", "cores": 2, "memory": 2**33, "gpu": "A GPU", "driver": "1.2"},
            "versions": {"numpy": "2"},
            "rows": [
                fit | {"implementation": "compiled", "kind": "compiled", "references": others},
                fit | {"implementation": "JAX fori_loop", "kind": "compiled", "skipped": "took longer than 9 s"},
            ],
            **{name: [] for name in ("cold", "processes", "operations", "smoke", "tests")},
            "parts": [part | {"rows": 4, "measured": 3, "failed": 1, "skipped": 0, "late": 0}],
            "sweep": [swept("STEPS_OF_A_GRAPH", 1, 16, {4: 1.0, 16: 2.0})],
            "profile": [
                {"key": "sections of tinygrad_poly", "what": "tinygrad_poly", "seconds": step},
                {"key": "kernels of tinygrad_poly", "what": "tinygrad_poly", "launches": 38.0, "busy": 6e-5},
                {"key": "operations", "seconds": {"x * y": [4e-6, 2e-6]}},
                {"key": "functions", "skipped": "there was no time left"},
            ],
        }
    )


def test_results_of_a_gpu_are_sections_of_the_page(gpu_results):
    page = report.markdown(Results.load("cpu"), {"cuda-a": gpu_results})
    for line in (
        "### A GPU",
        "| sin fit, 2,000 points, float64, cuda: compiled / torch CUDA graph (A GPU) | 0.250 |  | ≤ 0.5 | met |",
        "| sin fit, 2,000 points, float64, cuda: tinygrad_poly / torch.autograd |  |  | ≤ 1 | not measured |",
        "| each kind of kernel | 0123456789ab | 3 | 1 | 0 |",
        "| sin fit, 2,000 points, float64, cuda | 1.00 µs | 900 ns | 32.0 GB/s | 16.0 GB/s | 0.500 |  |  |",
        "| `STEPS_OF_A_GRAPH` | 16 | 4 | 2.00 |",
        "| tinygrad_poly | 40.0 µs | 50.0 µs | 20.0 µs | 120 µs | 38 | 60.0 µs |",
        "| `x * y` | 4.00 µs | 2.00 µs |",
        "### sin fit, 2,000 points, float64, A GPU",
        "- JAX fori_loop (sin-2000-float64-cuda): took longer than 9 s",
    ):
        assert line in page.splitlines()
    assert "Not measured: no GPU" not in page
    assert "![The time of a step against the number of points, and its ratio to torch.autograd]" in page


def test_without_results_the_page_says_what_was_promised_and_not_measured():
    page = report.markdown(Results.load("cpu"), {})
    assert page.count("| not measured |") == sum(target.case.endswith("-cuda") for target in targets.STEPS) >= 4
    assert "Not measured: no GPU was at hand. `make gpu` measures it where CuPy and a GPU are." in page


def test_pictures_of_a_gpu_have_its_name_in_their_file(gpu_results, tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "IMAGES", tmp_path)
    paths = pictures.draw(gpu_results, "cuda-a")
    assert [path.name for path in paths] == ["benchmarks-points-cuda-a.png", "benchmarks-peers-cuda-a.png"]


def test_results_of_stand_ins_never_come_into_the_page(gpu_results, tmp_path, monkeypatch):
    monkeypatch.setattr(measured, "RESULTS", tmp_path)
    (tmp_path / "cuda-a.json").write_text(json.dumps(gpu_results.data), encoding="utf-8")
    assert list(Results.gpus()) == ["cuda-a"]
    (tmp_path / "cuda-stand-in.json").write_text(json.dumps(gpu_results.data | {"stand_ins": True}), encoding="utf-8")
    with pytest.raises(ValueError, match=r"cuda-stand-in.json was measured on stand-ins"):
        Results.gpus()


def test_the_tables_at_the_end_are_short_enough_for_the_last_hundred_lines(gpu_results, capsys):
    row = gpu_results.data["rows"][0]
    cases = [f"{problem}-{10**k}-{dtype}-cuda" for problem in ("sin", "line") for k in range(9) for dtype in ("a", "b")]
    failed = [{"key": str(k), "skipped": "AssertionError: " + 999 * "x", "failed": True} for k in range(60)]
    summary.show(gpu_results.data | {"rows": [{**row, "case": case} for case in cases], "smoke": failed})
    out = capsys.readouterr().out.splitlines()
    assert len(out) < 100
    assert max(map(len, out)) < 260
    assert any("and 48 more" in line for line in out)
