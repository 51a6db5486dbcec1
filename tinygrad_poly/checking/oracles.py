"""Oracles: the true gradient of a function from independent sources, best first, each with its own error.

Exact arithmetic and high precision run a plain NumPy function on scalars of their own (`scalars`), the tape runs it on
tensors, and finite differences run anything.
"""

import importlib
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partialmethod
from typing import Any

import numpy as np

from tinygrad_poly.autograd import grad
from tinygrad_poly.checking.arguments import Arrays, as_array, library_of, made_by
from tinygrad_poly.checking.lines import CALLS, LINES, along_lines, confirmed, finely, slope_of
from tinygrad_poly.checking.patient import WIDE, NoOracleError, Patient
from tinygrad_poly.checking.scalars import Field, NotRationalError, OutOfTimeError
from tinygrad_poly.checking.verdict import floats, largest
from tinygrad_poly.engine.recording import Observer, reads
from tinygrad_poly.func.containers import flatten
from tinygrad_poly.tensor import Tensor


@dataclass
class Truth:
    """The true gradients by one oracle: for each active leaf its numbers, and how far they may be off.

    Or, where lines confirmed them, the findings alone.
    """

    oracle: str
    gradients: list[Any] = field(default_factory=list)
    errors: list[Any] = field(default_factory=list)
    numbers: Field | None = None
    notes: list[str] = field(default_factory=list)
    kink: bool = False
    findings: Any = None


def true_gradients(patient: Patient, arrays: Arrays, names: Sequence[str], claimed: Any = None) -> Truth:
    """The true gradients by the first of the oracles that can take the loss.

    Args:
        patient: the loss.
        arrays: where.
        names: of the oracles.
        claimed: the gradients to check, which finite differences may confirm without a look at each number; None where
            a diagnosis is made.

    Raises:
        NoOracleError: where none can.
    """
    if patient.diagnosing and patient.late:
        raise NoOracleError("there is no time left")
    notes: list[str] = []
    for name in names:
        if name == "high precision" and notes and time.perf_counter() > patient.deadline:
            continue
        try:
            truth = ORACLES[name](patient, arrays, claimed)
        except NotRationalError as error:
            note = str(error) if len(names) == 1 else ""
        except (NoOracleError, OutOfTimeError) as error:
            note = str(error)
        except ImportError:
            note = "high precision needs mpmath: pip install 'tinygrad_poly[check]'"
        except Exception as error:  # whatever a user's function does with what are no floats
            note = f"the function does not run {_RUNS[name]} ({type(error).__name__}: {error})"
        else:
            truth.notes += notes
            return truth
        notes += [note] if note and note not in notes else []
    raise NoOracleError("; ".join(notes) or "no oracle can take this function")


def exactly(patient: Patient, arrays: Arrays, digits: int) -> Truth:
    """The oracle of high precision, or without digits that of exact arithmetic."""
    if patient.library != "numpy":
        raise NoOracleError("exact arithmetic runs functions of NumPy arrays")
    field = Field(digits, patient.deadline)
    result, inputs = patient.on_scalars(patient.loss, arrays, field)
    if np.shape(result) != patient.result.shape:
        raise NoOracleError("the function's result has another shape in exact arithmetic")
    gradients = field.gradient(result, patient.cotangent, inputs)
    value = np.sum(floats(field.values(np.asarray(result, object))) * patient.cotangent)
    patient.believe(arrays, value, "in exact arithmetic")
    errors = [np.zeros(g.shape) for g in gradients]
    return Truth("high precision" if digits else "exact", gradients, errors, field, kink=field.ties > 0)


class _Numpys(Tensor):
    """A tensor whose methods mean what NumPy's do, where torch's mean something else."""

    __slots__ = ()


for _name in ("cumsum", "dot", "max", "min", "repeat", "std", "var"):
    setattr(_Numpys, _name, partialmethod(getattr(np, _name)))


def like_numpy(x: Any) -> None:
    """Let a tensor's methods mean what NumPy's do."""
    if type(x) is Tensor:
        x.__class__ = _Numpys


class _Run(Observer):
    """A run of a function on tensors, in which NumPy's functions find NumPy's methods.

    Args:
        numpy: whether it is a function of NumPy arrays.
        rounded: whether to move each result by a rounding: how far these move a gradient, where no wide numbers tell.
    """

    def __init__(self, numpy: bool, rounded: bool) -> None:
        self.numpy, self.rounded, self.random = numpy, rounded, np.random.default_rng(0)

    def recorded(self, operation: Any, inputs: Any, options: Any, result: Any) -> None:
        """Change a result."""
        if self.rounded and result.array.flags.writeable:
            result.array[...] *= 1 + 2.0**-52 * self.random.uniform(-1, 1, result.shape)
        if self.numpy:
            like_numpy(result)


def by_tape(patient: Patient, arrays: Arrays, claimed: Any = None) -> Truth:
    """The oracle of this engine's tape, in float64 and in wider numbers; its error is how far these are apart."""
    unit, wiggle = 2.0**-53, np.random.default_rng(0)
    narrow = wide = _on_tape(patient, arrays, np.float64)
    if patient.library != "numpy" or patient.dtype is WIDE:
        with suppress(Exception):  # what has no wide numbers, such as LAPACK
            wide = _on_tape(patient, arrays, WIDE)
    moved = {i: arrays[i] * (1 + unit * wiggle.uniform(-2, 2, arrays[i].shape)) for i in patient.arguments.active}
    near = _on_tape(patient, arrays | moved, np.float64, True, wide is narrow)
    errors = []
    for a, b, c in zip(narrow, wide, near):
        a, b, c = (np.asarray(x, WIDE) for x in (a, b, c))
        moves = np.abs(a - c)
        moves = np.maximum(moves, moves.max(initial=0.0)) if wide is narrow else moves
        off = 4 * (np.abs(a - b) + moves)
        errors.append(off + 8 * unit * np.abs(b) + unit * largest(b))
    truth = Truth("tape", wide, errors)
    if claimed is not None:
        _second_opinion(patient, truth, arrays)
    return truth


def at_a_glance(patient: Patient, arrays: Arrays, claimed: list[Any]) -> bool:
    """Whether one pass of the tape has the claimed gradients, to a billionth of the largest number."""
    try:
        found = _on_tape(patient, arrays, np.float64)
    except Exception:  # whatever does not run on tensors
        return False
    return all(
        np.shape(g) == D.shape and bool((np.abs(floats(g) - D) <= 1e-9 * largest(D)).all())
        for g, D in zip(claimed, found)
    )


def _on_tape(patient: Patient, arrays: Arrays, dtype: Any, known: bool = False, rounded: bool = False) -> list[Any]:
    """The gradients that the tape has, in one pass; its value is `known` to be the loss's, or is compared.

    Raises:
        NoOracleError: where the function leaves the tape, and where in it that is.
    """
    if patient.library == "torch":
        raise NoOracleError("the tape does not record torch's operations")
    args, leaves = leaves_on_tape(patient, arrays, dtype)
    read: list[Any] = []
    token = reads.set((*reads.get(), read))
    try:
        with _Run(patient.library == "numpy", rounded):
            result = patient.loss(*args)
    finally:
        reads.reset(token)
    recorded = library_of(result) == "tensor" and result.node is not None
    if read or library_of(result) != "tensor":
        line = next((f" at {where.filename}, line {where.lineno}" for *_, where in read if where), "")
        raise NoOracleError(f"the function {'reads numbers off' if recorded else 'left'} the tape{line}")
    if not known:
        patient.believe(arrays, np.sum(as_array(result) * patient.cotangent), "on tensors")
    if not recorded:
        return [np.zeros(x.shape) for x in leaves]
    v = made_by("tensor", np.broadcast_to(patient.cotangent, result.shape), False)
    return _arrays(grad(result, leaves, v.to(result.dtype), allow_unused=True), leaves)


def leaves_on_tape(
    patient: Patient, arrays: Arrays, dtype: Any, library: str = "tensor"
) -> tuple[list[Any], list[Any]]:
    """The arguments with tensors in the places of the active leaves, and these tensors.

    For a function of NumPy arrays, their methods mean what NumPy's do.
    """
    a = patient.arguments
    leaves = [made_by(library, arrays[i].astype(dtype), True) for i in a.active]
    flat = [leaf for arg in a.build(patient.library, arrays, dtype) for leaf in flatten(arg)[0]]
    for i, leaf in zip(a.active, leaves):
        flat[i] = leaf
        if patient.library == "numpy":
            like_numpy(leaf)
    parts = iter(flat)
    return [structure._build(parts) for structure in a.structures], leaves


def by_torch(patient: Patient, arrays: Arrays) -> list[Any] | None:
    """The answer of torch, as a witness; None where it is not torch's function."""
    if patient.library != "torch":
        return None
    torch: Any = importlib.import_module("torch")
    args, leaves = leaves_on_tape(patient, arrays, np.float64, "torch")
    result = patient.loss(*args)
    if not result.requires_grad:
        return None
    v = made_by("torch", patient.cotangent, False).to(result.dtype)
    return _arrays(torch.autograd.grad(result, leaves, v, allow_unused=True), leaves)


def _arrays(gradients: Sequence[Any], leaves: Sequence[Any]) -> list[Any]:
    return [np.zeros(tuple(x.shape)) if g is None else as_array(g) for g, x in zip(gradients, leaves)]


def _second_opinion(patient: Patient, truth: Truth, arrays: Arrays) -> None:
    """Look whether differences along a direction agree with the tape's gradients; these also see kinks."""
    if patient.late:
        truth.notes.append("no time was left to try the tape's gradient by differences, which would see a kink")
        return
    gradients, errors = (dict(zip(patient.arguments.active, each)) for each in (truth.gradients, truth.errors))
    for quick in (True, False):  # noise takes long to measure, and explains only what differs
        found = along_lines(patient, arrays, gradients, quick, 1, errors)
        if all(f.verdict == "pass" for f in found):
            return
    truth.kink = found[0].reason == "kink"
    if found[0].verdict == "fail" and patient.library == "tensor":
        said, seen = found[0].claimed[0], found[0].true[0]
        raise NoOracleError(f"the tape is not believed: it says {said:.6g} where differences say {seen:.6g}")


def by_differences(patient: Patient, arrays: Arrays, claimed: Any = None) -> Truth:
    """The oracle of finite differences: number by number, in random order, as far as the time goes.

    Where floats show too little, the differences are taken in high precision, of a function that runs there.
    """
    truth = Truth("finite differences", findings=claimed and confirmed(patient, arrays, claimed))
    active = [] if truth.findings else patient.arguments.active
    seconds = patient.end - time.perf_counter() - LINES * CALLS * patient.seconds
    for i in active:
        end = time.perf_counter() + seconds / len(active)
        D, E = np.full(arrays[i].shape, np.nan), np.full(arrays[i].shape, np.inf)
        kinks, noise = np.zeros(D.shape, bool), None
        for done, k in enumerate(np.random.default_rng(patient.seed).permutation(D.size)):
            if time.perf_counter() > end:
                path = patient.arguments.paths[i]
                truth.notes.append(f"{done:,} of {D.size:,} numbers of {path} were checked in the time")
                break
            at = np.unravel_index(k, D.shape)
            found = slope_of(patient, arrays, i, at, noise)
            noise = found.noise if done else None  # measured for two numbers, and taken for the others
            D[at], E[at], kinks[at] = found.value, found.error, found.kink
        else:
            for k in np.argsort(-E, axis=None):
                at = np.unravel_index(k, D.shape)
                known = E[at] <= 1e-10 * np.nanmax(np.abs(D), initial=0.0)
                if known or time.perf_counter() > end or (finer := finely(patient, arrays, i, at)) is None:
                    break
                D[at], E[at], kinks[at] = finer.value, finer.error, finer.kink
        truth.kink |= bool(kinks.any())
        truth.gradients.append(D)
        truth.errors.append(E)
    return truth


ORACLES: dict[str, Callable[[Patient, Arrays, Any], Truth]] = {
    "exact": lambda patient, arrays, _: exactly(patient, arrays, 0),
    "high precision": lambda patient, arrays, _: exactly(patient, arrays, patient.digits),
    "tape": by_tape,
    "finite differences": by_differences,
}
"""The oracles, best first."""
_RUNS = {
    "exact": "in exact arithmetic", "high precision": "in exact arithmetic", "tape": "on tensors",
    "finite differences": "near these arguments",
}  # fmt: skip
