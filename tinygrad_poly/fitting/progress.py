"""Progress of a fit: the losses as the tutorials print them, and on a terminal a bar."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from tinygrad_poly.fitting.formatting import printable
from tinygrad_poly.fitting.verdict import Verdict

Report = Callable[[int, float], object]
"""Called with a step and its loss."""


def nothing(t: int, loss: float) -> None:
    """A report that prints nothing."""


def _console(**options: Any) -> Any:
    """The terminal as Rich's console; None if there is no terminal, or no Rich."""
    if sys.stdout is not None and sys.stdout.isatty():  # None where the standard output is closed
        with suppress(ImportError):
            from rich.console import Console

            return Console(**options)
    return None


@contextmanager
def shown(completed: int, steps: int) -> Iterator[Report]:
    """A report that prints `t loss` lines, above a bar if there is a terminal and Rich is installed."""
    console = _console()
    if console is None:
        yield print
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("steps"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=steps, completed=completed)

        def report(t: int, loss: float) -> None:
            console.print(t, loss, highlight=False)
            bar.update(task, completed=t + 1)

        yield report


def say(message: object) -> None:
    """Print a message, with signs that the standard output has."""
    print(printable(str(message), getattr(sys.stdout, "encoding", None)))


def conclude(verdict: Verdict) -> None:
    """Print a verdict; on a terminal with Rich its first line stands out."""
    headline, *rest = str(verdict).split("\n")
    if console := _console(width=120):
        colour = "green" if verdict.converged else "red" if verdict.diverges else "yellow"
        console.print(headline, style=f"bold {colour}", highlight=False, markup=False)
        headline = ""
    say("\n".join(filter(None, [headline, *rest])))


def highlighted(source: str, language: str = "python") -> None:
    """Print source, in colours if there is a terminal and Rich is installed."""
    if console := _console():
        from rich.syntax import Syntax

        console.print(Syntax(source.rstrip(), language, background_color="default"))
    else:
        print(source.rstrip())
