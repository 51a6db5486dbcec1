"""Triangles of matrices, which are linear. (A diagonal is a slice: see `functions/diagonals.py`.)"""

from tinygrad_poly.engine.arrays import namespace
from tinygrad_poly.engine.operation import Operation

tril: Operation = Operation(
    "Tril", lambda x, k: namespace(x).tril(x, k=k), lambda g, k: tril(g, k), saves="nothing", expands=True,
    formula="x with zeros above the diagonal", derivative="g with zeros above the diagonal",
)  # fmt: skip


triu: Operation = Operation(
    "Triu", lambda x, k: namespace(x).triu(x, k=k), lambda g, k: triu(g, k), saves="nothing", expands=True,
    formula="x with zeros below the diagonal", derivative="g with zeros below the diagonal",
)  # fmt: skip
