"""The command `tinygrad-poly fit`: does and reports what the options and a saved run ask for."""

import argparse
import json
import sys
import textwrap
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from tinygrad_poly import _files as files
from tinygrad_poly.cli.explain import write
from tinygrad_poly.cli.options import COUNT, DONE, FAILED, INTERRUPTED, RATE, SEED, WEIGHTS, UsageError, number_type
from tinygrad_poly.engine.errors import DataError, DivergenceError
from tinygrad_poly.fitting import formatting, progress, saved
from tinygrad_poly.fitting.descent import fit, program, resume
from tinygrad_poly.fitting.formatting import names, polynomial, text
from tinygrad_poly.fitting.optimizers import OPTIMIZERS, default_lr
from tinygrad_poly.fitting.picture import check_picture
from tinygrad_poly.fitting.problems import PROBLEMS, READING, Problem, Task
from tinygrad_poly.fitting.progress import highlighted
from tinygrad_poly.fitting.quadratic import as_quadratic
from tinygrad_poly.fitting.result import FitResult
from tinygrad_poly.fitting.verdict import rounded_down
from tinygrad_poly.tensor import Tensor

PROBLEM: dict[str, Any] = {"points": None, "degree": None, "data": None, "dtype": "float64", "seed": 0, "start": None}
"""The settings that say what is fitted, with their defaults: a resumed run has the same."""

DESCENT: dict[str, Any] = {"steps": None, "lr": None, "optimizer": "sgd", "log_every": 100}
"""The settings that say how."""

TOO_EXTREME = "no learning rate can be computed, the numbers of these points are too extreme: give --lr"

CHANGEABLE = ("data", "steps", "lr")
"""What may differ in a resumed run; of the data only the file, not the points in it."""


DEGREE = number_type(
    int, lambda n: 0 <= n <= formatting.HIGHEST_DEGREE, f"a whole number from 0 to {formatting.HIGHEST_DEGREE}"
)


def add(commands: Any) -> None:
    """Add the command with its options, for each curve."""
    parser = commands.add_parser("fit", help="fit a curve", description="Fit a curve by gradient descent.")
    kinds = parser.add_subparsers(required=True, title="curves", metavar=" | ".join(PROBLEMS), dest="curve")
    for name, problem in PROBLEMS.items():
        _add_curve(kinds, name, problem)


def _add_curve(kinds: Any, name: str, problem: Problem) -> None:
    """Add the options of `fit name`. Defaults are filled in later, to know which options were given."""
    defaults = problem.defaults
    parser = kinds.add_parser(name, help=problem.help, description=f"Fit {problem.help}.")
    parser.set_defaults(run=_run)
    add = parser.add_argument
    if "points" in defaults:
        add("--points", type=COUNT, metavar="N", help=f"how many points (default: {defaults['points']})")
    if name != "sin":
        add("--data", metavar="FILE", help="a text file with columns of numbers, or - for the standard input")
        add("--x", metavar="NAME", help="the column of x, by name or number (default: the first of two)")
        add("--y", metavar="NAME", help="the column of y")
        add("--encoding", metavar="NAME", help="of the file, such as cp949 (default: UTF-8, or marked UTF-16)")
        add("--decimal", choices=(".", ","), help="the decimal mark, where it cannot be told from the numbers")
    if name == "poly":
        add("--degree", type=DEGREE, metavar="N", help=f"of the polynomial (default: {defaults['degree']})")
    add("--steps", type=COUNT, metavar="N", help=f"how many steps in all (default: {defaults['steps']})")
    rate = "half the largest that is stable" if defaults["lr"] is None else defaults["lr"]
    add("--lr", type=RATE, metavar="RATE", help=f"the learning rate (default: {rate} for sgd)")
    add("--dtype", choices=("float32", "float64"), help="the precision (default: float64)")
    add("--seed", type=SEED, metavar="N", help="of the random weights to start from (default: 0)")
    add("--start", type=WEIGHTS, metavar="A,B,...", help="the weights to start from, instead of random ones")
    add("--device", metavar="NAME", default="cpu", help="cpu, cuda or cuda:0: where to compute (default: cpu)")
    add("--optimizer", choices=sorted(OPTIMIZERS), help="(default: sgd)")
    add("--log-every", type=COUNT, metavar="N", help="steps from one printed loss to the next (default: 100)")
    add("--output", metavar="FILE", default=f"fit-{name}.png", help="the picture, or none (default: %(default)s)")
    add("--no-picture", action="store_const", const="none", dest="output", help="draw none")
    add("--save", metavar="FILE", help="save the run as .json, so that it can be resumed")
    add("--resume", metavar="FILE", help="go on with a saved run, up to --steps steps in all")
    add("--compile", action="store_true", help="run the steps as one compiled program, many times faster")
    add("--hoist", choices=("algebra",), help="sum over the points once, and take the steps from the sums")
    add("--show-program", action="store_true", help="print that program: forward, backward and update in one loop")
    add("--target", choices=("python", "js"), default="python", help="its language (default: python)")
    add("--explain", metavar="FILE", help="explain one step: print it, and write a page to look at it")
    add("--json", action="store_true", help="print the result as JSON, and nothing else")
    add("--quiet", action="store_true", help="print the result only, and on standard error if it has not converged")


def _run(options: argparse.Namespace) -> int:
    result = run(options)
    if result.interrupted:
        return INTERRUPTED
    # Descent does what it was asked to, however far that leads; without such options, the optimum was asked for.
    return FAILED if result.verdict.diverges or (result.solution and not result.verdict.converged) else DONE


@dataclass(frozen=True)
class Plan:
    """A fit that is to be done."""

    problem: Problem
    settings: dict[str, Any]
    task: Task
    before: saved.Run | None
    """The saved run that is resumed."""
    origin: str
    """Where the weights come from."""


def run(options: argparse.Namespace) -> FitResult:
    """Fit, print, draw and save what the options ask for.

    Raises:
        UsageError: for options that contradict each other.
        DataError: for data that cannot be read or fitted, and files that cannot be written.
        DivergenceError: where the loss is no longer a finite number.
    """
    notes: list[str] = []
    say: Callable[[object], None] = (lambda _: None) if options.quiet or options.json else progress.say
    plan = _new(options, notes.append) if options.resume is None else _resumed(options, notes.append)
    _check_outputs(options)
    settings, task = plan.settings, plan.task
    about = plan.problem.about_data(settings)
    where = "" if options.device == "cpu" else f" on {task.x.device}"
    say(f"Fitting {text(names(settings['degree']))} to {about}: {task.error_name}{where}")
    for note in notes:
        say(note)
    if options.explain:
        from tinygrad_poly import explain

        weights = {name: w.detach().requires_grad_() for name, w in task.start.items()}
        explained = explain.steps(task.loss, weights, task.x, task.y)
        say(explained)
        write(options.explain, explained.to_html(f"One step of {about}"))
    if _at_once(plan, options):
        result = _solved(task)
        say(f"{result.how}, {settings['dtype']}")
    else:
        rate = ""
        if settings["lr"] is None:
            settings["lr"], rate = _rate(task, settings["optimizer"])
        steps = f"{settings['steps']} steps of {settings['optimizer']} from {plan.origin}"
        say(f"{steps}, learning rate {settings['lr']}{rate}, {settings['dtype']}")
        if options.show_program:
            wanted = {name: settings[name] for name in ("lr", "optimizer")}
            wanted |= {"hoist": options.hoist, "target": options.target}
            source = program(task.loss, task.start, task.x, task.y, **wanted)
            highlighted(source, options.target)
        result = _descend(plan, options)
    _report(result, options, say, {"curve": options.curve, "data": settings["data"], "notes": notes})
    if options.save is not None:
        fitted = {name: settings[name] for name in PROBLEM}
        result.save(options.save, problem={"curve": options.curve, **fitted, "fingerprint": task.fingerprint})
        say(f"Saved: {options.save}")
    if options.output != "none":
        _draw(result, options.output, say)
    return result


def _at_once(plan: Plan, options: argparse.Namespace) -> bool:
    """True if the optimum is asked for: the points are the user's, and no option says how to descend."""
    how = ("steps", "lr", "optimizer", "resume", "compile", "hoist", "show_program")
    return plan.settings["data"] is not None and not any(getattr(options, name) for name in how)


def _solved(task: Task) -> FitResult:
    try:
        result: FitResult = fit(task.loss, task.start, task.x, task.y, progress=progress.nothing)
    except DivergenceError:
        raise UsageError(TOO_EXTREME) from None
    if result.solution is None and not result.interrupted:
        raise UsageError(TOO_EXTREME)
    return result


def _report(
    result: FitResult, options: argparse.Namespace, say: Callable[[object], None], about: dict[str, Any]
) -> None:
    """Print the result: for programs, for people, or in a line."""
    formula, verdict = text(_numbers(result.params.values())), result.verdict
    if options.json:
        print(json.dumps(about | {"polynomial": formula, "how": result.how} | result.summary(), indent=1))
        return
    progress.say(textwrap.fill(f"Result: {formula}", 99, subsequent_indent="    "))
    if result.interrupted:
        say(f"Interrupted after {result.step} of {result.run.steps} steps.")
    if not options.quiet:
        progress.conclude(verdict)
        say(textwrap.indent(result.table(), "  "))
        if verdict.converged and result.statistics and result.statistics.r_squared is not None:
            say(f"  R² = {result.statistics.r_squared:.10g}")
    elif not verdict.converged:
        print(f"tinygrad-poly: {formatting.printable(verdict.headline, sys.stderr.encoding)}", file=sys.stderr)


def _numbers(weights: Iterable[Tensor]) -> list[float]:
    return [weight.item() for weight in weights]


def given(options: argparse.Namespace, allowed: Iterable[str]) -> dict[str, Any]:
    """The options that were given, among those that are allowed."""
    return {name: value for name in allowed if (value := getattr(options, name, None)) is not None}


def _new(options: argparse.Namespace, note: Callable[[str], None]) -> Plan:
    """A plan from the options, with defaults for the rest."""
    problem = PROBLEMS[options.curve]
    asked = given(options, PROBLEM | DESCENT)
    # Defaults of the tutorials' points and of plain descent say nothing about others.
    rate = {} if asked.keys().isdisjoint({"data", "optimizer"}) or asked.get("optimizer") == "sgd" else {"lr": None}
    settings = PROBLEM | DESCENT | problem.defaults | rate | asked | _reading(options, note)
    if "points" not in problem.defaults and settings["data"] is None:
        raise UsageError("--data is missing: a text file with columns of numbers, x and y")
    origin = "the given weights" if settings["start"] else f"random weights (seed {settings['seed']})"
    return Plan(problem, settings, problem.set_up(settings), None, origin)


def _reading(options: argparse.Namespace, note: Callable[[str], None]) -> dict[str, Any]:
    return {"device": options.device, "say": note} | given(options, READING)


def _resumed(options: argparse.Namespace, note: Callable[[str], None]) -> Plan:
    """A plan from a saved run, with the changes that the options ask for."""
    problem, path = PROBLEMS[options.curve], options.resume
    before = saved.load(path)
    if before.problem.get("curve") != options.curve or not PROBLEM.keys() <= before.problem.keys():
        raise DataError(f"{path} was not saved by `tinygrad-poly fit {options.curve}`")
    was = before.problem | {name: getattr(before, name) for name in DESCENT}
    asked = given(options, PROBLEM | DESCENT)
    for name, value in asked.items():
        if name not in CHANGEABLE and value != was[name]:
            raise UsageError(f"--{name.replace('_', '-')} cannot change in a resumed run: it was {was[name]}")
    settings = was | asked | _reading(options, note)
    if settings["steps"] <= before.step:
        raise UsageError(f"{path} has taken {before.step} steps already: give a larger number of --steps in all")
    try:
        task = problem.set_up(settings)
    except DataError:
        raise
    except (ArithmeticError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path} is damaged: its problem cannot be set up ({error})") from None
    same_weights = {name: w.shape for name, w in before.params.items()} == {n: w.shape for n, w in task.start.items()}
    if not same_weights:
        raise DataError(f"{path} is damaged: its weights are not those of its problem")
    if task.fingerprint != before.problem.get("fingerprint"):
        raise DataError(f"{settings['data']} does not hold the points that {path} was fitted to")
    return Plan(problem, settings, task, before, f"step {before.step} of {path}")


def _check_outputs(options: argparse.Namespace) -> None:
    """Check before the fit that its output files can be written after it."""
    if options.output != "none":
        check_picture(options.output)
    if options.save is not None:
        if not options.save.endswith(".json"):
            raise UsageError(f"--save {options.save}: the name of a saved run has to end in .json")
        files.check_writable(options.save)
    if options.explain:
        files.check_writable(options.explain)


def _rate(task: Task, optimizer: str) -> tuple[float, str]:
    """A learning rate, and how it was chosen."""
    if optimizer != "sgd":
        return default_lr(OPTIMIZERS[optimizer]), f", the default of {optimizer}"
    quadratic = as_quadratic(task.loss, task.start, task.x, task.y)
    if quadratic is None:
        raise UsageError(TOO_EXTREME)
    return rounded_down(quadratic.largest_stable_lr / 2), ", half the largest that is stable"


def _descend(plan: Plan, options: argparse.Namespace) -> FitResult:
    task, how = plan.task, {name: plan.settings[name] for name in DESCENT}
    completed = plan.before.step if plan.before else 0
    compiling: dict[str, Any] = {"compile": options.compile or options.hoist is not None, "hoist": options.hoist}
    with nullcontext(progress.nothing) if options.quiet else progress.shown(completed, how["steps"]) as report:
        if plan.before is None:
            return fit(task.loss, task.start, task.x, task.y, **how, progress=report, **compiling)
        return resume(plan.before, task.loss, task.x, task.y, how["steps"], how["lr"], progress=report, **compiling)


def _draw(result: FitResult, path: str, say: Callable[..., None]) -> None:
    numbers = _numbers(result.params.values())
    title = f"A polynomial of degree {len(numbers) - 1}" if len(numbers) > 6 else text(numbers, digits=3)
    try:
        result.plot(path, polynomial, title)
        say(f"Picture: {path}")
    except ImportError as error:
        print(f"tinygrad-poly: no picture: {error}", file=sys.stderr)
