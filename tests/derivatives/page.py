"""The derivative table as Markdown: `python -m tests.derivatives.page > docs/derivatives.md`."""

import ast
import importlib
import inspect
import pkgutil
import sys
from collections.abc import Iterator
from io import TextIOWrapper
from types import ModuleType

import tinygrad_poly.derivatives
from tinygrad_poly.engine.operation import Operation, Variadic, special_text

INTRODUCTION = """\
# The derivative table

Generated from the rows in `tinygrad_poly/derivatives/` by `python -m tests.derivatives.page`.

In each row, g is the cotangent ∂L/∂y of the result, and the engine computes g · ∂y/∂x for each input without
ever building ∂y/∂x.

Where no derivative exists, or the formula does not give it, the last column says what is returned: y, its slope y′ for
each input, and y″, the Hessian matrix of all numbers in the inputs (one number stands for all of them). They are
torch's, unless the column says otherwise; but torch refuses y″ of most functions made of straight pieces, such as
max(a, b). The points are data in the rows, and a test evaluates each of them.
"""

# From what is taught first to what is taught last; files that are not named here follow.
ORDER = (
    "arithmetic", "elementwise", "piecewise", "activations", "reductions", "norms", "softmax", "scans", "ordering",
    "shapes", "joining", "diagonals", "indexing", "products", "contractions", "windows", "linalg", "polynomials",
)  # fmt: skip


def families() -> Iterator[ModuleType]:
    """The modules that hold rows."""
    package = tinygrad_poly.derivatives
    names = {found.name for found in pkgutil.iter_modules(package.__path__)}
    for name in sorted(names, key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name)):
        yield importlib.import_module(f"{package.__name__}.{name}")


def rows(family: ModuleType) -> dict[str, Operation | Variadic]:
    """The rows that a module defines, by name, in the order of the file; not those that it imports."""
    assigned = [
        target.id
        for statement in ast.parse(inspect.getsource(family)).body
        if isinstance(statement, ast.Assign | ast.AnnAssign)
        for target in (statement.targets if isinstance(statement, ast.Assign) else [statement.target])
        if isinstance(target, ast.Name)
    ]
    return {name: row for name in assigned if isinstance(row := getattr(family, name), (Operation, Variadic))}


def markdown() -> str:
    """The whole table."""
    parts = [INTRODUCTION]
    for family in families():
        found = rows(family)
        if not found:
            continue
        title = (family.__doc__ or family.__name__).splitlines()[0].rstrip(".")
        parts += [f"\n## {title}\n", "| operation | y | derivative | special points |", "|---|---|---|---|"]
        for name, row in found.items():
            cells = (f"`{name}`", row.formula, row.derivative, special_text(row))
            parts.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    if isinstance(sys.stdout, TextIOWrapper):
        # What an encoding does not have, such as ∂, is written as Markdown's &#8706;.
        sys.stdout.reconfigure(errors="xmlcharrefreplace")
    print(markdown(), end="")
