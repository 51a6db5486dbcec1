"""What the README shows as output is output."""

import re
from pathlib import Path

import pytest

from tinygrad_poly.cli import main

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e-?\d+)?")


def words_and_numbers(line):
    return NUMBER.sub("#", line), [float(number) for number in NUMBER.findall(line)]


def test_the_fit_of_the_readme_prints_what_it_says(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["fit", "sin"]) == 0
    printed = capsys.readouterr().out.splitlines()
    shown = README.split("fits sin(x):\n\n```\n")[1].split("\n```")[0].splitlines()
    first, last = shown[: shown.index("...")], shown[shown.index("...") + 1 :]
    for line, expected in zip([*printed[: len(first)], *printed[-len(last) :]], [*first, *last], strict=True):
        (words, numbers), (expected_words, expected_numbers) = words_and_numbers(line), words_and_numbers(expected)
        assert words == expected_words
        # Another processor adds 2000 terms in another order: n·u = 2.2e-13 of their absolute sum, which is
        # up to a thousand times the small loss and coefficients that they come to.
        assert numbers == pytest.approx(expected_numbers, rel=1e-9)
    assert (tmp_path / "fit-sin.png").exists()
