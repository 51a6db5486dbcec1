"""The benchmarks compare what is equal, and the figures that are quoted are those that were measured."""

import re
from pathlib import Path

import pytest

from benchmarks import report
from benchmarks.compiled import FITS, LOOPS
from benchmarks.implementations import ENGINE, PROBLEMS, implementations, started

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("problem", "name"), [(p, name) for p in PROBLEMS.values() for name in implementations(p)], ids=str
)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_every_implementation_takes_the_same_first_step(problem, name, dtype):
    started(problem, dtype, name)


@pytest.mark.parametrize("name", ["compiled", "without Numba", "eager"])
@pytest.mark.parametrize("fit", FITS[:2], ids=lambda fit: fit.name)
def test_a_compiled_loop_goes_where_the_eager_one_goes(fit, name):
    expected = LOOPS["eager"](fit, "float64")(50)
    # Fifty steps, each with sums of n products: 50 · n roundings at most, of weights below 2.
    assert abs(LOOPS[name](fit, "float64")(50) - expected).max() <= 100 * (fit.points + 12) * 2.0**-53


def test_the_page_is_made_from_the_committed_results():
    assert report.PAGE.read_text(encoding="utf-8") == report.markdown(report.load()), "run: make docs"


def test_the_readme_quotes_the_committed_results():
    results = report.load()
    sin, line = (report.ratio(results, f"{fit}, float64", ENGINE) for fit in list(PROBLEMS)[:2])
    loop = report.ratio(results, "sin fit, 2000 points, float64, many steps in one call", "compiled")
    quoted = re.search(
        r"took ([\d.]+) of torch\.autograd's\s+time .*? and ([\d.]+) on a line.*?loop ([\d.]+) of", README, re.S
    )
    assert quoted is not None
    assert list(quoted.groups()) == [f"{ratio:.2f}" for ratio in (sin, line, loop)]
