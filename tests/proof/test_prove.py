import pytest

from . import prove
from .judge import ViolationError


@pytest.mark.slow
def test_the_command_counts_what_it_compares(capsys):
    assert prove.main(["--programs", "40", "--jobs", "1"]) == 0
    text = capsys.readouterr().out
    assert "40  programs" in text
    assert "torch, float64" in text
    assert "\n0 violations\n" in text


def test_a_violation_is_printed_and_fails_the_command(monkeypatch, capsys):
    tally = prove.Tally()
    tally.violations.append("torch in float32: gradient of input 0")
    monkeypatch.setattr(prove, "prove", lambda *given: tally)
    assert prove.main(["--programs", "1"]) == 1
    assert "1 violations\ntorch in float32" in capsys.readouterr().out


def test_a_batch_shrinks_its_violation(monkeypatch):
    def strict(case, libraries, tally):
        if "power" in case.problem.program.names:
            raise ViolationError("someone", "value", "no powers", case.problem)
        return {}

    families = {"straight lines": (1, prove._families()["straight lines"][1], strict)}
    monkeypatch.setattr(prove, "_families", lambda: families)
    tally = prove.run_batch(0, 200)
    (violation,) = tally.violations
    assert "instructions=(('power', 0, 2),)" in violation
    assert tally.programs.total() <= 200


def test_batches_make_as_many_programs_as_asked_for():
    assert list(prove.batches(1100, 7)) == [(7, 500), (8, 500), (9, 100)]


def test_wrong_engines_make_a_table(monkeypatch, capsys):
    from . import mutants

    few = [m for m in mutants.mutants() if m.where in ("Mul, input 0", "walk") and "times" not in m.mistake]
    monkeypatch.setattr(mutants, "mutants", lambda: few)
    assert prove.main(["--mutants", "--problems", "60"]) == 0
    assert "all" in capsys.readouterr().out
