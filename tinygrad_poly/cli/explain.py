"""The command `tinygrad-poly explain`: an expression's graph and its backward pass, as text, picture or page."""

import argparse
from typing import Any

from tinygrad_poly import _files as files
from tinygrad_poly.cli.options import DONE, UsageError


def add(commands: Any) -> None:
    """Add the command with its options."""
    parser = commands.add_parser(
        "explain",
        help="show the backward pass of an expression step by step",
        description="Show every value and gradient of an expression: as text, or as a picture or page.",
    )
    parser.add_argument("expression", help='such as "((a + b*x - y)**2).sum()"')
    parser.add_argument(
        "--at", required=True, metavar="NAME=VALUE,...",
        help="the values: numbers are weights and get gradients, lists such as x=1:2:3 are data",
    )  # fmt: skip
    parser.add_argument("--html", metavar="FILE", help="write a page with a slider for each weight")
    parser.add_argument("--svg", metavar="FILE", help="write a picture of the graph")
    parser.add_argument("--text", action="store_true", help="print the steps (the default without a file)")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from tinygrad_poly import explain
    from tinygrad_poly.explain.expression import parse

    for path in filter(None, (options.html, options.svg)):
        files.check_writable(path)
    variables = values(options.at)
    function = parse(options.expression)
    try:
        with explain.recording() as recorded:
            result = function(variables)
        recorded.name(variables)
        steps = explain.steps(result, recording=recorded)
    except (TypeError, ValueError, RuntimeError) as error:
        raise UsageError(f"{options.expression[:60]!r}: {error}") from None
    if options.text or not (options.html or options.svg):
        print(steps)
    if options.html is not None:
        write(options.html, steps.to_html(options.expression))
    if options.svg is not None:
        write(options.svg, steps.graph.to_svg())
    return DONE


def write(path: str, text: str) -> None:
    """Write a file, and say so."""
    files.write(path, text.encode())
    print(f"Written: {path}")


def values(text: str) -> dict[str, Any]:
    """The variables in `a=0.5,x=1:2:3`: numbers as weights, lists of numbers as data.

    Raises:
        UsageError: for what is no name with numbers.
    """
    from tinygrad_poly.creation import tensor

    found: dict[str, Any] = {}
    for part in text.split(","):
        name, equals, given = part.partition("=")
        name = name.strip()
        try:
            numbers = [float(number) for number in given.split(":")]
        except ValueError:
            numbers = []
        if not equals or not name.isidentifier() or not numbers:
            raise UsageError(f"argument --at: expected names with numbers, such as a=0.5,x=1:2:3, but got {part!r}")
        if name in found:
            raise UsageError(f"argument --at: {name} is given twice")
        found[name] = tensor(numbers if ":" in given else numbers[0], dtype="float64")
    weights = [x for x in found.values() if not x.shape] or found.values()
    for weight in weights:
        weight.requires_grad_()
    return found
