"""Error classes: each is a subclass of the built-in exception that users of NumPy or torch would catch."""

import re
from typing import Any

import numpy as np

__all__ = ["AnomalyError", "BlockError", "DataError", "DeviceError", "DimensionError", "DivergenceError", "DtypeError"]
__all__ += ["GraphError", "ShapeError", "SingularMatrixError", "StructureError", "TraceError"]


class Plain(Exception):  # noqa: N818
    """The message of an error, with shapes and dtypes as Python writes them: (2, 3) and float32."""

    def __init__(self, *message: Any) -> None:
        super().__init__(*[_plain(part) if isinstance(part, str) else part for part in message])


def _plain(message: str) -> str:
    if "torch." not in message:
        return message
    message = re.sub(r"\btorch\.Size\(\[(\d+)\]\)", r"(\1,)", message)
    message = re.sub(r"\btorch\.Size\(\[(.*?)\]\)", r"(\1)", message)
    return re.sub(r"\btorch\.(float\d|u?int\d|bool)", r"\1", message)


class ShapeError(Plain, ValueError, RuntimeError):
    """Shapes that do not fit together; the message prints them."""


class DimensionError(ShapeError, IndexError):
    """A dimension that a tensor does not have, or that was named twice."""


class DtypeError(Plain, TypeError, RuntimeError):
    """A dtype that the operation cannot work with, or that cannot carry a gradient."""


class GraphError(Plain, RuntimeError):
    """A backward pass that the recorded graph does not allow."""


class AnomalyError(Plain, RuntimeError):
    """NaN or an infinity that was computed from finite numbers, found by `autograd.detect_anomaly`."""


class DeviceError(Plain, RuntimeError):
    """A device whose array library is not installed or does not exist."""


class DataError(Plain, ValueError):
    """A file or points that a fit cannot use; the message names the file and the line."""


class BlockError(Plain, RuntimeError):
    """A block of the data that could not be computed, or a cluster that failed; the fit keeps what it has learned.

    Attributes:
        result: the fit up to the last complete step; None outside of a fit.
    """

    result: Any = None


class DivergenceError(Plain, ArithmeticError):
    """A fit whose loss is no longer a finite number; the fit keeps what it has learned.

    Attributes:
        step: the step whose loss was not finite.
        last_loss: the last finite loss, None if there was none.
        largest_stable_lr: the learning rate from which gradient descent diverges, None if it is not known.
        result: the fit up to the last finite loss.
    """

    def __init__(
        self,
        message: str,
        *,
        step: int,
        last_loss: float | None = None,
        largest_stable_lr: float | None = None,
        result: Any = None,
    ) -> None:
        super().__init__(message)
        self.step = step
        self.last_loss = last_loss
        self.largest_stable_lr = largest_stable_lr
        self.result = result


class TraceError(Plain, TypeError):
    """A function that cannot be traced, because its operations depend on numbers that a trace does not have."""


class StructureError(Plain, TypeError):
    """Arguments or results of a function that are not the expected containers of tensors."""


class SingularMatrixError(Plain, np.linalg.LinAlgError):
    """A matrix that an operation cannot take: singular, not positive definite, or not finite.

    The message names the operation and, in a stack of matrices, the batch element.
    """
