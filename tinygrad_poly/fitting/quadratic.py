"""Quadratic losses: their optimum, curvatures and best learning rates, from derivatives at one point.

With the gradient g and the Hessian H at w, both from the engine's own derivatives,

    L(w*) = min L   at   w* = w − H⁻¹g          (one Newton step)
    L(w)  = L(w*) + ½ (w − w*)ᵀ H (w − w*)

and gradient descent multiplies the distance along each eigenvector of H by 1 − lr·λ at every step. So
it converges exactly if lr < 2/λ_max, and how far it will have come after any number of steps can be
computed without taking them. Every model that is linear in its weights, with a sum or mean of squared
errors, has such a loss: lines, polynomials of any degree, and the sin fit.
"""

import warnings
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from math import comb
from typing import Any

import numpy as np

from tinygrad_poly.autograd import grad
from tinygrad_poly.creation import tensor
from tinygrad_poly.engine.arrays import on_cpu
from tinygrad_poly.engine.recording import enable_grad
from tinygrad_poly.fitting.arguments import objective
from tinygrad_poly.fitting.objective import Loss, Objective, Params, Weights, leaves

Vector = np.ndarray[Any, np.dtype[np.float64]]

Exact = list[Fraction]

LARGEST = 100
"""With more weights than this, n passes for an n × n Hessian cost more than they tell."""

ROUNDING = 1e-9
"""What gradient(w + p) − gradient(w) and H p may differ by, relative to the terms they are made of."""

NOT_DETERMINED = "rounding hides it, since weights can stand in for one another; try to centre and scale x"

LONGEST = 0.01
"""A direction this part of 1/(n ε) long that bends the loss no more than each weight does, of length 1: rounding."""


@dataclass(frozen=True)
class Quadratic:
    """A loss L(w) = L* + ½ (w − w*)ᵀ H (w − w*) with H positive semidefinite.

    Vectors hold the elements of all weights one after the other, in the order of `shapes`.
    """

    hessian: Vector
    """H, n × n."""
    optimum: Vector
    """w*, n long. Where H is singular, one of the optima."""
    least_loss: float
    """L*."""
    determined: bool
    """Whether H is so far from singular that rounding leaves w* and L* as they are."""
    loss_at_zero: float
    """L(0): how large the loss is when nothing has been learned, whatever the start was."""
    shapes: dict[str, tuple[int, ...]]
    """The names and shapes of the weights."""
    root: Vector
    """W with L − L* = ½ ‖W (w − w*)‖², which tells directions apart that H alone, being WᵀW, loses to rounding."""
    basis: Vector
    """B with BBᵀ = H⁻¹, over the directions that are not flat."""
    rounding: float
    """What rounding each term of the model to float64 may add to L*."""
    steps: int
    """The number of Newton steps to w*."""
    frame: "Frame | None" = None
    """The coordinate t in which the derivatives were taken, if it is not x itself."""
    centred_optimum: Any = None
    """w* there."""

    @property
    def minimum(self) -> tuple[dict[str, Vector], float]:
        """The best weights by name, in float64, and their loss; with a warning where they are not `determined`."""
        if not self.determined:
            warnings.warn(
                f"these weights and their loss are not known to be the best: {NOT_DETERMINED}",
                np.exceptions.RankWarning,
                stacklevel=2,
            )
        return split(self.optimum, self.shapes), self.least_loss

    @cached_property
    def _modes(self) -> tuple[Vector, Vector]:
        curvatures, directions = np.linalg.eigh(self.hessian)
        return np.maximum(curvatures, 0.0), directions

    @property
    def curvatures(self) -> Vector:
        """The eigenvalues λ of H, ascending; a flat direction has (nearly) 0."""
        return self._modes[0]

    @property
    def largest_stable_lr(self) -> float:
        """The learning rate 2/λ_max, above which gradient descent diverges."""
        return float(2 / self.curvatures[-1])

    @property
    def fastest_lr(self) -> float:
        """The learning rate 2/(λ_min + λ_max), the fastest in the long run: it shrinks the slowest mode most."""
        curvatures = self.curvatures
        # A direction that is flat but for rounding never moves and has no say.
        steep = curvatures[curvatures > curvatures[-1] * len(curvatures) * np.finfo(np.float64).eps]
        return float(2 / (steep[0] + steep[-1]))

    def distance(self, weights: Mapping[str, Any]) -> float:
        """The largest distance |w − w*| of a weight from its optimum."""
        return float(np.max(np.abs(flat(weights) - self.optimum)))

    def excess(self, weights: Mapping[str, Any], lr: float = 0.0, steps: int = 0) -> float:
        """The excess L − L* of `weights`, or of the weights after `steps` more steps of gradient descent.

        Along an eigenvector at distance c, the excess is ½ λ c², and a step turns c into (1 − lr·λ) c.
        """
        if not steps:
            if self.frame is None:
                apart = flat(weights) - self.optimum
            else:
                apart = floats(self.frame.of_t(flat(weights))) - self.centred_optimum
            return float(0.5 * np.sum((self.root @ apart) ** 2))
        curvatures, directions = self._modes
        c = directions.T @ (flat(weights) - self.optimum)
        with np.errstate(over="ignore", invalid="ignore"):
            c = c * (1 - lr * curvatures) ** steps
            return float(0.5 * np.sum(curvatures * c * c))

    def steps_until(self, excess: float, weights: Mapping[str, Any], lr: float) -> int | None:
        """The number of steps of gradient descent until L − L* is at most `excess`; None if it never is."""
        if lr >= self.largest_stable_lr:
            return None
        enough = 1
        while not self.excess(weights, lr, enough) <= excess:
            enough *= 2
            if enough > 2**60:
                return None
        return bisect_left(range(enough), True, enough // 2 + 1, key=lambda n: self.excess(weights, lr, n) <= excess)


def as_quadratic(loss: Loss, params: Params, x: Any, y: Any) -> Quadratic | None:
    """The loss as a `Quadratic`, or None if it is none, is not convex, or has more than 100 weights.

    H is the gradient differentiated once more, row by row, in float64. The loss counts as quadratic if
    gradient(w + p) − gradient(w) = H p within rounding for pseudo-random p, and for the step to w*.

    Args:
        loss: `loss(params, x, y)`, a scalar tensor.
        params: a dict or list of weights; H is computed there, n = the number of their elements.
        x: the data, as `loss` expects it.
        y: the data, as `loss` expects it.

    >>> import tinygrad_poly as tg
    >>> def loss(params, x, y):
    ...     return ((params["w"] * x + params["b"] - y) ** 2).mean()
    >>> x = tg.tensor([1.0, 2.0, 3.0])
    >>> quadratic = as_quadratic(loss, {"w": 0.0, "b": 0.0}, x, 2 * x + 1)
    >>> quadratic.hessian                       # 2 mean x², 2 mean x; 2 mean x, 2
    array([[9.33333333, 4.        ],
           [4.        , 2.        ]])
    >>> weights, least_loss = quadratic.minimum
    >>> round(float(weights["w"]), 6), round(float(weights["b"]), 6)
    (2.0, 1.0)
    >>> round(quadratic.largest_stable_lr, 6)
    0.180295
    """
    return of(*objective(loss, params, x, y))


def of(objective: Objective, weights: Mapping[str, Any], largest: int = LARGEST) -> Quadratic | None:
    """`as_quadratic` for an `Objective`, of a polynomial of x in the coordinate t = (x − centre) / scale."""
    if sum(int(np.size(on_cpu(getattr(w, "array", w)))) for w in weights.values()) > largest:
        return None
    try:
        with objective.device.active(), enable_grad(), np.errstate(all="ignore"):
            exact = objective.in_float64()
            if not getattr(objective.loss, "is_polynomial", False):
                return _analyse(exact, weights)
            frame = Frame.of(exact.x)
            centred = replace(exact, x=(exact.x - frame.centre) / frame.scale)
            found = _analyse(centred, split(floats(frame.of_t(flat(weights))), dict.fromkeys(weights, ())))
            return found and frame.in_x(found, exact, centred)
    except (ArithmeticError, MemoryError, RuntimeError, TypeError, ValueError):
        # A loss that cannot be computed in float64, or differentiated twice, is not known to be quadratic;
        # a diagnosis must not cost anybody the fit.
        return None


def _analyse(loss: Objective, weights: Mapping[str, Any]) -> Quadratic | None:
    w = flat(weights)
    shapes = {name: tuple(np.shape(on_cpu(getattr(value, "array", value)))) for name, value in weights.items()}
    inputs = leaves(split(w, shapes), loss.device)

    def gradient(at: Vector) -> Vector:
        return _gradient(loss, leaves(split(at, shapes), loss.device))

    g, H = _derivatives(loss, inputs, np.eye(len(w)))
    H = (H + H.T) / 2
    if not (np.all(np.isfinite(H)) and np.all(np.isfinite(g)) and np.any(H)):
        return None
    # In units of 1/√Hᵢᵢ every weight bends the loss alike, however different their sizes are.
    unit = np.where(np.diag(H) > 0, 1 / np.sqrt(np.abs(np.diag(H))), 1.0)
    basis, root, whole = np.diag(unit), np.diag(1 / unit), unit[:, None] * H * unit
    if np.linalg.eigvalsh(whole)[0] < -len(w) * ROUNDING:
        return None

    # Directions t with tᵀ H t' = 1 or 0. H, a product of the model's derivative J with itself, loses what J tells
    # apart; but H t is computed as Jᵀ (J t), and so in each round more of it is seen.
    limit = LONGEST / (len(w) * float(np.finfo(np.float64).eps))
    while True:
        curvatures, directions = np.linalg.eigh(whole)
        floor = curvatures[-1] * len(w) * float(np.finfo(np.float64).eps)
        lengths = np.sqrt(np.maximum(curvatures, floor))
        basis, root = basis @ (directions / lengths), (directions * lengths).T @ root
        seen = np.linalg.norm(basis / unit[:, None], axis=0) < limit
        if not seen.all() or curvatures[0] > 1e-6 * curvatures[-1]:
            break
        whole = basis.T @ _derivatives(loss, inputs, basis)[1]
        whole = (whole + whole.T) / 2

    determined, basis = bool(seen.all()), basis[:, seen]
    optimum, slope, steps = np.zeros_like(w), basis.T @ gradient(np.zeros_like(w)), 0
    while steps < 10:  # the first step is Newton's, the others take back what it lost to rounding
        nearer = optimum - basis @ slope
        slope, before = basis.T @ gradient(nearer), slope
        if steps and not np.linalg.norm(slope) < np.linalg.norm(before):
            break
        optimum, steps = nearer, steps + 1
    newton = optimum - w
    random = np.random.default_rng(0)
    far, near = random.uniform(0.5, 1.5, (2, len(w))) * random.choice([-1.0, 1.0], (2, len(w)))
    far = far * (1 + np.abs(w))
    for p in (far, -far, newton, near * newton):
        moved = gradient(w + p)
        error = np.linalg.norm(unit * (moved - g - H @ p))
        # H w and H p are what a gradient is made of, however little is left where they cancel.
        terms = np.linalg.norm(unit * moved) + np.linalg.norm(unit * g) + np.linalg.norm([w / unit, p / unit])
        if not error <= ROUNDING * terms:
            return None
    least_loss, loss_at_zero = (
        loss(leaves(split(at, shapes), loss.device)).item() for at in (optimum, np.zeros_like(w))
    )
    if not np.isfinite(least_loss + loss_at_zero):
        return None
    rounding = _rounding(optimum, 1 / unit)
    return Quadratic(H, optimum, least_loss, determined, loss_at_zero, shapes, root, basis, rounding, steps)


def _rounding(optimum: Vector, sizes: Vector) -> float:
    """½ (n ε Σ |wᵢ| √Hᵢᵢ)²: each of n terms off by ε, times n for their powers and sums."""
    return float(0.5 * (len(optimum) * np.finfo(np.float64).eps * np.sum(np.abs(optimum) * sizes)) ** 2)


@dataclass(frozen=True)
class Frame:
    """A coordinate t = (x − centre) / scale, in which the powers of t are far less alike than those of x."""

    centre: float
    scale: float

    @classmethod
    def of(cls, x: Any) -> "Frame":
        """The coordinate that runs from −1 to 1."""
        low, high = float(x.min()), float(x.max())
        return cls(low / 2 + high / 2, high / 2 - low / 2 or 1.0)

    def of_t(self, weights: Iterable[Any]) -> Exact:
        """The weights of the powers of t, from those of x."""
        return _shifted(weights, Fraction(self.centre), Fraction(self.scale))

    def of_x(self, weights: Iterable[Any]) -> Exact:
        """The weights of the powers of x, from those of t."""
        return _shifted(weights, -Fraction(self.centre) / Fraction(self.scale), 1 / Fraction(self.scale))

    def in_x(self, found: Quadratic, loss: Objective, centred: Objective) -> Quadratic | None:
        """A quadratic function of the weights of powers of t, as one of those of x.

        What rounding did to t and to the optimum is taken back: for the residuals, computed with more digits, steps as
        for data of their own lead from weights that are 0.
        """
        change = np.stack([floats(self.of_t(power)) for power in np.eye(len(found.optimum))], axis=1)
        x, y = (on_cpu(data.array).astype(np.longdouble) for data in (loss.x, loss.y))
        optimum = self.of_x(found.optimum)
        nothing = split(np.zeros(len(optimum)), found.shapes)
        for _ in range(3):
            residuals = y - np.polynomial.polynomial.polyval(x, np.array([_long(w) for w in optimum]))
            left = replace(centred, y=tensor(residuals.astype(np.float64), device=loss.device))
            slope = found.basis.T @ _gradient(left, leaves(nothing, loss.device))
            optimum = [w + more for w, more in zip(optimum, self.of_x(-found.basis @ slope), strict=True)]
        hessian = change.T @ found.hessian @ change
        if not np.isfinite(hessian).all():
            return None
        return replace(
            found,
            hessian=hessian,
            optimum=floats(optimum),
            rounding=_rounding(floats(optimum), np.sqrt(np.diag(hessian))),
            frame=self,
            centred_optimum=floats(self.of_t(optimum)),
            basis=np.stack([floats(self.of_x(direction)) for direction in found.basis.T], axis=1),
        )

    def __str__(self) -> str:
        return f"centred x at {self.centre:.10g}, scaled by {self.scale:.10g}"


def _shifted(weights: Iterable[Any], centre: Fraction, scale: Fraction) -> Exact:
    """The polynomial Σ wₖ (centre + scale t)ᵏ in powers of t."""
    exact = [Fraction(w) for w in weights]
    powers = range(len(exact))
    return [sum((exact[k] * comb(k, j) * centre ** (k - j) for k in powers[j:]), Fraction()) * scale**j for j in powers]


def _long(number: Fraction) -> Any:
    near = float(number)
    return np.longdouble(near) + np.longdouble(float(number - Fraction(near)))


def floats(numbers: Exact) -> Vector:
    """Exact numbers, each rounded once."""
    return np.array([float(number) for number in numbers])


def _gradient(loss: Objective, weights: Weights) -> Vector:
    inputs = list(weights.values())
    return _joined(grad(loss(weights), inputs, allow_unused=True), inputs)


def _derivatives(loss: Objective, weights: Weights, directions: Vector) -> tuple[Vector, Vector]:
    """The gradient (n), and H times each column of `directions`: the gradient of gᵀ t for each t."""
    inputs = list(weights.values())
    shapes = {name: w.shape for name, w in weights.items()}
    first: Any = grad(loss(weights), inputs, create_graph=True, allow_unused=True)
    columns = []
    for direction in directions.T:
        parts = zip(first, split(direction, shapes).values(), strict=True)
        used = [(g, part) for g, part in parts if g is not None and g.node is not None and part.any()]
        second: Any = [None] * len(inputs)
        if used:
            seeds = [tensor(part, dtype=g.dtype, device=loss.device) for g, part in used]
            second = grad([g for g, _ in used], inputs, seeds, retain_graph=True, allow_unused=True)
        columns.append(_joined(second, inputs))
    return _joined(first, inputs), np.stack(columns, axis=1)


def _joined(gradients: Any, inputs: list[Any]) -> Vector:
    """Gradients as one vector; zeros where the loss does not depend on an input."""
    return flat(
        {str(i): np.zeros(w.shape) if g is None else g for i, (g, w) in enumerate(zip(gradients, inputs, strict=True))}
    )


def flat(weights: Mapping[str, Any]) -> Vector:
    """All elements of all weights as one float64 vector."""
    parts = [np.ravel(on_cpu(getattr(w, "array", w))) for w in weights.values()]
    return np.concatenate(parts).astype(np.float64)


def split(vector: Vector, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Vector]:
    """The weights of a vector that `flat` returned."""
    sizes = [int(np.prod(shape)) for shape in shapes.values()]
    parts = np.split(vector, np.cumsum(sizes)[:-1])
    return {name: part.reshape(shape) for (name, shape), part in zip(shapes.items(), parts, strict=True)}
