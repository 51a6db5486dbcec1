"""The curves that the command line fits: polynomials of several degrees, with their data and defaults."""

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinygrad_poly import functions
from tinygrad_poly.creation import arange, linspace, tensor
from tinygrad_poly.cuda import OutOfMemoryError
from tinygrad_poly.engine.arrays import device, namespace
from tinygrad_poly.engine.errors import DataError
from tinygrad_poly.fitting import points
from tinygrad_poly.fitting.formatting import names, polynomial
from tinygrad_poly.fitting.objective import Weights
from tinygrad_poly.random import manual_seed, rand, randn
from tinygrad_poly.tensor import Tensor

Settings = Mapping[str, Any]


@dataclass(frozen=True)
class Problem:
    """A kind of fit."""

    help: str
    about: str
    """What is fitted, to be formatted with the settings."""
    data: Callable[[Settings], tuple[Tensor, Tensor]]
    error: Callable[[Tensor], Tensor]
    """What is made of the squared errors: their sum or their mean."""
    random: Callable[..., Tensor]
    """What the weights start from."""
    defaults: dict[str, Any] = field(default_factory=dict)

    def about_data(self, settings: Settings) -> str:
        """The data in words."""
        return self.about.format(**settings) if settings["data"] is None else str(settings["data"])

    def set_up(self, settings: Settings) -> "Task":
        """The data, the loss and the weights to start from.

        Raises:
            DataError: where the data cannot be read, or does not determine the polynomial.
            DeviceError: where they have no place on the device, or it does not exist.
        """
        dtype, degree, about = settings["dtype"], settings["degree"], self.about_data(settings)
        place = device(settings.get("device", "cpu"))
        try:
            with np.errstate(over="ignore"), place.active():
                x, y = (data.to(place, dtype) for data in self.data(settings))
                start = {name: weight.to(place) for name, weight in self._start(settings, dtype).items()}
                finite = all(numbers.isfinite().all() for numbers in (x, y, *start.values()))
                different = len(namespace(x.array).unique(x.array)) if finite else 0
        except MemoryError as error:
            if place.type == "cpu":
                raise
            raise OutOfMemoryError(f"{place} has not enough memory for {about} in {dtype}: {error}") from None
        if not finite:
            raise DataError(f"{about}: some numbers are too large for {dtype}")
        if different <= degree:
            raise DataError(
                f"{about}: a polynomial of degree {degree} needs {degree + 1} or more different x, and there "
                f"{'is' if different == 1 else 'are'} {different}; give more points, or a lower degree"
            )
        return Task(x, y, self.error, start, settings["data"] is not None)

    def _start(self, settings: Settings, dtype: str) -> Weights:
        letters = names(settings["degree"])
        given = settings["start"]
        if given is None:
            manual_seed(settings["seed"])
            return {name: self.random((), dtype=dtype) for name in letters}
        if len(given) != len(letters):
            raise DataError(
                f"a polynomial of degree {len(letters) - 1} has {len(letters)} weights to start from, "
                f"{', '.join(letters)}, but {len(given)} were given"
            )
        return {name: tensor(number, dtype=dtype) for name, number in zip(letters, given, strict=True)}


def _of_a_polynomial(loss: Any) -> Any:
    """Mark a loss as one in which x may be centred and scaled: polynomials of (x − c) / s are the same curves."""
    loss.is_polynomial = True
    return loss


@dataclass(frozen=True)
class Task:
    """A problem with its data."""

    x: Tensor
    y: Tensor
    error: Callable[[Tensor], Tensor]
    start: Weights
    from_file: bool

    @_of_a_polynomial
    def loss(self, params: Weights, x: Tensor, y: Tensor) -> Tensor:
        """The sum or mean of (polynomial − y)²."""
        y_pred = polynomial(params, x)  # the name is that of the printed program
        return self.error((y_pred - y) ** 2)

    @property
    def error_name(self) -> str:
        """The name of the loss."""
        return f"{self.error.__name__} of squared errors"

    @property
    def fingerprint(self) -> str | None:
        """A hash of the points, so that a saved fit is not resumed on other points; None for computed points."""
        if not self.from_file:
            return None
        return hashlib.sha256(b"".join(data.cpu().numpy().tobytes() for data in (self.x, self.y))).hexdigest()


def _sine(settings: Settings) -> tuple[Tensor, Tensor]:
    x = linspace(-math.pi, math.pi, settings["points"], dtype=settings["dtype"], device=settings.get("device"))
    return x, functions.sin(x)


def _triple(settings: Settings) -> tuple[Tensor, Tensor]:
    if settings["data"] is not None:
        return _file(settings)
    x = arange(1, settings["points"] + 1, device=settings.get("device")).to(dtype=settings["dtype"])
    return x, 3 * x


def _file(settings: Settings) -> tuple[Tensor, Tensor]:
    x, y = points.read(settings["data"], **{name: settings[name] for name in READING if name in settings})
    return tensor(x), tensor(y)


READING = ("x", "y", "encoding", "decimal", "say")
"""The settings that say how the file is read."""


PROBLEMS = {
    "sin": Problem(
        help="a cubic to the sine curve, the fit of the tutorials",
        about="{points} points of sin(x) on [-pi, pi]",
        data=_sine,
        error=functions.sum,
        random=randn,
        defaults={"points": 2000, "degree": 3, "steps": 2000, "lr": 1e-6},
    ),
    "line": Problem(
        help="a line to y = 3 x, or to the points of a file",
        about="{points} points of y = 3 x",
        data=_triple,
        error=functions.mean,
        random=rand,
        defaults={"points": 6, "degree": 1, "steps": 1000, "lr": 0.01},
    ),
    "poly": Problem(
        help="a polynomial to the points of a file",
        about="",
        data=_file,
        error=functions.mean,
        random=randn,
        defaults={"degree": 3, "steps": 2000, "lr": None},
    ),
}
