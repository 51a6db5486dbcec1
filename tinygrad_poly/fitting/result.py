"""The result of a fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from tinygrad_poly.creation import tensor
from tinygrad_poly.fitting import quadratic, saved
from tinygrad_poly.fitting.objective import Objective
from tinygrad_poly.fitting.quadratic import Quadratic
from tinygrad_poly.fitting.saved import Run
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
    _descend: Callable[[Run, int, Any], FitResult[W]]
    interrupted: bool = False
    """Whether Ctrl-C ended the fit before its last step."""
    is_plain_descent: bool = False
    """Whether the steps are w ← w − lr · ∂L/∂w and nothing more, of which everything can be foretold."""

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
        """The learning rate of the last step."""
        return self.run.lr

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
        # At the start, because a fit that diverged ends where nothing can be computed.
        return quadratic.of(self.objective, self.run.start)

    @property
    def largest_stable_lr(self) -> float | None:
        """The learning rate above which this fit diverges; None if it is unknown."""
        return self.quadratic.largest_stable_lr if self.is_plain_descent and self.quadratic else None

    @cached_property
    def verdict(self) -> Verdict:
        """The distance from the optimum, and whether the fit has converged; print it to read it."""
        return Verdict.of(self.run, self.loss, self.quadratic, self.is_plain_descent)

    def resume(self, steps: int, lr: float | None = None, progress: Any = True) -> FitResult[W]:
        """Go on to `steps` steps in all, exactly as if the fit had never stopped; with another `lr` if given."""
        run = self.run if lr is None else replace(self.run, lr=lr)
        return self._descend(run, steps, progress)

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
