import itertools

import pytest

from tinygrad_poly.tutorials.printed import PRINTED, half_a_unit
from tinygrad_poly.tutorials.problems import PROGRAMS


def test_every_program_has_its_figures():
    assert list(PRINTED) == list(PROGRAMS)


@pytest.mark.parametrize(("text", "half"), [("1", 0.5), ("-2.5", 0.05), ("0.000057", 5e-7)])
def test_half_a_unit_of_the_last_digit(text, half):
    assert half_a_unit(text) == pytest.approx(half, rel=1e-15)


@pytest.mark.parametrize(("name", "digits"), [("T8", [6, 6, 6]), ("T9", [6, 7, 7]), ("T10", [6, 7, 7])])
def test_figures_keep_the_digits_that_the_programs_rounded_to(name, digits):
    for _, *texts in PRINTED[name].every_100th:
        assert [len(text.partition(".")[2]) for text in texts] == digits


@pytest.mark.parametrize("name", ["T1", "T2", "T3", "T8", "T9", "T10", "T11", "T12"])
def test_losses_fall_from_line_to_line_a_hundred_steps_apart(name):
    lines = PRINTED[name].every_100th
    losses = [float(line[1]) for line in lines]
    assert losses == sorted(losses, reverse=True)
    assert {int(b[0]) - int(a[0]) for a, b in itertools.pairwise(lines)} == {100}
