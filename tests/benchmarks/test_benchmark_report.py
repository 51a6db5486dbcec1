"""The page, the pictures and every quoted number are those of the committed results."""

import json

import pytest

from benchmarks.report import measured, pictures, quotes, targets
from benchmarks.report import page as report
from benchmarks.report.crossings import Lead, changes, leads, sentence
from benchmarks.report.measured import Quartiles, Results


def row(implementation, points, seconds, references=None, threads=1, problem="sin", dtype="float64", **more):
    case = f"{problem}-{points}-{dtype}-cpu"
    return {
        "case": case, "problem": problem, "points": points, "dtype": dtype, "device": "cpu", "threads": threads,
        "implementation": implementation, "kind": "eager", "seconds": seconds, "references": references or {}, **more,
    }  # fmt: skip


def results(*rows, **more):
    about = {"cpu": "A processor", "cores": 2, "memory": 2**33, "gpu": None}
    nothing = {"cold": [], "processes": [], "operations": []}
    data = {"format": 1, "date": "2026-01-01", "machine": about, "versions": {"NumPy": "2"}, "rows": list(rows)}
    return Results(data | nothing | more)


SLOW_MACHINE = row("tinygrad_poly", 2000, [1e-5, 4e-5, 2e-5], {"torch.autograd": [2e-5, 8e-5, 1e-5]})


def test_a_ratio_is_taken_round_by_round():
    # Rounds in which the machine was busy slow both sides: 1/2, 1/2 and 2.
    ratio = results(SLOW_MACHINE).ratio(SLOW_MACHINE, "torch.autograd")
    assert ratio == Quartiles(0.5, 0.5, 1.25)


def test_a_reference_is_1_and_what_was_not_measured_together_has_no_ratio():
    torch = row("torch.autograd", 2000, [1.0])
    assert results(torch).ratio(torch, "torch.autograd") == Quartiles(1, 1, 1)
    assert results(torch).ratio(torch, "JAX") is None
    assert results().ratio(None, "JAX") is None


def test_results_of_another_format_say_what_to_do():
    with pytest.raises(ValueError, match=r"format 99.*make bench"):
        Results({"format": 99})


def test_skipped_rows_are_listed_with_their_reason_and_are_no_results():
    skipped = row("DeZero", 2000, [], skipped="does not import")
    assert results(skipped).row("sin-2000-float64-cpu", 1, "DeZero") is None
    assert list(results(skipped).rows()) == []
    assert list(report.skipped_list(results(skipped))) == ["- DeZero (sin-2000-float64-cpu): does not import"]


def around(ratio, spread=0.01):
    """Rounds whose quotient with rounds of one second has these quartiles."""
    return [ratio - spread, ratio, ratio + spread]


def pair(points, ratio, spread=0.01):
    return row("own", points, around(ratio, spread), {"other": [1.0, 1.0, 1.0]})


def test_a_crossing_lies_between_the_last_sure_win_and_the_first_of_the_other():
    rows = [pair(10, 0.5), pair(100, 0.9), pair(1000, 1.001), pair(10_000, 1.5), pair(100_000, 2)]
    found = leads(results(*reversed(rows)), "own", "other")
    assert found == [Lead("own", 10, 100), Lead("other", 10_000, 100_000)]
    assert list(changes(found)) == [(100, 10_000)]
    assert sentence(found) == "own is faster up to 100 points, other from 10,000 on"
    assert leads(results(*rows[3:]), "own", "other") == found[1:]


def test_a_pair_that_changes_twice_is_one_sentence():
    found = leads(results(pair(10, 2), pair(100, 0.5), pair(1000, 0.5), pair(10_000, 2)), "own", "other")
    assert list(changes(found)) == [(10, 100), (1000, 10_000)]
    assert sentence(found) == "other is faster up to 10 points and from 10,000 on, own from 100 to 1,000"


def test_the_header_names_only_libraries_that_have_a_row():
    found = results(row("MyGrad", 6, [1.0]), row("DeZero", 6, [], skipped="does not import"),
                    versions={"numpy": "2", "mygrad": "3", "dezero": "4", "cupy": ""})  # fmt: skip
    assert report.machine(found).endswith("; numpy 2, mygrad 3")


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0000012, "1.20 µs"), (0.0123, "12.3 ms"), (3.0, "3.00 s"), (4e-9, "4.00 ns"), (0.9999e-3, "1000 µs")],
)
def test_durations_have_the_unit_that_suits_them(value, text):
    assert measured.duration(value) == text


def test_a_target_is_met_or_missed_by_the_median():
    case = "sin-2000-float64-cpu"
    found = results(row("tinygrad_poly", 2000, [0.4] * 3, {"torch.autograd": [1.0] * 3}),
                    row("compiled", 2000, [1.2] * 3, {"Numba by hand": [1.0] * 3}))  # fmt: skip
    verdicts = {outcome.what: outcome.verdict for outcome in targets.outcomes(found)}
    assert verdicts == {
        f"{targets.title(case)}: tinygrad_poly / torch.autograd": "met",
        f"{targets.title(case)}: compiled / Numba by hand": "missed",
    }


# Quotes


@pytest.fixture
def three_results(monkeypatch):
    process = [
        {"name": "mine", "seconds": [1.0, 3.0], "reference": "theirs", "command": "mine"},
        {"name": "theirs", "seconds": [2.0, 6.0], "reference": "theirs", "command": "theirs"},
    ]
    found = results(SLOW_MACHINE, processes=process)
    monkeypatch.setattr(quotes, "load", {"cpu": found, "cuda": None}.get)


def page(key, value="0.01", link="old.md", kind="measured"):
    return f'It takes [{value}][name] of it, and [x][other].\n\n[name]: {link} "{kind}: {key}"\n'


STEP, SHELL = "sin-fit-2000-points-float64-one-thread", "from-the-shell-whole-processes-and-the-first-call"


@pytest.mark.usefixtures("three_results")
@pytest.mark.parametrize(
    ("key", "value", "place"),
    [
        ("ratio sin-2000-float64-cpu 1 tinygrad_poly / torch.autograd", "0.50", STEP),
        ("time sin-2000-float64-cpu 1 tinygrad_poly", "20.0 µs", STEP),
        ("process mine / theirs", "0.50", SHELL),
        ("experiment cube-by-products", quotes.experiments()["cube-by-products"]["value"], "a-cube"),
    ],
)
def test_a_quote_is_brought_up_to_date_and_leads_to_its_place(key, value, place):
    assert quotes.updated(page(key), quotes.ROOT / "README.md") == page(key, value, f"docs/benchmarks.md#{place}")
    assert quotes.updated(page(key), quotes.PAGE.parent / "a.md") == page(key, value, f"benchmarks.md#{place}")
    assert list(quotes.quoted(page(key))) == [(key, "0.01")]


@pytest.mark.usefixtures("three_results")
@pytest.mark.parametrize(
    "key",
    ["ratio sin-6-float64-cpu 1 tinygrad_poly / torch.autograd", "time sin-2000-float64-cpu default tinygrad_poly",
     "process mine / nobody", "cuda: time sin-2000-float64-cuda 1 compiled", "experiment unheard of", "rumour"],
)  # fmt: skip
def test_a_quote_of_what_was_not_measured_is_an_error(key):
    with pytest.raises(KeyError, match="no committed result holds"):
        quotes.updated(page(key))


def test_a_measurement_that_no_number_names_is_an_error():
    with pytest.raises(ValueError, match="defines name, and no number"):
        quotes.updated(page("process mine / theirs").replace("[name] of", "[nmae] of"))


@pytest.mark.parametrize(
    "claim",
    ["a step takes 12 µs", "in 0.5 ms it is over", "it reads 12.5 GB/s", "3 times faster", "10 % slower",
     "2 × as fast", "the engine took 0.47 of torch.autograd's"],
)  # fmt: skip
def test_a_number_that_quotes_nothing_is_noticed(claim):
    assert quotes.unmarked(f"As one sees, {claim}.")
    assert not quotes.unmarked(f"As one sees, `{claim}` is code.")
    for kind in ("measured", "cited"):
        assert not quotes.unmarked(page("a data sheet, 5 µs", claim, kind=kind))
        assert quotes.unmarked(page("a data sheet", "200 GB/s", kind=kind) + "In 7 µs.") == ["7 µs"]


@pytest.mark.parametrize("page", quotes.pages(), ids=lambda page: page.name)
def test_every_measured_number_of_a_page_is_in_the_committed_results(page):
    text = page.read_text(encoding="utf-8")
    assert quotes.updated(text, page) == text, "run: make docs"
    assert quotes.unmarked(text) == [], "quote a measurement, see benchmarks/report/quotes.py"


# What is committed


def test_the_page_is_made_from_the_committed_results():
    cpu = Results.load("cpu")
    assert quotes.PAGE.read_text(encoding="utf-8") == report.markdown(cpu, Results.gpus()), "run: make docs"


@pytest.mark.parametrize("name", ["cpu", *Results.gpus()])
def test_the_pictures_are_drawn_from_the_committed_results(name):
    found = Results.load(name)
    for picture in (f"points-{name}", f"peers-{name}"):
        path = pictures.IMAGES / f"benchmarks-{picture}.png"
        assert pictures.drawn_from(path) == pictures.fingerprint(found), "run: make docs"


def test_committed_results_name_no_machine_and_no_path():
    for path in measured.RESULTS.glob("*.json"):
        text = path.read_text(encoding="utf-8")
        assert "/home" not in text
        assert "/tmp" not in text
        assert "node" not in json.loads(text).get("machine", {})


def test_pictures_are_drawn_of_few_results_and_of_none(tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "IMAGES", tmp_path)
    few = results(
        *(
            row("tinygrad_poly", n, around(r), {"torch.autograd": [1.0] * 3})
            for n, r in ((6, 0.3), (2000, 0.5), (20000, 2))
        ),
        *(row("torch.autograd", n, [1.0] * 3) for n in (6, 2000, 20000)),
    )
    for found in (few, results()):
        for path in pictures.draw(found, "cpu"):
            assert pictures.drawn_from(path) == pictures.fingerprint(found)
