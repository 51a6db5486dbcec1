"""What the pages quote beside the benchmarks can be measured again, and is kept with all that others found."""

import json
import types
from unittest.mock import patch

import numpy as np
import pytest

from benchmarks import comparison, descents, experiments
from benchmarks.comparison import Comparison, Result, WrongResult
from benchmarks.interface import Run
from tinygrad_poly.compiler.loops import numba_runner, threads


@pytest.fixture
def interpreted(monkeypatch):
    """Programs for Numba run as the Python source that they are, as if there were two threads."""

    def plainly(source):
        same = {name: lambda function: function for name in ("njit", "njit_parallel")}
        found = {"np": np, "numba": types.SimpleNamespace(prange=range), **same}
        exec(source, found)
        return found["run"]

    numba = types.SimpleNamespace(get_num_threads=lambda: 2, set_num_threads=lambda _: None)
    monkeypatch.setattr(numba_runner, "available", lambda: True)
    monkeypatch.setattr(numba_runner, "compiled", plainly)
    monkeypatch.setattr(threads, "thread_count", lambda: 2)
    monkeypatch.setattr(experiments, "library", lambda *_: numba)


def few(number):
    return min(number, 6)


@pytest.mark.usefixtures("interpreted")
@pytest.mark.parametrize("name", experiments.EXPERIMENTS)
def test_an_experiment_finds_equal_results_and_times_them(name):
    found = experiments.run(name, few, budget=0, at_least=0)
    assert found["code"] is True
    assert found["title"]
    assert found["versions"]["numpy"] == np.__version__
    assert found["results"]
    for result in found["results"].values():
        low, middle, high = result["quartiles"]
        assert 0 < low <= middle <= high
        assert set(result) == {"value", "quartiles", "unit", "what", "seconds"}
        if result["unit"] == "seconds":
            assert result["value"] == comparison.duration(middle)
        else:
            assert result["unit"].removeprefix("of ") in result["seconds"]
            # The quartiles are kept in three digits, of which rounding to two may make another last one.
            assert float(result["value"]) == pytest.approx(middle, rel=0.051)
    json.dumps(found)


def test_two_experiments_do_not_find_the_same_name():
    names = [name for kept in kept_experiments().values() for name in kept["results"]]
    assert len(names) == len(set(names))


def kept_experiments():
    return json.loads(experiments.FILE.read_text(encoding="utf-8"))


def test_the_file_holds_every_experiment_and_says_which_have_no_code_any_more():
    kept = kept_experiments()
    assert {name for name, experiment in kept.items() if experiment["code"]} == set(experiments.EXPERIMENTS)
    for experiment in kept.values():
        assert experiment["date"]
        assert experiment["machine"]
        assert all(result["value"] and result["what"] for result in experiment["results"].values())


def test_what_other_experiments_found_is_kept(tmp_path):
    path = tmp_path / "experiments.json"
    experiments.keep("one", {"results": {"a": {"value": "1.0"}}}, path)
    experiments.keep("other", {"results": {"b": {"value": "2.0"}}}, path)
    experiments.keep("one", {"results": {"c": {"value": "3.0 µs"}}}, path)
    assert json.loads(path.read_text(encoding="utf-8")) == {
        "one": {"results": {"c": {"value": "3.0 µs"}}},
        "other": {"results": {"b": {"value": "2.0"}}},
    }


def test_an_unknown_name_is_an_error_that_lists_the_known_ones_and_measures_nothing(capsys):
    with patch.object(experiments, "run") as run:
        assert experiments.main(["cube", "sphere"]) == experiments.MISUSED
    assert not run.called
    error = capsys.readouterr().err
    assert "no experiment sphere" in error
    assert all(name in error for name in experiments.EXPERIMENTS)


def test_what_cannot_be_measured_here_leaves_what_was_found(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(experiments, "FILE", tmp_path / "experiments.json")
    monkeypatch.setattr(threads, "thread_count", lambda: 1)
    monkeypatch.setattr(experiments, "library", lambda *_: None)
    assert experiments.main(["threads"]) == experiments.DONE
    assert "threads: skipped, Numba has one thread here" in capsys.readouterr().out
    assert not experiments.FILE.exists()


def test_different_results_are_not_timed():
    taken = []
    runs = {
        "right": Run(taken.append, lambda: np.array([1.0, 2.0])),
        "wrong": Run(taken.append, lambda: np.array([1.0, 2.0001])),
    }
    with pytest.raises(WrongResult, match="wrong gives"):
        comparison.measure(Comparison(runs, {"a": Result("a", "right", "wrong")}), 0, 0)
    assert taken == [2, 2]


def test_results_that_are_not_numbers_are_not_equal():
    runs = {
        name: Run(lambda n: None, lambda value=value: np.array([value])) for name, value in (("a", 1.0), ("b", np.nan))
    }
    with pytest.raises(WrongResult):
        comparison.measure(Comparison(runs, {}), 0, 0)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.7, "0.70"), (0.0512, "0.051"), (5.12, "5.1"), (9.97, "10"), (116, "120"), (40.0, "40"), (1.0, "1.0")],
)
def test_ratios_have_two_digits(value, text):
    assert comparison.two_digits(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.5e-6, "1.5 µs"), (1.16e-4, "120 µs"), (9.97e-4, "1.0 ms"), (0.7, "700 ms"), (1.24, "1.2 s"), (4e-9, "4.0 ns")],
)
def test_times_have_two_digits_and_a_unit(value, text):
    assert comparison.duration(value) == text


def test_the_ways_of_a_descent_lead_to_the_same_weights():
    x, y = np.linspace(-1, 1, 6), np.linspace(0, 1, 6)

    def begun():
        return descents.Descent(descents.wave, [np.array(0.5), np.array(-0.3)], x, y, descents.adam(1e-2)).begun()

    eager, by_numpy = begun().eager(), begun().compiled(numba=False)
    for run in (eager, by_numpy):
        run.take(3)
    # Three steps of Adam move a weight by 0.03; each rounds some hundred times.
    np.testing.assert_allclose(eager.weights(), by_numpy.weights(), rtol=0, atol=300 * 2.0**-53)
