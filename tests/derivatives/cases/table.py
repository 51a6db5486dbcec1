"""The table of cases: for each row of the derivative table, how a user reaches it, and on which shapes.

A family is a file of `tinygrad_poly/derivatives/`, and the file of the same name here holds its cases. A row
without a case fails `test_operation.py`.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

from tinygrad_poly.derivatives import (
    activations,
    arithmetic,
    contractions,
    diagonals,
    elementwise,
    indexing,
    joining,
    linalg,
    losses,
    norms,
    ordering,
    piecewise,
    polynomials,
    products,
    reductions,
    scans,
    shapes,
    softmax,
    windows,
)

from ..checks import Case
from .activations import CASES as ACTIVATIONS
from .arithmetic import CASES as ARITHMETIC
from .contractions import CASES as CONTRACTIONS
from .diagonals import CASES as DIAGONALS
from .elementwise import CASES as ELEMENTWISE
from .indexing import CASES as INDEXING
from .joining import CASES as JOINING
from .linalg import CASES as LINALG
from .losses import CASES as LOSSES
from .norms import CASES as NORMS
from .ordering import CASES as ORDERING
from .piecewise import CASES as PIECEWISE
from .polynomials import CASES as POLYNOMIALS
from .products import CASES as PRODUCTS
from .reductions import CASES as REDUCTIONS
from .scans import CASES as SCANS
from .shapes import CASES as SHAPES
from .softmax import CASES as SOFTMAX
from .windows import CASES as WINDOWS

CASES: dict[ModuleType, list[Case]] = {
    arithmetic: ARITHMETIC,
    elementwise: ELEMENTWISE,
    piecewise: PIECEWISE,
    activations: ACTIVATIONS,
    reductions: REDUCTIONS,
    scans: SCANS,
    norms: NORMS,
    softmax: SOFTMAX,
    ordering: ORDERING,
    shapes: SHAPES,
    indexing: INDEXING,
    joining: JOINING,
    diagonals: DIAGONALS,
    products: PRODUCTS,
    contractions: CONTRACTIONS,
    windows: WINDOWS,
    linalg: LINALG,
    polynomials: POLYNOMIALS,
    losses: LOSSES,
}


def runs() -> list[Any]:
    """Every case with each of its shapes."""
    return [(case, given) for cases in CASES.values() for case in cases for given in case.shapes]


def name(value: Any) -> str:
    """How pytest shows a case and its shapes."""
    return value.label if isinstance(value, Case) else "x".join(str(s).replace(" ", "") for s in value)
