"""The tutorials' programs as files that can be read and copied: one by hand and one by the engine in each."""

import contextlib
import io
from collections.abc import Iterable
from itertools import zip_longest
from pathlib import Path
from typing import Any

from tinygrad_poly.tutorials.problems import PROGRAMS

HERE = Path(__file__).parent / "programs"
"""Where an installed package has them; in a checkout they are in `docs/`."""


def program(name: str) -> tuple[str, list[str]]:
    """The text above a program in its file, and its two parts.

    Raises:
        ValueError: where there is no such file.

    >>> says, (by_hand, by_engine) = program("T3")
    >>> "backward()" in by_hand, "backward()" in by_engine
    (False, True)
    """
    folder = HERE if HERE.is_dir() else Path(__file__).parents[2] / "docs" / "tutorials"
    path = folder / f"{name}.py"
    if name not in PROGRAMS or not path.is_file():
        known = ", ".join(n for n in PROGRAMS if (folder / f"{n}.py").is_file())
        raise ValueError(f"no file holds a program called {name!r}; there are {known}")
    says, *parts = path.read_text(encoding="utf-8").split("# %% ")
    return says.strip().strip('"').strip(), [part.partition("\n")[2].strip() for part in parts]


def output(source: str) -> str:
    """The output of a part of a program."""
    printed = io.StringIO()
    scope: dict[str, Any] = {"__name__": "__main__"}
    with contextlib.redirect_stdout(printed):
        exec(compile(source, "<tutorial>", "exec"), scope)
    return printed.getvalue().rstrip()


def beside(texts: Iterable[str], width: int) -> str:
    """Two texts side by side, or one under the other where there is no room."""
    left, right = texts
    wide = max(map(len, left.splitlines()), default=0)
    if wide + 3 + max(map(len, right.splitlines()), default=0) > width:
        return f"{left}\n\n{right}"
    rows = zip_longest(left.splitlines(), right.splitlines(), fillvalue="")
    return "\n".join(f"{a:<{wide}} │ {b}".rstrip() for a, b in rows)
