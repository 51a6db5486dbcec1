"""`tinygrad-poly bench`: what is chosen, kept, gone on with and shown."""

import builtins
import importlib
import json
import os
import platform
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("pytest_benchmark", reason="pytest-benchmark is not installed (group: test)")

from benchmarks import __main__ as command
from benchmarks.__main__ import main
from benchmarks.problems import CASES
from benchmarks.registry import IMPLEMENTATIONS
from benchmarks.report.measured import FORMAT, Results
from benchmarks.running import cold, machine, processes, selection, terminal
from benchmarks.running.runner import Selection, environment
from benchmarks.running.selection import Chosen, cases
from benchmarks.running.store import Store, lines
from tinygrad_poly import cli

pytestmark = pytest.mark.slow  # processes, each of which imports torch and JAX

ROOT = Path(__file__).parents[2]
CASE = "line-6-float64-cpu"
TINY = ("--problem", "line", "--dtype", "float64", "--threads", "1", "--device", "cpu")
GOOD, OTHER, THIRD = "NumPy by hand", "tinygrad_poly", "compiled"

PLANTED = """
import os, signal, time
import pytest

pytestmark = pytest.mark.filterwarnings("error")  # as in this project: a benchmark that never ran is a second error
BEHAVIOUR = {behaviour!r}

@pytest.mark.parametrize("name", BEHAVIOUR, ids=[f"{case}-{{name}}" for name in BEHAVIOUR])
def test_planted(benchmark, name):
    with open({log!r}, "a") as log:
        log.write(name + "\\n")
    exec(BEHAVIOUR[name])
    benchmark.extra_info.update(implementation=name, threads=1, steps=10)
    benchmark.extra_info.update(seconds=[2e-6, 4e-6, 6e-6], references={{"torch.autograd": [4e-6] * 3}})
    benchmark.pedantic(lambda: None, rounds=2)
"""


@pytest.fixture
def plant(tmp_path, monkeypatch):
    """Puts tests in the place of the fits, each doing what is said of its implementation; returns what was started."""

    def plant(**behaviour):
        behaviour = {{"good": GOOD, "other": OTHER, "third": THIRD}[key]: code for key, code in behaviour.items()}
        log = tmp_path / "log"
        source = PLANTED.format(behaviour=behaviour, case=CASE, log=str(log))
        (tmp_path / "test_planted.py").write_text(source)
        monkeypatch.setattr(selection, "FITS", tmp_path / "test_planted.py")
        return lambda: log.read_text().splitlines() if log.exists() else []

    return plant


@pytest.fixture
def bench(tmp_path, capsys, monkeypatch):
    """Runs the command in an own work folder: exit status, standard output and standard error."""
    # Sources may be edited while this runs.
    now = machine.fingerprint()
    monkeypatch.setattr("benchmarks.__main__.fingerprint", lambda: now)

    def bench(*arguments):
        status = main(["--work", str(tmp_path / "work"), *map(str, arguments)])
        return status, *capsys.readouterr()

    return bench


def rows(folder):
    """The rows kept in a work folder."""
    return dict(lines(folder / "work" / "rows.jsonl")[1:])


def measured(unit, missing):
    """The missing rows of a unit."""
    found = {}
    unit.measure(missing, found.__setitem__)
    return found


# What is chosen


def titles(**wanted):
    return [unit.title for unit in Chosen(["steps"], cases(device=["cpu"], **wanted)).units()]


def test_the_tutorials_cases_and_many_points_are_measured_in_both_ways_and_the_rest_in_one_thread():
    assert titles(problem=["sin"], points=[6, 2000, 20_000, 100_000_000], dtype=["float64"]) == [
        "sin-6-float64-cpu, 1 thread",
        "sin-2000-float64-cpu, 1 thread",
        "sin-2000-float64-cpu, default threads",
        "sin-20000-float64-cpu, 1 thread",
        "sin-20000-float64-cpu, default threads",
        "sin-100000000-float64-cpu, 1 thread",
    ]
    assert titles(points=[20_000_000], dtype=["float32"]) == ["sin-20000000-float32-cpu, 1 thread"]


def test_chosen_threads_hold_for_all_cases():
    chosen = Chosen(["steps"], cases(device=["cpu"], points=[6], problem=["sin"]), ["default"])
    assert [unit.title for unit in chosen.units()] == ["sin-6-float64-cpu, default threads"]


def test_no_two_rows_have_the_same_key():
    keys = [key for unit in Chosen(selection.PARTS, CASES).units() for key in unit.keys]
    assert len(set(keys)) == len(keys) > 1000


def test_every_row_of_steps_has_a_test_and_every_test_a_row():
    units = Chosen(["steps", "operations"], CASES).units()
    # Those that take turns in one process have ids without the case.
    asked = {f"{case}-{test}" if (case := getattr(u, "case", "")) else test for u in units for test in u.tests.values()}
    command = [sys.executable, "-m", "pytest", "-q", "--collect-only", "-p", "no:cacheprovider"]
    files = [str(selection.FITS), str(selection.OPERATIONS_FILE)]
    options = {"capture_output": True, "text": True, "cwd": ROOT, "check": True, "env": environment("default")}
    found = subprocess.run([*command, *files], **options).stdout
    assert set(re.findall(r"::test_\w+\[(.*)\]$", found, re.MULTILINE)) == asked


def test_list_names_units_and_implementations_and_measures_nothing(bench, tmp_path):
    status, out, _ = bench(*TINY, "--list")
    assert status == 0
    assert out.startswith(f"{CASE}, 1 thread: ")
    assert set(IMPLEMENTATIONS) <= {line.strip() for line in out.splitlines()}
    assert not (tmp_path / "work").exists()


@pytest.mark.parametrize(
    ("arguments", "given", "known"),
    [
        (["--problem", "cos"], "'cos'", ["sin", "line", "linear"]),
        (["--points", "7"], "7", ["6", "2000", "100000000"]),
        (["--points", "six"], "'six'", ["6", "2000"]),
        (["--dtype", "float16"], "'float16'", ["float32", "float64"]),
        (["--device", "tpu"], "'tpu'", ["cpu", "cuda:0"]),
        (["--threads", "3"], "3", ["1", "default"]),
        (["--implementation", GOOD, "tensorflow"], "'tensorflow'", list(IMPLEMENTATIONS)),
        (["--problem", "line", "--points", "2000"], "--problem line --points 2000", ["line: 6 points"]),
        (["--bad"], "--bad", []),
    ],
)
def test_what_is_not_known_is_an_error_that_lists_what_is(bench, tmp_path, arguments, given, known):
    status, out, err = bench(*arguments)
    assert (status, out) == (2, "")
    assert given in err
    assert all(name in err for name in known)
    assert not (tmp_path / "work").exists()


def test_one_thread_is_one_for_every_library_and_byte_code_is_written(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("PYTEST_ADDOPTS", "--benchmark-disable")
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw0")
    one, default = environment(1), environment("default")
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
    assert {one[name] for name in names} == {"1"}
    assert not default.keys() & {*names, "XLA_FLAGS", "PYTHONDONTWRITEBYTECODE"}
    assert "PYTHONDONTWRITEBYTECODE" not in one
    assert not [name for name in (*one, *default) if name.startswith("PYTEST_")]
    assert default["PATH"] == one["PATH"] == os.environ["PATH"]


# What ends early


def test_what_cannot_be_measured_says_why_and_the_rest_goes_on(bench, plant, tmp_path):
    started = plant(
        good="pytest.skip('NumPy is not installed (group: peers)')",
        other="raise MemoryError('Unable to allocate 8 GB')",
        third="",
    )
    status, out, _ = bench(*TINY, "--implementation", GOOD, OTHER, THIRD)
    assert status == 0
    assert started() == [GOOD, OTHER, THIRD]
    found = rows(tmp_path)
    assert found[f"{CASE}-1-{GOOD}"] == {"skipped": "NumPy is not installed (group: peers)"}
    assert found[f"{CASE}-1-{OTHER}"]["skipped"] == "out of memory: Unable to allocate 8 GB"
    assert found[f"{CASE}-1-{THIRD}"]["seconds"] == [2e-6, 4e-6, 6e-6]
    assert "Not measured because of an error:\n  line-6-float64-cpu-1-tinygrad_poly: out of memory" in out


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (
            "os.write(2, b'\\nSegmentation fault\\n'); os._exit(3)",
            "the process ended with status 3: Segmentation fault",
        ),
        ("os.kill(os.getpid(), signal.SIGKILL)", "the process was ended by SIGKILL, perhaps for want of memory"),
    ],
)
def test_a_process_that_dies_costs_one_row(bench, plant, tmp_path, code, reason):
    started = plant(good="", other=code, third="")
    status, out, _ = bench(*TINY, "--implementation", GOOD, OTHER, THIRD)
    assert status == 0
    assert started() == [GOOD, OTHER, THIRD]
    found = rows(tmp_path)
    assert [name for name, row in found.items() if "skipped" not in row] == [f"{CASE}-1-{GOOD}", f"{CASE}-1-{THIRD}"]
    assert found[f"{CASE}-1-{OTHER}"] == {"skipped": reason}
    assert reason in out


@pytest.mark.slow
def test_a_process_that_takes_too_long_is_stopped(plant):
    started = plant(good="time.sleep(600)", other="")
    tests = {name: f"{CASE}-{name}" for name in (GOOD, OTHER)}
    begin = time.monotonic()
    found = measured(Selection("", selection.FITS, tests, limit=15), list(tests))
    assert time.monotonic() - begin < 300
    assert found[GOOD] == {"skipped": "took longer than 15 s"}
    assert "stats" in found[OTHER]
    assert started() == [GOOD, OTHER]


def test_a_wrong_result_is_a_failure_and_the_rest_goes_on(bench, plant, tmp_path):
    started = plant(good="assert 1 == 2, 'the weights differ by 1e-3'", other="")
    status, out, _ = bench(*TINY, "--implementation", GOOD, OTHER)
    assert status == 1
    assert "AssertionError: the weights differ by 1e-3" in out
    assert started() == [GOOD, OTHER]
    assert "seconds" in rows(tmp_path)[f"{CASE}-1-{OTHER}"]


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="there are no process groups on this system")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.usefixtures("ctrl_c")
def test_an_interrupted_run_keeps_its_rows_and_goes_on_with_the_rest(bench, plant, tmp_path, number):
    pid = tmp_path / "pid"
    started = plant(good="", other=f"open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(600)", third="")
    driver = (
        "import sys; from pathlib import Path; from benchmarks import __main__; "
        "from benchmarks.running import selection; "
        f"selection.FITS = Path({str(selection.FITS)!r}); __main__.fingerprint = lambda: {command.fingerprint()!r}; "
        "sys.exit(__main__.main(sys.argv[1:]))"
    )
    arguments = ["--work", str(tmp_path / "work"), *TINY, "--implementation", GOOD, OTHER, THIRD]
    process = subprocess.Popen([sys.executable, "-c", driver, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        wait_for(lambda: pid.exists() and pid.read_text())
        process.send_signal(number)
        out, _ = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "Interrupted: 1 of 3 rows are kept" in out
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)
    assert started() == [GOOD, OTHER]

    plant(good="", other="", third="")
    status, out, _ = bench(*TINY, "--implementation", GOOD, OTHER, THIRD)
    assert status == 0
    assert out.startswith("3 rows in 1 units, 1 of them measured before")
    assert started() == [GOOD, OTHER, OTHER, THIRD]


def wait_for(condition):
    limit = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.02)


# What is kept


def test_rows_are_used_again_unless_they_are_asked_for_afresh(bench, plant):
    started = plant(good="")
    for arguments in ((), (), ("--fresh",)):
        assert bench(*TINY, "--implementation", GOOD, *arguments)[0] == 0
    assert started() == [GOOD, GOOD]


def test_rows_of_another_fingerprint_are_measured_again_and_it_says_what_differs(bench, plant, monkeypatch):
    started = plant(good="")
    assert bench(*TINY, "--implementation", GOOD)[0] == 0
    now = machine.fingerprint()
    monkeypatch.setattr("benchmarks.__main__.fingerprint", lambda: {**now, "numpy": "9.9", "sources": "0"})
    _, out, _ = bench(*TINY, "--implementation", GOOD)
    assert f"measured again: sources; numpy {now['numpy']} → 9.9\n" in out
    assert started() == [GOOD, GOOD]


def test_the_fingerprint_holds_versions_machine_and_sources_and_no_names_of_hosts():
    found = machine.fingerprint()
    assert {"sources", "python", "tinygrad_poly", "numpy", "cpu", "cores", "memory", "gpu"} <= found.keys()
    text = json.dumps(found)
    assert str(ROOT) not in text
    assert platform.node() not in found.values()


def test_the_hash_of_the_sources_sees_a_changed_rule_and_not_a_changed_table(tmp_path, monkeypatch):
    for name in ("benchmarks/implementations/mine.py", "benchmarks/terminal.py", "tinygrad_poly/engine/walk.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("1\n")
    monkeypatch.setattr(machine, "ROOT", tmp_path)
    before = machine.sources()
    (tmp_path / "benchmarks/terminal.py").write_text("2\n")
    assert machine.sources() == before
    for name in ("benchmarks/implementations/mine.py", "tinygrad_poly/engine/walk.py"):
        (tmp_path / name).write_text("2\n")
        assert machine.sources() != before
        before = machine.sources()


def test_a_half_written_row_is_measured_again(tmp_path):
    first = Store(tmp_path, {"version": 1})
    first.add("a", {"x": 1})
    first.add("b", {"x": 2})
    path = tmp_path / "rows.jsonl"
    path.write_bytes(path.read_bytes()[:-5])
    second = Store(tmp_path, {"version": 1})
    assert (second.rows, second.changed) == ({"a": {"x": 1}}, [])
    second.add("c", {"x": 3})
    assert Store(tmp_path, {"version": 1}).rows == {"a": {"x": 1}, "c": {"x": 3}}


@pytest.mark.parametrize("content", ["", "{", "[]\n", "[1, 2]\n[3]\n", '{"version": 1}\n7\n', "\0\0"])
def test_a_damaged_file_of_rows_is_an_empty_one(tmp_path, content):
    (tmp_path / "rows.jsonl").write_text(content)
    kept = Store(tmp_path, {"version": 1})
    assert kept.rows == {}
    kept.add("a", {})
    assert Store(tmp_path, {"version": 1}).rows == {"a": {}}


# Results files


def test_results_hold_the_rows_the_machine_and_the_versions_and_can_be_shown(bench, plant, tmp_path):
    plant(good="", other="pytest.skip('no GPU')")
    chosen = (*TINY, "--implementation", GOOD, OTHER)
    status, out, _ = bench(*chosen, "--results", tmp_path / "results")
    assert status == 0
    path = tmp_path / "results" / "cpu.json"
    assert f"Results: {path}" in out
    assert [file.name for file in path.parent.iterdir()] == ["cpu.json"]
    data = json.loads(path.read_text(encoding="utf-8"))
    assert list(data) == ["format", "date", "machine", "versions", "rows", "cold", "processes", "operations"]
    assert (data["format"], data["versions"]["numpy"]) == (FORMAT, machine.versions()["numpy"])
    about = {"case": CASE, "problem": "line", "points": 6, "dtype": "float64", "device": "cpu", "threads": 1}
    assert data["rows"] == [
        about
        | {"thread_count": 1, "implementation": GOOD, "kind": "by hand", "steps": 10, "seconds": [2e-6, 4e-6, 6e-6]}
        | {"references": {"torch.autograd": [4e-6] * 3}},
        about | {"implementation": OTHER, "kind": "eager", "skipped": "no GPU"},
    ]
    assert Results(data).ratio(data["rows"][0], "torch.autograd").middle == 1
    _, shown, _ = bench("--show", path)
    assert shown in out


def test_rows_are_added_to_a_results_file_and_replace_their_own(bench, plant, tmp_path):
    plant(good="", other="")
    path = tmp_path / "results" / "cpu.json"
    for name in (GOOD, OTHER, GOOD):
        assert bench(*TINY, "--implementation", name, "--results", path.parent, "--add")[0] == 0
    data = json.loads(path.read_text(encoding="utf-8"))
    assert [row["implementation"] for row in data["rows"]] == [GOOD, OTHER]
    path.write_text(json.dumps(data | {"date": "2020-01-01"}))
    bench(*TINY, "--implementation", OTHER, "--results", path.parent, "--add")
    found = json.loads(path.read_text(encoding="utf-8"))
    assert found["date"] == "2020-01-01"
    assert [row.get("date") for row in found["rows"]] == [None, data["date"]]
    path.write_text(json.dumps(data | {"versions": {}}))
    status, _, err = bench(*TINY, "--implementation", OTHER, "--results", path.parent, "--add")
    assert status == 2
    assert "other versions than this run" in err
    assert json.loads(path.read_text(encoding="utf-8"))["versions"] == {}


def test_a_results_file_is_not_replaced_by_one_without_numbers(bench, plant, tmp_path):
    plant(good="pytest.skip('no GPU')")
    bench(*TINY, "--implementation", GOOD, "--results", tmp_path)
    assert not (tmp_path / "cpu.json").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (json.dumps({"format": FORMAT + 1, "rows": []}), "make bench"),
        (json.dumps({"machine_info": {}, "benchmarks": []}), "make bench"),
        ("[]", "cannot be read as results"),
        ("{", "cannot be read as results"),
    ],
)
def test_a_results_file_of_another_version_says_to_measure_again(bench, tmp_path, content, said):
    path = tmp_path / "old.json"
    path.write_text(content)
    status, out, err = bench("--show", path)
    assert (status, out) == (2, "")
    assert str(path) in err
    assert said in err


def test_a_missing_results_file_is_an_error(bench, tmp_path):
    assert bench("--show", tmp_path / "none.json")[0] == 2


# What is shown

TABLES = {
    "rows": [
        {"case": CASE, "threads": "default", "thread_count": 2, "implementation": GOOD, "seconds": [1e-6, 2e-6, 3e-6]}
        | {"references": {"Numba by hand": [1e-6, 1e-6, 1e-6], "torch.autograd": [4e-6, 4e-6, 4e-6]}},
        {"case": CASE, "threads": "default", "implementation": "[peer]", "skipped": "peer is not installed"},
    ],
    "cold": [
        {"case": CASE, "implementation": GOOD, "import": [0.1], "first": [0.2], "cached": [0.01], "peak_bytes": [3e7]}
    ],
    "processes": [
        {"name": "torch program", "command": "", "reference": "torch program", "seconds": [1.5, 1.7]},
        {"name": "fit sin", "command": "", "reference": "torch program", "seconds": [0.15, 0.34]},
    ],
    "operations": [{"group": "operations on 6 elements", "extra_info": {"ratio_quartiles": [0.4, 0.5, 0.6]}}],
}


def test_tables_without_a_terminal_are_plain_text(capsys):
    terminal.show(TABLES)
    assert capsys.readouterr().out == (
        "\nline-6-float64-cpu, default threads (2)\n"
        "                  a step  ratio: below 1 is faster             quartiles  to\n"
        "  NumPy by hand  2.00 µs                     0.500  0.375 to 0.625 noisy  torch.autograd\n"
        "                                              2.00    1.50 to 2.50 noisy  Numba by hand\n"
        "  [peer]                                                                  peer is not installed\n"
        "  noisy: the quartiles are more than 10% apart, and something else ran on this machine\n"
        "\ncold starts, line-6-float64-cpu\n"
        "                 import  first step  compiled before  peak memory\n"
        "  NumPy by hand  100 ms      200 ms          10.0 ms  30 MB\n"
        "\nwhole programs\n"
        "                 seconds  ratio: below 1 is faster             quartiles  to\n"
        "  torch program     1.60                      1.00          1.00 to 1.00  torch program\n"
        "  fit sin          0.245                     0.150  0.125 to 0.175 noisy  torch program\n"
        "\nsingle operations\n"
        "                            operations  median ratio to torch\n"
        "  operations on 6 elements           1  0.500\n"
    )


def test_tables_on_a_terminal_are_rich_and_say_the_same(capsys, monkeypatch):
    pytest.importorskip("rich", reason="Rich is not installed (extra: cli)")
    terminal.show(TABLES)
    plain = capsys.readouterr().out
    monkeypatch.setattr(terminal, "fancy", lambda: True)
    monkeypatch.setenv("COLUMNS", "120")
    terminal.show(TABLES)
    rich = capsys.readouterr().out
    assert "┃" in rich
    assert re.findall(r"[\w.\[\]]+", re.sub(r"[^\w.\[\] ]", " ", rich)) == re.findall(r"[\w.\[\]]+", plain)


def test_progress_without_a_terminal_is_a_line_for_each_row(capsys):
    with terminal.progress(3, 5) as report:
        report("a title", "a-key", {"skipped": "no GPU"})
        report("a title", "b-key", {"import": 0.5, "first": 1.0})
    assert capsys.readouterr().out == "[4/5] a-key: skipped: no GPU\n[5/5] b-key: first step after 1.50 s\n"


def test_progress_on_a_terminal_is_a_bar_that_leaves_nothing(capsys, monkeypatch):
    pytest.importorskip("rich", reason="Rich is not installed (extra: cli)")
    monkeypatch.setattr(terminal, "fancy", lambda: True)
    with terminal.progress(0, 1) as report:
        report("a [title]", "a-key", {"skipped": "no GPU"})
    out = capsys.readouterr().out
    assert "no GPU" not in out
    assert out.strip() == ""


# What is paid once


def test_a_cold_start_has_its_import_first_step_and_memory():
    (case,) = cases(problem=["line"], dtype=["float64"], device=["cpu"])
    unit = processes.ColdStarts(case, [GOOD, "DeZero"], 2)
    found = measured(unit, [key for key in unit.keys if not key.endswith("DeZero-1")])
    assert list(found) == unit.keys[:3]
    (row, *_) = unit.table(found)
    assert row.keys() == {"implementation", "case", "import", "first", "cached", "peak_bytes"}
    assert all(len(row[column]) == 2 for column in ("import", "first", "cached", "peak_bytes"))
    # An interpreter with NumPy, and not the process that started it.
    assert all(5e6 < size < 100e6 for size in row["peak_bytes"])


def test_the_clock_of_imports_counts_what_is_imported_and_nothing_else(tmp_path, monkeypatch):
    (tmp_path / "slow_outside.py").write_text("import time, slow_inside\ntime.sleep(0.03)\n")
    (tmp_path / "slow_inside.py").write_text("import time\ntime.sleep(0.02)\n")
    (tmp_path / "slow_broken.py").write_text("import time\ntime.sleep(0.01)\nraise ImportError\n")
    monkeypatch.syspath_prepend(tmp_path)
    before = builtins.__import__, importlib.import_module
    begin = time.perf_counter()
    with cold.ImportClock() as clock:
        import slow_outside  # noqa: F401

        importlib.import_module("slow_inside")
        with pytest.raises(ImportError):
            importlib.import_module("slow_broken")
        time.sleep(0.1)
    # Each sleep is counted once, the one between the imports never.
    assert 0.06 <= clock.seconds <= time.perf_counter() - begin - 0.1
    assert (builtins.__import__, importlib.import_module) == before


@pytest.mark.slow
def test_the_programs_that_are_timed_print_the_same_losses(tmp_path):
    pytest.importorskip("torch", reason="torch is not installed (group: test)")
    found, reasons = processes.Programs(1).checked(tmp_path)
    assert (list(found), reasons) == (list(processes.COMMANDS), {})


def test_a_program_with_other_losses_is_not_timed(monkeypatch):
    said = {"-c": "99 1.5\n199 0.5\n"}
    monkeypatch.setattr(processes, "output", lambda command, caches: (said.get(command[0], "99 1.5\n199 0.25\n"), 1.0))
    commands = {"torch program": ("program.py",), "another": ("-c",)}
    monkeypatch.setattr(processes.Programs, "_commands", lambda self, folder: dict(commands))
    unit = processes.Programs(2)
    found = measured(unit, unit.keys)
    assert found["program-1"] == {
        "seconds": {"torch program": 1.0},
        "reasons": {"another": "printed a loss of 0.5 instead of 0.25"},
    }


def test_a_program_that_fails_has_its_reason(tmp_path):
    with pytest.raises(processes.Failed, match=r"^the process ended with status 1: ZeroDivisionError: .*zero$"):
        processes.output(("-c", "1 / 0"), tmp_path)


# The command


def test_bench_is_a_command_of_the_package(capsys):
    assert cli.main(["bench", *TINY, "--list"]) == 0
    assert f"{CASE}, 1 thread" in capsys.readouterr().out
    assert cli.main(["bench", "--points", "7"]) == 2
    assert capsys.readouterr().err.startswith("tinygrad-poly bench: error: argument --points: invalid choice: 7")


def test_outside_of_a_checkout_it_says_where_the_benchmarks_are(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(cli.bench, "__file__", str(tmp_path / "tinygrad_poly" / "cli" / "bench.py"))
    assert cli.main(["bench"]) == 2
    assert "make bench" in capsys.readouterr().err


def test_a_real_row_is_measured_in_turn_with_its_reference(bench, tmp_path):
    pytest.importorskip("torch", reason="torch is not installed (group: test)")
    status, out, _ = bench(*TINY, "--implementation", GOOD, "--results", tmp_path)
    assert (status, rows(tmp_path).keys()) == (0, {f"{CASE}-1-{GOOD}"}), out
    (row,) = json.loads((tmp_path / "cpu.json").read_text(encoding="utf-8"))["rows"]
    assert (row["thread_count"], row["kind"]) == (1, "by hand")
    assert len(row["references"]["torch.autograd"]) == len(row["seconds"]) > 1
    assert re.search(rf"{GOOD} +[\d.]+ µs +0\.\d+ +\S+ to \S+( noisy)? +torch\.autograd", out)


def test_a_reader_that_has_had_enough_is_no_error():
    listing = f"{sys.executable} -m benchmarks --list"
    command = ["sh", "-c", f"{listing} | head -n 1"]
    shell = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=99)
    assert (shell.stdout.count("\n"), shell.stderr) == (1, "")
