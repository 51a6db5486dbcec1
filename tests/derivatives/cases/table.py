"""The table of cases: for each row of the derivative table, how a user reaches it, and on which shapes.

A family is a file of `tinygrad_poly/derivatives/`, and the file of the same name here holds its cases. A row
without a case fails `test_operation.py`.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

from tinygrad_poly.derivatives import arithmetic, elementwise, linalg, reductions, shapes

from ..checks import Case
from .arithmetic import CASES as ARITHMETIC
from .elementwise import CASES as ELEMENTWISE
from .linalg import CASES as LINALG
from .reductions import CASES as REDUCTIONS
from .shapes import CASES as SHAPES

CASES: dict[ModuleType, list[Case]] = {
    arithmetic: ARITHMETIC,
    elementwise: ELEMENTWISE,
    reductions: REDUCTIONS,
    shapes: SHAPES,
    linalg: LINALG,
}


def runs(family: ModuleType) -> list[Any]:
    """Every case of a family with each of its shapes."""
    return [(case, given) for case in CASES[family] for given in case.shapes]


def name(value: Any) -> str:
    """How pytest shows a case and its shapes."""
    return value.label if isinstance(value, Case) else "x".join(str(s).replace(" ", "") for s in value)
