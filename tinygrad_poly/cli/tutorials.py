"""The command `tinygrad-poly tutorials`: runs the tutorials' programs and compares each with its printed figures."""

import argparse
import shutil
from contextlib import suppress
from typing import Any

from tinygrad_poly import _files as files
from tinygrad_poly.cli.explain import write
from tinygrad_poly.cli.options import DONE, FAILED, UsageError


def add(commands: Any) -> None:
    """Add the command with its options."""
    parser = commands.add_parser(
        "tutorials",
        help="reproduce the programs of the tutorials",
        description="Run the programs of the tutorials and compare every figure that they printed.",
    )
    parser.add_argument("names", nargs="*", metavar="name", help="such as T1 (default: all)")
    parser.add_argument("--show", action="store_true", help="print the programs by hand and by engine, and run them")
    parser.add_argument("--explain", metavar="FILE", help="write a page that explains the first step of a program")
    parser.set_defaults(run=_run)


def _program(name: str) -> tuple[str, list[str]]:
    from tinygrad_poly.tutorials.programs import program

    try:
        return program(name.upper())
    except ValueError as error:
        raise UsageError(error) from None


def _explain(name: str, path: str) -> int:
    """Run the program by the engine up to its first backward pass, and explain that."""
    from tinygrad_poly import explain
    from tinygrad_poly.engine.apply import wrap
    from tinygrad_poly.tutorials.programs import output

    class Reached(Exception):  # noqa: N818 - it is none
        """The backward pass begins."""

    class FirstStep(explain.Recording):
        """A recording that ends there."""

        def walking(self, nodes: Any) -> None:
            """End the program."""
            raise Reached

    files.check_writable(path)
    says, parts = _program(name)
    with suppress(Reached), FirstStep() as recorded:
        output(parts[-1])
    loss: Any = wrap(recorded.records[-1].value, recorded.records[-1].node)
    steps = explain.steps(loss, recording=recorded)
    print(steps)
    write(path, steps.to_html(says.partition("\n")[0]))
    return DONE


def _show(names: list[str]) -> int:
    from tinygrad_poly.tutorials.programs import beside, output

    width = shutil.get_terminal_size().columns
    for says, parts in [_program(name) for name in names]:
        print(says, end="\n\n")
        titled = [f"# {how}\n{part}" for how, part in zip(("by hand", "by the engine"), parts)]
        print(beside(titled, width), end="\n\n")
        print(beside(map(output, parts), width), flush=True)
    return DONE


def _run(options: argparse.Namespace) -> int:
    if options.explain is not None and (len(options.names) != 1 or options.show):
        raise UsageError("--explain needs the name of one program, such as T3, and goes without --show")
    if options.show and not options.names:
        raise UsageError("--show needs the name of a program, such as T3")
    if options.explain is not None:
        return _explain(options.names[0], options.explain)
    if options.show:
        return _show(options.names)
    from tinygrad_poly.tutorials import run

    try:
        outcomes = run([name.upper() for name in options.names] or None)
    except ValueError as error:
        raise UsageError(error) from None
    row = "{:<8} {:>7}  {:>9}  {:>14}  {}"
    print(row.format("program", "figures", "deviation", "gradient/bound", "verdict"))
    total = failed = figures = 0
    for outcome in outcomes:
        total, failed, figures = total + 1, failed + (not outcome.passed), figures + outcome.figures
        verdict = "agrees" if outcome.passed else f"FALLS SHORT: {outcome.problem}"
        # Some of the programs printed nothing to compare with; their limits are checked instead.
        figures_and_deviation = (outcome.figures, f"{outcome.deviation:.2g}") if outcome.figures else ("-", "-")
        ratio = f"{outcome.gradient_ratio:.2g}"
        print(row.format(outcome.name, *figures_and_deviation, ratio, f"{verdict}: {outcome.title}"), flush=True)
    print(f"{total - failed} of {total} programs agree, {figures} printed figures compared")
    return FAILED if failed else DONE
