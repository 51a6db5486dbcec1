"""The gradient doctor: `check_gradients` and `assert_gradients_close`, from a loss and a gradient to a report."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_poly.checking import custom
from tinygrad_poly.checking.arguments import Arrays
from tinygrad_poly.checking.diagnosis import Diagnosis, diagnose
from tinygrad_poly.checking.oracles import ORACLES, Truth, at_a_glance, by_torch, true_gradients
from tinygrad_poly.checking.patient import NoOracleError, Patient
from tinygrad_poly.checking.report import GradientReport
from tinygrad_poly.checking.rounding import compared
from tinygrad_poly.checking.verdict import Finding, floats, largest, negative_control
from tinygrad_poly.engine.errors import DtypeError

_OPEN = ("empty", "kink", "noise")
"""Reasons for which another point may say more."""


def check_gradients(
    loss: Any, manual_gradient: Any, *args: Any, wrt: Any = None, seed: int = 0, oracle: str = "auto",
    cotangent: Any = None, time_budget: float = 1.0,
) -> GradientReport:  # fmt: skip
    """A report on whether `manual_gradient` is the gradient of `loss` at `args`, and if not, how it is wrong.

    Args:
        loss: a function of NumPy arrays, of this engine's tensors or of torch's, with a number or an array as result.
            Or an operation: an `autograd.Function` of the engine's or torch's, or a row of the derivative table.
        manual_gradient: a function of the same arguments; it takes the cotangent too where a parameter has one of the
            names in `COTANGENTS` (`g`, `v`, `dout`, `grad_output` …), or one parameter more than the loss. Without, for
            an array as result, it returns the Jacobian, or the derivative of each element. Or the gradient itself: an
            array, a number, a dict by argument name, a tuple or list for several arguments. Or an `autograd.Function`,
            whose `backward` is meant; or None, for what the loss, an operation, says of itself. Then second derivatives
            and float32 are checked too.
        args: numbers, lists, arrays, columns, tensors, and containers of them.
        wrt: the names or positions of the arguments to differentiate by. By default a dict's keys say so, a tuple is
            of the first arguments with floats, and anything else of the first.
        seed: of all that is random.
        oracle: "auto" takes the first that can: "exact", "high precision", "tape", "finite differences".
        cotangent: of an array as result; random by default.
        time_budget: in seconds, for the check, and as much again to find out what is wrong. What it leaves no time for
            is left out, and the report says so. At the least, a loss is called eight times by the tape, and about
            twenty times by finite differences.

    Raises:
        DtypeError: for a loss or a gradient that is no number.
        StructureError: for a gradient with other parts than the arguments, and names that are no arguments.
        ShapeError: for a cotangent of another shape than the result.

    >>> import numpy as np
    >>> x = y = np.array([1.0, 2.0, 3.0])
    >>> cost = lambda W, x, y: np.mean((W * x - y) ** 2)
    >>> report = check_gradients(cost, lambda W, x, y: np.sum((W * x - y) * x), 0.5, x, y)
    >>> report.verdict, report.oracle, report.diagnosis[0].numbers["ratio"]
    ('fail', 'exact', 'm/2')
    """
    started = time.perf_counter()
    if oracle not in ("auto", *ORACLES):
        raise ValueError(f"oracle must be auto, {', '.join(ORACLES)}; not {oracle!r}")
    function, own = custom.as_function(loss), custom.as_function(manual_gradient)
    loss = loss if function is None else function
    if not callable(loss):
        raise DtypeError(f"the loss must be a function of the arguments, not {type(loss).__name__}")
    claims_itself = manual_gradient is None or own is not None
    operation = own or loss
    claim = custom.own_gradient(operation) if claims_itself else manual_gradient
    # What an operation says of itself cannot be its own witness.
    alone: Any = [*ORACLES][-1:] if function or manual_gradient is None else ORACLES
    names = alone if oracle == "auto" else (oracle,)
    library = custom.library(operation, args) if function or claims_itself else ""
    with np.errstate(all="ignore"):
        patient = Patient(loss, claim, args, wrt, seed, cotangent, time_budget, library if function else "", library)
        report = examine(patient, names)
        if claims_itself and report.verdict != "fail" and patient.claim_library != "numpy":
            _further(patient, report, operation)
    report.seconds = time.perf_counter() - started
    return report


class GradientMismatchError(AssertionError):
    """A gradient that is wrong, or of which nothing is certain; the message is the report.

    Attributes:
        report: the report.
    """

    def __init__(self, report: GradientReport) -> None:
        super().__init__(str(report))
        self.report = report


def assert_gradients_close(
    loss: Any, manual_gradient: Any, *args: Any, inconclusive: str = "error", **options: Any
) -> None:
    """Raise an AssertionError, whose message is the report, unless the gradient is right.

    Args:
        loss: as for `check_gradients`, like all other arguments.
        manual_gradient: the gradient.
        args: the arguments.
        inconclusive: "error", or "pass" to let pass what cannot be decided.
        options: of `check_gradients`.

    >>> assert_gradients_close(lambda x: x**3, lambda x: 3 * x**2, 2.0)
    """
    __tracebackhide__ = True
    if inconclusive not in ("error", "pass"):
        raise ValueError(f'inconclusive must be "error" or "pass", not {inconclusive!r}')
    report = check_gradients(loss, manual_gradient, *args, **options)
    if report.verdict == "fail" or (report.verdict == "inconclusive" and inconclusive == "error"):
        raise GradientMismatchError(report)


def examine(patient: Patient, names: Sequence[str]) -> GradientReport:
    """The report on a patient."""
    report = GradientReport("inconclusive", [], "none", reason=patient.reason)
    if patient.reason:
        return report
    arrays = patient.arguments.values()
    try:
        truth = true_gradients(patient, arrays, names, patient.claimed)
    except NoOracleError as error:
        report.reason = str(error)
        return report
    report.oracle, report.notes, patient.deadline = truth.oracle, truth.notes, patient.end
    if truth.numbers is None and not np.isfinite(patient.result).all():
        known = all(np.isfinite(D).any() for D in map(floats, truth.gradients) if D.size)
        if not known or np.isnan(patient.terms(arrays, patient.dtype)).any():
            report.reason = "the loss is not finite at these arguments: check at others"
            return report
    calls = [patient.claimed, *patient.again()]
    changing = not all(np.array_equal(a, b, equal_nan=True) for a, b in zip(*calls[:2]))
    if changing:
        report.reason = "the gradient is random, or keeps something from call to call: two calls differ"
    elif patient.writes:
        report.reason = "the gradient changes its arguments: let it write into copies"
    report.findings = truth.findings or compared(patient, arrays, patient.claimed, truth)
    for k, finding in enumerate(report.findings):
        if finding.verdict == "pass" and not negative_control(finding):
            finding.verdict, finding.reason = "inconclusive", "noise"
        if changing and (code := _changing(finding, *(answers[k] for answers in calls))):
            finding.verdict, finding.reason = "fail", ""
            report.diagnosis.append(Diagnosis(code, finding.name))
    for _ in range(3 if any(f.reason == "kink" for f in report.findings) else 1):  # to both sides of a kink
        if not report.reason and all(f.verdict == "pass" or f.reason in _OPEN for f in report.findings):
            _elsewhere(patient, report, truth.oracle)
    _explain(patient, report, arrays, truth)
    report.conclude()
    return report


def _changing(finding: Finding, g: Any, g2: Any, g3: Any) -> str:
    """The diagnosis of a gradient that changes from call to call; empty where there is none.

    A first answer that is wrong, before others that are right, was about the call before. What grows by the same each
    time is added up.
    """
    if np.shape(g) != np.shape(g2):
        return ""
    true = floats(finding.true)
    few = 64 * np.finfo(g.dtype if g.dtype.kind == "f" else float).eps * (np.abs(g) + np.abs(g3))
    if g.shape == true.shape and np.isfinite(true).all():
        room = np.maximum(few + np.nan_to_num(floats(finding.allowed)), 1e-6 * np.abs(true))
        if [bool((np.abs(x - true) <= room).all()) for x in (g, g2, g3)] == [False, True, True]:
            return "stale"
    steady = (np.abs(g3 - 2 * g2 + g) <= few).all() and (np.abs(g2 - g) > 16 * few).any()
    return "accumulated" if steady else ""


def _elsewhere(patient: Patient, report: GradientReport, oracle: str) -> None:
    """Look at a second point: for a gradient that is kept from an earlier call, and for one that is 0 at the first."""
    zero = [not floats(f.true).any() and f.reason != "empty" for f in report.findings]
    late = patient.late
    names = ["tape", oracle] if late or not any(zero) or oracle == "finite differences" else [oracle]
    far = any(f.reason == "noise" for f in report.findings)  # where numbers are of about 1 there is less of it
    moved: Arrays = patient.moved(far, far)
    found: list[Finding] = []
    true: list[Any] = []
    try:
        if late and not (any(zero) and patient.seconds < 0.01 * patient.time_budget):  # the tape takes a few calls
            raise NoOracleError("the time is spent")
        claimed = patient.answer(moved) if callable(patient.claim) else []
        if claimed and not any(zero) and at_a_glance(patient, moved, claimed):
            return
        truth = true_gradients(patient, moved, names, claimed)
        true = [floats(D) for D in truth.gradients or claimed]  # which lines have confirmed
        if truth.oracle == "tape":
            true = [np.where(np.abs(D) > E, D, 0.0) for D, E in zip(true, truth.errors)]
        if claimed and not late:
            found = truth.findings or compared(patient, moved, claimed, truth)
    except Exception as error:  # another point may lie where the functions are not defined
        kind = "" if isinstance(error, NoOracleError) else f"{type(error).__name__}: "
        report.notes.append(f"a second point could not be looked at ({kind}{error})")
    for k, finding in enumerate(report.findings):
        if found and found[k].verdict == "fail" and (found[k].along or np.isfinite(true[k]).all()):
            found[k].notes.append("right at the arguments given, and wrong at others near them")
            report.findings[k] = found[k]
        elif zero[k] and (not true or (not found and true[k].any())):
            finding.verdict, finding.reason = "inconclusive", "zero"
        elif zero[k] and not true[k].any():
            finding.notes.append("the true gradient is 0 here and at a second point: only what is added would be seen")


def _explain(patient: Patient, report: GradientReport, arrays: Arrays, truth: Truth) -> None:
    """Find out what is wrong, with as much time again, and ask torch for its gradient."""
    patient.diagnosing = True
    patient.begin()
    for k, (finding, g) in enumerate(zip(report.findings, patient.claimed)):
        if finding.verdict == "fail" and not report.reason:
            report.diagnosis.append(diagnose(patient, k, truth.oracle, true_gradients))
        if finding.verdict != "pass" and g.dtype.kind in "iu":
            finding.notes.append(f"the gradient is of whole numbers ({g.dtype}): compute it in floats")
    if patient.late:
        report.notes.append("the time ended the diagnosis: with a larger time_budget it may say more")
    witness = by_torch(patient, arrays) if not truth.findings else None
    for finding, D in zip(report.findings, witness or ()):
        true, known = floats(finding.true), np.isfinite(floats(finding.true))
        agree = np.allclose(true[known], D[known], 1e-4, 1e-6 * largest(D))
        finding.notes.append(f"torch.autograd {'agrees with' if agree else 'DIFFERS from'} the true gradient")


def _further(patient: Patient, report: GradientReport, operation: Callable[..., Any]) -> None:
    """Check what an operation says of its second derivative, and its gradients in float32."""
    a, arrays = patient.arguments, patient.point({})
    directions = [patient.random.standard_normal(x.shape) for x in arrays.values()]
    second = custom.directional(operation, patient.cotangent, directions)
    wrt = patient.wrt and [a.position(name) for name in a.chosen]
    options: Any = (wrt, patient.seed, None, patient.time_budget, patient.claim_library)
    for what, function, dtype in (("second derivative", second, None), ("float32", operation, np.float32)):
        try:
            args = a.build(patient.claim_library, arrays, dtype)
            asked = Patient(function, custom.own_gradient(function), args, *options)
            asked.arguments.paths = a.paths
            found = examine(asked, ["finite differences"])
        except Exception as error:  # a backward pass that cannot be differentiated
            report.notes.append(f"{what}: not checked ({type(error).__name__}: {error})")
            continue
        for finding in found.findings:
            finding.name += f" ({what})"
        for diagnosis in found.diagnosis:
            diagnosis.argument += f" ({what})"
        report.findings += found.findings
        report.diagnosis += found.diagnosis
    report.conclude()
