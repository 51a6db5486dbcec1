"""Cases of `derivatives/diagonals.py`: how a user reaches each row, and on which shapes."""

from __future__ import annotations

from tinygrad_poly.derivatives import diagonals

from ..checks import Case

CASES: list[Case] = [
    *(
        Case(row, f"{name}({k})", lambda m, x, name=name, k=k: getattr(m, name)(x * x, k), [((3, 4),), ((2, 4, 3),)])
        for name, row in {"tril": diagonals.tril, "triu": diagonals.triu}.items()
        for k in (0, 1, -2, 5)
    ),
]
