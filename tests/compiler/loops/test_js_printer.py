"""Programs as JavaScript: what is refused, and that a browser computes what NumPy does."""

import functools
import re

import numpy as np
import pytest

import tinygrad_poly as tg
from tests.explain.conftest import browser  # noqa: F401 - a fixture
from tinygrad_poly.compiler.loops.fuse import _FUSED, fuse
from tinygrad_poly.compiler.loops.js_printer import JsPrinter
from tinygrad_poly.compiler.trace.program import Program
from tinygrad_poly.compiler.trace.symbols import placeholder, record
from tinygrad_poly.errors import TraceError
from tinygrad_poly.fitting import descent

NUMBERS = [0.0, -0.0, 0.5, -0.5, 1.0, -1.0, 1.5, 2.5, -2.5, 3.75, 700.0, -700.0, 1e-300, np.inf, -np.inf, np.nan]
NOT_THERE = ("nextafter", "logaddexp2")


def program(function, count):
    inputs = [placeholder(name, (len(NUMBERS) ** 2,), np.dtype(np.float64)) for name in "ab"[:count]]
    result = record(function, *inputs)
    wanted = result if result.dtype.kind == "f" else record("astype", result, dtype=np.dtype(np.float64))
    return Program.of(inputs, [wanted])


@pytest.mark.parametrize("function", [f for f in _FUSED["f"] if f not in ("where", "astype", *NOT_THERE)])
def test_functions_are_numpys_to_four_ulps(browser, function):  # noqa: F811
    count = getattr(np, function).nin
    pairs = [np.repeat(NUMBERS, len(NUMBERS)), np.tile(NUMBERS, len(NUMBERS))][:count]
    source = JsPrinter(fuse(program(function, count))).once()
    given = ", ".join(f"new Float64Array({[str(v) for v in values]})" for values in pairs)
    given = re.sub(r"'(-?)inf'", r"\1Infinity", given).replace("'nan'", "NaN").replace("'", "")
    found = browser.execute_script(f"{source}; return [...run({given})[0]].map(String)")
    mine = np.array([float(v.replace("Infinity", "inf")) for v in found])
    with np.errstate(all="ignore"):
        expected = getattr(np, function)(*pairs)
    np.testing.assert_array_max_ulp(mine[np.isfinite(expected)], expected[np.isfinite(expected)], 4)
    np.testing.assert_array_equal(mine[~np.isfinite(expected)], expected[~np.isfinite(expected)])


@pytest.mark.parametrize("function", NOT_THERE)
def test_what_javascript_does_not_have_is_refused_by_name(function):
    with pytest.raises(TraceError, match=function):
        JsPrinter(fuse(program(function, 2))).once()


def test_whole_numbers_are_refused():
    a = placeholder("a", (3,), np.dtype(np.int64))
    with pytest.raises(TraceError, match="float64 alone"):
        JsPrinter(fuse(Program.of([a], [record("add", a, a)])))


def test_a_long_line_is_broken_within_its_statement():
    a, b, c = (placeholder(40 * name, (), np.dtype(np.float64)) for name in "abc")
    total = record("add", record("add", a, b), c)
    lines = JsPrinter(fuse(Program.of([a, b, c], [record("multiply", total, total)]))).once().splitlines()
    assert [line.strip() for line in lines[1:6]] == ["const v1 = (", a.name, f"+ {b.name}", f"+ {c.name}", ");"]


def test_a_truth_value_is_equal_to_a_number_wherever_it_is_kept(browser):  # noqa: F811
    a = placeholder("a", (3,), np.dtype(np.float64))
    positive = record("greater", a, 0.0)
    source = JsPrinter(fuse(Program.of([a], [positive, record("equal", positive, 1)]))).once()
    assert browser.execute_script(f"{source}; return run([1, -1, 2])[1].join()") == "1,0,1"


def fit_of_a_line(names, target="python", **options):
    """A fit, or its program, of a line through three points."""
    first, second = names
    start = {name: tg.tensor(value, dtype=tg.float64) for name, value in ((first, 0.5), (second, 0.25))}
    call = descent.fit if options else functools.partial(descent.program, target=target)
    return call(
        lambda p, x, y: ((p[first] * x + p[second] - y) ** 2).mean(),
        start,
        [1.0, 2.0, 3.0],
        [2.0, 4.5, 6.0],
        lr=0.05,
        **options,
    )


def test_names_are_no_words_of_javascript():
    head = fit_of_a_line(("default", "ß"), "js").splitlines()[0]
    assert head == "function run(first, last, x, y, default_1, ß) {"


def test_a_fit_as_javascript_takes_the_steps_of_the_engine(browser):  # noqa: F811
    mine = browser.execute_script(f"{fit_of_a_line('wb', 'js')}; return run(0, 50, [1, 2, 3], [2, 4.5, 6], 0.5, 0.25)")
    fitted = fit_of_a_line("wb", steps=50, progress=False)
    assert mine[:2] == pytest.approx([fitted.params[k].item() for k in "wb"], rel=1e-13)


def test_another_language_is_refused():
    with pytest.raises(ValueError, match="'python' or 'js'"):
        fit_of_a_line("wb", "c")
