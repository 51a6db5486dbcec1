"""Running a training loop's source with Numba."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from tinygrad_poly.compiler.loops import cache as sources

OLDEST = (0, 60)
"""The first Numba that knows NumPy 2."""

_OPTIONS = 'nogil=True, error_model="numpy"'
# In these two functions alone may a sum be taken in another order, which is what makes it fast, and a product be added
# before it is rounded. LLVM writes them where they are called, and the permission stays with their own operations: all
# others are NumPy's to the last bit, so that nothing leaves a domain, takes another branch or hides a NaN.
HEADER = f"""\
import numba
import numpy as np

njit = numba.njit(cache=True, {_OPTIONS})
njit_parallel = numba.njit(cache=True, parallel=True, {_OPTIONS})
sums = numba.njit(fastmath={{"reassoc", "contract"}}, {_OPTIONS})


@sums
def add(total, term):
    return total + term


@sums
def add_product(total, a, b):
    return total + a * b


"""


@cache
def available() -> bool:
    """Whether a Numba is installed that can be used; says once why not."""
    try:
        import numba
    except ImportError as error:
        warnings.warn(
            "Numba is not installed or does not work here, so the compiled program runs on NumPy, several times "
            f"slower: pip install 'tinygrad_poly[compile]' ({error})",
            stacklevel=2,
        )
        return False
    version = tuple(int(part) for part in numba.__version__.split(".")[:2])
    if version < OLDEST:
        warnings.warn(
            f"Numba {numba.__version__} is too old, {OLDEST[0]}.{OLDEST[1]} is needed; the compiled program runs on "
            "NumPy",
            stacklevel=2,
        )
        return False
    return True


def compiled(source: str) -> Callable[..., tuple[Any, ...]]:
    """The function `run` of a source, compiled by Numba when it is first called.

    Where the source has several functions, those that are marked are compiled, and `run` is Python if it is not.
    """
    from numba.core.errors import NumbaError

    source = HEADER + ast.unparse(_Sums().visit(ast.parse(source if "@njit" in source else f"@njit\n{source}"))) + "\n"
    run: Callable[..., tuple[Any, ...]] = sources.load(source).run
    called = False

    def call(*arguments: Any) -> tuple[Any, ...]:
        nonlocal run, called
        if called:
            return run(*arguments)
        try:
            results = run(*arguments)
        except NumbaError:
            raise
        except Exception:
            # Numba does not get over a damaged file of its own beside the source: it gets another folder, once.
            called = True
            run = sources.load(source, elsewhere=True).run
            results = run(*arguments)
        called = True
        return results

    return call


class _Sums(ast.NodeTransformer):
    """Calls of `add` and `add_product` for `total += term` and `total += a * b`."""

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.stmt:
        if not isinstance(node.op, ast.Add):
            return node
        total, term = ast.unparse(node.target), node.value
        if isinstance(term, ast.BinOp) and isinstance(term.op, ast.Mult):
            call = f"add_product({total}, {ast.unparse(term.left)}, {ast.unparse(term.right)})"
        else:
            call = f"add({total}, {ast.unparse(term)})"
        return ast.parse(f"{total} = {call}").body[0]


def arguments(arrays: Sequence[Any]) -> list[Any]:
    """Arrays as the source takes them: those with one element as numbers, the others contiguous."""
    return [a.reshape(-1)[0] if a.size == 1 else np.ascontiguousarray(a) for a in map(np.asarray, arrays)]
