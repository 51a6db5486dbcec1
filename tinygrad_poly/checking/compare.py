"""Comparisons line by line: hand-written intermediate gradients beside those that the tape left in `grad`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_poly.checking.arguments import as_array, library_of
from tinygrad_poly.checking.diagnosis import Diagnosis, explained
from tinygrad_poly.checking.hypotheses import Sample
from tinygrad_poly.checking.verdict import largest
from tinygrad_poly.engine.errors import DtypeError, GraphError


@dataclass(frozen=True)
class Comparison:
    """A hand-written gradient beside the tape's.

    Attributes:
        name: of the tensor.
        exact: whether all numbers are equal.
        close: whether they differ by no more than rounding may.
        difference: the largest one.
        diagnosis: what is wrong; None where they are close.
    """

    name: str
    exact: bool
    close: bool
    difference: float
    diagnosis: Diagnosis | None

    def __str__(self) -> str:
        line = f"{self.name:<15} | exact: {self.exact!s:<5} | close: {self.close!s:<5} | "
        told = f"\n{self.diagnosis}".replace("\n", "\n    ") if self.diagnosis else ""
        return f"{line}difference: {self.difference:.3g}{told}"


def compare(name: str, gradient: Any, tensor: Any) -> Comparison:
    """A line that says whether `gradient` is `tensor.grad`; it is printed, and returned.

    Raises:
        GraphError: where the tensor has no gradient: an intermediate one has to be asked for, with `retain_grad()`.

    >>> x = tensor([1.0, 2.0], requires_grad=True)
    >>> logits = x * 3
    >>> logits.retain_grad()
    >>> (logits * logits).sum().backward()
    >>> _ = compare("dlogits", 2 * logits, logits)
    dlogits         | exact: True  | close: True  | difference: 0
    >>> _ = compare("dlogits", logits, logits)
    dlogits         | exact: False | close: False | difference: 6
        grad[dlogits] is 1/2 times the true gradient (likely)
          Fix: multiply by 2
    """
    if library_of(tensor) == "numpy":
        raise DtypeError(f"compare() needs the tensor whose grad to compare with, not {type(tensor).__name__}")
    if tensor.grad is None:
        raise GraphError(f"the tensor for {name} has no grad: call its retain_grad() before backward()")
    claimed, true = np.asarray(as_array(gradient)), as_array(tensor.grad)
    same = claimed.shape == true.shape
    gap = np.abs(claimed.astype(np.float64) - true) if same else np.array(np.inf)
    eps = float(np.finfo(true.dtype).eps)
    size = largest(true)
    # Roundings grow like the root of their number, and a backward pass has few large sums.
    close = same and bool((gap <= 32 * eps * (np.abs(true) + size) + np.finfo(true.dtype).tiny).all())
    found = None
    if not close:
        code, numbers, _ = explained([Sample(claimed.astype(np.float64), true.astype(np.float64), unit=eps)])
        found = Diagnosis(code, name, numbers, False)
    result = Comparison(name, same and not gap.any(), close, float(gap.max(initial=0.0)), found)
    print(result)
    return result
