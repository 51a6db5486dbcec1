"""Statistics of a least-squares fit: predictions, standard errors and R², from the loss and nothing else.

A loss L = k Σ (p − y)², with what the model predicts, p, has ∂L/∂y = 2k (y − p) and ∂²L/∂y² = 2k I. That is
checked, and then tells k and p, whatever the model is: with n weights and N numbers in y, and H = 2k JᵀJ,

    σ² = Σ (p − y)² / (N − n)      covariance = σ² (JᵀJ)⁻¹ = 2k σ² H⁻¹      R² = 1 − Σ (p − y)² / Σ (y − mean y)²
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_poly.autograd import grad
from tinygrad_poly.creation import tensor
from tinygrad_poly.engine import arrays
from tinygrad_poly.engine.recording import enable_grad
from tinygrad_poly.fitting.objective import Objective
from tinygrad_poly.fitting.quadratic import Quadratic, Vector, split

ALIKE = 1e-5
"""What the second derivatives by y may differ by, relative to each other, to count as one number."""


@dataclass(frozen=True)
class Statistics:
    """The certainty of a least-squares fit."""

    errors: Vector | None
    """The standard error of each weight's optimum; None if there are no more numbers in y than weights."""
    r_squared: float | None
    """The part of the variance of y that the fit explains; None if the model has no constant term, or y no variance."""


def predictions(loss: Objective, weights: Mapping[str, Any]) -> tuple[Any, float] | None:
    """The predictions of the model, and k; None where the loss is no k Σ (p − y)²."""
    y = arrays.on_cpu(loss.y.array)
    if not arrays.is_floating(y.dtype) or not y.size:
        return None
    fixed = {name: tensor(w, device=loss.device) for name, w in weights.items()}
    signs = np.random.default_rng(0).choice([-1.0, 1.0], y.shape).astype(y.dtype)

    def by_y(at: Any) -> tuple[float, Any]:
        leaf = tensor(at, device=loss.device, requires_grad=True)
        with enable_grad(), np.errstate(all="ignore"):
            value = loss.loss(loss.arranged(fixed), loss.x, leaf)
        return value.item(), arrays.on_cpu(grad(value, leaf)[0].array)  # type: ignore[union-attr]

    try:
        value, slope = by_y(y)
        apart = signs * (np.abs(y).max() or y.dtype.type(1))
        bend = (by_y(y + apart)[1] - slope) / apart
    except (ArithmeticError, RuntimeError, TypeError, ValueError):
        return None
    k = float(bend.mean()) / 2
    tolerance = max(ALIKE, 1e3 * float(np.finfo(y.dtype).eps))
    if not (k > 0 and np.all(np.abs(bend - 2 * k) <= tolerance * 2 * k)):
        return None
    if not abs(np.sum(slope.astype(np.float64) ** 2) / (4 * k) - value) <= tolerance * abs(value):
        return None
    return (y - slope / (2 * k)).astype(y.dtype), k


def of(loss: Objective, found: Quadratic, reached: float) -> Statistics | None:
    """The statistics at the optimum `found`, with R² for a fit whose loss is `reached`."""
    with loss.device.active():
        known = predictions(loss, split(found.optimum, found.shapes))
    if known is None:
        return None
    predicted, k = known
    y = arrays.on_cpu(loss.y.array)
    left, spread = y - predicted, np.sum((y - y.mean(axis=0)) ** 2)
    free = y.size - len(found.optimum)
    errors = None
    if free > 0:
        errors = np.sqrt(2 * found.least_loss / free * np.sum(found.basis**2, axis=1))
    # With a constant term in the model, the errors at the optimum add up to 0.
    rounding = 1e-9 * np.sum(np.abs(y))
    constant = np.all(np.abs(left.sum(axis=0)) <= 1e-6 * np.sum(np.abs(left)) + rounding)
    return Statistics(errors, float(1 - reached / k / spread) if constant and spread > 0 else None)
