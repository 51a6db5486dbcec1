"""Recovery of random starts: the weights that a program started with, from its printed figures, by descent in reverse.

The models are linear in their weights w and the losses are sums of squares, so the loss is a parabola
with its lowest point L* at some w*, and one step is an affine map:

    L(w) = L* + ½ (w − w*)ᵀ H (w − w*),      w − w*  ↦  (1 − lr H) (w − w*).

The eigenvectors of H are the *modes*: along each, a step multiplies the distance from w* by a number,
1 − lr λ, and no mode disturbs another. The number is seldom 0, so a step can be undone.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np

from tinygrad_poly.tutorials.printed import PRINTED, half_a_unit
from tinygrad_poly.tutorials.problem import Problem, Vector


@dataclass(frozen=True)
class Modes:
    """The modes of gradient descent on a parabola: L(w) = L* + ½ Σ λᵢ eᵢ² with e = Vᵀ(w − w*).

    Attributes:
        best: w*, the weights of the least-squares fit, of shape (n,).
        lowest: L*, the loss there.
        curvatures: λ, the largest first, of shape (n,).
        directions: V, a unit vector in each column, of shape (n, n).
        factors: 1 − lr λ, what a step multiplies each eᵢ by.
    """

    best: Vector
    lowest: float
    curvatures: Vector
    directions: Vector
    factors: Vector

    @classmethod
    def of(cls, problem: Problem) -> "Modes":
        """The modes of a problem, from the singular values of its model (the loss is c/2 |Xw − y|²).

        >>> from tinygrad_poly.tutorials.problems import PROGRAMS
        >>> (problem,) = PROGRAMS["T6"]             # y = 2 x, exactly
        >>> np.round(Modes.of(problem).best, 12) + 0.0
        array([2., 0.])
        """
        x, y = (a.astype("float64") for a in problem.data(problem.dtype))
        # The model is linear in its weights: its columns are what it predicts from one weight of 1.
        columns = np.stack([problem.model(unit, x).ravel() for unit in np.eye(len(problem.names))], axis=1)
        u, s, vt = np.linalg.svd(columns, full_matrices=False)
        best = vt.T @ ((u.T @ y.ravel()) / s)
        c = 2 * problem.loss(np.ones_like(y), np.zeros_like(y)) / y.size
        curvatures = c * s**2
        lowest = float(problem.loss(problem.model(best, x), y))
        return cls(best, lowest, curvatures, vt.T, 1 - problem.lr * curvatures)

    def distances(self, weights: Vector) -> Vector:
        """The distances e = Vᵀ(w − w*) along the modes."""
        distances: Vector = self.directions.T @ (weights - self.best)
        return distances

    def weights(self, distances: Vector) -> Vector:
        """The weights w* + V e at those distances."""
        weights: Vector = self.best + self.directions @ distances
        return weights

    def after(self, steps: int, weights: Vector) -> Vector:
        """The weights `steps` steps after `weights`, or before them if `steps` is negative.

        >>> from tinygrad_poly.tutorials.problems import PROGRAMS
        >>> (problem,) = PROGRAMS["T6"]
        >>> modes = Modes.of(problem)
        >>> there = modes.after(10, np.array([0.25, 0.75]))
        >>> modes.after(-10, there)
        array([0.25, 0.75])
        """
        return self.weights(self.factors**steps * self.distances(weights))


def from_first_line(problem: Problem) -> Vector:
    """The start of a program whose first line prints the weights after one step: that step reversed.

    >>> from tinygrad_poly.tutorials.problems import PROGRAMS
    >>> from_first_line(PROGRAMS["T10"][0])            # the tutorial printed 0.3685 and 0.0889
    array([0.36847773, 0.08889647])
    """
    _, _, *weights = PRINTED[problem.name].every_100th[0]
    return Modes.of(problem).after(-1, np.array(weights, "float64"))


def first_loss_margin(problem: Problem) -> float:
    """The largest error of the first loss that comes from the rounded weights given to `from_first_line`.

    All weights in a box print alike. The loss is convex, so over the box it is largest at a corner;
    and it is within as much of the middle on the other side, because a chord lies above the graph.
    """
    _, _, *texts = PRINTED[problem.name].every_100th[0]
    modes = Modes.of(problem)
    corners = product(*((float(t) - half_a_unit(t), float(t) + half_a_unit(t)) for t in texts))
    x, y = problem.data(problem.dtype)

    def first_loss(weights: Vector) -> float:
        return float(problem.loss(problem.model(modes.after(-1, weights), x), y))

    middle = first_loss(np.array(texts, "float64"))
    return max(first_loss(np.array(corner)) - middle for corner in corners)


def from_last_line(problem: Problem) -> Vector:
    """The start of a cubic fit that prints its weights only at the end, and its first loss late.

    The four modes fade at very different speeds. With m the first step whose loss was printed:

    - The two slow ones are still there at the end. They are undone from the printed weights.
    - The third is gone at the end, but at step m it still weighs in the loss, and everything else in
      that loss is known: ½ λ e² is what is left. This gives |e|; the sign is unknowable, because no
      printed figure depends on it. It is chosen so that c starts above where it ends.
    - The fast one is gone by step m. It may have started anywhere; here it starts at 0, where it ends.

    >>> from tinygrad_poly.tutorials.problems import PROGRAMS
    >>> (problem,) = PROGRAMS["T1"]
    >>> Modes.of(problem).factors
    array([0.43787806, 0.91964424, 0.99793402, 0.9982725 ])
    """
    modes = Modes.of(problem)
    printed = PRINTED[problem.name]
    step, loss = int(printed.every_100th[0][0]), float(printed.every_100th[0][1])
    third, slow = 1, slice(2, 4)

    at_end = modes.distances(np.array(printed.weights, "float64"))
    e = np.zeros(4)
    e[slow] = at_end[slow] * modes.factors[slow] ** (step - problem.steps)
    known = modes.lowest + 0.5 * np.sum(modes.curvatures * e**2)
    # In float32 what is left may be a rounding below nothing.
    size = np.sqrt(max(0.0, 2 * (loss - known) / modes.curvatures[third]))
    e[third] = np.copysign(size, modes.directions[2, third])
    return modes.weights(e * modes.factors**-step)
