"""The command `tinygrad-poly play`: a page on which a fit runs before one's eyes."""

import argparse
from typing import Any

from tinygrad_poly import _files as files
from tinygrad_poly.cli.explain import write
from tinygrad_poly.cli.fit import DEGREE, PROBLEM, given
from tinygrad_poly.cli.options import DONE, SEED


def add(commands: Any) -> None:
    """Add the command with its options."""
    parser = commands.add_parser(
        "play",
        help="write a page on which a fit runs",
        description="Write a page on which a fit runs: start and learning rate to be moved, three optimizers.",
    )
    parser.add_argument(
        "what", metavar="sin | line | FILE", help="a curve of the tutorials, or a CSV file with x and y"
    )
    parser.add_argument("--degree", type=DEGREE, metavar="N", help="of the polynomial for a file (default: 3)")
    parser.add_argument("--seed", type=SEED, default=0, metavar="N", help="of the weights to start from (default: 0)")
    parser.add_argument("--output", metavar="FILE", help="the page (default: play-NAME.html)")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from pathlib import Path

    from tinygrad_poly.explain.playground import play
    from tinygrad_poly.fitting.formatting import polynomial, text
    from tinygrad_poly.fitting.problems import PROBLEMS
    from tinygrad_poly.fitting.quadratic import as_quadratic

    output = options.output or f"play-{Path(options.what).stem}.html"
    files.check_writable(output)
    of_file = options.what not in ("sin", "line")
    problem = PROBLEMS["poly" if of_file else options.what]
    settings = PROBLEM | problem.defaults | given(options, ("seed", "degree"))
    settings["data"] = options.what if of_file else None
    task = problem.set_up(settings)
    found = as_quadratic(task.loss, task.start, task.x, task.y)
    stable = None if found is None else found.largest_stable_lr
    title = f"{text(list(task.start))}, fitted to {problem.about.format(**settings)}"
    page = play(
        task.loss, polynomial, task.start, task.x, task.y, title=title,
        lr=settings["lr"] or (stable / 2 if stable else 0.01), stable=stable,
        least=None if found is None else found.least_loss,
    )  # fmt: skip
    write(output, page)
    return DONE
