"""Random programs, compiled against eager: a quick sample."""

from collections import Counter

import pytest

from .compiled import Case, DifferenceError, check, compare, main


def test_compiled_programs_do_what_the_eager_ones_do():
    tally = Counter()
    for seed in range(120):
        check(seed, tally)
    assert tally["calls"] > 400
    assert tally["derivatives"] > 1000
    assert tally["refused"] < 12


def test_a_difference_is_found_and_named_with_its_case():
    case = Case(7)
    eager, compiled = case.worlds()
    compare(case, "worlds", [eager["g0"]], [compiled["g0"]])
    compiled["g0"].array = compiled["g0"].array + 1
    with pytest.raises(DifferenceError, match=r"worlds: eager .* in case 7\ndef f\("):
        compare(case, "worlds", [eager["g0"]], [compiled["g0"]])


def test_the_command_prints_its_counts(capsys):
    assert main(["--count", "3", "--seed", "5"]) == 0
    assert "3 programs from seed 5" in capsys.readouterr().out
