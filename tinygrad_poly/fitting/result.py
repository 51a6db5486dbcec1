"""The result of a fit."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from tinygrad_poly.creation import as_tensor, tensor, zeros
from tinygrad_poly.engine import arrays
from tinygrad_poly.fitting import quadratic, saved, statistics
from tinygrad_poly.fitting.objective import Objective
from tinygrad_poly.fitting.quadratic import Quadratic
from tinygrad_poly.fitting.saved import Run
from tinygrad_poly.fitting.statistics import Statistics
from tinygrad_poly.fitting.verdict import Verdict
from tinygrad_poly.tensor import Tensor

if TYPE_CHECKING:
    import typing_extensions

    W = typing_extensions.TypeVar("W", default=Any)
else:
    W = TypeVar("W")
"""The container of the weights, as the loss takes it."""


@dataclass(frozen=True, eq=False, repr=False)
class FitResult(Generic[W]):
    """The result of a fit: weights, losses, and how far it is from the optimum."""

    objective: Objective
    run: Run
    _continued: Callable[[Run, int, Any, Any], "FitResult[W]"]
    interrupted: bool = False
    """Whether Ctrl-C ended the fit before its last step."""
    is_plain_descent: bool = False
    """Whether the steps are w ← w − lr · ∂L/∂w and nothing more, of which everything can be foretold."""
    solution: Quadratic | None = None
    """The loss as a quadratic function, where that is how the fit was done."""

    @property
    def how(self) -> str:
        """The way to the weights, in a line."""
        if self.solution is None:
            last = " in the end" if self.run.schedule else ""
            return f"{self.step} steps of {self.run.optimizer}, learning rate {self.lr:g}{last}"
        frame = f"{self.solution.frame}; " if self.solution.frame else ""
        steps = f"{self.solution.steps} Newton step{'s' if self.solution.steps != 1 else ''}"
        return f"Solved at once: {frame}{steps}"

    @property
    def params(self) -> W:
        """The weights after the last complete step, named or listed as they were given."""
        return self._tensors(self.run.params)

    @property
    def start(self) -> W:
        """The weights before the first step."""
        return self._tensors(self.run.start)

    def _tensors(self, arrays: saved.Arrays) -> W:
        place = self.objective.device
        weights: W = self.objective.arranged({name: tensor(w, device=place) for name, w in arrays.items()})
        return weights

    @property
    def losses(self) -> dict[int, float]:
        """The logged steps with their losses, each before the step's update, as the tutorials print them."""
        return dict(self.run.losses)

    @property
    def step(self) -> int:
        """The number of complete steps."""
        return self.run.step

    @property
    def lr(self) -> float:
        """The learning rate of the last step; of the first group of weights, if there are several."""
        if not self.run.schedule:
            return self.run.lr
        return float(self.run.optimizer_state["param_groups"][0]["lr"])

    @cached_property
    def loss(self) -> float:
        """The loss of `params`."""
        return float(self._loss_of(self.run.params).item())

    @cached_property
    def start_loss(self) -> float:
        """The loss of `start`."""
        return float(self._loss_of(self.run.start).item())

    def _loss_of(self, arrays: saved.Arrays) -> Tensor:
        place = self.objective.device
        with place.active(), np.errstate(over="ignore", invalid="ignore"):
            return self.objective({name: tensor(w, device=place) for name, w in arrays.items()})

    @cached_property
    def quadratic(self) -> Quadratic | None:
        """The loss as a quadratic function of the weights; None if it is not quadratic."""
        if self.solution is not None:
            return self.solution
        # At the start, because a fit that diverged ends where nothing can be computed.
        return quadratic.of(self.objective, self.run.start)

    @property
    def largest_stable_lr(self) -> float | None:
        """The learning rate above which this fit diverges; None if it is unknown."""
        return self.quadratic.largest_stable_lr if self.is_plain_descent and self.quadratic else None

    @cached_property
    def statistics(self) -> Statistics | None:
        """Standard errors and R², where the loss is a sum or mean of squared errors with an optimum that is known."""
        found = self.quadratic
        if found is None or not found.determined or self.objective.in_blocks:
            return None
        return statistics.of(self.objective.in_float64(), found, self.loss)

    def predict(self, x: Any) -> Tensor:
        """The model's y for other x, of a loss that is a sum or mean of squared errors.

        The loss is asked itself: where the model predicts p, the derivative of L = k Σ (p − y)² by y is 2k (y − p).

        Raises:
            ValueError: where the loss is none, so that it does not tell what it predicts.
        """
        if self.objective.in_blocks:
            raise ValueError("predict() takes a fit of arrays: compute the model of these params block by block")
        place = self.objective.device
        x = as_tensor(x).detach().to(place)
        x = x.to(self.objective.x.dtype) if arrays.is_floating(self.objective.x.dtype) else x
        y = self.objective.y
        other = replace(self.objective, x=x, y=zeros((*x.shape[:1], *y.shape[1:]), dtype=y.dtype, device=place))
        with place.active():
            found = statistics.predictions(other, self.run.params)
        if found is None:
            raise ValueError("predict() knows a model by its errors, and this loss is no sum or mean of (model − y)²")
        return tensor(found[0])

    def table(self) -> str:
        """The weights as a table: the fit, and beside it the optimum with its standard errors where they are known."""
        lines = [["weight", "fit", "optimum", "standard error"]]
        for name, *row in self.rows():
            lines.append([name, *("" if v is None else f"{v:.{d}g}" for v, d in zip(row, (16, 16, 3)))])
        names, *columns = (column for column in zip(*lines) if any(column[1:]))
        padded = [[cell.rjust(max(map(len, column))) for cell in column] for column in columns]
        return "\n".join(map("  ".join, zip([name.ljust(max(map(len, names))) for name in names], *padded)))

    def summary(self) -> dict[str, Any]:
        """The result in numbers and names that JSON has."""
        rows, verdict = self.rows(), self.verdict
        fit, optimum, errors = ({row[0]: row[i] for row in rows} for i in (1, 2, 3))
        return {
            "params": fit,
            "loss": self.loss,
            "converged": verdict.converged,
            "optimum": optimum if verdict.optimum is not None else None,
            "optimum_loss": verdict.optimum,
            "standard_errors": errors if any(v is not None for v in errors.values()) else None,
            "r_squared": self.statistics.r_squared if self.statistics else None,
            "steps": self.step,
            "interrupted": self.interrupted,
        }

    def rows(self) -> list[tuple[str, float, float | None, float | None]]:
        """Name, fit, optimum and standard error of each weight; None where one is not known."""
        known = self.quadratic if self.quadratic and self.quadratic.determined else None
        errors = self.statistics.errors if self.statistics and self.statistics.errors is not None else None
        names = [
            name + (f"[{', '.join(map(str, index))}]" if index else "")
            for name, w in self.run.params.items()
            for index in np.ndindex(w.shape)
        ]
        unknown = [None] * len(names)
        optimum = unknown if known is None else known.optimum.tolist()
        certain = unknown if errors is None else errors.tolist()
        return list(zip(names, quadratic.flat(self.run.params).tolist(), optimum, certain, strict=True))

    @cached_property
    def verdict(self) -> Verdict:
        """The distance from the optimum, and whether the fit has converged; print it to read it."""
        return Verdict.of(self.run, self.loss, self.quadratic, self.is_plain_descent)

    def resume(self, steps: int, lr: Any = None, progress: Any = True) -> "FitResult[W]":
        """Go on to `steps` steps in all, exactly as if the fit had never stopped; with another `lr` if given."""
        return self._continued(self.run, steps, lr, progress)

    def save(self, path: str | Path, problem: dict[str, Any] | None = None) -> None:
        """Write all that `resume` needs to a JSON file, with a description of the problem if given.

        Raises:
            DataError: where `path` cannot be written.
        """
        saved.save(self.run if problem is None else replace(self.run, problem=problem), path)

    def plot(self, path: str | Path, model: Callable[[Any, Tensor], Tensor] | None = None, title: str = "") -> None:
        """Draw the loss of each step; with `model(params, x)` also the data, the start and the fit.

        Args:
            path: the picture; its extension (.png, .svg, .pdf, …) says in which format.
            model: computes the predictions for x, which has to hold one number per point.
            title: written above the picture.

        Raises:
            DataError: where `path` cannot be written, or has an extension that is no picture's.
            ImportError: where matplotlib is not installed.
        """
        # matplotlib is imported where it is asked for, and so is what draws with it.
        from tinygrad_poly.fitting.picture import draw

        draw(self, path, model, title)

    def __repr__(self) -> str:
        state = "interrupted" if self.interrupted else "complete"
        # Where the data are elsewhere, to look at the loss may take long, or be what has just failed.
        elsewhere = self.objective.in_blocks or self.objective.device.type != "cpu"
        loss = "" if elsewhere and "loss" not in vars(self) else f"loss={self.loss:.6g}, "
        return f"FitResult(step={self.step}, {loss}{state})"
