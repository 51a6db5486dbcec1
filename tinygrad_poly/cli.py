"""The command `tinygrad-poly`."""

from __future__ import annotations

import argparse
import math
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from tinygrad_poly import __version__
from tinygrad_poly.errors import DataError, DeviceError, DivergenceError
from tinygrad_poly.fitting import command, polynomial, problems
from tinygrad_poly.fitting.command import UsageError
from tinygrad_poly.fitting.optimizers import OPTIMIZERS

DONE, FAILED, MISUSED, INTERRUPTED = 0, 1, 2, 130

EXAMPLES = """\
examples:
  tinygrad-poly fit sin
  tinygrad-poly fit sin --lr 3.5e-6 --steps 500 --start 0,0,0,0
  tinygrad-poly fit poly --data points.csv --degree 2 --output parabola.svg
  tinygrad-poly fit sin --compile --show-program
  tinygrad-poly fit sin --steps 1000 --save run.json
  tinygrad-poly fit sin --resume run.json --steps 4000
  tinygrad-poly tutorials T1 T8
  tinygrad-poly bench --quick
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with `arguments` (by default the process's own); returns its exit status.

    Status 0 is success, 1 a fit that diverged or a tutorial that falls short, 2 wrong usage or data,
    and 130 an interruption by Ctrl-C.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # A console in another encoding prints a question mark instead of failing.
            stream.reconfigure(errors="replace")
    try:
        given = list(sys.argv[1:] if arguments is None else arguments)
        if given[:1] == ["bench"]:
            return _bench(given[1:])
        options = _parser().parse_args(_joined(given))
        status: int = options.run(options)
        sys.stdout.flush()
        return status
    except DivergenceError as error:
        return _fail(error, FAILED)
    except BrokenPipeError:
        # Whoever read our output, such as `head`, has had enough; Python would complain again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except (UsageError, DataError, DeviceError, OSError) as error:
        return _fail(error, MISUSED)
    except MemoryError:
        return _fail("there is not enough memory for so many points", MISUSED)
    except KeyboardInterrupt:
        return _fail("interrupted", INTERRUPTED)


def _fail(error: object, status: int) -> int:
    sys.stdout.flush()
    print(f"tinygrad-poly: error: {error}", file=sys.stderr)
    return status


# The options


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (see `{self.prog} --help`)")


def _number(kind: Callable[[str], Any], allowed: Callable[[Any], bool], expected: str) -> Callable[[str], Any]:
    """An option's type: a number for which `allowed` holds."""

    def parse(text: str) -> Any:
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not allowed(value):
            raise argparse.ArgumentTypeError(f"expected {expected}, but got {text!r}")
        return value

    return parse


_COUNT = _number(int, lambda n: 1 <= n <= 10**9, "a whole number from 1 to 1000000000")
_SEED = _number(int, lambda n: n >= 0, "a whole number of 0 or more")
_RATE = _number(float, lambda lr: 0 < lr < math.inf, "a positive number")
_DEGREE = _number(
    int, lambda n: 0 <= n <= polynomial.HIGHEST_DEGREE, f"a whole number from 0 to {polynomial.HIGHEST_DEGREE}"
)
_WEIGHTS = _number(
    lambda text: [float(part) for part in text.split(",")],
    lambda numbers: all(math.isfinite(number) for number in numbers),
    "numbers with commas between them, such as 0.1,-2,0,1",
)


def _joined(arguments: Sequence[str]) -> list[str]:
    """`--start -1,2` as `--start=-1,2`: argparse takes -1,2 for an option."""
    joined: list[str] = []
    for argument in arguments:
        if joined and joined[-1] == "--start" and re.match(r"-[\d.]", argument):
            joined[-1] += "=" + argument
        else:
            joined.append(argument)
    return joined


def _parser() -> argparse.ArgumentParser:
    verbatim = argparse.RawDescriptionHelpFormatter
    parser = _Parser(
        prog="tinygrad-poly",
        description="Fit curves by gradient descent, and learn how far the fit is from the optimum.",
        epilog=EXAMPLES,
        formatter_class=verbatim,
    )
    parser.add_argument("--version", action="version", version=f"tinygrad-poly {__version__}")
    commands = parser.add_subparsers(required=True, title="commands", metavar="fit | tutorials | bench", dest="command")

    fitting = commands.add_parser("fit", help="fit a curve", description="Fit a curve by gradient descent.")
    kinds = fitting.add_subparsers(required=True, title="curves", metavar=" | ".join(problems.PROBLEMS), dest="curve")
    for name, problem in problems.PROBLEMS.items():
        _add_fit(kinds, name, problem)

    tutorials = commands.add_parser(
        "tutorials",
        help="reproduce the programs of the tutorials",
        description="Run the programs of the tutorials and compare every figure that they printed.",
    )
    tutorials.add_argument("names", nargs="*", metavar="name", help="such as T1 (default: all)")
    tutorials.set_defaults(run=_tutorials)

    # Its options are those of the benchmarks, which are not part of the package.
    commands.add_parser("bench", help="measure the speed beside torch and others (in a checkout)", add_help=False)
    return parser


def _add_fit(kinds: Any, name: str, problem: problems.Problem) -> None:
    """The options of `fit name`. Their defaults are filled in later, to tell what was given from what was not."""
    defaults = problem.defaults
    parser = kinds.add_parser(name, help=problem.help, description=f"Fit {problem.help}.")
    parser.set_defaults(run=_fit)
    add = parser.add_argument
    if "points" in defaults:
        add("--points", type=_COUNT, metavar="N", help=f"how many points (default: {defaults['points']})")
    else:
        add("--data", metavar="FILE", help="a CSV file with two columns, x and y, with or without a header")
        add("--degree", type=_DEGREE, metavar="N", help=f"of the polynomial (default: {defaults['degree']})")
    add("--steps", type=_COUNT, metavar="N", help=f"how many steps in all (default: {defaults['steps']})")
    rate = defaults["lr"] or "half the largest that is stable"
    add("--lr", type=_RATE, metavar="RATE", help=f"the learning rate (default: {rate})")
    add("--dtype", choices=("float32", "float64"), help="the precision (default: float64)")
    add("--seed", type=_SEED, metavar="N", help="of the random weights to start from (default: 0)")
    add("--start", type=_WEIGHTS, metavar="A,B,...", help="the weights to start from, instead of random ones")
    add("--device", metavar="NAME", default="cpu", help="cpu, cuda or cuda:0: where to compute (default: cpu)")
    add("--optimizer", choices=sorted(OPTIMIZERS), help="(default: sgd)")
    add("--log-every", type=_COUNT, metavar="N", help="steps from one printed loss to the next (default: 100)")
    add("--output", metavar="FILE", default=f"fit-{name}.png", help="the picture, or none (default: %(default)s)")
    add("--no-picture", action="store_const", const="none", dest="output", help="draw none")
    add("--save", metavar="FILE", help="save the run as .json, so that it can be resumed")
    add("--resume", metavar="FILE", help="go on with a saved run, up to --steps steps in all")
    add("--compile", action="store_true", help="run the steps as one compiled program, many times faster")
    add("--hoist", choices=("algebra",), help="sum over the points once, and take the steps from the sums")
    add("--show-program", action="store_true", help="print that program: forward, backward and update in one loop")
    add("--quiet", action="store_true", help="print the result only")


# The commands


def _fit(options: argparse.Namespace) -> int:
    result = command.run(options)
    return INTERRUPTED if result.interrupted else FAILED if result.verdict.diverges else DONE


def _bench(arguments: list[str]) -> int:
    checkout = Path(__file__).parents[1]
    if not (checkout / "benchmarks" / "__main__.py").is_file():
        raise UsageError(
            "the benchmarks are in the source, not in the installed package: get a checkout of tinygrad_poly, and in "
            "it run `make bench`, or `pip install --editable . --group test --group peers` and this command again"
        )
    sys.path.insert(0, str(checkout))
    try:
        from benchmarks.__main__ import main as bench
    except ModuleNotFoundError as error:
        raise UsageError(f"{error.name} is not installed: pip install --group test --group peers") from None
    finally:
        sys.path.remove(str(checkout))
    return bench(arguments, "tinygrad-poly bench")


def _tutorials(options: argparse.Namespace) -> int:
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
