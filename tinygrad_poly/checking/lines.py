"""Lines: a gradient beside the slopes of its function along a few random lines, which move all numbers at once."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_poly.checking.arguments import Arrays
from tinygrad_poly.checking.differences import scales
from tinygrad_poly.checking.oracles import along_direction
from tinygrad_poly.checking.patient import Patient
from tinygrad_poly.checking.verdict import FAIL_FROM, WEAKEST, Finding, floats, judge

LINES = 3
"""Two errors cancel along one line by chance, and hardly along three."""
CALLS = 25
"""How often the loss is called for a line, its noise included."""
_TINY = 1e-300
_STRONG = 1e-10
"""Numbers are not looked at one by one where the lines would have seen a relative error of this size in each."""


def along_lines(patient: Patient, arrays: Arrays, claimed: dict[int, Any], quick: bool) -> list[Finding]:
    """Findings about the gradients of some leaves, from their products with random directions.

    Each number moves by at least half of its scale, so that an error e of one number moves the product by e · scale / 2
    or more: the power is that of the weakest number, or of all together where that is none. Noise, or kinks that are
    passed on the way, may make a right gradient differ from one slope, but hardly from all.

    Args:
        patient: the loss.
        arrays: where.
        claimed: the gradients by their leaves.
        quick: leave out the measurement of noise, and lines for which there is no time.
    """
    draw = patient.random
    unit = max(float(np.finfo(arrays[i].dtype).eps) for i in claimed)
    said, seen, room, off = (np.empty(0) for _ in range(4))
    weakest = {i: np.full(np.shape(g), np.inf) for i, g in claimed.items()}
    kink = False
    while len(seen) < LINES:
        d = {i: scales(arrays[i]) * draw.uniform(0.5, 1.5, g.shape) for i, g in weakest.items()}
        d = {i: x * draw.choice((-1.0, 1.0), x.shape) for i, x in d.items()}
        s = along_direction(patient.function, arrays, d, noise=0.0 if quick else None)
        products = np.concatenate([np.ravel(floats(g) * d[i]) for i, g in claimed.items()])
        said, seen = np.append(said, products.sum()), np.append(seen, s.value)
        room = np.append(room, s.error + 8 * unit * np.abs(products).sum())
        weakest = {i: np.fmin(w, room[-1] / np.abs(d[i])) for i, w in weakest.items()}
        kink = kink or s.kink
        nearest = min(max(said[-1], min(s.left, s.right)), max(s.left, s.right)) if s.kink else s.value
        off = np.append(off, abs(said[-1] - nearest) / (FAIL_FROM * room[-1] or _TINY))
        if patient.late and not (off.min() > 1 and len(seen) < 2):
            break
    found = []
    for i, g in claimed.items():
        f = judge(Finding(patient.arguments.paths[i], said, seen, room, along=True))
        alone = float((FAIL_FROM + 1) * weakest[i].max() / (np.abs(floats(g)).max() or 1.0))
        f.power = alone if alone <= WEAKEST else FAIL_FROM * float((room / np.maximum(np.abs(seen), _TINY)).max())
        wrong = off.min() > 1 and len(seen) > 1
        if not wrong and (kink or f.verdict == "fail" or not f.power <= WEAKEST):
            f.verdict, f.reason = "inconclusive", "kink" if kink else "noise"
        f.notes.append(f"compared along {len(seen)} random line{'s' * (len(seen) > 1)}, not number by number")
        f.notes += ["an error of one of the numbers alone may not be seen"] * (alone > WEAKEST)
        found.append(f)
    return found


def confirmed(patient: Patient, arrays: Arrays, claimed: list[Any]) -> list[Finding] | None:
    """The findings of right gradients of many numbers; None where the lines leave a doubt, and there is time."""
    gradients = dict(zip(patient.arguments.active, claimed))
    plain = all(
        arrays[i].dtype == g.dtype == np.float64 and arrays[i].shape == g.shape and g.any() and np.isfinite(g).all()
        for i, g in gradients.items()
    )
    if not plain or sum(g.size for g in claimed) <= LINES:
        return None
    found = along_lines(patient, arrays, gradients, quick=True)
    sure = all(f.verdict == "pass" and f.power <= _STRONG for f in found)
    return found if sure or (patient.late and len(found) == 1) else None
