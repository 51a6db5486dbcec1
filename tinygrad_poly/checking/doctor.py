"""The gradient doctor: `check_gradients` and `assert_gradients_close`, from a loss and a gradient to a report."""

from __future__ import annotations

import inspect
import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_poly.checking.arguments import (
    Arguments,
    Arrays,
    as_array,
    floating,
    gradients_as_arrays,
    library_of,
    made_by,
    numeric,
)
from tinygrad_poly.checking.diagnosis import Diagnosis, diagnose
from tinygrad_poly.checking.differences import scales
from tinygrad_poly.checking.oracles import (
    ORDER,
    WIDE,
    Function,
    NoOracleError,
    Truth,
    along_direction,
    by_differences,
    by_tape,
    exactly,
    scalar_run,
    slope_of,
)
from tinygrad_poly.checking.report import GradientReport
from tinygrad_poly.checking.scalars import Field, NotRationalError, Scalar
from tinygrad_poly.checking.verdict import FAIL_FROM, Finding, difference, floats, judge, negative_control
from tinygrad_poly.engine.errors import DtypeError, ShapeError, StructureError
from tinygrad_poly.func.containers import Structure, flatten

COTANGENTS = ("cotangent", "cotangents", "g", "v", "upstream", "grad_output", "grad_outputs", "dout", "dy", "dz")
"""The names by which a gradient function may ask for the cotangent of an array."""
_DIGITS = 50


class Patient:
    """A loss and a claimed gradient at the user's arguments: what the doctor asks, wherever it likes."""

    def __init__(
        self,
        loss: Callable[..., Any],
        claim: Any,
        args: Sequence[Any],
        wrt: Any = None,
        seed: int = 0,
        oracle: str = "auto",
        cotangent: Any = None,
        time_budget: float = 1.0,
    ) -> None:
        if oracle not in ("auto", *ORDER):
            raise ValueError(f"oracle must be auto, {', '.join(ORDER)}; not {oracle!r}")
        if not callable(loss):
            raise DtypeError(f"the loss must be a function of the arguments, not {type(loss).__name__}")
        self.loss, self.claim, self.wrt, self.seed, self.oracle = loss, claim, wrt, seed, oracle
        self.time_budget, self.deadline = time_budget, time.perf_counter() + time_budget
        self.notes: list[str] = []
        self.reason = ""
        self.arguments = Arguments(loss, args)
        self.random = np.random.default_rng(seed)
        self.library, result = self._first_call()
        self.result_shape = result.shape
        if cotangent is None:
            v = np.round(self.random.standard_normal(result.shape) * 64 + 0.5) / 64 if result.shape else np.ones(())
        else:
            v = np.asarray(as_array(cotangent), np.float64)
            if v.shape != result.shape:
                raise ShapeError(f"the cotangent has shape {v.shape}, but the function's result has {result.shape}")
        self.cotangent = v
        self.function = Function(loss, self.arguments, self.library, v)
        self.passes_cotangent = self._cotangent_parameter()
        self.claim_library = self.library
        self.claimed = self._first_answer()

    # The loss

    def _first_call(self) -> tuple[str, Any]:
        given = {library_of(leaf) for leaf in self.arguments.given}
        tries = ["torch"] if "torch" in given else ["tensor"] if "tensor" in given else ["numpy", "tensor"]
        for library in tries:
            args = self.arguments.build(library, {})
            before = [np.array(as_array(x), copy=True) for x in args if numeric(as_array(x))]
            try:
                with np.errstate(all="ignore"):
                    result = self.loss(*args)
            except Exception as error:
                if library == tries[-1]:
                    error.add_note("the loss raised this when it was called with the arguments of the check")
                    raise
                continue
            after = [as_array(x) for x in args if numeric(as_array(x))]
            if not all(np.array_equal(a, b, equal_nan=True) for a, b in zip(before, after)):
                self.reason = "the loss changes its arguments: copy them in it before writing into them"
            break
        array = as_array(result)
        if isinstance(result, (list, tuple)) or not isinstance(array, np.ndarray):
            raise StructureError(
                f"the loss must return a number or an array, not {type(result).__name__}"
                + (": is a return missing?" if result is None else "")
            )
        if not floating(array):
            raise DtypeError(f"the loss returned {array.dtype}, which has no derivative: it must compute with floats")
        found = library_of(result)
        with np.errstate(all="ignore"):
            again = as_array(self.loss(*self.arguments.build(library, {})))
        if not np.array_equal(array, again, equal_nan=True):
            self.reason = (
                "the loss is random: two calls with the same arguments differ; seed it inside, or fix the noise"
            )
        if not np.isfinite(array).all():
            self.reason = self.reason or "the loss is not finite at these arguments: check at others"
        self.result = array
        return (found if found != "numpy" else library), array

    # The claimed gradient

    def _cotangent_parameter(self) -> str | int | None:
        """The way the gradient function takes the cotangent: by a name, as its last argument (1), or not at all."""
        if not callable(self.claim):
            return None
        try:
            parameters = list(inspect.signature(self.claim).parameters.values())
        except (TypeError, ValueError):
            return None
        extra = [p for p in parameters if p.name not in self.arguments.names]
        for p in extra:
            if p.name in COTANGENTS:
                return p.name
        required = [p for p in parameters if p.kind in (0, 1) and p.default is p.empty]
        return 1 if len(required) == len(self.arguments.names) + 1 else None

    def _call_claim(self, library: str, arrays: Arrays, dtype: Any = None) -> Any:
        if not callable(self.claim):
            return self.claim
        args = self.arguments.build(library, arrays, dtype)
        keywords = {}
        if self.passes_cotangent is not None:
            v = made_by(library, self.cotangent.astype(dtype or np.float64), False)
            if isinstance(self.passes_cotangent, str):
                keywords[self.passes_cotangent] = v
            else:
                args.append(v)
        with np.errstate(all="ignore"):
            return self.claim(*args, **keywords)

    def _first_answer(self) -> list[Any]:
        tries = dict.fromkeys((self.library, "numpy", "tensor") if callable(self.claim) else ("numpy",))
        for k, library in enumerate(tries):
            try:
                answer = self._call_claim(library, {})
                break
            except Exception as error:
                if not k:
                    first = error
                if k == len(tries) - 1:
                    first.add_note("the gradient raised this when it was called with the arguments of the check")
                    raise first from None
        self.claim_library = library
        self._choose(answer)
        return self._matched(answer)

    def _choose(self, answer: Any) -> None:
        """Decide which arguments the gradient is of: those that `wrt` names, or else those that its form suggests."""
        a, raw = self.arguments, answer
        answer = gradients_as_arrays(answer)
        if self.wrt is not None:
            single = not isinstance(self.wrt, (tuple, list))
            return a.choose([a.position(name) for name in ([self.wrt] if single else self.wrt)], single)
        floats = a.floats()
        if not floats and a.parts and a.parts[0] and all(numeric(a.leaves[i]) for i in a.parts[0]):
            floats = [0]
        if not floats:
            raise DtypeError("no argument holds floats, so there is nothing to differentiate by")
        first = floats[0]
        if isinstance(answer, dict) and a.structures[first] != flatten(answer)[1]:
            if unknown := [name for name in answer if name not in a.names]:
                raise StructureError(
                    f"the gradient has an entry {unknown[0]!r}, but the arguments are {', '.join(a.names)}"
                )
            return a.choose([k for k, name in enumerate(a.names) if name in answer], False)
        if isinstance(answer, (tuple, list)) and a.structures[first] != flatten(answer)[1]:
            if len(answer) > len(floats):
                raise StructureError(
                    f"the gradient has {len(answer)} parts, but only {len(floats)} arguments hold floats: name them "
                    "with wrt="
                )
            return a.choose(floats[: len(answer)], False)
        several = len(floats) > 1 and np.shape(answer) == (len(floats),) and np.shape(a.leaves[a.parts[first][0]]) == ()
        if several and isinstance(raw, list):
            return a.choose(floats, False)
        return a.choose([first], True)

    def _matched(self, answer: Any) -> list[Any]:
        """The arrays in an answer, one for each active leaf."""
        a = self.arguments
        answer = gradients_as_arrays(answer)
        structure: Structure = a.structure
        several = structure.kind is tuple
        if isinstance(answer, dict) and several:
            names = [a.names[k] for k, part in enumerate(a.parts) if set(part) & set(a.active)]
            if set(answer) != set(names):
                odd = ", ".join(sorted(map(repr, set(answer) ^ set(names))))
                raise StructureError(f"the gradient must have the entries {', '.join(names)}: look at {odd}")
            answer = tuple(answer[name] for name in names)
        elif isinstance(answer, dict) and structure.kind is None and len(answer) == 1:
            (answer,) = answer.values()
        elif several and isinstance(answer, (list, np.ndarray)) and len(answer) == len(structure.parts):
            answer = tuple(answer)
        elif isinstance(answer, (tuple, list)) and structure.kind is None and len(answer) == 1:
            answer = answer[0]
        if several and not isinstance(answer, tuple):
            answer = (answer,)
        leaves = structure.leaves(answer, "the argument and its gradient")
        found = []
        for i, g in zip(a.active, leaves):
            if isinstance(g, (Scalar, int)):
                g = np.array(g, dtype=object if isinstance(g, Scalar) else None)
            if g is None:
                g = np.zeros(a.leaves[i].shape)
            if not isinstance(g, np.ndarray) or g.dtype.kind not in "fiuO":
                raise DtypeError(f"the gradient of {a.paths[i]} must be numbers, not {type(g).__name__}")
            shape = a.leaves[i].shape
            if self.result_shape and self.passes_cotangent is None and g.shape == self.result_shape + shape:
                g = np.tensordot(self.cotangent, g, len(self.result_shape))  # the claim is a Jacobian
            if g.shape != shape and g.size == 1 and not shape:
                g = g.reshape(shape)
            found.append(g)
        return found

    def answer(self, arrays: Arrays, dtype: Any = None) -> list[Any]:
        """The claimed gradient at these arrays."""
        return self._matched(self._call_claim(self.claim_library, arrays, dtype))

    def moved(self) -> Arrays:
        """The active leaves at another point near by: of the same signs and sizes."""
        draw = self.random.uniform
        return {
            i: np.asarray(x * (1 + 0.2 * draw(-1, 1, x.shape)) + (x == 0) * scales(x) * draw(-1, 1, x.shape), x.dtype)
            for i, x in self.arguments.values().items()
        }

    # The comparison

    def truth(self, arrays: Arrays, names: Sequence[str] | None = None) -> Truth:
        """The true gradients by the best oracle there is."""
        notes = []
        for name in names or (ORDER if self.oracle == "auto" else (self.oracle,)):
            try:
                if name == "finite differences":
                    left = max(self.deadline - time.perf_counter(), 0.1 * self.time_budget)
                    found = by_differences(self.function, arrays, left, self.seed)
                elif name == "tape":
                    found = by_tape(self.function, arrays)
                else:
                    found = exactly(self.function, arrays, self.field(name))
            except NotRationalError:
                continue
            except ImportError:
                notes.append("high precision needs mpmath: pip install 'tinygrad_poly[check]'")
            except NoOracleError as error:
                notes += [str(error)] * (str(error) not in notes)
            else:
                found.notes += notes
                if name == "tape":
                    self._second_opinion(found, arrays)
                return found
        raise NoOracleError("; ".join(notes) or f"the oracle {self.oracle!r} cannot take this function")

    def _second_opinion(self, truth: Truth, arrays: Arrays) -> None:
        """Compare the tape with finite differences along a direction, which also see kinks; note what they say."""
        direction = {i: scales(x) * self.random.standard_normal(x.shape) for i, x in arrays.items()}
        seen = along_direction(self.function, arrays, direction)
        truth.kink = seen.kink
        said = sum(float(np.sum(floats(D) * direction[i])) for i, D in zip(arrays, truth.gradients))
        room = sum(float(np.sum(floats(E) * np.abs(direction[i]))) for i, E in zip(arrays, truth.errors))
        if abs(said - seen.value) > FAIL_FROM * (seen.error + room) and not seen.kink and self.library == "tensor":
            raise NoOracleError(f"the tape is not believed: it says {said:.6g} where differences say {seen.value:.6g}")

    def field(self, oracle: str, digits: int = 0, jitter: float = 0.0) -> Field:
        """The numbers of an oracle: more digits for arguments of very different sizes."""
        if oracle != "exact" and not digits:
            sizes = [np.abs(x[x != 0]) for x in self.arguments.leaves if floating(x)]
            logs = [abs(math.log10(float(edge))) for s in sizes if s.size for edge in (s.min(), s.max())]
            digits = _DIGITS + 2 * int(max(logs, default=0))
        return Field(digits if oracle != "exact" else 0, self.deadline, jitter)

    def formula(self, arrays: Arrays, like: Field, jitter: float = 0.0) -> list[Any] | None:
        """The claimed gradient in a field's arithmetic; None where it does not run there."""
        if not callable(self.claim) or self.claim_library != "numpy":
            return None
        field = Field(like.mp.dps if like.mp else 0, self.deadline, jitter)

        def call(*args: Any) -> Any:
            if self.passes_cotangent is None:
                return self.claim(*args)
            v = field.array(self.cotangent, False)
            if isinstance(self.passes_cotangent, str):
                return self.claim(*args, **{self.passes_cotangent: v})
            return self.claim(*args, v)

        try:
            answer, _ = scalar_run(call, self.arguments, arrays, field, active=False)
            found = self._matched(answer)
            like.ties += field.ties
            like.rounded += field.rounded
            return [self._numbers(g, field) for g in found]
        except Exception:  # whatever a user's function does with objects that are no floats
            return None

    @staticmethod
    def _numbers(array: Any, field: Field) -> Any:
        numbers = np.empty(array.size, object)
        numbers[:] = [x.value if isinstance(x, Scalar) else field.constant(x) for x in array.ravel().tolist()]
        return numbers.reshape(array.shape)

    def findings(self, arrays: Arrays, claimed: list[Any], truth: Truth) -> list[Finding]:
        """The claimed gradients beside the true ones, each with its verdict."""
        paths = [self.arguments.paths[i] for i in self.arguments.active]
        if truth.numbers is not None:
            formula = self.formula(arrays, truth.numbers)
            if formula is not None:
                return self._exact_findings(arrays, formula, truth, paths)
        allowed = self._rounding(arrays, claimed, truth)
        height = float(np.sum(np.abs(self.result * self.cotangent), dtype=WIDE))
        found = []
        for name, i, g, D, E in zip(paths, self.arguments.active, claimed, truth.gradients, allowed):
            unit = float(np.finfo(self.arguments.leaves[i].dtype).eps)
            unseen = unit * height / np.maximum(np.abs(floats(arrays[i])), 1.0)
            found.append(self._at_kinks(arrays, i, judge(Finding(name, g, D, E, unseen=unseen)), truth))
        return found

    def _at_kinks(self, arrays: Arrays, leaf: int, finding: Finding, truth: Truth) -> Finding:
        """The finding, inconclusive where each wrong number lies between the slopes to the left and to the right."""
        if not truth.kink or finding.reason in ("shape", "empty"):
            return finding
        true, claimed = floats(finding.true), floats(finding.claimed)
        wrong = np.argwhere(difference(finding.claimed, finding.true) > finding.allowed)
        kinks = 0
        dtype = WIDE if self.library == "numpy" else np.float64
        for at in map(tuple, wrong[:50]):
            s = slope_of(self.function, arrays, leaf, at, dtype, scales(arrays[leaf]), float(np.finfo(dtype).eps))
            room = 1e-6 * max(abs(s.left), abs(s.right), abs(true[at]))
            between = min(s.left, s.right) - room <= claimed[at] <= max(s.left, s.right) + room
            kinks += s.kink and between
        if kinks == len(wrong) > 0:
            finding.verdict, finding.reason = "inconclusive", "kink"
        elif not len(wrong) and finding.verdict == "pass":
            direction = {i: scales(x) * self.random.standard_normal(x.shape) for i, x in arrays.items()}
            if along_direction(self.function, arrays, direction).kink:
                finding.verdict, finding.reason = "inconclusive", "kink"
        return finding

    def _exact_findings(self, arrays: Arrays, formula: list[Any], truth: Truth, paths: list[str]) -> list[Finding]:
        def compared(g: list[Any], D: list[Any], E: list[Any]) -> list[Finding]:
            return [
                self._at_kinks(arrays, i, judge(Finding(n, a, b, c, exact=True)), truth)
                for i, n, a, b, c in zip(self.arguments.active, paths, g, D, E)
            ]

        field = truth.numbers
        assert field is not None
        true = truth.gradients

        sizes = [np.abs(np.log10(np.abs(x[x != 0]))).max(initial=0.0) for x in self.arguments.leaves if floating(x)]
        extent = float(max(sizes, default=0.0))

        def allowed(digits: int) -> list[Any]:
            # What cancels, such as 1 − σ(x), loses digits of numbers like the arguments' cubes.
            lost = 10.0 ** min(3 * extent - 0.8 * digits, 300.0) if digits else 0.0
            part = 10.0 ** (-digits / 2) if digits else 0.0
            return [part * np.abs(floats(D)) + lost + (1e-322 if digits else 0.0) for D in true]

        digits = field.mp.dps if field.mp else 0
        E = allowed(digits)
        found = compared(formula, true, E)
        while 0 < digits < 500 and any(f.verdict == "inconclusive" and f.reason == "noise" for f in found):
            digits *= 4
            try:
                finer = exactly(self.function, arrays, self.field("high precision", digits))
            except NoOracleError:
                break
            again = self.formula(arrays, finer.numbers) if finer.numbers else None
            if again is None:
                break
            true, formula = finer.gradients, again
            E = allowed(digits)
            found = compared(formula, true, E)
        if any(f.verdict != "pass" for f in found) and field.rounded:
            spread = [np.zeros(D.shape) for D in true]
            for k in range(3):
                moved = self._jittered(arrays, field, digits, k)
                if moved is None:
                    break
                for s, g, D, g1, D1 in zip(spread, formula, true, *moved):
                    if g.shape == D.shape == g1.shape:
                        np.maximum(s, difference(np.asarray(g1 - g, object), np.asarray(D1 - D, object)), out=s)
            E = [e + 8 * s + 4e-16 * (s > 0) * np.abs(floats(D)) for e, s, D in zip(E, spread, true)]
            found = compared(formula, true, E)
        truth.gradients = true
        return found

    def _jittered(self, arrays: Arrays, field: Field, digits: int, k: int) -> tuple[list[Any], list[Any]] | None:
        """Claimed and true gradients where the constants in both functions are moved by a rounding."""
        jitter = 2.0**-54 * (1 + k)
        other = Field(digits, self.deadline, jitter)
        try:
            moved = exactly(self.function, arrays, other)
        except (NoOracleError, NotRationalError):
            return None
        claimed = self.formula(arrays, other, jitter * 1.5)
        return None if claimed is None else (claimed, moved.gradients)

    def _rounding(self, arrays: Arrays, claimed: list[Any], truth: Truth) -> list[Any]:
        """The distance that rounding may have moved a gradient that was computed in floats: measured, in three ways.

        By computing it again in wider numbers, at arguments moved by a rounding, and by what the tape's own gradient
        loses in the same dtype. A lone array, that cannot be computed again, gets the bound for sums of all its data.
        """
        a = self.arguments
        # What float64 arguments were computed in is float64, unless the user's own function says otherwise.
        units = [float(np.finfo(a.leaves[i].dtype).eps) / 2 for i in a.active]
        unit = max(units)
        others: list[list[Any]] = []
        if callable(self.claim):
            wiggle = np.random.default_rng(self.seed + 1)
            given = {i: x for i, x in enumerate(a.leaves) if floating(x)} | arrays
            near = {
                i: np.asarray(x * (1 + 2 * unit * wiggle.uniform(-1, 1, x.shape)), x.dtype) for i, x in given.items()
            }
            wide = np.float64 if unit > 1e-12 else WIDE
            for moved, dtype in ((near, None), (arrays, wide)):
                try:
                    others.append(self.answer(moved, dtype))
                except Exception:  # wide numbers are not everyone's
                    continue
        size = sum(x.size for x in a.leaves if floating(x))
        allowed = []
        for k, (i, g, D, E) in enumerate(zip(a.active, claimed, truth.gradients, truth.errors)):
            true = np.abs(floats(D)).astype(WIDE)
            E = np.asarray(E, WIDE) + 8 * units[k] * true + 2 * units[k] * true.max(initial=0.0)
            E = E + (0.0 if others else units[k] * size * true.max(initial=0.0))
            E = E + 64 * float(np.finfo(a.leaves[i].dtype).smallest_subnormal)
            for other in others:
                if np.shape(other[k]) == np.shape(g) == E.shape:
                    gap = difference(floats(other[k]), floats(g))
                    E = E + 4 * np.where(np.isfinite(gap), gap, 0.0)
            allowed.append(E)
        return allowed


def check_gradients(
    loss: Callable[..., Any],
    manual_gradient: Any,
    *args: Any,
    wrt: Any = None,
    seed: int = 0,
    oracle: str = "auto",
    cotangent: Any = None,
    time_budget: float = 1.0,
) -> GradientReport:
    """A report on whether `manual_gradient` is the gradient of `loss` at `args`, and if not, how it is wrong.

    >>> import numpy as np
    >>> x = y = np.array([1.0, 2.0, 3.0])
    >>> cost = lambda W, x, y: np.mean((W * x - y) ** 2)
    >>> report = check_gradients(cost, lambda W, x, y: np.sum((W * x - y) * x), 0.5, x, y)
    >>> report.verdict, report.oracle
    ('fail', 'exact')
    """
    started = time.perf_counter()
    patient = Patient(loss, manual_gradient, args, wrt, seed, oracle, cotangent, time_budget)
    return examine(patient, started)


class GradientMismatchError(AssertionError):
    """A gradient that is wrong, or of which nothing is certain; the message is the report.

    Attributes:
        report: the report.
    """

    def __init__(self, report: GradientReport) -> None:
        super().__init__(str(report))
        self.report = report


def assert_gradients_close(
    loss: Callable[..., Any], manual_gradient: Any, *args: Any, inconclusive: str = "error", **options: Any
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


def _elsewhere(patient: Patient, report: GradientReport, oracle: str) -> None:
    """Look at a second point: for a gradient that is kept from an earlier call, and for one that is 0 at the first."""
    zero = [not floats(f.true).any() and f.reason != "empty" for f in report.findings]
    names = [oracle] if any(zero) or oracle not in ("exact", "high precision") else ["tape", oracle]
    moved = patient.moved()
    found: list[Finding] = []
    try:
        truth = patient.truth(moved, names)
        if callable(patient.claim):
            found = patient.findings(moved, patient.answer(moved), truth)
    except Exception as error:  # another point may lie where the functions are not defined
        report.notes.append(f"a second point could not be looked at ({type(error).__name__}: {error})")
        truth = None
    for k, finding in enumerate(report.findings):
        if found and found[k].verdict == "fail" and np.isfinite(floats(found[k].true)).all():
            found[k].notes.append("right at the arguments given, and wrong at others near them")
            report.findings[k] = found[k]
        elif zero[k] and (truth is None or (not found and floats(truth.gradients[k]).any())):
            finding.verdict, finding.reason = "inconclusive", "zero"
        elif zero[k] and truth is not None and not floats(truth.gradients[k]).any():
            finding.notes.append("the true gradient is 0 here and at a second point: only what is added would be seen")


def examine(patient: Patient, started: float) -> GradientReport:
    """The report on a patient."""
    arrays = patient.arguments.values()
    report = GradientReport("inconclusive", [], "none", reason=patient.reason)
    if patient.reason:
        return report
    try:
        truth = patient.truth(arrays)
    except NoOracleError as error:
        report.reason = str(error)
        return report
    report.oracle, report.notes = truth.oracle, truth.notes
    grown = [b - a for a, b in zip(patient.claimed, patient.answer(arrays)) if np.shape(a) == np.shape(b)]
    if any(np.nan_to_num(g).any() for g in grown):
        report.reason = "the gradient is random, or keeps something from call to call: two calls differ"
    report.findings = patient.findings(arrays, patient.claimed, truth)
    for k, finding in enumerate(report.findings):
        if finding.verdict == "pass" and not negative_control(finding):
            finding.verdict, finding.reason = "inconclusive", "noise"
        if report.reason and np.allclose(np.asarray(grown[k], float), floats(finding.true), 1e-6):
            finding.verdict, finding.reason = "fail", ""
            report.diagnosis.append(Diagnosis("accumulated", finding.name))
    if all(f.verdict == "pass" or f.reason == "empty" for f in report.findings) and not report.reason:
        _elsewhere(patient, report, truth.oracle)
    verdicts = {f.verdict for f in report.findings if f.reason != "empty"}
    report.verdict = next((v for v in ("fail", "inconclusive", "pass") if v in verdicts), "inconclusive")
    if report.reason and not report.diagnosis:
        report.verdict = "inconclusive"
    patient.deadline = time.perf_counter() + patient.time_budget
    for k, finding in enumerate(report.findings):
        if finding.verdict == "fail" and not report.reason:
            report.diagnosis.append(diagnose(patient, k, truth.oracle))
    report.seconds = time.perf_counter() - started
    return report
