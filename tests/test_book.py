"""The book's programs print what its pages say, and its exercises tell a right answer from a wrong one."""

import contextlib
import io
import re
import runpy
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
LEARN = DOCS / "learn"
SHOWN = re.compile(
    r"```\{literalinclude\} /learn/((?:steps|programs)/\w+\.py)\n```\n\n(?:[^`\n][^\n]*\n\n)?```text\n(.*?)\n```", re.S
)
"""A program in a page, and what it prints."""

PAGES = sorted(path.name for path in LEARN.glob("*.md"))
PROGRAMS = sorted(
    f"{path.parent.name}/{path.name}" for folder in ("steps", "programs") for path in LEARN.glob(f"{folder}/*.py")
)
SLOW = {"programs/sin_compiled.py", "programs/line_compiled.py"}
"""Those that Numba compiles."""


@pytest.fixture(autouse=True)
def _steps_can_be_imported(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(LEARN / "steps"), *sys.path])
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith("step"):
            del sys.modules[name]


def printed(source):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(source, "<book>", "exec"), {"__name__": "__main__"})
    return out.getvalue().rstrip()


def shown(folder):
    return {
        program: output
        for page in sorted(folder.glob("*.md"))
        for program, output in SHOWN.findall(page.read_text("utf-8"))
    }


@pytest.mark.parametrize(
    "program", [pytest.param(p, marks=pytest.mark.slow if p in SLOW else ()) for p in PROGRAMS]
)  # fmt: skip
def test_a_program_prints_what_the_pages_in_both_languages_say(program):
    output = printed((LEARN / program).read_text("utf-8"))
    assert output.isascii()  # so that it can be printed on every console
    assert shown(LEARN)[program] == output
    assert shown(DOCS / "ko" / "learn")[program] == output


@pytest.mark.slow
def test_the_program_for_torch_prints_the_same_in_torch():
    source = (LEARN / "programs" / "net.py").read_text("utf-8")
    assert printed(source.replace("tinygrad_poly", "torch")) == shown(LEARN)["programs/net.py"]


def test_every_page_of_learn_is_there_in_korean_and_shows_the_same_code():
    assert sorted(path.name for path in (DOCS / "ko" / "learn").glob("*.md") if path.name != "mistakes.md") == PAGES
    code = re.compile(r"\{literalinclude\} (\S+)|\{made\} (?:\.\./)*(\S+)")
    for page in PAGES:
        english, korean = (
            code.findall((folder / page).read_text("utf-8")) for folder in (LEARN, DOCS / "ko" / "learn")
        )
        assert english == korean, page


@pytest.mark.parametrize("number", [*range(1, 10), pytest.param(10, marks=pytest.mark.slow)])
def test_an_exercise_takes_its_answer_and_refuses_the_typical_mistake_with_a_reason(number):
    exercise = runpy.run_path(str(LEARN / "check.py"))["exercise"](number)
    exercise["check"](exercise["answer"])
    with pytest.raises(AssertionError, match=r"\w+ \w+ \w+"):
        exercise["check"](exercise["mistake"])


@pytest.mark.parametrize(
    ("text", "says", "status"),
    [
        ("def answer(f, x):\n    return (f(x + 1e-5) - f(x - 1e-5)) / 2e-5", "Right.", 0),
        ("def answer(f, x):\n    return f(x)", "Not yet: the slope of x^3 at 2.0 is 12.0000000000, yours is 8.0", 1),
        ("def answer(f, x):\n    return None", "Not yet: TypeError: ", 1),
        ("solution = 3", "defines no function named answer", 2),
        (None, "cannot be read: No such file", 2),
    ],
)
def test_the_command_that_checks_an_answer_says_what_is_wrong(tmp_path, capsys, text, says, status):
    mine = tmp_path / "mine.py"
    if text is not None:
        mine.write_text(text)
    assert runpy.run_path(str(LEARN / "check.py"))["main"](["1", str(mine)]) == status
    assert says in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["11", "mine.py"], ["one", "mine.py"]])
def test_the_command_that_checks_an_answer_says_how_it_is_used(arguments, capsys):
    assert runpy.run_path(str(LEARN / "check.py"))["main"](arguments) == 2
    assert "usage: python docs/learn/check.py NUMBER FILE" in capsys.readouterr().out


@pytest.mark.parametrize("path", sorted((DOCS / "made").glob("*.py")), ids=lambda path: path.stem)
def test_what_the_build_makes_loads_nothing_from_outside(path):
    made = runpy.run_path(str(path))
    (kind,) = {"page", "picture", "text"} & set(made)
    assert made[kind].strip()
    assert not re.search(r"(?:src|href)=[\"']?(?:https?:)?//|@import|url\(http", made[kind])


def test_a_minus_stays_a_minus_on_a_korean_console(monkeypatch):
    from tinygrad_poly.cli import main

    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="cp949"))
    assert main(["explain", "(w*x - y)**2", "--at", "w=1,x=2,y=5"]) == 0
    assert "-12" in raw.getvalue().decode("cp949")
    assert "?" not in raw.getvalue().decode("cp949")
