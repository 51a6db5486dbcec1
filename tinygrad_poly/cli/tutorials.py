"""The command `tinygrad-poly tutorials`: runs the tutorials' programs and compares each with its printed figures."""

import argparse
from typing import Any

from tinygrad_poly.cli.options import DONE, FAILED, UsageError


def add(commands: Any) -> None:
    """Add the command with its options."""
    parser = commands.add_parser(
        "tutorials",
        help="reproduce the programs of the tutorials",
        description="Run the programs of the tutorials and compare every figure that they printed.",
    )
    parser.add_argument("names", nargs="*", metavar="name", help="such as T1 (default: all)")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
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
