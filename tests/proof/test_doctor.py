"""The measurement of the gradient doctor: a right population, broken checkers seen, and the doctor's own targets."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from .doctor import measure, peers, report
from .doctor.__main__ import PAGE, SAVED
from .doctor.cases import make_case
from .doctor.functions import ROWS
from .doctor.measure import RIGHT, Tally, graded, run_batch, size_of
from .doctor.mistakes import mistakes
from .doctor.peers import CHECKERS, DIFFERENCES, DOCTOR, Answer
from .doctor.points import draw, known, sizes

ROOT = Path(__file__).parent.parent.parent
FAMILIES = sorted({row.family for row in ROWS})


def held_to_jax(row, random):
    import jax

    args = draw(row, random, np.float64, "plain", sizes(row, random, "plain"))
    facts = known(row.gradient(), args, np.float64, random)
    with jax.enable_x64(True):
        positions = [list(row.arguments).index(name) for name in row.wrt]
        theirs = jax.grad(row.function(helpers={"np": jax.numpy}), argnums=positions)(*args)
    for name, mine, true, bound in zip(row.wrt, facts.right, theirs, facts.bound):
        assert mine.shape == true.shape, name
        # Both are rounded; JAX's own way there may be longer than the one by hand.
        assert (np.abs(mine - np.asarray(true)) <= 8 * bound).all(), name


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_each_gradient_of_the_population_is_the_one_that_jax_computes(family):
    random = np.random.default_rng(0)
    for row in ROWS:
        if row.family == family:
            held_to_jax(row, random)


def test_the_population_has_the_functions_and_mistakes_that_it_says():
    assert len(ROWS) >= 40
    assert len({row.name for row in ROWS}) == len(ROWS)
    assert len(FAMILIES) == 7
    named = {m.label for row in ROWS for m in mistakes(row)} | {"cotangent ignored", "constant factor"}
    assert named == set(RIGHT)


def test_a_case_is_made_again_from_its_name():
    one, two = make_case(3, 17, True), make_case(3, 17, True)
    assert str(one) == str(two)
    assert all(np.array_equal(a, b) for a, b in zip(one.args, two.args))


def test_a_right_gradient_has_no_error_and_a_wrong_one_has():
    for number in range(0, len(ROWS), 3):
        right, wrong = make_case(1, number, False), make_case(1, number, True)
        assert right is None or not right.errors
        assert wrong is None or wrong.error > 0


@pytest.mark.parametrize(
    ("error", "k"), [(np.inf, 0), (1.0, 0), (0.1, 1), (0.01, 2), (1e-6, 6), (1e-10, 10), (2e-3, 3)]
)
def test_sizes_of_errors_are_counted_by_powers_of_ten(error, k):
    assert size_of(error) == k


def perfect(case):
    if not case.label:
        return Answer("pass", "exact")
    code = min(set().union(*(RIGHT[name] for name in case.names)), default="unclassified")
    return Answer("fail", "exact", {name: [(code, True)] for name in case.errors})


BROKEN = {
    "none": (perfect, set()),
    "always pass": (
        lambda case: Answer("pass", "exact"),
        {"live mutants detected by the exact or high-precision oracle", "diagnosis right, of those detected"},
    ),
    "always fail": (
        lambda case: Answer("fail", "exact", {name: [("unclassified", True)] for name in case.errors}),
        {
            "live mutants detected by the exact or high-precision oracle",
            "false alarms",
            "diagnosis right, of those detected",
        },
    ),
    "always inconclusive": (
        lambda case: Answer("inconclusive", "exact"),
        {
            "live mutants detected by the exact or high-precision oracle",
            "inconclusive on smooth, well-scaled inputs",
            "diagnosis right, of those detected",
        },
    ),
    "always factor": (
        lambda case: Answer(perfect(case).verdict, "exact", {name: [("factor", True)] for name in case.errors}),
        {"diagnosis right, of those detected", "confident wrong diagnoses"},
    ),
    "raises": (
        lambda case: 1 / 0,
        {
            "live mutants detected by the exact or high-precision oracle",
            "false alarms",
            "diagnosis right, of those detected",
        },
    ),
}


@pytest.mark.parametrize("broken", list(BROKEN))
def test_a_broken_checker_misses_the_targets_that_it_should(broken, monkeypatch):
    checker, missed = BROKEN[broken]
    monkeypatch.setitem(CHECKERS, DOCTOR, ("numpy", checker))
    tally = Tally()
    for wrong in (False, True):
        tally.add(run_batch(7, range(30), wrong, [DOCTOR]))
    lines = [t for t in report.targets(tally, {}) if t.target and "differences" not in t.what]
    found = {t.what for t in lines if not t.met}
    assert found == missed


def test_a_diagnosis_is_graded_argument_by_argument():
    case = next(c for c in (make_case(6, n, True) for n in range(200)) if c and c.label == "factor 2 and sign")
    first, second = list(case.errors)
    assert graded(case, Answer("fail", "", {first: [("factor", True)], second: [("sign", True)]}))[1] == "right"
    assert graded(case, Answer("fail", "", {first: [("factor", True)], second: [("stale", True)]}))[1] == "wrong"
    assert (
        graded(case, Answer("fail", "", {first: [("factor", True)], second: [("stale", False)]}))[1] == "likely wrong"
    )
    assert graded(case, Answer("fail", "", {first: [("factor", True)]}))[1] == "unclassified"


def test_counts_survive_being_saved():
    tally = run_batch(0, range(3), True, [DIFFERENCES])
    assert Tally.from_json(json.loads(json.dumps(tally.to_json()))) == tally


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in CHECKERS if name not in (DOCTOR, DIFFERENCES)])
def test_each_peer_tells_twice_a_gradient_from_the_gradient(name):
    pytest.importorskip(CHECKERS[name][0], reason="a peer that is not installed: pip install --group peers")
    cases = [
        c for c in (make_case(0, n, True) for n in range(400)) if c and c.label == "factor 2" and c.kind == "plain"
    ]
    asked = [c for c in cases if c.dtype is np.float64 and not c.array][:3]
    for case in asked:
        assert peers.ask(CHECKERS[name][1], case).verdict == "fail"
        assert peers.ask(CHECKERS[name][1], case.twin).verdict == "pass"
    assert asked


@pytest.mark.slow
def test_the_doctor_meets_its_targets_on_a_small_population():
    tally = Tally()
    for wrong in (False, True):
        tally.add(run_batch(11, range(len(ROWS)), wrong, [DOCTOR, DIFFERENCES]))
    missed = [t for t in report.targets(tally, {}) if not t.met]
    assert not missed, report.as_text(report.tables(tally, {})) + "\n".join(tally.notable)


def test_the_page_is_made_from_the_saved_run():
    saved = json.loads(SAVED.read_text())
    made = report.tables(Tally.from_json(saved["tally"]), saved["times"])
    assert (ROOT / PAGE).read_text() == report.as_page(made, saved["said"])


@pytest.mark.slow
def test_the_command_shows_a_case():
    done = subprocess.run(
        [sys.executable, "-m", "tests.proof.doctor", "--case", "7:3w"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0
    assert "exact" in done.stdout


def test_a_checker_that_is_not_there_is_named(capsys, monkeypatch):
    from .doctor.__main__ import main

    with pytest.raises(SystemExit):
        main(["--only", "abacus"])
    assert "abacus" in capsys.readouterr().err
    monkeypatch.setattr(measure, "find_spec", lambda name: name == "tinygrad_poly")
    assert main(["--only", "SciPy"]) == 2
    assert "SciPy is not installed" in capsys.readouterr().err
