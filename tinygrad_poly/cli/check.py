"""The command `tinygrad-poly check`: is the gradient in a file right, and if not, how is it wrong."""

import argparse
import contextlib
import difflib
import functools
import importlib
import inspect
import json
import os
import runpy
import sys
import traceback
from typing import Any

import numpy as np

from tinygrad_poly.cli.explain import values
from tinygrad_poly.cli.options import DONE, FAILED, MISUSED, SEED, UsageError

_PACKAGE = os.path.dirname(os.path.dirname(__file__))
COLOURS = {"pass": 32, "fail": 31, "inconclusive": 33}
"""Green, red and yellow, as terminals number them."""


def add(commands: Any) -> None:
    """Add the command with its options."""
    parser = commands.add_parser(
        "check",
        help="check a hand-written gradient",
        description="Say whether a gradient is that of a loss, and if not, how it is wrong. The arguments of the loss "
        "are taken from --at, from the variables of the same names in its file, and from its defaults. "
        "The status is 0 for a right gradient, 1 for a wrong one, and 2 where nothing is certain.",
    )
    parser.add_argument("loss", help="a file and a function in it: model.py:loss; or a module: pkg.model:loss")
    parser.add_argument("gradient", help="its gradient in the same way: a function of these arguments, or a variable")
    parser.add_argument("--at", action="append", default=[], metavar="name=numbers", help="such as W=0.5 or x=[1,2,3]")
    parser.add_argument("--wrt", help="names of the arguments to differentiate by, with commas between them")
    parser.add_argument("--oracle", default="auto", help="auto, exact, high precision, tape, or finite differences")
    parser.add_argument("--seed", type=SEED, default=0, help="of all that is random (default: 0)")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    with contextlib.redirect_stdout(sys.stderr):  # of what the file and its functions print: stdout is the report's
        report = _report(options)
    _show(report.to_json() if options.json else str(report), 0 if options.json else COLOURS[report.verdict])
    return {"pass": DONE, "fail": FAILED}.get(report.verdict, MISUSED)


def _report(options: argparse.Namespace) -> Any:
    from tinygrad_poly.checking import check_gradients

    scopes: dict[str, dict[str, Any]] = {}
    loss, scope = _found(options.loss, scopes)
    gradient, _ = _found(options.gradient, scopes)
    if not callable(loss):
        raise UsageError(f"{options.loss} is no function, but {type(loss).__name__}")
    try:
        args = _arguments(loss, scope, options)
        wrt = [name.strip() for name in options.wrt.split(",")] if options.wrt else None
        return check_gradients(loss, gradient, *args, wrt=wrt, seed=options.seed, oracle=options.oracle)
    except UsageError:
        raise
    except Exception as error:  # of the user's functions, and of arguments that do not suit them
        notes = "".join(f" ({note}{_line(error)})" for note in getattr(error, "__notes__", ()))
        raise UsageError(f"{type(error).__name__}: {error}{notes}") from None


def _found(where: str, scopes: dict[str, dict[str, Any]]) -> tuple[Any, dict[str, Any]]:
    """The value at a place such as model.py:loss, and all names beside it; each file is run once."""
    path, _, name = where.rpartition(":")
    if not path or not name:
        raise UsageError(f"expected a file and a name in it, such as model.py:loss, but got {where!r}")
    if path not in scopes:
        is_file = path.endswith(".py") or os.sep in path
        if is_file and not os.path.isfile(path):
            raise UsageError(f"there is no file {path}")
        sys.path.insert(0, os.path.dirname(os.path.abspath(path)) if is_file else os.getcwd())
        command, sys.argv = sys.argv, [path]
        try:
            scopes[path] = runpy.run_path(path) if is_file else dict(vars(importlib.import_module(path)))
        except (Exception, SystemExit) as error:
            if not is_file and isinstance(error, ModuleNotFoundError) and error.name == path:
                raise UsageError(f"there is no module {path}; a file is written with its ending: {path}.py") from None
            hint = "; write it as a module, such as package.module:loss" if "relative import" in str(error) else ""
            said = f"{type(error).__name__}: {error}{_line(error)}{hint}"
            raise UsageError(f"{path} fails when it is imported: {said}") from None
        finally:
            del sys.path[0]
            sys.argv = command
    try:
        first, *attributes = name.split(".")
        return functools.reduce(getattr, attributes, scopes[path][first]), scopes[path]
    except (KeyError, AttributeError):
        names = [k for k, v in scopes[path].items() if callable(v) and not k.startswith("_")]
        near = ", ".join(difflib.get_close_matches(name, names, 8, 0.0)) or "none"
        raise UsageError(f"there is no {name} in {path}; its functions: {near}") from None


def _line(error: BaseException) -> str:
    """The last line of the user's that an error came through."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if os.path.isfile(f.filename)]
    own = [f for f in frames if not f.filename.startswith((sys.prefix, sys.base_prefix, _PACKAGE))]
    return f", in line {own[-1].lineno} of {own[-1].filename}" if own else ""


def _arguments(loss: Any, scope: dict[str, Any], options: argparse.Namespace) -> list[Any]:
    given = {name: numbers for text in options.at for name, numbers in _numbers(text).items()}
    defaults = {p.name: p.default for p in inspect.signature(loss).parameters.values() if p.kind in (0, 1)}
    if odd := [name for name in given if name not in defaults]:
        raise UsageError(f"--at names {odd[0]!r}, but the arguments of the loss are {', '.join(defaults)}")
    values = {name: given.get(name, scope.get(name, default)) for name, default in defaults.items()}
    if missing := [name for name, value in values.items() if value is inspect.Parameter.empty]:
        raise UsageError(f"the loss needs a value for {missing[0]}: --at {missing[0]}=0.5, or a variable in its file")
    return list(values.values())


def _numbers(text: str) -> dict[str, Any]:
    """The names and numbers in name=numbers: a number, a list such as [[1,2],[3,4]] or 1,2,3, or as in `explain`."""
    name, _, value = text.partition("=")
    for written in (value, f"[{value}]") if name and value else ():
        try:
            numbers = json.loads(written)
            if numbers is not None:
                return {name.strip(): numbers if isinstance(numbers, bool) else np.array(numbers, np.float64)[()]}
        except (ValueError, TypeError):  # no JSON, no numbers, or rows of several lengths
            continue
    with contextlib.suppress(UsageError):
        return {name: x.array[()] for name, x in values(text).items()}
    raise UsageError(f"argument --at: expected name=numbers, such as W=0.5 or x=[1,2,3], but got {text!r}")


def _show(text: str, colour: int) -> None:
    head, line, rest = text.partition("\n")
    coloured = colour and sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    print(f"\033[1;{colour}m{head}\033[0m{line}{rest}" if coloured else text)
