"""The command `tinygrad-poly`, with one file for each of its commands."""

import argparse
import codecs
import os
import re
import sys
import warnings
from collections.abc import Sequence
from typing import TextIO

from tinygrad_poly import __version__, _start
from tinygrad_poly.cli import bench, check, explain, fit, play, tutorials
from tinygrad_poly.cli.options import FAILED, INTERRUPTED, MISUSED, Parser, UsageError
from tinygrad_poly.engine.errors import DataError, DeviceError, DivergenceError

EXAMPLES = """\
examples:
  tinygrad-poly fit sin
  tinygrad-poly fit sin --lr 3.5e-6 --steps 500 --start 0,0,0,0
  tinygrad-poly fit poly --data points.csv --degree 2 --output parabola.svg
  tinygrad-poly fit sin --compile --show-program
  tinygrad-poly fit sin --steps 1000 --save run.json
  tinygrad-poly fit sin --resume run.json --steps 4000
  tinygrad-poly tutorials T1 T8
  tinygrad-poly explain "((a + b*x - y)**2).sum()" --at a=0.5,b=2,x=1:2:3,y=2:4:6 --html steps.html
  tinygrad-poly play sin
  tinygrad-poly check model.py:loss model.py:gradient --at W=0.5
  tinygrad-poly bench --quick
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with `arguments` (default: those of the process); returns its exit status.

    Status 0 is success, 1 a fit that diverged, a tutorial that falls short or a gradient that is wrong, 2 wrong usage
    or data, or a gradient of which nothing is certain, and 130 an interruption by Ctrl-C.
    """
    try:
        _start.over()
        _open_streams()
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            return _run(list(sys.argv[1:] if arguments is None else arguments))
    except DivergenceError as error:
        return _fail(error, FAILED)
    except BrokenPipeError:
        # Whoever read our output, such as `head`, has had enough.
        _discard(sys.stdout)
        return FAILED
    except (UsageError, DataError, DeviceError, OSError) as error:
        return _fail(error, MISUSED)
    except MemoryError:
        return _fail("there is not enough memory for so many points", MISUSED)
    except KeyboardInterrupt:
        return _fail("interrupted", INTERRUPTED)


def _run(given: list[str]) -> int:
    try:
        if given[:1] == ["bench"]:
            return bench.run(given[1:])
        options = _parser().parse_args(_joined(given))
        status: int = options.run(options)
    except SystemExit:  # --help and --version
        sys.stdout.flush()
        raise
    sys.stdout.flush()
    return status


def _plain(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    return "".join("-" if character == "−" else "?" for character in error.object[error.start : error.end]), error.end


codecs.register_error("plain", _plain)


def _open_streams() -> None:
    """Make sure that output can be printed; what a console's encoding lacks becomes a question mark, but − a hyphen."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # it was closed by whoever started this process
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="plain")


def _show_warning(message: object, *_: object, **__: object) -> None:
    print(f"tinygrad-poly: {message}", file=sys.stderr)


def _fail(error: object, status: int) -> int:
    for stream, text in ((sys.stdout, ""), (sys.stderr, f"tinygrad-poly: error: {error}\n")):
        try:
            print(text, end="", file=stream, flush=True)
        except OSError:  # a full disk: the status has to say it
            _discard(stream)
    return status


def _discard(stream: TextIO) -> None:
    """Drop output that cannot be written; otherwise Python would try again at exit, and complain."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)


def _joined(arguments: Sequence[str]) -> list[str]:
    """Arguments with `--start=-1,2` for `--start -1,2`, as argparse takes -1,2 for an option; refuses `--start=--`."""
    joined: list[str] = []
    for argument in arguments:
        if "--" not in joined and re.fullmatch(r"--[^=]+=--", argument):
            # argparse takes the value away, and gives the option an empty list.
            raise UsageError(f"argument {argument[:-3]}: expected a value, but got '--'")
        if joined and joined[-1] == "--start" and re.match(r"-[\d.]", argument):
            joined[-1] += "=" + argument
        else:
            joined.append(argument)
    return joined


def _parser() -> argparse.ArgumentParser:
    verbatim = argparse.RawDescriptionHelpFormatter
    parser = Parser(
        prog="tinygrad-poly",
        description="Fit curves by gradient descent, and learn how far the fit is from the optimum.",
        epilog=EXAMPLES,
        formatter_class=verbatim,
    )
    parser.add_argument("--version", action="version", version=f"tinygrad-poly {__version__}")
    commands = parser.add_subparsers(
        required=True,
        title="commands",
        metavar="fit | explain | play | tutorials | check | bench",
        dest="command",
    )

    for command in (fit, explain, play, tutorials, check):
        command.add(commands)
    # Its options are those of the benchmarks, which are not part of the package.
    commands.add_parser("bench", help="measure the speed beside torch and others (in a checkout)", add_help=False)
    return parser
